/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Authentication: which calls a client may make when, and what follows from their outcome. How a
 * client proves who it is belongs to the backends.
 *
 * Invariant: a client becomes authenticated in two places of this file only: when the list says that
 * nothing is asked of it, and in auth_call_passed(). While a call is with the backend the client's
 * state is the backend's; a client that goes away meanwhile leaves it alone until the answer.
 * Loop thread only.
 */
#define LOG_SOURCE "rpc.auth"
#include "rpc/authn.h"

#include "protocols/remote_procs.h"
#include "rpc/server.h"
#include "util/error.h"
#include "util/log.h"

static const char *const method_names[_AUTH_N] = { "none", "sasl", "polkit" };

void auth_client_opened(Client *c, const AuthPolicy *p, ListenKind kind)
{
    AuthMethod m = p->method[kind];

    c->auth.method = m;
    c->auth.backend = p->backend[m];
    c->auth.backend_data = p->data[m];
}

static void forget_state(AuthState *a)
{
    if (a->state && a->backend->forget)
        a->backend->forget(a->state, a->backend_data);
    a->state = NULL;
}

void auth_client_closed(Client *c)
{
    c->auth.gone = true;
    if (!c->auth.busy)
        forget_state(&c->auth);
}

void auth_client_freed(Client *c)
{
    g_clear_error(&c->auth.denied);
}

bool auth_is_call(const MsgHeader *h)
{
    return h->prog == REMOTE_PROGRAM && h->vers == REMOTE_PROTOCOL_VERSION && h->proc >= REMOTE_PROC_AUTH_LIST &&
           h->proc <= REMOTE_PROC_AUTH_POLKIT;
}

static Message *reply_new(const MsgHeader *call, xdrproc_t xdr, const void *ret, GError **err)
{
    MsgHeader h = *call;

    h.type = MSG_REPLY;
    h.status = MSG_OK;
    return message_new(&h, xdr, ret, err);
}

static void reply_error(Client *c, const MsgHeader *call, const GError *error)
{
    g_autoptr(Message) m = message_new_error(call, MSG_REPLY, error, VIR_FROM_RPC);

    client_send(c, m);
}

static void refuse(Client *c, const MsgHeader *call, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
static void refuse(Client *c, const MsgHeader *call, const char *fmt, ...)
{
    g_autoptr(GError) error = NULL;
    va_list ap;

    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    error_set(&error, VIR_ERR_AUTH_FAILED, "%s", text);
    reply_error(c, call, error);
}

static void auth_list(Client *c, const Message *m)
{
    AuthState *a = &c->auth;
    bool exempt = c->authenticated || a->method == AUTH_BY_NONE ||
                  (a->backend && a->backend->exempt && a->backend->exempt(c, a->backend_data));
    remote_auth_type type = exempt ? REMOTE_AUTH_NONE : (remote_auth_type)a->method;
    remote_auth_list_ret r = { .types = { 1, &type } };
    g_autoptr(Message) reply = reply_new(&m->h, (xdrproc_t)xdr_remote_auth_list_ret, &r, NULL);

    if (exempt)
        client_set_authenticated(c);
    client_send(c, reply);
}

static AuthMethod method_of(int proc)
{
    return proc == REMOTE_PROC_AUTH_POLKIT ? AUTH_BY_POLKIT : AUTH_BY_SASL;
}

void auth_call(Client *c, Message *m)
{
    AuthState *a = &c->auth;

    if (c->closing)
        return;
    a->seen = true;
    if (a->denied) {
        reply_error(c, &m->h, a->denied);
        client_close(c, true);
        return;
    }
    if (a->busy) {
        refuse(c, &m->h, "another authentication call of this client is not answered yet");
        return;
    }
    if (m->h.proc == REMOTE_PROC_AUTH_LIST) {
        auth_list(c, m);
        return;
    }

    AuthMethod method = method_of(m->h.proc);

    if (c->authenticated) {
        refuse(c, &m->h, "the client is authenticated already; %s was tried", method_names[method]);
        return;
    }
    if (a->method != method) {
        refuse(c, &m->h, "this socket asks for authentication by '%s'; '%s' was tried", method_names[a->method],
               method_names[method]);
        return;
    }
    if (!a->backend) {
        refuse(c, &m->h, "authentication by '%s' is configured, but not available in this daemon", method_names[method]);
        return;
    }

    AuthCall *call = g_new(AuthCall, 1);

    *call = (AuthCall){ client_ref(c), message_ref(m) };
    a->busy = true;
    a->backend->call(call, a->backend_data);
}

static void auth_call_end(AuthCall *call)
{
    Client *c = call->client;

    c->auth.busy = false;
    if (c->auth.gone || c->authenticated)
        forget_state(&c->auth);
    message_unref(call->m);
    client_unref(c);
    g_free(call);
}

void auth_call_continue(AuthCall *call, xdrproc_t xdr, const void *ret)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Message) m = reply_new(&call->m->h, xdr, ret, &error);

    if (m)
        client_send(call->client, m);
    else
        reply_error(call->client, &call->m->h, error);
    auth_call_end(call);
}

void auth_call_passed(AuthCall *call, xdrproc_t xdr, const void *ret, Identity *identity, ConnTransport *layer)
{
    Client *c = call->client;
    g_autoptr(GError) error = NULL;
    g_autoptr(Message) m = reply_new(&call->m->h, xdr, ret, &error);

    if (!m) {
        identity_unref(identity);
        conn_transport_free(layer);
        auth_call_failed(call, g_steal_pointer(&error));
        return;
    }
    if (identity) {
        identity_unref(c->identity);
        c->identity = identity;
    }
    if (!c->auth.gone)
        client_set_authenticated(c);
    if (layer)
        conn_send_then_layer(c->conn, m, layer);
    else
        client_send(c, m);
    auth_call_end(call);
}

void auth_call_failed(AuthCall *call, GError *error)
{
    Client *c = call->client;

    if (!c->auth.gone) {
        g_autofree char *text = c->auth.named[0] ? g_strdup_printf("%s (user '%s')", error->message, c->auth.named)
                                                 : g_strdup(error->message);

        client_log_denied(c, text);
    }
    c->auth.named[0] = '\0';
    reply_error(c, &call->m->h, error);
    g_error_free(error);
    c->auth.failures++;
    if (c->auth.failures >= AUTH_FAILURES_MAX && !c->auth.gone)
        client_close(c, true);
    auth_call_end(call);
}
