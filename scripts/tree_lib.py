# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which files the project has, with git and without it (an unpacked archive, a minimal image)."""
import os
import subprocess

SOURCE_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def files(*suffixes):
    """(name, path) of each regular file that git does not ignore; with suffixes, of those only."""
    try:
        # A clone may belong to another user than the one who checks it.
        git = subprocess.run(['git', '-c', 'safe.directory=*', 'ls-files', '-co', '--exclude-standard'],
                             cwd=SOURCE_ROOT, capture_output=True, text=True)
        names = git.stdout.split('\n') if git.returncode == 0 else _walk()
    except FileNotFoundError:
        names = _walk()
    for name in names:
        path = os.path.join(SOURCE_ROOT, name)
        if name and (not suffixes or name.endswith(suffixes)) and os.path.isfile(path) and not os.path.islink(path):
            yield name, path


def _walk():
    names = []
    for directory, subdirs, leaves in os.walk(SOURCE_ROOT):
        subdirs[:] = [d for d in subdirs if d not in ('.git', '__pycache__') and
                      not (directory == SOURCE_ROOT and d.startswith('build'))]
        names += [os.path.relpath(os.path.join(directory, leaf), SOURCE_ROOT) for leaf in leaves]
    return names
