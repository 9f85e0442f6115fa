# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices that are plugged into recorded guests, the emulator played by a script (tool: drivers/qemu/replug).

Cases of one guest follow each other by their "order": what a case leaves behind may be what the next begins
with. Where the one before is not among the cases, the device is put in without a script.
"""
import json
import os
import re
import tempfile

import documents
import qemu

TOOL = os.path.join('drivers', 'qemu', 'replug')
FLAGS = ('KVM,VIRTIO_SCSI,DEVICE_USB_STORAGE,VIRTIO_CCW,DEVICE_QEMU_XHCI,SPICE,VNC,SPICE_FILE_XFER_DISABLE,'
         'DEVICE_IVSHMEM_PLAIN,DEVICE_IVSHMEM_DOORBELL,SCSI_DISK_WWN,SCSI_BLOCK,DEVICE_VFIO_PCI,VFIO_PCI,PR_MANAGER_HELPER,'
         'NETDEV_VHOST_VDPA,DEVICE_SPAPR_PCI_HOST_BRIDGE,DEVICE_VIRTIO_MEM_PCI,DEVICE_PC_DIMM')
NODE = re.compile(r"(<source [^>]*?) index='[0-9]+'")


class Hotplug(qemu.Tool):
    def __init__(self, folder, build, corpus):
        super().__init__(folder, build, TOOL)
        self.kept = None                # order of the case whose guest the tool still has

    def fields(self, case, op, domain):
        arch = re.search(r"""<type[^>]*arch=['"]([a-z0-9_]+)""", documents.read(self.folder, case['inputs']['domain']))
        return {'op': op, 'domain': domain, 'device': case['inputs']['device'], 'arch': arch.group(1) if arch else 'x86_64',
                'flags': ','.join('QEMU_CAPS_' + f for f in FLAGS.split(','))}

    def begin(self, case):
        """The guest that a case begins with."""
        domain, order = case['inputs']['domain'], case['params'].get('order', 0)
        if self.kept == order - 1:
            return 'kept'
        if case['params']['action'] != 'detach':
            return domain
        _, error, code = self.ask(self.fields(case, 'put', domain))
        return 'kept' if error is None else domain

    def vcpus(self, case):
        p, inputs, expected = case['params'], case['inputs'], case.get('expected') or {}
        fields = {'op': 'vcpus', 'domain': inputs['domain'], 'recorded': inputs['monitor'], 'flags': 'QEMU_CAPS_QUERY_HOTPLUGGABLE_CPUS'}
        if 'count' in p:
            fields['count'] = str(p['count'])
        else:
            fields.update(vcpus=p['cpu_map'], on='1' if p['state'] else '0')
        got, error, code = self.ask(fields)
        if error is not None:
            return ('fail' if code == -1 or case['kind'] == 'success' else 'pass'), error, {}
        if case['kind'] != 'success':
            return 'fail', 'accepted, should be refused', {}
        details, outputs = [], {}
        for role, text in zip(('live', 'config'), got.split('====\n')):
            if role not in expected:
                continue
            outputs[expected[role]] = text
            want, have = documents.canonical(documents.read(self.folder, expected[role])), documents.canonical(text)
            if want != have:
                details += ['(%s)' % role, documents.difference(want, have, 1)]
        return ('fail' if details else 'pass'), '\n'.join(details), outputs

    def run(self, case):
        p = case['params']
        if p['action'] == 'set-vcpus':
            return self.vcpus(case)
        start = self.begin(case)
        with tempfile.NamedTemporaryFile('w', suffix='.json') as script:
            json.dump([w for w in p.get('qmp_script') or [] if w is not None], script)
            script.flush()
            got, error, code = self.ask({**self.fields(case, p['action'], start), 'script': script.name})
        self.kept = p.get('order', 0) if p.get('domain_kept_for_next_case') else None
        if code == -1:
            self.kept = None
            return 'fail', error, {case['name'] + '.refused': error + '\n'}
        expected = (case.get('expected') or {}).get('xml')
        stays = p['action'] == 'detach' and case['kind'] != 'success'
        if error is not None:
            if case['kind'] != 'success' and not stays:
                return 'pass', '', {}
            return 'fail', error, {case['name'] + '.refused': error + '\n'}
        if case['kind'] != 'success' and not stays:
            return 'fail', 'accepted, should be refused', {}
        # A guest that gave up its device is as it was before; one that has not answered is not.
        target = case['inputs']['domain'] if p['action'] == 'detach' else expected
        outputs = {expected or case['name'] + '.xml': got}
        if not target:
            return 'pass', '', outputs
        # Numbers of images depend on all that was plugged into the guest before.
        want, have = ([NODE.sub(r'\1', line) for line in documents.canonical(text)]
                      for text in (documents.read(self.folder, target), got))
        if stays:
            return ('pass', '', outputs) if want != have else ('fail', 'the device is gone', outputs)
        return ('pass', '', outputs) if want == have else ('fail', documents.difference(want, have, 1), outputs)


RUNNERS = {'qemuhotplug': Hotplug}
