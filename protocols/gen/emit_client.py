# SPDX-License-Identifier: LGPL-2.1-or-later
"""Client stubs: one typed function per call."""
from emit_dispatch import calls


def prototype(program, proc):
    out = ['ClientCall *cc']
    if proc.args:
        out.append(f'const {proc.args.name} *a')
    if proc.ret:
        out.append(f'{proc.ret.name} *r')
    return f'bool {program.short}_client_{proc.name}({", ".join(out + ["GError **err"])})'


def header(program):
    out = ['#pragma once', '', '#include <glib.h>', '#include <stdbool.h>', '',
           '#include "protocols/client_call.h"', f'#include "protocols/{program.short}_types.h"', '',
           '/* Each sends its call and waits for the reply; see ClientCall. *r is overwritten. */']
    return out + [f'{prototype(program, p)};' for p in calls(program)]


def source(program):
    out = [f'#include "protocols/{program.short}_client.h"', '', '#include <string.h>', '',
           f'#include "protocols/{program.short}_procs.h"']
    for proc in calls(program):
        args = 'a' if proc.args else 'NULL'
        ret = 'r' if proc.ret else 'NULL'
        out += ['', prototype(program, proc), '{']
        if proc.ret:
            out.append('    memset(r, 0, sizeof(*r));')
        out += [f'    return cc->call(cc->self, &{program.short}_program, '
                f'&{program.short}_program.procs[{proc.number}], {args}, {ret}, err);', '}']
    return out
