/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Figures of a guest at rest as they went into an answer, kept for the next one. They depend on its view, which is
 * immutable, and on files of its disks: the same record serves while the view is the same and every file is as it
 * was. One record per guest, that of the groups that were asked for last; it keeps its view, so a definition
 * that is replaced lives until the next question.
 */
#pragma once

#include <stdatomic.h>

#include "drivers/common/domain.h"
#include "protocols/remote_types.h"
#include "protocols/xdr_buf.h"

typedef struct StatsKept StatsKept;
typedef _Atomic(StatsKept *) StatsPlace; /* in the guest */

/* The record for these groups, taken out of its place; NULL: there is none, or it no longer holds. Looks at files. */
StatsKept *stats_kept_take(StatsPlace *place, const DomainView *v, unsigned groups);
/* Puts it (back) for the next question. */
void stats_kept_put(StatsPlace *place, StatsKept *take);
/* Writes the record; an xdrproc_t. */
bool_t xdr_stats_kept(XDR *x, const StatsKept *k);
void stats_kept_free(StatsKept *k);

/* Making one: every file just before it is looked at, then the record. */
typedef struct StatsKeeping {
    GByteArray *files;
    unsigned n;
    bool no; /* one of the files may change without a sign of it */
} StatsKeeping;
void stats_keep_file(StatsKeeping *k, const char *path);
/* NULL when it cannot be kept. */
StatsKept *stats_keep(StatsKeeping *k, const DomainView *v, unsigned groups, const remote_domain_stats_record *record);
void stats_keeping_done(StatsKeeping *k);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(StatsKeeping, stats_keeping_done)
