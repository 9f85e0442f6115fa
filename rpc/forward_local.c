/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The procedures that the proxy answers itself: authentication (by authn.c), opening and closing, the questions
 * about the connection itself that clients ask before they open it, and the identity that another
 * proxy hands over. The only bodies that the proxy decodes. Loop thread only.
 */
#include "protocols/remote_procs.h"
#include "protocols/xdr_buf.h"
#include "rpc/forward-internal.h"
#include "rpc/identity_params.h"
#include "util/error.h"

static void reply(Session *s, const MsgHeader *call, xdrproc_t xdr, const void *payload)
{
    MsgHeader h = *call;
    g_autoptr(GError) error = NULL;

    h.type = MSG_REPLY;
    h.status = MSG_OK;

    g_autoptr(Message) m = message_new(&h, xdr, payload, &error);

    if (m)
        client_send(s->client, m);
    else
        session_reply_error(s, call, error);
}

static bool local_connect_open(Session *s, const Message *m, GError **err)
{
    remote_connect_open_args a;
    g_autofree char *name = NULL;
    const char *daemon, *scheme = "";

    if (s->open || s->opening) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "the connection is open already");
        return false;
    }
    if (!proc_decode("connect_open", (xdrproc_t)xdr_remote_connect_open_args, sizeof(a), message_body(m), message_body_len(m),
                     &a, err))
        return false;
    if (a.name && *a.name) {
        daemon = forward_daemon_of_uri(a.name, err);
        name = g_strdup(a.name);
    } else {
        /* The daemon gets the URI that the probe means: not every daemon has a default. */
        daemon = forward_daemon_probe(s->f->run_dir, s->client->readonly, &scheme, err);
        name = g_strdup_printf("%s:///%s", scheme, s->f->session_mode ? "session" : "system");
    }
    if (daemon) {
        g_free(s->name);
        s->name = g_steal_pointer(&name);
        s->flags = a.flags;
        s->daemon = daemon;
        s->open_call = m->h;
        s->opening = true;
    }
    proc_free((xdrproc_t)xdr_remote_connect_open_args, &a);
    if (daemon)
        upstream_open_primary(s);
    return daemon != NULL;
}

void forward_primary_done(Session *s, const Message *failure)
{
    s->opening = false;
    s->open = !failure;
    if (!failure) {
        reply(s, &s->open_call, NULL, NULL);
        return;
    }

    MsgHeader h = s->open_call;

    h.type = MSG_REPLY;
    h.status = MSG_ERROR;

    g_autoptr(Message) m = message_new_bytes(&h, message_body(failure), message_body_len(failure));

    client_send(s->client, m);
}

static bool local_connect_close(Session *s, const Message *m, GError **err)
{
    /* To the daemons the end of the connection is the end of all that hangs on it. */
    s->open = s->opening = false;
    session_drop_upstreams(s);
    reply(s, &m->h, NULL, NULL);
    return true;
}

static bool local_supports_feature(Session *s, Message *m, GError **err)
{
    remote_connect_supports_feature_args a;
    remote_connect_supports_feature_ret r = { 0 };
    const ServerLimits *limits = server_limits(s->f->server);

    if (!proc_decode("connect_supports_feature", (xdrproc_t)xdr_remote_connect_supports_feature_args, sizeof(a),
                     message_body(m), message_body_len(m), &a, err))
        return false;
    switch (a.feature) {
    case FEATURE_KEEPALIVE:
        /* Who asks this answers pings. */
        conn_set_keepalive(s->client->conn, limits->keepalive_interval, limits->keepalive_count);
        r.supported = 1;
        break;
    case FEATURE_FD_PASSING:
        r.supported = conn_can_fds(s->client->conn);
        break;
    default:
        if (s->open || s->opening) {
            session_forward(s, ROUTE_PRIMARY, m);
            return true;
        }
        error_set(err, VIR_ERR_RPC, "the connection is not open");
        return false;
    }
    reply(s, &m->h, (xdrproc_t)xdr_remote_connect_supports_feature_ret, &r);
    return true;
}

static bool local_set_identity(Session *s, Message *m, GError **err)
{
    remote_connect_set_identity_args a;

    if (!identity_may_delegate(s->client->peer, err))
        return false;
    if (s->opening) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "the identity cannot change while the connection is being opened");
        return false;
    }
    if (!proc_decode("connect_set_identity", (xdrproc_t)xdr_remote_connect_set_identity_args, sizeof(a), message_body(m),
                     message_body_len(m), &a, err))
        return false;

    Identity *id = identity_from_params(a.params.params_val, a.params.params_len, err);

    proc_free((xdrproc_t)xdr_remote_connect_set_identity_args, &a);
    if (!id)
        return false;
    identity_unref(s->client->identity);
    s->client->identity = id;
    if (!s->open) {
        reply(s, &m->h, NULL, NULL);
        return true;
    }
    /* Whom the daemons of an open connection act for changes with it: the primary is told and
     * answers, the others are opened again when they are needed. */
    session_drop_secondaries(s);
    session_forward(s, ROUTE_PRIMARY, m);
    return true;
}

void forward_local_call(Session *s, Message *m)
{
    g_autoptr(GError) error = NULL;
    bool ok;

    if (auth_is_call(&m->h)) {
        auth_call(s->client, m);
        return;
    }
    if (!s->client->authenticated) {
        error_set(&error, VIR_ERR_AUTH_FAILED, "authentication is required first");
        session_reply_error(s, &m->h, error);
        return;
    }
    switch (m->h.proc) {
    case REMOTE_PROC_CONNECT_OPEN:
        ok = local_connect_open(s, m, &error);
        break;
    case REMOTE_PROC_CONNECT_CLOSE:
        ok = local_connect_close(s, m, &error);
        break;
    case REMOTE_PROC_CONNECT_SUPPORTS_FEATURE:
        ok = local_supports_feature(s, m, &error);
        break;
    case REMOTE_PROC_CONNECT_SET_IDENTITY:
        ok = local_set_identity(s, m, &error);
        break;
    default:
        error_set(&error, VIR_ERR_NO_SUPPORT, "procedure %d", m->h.proc);
        ok = false;
    }
    if (!ok)
        session_reply_error(s, &m->h, error);
}
