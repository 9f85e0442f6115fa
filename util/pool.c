/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Worker threads. Two queues (ordinary, priority) and two kinds of workers: ordinary ones take from
 * both, priority first; reserved ones take priority jobs only. So however many ordinary jobs hang,
 * a priority job still finds a thread.
 *
 * A worker that waits for something outside (pool_wait_begin()) is aside: it is not counted against the
 * maximum, up to ASIDE_MAX of them. When it comes back there may be one too many; then the next one that
 * finishes its job leaves.
 *
 * Invariant, kept by spawn_needed() after each push: as long as there are more jobs waiting than
 * idle workers that may take them, the number of workers is at its limit. Any thread may call
 * everything but pool_free(), which belongs to the owner, after the last push.
 */
#include "util/pool.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#define LOG_SOURCE "util.pool"
#include "util/cond.h"
#include "util/error.h"
#include "util/log.h"
#include "util/loop.h"

enum { IDLE_SECONDS = 60, WORKERS_MAX = 10000, ASIDE_MAX = 2000 };

typedef struct Job {
    struct Job *next;
    void (*fn)(void *data);
    void *data;
} Job;

typedef struct Queue {
    Job *first, **last;
    unsigned n;
} Queue;

typedef struct Worker {
    struct Worker *next; /* in Pool.left */
    Pool *pool;
    pthread_t thread;
    bool reserved, aside;
    unsigned waits; /* pool_wait_begin() without its end; its own */
} Worker;

static _Thread_local Worker *own; /* NULL: no worker */

struct Pool {
    char *name;
    Lock lock; /* everything below */
    pthread_cond_t work, prio_work, all_gone, all_idle;
    Queue jobs, prio_jobs;
    unsigned min, max, prio; /* limits */
    unsigned n, n_reserved;  /* workers */
    unsigned aside;          /* of n */
    unsigned idle, idle_reserved;
    Worker *left; /* ended, to be joined */
    bool stopping;
};

static void queue_push(Queue *q, Job *j)
{
    *q->last = j;
    q->last = &j->next;
    q->n++;
}

static Job *queue_pop(Queue *q)
{
    Job *j = q->first;

    if (!j)
        return NULL;
    q->first = j->next;
    if (!q->first)
        q->last = &q->first;
    q->n--;
    return j;
}

static bool is_idle_locked(const Pool *p)
{
    return p->jobs.n + p->prio_jobs.n == 0 && p->n + p->n_reserved == p->idle + p->idle_reserved;
}

/* False when the worker waited a minute in vain. */
static bool wait_for_work(Pool *p, pthread_cond_t *cond)
{
    return cond_wait_until(cond, &p->lock, now_usec() + IDLE_SECONDS * G_USEC_PER_SEC);
}

static bool too_many_locked(const Pool *p, const Worker *w, bool idle_for_long)
{
    if (w->reserved)
        return idle_for_long || p->n_reserved > p->prio;
    return p->n - p->aside > (idle_for_long ? p->min : p->max);
}

static void *worker_main(void *data)
{
    Worker *w = data;
    Pool *p = w->pool;
    unsigned *n = w->reserved ? &p->n_reserved : &p->n;
    unsigned *idle = w->reserved ? &p->idle_reserved : &p->idle;
    bool idle_for_long = false;

    own = w;
    lock_enter(&p->lock);
    for (;;) {
        Job *j = NULL;

        if (!too_many_locked(p, w, false))
            j = queue_pop(&p->prio_jobs);
        if (!j && !w->reserved && !too_many_locked(p, w, false))
            j = queue_pop(&p->jobs);
        if (j) {
            lock_leave(&p->lock);
            j->fn(j->data);
            g_free(j);
            lock_enter(&p->lock);
            idle_for_long = false;
            continue;
        }

        if (p->stopping || too_many_locked(p, w, idle_for_long))
            break;
        (*idle)++;
        if (is_idle_locked(p))
            pthread_cond_broadcast(&p->all_idle);
        idle_for_long = !wait_for_work(p, w->reserved ? &p->prio_work : &p->work);
        (*idle)--;
    }
    (*n)--;
    w->next = p->left;
    p->left = w;
    if (p->n + p->n_reserved == 0)
        pthread_cond_signal(&p->all_gone);
    if (is_idle_locked(p))
        pthread_cond_broadcast(&p->all_idle);
    lock_leave(&p->lock);
    return NULL;
}

/* Workers that left are joined by the next caller that comes along. They ended with the lock that
 * is taken here, so pthread_join() waits for a few instructions at most. */
static void join_left_locked(Pool *p)
{
    while (p->left) {
        Worker *w = p->left;

        p->left = w->next;
        pthread_join(w->thread, NULL);
        g_free(w);
    }
}

static bool spawn_locked(Pool *p, bool reserved)
{
    Worker *w = g_new0(Worker, 1);
    unsigned *n = reserved ? &p->n_reserved : &p->n;
    char name[16];
    sigset_t all, before;
    int r;

    w->pool = p;
    w->reserved = reserved;
    /* Signals are for the loop; those that a fault raises stay deliverable. */
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    (*n)++;
    r = pthread_create(&w->thread, NULL, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0) {
        (*n)--;
        g_free(w);
        return false;
    }
    g_snprintf(name, sizeof(name), "%.10s%s", p->name, reserved ? "-prio" : "");
    (void)pthread_setname_np(w->thread, name); /* for people with a debugger only */
    return true;
}

/* Makes workers for what waits, see the invariant. False: no thread was to be had. */
static bool spawn_needed_locked(Pool *p)
{
    unsigned waiting = p->jobs.n + p->prio_jobs.n;

    join_left_locked(p);
    if (waiting <= p->idle)
        return true;
    if (p->n - p->aside < p->max)
        return spawn_locked(p, false);
    if (p->prio_jobs.n > p->idle_reserved && p->n_reserved < p->prio)
        return spawn_locked(p, true);
    return true;
}

Pool *pool_new(const char *name, unsigned min, unsigned max, unsigned prio)
{
    Pool *p = g_new0(Pool, 1);

    p->name = g_strdup(name);
    p->jobs.last = &p->jobs.first;
    p->prio_jobs.last = &p->prio_jobs.first;
    p->max = CLAMP(max, 1, WORKERS_MAX);
    p->min = MIN(min, p->max);
    p->prio = MIN(prio, WORKERS_MAX);
    lock_init(&p->lock);
    cond_init(&p->work);
    cond_init(&p->prio_work);
    cond_init(&p->all_gone);
    cond_init(&p->all_idle);
    return p;
}

Pool *pool_free(Pool *p)
{
    if (!p)
        return NULL;

    lock_enter(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->work);
    pthread_cond_broadcast(&p->prio_work);
    while (p->n + p->n_reserved > 0)
        pthread_cond_wait(&p->all_gone, &p->lock.m);
    join_left_locked(p);
    /* Left over only when no thread could be made for them. */
    for (Job *j; (j = queue_pop(&p->prio_jobs)) || (j = queue_pop(&p->jobs)); g_free(j)) {
        lock_leave(&p->lock);
        j->fn(j->data);
        lock_enter(&p->lock);
    }
    lock_leave(&p->lock);

    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->prio_work);
    pthread_cond_destroy(&p->all_gone);
    pthread_cond_destroy(&p->all_idle);
    lock_done(&p->lock);
    g_free(p->name);
    g_free(p);
    return NULL;
}

void pool_push(Pool *p, void (*fn)(void *data), void *data, bool priority)
{
    Job *j = g_new(Job, 1);
    bool made;
    unsigned workers;

    *j = (Job){ NULL, fn, data };
    lock_enter(&p->lock);
    queue_push(priority ? &p->prio_jobs : &p->jobs, j);
    made = spawn_needed_locked(p);
    workers = p->n + p->n_reserved;
    pthread_cond_signal(&p->work);
    if (priority)
        pthread_cond_signal(&p->prio_work);
    lock_leave(&p->lock);

    if (!made)
        log_warn("pool %s: cannot start another worker, %u are there", p->name, workers);
}

void pool_wait_begin(void)
{
    Worker *w = own;

    if (!w || w->reserved || w->waits++ > 0)
        return;
    LOCK_SCOPE(&w->pool->lock);
    if (w->pool->aside == ASIDE_MAX)
        return;
    w->aside = true;
    w->pool->aside++;
    (void)spawn_needed_locked(w->pool); /* for what waits because all workers were busy */
}

void pool_wait_end(void)
{
    Worker *w = own;

    if (!w || w->reserved || --w->waits > 0 || !w->aside)
        return;
    LOCK_SCOPE(&w->pool->lock);
    w->aside = false;
    w->pool->aside--;
}

bool pool_wait_idle(Pool *p, uint64_t usec)
{
    uint64_t until = now_usec() + usec;
    LOCK_SCOPE(&p->lock);

    while (!is_idle_locked(p))
        if (!cond_wait_until(&p->all_idle, &p->lock, until))
            return is_idle_locked(p);
    return true;
}

void pool_stats(Pool *p, PoolStats *ret)
{
    LOCK_SCOPE(&p->lock);

    *ret = (PoolStats){ .min = p->min,
                        .max = p->max,
                        .prio = p->prio,
                        .current = p->n,
                        .idle = p->idle,
                        .queued = p->jobs.n + p->prio_jobs.n };
}

bool pool_set_limits(Pool *p, unsigned min, unsigned max, unsigned prio, GError **err)
{
    if (max == 0 || max > WORKERS_MAX || prio > WORKERS_MAX) {
        error_set(err, VIR_ERR_INVALID_ARG,
                  "pool %s: maximum of %u and priority %u workers are not within 1 and %d", p->name,
                  max, prio, WORKERS_MAX);
        return false;
    }
    if (min > max) {
        error_set(err, VIR_ERR_INVALID_ARG,
                  "pool %s: minimum of %u workers exceeds the maximum of %u", p->name, min, max);
        return false;
    }

    lock_enter(&p->lock);
    p->min = min;
    p->max = max;
    p->prio = prio;
    for (unsigned i = p->jobs.n + p->prio_jobs.n; i > 0; i--)
        (void)spawn_needed_locked(p); /* without a thread the old ones carry on */
    pthread_cond_broadcast(&p->work); /* those above the new limit leave */
    pthread_cond_broadcast(&p->prio_work);
    lock_leave(&p->lock);
    return true;
}
