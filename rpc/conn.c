/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection: what it is made of, and its end. Input is in conn_input.c, output in conn_output.c,
 * keepalive in keepalive.c, the framing in frame.c.
 *
 * Closing. 'closed' is called once, from the loop and never from inside another function that the
 * owner called. After that, or after conn_abandon(), no callback is called.
 *
 * Loop thread, except conn_ref() and the reading of constants. The last reference must be dropped on the
 * loop thread.
 */
#include "rpc/conn.h"

#include <errno.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc/conn-internal.h"
#include "util/error.h"
#include "util/fd.h"

enum {
    FLUSH_USEC = 10 * 1000000, /* how long a closing connection tries to write what is queued */
    HEAVY_BYTES = 16 << 20,
};

/* --- life and death ------------------------------------------------------------------------------ */

void conn_arm(Conn *c)
{
    if (!c->io.loop || c->handshaking)
        return;

    bool in = !c->eof && !c->flushing && !conn_input_full(c) && !c->share_link.queued;

    c->in_blocked = !in;
    /* Waiting for neither we still want to hear, once, that the peer is gone. */
    loop_io_set(&c->io, in || c->out.blocked ? (in ? EPOLLIN : 0) | (c->out.blocked ? EPOLLOUT : 0) : EPOLLET);
}

/* Everything that the connection holds of the outside world. */
static void conn_release(Conn *c)
{
    loop_io_remove(&c->io);
    if (c->share)
        share_leave(c->share, &c->share_link);
    conn_leave_later(c);
    c->flush_timer = sd_event_source_disable_unref(c->flush_timer);
    c->gone_timer = sd_event_source_disable_unref(c->gone_timer);
    keepalive_done(&c->keepalive);
    c->rx = conn_transport_free(c->rx);
    c->tx = NULL;
    fd_close(&c->fd);
    conn_output_clear(c);
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
    /* The heap keeps what a long stream made it get, and there may be none after it. */
    if (c->bytes_in + c->bytes_out > HEAVY_BYTES)
        malloc_trim(0);
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
    c->share = user ? share_get(loop, user, conn_on_share) : NULL;
    c->ops = ops;
    c->data = data;
    c->can_fds = addr.ss_family == AF_UNIX;
    c->low = CONN_LOW;
    c->high = CONN_HIGH;
    c->reader = (FrameReader){ .max = MESSAGE_MAX, .user = user, .can_fds = c->can_fds };
    g_queue_init(&c->backlog);

    if (!loop_io_add(loop, &c->io, fd, EPOLLIN, conn_on_io)) {
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
