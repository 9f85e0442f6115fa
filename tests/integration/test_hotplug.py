# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices that come, go and change: in the definition, and in running guests that notice."""
import json
import os
import re
import xml.etree.ElementTree as ET

import libvirt
import libvirt_qemu

from harness import GREETING, TestCase, domain_xml, read_until, scratch, start_event_loop, unique, uri, virsh, wait_for

CONFIG, LIVE = libvirt.VIR_DOMAIN_AFFECT_CONFIG, libvirt.VIR_DOMAIN_AFFECT_LIVE
MEMORY = """<maxMemory slots='2' unit='MiB'>512</maxMemory>
  <cpu><numa><cell id='0' cpus='0' memory='%d' unit='MiB'/></numa></cpu>"""


def image(size=1 << 20):
    path = os.path.join(scratch(), unique('disk') + '.img')
    with open(path, 'wb') as f:
        f.truncate(size)
    return path


def begins_with(path, text):
    with open(path, 'rb') as f:
        return f.read(len(text)) == text


def disk(target, path, bus='virtio', device='disk', extra=''):
    source = f"<source file='{path}'/>" if path else ''
    return (f"<disk type='file' device='{device}'><driver name='qemu' type='raw'/>{source}"
            f"<target dev='{target}' bus='{bus}'/>{extra}</disk>")


def nic(mac, extra=''):
    return f"<interface type='user'><mac address='{mac}'/><model type='virtio'/>{extra}</interface>"


class Base(TestCase):
    def devices(self, dom, kind, inactive=True):
        text = dom.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE if inactive else 0)
        return ET.fromstring(text).findall('devices/' + kind)

    def targets(self, dom, inactive=True):
        return sorted(d.find('target').get('dev') for d in self.devices(dom, 'disk', inactive))

    def refused(self, words, *args):
        status, out, err = virsh(*args, check=False)
        self.assertEqual(status, 1, out + err)
        self.assertIn(words, err)


class Definition(Base):
    def setUp(self):
        super().setUp()
        self.name = self.guest_name()
        self.path = image()
        self.dom = self.connect().defineXML(domain_xml(
            self.name, extra=MEMORY % 64, devices=disk('vda', self.path) + nic('52:54:00:11:00:01') +
            disk('hdc', None, 'ide', 'cdrom')))

    def attach(self, xml):
        self.dom.attachDeviceFlags(xml, CONFIG)

    def test_disk_comes_and_goes(self):
        self.attach(disk('vdb', self.path))
        self.assertEqual(self.targets(self.dom), ['hdc', 'vda', 'vdb'])
        new = [d for d in self.devices(self.dom, 'disk') if d.find('target').get('dev') == 'vdb'][0]
        self.assertEqual(new.find('address').get('type'), 'pci')
        taken = [ET.tostring(e.find('address')) for e in ET.fromstring(self.dom.XMLDesc()).find('devices')
                 if e.find('address') is not None and e.find('address').get('type') == 'pci']
        self.assertEqual(len(taken), len(set(taken)))
        self.refused('target vdb already exists', 'attach-disk', self.name, self.path, 'vdb', '--config')
        self.dom.detachDeviceFlags(disk('vdb', None), CONFIG)
        self.assertEqual(self.targets(self.dom), ['hdc', 'vda'])
        error = self.assertLibvirtError(libvirt.VIR_ERR_DEVICE_MISSING, self.dom.detachDeviceFlags, disk('vdb', None), CONFIG)
        self.assertIn('no target device vdb', str(error))

    def test_refused_change_changes_nothing(self):
        before = self.dom.XMLDesc()
        where = re.search(r"<address type='pci'[^>]*/>", before).group(0)
        error = self.assertLibvirtError(libvirt.VIR_ERR_XML_ERROR, self.attach, disk('vdb', self.path, extra=where))
        self.assertIn('Attempted double use of PCI Address', str(error))
        self.assertLibvirtError(libvirt.VIR_ERR_CONFIG_UNSUPPORTED, self.attach, '<nonsense/>')
        self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_UNSUPPORTED, self.attach, "<panic model='isa'/>")
        self.assertEqual(self.dom.XMLDesc(), before)

    def test_by_alias(self):
        self.attach(disk('vdb', self.path, extra="<alias name='ua-second'/>"))
        error = self.assertLibvirtError(libvirt.VIR_ERR_CONFIG_UNSUPPORTED, self.attach,
                                        nic('52:54:00:11:00:02', "<alias name='ua-second'/>"))
        self.assertIn('non unique alias', str(error))
        self.dom.detachDeviceAlias('ua-second', CONFIG)
        self.assertEqual(self.targets(self.dom), ['hdc', 'vda'])
        self.refused('no device found with alias ua-second', 'detach-device-alias', self.name, 'ua-second', '--config')

    def test_interfaces(self):
        def macs():
            return [i.find('mac').get('address') for i in self.devices(self.dom, 'interface')]
        self.attach(nic('52:54:00:11:00:02'))
        self.assertEqual(macs(), ['52:54:00:11:00:01', '52:54:00:11:00:02'])
        error = self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_FAILED, self.dom.detachDeviceFlags,
                                        "<interface type='user'/>", CONFIG)
        self.assertIn('multiple matching devices found', str(error))
        virsh('domif-setlink', self.name, '52:54:00:11:00:02', 'down', '--config')
        self.assertEqual(virsh('domif-getlink', self.name, '52:54:00:11:00:02', '--config').split()[-1], 'down')
        virsh('detach-interface', self.name, 'user', '--mac', '52:54:00:11:00:02', '--config')
        self.assertEqual(macs(), ['52:54:00:11:00:01'])

    def test_media(self):
        def medium():
            cd = [d for d in self.devices(self.dom, 'disk') if d.get('device') == 'cdrom'][0]
            return None if cd.find('source') is None else cd.find('source').get('file')

        def places():
            return [ET.tostring(d.find('address')) for d in self.devices(self.dom, 'disk')]
        before = places()
        virsh('change-media', self.name, 'hdc', self.path, '--insert', '--config')
        self.assertEqual(medium(), self.path)
        self.refused('already has media', 'change-media', self.name, 'hdc', self.path, '--insert', '--config')
        virsh('change-media', self.name, 'hdc', '--eject', '--config')
        self.assertIsNone(medium())
        self.refused("doesn't have media", 'change-media', self.name, 'hdc', '--eject', '--config')
        self.assertEqual(places(), before)
        error = self.assertLibvirtError(libvirt.VIR_ERR_INVALID_ARG, self.dom.updateDeviceFlags,
                                        disk('hdd', self.path, 'ide'), CONFIG)
        self.assertIn("target hdd doesn't exist", str(error))

    def test_memory_is_counted(self):
        dimm = "<memory model='dimm'><target><size unit='MiB'>%d</size><node>0</node></target></memory>"

        def memory():
            return int(ET.fromstring(self.dom.XMLDesc()).find('memory').text)
        self.attach(dimm % 128)
        self.assertEqual(memory(), (64 + 128) << 10)
        error = self.assertLibvirtError(libvirt.VIR_ERR_CONFIG_UNSUPPORTED, self.attach, dimm % 512)
        self.assertIn("would exceed domain's maxMemory", str(error))
        self.attach(dimm % 64)
        error = self.assertLibvirtError(libvirt.VIR_ERR_CONFIG_UNSUPPORTED, self.attach, dimm % 64)
        self.assertIn('no free memory device slot available', str(error))
        self.dom.detachDeviceFlags(dimm % 128, CONFIG)
        self.assertEqual(memory(), (64 + 64) << 10)

    def test_others(self):
        for kind, xml in (('rng', "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"),
                          ('watchdog', "<watchdog model='i6300esb' action='reset'/>"),
                          ('channel', "<channel type='pty'><target type='virtio' name='a.b'/></channel>"),
                          ('redirdev', "<redirdev bus='usb' type='pty'/>"),
                          ('shmem', "<shmem name='x'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>"),
                          ('filesystem', "<filesystem type='mount'><source dir='/tmp'/><target dir='t'/></filesystem>"),
                          ('hostdev', "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/>"
                                      "<product id='0x5678'/></source></hostdev>")):
            with self.subTest(kind):
                before = len(self.devices(self.dom, kind))
                self.attach(xml)
                self.assertEqual(len(self.devices(self.dom, kind)), before + 1)
                self.dom.detachDeviceFlags(xml, CONFIG)
                self.assertEqual(len(self.devices(self.dom, kind)), before)
                with self.assertRaises(libvirt.libvirtError):
                    self.dom.detachDeviceFlags(xml, CONFIG)

    def test_iothreads(self):
        virsh('iothreadadd', self.name, '4', '--config')
        root = ET.fromstring(self.dom.XMLDesc())
        self.assertEqual([t.get('id') for t in root.findall('iothreadids/iothread')], ['4'])
        self.refused("an IOThread is already using iothread_id '4'", 'iothreadadd', self.name, '4', '--config')
        self.attach(disk('vdb', self.path).replace("type='raw'", "type='raw' iothread='4'"))
        self.refused("being used by disk 'vdb'", 'iothreaddel', self.name, '4', '--config')
        self.dom.detachDeviceFlags(disk('vdb', None), CONFIG)
        virsh('iothreaddel', self.name, '4', '--config')
        self.refused("cannot find IOThread '4'", 'iothreaddel', self.name, '4', '--config')

    def test_needs_a_running_guest_where_it_says_so(self):
        self.refused('domain is not running', 'attach-disk', self.name, self.path, 'vdb', '--live')
        self.refused('domain is not running', 'detach-device-alias', self.name, 'virtio-disk0', '--live')


def bare(name, devices=''):
    """A machine without a system in it: it never answers a request to give up a PCI device."""
    ports = ''.join("<controller type='pci' model='pcie-root-port'/>" for _ in range(6))
    return domain_xml(name, devices=f"<controller type='pci' model='pcie-root'/>{ports}<controller type='scsi' model='virtio-scsi'/>"
                      "<controller type='usb' model='qemu-xhci'/><controller type='virtio-serial'/>" + devices).replace(
                          "machine='pc'", "machine='q35'")


class Running(Base):
    """What the emulator has and what is said of it, without a system in the guest."""
    @classmethod
    def setUpClass(cls):
        start_event_loop()
        cls.conn = libvirt.open(uri())
        cls.dom = cls.conn.defineXML(bare(unique('plug'), nic('52:54:00:12:00:01') + disk('sdz', None, 'sata', 'cdrom')))
        cls.dom.create()
        cls.name = cls.dom.name()

    @classmethod
    def tearDownClass(cls):
        cls.dom.destroy()
        cls.dom.undefine()
        cls.conn.close()

    def setUp(self):
        super().setUp()
        self.seen = []
        for event in ('DEVICE_ADDED', 'DEVICE_REMOVED', 'DEVICE_REMOVAL_FAILED'):
            number = self.conn.domainEventRegisterAny(
                self.dom, getattr(libvirt, 'VIR_DOMAIN_EVENT_ID_' + event),
                lambda c, d, alias, word: self.seen.append((word, alias)), event)
            self.addCleanup(self.conn.domainEventDeregisterAny, number)

    def qmp(self, command, **arguments):
        text = json.dumps({'execute': command, 'arguments': arguments})
        return json.loads(libvirt_qemu.qemuMonitorCommand(self.dom, text, 0))['return']

    def nodes(self):
        return sorted(n['node-name'] for n in self.qmp('query-named-block-nodes'))

    def peripherals(self):
        return [o['name'] for o in self.qmp('qom-list', path='/machine/peripheral') if o['type'].startswith('child<')]

    def test_beside_controllers_that_share_a_name(self):
        '''Guests that virt-install makes have a USB controller with companions.'''
        usb = ''.join(f"<controller type='usb' index='0' model='ich9-{model}'>{master}</controller>" for model, master in (
            ('ehci1', ''), ('uhci1', "<master startport='0'/>"), ('uhci2', "<master startport='2'/>")))
        dom = self.define(devices=usb)
        dom.create()
        self.assertEqual({d.find('alias').get('name') for d in self.devices(dom, 'controller', False) if d.get('type') == 'usb'}, {'usb'})
        dom.attachDevice(disk('vda', image()))
        self.assertEqual(self.targets(dom, False), ['vda'])

    def test_disk_comes_and_goes(self):
        path, before = image(), self.nodes()
        owner = os.stat(path).st_uid
        xml = disk('sdb', path, 'usb')
        self.dom.attachDevice(xml)
        new = [d for d in self.devices(self.dom, 'disk', False) if d.find('target').get('dev') == 'sdb'][0]
        alias = new.find('alias').get('name')
        self.assertIn(alias, self.peripherals())
        self.assertEqual(len(self.nodes()), len(before) + 2)
        self.assertNotIn('sdb', self.targets(self.dom))
        self.assertIn('duplicated', str(self.assertLibvirtError(libvirt.VIR_ERR_XML_ERROR, self.dom.attachDevice, xml)))
        self.dom.detachDevice(xml)
        self.assertEqual((self.nodes(), alias in self.peripherals(), os.stat(path).st_uid), (before, False, owner))
        self.assertNotIn('sdb', self.targets(self.dom, False))
        wait_for('events', lambda: self.seen == [('DEVICE_ADDED', alias), ('DEVICE_REMOVED', alias)])

    def test_refused_device_leaves_nothing(self):
        path, before, xml = image(), self.nodes(), self.dom.XMLDesc()
        wrong = disk('sdc', path, 'scsi').replace("type='raw'", "type='qcow2'")
        error = self.assertLibvirtError(libvirt.VIR_ERR_INTERNAL_ERROR, self.dom.attachDevice, wrong)
        self.assertIn("unable to execute QEMU command 'blockdev-add'", str(error))
        # The image can be opened, and the place for the disk is not there.
        taken = disk('sdc', path, 'virtio', extra="<address type='pci' domain='0' bus='0' slot='1' function='0'/>")
        with self.assertRaises(libvirt.libvirtError):
            self.dom.attachDevice(taken)
        error = self.assertLibvirtError(libvirt.VIR_ERR_SYSTEM_ERROR, self.dom.attachDevice, disk('sdc', '/nonexistent/x', 'scsi'))
        self.assertIn("'/nonexistent/x'", str(error))
        error = self.assertLibvirtError(libvirt.VIR_ERR_INTERNAL_ERROR, self.dom.attachDevice, disk('sdc', path, 'sata'))
        self.assertIn("'device_add'", str(error))
        self.assertEqual((self.nodes(), self.dom.XMLDesc(), self.seen), (before, xml, []))
        self.dom.attachDevice(disk('sdc', path, 'usb'))
        self.dom.detachDevice(disk('sdc', path, 'usb'))

    def test_guest_that_does_not_answer_keeps_its_device(self):
        path = image()
        xml = disk('vdy', path)
        self.dom.attachDevice(xml)
        # The firmware alone does not give up a device at once; whoever looks sees what is true.
        self.qmp('stop')
        self.dom.detachDevice(xml)
        here = 'vdy' in self.targets(self.dom, False)
        self.assertEqual(here, any(a.startswith('virtio-disk') for a in self.peripherals()))
        self.qmp('cont')

    def test_unknown_and_busy(self):
        def refused(code, words, xml):
            self.assertIn(words, str(self.assertLibvirtError(code, self.dom.detachDevice, xml)))
        refused(libvirt.VIR_ERR_DEVICE_MISSING, 'disk vdq not found', disk('vdq', None))
        refused(libvirt.VIR_ERR_DEVICE_MISSING, "matching MAC address '52:54:00:12:00:99'", nic('52:54:00:12:00:99'))
        refused(libvirt.VIR_ERR_OPERATION_UNSUPPORTED, 'cannot be hot unplugged', disk('sdz', None, 'sata', 'cdrom'))
        refused(libvirt.VIR_ERR_OPERATION_UNSUPPORTED, "live detach of device 'memballoon'", "<memballoon model='virtio'/>")
        self.dom.attachDevice(disk('sde', image(), 'scsi'))
        refused(libvirt.VIR_ERR_OPERATION_FAILED, 'device is busy', "<controller type='scsi' index='0'/>")
        self.dom.detachDevice(disk('sde', None, 'scsi'))
        error = self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_UNSUPPORTED, self.dom.attachDevice, "<memballoon model='virtio'/>")
        self.assertIn('live attach of device', str(error))

    def test_both_definitions(self):
        path = image()
        virsh('attach-disk', self.name, path, 'sdf', '--targetbus', 'usb', '--live', '--config')
        self.assertIn('sdf', self.targets(self.dom))
        self.assertIn('sdf', self.targets(self.dom, False))
        # Refused by one of them, it is in neither.
        self.dom.attachDeviceFlags(disk('sdg', path, 'usb', extra='<readonly/>'), CONFIG)
        with self.assertRaises(libvirt.libvirtError):
            self.dom.attachDeviceFlags(disk('sdg', path, 'usb', extra='<readonly/>'), CONFIG | LIVE)
        self.assertNotIn('sdg', self.targets(self.dom, False))
        self.dom.detachDeviceFlags(disk('sdg', None, 'usb'), CONFIG)
        virsh('detach-disk', self.name, 'sdf', '--live', '--config')
        self.assertNotIn('sdf', self.targets(self.dom) + self.targets(self.dom, False))

    def test_media(self):
        first, second = image(), image()

        def medium():
            cd = [d for d in self.devices(self.dom, 'disk', False) if d.get('device') == 'cdrom'][0]
            block = [b for b in self.qmp('query-block') if b.get('qdev', '').endswith(cd.find('alias').get('name'))][0]
            said = None if cd.find('source') is None else cd.find('source').get('file')
            true = block['inserted']['image']['filename'] if 'inserted' in block else None
            self.assertEqual(said, true)
            return said
        before = self.nodes()
        self.assertIsNone(medium())
        virsh('change-media', self.name, 'sdz', first, '--insert', '--live')
        self.assertEqual(medium(), first)
        virsh('change-media', self.name, 'sdz', second, '--update', '--live')
        self.assertEqual(medium(), second)
        self.assertEqual(len(self.nodes()), len(before) + 2)
        self.refused('Cannot access storage file', 'change-media', self.name, 'sdz', '/nonexistent/iso', '--update', '--live')
        self.assertEqual(medium(), second)
        virsh('change-media', self.name, 'sdz', '--eject', '--live', '--force')
        self.assertIsNone(medium())
        self.assertEqual(self.nodes(), before)
        self.assertIsNone([d for d in self.devices(self.dom, 'disk') if d.get('device') == 'cdrom'][0].find('source'))
        fixed = disk('vdx', first)
        self.dom.attachDevice(fixed)
        error = self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_UNSUPPORTED, self.dom.updateDeviceFlags, disk('vdx', second), LIVE)
        self.assertIn('only in removable drives', str(error))

    def test_only_what_can_change_is_changed(self):
        mac = '52:54:00:12:00:01'
        error = self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_UNSUPPORTED, self.dom.updateDeviceFlags,
                                        nic(mac).replace('virtio', 'e1000e'), LIVE)
        self.assertIn('model from virtio to e1000e', str(error))
        error = self.assertLibvirtError(libvirt.VIR_ERR_DEVICE_MISSING, self.dom.updateDeviceFlags, nic('52:54:00:12:00:99'), LIVE)
        self.assertIn('52:54:00:12:00:99', str(error))

    def test_channel_and_others(self):
        for kind, xml in (('channel', "<channel type='pty'><target type='virtio' name='a.b'/></channel>"),
                          ('channel', "<channel type='unix'><source mode='bind'/><target type='virtio' name='c.d'/></channel>"),
                          ('input', "<input type='tablet' bus='usb'/>"),
                          ('redirdev', "<redirdev bus='usb' type='tcp'><source mode='bind' host='127.0.0.1' service='0'/></redirdev>")):
            with self.subTest(xml):
                before, had = self.peripherals(), len(self.devices(self.dom, kind, False))
                self.dom.attachDevice(xml)
                self.assertEqual(len(self.peripherals()), len(before) + 1)
                new = self.devices(self.dom, kind, False)[-1]
                if kind == 'channel':
                    path = new.find('source').get('path')
                    self.assertTrue(os.path.exists(path), path)
                alias = new.find('alias').get('name')
                self.dom.detachDeviceAlias(alias, LIVE)
                self.assertEqual((self.peripherals(), len(self.devices(self.dom, kind, False))), (before, had))
                if kind == 'channel' and path.endswith('c.d'):
                    self.assertFalse(os.path.exists(path))
        chardevs = [c['label'] for c in self.qmp('query-chardev')]
        self.assertEqual([c for c in chardevs if 'channel' in c or 'redir' in c], [])

    def test_iothread(self):
        virsh('iothreadadd', self.name, '7', '--live')
        self.assertIn('iothread7', [t['id'] for t in self.qmp('query-iothreads')])
        virsh('iothreaddel', self.name, '7', '--live')
        self.assertEqual(self.qmp('query-iothreads'), [])


class Booted(Base):
    """A guest that sees what is plugged into it."""
    @classmethod
    def setUpClass(cls):
        start_event_loop()
        cls.conn = libvirt.open(uri())
        xml = domain_xml(unique('plugged'), boots='full', memory_mib=256, devices="<controller type='scsi' model='virtio-scsi'/>",
                         extra=(MEMORY % 256).replace("'512'", "'512'"))
        cls.dom = cls.conn.createXML(xml.replace("unit='MiB'>512", "unit='MiB'>1024").replace('quiet', 'quiet memhp_default_state=online_movable'))
        cls.name = cls.dom.name()
        cls.stream = cls.conn.newStream(libvirt.VIR_STREAM_NONBLOCK)
        cls.dom.openConsole(None, cls.stream, 0)
        read_until(cls.stream.recv, GREETING)

    @classmethod
    def tearDownClass(cls):
        cls.stream.abort()
        cls.dom.destroy()
        cls.conn.close()

    def shell(self, command):
        mark = unique('done')
        # The mark is put together by the shell, so that the echo of what was typed has none.
        line = f'{command}; echo {mark[:4]}""{mark[4:]}\n'.encode()
        self.stream.send(line)
        return read_until(self.stream.recv, mark.encode()).decode(errors='replace')

    def shown(self, what, there, command):
        return wait_for(what, lambda: bool(re.search(there, self.shell(command))))

    def test_disks(self):
        removed = []
        number = self.conn.domainEventRegisterAny(self.dom, libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
                                                  lambda c, d, alias, o: removed.append(alias), None)
        self.addCleanup(self.conn.domainEventDeregisterAny, number)
        for target, bus in (('vda', 'virtio'), ('sda', 'scsi')):
            with self.subTest(bus):
                path = image(3 << 20)
                virsh('attach-disk', self.name, path, target, '--targetbus', bus, '--live')
                self.shown('the disk in the guest', r'\b6144\b', f'cat /sys/block/{target}/size')
                self.shell(f'echo by-the-guest >/dev/{target}; sync')
                wait_for('what the guest wrote', lambda: begins_with(path, b'by-the-guest'))
                alias = [d.find('alias').get('name') for d in self.devices(self.dom, 'disk', False)][0]
                virsh('detach-disk', self.name, target, '--live')
                wait_for('the end of the disk', lambda: self.targets(self.dom, False) == [])
                wait_for('the event', lambda: alias in removed)
                self.shown('no disk in the guest', 'No such', f'cat /sys/block/{target}/size')

    def test_interface(self):
        mac = '52:54:00:12:00:07'
        self.dom.attachDevice(nic(mac))
        self.shown('the card in the guest', mac, 'cat /sys/class/net/*/address')
        self.shell('ip link set eth0 up')
        for word, carrier in (('down', '0'), ('up', '1')):
            virsh('domif-setlink', self.name, mac, word)
            self.assertEqual(virsh('domif-getlink', self.name, mac).split()[-1], word)
            self.shown('the link in the guest', rf'(?m)^{carrier}\s*$', 'cat /sys/class/net/eth0/carrier')
        self.dom.detachDevice(nic(mac))
        wait_for('the end of the card', lambda: not self.devices(self.dom, 'interface', False))
        self.assertNotIn(mac, self.shell('cat /sys/class/net/*/address'))

    def test_memory(self):
        def total():
            return int(re.search(r'MemTotal:\s+(\d+) kB', self.shell('cat /proc/meminfo')).group(1))
        before = total()
        dimm = "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>"
        self.dom.attachDevice(dimm)
        wait_for('more memory in the guest', lambda: total() > before + (100 << 10))
        self.assertEqual(self.dom.maxMemory(), (256 + 128) << 10)
        self.dom.detachDevice(dimm)
        wait_for('the end of the module', lambda: self.dom.maxMemory() == 256 << 10)
        self.assertLess(total(), before + (100 << 10))
