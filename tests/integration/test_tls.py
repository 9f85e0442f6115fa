# SPDX-License-Identifier: LGPL-2.1-or-later
"""TLS: certificates of both sides, good and bad; every refusal names its cause."""
import atexit
import json
import os
import shutil
import tempfile
import unittest

import pki
from harness import run
from network import PROXY, NetworkTest

_pki = None


def shared_pki():
    """Keys take a while to make: one set for all tests."""
    global _pki
    if not _pki:
        directory = tempfile.mkdtemp(prefix='mvpki-')
        atexit.register(shutil.rmtree, directory, True)
        p = pki.Pki(os.path.join(directory, 'a'))
        p.server()
        p.client()
        p.client('other', 'client two')
        p.client('expired', 'old client', ['activation_date = "2020-01-01 00:00:00"', 'expiration_date = "2021-02-03 00:00:00"'])
        p.server('old-server', lines=['activation_date = "2020-01-01 00:00:00"', 'expiration_date = "2021-02-03 00:00:00"'])
        p.client('early', 'new client', ['activation_date = "2090-04-05 00:00:00"', 'expiration_date = "2091-02-03 00:00:00"'])
        p.server('early-server', lines=['activation_date = "2090-04-05 00:00:00"', 'expiration_date = "2091-02-03 00:00:00"'])
        p.server('elsewhere', names=('elsewhere.example',))
        p.foreign = pki.Pki(os.path.join(directory, 'b'), 'Foreign Authority')
        p.foreign.client()
        p.foreign.server()
        _pki = p
    return _pki


@unittest.skipUnless(pki.available(), 'certtool is not installed')
class Tls(NetworkTest):
    def setUp(self):
        super().setUp()
        self.pki = shared_pki()
        self.server('server')

    def server(self, stem, ca=None, p=None):
        p = p or self.pki
        self.install(ca or self.pki.path('ca.pem'), 'pki', 'CA', 'cacert.pem')
        self.cert = self.install(p.path(stem + '.pem'), 'pki', 'libvirt', 'servercert.pem')
        self.key = self.install(p.path(stem + '.key'), 'pki', 'libvirt', 'private', 'serverkey.pem')

    def uri(self, client='client', host='localhost', p=None):
        p = p or self.pki
        return f'qemu+tls://{host}:{self.tls}/system?pkipath=' + p.client_dir(client)

    def begin(self, **values):
        self.configure(listen_tls=True, **values)
        self.start()

    def test_serves(self):
        self.begin()
        self.assertServed(self.uri())
        self.assertServed(self.uri(host='127.0.0.1'))
        if os.path.exists('/proc/net/if_inet6'):
            self.assertServed(self.uri(host='[::1]'))
        self.assertLocalServed()
        xml = self.virsh(self.uri(), 'capabilities').stdout   # more than one record of TLS
        self.assertTrue(xml.rstrip().endswith('</capabilities>'))

    def test_who_the_client_is(self):
        self.begin()
        import libvirt
        c = libvirt.open(self.uri())
        rows = self.virt_admin('client-list', PROXY).stdout
        self.assertIn('tls', rows)
        number = [row.split()[0] for row in rows.splitlines() if 'tls' in row][0]
        info = self.virt_admin('client-info', PROXY, number).stdout
        self.assertIn('client one', info)
        self.assertIn('127.0.0.1', info)
        c.close()

    def test_rules_about_certificates(self):
        """The daemon behind the proxy decides by the name in the certificate."""
        for name, text in (('virtqemud.conf', 'access_drivers = [ "rules" ]\n'),
                           ('access.rules', "allow x509 '*client one*' *\nallow x509 * connect:getattr\n")):
            with open(os.path.join(self.etc, 'libvirt', name), 'w', encoding='ascii') as f:
                f.write(text)
        self.begin(listen_tcp=True, auth_tcp='none')
        self.assertEqual(self.virsh(self.uri(), 'list', '--all').returncode, 0)
        for uri in (self.uri('other'), f'qemu+tcp://127.0.0.1:{self.tcp}/system'):
            r = self.virsh(uri, 'list', '--all')
            self.assertNotEqual(r.returncode, 0)
            self.assertRegex(r.stderr, 'connect:search_domains|connect:getattr')

    def test_client_of_another_authority(self):
        self.begin()
        message = self.assertRefused(self.uri(p=self.pki.foreign) + '&no_verify=1', 'Foreign Authority')
        self.assertIn('Test Authority', message)
        self.wait_log('Foreign Authority')
        self.assertServed(self.uri())

    def test_expired_client(self):
        self.begin()
        # Stock clients look at their own certificate first, unless they are told not to.
        self.assertRefused(self.uri('expired') + '&no_sanity=1&no_verify=1', '2021-02-03', 'expired')
        self.assertServed(self.uri())

    def test_client_of_the_future(self):
        self.begin()
        message = self.assertRefused(self.uri('early') + '&no_sanity=1&no_verify=1', '2090-04-05')
        self.assertIn('new client', message)
        self.wait_log('2090-04-05')
        self.assertServed(self.uri())

    def test_client_without_a_certificate(self):
        self.begin()
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        shutil.copy(self.pki.path('ca.pem'), os.path.join(directory, 'cacert.pem'))
        self.assertRefused(f'qemu+tls://localhost:{self.tls}/system?pkipath={directory}', 'no certificate')

    def test_names(self):
        self.begin(tls_allowed_dn_list=['O=Nobody,*', '*client one*'])
        self.assertServed(self.uri())
        message = self.assertRefused(self.uri('other'), 'tls_allowed_dn_list')
        self.assertIn('client two', message)

    def test_revoked(self):
        self.install(self.pki.revoke('other'), 'pki', 'CA', 'crl.pem')
        self.begin()
        self.assertServed(self.uri())
        message = self.assertRefused(self.uri('other'), 'revoked')
        self.assertIn('client two', message)

    def test_no_verification(self):
        self.begin(tls_no_verify_certificate=True, tls_allowed_dn_list=['nobody'])
        self.assertServed(self.uri(p=self.pki.foreign) + '&no_verify=1')

    def test_server_with_another_name(self):
        self.server('elsewhere')
        self.begin()
        self.assertRefused(self.uri(), 'owner does not match the hostname')
        self.assertServed(self.uri(host='127.0.0.1') + '&no_verify=1')

    def test_priority(self):
        self.begin(tls_priority='NORMAL:-VERS-ALL:+VERS-TLS1.3')
        self.assertServed(self.uri())
        self.assertRefused(self.uri() + '&tls_priority=NORMAL:-VERS-ALL:%2BVERS-TLS1.2', 'TLS', 'handshake')
        self.assertServed(self.uri())

    def test_several_certificates(self):
        self.install(self.pki.path('elsewhere.pem'), 'pki', 'libvirt', 'servercert0.pem')
        self.install(self.pki.path('elsewhere.key'), 'pki', 'libvirt', 'private', 'serverkey0.pem')
        self.begin()
        self.assertServed(self.uri())
        self.assertNotIn('TLS is off', self.log())

    # Our own files --------------------------------------------------------------------------------

    def assertOff(self, *words):
        """TLS is off with a line that has the words; all else is served."""
        log = self.log()
        line = [row for row in log.splitlines() if 'TLS is off' in row]
        self.assertEqual(len(line), 1, log)
        for word in words:
            self.assertIn(word, line[0])
        self.assertLocalServed()
        self.assertServed(f'qemu+tcp://127.0.0.1:{self.tcp}/system')
        self.assertRefused(self.uri(), 'Connection refused')

    def begin_bad(self, **values):
        self.begin(listen_tcp=True, auth_tcp='none', **values)

    def test_our_certificate_expired(self):
        self.server('old-server')
        self.begin_bad()
        self.assertOff('servercert.pem', 'expired on 2021-02-03', 'CN=localhost')

    def doctor(self):
        tool = os.path.join(self.sandbox.build, 'tools', 'modvirt', 'modvirt')
        _, out, _ = run([tool, 'doctor', '--json'], check=False, env={'MODVIRT_ROOT': self.sandbox.dir})
        return [(x['verdict'], x['text']) for x in json.loads(out) if x['topic'] == 'certificates']

    def test_doctor(self):
        self.begin()
        (verdict, text), = self.doctor()
        self.assertNotEqual(verdict, 'bad')        # that of the test ends soon
        self.assertIn('good until', text)
        self.server('old-server')
        self.assertNotEqual(self.virt_admin('server-update-tls', PROXY).returncode, 0)
        self.assertEqual([verdict == 'bad' for verdict, _ in self.doctor()], [True, False])
        self.assertIn('expired on 2021-02-03', self.doctor()[0][1])
        self.assertIn('goes on with older files', self.doctor()[0][1])

    def test_our_certificate_is_not_valid_yet(self):
        self.server('early-server')
        self.begin_bad()
        self.assertOff('servercert.pem', '2090-04-05', 'CN=localhost')

    def test_our_certificate_is_of_another_authority(self):
        self.server('server', p=self.pki.foreign)
        self.begin_bad()
        self.assertOff('servercert.pem', 'Foreign Authority', 'not in the file of the authority')

    def test_our_key_is_another(self):
        self.install(self.pki.path('client.key'), 'pki', 'libvirt', 'private', 'serverkey.pem')
        self.begin_bad()
        self.assertOff('serverkey.pem', 'does not belong')

    def test_our_file_is_missing(self):
        os.unlink(self.key)
        self.begin_bad()
        self.assertOff('serverkey.pem', 'No such file')

    def test_our_certificate_is_a_clients(self):
        self.install(self.pki.path('client.pem'), 'pki', 'libvirt', 'servercert.pem')
        self.install(self.pki.path('client.key'), 'pki', 'libvirt', 'private', 'serverkey.pem')
        self.begin_bad()
        self.assertOff('servercert.pem', 'extended key usage')

    def test_our_priority_is_nonsense(self):
        self.begin_bad(tls_priority='NORMAL:+NOTHING-LIKE-IT')
        self.assertOff('tls_priority', 'NOTHING-LIKE-IT')

    def test_our_revocation_file_is_missing(self):
        self.begin_bad(crl_file='/nonexistent/crl.pem')
        self.assertOff('/nonexistent/crl.pem')

    def test_without_sanity_checks(self):
        self.server('old-server')
        self.begin(tls_no_sanity_certificate=True)
        self.assertRefused(self.uri(), 'expired', 'not trusted')  # the client's words
        self.assertServed(self.uri() + '&no_verify=1')

    # Reload -----------------------------------------------------------------------------------------

    def test_reload(self):
        import libvirt
        self.server('old-server')
        self.begin()
        self.assertRefused(self.uri(), 'Connection refused')
        r = self.virt_admin('server-update-tls', PROXY)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn('2021-02-03', r.stderr)
        self.server('server')
        r = self.virt_admin('server-update-tls', PROXY)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertServed(self.uri())

        c = libvirt.open(self.uri())
        self.install(self.pki.revoke('client'), 'pki', 'CA', 'crl.pem')
        self.sandbox.daemons[PROXY].send_signal(1)
        self.wait_log('configuration is read again')
        self.assertRefused(self.uri(), 'revoked')
        c.getHostname()                                    # who is in stays in
        c.close()

        os.unlink(self.cert)                               # what is in force stays
        self.sandbox.daemons[PROXY].send_signal(1)
        self.wait_log('TLS goes on with the certificates that it has')
        self.assertServed(self.uri('other'))


if __name__ == '__main__':
    unittest.main()
