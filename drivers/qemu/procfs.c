/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Figures of processes and devices from /proc (procfs.h). */
#include "drivers/qemu/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

enum { STAT_MAX = 4096, SCHED_MAX = 16384 };

/* A small file of /proc: one read holds it. */
static bool slurp(const char *path, char *buf, size_t size)
{
    auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, buf, size - 1) : -1;

    if (n <= 0)
        return false;
    buf[n] = '\0';
    return true;
}

static void path_of(char *path, size_t size, pid_t pid, pid_t tid, const char *leaf)
{
    if (tid)
        g_snprintf(path, size, "/proc/%d/task/%d/%s", (int)pid, (int)tid, leaf);
    else
        g_snprintf(path, size, "/proc/%d/%s", (int)pid, leaf);
}

bool procfs_read(pid_t pid, pid_t tid, ProcFigures *ret)
{
    enum { UTIME = 14, STIME = 15, RSS = 24, PROCESSOR = 39 }; /* proc(5), counted from 1 */
    char path[64], text[STAT_MAX];
    unsigned long long v[PROCESSOR + 1] = { 0 };

    path_of(path, sizeof(path), pid, tid, "stat");
    if (!slurp(path, text, sizeof(text)))
        return false;
    /* The name in parentheses may hold anything: fields are counted behind it. */
    const char *p = strrchr(text, ')');
    if (!p || p[1] != ' ' || !p[2])
        return false;
    p += 3; /* the state, field 3, is a letter */
    for (unsigned field = 4; field <= PROCESSOR; field++) {
        char *end;
        v[field] = g_ascii_strtoull(p, &end, 10); /* a negative one, which none of ours is, wraps */
        if (end == p)
            return false;
        p = end;
    }
    uint64_t tick = 1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK),
             page = (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
    *ret = (ProcFigures){ .user_ns = v[UTIME] * tick,
                          .system_ns = v[STIME] * tick,
                          .rss_kib = v[RSS] * page,
                          .cpu = (int)v[PROCESSOR] };
    return true;
}

/* Kernels without statistics of the scheduler have no such line: then it is not worth a read per thread. */
static atomic_bool no_wait_sum;

/* Milliseconds with a fraction, as /proc/PID/sched has them. */
static uint64_t sched_ns(const char *text, const char *name)
{
    const char *line = strstr(text, name), *colon = line ? strchr(line, ':') : NULL;

    if (!colon)
        atomic_store(&no_wait_sum, true);
    return colon ? (uint64_t)(g_ascii_strtod(colon + 1, NULL) * 1e6) : 0;
}

bool procfs_read_waits(pid_t pid, pid_t tid, ProcWaits *ret)
{
    char path[64], text[SCHED_MAX];
    unsigned long long ran, delay;

    path_of(path, sizeof(path), pid, tid, "schedstat");
    if (!slurp(path, text, sizeof(text)) || sscanf(text, "%llu %llu", &ran, &delay) != 2)
        return false;
    *ret = (ProcWaits){ .delay_ns = delay };
    path_of(path, sizeof(path), pid, tid, "sched");
    if (!atomic_load(&no_wait_sum) && slurp(path, text, sizeof(text)))
        ret->wait_ns = sched_ns(text, "wait_sum");
    return true;
}

/* Network devices --------------------------------------------------------------------------------- */

GHashTable *procfs_net_counters(GError **err)
{
    enum { MAX = 16 * 1024 * 1024 };
    g_autofree char *text = NULL;
    size_t len;

    if (!fd_read_file(AT_FDCWD, "/proc/net/dev", MAX, &text, &len, err))
        return NULL;
    g_autoptr(GHashTable) all = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (char *line = text, *next; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        char *colon = strchr(line, ':');
        unsigned long long rb, rp, re, rd, tb, tp, te, td;
        if (!colon || sscanf(colon + 1, "%llu %llu %llu %llu %*u %*u %*u %*u %llu %llu %llu %llu",
                             &rb, &rp, &re, &rd, &tb, &tp, &te, &td) != 8)
            continue; /* the heading */
        NetCounters *c = g_new(NetCounters, 1);
        *c = (NetCounters){ rb, rp, re, rd, tb, tp, te, td };
        *colon = '\0';
        g_hash_table_insert(all, g_strdup(g_strstrip(line)), c);
    }
    return g_steal_pointer(&all);
}

NetCounters net_counters_swapped(const NetCounters *c)
{
    return (NetCounters){ c->tx_bytes, c->tx_packets, c->tx_errs, c->tx_drop,
                          c->rx_bytes, c->rx_packets, c->rx_errs, c->rx_drop };
}
