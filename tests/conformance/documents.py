# SPDX-License-Identifier: LGPL-2.1-or-later
"""Documents that go in and come out without a driver (tool: conf/xml2xml)."""
import difflib
import os
import subprocess
import xml.etree.ElementTree as ET

TOOL = os.path.join('conf', 'xml2xml')
CONFIG_UNSUPPORTED = 67
KINDS = {
    'genericxml2xml': 'domain',
    'networkxml2xml': 'network',
    'networkxml2xmlupdate': 'network',
    'networkportxml2xml': 'networkport',
    'nwfilterxml2xml': 'nwfilter',
    'nwfilterbindingxml2xml': 'nwfilterbinding',
    'interfacexml2xml': 'interface',
    'secretxml2xml': 'secret',
    'storagepoolxml2xml': 'storagepool',
    'storagevolxml2xml': 'storagevol',
    'nodedevxml2xml': 'nodedev',
    'domainsnapshotxml2xml': 'snapshot',
    'domaincheckpointxml2xml': 'checkpoint',
    'domainbackupxml2xml': 'backup',
    'qemustatusxml2xml': 'status',
}
# Words of updates in manifests, by their numbers.
COMMANDS = ['NONE', 'MODIFY', 'DELETE', 'ADD_LAST', 'ADD_FIRST']
SECTIONS = ['NONE', 'BRIDGE', 'DOMAIN', 'IP', 'IP_DHCP_HOST', 'IP_DHCP_RANGE', 'FORWARD', 'FORWARD_INTERFACE', 'FORWARD_PF',
            'PORTGROUP', 'DNS_HOST', 'DNS_TXT', 'DNS_SRV']


def canonical(text):
    """A document as lines: order of attributes and white space between elements aside."""
    out = []

    def walk(e, depth):
        out.append('  ' * depth + '<%s%s>%s' % (
            e.tag, ''.join(' %s=%r' % kv for kv in sorted(e.attrib.items())), (e.text or '').strip()))
        for child in e:
            if isinstance(child.tag, str):
                walk(child, depth + 1)

    walk(ET.fromstring(text), 0)
    return out


def read(folder, name):
    with open(os.path.join(folder, name), encoding='utf-8') as f:
        return f.read()


def difference(want, have, context=2):
    return '\n'.join(difflib.unified_diff(want, have, 'expected', 'ours', lineterm='', n=context))


def refused(case, error, code):
    """The result of a case whose document we refused."""
    outputs = {case['name'] + '.refused': error + '\n'}
    if case['kind'] != 'success':
        return 'pass', error, outputs
    return ('notyet' if code == CONFIG_UNSUPPORTED else 'fail'), error, outputs


def driver_args(folder, case):
    """What is known beside the document, as words "name=value" for the tool."""
    params, args = case['params'], []
    if 'pool' in case['inputs']:
        pool = ET.parse(os.path.join(folder, case['inputs']['pool'])).getroot()
        args.append('pool=' + pool.get('type'))
    if 'update' in case['inputs']:
        # All results were recorded with the first <ip>, whatever parent_index says: the recorded
        # implementation itself refuses an IPv4 range for an index that names an IPv6 address.
        args += ['update=' + os.path.join(folder, case['inputs']['update']), 'parent=0',
                 'command=%d' % COMMANDS.index(params['command'].split('_COMMAND_')[1]),
                 'section=%d' % SECTIONS.index(params['section'].split('_SECTION_')[1])]
    flags = str(params.get('flags', '')).split(' | ')
    args += ['flag=' + f.rpartition('_')[2].lower() for f in flags if f not in ('', '0')]
    args += ['%s=%s' % (k, params[k]) for k in ('creation_time', 'domain_uuid', 'internal') if params.get(k)]
    return args


class Documents:
    def __init__(self, folder, build, corpus):
        self.folder = folder
        self.p = subprocess.Popen([os.path.join(build, TOOL), KINDS.get(corpus, 'domain')],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def set_of(self, case):
        """Sets of cases whose numbers are shown apart; None: not in any."""
        return None

    def convert(self, name, args=()):
        """(text, None, 0) or (None, error, code); args say what a driver knows beside the document."""
        path = os.path.join(self.folder, name)
        self.p.stdin.write(b'\t'.join(os.fsencode(w) for w in (path, *args)) + b'\n')
        self.p.stdin.flush()
        words = self.p.stdout.readline().split()
        if not words:
            raise RuntimeError('the tool died on %s' % path)
        text = self.p.stdout.read(int(words[-1])).decode(errors='replace')
        return (text, None, 0) if words[0] == b'ok' else (None, text, int(words[1]))

    def run(self, case):
        files = [f for role, f in case['inputs'].items() if f.endswith('.xml') and role not in ('pool', 'update')]
        if not files:
            return 'skip', 'no XML input', {}
        got, error, code = self.convert(files[0], driver_args(self.folder, case))
        if error is not None:
            return refused(case, error, code)
        expected = next((f for f in (case.get('expected') or {}).values() if f.endswith('.xml')), files[0])
        outputs = {expected: got}
        if case['kind'] != 'success':
            return 'fail', 'accepted, should be refused', outputs
        result, detail = compare(read(self.folder, expected), got)
        return result, detail, outputs


class Fixpoint(Documents):
    def run(self, case):
        results = [f for f in (case.get('expected') or {}).values() if f.endswith('.xml')]
        if case['kind'] != 'success' or not results:
            return 'skip', 'no expected document', {}
        got, error, code = self.convert(results[0])
        if error is not None:
            return refused(case, error, code)
        result, detail = compare(read(self.folder, results[0]), got)
        return result, detail, {results[0]: got}


def compare(expected, got):
    want, have = canonical(expected), canonical(got)
    # An identity that the document does not have is made up at random.
    if not any(line.strip().startswith('<uuid>') for line in want):
        have = [line for line in have if not line.strip().startswith('<uuid>')]
    return ('pass', '') if want == have else ('fail', difference(want, have))


RUNNERS = dict.fromkeys(list(KINDS) + ['lxcxml2xml'], Documents)
FIXPOINT_RUNNERS = dict.fromkeys(['genericxml2xml', 'qemuxml2xml', 'lxcxml2xml', 'bhyvexml2xml'], Fixpoint)
