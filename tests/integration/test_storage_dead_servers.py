# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real servers behind a network that drops every packet: calls on their pools end, nothing else notices, a daemon that
starts does not wait, and when the network is back so are the pools.

This process and the daemons have a network of their own, the servers another; a cable is between them.
"""
import concurrent.futures
import ctypes
import os
import shutil
import signal
import subprocess
import unittest

import test_storage_network as servers
from harness import ON_PEER, OwnSandbox, unique, virsh, wait_for

DAEMON = 'virtstoraged'
NEAR, FAR = '198.18.7.1', '198.18.7.2'
FULL = 'MODVIRT_TEST_FULL' in os.environ
CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000


def sh(command):
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    if done.returncode:
        raise unittest.SkipTest(f'{command}: {done.stderr}')


def setUpModule():
    if ON_PEER or os.geteuid() or not all(map(shutil.which, ('ip', 'iptables', 'nsenter', 'unshare'))):
        raise unittest.SkipTest('needs root, ip, iptables and namespaces')
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET | CLONE_NEWNS) != 0:
        raise unittest.SkipTest('no namespaces: ' + os.strerror(ctypes.get_errno()))
    sh('mount --make-rprivate / && ip link set lo up')
    # Logs of what is mounted are nothing for this host.
    if os.path.isdir('/var/log/glusterfs'):
        sh('mount -t tmpfs none /var/log/glusterfs')
    child = subprocess.Popen(['unshare', '-n', 'sh', '-c', 'echo ready; exec sleep 3600'], stdout=subprocess.PIPE, text=True)
    unittest.addModuleCleanup(child.wait)
    unittest.addModuleCleanup(child.kill)
    child.stdout.readline()
    child.stdout.close()
    Dead.within = ('nsenter', f'--net=/proc/{child.pid}/ns/net')
    far = ' '.join(Dead.within)
    sh(f'ip link add near type veth peer name far netns {child.pid} && ip addr add {NEAR}/24 dev near && ip link set near up && '
       f'{far} ip addr add {FAR}/24 dev far && {far} ip link set far up && {far} ip link set lo up && {far} iptables -S')


class Dead(OwnSandbox):
    ADDRESS = FAR

    def setUp(self):
        super().setUp()
        self.sandbox.start()
        good = os.path.join(self.directory, 'good')
        os.mkdir(good)
        virsh('pool-define-as', 'good', 'dir', '--target', good)
        virsh('pool-autostart', 'good')
        virsh('pool-start', 'good')
        virsh('vol-create-as', 'good', 'g', '1M')
        self.addCleanup(self.mend)

    def traffic(self, *words):
        for chain, device in (('INPUT', '-i'), ('OUTPUT', '-o')):
            subprocess.run([*self.within, 'iptables', *words[:1], chain, *([device, 'far', '-j', 'DROP'] if words[1:] else [])], check=True)

    def cut(self):
        self.traffic('-A', 'drop')

    def mend(self):
        self.traffic('-F')

    def others_work(self, volumes):
        """With little patience."""
        virsh('pool-refresh', 'good', timeout=8)
        virsh('vol-create-as', 'good', 'new', '1M', timeout=8)
        virsh('vol-delete', 'new', '--pool', 'good', timeout=8)
        self.assertIn('g', virsh('vol-list', 'good', timeout=8).split())
        # What is known of the dead one is told.
        self.assertRegex(virsh('pool-list', '--all', timeout=8), rf'{self.name} +active')
        self.assertRegex(virsh('pool-info', self.name, timeout=8), r'State: +running')
        self.assertIn(FAR, virsh('pool-dumpxml', self.name, timeout=8))
        self.assertEqual(virsh('vol-list', self.name, timeout=8).split()[::2], volumes)

    def outage(self, *calls):
        virsh('pool-autostart', self.name)
        volumes = self.volumes()
        self.assertTrue(volumes)
        self.cut()
        with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
            running = [(c, pool.submit(virsh, *c, check=False, timeout=120)) for c in calls]
            for _ in range(3):
                self.others_work(volumes)
            for call, r in running:
                status, _, err = r.result()
                self.assertNotEqual(status, 0, call)
                self.assertRegex(err, 'does not answer|did not answer|Timed out|timed out|onnect|waited|not connected|still in use', call)
        self.others_work(volumes)
        # As with a boot of the host.
        self.sandbox.stop_daemon(DAEMON, signal.SIGKILL)
        state = os.path.join(self.sandbox.run_dir, 'storage')
        for left in os.listdir(state):
            os.unlink(os.path.join(state, left))
        self.sandbox.start_daemon(DAEMON)
        self.assertIn('good', virsh('pool-list', '--all', timeout=8))
        wait_for('the other pool', lambda: 'g' in virsh('vol-list', 'good', check=False, timeout=8)[1].split())
        self.mend()
        wait_for('the pool', lambda: virsh('pool-start', self.name, check=False)[0] == 0 or
                 virsh('pool-refresh', self.name, check=False)[0] == 0)
        # What was on its way when the call ended may have come through in the end.
        named = {word for call in calls for word in call}
        self.assertEqual(set(self.volumes()) - named, set(volumes) - named)


class Iscsi(Dead, servers.IscsiServer):
    def test_outage(self):
        self.serve()
        self.define(self.xml())
        virsh('pool-start', self.name)
        self.outage(['pool-refresh', self.name], ['vol-wipe', 'unit:0:0:1', '--pool', self.name],
                    ['find-storage-pool-sources-as', 'iscsi-direct', FAR, str(self.port), '--initiator', servers.INITIATOR])


@unittest.skipUnless(FULL, 'with --full')
class Rbd(Dead, servers.CephServer):
    def test_outage(self):
        self.serve()
        self.define_pool()
        virsh('pool-start', self.name)
        virsh('vol-create-as', self.name, 'one', '8M')
        self.outage(['pool-refresh', self.name], ['vol-create-as', self.name, 'two', '8M'], ['vol-delete', 'one', '--pool', self.name],
                    ['vol-clone', 'one', 'copy', '--pool', self.name])


@unittest.skipUnless(FULL, 'with --full')
class Gluster(Dead, servers.GlusterServer):
    def test_outage(self):
        self.serve()
        self.define_pool()
        with open(os.path.join(self.brick, 'one'), 'wb') as f:
            f.truncate(1 << 20)
        virsh('pool-refresh', self.name)
        self.outage(['pool-refresh', self.name], ['vol-delete', 'one', '--pool', self.name])


class MountedGluster(Dead, servers.GlusterServer):
    def test_outage(self):
        if not shutil.which('mount.glusterfs', path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin'):
            self.skipTest('mount.glusterfs is not installed')
        self.serve('netfs')
        target = os.path.join(self.directory, 'mnt')
        self.addCleanup(subprocess.run, ['umount', '-l', target], stderr=subprocess.DEVNULL)
        virsh('pool-define-as', self.name, 'netfs', '--source-host', FAR, '--source-path', '/' + self.volume, '--source-format',
              'glusterfs', '--target', target)
        virsh('pool-build', self.name)
        wait_for('the brick', lambda: virsh('pool-start', self.name, check=False)[0] == 0)
        data = os.path.join(self.directory, unique('data'))
        with open(data, 'wb') as f:
            f.write(os.urandom(3 << 20))
        for words in (['one', '8M'], ['two', '8M', '--format', 'qcow2'], ['three', '1M']):
            virsh('vol-create-as', self.name, *words)
        virsh('vol-upload', 'one', data, '--pool', self.name)
        back = os.path.join(self.directory, 'back')
        virsh('vol-download', 'one', back, '--pool', self.name, '--length', str(3 << 20))
        self.assertEqual(subprocess.run(['cmp', data, back], check=False).returncode, 0)
        self.outage(['pool-refresh', self.name], ['vol-dumpxml', 'two', '--pool', self.name], ['vol-delete', 'three', '--pool', self.name],
                    ['vol-create-as', self.name, 'new', '1M'], ['vol-upload', 'one', data, '--pool', self.name],
                    ['vol-resize', 'two', '16M', '--pool', self.name])

        def agree():
            """When all that was on its way has come through, and has been cleared away."""
            virsh('pool-refresh', self.name)
            return sorted(n for n in os.listdir(self.brick) if n != '.glusterfs') == sorted(self.volumes())
        wait_for('what is told to be what is there', agree)
        virsh('pool-destroy', self.name)
        self.assertFalse(os.path.ismount(target))


if __name__ == '__main__':
    unittest.main()
