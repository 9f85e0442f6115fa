/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A client of a server. It ends in exactly one way: its Conn reports 'closed', which detaches it from
 * the server, tells the owner and drops the server's reference. Loop thread, except
 * client_ref/unref/send.
 */
#define LOG_SOURCE "rpc.server"

#include "rpc/server-internal.h"
#include "rpc/transport.h"
#include "util/log.h"

enum { BURST_CLIENTS = 10 }; /* lines about misbehaving clients in SERVER_BURST_USEC */

bool server_once_per_burst(uint64_t *last)
{
    uint64_t now = now_usec();

    if (*last && now - *last < SERVER_BURST_USEC)
        return false;
    *last = now;
    return true;
}

Client *client_ref(Client *c)
{
    if (c)
        g_atomic_ref_count_inc(&c->refs);
    return c;
}

static void client_free(void *data)
{
    Client *c = data;

    conn_unref(c->conn);
    auth_client_freed(c);
    identity_unref(c->peer);
    identity_unref(c->identity);
    user_unref(c->user);
    g_free(c->address);
    g_free(c);
}

Client *client_unref(Client *c)
{
    if (!c || !g_atomic_ref_count_dec(&c->refs))
        return NULL;
    if (loop_is_current(c->loop))
        client_free(c);
    else
        loop_post(c->loop, client_free, c);
    return NULL;
}

void client_send(Client *c, Message *m)
{
    conn_send(c->conn, m);
}

void client_act_for(Client *c, Identity *who)
{
    g_autoptr(User) user = NULL;

    identity_unref(c->identity);
    c->identity = who;
    if (!c->server || !c->server->users)
        return;
    user = user_registry_get(c->server->users, who->has_unix ? who->uid : (uid_t)-1);
    conn_act_for(c->conn, user);
}

void client_close(Client *c, bool flush)
{
    c->closing = true;
    conn_close(c->conn, flush);
}

void client_set_authenticated(Client *c)
{
    if (c->authenticated)
        return;
    c->authenticated = true;
    conn_set_frame_max(c->conn, MESSAGE_MAX);
    if (!c->server)
        return;
    client_leave_anonymous(c);
    server_update_watching(c->server);
}

static void client_message(Conn *conn, Message *m, void *data)
{
    Client *c = data;

    c->server->ops->message(c, m, c->server->data);
}

/* A client that does not take its replies gets no further calls read: replies to calls that were
 * read already are all that can pile up. */
static void client_congested(Conn *conn, bool on, void *data)
{
    Client *c = data;

    if (on)
        conn_pause(conn);
    else
        conn_resume(conn);
    if (c->server->ops->congested)
        c->server->ops->congested(c, on, c->server->data);
}

void server_burst_end(LogBurst *b)
{
    b->end = sd_event_source_disable_unref(b->end);
    if (b->last)
        log_warn("%s: %u more clients were %s meanwhile, the last one: %s", b->server->name, b->n - BURST_CLIENTS, b->what,
                 b->last);
    g_clear_pointer(&b->last, g_free);
    b->n = 0;
}

static int on_burst_end(sd_event_source *src, uint64_t usec, void *data)
{
    server_burst_end(data);
    return 0;
}

void server_log_burst(LogBurst *b, const char *who, const char *why)
{
    Server *s = b->server;

    if (!b->end)
        loop_timer_set(s->loop, &b->end, SERVER_BURST_USEC, on_burst_end, b);
    if (b->n++ < BURST_CLIENTS) {
        log_warn("%s: %s is %s: %s%s", s->name, who, b->what, why,
                 b->n == BURST_CLIENTS ? "; others are only counted for a while" : "");
    } else {
        g_free(b->last);
        b->last = g_strdup_printf("%s: %s", who, why);
    }
}

static void log_client(const Client *c, LogBurst *b, const char *why)
{
    g_autofree char *who = c->address ? g_strdup_printf("client %" G_GUINT64_FORMAT " from %s", c->id, c->address)
                                      : g_strdup_printf("client %" G_GUINT64_FORMAT " of uid %d", c->id,
                                                        c->peer->has_unix ? (int)c->peer->uid : -1);

    server_log_burst(b, who, why);
}

void client_log_bad(Client *c, const char *why)
{
    if (c->server)
        log_client(c, &c->server->bad, why);
}

void client_log_denied(Client *c, const char *why)
{
    if (c->server)
        log_client(c, &c->server->denied, why);
}

/* Takes the client out of the server and drops the server's reference. */
void server_detach_client(Client *c)
{
    Server *s = c->server;

    c->closing = true;
    auth_client_closed(c);
    if (c->opened && s->ops->closed)
        s->ops->closed(c, s->data);
    g_queue_unlink(&s->clients, &c->link);
    g_hash_table_remove(s->by_id, &c->id);
    server_count_uid(s, c, -1);
    client_leave_anonymous(c);
    c->server = NULL;
    client_unref(c);
}

static void client_closed(Conn *conn, const GError *why, void *data)
{
    Client *c = data;
    Server *s = c->server;

    if (why)
        client_log_bad(c, why->message);
    server_detach_client(c);
    server_update_watching(s);
    if (s->on_count)
        s->on_count(s->on_count_data);
}

/* The TLS handshake is over: the certificate's name is part of who the client is. */
static void client_secured(Conn *conn, void *data)
{
    Client *c = data;
    const ConnTransport *t = conn_transport(conn);

    if (t->peer_name) {
        Identity *id = identity_copy(c->peer);

        id->x509_dname = g_strdup(t->peer_name);
        identity_unref(c->peer);
        identity_unref(c->identity);
        c->peer = id;
        c->identity = identity_ref(id);
    }
    if (t->denied) {
        c->auth.denied = g_error_copy(t->denied);
        client_log_denied(c, t->denied->message);
    }
}

const ConnOps server_conn_ops = {
    .secured = client_secured,
    .message = client_message,
    .congested = client_congested,
    .closed = client_closed,
};
