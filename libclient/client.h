/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A client of one daemon: calls that wait and calls that do not, events, streams. Tests, tools and drivers that
 * need another daemon use it. An RpcClient belongs to one thread, the one that made it: it has a
 * loop of its own that runs inside its calls, so pings are answered and events arrive only then
 * (or in rpc_client_wait()).
 */
#pragma once

#include "protocols/client_call.h"
#include "rpc/message.h"

typedef struct RpcClient RpcClient;

/* An event message, borrowed. Called from inside the functions below; may not call them. */
typedef void (*RpcEventFn)(const Message *m, void *data);

/* Connects to a daemon's unix socket. */
RpcClient *rpc_client_connect(const char *socket_path, GError **err);
/* Over a connected socket (ownership moves, also on failure). */
RpcClient *rpc_client_new(int fd, GError **err);
RpcClient *rpc_client_free(RpcClient *c);
void rpc_client_set_events(RpcClient *c, RpcEventFn fn, void *data);
/* Bound for each further call; 0: none. Default 30 s. After it has passed the reply is still expected
 * and then ignored. */
void rpc_client_set_timeout(RpcClient *c, unsigned sec);
/* Pings the daemon while waiting; silence of interval * (count + 1) ends the connection. */
void rpc_client_set_keepalive(RpcClient *c, unsigned interval_sec, unsigned count);

/* For generated stubs: remote_client_domain_suspend(rpc_client_calls(c), &args, &error). */
ClientCall *rpc_client_calls(RpcClient *c);
/* Authentication "none" and CONNECT_OPEN. uri NULL: the daemon's own. */
bool rpc_client_open(RpcClient *c, const char *uri, unsigned flags, GError **err);
bool rpc_client_is_closed(const RpcClient *c);
/* Lets events and replies arrive for at most usec; returns early after the first. False when the connection
 * has ended. */
bool rpc_client_wait(RpcClient *c, uint64_t usec);

/* A call that may carry descriptors both ways, or opens a stream. fds (n_fds of them) move to the
 * client, on failure too. The reply's payload is the caller's to decode. */
Message *rpc_client_call_raw(RpcClient *c, uint32_t prog, int32_t proc, xdrproc_t xdr, const void *args,
                             const int *fds, unsigned n_fds, GError **err);

/* A call that is not waited for. fn is called once, from inside a function of this header that runs the loop:
 * with the reply (message_decode_error() when its status is an error), or with NULL when the connection has
 * ended before; the call may have been carried out then. fn may start calls, and may not wait for any. */
typedef void (*RpcReplyFn)(const Message *reply, void *data);
bool rpc_client_start(RpcClient *c, uint32_t prog, int32_t proc, xdrproc_t xdr, const void *args, RpcReplyFn fn, void *data,
                      GError **err);
unsigned rpc_client_n_started(const RpcClient *c);

/* When the connection has ended, the next call makes it again, for at most sec seconds: opened as before, then
 * again() (may be NULL) is called, to subscribe anew. Events of the time between are lost. Calls and streams
 * that were in flight have failed; none is sent a second time. For clients of rpc_client_connect(). */
typedef bool (*RpcAgainFn)(RpcClient *c, void *data, GError **err);
void rpc_client_set_reconnect(RpcClient *c, unsigned sec, RpcAgainFn again, void *data);
/* The same at once, for who waits for events only. */
bool rpc_client_reconnect(RpcClient *c, GError **err);

/* Streams, named by the successful reply of the call that opened them; to be made before the next
 * call. Several may be open. */
typedef struct RpcStream RpcStream;
RpcStream *rpc_stream_new(RpcClient *c, const Message *reply);
RpcStream *rpc_stream_free(RpcStream *s); /* aborts one that is not finished */
bool rpc_stream_send(RpcStream *s, const void *bytes, size_t n, GError **err);
/* The next packet (never empty), NULL without *err at the end of the data. */
GBytes *rpc_stream_recv(RpcStream *s, GError **err);
/* Says that all is sent and received, waits for the daemon's consent. */
bool rpc_stream_finish(RpcStream *s, GError **err);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RpcClient, rpc_client_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RpcStream, rpc_stream_free)
