/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory of a guest, as its balloon driver and the kernel tell. Pure. */
#pragma once

#include "drivers/qemu/figures.h"
#include "drivers/qemu/procfs.h"
#include "util/api.h"

enum { MEMORY_STATS_MAX = VIR_DOMAIN_MEMORY_STAT_NR };

typedef struct MemoryStat {
    int tag;          /* VIR_DOMAIN_MEMORY_STAT_* */
    const char *name; /* in bulk figures: "swap_in" */
    uint64_t value;   /* KiB, counts, seconds */
} MemoryStat;

/* Fills ret, of MEMORY_STATS_MAX; the number. balloon: FIGURE_BALLOON, NULL: never told; process NULL: gone. */
unsigned memory_stats(const DomainDef *live, const Figure *balloon, const ProcFigures *process,
                      MemoryStat *ret);
