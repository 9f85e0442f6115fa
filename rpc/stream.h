/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams: the data that follows a call which the .x marks @readstream or @writestream, under the
 * call's serial. A handler opens the stream and attaches a descriptor; the core pumps it on the loop
 * thread with the connection's back-pressure, and performs finish and abort.
 */
#pragma once

#include "rpc/call.h"

typedef enum StreamDir { STREAM_IN = 1, STREAM_OUT = 2, STREAM_BOTH = 3 } StreamDir;

typedef enum StreamMode {
    STREAM_CONFIRMED = 1, /* in, a pipe: the client's finish is answered when stream_done_by_data() says how it went */
    STREAM_FRAMED = 2,    /* what goes through fd is a row of StreamFrame (util/stream_frame.h) and data: holes pass */
} StreamMode;

typedef struct StreamOps {
    /* Loop thread, once, when the stream has ended for whatever reason (client gone, finish, abort,
     * error): release what 'data' holds. */
    void (*closed)(void *data);
    unsigned mode; /* StreamMode */
} StreamOps;

/* Attaches fd (pipe, pty, socket, or a file to send from; ownership moves on success and failure) to the call's stream. It
 * starts once the call's reply is sent, and is dropped when the call fails. Called by the handler, once. */
bool call_attach_stream(Call *c, int fd, StreamDir dir, const StreamOps *ops, void *data, GError **err);
/* Ends a stream from our side, by the data it was attached with (console taken over with force).
 * Any thread. */
void stream_abort_by_data(const void *data, const char *why);
/* All that came has arrived where it belongs (error NULL), or could not; whether or not the client has finished. Any
 * thread, while data is still the caller's too. */
void stream_done_by_data(const void *data, const GError *error);
