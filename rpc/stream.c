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
 *   failed (we aborted)   ignored         ignored, forget             ignored, forget
 *
 * A client may send data before it has seen our abort; those frames find the stream in state failed
 * and vanish until the client ends the stream too. Frames for no stream at all are answered with an
 * error of stream type.
 */
#define LOG_SOURCE "rpc.stream"
#include "rpc/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "rpc/dispatch-internal.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"

enum { READ_CHUNK = 65536, STREAMS_PER_CLIENT = 64 };

typedef enum StreamState { STREAM_NEW, STREAM_OPEN, STREAM_DRAINING, STREAM_FAILED } StreamState;

struct Stream {
    GList link;     /* of ClientState.streams once started */
    GList all_link; /* of all_streams */
    ClientState *cs;
    MsgHeader h; /* of the call: program, procedure, serial */
    StreamState state;
    StreamDir dir;
    int fd;
    sd_event_source *io;
    bool out_done; /* end of data was sent */
    GByteArray *pending; /* from the client, not yet written */
    bool paused;         /* we paused reading the client */
    const StreamOps *ops;
    void *data;
};

static GQueue all_streams;           /* for stream_abort_by_data() */
static _Atomic(Loop *) stream_loop; /* likewise */

static int on_io(sd_event_source *s, int fd, uint32_t events, void *data);

static void update_io(Stream *s)
{
    uint32_t want = 0;

    if (!s->io)
        return;
    if ((s->dir & STREAM_OUT) && s->state == STREAM_OPEN && !s->out_done &&
        !s->cs->congested)
        want |= EPOLLIN;
    if (s->pending->len)
        want |= EPOLLOUT;
    (void)sd_event_source_set_io_events(s->io, want);
    /* A hung-up descriptor reports EPOLLHUP whatever is asked for: do not spin on it. */
    (void)sd_event_source_set_enabled(s->io, want ? SD_EVENT_ON : SD_EVENT_OFF);
}

Stream *stream_new(Call *c, int fd, StreamDir dir, const StreamOps *ops, void *data, GError **err)
{
    auto_fd own = fd;

    atomic_store(&stream_loop, c->d->loop);
    if (!fd_set_nonblock(own, true)) {
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
    s->pending = g_byte_array_new();
    s->ops = ops;
    s->data = data;
    return s;
}

/* Lets go of the descriptor and tells the owner, once. */
static void stream_release(Stream *s)
{
    s->io = sd_event_source_disable_unref(s->io);
    fd_close(&s->fd);
    if (s->ops && s->ops->closed)
        s->ops->closed(s->data);
    s->ops = NULL;
    g_byte_array_set_size(s->pending, 0);
    if (s->paused) {
        s->paused = false;
        conn_resume(s->cs->client->conn);
    }
}

static void stream_free(Stream *s)
{
    stream_release(s);
    if (s->state != STREAM_NEW) {
        g_queue_unlink(&s->cs->streams, &s->link);
        g_queue_unlink(&all_streams, &s->all_link);
    }
    g_byte_array_unref(s->pending);
    g_free(s);
}

void stream_discard(Stream *s)
{
    stream_free(s);
}

static void send_status(Stream *s, MsgStatus status, const void *bytes, size_t n)
{
    MsgHeader h = s->h;

    h.status = status;
    g_autoptr(Message) m = message_new_bytes(&h, bytes, n);
    client_send(s->cs->client, m);
}

static void stream_fail(Stream *s, int code, const char *why)
{
    g_autoptr(GError) error = NULL;

    if (s->state == STREAM_FAILED)
        return;
    error_set(&error, code, "%s", why);
    g_autoptr(Message) m = message_new_error(&s->h, MSG_STREAM, error, VIR_FROM_STREAMS);
    client_send(s->cs->client, m);
    s->state = STREAM_FAILED;
    stream_release(s);
}

void stream_start(Stream *s)
{
    ClientState *cs = s->cs;

    s->state = STREAM_OPEN;
    g_queue_push_tail_link(&cs->streams, &s->link);
    g_queue_push_tail_link(&all_streams, &s->all_link);
    if (cs->streams.length > STREAMS_PER_CLIENT) {
        stream_fail(s, VIR_ERR_OPERATION_INVALID, "too many streams are open on this connection");
        return;
    }
    int r = sd_event_add_io(loop_event(cs->d->loop), &s->io, s->fd, 0, on_io, s);
    if (r < 0) {
        stream_fail(s, VIR_ERR_INTERNAL_ERROR, "cannot watch the descriptor of the stream");
        return;
    }
    update_io(s);
}

static void end_of_data(Stream *s)
{
    s->out_done = true;
    send_status(s, MSG_CONTINUE, NULL, 0);
}

/* All that came before finish has been written. */
static void finish_drained(Stream *s)
{
    send_status(s, MSG_OK, NULL, 0);
    stream_free(s);
}

/* False when the stream is gone or failed. */
static bool write_pending(Stream *s)
{
    while (s->pending->len) {
        ssize_t n = write(s->fd, s->pending->data, s->pending->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            g_autofree char *why = g_strdup_printf("cannot write to the stream: %s", g_strerror(errno));
            stream_fail(s, VIR_ERR_SYSTEM_ERROR, why);
            return false;
        }
        g_byte_array_remove_range(s->pending, 0, (guint)n);
    }
    if (s->paused && s->pending->len < STREAM_IN_HIGH / 2) {
        s->paused = false;
        conn_resume(s->cs->client->conn);
    }
    if (!s->pending->len && s->state == STREAM_DRAINING) {
        finish_drained(s);
        return false;
    }
    return true;
}

static void read_some(Stream *s)
{
    static uint8_t buf[READ_CHUNK]; /* loop thread only */
    ssize_t n = read(s->fd, buf, sizeof(buf));

    if (n > 0)
        send_status(s, MSG_CONTINUE, buf, (size_t)n);
    else if (n == 0 || errno == EIO) /* EIO: the other side of a pty has gone */
        end_of_data(s);
    else if (errno != EAGAIN && errno != EINTR) {
        g_autofree char *why = g_strdup_printf("cannot read the stream: %s", g_strerror(errno));
        stream_fail(s, VIR_ERR_SYSTEM_ERROR, why);
    }
}

static int on_io(sd_event_source *src, int fd, uint32_t events, void *data)
{
    Stream *s = data;
    (void)src;
    (void)fd;

    if ((events & EPOLLOUT) && !write_pending(s))
        return 0;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && (s->dir & STREAM_OUT) && !s->out_done)
        read_some(s);
    if (s->state != STREAM_FAILED)
        update_io(s);
    return 0;
}

static void incoming_data(Stream *s, Message *m)
{
    size_t n = message_body_len(m);

    if (!(s->dir & STREAM_IN)) {
        stream_fail(s, VIR_ERR_RPC, "this stream takes no data");
        return;
    }
    g_byte_array_append(s->pending, message_body(m), (guint)n);
    if (!write_pending(s))
        return;
    if (s->pending->len > STREAM_IN_HIGH && !s->paused) {
        s->paused = true;
        conn_pause(s->cs->client->conn);
    }
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
    MsgStatus status = (MsgStatus)m->h.status;

    if (!s) {
        if (status == MSG_ERROR)
            return; /* the end of what is gone already */
        g_autoptr(GError) error = NULL;
        error_set(&error, VIR_ERR_RPC, "no stream with serial %u", m->h.serial);
        g_autoptr(Message) reply = message_new_error(&m->h, MSG_STREAM, error, VIR_FROM_STREAMS);
        client_send(cs->client, reply);
        return;
    }
    if (s->state == STREAM_FAILED) {
        if (status != MSG_CONTINUE)
            stream_free(s);
        return;
    }
    if (m->h.type == MSG_HOLE) {
        stream_fail(s, VIR_ERR_RPC, "this stream was not opened with holes");
        return;
    }
    if (status == MSG_ERROR) {
        send_status(s, MSG_OK, NULL, 0);
        stream_free(s);
        return;
    }
    if (s->state == STREAM_DRAINING) {
        stream_fail(s, VIR_ERR_RPC, "data after the end of the stream");
        return;
    }
    if (status == MSG_OK) {
        s->state = STREAM_DRAINING;
        if (write_pending(s))
            update_io(s);
        return;
    }
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
    char *why;
} AbortRequest;

static void do_abort(void *data)
{
    AbortRequest *r = data;

    for (GList *l = all_streams.head, *next; l; l = next) {
        Stream *s = l->data;
        next = l->next;
        if (s->data == r->data && s->state != STREAM_FAILED)
            stream_fail(s, VIR_ERR_OPERATION_ABORTED, r->why);
    }
    g_free(r->why);
    g_free(r);
}

void stream_abort_by_data(const void *data, const char *why)
{
    Loop *loop = atomic_load(&stream_loop);

    AbortRequest *r = g_new0(AbortRequest, 1);

    r->data = data;
    r->why = g_strdup(why);
    g_assert(loop); /* data came from an attached stream */
    loop_post(loop, do_abort, r);
}
