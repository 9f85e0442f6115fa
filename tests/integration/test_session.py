# SPDX-License-Identifier: LGPL-2.1-or-later
"""qemu:///session: an ordinary user's daemon, started by the client that needs it."""
import glob
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from harness import EMULATOR, ON_PEER, SOURCE_ROOT, emulators, has_ended, unique, wait_for

USER = 20001
GUEST = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><emulator>{emulator}</emulator>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{disk}'/><target dev='vda' bus='virtio'/></disk>
<interface type='user'/><serial type='pty'/><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
</devices></domain>"""


@unittest.skipIf(ON_PEER or os.geteuid() != 0, 'needs to become somebody else')
class Session(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix='mv-', dir='/tmp')
        self.addCleanup(shutil.rmtree, self.home, True)
        self.addCleanup(self.end)
        self.runtime = os.path.join(self.home, 'run')
        binaries = os.path.join(self.home, 'sbin')
        for path in (self.runtime, binaries):
            os.mkdir(path, 0o700)
        build = os.path.abspath(os.environ.get('MODVIRT_BUILD', os.path.join(SOURCE_ROOT, 'build')))
        # The client starts it with an environment of its own.
        for daemon, driver in (('virtqemud', 'qemu'), ('virtstoraged', 'storage'), ('virtsecretd', 'secret')):
            starter = os.path.join(binaries, daemon)
            with open(starter, 'w', encoding='ascii') as f:
                f.write(f'#!/bin/sh\nLIBVIRTD_PATH={binaries} MODVIRT_MODULE_DIR={build}/drivers/{driver} '
                        f'exec {build}/daemons/{daemon} "$@"\n')
            os.chmod(starter, 0o755)
        self.disk = os.path.join(self.home, 'disk')
        with open(self.disk, 'wb') as f:
            f.truncate(1 << 20)
        for path in (self.home, self.runtime, binaries, self.disk):
            os.chown(path, USER, USER)

    def daemon(self, name='virtqemud'):
        with open(os.path.join(self.runtime, 'libvirt', name + '.pid'), encoding='ascii') as f:
            return int(f.read())

    def end(self):
        try:
            os.kill(self.daemon(), signal.SIGTERM)
        except (OSError, ValueError):
            pass
        for environ in glob.glob('/proc/[0-9]*/environ'):
            try:
                with open(environ, 'rb') as f:
                    if self.home.encode() in f.read():
                        os.kill(int(environ.split('/')[2]), signal.SIGKILL)
            except (OSError, ValueError):
                pass

    def virsh(self, *args, check=True):
        done = self.client('virsh', '-q', '-c', 'qemu:///session?mode=direct', *args)
        if check:
            self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout if check else done

    def client(self, *argv):
        env = {'HOME': self.home, 'XDG_RUNTIME_DIR': self.runtime, 'LIBVIRTD_PATH': os.path.join(self.home, 'sbin'),
               'PATH': os.environ['PATH'], 'LC_ALL': 'C'}
        return subprocess.run(['setpriv', f'--reuid={USER}', f'--regid={USER}', '--clear-groups', *argv], env=env, cwd='/',
                              capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False)

    def test_a_day(self):
        self.assertFalse(os.path.exists(os.path.join(self.runtime, 'libvirt', 'virtqemud-sock')))
        self.assertIn('qemu:///session', self.virsh('uri'))
        name = unique('session')
        path = os.path.join(self.home, 'guest.xml')
        with open(path, 'w', encoding='ascii') as f:
            f.write(GUEST.format(name=name, emulator=EMULATOR, disk=self.disk))
        self.virsh('define', path)
        self.virsh('start', name)
        self.assertIn('running', self.virsh('domstate', name))
        pid, = emulators(name)
        self.assertEqual(os.stat(f'/proc/{pid}').st_uid, USER)
        xml = self.virsh('dumpxml', name)
        for absent in ("model='dac'", '<resource>'):
            self.assertNotIn(absent, xml)
        self.assertNotIn('<model>dac</model>', self.virsh('capabilities'))
        self.assertIn(f'{self.home}/.local/share/libvirt/qemu/channel', xml)
        self.assertTrue(os.path.exists(os.path.join(self.home, '.config', 'libvirt', 'qemu', name + '.xml')))
        self.assertEqual((os.stat(self.disk).st_uid, os.listxattr(self.disk)), (USER, []))
        for top in ('.config', '.cache', '.local', 'run'):
            for folder, _, files in os.walk(os.path.join(self.home, top)):
                self.assertEqual({os.lstat(os.path.join(folder, file)).st_uid for file in files} - {USER}, set(), folder)
        # Another client finds the same daemon; one that was killed is started again, and the guest is still there.
        first = self.daemon()
        self.virsh('list')
        self.assertEqual(self.daemon(), first)
        os.kill(first, signal.SIGKILL)
        wait_for('the daemon to end', lambda: has_ended(first))
        self.assertEqual(self.virsh('list', '--name').split(), [name])
        self.assertNotEqual(self.daemon(), first)
        self.virsh('destroy', name)
        wait_for('the emulator to end', lambda: not emulators(name))
        self.virsh('undefine', name)
        self.assertEqual(self.virsh('list', '--all', '--name').split(), [])

    def test_pools_are_the_users_own(self):
        target = os.path.join(self.home, 'pool')
        os.mkdir(target)
        os.chown(target, USER, USER)
        self.virsh('pool-define-as', 'mine', 'dir', '--target', target)
        self.virsh('pool-start', 'mine')
        self.virsh('vol-create-as', 'mine', 'v', '1M')
        self.assertEqual(os.stat(os.path.join(target, 'v')).st_uid, USER)
        self.assertEqual(self.virsh('pool-list', '--name').split(), ['mine'])
        # What is not installed is not waited for.
        done = self.virsh('net-list', check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('virtnetworkd is not running', done.stderr)

    def test_a_guest_brings_its_daemons(self):
        """The daemon that a guest needs is started by the daemon that asks it, as by a client."""
        name, uuid = unique('session'), '77777777-0000-4000-8000-000000000001'
        target = os.path.join(self.home, 'pool')
        path = os.path.join(self.home, 'x.xml')

        def define(what, text):
            with open(path, 'w', encoding='ascii') as f:
                f.write(text)
            self.virsh(*what.split(), path)

        self.virsh('pool-define-as', 'default', 'dir', '--target', target)
        self.virsh('pool-build', 'default')
        self.virsh('pool-autostart', 'default')
        self.virsh('pool-start', 'default')
        define('secret-define', f"<secret private='yes'><uuid>{uuid}</uuid><usage type='volume'>"
               f'<volume>{target}/luks</volume></usage></secret>')
        self.virsh('secret-set-value', uuid, '--base64', 'cGFzc3dvcmQ=')
        define('define', GUEST.format(name=name, emulator=EMULATOR, disk=self.disk).replace('</devices>', f"""
<disk type='volume' device='disk'><driver name='qemu' type='raw'/><source pool='default' volume='luks'><encryption format='luks'>
<secret type='passphrase' uuid='{uuid}'/></encryption></source><target dev='vdb' bus='virtio'/></disk></devices>"""))
        define('vol-create default', f"""<volume><name>luks</name><capacity unit='MiB'>1</capacity><target><format type='raw'/>
<encryption format='luks'><secret type='passphrase' uuid='{uuid}'/></encryption></target></volume>""")
        for daemon in ('virtstoraged', 'virtsecretd', 'virtqemud'):
            pid = self.daemon(daemon)
            os.kill(pid, signal.SIGKILL)
            wait_for('the daemon to end', lambda pid=pid: has_ended(pid))
        self.virsh('start', name)
        self.assertIn('Capacity', self.virsh('domblkinfo', name, os.path.join(target, 'luks')))
        self.virsh('destroy', name)

    @unittest.skipUnless(shutil.which('virt-install'), 'virt-install is not installed')
    def test_the_default_pool(self):
        done = self.client('virt-install', '--connect', 'qemu:///session?mode=direct', '--name', 's', '--virt-type', 'qemu', '--memory', '64',
                           '--osinfo', 'detect=off,require=off', '--network', 'none', '--graphics', 'none', '--noautoconsole',
                           '--import', '--disk', 'size=0.01')
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        images = os.path.join(self.home, '.local', 'share', 'libvirt', 'images')
        self.assertIn(f'<path>{images}</path>', self.virsh('pool-dumpxml', 'default'))
        self.assertIn(images, self.virsh('domblklist', 's'))
        self.virsh('destroy', 's')
        self.virsh('undefine', 's', '--remove-all-storage')
        self.assertEqual(os.listdir(images), [])

    def test_what_only_root_has(self):
        self.virsh('uri')
        path = os.path.join(self.home, 'guest.xml')
        with open(path, 'w', encoding='ascii') as f:
            f.write(GUEST.format(name='s', emulator=EMULATOR, disk=self.disk).replace(
                '</devices>', "</devices><seclabel type='dynamic' model='dac'/>"))
        done = self.virsh('create', path, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Security driver model 'dac' is not available", done.stderr)


if __name__ == '__main__':
    unittest.main()
