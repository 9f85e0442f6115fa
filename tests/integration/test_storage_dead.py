# SPDX-License-Identifier: LGPL-2.1-or-later
"""A pool whose server is dead: a file system whose server process is stopped. Its own calls fail after a while, and
nothing else notices."""
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import time
import unittest

import libvirt

from harness import ON_PEER, PATIENCE, SLOW, OwnSandbox, daemon_uri, domain_xml, run, start_event_loop, unique, virsh, wait_for

DAEMON = 'virtstoraged'
HERE = os.path.dirname(os.path.abspath(__file__))


@unittest.skipIf(ON_PEER, 'the stock daemon waits for ever')
class Dead(OwnSandbox):
    def setUp(self):
        super().setUp()
        self.sandbox.start()
        self.mount = os.path.join(self.directory, 'mnt')
        good = os.path.join(self.directory, 'good')
        os.mkdir(self.mount)
        os.mkdir(good)
        self.server = subprocess.Popen([sys.executable, os.path.join(HERE, 'fuse.py'), self.mount, 'v=65536', 'w=65536', 'x=65536'],
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(self.end)
        if self.server.stdout.readline() != 'mounted\n':
            self.skipTest('no file system of our own can be mounted')
        for name, path in (('dead', self.mount), ('good', good)):
            virsh('pool-define-as', name, 'dir', '--target', path)
            virsh('pool-start', name)
        virsh('vol-create-as', 'good', 'g', '1M')

    def end(self):
        self.server.kill()
        self.server.wait()
        self.server.stdout.close()
        subprocess.run(['umount', '-l', self.mount], timeout=120, stderr=subprocess.DEVNULL)

    def modvirt(self, *args):
        tool = os.path.join(self.sandbox.build, 'tools', 'modvirt', 'modvirt')
        return run([tool, *args], env={'MODVIRT_ROOT': self.sandbox.dir})[1]

    def die(self):
        os.kill(self.server.pid, signal.SIGSTOP)

    def others_work(self):
        """With little patience."""
        virsh('pool-refresh', 'good', timeout=8)
        virsh('vol-create-as', 'good', 'new', '1M', timeout=8)
        virsh('vol-delete', 'new', '--pool', 'good', timeout=8)
        self.assertIn('g', virsh('vol-list', 'good', timeout=8).split())
        # What is known of the dead one is told.
        self.assertRegex(virsh('pool-list', '--all', timeout=8), r'dead +active')
        self.assertRegex(virsh('pool-info', 'dead', timeout=8), r'Capacity: +[1-9]')
        self.assertEqual(virsh('vol-list', 'dead', timeout=8).split()[::2], ['v', 'w', 'x'])
        self.assertIn(self.mount, virsh('pool-dumpxml', 'dead', timeout=8))
        self.assertEqual(virsh('vol-path', 'v', '--pool', 'dead', timeout=8).strip(), os.path.join(self.mount, 'v'))

    def test_calls_end_and_others_go_on(self):
        data = os.path.join(self.directory, 'data')
        with open(data, 'wb') as f:
            f.write(bytes(1 << 20))
        self.assertRegex(virsh('vol-info', 'v', '--pool', 'dead'), r'Capacity: +64')
        self.die()
        calls = [['vol-create-as', 'dead', 'n', '1M'], ['vol-create-as', 'dead', 'q', '1M', '--format', 'qcow2'],
                 ['vol-delete', 'v', '--pool', 'dead'], ['vol-resize', 'w', '2M', '--pool', 'dead'],
                 ['vol-wipe', 'x', '--pool', 'dead'], ['vol-clone', 'v', 'copy', '--pool', 'dead'],
                 ['vol-upload', 'w', data, '--pool', 'dead'], ['vol-download', 'x', '/dev/null', '--pool', 'dead'],
                 ['vol-dumpxml', 'v', '--pool', 'dead'], ['vol-info', 'no-such', '--pool', 'dead'], ['pool-refresh', 'dead']]
        with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
            running = [pool.submit(virsh, *c, check=False, timeout=120) for c in calls]
            for _ in range(3):
                self.others_work()
            for call, r in zip(calls, running):
                status, _, err = r.result()
                self.assertNotEqual(status, 0, call)
                self.assertTrue(err, call)
                if call[0] in ('vol-dumpxml', 'pool-refresh', 'vol-delete'):
                    # A volume that is being copied may not be deleted, whichever of the two comes first.
                    self.assertRegex(err, 'does not answer|did not answer|Timed out|waited|still in use', call)
        self.others_work()
        os.kill(self.server.pid, signal.SIGCONT)
        virsh('pool-refresh', 'dead')
        wait_for('the server', lambda: virsh('vol-info', 'v', '--pool', 'dead', check=False)[0] == 0)

    def test_a_restart_does_not_wait(self):
        self.die()
        for how in (signal.SIGKILL, signal.SIGTERM):
            self.sandbox.stop_daemon(DAEMON, how)
            self.sandbox.start_daemon(DAEMON)
            self.assertRegex(virsh('pool-list', '--all', timeout=8), r'dead +active')
            wait_for('the other pool', lambda: 'g' in virsh('vol-list', 'good', check=False, timeout=8)[1].split())
        # As a boot does.
        virsh('pool-autostart', 'dead')
        self.sandbox.stop_daemon(DAEMON, signal.SIGKILL)
        for left in ('autostarted', 'dead.xml'):
            os.unlink(os.path.join(self.sandbox.run_dir, 'storage', left))
        self.sandbox.start_daemon(DAEMON)
        self.assertIn('good', virsh('pool-list', '--all', timeout=8))

    def test_many_lists_at_once(self):
        """More of them than there are workers wait for the look of one."""
        self.die()
        self.sandbox.stop_daemon(DAEMON, signal.SIGKILL)
        self.sandbox.start_daemon(DAEMON)
        pools = [self.connect(daemon_uri(DAEMON)).storagePoolLookupByName('dead') for _ in range(12)]
        with concurrent.futures.ThreadPoolExecutor(48) as pool:
            lists = [pool.submit(p.numOfVolumes) for p in pools * 4]
            self.see('storage_pool_num_of_volumes')
            wait_for('the other pool', lambda: 'g' in virsh('vol-list', 'good', check=False, timeout=8)[1].split())
            virsh('vol-create-as', 'good', 'new', '1M', timeout=8)
            os.kill(self.server.pid, signal.SIGCONT)
            for one in lists:
                self.assertTrue(one.exception(timeout=120) or one.result() == 3)

    def test_guests_whose_images_are_there(self):
        """Who asks for them waits as long as that takes; virtqemud has workers for others."""
        name = unique('guest')
        disk = f"<disk type='file' device='disk'><source file='{self.mount}/v'/><target dev='vda' bus='virtio'/></disk></devices>"
        self.connect().defineXML(domain_xml(name).replace('</devices>', disk))
        self.die()
        guests = [self.connect().lookupByName(name) for _ in range(12)]
        with concurrent.futures.ThreadPoolExecutor(48) as pool:
            asked = [pool.submit(ask) for g in guests * 2
                     for ask in (lambda g=g: g.blockInfo('vda'), lambda g=g: g.connect().domainListGetStats([g]))]
            try:
                wait_for('the calls', lambda: self.modvirt('calls', 'virtqemud').count('get_block_info') > 20)
                virsh('cpu-models', 'x86_64', timeout=8)
                virsh('domstats', '--state', timeout=8)
            finally:
                os.kill(self.server.pid, signal.SIGCONT)
            for one in asked:
                one.result(timeout=120)

    def test_a_restart_of_virtqemud_does_not_wait(self):
        """Guests that run are taken up again without a look at their images. One that starts with the host is started when its
        server is back; neither others nor the daemon's end wait for it."""
        running, starting, other = (unique('guest') for _ in range(3))
        for name, volume in ((running, 'v'), (starting, 'w'), (other, None)):
            disk = f"<disk type='file' device='disk'><source file='{self.mount}/{volume}'/><target dev='vda' bus='virtio'/></disk></devices>"
            self.connect().defineXML(domain_xml(name).replace('</devices>', disk if volume else '</devices>'))
        virsh('start', running)
        virsh('autostart', starting)
        self.die()
        mark = os.path.join(self.sandbox.run_dir, 'qemu', 'autostarted')
        for how in (signal.SIGKILL, signal.SIGTERM):
            wait_for('the mark', lambda: os.path.exists(mark))
            self.sandbox.stop_daemon('virtqemud', how)
            os.unlink(mark)                       # as a boot does
            self.sandbox.start_daemon('virtqemud')
            virsh('desc', running, '--live', how.name)   # a change waits for what is under way
            self.assertEqual(virsh('desc', running, '--live').strip(), how.name)
            self.assertEqual(virsh('domstate', running).strip(), 'running')
            virsh('start', other)
            virsh('destroy', other)
        self.assertEqual(virsh('domstate', starting).strip(), 'shut off')
        os.kill(self.server.pid, signal.SIGCONT)
        wait_for('the guest', lambda: virsh('domstate', starting).strip() == 'running')
        for name in (running, starting):
            virsh('destroy', name)

    def test_a_pool_whose_server_ended(self):
        """While a new daemon still waits for it; who watches sees the pool stop, whether he asks or not."""
        start_event_loop()
        seen = []
        for _ in range(5):
            self.die()
            self.sandbox.stop_daemon(DAEMON, signal.SIGKILL)
            self.sandbox.start_daemon(DAEMON)
            started = time.monotonic()
            conn = self.connect(daemon_uri(DAEMON))
            conn.storagePoolEventRegisterAny(conn.storagePoolLookupByName('dead'), libvirt.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE,
                                             lambda c, p, event, detail, o: seen.append(event), None)
            if time.monotonic() - started < 8:    # then it has given up: another time
                break
            os.kill(self.server.pid, signal.SIGCONT)
            virsh('pool-refresh', 'dead')
        self.server.kill()
        wait_for('the event', lambda: seen)
        self.assertEqual(seen, [libvirt.VIR_STORAGE_POOL_EVENT_STOPPED])
        self.assertRegex(virsh('pool-list', '--all'), r'dead +inactive')

    def see(self, procedure, shown=''):
        """The number of a call that is there."""
        rows = []

        def seen():
            rows[:] = [r.split() for r in self.modvirt('calls', DAEMON).splitlines() if procedure in r and re.search(shown, r)]
            return rows
        wait_for('the call', seen)
        return rows[0][0]

    def test_streams_of_a_server_that_lives(self):
        sent, got = (os.path.join(self.directory, n) for n in ('sent', 'got'))
        content = os.urandom(3000000) + bytes(2000000) + os.urandom(77)
        with open(sent, 'wb') as f:
            f.write(content[:3000000])
            f.seek(5000000)
            f.write(content[5000000:])
        for volume, *words in (['v'], ['w', '--sparse']):
            virsh('vol-upload', volume, sent, '--pool', 'dead', *words)
            virsh('vol-download', volume, got, '--pool', 'dead', *words)
            with open(got, 'rb') as f:
                self.assertTrue(f.read() == content, words)
        self.die()
        with subprocess.Popen(['virsh', 'vol-upload', 'x', sent, '--pool', 'dead'], stderr=subprocess.DEVNULL) as client:
            wait_for('the process', lambda: 'virt-storage-work' in run(['ps', '-eo', 'args'])[1])
            client.kill()
        self.others_work()

    def see_and_cancel(self, words, procedure, shown):
        with subprocess.Popen(['virsh', *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as client:
            self.modvirt('cancel', self.see(procedure, shown))
            self.assertIn('cancelled', client.communicate(timeout=PATIENCE * SLOW)[1])

    def test_a_call_is_cancelled(self):
        self.die()
        self.see_and_cancel(['vol-delete', 'v', '--pool', 'dead'], 'vol_delete', '')

    def test_layers_far_below(self):
        """Files that lie on the dead one, but only in the third layer: the daemon itself looks at none of that."""
        good = os.path.join(self.directory, 'good')
        below = os.path.join(self.mount, 'v')
        for name, base, kind in (('middle', below, 'raw'), ('top', 'middle', 'qcow2'), ('other', 'middle', 'qcow2')):
            run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base, '-F', kind, os.path.join(good, name)])
        virsh('pool-refresh', 'good')
        virsh('vol-clone', 'top', 'copy', '--pool', 'good')
        self.die()
        self.assertIn('middle', virsh('vol-dumpxml', 'top', '--pool', 'good', timeout=8))
        calls = [['vol-resize', 'other', '1M', '--pool', 'good'], ['vol-clone', 'top', 'another', '--pool', 'good'],
                 ['vol-create-as', 'good', 'new', '1M', '--format', 'qcow2', '--backing-vol', 'middle', '--backing-vol-format', 'qcow2']]
        with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
            for call, r in [(c, pool.submit(virsh, *c, check=False, timeout=60)) for c in calls]:
                status, _, err = r.result()
                self.assertNotEqual(status, 0, call)
                self.assertRegex(err, 'does not answer|did not answer', call)
        self.others_work()

    def test_a_stop_does_not_wait_for_looks(self):
        self.die()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            refresh = pool.submit(virsh, 'pool-refresh', 'dead', check=False, timeout=60)
            self.see('storage_pool_refresh')
            virsh('pool-destroy', 'dead')
            status, _, err = refresh.result()
            self.assertNotEqual(status, 0)
            self.assertIn('the pool is to stop', err)
        self.assertRegex(virsh('pool-list', '--all'), r'dead +inactive')
        self.assertIn('not active', virsh('pool-destroy', 'dead', check=False)[2])
        # A stop that fails leaves nothing behind that would end others.
        os.kill(self.server.pid, signal.SIGCONT)
        virsh('pool-start', 'dead')
        virsh('pool-refresh', 'dead')

    def test_a_stop_waits_for_what_is_made(self):
        self.die()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            made = pool.submit(virsh, 'vol-create-as', 'dead', 'n', '1M', check=False, timeout=60)
            self.see('storage_vol_create_xml')
            stopped = pool.submit(virsh, 'pool-destroy', 'dead', timeout=60)
            self.see('storage_pool_destroy')
            self.assertIn('v', virsh('vol-list', 'dead').split())
            os.kill(self.server.pid, signal.SIGCONT)
            # This server makes no files, and lives to say so.
            self.assertRegex(made.result()[2], 'not implemented|No such file|cannot create')
            stopped.result()

    def test_how_far_it_is_is_seen(self):
        virsh('vol-create-as', 'good', 'large', '64G', '--allocation', '0')
        self.see_and_cancel(['vol-wipe', 'large', '--pool', 'good', '--algorithm', 'random'], 'vol_wipe', r' \d+% ')


if __name__ == '__main__':
    unittest.main()
