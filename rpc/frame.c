/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The frame reader. The length word is checked before anything is allocated; then the buffer grows
 * with what has arrived, not with what was announced: the first allocation is small, and every
 * further one at most doubles what the peer has really sent. Each allocation is charged first.
 *
 * Invariant: cur exists once the head is complete; cur->filled counts its bytes; when they are all
 * there, want_fds says how many carriers are still to come. One thread.
 */
#include "rpc/frame.h"

#include <string.h>
#include <unistd.h>

#include "rpc/message-internal.h"
#include "util/error.h"

void frame_reset(FrameReader *r)
{
    r->cur = message_unref(r->cur);
    r->head_n = 0;
}

size_t frame_held(const FrameReader *r)
{
    return r->cur ? r->cur->filled : r->head_n;
}

/* Here, where the message begins, so that neither a part of it nor one that is only passed on is forgotten. */
static bool is_sensitive(const MsgHeader *h)
{
    const ProcInfo *p = h->type == MSG_STREAM || h->type == MSG_HOLE || h->type == MSG_EVENT ? NULL : msg_proc(h);

    return p && p->bits & PROC_SENSITIVE;
}

/* The head is complete: checks it and makes the message. */
static bool frame_begin(FrameReader *r, GError **err)
{
    uint32_t len;
    MsgHeader h;

    if (!msg_header_decode(r->head, r->max, &len, &h, err))
        return false;
    if (msg_has_fds(h.type)) {
        if (!r->can_fds) {
            error_set(err, VIR_ERR_RPC, "message type %u carries file descriptors, this connection cannot", h.type);
            return false;
        }
        if (len < MESSAGE_HEAD + 4) {
            error_set(err, VIR_ERR_RPC, "message of %u bytes lacks its count of file descriptors", len);
            return false;
        }
    }

    uint32_t cap = MIN(len, r->max > MESSAGE_MAX_UNAUTH ? FRAME_FIRST : FRAME_FIRST_SMALL);
    Charge charge = { 0 };

    if (!charge_take(&charge, r->user, ACCOUNT_BYTES, cap, err))
        return false;
    r->cur = message_alloc(len, cap);
    r->cur->h = h;
    r->cur->wipe = is_sensitive(&h);
    r->cur->bytes_charge = charge;
    r->cap = cap;
    memcpy(r->cur->data, r->head, MESSAGE_HEAD);
    r->cur->filled = MESSAGE_HEAD;
    r->head_n = 0;
    return true;
}

/* Makes room behind what has arrived. */
static bool frame_grow(FrameReader *r, GError **err)
{
    Message *m = r->cur;

    if (m->filled < r->cap || m->filled == m->len)
        return true;

    uint32_t cap = MIN(m->len, r->cap * 2);

    if (!charge_take(&m->bytes_charge, r->user, ACCOUNT_BYTES, cap - r->cap, err))
        return false;
    if (!message_resize(m, cap)) {
        error_set(err, VIR_ERR_NO_MEMORY, "no memory for a message of %u bytes", m->len);
        return false;
    }
    r->cap = cap;
    return true;
}

/* The fd count stands in front of the payload of some types. */
static bool frame_check_fd_count(Message *m, GError **err)
{
    if (!msg_has_fds(m->h.type) || m->body != MESSAGE_HEAD || m->filled < MESSAGE_HEAD + 4)
        return true;

    uint32_t n = be32_get(m->data + MESSAGE_HEAD);

    if (n > MESSAGE_FDS_MAX) {
        error_set(err, VIR_ERR_RPC, "message announces %u file descriptors, at most %d are allowed", n, MESSAGE_FDS_MAX);
        return false;
    }
    m->body = MESSAGE_HEAD + 4;
    m->want_fds = n;
    return true;
}

static bool frame_take_fd(FrameReader *r, int *fd, bool is_last, GError **err)
{
    Message *m = r->cur;

    if (!is_last || *fd < 0) {
        error_set(err, VIR_ERR_RPC, "file descriptor %u of %u did not come with its byte", m->n_fds + 1u, m->want_fds);
        return false;
    }
    if (!charge_take(&m->fds_charge, r->user, ACCOUNT_FDS, 1, err))
        return false;
    if (!m->fds) {
        m->fds = g_new(int, m->want_fds);
        for (unsigned i = 0; i < m->want_fds; i++)
            m->fds[i] = -1;
    }
    m->fds[m->n_fds++] = *fd;
    *fd = -1;
    return true;
}

static bool frame_complete(const FrameReader *r)
{
    const Message *m = r->cur;

    return m && m->filled == m->len && m->n_fds == m->want_fds;
}

FrameResult frame_feed(FrameReader *r, const uint8_t **bytes, size_t *n, int *fd, Message **ret, GError **err)
{
    /* frame_fill() may have completed one. */
    if (r->cur && !frame_check_fd_count(r->cur, err))
        return FRAME_BAD;
    while (!frame_complete(r)) {
        size_t k;

        if (*n == 0)
            return FRAME_MORE;
        if (!r->cur) {
            k = MIN(*n, (size_t)(MESSAGE_HEAD - r->head_n));
            memcpy(r->head + r->head_n, *bytes, k);
            r->head_n += k;
            /* A length that cannot be right is refused as soon as it is there. */
            if (r->head_n >= MESSAGE_LEN_WORD && !msg_len_check(be32_get(r->head), r->max, err))
                return FRAME_BAD;
            if (r->head_n == MESSAGE_HEAD && !frame_begin(r, err))
                return FRAME_BAD;
        } else if (r->cur->filled < r->cur->len) {
            if (!frame_grow(r, err))
                return FRAME_BAD;
            k = MIN(*n, (size_t)(MIN(r->cap, r->cur->len) - r->cur->filled));
            memcpy(r->cur->data + r->cur->filled, *bytes, k);
            r->cur->filled += k;
            if (!frame_check_fd_count(r->cur, err))
                return FRAME_BAD;
        } else {
            k = 1; /* the carrier; its value means nothing */
            if (!frame_take_fd(r, fd, *n == 1, err))
                return FRAME_BAD;
        }
        *bytes += k;
        *n -= k;
    }
    *ret = g_steal_pointer(&r->cur);
    return FRAME_READY;
}

bool frame_space(FrameReader *r, struct iovec *ret, GError **err)
{
    Message *m = r->cur;

    ret->iov_len = 0;
    if (!m || m->filled == m->len)
        return true;
    if (!frame_grow(r, err))
        return false;
    *ret = (struct iovec){ m->data + m->filled, MIN(r->cap, m->len) - m->filled };
    return true;
}

void frame_fill(FrameReader *r, size_t n)
{
    r->cur->filled += n;
}
