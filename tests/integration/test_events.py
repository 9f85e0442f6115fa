# SPDX-License-Identifier: LGPL-2.1-or-later
"""What happens in a guest reaches those who watch, and its state says why.

No guest system is needed: the monitor writes to the ports that one would write to."""
import json
import os
import signal
import subprocess
import time
import unittest

import libvirt

from harness import EMULATOR, OwnSandbox, domain_xml, emulators, scratch, start_event_loop, unique, virsh, wait_for

KINDS = {name[len('VIR_DOMAIN_EVENT_ID_'):]: value for name, value in vars(libvirt).items()
         if name.startswith('VIR_DOMAIN_EVENT_ID_')}
# Clients of this age know these.
WATCHED = ['LIFECYCLE', 'REBOOT', 'RTC_CHANGE', 'WATCHDOG', 'IO_ERROR', 'GRAPHICS', 'IO_ERROR_REASON', 'CONTROL_ERROR',
           'DISK_CHANGE', 'TRAY_CHANGE', 'PMWAKEUP', 'PMSUSPEND', 'PMSUSPEND_DISK', 'BALLOON_CHANGE',
           'DEVICE_REMOVED', 'BLOCK_THRESHOLD', 'MEMORY_FAILURE', 'METADATA_CHANGE']


def setUpModule():
    start_event_loop()


class Events(OwnSandbox):
    def setUp(self):
        super().setUp()
        self.sandbox.start()
        self.use(self.sandbox)
        self.c = self.connect()
        self.seen = []
        for name in WATCHED:
            self.c.domainEventRegisterAny(None, KINDS[name], self.note, name)

    def note(self, conn, dom, *rest):
        *details, kind = rest
        self.seen.append((dom.name(), kind, *details))

    def start(self, stem, paused=False, **how):
        name = unique(stem)
        d = self.c.defineXML(domain_xml(name, **how))
        d.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED if paused else 0)
        if not paused:
            # The firmware places the ports of power management.
            wait_for('firmware', lambda: self.pm_base(name))
        return d

    def pm_base(self, name):
        out = virsh('qemu-monitor-command', name, '--hmp', 'info mtree')
        return '0000000000000604-0000000000000605' in out or 'acpi-cnt' in out and '0000000000000600' in out

    def port(self, d, port, value, size='b'):
        virsh('qemu-monitor-command', d.name(), '--hmp', f'o /{size} {port:#x} {value:#x}')

    def expect(self, d, *event):
        def found():
            return any(e[0] == d.name() and e[1:1 + len(event)] == event for e in self.seen)
        wait_for(f'{event} among {[e[1:] for e in self.seen if e[0] == d.name()]}', found)

    def reason(self, d, text):
        wait_for(f'state "{text}"', lambda: virsh('domstate', '--reason', d.name()).strip() == text)

    def test_all(self):
        for part in (self.guest_powers_off, self.guest_sleeps, self.clock, self.panic, self.watchdog, self.tray,
                     self.threshold, self.killed, self.destroyed, self.failed, self.restarted):
            with self.subTest(part.__name__):
                part()
            if part != self.restarted:
                for d in self.c.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
                    d.destroy()

    def guest_powers_off(self):
        d = self.start('off')
        self.expect(d, 'LIFECYCLE', libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_STARTED_BOOTED)
        self.port(d, 0x604, 0x2000, 'h')
        self.reason(d, 'shut off (shutdown)')
        self.expect(d, 'LIFECYCLE', libvirt.VIR_DOMAIN_EVENT_SHUTDOWN, libvirt.VIR_DOMAIN_EVENT_SHUTDOWN_GUEST)
        self.expect(d, 'LIFECYCLE', libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN)

    def guest_sleeps(self):
        d = self.start('sleep')
        self.port(d, 0x604, 0x2400, 'h')
        self.expect(d, 'PMSUSPEND')
        self.expect(d, 'LIFECYCLE', libvirt.VIR_DOMAIN_EVENT_PMSUSPENDED, libvirt.VIR_DOMAIN_EVENT_PMSUSPENDED_MEMORY)
        self.reason(d, 'pmsuspended (unknown)')
        virsh('qemu-monitor-command', d.name(), '--hmp', 'system_wakeup')
        self.expect(d, 'PMWAKEUP')
        self.expect(d, 'LIFECYCLE', libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_STARTED_WAKEUP)
        self.reason(d, 'running (event wakeup)')

    def clock(self):
        d = self.start('clock', extra="<clock offset='variable' adjustment='3600'/>")
        # Into the hours of the clock's CMOS, minutes and seconds as they are.
        hour = (time.gmtime().tm_hour + 5) % 24
        d.suspend()                            # the firmware uses the same ports
        self.port(d, 0x70, 0x04)
        self.port(d, 0x71, (hour // 10) << 4 | hour % 10)
        self.expect(d, 'RTC_CHANGE')
        offset = [e[2] for e in self.seen if e[:2] == (d.name(), 'RTC_CHANGE')][-1]
        wait_for('the clock in the definition', lambda: f"adjustment='{offset}'" in d.XMLDesc(0))
        self.assertIn("adjustment='3600'", d.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        # The hour may be over by now.
        self.assertTrue(any(abs(offset - hours * 3600) < 120 for hours in (5, 4, -19, -20)), offset)

    def panic(self):
        for action, state in (('preserve', 'crashed (panicked)'), ('destroy', 'shut off (crashed)'),
                              ('restart', 'running (crashed)')):
            d = self.start('panic', lifecycle=f'<on_crash>{action}</on_crash>',
                           devices="<panic model='isa'><address type='isa' iobase='0x505'/></panic>")
            self.port(d, 0x505, 1)
            self.expect(d, 'LIFECYCLE', libvirt.VIR_DOMAIN_EVENT_CRASHED, libvirt.VIR_DOMAIN_EVENT_CRASHED_PANICKED)
            if action != 'restart':
                self.reason(d, state)
            else:
                wait_for('a new beginning', lambda: d.state()[0] == libvirt.VIR_DOMAIN_RUNNING)
                self.expect(d, 'REBOOT')

    def watchdog(self):
        d = self.start('dog', devices="<watchdog model='ib700' action='pause'/>")
        self.port(d, 0x443, 0x0f)              # two seconds
        self.expect(d, 'WATCHDOG', libvirt.VIR_DOMAIN_EVENT_WATCHDOG_PAUSE)
        self.expect(d, 'LIFECYCLE', libvirt.VIR_DOMAIN_EVENT_SUSPENDED, libvirt.VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG)
        self.reason(d, 'paused (watchdog)')

    def disk(self, name):
        path = os.path.join(scratch(), name)
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'raw', path, '1M'], check=True)
        return path

    def tray(self):
        # Paused: the firmware resets the drive, which closes its tray without a word.
        d = self.start('tray', paused=True,
                       devices=f"<disk type='file' device='cdrom'><source file='{self.disk('cd.iso')}'/>"
                       "<target dev='hdc' bus='ide'/><readonly/></disk>")
        alias = 'ide0-1-0'
        virsh('qemu-monitor-command', d.name(), f'{{"execute":"blockdev-open-tray","arguments":{{"id":"{alias}"}}}}')
        self.expect(d, 'TRAY_CHANGE', alias, libvirt.VIR_DOMAIN_EVENT_TRAY_CHANGE_OPEN)
        wait_for('an open tray', lambda: "tray='open'" in d.XMLDesc(0))
        virsh('qemu-monitor-command', d.name(), f'{{"execute":"blockdev-close-tray","arguments":{{"id":"{alias}"}}}}')
        self.expect(d, 'TRAY_CHANGE', alias, libvirt.VIR_DOMAIN_EVENT_TRAY_CHANGE_CLOSE)

    def threshold(self):
        path = self.disk('data.raw')
        d = self.start('full', devices=f"<disk type='file' device='disk'><source file='{path}'/><target dev='vda'/></disk>")
        index = virsh('domstats', d.name(), '--block').split('block.0.backingIndex=')[1].split()[0]
        for dev, at in (('vda', 65536), (f'vda[{index}]', 131072)):
            virsh('domblkthreshold', d.name(), dev, str(at))
            self.assertIn(f'block.0.threshold={at}', virsh('domstats', d.name(), '--block'))
            virsh('qemu-monitor-command', d.name(), '--hmp', f'qemu-io -d virtio-disk0/virtio-backend "write {at} 4k"')
            self.expect(d, 'BLOCK_THRESHOLD', dev, path, at, 4096)
        status, _, err = virsh('domblkthreshold', d.name(), 'vdz', '1', check=False)
        self.assertEqual(status, 1)
        self.assertIn("failed to find disk 'vdz'", err)

    def killed(self):
        d = self.start('killed')
        os.kill(emulators(d.name())[0], signal.SIGKILL)
        self.reason(d, 'shut off (crashed)')
        self.expect(d, 'LIFECYCLE', libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_FAILED)
        # Asked to end by somebody else: that is no crash.
        d = self.start('asked')
        os.kill(emulators(d.name())[0], signal.SIGTERM)
        self.reason(d, 'shut off (shutdown)')
        self.expect(d, 'LIFECYCLE', libvirt.VIR_DOMAIN_EVENT_SHUTDOWN, libvirt.VIR_DOMAIN_EVENT_SHUTDOWN_HOST)

    def destroyed(self):
        d = self.start('gone', paused=True)
        self.expect(d, 'LIFECYCLE', libvirt.VIR_DOMAIN_EVENT_SUSPENDED, libvirt.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED)
        self.reason(d, 'paused (user)')
        d.resume()
        self.reason(d, 'running (unpaused)')
        d.suspend()
        self.reason(d, 'paused (user)')
        d.destroy()
        self.reason(d, 'shut off (destroyed)')
        self.expect(d, 'LIFECYCLE', libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_DESTROYED)

    def failed(self):
        name = unique('fails')
        d = self.c.defineXML(domain_xml(name, devices="<disk type='file' device='disk'><source file='/nonexistent/x'/>"
                                        "<target dev='vda'/></disk>"))
        with self.assertRaises(libvirt.libvirtError):
            d.create()
        self.reason(d, 'shut off (failed)')

    def restarted(self):
        """After a restart of the daemon the reasons are those of before."""
        d = self.start('before')
        p = self.start('pauses')
        p.suspend()
        off = self.start('off')
        off.destroy()
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        self.sandbox.start_daemon('virtqemud')
        self.use(self.sandbox, 'virtqemud')
        self.reason(d, 'running (booted)')
        self.reason(p, 'paused (user)')
        self.assertEqual(virsh('domstate', off.name()).strip(), 'shut off')
        for name in (d.name(), p.name()):
            virsh('destroy', name)


class Journal(OwnSandbox):
    """What happened while nobody listened can be read afterwards."""

    def modvirt(self, *args, status=0):
        tool = os.path.join(self.sandbox.build, 'tools', 'modvirt', 'modvirt')
        done = subprocess.run([tool, *args], env={**os.environ, 'MODVIRT_ROOT': self.sandbox.dir}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def test_since(self):
        self.sandbox.start()
        self.use(self.sandbox)
        c = self.connect()
        name = unique('kept')
        d = c.defineXML(domain_xml(name))
        d.create()
        d.suspend()
        lines = self.modvirt('events').splitlines()
        self.assertIn('the daemon started', lines[0])
        told = [line.split(' ', 2)[2] for line in lines[1:]]
        self.assertEqual(told, [f'{name} lifecycle event=defined detail=added',
                                f'{name} lifecycle event=resumed detail=unpaused',
                                f'{name} lifecycle event=started detail=booted',
                                f'{name} lifecycle event=suspended detail=paused'])
        place = lines[-1].split()[0]
        self.assertEqual(self.modvirt('events', '--since', place), '')

        follower = subprocess.Popen([os.path.join(self.sandbox.build, 'tools', 'modvirt', 'modvirt'), 'events',
                                     '--json', '--follow', '--since', place],
                                    env={**os.environ, 'MODVIRT_ROOT': self.sandbox.dir}, stdout=subprocess.PIPE, text=True)
        self.addCleanup(follower.stdout.close)
        self.addCleanup(follower.wait)
        self.addCleanup(follower.kill)
        d.resume()
        seen = json.loads(follower.stdout.readline())
        self.assertEqual((seen['domain'], seen['uuid'], seen['detail']), (name, d.UUIDString(), 'unpaused'))

        # Killed, and back: said once, and what happened since is there.
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        self.sandbox.start_daemon('virtqemud')
        self.use(self.sandbox, 'virtqemud')
        virsh('destroy', name)
        text = self.modvirt('events', '--since', place)
        self.assertEqual(text.count('had been killed'), 1)
        while 'destroyed' not in (line := follower.stdout.readline()):
            self.assertNotEqual(line, '')
        self.assertRegex(text, f'(?s)event=resumed.*had been killed.*{name} lifecycle event=stopped detail=destroyed')

        # A place in a journal that is not there any more.
        other = place.rsplit(':', 2)
        self.assertIn('another one', self.modvirt('events', '--since', f'{other[0]}:0123456789abcdef:3'))
        self.assertIn('no place', self.modvirt('events', '--since', 'virtqemud:x', status=2))


if __name__ == '__main__':
    unittest.main()
