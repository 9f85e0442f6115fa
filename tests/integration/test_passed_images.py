# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images whose descriptors the client gives: the guest's user and the daemon need no right to their paths."""
import json
import os
import subprocess
import unittest

import libvirt
import libvirt_qemu

from harness import ON_PEER, TestCase, domain_xml, scratch, unique, uri, virsh, wait_for

NOWHERE = '/no/such/place/disk.img'
GROUPS = f"""<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
<source file='{NOWHERE}' fdgroup='top'/><target dev='vda' bus='virtio'/>
<backingStore type='file'><format type='raw'/><source file='{NOWHERE}.base' fdgroup='base'/><backingStore/></backingStore></disk>"""


@unittest.skipIf(ON_PEER, 'about our descriptors')
class PassedImages(TestCase):
    def setUp(self):
        super().setUp()
        self.base, self.top = (os.path.join(scratch(), unique(stem)) for stem in ('base', 'top'))
        with open(self.base, 'wb') as f:
            f.write(b'beneath' * 4096)
        os.chmod(self.base, 0o400)
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', self.base, '-F', 'raw', self.top, '1M'], check=True)

    def give(self, dom, **modes):
        for name, (path, flags) in modes.items():
            fds = [os.open(path, flag) for flag in flags]
            try:
                dom.FDAssociate(name, fds)
            finally:
                for fd in fds:
                    os.close(fd)

    def chain(self, dom):
        """Of the disk's images, as the emulator has them."""
        info = json.loads(libvirt_qemu.qemuMonitorCommand(dom, '{"execute":"query-block"}', 0))['return']
        image, formats = [b for b in info if 'virtio-disk0' in b.get('qdev', '')][0]['inserted']['image'], []
        while image:
            formats.append(image['format'])
            image = image.get('backing-image')
        return formats

    def test_a_chain(self):
        conn = self.connect()
        dom = conn.defineXML(domain_xml(self.guest_name('given'), devices=GROUPS))
        self.assertIn("under the name 'base'", str(self.assertLibvirtError(libvirt.VIR_ERR_INVALID_ARG, dom.create)))
        self.give(dom, top=(self.top, [os.O_RDWR, os.O_RDONLY]), base=(self.base, [os.O_RDONLY]))
        dom.create()
        self.assertEqual(self.chain(dom), ['qcow2', 'raw'])
        self.assertEqual(dom.info()[0], libvirt.VIR_DOMAIN_RUNNING)
        dom.destroy()
        dom.create()                         # they stay as long as the client does
        dom.destroy()
        conn.close()
        dom = self.connect().lookupByName(dom.name())
        wait_for('the end of what the client gave', lambda: self.cannot_start(dom))

    def cannot_start(self, dom):
        try:
            dom.create()
        except libvirt.libvirtError as e:
            return 'are associated' in str(e)
        dom.destroy()
        return False

    def test_plugged(self):
        disk = f"""<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{NOWHERE}' fdgroup='one'/>
            <target dev='vdb' bus='virtio'/><readonly/></disk>"""
        dom = self.connect().createXML(domain_xml(self.guest_name('given')))
        self.assertIn("under the name 'one'", str(self.assertLibvirtError(
            libvirt.VIR_ERR_INVALID_ARG, dom.attachDevice, disk)))
        self.give(dom, one=(self.base, [os.O_RDONLY]))
        dom.attachDevice(disk)
        self.assertIn('vdb', virsh('domblklist', dom.name()))
        sets = json.loads(libvirt_qemu.qemuMonitorCommand(dom, '{"execute":"query-fdsets"}', 0))['return']
        self.assertEqual(len(sets), 1)

    def test_as_virsh_gives_them(self):
        dom = self.define(stem='given', devices=GROUPS)
        with open(self.top, 'r+b') as rw, open(self.top, 'rb') as ro, open(self.base, 'rb') as base:
            fds = (rw.fileno(), ro.fileno(), base.fileno())
            done = subprocess.run(['virsh', '-q', '-c', uri(), f'dom-fd-associate {dom.name()} top {fds[0]},{fds[1]}; '
                                   f'dom-fd-associate {dom.name()} base {fds[2]} --seclabel-restore; start {dom.name()}'],
                                  pass_fds=fds, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(dom.isActive())


if __name__ == '__main__':
    unittest.main()
