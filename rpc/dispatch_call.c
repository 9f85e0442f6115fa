/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of a call. The steps and where they run:
 *
 *   loop    dispatch_admit.c: what the header tells; the client's share
 *   worker  decode; flags; find the object
 *   any     access rules; nobody while a backend is asked
 *   worker  enter the object's queue
 *   nobody  waiting for the turn: neither a thread nor a lock is held
 *   worker  capability; handler; commit; encode
 *   loop    send; start the stream; free
 *
 * Lane inline does all of it on the loop thread, in the iteration that read the frame. A handler
 * therefore cannot be reached without the checks, and a check cannot be forgotten by a handler. When
 * a permission is not known without asking somebody, the inline call is dropped and run again as one
 * of the normal lane, which may wait; only handlers that belong to the loop thread return to it.
 */
#define LOG_SOURCE "rpc.dispatch"
#include "protocols/xdr_buf.h"
#include "rpc/dispatch-internal.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/uuid.h"

static void call_step_access(void *data);
static void call_step_enter(Call *c);
static void call_step_run(void *data);

static void call_free(Call *c)
{
    if (c->args) {
        proc_free(c->proc->args_xdr, c->args);
        g_free(c->args);
    }
    if (c->ret) {
        proc_free(c->proc->ret_xdr, c->ret);
        g_free(c->ret);
    }
    g_clear_pointer(&c->body, g_byte_array_unref);
    for (unsigned i = 0; i < c->n_reply_fds; i++)
        fd_close(&c->reply_fds[i]);
    message_unref(c->reply);
    message_unref(c->msg);
    identity_unref(c->identity);
    lock_done(&c->queue_lock);
    g_free(c);
}

/* Loop thread: the call's end, whichever way it went. */
static void call_finish(void *data)
{
    Call *c = data;
    ClientState *cs = c->cs;
    Dispatcher *d = c->d;

    if (c->reply) {
        uint64_t now = now_usec();
        metrics_call(d->metrics, c->binding->info, c->proc, now - c->started, c->failed);
        if (c->handed_over)
            metrics_lag(d->metrics, now - c->handed_over);
    }
    g_queue_unlink(&d->calls, &c->link);
    g_queue_unlink(&cs->calls, &c->client_link);
    if (c->object)
        c->oc->unref(c->object);

    bool gone = cs->client->data != cs;
    if (c->reply && !gone)
        client_send(cs->client, c->reply);
    if (c->stream) {
        if (gone || c->failed)
            stream_discard(c->stream);
        else
            stream_start(c->stream);
        c->stream = NULL;
    }
    if (c->counts)
        cs->running--;
    if (c->counts_priority)
        cs->running_priority--;
    call_free(c);

    if (!gone)
        admit_backlog(cs);
    client_state_unref(cs);
}

/* Where the handler ran: hands the finished call to the loop (or finishes at once when on it). */
static void call_done(Call *c)
{
    log_context_set(NULL);
    if (loop_is_current(c->d->loop)) {
        call_finish(c);
    } else {
        c->handed_over = now_usec();
        loop_post(c->d->loop, call_finish, c);
    }
}

void call_fail(Call *c, GError *error)
{
    int source = c->driver ? c->driver->error_source : VIR_FROM_RPC;

    c->failed = true;
    if (error_code(error) == VIR_ERR_INTERNAL_ERROR || error_code(error) == VIR_ERR_SYSTEM_ERROR)
        log_warn("%s: %s", c->proc->name, error->message);
    else
        log_debug("%s: %s", c->proc->name, error->message);
    message_unref(c->reply);
    c->reply = message_new_error(&c->msg->h, MSG_REPLY, error, source);
    g_error_free(error);
    if (c->interrupted && c->oc->interrupt_failed)
        c->oc->interrupt_failed(c->object);
    call_done(c);
}

/* Loop thread: takes a waiting call out of its object's queue; false when its turn has come. */
bool call_leave_waiting(Call *c)
{
    lock_enter(&c->queue_lock);
    bool waiting = c->in_queue;
    lock_leave(&c->queue_lock);

    /* Without the lock: others that were behind us may be granted their turn in here. The queue itself
     * knows whether ours was granted meanwhile. */
    return waiting && turnqueue_cancel(c->oc->queue(c->object), &c->waiter);
}

/* Loop thread. A call that waits ends at once; one that runs sees call_cancelled(). A call that has
 * interrupted others is carried out: half of it is done. */
void call_cancel(Call *c)
{
    GError *error = NULL;

    atomic_store(&c->cancelled, true);
    lock_enter(&c->queue_lock);
    bool must_go_on = c->in_queue && c->interrupted;
    lock_leave(&c->queue_lock);
    if (must_go_on || !call_leave_waiting(c))
        return;
    error_set(&error, VIR_ERR_OPERATION_ABORTED, "%s was cancelled while it waited for its turn", c->proc->name);
    call_fail(c, error);
}

static void call_succeed(Call *c)
{
    MsgHeader h = c->msg->h;
    g_autoptr(GError) error = NULL;

    h.type = MSG_REPLY;
    h.status = MSG_OK;
    c->reply = c->body ? message_new_bytes(&h, c->body->data, c->body->len)
               : c->proc->bits & PROC_SENSITIVE ? message_new_sensitive(&h, c->proc->ret_xdr, c->ret, &error)
                                                : message_new(&h, c->proc->ret_xdr, c->ret, &error);
    for (unsigned i = 0; c->reply && i < c->n_reply_fds; i++)
        if (!message_add_fd(c->reply, fd_take(&c->reply_fds[i]), &error))
            c->reply = message_unref(c->reply);
    if (!c->reply) {
        call_fail(c, g_steal_pointer(&error));
        return;
    }
    call_done(c);
}

static void set_log_context(const Call *c)
{
    log_context_set(&(LogContext){ .call_id = c->id,
                                   .procedure = c->proc->name,
                                   .client_uid = call_uid(c),
                                   .object_uuid = c->object_uuid[0] ? c->object_uuid : NULL });
}

static bool check_flags(const Call *c, GError **err)
{
    const ProcInfo *p = c->proc;

    if (p->flags_off < 0)
        return true;
    const uint8_t *at = (const uint8_t *)c->args + p->flags_off;
    uint64_t flags = p->flags_size == 8 ? *(const uint64_t *)at : *(const uint32_t *)at;
    uint64_t unknown = flags & ~(uint64_t)c->slot->flags;
    if (unknown) {
        error_set(err, VIR_ERR_INVALID_ARG, "unsupported flags (0x%llx) in function %s",
                  (unsigned long long)unknown, p->api);
        return false;
    }
    return true;
}

static bool find_object(Call *c, GError **err)
{
    const ProcInfo *p = c->proc;

    if (p->object == OBJECT_NONE)
        return true;
    c->oc = c->driver ? c->driver->objects[p->object] : NULL;
    if (!c->oc) {
        error_set(err, VIR_ERR_NO_SUPPORT, "%s", p->api);
        return false;
    }
    const uint8_t *at = (const uint8_t *)c->args + p->object_off;
    if (p->bits & PROC_OBJECT_XML)
        c->object = c->oc->find_xml(c, *(char *const *)at, p->bits & PROC_CREATES, err);
    else
        c->object = c->oc->find(c, at, err);
    return c->object != NULL;
}

static void waiter_granted(TurnWaiter *w)
{
    Call *c = (Call *)((char *)w - offsetof(Call, waiter));

    lock_enter(&c->queue_lock);
    c->in_queue = false;
    lock_leave(&c->queue_lock);
    atomic_store(&c->waiting, NULL);
    pool_push(c->d->pool, call_step_run, c, c->counts_priority);
}

/* Enters the queue; true when the turn is ours now. After false the call belongs to the queue and
 * must not be touched. */
static bool enter_queue(Call *c)
{
    static const TurnMode mode[_JOB_N] = {
        [JOB_QUERY] = TURN_QUERY, [JOB_MODIFY] = TURN_MODIFY, [JOB_OP] = TURN_MODIFY, [JOB_DESTROY] = TURN_DESTROY,
    };
    TurnQueue *q = c->oc->queue(c->object);

    c->waiter = (TurnWaiter){
        .mode = mode[c->proc->job], .granted = waiter_granted, .call_id = c->id, .what = c->proc->name,
    };
    atomic_store(&c->waiting, "turn");
    /* in_queue is set before the grant can happen: the lock orders us before waiter_granted(). */
    lock_enter(&c->queue_lock);
    bool now = turnqueue_enter(q, &c->waiter);
    if (!now)
        c->in_queue = true;
    lock_leave(&c->queue_lock);
    if (now)
        atomic_store(&c->waiting, NULL);
    return now;
}

/* Loop thread: an inline call must wait for an answer about a permission, so it becomes an ordinary
 * one, with the bounds that those have. It has done nothing yet. */
static void call_redo(Call *c)
{
    ClientState *cs = c->cs;
    g_autoptr(Message) m = message_ref(c->msg);
    const ProgramBinding *b = c->binding;
    const ProcInfo *p = c->proc;
    const HandlerSlot *slot = c->slot;

    log_context_set(NULL);
    cs->refs++;
    call_finish(c);
    if (cs->client->data == cs)
        admit_start_or_keep(cs, m, b, p, slot, LANE_NORMAL);
    client_state_unref(cs);
}

/* Worker, or loop thread for lane inline. */
void call_step_decode(void *data)
{
    Call *c = data;
    const ProcInfo *p = c->proc;
    GError *error = NULL;

    set_log_context(c);
    if (p->args_xdr) {
        c->args = g_malloc0(p->args_size);
        if (!proc_decode(p->name, p->args_xdr, p->args_size, message_body(c->msg), message_body_len(c->msg), c->args,
                         &error)) {
            call_fail(c, error);
            return;
        }
    } else if (message_body_len(c->msg)) {
        error_set(&error, VIR_ERR_RPC, "procedure %s takes no arguments, %zu bytes found", p->name,
                  message_body_len(c->msg));
        call_fail(c, error);
        return;
    }
    if (p->ret_xdr)
        c->ret = g_malloc0(p->ret_size);

    if (!check_flags(c, &error) || !find_object(c, &error)) {
        call_fail(c, error);
        return;
    }
    if (c->object) {
        c->oc->describe(c->object, &c->acl_object);
        if (c->acl_object.uuid) {
            uuid_format(c->acl_object.uuid, c->object_uuid);
            atomic_store(&c->object_known, true);
        }
    }
    call_step_access(c);
}

/* Loop thread: a backend has answered about the rule at acl_at. */
static void access_answered(bool allowed, const char *why, void *data)
{
    Call *c = data;
    GError *error = NULL;

    atomic_store(&c->waiting, NULL);
    if (!allowed) {
        acl_refuse(c, &c->proc->acl[c->acl_at], why, &error);
        call_fail(c, error);
        return;
    }
    c->acl_at++;
    pool_push(c->d->pool, call_step_access, c, c->counts_priority);
}

/* Where decoding happened, or on a worker. */
static void call_step_access(void *data)
{
    Call *c = data;
    GError *error = NULL;

    switch (acl_check_rules(c, &error)) {
    case ACCESS_NO:
        call_fail(c, error);
        return;
    case ACCESS_YES:
        call_step_enter(c);
        return;
    case ACCESS_ASK:
        break;
    }
    if (c->inline_) {
        call_redo(c);
        return;
    }

    AccessQuestion q;

    acl_question(c, &c->proc->acl[c->acl_at], &q);
    q.interactive = true;
    atomic_store(&c->waiting, "access");
    log_context_set(NULL);
    access_ask(c->d->access, &q, access_answered, c); /* the call is the loop's now */
}

static void call_step_enter(Call *c)
{
    const ProcInfo *p = c->proc;

    if (c->object && (p->job == JOB_DESTROY || p->job == JOB_ABORT) && c->oc->interrupt && !call_cancelled(c)) {
        c->interrupted = true;
        c->oc->interrupt(c->object, c, p->job);
    }
    if (c->object && p->job != JOB_NONE && p->job != JOB_ABORT && !enter_queue(c)) {
        log_context_set(NULL);
        return;
    }
    if (c->home_loop && !loop_is_current(c->d->loop)) {
        log_context_set(NULL);
        loop_post(c->d->loop, call_step_run, c);
        return;
    }
    call_step_run(c);
}

void dispatch_leave_queue(Call *c)
{
    if (c->waiter.granted_)
        turnqueue_leave(c->oc->queue(c->object), &c->waiter);
}

/* Worker, or loop thread for lane inline; the turn, where one is needed, is held. */
static void call_step_run(void *data)
{
    Call *c = data;
    const ProcInfo *p = c->proc;
    GError *error = NULL;
    void *cap = NULL;
    bool ok;

    set_log_context(c);
    if (call_cancelled(c) && !c->interrupted) {
        dispatch_leave_queue(c);
        error_set(&error, VIR_ERR_OPERATION_ABORTED, "%s was cancelled before it began", p->name);
        call_fail(c, error);
        return;
    }
    if (c->object) {
        cap = c->oc->begin(c->object, c, p->job, p->bits & PROC_ACTIVE, &error);
        if (!cap) {
            dispatch_leave_queue(c);
            call_fail(c, error);
            return;
        }
    }

    ok = p->thunk(c->slot, c, cap, c->args, c->ret, &error);
    if (!ok && !error) /* never an empty error: users.md P29 */
        error_set(&error, VIR_ERR_INTERNAL_ERROR, "%s failed without saying why", p->name);
    if (cap) {
        GError *end_error = NULL;
        if (!c->oc->end(c->object, cap, p->job, ok, ok ? &end_error : NULL) && ok) {
            ok = false;
            error = end_error;
        }
        dispatch_leave_queue(c);
    }
    if (c->must_wait && c->inline_) { /* it only looked, so it may be run again */
        g_clear_error(&error);
        call_redo(c);
        return;
    }
    if (ok && !acl_check_asked(c, &error)) {
        log_error("%s", error->message);
        ok = false;
    }
    if (ok)
        call_succeed(c);
    else
        call_fail(c, error);
}
