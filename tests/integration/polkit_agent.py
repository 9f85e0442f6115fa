#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A polkit agent that does what it is told instead of asking for a password. Needs root.

usage: polkit_agent.py PID yes|wrong|dismiss

Registers for the process PID on $DBUS_SYSTEM_BUS_ADDRESS, writes "ready", then a line for each question.
"""
import sys

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

AUTHORITY = ('org.freedesktop.PolicyKit1', '/org/freedesktop/PolicyKit1/Authority')
INTERFACE = 'org.freedesktop.PolicyKit1.Authority'
PATH = '/agent'


class Refused(dbus.DBusException):
    def __init__(self, kind):
        super().__init__('as told')
        self._dbus_error_name = 'org.freedesktop.PolicyKit1.Error.' + kind


def subject(pid):
    with open(f'/proc/{pid}/stat', encoding='ascii') as f:
        start = int(f.read().rpartition(') ')[2].split()[19])
    with open(f'/proc/{pid}/status', encoding='ascii') as f:
        uid = int(next(line for line in f if line.startswith('Uid:')).split()[1])
    return dbus.Struct(('unix-process', dbus.Dictionary(
        {'pid': dbus.UInt32(pid), 'start-time': dbus.UInt64(start), 'uid': dbus.Int32(uid)}, signature='sv')))


class Agent(dbus.service.Object):
    def __init__(self, bus, what):
        super().__init__(bus, PATH)
        self.authority = dbus.Interface(bus.get_object(*AUTHORITY), INTERFACE)
        self.what = what

    @dbus.service.method('org.freedesktop.PolicyKit1.AuthenticationAgent', in_signature='sssa{ss}sa(sa{sv})',
                         async_callbacks=('done', 'failed'))
    def BeginAuthentication(self, action, message, icon, details, cookie, identities, done, failed):
        print('asked', action, flush=True)
        if self.what == 'yes':
            self.authority.AuthenticationAgentResponse2(dbus.UInt32(0), cookie, identities[0],
                                                        reply_handler=done, error_handler=failed)
        else:
            failed(Refused('Cancelled' if self.what == 'dismiss' else 'Failed'))

    @dbus.service.method('org.freedesktop.PolicyKit1.AuthenticationAgent', in_signature='s')
    def CancelAuthentication(self, cookie):
        pass


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.SystemBus()
    agent = Agent(bus, sys.argv[2])
    agent.authority.RegisterAuthenticationAgent(subject(int(sys.argv[1])), 'C', PATH)
    print('ready', flush=True)
    GLib.MainLoop().run()


if __name__ == '__main__':
    main()
