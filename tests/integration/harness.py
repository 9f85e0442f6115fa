# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the integration tests share: where to connect, guests to play with, and clients.

The tests speak to whatever LIBVIRT_DEFAULT_URI names (see "run" and "peer" in this folder). They
make no assumption about other guests of that daemon, name their own uniquely, and remove them.
"""
import glob
import itertools
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid as uuid_module

import libvirt

SOURCE_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SOURCE_ROOT, 'scripts'))

EMULATOR = os.environ.get('MODVIRT_TEST_EMULATOR', '/usr/bin/qemu-system-x86_64')
GREETING = b'modvirt guest ready'
# Everything is slower under sanitizers and with a dozen guests on two cores.
SLOW = float(os.environ.get('MODVIRT_TEST_SLOW', '1'))
# Seconds after which something that has not come is taken not to come, on a machine with much else to do. Whoever waits
# ends as soon as it is there.
PATIENCE = 120
ON_PEER = 'MODVIRT_PEER' in os.environ
# What tests leave to chance is the same each time, so that a failure is one of what was changed; with --full it is another.
SEED = int(os.environ.get('MODVIRT_TEST_SEED') or (random.randrange(1 << 30) if 'MODVIRT_TEST_FULL' in os.environ else 1))
LOG_LINES = 40                                 # of each daemon, told after a test that failed

_serial = itertools.count(1)


def uri():
    return os.environ['LIBVIRT_DEFAULT_URI']


def run_dir():
    return os.environ['MODVIRT_RUN_DIR']


def readonly_uri():
    """The read-only socket beside the one that is tested."""
    return uri() + '-ro'


# Of daemons that serve no guests.
SCHEMES = {'virtstoraged': 'storage', 'virtsecretd': 'secret', 'virtnetworkd': 'network', 'virtinterfaced': 'interface',
           'virtnodedevd': 'nodedev', 'virtnwfilterd': 'nwfilter'}


def daemon_uri(daemon):
    """Of a daemon's own socket."""
    prefix = 'libvirt' if daemon in ('virtproxyd', 'libvirtd') else daemon
    return f"{SCHEMES.get(daemon, 'qemu')}+unix:///system?socket={run_dir()}/{prefix}-sock"


def through_proxy():
    return not ON_PEER and uri().endswith('/libvirt-sock')


def scratch():
    """A directory for files of tests; the runner removes it."""
    path = os.environ.get('MODVIRT_TEST_TMP')
    if not path:
        path = os.environ['MODVIRT_TEST_TMP'] = tempfile.mkdtemp(prefix='mvt-')
    return path


def guest_file(name):
    """'vmlinuz' or 'initrd' of the tiny guest; made by scripts/guest-image when missing or older than that."""
    directory = os.environ.get('MODVIRT_GUEST') or os.path.join(SOURCE_ROOT, 'build', 'guest')
    path = os.path.join(directory, name)
    script = os.path.join(SOURCE_ROOT, 'scripts', 'guest-image')
    if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(script):
        subprocess.run([script, directory], check=True, stdin=subprocess.DEVNULL)
    return path


def unique(stem):
    return f'{stem}-{os.getpid()}-{next(_serial)}'


def memory_of(pid):
    """What a process has in memory that is not a file's, without pages that children do not get: where values may be."""
    maps = []
    with open(f'/proc/{pid}/smaps', encoding='utf-8', errors='replace') as f:
        for line in f:
            words = line.split()
            if re.match('[0-9a-f]+-[0-9a-f]+$', words[0]):
                begin, end = (int(x, 16) for x in words[0].split('-'))
                maps.append([begin, end, line.strip(), words[1], True, 0])
            elif words[0] == 'VmFlags:' and 'wf' in words:
                maps[-1][4] = False
            elif words[0] == 'Rss:':
                maps[-1][5] = int(words[1])
    with open(f'/proc/{pid}/mem', 'rb') as f:
        for begin, end, line, mode, wanted, resident in maps:
            if not wanted or not resident or not mode.startswith('rw') or '[v' in line or end - begin > 1 << 30:
                continue                         # so large is only what sanitizers keep books in
            for at in range(begin, end, 1 << 26):
                try:
                    f.seek(at)
                    yield line, f.read(min(end - at, (1 << 26) + 64))
                except (OSError, OverflowError):
                    break


def loop_device(test, mib):
    """The path of one with nothing on it; it goes with the test."""
    image = os.path.join(scratch(), unique('disk'))
    with open(image, 'wb') as f:
        f.truncate(mib << 20)
    try:
        done = subprocess.run(['losetup', '-f', '--show', image], capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        test.skipTest(f'no loop devices: {e}')
    if done.returncode:
        test.skipTest('no loop devices: ' + done.stderr.strip())
    device = done.stdout.strip()
    test.addCleanup(subprocess.run, ['losetup', '-d', device], timeout=10)
    return device


def domain_xml(name, boots=False, uuid=None, memory_mib=None, extra='', devices='', lifecycle=''):
    """A guest that boots the tiny image (boots='full': the one with drivers and the guest agent), or an
    empty machine that costs next to nothing."""
    memory = memory_mib or (192 if boots == 'full' else 96 if boots else 64)
    uuid = uuid or str(uuid_module.uuid4())
    boot = ''
    if boots:
        boot = (f"<kernel>{guest_file('vmlinuz')}</kernel>"
                f"<initrd>{guest_file('initrd-full' if boots == 'full' else 'initrd')}</initrd>"
                '<cmdline>console=ttyS0 quiet panic=-1</cmdline>')
    console = "<serial type='pty'><target port='0'/></serial><console type='pty'/>" if boots else ''
    return f"""<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>{memory}</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type>{boot}</os>
  <features><acpi/></features>
  {lifecycle}
  {extra}
  <devices>
    <emulator>{EMULATOR}</emulator>
    {console}
    {devices}
    <memballoon model='none'/>
  </devices>
</domain>
"""


def run(argv, check=True, timeout=PATIENCE, input=None, env=None):
    """Runs a client; returns (status, stdout, stderr)."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL if input is None else None, input=input,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=timeout * SLOW, env={**os.environ, 'LC_ALL': 'C', **(env or {})})
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.returncode, done.stdout, done.stderr


def virsh(*args, check=True, timeout=PATIENCE, connect=None, readonly=False):
    """Output of a virsh command, or with check=False its (status, stdout, stderr)."""
    argv = ['virsh', '-q', '-c', connect or uri()] + (['-r'] if readonly else []) + list(args)
    status, out, err = run(argv, check=check, timeout=timeout)
    return out if check else (status, out, err)


def virt_admin(daemon, *args, check=True):
    prefix = 'libvirt' if daemon in ('virtproxyd', 'libvirtd') else daemon
    scheme = 'libvirtd' if prefix == 'libvirt' else daemon
    address = f'{scheme}:///system?socket={run_dir()}/{prefix}-admin-sock'
    status, out, err = run(['virt-admin', '-q', '-c', address] + list(args), check=check)
    return out if check else (status, out, err)


def rows(text):
    """Cells of a virsh table: columns are set apart by at least two spaces."""
    return [re.split(r'\s{2,}', line.strip()) for line in text.splitlines() if line.strip()]


def names(text):
    return text.split()


def wait_for(what, condition, seconds=PATIENCE):
    """Waits until condition() is true and returns its value; AssertionError when it never is."""
    deadline = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f'{what}: not within {seconds * SLOW:.0f} s')
        time.sleep(0.05)


def emulators(name):
    """Pids of the emulators that run a guest of this name."""
    found = []
    for entry in os.listdir('/proc'):
        if not entry.isdigit():
            continue
        try:
            with open(f'/proc/{entry}/cmdline', 'rb') as f:
                argv = f.read().decode(errors='replace').split('\0')
        except OSError:
            continue
        if 'qemu-system' not in argv[0]:
            continue
        if any(arg == f'guest={name}' or arg.startswith(f'guest={name},') for arg in argv):
            found.append(int(entry))
    return found


def read_until(stream_recv, text, seconds=PATIENCE):
    """Reads from stream_recv(n) until text was seen; returns all that was read."""
    deadline = time.monotonic() + seconds * SLOW
    data = b''
    while text not in data:
        if time.monotonic() > deadline:
            raise AssertionError(f'no {text!r} within {seconds * SLOW:.0f} s in {data!r}')
        chunk = stream_recv(4096)
        if chunk == -2:                       # would block
            time.sleep(0.02)
            continue
        if not chunk:
            raise AssertionError(f'the stream ended before {text!r}, after {data!r}')
        data += chunk
    return data


class TestCase(unittest.TestCase):
    """Removes, after each test, the guests whose names the test took from self.guest_name()."""
    longMessage = True

    def setUp(self):
        self._guest_names = []
        self._connections = []
        self.addCleanup(self._remove_guests)

    def guest_name(self, stem='t'):
        name = unique(stem)
        self._guest_names.append(name)
        return name

    def connect(self, address=None, readonly=False):
        c = libvirt.openReadOnly(address or uri()) if readonly else libvirt.open(address or uri())
        self._connections.append(c)
        return c

    def define(self, conn=None, stem='t', **how):
        return (conn or self.connect()).defineXML(domain_xml(self.guest_name(stem), **how))

    def xml_file(self, xml):
        path = os.path.join(scratch(), unique('guest') + '.xml')
        with open(path, 'w') as f:
            f.write(xml)
        self.addCleanup(os.unlink, path)
        return path

    def assertLibvirtError(self, code, function, *args):
        with self.assertRaises(libvirt.libvirtError) as caught:
            function(*args)
        self.assertEqual(caught.exception.get_error_code(), code, str(caught.exception))
        return caught.exception

    def _remove_guests(self):
        for pid in itertools.chain.from_iterable(map(emulators, self._guest_names)):
            try:
                os.kill(pid, signal.SIGCONT)  # a stopped one does not hear what follows
            except ProcessLookupError:
                pass
        if self._guest_names:
            c = libvirt.open(uri())
            for name in self._guest_names:
                for step in ('destroy', 'undefine'):
                    try:
                        getattr(c.lookupByName(name), step)()
                    except libvirt.libvirtError:
                        pass
            c.close()
        for c in self._connections:
            try:
                c.close()
            except libvirt.libvirtError:
                pass
        left = [pid for name in self._guest_names for pid in emulators(name) if not has_ended(pid)]
        if left:
            self.fail(f'emulators {left} outlived their domains')


class OwnSandbox(TestCase):
    """For tests that stop, kill or restart daemons: each has a sandbox of its own.

    After the test no daemon may have reported a fault in its log.
    """
    def setUp(self):
        super().setUp()
        if ON_PEER:
            self.skipTest('about our daemons')
        import sandbox_lib
        self.directory = tempfile.mkdtemp(prefix='mv-', dir='/tmp')
        self.addCleanup(shutil.rmtree, self.directory, True)
        self.sandbox = sandbox_lib.Sandbox(self.directory)
        self.addCleanup(self._stop)
        self.use(self.sandbox)

    def use(self, sandbox, daemon=None):
        """Points the helpers of this file at a sandbox."""
        for name, value in sandbox.client_env().items():
            os.environ[name] = value
        if daemon:
            os.environ['LIBVIRT_DEFAULT_URI'] = sandbox.uri(daemon)

    def _remove_guests(self):
        pass                                   # the sandbox goes as a whole

    def _stop(self):
        unclean = self.sandbox.stop()
        result = self._outcome.result
        if any(self in (t, getattr(t, 'test_case', None)) for t, _ in result.failures + result.errors):
            self._tell_logs()                  # they go with the directory
        self.assertEqual(sandbox_faults(self.sandbox.log_dir), '')
        self.assertEqual(unclean, [])

    def _tell_logs(self):
        import sandbox_lib
        for name in sandbox_lib.built_daemons(self.sandbox.build):
            tail = self.sandbox.log_tail(name, LOG_LINES)
            if tail:
                print(f'--- the end of the log of {name}:\n{tail}')


# What a daemon says through its log begins with the time, and may quote an emulator that dies of an assertion of its own.
FAULTS = re.compile(r'(?!\d{4}-\d\d-\d\d ).*(ERROR: (Address|Leak|Thread)Sanitizer|runtime error:|Assertion .* failed|\bBUG:)')


def sandbox_faults(log_dir):
    """Lines of the daemons' logs that no daemon may ever write, with what follows them."""
    found = ''
    for path in sorted(glob.glob(os.path.join(log_dir, '*.log'))):
        with open(path, errors='replace') as f:
            lines = f.read().splitlines()
        for i, line in enumerate(lines):
            if FAULTS.match(line):
                found += f'{os.path.basename(path)}:\n' + '\n'.join(lines[i:i + 30]) + '\n'
                break
    return found


def has_ended(pid):
    """Gone, or a zombie: what it had open is closed."""
    try:
        with open(f'/proc/{pid}/stat') as f:
            return f.read().rsplit(')', 1)[1].split()[0] == 'Z'
    except OSError:
        return True


_loop_started = False


def start_event_loop():
    """libvirt's event loop is one per process and must exist before the first connection. Events and
    keepalive need it."""
    global _loop_started
    if _loop_started:
        return
    _loop_started = True
    libvirt.virEventRegisterDefaultImpl()

    def loop():
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=loop, daemon=True).start()


def quiet_libvirt():
    """Errors are told by exceptions; keep libvirt's default handler from printing them as well."""
    libvirt.registerErrorHandler(lambda ctx, err: None, None)


quiet_libvirt()
