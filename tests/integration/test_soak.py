# SPDX-License-Identifier: LGPL-2.1-or-later
"""virtqemud is killed at random moments while clients start and stop guests: nothing is lost, nothing doubled.

MODVIRT_TEST_SEED repeats a run as far as threads can be repeated.
"""
import os
import random
import re
import signal
import threading
import time
import unittest

import libvirt

from harness import SEED, SLOW, OwnSandbox, domain_xml, wait_for

GUESTS, KILLS, CLIENTS = 50, 20, 4


def running_guests(directory):
    """Name of each guest -> number of its emulators, for the emulators below directory."""
    found = {}
    for entry in os.listdir('/proc'):
        if not entry.isdigit():
            continue
        try:
            with open(f'/proc/{entry}/cmdline') as f:
                argv = f.read().split('\0')
        except (OSError, UnicodeDecodeError):
            continue
        if 'qemu-system' in argv[0] and any(directory in arg for arg in argv):
            for arg in argv:
                if m := re.match(r'guest=([^,]+)', arg):
                    found[m.group(1)] = found.get(m.group(1), 0) + 1
    return found


class Soak(OwnSandbox):
    def setUp(self):
        super().setUp()
        self.seed = SEED
        print(f'(seed {self.seed})', end=' ', flush=True)
        self.stop_clients = threading.Event()
        self.may_run = threading.Event()
        self.busy = [False] * CLIENTS
        self.surprises = []
        self.done = [0] * CLIENTS

    def client(self, index):
        """Starts and stops guests until told to end; a connection that breaks is opened again."""
        rng = random.Random(self.seed + index)
        conn = None
        # What may happen when the daemon dies under a call, or another client was faster.
        expected = {libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_RPC, libvirt.VIR_ERR_INTERNAL_ERROR,
                    libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_OPERATION_ABORTED,
                    libvirt.VIR_ERR_INVALID_CONN, libvirt.VIR_ERR_OPERATION_FAILED}
        while not self.stop_clients.is_set():
            if not self.may_run.wait(0.1):
                continue
            self.busy[index] = True
            try:
                if not self.may_run.is_set():
                    continue
                if conn is None or not conn.isAlive():
                    conn = libvirt.open(self.sandbox.uri('virtqemud'))
                dom = conn.lookupByName(rng.choice(self.names))
                choice = rng.random()
                if not dom.isActive():
                    dom.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED if choice < 0.2 else 0)
                elif choice < 0.3:
                    dom.destroy()
                elif choice < 0.6:
                    dom.suspend()
                    dom.resume()
                self.done[index] += 1
            except libvirt.libvirtError as e:
                if e.get_error_code() not in expected:
                    self.surprises.append(f'{e.get_error_code()}: {e}')
                if not self.sandbox_answers():
                    conn = None
                    time.sleep(0.05)
            finally:
                self.busy[index] = False

    def sandbox_answers(self):
        import sandbox_lib
        return sandbox_lib.answers(self.sandbox.socket('virtqemud'))

    def pause_clients(self):
        self.may_run.clear()
        wait_for('clients to pause', lambda: not any(self.busy))

    def check(self):
        """With clients at rest: each guest once, and in its true state."""
        conn = libvirt.open(self.sandbox.uri('virtqemud'))

        def differences():
            domains = conn.listAllDomains()
            listed = sorted(d.name() for d in domains)
            if listed != sorted(self.names):
                return [f'listed {listed}']
            emulators = running_guests(self.sandbox.dir)
            wrong = [f'{name} has {count} emulators' for name, count in emulators.items() if count > 1]
            for dom in domains:
                if bool(dom.isActive()) != (dom.name() in emulators):
                    wrong.append(f'{dom.name()}: state {dom.state()}, emulators {emulators.get(dom.name(), 0)}')
            wrong += [f'emulator of unknown {name}' for name in emulators if name not in self.names]
            ids = [d.ID() for d in domains if d.ID() != -1]
            if len(ids) != len(set(ids)):
                wrong.append(f'ids are not unique: {ids}')
            return wrong

        last = ['never checked']
        deadline = time.monotonic() + 120 * SLOW
        while last and time.monotonic() < deadline:
            last = differences()
            time.sleep(0.1)
        self.assertEqual(last, [], f'seed {self.seed}')

        # The state that is told is the one that the emulator has.
        told = {libvirt.VIR_DOMAIN_RUNNING: 'running', libvirt.VIR_DOMAIN_PAUSED: 'paused'}
        import libvirt_qemu
        import json
        for dom in conn.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
            status = json.loads(libvirt_qemu.qemuMonitorCommand(dom, '{"execute":"query-status"}', 0))
            seen = 'running' if status['return']['running'] else 'paused'
            self.assertEqual(told.get(dom.state()[0]), seen, f'{dom.name()} {status}')
        conn.close()

    def test_kill_9_at_random_moments(self):
        rng = random.Random(self.seed)
        self.sandbox.start()
        conn = libvirt.open(self.sandbox.uri('virtqemud'))
        self.names = [f'soak{i}' for i in range(GUESTS)]
        for name in self.names:
            dom = conn.defineXML(domain_xml(name))
            dom.create()
        self.assertEqual(len(running_guests(self.sandbox.dir)), GUESTS)
        conn.close()

        clients = [threading.Thread(target=self.client, args=(i,), daemon=True) for i in range(CLIENTS)]
        for t in clients:
            t.start()
        try:
            for kill in range(KILLS):
                self.may_run.set()
                time.sleep(rng.uniform(0.1, 2.0))
                self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
                if rng.random() < 0.5:
                    time.sleep(rng.uniform(0, 0.3))
                self.sandbox.start_daemon('virtqemud')
                time.sleep(rng.uniform(0, 0.5))
                self.pause_clients()
                self.check()
        finally:
            self.stop_clients.set()
            for t in clients:
                t.join(120)
        self.assertEqual(self.surprises, [])
        self.assertGreater(min(self.done), 0, 'a client got nothing done')

        conn = libvirt.open(self.sandbox.uri('virtqemud'))
        for dom in conn.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
            dom.destroy()
        conn.close()
        wait_for('emulators to end', lambda: not running_guests(self.sandbox.dir))


if __name__ == '__main__':
    unittest.main()
