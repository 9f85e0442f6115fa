# SPDX-License-Identifier: LGPL-2.1-or-later
"""modvirt calls, cancel, doctor, metrics against running daemons."""
import glob
import json
import os
import re
import signal
import threading
import time
import unittest

import libvirt

from harness import OwnSandbox, domain_xml, emulators, run, unique, wait_for
from test_access import parse_openmetrics


class Tools(OwnSandbox):
    def modvirt(self, *args):
        status, out, err = run([os.path.join(self.sandbox.build, 'tools', 'modvirt', 'modvirt')] + list(args), check=False,
                               env={'MODVIRT_ROOT': self.sandbox.dir,
                                    'MODVIRT_MODULE_DIR': os.path.join(self.sandbox.dir, 'modules')})
        return status, out, err

    def test_documents_are_recognised(self):
        path = os.path.join(self.sandbox.dir, 'secret.xml')
        with open(path, 'w', encoding='utf-8') as f:
            f.write("<secret><uuid>22e1353d-c27e-4d6d-bf15-465053e6ba0b</uuid><usge type='volume'/></secret>")
        status, out, err = self.modvirt('convert', path)
        self.assertEqual(status, 0, err)
        self.assertIn("<secret ephemeral='no' private='no'>", out)
        status, out, err = self.modvirt('validate', path)
        self.assertEqual(status, 1, out)
        self.assertIn("secret/usge: unknown element; did you mean 'usage'?", out)
        status, out, err = self.modvirt('convert', '--help')
        self.assertEqual(status, 0, err)
        self.assertIn('usage: modvirt convert', out)
        self.assertEqual(self.modvirt('convert')[0], 2)

    def test_firmware_descriptors(self):
        good = {'description': 'x', 'interface-types': ['uefi'], 'features': ['secure-boot'], 'tags': [],
                'mapping': {'device': 'flash', 'executable': {'filename': '/a', 'format': 'raw'}},
                'targets': [{'architecture': 'x86_64', 'machines': ['pc-q35-*']}]}
        path = os.path.join(self.sandbox.dir, '50-x.json')

        def validate(document):
            with open(path, 'w', encoding='utf-8') as f:
                json.dump(document, f)
            return self.modvirt('validate', path)[:2]

        self.assertEqual(validate(good), (0, f'{path}: valid firmware descriptor\n'))
        bad = json.loads(json.dumps(good))
        bad['mapping']['executabel'] = bad['mapping'].pop('executable')
        bad['features'] = ['secureboot', 3]
        del bad['tags']
        status, out = validate(bad)
        self.assertEqual(status, 1)
        for text in ("mapping: member 'executable' is missing", "mapping: unknown member 'executabel'; expected one of device, mode, "
                     "executable, nvram-template; did you mean 'executable'?", "features[0]: unknown feature 'secureboot'",
                     'features[1]: found int, expected a string', "document: member 'tags' is missing"):
            self.assertIn(text, out)
        for installed in glob.glob('/usr/share/qemu/firmware/*.json'):
            self.assertEqual(self.modvirt('validate', installed)[0], 0, installed)

    def test_convert_by_the_rules_of_a_driver(self):
        path = os.path.join(self.sandbox.dir, 'convert.xml')
        with open(path, 'w', encoding='utf-8') as f:
            f.write("<domain type='qemu'><name>a</name><uuid>6e6f7420-616e-4f74-8865-7220686f7374</uuid><memory>65536</memory>"
                    "<os><type>hvm</type></os></domain>")
        self.sandbox.start()
        self.use(self.sandbox)
        status, out, err = self.modvirt('convert', '--from', 'domain', '--driver', 'qemu', path)
        self.assertEqual(status, 0, err)
        conn = self.connect()
        dom = conn.defineXML(out)
        self.addCleanup(dom.undefine)
        self.assertEqual(dom.XMLDesc(), out, 'defining what convert shows changes nothing')
        self.assertIn("<controller type='usb'", out)
        status, out, err = self.modvirt('convert', '--from', 'domain', '--to', 'qemu-argv', path)
        self.assertEqual(status, 0, err)
        self.assertIn('-name guest=a,debug-threads=on', out)
        status, out, err = self.modvirt('convert', '--from', 'domain', '--driver', 'vmx', path)
        self.assertEqual(status, 2, out)
        self.assertIn("driver 'vmx'", err)

    def test_another_daemon_by_way_of_the_proxy(self):
        self.sandbox.start()
        self.use(self.sandbox)
        socket = os.path.join(self.sandbox.run_dir, 'libvirt-admin-sock')
        for daemon, fact in (('virtqemud', 'modvirt_workers'), ('virtproxyd', 'modvirt_upstreams')):
            status, out, err = self.modvirt('--proxy', socket, 'metrics', daemon)
            self.assertEqual(status, 0, err)
            self.assertEqual(self.families(out), self.families(self.modvirt('metrics', daemon)[1]))
            self.assertIn(fact, self.families(out))
        status, out, err = self.modvirt('--proxy', socket, 'calls')
        self.assertEqual((status, err), (0, ''))
        status, out, err = self.modvirt('--proxy', socket, 'calls', 'virtlxcd')
        self.assertEqual(status, 2, out)
        self.assertIn('virtlxcd-admin.socket', err)
        status, out, err = self.modvirt('--proxy', os.path.join(self.sandbox.run_dir, 'virtqemud-admin-sock'), 'calls', 'virtlxcd')
        self.assertEqual(status, 2, out)
        self.assertIn('virtqemud hands connections to nobody', err)

    def test_only_the_owner_is_handed_over(self):
        etc = os.path.join(self.sandbox.dir, 'etc', 'libvirt')
        os.makedirs(etc, exist_ok=True)
        with open(os.path.join(etc, 'virtproxyd.conf'), 'w', encoding='utf-8') as f:
            f.write('unix_sock_admin_perms = "0777"\n')
        os.chmod(self.sandbox.dir, 0o755)
        self.sandbox.start()
        self.use(self.sandbox)
        tool = os.path.join(self.sandbox.build, 'tools', 'modvirt', 'modvirt')
        socket = os.path.join(self.sandbox.run_dir, 'libvirt-admin-sock')
        for daemon, expected in (('virtproxyd', 0), ('virtqemud', 2)):
            status, out, err = run(['setpriv', '--reuid=20001', '--regid=20001', '--clear-groups', tool, '--proxy', socket, 'calls',
                                    daemon], check=False, env={'MODVIRT_ROOT': self.sandbox.dir, 'HOME': '/nonexistent'})
            self.assertEqual(status, expected, out + err)
        self.assertIn('only the owner may be handed over', err)

    @staticmethod
    def families(text):
        return set(re.findall(r'^# TYPE (\S+)', text, re.M))

    def calls(self):
        """{id: [procedure, uid, seconds, waits for, object]} of virtqemud"""
        status, out, err = self.modvirt('calls', 'virtqemud')
        self.assertEqual(status, 0, err)
        return {line.split()[0]: line.split()[1:] for line in out.splitlines()[1:]}

    def test_a_waiting_call_is_seen_and_cancelled(self):
        self.sandbox.start()
        self.use(self.sandbox)
        dom = self.connect().createXML(domain_xml(unique('hung')))
        for pid in emulators(dom.name()):
            os.kill(pid, signal.SIGSTOP)
        ends = []

        def needs_monitor():
            c = libvirt.open(self.sandbox.uri())
            try:
                c.lookupByName(dom.name()).suspend()
                ends.append((None, time.monotonic()))
            except libvirt.libvirtError as e:
                ends.append((e.get_error_code(), time.monotonic()))
            c.close()

        threads = [threading.Thread(target=needs_monitor) for _ in range(2)]
        for t in threads:
            t.start()
        waiting = wait_for('two calls', lambda: len(self.calls()) == 2 and
                           [k for k, v in self.calls().items() if v[3] == 'turn'])
        row = self.calls()[waiting[0]]
        self.assertEqual((row[0], row[1], row[4]), ('domain_suspend', str(os.geteuid()), dom.UUIDString()))
        _, text, _ = self.modvirt('metrics', 'virtqemud')
        self.assertEqual(parse_openmetrics(text)['modvirt_calls_waiting']['modvirt_calls_waiting', '{what="turn"}'], 1)
        self.assertEqual(self.modvirt('cancel', waiting[0])[0], 0)
        wait_for('its end', lambda: ends)
        self.assertEqual(ends[0][0], libvirt.VIR_ERR_OPERATION_ABORTED)
        self.assertNotIn(waiting[0], self.calls())
        status, _, text = self.modvirt('cancel', waiting[0])
        self.assertEqual(status, 1)
        self.assertIn('is in flight', text)
        for pid in emulators(dom.name()):
            os.kill(pid, signal.SIGCONT)
        for t in threads:
            t.join()

    def test_doctor(self):
        self.sandbox.start()
        status, out, err = self.modvirt('doctor', '--json')
        lines = json.loads(out)
        for daemon in ('virtproxyd', 'virtqemud'):
            self.assertTrue([x for x in lines if x['verdict'] == 'ok' and f'{daemon} ' in x['text']], out)
        for x in lines:
            self.assertIn(x['verdict'], ('ok', 'note', 'bad'))
            self.assertTrue(x['verdict'] == 'ok' or x['advice'], x)
        self.assertEqual(status, 1 if [x for x in lines if x['verdict'] == 'bad'] else 0)
        self.sandbox.stop_daemon('virtqemud', signal.SIGKILL)
        status, out, err = self.modvirt('doctor')
        self.assertEqual(status, 1)
        self.assertRegex(out, r'bad +daemons +virtqemud does not answer')
        self.assertIn('systemctl restart virtqemud', out)

    def test_wrong_usage(self):
        for args in (('cancel', 'virtqemud'), ('calls', 'nosuchd'), ('can-i',), ('metrics', 'a', 'b'), ('doctor', '-x')):
            self.assertEqual(self.modvirt(*args)[0], 2, args)


if __name__ == '__main__':
    unittest.main()
