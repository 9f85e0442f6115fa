/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams as a client sees them: the state table of stream.c row by row, limits, back-pressure in both
 * directions, holes, a terminal. The handler attaches whatever descriptor the test has put down for it.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>

#include "rpc/conn-internal.h"
#include "rpc/test-daemon.h"
#include "util/stream_frame.h"

/* What the next open_console call does. */
static struct {
    int fd;
    StreamDir dir;
    bool fail, abort, abort_before, holes;
    char *data; /* identity of the stream */
    StreamQueue *queue; /* of a stream that has no descriptor */
} next;
static atomic_int attached, closed;

static void on_closed(void *data)
{
    free(data);
    atomic_fetch_add(&closed, 1);
}
static const StreamOps ops = { .closed = on_closed };
static const StreamOps hole_ops = { .closed = on_closed, .holes = true };

static bool attach(Call *c, GError **err)
{
    const StreamOps *o = next.holes ? &hole_ops : &ops;

    return next.fd < 0 ? call_attach_stream_queue(c, o, next.data, &next.queue, err)
                       : call_attach_stream(c, next.fd, next.dir, o, next.data, err);
}

static bool do_console(Call *c, const DomainView *v, const remote_domain_open_console_args *a, GError **err)
{
    (void)v; (void)a;
    next.data = calloc(1, 1);
    if (next.abort_before) /* of an earlier stream whose data lay at this address */
        stream_abort_by_data(next.data, "not this one");
    if (!attach(c, err)) {
        free(next.data);
        return false;
    }
    atomic_fetch_add(&attached, 1);
    if (next.abort)
        stream_abort_by_data(next.data, "taken over");
    if (next.fail)
        error_set(err, VIR_ERR_OPERATION_FAILED, "after all, no");
    return !next.fail;
}

static char object;
static void *fake_find(Call *c, const void *wire, GError **err) { (void)c; (void)wire; (void)err; return &object; }
static void fake_unref(void *o) { (void)o; }
static void fake_describe(void *o, AclObject *r) { (void)o; *r = (AclObject){ OBJECT_DOMAIN, "guest", NULL }; }
static void *fake_begin(void *o, Call *c, JobKind j, bool a, GError **err) { (void)c; (void)j; (void)a; (void)err; return o; }
static bool fake_end(void *o, void *cap, JobKind j, bool ok, GError **err) { (void)o; (void)cap; (void)j; (void)ok; (void)err; return true; }
static const ObjectClass fake_class = { .find = fake_find, .unref = fake_unref, .describe = fake_describe,
                                        .begin = fake_begin, .end = fake_end };
static const RemoteHandlers handlers = { .domain_open_console = { do_console } };
static const char *const schemes[] = { "qemu", NULL };
static const Driver fake = { .name = "FAKE", .schemes = schemes, .error_source = VIR_FROM_QEMU, .remote = &handlers,
                             .objects = { [OBJECT_DOMAIN] = &fake_class } };

#define PROC REMOTE_PROC_DOMAIN_OPEN_CONSOLE
static uint32_t serial = 100;

/* Calls; the reply is left to be read. */
static void call_console(int fd, int stream_fd, StreamDir dir)
{
    remote_domain_open_console_args a = { .dom = { .name = (char *)"guest" } };

    next.fd = stream_fd;
    next.dir = dir;
    put(fd, P, PROC, ++serial, (xdrproc_t)xdr_remote_domain_open_console_args, &a);
}

/* A stream on one end of a socket pair; returns the other end. */
static int open_stream(int fd, StreamDir dir)
{
    g_autofree Reply *r = g_new0(Reply, 1);
    int p[2];

    assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) == 0);
    call_console(fd, p[0], dir);
    get(fd, r);
    assert(r->h.type == MSG_REPLY && r->h.status == MSG_OK && r->h.serial == serial);
    return p[1];
}

static void put_stream(int fd, uint32_t status, const void *bytes, size_t n)
{
    put_frame(fd, P, PROC, MSG_STREAM, serial, status, bytes, n);
}

static void expect_stream(int fd, uint32_t status, const char *text)
{
    g_autofree Reply *r = g_new0(Reply, 1);

    get(fd, r);
    assert(r->h.type == MSG_STREAM && r->h.serial == serial && r->h.proc == PROC && r->h.status == status);
    if (status == MSG_ERROR)
        assert(strstr(r->text, text));
    else
        assert(r->n == strlen(text) && memcmp(r->body, text, r->n) == 0);
}

static void wait_closed(int n)
{
    for (int i = 0; i < 10000 && atomic_load(&closed) < n; i++)
        g_usleep(1000);
    assert(atomic_load(&closed) == n);
}

/* Whatever a client still sends for a stream that is gone vanishes. */
static void expect_forgotten(int fd)
{
    put_stream(fd, MSG_CONTINUE, "late", 4);
    put_stream(fd, MSG_OK, NULL, 0);
    put_stream(fd, MSG_ERROR, NULL, 0);
    put_frame(fd, P, PROC, MSG_HOLE, serial, MSG_CONTINUE, "\0\0\0\0\0\0\0\1\0\0\0\0", 12);
    assert_quiet(fd);
}

static void test_open(void)
{
    auto_fd fd = dial(td.path, true);
    int before = atomic_load(&closed);
    char buf[16];

    auto_fd peer = open_stream(fd, STREAM_BOTH);
    put_stream(fd, MSG_CONTINUE, "hello", 5);
    put_stream(fd, MSG_CONTINUE, NULL, 0);
    assert(fd_read_all(peer, buf, 5) == 5 && memcmp(buf, "hello", 5) == 0);
    assert(fd_write_all(peer, "world", 5) == 0);
    expect_stream(fd, MSG_CONTINUE, "world");
    put_stream(fd, MSG_OK, NULL, 0);
    expect_stream(fd, MSG_OK, "");
    wait_closed(before + 1);
    assert(read(peer, buf, 1) == 0);
    expect_forgotten(fd);

    auto_fd peer2 = open_stream(fd, STREAM_BOTH);
    put_stream(fd, MSG_ERROR, NULL, 0);
    expect_stream(fd, MSG_OK, "");
    wait_closed(before + 2);
    expect_forgotten(fd);
}

/* Fills the descriptor so that something stays with us. Returns the number of bytes sent. */
static size_t stuff(int fd)
{
    g_autofree char *block = g_malloc0(100000);
    size_t n = 0;

    for (; n < 600000; n += 100000)
        put_stream(fd, MSG_CONTINUE, block, 100000);
    assert_quiet(fd);
    return n;
}

static void read_off(int peer, size_t n)
{
    g_autofree char *buf = g_malloc(n);
    assert(fd_read_all(peer, buf, n) == (ssize_t)n);
}

static void test_draining(void)
{
    auto_fd fd = dial(td.path, true);
    int before = atomic_load(&closed);

    auto_fd a = open_stream(fd, STREAM_IN);
    size_t n = stuff(fd);
    put_stream(fd, MSG_OK, NULL, 0);
    assert_quiet(fd); /* finish is answered when all is written */
    read_off(a, n);
    expect_stream(fd, MSG_OK, "");
    wait_closed(before + 1);
    expect_forgotten(fd);

    auto_fd b = open_stream(fd, STREAM_IN);
    (void)stuff(fd);
    put_stream(fd, MSG_OK, NULL, 0);
    put_stream(fd, MSG_ERROR, NULL, 0);
    expect_stream(fd, MSG_OK, "");
    wait_closed(before + 2);
    expect_forgotten(fd);

    for (int i = 0; i < 2; i++) { /* data, then a second finish */
        auto_fd c = open_stream(fd, STREAM_IN);
        (void)stuff(fd);
        put_stream(fd, MSG_OK, NULL, 0);
        put_stream(fd, i ? MSG_OK : MSG_CONTINUE, "x", i ? 0 : 1);
        expect_stream(fd, MSG_ERROR, "after the end");
        wait_closed(before + 3 + i);
        expect_forgotten(fd);
    }
}

static void test_draining_has_an_end(void)
{
    auto_fd fd = dial(td.path, true);
    uint64_t usual = td.d->stream_drain_usec;
    int before = atomic_load(&closed);

    td.d->stream_drain_usec = 4000 * 1000;
    auto_fd a = open_stream(fd, STREAM_IN);
    size_t n = stuff(fd);
    put_stream(fd, MSG_OK, NULL, 0);
    for (int i = 0; i < 4; i++) { /* what takes a little now and then is not stuck */
        g_usleep(1200 * 1000);
        read_off(a, n / 5);
    }
    read_off(a, n - 4 * (n / 5));
    expect_stream(fd, MSG_OK, "");

    td.d->stream_drain_usec = 100 * 1000;
    auto_fd b = open_stream(fd, STREAM_IN);
    (void)stuff(fd);
    put_stream(fd, MSG_OK, NULL, 0);
    expect_stream(fd, MSG_ERROR, "nothing took the last");
    wait_closed(before + 2);
    expect_forgotten(fd);
    td.d->stream_drain_usec = usual;
}

static void test_aborted_by_us(void)
{
    auto_fd fd = dial(td.path, true);
    int before = atomic_load(&closed);

    auto_fd a = open_stream(fd, STREAM_BOTH);
    put_stream(fd, MSG_CONTINUE, "x", 1);
    stream_abort_by_data(next.data, "enough of this");
    expect_stream(fd, MSG_ERROR, "enough of this");
    wait_closed(before + 1);
    expect_forgotten(fd);

    /* Before it has started: the reply comes first all the same. */
    next.abort = true;
    auto_fd b = open_stream(fd, STREAM_BOTH);
    next.abort = false;
    expect_stream(fd, MSG_ERROR, "taken over");
    wait_closed(before + 2);
    expect_forgotten(fd);

    next.abort_before = true;
    auto_fd c = open_stream(fd, STREAM_BOTH);
    next.abort_before = false;
    assert_quiet(fd);
    put_stream(fd, MSG_OK, NULL, 0);
    expect_stream(fd, MSG_OK, "");

    for (int i = 0; i < 100; i++) { /* the second one finds nothing, or the next stream, which it does not mean */
        auto_fd d = open_stream(fd, STREAM_BOTH);
        char *data = next.data;
        stream_abort_by_data(data, "enough of this");
        stream_abort_by_data(data, "once more");
        expect_stream(fd, MSG_ERROR, "enough of this");
    }
    wait_closed(before + 103);
}

static void test_failing_call_has_no_stream(void)
{
    auto_fd fd = dial(td.path, true);
    g_autofree Reply *r = g_new0(Reply, 1);
    int before = atomic_load(&closed), p[2];

    assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) == 0);
    auto_fd peer = p[1];
    assert(fd_write_all(peer, "secret", 6) == 0);
    next.fail = true;
    call_console(fd, p[0], STREAM_BOTH);
    get(fd, r);
    next.fail = false;
    assert(r->h.type == MSG_REPLY && r->code == VIR_ERR_OPERATION_FAILED);
    wait_closed(before + 1);
    expect_forgotten(fd);
}

static void test_end_of_data(void)
{
    auto_fd fd = dial(td.path, true);
    int peer = open_stream(fd, STREAM_OUT);

    assert(fd_write_all(peer, "bye", 3) == 0);
    expect_stream(fd, MSG_CONTINUE, "bye");
    close(peer);
    expect_stream(fd, MSG_CONTINUE, "");
    assert_quiet(fd);
    put_stream(fd, MSG_OK, NULL, 0);
    expect_stream(fd, MSG_OK, "");
}

static void test_what_a_client_may_not_send(void)
{
    auto_fd fd = dial(td.path, true);

    auto_fd a = open_stream(fd, STREAM_OUT);
    put_stream(fd, MSG_CONTINUE, "x", 1);
    expect_stream(fd, MSG_ERROR, "takes no data");
    auto_fd b = open_stream(fd, STREAM_BOTH);
    put_frame(fd, P, PROC, MSG_HOLE, serial, MSG_CONTINUE, "\0\0\0\0\0\0\0\1\0\0\0\0", 12);
    expect_stream(fd, MSG_ERROR, "holes");
    auto_fd c = open_stream(fd, STREAM_BOTH);
    put_stream(fd, 77, NULL, 0);
    expect_stream(fd, MSG_ERROR, "status");
    int d = open_stream(fd, STREAM_IN);
    close(d);
    put_stream(fd, MSG_CONTINUE, "x", 1);
    expect_stream(fd, MSG_ERROR, "cannot write");
    /* No such serial, another procedure's, another program's. */
    auto_fd e = open_stream(fd, STREAM_BOTH);
    put_frame(fd, P, PROC, MSG_STREAM, serial + 50, MSG_ERROR, NULL, 0);
    put_frame(fd, P, PROC + 1, MSG_STREAM, serial, MSG_ERROR, NULL, 0);
    put_frame(fd, 0x1234, PROC, MSG_STREAM, serial, MSG_ERROR, NULL, 0);
    assert_quiet(fd);
    put_stream(fd, MSG_OK, NULL, 0);
    expect_stream(fd, MSG_OK, "");
}

static void put_hole(int fd, const char *length)
{
    char body[12] = { 0 };

    body[7] = *length;
    put_frame(fd, P, PROC, MSG_HOLE, serial, MSG_CONTINUE, body, sizeof(body));
}

/* A stream that we take piece by piece. */
static StreamQueue *open_queue(int fd)
{
    g_autofree Reply *r = g_new0(Reply, 1);

    call_console(fd, -1, STREAM_IN);
    get(fd, r);
    assert(r->h.type == MSG_REPLY && r->h.status == MSG_OK && r->h.serial == serial);
    return next.queue;
}

static void expect_piece(StreamQueue *q, const char *text)
{
    StreamPiece p;
    assert(stream_take(q, &p) == STREAM_PIECE && p.bytes && p.n == strlen(text) && memcmp(p.bytes, text, p.n) == 0);
}

static void expect_hole(StreamQueue *q, uint64_t length)
{
    StreamPiece p;
    assert(stream_take(q, &p) == STREAM_PIECE && !p.bytes && p.n == length);
}

static void expect_taken(StreamQueue *q, StreamTaken how)
{
    StreamPiece p;
    assert(stream_take(q, &p) == how);
}

static void test_queue(void)
{
    auto_fd fd = dial(td.path, true);
    g_autoptr(GError) full = NULL;
    int before = atomic_load(&closed);

    StreamQueue *q = open_queue(fd);
    put_stream(fd, MSG_CONTINUE, "one", 3);
    put_stream(fd, MSG_CONTINUE, NULL, 0);
    put_stream(fd, MSG_CONTINUE, "two", 3);
    expect_piece(q, "one");
    expect_piece(q, "two");
    /* The end is answered when the worker says so. */
    put_stream(fd, MSG_OK, NULL, 0);
    expect_taken(q, STREAM_END);
    assert_quiet(fd);
    stream_done_by_data(next.data, NULL);
    expect_stream(fd, MSG_OK, "");
    wait_closed(before + 1);
    expect_taken(q, STREAM_GONE);
    stream_queue_unref(q);
    expect_forgotten(fd);

    q = open_queue(fd); /* the worker is the first to be done */
    stream_done_by_data(next.data, NULL);
    assert_quiet(fd);
    put_stream(fd, MSG_OK, NULL, 0);
    expect_stream(fd, MSG_OK, "");
    stream_queue_unref(q);

    q = open_queue(fd);
    error_set(&full, VIR_ERR_SYSTEM_ERROR, "no room left");
    stream_done_by_data(next.data, full);
    expect_stream(fd, MSG_ERROR, "no room left");
    expect_forgotten(fd);
    expect_taken(q, STREAM_GONE);
    stream_queue_unref(q);

    q = open_queue(fd); /* what waits is not taken after an abort */
    put_stream(fd, MSG_CONTINUE, "one", 3);
    put_stream(fd, MSG_ERROR, NULL, 0);
    expect_stream(fd, MSG_OK, "");
    expect_taken(q, STREAM_GONE);
    stream_queue_unref(q);

    q = open_queue(fd);
    put_hole(fd, "\7");
    expect_stream(fd, MSG_ERROR, "holes");
    stream_queue_unref(q);

    int alone = dial(td.path, true);
    q = open_queue(alone);
    close(alone);
    expect_taken(q, STREAM_GONE);
    stream_queue_unref(q);
}

static void put_head(int fd, uint64_t length, bool hole)
{
    const StreamFrame f = { length, hole };
    assert(fd_write_all(fd, &f, sizeof(f)) == 0);
}

static void test_holes(void)
{
    auto_fd fd = dial(td.path, true);
    g_autofree Reply *r = g_new0(Reply, 1);

    next.holes = true;
    StreamQueue *q = open_queue(fd);
    put_stream(fd, MSG_CONTINUE, "one", 3);
    put_hole(fd, "\7");
    put_hole(fd, "\0");
    put_stream(fd, MSG_CONTINUE, "two", 3);
    expect_piece(q, "one");
    expect_hole(q, 7);
    expect_piece(q, "two");
    put_frame(fd, P, PROC, MSG_HOLE, serial, MSG_CONTINUE, "\0\0\0\1\x23\x45\x67\x89\0\0\0\0", 12);
    expect_hole(q, 0x123456789);
    put_frame(fd, P, PROC, MSG_HOLE, serial, MSG_CONTINUE, "\377\377\377\377\377\377\377\377\0\0\0\0", 12);
    expect_stream(fd, MSG_ERROR, "-1 bytes");
    stream_queue_unref(q);
    q = open_queue(fd);
    put_frame(fd, P, PROC, MSG_HOLE, serial, MSG_CONTINUE, "\0\0", 2);
    expect_stream(fd, MSG_ERROR, "hole");
    stream_queue_unref(q);

    auto_fd out = open_stream(fd, STREAM_OUT);
    put_head(out, 4, false);
    assert(fd_write_all(out, "data", 4) == 0);
    put_head(out, 0x123456789, true);
    put_head(out, 100, false);
    expect_stream(fd, MSG_CONTINUE, "data");
    get(fd, r);
    assert(r->h.type == MSG_HOLE && r->h.serial == serial && r->h.status == MSG_CONTINUE && r->n == 12);
    assert(memcmp(r->body, "\0\0\0\1\x23\x45\x67\x89\0\0\0\0", 12) == 0);
    fd_close(&out);
    expect_stream(fd, MSG_ERROR, "ended early");
    expect_forgotten(fd);
    next.holes = false;
}

static void test_number_of_streams(void)
{
    int fd = dial(td.path, true), before = atomic_load(&closed), peers[STREAMS_PER_CLIENT];
    g_autofree Reply *r = g_new0(Reply, 1);
    int p[2];

    for (int i = 0; i < STREAMS_PER_CLIENT; i++)
        peers[i] = open_stream(fd, STREAM_BOTH);
    assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) == 0);
    call_console(fd, p[0], STREAM_BOTH);
    get(fd, r);
    assert(r->h.type == MSG_REPLY && r->code == VIR_ERR_OPERATION_INVALID);
    close(p[1]);
    serial--;
    put_stream(fd, MSG_OK, NULL, 0);
    expect_stream(fd, MSG_OK, "");
    serial++;
    close(open_stream(fd, STREAM_IN));

    close(fd); /* all of them end with their client */
    wait_closed(before + STREAMS_PER_CLIENT + 1);
    for (int i = 0; i < STREAMS_PER_CLIENT; i++)
        close(peers[i]);
}

/* Nobody reads: what the daemon takes from the source is bounded, and nothing is lost. */
static void test_pressure_out(void)
{
    enum { BLOCK = 65536, BOUND = 8 << 20 };
    auto_fd fd = dial(td.path, true);
    auto_fd peer = open_stream(fd, STREAM_OUT);
    g_autofree uint32_t *block = g_malloc(BLOCK);
    g_autofree Reply *r = g_new0(Reply, 1);
    uint32_t count = 0, seen = 0;
    size_t n = 0;

    for (;;) {
        struct pollfd w = { .fd = peer, .events = POLLOUT };
        size_t off = 0;
        if (poll(&w, 1, 300) == 0)
            break;
        for (unsigned i = 0; i < BLOCK / 4; i++)
            block[i] = count++;
        while (off < BLOCK) {
            ssize_t k = send(peer, (char *)block + off, BLOCK - off, MSG_DONTWAIT);
            if (k < 0)
                break;
            off += (size_t)k;
        }
        n += off;
        assert(n < BOUND);
        if (off < BLOCK) {
            assert(off % 4 == 0);
            break;
        }
    }
    assert(n > 100000);
    assert(shutdown(peer, SHUT_WR) == 0);
    for (size_t got = 0;; got += r->n) {
        get(fd, r);
        assert(r->h.type == MSG_STREAM && r->h.status == MSG_CONTINUE && r->n <= MESSAGE_STREAM_MAX);
        if (r->n == 0) {
            assert(got == n);
            break;
        }
        for (uint32_t i = 0; i < r->n / 4; i++) {
            uint32_t v;
            memcpy(&v, r->body + 4 * i, 4);
            assert(v == seen++);
        }
    }
}

/* The sink takes nothing: the client is not read any more, and nothing is lost. */
static void test_pressure_in(void)
{
    enum { BLOCK = 65536, BOUND = 16 << 20 };
    auto_fd fd = dial(td.path, true);
    auto_fd peer = open_stream(fd, STREAM_IN);
    g_autofree uint32_t *block = g_malloc(BLOCK);
    MsgHeader h = { (uint32_t)P, 1, PROC, MSG_STREAM, serial, MSG_CONTINUE };
    g_autoptr(GByteArray) rest = g_byte_array_new();
    uint32_t count = 0;
    size_t n = 0;

    for (;;) {
        struct pollfd w = { .fd = fd, .events = POLLOUT };
        if (poll(&w, 1, 300) == 0)
            break;
        for (unsigned i = 0; i < BLOCK / 4; i++)
            block[i] = count++;
        g_autoptr(Message) m = message_new_bytes(&h, block, BLOCK);
        ssize_t k = send(fd, m->data, m->len, MSG_DONTWAIT);
        n += BLOCK;
        assert(n < BOUND);
        if (k < (ssize_t)m->len) {
            size_t done = k < 0 ? 0 : (size_t)k;
            g_byte_array_append(rest, m->data + done, (guint)(m->len - done));
            break;
        }
    }
    assert(n > 1000000);

    auto_fd other = dial(td.path, true); /* others are served */
    assert_quiet(other);

    assert(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    uint32_t seen = 0;
    size_t sent = 0;
    for (size_t got = 0; got < n;) {
        uint32_t word;
        if (sent < rest->len) {
            ssize_t k = send(fd, rest->data + sent, rest->len - sent, MSG_DONTWAIT);
            sent += k > 0 ? (size_t)k : 0;
        }
        if (!readable(peer, 10))
            continue;
        for (int i = 0; i < 10000 && got < n && (sent < rest->len ? readable(peer, 0) : true); i++) {
            assert(fd_read_all(peer, &word, 4) == 4 && word == seen++);
            got += 4;
        }
    }
    assert(fcntl(fd, F_SETFL, 0) == 0);
    put_stream(fd, MSG_OK, NULL, 0);
    expect_stream(fd, MSG_OK, "");
}

/* The same with a worker that takes nothing for a while. */
static void test_pressure_queue(void)
{
    enum { BLOCK = 65536, BOUND = 16 << 20 };
    auto_fd fd = dial(td.path, true);
    StreamQueue *q = open_queue(fd);
    g_autofree char *block = g_strnfill(BLOCK, 'x');
    MsgHeader h = { (uint32_t)P, 1, PROC, MSG_STREAM, serial, MSG_CONTINUE };
    g_autoptr(Message) m = message_new_bytes(&h, block, BLOCK);
    size_t sent = 0, part = m->len, got = 0;
    StreamPiece p;

    while (part == m->len) {
        struct pollfd w = { .fd = fd, .events = POLLOUT };
        if (poll(&w, 1, 300) == 0)
            break;
        ssize_t k = send(fd, m->data, m->len, MSG_DONTWAIT);
        part = k < 0 ? 0 : (size_t)k;
        sent += part ? BLOCK : 0;
        assert(sent < BOUND);
    }
    assert(sent > 1000000);
    auto_fd other = dial(td.path, true); /* others are served */
    assert_quiet(other);
    for (; got < sent - BLOCK; got += p.n)
        assert(stream_take(q, &p) == STREAM_PIECE && p.n == BLOCK);
    if (part && part < m->len)
        assert(fd_write_all(fd, m->data + part, m->len - part) == 0);
    assert(stream_take(q, &p) == STREAM_PIECE && p.n == BLOCK);
    put_stream(fd, MSG_OK, NULL, 0);
    expect_taken(q, STREAM_END);
    stream_done_by_data(next.data, NULL);
    expect_stream(fd, MSG_OK, "");
    stream_queue_unref(q);
}

/* The sink takes nothing, and the client dies before it has finished: nobody keeps the stream. */
static void test_stuck_and_alone(void)
{
    g_autofree char *block = g_strnfill(65536, 'x');
    MsgHeader h = { (uint32_t)P, 1, PROC, MSG_STREAM, 0, MSG_CONTINUE };
    auto_fd fd = dial(td.path, true);
    auto_fd peer = open_stream(fd, STREAM_IN);

    conn_gone_usec = 3000 * 1000;
    h.serial = serial;
    g_autoptr(Message) m = message_new_bytes(&h, block, 65536);
    for (;;) {
        struct pollfd w = { .fd = fd, .events = POLLOUT };
        if (poll(&w, 1, 300) == 0 || send(fd, m->data, m->len, MSG_DONTWAIT) < (ssize_t)m->len)
            break;
    }
    fd_close(&fd);

    struct pollfd w = { .fd = peer };
    assert(poll(&w, 1, 100) == 0); /* it is not cut off at once: maybe the sink goes on */
    assert(poll(&w, 1, 10000) == 1 && w.revents & POLLHUP);
    auto_fd other = dial(td.path, true);
    assert_quiet(other);
    conn_gone_usec = 10 * G_USEC_PER_SEC;
}

static void test_terminal(void)
{
    auto_fd fd = dial(td.path, true);
    g_autofree Reply *r = g_new0(Reply, 1);
    struct termios raw;
    char buf[64];
    int master = posix_openpt(O_RDWR | O_NOCTTY);

    assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert(slave >= 0 && tcgetattr(slave, &raw) == 0);
    cfmakeraw(&raw);
    assert(tcsetattr(slave, TCSANOW, &raw) == 0);
    call_console(fd, slave, STREAM_BOTH);
    get(fd, r);
    assert(r->h.status == MSG_OK);
    for (int i = 0; i < 50; i++) {
        put_stream(fd, MSG_CONTINUE, "ping", 4);
        assert(fd_read_all(master, buf, 4) == 4 && memcmp(buf, "ping", 4) == 0);
        assert(fd_write_all(master, "pong", 4) == 0);
        expect_stream(fd, MSG_CONTINUE, "pong");
    }
    close(master); /* the guest ends */
    expect_stream(fd, MSG_CONTINUE, "");
    put_stream(fd, MSG_ERROR, NULL, 0);
    expect_stream(fd, MSG_OK, "");
}

static atomic_int busy;

static void count_busy(void *unused)
{
    (void)unused;
    atomic_store(&busy, (int)(server_n_clients(td.server) + dispatcher_calls_in_flight(td.d)));
}

/* Until the daemon has neither clients nor calls. */
static void wait_idle(void)
{
    atomic_store(&busy, -1);
    for (int i = 0; i < 10000 && atomic_load(&busy) != 0; i++) {
        loop_post(td.loop, count_busy, NULL);
        g_usleep(1000);
    }
    assert(atomic_load(&busy) == 0);
}

/* Clients that leave at every moment of a stream's life. */
static void test_leaving(void)
{
    for (int i = 0; i < 60; i++) {
        int fd = dial(td.path, true), p[2], before = atomic_load(&attached);
        assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) == 0);
        call_console(fd, p[0], STREAM_BOTH);
        if (i % 3)
            put_stream(fd, MSG_CONTINUE, "data", 4);
        if (i % 4 == 3)
            put_stream(fd, MSG_OK, NULL, 0);
        if (i % 2)
            assert(readable(fd, 5000));
        close(fd);
        wait_idle();
        if (atomic_load(&attached) == before)
            close(p[0]); /* the call was dropped before its handler ran */
        close(p[1]);
    }
    assert(atomic_load(&attached) == atomic_load(&closed));
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    td_start("stream", &fake, 5);
    test_open();
    test_draining();
    test_draining_has_an_end();
    test_aborted_by_us();
    test_failing_call_has_no_stream();
    test_end_of_data();
    test_what_a_client_may_not_send();
    test_queue();
    test_holes();
    test_number_of_streams();
    test_pressure_out();
    test_pressure_in();
    test_pressure_queue();
    test_stuck_and_alone();
    test_terminal();
    test_leaving();

    /* The daemon ends while a stream is open. */
    int before = atomic_load(&closed);
    auto_fd fd = dial(td.path, true);
    auto_fd peer = open_stream(fd, STREAM_BOTH);
    td_stop();
    assert(atomic_load(&closed) == before + 1);
    return 0;
}
