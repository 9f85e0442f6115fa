# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests are machines of systemd-machined where it is, and run all the same where it is not or does not behave.

The service is a fake (fake_bus.py) on a bus of the test's own.
"""
import glob
import os
import shutil
import signal
import unittest

from fake_bus import Bus
from harness import ON_PEER, OwnSandbox, domain_xml, emulators, unique


def groups_of(pid):
    with open(f'/proc/{pid}/cgroup', encoding='ascii') as f:
        return {line.split(':')[1]: line.rstrip('\n').split(':', 2)[2] for line in f}


@unittest.skipIf(ON_PEER or os.geteuid() != 0 or not shutil.which('dbus-daemon'), 'needs root and dbus-daemon')
class Machined(OwnSandbox):
    def start(self, mode=None):
        self.bus = Bus(self, self.sandbox.dir)
        self.sandbox.extra_env['DBUS_SYSTEM_BUS_ADDRESS'] = self.bus.address
        if mode is not None:
            self.service, self.calls = self.bus.service('machine1', mode)
        self.sandbox.start()
        self.use(self.sandbox, 'virtqemud')
        self.conn = self.connect()

    def tearDown(self):
        for path in [p for below in ('/*.scope', '') for p in glob.glob('/sys/fs/cgroup/*/machine*.slice' + below)]:
            try:
                os.rmdir(path)                        # made for this test when nothing is in it
            except OSError:
                pass
        super().tearDown()

    def create(self, name=None, extra=''):
        return self.conn.createXML(domain_xml(name or unique('machine'), extra=extra), 0)

    def log(self):
        with open(self.sandbox.log_path('virtqemud'), encoding='utf-8') as f:
            return f.read()

    def test_registered_and_terminated(self):
        self.start('')
        name = unique('a-b_c.d')
        dom = self.create(name, '<resource><partition>/machine/prod</partition></resource>')
        pid, = emulators(name)
        machine = f'qemu-{dom.ID()}-' + name.replace('_', '')
        self.assertEqual(self.calls()[1:], [['create', machine, dom.UUIDString().replace('-', ''), 'libvirt-qemu', 'vm', pid, '', [],
                                             {'Slice': 'machine-prod.slice', 'After': ['virtqemud.service'],
                                              'Before': ['virt-guest-shutdown.target']}]])
        scope = '/machine-prod.slice/machine-' + machine.replace('-', '\\x2d') + '.scope'
        groups = groups_of(pid)
        if groups.get('name=systemd', groups.get('')) != scope:
            self.skipTest('no tree of control groups that we may change')
        for controllers, path in groups.items():
            if 'memory' in controllers.split(','):
                self.assertEqual(path, scope)
        # A new daemon finds the group where it is.
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        self.sandbox.start_daemon('virtqemud')
        self.conn = self.connect()
        dom = self.conn.lookupByName(name)
        if 'memory' in ','.join(groups):
            dom.setMemoryParameters({'soft_limit': 300 << 10}, 1)
            self.assertEqual(dom.memoryParameters(1)['soft_limit'], 300 << 10)
        dom.destroy()
        self.assertEqual(self.calls()[2:], [['terminate', machine]])
        left = [d for d, _, _ in os.walk('/sys/fs/cgroup') if machine.replace('-', '\\x2d') in d and 'systemd' not in d]
        self.assertEqual(left, [])

    def test_refusal_is_logged(self):
        self.start('refuses')
        dom = self.create()
        self.assertEqual(self.calls()[1][0], 'create')
        self.assertIn(f"'{dom.name()}' is not registered as a machine: not today", self.log())
        pid, = emulators(dom.name())
        self.assertNotIn('.scope', groups_of(pid).get('memory', ''))
        dom.destroy()
        self.assertEqual([c[0] for c in self.calls()], ['ready', 'create'])

    def test_silence_holds_up_one_start_only(self):
        self.start('silent')
        first, second = self.create(), self.create()
        self.assertEqual([c[0] for c in self.calls()], ['ready', 'create'])
        self.assertIn('is not registered as a machine', self.log())
        first.destroy(), second.destroy()

    def test_bus_that_is_stopped(self):
        self.start()
        os.kill(self.bus.daemon.pid, signal.SIGSTOP)
        dom = self.create()
        self.assertTrue(dom.isActive())
        self.assertIn('the system bus does not answer', self.log())
        os.kill(self.bus.daemon.pid, signal.SIGCONT)

    def test_bus_without_the_service(self):
        self.start()
        self.create().destroy()
        self.assertNotIn('machine', [line for line in self.log().splitlines() if 'warning' in line])


if __name__ == '__main__':
    unittest.main()
