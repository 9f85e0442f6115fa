# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is left of pools and volumes when virtstoraged stops, is killed, comes back."""
import os
import random
import signal
import subprocess
import threading
import time
import unittest

import libvirt

from harness import SEED, OwnSandbox, virsh, wait_for

DAEMON = 'virtstoraged'
STREAMS = 10000 if 'MODVIRT_TEST_FULL' in os.environ else 200


class Restart(OwnSandbox):
    def setUp(self):
        super().setUp()
        self.sandbox.start()
        self.path = os.path.join(self.directory, 'pool')
        os.mkdir(self.path)
        virsh('pool-define-as', 'p', 'dir', '--target', self.path)
        virsh('pool-start', 'p')

    def again(self, how=signal.SIGKILL):
        child = self.sandbox.daemons.pop(DAEMON)
        child.send_signal(how)
        child.wait(120)
        self.sandbox.start_daemon(DAEMON)
        wait_for('the daemon', lambda: virsh('pool-list', check=False)[0] == 0)

    def test_pools_stay_active(self):
        virsh('vol-create-as', 'p', 'v', '1M')
        virsh('pool-define-as', 'other', 'dir', '--target', os.path.join(self.directory, 'none'))
        for how in (signal.SIGTERM, signal.SIGKILL):
            self.again(how)
            wait_for('the daemon', lambda: 'v' in virsh('vol-list', 'p').split())
            self.assertRegex(virsh('pool-list', '--all'), r'other +inactive')
            self.assertRegex(virsh('pool-info', 'p'), r'Capacity: +[1-9]')

    def test_a_pool_whose_directory_went_is_inactive(self):
        child = self.sandbox.daemons.pop(DAEMON)
        child.kill()
        child.wait(120)
        os.rmdir(self.path)
        self.sandbox.start_daemon(DAEMON)
        wait_for('the daemon', lambda: 'inactive' in virsh('pool-list', '--all', check=False)[1])

    def test_autostart_is_for_the_host(self):
        virsh('pool-autostart', 'p')
        virsh('pool-destroy', 'p')
        self.again(signal.SIGTERM)
        self.assertRegex(virsh('pool-list', '--all'), r'p +inactive +yes')
        os.unlink(os.path.join(self.sandbox.run_dir, 'storage', 'autostarted'))  # as a boot does
        self.again(signal.SIGTERM)
        wait_for('the daemon', lambda: 'active' in virsh('pool-list').split())

    def test_many_streams_leave_nothing(self):
        """Whole ones, with holes, and such that the client gives up."""
        virsh('vol-create-as', 'p', 'v', '256K')
        pid = self.sandbox.daemons[DAEMON].pid
        conn = libvirt.open(f'storage:///system?socket={self.sandbox.run_dir}/{DAEMON}-sock')
        self.addCleanup(conn.close)
        vol = conn.storagePoolLookupByName('p').storageVolLookupByName('v')
        with open(f'/proc/{pid}/maps', encoding='ascii') as f:
            sanitized = 'libasan' in f.read()

        def descriptors():
            return len(os.listdir(f'/proc/{pid}/fd'))

        def memory():
            with open(f'/proc/{pid}/smaps_rollup', encoding='ascii') as f:
                return sum(int(line.split()[1]) for line in f if line.startswith('Private'))

        def some(count):
            for i in range(count):
                stream = conn.newStream()
                if i % 2:
                    vol.upload(stream, 0, 0, libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM if i % 4 == 1 else 0)
                    stream.send(b'x' * 5000)
                else:
                    vol.download(stream, 0, 0, libvirt.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM if i % 4 == 0 else 0)
                    while i % 4 and stream.recv(65536):
                        pass
                if i % 5 == 0 or i % 4 == 0:
                    stream.abort()
                else:
                    stream.finish()
        some(STREAMS // 5)
        before, size = descriptors(), memory()
        some(STREAMS)
        wait_for('descriptors to be closed', lambda: descriptors() <= before, 20)
        if not sanitized:                        # whose allocator keeps what was freed; it tells of leaks at the end
            self.assertLess(memory() - size, 1024)

    def test_killed_at_any_moment(self):
        """Volumes are made, copied and deleted while the daemon is killed: what is there is whole."""
        print('seed', SEED)
        rng = random.Random(SEED)
        data = os.urandom(2 << 20)
        with open(os.path.join(self.path, 'origin'), 'wb') as f:
            f.write(data)
        stop = threading.Event()

        def work(kind):
            n = 0
            while not stop.is_set():
                n += 1
                name = f'{kind}-{n}'
                if kind == 'qcow2':
                    virsh('vol-create-as', 'p', name, '8M', '--format', 'qcow2', check=False)
                elif kind == 'raw':
                    virsh('vol-create-as', 'p', name, '2M', check=False)
                else:
                    virsh('vol-clone', 'origin', name, '--pool', 'p', check=False)
                if n % 3 == 0:
                    virsh('vol-delete', name, '--pool', 'p', check=False)

        workers = [threading.Thread(target=work, args=(k,)) for k in ('qcow2', 'raw', 'clone')]
        for w in workers:
            w.start()
        try:
            for _ in range(8):
                time.sleep(rng.uniform(0.1, 0.8))
                self.again()
        finally:
            stop.set()
            for w in workers:
                w.join()
        self.again()
        wait_for('the daemon', lambda: not any(f.startswith('.') for f in os.listdir(self.path)))
        left = os.path.join(self.directory, 'var', 'lib', 'libvirt', 'storage', 'unfinished')
        self.assertEqual(os.listdir(left) if os.path.isdir(left) else [], [])
        listed = virsh('vol-list', 'p').split()[::2]
        self.assertEqual(sorted(listed), sorted(os.listdir(self.path)))
        for name in listed:
            path = os.path.join(self.path, name)
            if name.startswith('clone'):
                with open(path, 'rb') as f:
                    self.assertEqual(f.read() == data, True, name)
            elif name.startswith('raw'):
                self.assertEqual(os.stat(path).st_size, 2 << 20)
            elif name.startswith('qcow2'):
                self.assertEqual(subprocess.run(['qemu-img', 'check', '-q', path]).returncode, 0, name)


if __name__ == '__main__':
    unittest.main()
