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

from harness import SLOW, OwnSandbox, daemon_uri, guest_file

HERE = os.path.dirname(os.path.abspath(__file__))
WALK = os.path.join(HERE, 'virsh', 'walk')
FULL = 'MODVIRT_TEST_FULL' in os.environ     # directly, too
PEER = os.path.join(HERE, 'peer')
DIRECT = {'pools': 'virtstoraged', 'volumes': 'virtstoraged', 'secrets': 'virtsecretd'}


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


def known_differences(folder, name):
    """{command: reason} of a walk."""
    known = {}
    with open(os.path.join(HERE, folder, 'differences'), encoding='utf-8') as f:
        for line in f:
            where, _, rest = line.rstrip('\n').partition(': ')
            if where == name:
                command, reason = rest.split('  # ', 1)
                known[command.strip()] = reason
    return known


# What is wrong with a document is told with the line and the place here; whose mistake it is, is the same.
OURS_OF_DOCUMENTS = re.compile(r"error: (?:(?P<kind>XML error|unsupported configuration|XML document failed to validate against schema|"
                               r"invalid argument|numerical overflow): |(?=line))"
                               r"(?:line \d+: |(?:pool|volume)(?:/[\w/@-]+)?(?: '[^']*')?: ).*")
THEIRS_OF_DOCUMENTS = re.compile(r"error: (?:(?P<kind>[a-zA-Z ]+): (?!.*exists)|(?=\(\w+\):)).*")


OURS_OF_PROGRAMS = re.compile(r"error: operation failed: '\S*/(\S+)' ended with status (\d+): .*")
THEIRS_OF_PROGRAMS = re.compile(r"error: internal error: Child process \(\S*/(\S+) .*\) unexpected exit status (\d+):.*")


def kinds_of_errors(lines, our_lines):
    """Errors of documents on both sides become their kind, those of programs the program and its status."""
    if len(our_lines) > 1 and len(lines) > 1:
        ours, theirs = OURS_OF_PROGRAMS.fullmatch(our_lines[1]), THEIRS_OF_PROGRAMS.fullmatch(lines[1])
        if ours and theirs:
            return list(theirs.groups()), list(ours.groups())
    if len(our_lines) < 2 or len(lines) < 2 or not (ours := OURS_OF_DOCUMENTS.fullmatch(our_lines[1])):
        return lines, our_lines
    theirs = THEIRS_OF_DOCUMENTS.fullmatch(lines[1])
    return ([lines[0], theirs['kind'] if theirs else lines[1]], [our_lines[0], ours['kind']])


# The thread of virsh that hands out events may still hold the domain of one when the main thread has its count and leaves.
LEAKED = 'error: One or more references were leaked after disconnect from the hypervisor'


def neutral(lines, prefix):
    """What depends on where files lie, and when it was; an empty element is one however it is written."""
    out = []
    for line in lines:
        if line == LEAKED:
            continue
        line = re.sub(r'/virt\w+d-sock', '/libvirt-sock', line)
        line = re.sub(r'/tmp/virsh\w{6}\.xml', 'EDITED', line)
        line = re.sub(r'/tmp/mv-walk-\w+/d\b', '$D', line.replace(prefix, '') if prefix else line)
        element = re.fullmatch(r'\s*</(\w+)>', line)
        if element and out and re.fullmatch(rf'\s*<{element[1]}[^<>]*>', out[-1]) and not out[-1].endswith('/>'):
            out[-1] = out[-1][:-1] + '/>'
            continue
        progress = re.match(r'(\w+: \[) *\d+ %\]$', line)
        if progress and out and out[-1].startswith(progress[1]):
            out.pop()                          # how often it is asked is a matter of speed
        out.append(re.sub(r'\d{4}-\d\d-\d\d[T ][\d:.]+Z?', 'TIME', line))
    return out


def shape(lines):
    lines = [re.sub(r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}', 'UUID', line) for line in lines]
    return [re.sub(r'\s+', ' ', re.sub(r'--+', '--', re.sub(r'[\d.]*\d', 'N', line))) for line in lines]


class Comparison(OwnSandbox):
    """Questions that are put to the stock daemon and to ours. A class of them has a FOLDER with "differences", and alike(),
    which gives what of two answers must be the same."""
    FOLDER = None

    def setUp(self):
        super().setUp()
        self.scratch = tempfile.mkdtemp(prefix='mv-walk-', dir='/tmp')
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        os.chmod(self.scratch, 0o755)

    def alike(self, command, theirs, ours):
        raise NotImplementedError

    def ask(self, prefix, command, *arguments):
        """What a runner answers: it is given an empty directory, whose name is the same each time."""
        work = os.path.join(self.scratch, 'd')
        shutil.rmtree(work, ignore_errors=True)
        os.mkdir(work)
        done = subprocess.run([*prefix, *command, work, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              errors='replace', timeout=400 * SLOW, check=False)
        found = answers(done.stdout)
        self.assertTrue(found, 'nothing was answered: ' + done.stderr)
        return found

    def ask_stock(self, command, *arguments):
        return self.ask([PEER, os.path.join(self.scratch, 'peer'), '--'], command, *arguments)

    def start(self, daemon):
        self.sandbox.start()
        self.use(self.sandbox)
        os.environ['LIBVIRT_DEFAULT_URI'] = daemon_uri(daemon)

    def start_anew(self):
        """The next one begins with the same names and numbers."""
        self._stop()
        shutil.rmtree(self.directory)
        self.sandbox = type(self.sandbox)(self.directory)

    def compare(self, name, expected, ours):
        self.assertEqual([e[:2] for e in expected], [o[:2] for o in ours])
        known, failures, agreed = known_differences(self.FOLDER, name), [], set()
        differ = set()
        for theirs, here in zip(expected, ours):
            label, command, status, lines = theirs
            a, b = self.alike(command, lines, here[3])
            if (status, a) == (here[2], b):
                agreed.add(command)
                continue
            differ.add(command)
            if command not in known:
                diff = '\n'.join(difflib.unified_diff(lines + ['=> ' + str(status)], here[3] + ['=> ' + str(here[2])],
                                                      'libvirtd', 'here', n=1, lineterm=''))
                failures.append(f'{label}: {command}\n{diff}')
        stale = [c for c in agreed - differ if c in known]
        if stale:                              # no failure: what the stock daemon can do differs between machines
            print('no longer different here: ' + '; '.join(sorted(stale)), end=' ', flush=True)
        if failures:
            self.fail('%d of %d\n%s' % (len(failures), len(expected), '\n\n'.join(failures)))


@unittest.skipUnless(os.path.exists('/usr/sbin/libvirtd') and os.geteuid() == 0, 'no libvirtd to compare with')
class Walk(Comparison):
    FOLDER = 'virsh'

    def alike(self, command, theirs, ours):
        theirs, ours = neutral(theirs, None), neutral(ours, self.sandbox.dir)
        return kinds_of_errors(*((shape(theirs), shape(ours)) if command.startswith('~ ') else (theirs, ours)))

    def walk(self, name):
        if name == 'install' and not FULL:
            self.skipTest('takes minutes: --full')
        if name == 'install' and not shutil.which('virt-install'):
            self.skipTest('virt-install is not installed')
        arguments = os.path.dirname(guest_file('vmlinuz')), os.path.join(HERE, 'virsh', name + '.walk')
        expected = self.ask_stock([WALK], *arguments)
        for daemon in ('virtproxyd', DIRECT.get(name, 'virtqemud')) if FULL else ('virtproxyd',):
            with self.subTest(daemon):
                self.start(daemon)
                self.compare(name, expected, self.ask([], [WALK], *arguments))
            self.start_anew()


def add_test(name):
    setattr(Walk, 'test_' + name, lambda self: self.walk(name))


for path in sorted(glob.glob(os.path.join(HERE, 'virsh', '*.walk'))):
    add_test(os.path.basename(path)[:-5])


if __name__ == '__main__':
    unittest.main()
