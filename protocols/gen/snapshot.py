#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Canonical text of everything that crosses the wire: numbers, names, layouts, bounds.

usage: snapshot.py ROOT SNAPSHOT FILE.x...           compare, fail when they differ
       snapshot.py --write ROOT SNAPSHOT FILE.x...   write SNAPSHOT anew; review the difference

A change of the snapshot is a change of the protocol: clients that exist do not know it.
"""
import difflib
import sys

from model import Loader
from parse import XError


def shape(field):
    """Layout of one field with typedefs and constants resolved."""
    type_ = field.type
    if field.kind == 'plain' and type_.what == 'typedef':
        return shape(type_.field)
    inner = shape(type_.field) if type_.what == 'typedef' else type_.name
    return {'plain': inner, 'optional': f'{inner}?', 'string': f'string<{field.bound}>',
            'opaque_fixed': f'opaque[{field.bound}]', 'opaque_var': f'opaque<{field.bound}>',
            'array_fixed': f'{inner}[{field.bound}]', 'array_var': f'{inner}<{field.bound}>'}[field.kind]


def program_lines(program):
    out = [f'file {program.file}']
    if program.number is not None:
        out.append(f'program 0x{program.number:08x} version {program.version}')
    out += [f'const {name} {value}' for name, value in program.consts.items()]
    for type_ in program.types:
        if type_.what == 'enum':
            out.append(f'enum {type_.name} ' + ' '.join(str(v[1]) for v in type_.values))
        elif type_.what == 'struct':
            out.append(f'struct {type_.name}')
            out += [f'    {f.name} {shape(f)}' for f in type_.fields]
        elif type_.what == 'union':
            out.append(f'union {type_.name} {type_.tag.name}')
            out += [f'    {number} {f.name} {shape(f)}' for _, number, f in type_.arms]
    for proc in program.procs:
        name = [t.name if t else '-' for t in (proc.args, proc.ret, proc.msg)]
        what = 'message' if proc.event is not None else 'call'
        fds = ''.join(f' fds-{way}' for way in proc.fds)
        stream = ' readstream' * proc.readstream + ' writestream' * proc.writestream
        out.append(f'{what} {proc.number} {proc.name} {name[0]} {name[1]} {name[2]}{stream}{fds}')
    return out + [''.join(f'event {r[0]} {r[1]} {r[3]} {r[4].number if r[4] else 0} {r[5].number if r[5] else 0}\n'
                          for r in program.events())]


def main(argv):
    write = argv[:1] == ['--write']
    if len(argv) < 3 + write:
        sys.exit(__doc__)
    root, path, *files = argv[write:]
    loader = Loader(root)
    try:
        lines = [line for f in files for line in program_lines(loader.load(f))]
    except XError as error:
        sys.exit(str(error))
    text = '\n'.join(lines).rstrip('\n') + '\n'
    if write:
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        return
    with open(path, encoding='utf-8') as f:
        kept = f.read()
    if kept != text:
        sys.stderr.writelines(difflib.unified_diff(kept.splitlines(True), text.splitlines(True), path, 'descriptions'))
        sys.exit('the descriptions differ from the snapshot')


if __name__ == '__main__':
    main(sys.argv[1:])
