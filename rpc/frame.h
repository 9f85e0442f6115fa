/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes to Messages: a reader that takes any chunking of the stream and hands out whole frames.
 * It does no I/O itself, so that tests and fuzzers drive it as conn.c does. One thread.
 *
 * Descriptors: on the wire every one follows its frame alone, with a carrier byte of its own. The
 * kernel ends a read behind the byte that carried descriptors, therefore a descriptor that came
 * with a read belongs to the last byte of that read, and nothing else is accepted.
 */
#pragma once

#include <sys/uio.h>

#include "rpc/message.h"

enum {
    FRAME_FIRST_SMALL = 16 << 10, /* first allocation for a peer that is not authenticated … */
    FRAME_FIRST = 260 << 10,      /* … and for others: a whole stream frame */
};

typedef struct FrameReader {
    uint32_t max;       /* bound of a frame */
    User *user;         /* borrowed; pays for what has arrived */
    bool can_fds;
    Message *cur;       /* being filled; NULL while its head arrives */
    uint32_t cap;       /* bytes allocated for cur */
    uint8_t head[MESSAGE_HEAD];
    uint8_t head_n;
} FrameReader;

typedef enum FrameResult {
    FRAME_MORE,  /* all bytes are taken, the frame is not complete */
    FRAME_READY, /* *ret is a message; there may be bytes left */
    FRAME_BAD,   /* the peer broke the protocol or its quota; *err */
} FrameResult;

/* Takes bytes from *bytes, *n (which it advances). *fd: descriptor that came with the last of these
 * bytes, -1 none; set to -1 when taken. */
FrameResult frame_feed(FrameReader *r, const uint8_t **bytes, size_t *n, int *fd, Message **ret, GError **err);
/* Where the next bytes of the frame can be read to without a copy; *ret is empty when nowhere. False
 * with *err when the quota of the peer is used up. */
bool frame_space(FrameReader *r, struct iovec *ret, GError **err);
/* n bytes were put there. */
void frame_fill(FrameReader *r, size_t n);
/* Bytes kept for an unfinished frame. */
size_t frame_held(const FrameReader *r);
/* Forgets an unfinished frame. */
void frame_reset(FrameReader *r);
