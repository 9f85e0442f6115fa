# SPDX-License-Identifier: LGPL-2.1-or-later
"""Malformed frames on every socket of every daemon, TCP and TLS: an error reply or a closed connection, nothing else.

MODVIRT_TEST_FRAMES frames per socket (10 000 when not set). MODVIRT_TEST_SEED chooses others.
"""
import array
import contextlib
import errno
import os
import random
import resource
import socket
import ssl
import struct
import time
import unittest

import pki
from harness import PATIENCE, SEED, OwnSandbox, wait_for
from network import PROXY, NetworkTest
from test_tls import shared_pki

FULL = bool(os.environ.get('MODVIRT_TEST_FULL'))
FRAMES = int(os.environ.get('MODVIRT_TEST_FRAMES') or 10000)
REMOTE, QEMU, LXC, ADMIN, KEEPALIVE = 0x20008086, 0x20008087, 0x20008088, 0x06900690, 0x6b656570
LOCK = 0x20007014
CALL, REPLY, EVENT, STREAM, CALL_FDS, REPLY_FDS, HOLE = range(7)
# Well-formed by accident these would do what they say: put the host to sleep, end the daemon.
NOT_SENT = {(REMOTE, 250), (ADMIN, 20)}
ODD = (0, 1, 2, 0x7f, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 16384, 4194304)


def frame(prog, vers, proc, kind, serial, status, payload=b'', length=None):
    return struct.pack('>IIIiiIi', 28 + len(payload) if length is None else length, prog, vers, proc, kind, serial,
                       status) + payload


def xdr_string(data, length=None):
    return struct.pack('>I', len(data) if length is None else length) + data + b'\0' * (-len(data) % 4)


class Frames:
    """An endless source of bad frames; each is (bytes, end) where end asks to close afterwards."""
    def __init__(self, seed, program):
        self.rng = random.Random(seed)
        self.program = program
        self.kinds = [self.noise, self.bad_length, self.truncated, self.any_header, self.any_payload, self.counts,
                      self.fds, self.stream, self.mutated, self.auth]

    def next(self):
        return self.rng.choice(self.kinds)()

    def word(self):
        r = self.rng
        return r.choice(ODD) if r.random() < 0.5 else r.getrandbits(32)

    def proc(self):
        while True:
            p = self.rng.randrange(0, 470)
            if (self.program, p) not in NOT_SENT:
                return p

    def noise(self):
        return self.rng.randbytes(self.rng.randrange(1, 300)), True

    def bad_length(self):
        length = self.rng.choice([0, 1, 3, 4, 23, 24, 27, 33554433 + 3, 33554436 + 1, 65536 * 2, 0x7fffffff, 0x80000000,
                                  0xffffffff])
        return frame(self.program, 1, 66, CALL, 1, 0, self.rng.randbytes(self.rng.randrange(64)), length), True

    def truncated(self):
        whole = frame(self.program, 1, self.proc(), CALL, 7, 0, self.rng.randbytes(400))
        return whole[:self.rng.randrange(1, len(whole))], True

    def any_header(self):
        r = self.rng
        prog = r.choice([self.program, REMOTE, QEMU, LXC, ADMIN, KEEPALIVE, LOCK, self.word()])
        return frame(prog, r.choice([1, 1, 1, self.word()]), struct.unpack('>i', struct.pack('>I', self.word()))[0],
                     r.choice([0, 1, 2, 3, 4, 5, 6, 7, -1, 0x7fffffff]), self.word(),
                     r.choice([0, 1, 2, 3, -1, -0x80000000]), r.randbytes(4 * r.randrange(20))), r.random() < 0.2

    def any_payload(self):
        r = self.rng
        return frame(self.program, 1, self.proc(), CALL, r.getrandbits(31), 0,
                     r.randbytes(r.randrange(200))), False

    def counts(self):
        """Words that look like counts and lengths, at every place where one could stand."""
        r = self.rng
        words = b''.join(struct.pack('>I', self.word()) for _ in range(r.randrange(1, 12)))
        lead = r.choice([b'', xdr_string(b'name'), xdr_string(b'name') + bytes(16), bytes(4), b'\0\0\0\1',
                         xdr_string(b'x', 0xffffffff), xdr_string(b'abc', 4194305), bytes(16)])
        return frame(self.program, 1, self.proc(), CALL, r.getrandbits(31), 0, lead + words), False

    def fds(self):
        r = self.rng
        count = struct.pack('>I', r.choice([0, 1, 2, 32, 33, 255, 256, 0x7fffffff, 0xffffffff]))
        body = r.choice([b'', count, count + r.randbytes(4 * r.randrange(10)), count[:2]])
        return frame(self.program, 1, self.proc(), r.choice([CALL_FDS, REPLY_FDS]), 9, 0, body), r.random() < 0.5

    def stream(self):
        r = self.rng
        return frame(self.program, 1, self.proc(), r.choice([STREAM, HOLE]), r.getrandbits(4), r.choice([0, 1, 2, 3]),
                     r.randbytes(r.choice([0, 4, 8, 12, 100, 60000]))), r.random() < 0.2

    def auth(self):
        r = self.rng
        return frame(self.program, 1, r.choice([66, 67, 68, 69, 70, 1, 2, 60]), CALL, r.getrandbits(31), 0,
                     r.choice([b'', bytes(8), xdr_string(b'qemu:///system'), r.randbytes(20),
                               b'\0\0\0\1' + xdr_string(b'\xff\xfe' * 50) + bytes(4)])), False

    def mutated(self):
        r = self.rng
        good = bytearray(frame(self.program, 1, r.choice([1, 6, 7, 9, 10, 11, 22, 23, 24, 60, 66, 273, 350]), CALL, 3, 0,
                               xdr_string(b'guest') + bytes(20)))
        if (self.program, struct.unpack_from('>i', good, 12)[0]) in NOT_SENT:
            return self.noise()
        for _ in range(r.randrange(1, 5)):
            at = r.choice([i for i in range(len(good)) if not 12 <= i < 16])
            good[at] = r.getrandbits(8)
        return bytes(good), r.random() < 0.3


def fd_count(pid):
    return len(os.listdir(f'/proc/{pid}/fd'))


def rss_mib(pid):
    with open(f'/proc/{pid}/statm') as f:
        return int(f.read().split()[1]) * resource.getpagesize() >> 20


class Sender:
    def setUp(self):
        super().setUp()
        self.seed = SEED
        print(f'(seed {self.seed})', end=' ', flush=True)

    def alive(self, daemon, pid):
        import sandbox_lib
        child = self.sandbox.daemons[daemon]
        self.assertIsNone(child.poll(), f'{daemon} ended; seed {self.seed}\n{self.sandbox.log_tail(daemon, 60)}')
        self.assertEqual(child.pid, pid)
        wait_for(f'{daemon} to answer', lambda: sandbox_lib.answers(self.sandbox.socket(daemon)))

    def connect_bare(self, path):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(PATIENCE)
        s.connect(path)
        return s

    def connect_raw(self, path, opened):
        s = self.connect_bare(path)
        if opened:
            # Authentication list and open, so that what follows is looked at in earnest.
            program = ADMIN if 'admin' in str(path) else REMOTE
            calls = [(1, bytes(4))] if program == ADMIN else [(66, b''), (1, struct.pack('>I', 1) +
                                                                          xdr_string(b'qemu:///system') + bytes(4))]
            for proc, payload in calls:
                s.sendall(frame(program, 1, proc, CALL, 1, 0, payload))
                length = struct.unpack('>I', self.exactly(s, 4))[0]
                self.exactly(s, length - 4)
        return s

    def exactly(self, s, count):
        data = b''
        while len(data) < count:
            chunk = s.recv(count - len(data))
            if not chunk:
                raise AssertionError(f'closed after {len(data)} of {count} bytes of a reply')
            data += chunk
        return data

    def drain(self, s):
        """Takes what has come back; True when the daemon closed the connection."""
        try:
            while True:
                data = s.recv(65536)
                if not data:
                    return True
                self.answered += len(data)
        except BlockingIOError:
            return False
        except TimeoutError:
            return False
        except OSError:
            return True

    def bombard(self, path, program, count):
        frames = Frames(self.seed, program)
        self.answered = 0
        rng = random.Random(self.seed + 1)
        sent, s = 0, None
        while sent < count:
            if s is None:
                s = self.connect_raw(path, rng.random() < 0.7)
                s.setblocking(False)
            data, end = frames.next()
            sent += 1
            try:
                # A daemon that pauses a client does not read: that is fine, go on with another connection.
                n = s.send(data)
                if n < len(data):
                    end = True
                if rng.random() < 0.02 and s.family == socket.AF_UNIX:
                    s.sendmsg([b'\0'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0] * rng.randrange(1, 5)))])
            except (BlockingIOError, ConnectionError):
                end = True
            closed = self.drain(s)
            if end or closed or rng.random() < 0.02:
                if rng.random() < 0.8 and not closed:
                    # Mostly see it through: a peer that only stops sending is heard to the end.
                    try:
                        s.shutdown(socket.SHUT_WR)
                        s.settimeout(120)
                        self.assertTrue(self.drain(s), 'neither answered nor closed')
                    except OSError as e:       # by TCP a refusal can be here already: then nothing is connected
                        if not isinstance(e, ConnectionError) and e.errno != errno.ENOTCONN:
                            raise
                s.close()
                s = None
        if s:
            s.close()

    def bombarded(self, daemon, name, path, program, count=FRAMES):
        pid = self.sandbox.daemons[daemon].pid
        self.alive(daemon, pid)
        fds = fd_count(pid)
        started = time.monotonic()
        self.bombard(path, program, count)
        self.alive(daemon, pid)
        wait_for(f'{daemon} to close its connections', lambda: fd_count(pid) <= fds + 4)
        print(f'{name}: {count / (time.monotonic() - started):.0f} frames/s, {self.answered} bytes answered, '
              f'{rss_mib(pid)} MiB;', end=' ', flush=True)
        self.assertGreater(self.answered, count / 100 * 28)


class Hostile(Sender, OwnSandbox):
    def setUp(self):
        super().setUp()
        self.sandbox.start()

    def sockets(self):
        for daemon in self.sandbox.daemons:
            for kind, program in (('', REMOTE), ('ro', REMOTE), ('admin', ADMIN)):
                path = self.sandbox.socket(daemon, kind)
                if os.path.exists(path):
                    yield daemon, path, program

    def test_malformed_frames(self):
        for daemon, path, program in list(self.sockets()):
            with self.subTest(socket=os.path.basename(path)):
                self.bombarded(daemon, os.path.basename(path), path, program)

    def test_announced_but_never_sent(self):
        """Large frames that are announced and not sent cost no memory, and nobody else waits for them."""
        for daemon, path, program in list(self.sockets()):
            if 'admin' in path:
                continue                       # takes five clients only
            with self.subTest(socket=os.path.basename(path)):
                pid = self.sandbox.daemons[daemon].pid
                with contextlib.ExitStack() as held:
                    sessions = [held.enter_context(self.connect_raw(path, True)) for _ in range(40)]
                    before = rss_mib(pid)
                    for s in sessions:
                        s.sendall(frame(program, 1, 60, CALL, 1, 0, b'x' * 10, 32 << 20))
                    self.alive(daemon, pid)
                    self.assertLess(rss_mib(pid) - before, 32)

    def test_one_byte_at_a_time(self):
        for daemon, path, program in list(self.sockets()):
            with self.subTest(socket=os.path.basename(path)):
                with self.connect_raw(path, False) as s:
                    for byte in frame(program, 1, 66, CALL, 1, 0):
                        s.sendall(bytes([byte]))
                        time.sleep(0.002)
                    self.assertGreaterEqual(struct.unpack('>I', self.exactly(s, 4))[0], 28)

    def test_unknown_things_get_an_error_and_keep_the_connection(self):
        for daemon, path, program in list(self.sockets()):
            for what, bad in (('program', frame(0x12345678, 1, 1, CALL, 5, 0)),
                              ('version', frame(program, 99, 1, CALL, 5, 0)),
                              ('procedure', frame(program, 1, 60000, CALL, 5, 0))):
                with self.subTest(socket=os.path.basename(path), what=what), self.connect_raw(path, True) as s:
                    for _ in range(2):
                        s.sendall(bad)
                        length, _, _, _, kind, serial, status = struct.unpack('>IIIiiIi', self.exactly(s, 28))
                        payload = self.exactly(s, length - 28)
                        self.assertEqual((kind, serial, status), (REPLY, 5, 1))
                        # Code 39: a fault of the call itself (RPC).
                        self.assertEqual(struct.unpack_from('>i', payload)[0], 39)


class TlsSocket(ssl.SSLSocket):
    """With the exceptions of other sockets."""
    def plainly(self, fn, *args):
        try:
            return fn(*args)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as e:
            raise BlockingIOError from e
        except (ssl.SSLError, OSError) as e:
            raise e if isinstance(e, TimeoutError) else ConnectionResetError from e

    def recv(self, *args):
        return self.plainly(super().recv, *args)

    def send(self, *args):
        return self.plainly(super().send, *args)

    def shutdown(self, how):
        return self.plainly(super().shutdown, how)


class HostileNetwork(Sender, NetworkTest):
    """The same from the network: by TCP, and by TLS with a certificate that is let in."""
    def connect_bare(self, path):
        port = path
        s = socket.create_connection(('127.0.0.1', port), PATIENCE)
        if port == self.tcp:
            return s
        if self.noise.random() < 0.1:          # no TLS at all, or what looks like it for a moment
            with contextlib.suppress(OSError):
                s.sendall(self.noise.choice([b'', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc']) + self.noise.randbytes(200))
            s.close()
            s = socket.create_connection(('127.0.0.1', port), PATIENCE)
        s = self.context.wrap_socket(s, server_hostname='localhost')
        if self.exactly(s, 1) != b'\1':
            raise AssertionError('the certificate is not let in')
        return s

    def test_malformed_frames(self):
        if not pki.available():
            self.skipTest('certtool is not installed')
        p = shared_pki()
        self.install(p.path('ca.pem'), 'pki', 'CA', 'cacert.pem')
        self.install(p.path('server.pem'), 'pki', 'libvirt', 'servercert.pem')
        self.install(p.path('server.key'), 'pki', 'libvirt', 'private', 'serverkey.pem')
        self.context = ssl.create_default_context(cafile=p.path('ca.pem'))
        self.context.load_cert_chain(p.path('client.pem'), p.path('client.key'))
        self.context.sslsocket_class = TlsSocket
        self.noise = random.Random(self.seed + 2)
        self.configure(listen_tcp=True, auth_tcp='none', listen_tls=True)
        self.start()
        # A handshake costs a hundred frames: a tenth of them in the gate.
        for name, port, count in (('tcp', self.tcp, FRAMES), ('tls', self.tls, FRAMES if FULL else FRAMES // 10)):
            with self.subTest(socket=name):
                self.bombarded(PROXY, name, port, REMOTE, count)


if __name__ == '__main__':
    unittest.main()
