# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests of saved guests share."""
import json
import os
import struct
import threading

import libvirt
import libvirt_qemu

from harness import GREETING, TestCase, read_until, scratch, unique, virsh

HEADER = struct.Struct('=16sIIIII14I')


def state(name):
    return virsh('domstate', name, '--reason').strip()


def header(path):
    with open(path, 'rb') as f:
        return HEADER.unpack(f.read(HEADER.size))


def poke(path, offset, data):
    with open(path, 'r+b') as f:
        f.seek(offset)
        f.write(data)


def monitor_set(dom, what):
    libvirt_qemu.qemuMonitorCommand(dom, '{"execute":"migrate-set-parameters","arguments":{%s}}' % what, 0)


def slow(dom):
    """The job that runs now hardly goes on; queries run beside it. A page of zeros takes nine bytes: at this speed
    four MiB of them last for most of a minute."""
    monitor_set(dom, '"max-bandwidth":100')


class Job:
    """An operation of its own connection, in a thread."""
    def __init__(self, case, name, method, *args):
        self.error, self.dom = None, case.connect().lookupByName(name)
        self.thread = threading.Thread(target=self.run, args=(getattr(self.dom, method), args))
        self.thread.start()
        case.addCleanup(self.thread.join)

    def run(self, function, args):
        try:
            function(*args)
        except libvirt.libvirtError as e:
            self.error = e

    def join(self):
        self.thread.join(120)
        return self.error


class SaveCase(TestCase):
    def path(self, stem='image'):
        path = os.path.join(scratch(), unique(stem))
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))
        return path

    def running(self, **how):
        dom = self.define(stem='save', **how)
        dom.create()
        return dom

    def say(self, dom, text, until):
        """Types at the guest's console and reads what it answers."""
        stream = dom.connect().newStream(0)
        dom.openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
        stream.send(text.encode() + b'\n')
        answer = read_until(stream.recv, until)
        stream.abort()
        return answer

    def loaded(self, dom):
        """Waits until a guest that boots has filled some memory, so that it is not saved in no time."""
        stream = dom.connect().newStream(0)
        dom.openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
        read_until(stream.recv, GREETING)
        stream.abort()
        return dom

    def slow_job(self, dom, method, *args):
        """An operation on a loaded() guest that hardly gets on: it is slowed down as soon as it moves."""
        def much_left():                         # the emulator's word: a job's figures may be some moments old
            move = json.loads(libvirt_qemu.qemuMonitorCommand(dom, '{"execute":"query-migrate"}', 0))['return']
            return move.get('status') == 'active' and move.get('ram', {}).get('remaining', 0) > 4 << 20

        for _ in range(40):
            monitor_set(dom, '"downtime-limit":1')   # no long jump at the end
            job = Job(self, dom.name(), method, *args)
            while job.thread.is_alive():
                try:
                    slow(dom)
                    if not much_left():
                        continue
                    slow(dom)                  # the driver may have set its own speed since the first time
                    if much_left():            # still, now that it is slow
                        return job
                except libvirt.libvirtError:
                    pass                       # it is over
            self.assertIsNone(job.join())
            if not dom.isActive():
                dom.create() if dom.hasManagedSaveImage() else dom.connect().restore(args[0])
        self.fail('every operation was over at once')
