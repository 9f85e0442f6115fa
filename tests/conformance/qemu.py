# SPDX-License-Identifier: LGPL-2.1-or-later
"""The QEMU driver's documents and command lines, with recorded emulators (tool: drivers/qemu/xml2argv).

A command line is compared as a list of options; JSON values as objects, others as text.
"""
import json
import os
import re
import shlex
import subprocess

import documents

TOOL = os.path.join('drivers', 'qemu', 'xml2argv')
# Settings of the driver's configuration that a case switches on → fields of the tool.
SETTINGS = {'vncTLS': 'vnc_tls', 'vncTLSx509verify': 'vnc_tls_verify', 'vncSASL': 'vnc_sasl',
            'spiceSASL': 'spice_sasl', 'chardevTLS': 'chardev_tls', 'chardevTLSx509verify': 'chardev_tls_verify',
            'vncAutoUnixSocket': 'vnc_auto_socket', 'spiceAutoUnixSocket': 'spice_auto_socket',
            'chardevTLSx509secretUUID': 'chardev_tls_secret', 'vncSASLdir': 'vnc_sasl_dir',
            'vncAllowHostAudio': 'vnc_host_audio', 'nogfxAllowHostAudio': 'nographics_host_audio',
            'nographicsAllowHostAudio': 'nographics_host_audio', 'vncTLSx509secretUUID': 'vnc_tls_secret'}
NEWEST = re.compile(r'latest$|7\.')
GIC = {'GIC_NONE': 'none', 'GIC_V2': '2', 'GIC_V3': '3', 'GIC_BOTH': '2,3'}


def parse_value(v):
    if v.startswith('{'):
        try:
            return json.loads(v)
        except ValueError:
            pass
    return v


def read_args(text):
    """One list of words: environment, then the command line."""
    return [parse_value(w) for w in shlex.split(text.replace('\\\n', ' '))]


def lines(words):
    out = []
    for w in words:
        t = json.dumps(w, sort_keys=False) if not isinstance(w, str) else w
        if out and out[-1].startswith('-') and ' ' not in out[-1] and not t.startswith('-'):
            out[-1] += ' ' + t
        else:
            out.append(t)
    return out


def shell_text(words):
    """Words as a shell script, an option and its value on each line."""
    out = []
    for w in words:
        q = shlex.quote(w)
        if out and out[-1].startswith('-') and ' ' not in out[-1] and not w.startswith('-'):
            out[-1] += ' ' + q
        else:
            out.append(q)
    return ' \\\n'.join(out) + '\n'


def settings(case):
    fields = {}
    for key, value in (case['params'].get('driver_config_changes') or {}).items():
        if key in SETTINGS and value not in (None, False, 0, ''):
            fields[SETTINGS[key]] = value
    if 'vnc_host_audio' in fields or 'nographics_host_audio' in fields:
        fields['host_audio'] = 'alsa'
    # A certificate secret matters only where TLS is on.
    for switch, secret in (('vnc_tls', 'vnc_tls_secret'), ('chardev_tls', 'chardev_tls_secret')):
        if switch not in fields:
            fields.pop(secret, None)
    return fields


class Tool:
    """A tool that answers requests of one line (its first comment says how)."""

    def __init__(self, folder, build, tool):
        env = dict(os.environ, PATH='/bin', USER='test', LOGNAME='test', HOME='/home/test', LC_ALL='C')
        env.pop('TMPDIR', None)
        self.folder = folder
        self.start = ([os.path.join(os.path.abspath(build), tool)],
                      dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder, env=env))
        self.p = None

    def set_of(self, case):
        return None

    def ask(self, fields):
        """Its answer, the error, the number of the error (-1: it died)."""
        if self.p is None or self.p.poll() is not None:
            self.p = subprocess.Popen(self.start[0], **self.start[1])
        self.p.stdin.write('\t'.join('%s=%s' % kv for kv in fields.items()).encode() + b'\n')
        self.p.stdin.flush()
        words = self.p.stdout.readline().split()
        if not words:
            self.p.wait()
            return None, 'the tool died', -1
        text = self.p.stdout.read(int(words[-1])).decode(errors='replace')
        return (text, None, 0) if words[0] == b'ok' else (None, text, int(words[1]))


class Driver(Tool):
    def __init__(self, folder, build, corpus):
        super().__init__(folder, build, TOOL)

    def set_of(self, case):
        p = case['params']
        if case['kind'] != 'success':
            return 'to be refused'
        newest = NEWEST.match(str(p.get('qemu_version', '')))
        return '%s %s' % (p['qemu_version'], p.get('caps_arch', '')) if newest else None

    def fields(self, case, to):
        p, fields = case['params'], {'xml': case['inputs']['xml'], 'to': to, **settings(case)}
        if p.get('qemu_flags'):
            fields['flags'] = ','.join(p['qemu_flags'])
        if p.get('gic'):
            fields['gic'] = GIC.get(p['gic'], 'none')
        if 'ABI_UPDATE' in str(p.get('parseflags')):
            fields['abi_update'] = '1'
        if p.get('capabilities_file'):
            return {**fields, 'caps': p['capabilities_file']}
        arch = re.search(r"""<type[^>]*arch=['"]([a-z0-9_]+)""", documents.read(self.folder, case['inputs']['xml']))
        return {'flags': 'none', **fields, 'arch': arch.group(1) if arch else 'x86_64'}

    def died(self, case, error):
        return 'fail', error, {case['name'] + '.refused': error + '\n'}


def audio_settings(folder):
    """Name of a case → the settings on which default audio depends. They are recorded with the command
    line of the same document only."""
    path = os.path.join(folder, '..', 'qemuxml2argv', 'manifest.json')
    if not os.path.exists(path):
        return {}
    with open(path, encoding='utf-8') as f:
        cases = json.load(f)['cases']
    found = {}
    for case in cases:
        changes = (case.get('params') or {}).get('driver_config_changes') or {}
        audio = {k: v for k, v in changes.items() if k.endswith('AllowHostAudio')}
        if audio:
            found[case['name']] = audio
    return found


class Xml(Driver):
    def __init__(self, folder, build, corpus):
        super().__init__(folder, build, corpus)
        self.audio = audio_settings(folder)

    def run(self, case):
        if case['name'] in self.audio:
            case['params'].setdefault('driver_config_changes', self.audio[case['name']])
        details, outputs = [], {}
        for mode, to in (('inactive', 'xml'), ('active', 'active')):
            expected = (case.get('expected') or {}).get(mode)
            if not expected and (case['kind'] == 'success' or mode == 'active'):
                continue
            got, error, code = self.ask(self.fields(case, to))
            if code == -1:
                return self.died(case, error)
            if error is not None:
                return documents.refused(case, error, code)
            outputs[expected or case['inputs']['xml']] = got
            if case['kind'] != 'success':
                return 'fail', 'accepted, should be refused', outputs
            want, have = documents.canonical(documents.read(self.folder, expected)), documents.canonical(got)
            if want != have:
                details += ['(%s)' % mode, documents.difference(want, have, 1)]
        return ('fail', '\n'.join(details), outputs) if details else ('pass', '', outputs)


class Argv(Driver):
    def run(self, case):
        fields = self.fields(case, 'argv')
        if case['params'].get('migrate_from'):
            fields['incoming'] = case['params']['migrate_from']
        got, error, code = self.ask(fields)
        if code == -1:
            return self.died(case, error)
        if error is not None:
            return documents.refused(case, error, code)
        o = json.loads(got)
        expected = (case.get('expected') or {}).get('args')
        outputs = {expected or case['name'] + '.args': shell_text(o['env'] + o['argv'])}
        if case['kind'] != 'success':
            return 'fail', 'accepted, should be refused', outputs
        have, want = [parse_value(w) for w in o['env'] + o['argv']], read_args(documents.read(self.folder, expected))
        return ('pass', '', outputs) if want == have else ('fail', documents.difference(lines(want), lines(have), 0), outputs)


class Memlock(Driver):
    def run(self, case):
        flags = 'QEMU_CAPS_KVM,QEMU_CAPS_DEVICE_PCI_BRIDGE,QEMU_CAPS_PIIX3_USB_UHCI,QEMU_CAPS_PCI_OHCI'
        got, error, code = self.ask({**self.fields(case, 'memlock'), 'flags': flags})
        if code == -1:
            return self.died(case, error)
        if error is not None:
            return documents.refused(case, error, code)
        want = str(case['params']['expected_bytes'])
        outputs = {case['name'] + '.result': got}
        return ('pass', '', outputs) if got == want else ('fail', 'expected %s, ours %s' % (want, got), outputs)


RUNNERS = {'qemuxml2xml': Xml, 'qemuxml2argv': Argv, 'qemumemlock': Memlock}
