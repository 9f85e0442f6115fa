/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams of a client. Packets that arrive while somebody waits for something else are queued at
 * their stream; when IN_HIGH bytes wait at one, reading pauses until that stream is read: a
 * connection has one flow control for all. Sending waits while the socket is congested. One thread.
 */
#include <string.h>

#include "libclient/client-internal.h"
#include "util/error.h"

enum { IN_HIGH = 8 << 20 };

static RpcStream *stream_find(RpcClient *c, const MsgHeader *h)
{
    for (GList *l = c->streams; l; l = l->next) {
        RpcStream *s = l->data;

        if (s->h.serial == h->serial && s->h.proc == h->proc && s->h.prog == h->prog)
            return s;
    }
    return NULL;
}

void client_stream_message(RpcClient *c, Message *m)
{
    RpcStream *s = stream_find(c, &m->h);

    if (!s && m->h.serial == c->last)
        g_queue_push_tail(&c->early, message_ref(m)); /* it came with the reply */
    if (!s || s->finished)
        return;
    if (m->h.status == MSG_ERROR) {
        s->finished = true;
        if (!s->error)
            message_decode_error(m, &s->error);
    } else if (m->h.status == MSG_OK) {
        s->finished = s->eof = true;
    } else if (message_body_len(m) == 0) {
        s->eof = true;
    } else {
        g_queue_push_tail(&s->in, message_ref(m));
        s->in_bytes += m->len;
        if (s->in_bytes > IN_HIGH && !s->paused) {
            s->paused = true;
            conn_pause(c->conn);
        }
    }
}

void client_streams_end(RpcClient *c)
{
    for (GList *l = c->streams; l; l = l->next) {
        RpcStream *s = l->data;

        s->paused = false;
        if (s->finished)
            continue;
        s->finished = true;
        if (!s->error)
            error_set(&s->error, VIR_ERR_RPC, "the daemon closed the connection during a stream");
    }
}

RpcStream *rpc_stream_new(RpcClient *c, const Message *reply)
{
    RpcStream *s = g_new0(RpcStream, 1);

    s->c = c;
    s->h = reply->h;
    s->h.type = MSG_STREAM;
    g_queue_init(&s->in);
    c->streams = g_list_prepend(c->streams, s);
    for (;;) {
        g_autoptr(Message) m = g_queue_pop_head(&c->early);

        if (!m)
            return s;
        client_stream_message(c, m);
    }
}

static void stream_say(RpcStream *s, MsgStatus status, const void *bytes, size_t n)
{
    MsgHeader h = s->h;

    h.status = status;

    g_autoptr(Message) m = message_new_bytes(&h, bytes, n);

    conn_send(s->c->conn, m);
}

RpcStream *rpc_stream_free(RpcStream *s)
{
    if (!s)
        return NULL;
    if (!s->finished && !s->c->closed)
        stream_say(s, MSG_ERROR, NULL, 0);
    if (s->paused)
        conn_resume(s->c->conn);
    s->c->streams = g_list_remove(s->c->streams, s);
    g_queue_clear_full(&s->in, (GDestroyNotify)message_unref);
    g_clear_error(&s->error);
    g_free(s);
    return NULL;
}

/* One step of the loop; false when the connection or the stream has ended with an error. */
static bool stream_step(RpcStream *s, uint64_t usec, GError **err)
{
    if (s->error) {
        g_propagate_error(err, g_error_copy(s->error));
        return false;
    }
    if (s->c->closed) {
        error_set(err, VIR_ERR_RPC, "the daemon closed the connection during a stream");
        return false;
    }

    int r = loop_turn(s->c->loop, usec);

    if (r < 0) {
        error_set_errno(err, -r, "cannot wait for a stream");
        return false;
    }
    return true;
}

bool rpc_stream_send(RpcStream *s, const void *bytes, size_t n, GError **err)
{
    const uint8_t *p = bytes;

    while (n) {
        size_t k = MIN(n, (size_t)MESSAGE_STREAM_MAX);

        while (s->c->congested)
            if (!stream_step(s, UINT64_MAX, err))
                return false;
        if (s->finished || s->c->closed) {
            if (!s->error && !s->c->closed)
                error_set(err, VIR_ERR_OPERATION_INVALID, "the daemon has ended the stream");
            else
                (void)stream_step(s, 0, err);
            return false;
        }
        stream_say(s, MSG_CONTINUE, p, k);
        p += k;
        n -= k;
    }
    return true;
}

GBytes *rpc_stream_recv(RpcStream *s, GError **err)
{
    while (g_queue_is_empty(&s->in) && !s->eof)
        if (!stream_step(s, UINT64_MAX, err))
            return NULL;

    g_autoptr(Message) m = g_queue_pop_head(&s->in);

    if (!m)
        return NULL;
    s->in_bytes -= m->len;
    if (s->paused && s->in_bytes <= IN_HIGH / 2) {
        s->paused = false;
        conn_resume(s->c->conn);
    }
    return g_bytes_new(message_body(m), message_body_len(m));
}

bool rpc_stream_finish(RpcStream *s, GError **err)
{
    if (!s->finished)
        stream_say(s, MSG_OK, NULL, 0);
    while (!s->finished)
        if (!stream_step(s, UINT64_MAX, err))
            return false;
    if (s->error) {
        g_propagate_error(err, g_error_copy(s->error));
        return false;
    }
    return true;
}
