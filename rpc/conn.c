/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection. Reading and writing are in this file, closing and its consequences, too; keepalive
 * is in keepalive.c, the framing in frame.c.
 *
 * Input. A wake-up reads once or a few times into a small buffer on the stack (the rest of a big
 * frame straight into its Message), so an idle connection keeps no buffer. At most IN_BATCH
 * messages are handed out per wake-up, or less when its user has had its share of the turn (share.h);
 * what else has been read waits in 'backlog' and goes on in a later turn of the loop. Descriptors stay with their message, see frame.h.
 *
 * Pausing. While paused, the connection goes on reading into the backlog until BACKLOG_MAX bytes
 * of frames wait there. Keepalive frames among them are answered at once. So a peer that waits
 * for us gets its pongs for as long as less than that stands in front of its pings; a peer that
 * has sent more is itself blocked by us, and then our own keepalive does not count its silence.
 *
 * Output. A message goes out with one write when nothing is queued before it. Inside a batch
 * (conn_batch_begin/end: the messages of one wake-up) writes wait for the end of the batch, so
 * pipelined calls are answered with one system call. EPOLLOUT is asked for only when the socket is
 * full.
 *
 * Closing. 'closed' is called once, from the loop and never from inside another function of this
 * file that the owner called. After that, or after conn_abandon(), no callback is called.
 *
 * Loop thread, except conn_send(), conn_ref() and the reading of constants. The last reference must
 * be dropped on the loop thread.
 */
#define LOG_SOURCE "rpc.conn"

#include "rpc/conn.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc/conn-internal.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"

enum {
    READ_CHUNK = 8 << 10,
    IN_BATCH = 16, /* messages per wake-up */
    IN_BATCH_BYTES = 512 << 10,
    COST_BYTES = 512,         /* that cost as much as a small message */
    BACKLOG_MAX = 256 << 10,
    IOV_MAX_ITEMS = 32,
    STREAM_FRAME = 64 << 10,
    STREAM_BUFFER = 1 << 20,
    BATCH_FLUSH = 256 << 10,   /* a batch does not hold back more than this */
    FLUSH_USEC = 10 * 1000000, /* how long a closing connection tries to write what is queued */
};

/* The connections with output held back by the batch that this thread is in. */
static _Thread_local struct {
    unsigned depth;
    Conn *first;
} batch;

static void conn_flush(Conn *c);
static void conn_deliver_backlog(Conn *c);

/* --- the two places that know the transport ---------------------------------------------------- */

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

/* Bytes written, -1 with errno. fd: goes with the bytes, -1 none. */
static ssize_t conn_sendv(Conn *c, struct iovec *iov, unsigned n_iov, int fd)
{
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr mh = { .msg_iov = iov, .msg_iovlen = n_iov };
    ssize_t n;

    if (G_UNLIKELY(c->tx != NULL))
        return c->tx->ops->send(c->tx, iov, n_iov);
    if (fd >= 0) {
        memset(&control, 0, sizeof(control));
        mh.msg_control = control.buf;
        mh.msg_controllen = CMSG_LEN(sizeof(int));
        control.align = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                                          .cmsg_type = SCM_RIGHTS,
                                          .cmsg_len = CMSG_LEN(sizeof(int)) };
        memcpy(CMSG_DATA(&control.align), &fd, sizeof(int));
    }
    do
        n = sendmsg(c->fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n;
}

/* --- life and death ------------------------------------------------------------------------------ */

static bool conn_input_full(const Conn *c)
{
    return c->pauses && c->backlog_bytes + frame_held(&c->reader) >= BACKLOG_MAX;
}

static void conn_arm(Conn *c)
{
    if (!c->io.loop || c->handshaking)
        return;

    bool in = !c->eof && !c->flushing && !conn_input_full(c) && !c->share_link.queued;

    c->in_blocked = !in;
    loop_io_set(&c->io, (in ? EPOLLIN : 0) | (c->out.blocked ? EPOLLOUT : 0));
}

static void out_item_free(OutItem *i)
{
    message_unref(i->m);
    if (i->body)
        g_bytes_unref(i->body);
    g_free(i);
}

static void out_clear(Conn *c)
{
    while (c->out.first) {
        OutItem *next = c->out.first->next;

        out_item_free(c->out.first);
        c->out.first = next;
    }
    c->out.last = NULL;
    c->out.bytes = c->out.event_bytes = 0;
    c->out.blocked = false;
}

/* Everything that the connection holds of the outside world. */
static void conn_release(Conn *c)
{
    loop_io_remove(&c->io);
    if (c->share)
        share_leave(c->share, &c->share_link);
    c->flush_timer = sd_event_source_disable_unref(c->flush_timer);
    keepalive_done(&c->keepalive);
    c->rx = conn_transport_free(c->rx);
    c->tx = NULL;
    fd_close(&c->fd);
    out_clear(c);
    frame_reset(&c->reader);
    g_queue_clear_full(&c->backlog, (GDestroyNotify)message_unref);
    c->backlog_bytes = 0;
}

static void conn_call_closed(void *data)
{
    g_autoptr(Conn) c = data;
    g_autoptr(GError) why = g_steal_pointer(&c->why);

    if (c->ops && c->ops->closed)
        c->ops->closed(c, why, c->data);
    c->ops = NULL;
}

/* Closes now and tells the owner in the next turn of the loop. why is taken. */
void conn_lost(Conn *c, GError *why)
{
    if (c->closed) {
        g_clear_error(&why);
        return;
    }
    c->closed = true;
    c->why = why;
    conn_release(c);
    loop_post(c->loop, conn_call_closed, conn_ref(c));
}

/* For an owner that goes away itself: closes, and nothing is called any more. */
void conn_abandon(Conn *c)
{
    c->ops = NULL;
    if (!c->closed) {
        c->closed = true;
        conn_release(c);
    }
}

Conn *conn_ref(Conn *c)
{
    if (c)
        atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

Conn *conn_unref(Conn *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    conn_release(c);
    g_clear_error(&c->why);
    share_unref(c->share);
    user_unref(c->user);
    g_free(c);
    return NULL;
}

static int on_flush_timeout(sd_event_source *s, uint64_t usec, void *data)
{
    conn_lost(data, NULL);
    return 0;
}

void conn_close(Conn *c, bool flush)
{
    if (c->closed)
        return;
    if (!flush || c->handshaking || (!c->out.first && !c->out.dirty)) {
        conn_lost(c, NULL);
        return;
    }
    if (c->flushing)
        return;
    c->flushing = true;
    frame_reset(&c->reader);
    g_queue_clear_full(&c->backlog, (GDestroyNotify)message_unref);
    c->backlog_bytes = 0;
    conn_arm(c);
    loop_timer_set(c->loop, &c->flush_timer, FLUSH_USEC, on_flush_timeout, c);
    if (!c->out.blocked && !c->out.dirty)
        conn_flush(c);
}

/* --- output --------------------------------------------------------------------------------------- */

static size_t out_item_len(const OutItem *i)
{
    return i->m ? i->m->len : i->head_len + g_bytes_get_size(i->body);
}

static void conn_check_marks(Conn *c)
{
    bool on = c->out.congested ? c->out.bytes > c->low : c->out.bytes > c->high;

    if (on == c->out.congested || c->closed)
        return;
    c->out.congested = on;
    if (c->ops && c->ops->congested)
        c->ops->congested(c, on, c->data);
}

static void out_push(Conn *c, OutItem *i)
{
    if (c->out.last)
        c->out.last->next = i;
    else
        c->out.first = i;
    c->out.last = i;
    c->out.bytes += out_item_len(i);
    if (i->body)
        c->out.event_bytes += out_item_len(i);
}

static void out_pop(Conn *c)
{
    OutItem *i = c->out.first;

    c->out.first = i->next;
    if (!c->out.first)
        c->out.last = NULL;
    if (i->body)
        c->out.event_bytes -= out_item_len(i);
    if (i->then_layer)
        c->tx = c->rx;
    out_item_free(i);
}

/* The bytes of an item from its position on; returns how many iovecs were used (at most 2). */
static unsigned out_item_iov(const OutItem *i, struct iovec *iov)
{
    if (i->m) {
        iov[0] = (struct iovec){ i->m->data + i->pos, i->m->len - i->pos };
        return 1;
    }

    unsigned n = 0;
    size_t body_len, off = i->pos > i->head_len ? i->pos - i->head_len : 0;
    const uint8_t *body = g_bytes_get_data(i->body, &body_len);

    if (i->pos < i->head_len)
        iov[n++] = (struct iovec){ (void *)(i->head + i->pos), i->head_len - i->pos };
    if (off < body_len)
        iov[n++] = (struct iovec){ (void *)(body + off), body_len - off };
    return n;
}

/* One write of as many items as fit; 1 go on, 0 the socket is full, -1 lost. */
static int conn_write_some(Conn *c)
{
    OutItem *first = c->out.first;

    if (first->pos == out_item_len(first)) {
        /* The frame is out; each descriptor follows with a byte of its own. */
        int fd = first->m->fds[first->fds_sent];
        uint8_t carrier = 0;
        struct iovec iov = { &carrier, 1 };
        ssize_t n;

        if (fd < 0) {
            errno = EBADF;
            return -1;
        }
        n = conn_sendv(c, &iov, 1, fd);
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        c->bytes_out += n;
        if (++first->fds_sent == first->m->n_fds)
            out_pop(c);
        return 1;
    }

    struct iovec iov[2 * IOV_MAX_ITEMS];
    unsigned n_iov = 0, items = 0;
    size_t want = 0;
    ssize_t n;

    for (OutItem *i = first; i && items < IOV_MAX_ITEMS; i = i->next, items++) {
        n_iov += out_item_iov(i, iov + n_iov);
        want += out_item_len(i) - i->pos;
        if (i->then_layer || (i->m && i->m->n_fds))
            break; /* its descriptors must follow before the next frame */
    }
    n = conn_sendv(c, iov, n_iov, -1);
    if (n < 0)
        return errno == EAGAIN ? 0 : -1;
    c->bytes_out += n;
    c->out.bytes -= n;

    for (size_t left = n; left;) {
        OutItem *i = c->out.first;
        size_t k = MIN(left, out_item_len(i) - i->pos);

        i->pos += k;
        left -= k;
        if (i->pos < out_item_len(i) || (i->m && i->m->n_fds))
            break;
        out_pop(c);
    }
    return (size_t)n == want;
}

/* The peer does not read any more. What it sent before may still be worth reading (a last error
 * reply), so that is done first; the end of the input then closes. */
static void conn_write_failed(Conn *c, int errnum)
{
    out_clear(c);
    c->out.dead = true;
    if (c->eof || c->flushing || c->in_blocked || (errnum != EPIPE && errnum != ECONNRESET)) {
        GError *why = NULL;

        if (errnum != EPIPE && errnum != ECONNRESET)
            error_set_errno(&why, errnum, "cannot write to connection");
        conn_lost(c, why);
        return;
    }
    conn_arm(c);
    conn_want_more(c);
    conn_check_marks(c); /* who paused us because of the output waits for this */
}

static void conn_flush(Conn *c)
{
    g_autoptr(Conn) keep = conn_ref(c);
    int r = 1;

    while (r > 0 && c->out.first)
        r = conn_write_some(c);
    if (r < 0) {
        conn_write_failed(c, errno);
        return;
    }
    c->out.blocked = c->out.first != NULL;
    if (!c->out.first && c->flushing) {
        conn_lost(c, NULL);
        return;
    }
    conn_arm(c);
    conn_check_marks(c);
}

void conn_batch_begin(void)
{
    batch.depth++;
}

void conn_batch_end(void)
{
    if (batch.depth > 1) {
        batch.depth--;
        return;
    }
    while (batch.first) {
        g_autoptr(Conn) c = batch.first;

        batch.first = c->out.next_dirty;
        c->out.dirty = false;
        if (!c->closed && !c->out.blocked && (c->out.first || c->flushing))
            conn_flush(c);
    }
    batch.depth--;
}

/* Something was queued: written now, at the end of the batch, or when the socket has room. */
static void conn_output(Conn *c)
{
    if (c->out.blocked) {
        conn_check_marks(c);
    } else if (batch.depth && c->out.bytes < BATCH_FLUSH) {
        if (!c->out.dirty) {
            c->out.dirty = true;
            c->out.next_dirty = batch.first;
            batch.first = conn_ref(c);
        }
    } else {
        conn_flush(c);
    }
}

/* The kernel says that a local socket is writable when three quarters of its buffer are empty. While we
 * come round to it, the peer has only the last quarter to read: for streams that must be a lot. Only
 * who sends frames of such size gets this. It works without, only slower. */
static void conn_widen(Conn *c)
{
    const int size = STREAM_BUFFER / 2; /* the kernel doubles it */

    c->wide = true;
    if (c->can_fds && setsockopt(c->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
        (void)setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static bool conn_takes_output(const Conn *c)
{
    return !c->closed && !c->flushing && !c->out.dead;
}

static void conn_send_here(Conn *c, Message *m, bool then_layer)
{
    if (!conn_takes_output(c))
        return;
    if (m->n_fds && !c->can_fds) {
        GError *why = NULL;

        error_set(&why, VIR_ERR_RPC,
                  "message with file descriptors for a connection that cannot carry them");
        conn_lost(c, why);
        return;
    }

    if (G_UNLIKELY(m->len >= STREAM_FRAME && !c->wide))
        conn_widen(c);

    OutItem *i = g_new0(OutItem, 1);

    i->m = message_ref(m);
    i->then_layer = then_layer;
    out_push(c, i);
    conn_output(c);
}

typedef struct PostedSend {
    Conn *c;
    Message *m;
} PostedSend;

static void conn_send_posted(void *data)
{
    PostedSend *p = data;

    conn_send_here(p->c, p->m, false);
    message_unref(p->m);
    conn_unref(p->c);
    g_free(p);
}

void conn_send(Conn *c, Message *m)
{
    if (loop_is_current(c->loop)) {
        conn_send_here(c, m, false);
        return;
    }

    PostedSend *p = g_new(PostedSend, 1);

    *p = (PostedSend){ conn_ref(c), message_ref(m) };
    loop_post(c->loop, conn_send_posted, p);
}

void conn_send_then_layer(Conn *c, Message *m, ConnTransport *layer)
{
    if (!conn_takes_output(c)) {
        conn_transport_free(layer);
        return;
    }
    if (frame_held(&c->reader) || !g_queue_is_empty(&c->backlog)) {
        GError *why = NULL;

        conn_transport_free(layer);
        error_set(&why, VIR_ERR_RPC, "bytes in front of the security layer that was agreed on");
        conn_lost(c, why);
        return;
    }
    layer->fd = c->fd;
    layer->lower = c->rx;
    c->rx = layer;
    c->can_fds = c->reader.can_fds = false; /* a layer carries bytes */
    conn_send_here(c, m, true);
}

bool conn_send_shared(Conn *c, const MsgHeader *h, const uint8_t *prefix, unsigned prefix_len,
                      GBytes *body, size_t event_quota)
{
    g_assert(prefix_len <= 4);
    if (!conn_takes_output(c))
        return true;

    size_t len = MESSAGE_HEAD + prefix_len + g_bytes_get_size(body);

    g_assert(len <= MESSAGE_MAX);
    if (c->out.event_bytes + len > event_quota)
        return false;

    OutItem *i = g_new0(OutItem, 1);

    i->body = g_bytes_ref(body);
    i->head_len = MESSAGE_HEAD + prefix_len;
    msg_header_encode(h, len, i->head);
    if (prefix_len)
        memcpy(i->head + MESSAGE_HEAD, prefix, prefix_len);
    out_push(c, i);
    conn_output(c);
    return true;
}

/* --- input ---------------------------------------------------------------------------------------- */

static void on_more(void *data)
{
    g_autoptr(Conn) c = data;

    c->more = false;
    conn_batch_begin();
    conn_deliver_backlog(c);
    conn_batch_end();
}

static void on_share(void *conn)
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

static void conn_read(Conn *c)
{
    uint8_t chunk[READ_CHUNK];
    size_t total = 0;

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
        iov[n_iov++] = (struct iovec){ chunk, sizeof(chunk) };
        room = direct + sizeof(chunk);

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

        size_t n = 0;
        const ConnTransport *layer = c->rx;
        const uint8_t *p = chunk;
        bool had_fd = fd >= 0;
        FrameResult res = FRAME_READY;

        if (direct)
            frame_fill(&c->reader, MIN((size_t)r, direct));
        if ((size_t)r > direct)
            n = r - direct;
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

static void conn_deliver_backlog(Conn *c)
{
    if (!c->closed && !c->flushing)
        conn_input(c);
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

static void on_io(LoopIo *io, uint32_t revents)
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
            conn_input(c);
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
    c->share = share_get(c->loop, user, on_share);
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

/* --- the rest ------------------------------------------------------------------------------------- */

Conn *conn_new(Loop *loop, int fd, User *user, const ConnOps *ops, void *data, GError **err)
{
    auto_fd own = fd;
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);

    if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0) {
        error_set_errno(err, errno, "cannot use file descriptor %d as a connection", fd);
        return NULL;
    }

    Conn *c = g_new0(Conn, 1);

    atomic_init(&c->refs, 1);
    c->loop = loop;
    c->fd = -1;
    c->user = user_ref(user);
    c->share = user ? share_get(loop, user, on_share) : NULL;
    c->ops = ops;
    c->data = data;
    c->can_fds = addr.ss_family == AF_UNIX;
    c->low = CONN_LOW;
    c->high = CONN_HIGH;
    c->reader = (FrameReader){ .max = MESSAGE_MAX, .user = user, .can_fds = c->can_fds };
    g_queue_init(&c->backlog);

    if (!loop_io_add(loop, &c->io, fd, EPOLLIN, on_io)) {
        error_set_errno(err, errno, "cannot watch a connection");
        return conn_unref(c);
    }
    c->fd = fd_take(&own);
    return c;
}

void conn_secure(Conn *c, ConnTransport *t)
{
    g_assert(!c->rx && !c->bytes_in && !c->out.first);
    t->fd = c->fd;
    c->rx = c->tx = t;
    c->can_fds = c->reader.can_fds = false;
    c->handshaking = t->ops->handshake != NULL;
    c->out.blocked = c->handshaking;
}

ConnTransport *conn_transport(const Conn *c)
{
    return c->rx;
}

bool conn_is_closed(const Conn *c)
{
    return c->closed;
}

void conn_set_frame_max(Conn *c, uint32_t max)
{
    c->reader.max = max;
}

void conn_set_marks(Conn *c, size_t low, size_t high)
{
    c->low = low;
    c->high = high;
    conn_check_marks(c);
}

size_t conn_queued_bytes(const Conn *c)
{
    return c->out.bytes;
}

int conn_fd(const Conn *c)
{
    return c->fd;
}

bool conn_can_fds(const Conn *c)
{
    return c->can_fds;
}

uint64_t conn_bytes_in(const Conn *c)
{
    return c->bytes_in;
}

uint64_t conn_bytes_out(const Conn *c)
{
    return c->bytes_out;
}
