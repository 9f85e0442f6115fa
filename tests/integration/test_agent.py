# SPDX-License-Identifier: LGPL-2.1-or-later
"""The real guest agent in a real guest, and what happens when it falls silent."""
import json
import os
import signal
import subprocess
import threading
import time
import unittest

import libvirt
import libvirt_qemu

from harness import OwnSandbox, domain_xml, emulators, read_until, rows, scratch, start_event_loop, unique, virsh, wait_for

CHANNEL = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
UNRESPONSIVE = libvirt.VIR_ERR_AGENT_UNRESPONSIVE


def setUpModule():
    start_event_loop()


def image(size='24M'):
    path = os.path.join(scratch(), unique('fs') + '.img')
    subprocess.run(['truncate', '-s', size, path], check=True)
    subprocess.run(['mkfs.ext4', '-q', path], check=True)
    return path


class Guest(OwnSandbox):
    def setUp(self):
        super().setUp()
        self.sandbox.start()
        self.use(self.sandbox)
        self.conn = self.connect()
        self.events = []

    def boot(self, devices='', extra='', **how):
        d = self.conn.createXML(domain_xml(unique('agent'), boots='full', devices=CHANNEL + devices, extra=extra, **how))
        wait_for('the agent', lambda: self.channel_state(d) == 'connected')
        return d

    def channel_state(self, d):
        return 'connected' if "state='connected'" in d.XMLDesc() else 'disconnected'

    def ask(self, d, command, timeout=60, **arguments):
        return json.loads(libvirt_qemu.qemuAgentCommand(
            d, json.dumps({'execute': command, 'arguments': arguments}), timeout, 0))['return']

    def run_inside(self, d, *argv):
        """Runs a program in the guest and returns its status and output."""
        pid = self.ask(d, 'guest-exec', path=argv[0], arg=list(argv[1:]), **{'capture-output': True})['pid']
        done = wait_for(' '.join(argv), lambda: (lambda s: s if s['exited'] else None)(
            self.ask(d, 'guest-exec-status', pid=pid)))
        import base64
        return done.get('exitcode'), base64.b64decode(done.get('out-data', '')).decode()


class Channels(Guest):
    def test_a_channel_of_the_hosts_program(self):
        d = self.boot("<channel type='unix'><target type='virtio' name='org.modvirt.test'/></channel>")
        stream = self.conn.newStream(0)
        d.openChannel('org.modvirt.test', stream, 0)
        another = self.conn.newStream(0)
        self.assertIn('active channel session exists', str(self.assertLibvirtError(
            libvirt.VIR_ERR_OPERATION_FAILED, d.openChannel, 'org.modvirt.test', another, 0)))
        port = '/dev/virtio-ports/org.modvirt.test'
        self.assertEqual(self.run_inside(d, '/bin/sh', '-c', f'echo from the guest > {port}')[0], 0)
        self.assertEqual(read_until(stream.recv, b'\n'), b'from the guest\n')
        stream.send(b'from the host\n')
        self.assertEqual(self.run_inside(d, '/bin/sh', '-c', f'head -n 1 {port}'), (0, 'from the host\n'))
        stream.finish()
        for name in ('nobody', ''):
            self.assertIn('cannot find channel', str(self.assertLibvirtError(
                libvirt.VIR_ERR_INTERNAL_ERROR, d.openChannel, name, self.conn.newStream(0), 0)))


class Commands(Guest):
    def test_everything_that_a_guest_tells(self):
        seen = []
        self.conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE,
                                         lambda c, d, state, reason, o: seen.append((state, reason)), None)
        disk = f"<disk type='file' device='disk'><source file='{image()}'/><target dev='vda' bus='virtio'/></disk>"
        d = self.boot(disk)
        name = d.name()
        wait_for('both events', lambda: len(seen) >= 2)
        self.assertEqual(seen[:2], [(libvirt.VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_DISCONNECTED,
                                     libvirt.VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_DOMAIN_STARTED),
                                    (libvirt.VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED,
                                     libvirt.VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_CHANNEL)])

        self.assertEqual(virsh('qemu-agent-command', name, '{"execute":"guest-ping"}').strip(), '{"return":{}}')
        status, _, err = virsh('qemu-agent-command', name, '{"execute":"no-such"}', check=False)
        self.assertEqual((status, err.strip()), (1, "error: internal error: unable to execute QEMU agent command 'no-such': "
                                                    'The command no-such has not been found'))

        # File systems: one of ours, frozen and thawed.
        self.assertEqual(self.run_inside(d, '/bin/mkdir', '/mnt')[0], 0)
        self.assertEqual(self.run_inside(d, '/bin/mount', '-t', 'ext4', '/dev/vda', '/mnt')[0], 0)
        self.assertEqual(rows(virsh('domfsinfo', name)), [['/mnt', 'vda', 'ext4', 'vda']])
        self.assertEqual(d.fsFreeze(), 1)
        status, _, err = virsh('guestinfo', name, '--filesystem', check=False)
        self.assertEqual(status, 1)            # a frozen agent refuses what might write
        self.assertIn('guest-get-fsinfo', err)
        self.assertEqual(d.fsThaw(), 1)
        self.assertEqual(d.fsFreeze(['/mnt']), 1)
        self.assertEqual(d.fsThaw(), 1)
        self.assertLibvirtError(libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED, d.fsThaw, ['/mnt'])

        info = d.guestInfo()
        self.assertEqual((info['os.id'], info['hostname'], info['fs.count'], info['fs.0.mountpoint'],
                          info['fs.0.disk.0.alias']), ('modvirt', 'modvirt-guest', 1, '/mnt', 'vda'))
        self.assertEqual(info['timezone.offset'], 0)
        self.assertIn('/dev/vda', [info[f'disk.{i}.name'] for i in range(info['disk.count'])])
        self.assertNotIn('os.id', d.guestInfo(libvirt.VIR_DOMAIN_GUEST_INFO_TIMEZONE))
        self.assertLibvirtError(libvirt.VIR_ERR_INVALID_ARG, d.guestInfo, 1 << 20)

        # Time.
        self.assertLess(abs(d.getTime()['seconds'] - time.time()), 3600)
        virsh('domtime', name, '--time', '1000000000')
        self.assertLess(abs(d.getTime()['seconds'] - 1000000000), 300)
        virsh('domtime', name, '--now')
        self.assertLess(abs(d.getTime()['seconds'] - time.time()), 300)

        # Names, addresses, keys, passwords, CPUs.
        self.assertEqual(virsh('domhostname', name, '--source', 'agent').strip(), 'modvirt-guest')
        self.assertIn(['lo', '00:00:00:00:00:00', 'ipv4', '127.0.0.1/8'],
                      rows(virsh('domifaddr', name, '--source', 'agent')))
        d.authorizedSSHKeysSet('root', ['ssh-rsa AAAA one', 'ssh-rsa BBBB two'])
        d.authorizedSSHKeysSet('root', ['ssh-rsa AAAA one'], libvirt.VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_REMOVE)
        d.authorizedSSHKeysSet('root', ['ssh-rsa CCCC three'], libvirt.VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND)
        self.assertEqual(sorted(d.authorizedSSHKeysGet('root')), ['ssh-rsa BBBB two', 'ssh-rsa CCCC three'])
        self.assertLibvirtError(libvirt.VIR_ERR_INTERNAL_ERROR, d.authorizedSSHKeysGet, 'nobody-here')
        virsh('set-user-password', name, 'root', 'secret', '--encrypted')
        self.assertIn('root:secret:', self.run_inside(d, '/bin/cat', '/etc/shadow')[1])
        self.assertEqual(d.guestVcpus(), {'vcpus': '0-1', 'online': '0-1', 'offlinable': '1'})
        virsh('guestvcpus', name, '--cpulist', '1', '--disable')
        self.assertEqual(d.guestVcpus()['online'], '0')
        self.assertEqual(virsh('vcpucount', name, '--guest').strip(), '1')
        self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_UNSUPPORTED, d.setGuestVcpus, '0', 0)
        self.assertLibvirtError(libvirt.VIR_ERR_INVALID_ARG, d.setGuestVcpus, '7', 1)
        virsh('guestvcpus', name, '--cpulist', '1', '--enable')

        # Sleep: what the guest does is told, and it comes back.
        virsh('dompmsuspend', name, 'mem')
        self.assertEqual(virsh('domstate', name).strip(), 'pmsuspended')
        self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_INVALID, d.suspend)
        virsh('dompmwakeup', name)
        wait_for('wake-up', lambda: virsh('domstate', name).strip() == 'running')
        wait_for('the agent', lambda: self.channel_state(d) == 'connected')
        self.assertEqual(self.ask(d, 'guest-ping'), {})

        # A restart of the daemon finds the agent again, and the timeout.
        d.agentSetResponseTimeout(3)
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        self.sandbox.start_daemon('virtqemud')
        self.conn = self.connect()
        d = self.conn.lookupByName(name)
        self.assertEqual(self.ask(d, 'guest-ping'), {})

        # The end: by the agent, which then no longer answers.
        virsh('shutdown', name, '--mode', 'agent')
        wait_for('end of the guest', lambda: not emulators(name))

    def boot(self, devices='', **how):
        xml = domain_xml(unique('agent'), boots='full', devices=CHANNEL + devices).replace('<vcpu>1<', '<vcpu>2<')
        d = self.conn.createXML(xml)
        wait_for('the agent', lambda: self.channel_state(d) == 'connected')
        return d


class Silence(Guest):
    """Agents that are not there, and one that is stopped inside the guest."""
    def test_none(self):
        d = self.conn.createXML(domain_xml(unique('none')))
        e = self.assertLibvirtError(libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED, d.fsFreeze)
        self.assertIn('QEMU guest agent is not configured', str(e))
        e = self.assertLibvirtError(libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED, d.shutdownFlags, libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT)
        d.suspend()
        self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_INVALID, d.fsFreeze)

    def test_hung_agent_hinders_nobody(self):
        d = self.boot()
        name = d.name()
        pids = self.run_inside(d, '/bin/pidof', 'qemu-ga')[1].split()
        libvirt_qemu.qemuAgentCommand(d, json.dumps({'execute': 'guest-exec', 'arguments': {
            'path': '/bin/kill', 'arg': ['-STOP', *pids]}}), 60, 0)
        d.agentSetResponseTimeout(12)
        failed = []

        def ask():
            try:
                libvirt.open(self.sandbox.uri()).lookupByName(name).guestInfo()
            except libvirt.libvirtError as e:
                failed.append(e.get_error_code())

        waiting = [threading.Thread(target=ask) for _ in range(4)]
        for t in waiting:
            t.start()
        time.sleep(0.3)
        self.assertTrue(all(t.is_alive() for t in waiting))
        # Changing and asking go on meanwhile.
        virsh('suspend', name)
        virsh('resume', name)
        virsh('dominfo', name)
        self.assertTrue(any(t.is_alive() for t in waiting), 'the guest was asked for too short a time')
        for t in waiting:
            t.join(120)
        self.assertEqual(failed, [UNRESPONSIVE] * 4)
        # Without an order the button is pressed; destroy needs nobody.
        waiting = threading.Thread(target=ask)
        waiting.start()
        time.sleep(0.3)
        virsh('destroy', name)
        waiting.join(120)
        wait_for('end of the emulator', lambda: not emulators(name))


if __name__ == '__main__':
    unittest.main()
