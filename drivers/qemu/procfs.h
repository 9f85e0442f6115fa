/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel tells of emulators: processor time, memory, waiting; counters of network devices. Reads
 * that never wait for the emulator. Any thread. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct ProcFigures {
    uint64_t user_ns, system_ns;
    uint64_t rss_kib;
    int cpu; /* that it last ran on; of a thread */
} ProcFigures;
/* tid 0: the whole process. False when it is gone. */
bool procfs_read(pid_t pid, pid_t tid, ProcFigures *ret);

typedef struct ProcWaits {
    uint64_t wait_ns;  /* asleep on I/O */
    uint64_t delay_ns; /* ready to run, and not run */
} ProcWaits;
bool procfs_read_waits(pid_t pid, pid_t tid, ProcWaits *ret);

/* As the host sees the device. */
typedef struct NetCounters {
    uint64_t rx_bytes, rx_packets, rx_errs, rx_drop, tx_bytes, tx_packets, tx_errs, tx_drop;
} NetCounters;
/* All devices of the host, by name; free with g_hash_table_unref(). */
GHashTable *procfs_net_counters(GError **err);
/* What the host sends to a guest's tap is what the guest receives. */
NetCounters net_counters_swapped(const NetCounters *c);
