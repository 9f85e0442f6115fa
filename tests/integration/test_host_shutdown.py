# SPDX-License-Identifier: LGPL-2.1-or-later
"""What becomes of guests when the host goes down, as a fake logind (fake_bus.py) tells it."""
import os
import shutil
import unittest

import libvirt

from fake_bus import Bus
from harness import ON_PEER, OwnSandbox, domain_xml, unique, wait_for


@unittest.skipIf(ON_PEER or os.geteuid() != 0 or not shutil.which('dbus-daemon'), 'needs root and dbus-daemon')
class HostShutdown(OwnSandbox):
    def start(self, conf, service=True):
        etc = os.path.join(self.sandbox.dir, 'etc', 'libvirt')
        os.makedirs(etc, exist_ok=True)
        with open(os.path.join(etc, 'qemu.conf'), 'w', encoding='utf-8') as f:
            f.write(conf)
        self.bus = Bus(self, self.sandbox.dir)
        self.sandbox.extra_env['DBUS_SYSTEM_BUS_ADDRESS'] = self.bus.address
        if service:
            self.logind, self.calls = self.bus.service('login1')
        self.sandbox.start()
        self.use(self.sandbox, 'virtqemud')
        self.conn = self.connect()

    def words(self):
        return [c[0] for c in self.calls()[1:]]

    def announce(self):
        self.logind.stdin.write('true\n')
        self.logind.stdin.flush()

    def guests(self):
        """A persistent guest and a transient one."""
        kept = self.conn.defineXML(domain_xml(unique('kept')))
        kept.create()
        return kept, self.conn.createXML(domain_xml(unique('passing')), 0)

    def test_saved_and_powered_off_while_the_host_waits(self):
        self.start('auto_shutdown_try_save = "persistent"\nauto_shutdown_poweroff = "all"\n')
        self.assertEqual(self.words(), [])            # nobody is held up while no guest runs
        kept, passing = self.guests()
        wait_for('the lock', lambda: self.words() == ['inhibit'])
        self.assertEqual((self.calls()[1][1], self.calls()[1][4]), ('shutdown', 'delay'))
        name = passing.name()
        self.announce()
        wait_for('the end of the guests', lambda: not self.conn.listDomainsID())
        wait_for('the host to go on', lambda: self.words() == ['inhibit', 'released'])
        self.assertEqual(kept.hasManagedSaveImage(), 1)
        self.assertEqual(kept.state()[1], libvirt.VIR_DOMAIN_SHUTOFF_SAVED)
        self.assertEqual(self.conn.lookupByName(kept.name()).autostart(), 0)
        self.assertLibvirtError(libvirt.VIR_ERR_NO_DOMAIN, self.conn.lookupByName, name)
        # The host comes back: what ran runs again, from where it was, this once.
        self.sandbox.stop_daemon('virtqemud')
        os.unlink(os.path.join(self.sandbox.run_dir, 'qemu', 'autostarted'))
        self.sandbox.start_daemon('virtqemud')
        self.conn = self.connect()
        again = self.conn.lookupByName(kept.name())
        wait_for('the guest to run again', again.isActive)
        self.assertEqual(again.state()[1], libvirt.VIR_DOMAIN_RUNNING_RESTORED)

    def test_asked_then_powered_off_and_not_restored(self):
        self.start('auto_shutdown_try_shutdown = "all"\nauto_shutdown_poweroff = "persistent"\nauto_shutdown_wait = 1\n'
                   'auto_shutdown_restore = 0\n')
        kept, passing = self.guests()                 # firmware alone does not listen to its power button
        wait_for('the lock', lambda: self.words() == ['inhibit'])
        self.announce()
        wait_for('the host to go on', lambda: self.words() == ['inhibit', 'released'])
        self.assertFalse(kept.isActive())
        self.assertTrue(passing.isActive())
        self.assertEqual(kept.state()[1], libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED)

    def test_lock_goes_with_the_last_guest(self):
        self.start('auto_shutdown_try_shutdown = "all"\n')
        kept, passing = self.guests()
        wait_for('the lock', lambda: self.words() == ['inhibit'])
        kept.destroy()
        passing.destroy()
        wait_for('its end', lambda: self.words() == ['inhibit', 'released'])

    def test_nothing_is_done_unless_configured(self):
        self.start('')
        kept, passing = self.guests()
        self.announce()
        self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_INVALID, kept.create)
        self.assertTrue(kept.isActive() and passing.isActive())
        self.assertEqual(self.words(), [])

    def test_without_logind(self):
        self.start('auto_shutdown_poweroff = "all"\n', service=False)
        kept, passing = self.guests()
        self.assertTrue(kept.isActive() and passing.isActive())

    def test_words_that_make_no_sense(self):
        self.start('')
        self.sandbox.stop_daemon('virtqemud')
        for line, reason in (('auto_shutdown_try_save = "transient"', 'managed save is for persistent guests only'),
                             ('auto_shutdown_poweroff = "some"', "auto_shutdown_poweroff: 'some' is none of"),
                             ('auto_shutdown_wait = -1', 'auto_shutdown_wait: -1 is no number')):
            with open(os.path.join(self.sandbox.dir, 'etc', 'libvirt', 'qemu.conf'), 'w', encoding='utf-8') as f:
                f.write(line + '\n')
            with self.assertRaises(Exception) as caught:
                self.sandbox.start_daemon('virtqemud')
            self.assertIn(reason, str(caught.exception))
            self.sandbox.daemons.pop('virtqemud')


if __name__ == '__main__':
    unittest.main()
