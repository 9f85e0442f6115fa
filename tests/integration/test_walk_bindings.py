# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everything that the stock bindings and libvirt-dbus have for pools, volumes, secrets and streams: the same questions
(bindings/*/*.walk) put to the distribution's libvirtd and to ours are answered alike, by value and type or by
the error's code and domain (and level, where a binding tells it), but for what bindings/differences names with its reason. A method or
constant of a binding that no question uses fails the test."""
import importlib.util
import os
import shutil
import unittest

from harness import daemon_uri
from test_walk import FULL, HERE, Comparison

WALKS = ('pools', 'volumes', 'streams', 'secrets')
# Who serves both: the proxy; with --full the daemon that users' clients open, too, and each daemon its own.
ROUTES = (('virtproxyd', 'virtproxyd'), ('virtqemud', 'virtqemud'), ('virtstoraged', 'virtsecretd'))
SERVED = ROUTES if FULL else ROUTES[:1]


@unittest.skipUnless(os.path.exists('/usr/sbin/libvirtd') and os.geteuid() == 0, 'no libvirtd to compare with')
class Bindings(Comparison):
    FOLDER = 'bindings'

    def alike(self, command, theirs, ours):
        """Of an error the status has all but the text, which only has to be there."""
        for lines in theirs, ours:
            if lines and lines[0].startswith('text: '):
                lines[:] = ['text' if lines[0].removeprefix('text: ') else 'no text']
        return theirs, ours

    def walk(self, language, interpreter, runner, walks=WALKS, served=SERVED, ends=('never called', 'never named')):
        folder = os.path.join(HERE, self.FOLDER)
        runner = [interpreter, os.path.join(folder, runner)]
        files = [os.path.join(folder, language, name + '.walk') for name in walks]
        expected = self.ask_stock(runner, *files)
        for what in ends:
            self.assertEqual([e[3] for e in expected if e[:2] == ['end', what]], [[]], what)
        for storage, secrets in served:
            with self.subTest(storage):
                self.start(storage)
                os.environ['MODVIRT_SECRETS_URI'] = daemon_uri(secrets)
                self.addCleanup(os.environ.pop, 'MODVIRT_SECRETS_URI', None)
                self.compare(language, expected, self.ask([], runner, *files))
            self.start_anew()

    def test_python(self):
        self.walk('python', '/usr/bin/python3', 'walk.py')

    def test_perl(self):
        self.walk('perl', '/usr/bin/perl', 'walk.pl')

    @unittest.skipUnless(shutil.which('libvirt-dbus') and shutil.which('dbus-daemon') and importlib.util.find_spec('gi'),
                         'libvirt-dbus, or a client for it, is not installed')
    def test_dbus(self):
        self.walk('dbus', '/usr/bin/python3', 'walk_dbus.py', ['dbus'], ROUTES[1:2], ['never called'])


if __name__ == '__main__':
    unittest.main()
