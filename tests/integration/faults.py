# SPDX-License-Identifier: LGPL-2.1-or-later
"""Faults at every step: a page that is shared with the library tests/faults/points.c in the daemon, and what there is
of guests on this host, to be compared before and after."""
import contextlib
import ctypes
import errno
import glob
import itertools
import json
import mmap
import os
import re
import signal
import xml.etree.ElementTree as ET

import libvirt
import libvirt_qemu

from harness import OwnSandbox, wait_for

OFF, COUNT, KILL, FAIL, FAIL_FROM, WAIT = range(6)
PENDING, HIT, GO = range(3)
STEMS = 'loop', 'other'                       # of guests' names
OWNER = (1234, 1235)


class _Page(ctypes.Structure):
    _fields_ = [('mode', ctypes.c_int), ('at', ctypes.c_int), ('error', ctypes.c_int), ('seen', ctypes.c_int),
                ('harmful', ctypes.c_int), ('state', ctypes.c_int), ('what', ctypes.c_char * (4096 - 24))]


class Points:
    def __init__(self, path):
        with open(path, 'w+b') as f:
            f.truncate(4096)
            self.page = _Page.from_buffer(mmap.mmap(f.fileno(), 4096))
        self.path = path

    def arm(self, mode, at=0, error=errno.EIO):
        page = self.page
        page.at, page.error, page.seen, page.harmful, page.state, page.what = at, error, 0, 0, PENDING, b''
        page.mode = mode

    def off(self):
        """Ends it and tells how many points were seen, and how many of those may fail."""
        self.page.mode = OFF
        self.page.state = GO
        return self.page.seen, self.page.harmful

    @property
    def hit(self):
        return self.page.state != PENDING and self.page.what != b''

    @property
    def what(self):
        return self.page.what.decode(errors='replace')


class World(OwnSandbox):
    """A daemon that listens to Points, an unprivileged user for its guests, files that belong to somebody else."""
    def setUp(self):
        super().setUp()
        self.library = os.path.join(self.sandbox.build, 'tests', 'faults', 'fault-points.so')
        if not os.path.exists(self.library):
            self.skipTest('fault-points.so is not built')
        os.chmod(self.sandbox.dir, 0o755)
        self.write('etc/libvirt/qemu.conf', 'user = "nobody"\ngroup = "nogroup"\n')
        self.points = Points(self.write('points', ''))
        self.sandbox.extra_env = {
            'LD_PRELOAD': self.library, 'MODVIRT_FAULT_POINTS': self.points.path,
            'ASAN_OPTIONS': 'abort_on_error=0:detect_leaks=1:verify_asan_link_order=0'}
        self.files = []
        self.tap = f'fault{os.getpid()}'
        self.sandbox.start()
        self.use(self.sandbox, 'virtqemud')
        self.conn = self.connect()
        mark = os.path.join(self.sandbox.run_dir, 'qemu', 'autostarted')
        wait_for('the mark of a start of the host', lambda: os.path.exists(mark))   # the daemon answers before it is there

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.sandbox.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def file(self, name):
        """A file that may be lent to a guest and has to come back."""
        path = os.path.join(self.sandbox.dir, name)
        with open(path, 'wb') as f:
            f.truncate(1 << 20)
        os.chown(path, *OWNER)
        if path not in self.files:
            self.files.append(path)
        return path

    def killed(self):
        """Whether the daemon is gone; collects it."""
        return self.sandbox.daemons['virtqemud'].poll() is not None

    def again(self):
        """Another daemon after one that is, or will be, killed."""
        self.points.off()
        self.conn = None
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        self.sandbox.start_daemon('virtqemud')
        self.use(self.sandbox, 'virtqemud')
        self.conn = libvirt.open(self.sandbox.uri('virtqemud'))

    # What there is ----------------------------------------------------------------------------------

    def lent(self):
        found = {}
        for path in self.files:
            if os.path.exists(path):
                st = os.stat(path)
                mine = (st.st_uid, st.st_gid) == OWNER and not os.listxattr(path)
                found[os.path.basename(path)] = 'own' if mine else f'{st.st_uid}:{st.st_gid} {sorted(os.listxattr(path))}'
        return found

    def paths(self):
        """Every file of ours, with what differs between runs taken out of the names."""
        found = set()
        for top in ('etc/libvirt/qemu', 'var/lib/libvirt/qemu', 'var/lib/libvirt/swtpm', 'run/libvirt/qemu'):
            for folder, directories, files in os.walk(os.path.join(self.sandbox.dir, top)):
                for name in directories + files:
                    if name.startswith('TMP2-'):   # swtpm's own, killed in the middle; the next one overwrites it
                        continue
                    path = os.path.relpath(os.path.join(folder, name), self.sandbox.dir)
                    found.add(re.sub(r'/(domain-|ram/)\d+-', r'/\1N-', path))
        return found

    def host(self):
        """Processes, control groups and interfaces of guests."""
        found = set()
        for entry in filter(str.isdigit, os.listdir('/proc')):
            with contextlib.suppress(OSError):
                with open(f'/proc/{entry}/cmdline', 'rb') as f:
                    argv = f.read().split(b'\0')
                program = os.path.basename(argv[0]).decode(errors='replace')
                if (re.match('qemu-system|swtpm|virtiofsd|passt|virt-launch', program) and
                        any(os.fsencode(self.sandbox.dir) in arg for arg in argv)):
                    found.add('process ' + program)
        for pattern, stem in itertools.product(('', '*/'), STEMS):
            found |= {'group ' + re.sub(r'\d+', 'N', os.path.basename(x))
                      for x in glob.glob(f'/sys/fs/cgroup/{pattern}machine/qemu-*-{stem}-{os.getpid()}-*')}
        found |= {'interface ' + x for x in os.listdir('/sys/class/net') if x == self.tap}
        return found

    @staticmethod
    def plugged(dom):
        """Devices as the definition of the run has them, and as the emulator has them."""
        root = ET.fromstring(dom.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE))
        told = {a.get('name') for a in root.findall('./devices/*/alias')}
        said = libvirt_qemu.qemuMonitorCommand(
            dom, '{"execute":"qom-list","arguments":{"path":"/machine/peripheral"}}', 0)
        real = {x['name'] for x in json.loads(said)['return'] if x['type'].startswith('child<')}
        # Some are no devices of the emulator's tree: chips of its own, character devices without one.
        return told, real

    @staticmethod
    def media(dom):
        """What is said to be in the drives, what the emulator has there, how many images it has open."""
        def ask(command):
            return json.loads(libvirt_qemu.qemuMonitorCommand(dom, json.dumps({'execute': command}), 0))['return']
        drives = [d for d in ET.fromstring(dom.XMLDesc()).findall("./devices/disk") if d.get('device') == 'cdrom']
        told = sorted((d.find('source').get('file') if d.find('source') is not None else None,
                       d.find('target').get('tray') or 'closed') for d in drives)
        real = sorted((b.get('inserted', {}).get('file'), 'open' if b.get('tray_open') else 'closed')
                      for b in ask('query-block') if b['removable'])
        return told, real, sum(n['node-name'].endswith('-format') for n in ask('query-named-block-nodes'))

    def domain(self, dom):
        active = bool(dom.isActive())
        found = {'active': active, 'persistent': bool(dom.isPersistent()),
                 'saved': bool(dom.hasManagedSaveImage()), 'vcpus': None, 'memory': None, 'devices': None,
                 'lost': [], 'cpus': None, 'media': None, 'nodes': None}
        found['paused'] = active and dom.state()[0] == libvirt.VIR_DOMAIN_PAUSED
        found['autostart'] = bool(dom.autostart()) if found['persistent'] else False
        text = dom.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
        found['definition'] = re.sub(r"(<nvram[^>]*)>[^<]*", r'\1>', text) if found['persistent'] else None
        if active:
            told, real = self.plugged(dom)
            found['devices'] = sorted(told)
            found['lost'] = sorted(x for x in real - told if not x.startswith(('vcpu', 'cpu')))
            found['cpus'] = sorted(x for x in real if x.startswith(('vcpu', 'cpu')))
            media, real, found['nodes'] = self.media(dom)
            found['media'] = [file for file, tray in media]
            if media != real:
                found['lost'].append(f'in drives: {real}, told {media}')
            found['vcpus'] = dom.vcpusFlags(libvirt.VIR_DOMAIN_AFFECT_LIVE)
            found['memory'] = dom.info()[1]
        return found

    def world(self):
        """All of it; asks the daemon."""
        found = {'paths': self.paths(), 'lent': self.lent(), 'host': self.host(), 'domains': {}}
        for dom in self.conn.listAllDomains():
            with contextlib.suppress(libvirt.libvirtError):
                found['domains'][dom.name()] = self.domain(dom)
        return found

    def reset(self):
        """No guest, no file of one."""
        self.points.off()
        if self.killed():
            self.again()
        for dom in self.conn.listAllDomains():
            with contextlib.suppress(libvirt.libvirtError):
                dom.destroy()
            with contextlib.suppress(libvirt.libvirtError):
                dom.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM |
                                  libvirt.VIR_DOMAIN_UNDEFINE_TPM)
