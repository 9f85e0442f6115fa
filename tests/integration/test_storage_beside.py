# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes on beside a look at storage. Calls that change volumes while they are listed: their word counts, not the list's, which
may be older. And files that are replaced after they were looked at. LVM, whose snapshots go as that one's do, and what is before
qemu-img, are programs of this file."""
import concurrent.futures
import os
import shutil
import stat
import subprocess
import sys
import unittest

import libvirt

from harness import ON_PEER, OwnSandbox, virsh, wait_for

# A volume is a file with its size in bytes, and its origin. "lvs" answers what was there before it was held up.
LVM = '''#!{python}
import json, os, sys, time
D = {directory!r}
group = os.path.join(D, 'group')
name, words = os.path.basename(sys.argv[0]), sys.argv[1:]
def say(kind, rows):
    print(json.dumps({{'report': [{{kind: rows}}]}}))
def size(): return words[words.index('-L') + 1].rstrip('bBkK')
if name == 'vgs':
    say('vg', [{{'vg_name': 'group', 'vg_size': str(1 << 40), 'vg_free': str(1 << 39)}}])
elif name == 'lvs':
    rows = []
    for n in sorted(os.listdir(group)):
        with open(os.path.join(group, n)) as f:
            bytes, origin = (f.read() + ' ').split(' ')[:2]
            rows.append({{'lv_name': n, 'lv_uuid': 'uuid-' + n, 'lv_size': bytes, 'origin': origin, 'origin_size': bytes,
                         'lv_attr': 'swi-a-s---' if origin else '-wi-a-----', 'segtype': 'linear', 'seg_pe_ranges': '/dev/none:0-1',
                         'vg_extent_size': '4194304', 'stripes': '1'}})
    try:
        os.rename(os.path.join(D, 'hold'), os.path.join(D, 'held'))
        while os.path.exists(os.path.join(D, 'held')):
            time.sleep(0.02)
    except FileNotFoundError:
        pass
    say('lv', rows)
elif name in ('lvcreate', 'lvresize'):
    volume = words[words.index('--name') + 1] if '--name' in words else words[-1]
    with open(os.path.join(group, os.path.basename(volume)), 'w') as f:
        f.write(str(int(size()) * 1024) + (' ' + os.path.basename(words[-1]) if '-s' in words else ''))
elif name == 'lvremove':
    gone = os.path.basename(words[-1])
    os.unlink(os.path.join(group, gone))
    for n in os.listdir(group):
        with open(os.path.join(group, n)) as f:
            snapshot = f.read().endswith(' ' + gone)
        if snapshot:
            os.unlink(os.path.join(group, n))
'''


# Whatever is in "replace" is done before the program looks at its files.
QEMU_IMG = '''#!/bin/sh
case $1 in convert|resize) . {directory}/replace ;; esac
exec {program} "$@"
'''


class Programs(OwnSandbox):
    def start(self, programs):
        tools = os.path.join(self.directory, 'tools')
        os.mkdir(tools)
        for name, text in programs.items():
            path = os.path.join(tools, name)
            with open(path, 'w', encoding='utf-8') as f:
                f.write(text)
            os.chmod(path, stat.S_IRWXU)
        self.sandbox.extra_env = {'PATH': tools + ':' + os.environ['PATH']}
        self.sandbox.start()


@unittest.skipIf(ON_PEER, 'it does one thing after the other')
class Beside(Programs):
    def setUp(self):
        super().setUp()
        os.mkdir(os.path.join(self.directory, 'group'))
        text = LVM.format(python=sys.executable, directory=self.directory)
        self.start({name: text for name in ('vgs', 'lvs', 'vgchange', 'lvcreate', 'lvremove', 'lvresize')})
        virsh('pool-define-as', 'p', 'logical', '--source-name', 'group', '--target', os.path.join(self.directory, 'dev'))
        virsh('pool-start', 'p')
        for name in ('a', 'b', 'c'):
            virsh('vol-create-as', 'p', name, '8M')

    def volumes(self):
        pool = self.connect().storagePoolLookupByName('p')
        return {v.name(): v.info()[1] >> 20 for v in pool.listAllVolumes()}

    def held(self):
        return os.path.join(self.directory, 'held')

    def beside_a_refresh(self, *calls):
        with open(os.path.join(self.directory, 'hold'), 'wb'):
            pass
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            refresh = pool.submit(virsh, 'pool-refresh', 'p')
            try:
                wait_for('the list', lambda: os.path.exists(self.held()))
                for call in calls:
                    virsh(*call)
            finally:
                os.unlink(self.held())
            refresh.result()

    def start_with(self, rules):
        etc = os.path.join(self.sandbox.dir, 'etc', 'libvirt')
        os.makedirs(etc, exist_ok=True)
        for name, text in (('virtstoraged.conf', 'access_drivers = [ "rules" ]\n'), ('access.rules', rules)):
            with open(os.path.join(etc, name), 'w', encoding='utf-8') as f:
                f.write(text)
        self.sandbox.stop_daemon('virtstoraged')
        self.sandbox.start_daemon('virtstoraged')
        virsh('pool-start', 'p')

    def test_all_that_calls_do(self):
        self.beside_a_refresh(['vol-delete', 'a', '--pool', 'p'], ['vol-resize', 'b', '16M', '--pool', 'p'])
        self.assertEqual(self.volumes(), {'b': 16, 'c': 8})
        with self.assertRaises(libvirt.libvirtError):
            self.connect().storagePoolLookupByName('p').storageVolLookupByName('a')
        # What the list says of others still counts.
        os.unlink(os.path.join(self.directory, 'group', 'c'))
        with open(os.path.join(self.directory, 'group', 'new'), 'w', encoding='utf-8') as f:
            f.write(str(4 << 20))
        self.beside_a_refresh(['vol-delete', 'b', '--pool', 'p'])
        self.assertEqual(self.volumes(), {'new': 4})
        virsh('pool-refresh', 'p')
        self.assertEqual(self.volumes(), {'new': 4})

    def test_snapshots_go_when_that_is_said(self):
        virsh('vol-create-as', 'p', 'snap', '8M', '--backing-vol', 'a')
        self.assertIn("'snap'", virsh('vol-delete', 'a', '--pool', 'p', check=False)[2])
        self.assertEqual(self.volumes(), {'a': 8, 'b': 8, 'c': 8, 'snap': 8})
        virsh('vol-delete', 'a', '--pool', 'p', '--delete-snapshots')
        self.assertEqual(self.volumes(), {'b': 8, 'c': 8})

    def test_snapshots_go_by_who_may_delete_them(self):
        for name in ('snap-1', 'snap-2'):
            virsh('vol-create-as', 'p', name, '8M', '--backing-vol', 'a')
        self.start_with('deny anyone storage_vol:delete name=snap-2 in=p key=uuid-snap-2\n')
        _, _, err = virsh('vol-delete', 'a', '--pool', 'p', '--delete-snapshots', check=False)
        self.assertRegex(err, "'snap-2'.* needs the permission storage_vol:delete")
        self.assertEqual(self.volumes(), {'a': 8, 'b': 8, 'c': 8, 'snap-1': 8, 'snap-2': 8})
        # Which they are is not told to who may not see them.
        self.start_with('deny anyone storage_vol:delete,getattr name=snap-*\n')
        for words in ([], ['--delete-snapshots']):
            status, _, err = virsh('vol-delete', 'a', '--pool', 'p', *words, check=False)
            self.assertNotEqual(status, 0)
            self.assertIn('has a snapshot', err)
        self.assertEqual(self.volumes(), {'a': 8, 'b': 8, 'c': 8})
        self.assertIn('snap-2', os.listdir(os.path.join(self.directory, 'group')))


@unittest.skipIf(ON_PEER or not shutil.which('qemu-img'), 'a rule of ours; needs qemu-img')
class Replaced(Programs):
    """Somebody who may write into a pool's directory puts a link in an image's place, behind the daemon's look and before
    qemu-img's: it leads nowhere."""
    def setUp(self):
        super().setUp()
        self.start({'qemu-img': QEMU_IMG.format(directory=self.directory, program=shutil.which('qemu-img'))})
        self.path = os.path.join(self.directory, 'pool')
        os.mkdir(self.path)
        self.replace('base', 'secret', 'top', 'secret')
        self.secret = os.path.join(self.directory, 'secret')
        for path, byte in ((self.secret, 1), (os.path.join(self.path, 'base'), 7)):
            subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', path, '1M'], check=True)
            subprocess.run(['qemu-io', '-c', f'write -P {byte} 0 1M', path], check=True, stdout=subprocess.DEVNULL)
        self.image('top', 'qcow2', 'base', 'qcow2')
        self.image('above', 'qcow2', 'top', 'qcow2')
        # A layer that is a part of a file.
        self.image('part', 'qcow2', 'json:{"driver":"raw","offset":65536,"size":65536,"file":{"driver":"file","filename":"%s/whole"}}'
                   % self.path, 'raw', '64K')
        with open(os.path.join(self.path, 'whole'), 'wb') as f:
            f.write(b'a' * 65536 + b'\x07' * 65536)
        with open(os.path.join(self.path, 'base'), 'rb') as f, open(os.path.join(self.path, 'larger'), 'wb') as g:
            g.write(bytes(65536) + f.read())
            size = g.tell() - 65536
        self.image('of-image', 'qcow2', 'json:{"driver":"qcow2","file":{"driver":"raw","offset":65536,"size":%u,"file":{"driver":"file",'
                   '"filename":"%s/larger"}}}' % (size, self.path), 'qcow2')
        virsh('pool-create-as', 'p', 'dir', '--target', self.path)

    def image(self, name, form, below, below_form, size='1M'):
        subprocess.run(['qemu-img', 'create', '-q', '-u', '-f', form, '-b', below, '-F', below_form, os.path.join(self.path, name), size],
                       check=True)

    def replace(self, *pairs):
        with open(os.path.join(self.directory, 'replace'), 'w', encoding='utf-8') as f:
            for name, by in zip(pairs[::2], pairs[1::2]):
                f.write(f'mv {self.path}/{name} {self.path}/{name}.was; ln -s {self.directory}/{by} {self.path}/{name}\n')

    def is_all(self, name, byte, size='1M'):
        subprocess.run(['qemu-io', '-r', '-c', f'read -P {byte} 0 {size}', os.path.join(self.path, name)], check=True,
                       stdout=subprocess.DEVNULL)

    def put_back(self):
        for name in os.listdir(self.path):
            if name.endswith('.was'):
                os.rename(os.path.join(self.path, name), os.path.join(self.path, name[:-4]))

    def test_copies(self):
        for name, replaced in (('base', ['base']), ('top', ['top']), ('above', ['base']), ('above', ['above', 'base', 'top'])):
            for form in ('raw', 'qcow2'):
                self.replace(*sum(([n, 'secret'] for n in replaced), []))
                virsh('vol-create-from', 'p', self.document(form), name, '--inputpool', 'p')
                self.put_back()
                if form == 'raw':
                    with open(os.path.join(self.path, 'copy'), 'rb') as f:
                        self.assertTrue(f.read() == b'\x07' * (1 << 20), (name, replaced))
                else:
                    self.is_all('copy', 7)
                virsh('vol-delete', 'copy', '--pool', 'p')

    def document(self, form):
        path = os.path.join(self.directory, 'copy.xml')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(f"<volume><name>copy</name><capacity>0</capacity><target><format type='{form}'/></target></volume>")
        return path

    def test_sizes(self):
        with open(self.secret, 'rb') as f:
            was = f.read()
        self.replace('above', 'secret', 'top', 'secret')
        virsh('vol-resize', 'above', '2M', '--pool', 'p')
        with open(self.secret, 'rb') as f:
            self.assertTrue(f.read() == was)
        self.put_back()
        self.replace()
        self.assertRegex(virsh('vol-info', 'above', '--pool', 'p'), r'Capacity: +2.00 MiB')
        self.is_all('above', 7)

    def test_a_part_of_a_file(self):
        self.replace()
        virsh('vol-resize', 'part', '128K', '--pool', 'p')
        self.is_all('part', 7, '64K')
        virsh('vol-resize', 'of-image', '2M', '--pool', 'p')
        self.is_all('of-image', 7)


if __name__ == '__main__':
    unittest.main()
