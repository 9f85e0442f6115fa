# SPDX-License-Identifier: LGPL-2.1-or-later
"""An emulator that no longer answers costs nobody but those who need its monitor."""
import concurrent.futures
import os
import re
import signal
import subprocess
import threading
import time
import unittest

import libvirt
import libvirt_qemu

from harness import ON_PEER, SLOW, OwnSandbox, domain_xml, emulators, run, start_event_loop, unique, virsh, wait_for

AT_ONCE = 10.0 * SLOW                        # a question to a monitor that is hung takes 25
DEADLINE = 120.0 * SLOW                      # of a call that waited for its turn behind one that got no answer: 50


def setUpModule():
    start_event_loop()                         # for keepalive


class Asked(OwnSandbox):
    def calls(self, procedure):
        """How many are under way."""
        tool = os.path.join(self.sandbox.build, 'tools', 'modvirt', 'modvirt')
        return run([tool, 'calls', 'virtqemud'], env={'MODVIRT_ROOT': self.sandbox.dir})[1].count(procedure)


class Hung(Asked):
    def setUp(self):
        super().setUp()
        self.sandbox.start()
        self.use(self.sandbox)
        c = self.connect()
        self.hung = c.createXML(domain_xml(unique('hung')))
        self.fine = c.createXML(domain_xml(unique('fine')))
        for pid in emulators(self.hung.name()):
            os.kill(pid, signal.SIGSTOP)

    def at_once(self, *command):
        started = time.monotonic()
        out = virsh(*command)
        self.assertLess(time.monotonic() - started, AT_ONCE, command)
        return out

    def test_many_who_ask_it_hold_up_nobody(self):
        conns = [self.connect() for _ in range(12)]
        guests = [c.lookupByName(self.hung.name()) for c in conns]
        with concurrent.futures.ThreadPoolExecutor(48) as pool:
            asked = [pool.submit(libvirt_qemu.qemuMonitorCommand, g, 'info version', libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP)
                     for g in guests * 4]
            try:
                wait_for('the calls', lambda: self.calls('monitor_command') > 30)
                self.at_once('cpu-models', 'x86_64')
                self.at_once('qemu-monitor-command', self.fine.name(), '--hmp', 'info version')
            finally:
                for pid in emulators(self.hung.name()):
                    os.kill(pid, signal.SIGCONT)
            for one in asked:
                self.assertTrue(one.exception(timeout=120) or one.result())

    def test_looking_is_not_hindered_and_destroy_works(self):
        name = self.hung.name()
        for _ in range(2):
            self.assertIn(name, self.at_once('list'))
            self.assertIn(name, self.at_once('dumpxml', name))
            self.assertIn('running', self.at_once('dominfo', name))
            self.assertIn('running', self.at_once('dominfo', self.fine.name()))
            self.at_once('dumpxml', self.fine.name())

        # Six who need the monitor wait; more than that must not use up the daemon's workers.
        outcome = []

        def needs_monitor():
            c = libvirt.open(self.sandbox.uri())
            c.setKeepAlive(1, 4)               # a healthy daemon must not look dead meanwhile
            started = time.monotonic()
            try:
                c.lookupByName(name).suspend()
                outcome.append(('done', time.monotonic() - started, ''))
            except libvirt.libvirtError as e:
                outcome.append((e.get_error_code(), time.monotonic() - started, str(e)))
            c.close()

        waiting = [threading.Thread(target=needs_monitor) for _ in range(6)]
        for t in waiting:
            t.start()
        time.sleep(0.5)
        for _ in range(5):
            self.at_once('list', '--all')
            self.at_once('dumpxml', name)
            self.assertEqual(self.at_once('domstats').count('state.state=1'), 2)
            self.assertIn('cpu.time', self.at_once('domstats', self.fine.name()))
            self.at_once('suspend', self.fine.name())
            self.at_once('resume', self.fine.name())
        for t in waiting:
            t.join(DEADLINE)
            self.assertFalse(t.is_alive(), 'a call outlived its deadline')
        self.assertEqual(len(outcome), len(waiting))
        for code, seconds, text in outcome:
            self.assertGreater(seconds, 1, text)
            self.assertIn(code, (libvirt.VIR_ERR_OPERATION_TIMEOUT, libvirt.VIR_ERR_OPERATION_FAILED,
                                 libvirt.VIR_ERR_AGENT_UNRESPONSIVE), text)
            self.assertRegex(text, r'(?i)monitor|deadline|respond|answer|tim(e|ed) ?out')

        self.at_once('destroy', name)
        wait_for('end of the emulator', lambda: not emulators(name))
        self.assertIn('running', self.at_once('dominfo', self.fine.name()))

    def tool(self, *args):
        """Output of modvirt."""
        env = {'MODVIRT_ROOT': self.sandbox.dir, 'MODVIRT_MODULE_DIR': os.path.join(self.sandbox.build, 'drivers', 'qemu')}
        return run([os.path.join(self.sandbox.build, 'tools', 'modvirt', 'modvirt'), *args], env=env)[1]

    def silent_seconds(self, name):
        line = re.search(rf'^modvirt_domain_monitor_silent_seconds{{domain="{name}"}} (\S+)$', self.tool('metrics'), re.M)
        return float(line[1])

    def test_it_is_told_and_nobody_else_waits(self):
        c, name, fine = self.connect(), self.hung.name(), self.fine
        errors = []

        def suspend():
            try:
                libvirt.open(self.sandbox.uri()).lookupByName(name).suspend()
            except libvirt.libvirtError as e:
                errors.append(e)

        waiting = threading.Thread(target=suspend)
        waiting.start()
        wait_for('a question to the emulator', lambda: 'occupied' in virsh('domcontrol', name))
        # All of this is answered while that call waits; of the stopped guest, too, as far as it is known.
        self.assertEqual({d.name() for d in c.listAllDomains()}, {name, fine.name()})
        self.assertIn(f'<name>{name}</name>', c.lookupByName(name).XMLDesc(0))
        self.assertEqual(c.lookupByName(name).state()[0], libvirt.VIR_DOMAIN_RUNNING)
        self.assertGreater(c.lookupByName(name).info()[4], 0)
        stats = {d.name(): s for d, s in c.getAllDomainStats()}
        self.assertEqual({n: s['state.state'] for n, s in stats.items()}, {name: 1, fine.name(): 1})
        self.assertTrue(all('cpu.time' in s for s in stats.values()))
        self.assertEqual(self.silent_seconds(fine.name()), 0)
        xml = self.xml_file(domain_xml(name, uuid=self.hung.UUIDString()))
        self.assertIn('the guest becomes persistent', self.tool('plan', xml))
        self.assertIn(fine.name(), self.tool('events'))
        fine.suspend()
        fine.resume()
        other = c.createXML(domain_xml(unique('other')))
        other.destroy()
        self.assertTrue(waiting.is_alive(), 'somebody waited for the stopped guest')

        waiting.join(DEADLINE)
        self.assertEqual([e.get_error_code() for e in errors], [libvirt.VIR_ERR_OPERATION_TIMEOUT])
        self.assertIn("monitor does not answer: no reply to command 'stop'", str(errors[0]))
        self.assertRegex(virsh('domcontrol', name), r'^occupied \(\d')
        self.assertGreater(self.silent_seconds(name), 0)
        self.assertEqual(self.silent_seconds(fine.name()), 0)
        self.assertEqual(virsh('domcontrol', fine.name()).strip(), 'ok')
        c.lookupByName(name).destroy()
        self.assertEqual([d.name() for d in c.listAllDomains()], [fine.name()])
        wait_for('end of the emulator', lambda: not emulators(name))

    def test_destroy_while_a_call_waits(self):
        name = self.hung.name()
        failed = []

        def suspend():
            try:
                libvirt.open(self.sandbox.uri()).lookupByName(name).suspend()
            except libvirt.libvirtError as e:
                failed.append(str(e))

        waiting = threading.Thread(target=suspend)
        waiting.start()
        time.sleep(0.5)
        self.at_once('destroy', name)
        waiting.join(AT_ONCE)
        self.assertFalse(waiting.is_alive(), 'the call still waits for a guest that is gone')
        self.assertEqual(len(failed), 1)

    def test_guest_that_goes_on_is_as_before(self):
        name = self.hung.name()
        waiting = subprocess.Popen(['virsh', '-c', self.sandbox.uri(), 'suspend', name], stdout=subprocess.DEVNULL)
        time.sleep(1)
        for pid in emulators(name):
            os.kill(pid, signal.SIGCONT)
        self.assertEqual(waiting.wait(DEADLINE), 0)
        self.assertEqual(virsh('domstate', name).strip(), 'paused')
        virsh('resume', name)

    def test_daemon_restarts_beside_a_hung_guest(self):
        name = self.hung.name()
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        self.sandbox.start_daemon('virtqemud')
        self.use(self.sandbox, 'virtqemud')
        self.assertIn(name, self.at_once('list', '--all'))
        self.assertIn('running', self.at_once('dominfo', self.fine.name()))
        self.at_once('destroy', name)
        wait_for('end of the emulator', lambda: not emulators(name))


@unittest.skipIf(ON_PEER, 'about our daemons')
class Emulator(Asked):
    """One that says nothing when it is asked what it can do."""
    def setUp(self):
        super().setUp()
        self.hold, tools = (os.path.join(self.directory, n) for n in ('hold', 'tools'))
        os.mkdir(tools)
        with open(self.hold, 'wb'):
            pass
        for arch in ('x86_64', 'aarch64'):
            path = os.path.join(tools, 'qemu-system-' + arch)
            with open(path, 'w', encoding='utf-8') as f:
                f.write(f"#!/bin/sh\nwhile [ -e '{self.hold}' ]; do sleep 0.05; done\nexit 1\n")
            os.chmod(path, 0o755)
        self.sandbox.extra_env = {'PATH': tools + ':' + os.environ['PATH']}
        self.sandbox.start()

    def test_it_holds_up_only_those_who_ask(self):
        conns = [self.connect() for _ in range(12)]
        with concurrent.futures.ThreadPoolExecutor(48) as pool:
            asked = [pool.submit(c.getCapabilities) for c in conns * 4]
            try:
                wait_for('the calls', lambda: self.calls('get_capabilities') > 30)
                virsh('cpu-models', 'x86_64', timeout=AT_ONCE)
                virsh('domstats', timeout=AT_ONCE)
            finally:
                os.unlink(self.hold)
            for one in asked:
                one.result(timeout=120)


if __name__ == '__main__':
    unittest.main()
