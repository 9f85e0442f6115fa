/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The client: a Conn on a loop of its own, which is run while a call waits for its reply. A reply
 * whose call has given up is dropped, because its serial is not the one that is waited for; serials are
 * never reused within 2^32 calls. One thread.
 */
#include "libclient/client.h"

#include <string.h>
#include <unistd.h>

#include "libclient/client-internal.h"
#include "protocols/remote_client.h"
#include "protocols/remote_procs.h"
#include "protocols/xdr_buf.h"
#include "util/error.h"
#include "util/fd.h"

enum { DEFAULT_TIMEOUT_SEC = 30 };

static void on_message(Conn *conn, Message *m, void *data)
{
    RpcClient *c = data;

    switch ((MsgType)m->h.type) {
    case MSG_REPLY:
    case MSG_REPLY_FDS:
        if (c->waiting && m->h.serial == c->waiting && !c->reply)
            c->reply = message_ref(m);
        else
            (void)client_async_reply(c, m);
        break;
    case MSG_EVENT:
        c->n_events++;
        if (c->on_event)
            c->on_event(m, c->event_data);
        break;
    case MSG_STREAM:
    case MSG_HOLE:
        client_stream_message(c, m);
        break;
    case MSG_CALL:
    case MSG_CALL_FDS:
    case _MSG_N:
        break; /* daemons do not call us */
    }
}

static void on_congested(Conn *conn, bool on, void *data)
{
    ((RpcClient *)data)->congested = on;
}

static void on_closed(Conn *conn, const GError *why, void *data)
{
    RpcClient *c = data;

    c->closed = true;
    if (why)
        c->why = g_error_copy(why);
    client_async_end(c);
}

bool client_usable(RpcClient *c, const char *what, GError **err)
{
    if (!c->closed)
        return true;
    if (c->reconnect_usec && !c->reconnecting)
        return rpc_client_reconnect(c, err);
    error_set(err, VIR_ERR_RPC, "the daemon closed the connection during %s%s%s", what, c->why ? ": " : "",
              c->why ? c->why->message : "");
    return false;
}

static const ConnOps conn_ops = { .message = on_message, .congested = on_congested, .closed = on_closed };

/* Sends the call and waits for its reply, which may be an error. */
static Message *client_transact(RpcClient *c, Message *call, const char *what, GError **err)
{
    uint64_t deadline = c->timeout_usec ? now_usec() + c->timeout_usec : 0;

    c->waiting = c->last = call->h.serial;
    g_queue_clear_full(&c->early, (GDestroyNotify)message_unref);
    conn_send(c->conn, call);
    while (!c->reply) {
        uint64_t now = now_usec();

        if (c->closed) {
            error_set(err, VIR_ERR_RPC, "the daemon closed the connection during %s%s%s", what, c->why ? ": " : "",
                      c->why ? c->why->message : "");
            break;
        }
        if (deadline && now >= deadline) {
            error_set(err, VIR_ERR_OPERATION_TIMEOUT, "no answer to %s within %u seconds", what,
                      (unsigned)(c->timeout_usec / G_USEC_PER_SEC));
            break;
        }

        int r = loop_turn(c->loop, deadline ? deadline - now : UINT64_MAX);

        if (r < 0) {
            error_set_errno(err, -r, "cannot wait for the answer to %s", what);
            break;
        }
    }
    c->waiting = 0;
    return g_steal_pointer(&c->reply);
}

static const ProgramInfo *program_of(uint32_t prog)
{
    return prog == REMOTE_PROGRAM ? &remote_program : NULL;
}

static Message *client_call_message(RpcClient *c, uint32_t prog, uint32_t vers, int32_t proc, const char *name,
                                    xdrproc_t xdr, const void *args, const int *fds, unsigned n_fds, GError **err)
{
    bool ok = client_usable(c, name, err);
    const MsgHeader h = { prog, vers, proc, MSG_CALL, ++c->serial, MSG_OK };
    g_autoptr(Message) m = ok ? message_new(&h, xdr, args, err) : NULL;

    ok = m != NULL;

    for (unsigned i = 0; i < n_fds; i++) {
        if (ok)
            ok = message_add_fd(m, fds[i], err);
        else
            (void)close(fds[i]); /* ours by now, whatever happened */
    }
    if (!ok)
        return NULL;

    g_autoptr(Message) reply = client_transact(c, m, name, err);

    if (reply && reply->h.status == MSG_ERROR) {
        message_decode_error(reply, err);
        return NULL;
    }
    return g_steal_pointer(&reply);
}

Message *rpc_client_call_raw(RpcClient *c, uint32_t prog, int32_t proc, xdrproc_t xdr, const void *args,
                             const int *fds, unsigned n_fds, GError **err)
{
    const ProgramInfo *p = program_of(prog);
    const ProcInfo *info = p ? program_find(p, proc) : NULL;

    return client_call_message(c, prog, 1, proc, info ? info->name : "a call", xdr, args, fds, n_fds, err);
}

static bool client_call(void *self, const ProgramInfo *program, const ProcInfo *proc, const void *args, void *ret,
                        GError **err)
{
    g_autoptr(Message) reply = client_call_message(self, program->number, program->version, proc->number, proc->name,
                                                   proc->args_xdr, args, NULL, 0, err);

    if (!reply)
        return false;
    if (!proc->ret_xdr)
        return true;
    return proc_decode(proc->name, proc->ret_xdr, proc->ret_size, message_body(reply), message_body_len(reply), ret, err);
}

bool client_attach(RpcClient *c, int fd, GError **err)
{
    c->conn = conn_new(c->loop, fd, NULL, &conn_ops, c, err);
    c->closed = c->congested = false;
    if (c->conn && c->keepalive_interval)
        conn_set_keepalive(c->conn, c->keepalive_interval, c->keepalive_count);
    return c->conn != NULL;
}

void client_detach(RpcClient *c)
{
    c->closed = true;
    client_streams_end(c);
    client_async_end(c);
    g_queue_clear_full(&c->early, (GDestroyNotify)message_unref);
    if (c->conn)
        conn_abandon(c->conn);
    c->conn = conn_unref(c->conn);
    g_clear_error(&c->why);
}

RpcClient *rpc_client_new(int fd, GError **err)
{
    RpcClient *c = g_new0(RpcClient, 1);

    c->timeout_usec = (uint64_t)DEFAULT_TIMEOUT_SEC * G_USEC_PER_SEC;
    c->calls = (ClientCall){ .call = client_call, .self = c };
    c->loop = loop_new(err);
    if (!c->loop)
        fd_close(&fd);
    return c->loop && client_attach(c, fd, err) ? c : rpc_client_free(c);
}

RpcClient *rpc_client_connect(const char *socket_path, GError **err)
{
    int fd = client_dial(socket_path, err);
    RpcClient *c = fd >= 0 ? rpc_client_new(fd, err) : NULL;

    if (c)
        c->path = g_strdup(socket_path);
    return c;
}

RpcClient *rpc_client_free(RpcClient *c)
{
    if (!c)
        return NULL;
    g_assert(!c->streams);
    client_detach(c);
    message_unref(c->reply);
    loop_free(c->loop);
    g_free(c->path);
    g_free(c->uri);
    g_free(c);
    return NULL;
}

void rpc_client_set_events(RpcClient *c, RpcEventFn fn, void *data)
{
    c->on_event = fn;
    c->event_data = data;
}

void rpc_client_set_timeout(RpcClient *c, unsigned sec)
{
    c->timeout_usec = (uint64_t)sec * G_USEC_PER_SEC;
}

void rpc_client_set_keepalive(RpcClient *c, unsigned interval_sec, unsigned count)
{
    c->keepalive_interval = interval_sec;
    c->keepalive_count = count;
    if (c->conn)
        conn_set_keepalive(c->conn, interval_sec, count);
}

ClientCall *rpc_client_calls(RpcClient *c)
{
    return &c->calls;
}

bool rpc_client_open(RpcClient *c, const char *uri, unsigned flags, GError **err)
{
    remote_auth_list_ret auth;
    remote_connect_open_args a = { .name = (char *)uri, .flags = flags };
    bool none = false;

    if (!remote_client_auth_list(&c->calls, &auth, err))
        return false;
    for (unsigned i = 0; i < auth.types.types_len; i++)
        none = none || auth.types.types_val[i] == REMOTE_AUTH_NONE;
    proc_free((xdrproc_t)xdr_remote_auth_list_ret, &auth);
    if (!none) {
        error_set(err, VIR_ERR_AUTH_FAILED, "the daemon asks for an authentication that this client cannot give");
        return false;
    }
    if (!remote_client_connect_open(&c->calls, &a, err))
        return false;
    if (!c->reconnecting) {
        g_free(c->uri);
        c->uri = g_strdup(uri);
        c->open_flags = flags;
        c->is_open = true;
    }
    return true;
}

bool rpc_client_is_closed(const RpcClient *c)
{
    return c->closed;
}

bool rpc_client_wait(RpcClient *c, uint64_t usec)
{
    uint64_t end = now_usec() + usec, now;
    unsigned before = c->n_events;

    while (!c->closed && c->n_events == before && (now = now_usec()) < end)
        if (loop_turn(c->loop, end - now) < 0)
            return false;
    return !c->closed;
}
