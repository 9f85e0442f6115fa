# SPDX-License-Identifier: LGPL-2.1-or-later
"""A pool with many volumes, and streams of a large one: usage: volumes.py DIRECTORY [VOLUMES [MEGABYTES]], beside a
daemon that LIBVIRT_DEFAULT_URI leads to. Medians of some rounds; each line is a question and its time or rate."""
import os
import statistics
import sys
import time

import libvirt

ROUNDS = 5
SMALL = 64 * 1024


def timed(what):
    began = time.perf_counter()
    result = what()
    return time.perf_counter() - began, result


def median(what, rounds=ROUNDS):
    return statistics.median(timed(what)[0] for _ in range(rounds))


def say(name, value, unit):
    print(f'{name:44} {value:10.2f} {unit}', flush=True)


def make(directory, first, end):
    for i in range(first, end):
        with open(os.path.join(directory, f'volume-{i:06}'), 'wb'):
            pass
    time.sleep(3)                                # what has just come may be looked at again


def names(conn, pool, directory, count):
    few = min(count, 16000)                      # clients take no longer list
    make(directory, 0, few)
    pool.create()
    say(f'list of {few} names', median(pool.listVolumes) * 1e3, 'ms')
    say(f'list of {few} volumes', median(pool.listAllVolumes) * 1e3, 'ms')
    with open(os.path.join(directory, 'added'), 'wb'):
        pass
    took, found = timed(pool.listVolumes)
    say('list after one file came', took * 1e3, 'ms')
    print(f'{"which is in it":44} {str("added" in found):>10}')
    pool.destroy()
    make(directory, few, count)
    say(f'pool-start, {count} volumes', median(lambda: (pool.create(), pool.destroy()), 3) * 1e3, 'ms')
    pool.create()
    say('number of volumes', median(pool.numOfVolumes) * 1e3, 'ms')
    say('look-up by name', median(lambda: pool.storageVolLookupByName('volume-000777'), 200) * 1e3, 'ms')
    say('look-up by path', median(lambda: conn.storageVolLookupByPath(os.path.join(directory, 'volume-000778')), 200) * 1e3, 'ms')
    say('info of one', median(pool.storageVolLookupByName('volume-000779').info, 200) * 1e3, 'ms')
    say('refresh', median(pool.refresh, 3) * 1e3, 'ms')


def streams(conn, pool, directory, megabytes):
    size = megabytes << 20
    path = os.path.join(directory, 'large')
    with open(path, 'wb') as f:
        block = os.urandom(1 << 20)
        for _ in range(megabytes):
            f.write(block)
    pool.refresh()
    vol = pool.storageVolLookupByName('large')
    data = bytes(block[:256 * 1024])

    def upload():
        st = conn.newStream()
        vol.upload(st, 0, size)
        for _ in range(size // len(data)):
            st.send(data)
        st.finish()

    def download():
        st = conn.newStream()
        vol.download(st, 0, size)
        while st.recv(256 * 1024):
            pass
        st.finish()
    say('upload', size / median(upload) / 1e6, 'MB/s')
    say('download', size / median(download) / 1e6, 'MB/s')


def main(directory, count=20000, megabytes=512):
    directory = os.path.join(directory, f'volumes-{os.getpid()}')
    os.makedirs(directory)
    conn = libvirt.open()
    pool = conn.storagePoolDefineXML(f"<pool type='dir'><name>many</name><target><path>{directory}</path></target></pool>")
    names(conn, pool, directory, int(count))
    streams(conn, pool, directory, int(megabytes))
    pool.destroy()
    pool.undefine()


if __name__ == '__main__':
    main(*sys.argv[1:])
