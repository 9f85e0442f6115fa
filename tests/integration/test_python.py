# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stock Python binding: look-ups, events, console streams, transient guests, error codes."""
import os
import signal
import socket
import threading
import unittest
import uuid as uuid_module
import xml.etree.ElementTree as ET

import libvirt

from harness import (GREETING, TestCase, domain_xml, emulators, read_until, start_event_loop, unique, uri,
                     wait_for)


def setUpModule():
    start_event_loop()


class LookUp(TestCase):
    def test_by_id_uuid_name(self):
        c = self.connect()
        dom = self.define(c)
        dom.create()
        self.assertEqual(c.lookupByID(dom.ID()).name(), dom.name())
        self.assertEqual(c.lookupByName(dom.name()).UUIDString(), dom.UUIDString())
        self.assertEqual(c.lookupByUUIDString(dom.UUIDString()).ID(), dom.ID())
        self.assertEqual(c.lookupByUUID(dom.UUID()).name(), dom.name())

    def test_absent(self):
        c = self.connect()
        self.assertLibvirtError(libvirt.VIR_ERR_NO_DOMAIN, c.lookupByName, unique('absent'))
        self.assertLibvirtError(libvirt.VIR_ERR_NO_DOMAIN, c.lookupByID, 1 << 29)
        self.assertLibvirtError(libvirt.VIR_ERR_NO_DOMAIN, c.lookupByUUIDString, str(uuid_module.uuid4()))

    def test_handle_of_an_undefined_guest(self):
        dom = self.define()
        dom.undefine()
        self.assertLibvirtError(libvirt.VIR_ERR_NO_DOMAIN, dom.XMLDesc)

    def test_id_of_a_stopped_guest(self):
        dom = self.define()
        self.assertEqual(dom.ID(), -1)
        dom.create()
        first = dom.ID()
        dom.destroy()
        self.assertEqual(dom.ID(), -1)
        dom.create()
        self.assertGreater(dom.ID(), first)


class Connection(TestCase):
    def test_facts(self):
        c = self.connect()
        self.assertEqual(c.getType(), 'QEMU')
        self.assertTrue(c.isAlive())
        self.assertEqual(c.getURI(), uri())
        self.assertGreaterEqual(c.getVersion(), 7002000)
        self.assertGreaterEqual(c.getLibVersion(), 9000000)
        self.assertGreater(c.getMaxVcpus('qemu'), 0)
        self.assertIn('<capabilities>', c.getCapabilities())
        self.assertEqual(c.isSecure(), 1)
        model, memory, cpus = c.getInfo()[:3]
        self.assertEqual(model, 'x86_64')
        self.assertGreater(cpus, 0)

    def test_unknown_scheme_or_driver(self):
        address = uri().replace('qemu+unix:///system', 'lxc+unix:///system')
        with self.assertRaises(libvirt.libvirtError):
            libvirt.open(address)

    def test_keepalive(self):
        c = self.connect()
        self.assertEqual(c.setKeepAlive(1, 3), 0)
        threading.Event().wait(2.5)
        self.assertTrue(c.isAlive())
        c.getHostname()

    def test_many_connections(self):
        for _ in range(50):
            c = libvirt.open(uri())
            c.getHostname()
            c.close()

    def test_calls_from_many_threads(self):
        c = self.connect()
        dom = self.define(c)
        failures = []

        def work():
            try:
                for _ in range(50):
                    dom.info()
                    c.lookupByName(dom.name()).XMLDesc()
            except libvirt.libvirtError as e:
                failures.append(str(e))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(failures, [])


class Life(TestCase):
    def test_define_create_destroy_undefine(self):
        c = self.connect()
        dom = self.define(c)
        self.assertEqual(dom.isPersistent(), 1)
        self.assertEqual(dom.isActive(), 0)
        self.assertEqual(dom.isUpdated(), 0)
        dom.create()
        self.assertEqual(dom.state(), [libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_BOOTED])
        self.assertEqual(dom.OSType(), 'hvm')
        self.assertEqual(dom.maxMemory(), 65536)
        self.assertEqual(dom.maxVcpus(), 1)
        state, max_memory, memory, vcpus, cpu_time = dom.info()
        self.assertEqual((state, max_memory, memory, vcpus), (libvirt.VIR_DOMAIN_RUNNING, 65536, 65536, 1))
        self.assertGreater(cpu_time, 0)
        dom.destroy()
        self.assertEqual(dom.state(), [libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED])
        dom.undefine()

    def test_error_codes(self):
        c = self.connect()
        dom = self.define(c)
        invalid = libvirt.VIR_ERR_OPERATION_INVALID
        for call in (dom.suspend, dom.resume, dom.shutdown, dom.reboot, dom.reset, dom.destroy):
            self.assertLibvirtError(invalid, call)
        dom.create()
        self.assertLibvirtError(invalid, dom.create)
        self.assertLibvirtError(libvirt.VIR_ERR_XML_DETAIL, c.defineXML, '<domain')
        self.assertLibvirtError(libvirt.VIR_ERR_NO_NAME, c.defineXML, "<domain type='qemu'/>")
        self.assertLibvirtError(libvirt.VIR_ERR_INVALID_ARG, dom.createWithFlags, 1 << 30)

    def test_transient_guest_vanishes(self):
        c = self.connect()
        name = self.guest_name()
        dom = c.createXML(domain_xml(name))
        self.assertEqual(dom.isPersistent(), 0)
        dom.destroy()
        self.assertLibvirtError(libvirt.VIR_ERR_NO_DOMAIN, c.lookupByName, name)

    def test_transient_guest_becomes_persistent(self):
        c = self.connect()
        name = self.guest_name()
        xml = domain_xml(name)
        dom = c.createXML(xml)
        c.defineXML(xml.replace('<vcpu>1<', '<vcpu>2<'))
        self.assertEqual(dom.isPersistent(), 1)
        self.assertEqual(ET.fromstring(dom.XMLDesc()).findtext('vcpu'), '1')
        self.assertEqual(ET.fromstring(dom.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)).findtext('vcpu'), '2')
        dom.destroy()
        self.assertEqual(ET.fromstring(c.lookupByName(name).XMLDesc()).findtext('vcpu'), '2')

    def test_create_xml_paused(self):
        dom = self.connect().createXML(domain_xml(self.guest_name()), libvirt.VIR_DOMAIN_START_PAUSED)
        self.assertEqual(dom.state()[0], libvirt.VIR_DOMAIN_PAUSED)
        dom.resume()
        self.assertEqual(dom.state()[0], libvirt.VIR_DOMAIN_RUNNING)

    def test_autodestroy(self):
        name = self.guest_name()
        owner = libvirt.open(uri())
        owner.createXML(domain_xml(name), libvirt.VIR_DOMAIN_START_AUTODESTROY)
        other = self.connect()
        self.assertEqual(other.lookupByName(name).isActive(), 1)
        owner.close()
        # The emulator ends first, then the daemon writes down that it did.
        wait_for('the guest to end with its client', lambda: not emulators(name))
        wait_for('the guest to be forgotten', lambda: name not in [d.name() for d in other.listAllDomains()])
        self.assertLibvirtError(libvirt.VIR_ERR_NO_DOMAIN, other.lookupByName, name)

    def test_autodestroy_of_a_persistent_guest(self):
        other = self.connect()
        dom = self.define(other)
        owner = libvirt.open(uri())
        owner.lookupByName(dom.name()).createWithFlags(libvirt.VIR_DOMAIN_START_AUTODESTROY)
        owner.close()
        wait_for('the guest to end with its client', lambda: not dom.isActive())
        self.assertEqual(dom.state(), [libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED])

    def test_failed_transient_start_leaves_nothing(self):
        c = self.connect()
        name = self.guest_name()
        xml = domain_xml(name).replace('</type>', '</type><kernel>/nonexistent/vmlinuz</kernel>')
        with self.assertRaises(libvirt.libvirtError):
            c.createXML(xml)
        self.assertLibvirtError(libvirt.VIR_ERR_NO_DOMAIN, c.lookupByName, name)
        self.assertEqual(emulators(name), [])

    def test_lists(self):
        c = self.connect()
        running, off = self.define(c, 'on'), self.define(c, 'off')
        running.create()
        self.assertIn(running.ID(), c.listDomainsID())
        self.assertIn(off.name(), c.listDefinedDomains())
        self.assertNotIn(running.name(), c.listDefinedDomains())
        self.assertEqual(c.numOfDomains(), len(c.listDomainsID()))
        self.assertEqual(c.numOfDefinedDomains(), len(c.listDefinedDomains()))
        listed = {d.name(): d.ID() for d in c.listAllDomains()}
        self.assertEqual(listed[running.name()], running.ID())
        self.assertEqual(listed[off.name()], -1)

    def test_max_memory_of_a_name_with_all_kinds_of_characters(self):
        c = self.connect()
        name = self.guest_name('späße & <tags> "quoted" 日本')
        dom = c.defineXML(domain_xml('PLACE').replace(
            'PLACE', name.replace('&', '&amp;').replace('<', '&lt;')))
        self.assertEqual(c.lookupByName(name).UUIDString(), dom.UUIDString())
        dom.create()
        self.assertEqual(dom.isActive(), 1)
        dom.destroy()

    def test_names_that_would_leave_their_directory(self):
        c = self.connect()
        for name in ('../escape', 'a/b', '', '.', '..', 'x' * 5000):
            with self.subTest(name=name[:20]), self.assertRaises(libvirt.libvirtError):
                c.defineXML(domain_xml(name)).undefine()


class Events(TestCase):
    def listen(self, conn, event, dom=None):
        seen = []
        callback = conn.domainEventRegisterAny(dom, event, lambda *args: seen.append(args[1:-1]), None)
        self.addCleanup(lambda: conn.isAlive() and self._deregister(conn, callback))
        return seen

    @staticmethod
    def _deregister(conn, callback):
        try:
            conn.domainEventDeregisterAny(callback)
        except libvirt.libvirtError:
            pass

    def test_lifecycle(self):
        c = self.connect()
        name = self.guest_name()
        seen = []
        callback = c.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
            lambda conn, dom, event, detail, opaque: dom.name() == name and seen.append((event, detail)), None)
        dom = c.defineXML(domain_xml(name))
        dom.create()
        dom.suspend()
        dom.resume()
        dom.destroy()
        dom.undefine()
        wait_for('all events', lambda: libvirt.VIR_DOMAIN_EVENT_UNDEFINED in [e for e, _ in seen])
        c.domainEventDeregisterAny(callback)
        L = libvirt
        for expected in ((L.VIR_DOMAIN_EVENT_DEFINED, L.VIR_DOMAIN_EVENT_DEFINED_ADDED),
                         (L.VIR_DOMAIN_EVENT_STARTED, L.VIR_DOMAIN_EVENT_STARTED_BOOTED),
                         (L.VIR_DOMAIN_EVENT_SUSPENDED, L.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED),
                         (L.VIR_DOMAIN_EVENT_RESUMED, L.VIR_DOMAIN_EVENT_RESUMED_UNPAUSED),
                         (L.VIR_DOMAIN_EVENT_STOPPED, L.VIR_DOMAIN_EVENT_STOPPED_DESTROYED),
                         (L.VIR_DOMAIN_EVENT_UNDEFINED, L.VIR_DOMAIN_EVENT_UNDEFINED_REMOVED)):
            self.assertIn(expected, seen)
        order = [e for e, _ in seen]
        self.assertEqual(order[0], L.VIR_DOMAIN_EVENT_DEFINED)
        self.assertEqual(order[-1], L.VIR_DOMAIN_EVENT_UNDEFINED)

    def test_filter_by_domain(self):
        c = self.connect()
        one, other = self.define(c, 'one'), self.define(c, 'other')
        seen = self.listen(c, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, one)
        other.create()
        one.create()
        wait_for('an event of the guest', lambda: seen)
        self.assertEqual({args[0].name() for args in seen}, {one.name()})

    def test_no_event_after_deregistration(self):
        c = self.connect()
        dom = self.define(c)
        seen = []
        callback = c.domainEventRegisterAny(dom, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                            lambda *a: seen.append(a), None)
        dom.create()
        wait_for('an event', lambda: seen)
        c.domainEventDeregisterAny(callback)
        count = len(seen)
        dom.destroy()
        threading.Event().wait(0.5)
        self.assertEqual(len(seen), count)

    def test_two_clients_hear_the_same(self):
        one, two = self.connect(), self.connect()
        dom = self.define(one)
        first = self.listen(one, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, dom)
        second = self.listen(two, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, two.lookupByName(dom.name()))
        dom.create()
        dom.destroy()
        wait_for('the same events at both', lambda: first and [a[1:] for a in first] == [a[1:] for a in second])

    def test_reboot(self):
        c = self.connect()
        dom = self.define(c)
        dom.create()
        seen = self.listen(c, libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, dom)
        dom.reset()
        wait_for('a reboot event', lambda: seen)

    def test_graphics_client(self):
        c = self.connect()
        dom = self.define(c, devices="<graphics type='vnc' port='-1' autoport='yes'/><video><model type='vga'/></video>")
        dom.create()
        seen = self.listen(c, libvirt.VIR_DOMAIN_EVENT_ID_GRAPHICS, dom)
        port = int(ET.fromstring(dom.XMLDesc()).find('devices/graphics').get('port'))
        with socket.create_connection(('127.0.0.1', port)) as vnc:
            hello = vnc.recv(12)
            self.assertTrue(hello.startswith(b'RFB '))
            vnc.sendall(hello)
            wait_for('a graphics event', lambda: seen)
        self.assertEqual(seen[0][1], libvirt.VIR_DOMAIN_EVENT_GRAPHICS_CONNECT)

    def test_emulator_that_dies(self):
        c = self.connect()
        dom = self.define(c)
        dom.create()
        seen = self.listen(c, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, dom)
        for pid in emulators(dom.name()):
            os.kill(pid, signal.SIGKILL)
        wait_for('the guest to be found dead', lambda: not dom.isActive())
        wait_for('a stopped event', lambda: any(a[1] == libvirt.VIR_DOMAIN_EVENT_STOPPED for a in seen))
        self.assertEqual(dom.state()[0], libvirt.VIR_DOMAIN_SHUTOFF)
        self.assertEqual(dom.state()[1], libvirt.VIR_DOMAIN_SHUTOFF_CRASHED)


class Change(TestCase):
    def test_metadata(self):
        c = self.connect()
        dom = self.define(c)
        config, live = libvirt.VIR_DOMAIN_AFFECT_CONFIG, libvirt.VIR_DOMAIN_AFFECT_LIVE
        element, title = libvirt.VIR_DOMAIN_METADATA_ELEMENT, libvirt.VIR_DOMAIN_METADATA_TITLE
        seen = []
        callback = c.domainEventRegisterAny(dom, libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
                                            lambda c, d, kind, uri, o: seen.append((kind, uri)), None)
        self.addCleanup(c.domainEventDeregisterAny, callback)
        dom.setMetadata(element, "<owner><name first='a'/></owner>", 'app', 'urn:app', config)
        dom.setMetadata(element, '<other/>', 'two', 'urn:two', 0)
        self.assertEqual(dom.metadata(element, 'urn:app'), '<owner>\n  <name first="a"/>\n</owner>')
        self.assertIn('<app:owner xmlns:app="urn:app">', dom.XMLDesc())
        self.assertIn('<app:name first="a"/>', dom.XMLDesc())
        dom.setMetadata(element, '<newer/>', 'app', 'urn:app', 0)
        self.assertEqual(dom.metadata(element, 'urn:app'), '<newer/>')
        dom.setMetadata(element, None, None, 'urn:app', 0)
        self.assertLibvirtError(libvirt.VIR_ERR_NO_DOMAIN_METADATA, dom.metadata, element, 'urn:app')
        self.assertEqual(dom.metadata(element, 'urn:two'), '<other/>')
        dom.setMetadata(title, 'a title', None, None, config)
        self.assertEqual(dom.metadata(title, None), 'a title')
        wait_for('the events', lambda: len(seen) == 5)
        self.assertEqual(seen[0], (element, 'urn:app'))
        self.assertEqual(seen[4][0], title)

        self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_INVALID, dom.setMetadata, title, 'x', None, None, live)
        self.assertLibvirtError(libvirt.VIR_ERR_INVALID_ARG, dom.setMetadata, title, 'x\ny', None, None, 0)
        self.assertLibvirtError(libvirt.VIR_ERR_XML_DETAIL, dom.setMetadata, element, '<a', 'k', 'urn:k', 0)
        self.assertLibvirtError(libvirt.VIR_ERR_INVALID_ARG, dom.setMetadata, element, '<a/>', 'k k', 'urn:k', 0)
        dom.create()
        dom.setMetadata(title, 'for now', None, None, live)
        self.assertEqual(dom.metadata(title, None, live), 'for now')
        self.assertEqual(dom.metadata(title, None, config), 'a title')
        dom.destroy()
        self.assertEqual(dom.metadata(title, None), 'a title')


class Console(TestCase):
    def test_greeting(self):
        c = self.connect()
        dom = c.createXML(domain_xml(self.guest_name('boot'), boots=True), libvirt.VIR_DOMAIN_START_PAUSED)
        stream = c.newStream(libvirt.VIR_STREAM_NONBLOCK)
        dom.openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
        dom.resume()
        self.assertIn(GREETING, read_until(stream.recv, b'guest#'))   # both may come at once
        stream.send(b'echo sum=$((40 + 2))\n')
        read_until(stream.recv, b'sum=42')
        stream.finish()
        dom.destroy()

    def test_blocking_stream(self):
        c = self.connect()
        dom = c.createXML(domain_xml(self.guest_name('boot'), boots=True), libvirt.VIR_DOMAIN_START_PAUSED)
        stream = c.newStream()
        dom.openConsole(None, stream)
        dom.resume()
        read_until(stream.recv, GREETING)
        stream.abort()
        dom.destroy()

    def test_second_console_is_refused_unless_forced(self):
        c = self.connect()
        dom = c.createXML(domain_xml(self.guest_name('boot'), boots=True), libvirt.VIR_DOMAIN_START_PAUSED)
        first, second, third = c.newStream(), c.newStream(), c.newStream()
        dom.openConsole(None, first)
        self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_FAILED, dom.openConsole, None, second)
        dom.openConsole(None, third, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
        third.abort()

    def test_console_ends_with_the_guest(self):
        c = self.connect()
        dom = c.createXML(domain_xml(self.guest_name('boot'), boots=True), libvirt.VIR_DOMAIN_START_PAUSED)
        stream = c.newStream(libvirt.VIR_STREAM_NONBLOCK)
        dom.openConsole(None, stream)
        dom.destroy()

        def ended():
            try:
                return stream.recv(1024) == b''
            except libvirt.libvirtError:
                return True

        wait_for('the stream to end', ended)

    def test_no_console(self):
        c = self.connect()
        dom = c.createXML(domain_xml(self.guest_name()))
        self.assertLibvirtError(libvirt.VIR_ERR_INTERNAL_ERROR, dom.openConsole, None, c.newStream())


if __name__ == '__main__':
    unittest.main()
