#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad descriptions are refused, each with its message; good ones give the same output twice.

usage: test_gen.py ROOT [--write]

Each tests/NAME.x is read as 'bad.x'; tests/NAME.err holds the whole expected message. With
--write the .err files are written anew; review the difference.
"""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def generate(root, out, path):
    return subprocess.run([sys.executable, '-B', os.path.join(HERE, 'main.py'), root, out, path],
                          capture_output=True, text=True, check=False)


def bad(root, scratch, path, write):
    shutil.copyfile(path, os.path.join(scratch, 'bad.x'))
    run = generate(root, scratch, os.path.join(scratch, 'bad.x'))
    name = os.path.basename(path)
    if run.returncode == 0:
        return [f'{name}: was accepted']
    if write:
        with open(path[:-2] + '.err', 'w', encoding='utf-8') as f:
            f.write(run.stderr)
        return []
    with open(path[:-2] + '.err', encoding='utf-8') as f:
        expected = f.read()
    return [] if run.stderr == expected else [f'{name}: expected {expected!r}, got {run.stderr!r}']


def same_twice(root, scratch):
    outs = []
    for seed in ('1', '2'):
        out = os.path.join(scratch, seed)
        os.mkdir(out)
        run = subprocess.run([sys.executable, '-B', os.path.join(HERE, 'main.py'), root, out,
                              os.path.join(root, 'protocols', 'remote.x')], env={'PYTHONHASHSEED': seed}, check=False)
        if run.returncode:
            return ['remote.x: was refused']
        outs.append({n: open(os.path.join(out, n), encoding='utf-8').read() for n in sorted(os.listdir(out))})
    return [] if outs[0] == outs[1] and outs[0] else ['remote.x: two runs differ']


def main(argv):
    root, write = argv[0], '--write' in argv
    faults = []
    cases = sorted(glob.glob(os.path.join(HERE, 'tests', '*.x')))
    with tempfile.TemporaryDirectory() as scratch:
        for path in cases:
            faults += bad(root, scratch, path, write)
        faults += same_twice(root, scratch)
    if len(cases) < 60:
        faults.append(f'only {len(cases)} cases found')
    if faults:
        sys.exit('\n'.join(faults))


if __name__ == '__main__':
    main(sys.argv[1:])
