/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls that nobody waits for. Each has its serial in a table until its reply, or the end of the
 * connection, is told: exactly once, from inside a function of the client that runs its loop. One
 * thread.
 */
#include "libclient/client-internal.h"

typedef struct Started {
    RpcReplyFn fn;
    void *data;
} Started;

bool rpc_client_start(RpcClient *c, uint32_t prog, int32_t proc, xdrproc_t xdr, const void *args, RpcReplyFn fn, void *data,
                      GError **err)
{
    if (!client_usable(c, "a call", err))
        return false;

    const MsgHeader h = { prog, 1, proc, MSG_CALL, ++c->serial, MSG_OK };
    g_autoptr(Message) m = message_new(&h, xdr, args, err);

    if (!m)
        return false;
    if (!c->started)
        c->started = g_hash_table_new_full(NULL, NULL, NULL, g_free);

    Started *s = g_new(Started, 1);

    *s = (Started){ fn, data };
    g_hash_table_insert(c->started, GUINT_TO_POINTER(h.serial), s);
    conn_send(c->conn, m);
    return true;
}

unsigned rpc_client_n_started(const RpcClient *c)
{
    return c->started ? g_hash_table_size(c->started) : 0;
}

bool client_async_reply(RpcClient *c, const Message *m)
{
    void *key, *found;

    if (!c->started || !g_hash_table_steal_extended(c->started, GUINT_TO_POINTER(m->h.serial), &key, &found))
        return false;
    g_autofree Started *s = found;

    c->n_events++; /* something to wake up for */
    s->fn(m, s->data);
    return true;
}

void client_async_end(RpcClient *c)
{
    g_autoptr(GHashTable) started = g_steal_pointer(&c->started);
    GHashTableIter i;
    void *s;

    if (!started)
        return;
    g_hash_table_iter_init(&i, started);
    while (g_hash_table_iter_next(&i, NULL, &s))
        ((Started *)s)->fn(NULL, ((Started *)s)->data);
}
