# SPDX-License-Identifier: LGPL-2.1-or-later
"""Figures of guests: in bulk and one by one, running and not."""
import itertools
import os
import re
import signal
import subprocess
import time
import unittest

import libvirt

from harness import SLOW, OwnSandbox, domain_xml, emulators, scratch, unique, virsh, wait_for
from test_access import parse_openmetrics

MIB = 1 << 20


def image(name, size, fmt='raw', backing=None):
    path = os.path.join(scratch(), name)
    below = ['-b', backing, '-F', 'qcow2'] if backing else []
    subprocess.run(['qemu-img', 'create', '-q', '-f', fmt, *below, path, str(size)], check=True)
    return path


def stats_of(text):
    """Of virsh domstats, one guest: {name: value}."""
    return dict(line.strip().split('=', 1) for line in text.splitlines() if '=' in line)


class Rich(OwnSandbox):
    """One guest with a bit of everything, started once."""

    @classmethod
    def guest_xml(cls, name):
        disks = ''
        for target, bus, path, fmt in (('vda', 'virtio', cls.qcow2, 'qcow2'), ('sda', 'sata', cls.raw, 'raw')):
            disks += (f"<disk type='file' device='disk'><driver name='qemu' type='{fmt}'/><source file='{path}'/>"
                      f"<target dev='{target}' bus='{bus}'/></disk>")
        disks += "<disk type='file' device='cdrom'><target dev='sdb' bus='sata'/><readonly/></disk>"
        nic = "<interface type='user'><mac address='52:54:00:11:22:34'/><model type='virtio'/></interface>"
        xml = domain_xml(name, extra='<iothreads>2</iothreads>', devices=disks + nic)
        xml = xml.replace('</os>', "<bios rebootTimeout='-1'/></os>")    # it looks at its disks once
        xml = xml.replace("<vcpu>1</vcpu>", "<vcpu current='2'>3</vcpu>")
        xml = xml.replace("machine='pc'", "machine='q35'")
        xml = xml.replace("</memory>", "</memory><currentMemory unit='MiB'>48</currentMemory>")
        return xml.replace("<memballoon model='none'/>", "<memballoon model='virtio'><stats period='2'/></memballoon>")

    def setUp(self):
        super().setUp()
        self.sandbox.start()
        self.use(self.sandbox)
        cls = type(self)
        cls.base = image('base.qcow2', 20 * MIB, 'qcow2')
        cls.qcow2 = image('top.qcow2', 20 * MIB, 'qcow2', cls.base)
        cls.raw = image('data.raw', 10 * MIB)
        self.name = unique('rich')
        self.c = self.connect()
        self.d = self.c.defineXML(self.guest_xml(self.name))

    def test_what_is_kept_at_rest_follows(self):
        """Figures of guests at rest are kept; what they are about shows at once all the same."""
        path = os.path.join(scratch(), 'later.raw')

        def disk(path):
            return (f"<disk type='file' device='disk'><source file='{path}'/><target dev='vda' bus='virtio'/></disk>")

        def block(what):
            return [self.c.domainListGetStats([d])[0][1].get(f'block.0.{what}') for _ in range(2)]

        name = unique('rest')
        d = self.c.defineXML(domain_xml(name, devices=disk(path)))
        self.assertEqual(block('capacity'), [None, None])
        with open(path, 'wb') as f:
            f.truncate(3 * MIB)
        self.assertEqual(block('capacity'), [3 * MIB] * 2)
        os.truncate(path, 4 * MIB)
        self.assertEqual(block('capacity'), [4 * MIB] * 2)
        time.sleep(3)                          # from then on the file counts as one that changes visibly
        self.assertEqual(block('capacity'), [4 * MIB] * 2)
        os.truncate(path, 5 * MIB)
        self.assertEqual(block('physical'), [5 * MIB] * 2)
        time.sleep(3)
        self.assertEqual(block('physical'), [5 * MIB] * 2)
        os.unlink(path)
        self.assertEqual(block('physical'), [None, None])
        d = self.c.defineXML(domain_xml(name, uuid=d.UUIDString(), devices=disk(self.raw)))
        self.assertEqual(block('path'), [self.raw] * 2)
        self.assertEqual(self.c.domainListGetStats([d], libvirt.VIR_DOMAIN_STATS_STATE)[0][1].get('block.count'), None)
        self.assertEqual(block('path'), [self.raw] * 2)
        d.create()
        self.assertEqual(self.c.domainListGetStats([d])[0][1]['state.state'], libvirt.VIR_DOMAIN_RUNNING)
        d.destroy()
        stats = self.c.domainListGetStats([d])[0][1]
        self.assertEqual((stats['state.state'], stats['state.reason']),
                         (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED))

    def test_all(self):
        with self.subTest('at rest'):
            self.at_rest()
        self.d.create()
        for part in (self.running_bulk, self.disks, self.memory, self.interfaces, self.dirty_rate, self.collectors,
                     self.wrong_words):
            with self.subTest(part.__name__):
                part()
        with self.subTest('hung'):
            self.hung()

    def at_rest(self):
        s = self.c.domainListGetStats([self.d])[0][1]
        self.assertEqual(s['state.state'], libvirt.VIR_DOMAIN_SHUTOFF)
        self.assertEqual((s['balloon.current'], s['balloon.maximum']), (48 * 1024, 64 * 1024))
        self.assertEqual((s['vcpu.current'], s['vcpu.maximum']), (2, 3))
        self.assertEqual(s['block.count'], 3)
        self.assertEqual((s['block.0.name'], s['block.0.path']), ('vda', self.qcow2))
        self.assertEqual(s['block.0.capacity'], 20 * MIB)
        self.assertEqual(s['block.1.physical'], 10 * MIB)
        self.assertEqual([k for k in s if k.startswith('block.2.')], ['block.2.name'])
        self.assertFalse([k for k in s if k.startswith(('cpu.', 'net.', 'vcpu.0'))])
        # The head of the image gives the capacity, the host the rest.
        st = os.stat(self.qcow2)
        self.assertEqual(self.d.blockInfo('vda'), [20 * MIB, st.st_blocks * 512, st.st_size])
        out = virsh('domblkinfo', self.name, '--all')
        self.assertRegex(out, r'sda +10485760 +\d+ +10485760')
        self.assertRegex(out, r'sdb +- +- +-')
        # What needs an emulator cannot be enforced without one.
        status, _, err = virsh('domstats', self.name, '--iothread', '--enforce', check=False)
        self.assertEqual(status, 1)
        self.assertIn('Stats types bits 0x80 are not supported', err)
        for command in ('dommemstat', 'domblkstat', 'domblkerror'):
            status, _, err = virsh(command, self.name, check=False)
            self.assertEqual(status, 1, command)
            self.assertIn('domain is not running', err)

    def running_bulk(self):
        s = stats_of(virsh('domstats', self.name))
        expected = {
            'state.state': '1', 'vcpu.current': '2', 'vcpu.maximum': '3', 'vcpu.0.state': '1', 'vcpu.1.state': '1',
            # No driver in the guest gave any memory back.
            'balloon.current': str(64 * 1024), 'balloon.maximum': str(64 * 1024), 'balloon.last-update': '0',
            'net.count': '1', 'block.count': '3', 'block.0.name': 'vda', 'block.0.capacity': str(20 * MIB),
            'block.1.capacity': str(10 * MIB), 'block.2.name': 'sdb', 'iothread.count': '2',
            'iothread.1.poll-max-ns': '32768', 'dirtyrate.calc_status': '0', 'dirtyrate.calc_mode': 'page-sampling',
        }
        self.assertEqual({k: s.get(k) for k in expected}, expected)
        for key in ('cpu.time', 'cpu.user', 'balloon.rss', 'vcpu.0.time', 'vcpu.0.delay', 'block.0.rd.reqs',
                    'block.0.wr.bytes', 'block.0.fl.times', 'block.0.physical', 'block.0.backingIndex'):
            self.assertRegex(s.get(key, 'missing'), r'^\d+$', key)
        self.assertNotIn('block.2.capacity', s)
        only = stats_of(virsh('domstats', self.name, '--vcpu', '--nowait'))
        self.assertTrue(only and all(k.startswith('vcpu.') for k in only))
        self.assertEqual(len(self.c.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE,
                                                      libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_INACTIVE)), 0)
        self.assertEqual(self.c.getAllDomainStats(1 << 20)[0][1], {})
        with self.assertRaisesRegex(libvirt.libvirtError, 'Stats types bits 0x100000'):
            self.c.getAllDomainStats(1 << 20, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS)

    def disks(self):
        wait_for('a look of the firmware', lambda: self.d.blockStatsFlags('vda')['rd_operations'])
        one, both = self.d.blockStatsFlags('vda'), self.d.blockStatsFlags('')
        self.assertGreaterEqual(both['rd_bytes'], one['rd_bytes'])
        self.assertEqual(set(one), {'rd_operations', 'rd_bytes', 'rd_total_times', 'wr_operations', 'wr_bytes',
                                    'wr_total_times', 'flush_operations', 'flush_total_times'})
        self.assertEqual(self.d.blockStats(self.qcow2)[1], one['rd_bytes'])
        self.assertEqual(self.d.blockInfo('vda')[0], 20 * MIB)
        self.assertEqual(self.d.blockInfo('sda')[2], 10 * MIB)
        self.assertRegex(virsh('domblkinfo', self.name, '--all'), r'sdb +- +- +-')
        self.assertIn('No errors found', virsh('domblkerror', self.name))

    def memory(self):
        m = self.d.memoryStats()
        self.assertEqual((m['actual'], m['last_update']), (64 * 1024, 0))
        self.assertGreater(m['rss'], 1024)
        virsh('dommemstat', self.name, '--period', '7', '--live')
        self.assertIn("period='7'", self.d.XMLDesc(0))
        self.assertIn("period='2'", self.d.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        virsh('dommemstat', self.name, '--period', '0', '--config')
        self.assertNotIn('period=', self.d.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))

    def interfaces(self):
        status, _, err = virsh('domifstat', self.name, '52:54:00:11:22:34', check=False)
        self.assertEqual(status, 1)
        self.assertIn('Interface name not provided', err)

    def dirty_rate(self):
        virsh('domdirtyrate-calc', self.name, '1')
        self.assertEqual(stats_of(virsh('domstats', self.name, '--dirtyrate'))['dirtyrate.calc_status'], '1')

        def measured():
            s = stats_of(virsh('domstats', self.name, '--dirtyrate'))
            return s if s['dirtyrate.calc_status'] == '2' else None
        s = wait_for('a dirty rate', measured)
        self.assertEqual(s['dirtyrate.calc_period'], '1')
        self.assertIn('dirtyrate.megabytes_per_second', s)
        for seconds in ('0', '61'):
            status, _, err = virsh('domdirtyrate-calc', self.name, seconds, check=False)
            self.assertEqual(status, 1)
            self.assertIn('please choose value within [1, 60]', err)

    def collected(self):
        """What a collector gets of this guest: {(sample, device): value}."""
        tool = os.path.join(self.sandbox.build, 'tools', 'modvirt', 'modvirt')
        text = subprocess.run([tool, 'metrics'], env={**os.environ, 'MODVIRT_ROOT': self.sandbox.dir}, check=True,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120).stdout
        found = {}
        for (name, labels), value in itertools.chain(*(f.items() for f in parse_openmetrics(text).values())):
            if f'domain="{self.name}"' in labels:
                device = re.search('device="(.*)"', labels)
                found[name, device and device[1]] = value
        return found

    def collectors(self):
        self.assertEqual(self.collected()['modvirt_domain_state', None], 1)
        # Disks are told of with the answer that the first collection asked for.
        age = ('modvirt_domain_figures_age_seconds', None)
        wait_for('figures of disks', lambda: age in self.collected())
        m = self.collected()
        self.assertEqual(m['modvirt_domain_block_read_bytes_total', 'vda'], self.d.blockStats('vda')[1])
        self.assertEqual(m['modvirt_domain_memory_max_bytes', None], 64 * MIB)
        self.assertEqual(m['modvirt_domain_vcpus', None], 2)
        self.assertGreater(m['modvirt_domain_cpu_seconds_total', None], 0)
        self.assertGreater(m['modvirt_domain_resident_bytes', None], MIB)

    def wrong_words(self):
        for command, text in ((['domblkstat', self.name, 'nosuch'], 'invalid path: nosuch'),
                              (['domblkinfo', self.name, 'nosuch'], 'invalid path nosuch not assigned to domain'),
                              (['domblkinfo', self.name, 'sdb'], "'sdb' does not currently have a source assigned"),
                              (['domifstat', self.name, 'nosuch'], "'nosuch' is not a known interface")):
            status, _, err = virsh(*command, check=False)
            self.assertEqual(status, 1, command)
            self.assertIn(text, err)

    def hung(self):
        """A guest that does not answer is reported with what is known, and holds nobody up."""
        fine = self.c.createXML(domain_xml(unique('fine'), devices=f"<disk type='file'><source file='{self.base}'/>"
                                           "<target dev='vda'/><readonly/></disk>"))
        before = self.d.blockStatsFlags('vda')['rd_operations']
        os.kill(emulators(self.name)[0], signal.SIGSTOP)
        self.c.getAllDomainStats()                       # the one call that finds out
        started = time.monotonic()
        for _ in range(60):                              # half a second each, had every one to wait
            got = {d.name(): s for d, s in self.c.getAllDomainStats()}
        self.assertLess(time.monotonic() - started, 20.0 * SLOW)
        self.assertEqual(got[self.name]['block.0.rd.reqs'], before)
        self.assertEqual(got[self.name]['state.state'], libvirt.VIR_DOMAIN_RUNNING)
        self.assertIn('block.0.rd.reqs', got[fine.name()])
        self.assertIn('occupied', virsh('domcontrol', self.name))
        m = self.collected()
        self.assertGreater(m['modvirt_domain_monitor_silent_seconds', None], 0)
        self.assertIn(('modvirt_domain_block_read_bytes_total', 'vda'), m)
        os.kill(emulators(self.name)[0], signal.SIGCONT)
        wait_for('an answer', lambda: virsh('domcontrol', self.name).strip() == 'ok')
        virsh('domblkstat', self.name, 'vda')


if __name__ == '__main__':
    unittest.main()
