/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Behaviour of the worker pool: limits, the priority lane, and its end. */
#undef NDEBUG
#include <assert.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

#include "util/error.h"
#include "util/pool.h"

static atomic_int counter;

static void count(void *data)
{
    counter++;
}

static void test_free_finishes_queued_jobs(void)
{
    Pool *p = pool_new("t", 0, 4, 0);

    counter = 0;
    for (int i = 0; i < 5000; i++)
        pool_push(p, count, NULL, i % 7 == 0);
    p = pool_free(p);
    assert(counter == 5000);
    assert(!p);
}

typedef struct Gate {
    sem_t started, go;
} Gate;

static void hang(void *data)
{
    Gate *g = data;

    sem_post(&g->started);
    sem_wait(&g->go);
}

static void signal_done(void *data)
{
    sem_post(data);
}

static void test_priority_job_runs_though_all_workers_hang(void)
{
    Pool *p = pool_new("t", 1, 3, 1);
    PoolStats s;
    Gate g;
    sem_t done;

    sem_init(&g.started, 0, 0);
    sem_init(&g.go, 0, 0);
    sem_init(&done, 0, 0);
    for (int i = 0; i < 3; i++)
        pool_push(p, hang, &g, false);
    for (int i = 0; i < 3; i++)
        sem_wait(&g.started);

    pool_push(p, signal_done, &done, true);
    sem_wait(&done);

    /* an ordinary job has to wait, and is counted */
    pool_push(p, signal_done, &done, false);
    pool_stats(p, &s);
    assert(s.current == 3 && s.max == 3 && s.prio == 1 && s.queued == 1);
    assert(sem_trywait(&done) < 0);

    /* until the limit is raised */
    assert(pool_set_limits(p, 1, 4, 1, NULL));
    sem_wait(&done);

    for (int i = 0; i < 3; i++)
        sem_post(&g.go);
    pool_free(p);
}

static void test_waiting_for_the_end_of_all_jobs(void)
{
    Pool *p = pool_new("t", 0, 2, 0);
    Gate g;

    sem_init(&g.started, 0, 0);
    sem_init(&g.go, 0, 0);
    assert(pool_wait_idle(p, 0)); /* nothing was there */
    pool_push(p, hang, &g, false);
    assert(!pool_wait_idle(p, 20000));
    sem_post(&g.go);
    assert(pool_wait_idle(p, 10000000));
    counter = 0;
    for (int i = 0; i < 1000; i++)
        pool_push(p, count, NULL, false);
    assert(pool_wait_idle(p, 10000000) && counter == 1000);
    pool_free(p);
}

static void test_workers_above_a_lowered_limit_leave(void)
{
    Pool *p = pool_new("t", 0, 8, 0);
    PoolStats s = { 0 };
    Gate g;

    sem_init(&g.started, 0, 0);
    sem_init(&g.go, 0, 0);
    for (int i = 0; i < 8; i++)
        pool_push(p, hang, &g, false);
    for (int i = 0; i < 8; i++)
        sem_wait(&g.started);
    assert(pool_set_limits(p, 0, 2, 0, NULL));
    for (int i = 0; i < 8; i++)
        sem_post(&g.go);
    for (int i = 0; i < 1000; i++) {
        pool_stats(p, &s);
        if (s.current == 2)
            break;
        usleep(5000);
    }
    assert(s.current == 2);
    pool_free(p);
}

static void wait_aside(void *data)
{
    Gate *g = data;

    pool_wait_begin();
    pool_wait_begin();
    pool_wait_end(); /* the outer pair counts */
    sem_post(&g->started);
    sem_wait(&g->go);
    pool_wait_end();
}

static void test_workers_that_wait_outside_do_not_count(void)
{
    Pool *p = pool_new("t", 0, 2, 0);
    PoolStats s = { 0 };
    Gate g;

    sem_init(&g.started, 0, 0);
    sem_init(&g.go, 0, 0);
    counter = 0;
    for (int i = 0; i < 6; i++) {
        pool_push(p, wait_aside, &g, false);
        pool_push(p, count, NULL, false);
    }
    for (int i = 0; i < 6; i++)
        sem_wait(&g.started);
    for (int i = 0; i < 2000 && counter < 6; i++)
        usleep(5000);
    assert(counter == 6);
    for (int i = 0; i < 6; i++)
        sem_post(&g.go);
    assert(pool_wait_idle(p, 10000000));
    for (int i = 0; i < 2000; i++) { /* those above the limit leave */
        pool_stats(p, &s);
        if (s.current <= 2)
            break;
        usleep(5000);
    }
    assert(s.current <= 2);
    pool_wait_begin(); /* no worker: nothing */
    pool_wait_end();
    pool_free(p);
}

static void test_impossible_limits_are_refused(void)
{
    Pool *p = pool_new("t", 1, 2, 0);
    g_autoptr(GError) err = NULL;

    assert(!pool_set_limits(p, 5, 2, 0, &err));
    assert(error_is(err, VIR_ERR_INVALID_ARG));
    assert(!pool_set_limits(p, 0, 0, 0, NULL));
    pool_free(p);
}

int main(void)
{
    test_free_finishes_queued_jobs();
    test_priority_job_runs_though_all_workers_hang();
    test_waiting_for_the_end_of_all_jobs();
    test_workers_above_a_lowered_limit_leave();
    test_workers_that_wait_outside_do_not_count();
    test_impossible_limits_are_refused();
    return 0;
}
