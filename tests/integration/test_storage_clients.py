# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients of volumes that die, meet a full disk, or want the same at once."""
import concurrent.futures
import os
import shutil
import signal
import subprocess
import unittest

import libvirt

from harness import ON_PEER, OwnSandbox, run, virsh, wait_for

SIZE = 64 << 20


@unittest.skipIf(ON_PEER, 'about our daemons')
class Clients(OwnSandbox):
    """Through the proxy."""
    def setUp(self):
        super().setUp()
        self.sandbox.start()
        self.pool = os.path.join(self.directory, 'pool')
        os.mkdir(self.pool)
        self.data = os.path.join(self.directory, 'data')
        with open(self.data, 'wb') as f:
            f.write(os.urandom(1 << 20) * (SIZE >> 20))

    def define(self):
        virsh('pool-create-as', 'p', 'dir', '--target', self.pool)

    def descriptors(self, daemon='virtstoraged'):
        return len(os.listdir(f'/proc/{self.sandbox.daemons[daemon].pid}/fd'))

    def test_a_disk_gets_full_in_an_upload(self):
        done = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=8M', 'none', self.pool], capture_output=True, text=True)
        if done.returncode:
            self.skipTest('nothing can be mounted: ' + done.stderr)
        self.addCleanup(subprocess.run, ['umount', '-l', self.pool])
        self.define()
        virsh('vol-create-as', 'p', 'v', '1M')
        for words in ([], ['--sparse']):
            status, _, err = virsh('vol-upload', 'v', self.data, '--pool', 'p', *words, check=False)
            self.assertNotEqual(status, 0)
            self.assertIn('No space left', err)
            self.assertEqual(virsh('vol-list', 'p').split()[::2], ['v'])
            size = os.stat(os.path.join(self.pool, 'v')).st_size
            self.assertRegex(virsh('vol-info', 'v', '--pool', 'p', '--bytes'), rf'Capacity: +{size}\b')
            with open(os.path.join(self.pool, 'v'), 'rb') as a, open(self.data, 'rb') as b:
                self.assertEqual(a.read(), b.read(size))
        virsh('vol-delete', 'v', '--pool', 'p')
        self.assertEqual(os.listdir(self.pool), [])
        virsh('vol-create-as', 'p', 'v', '4M')

    def test_a_client_is_killed(self):
        """In the middle of something long: it ends, or goes on to its end; the volume can be used by others."""
        self.define()
        virsh('vol-create-as', 'p', 'v', str(SIZE))
        virsh('vol-create-as', 'p', 'large', '64G', '--allocation', '0')
        pipe = os.path.join(self.directory, 'pipe')
        os.mkfifo(pipe)
        before = self.descriptors()
        for words in (['vol-upload', 'v', pipe], ['vol-download', 'v', pipe], ['vol-wipe', 'large', '--algorithm', 'random'],
                      ['vol-upload', 'v', self.data], ['vol-download', 'v', '/dev/null']):
            fd = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
            client = subprocess.Popen(['virsh', *words, '--pool', 'p'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if pipe in words and 'upload' in words[0]:
                os.write(fd, b'x' * 65536)
            wait_for('the call', lambda w=words: client.poll() is not None or self.descriptors() > before)
            client.send_signal(signal.SIGKILL)
            client.wait()
            os.close(fd)
            if words[0] == 'vol-wipe':
                tool = os.path.join(self.sandbox.build, 'tools', 'modvirt', 'modvirt')
                env = {**os.environ, 'MODVIRT_ROOT': self.sandbox.dir}

                def calls():
                    out = subprocess.run([tool, 'calls', 'virtstoraged'], env=env, capture_output=True, text=True).stdout
                    return [r.split()[0] for r in out.splitlines() if 'vol_wipe' in r]
                for number in calls():            # nobody waits for it any more, but it was asked for
                    subprocess.run([tool, 'cancel', number], env=env, check=True)
                wait_for('the end', lambda: not calls())
            wait_for('descriptors to be closed', lambda: self.descriptors() <= before)
            virsh('vol-resize', 'v', str(2 * SIZE), '--pool', 'p')
            virsh('vol-upload', 'v', self.data, '--pool', 'p')
            virsh('vol-delete', 'v', '--pool', 'p')
            virsh('vol-create-as', 'p', 'v', str(SIZE))
        self.assertEqual(sorted(os.listdir(self.pool)), ['large', 'v'])

    def test_two_at_once(self):
        self.define()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            def all_of(*calls):
                return [r.result() for r in [pool.submit(virsh, *c, '--pool', 'p', check=False) for c in calls]]
            for n in range(5):
                virsh('vol-create-as', 'p', 'v', '1M')
                results = all_of(*[['vol-resize', 'v', f'{m}M'] for m in (2, 3, 4)], ['vol-resize', 'v', '1M', '--delta'])
                size = os.stat(os.path.join(self.pool, 'v')).st_size
                self.assertIn(size, [m << 20 for m in (4, 5)], results)
                self.assertRegex(virsh('vol-info', 'v', '--pool', 'p', '--bytes'), rf'Capacity: +{size}\b')
                results = all_of(['vol-delete', 'v'], ['vol-delete', 'v'], ['vol-resize', 'v', '8M'], ['vol-clone', 'v', 'copy'])
                gone = [s for s, _, _ in results[:2]].count(0)
                self.assertTrue(gone == 1 or gone == 0 and all('in use' in err for _, _, err in results[:2]), results)
                for status, _, err in results:
                    self.assertTrue(status == 0 or 'Storage volume not found' in err or 'No such file' in err or 'in use' in err, results)
                if not gone:                     # the copy took longer than they had patience for
                    virsh('vol-delete', 'v', '--pool', 'p')
                self.assertEqual(os.listdir(self.pool), ['copy'] if results[3][0] == 0 else [])
                self.assertEqual(virsh('vol-list', 'p').split()[::2], os.listdir(self.pool))
                if results[3][0] == 0:
                    virsh('vol-delete', 'copy', '--pool', 'p')
                results = [r.result() for r in [pool.submit(virsh, 'vol-create-as', 'p', 'v', '1M', check=False) for _ in range(4)]]
                self.assertEqual([s for s, _, _ in results].count(0), 1, results)
                virsh('vol-delete', 'v', '--pool', 'p')

    def test_clients_that_send_nothing(self):
        """However many they are: other calls go on."""
        self.define()
        virsh('vol-create-as', 'p', 'v', '1M')
        streams = []
        with self.assertRaisesRegex(libvirt.libvirtError, 'uploads and downloads are going on already'):
            for _ in range(40):
                conn = self.connect()
                volume = conn.storagePoolLookupByName('p').storageVolLookupByName('v')
                for _ in range(64):
                    streams.append(conn.newStream())
                    volume.upload(streams[-1], 0, 0)
        virsh('vol-create-as', 'p', 'another', '1M')
        self.assertIn('another', virsh('vol-list', 'p').split())
        for stream in streams[:-1]:
            stream.abort()
        wait_for('their end', lambda: virsh('vol-upload', 'v', self.small(), '--pool', 'p', check=False)[0] == 0)

    def small(self):
        path = os.path.join(self.directory, 'small')
        with open(path, 'wb') as f:
            f.write(bytes(4096))
        return path

    def hold_qemu_img(self):
        """The next one waits before it begins."""
        tools = os.path.join(self.directory, 'tools')
        os.mkdir(tools)
        with open(os.path.join(tools, 'qemu-img'), 'w', encoding='utf-8') as f:
            f.write(f'''#!/bin/sh
while [ -e '{self.directory}/hold' ]; do touch '{self.directory}/held'; sleep 0.02; done
exec {shutil.which('qemu-img')} "$@"
''')
        os.chmod(f.name, 0o755)
        self.sandbox.stop_daemon('virtstoraged')
        self.sandbox.extra_env = {'PATH': tools + ':' + os.environ['PATH']}
        self.sandbox.start_daemon('virtstoraged')

    def test_what_is_copied_stays_as_it_was_looked_at(self):
        """Nobody puts another image in its place, whose head names a file of this host."""
        self.define()
        secret, other, copy = (os.path.join(self.directory, n) for n in ('secret', 'other', 'copy'))
        with open(secret, 'wb') as f:
            f.write(b'secret' * 10000)
        run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', secret, '-F', 'raw', other])
        virsh('vol-create-as', 'p', 'v', '1M', '--format', 'qcow2')
        self.hold_qemu_img()
        with open(os.path.join(self.directory, 'hold'), 'wb'):
            pass
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            clone = pool.submit(virsh, 'vol-clone', 'v', 'copy', '--pool', 'p')
            try:
                wait_for('the copy', lambda: os.path.exists(os.path.join(self.directory, 'held')))
                changes = [['vol-upload', 'v', other], ['vol-delete', 'v']]
                for r in [pool.submit(virsh, *words, '--pool', 'p', check=False) for words in changes]:
                    self.assertIn('still in use', r.result()[2])
                virsh('vol-download', 'v', '/dev/null', '--pool', 'p')
            finally:
                os.unlink(os.path.join(self.directory, 'hold'))
            clone.result()
        run(['qemu-img', 'convert', '-O', 'raw', os.path.join(self.pool, 'copy'), copy])
        with open(copy, 'rb') as f:
            self.assertEqual(f.read(), bytes(1 << 20))
        virsh('vol-upload', 'v', other, '--pool', 'p')
        self.assertIn('in no active storage pool', virsh('vol-clone', 'v', 'another', '--pool', 'p', check=False)[2])

    def test_what_is_written_is_not_copied(self):
        self.define()
        virsh('vol-create-as', 'p', 'v', '1M')
        conn = self.connect()
        upload = conn.newStream()
        conn.storagePoolLookupByName('p').storageVolLookupByName('v').upload(upload, 0, 0)
        self.assertIn('still in use', virsh('vol-clone', 'v', 'copy', '--pool', 'p', check=False)[2])
        upload.abort()
        virsh('vol-clone', 'v', 'copy', '--pool', 'p')
        virsh('vol-delete', 'v', '--pool', 'p')


if __name__ == '__main__':
    unittest.main()
