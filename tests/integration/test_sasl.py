# SPDX-License-Identifier: LGPL-2.1-or-later
"""SASL on every kind of listener: mechanisms, security layer, users, and what is refused."""
import os
import re
import shutil
import socket
import struct
import subprocess
import unittest

import pki
from network import PROXY, NetworkTest

MECHANISMS = 'SCRAM-SHA-256 SCRAM-SHA-1 DIGEST-MD5 PLAIN'
REMOTE = 0x20008086
AUTH_LIST, SASL_INIT, SASL_START, SASL_STEP, OPEN = 66, 67, 68, 69, 1


def frame(proc, payload=b'', serial=1):
    return struct.pack('>IIIiiIi', 28 + len(payload), REMOTE, 1, proc, 0, serial, 0) + payload


def opaque(data):
    return struct.pack('>I', len(data)) + data + b'\0' * (-len(data) % 4)


def receive(s):
    """Status and payload of the next frame, and not a byte of the one behind it; None at the end."""
    def exactly(n):
        data = b''
        while len(data) < n:
            more = s.recv(n - len(data))
            if not more:
                return None
            data += more
        return data
    try:
        head = exactly(28)
        body = head and exactly(struct.unpack('>I', head[:4])[0] - 28)
    except ConnectionResetError:
        return None
    return None if body is None else (struct.unpack('>i', head[24:28])[0], body)


@unittest.skipUnless(shutil.which('saslpasswd2') or os.path.exists('/usr/sbin/saslpasswd2'), 'sasl2-bin is not installed')
class Sasl(NetworkTest):
    def setUp(self):
        super().setUp()
        # Cyrus' DIGEST-MD5 loses a context of OpenSSL with each connection.
        path = os.path.join(self.sandbox.dir, 'lsan.supp')
        with open(path, 'w') as f:
            f.write('leak:libcrypto.so\n')
        self.sandbox.extra_env['LSAN_OPTIONS'] = f'suppressions={path}:print_suppressions=0'
        self.db = os.path.join(self.sandbox.dir, 'passwd.db')
        directory = os.path.join(self.etc, 'sasl2')
        os.makedirs(directory)
        with open(os.path.join(directory, 'libvirt.conf'), 'w') as f:
            f.write(f'mech_list: {MECHANISMS}\nauxprop_plugin: sasldb\nsasldb_path: {self.db}\n')
        for user in ('fred', 'joe'):
            subprocess.run(['saslpasswd2', '-p', '-c', '-a', 'libvirt', '-f', self.db, user], input='secret of ' + user, text=True,
                           check=True, env={**os.environ, 'PATH': os.environ['PATH'] + ':/usr/sbin'})

    def who(self, user, password=None):
        path = os.path.join(self.sandbox.dir, 'auth.conf')
        with open(path, 'w') as f:
            f.write(f'[credentials-u]\nauthname={user}\npassword={password or "secret of " + user}\n')
            for host in ('localhost', '127.0.0.1', socket.gethostname()):
                f.write(f'[auth-libvirt-{host}]\ncredentials=u\n')
        return {'LIBVIRT_AUTH_FILE': path}

    def tcp_uri(self, mechanism=None):
        return f'qemu+tcp://127.0.0.1:{self.tcp}/system' + (f'?auth=sasl.{mechanism}' if mechanism else '')

    def test_tcp_needs_a_layer(self):
        self.configure(listen_tcp=True)                    # auth_tcp is sasl by default
        self.start()
        self.assertServed(self.tcp_uri(), env=self.who('fred'))
        self.wait_log("is SASL user 'fred")
        self.assertRegex(self.log(), r'security layer of (128|112) bits')
        # Much of it, in both directions.
        xml = self.virsh(self.tcp_uri(), 'capabilities', env=self.who('fred')).stdout
        self.assertTrue(xml.rstrip().endswith('</capabilities>'))
        for mechanism in ('PLAIN', 'SCRAM-SHA-256'):       # they cannot encrypt
            self.assertRefused(self.tcp_uri(mechanism), 'not supported by server', env=self.who('fred'))

    def test_tcp_stream(self):
        self.configure(listen_tcp=True)
        self.start()
        script = ('import libvirt\n'
                  'u = lambda creds, d: [c.__setitem__(4, {2: "fred", 5: "secret of fred"}.get(c[0], "")) for c in creds] and 0\n'
                  f'c = libvirt.openAuth("{self.tcp_uri()}", [[2, 5], u, None], 0)\n'
                  'print(sum(len(c.getCapabilities()) for i in range(50)))\n')
        r = subprocess.run(['/usr/bin/python3', '-c', script], capture_output=True, text=True, timeout=120)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertGreater(int(r.stdout), 50000)

    def test_plain_tcp_on_request(self):
        # Below what stock clients accept, but an administrator's choice.
        self.configure(listen_tcp=True, tcp_min_ssf=0)
        self.start()
        with socket.create_connection(('127.0.0.1', self.tcp)) as s:
            s.sendall(frame(AUTH_LIST))
            self.assertEqual(receive(s), (0, struct.pack('>Ii', 1, 1)))
            s.sendall(frame(SASL_INIT))
            status, payload = receive(s)
            self.assertEqual(status, 0)
            self.assertIn(b'SCRAM-SHA-256', payload)
            self.assertNotIn(b'PLAIN', payload)

    @unittest.skipUnless(pki.available(), 'certtool is not installed')
    def test_tls(self):
        p = pki.Pki(os.path.join(self.sandbox.dir, 'pki'))
        cert, key = p.server()
        uri = f'qemu+tls://localhost:{self.tls}/system?pkipath=' + p.client()
        self.install(p.path('ca.pem'), 'pki', 'CA', 'cacert.pem')
        self.install(cert, 'pki', 'libvirt', 'servercert.pem')
        self.install(key, 'pki', 'libvirt', 'private', 'serverkey.pem')
        self.configure(listen_tls=True, auth_tls='sasl')
        self.start()
        for mechanism in MECHANISMS.split():
            self.assertServed(f'{uri}&auth=sasl.{mechanism}', env=self.who('fred'))
            self.assertRefused(f'{uri}&auth=sasl.{mechanism}', 'authentication failed', env=self.who('fred', 'wrong'))
        self.assertRefused(uri, 'authentication failed', env=self.who('nobody'))

    def test_local(self):
        self.configure(auth_unix_rw='sasl', auth_unix_ro='sasl')
        self.start()
        for uri in (self.sandbox.uri(), self.sandbox.uri(readonly=True)):
            self.assertServed(uri, env=self.who('fred'))
            message = self.assertRefused(uri, 'authentication failed', env=self.who('fred', 'wrong'))
            self.assertIn('SCRAM-SHA-256', message)
        self.wait_log('is refused: SASL authentication failed')

    def test_refusals_are_seen_in_the_noise(self):
        self.configure(auth_unix_rw='sasl')
        self.start()
        for _ in range(60):                    # another one's broken frames
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(self.sandbox.socket(PROXY))
                s.sendall(b'\xff' * 40)
                receive(s)
        self.assertRefused(self.sandbox.uri(), 'authentication failed', env=self.who('fred', 'wrong'))
        self.wait_log('is refused: SASL authentication failed')
        self.assertIn("fred", self.log()[self.log().index('is refused: SASL'):])
        self.assertLess(self.log().count('is disconnected'), 15)
        self.wait_log('more clients were disconnected meanwhile')

    def test_allowed_users(self):
        self.configure(listen_tcp=True, sasl_allowed_username_list=['fred*', 'admin@*'])
        self.start()
        self.assertServed(self.tcp_uri(), env=self.who('fred'))
        message = self.assertRefused(self.tcp_uri(), 'sasl_allowed_username_list', env=self.who('joe'))
        self.assertIn('joe', message)
        self.configure(listen_tcp=True, sasl_allowed_username_list=['joe*'])
        self.sandbox.daemons[PROXY].send_signal(1)
        self.wait_log('configuration is read again')
        self.assertServed(self.tcp_uri(), env=self.who('joe'))
        self.assertRefused(self.tcp_uri(), 'sasl_allowed_username_list', env=self.who('fred'))

    def test_who_the_client_is(self):
        import libvirt
        self.configure(auth_unix_rw='sasl')
        self.start()

        def answer(credentials, data):
            for c in credentials:
                c[4] = {libvirt.VIR_CRED_AUTHNAME: 'fred', libvirt.VIR_CRED_PASSPHRASE: 'secret of fred'}.get(c[0], '')
            return 0
        kinds = [libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE]
        c = libvirt.openAuth(self.sandbox.uri(), [kinds, answer, None], 0)
        number = re.search(r'^ (\d+)\s+unix', self.virt_admin('client-list', PROXY).stdout, re.M).group(1)
        self.assertIn('fred', self.virt_admin('client-info', PROXY, number).stdout)
        # The daemon behind the proxy knows, too.
        admin = 'virtqemud:///system?socket=' + self.sandbox.socket('virtqemud', 'admin')
        rows = subprocess.run(['virt-admin', '-c', admin, 'client-list', 'virtqemud'], capture_output=True, text=True).stdout
        infos = [subprocess.run(['virt-admin', '-c', admin, 'client-info', 'virtqemud', n], capture_output=True, text=True).stdout
                 for n in re.findall(r'^ (\d+)\s+unix', rows, re.M)]
        self.assertTrue(any('fred' in info for info in infos), infos)
        c.close()

    def test_nothing_before_authentication(self):
        self.configure(listen_tcp=True)
        self.start()
        with socket.create_connection(('127.0.0.1', self.tcp)) as s:
            s.sendall(frame(OPEN, struct.pack('>II', 0, 0)))
            self.assertEqual(receive(s)[0], 1)
            for proc in (SASL_START, SASL_STEP, 70):       # out of order, and a method that is not asked for
                s.sendall(frame(proc, (opaque(b'PLAIN') if proc == SASL_START else b'') + struct.pack('>iI', 1, 0)))
                answer = receive(s)
                if answer:
                    self.assertEqual(answer[0], 1)
            s.sendall(frame(OPEN, struct.pack('>II', 0, 0)))
            answer = receive(s)
            self.assertTrue(answer is None or answer[0] == 1)
        self.assertServed(self.tcp_uri(), env=self.who('fred'))

    def test_guesses_end(self):
        self.configure(auth_unix_rw='sasl')
        self.start()
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.sandbox.socket(PROXY))
            refused = 0
            while True:
                try:
                    s.sendall(frame(SASL_INIT))
                except BrokenPipeError:
                    break
                if receive(s) is None:
                    break
                s.sendall(frame(SASL_START, opaque(b'PLAIN') + struct.pack('>i', 0) + opaque(b'\0fred\0guess %d' % refused)))
                answer = receive(s)
                if answer is None:
                    break
                self.assertEqual(answer[0], 1)
                refused += 1
                self.assertLess(refused, 10)
            self.assertEqual(refused, 3)

    def test_broken_packets_of_the_layer(self):
        # Two clients with a layer: one breaks its own, the other goes on.
        self.configure(listen_tcp=True)
        self.start()
        with socket.create_connection(('127.0.0.1', self.tcp)) as s:
            s.sendall(frame(SASL_INIT) + frame(SASL_START, opaque(b'DIGEST-MD5') + struct.pack('>iI', 1, 0)))
            self.assertEqual(receive(s)[0], 0)
            self.assertEqual(receive(s)[0], 0)
            s.sendall(frame(SASL_STEP, struct.pack('>i', 0) + opaque(b'username="fred",realm="' + b'x' * 60000)))
            answer = receive(s)
            self.assertTrue(answer is None or answer[0] == 1)
        self.assertServed(self.tcp_uri(), env=self.who('fred'))

    def test_without_users(self):
        os.unlink(self.db)
        self.configure(listen_tcp=True)
        self.start()
        self.assertRefused(self.tcp_uri(), 'authentication failed', 'no SASL mechanism', env=self.who('fred'))
        self.assertLocalServed()


if __name__ == '__main__':
    unittest.main()
