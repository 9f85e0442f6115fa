# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images, and the commands that pools and volumes lead to (tool: drivers/storage/say)."""
import os
import re
import shlex
import subprocess
import tarfile
import tempfile
import xml.etree.ElementTree as ET

import documents

TOOL = os.path.join('drivers', 'storage', 'say')
# The layers that the recorded questions about relative names are asked of: those between two absolute
# names belong to one chain.
RELATIVE = ['-', 'asdf', 'test', 'blah', '-', '../volume/image2', '../volume/image3', '../volume/image4', '-',
            'directory/stuff/volumes/garbage/image2', '../../../image3', '../blah/image4']
LAYERS = {'chain': '0', 'chain2': '1', 'chain3': '2', None: '-1'}


class Say:
    def __init__(self, folder, build, corpus):
        self.folder, self.tool = os.path.abspath(folder), os.path.abspath(os.path.join(build, TOOL))

    def set_of(self, case):
        return None

    def say(self, *args, cwd=None):
        """Its answer, the error, the number of the error."""
        done = subprocess.run([self.tool, *('-' if a is None else str(a) for a in args)], text=True, capture_output=True,
                              cwd=cwd or self.folder)
        if done.returncode == 0:
            return done.stdout, None, 0
        code, _, text = done.stderr.strip().partition(' ')
        return None, text or done.stderr, int(code) if code.isdigit() else -1

    def verdict(self, case, answer, want, have=None):
        """want and have: lists of lines; have: of the answer, when it is not the answer itself."""
        got, error, code = answer
        if error is not None:
            return documents.refused(case, error, code)
        role = next(iter(case.get('expected') or {}), None)
        name = case['expected'][role] if role else re.sub(r'\W', '_', case['name']) + '.result'
        outputs = {name: got}
        if case['kind'] != 'success':
            return 'fail', 'accepted, should be refused', outputs
        have = got.splitlines() if have is None else have
        return ('pass', '', outputs) if want == have else ('fail', documents.difference(want, have), outputs)


class Probe(Say):
    def __init__(self, folder, build, corpus):
        super().__init__(folder, build, corpus)
        self.tmp = tempfile.TemporaryDirectory()
        self.data = os.path.join(self.tmp.name, 'virstoragetestdata')
        for name in ('images', 'lookup'):
            with tarfile.open(os.path.join(folder, 'common', 'virstoragetestdata', name + '.tar.gz')) as t:
                t.extractall(self.data)

    def run(self, case):
        return getattr(self, case['params']['operation'].replace('-', '_'))(case)

    def unpacked(self, name):
        """Where a file of the archives is; any other name as it is."""
        return os.path.join(self.tmp.name, name[len('common/'):]) if str(name).startswith('common/') else name

    def backing_parse(self, case):
        answer = self.say('backing', case['params']['backing'])
        if answer[0] is None or not case['params']['xml']:
            return self.verdict(case, answer, [])
        source = ET.fromstring(answer[0]).find('source')
        return self.verdict(case, answer, documents.canonical(case['params']['xml']),
                            documents.canonical(ET.tostring(source, encoding='unicode')))

    def chain(self, case):
        p = case['params']
        got, error, code = self.say('chain', self.unpacked(p['start']), p['format'].rpartition('_')[2].lower())
        got = got and got.replace(self.tmp.name, 'ABS_SRCDIR')
        name = (case.get('expected') or {}).get('out')
        return self.verdict(case, (got, error, code), documents.read(self.folder, name).splitlines() if name else [])

    def lookup_target(self, case):
        number, target, after, name, _, result, above = case['params']['arguments']
        lookup = os.path.join(self.data, 'lookup')
        top = 'wrap' if number < 57 else 'sub/link2'    # the later questions are asked of a link
        answer = self.say('find', self.unpacked(name), target, after and LAYERS[after],
                          *(os.path.join(lookup, n) for n in (top, 'qcow2', 'raw')), cwd=lookup)
        if result is None:      # the recorded answer is that there is none
            return ('pass', answer[1] or '', {}) if answer[1] else ('fail', 'found ' + answer[0], {})
        return self.verdict(case, answer, ['%s %s' % (LAYERS[result], LAYERS[above])])

    def relative_backing(self, case):
        _, top, base, want = case['params']['arguments']
        top, base = (int(re.search(r'\[(\d+)\]', w).group(1)) for w in (top, base))
        return self.verdict(case, self.say('relative', top, base, *RELATIVE), [want or '<null>'])


class Commands(Say):
    """Commands are compared word by word."""

    def words(self, text):
        return [' '.join(shlex.split(line)) for line in text.replace('\\\n', '').splitlines()]

    def expected(self, case):
        name = (case.get('expected') or {}).get('argv')
        return self.words(documents.read(self.folder, name)) if name else []

    def answer(self, case, *args):
        answer = self.say(*args)
        return self.verdict(case, answer, self.expected(case), answer[0] and self.words(answer[0]))


class Pools(Commands):
    def run(self, case):
        return self.answer(case, 'pool', case['inputs']['xml'])


class Volumes(Commands):
    def run(self, case):
        files = [case['inputs'][r] for r in ('pool', 'volume', 'input_pool', 'input_volume') if r in case['inputs']]
        return self.answer(case, 'volume', int('PREALLOC' in str(case['params'].get('flags'))), *files)


RUNNERS = {'storageprobe': Probe, 'storagepoolxml2argv': Pools, 'storagevolxml2argv': Volumes}
