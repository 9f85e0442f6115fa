#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Make the include trees that enforce the layering (docs/architecture.md, "Layers").

usage: layers.py SOURCE_ROOT BUILD_ROOT

Every header is included as "folder/name.h". A folder's compiler gets one include directory per
folder that it may use; each directory holds a single link named after that folder. What is not
linked cannot be included, so a wrong include does not compile. Drivers see only the
headers of rpc that are listed in DRIVER_RPC, drivers/common those of COMMON_RPC as well.
"""
import os
import sys

FOLDERS = ['util', 'protocols', 'conf', 'rpc', 'drivers/common', 'drivers/qemu', 'drivers/secret', 'drivers/storage', 'daemons', 'libclient', 'tools/modvirt',
           'tests/bench']
DRIVER_RPC = ['call.h', 'driver.h', 'event.h', 'peer.h', 'stream.h']
COMMON_RPC = ['turnqueue.h']
CLIENT_RPC = ['message.h', 'conn.h']


def link(target, path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.islink(path):
        if os.readlink(path) == target:
            return
        os.unlink(path)
    os.symlink(target, path)


def main():
    source, build = map(os.path.abspath, sys.argv[1:3])
    for folder in FOLDERS:
        tree = folder.replace('/', '-')
        link(os.path.join(source, folder), os.path.join(build, 'layers', tree, folder))
    link(os.path.join(build, 'protocols'), os.path.join(build, 'layers', 'protocols-gen', 'protocols'))
    for tree, names in (('rpc-driver', DRIVER_RPC), ('rpc-common', COMMON_RPC), ('rpc-client', CLIENT_RPC)):
        for name in names:
            link(os.path.join(source, 'rpc', name), os.path.join(build, 'layers', tree, 'rpc', name))


if __name__ == '__main__':
    main()
