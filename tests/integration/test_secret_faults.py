# SPDX-License-Identifier: LGPL-2.1-or-later
"""The loop of test_storage_faults for secrets: virtsecretd killed, a write that fails, a full disk, at each of the calls
with which it changes its files.

Afterwards a secret and its value are what they were or what they become; a new daemon tells the same, and no file is left
that belongs to no secret.
"""
import base64
import contextlib
import os
import signal
import unittest

from faults import Steps
from harness import ON_PEER, daemon_uri, wait_for
from harness import virsh as plain_virsh
from sandbox_lib import SandboxError

UUID = '00000000-0000-4000-8000-00000000000a'
OLD, NEW = b'the value that it had', b'another value'


def virsh(*args, **how):
    return plain_virsh(*args, connect=daemon_uri('virtsecretd'), **how)


@unittest.skipIf(ON_PEER, 'about our daemon')
class Secrets(Steps):
    DAEMON = 'virtsecretd'
    # What is before, and words of virsh.
    OPERATIONS = {
        'define': ((), 'secret-define {doc}/first'),
        'redefine': (('first', 'value'), 'secret-define {doc}/second'),
        'becomes-ephemeral': (('first', 'value'), 'secret-define {doc}/ephemeral'),
        'first-value-of-a-host': (('first',), 'secret-set-value {uuid} --base64 {new}'),
        'value': (('first', 'value'), 'secret-set-value {uuid} --base64 {new}'),
        'ephemeral-value': (('ephemeral', 'value'), 'secret-set-value {uuid} --base64 {new}'),
        'undefine': (('first', 'value'), 'secret-undefine {uuid}'),
        'undefine-without-value': (('first',), 'secret-undefine {uuid}'),
        'sealing': (('first', 'value'), None),     # a daemon finds a value that another one left readable
    }
    def setUp(self):
        super().setUp()
        self.doc = os.path.join(self.directory, 'doc')
        self.etc = os.path.join(self.directory, 'etc', 'libvirt', 'secrets')
        self.key = os.path.join(self.directory, 'var', 'lib', 'libvirt', 'secrets', 'host.key')
        self.readable = os.path.join(self.etc, UUID + '.base64')
        os.mkdir(self.doc)
        for name, ephemeral in (('first', 'no'), ('second', 'no'), ('ephemeral', 'yes')):
            with open(os.path.join(self.doc, name), 'w', encoding='utf-8') as f:
                f.write(f"<secret ephemeral='{ephemeral}'><uuid>{UUID}</uuid><description>{name}</description>"
                        f"<usage type='ceph'><name>n</name></usage></secret>")

    def kinds(self, operation):
        return ('kill',) if operation == 'sealing' else ('kill', 'eio', 'full')   # a start that fails is another matter

    def virsh(self, words):
        return virsh(*words.format(uuid=UUID, doc=self.doc, old=base64.b64encode(OLD).decode(),
                                   new=base64.b64encode(NEW).decode()).split(), check=False, timeout=60)

    def fresh(self, operation):
        virsh('secret-undefine', UUID, check=False)
        for step in self.OPERATIONS[operation][0]:
            words = 'secret-set-value {uuid} --base64 {old}' if step == 'value' else 'secret-define {doc}/' + step
            status, _, err = self.virsh(words)
            self.assertEqual(status, 0, err)
        if operation == 'first-value-of-a-host':
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.key)
            super().again()
        if operation == 'sealing':
            self.sandbox.stop_daemon(self.DAEMON)
            with open(self.readable, 'wb') as f:
                f.write(base64.b64encode(NEW))
            os.chmod(self.readable, 0o600)

    def act(self, operation):
        if operation != 'sealing':
            return self.virsh(self.OPERATIONS[operation][1])
        try:
            self.sandbox.start_daemon(self.DAEMON)
        except SandboxError as e:
            return 1, '', str(e)
        wait_for('the value to be sealed, or that to fail', lambda: not os.path.exists(self.readable) or self.points.hit)
        return 0, '', ''

    def world(self):
        """As told. Before it is sealed, a value that was left readable is the secret's."""
        if self.DAEMON not in self.sandbox.daemons:
            with open(self.readable, 'rb') as f:
                return {'description': 'first', 'value': base64.b64decode(f.read())}
        found = {}
        if virsh('secret-list').split():
            found['description'] = virsh('secret-dumpxml', UUID).split('<description>')[1].split('<')[0]
            status, out, err = virsh('secret-get-value', UUID, check=False)
            if status:
                self.assertIn('does not have a value', err)
            found['value'] = None if status else base64.b64decode(out)
        return found

    def agree(self, where):
        """Files, as another daemon finds them."""
        told = self.world()
        ephemeral = told.get('description') == 'ephemeral'
        kept = [UUID + '.xml'] if told and not ephemeral else []
        kept += [UUID + '.sealed'] if kept and told['value'] else []
        self.assertEqual(sorted(os.listdir(self.etc)), sorted(kept), where)
        self.sandbox.stop_daemon(self.DAEMON, signal.SIGKILL)
        self.sandbox.start_daemon(self.DAEMON)
        self.assertEqual(self.world(), {} if ephemeral else told, where)

    def left_over(self):
        return [n for top in (self.etc, os.path.dirname(self.key)) if os.path.isdir(top) for n in os.listdir(top) if n.startswith('.')]

    def again(self):
        super().again()
        wait_for('what was left over', lambda: not self.left_over())
        wait_for('readable values to be sealed', lambda: not os.path.exists(self.readable))

    def check(self, operation, before, after, where, status=None, half=()):
        if ' kill ' in where:                     # ephemeral ones end with their daemon
            before, after = ({} if w.get('description') == 'ephemeral' else w for w in (before, after))
        if operation == 'sealing':
            self.again()                          # what failed once is tried again by the next daemon
        super().check(operation, before, after, where, status, half)

    def test_faults(self):
        self.loop(self.OPERATIONS)


if __name__ == '__main__':
    unittest.main()
