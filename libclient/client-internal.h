/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by client.c, async.c, reconnect.c and stream.c. */
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
    GHashTable *started; /* async.c; NULL: none */

    /* reconnect.c */
    char *path, *uri;    /* NULL path: made of a descriptor */
    unsigned open_flags, keepalive_interval, keepalive_count;
    bool is_open, reconnecting;
    uint64_t reconnect_usec; /* 0: never by itself */
    RpcAgainFn again;
    void *again_data;
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
/* They have failed: their connection is gone. */
void client_streams_end(RpcClient *c);

/* Whether a call can be sent; connects again where the owner wants that. */
bool client_usable(RpcClient *c, const char *what, GError **err);
/* A connected socket becomes the connection (fd is taken); without one there is none. */
bool client_attach(RpcClient *c, int fd, GError **err);
void client_detach(RpcClient *c);
/* A connected socket, below zero with *err. */
int client_dial(const char *socket_path, GError **err);

/* True: it was the reply to a call that was started. */
bool client_async_reply(RpcClient *c, const Message *m);
void client_async_end(RpcClient *c);
