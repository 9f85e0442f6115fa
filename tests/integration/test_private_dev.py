# SPDX-License-Identifier: LGPL-2.1-or-later
"""An emulator sees the devices that its guest needs, and no other: its /dev is its own."""
import os
import shutil
import signal
import stat
import subprocess
import unittest

import libvirt

from harness import ON_PEER, domain_xml, emulators, unique
from test_security import Security, ids, owner

FIXED = ['null', 'full', 'zero', 'random', 'urandom', 'ptmx', 'kvm', 'userfaultfd']


def losetup(*args):
    return subprocess.run(['losetup', *args], check=True, capture_output=True, text=True).stdout.strip()


def may_have_mounts():
    return os.geteuid() == 0 and subprocess.run(['unshare', '-m', 'true'], capture_output=True, check=False).returncode == 0


@unittest.skipIf(ON_PEER or not may_have_mounts(), 'needs root that may make mount namespaces')
class PrivateDev(Security):
    def block(self, *options):
        """A block device of this test; its path."""
        path = os.path.join(self.sandbox.dir, unique('disk'))
        with open(path, 'wb') as f:
            f.truncate(1 << 20)
        try:
            device = losetup('--find', '--show', *options, path)
        except (OSError, subprocess.CalledProcessError):
            self.skipTest('no loop devices')
        self.addCleanup(losetup, '--detach', device)
        return device

    @staticmethod
    def block_disk(path, target='vda', bus='virtio', device='disk'):
        source = f"<source dev='{path}'/>" if path else ''
        return (f"<disk type='block' device='{device}'><driver name='qemu' type='raw'/>{source}"
                f"<target dev='{target}' bus='{bus}'/></disk>")

    @staticmethod
    def dev(dom, path=''):
        pid, = emulators(dom.name())
        return os.path.join(f'/proc/{pid}/root/dev', path)

    def nodes(self, dom):
        """Names of the device nodes and links in the guest's /dev; not of what is mounted there."""
        top = self.dev(dom)
        found, device = [], os.stat(top).st_dev
        for at, dirs, files in os.walk(top):
            dirs[:] = [d for d in dirs if os.lstat(os.path.join(at, d)).st_dev == device]
            found += [os.path.relpath(os.path.join(at, f), top) for f in files]
        return sorted(found)

    def there(self, names):
        return sorted(n for n in names if os.path.exists('/dev/' + n))


class Nodes(PrivateDev):
    def test_only_what_a_guest_needs(self):
        dom = self.create()
        self.assertEqual(self.nodes(dom), self.there(FIXED))
        for name in self.nodes(dom):
            here, there = os.stat('/dev/' + name), os.stat(self.dev(dom, name))
            self.assertEqual((here.st_rdev, here.st_mode, here.st_uid, here.st_gid),
                             (there.st_rdev, there.st_mode, there.st_uid, there.st_gid), name)

    def test_mounts_below_are_kept_and_nothing_leaks(self):
        with open('/proc/self/mountinfo', encoding='ascii') as f:
            before = f.read()
        dom = self.create()
        for name in ('shm', 'pts', 'mqueue', 'hugepages'):
            if os.path.ismount('/dev/' + name):
                here, there = os.stat('/dev/' + name), os.stat(self.dev(dom, name))
                self.assertEqual((here.st_dev, here.st_ino), (there.st_dev, there.st_ino), name)
        with open('/proc/self/mountinfo', encoding='ascii') as f:
            self.assertEqual(f.read(), before)

    def test_block_disk_by_links_and_whose_it_is(self):
        device = self.block()
        folder = os.path.join('/dev', unique('modvirt-test'))
        os.makedirs(os.path.join(folder, 'by-name'))
        self.addCleanup(shutil.rmtree, folder)
        os.symlink('../other', os.path.join(folder, 'by-name', 'disk'))
        os.symlink(device, os.path.join(folder, 'other'))
        before = owner(device)
        dom = self.create(self.block_disk(os.path.join(folder, 'by-name', 'disk')))
        name = os.path.basename(folder)
        self.assertEqual(os.readlink(self.dev(dom, name + '/by-name/disk')), '../other')
        self.assertEqual(os.readlink(self.dev(dom, name + '/other')), device)
        node = os.stat(self.dev(dom, os.path.basename(device)))
        self.assertTrue(stat.S_ISBLK(node.st_mode))
        self.assertEqual((node.st_rdev, node.st_uid, node.st_gid), (os.stat(device).st_rdev, *ids()))
        self.assertEqual(owner(device), before)           # the host's node stays whose it is
        dom.destroy()
        self.assertEqual(owner(device), before)
        self.assertEqual(os.listxattr(device), [])

    def test_source_of_random_numbers(self):
        name = os.path.join('/dev', unique('modvirt-test'))
        os.mknod(name, 0o600 | stat.S_IFCHR, os.makedev(1, 9))
        self.addCleanup(os.unlink, name)
        os.chmod(name, 0o666)
        dom = self.create(f"<rng model='virtio'><backend model='random'>{name}</backend></rng>")
        self.assertEqual(self.nodes(dom), sorted(self.there(FIXED) + [os.path.basename(name)]))

    def test_medium_comes_and_goes_also_after_a_restart(self):
        first, second = self.block(), self.block()
        dom = self.create(self.block_disk(None, 'sda', 'sata', 'cdrom'))
        name = dom.name()

        def insert(path):
            self.conn.lookupByName(name).updateDeviceFlags(self.block_disk(path, 'sda', 'sata', 'cdrom'))

        def extra():
            return [n for n in self.nodes(dom) if n not in FIXED]

        insert(first)
        self.assertEqual(extra(), [os.path.basename(first)])
        self.assertEqual(owner(self.dev(dom, os.path.basename(first))), ids())
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        self.sandbox.start_daemon('virtqemud')
        self.conn = self.connect()
        insert(second)
        self.assertEqual(extra(), [os.path.basename(second)])
        insert(None)
        self.assertEqual(extra(), [])
        self.assertEqual((owner(first)[0], owner(second)[0]), (0, 0))

    def test_failed_attach_leaves_no_node(self):
        device = self.block('--read-only')
        dom = self.create()
        with self.assertRaises(libvirt.libvirtError) as caught:
            dom.attachDevice(self.block_disk(device))
        self.assertIn('Permission denied', str(caught.exception))
        self.assertNotIn(os.path.basename(device), self.nodes(dom))

    def test_plan_tells(self):
        tool = os.path.join(self.sandbox.build, 'tools', 'modvirt', 'modvirt')
        path = os.path.join(self.sandbox.dir, 'd.xml')
        device = self.block()
        with open(path, 'w', encoding='utf-8') as f:
            f.write(domain_xml('planned', devices=self.block_disk(device)))
        text = subprocess.run([tool, 'plan', path], check=False, capture_output=True, text=True).stdout
        self.assertIn('a /dev of its own with /dev/null', text)
        self.assertIn(f"and '{device}'", text)


class Chosen(PrivateDev):
    CONF = Security.CONF + 'cgroup_device_acl = [ "/dev/null", "/dev/zero", "/dev/modvirt-is-not-there" ]\n'

    def test_the_list_of_the_configuration(self):
        self.assertEqual(self.nodes(self.create()), ['null', 'zero'])


class Off(PrivateDev):
    CONF = Security.CONF + 'namespaces = [ ]\n'

    def test_off(self):
        pid, = emulators(self.create().name())
        self.assertEqual(os.readlink(f'/proc/{pid}/ns/mnt'), os.readlink('/proc/self/ns/mnt'))


@unittest.skipUnless(shutil.which('setpriv'), 'needs setpriv')
class NotPermitted(PrivateDev):
    """As in a container that gives its root no CAP_SYS_ADMIN."""
    def restart(self):
        self.sandbox.stop_daemon('virtqemud')
        self.sandbox.start_daemon('virtqemud', under=('setpriv', '--bounding-set=-sys_admin'))
        self.conn = self.connect()

    def test_guests_run_all_the_same_and_the_log_says_so_once(self):
        self.restart()
        for _ in range(2):
            pid, = emulators(self.create().name())
            self.assertEqual(os.readlink(f'/proc/{pid}/ns/mnt'), os.readlink('/proc/self/ns/mnt'))
        with open(self.sandbox.log_path('virtqemud'), encoding='utf-8') as f:
            self.assertEqual(f.read().count("guests run with the host's /dev: "), 1)

    def test_who_asked_for_it_is_refused(self):
        self.configure(self.CONF + 'namespaces = [ "mount" ]\n')
        self.restart()
        with self.assertRaises(libvirt.libvirtError) as caught:
            self.create()
        self.assertIn("namespaces in qemu.conf: 'mount' is not possible here", str(caught.exception))
        self.assertIn('Operation not permitted', str(caught.exception))


if __name__ == '__main__':
    unittest.main()
