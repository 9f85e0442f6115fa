# SPDX-License-Identifier: LGPL-2.1-or-later
"""Kerberos: a realm of one's own, a ticket instead of a password."""
import glob
import os
import shutil
import socket
import subprocess
import unittest

from harness import wait_for
from network import PROXY, NetworkTest, free_port

SBIN = '/usr/sbin:/sbin:' + os.environ.get('PATH', '')
TOOLS = ('krb5kdc', 'kdb5_util', 'kadmin.local', 'kinit')


@unittest.skipUnless(all(shutil.which(t, path=SBIN) for t in TOOLS) and glob.glob('/usr/lib/*/sasl2/libgssapiv2.so'),
                     'needs krb5-kdc, krb5-admin-server, krb5-user, libsasl2-modules-gssapi-mit')
class Gssapi(NetworkTest):
    def setUp(self):
        super().setUp()
        d = os.path.join(self.sandbox.dir, 'krb5')
        os.makedirs(d)
        port = free_port()
        conf, keytab = os.path.join(d, 'krb5.conf'), os.path.join(d, 'keytab')
        with open(conf, 'w', encoding='ascii') as f:
            f.write('[libdefaults]\ndefault_realm = TEST.REALM\ndns_lookup_kdc = false\nrdns = false\n'
                    'dns_canonicalize_hostname = false\nignore_acceptor_hostname = true\nudp_preference_limit = 1\n'
                    f'[realms]\nTEST.REALM = {{\n kdc = 127.0.0.1:{port}\n database_name = {d}/db\n'
                    f' key_stash_file = {d}/stash\n acl_file = {d}/acl\n'
                    f' kdc_listen = 127.0.0.1:{port}\n kdc_tcp_listen = 127.0.0.1:{port}\n}}\n')
        self.krb = {**os.environ, 'KRB5_CONFIG': conf, 'KRB5_KDC_PROFILE': conf, 'KRB5CCNAME': f'FILE:{d}/cache', 'PATH': SBIN,
                    'KRB5RCACHEDIR': d}
        self.tool('kdb5_util', 'create', '-s', '-r', 'TEST.REALM', '-P', 'master')
        self.tool('kadmin.local', '-q', 'addprinc -pw secret fred')
        for host in {'localhost', socket.gethostname()}:
            self.tool('kadmin.local', '-q', f'addprinc -randkey libvirt/{host}')
            self.tool('kadmin.local', '-q', f'ktadd -k {keytab} libvirt/{host}')
        kdc = subprocess.Popen(['krb5kdc', '-n'], env=self.krb, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
        self.addCleanup(kdc.wait)
        self.addCleanup(kdc.kill)

        def listens():
            with socket.socket() as s:
                return s.connect_ex(('127.0.0.1', port)) == 0
        wait_for('the key distribution centre', listens)
        os.makedirs(os.path.join(self.etc, 'sasl2'))
        with open(os.path.join(self.etc, 'sasl2', 'libvirt.conf'), 'w', encoding='ascii') as f:
            f.write(f'mech_list: gssapi\nkeytab: {keytab}\n')
        self.sandbox.extra_env.update({'KRB5_CONFIG': conf, 'KRB5_KTNAME': keytab, 'KRB5RCACHEDIR': d})
        self.uri = f'qemu+tcp://localhost:{self.tcp}/system'

    def tool(self, *argv, input=None):
        r = subprocess.run(argv, env=self.krb, input=input, capture_output=True, text=True, timeout=120)
        self.assertEqual(r.returncode, 0, r.stderr)

    def test_ticket(self):
        self.configure(listen_tcp=True)
        self.start()
        self.assertRefused(self.uri, 'authentication failed', 'Kerberos', 'credentials', env=self.krb)
        self.tool('kinit', 'fred', input='secret\n')
        self.assertServed(self.uri, env=self.krb)
        self.wait_log("is SASL user 'fred")
        self.assertRegex(self.log(), r'security layer of \d+ bits')

    def test_allowed_users(self):
        self.configure(listen_tcp=True, sasl_allowed_username_list=['joe@TEST.REALM'])
        self.start()
        self.tool('kinit', 'fred', input='secret\n')
        message = self.assertRefused(self.uri, 'sasl_allowed_username_list', env=self.krb)
        self.assertIn('fred', message)


if __name__ == '__main__':
    unittest.main()
