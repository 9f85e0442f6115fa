# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the modvirt tool makes of documents: drivers that have rules only, examples to validate."""
import os
import re
import subprocess
import tempfile

import documents

TOOL = os.path.join('tools', 'modvirt', 'modvirt')
GENERATED_MAC = re.compile(r"<mac address='52:54:00:[0-9a-f:]{8}'>")
ERROR_CODE = documents.CONFIG_UNSUPPORTED


class Tool:
    def __init__(self, folder, build, corpus):
        self.folder, self.build, self.corpus = folder, build, corpus

    def set_of(self, case):
        return None

    def modvirt(self, driver, *args):
        env = dict(os.environ, MODVIRT_MODULE_DIR=os.path.join(self.build, 'drivers', driver))
        return subprocess.run([os.path.join(self.build, TOOL), *args], env=env, text=True, capture_output=True)


class Bhyve(Tool):
    def lines(self, text, with_macs):
        """Addresses that are not in the input were recorded as zeros."""
        return [line if with_macs else GENERATED_MAC.sub('<mac>', line) for line in documents.canonical(text)]

    def run(self, case):
        source = case['inputs']['xml']
        # The set was recorded with a host that has all capabilities, and once more without the SATA one.
        with tempfile.NamedTemporaryFile('w') as capabilities:
            capabilities.write('' if 'no32devs' in case['name'] else 'ahci32slot\n')
            capabilities.flush()
            done = self.modvirt('bhyve', 'convert', '--from', 'domain', '--driver', 'bhyve', '--secure',
                                '--capabilities', capabilities.name, os.path.join(self.folder, source))
        if done.returncode:
            return documents.refused(case, done.stderr.strip(), ERROR_CODE)
        expected = (case.get('expected') or {}).get('xml', source)
        outputs = {expected: done.stdout}
        if case['kind'] != 'success':
            return 'fail', 'accepted, should be refused', outputs
        with_macs = '<mac ' in documents.read(self.folder, source)
        want, have = (self.lines(t, with_macs) for t in (documents.read(self.folder, expected), done.stdout))
        return ('pass', '', outputs) if want == have else ('fail', documents.difference(want, have), outputs)


class Examples(Tool):
    """Documents that are valid, and some that are not."""

    def run(self, case):
        done = self.modvirt('qemu', 'validate', os.path.join(self.folder, case['inputs']['file']))
        outputs = {case['name'].replace('/', '_') + ('.refused' if done.returncode else '.valid'): done.stdout + done.stderr}
        good = (done.returncode == 0) == (case['kind'] == 'valid')
        return ('pass' if good else 'fail'), '' if good else done.stdout.strip(), outputs


RUNNERS = {'bhyvexml2xml': Bhyve, 'schemaexamples': Examples}
