# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs beside the emulator: TPM, file server, network. What a guest sees of them, and how they end."""
import os
import shutil
import signal
import subprocess
import unittest

import libvirt

from harness import domain_xml, emulators, unique, virsh, wait_for
from test_agent import CHANNEL, Guest

SHARED = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"


def processes(word):
    """Pids whose command line has the word."""
    found = []
    for entry in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{entry}/cmdline', 'rb') as f:
                line = f.read()
            with open(f'/proc/{entry}/stat') as f:
                zombie = f.read().rsplit(')', 1)[1].split()[0] == 'Z'
        except OSError:
            continue
        if word.encode() in line and not zombie and int(entry) != os.getpid():
            found.append(int(entry))
    return found


class Helpers(Guest):
    def setUp(self):
        super().setUp()
        os.chmod(self.directory, 0o755)        # helpers have users of their own
        self.share = os.path.join(self.directory, 'share, with a comma')
        os.mkdir(self.share)

    def restart_daemon(self):
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        self.sandbox.start_daemon('virtqemud')
        self.conn = self.connect()

    def virtiofs(self, source=None):
        return (f"<filesystem type='mount' accessmode='passthrough'><driver type='virtiofs'/>"
                f"<source dir='{source or self.share}'/><target dir='tag'/></filesystem>")

    def helpers_of(self, name):
        """Pids as the status has them, by device."""
        path = os.path.join(self.sandbox.run_dir, 'qemu', name + '.xml')
        import xml.etree.ElementTree as ET
        return {h.get('device'): int(h.get('pid')) for h in ET.parse(path).iter('helper')}

    @unittest.skipUnless(shutil.which('swtpm') and shutil.which('swtpm_setup'), 'needs swtpm')
    def test_tpm(self):
        tpm = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>"
        name = unique('tpm')
        d = self.conn.defineXML(domain_xml(name, boots='full', devices=CHANNEL + tpm))
        state = os.path.join(self.directory, 'var/lib/libvirt/swtpm', d.UUIDString(), 'tpm2', 'tpm2-00.permall')
        d.create()
        self.assertTrue(os.path.exists(state))
        pids = self.helpers_of(name)
        self.assertEqual(len(pids), 1)
        wait_for('the agent', lambda: self.channel_state(d) == 'connected')
        self.assertEqual(self.run_inside(d, '/bin/cat', '/sys/class/tpm/tpm0/tpm_version_major')[1].strip(), '2')

        # A restart of the daemon changes nothing; the end of the guest ends the helper.
        self.restart_daemon()
        d = self.conn.lookupByName(name)
        d.suspend()
        d.resume()
        self.assertEqual(self.helpers_of(name), pids)
        d.destroy()
        pid = list(pids.values())[0]
        wait_for('end of the TPM', lambda: pid not in processes('swtpm'))
        with open(state, 'rb') as f:
            before = f.read()

        # The state is the guest's: another start finds it, and it goes with the definition unless it is to stay.
        d.create()
        d.destroy()
        with open(state, 'rb') as f:
            self.assertEqual(len(f.read()), len(before))
        virsh('undefine', name, '--keep-tpm')
        self.assertTrue(os.path.exists(state))
        d = self.conn.defineXML(domain_xml(name, uuid=os.path.basename(
            os.path.dirname(os.path.dirname(state))), devices=tpm))
        self.assertLibvirtError(libvirt.VIR_ERR_INVALID_ARG, d.undefineFlags,
                                libvirt.VIR_DOMAIN_UNDEFINE_TPM | libvirt.VIR_DOMAIN_UNDEFINE_KEEP_TPM)
        virsh('undefine', name, '--tpm')
        self.assertFalse(os.path.exists(os.path.dirname(os.path.dirname(state))))

    @unittest.skipUnless(os.path.exists('/usr/lib/qemu/virtiofsd'), 'needs virtiofsd')
    def test_files(self):
        with open(os.path.join(self.share, 'from-host'), 'w') as f:
            f.write('words')
        d = self.boot(self.virtiofs(), extra=SHARED)
        name = d.name()
        self.assertEqual(self.run_inside(d, '/bin/mkdir', '/mnt')[0], 0)
        self.assertEqual(self.run_inside(d, '/bin/mount', '-t', 'virtiofs', 'tag', '/mnt')[0], 0)
        self.assertEqual(self.run_inside(d, '/bin/cat', '/mnt/from-host')[1], 'words')
        self.assertEqual(self.run_inside(d, '/bin/cp', '/mnt/from-host', '/mnt/from-guest')[0], 0)
        with open(os.path.join(self.share, 'from-guest')) as f:
            self.assertEqual(f.read(), 'words')

        # Killed, it is missed: the guest's own log says so.
        pid = self.helpers_of(name)['fs0']
        os.kill(pid, signal.SIGKILL)
        log = os.path.join(self.sandbox.log_dir, 'qemu', name + '.log')

        def log_text():
            with open(log) as f:
                return f.read()

        wait_for('word of the loss', lambda: "helper 'virtiofsd' of fs0 has ended" in log_text())
        self.assertTrue(d.isActive())
        d.destroy()
        wait_for('the end of all that serve it', lambda: not processes(self.share))

    def test_what_cannot_start_leaves_nothing(self):
        missing = os.path.join(self.directory, 'missing')
        name = unique('no')
        d = self.conn.defineXML(domain_xml(name, extra=SHARED, devices=self.virtiofs(missing)))
        e = self.assertLibvirtError(libvirt.VIR_ERR_CONFIG_UNSUPPORTED, d.create)
        self.assertIn(missing, str(e))
        program = os.path.join(self.directory, 'virtiofsd-broken')
        with open(program, 'w') as f:
            f.write('#!/bin/sh\necho words of the helper >&2\nexit 1\n')
        os.chmod(program, 0o755)
        d = self.conn.defineXML(domain_xml(name, uuid=d.UUIDString(), extra=SHARED, devices=self.virtiofs().replace(
            "<source", f"<binary path='{program}'/><source")))
        e = self.assertLibvirtError(libvirt.VIR_ERR_INTERNAL_ERROR, d.create)
        self.assertIn('words of the helper', str(e))
        os.unlink(program)
        e = self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_UNSUPPORTED, d.create)
        self.assertIn(program, str(e))
        self.assertEqual(emulators(name), [])
        self.assertEqual(os.listdir(os.path.join(self.sandbox.run_dir, 'qemu')).count(name + '.xml'), 0)

    @unittest.skipUnless(shutil.which('passt'), 'needs passt')
    def test_network(self):
        routes = subprocess.run(['ip', 'route', 'show', 'default'], stdout=subprocess.PIPE, text=True).stdout
        if not routes:
            self.skipTest('passt needs a default route')
        log = os.path.join(self.directory, 'passt.log')
        d = self.boot(f"<interface type='user'><backend type='passt' logFile='{log}'/><model type='virtio'/></interface>")
        pid = self.helpers_of(d.name())['net0']
        self.assertTrue(os.path.exists(log))
        self.run_inside(d, '/bin/ifconfig', 'eth0', 'up')
        status, out = self.run_inside(d, '/bin/udhcpc', '-i', 'eth0', '-n', '-q', '-f', '-t', '60', '-T', '1', '-s', '/bin/true')
        self.assertEqual(status, 0, out)
        d.destroy()
        wait_for('end of passt', lambda: pid not in processes('passt'))


if __name__ == '__main__':
    unittest.main()
