/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The job queue: who may work on an object, in which order. One per object. Waiting holds neither
 * thread nor lock: a waiter is told by its callback when its turn has come.
 * FIFO; queries are shared, everything else is exclusive. DESTROY enters at the front. A holder that takes
 * long may let queries run beside it; those then pass whoever waits for the holder to leave.
 * Any thread; 'granted' is called without locks held, on the thread that left or entered.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/lock.h"

typedef enum TurnMode { TURN_QUERY, TURN_MODIFY, TURN_DESTROY, _TURN_N } TurnMode;

typedef struct TurnWaiter {
    GList link;       /* data == the waiter */
    TurnMode mode;
    bool granted_;    /* holds a turn */
    bool queued_;
    bool shares_;     /* exclusive, but queries may run beside it */
    void (*granted)(struct TurnWaiter *w);
    uint64_t since;   /* monotonic usec: entered, later granted */
    uint64_t call_id; /* 0: internal */
    const char *what; /* procedure, for messages about the holder */
} TurnWaiter;

typedef struct TurnQueue {
    Lock lock;
    GQueue waiting, holders; /* of TurnWaiter.link */
} TurnQueue;

void turnqueue_init(TurnQueue *q);
void turnqueue_done(TurnQueue *q); /* nobody may wait or hold */
/* True: granted now ('granted' is not called). False: queued. */
bool turnqueue_enter(TurnQueue *q, TurnWaiter *w);
/* As enter, but ahead of everything (reconnect after a start, guest gone). */
bool turnqueue_enter_first(TurnQueue *q, TurnWaiter *w);
/* Removes a waiter that has not been granted; false when it was granted meanwhile. */
bool turnqueue_cancel(TurnQueue *q, TurnWaiter *w);
/* From here on, until w leaves, queries run beside it. w holds the turn. */
void turnqueue_share(TurnQueue *q, TurnWaiter *w);
void turnqueue_leave(TurnQueue *q, TurnWaiter *w);
/* Who holds the turn, for a timeout message: procedure and since when; false when nobody. */
bool turnqueue_holder(TurnQueue *q, char **ret_what, uint64_t *ret_since, uint64_t *ret_call_id);
