# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests in files: save, restore, managed save, dumps; jobs with progress and an end before time."""
import os
import shutil
import struct
import subprocess
import unittest

import libvirt

from harness import (GREETING, ON_PEER, domain_xml, emulators, names, read_until, rows, scratch, start_event_loop, unique,
                     virsh, wait_for)
from saving import SaveCase, header, poke, state


class Restore(SaveCase):
    def test_memory_comes_back(self):
        start_event_loop()
        dom = self.running(boots=True)
        conn = dom.connect()
        stream = conn.newStream(0)
        dom.openConsole(None, stream)
        read_until(stream.recv, GREETING)
        stream.abort()
        self.say(dom, 'echo rem''embered >/mark; cat /mark', b'remembered\r\n')
        seen = []
        conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                    lambda c, d, event, detail, _: seen.append((d.name(), event, detail)), None)
        jobs = []
        conn.domainEventRegisterAny(dom, libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED,
                                    lambda c, d, params, _: jobs.append(params), None)
        image = self.path()
        virsh('save', dom.name(), image)
        self.assertEqual(state(dom.name()), 'shut off (saved)')
        self.assertEqual(emulators(dom.name()), [])
        self.assertEqual(header(image)[0], b'LibvirtQemudSave')
        figures = virsh('domjobinfo', dom.name(), '--completed')
        self.assertRegex(figures, r'Operation: +Save')
        self.assertRegex(figures, r'Memory remaining: +0\.000 B')
        virsh('restore', image)
        self.assertEqual(state(dom.name()), 'running (restored)')
        self.assertIn(b'remembered', self.say(dom, 'cat /mark', b'remembered\r\n'))
        wait_for('events', lambda: len([e for e in seen if e[0] == dom.name()]) >= 4)
        self.assertEqual([e[1:] for e in seen if e[0] == dom.name()],
                         [(libvirt.VIR_DOMAIN_EVENT_SUSPENDED, libvirt.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED),
                          (libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_SAVED),
                          (libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_STARTED_RESTORED),
                          (libvirt.VIR_DOMAIN_EVENT_RESUMED, libvirt.VIR_DOMAIN_EVENT_RESUMED_FROM_SNAPSHOT)])
        self.assertEqual([j['operation'] for j in jobs], [libvirt.VIR_DOMAIN_JOB_OPERATION_SAVE])
        self.assertGreater(jobs[0]['memory_total'], 0)
        # A transient guest comes and goes with its file; the cache is gone around.
        dom.undefine()
        virsh('save', dom.name(), image, '--bypass-cache')
        self.assertNotIn(dom.name(), names(virsh('list', '--all', '--name')))
        virsh('restore', image, '--bypass-cache')
        self.assertEqual(dom.isPersistent(), 0)
        self.assertIn(b'remembered', self.say(dom, 'cat /mark', b'remembered\r\n'))

    def test_running_or_paused(self):
        dom = self.running()
        image = self.path()
        for save, restore, after in (([], [], 'running (restored)'), (['--paused'], [], 'paused (migrating)'),
                                     ([], [], 'paused (migrating)'), (['--running'], [], 'running (restored)'),
                                     ([], ['--paused'], 'paused (migrating)'), ([], ['--running'], 'running (restored)')):
            with self.subTest(save=save, restore=restore):
                virsh('save', dom.name(), image, *save)
                virsh('restore', image, *restore)
                self.assertEqual(state(dom.name()), after)

    def test_refusals(self):
        dom = self.running()
        image = self.path()
        virsh('save', dom.name(), image)
        for path, why in (('/nonexistent', "Failed to open file '/nonexistent': No such file or directory"),
                          ('/etc/passwd', 'image magic is incorrect')):
            for command in ('restore', 'save-image-dumpxml'):
                status, _, err = virsh(command, path, check=False)
                self.assertEqual((status, why in err), (1, True), err)
        xml = virsh('save-image-dumpxml', image)
        for old, new, why in ((f'<name>{dom.name()}<', '<name>other<', "name 'other' does not match source"),
                              ('65536', '75536', 'Target domain max memory 75536 does not match source 65536'),
                              ("machine='pc-i440fx", "machine='pc-q35", 'not')):
            path = self.xml_file(xml.replace(old, new))
            for command in (('restore', image, '--xml', path), ('save-image-define', image, path)):
                status, _, err = virsh(*command, check=False)
                self.assertEqual((status, why in err), (1, True), err)
        status, _, err = virsh('save', dom.name(), image, check=False)
        self.assertIn('domain is not running', err)
        virsh('restore', image)
        status, _, err = virsh('restore', image, check=False)
        self.assertEqual(status, 1)
        self.assertIn(f"domain '{dom.name()}' is already active", err)
        status, _, err = virsh('save', dom.name(), image, '--running', '--paused', check=False)
        self.assertIn('mutually exclusive', err)
        self.assertTrue(os.path.getsize(image))

    def test_document_of_an_image(self):
        dom = self.running(lifecycle='<on_crash>destroy</on_crash>')
        image = self.path()
        changed = self.xml_file(virsh('dumpxml', dom.name()).replace('<on_crash>destroy', '<on_crash>preserve'))
        virsh('save', dom.name(), image, '--xml', changed)
        xml = virsh('save-image-dumpxml', image)
        self.assertIn('<on_crash>preserve', xml)
        virsh('save-image-define', image, self.xml_file(xml.replace('preserve</on_crash>', 'restart</on_crash>')), '--paused')
        self.assertIn('<on_crash>restart', virsh('save-image-dumpxml', image))
        virsh('restore', image)
        self.assertEqual(state(dom.name()), 'paused (migrating)')
        self.assertIn('<on_crash>restart', virsh('dumpxml', dom.name()))
        self.assertIn('<on_crash>destroy', virsh('dumpxml', '--inactive', dom.name()))


class Failures(SaveCase):
    def test_a_file_that_cannot_be_written(self):
        dom = self.running()
        for command in (['save'], ['dump'], ['dump', '--memory-only'], ['save', '--bypass-cache']):
            with self.subTest(command=command):
                status, _, err = virsh(command[0], dom.name(), '/nonexistent/image', *command[1:], check=False)
                self.assertEqual(status, 1)
                self.assertIn("/nonexistent/image", err)
                self.assertIn("No such file or directory", err)
                self.assertIn('running', state(dom.name()))
        status, _, err = virsh('save', dom.name(), '/dev/full', check=False)
        self.assertEqual(status, 1)
        self.assertIn('No space left on device', err)
        self.assertEqual(state(dom.name()), 'running (save canceled)')

    @unittest.skipIf(os.geteuid(), 'mounts a small disk')
    def test_full_disk(self):
        disk = os.path.join(scratch(), unique('disk'))
        os.mkdir(disk)
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=300k', 'tmpfs', disk], check=True)
        self.addCleanup(subprocess.run, ['umount', '-l', disk], check=True)
        dom = self.running()
        for command in (['save'], ['save', '--bypass-cache'], ['dump'], ['dump', '--memory-only']):
            with self.subTest(command=command):
                status, _, err = virsh(command[0], dom.name(), os.path.join(disk, 'image'), *command[1:], check=False)
                self.assertEqual(status, 1, err)
                self.assertRegex(err, 'No space left on device|Input/output error')
                self.assertIn('running', state(dom.name()))
                self.assertEqual(os.listdir(disk), [])
        dom.suspend()                              # the monitor is in order

    def test_images_that_are_damaged(self):
        dom = self.running()
        good, bad = self.path(), self.path('bad')
        virsh('save', dom.name(), good)
        length = header(good)[2]
        cases = [((12, b'Part'), 'save image is incomplete'), ((16, struct.pack('=I', 0x03000000)), 'version is not supported'),
                 ((20, struct.pack('=I', 0)), 'invalid header data length'), ((20, b'\xff\xff\xff\x7f'), 'header data length'),
                 ((28, struct.pack('=I', 9)), 'Invalid compressed save format 9'), ((92, b'garbage'), 'Start tag expected'),
                 ((92 + length, b'garbage'), 'Not a migration stream')]
        if ON_PEER:
            cases = [c for c in cases if c[1] not in ('header data length',)]
        for (offset, data), why in cases:
            with self.subTest(offset=offset):
                shutil.copyfile(good, bad)
                poke(bad, offset, data)
                status, _, err = virsh('restore', bad, check=False)
                self.assertEqual(status, 1)
                self.assertIn(why.lower(), err.lower())
                self.assertFalse(dom.isActive())
        for size in (0, 10, 92, 92 + length // 2, 92 + length, os.path.getsize(good) // 2):
            with self.subTest(size=size):
                shutil.copyfile(good, bad)
                os.truncate(bad, size)
                self.assertEqual(virsh('restore', bad, check=False)[0], 1)
                self.assertFalse(dom.isActive())
        # The other byte order is read as well.
        shutil.copyfile(good, bad)
        poke(bad, 16, struct.pack('>19I', *header(good)[1:]))
        virsh('restore', bad)


class Jobs(SaveCase):
    def test_progress_questions_and_abort(self):
        dom = self.loaded(self.running(boots=True, memory_mib=128))
        image = self.path()
        for method, args, error in (('save', (image,), 'operation aborted: domain save job: canceled by client'),
                                    ('coreDump', (image,), 'operation aborted: domain core dump job: canceled by client')):
            with self.subTest(method=method):
                job = self.slow_job(dom, method, *args)
                self.assertEqual(dom.state()[0], libvirt.VIR_DOMAIN_PAUSED)
                stats = dom.jobStats()
                self.assertEqual(stats['type'], libvirt.VIR_DOMAIN_JOB_UNBOUNDED)
                self.assertGreater(stats['time_elapsed'], 0)
                info = virsh('domjobinfo', dom.name())
                self.assertRegex(info, r'Job type: +Unbounded')
                # Others are answered meanwhile.
                virsh('dumpxml', dom.name())
                virsh('qemu-monitor-command', dom.name(), '{"execute":"query-name"}')
                virsh('domjobabort', dom.name())
                self.assertIn(error, str(job.join()))
                self.assertEqual(job.error.get_error_code(), libvirt.VIR_ERR_OPERATION_ABORTED)
                self.assertFalse(os.path.exists(image))
                self.assertEqual(dom.state()[0], libvirt.VIR_DOMAIN_RUNNING)
                status, _, err = virsh('domjobabort', dom.name(), check=False)
                self.assertIn('no job is active on the domain', err)
                self.assertRegex(virsh('domjobinfo', dom.name()), r'^Job type: +None')

    def test_destroy_ends_a_save(self):
        dom = self.loaded(self.running(boots=True, memory_mib=128))
        image = self.path()
        job = self.slow_job(dom, 'save', image)
        virsh('destroy', dom.name())
        self.assertIsNotNone(job.join())
        self.assertEqual(state(dom.name()), 'shut off (destroyed)')
        self.assertEqual((os.path.exists(image), emulators(dom.name())), (False, []))


class Managed(SaveCase):
    def test_life_of_a_managed_image(self):
        dom = self.running()
        name = dom.name()
        virsh('managedsave', name, '--verbose')
        self.assertEqual(state(name), 'shut off (saved)')
        self.assertEqual(dict(r[:2] for r in (l.split(':') for l in virsh('dominfo', name).splitlines() if ':' in l))
                         ['Managed save'].strip(), 'yes')
        self.assertIn(name, names(virsh('list', '--all', '--name', '--with-managed-save')))
        self.assertNotIn(name, names(virsh('list', '--all', '--name', '--without-managed-save')))
        self.assertIn([name, 'saved'], [r[1:] for r in rows(virsh('list', '--all', '--managed-save'))])
        self.assertIn(f'<name>{name}</name>', virsh('managedsave-dumpxml', name))
        xml = virsh('managedsave-dumpxml', name)
        virsh('managedsave-define', name, self.xml_file(xml.replace('<on_crash>destroy', '<on_crash>preserve')), '--paused')
        for command, why in ((('undefine', name), 'Refusing to undefine while domain managed save image exists'),
                             (('domrename', name, 'x'), "domain with a managed saved state can't be renamed"),
                             (('managedsave', name), 'domain is not running')):
            status, _, err = virsh(*command, check=False)
            self.assertEqual((status, why in err), (1, True), err)
        self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_INVALID, dom.undefineFlags, 0)
        virsh('start', name)
        self.assertEqual(state(name), 'paused (migrating)')
        self.assertIn('<on_crash>preserve', virsh('dumpxml', name))
        self.assertNotIn(name, names(virsh('list', '--all', '--name', '--with-managed-save')))
        virsh('managedsave', name, '--running')
        virsh('start', name, '--paused')
        self.assertEqual(state(name), 'paused (migrating)')
        virsh('managedsave', name, '--running')
        virsh('start', name)
        self.assertEqual(state(name), 'running (restored)')
        virsh('managedsave', name)
        virsh('start', name, '--force-boot')
        self.assertEqual(state(name), 'running (booted)')
        virsh('managedsave', name)
        virsh('managedsave-remove', name)
        self.assertEqual(state(name), 'shut off (saved)')
        status, _, err = virsh('managedsave-dumpxml', name, check=False)
        self.assertIn('domain does not have managed save image', err)
        virsh('start', name)
        self.assertEqual(state(name), 'running (booted)')
        virsh('managedsave', name)
        virsh('undefine', name, '--managed-save')
        self.assertNotIn(name, names(virsh('list', '--all', '--name')))

    def test_transient_guests_have_none(self):
        dom = self.connect().createXML(domain_xml(self.guest_name('tr')))
        status, _, err = virsh('managedsave', dom.name(), check=False)
        self.assertEqual(status, 1)
        self.assertIn('cannot do managed save for transient domain', err)
        self.assertTrue(dom.isActive())


class Dumps(SaveCase):
    def test_kinds(self):
        dom = self.running()
        path = self.path('core')
        for options, magic in ((['--memory-only'], b'\x7fELF'), (['--memory-only', '--live'], b'\x7fELF'),
                               (['--memory-only', '--format', 'elf', '--bypass-cache'], b'\x7fELF'),
                               (['--memory-only', '--format', 'kdump-zlib', '--verbose'], b'makedumpfile'),
                               ([], b'QEVM'), (['--live'], b'QEVM'), (['--bypass-cache'], b'QEVM')):
            with self.subTest(options=options):
                virsh('dump', dom.name(), path, *options)
                with open(path, 'rb') as f:
                    self.assertEqual(f.read(len(magic)), magic)
                self.assertTrue(state(dom.name()).startswith('running ('))
        dom.suspend()
        virsh('dump', dom.name(), path)
        self.assertEqual(state(dom.name()), 'paused (user)')
        dom.resume()
        status, _, err = virsh('dump', dom.name(), path, '--memory-only', '--format', 'win-dmp', check=False)
        self.assertEqual(status, 1)
        self.assertFalse(os.path.exists(path))
        status, _, err = virsh('dump', dom.name(), path, '--crash', '--live', check=False)
        self.assertIn("Flags 'VIR_DUMP_CRASH' and 'VIR_DUMP_LIVE' are mutually exclusive", err)
        virsh('dump', dom.name(), path, '--reset')
        self.assertTrue(state(dom.name()).startswith('running ('))
        virsh('dump', dom.name(), path, '--crash')
        self.assertEqual(state(dom.name()), 'shut off (crashed)')
        self.assertEqual(emulators(dom.name()), [])
