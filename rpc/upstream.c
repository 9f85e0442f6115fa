/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection from the proxy to one daemon on behalf of one client: connect (which starts the
 * daemon by socket activation; in a user's session, where there is none, we start it), authenticate, open, say for whom we act, then forward. What the
 * client sends meanwhile is parked. The handshake's replies are the only ones that are looked into.
 *
 * The end of an upstream: of the primary, it is the end of the client, as if it had been connected
 * directly. A secondary's calls in flight are answered with an error, its streams are aborted, and
 * the next call opens it again. 'pending' serves this purpose alone. But who waits for events of a secondary
 * would wait for ever, and the protocol has no word for that; so to him, too, it is the end of the connection,
 * which clients know to open again and to subscribe anew.
 * A failure frees the Upstream, so whoever calls a function that may fail does not touch it
 * afterwards. Loop thread only.
 */
#define LOG_SOURCE "rpc.upstream"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocols/remote_procs.h"
#include "protocols/xdr_buf.h"
#include "rpc/forward-internal.h"
#include "rpc/identity_params.h"
#include "rpc/message-internal.h"
#include "rpc/metrics.h"
#include "rpc/session_daemon.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"

enum {
    RETRY_USEC = 10 * 1000,
};

static bool is_primary(const Upstream *u)
{
    return u->target == ROUTE_PRIMARY;
}

/* --- figures ------------------------------------------------------------------------------------------- */

static void timed_begin(Upstream *u, const MsgHeader *h)
{
    u->timed[h->serial % TIMED_CALLS] = (TimedCall){ now_usec(), h->prog, h->serial, h->proc };
}

static void timed_end(Upstream *u, const MsgHeader *h)
{
    TimedCall *t = &u->timed[h->serial % TIMED_CALLS];

    if (!t->since || t->serial != h->serial || t->proc != h->proc || t->prog != h->prog)
        return;

    const ProcInfo *p = msg_proc(h);

    if (p && u->s->f->metrics)
        metrics_call(u->s->f->metrics, msg_program(h), p, now_usec() - t->since, h->status != MSG_OK);
    t->since = 0;
}

/* --- pending calls of secondaries ------------------------------------------------------------------ */

static Pending *pending_find(Upstream *u, const MsgHeader *h, bool is_stream)
{
    for (unsigned i = 0; u->pending && i < u->pending->len; i++) {
        Pending *p = &g_array_index(u->pending, Pending, i);

        if (p->serial == h->serial && p->proc == h->proc && p->prog == h->prog && p->is_stream == is_stream)
            return p;
    }
    return NULL;
}

static void pending_remove(Upstream *u, Pending *p)
{
    if (p)
        g_array_remove_index_fast(u->pending, p - &g_array_index(u->pending, Pending, 0));
}

static void pending_sent(Upstream *u, const Message *m)
{
    if (!u->pending)
        u->pending = g_array_new(false, false, sizeof(Pending));

    Pending p = { m->h.prog, m->h.vers, m->h.proc, m->h.serial, false };

    g_array_append_val(u->pending, p);
}

/* A subscription began or ended. */
static void count_subscription(Upstream *u, const ProcInfo *proc)
{
    if (g_str_has_suffix(proc->name, "_event_register_any"))
        u->n_subscribed++;
    else if (g_str_has_suffix(proc->name, "_event_deregister_any") && u->n_subscribed)
        u->n_subscribed--;
}

static void pending_received(Upstream *u, const Message *m)
{
    if (m->h.type == MSG_REPLY || m->h.type == MSG_REPLY_FDS) {
        const ProcInfo *proc = msg_proc(&m->h);
        Pending *p = pending_find(u, &m->h, false);

        if (p && m->h.status == MSG_OK && proc)
            count_subscription(u, proc);
        if (p && m->h.status == MSG_OK && proc && proc->bits & (PROC_STREAM_IN | PROC_STREAM_OUT))
            p->is_stream = true;
        else
            pending_remove(u, p);
    } else if (m->h.type == MSG_STREAM && m->h.status != MSG_CONTINUE) {
        pending_remove(u, pending_find(u, &m->h, true)); /* finished or aborted by the daemon */
    }
}

/* --- endings ----------------------------------------------------------------------------------------- */

Upstream *upstream_free(Upstream *u)
{
    if (!u)
        return NULL;
    sd_event_source_disable_unref(u->timer);
    sd_event_source_disable_unref(u->retry);
    if (u->conn)
        conn_abandon(u->conn);
    conn_unref(u->conn);
    if (u->congested)
        conn_resume(u->s->client->conn);
    if (u->parked_pause)
        conn_resume(u->s->client->conn);
    g_queue_clear_full(&u->parked, (GDestroyNotify)message_unref);
    if (u->pending)
        g_array_unref(u->pending);
    g_free(u);
    return NULL;
}

/* The payload of an error reply, for as many calls as need it. */
static void reply_with(Session *s, const MsgHeader *call, MsgType type, const Message *failure)
{
    MsgHeader h = *call;

    h.type = type;
    h.status = MSG_ERROR;

    g_autoptr(Message) m = message_new_bytes(&h, message_body(failure), message_body_len(failure));

    client_send(s->client, m);
}

/* The upstream could not be opened: everybody who waits for it is told. Frees u. */
static void upstream_failed_with(Upstream *u, const Message *failure)
{
    Session *s = u->s;
    GQueue parked = u->parked;

    g_queue_init(&u->parked);
    s->up[u->target] = NULL;
    bool primary = is_primary(u);

    u = upstream_free(u);
    if (primary)
        forward_primary_done(s, failure);
    for (;;) {
        g_autoptr(Message) m = g_queue_pop_head(&parked);

        if (!m)
            break;
        if (m->h.type == MSG_CALL || m->h.type == MSG_CALL_FDS)
            reply_with(s, &m->h, MSG_REPLY, failure);
    }
}

static void upstream_failed(Upstream *u, const GError *error)
{
    static const MsgHeader none = { 0 };
    g_autoptr(Message) failure = message_new_error(&none, MSG_REPLY, error, VIR_FROM_RPC);

    upstream_failed_with(u, failure);
}

/* The connection ended after it was open. Frees u. */
static void upstream_died(Upstream *u, const GError *why)
{
    Session *s = u->s;
    g_autoptr(GError) error = NULL;

    s->up[u->target] = NULL;
    if (is_primary(u)) {
        log_info("client %" G_GUINT64_FORMAT " is disconnected: %s closed its connection%s%s", s->client->id, u->daemon,
                 why ? ": " : "", why ? why->message : "");
        upstream_free(u);
        client_close(s->client, true);
        return;
    }

    error_set(&error, VIR_ERR_RPC, "%s closed the connection before it answered%s%s; see 'systemctl status %s'", u->daemon,
              why ? ": " : "", why ? why->message : "", u->daemon);
    for (unsigned i = 0; u->pending && i < u->pending->len; i++) {
        const Pending *p = &g_array_index(u->pending, Pending, i);
        const MsgHeader h = { p->prog, p->vers, p->proc, 0, p->serial, MSG_ERROR };
        g_autoptr(Message) m = message_new_error(&h, p->is_stream ? MSG_STREAM : MSG_REPLY, error, VIR_FROM_RPC);

        client_send(s->client, m);
    }
    if (u->n_subscribed) {
        log_info("client %" G_GUINT64_FORMAT " is disconnected: it waits for events of %s, which closed its connection%s%s",
                 s->client->id, u->daemon, why ? ": " : "", why ? why->message : "");
        upstream_free(u);
        client_close(s->client, true);
        return;
    }
    upstream_free(u);
}

/* --- handshake --------------------------------------------------------------------------------------- */

static void upstream_call(Upstream *u, UpstreamState state, int32_t proc, xdrproc_t xdr, const void *args)
{
    const MsgHeader h = { REMOTE_PROGRAM, REMOTE_PROTOCOL_VERSION, proc, MSG_CALL, ++u->serial, MSG_OK };
    g_autoptr(GError) error = NULL;
    g_autoptr(Message) m = message_new(&h, xdr, args, &error);

    u->state = state;
    if (m)
        conn_send(u->conn, m);
    else
        upstream_failed(u, error); /* a name of four megabytes */
}

static void upstream_call_open(Upstream *u)
{
    Session *s = u->s;
    g_autofree char *uri = NULL;
    remote_connect_open_args a = { .flags = s->flags };

    if (s->client->readonly)
        a.flags |= VIR_CONNECT_RO;
    if (!is_primary(u))
        uri = g_strdup_printf("%s:///%s", forward_scheme_of_route(u->target), s->f->session_mode ? "session" : "system");
    a.name = is_primary(u) ? s->name : uri;
    upstream_call(u, UP_OPEN, REMOTE_PROC_CONNECT_OPEN, (xdrproc_t)xdr_remote_connect_open_args, &a);
}

static void upstream_send(Upstream *u, Message *m);

static void upstream_ready(Upstream *u)
{
    Session *s = u->s;

    u->state = UP_READY;
    u->timer = sd_event_source_disable_unref(u->timer);
    if (s->congested)
        conn_pause(u->conn);
    if (is_primary(u))
        forward_primary_done(s, NULL);
    for (;;) {
        g_autoptr(Message) m = g_queue_pop_head(&u->parked);

        if (!m)
            break;
        upstream_send(u, m);
    }
    u->parked_bytes = 0;
    if (u->parked_pause) {
        u->parked_pause = false;
        conn_resume(s->client->conn);
    }
}

/* Also of a client of whom nothing is known: to the daemon it must not be what we are. */
static void upstream_call_identity(Upstream *u)
{
    remote_typed_param params[IDENTITY_PARAMS_MAX];
    remote_connect_set_identity_args a = {
        .params = { identity_to_params(u->s->client->identity, params), params },
    };

    upstream_call(u, UP_IDENTITY, REMOTE_PROC_CONNECT_SET_IDENTITY,
                  (xdrproc_t)xdr_remote_connect_set_identity_args, &a);
}

static void upstream_authenticated_by(Upstream *u, const Message *m)
{
    remote_auth_list_ret r;
    g_autoptr(GError) error = NULL;
    bool none = false, polkit = false;

    if (!proc_decode("auth_list", (xdrproc_t)xdr_remote_auth_list_ret, sizeof(r), message_body(m), message_body_len(m), &r,
                     &error)) {
        upstream_failed(u, error);
        return;
    }
    for (unsigned i = 0; i < r.types.types_len; i++) {
        none = none || r.types.types_val[i] == REMOTE_AUTH_NONE;
        polkit = polkit || r.types.types_val[i] == REMOTE_AUTH_POLKIT;
    }
    proc_free((xdrproc_t)xdr_remote_auth_list_ret, &r);
    if (none) {
        upstream_call_identity(u);
    } else if (polkit) {
        upstream_call(u, UP_AUTH, REMOTE_PROC_AUTH_POLKIT, NULL, NULL); /* the answer says the rest */
    } else {
        error_set(&error, VIR_ERR_AUTH_FAILED, "%s asks for an authentication that the proxy cannot give", u->daemon);
        upstream_failed(u, error);
    }
}

static void upstream_handshake(Upstream *u, Message *m)
{
    g_autoptr(GError) error = NULL;

    if (m->h.type != MSG_REPLY || m->h.prog != REMOTE_PROGRAM || m->h.serial != u->serial) {
        error_set(&error, VIR_ERR_RPC, "%s sent an unexpected message (type %u, procedure %d) while it was being opened",
                  u->daemon, m->h.type, m->h.proc);
        upstream_failed(u, error);
        return;
    }
    if (m->h.status != MSG_OK && u->state == UP_IDENTITY && !u->opened) {
        upstream_call_open(u); /* not a daemon of ours: it wants to be opened first */
        return;
    }
    if (m->h.status != MSG_OK) {
        upstream_failed_with(u, m); /* the daemon's own words */
        return;
    }
    switch (u->state) {
    case UP_AUTH:
        if (m->h.proc == REMOTE_PROC_AUTH_LIST)
            upstream_authenticated_by(u, m);
        else
            upstream_call_identity(u);
        break;
    case UP_IDENTITY:
        u->identified = true;
        if (u->opened)
            upstream_ready(u);
        else
            upstream_call_open(u);
        break;
    case UP_OPEN:
        u->opened = true;
        if (u->identified)
            upstream_ready(u);
        else
            upstream_call_identity(u);
        break;
    case UP_CONNECTING:
    case UP_READY:
        break;
    }
}

/* --- the connection ---------------------------------------------------------------------------------- */

static void upstream_message(Conn *c, Message *m, void *data)
{
    Upstream *u = data;

    if (u->state != UP_READY) {
        upstream_handshake(u, m);
        return;
    }
    if (m->h.type == MSG_CALL || m->h.type == MSG_CALL_FDS) {
        log_warn("%s sent a call (procedure %d); its connection is closed", u->daemon, m->h.proc);
        upstream_died(u, NULL);
        return;
    }
    if (m->h.type == MSG_REPLY || m->h.type == MSG_REPLY_FDS)
        timed_end(u, &m->h);
    if (!is_primary(u))
        pending_received(u, m);
    client_send(u->s->client, m);
}

static void upstream_congested(Conn *c, bool on, void *data)
{
    Upstream *u = data;

    u->congested = on;
    if (on)
        conn_pause(u->s->client->conn);
    else
        conn_resume(u->s->client->conn);
}

static void upstream_closed(Conn *c, const GError *why, void *data)
{
    Upstream *u = data;
    g_autoptr(GError) error = NULL;

    if (u->state == UP_READY) {
        upstream_died(u, why);
        return;
    }
    error_set(&error, VIR_ERR_OPERATION_FAILED, "%s closed the connection while it was being opened%s%s; see 'systemctl status %s'",
              u->daemon, why ? ": " : "", why ? why->message : "", u->daemon);
    upstream_failed(u, error);
}

static const ConnOps upstream_ops = {
    .message = upstream_message,
    .congested = upstream_congested,
    .closed = upstream_closed,
};

/* Nobody listens: for a secondary that is an answer that clients know how to live with. */
static void upstream_missing(Upstream *u, int errnum)
{
    g_autoptr(GError) error = NULL;
    const char *what = errnum == ENOENT ? "is not running and has no socket" : "does not listen on its socket";
    const char *ro = u->s->client->readonly ? "-ro" : ""; /* each socket is a unit of its own */

    if (is_primary(u))
        error_set(&error, VIR_ERR_NO_CONNECT, "%.200s: %s %s; start %s%s.socket", u->s->name, u->daemon, what, u->daemon, ro);
    else
        error_set(&error, VIR_ERR_NO_SUPPORT, "%s %s; start %s%s.socket", u->daemon, what, u->daemon, ro);
    upstream_failed(u, error);
}

/* Nobody listens. True: it will be there soon. */
static bool upstream_start_daemon(Upstream *u)
{
    if (u->started)
        return now_usec() - u->started < SESSION_DAEMON_PATIENCE_USEC;
    if (!u->s->f->session_mode || !session_daemon_start(u->daemon))
        return false;
    u->started = now_usec();
    return true;
}

static void upstream_connect(Upstream *u);

static int on_connect_again(sd_event_source *src, uint64_t usec, void *data)
{
    Upstream *u = data;

    u->retry = sd_event_source_disable_unref(u->retry);
    upstream_connect(u);
    return 0;
}

static void upstream_connect(Upstream *u)
{
    Session *s = u->s;
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    g_autoptr(GError) error = NULL;
    int n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s-sock%s", s->f->run_dir, u->daemon,
                     s->client->readonly ? "-ro" : "");
    auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (n < 0 || (size_t)n >= sizeof(addr.sun_path)) {
        error_set(&error, VIR_ERR_OPERATION_FAILED, "the path of the socket of %s in '%s' is too long", u->daemon, s->f->run_dir);
    } else if (fd < 0) {
        error_set_errno(&error, errno, "cannot make a socket for %s", u->daemon);
    } else if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        if (errno == EAGAIN) { /* its backlog is full: the deadline bounds our patience */
            loop_timer_set(s->f->loop, &u->retry, RETRY_USEC, on_connect_again, u);
            return;
        }
        if (errno == ENOENT || errno == ECONNREFUSED) {
            int missing = errno;

            if (upstream_start_daemon(u))
                loop_timer_set(s->f->loop, &u->retry, RETRY_USEC, on_connect_again, u);
            else
                upstream_missing(u, missing);
            return;
        }
        error_set_errno(&error, errno, "cannot connect to %s at '%s'", u->daemon, addr.sun_path);
    } else {
        u->conn = conn_new(s->f->loop, fd_take(&fd), s->client->user, &upstream_ops, u, &error);
    }
    if (!u->conn) {
        upstream_failed(u, error);
        return;
    }
    conn_set_marks(u->conn, UPSTREAM_LOW, UPSTREAM_HIGH);
    upstream_call(u, UP_AUTH, REMOTE_PROC_AUTH_LIST, NULL, NULL);
}

static int on_open_timeout(sd_event_source *src, uint64_t usec, void *data)
{
    Upstream *u = data;
    g_autoptr(GError) error = NULL;

    error_set(&error, VIR_ERR_OPERATION_TIMEOUT, "%s did not answer within %u seconds; see 'systemctl status %s'", u->daemon,
              u->s->f->open_timeout_sec, u->daemon);
    upstream_failed(u, error);
    return 0;
}

/* Of an open upstream. */
static void upstream_send(Upstream *u, Message *m)
{
    bool call = m->h.type == MSG_CALL || m->h.type == MSG_CALL_FDS;

    if (call)
        timed_begin(u, &m->h);
    if (!is_primary(u)) {
        if (call)
            pending_sent(u, m);
        else if (!pending_find(u, &m->h, true) && !pending_find(u, &m->h, false))
            return; /* a stream that a predecessor of this daemon served */
    }
    conn_send(u->conn, m);
}

static void upstream_park(Upstream *u, Message *m)
{
    g_queue_push_tail(&u->parked, message_ref(m));
    u->parked_bytes += m->len;
    if (u->parked_bytes > PARKED_MAX && !u->parked_pause) {
        u->parked_pause = true;
        conn_pause(u->s->client->conn);
    }
}

static Upstream *upstream_new(Session *s, Route target)
{
    Upstream *u = g_new0(Upstream, 1);

    u->s = s;
    u->target = target;
    u->daemon = target == ROUTE_PRIMARY ? s->daemon : forward_daemon_of_route(target);
    g_queue_init(&u->parked);
    s->up[target] = u;
    loop_timer_set(s->f->loop, &u->timer, (uint64_t)s->f->open_timeout_sec * G_USEC_PER_SEC, on_open_timeout, u);
    return u;
}

void upstream_open_primary(Session *s)
{
    upstream_connect(upstream_new(s, ROUTE_PRIMARY));
}

void session_forward(Session *s, Route target, Message *m)
{
    /* A connection to "network:///system": its networks are what the primary serves. */
    if (s->daemon && forward_daemon_of_route(target) == s->daemon)
        target = ROUTE_PRIMARY;

    Upstream *u = s->up[target];

    if (u && u->state == UP_READY) {
        upstream_send(u, m);
    } else if (u) {
        upstream_park(u, m);
    } else if (m->h.type == MSG_CALL || m->h.type == MSG_CALL_FDS) {
        u = upstream_new(s, target);
        upstream_park(u, m);
        upstream_connect(u); /* may fail at once; u is gone then */
    }
}

void upstream_client_congested(Upstream *u, bool on)
{
    if (u->state != UP_READY)
        return; /* upstream_ready() looks again */
    if (on)
        conn_pause(u->conn);
    else
        conn_resume(u->conn);
}
