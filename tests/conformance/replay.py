# SPDX-License-Identifier: LGPL-2.1-or-later
"""What recorded emulators and hosts offer, and processors (tool: drivers/qemu/replay)."""
import json
import os
import re

import documents
import qemu

# What a cache entry depends on: of the host that recorded, not of the emulator.
CACHE = re.compile(r' *<(qemuctime|selfctime|selfvers|kvmVersion|microcodeVersion|cacheKey)\b')
TOOL = os.path.join('drivers', 'qemu', 'replay')


class Replay(qemu.Tool):
    def __init__(self, folder, build, corpus):
        super().__init__(folder, build, TOOL)
        self.corpus = corpus

    def check(self, case, role, fields, result):
        """One question of a case; result is [verdict, details, outputs]."""
        got, error, code = self.ask(fields)
        expected = (case.get('expected') or {}).get(role)
        target = expected or '%s.%s' % (case['name'].replace('/', '_'), role)
        if error is not None:
            verdict, detail, outputs = documents.refused(case, error, code)
            result[0] = verdict if result[0] == 'pass' else result[0]
            result[1] += [detail]
            result[2].update({k.replace('/', '_'): v for k, v in outputs.items()})
            return
        result[2][target] = got
        if case['kind'] != 'success':
            result[0] = 'fail'
            result[1] += ['accepted, should be refused']
        elif expected:
            want = documents.read(self.folder, expected)
            a, b = (self.lines(t) for t in (want, got)) if expected.endswith('.xml') else (want.split(), got.split())
            if a != b:
                result[0] = 'fail'
                result[1] += ['(%s)' % role, documents.difference(a, b, 1)]

    def lines(self, text):
        return [line for line in documents.canonical(text) if not (self.corpus == 'qemucapsprobe' and CACHE.match(line))]

    def value(self, case, fields, want, result):
        self.check(case, 'result', fields, result)
        got = result[2].get('%s.result' % case['name'].replace('/', '_'))
        if result[0] == 'pass' and case['kind'] == 'success' and got != want:
            result[0] = 'fail'
            result[1] += ['expected %s, ours %s' % (want, got)]

    def run(self, case):
        result = ['pass', [], {}]
        getattr(self, self.corpus)(case, result)
        return result[0], '\n'.join(result[1]), result[2]

    def qemucapsprobe(self, case, result):
        p = case['params']
        self.check(case, 'xml', {'op': 'caps', 'replies': case['inputs']['replies'],
                                 'emulator': '/usr/bin/qemu-system-' + p['arch']}, result)

    def domaincaps(self, case, result):
        p = case['params']
        if not p.get('capabilities_file'):
            result[:2] = 'notyet', ['another hypervisor']
            return
        fields = {'op': 'domcaps', 'caps': p['capabilities_file'], 'virt': p['virt_type'], 'emulator': p['emulator']}
        if p.get('machine'):
            fields['machine'] = p['machine']
        self.check(case, 'xml', fields, result)

    def qemucaps2xml(self, case, result):
        self.check(case, 'xml', {'op': 'guestcaps', 'arch': case['params']['arch']}, result)

    def cpu(self, case, result):
        p, files = case['params'], case.get('inputs') or {}
        op = p['operation']
        if op == 'compare':
            self.value(case, {'op': 'compare', 'arch': p['arch'], **files}, p['result'], result)
        elif op == 'has-feature':
            self.value(case, {'op': 'feature', 'feature': p['feature'], **files}, p['result'], result)
        elif op in ('baseline', 'cpuid-baseline'):
            # Recorded processors are compared as their emulators tell them.
            fields = {'op': 'baseline', **{k: v.replace('.xml', '.json') if k != 'cpus' else v for k, v in files.items()}}
            if 'MIGRATABLE' in str(p.get('flags')):
                fields['migratable'] = '1'
            self.check(case, 'xml', fields, result)
        elif op == 'cpuid':
            expected = case.get('expected') or {}
            questions = {'host': {'op': 'cpuid'}, 'guest': {'op': 'cpuid', 'guest': '1'}, 'signature': {'op': 'signature'},
                         'json': {'op': 'cpujson'}}
            for role, fields in questions.items():
                if role in expected:
                    self.check(case, role, {**fields, **files}, result)
        elif op in ('update', 'guest-cpu'):
            fields = {'op': op.replace('-', ''), 'arch': p['arch'], **files}
            if p.get('model_list'):
                fields['models'] = ','.join(p['model_list'])
            self.check(case, 'xml', fields, result)
        else:
            result[:2] = 'notyet', ['operation %s is not supported' % op]

    def qemufirmware(self, case, result):
        p, files = case.get('params') or {}, case.get('inputs') or {}
        if 'json' in files:
            got, error, _ = self.ask({'op': 'firmwarefile', **files})
            # Descriptions and tags are for readers: expected files are with and without them.
            want, ours = ({k: v for k, v in json.loads(t or '{}').items() if k not in ('description', 'tags')}
                          for t in (documents.read(self.folder, case['expected']['json']), got))
            if error is not None or ours != want:
                result[:2] = 'fail', [error or 'another descriptor']
            result[2][case['expected']['json']] = got or ''
        elif 'expected_order' in p:
            want = [f.replace('SYSCONFDIR', 'common/qemufirmwaredata/etc').replace('PREFIX', 'common/qemufirmwaredata/usr')
                    for f in p['expected_order'] if f]
            self.value(case, {'op': 'firmwareorder'}, ''.join(f + '\n' for f in want), result)
        else:
            kinds = sorted(i.rsplit('_', 1)[1].lower() for i in p['interfaces'])
            images = [pair.split(':')[0] for pair in re.findall(r'"([^"]+)"', p['firmware_list'])]
            want = ' '.join([','.join(kinds), p['secure'], *dict.fromkeys(images)])
            self.value(case, {'op': 'firmware', 'arch': p['arch'].replace('VIR_ARCH_', '').lower(), 'machine': p['machine']},
                       want, result)

    def qemumonitorjson(self, case, result):
        files, arguments = case['inputs'], case['params'].get('arguments') or []
        if 'cpus.json' in files:
            fields = {'op': 'vcpus', 'cpus': files['cpus.json'], 'max': str(arguments[0])}
            if 'hotplug.json' in files:
                fields['slots'] = files['hotplug.json']
            self.check(case, 'data', fields, result)
        elif 'json' in files and case['name'].startswith('getcpu-'):
            self.check(case, 'data', {'op': 'cpuwords', **files}, result)
        else:
            result[:2] = 'notyet', ['no rule for these files']


RUNNERS = dict.fromkeys(('qemucapsprobe', 'domaincaps', 'qemucaps2xml', 'cpu', 'qemufirmware', 'qemumonitorjson'), Replay)
