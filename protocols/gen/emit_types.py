# SPDX-License-Identifier: LGPL-2.1-or-later
"""C structs and their xdr_* functions."""


def constant(program, name):
    value = program.consts[name]
    if name in program.hex:
        return f'0x{value:08x}U'
    return str(value) if value < 1 << 31 else f'{value}U'


def c_type(field):
    """C type of one value of the field's type."""
    return field.type.ctype if field.type.what == 'scalar' else field.type.name


def declaration(field):
    name, kind = field.name, field.kind
    if kind == 'string':
        return f'char *{name};'
    if kind == 'opaque_fixed':
        return f'u_char {name}[{field.bound_text}];'
    if kind == 'array_fixed':
        return f'{c_type(field)} {name}[{field.bound_text}];'
    if kind in ('opaque_var', 'array_var'):
        item = 'u_char ' if kind == 'opaque_var' else c_type(field) + ' '
        return f'struct {{ u_int {name}_len; {item}*{name}_val; }} {name};'
    if kind == 'optional':
        return f'{string_or(field, c_type(field) + " *")}{name};'
    return f'{c_type(field)} {name};'


def string_or(field, otherwise):
    type_ = field.type
    return 'char *' if type_.what == 'typedef' and type_.field.is_string() else otherwise


def codec(type_):
    return type_.codec if type_.what == 'scalar' else 'xdr_' + type_.name


def string_bound(type_):
    """Bound of a string typedef."""
    return type_.field.bound_text if type_.field.kind == 'string' else string_bound(type_.field.type)


def call(field, place):
    """The call that codes the field at the C expression 'place'."""
    kind, name = field.kind, field.name
    if kind == 'string':
        return f'xdrb_string(x, &{place}, {field.bound_text})'
    if kind == 'opaque_fixed':
        return f'xdrb_opaque_fixed(x, {place}, {field.bound_text})'
    if kind == 'opaque_var':
        return f'xdrb_opaque(x, &{place}.{name}_len, &{place}.{name}_val, {field.bound_text})'
    if kind == 'array_fixed':
        return (f'xdrb_array_fixed(x, {place}, {field.bound_text}, sizeof({place}[0]), '
                f'(xdrproc_t){codec(field.type)})')
    if kind == 'array_var':
        return (f'xdrb_array(x, &{place}.{name}_len, (void **)&{place}.{name}_val, {field.bound_text},\n'
                f'                      sizeof(*{place}.{name}_val), {field.type.min_wire}, '
                f'(xdrproc_t){codec(field.type)})')
    if kind == 'optional':
        if string_or(field, ''):
            return f'xdrb_opt_string(x, &{place}, {string_bound(field.type)})'
        return (f'xdrb_optional(x, (void **)&{place}, sizeof(*{place}), {field.type.min_wire}, '
                f'(xdrproc_t){codec(field.type)})')
    if field.is_array_typedef():
        return f'{codec(field.type)}(x, {place})'
    return f'{codec(field.type)}(x, &{place})'


def header(program):
    out = ['#pragma once', '', '#include <rpc/rpc.h>', '#include <stdbool.h>', '#include <stdint.h>', '']
    out += [f'#include "protocols/{p.short}_types.h"' for p in program.includes]
    out += [f'#include "{h}"' for h in program.headers]
    enumerators = {v[0] for t in program.types if t.what == 'enum' for v in t.values}
    if hasattr(program, 'procedures'):
        enumerators |= {v[0] for v in program.procedures.values}
    consts = [n for n in program.consts if n not in enumerators]
    out += [''] + [f'#define {n} {constant(program, n)}' for n in consts] + ['']
    out += [f'typedef struct {t.name} {t.name};' for t in program.types if t.what in ('struct', 'union')]
    out += ['', '/* An absent optional is NULL; an optional string is a char * as well. */']
    for type_ in program.types:
        if type_.what == 'typedef':
            out.append(f'typedef {declaration(type_.field)}')
    for type_ in program.types:
        if type_.what == 'enum':
            out += ['', f'typedef enum {type_.name} {{']
            out += [f'    {name} = {number},' for name, number, _, _ in type_.values]
            out.append(f'}} {type_.name};')
        elif type_.what == 'struct':
            out += ['', f'struct {type_.name} {{'] + [f'    {declaration(f)}' for f in type_.fields] + ['};']
        elif type_.what == 'union':
            out += ['', f'struct {type_.name} {{', f'    int {type_.tag.name};', '    union {']
            out += [f'        {declaration(f)} /* {case} */' for case, _, f in type_.arms]
            out += ['    } u;', '};']
    out.append('')
    out += [f'{prototype(t)};' for t in program.types]
    return out


def prototype(type_):
    star = '' if type_.what == 'typedef' and type_.field.kind.endswith('fixed') else '*'
    return f'bool_t xdr_{type_.name}(XDR *x, {type_.name} {star}v)'


def source(program):
    out = [f'#include "protocols/{program.short}_types.h"', '', '#include "protocols/xdr_buf.h"']
    for type_ in program.types:
        out += ['', prototype(type_), '{']
        if type_.what == 'typedef':
            place = 'v' if type_.field.kind.endswith('fixed') else '(*v)'
            out.append(f'    return {call(type_.field, place).replace("&(*v)", "v")};')
        elif type_.what == 'enum':
            out.append('    return xdrb_int(x, (int *)v);')
        elif type_.what == 'struct':
            calls = [call(f, 'v->' + f.name) for f in type_.fields]
            out.append('    return ' + ' &&\n           '.join(calls) + ';')
        else:
            out += [f'    if (!xdrb_int(x, &v->{type_.tag.name}))', '        return FALSE;',
                    f'    switch (v->{type_.tag.name}) {{']
            for case, _, field in type_.arms:
                out += [f'    case {case}:', f'        return {call(field, "v->u." + field.name)};']
            out += ['    default:', '        return xdrb_bad_tag(x);', '    }']
        out.append('}')
    return out
