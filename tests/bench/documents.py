#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a domain document costs a daemon: define, dumpxml, undefine, by a client that waits for each.

usage: documents.py FILE...      (the daemon: $LIBVIRT_DEFAULT_URI)

Prints the median over the documents that the daemon accepts, of the best of some rounds each. Results of
two daemons compare when both accepted the same number of documents; --list FILE writes the names of
those accepted, --only FILE takes the names from there.
"""
import argparse
import statistics
import time

import libvirt

ROUNDS = 3


def one(conn, xml):
    """Microseconds of define with dumpxml; None: refused."""
    best = None
    for _ in range(ROUNDS):
        start = time.perf_counter()
        try:
            domain = conn.defineXML(xml)
        except libvirt.libvirtError:
            return None
        domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
        took = (time.perf_counter() - start) * 1e6
        domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
        best = took if best is None else min(best, took)
    return best


def main():
    ap = argparse.ArgumentParser(usage=__doc__)
    ap.add_argument('--list')
    ap.add_argument('--only')
    ap.add_argument('files', nargs='+')
    a = ap.parse_args()
    libvirt.registerErrorHandler(lambda *_: None, None)
    conn = libvirt.open()
    files = a.files
    if a.only:
        with open(a.only, encoding='utf-8') as f:
            wanted = set(f.read().splitlines())
        files = [f for f in files if f in wanted]
    times = {}
    for path in files:
        with open(path, encoding='utf-8') as f:
            took = one(conn, f.read())
        if took is not None:
            times[path] = took
    if a.list:
        with open(a.list, 'w', encoding='utf-8') as f:
            f.write('\n'.join(times) + '\n')
    if times:
        print('define and dumpxml: %d documents, median %.0f us, slowest tenth %.0f us'
              % (len(times), statistics.median(times.values()), sorted(times.values())[int(len(times) * .9)]))


main()
