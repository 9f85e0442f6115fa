/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connected socket that carries Messages: framing, fd passing, output queue, back-pressure.
 * Used by server clients, by the proxy's upstreams and by libclient.
 * Loop thread, except conn_send() and conn_ref(), which any thread may call. The last reference is
 * dropped on the loop thread.
 *
 * Back-pressure: conn_pause()/conn_resume() stop and start the delivery of messages (nestable
 * count). A paused connection still reads some way ahead, so that it can answer the pings of a peer
 * that is waiting (conn.c says how far). When the output queue grows past 'high',
 * ops->congested(true) is called; below 'low' congested(false).
 */
#pragma once

#include "rpc/message.h"
#include "util/account.h"
#include "util/loop.h"

typedef struct Conn Conn;
typedef struct ConnTransport ConnTransport; /* transport.h */

typedef struct ConnOps {
    void (*message)(Conn *c, Message *m, void *data);       /* borrowed; ref to keep */
    void (*congested)(Conn *c, bool congested, void *data); /* may be NULL */
    void (*closed)(Conn *c, const GError *why, void *data); /* once; why NULL: peer hung up */
    void (*secured)(Conn *c, void *data);                   /* handshake of conn_secure() is done; may be NULL */
} ConnOps;

/* Takes fd (a connected stream socket). user: who pays for what the peer makes us keep, may be NULL.
 * Reading starts at once. The Conn is reference counted; after 'closed' it sends nothing more. */
Conn *conn_new(Loop *loop, int fd, User *user, const ConnOps *ops, void *data, GError **err);
/* Right after conn_new(): all bytes go through this transport (taken), whose handshake comes first.
 * Nobody else watches the time of that. */
void conn_secure(Conn *c, ConnTransport *t);
/* NULL: plain. */
ConnTransport *conn_transport(const Conn *c);
Conn *conn_ref(Conn *c);
Conn *conn_unref(Conn *c);
/* Queues (takes a reference of its own) and, on the loop thread, writes at once what the socket
 * takes. Other threads: handed to the loop. Silently dropped when closed. Any thread. */
void conn_send(Conn *c, Message *m);
/* The same on the loop thread; all output behind m and all input from now on goes through the layer
 * (taken). Input that is here already was sent without it, and closes the connection. */
void conn_send_then_layer(Conn *c, Message *m, ConnTransport *layer);
ConnTransport *conn_transport_free(ConnTransport *t);
/* An item whose head and first 4 body bytes are the sender's own and whose remaining payload is a
 * shared body (events: one body for many subscribers; prefix_len 0 or 4). Loop thread. False when the quota 'event_quota' of queued
 * event bytes is exceeded: the caller closes the connection. */
bool conn_send_shared(Conn *c, const MsgHeader *h, const uint8_t *prefix, unsigned prefix_len,
                      GBytes *body, size_t event_quota);
/* Closes when the queue is written (flush) or at once; 'closed' is called from the loop, later.
 * With flush, input is ignored from now on; a peer that takes nothing for 10 s is dropped. */
void conn_close(Conn *c, bool flush);
/* For an owner that goes away: closes at once, and no callback is called any more. */
void conn_abandon(Conn *c);
/* Between begin and end (nestable, same thread) output is collected and leaves with few system
 * calls; use it around work that sends many messages. Input callbacks run inside a batch. */
void conn_batch_begin(void);
void conn_batch_end(void);
bool conn_is_closed(const Conn *c);
/* Whose share of the loop's turns this connection takes (share.h), when that is not who pays for it. */
void conn_act_for(Conn *c, User *user);
void conn_pause(Conn *c);
void conn_resume(Conn *c);
void conn_set_frame_max(Conn *c, uint32_t max);
void conn_set_marks(Conn *c, size_t low, size_t high);
size_t conn_queued_bytes(const Conn *c);
int conn_fd(const Conn *c);
/* True for unix sockets, which can carry fds. */
bool conn_can_fds(const Conn *c);
uint64_t conn_bytes_in(const Conn *c);
uint64_t conn_bytes_out(const Conn *c);
/* Keepalive of this connection: a peer silent for interval*count is closed. interval 0: off.
 * Pings are always answered, by the Conn itself; keepalive frames never reach ops->message. */
void conn_set_keepalive(Conn *c, unsigned interval_sec, unsigned count);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Conn, conn_unref)
