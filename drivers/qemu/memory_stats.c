/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of memory figures, in the order in which clients get them (memory_stats.h). Pure, any thread. */
#include "drivers/qemu/memory_stats.h"

typedef struct Row {
    int tag;
    const char *name;
    size_t at; /* in QmpBalloonStats */
    unsigned divisor;
} Row;

#define ROW(TAG, name, member, divisor)                                                            \
    {                                                                                              \
        VIR_DOMAIN_MEMORY_STAT_##TAG, name, offsetof(QmpBalloonStats, member), divisor             \
    }
/* clang-format off */
static const Row rows[] = {
    ROW(SWAP_IN,         "swap_in",         swap_in,          1024),
    ROW(SWAP_OUT,        "swap_out",        swap_out,         1024),
    ROW(MAJOR_FAULT,     "major_fault",     major_faults,     1),
    ROW(MINOR_FAULT,     "minor_fault",     minor_faults,     1),
    ROW(UNUSED,          "unused",          free,             1024),
    ROW(AVAILABLE,       "available",       total,            1024),
    ROW(USABLE,          "usable",          available,        1024),
    ROW(LAST_UPDATE,     "last-update",     last_update,      1),
    ROW(DISK_CACHES,     "disk_caches",     disk_caches,      1024),
    ROW(HUGETLB_PGALLOC, "hugetlb_pgalloc", hugetlb_allocs,   1),
    ROW(HUGETLB_PGFAIL,  "hugetlb_pgfail",  hugetlb_failures, 1),
};
/* clang-format on */

static bool has_balloon(const DomainDef *d)
{
    guint i = 0;
    const MemballoonDef *b = domain_next(d, DEVICE_MEMBALLOON, &i);

    return b && b->model != BALLOON_NONE;
}

unsigned memory_stats(const DomainDef *live, const Figure *balloon, const ProcFigures *process,
                      MemoryStat *ret)
{
    /* A balloon whose guest never said anything. */
    static const QmpBalloonStats silent = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
                                            UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
                                            UINT64_MAX, UINT64_MAX, 0 };
    unsigned n = 0;

    if (has_balloon(live)) {
        const QmpBalloonStats *b = balloon ? &balloon->balloon : &silent;
        ret[n++] =
            (MemoryStat){ VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON, "current", live->current_memory };
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
            uint64_t v = G_STRUCT_MEMBER(uint64_t, b, rows[i].at);
            if (v != UINT64_MAX)
                ret[n++] = (MemoryStat){ rows[i].tag, rows[i].name, v / rows[i].divisor };
        }
    }
    if (process)
        ret[n++] = (MemoryStat){ VIR_DOMAIN_MEMORY_STAT_RSS, "rss", process->rss_kib };
    return n;
}
