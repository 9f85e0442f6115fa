# SPDX-License-Identifier: LGPL-2.1-or-later
"""Saved guests and a daemon that comes back; settings of images."""
import os
import shutil
import signal
import subprocess

from harness import OwnSandbox, names, virsh, emulators, wait_for
from saving import SaveCase, header, poke, state


class Restart(OwnSandbox, SaveCase):
    def prepare(self, **how):
        self.sandbox.start()
        self.use(self.sandbox, 'virtqemud')
        return self.running(**how)

    def again(self, how=signal.SIGKILL):
        self.sandbox.stop_daemon('virtqemud', how)
        self.sandbox.start_daemon('virtqemud')

    def managed(self, name):
        return os.path.join(self.directory, 'var/lib/libvirt/qemu/save', name + '.save')

    def test_managed_images_survive(self):
        dom = self.prepare()
        name = dom.name()
        dom.managedSave()
        self.again(signal.SIGTERM)
        self.assertIn(name, names(virsh('list', '--all', '--name', '--with-managed-save')))
        virsh('start', name)
        self.assertEqual(state(name), 'running (restored)')
        self.assertFalse(os.path.exists(self.managed(name)))
        # Those that are of no use are told or, if it is known that they never were whole, removed.
        virsh('managedsave', name)
        poke(self.managed(name), 0, b'XX')
        status, _, err = virsh('start', name, check=False)
        self.assertEqual(status, 1)
        self.assertIn('image magic is incorrect', err)
        self.assertTrue(os.path.exists(self.managed(name)))
        poke(self.managed(name), 0, b'LibvirtQemudPart')
        virsh('start', name)
        self.assertEqual(state(name), 'running (booted)')
        self.assertFalse(os.path.exists(self.managed(name)))

    def test_another_name_survives(self):
        dom = self.prepare()
        new = self.guest_name('renamed')
        dom.destroy()
        dom.setAutostart(1)
        virsh('domrename', dom.name(), new)
        self.again()
        self.assertEqual(names(virsh('list', '--all', '--name', '--autostart')), [new])
        self.assertEqual(os.listdir(os.path.join(self.directory, 'etc/libvirt/qemu/autostart')), [new + '.xml'])

    def test_killed_in_the_middle(self):
        """The guest goes on, and nothing tells that there is an image."""
        dom = self.loaded(self.prepare(boots=True, memory_mib=128))
        name, image = dom.name(), self.path()
        for method, args, file in (('save', (image,), image), ('managedSave', (0,), self.managed(name)),
                                   ('coreDump', (image,), image)):
            with self.subTest(method=method):
                dom = self.connect().lookupByName(name)
                job = self.slow_job(dom, method, *args)
                self.assertTrue(os.path.exists(file))
                self.again()
                self.assertIsNotNone(job.join())
                wait_for('the guest to go on', lambda: state(name).startswith('running ('))
                self.assertFalse(os.path.exists(file))
                self.assertEqual(len(emulators(name)), 1)
                self.assertRegex(virsh('domjobinfo', name), r'^Job type: +None')
                self.assertNotIn(name, names(virsh('list', '--all', '--name', '--with-managed-save')))
                virsh('suspend', name)
                virsh('resume', name)
        virsh('managedsave', name)
        virsh('start', name)
        self.assertEqual(state(name), 'running (restored)')

    def test_compression(self):
        self.sandbox.start()
        self.use(self.sandbox, 'virtqemud')
        dom = self.running()
        conf = os.path.join(self.directory, 'etc/libvirt/qemu.conf')
        settings = ''
        if os.path.exists(conf):
            with open(conf) as f:
                settings = f.read()
        for number, word in ((1, 'gzip'), (2, 'bzip2'), (3, 'xz'), (4, 'lzop'), (5, 'zstd')):
            with self.subTest(format=word):
                with open(conf, 'w') as f:
                    f.write(f'{settings}\nsave_image_format = "{word}"\ndump_image_format = "{word}"\n')
                self.again(signal.SIGTERM)
                image = self.path()
                if not shutil.which(word):
                    status, _, err = virsh('save', dom.name(), image, check=False)
                    self.assertEqual(status, 1)
                    self.assertIn(word, err)
                    self.assertFalse(os.path.exists(image))
                    continue
                for how in ([], ['--bypass-cache']):
                    virsh('save', dom.name(), image, *how)
                    self.assertEqual(header(image)[4], number)
                    virsh('restore', image, *how)
                    self.assertEqual(state(dom.name()), 'running (restored)')
                virsh('dump', dom.name(), image)
                plain = subprocess.run([word, '-dc'], stdin=open(image, 'rb'), stdout=subprocess.PIPE, check=True)
                self.assertEqual(plain.stdout[:4], b'QEVM')
        with open(conf, 'w') as f:
            f.write(f'{settings}\nsave_image_format = "nonsense"\n')
        self.again(signal.SIGTERM)
        status, _, err = virsh('save', dom.name(), self.path(), check=False)
        self.assertIn('Invalid save image format', err)
        self.assertTrue(state(dom.name()).startswith('running ('))
