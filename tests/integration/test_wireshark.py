# SPDX-License-Identifier: LGPL-2.1-or-later
"""A third party reads along: Wireshark's dissector of the protocol takes every packet of our daemons."""
import collections
import glob
import os
import shutil
import subprocess
import unittest

import libvirt

from harness import domain_xml, read_until, start_event_loop, wait_for
from network import NetworkTest, Recorder

DISSECTOR = glob.glob('/usr/lib/*/wireshark/plugins/*/epan/libvirt.so')


@unittest.skipUnless(shutil.which('tshark') and DISSECTOR, 'needs tshark and libvirt-wireshark')
class Dissector(NetworkTest):
    def read(self, path, condition, *fields):
        argv = ['tshark', '-n', '-r', path, '-d', f'tcp.port=={self.tcp},libvirt', '-Y', condition]
        if fields:
            argv += ['-T', 'fields'] + [a for f in fields for a in ('-e', f)]
        r = subprocess.run(argv, capture_output=True, text=True, timeout=120)
        self.assertEqual(r.returncode, 0, r.stderr)
        return r.stdout.splitlines()

    def session(self):
        start_event_loop()
        c = libvirt.open(self.uri)
        c.setKeepAlive(1, 60)
        seen = []
        numbers = [c.domainEventRegisterAny(None, kind, lambda *a: seen.append(a), None)
                   for kind in (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
                                libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE)]
        for call in (c.getHostname, c.getCapabilities, c.getInfo, c.listAllDomains, c.getDomainCapabilities, c.getVersion,
                     c.getLibVersion, c.getURI, c.getFreeMemory, c.listDefinedDomains, c.getSysinfo):
            try:
                call()
            except libvirt.libvirtError:
                pass                           # an error reply is to be read as well
        for call in (c.listAllNetworks, c.listAllStoragePools, c.listAllSecrets):
            try:
                call()
            except libvirt.libvirtError:
                pass                           # no daemon for these
        d = c.defineXML(domain_xml('packets', boots=True))
        d.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
        stream = c.newStream(libvirt.VIR_STREAM_NONBLOCK)
        d.openConsole(None, stream, 0)
        d.resume()
        read_until(stream.recv, b'guest#')
        # Long enough for the dissector, however small the pieces are in which a slow guest answers.
        stream.send(b'echo sum=$((40 + 2)) #' + b'.' * 200 + b'\n')
        read_until(stream.recv, b'sum=42')
        stream.finish()
        for call in (d.XMLDesc, d.info, d.state, d.maxVcpus, d.vcpus, d.memoryStats, d.schedulerParameters, d.jobInfo, d.ID,
                     d.getTime, d.blkioParameters, lambda: c.getAllDomainStats(), lambda: d.blockInfo('vda'),
                     lambda: c.lookupByName('nobody')):
            try:
                call()
            except libvirt.libvirtError:
                pass
        d.destroy()
        d.undefine()
        wait_for('events', lambda: len(seen) >= 4)
        for number in numbers:
            c.domainEventDeregisterAny(number)
        c.close()

    def test_every_packet_is_understood(self):
        self.configure(listen_tcp=True, auth_tcp='none')
        self.start()
        path = os.path.join(self.sandbox.dir, 'session.pcap')
        recorder = Recorder(self.tcp, path)
        self.uri = f'qemu+tcp://127.0.0.1:{recorder.port}/system'
        self.session()
        self.virsh(self.uri, 'list', '--all')
        recorder.close()
        kinds = collections.Counter()
        for line in self.read(path, 'libvirt', 'libvirt.type'):
            kinds.update(line.split(','))
        kinds['whole streams'] = len(self.read(path, 'libvirt.type == 3 && !_ws.malformed'))
        # Calls, replies, events, streams: all must be there.
        for kind, least in {'0': 40, '1': 40, '2': 4, '3': 1, 'whole streams': 1}.items():
            self.assertGreaterEqual(kinds[kind], least, kinds)
        # Of a stream's data the dissector takes 28 bytes too few, and is lost when there are fewer than those.
        short = 'libvirt.type == 3 && libvirt.length < 56'
        bad = self.read(path, f'(_ws.malformed && !({short})) || '
                              f'(libvirt && _ws.expert.severity >= "Warning" && !tcp.analysis.flags && !({short}))')
        self.assertEqual(bad, [])
        # What the dissector does not know at all, it shows as bytes.
        unknown = self.read(path, 'libvirt.unknown')
        self.assertEqual(unknown, [])
