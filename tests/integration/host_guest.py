# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest with this host's files and Debian's kernel (scripts/host-guest), which runs a test module inside.

The module's tests run in the guest as they would here, on a copy of this tree in which every write stays in the
guest's memory. What becomes of them is told here by tests of the same names: in_guest() makes those.
"""
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from harness import EMULATOR, PATIENCE, SLOW, SOURCE_ROOT, scratch

INSIDE = 'MODVIRT_IN_GUEST' in os.environ
SHARE = '/run/share'
VIRTIOFSD = '/usr/lib/qemu/virtiofsd'
WITH_US = ['setpriv', '--pdeathsig', 'KILL']      # whatever ends us
# What is run in the guest, as its first process.
START = """
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
mkdir -p /dev/pts /dev/shm /run/lock
ln -s /proc/self/fd /dev/fd
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
ip link set lo up
modprobe virtio_blk
/lib/systemd/systemd-udevd --daemon
udevadm trigger --action=add --subsystem-match=block
udevadm settle
cd %(here)s
hostname guest
env %(env)s /usr/bin/python3 -B host_guest.py %(module)s
sync
echo o >/proc/sysrq-trigger
sleep 60
"""


def guest_directory():
    directory = os.environ.get('MODVIRT_HOST_GUEST') or os.path.join(SOURCE_ROOT, 'build', 'host-guest')
    script = os.path.join(SOURCE_ROOT, 'scripts', 'host-guest')
    newest = max(os.path.getmtime(p) for p in (script, os.path.join(SOURCE_ROOT, 'scripts', 'lib.sh')))
    if not os.path.exists(f'{directory}/initrd') or os.path.getmtime(f'{directory}/initrd') < newest:
        done = subprocess.run([script, directory], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise unittest.SkipTest(done.stderr.strip().splitlines()[-1])
    return directory


class Results(unittest.TextTestResult):
    """Writes a line for each test that ended."""
    def write(self, kind, test, text=''):
        with open(f'{SHARE}/results', 'a') as f:
            f.write(json.dumps([test.id(), kind, text]) + '\n')

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        self.stream.writeln(f'{test.id()}: {time.monotonic() - self.began:.1f} s')

    def addSuccess(self, test):
        super().addSuccess(test)
        self.write('passed', test)

    def addError(self, test, err):
        super().addError(test, err)
        self.write('failed', test, self.errors[-1][1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.write('failed', test, self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self.write('failed', test, (self.failures + self.errors)[-1][1])

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.write('skipped', test, reason)


def figure(text):
    """Something measured in the guest, to be printed here."""
    with open(f'{SHARE}/figures', 'a') as f:
        f.write(text + '\n')


def inside(names):
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    log = open(f'{SHARE}/log', 'w', buffering=1)
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    unittest.TextTestRunner(log, verbosity=2, resultclass=Results).run(suite)


class Guest:
    def __init__(self, disks, memory_mib=2048):
        """disks: name -> size. In the guest they are /dev/disk/by-id/virtio-NAME."""
        self.guest = guest_directory()
        self.directory = tempfile.mkdtemp(prefix='guest-', dir=scratch())
        self.share = os.path.join(self.directory, 'share')
        os.mkdir(self.share)
        self.servers = []
        self.argv = [*WITH_US, EMULATOR, '-M', 'q35,memory-backend=memory', '-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2',
                     '-m', str(memory_mib), '-object', f'memory-backend-memfd,id=memory,size={memory_mib}M,share=on',
                     '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-device', 'virtio-rng-pci',
                     '-serial', f'file:{self.directory}/console', '-kernel', f'{self.guest}/vmlinuz',
                     '-initrd', f'{self.guest}/initrd', '-append', 'console=ttyS0 quiet panic=-1 net.ifnames=0']
        for tag, source in (('host', '/'), ('tree', f'{self.guest}/tree'), ('share', self.share)):
            self.serve(tag, source)
        for name, size in disks.items():
            path = os.path.join(self.directory, name)
            with open(path, 'wb') as f:
                f.truncate(size)
            self.argv += ['-drive', f'file={path},if=none,id={name},format=raw,cache=unsafe,discard=unmap',
                          '-device', f'virtio-blk-pci,drive={name},serial={name}']

    def serve(self, tag, source):
        path = os.path.join(self.directory, tag + '.sock')
        log = open(os.path.join(self.directory, tag + '.log'), 'w')
        self.servers.append(subprocess.Popen([*WITH_US, VIRTIOFSD, f'--socket-path={path}', '-o', f'source={source}', '-o', 'sandbox=chroot',
                                              '-o', 'cache=' + ('none' if tag == 'share' else 'always')],
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        log.close()
        self.argv += ['-chardev', f'socket,id={tag},path={path}', '-device', f'vhost-user-fs-pci,chardev={tag},tag={tag}']
        deadline = time.monotonic() + PATIENCE
        while not os.path.exists(path) and self.servers[-1].poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)

    def run(self, start, seconds):
        """Boots, and returns when the guest is off: what it said on its console."""
        with open(os.path.join(self.share, 'start'), 'w') as f:
            f.write(start)
        said = ''
        with subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as qemu:
            try:
                said = qemu.communicate(timeout=seconds * SLOW)[0]
            except subprocess.TimeoutExpired:
                qemu.kill()
                said = qemu.communicate()[0] + f'\n(not done within {seconds * SLOW:.0f} s)'
            for server in self.servers:
                server.terminate()
                server.wait()
        with open(os.path.join(self.directory, 'console'), errors='replace') as f:
            return f.read() + said

    def read(self, name):
        try:
            with open(os.path.join(self.share, name), errors='replace') as f:
                return f.read()
        except FileNotFoundError:
            return ''


@functools.lru_cache
def run_module(module, disks, seconds):
    """Test's name -> (what became of it, text). One run, with those tests of it that the command line names."""
    for why, right in (('runs with --full', os.environ.get('MODVIRT_TEST_FULL')), ('needs root', os.geteuid() == 0),
                       (f'{VIRTIOFSD} is not there', os.path.exists(VIRTIOFSD))):
        if not right:
            raise unittest.SkipTest(why)
    guest = Guest(dict(disks))
    try:
        names = [a for a in sys.argv[1:] if a.split('.')[0] == module] or [module]
        env = {'MODVIRT_IN_GUEST': '1', 'MODVIRT_BUILD': os.environ.get('MODVIRT_BUILD') or os.path.join(SOURCE_ROOT, 'build'),
               'MODVIRT_TEST_SLOW': str(SLOW)}
        console = guest.run(START % {'here': os.path.dirname(os.path.abspath(__file__)), 'module': ' '.join(names),
                                     'env': ' '.join(f"'{k}={v}'" for k, v in env.items())}, seconds)
        results = {name: (kind, text) for name, kind, text in map(json.loads, guest.read('results').splitlines())}
        print(guest.read('figures'), end='', file=sys.stderr)
        keep = os.environ.get('MODVIRT_TEST_KEEP_LOGS')
        if keep:
            shutil.copytree(guest.share, os.path.join(keep, module), dirs_exist_ok=True)
        return results, console[-3000:]
    finally:
        shutil.rmtree(guest.directory, ignore_errors=True)


def in_guest(disks, seconds=3000):
    """Of a class whose tests run in the guest: outside, each tells what became of it there."""
    def told(name):
        def test(self):
            results, console = run_module(type(self).__module__, tuple(disks.items()), seconds)
            kind, text = results.get(self.id(), ('failed', 'it did not come to its end in the guest:\n' + console))
            if kind == 'skipped':
                self.skipTest(text)
            if kind == 'failed':
                self.fail(text)
        test.__name__ = name
        return test

    def change(cls):
        if INSIDE:
            return cls
        return type(cls.__name__, (unittest.TestCase,),
                    {'__module__': cls.__module__, '__qualname__': cls.__qualname__,
                     **{name: told(name) for name in unittest.defaultTestLoader.getTestCaseNames(cls)}})
    return change


if __name__ == '__main__':
    inside(sys.argv[1:])
