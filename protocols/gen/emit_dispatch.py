# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of procedures, the typed handler table and the thunks between them."""
from emit_types import c_type, codec
from model import KINDS, api_name

KEYWORDS = {'auto', 'break', 'case', 'char', 'const', 'continue', 'default', 'do', 'double', 'else', 'enum',
            'extern', 'float', 'for', 'goto', 'if', 'inline', 'int', 'long', 'register', 'restrict', 'return',
            'short', 'signed', 'sizeof', 'static', 'struct', 'switch', 'typedef', 'union', 'unsigned', 'void',
            'volatile', 'while'}
CAPABILITY = {'none': 'const {}View *', 'query': '{}Query *', 'modify': '{}Turn *', 'op': '{}Turn *',
              'destroy': '{}Turn *', 'abort': '{}Abort *'}


def member(proc):
    """Field name of a procedure in the handler table; C keywords get a trailing '_'."""
    return proc.name + '_' if proc.name in KEYWORDS else proc.name


def capability(proc):
    return CAPABILITY[proc.job].format(KINDS[proc.object]) if proc.object else None


def calls(program):
    return [p for p in program.procs if p.event is None]


def parameters(proc):
    out = ['Call *c']
    if proc.object:
        out.append(capability(proc) + 'cap')
    if proc.args:
        out.append(f'const {proc.args.name} *a')
    if proc.ret:
        out.append(f'{proc.ret.name} *r')
    return ', '.join(out + ['GError **err'])


def handlers(program):
    kinds = sorted({p.object for p in calls(program) if p.object}, key=list(KINDS).index)
    out = ['#pragma once', '', '#include <glib.h>', '#include <stdbool.h>', '#include <stdint.h>', '',
           '#include "protocols/proc.h"', f'#include "protocols/{program.short}_types.h"', '']
    for kind in kinds:
        for word in ('View', 'Query', 'Turn', 'Abort'):
            out.append(f'typedef struct {KINDS[kind]}{word} {KINDS[kind]}{word};')
    out += ['', '/* Every call of the protocol. fn NULL: not supported. flags: bits that the flags argument may',
            ' * hold. Arguments and reply belong to the dispatcher; what a reply points to is freed with g_free().',
            ' * A handler returns false if and only if it set *err. */',
            f'typedef struct {program.camel}Handlers {{']
    for proc in calls(program):
        out += ['    struct {', f'        bool (*fn)({parameters(proc)});', '        uint32_t flags;',
                f'    }} {member(proc)};']
    out += [f'}} {program.camel}Handlers;', '',
            f'G_STATIC_ASSERT(sizeof({program.camel}Handlers) == {len(calls(program))} * sizeof(HandlerSlot));']
    return out


def procs_header(program):
    short, upper = program.short, program.upper
    out = ['#pragma once', '', '#include <stddef.h>', '#include <stdint.h>', '', '#include "protocols/proc.h"',
           f'#include "protocols/{short}_types.h"', '', f'typedef enum {short}_procedure {{']
    out += [f'    {upper}_PROC_{p.name.upper()} = {p.number},' for p in program.procs]
    out += [f'    _{upper}_PROC_N', f'}} {short}_procedure;', '',
            f'extern const ProgramInfo {short}_program;',
            '/* Route of each procedure, indexed by number; ROUTE_PRIMARY for numbers without procedure. */',
            f'extern const uint8_t {short}_route[_{upper}_PROC_N];']
    if program.events():
        out += ['/* Sorted by object and event number. */', f'extern const EventInfo {short}_events[];',
                f'extern const size_t {short}_n_events;']
    return out


def free_codec(field):
    return 'NULL' if field.type.what == 'scalar' else f'(xdrproc_t){codec(field.type)}'


def cut(field, limit):
    name = field.name
    return (f'    thunk_cut(&r->{name}.{name}_len, &r->{name}.{name}_val, sizeof({c_type(field)}), '
            f'{free_codec(field)}, {limit});')


def array_of(proc, name):
    return next(f for f in proc.ret.fields if f.name == name)


def has(struct, name):
    return any(f.name == name for f in struct.fields)


def shaped(proc):
    """Statements before and after the handler of @list and @params."""
    before, after = [], []
    refuse = '    if (!thunk_max_ok("{}", a->{}, {}, err))\n        return false;'
    if proc.list:
        field = array_of(proc, proc.list)
        if proc.list_max:
            before.append(refuse.format(proc.name, proc.list_max, field.bound_text))
            after.append(cut(field, f'a->{proc.list_max}'))
        else:
            after += [f'    if (r->{field.name}.{field.name}_len)',
                      f'        r->ret = r->{field.name}.{field.name}_len;',
                      '    if (!a->need_results)', '    ' + cut(field, 0)]
    if proc.params:
        field = array_of(proc, proc.params)
        before.append(refuse.format(proc.name, 'nparams', field.bound_text))
        if has(proc.ret, 'nparams'):
            after += ['    if (a->nparams)', '    ' + cut(field, 'a->nparams'),
                      f'    r->nparams = r->{field.name}.{field.name}_len;', '    if (!a->nparams)',
                      '    ' + cut(field, 0)]
        else:
            after.append(cut(field, 'a->nparams'))
    return before, after


def thunk(program, proc):
    name = member(proc)
    values = ['c']
    if proc.object:
        values.append('cap')
    before, after = shaped(proc)
    out = ['', f'static bool thunk_{proc.name}(const HandlerSlot *slot, Call *c, void *cap, void *args, void *ret,',
           '    GError **err)', '{',
           f'    const __typeof__(((const {program.camel}Handlers *)0)->{name}) *h = (const void *)slot;']
    if before or after:
        out += [f'    const {proc.args.name} *a = args;', f'    {proc.ret.name} *r = ret;', '']
        out += before
    values += (['args'] if proc.args else []) + (['ret'] if proc.ret else [])
    values.append('err')
    if after:
        out += [f'    if (!h->fn({", ".join(values)}))', '        return false;'] + after + ['    return true;']
    else:
        out += ['', f'    return h->fn({", ".join(values)});']
    return out + ['}']


def acl_object(name):
    return 'ACL_CONNECT' if name == 'connect' else 'OBJECT_' + name.upper()


def acl_row(proc, rule):
    row = f'{acl_object(rule.object)}, "{rule.object.replace("_", "-")}", "{rule.perm}"'
    if rule.all_flags:
        row += f', .if_all_flags = {" | ".join(rule.all_flags)}'
    if rule.none_flags:
        row += f', .if_none_of_flags = {" | ".join(rule.none_flags)}'
    if rule.param:
        row += (f', .if_param_off = offsetof({proc.args.name}, {rule.param}), .if_param_size = 4, '
                f'.if_value = {rule.value}')
    return f'{{ {row} }}'


class AclTables:
    """Lists of rules; equal lists are emitted once."""

    def __init__(self):
        self.names, self.out = {}, []

    def name(self, proc, rules):
        if not rules:
            return None
        rows = tuple(acl_row(proc, r) for r in rules)
        if rows not in self.names:
            self.names[rows] = f'acl_{len(self.names)}'
            self.out.append(f'static const AclRule {self.names[rows]}[] = {{')
            self.out += [f'    {row},' for row in rows] + ['    { .perm = NULL }', '};']
        return self.names[rows]


def bits(proc):
    names = {
        'PROC_AUTH': proc.auth, 'PROC_RO_OK': proc.event is None and proc.readonly_ok(),
        'PROC_ACTIVE': proc.active, 'PROC_STREAM_IN': proc.writestream, 'PROC_STREAM_OUT': proc.readstream,
        'PROC_FDS_IN': 'in' in proc.fds, 'PROC_FDS_OUT': 'out' in proc.fds, 'PROC_EVENT': proc.event is not None,
        'PROC_OBJECT_XML': proc.from_xml, 'PROC_CREATES': proc.creates, 'PROC_PREOPEN': proc.preopen,
        'PROC_SENSITIVE': proc.sensitive,
    }
    return ' | '.join(n for n, on in names.items() if on) or '0'


def row(program, proc, acls):
    out = [f'    [{proc.number}] = {{', f'        .name = "{proc.name}", .number = {proc.number},',
           f'        .api = "{api_name(program.short, proc.name)}",']
    args = proc.args or proc.msg
    for what, type_ in (('args', args), ('ret', proc.ret)):
        if type_:
            out.append(f'        .{what}_xdr = (xdrproc_t)xdr_{type_.name}, .{what}_size = sizeof({type_.name}),')
    out.append(f'        .route = ROUTE_{proc.route.upper()}, .bits = {bits(proc)},')
    if proc.event is not None:
        return out + ['        .flags_off = -1,', '    },']
    out.append(f'        .thunk = thunk_{proc.name}, '
               f'.handler_off = offsetof({program.camel}Handlers, {member(proc)}),')
    out.append(f'        .job = JOB_{proc.job.upper()}, .lane = LANE_{proc.lane.upper()}, '
               f'.deadline = DEADLINE_{proc.deadline.upper()},')
    if proc.object:
        out.append(f'        .object = OBJECT_{proc.object.upper()}, '
                   f'.object_off = offsetof({args.name}, {proc.object_path}),')
    if proc.flags:
        out.append(f'        .flags_off = offsetof({args.name}, {proc.flags}), '
                   f'.flags_size = sizeof((({args.name} *)0)->{proc.flags}),')
    else:
        out.append('        .flags_off = -1,')
    acl, filter_ = acls.name(proc, proc.acl), acls.name(proc, proc.acl_filter)
    if acl:
        out.append(f'        .acl = {acl},')
    if filter_:
        out.append(f'        .acl_filter = {filter_},')
    return out + ['    },']


def procs_source(program):
    short = program.short
    acls = AclTables()
    rows = [line for proc in program.procs for line in row(program, proc, acls)]
    out = [f'#include "protocols/{short}_procs.h"', '', '#include <stddef.h>', '',
           f'#include "protocols/{short}_handlers.h"', '#include "protocols/thunk.h"', '#include "util/api.h"']
    for proc in calls(program):
        out += thunk(program, proc)
    out += [''] + acls.out + ['', 'static const ProcInfo procs[] = {'] + rows + ['};', '']
    out += [f'const ProgramInfo {short}_program = {{', f'    .name = "{short}",',
            f'    .number = {program.upper}_PROGRAM,', f'    .version = {program.upper}_PROTOCOL_VERSION,',
            '    .procs = procs,', '    .n_procs = G_N_ELEMENTS(procs),', '};']
    events = program.events()
    if events:
        out += ['', f'const EventInfo {short}_events[] = {{']
        for kind, _, identifier, name, legacy, callback in events:
            number = [f'{program.upper}_PROC_{p.name.upper()}' if p else '0' for p in (legacy, callback)]
            out.append(f'    {{ OBJECT_{kind.upper()}, {identifier}, {number[0]}, {number[1]}, "{name}" }},')
        out += ['};', f'const size_t {short}_n_events = G_N_ELEMENTS({short}_events);']
    return out
