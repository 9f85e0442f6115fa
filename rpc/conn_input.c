/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a connection receives. A wake-up reads once or a few times into a small buffer on the stack (the rest
 * of a big frame straight into its Message), so an idle connection keeps no buffer. At most IN_BATCH
 * messages are handed out per wake-up, or less when its user has had its share of the turn (share.h);
 * what else has been read waits in 'backlog' and goes on in a later turn of the loop. Descriptors stay
 * with their message, see frame.h.
 *
 * Pausing. While paused, the connection goes on reading into the backlog until BACKLOG_MAX bytes
 * of frames wait there. Keepalive frames among them are answered at once. So a peer that waits
 * for us gets its pongs for as long as less than that stands in front of its pings; a peer that
 * has sent more is itself blocked by us, and then our own keepalive does not count its silence.
 *
 * Who hangs up while it is paused is heard to the end as long as that goes on. When nothing of it has been
 * taken for conn_gone_usec (a stream's sink is stuck), it is over: nobody is left who could finish it.
 *
 * Loop thread.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "rpc/conn-internal.h"
#include "util/error.h"
#include "util/fd.h"

enum {
    READ_CHUNK = 8 << 10,
    IN_BATCH = 16, /* messages per wake-up */
    IN_BATCH_BYTES = 512 << 10,
    COST_BYTES = 512, /* that cost as much as a small message */
    BACKLOG_MAX = 256 << 10,
};

_Atomic uint64_t conn_gone_usec = 10 * G_USEC_PER_SEC;

static void conn_input(Conn *c);

/* Bytes read, 0 at the end, -1 with errno. *ret_fd: a descriptor that came with the last byte. */
static ssize_t conn_recv(Conn *c, struct iovec *iov, unsigned n_iov, int *ret_fd, bool *ret_bad_fds)
{
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr mh = { .msg_iov = iov, .msg_iovlen = n_iov };
    ssize_t n;

    *ret_fd = -1;
    *ret_bad_fds = false;
    if (G_UNLIKELY(c->rx != NULL))
        return c->rx->ops->recv(c->rx, iov[0].iov_base, iov[0].iov_len);
    if (c->can_fds) {
        mh.msg_control = control.buf;
        mh.msg_controllen = CMSG_LEN(sizeof(int)); /* exactly one; SPACE would have room for two */
    }
    do
        n = recvmsg(c->fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n <= 0 || !mh.msg_controllen)
        return n;

    for (struct cmsghdr *h = CMSG_FIRSTHDR(&mh); h; h = CMSG_NXTHDR(&mh, h))
        if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS &&
            h->cmsg_len == CMSG_LEN(sizeof(int)))
            memcpy(ret_fd, CMSG_DATA(h), sizeof(int));
    if (mh.msg_flags & MSG_CTRUNC)
        *ret_bad_fds = true; /* several in one go, or our table is full */
    return n;
}

bool conn_input_full(const Conn *c)
{
    return c->pauses && c->backlog_bytes + frame_held(&c->reader) >= BACKLOG_MAX;
}

static void conn_deliver_backlog(Conn *c)
{
    if (!c->closed && !c->flushing)
        conn_input(c);
}

static void on_more(void *data)
{
    g_autoptr(Conn) c = data;

    c->more = false;
    conn_batch_begin();
    conn_deliver_backlog(c);
    conn_batch_end();
}

void conn_on_share(void *conn)
{
    g_autoptr(Conn) c = conn_ref(conn);

    conn_batch_begin();
    conn_deliver_backlog(c);
    conn_batch_end();
}

/* Goes on with the input in a later turn of the loop, the next one if there are no other users. */
void conn_want_more(Conn *c)
{
    if (c->share) {
        if (!c->closed)
            share_queue(c->share, &c->share_link, c);
        return;
    }
    if (c->more)
        return;
    c->more = true;
    loop_post(c->loop, on_more, conn_ref(c));
}

static bool conn_may_deliver(const Conn *c)
{
    return c->delivered < IN_BATCH && (!c->share || share_left(c->share));
}

static void conn_deliver(Conn *c, Message *m)
{
    c->delivered++;
    if (c->share)
        share_used(c->share, 1);
    c->ops->message(c, m, c->data);
}

/* Hands one message to the owner or keeps it for later. Takes m. */
static void conn_take_message(Conn *c, Message *m)
{
    g_autoptr(Message) own = m;

    if (keepalive_is_frame(m)) {
        keepalive_frame(c, m);
        return;
    }
    if (c->pauses || !conn_may_deliver(c) || !g_queue_is_empty(&c->backlog)) {
        c->backlog_bytes += m->len;
        g_queue_push_tail(&c->backlog, g_steal_pointer(&own));
        return;
    }
    conn_deliver(c, m);
}

/* The input has ended (or nobody takes our output) and everything before has been handed out. */
static void conn_check_eof(Conn *c)
{
    if (!c->closed && (c->eof || (c->out.dead && c->drained)) && g_queue_is_empty(&c->backlog))
        conn_lost(c, g_steal_pointer(&c->eof_why));
}

/* What has just come; a secret's value, perhaps, and nobody ever leaves this part of the stack for good. */
typedef struct Chunk {
    size_t used;
    uint8_t bytes[READ_CHUNK];
} Chunk;

static void chunk_wipe(Chunk *chunk)
{
    explicit_bzero(chunk->bytes, chunk->used);
    chunk->used = 0;
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Chunk, chunk_wipe)

static void conn_read(Conn *c)
{
    g_auto(Chunk) chunk;
    size_t total = 0;

    chunk.used = 0;

    c->drained = false;
    for (;;) {
        struct iovec iov[2];
        unsigned n_iov = 0;
        size_t direct, room;
        auto_fd fd = -1;
        bool bad_fds;
        GError *error = NULL;

        if (!frame_space(&c->reader, &iov[0], &error)) {
            conn_lost(c, error);
            return;
        }
        direct = iov[0].iov_len;
        n_iov = direct ? 1 : 0;
        iov[n_iov++] = (struct iovec){ chunk.bytes, sizeof(chunk.bytes) };
        room = direct + sizeof(chunk.bytes);

        ssize_t r = conn_recv(c, iov, n_iov, &fd, &bad_fds);

        if (r < 0 && errno == EAGAIN) {
            c->drained = true;
            break;
        }
        if (r <= 0) {
            c->eof = true;
            if (r < 0 && errno != ECONNRESET && errno != EPIPE)
                error_set_errno(&c->eof_why, errno, "cannot read from connection");
            break;
        }
        chunk.used = (size_t)r > direct ? (size_t)r - direct : 0;
        c->bytes_in += r;
        total += r;
        if (c->share)
            share_used(c->share, r / COST_BYTES);
        if (bad_fds) {
            error_set(&error, VIR_ERR_RPC,
                      "file descriptors that could not be received, one at a time is expected");
            conn_lost(c, error);
            return;
        }

        size_t n = chunk.used;
        const ConnTransport *layer = c->rx;
        const uint8_t *p = chunk.bytes;
        bool had_fd = fd >= 0;
        FrameResult res = FRAME_READY;

        if (direct)
            frame_fill(&c->reader, MIN((size_t)r, direct));
        while (res == FRAME_READY) {
            Message *m = NULL;

            res = frame_feed(&c->reader, &p, &n, &fd, &m, &error);
            if (res == FRAME_BAD) {
                conn_lost(c, error);
                return;
            }
            if (res == FRAME_READY)
                conn_take_message(c, m);
            if (c->closed || c->flushing)
                return;
            if (c->rx != layer && n) {
                error_set(&error, VIR_ERR_RPC,
                          "bytes in front of the security layer that was agreed on");
                conn_lost(c, error);
                return;
            }
        }
        chunk_wipe(&chunk);
        if (fd >= 0) {
            error_set(&error, VIR_ERR_RPC, "file descriptor that belongs to no message");
            conn_lost(c, error);
            return;
        }
        /* A short read means that the socket is empty, unless a descriptor ended it. */
        if ((size_t)r < room && !had_fd && !c->rx) {
            c->drained = true;
            break;
        }
        if (total >= IN_BATCH_BYTES || !conn_may_deliver(c) || conn_input_full(c))
            break;
    }
    keepalive_heard(&c->keepalive);
}

static void conn_input(Conn *c)
{
    c->delivered = 0;
    if (c->share && !share_left(c->share)) {
        conn_want_more(c);
        conn_arm(c);
        return;
    }
    while (!c->pauses && conn_may_deliver(c) && !g_queue_is_empty(&c->backlog)) {
        g_autoptr(Message) m = g_queue_pop_head(&c->backlog);

        c->backlog_bytes -= m->len;
        conn_deliver(c, m);
        if (c->closed || c->flushing)
            return;
    }
    /* Reading stops while there is work left over from before, except to look for pings. */
    if (!c->eof && (g_queue_is_empty(&c->backlog) || c->pauses) && !conn_input_full(c))
        conn_read(c);
    if (c->closed || c->flushing)
        return;
    if (!c->pauses && !g_queue_is_empty(&c->backlog))
        conn_want_more(c);
    else if (c->rx && !c->drained && !c->eof && !conn_input_full(c))
        conn_want_more(c); /* of what the transport holds the kernel does not tell us */
    conn_check_eof(c);
    if (!c->closed)
        conn_arm(c);
}

static void conn_handshake(Conn *c)
{
    bool want_write = false;
    GError *error = NULL;
    int r = c->rx->ops->handshake(c->rx, &want_write, &error);

    if (r < 0) {
        conn_lost(c, error);
        return;
    }
    if (r == 0) {
        loop_io_set(&c->io, want_write ? EPOLLOUT : EPOLLIN);
        return;
    }
    c->handshaking = false;
    c->out.blocked = false;
    conn_arm(c);
    if (c->ops->secured)
        c->ops->secured(c, c->data);
    if (!c->closed && c->out.first)
        conn_flush(c);
    if (!c->closed && !c->flushing)
        conn_input(c); /* what came with the end of the handshake is in the transport already */
}

static int on_gone(sd_event_source *s, uint64_t usec, void *data);

static void conn_gone(Conn *c)
{
    c->gone_mark = c->bytes_in - c->backlog_bytes;
    loop_timer_set(c->loop, &c->gone_timer, conn_gone_usec, on_gone, c);
}

static int on_gone(sd_event_source *s, uint64_t usec, void *data)
{
    Conn *c = data;
    GError *why = NULL;

    c->gone_timer = sd_event_source_disable_unref(c->gone_timer);
    if (!c->in_blocked)
        return 0; /* it is read again, and its end will be found */
    if (c->gone_mark != c->bytes_in - c->backlog_bytes) {
        conn_gone(c);
        return 0;
    }
    error_set(&why, VIR_ERR_RPC, "it is gone, and nothing takes what it has sent");
    conn_lost(c, why);
    return 0;
}

static void conn_ready(Conn *c)
{
    if (c->share && !c->share_link.queued && share_others_first(c->share)) {
        conn_want_more(c);
        conn_arm(c);
    } else {
        conn_input(c);
    }
}

void conn_on_io(LoopIo *io, uint32_t revents)
{
    g_autoptr(Conn) c = conn_ref((Conn *)((char *)io - offsetof(Conn, io)));

    conn_batch_begin();
    if (G_UNLIKELY(c->handshaking)) {
        conn_handshake(c);
        conn_batch_end();
        return;
    }
    if (revents & EPOLLOUT && c->out.blocked && c->out.first) {
        c->out.blocked = false;
        conn_flush(c);
    }
    if (!c->closed && revents & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        if (c->flushing && revents & (EPOLLHUP | EPOLLERR))
            conn_lost(c, NULL);
        else if (!c->flushing)
            conn_ready(c);
        if (!c->closed && !c->flushing && c->in_blocked && revents & (EPOLLHUP | EPOLLERR) && !c->gone_timer)
            conn_gone(c);
    }
    conn_batch_end();
}

void conn_act_for(Conn *c, User *user)
{
    bool queued = c->share_link.queued;

    if (c->closed || !user)
        return;
    if (c->share)
        share_leave(c->share, &c->share_link);
    share_unref(c->share);
    c->share = share_get(c->loop, user, conn_on_share);
    if (queued)
        conn_want_more(c);
}

void conn_pause(Conn *c)
{
    c->pauses++;
}

void conn_resume(Conn *c)
{
    g_assert(c->pauses > 0);
    if (--c->pauses || c->closed || c->flushing)
        return;
    if (!g_queue_is_empty(&c->backlog) || c->in_blocked)
        conn_want_more(c);
    conn_arm(c);
}
