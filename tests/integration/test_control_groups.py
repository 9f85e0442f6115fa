# SPDX-License-Identifier: LGPL-2.1-or-later
"""Control groups that a new daemon finds, and hosts without any."""
import glob
import os
import signal
import unittest

import libvirt

from harness import OwnSandbox, domain_xml, unique, virsh, wait_for
from test_tuning import needs_groups, settings


class Restart(OwnSandbox):
    """A new daemon finds groups, threads and counters of guests that run."""

    @needs_groups
    def test_tuning_goes_on(self):
        self.sandbox.start()
        name = unique('kept')
        self.connect().createXML(domain_xml(name, extra='<iothreads>1</iothreads>').replace(
            '<features>', '<perf><event name="task_clock" enabled="yes"/></perf><features>'))
        virsh('schedinfo', name, '--live', '--set', 'vcpu_quota=50000')
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        self.sandbox.start_daemon('virtqemud')
        wait_for('the guest', lambda: name in virsh('list', '--name'))
        self.assertEqual(settings(virsh('schedinfo', name, '--live'))['vcpu_quota'], '50000')
        self.assertNotIn('N/A', virsh('vcpuinfo', name))
        self.assertIn('perf.task_clock=', virsh('domstats', '--perf', name))
        virsh('vcpupin', name, '0', '0')
        group = glob.glob(f'/sys/fs/cgroup/cpu/machine/qemu-*-{name}.libvirt-qemu')
        self.assertEqual(len(group), 1)
        virsh('destroy', name)
        self.assertFalse(os.path.exists(group[0]))


class WithoutGroups(OwnSandbox):
    """Where there are no control groups guests run, and what needs one says so."""

    def test_words(self):
        os.makedirs(os.path.join(self.directory, 'etc', 'libvirt'), exist_ok=True)
        with open(os.path.join(self.directory, 'etc', 'libvirt', 'qemu.conf'), 'w') as f:
            f.write('cgroup_controllers = [ ]\n')
        self.sandbox.start()
        name = unique('bare')
        self.connect().createXML(domain_xml(name))
        for command, words in ((['schedinfo', '--set', 'cpu_shares=5'], 'cgroup CPU controller is not mounted'),
                               (['memtune'], 'cgroup memory controller is not mounted'),
                               (['blkiotune'], "blkio cgroup isn't mounted"),
                               (['numatune', '--nodeset', '0'], 'cgroup cpuset controller is not mounted'),
                               (['cpu-stats'], 'cgroup CPUACCT controller is not mounted')):
            status, _, err = virsh(command[0], name, *command[1:], check=False)
            self.assertEqual((status, err.strip().splitlines()[-1]),
                             (1, f'error: Requested operation is not valid: {words}'), command)
        virsh('vcpupin', name, '0', '0')                        # that needs none
        self.assertFalse(glob.glob(f'/sys/fs/cgroup/*/machine/*{name}*'))
        error = self.assertLibvirtError(libvirt.VIR_ERR_CONFIG_UNSUPPORTED, self.connect().createXML,
                                        domain_xml(unique('bare'), extra='<cputune><shares>5</shares></cputune>'))
        self.assertIn('CPU tuning is not available on this host', str(error))


if __name__ == '__main__':
    unittest.main()
