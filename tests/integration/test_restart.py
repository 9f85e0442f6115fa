# SPDX-License-Identifier: LGPL-2.1-or-later
"""Daemons come and go; guests and what clients were told about them stay."""
import glob
import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest

import libvirt

from harness import OwnSandbox, domain_xml, emulators, has_ended, names, start_event_loop, unique, virsh, wait_for


class Restart(OwnSandbox):
    def restart(self, how=signal.SIGTERM):
        self.sandbox.stop_daemon('virtqemud', how)
        self.sandbox.start_daemon('virtqemud')

    def prepare(self):
        """Three guests: running, paused, off; and what is known about them."""
        self.sandbox.start()
        self.use(self.sandbox, 'virtqemud')
        c = self.connect()
        guests = {stem: c.defineXML(domain_xml(unique(stem))) for stem in ('running', 'paused', 'off')}
        guests['transient'] = c.createXML(domain_xml(unique('transient')))
        guests['running'].create()
        guests['paused'].create()
        guests['paused'].suspend()
        guests['off'].setAutostart(1)
        return {dom.name(): self.facts(dom) for dom in guests.values()}

    def facts(self, dom):
        return (dom.ID(), dom.UUIDString(), dom.state(), dom.isPersistent(), dom.autostart(), dom.XMLDesc(),
                emulators(dom.name()))

    def check(self, before):
        c = self.connect()
        self.assertEqual(sorted(d.name() for d in c.listAllDomains()), sorted(before))
        for name, facts in before.items():
            wait_for(f'{name} as it was', lambda: self.facts(c.lookupByName(name))[2][0] == facts[2][0])
            now = self.facts(c.lookupByName(name))
            self.assertEqual(now[:5] + now[6:], facts[:5] + facts[6:], name)
            self.assertEqual(now[5], facts[5], name)
        return c

    def test_guests_survive_a_restart(self):
        before = self.prepare()
        self.restart()
        # Autostart is for daemons that start with the host, not for every restart.
        c = self.check(before)
        for name in before:
            dom = c.lookupByName(name)
            if dom.isActive():
                dom.resume() if dom.state()[0] == libvirt.VIR_DOMAIN_PAUSED else dom.suspend()
                dom.destroy()
                wait_for('end of the emulator', lambda: not emulators(name))

    def test_guests_survive_kill_9(self):
        before = self.prepare()
        for _ in range(3):
            self.restart(signal.SIGKILL)
            self.check(before)

    def test_an_emulator_that_is_only_asked_ends_with_the_daemon(self):
        self.sandbox.start()
        told = os.path.join(self.directory, 'pid')
        emulator = os.path.join(self.directory, 'qemu-system-x86_64')
        with open(emulator, 'w', encoding='ascii') as f:
            f.write(f'#!/bin/sh\necho $$ >> {told}.new\nmv {told}.new {told}\nexec sleep 600\n')
        os.chmod(emulator, 0o755)
        with subprocess.Popen(['virsh', '-c', self.sandbox.uri('virtqemud'), 'domcapabilities', '--emulatorbin', emulator],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            wait_for('the question', lambda: os.path.exists(told))
            self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        with open(told, encoding='ascii') as f:
            pids = [int(line) for line in f]
        self.assertTrue(pids)
        wait_for('its end', lambda: all(map(has_ended, pids)))

    def test_guest_that_ended_while_the_daemon_was_away(self):
        before = self.prepare()
        running = [n for n in before if n.startswith('running')][0]
        transient = [n for n in before if n.startswith('transient')][0]
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        for pid in emulators(running) + emulators(transient):
            os.kill(pid, signal.SIGKILL)
        wait_for('emulators to end', lambda: not emulators(running) + emulators(transient))
        self.sandbox.start_daemon('virtqemud')
        c = self.connect()
        wait_for('the guest to be found off', lambda: not c.lookupByName(running).isActive())
        wait_for('the transient guest to be gone',
                 lambda: transient not in [d.name() for d in c.listAllDomains()])

    def test_state_that_changed_while_the_daemon_was_away(self):
        before = self.prepare()
        running = [n for n in before if n.startswith('running')][0]
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        # With the daemon away its monitor socket is free; state must be asked, not believed.
        self.tell_emulator(running, 'stop')
        self.sandbox.start_daemon('virtqemud')
        c = self.connect()
        wait_for('the guest to be found paused',
                 lambda: c.lookupByName(running).state()[0] == libvirt.VIR_DOMAIN_PAUSED)
        c.lookupByName(running).resume()

    def tell_emulator(self, name, command):
        """One QMP command over the guest's own monitor socket."""
        directory, = glob.glob(f'{self.sandbox.dir}/var/lib/libvirt/qemu/domain-*-{name[:20]}*')
        here = os.open('.', os.O_PATH)
        os.chdir(directory)                    # the whole path may be too long for a socket address
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(120)
                s.connect('monitor.sock')
                replies = s.makefile()
                replies.readline()
                for execute in ('qmp_capabilities', command):
                    s.sendall(json.dumps({'execute': execute}).encode())
                    while 'return' not in json.loads(replies.readline()):
                        pass
        finally:
            os.fchdir(here)
            os.close(here)

    def test_autostart_at_the_first_start(self):
        before = self.prepare()
        off = [n for n in before if n.startswith('off')][0]
        # A host that boots has an empty run directory.
        self.sandbox.stop()
        subprocess.run(['rm', '-rf', self.sandbox.dir + '/run'], check=True)
        self.sandbox.start()
        c = self.connect()
        wait_for('the guest to be started', lambda: c.lookupByName(off).isActive())
        running = [n for n in before if n.startswith('running')][0]
        self.assertFalse(c.lookupByName(running).isActive())

    def test_clients_of_the_proxy_come_back(self):
        self.sandbox.start()
        virsh('list', connect=self.sandbox.uri())
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        status, _, err = virsh('list', check=False, connect=self.sandbox.uri())
        self.assertEqual(status, 1)
        self.assertIn('virtqemud', err)
        self.sandbox.start_daemon('virtqemud')
        virsh('list', connect=self.sandbox.uri())

    def test_a_running_client_is_told_that_its_daemon_died(self):
        self.sandbox.start()
        for address in (self.sandbox.uri(), self.sandbox.uri('virtqemud')):
            c = self.connect(address)
            c.getHostname()
            self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
            started = time.monotonic()
            with self.assertRaises(libvirt.libvirtError):
                c.listAllDomains()
            self.assertLess(time.monotonic() - started, 60)
            self.sandbox.start_daemon('virtqemud')

    def test_a_secondary_daemon_comes_back_to_clients_of_guests(self):
        self.sandbox.start()
        start_event_loop()
        for address in (self.sandbox.uri(), self.sandbox.uri('virtqemud')):
            c = self.connect(address)
            self.assertEqual(c.listAllStoragePools(), [])
            watching, ended = self.connect(address), threading.Event()
            watching.registerCloseCallback(lambda conn, reason, opaque: ended.set(), None)
            watching.storagePoolEventRegisterAny(None, libvirt.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE, lambda *a: None, None)
            self.sandbox.stop_daemon('virtstoraged', signal.SIGKILL)
            self.assertTrue(ended.wait(120), 'who waits for events of pools would wait for ever')
            with self.assertRaises(libvirt.libvirtError) as caught:
                c.listAllStoragePools()
            # Its end may be seen only now.
            self.assertIn(caught.exception.get_error_code(), (libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_RPC))
            self.assertIn('virtstoraged', str(caught.exception))
            self.assertEqual(c.listAllDomains(), [])
            self.sandbox.start_daemon('virtstoraged')
            self.assertEqual(c.listAllStoragePools(), [])

    def test_proxy_restart_does_not_touch_guests(self):
        before = self.prepare()
        self.sandbox.stop_daemon('virtproxyd', signal.SIGKILL)
        self.sandbox.start_daemon('virtproxyd')
        self.use(self.sandbox)
        self.check(before)

    def test_stale_sockets_do_not_prevent_a_start(self):
        self.sandbox.start()
        for name in list(self.sandbox.daemons):
            self.sandbox.stop_daemon(name, signal.SIGKILL)
        self.sandbox.start()
        virsh('list')

    def test_a_second_daemon_on_the_same_root_is_refused(self):
        self.sandbox.start()
        daemon = os.path.join(self.sandbox.build, 'daemons', 'virtqemud')
        done = subprocess.run([daemon, '--root', self.sandbox.dir], env=self.sandbox.daemon_env(), timeout=120,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertTrue(done.stderr)
        virsh('list', connect=self.sandbox.uri('virtqemud'))


class Configuration(OwnSandbox):
    def test_identity_of_the_host(self):
        uuid = '6e6f7420-616e-4f74-8865-7220686f7374'
        etc = os.path.join(self.sandbox.dir, 'etc', 'libvirt')
        os.makedirs(etc, exist_ok=True)
        with open(os.path.join(etc, 'virtqemud.conf'), 'w', encoding='utf-8') as f:
            f.write(f'# of a newer version\nkey_from_afar = [ "a" ]\nhost_uuid = "{uuid}"\n')
        self.sandbox.start()
        conn = libvirt.open(self.sandbox.uri('virtqemud'))
        self.assertIn(f'<uuid>{uuid}</uuid>', conn.getCapabilities())
        conn.close()
        self.assertIn("virtqemud.conf:2: unknown key 'key_from_afar'", self.sandbox.log_tail('virtqemud', 50))


class Autodestroy(OwnSandbox):
    def test_guest_ends_when_its_client_left_while_the_daemon_was_away(self):
        self.sandbox.start()
        self.use(self.sandbox, 'virtqemud')
        name = unique('auto')
        owner = libvirt.open(self.sandbox.uri('virtqemud'))
        owner.createXML(domain_xml(name), libvirt.VIR_DOMAIN_START_AUTODESTROY)
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        self.sandbox.start_daemon('virtqemud')
        # Its connection is gone, so nothing holds the guest any more.
        wait_for('the guest to end', lambda: not emulators(name))
        wait_for('the guest to be forgotten', lambda: name not in names(virsh('list', '--all', '--name')))


class Autostart(OwnSandbox):
    def test_with_the_host_always_and_once(self):
        self.sandbox.start()
        self.use(self.sandbox, 'virtqemud')
        always, once, never = (unique(stem) for stem in ('always', 'once', 'never'))
        c = self.connect()
        for name in (always, once, never):
            c.defineXML(domain_xml(name))
        virsh('autostart', always)
        etc = os.path.join(self.sandbox.dir, 'etc', 'libvirt', 'qemu')
        link = os.path.join(etc, 'autostart', f'{once}.xml.once')

        def boot():
            """As after a start of the host: the run directory is empty."""
            self.sandbox.stop_daemon('virtqemud')
            for name in (always, once, never):
                for pid in emulators(name):
                    os.kill(pid, signal.SIGKILL)
            for path in glob.glob(os.path.join(self.sandbox.dir, 'run', 'libvirt', 'qemu', '*')):
                os.unlink(path)
            self.sandbox.start_daemon('virtqemud')
            self.use(self.sandbox, 'virtqemud')

        self.sandbox.stop_daemon('virtqemud')
        os.symlink(os.path.join(etc, f'{once}.xml'), link)
        self.sandbox.start_daemon('virtqemud')
        self.assertEqual(names(virsh('list', '--name')), [])     # the host did not start
        boot()
        wait_for('both', lambda: set(names(virsh('list', '--name'))) == {always, once})
        wait_for('the end of the once', lambda: not os.path.lexists(link))
        boot()
        wait_for('the other', lambda: names(virsh('list', '--name')) == [always])
        virsh('destroy', always)


if __name__ == '__main__':
    unittest.main()
