# SPDX-License-Identifier: LGPL-2.1-or-later
"""What calls do to volumes while the storage is being listed: their word counts, not the list's, which may be older. LVM is a
program of this file, because it can be held up between its look and its answer; its snapshots go as LVM's do."""
import concurrent.futures
import os
import stat
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


@unittest.skipIf(ON_PEER, 'it does one thing after the other')
class Beside(OwnSandbox):
    def setUp(self):
        super().setUp()
        tools = os.path.join(self.directory, 'tools')
        for d in (tools, os.path.join(self.directory, 'group')):
            os.mkdir(d)
        for name in ('vgs', 'lvs', 'vgchange', 'lvcreate', 'lvremove', 'lvresize'):
            path = os.path.join(tools, name)
            with open(path, 'w', encoding='utf-8') as f:
                f.write(LVM.format(python=sys.executable, directory=self.directory))
            os.chmod(path, stat.S_IRWXU)
        self.sandbox.extra_env = {'PATH': tools + ':' + os.environ['PATH']}
        self.sandbox.start()
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


if __name__ == '__main__':
    unittest.main()
