# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pools that a library speaks to, against servers of this host."""
import base64
import os
import shutil
import socket
import subprocess
import unittest
import xml.etree.ElementTree as ET

import libvirt
from harness import ON_PEER, PATIENCE, SLOW, TestCase, scratch, unique, uri, wait_for
from harness import virsh as plain_virsh
from network import free_port

TARGET = 'iqn.2024-01.org.example:disks'
INITIATOR = 'iqn.2020-01.org.example:me'


def virsh(*args, **how):
    return plain_virsh(*args, connect=uri(), **how)


class Network(TestCase):
    """Servers are at ADDRESS; their programs begin with the words of within."""
    ADDRESS = '127.0.0.1'
    within = ()

    def need(self, kind, *programs):
        """The pool's sort is built, and its server is installed."""
        path = os.environ.get('PATH', '') + ':/usr/sbin:/sbin'
        for program in programs:
            if not shutil.which(program, path=path):
                self.skipTest(f'{program} is not installed')
        caps = ET.fromstring(virsh('pool-capabilities'))
        if caps.find(f"pool[@type='{kind}']").get('supported') != 'yes':
            self.skipTest(f'built without pools of type {kind}')
        self.name = unique('pool')
        self.addCleanup(virsh, 'pool-undefine', self.name, check=False)
        self.addCleanup(virsh, 'pool-destroy', self.name, check=False)

    def start(self, *command, **env):
        log = open(os.path.join(scratch(), unique('log')), 'wb')
        self.addCleanup(log.close)
        child = subprocess.Popen([*self.within, *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, **env})

        def end():
            child.kill()
            child.wait(timeout=PATIENCE)
        self.addCleanup(end)
        return child, end

    def tool(self, *argv):
        done = subprocess.run([*self.within, *argv], capture_output=True, text=True, timeout=PATIENCE * SLOW)
        self.assertEqual(done.returncode, 0, f'{argv}: {done.stderr}')
        return done.stdout

    def fails(self, *args):
        status, _, err = virsh(*args, check=False)
        self.assertNotEqual(status, 0, args)
        return err

    def define(self, xml):
        virsh('pool-define', self.xml_file(xml))

    def volumes(self):
        return virsh('vol-list', self.name).split()[::2]


class IscsiServer(Network):
    """tgt serves files without the kernel's help."""

    def serve(self):
        self.need('iscsi-direct', 'tgtd', 'tgtadm')
        self.port = free_port()
        self.env = {'TGT_IPC_SOCKET': os.path.join(scratch(), unique('tgt'))}
        _, self.stop_server = self.start('tgtd', '-f', '--iscsi', f'portal={self.ADDRESS}:{self.port}', **self.env)
        wait_for('tgtd', lambda: self.admin('--op', 'show', '--mode', 'target', check=False) == 0)
        self.admin('--op', 'new', '--mode', 'target', '--tid', '1', '-T', TARGET)
        self.disks = []
        for lun, mib in ((1, 4), (2, 2)):
            path = os.path.join(scratch(), unique('lun'))
            with open(path, 'wb') as f:
                f.write(os.urandom(mib << 20))
            self.disks.append(path)
            self.admin('--op', 'new', '--mode', 'logicalunit', '--tid', '1', '--lun', str(lun), '-b', path)
        self.admin('--op', 'bind', '--mode', 'target', '--tid', '1', '-I', 'ALL')

    def admin(self, *args, check=True):
        done = subprocess.run(['tgtadm', '--lld', 'iscsi', *args], capture_output=True, text=True, timeout=PATIENCE * SLOW,
                              env={**os.environ, **self.env})
        if check and done.returncode:
            self.fail(f'tgtadm {args}: {done.stderr}')
        return done.returncode

    def xml(self, auth='', target=TARGET):
        return (f"<pool type='iscsi-direct'><name>{self.name}</name><source><host name='{self.ADDRESS}' port='{self.port}'/>"
                f"<device path='{target}'/>{auth}<initiator><iqn name='{INITIATOR}'/></initiator></source></pool>")


class IscsiDirect(IscsiServer):
    def setUp(self):
        super().setUp()
        self.serve()

    def test_units(self):
        self.define(self.xml())
        virsh('pool-start', self.name)
        self.assertEqual(self.volumes(), ['unit:0:0:0', 'unit:0:0:1', 'unit:0:0:2'])
        path = f'ip-127.0.0.1:{self.port}-iscsi-{TARGET}-lun-1'
        v = ET.fromstring(virsh('vol-dumpxml', 'unit:0:0:1', '--pool', self.name))
        self.assertEqual((v.get('type'), v.findtext('key'), v.findtext('target/path')), ('network', path, path))
        self.assertIsNone(v.find('target/format'))
        if not ON_PEER:                           # which counts one block less
            self.assertEqual(v.findtext('capacity'), str(4 << 20))
            self.assertEqual(ET.fromstring(virsh('pool-dumpxml', self.name)).findtext('capacity'), str(6 << 20))
        self.assertEqual(virsh('vol-name', path).strip(), 'unit:0:0:1')
        self.assertRegex(virsh('pool-info', self.name, '--bytes'), r'Available: +0\n')
        virsh('vol-wipe', 'unit:0:0:1', '--pool', self.name)
        with open(self.disks[0], 'rb') as f:
            self.assertEqual(f.read(1 << 20), bytes(1 << 20))
        for wrong in (('vol-wipe', 'unit:0:0:1', '--pool', self.name, '--algorithm', 'random'),
                      ('vol-delete', 'unit:0:0:1', '--pool', self.name), ('vol-create-as', self.name, 'x', '1M'),
                      ('vol-download', 'unit:0:0:1', '/dev/null', '--pool', self.name),
                      ('vol-resize', 'unit:0:0:1', '1G', '--pool', self.name), ('pool-build', self.name),
                      ('vol-clone', 'unit:0:0:1', 'y', '--pool', self.name)):
            self.fails(*wrong)
        self.admin('--op', 'delete', '--mode', 'logicalunit', '--tid', '1', '--lun', '2')
        virsh('pool-refresh', self.name)
        self.assertEqual(self.volumes(), ['unit:0:0:0', 'unit:0:0:1'])
        virsh('pool-destroy', self.name)
        virsh('pool-build', self.name)            # there is nothing to do

    def test_sources(self):
        found = ET.fromstring(virsh('find-storage-pool-sources-as', 'iscsi-direct', '127.0.0.1', str(self.port),
                                    '--initiator', INITIATOR))
        self.assertEqual([(s.find('device').get('path'), s.find('initiator/iqn').get('name')) for s in found],
                         [(TARGET, INITIATOR)])
        self.assertIn('initiator', self.fails('find-storage-pool-sources-as', 'iscsi-direct', '127.0.0.1'))
        self.assertIn('hostname', self.fails('find-storage-pool-sources', 'iscsi-direct'))

    def test_what_is_not_there(self):
        self.define(self.xml(target='iqn.none:x'))
        self.assertIn('Failed to login', self.fails('pool-start', self.name))
        virsh('pool-undefine', self.name)
        self.define(self.xml())
        virsh('pool-start', self.name)
        self.stop_server()
        self.assertIn('Failed to connect', self.fails('pool-refresh', self.name))
        self.assertIn('unit:0:0:1', self.volumes())  # as of the last refresh

    def test_password(self):
        secret = self.connect().secretDefineXML(
            f"<secret ephemeral='yes' private='yes'><usage type='iscsi'><target>{self.name}</target></usage></secret>")
        self.addCleanup(secret.undefine)
        self.admin('--op', 'new', '--mode', 'account', '--user', 'me', '--password', 'geheim-12345')
        self.admin('--op', 'bind', '--mode', 'account', '--tid', '1', '--user', 'me')
        self.define(self.xml())
        self.assertIn('Failed to login', self.fails('pool-start', self.name))
        virsh('pool-undefine', self.name)
        self.define(self.xml(f"<auth type='chap' username='me'><secret usage='{self.name}'/></auth>"))
        self.fails('pool-start', self.name)       # it has no value
        secret.setValue(b'wrong-1234567')
        self.assertIn('Failed to login', self.fails('pool-start', self.name))
        secret.setValue(b'geheim-12345')
        virsh('pool-start', self.name)
        self.assertIn('unit:0:0:2', self.volumes())
        virsh('pool-refresh', self.name)


class CephServer(Network):
    """A Ceph of one monitor and one disk in memory."""

    def serve(self):
        self.need('rbd', 'ceph-mon', 'ceph-osd', 'ceph-authtool', 'monmaptool', 'ceph', 'rbd')
        self.dir = os.path.join(scratch(), unique('ceph'))
        for d in ('', 'mon', 'osd', 'run'):
            os.mkdir(os.path.join(self.dir, d))
        self.conf, self.ring = os.path.join(self.dir, 'ceph.conf'), os.path.join(self.dir, 'keyring')
        self.port = free_port()
        fsid = '6c3fd1a2-0b0c-4d0e-8f5a-0123456789ab'
        with open(self.conf, 'w') as f:
            f.write(f"""[global]
fsid = {fsid}
mon host = v1:{self.ADDRESS}:{self.port}
run dir = {self.dir}/run
admin socket = {self.dir}/run/$name.sock
log file = {self.dir}/$name.log
keyring = {self.ring}
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
osd pool default size = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data avail crit = 1
osd objectstore = memstore
memstore device bytes = 268435456
ms bind msgr2 = false
public addr = {self.ADDRESS}
cluster addr = {self.ADDRESS}
[mon.a]
mon data = {self.dir}/mon
[osd.0]
osd data = {self.dir}/osd
""")
        self.tool('ceph-authtool', '--create-keyring', self.ring, '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *')
        self.tool('ceph-authtool', self.ring, '--gen-key', '-n', 'client.admin', '--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *')
        self.tool('ceph-authtool', self.ring, '--gen-key', '-n', 'osd.0', '--cap', 'mon', 'allow profile osd', '--cap', 'osd', 'allow *')
        self.tool('monmaptool', '--create', '--addv', 'a', f'[v1:{self.ADDRESS}:{self.port}]', '--fsid', fsid, self.dir + '/map')
        self.tool('ceph-mon', '-c', self.conf, '--mkfs', '-i', 'a', '--monmap', self.dir + '/map', '--keyring', self.ring)
        _, self.stop_server = self.start('ceph-mon', '-c', self.conf, '-i', 'a', '-f')
        disk = '0f6d1c0e-7e30-4f0e-9f3a-0123456789ab'
        self.ceph('osd', 'new', disk, '0')
        self.tool('ceph-osd', '-c', self.conf, '-i', '0', '--mkfs', '--osd-uuid', disk)
        self.start('ceph-osd', '-c', self.conf, '-i', '0', '-f')
        self.ceph('osd', 'pool', 'create', 'disks', '8')
        self.tool('rbd', '-c', self.conf, 'pool', 'init', 'disks')
        self.key = self.ceph('auth', 'get-key', 'client.admin').strip()

    def ceph(self, *argv):
        return self.tool('ceph', '-c', self.conf, *argv)

    def define_pool(self):
        """Returns its secret."""
        secret = self.connect().secretDefineXML(
            f"<secret ephemeral='yes' private='yes'><usage type='ceph'><name>{self.name}</name></usage></secret>")
        self.addCleanup(secret.undefine)
        secret.setValue(base64.b64decode(self.key))
        self.define(f"<pool type='rbd'><name>{self.name}</name><source><name>disks</name><host name='{self.ADDRESS}' port='{self.port}'/>"
                    f"<auth type='ceph' username='admin'><secret usage='{self.name}'/></auth></source></pool>")
        return secret


class Rbd(CephServer):
    def setUp(self):
        super().setUp()
        self.serve()

    def images(self):
        return self.tool('rbd', '-c', self.conf, 'ls', 'disks').split()

    def test_images(self):
        secret = self.define_pool()
        virsh('pool-start', self.name)
        virsh('vol-create-as', self.name, 'one', '8M')
        self.assertEqual(self.images(), ['one'])
        v = ET.fromstring(virsh('vol-dumpxml', 'one', '--pool', self.name))
        self.assertEqual((v.get('type'), v.findtext('key'), v.findtext('target/path'), v.findtext('capacity')),
                         ('network', 'disks/one', 'disks/one', str(8 << 20)))
        self.assertEqual(virsh('vol-name', 'disks/one').strip(), 'one')
        data = os.path.join(scratch(), unique('data'))
        with open(data, 'wb') as f:
            f.write(os.urandom(1 << 20))
        self.tool('rbd', '-c', self.conf, 'import', data, 'disks/by-itself')
        virsh('pool-refresh', self.name)
        self.assertEqual(self.volumes(), ['by-itself', 'one'])
        virsh('vol-clone', 'by-itself', 'copy', '--pool', self.name)
        back = os.path.join(scratch(), unique('data'))
        self.tool('rbd', '-c', self.conf, 'export', 'disks/copy', back)
        with open(data, 'rb') as a, open(back, 'rb') as b:
            self.assertEqual(a.read(), b.read())
        virsh('vol-resize', 'one', '16M', '--pool', self.name)
        self.assertRegex(virsh('vol-info', 'one', '--pool', self.name, '--bytes'), rf'Capacity: +{16 << 20}')
        virsh('vol-wipe', 'copy', '--pool', self.name)
        os.unlink(back)
        self.tool('rbd', '-c', self.conf, 'export', 'disks/copy', back)
        with open(back, 'rb') as f:
            self.assertEqual(f.read(), bytes(1 << 20))
        self.fails('vol-download', 'one', back, '--pool', self.name)
        self.fails('vol-delete', 'by-itself', '--pool', self.name)   # it has a snapshot, which the copy needs
        virsh('vol-delete', 'copy', '--pool', self.name)
        virsh('vol-delete', 'by-itself', '--pool', self.name, '--delete-snapshots')
        virsh('vol-delete', 'one', '--pool', self.name)
        self.assertEqual((self.images(), self.volumes()), ([], []))
        virsh('pool-destroy', self.name)
        secret.setValue(b'not the key of anybody')
        self.fails('pool-start', self.name)


SERVER = """
for d in /var/lib/glusterd /var/log/glusterfs /run; do mkdir -p $d && mount -t tmpfs none $d || exit 1; done
mkdir /run/gluster
glusterd --no-daemon &
until gluster --mode=script pool list >/dev/null 2>&1; do sleep 0.2; kill -0 $! || exit 1; done
gluster --mode=script volume create $1 $2 force && gluster --mode=script volume start $1 || exit 1
wait
"""


def own_address():
    """One of this host that others could use; Gluster takes no other."""
    words = subprocess.run(['hostname', '-I'], capture_output=True, text=True, timeout=10).stdout.split()
    return next((w for w in words if '.' in w), None)


class GlusterServer(Network):
    def serve(self, kind='gluster'):
        self.need(kind, 'glusterd', 'gluster', 'unshare')
        self.address = self.ADDRESS if self.within else own_address()
        if not self.address or os.geteuid():
            self.skipTest('needs root and an address of this host')
        with socket.socket() as s:
            if not self.within and s.connect_ex((self.address, 24007)) == 0:
                self.skipTest('another glusterd is running')
        self.volume = unique('vol').replace('-', '')
        self.brick = os.path.join(scratch(), unique('brick'))
        os.mkdir(self.brick)
        # With the first process of the namespace all others end.
        child, _ = self.start('unshare', '-m', '-p', '-f', '--kill-child', '--mount-proc', '--propagation', 'private', 'sh', '-c',
                              SERVER, 'sh', self.volume, f'{self.address}:{self.brick}')
        wait_for('the volume', lambda: child.poll() is not None or 'Started' in self.said('volume', 'info', self.volume), seconds=90)
        if child.poll() is not None:
            self.skipTest('no volume can be made here')

    def said(self, *args):
        return subprocess.run([*self.within, 'gluster', '--mode=script', f'--remote-host={self.address}', '--log-file=/dev/null', *args],
                              capture_output=True, text=True, timeout=120).stdout

    def define_pool(self):
        self.define(f"<pool type='gluster'><name>{self.name}</name><source><host name='{self.address}'/><dir path='/'/>"
                    f"<name>{self.volume}</name></source></pool>")
        # A brick is there a little before it answers.
        wait_for('the brick', lambda: virsh('pool-start', self.name, check=False)[0] == 0, seconds=60)


class GlusterVolumes(GlusterServer):
    def setUp(self):
        super().setUp()
        self.serve()

    def test_files(self):
        found = ET.fromstring(virsh('find-storage-pool-sources-as', 'gluster', self.address))
        self.assertIn(self.volume, [s.findtext('name') for s in found])
        self.define_pool()
        self.assertEqual(self.volumes(), [])
        # No client with FUSE is needed: names are made where the brick is, as Gluster shows them.
        os.mkdir(os.path.join(self.brick, 'sub'))
        with open(os.path.join(self.brick, 'a b'), 'wb') as f:
            f.write(bytes(1 << 20))
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', os.path.join(self.brick, 'q'), '5M'], check=True, timeout=60)
        virsh('pool-refresh', self.name)
        volumes = {v.name(): ET.fromstring(v.XMLDesc()) for v in self.connect().storagePoolLookupByName(self.name).listAllVolumes()}
        base = f'gluster://{self.address}/{self.volume}/'
        self.assertEqual({n: (v.get('type'), v.findtext('target/path'), v.find('target/format').get('type')) for n, v in volumes.items()},
                         {'sub': ('netdir', base + 'sub', 'dir'), 'a b': ('network', base + 'a%20b', 'raw'),
                          'q': ('network', base + 'q', 'qcow2')})
        self.assertEqual([volumes[n].findtext('capacity') for n in ('a b', 'q')], [str(1 << 20), str(5 << 20)])
        self.assertRegex(virsh('pool-info', self.name), r'Capacity: +[1-9]')
        self.fails('vol-create-as', self.name, 'new', '1M')
        virsh('vol-delete', 'q', '--pool', self.name)
        self.assertFalse(os.path.exists(os.path.join(self.brick, 'q')))
        virsh('vol-delete', 'sub', '--pool', self.name)
        self.assertEqual(len(self.connect().storagePoolLookupByName(self.name).listVolumes()), 1)


if __name__ == '__main__':
    unittest.main()
