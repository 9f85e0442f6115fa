# SPDX-License-Identifier: LGPL-2.1-or-later
"""Listeners of the network: who may listen, passed sockets, clients that mean harm, ssh."""
import os
import pwd
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import pki
from harness import wait_for
from network import PROXY, NetworkTest, free_port

AUTH_LIST = struct.pack('>IIIiiIi', 28, 0x20008086, 1, 66, 0, 1, 0)
FULL = bool(os.environ.get('MODVIRT_TEST_FULL'))


class Listening(NetworkTest):
    def uri(self, host='127.0.0.1'):
        return f'qemu+tcp://{host}:{self.tcp}/system'

    def test_both_families(self):
        self.configure(listen_tcp=True, auth_tcp='none')
        self.start()
        self.assertServed(self.uri())
        if os.path.exists('/proc/net/if_inet6'):
            self.assertServed(self.uri('[::1]'))

    def test_one_address(self):
        self.configure(listen_tcp=True, auth_tcp='none', listen_addr='127.0.0.1')
        self.start()
        self.assertServed(self.uri())
        self.assertRefused(self.uri('[::1]'), 'Connection refused', 'Cannot assign')

    def test_not_without_the_option(self):
        self.configure(listen_tcp=True, auth_tcp='none')
        self.sandbox.link_modules()
        self.sandbox.start_daemon('virtqemud')
        self.sandbox.start_daemon(PROXY)
        self.assertRefused(self.uri(), 'Connection refused')
        self.assertIn('--listen', self.log())
        self.assertLocalServed()

    def test_port_is_taken(self):
        with socket.socket() as s:
            s.bind(('127.0.0.1', self.tcp))
            s.listen()
            self.configure(listen_tcp=True, auth_tcp='none')
            self.start()
            self.assertIn('TCP is off', self.log())
            self.assertIn('Address already in use', self.log())
            self.assertLocalServed()
        self.sandbox.daemons[PROXY].send_signal(1)         # a reload tries again
        self.wait_log('configuration is read again')
        self.assertServed(self.uri())

    def test_read_only(self):
        self.configure(listen_tcp=True, auth_tcp='none')
        self.start()
        r = subprocess.run(['virsh', '-r', '-c', self.uri(), 'undefine', 'x'], capture_output=True, text=True)
        self.assertRegex(r.stderr, 'read.only|forbidden|denied|get domain')

    @unittest.skipUnless(shutil.which('systemd-socket-activate'), 'systemd-socket-activate is not installed')
    def test_passed_sockets(self):
        self.configure(auth_tcp='none')
        self.sandbox.link_modules()
        self.sandbox.start_daemon('virtqemud')
        path = self.sandbox.socket(PROXY)
        child = subprocess.Popen(
            ['systemd-socket-activate', f'--listen={path}', f'--listen=127.0.0.1:{self.tcp}',
             '--fdname=virtproxyd.socket:virtproxyd-tcp.socket',
             *(f'--setenv={n}' for n in ('MODVIRT_ROOT', 'MODVIRT_MODULE_DIR', 'ASAN_OPTIONS') if n in self.sandbox.daemon_env()),
             os.path.join(self.sandbox.build, 'daemons', PROXY), '--root', self.sandbox.dir],
            env=self.sandbox.daemon_env(), stderr=subprocess.DEVNULL)
        try:
            wait_for(path, lambda: os.path.exists(path))
            self.assertServed(self.uri())
            self.assertLocalServed()
        finally:
            child.terminate()
            self.assertEqual(child.wait(120), 0)


class Hostile(NetworkTest):
    """None of these keeps others from being served, and nothing of them stays."""
    def setUp(self):
        super().setUp()
        self.configure(listen_tcp=True, auth_tcp='none', max_anonymous_clients=20)
        self.start()

    def figures(self):
        pid = self.sandbox.daemons[PROXY].pid
        with open(f'/proc/{pid}/statm') as f:
            return len(os.listdir(f'/proc/{pid}/fd')), int(f.read().split()[1]) * 4

    def connection(self):
        return socket.create_connection(('127.0.0.1', self.tcp), timeout=120)

    def served(self, source):
        """A call of a client from another address of this host."""
        with socket.create_connection(('127.0.0.1', self.tcp), timeout=120, source_address=(source, 0)) as s:
            s.sendall(AUTH_LIST)
            self.assertEqual(len(s.recv(100)), 36)

    def test_silent_clients_of_one_host(self):
        # Many more than may be there without authentication; the newest of them push out the oldest.
        many = [self.connection() for _ in range(100)]
        for _ in range(20):
            self.served('127.0.0.2')
        self.served('127.0.0.1')
        self.assertLocalServed()
        ended = 0
        for s in many:
            s.settimeout(0.2)
            try:
                ended += s.recv(1) == b''
            except ConnectionResetError:
                ended += 1
            except TimeoutError:
                pass
            s.close()
        self.assertGreaterEqual(ended, 75)
        self.assertLessEqual(self.figures()[0], 60)

    def test_time_is_up(self):
        started = time.monotonic()
        with self.connection() as silent, self.connection() as slow:
            while True:                                    # one byte of a frame now and then
                try:
                    slow.sendall(b'\0' if time.monotonic() - started < 1 else b'')
                    slow.settimeout(0.5)
                    if slow.recv(1) == b'':
                        break
                except TimeoutError:
                    self.assertLess(time.monotonic() - started, 40)
                except ConnectionError:
                    break
            self.assertGreater(time.monotonic() - started, 10)
            silent.settimeout(120)
            self.assertEqual(silent.recv(1), b'')
        self.wait_log('it has not begun to authenticate')
        self.assertLocalServed()

    def test_nothing_stays(self):
        for _ in range(50):
            self.connection().close()
        before = self.figures()
        for i in range(10000 if FULL else 600):
            s = self.connection()
            kind = i % 4
            if kind == 1:
                s.sendall(AUTH_LIST[:i % 28])
            elif kind == 2:
                s.sendall(struct.pack('>I', 0x7fffffff))
            elif kind == 3:
                s.sendall(AUTH_LIST * 3)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))  # reset
            s.close()
        self.assertLocalServed()
        wait_for('the ends of connections', lambda: self.figures()[0] <= before[0] + 25)
        after = self.figures()
        self.assertLess(after[1], before[1] + 20000, f'{before} {after} (KiB)')

    def test_large_frame_before_authentication(self):
        self.configure(listen_tcp=True)                    # SASL
        self.sandbox.stop_daemon(PROXY)
        self.sandbox.start_daemon(PROXY, args=('--listen',))
        with self.connection() as s:
            s.sendall(struct.pack('>IIIiiIi', 65540, 0x20008086, 1, 68, 0, 1, 0))
            self.assertEqual(s.recv(1), b'')
        self.assertLocalServed()


@unittest.skipUnless(pki.available(), 'certtool is not installed')
class HostileTls(NetworkTest):
    def setUp(self):
        super().setUp()
        p = pki.Pki(os.path.join(self.sandbox.dir, 'pki'))
        cert, key = p.server()
        self.uri = f'qemu+tls://localhost:{self.tls}/system?pkipath=' + p.client()
        self.install(p.path('ca.pem'), 'pki', 'CA', 'cacert.pem')
        self.install(cert, 'pki', 'libvirt', 'servercert.pem')
        self.install(key, 'pki', 'libvirt', 'private', 'serverkey.pem')
        self.configure(listen_tls=True)
        self.start()

    def test_half_a_handshake(self):
        held = []
        for i in range(60):
            s = socket.create_connection(('127.0.0.1', self.tls))
            # The head of a TLS record that says more will come; plain frames; nothing.
            s.sendall([b'\x16\x03\x01\x02\x00\x01\x00', AUTH_LIST, b''][i % 3])
            held.append(s)
        self.assertServed(self.uri)
        self.assertLocalServed()
        for s in held:
            s.close()

    def test_no_tls_at_all(self):
        with socket.create_connection(('127.0.0.1', self.tls)) as s:
            s.sendall(AUTH_LIST)
            s.settimeout(120)
            try:
                while s.recv(100):                         # an alert, then the end
                    pass
            except ConnectionResetError:
                pass                                       # what we sent was not read to its end
        self.wait_log('TLS handshake')
        self.assertServed(self.uri)

    def test_handshakes_that_end(self):
        import ssl
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
        for i in range(2000 if FULL else 60):
            with socket.create_connection(('127.0.0.1', self.tls)) as raw:
                with ctx.wrap_socket(raw) as s:
                    self.assertEqual(s.recv(1), b'\1')
                    if i % 2:                              # refused, for want of a certificate
                        s.sendall(AUTH_LIST)
                        answer = s.recv(1000)
                        self.assertIn(b'no certificate', answer)
        self.assertServed(self.uri)


SSHD = '/usr/sbin/sshd'


@unittest.skipUnless(os.path.exists(SSHD) and os.geteuid() == 0, 'needs root and an OpenSSH server')
class Ssh(NetworkTest):
    """OpenSSH on a port of its own, with keys of its own."""
    def setUp(self):
        super().setUp()
        self.dir = tempfile.mkdtemp(prefix='mvssh-')
        self.addCleanup(shutil.rmtree, self.dir)
        for key in ('host', 'user'):
            subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', os.path.join(self.dir, key)], check=True)
        shutil.copy(os.path.join(self.dir, 'user.pub'), os.path.join(self.dir, 'authorized'))
        bin_dir = os.path.join(self.dir, 'bin')
        os.makedirs(bin_dir)
        os.symlink(os.path.join(self.sandbox.build, 'daemons', 'virt-ssh-helper'), os.path.join(bin_dir, 'virt-ssh-helper'))
        self.port = free_port()
        with open(os.path.join(self.dir, 'sshd_config'), 'w') as f:
            f.write(f'ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {self.dir}/host\nStrictModes no\nUsePAM no\n'
                    f'AuthorizedKeysFile {self.dir}/authorized\nPidFile none\nPermitRootLogin yes\n'
                    f'SetEnv PATH={bin_dir}:/usr/bin:/bin MODVIRT_ROOT={self.sandbox.dir}\n')
        os.makedirs('/run/sshd', exist_ok=True)
        self.sshd = subprocess.Popen([SSHD, '-D', '-e', '-f', os.path.join(self.dir, 'sshd_config')],
                                     stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(self.end_sshd)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                socket.create_connection(('127.0.0.1', self.port)).close()
                break
            except OSError:
                time.sleep(0.05)
        self.configure()
        self.start()

    def end_sshd(self):
        self.sshd.terminate()
        self.sshd.wait()

    def uri(self, more=''):
        user = pwd.getpwuid(os.geteuid()).pw_name
        return (f'qemu+ssh://{user}@127.0.0.1:{self.port}/system?keyfile={self.dir}/user&no_verify=1&no_tty=1'
                f'&known_hosts={self.dir}/known{more}')

    def test_helper(self):
        self.assertServed(self.uri())
        self.assertServed(self.uri('&proxy=native'))
        xml = self.virsh(self.uri('&proxy=native'), 'capabilities').stdout
        self.assertTrue(xml.rstrip().endswith('</capabilities>'))
        r = subprocess.run(['virsh', '-r', '-c', self.uri('&proxy=native'), 'version'], capture_output=True, text=True)
        self.assertEqual(r.returncode, 0, r.stderr)

    @unittest.skipUnless(shutil.which('nc'), 'netcat is not installed')
    def test_netcat(self):
        self.assertServed(self.uri(f'&proxy=netcat&socket={self.sandbox.socket(PROXY)}'))

    def test_nobody_there(self):
        self.sandbox.stop_daemon(PROXY)
        self.sandbox.stop_daemon('virtqemud')
        self.assertRefused(self.uri('&proxy=native'), 'virtqemud-sock')


class Helper(NetworkTest):
    def helper(self, *args, data=AUTH_LIST):
        return subprocess.run([os.path.join(self.sandbox.build, 'daemons', 'virt-ssh-helper'), *args], input=data,
                              capture_output=True, timeout=120, env=self.sandbox.daemon_env())

    def test_passes_bytes(self):
        self.configure()
        self.start()
        for args in (('qemu:///system',), ('-r', 'qemu:///system'), ('qemu:///system?mode=direct',)):
            r = self.helper(*args)
            self.assertEqual((r.returncode, len(r.stdout)), (0, 36), r.stderr)
        # Much, in both directions at once; the end of the input would also end what is under way.
        child = subprocess.Popen([os.path.join(self.sandbox.build, 'daemons', 'virt-ssh-helper'), 'qemu:///system'],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.sandbox.daemon_env())
        with child:
            writer = threading.Thread(target=lambda: (child.stdin.write(AUTH_LIST * 20000), child.stdin.flush()))
            writer.start()
            self.assertEqual(len(child.stdout.read(36 * 20000)), 36 * 20000)
            writer.join()
            child.stdin.close()
            self.assertEqual(child.stdout.read(), b'')
        self.assertEqual(child.returncode, 0)

    def test_errors(self):
        for args, words in ((('qemu:///system',), 'No such file'), ((), 'usage'), (('nonsense',), 'is no URI')):
            r = self.helper(*args)
            self.assertNotEqual(r.returncode, 0)
            self.assertIn(words, r.stderr.decode())


if __name__ == '__main__':
    unittest.main()
