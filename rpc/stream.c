/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams between a client and a descriptor. Loop thread only, except where stream.h says otherwise.
 *
 * A stream is attached while its call runs and starts when the reply has been queued, so the reply
 * always precedes the first data frame. Out: the descriptor is read only while the connection's
 * output queue is not congested. In: what the descriptor does not take is kept, and past a bound the
 * client is not read. States and packets:
 *
 *   state \ from client   data            finish (ok)                 abort (error)
 *   open                  write to fd     drain, answer ok, close     answer ok, close
 *   draining              protocol error  protocol error              answer ok, close
 *   none                  ignored         ignored                     ignored
 *
 * When we end a stream with an error, that one frame is all that the client gets, and the stream is
 * forgotten: clients do not answer it. What they sent before they saw it finds no stream and is
 * ignored; an answer would replace the error that they show.
 *
 * Holes are frames of their own, for streams that were opened with them; in the descriptor each stretch has a
 * head that tells its length. A stream with a queue (stream_queue.c) has no descriptor; it is drained when the
 * worker behind the queue has said how it went.
 *
 * A client that has finished waits for us alone, and maybe is not even read. So a descriptor that
 * takes nothing any more has a deadline while draining, which starts anew with each byte it takes.
 *
 * A stream that is attached but not started belongs to its call; only the list of all streams, for
 * stream_abort_by_data(), has it already, under a lock of its own.
 */
#define LOG_SOURCE "rpc.stream"
#include "rpc/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "protocols/net_types.h"
#include "protocols/xdr_buf.h"
#include "rpc/dispatch-internal.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/stream_frame.h"

enum { READ_CHUNK = MESSAGE_STREAM_MAX };

typedef enum StreamState { STREAM_NEW, STREAM_OPEN, STREAM_DRAINING } StreamState;

struct Stream {
    GList link;     /* of ClientState.streams once started */
    GList all_link; /* of all.streams */
    uint64_t number; /* in order of attaching */
    ClientState *cs;
    MsgHeader h; /* of the call: program, procedure, serial */
    StreamState state;
    StreamDir dir;
    int fd;             /* -1: a queue */
    StreamQueue *queue; /* NULL: a descriptor */
    bool file; /* always ready: io is a deferred source */
    sd_event_source *io;
    sd_event_source *stuck; /* the deadline of draining */
    bool out_done; /* end of data was sent */
    GByteArray *pending; /* from the client */
    guint written;       /* of pending */
    bool paused;         /* we paused reading the client */
    char *aborted;       /* why it ends as soon as it has started */
    int aborted_code;
    bool confirmed;      /* the one behind the queue has said that all is well */
    uint64_t stretch;    /* out, with holes: what is left of the present one's data */
    StreamFrame head;    /* and as much of the next one's head as is there */
    size_t head_len;
    const StreamOps *ops;
    void *data;
};

/* For stream_abort_by_data(). Streams come on any thread and go on the loop thread. */
static struct {
    Lock lock;
    GQueue streams;
    uint64_t last_number;
    Loop *loop;
} all = { .lock = LOCK_INIT };

static int on_io(sd_event_source *s, int fd, uint32_t events, void *data);
static int on_file(sd_event_source *s, void *data);

static void update_io(Stream *s)
{
    uint32_t want = 0;

    if (!s->io)
        return;
    if ((s->dir & STREAM_OUT) && s->state == STREAM_OPEN && !s->out_done &&
        !s->cs->congested)
        want |= EPOLLIN;
    if (s->pending->len > s->written)
        want |= EPOLLOUT;
    if (s->file)
        loop_attend(s->cs->d->loop);
    else
        (void)sd_event_source_set_io_events(s->io, want);
    /* A hung-up descriptor reports EPOLLHUP whatever is asked for: do not spin on it. */
    (void)sd_event_source_set_enabled(s->io, want ? SD_EVENT_ON : SD_EVENT_OFF);
}

Stream *stream_new(Call *c, int fd, StreamDir dir, const StreamOps *ops, void *data, GError **err)
{
    auto_fd own = fd;

    if (atomic_fetch_add(&c->cs->n_streams, 1) >= STREAMS_PER_CLIENT) {
        atomic_fetch_sub(&c->cs->n_streams, 1);
        error_set(err, VIR_ERR_OPERATION_INVALID, "%d streams are open on this connection already", STREAMS_PER_CLIENT);
        return NULL;
    }
    if (own >= 0 && !fd_set_nonblock(own, true)) {
        atomic_fetch_sub(&c->cs->n_streams, 1);
        error_set_errno(err, errno, "cannot prepare the descriptor of a stream");
        return NULL;
    }
    Stream *s = g_new0(Stream, 1);
    s->link.data = s;
    s->all_link.data = s;
    s->cs = c->cs;
    s->h = c->msg->h;
    s->h.type = MSG_STREAM;
    s->dir = dir;
    s->fd = fd_take(&own);
    s->queue = s->fd < 0 ? stream_queue_new(s, c->d->loop) : NULL;
    s->pending = g_byte_array_new();
    s->ops = ops;
    s->data = data;
    lock_enter(&all.lock);
    s->number = ++all.last_number;
    all.loop = c->d->loop;
    g_queue_push_tail_link(&all.streams, &s->all_link);
    lock_leave(&all.lock);
    return s;
}

StreamQueue *stream_queue_of(Stream *s)
{
    return s->queue;
}

void stream_resume(Stream *s)
{
    if (!s->paused)
        return;
    s->paused = false;
    conn_resume(s->cs->client->conn);
}

/* Lets go of the descriptor and tells the owner, once. */
static void stream_release(Stream *s)
{
    s->io = sd_event_source_disable_unref(s->io);
    s->stuck = sd_event_source_disable_unref(s->stuck);
    fd_close(&s->fd);
    if (s->ops && s->ops->closed)
        s->ops->closed(s->data);
    s->ops = NULL;
    if (s->queue)
        stream_queue_leave(g_steal_pointer(&s->queue));
    stream_resume(s);
}

static void stream_free(Stream *s)
{
    if (s->state != STREAM_NEW)
        g_queue_unlink(&s->cs->streams, &s->link);
    lock_enter(&all.lock);
    g_queue_unlink(&all.streams, &s->all_link);
    lock_leave(&all.lock);
    atomic_fetch_sub(&s->cs->n_streams, 1);
    stream_release(s);
    g_byte_array_unref(s->pending);
    g_free(s->aborted);
    g_free(s);
}

void stream_discard(Stream *s)
{
    stream_free(s);
}

static void send_status(Stream *s, MsgStatus status)
{
    MsgHeader h = s->h;

    h.status = status;
    g_autoptr(Message) m = message_new_bytes(&h, NULL, 0);
    client_send(s->cs->client, m);
}

/* Tells the client; the stream is gone. */
static void stream_fail(Stream *s, int code, const char *why)
{
    g_autoptr(GError) error = NULL;

    error_set(&error, code, "%s", why);
    g_autoptr(Message) m = message_new_error(&s->h, MSG_STREAM, error, VIR_FROM_STREAMS);
    client_send(s->cs->client, m);
    stream_free(s);
}

void stream_start(Stream *s)
{
    ClientState *cs = s->cs;

    s->state = STREAM_OPEN;
    g_queue_push_tail_link(&cs->streams, &s->link);
    if (s->aborted) {
        stream_fail(s, s->aborted_code, s->aborted);
        return;
    }
    if (s->queue)
        return;
    int r = sd_event_add_io(loop_event(cs->d->loop), &s->io, s->fd, 0, on_io, s);
    s->file = r == -EPERM && s->dir == STREAM_OUT;
    if (s->file)
        r = sd_event_add_defer(loop_event(cs->d->loop), &s->io, on_file, s);
    else if (r == -EPERM)
        r = 0; /* a file takes all that it is given: nothing to wait for */
    if (r < 0) {
        stream_fail(s, VIR_ERR_INTERNAL_ERROR, "cannot watch the descriptor of the stream");
        return;
    }
    update_io(s);
}

static void end_of_data(Stream *s)
{
    s->out_done = true;
    send_status(s, MSG_CONTINUE);
}

static bool has_holes(const Stream *s)
{
    return s->ops && s->ops->holes;
}

/* All that came before finish is where it belongs. */
static void finish_drained(Stream *s)
{
    send_status(s, MSG_OK);
    stream_free(s);
}

static int on_stuck(sd_event_source *src, uint64_t usec, void *data)
{
    Stream *s = data;
    g_autofree char *why = NULL;
    (void)src;
    (void)usec;

    why = g_strdup_printf("the stream is finished, but for %u seconds nothing took the last %u bytes of it",
                          (unsigned)(s->cs->d->stream_drain_usec / G_USEC_PER_SEC), s->pending->len - s->written);
    log_warn("client %" G_GUINT64_FORMAT ": %s", s->cs->client->id, why);
    stream_fail(s, VIR_ERR_OPERATION_TIMEOUT, why);
    return 0;
}

/* False when the stream is gone. */
static bool write_pending(Stream *s)
{
    guint before = s->written;

    while (s->pending->len > s->written) {
        ssize_t n = write(s->fd, s->pending->data + s->written, s->pending->len - s->written);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            g_autofree char *why = g_strdup_printf("cannot write to the stream: %s", g_strerror(errno));
            stream_fail(s, VIR_ERR_SYSTEM_ERROR, why);
            return false;
        }
        s->written += (guint)n;
    }

    bool progress = s->written > before;

    /* Moving what is left only when it is the smaller part keeps the cost of a byte constant. */
    if (s->written > s->pending->len / 2) {
        g_byte_array_remove_range(s->pending, 0, s->written);
        s->written = 0;
    }
    if (s->pending->len - s->written < STREAM_IN_HIGH / 2)
        stream_resume(s);
    if (!s->pending->len && s->state == STREAM_DRAINING) {
        finish_drained(s);
        return false;
    }
    if (s->state == STREAM_DRAINING && (progress || !s->stuck))
        loop_timer_set(s->cs->d->loop, &s->stuck, s->cs->d->stream_drain_usec, on_stuck, s);
    return true;
}

static void send_hole(Stream *s, uint64_t length)
{
    const net_stream_hole hole = { .length = (int64_t)length };
    MsgHeader h = s->h;

    h.type = MSG_HOLE;
    h.status = MSG_CONTINUE;
    g_autoptr(Message) m = message_new(&h, (xdrproc_t)xdr_net_stream_hole, &hole, NULL);
    client_send(s->cs->client, m);
}

/* The next head, as read() would return it: 0 at the end, EAGAIN until all of it is there. */
static ssize_t read_head(Stream *s)
{
    ssize_t n = read(s->fd, (char *)&s->head + s->head_len, sizeof(s->head) - s->head_len);

    if (n <= 0)
        return n;
    s->head_len += (size_t)n;
    if (s->head_len < sizeof(s->head)) {
        errno = EAGAIN;
        return -1;
    }
    s->head_len = 0;
    if (s->head.hole)
        send_hole(s, s->head.length);
    else
        s->stretch = s->head.length;
    return n;
}

/* False when the stream is gone. */
static bool read_some(Stream *s)
{
    bool holes = has_holes(s), head = holes && !s->stretch;
    MsgHeader h = s->h;
    ssize_t n;

    h.status = MSG_CONTINUE;
    if (head) {
        n = read_head(s);
        if (n > 0)
            return true;
    }
    g_autoptr(Message) m =
        head ? NULL : message_new_read(&h, s->fd, holes ? (size_t)MIN(s->stretch, (uint64_t)READ_CHUNK) : READ_CHUNK, &n);
    if (n == 0 && holes && (!head || s->head_len)) {
        stream_fail(s, VIR_ERR_OPERATION_FAILED, "what the stream reads ended early");
        return false;
    }
    if (m) {
        s->stretch -= holes ? (uint64_t)n : 0;
        client_send(s->cs->client, m);
    } else if (n == 0 || errno == EIO) { /* EIO: the other side of a pty has gone */
        end_of_data(s);
    } else if (errno != EAGAIN && errno != EINTR) {
        g_autofree char *why = g_strdup_printf("cannot read the stream: %s", g_strerror(errno));
        stream_fail(s, VIR_ERR_SYSTEM_ERROR, why);
        return false;
    }
    return true;
}

static int on_io(sd_event_source *src, int fd, uint32_t events, void *data)
{
    Stream *s = data;
    (void)src;
    (void)fd;

    if ((events & EPOLLOUT) && !write_pending(s))
        return 0;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && (s->dir & STREAM_OUT) && !s->out_done &&
        s->state == STREAM_OPEN && !read_some(s))
        return 0;
    update_io(s);
    return 0;
}

/* A file is always ready, and cannot be waited for. */
static int on_file(sd_event_source *src, void *data)
{
    return on_io(src, ((Stream *)data)->fd, EPOLLIN, data);
}

static void stop_reading(Stream *s)
{
    if (s->paused)
        return;
    s->paused = true;
    conn_pause(s->cs->client->conn);
}

static void incoming_data(Stream *s, Message *m)
{
    if (!(s->dir & STREAM_IN)) {
        stream_fail(s, VIR_ERR_RPC, "this stream takes no data");
        return;
    }
    if (!message_body_len(m))
        return;
    if (s->queue) {
        if (stream_queue_put(s->queue, m))
            stop_reading(s);
        return;
    }
    g_byte_array_append(s->pending, message_body(m), (guint)message_body_len(m));
    if (!write_pending(s))
        return;
    if (s->pending->len - s->written > STREAM_IN_HIGH)
        stop_reading(s);
    update_io(s);
}

static void incoming_hole(Stream *s, Message *m)
{
    g_autoptr(GError) error = NULL;
    net_stream_hole hole;

    if (!s->queue || !has_holes(s))
        error_set(&error, VIR_ERR_RPC, "this stream was not opened with holes");
    else if (proc_decode("stream hole", (xdrproc_t)xdr_net_stream_hole, sizeof(hole), message_body(m), message_body_len(m), &hole,
                         &error) &&
             (hole.length < 0 || hole.flags))
        error_set(&error, VIR_ERR_RPC, "a hole of %" G_GINT64_FORMAT " bytes with flags 0x%x", (gint64)hole.length, hole.flags);
    if (error)
        stream_fail(s, error->code, error->message);
    else if (hole.length && stream_queue_put(s->queue, m))
        stop_reading(s);
}

/* The client has sent all. */
static void incoming_finish(Stream *s)
{
    s->state = STREAM_DRAINING;
    if (s->queue && s->confirmed)
        finish_drained(s);
    else if (s->queue)
        stream_queue_end(s->queue);
    else if (write_pending(s))
        update_io(s);
}

static Stream *find_stream(ClientState *cs, const MsgHeader *h)
{
    for (GList *l = cs->streams.head; l; l = l->next) {
        Stream *s = l->data;
        if (s->h.serial == h->serial && s->h.prog == h->prog && s->h.proc == h->proc)
            return s;
    }
    return NULL;
}

void stream_incoming(ClientState *cs, Message *m)
{
    Stream *s = find_stream(cs, &m->h);
    uint32_t status = m->h.status;

    if (!s)
        return;
    if (status == MSG_ERROR) {
        send_status(s, MSG_OK);
        stream_free(s);
        return;
    }
    if (s->state == STREAM_DRAINING) {
        stream_fail(s, VIR_ERR_RPC, "data after the end of the stream");
        return;
    }
    if (status != MSG_CONTINUE && (status != MSG_OK || m->h.type == MSG_HOLE)) {
        stream_fail(s, VIR_ERR_RPC, "unknown status of a stream packet");
        return;
    }
    if (m->h.type == MSG_HOLE) {
        incoming_hole(s, m);
        return;
    }
    if (status == MSG_OK)
        incoming_finish(s);
    else
        incoming_data(s, m);
}

void stream_congestion(ClientState *cs, bool on)
{
    cs->congested = on;
    for (GList *l = cs->streams.head; l; l = l->next)
        update_io(l->data);
}

void stream_close_all(ClientState *cs)
{
    while (cs->streams.head)
        stream_free(cs->streams.head->data);
}

typedef struct AbortRequest {
    const void *data;
    uint64_t last; /* streams attached later may have got the same address for their data */
    int code;
    char *why;     /* NULL: nothing went wrong */
} AbortRequest;

/* It may not have started yet; then the client's finish is to come. */
static void confirm(Stream *s)
{
    s->confirmed = true;
    if (s->queue && s->state == STREAM_DRAINING)
        finish_drained(s);
}

static void do_abort(void *data)
{
    AbortRequest *r = data;
    Stream *found = NULL;

    lock_enter(&all.lock);
    for (GList *l = all.streams.head; l && !found; l = l->next) {
        Stream *s = l->data;
        if (s->data == r->data && s->number <= r->last)
            found = s;
    }
    lock_leave(&all.lock);
    /* Streams go on this thread only, so it is still there. */
    if (found && !r->why)
        confirm(found);
    else if (found && found->state != STREAM_NEW)
        stream_fail(found, r->code, r->why);
    else if (found && !found->aborted) {
        found->aborted = g_steal_pointer(&r->why);
        found->aborted_code = r->code;
    }
    g_free(r->why);
    g_free(r);
}

static void post_end(const void *data, int code, const char *why)
{
    AbortRequest *r = g_new0(AbortRequest, 1);

    r->data = data;
    r->code = code;
    r->why = g_strdup(why);
    lock_enter(&all.lock);
    r->last = all.last_number;
    Loop *loop = all.loop;
    lock_leave(&all.lock);
    g_assert(loop); /* data came from an attached stream */
    loop_post(loop, do_abort, r);
}

void stream_abort_by_data(const void *data, const char *why)
{
    post_end(data, VIR_ERR_OPERATION_ABORTED, why);
}

void stream_done_by_data(const void *data, const GError *error)
{
    post_end(data, error ? error_code(error) : 0, error ? error->message : NULL);
}
