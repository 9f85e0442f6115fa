# SPDX-License-Identifier: LGPL-2.1-or-later
"""Secrets: definitions, values, who may see them."""
import base64
import os
import unittest
import uuid as uuid_module

import libvirt

from harness import TestCase, rows, run_dir, scratch, start_event_loop, unique, uri, virsh, wait_for


def setUpModule():
    start_event_loop()


def secret_uri(readonly=False):
    """Where guests are, secrets are found, too, whichever daemon serves them."""
    return uri() + ('-ro' if readonly else '')


def secret_xml(uuid=None, usage='', ephemeral='no', private='no', description='for a test'):
    return (f"<secret ephemeral='{ephemeral}' private='{private}'>" + (f'<uuid>{uuid}</uuid>' if uuid else '') +
            f'<description>{description}</description>{usage}</secret>')


def ceph(name):
    return f"<usage type='ceph'><name>{name}</name></usage>"


class SecretCase(TestCase):
    def setUp(self):
        super().setUp()
        self.conn = self.connect(secret_uri())

    def define(self, **how):
        s = self.conn.secretDefineXML(secret_xml(**how))
        self.addCleanup(self.remove, s.UUIDString())
        return s

    def remove(self, uuid):
        c = libvirt.open(secret_uri())
        try:
            c.secretLookupByUUIDString(uuid).undefine()
        except libvirt.libvirtError:
            pass
        c.close()

    def mine(self, flags=0):
        return {s.UUIDString() for s in self.conn.listAllSecrets(flags)}


class Secrets(SecretCase):
    def test_life(self):
        name = unique('client')
        s = self.define(usage=ceph(name))
        self.assertEqual((s.usageType(), s.usageID()), (libvirt.VIR_SECRET_USAGE_TYPE_CEPH, name))
        self.assertIn(f'<name>{name}</name>', s.XMLDesc())
        self.assertEqual(self.conn.secretLookupByUUIDString(s.UUIDString()).usageID(), name)
        self.assertEqual(self.conn.secretLookupByUsage(libvirt.VIR_SECRET_USAGE_TYPE_CEPH, name).UUIDString(), s.UUIDString())
        self.assertIn(s.UUIDString(), self.conn.listSecrets())
        self.assertEqual(self.conn.numOfSecrets(), len(self.conn.listSecrets()))
        again = self.conn.secretDefineXML(secret_xml(uuid=s.UUIDString(), usage=ceph(name), description='other'))
        self.assertIn('<description>other</description>', again.XMLDesc())
        s.undefine()
        for call, *args in ((self.conn.secretLookupByUUIDString, s.UUIDString()), (s.XMLDesc,), (s.undefine,),
                            (self.conn.secretLookupByUsage, libvirt.VIR_SECRET_USAGE_TYPE_CEPH, name)):
            self.assertLibvirtError(libvirt.VIR_ERR_NO_SECRET, call, *args)

    def test_every_usage(self):
        for number, (kind, element) in enumerate((('volume', 'volume'), ('ceph', 'name'), ('iscsi', 'target'), ('tls', 'name'),
                                                  ('vtpm', 'name')), 1):
            with self.subTest(kind=kind):
                name = '/' + unique(kind)
                s = self.define(usage=f"<usage type='{kind}'><{element}>{name}</{element}></usage>")
                self.assertEqual((s.usageType(), s.usageID()), (number, name))
                self.assertEqual(self.conn.secretLookupByUsage(number, name).UUIDString(), s.UUIDString())

    def test_one_secret_for_one_thing(self):
        name = unique('client')
        s = self.define(usage=ceph(name))
        for how in ({}, {'uuid': str(uuid_module.uuid4())}):
            e = self.assertLibvirtError(libvirt.VIR_ERR_INTERNAL_ERROR, self.conn.secretDefineXML,
                                        secret_xml(usage=ceph(name), **how))
            self.assertIn(s.UUIDString(), str(e))
        # A secret is not turned to another use.
        self.assertLibvirtError(libvirt.VIR_ERR_INTERNAL_ERROR, self.conn.secretDefineXML,
                                secret_xml(uuid=s.UUIDString(), usage=ceph(name + 'x')))
        # What was refused has left nothing behind.
        other = self.define(usage=ceph(name + 'x'))
        other.undefine()
        s.undefine()
        self.define(usage=ceph(name))

    def test_values(self):
        s = self.define(usage=ceph(unique('client')))
        e = self.assertLibvirtError(libvirt.VIR_ERR_NO_SECRET, s.value)
        self.assertIn('does not have a value', str(e))
        for value in (b'x', b'with\0zero and \xff', os.urandom(65536)):
            s.setValue(value)
            self.assertEqual(s.value(), value)
        # A new definition keeps the value.
        self.conn.secretDefineXML(secret_xml(uuid=s.UUIDString(), usage=ceph(s.usageID()), description='new'))
        self.assertEqual(s.value(), value)
        uuid, name = s.UUIDString(), s.usageID()
        s.undefine()
        s = self.define(uuid=uuid, usage=ceph(name))
        self.assertLibvirtError(libvirt.VIR_ERR_NO_SECRET, s.value)

    def test_private_values_are_not_given(self):
        s = self.define(private='yes')
        s.setValue(b'hidden')
        self.assertLibvirtError(libvirt.VIR_ERR_INVALID_SECRET, s.value)
        self.assertLibvirtError(libvirt.VIR_ERR_INTERNAL_ERROR, self.conn.secretDefineXML, secret_xml(uuid=s.UUIDString()))
        self.assertLibvirtError(libvirt.VIR_ERR_INVALID_SECRET, s.value)

    def test_private_values_are_for_other_daemons(self):
        '''Who shows the token that only the host's daemons can read is one of them.'''
        s = self.define(private='yes')
        s.setValue(b'hidden')
        with open(os.path.join(run_dir(), 'common', 'system.token')) as f:
            token = f.read()
        for shown, known in (('0' * 32, False), (token, True)):
            c = self.connect(secret_uri())
            c.setIdentity({'user-name': 'root', 'unix-user-id': os.getuid(), 'system.token': shown})
            found = c.secretLookupByUUIDString(s.UUIDString())
            if known:
                self.assertEqual(found.value(), b'hidden')
            else:
                self.assertLibvirtError(libvirt.VIR_ERR_INVALID_SECRET, found.value)
        # What one connection is says nothing about another; readers get none, whatever they show.
        self.assertLibvirtError(libvirt.VIR_ERR_INVALID_SECRET, s.value)
        c = self.connect(secret_uri(readonly=True), readonly=True)
        try:
            c.setIdentity({'system.token': token})
        except libvirt.libvirtError:
            pass
        found = c.secretLookupByUUIDString(s.UUIDString())
        self.assertRaises(libvirt.libvirtError, found.value)

    def test_filters(self):
        kinds = {(e, p): self.define(ephemeral=e, private=p).UUIDString() for e in ('yes', 'no') for p in ('yes', 'no')}
        self.assertLessEqual(set(kinds.values()), self.mine())
        flags = {'--ephemeral': lambda e, p: e == 'yes', '--no-ephemeral': lambda e, p: e == 'no',
                 '--private': lambda e, p: p == 'yes', '--no-private': lambda e, p: p == 'no'}
        for first, a in flags.items():
            for second, b in flags.items():
                listed = {r[0] for r in rows(virsh('secret-list', *{first, second}, connect=secret_uri()))}
                # Two of one group: either. Of two groups: both.
                either = first.replace('no-', '') == second.replace('no-', '')
                wanted = {u for k, u in kinds.items() if (a(*k) or b(*k) if either else a(*k) and b(*k))}
                self.assertEqual(listed & set(kinds.values()), wanted, (first, second))

    def test_ephemeral_and_back(self):
        s = self.define(ephemeral='yes')
        s.setValue(b'passing')
        self.assertEqual(s.value(), b'passing')
        self.conn.secretDefineXML(secret_xml(uuid=s.UUIDString()))
        self.assertEqual(s.value(), b'passing')
        self.assertIn("ephemeral='no'", s.XMLDesc())
        self.conn.secretDefineXML(secret_xml(uuid=s.UUIDString(), ephemeral='yes'))
        self.assertEqual(s.value(), b'passing')
        self.assertIn("ephemeral='yes'", s.XMLDesc())

    def test_readonly(self):
        s = self.define(usage=ceph(unique('client')))
        s.setValue(b'x')
        for c in (self.connect(secret_uri(), readonly=True), self.connect(secret_uri(readonly=True))):
            seen = c.secretLookupByUUIDString(s.UUIDString())
            self.assertIn(s.usageID(), seen.XMLDesc())
            self.assertIn(s.UUIDString(), c.listSecrets())
            for call, *args in ((seen.value,), (seen.setValue, b'y'), (seen.undefine,), (c.secretDefineXML, secret_xml())):
                self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_DENIED, call, *args)
        self.assertEqual(s.value(), b'x')

    def test_events(self):
        s = self.define(usage=ceph(unique('client')))
        seen = []
        c = self.connect(secret_uri())
        there = c.secretLookupByUUIDString(s.UUIDString())
        ids = [c.secretEventRegisterAny(there, libvirt.VIR_SECRET_EVENT_ID_LIFECYCLE,
                                        lambda _, secret, event, detail, __: seen.append((secret.UUIDString(), event)), None),
               c.secretEventRegisterAny(None, libvirt.VIR_SECRET_EVENT_ID_VALUE_CHANGED,
                                        lambda _, secret, __: seen.append((secret.UUIDString(), 'value')), None)]
        s.setValue(b'x')
        self.define()                                       # of another secret nothing is heard
        s.undefine()
        wait_for('events', lambda: len(seen) == 2)
        self.assertEqual(seen, [(s.UUIDString(), 'value'), (s.UUIDString(), libvirt.VIR_SECRET_EVENT_UNDEFINED)])
        for i in ids:
            c.secretEventDeregisterAny(i)

    def test_virsh(self):
        def sh(*args, **how):
            return virsh(*args, connect=secret_uri(), **how)

        name, uuid = unique('client'), str(uuid_module.uuid4())
        self.addCleanup(self.remove, uuid)
        sh('secret-define', self.xml_file(secret_xml(uuid=uuid, usage=ceph(name))), '--validate')
        self.assertIn([uuid, f'ceph {name}'], rows(sh('secret-list')))
        self.assertIn(f'<uuid>{uuid}</uuid>', sh('secret-dumpxml', uuid))
        plain = os.path.join(scratch(), unique('value'))
        with open(plain, 'wb') as f:
            f.write(b'plain text')
        sh('secret-set-value', uuid, '--file', plain, '--plain')
        self.assertEqual(sh('secret-get-value', uuid, '--plain'), 'plain text')
        self.assertEqual(base64.b64decode(sh('secret-get-value', uuid)), b'plain text')
        sh('secret-set-value', uuid, '--base64', base64.b64encode(b'other').decode())
        self.assertEqual(sh('secret-get-value', uuid, '--plain'), 'other')
        with open(plain, 'wb') as f:
            f.write(base64.b64encode(b'third'))
        sh('secret-set-value', uuid, '--file', plain)
        self.assertEqual(sh('secret-get-value', uuid, '--plain'), 'third')
        self.assertIn('lifecycle', sh('secret-event', '--list'))
        sh('secret-undefine', uuid)
        status, _, err = sh('secret-dumpxml', uuid, check=False)
        self.assertNotEqual(status, 0)
        self.assertIn('Secret not found', err)


if __name__ == '__main__':
    unittest.main()
