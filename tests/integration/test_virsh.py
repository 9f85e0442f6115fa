# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest's life as typed into the stock virsh."""
import os
import re
import select
import subprocess
import unittest
import xml.etree.ElementTree as ET

from harness import (GREETING, ON_PEER, TestCase, domain_xml, emulators, guest_file, names, rows,
                     run_dir, scratch, unique, uri, virsh, wait_for)


class Host(TestCase):
    def test_version(self):
        out = virsh('version')
        self.assertRegex(out, r'Using API: QEMU \d')
        self.assertRegex(out, r'Running hypervisor: QEMU \d+\.\d+\.\d+')

    def test_version_of_daemon(self):
        self.assertRegex(virsh('version', '--daemon'), r'Running against daemon: \d+\.\d+\.\d+')

    def test_uri_hostname(self):
        self.assertEqual(virsh('uri').strip(), uri())
        self.assertEqual(virsh('hostname').strip(), os.uname().nodename)

    def test_nodeinfo(self):
        info = dict(line.split(':', 1) for line in virsh('nodeinfo').splitlines() if line)
        self.assertEqual(info['CPU model'].strip(), os.uname().machine)
        self.assertEqual(int(info['CPU(s)']), os.cpu_count())
        with open('/proc/meminfo') as f:
            total = int(re.search(r'MemTotal:\s+(\d+)', f.read()).group(1))
        # A host may count only what its NUMA nodes have.
        self.assertLessEqual(int(info['Memory size'].split()[0]), total)
        self.assertGreater(int(info['Memory size'].split()[0]), 64 * 1024)

    def test_nodecpumap(self):
        out = dict(line.split(':') for line in virsh('nodecpumap').splitlines() if line)
        self.assertEqual(int(out['CPUs present']), os.cpu_count())
        self.assertEqual(out['CPU map'].strip(), 'y' * os.cpu_count())

    def test_nodememstats(self):
        out = dict(line.split(':') for line in virsh('nodememstats').splitlines() if line)
        self.assertLessEqual({'total', 'free', 'buffers', 'cached'}, {k.strip() for k in out})

    def test_nodecpustats(self):
        self.assertRegex(virsh('nodecpustats'), r'user:\s+\d+')

    def test_freecell(self):
        self.assertRegex(virsh('freecell'), r'Total:\s+\d+ KiB')

    def test_maxvcpus(self):
        self.assertGreater(int(virsh('maxvcpus', '--type', 'qemu')), 1)

    def test_capabilities(self):
        caps = ET.fromstring(virsh('capabilities'))
        self.assertEqual(caps.findtext('host/cpu/arch'), 'x86_64')
        guest = caps.find("guest[os_type='hvm']/arch[@name='x86_64']")
        self.assertIsNotNone(guest)
        self.assertIn('qemu', [d.get('type') for d in guest.findall('domain')])
        self.assertIn('pc', [m.text for m in guest.findall('machine')])

    def test_domcapabilities(self):
        caps = ET.fromstring(virsh('domcapabilities', '--virttype', 'qemu', '--arch', 'x86_64',
                                   '--machine', 'pc'))
        self.assertEqual(caps.findtext('arch'), 'x86_64')
        self.assertEqual(caps.findtext('domain'), 'qemu')
        self.assertTrue(caps.findtext('machine').startswith('pc-i440fx-'))
        buses = [v.text for v in caps.findall("devices/disk/enum[@name='bus']/value")]
        self.assertIn('virtio', buses)

    def test_command_line_of_a_document(self):
        name = unique('native')
        path = self.xml_file(domain_xml(name))
        text = virsh('domxml-to-native', 'qemu-argv', '--xml', path)
        self.assertIn(f'-name guest={name},', text)
        self.assertRegex(text, r'-machine pc[-a-z0-9.]*,')
        self.assertIn('socket,id=charmonitor,', text)
        self.assertNotIn(name, virsh('list', '--all', '--name').split())
        status, _, err = virsh('domxml-to-native', 'xen-xm', '--xml', path, check=False)
        self.assertEqual(status, 1)
        self.assertIn('unsupported config type xen-xm', err)

    def test_cpu_models(self):
        models = names(virsh('cpu-models', 'x86_64'))
        self.assertLessEqual({'qemu64', 'Nehalem', 'EPYC'}, set(models))

    def test_sysinfo(self):
        status, out, err = virsh('sysinfo', check=False)
        if status == 0:
            self.assertEqual(ET.fromstring(out).get('type'), 'smbios')
        else:                                  # a host without DMI tables
            self.assertRegex(err, 'sysinfo')

    def test_no_such_domain(self):
        status, _, err = virsh('dominfo', unique('absent'), check=False)
        self.assertEqual(status, 1)
        self.assertRegex(err, r"failed to get domain 'absent|Domain not found")


class Definition(TestCase):
    def test_define_dumpxml_undefine(self):
        name = self.guest_name()
        virsh('define', self.xml_file(domain_xml(name)))
        dumped = ET.fromstring(virsh('dumpxml', name))
        self.assertEqual(dumped.findtext('name'), name)
        self.assertEqual(dumped.find('memory').text, str(64 * 1024))
        self.assertIsNone(dumped.get('id'))
        self.assertEqual(virsh('domstate', name).strip(), 'shut off')
        virsh('undefine', name)
        self.assertNotEqual(virsh('dumpxml', name, check=False)[0], 0)

    def test_defining_again_changes_the_definition(self):
        name = self.guest_name()
        xml = domain_xml(name)
        virsh('define', self.xml_file(xml))
        virsh('define', self.xml_file(xml.replace('<vcpu>1<', '<vcpu>3<')))
        self.assertEqual(ET.fromstring(virsh('dumpxml', name)).findtext('vcpu'), '3')

    def test_what_was_dumped_can_be_defined(self):
        name = self.guest_name()
        virsh('define', self.xml_file(domain_xml(name, boots=True)))
        dumped = virsh('dumpxml', name)
        virsh('define', self.xml_file(dumped))
        self.assertEqual(virsh('dumpxml', name), dumped)

    def test_name_and_uuid_are_unique(self):
        name = self.guest_name()
        virsh('define', self.xml_file(domain_xml(name)))
        status, _, err = virsh('define', self.xml_file(domain_xml(name)), check=False)
        self.assertEqual(status, 1)
        self.assertIn('already exists with uuid', err)
        uuid = virsh('domuuid', name).strip()
        status, _, err = virsh('define', self.xml_file(domain_xml(self.guest_name(), uuid=uuid)), check=False)
        self.assertEqual(status, 1)
        self.assertIn('already defined with uuid', err)

    def test_bad_xml_is_refused_with_its_cause(self):
        for bad, cause in (('<domain', 'XML|parse|error'),
                           (domain_xml('x').replace('<vcpu>1<', '<vcpu>many<'), 'vcpu|many'),
                           (domain_xml('x').replace('<name>x</name>', ''), 'name'),
                           (domain_xml('x').replace("type='qemu'", "type='nonsense'", 1), 'nonsense')):
            status, _, err = virsh('define', self.xml_file(bad), check=False)
            self.assertEqual(status, 1, bad)
            self.assertRegex(err, cause)

    def test_undefine_running_leaves_a_transient_guest(self):
        name = self.guest_name()
        virsh('define', self.xml_file(domain_xml(name)))
        virsh('start', name)
        self.assertIn(('Persistent', 'yes'), dominfo(name).items())
        virsh('undefine', name)
        self.assertIn(('Persistent', 'no'), dominfo(name).items())
        virsh('destroy', name)
        self.assertNotIn(name, names(virsh('list', '--all', '--name')))

    def test_autostart_flag(self):
        name = self.guest_name()
        virsh('define', self.xml_file(domain_xml(name)))
        self.assertEqual(dominfo(name)['Autostart'], 'disable')
        virsh('autostart', name)
        self.assertEqual(dominfo(name)['Autostart'], 'enable')
        self.assertIn(name, names(virsh('list', '--all', '--autostart', '--name')))
        virsh('autostart', '--disable', name)
        self.assertEqual(dominfo(name)['Autostart'], 'disable')

    def test_transient_guest_cannot_autostart(self):
        name = self.guest_name()
        virsh('create', self.xml_file(domain_xml(name)))
        status, _, err = virsh('autostart', name, check=False)
        self.assertEqual(status, 1)
        self.assertIn('transient', err)

    def test_domid_domuuid_domname(self):
        name = self.guest_name()
        virsh('create', self.xml_file(domain_xml(name)))
        domid = virsh('domid', name).strip()
        uuid = virsh('domuuid', name).strip()
        self.assertGreater(int(domid), 0)
        self.assertEqual(virsh('domname', domid).strip(), name)
        self.assertEqual(virsh('domname', uuid).strip(), name)

    def test_metadata_title_description(self):
        name = self.guest_name()
        virsh('define', self.xml_file(domain_xml(
            name, extra='<title>A title</title><description>Some words &amp; more</description>'
            '<metadata><x:note xmlns:x="http://example.org/x">kept</x:note></metadata>')))
        dumped = ET.fromstring(virsh('dumpxml', name))
        self.assertEqual(dumped.findtext('title'), 'A title')
        self.assertEqual(dumped.findtext('description'), 'Some words & more')
        self.assertEqual(dumped.findtext('metadata/{http://example.org/x}note'), 'kept')

    def test_max_memory_and_vcpus(self):
        name = self.guest_name()
        virsh('define', self.xml_file(domain_xml(name).replace('<vcpu>1<', "<vcpu current='1'>4<")))
        self.assertEqual(virsh('vcpucount', name, '--maximum', '--config').strip(), '4')
        self.assertEqual(virsh('vcpucount', name, '--current', '--config').strip(), '1')
        self.assertEqual(dominfo(name)['Max memory'], '65536 KiB')

    def test_dumpxml_flags(self):
        name = self.guest_name()
        vnc = "<graphics type='vnc' port='-1' autoport='yes' passwd='s3cret'/><video><model type='vga'/></video>"
        virsh('define', self.xml_file(domain_xml(name, devices=vnc)))
        virsh('start', name)
        live = ET.fromstring(virsh('dumpxml', name))
        self.assertIsNotNone(live.get('id'))
        self.assertIsNone(live.find('devices/graphics').get('passwd'))
        self.assertGreaterEqual(int(live.find('devices/graphics').get('port')), 5900)
        inactive = ET.fromstring(virsh('dumpxml', name, '--inactive'))
        self.assertIsNone(inactive.get('id'))
        self.assertEqual(inactive.find('devices/graphics').get('port'), '-1')
        secure = ET.fromstring(virsh('dumpxml', name, '--security-info'))
        self.assertEqual(secure.find('devices/graphics').get('passwd'), 's3cret')
        self.assertEqual(ET.fromstring(virsh('dumpxml', name, '--migratable')).findtext('name'), name)
        self.assertIsNotNone(ET.fromstring(virsh('dumpxml', name, '--update-cpu')).find('cpu'))

    def test_updated_processor_is_the_one_that_a_start_gives(self):
        name = self.guest_name()
        plain = ET.fromstring(domain_xml(name))
        for old in plain.findall('cpu'):
            plain.remove(old)
        ET.SubElement(plain, 'cpu', mode='host-model')
        virsh('define', self.xml_file(ET.tostring(plain, encoding='unicode')))
        self.assertEqual(ET.fromstring(virsh('dumpxml', name)).find('cpu').get('mode'), 'host-model')
        updated = ET.fromstring(virsh('dumpxml', name, '--update-cpu')).find('cpu')
        self.assertEqual(updated.get('mode'), 'custom')
        self.assertEqual(ET.fromstring(virsh('dumpxml', name)).find('cpu').get('mode'), 'host-model')
        virsh('start', name)
        live = ET.fromstring(virsh('dumpxml', name)).find('cpu')
        self.assertEqual(live.findtext('model'), updated.findtext('model'))


def dominfo(name):
    return {k.strip(): v.strip() for k, v in
            (line.split(':', 1) for line in virsh('dominfo', name).splitlines() if ':' in line)}


class Life(TestCase):
    def started(self, *flags, **how):
        name = self.guest_name()
        virsh('define', self.xml_file(domain_xml(name, **how)))
        virsh('start', name, *flags)
        return name

    def state(self, name):
        return virsh('domstate', name).strip()

    def test_start_dominfo_destroy(self):
        name = self.started()
        info = dominfo(name)
        self.assertEqual(info['State'], 'running')
        self.assertEqual(info['OS Type'], 'hvm')
        self.assertEqual(info['CPU(s)'], '1')
        self.assertEqual(info['Used memory'], '65536 KiB')
        self.assertEqual(len(emulators(name)), 1)
        self.assertEqual(virsh('domstate', name, '--reason').strip(), 'running (booted)')
        virsh('destroy', name)
        self.assertEqual(virsh('domstate', name, '--reason').strip(), 'shut off (destroyed)')
        wait_for('end of the emulator', lambda: not emulators(name))

    def test_start_twice(self):
        name = self.started()
        status, _, err = virsh('start', name, check=False)
        self.assertEqual(status, 1)
        self.assertRegex(err, 'already (active|running)')

    def test_destroy_stopped(self):
        name = self.guest_name()
        virsh('define', self.xml_file(domain_xml(name)))
        status, _, err = virsh('destroy', name, check=False)
        self.assertEqual(status, 1)
        self.assertIn('not running', err)

    def test_graceful_destroy(self):
        name = self.started()
        virsh('destroy', '--graceful', name)
        self.assertEqual(self.state(name), 'shut off')

    def test_suspend_resume(self):
        name = self.started()
        virsh('suspend', name)
        self.assertEqual(virsh('domstate', name, '--reason').strip(), 'paused (user)')
        virsh('resume', name)
        self.assertEqual(virsh('domstate', name, '--reason').strip(), 'running (unpaused)')

    def test_start_paused(self):
        name = self.started('--paused')
        self.assertEqual(self.state(name), 'paused')
        virsh('resume', name)
        self.assertEqual(self.state(name), 'running')

    def test_disk_of_a_running_guest_grows(self):
        name, image = self.guest_name(), os.path.join(scratch(), self.guest_name() + '.img')
        subprocess.run(['truncate', '-s', '4M', image], check=True)
        disk = f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{image}'/><target dev='vda'/></disk>"
        virsh('define', self.xml_file(domain_xml(name, devices=disk)))
        self.assertIn('not running', virsh('blockresize', name, 'vda', '8M', check=False)[2])
        virsh('start', name)
        virsh('blockresize', name, 'vda', '8M')
        self.assertEqual(os.path.getsize(image), 8 << 20)
        virsh('blockresize', name, image, '9000b')
        self.assertEqual(os.path.getsize(image), 9216)
        self.assertIn('not found', virsh('blockresize', name, 'vdz', '8M', check=False)[2])

    def test_limits_of_migration(self):
        name = self.guest_name()
        virsh('define', self.xml_file(domain_xml(name)))
        self.assertEqual(virsh('migrate-getspeed', name).strip(), '8796093022207')
        self.assertIn('not running', virsh('migrate-setmaxdowntime', name, '300', check=False)[2])
        virsh('start', name)
        virsh('migrate-setspeed', name, '100')
        self.assertEqual(virsh('migrate-getspeed', name).strip(), '100')
        virsh('migrate-setmaxdowntime', name, '700')
        self.assertEqual(virsh('migrate-getmaxdowntime', name).strip(), '700')
        told = virsh('qemu-monitor-command', name, '{"execute": "query-migrate-parameters"}')
        self.assertIn('"max-bandwidth":%d' % (100 << 20), told)
        self.assertIn('"downtime-limit":700', told)
        virsh('migrate-compcache', name, '--size', str(128 << 20))
        self.assertIn('128.000 MiB', virsh('migrate-compcache', name))
        self.assertIn('less than', virsh('migrate-setspeed', name, str(1 << 60), check=False)[2])

    def test_reset(self):
        name = self.started()
        virsh('reset', name)
        self.assertEqual(self.state(name), 'running')

    def test_emulator_that_fails_is_explained(self):
        name = self.guest_name()
        virsh('define', self.xml_file(domain_xml(name).replace(
            "<os>", "<os firmware=''>").replace("<os firmware=''>", '<os>').replace(
            '</type>', '</type><kernel>/nonexistent/vmlinuz</kernel>')))
        status, _, err = virsh('start', name, check=False)
        self.assertEqual(status, 1)
        self.assertRegex(err, r'/nonexistent/vmlinuz|could not (load|open) kernel|No such file')
        self.assertEqual(self.state(name), 'shut off')
        self.assertEqual(emulators(name), [])

    def test_missing_disk_is_named(self):
        name = self.guest_name()
        disk = ("<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
                "<source file='/nonexistent/disk.img'/><target dev='vda' bus='virtio'/></disk>")
        virsh('define', self.xml_file(domain_xml(name, devices=disk)))
        status, _, err = virsh('start', name, check=False)
        self.assertEqual(status, 1)
        self.assertIn('/nonexistent/disk.img', err)

    def test_qemu_monitor_command(self):
        name = self.started()
        self.assertIn('"status":"running"', virsh(
            'qemu-monitor-command', name, '{"execute":"query-status"}').replace(' ', ''))
        self.assertIn('VM status: running', virsh('qemu-monitor-command', '--hmp', name, 'info status'))

    def test_domblklist_and_disk(self):
        image = os.path.join(os.path.dirname(self.xml_file('')), unique('disk') + '.img')
        with open(image, 'wb') as f:
            f.truncate(1 << 20)
        self.addCleanup(os.unlink, image)
        disk = (f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{image}'/>"
                "<target dev='vda' bus='virtio'/></disk>")
        name = self.started(devices=disk)
        self.assertEqual(ET.fromstring(virsh('dumpxml', name)).find('devices/disk/source').get('file'), image)
        self.assertIn('virtio', virsh('qemu-monitor-command', '--hmp', name, 'info pci').lower() +
                      ET.fromstring(virsh('dumpxml', name)).find('devices/disk/target').get('bus'))
        self.assertIn(image, virsh('qemu-monitor-command', '--hmp', name, 'info block'))


class Boot(TestCase):
    """Guests that really boot."""

    def console(self, name, seconds=30):
        """Starts `virsh console` on a terminal of its own; returns the process."""
        return subprocess.Popen(['script', '-qfec', f"virsh -c '{uri()}' console {name} --force", '/dev/null'],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def boot(self, **how):
        name = self.guest_name('boot')
        virsh('define', self.xml_file(domain_xml(name, boots=True, **how)))
        virsh('start', name, '--paused')
        console = self.console(name)
        self.addCleanup(console.stdin.close)
        self.addCleanup(console.stdout.close)
        self.addCleanup(console.wait)
        self.addCleanup(console.kill)
        os.set_blocking(console.stdout.fileno(), False)
        self.seen = b''
        wait_for('the banner of virsh console', lambda: b'Escape character' in self.read(console))
        virsh('resume', name)
        try:
            wait_for('the greeting of the guest', lambda: GREETING in self.read(console))
        except AssertionError as e:
            raise AssertionError(f'{e}; the console shows {self.seen!r}') from e
        return name, console

    def read(self, console):
        try:
            self.seen += os.read(console.stdout.fileno(), 65536)
        except BlockingIOError:
            pass
        return self.seen

    def test_console_shutdown(self):
        name, console = self.boot()
        wait_for('the prompt', lambda: b'guest#' in self.read(console))
        console.stdin.write(b'echo answer=$((6 * 7))\n')
        console.stdin.flush()
        wait_for('an answer from the shell', lambda: b'answer=42' in self.read(console))
        virsh('shutdown', name)
        wait_for('the guest to power off', lambda: virsh('domstate', name).strip() == 'shut off')
        self.assertEqual(virsh('domstate', name, '--reason').strip(), 'shut off (shutdown)')
        wait_for('the console to end with the guest', lambda: console.poll() is not None)

    def test_reboot(self):
        name, console = self.boot()
        pid = emulators(name)
        domid = virsh('domid', name)
        wait_for('the prompt', lambda: b'guest#' in self.read(console))  # who hears the power button is there then
        virsh('reboot', name)
        wait_for('a second greeting', lambda: self.read(console).count(GREETING) == 2)
        self.assertEqual(virsh('domstate', name).strip(), 'running')
        self.assertEqual(emulators(name), pid)
        self.assertEqual(virsh('domid', name), domid)

    def test_reboot_ends_where_it_is_not_wanted(self):
        name, console = self.boot(lifecycle='<on_reboot>destroy</on_reboot>')
        wait_for('the prompt', lambda: b'guest#' in self.read(console))
        virsh('set-lifecycle-action', name, 'reboot', 'restart', '--live')
        self.assertIn('not support' , virsh('set-lifecycle-action', name, 'poweroff', 'preserve', check=False)[2].replace("n't", ' not'))
        console.stdin.write(b'reboot -f\n')
        console.stdin.flush()
        wait_for('a second greeting', lambda: self.read(console).count(GREETING) == 2)
        virsh('set-lifecycle-action', name, 'reboot', 'destroy', '--live')
        wait_for('the prompt', lambda: self.read(console).count(b'guest#') >= 2)
        console.stdin.write(b'reboot -f\n')
        console.stdin.flush()
        wait_for('the end of the guest', lambda: virsh('domstate', name).strip() == 'shut off')

    def test_reset(self):
        name, console = self.boot()
        virsh('reset', name)
        wait_for('a second greeting', lambda: self.read(console).count(GREETING) == 2)


class Lists(TestCase):
    def setUp(self):
        super().setUp()
        self.running = self.guest_name('running')
        self.off = self.guest_name('off')
        self.paused = self.guest_name('paused')
        self.transient = self.guest_name('transient')
        for name in (self.running, self.off, self.paused):
            virsh('define', self.xml_file(domain_xml(name)))
        virsh('start', self.running)
        virsh('start', self.paused, '--paused')
        virsh('create', self.xml_file(domain_xml(self.transient)))
        virsh('autostart', self.off)
        self.ours = {self.running, self.off, self.paused, self.transient}

    def listed(self, *flags):
        return set(names(virsh('list', '--name', *flags))) & self.ours

    def test_filters(self):
        running, off, paused, transient = self.running, self.off, self.paused, self.transient
        for flags, expected in (
                ([], {running, paused, transient}),
                (['--all'], {running, off, paused, transient}),
                (['--inactive'], {off}),
                (['--transient'], {transient}),
                (['--all', '--persistent'], {running, off, paused}),
                (['--all', '--transient', '--persistent'], {running, off, paused, transient}),
                (['--state-running'], {running, transient}),
                (['--state-paused'], {paused}),
                (['--all', '--state-shutoff'], {off}),
                (['--all', '--state-other'], set()),
                (['--all', '--autostart'], {off}),
                (['--all', '--no-autostart'], {running, paused, transient}),
                (['--all', '--with-snapshot'], set()),
                (['--all', '--without-snapshot'], {running, off, paused, transient}),
                (['--all', '--with-checkpoint'], set()),
                (['--all', '--without-checkpoint'], {running, off, paused, transient}),
                (['--all', '--with-managed-save'], set()),
                (['--all', '--without-managed-save'], {running, off, paused, transient})):
            with self.subTest(flags=flags):
                self.assertEqual(self.listed(*flags), expected)

    def test_table(self):
        table = {row[1]: row for row in rows(virsh('list', '--all'))}
        self.assertEqual(table[self.running][2], 'running')
        self.assertEqual(table[self.paused][2], 'paused')
        self.assertEqual(table[self.off][0], '-')
        self.assertEqual(table[self.off][2], 'shut off')

    def test_uuid_and_id(self):
        uuids = set(names(virsh('list', '--all', '--uuid')))
        self.assertIn(virsh('domuuid', self.off).strip(), uuids)
        self.assertIn(virsh('domid', self.running).strip(), names(virsh('list', '--id')))

    def test_title(self):
        self.assertIn(self.off, virsh('list', '--all', '--title'))


class Events(TestCase):
    def listen(self, *arguments):
        """A listener; it may not be registered yet."""
        listener = subprocess.Popen(['virsh', '-q', '-c', uri(), *arguments, '--timeout', '120'],
                                    stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        self.addCleanup(listener.stdout.close)
        self.addCleanup(listener.wait)
        self.addCleanup(listener.kill)
        return listener

    def provoke(self, listener, *commands):
        """Again and again until the listener has something to say."""
        def heard():
            for command in commands:
                virsh(*command)
            return select.select([listener.stdout], [], [], 1)[0]
        wait_for('an event', heard)

    def test_event_loop_shows_the_life_of_a_guest(self):
        name = self.guest_name()
        virsh('define', self.xml_file(domain_xml(name)))
        xml = self.xml_file(domain_xml(name, uuid=virsh('domuuid', name).strip()))
        listener = self.listen('event', '--domain', name, '--event', 'lifecycle', '--loop')
        self.provoke(listener, ('define', xml))
        for command in ('start', 'suspend', 'resume', 'destroy', 'undefine'):
            virsh(command, name)
        steps, out = [], ''
        while 'Undefined' not in steps:
            line = listener.stdout.readline()
            self.assertTrue(line, f'the listener ended after {out!r}')
            out += line
            steps += re.findall(r': (Started|Suspended|Resumed|Stopped|Undefined) ', line)
        # Start itself resumes the guest's processors: a Resumed of its own is told in between.
        self.assertEqual([s for i, s in enumerate(steps) if not (s == 'Resumed' and i < 2)],
                         ['Started', 'Suspended', 'Resumed', 'Stopped', 'Undefined'], out)

    def test_reboot_event(self):
        name = self.guest_name()
        virsh('create', self.xml_file(domain_xml(name)))
        listener = self.listen('event', '--domain', name, '--event', 'reboot')
        self.provoke(listener, ('reset', name))
        out, _ = listener.communicate(timeout=120)
        self.assertRegex(out, "event 'reboot'")

    def test_qemu_monitor_event(self):
        name = self.guest_name()
        virsh('create', self.xml_file(domain_xml(name)))
        listener = self.listen('qemu-monitor-event', name, '--event', 'STOP')
        self.provoke(listener, ('suspend', name), ('resume', name))
        out, _ = listener.communicate(timeout=120)
        self.assertRegex(out, 'event STOP')


class SecondaryDaemons(TestCase):
    @unittest.skipIf(ON_PEER, 'one daemon serves all')
    def test_missing_daemon_is_named_and_does_no_harm(self):
        if os.path.exists(os.path.join(run_dir(), 'virtnetworkd-sock')):
            self.skipTest('virtnetworkd is there')
        status, _, err = virsh('net-list', check=False)
        self.assertEqual(status, 1)
        self.assertIn('virtnetworkd', err)
        # On one connection: the failed call must leave it usable.
        status, out, err = virsh('net-list; list --all', check=False)
        self.assertIn('virtnetworkd', err)
        self.assertNotIn('connection', err.lower().replace('connection driver', ''))


if __name__ == '__main__':
    unittest.main()
