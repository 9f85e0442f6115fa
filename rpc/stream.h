/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams: the data that follows a call which the .x marks @readstream or @writestream, under the
 * call's serial. A handler opens the stream and attaches a descriptor, which the core pumps on the loop
 * thread with the connection's back-pressure; or takes what the client sends on a worker, piece by piece.
 * The core performs finish and abort.
 */
#pragma once

#include "rpc/call.h"

typedef enum StreamDir { STREAM_IN = 1, STREAM_OUT = 2, STREAM_BOTH = 3 } StreamDir;

typedef struct StreamOps {
    /* Loop thread, once, when the stream has ended for whatever reason (client gone, finish, abort,
     * error): release what 'data' holds. */
    void (*closed)(void *data);
    bool holes; /* they pass: what is read is a row of StreamFrame (util/stream_frame.h) and data; pieces may be holes */
} StreamOps;

/* Attaches fd (pipe, pty, socket, or a file to send from; ownership moves on success and failure) to the call's stream. It
 * starts once the call's reply is sent, and is dropped when the call fails. Called by the handler, once. */
bool call_attach_stream(Call *c, int fd, StreamDir dir, const StreamOps *ops, void *data, GError **err);

/* What the client sends, for one worker. */
typedef struct StreamQueue StreamQueue;
typedef struct StreamPiece {
    const uint8_t *bytes; /* until the next is taken; NULL: a hole */
    uint64_t n;
} StreamPiece;
typedef enum StreamTaken { STREAM_PIECE, STREAM_END, STREAM_GONE } StreamTaken;

/* The same with a queue in place of a descriptor, for what comes in. The client's finish is answered when
 * stream_done_by_data() says how it went. *ret is the caller's, whatever becomes of the stream. */
bool call_attach_stream_queue(Call *c, const StreamOps *ops, void *data, StreamQueue **ret, GError **err);
/* Waits for the client. END: it has finished; GONE: nobody wants it any more. */
StreamTaken stream_take(StreamQueue *q, StreamPiece *ret);
StreamQueue *stream_queue_unref(StreamQueue *q);
/* Ends a stream from our side, by the data it was attached with (console taken over with force).
 * Any thread. */
void stream_abort_by_data(const void *data, const char *why);
/* All that came has arrived where it belongs (error NULL), or could not; whether or not the client has finished. Any
 * thread, while data is still the caller's too. */
void stream_done_by_data(const void *data, const GError *error);
