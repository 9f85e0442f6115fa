# SPDX-License-Identifier: LGPL-2.1-or-later
"""Daemons and emulators that are killed and disks that are full, at every step of a guest's life.

Afterwards the truth is told, nothing is lost, nothing is left over.
"""
import contextlib
import os
import signal
import subprocess
import unittest

import libvirt

from harness import EMULATOR, ON_PEER, OwnSandbox, domain_xml, emulators, unique, wait_for

PAGE = os.sysconf('SC_PAGE_SIZE')


@unittest.skipIf(ON_PEER or os.geteuid() != 0, 'needs a daemon of its own, and root')
class Faults(OwnSandbox):
    def setUp(self):
        super().setUp()
        os.chmod(self.sandbox.dir, 0o755)
        self.write('etc/libvirt/qemu.conf', 'user = "nobody"\ngroup = "nogroup"\n')
        self.path = os.path.join(self.sandbox.dir, 'disk')
        with open(self.path, 'wb') as f:
            f.truncate(1 << 20)
        os.chown(self.path, 1234, 1235)

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.sandbox.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def start(self):
        if self.sandbox.daemons:
            self.sandbox.start_daemon('virtqemud')
        else:
            self.sandbox.start()
        self.use(self.sandbox, 'virtqemud')
        return self.connect()

    def xml(self, name, emulator=EMULATOR):
        devices = (f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{self.path}'/>"
                   "<target dev='vda' bus='virtio'/></disk>"
                   "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>")
        return domain_xml(name, devices=devices).replace(f'<emulator>{EMULATOR}<', f'<emulator>{emulator}<')

    def left_over(self, name):
        """Everything on this host that belongs to a run of this guest."""
        found = [f'process {pid}' for pid in emulators(name)]
        for top in ('var/lib/libvirt/qemu', 'run/libvirt/qemu'):
            for folder, directories, files in os.walk(os.path.join(self.sandbox.dir, top)):
                found += [os.path.join(folder, x) for x in directories + files if name in x or name[:20] in x]
        st = os.stat(self.path)
        if (st.st_uid, st.st_gid) != (1234, 1235) or os.listxattr(self.path):
            found.append(f'owner {st.st_uid}:{st.st_gid} {os.listxattr(self.path)}')
        for folder, directories, _ in os.walk('/sys/fs/cgroup'):
            found += [os.path.join(folder, x) for x in directories if name in x]
        return found

    def assertNothingLeft(self, name):
        wait_for('everything to be undone', lambda: not self.left_over(name) or None)

    def assertOff(self, conn, name, defined):
        def state():
            with contextlib.suppress(libvirt.libvirtError):
                return conn.lookupByName(name).state()[0]
            return None
        expected = libvirt.VIR_DOMAIN_SHUTOFF if defined else None
        wait_for('the truth', lambda: state() == expected)
        if defined:
            self.assertFalse(conn.lookupByName(name).isActive())

    def assertStarts(self, conn, name):
        dom = conn.lookupByName(name)
        dom.create()
        self.assertEqual(len(emulators(name)), 1)
        dom.destroy()
        self.assertNothingLeft(name)

    def killed_by(self, action):
        """Does action, in the middle of which somebody kills the daemon; starts it again."""
        with contextlib.suppress(libvirt.libvirtError):
            action()
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        return self.start()


class KilledDaemon(Faults):
    """The scripts that a start calls know where they are, and kill who called them."""
    HOOK = '#!/bin/sh\n[ "$2" = {op} ] && [ -e {armed} ] && rm {armed} && kill -9 $PPID && sleep 0.2\nexit 0\n'

    def test_in_hooks(self):
        armed = os.path.join(self.sandbox.dir, 'armed')
        conn = self.start()
        for op in ('prepare', 'start', 'started', 'stopped', 'release'):
            for transient in (False, True):
                with self.subTest(op=op, transient=transient):
                    self.write('etc/libvirt/hooks/qemu', self.HOOK.format(op=op, armed=armed), 0o755)
                    conn = self.killed_by(lambda: None)    # hooks are looked for at the start of the daemon
                    name = unique('hook')
                    open(armed, 'w', encoding='ascii').close()

                    def life():
                        dom = conn.createXML(self.xml(name)) if transient else conn.defineXML(self.xml(name))
                        if not transient:
                            dom.create()
                        dom.destroy()
                    conn = self.killed_by(life)
                    self.assertFalse(os.path.exists(armed), 'the hook was not called')
                    self.assertOff(conn, name, defined=not transient)
                    self.assertNothingLeft(name)
                    if not transient:
                        self.assertStarts(conn, name)
                        conn.lookupByName(name).undefine()

    def test_by_the_emulator(self):
        """As soon as it was executed, and when it was asked the first question."""
        os.chmod(self.sandbox.dir, 0o777)      # where the emulator's user removes a file
        conn = self.start()
        for when in ('sh -c "kill -9 $parent"', '(sleep 0.05; kill -9 $parent) &', '(sleep 0.3; kill -9 $parent) &'):
            with self.subTest(when=when):
                armed = os.path.join(self.sandbox.dir, 'armed')
                wrapper = self.write('emulator', '#!/bin/sh\nparent=$PPID\n'
                                     f'if [ -e {armed} ] && [ "$1" = -name ]; then rm -f {armed}; {when}\nfi\nexec {EMULATOR} "$@"\n', 0o755)
                name = unique('launch')
                dom = conn.defineXML(self.xml(name, wrapper))
                open(armed, 'w', encoding='ascii').close()
                conn = self.killed_by(dom.create)
                self.assertFalse(os.path.exists(armed), 'the emulator was not called')
                dom = conn.lookupByName(name)
                wait_for('truth', lambda: dom.isActive() == bool(emulators(name)))
                if dom.isActive():             # it had got that far
                    dom.destroy()
                self.assertNothingLeft(name)
                self.assertStarts(conn, name)

    def test_at_any_moment(self):
        conn = self.start()
        name = unique('any')
        conn.defineXML(self.xml(name))
        for delay in (0.001, 0.003, 0.006, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2):
            pid = self.sandbox.daemons['virtqemud'].pid
            killer = subprocess.Popen(['sh', '-c', f'sleep {delay}; kill -9 {pid}'])
            with contextlib.suppress(libvirt.libvirtError):
                conn.lookupByName(name).create()
                conn.lookupByName(name).destroy()
            killer.wait()
            self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
            conn = self.start()
            dom = conn.lookupByName(name)
            wait_for('truth', lambda: dom.isActive() == (len(emulators(name)) == 1))
            if dom.isActive():
                dom.destroy()
            self.assertNothingLeft(name)
        self.assertStarts(conn, name)


    def test_while_a_device_comes(self):
        conn = self.start()
        name = unique('plug')
        dom = conn.defineXML(self.xml(name))
        dom.create()
        other = self.write('other', 'x' * 4096)
        os.chown(other, 1234, 1235)
        xml = (f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{other}'/>"
               "<target dev='vdb' bus='virtio'/></disk>")
        pid, = emulators(name)
        os.kill(pid, signal.SIGSTOP)           # it is not going to answer
        with subprocess.Popen(['virsh', '-q', '-c', self.sandbox.uri('virtqemud'), 'attach-device', name,
                               self.write('disk.xml', xml)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            wait_for('the file to be lent', lambda: os.stat(other).st_uid != 1234)
            conn = self.killed_by(lambda: None)
        os.kill(pid, signal.SIGCONT)
        dom = conn.lookupByName(name)
        dom.destroy()
        self.assertNothingLeft(name)
        self.assertEqual((os.stat(other).st_uid, os.listxattr(other)), (1234, []))


class KilledEmulator(Faults):
    def test_while_it_starts(self):
        """At its first step, and after a while."""
        conn = self.start()
        for body in ('kill -9 $$', f'{EMULATOR} -version >&2; echo "no such thing as an answer" >&2; exit 3'):
            wrapper = self.write('emulator', f'#!/bin/sh\n[ "$1" = -name ] && {{ {body}; }}\nexec {EMULATOR} "$@"\n', 0o755)
            name = unique('dies')
            dom = conn.defineXML(self.xml(name, wrapper))
            with self.assertRaises(libvirt.libvirtError) as caught:
                dom.create()
            text = str(caught.exception)
            self.assertRegex(text, r"(?s)^internal error: process exited while connecting to monitor: .*step '\w+' of the start")
            if 'answer' in body:
                self.assertIn('no such thing as an answer', text)   # its own words
            self.assertOff(conn, name, defined=True)
            self.assertEqual(dom.state(), [libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_FAILED])
            self.assertNothingLeft(name)

    def test_while_it_runs(self):
        conn = self.start()
        name = unique('runs')
        dom = conn.defineXML(self.xml(name))
        dom.create()
        os.kill(emulators(name)[0], signal.SIGKILL)
        wait_for('its end to be noticed', lambda: not dom.isActive())
        self.assertEqual(dom.state(), [libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_CRASHED])
        self.assertNothingLeft(name)
        self.assertStarts(conn, name)


class FullDisk(Faults):
    """Each directory that a start writes to has room for a few pages only, one more each time."""
    PAGES_MAX = 14

    def mount(self, name):
        path = os.path.join(self.sandbox.dir, name)
        os.makedirs(path, exist_ok=True)
        done = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=256k,mode=755', 'tmpfs', path], capture_output=True, check=False)
        if done.returncode:
            self.skipTest('cannot mount here')
        self.addCleanup(subprocess.run, ['umount', '-l', path], check=False)
        return path

    def fill(self, path, pages_free):
        filler = os.path.join(path, 'filler')
        fd = os.open(filler, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        with contextlib.suppress(OSError):
            while True:
                os.write(fd, b'x' * PAGE)
        os.close(fd)
        size = os.stat(filler).st_size // PAGE * PAGE
        os.truncate(filler, max(0, size - pages_free * PAGE))

    def empty(self, path):
        os.unlink(os.path.join(path, 'filler'))

    def full_while_starting(self, folder):
        path = self.mount(folder)
        conn = self.start()
        name = unique('full')
        dom = conn.defineXML(self.xml(name))
        before = self.left_over(name)
        outcomes = set()
        for pages in range(self.PAGES_MAX):
            self.fill(path, pages)
            try:
                dom.create()
                outcomes.add('started')
                self.assertEqual(len(emulators(name)), 1)
                dom.destroy()                  # needs no room
            except libvirt.libvirtError as error:
                outcomes.add('refused')
                self.assertIn('of the start)', str(error))
                self.assertIn('No space left on device', str(error))
            self.empty(path)
            self.assertEqual([x for x in self.left_over(name) if not x.endswith('.log')], before)
            self.assertFalse(dom.isActive())
        self.assertIn('started', outcomes)
        self.assertStarts(conn, name)
        # A daemon that comes next finds nothing of it either.
        conn = self.killed_by(lambda: None)
        self.assertOff(conn, name, defined=True)
        self.assertNothingLeft(name)
        return outcomes

    def test_state_of_runs(self):
        self.assertEqual(self.full_while_starting('run/libvirt/qemu'), {'started', 'refused'})

    def test_private_directories(self):
        self.assertEqual(self.full_while_starting('var/lib/libvirt/qemu'), {'started', 'refused'})

    def test_logs_stop_no_guest(self):
        self.full_while_starting('var/log/libvirt/qemu')

    def test_definitions(self):
        path = self.mount('etc/libvirt/qemu')
        conn = self.start()
        name = unique('full')
        dom = conn.defineXML(self.xml(name))
        text = dom.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        for pages in range(self.PAGES_MAX):
            self.fill(path, pages)
            other = unique('more')
            changed = text.replace('<features>', f'<title>{pages}</title><features>')
            for xml, who in ((changed, name), (self.xml(other), other)):
                try:
                    conn.defineXML(xml)
                    if who == name:
                        text = conn.lookupByName(name).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
                except libvirt.libvirtError as error:
                    self.assertIn('No space left on device', str(error))
            # Undefining needs no room.
            with contextlib.suppress(libvirt.libvirtError):
                conn.lookupByName(other).undefine()
            self.assertNotIn(other, [d.name() for d in conn.listAllDomains()])
            self.assertEqual(conn.lookupByName(name).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE), text)
            conn = self.killed_by(lambda: None)
            self.assertEqual(conn.lookupByName(name).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE), text)
            self.assertEqual([d.name() for d in conn.listAllDomains()], [name])
            self.empty(path)
        conn.lookupByName(name).undefine()
        conn = self.killed_by(lambda: None)
        self.assertEqual(conn.listAllDomains(), [])


if __name__ == '__main__':
    unittest.main()
