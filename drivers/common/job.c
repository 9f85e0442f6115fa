/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Jobs (job.h) and what clients ask about them. The figures are sampled by the one who runs the job;
 * a question reads the last sample under the job's lock, so it never waits for a guest. A domain has
 * at most one job, because a job holds the turn. Lock order: a domain's lock, then a job's.
 */
#include "drivers/common/job.h"

#include "drivers/common/emit.h"
#include "drivers/common/domain-internal.h"
#include "util/cond.h"
#include "util/error.h"
#include "util/loop.h"

enum { MSEC = 1000 };

struct DomainJob {
    gatomicrefcount refs;
    int operation;
    const char *what, *fixed;
    uint64_t began; /* monotonic usec */
    Lock lock;      /* of what follows */
    pthread_cond_t changed;
    bool abort;
    JobFigures figures;
    int result; /* VIR_DOMAIN_JOB_*: NONE while it runs */
    uint64_t elapsed; /* ms; of one that has ended */
    char *why;  /* it has failed */
};

static DomainJob *job_ref(DomainJob *j)
{
    g_atomic_ref_count_inc(&j->refs);
    return j;
}

DomainJob *domain_job_unref(DomainJob *j)
{
    if (j && g_atomic_ref_count_dec(&j->refs)) {
        pthread_cond_destroy(&j->changed);
        lock_done(&j->lock);
        g_free(j->why);
        g_free(j);
    }
    return NULL;
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DomainJob, domain_job_unref)

static int job_params(DomainJob *j, ParamList *l);

/* The one who runs it -------------------------------------------------------------------------- */

DomainJob *turn_begin_job(DomainTurn *t, int operation, const char *what, const char *fixed)
{
    DomainJob *j = g_new0(DomainJob, 1);
    Domain *d = turn_domain(t);

    g_atomic_ref_count_init(&j->refs);
    lock_init(&j->lock);
    cond_init(&j->changed);
    j->operation = operation;
    j->what = what;
    j->fixed = fixed;
    j->began = now_usec();
    lock_enter(&d->object.lock);
    g_assert(!d->job);
    d->job = j;
    lock_leave(&d->object.lock);
    object_turn_share((ObjectTurn *)t);
    return j;
}

void turn_end_job(DomainTurn *t, const GError *why)
{
    Domain *d = turn_domain(t);
    g_auto(ParamList) params = { 0 };

    lock_enter(&d->object.lock);
    DomainJob *j = d->job, *old = d->completed;
    lock_enter(&j->lock);
    j->elapsed = (now_usec() - j->began) / MSEC;
    j->result = !why       ? VIR_DOMAIN_JOB_COMPLETED
                : j->abort ? VIR_DOMAIN_JOB_CANCELLED
                           : VIR_DOMAIN_JOB_FAILED;
    j->why = why ? g_strdup(why->message) : NULL;
    lock_leave(&j->lock);
    d->job = NULL;
    d->completed = j;
    lock_leave(&d->object.lock);
    domain_job_unref(old);
    job_params(j, &params);
    emit_job_completed(t, &params);
}

void job_set_figures(DomainJob *j, const JobFigures *f)
{
    LOCK_SCOPE(&j->lock);
    j->figures = *f;
}

bool job_wait(DomainJob *j, uint64_t usec)
{
    uint64_t until = now_usec() + usec;

    LOCK_SCOPE(&j->lock);
    while (!j->abort && cond_wait_until(&j->changed, &j->lock, until))
        ;
    return j->abort;
}

bool job_go_on(DomainJob *j, GError **err)
{
    LOCK_SCOPE(&j->lock);
    if (j->abort)
        error_set(err, VIR_ERR_OPERATION_ABORTED, "%s: canceled by client", j->what);
    return !j->abort;
}

/* Others --------------------------------------------------------------------------------------- */

static void job_abort(DomainJob *j)
{
    LOCK_SCOPE(&j->lock);
    j->abort = true;
    pthread_cond_broadcast(&j->changed);
}

static DomainJob *running_job(Domain *d)
{
    LOCK_SCOPE(&d->object.lock);
    return d->job ? job_ref(d->job) : NULL;
}

void job_interrupt(Domain *d)
{
    g_autoptr(DomainJob) j = running_job(d);

    if (j)
        job_abort(j);
}

/* Answers -------------------------------------------------------------------------------------- */

typedef struct Row {
    const char *name;
    size_t off;
    bool always; /* for a stream; otherwise it is told when it is not 0 */
} Row;

#define F(m) offsetof(JobFigures, m)
static const Row time_rows[] = {
    { VIR_DOMAIN_JOB_TIME_REMAINING, F(time_remaining), false },
    { VIR_DOMAIN_JOB_DOWNTIME, F(downtime), false },
    { VIR_DOMAIN_JOB_SETUP_TIME, F(setup_time), true },
};
static const Row memory_rows[] = {
    { VIR_DOMAIN_JOB_MEMORY_TOTAL, F(memory_total), true },
    { VIR_DOMAIN_JOB_MEMORY_PROCESSED, F(memory_processed), true },
    { VIR_DOMAIN_JOB_MEMORY_REMAINING, F(memory_remaining), true },
    { VIR_DOMAIN_JOB_MEMORY_BPS, F(memory_bps), false },
    { VIR_DOMAIN_JOB_MEMORY_CONSTANT, F(memory_constant), true },
    { VIR_DOMAIN_JOB_MEMORY_NORMAL, F(memory_normal), true },
    { VIR_DOMAIN_JOB_MEMORY_NORMAL_BYTES, F(memory_normal_bytes), true },
    { VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE, F(memory_dirty_rate), true },
    { VIR_DOMAIN_JOB_MEMORY_ITERATION, F(memory_iteration), true },
    { VIR_DOMAIN_JOB_MEMORY_POSTCOPY_REQS, F(memory_postcopy_requests), true },
    { VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE, F(memory_page_size), true },
    { VIR_DOMAIN_JOB_DISK_TOTAL, F(disk_total), false },
    { VIR_DOMAIN_JOB_DISK_PROCESSED, F(disk_processed), false },
    { VIR_DOMAIN_JOB_DISK_REMAINING, F(disk_remaining), false },
};

static void add_rows(ParamList *l, const JobFigures *f, const Row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t v = *(const uint64_t *)(const void *)((const char *)f + rows[i].off);
        if (v || (rows[i].always && f->stream))
            params_add_ullong(l, v, "%s", rows[i].name);
    }
}

static uint64_t elapsed_locked(const DomainJob *j)
{
    return j->result == VIR_DOMAIN_JOB_NONE ? (now_usec() - j->began) / MSEC : j->elapsed;
}

static int type_locked(const DomainJob *j)
{
    return j->result == VIR_DOMAIN_JOB_NONE ? VIR_DOMAIN_JOB_UNBOUNDED : j->result;
}

static int job_params(DomainJob *j, ParamList *l)
{
    LOCK_SCOPE(&j->lock);
    const JobFigures *f = &j->figures;

    params_add_int(l, j->operation, "%s", VIR_DOMAIN_JOB_OPERATION);
    params_add_ullong(l, elapsed_locked(j), "%s", VIR_DOMAIN_JOB_TIME_ELAPSED);
    add_rows(l, f, time_rows, G_N_ELEMENTS(time_rows));
    if (f->memory_total || f->stream) {
        params_add_ullong(l, f->memory_total + f->disk_total, "%s", VIR_DOMAIN_JOB_DATA_TOTAL);
        params_add_ullong(l, f->memory_processed + f->disk_processed, "%s", VIR_DOMAIN_JOB_DATA_PROCESSED);
        params_add_ullong(l, f->memory_remaining + f->disk_remaining, "%s", VIR_DOMAIN_JOB_DATA_REMAINING);
    }
    add_rows(l, f, memory_rows, G_N_ELEMENTS(memory_rows));
    if (j->why) {
        params_add_bool(l, false, "%s", VIR_DOMAIN_JOB_SUCCESS);
        params_add_string(l, j->why, "%s", VIR_DOMAIN_JOB_ERRMSG);
    }
    return type_locked(j);
}

static bool need_active(const DomainView *v, GError **err)
{
    if (view_active(v))
        return true;
    error_set(err, VIR_ERR_OPERATION_INVALID, "domain is not running");
    return false;
}

bool common_domain_get_job_info(Call *c, const DomainView *v, const remote_domain_get_job_info_args *a,
                                remote_domain_get_job_info_ret *r, GError **err)
{
    (void)c;
    (void)a;
    if (!need_active(v, err))
        return false;
    g_autoptr(DomainJob) j = running_job(v->domain);
    if (!j)
        return true; /* type 0 is VIR_DOMAIN_JOB_NONE */

    LOCK_SCOPE(&j->lock);
    const JobFigures *f = &j->figures;
    *r = (remote_domain_get_job_info_ret){
        .type = type_locked(j),
        .timeElapsed = elapsed_locked(j),
        .timeRemaining = f->time_remaining,
        .dataTotal = f->memory_total + f->disk_total,
        .dataProcessed = f->memory_processed + f->disk_processed,
        .dataRemaining = f->memory_remaining + f->disk_remaining,
        .memTotal = f->memory_total,
        .memProcessed = f->memory_processed,
        .memRemaining = f->memory_remaining,
        .fileTotal = f->disk_total,
        .fileProcessed = f->disk_processed,
        .fileRemaining = f->disk_remaining,
    };
    return true;
}

/* What became of the last job; forgotten once it is told, unless the client wants it kept. */
static DomainJob *completed_job(Domain *d, bool keep)
{
    LOCK_SCOPE(&d->object.lock);
    DomainJob *j = d->completed;

    if (keep)
        return j ? job_ref(j) : NULL;
    d->completed = NULL;
    return j;
}

bool common_domain_get_job_stats(Call *c, const DomainView *v, const remote_domain_get_job_stats_args *a,
                                 remote_domain_get_job_stats_ret *r, GError **err)
{
    bool completed = a->flags & VIR_DOMAIN_JOB_STATS_COMPLETED;
    g_auto(ParamList) params = { 0 };
    (void)c;

    if (!completed && !need_active(v, err))
        return false;
    g_autoptr(DomainJob) j = completed ? completed_job(v->domain, a->flags & VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED)
                                       : running_job(v->domain);
    if (!j)
        return true;
    r->type = job_params(j, &params);
    params_give(&params, &r->params);
    return true;
}

static bool abort_job(Domain *d, GError **err)
{
    g_autoptr(DomainJob) j = running_job(d);

    if (!j) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "no job is active on the domain");
        return false;
    }
    if (j->fixed) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "%s", j->fixed);
        return false;
    }
    job_abort(j);
    return true;
}

bool common_domain_abort_job(Call *c, DomainAbort *abort, const remote_domain_abort_job_args *a, GError **err)
{
    (void)c;
    (void)a;
    return abort_job(abort->domain, err);
}

bool common_domain_abort_job_flags(Call *c, DomainAbort *abort, const remote_domain_abort_job_flags_args *a,
                                   GError **err)
{
    (void)c;
    if (a->flags & VIR_DOMAIN_ABORT_JOB_POSTCOPY) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "current job is not outgoing migration in post-copy mode");
        return false;
    }
    return abort_job(abort->domain, err);
}
