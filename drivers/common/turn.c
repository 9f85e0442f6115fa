/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Turns and the object class of domains. Only this file makes a DomainTurn; on the request path only
 * the dispatcher asks for it, after its checks and when the queue has granted it. Commit order:
 * definition file, autostart link, status file, publish, events; the dispatcher sends the reply
 * after that. What a client was told is therefore on disk.
 */
#define LOG_SOURCE "drivers.turn"
#include "drivers/common/turn.h"

#include <errno.h>
#include <string.h>

#include "drivers/common/internal.h"
#include "util/error.h"
#include "util/log.h"
#include "util/loop.h"

#include "protocols/remote_types.h"

/* The turn itself ---------------------------------------------------------------------------- */

static DomainView *view_clone(const DomainView *v)
{
    DomainView *n = g_memdup2(v, sizeof(*v));

    g_atomic_ref_count_init(&n->refs);
    n->name = g_strdup(v->name);
    shared_def_ref(n->config);
    shared_def_ref(n->live);
    driver_status_ref(n->status);
    return n;
}

static DomainTurn *turn_new(Domain *d, Call *c)
{
    DomainTurn *t = g_new0(DomainTurn, 1);

    t->domain = d;
    t->call = c;
    t->base = domain_view(d);
    if (t->base) {
        t->next = view_clone(t->base);
    } else {
        t->next = g_new0(DomainView, 1);
        g_atomic_ref_count_init(&t->next->refs);
        t->next->domain = d;
        memcpy(t->next->uuid, d->uuid, sizeof(d->uuid));
        t->next->name = g_strdup(d->reserved_name);
        t->next->id = -1;
        t->next->state = VIR_DOMAIN_SHUTOFF;
        t->next->reason = VIR_DOMAIN_SHUTOFF_UNKNOWN;
    }
    t->events = g_ptr_array_new();
    return t;
}

static void turn_free(DomainTurn *t)
{
    for (unsigned i = 0; i < t->events->len; i++)
        event_unref(t->events->pdata[i]);
    g_ptr_array_unref(t->events);
    domain_view_unref(t->base);
    domain_view_unref(t->next);
    g_free(t);
}

Domain *turn_domain(const DomainTurn *t)
{
    return t->domain;
}
Call *turn_call(const DomainTurn *t)
{
    return t->call;
}
void *turn_driver_data(const DomainTurn *t)
{
    return t->domain->driver;
}
const DomainView *turn_view(const DomainTurn *t)
{
    return t->next;
}
bool turn_is_new(const DomainTurn *t)
{
    return !t->base;
}

DomainDef *turn_edit_config(DomainTurn *t, GError **err)
{
    if (!t->next->config)
        return NULL;
    if (!t->own_config) {
        const DomainDef *old = view_config(t->next, NULL, err);

        if (!old)
            return NULL;
        SharedDef *mine = shared_def_new(domain_copy(old));
        shared_def_unref(t->next->config);
        t->next->config = mine;
        t->own_config = true;
    }
    t->config_dirty = true;
    return t->next->config->def;
}

DomainDef *turn_edit_live(DomainTurn *t)
{
    if (!t->next->live)
        return NULL;
    if (!t->own_live) {
        SharedDef *mine = shared_def_new(domain_copy(t->next->live->def));
        shared_def_unref(t->next->live);
        t->next->live = mine;
        t->own_live = true;
    }
    t->status_dirty = true;
    return t->next->live->def;
}

void turn_set_config(DomainTurn *t, DomainDef *take)
{
    shared_def_unref(t->next->config);
    t->next->config = take ? shared_def_new(take) : NULL;
    t->own_config = true;
    t->config_dirty = true;
    if (take && g_strcmp0(take->name, t->next->name) != 0) {
        g_free(t->next->name);
        t->next->name = g_strdup(take->name);
    }
}

void turn_set_live(DomainTurn *t, DomainDef *take)
{
    shared_def_unref(t->next->live);
    t->next->live = take ? shared_def_new(take) : NULL;
    t->own_live = true;
    t->status_dirty = true;
}

void turn_set_id(DomainTurn *t, int id)
{
    t->next->id = id;
    t->status_dirty = true;
}

void turn_set_state(DomainTurn *t, int state, int reason)
{
    t->next->state = state;
    t->next->reason = reason;
    t->status_dirty = true;
}

void turn_set_persistent(DomainTurn *t, bool on)
{
    if (t->next->persistent != on)
        t->config_dirty = true;
    t->next->persistent = on;
    t->status_dirty = true;
}

void turn_set_autostart(DomainTurn *t, bool on)
{
    t->autostart_dirty |= t->next->autostart != on;
    t->next->autostart = on;
}

void turn_set_autostart_once(DomainTurn *t, bool on)
{
    t->autostart_dirty |= t->next->autostart_once != on;
    t->next->autostart_once = on;
}

void turn_set_autodestroy(DomainTurn *t, bool on)
{
    t->next->autodestroy = on;
    t->status_dirty = true;
}

void turn_set_managed_save(DomainTurn *t, bool on)
{
    t->view_dirty |= t->next->managed_save != on;
    t->next->managed_save = on;
}

void turn_set_status(DomainTurn *t, DriverStatus *take)
{
    driver_status_unref(t->next->status);
    t->next->status = take;
    t->status_dirty = true;
}

bool turn_rename(DomainTurn *t, const char *name, GError **err)
{
    DomainDef *def = turn_edit_config(t, err);

    if (!def || !registry_reserve_name(t->domain, name, err))
        return false;
    t->renamed = true;
    g_free(def->name);
    def->name = g_strdup(name);
    g_free(t->next->name);
    t->next->name = g_strdup(name);
    return true;
}

void turn_remove(DomainTurn *t)
{
    t->remove = true;
}

void turn_require_status(DomainTurn *t)
{
    t->status_required = true;
}

bool turn_write_intent(DomainTurn *t, const DomainDef *live, DriverStatus *status, GError **err)
{
    g_autoptr(DomainView) v = view_clone(t->next);

    shared_def_unref(v->live);
    driver_status_unref(v->status);
    v->live = shared_def_new(domain_copy(live));
    v->status = driver_status_ref(status);
    v->id = -1;
    return store_write_status(v, err);
}

bool turn_note_status(DomainTurn *t, DriverStatus *status, GError **err)
{
    g_autoptr(DomainView) v = view_clone(t->base);

    driver_status_unref(v->status);
    v->status = driver_status_ref(status);
    return store_write_status(v, err);
}

void turn_drop_intent(DomainTurn *t)
{
    g_autoptr(GError) error = NULL;

    if (!store_remove_status(t->next->name, &error))
        log_error("cannot remove the status of domain '%s': %s", t->next->name, error->message);
}

void turn_emit(DomainTurn *t, Event *e)
{
    if (e)
        g_ptr_array_add(t->events, e);
}

/* Makes the links of a name what they are to be; a view that is NULL has none. */
static bool write_links(const char *name, const DomainView *was, const DomainView *now, GError **err)
{
    bool from[] = { was && was->autostart, was && was->autostart_once };
    bool to[] = { now && now->autostart, now && now->autostart_once };

    for (unsigned once = 0; once < G_N_ELEMENTS(to); once++)
        if (from[once] != to[once] && !store_set_autostart(name, once, to[once], err))
            return false;
    return true;
}

/* The files of a definition under its new name, then away with the old ones. What is left over of those
 * does no harm: it is the same domain, and the next start of ours says so. */
static bool write_renamed(DomainTurn *t, GError **err)
{
    const DomainView *v = t->next;
    const char *old_name = t->base->name;
    g_autoptr(GError) error = NULL;

    if (!store_write_config(v, err) || !write_links(v->name, NULL, v, err)) {
        (void)write_links(v->name, v, NULL, NULL);
        (void)store_remove_config(v->name, NULL);
        return false;
    }
    if (!write_links(old_name, t->base, NULL, &error) || !store_remove_config(old_name, &error))
        log_error("cannot remove what was kept of domain '%s' under its old name '%s': %s", v->name,
                  old_name, error->message);
    return true;
}

/* Files of the committed state. Returns false when the call must fail: then nothing that a later
 * start would find contradicts what clients are told. */
static bool write_files(DomainTurn *t, GError **err)
{
    DomainView *v = t->next;
    const char *old_name = t->base ? t->base->name : NULL;
    bool was_persistent = t->base && t->base->persistent;

    if (t->remove || !v->persistent) {
        if (was_persistent) {
            if (!write_links(old_name, t->base, NULL, err))
                return false;
            if (!store_remove_config(old_name, err))
                return false;
            v->autostart = v->autostart_once = false;
        }
    } else if (t->renamed) {
        if (!write_renamed(t, err))
            return false;
    } else {
        if (t->config_dirty && !store_write_config(v, err))
            return false;
        if (t->autostart_dirty && !write_links(v->name, t->base, v, err))
            return false;
    }

    g_autoptr(GError) error = NULL;
    bool active = !t->remove && view_active(v);
    bool was_active = t->base && t->base->live; /* or about to be, when a daemon was killed */
    if (active && t->status_dirty) {
        bool written = store_write_status(v, &error);
        if (!written && t->status_required) {
            g_propagate_error(err, g_steal_pointer(&error));
            return false;
        }
        if (!written)
            log_error(
                "cannot write the status of domain '%s': %s; it will be tried again at its next change",
                v->name, error->message);
    } else if (was_active && !active) {
        if (!store_remove_status(old_name, &error))
            log_error("cannot remove the status of domain '%s': %s", old_name, error->message);
    }
    return true;
}

static bool turn_commit(DomainTurn *t, GError **err)
{
    bool changed = t->config_dirty || t->autostart_dirty || t->status_dirty || t->view_dirty || t->remove || !t->base;

    if (changed) {
        /* A transient domain without a running guest has no reason to exist. */
        if (!t->next->persistent && !view_active(t->next))
            t->remove = true;
        if (!write_files(t, err))
            return false;
        DomainView *publish = t->remove ? NULL : domain_view_ref(t->next);
        registry_publish(t->domain, publish);
    }
    for (unsigned i = 0; i < t->events->len; i++)
        event_publish(t->events->pdata[i]);
    g_ptr_array_set_size(t->events, 0);
    return true;
}

bool turn_checkpoint(DomainTurn *t, GError **err)
{
    if (!turn_commit(t, err))
        return false;
    domain_view_unref(t->base);
    t->base = t->next;
    t->next = view_clone(t->base);
    t->own_config = t->own_live = false;
    t->config_dirty = t->autostart_dirty = t->status_dirty = t->view_dirty = false;
    return true;
}

/* False only when a successful turn could not be committed. */
static bool turn_end(DomainTurn *t, bool success, GError **err)
{
    bool ok = true;

    if (success)
        ok = turn_commit(t, err);
    if ((!success || !ok) && t->renamed)
        registry_unreserve_name(t->domain);
    if ((!success || !ok) && !t->base)
        registry_drop(t->domain);
    turn_free(t);
    return ok;
}

void turn_share(DomainTurn *t)
{
    if (t->waiter)
        turnqueue_share(&t->domain->queue, t->waiter);
    else
        call_share_turn(t->call);
}

/* Internal turns ----------------------------------------------------------------------------- */

typedef struct InternalTurn {
    TurnWaiter waiter;
    Domain *domain;
    DomainTurnFn fn;
    void *data;
} InternalTurn;

static void internal_run(void *data)
{
    InternalTurn *it = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(DomainView) v = domain_view(it->domain);

    if (v) {
        DomainTurn *t = turn_new(it->domain, NULL);
        t->waiter = &it->waiter;
        it->fn(t, it->data);
        if (!turn_end(t, true, &error))
            log_error("cannot save the state of domain '%s': %s", v->name, error->message);
    } else {
        it->fn(NULL, it->data);
    }
    turnqueue_leave(&it->domain->queue, &it->waiter);
    domain_unref(it->domain);
    g_free(it);
}

static void internal_granted(TurnWaiter *w)
{
    registry_context()->run_on_worker(internal_run, w); /* the waiter is the first member */
}

void domain_run_turn(Domain *d, const char *what, bool first, DomainTurnFn fn, void *data)
{
    InternalTurn *it;

    if (registry_stopping()) {
        fn(NULL, data); /* the next start finds out for itself */
        return;
    }
    it = g_new0(InternalTurn, 1);
    it->waiter = (TurnWaiter){ .mode = TURN_MODIFY, .granted = internal_granted, .what = what };
    it->domain = domain_ref(d);
    it->fn = fn;
    it->data = data;
    bool now = first ? turnqueue_enter_first(&d->queue, &it->waiter)
                     : turnqueue_enter(&d->queue, &it->waiter);
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

static void behind_turn(DomainTurn *t, void *data)
{
    Behind *b = data;
    (void)t;

    lock_enter(&b->lock);
    b->done = true;
    pthread_cond_signal(&b->passed);
    lock_leave(&b->lock);
    behind_unref(b);
}

void domain_wait_turns(Domain *d, uint64_t usec)
{
    Behind *b = g_new0(Behind, 1);
    uint64_t end = now_usec() + usec;
    struct timespec ts = { .tv_sec = (time_t)(end / G_USEC_PER_SEC),
                           .tv_nsec = (long)(end % G_USEC_PER_SEC * 1000) };
    pthread_condattr_t attr;

    g_atomic_ref_count_init(&b->refs);
    g_atomic_ref_count_inc(&b->refs); /* the turn's */
    lock_init(&b->lock);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&b->passed, &attr);
    pthread_condattr_destroy(&attr);
    domain_run_turn(d, "end of earlier turns", false, behind_turn, b);
    lock_enter(&b->lock);
    while (!b->done && pthread_cond_timedwait(&b->passed, &b->lock.m, &ts) != ETIMEDOUT)
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
    struct timespec ts = { .tv_sec = (time_t)(deadline / G_USEC_PER_SEC),
                           .tv_nsec = (long)(deadline % G_USEC_PER_SEC) * 1000 };

    lock_enter(&f->lock);
    while (!f->go)
        if (pthread_cond_timedwait(&f->granted, &f->lock.m, &ts) == ETIMEDOUT)
            break;
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

DomainTurn *turn_begin_found(const char *name, const uint8_t *uuid, Call *c, GError **err)
{
    Domain *d = registry_find_or_reserve(name, uuid, true, err);
    pthread_condattr_t attr;

    if (!d)
        return NULL;
    FoundTurn *f = g_new0(FoundTurn, 1);
    f->waiter = (TurnWaiter){
        .mode = TURN_MODIFY, .granted = found_granted, .what = call_proc(c)->name, .call_id = call_id(c)
    };
    lock_init(&f->lock);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&f->granted, &attr);
    pthread_condattr_destroy(&attr);
    call_set_waiting(c, "turn");
    bool go = turnqueue_enter(&d->queue, &f->waiter) || found_wait(f, &d->queue, call_deadline(c));
    call_set_waiting(c, NULL);
    g_autoptr(DomainView) v = domain_view(d);
    if (go && (v || registry_reserve_again(d, err))) {
        DomainTurn *t = turn_new(d, c);
        t->waiter = &f->waiter;
        return t;
    }
    if (go)
        turnqueue_leave(&d->queue, &f->waiter);
    else
        error_set(err, VIR_ERR_OPERATION_TIMEOUT, "%s waited too long for its turn with domain '%s'",
                  call_proc(c)->name, name);
    found_free(f);
    registry_release(d);
    return NULL;
}

bool turn_end_found(DomainTurn *t, bool success, GError **err)
{
    Domain *d = t->domain;
    FoundTurn *f = (FoundTurn *)t->waiter;
    bool ok = turn_end(t, success, err);

    turnqueue_leave(&d->queue, &f->waiter);
    found_free(f);
    registry_release(d);
    return ok;
}

/* Object class ------------------------------------------------------------------------------- */

static void *class_find(Call *c, const void *wire, GError **err)
{
    const remote_nonnull_domain *w = wire;
    char text[37];
    (void)c;

    Domain *d = registry_find_uuid((const uint8_t *)w->uuid);
    if (!d) {
        uuid_format((const uint8_t *)w->uuid, text);
        error_set(err, VIR_ERR_NO_DOMAIN, "no domain with matching uuid '%s' (%s)", text, w->name);
    }
    return d;
}

static void *class_find_xml(Call *c, const char *xml, bool creates, GError **err)
{
    g_autofree char *name = NULL;
    Uuid uuid;
    bool has_uuid = false;
    (void)c;

    if (!domain_peek_identity(xml, strlen(xml), &name, uuid, &has_uuid, err))
        return NULL;
    return registry_find_or_reserve(name, has_uuid ? uuid : NULL, creates, err);
}

static void class_unref(void *object)
{
    registry_release(object);
}

static void class_describe(void *object, AclObject *ret)
{
    Domain *d = object;

    /* The uuid never changes. The name may (rename), but this string lives as long as the domain;
     * rules by name apply to the name under which the domain came to be. */
    *ret = (AclObject){ OBJECT_DOMAIN, d->reserved_name, d->uuid };
}

static struct TurnQueue *class_queue(void *object)
{
    return &((Domain *)object)->queue;
}

static bool need_active(const DomainView *v, bool require, GError **err)
{
    if (!require || view_active(v))
        return true;
    error_set(err, VIR_ERR_OPERATION_INVALID, "domain is not running");
    return false;
}

static void *class_begin(void *object, Call *c, JobKind job, bool require_active, GError **err)
{
    Domain *d = object;
    bool creates = call_proc(c)->bits & PROC_CREATES;
    g_autoptr(DomainView) v = domain_view(d);

    if (!v && !creates) {
        error_set(err, VIR_ERR_NO_DOMAIN, "domain '%s' has vanished", d->reserved_name);
        return NULL;
    }
    if (!v && !registry_reserve_again(d, err))
        return NULL;
    if (v && !need_active(v, require_active, err))
        return NULL;

    switch (job) {
    case JOB_NONE:
        return g_steal_pointer(&v);
    case JOB_QUERY: {
        DomainQuery *q = g_new0(DomainQuery, 1);
        *q = (DomainQuery){ d, g_steal_pointer(&v), c };
        return q;
    }
    case JOB_ABORT: {
        DomainAbort *a = g_new0(DomainAbort, 1);
        *a = (DomainAbort){ d, g_steal_pointer(&v), c };
        return a;
    }
    case JOB_MODIFY:
    case JOB_OP:
    case JOB_DESTROY:
        return turn_new(d, c);
    case _JOB_N:
        break;
    }
    g_assert_not_reached();
}

static bool class_end(void *object, void *cap, JobKind job, bool success, GError **err)
{
    (void)object;
    switch (job) {
    case JOB_NONE:
        domain_view_unref(cap);
        return true;
    case JOB_QUERY:
        domain_view_unref(((DomainQuery *)cap)->view);
        g_free(cap);
        return true;
    case JOB_ABORT:
        domain_view_unref(((DomainAbort *)cap)->view);
        g_free(cap);
        return true;
    case JOB_MODIFY:
    case JOB_OP:
    case JOB_DESTROY:
        return turn_end(cap, success, err);
    case _JOB_N:
        break;
    }
    g_assert_not_reached();
}

static void class_interrupt(void *object, Call *c, JobKind job)
{
    (void)c;
    if (registry_driver()->interrupt)
        registry_driver()->interrupt(object, job == JOB_DESTROY);
}

static void class_interrupt_failed(void *object)
{
    if (registry_driver()->interrupt_failed)
        registry_driver()->interrupt_failed(object);
}

static uint64_t class_unresponsive_since(void *object)
{
    return registry_driver()->unresponsive_since ? registry_driver()->unresponsive_since(object)
                                                 : 0;
}

const ObjectClass domain_object_class = {
    .find = class_find,
    .find_xml = class_find_xml,
    .unref = class_unref,
    .describe = class_describe,
    .queue = class_queue,
    .begin = class_begin,
    .end = class_end,
    .interrupt = class_interrupt,
    .interrupt_failed = class_interrupt_failed,
    .unresponsive_since = class_unresponsive_since,
};
