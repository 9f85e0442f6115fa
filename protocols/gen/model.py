# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the declarations of a .x file mean: resolved types, checked procedures.

Every check that can be made before the C compiler runs is made here, so that the emitters only
print. Annotations of a procedure stand in the order of NOTES; each is mandatory or has the one
default that its line names.
"""
import os
import re

from parse import XError, parse

NOTES = [             # default
    'acl',            # mandatory; OBJECT:PERMISSION[:FLAG[|FLAG] | :!FLAG[|FLAG] | :FIELD=VALUE], or none
    'aclfilter',      # no filter; what each listed object needs
    'object',         # none; KIND FIELD[.FIELD] [from-xml [creates]]
    'job',            # none; none | query | modify | op | abort | destroy, then [active]
    'lane',           # normal; normal | inline | priority
    'route',          # primary; local | primary | network | interface | storage | nodedev | …
    'readonly',       # by rule, see Proc.readonly_by_rule(); yes | no
    'auth',           # no; allowed before authentication
    'preopen',        # no; allowed between authentication and opening the connection
    'sensitive',      # no; arguments or reply are wiped from memory once they are sent or handled
    'readstream',     # no; the reply opens a stream from daemon to client
    'writestream',    # no; … from client to daemon
    'fds',            # none; in | out
    'flags',          # the field 'flags' when there is one; FIELD
    'list',           # no; FIELD of the reply that is cut to what was asked for
    'params',         # no; FIELD of the reply; nparams == 0 asks for the count only
    'deadline',       # by job, see DEADLINE_OF_JOB, none with a stream; none | short | normal | long
    'since',          # not known; x.y.z
    'event',          # (marks a message, not a call) identifier that subscribers use, or none
]
REPEATABLE = {'acl', 'aclfilter', 'fds'}
EMPTY = {'auth', 'preopen', 'sensitive', 'readstream', 'writestream'}
OF_EVENT = {'route', 'since', 'event'}

KINDS = {  # object kind: name of its capability types
    'domain': 'Domain', 'network': 'Network', 'network_port': 'NetworkPort', 'interface': 'Interface',
    'storage_pool': 'StoragePool', 'storage_vol': 'StorageVol', 'node_device': 'NodeDevice',
    'secret': 'Secret', 'nwfilter': 'Nwfilter', 'nwfilter_binding': 'NwfilterBinding',
}
PERMISSIONS = {
    'connect': 'getattr read write search_domains search_networks search_storage_pools'
               ' search_node_devices search_interfaces search_secrets search_nwfilters'
               ' search_nwfilter_bindings detect_storage_pools pm_control interface_transaction',
    'domain': 'getattr read write read_secure start stop reset save delete migrate checkpoint snapshot'
              ' suspend hibernate core_dump pm_control init_control inject_nmi send_input send_signal'
              ' fs_trim fs_freeze block_read block_write mem_read open_graphics open_device screenshot'
              ' open_namespace set_time set_password',
    'interface': 'getattr read write save delete start stop',
    'network': 'getattr read write save delete start stop search_ports',
    'network_port': 'getattr read write create delete',
    'node_device': 'getattr read write start stop detach delete save',
    'nwfilter': 'getattr read write save delete',
    'nwfilter_binding': 'getattr read create delete',
    'secret': 'getattr read write read_secure save delete',
    'storage_pool': 'getattr read write save delete start stop refresh search_storage_vols format',
    'storage_vol': 'getattr read create delete format resize data_read data_write',
}
CHOICES = {
    'job': ['none', 'query', 'modify', 'op', 'abort', 'destroy'],
    'lane': ['normal', 'inline', 'priority'],
    'route': ['local', 'primary', 'network', 'interface', 'storage', 'nodedev', 'secret', 'nwfilter'],
    'deadline': ['none', 'short', 'normal', 'long'],
    'fds': ['in', 'out'],
    'readonly': ['yes', 'no'],
}
DEADLINE_OF_JOB = {'none': 'short', 'query': 'normal', 'modify': 'normal', 'op': 'long',
                   'abort': 'normal', 'destroy': 'normal'}
MAX_FIELDS = ['maxnames', 'maxids', 'maxuuids', 'maxcells', 'maxStats']

SCALARS = {  # XDR type: (C type, codec, bytes on the wire)
    'int': ('int', 'xdrb_int', 4), 'unsigned int': ('u_int', 'xdrb_uint', 4),
    'hyper': ('int64_t', 'xdrb_hyper', 8), 'unsigned hyper': ('uint64_t', 'xdrb_uhyper', 8),
    'char': ('char', 'xdrb_char', 4), 'unsigned char': ('u_char', 'xdrb_uchar', 4),
    'short': ('short', 'xdrb_short', 4), 'unsigned short': ('u_short', 'xdrb_ushort', 4),
    'bool': ('bool', 'xdrb_bool', 4), 'double': ('double', 'xdrb_double', 8),
}


class Type:
    """A named type. what: scalar, enum, struct, union, typedef. min_wire: least size in bytes."""

    def __init__(self, what, name, line=0, **attributes):
        self.what, self.name, self.line = what, name, line
        self.min_wire = 4
        self.__dict__.update(attributes)


class Field:
    """A declaration with its type and bound looked up. bound_text: how the .x writes the bound."""

    def __init__(self, decl, type_, bound):
        self.name, self.line, self.kind = decl.name, decl.line, decl.kind
        self.type, self.bound, self.bound_text = type_, bound, decl.bound
        if self.kind == 'opaque_fixed':
            self.min_wire = (bound + 3) // 4 * 4
        elif self.kind == 'array_fixed':
            self.min_wire = bound * type_.min_wire
        else:
            self.min_wire = type_.min_wire if self.kind == 'plain' else 4

    def is_array_typedef(self):
        return self.kind == 'plain' and self.type.what == 'typedef' and self.type.field.kind.endswith('fixed')

    def is_string(self):
        return self.kind == 'string' or (
            self.kind == 'plain' and self.type.what == 'typedef' and self.type.field.is_string())


class Acl:
    def __init__(self, text, object_, perm, all_flags=(), none_flags=(), param=None, value=None):
        self.text, self.object, self.perm = text, object_, perm
        self.all_flags, self.none_flags, self.param, self.value = all_flags, none_flags, param, value

    def conditional(self):
        return bool(self.all_flags or self.none_flags or self.param)


# Words that the public API spells in capitals; all others begin with one.
CAPITALS = {'fsfreeze': 'FSFreeze', 'fsinfo': 'FSInfo', 'fsthaw': 'FSThaw', 'fstrim': 'FSTrim', 'iothread': 'IOThread',
            'nwfilter': 'NWFilter', 'nwfilters': 'NWFilters', 'threadpool': 'ThreadPool'}
CAPITALS.update((w, w.upper()) for w in ('cpu', 'dhcp', 'fd', 'id', 'mac', 'nmi', 'os', 'pm', 'scsi', 'sev', 'ssh', 'uri',
                                         'uuid', 'wwn', 'xml'))
# What the functions of a program's library begin with, by the procedure's first words, which they replace.
API_PREFIX = {'remote': {'': 'vir'}, 'admin': {'': 'virAdm'}, 'lxc': {'domain_': 'virDomainLxc'},
              'qemu': {'domain_': 'virDomainQemu', 'connect_domain_': 'virConnectDomainQemu'}}


def api_name(program, name):
    """The public function that a procedure serves: domain_get_xml_desc is virDomainGetXMLDesc."""
    for words, prefix in API_PREFIX.get(program, {}).items():
        if name.startswith(words):
            return prefix + ''.join(CAPITALS.get(w, w.capitalize()) for w in name[len(words):].split('_'))
    return name


class Proc:
    """A procedure or event message, annotations applied."""

    def __init__(self, name, number, line, doc):
        self.name, self.number, self.line, self.doc = name, number, line, doc
        self.acl, self.acl_filter, self.fds = [], [], []
        self.object = self.object_path = None
        self.from_xml = self.creates = self.active = False
        self.job, self.lane, self.route, self.deadline = 'none', 'normal', 'primary', None
        self.auth = self.preopen = self.sensitive = self.readstream = self.writestream = False
        self.readonly = self.flags = self.list = self.params = self.since = self.event = None
        self.args = self.ret = self.msg = None

    def readonly_by_rule(self):
        return all(a.conditional() or a.perm in ('getattr', 'read') or a.perm.startswith('search_')
                   for a in self.acl)

    def readonly_ok(self):
        return self.readonly_by_rule() if self.readonly is None else self.readonly == 'yes'


class Program:
    """One .x file. types in order of definition, own ones only; procs by ascending number."""

    def __init__(self, path, loader):
        self.path, self.loader = path, loader
        self.file = os.path.basename(path)
        self.short = os.path.splitext(self.file)[0]
        self.upper = self.short.upper()
        self.camel = ''.join(w.capitalize() for w in self.short.split('_'))
        self.includes, self.headers = [], []
        self.consts, self.types, self.procs = {}, [], []
        self.hex = set()
        self.known = dict(loader.scalars)
        self.outside = {}
        self.number = self.version = None
        with open(path, encoding='utf-8') as f:
            nodes = parse(self.file, f.read())
        for node in nodes:
            getattr(self, 'add_' + node.what)(node)
        self.finish()

    def error(self, line, text):
        raise XError(self.file, line, text)

    # declarations

    def add_include(self, node):
        path = self.loader.find(self, node)
        if node.name.endswith('.x'):
            other = self.loader.load(path)
            self.includes.append(other)
            self.known.update(other.known)
            self.outside.update(other.outside)
            self.outside.update(other.consts)
        else:
            self.headers.append(node.name)
            self.outside.update(self.loader.header(path))

    def new_name(self, node):
        if node.name in self.known or node.name in self.consts:
            self.error(node.line, f"'{node.name}' is defined twice")

    def add_const(self, node):
        self.new_name(node)
        self.consts[node.name] = node.value
        if node.hex:
            self.hex.add(node.name)

    def value(self, line, value):
        if isinstance(value, int):
            return value
        if value in self.consts:
            return self.consts[value]
        if value in self.outside:
            return self.outside[value]
        return self.error(line, f"unknown constant '{value}'")

    def field(self, decl):
        bound = None
        if decl.bound is not None:
            bound = self.value(decl.line, decl.bound)
            if not 0 < bound < 1 << 32:
                self.error(decl.line, f"bound of '{decl.name}' is {bound}")
        if decl.kind in ('string', 'opaque_fixed', 'opaque_var'):
            return Field(decl, self.loader.bytes, bound)
        if decl.type not in self.known:
            self.error(decl.line, f"unknown type '{decl.type}' of '{decl.name}'")
        type_ = self.known[decl.type]
        if type_.what == 'forward' and decl.kind == 'plain':
            self.error(decl.line, f"'{decl.type}' is used before its definition")
        outer = self.unfinished(type_)
        if outer:
            self.error(decl.line, f"'{decl.name}' makes '{outer.name}' contain itself")
        return Field(decl, type_, bound)

    def unfinished(self, type_):
        """The struct or union under definition that type_ contains, or None. Recursion is refused: a
        decoder of such a type could be driven arbitrarily deep."""
        if type_.what == 'pending':
            return type_
        inner = [type_.field] if type_.what == 'typedef' else type_.fields if type_.what == 'struct' else \
            [f for _, _, f in type_.arms] if type_.what == 'union' else []
        return next((found for found in (self.unfinished(f.type) for f in inner) if found), None)

    def add_typedef(self, node):
        self.new_name(node)
        decl = node.decl
        if decl.kind == 'optional' and decl.type not in self.known:
            # optional structs may be named before the struct, as in "typedef nonnull *maybe"
            self.known[decl.type] = Type('forward', decl.type, node.line)
        if decl.kind not in ('string', 'optional', 'opaque_fixed'):
            self.error(node.line, f"typedef '{decl.name}' must be a string, an optional or fixed opaque")
        field = self.field(decl)
        if decl.kind == 'optional' and field.type.what in ('scalar', 'enum'):
            self.error(node.line, f"optional '{decl.type}' is not supported")
        self.known[node.name] = Type('typedef', node.name, node.line, field=field, min_wire=field.min_wire)
        self.types.append(self.known[node.name])

    def add_enum(self, node):
        self.new_name(node)
        seen = {}
        for name, number, _, line in node.values:
            if number in seen:
                self.error(line, f"'{name}' has number {number} of '{seen[number]}'")
            if name in self.consts:
                self.error(line, f"'{name}' is defined twice")
            seen[number] = name
            self.consts[name] = number
        type_ = Type('enum', node.name, node.line, values=node.values)
        if node.name == self.short + '_procedure':
            self.procedures = node
            return
        self.known[node.name] = type_
        self.types.append(type_)

    def begin(self, node):
        forward = self.known.get(node.name)
        if not (forward and forward.what == 'forward'):
            self.new_name(node)
            forward = self.known[node.name] = Type('pending', node.name, node.line)
        forward.what, forward.line = 'pending', node.line
        return forward

    def add_struct(self, node):
        type_ = self.begin(node)
        if not node.fields:
            self.error(node.line, f"struct '{node.name}' is empty")
        type_.fields = []
        for decl in node.fields:
            if any(f.name == decl.name for f in type_.fields):
                self.error(decl.line, f"'{node.name}' has two fields '{decl.name}'")
            type_.fields.append(self.field(decl))
        type_.min_wire = sum(f.min_wire for f in type_.fields)
        type_.what = 'struct'
        self.types.append(type_)

    def add_union(self, node):
        type_ = self.begin(node)
        type_.tag = self.field(node.tag)
        if type_.tag.kind != 'plain' or type_.tag.type.name != 'int':
            self.error(node.line, f"union '{node.name}' must switch on an int")
        if not node.arms:
            self.error(node.line, f"union '{node.name}' is empty")
        type_.arms, seen = [], set()
        for case, decl in node.arms:
            number = self.value(decl.line, case)
            if number in seen:
                self.error(decl.line, f"case {case} of '{node.name}' is there twice")
            seen.add(number)
            type_.arms.append((case, number, self.field(decl)))
        type_.min_wire = 4 + min(f.min_wire for _, _, f in type_.arms)
        type_.what = 'union'
        self.types.append(type_)

    # procedures

    def finish(self):
        for type_ in self.known.values():
            if type_.what == 'forward':
                self.error(type_.line, f"'{type_.name}' is never defined")
        self.number = self.consts.get(self.upper + '_PROGRAM')
        self.version = self.consts.get(self.upper + '_PROTOCOL_VERSION')
        if not hasattr(self, 'procedures'):
            if self.number is not None:
                self.error(1, f"no enum '{self.short}_procedure'")
            return
        line = self.procedures.line
        if self.number is None or self.version is None:
            self.error(line, f"'{self.upper}_PROGRAM' or '{self.upper}_PROTOCOL_VERSION' is missing")
        prefix = self.upper + '_PROC_'
        for name, number, doc, item_line in self.procedures.values:
            if not name.startswith(prefix):
                self.error(item_line, f"'{name}' does not begin with '{prefix}'")
            if not 0 < number < 4096:
                self.error(item_line, f"'{name}' has number {number}, must be 1 to 4095")
            if doc is None:
                self.error(item_line, f"'{name}' has no annotations")
            proc = Proc(name[len(prefix):].lower(), number, item_line, doc)
            self.annotate(proc)
            self.procs.append(proc)
        self.procs.sort(key=lambda p: p.number)
        used = {t.name for p in self.procs for t in (p.args, p.ret, p.msg) if t}
        used |= {f.type.name for t in self.types if t.what == 'struct' for f in t.fields}
        for type_ in self.types:
            if re.search(r'_(args|ret|msg)$', type_.name) and type_.name not in used:
                self.error(type_.line, f"'{type_.name}' belongs to no procedure")

    def struct_of(self, proc, suffix):
        type_ = self.known.get(f'{self.short}_{proc.name}_{suffix}')
        return type_ if type_ and type_.what == 'struct' else None

    def annotate(self, proc):
        seen = -1
        for line, key, value in proc.doc.notes:
            if key not in NOTES:
                self.error(line, f"unknown annotation '@{key.lstrip('@')}'")
            rank = NOTES.index(key)
            if rank < seen:
                self.error(line, f"'@{key}' must stand before '@{NOTES[seen]}'")
            if rank == seen and key not in REPEATABLE:
                self.error(line, f"'@{key}' is there twice")
            seen = rank
            if key in EMPTY and value:
                self.error(line, f"'@{key}' takes no value")
            if key not in EMPTY and not value:
                self.error(line, f"'@{key}' needs a value")
            if key in CHOICES and key != 'job' and value not in CHOICES[key]:
                self.error(line, f"'@{key}: {value}' is none of {', '.join(CHOICES[key])}")
        keys = {key for _, key, _ in proc.doc.notes}
        if 'event' in keys:
            self.message(proc, keys)
        else:
            proc.args, proc.ret = self.struct_of(proc, 'args'), self.struct_of(proc, 'ret')
        for line, key, value in proc.doc.notes:
            reader = getattr(self, 'note_' + key, None)
            if reader:
                reader(proc, line, value)
            elif key in EMPTY:
                setattr(proc, key, True)
            elif key == 'fds':
                proc.fds.append(value)
            else:
                setattr(proc, key, value)
        if proc.event is None:
            self.check_call(proc, keys)

    def message(self, proc, keys):
        for key in sorted(keys - OF_EVENT):
            self.error(proc.line, f"'@{key}' is not for event messages")
        proc.msg = self.struct_of(proc, 'msg')
        if not proc.msg:
            self.error(proc.line, f"event '{proc.name}' has no struct '{self.short}_{proc.name}_msg'")

    def check_call(self, proc, keys):
        if 'acl' not in keys:
            self.error(proc.line, f"'{proc.name}' has no '@acl'")
        if proc.lane == 'inline' and proc.job != 'none':
            self.error(proc.line, f"'{proc.name}' waits for a turn ('@job: {proc.job}'), so it cannot be inline")
        if proc.job != 'none' and not proc.object:
            self.error(proc.line, f"'{proc.name}' has a job but no object")
        if proc.active and not proc.object:
            self.error(proc.line, f"'{proc.name}' cannot be active without an object")
        if proc.readonly and (proc.readonly == 'yes') == proc.readonly_by_rule():
            self.error(proc.line, f"'@readonly: {proc.readonly}' of '{proc.name}' is what the rule says already")
        if proc.flags is None and proc.args and any(f.name == 'flags' for f in proc.args.fields):
            proc.flags = 'flags'
            self.check_flags(proc, proc.line)
        if any(a.all_flags or a.none_flags for a in proc.acl) and not proc.flags:
            self.error(proc.line, f"an '@acl' of '{proc.name}' depends on flags, but it has none")
        if proc.deadline is None:
            stream = proc.readstream or proc.writestream
            proc.deadline = 'none' if stream else DEADLINE_OF_JOB[proc.job]

    def arg(self, proc, line, name, note):
        fields = proc.args.fields if proc.args else []
        for field in fields:
            if field.name == name:
                return field
        return self.error(line, f"'@{note}: {name}', but the arguments of '{proc.name}' have no '{name}'")

    def note_acl(self, proc, line, value):
        if value == 'none':
            return
        parts = value.split(':')
        if len(parts) not in (2, 3):
            self.error(line, f"'@acl: {value}' is not OBJECT:PERMISSION[:CONDITION]")
        object_, perm = parts[:2]
        self.permission(line, object_, perm)
        rule = Acl(value, object_, perm)
        if len(parts) == 3:
            condition = parts[2]
            if '=' in condition:
                rule.param, rule.value = condition.split('=')
                field = self.arg(proc, line, rule.param, 'acl')
                if field.kind != 'plain' or field.type.what != 'scalar' or field.type.min_wire != 4:
                    self.error(line, f"'{rule.param}' of '{proc.name}' is not an int, so no '@acl' can depend on it")
                self.value(line, rule.value)
            else:
                names = condition.lstrip('!').split('|')
                for name in names:
                    self.value(line, name)
                if condition.startswith('!'):
                    rule.none_flags = names
                else:
                    rule.all_flags = names
        proc.acl.append(rule)

    def permission(self, line, object_, perm):
        if object_ not in PERMISSIONS:
            self.error(line, f"unknown object '{object_}' in '@acl'")
        if perm not in PERMISSIONS[object_].split():
            self.error(line, f"object '{object_}' has no permission '{perm}'")

    def note_aclfilter(self, proc, line, value):
        object_, _, perm = value.partition(':')
        self.permission(line, object_, perm)
        proc.acl_filter.append(Acl(value, object_, perm))

    def note_object(self, proc, line, value):
        words = value.split()
        if words == ['none']:
            return
        if words[0] not in KINDS:
            self.error(line, f"unknown object kind '{words[0]}'")
        if len(words) < 2 or words[2:] not in ([], ['from-xml'], ['from-xml', 'creates']):
            self.error(line, f"'@object: {value}' is not KIND FIELD [from-xml [creates]]")
        proc.object, proc.object_path = words[:2]
        proc.from_xml, proc.creates = 'from-xml' in words, 'creates' in words
        first, *rest = proc.object_path.split('.')
        field = self.arg(proc, line, first, 'object')
        for name in rest:
            inner = field.type.fields if field.kind == 'plain' and field.type.what == 'struct' else []
            field = next((f for f in inner if f.name == name), None)
            if not field:
                self.error(line, f"'@object: {value}', but '{first}' has no '{name}'")
        if proc.from_xml:
            good = field.is_string()
        elif field.is_string():
            # a plain name lies in memory as the struct that holds nothing but the name
            alone = self.known.get(f'{self.short}_nonnull_{proc.object}')
            good = alone and alone.what == 'struct' and len(alone.fields) == 1
        else:
            good = field.kind == 'plain' and field.type.name.endswith('_nonnull_' + proc.object)
        if not good:
            self.error(line, f"'{proc.object_path}' of '{proc.name}' does not name a {proc.object}")

    def note_job(self, proc, line, value):
        words = value.split()
        if words[0] not in CHOICES['job'] or words[1:] not in ([], ['active']):
            self.error(line, f"'@job: {value}' is none of {', '.join(CHOICES['job'])} with an optional 'active'")
        proc.job, proc.active = words[0], len(words) == 2

    def check_flags(self, proc, line):
        field = self.arg(proc, line, proc.flags, 'flags')
        if field.kind != 'plain' or field.type.name not in ('unsigned int', 'unsigned hyper'):
            self.error(line, f"flags field '{proc.flags}' of '{proc.name}' is not an unsigned int or hyper")

    def note_flags(self, proc, line, value):
        proc.flags = value
        self.check_flags(proc, line)

    def reply_array(self, proc, line, name, note):
        for field in proc.ret.fields if proc.ret else []:
            if field.name == name and field.kind == 'array_var':
                return field
        return self.error(line, f"'@{note}: {name}', but the reply of '{proc.name}' has no array '{name}'")

    def note_list(self, proc, line, value):
        self.reply_array(proc, line, value, 'list')
        names = [f.name for f in proc.args.fields] if proc.args else []
        maxima = [n for n in names if n in MAX_FIELDS]
        if ('need_results' in names) == bool(maxima):
            self.error(line, f"'@list' of '{proc.name}' needs either 'need_results' or one of {', '.join(MAX_FIELDS)}")
        if not maxima and not any(f.name == 'ret' for f in proc.ret.fields):
            self.error(line, f"'@list' of '{proc.name}' needs the count 'ret' in the reply")
        proc.list, proc.list_max = value, maxima[0] if maxima else None

    def note_params(self, proc, line, value):
        self.reply_array(proc, line, value, 'params')
        self.arg(proc, line, 'nparams', 'params')
        proc.params = value

    def note_since(self, proc, line, value):
        if not re.match(r'\d+\.\d+\.\d+$', value):
            self.error(line, f"'@since: {value}' is not x.y.z")
        proc.since = value

    def note_event(self, proc, line, value):
        if value != 'none':
            self.event_kind(line, value)
            self.value(line, value)
        proc.event = value

    def event_kind(self, line, name):
        for kind in sorted(KINDS, key=len, reverse=True):
            if name.startswith(f'VIR_{kind.upper()}_EVENT_ID_'):
                return kind, name[len(f'VIR_{kind.upper()}_EVENT_ID_'):].lower()
        return self.error(line, f"'@event: {name}' is not VIR_KIND_EVENT_ID_NAME")

    def events(self):
        """Rows of the event table: (kind, number, identifier, name, legacy proc, callback proc)."""
        rows = {}
        for proc in self.procs:
            if not proc.event or proc.event == 'none':
                continue
            kind, name = self.event_kind(proc.line, proc.event)
            key = list(KINDS).index(kind), self.value(proc.line, proc.event)
            row = rows.setdefault(key, [kind, key[1], proc.event, name, None, None])
            place = 5 if proc.msg.fields[0].name == 'callbackID' else 4
            if row[place]:
                self.error(proc.line, f"'{proc.name}' and '{row[place].name}' are the same event")
            row[place] = proc
        return [rows[k] for k in sorted(rows)]


class Loader:
    """Finds and keeps the files that descriptions name. root: where "util/api.h" is looked up."""

    ENUMERATOR = re.compile(r'^\s*(?:#define\s+)?([A-Z][A-Za-z0-9_]*)\s*(?:=|\s)\s*(-?\d+)u?(?:\s*<<\s*(\d+))?\s*,?\s*$',
                            re.M)

    def __init__(self, root):
        self.root = root
        self.programs, self.headers = {}, {}
        self.scalars = {name: Type('scalar', name, ctype=c, codec=codec, min_wire=size)
                        for name, (c, codec, size) in SCALARS.items()}
        self.bytes = Type('bytes', 'opaque')

    def find(self, program, node):
        for folder in (os.path.dirname(program.path), self.root):
            path = os.path.join(folder, node.name)
            if os.path.exists(path):
                return path
        return program.error(node.line, f"cannot find '{node.name}'")

    def load(self, path):
        path = os.path.abspath(path)
        if path not in self.programs:
            self.programs[path] = Program(path, self)
        return self.programs[path]

    def header(self, path):
        if path not in self.headers:
            with open(path, encoding='utf-8') as f:
                self.headers[path] = {name: int(value) << int(shift or 0)
                                      for name, value, shift in self.ENUMERATOR.findall(f.read())}
        return self.headers[path]
