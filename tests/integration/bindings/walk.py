#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the statements of .walk files with the stock Python binding on whatever LIBVIRT_DEFAULT_URI names and
writes what each one gave, for test_walk_bindings.py to compare with what the distribution's libvirtd answers.

usage: walk.py DIR FILE...   (a scratch directory; secrets.walk speaks to $MODVIRT_SECRETS_URI when that is set)

A .walk file is Python: each statement is a question, its value (that of an assignment, too) or error the
answer; definitions of functions are none. All of the binding is there under its name, besides conn and ro
(connections, the second read-only), D (DIR), and what is in Words below. At the end stands what of the
binding's storage, secrets and streams was never called, and which of its constants no file names.
"""
import ast
import hashlib
import os
import re
import sys
import threading
import xml.etree.ElementTree

import libvirt

CLASSES = ('virStoragePool', 'virStorageVol', 'virSecret', 'virStream')
OF_CONNECTIONS = re.compile(r'(?!_).*(?:[sS]torage|[sS]ecret|Stream)')
CONSTANTS = re.compile(r'VIR_(?:STORAGE|SECRET|STREAM|CONNECT_LIST_STORAGE|CONNECT_LIST_SECRET)')
PATIENCE = 60
SILENT = object()

never_called = set()


def count_calls():
    """Wraps each public method, so that the last answer can name those that no question used."""
    def wrap(cls, name):
        method, full = getattr(cls, name), f'{cls.__name__}.{name}'
        never_called.add(full)

        def called(*args, **how):
            never_called.discard(full)
            return method(*args, **how)
        setattr(cls, name, called)

    for cls in [getattr(libvirt, name) for name in CLASSES] + [libvirt.virConnect]:
        for name, value in list(vars(cls).items()):
            if callable(value) and not name.startswith('_') and (cls is not libvirt.virConnect or OF_CONNECTIONS.match(name)):
                wrap(cls, name)


class Failure:
    """What ask() gives for a call that failed."""
    def __init__(self, error):
        self.text = failed(error)


def failed(error):
    if not isinstance(error, libvirt.libvirtError):
        return type(error).__name__
    return f'error {error.get_error_code()} domain {error.get_error_domain()} level {error.get_error_level()}'


def shown(value):
    """A value and its type in a way that does not depend on the order of hash tables."""
    if isinstance(value, Failure):
        return value.text
    for name, of in (('virStoragePool', 'name'), ('virStorageVol', 'path'), ('virSecret', 'UUIDString')):
        if isinstance(value, getattr(libvirt, name)):
            return f'<{name} {getattr(value, of)()}>'
    if isinstance(value, (libvirt.virStream, libvirt.virConnect)) or type(value).__name__ in ('PyCapsule', 'function'):
        return f'<{type(value).__name__}>'
    if isinstance(value, bytes) and len(value) > 64:
        return f'{len(value)} bytes, {hashlib.sha1(value).hexdigest()}'
    if isinstance(value, str) and value.startswith('<'):
        return document(value)
    if isinstance(value, (list, tuple)):
        items = [shown(v) for v in value]
        if items and not any(isinstance(v, (int, float, tuple)) for v in value):
            items.sort()
        many = any(isinstance(v, tuple) for v in value)
        return '[' + ('\n' if many else ', ').join(items) + ']' if isinstance(value, list) else '(' + ', '.join(items) + ')'
    return repr(value)


def document(text):
    """One element in a line; without what depends on the machine and the time."""
    text = re.sub(r"(<(?:allocation|available) unit='bytes'>)\d{9,}", r'\1N', text)
    text = re.sub(r'(?<=<[amcb]time>)[\d.]+', 'N', text)
    text = xml.etree.ElementTree.canonicalize(text, strip_text=True)
    return text.replace('><', '>\n<')


def question(label, command, function):
    print(f'### {label} {command}')
    try:
        value = function()
    except Exception as e:                     # an answer like any other
        text = e.get_error_message() if isinstance(e, libvirt.libvirtError) else str(e)
        print(f'text: {text}\n=> {failed(e)}', flush=True)
        return None
    print(f'{shown(value)}\n=> {type(value).__name__}', flush=True)
    return value


class Words:
    """What a file's statements can use; one for each file."""
    def __init__(self, label, directory):
        self.label, self.directory = label, directory
        self.names = {k: v for k, v in vars(libvirt).items() if k.startswith('vir') or k.startswith('VIR_')}
        address = os.environ['LIBVIRT_DEFAULT_URI']
        if label == 'secrets':
            address = os.environ.get('MODVIRT_SECRETS_URI', address)
        self.seen = []
        self.turn = threading.Condition()
        self.names.update(D=directory, conn=libvirt.open(address), ro=libvirt.openReadOnly(address + '-ro'), os=os,
                          **{name: getattr(self, name) for name in ('ask', 'each', 'flags', 'hear', 'heard', 'numbers')})

    @staticmethod
    def ask(function, *args):
        """The value of a call, or its failure as a value."""
        try:
            return function(*args)
        except Exception as e:
            return Failure(e)

    def each(self, name, thing, calls):
        """A question for each of several calls, written as the code of a method with its arguments."""
        for call in calls:
            question(self.label, f'{name}.{call}', lambda call=call: eval(f'thing.{call}', self.names, {'thing': thing}))
        return SILENT

    @staticmethod
    def flags(prefix):
        """The constants whose names begin so, by their values."""
        return sorted({v for k, v in vars(libvirt).items() if k.startswith(prefix)})

    @staticmethod
    def numbers(value):
        """Only where numbers are: for what depends on the machine."""
        return re.sub(r'\d+', 'N', shown(value))

    def hear(self, *what):
        """What callbacks call: remembers what was told."""
        with self.turn:
            self.seen.append(tuple(what))
            self.turn.notify_all()

    def heard(self):
        """All that was told until now. A pool, or secret, that comes and goes afterwards is heard after all before it."""
        conn, uuid = self.names['conn'], '77777777-0000-4000-8000-0000000000ff'
        ends = threading.Event()

        def told(c, thing, event, detail, opaque):
            if thing.UUIDString() == uuid and event == 1:
                ends.set()

        if self.label == 'secrets':
            i = conn.secretEventRegisterAny(None, libvirt.VIR_SECRET_EVENT_ID_LIFECYCLE, told, None)
            conn.secretDefineXML(f'<secret><uuid>{uuid}</uuid></secret>').undefine()
        else:
            i = conn.storagePoolEventRegisterAny(None, libvirt.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE, told, None)
            conn.storagePoolDefineXML(f"<pool type='dir'><name>mark</name><uuid>{uuid}</uuid>"
                                      f'<target><path>{self.directory}/mark</path></target></pool>').undefine()
        ended = ends.wait(PATIENCE)
        (conn.secretEventDeregisterAny if self.label == 'secrets' else conn.storagePoolEventDeregisterAny)(i)
        seen, self.seen = [x for x in self.seen if uuid not in x and 'mark' not in x], []
        return seen if ended else 'nothing is heard'


def run(path, label, names):
    """Asks what a file's statements are; returns their text."""
    with open(path, encoding='ascii') as f:
        source = f.read()
    for statement in ast.parse(source).body:
        command = ' '.join(ast.get_source_segment(source, statement).split())
        expression = statement.value if isinstance(statement, (ast.Assign, ast.Expr)) else None
        if not expression:
            exec(compile(ast.Module([statement], []), path, 'exec'), names)
            continue
        code = compile(ast.Expression(expression), path, 'eval')
        if isinstance(expression, ast.Call) and getattr(expression.func, 'id', '') == 'each':
            eval(code, names)
            continue
        value = question(label, command, lambda: eval(code, names))
        if isinstance(statement, ast.Assign):
            names[statement.targets[0].id] = value
    return source


def tell_rest(what, names):
    print(f'### end {what}\n' + '\n'.join(sorted(names)) + '\n=> ', flush=True)


def main(directory, *paths):
    libvirt.registerErrorHandler(lambda ctx, error: None, None)
    libvirt.virEventRegisterDefaultImpl()

    def loop():
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=loop, daemon=True).start()
    count_calls()
    text = ''
    for path in paths:
        label = os.path.basename(path)[:-len('.walk')]
        text += run(path, label, Words(label, directory).names)
    named = set(re.findall(r'\bVIR_\w+', text))
    prefixes = tuple(re.findall(r"flags\('(\w+)'\)", text))
    tell_rest('never called', never_called)
    tell_rest('never named', (k for k in vars(libvirt) if CONSTANTS.match(k) and k not in named and
                              not (prefixes and k.startswith(prefixes))))
    os._exit(0)                                # the thread of the events runs


if __name__ == '__main__':
    main(*sys.argv[1:])
