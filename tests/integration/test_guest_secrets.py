# SPDX-License-Identifier: LGPL-2.1-or-later
"""Secrets that guests need: passphrases of disks and of a TPM's state, from virtsecretd to the emulator."""
import base64
import glob
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import unittest
import uuid as uuid_module

import libvirt

import pki
from harness import OwnSandbox, domain_xml, memory_of, run, unique, virsh, wait_for
from network import free_port

WORD = 'correct horse battery staple'
USB = "<controller type='usb' model='qemu-xhci'/>"  # disks on it go without a word from the guest


def encrypted(path, secret, kind='raw', dst='vda', bus='virtio'):
    return (f"<disk type='file' device='disk'><driver name='qemu' type='{kind}'/><source file='{path}'>"
            f"<encryption format='luks'><secret type='passphrase' {secret}/></encryption></source>"
            f"<target dev='{dst}' bus='{bus}'/></disk>")


class GuestSecrets(OwnSandbox):
    def setUp(self):
        super().setUp()
        self.sandbox.start()
        os.chmod(self.directory, 0o755)
        self.conn = self.connect()

    def secret(self, value=WORD, usage='volume', name=None, private='no'):
        element = {'volume': 'volume', 'iscsi': 'target'}.get(usage, 'name')
        name = name or '/' + unique('use')
        s = self.conn.secretDefineXML(f"<secret ephemeral='no' private='{private}'><usage type='{usage}'>"
                                      f"<{element}>{name}</{element}></usage></secret>")
        if value is not None:
            s.setValue(value.encode())
        return s

    def image(self, kind='luks', word=WORD):
        path = os.path.join(self.directory, unique('image'))
        with open(path + '.word', 'w') as f:
            f.write(word)
        how = ['key-secret=s,iter-time=10'] if kind == 'luks' else ['encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10']
        run(['qemu-img', 'create', '-q', '--object', f'secret,id=s,file={path}.word', '-f', kind, '-o', *how, path, '4M'])
        os.unlink(path + '.word')
        return path

    def guest(self, devices, **how):
        return self.conn.defineXML(domain_xml(self.guest_name('sealed'), devices=devices, **how))

    def nodes(self, d):
        done = virsh('qemu-monitor-command', d.name(), '{"execute":"query-named-block-nodes"}')
        return {n['node-name']: n for n in json.loads(done)['return']}

    def assertNotWritten(self, *words):
        """No value is in any file that a daemon or an emulator wrote, nor on any command line."""
        forms = [f for w in words for f in (w.encode(), base64.b64encode(w.encode()))]
        for path in glob.glob(self.directory + '/**', recursive=True):
            if not os.path.isfile(path):
                continue
            with open(path, 'rb') as f:
                text = f.read()
            self.assertFalse([f for f in forms if f in text], path)
        for path in glob.glob('/proc/[0-9]*/cmdline'):
            try:
                with open(path, 'rb') as f:
                    text = f.read()
            except OSError:
                continue
            self.assertFalse([f for f in forms if f in text], text)

    def test_encrypted_disks(self):
        """Raw and in qcow2, by uuid and by usage, a private secret: the emulator opens them."""
        s = self.secret(private='yes')
        by_uuid, by_usage = f"uuid='{s.UUIDString()}'", f"usage='{s.usageID()}'"
        d = self.guest(encrypted(self.image(), by_uuid) + encrypted(self.image('qcow2'), by_usage, 'qcow2', 'sda', 'usb') + USB)
        self.assertLibvirtError(libvirt.VIR_ERR_INVALID_SECRET, s.value)
        d.create()
        drivers = sorted(n['drv'] for n in self.nodes(d).values() if n['drv'] != 'file')
        self.assertEqual(drivers, ['luks', 'qcow2'])
        self.assertTrue(all(n['encrypted'] for n in self.nodes(d).values() if n['drv'] == 'qcow2'))
        self.assertNotWritten(WORD)
        for form in (WORD.encode(), base64.b64encode(WORD.encode())):
            for region, bytes_ in memory_of(self.sandbox.daemons['virtqemud'].pid):
                self.assertNotIn(form, bytes_, region)
        # The next daemon knows no more, and need not.
        child = self.sandbox.daemons.pop('virtqemud')
        child.kill()
        child.wait(120)
        self.sandbox.start_daemon('virtqemud')
        wait_for('the daemon', lambda: virsh('domstate', d.name(), check=False)[0] == 0)
        virsh('detach-disk', d.name(), 'sda')
        wait_for('the disk to go', lambda: 'qcow2' not in [n['drv'] for n in self.nodes(d).values()])

    def test_what_is_wrong_is_told(self):
        path, there = self.image(), self.secret('another word')
        empty, other = self.secret(None), self.secret(usage='ceph')
        missing = str(uuid_module.uuid4())
        for secret, code, *words in (
                (f"uuid='{there.UUIDString()}'", libvirt.VIR_ERR_INTERNAL_ERROR, 'Invalid password'),
                (f"uuid='{missing}'", libvirt.VIR_ERR_NO_SECRET, missing, "disk 'vda'", 'virtsecretd'),
                ("usage='/no/such'", libvirt.VIR_ERR_NO_SECRET, '/no/such', "disk 'vda'", 'virtsecretd'),
                (f"uuid='{empty.UUIDString()}'", libvirt.VIR_ERR_NO_SECRET, empty.UUIDString(), 'does not have a value'),
                (f"uuid='{other.UUIDString()}'", libvirt.VIR_ERR_INVALID_ARG, other.UUIDString(), "type 'ceph'")):
            with self.subTest(secret=secret):
                d = self.guest(encrypted(path, secret))
                e = self.assertLibvirtError(code, d.create)
                for word in words:
                    self.assertIn(word, str(e))
                self.assertFalse(d.isActive())
        child = self.sandbox.daemons.pop('virtsecretd')
        child.terminate()
        child.wait(120)
        d = self.guest(encrypted(path, f"uuid='{there.UUIDString()}'"))
        e = self.assertLibvirtError(libvirt.VIR_ERR_NO_CONNECT, d.create)
        for word in (there.UUIDString(), "disk 'vda'", 'virtsecretd.socket'):
            self.assertIn(word, str(e))
        self.sandbox.start_daemon('virtsecretd')

    def test_hotplug(self):
        s, path = self.secret(), self.image()
        d = self.guest(USB)
        d.create()
        disk = encrypted(path, f"uuid='{s.UUIDString()}'", dst='sda', bus='usb')
        for _ in range(2):
            d.attachDeviceFlags(disk)
            self.assertIn('luks', [n['drv'] for n in self.nodes(d).values()])
            objects = virsh('qemu-monitor-command', d.name(), '{"execute":"qom-list","arguments":{"path":"/objects"}}')
            self.assertIn('encryption-secret0', objects)
            virsh('detach-disk', d.name(), 'sda')
            wait_for('the disk to go', lambda: 'luks' not in [n['drv'] for n in self.nodes(d).values()])
            objects = virsh('qemu-monitor-command', d.name(), '{"execute":"qom-list","arguments":{"path":"/objects"}}')
            self.assertNotIn('encryption-secret0', objects)
        missing = str(uuid_module.uuid4())
        e = self.assertLibvirtError(libvirt.VIR_ERR_NO_SECRET, d.attachDeviceFlags, encrypted(path, f"uuid='{missing}'"))
        self.assertIn(missing, str(e))
        self.assertIn("disk 'vda'", str(e))
        self.assertNotWritten(WORD)

    def test_plan(self):
        s = self.secret()
        path = self.xml_file(domain_xml('paper', devices=encrypted(self.image(), f"uuid='{s.UUIDString()}'")))
        tool = os.path.join(self.sandbox.build, 'tools', 'modvirt', 'modvirt')
        env = {'MODVIRT_ROOT': self.sandbox.dir, 'MODVIRT_MODULE_DIR': os.path.join(self.sandbox.build, 'drivers', 'qemu')}
        plan = json.loads(run([tool, 'plan', '--json', path], env=env)[1])
        steps = {step['name']: step['does'] for step in plan['steps']}
        self.assertEqual(steps['secrets'], [f"ask virtsecretd for the secret with uuid '{s.UUIDString()}', for disk 'vda'"])
        self.assertEqual(plan['refused'], [])

    def test_a_hung_daemon_of_secrets_is_in_nobodys_way(self):
        s, other = self.secret(), self.guest('')
        d = self.guest(encrypted(self.image(), f"uuid='{s.UUIDString()}'"))
        pid = self.sandbox.daemons['virtsecretd'].pid
        failed = []

        def start():
            try:
                d.create()
            except libvirt.libvirtError as e:
                failed.append(e)

        os.kill(pid, signal.SIGSTOP)
        try:
            waiting = threading.Thread(target=start)
            waiting.start()
            wait_for('the start to ask', lambda: 'virtsecretd' in run(
                [os.path.join(self.sandbox.build, 'tools', 'modvirt', 'modvirt'), 'calls'], check=False)[1] or not waiting.is_alive())
            # Its guest is busy; what else there is, is not.
            c = self.connect()
            self.assertEqual(len(c.listAllDomains()), 2)
            self.assertIn('<domain', c.lookupByName(d.name()).XMLDesc())
            c.lookupByName(other.name()).create()
            self.assertTrue(c.lookupByName(other.name()).isActive())
        finally:
            os.kill(pid, signal.SIGCONT)
        waiting.join(120)
        # It went on, or gave up in time and said why; either way the guest is whole.
        if failed:
            self.assertIn('virtsecretd did not answer', str(failed[0]))
            d.create()
        self.assertTrue(d.isActive())

    @unittest.skipUnless(shutil.which('swtpm') and shutil.which('swtpm_setup'), 'needs swtpm')
    def test_state_of_a_tpm(self):
        s = self.secret(usage='vtpm', private='yes')
        d = self.guest(f"<tpm model='tpm-crb'><backend type='emulator' version='2.0'><encryption secret='{s.UUIDString()}'/>"
                       "</backend></tpm>", extra='')
        d.create()
        self.assertNotWritten(WORD)
        d.destroy()
        s.setValue(b'no longer the same')
        self.assertRaises(libvirt.libvirtError, d.create)
        s.setValue(WORD.encode())
        d.create()
        d.destroy()
        s.undefine()
        e = self.assertLibvirtError(libvirt.VIR_ERR_NO_SECRET, d.create)
        self.assertIn('the TPM', str(e))


@unittest.skipUnless(pki.available() and shutil.which('qemu-nbd'), 'needs certtool and qemu-nbd')
class Certificates(OwnSandbox):
    """Keys of certificates that are encrypted, with a password that qemu.conf names for all uses of TLS."""
    def setUp(self):
        super().setUp()
        self.uuid = str(uuid_module.uuid4())
        conf, certs = (os.path.join(self.directory, 'etc', *words) for words in (('libvirt',), ('pki', 'qemu')))
        os.makedirs(conf)
        os.makedirs(certs)
        with open(os.path.join(conf, 'qemu.conf'), 'w') as f:
            f.write(f'chardev_tls = 1\nnbd_tls = 1\nvnc_tls = 1\ndefault_tls_x509_secret_uuid = "{self.uuid}"\n')
        self.pki = pki.Pki(os.path.join(self.directory, 'pki'))
        made = {'server': self.pki.server(), 'client': (self.pki.path('client.pem'), self.pki.path('client.key'))}
        self.pki.client()
        shutil.copy(self.pki.ca, os.path.join(certs, 'ca-cert.pem'))
        for what, (cert, key) in made.items():
            shutil.copy(cert, os.path.join(certs, what + '-cert.pem'))
            pki.certtool('--to-p8', '--load-privkey', key, '--password', WORD, '--pkcs-cipher', 'aes-256', '--outfile',
                         os.path.join(certs, what + '-key.pem'))
        self.sandbox.start()
        self.conn = self.connect()
        self.secret = self.conn.secretDefineXML(f"<secret ephemeral='no' private='yes'><uuid>{self.uuid}</uuid><usage type='tls'>"
                                                "<name>keys</name></usage></secret>")
        self.secret.setValue(WORD.encode())

    def served(self):
        """The port of an image that is served to whoever shows a certificate."""
        certs, port = os.path.join(self.directory, 'serving'), free_port()
        os.mkdir(certs)
        for source, name in (('ca.pem', 'ca-cert.pem'), ('server.pem', 'server-cert.pem'), ('server.key', 'server-key.pem')):
            shutil.copy(self.pki.path(source), os.path.join(certs, name))
        image = os.path.join(self.directory, 'served')
        with open(image, 'wb') as f:
            f.truncate(1 << 20)
        server = subprocess.Popen(['qemu-nbd', '--object', f'tls-creds-x509,id=t,dir={certs},endpoint=server,verify-peer=on',
                                   '--tls-creds', 't', '-b', '127.0.0.1', '-p', str(port), '-t', '-f', 'raw', '-x', 'disk', image],
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)

        def listens():
            with socket.socket() as s:
                return s.connect_ex(('127.0.0.1', port)) == 0
        wait_for('the server', listens)
        return port

    def test_serial_disk_and_display(self):
        serial = free_port()
        d = self.conn.defineXML(domain_xml(self.guest_name('tls'), devices=(
            f"<serial type='tcp'><source mode='bind' host='127.0.0.1' service='{serial}'/><protocol type='raw'/></serial>"
            "<disk type='network' device='disk'><driver name='qemu' type='raw'/><source protocol='nbd' name='disk'>"
            f"<host name='localhost' port='{self.served()}'/></source><target dev='vda' bus='virtio'/></disk>"
            "<graphics type='vnc' autoport='yes' listen='127.0.0.1'/>")))
        d.create()
        with open(f'/proc/{self.emulator(d)}/cmdline', 'rb') as f:
            words = f.read()
        for alias in ('charserial0-secret0', 'objlibvirt-1-storage_tls0-secret0', 'vnc-tls-creds0-secret0'):
            self.assertIn(f'"passwordid":"{alias}"'.encode(), words)
        self.assertNotIn(WORD.encode(), words)
        # Only who has a certificate gets through.
        context = ssl.create_default_context(cafile=self.pki.ca)
        context.load_cert_chain(self.pki.path('client.pem'), self.pki.path('client.key'))
        with socket.create_connection(('127.0.0.1', serial), timeout=120) as s:
            with context.wrap_socket(s, server_hostname='localhost') as tls:
                self.assertTrue(tls.getpeercert())
        d.destroy()
        self.secret.setValue(b'another word')
        self.assertRaises(libvirt.libvirtError, d.create)
        self.secret.undefine()
        e = self.assertLibvirtError(libvirt.VIR_ERR_NO_SECRET, d.create)
        self.assertIn(self.uuid, str(e))
        self.assertIn('the certificate of', str(e))

    def emulator(self, d):
        with open(os.path.join(self.sandbox.run_dir, 'qemu', d.name() + '.pid')) as f:
            return f.read().strip()


if __name__ == '__main__':
    unittest.main()
