/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a Conn is made of; for conn.c, conn_input.c, conn_output.c and keepalive.c only. */
#pragma once

#include "rpc/conn.h"
#include "rpc/frame.h"
#include "rpc/keepalive.h"
#include "rpc/share.h"
#include "rpc/transport.h"

enum { CONN_LOW = 128 << 10, CONN_HIGH = 512 << 10 };

/* Something to write: a Message, or events: bytes of our own, and behind them a body that others have, too. */
typedef struct OutItem {
    struct OutItem *next;
    Message *m;   /* NULL: events */
    GBytes *body; /* NULL: none */
    uint32_t pos; /* bytes written */
    uint16_t own_len, own_room;
    uint8_t fds_sent;
    bool then_layer; /* all behind it goes through the layer */
    uint8_t own[];
} OutItem;

struct Conn {
    atomic_int refs;
    Loop *loop;
    int fd;
    bool can_fds;
    bool closed, flushing;
    bool handshaking;       /* of the transport: nothing else happens until it is over */
    ConnTransport *rx, *tx; /* NULL: plain. tx is rx, or what lies below while it has plain bytes to
                             * send; rx is owned */
    bool eof;               /* the input has ended; eof_why: by an error */
    bool drained;           /* the last read took all there was */
    bool in_blocked;        /* we do not read */
    bool more;              /* on_more() is posted */
    Share *share;           /* of user; NULL without */
    ShareLink share_link;
    bool wide; /* the socket's buffer is that of a stream: conn_widen() */
    LoopIo io;
    sd_event_source *flush_timer;
    sd_event_source *gone_timer; /* the peer is gone, but we do not read it: somebody holds up the input */
    uint64_t gone_mark;
    User *user;
    const ConnOps *ops; /* NULL once nothing may be called any more */
    void *data;
    GError *why, *eof_why;

    FrameReader reader;
    GQueue backlog; /* of Message */
    size_t backlog_bytes;
    unsigned pauses, delivered;
    uint64_t bytes_in, bytes_out;

    size_t low, high;
    struct {
        OutItem *first, *last;
        OutItem *spare; /* of events, with room for the next ones; may be NULL */
        size_t bytes;       /* not written yet */
        size_t event_bytes; /* of shared bodies, whole items */
        bool blocked;       /* the socket is full: EPOLLOUT goes on */
        bool congested, dead;
        bool dirty;  /* written at the end of the batch */
        GList later; /* data set: written in a later turn */
        Conn *next_dirty;
    } out;
    Keepalive keepalive;
};

/* conn.c */
/* Tells the loop what we wait for. */
void conn_arm(Conn *c);
/* Closes now, 'closed' is called from the loop. why (may be NULL) is taken. */
void conn_lost(Conn *c, GError *why);
/* conn_output.c */
void conn_flush(Conn *c);
void conn_check_marks(Conn *c);
void conn_output_clear(Conn *c);
/* It has nothing more to write in a later turn. */
void conn_leave_later(Conn *c);
/* conn_input.c */
extern _Atomic uint64_t conn_gone_usec; /* how long nothing may go on of what a peer has sent that is gone */
bool conn_input_full(const Conn *c);
void conn_on_io(LoopIo *io, uint32_t revents);
void conn_on_share(void *conn);
/* The owner's callback is called in the next turn of the loop with what has been read. */
void conn_want_more(Conn *c);
