# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stock Perl binding; the client itself is client.pl."""
import os
import unittest
import uuid as uuid_module

from harness import TestCase, domain_xml, run


class Perl(TestCase):
    def test_life_of_a_guest(self):
        name, uuid = self.guest_name('perl'), str(uuid_module.uuid4())
        xml = self.xml_file(domain_xml(name, boots=True, uuid=uuid))
        client = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'client.pl')
        _, out, _ = run(['/usr/bin/perl', client, name, uuid, xml], timeout=120)
        self.assertEqual(out.split('\n')[:-1], ['ok ' + step for step in (
            'connect', 'define', 'start', 'console', 'control', 'undefine', 'readonly')])


if __name__ == '__main__':
    unittest.main()
