# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a guest gets of its host: processor time, pins, memory, block I/O, NUMA, throttles.

Limits are looked up where the kernel keeps them, in the guest's control group. On a host without
control groups that we may change, those tests say so and skip; the files of version 2 are in
util/test-cgroup.c. MODVIRT_PEER_CGROUPS=1 lets the peer make groups, so that these run there, too.
"""
import glob
import json
import os
import re
import unittest
import xml.etree.ElementTree as ET

import libvirt

from harness import (ON_PEER, TestCase, domain_xml, emulators, rows, run, scratch, start_event_loop, unique, virsh,
                     wait_for)

HOST_CPUS = len(os.sched_getaffinity(0))


def groups_work():
    """May we make control groups, with all controllers?"""
    if ON_PEER and not os.environ.get('MODVIRT_PEER_CGROUPS'):
        return False
    return os.geteuid() == 0 and all(os.access(f'/sys/fs/cgroup/{c}/cgroup.procs', os.W_OK)
                                     for c in ('cpu', 'cpuset', 'memory', 'blkio'))


needs_groups = unittest.skipUnless(groups_work(), 'needs control groups of version 1 that may be changed')


def settings(text):
    """{'name': 'value'} of output lines 'name  : value'."""
    return {name.strip(): value.strip() for name, value in
            (line.split(':', 1) for line in text.splitlines() if ':' in line)}


class Guest(TestCase):
    """One guest with spare vCPUs and an I/O thread, for all tests of a class."""
    extra = '<iothreads>2</iothreads>'
    devices = ''
    vcpus = "<vcpu current='2'>4</vcpu>"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared = cls('run_nothing')
        cls.shared.setUp()
        cls.addClassCleanup(cls.shared.doCleanups)
        cls.name = cls.shared.guest_name('tune')
        xml = domain_xml(cls.name, extra=cls.extra, devices=cls.devices)
        xml = xml.replace('<vcpu>1</vcpu>', cls.vcpus).replace("<memballoon model='none'/>", "<memballoon model='virtio'/>")
        xml = xml.replace("machine='pc'", "machine='q35'")
        cls.xml = xml
        cls.shared.connect().defineXML(xml)
        virsh('start', cls.name)
        cls.pid = emulators(cls.name)[0]

    def run_nothing(self):
        pass

    def refused(self, *args):
        status, _, err = virsh(*args, check=False)
        self.assertEqual(status, 1)
        return err.strip().splitlines()[-1]

    def live(self, path):
        return ET.fromstring(virsh('dumpxml', self.name)).find(path)

    def config(self, path):
        return ET.fromstring(virsh('dumpxml', '--inactive', self.name)).find(path)

    def group_file(self, controller, name, child=''):
        found = glob.glob(f'/sys/fs/cgroup/{controller}/machine/qemu-*-{self.name}.libvirt-qemu/{child}/{name}')
        self.assertEqual(len(found), 1)
        with open(found[0]) as f:
            return f.read().strip()


class ProcessorModel(TestCase):
    """A running guest's document says what the emulator made of its model."""

    def guest(self, cpu):
        name = self.guest_name('cpu')
        self.connect().defineXML(domain_xml(name, extra=cpu))
        return name

    def test_what_the_emulator_changed_is_told(self):
        name = self.guest("<cpu mode='custom' match='exact' check='none'><model>Skylake-Client</model></cpu>")
        virsh('start', name)
        cpu = ET.fromstring(virsh('dumpxml', name)).find('cpu')
        policies = {f.get('name'): f.get('policy') for f in cpu.findall('feature')}
        self.assertEqual((cpu.get('check'), policies['hypervisor'], policies['pcid']), ('full', 'require', 'disable'))
        self.assertIsNone(ET.fromstring(virsh('dumpxml', '--inactive', name)).find('cpu/feature'))

    def test_a_full_check_refuses_the_start(self):
        name = self.guest("<cpu mode='custom' match='exact' check='full'><model>qemu64</model><feature policy='require' name='pcid'/></cpu>")
        status, _, err = virsh('start', name, check=False)
        self.assertNotEqual(status, 0)
        self.assertIn("guest CPU doesn't match specification: extra features: hypervisor,lahf_lm, missing features: pcid", err)
        self.assertEqual(virsh('domstate', name).strip(), 'shut off')

    def test_a_partial_check_comes_before(self):
        name = self.guest("<cpu mode='custom' match='exact' check='partial'><model>qemu64</model><feature policy='require' name='pcid'/></cpu>")
        status, _, err = virsh('start', name, check=False)
        self.assertNotEqual(status, 0)
        self.assertIn('Host CPU does not provide required features: pcid', err)


class Processor(Guest):
    @needs_groups
    def test_shares_and_quotas_are_the_kernels(self):
        out = virsh('schedinfo', self.name, '--live', '--set', 'cpu_shares=2000', '--set', 'vcpu_quota=50000',
                    '--set', 'emulator_period=20000')
        self.assertEqual(settings(out)['cpu_shares'], '2000')
        self.assertEqual(self.group_file('cpu', 'cpu.shares'), '2000')
        for vcpu in ('vcpu0', 'vcpu1'):
            self.assertEqual(self.group_file('cpu', 'cpu.cfs_quota_us', vcpu), '50000')
        self.assertEqual(self.group_file('cpu', 'cpu.cfs_period_us', 'emulator'), '20000')
        self.assertEqual(self.live('cputune/shares').text, '2000')
        self.assertIsNone(self.config('cputune/shares'))
        # A value that is 0 leaves what is there.
        virsh('schedinfo', self.name, '--live', '--set', 'vcpu_quota=0')
        self.assertEqual(self.group_file('cpu', 'cpu.cfs_quota_us', 'vcpu0'), '50000')

    @needs_groups
    def test_refusals(self):
        self.assertEqual(self.refused('schedinfo', self.name, '--set', 'cpu_shares=1'),
                         "error: invalid argument: shares '1' must be in range [2, 262144]")
        self.assertEqual(self.refused('schedinfo', self.name, '--set', 'vcpu_period=99'),
                         "error: invalid argument: value of 'vcpu_period' is out of range [1000, 1000000]")
        self.assertEqual(self.refused('schedinfo', self.name, '--set', 'weight=99'),
                         'error: invalid scheduler option: weight')

    @needs_groups
    def test_config_waits_for_the_next_start(self):
        virsh('schedinfo', self.name, '--config', '--set', 'global_quota=70000')
        self.assertEqual(self.config('cputune/global_quota').text, '70000')
        self.assertEqual(self.group_file('cpu', 'cpu.cfs_quota_us'), '-1')
        self.assertEqual(settings(virsh('schedinfo', self.name, '--config'))['global_quota'], '70000')
        self.assertEqual(settings(virsh('schedinfo', self.name, '--live'))['global_quota'], '-1')

    def test_vcpus_are_where_they_are_pinned(self):
        virsh('vcpupin', self.name, '1', '0', '--live')
        self.assertEqual(dict(rows(virsh('vcpupin', self.name)))['1'], '0')
        self.assertIsNone(self.config("cputune/vcpupin[@vcpu='1']"))
        info = virsh('vcpuinfo', self.name, '--pretty')
        affinities = re.findall(r'CPU Affinity: +(\S+)', info)
        self.assertEqual(affinities[1], '0')
        self.assertEqual(len(affinities), 2)
        self.assertNotIn('N/A', info)
        self.assertEqual(self.refused('vcpupin', self.name, '9', '0'),
                         'error: invalid argument: vcpu 9 is out of range of live cpu count 2')

    def test_a_pin_of_a_cpu_that_is_not_there_waits_in_the_definition(self):
        virsh('vcpupin', self.name, '3', '0', '--live', '--config')
        self.assertEqual(self.live("cputune/vcpupin[@vcpu='3']").get('cpuset'), '0')
        self.assertEqual(self.config("cputune/vcpupin[@vcpu='3']").get('cpuset'), '0')

    def test_emulator_and_iothread(self):
        virsh('emulatorpin', self.name, '0')
        self.assertEqual(os.sched_getaffinity(self.pid), {0})
        self.assertEqual(virsh('emulatorpin', self.name).split()[-1], '0')
        virsh('iothreadpin', self.name, '2', '0')
        self.assertIn(['2', '0'], rows(virsh('iothreadinfo', self.name)))
        self.assertEqual(self.refused('iothreadpin', self.name, '7', '0'),
                         'error: invalid argument: iothread 7 not found')
        self.assertEqual(self.refused('iothreadpin', self.name, '7', '0', '--config'),
                         'error: invalid argument: iothreadid 7 not found')

    def test_polling_of_an_iothread(self):
        virsh('iothreadset', self.name, '1', '--poll-max-ns', '4000', '--poll-grow', '3', '--live')
        told = json.loads(virsh('qemu-monitor-command', self.name, '{"execute":"query-iothreads"}'))['return']
        one = next(t for t in told if t['id'] == 'iothread1')
        self.assertEqual((one['poll-max-ns'], one['poll-grow']), (4000, 3))
        virsh('iothreadset', self.name, '2', '--thread-pool-max', '5', '--config')
        self.assertEqual(self.config("iothreadids/iothread[@id='2']").get('thread_pool_max'), '5')
        self.assertEqual(self.refused('iothreadset', self.name, '1', '--poll-max-ns', '4000', '--config'),
                         'error: Operation not supported: configuring persistent polling values is not supported')

    def test_watchers_are_told(self):
        start_event_loop()
        told = []
        conn = self.connect()
        conn.setKeepAlive(5, 3)
        dom = conn.lookupByName(self.name)
        conn.domainEventRegisterAny(dom, libvirt.VIR_DOMAIN_EVENT_ID_TUNABLE,
                                    lambda _c, _d, params, _o: told.append(params), None)
        virsh('vcpupin', self.name, '0', '0')
        wait_for('the event', lambda: told)
        self.assertEqual(told, [{'cputune.vcpupin0': '0'}])


class Memory(Guest):
    @needs_groups
    def test_limits_are_the_kernels(self):
        virsh('memtune', self.name, '--hard-limit', '900000', '--swap-hard-limit', '1000000')
        self.assertEqual(self.group_file('memory', 'memory.limit_in_bytes'), str(900000 * 1024))
        self.assertEqual(self.group_file('memory', 'memory.memsw.limit_in_bytes'), str(1000000 * 1024))
        # Both ways, although the kernel takes only one order of each.
        virsh('memtune', self.name, '--hard-limit', '1800000', '--swap-hard-limit', '2000000')
        virsh('memtune', self.name, '--hard-limit', '700000', '--swap-hard-limit', '800000')
        self.assertEqual(settings(virsh('memtune', self.name)),
                         {'hard_limit': '700000', 'soft_limit': 'unlimited', 'swap_hard_limit': '800000'})
        self.assertEqual(self.refused('memtune', self.name, '--swap-hard-limit', '100'),
                         'error: invalid argument: memory hard_limit tunable value must be lower than or equal to '
                         'swap_hard_limit')
        virsh('memtune', self.name, '--hard-limit', '-1', '--swap-hard-limit', '-1')
        self.assertIsNone(self.live('memtune/hard_limit'))
        self.assertEqual(settings(virsh('memtune', self.name))['hard_limit'], 'unlimited')

    def test_config(self):
        virsh('memtune', self.name, '--soft-limit', '700000', '--config')
        self.assertEqual(self.config('memtune/soft_limit').text, '700000')
        self.assertIsNone(self.live('memtune/soft_limit'))
        self.assertEqual(self.refused('memtune', self.name, '--min-guarantee', '1', '--config'),
                         "error: argument unsupported: parameter 'min_guarantee' not supported")

    @needs_groups
    def test_blkio(self):
        virsh('blkiotune', self.name, '--weight', '300')
        self.assertEqual(settings(virsh('blkiotune', self.name))['weight'], '300')
        self.assertEqual(self.live('blkiotune/weight').text, '300')
        self.assertEqual(self.refused('blkiotune', self.name, '--device-read-iops-sec', '/nonexistent,5'),
                         "error: Path '/nonexistent' is not accessible: No such file or directory")

    def test_blkio_of_devices_in_the_definition(self):
        virsh('blkiotune', self.name, '--config', '--device-weights', '/dev/a,500,/dev/b,300',
              '--device-read-bytes-sec', '/dev/b,4096')
        virsh('blkiotune', self.name, '--config', '--device-weights', '/dev/a,0')
        self.assertEqual([p.text for p in ET.fromstring(virsh('dumpxml', '--inactive', self.name))
                          .findall('blkiotune/device/path')], ['/dev/b'])
        out = settings(virsh('blkiotune', self.name, '--config'))
        self.assertEqual((out['device_weight'], out['device_read_bytes_sec']), ('/dev/b,300', '/dev/b,4096'))
        self.assertEqual(self.refused('blkiotune', self.name, '--config', '--device-weights', 'bad'),
                         "error: invalid argument: unable to parse blkio device 'device_weight' 'bad'")

    def test_numa(self):
        self.assertEqual(self.refused('numatune', self.name, '--config', '--mode', 'interleave'),
                         "error: unsupported configuration: nodeset for NUMA memory tuning must be set if 'placement' "
                         "is 'static'")
        virsh('numatune', self.name, '--config', '--mode', 'preferred', '--nodeset', '0')
        self.assertEqual(settings(virsh('numatune', self.name, '--config')),
                         {'numa_mode': 'preferred', 'numa_nodeset': '0'})

    @needs_groups
    def test_numa_of_a_running_guest(self):
        self.assertEqual(self.refused('numatune', self.name, '--mode', 'strict', '--nodeset', '0'),
                         "error: Requested operation is not valid: can't change nodeset for strict mode for running domain")


class Vcpus(Guest):
    """Unplugging needs a guest that lets go, and an emulator that survives it: QEMU 7.2 without hardware
    acceleration does not."""

    def test_plugged_ones_are_there_at_once(self):
        virsh('setvcpus', self.name, '3', '--live')
        self.assertEqual(virsh('vcpucount', self.name, '--live').strip(), '3')
        self.assertEqual(virsh('vcpucount', self.name, '--config').strip(), '2')
        self.assertEqual([(v.get('enabled'), v.get('hotpluggable')) for v in
                          ET.fromstring(virsh('dumpxml', self.name)).findall('vcpus/vcpu')],
                         [('yes', 'no'), ('yes', 'no'), ('yes', 'yes'), ('no', 'yes')])
        self.assertIn('VCPU:           2', virsh('vcpuinfo', self.name))
        virsh('vcpupin', self.name, '2', '0')
        if groups_work():
            tid = int(self.group_file('cpu', 'tasks', 'vcpu2'))
            self.assertEqual(os.sched_getaffinity(tid), {0})
        self.assertEqual(self.refused('setvcpu', self.name, '2', '--enable', '--live'),
                         "error: invalid argument: vcpu '2' is already in requested state")
        self.assertEqual(self.refused('setvcpu', self.name, '1', '--disable', '--live'),
                         "error: Operation not supported: vcpu '1' can't be unplugged")
        self.assertEqual(self.refused('setvcpu', self.name, '2,3', '--disable', '--live'),
                         "error: invalid argument: vcpu '3' is already in requested state")
        self.assertEqual(self.refused('setvcpus', self.name, '1', '--live'),
                         'error: unsupported configuration: failed to find appropriate hotpluggable vcpus to reach the '
                         'desired target vcpu count')
        self.assertEqual(self.refused('setvcpus', self.name, '9', '--live'),
                         'error: invalid argument: requested vcpus is greater than max allowable vcpus for the live '
                         'domain: 9 > 4')

    def test_definition(self):
        virsh('vcpupin', self.name, '3', '0', '--config')
        virsh('setvcpus', self.name, '4', '--config')
        self.assertEqual(self.config('vcpu').get('current'), None)
        self.assertIsNone(self.config('vcpus'))
        virsh('setvcpus', self.name, '2', '--config')
        virsh('setvcpu', self.name, '3', '--enable', '--config')
        self.assertEqual(self.config("vcpus/vcpu[@id='3']").get('enabled'), 'yes')
        self.assertEqual(self.config('vcpu').get('current'), '3')
        self.assertEqual(self.refused('setvcpu', self.name, '0', '--disable', '--config'),
                         "error: invalid argument: vCPU '0' can't be modified")
        virsh('setvcpus', self.name, '2', '--maximum', '--config')
        self.assertEqual((self.config('vcpu').text, self.config('vcpu').get('current')), ('2', None))
        self.assertIsNone(self.config('cputune'))
        virsh('setvcpus', self.name, '4', '--maximum', '--config')
        self.assertEqual((self.config('vcpu').text, self.config('vcpu').get('current')), ('4', '2'))

    def test_present_from_the_start(self):
        name = self.guest_name()
        xml = domain_xml(name).replace('<vcpu>1</vcpu>', """<vcpu current='2'>4</vcpu><vcpus>
            <vcpu id='0' enabled='yes' hotpluggable='no'/><vcpu id='2' enabled='yes' hotpluggable='yes'/></vcpus>""")
        self.connect().createXML(xml)
        self.assertEqual(re.findall(r'VCPU: +(\d+)', virsh('vcpuinfo', name)), ['0', '2'])


class Balloon(Guest):
    def test_what_the_guest_gets(self):
        self.assertEqual(self.refused('setmem', self.name, '900M'),
                         'error: invalid argument: cannot set memory higher than max memory')
        virsh('setmem', self.name, '48M', '--live', '--config')   # nobody in the guest listens
        self.assertEqual(self.config('currentMemory').text, str(48 * 1024))
        self.assertEqual(self.refused('setmaxmem', self.name, '90M'),
                         'error: Requested operation is not valid: cannot resize the maximum memory on an active domain')
        virsh('setmaxmem', self.name, '40M', '--config')
        self.assertEqual((self.config('memory').text, self.config('currentMemory').text), ('40960', '40960'))

    def test_none(self):
        name = self.guest_name()
        self.connect().createXML(domain_xml(name))
        self.assertEqual(self.refused('setmem', name, '48M'),
                         'error: Requested operation is not valid: Unable to change memory of active domain without the '
                         'balloon device and guest OS balloon driver')


class Disks(Guest):
    """Limits of disks, of which two can share a group."""
    extra = ''

    @classmethod
    def setUpClass(cls):
        cls.images = [os.path.join(scratch(), unique('disk')) for _ in range(2)]
        for image in cls.images:
            with open(image, 'wb') as f:
                f.truncate(1 << 20)
        cls.devices = ''.join(f"""<disk type='file' device='disk'><driver name='qemu' type='raw'/>
            <source file='{image}'/><target dev='vd{letter}' bus='virtio'/></disk>"""
                              for image, letter in zip(cls.images, 'ab'))
        super().setUpClass()

    def limits(self, disk, *flags):
        return settings(virsh('blkdeviotune', self.name, disk, *flags))

    def in_emulator(self, disk):
        """What the emulator says of the disk's limits."""
        told = json.loads(virsh('qemu-monitor-command', self.name, '{"execute":"query-block"}'))['return']
        alias = {'vda': 'virtio-disk0', 'vdb': 'virtio-disk1'}[disk]
        return next(b['inserted'] for b in told if alias in b['qdev'])

    def test_limits(self):
        virsh('blkdeviotune', self.name, 'vda', '--live', '--total-bytes-sec', '1000000', '--read-iops-sec', '100',
              '--total-bytes-sec-max', '2000000', '--total-bytes-sec-max-length', '3')
        self.assertEqual({k: v for k, v in self.in_emulator('vda').items() if k in
                          ('bps', 'iops_rd', 'bps_max', 'bps_max_length')},
                         {'bps': 1000000, 'iops_rd': 100, 'bps_max': 2000000, 'bps_max_length': 3})
        self.assertEqual(self.limits('vda', '--config')['total_bytes_sec'], '0')
        # A kind is set as a whole; the others stay.
        virsh('blkdeviotune', self.name, 'vda', '--live', '--write-iops-sec', '50')
        now = self.limits('vda')
        self.assertEqual((now['read_iops_sec'], now['write_iops_sec'], now['total_bytes_sec']), ('0', '50', '1000000'))
        self.assertEqual(self.refused('blkdeviotune', self.name, 'vda', '--total-bytes-sec', '0'),
                         "error: unsupported configuration: cannot reset 'total_bytes_sec' when 'total_bytes_sec_max' is set")
        self.assertEqual(self.limits('vda')['total_bytes_sec'], '1000000')
        self.assertEqual(self.refused('blkdeviotune', self.name, 'vda', '--size-iops-sec', '9', '--total-iops-sec', '0'),
                         "error: internal error: unable to execute QEMU command 'block_set_io_throttle': iops size "
                         "requires an iops value to be set")

    def test_groups_share(self):
        virsh('blkdeviotune', self.name, 'vda', '--config', '--group-name', 'both', '--total-iops-sec', '70')
        virsh('blkdeviotune', self.name, 'vdb', '--config', '--group-name', 'both')
        self.assertEqual(self.limits('vdb', '--config')['total_iops_sec'], '70')
        virsh('blkdeviotune', self.name, 'vdb', '--config', '--total-iops-sec', '80')
        self.assertEqual(self.limits('vda', '--config')['total_iops_sec'], '80')

    def test_words_of_refusal(self):
        for args, words in ((['vdz'], "invalid argument: disk 'vdz' not found in domain"),
                            (['vdz', '--config'], "invalid argument: disk 'vdz' was not found in the domain config"),
                            (['vda', '--total-bytes-sec', '9', '--read-bytes-sec', '5'], 'invalid argument: total and '
                             'read/write of bytes_sec cannot be set at the same time'),
                            (['vda', '--total-iops-sec', '1000000000000001'], 'argument unsupported: block I/O throttle '
                             'limit value must be no more than 1000000000000000')):
            self.assertEqual(self.refused('blkdeviotune', self.name, *args), 'error: ' + words)

    def test_watchers_are_told(self):
        start_event_loop()
        told = []
        conn = self.connect()
        conn.setKeepAlive(5, 3)
        dom = conn.lookupByName(self.name)
        conn.domainEventRegisterAny(dom, libvirt.VIR_DOMAIN_EVENT_ID_TUNABLE,
                                    lambda _c, _d, params, _o: told.append(params), None)
        virsh('blkdeviotune', self.name, 'vdb', '--live', '--total-iops-sec', '900')
        wait_for('the event', lambda: told)
        self.assertEqual(told, [{'blkdeviotune.disk': 'vdb', 'blkdeviotune.total_iops_sec': 900}])


class Interfaces(Guest):
    extra = ''
    devices = """<interface type='user'><mac address='52:54:00:11:22:33'/></interface>
        <interface type='ethernet'><mac address='52:54:00:11:22:34'/></interface>"""

    def test_definition(self):
        virsh('domiftune', self.name, '52:54:00:11:22:34', '--config', '--inbound', '1000,2000,512', '--outbound', '300')
        out = settings(virsh('domiftune', self.name, '52:54:00:11:22:34', '--config'))
        self.assertEqual((out['inbound.average'], out['inbound.peak'], out['inbound.burst'], out['outbound.average']),
                         ('1000', '2000', '512', '300'))
        virsh('domiftune', self.name, '52:54:00:11:22:34', '--config', '--inbound', '0', '--outbound', '0')
        self.assertIsNone(self.config('devices/interface/bandwidth'))
        self.assertEqual(self.refused('domiftune', self.name, '52:54:00:11:22:33', '--inbound', '5'),
                         "error: unsupported configuration: setting bandwidth on interfaces of type 'user' is not "
                         "implemented yet")
        self.assertEqual(self.refused('domiftune', self.name, 'none'),
                         "error: invalid argument: 'none' is not a known interface")

    @unittest.skipIf(ON_PEER, 'the peer wants queueing disciplines that not every kernel has')
    def test_what_the_guest_receives(self):
        device = self.live("devices/interface[@type='ethernet']/target").get('dev')
        virsh('domiftune', self.name, device, '--live', '--inbound', '1000,2000,512')
        shown = run(['tc', 'class', 'show', 'dev', device])[1]
        self.assertRegex(shown, 'rate 8Mbit ceil 16Mbit')
        virsh('domiftune', self.name, device, '--live', '--inbound', '0')
        self.assertEqual(run(['tc', 'class', 'show', 'dev', device])[1], '')


class Counters(Guest):
    def test_software_counters(self):
        virsh('perf', self.name, '--live', '--enable', 'task_clock,page_faults')
        shown = self.connect().lookupByName(self.name).perfEvents()
        self.assertEqual((shown['task_clock'], shown['cmt'], len(shown)), (True, False, 22))
        self.assertIn('perf.task_clock=', virsh('domstats', '--perf', self.name))
        virsh('perf', self.name, '--live', '--disable', 'task_clock')
        self.assertNotIn('perf.task_clock=', virsh('domstats', '--perf', self.name))
        self.assertEqual(self.refused('perf', self.name, '--enable', 'bogus'),
                         "error: argument unsupported: parameter 'bogus' not supported")

    def test_definition(self):
        virsh('perf', self.name, '--config', '--enable', 'cmt,cpu_cycles', '--disable', 'page_faults')
        self.assertEqual([(e.get('name'), e.get('enabled')) for e in
                          ET.fromstring(virsh('dumpxml', '--inactive', self.name)).findall('perf/event')],
                         [('cmt', 'yes'), ('cpu_cycles', 'yes'), ('page_faults', 'no')])

    @needs_groups
    def test_processor_time(self):
        total = re.search(r'cpu_time +([0-9.]+) seconds', virsh('cpu-stats', self.name, '--total'))
        self.assertGreater(float(total[1]), 0)
        self.assertEqual(len(re.findall('vcpu_time', virsh('cpu-stats', self.name))), 0 if ON_PEER else HOST_CPUS)
        self.assertIn('is out of range', self.refused('cpu-stats', self.name, '--start', '4096'))


class Host(TestCase):
    def test_merged_pages(self):
        if not os.path.isdir('/sys/kernel/mm/ksm'):
            self.skipTest('the kernel merges no pages')
        with open('/sys/kernel/mm/ksm/sleep_millisecs') as f:
            before = f.read().strip()
        self.assertEqual(re.search(r'shm_sleep_millisecs (\d+)', virsh('node-memory-tune'))[1], before)
        virsh('node-memory-tune', '--shm-sleep-millisecs', before)

    def test_pools_of_pages(self):
        page = os.sysconf('SC_PAGESIZE') // 1024
        for size, words in ((page, "Operation not supported: system pages pool can't be modified"),
                            (3, 'operation failed: page size 3 is not available')):
            status, _, err = virsh('allocpages', str(size), '1', check=False)
            self.assertEqual((status, err.strip()), (1, 'error: ' + words))

    def test_a_host_that_cannot_sleep_says_so(self):
        status, _, err = virsh('nodesuspend', 'hybrid', '60', check=False)
        if 'suspend_hybrid' in virsh('capabilities'):
            self.skipTest('it can')
        self.assertEqual((status, err.strip().splitlines()[-1]), (1, 'error: argument unsupported: Hybrid-Suspend'))


class Start(TestCase):
    """What the definition says holds from the first instruction on."""

    @needs_groups
    def test_everything_is_in_place(self):
        name = self.guest_name()
        xml = domain_xml(name, extra="""
  <memtune><hard_limit unit='MiB'>900</hard_limit></memtune>
  <blkiotune><weight>200</weight></blkiotune>
  <iothreads>1</iothreads>
  <cputune><shares>512</shares><quota>60000</quota><iothread_quota>40000</iothread_quota>
    <vcpupin vcpu='0' cpuset='0'/><emulatorpin cpuset='0'/><iothreadpin iothread='1' cpuset='0'/>
    <vcpusched vcpus='0' scheduler='batch'/></cputune>""")
        self.connect().createXML(xml)
        group = glob.glob(f'/sys/fs/cgroup/cpu/machine/qemu-*-{name}.libvirt-qemu')[0]
        path = group[len('/sys/fs/cgroup/cpu'):]

        def value(controller, file, child=''):
            with open(f'/sys/fs/cgroup/{controller}{path}/{child}/{file}') as f:
                return f.read().strip()

        self.assertEqual(value('cpu', 'cpu.shares'), '512')
        self.assertEqual(value('cpu', 'cpu.cfs_quota_us', 'vcpu0'), '60000')
        self.assertEqual(value('cpu', 'cpu.cfs_quota_us', 'iothread1'), '40000')
        self.assertEqual(value('cpuset', 'cpuset.cpus', 'vcpu0'), '0')
        self.assertEqual(value('memory', 'memory.limit_in_bytes'), str(900 << 20))
        vcpu = int(value('cpu', 'tasks', 'vcpu0'))
        self.assertEqual(os.sched_getaffinity(vcpu), {0})
        self.assertEqual(os.sched_getscheduler(vcpu), os.SCHED_BATCH)
        pid = emulators(name)[0]
        self.assertEqual(value('memory', 'cgroup.procs'), str(pid))
        self.assertIn(str(pid), value('cpu', 'tasks', 'emulator').split())
        self.assertEqual(virsh('dumpxml', name, '--xpath', '//resource/partition/text()').strip(), '/machine')
        virsh('destroy', name)
        self.assertFalse(glob.glob(f'/sys/fs/cgroup/*{path}'))

    @needs_groups
    def test_a_value_that_the_kernel_refuses_fails_the_start_and_leaves_nothing(self):
        name = self.guest_name()
        xml = domain_xml(name, extra='<cputune><shares>1</shares></cputune>')
        error = self.assertLibvirtError(libvirt.VIR_ERR_CONFIG_UNSUPPORTED, self.connect().createXML, xml)
        self.assertIn("Value of cputune 'shares' must be in range [2, 262144]", str(error))
        self.assertFalse(glob.glob(f'/sys/fs/cgroup/*/machine/*{name}*'))
        self.assertFalse(emulators(name))


    @unittest.skipIf(os.path.exists('/sys/fs/resctrl/schemata'), 'the kernel divides caches')
    def test_what_this_host_cannot_divide_is_not_ignored(self):
        error = self.assertLibvirtError(
            libvirt.VIR_ERR_CONFIG_UNSUPPORTED, self.connect().createXML,
            domain_xml(self.guest_name(), extra="""<cputune><cachetune vcpus='0'>
                <cache id='0' level='3' type='both' size='1' unit='MiB'/></cachetune></cputune>"""))
        self.assertIn('cachetune and memorytune are only supported for KVM domains', str(error))


class Inactive(TestCase):
    """Questions and changes of a guest that does not run."""

    def test_words_of_refusal(self):
        name = self.define().name()
        for command in (['vcpupin', name, '0', '0', '--live'], ['emulatorpin', name, '0', '--live'],
                        ['schedinfo', name, '--live'], ['memtune', name, '--live'], ['blkiotune', name, '--live'],
                        ['numatune', name, '--live'], ['iothreadinfo', name, '--live']):
            status, _, err = virsh(*command, check=False)
            self.assertEqual((status, err.strip().splitlines()[-1]),
                             (1, 'error: Requested operation is not valid: domain is not running'), command)

    def test_vcpuinfo_tells_the_definition(self):
        name = self.define().name()
        self.assertIn('State:          N/A', virsh('vcpuinfo', name))

    def test_nothing_set_is_zero(self):
        name = self.define().name()
        out = settings(virsh('schedinfo', name))
        self.assertEqual(out['Scheduler'], 'posix')
        self.assertEqual({value for word, value in out.items() if word != 'Scheduler'}, {'0'})
        virsh('schedinfo', name, '--set', 'cpu_shares=1')       # the kernel decides when it starts
        self.assertEqual(settings(virsh('schedinfo', name))['cpu_shares'], '1')


if __name__ == '__main__':
    unittest.main()
