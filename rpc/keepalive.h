/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keepalive of one connection, part of its Conn. Loop thread. */
#pragma once

#include <systemd/sd-event.h>

#include "rpc/conn.h"

typedef struct Keepalive {
    sd_event_source *timer; /* NULL: we do not ping */
    unsigned interval, count;
    bool heard; /* something arrived since the last tick */
    unsigned silent; /* ticks without */
} Keepalive;

static inline void keepalive_heard(Keepalive *k) { k->heard = true; }
bool keepalive_is_frame(const Message *m);
/* A frame of the keepalive program: a ping is answered at once. */
void keepalive_frame(Conn *c, const Message *m);
void keepalive_done(Keepalive *k);
