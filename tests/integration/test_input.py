# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest's keyboard, its NMI button and its screen; another name for a guest."""
import os
import socket
import struct
import zlib

import libvirt

from harness import (GREETING, TestCase, domain_xml, names, read_until, scratch, start_event_loop, unique, virsh,
                     wait_for)

SCREEN = "<video><model type='vga' vram='16384'/></video>"


def png_size(data):
    """Width and height of a PNG; checks that its chunks are whole."""
    assert data[:8] == b'\x89PNG\r\n\x1a\n', data[:16]
    at, kind = 8, b''
    while kind != b'IEND':
        length, kind = struct.unpack('>I4s', data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        assert struct.unpack('>I', data[at + 8 + length:at + 12 + length])[0] == zlib.crc32(kind + body)
        if kind == b'IHDR':
            size = struct.unpack('>II', body[:8])
        at += 12 + length
    assert at == len(data)
    return size


class Keyboard(TestCase):
    def test_keys_and_nmi_reach_the_guest(self):
        start_event_loop()
        conn = self.connect()
        dom = conn.createXML(domain_xml(self.guest_name('keys'), boots=True))
        stream = conn.newStream(0)
        dom.openConsole(None, stream)
        read_until(stream.recv, GREETING)
        dom.injectNMI()
        read_until(stream.recv, b'NMI')
        stream.abort()
        reboots = []
        conn.domainEventRegisterAny(dom, libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, lambda *a: reboots.append(a), None)
        virsh('send-key', dom.name(), 'KEY_LEFTCTRL', 'KEY_LEFTALT', 'KEY_DELETE')
        wait_for('Ctrl-Alt-Del', lambda: reboots)

    def test_code_sets(self):
        dom = self.connect().createXML(domain_xml(self.guest_name('codes')))
        for codeset, code in (('linux', '30'), ('xt', '0x1e'), ('atset1', '0xe053'), ('atset2', '28'), ('atset3', '28'),
                              ('os_x', '0'), ('xt_kbd', '0x153'), ('usb', '4'), ('win32', '0x41'), ('qnum', '30'),
                              ('rfb', '30')):
            with self.subTest(codeset=codeset):
                virsh('send-key', dom.name(), '--codeset', codeset, '--holdtime', '10', code)
        status, _, err = virsh('send-key', dom.name(), '999', check=False)
        self.assertEqual(status, 1)
        self.assertIn('cannot translate keycode 999 of linux codeset to qnum keycode', err)
        self.assertLibvirtError(libvirt.VIR_ERR_INTERNAL_ERROR, dom.sendKey, libvirt.VIR_KEYCODE_SET_USB, 0, [30, 3], 2)

    def test_guests_that_do_not_run(self):
        name = self.define(stem='off').name()
        for command in (('send-key', name, 'KEY_A'), ('inject-nmi', name), ('screenshot', name)):
            status, _, err = virsh(*command, check=False)
            self.assertEqual(status, 1)
            self.assertIn('domain is not running', err)

    def test_process_signal_is_not_for_this_hypervisor(self):
        dom = self.connect().createXML(domain_xml(self.guest_name('sig')))
        status, _, err = virsh('send-process-signal', dom.name(), '1', '9', check=False)
        self.assertEqual(status, 1)
        self.assertIn('not supported', err)
        self.assertTrue(dom.isActive())


class Screen(TestCase):
    def test_picture(self):
        dom = self.connect().createXML(domain_xml(self.guest_name('screen'), devices=SCREEN))
        path = os.path.join(scratch(), unique('shot'))
        virsh('screenshot', dom.name(), path)
        with open(path, 'rb') as f:
            width, height = png_size(f.read())
        self.assertGreaterEqual((width, height), (640, 350))
        # Twenty in a row: nothing of one is in the way of the next.
        conn = self.connect()
        dom = conn.lookupByName(dom.name())
        for _ in range(20):
            stream = conn.newStream(0)
            self.assertEqual(dom.screenshot(stream, 0), 'image/png')
            data = b''
            while chunk := stream.recv(65536):
                data += chunk
            stream.finish()
            png_size(data)

    def test_screens_that_are_not_there(self):
        dom = self.connect().createXML(domain_xml(self.guest_name('screen'), devices=SCREEN))
        for screen in ('1', '7'):
            status, _, err = virsh('screenshot', dom.name(), '/dev/null', '--screen', screen, check=False)
            self.assertEqual(status, 1)
            self.assertIn('no such screen ID', err)


VNC = "<graphics type='vnc' port='-1' autoport='no' passwd='secret'><listen type='none'/></graphics>"


class Display(TestCase):
    """Sockets instead of ports: what viewers use who may administer the guest."""

    def rfb(self, sock):
        """Which authentications the VNC server offers (RFC 6143, 7.1.2)."""
        sock.settimeout(120)
        version = sock.recv(12, socket.MSG_WAITALL)
        self.assertTrue(version.startswith(b'RFB 003.'), version)
        sock.sendall(version)
        count, = sock.recv(1)
        return set(sock.recv(count, socket.MSG_WAITALL))

    def test_sockets_of_the_display(self):
        none, password = 1, 2
        dom = self.connect().createXML(domain_xml(self.guest_name('vnc'), devices=VNC))
        with socket.socket(fileno=dom.openGraphicsFD(0)) as sock:
            self.assertEqual(self.rfb(sock), {password})
        with socket.socket(fileno=dom.openGraphicsFD(0, libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)) as sock:
            self.assertEqual(self.rfb(sock), {none})
        ours, theirs = socket.socketpair()
        with ours, theirs:
            dom.openGraphics(0, theirs.fileno(), libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)
            self.assertEqual(self.rfb(ours), {none})

    def test_refusals(self):
        dom = self.connect().createXML(domain_xml(self.guest_name('vnc'), devices=VNC))
        self.assertIn('no graphics backend with index 1',
                      str(self.assertLibvirtError(libvirt.VIR_ERR_INTERNAL_ERROR, dom.openGraphicsFD, 1)))
        self.assertLibvirtError(libvirt.VIR_ERR_INVALID_ARG, dom.openGraphicsFD, 0, 1 << 7)
        self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_INVALID, self.define(stem='off').openGraphicsFD, 0)


class Rename(TestCase):
    def test_name_files_and_events(self):
        start_event_loop()
        conn = self.connect()
        dom = self.define(stem='old')
        old, new, uuid = dom.name(), self.guest_name('new'), dom.UUIDString()
        dom.setAutostart(1)
        seen = []
        conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                    lambda c, d, event, detail, _: seen.append((d.name(), event, detail)), None)
        virsh('domrename', old, new)
        wait_for('both events', lambda: [e for e in seen if e[0] in (old, new)][1:])
        self.assertEqual([e for e in seen if e[0] in (old, new)],
                         [(old, libvirt.VIR_DOMAIN_EVENT_UNDEFINED, libvirt.VIR_DOMAIN_EVENT_UNDEFINED_RENAMED),
                          (new, libvirt.VIR_DOMAIN_EVENT_DEFINED, libvirt.VIR_DOMAIN_EVENT_DEFINED_RENAMED)])
        self.assertEqual(virsh('domuuid', new).strip(), uuid)
        self.assertIn(f'<name>{new}</name>', virsh('dumpxml', new))
        self.assertEqual(conn.lookupByName(new).autostart(), 1)
        self.assertIn(new, names(virsh('list', '--all', '--autostart', '--name')))
        status, _, err = virsh('domuuid', old, check=False)
        self.assertEqual(status, 1)
        self.assertIn(f"failed to get domain '{old}'", err)
        # The old name is free again, the new one starts.
        conn.defineXML(domain_xml(old))
        virsh('start', new)
        virsh('destroy', new)

    def test_refusals(self):
        a, b = self.define(stem='a').name(), self.define(stem='b').name()
        transient = self.connect().createXML(domain_xml(self.guest_name('tr'))).name()
        for name, new, why in ((a, a, "Can't rename domain to itself"), (a, b, f"domain with name '{b}' already exists"),
                               (a, 'x/y', "name x/y cannot contain '/'"), (transient, 'x', 'cannot rename active domain')):
            with self.subTest(name=name, new=new):
                status, _, err = virsh('domrename', name, new, check=False)
                self.assertEqual(status, 1)
                self.assertIn(why, err)
        self.assertLessEqual({a, b, transient}, set(names(virsh('list', '--all', '--name'))))
