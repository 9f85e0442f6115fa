# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pools on what only a kernel has that this host's may lack: device-mapper, SCSI, NFS. All of it runs in a guest, see
host_guest.py."""
import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import time
import unittest
import xml.etree.ElementTree as ET

import libvirt
from harness import OwnSandbox, daemon_uri, virsh, wait_for
from host_guest import figure, in_guest

DISKS = {'gpt': 256 << 20, 'dos': 256 << 20, 'fs': 512 << 20, 'pv1': 256 << 20, 'pv2': 256 << 20}
DAEMON = 'virtstoraged'
MIB = 1 << 20


def disk(name):
    return f'/dev/disk/by-id/virtio-{name}'


def sh(command, check=True, timeout=120):
    done = subprocess.run(['/bin/bash', '-c', command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=timeout)
    if check and done.returncode:
        raise AssertionError(f'{command}: status {done.returncode}\n{done.stdout}')
    return done.stdout


def mounts():
    """Mount point -> type of the file system."""
    with open('/proc/self/mounts') as f:
        return {line.split()[1]: line.split()[2] for line in f}


class Pool(OwnSandbox):
    def setUp(self):
        super().setUp()
        self.sandbox.start((DAEMON,))
        os.environ['LIBVIRT_DEFAULT_URI'] = daemon_uri(DAEMON)

    def file(self, name, content=b''):
        path = os.path.join(self.directory, name)
        with open(path, 'wb') as f:
            f.write(content)
        return path

    def do(self, *lines, **how):
        """Lines of one virsh, all of which must succeed."""
        status, out, err = virsh('; '.join(lines), check=False, **how)
        self.assertEqual((status, err.strip()), (0, ''), f'{lines}\n{out}')
        return out

    def define(self, xml):
        virsh('pool-define', self.file('pool.xml', xml.encode()))

    def fails(self, *args, **how):
        status, _, err = virsh(*args, check=False, **how)
        self.assertNotEqual(status, 0, args)
        return err

    def volumes(self, pool='p', **how):
        return virsh('vol-list', pool, **how).split()[::2]

    def capacity(self, volume, pool='p'):
        return int(re.search(r'Capacity: +(\d+)', virsh('vol-info', volume, '--pool', pool, '--bytes'))[1])

    def restart(self, how=signal.SIGTERM):
        self.sandbox.stop_daemon(DAEMON, how)
        self.sandbox.start_daemon(DAEMON)

    def goes_both_ways(self, volume, size=3 * MIB):
        data = os.urandom(size)
        virsh('vol-upload', volume, self.file('up', data), '--pool', 'p')
        back = self.file('down')
        virsh('vol-download', volume, back, '--pool', 'p', '--length', str(size))
        with open(back, 'rb') as f:
            self.assertEqual(f.read(), data)
        return data


@in_guest(DISKS)
class Nfs(Pool):
    """The server is the guest's kernel, behind a wire: in a network namespace of its own."""
    def setUp(self):
        super().setUp()
        self.target = os.path.join(self.directory, 'target')
        if not os.path.exists('/run/netns/server'):
            sh('grep -q ^_rpc: /etc/passwd || echo _rpc:x:990:65534::/nonexistent:/usr/sbin/nologin >>/etc/passwd;'
               'mkdir -p /srv/nfs; mount -t tmpfs -o size=64M nfs /srv/nfs; mkdir -m 777 /srv/nfs/one; modprobe nfsd')
            sh('set -e; ip netns add server; ip link add client0 type veth peer name server0 netns server;'
               'ip addr add 192.0.2.1/24 dev client0; ip link set client0 up; ip netns exec server bash -ec "'
               'ip addr add 192.0.2.2/24 dev server0; ip link set server0 up; ip link set lo up;'
               'mount -t nfsd nfsd /proc/fs/nfsd; mount -t tmpfs run /run; mount -t tmpfs nfs /var/lib/nfs;'
               'mkdir -p /run/rpcbind /run/lock /var/lib/nfs/v4recovery; touch /var/lib/nfs/{etab,rmtab};'
               'echo 10 >/proc/fs/nfsd/nfsv4leasetime; echo 10 >/proc/fs/nfsd/nfsv4gracetime;'
               'rpcbind; rpc.mountd; rpc.nfsd 2;'
               'exportfs -i -o rw,no_root_squash,insecure,no_subtree_check,fsid=0 192.0.2.0/24:/srv/nfs"')

    def wire(self, up):
        """Without it every packet is lost, and nobody is told."""
        for where, device in (('', 'client0'), ('ip netns exec server ', 'server0')):
            sh(where + (f'tc qdisc del dev {device} root' if up else f'tc qdisc add dev {device} root netem loss 100%'))

    def pool(self, name):
        return f'pool-define-as {name} netfs --source-host 192.0.2.2 --source-path /one --source-format nfs --target {self.target}'

    def test_life(self):
        found = ET.fromstring(virsh('find-storage-pool-sources-as', 'netfs', '192.0.2.2'))
        self.assertEqual([s.find('dir').get('path') for s in found], ['/srv/nfs'])
        self.do(self.pool('p'), 'pool-build p', 'pool-start p', 'vol-create-as p raw 4M', 'vol-create-as p q 16M --format qcow2',
                'vol-create-as p over 16M --format qcow2 --backing-vol q --backing-vol-format qcow2')
        self.assertEqual(mounts()[self.target], 'nfs4')
        self.assertEqual(sorted(os.listdir('/srv/nfs/one')), ['over', 'q', 'raw'])
        data = self.goes_both_ways('raw')
        with open('/srv/nfs/one/raw', 'rb') as f:
            self.assertEqual(f.read(len(data)), data)
        with open('/srv/nfs/one/other', 'w'):
            pass
        self.do('vol-resize raw 8M --pool p', 'vol-clone q copy --pool p', 'vol-wipe raw --pool p', 'pool-refresh p')
        with open('/srv/nfs/one/raw', 'rb') as f:
            self.assertEqual(f.read(), bytes(8 * MIB))
        self.assertEqual(self.volumes(), ['copy', 'other', 'over', 'q', 'raw'])
        self.restart()
        self.assertEqual(len(self.volumes()), 5)
        self.assertRegex(virsh('pool-info', 'p', '--bytes'), rf'Capacity: +{64 * MIB}\b')
        self.do(*(f'vol-delete {name} --pool p' for name in ('copy', 'other', 'over', 'q', 'raw')))
        self.assertEqual(os.listdir('/srv/nfs/one'), [])
        self.do('pool-destroy p')
        self.assertNotIn(self.target, mounts())
        self.do('pool-delete p', 'pool-undefine p')
        self.assertFalse(os.path.exists(self.target))

    def others_answer(self):
        """With little patience: what needs the server is not asked of it."""
        began = time.monotonic()
        said = self.do('pool-list --all', 'pool-info dead --bytes', 'vol-list dead', 'pool-dumpxml dead', 'vol-path v --pool dead',
                       'vol-list good', 'vol-info g --pool good', 'vol-create-as good new 1M', 'vol-delete new --pool good',
                       'pool-refresh good', timeout=20)
        for line in (r'dead +active', rf'Capacity: +{64 * MIB}\b', self.target + '/v', r'<name>dead</name>'):
            self.assertRegex(said, line)
        return time.monotonic() - began

    def test_a_server_that_is_gone(self):
        good = os.path.join(self.directory, 'good')
        self.do(self.pool('dead'), 'pool-build dead', 'pool-start dead', 'pool-autostart dead',
                'vol-create-as dead v 64K', f'pool-define-as good dir --target {good}', 'pool-build good', 'pool-start good',
                'pool-autostart good', 'vol-create-as good g 1M')
        self.wire(False)
        try:
            self.gone()
        finally:
            self.wire(True)
        # By itself, when the start with the daemon is still waiting for it.
        virsh('pool-start', 'dead', check=False, timeout=300)
        self.do('vol-create-as dead w 64K', timeout=300)
        self.assertEqual(self.volumes('dead'), ['v', 'w'])
        self.do('vol-delete v --pool dead', 'vol-delete w --pool dead', 'pool-destroy dead')

    def gone(self):
        figure(f'NFS without its server: ten calls that need it not {self.others_answer():.1f} s')
        calls = [['pool-refresh', 'dead'], ['vol-create-as', 'dead', 'n', '1M'], ['vol-delete', 'v', '--pool', 'dead'],
                 ['vol-info', 'v', '--pool', 'dead'], ['vol-download', 'v', '/dev/null', '--pool', 'dead']]
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(len(calls)) as workers:
            waiting = [workers.submit(virsh, *c, check=False, timeout=200) for c in calls]
            self.others_answer()
            for call, w in zip(calls, waiting):
                status, _, err = w.result()
                self.assertNotEqual(status, 0, call)
                self.assertRegex(err, 'does not answer|did not answer|no sign of life|Timed out|timed out|waited', call)
                figure(f'NFS without its server: {call[0]} failed by {time.monotonic() - began:.1f} s: {err.strip()}')
        self.others_answer()
        # A restart does not wait: neither on what is mounted,
        for how in (signal.SIGKILL, signal.SIGTERM):
            self.restart(how)
            self.first_call('mounted')
            self.assertRegex(virsh('pool-list', '--all', timeout=20), r'dead +active')
        # nor on what is to be mounted.
        began = time.monotonic()
        status, _, err = virsh('pool-destroy', 'dead', check=False, timeout=200)
        figure(f'NFS without its server: pool-destroy {status} after {time.monotonic() - began:.1f} s: {err.strip()}')
        self.sandbox.stop_daemon(DAEMON)
        sh(f'umount -l -f {self.target}', check=False)
        shutil.rmtree(os.path.join(self.sandbox.run_dir, 'storage'))
        self.sandbox.start_daemon(DAEMON)
        self.first_call('not mounted')
        wait_for('the other pool', lambda: 'g' in virsh('vol-list', 'good', check=False, timeout=20)[1].split())
        self.assertRegex(virsh('pool-list', '--all', timeout=20), r'dead +inactive')

    def first_call(self, what):
        began = time.monotonic()
        libvirt.open(os.environ['LIBVIRT_DEFAULT_URI']).listAllStoragePools()
        figure(f'NFS without its server, {what}: first call of a new daemon {(time.monotonic() - began) * 1000:.0f} ms')


@in_guest(DISKS)
class Logical(Pool):
    def lvs(self, fields):
        return [line.split() for line in sh(f'lvs --noheadings --units b --nosuffix -o {fields} group 2>/dev/null').splitlines()]

    def test_life(self):
        one, two = os.path.realpath(disk('pv1')), os.path.realpath(disk('pv2'))
        self.do(f'pool-define-as p logical --source-dev {one} --source-name group --target /dev/group', 'pool-build p', 'pool-start p')
        self.assertRegex(virsh('pool-info', 'p', '--bytes'), rf'Capacity: +{252 * MIB}\b[^$]*Available: +{252 * MIB}\b')
        self.do('vol-create-as p thick 32M', 'vol-create-as p odd 5000K', 'vol-create-as p sparse 64M --allocation 8M')
        self.assertEqual(self.volumes(), ['odd', 'sparse', 'thick'])
        # Whole extents of 4 MiB are what there is.
        self.assertEqual([self.capacity(v) for v in ('thick', 'odd', 'sparse')], [32 * MIB, 8 * MIB, 64 * MIB])
        self.assertTrue(os.path.exists('/dev/group/thick'))
        data = self.goes_both_ways('thick')
        self.goes_both_ways('sparse', MIB)
        self.do('vol-create-as p snap 32M --allocation 8M --backing-vol thick --backing-vol-format raw')
        virsh('vol-upload', 'thick', self.file('new', bytes(MIB)), '--pool', 'p')
        with open('/dev/group/snap', 'rb') as f:
            self.assertEqual(f.read(len(data)), data)
        doc = ET.fromstring(virsh('vol-dumpxml', 'snap', '--pool', 'p'))
        self.assertEqual(doc.findtext('backingStore/path'), '/dev/group/thick')
        self.assertIn(['snap', 'thick'], self.lvs('lv_name,origin'))
        found = ET.fromstring(virsh('find-storage-pool-sources', 'logical'))
        self.assertEqual([(s.findtext('name'), [d.get('path') for d in s.findall('device')]) for s in found], [('group', [one])])
        self.assertIn("the snapshot 'snap'", self.fails('vol-delete', 'thick', '--pool', 'p'))
        self.do('vol-resize odd 16M --pool p', 'vol-delete snap --pool p', 'vol-clone thick copy --pool p', 'vol-wipe odd --pool p')
        self.assertEqual(self.capacity('odd'), 16 * MIB)
        with open('/dev/group/copy', 'rb') as f, open('/dev/group/thick', 'rb') as g:
            self.assertEqual(f.read(), g.read())
        self.assertIn('thick', self.fails('vol-create-as', 'p', 'thick', '4M'))
        self.assertRegex(self.fails('vol-create-as', 'p', 'huge', '10G'), 'nsufficient|not enough')
        self.assertIn('capacity', self.fails('vol-resize', 'sparse', '96M', '--pool', 'p'))
        self.assertEqual(self.volumes(), ['copy', 'odd', 'sparse', 'thick'])
        # What others made of it shows.
        sh(f'vgextend -y group {two}; lvcreate -y -L 64M --thinpool tp group; lvcreate -V 1G -T group/tp -n thin')
        self.do('pool-refresh p')
        self.assertEqual(self.volumes(), ['copy', 'odd', 'sparse', 'thick', 'thin'])
        self.assertEqual(self.capacity('thin'), 1 << 30)
        self.restart()
        self.assertEqual(self.volumes(), ['copy', 'odd', 'sparse', 'thick', 'thin'])
        self.goes_both_ways('thin')
        self.do('pool-destroy p')
        self.assertFalse(os.path.exists('/dev/group/thick'))
        self.restart()
        self.assertRegex(virsh('pool-list', '--all'), r'\bp +inactive')
        self.do('pool-start p', *(f'vol-delete {v} --pool p' for v in ('copy', 'odd', 'sparse', 'thin', 'thick')))
        self.assertEqual(self.volumes(), [])
        self.do('pool-destroy p', 'pool-delete p')
        self.assertEqual(sh(f'pvs --noheadings -o pv_name {one} 2>/dev/null', check=False), '')
        sh(f'pvremove -ff -y {two}')


@in_guest(DISKS)
class Units(Pool):
    """What is a SCSI unit."""
    TARGET = 'iqn.2024-01.org.example:disks'

    def iscsi(self, password=None):
        name = self.TARGET + ('-chap' if password else '')
        sh('pgrep -x tgtd || tgtd --iscsi portal=127.0.0.1:3260; mkdir -p /etc/iscsi;'
           'echo InitiatorName=iqn.2020-01.org.example:me >/etc/iscsi/initiatorname.iscsi; pgrep -x iscsid || iscsid; sleep 1')
        tid = 2 if password else 1
        admin = f'tgtadm --lld iscsi --tid {tid} --op'
        steps = [f'{admin} new --mode target -T {name}']
        for lun in (1, 2):
            self.units = [self.file(f'unit{tid}{i}', bytes(lun * 8 * MIB)) for i in (1, 2)]
            steps += [f'{admin} new --mode logicalunit --lun {lun} -b {self.units[lun - 1]}']
        if password:
            steps += [f'{admin} new --mode account --user user --password {password}'.replace(f' --tid {tid}', ''),
                      f'{admin} bind --mode account --user user']
        steps += [f'{admin} bind --mode target -I ALL']
        sh('set -e;' + ';'.join(steps))
        self.addCleanup(sh, f'{admin} delete --force --mode target', check=False)
        return name

    def sessions(self):
        return sh('iscsiadm -m session', check=False)

    def test_iscsi(self):
        name = self.iscsi()
        found = ET.fromstring(virsh('find-storage-pool-sources-as', 'iscsi', '127.0.0.1'))
        self.assertEqual([s.find('device').get('path') for s in found], [name])
        self.do(f'pool-define-as p iscsi --source-host 127.0.0.1 --source-dev {name} --target /dev/disk/by-path', 'pool-start p')
        self.assertIn(name, self.sessions())
        self.assertEqual(self.volumes(), ['unit:0:0:1', 'unit:0:0:2'])
        self.assertRegex(virsh('vol-path', 'unit:0:0:1', '--pool', 'p'), f'/dev/disk/by-path/.*{name}-lun-1$')
        data = self.goes_both_ways('unit:0:0:1', MIB)
        with open(self.units[0], 'rb') as f:
            self.assertEqual(f.read(len(data)), data)
        # One who is logged in already is enough, and a unit that is new is found.
        self.restart()
        self.assertEqual(self.volumes(), ['unit:0:0:1', 'unit:0:0:2'])
        sh(f'tgtadm --lld iscsi --tid 1 --op new --mode logicalunit --lun 3 -b {self.file("third", bytes(8 * MIB))}')
        self.do('pool-refresh p')
        self.assertEqual(self.volumes(), ['unit:0:0:1', 'unit:0:0:2', 'unit:0:0:3'])
        self.do('pool-destroy p')
        self.assertNotIn(name, self.sessions())
        sh(f'iscsiadm -m node -T {name} --login')
        self.do('pool-start p')
        self.assertEqual(self.sessions().count(name), 1)
        self.do('pool-destroy p')

    def test_iscsi_with_a_password(self):
        name = self.iscsi('correct-horse1')
        secret = ('<secret ephemeral="no" private="yes"><usage type="iscsi"><target>units</target></usage></secret>')
        self.sandbox.start_daemon('virtsecretd')
        uri = daemon_uri('virtsecretd')
        virsh('secret-define', self.file('secret.xml', secret.encode()), connect=uri)
        uuid = virsh('secret-list', connect=uri).split()[0]
        self.define(f"""<pool type='iscsi'><name>p</name><source><host name='127.0.0.1'/><device path='{name}'/>
                        <auth type='chap' username='user'><secret usage='units'/></auth></source>
                        <target><path>/dev/disk/by-path</path></target></pool>""")
        self.assertRegex(self.fails('pool-start', 'p'), 'secret')
        for word, right in (('wrong-horse12', False), ('correct-horse1', True)):
            virsh('secret-set-value', uuid, '--file', self.file('word', word.encode()), '--plain', connect=uri)
            status, _, err = virsh('pool-start', 'p', check=False)
            self.assertEqual(status == 0, right, err)
            self.assertNotIn(word, err)
        self.assertEqual(self.volumes(), ['unit:0:0:1', 'unit:0:0:2'])
        self.do('pool-destroy p')
        self.assertNotIn(name, self.sessions())
        with open(self.sandbox.log_path(DAEMON)) as f:
            self.assertNotIn('horse', f.read())

    def debug_host(self):
        """A host of two units. It is on no bus, and udev knows no path to it."""
        sh('modprobe scsi_debug dev_size_mb=16 num_tgts=1 max_luns=2 add_host=1; udevadm settle')
        self.addCleanup(sh, 'udevadm settle; modprobe -r scsi_debug')
        return re.search(r'host(\d+)', sh('ls -d /sys/bus/pseudo/drivers/scsi_debug/adapter*/host*'))[1]

    def test_scsi(self):
        host = self.debug_host()
        self.define(f"""<pool type='scsi'><name>p</name><source><adapter type='scsi_host' name='host{host}'/></source>
                        <target><path>/dev/disk/by-id</path></target></pool>""")
        self.do('pool-start p')
        self.assertEqual(self.volumes(), ['unit:0:0:0', 'unit:0:0:1'])
        self.assertEqual(self.capacity('unit:0:0:1'), 16 * MIB)
        self.goes_both_ways('unit:0:0:1', MIB)
        sh(f'echo 1 >/sys/class/scsi_device/{host}:0:0:1/device/delete')
        self.do('pool-refresh p')
        self.assertEqual(self.volumes(), ['unit:0:0:0', 'unit:0:0:1'])       # it is looked for again
        self.restart()
        self.assertEqual(self.volumes(), ['unit:0:0:0', 'unit:0:0:1'])
        self.do('pool-destroy p')

    def test_multipath(self):
        self.debug_host()
        with open('/etc/multipath.conf', 'w') as f:
            f.write('defaults {\n find_multipaths no\n user_friendly_names yes\n}\nblacklist {\n devnode "^vd"\n}\n')
        sh('modprobe dm_multipath; pgrep -x multipathd || multipathd')
        self.addCleanup(sh, 'pkill -x multipathd; multipath -F', check=False)
        wait_for('the multipath device', lambda: any(n.startswith('mpath') for n in os.listdir('/dev/mapper')))
        self.define("<pool type='mpath'><name>p</name><target><path>/dev/mapper</path></target></pool>")
        self.do('pool-start p')
        name = self.volumes()[0]
        self.assertRegex(name, r'^dm-\d+$')
        self.assertEqual(self.capacity(name), 16 * MIB)
        self.goes_both_ways(name, MIB)
        self.do('pool-destroy p')


@in_guest(DISKS)
class Disks(Pool):
    def test_gpt(self):
        self.partitions('gpt', disk('gpt'), ['primary', 'primary', 'primary'])

    def test_dos(self):
        self.partitions('dos', disk('dos'), ['primary'] * 3 + ['extended', 'logical'])

    def partitions(self, table, path, kinds):
        real = os.path.realpath(path)
        base = os.path.basename(real)
        self.do(f'pool-define-as p disk --source-dev {path} --source-format {table} --target /dev', 'pool-build p', 'pool-start p')
        names = [f'{base}{n}' for n in range(1, len(kinds) + 2)]
        copy = names.pop()
        self.do(*(f"vol-create-as p {name} {'120M --format extended' if kind == 'extended' else '32M'}"
                  for name, kind in zip(names, kinds)))
        self.assertEqual(self.volumes(), names)
        self.assertIn('PTTYPE="' + table, sh(f'blkid -p {real}'))
        last = names[-1]
        data = self.goes_both_ways(last)
        with open(f'/dev/{last}', 'rb') as f:
            self.assertEqual(f.read(len(data)), data)
        xml = self.file('copy.xml', f'<volume><name>{copy}</name><capacity unit="M">32</capacity></volume>'.encode())
        self.do(f'vol-create-from p {xml} {last} --inputpool p', f'vol-wipe {last} --pool p')
        with open(f'/dev/{copy}', 'rb') as f:
            self.assertEqual(f.read(len(data)), data)
        self.restart()
        self.assertEqual(self.volumes(), names + [copy])
        self.do(*(f'vol-delete {name} --pool p' for name in [copy] + names[::-1]))
        self.assertEqual(self.volumes(), [])
        self.do('pool-destroy p')
        self.assertIn('holds', self.fails('pool-build', 'p', '--no-overwrite'))
        self.do('pool-build p --overwrite', 'pool-delete p')
        self.assertEqual(sh(f'blkid -p {real}', check=False), '')

    def test_file_systems(self):
        target = os.path.join(self.directory, 'mnt')
        path = disk('fs')
        held = None
        for kind in ('ext4', 'xfs', 'vfat'):
            with self.subTest(kind=kind):
                self.do(f'pool-define-as p fs --source-dev {path} --source-format {kind} --target {target}')
                if held:
                    self.assertIn(held, self.fails('pool-build', 'p', '--no-overwrite'))
                    self.assertIn(f'TYPE="{held}"', sh(f'blkid -p {path}'))
                    self.do('pool-build p --overwrite')
                else:
                    self.do('pool-build p --no-overwrite')
                held = kind
                self.do('pool-start p', 'vol-create-as p v 8M', 'vol-create-as p q 8M --format qcow2')
                self.assertEqual(mounts()[target], kind)
                self.goes_both_ways('v')
                self.do('vol-delete v --pool p', 'pool-destroy p')
                self.assertNotIn(target, mounts())
                self.do('pool-start p')
                self.assertEqual(set(self.volumes()) - {'lost+found'}, {'q'})
                self.do('pool-destroy p', 'pool-undefine p')


if __name__ == '__main__':
    unittest.main()
