/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The dispatcher, its services and what is known of their clients. What comes in goes to
 * dispatch_admit.c (calls) or stream.c; dispatch_call.c is the life of a call, dispatch_table.c the
 * table of those in flight. Loop thread.
 */
#define LOG_SOURCE "rpc.dispatch"
#include "rpc/dispatch-internal.h"

#include "util/error.h"
#include "util/log.h"

/* Client states ------------------------------------------------------------------------------ */

void client_state_unref(ClientState *cs)
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

    cs->relay = relay_free(cs->relay);
    cs->siblings = session_free(cs->siblings);
    stream_close_all(cs);
    event_client_closed(cs);

    Message *m;
    while ((m = g_queue_pop_head(&cs->backlog)))
        message_unref(m);
    cs->backlog_bytes = 0;

    for (GList *l = cs->calls.head, *next; l; l = next) {
        next = l->next;
        call_cancel(l->data);
    }
    client_state_unref(cs);
}

static void dispatch_congested(Client *c, bool on, void *service)
{
    (void)service;
    ClientState *cs = client_state(c);

    if (!cs)
        return;
    stream_congestion(cs, on);
    if (cs->relay)
        relay_client_congested(cs->relay, on);
    if (cs->siblings)
        session_congested(cs->siblings, on);
}

void dispatch_message(Client *client, Message *m, void *service)
{
    ClientState *cs = client_state(client);
    (void)service;

    if (!cs)
        return;
    if (cs->relay) {
        relay_send(cs->relay, m);
        return;
    }
    switch ((MsgType)m->h.type) {
    case MSG_CALL:
    case MSG_CALL_FDS:
        admit_call(cs, m);
        return;
    case MSG_STREAM:
    case MSG_HOLE:
        if (!admit_sibling_stream(cs, m))
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
                                       dispatch_on_tick, d);
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

void dispatcher_set_siblings(Dispatcher *d, Forwarder *siblings)
{
    d->siblings = siblings;
}

void dispatcher_drain(Dispatcher *d, uint64_t usec)
{
    uint64_t until = now_usec() + usec;

    d->draining = true;
    if (d->access)
        access_stop(d->access);
    for (GList *l = d->calls.head, *next; l; l = next) {
        next = l->next;
        call_cancel(l->data);
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
