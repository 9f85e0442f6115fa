# SPDX-License-Identifier: LGPL-2.1-or-later
"""Secrets on disk, and what a new daemon makes of them."""
import base64
import glob
import os
import re
import signal
import unittest

import libvirt

from harness import OwnSandbox, memory_of, run, uri, wait_for
from test_secrets import ceph, secret_xml


class Kept(OwnSandbox):
    def setUp(self):
        super().setUp()
        self.sandbox.start()
        self.dir = os.path.join(self.directory, 'etc', 'libvirt', 'secrets')
        self.conn = self.connect(self.uri())

    def uri(self):
        return f'secret+unix:///system?socket={self.sandbox.socket("virtsecretd")}'

    def restart(self, how=signal.SIGTERM):
        daemon = self.sandbox.daemons['virtsecretd']
        self.conn.close()
        daemon.send_signal(how)
        daemon.wait(120)
        self.sandbox.start_daemon('virtsecretd')
        self.conn = self.connect(self.uri())

    def value(self, uuid):
        return self.conn.secretLookupByUUIDString(uuid).value()

    def files(self):
        found = {}
        for path in glob.glob(self.dir + '/*'):
            with open(path, 'rb') as f:
                found[os.path.basename(path)] = f.read()
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600, path)
        return found

    def test_no_copy_stays_in_memory(self):
        """Behind the calls, of kept, ephemeral and private ones, of short and long values, directly and through the proxy."""
        uris = [self.uri(), uri()]
        values = []
        for n, size in enumerate((24, 500, 5000, 65536)):
            for ephemeral in ('no', 'yes'):
                # Any piece of it is to be known again.
                value = ''.join(f'{n}{ephemeral}{i:06x}' for i in range(size // 8 + 1))[:size].encode()
                s = self.conn.secretDefineXML(secret_xml(ephemeral=ephemeral, usage=ceph(f'{n}{ephemeral}')))
                for u in uris:
                    conn = self.connect(u)
                    again = conn.secretLookupByUUIDString(s.UUIDString())
                    again.setValue(value)
                    self.assertEqual(again.value(), value)
                    conn.close()
                values.append(value)
        self.conn.close()
        pattern = re.compile(b'(?:[0-3](?:no|yes)[0-9a-f]{6}){2}|' + b'|'.join(re.escape(base64.b64encode(v)[:16]) for v in values))
        for name in ('virtsecretd', 'virtproxyd', 'virtqemud'):
            daemon = self.sandbox.daemons.get(name)
            if not daemon:
                continue
            for region, bytes_ in memory_of(daemon.pid):
                found = pattern.search(bytes_)
                self.assertIsNone(found, f'{name}: {region}: {bytes_[max(0, found.start() - 64):found.end() + 64] if found else ""}')

    def test_nothing_is_bound_at_its_first_call(self):
        """That has vector registers on the stack, with what was copied last: the beginning or the end of a value."""
        for name, daemon in self.sandbox.daemons.items():
            with open(f'/proc/{daemon.pid}/maps', encoding='utf-8') as f:
                files = {words[5] for words in map(str.split, f) if len(words) == 6 and words[5].startswith(self.sandbox.build)}
            self.assertGreaterEqual(len(files), 2, name)    # the daemon and the core at least
            for path in files:
                dynamic = run(['readelf', '-dW', path])[1]
                if 'no dynamic section' not in dynamic:
                    self.assertRegex(dynamic, r'BIND_NOW', f'{name}: {path}')

    def test_restarts(self):
        kept = self.conn.secretDefineXML(secret_xml(usage=ceph('kept')))
        kept.setValue(b'the value of the kept one')
        gone = self.conn.secretDefineXML(secret_xml(ephemeral='yes', usage=ceph('gone')))
        gone.setValue(b'the value of the other one')
        for name, content in self.files().items():
            self.assertTrue(name.startswith(kept.UUIDString()), name)
            for word in (b'value of', base64.b64encode(b'the value of the kept one')[:12]):
                self.assertNotIn(word, content, name)
        for how in (signal.SIGTERM, signal.SIGKILL):
            self.restart(how)
            self.assertEqual([s.UUIDString() for s in self.conn.listAllSecrets()], [kept.UUIDString()])
            self.assertEqual(self.value(kept.UUIDString()), b'the value of the kept one')
        self.assertLibvirtError(libvirt.VIR_ERR_NO_SECRET, self.conn.secretLookupByUsage, libvirt.VIR_SECRET_USAGE_TYPE_CEPH, 'gone')
        self.conn.secretLookupByUUIDString(kept.UUIDString()).undefine()
        self.assertEqual(self.files(), {})

    def test_values_that_others_left_are_taken_over(self):
        uuid = self.conn.secretDefineXML(secret_xml(usage=ceph('x'))).UUIDString()
        self.conn.secretLookupByUUIDString(uuid).setValue(b'ours')
        readable = f'{self.dir}/{uuid}.base64'
        for value in (b'theirs', b'theirs again'):
            with open(readable, 'wb') as f:
                f.write(base64.b64encode(value))
            os.chmod(readable, 0o600)
            self.restart()
            self.assertEqual(self.value(uuid), value)
            wait_for('encryption', lambda: not os.path.exists(readable))
            self.assertEqual(self.value(uuid), value)

    def test_a_new_key(self):
        '''Values follow the key; what only a lost one opens is left as it is.'''
        uuids = [self.conn.secretDefineXML(secret_xml()).UUIDString() for _ in range(3)]
        for uuid in uuids:
            self.conn.secretLookupByUUIDString(uuid).setValue(uuid.encode())

        def keys():
            return {content.split(b'\n')[0] for name, content in self.files().items() if name.endswith('.sealed')}

        first = keys()
        credentials = os.path.join(self.directory, 'credentials')
        os.mkdir(credentials)
        with open(os.path.join(credentials, 'secrets-encryption-key'), 'wb') as f:
            f.write(os.urandom(32))
        self.sandbox.extra_env['CREDENTIALS_DIRECTORY'] = credentials
        self.restart()
        wait_for('the new key', lambda: len(keys()) == 1 and keys() != first)
        os.unlink(os.path.join(self.directory, 'var', 'lib', 'libvirt', 'secrets', 'host.key'))
        self.restart()
        for uuid in uuids:
            self.assertEqual(self.value(uuid), uuid.encode())
        second = keys()
        del self.sandbox.extra_env['CREDENTIALS_DIRECTORY']
        self.restart()
        e = self.assertLibvirtError(libvirt.VIR_ERR_INTERNAL_ERROR, self.value, uuids[0])
        self.assertIn('which this host does not have', str(e))
        self.assertEqual(keys(), second)

    def test_damage_is_told(self):
        good, bad = (self.conn.secretDefineXML(secret_xml()).UUIDString() for _ in range(2))
        for uuid in (good, bad):
            self.conn.secretLookupByUUIDString(uuid).setValue(b'value')
        with open(f'{self.dir}/{good}.sealed') as f:
            other = f.read()
        for content in (other, other[:-5], '', 'modvirt-secret 2 rot13\nx\n'):
            with open(f'{self.dir}/{bad}.sealed', 'w') as f:
                f.write(content)
            with self.assertRaises(libvirt.libvirtError) as caught:
                self.value(bad)
            self.assertIn(bad, str(caught.exception))
            self.assertEqual(self.value(good), b'value')
        self.conn.secretLookupByUUIDString(bad).setValue(b'new')
        self.assertEqual(self.value(bad), b'new')

    def test_a_broken_definition_is_listed_and_can_be_replaced(self):
        uuid = self.conn.secretDefineXML(secret_xml(usage=ceph('x'))).UUIDString()
        path = f'{self.dir}/{uuid}.xml'
        with open(path) as f:
            text = f.read()
        with open(path, 'w') as f:
            f.write(text.replace("type='ceph'", "type='nothing known'"))
        self.restart()
        s = self.conn.secretLookupByUUIDString(uuid)
        with self.assertRaises(libvirt.libvirtError) as caught:
            s.XMLDesc()
        self.assertIn(f'{uuid}.xml', str(caught.exception))
        self.conn.secretDefineXML(secret_xml(uuid=uuid, usage=ceph('x')))
        self.assertIn('<name>x</name>', s.XMLDesc())

    def test_rules_look_at_what_a_secret_is_for(self):
        etc = os.path.join(self.directory, 'etc', 'libvirt')
        with open(f'{etc}/virtsecretd.conf', 'a') as f:
            f.write('access_drivers = [ "rules" ]\n')
        with open(f'{etc}/access.rules', 'w') as f:
            f.write('deny anyone secret:read_secure key=locked*\ndeny anyone secret:getattr key=unseen*\nallow anyone *\n')
        self.restart()
        for name in ('open', 'locked', 'unseen'):
            self.conn.secretDefineXML(secret_xml(usage=ceph(name))).setValue(name.encode())
        self.assertEqual(sorted(s.usageID() for s in self.conn.listAllSecrets()), ['locked', 'open'])
        find = self.conn.secretLookupByUsage
        self.assertEqual(find(libvirt.VIR_SECRET_USAGE_TYPE_CEPH, 'open').value(), b'open')
        self.assertLibvirtError(libvirt.VIR_ERR_ACCESS_DENIED, find(libvirt.VIR_SECRET_USAGE_TYPE_CEPH, 'locked').value)
        self.assertLibvirtError(libvirt.VIR_ERR_NO_SECRET, find, libvirt.VIR_SECRET_USAGE_TYPE_CEPH, 'unseen')

    def test_values_are_in_no_log(self):
        path = os.path.join(self.directory, 'etc', 'libvirt', 'virtsecretd.conf')
        with open(path, 'a') as f:
            f.write('log_level = 1\n')
        self.restart()
        s = self.conn.secretDefineXML(secret_xml())
        s.setValue(b'unspeakable')
        self.assertEqual(s.value(), b'unspeakable')
        self.assertLibvirtError(libvirt.VIR_ERR_INVALID_ARG, s.setValue, b'unspeakable', 1)
        s.undefine()
        with open(self.sandbox.log_path('virtsecretd'), 'rb') as f:
            log = f.read()
        self.assertIn(b'secret_set_value', log)
        for word in (b'unspeakable', base64.b64encode(b'unspeakable'), b'unspeakable'.hex().encode()):
            self.assertNotIn(word, log)


if __name__ == '__main__':
    unittest.main()
