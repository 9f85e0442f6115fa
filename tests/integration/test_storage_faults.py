# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every operation on volumes, every call with which virtstoraged changes something on the way, and there a fault: the
daemon killed, one failing write, a disk that is full from then on, qemu-img killed.

Afterwards a volume is as it was or as the operation makes it, none is lost, nothing is left over, and what the daemon
tells of each is what is on disk. Without --full, a choice that another seed makes differently (MODVIRT_TEST_SEED).
"""
import errno
import hashlib
import os
import random
import shutil
import signal
import subprocess
import threading
import time
import unittest
import xml.etree.ElementTree as ET

import faults
from harness import ON_PEER, OwnSandbox, virsh, wait_for

DAEMON = 'virtstoraged'
FULL = 'MODVIRT_TEST_FULL' in os.environ
SEED = int(os.environ.get('MODVIRT_TEST_SEED') or random.randrange(1 << 30))
CHOSEN = 2                                     # points of each fault and operation, without --full
SIZE = 2 << 20
FAULTS = {'kill': (faults.KILL, 0), 'eio': (faults.FAIL, errno.EIO), 'full': (faults.FAIL_FROM, errno.ENOSPC)}

# Operation: words of virsh, and of which volume the content may be a mixture afterwards.
OPERATIONS = {
    'raw': ('vol-create-as p new 2M', None),
    'sparse': ('vol-create-as p new 2M --allocation 0', None),
    'qcow2': ('vol-create-as p new 2M --format qcow2', None),
    'metadata': ('vol-create-as p new 2M --format qcow2 --prealloc-metadata', None),
    'overlay': ('vol-create-as p new 2M --format qcow2 --backing-vol {pool}/image --backing-vol-format qcow2', None),
    'directory': ('vol-create-as p new 2M --format dir', None),
    'clone': ('vol-clone origin new --pool p', None),
    'clone-qcow2': ('vol-clone image new --pool p', None),
    'grow': ('vol-resize origin 4M --pool p', None),
    'allocate': ('vol-resize origin 4M --allocate --pool p', None),
    'shrink': ('vol-resize sparse 1M --shrink --pool p', None),
    'grow-qcow2': ('vol-resize image 4M --pool p', 'image'),
    'upload': ('vol-upload origin {data} --pool p', 'origin'),
    'upload-sparse': ('vol-upload origin {data} --sparse --pool p', 'origin'),
    'wipe': ('vol-wipe origin --pool p', 'origin'),
    'delete': ('vol-delete origin --pool p', None),
}


@unittest.skipIf(ON_PEER, 'about our daemon')
class Loop(OwnSandbox):
    def setUp(self):
        super().setUp()
        library = os.path.join(self.sandbox.build, 'tests', 'faults', 'fault-points.so')
        if not os.path.exists(library):
            self.skipTest('fault-points.so is not built')
        self.points = faults.Points(os.path.join(self.directory, 'points'))
        self.sandbox.extra_env = {
            'LD_PRELOAD': library, 'MODVIRT_FAULT_POINTS': self.points.path, 'MODVIRT_FAULT_DAEMON': DAEMON,
            'ASAN_OPTIONS': 'abort_on_error=0:detect_leaks=1:verify_asan_link_order=0'}
        self.sandbox.start()
        self.pool = os.path.join(self.directory, 'pool')
        self.kept = os.path.join(self.directory, 'kept')
        self.data = os.path.join(self.directory, 'data')
        self.records = os.path.join(self.directory, 'var', 'lib', 'libvirt', 'storage', 'unfinished')
        os.mkdir(self.kept)
        for path in (self.data, os.path.join(self.kept, 'origin')):
            with open(path, 'wb') as f:
                f.write(os.urandom(SIZE))
        with open(os.path.join(self.kept, 'sparse'), 'wb') as f:
            f.truncate(SIZE)
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', os.path.join(self.kept, 'image'), str(SIZE)], check=True)
        self.fresh()
        virsh('pool-define-as', 'p', 'dir', '--target', self.pool)
        virsh('pool-start', 'p')

    def fresh(self):
        """The pool as it is before each operation; files keep their names, so the daemon may know them."""
        os.makedirs(self.pool, exist_ok=True)
        for name in os.listdir(self.pool):
            path = os.path.join(self.pool, name)
            (shutil.rmtree if os.path.isdir(path) else os.unlink)(path)
        for name in os.listdir(self.kept):
            subprocess.run(['cp', '--sparse=always', os.path.join(self.kept, name), self.pool], check=True)

    def content(self, name):
        path = os.path.join(self.pool, name)
        if os.path.isdir(path):
            return 'directory'
        with open(path, 'rb') as f:
            data = f.read()
        if data[:4] == b'QFI\xfb':
            # Never damaged, and as large as it says; where in the file things are is the program's affair.
            self.assertEqual(subprocess.run(['qemu-img', 'check', '-q', path]).returncode, 0, name)
            return 'qcow2', int.from_bytes(data[24:32], 'big')
        return len(data), hashlib.sha256(data).hexdigest()

    def world(self):
        return {name: self.content(name) for name in os.listdir(self.pool)}

    def agree(self, where):
        """What is told is what is there."""
        files = sorted(os.listdir(self.pool))
        self.assertEqual(sorted(virsh('vol-list', 'p').split()[::2]), files, where)
        for name in files:
            st = os.stat(os.path.join(self.pool, name))
            told = ET.fromstring(virsh('vol-dumpxml', name, '--pool', 'p'))
            what = self.content(name)
            if what != 'directory':
                self.assertEqual(int(told.findtext('capacity')), what[1] if what[0] == 'qcow2' else st.st_size, where)
                self.assertEqual(int(told.findtext('allocation')), st.st_blocks * 512, where)

    def again(self):
        self.points.off()
        self.sandbox.stop_daemon(DAEMON, signal.SIGKILL)
        self.sandbox.start_daemon(DAEMON)
        wait_for('the pool', lambda: virsh('vol-list', 'p', check=False)[0] == 0, 20)
        wait_for('what was left over', lambda: not os.path.isdir(self.records) or not os.listdir(self.records), 10)

    def run_operation(self, words):
        return virsh(*words.format(pool=self.pool, data=self.data).split(), check=False, timeout=60)

    def check(self, before, after, mixed, where):
        self.assertEqual([n for n in os.listdir(self.pool) if n.startswith('.')], [], f'{where}: left over')
        found = self.world()
        for name in sorted(set(before) | set(after) | set(found)):
            one = found.get(name)
            if name == mixed and one:
                # The size is one of both; what is in it may be partly written, or gone for what follows.
                if one[0] != 'qcow2':
                    self.assertLessEqual(one[0], max(w[name][0] for w in (before, after)), where)
                continue
            self.assertIn(one, (before.get(name), after.get(name)), f'{where}: {name}')
        self.agree(where)

    def test_faults(self):
        print('seed', SEED)
        rng = random.Random(SEED)
        for operation, (words, mixed) in OPERATIONS.items():
            self.fresh()
            virsh('pool-refresh', 'p')
            before = self.world()
            self.points.arm(faults.COUNT)
            status, _, err = self.run_operation(words)
            seen, harmful = self.points.off()
            self.assertEqual(status, 0, f'{operation}: {err}')
            self.assertGreater(seen, 0, operation)
            after = self.world()
            hits = 0
            for fault, (mode, error) in FAULTS.items():
                points = range(1, (seen if mode == faults.KILL else harmful) + 1)
                for at in points if FULL else sorted(rng.sample(points, min(CHOSEN, len(points)))):
                    with self.subTest(operation=operation, fault=fault, at=at):
                        self.fresh()
                        virsh('pool-refresh', 'p')
                        self.points.arm(mode, at, error)
                        self.run_operation(words)
                        self.points.off()
                        hits += self.points.hit
                        where = f'{operation} {fault} {at}: {self.points.what}'
                        if mode == faults.KILL:
                            self.again()
                        self.assertIsNone(self.sandbox.daemons[DAEMON].poll(), where)
                        self.check(before, after, mixed, where)
            self.assertGreater(hits, 0, operation)

    def test_qemu_img_is_killed(self):
        """Wherever it is: it fails, or it was ready."""
        rng = random.Random(SEED)
        for operation in ('qcow2', 'metadata', 'overlay', 'clone-qcow2', 'grow-qcow2'):
            words, mixed = OPERATIONS[operation]
            for _ in range(20 if FULL else 3):
                self.fresh()
                virsh('pool-refresh', 'p')
                before = self.world()
                caller = threading.Thread(target=self.run_operation, args=(words,))
                caller.start()
                until = time.monotonic() + 5
                while caller.is_alive() and time.monotonic() < until:
                    found = subprocess.run(['pgrep', '-P', str(self.sandbox.daemons[DAEMON].pid), 'qemu-img'],
                                           capture_output=True, text=True).stdout.split()
                    if found:
                        time.sleep(rng.uniform(0, 0.03))
                        subprocess.run(['kill', '-9', *found], stderr=subprocess.DEVNULL)
                        break
                caller.join()
                after = dict(before)
                after['image' if operation == 'grow-qcow2' else 'new'] = ('qcow2', 2 * SIZE if operation == 'grow-qcow2' else SIZE)
                self.check(before, after, mixed, operation)


if __name__ == '__main__':
    unittest.main()
