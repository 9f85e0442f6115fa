/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by message.c, frame.c and conn.c: how a Message is allocated, and big-endian words. */
#pragma once

#include "protocols/proc.h"
#include "rpc/message.h"

static inline uint32_t be32_get(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void be32_put(uint8_t *p, uint32_t v)
{
    p[0] = v >> 24;
    p[1] = v >> 16;
    p[2] = v >> 8;
    p[3] = v;
}

static inline bool msg_has_fds(uint32_t type)
{
    return type == MSG_CALL_FDS || type == MSG_REPLY_FDS;
}

/* The bytes of a short message stand behind the struct: one allocation. */
static inline bool message_is_inline(const Message *m)
{
    return m->data == (const uint8_t *)(m + 1);
}

/* A message of len bytes with room for cap of them; nothing filled. */
Message *message_alloc(uint32_t len, uint32_t cap);
/* Room for cap bytes; what was there stays. False: no memory. */
bool message_resize(Message *m, uint32_t cap);
/* The rows of the program and the procedure; NULL: none that we know. */
const ProgramInfo *msg_program(const MsgHeader *h);
const ProcInfo *msg_proc(const MsgHeader *h);
bool msg_len_check(uint32_t len, uint32_t max, GError **err);
