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
import random
import re
import shlex
import signal
import xml.etree.ElementTree as ET

import libvirt
import libvirt_qemu

from harness import SEED, OwnSandbox, wait_for

OFF, COUNT, KILL, FAIL, FAIL_FROM, WAIT = range(6)
PENDING, HIT, GO = range(3)
LACKS_NAMELESS, LACKS_RENAME_FLAGS = 1, 2      # what file systems do not have
STEMS = 'loop', 'other'                       # of guests' names
OWNER = (1234, 1235)
FULL = 'MODVIRT_TEST_FULL' in os.environ
ONLY = os.environ.get('MODVIRT_TEST_ONLY')     # an operation of Steps
FAULTS = {'kill': (KILL, 0), 'eio': (FAIL, errno.EIO), 'full': (FAIL_FROM, errno.ENOSPC), 'quota': (FAIL_FROM, errno.EDQUOT)}
# Calls that change what a file has.
CHANGES = 'write', 'pwrite', 'write64', 'pwrite64', 'ftruncate', 'ftruncate64', 'fallocate', 'fallocate64', 'splice', 'clone'
SYNCS = 'fsync', 'fdatasync'
NAMES = 'rename', 'renameat', 'renameat2', 'link', 'linkat'


class _Page(ctypes.Structure):
    _fields_ = [('mode', ctypes.c_int), ('at', ctypes.c_int), ('error', ctypes.c_int), ('seen', ctypes.c_int),
                ('harmful', ctypes.c_int), ('state', ctypes.c_int), ('lacks', ctypes.c_int), ('logged', ctypes.c_int),
                ('what', ctypes.c_char * 4064), ('log', ctypes.c_char * 61440)]


class Points:
    def __init__(self, path):
        with open(path, 'w+b') as f:
            f.truncate(ctypes.sizeof(_Page))
            self.page = _Page.from_buffer(mmap.mmap(f.fileno(), ctypes.sizeof(_Page)))
        self.path = path

    def arm(self, mode, at=0, error=errno.EIO):
        page = self.page
        page.at, page.error, page.seen, page.harmful, page.state, page.what = at, error, 0, 0, PENDING, b''
        page.logged, page.log = 0, b''
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

    @property
    def calls(self):
        """Those that were counted: (name, what it is about, of what that is made)."""
        return [tuple(line.split('\t')) for line in self.page.log[:self.page.logged].decode(errors='replace').splitlines()]


def unsynced(calls, volatile=()):
    """What a power cut would undo, though the calls are over: names whose files were not written out before, changes of
    directories and files that were not written out after. volatile: paths below which nobody promises that."""
    complaints = []
    for i, (call, path, source) in enumerate(calls):
        if path.startswith(volatile):
            continue
        after = [c for c in calls[i + 1:] if c[0] in SYNCS]
        if call in NAMES:
            last = max((j for j, c in enumerate(calls[:i]) if c[0] in CHANGES and c[1] == source or c[0] == 'clone'), default=-1)
            link = any(c[0] == 'symlinkat' and c[1] == source for c in calls[:i])   # which is in its directory
            if not link and not any(c[0] in SYNCS and c[1] == source for c in calls[last + 1:i]):
                complaints.append(f'{call} {path}: {source} is not written out before')
        if call in NAMES + ('mkdirat', 'unlinkat') and source != 'missing' and not any(c[1] == os.path.dirname(path) for c in after):
            complaints.append(f'{call} {path}: its directory is not written out after')
        if (call in CHANGES and path.startswith('/') and not path.endswith(' (deleted)') and
                not any(c[1] == path for c in after)):
            complaints.append(f'{call} {path}: not written out after')
    return complaints


class Steps(OwnSandbox):
    """Operations on what a daemon keeps, each with a fault at each of its steps.

    A test has: fresh(operation), what there is before; act(operation), which tells (status, output, error); world(), what
    is there as a dictionary, from the disk; agree(where), which compares that with what the daemon tells; left_over(),
    what should not be there.
    """
    DAEMON = None
    PROGRAM = None                             # that has the fault: the daemon, or one that it starts
    LACKS = 0
    CHOSEN = 2                                 # faults of each operation, without --full
    SLOW, CHOSEN_OF_SLOW = (), 1               # operations that take seconds
    MIXED = {}                                 # operation -> of what the content may be a mixture afterwards
    HALF = ()                                  # operations that may have done their work although they say that they failed
    HALF_FROM = ()                             # those that may when no call works any more
    VOLATILE = ()                              # paths, see unsynced()
    RANDOM = ()                                # operations that never come to the same end twice

    def setUp(self):
        super().setUp()
        library = os.path.join(self.sandbox.build, 'tests', 'faults', 'fault-points.so')
        if not os.path.exists(library):
            self.skipTest('fault-points.so is not built')
        self.points = Points(os.path.join(self.directory, 'points'))
        self.points.page.lacks = self.LACKS
        self.sandbox.extra_env = {
            'LD_PRELOAD': library, 'MODVIRT_FAULT_POINTS': self.points.path,
            'MODVIRT_FAULT_DAEMON': self.PROGRAM or self.DAEMON,
            'ASAN_OPTIONS': 'abort_on_error=0:detect_leaks=1:verify_asan_link_order=0'}
        self.VOLATILE += tuple(os.path.join(self.directory, d) for d in ('run/', 'var/lib/libvirt/events/'))
        self.sandbox.start()
        if self.PROGRAM:
            self.wrap(os.path.join(self.directory, 'libexec'))

    def wrap(self, path):
        """The daemon starts its programs with few variables, so those of the library come behind it."""
        os.mkdir(path)
        daemons = os.path.join(self.sandbox.build, 'daemons')
        for name in os.listdir(daemons):
            os.symlink(os.path.join(daemons, name), os.path.join(path, name))
        wrapper = os.path.join(path, self.PROGRAM)
        os.unlink(wrapper)
        with open(wrapper, 'w', encoding='utf-8') as f:
            words = ' '.join(shlex.quote(f'{k}={v}') for k, v in self.sandbox.extra_env.items())
            f.write(f'#!/bin/sh\nexec env {words} {shlex.quote(os.path.join(daemons, self.PROGRAM))} "$@"\n')
        os.chmod(wrapper, 0o755)
        self.sandbox.stop_daemon(self.DAEMON)
        self.sandbox.start_daemon(self.DAEMON, under=('env', 'MODVIRT_LIBEXEC_DIR=' + path))

    def kinds(self, operation):
        """Of faults."""
        return tuple(FAULTS)

    def again(self):
        self.points.off()
        self.sandbox.stop_daemon(self.DAEMON, signal.SIGKILL)
        self.sandbox.start_daemon(self.DAEMON)

    def same(self, name, one, before, after, mixed):
        """Whether what is there of a name is what may be there."""
        return one in (before, after) or mixed

    def check(self, operation, before, after, where, status=None, half=()):
        """status: what the daemon said, when it was there to say something. half: more operations like those in HALF."""
        self.assertEqual(self.left_over(), [], f'{where}: left over')
        found, mixed = self.world(), self.MIXED.get(operation)
        for name in sorted(set(before) | set(after) | set(found)):
            was, becomes, one = before.get(name), after.get(name), found.get(name)
            self.assertTrue(self.same(name, one, was, becomes, one is not None and name == mixed),
                            f'{where}: {name} is {one}, was {was}, becomes {becomes}')
            if status == 0 and operation not in self.RANDOM:
                self.assertEqual(one, becomes, f'{where}: {name}, of a success')
            elif status and name != mixed and operation not in self.HALF + half:
                self.assertEqual(one, was, f'{where}: {name}, of a failure')
        self.agree(where)

    def choose(self, operation, seen, harmful, rng):
        """Faults, and at which call each. A disk that is full is met by few calls more than one that fails once."""
        points = {f: range(1, (seen if FAULTS[f][0] == KILL else harmful) + 1) for f in self.kinds(operation)}
        if FULL and operation not in self.SLOW:
            points.update({f: rng.sample(points[f], min(3, len(points[f]))) for f in points if FAULTS[f][0] == FAIL_FROM})
        every = [(f, at) for f, ats in points.items() for at in ats]
        few = self.CHOSEN_OF_SLOW * (len(points) if FULL else 1) if operation in self.SLOW else len(every) if FULL else self.CHOSEN
        return sorted(rng.sample(every, min(few, len(every))))

    def faults_of(self, operation, rng):
        """Operation and fault, at which point. Of each that is reached the outcome is checked."""
        self.fresh(operation)
        before = self.world()
        self.points.arm(COUNT)
        status, _, err = self.act(operation)
        seen, harmful = self.points.off()
        self.assertEqual(status, 0, f'{operation}: {err}')
        self.assertGreater(seen, 0, operation)
        self.assertEqual(unsynced(self.points.calls, self.VOLATILE), [], operation)
        after = self.world()
        hits = 0
        for fault, at in self.choose(operation, seen, harmful, rng):
            mode, error = FAULTS[fault]
            with self.subTest(operation=operation, fault=fault, at=at):
                self.fresh(operation)
                self.points.arm(mode, at, error)
                status = self.act(operation)[0]
                self.points.off()
                hits += self.points.hit
                where = f'{operation} {fault} {at}: {self.points.what}'
                dies = mode == KILL and self.PROGRAM is None
                if dies:
                    self.again()
                self.assertIsNone(self.sandbox.daemons[self.DAEMON].poll(), where)
                self.check(operation, before, after, where, None if mode == KILL else status, self.HALF_FROM if mode == FAIL_FROM else ())
        self.assertGreater(hits, 0, operation)

    def loop(self, operations):
        print('seed', SEED)
        rng = random.Random(SEED)
        for operation in operations:
            if ONLY in (None, operation):
                self.faults_of(operation, rng)


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
