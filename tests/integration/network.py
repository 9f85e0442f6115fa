# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests of network listeners share: a sandbox whose proxy listens, on ports that are free."""
import os
import shutil
import socket
import subprocess
import time

from harness import OwnSandbox

PROXY = 'virtproxyd'


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


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

    def wait_log(self, text, seconds=10):
        deadline = time.monotonic() + seconds
        while text not in self.log():
            self.assertLess(time.monotonic(), deadline, f'{text!r} does not come: {self.log()}')
            time.sleep(0.05)

    def virsh(self, uri, *command, env=None):
        return subprocess.run(['virsh', '-c', uri, *(command or ('version', '--daemon'))], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60, env={**os.environ, **(env or {})})

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
                               *command], capture_output=True, text=True, timeout=30)

    def install(self, source, *path):
        path = os.path.join(self.etc, *path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copy(source, path)
        return path
