/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The proxy. A client's messages are routed by program and procedure to one upstream per client and
 * daemon; what an upstream sends goes to the client as it is. Because no two clients share an
 * upstream, serials, callback ids, streams and descriptors need no translation, and a body is never
 * decoded, save for the few procedures that are the proxy's own (forward_local.c).
 *
 * Invariant: messages of the client reach an upstream in the order in which they came, and never
 * before the upstream's own handshake is over.
 *
 * Back-pressure: a daemon that does not read pauses its client once UPSTREAM_HIGH bytes wait for
 * it; a client that does not read pauses all its upstreams. Within these bounds the other daemons
 * of the client go on.
 * Loop thread only.
 */
#include "rpc/forward.h"

#include "protocols/lxc_procs.h"
#include "protocols/qemu_procs.h"
#include "protocols/remote_procs.h"
#include "rpc/forward-internal.h"
#include "rpc/metrics.h"
#include "util/error.h"

void session_reply_error(Session *s, const MsgHeader *call, const GError *error)
{
    g_autoptr(Message) m = message_new_error(call, MSG_REPLY, error, VIR_FROM_RPC);

    client_send(s->client, m);
}

void session_drop_secondaries(Session *s)
{
    for (unsigned i = 0; i < _ROUTE_N; i++)
        if (i != ROUTE_PRIMARY)
            s->up[i] = upstream_free(s->up[i]);
}

void session_drop_upstreams(Session *s)
{
    for (unsigned i = 0; i < _ROUTE_N; i++)
        s->up[i] = upstream_free(s->up[i]);
}

/* Who answers; false with *err: no program of ours. */
static bool route_of(const MsgHeader *h, Route *ret, GError **err)
{
    uint32_t version;

    switch (h->prog) {
    case REMOTE_PROGRAM:
        version = REMOTE_PROTOCOL_VERSION;
        /* A procedure that is newer than we are: the daemon may know it. */
        *ret = h->proc > 0 && h->proc < _REMOTE_PROC_N ? remote_route[h->proc] : ROUTE_PRIMARY;
        break;
    case QEMU_PROGRAM:
        version = QEMU_PROTOCOL_VERSION;
        *ret = ROUTE_PRIMARY;
        break;
    case LXC_PROGRAM:
        version = LXC_PROTOCOL_VERSION;
        *ret = ROUTE_PRIMARY;
        break;
    default:
        error_set(err, VIR_ERR_RPC, "unknown program 0x%x", h->prog);
        return false;
    }
    if (h->vers != version) {
        error_set(err, VIR_ERR_RPC, "program 0x%x has version %u, not %u", h->prog, version, h->vers);
        return false;
    }
    return true;
}

/* A call that cannot be forwarded now; false with the reason. */
static bool may_forward(const Session *s, Route route, GError **err)
{
    if (!s->client->authenticated) {
        error_set(err, VIR_ERR_AUTH_FAILED, "authentication is required first");
        return false;
    }
    /* While the primary is being opened, calls to it are parked; the others depend on its success. */
    if (!s->open && !(s->opening && route == ROUTE_PRIMARY)) {
        error_set(err, VIR_ERR_RPC, "the connection is not open");
        return false;
    }
    return true;
}

static void session_call(Session *s, Message *m)
{
    g_autoptr(GError) error = NULL;
    Route route;

    if (!route_of(&m->h, &route, &error)) {
        session_reply_error(s, &m->h, error);
    } else if (route == ROUTE_LOCAL) {
        forward_local_call(s, m);
    } else if (!may_forward(s, route, &error)) {
        session_reply_error(s, &m->h, error);
    } else {
        session_forward(s, route, m);
    }
}

/* Frames of a stream follow the call that opened it. Without an upstream it was dropped: the daemon
 * went away, and the client has been told. */
static void session_stream(Session *s, Message *m)
{
    Route route;

    if ((s->open || s->opening) && route_of(&m->h, &route, NULL) && route != ROUTE_LOCAL)
        session_forward(s, route, m);
}

static void forward_message(Client *c, Message *m, void *data)
{
    Session *s = c->data;

    switch ((MsgType)m->h.type) {
    case MSG_CALL:
    case MSG_CALL_FDS:
        session_call(s, m);
        break;
    case MSG_STREAM:
    case MSG_HOLE:
        session_stream(s, m);
        break;
    case MSG_REPLY:
    case MSG_REPLY_FDS:
    case MSG_EVENT:
    case _MSG_N:
        client_log_bad(c, "it sent a reply or an event");
        client_close(c, false);
        break;
    }
}

Session *session_new(Forwarder *f, Client *c, bool readonly)
{
    Session *s = g_new0(Session, 1);

    s->f = f;
    s->client = c;
    s->flags = readonly ? VIR_CONNECT_RO : 0;
    s->link.data = s;
    g_queue_push_tail_link(&f->sessions, &s->link);
    return s;
}

Session *session_free(Session *s)
{
    if (!s)
        return NULL;
    session_drop_upstreams(s);
    g_queue_unlink(&s->f->sessions, &s->link);
    g_free(s->name);
    g_free(s);
    return NULL;
}

void session_congested(Session *s, bool on)
{
    s->congested = on;
    for (unsigned i = 0; i < _ROUTE_N; i++)
        if (s->up[i])
            upstream_client_congested(s->up[i], on);
}

static bool forward_opened(Client *c, void *data)
{
    c->data = session_new(data, c, false);
    conn_set_marks(c->conn, CLIENT_LOW, CLIENT_HIGH);
    return true;
}

static void forward_congested(Client *c, bool on, void *data)
{
    session_congested(c->data, on);
}

static void forward_closed(Client *c, void *data)
{
    c->data = session_free(c->data);
}

static const ServerOps forward_ops = {
    .opened = forward_opened,
    .message = forward_message,
    .congested = forward_congested,
    .closed = forward_closed,
};

Forwarder *forwarder_new(Loop *loop, const ForwarderConfig *cfg)
{
    Forwarder *f = g_new0(Forwarder, 1);

    f->loop = loop;
    f->run_dir = g_strdup(cfg->run_dir);
    f->open_timeout_sec = cfg->open_timeout_sec ? cfg->open_timeout_sec : 30;
    f->session_mode = cfg->session;
    f->metrics = cfg->metrics;
    return f;
}

Server *forwarder_serve(Forwarder *f, const char *name, const ServerLimits *limits, UserRegistry *users)
{
    g_assert(!f->server);
    f->server = server_new(f->loop, name, limits, users, &forward_ops, f);
    return f->server;
}

typedef struct UpstreamFigures {
    unsigned open[_ROUTE_N], opening[_ROUTE_N];
    uint64_t queued, parked;
} UpstreamFigures;

static void add_session(const Session *s, UpstreamFigures *t)
{
    for (unsigned i = 0; i < _ROUTE_N; i++) {
        const Upstream *u = s->up[i];

        if (!u)
            continue;
        (*(u->state == UP_READY ? &t->open[i] : &t->opening[i]))++;
        t->parked += u->parked_bytes;
        t->queued += u->conn ? conn_queued_bytes(u->conn) : 0;
    }
}

void forwarder_render_metrics(Forwarder *f, GString *out)
{
    UpstreamFigures t = { { 0 } };

    for (const GList *l = f->sessions.head; l; l = l->next)
        add_session(l->data, &t);
    for (unsigned opening = 0; opening < 2; opening++) {
        const char *name = opening ? "modvirt_upstreams_opening" : "modvirt_upstreams";

        metrics_family(out, name, "gauge", opening ? "Connections to daemons that are being opened." : "Connections to daemons.");
        for (Route r = 0; r < _ROUTE_N; r++) {
            const char *daemon = r == ROUTE_PRIMARY && f->server ? "primary" : forward_daemon_of_route(r);

            if (daemon)
                metrics_sample(out, name, "daemon", daemon, opening ? t.opening[r] : t.open[r]);
        }
    }
    metrics_family(out, "modvirt_upstream_queued_bytes", "gauge", "Bytes that daemons have not taken yet.");
    metrics_sample(out, "modvirt_upstream_queued_bytes", NULL, NULL, t.queued);
    metrics_family(out, "modvirt_upstream_parked_bytes", "gauge", "Bytes of calls to daemons that are being opened.");
    metrics_sample(out, "modvirt_upstream_parked_bytes", NULL, NULL, t.parked);
}

Forwarder *forwarder_free(Forwarder *f)
{
    if (!f)
        return NULL;
    server_free(f->server);
    g_free(f->run_dir);
    g_free(f);
    return NULL;
}
