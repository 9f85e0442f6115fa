# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every virsh command as users know it: the same commands (virsh/*.walk) run beside the distribution's
libvirtd and here, and each must print the same and end with the same status, but for the differences
that virsh/differences names with their reason."""
import difflib
import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import OwnSandbox, guest_file

HERE = os.path.dirname(os.path.abspath(__file__))
WALK = os.path.join(HERE, 'virsh', 'walk')
FULL = 'MODVIRT_TEST_FULL' in os.environ     # directly, too
PEER = os.path.join(HERE, 'peer')


def answers(text):
    """[(label, command, status, output lines)]"""
    found = []
    for line in text.splitlines():
        if line.startswith('### '):
            label, command = line[4:].split(' ', 1)
            found.append([label, command, None, []])
        elif line.startswith('=> ') and found:
            found[-1][2] = line[3:]
        elif found and line.strip():
            found[-1][3].append(line.rstrip())
    return found


def known_differences(name):
    """{command: reason} of a walk; one that no longer differs is an error, too."""
    known = {}
    with open(os.path.join(HERE, 'virsh', 'differences'), encoding='utf-8') as f:
        for line in f:
            where, _, rest = line.rstrip('\n').partition(': ')
            if where == name:
                command, reason = rest.split('  # ', 1)
                known[command.strip()] = reason
    return known


def neutral(lines, prefix):
    """What depends on where files lie, and when it was."""
    out = []
    for line in lines:
        line = line.replace('/virtqemud-sock', '/libvirt-sock')
        line = re.sub(r'/tmp/mv-walk-\w+/d\b', '$D', line.replace(prefix, '') if prefix else line)
        out.append(re.sub(r'\d{4}-\d\d-\d\d[T ][\d:.]+Z?', 'TIME', line))
    return out


def shape(lines):
    return [re.sub(r'\s+', ' ', re.sub(r'--+', '--', re.sub(r'[\d.]*\d', 'N', line))) for line in lines]


@unittest.skipUnless(os.path.exists('/usr/sbin/libvirtd') and os.geteuid() == 0, 'no libvirtd to compare with')
class Walk(OwnSandbox):
    def setUp(self):
        super().setUp()
        self.scratch = tempfile.mkdtemp(prefix='mv-walk-', dir='/tmp')
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)

    def run_walk(self, prefix, files):
        work = os.path.join(self.scratch, 'd')
        shutil.rmtree(work, ignore_errors=True)
        os.mkdir(work)
        os.chmod(self.scratch, 0o755)
        guest = os.path.dirname(guest_file('vmlinuz'))
        done = subprocess.run([*prefix, WALK, work, guest, *files], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              errors='replace', timeout=400, check=False)
        return answers(done.stdout)

    def walk(self, name):
        files = [os.path.join(HERE, 'virsh', name + '.walk')]
        expected = self.run_walk([PEER, os.path.join(self.scratch, 'peer'), '--'], files)
        self.assertTrue(expected, 'the peer answered nothing')
        for daemon in ('virtproxyd', 'virtqemud') if FULL else ('virtproxyd',):
            with self.subTest(daemon):
                self.sandbox.start()
                self.use(self.sandbox, daemon)
                self.compare(name, expected, self.run_walk([], files))
            # The next one begins with the same names and numbers.
            self._stop()
            shutil.rmtree(self.directory)
            self.sandbox = type(self.sandbox)(self.directory)

    def compare(self, name, expected, ours):
        self.assertEqual([e[:2] for e in expected], [o[:2] for o in ours])
        known, failures, agreed = known_differences(name), [], set()
        differ = set()
        for (label, command, status, lines), (_, _, our_status, our_lines) in zip(expected, ours):
            lines, our_lines = neutral(lines, None), neutral(our_lines, self.sandbox.dir)
            a, b = (shape(lines), shape(our_lines)) if command.startswith('~ ') else (lines, our_lines)
            if (status, a) == (our_status, b):
                agreed.add(command)
                continue
            differ.add(command)
            if command not in known:
                diff = '\n'.join(difflib.unified_diff(lines + ['=> ' + str(status)], our_lines + ['=> ' + str(our_status)],
                                                      'libvirtd', 'here', n=1, lineterm=''))
                failures.append(f'{label}: virsh {command}\n{diff}')
        stale = [c for c in agreed - differ if c in known]
        if stale:
            failures.append('no longer different: ' + '; '.join(sorted(stale)))
        self.assertFalse(failures, '%d of %d\n%s' % (len(failures), len(expected), '\n\n'.join(failures)))


def add_test(name):
    setattr(Walk, 'test_' + name, lambda self: self.walk(name))


for path in sorted(glob.glob(os.path.join(HERE, 'virsh', '*.walk'))):
    add_test(os.path.basename(path)[:-5])


if __name__ == '__main__':
    unittest.main()
