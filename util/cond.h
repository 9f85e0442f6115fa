/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Conditions (util/lock.h) whose waits end at a time of now_usec(), which nobody's change of the host's clock moves. */
#pragma once

#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/lock.h"

static inline void cond_init(pthread_cond_t *c)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
}

/* False: the time is over. c: of cond_init(). */
static inline bool cond_wait_until(pthread_cond_t *c, Lock *l, uint64_t until)
{
    const struct timespec ts = { (time_t)(until / G_USEC_PER_SEC), (long)(until % G_USEC_PER_SEC) * 1000 };

    return pthread_cond_timedwait(c, &l->m, &ts) != ETIMEDOUT;
}
