# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks whose image is a volume of a pool: found at the start, shown as they were written."""
import os
import shutil
import signal
import subprocess
import time
import unittest
import xml.etree.ElementTree as ET

import libvirt
from harness import ON_PEER, OwnSandbox, domain_xml, emulators, names, run, start_event_loop, uri, virsh, wait_for


def disk(volume, target='vda', driver='raw', device='disk', bus='virtio', pool='p', source='', more=''):
    return (f"<disk type='volume' device='{device}'><driver name='qemu' type='{driver}'/>"
            f"<source pool='{pool}' volume='{volume}' {source}/><target dev='{target}' bus='{bus}'/>{more}</disk>")


class Volumes(OwnSandbox):
    def setUp(self):
        super().setUp()
        self.sandbox.start()
        self.use(self.sandbox)
        self.path = os.path.join(self.directory, 'pool')
        os.mkdir(self.path, 0o755)
        virsh('pool-define-as', 'p', 'dir', '--target', self.path)
        virsh('pool-start', 'p')
        virsh('vol-create-as', 'p', 'v', '1M')

    def xml(self, *disks, **how):
        return domain_xml('g', devices=''.join(disks), **how)

    def define(self, *disks, **how):
        return self.connect().defineXML(self.xml(*disks, **how))

    def fails(self, *args):
        status, _, err = virsh(*args, check=False)
        self.assertNotEqual(status, 0, args)
        return err

    def shown(self, *flags):
        return [ET.fromstring(ET.tostring(d)) for d in ET.fromstring(virsh('dumpxml', 'g', *flags)).findall('.//disk')]

    def file(self, name):
        return os.path.join(self.path, name)

    def device_file(self, text):
        path = os.path.join(self.directory, 'device.xml')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        return path


class Life(Volumes):
    def test_start(self):
        virsh('vol-create-as', 'p', 'base', '1M', '--format', 'qcow2')
        virsh('vol-create-as', 'p', 'top', '1M', '--format', 'qcow2', '--backing-vol', 'base', '--backing-vol-format', 'qcow2')
        virsh('pool-destroy', 'p')
        dom = self.define(disk('v'), disk('top', 'vdb', 'qcow2'))   # needs no pool
        virsh('pool-start', 'p')
        virsh('start', 'g')
        raw, top = self.shown()
        for d, name in ((raw, 'v'), (top, 'top')):
            self.assertEqual((d.get('type'), d.find('source').get('pool'), d.find('source').get('volume')), ('volume', 'p', name))
            self.assertIsNone(d.find('source').get('file'))
            self.assertTrue(d.find('source').get('index'))
        self.assertEqual(top.find('backingStore/source').get('file'), self.file('base'))
        for d in self.shown('--inactive'):
            self.assertEqual((d.get('type'), d.find('source').attrib.keys()), ('volume', {'pool': 0, 'volume': 0}.keys()))
            self.assertIsNone(d.find('backingStore'))
        self.assertRegex(virsh('domblklist', 'g', '--details'), r'volume +disk +vda +v\n')
        # Whatever acts on images acts on what was found.
        self.assertRegex(virsh('domblkinfo', 'g', 'vda'), r'Capacity: +1048576')
        self.assertRegex(virsh('domblkinfo', 'g', self.file('v')), r'Capacity: +1048576')
        self.assertIn('rd_req', virsh('domblkstat', 'g', 'vdb'))
        stats = virsh('domstats', 'g', '--block', '--backing')
        for path in map(self.file, ('v', 'top', 'base')):
            self.assertIn(f'path={path}\n', stats)
        virsh('blockresize', 'g', 'vdb', '2M')
        self.assertRegex(virsh('vol-info', 'top', 'p'), r'Capacity: +2')
        dom.destroy()
        self.assertIn("volume 'v' of pool 'p', is known while the guest runs only", self.fails('domblkinfo', 'g', 'vda'))
        virsh('undefine', 'g', '--storage', 'vda,vdb')
        self.assertEqual(names(virsh('vol-list', 'p'))[::2], ['base'])

    def test_a_driver_without_a_format_is_raw(self):
        self.define(disk('v').replace(" type='raw'", ''))
        self.assertIsNone(self.shown()[0].find('driver').get('type'))
        virsh('start', 'g')
        self.assertEqual(self.shown()[0].find('driver').get('type'), 'raw')
        virsh('destroy', 'g')
        self.assertIsNone(self.shown()[0].find('driver').get('type'))

    def test_a_directory(self):
        os.mkdir(self.file('files'), 0o755)
        virsh('pool-refresh', 'p')
        self.define(disk('files', 'fda', 'fat', 'floppy', 'fdc', more='<readonly/>'))
        virsh('start', 'g')
        virsh('destroy', 'g')
        for driver, more, why in (('raw', '<readonly/>', "format 'fat'"), ('fat', '', 'read-write mode')):
            virsh('undefine', 'g')
            self.define(disk('files', 'vda', driver, more=more))
            self.assertIn(why, self.fails('start', 'g'))

    def test_remove_all_storage(self):
        self.define(disk('v'))
        virsh('undefine', 'g', '--remove-all-storage')
        self.assertFalse(os.path.exists(self.file('v')))

    def test_what_is_missing(self):
        for what, why in ((disk('none'), "Storage volume not found: virtstoraged: no storage vol with matching name 'none'"),
                          (disk('../pool/v'), "no storage vol with matching name '../pool/v'"),
                          (disk('v', pool='none'), "Storage pool not found: virtstoraged: no storage pool with matching name 'none'"),
                          (disk('v', source="mode='host'"), 'disk source mode is only valid when storage pool is of iscsi type'),
                          (disk('none', 'sda', device='cdrom', bus='sata', source="startupPolicy='requisite'"), "matching name 'none'")):
            dom = self.define(what, '<controller type="sata"/>' if 'sata' in what else '')
            err = self.fails('start', 'g')
            self.assertIn(why, err)
            self.assertRegex(err, r"\(disk '(vda|sda)' is volume '.*' of pool '.*'\) \(step 'volumes' of the start\)")
            dom.undefine()
        self.define(disk('v'))
        virsh('pool-destroy', 'p')
        self.assertIn("storage pool 'p' containing volume 'v' is not active", self.fails('start', 'g'))
        self.assertEqual(emulators('g'), [])

    def test_startup_policy(self):
        start_event_loop()
        seen = []
        conn = self.connect()
        conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_DISK_CHANGE,
                                    lambda c, dom, old, new, alias, reason, opaque: seen.append((old, new, alias, reason)), None)
        optional = "startupPolicy='optional'"
        self.define(disk('v'), disk('none', 'vdb', source=optional), disk('v', 'hda', device='cdrom', bus='ide', pool='none', source=optional))
        virsh('start', 'g')
        kept, empty = self.shown()
        self.assertEqual(kept.find('target').get('dev'), 'vda')
        self.assertEqual((empty.find('target').get('dev'), empty.get('type'), empty.find('source')), ('hda', 'file', None))
        wait_for('events', lambda: len(seen) == 2)
        self.assertEqual({(alias, reason) for _, _, alias, reason in seen},
                         {('virtio-disk1', libvirt.VIR_DOMAIN_EVENT_DISK_DROP_MISSING_ON_START),
                          ('ide0-0-0', libvirt.VIR_DOMAIN_EVENT_DISK_CHANGE_MISSING_ON_START)})
        self.assertEqual(len(self.shown('--inactive')), 3)

    def test_deleted_after_it_was_defined(self):
        self.define(disk('v'))
        virsh('vol-delete', 'v', '--pool', 'p')
        self.assertIn("no storage vol with matching name 'v'", self.fails('start', 'g'))
        virsh('vol-create-as', 'p', 'v', '1M')
        os.unlink(self.file('v'))              # nobody told the storage daemon
        self.assertIn("'v'", self.fails('start', 'g'))
        virsh('pool-refresh', 'p')
        virsh('vol-create-as', 'p', 'v', '1M')
        virsh('start', 'g')

    def test_plan(self):
        tool = os.path.join(self.sandbox.build, 'tools', 'modvirt', 'modvirt')
        env = {'MODVIRT_ROOT': self.sandbox.dir, 'MODVIRT_MODULE_DIR': os.path.join(self.sandbox.build, 'drivers', 'qemu')}
        path = self.device_file(self.xml(disk('v')))
        text = run([tool, 'plan', path], env=env)[1]
        self.assertIn(f"disk vda: volume 'v' of pool 'p' is '{self.file('v')}'", text)
        self.assertIn(f"disk vda: '{self.file('v')}' (raw)", text)
        status, text, _ = run([tool, 'plan', self.device_file(self.xml(disk('none')))], check=False, env=env)
        self.assertEqual(status, 1)
        self.assertIn("no storage vol with matching name 'none'", text)


class Running(Volumes):
    def test_the_run_outlives_daemons(self):
        virsh('vol-create-as', 'p', 'cd', '1M')
        self.define(disk('v'), disk('cd', 'hda', device='cdrom', bus='ide'))
        virsh('start', 'g')
        before = virsh('dumpxml', 'g')
        for daemon in ('virtstoraged', 'virtqemud'):
            child = self.sandbox.daemons.pop(daemon)
            child.kill()
            child.wait(120)
        self.sandbox.start_daemon('virtqemud')
        qemu = self.sandbox.uri('virtqemud')
        wait_for('the guest', lambda: 'g' in virsh('list', '--name', connect=qemu, check=False)[1])
        self.assertEqual(virsh('dumpxml', 'g', connect=qemu), before)
        self.assertIn(f'path={self.file("v")}\n', virsh('domstats', 'g', '--block', connect=qemu))
        virsh('blockresize', 'g', 'vda', '2M', connect=qemu)
        virsh('change-media', 'g', 'hda', '--eject', connect=qemu)
        virsh('destroy', 'g', connect=qemu)
        self.assertEqual(os.stat(self.file('v')).st_size, 2 << 20)

    def test_a_record_that_names_the_volume_only(self):
        """As today's daemons write it: they ask again when they come back."""
        virsh('vol-create-as', 'p', 'base', '1M', '--format', 'qcow2')
        virsh('vol-create-as', 'p', 'top', '1M', '--format', 'qcow2', '--backing-vol', 'base', '--backing-vol-format', 'qcow2')
        self.define(disk('top', driver='qcow2'))
        virsh('start', 'g')
        before = virsh('dumpxml', 'g')
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        record = os.path.join(self.sandbox.run_dir, 'qemu', 'g.xml')
        with open(record, encoding='utf-8') as f:
            text = f.read()
        older = text.replace("<disk type='file' device='disk'>", "<disk type='volume' device='disk'>", 1)
        older = older.replace(f"<source file='{self.file('top')}'", "<source pool='p' volume='top'", 1)
        older = older.replace("<found pool='p' volume='top'/>", '')
        self.assertNotIn(self.file('top'), older)
        with open(record, 'w', encoding='utf-8') as f:
            f.write(older)
        self.sandbox.start_daemon('virtqemud')
        wait_for('the guest', lambda: 'g' in virsh('list', '--name', check=False)[1])
        self.assertEqual(virsh('dumpxml', 'g'), before)
        self.assertRegex(virsh('domblkinfo', 'g', self.file('top')), r'Capacity: +1048576')
        self.assertIn(f'path={self.file("base")}\n', virsh('domstats', 'g', '--block', '--backing'))

    def test_save(self):
        self.define(disk('v'))
        virsh('start', 'g')
        image = os.path.join(self.directory, 'image')
        virsh('save', 'g', image)
        saved = ET.fromstring(virsh('save-image-dumpxml', image)).find('.//disk')
        self.assertEqual((saved.get('type'), saved.find('source').get('volume')), ('volume', 'v'))
        os.rename(self.file('v'), self.file('w'))
        self.assertIn('Storage volume not found', self.fails('restore', image))
        os.rename(self.file('w'), self.file('v'))
        virsh('restore', image)
        self.assertEqual(self.shown()[0].find('source').get('volume'), 'v')
        virsh('managedsave', 'g')
        virsh('start', 'g')
        self.assertEqual(virsh('domstate', 'g').strip(), 'running')

    def test_hotplug(self):
        virsh('vol-create-as', 'p', 'more', '1M')
        dom = self.define(disk('v'), "<controller type='usb' model='qemu-xhci'/>")
        dom.create()
        path = self.device_file(disk('more', 'sdb', bus='usb'))
        virsh('attach-device', 'g', path, '--live', '--config')
        live = self.shown()[1]
        self.assertEqual((live.get('type'), live.find('source').get('volume')), ('volume', 'more'))
        self.assertIn(f'path={self.file("more")}\n', virsh('domstats', 'g', '--block'))
        self.assertEqual(self.shown('--inactive')[1].find('source').attrib, {'pool': 'p', 'volume': 'more'})
        virsh('detach-device', 'g', path, '--live', '--config')
        wait_for('the disk to leave', lambda: len(self.shown()) == 1)
        for what, why in ((disk('none', 'sdb', bus='usb'), 'no storage vol with matching name'),
                          (disk('v', 'sdb', bus='usb', pool='none'), 'no storage pool with matching name')):
            self.assertIn(why, self.fails('attach-device', 'g', self.device_file(what), '--live'))
        self.assertEqual(len(self.shown()), 1)

    def test_media(self):
        virsh('vol-create-as', 'p', 'cd', '1M')
        virsh('vol-create-as', 'p', 'cd2', '1M')
        self.define(disk('cd', 'hda', device='cdrom', bus='ide'))
        virsh('start', 'g')
        virsh('change-media', 'g', 'hda', self.file('cd2'), '--update', '--live')
        self.assertEqual(self.shown()[0].find('source').get('file'), self.file('cd2'))
        virsh('update-device', 'g', self.device_file(disk('cd', 'hda', device='cdrom', bus='ide')))
        again = self.shown()[0]
        self.assertEqual((again.get('type'), again.find('source').get('volume')), ('volume', 'cd'))
        self.assertIn(f'path={self.file("cd")}\n', virsh('domstats', 'g', '--block'))
        self.assertIn('no storage vol', self.fails('update-device', 'g', self.device_file(disk('none', 'hda', device='cdrom', bus='ide'))))
        self.assertEqual(self.shown()[0].find('source').get('volume'), 'cd')
        virsh('change-media', 'g', 'hda', '--eject', '--live')
        self.assertIsNone(self.shown()[0].find('source').get('volume'))

    def test_files_are_lent(self):
        """The emulator's user gets the images of the volume, with what is below, and the owner before gets them back."""
        if os.geteuid() != 0:
            self.skipTest('needs root')
        virsh('vol-create-as', 'p', 'base', '1M', '--format', 'qcow2')
        virsh('vol-create-as', 'p', 'top', '1M', '--format', 'qcow2', '--backing-vol', 'base', '--backing-vol-format', 'qcow2')
        label = "<seclabel type='static' model='dac' relabel='yes'><label>+65533:+65533</label></seclabel>"
        os.chmod(self.directory, 0o755)
        self.connect().defineXML(self.xml(disk('top', driver='qcow2')).replace('</domain>', label + '</domain>'))
        virsh('start', 'g')
        self.assertEqual(os.stat(self.file('top')).st_uid, 65533)
        virsh('destroy', 'g')
        self.assertEqual(os.stat(self.file('top')).st_uid, os.geteuid())


class Faults(Volumes):
    def test_a_silent_storage_daemon(self):
        self.define(disk('v'))
        child = self.sandbox.daemons['virtstoraged']
        qemu = self.sandbox.uri('virtqemud')
        child.send_signal(signal.SIGSTOP)
        try:
            starting = subprocess.Popen(['virsh', '-c', qemu, 'start', 'g'], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                        text=True)
            time.sleep(0.5)                    # so that it has begun
            # Nobody else waits: the start does so for 15 seconds.
            for command in (('list', '--all'), ('dumpxml', 'g'), ('dominfo', 'g')):
                self.assertIn('g', virsh(*command, connect=qemu, timeout=10))
            other = self.connect(qemu).createXML(domain_xml('other'), 0)
            other.destroy()
            err = starting.communicate(timeout=120)[1]
        finally:
            child.send_signal(signal.SIGCONT)
        self.assertNotEqual(starting.returncode, 0)
        self.assertIn('virtstoraged', err)
        self.assertIn("step 'volumes'", err)
        self.assertIn("disk 'vda'", err)
        virsh('start', 'g')

    def test_no_storage_daemon(self):
        self.define(disk('v', source="startupPolicy='optional'"))  # not an answer: nothing is known to be missing
        child = self.sandbox.daemons.pop('virtstoraged')
        child.kill()
        child.wait(120)
        status, _, err = virsh('start', 'g', connect=self.sandbox.uri('virtqemud'), check=False)
        self.assertNotEqual(status, 0)
        self.assertIn('virtstoraged', err)
        self.sandbox.start_daemon('virtstoraged')
        wait_for('the pool', lambda: 'v' in virsh('vol-list', 'p', check=False)[1])
        virsh('start', 'g')

    def test_killed_while_it_is_asked(self):
        self.define(disk('v'))
        child = self.sandbox.daemons.pop('virtstoraged')
        child.send_signal(signal.SIGSTOP)
        starting = subprocess.Popen(['virsh', '-c', self.sandbox.uri('virtqemud'), 'start', 'g'], stderr=subprocess.PIPE,
                                    stdout=subprocess.DEVNULL, text=True)
        time.sleep(1)
        child.kill()
        child.wait(120)
        err = starting.communicate(timeout=120)[1]
        self.assertNotEqual(starting.returncode, 0)
        self.assertIn('virtstoraged', err)
        self.sandbox.start_daemon('virtstoraged')
        wait_for('the pool', lambda: 'v' in virsh('vol-list', 'p', check=False)[1])
        virsh('start', 'g')


@unittest.skipIf(ON_PEER or not shutil.which('virt-install'), 'needs virt-install')
class Installers(Volumes):
    COMMON = ['--virt-type', 'qemu', '--memory', '64', '--osinfo', 'detect=off,require=off', '--network', 'none',
              '--graphics', 'none', '--noautoconsole', '--boot', 'hd', '--import']

    def tool(self, name, *args):
        env = dict(os.environ, HOME=self.sandbox.dir)
        done = subprocess.run([name, '--connect', uri(), *args], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_virt_install_and_clone(self):
        self.tool('virt-install', '--name', 'g', *self.COMMON, '--disk', 'vol=p/v')
        self.assertIn('v', virsh('domblklist', 'g'))
        virsh('destroy', 'g')
        self.tool('virt-clone', '--original', 'g', '--name', 'h', '--auto-clone')
        self.assertEqual(len(names(virsh('vol-list', 'p'))), 4)
        virsh('start', 'h')
        virsh('destroy', 'h')
        virsh('undefine', 'h', '--remove-all-storage')
        virsh('undefine', 'g')
        self.assertEqual(names(virsh('vol-list', 'p'))[::2], ['v'])
        # The same of a disk that is written as a volume.
        self.define(disk('v'))
        self.tool('virt-clone', '--original', 'g', '--name', 'h', '--auto-clone')
        virsh('start', 'h')
        virsh('destroy', 'h')


if __name__ == '__main__':
    unittest.main()
