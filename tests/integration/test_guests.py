# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real guests from the outside and from the inside: how they boot, what they keep, how they end."""
import glob
import os
import shutil
import signal
import subprocess
import time
import unittest

import libvirt

from harness import domain_xml, emulators, guest_file, start_event_loop, unique, virsh, wait_for
from test_agent import CHANNEL, Guest

BOOT_SECONDS = 150
CODE, VARS = '/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'
ISOLINUX, LDLINUX = '/usr/lib/ISOLINUX/isolinux.bin', '/usr/lib/syslinux/modules/bios/ldlinux.c32'
COUNTER = '(n=0; while :; do n=$((n+1)); echo $n >/count.new; mv /count.new /count; sleep 0.1; done) </dev/null >/dev/null 2>&1 & echo $!'


def setUpModule():
    start_event_loop()


class Guests(Guest):
    def shell(self, d, command):
        status, out = self.run_inside(d, '/bin/sh', '-c', command)
        self.assertEqual(status, 0, f'{command}: {out}')
        return out.strip()

    def started(self, d):
        """Its agent talks."""
        wait_for('the agent', lambda: d.isActive() and self.channel_state(d) == 'connected', BOOT_SECONDS)
        return d

    def state(self, d):
        return virsh('domstate', '--reason', d.name()).strip()

    def again(self):
        """Another daemon, after one that was killed."""
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        self.sandbox.start_daemon('virtqemud')
        self.conn = self.connect()

    def raw(self, name, size):
        path = os.path.join(self.directory, name)
        with open(path, 'wb') as f:
            f.truncate(size)
        return path


class Boot(Guests):
    @unittest.skipUnless(shutil.which('genisoimage') and os.path.exists(ISOLINUX), 'needs genisoimage and isolinux')
    def test_from_a_disc(self):
        """As an installer does it: from a CD, with an empty disk and the user's network."""
        tree, iso, disk = os.path.join(self.directory, 'iso'), os.path.join(self.directory, 'boot.iso'), self.raw('disk', 8 << 20)
        os.mkdir(tree)
        for source, name in ((ISOLINUX, 'isolinux.bin'), (LDLINUX, 'ldlinux.c32'), (guest_file('vmlinuz'), 'linux'),
                             (guest_file('initrd-full'), 'initrd')):
            shutil.copy(source, os.path.join(tree, name))
        with open(os.path.join(tree, 'isolinux.cfg'), 'w') as f:
            f.write('default guest\nlabel guest\nkernel linux\nappend initrd=initrd quiet panic=-1\n')
        subprocess.run(['genisoimage', '-quiet', '-o', iso, '-b', 'isolinux.bin', '-c', 'boot.cat', '-no-emul-boot',
                        '-boot-load-size', '4', '-boot-info-table', tree], check=True)
        d = self.conn.createXML(domain_xml(unique('disc'), memory_mib=192, devices=CHANNEL + (
            f"<disk type='file' device='cdrom'><source file='{iso}'/><target dev='hdc' bus='ide'/><readonly/>"
            f"<boot order='1'/></disk><disk type='file' device='disk'><driver name='qemu' type='raw'/>"
            f"<source file='{disk}'/><target dev='vda' bus='virtio'/></disk>"
            "<interface type='user'><mac address='52:54:00:11:22:33'/><model type='virtio'/></interface>")))
        self.started(d)
        self.assertEqual(self.shell(d, 'cat /sys/block/vda/size'), str((8 << 20) // 512))
        self.shell(d, 'echo installed >/dev/vda; sync')
        with open(disk, 'rb') as f:
            self.assertEqual(f.read(10), b'installed\n')
        self.assertEqual(self.shell(d, 'cat /sys/class/net/eth0/address'), '52:54:00:11:22:33')
        self.shell(d, 'printf "#!/bin/sh\\n[ \\$1 = bound ] && ifconfig eth0 \\$ip" >/tmp/dhcp; chmod 755 /tmp/dhcp; '
                   'ifconfig eth0 up; udhcpc -i eth0 -n -q -f -t 60 -T 1 -s /tmp/dhcp')
        self.assertIn('10.0.2.15', virsh('domifaddr', d.name(), '--source', 'agent'))
        # It ends by itself, and says so.
        d.shutdown()
        wait_for('its end', lambda: not emulators(d.name()))

    @unittest.skipUnless(os.path.exists(CODE), 'needs ovmf')
    def test_firmware_keeps_its_variables(self):
        name = unique('uefi')
        xml = domain_xml(name, boots='full', memory_mib=256, devices=CHANNEL).replace(
            "machine='pc'", "machine='q35'").replace(
            '</type>', f"</type><loader readonly='yes' type='pflash'>{CODE}</loader><nvram template='{VARS}'/>")
        d = self.conn.defineXML(xml)
        d.create()
        self.started(d)
        nvram = os.path.join(self.directory, 'var/lib/libvirt/qemu/nvram', f'{name}_VARS.fd')
        self.assertTrue(os.path.exists(nvram))
        variable = '/efi/ModvirtTest-12345678-1234-1234-1234-123456789abc'
        mount = 'mkdir -p /efi; mount -t efivarfs efivarfs /efi; '
        self.shell(d, mount + f'printf "\\007\\000\\000\\000kept" >{variable}')
        d.destroy()
        self.again()                           # the file is the definition's, not the daemon's
        d = self.conn.lookupByName(name)
        d.create()
        self.started(d)
        self.assertTrue(self.shell(d, mount + f'cat {variable}').endswith('kept'))
        d.destroy()
        # Anew from the template.
        d.createWithFlags(libvirt.VIR_DOMAIN_START_RESET_NVRAM)
        self.started(d)
        self.shell(d, mount + f'! test -e {variable}')
        d.destroy()
        self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_INVALID, d.undefine)
        virsh('undefine', name, '--keep-nvram')
        self.assertTrue(os.path.exists(nvram))
        d = self.conn.defineXML(xml)
        virsh('undefine', name, '--nvram')
        self.assertFalse(os.path.exists(nvram))

    @unittest.skipUnless(glob.glob('/usr/share/qemu/firmware/*.json'), 'needs descriptors of firmware')
    def test_variables_of_chosen_firmware_go_with_the_guest(self):
        name = unique('uefi')
        xml = domain_xml(name, memory_mib=256).replace("machine='pc'", "machine='q35'").replace('<os>', "<os firmware='efi'>")
        nvram = os.path.join(self.directory, 'var/lib/libvirt/qemu/nvram', f'{name}_VARS.fd')
        for how in ('--keep-nvram', '--nvram'):
            d = self.conn.defineXML(xml)
            d.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
            d.destroy()
            self.assertTrue(os.path.exists(nvram))
            self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_INVALID, d.undefine)
            virsh('undefine', name, how)
            self.assertEqual(os.path.exists(nvram), how == '--keep-nvram')


class Life(Guests):
    def setUp(self):
        super().setUp()
        self.seen = []
        self.conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                         lambda c, d, event, detail, o: self.seen.append((event, detail)), None)

    def expect(self, event, detail):
        wait_for(f'event {event}, {detail}', lambda: (event, detail) in self.seen)

    def counting(self, d):
        return int(self.shell(d, 'cat /count'))

    def goes_on(self, d, pid, before):
        """The same processes with the same memory, further on."""
        self.started(d)
        self.shell(d, f'kill -0 {pid}')
        self.assertGreaterEqual(self.counting(d), before)
        now = self.counting(d)
        wait_for('the counter', lambda: self.counting(d) > now)

    def test_saved_guest_goes_on(self):
        name = unique('goes-on')
        d = self.conn.defineXML(domain_xml(name, boots='full', devices=CHANNEL).replace(
            '<vcpu>1</vcpu>', "<vcpu current='1'>3</vcpu>"))
        d.create()
        self.started(d)
        pid = self.shell(d, COUNTER)
        wait_for('the counter', lambda: self.shell(d, 'cat /count 2>/dev/null || echo 0') > '1')
        image = os.path.join(self.directory, 'image')
        before = self.counting(d)
        d.save(image)
        self.assertEqual(self.state(d), 'shut off (saved)')
        self.conn.restore(image)
        self.goes_on(d, pid, before)

        # More processors, which are there after what follows, too.
        d.setVcpusFlags(3, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        wait_for('processors in the guest', lambda: self.shell(d, 'ls -d /sys/devices/system/cpu/cpu[0-9]* | wc -l') == '3')
        self.shell(d, 'for n in 1 2; do echo 1 >/sys/devices/system/cpu/cpu$n/online; done 2>/dev/null; test $(nproc) = 3')

        before = self.counting(d)
        d.managedSave()
        self.again()
        d = self.conn.lookupByName(name)
        self.assertTrue(d.hasManagedSaveImage())
        d.create()
        self.assertEqual(self.state(d), 'running (restored)')
        self.goes_on(d, pid, before)
        self.assertEqual(self.shell(d, 'nproc'), '3')
        d.destroy()

    def dumps(self, directory):
        return [os.path.join(directory, x) for x in os.listdir(directory)] if os.path.exists(directory) else []

    def assertDumped(self, directory, name):
        def begins_as_a_dump(path):
            with open(path, 'rb') as f:
                return f.read(4) == b'\x7fELF'

        wait_for('a dump', lambda: self.dumps(directory) and begins_as_a_dump(self.dumps(directory)[0]))
        dump, = self.dumps(directory)
        self.assertRegex(os.path.basename(dump), rf'^\d+-{name}-\d{{4}}-\d\d-\d\d-\d\d:\d\d:\d\d$')

    def test_panic(self):
        """The kernel of the guest gives up."""
        name = unique('panics')
        d = self.conn.defineXML(domain_xml(name, boots='full', lifecycle='<on_crash>coredump-restart</on_crash>',
                                           devices=CHANNEL + "<panic model='isa'/>"))
        d.create()
        self.started(d)
        crash = ['guest-exec', {'path': '/bin/sh', 'arg': ['-c', 'sleep 1; echo c >/proc/sysrq-trigger']}]
        self.ask(d, crash[0], **crash[1])
        self.assertDumped(os.path.join(self.directory, 'var/lib/libvirt/qemu/dump'), name)
        self.expect(libvirt.VIR_DOMAIN_EVENT_CRASHED, libvirt.VIR_DOMAIN_EVENT_CRASHED_PANICKED)
        wait_for('another boot', lambda: self.channel_state(d) != 'connected')
        self.started(d)
        self.assertEqual(d.state()[0], libvirt.VIR_DOMAIN_RUNNING)

        # Where qemu.conf says; this time it ends.
        elsewhere = os.path.join(self.directory, 'crashes')
        os.mkdir(elsewhere)
        with open(os.path.join(self.directory, 'etc/libvirt/qemu.conf'), 'a') as f:
            f.write(f'\nauto_dump_path = "{elsewhere}"\n')
        self.again()
        d = self.conn.lookupByName(name)
        virsh('set-lifecycle-action', name, 'crash', 'coredump-destroy', '--live')
        self.ask(d, crash[0], **crash[1])
        wait_for('its end', lambda: not d.isActive())
        self.assertEqual(self.state(d), 'shut off (crashed)')
        self.assertDumped(elsewhere, name)

        # While nobody listened.
        d.create()
        self.started(d)
        virsh('set-lifecycle-action', name, 'crash', 'destroy', '--live')
        self.ask(d, crash[0], **crash[1])
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        time.sleep(4)
        self.sandbox.start_daemon('virtqemud')
        d = self.connect().lookupByName(name)
        wait_for('its end', lambda: not d.isActive())
        self.assertEqual(self.state(d), 'shut off (crashed)')

    def test_disk_without_room(self):
        """What the guest writes does not fit: it waits until it does."""
        small = os.path.join(self.directory, 'small')
        os.mkdir(small)
        if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small], check=False).returncode:
            self.skipTest('cannot mount here')
        self.addCleanup(subprocess.run, ['umount', '-l', small], check=False)
        disk = self.raw('small/disk', 8 << 20)
        errors = []
        self.conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON,
                                         lambda c, d, path, alias, action, reason, o: errors.append((path, alias, action, reason)), None)
        d = self.boot(f"<disk type='file' device='disk'><driver name='qemu' type='raw' error_policy='enospace'/><source file='{disk}'/>"
                      "<target dev='vda' bus='virtio'/></disk>")
        self.ask(d, 'guest-exec', path='/bin/sh', arg=['-c', 'dd if=/dev/zero of=/dev/vda bs=64k count=64 conv=fsync && touch /written'])
        wait_for('the pause', lambda: self.state(d) == 'paused (I/O error)')
        wait_for('the event', lambda: errors)
        self.assertEqual(errors[0], (disk, 'virtio-disk0', libvirt.VIR_DOMAIN_EVENT_IO_ERROR_PAUSE, 'enospc'))
        self.expect(libvirt.VIR_DOMAIN_EVENT_SUSPENDED, libvirt.VIR_DOMAIN_EVENT_SUSPENDED_IOERROR)
        self.assertIn('no space', virsh('domblkerror', d.name()))
        name = d.name()
        self.again()                           # the reason stays
        d = self.conn.lookupByName(name)
        self.assertEqual(self.state(d), 'paused (I/O error)')
        subprocess.run(['mount', '-o', 'remount,size=16m', small], check=True)
        d.resume()
        wait_for('the rest of it', lambda: self.run_inside(d, '/bin/sh', '-c', 'test -e /written')[0] == 0)
        self.assertEqual(self.state(d), 'running (unpaused)')

    def test_watchdog_dumps(self):
        name = unique('dog')
        d = self.conn.createXML(domain_xml(name, devices="<watchdog model='ib700' action='dump'/>"))
        virsh('qemu-monitor-command', name, '--hmp', 'o /b 0x443 0x0f')
        self.assertDumped(os.path.join(self.directory, 'var/lib/libvirt/qemu/dump'), name)
        wait_for('the guest to go on', lambda: self.state(d) == 'running (unpaused)')
        self.expect(libvirt.VIR_DOMAIN_EVENT_SUSPENDED, libvirt.VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG)


if __name__ == '__main__':
    unittest.main()
