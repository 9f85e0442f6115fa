# SPDX-License-Identifier: LGPL-2.1-or-later
"""The protocol reference, one page for all programs."""
from emit_types import declaration
from model import DEADLINE_OF_JOB, NOTES


def layout(struct):
    return ', '.join(f'`{declaration(f).rstrip(";")}`' for f in struct.fields) if struct else 'nothing'


def properties(proc):
    out = []
    if proc.object:
        how = ', named by a document' if proc.from_xml else ''
        out.append(f'object {proc.object} (`{proc.object_path}`{how}{", may be new" if proc.creates else ""})')
    if proc.job != 'none':
        out.append(f'job {proc.job}')
    if proc.active:
        out.append('object must be running')
    if proc.lane != 'normal':
        out.append(f'lane {proc.lane}')
    if proc.route != 'primary':
        out.append(f'route {proc.route}')
    if proc.event is None:
        out.append('allowed on read-only connections' if proc.readonly_ok() else 'refused on read-only connections')
    if proc.auth:
        out.append('before authentication')
    if proc.preopen:
        out.append('before opening')
    if proc.sensitive:
        out.append('wiped from memory')
    if proc.readstream:
        out.append('stream to the client')
    if proc.writestream:
        out.append('stream from the client')
    for way in proc.fds:
        out.append('file descriptors with the call' if way == 'in' else 'file descriptors with the reply')
    if proc.event is None and proc.deadline != DEADLINE_OF_JOB[proc.job]:
        out.append(f'deadline {proc.deadline}')
    return '; '.join(out)


def page(programs):
    out = ['# Protocol reference', '',
           'One section per RPC program, in order of procedure numbers. Annotations in the descriptions, in the order',
           'in which they stand: ' + ', '.join(f'`@{n}`' for n in NOTES) + '.']
    for program in programs:
        out += ['', f'## {program.short}', '']
        if program.number is not None:
            out += [f'Program 0x{program.number:08x}, version {program.version}, {len(program.procs)} procedures.']
        if not program.procs:
            for type_ in program.types:
                if type_.what == 'struct':
                    out.append(f'- {type_.name}: {layout(type_)}')
        for proc in program.procs:
            what = 'message' if proc.event is not None else 'call'
            since = f', since {proc.since}' if proc.since else ''
            out += ['', f'### {proc.number} {proc.name} ({what}{since})', '']
            out += proc.doc.text
            if proc.msg:
                out.append(f'- message: {layout(proc.msg)}')
                if proc.event != 'none':
                    out.append(f'- event: {proc.event}')
            else:
                out.append(f'- arguments: {layout(proc.args)}')
                out.append(f'- reply: {layout(proc.ret)}')
                out.append('- needs: ' + (', '.join(f'`{a.text}`' for a in proc.acl) or 'no permission'))
                if proc.acl_filter:
                    out.append('- lists only what passes: ' + ', '.join(f'`{a.text}`' for a in proc.acl_filter))
            extra = properties(proc)
            if extra:
                out.append(f'- {extra}')
    return out
