/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keepalive. Answering pings needs no state and happens while the input is parsed, before any limit
 * applies to the connection. Pinging is a tick per interval: every byte that arrived since the last
 * tick counts as a sign of life, 'count' ticks without one close the connection. A tick at which we
 * ourselves do not read (back-pressure) proves nothing and counts as a sign of life.
 * The timer runs after all input that is ready, so a loop that was held up does not declare its
 * peers dead. Loop thread.
 */
#include "rpc/keepalive.h"

#include "protocols/keepalive_procs.h"
#include "rpc/conn-internal.h"
#include "util/error.h"

bool keepalive_is_frame(const Message *m)
{
    return m->h.prog == KEEPALIVE_PROGRAM;
}

static void keepalive_send(Conn *c, int32_t proc)
{
    const MsgHeader h = {
        .prog = KEEPALIVE_PROGRAM,
        .vers = KEEPALIVE_PROTOCOL_VERSION,
        .proc = proc,
        .type = MSG_EVENT,
    };
    g_autoptr(Message) m = message_new_bytes(&h, NULL, 0);

    conn_send(c, m);
}

void keepalive_frame(Conn *c, const Message *m)
{
    /* A peer that pings and never reads gets no more pongs than its output queue holds. */
    if (m->h.vers == KEEPALIVE_PROTOCOL_VERSION && m->h.type == MSG_EVENT && m->h.proc == KEEPALIVE_PROC_PING &&
        c->out.bytes <= c->high)
        keepalive_send(c, KEEPALIVE_PROC_PONG);
}

void keepalive_done(Keepalive *k)
{
    k->timer = sd_event_source_disable_unref(k->timer);
}

static int keepalive_tick(sd_event_source *s, uint64_t usec, void *data)
{
    Conn *c = data;
    Keepalive *k = &c->keepalive;

    if (k->heard || c->in_blocked)
        k->silent = 0;
    else
        k->silent++;
    k->heard = false;
    if (k->silent > k->count) {
        GError *why = NULL;

        error_set(&why, VIR_ERR_RPC, "no sign of life from the peer for %u seconds", k->interval * k->silent);
        conn_lost(c, why);
        return 0;
    }
    if (k->silent && !c->flushing)
        keepalive_send(c, KEEPALIVE_PROC_PING);
    /* Fails only for a source that is gone, and then nothing is left to watch. */
    if (k->timer) {
        (void)sd_event_source_set_time_relative(k->timer, (uint64_t)k->interval * G_USEC_PER_SEC);
        (void)sd_event_source_set_enabled(k->timer, SD_EVENT_ONESHOT);
    }
    return 0;
}

void conn_set_keepalive(Conn *c, unsigned interval_sec, unsigned count)
{
    Keepalive *k = &c->keepalive;

    keepalive_done(k);
    *k = (Keepalive){ .interval = interval_sec, .count = count };
    if (!interval_sec || c->closed)
        return;

    uint64_t usec = (uint64_t)interval_sec * G_USEC_PER_SEC;

    if (sd_event_add_time_relative(loop_event(c->loop), &k->timer, CLOCK_MONOTONIC, usec, G_USEC_PER_SEC / 4,
                                   keepalive_tick, c) < 0) {
        k->timer = NULL; /* no memory for a timer: the connection works without */
        return;
    }
    (void)sd_event_source_set_priority(k->timer, SD_EVENT_PRIORITY_NORMAL + 10);
    loop_attend(c->loop);
}
