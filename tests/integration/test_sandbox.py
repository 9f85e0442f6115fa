# SPDX-License-Identifier: LGPL-2.1-or-later
"""scripts/sandbox itself, and activation of daemons by a service manager."""
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from harness import ON_PEER, PATIENCE, SLOW, SOURCE_ROOT, TestCase, domain_xml, emulators, unique, virsh, wait_for

SANDBOX = os.path.join(SOURCE_ROOT, 'scripts', 'sandbox')


@unittest.skipIf(ON_PEER, 'about our daemons')
class Sandbox(TestCase):
    def setUp(self):
        super().setUp()
        self.dirs = []

    def directory(self):
        path = tempfile.mkdtemp(prefix='mv-', dir='/tmp')
        self.addCleanup(shutil.rmtree, path, True)
        return path

    def processes(self, directory):
        import sandbox_lib
        return sandbox_lib.processes_naming(directory)

    def test_status_of_the_command(self):
        d = self.directory()
        self.assertEqual(subprocess.run([SANDBOX, d, '--', 'sh', '-c', 'exit 37']).returncode, 37)
        self.assertEqual(self.processes(d), [])

    def test_environment(self):
        d = self.directory()
        out = subprocess.run([SANDBOX, d, '--', 'sh', '-c',
                              'echo "$LIBVIRT_DEFAULT_URI"; echo "$MODVIRT_RUN_DIR"; ls "$MODVIRT_RUN_DIR"'],
                             check=True, capture_output=True, text=True).stdout.split('\n')
        self.assertEqual(out[0], f'qemu+unix:///system?socket={d}/run/libvirt/libvirt-sock')
        self.assertEqual(out[1], f'{d}/run/libvirt')
        self.assertLessEqual({'libvirt-sock', 'libvirt-sock-ro', 'libvirt-admin-sock', 'virtqemud-sock',
                              'virtqemud-sock-ro', 'virtqemud-admin-sock'}, set(out[2:]))

    def test_guests_are_stopped_and_definitions_stay(self):
        d, name = self.directory(), unique('kept')
        xml = self.xml_file(domain_xml(name))
        subprocess.run([SANDBOX, d, '--', 'sh', '-c', f'virsh -q define {xml} && virsh -q start {name}'], check=True,
                       stdout=subprocess.DEVNULL)
        self.assertEqual(emulators(name), [])
        self.assertEqual(self.processes(d), [])
        out = subprocess.run([SANDBOX, d, '--', 'virsh', '-q', 'list', '--all'], check=True, capture_output=True,
                             text=True).stdout
        self.assertRegex(out, rf'-\s+{name}\s+shut off')

    def test_two_side_by_side(self):
        one, two, name = self.directory(), self.directory(), unique('twin')
        # The same guest, by name and uuid, runs in both.
        xml = self.xml_file(domain_xml(name))
        script = (f'virsh -q create {xml} && touch {{0}}/up && '
                  'for i in $(seq 1200); do [ -e {1}/up ] && break; sleep 0.1; done; virsh -q list --name')
        runs = [subprocess.Popen([SANDBOX, a, '--', 'sh', '-c', script.format(a, b)], stdout=subprocess.PIPE, text=True)
                for a, b in ((one, two), (two, one))]
        for r in runs:
            out, _ = r.communicate(timeout=PATIENCE * SLOW)
            self.assertEqual(r.returncode, 0)
            self.assertEqual(out.split()[-1], name)

    def test_terminated_sandbox_cleans_up(self):
        d, name = self.directory(), unique('left')
        xml = self.xml_file(domain_xml(name))
        box = subprocess.Popen([SANDBOX, d, '--', 'sh', '-c', f'virsh -q create {xml}; touch {d}/up; exec sleep 60'],
                               stdout=subprocess.DEVNULL)
        wait_for('the guest', lambda: os.path.exists(f'{d}/up'))
        box.send_signal(signal.SIGTERM)
        self.assertEqual(box.wait(PATIENCE * SLOW), 128 + signal.SIGTERM)
        self.assertEqual(self.processes(d), [])

    def test_killed_sandbox_is_cleaned_by_the_next(self):
        d, name = self.directory(), unique('left')
        xml = self.xml_file(domain_xml(name))
        box = subprocess.Popen([SANDBOX, d, '--', 'sh', '-c', f'virsh -q create {xml}; touch {d}/up; exec sleep 5'],
                               stdout=subprocess.DEVNULL)
        wait_for('the guest', lambda: os.path.exists(f'{d}/up'))
        box.kill()
        box.wait()
        subprocess.run([SANDBOX, d, '--', 'true'], check=True)
        self.assertEqual(self.processes(d), [])

    def test_long_path_is_refused(self):
        path = os.path.join('/tmp', unique('x' * 90))
        done = subprocess.run([SANDBOX, path, '--', 'true'], capture_output=True, text=True)
        self.assertEqual(done.returncode, 125)
        self.assertIn('too long', done.stderr)
        os.rmdir(path)


@unittest.skipIf(ON_PEER, 'about our daemons')
class Activation(TestCase):
    """As a service manager does it: sockets first, the daemon when somebody calls."""

    def activate(self, daemon, units):
        import sandbox_lib
        directory = tempfile.mkdtemp(prefix='mv-', dir='/tmp')
        self.addCleanup(shutil.rmtree, directory, True)
        box = sandbox_lib.Sandbox(directory)
        os.makedirs(box.run_dir)
        os.makedirs(box.log_dir)
        os.makedirs(os.path.join(directory, 'modules'))
        box.link_modules()
        argv = ['systemd-socket-activate', '--fdname=' + ':'.join(units)]
        for kind in ('', 'ro', 'admin'):
            argv += ['-l', box.socket(daemon, kind)]
        env = box.daemon_env()
        for name in env:
            if name not in os.environ or os.environ[name] != env[name]:
                argv += ['-E', f'{name}={env[name]}']
        argv += [os.path.join(box.build, 'daemons', daemon), '--root', directory]
        log = open(box.log_path(daemon), 'ab')
        self.addCleanup(log.close)
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(child.wait)
        self.addCleanup(child.terminate)
        for kind in ('', 'ro', 'admin'):
            wait_for('the socket', lambda: os.path.exists(box.socket(daemon, kind)))
        return box, child

    def program(self, child):
        with open(f'/proc/{child.pid}/comm') as f:
            return f.read().strip()

    def test_virtqemud(self):
        box, child = self.activate('virtqemud', ['virtqemud.socket', 'virtqemud-ro.socket', 'virtqemud-admin.socket'])
        self.assertTrue(self.program(child).startswith('systemd-socket'))
        virsh('list', connect=box.uri('virtqemud'))
        self.assertEqual(self.program(child), 'virtqemud')
        # Each socket has kept its meaning.
        virsh('list', connect=box.uri('virtqemud', readonly=True), readonly=True)
        status, _, err = virsh('define', self.xml_file(domain_xml(unique('no'))), check=False,
                               connect=box.uri('virtqemud', readonly=True))
        self.assertEqual(status, 1)
        self.assertRegex(err, 'read only|forbidden')
        out = subprocess.run(['virt-admin', '-c', f"virtqemud:///system?socket={box.socket('virtqemud', 'admin')}",
                              'srv-list'], check=True, capture_output=True, text=True).stdout
        self.assertIn('virtqemud', out)

    def test_virtproxyd(self):
        box, child = self.activate('virtproxyd', ['virtproxyd.socket', 'virtproxyd-ro.socket',
                                                  'virtproxyd-admin.socket'])
        status, _, err = virsh('list', check=False, connect=box.uri())
        self.assertEqual(status, 1)
        self.assertIn('virtqemud', err)
        self.assertEqual(self.program(child), 'virtproxyd')


if __name__ == '__main__':
    unittest.main()
