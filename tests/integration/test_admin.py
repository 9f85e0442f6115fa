# SPDX-License-Identifier: LGPL-2.1-or-later
"""virt-admin on the administration socket of each daemon."""
import glob
import os
import re
import unittest

import libvirt

from harness import ON_PEER, TestCase, daemon_uri, rows, run_dir, virt_admin


def daemons():
    if ON_PEER:
        return ['libvirtd']
    found = [os.path.basename(p)[:-len('-admin-sock')] for p in glob.glob(os.path.join(run_dir(), '*-admin-sock'))]
    return sorted('virtproxyd' if name == 'libvirt' else name for name in found)


class Admin(TestCase):
    def each(self):
        found = daemons()
        self.assertTrue(found)
        return found

    def servers(self, daemon):
        return [row[1] for row in rows(virt_admin(daemon, 'srv-list')) if row[0].isdigit()]

    def main_server(self, daemon):
        self.assertIn(daemon, self.servers(daemon))
        return daemon

    def test_srv_list(self):
        for daemon in self.each():
            self.assertLessEqual({daemon, 'admin'}, set(self.servers(daemon)))

    def test_clients(self):
        for daemon in self.each():
            server = self.main_server(daemon)
            before = self.client_ids(daemon, server)
            if daemon in ('virtlockd', 'virtlogd'):
                continue
            c = libvirt.open(daemon_uri(daemon))
            after = self.client_ids(daemon, server)
            new = after - before
            self.assertGreaterEqual(len(new), 1)
            info = dict(re.split(r'\s*:\s*', line, maxsplit=1)
                        for line in virt_admin(daemon, 'client-info', server, max(new, key=int)).splitlines()
                        if ':' in line)
            self.assertEqual(info['transport'], 'unix')
            self.assertEqual(info['readonly'], 'no')
            self.assertEqual(info['unix_user_id'], '0')
            self.assertEqual(info['unix_process_id'], str(os.getpid()))
            c.close()

    def client_ids(self, daemon, server):
        return {row[0] for row in rows(virt_admin(daemon, 'client-list', server)) if row[0].isdigit()}

    def test_client_disconnect(self):
        for daemon in self.each():
            if daemon in ('virtlockd', 'virtlogd'):
                continue
            server = self.main_server(daemon)
            before = self.client_ids(daemon, server)
            c = libvirt.open(daemon_uri(daemon))
            for client in self.client_ids(daemon, server) - before:
                virt_admin(daemon, 'client-disconnect', server, client)
            with self.assertRaises(libvirt.libvirtError):
                c.getHostname()

    def test_clients_info_and_limits(self):
        for daemon in self.each():
            server = self.main_server(daemon)
            info = dict(re.split(r'\s*:\s*', line, maxsplit=1)
                        for line in virt_admin(daemon, 'srv-clients-info', server).splitlines() if ':' in line)
            old = info['nclients_max']
            virt_admin(daemon, 'srv-clients-set', server, '--max-clients', '77')
            self.assertRegex(virt_admin(daemon, 'srv-clients-info', server), r'nclients_max\s*: 77')
            virt_admin(daemon, 'srv-clients-set', server, '--max-clients', old)

    def test_threadpool(self):
        for daemon in self.each():
            server = self.main_server(daemon)
            out = virt_admin(daemon, 'srv-threadpool-info', server)
            info = {k: int(v) for k, v in re.findall(r'(\w+)\s*: (\d+)', out)}
            self.assertLessEqual({'minWorkers', 'maxWorkers', 'nWorkers', 'freeWorkers', 'prioWorkers',
                                  'jobQueueDepth'}, set(info))
            if daemon in ('virtproxyd', 'virtlockd', 'virtlogd') and info['maxWorkers'] == 0:
                continue                      # a daemon without workers has none to set
            virt_admin(daemon, 'srv-threadpool-set', server, '--max-workers', str(info['maxWorkers'] + 3))
            self.assertRegex(virt_admin(daemon, 'srv-threadpool-info', server),
                             rf"maxWorkers\s*: {info['maxWorkers'] + 3}")
            virt_admin(daemon, 'srv-threadpool-set', server, '--max-workers', str(info['maxWorkers']))

    def test_log_filters(self):
        for daemon in self.each():
            old = self.setting(daemon, 'daemon-log-filters')
            virt_admin(daemon, 'daemon-log-filters', '--filters', '1:rpc 4:event')
            self.assertEqual(self.setting(daemon, 'daemon-log-filters'), '1:rpc 4:event')
            status, _, err = virt_admin(daemon, 'daemon-log-filters', '--filters', '9:nonsense', check=False)
            self.assertEqual(status, 1)
            self.assertTrue(err)
            self.assertEqual(self.setting(daemon, 'daemon-log-filters'), '1:rpc 4:event')
            virt_admin(daemon, 'daemon-log-filters', '--filters', old)

    def test_log_outputs(self):
        for daemon in self.each():
            old = self.setting(daemon, 'daemon-log-outputs')
            path = os.path.join(os.environ.get('MODVIRT_TEST_TMP', '/tmp'), 'admin.log')
            virt_admin(daemon, 'daemon-log-outputs', '--outputs', f'1:file:{path}')
            self.assertEqual(self.setting(daemon, 'daemon-log-outputs'), f'1:file:{path}')
            self.assertTrue(os.path.exists(path))
            virt_admin(daemon, 'daemon-log-outputs', '--outputs', old)
            os.unlink(path)

    def setting(self, daemon, command):
        return virt_admin(daemon, command).strip()


if __name__ == '__main__':
    unittest.main()
