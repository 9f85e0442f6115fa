/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Worker threads with a priority lane. Ordinary jobs run on up to 'max' workers, made when needed;
 * priority jobs run on those or, when all are busy, on workers reserved for them. A worker that is
 * idle for a minute leaves, down to 'min'.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Pool Pool;
typedef struct PoolStats {
    unsigned min, max, prio, current, idle, queued;
} PoolStats;

Pool *pool_new(const char *name, unsigned min, unsigned max, unsigned prio);
/* Finishes queued jobs, joins the workers. */
Pool *pool_free(Pool *p);
/* Any thread. */
void pool_push(Pool *p, void (*fn)(void *data), void *data, bool priority);
/* A job that is about to wait for something outside, and not for other jobs: meanwhile its worker does not
 * count against the maximum. On the job's own thread, in pairs, which may nest; on other threads they do nothing. */
void pool_wait_begin(void);
void pool_wait_end(void);
/* Waits up to usec until no job is queued or running; false: some still are. Not for workers. */
bool pool_wait_idle(Pool *p, uint64_t usec);
void pool_stats(Pool *p, PoolStats *ret);
bool pool_set_limits(Pool *p, unsigned min, unsigned max, unsigned prio, GError **err);
