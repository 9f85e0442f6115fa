# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices that come, go and change: in the definition, and in running guests that notice."""
import os
import re
import xml.etree.ElementTree as ET

import libvirt

from harness import TestCase, domain_xml, scratch, unique, virsh

CONFIG, LIVE = libvirt.VIR_DOMAIN_AFFECT_CONFIG, libvirt.VIR_DOMAIN_AFFECT_LIVE
MEMORY = """<maxMemory slots='2' unit='MiB'>512</maxMemory>
  <cpu><numa><cell id='0' cpus='0' memory='%d' unit='MiB'/></numa></cpu>"""


def image(size=1 << 20):
    path = os.path.join(scratch(), unique('disk') + '.img')
    with open(path, 'wb') as f:
        f.truncate(size)
    return path


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
