# SPDX-License-Identifier: LGPL-2.1-or-later
"""Encrypted volumes: made, copied, resized, with passphrases from virtsecretd.

Making a key of a passphrase costs seconds of a processor, on purpose: so there are few of them here.
"""
import json
import os
import re
import unittest
import uuid as uuid_module

import libvirt

from harness import OwnSandbox, loop_device, memory_of, run, virsh, wait_for

WORD = 'a passphrase of volumes'


class EncryptedVolumes(OwnSandbox):
    def setUp(self):
        super().setUp()
        self.sandbox.start()
        self.path = os.path.join(self.directory, 'pool')
        os.mkdir(self.path)
        virsh('pool-create-as', 'p', 'dir', '--target', self.path)
        self.conn = self.connect()
        self.pool = self.conn.storagePoolLookupByName('p')

    def secret(self, usage, value=WORD, kind='volume'):
        element = 'volume' if kind == 'volume' else 'name'
        s = self.conn.secretDefineXML(f"<secret private='yes'><usage type='{kind}'><{element}>{usage}</{element}></usage></secret>")
        if value is not None:
            s.setValue(value.encode())
        return s.UUIDString()

    def xml(self, name, kind, *secrets, encrypted=True):
        inner = ''.join(f"<secret type='passphrase' uuid='{s}'/>" for s in secrets)
        inner = f"<encryption format='luks'>{inner}</encryption>" if encrypted else ''
        return f"<volume><name>{name}</name><capacity unit='MiB'>4</capacity><target><format type='{kind}'/>{inner}</target></volume>"

    def opened(self, name, word=WORD):
        """What qemu-img finds behind the encryption with this word."""
        path = os.path.join(self.directory, 'word')
        with open(path, 'w') as f:
            f.write(word)
        top = os.path.join(self.path, name)
        kind = json.loads(run(['qemu-img', 'info', '-U', '--output=json', top])[1])['format']
        key = 'key-secret' if kind == 'luks' else 'encrypt.key-secret'
        out = os.path.join(self.directory, 'plain')
        status, _, err = run(['qemu-img', 'convert', '--object', f'secret,id=s,file={path}', '--image-opts',
                              f'driver={kind},{key}=s,file.filename={top}', '-O', 'raw', out], check=False, timeout=300)
        os.unlink(path)
        if status:
            return err
        with open(out, 'rb') as f:
            return f.read()

    def test_life(self):
        for kind in ('raw', 'qcow2'):
            with self.subTest(kind=kind):
                path = os.path.join(self.path, kind)
                s = self.secret(path)
                v = self.pool.createXML(self.xml(kind, kind, s))
                self.assertEqual(len(self.opened(kind)), 4 << 20)
                self.assertIn('Invalid password', self.opened(kind, 'another'))
                self.assertEqual(v.info()[1], 4 << 20)
                # The one for its path is told.
                self.assertRegex(v.XMLDesc(), rf"(?s)<encryption format='luks'>\s*<secret type='passphrase' uuid='{s}'/>")
                v.resize(8 << 20)
                self.assertEqual(len(self.opened(kind)), 8 << 20)
                self.assertEqual(v.info()[1], 8 << 20)
        for region, bytes_ in memory_of(self.sandbox.daemons['virtstoraged'].pid):
            self.assertNotIn(WORD.encode(), bytes_, region)
        for path, _, files in os.walk(self.directory):
            for name in files:
                if os.path.isfile(os.path.join(path, name)):
                    with open(os.path.join(path, name), 'rb') as f:
                        self.assertNotIn(WORD.encode(), f.read(), name)

    def test_copies_change_what_protects_them(self):
        s = self.secret(os.path.join(self.path, 'sealed'))
        text = os.urandom(1 << 16)
        plain = self.pool.createXML(self.xml('plain', 'raw', encrypted=False))
        with open(os.path.join(self.path, 'plain'), 'r+b') as f:
            f.write(text)
        sealed = self.pool.createXMLFrom(self.xml('sealed', 'raw', s), plain)
        self.assertEqual(self.opened('sealed')[:len(text)], text)
        with open(os.path.join(self.path, 'sealed'), 'rb') as f:
            self.assertNotIn(text[:64], f.read())
        self.pool.createXMLFrom(self.xml('open', 'raw', encrypted=False), sealed)
        with open(os.path.join(self.path, 'open'), 'rb') as f:
            self.assertEqual(f.read(len(text)), text)

    def test_on_a_server(self):
        """What a process apart does, which asks nobody for secrets: files of a network file system (mounted already)."""
        target = os.path.join(self.directory, 'net')
        os.mkdir(target)
        if run(['mount', '-t', 'tmpfs', 'tmpfs', target], check=False)[0]:
            self.skipTest('nothing can be mounted')
        self.addCleanup(run, ['umount', '-l', target], check=False)
        virsh('pool-define-as', 'n', 'netfs', '--source-host', 'h', '--source-path', '/x', '--target', target)
        virsh('pool-start', 'n')
        pool = self.conn.storagePoolLookupByName('n')
        first, second = self.secret(os.path.join(target, 'v')), self.secret(os.path.join(target, 'w'), 'another word')
        v = pool.createXML(self.xml('v', 'raw', first))
        self.assertEqual(len(self.opened(os.path.join(target, 'v'))), 4 << 20)
        v.resize(8 << 20)
        pool.createXMLFrom(self.xml('w', 'raw', second), v)
        self.assertEqual(len(self.opened(os.path.join(target, 'w'), 'another word')), 8 << 20)
        self.assertIn('Invalid password', self.opened(os.path.join(target, 'w')))

    def test_partitions(self):
        """A device does not say that it is encrypted: the daemon knows what it has made, and later who has a secret for it."""
        device = loop_device(self, 96)
        base = os.path.basename(device)
        virsh('pool-define-as', 'd', 'disk', '--source-dev', device, '--source-format', 'gpt', '--target', '/dev')
        virsh('pool-build', 'd')
        virsh('pool-start', 'd')
        disk = self.conn.storagePoolLookupByName('d')
        first, second = (self.secret(f'{device}p1'), self.secret(f'{device}p2', 'another word'))
        for kind, what in (('qcow2', self.xml(f'{base}p1', 'qcow2', first)),
                           ('luks', self.xml(f'{base}p1', 'none', first).replace("format='luks'", "format='qcow'"))):
            e = self.assertLibvirtError(libvirt.VIR_ERR_CONFIG_UNSUPPORTED, disk.createXML, what)
            self.assertIn(kind, str(e).lower())
        self.assertLibvirtError(libvirt.VIR_ERR_NO_SECRET, disk.createXML, self.xml(f'{base}p1', 'none', str(uuid_module.uuid4())))
        self.assertEqual(disk.listVolumes(), [])

        text = os.urandom(1 << 16)
        plain = self.pool.createXML(self.xml('plain', 'raw', encrypted=False))
        with open(os.path.join(self.path, 'plain'), 'r+b') as f:
            f.write(text)
        v = disk.createXMLFrom(self.xml(f'{base}p1', 'none', first), plain)
        self.assertEqual(self.opened(f'{device}p1')[:len(text)], text)
        self.assertGreaterEqual(len(self.opened(f'{device}p1')), 4 << 20)
        shown = rf"(?s)<encryption format='luks'>\s*<secret type='passphrase' uuid='{first}'/>"
        self.assertRegex(v.XMLDesc(), shown)
        self.assertGreaterEqual(v.info()[1], 4 << 20)
        size = v.info()[1]
        disk.refresh()
        self.assertRegex(v.XMLDesc(), shown)
        self.assertEqual(v.info()[1], size)

        # With another secret; after a restart, when the daemon knows of it by the secret only.
        disk.createXMLFrom(self.xml(f'{base}p2', 'none', second), v)
        self.assertEqual(self.opened(f'{device}p2', 'another word')[:len(text)], text)
        self.sandbox.stop_daemon('virtstoraged')
        self.sandbox.start_daemon('virtstoraged')
        conn = self.connect()
        self.pool = conn.storagePoolLookupByName('p')
        wait_for('the volumes', lambda: f'{base}p2' in conn.storagePoolLookupByName('d').listVolumes())
        v = conn.storageVolLookupByPath(f'{device}p2')
        self.pool.createXMLFrom(self.xml('open', 'raw', encrypted=False), v)
        with open(os.path.join(self.path, 'open'), 'rb') as f:
            self.assertEqual(f.read(len(text)), text)
        conn.secretLookupByUUIDString(second).undefine()
        self.pool.createXMLFrom(self.xml('sealed', 'raw', encrypted=False), v)
        self.assertEqual(self.opened('sealed', 'another word')[:len(text)], text)

    def test_what_is_wrong_is_told(self):
        path = os.path.join(self.path, 'v')
        good, empty, ceph = self.secret(path), self.secret('/empty', None), self.secret('c', kind='ceph')
        missing = str(uuid_module.uuid4())
        for secrets, code, *words in (((), libvirt.VIR_ERR_INVALID_ARG, 'A single'.lower()),
                                      ((good, ceph), libvirt.VIR_ERR_INVALID_ARG, 'a single'),
                                      ((ceph,), libvirt.VIR_ERR_INVALID_ARG, "of type 'ceph' not expected 'volume' type"),
                                      ((missing,), libvirt.VIR_ERR_NO_SECRET, missing, "volume 'v'"),
                                      ((empty,), libvirt.VIR_ERR_NO_SECRET, empty, 'does not have a value')):
            for kind in ('raw', 'qcow2'):
                with self.subTest(secrets=secrets, kind=kind):
                    e = self.assertLibvirtError(code, self.pool.createXML, self.xml('v', kind, *secrets))
                    for word in words:
                        self.assertIn(word, str(e))
                    self.assertEqual(os.listdir(self.path), [])
        self.assertLibvirtError(libvirt.VIR_ERR_CONFIG_UNSUPPORTED, self.pool.createXML, self.xml('v', 'vmdk', good))
        # Whose secret nobody knows is not touched.
        v = self.pool.createXML(self.xml('other', 'raw', good))
        e = self.assertLibvirtError(libvirt.VIR_ERR_NO_SECRET, v.resize, 8 << 20)
        self.assertIn(os.path.join(self.path, 'other'), str(e))
        self.assertNotRegex(v.XMLDesc(), re.compile('<secret'))


if __name__ == '__main__':
    unittest.main()
