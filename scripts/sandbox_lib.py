# SPDX-License-Identifier: LGPL-2.1-or-later
"""A sandbox: every daemon that is built, with all its state below one directory.

Sandbox plays the service manager: it starts the daemons, restarts none, and at the end leaves no
process behind. What belongs to a sandbox is told by two marks that need neither cgroups nor root:
daemons and their orphans are our descendants (we are their "child subreaper"), and the command line
of every guest names the directory. The second mark also finds what an earlier sandbox on the same
directory left when it was killed with SIGKILL.

Used by scripts/sandbox and by those tests that stop, kill and restart daemons.
"""
import ctypes
import glob
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

SOURCE_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROXY = 'virtproxyd'
# Longest socket name below DIR/run/libvirt, and what sockaddr_un holds with its final NUL.
_SOCKET_NAME_MAX = len('/run/libvirt/virtinterfaced-admin-sock')
_SUN_PATH_MAX = 107
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


class SandboxError(Exception):
    pass


def build_dir():
    return os.path.abspath(os.environ.get('MODVIRT_BUILD') or os.path.join(SOURCE_ROOT, 'build'))


def built_daemons(build):
    """Names of the daemons in a build directory, the proxy last: it opens the others."""
    names = [os.path.basename(p) for p in glob.glob(os.path.join(build, 'daemons', 'virt*d'))
             if os.access(p, os.X_OK) and os.path.isfile(p)]
    return sorted(names, key=lambda name: (name == PROXY, name))


def socket_prefix(daemon):
    return 'libvirt' if daemon == PROXY else daemon


def answers(path, timeout=1.0):
    """Whether a server answers a call at this socket: asks the list of authentication methods.

    An error reply counts, too: the lock and log daemons do not speak the remote program.
    """
    call = struct.pack('>IIIiiIi', 28, 0x20008086, 1, 66, 0, 1, 0)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(timeout)
            s.connect(path)
            s.sendall(call)
            return len(s.recv(28)) > 0
    except OSError:
        return False


def _daemon_child():
    # Not reached by the ^C of the terminal, and ended by the kernel if we are killed.
    os.setsid()
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def processes_naming(directory):
    """Pids of emulators, daemons and helpers whose command line names something below directory."""
    below = os.fsencode(directory) + b'/'
    found = []
    for entry in os.listdir('/proc'):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f'/proc/{entry}/cmdline', 'rb') as f:
                argv = f.read().split(b'\0')
        except OSError:
            continue
        program = os.path.basename(argv[0])
        if not (program.startswith(b'qemu-system-') or re.fullmatch(rb'virt[a-z]+d|virt-launch', program)):
            continue
        if any(below in arg or arg == below[:-1] for arg in argv[1:]):
            found.append(int(entry))
    return found


class Sandbox:
    def __init__(self, directory, build=None, env=None):
        self.dir = os.path.realpath(directory)
        self.build = build or build_dir()
        self.run_dir = os.path.join(self.dir, 'run', 'libvirt')
        self.log_dir = os.path.join(self.dir, 'var', 'log', 'libvirt')
        self.daemons = {}        # name -> Popen
        self.extra_env = env or {}
        self._stopping = threading.Event()
        self._reaper = None

        room = _SUN_PATH_MAX - _SOCKET_NAME_MAX
        if len(os.fsencode(self.dir)) > room:
            raise SandboxError(f"'{self.dir}' is too long for the paths of sockets: at most {room} bytes")

    # Environment ------------------------------------------------------------------------------

    def socket(self, daemon, kind=''):
        """Path of a daemon's socket; kind is '', 'ro' or 'admin'."""
        name = {'': 'sock', 'ro': 'sock-ro', 'admin': 'admin-sock'}[kind]
        return os.path.join(self.run_dir, f'{socket_prefix(daemon)}-{name}')

    def uri(self, daemon=PROXY, readonly=False):
        return 'qemu+unix:///system?socket=' + self.socket(daemon, 'ro' if readonly else '')

    def daemon_env(self):
        env = dict(os.environ)
        env.update(self.extra_env)
        env['MODVIRT_ROOT'] = self.dir
        env['MODVIRT_MODULE_DIR'] = os.path.join(self.dir, 'modules')
        env['MODVIRT_LIBEXEC_DIR'] = os.path.join(self.build, 'daemons')
        env['LD_BIND_NOW'] = '1'               # as the units have it
        # A daemon must not think that it was started by the service manager of the host.
        for name in ('NOTIFY_SOCKET', 'LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES', 'LIBVIRT_DEFAULT_URI'):
            env.pop(name, None)
        env.setdefault('ASAN_OPTIONS', 'abort_on_error=0:detect_leaks=1')
        env.setdefault('UBSAN_OPTIONS', 'print_stacktrace=1')
        return env

    def client_env(self):
        env = dict(os.environ)
        env['LIBVIRT_DEFAULT_URI'] = self.uri()
        env['MODVIRT_RUN_DIR'] = self.run_dir
        env['MODVIRT_BUILD'] = self.build
        env['MODVIRT_SANDBOX'] = env['MODVIRT_ROOT'] = self.dir  # where our own tools look
        env['MODVIRT_MODULE_DIR'] = os.path.join(self.dir, 'modules')
        return env

    # Daemons ----------------------------------------------------------------------------------

    def start(self, only=None):
        names = [name for name in built_daemons(self.build) if only is None or name in only]
        if not names:
            raise SandboxError(f"no daemons in '{self.build}/daemons'; build first: "
                               f"meson setup {self.build} && ninja -C {self.build}")
        if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise SandboxError('prctl(PR_SET_CHILD_SUBREAPER): ' + os.strerror(ctypes.get_errno()))
        self.kill_leftovers()
        _weigh_guests()
        for path in (self.run_dir, self.log_dir, os.path.join(self.dir, 'modules')):
            os.makedirs(path, exist_ok=True)
        self.link_modules()
        self._reaper = threading.Thread(target=self._reap_forever, daemon=True)
        self._reaper.start()
        for name in names:
            self.start_daemon(name, wait=False)
        for name in names:
            self.wait_ready(name)

    def link_modules(self):
        # Meson builds each driver in a folder of its own; an installed daemon finds them in one.
        for path in (glob.glob(os.path.join(self.build, 'drivers', '**', '*.so'), recursive=True) +
                     glob.glob(os.path.join(self.build, 'rpc', '**', '*.so'), recursive=True)):
            link = os.path.join(self.dir, 'modules', os.path.basename(path))
            if not os.path.lexists(link) or os.readlink(link) != path:
                if os.path.lexists(link):
                    os.unlink(link)
                os.symlink(path, link)

    def start_daemon(self, name, wait=True, args=(), under=()):
        """under: a command that runs it, such as setpriv with what it may not."""
        argv = [*under, os.path.join(self.build, 'daemons', name), '--root', self.dir, *args]
        with open(self.log_path(name), 'ab') as log:
            self.daemons[name] = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.daemon_env(),
                preexec_fn=_daemon_child)
        if wait:
            self.wait_ready(name)
        return self.daemons[name]

    def log_path(self, name):
        return os.path.join(self.log_dir, name + '.log')

    def log_tail(self, name, lines=20):
        try:
            with open(self.log_path(name), errors='replace') as f:
                return ''.join(f.readlines()[-lines:])
        except OSError:
            return ''

    def wait_ready(self, name, seconds=120):
        deadline = time.monotonic() + seconds
        while not answers(self.socket(name)):
            status = self.daemons[name].poll()
            if status is not None:
                raise SandboxError(f'{name} ended with status {status}:\n{self.log_tail(name)}')
            if time.monotonic() > deadline:
                raise SandboxError(f"{name} does not answer at '{self.socket(name)}':\n{self.log_tail(name)}")
            time.sleep(0.02)

    def stop_daemon(self, name, sig=signal.SIGTERM, seconds=60):
        """Ends a daemon; returns its wait status as Popen gives it. None: it was not running."""
        child = self.daemons.pop(name, None)
        if child is None:
            return None
        if child.poll() is None:
            child.send_signal(sig)
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            print(f'sandbox: {name} did not end within {seconds} s; killing it', file=sys.stderr)
            child.kill()
            return child.wait()

    def reap(self):
        """Collects orphaned guests that ended: a zombie would look like a live process to a daemon.

        Only emulators: other children belong to those who started them.
        """
        try:
            if os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return
        except ChildProcessError:
            return
        for pid in _orphaned_emulators():
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass

    def _reap_forever(self):
        while not self._stopping.wait(0.05):
            self.reap()

    def guests(self):
        """Pids of the emulators of this sandbox."""
        self.reap()
        return [pid for pid in processes_naming(self.dir) if _is_emulator(pid)]

    def kill_leftovers(self):
        groups = set()                        # no daemon is left that would remove them
        for _ in range(3000):                  # a minute
            self.reap()
            left = processes_naming(self.dir)
            if not left:
                _remove_groups(groups)
                return
            for pid in left:
                if _is_emulator(pid):
                    groups |= _control_groups(pid)
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)
        raise SandboxError(f'processes {left} of {self.dir} do not end')

    def stop(self):
        """Stops the daemons, the proxy first, then what is left of their guests.

        Returns the names of those that did not end cleanly."""
        unclean = []
        for name in reversed(list(self.daemons)):
            status = self.stop_daemon(name)
            if status != 0:
                unclean.append(name)
                print(f'sandbox: {name} ended with status {status}; the end of its log:\n{self.log_tail(name)}',
                      file=sys.stderr)
        self.kill_leftovers()
        self._stopping.set()
        if self._reaper:
            self._reaper.join()
        return unclean

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc):
        self.stop()


def _weigh_guests():
    """All guests of this host are in one control group, which the kernel weighs like one process of ours: beside
    compilers guests would stand still. That group gets all the weight that a group can have."""
    group = '/sys/fs/cgroup/cpu/machine'
    try:
        os.makedirs(group, exist_ok=True)
        with open(f'{group}/cpu.shares', 'w') as f:
            f.write('262144')
    except OSError:
        pass                                  # version 2, or not ours to change


def _control_groups(pid):
    """Directories of the control groups that a guest is in; only those that are named after guests."""
    found = set()
    try:
        with open(f'/proc/{pid}/cgroup') as f:
            paths = [line.rstrip('\n').split(':', 2)[2] for line in f]
        with open('/proc/self/mountinfo') as f:
            mounts = [line.split()[4] for line in f if ' - cgroup' in line]
    except OSError:
        return found
    for path in paths:
        guest = re.match(r'.*/qemu-\d+-[^/]*\.libvirt-qemu', path)
        if guest:
            found |= {mount + guest.group(0) for mount in mounts}
    return found


def _remove_groups(groups):
    for group in groups:
        for directory in [*glob.glob(f'{group}/*/'), group]:
            try:
                os.rmdir(directory)
            except OSError:
                pass                          # not in this tree, or another's meanwhile


def _orphaned_emulators():
    """Pids of emulators that are our children and ended."""
    me = os.getpid()
    pids = []
    for entry in os.listdir('/proc'):
        if not entry.isdigit():
            continue
        try:
            with open(f'/proc/{entry}/stat') as f:
                # pid (comm) state ppid ...; comm may hold spaces and parentheses.
                head, tail = f.read().rsplit(')', 1)
        except OSError:
            continue
        state, ppid = tail.split()[:2]
        if state == 'Z' and int(ppid) == me and head.split('(', 1)[1].startswith('qemu-system'):
            pids.append(int(entry))
    return pids


def _is_emulator(pid):
    try:
        with open(f'/proc/{pid}/cmdline', 'rb') as f:
            return os.path.basename(f.read().split(b'\0')[0]).startswith(b'qemu-system-')
    except OSError:
        return False
