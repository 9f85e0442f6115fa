#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Check the units with systemd-analyze in a scratch root.

usage: verify-units.py BUILD_DIR SBINDIR UNIT...

The root holds our units, stand-ins for the daemons, and the host's own units, so that what ours
refer to is there. Any complaint about a unit of ours fails.
"""
import os
import shutil
import subprocess
import sys
import tempfile

SKIP = 77
HOST_UNITS = '/usr/lib/systemd/system'


def main():
    build, sbindir, names = sys.argv[1], sys.argv[2], sys.argv[3:]
    analyze = shutil.which('systemd-analyze')
    if not analyze or not os.path.isdir(HOST_UNITS):
        print('skipped: systemd-analyze is not installed here')
        return SKIP
    with tempfile.TemporaryDirectory() as root:
        units = root + HOST_UNITS
        os.makedirs(units)
        for name in ('basic', 'sysinit', 'sockets', 'shutdown', 'multi-user', 'network', 'remote-fs', 'system'):
            for unit in (name + '.target', name + '.slice'):
                if os.path.exists(f'{HOST_UNITS}/{unit}'):
                    shutil.copy(f'{HOST_UNITS}/{unit}', units)
        for name in names:
            shutil.copy(f'{build}/{name}', units)
            if name.endswith('.service'):
                for program in (f'{sbindir}/{name[:-len(".service")]}', '/bin/kill'):
                    os.makedirs(root + os.path.dirname(program), exist_ok=True)
                    with open(root + program, 'w') as f:
                        f.write('#!/bin/sh\n')
                    os.chmod(root + program, 0o755)
        run = subprocess.run([analyze, 'verify', '--man=no', '--root=' + root] + names, cwd=build,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        bad = [line for line in run.stdout.splitlines() if any(name in line for name in names)]
        print(run.stdout, end='')
        return 1 if run.returncode != 0 or bad else 0


sys.exit(main())
