/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A job: a long operation on a running domain (save, dump, migration). It holds the domain's turn, so
 * nothing changes the domain beside it, but it lets queries run, tells how far it is, and can be
 * aborted. The domain keeps the job while it runs and what became of the last one.
 *
 * The one who runs it is a worker with the turn. Reading and aborting: any thread.
 */
#pragma once

#include "drivers/common/params.h"
#include "drivers/common/turn.h"

typedef struct DomainJob DomainJob;

/* How far a job is. 0: not told. Bytes, milliseconds, bytes per second, pages. */
typedef struct JobFigures {
    bool stream; /* a migration stream: all of its figures are told, those that are 0, too */
    uint64_t time_remaining, downtime, setup_time;
    uint64_t memory_total, memory_processed, memory_remaining, memory_bps;
    uint64_t memory_constant, memory_normal, memory_normal_bytes, memory_dirty_rate, memory_iteration,
        memory_postcopy_requests, memory_page_size;
    uint64_t disk_total, disk_processed, disk_remaining;
} JobFigures;

/* operation: VIR_DOMAIN_JOB_OPERATION_*. what: static text for messages ("domain save job"). fixed: why it
 * cannot be aborted, static text, NULL: it can. The turn owns the job until it is ended; only then other
 * turns come. */
DomainJob *turn_begin_job(DomainTurn *t, int operation, const char *what, const char *fixed);
/* why NULL: it has succeeded. Tells subscribers and keeps the result; the job is gone. */
void turn_end_job(DomainTurn *t, const GError *why);

void job_set_figures(DomainJob *j, const JobFigures *f);
/* Waits up to usec; true as soon as the job is to be aborted. */
bool job_wait(DomainJob *j, uint64_t usec);
/* False, with the error that the operation fails with, once it is to be aborted. */
bool job_go_on(DomainJob *j, GError **err);
/* What the domain is told to end, too (destroy). */
void job_interrupt(Domain *d);

#include "protocols/remote_handlers.h"

bool common_domain_get_job_info(Call *c, const DomainView *v, const remote_domain_get_job_info_args *a, remote_domain_get_job_info_ret *r, GError **err);
bool common_domain_get_job_stats(Call *c, const DomainView *v, const remote_domain_get_job_stats_args *a, remote_domain_get_job_stats_ret *r, GError **err);
bool common_domain_abort_job(Call *c, DomainAbort *abort, const remote_domain_abort_job_args *a, GError **err);
bool common_domain_abort_job_flags(Call *c, DomainAbort *abort, const remote_domain_abort_job_flags_args *a, GError **err);
