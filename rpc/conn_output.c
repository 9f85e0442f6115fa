/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a connection sends. A message goes out with one write when nothing is queued before it. Inside a
 * batch (conn_batch_begin/end: the messages of one wake-up) writes wait for the end of the batch, so
 * pipelined calls are answered with one system call. EPOLLOUT is asked for only when the socket is
 * full.
 *
 * Shared bodies (events) go to many at once, and nobody waits for them. They are queued at once and
 * written in the next turns of the loop, for LATER_MAX connections in each: who made the event has his
 * answer meanwhile, others their turns, and a subscriber to whom several events go gets them with one write.
 * A round of such writes is followed by a rest that is many times as long as the round took, but too short
 * for a person to notice. So the first event after a while goes out at once, and a burst costs few writes,
 * however many listen.
 *
 * Invariant: what is queued is in the order in which it was sent, and something looks at it again: the end
 * of the batch, the list of those to be written later, or EPOLLOUT.
 * Loop thread, except conn_send().
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "rpc/conn-internal.h"
#include "util/error.h"

enum {
    IOV_MAX_ITEMS = 32,
    STREAM_FRAME = 64 << 10,
    STREAM_BUFFER = 1 << 20,
    BATCH_FLUSH = 256 << 10, /* neither a batch nor the list holds back more than this */
    LATER_MAX = 16,          /* connections that are written to in one turn of the loop */
    COPIED_MAX = 512, /* an event up to which copying is cheaper than sharing */
    /* Bytes of events that are put together: no large block, for malloc(). */
    OWN_MAX = 1000 - sizeof(OutItem),
    /* After a round: for each connection that was written to, and at most. */
    LATER_REST_USEC = 50,
    LATER_REST_MAX_USEC = 10000,
};

/* The connections with output held back by the batch that this thread is in. */
static _Thread_local struct {
    unsigned depth;
    Conn *first;
} batch;

/* Those with output that is written in a later turn of this thread's loop. */
static _Thread_local struct {
    GQueue conns; /* of Conn.out.later; who is closed leaves it */
    Loop *loop;   /* of all of them */
    bool posted;
    unsigned left, written; /* in this round */
    uint64_t rest_end;      /* no round begins before */
    sd_event_source *rest;  /* until then */
} later;

/* --- the queue ------------------------------------------------------------------------------------ */

static void out_item_free(Conn *c, OutItem *i)
{
    message_unref(i->m);
    if (i->body)
        g_bytes_unref(i->body);
    if (i->own_room == OWN_MAX && !c->out.spare)
        c->out.spare = i;
    else
        g_free(i);
}

void conn_output_clear(Conn *c)
{
    while (c->out.first) {
        OutItem *next = c->out.first->next;

        out_item_free(c, c->out.first);
        c->out.first = next;
    }
    c->out.last = NULL;
    g_clear_pointer(&c->out.spare, g_free);
    c->out.bytes = c->out.event_bytes = 0;
    c->out.blocked = false;
}

static size_t out_item_len(const OutItem *i)
{
    return i->m ? i->m->len : i->own_len + (i->body ? g_bytes_get_size(i->body) : 0);
}

static void out_push(Conn *c, OutItem *i)
{
    if (c->out.last)
        c->out.last->next = i;
    else
        c->out.first = i;
    c->out.last = i;
    c->out.bytes += out_item_len(i);
    if (!i->m)
        c->out.event_bytes += out_item_len(i);
}

static void out_pop(Conn *c)
{
    OutItem *i = c->out.first;

    c->out.first = i->next;
    if (!c->out.first)
        c->out.last = NULL;
    if (!i->m)
        c->out.event_bytes -= out_item_len(i);
    if (i->then_layer)
        c->tx = c->rx;
    out_item_free(c, i);
}

/* Room for len bytes of events at the end of the queue, in front of body (NULL: nothing is behind them). To be
 * filled at once. What fits goes behind the events before: a burst is one item. */
static uint8_t *out_room(Conn *c, size_t len, GBytes *body)
{
    OutItem *i = c->out.last;

    if (!body && i && !i->m && !i->body && i->own_len + len <= i->own_room) {
        c->out.bytes += len;
        c->out.event_bytes += len;
    } else {
        unsigned room = body ? len : OWN_MAX;

        i = room == OWN_MAX ? g_steal_pointer(&c->out.spare) : NULL;
        if (!i)
            i = g_malloc(sizeof(OutItem) + room);
        *i = (OutItem){ .body = body ? g_bytes_ref(body) : NULL, .own_room = (uint16_t)room };
    }

    uint8_t *p = i->own + i->own_len;

    i->own_len += len;
    if (i != c->out.last)
        out_push(c, i);
    return p;
}

/* The bytes of an item from its position on; returns how many iovecs were used (at most 2). */
static unsigned out_item_iov(const OutItem *i, struct iovec *iov)
{
    if (i->m) {
        iov[0] = (struct iovec){ i->m->data + i->pos, i->m->len - i->pos };
        return 1;
    }

    unsigned n = 0;
    size_t body_len = 0, off = i->pos > i->own_len ? i->pos - i->own_len : 0;
    const uint8_t *body = i->body ? g_bytes_get_data(i->body, &body_len) : NULL;

    if (i->pos < i->own_len)
        iov[n++] = (struct iovec){ (void *)(i->own + i->pos), i->own_len - i->pos };
    if (off < body_len)
        iov[n++] = (struct iovec){ (void *)(body + off), body_len - off };
    return n;
}

/* --- writing --------------------------------------------------------------------------------------- */

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

void conn_check_marks(Conn *c)
{
    bool on = c->out.congested ? c->out.bytes > c->low : c->out.bytes > c->high;

    if (on == c->out.congested || c->closed)
        return;
    c->out.congested = on;
    if (c->ops && c->ops->congested)
        c->ops->congested(c, on, c->data);
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
    conn_output_clear(c);
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

void conn_flush(Conn *c)
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

static void later_go_on(void);

static void on_later(void *data)
{
    later.posted = false;
    if (!later.left)
        later.left = later.conns.length;
    for (unsigned i = 0; i < LATER_MAX && later.left && later.conns.head; i++) {
        Conn *c = later.conns.head->data;

        later.left--;
        conn_leave_later(c);
        if (c->out.blocked || c->out.dirty || !c->out.first)
            continue;
        later.written++;
        conn_flush(c);
    }
    if (!later.left || !later.conns.head) {
        /* Who had but one turn to take needs no rest. */
        unsigned usec = later.written > LATER_MAX ? later.written * LATER_REST_USEC : 0;

        later.rest_end = usec ? now_usec() + MIN(usec, LATER_REST_MAX_USEC) : 0;
        later.left = later.written = 0;
    }
    later_go_on();
}

static int on_rested(sd_event_source *s, uint64_t usec, void *data)
{
    later.rest = sd_event_source_disable_unref(later.rest);
    later.rest_end = 0;
    on_later(NULL);
    return 0;
}

/* With the round, or with the next one when it is time. */
static void later_go_on(void)
{
    if (!later.conns.head || later.posted || later.rest)
        return;

    uint64_t now = later.rest_end ? now_usec() : 0;

    if (later.rest_end > now) {
        loop_timer_set(later.loop, &later.rest, later.rest_end - now, on_rested, NULL);
    } else {
        later.posted = true;
        loop_post(later.loop, on_later, NULL);
    }
}

void conn_leave_later(Conn *c)
{
    if (!c->out.later.data)
        return;
    c->out.later.data = NULL;
    g_queue_unlink(&later.conns, &c->out.later);
    if (!later.conns.head)
        later.rest = sd_event_source_disable_unref(later.rest);
}

static void conn_output_later(Conn *c)
{
    bool other_loop = later.loop != c->loop && (later.conns.head || later.posted);

    if (c->out.blocked || c->out.bytes >= BATCH_FLUSH || other_loop) {
        conn_output(c);
        return;
    }
    if (c->out.later.data || c->out.dirty)
        return;
    later.loop = c->loop;
    c->out.later.data = c;
    g_queue_push_tail_link(&later.conns, &c->out.later);
    later_go_on();
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

    bool copied = len <= COPIED_MAX;
    uint8_t *p = out_room(c, copied ? len : MESSAGE_HEAD + prefix_len, copied ? NULL : body);

    msg_header_encode(h, len, p);
    if (prefix_len)
        memcpy(p + MESSAGE_HEAD, prefix, prefix_len);
    if (copied)
        memcpy(p + MESSAGE_HEAD + prefix_len, g_bytes_get_data(body, NULL), g_bytes_get_size(body));
    conn_output_later(c);
    return true;
}
