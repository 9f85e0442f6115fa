# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates for tests, made by certtool. All keys are small and live for one test run only."""
import os
import shutil
import subprocess

USAGE = {'server': ['tls_www_server', 'encryption_key', 'signing_key'],
         'client': ['tls_www_client', 'encryption_key', 'signing_key'],
         'ca': ['ca', 'cert_signing_key', 'crl_signing_key']}


def available():
    return shutil.which('certtool') is not None


def certtool(*args):
    r = subprocess.run(['certtool', *args], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if r.returncode != 0:
        raise AssertionError(f'certtool {args}: {r.stderr}')


class Pki:
    """An authority and what it issues, as files below a directory."""
    def __init__(self, directory, name='Test Authority'):
        self.dir = directory
        os.makedirs(directory, exist_ok=True)
        self.ca = self._issue('ca', name, 'ca')

    def path(self, name):
        return os.path.join(self.dir, name)

    def _issue(self, stem, cn, kind, lines=()):
        key, crt, template = (self.path(stem + end) for end in ('.key', '.pem', '.tmpl'))
        if not any(line.startswith(('expiration', 'activation')) for line in lines):
            lines = [*lines, 'expiration_days = 30']
        with open(template, 'w') as f:
            f.write('\n'.join(['organization = "Tests"', f'cn = "{cn}"', *USAGE[kind], *lines]) + '\n')
        certtool('--generate-privkey', '--key-type=rsa', '--bits=2048', '--outfile', key)
        how = ['--generate-self-signed'] if kind == 'ca' else [
            '--generate-certificate', '--load-ca-certificate', self.path('ca.pem'), '--load-ca-privkey',
            self.path('ca.key')]
        certtool(*how, '--load-privkey', key, '--template', template, '--outfile', crt)
        return crt

    def server(self, stem='server', names=('localhost',), lines=()):
        self._issue(stem, names[0], 'server',
                    [*(f'dns_name = "{n}"' for n in names), 'ip_address = "127.0.0.1"', 'ip_address = "::1"', *lines])
        return self.path(stem + '.pem'), self.path(stem + '.key')

    def client(self, stem='client', cn='client one', lines=()):
        """A directory for the client's ?pkipath=."""
        self._issue(stem, cn, 'client', lines)
        return self.client_dir(stem)

    def client_dir(self, stem):
        path = self.path(stem + '.d')
        os.makedirs(path, exist_ok=True)
        shutil.copy(self.path('ca.pem'), os.path.join(path, 'cacert.pem'))
        shutil.copy(self.path(stem + '.pem'), os.path.join(path, 'clientcert.pem'))
        shutil.copy(self.path(stem + '.key'), os.path.join(path, 'clientkey.pem'))
        return path

    def revoke(self, stem):
        """A list of revoked certificates with this one in it."""
        template = self.path('crl.tmpl')
        with open(template, 'w') as f:
            f.write('crl_next_update = 30\ncrl_number = 1\n')
        certtool('--generate-crl', '--load-ca-privkey', self.path('ca.key'), '--load-ca-certificate', self.path('ca.pem'),
                 '--load-certificate', self.path(stem + '.pem'), '--template', template, '--outfile', self.path('crl.pem'))
        return self.path('crl.pem')
