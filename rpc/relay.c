/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A client that was handed over: all that it sends from now on goes to another socket, all that comes
 * from there goes to it, and the end of one is the end of the other. Who reads slowly is waited for by
 * the other side. Nothing is looked into, so serials, events and streams need no translation. Loop
 * thread.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "rpc/dispatch-internal.h"
#include "util/error.h"
#include "util/fd.h"

enum { RELAY_LOW = 128 << 10, RELAY_HIGH = 1 << 20 };

struct Relay {
    Client *client; /* borrowed: it frees us when it ends */
    Conn *conn;
    bool congested; /* the client is paused because the other side does not read */
};

static void relay_message(Conn *c, Message *m, void *data)
{
    const Relay *r = data;
    (void)c;

    client_send(r->client, m);
}

static void relay_congested(Conn *c, bool on, void *data)
{
    Relay *r = data;
    (void)c;

    r->congested = on;
    if (on)
        conn_pause(r->client->conn);
    else
        conn_resume(r->client->conn);
}

static void relay_closed(Conn *c, const GError *why, void *data)
{
    const Relay *r = data;
    (void)c;
    (void)why;

    client_close(r->client, true);
}

static const ConnOps relay_ops = {
    .message = relay_message,
    .congested = relay_congested,
    .closed = relay_closed,
};

void relay_send(Relay *r, Message *m)
{
    conn_send(r->conn, m);
}

void relay_client_congested(Relay *r, bool on)
{
    if (on)
        conn_pause(r->conn);
    else
        conn_resume(r->conn);
}

Relay *relay_free(Relay *r)
{
    if (!r)
        return NULL;
    conn_abandon(r->conn);
    conn_unref(r->conn);
    if (r->congested)
        conn_resume(r->client->conn);
    g_free(r);
    return NULL;
}

bool call_hand_over(Call *c, const char *socket_path, GError **err)
{
    ClientState *cs = c->cs;
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (cs->relay) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "the connection is to another daemon already");
        return false;
    }
    if (strlen(socket_path) >= sizeof(addr.sun_path)) {
        error_set(err, VIR_ERR_NO_CONNECT, "the path '%s' is too long for a socket", socket_path);
        return false;
    }
    strcpy(addr.sun_path, socket_path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        error_set(err, VIR_ERR_NO_CONNECT, "cannot connect to '%s': %s", socket_path, g_strerror(errno));
        return false;
    }

    Relay *r = g_new0(Relay, 1);

    r->client = cs->client;
    r->conn = conn_new(c->d->loop, fd_take(&fd), cs->client->user, &relay_ops, r, err);
    if (!r->conn) {
        g_free(r);
        return false;
    }
    conn_set_marks(r->conn, RELAY_LOW, RELAY_HIGH);
    cs->relay = r;
    return true;
}
