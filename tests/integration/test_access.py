# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may do what: rules from a file, polkit on a bus of the test's own, and what administrators see of it.

Users are taken on by root with setpriv; elsewhere these tests are skipped. polkitd runs in a mount
namespace of its own, where its rules are the test's.
"""
import contextlib
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest

import libvirt
from harness import OwnSandbox, domain_xml, run, virsh, wait_for

ALICE, BOB = 1, 2
POLKITD = '/usr/lib/polkit-1/polkitd'

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/>
<allow send_type="method_call"/><allow send_type="signal"/><allow receive_type="method_call"/>
<allow send_requested_reply="true" send_type="method_return"/><allow receive_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/><allow receive_type="error"/>
<allow receive_type="signal"/></policy></busconfig>
"""


# As many uploads as there may be, which send nothing; a line says why there are no more.
UPLOADS = """import libvirt, sys
libvirt.registerErrorHandler(lambda *_: None, None)
streams = []
try:
    while len(streams) < 1000:
        c = libvirt.open(sys.argv[1])
        v = c.storagePoolLookupByName('p').storageVolLookupByName('v')
        for _ in range(64):
            streams.append(c.newStream())
            v.upload(streams[-1], 0, 0)
except libvirt.libvirtError as e:
    streams.pop()
    print(e, flush=True)
sys.stdin.read()
for s in streams:
    s.abort()
"""


@unittest.skipUnless(os.geteuid() == 0 and shutil.which('setpriv'), 'needs root and setpriv')
class Access(OwnSandbox):
    def setUp(self):
        super().setUp()
        self.etc = os.path.join(self.sandbox.dir, 'etc', 'libvirt')
        os.makedirs(self.etc, exist_ok=True)

    def write(self, name, text):
        with open(os.path.join(self.etc, name), 'w', encoding='utf-8') as f:
            f.write(text)

    def start(self):
        self.sandbox.start()
        for path in (self.sandbox.dir, os.path.join(self.sandbox.dir, 'run'), self.sandbox.run_dir):
            os.chmod(path, 0o755)
        self.use(self.sandbox, 'virtproxyd')
        c = self.connect()
        self.web, self.db = (c.defineXML(domain_xml(name)) for name in ('web-1', 'db'))
        return c

    def virsh_as(self, uid, *args, daemon='virtproxyd', readonly=False):
        """(status, what it printed)"""
        status, out, err = run(['setpriv', f'--reuid={uid}', f'--regid={uid}', '--clear-groups', 'env', 'HOME=/nonexistent',
                                'virsh', '-q', '-c', self.sandbox.uri(daemon, readonly)] + list(args), check=False)
        return status, out + err

    def names_for(self, uid, **how):
        status, out = self.virsh_as(uid, 'list', '--all', '--name', **how)
        self.assertEqual(status, 0, out)
        return sorted(out.split())

    def modvirt(self, *args):
        status, out, err = run([os.path.join(self.sandbox.build, 'tools', 'modvirt', 'modvirt')] + list(args), check=False,
                               env={'MODVIRT_ROOT': self.sandbox.dir})
        return status, out + err

    def hang_up(self, daemon):
        with open(os.path.join(self.sandbox.dir, 'run', f'{daemon}.pid'), encoding='ascii') as f:
            os.kill(int(f.read()), signal.SIGHUP)

    def open_to_all(self):
        self.write('virtproxyd.conf', 'auth_unix_rw = "none"\nunix_sock_rw_perms = "0777"\n')


class Rules(Access):
    RULES = f"""allow user {ALICE}  connect:*
deny  anyone    domain:read_secure
allow user {ALICE}  domain:getattr,read  name=web-*
allow user {ALICE}  domain:write,save    name=web-* driver=QEMU
deny  user {ALICE}  domain:*
"""

    def test_rules(self):
        self.open_to_all()
        self.write('virtqemud.conf', 'access_drivers = [ "rules" ]\n')
        self.write('access.rules', self.RULES)
        self.start()
        self.assertEqual(self.names_for(ALICE), ['web-1'])
        self.assertEqual(self.virsh_as(ALICE, 'autostart', 'web-1')[0], 0)
        status, text = self.virsh_as(ALICE, 'dominfo', 'db')
        self.assertTrue(status and 'failed to get domain' in text, text)
        status, text = self.virsh_as(ALICE, 'dominfo', self.db.UUIDString())
        self.assertTrue(status and 'failed to get domain' in text, text)
        status, text = self.virsh_as(ALICE, 'start', 'web-1')
        self.assertTrue(status, text)
        self.assertRegex(text, r"domain_create\w* needs the permission domain:start on domain 'web-1': line 5 of .*rules")
        status, text = self.virsh_as(ALICE, 'dumpxml', '--security-info', 'web-1')
        self.assertIn('domain:read_secure', text)
        status, text = self.virsh_as(BOB, 'list', '--all')
        self.assertTrue(status and 'no rule of' in text, text)
        # Who is asked about elsewhere gets the same answers.
        self.assertEqual(self.modvirt('can-i', '--user', str(ALICE), 'domain:write', 'web-1'), (0, 'yes\n'))
        status, text = self.modvirt('can-i', '--user', str(ALICE), 'org.libvirt.api.domain.start', 'web-1')
        self.assertEqual(status, 1, text)
        self.assertIn('line 5', text)

        # A mistake changes nothing; what is right counts at once.
        self.write('access.rules', 'allow anyone domain:nonsense\n')
        self.hang_up('virtqemud')
        wait_for('a line in the log', lambda: 'access.rules:1' in self.sandbox.log_tail('virtqemud', 50))
        self.assertEqual(self.names_for(ALICE), ['web-1'])
        self.write('access.rules', 'allow anyone *\n')
        self.hang_up('virtqemud')
        wait_for('the new rules', lambda: self.names_for(ALICE) == ['db', 'web-1'])

    def test_a_guest_whose_disk_is_a_volume(self):
        """Who starts it needs to see pool and volume: the storage daemon is asked on behalf of the caller."""
        self.open_to_all()
        for daemon in ('virtqemud', 'virtstoraged'):
            self.write(f'{daemon}.conf', 'access_drivers = [ "rules" ]\n')
        rules = f'allow user {ALICE} connect:*\nallow user {ALICE} domain:*\nallow user {ALICE} storage_pool:*\n'
        self.write('access.rules', rules)
        c = self.start()
        path = os.path.join(self.sandbox.dir, 'pool')
        os.mkdir(path)
        virsh('pool-create-as', 'p', 'dir', '--target', path)
        virsh('vol-create-as', 'p', 'v', '1M')
        c.defineXML(domain_xml('stored', devices="<disk type='volume' device='disk'><source pool='p' volume='v'/>"
                                                 "<target dev='vda' bus='virtio'/></disk>"))
        status, text = self.virsh_as(ALICE, 'start', 'stored')
        self.assertTrue(status, text)
        self.assertIn("step 'volumes'", text)
        self.assertNotIn(path, text)
        self.write('access.rules', rules + f'allow user {ALICE} storage_vol:getattr,read name=v\n')
        self.hang_up('virtstoraged')
        wait_for('the new rules', lambda: self.virsh_as(ALICE, 'start', 'stored')[0] == 0)
        virsh('destroy', 'stored')

    def test_a_copy_is_read(self):
        """Whoever may make volumes in one pool does not read those of another by copying them, nor what lies below them."""
        self.open_to_all()
        for daemon in ('virtqemud', 'virtstoraged'):
            self.write(f'{daemon}.conf', 'access_drivers = [ "rules" ]\n')
        rules = (f'allow user {ALICE} connect:*\nallow user {ALICE} storage_pool:*\nallow user {ALICE} storage_vol:getattr,read\n'
                 f'allow user {ALICE} storage_vol:* in=hers\n')
        self.write('access.rules', rules)
        self.start()
        for pool in ('ours', 'hers'):
            os.mkdir(os.path.join(self.sandbox.dir, pool))
            virsh('pool-create-as', pool, 'dir', '--target', os.path.join(self.sandbox.dir, pool))
        virsh('vol-create-as', 'ours', 'secret', '1M')
        virsh('vol-create-as', 'hers', 'top', '1M', '--format', 'qcow2', '--backing-vol', os.path.join(self.sandbox.dir, 'ours/secret'),
              '--backing-vol-format', 'raw')
        xml = os.path.join(self.sandbox.dir, 'copy.xml')
        with open(xml, 'w', encoding='ascii') as f:
            f.write('<volume><name>copy</name></volume>')
        os.chmod(xml, 0o644)
        for volume, pool in (('secret', 'ours'), ('top', 'hers')):
            status, text = self.virsh_as(ALICE, 'vol-create-from', 'hers', xml, volume, '--inputpool', pool)
            self.assertTrue(status, text)
            self.assertIn("volume 'secret' of pool 'ours' needs the permission storage_vol:data_read", text)
        self.assertEqual(os.listdir(os.path.join(self.sandbox.dir, 'hers')), ['top'])
        self.write('access.rules', rules + f'allow user {ALICE} storage_vol:data_read name=secret\n')
        self.hang_up('virtstoraged')
        wait_for('the new rules', lambda: self.virsh_as(ALICE, 'vol-create-from', 'hers', xml, 'secret', '--inputpool', 'ours')[0] == 0)

    def test_uploads_of_one_user_leave_some_to_others(self):
        self.open_to_all()
        self.start()
        path = os.path.join(self.sandbox.dir, 'pool')
        os.mkdir(path)
        virsh('pool-create-as', 'p', 'dir', '--target', path)
        virsh('vol-create-as', 'p', 'v', '1M')
        data = os.path.join(self.sandbox.dir, 'data')
        with open(data, 'wb') as f:
            f.write(bytes(4096))
        os.chmod(data, 0o644)
        client = subprocess.Popen(['setpriv', f'--reuid={ALICE}', f'--regid={ALICE}', '--clear-groups', sys.executable, '-c', UPLOADS,
                                   self.sandbox.uri('virtproxyd')], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            self.assertIn(f'250 uploads and downloads of uid {ALICE} are going on already', client.stdout.readline())
            status, text = self.virsh_as(ALICE, 'vol-upload', 'v', data, '--pool', 'p')
            self.assertTrue(status and '250 uploads' in text, text)
            self.assertEqual(self.virsh_as(BOB, 'vol-upload', 'v', data, '--pool', 'p')[0], 0)
            virsh('vol-upload', 'v', data, '--pool', 'p')
        finally:
            client.communicate()
        wait_for('their end', lambda: self.virsh_as(ALICE, 'vol-upload', 'v', data, '--pool', 'p')[0] == 0)

    def test_the_secret_of_a_pool(self):
        """Whoever may start pools does not have any secret sent to a server of his choice."""
        self.open_to_all()
        for daemon in ('virtqemud', 'virtstoraged', 'virtsecretd'):
            self.write(f'{daemon}.conf', 'access_drivers = [ "rules" ]\n')
        self.write('access.rules', f'allow user {ALICE} connect:*\nallow user {ALICE} storage_pool:*\n'
                   f'allow user {ALICE} secret:getattr,read\n')
        c = self.start()
        secret = c.secretDefineXML("<secret><usage type='iscsi'><target>t</target></usage></secret>")
        secret.setValue(b'password')
        try:
            c.storagePoolDefineXML("<pool type='iscsi-direct'><name>p</name><source><host name='127.0.0.1' port='1'/>"
                                   "<device path='iqn.t:x'/><initiator><iqn name='iqn.i:y'/></initiator>"
                                   "<auth type='chap' username='u'><secret usage='t'/></auth></source></pool>")
        except libvirt.libvirtError as e:
            self.skipTest(str(e))
        status, text = self.virsh_as(ALICE, 'pool-start', 'p')
        self.assertTrue(status, text)
        self.assertIn('secret:read_secure', text)
        status, text = self.virsh_as(0, 'pool-start', 'p')
        self.assertTrue(status, text)
        self.assertNotIn('secret', text)           # nobody is at that port

    def test_the_proxy_changes_nothing(self):
        """A refusal is the same on the daemon's own socket and through the proxy; what is read-only stays so."""
        self.open_to_all()
        self.write('virtqemud.conf', 'access_drivers = [ "rules" ]\nauth_unix_rw = "none"\nunix_sock_rw_perms = "0777"\n')
        self.write('access.rules', self.RULES)
        self.start()
        # What is allowed must not change what the next one finds.
        for command in (['start', 'web-1'], ['dominfo', 'db'], ['undefine', 'web-1'], ['dumpxml', '--security-info', 'web-1'],
                        ['suspend', 'web-1'], ['domrename', 'web-1', 'db'], ['capabilities']):
            for readonly in (False, True):
                for uid in (ALICE, BOB):
                    direct, proxied = (self.virsh_as(uid, *command, daemon=d, readonly=readonly)
                                       for d in ('virtqemud', 'virtproxyd'))
                    self.assertEqual(direct, proxied, (command, readonly, uid))
                    if readonly and command[0] in ('start', 'undefine', 'suspend', 'domrename'):
                        self.assertTrue(proxied[0] and re.search('read.only|forbidden|no domain|get domain|no rule', proxied[1]),
                                        proxied)
        # Root is not asked about by the rules, and yet bound by the socket that it came through.
        for daemon in ('virtqemud', 'virtproxyd'):
            status, text = self.virsh_as(0, 'undefine', 'web-1', daemon=daemon, readonly=True)
            self.assertTrue(status and re.search('read.only|forbidden', text), text)

    def test_not_at_the_proxy(self):
        """Whoever puts access control into the proxy's file must not believe that it is in force."""
        self.write('virtproxyd.conf', 'auth_unix_rw = "none"\nunix_sock_rw_perms = "0777"\naccess_drivers = [ "rules" ]\n')
        self.start()
        self.assertIn('access_drivers belongs in the files of the daemons', self.sandbox.log_tail('virtproxyd', 50))
        self.assertEqual(self.names_for(0), ['db', 'web-1'])
        status, text = self.virsh_as(ALICE, 'list')
        self.assertTrue(status, text)
        wait_for('a line in the log', lambda: 'only the owner may connect' in self.sandbox.log_tail('virtproxyd', 50))

    def test_events_are_filtered(self):
        self.open_to_all()
        self.write('virtqemud.conf', 'access_drivers = [ "rules" ]\n')
        self.write('access.rules', self.RULES)
        c = self.start()
        argv = ['setpriv', f'--reuid={ALICE}', f'--regid={ALICE}', '--clear-groups', 'env', 'HOME=/nonexistent', 'virsh', '-q',
                '-c', self.sandbox.uri(), 'event', '--all', '--loop']
        there = [c.defineXML(domain_xml(name)) for name in ('db-2', 'web-2')]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as watcher:
            self.addCleanup(watcher.kill)

            def seen():
                for d in there:
                    c.defineXML(domain_xml(d.name(), uuid=d.UUIDString()))
                return select.select([watcher.stdout], [], [], 1)[0]
            wait_for('an event', seen)             # it may not have asked for them before
            c.defineXML(domain_xml('db-3'))
            c.defineXML(domain_xml('web-3'))
            lines = []
            while not lines or 'web-3' not in lines[-1]:
                lines.append(watcher.stdout.readline())
                self.assertTrue(lines[-1], lines)
            watcher.kill()
        self.assertIn('web-2', lines[0])
        self.assertNotIn('db-', ''.join(lines))


@unittest.skipUnless(os.path.exists(POLKITD) and shutil.which('dbus-daemon') and shutil.which('unshare'),
                     'needs polkitd and dbus-daemon')
class Polkit(Access):
    def setUp(self):
        super().setUp()
        self.rules = os.path.join(self.sandbox.dir, 'polkit')
        os.makedirs(self.rules)
        bus = os.path.join(self.sandbox.dir, 'bus')
        with open(bus + '.conf', 'w', encoding='utf-8') as f:
            f.write(BUS.format(bus))
        os.chmod(self.sandbox.dir, 0o755)
        os.chmod(self.rules, 0o755)
        # The actions are those that we install, whatever else this machine has.
        self.actions = os.path.join(self.sandbox.dir, 'actions')
        os.makedirs(self.actions)
        os.chmod(self.actions, 0o755)
        source = os.path.join(os.path.dirname(__file__), '..', '..', 'protocols', 'org.libvirt.unix.policy')
        for policy in source, os.path.join(self.sandbox.build, 'protocols', 'org.libvirt.api.policy'):
            shutil.copy(policy, self.actions)
        self.address = f'unix:path={bus}'
        self.sandbox.extra_env['DBUS_SYSTEM_BUS_ADDRESS'] = self.address
        self.spawn(['dbus-daemon', '--nofork', f'--config-file={bus}.conf'])
        wait_for('the bus', lambda: os.path.exists(bus))

    def spawn(self, argv):
        child = subprocess.Popen(argv, env={**os.environ, 'DBUS_SYSTEM_BUS_ADDRESS': self.address},
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def grant(self, text):
        with open(os.path.join(self.rules, '10-test.rules'), 'w', encoding='utf-8') as f:
            f.write(f'polkit.addRule(function(action, subject) {{ {text} }});\n')

    def start_polkitd(self):
        self.polkitd = self.spawn(['unshare', '-m', 'sh', '-c', 'mkdir -p /etc/polkit-1/rules.d && '
                                   f'mount --bind {self.rules} /etc/polkit-1/rules.d && '
                                   f'mount --bind {self.actions} /usr/share/polkit-1/actions && exec {POLKITD} --no-debug'])
        wait_for('polkitd', lambda: 'PolicyKit1' in run(
            ['dbus-send', f'--bus={self.address}', '--print-reply', '--dest=org.freedesktop.DBus', '/',
             'org.freedesktop.DBus.ListNames'], check=False)[1])

    def test_connecting(self):
        self.write('virtproxyd.conf', 'auth_unix_rw = "polkit"\nauth_unix_group = "daemon"\n')
        self.grant(f'if (action.id == "org.libvirt.unix.manage" && subject.user == "bin") return polkit.Result.YES;')
        self.start()
        # Nobody to ask: root and the group get in, others learn why not.
        self.assertEqual(self.names_for(0), ['db', 'web-1'])
        self.assertEqual(self.names_for(ALICE), ['db', 'web-1'])
        status, text = self.virsh_as(BOB, 'list')
        self.assertTrue(status and 'org.libvirt.unix.manage' in text and "group 'daemon'" in text, text)
        self.start_polkitd()
        self.assertEqual(self.names_for(BOB), ['db', 'web-1'])
        status, text = self.virsh_as(3, 'list')
        self.assertRegex(text, r'polkit action org\.libvirt\.unix\.manage for uid 3 \(process \d+\): no polkit agent')

    # What virsh starts on a terminal when it hears that an agent is missing. Ours tells us whose agent it is to
    # be, and says that it is there once one is registered.
    PKTTYAGENT = """#!/bin/sh
while [ $# -gt 0 ]; do case $1 in --process) pid=${2%%,*};; --notify-fd) fd=$2;; esac; shift; done
echo $pid >DIR/agent-for
read line <DIR/agent-ready
eval "exec $fd>&-"
sleep 60
"""

    def virsh_on_terminal(self, uid, what):
        """(status, what it printed, what the agent was asked)"""
        for name in ('agent-for', 'agent-ready'):
            path = os.path.join(self.sandbox.dir, name)
            if not os.path.exists(path):
                os.mkfifo(path)
                os.chmod(path, 0o666)
        fake = os.path.join(self.sandbox.dir, 'pkttyagent')
        with open(fake, 'w', encoding='ascii') as f:
            f.write(self.PKTTYAGENT.replace('DIR', self.sandbox.dir))
        os.chmod(fake, 0o755)
        argv = ['unshare', '-m', 'sh', '-c', f'mount --bind {fake} /usr/bin/pkttyagent && exec "$@"', 'sh', 'setpriv',
                f'--reuid={uid}', f'--regid={uid}', '--clear-groups', 'env', 'HOME=/nonexistent', 'virsh', '-q', '-c',
                self.sandbox.uri('virtproxyd'), 'list', '--all', '--name']
        pid, terminal = pty.fork()
        if pid == 0:
            os.execvp(argv[0], argv)
        with open(os.path.join(self.sandbox.dir, 'agent-for'), encoding='ascii') as f:
            client = f.read().strip()
        agent = subprocess.Popen([os.path.join(os.path.dirname(__file__), 'polkit_agent.py'), client, what],
                                 env={**os.environ, 'DBUS_SYSTEM_BUS_ADDRESS': self.address}, stdout=subprocess.PIPE, text=True)
        self.assertEqual(agent.stdout.readline(), 'ready\n')
        with open(os.path.join(self.sandbox.dir, 'agent-ready'), 'w', encoding='ascii') as f:
            f.write('ready\n')
        text = b''
        with contextlib.suppress(OSError):     # the other side has gone
            while data := os.read(terminal, 4096):
                text += data
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(terminal)
        agent.kill()
        asked = agent.communicate()[0]
        return status, text.decode(), asked.splitlines()

    @unittest.skipUnless(os.path.exists('/usr/bin/pkttyagent'), 'needs pkttyagent')
    def test_a_person_is_asked(self):
        try:
            import dbus
            import gi
            del dbus, gi
        except ImportError:
            self.skipTest('needs python3-dbus and python3-gi')
        self.write('virtproxyd.conf', 'auth_unix_rw = "polkit"\n')
        self.grant('if (action.id == "org.libvirt.unix.manage") return polkit.Result.AUTH_SELF;')
        self.start_polkitd()
        self.start()
        status, text, asked = self.virsh_on_terminal(ALICE, 'yes')
        self.assertEqual((status, sorted(text.split())), (0, ['db', 'web-1']))
        self.assertEqual(asked, ['asked org.libvirt.unix.manage'])
        status, text, asked = self.virsh_on_terminal(ALICE, 'dismiss')
        self.assertTrue(status and asked, text)
        self.assertIn('authentication cancelled: ', text)
        self.assertIn('did not give it', text)
        status, text, asked = self.virsh_on_terminal(ALICE, 'wrong')
        self.assertTrue(status, text)
        self.assertGreater(len(asked), 1, 'virsh asks again')
        self.assertIn('authentication failed: ', text)

    def test_access(self):
        self.open_to_all()
        self.write('virtqemud.conf', 'access_drivers = [ "polkit" ]\n')
        self.grant('if (action.id.indexOf("org.libvirt.api.domain.") == 0) return subject.user == "daemon" && '
                   'action.lookup("connect_driver") == "QEMU" && action.lookup("domain_name") == "web-1" && '
                   'action.lookup("domain_uuid") && action.id != "org.libvirt.api.domain.start" ? polkit.Result.YES '
                   ': polkit.Result.NO;')
        self.start_polkitd()
        self.start()
        self.assertEqual(self.names_for(ALICE), ['web-1'])
        self.assertEqual(self.names_for(BOB), [])
        self.assertEqual(self.virsh_as(ALICE, 'autostart', 'web-1')[0], 0)
        status, text = self.virsh_as(ALICE, 'start', 'web-1')
        self.assertTrue(status and 'org.libvirt.api.domain.start' in text, text)
        # The daemon hears that rules changed; a connection that is open feels it at once.
        argv = ['setpriv', f'--reuid={ALICE}', f'--regid={ALICE}', '--clear-groups', 'env', 'HOME=/nonexistent', 'virsh', '-q',
                '-c', self.sandbox.uri()]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as shell:
            self.addCleanup(shell.kill)

            def answer():
                shell.stdin.write('domstate web-1\n')
                shell.stdin.flush()
                while not re.search('shut off|error:', line := shell.stdout.readline()):
                    self.assertTrue(line, 'virsh ended')   # what is typed comes back, too
                return line
            self.assertIn('shut off', answer())
            self.grant('if (action.id == "org.libvirt.api.domain.read" || action.id == "org.libvirt.api.domain.getattr") '
                       'return polkit.Result.NO;')
            wait_for('a refusal', lambda: 'error:' in answer())
            shell.communicate(timeout=120)
        # Without polkit nobody but root may anything, and nothing hangs.
        self.polkitd.kill()
        self.polkitd.wait()
        began = time.monotonic()
        status, text = self.virsh_as(ALICE, 'list', '--all')
        self.assertLess(time.monotonic() - began, 60)
        self.assertTrue(status and 'polkit' in text, text)
        self.assertEqual(self.names_for(0), ['db', 'web-1'])


LABELS = r'\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*"(?:,(?!\})|(?=\})))+\}'
SAMPLE = re.compile(rf'^([a-zA-Z_:][a-zA-Z0-9_:]*)({LABELS})? ([0-9.eE+-]+|\+Inf|NaN)$')


def parse_openmetrics(text):
    """Samples as {family: {(name, labels): value}}; AssertionError for what the format does not allow."""
    families, types, family = {}, {}, None
    lines = text.split('\n')
    assert lines[-2:] == ['# EOF', ''], lines[-2:]
    for line in lines[:-2]:
        if line.startswith('# TYPE '):
            family, kind = line.split(' ')[2:]
            assert family not in families, f'family {family} twice'
            assert kind in ('counter', 'gauge', 'histogram'), line
            families[family], types[family] = {}, kind
        elif line.startswith('# HELP '):
            assert line.split(' ')[2] == family, line
        else:
            m = SAMPLE.match(line)
            assert m, line
            name, labels, value = m[1], m[2] or '', float(m[3])
            allowed = {'gauge': [family], 'counter': [family + '_total'],
                       'histogram': [family + s for s in ('_bucket', '_sum', '_count')]}[types[family]]
            assert name in allowed, f'{line} in family {family}'
            assert (name, labels) not in families[family], f'{line} twice'
            families[family][name, labels] = value
    for family, kind in types.items():
        if kind == 'histogram':
            check_histogram(family, families[family])
    return families


def check_histogram(family, samples):
    last = {}
    for (name, labels), value in samples.items():
        if name == family + '_bucket':
            le = re.search(r'le="([^"]*)"', labels)[1]
            rest = re.sub(r',?le="[^"]*"', '', labels).replace('{}', '')
            before = last.get(rest, (-1.0, 0.0))
            assert float(le) > before[0] and value >= before[1], (labels, value)
            last[rest] = (float(le), value)
    for rest, (le, value) in last.items():
        assert le == float('inf') and samples[family + '_count', rest] == value, (family, rest)
        assert (family + '_sum', rest) in samples


class Figures(OwnSandbox):
    def get(self, daemon, request=b'GET /metrics HTTP/1.0\r\nHost: x\r\n\r\n'):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(120)
            s.connect(os.path.join(self.sandbox.run_dir, f'{daemon}-metrics-sock'))
            s.sendall(request)
            data = b''.join(iter(lambda: s.recv(65536), b''))
        head, _, body = data.partition(b'\r\n\r\n')
        return head.decode().split('\r\n'), body.decode()

    def test_metrics(self):
        self.sandbox.start()
        self.use(self.sandbox, 'virtproxyd')
        c = self.connect()
        for _ in range(7):
            c.listAllDomains()
        try:
            c.lookupByName('nobody')
        except Exception:
            pass
        for daemon in ('virtproxyd', 'virtqemud'):
            head, body = self.get(daemon)
            self.assertEqual(head[0], 'HTTP/1.0 200 OK')
            self.assertIn(f'Content-Length: {len(body.encode())}', head)
            families = parse_openmetrics(body)
            self.assertEqual(families['modvirt_clients']['modvirt_clients', f'{{server="{daemon}"}}'], 1)
            labels = '{program="remote",procedure="connect_list_all_domains"}'
            self.assertEqual(families['modvirt_call_seconds']['modvirt_call_seconds_count', labels], 7)
            labels = '{program="remote",procedure="domain_lookup_by_name"}'
            self.assertEqual(families['modvirt_call_failures']['modvirt_call_failures_total', labels], 1)
            self.assertIn('modvirt_jobs_queued', families)
            upstreams = families.get('modvirt_upstreams', {}).get(('modvirt_upstreams', '{daemon="primary"}'))
            self.assertEqual(upstreams, 1 if daemon == 'virtproxyd' else None)

    def test_other_requests(self):
        self.sandbox.start()
        self.assertEqual(self.get('virtqemud', b'GET / HTTP/1.0\r\n\r\n')[0][0], 'HTTP/1.0 404 Not Found')
        self.assertEqual(self.get('virtqemud', b'POST /metrics HTTP/1.0\r\n\r\n')[0][0], 'HTTP/1.0 405 Method Not Allowed')
        self.assertEqual(self.get('virtqemud', b'x' * 4095)[0], [''])
        # One who says nothing is sent away, and others are served meanwhile.
        with socket.socket(socket.AF_UNIX) as slow:
            slow.settimeout(120)
            slow.connect(os.path.join(self.sandbox.run_dir, 'virtqemud-metrics-sock'))
            slow.sendall(b'GET ')
            self.assertEqual(self.get('virtqemud')[0][0], 'HTTP/1.0 200 OK')
            self.assertEqual(slow.recv(1), b'')


if __name__ == '__main__':
    unittest.main()
