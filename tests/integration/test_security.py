# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests run as somebody who may do little, and their files are that user's only as long as they run."""
import grp
import os
import pwd
import signal
import unittest

import libvirt

from harness import ON_PEER, OwnSandbox, domain_xml, emulators, start_event_loop, unique, virsh, wait_for

USER, GROUP = 'nobody', 'nogroup'


def ids():
    return pwd.getpwnam(USER).pw_uid, grp.getgrnam(GROUP).gr_gid


def owner(path):
    st = os.stat(path)
    return st.st_uid, st.st_gid


def attribute(path, name):
    try:
        return os.getxattr(path, 'trusted.libvirt.security.' + name).decode()
    except OSError:
        return None


def status_of(pid):
    with open(f'/proc/{pid}/status', encoding='ascii') as f:
        return dict(line.rstrip('\n').split(':\t', 1) for line in f if ':\t' in line)


@unittest.skipIf(ON_PEER or os.geteuid() != 0, 'needs a daemon of its own, and root')
class Security(OwnSandbox):
    CONF = f'user = "{USER}"\ngroup = "{GROUP}"\n'

    def setUp(self):
        super().setUp()
        self.configure(self.CONF)
        self.sandbox.start()
        self.use(self.sandbox, 'virtqemud')
        self.conn = self.connect()

    def configure(self, text):
        os.chmod(self.sandbox.dir, 0o755)
        etc = os.path.join(self.sandbox.dir, 'etc', 'libvirt')
        os.makedirs(etc, exist_ok=True)
        with open(os.path.join(etc, 'qemu.conf'), 'w', encoding='utf-8') as f:
            f.write(text)

    def image(self, name, uid=1234, gid=1235, mode=0o600):
        path = os.path.join(self.sandbox.dir, 'images', name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as f:
            f.truncate(1 << 20)
        os.chown(path, uid, gid)
        os.chmod(path, mode)
        return path

    def disk(self, path, target='vda', inside='', seclabel='', cache=''):
        return (f"<disk type='file' device='disk'><driver name='qemu' type='raw'{cache}/>"
                f"<source file='{path}'>{seclabel}</source><target dev='{target}' bus='virtio'/>{inside}</disk>")

    def create(self, devices='', extra='', flags=0):
        return self.conn.createXML(domain_xml(unique('sec'), devices=devices, extra=extra), flags)


class Owners(Security):
    def test_user_and_capabilities_of_the_emulator(self):
        dom = self.create(self.disk(self.image('a')))
        pid, = emulators(dom.name())
        status = status_of(pid)
        uid, gid = ids()
        self.assertEqual(status['Uid'].split(), [str(uid)] * 4)
        self.assertEqual(status['Gid'].split(), [str(gid)] * 4)
        self.assertEqual(int(status['CapEff'], 16), 0)
        self.assertEqual(int(status['CapPrm'], 16), 0)
        self.assertEqual(status['Seccomp'], '2')
        xml = dom.XMLDesc()
        self.assertIn("<seclabel type='dynamic' model='dac' relabel='yes'>", xml)
        self.assertIn(f'<label>+{uid}:+{gid}</label>', xml)
        self.assertIn(f'<imagelabel>+{uid}:+{gid}</imagelabel>', xml)
        self.assertEqual(dom.securityLabelList(), [['', False], [f'+{uid}:+{gid}', False]])
        self.assertIn(f"<baselabel type='qemu'>+{uid}:+{gid}</baselabel>", self.conn.getCapabilities())
        self.assertIn('Security model: none', virsh('dominfo', dom.name(), connect=self.sandbox.uri('virtqemud')))

    def test_images_are_lent_and_come_back(self):
        path = self.image('a')
        dom = self.create(self.disk(path))
        self.assertEqual(owner(path), ids())
        self.assertEqual(attribute(path, 'dac'), '+1234:+1235')
        self.assertEqual(attribute(path, 'ref_dac'), '1')
        dom.destroy()
        self.assertEqual(owner(path), (1234, 1235))
        self.assertEqual(os.listxattr(path), [])

    def test_shared_images_come_back_from_the_last(self):
        path = self.image('shared')
        disk = self.disk(path, inside='<shareable/>', cache=" cache='none'")
        first, second = self.create(disk), self.create(disk)
        self.assertEqual(attribute(path, 'ref_dac'), '2')
        first.destroy()
        self.assertEqual(owner(path), ids())
        self.assertEqual(attribute(path, 'ref_dac'), '1')
        second.destroy()
        self.assertEqual(owner(path), (1234, 1235))

    def test_image_in_use_gets_no_third_owner(self):
        path = self.image('shared')
        disk = self.disk(path, inside='<shareable/>', cache=" cache='none'")
        self.create(disk)
        label = "<seclabel type='static' model='dac' relabel='yes'><label>+1:+1</label></seclabel>"
        self.assertLibvirtError(libvirt.VIR_ERR_OPERATION_INVALID, self.create, disk, label)
        self.assertEqual(owner(path), ids())
        self.assertEqual(attribute(path, 'ref_dac'), '1')

    def test_failed_start_gives_everything_back(self):
        path, other = self.image('a'), self.image('b')
        with self.assertRaises(libvirt.libvirtError):
            self.create(self.disk(path) + self.disk(other + '-not-there', 'vdb'))
        self.assertEqual(owner(path), (1234, 1235))
        # One that fails in the emulator: an image that is none.
        devices = self.disk(path) + self.disk(other, 'vdb').replace("type='raw'", "type='qcow2'")
        with self.assertRaises(libvirt.libvirtError) as caught:
            self.create(devices)
        self.assertIn('qcow2', str(caught.exception))
        for image in (path, other):
            self.assertEqual(owner(image), (1234, 1235))
            self.assertEqual(os.listxattr(image), [])

    def test_restart_of_the_daemon_remembers(self):
        path = self.image('a')
        dom = self.create(self.disk(path))
        name = dom.name()
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        self.assertEqual(owner(path), ids())
        self.sandbox.start_daemon('virtqemud')
        self.connect().lookupByName(name).destroy()
        self.assertEqual(owner(path), (1234, 1235))

    def test_guest_that_died_meanwhile_has_given_back(self):
        path = self.image('a')
        name = self.create(self.disk(path)).name()
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        for pid in emulators(name):
            os.kill(pid, signal.SIGKILL)
        self.sandbox.start_daemon('virtqemud')
        self.connect()
        wait_for('the image to be given back', lambda: owner(path) == (1234, 1235))

    def test_labels_of_the_document(self):
        path = self.image('a', mode=0o666)
        dom = self.create(self.disk(path), "<seclabel type='static' model='dac' relabel='no'>"
                          '<label>daemon:daemon</label></seclabel>')
        pid, = emulators(dom.name())
        self.assertEqual(status_of(pid)['Uid'].split()[0], str(pwd.getpwnam('daemon').pw_uid))
        self.assertEqual(owner(path), (1234, 1235))
        self.assertIn('<label>daemon:daemon</label>', dom.XMLDesc())
        dom.destroy()

        dom = self.create(self.disk(path), "<seclabel type='static' model='dac' relabel='yes'>"
                          '<label>+1:+1</label></seclabel>')
        self.assertEqual(owner(path), (1, 1))
        self.assertIn('<imagelabel>+1:+1</imagelabel>', dom.XMLDesc())
        dom.destroy()

        dom = self.create(self.disk(path), "<seclabel type='none' model='dac'/>")
        self.assertEqual(owner(path), (1234, 1235))
        dom.destroy()

        label = "<seclabel model='dac' relabel='no'/>"
        dom = self.create(self.disk(path, seclabel=label))
        self.assertEqual(owner(path), (1234, 1235))
        dom.destroy()

        label = f"<seclabel model='dac' relabel='yes'><label>+77:+{ids()[1]}</label></seclabel>"
        dom = self.create(self.disk(path, seclabel=label))
        self.assertEqual(owner(path), (77, ids()[1]))
        dom.destroy()
        self.assertEqual(owner(path), (1234, 1235))

    def test_labels_that_cannot_be(self):
        path = self.image('a')
        for label, text in (("<seclabel type='dynamic' model='selinux'/>", "'selinux' is not available"),
                            ("<seclabel type='static' model='dac'><label>no-such-user:root</label></seclabel>",
                             "Failed to parse user 'no-such-user'")):
            with self.assertRaises(libvirt.libvirtError) as caught:
                self.create(self.disk(path), label)
            self.assertIn(text, str(caught.exception))
        self.assertEqual(owner(path), (1234, 1235))

    def test_the_guilty_directory_is_named(self):
        path = self.image('closed/a')
        closed = os.path.dirname(path)
        os.chmod(closed, 0o700)
        with self.assertRaises(libvirt.libvirtError) as caught:
            self.create(self.disk(path))
        text = str(caught.exception)
        self.assertIn(f"Cannot access storage file '{path}' (as uid:{ids()[0]}, gid:{ids()[1]})", text)
        self.assertIn('Permission denied', text)
        self.assertIn(f"'{closed}' may not be searched: drwx------ root:root", text)
        self.assertEqual(owner(path), (1234, 1235))
        gone = os.path.join(self.sandbox.dir, 'images', 'gone', 'deep', 'a')
        with self.assertRaises(libvirt.libvirtError) as caught:
            self.create(self.disk(gone))
        self.assertIn('No such file or directory', str(caught.exception))
        self.assertIn(f"'{os.path.dirname(os.path.dirname(gone))}' does not exist", str(caught.exception))

    def test_layers_below_are_lent_too(self):
        base = self.image('base')
        top = os.path.join(self.sandbox.dir, 'images', 'top.qcow2')
        os.system(f'qemu-img create -q -f qcow2 -b {base} -F raw {top}')
        os.chown(top, 1234, 1235)
        dom = self.create(self.disk(top).replace("type='raw'", "type='qcow2'"))
        self.assertEqual((owner(top), owner(base)), (ids(), ids()))
        self.assertRegex(dom.XMLDesc(), r"<backingStore type='file' index='\d+'>\s*<format type='raw'/>\s*"
                                        f"<source file='{base}'/>\\s*<backingStore/>")
        dom.destroy()
        self.assertEqual((owner(top), owner(base)), ((1234, 1235), (1234, 1235)))
        os.system(f'qemu-img rebase -q -u -f qcow2 -b {base}-gone -F raw {top}')
        with self.assertRaises(libvirt.libvirtError) as caught:
            self.create(self.disk(top).replace("type='raw'", "type='qcow2'"))
        self.assertIn(f"Cannot access backing file '{base}-gone' of storage file '{top}'", str(caught.exception))

    def test_missing_optional_medium_is_left_out(self):
        gone = os.path.join(self.sandbox.dir, 'gone.iso')
        cdrom = (f"<disk type='file' device='cdrom'><source file='{gone}' startupPolicy='optional'/>"
                 "<target dev='hda' bus='ide'/><readonly/></disk>")
        disk = f"<disk type='file'><source file='{gone}' startupPolicy='optional'/><target dev='hdb' bus='ide'/></disk>"
        seen = []
        start_event_loop()
        conn = self.connect()
        conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_DISK_CHANGE, lambda c, d, *what: seen.append(what[:4]), None)
        dom = self.create(cdrom + disk)
        self.assertNotIn(gone, dom.XMLDesc())
        self.assertIn("dev='hda'", dom.XMLDesc())
        self.assertNotIn("dev='hdb'", dom.XMLDesc())
        wait_for('both events', lambda: len(seen) == 2)
        self.assertEqual(sorted(seen), [(gone, None, 'ide0-0-0', libvirt.VIR_DOMAIN_EVENT_DISK_CHANGE_MISSING_ON_START),
                                        (gone, None, 'ide0-0-1', libvirt.VIR_DOMAIN_EVENT_DISK_DROP_MISSING_ON_START)])
        dom.destroy()
        self.assertLibvirtError(libvirt.VIR_ERR_SYSTEM_ERROR, self.create, cdrom.replace('optional', 'mandatory'))


class Models(Security):
    """As on a host whose kernel has none of them."""
    def define(self, label):
        dom = self.conn.defineXML(domain_xml(unique('sec'), extra=label))
        self.addCleanup(dom.undefine)
        return dom

    def test_no_model_is_the_first_of_the_host(self):
        for label in ("<seclabel type='none'/>", "<seclabel type='none' model='none'/>", "<seclabel type='dynamic'/>",
                      "<seclabel type='dynamic' model='none'/>"):
            with self.subTest(label=label):
                dom = self.define(label)
                self.assertIn("<seclabel type='none' model='none'/>", dom.XMLDesc())
                dom.create()
                self.assertIn("<seclabel type='none' model='none'/>", dom.XMLDesc())
                self.assertIn("model='dac' relabel='yes'", dom.XMLDesc())
                dom.destroy()

    def test_models_that_the_kernel_has_not(self):
        for model, kind in (('selinux', 'dynamic'), ('selinux', 'none'), ('apparmor', 'dynamic'), ('foo', 'none')):
            with self.subTest(model=model, kind=kind):
                dom = self.define(f"<seclabel type='{kind}' model='{model}'/>")
                with self.assertRaises(libvirt.libvirtError) as caught:
                    dom.create()
                self.assertEqual(caught.exception.get_error_code(), libvirt.VIR_ERR_CONFIG_UNSUPPORTED)
                self.assertIn(f"Security driver model '{model}' is not available", str(caught.exception))
        caps = self.conn.getCapabilities()
        self.assertLess(caps.index('<model>none</model>'), caps.index('<model>dac</model>'))
        self.assertNotIn('selinux', caps)

    def test_model_must_be_named(self):
        for label, reason in (("<seclabel type='static'><label>a</label></seclabel>", 'missing security model in domain seclabel'),
                              ("<seclabel type='none'/><seclabel type='none' model='dac'/>", 'missing security model when using multiple labels')):
            with self.assertRaises(libvirt.libvirtError) as caught:
                self.define(label)
            self.assertIn(reason, str(caught.exception))


class OtherGroup(Security):
    """The account's own group gives access, too: on a usual host, to /dev/kvm."""
    CONF = f'user = "{USER}"\ngroup = "daemon"\n'

    def test_groups_of_the_emulator(self):
        dom = self.create('')
        pid, = emulators(dom.name())
        given, own = grp.getgrnam('daemon').gr_gid, ids()[1]
        status = status_of(pid)
        self.assertEqual(status['Gid'].split(), [str(given)] * 4)
        self.assertLessEqual({str(given), str(own)}, set(status['Groups'].split()))


class WithoutOwnership(Security):
    """Whoever switches it off keeps the owners, and reads who is in the way."""
    CONF = Security.CONF + 'dynamic_ownership = 0\n'

    def test_images_stay_whose_they_are(self):
        path = self.image('a')
        with self.assertRaises(libvirt.libvirtError) as caught:
            self.create(self.disk(path))
        self.assertIn(f"'{path}' may not be written: -rw------- 1234:1235", str(caught.exception))
        os.chmod(path, 0o666)
        dom = self.create(self.disk(path))
        self.assertEqual(owner(path), (1234, 1235))
        dom.destroy()


if __name__ == '__main__':
    unittest.main()
