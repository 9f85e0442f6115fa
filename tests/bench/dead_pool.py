# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a dead server costs a start of virtstoraged: usage: dead_pool.py BUILD [ROUNDS]. A pool that starts with the host lies
on a file system whose server is stopped; from exec of the daemon to the first answer about another pool, and the same while
the server is well. As root."""
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import libvirt

HERE = os.path.dirname(os.path.abspath(__file__))
FUSE = os.path.join(HERE, '..', 'integration', 'fuse.py')
POOL = '<pool type="dir"><name>{0}</name><target><path>{1}</path></target></pool>'
PATIENCE = 60


class Daemon:
    def __init__(self, build, root):
        self.run = os.path.join(root, 'run', 'libvirt')
        self.env = dict(os.environ, MODVIRT_MODULE_DIR=os.path.join(build, 'drivers', 'storage'))
        self.words = [os.path.join(build, 'daemons', 'virtstoraged'), '--root', root]
        self.process = None

    def start(self, boots):
        """Seconds to the first answer; boots: as after a start of the host."""
        if boots:
            shutil.rmtree(os.path.join(self.run, 'storage'), ignore_errors=True)
        sock = os.path.join(self.run, 'virtstoraged-sock')
        began = time.perf_counter()
        self.process = subprocess.Popen(self.words, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while time.perf_counter() - began < PATIENCE:
            try:
                conn = libvirt.open(f'storage+unix:///system?socket={sock}')
                pools = conn.listAllStoragePools()
                for pool in pools:
                    pool.info()
                return time.perf_counter() - began, conn
            except libvirt.libvirtError:
                time.sleep(0.0005)
        raise SystemExit('no answer')

    def kill(self):
        self.process.kill()
        self.process.wait()


def main(build, rounds):
    root = tempfile.mkdtemp(prefix='mv-')
    mount, good = os.path.join(root, 'mnt'), os.path.join(root, 'good')
    os.mkdir(mount)
    os.mkdir(good)
    libvirt.registerErrorHandler(lambda *_: None, None)
    server = subprocess.Popen([sys.executable, FUSE, mount, 'v=65536'], stdout=subprocess.PIPE, text=True)
    daemon = Daemon(build, root)
    try:
        if server.stdout.readline() != 'mounted\n':
            raise SystemExit('no file system of our own can be mounted')
        _, conn = daemon.start(True)
        for name, path in (('good', good), ('dead', mount)):
            pool = conn.storagePoolDefineXML(POOL.format(name, path))
            pool.setAutostart(True)
        for state, sign in (('well', signal.SIGCONT), ('dead', signal.SIGSTOP)):
            os.kill(server.pid, sign)
            for what, boots in (('start of the host', True), ('restart', False)):
                times = []
                for _ in range(rounds):
                    daemon.kill()
                    took, conn = daemon.start(boots)
                    times.append(took * 1e3)
                print(f'server {state}, {what}: first answer after {statistics.median(times):.1f} ms, at most {max(times):.1f}')
    finally:
        if daemon.process:
            daemon.kill()
        server.kill()
        server.wait()
        subprocess.run(['umount', '-l', mount], check=False)
        shutil.rmtree(root)


if __name__ == '__main__':
    main(os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
