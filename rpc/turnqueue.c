/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The job queue of one object. Two lists under one small lock: who holds a turn and who waits. Every
 * change ends in settle(), which moves waiters that may go from the one to the other; the callbacks
 * of those run after the lock is dropped, so they may do anything. Grants are decided in queue order
 * and stop at the first waiter that may not go: nobody overtakes, except DESTROY and enter_first,
 * which are put at the front.
 */
#include "rpc/turnqueue.h"

#include "util/loop.h"

void turnqueue_init(TurnQueue *q)
{
    lock_init(&q->lock);
    g_queue_init(&q->waiting);
    g_queue_init(&q->holders);
}

void turnqueue_done(TurnQueue *q)
{
    g_assert(g_queue_is_empty(&q->waiting) && g_queue_is_empty(&q->holders));
    lock_done(&q->lock);
}

/* Nobody waits in vain when a query passes: what waits, waits for the long holder. */
static bool may_pass_locked(TurnQueue *q, const TurnWaiter *w)
{
    const TurnWaiter *h = q->holders.head ? q->holders.head->data : NULL;

    return w->mode == TURN_QUERY && h && h->shares_;
}

static bool may_go_locked(TurnQueue *q, const TurnWaiter *w)
{
    if (g_queue_is_empty(&q->holders))
        return true;
    if (w->mode != TURN_QUERY)
        return false;
    /* Queries share. There is at most one exclusive holder, and it came first: queries join only one that
     * lets them. */
    const TurnWaiter *h = q->holders.head->data;
    return h->mode == TURN_QUERY || h->shares_;
}

static void grant_locked(TurnQueue *q, TurnWaiter *w)
{
    w->granted_ = true;
    w->queued_ = false;
    w->since = now_usec();
    g_queue_push_tail_link(&q->holders, &w->link);
}

/* Moves waiters that may go; returns them through a list of pointers so that callbacks can be
 * called without the lock. */
static GPtrArray *settle_locked(TurnQueue *q)
{
    GPtrArray *ready = NULL;

    for (GList *l = q->waiting.head, *next; l; l = next) {
        TurnWaiter *w = l->data;
        next = l->next;
        bool passes = may_pass_locked(q, w);
        if (!passes && (l != q->waiting.head || !may_go_locked(q, w))) {
            const TurnWaiter *h = q->holders.head->data;
            if (!h->shares_)
                break;
            continue;
        }
        g_queue_unlink(&q->waiting, &w->link);
        grant_locked(q, w);
        if (!ready)
            ready = g_ptr_array_new();
        g_ptr_array_add(ready, w);
    }
    return ready;
}

static void call_ready(GPtrArray *ready)
{
    if (!ready)
        return;
    for (unsigned i = 0; i < ready->len; i++) {
        TurnWaiter *w = ready->pdata[i];
        w->granted(w);
    }
    g_ptr_array_unref(ready);
}

static bool enter(TurnQueue *q, TurnWaiter *w, bool first)
{
    LOCK_SCOPE(&q->lock);

    w->link = (GList){ .data = w };
    w->granted_ = w->shares_ = false;
    w->since = now_usec();
    if (may_pass_locked(q, w) || ((first || g_queue_is_empty(&q->waiting)) && may_go_locked(q, w))) {
        grant_locked(q, w);
        return true;
    }
    w->queued_ = true;
    if (first)
        g_queue_push_head_link(&q->waiting, &w->link);
    else
        g_queue_push_tail_link(&q->waiting, &w->link);
    return false;
}

bool turnqueue_enter(TurnQueue *q, TurnWaiter *w)
{
    return enter(q, w, w->mode == TURN_DESTROY);
}

bool turnqueue_enter_first(TurnQueue *q, TurnWaiter *w)
{
    return enter(q, w, true);
}

bool turnqueue_cancel(TurnQueue *q, TurnWaiter *w)
{
    GPtrArray *ready;

    lock_enter(&q->lock);
    if (!w->queued_) {
        lock_leave(&q->lock);
        return false;
    }
    g_queue_unlink(&q->waiting, &w->link);
    w->queued_ = false;
    /* A cancelled exclusive waiter may have kept queries behind it waiting. */
    ready = settle_locked(q);
    lock_leave(&q->lock);
    call_ready(ready);
    return true;
}

void turnqueue_share(TurnQueue *q, TurnWaiter *w)
{
    GPtrArray *ready;

    lock_enter(&q->lock);
    g_assert(w->granted_ && w->mode != TURN_QUERY);
    w->shares_ = true;
    ready = settle_locked(q);
    lock_leave(&q->lock);
    call_ready(ready);
}

void turnqueue_leave(TurnQueue *q, TurnWaiter *w)
{
    GPtrArray *ready;

    lock_enter(&q->lock);
    g_assert(w->granted_);
    g_queue_unlink(&q->holders, &w->link);
    w->granted_ = false;
    ready = settle_locked(q);
    lock_leave(&q->lock);
    call_ready(ready);
}

bool turnqueue_holder(TurnQueue *q, char **ret_what, uint64_t *ret_since, uint64_t *ret_call_id)
{
    LOCK_SCOPE(&q->lock);

    if (g_queue_is_empty(&q->holders))
        return false;
    const TurnWaiter *h = q->holders.head->data;
    *ret_what = g_strdup(h->what ? h->what : "internal work");
    *ret_since = h->since;
    *ret_call_id = h->call_id;
    return true;
}
