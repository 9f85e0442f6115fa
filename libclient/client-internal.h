/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by client.c and stream.c. */
#pragma once

#include "libclient/client.h"
#include "rpc/conn.h"

struct RpcClient {
    Loop *loop;
    Conn *conn;
    bool closed;
    GError *why;
    uint32_t serial;
    uint64_t timeout_usec;
    uint32_t waiting;  /* serial of the call that waits; 0: none */
    Message *reply;
    RpcEventFn on_event;
    void *event_data;
    unsigned n_events; /* counts, for rpc_client_wait() */
    GList *streams;
    uint32_t last;     /* serial of the newest call */
    GQueue early;      /* Message: frames of its stream, until rpc_stream_new() */
    bool congested;
    ClientCall calls;
};

struct RpcStream {
    RpcClient *c;
    MsgHeader h;
    GQueue in;     /* Message */
    size_t in_bytes;
    bool paused;   /* the connection is paused because of in_bytes */
    bool eof;      /* the empty packet */
    bool finished; /* the daemon's last word */
    GError *error;
};

/* Takes a stream frame; ignored when no stream has its serial. */
void client_stream_message(RpcClient *c, Message *m);
