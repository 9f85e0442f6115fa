# SPDX-License-Identifier: LGPL-2.1-or-later
"""Interfaces of real guests on devices of the host, in a network of the test's own."""
import ctypes
import os
import shutil
import signal
import subprocess
import unittest

import libvirt

from harness import domain_xml, emulators, unique, virsh, wait_for
from test_agent import Guest

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000


def sh(command):
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)


def setUpModule():
    if os.geteuid() != 0 or not shutil.which('dnsmasq') or not shutil.which('ip'):
        raise unittest.SkipTest('needs root, ip and dnsmasq')
    # From here on this process and its children, daemons included, have a network of their own.
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET | CLONE_NEWNS) != 0:
        raise unittest.SkipTest('no namespaces: ' + os.strerror(ctypes.get_errno()))
    sh('mount --make-rprivate / && mount -t sysfs sysfs /mnt && mount --rbind /sys/fs/cgroup /mnt/fs/cgroup && '
       'mount --move /mnt /sys 2>/dev/null || { umount -R /mnt; mount -t sysfs sysfs /sys; }')
    sh('ip link set lo up && ip link add br-test type bridge && ip addr add 192.168.99.1/24 dev br-test && '
       'ip link set br-test mtu 1400 up && ip link add v-low type veth peer name v-peer && '
       'ip addr add 192.168.98.1/24 dev v-peer && ip link set v-low up && ip link set v-peer up')


def links():
    return os.listdir('/sys/class/net')


class Interfaces(Guest):
    def serve(self, device, prefix):
        """A DHCP server; returns the path of its leases."""
        leases = os.path.join(self.directory, 'leases')
        server = subprocess.Popen(['dnsmasq', '--no-daemon', '--conf-file=/dev/null', '--port=0', f'--interface={device}',
                                   '--bind-interfaces', f'--dhcp-range={prefix}.10,{prefix}.20', '--leasefile-ro',
                                   '--dhcp-script=/bin/true', '--pid-file=', '--user=root', '--log-dhcp'],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        return leases

    def lease(self, d):
        """Asks the guest to get an address, and gives it that."""
        self.run_inside(d, '/bin/ifconfig', 'eth0', 'up')
        script = 'echo "#!/bin/sh\n[ \\$1 = bound ] && ifconfig eth0 \\$ip netmask \\$subnet" >/tmp/dhcp; chmod 755 /tmp/dhcp'
        self.assertEqual(self.run_inside(d, '/bin/sh', '-c', script)[0], 0)
        status, out = self.run_inside(d, '/bin/udhcpc', '-i', 'eth0', '-n', '-q', '-f', '-t', '60', '-T', '1', '-s', '/tmp/dhcp')
        self.assertEqual(status, 0, out)
        found = d.interfaceAddresses(libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT)['eth0']['addrs']
        return [a['addr'] for a in found if a['type'] == libvirt.VIR_IP_ADDR_TYPE_IPV4][0]

    def test_bridge(self):
        self.serve('br-test', '192.168.99')
        d = self.boot("<interface type='bridge'><source bridge='br-test'/><model type='virtio'/></interface>")
        address = self.lease(d)
        self.assertTrue(address.startswith('192.168.99.'))
        sh(f'busybox ping -c 1 -W 60 {address}')
        found = d.interfaceAddresses(libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP)
        self.assertEqual([a['addr'] for i in found.values() for a in i['addrs']], [address])
        tap = virsh('domiflist', d.name()).split()[0]
        with open(f'/sys/class/net/{tap}/mtu') as f:
            self.assertEqual(f.read().strip(), '1400')
        d.destroy()
        wait_for('end of the tap', lambda: tap not in links())

    def test_macvtap(self):
        self.serve('v-peer', '192.168.98')
        xml = "<interface type='direct'><source dev='v-low' mode='bridge'/><model type='virtio'/></interface>"
        d = self.boot(xml)
        device = virsh('domiflist', d.name()).split()[0]
        self.assertRegex(device, r'^macvtap\d+$')
        address = self.lease(d)
        self.assertTrue(address.startswith('192.168.98.'))
        sh(f'busybox ping -c 1 -W 60 {address}')
        # It does not go by itself: who ends the guest removes it, also after a restart.
        name = d.name()
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        self.sandbox.start_daemon('virtqemud')
        self.assertIn(device, links())
        self.connect().lookupByName(name).destroy()
        self.assertNotIn(device, links())

    def test_what_fails_leaves_nothing(self):
        before = sorted(links())
        for devices, code in (
                ("<interface type='direct'><source dev='no-such' mode='bridge'/></interface>",
                 libvirt.VIR_ERR_CONFIG_UNSUPPORTED),
                ("<interface type='direct'><source dev='v-low' mode='bridge'/></interface>"
                 "<interface type='bridge'><source bridge='no-such'/></interface>", libvirt.VIR_ERR_SYSTEM_ERROR),
                ("<interface type='ethernet'><target dev='no-such' managed='no'/></interface>",
                 libvirt.VIR_ERR_CONFIG_UNSUPPORTED)):
            with self.subTest(devices):
                name = unique('no')
                self.assertLibvirtError(code, self.conn.createXML, domain_xml(name, devices=devices))
                self.assertEqual(emulators(name), [])
                self.assertEqual(sorted(links()), before)

    def test_ethernet(self):
        told = os.path.join(self.directory, 'told')
        script = os.path.join(self.directory, 'script')
        with open(script, 'w') as f:
            f.write(f'#!/bin/sh\necho "$@" >>{told}\n')
        os.chmod(script, 0o755)
        d = self.conn.createXML(domain_xml(unique('eth'), devices=(
            f"<interface type='ethernet'><target dev='tap-named'/><script path='{script}'/></interface>")))
        with open(told) as f:
            self.assertEqual(f.read(), 'tap-named\n')
        self.assertIn('tap-named', links())
        d.destroy()
        wait_for('end of the tap', lambda: 'tap-named' not in links())
        # One that is there already stays.
        sh('ip tuntap add dev tap-mine mode tap vnet_hdr && ip link set tap-mine up')
        self.addCleanup(sh, 'ip link del tap-mine')
        d = self.conn.createXML(domain_xml(unique('eth'), devices=(
            "<interface type='ethernet'><target dev='tap-mine' managed='no'/></interface>")))
        d.destroy()
        self.assertIn('tap-mine', links())


if __name__ == '__main__':
    unittest.main()
