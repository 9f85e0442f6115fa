/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the same bytes cost with nobody looking at them: servers in processes of their own, one thread
 * each. They end with us, or with end_child(). */
#pragma once

#include "tests/bench/wire.h"

/* A call as bytes, and the size of its answer, learnt from the daemon. */
typedef struct Exchange {
    const char *name;
    uint8_t request[512];
    size_t request_len;
    size_t reply_len;
} Exchange;

pid_t start_child(void (*serve)(int listener, const void *data), const char *path,
                  const void *data);
void end_child(pid_t pid, const char *path);

/* Answers every request_len bytes with reply_len bytes. data: Exchange. */
void serve_echo(int listener, const void *data);
/* Moves bytes between a client and the socket at the path 'data', both ways. */
void serve_relay(int listener, const void *data);
/* Sends to all who are connected what the one that connected first writes. */
void serve_fan_out(int listener, const void *data);
/* A daemon that knows two calls: a download sends *(size_t *)data bytes, an upload takes what comes. */
void serve_streams(int listener, const void *data);
