/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Locks that the thread sanitizer understands (pthread, not GMutex: style.md, section 10).
 * Documented order of the whole program: storage pool, registry, domain (queue and view), connection output,
 * account. No other pair is nested; nothing calls out with a lock held.
 */
#pragma once

#include <pthread.h>

typedef struct Lock {
    pthread_mutex_t m;
} Lock;

#define LOCK_INIT { PTHREAD_MUTEX_INITIALIZER }
static inline void lock_init(Lock *l) { pthread_mutex_init(&l->m, NULL); }
static inline void lock_done(Lock *l) { pthread_mutex_destroy(&l->m); }
static inline Lock *lock_enter(Lock *l) { pthread_mutex_lock(&l->m); return l; }
static inline void lock_leave(Lock *l) { pthread_mutex_unlock(&l->m); }
static inline void lock_leave_p_(Lock **l) { if (*l) pthread_mutex_unlock(&(*l)->m); }
/* Holds the lock until the end of the enclosing block. */
#define LOCK_SCOPE(l) \
    __attribute__((cleanup(lock_leave_p_), unused)) Lock *lock_scope_ = lock_enter(l)
