/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams: the data that follows a call which the .x marks @readstream or @writestream, under the
 * call's serial. A handler opens the stream and attaches a descriptor; the core pumps it on the loop
 * thread with the connection's back-pressure, and performs finish and abort.
 */
#pragma once

#include "rpc/call.h"

typedef enum StreamDir { STREAM_IN = 1, STREAM_OUT = 2, STREAM_BOTH = 3 } StreamDir;

/* First byte of a packet of a stream that has holes; what follows: bytes; a uint64_t, its length; text. */
typedef enum StreamPacket { STREAM_PACKET_DATA, STREAM_PACKET_HOLE, STREAM_PACKET_ERROR } StreamPacket;
enum { STREAM_PACKET_MAX = 1 + 65536 };

typedef struct StreamOps {
    /* Loop thread, once, when the stream has ended for whatever reason (client gone, finish, abort,
     * error): release what 'data' holds. */
    void (*closed)(void *data);
    /* Loop thread: the client's data goes on so much further; what came before has been written. NULL: data
     * has no holes. */
    bool (*hole)(void *data, int fd, uint64_t length, GError **err);
    /* Loop thread: so many more bytes have come from the client and are about to be written. False fails the stream.
     * NULL: as many as it likes. */
    bool (*take)(void *data, size_t n, GError **err);
    bool packets; /* out: the descriptor is a SOCK_SEQPACKET socket, with packets as above */
} StreamOps;

/* Attaches fd (pipe, pty, socket, or a file to send from; ownership moves on success and failure) to the call's stream. It
 * starts once the call's reply is sent, and is dropped when the call fails. Called by the handler, once. */
bool call_attach_stream(Call *c, int fd, StreamDir dir, const StreamOps *ops, void *data, GError **err);
/* Ends a stream from our side, by the data it was attached with (console taken over with force).
 * Any thread. */
void stream_abort_by_data(const void *data, const char *why);
