#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""walk.py for libvirt-dbus: it serves on a bus of its own, and speaks to the daemons in /run/libvirt (those of
$MODVIRT_RUN_DIR are put there in a mount namespace).

usage: walk_dbus.py DIR FILE...

In a .walk file, conn is the object of the connection, at(PATH) another; their methods, and properties, are attributes.
heard() gives the signals since it was called last. At the end stand the methods, properties and signals of pools,
volumes and secrets that no question used.
"""
import os
import re
import subprocess
import sys
import time

from gi.repository import Gio, GLib

import walk

PATIENCE = 60
MARK = '77777777-0000-4000-8000-0000000000ff'
never_used = set()


class Object:
    """One that libvirt-dbus shows; what it has is learnt from itself."""
    def __init__(self, bus, path):
        self.bus, self.path = bus, path
        text, = bus.call_sync('org.libvirt', path, 'org.freedesktop.DBus.Introspectable', 'Introspect', None, None, 0, -1, None).unpack()
        self.interface, = [i for i in Gio.DBusNodeInfo.new_for_xml(text).interfaces if i.name.startswith('org.libvirt.')]
        self.short = self.interface.name.rpartition('.')[2]
        if self.short not in Object.known:
            Object.known.add(self.short)
            never_used.update(f'{self.short}.{x.name}' for x in
                              self.interface.methods + self.interface.properties + self.interface.signals
                              if self.short != 'Connect' or re.search('Storage|Secret', x.name))

    known = set()

    def __repr__(self):
        return f'<{self.short} {self.path}>'

    def call(self, interface, method, arguments):
        answer = self.bus.call_sync('org.libvirt', self.path, interface, method, arguments, None, 0, PATIENCE * 1000, None).unpack()
        return answer[0] if len(answer) == 1 else answer

    def set(self, name, value):
        return self.call('org.freedesktop.DBus.Properties', 'Set', GLib.Variant('(ssv)', (self.interface.name, name, value)))

    def __getattr__(self, name):
        never_used.discard(f'{self.short}.{name}')
        if self.interface.lookup_property(name):
            return self.call('org.freedesktop.DBus.Properties', 'Get', GLib.Variant('(ss)', (self.interface.name, name)))
        method = self.interface.lookup_method(name)
        kinds = '(' + ''.join(a.signature for a in method.in_args) + ')'
        return lambda *args: self.call(self.interface.name, name, GLib.Variant(kinds, args))


def failed(error):
    return Gio.DBusError.get_remote_error(error) if isinstance(error, GLib.Error) else type(error).__name__


def main(directory, *paths):
    address = f'unix:path={directory}/bus'
    config = f'{directory}/bus.conf'
    with open(config, 'w', encoding='ascii') as f:
        f.write(f'<busconfig><type>session</type><listen>{address}</listen><policy context="default"><allow send_destination="*"/>'
                '<allow own="*"/><allow receive_sender="*"/></policy></busconfig>')
    children = [subprocess.Popen(['dbus-daemon', '--nofork', '--config-file', config])]
    ends = time.monotonic() + PATIENCE
    while not os.path.exists(f'{directory}/bus') and time.monotonic() < ends:
        time.sleep(0.05)
    children.append(subprocess.Popen(['libvirt-dbus', '--system'], env={**os.environ, 'DBUS_SYSTEM_BUS_ADDRESS': address}))
    bus = Gio.DBusConnection.new_for_address_sync(address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT |
                                                  Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
    while not bus.call_sync('org.freedesktop.DBus', '/', 'org.freedesktop.DBus', 'NameHasOwner',
                            GLib.Variant('(s)', ('org.libvirt',)), None, 0, -1, None).unpack()[0] and time.monotonic() < ends:
        time.sleep(0.05)
    seen = []
    bus.signal_subscribe('org.libvirt', None, None, None, None, 0,
                         lambda c, sender, path, interface, signal, args, *_: seen.append((path, interface, signal, args.unpack())))
    conn = Object(bus, '/org/libvirt/QEMU')

    def heard():
        pool = conn.StoragePoolDefineXML(f"<pool type='dir'><name>mark</name><uuid>{MARK}</uuid><target><path>/mark</path></target></pool>", 0)
        secret = conn.SecretDefineXML(f'<secret><uuid>{MARK}</uuid></secret>', 0)
        marks = {(pool, 1), (secret, 1)}       # each kind comes from a daemon of its own
        for mark in pool, secret:
            Object(bus, mark).Undefine()
        ends = time.monotonic() + PATIENCE
        while not marks <= {x[3][:2] for x in seen} and time.monotonic() < ends:
            GLib.MainContext.default().iteration(False)
            time.sleep(0.01)
        told = [(path, signal, *args) for path, interface, signal, args in seen
                if interface.startswith('org.libvirt.') and args[:1] not in ((pool,), (secret,))]
        for _, interface, signal, _ in seen:
            never_used.discard(f"{interface.rpartition('.')[2]}.{signal}")
        seen.clear()
        return told

    walk.failed = failed
    names = {'D': directory, 'conn': conn, 'at': lambda path: Object(bus, path), 'heard': heard, 'GLib': GLib, 'os': os}

    def each(name, thing, calls):
        for call in calls:
            walk.question('dbus', f'{name}.{call}', lambda call=call: eval(f'thing.{call}', names, {'thing': thing}))

    names['each'] = each
    for path in paths:
        walk.run(path, 'dbus', names)
    walk.tell_rest('never called', never_used)
    for child in reversed(children):
        child.terminate()
        child.wait()


if __name__ == '__main__':
    ours = os.environ['MODVIRT_RUN_DIR']
    if ours != '/run/libvirt':
        os.environ['MODVIRT_RUN_DIR'] = '/run/libvirt'
        os.execvp('unshare', ['unshare', '-m', '--propagation', 'private', 'sh', '-c',
                              'mount -t tmpfs tmpfs /run && mkdir /run/libvirt && mount --bind "$0" /run/libvirt && exec "$@"',
                              ours, sys.executable, *sys.argv])
    main(*sys.argv[1:])
