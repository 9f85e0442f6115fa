/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections over a socketpair: framing, descriptors, pauses, queues, closing, keepalive. */
#undef NDEBUG
#include "rpc/conn.h"

#include <pthread.h>

#include "protocols/keepalive_procs.h"
#include "rpc/test-util.h"
#include "util/error.h"

static Loop *loop;
static Conn *conn;
static int peer; /* the other end, raw */
static GQueue got = G_QUEUE_INIT; /* of Message */
static unsigned n_closed, n_congested, n_relaxed;
static bool closed_with_error;
static bool pause_when_congested; /* as servers do */
static enum { KEEP, CLOSE_IN_MESSAGE, UNREF_IN_MESSAGE, ECHO } in_message;

static void on_message(Conn *c, Message *m, void *data)
{
    assert(data == &loop && n_closed == 0);
    g_queue_push_tail(&got, message_ref(m));
    if (in_message == CLOSE_IN_MESSAGE)
        conn_close(c, false);
    if (in_message == UNREF_IN_MESSAGE) {
        conn_abandon(c);
        conn = conn_unref(conn);
    }
    if (in_message == ECHO)
        conn_send(c, m);
}

static void on_congested(Conn *c, bool on, void *data)
{
    if (on)
        n_congested++;
    else
        n_relaxed++;
    if (pause_when_congested)
        (on ? conn_pause : conn_resume)(c);
}

static void on_closed(Conn *c, const GError *why, void *data)
{
    n_closed++;
    closed_with_error = why != NULL;
}

static const ConnOps ops = { on_message, on_congested, on_closed };

static void setup(User *user)
{
    int sv[2];

    assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
    peer = sv[0];
    conn = conn_new(loop, sv[1], user, &ops, &loop, NULL);
    assert(conn);
    n_closed = n_congested = n_relaxed = 0;
    in_message = KEEP;
}

static void teardown(void)
{
    g_queue_clear_full(&got, (GDestroyNotify)message_unref);
    conn = conn_unref(conn);
    fd_close(&peer);
    run_ready(loop);
}

static Message *numbered(uint32_t serial, size_t body)
{
    const MsgHeader h = { 0x20008086, 1, 1, MSG_CALL, serial, MSG_OK };
    g_autofree char *bytes = g_strnfill(body, 'x');

    return message_new_bytes(&h, bytes, body);
}

static void send_numbered(uint32_t serial, size_t body)
{
    g_autoptr(Message) m = numbered(serial, body);

    raw_send(peer, m);
}

static Message *keepalive(int32_t proc)
{
    const MsgHeader h = { KEEPALIVE_PROGRAM, 1, proc, MSG_EVENT, 0, MSG_OK };

    return message_new_bytes(&h, NULL, 0);
}

static void expect_serials(uint32_t from, uint32_t n)
{
    assert(got.length == n);
    for (uint32_t i = 0; i < n; i++) {
        g_autoptr(Message) m = g_queue_pop_head(&got);

        assert(m->h.serial == from + i);
    }
}

static void test_byte_by_byte(void)
{
    g_autoptr(Message) m = numbered(5, 40);

    setup(NULL);
    for (uint32_t i = 0; i < m->len; i++) {
        assert(got.length == 0);
        assert(send(peer, m->data + i, 1, 0) == 1);
        run_ready(loop);
    }
    expect_serials(5, 1);
    assert(conn_bytes_in(conn) == m->len);
    teardown();
}

static void test_many_in_one_read(void)
{
    setup(NULL);
    for (uint32_t i = 0; i < 200; i++)
        send_numbered(i, i % 7);
    RUN_UNTIL(loop, got.length == 200);
    expect_serials(0, 200);
    teardown();
}

static void *send_big(void *data)
{
    send_numbered(1, 3 << 20);
    send_numbered(2, 0);
    return NULL;
}

static void test_big_message(void)
{
    pthread_t t;

    setup(NULL);
    assert(pthread_create(&t, NULL, send_big, NULL) == 0);
    RUN_UNTIL(loop, got.length == 2);
    pthread_join(t, NULL);
    assert(message_body_len(got.head->data) == 3 << 20);
    expect_serials(1, 2);
    teardown();
}

static void test_bad_frames_close(void)
{
    static const uint8_t huge[28] = { 0xff, 0xff, 0xff, 0xff };
    uint8_t bad_type[28] = { 0, 0, 0, 28 };

    bad_type[19] = 99;
    setup(NULL);
    send_numbered(1, 0);
    assert(fd_write_all(peer, huge, sizeof(huge)) == 0);
    RUN_UNTIL(loop, n_closed);
    assert(closed_with_error && conn_is_closed(conn));
    expect_serials(1, 1); /* what came before counts */
    n_closed = 0;
    teardown();

    setup(NULL);
    assert(fd_write_all(peer, bad_type, sizeof(bad_type)) == 0);
    RUN_UNTIL(loop, n_closed);
    assert(closed_with_error);
    teardown();

    setup(NULL);
    conn_set_frame_max(conn, MESSAGE_MAX_UNAUTH);
    send_numbered(1, MESSAGE_MAX_UNAUTH - MESSAGE_HEAD);
    send_numbered(2, MESSAGE_MAX_UNAUTH - MESSAGE_HEAD + 1);
    RUN_UNTIL(loop, n_closed);
    assert(closed_with_error);
    expect_serials(1, 1);
    teardown();
}

static void test_fds_stay_with_their_message(void)
{
    int p[2], taken;
    char byte = 'z';
    unsigned before = count_fds();

    setup(NULL);
    assert(pipe2(p, O_CLOEXEC) == 0);
    g_autoptr(Message) with = numbered(2, 10);
    assert(message_add_fd(with, p[1], NULL) && message_add_fd(with, open("/dev/null", O_RDONLY | O_CLOEXEC), NULL));
    send_numbered(1, 10);
    raw_send(peer, with);
    send_numbered(3, 10);
    with = message_unref(with);
    RUN_UNTIL(loop, got.length == 3);

    Message *first = got.head->data, *second = got.head->next->data, *third = got.head->next->next->data;
    assert(first->n_fds == 0 && second->n_fds == 2 && third->n_fds == 0);
    assert(message_body_len(second) == 10);
    taken = message_take_fd(second, 0);
    assert(fcntl(taken, F_GETFD) & FD_CLOEXEC);
    assert(write(taken, &byte, 1) == 1 && read(p[0], &byte, 1) == 1 && byte == 'z');
    close(taken);
    close(p[0]);
    expect_serials(1, 3);
    teardown();
    assert(count_fds() == before);
}

/* And the way out: the frame, then each descriptor with a byte of its own, then the next frame. */
static void test_send_fds(void)
{
    unsigned before = count_fds();

    setup(NULL);
    g_autoptr(Message) with = numbered(1, 6), plain = numbered(2, 6);
    for (int i = 0; i < 3; i++)
        assert(message_add_fd(with, open("/dev/null", O_RDONLY | O_CLOEXEC), NULL));
    conn_batch_begin();
    conn_send(conn, with);
    conn_send(conn, plain);
    conn_send(conn, with);
    conn_batch_end();
    for (unsigned i = 1; i <= 3; i++) {
        g_autoptr(Message) m = raw_recv(loop, peer);

        assert(m->h.serial == (i == 2 ? 2 : 1) && m->n_fds == (i == 2 ? 0 : 3));
    }
    with = message_unref(with);
    teardown();
    assert(count_fds() == before);
}

static void test_stray_fds_close(void)
{
    unsigned before = count_fds();
    uint8_t count[] = { 0, 0, 0, 1 };
    const MsgHeader h = { 1, 1, 1, MSG_CALL_FDS, 1, MSG_OK };

    /* a descriptor on an ordinary message */
    setup(NULL);
    g_autoptr(Message) m = numbered(1, 0);
    m->n_fds = m->want_fds = 1;
    m->fds = g_new(int, 1);
    m->fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    raw_send(peer, m);
    RUN_UNTIL(loop, n_closed);
    assert(closed_with_error);
    teardown();
    m = message_unref(m);

    /* a carrier without its descriptor */
    setup(NULL);
    g_autoptr(Message) without = message_new_bytes(&h, count, 4);
    raw_send(peer, without);
    assert(send(peer, "", 1, 0) == 1);
    RUN_UNTIL(loop, n_closed);
    assert(closed_with_error && got.length == 0);
    teardown();
    assert(count_fds() == before);
}

static void test_slow_reader(void)
{
    uint32_t sent = 0;

    setup(NULL);
    conn_set_marks(conn, 10000, 1 << 20);
    while (!n_congested) {
        g_autoptr(Message) m = numbered(sent++, 1000);

        conn_send(conn, m);
        assert(sent < 10000);
    }
    assert(conn_queued_bytes(conn) > 1 << 20 && n_relaxed == 0);
    for (uint32_t i = 0; i < sent; i++) {
        g_autoptr(Message) m = raw_recv(loop, peer);

        assert(m->h.serial == i);
    }
    run_ready(loop);
    assert(n_congested == 1 && n_relaxed == 1 && conn_queued_bytes(conn) == 0);
    teardown();
}

static void test_pause(void)
{
    setup(NULL);
    send_numbered(1, 0);
    RUN_UNTIL(loop, got.length == 1);
    conn_pause(conn);
    conn_pause(conn);
    send_numbered(2, 10);
    g_autoptr(Message) ping = keepalive(KEEPALIVE_PROC_PING);
    raw_send(peer, ping);
    g_autoptr(Message) pong = raw_recv(loop, peer); /* answered although paused */
    assert(pong->h.prog == KEEPALIVE_PROGRAM && pong->h.proc == KEEPALIVE_PROC_PONG && pong->h.type == MSG_EVENT &&
           pong->h.serial == 0 && pong->len == MESSAGE_HEAD);
    assert(got.length == 1);
    conn_resume(conn);
    run_ready(loop);
    assert(got.length == 1);
    conn_resume(conn);
    RUN_UNTIL(loop, got.length == 2);
    expect_serials(1, 2);
    teardown();
}

/* A paused connection stops reading at some point, and loses nothing. */
static void test_pause_pushes_back(void)
{
    uint32_t sent = 0, read_ahead;

    setup(NULL);
    conn_pause(conn);
    assert(fd_set_nonblock(peer, true));
    for (;;) {
        g_autoptr(Message) m = numbered(sent, 4000);
        ssize_t r = send(peer, m->data, m->len, MSG_DONTWAIT);

        run_ready(loop);
        if (r < 0)
            break;
        sent++;
        if ((size_t)r < m->len) { /* finish the cut one below */
            fd_set_nonblock(peer, false);
            read_ahead = conn_bytes_in(conn);
            conn_resume(conn);
            size_t at = r;
            while (at < m->len) {
                run_ready(loop);
                r = send(peer, m->data + at, m->len - at, MSG_DONTWAIT);
                if (r > 0)
                    at += r;
            }
            conn_pause(conn);
            assert(read_ahead <= 400 << 10);
            break;
        }
        assert(sent < 1000); /* 4 MB without push-back */
    }
    conn_resume(conn);
    RUN_UNTIL(loop, got.length == sent);
    expect_serials(0, sent);
    teardown();
}

static void test_peer_gone(void)
{
    /* quiet end; what was sent before it is delivered */
    setup(NULL);
    send_numbered(1, 0);
    fd_close(&peer);
    RUN_UNTIL(loop, n_closed);
    assert(!closed_with_error && conn_is_closed(conn));
    expect_serials(1, 1);
    run_ready(loop);
    assert(n_closed == 1);
    g_autoptr(Message) m = numbered(1, 1);
    conn_send(conn, m); /* harmless */
    teardown();

    /* the same while paused: no spinning, delivered after the pause */
    setup(NULL);
    conn_pause(conn);
    send_numbered(1, 0);
    fd_close(&peer);
    run_ready(loop);
    assert(n_closed == 0 && got.length == 0);
    conn_resume(conn);
    RUN_UNTIL(loop, n_closed);
    expect_serials(1, 1);
    teardown();

    /* noticed by a write; the last words of the peer are read nevertheless */
    setup(NULL);
    send_numbered(7, 0);
    fd_close(&peer);
    conn_send(conn, m);
    RUN_UNTIL(loop, n_closed);
    assert(!closed_with_error);
    expect_serials(7, 1);
    teardown();

    /* a reset with unread data on the other side */
    setup(NULL);
    conn_send(conn, m);
    run_ready(loop);
    fd_close(&peer);
    RUN_UNTIL(loop, n_closed);
    assert(!closed_with_error);
    teardown();
}

/* One who has calls waiting behind replies that he did not take, and goes. */
static void test_deaf_peer_gone(void)
{
    setup(NULL);
    pause_when_congested = true;
    conn_set_marks(conn, 10000, 1 << 20);
    for (uint32_t i = 0; !n_congested; i++) {
        g_autoptr(Message) m = numbered(i, 1000);

        conn_send(conn, m);
        assert(i < 10000);
    }
    send_numbered(1, 10);
    send_numbered(2, 10);
    run_ready(loop);
    assert(got.length == 0 && n_closed == 0);
    fd_close(&peer);
    RUN_UNTIL(loop, n_closed == 1);
    expect_serials(1, 2);
    pause_when_congested = false;
    teardown();
}

static void test_close_in_callback(void)
{
    setup(NULL);
    in_message = CLOSE_IN_MESSAGE;
    send_numbered(1, 0);
    send_numbered(2, 0);
    RUN_UNTIL(loop, n_closed);
    expect_serials(1, 1);
    teardown();

    setup(NULL);
    in_message = UNREF_IN_MESSAGE;
    send_numbered(1, 0);
    send_numbered(2, 0);
    RUN_UNTIL(loop, !conn);
    run_ready(loop);
    assert(n_closed == 0);
    expect_serials(1, 1);
    assert(raw_readable(peer, 1000)); /* hung up */
    teardown();
}

static void test_close_with_flush(void)
{
    setup(NULL);
    for (uint32_t i = 0; i < 100; i++) {
        g_autoptr(Message) m = numbered(i, 20000);

        conn_send(conn, m);
    }
    conn_close(conn, true);
    send_numbered(1, 0); /* ignored */
    assert(n_closed == 0);
    for (uint32_t i = 0; i < 100; i++) {
        g_autoptr(Message) m = raw_recv(loop, peer);

        assert(m->h.serial == i);
    }
    g_autoptr(Message) end = raw_recv(loop, peer);
    assert(!end);
    RUN_UNTIL(loop, n_closed);
    assert(n_closed == 1 && got.length == 0);
    teardown();

    setup(NULL);
    conn_close(conn, true);
    assert(n_closed == 0); /* never from inside the call */
    RUN_UNTIL(loop, n_closed);
    teardown();
}

static void *send_from_thread(void *data)
{
    for (uint32_t i = 0; i < 1000; i++) {
        g_autoptr(Message) m = numbered(i, i % 50);

        conn_send(conn, m);
    }
    return NULL;
}

static void test_send_from_other_thread(void)
{
    pthread_t t;

    setup(NULL);
    assert(pthread_create(&t, NULL, send_from_thread, NULL) == 0);
    for (uint32_t i = 0; i < 1000; i++) {
        g_autoptr(Message) m = raw_recv(loop, peer);

        assert(m->h.serial == i);
    }
    pthread_join(t, NULL);
    teardown();
}

static void test_shared_bodies(void)
{
    const MsgHeader h = { 0x20008086, 1, 318, MSG_EVENT, 0, MSG_OK };
    static const uint8_t id[4] = { 0, 0, 0, 9 };
    g_autoptr(GBytes) body = g_bytes_new_static("event-body!!", 12);
    unsigned n = 0;

    setup(NULL);
    assert(conn_send_shared(conn, &h, id, 4, body, 1000));
    assert(conn_send_shared(conn, &h, NULL, 0, body, 1000));
    g_autoptr(Message) m = raw_recv(loop, peer), old = raw_recv(loop, peer);
    assert(m->h.type == MSG_EVENT && message_body_len(m) == 16 && memcmp(message_body(m), "\0\0\0\tevent-body!!", 16) == 0);
    assert(message_body_len(old) == 12 && memcmp(message_body(old), "event-body!!", 12) == 0);

    while (conn_send_shared(conn, &h, id, 4, body, 20000))
        assert(n++ < 100000);
    assert(n > 100); /* what the socket took does not count */
    teardown();
}

/* Nobody waits for an event, but what is sent behind it must not overtake it. */
static void test_shared_bodies_wait(void)
{
    const MsgHeader h = { 0x20008086, 1, 318, MSG_EVENT, 0, MSG_OK };
    g_autoptr(GBytes) body = g_bytes_new_static("event", 5);

    setup(NULL);
    assert(conn_send_shared(conn, &h, NULL, 0, body, 1000));
    assert(!raw_readable(peer, 0));
    run_ready(loop);
    assert(raw_readable(peer, 0));
    g_autoptr(Message) first = raw_recv(loop, peer);

    assert(conn_send_shared(conn, &h, NULL, 0, body, 1000));
    g_autoptr(Message) reply = numbered(7, 0);
    conn_send(conn, reply);
    g_autoptr(Message) event = raw_recv(loop, peer), second = raw_recv(loop, peer);
    assert(event->h.type == MSG_EVENT && second->h.serial == 7);

    assert(conn_send_shared(conn, &h, NULL, 0, body, 1000));
    conn_close(conn, true);
    g_autoptr(Message) last = raw_recv(loop, peer);
    assert(last && last->h.type == MSG_EVENT);
    RUN_UNTIL(loop, n_closed);
    teardown();

    /* Many at once, one of which goes away before its turn. */
    Conn *many[40];
    int peers[40];
    for (unsigned i = 0; i < G_N_ELEMENTS(many); i++) {
        setup(NULL);
        many[i] = g_steal_pointer(&conn);
        peers[i] = peer;
        assert(conn_send_shared(many[i], &h, NULL, 0, body, 1000));
        assert(conn_send_shared(many[i], &h, NULL, 0, body, 1000));
    }
    conn_abandon(many[20]);
    run_ready(loop);
    for (unsigned i = 0; i < G_N_ELEMENTS(many); i++) {
        char bytes[200];
        ssize_t n = recv(peers[i], bytes, sizeof(bytes), MSG_DONTWAIT);
        assert(n == (i == 20 ? 0 : 2 * (MESSAGE_HEAD + 5)));
    }

    /* The next ones may wait a little; small and big ones come in order, and what is sent behind them does
     * not wait for anything. Who goes away meanwhile is forgotten. */
    g_autofree char *bytes = g_malloc0(3000);
    g_autoptr(GBytes) big = g_bytes_new(bytes, 3000);
    for (unsigned i = 0; i < G_N_ELEMENTS(many); i++)
        for (unsigned k = 0; k < 60; k++)
            if (i != 20)
                assert(conn_send_shared(many[i], &h, NULL, 0, k % 20 == 10 ? big : body, 100000));
    conn_send(many[30], reply);
    for (unsigned i = 0; i < G_N_ELEMENTS(many); i++) {
        for (unsigned k = 0; k < 60 && i != 20 && i < 35; k++) {
            g_autoptr(Message) m = raw_recv(loop, peers[i]);
            assert(m && m->h.type == MSG_EVENT && message_body_len(m) == (k % 20 == 10 ? 3000 : 5));
        }
        if (i == 30) {
            g_autoptr(Message) m = raw_recv(loop, peers[i]);
            assert(m && m->h.serial == 7);
        }
        conn_unref(many[i]);
        fd_close(&peers[i]);
    }
    run_ready(loop);
}

/* However many connections of others are ready, and were so first, a user who wants little waits for one turn
 * of the loop; and whoever waits is served in the end. */
static void test_shares(void)
{
    g_autoptr(UserRegistry) users = user_registry_new(&(AccountLimits){ 0 });
    g_autoptr(User) busy = user_registry_get(users, 1), mine = user_registry_get(users, 2);
    Conn *conns[300];
    int peers[300];
    enum { MINE = 299, ROUNDS = 20 };

    for (unsigned i = 0; i < G_N_ELEMENTS(conns); i++) {
        setup(i == MINE ? mine : busy);
        conns[i] = g_steal_pointer(&conn);
        peers[i] = peer;
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < MINE; i++) {
            peer = peers[i];
            send_numbered(i, 0);
        }
        peer = peers[MINE];
        send_numbered(MINE, 0);
        assert(loop_turn(loop, 0) == 1);

        bool served = false;
        for (GList *l = got.head; l; l = l->next)
            served = served || ((Message *)l->data)->h.serial == MINE;
        assert(served);
        assert(round == 0 || got.length < 100); /* in the first it is not known yet that there are two */
        g_queue_clear_full(&got, (GDestroyNotify)message_unref);
        while (loop_turn(loop, 0) > 0)
            ;
        if (round == ROUNDS - 1)
            assert(got.length > MINE / 2);
        g_queue_clear_full(&got, (GDestroyNotify)message_unref);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(conns); i++) {
        conn_abandon(conns[i]);
        conn_unref(conns[i]);
        fd_close(&peers[i]);
    }
    run_ready(loop);
}

static void test_charges(void)
{
    g_autoptr(UserRegistry) users = user_registry_new(&(AccountLimits){ .max = { 100000, 2 } });
    g_autoptr(User) user = user_registry_get(users, 7);

    setup(user);
    send_numbered(1, 1000);
    RUN_UNTIL(loop, got.length == 1);
    assert(user_used(user, ACCOUNT_BYTES) == 1028);
    expect_serials(1, 1);
    assert(user_used(user, ACCOUNT_BYTES) == 0);
    for (uint32_t i = 0; i < 10; i++)
        send_numbered(i, 15000);
    RUN_UNTIL(loop, n_closed);
    assert(closed_with_error && got.length == 6); /* we keep them all: the seventh is too much */
    teardown();
    assert(user_used(user, ACCOUNT_BYTES) == 0);

    setup(user);
    g_autoptr(Message) m = numbered(1, 0);
    for (int i = 0; i < 3; i++)
        assert(message_add_fd(m, open("/dev/null", O_RDONLY | O_CLOEXEC), NULL));
    raw_send(peer, m);
    RUN_UNTIL(loop, n_closed);
    assert(closed_with_error && got.length == 0);
    teardown();
    assert(user_used(user, ACCOUNT_FDS) == 0);
}

static void test_keepalive(void)
{
    unsigned pings = 0;

    setup(NULL);
    conn_set_keepalive(conn, 1, 1);
    while (!n_closed) {
        assert(loop_turn(loop, 100000) >= 0);
        while (raw_readable(peer, 0)) {
            g_autoptr(Message) m = raw_recv(loop, peer);

            if (!m)
                break;
            assert(m->h.prog == KEEPALIVE_PROGRAM && m->h.proc == KEEPALIVE_PROC_PING);
            if (pings++ == 0) { /* the first is answered, the second not */
                g_autoptr(Message) pong = keepalive(KEEPALIVE_PROC_PONG);

                raw_send(peer, pong);
            }
        }
    }
    assert(pings == 2 && closed_with_error);
    teardown();
}

static void test_flood_of_pings(void)
{
    g_autoptr(Message) ping = keepalive(KEEPALIVE_PROC_PING);
    g_autoptr(GByteArray) many = g_byte_array_new();

    setup(NULL);
    conn_set_marks(conn, 1000, 20000);
    for (unsigned i = 0; i < 1000; i++)
        g_byte_array_append(many, ping->data, ping->len);
    for (unsigned i = 0; i < 200; i++) {
        assert(send(peer, many->data, many->len, MSG_DONTWAIT) == (ssize_t)many->len);
        run_ready(loop);
    }
    assert(conn_queued_bytes(conn) <= 20000 + 28); /* and not 5 MB of pongs */
    teardown();
}

int main(void)
{
    loop = loop_new(NULL);
    test_byte_by_byte();
    test_many_in_one_read();
    test_big_message();
    test_bad_frames_close();
    test_fds_stay_with_their_message();
    test_send_fds();
    test_stray_fds_close();
    test_slow_reader();
    test_pause();
    test_pause_pushes_back();
    test_peer_gone();
    test_deaf_peer_gone();
    test_close_in_callback();
    test_close_with_flush();
    test_send_from_other_thread();
    test_shared_bodies();
    test_shared_bodies_wait();
    test_shares();
    test_charges();
    test_keepalive();
    test_flood_of_pings();
    loop = loop_free(loop);
    return 0;
}
