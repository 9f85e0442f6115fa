# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an administrator's hooks hear of a guest's life, and what they may refuse."""
import os
import signal
import unittest

import libvirt

from harness import OwnSandbox, domain_xml, emulators, unique, wait_for

SCRIPT = """#!/bin/sh
echo "%s $*" >>{log}
cat >{log}.$2.xml
if [ -e {log}.fail-$2 ]; then echo words of the hook >&2; exit 3; fi
"""


class Hooks(OwnSandbox):
    def setUp(self):
        super().setUp()
        self.log = os.path.join(self.directory, 'hook.log')
        self.hooks = os.path.join(self.directory, 'etc', 'libvirt', 'hooks')
        self.install('qemu', 'main')
        self.sandbox.start()
        self.use(self.sandbox)
        self.conn = self.connect()
        self.name = unique('hook')

    def install(self, path, word):
        path = os.path.join(self.hooks, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as f:
            f.write(SCRIPT.format(log=self.log) % word)
        os.chmod(path, 0o755)

    def heard(self):
        """The operations since the last call."""
        if not os.path.exists(self.log):
            return []
        with open(self.log) as f:
            lines = f.read().splitlines()
        os.unlink(self.log)
        return lines

    def expect(self, *operations):
        self.assertEqual(self.heard(), [f'main {self.name} {op} -' for op in operations])

    def test_a_guests_life(self):
        d = self.conn.defineXML(domain_xml(self.name))
        self.expect()
        d.create()
        self.expect('prepare begin', 'start begin', 'started begin')
        with open(self.log + '.started.xml') as f:
            xml = f.read()
        self.assertIn(f'<name>{self.name}</name>', xml)
        self.assertRegex(xml, r"<domain type='qemu' id='\d+'")

        # A hook that comes later works at once; those in the directory run after the main one.
        self.install('qemu.d/20-second', 'second')
        self.install('qemu.d/10-first', 'first')
        self.install('qemu.d/30-not', 'not')
        os.chmod(os.path.join(self.hooks, 'qemu.d', '30-not'), 0o644)
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        self.sandbox.start_daemon('virtqemud')
        self.conn = self.connect()
        d = self.conn.lookupByName(self.name)
        self.assertTrue(d.isActive())
        d.suspend()                            # waits its turn behind the reconnection
        self.assertEqual(self.heard(), [f'{w} {self.name} reconnect begin -' for w in ('main', 'first', 'second')])
        d.destroy()
        self.assertEqual([l.split()[:3:2] for l in self.heard()],
                         [[w, op] for op in ('stopped', 'release') for w in ('main', 'first', 'second')])
        with open(self.log + '.stopped.xml') as f:
            self.assertTrue(f.read().startswith("<domain type='qemu'>"))   # it has no id any more

    def test_saved_and_restored(self):
        d = self.conn.defineXML(domain_xml(self.name))
        d.create()
        image = os.path.join(self.directory, 'image')
        d.save(image)
        self.heard()
        open(self.log + '.fail-restore', 'w').close()
        self.assertLibvirtError(libvirt.VIR_ERR_HOOK_SCRIPT_FAILED, self.conn.restore, image)
        self.expect('restore begin')
        os.unlink(self.log + '.fail-restore')
        self.conn.restore(image)
        self.expect('restore begin', 'prepare begin', 'start begin', 'started begin')
        d.managedSave()
        self.expect('stopped end', 'release end')
        # It may change the document; the last of the scripts has the last word.
        path = os.path.join(self.hooks, 'qemu.d', 'change')
        os.makedirs(os.path.dirname(path))
        with open(path, 'w') as f:
            f.write('#!/bin/sh\n[ "$2" != restore ] || sed "s,<on_poweroff>.*,<on_poweroff>restart</on_poweroff>,"\n')
        os.chmod(path, 0o755)
        d.create()
        self.assertIn('<on_poweroff>restart<', d.XMLDesc())
        self.assertEqual(d.state(), [libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_RESTORED])
        d.destroy()
        self.assertIn('<on_poweroff>destroy<', d.XMLDesc())

    def test_an_objection_to_a_guest_that_runs_ends_it(self):
        d = self.conn.defineXML(domain_xml(self.name))
        d.create()
        open(self.log + '.fail-reconnect', 'w').close()
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        self.sandbox.start_daemon('virtqemud')
        d = self.connect().lookupByName(self.name)
        wait_for('its end', lambda: not d.isActive())
        self.assertEqual(d.state(), [libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_DAEMON])
        self.assertEqual(emulators(self.name), [])

    def test_refusal(self):
        d = self.conn.defineXML(domain_xml(self.name))
        heard = {'prepare': ['prepare begin'], 'start': ['prepare begin', 'start begin'],
                 'started': ['prepare begin', 'start begin', 'started begin']}
        for op, before in heard.items():
            with self.subTest(op):
                open(f'{self.log}.fail-{op}', 'w').close()
                e = self.assertLibvirtError(libvirt.VIR_ERR_HOOK_SCRIPT_FAILED, d.create)
                self.assertIn('words of the hook', str(e))
                os.unlink(f'{self.log}.fail-{op}')
                self.assertFalse(d.isActive())
                self.assertEqual(emulators(self.name), [])
                self.expect(*before, 'stopped end', 'release end')
        # An end cannot be refused.
        d.create()
        for op in ('stopped', 'release'):
            open(f'{self.log}.fail-{op}', 'w').close()
        d.destroy()
        self.assertFalse(d.isActive())


if __name__ == '__main__':
    unittest.main()
