# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests of network listeners share: a sandbox whose proxy listens, on ports that are free."""
import errno
import itertools
import os
import shutil
import socket
import struct
import subprocess
import threading
import time

from harness import OwnSandbox, wait_for

PROXY = 'virtproxyd'


# Below those that the system takes for connections by itself.
_ports = itertools.count(10000 + os.getpid() * 7 % 10000)


def free_port():
    """Of all addresses: what a test did from another one of this host may still hold a port there for a minute. Never the
    same twice, and none that a connection gets between the choice and its use."""
    both = socket.has_dualstack_ipv6()
    while True:
        try:
            with socket.create_server(('', next(_ports)), family=socket.AF_INET6 if both else socket.AF_INET, dualstack_ipv6=both) as s:
                return s.getsockname()[1]
        except OSError as e:
            if e.errno != errno.EADDRINUSE:
                raise


class Recorder:
    """Stands before a port of this host and writes down, as a capture would, all that passes by TCP.

    A capture of the system's loses packets when the machine is busy, and needs rights.
    """
    SEGMENT = 32768

    def __init__(self, port, path):
        self.to, self.lock = port, threading.Lock()
        self.file = open(path, 'wb')
        self.file.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))   # packets are bare IP
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.threads, self.sockets = [], [self.listener]
        self.run(self.accept)

    def run(self, target, *args):
        self.threads.append(threading.Thread(target=target, args=args, daemon=True))
        self.threads[-1].start()

    def accept(self):
        while True:
            try:
                near, peer = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(('127.0.0.1', self.to))
            self.sockets += [near, far]
            # [next sequence number] of each direction, so that each can acknowledge the other.
            up, down = [1000], [2000]
            with self.lock:
                self.packet(peer[1], self.to, up, down, 0x02)
                self.packet(self.to, peer[1], down, up, 0x12)
                self.packet(peer[1], self.to, up, down, 0x10)
            self.run(self.pump, near, far, peer[1], self.to, up, down)
            self.run(self.pump, far, near, self.to, peer[1], down, up)

    def packet(self, source, target, seq, ack, flags, data=b''):
        """Lock held. Sums are 0: nobody looks at them."""
        tcp = struct.pack('>HHIIBBHHH', source, target, seq[0], ack[0] if flags & 0x10 else 0, 0x50, flags, 65535, 0, 0)
        head = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 40 + len(data), 0, 0x4000, 64, 6, 0, b'\x7f\0\0\1', b'\x7f\0\0\1')
        now = time.time()
        size = len(head) + len(tcp) + len(data)
        self.file.write(struct.pack('<IIII', int(now), int(now % 1 * 1e6), size, size) + head + tcp + data)
        seq[0] += len(data) + (1 if flags & 0x03 else 0)

    def pump(self, source, target, source_port, target_port, seq, ack):
        try:
            while True:
                data = source.recv(self.SEGMENT)
                with self.lock:
                    self.packet(source_port, target_port, seq, ack, 0x18 if data else 0x11, data)
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(data)
        except OSError:
            pass

    def close(self):
        """When all connections have ended."""
        self.listener.shutdown(socket.SHUT_RDWR)
        for t in self.threads:
            t.join(120)
        for s in self.sockets:
            s.close()
        self.file.close()


class NetworkTest(OwnSandbox):
    """configure() writes the proxy's file, start() starts it and the daemon behind it."""
    def setUp(self):
        super().setUp()
        self.tcp, self.tls = free_port(), free_port()
        self.etc = os.path.join(self.sandbox.dir, 'etc')
        self.conf = os.path.join(self.etc, 'libvirt', PROXY + '.conf')
        for path in (os.path.dirname(self.conf), self.sandbox.run_dir, self.sandbox.log_dir,
                     os.path.join(self.sandbox.dir, 'modules')):
            os.makedirs(path, exist_ok=True)

    def configure(self, **values):
        values = {'tcp_port': str(self.tcp), 'tls_port': str(self.tls), **values}
        with open(self.conf, 'w') as f:
            for key, value in values.items():
                if isinstance(value, str):
                    value = f'"{value}"'
                elif isinstance(value, list):
                    value = '[' + ', '.join(f'"{v}"' for v in value) + ']'
                f.write(f'{key} = {int(value) if isinstance(value, bool) else value}\n')

    def start(self, *args):
        self.sandbox.link_modules()
        self.sandbox.start_daemon('virtqemud', wait=False)
        self.sandbox.start_daemon(PROXY, wait=False, args=('--listen', '-v', *args))
        for name in ('virtqemud', PROXY):
            self.sandbox.wait_ready(name)

    def log(self):
        return self.sandbox.log_tail(PROXY, 1000)

    def wait_log(self, text):
        wait_for(f'{text!r} in the log', lambda: text in self.log())

    def virsh(self, uri, *command, env=None):
        return subprocess.run(['virsh', '-c', uri, *(command or ('version', '--daemon'))], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=120, env={**os.environ, **(env or {})})

    def assertServed(self, uri, **how):
        r = self.virsh(uri, **how)
        self.assertEqual(r.returncode, 0, f'{uri}: {r.stderr}{self.log()}')
        return r

    def assertRefused(self, uri, *words, **how):
        """The client's message has one of the words."""
        r = self.virsh(uri, **how)
        self.assertNotEqual(r.returncode, 0, uri)
        self.assertTrue(any(w in r.stderr for w in words), f'{r.stderr!r} has none of {words}')
        return r.stderr

    def assertLocalServed(self):
        self.assertServed(self.sandbox.uri())

    def virt_admin(self, *command):
        return subprocess.run(['virt-admin', '-c', 'virtproxyd:///system?socket=' + self.sandbox.socket(PROXY, 'admin'),
                               *command], capture_output=True, text=True, timeout=120)

    def install(self, source, *path):
        path = os.path.join(self.etc, *path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copy(source, path)
        return path
