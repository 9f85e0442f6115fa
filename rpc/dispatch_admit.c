/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Admission: the checks that need only the header, and when a call may begin.
 *
 * A client that has max_client_requests calls of the normal lane running is not left unread: its
 * further calls are kept, in order, up to a number of bytes. Inline and priority calls pass them, the
 * latter up to a number of their own. Loop thread.
 */
#define LOG_SOURCE "rpc.dispatch"
#include "protocols/lxc_procs.h"
#include "protocols/qemu_procs.h"
#include "protocols/remote_procs.h"
#include "rpc/dispatch-internal.h"
#include "util/error.h"
#include "util/log.h"

enum {
    SEC = 1000000,
    DEADLINE_SHORT_SEC = 10,
    DEADLINE_NORMAL_SEC = 30,
    INLINE_BUDGET_USEC = 1000,
};

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
void admit_start_or_keep(ClientState *cs, Message *m, const ProgramBinding *b, const ProcInfo *p,
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

/* Which other daemon's business a call is; ROUTE_LOCAL: ours, as is all that our driver answers. */
static Route sibling_route(const Dispatcher *d, const ProgramBinding *b, const ProcInfo *p)
{
    if (!d->siblings || b->info->number != REMOTE_PROGRAM || slot_of(b->handlers, p))
        return ROUTE_LOCAL;

    Route r = remote_route[p->number];

    return forward_daemon_of_route(r) ? r : ROUTE_LOCAL;
}

static void forward_to_sibling(ClientState *cs, Route r, Message *m)
{
    if (!cs->siblings) {
        cs->siblings = session_new(cs->d->siblings, cs->client, cs->open_readonly);
        session_congested(cs->siblings, cs->congested);
    }
    session_forward(cs->siblings, r, m);
}

bool admit_sibling_stream(const ClientState *cs, Message *m)
{
    const Service *s = cs->service;

    for (unsigned i = 0; cs->siblings && i < s->n_programs; i++) {
        const ProgramBinding *b = &s->programs[i];
        const ProcInfo *p = b->info->number == m->h.prog ? program_find(b->info, m->h.proc) : NULL;
        Route r = p ? sibling_route(cs->d, b, p) : ROUTE_LOCAL;

        if (r != ROUTE_LOCAL) {
            session_forward(cs->siblings, r, m);
            return true;
        }
    }
    return false;
}

/* Loop thread: the header checks. */
void admit_call(ClientState *cs, Message *m)
{
    Client *client = cs->client;
    const Service *s = cs->service;
    const MsgHeader *h = &m->h;
    const ProgramBinding *b = NULL;

    for (unsigned i = 0; i < s->n_programs && !b; i++)
        if (s->programs[i].info->number == h->prog)
            b = &s->programs[i];
    if (!b) {
        const ProcInfo *elsewhere = h->prog == lxc_program.number    ? program_find(&lxc_program, h->proc)
                                    : h->prog == qemu_program.number ? program_find(&qemu_program, h->proc)
                                                                     : NULL;
        if (elsewhere) /* another driver's own */
            refuse(client, h, VIR_ERR_NO_SUPPORT, "%s", elsewhere->api);
        else
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
        refuse(client, h, VIR_ERR_OPERATION_DENIED, "read only access prevents %s", p->api);
        return;
    }
    if (!cs->opened && !(p->bits & (PROC_AUTH | PROC_PREOPEN))) {
        refuse(client, h, VIR_ERR_INTERNAL_ERROR, "connection not open");
        return;
    }
    Route r = sibling_route(cs->d, b, p);
    if (r != ROUTE_LOCAL) {
        forward_to_sibling(cs, r, m);
        return;
    }
    const HandlerSlot *slot = slot_of(b->handlers, p);
    if (!slot)
        slot = slot_of(b->core_handlers, p);
    if (!slot) {
        refuse(client, h, VIR_ERR_NO_SUPPORT, "%s", p->api);
        return;
    }

    admit_start_or_keep(cs, m, b, p, slot, p->lane);
}

void admit_backlog(ClientState *cs)
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
