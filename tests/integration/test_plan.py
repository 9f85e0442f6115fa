# SPDX-License-Identifier: LGPL-2.1-or-later
"""modvirt plan: what a start would do and what stands against it; what a redefinition changes."""
import json
import os
import unittest
import uuid

from harness import OwnSandbox, domain_xml, run, unique


class Plan(OwnSandbox):
    def plan(self, xml):
        path = os.path.join(self.sandbox.dir, 'plan.xml')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(xml)
        tool = os.path.join(self.sandbox.build, 'tools', 'modvirt', 'modvirt')
        env = {'MODVIRT_ROOT': self.sandbox.dir, 'MODVIRT_MODULE_DIR': os.path.join(self.sandbox.build, 'drivers', 'qemu')}
        status, out, err = run([tool, 'plan', '--json', path], check=False, env=env)
        text = run([tool, 'plan', path], check=False, env=env)[1]
        return status, json.loads(out) if out else err, text

    def image(self, name='disk'):
        path = os.path.join(self.sandbox.dir, name)
        with open(path, 'wb') as f:
            f.truncate(1 << 20)
        return path

    def disk(self, path):
        return (f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{path}'/>"
                "<target dev='vda' bus='virtio'/></disk>")

    def test_steps_without_a_daemon(self):
        path = self.image()
        status, plan, text = self.plan(domain_xml('paper', devices=self.disk(path) + "<graphics type='vnc'/>"))
        self.assertEqual(status, 0, plan)
        steps = {step['name']: step for step in plan['steps']}
        for name in ('images', 'directories', 'labels', 'launch', 'monitor', 'resume'):
            self.assertIn(name, steps)
        self.assertIn(f"disk vda: '{path}' (raw)", steps['images']['does'])
        self.assertEqual(plan['refused'], [])
        self.assertEqual(plan['guest'], 'unknown')
        self.assertIn('No daemon answers', text)
        # Nothing was done.
        self.assertFalse(os.path.exists(os.path.join(self.sandbox.dir, 'var', 'lib', 'libvirt', 'qemu', 'domain--1-paper')))
        self.assertFalse(os.path.exists(os.path.join(self.sandbox.dir, 'run', 'libvirt', 'qemu', 'paper.xml')))

    def test_everything_that_would_be_refused(self):
        devices = (self.disk('/no/where/disk') + "<graphics type='vnc' port='1' autoport='no'/>"
                   "<interface type='bridge'><source bridge='nobridge0'/></interface>")
        status, plan, text = self.plan(domain_xml('paper', devices=devices))
        self.assertEqual(status, 1)
        refused = '\n'.join(plan['refused'])
        self.assertIn("images: Cannot access storage file '/no/where/disk'", refused)
        self.assertIn("('/no' does not exist)", refused)
        self.assertIn("command line: operation failed: there is no bridge 'nobridge0'", refused)
        self.assertIn('images  (refused)', text)
        status, plan, _ = self.plan('<domain type="qemu"><name>a/b</name></domain>')
        self.assertEqual(status, 1)
        self.assertIn('plan.xml', plan)

    def test_what_a_redefinition_changes(self):
        self.sandbox.start()
        self.use(self.sandbox, 'virtqemud')
        path, identity = self.image(), str(uuid.uuid4())
        name = unique('plan')

        def xml(memory, title):
            return domain_xml(name, uuid=identity, memory_mib=memory, devices=self.disk(path), extra=f'<title>{title}</title>')
        dom = self.connect().defineXML(xml(64, 'first'))
        status, plan, text = self.plan(xml(64, 'first'))
        self.assertEqual((status, plan['guest'], plan['changes']),
                         (0, 'defined', {'now': [], 'next-boot': [], 'not-at-all': []}))
        self.assertIn('changes nothing', text)
        _, plan, _ = self.plan(xml(96, 'second').replace('<features>', '<wobble/><features>'))
        self.assertEqual(plan['changes']['now'], ["title: 'first' becomes 'second'"])
        self.assertIn("memory: '65536' becomes '98304'", plan['changes']['next-boot'])
        self.assertEqual(len(plan['changes']['not-at-all']), 1)
        self.assertIn('domain/wobble: unknown element', plan['changes']['not-at-all'][0])
        dom.create()
        _, plan, text = self.plan(xml(96, 'second'))
        self.assertEqual(plan['guest'], 'running')
        self.assertEqual(plan['changes']['now'], [])
        self.assertIn("title: 'first' becomes 'second'", plan['changes']['next-boot'])
        self.assertIn('at the next boot', text)
        self.assertIn('65536', dom.XMLDesc())
        dom.undefine()                         # it runs on, transient
        _, plan, _ = self.plan(xml(64, 'first'))
        self.assertEqual(plan['changes']['now'], ['the guest becomes persistent'])
        self.assertEqual(plan['changes']['next-boot'], [])
        status, plan, _ = self.plan(domain_xml(name, devices=self.disk(path)))
        self.assertEqual(status, 1)
        self.assertIn(identity, plan['refused'][0])

    def test_each_kind_of_change_by_its_place(self):
        self.sandbox.start()
        self.use(self.sandbox, 'virtqemud')
        name, identity = unique('plan'), str(uuid.uuid4())
        one, two = self.image('one'), self.image('two')

        def xml(memory=64, vcpu='2', machine='pc-q35-7.2', boot='hd', cpu='qemu64', disk=one, link='up', password='one', metadata=''):
            return f"""<domain type='qemu'><name>{name}</name><uuid>{identity}</uuid>{metadata}<memory unit='MiB'>{memory}</memory>
<vcpu current='1'>{vcpu}</vcpu><os><type arch='x86_64' machine='{machine}'>hvm</type><boot dev='{boot}'/></os>
<cpu mode='custom' match='exact'><model fallback='forbid'>{cpu}</model></cpu>
<devices>{self.disk(disk)}<interface type='user'><mac address='52:54:00:11:22:33'/><model type='virtio'/><link state='{link}'/></interface>
<graphics type='vnc' port='-1' autoport='yes' passwd='{password}'/></devices></domain>"""

        def change(**what):
            status, plan, text = self.plan(xml(**what))
            self.assertEqual(status, 0, plan)
            self.assertNotIn('hidden', text)
            return plan['changes']

        dom = self.connect().defineXML(xml())
        for running in False, True:
            if running:
                dom.create()
            for what, told in (
                    ({'memory': 96}, "memory: '65536' becomes '98304'"),
                    ({'vcpu': '4'}, "vcpu: '2' becomes '4'"),
                    ({'machine': 'pc-q35-7.1'}, "os/type/@machine: 'pc-q35-7.2' becomes 'pc-q35-7.1'"),
                    ({'boot': 'cdrom'}, "os/boot/@dev: 'hd' becomes 'cdrom'"),
                    ({'cpu': 'Nehalem'}, "cpu/model: 'qemu64' becomes 'Nehalem'"),
                    ({'disk': two}, f"devices/disk[vda]/source/@file: '{one}' becomes '{two}'"),
                    ({'link': 'down'}, "devices/interface[52:54:00:11:22:33]/link/@state: 'up' becomes 'down'"),
                    ({'password': 'hidden'}, 'devices/graphics[vnc]/@passwd: becomes another')):
                with self.subTest(what=what, running=running):
                    got = change(**what)
                    self.assertIn(told, got['next-boot'])
                    self.assertEqual((got['now'], got['not-at-all']), ([], []))
            got = change(metadata="<metadata><x:a xmlns:x='urn:x'>b</x:a></metadata>")
            self.assertEqual(got['next-boot' if running else 'now'], ['metadata: is added'])


if __name__ == '__main__':
    unittest.main()
