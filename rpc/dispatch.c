/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From bytes to a handler. The steps and where they run:
 *
 *   loop    program, version, procedure; authenticated; read-only; opened; slot filled; client's share
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
 *
 * A client that has max_client_requests calls of the normal lane running is not left unread: its
 * further calls are kept, in order, up to a number of bytes. Inline and priority calls pass them, the
 * latter up to a number of their own.
 */
#define LOG_SOURCE "rpc.dispatch"
#include "rpc/dispatch-internal.h"

#include <string.h>

#include "protocols/xdr_buf.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"

enum {
    SEC = 1000000,
    DEADLINE_SHORT_SEC = 10,
    DEADLINE_NORMAL_SEC = 30,
    TICK_USEC = 200000,
    INLINE_BUDGET_USEC = 1000,
};

static void call_step_decode(void *data);
static void call_step_access(void *data);
static void call_step_enter(Call *c);
static void call_redo(Call *c);
static void call_step_run(void *data);
static void call_finish(void *data);
static void start_backlog(ClientState *cs);
static void cancel_call(Call *c);

/* Client states ------------------------------------------------------------------------------ */

static void client_state_unref(ClientState *cs)
{
    if (--cs->refs)
        return;
    g_assert(g_queue_is_empty(&cs->calls) && g_queue_is_empty(&cs->streams));
    client_unref(cs->client);
    g_free(cs->uri);
    if (cs->watches)
        g_array_unref(cs->watches);
    lock_done(&cs->lock);
    g_free(cs);
}

bool dispatch_client_opened(Client *c, void *service)
{
    Service *s = service;

    if (s->d->draining)
        return false;

    ClientState *cs = g_new0(ClientState, 1);
    cs->refs = 1;
    cs->d = s->d;
    cs->client = client_ref(c);
    cs->service = s;
    lock_init(&cs->lock);
    conn_set_marks(c->conn, OUT_LOW, OUT_HIGH);
    c->data = cs;
    if (s->preauthenticated)
        client_set_authenticated(c);
    return true;
}

void dispatch_client_closed(Client *c, void *service)
{
    ClientState *cs = client_state(c);
    (void)service;

    if (!cs)
        return;
    c->data = NULL;

    lock_enter(&cs->lock);
    cs->closed = true;
    g_autoptr(GArray) watches = g_steal_pointer(&cs->watches);
    lock_leave(&cs->lock);
    for (unsigned i = 0; watches && i < watches->len; i++) {
        CloseWatch *w = &g_array_index(watches, CloseWatch, i);
        w->fn(c->id, w->data);
    }

    stream_close_all(cs);
    event_client_closed(cs);

    Message *m;
    while ((m = g_queue_pop_head(&cs->backlog)))
        message_unref(m);
    cs->backlog_bytes = 0;

    for (GList *l = cs->calls.head, *next; l; l = next) {
        next = l->next;
        cancel_call(l->data);
    }
    client_state_unref(cs);
}

static void dispatch_congested(Client *c, bool on, void *service)
{
    (void)service;
    if (client_state(c))
        stream_congestion(client_state(c), on);
}

/* The life of a call ------------------------------------------------------------------------- */

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
        start_backlog(cs);
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

static void call_fail(Call *c, GError *error)
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
static bool leave_waiting(Call *c)
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
static void cancel_call(Call *c)
{
    GError *error = NULL;

    atomic_store(&c->cancelled, true);
    lock_enter(&c->queue_lock);
    bool must_go_on = c->in_queue && c->interrupted;
    lock_leave(&c->queue_lock);
    if (must_go_on || !leave_waiting(c))
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
    c->reply = message_new(&h, c->proc->ret_xdr, c->ret, &error);
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
                  (unsigned long long)unknown, p->name);
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
        error_set(err, VIR_ERR_NO_SUPPORT, "%s", p->name);
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

/* Worker, or loop thread for lane inline. */
static void call_step_decode(void *data)
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
            const uint8_t *u = c->acl_object.uuid;
            g_snprintf(c->object_uuid, sizeof(c->object_uuid),
                       "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1], u[2], u[3],
                       u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
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

static void leave_queue(Call *c)
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
        leave_queue(c);
        error_set(&error, VIR_ERR_OPERATION_ABORTED, "%s was cancelled before it began", p->name);
        call_fail(c, error);
        return;
    }
    if (c->object) {
        cap = c->oc->begin(c->object, c, p->job, p->bits & PROC_ACTIVE, &error);
        if (!cap) {
            leave_queue(c);
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
        leave_queue(c);
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

/* Admission ---------------------------------------------------------------------------------- */

static void refuse(Client *c, const MsgHeader *h, int code, const char *fmt, ...) G_GNUC_PRINTF(4, 5);
static void refuse(Client *c, const MsgHeader *h, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);

    g_autoptr(GError) error = NULL;
    error_set(&error, code, "%s", text);
    g_autoptr(Message) reply = message_new_error(h, MSG_REPLY, error, VIR_FROM_RPC);
    client_send(c, reply);
}

static const HandlerSlot *slot_of(const void *table, const ProcInfo *p)
{
    if (!table)
        return NULL;
    const HandlerSlot *s = (const HandlerSlot *)((const char *)table + p->handler_off);
    return s->fn ? s : NULL;
}

static uint64_t deadline_of(const ProcInfo *p, uint64_t now)
{
    switch ((DeadlineClass)p->deadline) {
    case DEADLINE_NONE:
        return UINT64_MAX;
    case DEADLINE_SHORT:
        return now + (uint64_t)DEADLINE_SHORT_SEC * SEC;
    case DEADLINE_NORMAL:
    case DEADLINE_LONG: /* of the turn; the work itself has its own */
        return now + (uint64_t)DEADLINE_NORMAL_SEC * SEC;
    }
    return UINT64_MAX;
}

/* Loop thread. All checks that need only the header passed: makes the call and sets it going.
 * lane: the procedure's, or the normal one for a priority call that takes its turn with those. */
static void start_call(ClientState *cs, Message *m, const ProgramBinding *b, const ProcInfo *p,
                       const HandlerSlot *slot, Lane lane)
{
    Dispatcher *d = cs->d;
    Call *c = g_new0(Call, 1);
    uint64_t now = now_usec();

    c->d = d;
    c->cs = cs;
    cs->refs++;
    c->identity = identity_ref(cs->client->identity);
    c->msg = message_ref(m);
    c->binding = b;
    c->proc = p;
    c->slot = slot;
    c->driver = d->driver;
    c->id = ++d->next_call_id;
    c->started = now;
    c->readonly = cs->client->readonly || cs->open_readonly;
    c->deadline = deadline_of(p, now);
    lock_init(&c->queue_lock);
    c->link.data = c;
    c->client_link.data = c;
    g_queue_push_tail_link(&d->calls, &c->link);
    g_queue_push_tail_link(&cs->calls, &c->client_link);

    /* The core's inline handlers touch what is the loop's; those of drivers read published views. */
    c->home_loop = p->lane == LANE_INLINE && slot_of(b->handlers, p) != slot;
    if (lane == LANE_INLINE) {
        uint64_t id = c->id;
        c->inline_ = true;
        call_step_decode(c); /* the call may be gone after this */
        uint64_t took = now_usec() - now;
        if (took > INLINE_BUDGET_USEC)
            log_debug("inline call %llu (%s) took %llu us", (unsigned long long)id, p->name,
                      (unsigned long long)took);
        return;
    }
    if (lane == LANE_NORMAL) {
        c->counts = true;
        cs->running++;
    } else {
        c->counts_priority = true;
        cs->running_priority++;
    }
    if (!sd_event_source_get_enabled(d->deadline_timer, NULL)) {
        (void)sd_event_source_set_time_relative(d->deadline_timer, TICK_USEC);
        (void)sd_event_source_set_enabled(d->deadline_timer, SD_EVENT_ONESHOT);
        loop_attend(d->loop);
    }
    pool_push(d->pool, call_step_decode, c, c->counts_priority);
}

/* Starts a call, or keeps it until others of its client have ended. */
static void start_or_keep(ClientState *cs, Message *m, const ProgramBinding *b, const ProcInfo *p,
                          const HandlerSlot *slot, Lane lane)
{
    if (lane == LANE_PRIORITY && cs->running_priority >= PRIORITY_MAX)
        lane = LANE_NORMAL;
    if (lane == LANE_NORMAL &&
        (cs->running >= cs->service->limits->max_client_requests || !g_queue_is_empty(&cs->backlog))) {
        g_queue_push_tail(&cs->backlog, message_ref(m));
        cs->backlog_bytes += m->len + BACKLOG_OVERHEAD;
        if (cs->backlog_bytes > BACKLOG_BYTES_MAX && !cs->paused) {
            cs->paused = true;
            conn_pause(cs->client->conn);
            log_warn("client %llu has %u calls running and %zu bytes of further calls waiting; not reading it",
                     (unsigned long long)cs->client->id, cs->running, cs->backlog_bytes);
        }
        return;
    }
    start_call(cs, m, b, p, slot, lane);
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
        start_or_keep(cs, m, b, p, slot, LANE_NORMAL);
    client_state_unref(cs);
}

/* Loop thread: the header checks. */
static void admit_call(ClientState *cs, Message *m)
{
    Client *client = cs->client;
    const Service *s = cs->service;
    const MsgHeader *h = &m->h;
    const ProgramBinding *b = NULL;

    for (unsigned i = 0; i < s->n_programs && !b; i++)
        if (s->programs[i].info->number == h->prog)
            b = &s->programs[i];
    if (!b) {
        refuse(client, h, VIR_ERR_RPC, "unknown program 0x%x", h->prog);
        return;
    }
    if (cs->d->draining) {
        refuse(client, h, VIR_ERR_OPERATION_ABORTED, "the daemon is stopping");
        return;
    }
    if (b->info->version != h->vers) {
        refuse(client, h, VIR_ERR_RPC, "program %s has version %u, not %u", b->info->name, b->info->version, h->vers);
        return;
    }
    const ProcInfo *p = program_find(b->info, h->proc);
    if (!p || (p->bits & PROC_EVENT)) {
        refuse(client, h, VIR_ERR_RPC, "unknown procedure %d of program %s", h->proc, b->info->name);
        return;
    }
    if (m->n_fds && !(p->bits & PROC_FDS_IN)) {
        refuse(client, h, VIR_ERR_RPC, "procedure %s takes no file descriptors", p->name);
        return;
    }
    if (auth_is_call(h)) {
        auth_call(client, m);
        return;
    }
    if (!client->authenticated && !(p->bits & PROC_AUTH)) {
        refuse(client, h, VIR_ERR_AUTH_FAILED, "%s needs authentication first", p->name);
        return;
    }
    if ((client->readonly || cs->open_readonly) && !(p->bits & PROC_RO_OK)) {
        refuse(client, h, VIR_ERR_OPERATION_DENIED, "%s", p->name);
        return;
    }
    if (!cs->opened && !(p->bits & (PROC_AUTH | PROC_PREOPEN))) {
        refuse(client, h, VIR_ERR_INTERNAL_ERROR, "connection not open");
        return;
    }
    const HandlerSlot *slot = slot_of(b->handlers, p);
    if (!slot)
        slot = slot_of(b->core_handlers, p);
    if (!slot) {
        refuse(client, h, VIR_ERR_NO_SUPPORT, "%s", p->name);
        return;
    }

    start_or_keep(cs, m, b, p, slot, p->lane);
}

static void start_backlog(ClientState *cs)
{
    while (!cs->d->draining && cs->running < cs->service->limits->max_client_requests && !g_queue_is_empty(&cs->backlog)) {
        g_autoptr(Message) m = g_queue_pop_head(&cs->backlog);
        cs->backlog_bytes -= m->len + BACKLOG_OVERHEAD;
        for (unsigned i = 0; i < cs->service->n_programs; i++) {
            const ProgramBinding *b = &cs->service->programs[i];
            if (b->info->number != m->h.prog)
                continue;
            /* Checked when it came in; rights of the connection only ever shrink by open(). */
            const ProcInfo *p = program_find(b->info, m->h.proc);
            const HandlerSlot *slot = slot_of(b->handlers, p);
            start_call(cs, m, b, p, slot ? slot : slot_of(b->core_handlers, p), LANE_NORMAL);
            break;
        }
    }
    if (cs->paused && cs->backlog_bytes < BACKLOG_BYTES_MAX / 2) {
        cs->paused = false;
        conn_resume(cs->client->conn);
    }
}

void dispatch_message(Client *client, Message *m, void *service)
{
    ClientState *cs = client_state(client);
    (void)service;

    if (!cs)
        return;
    switch ((MsgType)m->h.type) {
    case MSG_CALL:
    case MSG_CALL_FDS:
        admit_call(cs, m);
        return;
    case MSG_STREAM:
    case MSG_HOLE:
        stream_incoming(cs, m);
        return;
    case MSG_REPLY:
    case MSG_REPLY_FDS:
    case MSG_EVENT:
    case _MSG_N:
        break;
    }
    log_info("client %llu sent a message of type %u that only a server may send; closing it",
             (unsigned long long)client->id, m->h.type);
    client_close(client, false);
}

/* Deadlines, call table ---------------------------------------------------------------------- */

static void expire(Call *c, uint64_t now)
{
    TurnQueue *q = c->oc->queue(c->object);
    g_autofree char *what = NULL;
    uint64_t since = 0, holder = 0;
    bool held = turnqueue_holder(q, &what, &since, &holder);

    if (!leave_waiting(c))
        return;

    GError *error = NULL;
    uint64_t hung = c->oc->unresponsive_since ? c->oc->unresponsive_since(c->object) : 0;
    g_autofree char *why = hung ? g_strdup_printf("; its monitor has not answered for %llu s",
                                                  (unsigned long long)((now - hung) / SEC))
                                : g_strdup("");
    if (held)
        error_set(&error, VIR_ERR_OPERATION_TIMEOUT,
                  "%s waited %llu s for its turn behind %s (call %llu, running for %llu s)%s", c->proc->name,
                  (unsigned long long)((now - c->started) / SEC), what, (unsigned long long)holder,
                  (unsigned long long)((now - since) / SEC), why);
    else
        error_set(&error, VIR_ERR_OPERATION_TIMEOUT, "%s waited %llu s for its turn%s", c->proc->name,
                  (unsigned long long)((now - c->started) / SEC), why);
    call_fail(c, error);
}

static int on_tick(sd_event_source *s, uint64_t usec, void *data)
{
    Dispatcher *d = data;
    uint64_t now = now_usec();
    (void)usec;

    for (GList *l = d->calls.head, *next; l; l = next) {
        Call *c = l->data;
        next = l->next;
        lock_enter(&c->queue_lock);
        bool waiting = c->in_queue;
        lock_leave(&c->queue_lock);
        if (waiting && now > c->deadline)
            expire(c, now);
    }
    if (!g_queue_is_empty(&d->calls)) {
        (void)sd_event_source_set_time_relative(s, TICK_USEC);
        (void)sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
    }
    return 0;
}

unsigned dispatcher_calls_in_flight(const Dispatcher *d)
{
    return d->calls.length;
}

GArray *dispatcher_calls(Dispatcher *d)
{
    GArray *rows = g_array_new(false, true, sizeof(CallRow));
    uint64_t now = now_usec();

    for (GList *l = d->calls.head; l; l = l->next) {
        Call *c = l->data;
        CallRow r = { .id = c->id,
                      .client_id = c->cs->client->id,
                      .program = c->binding->info->name,
                      .procedure = c->proc->name,
                      .server = server_name(c->cs->service->server),
                      .waiting = atomic_load(&c->waiting),
                      .age_usec = now - c->started,
                      .uid = call_uid(c) };
        if (atomic_load(&c->object_known))
            memcpy(r.object, c->object_uuid, sizeof(r.object));
        g_array_append_val(rows, r);
    }
    return rows;
}

Metrics *dispatcher_metrics(Dispatcher *d)
{
    return d->metrics;
}

void dispatcher_render_metrics(Dispatcher *d, GString *out)
{
    unsigned turns = 0, access = 0, others = 0;

    for (GList *l = d->calls.head; l; l = l->next) {
        const Call *c = l->data;
        const char *waiting = atomic_load(&c->waiting);

        if (waiting)
            (*(strcmp(waiting, "turn") == 0 ? &turns : strcmp(waiting, "access") == 0 ? &access : &others))++;
    }
    metrics_family(out, "modvirt_calls_in_flight", "gauge", "Calls that are not answered yet.");
    metrics_sample(out, "modvirt_calls_in_flight", NULL, NULL, d->calls.length);
    metrics_family(out, "modvirt_calls_waiting", "gauge", "Calls that wait, by what for.");
    metrics_sample(out, "modvirt_calls_waiting", "what", "turn", turns);
    metrics_sample(out, "modvirt_calls_waiting", "what", "access", access);
    metrics_sample(out, "modvirt_calls_waiting", "what", "other", others);
    metrics_render(d->metrics, out);
}

bool dispatcher_cancel(Dispatcher *d, uint64_t id)
{
    for (GList *l = d->calls.head; l; l = l->next) {
        Call *c = l->data;
        if (c->id == id) {
            cancel_call(c);
            return true;
        }
    }
    return false;
}

/* The dispatcher ----------------------------------------------------------------------------- */

Dispatcher *dispatcher_new(Loop *loop, Pool *pool, const Driver *driver, GError **err)
{
    Dispatcher *d = g_new0(Dispatcher, 1);

    d->loop = loop;
    d->pool = pool;
    d->driver = driver;
    d->stream_drain_usec = STREAM_DRAIN_USEC;
    d->services = g_ptr_array_new();
    d->metrics = metrics_new();
    int r = sd_event_add_time_relative(loop_event(loop), &d->deadline_timer, CLOCK_MONOTONIC, TICK_USEC, TICK_USEC / 4,
                                       on_tick, d);
    if (r < 0) {
        error_set_errno(err, -r, "cannot make the deadline timer");
        return dispatcher_free(d);
    }
    (void)sd_event_source_set_enabled(d->deadline_timer, SD_EVENT_OFF);
    event_hub_init(d);
    return d;
}

/* Whether a client can, and so must, authenticate by a call of one of these programs. */
static bool knows_authentication(const ProgramBinding *programs, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        for (uint32_t j = 0; j < programs[i].info->n_procs; j++)
            if (programs[i].info->procs[j].name && programs[i].info->procs[j].bits & PROC_AUTH)
                return true;
    return false;
}

Server *dispatcher_serve(Dispatcher *d, const char *name, const ServerLimits *limits, UserRegistry *users,
                         const ProgramBinding *programs, unsigned n_programs)
{
    static const ServerOps ops = {
        .opened = dispatch_client_opened,
        .message = dispatch_message,
        .congested = dispatch_congested,
        .closed = dispatch_client_closed,
    };
    Service *s = g_new0(Service, 1);

    s->d = d;
    s->programs = g_memdup2(programs, sizeof(*programs) * n_programs);
    s->n_programs = n_programs;
    s->preauthenticated = !knows_authentication(programs, n_programs);
    s->server = server_new(d->loop, name, limits, users, &ops, s);
    s->limits = server_limits(s->server);
    g_ptr_array_add(d->services, s);
    return s->server;
}

void dispatcher_set_access(Dispatcher *d, Access *access)
{
    d->access = access;
}

void dispatcher_drain(Dispatcher *d, uint64_t usec)
{
    uint64_t until = now_usec() + usec;

    d->draining = true;
    if (d->access)
        access_stop(d->access);
    for (GList *l = d->calls.head, *next; l; l = next) {
        next = l->next;
        cancel_call(l->data);
    }
    while (!g_queue_is_empty(&d->calls)) {
        uint64_t now = now_usec();
        if (now >= until || loop_turn(d->loop, until - now) < 0)
            break;
    }
}

Dispatcher *dispatcher_free(Dispatcher *d)
{
    if (!d)
        return NULL;
    event_hub_done();
    for (unsigned i = 0; i < d->services->len; i++) {
        Service *s = d->services->pdata[i];
        g_free(s->programs);
        g_free(s);
    }
    g_ptr_array_unref(d->services);
    metrics_free(d->metrics);
    sd_event_source_disable_unref(d->deadline_timer);
    g_free(d);
    return NULL;
}
