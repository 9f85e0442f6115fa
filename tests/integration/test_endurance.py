# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mixed clients for a long time: memory and descriptors of the daemons stay where they were.

Clients connect, call, list, define, subscribe, stream and die, directly, through the proxy and by TCP,
some with stock bindings and some that leave in the middle of a frame. Every now and then all of them
pause, and what the daemons hold is written down.

MODVIRT_TEST_SOAK_SECONDS says how long: 40 when not set, 1200 with --full.
"""
import gc
import glob
import os
import random
import re
import socket
import struct
import threading
import time
import unittest

import libvirt

from harness import domain_xml, start_event_loop, wait_for
from network import PROXY, NetworkTest
from test_hostile import REMOTE, frame, xdr_string

FULL = bool(os.environ.get('MODVIRT_TEST_FULL'))
SECONDS = int(os.environ.get('MODVIRT_TEST_SOAK_SECONDS') or (1200 if FULL else 40))
ROUNDS = 12                                    # of work and rest; the first two are for warming up
DAEMONS = ('virtqemud', PROXY)
OPEN = struct.pack('>I', 1) + xdr_string(b'qemu:///system') + bytes(4)


def figures(pid):
    """(private memory in KiB, descriptors, threads)"""
    with open(f'/proc/{pid}/smaps_rollup', encoding='ascii') as f:
        private = sum(int(n) for n in re.findall(r'^Private_\w+:\s+(\d+) kB', f.read(), re.M))
    return private, len(os.listdir(f'/proc/{pid}/fd')), len(os.listdir(f'/proc/{pid}/task'))


def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ''


class Endurance(NetworkTest):
    def setUp(self):
        super().setUp()
        self.stop, self.go = threading.Event(), threading.Event()
        self.done, self.busy, self.surprises = {}, {}, []
        # What was freed must not count as held.
        self.sandbox.extra_env['ASAN_OPTIONS'] = ('abort_on_error=0:detect_leaks=1:quarantine_size_mb=1:'
                                                  'thread_local_quarantine_size_kb=64:malloc_context_size=5')
        start_event_loop()

    def uris(self):
        return [self.sandbox.uri(), self.sandbox.uri('virtqemud'), f'qemu+tcp://127.0.0.1:{self.tcp}/system']

    # Clients: each is called again and again; what it opened it has closed when it returns. -------

    def caller(self, rng):
        c = libvirt.open(rng.choice(self.uris()))
        for _ in range(rng.randrange(1, 20)):
            rng.choice([c.getHostname, c.getCapabilities, c.listAllDomains, c.getInfo, c.getLibVersion])()
        try:
            c.lookupByName('there is none')
        except libvirt.libvirtError as e:
            if e.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                raise
        c.close()

    def onlooker(self, rng):
        c = libvirt.openReadOnly(rng.choice(self.uris()[:2]) + '-ro')
        c.listAllDomains()
        d = c.lookupByName('stays')
        d.XMLDesc()
        try:
            d.destroy()
            raise AssertionError('a read-only connection destroyed a guest')
        except libvirt.libvirtError:
            pass
        c.close()

    def definer(self, rng):
        c = libvirt.open(rng.choice(self.uris()))
        for i in range(rng.randrange(1, 5)):
            d = c.defineXML(domain_xml(f'comes-{threading.get_ident()}-{i}'))
            d.setAutostart(True)
            d.undefine()
        c.close()

    def subscriber(self, rng):
        seen = []
        c = libvirt.open(rng.choice(self.uris()))
        ids = [c.domainEventRegisterAny(None, kind, lambda *a: seen.append(1), None)
               for kind in (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE)]
        time.sleep(rng.uniform(0, 0.5))
        for number in ids:                     # while one is there the binding does not let go of the connection
            c.domainEventDeregisterAny(number)
        c.close()

    def streamer(self, rng):
        c = libvirt.open(rng.choice(self.uris()))
        stream = c.newStream(libvirt.VIR_STREAM_NONBLOCK)
        c.lookupByName('stays').openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
        try:
            for _ in range(rng.randrange(20)):
                stream.send(b'echo some words\n' * 8)
                stream.recv(4096)
                time.sleep(0.01)
            rng.choice([stream.abort, stream.finish])()
        except libvirt.libvirtError:           # another one took the console over
            try:
                stream.abort()
            except libvirt.libvirtError:
                pass
        del stream
        c.close()

    def mortal(self, rng):
        """Goes away without a word: at rest, in the middle of a frame, with replies under way, with a console."""
        if rng.random() < 0.3:
            s = socket.create_connection(('127.0.0.1', self.tcp), timeout=120)
        else:
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(120)
            s.connect(self.sandbox.socket(rng.choice(DAEMONS)))
        with s:
            s.sendall(frame(REMOTE, 1, 66, 0, 1, 0) + frame(REMOTE, 1, 1, 0, 2, 0, OPEN))
            got = b''
            while len(got) < 36 + 28:
                more = s.recv(4096)
                if not more:
                    raise AssertionError('the daemon closed the connection')
                got += more
            kind = rng.randrange(5)
            if kind == 1:
                s.sendall(frame(REMOTE, 1, 7, 0, 3, 0)[:rng.randrange(1, 28)])
            elif kind == 2:
                for serial in range(3, 3 + rng.randrange(1, 100)):
                    s.sendall(frame(REMOTE, 1, 7, 0, serial, 0))
            elif kind == 3:
                s.sendall(frame(REMOTE, 1, 316, 0, 3, 0, struct.pack('>i', 0) + bytes(4)))
            if rng.random() < 0.5 and s.family == socket.AF_INET:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))

    def guests_life(self, rng):
        c = libvirt.open(rng.choice(self.uris()))
        d = c.createXML(domain_xml(f'short-{threading.get_ident()}'), libvirt.VIR_DOMAIN_START_PAUSED)
        d.resume()
        d.suspend()
        d.destroy()
        c.close()
        time.sleep(rng.uniform(1, 2))

    # -------------------------------------------------------------------------------------------------

    def work(self, index, kind):
        rng = random.Random(index)
        while not self.stop.is_set():
            if not self.go.wait(0.2):
                continue
            self.busy[index] = True
            try:
                if self.go.is_set():
                    kind(rng)
                    self.done[kind.__name__] = self.done.get(kind.__name__, 0) + 1
            except Exception as e:             # told at the end, with all others
                self.surprises.append(f'{kind.__name__}: {e!r}')
            finally:
                self.busy[index] = False
            time.sleep(rng.uniform(0, 0.1))

    def rest(self):
        self.go.clear()
        wait_for('clients to pause', lambda: not any(self.busy.values()))
        pids = {name: self.sandbox.daemons[name].pid for name in DAEMONS}
        # Workers leave when they are idle; connections have been closed, and their ends are seen soon.
        gc.collect()
        row, last = None, None
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            row = {name: figures(pid) for name, pid in pids.items()}
            # The bindings do not let go of a connection whose stream was ended by the daemon.
            row['ours'] = len([f for f in glob.glob('/proc/self/fd/*') if 'socket:' in link(f)])
            if row == last:
                break
            last = row
            time.sleep(0.5)
        return row

    def test_flat(self):
        self.configure(listen_tcp=True, auth_tcp='none')
        self.start()
        keeper = libvirt.open(self.sandbox.uri('virtqemud'))
        guest = keeper.createXML(domain_xml('stays', boots=True))
        self.addCleanup(keeper.close)
        kinds = [self.caller, self.caller, self.onlooker, self.definer, self.subscriber, self.subscriber, self.streamer,
                 self.streamer, self.mortal, self.mortal, self.guests_life]
        threads = [threading.Thread(target=self.work, args=(i, k), daemon=True) for i, k in enumerate(kinds)]
        for t in threads:
            t.start()
        table, began = [], time.monotonic()
        try:
            for i in range(ROUNDS):
                self.go.set()
                time.sleep(max(0, began + SECONDS * (i + 1) / ROUNDS - time.monotonic()))
                table.append(self.rest())
                if FULL:
                    print(f'{time.monotonic() - began:5.0f} s', table[-1], flush=True)
        finally:
            self.stop.set()
            for t in threads:
                t.join(120)
        self.assertEqual(self.surprises, [])
        self.assertEqual(len(self.done), len(set(kinds)), self.done)
        guest.destroy()
        with open(f'/proc/{self.sandbox.daemons[PROXY].pid}/maps', encoding='ascii') as f:
            sanitized = 'libasan' in f.read()
        for name in DAEMONS:
            rows = [row[name] for row in table]
            print(f'{name}: KiB {[r[0] for r in rows]}, descriptors {[r[1] for r in rows]};', end=' ')
            warm, late = table[2:6], table[-4:]
            # The least of some: memory that waits for its next use is no leak. Of a connection that is still
            # there, two descriptors and little memory are right.
            kept = min(row['ours'] for row in late) - min(row['ours'] for row in warm)
            grown = min(row[name][0] for row in late) - min(row[name][0] for row in warm)
            # A sanitizer's allocator keeps what each thread freed, and on a busy machine the threads warm up late;
            # what is lost for good it tells when the daemon ends.
            self.assertLess(grown, (16384 if sanitized else 512) + 16 * max(0, kept), f'{name} grows: {table}')
            grown = min(row[name][1] for row in late) - min(row[name][1] for row in warm)
            self.assertLessEqual(grown, 1 + 2 * max(0, kept), f'{name} keeps descriptors: {table}')
        print('our connections', [row['ours'] for row in table], end=' ')
        print(self.done, end=' ')


if __name__ == '__main__':
    unittest.main()
