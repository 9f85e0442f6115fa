# SPDX-License-Identifier: LGPL-2.1-or-later
"""virt-install, as people call it: from a kernel, from an image that exists, onto a volume of a pool."""
import os
import shutil
import subprocess
import unittest

from harness import ON_PEER, OwnSandbox, guest_file, names, unique, uri, virsh

COMMON = ['--virt-type', 'qemu', '--memory', '96', '--osinfo', 'detect=off,require=off', '--network', 'user',
          '--graphics', 'none', '--noautoconsole']


@unittest.skipIf(ON_PEER or not shutil.which('virt-install'), 'about our daemons, and needs virt-install')
class VirtInstall(OwnSandbox):
    def setUp(self):
        super().setUp()
        self.sandbox.start()
        self.use(self.sandbox)
        self.images = os.path.join(self.sandbox.dir, 'images')
        os.mkdir(self.images, 0o755)

    def install(self, stem, *options):
        name = self.guest_name(stem)
        env = dict(os.environ, HOME=self.sandbox.dir)
        done = subprocess.run(['virt-install', '--connect', uri(), '--name', name, *COMMON, *options], env=env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(name, names(virsh('list', '--name')))
        return name

    def test_what_people_do(self):
        image = os.path.join(self.images, 'there.qcow2')
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', image, '16M'], check=True)
        name = self.install('import', '--import', '--disk', f'path={image}')
        self.assertIn(image, virsh('domblklist', name))
        # It made a pool of the image's directory, which is why it knows the format.
        self.assertIn('there.qcow2', virsh('vol-list', os.path.basename(self.images)))
        self.assertIn("type='qcow2'", virsh('dumpxml', name))

        pool = unique('pool')
        virsh('pool-define-as', pool, 'dir', '--target', os.path.join(self.sandbox.dir, pool))
        virsh('pool-build', pool)
        virsh('pool-start', pool)
        name = self.install('new', '--boot', 'hd', '--pxe', '--disk', f'pool={pool},size=0.01')
        volume = f'{self.sandbox.dir}/{pool}/{name}.qcow2'
        self.assertIn(volume, virsh('domblklist', name))
        self.assertTrue(os.path.exists(volume))
        virsh('destroy', name)
        virsh('undefine', name, '--remove-all-storage')
        self.assertFalse(os.path.exists(volume))

        self.install('kernel', '--disk', 'none', '--install',
                     f"kernel={guest_file('vmlinuz')},initrd={guest_file('initrd')},kernel_args=console=ttyS0")


if __name__ == '__main__':
    unittest.main()
