# SPDX-License-Identifier: LGPL-2.1-or-later
"""Text of a .x file to plain declarations.

The language is the part of XDR (RFC 4506) that the protocols need: const, typedef, enum, struct
and a union over int. Two additions: a doc comment (/** ... */) belongs to the declaration or
enumerator behind it and may hold '@key: value' lines, and '#include "file"' names another .x file
(types) or a C header (constants). What the declarations mean is model.py's business.
"""
import re


class XError(Exception):
    """A mistake in a description; shown as file:line: text."""

    def __init__(self, file, line, text):
        super().__init__(f'{file}:{line}: {text}')


class Doc:
    """A doc comment: free text, and annotations as (line, key, value)."""

    def __init__(self, text, line):
        self.line = line
        self.text = []
        self.notes = []
        for i, raw in enumerate(text.split('\n')):
            row = raw.strip().lstrip('*').strip()
            match = re.match(r'@([a-z_]+)\s*(?::\s*(.*))?$', row)
            if match:
                self.notes.append((line + i, match.group(1), (match.group(2) or '').strip()))
            elif row.startswith('@'):
                self.notes.append((line + i, row, ''))
            elif row:
                self.text.append(row)


class Decl:
    """One 'type name' with its shape. kind: plain, optional, string, opaque_fixed, opaque_var,
    array_fixed, array_var; bound: the number or constant name in the brackets."""

    def __init__(self, line, type_, name, kind, bound=None):
        self.line, self.type, self.name, self.kind, self.bound = line, type_, name, kind, bound


class Node:
    """A top-level declaration; the attributes depend on what: include, const, typedef, enum,
    struct, union."""

    def __init__(self, what, line, name, **attributes):
        self.what, self.line, self.name = what, line, name
        self.__dict__.update(attributes)


TOKEN = re.compile(r'''
    (?P<doc>/\*\*(?!/).*?\*/) | (?P<comment>/\*.*?\*/) | (?P<include>\#include\s+"[^"\n]*") |
    (?P<word>[A-Za-z_][A-Za-z0-9_]*) | (?P<number>-?(?:0x[0-9A-Fa-f]+|[0-9]+)\b) |
    (?P<punct>[{}()<>\[\];:,=*]) | (?P<space>\s+)''', re.X | re.S)

RESERVED = {'const', 'typedef', 'enum', 'struct', 'union', 'switch', 'case', 'default', 'void'}


class Parser:
    def __init__(self, file, text):
        self.file = file
        self.tokens = []
        self.pos = 0
        self.line = 1
        at, line = 0, 1
        while at < len(text):
            match = TOKEN.match(text, at)
            if not match:
                raise XError(file, line, f"unexpected character '{text[at]}'")
            kind, value = match.lastgroup, match.group()
            if kind not in ('space', 'comment'):
                self.tokens.append((kind, value, line))
            line += value.count('\n')
            at = match.end()
        self.tokens.append(('end', 'end of file', line))

    def error(self, text, line=None):
        raise XError(self.file, line or self.line, text)

    def peek(self):
        return self.tokens[self.pos][1]

    def next(self):
        kind, value, self.line = self.tokens[self.pos]
        if kind != 'end':
            self.pos += 1
        return kind, value

    def accept(self, value):
        if self.peek() != value:
            return False
        self.next()
        return True

    def expect(self, value):
        _, found = self.next()
        if found != value:
            self.error(f"expected '{value}', found '{found}'")

    def doc(self):
        found = None
        while self.tokens[self.pos][0] == 'doc':
            _, value = self.next()
            found = Doc(value[3:-2], self.line)
        return found

    def word(self, what):
        kind, value = self.next()
        if kind != 'word' or value in RESERVED:
            self.error(f"expected {what}, found '{value}'")
        return value

    def value(self):
        kind, value = self.next()
        if kind == 'number':
            return int(value, 0)
        if kind != 'word' or value in RESERVED:
            self.error(f"expected a number or constant, found '{value}'")
        return value

    def declaration(self):
        type_ = self.word('a type')
        line = self.line
        if type_ == 'unsigned':
            type_ += ' ' + (self.word('a type') if self.peek() in ('int', 'hyper', 'char', 'short') else 'int')
        pointer = self.accept('*')
        name = self.word('a name')
        if self.accept('['):
            bound, close, shape = self.value(), ']', 'fixed'
        elif self.accept('<'):
            if self.peek() == '>':
                self.error(f"'{name}' has no bound")
            bound, close, shape = self.value(), '>', 'var'
        else:
            bound = close = shape = None
        if close:
            self.expect(close)
        if pointer and shape:
            self.error(f"'{name}' cannot be both optional and an array")
        if pointer:
            return Decl(line, type_, name, 'optional')
        if type_ == 'string':
            if shape != 'var':
                self.error(f"string '{name}' needs a bound in <>")
            return Decl(line, type_, name, 'string', bound)
        if type_ == 'opaque':
            if not shape:
                self.error(f"opaque '{name}' needs a length")
            return Decl(line, type_, name, 'opaque_' + shape, bound)
        return Decl(line, type_, name, 'array_' + shape if shape else 'plain', bound)

    def enum(self, line, doc):
        name = self.word('a name')
        self.expect('{')
        values = []
        while True:
            note = self.doc()
            if self.accept('}'):
                break
            item = self.word('an enumerator')
            item_line = self.line
            self.expect('=')
            kind, number = self.next()
            if kind != 'number':
                self.error(f"expected a number, found '{number}'")
            values.append((item, int(number, 0), note, item_line))
            if not self.accept(','):
                self.doc()
                self.expect('}')
                break
        self.expect(';')
        return Node('enum', line, name, values=values, doc=doc)

    def struct(self, line, doc):
        name = self.word('a name')
        self.expect('{')
        fields = []
        while not self.accept('}'):
            self.doc()
            fields.append(self.declaration())
            self.expect(';')
        self.expect(';')
        return Node('struct', line, name, fields=fields, doc=doc)

    def union(self, line, doc):
        name = self.word('a name')
        self.expect('switch')
        self.expect('(')
        tag = self.declaration()
        self.expect(')')
        self.expect('{')
        arms = []
        while not self.accept('}'):
            self.expect('case')
            case = self.value()
            self.expect(':')
            arms.append((case, self.declaration()))
            self.expect(';')
        self.expect(';')
        return Node('union', line, name, tag=tag, arms=arms, doc=doc)

    def nodes(self):
        found = []
        while True:
            doc = self.doc()
            kind, value = self.next()
            line = self.line
            if kind == 'end':
                return found
            if kind == 'include':
                found.append(Node('include', line, value.split('"')[1]))
            elif value == 'const':
                name = self.word('a name')
                self.expect('=')
                kind, number = self.next()
                if kind != 'number':
                    self.error(f"expected a number, found '{number}'")
                self.expect(';')
                found.append(Node('const', line, name, value=int(number, 0), hex=number.startswith('0x')))
            elif value == 'typedef':
                found.append(Node('typedef', line, None, decl=self.declaration(), doc=doc))
                found[-1].name = found[-1].decl.name
                self.expect(';')
            elif value == 'enum':
                found.append(self.enum(line, doc))
            elif value == 'struct':
                found.append(self.struct(line, doc))
            elif value == 'union':
                found.append(self.union(line, doc))
            else:
                self.error(f"expected a declaration, found '{value}'")


def parse(file, text):
    return Parser(file, text).nodes()
