# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host's guests are found when its daemons are replaced by ours, and again when they are put back."""
import glob
import os
import shutil
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ET

from harness import OwnSandbox, domain_xml, unique, virsh

PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peer')
RICH = """<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/>
  <source file='/var/lib/libvirt/images/x.img'/><target dev='vda' bus='virtio'/><boot order='1'/></disk>
<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>
<controller type='virtio-serial' index='0'/>
<interface type='user'><mac address='52:54:00:12:34:56'/><model type='virtio'/></interface>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<input type='tablet' bus='usb'/>
<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'/>
<video><model type='virtio'/></video>
<sound model='ich6'/><watchdog model='i6300esb' action='reset'/>
<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"""


def guests():
    return {unique('lean'): '', unique('rich'): RICH}


@unittest.skipUnless(os.path.exists('/usr/sbin/libvirtd') and os.geteuid() == 0,
                     'needs root and the libvirtd of the distribution')
class DiskFormat(OwnSandbox):
    def peer(self, directory, script):
        done = subprocess.run([PEER, directory, '--', 'bash', '-ec', script], capture_output=True, text=True,
                              timeout=120, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def peer_dir(self):
        path = tempfile.mkdtemp(prefix='mv-peer-', dir='/tmp')
        self.addCleanup(shutil.rmtree, path, True)
        return path

    def tree(self, xml):
        """An XML text as nested tuples, for a comparison that does not mind white space."""
        def node(e):
            return (e.tag, tuple(sorted(e.attrib.items())), (e.text or '').strip(), tuple(map(node, e)))
        return node(ET.fromstring(xml))

    def test_theirs_are_found_by_ours(self):
        peer, script, names = self.peer_dir(), '', guests()
        for name, devices in names.items():
            path = self.xml_file(domain_xml(name, devices=devices))
            script += f'virsh -q define {path} >/dev/null; virsh dumpxml {name} >$MODVIRT_PEER/{name}.dump\n'
        auto = next(iter(names))
        self.peer(peer, script + f'virsh -q autostart {auto} >/dev/null')
        shutil.copytree(f'{peer}/etc/libvirt/qemu', f'{self.sandbox.dir}/etc/libvirt/qemu', symlinks=True)
        # The link names a path of the host, which is where the scratch root stands for /.
        link = f'{self.sandbox.dir}/etc/libvirt/qemu/autostart/{auto}.xml'
        os.unlink(link)
        os.symlink(f'{self.sandbox.dir}/etc/libvirt/qemu/{auto}.xml', link)
        self.sandbox.start()
        self.use(self.sandbox)
        listed = virsh('list', '--all', '--name').split()
        for name in names:
            self.assertIn(name, listed)
            with open(f'{peer}/{name}.dump') as f:
                self.assertEqual(self.tree(virsh('dumpxml', name, '--inactive')), self.tree(f.read()))
        self.assertRegex(virsh('dominfo', auto), r'Autostart:\s+enable')

    def test_ours_are_found_by_theirs(self):
        names = guests()
        self.sandbox.start()
        self.use(self.sandbox)
        dumps = {}
        for name, devices in names.items():
            virsh('define', self.xml_file(domain_xml(name, devices=devices)))
            dumps[name] = virsh('dumpxml', name, '--inactive')
            self.assertTrue(os.path.exists(f'{self.sandbox.dir}/etc/libvirt/qemu/{name}.xml'))
        auto = next(iter(names))
        virsh('autostart', auto)
        self.assertTrue(os.path.islink(f'{self.sandbox.dir}/etc/libvirt/qemu/autostart/{auto}.xml'))
        self.sandbox.stop()
        peer = self.peer_dir()
        shutil.copytree(f'{self.sandbox.dir}/etc/libvirt/qemu', f'{peer}/etc/libvirt/qemu', symlinks=True)
        for link in glob.glob(f'{peer}/etc/libvirt/qemu/autostart/*'):
            os.unlink(link)
        out = self.peer(peer, ''.join(f'virsh -q dumpxml --inactive {name} >$MODVIRT_PEER/{name}.dump; echo {name}\n'
                                      for name in names))
        self.assertEqual(out.split(), list(names))
        for name in names:
            with open(f'{peer}/{name}.dump') as f:
                self.assertEqual(self.tree(f.read()), self.tree(dumps[name]))

    def test_undefine_removes_what_was_written(self):
        self.sandbox.start()
        self.use(self.sandbox)
        name = unique('gone')
        virsh('define', self.xml_file(domain_xml(name)))
        virsh('autostart', name)
        virsh('undefine', name)
        self.assertEqual([p for p, _, files in os.walk(self.sandbox.dir) for f in files if name in f], [])


if __name__ == '__main__':
    unittest.main()
