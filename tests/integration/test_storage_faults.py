# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every operation on volumes and pools, every call with which virtstoraged changes something on the way, and there a
fault: the daemon killed, one failing write, a disk or a quota that is full from then on; qemu-img killed; disks that
really are full.

Afterwards a volume is as it was or as the operation makes it, none is lost, nothing is left over, and what the daemon
tells of each is what is on disk. What is told to be done is done, and a power cut would not undo it. Without --full, a
choice that another seed makes differently (MODVIRT_TEST_SEED; MODVIRT_TEST_ONLY names one operation).
"""
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
from faults import FULL, ONLY, Steps
from harness import ON_PEER, SEED, virsh, wait_for

SIZE = 2 << 20
WORD = 'a passphrase of volumes'

# Operation: words of virsh.
VOLUMES = {
    'raw': 'vol-create-as p new 2M',
    'sparse': 'vol-create-as p new 2M --allocation 0',
    'qcow2': 'vol-create-as p new 2M --format qcow2',
    'metadata': 'vol-create-as p new 2M --format qcow2 --allocation 0 --prealloc-metadata',
    'preallocated': 'vol-create-as p new 2M --format qcow2 --prealloc-metadata',
    'overlay': 'vol-create-as p new 2M --format qcow2 --backing-vol {pool}/image --backing-vol-format qcow2',
    'directory': 'vol-create-as p new 2M --format dir',
    'sealed': 'vol-create p {doc}/sealed',
    'sealed-qcow2': 'vol-create p {doc}/sealed-qcow2',
    'clone': 'vol-clone origin new --pool p',
    'clone-qcow2': 'vol-clone image new --pool p',
    'converted': 'vol-create-from p {doc}/qcow2 origin --inputpool p',
    'flat': 'vol-create-from p {doc}/raw image --inputpool p',
    'across': 'vol-create-from p {doc}/raw far --inputpool elsewhere',
    'across-qcow2': 'vol-create-from p {doc}/qcow2 far --inputpool elsewhere',
    'grow': 'vol-resize origin 4M --pool p',
    'delta': 'vol-resize origin 1M --delta --pool p',
    'allocate': 'vol-resize origin 4M --allocate --pool p',
    'shrink': 'vol-resize sparse 1M --shrink --pool p',
    'grow-qcow2': 'vol-resize image 4M --pool p',
    'allocate-qcow2': 'vol-resize image 4M --allocate --pool p',
    'upload': 'vol-upload origin {data} --pool p',
    'upload-sparse': 'vol-upload origin {holes} --sparse --pool p',
    'upload-part': 'vol-upload origin {short} --pool p --offset 4096 --length 1048576',
    'upload-sparse-part': 'vol-upload origin {holes} --sparse --pool p --length 2097152',
    'wipe': 'vol-wipe origin --pool p',
    'wipe-holes': 'vol-wipe holes --pool p',
    'wipe-random': 'vol-wipe origin --pool p --algorithm random',
    'wipe-trim': 'vol-wipe origin --pool p --algorithm trim',
    'delete': 'vol-delete origin --pool p',
    'delete-qcow2': 'vol-delete image --pool p',
    'delete-directory': 'vol-delete folder --pool p',
}
UPLOADS = tuple(o for o in VOLUMES if o.startswith('upload'))
WITH_QEMU_IMG = ('qcow2', 'metadata', 'preallocated', 'overlay', 'clone-qcow2', 'converted', 'flat', 'across-qcow2',
                 'grow-qcow2', 'allocate-qcow2', 'sealed-qcow2')


def document(name, kind, secret=''):
    if secret:
        secret = f"<encryption format='luks'><secret type='passphrase' uuid='{secret}'/></encryption>"
    return f"<volume><name>{name}</name><capacity unit='MiB'>2</capacity><target><format type='{kind}'/>{secret}</target></volume>"


class VolumeSteps(Steps):
    DAEMON = 'virtstoraged'
    CHOSEN = 2
    MIXED = {o: 'origin' for o in VOLUMES if 'origin' in VOLUMES[o].split()[:2] and o.startswith(('upload', 'wipe'))}
    MIXED.update({'wipe-holes': 'holes', 'grow-qcow2': 'image', 'allocate-qcow2': 'image'})
    # A change that is made when writing it out fails stays made.
    HALF = ('shrink', 'delete', 'delete-qcow2', 'delete-directory')
    HALF_FROM = ('grow', 'delta', 'allocate')
    RANDOM = ('wipe-random',)
    SLOW = ('sealed', 'sealed-qcow2')             # keys of passphrases take time, on purpose

    def setUp(self):
        super().setUp()
        self.pool = os.path.join(self.directory, 'pool')
        self.kept = os.path.join(self.directory, 'kept')
        self.records = os.path.join(self.directory, 'var', 'lib', 'libvirt', 'storage', 'unfinished')
        elsewhere, self.doc = (os.path.join(self.directory, d) for d in ('elsewhere', 'doc'))
        self.words = {'pool': self.pool, 'doc': self.doc, 'kept': self.kept}
        self.VOLATILE += (os.path.join(self.pool, 'origin'),)
        for d in (self.kept, elsewhere, self.doc, self.pool):
            os.mkdir(d)
        self.mount()
        for name, path, size in (('data', None, SIZE), ('short', None, SIZE // 4), ('origin', self.kept, SIZE), ('far', elsewhere, SIZE)):
            self.words[name] = os.path.join(path or self.directory, name)
            with open(self.words[name], 'wb') as f:
                f.write(os.urandom(size))
        for path in (os.path.join(self.kept, 'sparse'), os.path.join(self.directory, 'holes'), os.path.join(self.kept, 'holes')):
            with open(path, 'wb') as f:
                f.truncate(SIZE)
                if path.endswith('holes'):
                    f.seek(SIZE // 2)
                    f.write(os.urandom(SIZE // 8))
        self.words['holes'] = os.path.join(self.directory, 'holes')
        os.mkdir(os.path.join(self.kept, 'folder'))
        image = os.path.join(self.kept, 'image')
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', image, str(SIZE)], check=True)
        subprocess.run(['qemu-io', '-f', 'qcow2', '-c', f'write -P 5 0 {SIZE}', image], check=True, stdout=subprocess.DEVNULL)
        secret = self.connect().secretDefineXML("<secret private='yes'><usage type='volume'><volume>/x</volume></usage></secret>")
        secret.setValue(WORD.encode())
        for name, kind, uuid in (('raw', 'raw', ''), ('qcow2', 'qcow2', ''), ('sealed', 'raw', secret.UUIDString()),
                                 ('sealed-qcow2', 'qcow2', secret.UUIDString())):
            with open(os.path.join(self.doc, name), 'w', encoding='utf-8') as f:
                f.write(document('new', kind, uuid))
        self.empty()
        virsh('pool-create-as', 'elsewhere', 'dir', '--target', elsewhere)
        self.define()
        virsh('pool-start', 'p')

    def mount(self):
        pass

    def define(self):
        virsh('pool-define-as', 'p', 'dir', '--target', self.pool)

    def empty(self):
        """The pool as it is before each operation; files keep their names, so the daemon may know them."""
        for name in os.listdir(self.pool):
            path = os.path.join(self.pool, name)
            (shutil.rmtree if os.path.isdir(path) else os.unlink)(path)
        subprocess.run(['cp', '-r', '--sparse=always', self.kept + '/.', self.pool], check=True)

    def fresh(self, operation):
        self.empty()
        virsh('pool-refresh', 'p')

    def act(self, operation):
        return virsh(*VOLUMES[operation].format(**self.words).split(), check=False, timeout=60)

    def content(self, name):
        path = os.path.join(self.pool, name)
        if os.path.isdir(path):
            return 'directory', 0
        with open(path, 'rb') as f:
            data = f.read()
        if data[:4] == b'QFI\xfb':
            # Never damaged, and as large as it says; where in the file things are is the program's affair.
            if data[32:36] == bytes(4):           # whose key is not known here
                # 3: clusters that nothing uses, as growing in place leaves when it is killed; they harm nobody.
                self.assertIn(subprocess.run(['qemu-img', 'check', '-q', path]).returncode, (0, 3) if name == 'image' else (0,), name)
            return 'qcow2', int.from_bytes(data[24:32], 'big')
        if data[:4] == b'LUKS':
            self.assertEqual(subprocess.run(['qemu-img', 'info', path], stdout=subprocess.DEVNULL).returncode, 0, name)
            return 'luks', len(data)
        return hashlib.sha256(data).hexdigest(), len(data)

    def world(self):
        return {name: self.content(name) for name in os.listdir(self.pool)}

    def same(self, name, one, before, after, mixed):
        # What is in it may be partly written, or gone for what follows, but not as what it has been known.
        sizes = [x[1] for x in (before, after) if x]
        return one in (before, after) or (mixed and one[0] != 'qcow2' and
                                          (one[1] in sizes or self.cuts and one[1] <= max(sizes)))

    def left_over(self):
        # One that is being asked about this one removes what another left over.
        records = os.listdir(self.records) if os.path.isdir(self.records) else []
        return [n for n in os.listdir(self.pool) + records if n.startswith('.')]

    def agree(self, where):
        """What is told is what is there."""
        files = sorted(os.listdir(self.pool))
        self.assertEqual(sorted(virsh('vol-list', 'p').split()[::2]), files, where)
        for name in files:
            st = os.stat(os.path.join(self.pool, name))
            told = ET.fromstring(virsh('vol-dumpxml', name, '--pool', 'p'))
            kind, size = self.content(name)
            if kind != 'directory':
                self.assertEqual(int(told.findtext('allocation')), st.st_blocks * 512, where)
            if kind not in ('directory', 'luks'):
                self.assertEqual(int(told.findtext('capacity')), size, where)

    def again(self):
        super().again()
        wait_for('the pool', lambda: virsh('vol-list', 'p', check=False)[0] == 0)
        wait_for('what was left over', lambda: not self.left_over(), 15)

    def check(self, operation, *args):
        self.cuts = operation == 'upload-sparse'  # without a length, holes are made at the end of a file
        super().check(operation, *args)


@unittest.skipIf(ON_PEER, 'about our daemon')
class Volumes(VolumeSteps):
    def test_faults(self):
        self.loop(VOLUMES)

    def during_qemu_img(self, operation, then):
        """What the daemon said (None: it died), whether the program was there to be hit."""
        said, hit = [], False
        caller = threading.Thread(target=lambda: said.append(self.act(operation)[0]))
        caller.start()
        until = time.monotonic() + 5
        while caller.is_alive() and not hit and time.monotonic() < until:
            found = subprocess.run(['pgrep', '-P', str(self.sandbox.daemons[self.DAEMON].pid), 'qemu-img'],
                                   capture_output=True, text=True).stdout.split()
            for pid in map(int, found):
                hit |= then(pid)
        caller.join()
        return said[0], hit

    def signal(self, pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def test_killed_during_qemu_img(self):
        """The program, or the daemon while the program is somewhere: it fails, or it was ready."""
        rng, hits = random.Random(SEED), 0

        def program(pid):
            time.sleep(rng.uniform(0, 0.03))
            return self.signal(pid, signal.SIGKILL)

        def daemon(pid):
            time.sleep(rng.uniform(0, 0.01))
            hit = self.signal(pid, signal.SIGSTOP)
            self.sandbox.daemons[self.DAEMON].kill()
            self.sandbox.daemons[self.DAEMON].wait()
            return hit
        for operation in WITH_QEMU_IMG if FULL else rng.sample(WITH_QEMU_IMG[:-3], 4) + ['grow-qcow2']:
            if ONLY not in (None, operation):
                continue
            self.fresh(operation)
            before = self.world()
            self.assertEqual(self.act(operation)[0], 0, operation)
            after = self.world()
            rounds = (4 if operation in self.SLOW else 20) if FULL else 2
            for n in range(100):
                # On a busy machine the program may have ended each time before it was found.
                if n >= rounds and (hits or operation != 'grow-qcow2'):
                    break
                self.fresh(operation)
                status, hit = self.during_qemu_img(operation, daemon if n % 2 else program)
                hits += hit
                if self.sandbox.daemons[self.DAEMON].poll() is not None:
                    self.again()
                    status = None
                self.check(operation, before, after, operation, status)
        if ONLY in (None, 'grow-qcow2'):
            self.assertGreater(hits, 0)


@unittest.skipIf(ON_PEER, 'about our daemon')
class WithoutNamelessFiles(VolumeSteps):
    """As on file systems that have neither those nor a rename that refuses to replace."""
    LACKS = faults.LACKS_NAMELESS | faults.LACKS_RENAME_FLAGS
    CHOSEN = 1

    def test_faults(self):
        self.loop(o for o in VOLUMES if o not in self.SLOW and not o.startswith(('wipe', 'upload', 'delete', 'grow')))


class Mounted(VolumeSteps):
    OPTIONS = 'size=64M'

    def mount(self):
        done = subprocess.run(['mount', '-t', 'tmpfs', '-o', self.OPTIONS, 'server', self.pool], capture_output=True, text=True)
        if done.returncode:
            self.skipTest('nothing can be mounted: ' + done.stderr)
        self.addCleanup(subprocess.run, ['umount', '-l', self.pool])


@unittest.skipIf(ON_PEER, 'about our daemon')
class Apart(Mounted):
    """A pool whose server may be dead: the process that works on its files is killed, or fails."""
    PROGRAM = 'virt-storage-work'
    CHOSEN = 1

    def define(self):
        virsh('pool-define-as', 'p', 'netfs', '--source-host', 'h', '--source-path', '/x', '--source-format', 'nfs', '--target', self.pool)

    def check(self, *args):
        virsh('pool-refresh', 'p')                # which looks for what was left over
        super().check(*args)

    def test_faults(self):
        # Streams go by the mount, which is not one of a server here.
        self.loop(o for o in VOLUMES if o not in self.SLOW + UPLOADS)


@unittest.skipIf(ON_PEER, 'about our daemon')
class FullDisk(Mounted):
    """One that is full at any moment: with so much room and no more."""
    OPTIONS = 'size=24M'
    BALLAST = 'ballast'

    def leave(self, room):
        st = os.statvfs(self.pool)
        free = st.f_bavail * st.f_frsize
        self.assertGreater(free, room)
        with open(os.path.join(self.pool, self.BALLAST), 'wb') as f:
            os.posix_fallocate(f.fileno(), 0, free - room)

    def world(self):
        found = super().world()
        found.pop(self.BALLAST, None)
        return found

    def test_any_room(self):
        print('seed', SEED)
        rng = random.Random(SEED)
        for operation in VOLUMES:
            if ONLY not in (None, operation) or (operation in self.SLOW and not FULL):
                continue
            self.fresh(operation)
            before = self.world()
            self.assertEqual(self.act(operation)[0], 0, operation)
            after = self.world()
            rooms = [0] + [4096 * rng.randrange(1, 560) for _ in range(8)]
            for room in rng.sample(rooms, 2 if operation in self.SLOW else len(rooms)) if FULL else rng.sample(rooms[:2], 1):
                with self.subTest(operation=operation, room=room):
                    self.fresh(operation)
                    self.leave(room)
                    virsh('pool-refresh', 'p')
                    status = self.act(operation)[0]
                    self.check(operation, before, after, f'{operation}, room for {room}', status)


@unittest.skipIf(ON_PEER, 'about our daemon')
class Pools(Steps):
    """Definitions, states and directories of pools."""
    DAEMON = 'virtstoraged'
    OPERATIONS = {
        'define': ('', 'pool-define-as p dir --target {target}'),
        'redefine': ('pool-define {doc}/first', 'pool-define {doc}/second'),
        'autostart': ('pool-define-as p dir --target {target}', 'pool-autostart p'),
        'no-autostart': ('pool-define-as p dir --target {target};pool-autostart p', 'pool-autostart p --disable'),
        'build': ('pool-define-as p dir --target {target}', 'pool-build p'),
        'start': ('pool-define-as p dir --target {target};pool-build p', 'pool-start p'),
        'start-and-build': ('pool-define-as p dir --target {target}', 'pool-start p --build'),
        'create': ('', 'pool-create-as p dir --target {target} --build'),
        'destroy': ('pool-define-as p dir --target {target};pool-build p;pool-start p', 'pool-destroy p'),
        'destroy-transient': ('pool-create-as p dir --target {target} --build', 'pool-destroy p'),
        'refresh': ('pool-define-as p dir --target {target};pool-build p;pool-start p', 'pool-refresh p'),
        'delete': ('pool-define-as p dir --target {target};pool-build p', 'pool-delete p'),
        'undefine': ('pool-define-as p dir --target {target};pool-autostart p', 'pool-undefine p'),
    }
    # A directory that was built stays when what follows fails.
    HALF = ('build', 'start-and-build', 'create', 'delete')

    def setUp(self):
        super().setUp()
        self.target = os.path.join(self.directory, 'target')
        self.doc = os.path.join(self.directory, 'doc')
        os.mkdir(self.doc)
        for name, mode in (('first', '0711'), ('second', '0700')):
            with open(os.path.join(self.doc, name), 'w', encoding='utf-8') as f:
                f.write(f"<pool type='dir'><name>p</name><uuid>00000000-0000-4000-8000-000000000001</uuid><target>"
                        f"<path>{self.target}</path><permissions><mode>{mode}</mode></permissions></target></pool>")
        self.files = [os.path.join(self.directory, d) for d in ('etc/libvirt/storage', 'run/libvirt/storage')]

    def virsh(self, words):
        return virsh(*words.format(target=self.target, doc=self.doc).split(), check=False, timeout=60)

    def fresh(self, operation):
        for word in ('destroy', 'undefine'):
            virsh('pool-' + word, 'p', check=False)
        shutil.rmtree(self.target, ignore_errors=True)
        for words in filter(None, self.OPERATIONS[operation][0].split(';')):
            status, _, err = self.virsh(words)
            self.assertEqual(status, 0, err)

    def act(self, operation):
        return self.virsh(self.OPERATIONS[operation][1])

    def world(self):
        """Each by itself: of a definition, a link, a state, a directory."""
        found = {'directory': os.path.isdir(self.target) and oct(os.stat(self.target).st_mode)}
        for top in self.files:
            for folder, _, files in os.walk(top):
                for name in files:
                    if name == 'autostarted':
                        continue
                    path = os.path.join(folder, name)
                    link = os.path.islink(path)
                    with open(path, encoding='utf-8') as f:
                        # An identity that is drawn differs each time.
                        found[os.path.relpath(path, self.directory)] = link or '<mode>0700' in f.read()
        return found

    def left_over(self):
        return [n for top in self.files if os.path.isdir(top) for n in os.listdir(top) if n.startswith('.')]

    def agree(self, where):
        told = virsh('pool-list', '--all').split()
        config = os.path.exists(os.path.join(self.files[0], 'p.xml'))
        active = os.path.exists(os.path.join(self.files[1], 'p.xml'))
        link = os.path.lexists(os.path.join(self.files[0], 'autostart', 'p.xml'))
        self.assertEqual(told, ['p', 'active' if active else 'inactive', 'yes' if link else 'no'] if config or active else [], where)
        if told:
            self.assertRegex(virsh('pool-info', 'p'), rf"Persistent: +{'yes' if config else 'no'}", where)
        self.assertTrue(config or not link, where)
        self.assertTrue(not active or os.path.isdir(self.target), where)

    def check(self, operation, before, after, where, status=None, half=()):
        # What is active is not refused when that cannot be kept: the log says so, and the next daemon does not know.
        if ' kill ' not in where and '/run/libvirt/storage/' in where:
            self.again()
            status = None
        super().check(operation, before, after, where, status, half)

    def again(self):
        super().again()
        wait_for('the daemon', lambda: virsh('pool-list', check=False)[0] == 0)
        wait_for('what was left over', lambda: not self.left_over(), 15)

    def test_faults(self):
        self.loop(self.OPERATIONS)


if __name__ == '__main__':
    unittest.main()
