#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares the descriptions with tables of the protocols as existing clients speak them.

usage: check_facts.py ROOT FILE.x...

The tables are not part of this repository: they are looked for in facts/protocol below
$MODVIRT_SHARED, or below ../shared beside ROOT; without them the test is skipped (exit 77).
Everything is compared: numbers, names, fields, types, bounds, union arms, constants, streams,
file descriptors, permissions, events. Where we differ on purpose it is listed here.
"""
import glob
import json
import os
import re
import sys

from model import Loader, api_name
from snapshot import shape

TABLE = {'net': 'message'}
# internal names that we spell in our own way: longest prefixes first
TYPE_PREFIX = {'net': ['virNetMessage', 'virNet'], 'lock': ['virLockSpaceProtocol'],
               'log': ['virLogManagerProtocol'], 'lxc_monitor': ['virLXCMonitor']}
CONST_PREFIX = {'net': 'VIR_NET_', 'lock': 'VIR_LOCK_SPACE_PROTOCOL_', 'log': 'VIR_LOG_MANAGER_PROTOCOL_',
                'lxc_monitor': 'VIR_LXC_MONITOR_'}
# bounds that the tables do not know
OWN_CONSTS = {'REMOTE_DOMAIN_ANNOUNCE_INTERFACE_PARAMS_MAX'}
# permissions that differ on purpose: a call that changes the domain must not count as reading
OWN_ACL = {'domain_set_scheduler_parameters': ['domain:write'], 'domain_announce_interface': ['domain:write']}
# read-only connections: the rule says otherwise than what peers do
READONLY = {'connect_set_identity': True, 'domain_get_guest_vcpus': True, 'domain_migrate_get_max_downtime': True,
            'domain_migrate_get_compression_cache': True, 'domain_get_launch_security_info': False,
            'node_get_sev_info': False, 'node_device_get_autostart': False}
# streams of the tables name one direction only
OWN_STREAMS = {'domain_open_console', 'domain_open_channel', 'domain_migrate_prepare_tunnel3_params'}


class Checker:
    def __init__(self, program, table):
        self.program, self.table, self.short = program, table, program.short
        self.faults = []

    def same(self, what, ours, theirs):
        if ours != theirs:
            self.faults.append(f'{self.program.file}: {what} is {ours!r}, must be {theirs!r}')

    def type_name(self, name):
        for prefix in TYPE_PREFIX.get(self.short, []):
            if name.startswith(prefix):
                words = re.sub(r'([a-z0-9])([A-Z])', r'\1_\2', name[len(prefix):]).lower()
                words = words.replace('non_null', 'nonnull').replace('create_lock_space', 'create_lockspace')
                return f'{self.short}_{words}'
        return name

    def const_name(self, name):
        prefix = CONST_PREFIX.get(self.short)
        if prefix and name.startswith(prefix):
            rest = name[len(prefix):].replace('PROGRAM_VERSION', 'PROTOCOL_VERSION')
            return f'{self.short.upper()}_{rest}'
        return name

    def shape(self, fact):
        """Layout of a field of the table, spelled as snapshot.shape() does."""
        type_, kind = fact['type'], fact['kind']
        for typedef in self.table['typedefs']:
            if typedef['name'] == type_:
                inner = self.shape(typedef)
                break
        else:
            known = self.program.known.get(self.type_name(type_))
            inner = shape(known.field) if known and known.what == 'typedef' else self.type_name(type_)
        bound = fact.get('max', fact.get('length'))
        return {'plain': inner, 'optional': f'{inner}?', 'string': f'string<{bound}>',
                'opaque_fixed': f'opaque[{bound}]', 'opaque_var': f'opaque<{bound}>',
                'array_fixed': f'{inner}[{bound}]', 'array_var': f'{inner}<{bound}>'}[kind]

    def constants(self):
        theirs = {self.const_name(c['name']): c['value'] for c in self.table['constants']}
        for enum in self.table['enums']:
            theirs.update({self.const_name(v['name']): v['value'] for v in enum['values']})
        for proc in self.table.get('procedures', []):
            theirs[self.const_name(proc['name'])] = proc['number']
        ours = {n: v for n, v in self.program.consts.items() if n not in OWN_CONSTS}
        for name in sorted(set(ours) | set(theirs)):
            self.same(f'constant {name}', ours.get(name), theirs.get(name))

    def types(self):
        ours = {t.name: t for t in self.program.types}
        theirs = {}
        for what in ('typedefs', 'enums', 'structs', 'unions'):
            theirs.update({self.type_name(t['name']): t for t in self.table[what]})
        self.same('list of types', sorted(ours), sorted(theirs))
        for name in sorted(set(ours) & set(theirs)):
            type_, fact = ours[name], theirs[name]
            if type_.what == 'typedef':
                self.same(f'type {name}', shape(type_.field), self.shape(fact))
            elif type_.what == 'struct':
                want = [(f['name'], self.shape(f) if f.get('max', 0) is not None else None) for f in fact['fields']]
                have = [(f.name, shape(f) if w[1] else None) for f, w in zip(type_.fields, want)]
                have += [(f.name, shape(f)) for f in type_.fields[len(want):]]
                self.same(f'struct {name}', have, want)
            elif type_.what == 'union':
                self.same(f'union {name}', [(n, f.name, shape(f)) for _, n, f in type_.arms],
                          [(a['value'], a['name'], self.shape(a)) for a in fact['arms']])

    def acl(self, fact):
        out = []
        for rule in fact['acl'] or []:
            if rule['object'] == 'none':
                continue
            text = f"{rule['object']}:{rule['permission']}"
            if rule.get('if_all_flags'):
                text += ':' + '|'.join(rule['if_all_flags'])
            elif rule.get('if_none_of_flags'):
                text += ':!' + '|'.join(rule['if_none_of_flags'])
            elif rule.get('if_param'):
                text += f":{rule['if_param']}={rule['if_value']}"
            out.append(text)
        return OWN_ACL.get(fact['short_name'], out)

    def procedure(self, proc, fact):
        name = proc.name
        self.same(f'number of {name}', proc.number, fact['number'])
        event = fact['type'] == 'event'
        self.same(f'kind of {name}', proc.event is not None, event)
        for part in ('args', 'ret', 'msg'):
            ours = getattr(proc, part)
            theirs = fact.get(part)
            self.same(f'{part} of {name}', ours and ours.name, theirs and self.type_name(theirs))
        if event:
            self.same(f'event of {name}', proc.event, fact.get('event_id', 'none'))
            return
        self.same(f'permissions of {name}', [a.text for a in proc.acl], self.acl(fact))
        self.same(f'filter of {name}', [a.text for a in proc.acl_filter],
                  [f"{a['object']}:{a['permission']}" for a in fact.get('acl_filter') or []])
        self.same(f'fds of {name}', proc.fds, [{'from_client': 'in', 'to_client': 'out'}[d]
                                              for d in fact.get('file_descriptors') or []])
        if self.short == 'remote' and name not in OWN_STREAMS:
            self.same(f'streams of {name}', (proc.readstream, proc.writestream),
                      (fact.get('readstream') is not None, fact.get('writestream') is not None))
        want = READONLY.get(name) if self.short == 'remote' else None
        self.same(f'read-only rule of {name}', proc.readonly, None if want is None else 'yes' if want else 'no')
        if self.short == 'remote' and fact.get('priority') == 'high':
            self.same(f'lane of {name} (high priority)', proc.lane in ('inline', 'priority'), True)

    def procedures(self):
        ours = {p.name: p for p in self.program.procs}
        theirs = {p['short_name']: p for p in self.table.get('procedures', [])}
        self.same('list of procedures', sorted(ours), sorted(theirs))
        for name in sorted(set(ours) & set(theirs)):
            self.procedure(ours[name], theirs[name])

    def run(self):
        self.constants()
        self.types()
        self.procedures()
        return self.faults


def routes(program, path):
    """The proxy sends a call where its table says, unless it answers the call itself."""
    with open(path, encoding='utf-8') as f:
        rows = json.load(f)['procedures']
    faults = []
    for row in rows:
        want = 'primary' if row['connection'] == 'hypervisor' else row['connection']
        proc = next((p for p in program.procs if p.name == row['name']), None)
        if proc and proc.route not in (want, 'local'):
            faults.append(f"{program.file}: route of {proc.name} is '{proc.route}', must be '{want}'")
    return faults


# procedures that no public function of that name stands for
NOT_PUBLIC = re.compile('vir(Auth|ConnectSupportsFeature|DomainMigrate(Prepare|Perform|Finish|Begin3|Confirm3))')


def api(program, folder):
    """Errors name procedures as the public API does."""
    names = set()
    for path in glob.glob(os.path.join(folder, 'libvirt*.json')):
        with open(path, encoding='utf-8') as f:
            names.update(function['name'] for function in json.load(f)['functions'])
    ours = {api_name(program.short, p.name) for p in program.procs if p.event is None}
    return [f'{program.file}: there is no public function {name}'
            for name in sorted(ours - names) if name.startswith('vir') and not NOT_PUBLIC.match(name)
            and 'EventCallback' not in name]


def main(argv):
    root, *files = argv
    shared = os.environ.get('MODVIRT_SHARED') or os.path.join(root, '..', 'shared')
    facts = os.path.join(shared, 'facts')
    if not os.path.isdir(os.path.join(facts, 'protocol')):
        print('skipped: no protocol tables (set MODVIRT_SHARED)')
        sys.exit(77)
    loader = Loader(root)
    faults = []
    for path in files:
        program = loader.load(path)
        table = os.path.join(facts, 'protocol', TABLE.get(program.short, program.short) + '.json')
        with open(table, encoding='utf-8') as f:
            faults += Checker(program, json.load(f)).run()
        faults += api(program, os.path.join(facts, 'api'))
        if program.short == 'remote':
            faults += routes(program, os.path.join(facts, 'routes.json'))
    if faults:
        sys.exit('\n'.join(faults))


if __name__ == '__main__':
    main(sys.argv[1:])
