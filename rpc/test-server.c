/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Servers: sockets and their modes, stale ones, limits, lack of descriptors, ends of clients. */
#undef NDEBUG
#include "rpc/server.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "rpc/listen.h"
#include "rpc/test-util.h"
#include "util/error.h"

static Loop *loop;
static char dir[] = "/tmp/modvirt-test-XXXXXX";
static char *path;
static unsigned n_opened, n_closed, n_counts;
static bool refuse, authenticate = true;
static Client *last; /* a reference */
static ServerLimits limits = { .max_clients = 10, .max_queued_clients = 20, .max_anonymous_clients = 5 };

static bool on_opened(Client *c, void *data)
{
    if (refuse)
        return false;
    n_opened++;
    client_unref(last);
    last = client_ref(c);
    if (authenticate)
        client_set_authenticated(c);
    return true;
}

static void on_message(Client *c, Message *m, void *data)
{
    client_send(c, m);
}

static void on_closed(Client *c, void *data)
{
    assert(c->server && c->closing);
    n_closed++;
}

static void on_count(void *data)
{
    n_counts++;
}

static const ServerOps ops = { .opened = on_opened, .message = on_message, .closed = on_closed };

static Server *setup(void)
{
    g_autoptr(GError) error = NULL;
    Server *s = server_new(loop, "test", &limits, NULL, &ops, NULL);

    n_opened = n_closed = n_counts = 0;
    refuse = false;
    authenticate = true;
    server_set_on_count(s, on_count, NULL);
    assert(server_listen_unix(s, path, 0640, -1, false, &error));
    return s;
}

static void teardown(Server *s)
{
    server_free(s);
    last = client_unref(last);
    run_ready(loop);
    assert(access(path, F_OK) < 0);
}

static int dial(void)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    strcpy(addr.sun_path, path);
    assert(fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
    return fd;
}

static bool is_hung_up(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void test_life_of_a_client(void)
{
    Server *s = setup();
    struct stat st;
    int fd = dial();
    const MsgHeader h = { 1, 1, 1, MSG_CALL, 3, MSG_OK };

    assert(stat(path, &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 07777) == 0640);
    RUN_UNTIL(loop, n_opened == 1);
    assert(server_n_clients(s) == 1 && server_n_anonymous(s) == 0 && n_counts == 1);
    assert(last->id == 1 && server_find_client(s, 1) == last && !server_find_client(s, 2));
    assert(last->peer->has_unix && last->peer->uid == getuid() && last->peer->pid == getpid() && last->identity == last->peer);
    assert(!last->readonly && last->connected_at > 0);
    g_autoptr(Message) m = message_new_bytes(&h, "abcd", 4);
    raw_send(fd, m);
    g_autoptr(Message) echo = raw_recv(loop, fd);
    assert(echo->len == m->len && memcmp(echo->data, m->data, m->len) == 0);
    close(fd);
    RUN_UNTIL(loop, n_closed == 1);
    assert(server_n_clients(s) == 0 && n_counts == 2 && !last->server);
    client_send(last, m); /* harmless */
    run_ready(loop);
    assert(n_closed == 1);

    fd = dial();
    RUN_UNTIL(loop, n_opened == 2);
    assert(last->id == 2);
    client_close(last, false);
    client_close(last, true);
    RUN_UNTIL(loop, n_closed == 2);
    assert(is_hung_up(fd));
    close(fd);

    refuse = true;
    fd = dial();
    RUN_UNTIL(loop, is_hung_up(fd));
    RUN_UNTIL(loop, server_n_clients(s) == 0);
    assert(n_opened == 2 && n_closed == 2);
    close(fd);

    refuse = false;
    fd = dial();
    RUN_UNTIL(loop, n_opened == 3);
    teardown(s); /* clients end with their server */
    assert(n_closed == 3 && is_hung_up(fd));
    close(fd);
}

static void *unref_elsewhere(void *data)
{
    client_unref(data);
    return NULL;
}

static void test_last_reference_elsewhere(void)
{
    Server *s = setup();
    pthread_t t;
    int fd = dial();

    RUN_UNTIL(loop, n_opened == 1);
    close(fd);
    RUN_UNTIL(loop, n_closed == 1);
    assert(pthread_create(&t, NULL, unref_elsewhere, g_steal_pointer(&last)) == 0);
    pthread_join(t, NULL);
    teardown(s); /* the leak checker looks for the rest */
}

static void test_sockets_of_others(void)
{
    g_autoptr(GError) error = NULL;
    Server *s = setup(), *second = server_new(loop, "second", &limits, NULL, &ops, NULL);

    /* somebody listens: hands off */
    assert(!server_listen_unix(second, path, 0600, -1, false, &error));
    assert(strstr(error->message, path));
    g_clear_error(&error);
    int fd = dial();
    RUN_UNTIL(loop, n_opened == 2); /* the look whether somebody listens was a client, too */
    close(fd);
    teardown(s);

    /* nobody does: a stale one is replaced */
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int stale = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(addr.sun_path, path);
    assert(bind(stale, (struct sockaddr *)&addr, sizeof(addr)) == 0);
    close(stale);
    assert(server_listen_unix(second, path, 0600, -1, true, &error));
    fd = dial();
    RUN_UNTIL(loop, n_opened == 3);
    assert(last->readonly);
    close(fd);

    /* what replaced ours is not removed with us */
    assert(unlink(path) == 0);
    stale = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(bind(stale, (struct sockaddr *)&addr, sizeof(addr)) == 0);
    server_free(second);
    assert(access(path, F_OK) == 0);
    close(stale);
    assert(unlink(path) == 0);
    last = client_unref(last);

    /* a file in the way, a path that cannot be */
    s = server_new(loop, "third", &limits, NULL, &ops, NULL);
    assert(g_file_set_contents(path, "x", 1, NULL));
    assert(!server_listen_unix(s, path, 0600, -1, false, &error) && error);
    g_clear_error(&error);
    assert(unlink(path) == 0);
    g_autofree char *name = g_strnfill(120, 'n'), *too_long = g_strdup_printf("%s/%s", dir, name);
    assert(!server_listen_unix(s, too_long, 0600, -1, false, &error) && error);
    g_clear_error(&error);
    assert(!server_listen_unix(s, "/does/not/exist/sock", 0600, -1, false, &error) && error);
    g_clear_error(&error);
    assert(!server_listen_fd(s, dup(0), false, &error) && error); /* no listening socket */
    server_free(s);
    run_ready(loop);
}

static void test_adopted_listener(void)
{
    Server *s = setup(), *adopting = server_new(loop, "adopting", &limits, NULL, &ops, NULL);
    ListenAddress a = { 0 };
    g_autofree char *other = g_strdup_printf("%s/other", dir);
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int l = listen_unix(other, 0600, -1, 5, &a, NULL), fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert(l >= 0 && server_listen_fd(adopting, l, true, NULL));
    strcpy(addr.sun_path, other);
    assert(!server_has_pending(adopting));
    assert(connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
    assert(server_has_pending(adopting) && !server_has_pending(s));
    RUN_UNTIL(loop, n_opened == 1);
    assert(last->readonly && server_n_clients(adopting) == 1 && server_n_clients(s) == 0);
    server_free(adopting);
    assert(access(other, F_OK) == 0); /* it is not ours to remove */
    listen_address_remove(&a);
    close(fd);
    teardown(s);
}

static void test_limits(void)
{
    Server *s = setup();
    int fds[16];

    for (unsigned i = 0; i < 12; i++)
        fds[i] = dial();
    run_ready(loop);
    assert(n_opened == 10 && server_has_pending(s)); /* two wait */
    close(fds[0]);
    RUN_UNTIL(loop, n_opened == 11);
    server_limits(s)->max_clients = 20;
    server_apply_limits(s);
    RUN_UNTIL(loop, n_opened == 12);
    for (unsigned i = 1; i < 12; i++)
        close(fds[i]);
    RUN_UNTIL(loop, n_closed == 12);

    authenticate = false;
    for (unsigned i = 0; i < 7; i++)
        fds[i] = dial();
    run_ready(loop);
    assert(n_opened == 17 && server_n_anonymous(s) == 5 && server_has_pending(s));
    client_set_authenticated(last);
    client_set_authenticated(last); /* counts once */
    run_ready(loop);
    assert(n_opened == 18 && server_n_anonymous(s) == 5);
    authenticate = true;
    close(fds[0]);
    RUN_UNTIL(loop, n_opened == 19);
    assert(server_n_anonymous(s) == 4);

    server_set_accepting(s, false);
    fds[7] = dial();
    run_ready(loop);
    assert(n_opened == 19 && server_has_pending(s));
    server_set_accepting(s, true);
    RUN_UNTIL(loop, n_opened == 20);
    for (unsigned i = 1; i < 8; i++)
        close(fds[i]);
    teardown(s);
}

/* Out of descriptors: clients are refused, nobody hangs, nothing spins, and it ends when it ends. */
static void test_out_of_descriptors(void)
{
    Server *s = setup();
    struct rlimit old, low;
    int held[256], waiting[3];
    unsigned n = 0;

    for (unsigned i = 0; i < 3; i++)
        waiting[i] = dial();
    assert(getrlimit(RLIMIT_NOFILE, &old) == 0);
    low = old;
    low.rlim_cur = 100;
    assert(setrlimit(RLIMIT_NOFILE, &low) == 0);
    while (n < G_N_ELEMENTS(held) && (held[n] = fcntl(0, F_DUPFD_CLOEXEC, 0)) >= 0)
        n++;
    assert(n < G_N_ELEMENTS(held));
    run_ready(loop);
    for (unsigned i = 0; i < 3; i++)
        assert(is_hung_up(waiting[i]));
    assert(n_opened == 0 && server_n_clients(s) == 0);

    close(held[--n]); /* one client, and one for connect() here */
    close(waiting[0]);
    int fd = dial();
    RUN_UNTIL(loop, n_opened == 1 || is_hung_up(fd));
    assert(n_opened == 1);
    while (n)
        close(held[--n]);
    assert(setrlimit(RLIMIT_NOFILE, &old) == 0);
    close(fd);
    close(waiting[1]);
    close(waiting[2]);
    teardown(s);
}

/* Who may connect is decided from owner, group and mode as well. */
static void test_peer_check(void)
{
    ListenAddress a = { 0 };
    int l = listen_unix(path, 0660, -1, 5, &a, NULL), fd = dial();
    Identity peer = { .has_unix = true, .uid = 4711, .gid = getgid() };

    assert(l >= 0);
    assert(listen_peer_allowed(&a, l, &peer, fd)); /* by group */
    peer.gid = 4711;
    peer.uid = getuid();
    assert(listen_peer_allowed(&a, l, &peer, fd)); /* the owner */
    assert(chmod(path, 0600) == 0);
    peer.uid = 4711;
    assert(!listen_peer_allowed(&a, l, &peer, fd));
    assert(chmod(path, 0606) == 0);
    assert(listen_peer_allowed(&a, l, &peer, fd));
    assert(chmod(path, 0600) == 0);
    ListenAddress none = { 0 };
    assert(!listen_peer_allowed(&none, l, &peer, fd));
    close(fd);
    close(l);
    listen_address_remove(&a);
}

int main(void)
{
    assert(mkdtemp(dir));
    path = g_strdup_printf("%s/sock", dir);
    loop = loop_new(NULL);
    test_life_of_a_client();
    test_last_reference_elsewhere();
    test_sockets_of_others();
    test_adopted_listener();
    test_limits();
    test_out_of_descriptors();
    test_peer_check();
    loop = loop_free(loop);
    g_free(path);
    assert(rmdir(dir) == 0);
    return 0;
}
