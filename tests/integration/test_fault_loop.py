# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every operation, every call with which the daemon changes something on the way, and there a fault: the daemon
killed, the emulator killed, a helper killed, one failing write, a disk that is full from then on.

What is there afterwards is what was there before or what the operation makes, nothing between: as the daemon tells it
and as the host has it. A daemon that starts afterwards tells the same. Guests then start and leave nothing.

Without --full, a choice that another seed makes differently (MODVIRT_TEST_SEED). MODVIRT_TEST_ONLY=OPERATION,FAULT,POINT
repeats one, without the last words more.
"""
import contextlib
import copy
import errno
import os
import random
import shutil
import signal
import subprocess
import threading
import time
import unittest

import libvirt

import faults
from faults import World
from harness import ON_PEER, SEED, SLOW, domain_xml, emulators, unique, wait_for

FULL = 'MODVIRT_TEST_FULL' in os.environ
CHOSEN = 2                                     # faults per operation, at one point each, without --full
PATIENCE = 20 * SLOW                           # seconds in which nothing changes
HELPERS = 'swtpm', 'virtiofsd', 'passt'
BOTH = libvirt.VIR_DOMAIN_AFFECT_LIVE | libvirt.VIR_DOMAIN_AFFECT_CONFIG
ALL_OF_IT = (libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM |
             libvirt.VIR_DOMAIN_UNDEFINE_TPM)
CODE, VARS = '/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'
# Fields of a world's domain that say what it is, not what happens to it.
SETTLED = ('persistent', 'saved', 'autostart', 'definition')


def either(found, refs, where, complaints):
    """found is what one of the worlds has there."""
    if found not in refs:
        complaints.append(f'{where}: {found!r}, expected one of {refs!r}')


def compare(found, refs):
    """What found has that is in none of the worlds refs, or lacks though all have it."""
    complaints = []
    for path in sorted(found['paths'] - set.union(*(r['paths'] for r in refs))):
        complaints.append(f'left over: {path}')
    for path in sorted(set.intersection(*(r['paths'] for r in refs)) - found['paths']):
        if '/.new-' not in path:               # of a file that was being written when it was looked at
            complaints.append(f'lost: {path}')
    for name, state in found['lent'].items():
        either(state, [r['lent'].get(name) for r in refs], f'owner of {name}', complaints)
    either(found['host'], [r['host'] for r in refs], 'the host', complaints)
    names = {n for r in refs for n in r['domains']} | set(found['domains'])
    for name in names:
        there = [r['domains'].get(name) for r in refs]
        domain = found['domains'].get(name)
        if domain is None or not all(there):
            either(bool(domain), [bool(t) for t in there], f'existence of {name}', complaints)
        for field, value in (domain or {}).items():
            if any(there):
                either(value, [t[field] for t in there if t], f'{field} of {name}', complaints)
    # What must fit together.
    active = any(d['active'] for d in found['domains'].values())
    if not active:
        complaints += [f'{name} stays lent: {state}' for name, state in found['lent'].items() if state != 'own']
        complaints += [f'on the host: {what}' for what in sorted(found['host'])]
    elif 'process qemu-system-x86_64' not in found['host']:
        complaints.append('a guest is said to run without a process')
    for name, domain in found['domains'].items():
        if bool(domain['active']) != (len(emulators(name)) == 1):
            complaints.append(f'{name}: active {domain["active"]}, processes {emulators(name)}')
    return complaints


@unittest.skipIf(ON_PEER or os.geteuid() != 0, 'needs a daemon of its own, and root')
class Loop(World):
    def setUp(self):
        super().setUp()
        self.name = unique('loop')
        self.new_name = unique('other')
        self.uuid = '00000000-0000-4000-8000-00000000%04x' % (os.getpid() & 0xffff)
        self.disk, self.second = self.file('disk'), self.file('second')
        self.disc, self.other_disc = self.file('disc'), self.file('other-disc')
        self.share = os.path.join(self.sandbox.dir, 'share')
        os.mkdir(self.share)
        os.chmod(self.share, 0o777)
        self.image = os.path.join(self.sandbox.dir, 'image')
        self.random = random.Random(SEED)
        self.complaints = []
        self.empty = None

    # ---- the guest -----------------------------------------------------------------------------------

    def xml(self, devices='', name=None, os_extra='', features='', title=None):
        text = domain_xml(name or self.name, uuid=self.uuid, devices=(
            f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{self.disk}'/>"
            "<target dev='vda' bus='virtio'/></disk><controller type='virtio-serial'/>"
            "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>" + devices))
        text = text.replace("<vcpu>1</vcpu>", "<vcpu current='1'>4</vcpu>")
        text = text.replace('<memory unit', "<maxMemory slots='4' unit='MiB'>1024</maxMemory><memory unit", 1)
        text = text.replace("<features><acpi/>", f"<cpu mode='custom' match='exact'><model>qemu64</model><numa>"
                            "<cell id='0' cpus='0-3' memory='64' unit='MiB'/></numa></cpu><features><acpi/>" + features)
        text = text.replace('</os>', os_extra + '</os>')
        if 'virtiofs' in devices:
            text = text.replace('<vcpu', "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking><vcpu", 1)
        return text.replace('<memory unit', f'<title>{title}</title><memory unit', 1) if title else text

    def dom(self, name=None):
        return self.conn.lookupByName(name or self.name)

    def defined(self, **how):
        return self.conn.defineXML(self.xml(**how))

    def running(self, **how):
        d = self.defined(**how)
        d.create()
        return d

    def with_all_files(self):
        """One that has variables of firmware, a TPM, an image."""
        d = self.running(devices="<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>" if shutil.which('swtpm') else '',
                         os_extra=f"<loader readonly='yes' type='pflash'>{CODE}</loader><nvram template='{VARS}'/>"
                         if os.path.exists(CODE) else '')
        d.managedSave()

    def with_autostart(self):
        self.defined().setAutostart(1)

    def with_image(self):
        self.defined().create()
        self.dom().save(self.image)

    def with_managed_image(self):
        self.running().managedSave()

    def with_second(self):
        self.running().attachDeviceFlags(self.SECOND.format(self.second), BOTH)

    def with_tap(self):
        self.running().attachDeviceFlags(self.tap_xml(), BOTH)

    def with_medium(self):
        self.running(devices=self.CDROM.format(self.disc))

    CDROM = ("<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{}'/>"
             "<target dev='sda' bus='sata'/><readonly/></disk>")
    EMPTY = CDROM.replace("<source file='{}'/>", '')
    SECOND = ("<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'/>"
              "<target dev='vdb' bus='virtio'/></disk>")
    TAP = "<interface type='ethernet'><mac address='52:54:00:00:00:07'/><target dev='{}'/><model type='virtio'/></interface>"
    USER = "<interface type='user'><mac address='52:54:00:00:00:08'/><model type='virtio'/></interface>"
    PORT = "<channel type='unix'><target type='virtio' name='org.modvirt.second'/></channel>"
    RANDOM = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
    MEMORY = "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>"

    def tap_xml(self):
        return self.TAP.format(self.tap)

    TWO_PARTS = {'attach-disk', 'detach-disk', 'attach-tap', 'attach-user', 'detach-tap', 'attach-channel', 'attach-rng',
                 'attach-memory', 'vcpus', 'metadata', 'change-medium', 'eject', 'insert'}

    def put(self, text):
        return lambda: self.dom().updateDeviceFlags(text, BOTH | libvirt.VIR_DOMAIN_DEVICE_MODIFY_FORCE)

    def attach(self, text):
        return lambda: self.dom().attachDeviceFlags(text, BOTH)

    def operations(self):
        """name: (what there is before, the operation)."""
        nothing = lambda: None
        rows = {
            'define': (nothing, self.defined),
            'redefine': (self.defined, lambda: self.defined(title='another')),
            'redefine-running': (self.running, lambda: self.defined(title='another')),
            'autostart': (self.defined, lambda: self.dom().setAutostart(1)),
            'no-autostart': (self.with_autostart, lambda: self.dom().setAutostart(0)),
            'rename': (self.with_autostart, lambda: self.dom().rename(self.new_name)),
            'undefine': (self.with_autostart, lambda: self.dom().undefine()),
            'undefine-all': (self.with_all_files, lambda: self.dom().undefineFlags(ALL_OF_IT)),
            'undefine-running': (self.running, lambda: self.dom().undefine()),
            'start': (lambda: self.defined(devices=self.tap_xml()), lambda: self.dom().create()),
            'create': (nothing, lambda: self.conn.createXML(self.xml(devices=self.tap_xml()))),
            'destroy': (lambda: self.running(devices=self.tap_xml()), lambda: self.dom().destroy()),
            'suspend': (self.running, lambda: self.dom().suspend()),
            'attach-disk': (self.running, self.attach(self.SECOND.format(self.second))),
            'detach-disk': (self.with_second, lambda: self.dom().detachDeviceFlags(self.SECOND.format(self.second), BOTH)),
            'attach-tap': (self.running, self.attach(self.tap_xml())),
            'attach-user': (self.running, self.attach(self.USER)),
            'detach-tap': (self.with_tap, lambda: self.dom().detachDeviceFlags(self.tap_xml(), BOTH)),
            'attach-channel': (self.running, self.attach(self.PORT)),
            'attach-rng': (self.running, self.attach(self.RANDOM)),
            'attach-memory': (self.running, self.attach(self.MEMORY)),
            'change-medium': (self.with_medium, self.put(self.CDROM.format(self.other_disc))),
            'eject': (self.with_medium, self.put(self.EMPTY)),
            'insert': (lambda: self.running(devices=self.EMPTY), self.put(self.CDROM.format(self.disc))),
            'vcpus': (self.running, lambda: self.dom().setVcpusFlags(3, BOTH)),
            'metadata': (self.running, lambda: self.dom().setMetadata(
                libvirt.VIR_DOMAIN_METADATA_TITLE, 'words', None, None, BOTH)),
            'save': (self.running, lambda: self.dom().save(self.image)),
            'restore': (self.with_image, lambda: self.conn.restore(self.image)),
            'managed-save': (self.running, lambda: self.dom().managedSave()),
            'managed-start': (self.with_managed_image, lambda: self.dom().create()),
            'drop-image': (self.with_managed_image, lambda: self.dom().managedSaveRemove()),
            'dump': (self.running, lambda: self.dom().coreDump(self.image)),
            'dump-memory': (self.running, lambda: self.dom().coreDump(self.image, libvirt.VIR_DUMP_MEMORY_ONLY)),
        }
        for word, there, device in self.helpers():
            if there:
                rows['start-' + word] = (lambda device=device: self.defined(devices=device), lambda: self.dom().create())
                rows['create-' + word] = (nothing, lambda device=device: self.conn.createXML(self.xml(devices=device)))
        return rows

    def words(self):
        return tuple('-' + word for word, *_ in self.helpers())

    def helpers(self):
        """(operation's word, whether the program is here, the device)"""
        return [
            ('tpm', shutil.which('swtpm') and shutil.which('swtpm_setup'),
             "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>"),
            ('files', os.path.exists('/usr/lib/qemu/virtiofsd'),
             f"<filesystem type='mount' accessmode='passthrough'><driver type='virtiofs'/><source dir='{self.share}'/>"
             "<target dir='tag'/></filesystem>"),
            ('passt', shutil.which('passt') and subprocess.run(['ip', 'route', 'show', 'default'], check=True,
                                                               stdout=subprocess.PIPE).stdout,
             # The log's name is how its process is known as ours.
             f"<interface type='user'><mac address='52:54:00:00:00:09'/><backend type='passt' logFile='{self.share}/passt.log'/><model type='virtio'/></interface>")]

    # ---- one trial -----------------------------------------------------------------------------------

    def prepare(self, ready):
        self.reset()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.image)
        ready()

    def world(self):
        found = super().world()
        found['paths'] |= {'image'} if os.path.exists(self.image) else set()
        return found

    def end_emulators(self):
        for name in (self.name, self.new_name):
            for pid in emulators(name):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        wait_for('ends', lambda: not self.conn.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE))

    def references(self, ready, act):
        """Worlds before and after, each also with its emulator dead; how many points there are by mode."""
        self.prepare(ready)
        before = self.world()
        self.end_emulators()
        before_dead = self.world()
        self.prepare(ready)
        self.points.arm(faults.COUNT)
        act()
        count = self.points.off()
        after = self.world()
        self.end_emulators()
        after_dead = self.world()
        refs = {'before': before, 'after': after, 'before_dead': before_dead, 'after_dead': after_dead}
        if not after['domains']:               # what a guest leaves goes before its definition: asked again, it goes
            refs['half'] = copy.deepcopy(before)
            for d in refs['half']['domains'].values():
                d['saved'] = False
        for n, d in before['domains'].items(): # vCPUs come one by one
            there = after['domains'].get(n)
            for k in range(1, len(there['cpus'] or []) if there and d['active'] and d['cpus'] == [] else 0):
                refs[f'partly {k}'] = {**before, 'domains': {n: {**d, 'vcpus': d['vcpus'] + k, 'cpus': there['cpus'][:k]}}}
        helper = {'process ' + h for h in HELPERS} & after['host']
        if helper:                             # it is not replaced: the guest goes on without
            refs['alone'] = {**after, 'host': after['host'] - helper}
        return refs, count

    def settled(self, label, refs):
        """What is wrong after a while with what there is."""
        deadline, last, since = time.monotonic() + 120 * SLOW, None, 0
        while True:
            try:
                wrong = compare(self.world(), refs)
            except libvirt.libvirtError as e:
                wrong = [f'the daemon says: {e}']
            now = time.monotonic()
            last, since = wrong, since if wrong == last else now
            if not wrong or now > deadline or now > since + PATIENCE:
                self.complain(label, *wrong)
                return not wrong
            time.sleep(0.1)

    def complain(self, label, *wrong):
        self.complaints += [f'{label}: {w}' for w in wrong]
        for w in wrong:
            print(f'  {label}: {w}', flush=True)

    def usable(self, label):
        """Whatever is at rest starts, and ends without a trace."""
        for d in self.conn.listAllDomains():
            try:
                if not d.isActive():
                    d.create()
                d.destroy()
            except libvirt.libvirtError as e:
                self.complain(label, f'then: {e}')

    def clean(self, label):
        self.reset()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.image)
        found = self.world()
        if self.empty is None:
            self.empty = found
        if not self.settled(label + ', at the end', [self.empty]):
            self.empty = self.world()          # said once

    def trial(self, name, fault, at, refs):
        ready, act = self.operations()[name]
        self.prepare(ready)
        mode, error = {'kill': (faults.KILL, 0), 'emulator': (faults.WAIT, 0), 'helper': (faults.WAIT, 0),
                       'write': (faults.FAIL, errno.EIO), 'full': (faults.FAIL_FROM, errno.ENOSPC)}[fault]
        outcome = []

        def run():
            try:
                act()
                outcome.append(None)
            except libvirt.libvirtError as e:
                outcome.append(e)
        self.points.arm(mode, at, error)
        if mode == faults.WAIT:
            thread = threading.Thread(target=run)
            thread.start()
            while thread.is_alive() and not self.points.hit:
                time.sleep(0.002)
            if self.points.hit:
                self.strike(fault)
            self.points.off()
            thread.join(120)
            self.assertFalse(thread.is_alive(), f'{name} hangs after {fault} at {at}')
        else:
            run()
        hit, what = self.points.hit, self.points.what
        self.points.off()
        label = f'{name}, {fault} at {at} ({what.replace(self.sandbox.dir, "")}; {outcome[0] or "done"})'
        if not hit:
            return False
        if fault == 'kill':
            self.again()
            allowed = [r for r in refs if not r.endswith('_dead')]
        elif fault in ('emulator', 'helper'):
            allowed = list(refs)
        else:
            # Guests cannot go back: what one has got stays when its definition cannot be written after that.
            allowed = ['after'] if not outcome[0] else ['before', 'after'] if name in self.TWO_PARTS else ['before']
        fine = self.settled(label, [refs[a] for a in allowed])
        if fine and fault != 'kill':           # a daemon that comes next says the same
            self.again()
            fine = self.settled(label + ', told by the next daemon', [refs[a] for a in allowed])
        if fine:
            self.usable(label)
        self.clean(label)
        return True

    def strike(self, fault):
        words = HELPERS if fault == 'helper' else ('qemu-system',)
        for entry in filter(str.isdigit, os.listdir('/proc')):
            with contextlib.suppress(OSError):
                with open(f'/proc/{entry}/cmdline', 'rb') as f:
                    argv = f.read().split(b'\0')
                if os.path.basename(argv[0]).decode().startswith(words) and any(os.fsencode(self.sandbox.dir) in a for a in argv):
                    os.kill(int(entry), signal.SIGKILL)
        time.sleep(0.02)

    def loop(self, names, kinds):
        print(f'MODVIRT_TEST_SEED={SEED}', flush=True)
        only = os.environ.get('MODVIRT_TEST_ONLY')   # OPERATION[,FAULT[,POINT]]
        only = only.split(',') if only else []
        self.clean('the beginning')
        for name in names:
            if only and only[0] != name:
                continue
            ready, act = self.operations()[name]
            refs, count = self.references(ready, act)
            faults_here = [k for k in kinds if (k != 'helper' or name.endswith(self.words())) and (not only[1:] or only[1] == k)]
            if not FULL and not only:
                faults_here = self.random.sample(faults_here, CHOSEN)
            for fault in faults_here:
                points = list(range(1, count[fault in ('write', 'full')] + 4 * FULL + 1))
                if only[2:]:
                    points = [int(only[2])]
                elif not FULL:
                    points = self.random.sample(points, min(1, len(points)))
                began = time.monotonic()
                done = 0
                for at in points:
                    if not self.trial(name, fault, at, refs):
                        break                  # there are no more
                    done += 1
                print(f'{name}, {fault}: {done} points, {time.monotonic() - began:.0f} s', flush=True)
        self.clean('the end')
        self.assertEqual(self.complaints, [], '\n' + '\n'.join(self.complaints))

    def test_definitions(self):
        self.loop(['define', 'redefine', 'autostart', 'no-autostart', 'rename', 'undefine', 'undefine-all'],
                  ['kill', 'write', 'full'])

    def test_running(self):
        self.loop(['redefine-running', 'undefine-running', 'suspend', 'metadata', 'vcpus', 'destroy'],
                  ['kill', 'write', 'full', 'emulator'])

    def test_starts(self):
        self.loop([n for n in self.operations() if n.startswith(('start', 'create'))],
                  ['kill', 'write', 'full', 'emulator', 'helper'])

    def test_devices(self):
        self.loop([n for n in self.operations() if n.startswith(('attach-', 'detach-')) or
                   n in ('change-medium', 'eject', 'insert')],
                  ['kill', 'write', 'full', 'emulator'])

    def test_files(self):
        self.loop(['save', 'restore', 'managed-save', 'managed-start', 'drop-image', 'dump', 'dump-memory'],
                  ['kill', 'write', 'full', 'emulator'])


if __name__ == '__main__':
    unittest.main()
