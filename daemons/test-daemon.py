#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon as its host sees it: starting, refusing, stopping, leaving when idle, activation,
administration. Uses a daemon without guests below a scratch root.

usage: test-daemon.py TEST_DAEMON VIRTPROXYD [TEST...]
"""
import contextlib
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

DAEMON, PROXY = [os.path.abspath(p) for p in sys.argv[1:3]]
REMOTE, ADMIN = 0x20008086, 0x06900690
OK, ERROR = 0, 1


class Peer:
    """A client that knows just enough of the wire."""

    def __init__(self, path, timeout=60):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(timeout)
        self.s.connect(path)
        self.serial = 0

    def read(self, n):
        data = b''
        while len(data) < n:
            more = self.s.recv(n - len(data))
            assert more, 'connection closed'
            data += more
        return data

    def call(self, program, procedure, body=b''):
        self.serial += 1
        self.s.sendall(struct.pack('>IIIiIIi', 28 + len(body), program, 1, procedure, 0, self.serial, 0) + body)
        length, prog, _, proc, kind, serial, status = struct.unpack('>IIIiIIi', self.read(28))
        assert (prog, proc, kind, serial) == (program, procedure, 1, self.serial)
        return status, self.read(length - 28)

    def open_admin(self):
        status, _ = self.call(ADMIN, 1, struct.pack('>I', 0))
        assert status == OK
        return self

    def open_remote(self):
        status, body = self.call(REMOTE, 66)
        assert status == OK and body == struct.pack('>II', 1, 0), body
        status, _ = self.call(REMOTE, 1, struct.pack('>II', 0, 0))
        assert status == OK
        return self


def xdr_string(s):
    data = s.encode()
    return struct.pack('>I', len(data)) + data + b'\0' * (-len(data) % 4)


started = []  # killed when a test fails half-way


class Daemon:
    def __init__(self, root, *args, env=None, wait=True, program=DAEMON):
        self.root = root
        self.run = root + '/run/libvirt/'
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.settimeout(60)
        name = root + '/notify'
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        self.notify.bind(name)
        full = dict(os.environ, NOTIFY_SOCKET=name, **(env or {}))
        full.pop('MODVIRT_ROOT', None)
        full.pop('JOURNAL_STREAM', None)
        self.p = subprocess.Popen([program, '--root', root, *args], env=full, stderr=subprocess.PIPE, text=True)
        started.append(self.p)
        if wait:
            self.wait_for('READY=1')

    def wait_for(self, word):
        while True:
            try:
                text = self.notify.recv(4096).decode()
            except socket.timeout:
                self.p.kill()
                raise AssertionError(f'no {word}: {self.p.communicate()[1]}')
            if word in text:
                return

    def end(self, sig=signal.SIGTERM, status=0):
        if sig:
            self.p.send_signal(sig)
        err = self.p.communicate(timeout=60)[1]
        assert self.p.returncode == status, (self.p.returncode, err)
        self.notify.close()
        return err


def test_starts_and_cleans_up(root):
    d = Daemon(root)
    names = sorted(set(os.listdir(d.run)) - {'common'})  # what today's daemons leave there, too
    assert names == ['virtqemud-admin-sock', 'virtqemud-metrics-sock', 'virtqemud-sock', 'virtqemud-sock-ro'], names
    modes = [os.stat(d.run + n).st_mode & 0o777 for n in names]
    assert modes == [0o700, 0o660, 0o770, 0o777], modes
    with open(root + '/run/virtqemud.pid') as f:
        assert int(f.read()) == d.p.pid
    Peer(d.run + 'virtqemud-sock').open_remote()
    d.end()
    assert set(os.listdir(d.run)) <= {'common'} and not os.path.exists(root + '/run/virtqemud.pid')


def test_second_one_is_refused_and_harmless(root):
    d = Daemon(root)
    err = Daemon(root, wait=False).end(None, 1)
    assert f'process {d.p.pid} holds' in err, err
    other = Daemon(root, '--pid-file', root + '/other.pid', wait=False).end(None, 1)
    assert 'another process listens on' in other, other
    Peer(d.run + 'virtqemud-sock').open_remote()
    d.end()


def test_starts_again_after_kill(root):
    d = Daemon(root)
    d.end(signal.SIGKILL, -signal.SIGKILL)
    assert os.path.exists(d.run + 'virtqemud-sock')
    d = Daemon(root)
    Peer(d.run + 'virtqemud-sock').open_remote()
    d.end(signal.SIGINT)


def test_wrong_configuration_is_explained(root):
    os.makedirs(root + '/etc/libvirt')
    conf = root + '/etc/libvirt/virtqemud.conf'
    with open(conf, 'w') as f:
        f.write('# nothing\nmax_cleints = 10\n')
    err = Daemon(root, wait=False).end(None, 1)
    assert f'{conf}:2: unknown key' in err and "did you mean 'max_clients'" in err, err
    err = Daemon(root, '--config', root + '/missing.conf', wait=False).end(None, 1)
    assert 'missing.conf' in err, err


def test_reload(root):
    os.makedirs(root + '/etc/libvirt')
    conf = root + '/etc/libvirt/virtqemud.conf'
    d = Daemon(root)
    admin = Peer(d.run + 'virtqemud-admin-sock').open_admin()

    def reload(text):
        with open(conf, 'w') as f:
            f.write(text)
        d.p.send_signal(signal.SIGHUP)
        d.wait_for('RELOADING=1')
        d.wait_for('READY=1')
        return admin.call(ADMIN, 15, struct.pack('>I', 0))[1]

    assert b'1:qemu' in reload('log_filters = "1:qemu"\n')
    assert b'1:qemu' in reload('log_filters = nonsense\n')  # the wrong file changes nothing
    err = d.end()
    assert 'configuration is not changed' in err, err


def test_leaves_when_idle(root):
    d = Daemon(root, '--timeout', '2')
    peer = Peer(d.run + 'virtqemud-sock').open_remote()
    time.sleep(3)
    assert d.p.poll() is None  # a client holds it
    peer.s.close()
    d.end(None, 0)
    assert set(os.listdir(d.run)) <= {'common'}

    d = Daemon(root, '--timeout', '1', env={'TEST_DAEMON_BUSY': '1'})
    time.sleep(2.5)
    assert d.p.poll() is None  # its driver holds it
    Peer(d.run + 'virtqemud-sock').open_remote()  # and it is still there for clients
    d.end()


def test_clients_in_the_last_moment_are_served(root):
    """Whoever finds the socket is answered; whoever comes too late finds none."""
    served = late = 0
    end = time.time() + 12
    while time.time() < end and (served < 3 or late < 3):
        d = Daemon(root, '--timeout', '1')
        time.sleep(random.uniform(0.97, 1.01))
        while d.p.poll() is None:
            try:
                peer = Peer(d.run + 'virtqemud-sock')
            except (FileNotFoundError, ConnectionRefusedError):
                late += 1
                break
            peer.open_remote()
            served += 1
            peer.s.close()
            break
        if d.p.poll() is None:
            d.p.send_signal(signal.SIGTERM)
        d.end(None, 0)
    print(f'  served {served}, too late {late}')


def test_activation(root):
    activate = shutil.which('systemd-socket-activate')
    if not activate:
        print('  skipped: no systemd-socket-activate')
        return
    os.makedirs(root + '/run/libvirt')
    main, admin = root + '/run/libvirt/virtqemud-sock', root + '/run/libvirt/virtqemud-admin-sock'
    p = subprocess.Popen([activate, '-l', main, '-l', admin, '--fdname=virtqemud.socket:virtqemud-admin.socket', DAEMON,
                          '--root', root], stderr=subprocess.PIPE, text=True)
    for _ in range(500):
        if os.path.exists(admin):
            break
        time.sleep(0.01)
    Peer(main).open_remote()
    Peer(admin).open_admin()
    assert not os.path.exists(main + '-ro')  # only what was passed
    assert os.stat(main).st_mode & 0o007 == 0
    p.terminate()
    p.communicate(timeout=60)
    assert os.path.exists(main)  # the activator's, not ours


def test_background(root):
    pid_file = root + '/run/virtqemud.pid'
    assert subprocess.run([DAEMON, '--root', root, '-d', '-v'], timeout=60).returncode == 0
    with open(pid_file) as f:
        pid = int(f.read())
    Peer(root + '/run/libvirt/virtqemud-sock').open_remote()
    again = subprocess.run([DAEMON, '--root', root, '-d'], timeout=60, stderr=subprocess.PIPE, text=True)
    assert again.returncode == 1 and 'holds' in again.stderr, again
    os.kill(pid, signal.SIGTERM)
    for _ in range(1000):
        if not os.path.exists(pid_file):
            return
        time.sleep(0.01)
    raise AssertionError('the daemon did not end')


def test_administration(root):
    d = Daemon(root)
    client = Peer(d.run + 'virtqemud-sock').open_remote()
    a = Peer(d.run + 'virtqemud-admin-sock')
    status, body = a.call(ADMIN, 4, struct.pack('>II', 1, 0))
    assert status == ERROR  # not open yet
    a.open_admin()
    status, body = a.call(ADMIN, 4, struct.pack('>II', 1, 0))
    assert (status, body) == (OK, struct.pack('>I', 2) + xdr_string('virtqemud') + xdr_string('admin') + struct.pack('>I', 2))

    server = xdr_string('virtqemud')
    status, body = a.call(ADMIN, 6, server + struct.pack('>I', 0))
    assert status == OK and b'maxWorkers' in body and b'jobQueueDepth' in body
    param = lambda name, v: xdr_string(name) + struct.pack('>iI', 2, v)
    set_pool = lambda *ps: a.call(ADMIN, 7, server + struct.pack('>I', len(ps)) + b''.join(ps) + struct.pack('>I', 0))
    assert set_pool(param('maxWorkers', 7), param('minWorkers', 2))[0] == OK
    assert param('maxWorkers', 7) in a.call(ADMIN, 6, server + struct.pack('>I', 0))[1]
    assert set_pool(param('minWorkers', 8))[0] == ERROR
    assert set_pool(param('nWorkers', 8))[0] == ERROR
    assert set_pool(param('maxWorkers', 7), param('maxWorkers', 7))[0] == ERROR

    status, body = a.call(ADMIN, 8, server + struct.pack('>II', 1, 0))
    assert status == OK
    n, rest = struct.unpack('>I', body[:4])[0], body[4 + len(server):]
    client_id = struct.unpack('>Q', rest[:8])[0]
    assert n == 1
    whom = server + struct.pack('>QqI', client_id, 0, 0)
    status, body = a.call(ADMIN, 10, whom + struct.pack('>I', 0))
    assert status == OK and xdr_string('unix_process_id') + struct.pack('>ii', 1, os.getpid()) in body
    assert a.call(ADMIN, 10, server + struct.pack('>QqII', 999, 0, 0, 0))[0] == ERROR
    assert a.call(ADMIN, 5, xdr_string('nobody') + struct.pack('>I', 0))[0] == ERROR

    assert a.call(ADMIN, 13, server + struct.pack('>I', 1) + param('nclients_max', 1) + struct.pack('>I', 0))[0] == ERROR
    limits = [param('nclients_max', 1), param('nclients_unauth_max', 1)]
    assert a.call(ADMIN, 13, server + struct.pack('>I', 2) + b''.join(limits) + struct.pack('>I', 0))[0] == OK
    waiting = Peer(d.run + 'virtqemud-sock', 1)  # above the limit: has to wait
    try:
        waiting.open_remote()
        raise AssertionError('the limit of clients is not kept')
    except socket.timeout:
        pass

    assert a.call(ADMIN, 11, whom + struct.pack('>I', 0))[0] == OK
    assert client.s.recv(1) == b''

    assert a.call(ADMIN, 17, struct.pack('>I', 1) + xdr_string('1:rpc 3:qemu') + struct.pack('>I', 0))[0] == OK
    assert a.call(ADMIN, 15, struct.pack('>I', 0))[1] == struct.pack('>I', 1) + xdr_string('1:rpc 3:qemu') + struct.pack('>I', 2)
    assert a.call(ADMIN, 17, struct.pack('>I', 1) + xdr_string('9:rpc') + struct.pack('>I', 0))[0] == ERROR
    assert a.call(ADMIN, 16, struct.pack('>I', 1) + xdr_string(f'1:file:{root}/log') + struct.pack('>I', 0))[0] == OK
    assert a.call(ADMIN, 14, struct.pack('>I', 0))[1] == xdr_string(f'1:file:{root}/log') + struct.pack('>I', 1)
    status, body = a.call(ADMIN, 18, server + struct.pack('>I', 0))
    assert status == ERROR and b'does not use TLS' in body
    assert a.call(ADMIN, 20, struct.pack('>I', 0))[0] == OK
    d.end(None, 0)


def test_proxy_and_daemon(root):
    d = Daemon(root)
    with open(d.run + '../../proxy.conf', 'w') as f:
        f.write('listen_tcp = 1\nlisten_tls = 0\nauth_unix_rw = "polkit"\naudit_logging = 1\n')
    p = Daemon(root, '--config', root + '/proxy.conf', program=PROXY)
    uri = xdr_string('qemu:///system')
    for name in ('libvirt-sock', 'libvirt-sock-ro'):
        peer = Peer(p.run + name, 30)
        assert peer.call(REMOTE, 66)[0] == OK
        assert peer.call(REMOTE, 1, struct.pack('>I', 1) + uri + struct.pack('>I', 0))[0] == OK
        status, body = peer.call(REMOTE, 3)
        assert (status, body) == (OK, xdr_string('QEMU'))  # the daemon's answer
    Peer(p.run + 'virtproxyd-admin-sock').open_admin()  # the name that virt-admin makes up
    a = Peer(p.run + 'libvirt-admin-sock').open_admin()
    assert a.call(ADMIN, 7, xdr_string('virtproxyd') + struct.pack('>II', 0, 0))[0] == ERROR  # no workers there
    err = p.end()
    assert '--listen' in err and 'audit' in err, err  # what is not done is said
    d.end()
    assert set(os.listdir(d.run)) <= {'common'}, os.listdir(d.run)


def test_debug_lines_are_kept(root):
    d = Daemon(root)
    Peer(d.run + 'virtqemud-sock').open_remote()
    path = root + '/var/log/libvirt/virtqemud-debug.txt'
    d.p.send_signal(signal.SIGUSR2)
    for _ in range(500):
        if os.path.exists(path):
            break
        time.sleep(0.01)
    d.end()
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_session(root):
    """Without privileges everything is in the user's directories, and there is no read-only socket."""
    user = 65534 if os.getuid() == 0 else os.getuid()
    other = dict(user=user, group=user, extra_groups=[]) if os.getuid() == 0 else {}
    os.chmod(root, 0o755)
    home = root + '/home'
    os.makedirs(home + '/run')
    for path in (home, home + '/run'):
        os.chown(path, user, -1)
        os.chmod(path, 0o700)
    env = {'HOME': home, 'XDG_RUNTIME_DIR': home + '/run', 'PATH': os.environ['PATH']}
    env.update({k: v for k, v in os.environ.items() if k in ('ASAN_OPTIONS', 'LD_PRELOAD')})
    run = lambda *args: subprocess.Popen([DAEMON, *args], env=env, cwd='/', **other,
                                         stderr=subprocess.PIPE, text=True)
    try:
        version = run('--version')
    except PermissionError:
        version = None
    if not version or version.wait(10) != 0:
        print('  skipped: another user cannot run the program here')
        return
    p = run('--timeout', '3')
    started.append(p)
    sockets = home + '/run/libvirt/'
    for _ in range(1000):
        if os.path.exists(sockets + 'virtqemud-metrics-sock'):  # the last one
            break
        time.sleep(0.01)
    assert sorted(set(os.listdir(sockets)) - {'common'}) == ['virtqemud-admin-sock', 'virtqemud-metrics-sock', 'virtqemud-sock',
                                                        'virtqemud.pid'], os.listdir(sockets)
    peer = Peer(sockets + 'virtqemud-sock').open_remote()
    peer.s.close()
    err = p.communicate(timeout=60)[1]
    assert p.returncode == 0, err
    assert set(os.listdir(sockets)) <= {'common'}


def test_virt_admin(root):
    if not shutil.which('virt-admin'):
        print('  skipped: no virt-admin')
        return
    d = Daemon(root)
    peer = Peer(d.run + 'virtqemud-sock').open_remote()

    def admin(*args):
        run = subprocess.run(['virt-admin', '-c', f'virtqemud:///system?socket={d.run}virtqemud-admin-sock', *args],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                             env=dict(os.environ, LC_ALL='C'))
        assert run.returncode == 0, (args, run.stdout, run.stderr)
        return run.stdout

    assert 'virtqemud' in admin('server-list')
    assert 'maxWorkers' in admin('server-threadpool-info', 'virtqemud')
    admin('server-threadpool-set', 'virtqemud', '--max-workers', '9')
    assert 'nclients_max' in admin('server-clients-info', 'virtqemud')
    admin('server-clients-set', 'virtqemud', '--max-clients', '100')
    clients = [line.split() for line in admin('client-list', 'virtqemud').splitlines() if 'unix' in line]
    assert len(clients) == 1, clients
    assert str(os.getpid()) in admin('client-info', 'virtqemud', clients[0][0])
    admin('client-disconnect', 'virtqemud', clients[0][0])
    assert peer.s.recv(1) == b''
    admin('daemon-log-filters', '1:qemu')
    assert '1:qemu' in admin('daemon-log-filters')
    assert 'stderr' in admin('daemon-log-outputs')
    admin('daemon-timeout', '--timeout', '1000')
    d.end()


def main():
    tests = [(n, f) for n, f in sorted(globals().items()) if n.startswith('test_')]
    only = sys.argv[3:]
    for name, test in tests:
        if only and name not in only:
            continue
        print(name, flush=True)
        with tempfile.TemporaryDirectory(prefix='tD') as root:
            try:
                test(root)
            finally:
                for p in started:
                    if p.poll() is None:
                        p.kill()
                        p.wait()


main()
