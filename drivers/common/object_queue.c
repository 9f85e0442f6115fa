/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Turns that the dispatcher does not give: of internal work, which waits as a row in the object's queue and
 * runs on a worker; and of a handler that finds its object itself and waits on its own worker.
 */
#define LOG_SOURCE "drivers.turn"
#include <string.h>

#include "drivers/common/internal.h"
#include "util/cond.h"
#include "util/error.h"
#include "util/log.h"
#include "util/loop.h"

/* Internal turns ----------------------------------------------------------------------------- */

typedef struct InternalTurn {
    TurnWaiter waiter;
    Object *object;
    ObjectTurnFn fn;
    void *data;
} InternalTurn;

static void internal_run(void *data)
{
    InternalTurn *it = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(ObjectView) v = object_view(it->object);

    if (v) {
        ObjectTurn *t = object_turn_new(it->object, NULL, &it->waiter);
        it->fn(t, it->data);
        if (!object_turn_end(t, true, &error))
            log_error("cannot save the state of %s '%s': %s", v->kind->word, v->name, error->message);
    } else {
        it->fn(NULL, it->data);
    }
    turnqueue_leave(&it->object->queue, &it->waiter);
    object_unref(it->object);
    g_free(it);
}

static void internal_granted(TurnWaiter *w)
{
    objects_context()->run_on_worker(internal_run, w); /* the waiter is the first member */
}

void object_run_turn(Object *o, const char *what, bool first, ObjectTurnFn fn, void *data)
{
    InternalTurn *it;

    if (objects_stopping()) {
        fn(NULL, data); /* the next start finds out for itself */
        return;
    }
    it = g_new0(InternalTurn, 1);
    it->waiter = (TurnWaiter){ .mode = TURN_MODIFY, .granted = internal_granted, .what = what };
    it->object = object_ref(o);
    it->fn = fn;
    it->data = data;
    bool now = first ? turnqueue_enter_first(&o->queue, &it->waiter)
                     : turnqueue_enter(&o->queue, &it->waiter);
    if (now)
        internal_granted(&it->waiter);
}

typedef struct Behind {
    gatomicrefcount refs;
    Lock lock;
    pthread_cond_t passed;
    bool done;
} Behind;

static void behind_unref(Behind *b)
{
    if (!g_atomic_ref_count_dec(&b->refs))
        return;
    pthread_cond_destroy(&b->passed);
    lock_done(&b->lock);
    g_free(b);
}

static void behind_turn(ObjectTurn *t, void *data)
{
    Behind *b = data;
    (void)t;

    lock_enter(&b->lock);
    b->done = true;
    pthread_cond_signal(&b->passed);
    lock_leave(&b->lock);
    behind_unref(b);
}

void object_wait_turns(Object *o, uint64_t usec)
{
    Behind *b = g_new0(Behind, 1);
    uint64_t end = now_usec() + usec;

    g_atomic_ref_count_init(&b->refs);
    g_atomic_ref_count_inc(&b->refs); /* the turn's */
    lock_init(&b->lock);
    cond_init(&b->passed);
    object_run_turn(o, "end of earlier turns", false, behind_turn, b);
    lock_enter(&b->lock);
    while (!b->done && cond_wait_until(&b->passed, &b->lock, end))
        ;
    lock_leave(&b->lock);
    behind_unref(b);
}

/* Found by a handler --------------------------------------------------------------------------- */

typedef struct FoundTurn {
    TurnWaiter waiter;
    Lock lock;
    pthread_cond_t granted;
    bool go;
} FoundTurn;

static void found_granted(TurnWaiter *w)
{
    FoundTurn *f = (FoundTurn *)w; /* the waiter is the first member */

    LOCK_SCOPE(&f->lock);
    f->go = true;
    pthread_cond_signal(&f->granted);
}

static void found_free(FoundTurn *f)
{
    pthread_cond_destroy(&f->granted);
    lock_done(&f->lock);
    g_free(f);
}

/* False: the call's time is over. */
static bool found_wait(FoundTurn *f, TurnQueue *q, uint64_t deadline)
{
    lock_enter(&f->lock);
    while (!f->go && cond_wait_until(&f->granted, &f->lock, deadline))
        ;
    bool go = f->go;
    lock_leave(&f->lock);
    if (go || turnqueue_cancel(q, &f->waiter))
        return go;
    /* It was granted meanwhile: found_granted() is about to say so. */
    lock_enter(&f->lock);
    while (!f->go)
        pthread_cond_wait(&f->granted, &f->lock.m);
    lock_leave(&f->lock);
    return true;
}

ObjectTurn *object_turn_begin_found(Registry *r, const char *name, const uint8_t *uuid, Call *c, GError **err)
{
    Object *o = registry_find_or_reserve(r, name, uuid, true, err);

    if (!o)
        return NULL;
    FoundTurn *f = g_new0(FoundTurn, 1);
    f->waiter = (TurnWaiter){
        .mode = TURN_MODIFY, .granted = found_granted, .what = call_proc(c)->name, .call_id = call_id(c)
    };
    lock_init(&f->lock);
    cond_init(&f->granted);
    call_set_waiting(c, "turn");
    bool go = turnqueue_enter(&o->queue, &f->waiter) || found_wait(f, &o->queue, call_deadline(c));
    call_set_waiting(c, NULL);
    g_autoptr(ObjectView) v = object_view(o);
    if (go && (v || registry_reserve_again(o, err)))
        return object_turn_new(o, c, &f->waiter);
    if (go)
        turnqueue_leave(&o->queue, &f->waiter);
    else
        error_set(err, VIR_ERR_OPERATION_TIMEOUT, "%s waited too long for its turn with %s '%s'",
                  call_proc(c)->name, r->kind->word, o->reserved_name);
    found_free(f);
    registry_release(o);
    return NULL;
}

bool object_turn_end_found(ObjectTurn *t, bool success, GError **err)
{
    Object *o = t->object;
    FoundTurn *f = (FoundTurn *)t->waiter;
    bool ok = object_turn_end(t, success, err);

    turnqueue_leave(&o->queue, &f->waiter);
    found_free(f);
    registry_release(o);
    return ok;
}

