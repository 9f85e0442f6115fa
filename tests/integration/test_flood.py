# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients that are slow, silent, deaf, or full of descriptors, on every kind of socket of every daemon.

10 000 of them per socket (10 000 of each sort with --full), in crowds: others are served meanwhile, and
afterwards the daemon holds what it held before.
"""
import array
import contextlib
import os
import socket
import struct
import time
import unittest

import pki
from harness import SLOW, run, wait_for
from network import PROXY, NetworkTest
from test_hostile import ADMIN, CALL, REMOTE, fd_count, frame, rss_mib

FULL = bool(os.environ.get('MODVIRT_TEST_FULL'))
EACH = 10000 if FULL else 2500
CROWD = 40
DAEMON_USER = 1


@unittest.skipUnless(os.geteuid() == 0, 'needs root')
class Flood(NetworkTest):
    def setUp(self):
        super().setUp()
        # What was freed must not count as held.
        self.sandbox.extra_env['ASAN_OPTIONS'] = ('abort_on_error=0:detect_leaks=1:quarantine_size_mb=1:'
                                                  'thread_local_quarantine_size_kb=64:malloc_context_size=5')
        how = {'auth_unix_rw': 'none', 'unix_sock_rw_perms': '0777'}
        if pki.available():
            p = pki.Pki(os.path.join(self.sandbox.dir, 'pki'))
            cert, key = p.server()
            self.install(p.path('ca.pem'), 'pki', 'CA', 'cacert.pem')
            self.install(cert, 'pki', 'libvirt', 'servercert.pem')
            self.install(key, 'pki', 'libvirt', 'private', 'serverkey.pem')
        self.configure(listen_tcp=True, auth_tcp='none', listen_tls=pki.available(), **how)
        with open(os.path.join(os.path.dirname(self.conf), 'virtqemud.conf'), 'w', encoding='ascii') as f:
            f.write(''.join(f'{k} = "{v}"\n' for k, v in how.items()))
        self.start()
        for path in (self.sandbox.dir, os.path.join(self.sandbox.dir, 'run'), self.sandbox.run_dir):
            os.chmod(path, 0o755)

    def sockets(self):
        """(daemon, name, address, program; the metrics socket has none)"""
        for daemon in ('virtqemud', PROXY):
            for kind, program in (('', REMOTE), ('ro', REMOTE), ('admin', ADMIN)):
                yield daemon, kind or 'rw', self.sandbox.socket(daemon, kind), program
            yield daemon, 'metrics', os.path.join(self.sandbox.run_dir, f'{daemon}-metrics-sock'), None
        yield PROXY, 'tcp', ('127.0.0.1', self.tcp), REMOTE
        if pki.available():
            yield PROXY, 'tls', ('127.0.0.1', self.tls), None

    def dial(self, kind, address):
        s = socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX)
        if kind in ('rw', 'ro'):
            os.seteuid(DAEMON_USER)            # one who is not the owner
        try:
            while True:
                try:
                    s.settimeout(20 * SLOW)
                    s.connect(address)
                    break
                except BlockingIOError:        # the backlog is full
                    time.sleep(0.005)
        finally:
            os.seteuid(0)
        s.setblocking(False)
        return s

    # One sort of client each: what it does before it is closed.

    def slow(self, s, program, i):
        data = frame(program, 1, 66, CALL, 1, 0) if program else b'GET /metrics HTTP/1.0\r\n'
        cut = 1 + i % (len(data) - 2)
        s.send(data[:cut])
        s.send(data[cut:cut + 1])

    def silent(self, s, program, i):
        pass

    def deaf(self, s, program, i):
        if program:
            call = frame(program, 1, 66 if program == REMOTE else 1, CALL, 1, 0, b'' if program == REMOTE else bytes(4))
            data = call * (2000 if i % 50 == 0 else 30)
        else:
            data = b'GET /metrics HTTP/1.0\r\n\r\n'
        s.send(data)

    def laden(self, s, program, i):
        if s.family == socket.AF_UNIX:
            fds = array.array('i', [0] * (1 + i * 7 % 250))
            s.sendmsg([struct.pack('>I', 60)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
            s.sendmsg([b'\0'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])

    def crowd(self, sort, kind, address, program, n):
        with contextlib.ExitStack() as held:
            for i in range(n):
                s = held.enter_context(self.dial(kind, address))
                try:
                    sort(s, program, i)
                except (BlockingIOError, ConnectionError):
                    pass                       # paused, or closed already

    def served(self, daemon):
        import sandbox_lib
        wait_for(f'{daemon} to answer', lambda: sandbox_lib.answers(self.sandbox.socket(daemon), 5 * SLOW))

    def test_nothing_stays(self):
        sorts = (self.slow, self.silent, self.deaf, self.laden)
        for daemon, kind, address, program in self.sockets():
            with self.subTest(daemon=daemon, socket=kind):
                pid = self.sandbox.daemons[daemon].pid
                for sort in sorts:             # what is allocated once
                    self.crowd(sort, kind, address, program, CROWD)
                self.served(daemon)
                wait_for('quiet', lambda: fd_count(pid) < 40)
                fds, memory, began = fd_count(pid), rss_mib(pid), time.monotonic()
                for sort in sorts:
                    for i in range(EACH // CROWD):
                        self.crowd(sort, kind, address, program, CROWD)
                        if i % 20 == 0:
                            self.served(daemon)
                self.served(daemon)
                print(f'{daemon} {kind}: {4 * EACH / (time.monotonic() - began):.0f}/s', end=' ', flush=True)
                wait_for('connections to be closed', lambda: fd_count(pid) <= fds + 1)
                self.assertLess(rss_mib(pid), memory + 8)
                self.assertIsNone(self.sandbox.daemons[daemon].poll())

    def test_a_crowd_that_stays(self):
        """Root is served on both sockets while another user holds hundreds of silent connections to them."""
        for daemon in ('virtqemud', PROXY):
            for kind in ('rw', 'ro'):
                address = self.sandbox.socket(daemon, '' if kind == 'rw' else kind)
                with self.subTest(daemon=daemon, socket=kind), contextlib.ExitStack() as held:
                    for _ in range(100):
                        held.enter_context(self.dial(kind, address))
                    run(['virsh', '-c', self.sandbox.uri(daemon, kind == 'ro'), 'list'], timeout=20 * SLOW)


if __name__ == '__main__':
    unittest.main()
