# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs of the administrator that are told what happens."""
import os
import signal
import unittest

from harness import OwnSandbox, wait_for


class Hooks(OwnSandbox):
    def setUp(self):
        super().setUp()
        self.log = os.path.join(self.directory, 'hook.log')

    def hook(self, name, body='exit 0'):
        """A program that notes how it was called, then does what body says."""
        path = os.path.join(self.directory, 'etc', 'libvirt', 'hooks', name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(f'#!/bin/sh\necho "{name} $*" >>{self.log}\n{body}\n')
        os.chmod(path, 0o755)

    def told(self):
        try:
            with open(self.log, encoding='utf-8') as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def expect(self, *lines):
        wait_for(f'{lines} of hooks, not {self.told()}', lambda: self.told() == list(lines))
        if os.path.exists(self.log):
            os.unlink(self.log)


class Daemon(Hooks):
    def test_daemon_tells_of_its_life(self):
        self.sandbox.start()
        self.sandbox.stop_daemon('virtqemud')
        self.hook('daemon')
        self.hook('daemon.d/50-more')
        self.sandbox.start_daemon('virtqemud')
        self.expect('daemon - start - start', 'daemon.d/50-more - start - start')
        self.sandbox.daemons['virtqemud'].send_signal(signal.SIGHUP)
        self.expect('daemon - reload begin SIGHUP', 'daemon.d/50-more - reload begin SIGHUP')
        self.sandbox.stop_daemon('virtqemud')
        self.expect('daemon - shutdown - shutdown', 'daemon.d/50-more - shutdown - shutdown')

    def test_hook_that_fails_or_sleeps_keeps_nobody_waiting(self):
        self.sandbox.start()
        self.sandbox.stop_daemon('virtqemud')
        self.hook('daemon', 'sleep 3; exit 1')
        self.sandbox.start_daemon('virtqemud')
        self.use(self.sandbox, 'virtqemud')
        self.assertEqual(self.connect().listAllDomains(), [])
        self.expect('daemon - start - start')


if __name__ == '__main__':
    unittest.main()
