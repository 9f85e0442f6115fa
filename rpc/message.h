/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One frame of the wire (facts: length word, six header words, payload; fds follow the frame one by
 * one). A Message is filled by one reader, then immutable and shared by reference; 'data' holds
 * exactly the bytes on the wire, so forwarding needs no decoding. Any thread may ref and unref.
 */
#pragma once

#include <glib.h>
#include <rpc/rpc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/account.h"

enum {
    MESSAGE_LEN_WORD = 4,
    MESSAGE_HEADER = 24,
    MESSAGE_HEAD = 28,               /* length word and header */
    MESSAGE_MAX = 4 + 33554432,      /* whole frame */
    MESSAGE_MAX_UNAUTH = 65536,      /* before authentication */
    MESSAGE_FDS_MAX = 32,
    MESSAGE_STREAM_MAX = 262120,     /* payload of one stream frame */
};

typedef enum MsgType { MSG_CALL, MSG_REPLY, MSG_EVENT, MSG_STREAM, MSG_CALL_FDS, MSG_REPLY_FDS, MSG_HOLE, _MSG_N } MsgType;
typedef enum MsgStatus { MSG_OK, MSG_ERROR, MSG_CONTINUE } MsgStatus;

typedef struct MsgHeader {
    uint32_t prog, vers;
    int32_t proc;
    uint32_t type, serial, status;
} MsgHeader;

typedef struct Message {
    atomic_int refs;
    MsgHeader h;
    uint32_t len;    /* whole frame, length word included */
    uint32_t filled; /* bytes that arrived; == len when complete */
    uint32_t body;   /* offset of the payload: MESSAGE_HEAD, or 4 more behind an fd count */
    uint8_t n_fds, want_fds;
    bool wipe;       /* holds what nobody should find in freed memory */
    int *fds; /* n_fds of them, -1 once taken; NULL without */
    Charge bytes_charge, fds_charge; /* on the user that made us keep it */
    uint8_t *data;
} Message;

Message *message_ref(Message *m);
Message *message_unref(Message *m); /* closes the fds that nobody took */

static inline const uint8_t *message_body(const Message *m) { return m->data + m->body; }
static inline size_t message_body_len(const Message *m) { return m->len - m->body; }

/* Encodes header and payload; xdr NULL: no payload. NULL with *err when it does not fit. */
Message *message_new(const MsgHeader *h, xdrproc_t xdr, const void *payload, GError **err);
/* The same for what nobody should find in memory that was freed. */
Message *message_new_sensitive(const MsgHeader *h, xdrproc_t xdr, const void *payload, GError **err);
/* The same with ready payload bytes (copied). */
Message *message_new_bytes(const MsgHeader *h, const void *bytes, size_t n);
/* The same with what one read() of up to max bytes gives. NULL: *ret_n is 0, the end, or -1 with errno. */
Message *message_new_read(const MsgHeader *h, int fd, size_t max, ssize_t *ret_n);
/* Adds an fd to a call or reply under construction (ownership moves); type becomes *_FDS. */
bool message_add_fd(Message *m, int fd, GError **err);
/* Moves fd i out of the message, -1 when there is none. */
int message_take_fd(Message *m, unsigned i);
/* Error reply to the call that h heads (type and status are set here). fallback_source: VIR_FROM_*
 * for errors that do not know theirs. */
Message *message_new_error(const MsgHeader *call, MsgType type, const GError *error, int fallback_source);
/* The error that an error message carries. */
void message_decode_error(const Message *m, GError **err);

/* Decodes the 28 bytes; false when a peer may not send this (length, type). max: frame limit. */
bool msg_header_decode(const uint8_t head[MESSAGE_HEAD], uint32_t max, uint32_t *ret_len, MsgHeader *ret, GError **err);
void msg_header_encode(const MsgHeader *h, uint32_t len, uint8_t head[MESSAGE_HEAD]);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Message, message_unref)
