# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pools of directories and their volumes, as typed and through the bindings."""
import os
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
import xml.etree.ElementTree as ET

import libvirt
from harness import ON_PEER, TestCase, loop_device, scratch, unique, uri, wait_for
from harness import virsh as plain_virsh


def storage_uri():
    """Where guests are, pools are found, too, whichever daemon serves them."""
    return uri()


def virsh(*args, **how):
    return plain_virsh(*args, connect=storage_uri(), **how)


class Storage(TestCase):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(scratch(), unique('pool'))
        os.mkdir(self.path, 0o755)
        self.name = unique('pool')

    def tearDown(self):
        virsh('pool-destroy', self.name, check=False)
        virsh('pool-undefine', self.name, check=False)
        super().tearDown()

    def pool(self):
        virsh('pool-define-as', self.name, 'dir', '--target', self.path)
        virsh('pool-start', self.name)
        return self.connect(storage_uri()).storagePoolLookupByName(self.name)

    def fails(self, *args):
        status, _, err = virsh(*args, check=False)
        self.assertNotEqual(status, 0, args)
        return err

    def file(self, name, content=b''):
        path = os.path.join(self.path, name)
        with open(path, 'wb') as f:
            f.write(content)
        return path


class Pools(Storage):
    def test_life(self):
        virsh('pool-define-as', self.name, 'dir', '--target', self.path)
        self.assertRegex(virsh('pool-list', '--all'), rf'{self.name} +inactive +no')
        virsh('pool-autostart', self.name)
        virsh('pool-start', self.name)
        self.assertRegex(virsh('pool-list'), rf'{self.name} +active +yes')
        self.assertIn('already active', self.fails('pool-start', self.name))
        self.assertIn('is still active', self.fails('pool-undefine', self.name))
        info = virsh('pool-info', self.name)
        for line in (r'State: +running', r'Persistent: +yes', r'Autostart: +yes', r'Capacity: +\d', r'Available: +\d'):
            self.assertRegex(info, line)
        virsh('pool-destroy', self.name)
        self.assertIn('is not active', self.fails('pool-refresh', self.name))
        virsh('pool-undefine', self.name)
        self.assertIn('no storage pool with matching name', self.fails('pool-info', self.name))

    def test_document(self):
        pool = self.pool()
        live = ET.fromstring(pool.XMLDesc())
        self.assertEqual((live.get('type'), live.findtext('target/path')), ('dir', self.path))
        self.assertEqual(live.findtext('target/permissions/mode'), '0755')
        self.assertGreater(int(live.findtext('capacity')), 0)
        inactive = ET.fromstring(pool.XMLDesc(libvirt.VIR_STORAGE_XML_INACTIVE))
        if not ON_PEER:                          # there, what was found is kept in the definition
            self.assertIsNone(inactive.find('target/permissions'))
        self.assertEqual(pool.UUIDString(), live.findtext('uuid'))
        conn = self.connect(storage_uri())
        self.assertEqual(conn.storagePoolLookupByTargetPath(self.path).name(), self.name)
        self.assertEqual(conn.storagePoolLookupByUUIDString(pool.UUIDString()).name(), self.name)

    def test_build_and_delete(self):
        target = os.path.join(self.path, 'deep', 'er')
        virsh('pool-define-as', self.name, 'dir', '--target', target)
        self.assertIn('No such file', self.fails('pool-start', self.name))
        virsh('pool-build', self.name)
        self.assertEqual(os.stat(target).st_mode & 0o777, 0o711)
        virsh('pool-start', self.name)
        virsh('pool-destroy', self.name)
        virsh('pool-delete', self.name)
        self.assertFalse(os.path.exists(target))

    @unittest.skipIf(ON_PEER, 'it has no lists beside other work')
    def test_nothing_is_left_of_a_pool_that_was_stopped_while_it_was_listed(self):
        for i in range(1500):
            self.file(f'f{i}')
        pool = self.pool()
        over = threading.Event()

        def lists():
            other = self.connect(storage_uri()).storagePoolLookupByName(self.name)
            while not over.is_set():
                try:
                    other.listVolumes()
                except libvirt.libvirtError:       # it is not active now
                    pass
        listers = [threading.Thread(target=lists) for _ in range(3)]
        for thread in listers:
            thread.start()
        found = []
        for i in range(5):
            self.file(f'new{i}')                   # the directory is looked at anew
            pool.destroy()
            if i == 4:
                over.set()
                for thread in listers:
                    thread.join()
            for j in (0, 750, 1499):
                try:
                    found.append(self.connect(storage_uri()).storageVolLookupByPath(os.path.join(self.path, f'f{j}')).name())
                except libvirt.libvirtError:
                    pass
            pool.create()
        self.assertEqual(found, [])

    def test_transient(self):
        virsh('pool-create-as', self.name, 'dir', '--target', self.path)
        with self.assertRaises(libvirt.libvirtError) as caught:
            self.connect(storage_uri()).storagePoolLookupByName(self.name).setAutostart(1)
        self.assertEqual(caught.exception.get_error_code(), libvirt.VIR_ERR_INTERNAL_ERROR)
        self.assertRegex(virsh('pool-info', self.name), r'Persistent: +no')
        self.assertIn('pool has no config file', self.fails('pool-autostart', self.name))
        virsh('pool-destroy', self.name)
        self.assertNotIn(self.name, virsh('pool-list', '--all'))

    def test_one_place_one_pool(self):
        self.pool()
        self.assertIn('Storage source conflict', self.fails('pool-define-as', unique('other'), 'dir', '--target', self.path))

    def test_filters(self):
        self.pool()
        conn = self.connect(storage_uri())

        def listed(flags):
            return self.name in [p.name() for p in conn.listAllStoragePools(flags)]
        self.assertTrue(listed(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE | libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_DIR))
        self.assertFalse(listed(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_LOGICAL))
        self.assertFalse(listed(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_TRANSIENT))
        self.assertFalse(listed(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART))
        self.assertIn(self.name, conn.listStoragePools())
        self.assertNotIn(self.name, conn.listDefinedStoragePools())

    def test_capabilities(self):
        caps = ET.fromstring(virsh('pool-capabilities'))
        self.assertEqual(caps.find("pool[@type='dir']").get('supported'), 'yes')
        self.assertIn('qcow2', [v.text for v in caps.findall("pool[@type='dir']/volOptions/enum/value")])

    @unittest.skipIf(ON_PEER, 'built with other libraries')
    def test_what_is_missing_is_named(self):
        self.assertIn('sheepdog', self.fails('pool-define-as', self.name, 'sheepdog', '--source-name', 'x', '--source-host', 'h'))


class FileSystems(Storage):
    """Pools on a loop device."""

    def device(self, mib, *programs):
        for program in programs:
            if not shutil.which(program, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin'):
                self.skipTest(f'{program} is not installed')
        return loop_device(self, mib)

    def check(self, kind, mib):
        device = self.device(mib, 'mkfs.' + kind, 'blkid')
        target = os.path.join(self.path, 'mnt')
        self.addCleanup(subprocess.run, ['umount', '-q', target], timeout=10)
        virsh('pool-define-as', self.name, 'fs', '--source-dev', device, '--source-format', kind, '--target', target)
        virsh('pool-build', self.name, '--no-overwrite')
        self.fails('pool-build', self.name, '--no-overwrite')
        virsh('pool-start', self.name)
        with open('/proc/self/mountinfo') as f:
            mounted = [line for line in f if f' {target} ' in line]
        self.assertEqual(len(mounted), 1)
        for word in ('nodev', 'nosuid', 'noexec', f' {kind} '):
            self.assertIn(word, mounted[0])
        virsh('vol-create-as', self.name, 'v', '1M')
        virsh('vol-create-as', self.name, 'q', '1M', '--format', 'qcow2')
        self.assertIn('v', virsh('vol-list', self.name).split())
        self.assertIn('q', os.listdir(target))
        virsh('pool-destroy', self.name)
        with open('/proc/self/mountinfo') as f:
            self.assertNotIn(f' {target} ', f.read())
        virsh('pool-start', self.name)
        self.assertIn('v', virsh('vol-list', self.name).split())
        self.build_again(['lost+found'] if kind == 'ext4' else [])

    def build_again(self, volumes):
        """What is there is kept, unless it is said that it may go."""
        virsh('pool-destroy', self.name)
        self.fails('pool-build', self.name, '--overwrite', '--no-overwrite')
        self.assertIn('already', self.fails('pool-build', self.name, '--no-overwrite'))
        self.assertIn('already', self.fails('pool-start', self.name, '--build', '--no-overwrite'))
        virsh('pool-start', self.name)
        self.assertNotEqual(virsh('vol-list', self.name).split()[::2], volumes)
        virsh('pool-destroy', self.name)
        virsh('pool-build', self.name, '--overwrite')
        virsh('pool-start', self.name)
        self.assertEqual(virsh('vol-list', self.name).split()[::2], volumes)
        virsh('pool-destroy', self.name)
        virsh('pool-start', self.name, '--build', '--overwrite')

    @unittest.skipIf(ON_PEER, 'the stock daemon mounts over what is mounted')
    def test_looks_at_servers_are_processes(self):
        """What a server would show is mounted already."""
        target = os.path.join(self.path, 'mnt')
        os.mkdir(target)
        if subprocess.run(['mount', '-t', 'tmpfs', 'server', target], timeout=120).returncode:
            self.skipTest('nothing can be mounted')
        self.addCleanup(subprocess.run, ['umount', '-q', target], timeout=10)
        virsh('pool-define-as', self.name, 'netfs', '--source-host', 'h', '--source-path', '/x', '--source-format', 'nfs',
              '--target', target)
        virsh('pool-start', self.name)
        virsh('vol-create-as', self.name, 'v', '1M')
        virsh('vol-create-as', self.name, 'q', '1M', '--format', 'qcow2')
        v = ET.fromstring(virsh('vol-dumpxml', 'q', '--pool', self.name))
        self.assertEqual((v.findtext('capacity'), v.find('target/format').get('type'), v.findtext('target/permissions/mode')),
                         (str(1 << 20), 'qcow2', '0600'))
        with open(os.path.join(target, 'by-itself'), 'w'):
            pass
        wait_for('the file to be a volume', lambda: virsh('vol-name', os.path.join(target, 'by-itself'), check=False)[0] == 0)
        self.assertIn('no storage vol', self.fails('vol-info', os.path.join(target, 'none')))
        os.unlink(os.path.join(target, 'v'))
        virsh('pool-refresh', self.name)
        self.assertEqual(virsh('vol-list', self.name).split()[::2], ['by-itself', 'q'])
        self.assertRegex(virsh('pool-info', self.name), r'Capacity: +[1-9]')
        virsh('pool-destroy', self.name)
        self.assertFalse(os.path.ismount(target))

    def test_partitions(self):
        device = self.device(64, 'parted', 'blkid')
        base = os.path.basename(device)
        virsh('pool-define-as', self.name, 'disk', '--source-dev', device, '--source-format', 'gpt', '--target', '/dev')
        self.fails('pool-start', self.name)
        virsh('pool-build', self.name)
        self.fails('pool-build', self.name)
        virsh('pool-start', self.name)
        self.assertIn(f'{base}p1', self.fails('vol-create-as', self.name, 'other', '10M') if not ON_PEER else f'{base}p1')
        for i in (1, 2):
            virsh('vol-create-as', self.name, f'{base}p{i}', '10M')
            self.assertTrue(os.path.exists(f'{device}p{i}'))
        self.assertEqual(virsh('vol-list', self.name).split(), [f'{base}p1', f'{device}p1', f'{base}p2', f'{device}p2'])
        v = ET.fromstring(virsh('vol-dumpxml', f'{base}p1', '--pool', self.name))
        self.assertEqual((v.get('type'), int(v.findtext('capacity')) // (1 << 20)), ('block', 10))
        extent = v.find('source/device/extent')
        self.assertGreaterEqual(int(extent.get('end')) - int(extent.get('start')), 10 << 20)
        if not ON_PEER:                           # which looks for the device "p1"
            virsh('vol-delete', f'{base}p1', '--pool', self.name)
            self.assertEqual(virsh('vol-list', self.name).split()[::2], [f'{base}p2'])
            self.assertFalse(os.path.exists(f'{device}p1'))
        self.build_again([])
        virsh('pool-destroy', self.name)
        virsh('pool-delete', self.name)
        self.fails('pool-start', self.name)
        virsh('pool-build', self.name)

    @unittest.skipIf(ON_PEER, 'which looks for the device "p1"')
    def test_logical_partitions(self):
        device = self.device(64, 'parted', 'blkid')
        base = os.path.basename(device)

        def create(number, size, *more):
            virsh('vol-create-as', self.name, f'{base}p{number}', size, *more)
        virsh('pool-define-as', self.name, 'disk', '--source-dev', device, '--source-format', 'dos', '--target', '/dev')
        virsh('pool-build', self.name)
        virsh('pool-start', self.name)
        for i in (1, 2, 3):
            create(i, '2M')
        create(4, '20M', '--format', 'extended')
        create(5, '3M')
        create(6, '3M')
        v = [ET.fromstring(virsh('vol-dumpxml', f'{base}p{i}', '--pool', self.name)) for i in (4, 5, 6)]
        place = [(int(x.get('start')), int(x.get('end'))) for x in (d.find('source/device/extent') for d in v)]
        self.assertTrue(place[0][0] < place[1][0] < place[1][1] <= place[2][0] < place[2][1] <= place[0][1], place)
        self.assertEqual(v[0].find('target/format').get('type'), 'extended')
        self.assertIn('no free space', self.fails('vol-create-as', self.name, f'{base}p7', '30M'))
        self.assertIn('extended', self.fails('vol-create-as', self.name, f'{base}p7', '1M', '--format', 'extended'))
        virsh('vol-delete', f'{base}p6', '--pool', self.name)
        self.assertFalse(os.path.exists(f'{device}p6'))
        virsh('pool-destroy', self.name)
        virsh('pool-delete', self.name)
        self.assertFalse(os.path.exists(f'{device}p1'))
        self.fails('pool-start', self.name)
        virsh('pool-build', self.name)           # it holds nothing any more

    @unittest.skipIf(ON_PEER, 'which looks for the device "p1"')
    def test_copies_onto_partitions(self):
        device = self.device(64, 'parted', 'blkid')
        base, data = os.path.basename(device), os.urandom(1 << 20)
        virsh('pool-define-as', self.name, 'disk', '--source-dev', device, '--source-format', 'gpt', '--target', '/dev')
        virsh('pool-build', self.name)
        virsh('pool-start', self.name)
        other = unique('dir')
        virsh('pool-create-as', other, 'dir', '--target', self.path)
        self.addCleanup(virsh, 'pool-destroy', other, check=False)
        raw = self.file('raw', data)
        subprocess.run(['qemu-img', 'convert', '-O', 'qcow2', raw, os.path.join(self.path, 'q')], check=True, timeout=120)
        virsh('pool-refresh', other)
        for i, source in enumerate(('raw', 'q'), 1):
            xml = self.file(f'.doc{i}', f'<volume><name>{base}p{i}</name><capacity>{len(data)}</capacity></volume>'.encode())
            virsh('vol-create-from', self.name, xml, source, '--inputpool', other)
            with open(f'{device}p{i}', 'rb') as f:
                self.assertEqual(f.read(len(data)), data, source)
        virsh('pool-destroy', self.name)

    def test_ext4(self):
        self.check('ext4', 32)

    def test_room_where_no_call_reserves_it(self):
        """As on ext3: it is written."""
        device = self.device(64, 'mkfs.ext3')
        target = os.path.join(self.path, 'mnt')
        self.addCleanup(subprocess.run, ['umount', '-q', target], timeout=10)
        virsh('pool-define-as', self.name, 'fs', '--source-dev', device, '--source-format', 'ext3', '--target', target)
        virsh('pool-start', self.name, '--build', '--overwrite')

        def sizes():
            st = os.stat(os.path.join(target, 'v'))
            return st.st_size >> 20, st.st_blocks >> 11
        virsh('vol-create-as', self.name, 'v', '6M', '--allocation', '6M')
        self.assertEqual(sizes(), (6, 6))
        with open(os.path.join(target, 'v'), 'r+b') as f:
            f.write(b'x' * (6 << 20))
        virsh('vol-resize', 'v', '9M', '--pool', self.name, '--allocate')
        self.assertEqual(sizes(), (9, 9))
        with open(os.path.join(target, 'v'), 'rb') as f:
            self.assertTrue(f.read() == b'x' * (6 << 20) + bytes(3 << 20))
        self.assertIn('Not enough space left', self.fails('vol-resize', 'v', '2G', '--pool', self.name, '--allocate'))
        if not ON_PEER:                          # for raw volumes only, there
            virsh('vol-create-as', self.name, 'q', '4M', '--format', 'qcow2')
            virsh('vol-resize', 'q', '6M', '--pool', self.name, '--allocate')
        virsh('vol-clone', 'v', 'copy', '--pool', self.name)
        virsh('vol-delete', 'v', '--pool', self.name)

    def test_xfs(self):
        self.check('xfs', 400)


@unittest.skipIf(ON_PEER, 'follows what images name')
class Hostile(Storage):
    """Images whose heads somebody made up: what they name is not opened, and not copied."""
    def image(self, name, *options, size='1M'):
        path = os.path.join(self.path, name)
        subprocess.run(['qemu-img', 'create', '-q', '-u', '-f', 'qcow2', *options, path, size], check=True)
        return path

    def test_below_an_image(self):
        self.pool()
        secret = os.path.join(scratch(), unique('secret'))
        with open(secret, 'wb') as f:
            f.write(b'not for guests' * 4096)
        self.addCleanup(os.unlink, secret)
        for i, (below, why) in enumerate(((secret, 'is in no active storage pool'), ('/dev/zero', 'is in no active storage pool'),
                                          ('../' + os.path.basename(secret), 'is in no active storage pool'),
                                          ('nbd://127.0.0.1:1/x', 'is in no active storage pool'))):
            self.image(f'evil{i}', '-b', below, '-F', 'raw')
            virsh('pool-refresh', self.name)
            self.assertIn(why, self.fails('vol-clone', f'evil{i}', 'copy', '--pool', self.name), below)
            self.assertFalse(os.path.exists(os.path.join(self.path, 'copy')))
        # Other work on such an image opens files only.
        self.assertIn('inaccessible backing store', self.fails('vol-resize', 'evil1', '2M', '--pool', self.name))
        self.assertIn('neither a file nor a block device', self.fails('vol-resize', 'evil3', '2M', '--pool', self.name))
        virsh('vol-resize', 'evil0', '2M', '--pool', self.name)
        for name in ('evil0', 'evil1', 'evil3'):
            virsh('vol-dumpxml', name, '--pool', self.name)
            virsh('vol-delete', name, '--pool', self.name)

    def test_beside_an_image(self):
        self.pool()
        data = self.file('data', b'not for guests')
        self.image('evil', '-o', f'data_file={data},data_file_raw=on')
        virsh('pool-refresh', self.name)
        self.assertIn('has its data in another file', self.fails('vol-clone', 'evil', 'copy', '--pool', self.name))
        # A sparse extent of vmdk without any sector is a list of files.
        self.file('list', b'KDMV' + (1).to_bytes(4, 'little') + bytes(504) + b'RW 1 FLAT "/etc/passwd" 0\n' + bytes(1024))
        virsh('pool-refresh', self.name)
        self.assertIn('has its data in other files', self.fails('vol-clone', 'list', 'copy', '--pool', self.name))

    @unittest.skipIf(ON_PEER or os.geteuid() != 0, 'a rule of ours; root alone can give links away')
    def test_links_lead_nobody_further_than_himself(self):
        somebody = 65534
        open_to_all = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, open_to_all)
        os.chmod(open_to_all, 0o755)
        secret = os.path.join(open_to_all, 'secret')
        with open(secret, 'w', encoding='ascii') as f:
            f.write('of root')
        os.chmod(secret, 0o600)
        os.chown(self.path, somebody, somebody)
        for name in ('his', 'ours'):
            os.symlink(secret, os.path.join(self.path, name))
        os.lchown(os.path.join(self.path, 'his'), somebody, somebody)
        self.pool()
        self.assertEqual(virsh('vol-list', self.name).split(), ['ours', os.path.join(self.path, 'ours')])
        self.assertIn('Storage volume not found', self.fails('vol-info', 'his', '--pool', self.name))
        # Made visible by being his for a moment.
        os.chown(secret, somebody, somebody)
        virsh('pool-refresh', self.name)
        virsh('vol-info', 'his', '--pool', self.name)
        os.chown(secret, 0, 0)
        data = self.file('data', b'from a client')
        for command in (('vol-info', 'his'), ('vol-upload', 'his', data), ('vol-download', 'his', os.path.join(scratch(), unique('got'))),
                        ('vol-resize', 'his', '100'), ('vol-wipe', 'his')):
            self.fails(*command, '--pool', self.name)
        with open(secret, encoding='ascii') as f:
            self.assertEqual(f.read(), 'of root')

    @unittest.skipIf(ON_PEER or os.geteuid() != 0, 'a rule of ours; root alone can give links away')
    def test_a_directory_that_was_replaced(self):
        self.pool()
        elsewhere = os.path.join(scratch(), unique('elsewhere'))
        os.mkdir(elsewhere, 0o755)
        os.rename(self.path, self.path + '.old')
        self.addCleanup(shutil.rmtree, self.path + '.old')
        os.symlink(elsewhere, self.path)
        os.lchown(self.path, 65534, 65534)
        for form in ('raw', 'qcow2'):
            self.assertIn(self.path, self.fails('vol-create-as', self.name, 'planted', '1M', '--format', form))
        self.assertEqual(os.listdir(elsewhere), [])
        # Nor does a build make the other one his.
        virsh('pool-destroy', self.name)
        virsh('pool-undefine', self.name)
        self.connect(storage_uri()).storagePoolDefineXML(
            f"<pool type='dir'><name>{self.name}</name><target><path>{self.path}</path><permissions><mode>0777</mode><owner>65534</owner>"
            "<group>65534</group></permissions></target></pool>")
        self.assertIn(self.path, self.fails('pool-build', self.name))
        st = os.stat(elsewhere)
        self.assertEqual((st.st_uid, st.st_mode & 0o7777), (0, 0o755))
        os.lchown(self.path, 0, 0)             # root may mean it
        virsh('pool-build', self.name)
        st = os.stat(elsewhere)
        self.assertEqual((st.st_uid, st.st_gid, st.st_mode & 0o7777), (65534, 65534, 0o777))
        os.unlink(self.path)
        shutil.rmtree(elsewhere)

    @unittest.skipIf(ON_PEER, 'a rule of ours')
    def test_names_of_unfinished_volumes(self):
        self.pool()
        self.assertIn('unfinished', self.fails('vol-create-as', self.name, '.modvirt-new-1', '1M'))
        self.assertEqual(os.listdir(self.path), [])

    def test_chains_of_volumes_are_copied(self):
        self.pool()
        base = self.image('base')
        subprocess.run(['qemu-io', '-c', 'write -P 7 0 64k', base], check=True, stdout=subprocess.DEVNULL)
        self.image('top', '-b', base, '-F', 'qcow2')
        self.image('relative', '-b', 'base', '-F', 'qcow2')
        virsh('pool-refresh', self.name)
        for name in ('top', 'relative'):
            virsh('vol-clone', name, f'{name}-copy', '--pool', self.name)
            subprocess.run(['qemu-io', '-c', 'read -P 7 0 64k', os.path.join(self.path, f'{name}-copy')], check=True,
                           stdout=subprocess.DEVNULL)
            info = subprocess.run(['qemu-img', 'info', os.path.join(self.path, f'{name}-copy')], check=True, text=True,
                                  stdout=subprocess.PIPE).stdout
            self.assertNotIn('backing', info)
            self.assertNotIn('backingStore', virsh('vol-dumpxml', f'{name}-copy', '--pool', self.name))

    def test_an_upload_is_as_long_as_it_said(self):
        self.pool()
        virsh('vol-create-as', self.name, 'v', '100K')
        data = os.path.join(scratch(), unique('data'))
        with open(data, 'wb') as f:
            f.write(b'x' * 300000)
        self.addCleanup(os.unlink, data)
        self.assertRegex(self.fails('vol-upload', 'v', data, '--pool', self.name, '--length', '1000'),
                         'cannot write to stream' + ('' if ON_PEER else f".*'{self.path}/v' than the 1000 bytes"))
        self.assertEqual(os.stat(os.path.join(self.path, 'v')).st_size, 102400)
        with open(os.path.join(self.path, 'v'), 'rb') as f:
            self.assertNotIn(b'x', f.read()[1000:])
        os.truncate(data, 1000)
        virsh('vol-upload', 'v', data, '--pool', self.name, '--length', '1000', '--offset', '500')
        with open(os.path.join(self.path, 'v'), 'rb') as f:
            self.assertEqual(f.read()[500:], b'x' * 1000 + bytes(102400 - 1500))

    def test_an_upload_may_be_longer_than_a_fresh_image(self):
        self.pool()
        virsh('vol-create-as', self.name, 'q', '10M', '--format', 'qcow2')
        data, back = (os.path.join(scratch(), unique(stem)) for stem in ('data', 'back'))
        for path in (data, back):
            self.addCleanup(lambda path=path: os.path.exists(path) and os.unlink(path))
        with open(data, 'wb') as f:
            f.write(os.urandom(3 << 20))
        virsh('vol-upload', 'q', data, '--pool', self.name, '--length', str(3 << 20))
        virsh('vol-download', 'q', back, '--pool', self.name, '--length', str(100 << 20))
        self.assertEqual(subprocess.run(['cmp', data, back], check=False).returncode, 0)
        virsh('vol-download', 'q', back, '--pool', self.name, '--offset', str(4 << 20))
        self.assertEqual(os.stat(back).st_size, 0)
        with open(data, 'wb') as f:                # a hole at the end counts
            f.truncate(5 << 20)
        virsh('vol-upload', 'q', data, '--pool', self.name, '--sparse', '--length', str(5 << 20))
        self.assertEqual(os.stat(os.path.join(self.path, 'q')).st_size, 5 << 20)
        self.assertIn('more than volume', self.fails('vol-download', 'q', back, '--pool', self.name, '--offset', str(1 << 63)))

    def test_targets_begin_with_a_slash(self):
        for target in ('relative/path', 'nbd:localhost:1', '..'):
            self.assertIn("does not begin with '/'", self.fails('pool-define-as', self.name, 'dir', '--target', target))

    def test_backing_stores_that_clients_name(self):
        self.pool()
        self.image('base')

        def create(path, name):
            xml = (f"<volume><name>{name}</name><capacity unit='M'>1</capacity><target><format type='qcow2'/></target>"
                   f"<backingStore><path>{path}</path><format type='qcow2'/></backingStore></volume>")
            return self.connect(storage_uri()).storagePoolLookupByName(self.name).createXML(xml)
        create('base', 'relative')
        xml = (f"<volume><name>as-large</name><target><format type='qcow2'/></target>"
               f"<backingStore><path>{self.path}/base</path><format type='qcow2'/></backingStore></volume>")
        vol = self.connect(storage_uri()).storagePoolLookupByName(self.name).createXML(xml)
        self.assertEqual(vol.info()[1], 1 << 20)
        create(os.path.join(self.path, 'base'), 'absolute')
        for path in ('json:{"driver":"nbd","host":"127.0.0.1"}', 'nbd:127.0.0.1:1', 'nbd://127.0.0.1:1/x', '/dev/zero', 'none'):
            with self.assertRaises(libvirt.libvirtError, msg=path):
                create(path.replace('"', '&quot;'), 'bad')
            self.assertFalse(os.path.exists(os.path.join(self.path, 'bad')))


class Volumes(Storage):
    def test_raw(self):
        self.pool()
        virsh('vol-create-as', self.name, 'v', '10M')
        path = os.path.join(self.path, 'v')
        self.assertEqual((os.stat(path).st_size, os.stat(path).st_blocks * 512), (10 << 20, 10 << 20))
        virsh('vol-create-as', self.name, 'sparse', '10M', '--allocation', '0')
        self.assertEqual(os.stat(os.path.join(self.path, 'sparse')).st_blocks, 0)
        self.assertEqual([virsh(c, path).strip() for c in ('vol-name', 'vol-key', 'vol-pool')], ['v', path, self.name])
        self.assertEqual(virsh('vol-path', 'v', '--pool', self.name).strip(), path)
        self.assertIn('already', self.fails('vol-create-as', self.name, 'v', '1M'))
        v = ET.fromstring(virsh('vol-dumpxml', 'v', '--pool', self.name))
        self.assertEqual([v.findtext(t) for t in ('capacity', 'allocation', 'target/path', 'key', 'target/permissions/mode')],
                         [str(10 << 20), str(10 << 20), path, path, '0600'])
        self.assertEqual(v.find('target/format').get('type'), 'raw')
        self.assertRegex(v.findtext('target/timestamps/mtime'), r'^\d+(\.\d+)?$')
        virsh('vol-delete', 'v', '--pool', self.name)
        self.assertFalse(os.path.exists(path))
        self.assertEqual(virsh('vol-list', self.name).split(), ['sparse', os.path.join(self.path, 'sparse')])

    def test_qcow2(self):
        self.pool()
        virsh('vol-create-as', self.name, 'base', '20M', '--format', 'qcow2')
        virsh('vol-create-as', self.name, 'top', '20M', '--format', 'qcow2', '--backing-vol', 'base',
              '--backing-vol-format', 'qcow2')
        virsh('pool-refresh', self.name)
        v = ET.fromstring(virsh('vol-dumpxml', 'top', '--pool', self.name))
        self.assertEqual((v.findtext('capacity'), v.findtext('backingStore/path')),
                         (str(20 << 20), os.path.join(self.path, 'base')))
        self.assertEqual((v.find('target/format').get('type'), v.find('backingStore/format').get('type')), ('qcow2', 'qcow2'))
        self.assertEqual((v.findtext('target/compat'), v.findtext('target/clusterSize')), (None, '65536'))
        doc = self.file('.doc', b"<volume><name>new</name><capacity>1024</capacity><target><format type='qcow2'/><compat>1.1</compat>"
                                b'<features><lazy_refcounts/></features></target></volume>')
        virsh('vol-create', self.name, doc)
        virsh('pool-refresh', self.name)
        new = ET.fromstring(virsh('vol-dumpxml', 'new', '--pool', self.name)).find('target')
        self.assertEqual((new.findtext('compat'), new.find('features/lazy_refcounts') is not None), ('1.1', True))
        # Of a version that may have features it is told that there are none.
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-o', 'compat=1.1', os.path.join(self.path, 'plain'), '1M'], check=True)
        virsh('pool-refresh', self.name)
        told = {v: ET.fromstring(virsh('vol-dumpxml', v, '--pool', self.name)).find('target/features') for v in ('plain', 'base')}
        self.assertEqual((told['plain'] is not None and len(told['plain']), told['base']), (0, None))

    def test_what_came_by_itself_is_seen(self):
        if ON_PEER:
            self.skipTest('only after a refresh')
        pool = self.pool()
        began = time.monotonic()
        self.file('one', b'1')
        try:
            pool.storageVolLookupByName('one')
            self.assertGreater(time.monotonic() - began, 1, 'what has just come is no volume yet')
        except libvirt.libvirtError as e:
            self.assertEqual(e.get_error_code(), libvirt.VIR_ERR_NO_STORAGE_VOL)
        wait_for('the file to be a volume', lambda: virsh('vol-name', os.path.join(self.path, 'one'), check=False)[0] == 0)
        self.assertEqual(pool.storageVolLookupByName('one').name(), 'one')
        self.file('two', b'2')
        os.mkfifo(os.path.join(self.path, 'pipe'))
        for name, target in (('circle', 'circle'), ('there', 'back'), ('back', 'there'), ('dangling', 'nowhere'), ('to-pipe', 'pipe')):
            os.symlink(target, os.path.join(self.path, name))
        self.assertEqual(virsh('vol-list', self.name).split()[::2], ['one', 'two'])
        os.unlink(os.path.join(self.path, 'one'))
        self.assertEqual(virsh('vol-list', self.name).split()[::2], ['two'])

    def test_after_a_refresh(self):
        self.pool()
        self.file('one', b'1' * 1000)
        os.mkdir(os.path.join(self.path, 'sub'))
        virsh('pool-refresh', self.name)
        self.assertEqual(virsh('vol-list', self.name).split()[::2], ['one', 'sub'])
        v = ET.fromstring(virsh('vol-dumpxml', 'sub', '--pool', self.name))
        self.assertEqual((v.get('type'), v.find('target/format').get('type')), ('dir', 'dir'))

    def test_clone(self):
        self.pool()
        data = os.urandom(1 << 20)
        self.file('raw', data + bytes(1 << 20) + data)
        virsh('pool-refresh', self.name)
        virsh('vol-clone', 'raw', 'copy', '--pool', self.name)
        with open(os.path.join(self.path, 'copy'), 'rb') as f:
            self.assertEqual(f.read(), data + bytes(1 << 20) + data)
        xml = os.path.join(self.path, '.doc')
        with open(xml, 'w') as f:
            f.write("<volume><name>q</name><capacity>0</capacity><target><format type='qcow2'/></target></volume>")
        virsh('vol-create-from', self.name, xml, 'raw', '--inputpool', self.name)
        done = subprocess.run(['qemu-img', 'compare', os.path.join(self.path, 'q'), os.path.join(self.path, 'raw')],
                              capture_output=True, text=True)
        self.assertIn('identical', done.stdout)

    def test_resize(self):
        self.pool()
        virsh('vol-create-as', self.name, 'v', '10M', '--allocation', '0')
        virsh('vol-create-as', self.name, 'q', '10M', '--format', 'qcow2')
        path = os.path.join(self.path, 'v')
        virsh('vol-resize', 'v', '12M', '--pool', self.name)
        virsh('vol-resize', 'v', '1M', '--delta', '--pool', self.name)
        self.assertEqual((os.stat(path).st_size, os.stat(path).st_blocks), (13 << 20, 0))
        self.assertIn('shrink', self.fails('vol-resize', 'v', '1M', '--pool', self.name))
        virsh('vol-resize', 'v', '1M', '--shrink', '--pool', self.name)
        self.assertEqual(os.stat(path).st_size, 1 << 20)
        virsh('vol-resize', 'v', '3M', '--allocate', '--pool', self.name)
        self.assertIn('below existing allocation', self.fails('vol-resize', 'v', '1M', '--shrink', '--pool', self.name))
        self.assertEqual(os.stat(path).st_size, 3 << 20)
        self.assertGreaterEqual(os.stat(path).st_blocks * 512, 2 << 20)
        virsh('vol-resize', 'q', '11M', '--pool', self.name)
        self.assertRegex(virsh('vol-info', 'q', '--pool', self.name, '--bytes'), rf'Capacity: +{11 << 20}')

    def test_wipe(self):
        self.pool()
        path = self.file('v', b'secret!!' * 8192)
        virsh('pool-refresh', self.name)
        virsh('vol-wipe', 'v', '--pool', self.name)
        with open(path, 'rb') as f:
            self.assertEqual(f.read(), bytes(65536))

    def test_streams(self):
        self.pool()
        data = os.urandom(3 << 20)
        source, back = os.path.join(scratch(), unique('in')), os.path.join(scratch(), unique('out'))
        with open(source, 'wb') as f:
            f.write(data)
        virsh('vol-create-as', self.name, 'v', '4M')
        virsh('vol-upload', 'v', source, '--pool', self.name)
        virsh('vol-download', 'v', back, '--pool', self.name)
        with open(back, 'rb') as f:
            self.assertEqual(f.read(), data + bytes(1 << 20))
        virsh('vol-upload', 'v', source, '--pool', self.name, '--offset', str(1 << 20))
        virsh('vol-download', 'v', back, '--pool', self.name, '--offset', str(1 << 20), '--length', '5000')
        with open(back, 'rb') as f:
            self.assertEqual(f.read(), data[:5000])

    def test_streams_with_holes(self):
        self.pool()
        path, data = os.path.join(self.path, 'v'), os.urandom(1 << 20)
        source, back = os.path.join(scratch(), unique('in')), os.path.join(scratch(), unique('out'))
        holey = bytes(3 << 20) + data + bytes(4 << 20) + data + bytes(5 << 20)
        with open(source, 'wb') as f:
            for at in (3 << 20, 8 << 20):
                f.seek(at)
                f.write(data)
            f.truncate(len(holey))
        # What was there before is neither to be seen nor takes room.
        virsh('vol-create-as', self.name, 'v', '20M')
        if not ON_PEER:                          # there it shows through
            with open(path, 'r+b') as f:
                f.write(b'x' * (20 << 20))
        virsh('vol-upload', 'v', source, '--pool', self.name, '--sparse')
        with open(path, 'rb') as f:
            self.assertEqual(f.read(), holey)
        if not ON_PEER:
            self.assertLess(os.stat(path).st_blocks * 512, 3 << 20)
        virsh('vol-download', 'v', back, '--pool', self.name, '--sparse')
        with open(back, 'rb') as f:
            self.assertEqual(f.read(), holey)
        if not ON_PEER:
            self.assertLess(os.stat(back).st_blocks * 512, 3 << 20)
        # A part of it leaves the rest as it is.
        virsh('vol-download', 'v', back, '--pool', self.name, '--sparse', '--offset', str(2 << 20), '--length', str(4 << 20))
        with open(back, 'rb') as f:
            self.assertEqual(f.read(), holey[2 << 20:6 << 20])
        if ON_PEER:                              # there the rest is cut off
            return
        virsh('vol-upload', 'v', back, '--pool', self.name, '--sparse', '--offset', str(8 << 20), '--length', str(4 << 20))
        with open(path, 'rb') as f:
            self.assertEqual(f.read(), holey[:8 << 20] + holey[2 << 20:6 << 20] + holey[12 << 20:])
        self.assertIn('cannot write to stream', self.fails('vol-upload', 'v', source, '--pool', self.name, '--sparse', '--length', '65536'))

    def test_a_failed_create_leaves_nothing(self):
        self.pool()
        self.fails('vol-create-as', self.name, 'v', '10M', '--format', 'qcow2', '--backing-vol-format', 'qcow2',
                   '--backing-vol', '/nonexistent')
        self.fails('vol-create-as', self.name, 'huge', '8000000T', '--format', 'qcow2')
        self.assertEqual(os.listdir(self.path), [])

    def watch(self):
        """What becomes of pools, as it is told; and a function that waits until this pool has stopped."""
        seen = []
        libvirt.virEventRegisterDefaultImpl()
        conn = self.connect(storage_uri())
        conn.storagePoolEventRegisterAny(None, libvirt.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE,
                                         lambda c, p, event, detail, o: seen.append((p.name(), event)), None)
        conn.storagePoolEventRegisterAny(None, libvirt.VIR_STORAGE_POOL_EVENT_ID_REFRESH,
                                         lambda c, p, o: seen.append((p.name(), 'refresh')), None)
        timer = libvirt.virEventAddTimeout(50, lambda *a: None, None)

        def stopped():
            libvirt.virEventRunDefaultImpl()
            return (self.name, libvirt.VIR_STORAGE_POOL_EVENT_STOPPED) in seen

        def until_stopped():
            wait_for('the pool to stop', stopped)
            libvirt.virEventRemoveTimeout(timer)
            return [e for n, e in seen if n == self.name]
        return until_stopped

    def test_events(self):
        until_stopped = self.watch()
        self.pool()
        virsh('pool-refresh', self.name)
        virsh('pool-destroy', self.name)
        self.assertEqual(until_stopped(), [libvirt.VIR_STORAGE_POOL_EVENT_DEFINED, libvirt.VIR_STORAGE_POOL_EVENT_STARTED, 'refresh',
                                           libvirt.VIR_STORAGE_POOL_EVENT_STOPPED])

    def test_a_pool_that_vanished(self):
        """A refresh finds that out, and says so to all who watch."""
        until_stopped = self.watch()
        self.pool()
        self.file('v')
        shutil.rmtree(self.path)
        self.assertIn('No such file', self.fails('pool-refresh', self.name))
        self.assertRegex(virsh('pool-list', '--all'), rf'{self.name} +inactive')
        self.assertIn('is not active', self.fails('vol-list', self.name))
        self.assertEqual(until_stopped(), [libvirt.VIR_STORAGE_POOL_EVENT_DEFINED, libvirt.VIR_STORAGE_POOL_EVENT_STARTED,
                                           libvirt.VIR_STORAGE_POOL_EVENT_STOPPED])
        os.mkdir(self.path)
        virsh('pool-start', self.name)
        virsh('pool-destroy', self.name)
        virsh('pool-undefine', self.name)
        virsh('pool-create-as', self.name, 'dir', '--target', self.path)
        os.rmdir(self.path)
        self.fails('pool-refresh', self.name)
        self.assertNotIn(self.name, virsh('pool-list', '--all'))


if __name__ == '__main__':
    unittest.main()
