# SPDX-License-Identifier: LGPL-2.1-or-later
"""A read-only connection looks and does not touch, whichever way it was asked for."""
import unittest

import libvirt

from harness import TestCase, domain_xml, readonly_uri, start_event_loop, uri, virsh


def setUpModule():
    start_event_loop()


class ReadOnly(TestCase):
    def addresses(self):
        """By flag on the ordinary socket; and on the read-only socket, where a client cannot ask for more."""
        return ((uri(), True), (readonly_uri(), True), (readonly_uri(), False))

    def each(self):
        return [self.connect(address, readonly=flag) for address, flag in self.addresses()]

    def test_looks(self):
        dom = self.define()
        dom.create()
        for c in self.each():
            seen = c.lookupByName(dom.name())
            self.assertEqual(seen.UUIDString(), dom.UUIDString())
            self.assertEqual(seen.state()[0], libvirt.VIR_DOMAIN_RUNNING)
            self.assertEqual(seen.info()[0], libvirt.VIR_DOMAIN_RUNNING)
            self.assertIn(dom.name(), seen.XMLDesc())
            self.assertIn(dom.name(), [d.name() for d in c.listAllDomains()])
            self.assertIn('<capabilities>', c.getCapabilities())
            c.getInfo()
            c.getHostname()
            seen.autostart()

    def test_does_not_touch(self):
        dom = self.define()
        dom.create()
        xml = domain_xml(self.guest_name())
        for c in self.each():
            seen = c.lookupByName(dom.name())
            for call, *args in (
                    (c.defineXML, xml), (c.createXML, xml),
                    (seen.create,), (seen.suspend,), (seen.resume,), (seen.shutdown,), (seen.reboot,), (seen.reset,),
                    (seen.destroy,), (seen.destroyFlags, libvirt.VIR_DOMAIN_DESTROY_GRACEFUL), (seen.undefine,),
                    (seen.setAutostart, 1), (seen.setMemory, 32768), (seen.setVcpus, 1),
                    (seen.attachDevice, '<disk/>'), (seen.detachDevice, '<disk/>'),
                    (seen.save, '/nonexistent'), (seen.coreDump, '/nonexistent'), (seen.managedSave,),
                    (seen.migrateSetMaxDowntime, 100), (seen.injectNMI,),
                    (seen.sendKey, 0, 0, [30], 1), (seen.blockResize, 'vda', 1 << 20),
                    (seen.setMetadata, libvirt.VIR_DOMAIN_METADATA_TITLE, 'x', None, None),
                    (c.restore, '/nonexistent'), (c.suspendForDuration, 0, 60)):
                with self.subTest(call=call.__name__, uri=c.getURI()):
                    self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_DENIED, call, *args)
            self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_DENIED, seen.XMLDesc, libvirt.VIR_DOMAIN_XML_SECURE)
            self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_DENIED, seen.openConsole, None, c.newStream())
        self.assertEqual(dom.state()[0], libvirt.VIR_DOMAIN_RUNNING)
        self.assertEqual(dom.autostart(), 0)

    def test_virsh(self):
        dom = self.define()
        name = dom.name()
        self.assertIn(name, virsh('list', '--all', readonly=True))
        self.assertIn(name, virsh('dumpxml', name, readonly=True))
        for command in ('start', 'undefine', 'autostart', 'reset'):
            status, _, err = virsh(command, name, check=False, readonly=True)
            self.assertEqual(status, 1)
            self.assertRegex(err, 'read.only|forbidden|denied')

    def test_events(self):
        # Listening is looking.
        for c in self.each():
            callback = c.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lambda *a: None, None)
            c.domainEventDeregisterAny(callback)


if __name__ == '__main__':
    unittest.main()
