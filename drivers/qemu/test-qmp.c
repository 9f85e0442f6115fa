/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QMP client against a scripted peer: each test's script plays QEMU on the other end. */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "drivers/qemu/qmp.h"
#include "drivers/qemu/unix_path.h"
#include "util/error.h"
#include "util/fd.h"

#define SECOND G_USEC_PER_SEC
#define GREETING "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 2, \"major\": 7}}, \"capabilities\": []}}\r\n"

/* The peer. */

typedef struct Peer {
    int fd, passed;
    void (*script)(struct Peer *);
    pthread_t thread;
    pthread_barrier_t *meet;
    FILE *in;
} Peer;

static void say(Peer *p, const char *text)
{
    (void)fd_write_all(p->fd, text, strlen(text));
}

/* Reads one command, checks that it is 'cmd', returns its id. */
static char *hear(Peer *p, const char *cmd)
{
    g_autoptr(GString) line = g_string_new(NULL);
    char c = 0;

    while (c != '\n') {
        union {
            struct cmsghdr h;
            char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec iov = { &c, 1 };
        struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
        ssize_t n = recvmsg(p->fd, &m, 0);

        if (n <= 0)
            return NULL;
        if (m.msg_controllen)
            memcpy(&p->passed, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
        g_string_append_c(line, c);
    }
    g_autoptr(JsonObject) o = json_parse("command", line->str, line->len, NULL, NULL);
    if (g_strcmp0(json_get_str(o, "execute"), cmd) != 0)
        g_error("expected %s, got %s", cmd, line->str);
    return g_strdup(json_get_str(o, "id"));
}

static void answer(Peer *p, const char *id, const char *what)
{
    g_autofree char *text = g_strdup_printf("{%s, \"id\": \"%s\"}\r\n", what, id);

    say(p, text);
}

static void reply(Peer *p, const char *cmd, const char *what)
{
    g_autofree char *id = hear(p, cmd);

    if (id)
        answer(p, id, what);
}

static void greet(Peer *p)
{
    say(p, GREETING);
    reply(p, "qmp_capabilities", "\"return\": {}");
}

static void *peer_main(void *arg)
{
    Peer *p = arg;

    p->script(p);
    return NULL;
}

/* The client's side of a test. */

typedef struct World {
    Peer peer;
    atomic_int events, closed, released;
    char *last_event, *why;
    pthread_mutex_t lock;
} World;

static void on_event(Qmp *q, QmpEvent *e, void *data)
{
    World *w = data;

    pthread_mutex_lock(&w->lock);
    g_free(w->last_event);
    w->last_event = g_strdup(e->name);
    pthread_mutex_unlock(&w->lock);
    w->events++;
}

static void on_closed(Qmp *q, const GError *why, void *data)
{
    World *w = data;

    w->why = why ? g_strdup(why->message) : NULL;
    w->closed++;
}

static void on_release(void *data)
{
    ((World *)data)->released++;
}

static const QmpOps ops = { on_event, on_closed, on_release };

static void until(atomic_int *n, int value)
{
    for (unsigned i = 0; i < 5000 && atomic_load(n) < value; i++)
        g_usleep(1000);
    assert(atomic_load(n) == value);
}

static Qmp *world_open(World *w, void (*script)(Peer *), unsigned flags, GError **err)
{
    int s[2];

    *w = (World){ .peer = { .script = script, .passed = -1 } };
    pthread_mutex_init(&w->lock, NULL);
    assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) == 0);
    w->peer.fd = s[1];
    assert(pthread_create(&w->peer.thread, NULL, peer_main, &w->peer) == 0);
    return qmp_open(NULL, s[0], flags, now_usec() + 5 * SECOND, &ops, w, err);
}

static void world_end(World *w, Qmp *q)
{
    qmp_unref(q);
    pthread_join(w->peer.thread, NULL);
    fd_close(&w->peer.fd);
    fd_close(&w->peer.passed);
    until(&w->released, 1);
    g_free(w->last_event);
    g_free(w->why);
    pthread_mutex_destroy(&w->lock);
}

static void failed(bool ok, GError **err, int code, const char *words)
{
    assert(!ok && *err);
    if ((*err)->code != code || !strstr((*err)->message, words))
        g_error("expected %d '%s', got %d '%s'", code, words, (*err)->code, (*err)->message);
    g_clear_error(err);
}

/* Tests. */

static void script_calls(Peer *p)
{
    greet(p);
    reply(p, "query-status", "\"return\": {\"running\": true}");
    reply(p, "device_add", "\"error\": {\"class\": \"GenericError\", \"desc\": \"no such bus\"}");
    reply(p, "nonsense", "\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"not there\"}");
    reply(p, "device_del", "\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"Device 'x' not found\"}");
    reply(p, "stop", "\"return\": {}");
    g_autofree char *raw = hear(p, "query-kvm");
    answer(p, raw, "\"return\": {\"enabled\": false, \"path\": \"a/b\"}");
}

static void test_calls(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(JsonObject) ret = NULL;
    g_autofree char *text = NULL;
    World w;
    Qmp *q = world_open(&w, script_calls, 0, &err);

    assert(q);
    assert(qmp_call(q, "query-status", NULL, &ret, 0, &err) && json_get_bool(ret, "running", false));
    failed(qmp_call(q, "device_add", json_make(J_STR("driver", "x")), NULL, 0, &err), &err, VIR_ERR_INTERNAL_ERROR,
           "unable to execute QEMU command 'device_add': no such bus");
    failed(qmp_call(q, "nonsense", NULL, NULL, 0, &err), &err, VIR_ERR_OPERATION_UNSUPPORTED, "not there");
    failed(qmp_call(q, "device_del", NULL, NULL, 0, &err), &err, VIR_ERR_DEVICE_MISSING, "'x' not found");
    assert(qmp_call(q, "stop", NULL, NULL, 0, &err));
    failed(qmp_call_raw(q, "{\"execute\":", &text, 0, &err), &err, VIR_ERR_INTERNAL_ERROR, "not valid JSON");
    failed(qmp_call_raw(q, "[]", &text, 0, &err), &err, VIR_ERR_INVALID_ARG, "not a JSON object");
    assert(qmp_call_raw(q, "{\"execute\": \"query-kvm\", \"id\": \"mine\"}", &text, 0, &err));
    assert(g_str_has_prefix(text, "{\"return\":{\"enabled\":false,\"path\":\"a/b\"},\"id\":\"libvirt-"));
    world_end(&w, q);
    assert(w.closed == 0);
}

enum { MANY = 20000 };

static void script_many(Peer *p)
{
    greet(p);
    for (unsigned i = 0; i < MANY; i++) {
        g_autofree char *rest = g_strnfill(2 * (i % 400), '1');
        for (char *c = rest; *c; c += 2)
            *c = ',';
        g_autofree char *text = g_strdup_printf("\"rest\": [0%s], \"return\": {}", rest);
        reply(p, "cont", text);
    }
}

/* The caller drops its answer while the monitor thread is still busy with the line it came in. */
static void test_an_answer_is_its_callers_alone(void)
{
    World w;
    Qmp *q = world_open(&w, script_many, 0, NULL);

    for (unsigned i = 0; i < MANY; i++)
        assert(qmp_call(q, "cont", NULL, NULL, 0, NULL));
    world_end(&w, q); /* what was lost the sanitizer tells */
}

static pthread_barrier_t both_sent;

static void script_reverse(Peer *p)
{
    greet(p);
    g_autofree char *a = hear(p, "one");
    pthread_barrier_wait(&both_sent);
    g_autofree char *b = hear(p, "two");
    answer(p, b, "\"return\": 2");
    say(p, "{\"event\": \"RESUME\", \"timestamp\": {\"seconds\": 5, \"microseconds\": 6}}\r\n\r\n");
    answer(p, a, "\"return\": 1");
}

static void *call_one(void *q)
{
    g_autoptr(JsonObject) ret = NULL;

    assert(qmp_call(q, "one", NULL, &ret, 0, NULL) && json_object_get_int(ret) == 1);
    return NULL;
}

static void test_replies_out_of_order(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(JsonObject) ret = NULL;
    pthread_t t;
    World w;

    pthread_barrier_init(&both_sent, NULL, 2);
    Qmp *q = world_open(&w, script_reverse, 0, &err);
    pthread_create(&t, NULL, call_one, q);
    pthread_barrier_wait(&both_sent);
    assert(qmp_call(q, "two", NULL, &ret, 0, &err) && json_object_get_int(ret) == 2);
    pthread_join(t, NULL);
    until(&w.events, 1);
    world_end(&w, q);
    pthread_barrier_destroy(&both_sent);
}

static void script_late(Peer *p)
{
    greet(p);
    g_autofree char *a = hear(p, "slow");
    pthread_barrier_wait(&both_sent);
    answer(p, a, "\"return\": {}");
    reply(p, "fast", "\"return\": {}");
}

static void test_deadline_and_late_reply(void)
{
    g_autoptr(GError) err = NULL;
    World w;

    pthread_barrier_init(&both_sent, NULL, 2);
    Qmp *q = world_open(&w, script_late, 0, &err);
    uint64_t t0 = now_usec();
    failed(qmp_call(q, "slow", NULL, NULL, t0 + 100000, &err), &err, VIR_ERR_OPERATION_TIMEOUT, "'slow'");
    assert(now_usec() - t0 < 3 * SECOND && qmp_unresponsive_since(q) >= t0 + 100000);
    assert(qmp_in_flight(q) == 0);
    pthread_barrier_wait(&both_sent);
    assert(qmp_call(q, "fast", NULL, NULL, 0, &err) && qmp_unresponsive_since(q) == 0);
    assert(qmp_is_open(q));
    world_end(&w, q);
    pthread_barrier_destroy(&both_sent);
}

static void script_hang_up(Peer *p)
{
    greet(p);
    g_autofree char *a = hear(p, "quit");
    shutdown(p->fd, SHUT_RDWR);
}

static void test_monitor_loss_fails_calls(void)
{
    g_autoptr(GError) err = NULL;
    World w;
    Qmp *q = world_open(&w, script_hang_up, 0, &err);

    failed(qmp_call(q, "quit", NULL, NULL, 0, &err), &err, VIR_ERR_OPERATION_FAILED, "hung up");
    until(&w.closed, 1);
    assert(!w.why && !qmp_is_open(q));
    failed(qmp_call(q, "stop", NULL, NULL, 0, &err), &err, VIR_ERR_OPERATION_FAILED, "hung up");
    world_end(&w, q);
    assert(w.closed == 1);
}

static const char *nasty;

static void script_nasty(Peer *p)
{
    greet(p);
    g_autofree char *a = hear(p, "stop");
    say(p, nasty);
    (void)hear(p, "none"); /* until the client hangs up */
}

static void test_malformed_closes(void)
{
    static const struct { const char *text, *words; } bad[] = {
        { "hello\n", "not valid JSON" },
        { "{\"return\": {}, \"id\": \"libvirt-999\"}\n", "not asked" },
        { "{\"return\": {}, \"id\": 7}\n", "not asked" },
        { "{\"return\": {}}\n", "not asked" },
        { "{\"foo\": {}}\n", "neither event nor reply" },
        { "[1]\n", "neither event nor reply" },
        { GREETING, "second greeting" },
        { "{\"event\": \"\xc3\x28\"}\n", "not valid JSON" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) err = NULL;
        World w;

        nasty = bad[i].text;
        Qmp *q = world_open(&w, script_nasty, 0, &err);
        failed(qmp_call(q, "stop", NULL, NULL, 0, &err), &err, VIR_ERR_OPERATION_FAILED, bad[i].words);
        until(&w.closed, 1);
        assert(w.why && strstr(w.why, bad[i].words));
        world_end(&w, q);
    }
}

static void script_endless(Peer *p)
{
    g_autofree char *block = g_malloc(1 << 20);

    greet(p);
    memset(block, ' ', 1 << 20);
    for (unsigned i = 0; i < 11; i++)
        if (send(p->fd, block, 1 << 20, MSG_NOSIGNAL) < 0)
            return;
    (void)hear(p, "none");
}

static void test_endless_line_closes(void)
{
    g_autoptr(GError) err = NULL;
    World w;
    Qmp *q = world_open(&w, script_endless, 0, &err);

    until(&w.closed, 1);
    assert(strstr(w.why, "too long"));
    world_end(&w, q);
}

static void script_silent(Peer *p)
{
    greet(p);
    g_autofree char *a = hear(p, "stop");
    pthread_barrier_wait(&both_sent);
    (void)hear(p, "none");
}

static void *call_stop(void *q)
{
    GError *err = NULL;

    failed(qmp_call(q, "stop", NULL, NULL, 0, &err), &err, VIR_ERR_OPERATION_ABORTED, "destroyed");
    return NULL;
}

static void test_abort(void)
{
    g_autoptr(GError) err = NULL;
    pthread_t t;
    World w;

    pthread_barrier_init(&both_sent, NULL, 2);
    Qmp *q = world_open(&w, script_silent, 0, &err);
    pthread_create(&t, NULL, call_stop, q);
    pthread_barrier_wait(&both_sent);
    qmp_abort(q, "the domain is being destroyed");
    pthread_join(t, NULL);
    failed(qmp_call(q, "cont", NULL, NULL, 0, &err), &err, VIR_ERR_OPERATION_ABORTED, "destroyed");
    world_end(&w, q);
    pthread_barrier_destroy(&both_sent);
}

static void script_unplug(Peer *p)
{
    greet(p);
    g_autofree char *id = hear(p, "device_del");
    say(p, "{\"event\": \"DEVICE_DELETED\", \"data\": {\"path\": \"/x\"}}\n");
    say(p, "{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"net1\", \"path\": \"/y\"}}\n");
    answer(p, id, "\"return\": {}");
    say(p, "{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"net0\", \"path\": \"/z\"}}\n");
}

static void test_expect(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(QmpEvent) e = NULL;
    World w;
    Qmp *q = world_open(&w, script_unplug, 0, &err);
    g_autoptr(QmpExpect) x = qmp_expect(q, "DEVICE_DELETED", "device", "net0");
    g_autoptr(QmpExpect) never = qmp_expect(q, "SHUTDOWN", NULL, NULL);

    assert(qmp_call(q, "device_del", json_make(J_STR("id", "net0")), NULL, 0, &err));
    assert(qmp_expect_wait(x, 0, &e, &err) && e->awaited);
    assert(strcmp(json_get_str(e->data, "path"), "/z") == 0);
    until(&w.events, 3);
    failed(qmp_expect_wait(never, now_usec() + 1000, NULL, &err), &err, VIR_ERR_OPERATION_TIMEOUT, "SHUTDOWN");
    g_clear_pointer(&x, qmp_expect_free);
    g_clear_pointer(&never, qmp_expect_free);
    world_end(&w, q);
}

static void script_getfd(Peer *p)
{
    greet(p);
    reply(p, "getfd", "\"return\": {}");
}

static void test_fd_goes_with_its_command(void)
{
    g_autoptr(GError) err = NULL;
    int pipefd[2];
    World w;
    struct stat a, b;
    Qmp *q = world_open(&w, script_getfd, 0, &err);

    assert(pipe(pipefd) == 0);
    assert(qmp_call_with_fd(q, "getfd", json_make(J_STR("fdname", "x")), pipefd[0], NULL, 0, &err));
    assert(w.peer.passed >= 0 && fstat(w.peer.passed, &a) == 0 && fstat(pipefd[0], &b) == 0 && a.st_ino == b.st_ino);
    close(pipefd[0]);
    close(pipefd[1]);
    world_end(&w, q);
}

static void script_async(Peer *p)
{
    greet(p);
    reply(p, "a", "\"return\": 5");
    g_autofree char *b = hear(p, "b");
    g_autofree char *c = hear(p, "c");
    (void)hear(p, "none");
}

static atomic_int async_ok, async_late, async_lost;

static void done_a(JsonObject *ret, const GError *err, void *data)
{
    assert(!err && json_object_get_int(ret) == 5);
    async_ok++;
}

static void done_b(JsonObject *ret, const GError *err, void *data)
{
    assert(error_is(err, VIR_ERR_OPERATION_TIMEOUT));
    async_late++;
}

static void done_c(JsonObject *ret, const GError *err, void *data)
{
    assert(error_is(err, VIR_ERR_OPERATION_FAILED));
    async_lost++;
}

static void test_async(void)
{
    g_autoptr(GError) err = NULL;
    World w;
    Qmp *q = world_open(&w, script_async, 0, &err);

    qmp_call_async(q, "a", NULL, 0, done_a, NULL);
    qmp_call_async(q, "b", NULL, now_usec() + 50000, done_b, NULL);
    qmp_call_async(q, "c", NULL, 0, done_c, NULL);
    until(&async_ok, 1);
    until(&async_late, 1);
    assert(qmp_unresponsive_since(q) != 0);
    qmp_close(q);
    until(&async_lost, 1);
    world_end(&w, q);
    assert(w.closed == 0); /* we closed it ourselves */
}

static void script_last_words(Peer *p)
{
    greet(p);
    pthread_barrier_wait(&both_sent);
    for (unsigned i = 0; i < 1000; i++)
        say(p, "{\"event\": \"SHUTDOWN\", \"timestamp\": {\"seconds\": 5, \"microseconds\": 6}}\r\n");
    (void)shutdown(p->fd, SHUT_RDWR);
}

static void test_last_words_are_heard(void)
{
    g_autoptr(GError) err = NULL;
    World w;

    pthread_barrier_init(&both_sent, NULL, 2);
    Qmp *q = world_open(&w, script_last_words, 0, &err);
    assert(q && !qmp_wait_hangup(q, now_usec()));
    pthread_barrier_wait(&both_sent);
    assert(qmp_wait_hangup(q, now_usec() + 60 * SECOND) && w.events == 1000);
    world_end(&w, q);
    pthread_barrier_destroy(&both_sent);
}

static void script_stopped(Peer *p)
{
    pthread_barrier_wait(&both_sent);
    greet(p);
    reply(p, "query-status", "\"return\": {}");
}

static void test_lazy_open_of_a_stopped_guest(void)
{
    g_autoptr(GError) err = NULL;
    World w;

    pthread_barrier_init(&both_sent, NULL, 2);
    Qmp *q = world_open(&w, script_stopped, QMP_OPEN_LAZY, &err);
    assert(q);
    failed(qmp_call(q, "cont", NULL, NULL, now_usec() + 50000, &err), &err, VIR_ERR_OPERATION_TIMEOUT, "not sent");
    assert(qmp_unresponsive_since(q) != 0);
    pthread_barrier_wait(&both_sent);
    /* "cont" was withdrawn: the peer must not see it. */
    assert(qmp_call(q, "query-status", NULL, NULL, 0, &err) && qmp_unresponsive_since(q) == 0);
    world_end(&w, q);
    pthread_barrier_destroy(&both_sent);
}

static void script_refuse(Peer *p)
{
    say(p, GREETING);
    reply(p, "qmp_capabilities", "\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}");
    (void)hear(p, "none");
}

static void test_open_failures(void)
{
    g_autoptr(GError) err = NULL;
    World w;
    Qmp *q = world_open(&w, script_refuse, 0, &err);

    failed(q != NULL, &err, VIR_ERR_OPERATION_FAILED, "qmp_capabilities");
    world_end(&w, NULL);
    q = qmp_open("/nonexistent/monitor.sock", -1, 0, 0, &ops, &w, &err);
    failed(q != NULL, &err, VIR_ERR_SYSTEM_ERROR, "/nonexistent/monitor.sock");
}

/* A path longer than sun_path, and a peer that accepts late because its backlog is full. */
static void test_long_path_and_full_backlog(void)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *top = g_dir_make_tmp("test-qmp-XXXXXX", NULL);
    g_autofree char *dir = g_strdup_printf("%s/%0*d", top, 120, 0);
    g_autofree char *path = g_build_filename(dir, "monitor.sock", NULL);
    World w = { .peer = { .passed = -1 } };

    assert(mkdir(dir, 0700) == 0);
    auto_fd listening = unix_path_listen(path, 0600, 0, &err);
    assert(listening >= 0);
    struct stat st;
    assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    auto_fd first = unix_path_connect(path, &err);
    assert(first >= 0 && unix_path_connect(path, &err) == -2);

    pthread_mutex_init(&w.lock, NULL);
    Qmp *q = qmp_open(path, -1, QMP_OPEN_LAZY, 0, &ops, &w, &err);
    assert(q);
    auto_fd gone = accept(listening, NULL, NULL);
    w.peer.fd = accept(listening, NULL, NULL);
    w.peer.script = script_getfd;
    pthread_create(&w.peer.thread, NULL, peer_main, &w.peer);
    assert(qmp_call(q, "getfd", NULL, NULL, 0, &err));
    world_end(&w, q);
    assert(gone >= 0 && unlink(path) == 0 && rmdir(dir) == 0 && rmdir(top) == 0);
}

int main(void)
{
    test_calls();
    test_an_answer_is_its_callers_alone();
    test_replies_out_of_order();
    test_deadline_and_late_reply();
    test_monitor_loss_fails_calls();
    test_malformed_closes();
    test_endless_line_closes();
    test_abort();
    test_expect();
    test_fd_goes_with_its_command();
    test_async();
    test_last_words_are_heard();
    test_lazy_open_of_a_stopped_guest();
    test_open_failures();
    test_long_path_and_full_backlog();
    qmp_loop_stop();
    return 0;
}
