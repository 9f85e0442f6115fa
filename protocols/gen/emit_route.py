# SPDX-License-Identifier: LGPL-2.1-or-later
"""The proxy's table: who answers a procedure."""


def source(program):
    out = [f'#include "protocols/{program.short}_procs.h"', '',
           f'const uint8_t {program.short}_route[] = {{']
    by_number = {p.number: p for p in program.procs}
    for number in range(program.procs[-1].number + 1):
        proc = by_number.get(number)
        route = proc.route if proc else 'primary'
        out.append(f'    ROUTE_{route.upper()}, /* {number} {proc.name if proc else "-"} */')
    return out + ['};']
