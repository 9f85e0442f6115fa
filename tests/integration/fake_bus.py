# SPDX-License-Identifier: LGPL-2.1-or-later
"""A system bus of a test's own, with services of systemd that say what the test tells them to.

As a script (fake_bus.py SERVICE LOG [MODE]) it is one of these services and writes a line of JSON per call into LOG.

machine1: CreateMachineWithNetwork moves the leader into the group that systemd would make, as far as this host has its
tree; MODE 'refuses' answers with an error, 'silent' with nothing at all.
login1: Inhibit gives a pipe; a line on standard input is sent as PrepareForShutdown ("true", "false").
"""
import glob
import json
import os
import subprocess
import sys

CONF = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={0}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow eavesdrop="true"/></policy>
</busconfig>
"""


def trees():
    """Mounted trees of control groups in which the fake may make some."""
    found = [d for d in ['/sys/fs/cgroup', *glob.glob('/sys/fs/cgroup/*')] if os.path.exists(d + '/cgroup.procs')]
    return [d for d in found if os.access(d, os.W_OK)]


class Bus:
    def __init__(self, test, directory):
        self.test, self.directory = test, directory
        path = os.path.join(directory, 'test-bus')
        with open(path + '.conf', 'w', encoding='utf-8') as f:
            f.write(CONF.format(path))
        self.address = 'unix:path=' + path
        self.daemon = self._spawn(['dbus-daemon', '--nofork', f'--config-file={path}.conf'], stderr=subprocess.DEVNULL)
        self._wait(lambda: os.path.exists(path))

    def _spawn(self, argv, **more):
        child = subprocess.Popen(argv, env={**os.environ, 'DBUS_SYSTEM_BUS_ADDRESS': self.address}, **more)
        self.test.addCleanup(child.wait)
        self.test.addCleanup(child.kill)
        return child

    @staticmethod
    def _wait(condition):
        from harness import wait_for
        wait_for('the bus', condition)

    def service(self, name, mode=''):
        """Starts one; returns (its process, a function that gives its calls)."""
        log = os.path.join(self.directory, name + '.log')
        child = self._spawn(['/usr/bin/python3', os.path.abspath(__file__), name, log, mode], stdin=subprocess.PIPE, text=True)

        def calls():
            with open(log, encoding='utf-8') as f:
                return [json.loads(line) for line in f]

        self._wait(lambda: os.path.exists(log) and calls())     # it is ready then
        return child, calls


def serve(service, log_path, mode):
    import dbus
    import dbus.mainloop.glib
    import dbus.service
    from gi.repository import GLib

    log = open(log_path, 'a', encoding='utf-8', buffering=1)
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.SystemBus()

    def note(*words):
        log.write(json.dumps(words) + '\n')

    class Machines(dbus.service.Object):
        @dbus.service.method('org.freedesktop.machine1.Manager', in_signature='sayssusaia(sv)', out_signature='o',
                             async_callbacks=('ok', 'fail'))
        def CreateMachineWithNetwork(self, name, uuid, creator, kind, leader, root, indexes, properties, ok, fail):
            note('create', name, bytes(uuid).hex(), creator, kind, int(leader), root, [int(i) for i in indexes],
                 {str(k): v if isinstance(v, str) else [str(x) for x in v] for k, v in properties})
            if mode == 'silent':
                return
            if mode == 'refuses':
                fail(dbus.DBusException('not today', name='org.freedesktop.machine1.Refused'))
                return
            scope = 'machine-' + name.replace('-', '\\x2d') + '.scope'
            for tree in trees():
                path = os.path.join(tree, dict(properties)['Slice'], scope)
                if os.path.basename(tree) in ('systemd', 'cgroup'):
                    os.makedirs(path, exist_ok=True)
                    with open(path + '/cgroup.procs', 'w', encoding='ascii') as f:
                        f.write(str(int(leader)))
            ok('/org/freedesktop/machine1/machine/x')

        @dbus.service.method('org.freedesktop.machine1.Manager', in_signature='s', out_signature='')
        def TerminateMachine(self, name):
            note('terminate', name)

    class Logins(dbus.service.Object):
        @dbus.service.method('org.freedesktop.login1.Manager', in_signature='ssss', out_signature='h')
        def Inhibit(self, what, who, why, how):
            note('inhibit', what, who, why, how)
            reader, writer = os.pipe()
            GLib.io_add_watch(reader, GLib.PRIORITY_DEFAULT, GLib.IO_HUP, lambda *_: note('released') or os.close(reader))
            handle = dbus.types.UnixFd(writer)
            os.close(writer)
            return handle

        @dbus.service.signal('org.freedesktop.login1.Manager', signature='b')
        def PrepareForShutdown(self, start):
            pass

    kind = {'machine1': Machines, 'login1': Logins}[service]
    name = dbus.service.BusName('org.freedesktop.' + service, bus)
    server = kind(name, '/org/freedesktop/' + service)

    def on_line(source, condition):
        line = sys.stdin.readline()
        if line.strip():
            server.PrepareForShutdown(line.strip() == 'true')
        return bool(line)

    GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IO_IN | GLib.IO_HUP, on_line)
    note('ready')
    GLib.MainLoop().run()


if __name__ == '__main__':
    serve(*sys.argv[1:4])
