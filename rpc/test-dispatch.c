/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The dispatcher between a raw client on a socket pair and a made-up driver with one domain. What a
 * client sees is asserted: replies, error codes, order.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocols/net_types.h"
#include "protocols/remote_handlers.h"
#include "protocols/remote_procs.h"
#include "protocols/xdr_buf.h"
#include "rpc/dispatch-internal.h"
#include "util/error.h"
#include "util/fd.h"

/* A driver ------------------------------------------------------------------------------------- */

typedef struct FakeDomain {
    TurnQueue queue;
    uint8_t uuid[16];
} FakeDomain;

static FakeDomain dom;
static Lock gate_lock = LOCK_INIT;
static pthread_cond_t gate_cond = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static atomic_int entered;

static void *fake_find(Call *c, const void *wire, GError **err)
{
    const remote_nonnull_domain *w = wire;
    (void)c;
    if (strcmp(w->name, "guest") != 0) {
        error_set(err, VIR_ERR_NO_DOMAIN, "no domain with matching name '%s'", w->name);
        return NULL;
    }
    return &dom;
}
static void fake_unref(void *o) { (void)o; }
static void fake_describe(void *o, AclObject *r) { *r = (AclObject){ OBJECT_DOMAIN, "guest", ((FakeDomain *)o)->uuid }; }
static struct TurnQueue *fake_queue(void *o) { return &((FakeDomain *)o)->queue; }
static void *fake_begin(void *o, Call *c, JobKind j, bool a, GError **err)
{
    (void)c; (void)j; (void)a; (void)err;
    return o;
}
static bool fake_end(void *o, void *cap, JobKind j, bool ok, GError **err)
{
    (void)o; (void)cap; (void)j; (void)ok; (void)err;
    return true;
}
static const ObjectClass fake_class = { fake_find, NULL, fake_unref, fake_describe, fake_queue, fake_begin, fake_end, NULL, NULL };

/* Blocks a worker until the gate opens. */
static bool do_suspend(Call *c, DomainTurn *t, const remote_domain_suspend_args *a, GError **err)
{
    (void)c; (void)t; (void)a; (void)err;
    atomic_fetch_add(&entered, 1);
    lock_enter(&gate_lock);
    while (!gate_open)
        pthread_cond_wait(&gate_cond, &gate_lock.m);
    lock_leave(&gate_lock);
    return true;
}
static bool do_state(Call *c, const DomainView *v, const remote_domain_get_state_args *a, remote_domain_get_state_ret *r, GError **err)
{
    (void)c; (void)v; (void)a; (void)err;
    r->state = VIR_DOMAIN_RUNNING;
    return true;
}
static bool do_resume(Call *c, DomainTurn *t, const remote_domain_resume_args *a, GError **err)
{
    (void)c; (void)t; (void)a; (void)err;
    return false; /* a handler that forgets its error */
}
static const RemoteHandlers handlers = {
    .domain_suspend = { do_suspend }, .domain_resume = { do_resume }, .domain_get_state = { do_state },
};
static const char *const schemes[] = { "qemu", NULL };
static const Driver fake = { .name = "FAKE", .schemes = schemes, .error_source = VIR_FROM_QEMU, .remote = &handlers,
                             .objects = { [OBJECT_DOMAIN] = &fake_class } };

/* A daemon in a thread, a client in main ---------------------------------------------------------- */

static Loop *loop;
static Server *server;
static char sock_path[64], ro_path[64];
static atomic_bool ready;

static void stop(void *data) { (void)data; loop_exit(loop, 0); }

static void *serve(void *unused)
{
    g_autoptr(GError) err = NULL;
    ServerLimits limits = { 100, 100, 100, 2, 0, 0 };
    UserRegistry *users = user_registry_new(&(AccountLimits){ { UINT64_MAX, UINT64_MAX, UINT64_MAX } });
    ProgramBinding b = { &remote_program, &handlers, &core_remote_handlers };
    (void)unused;

    loop = loop_new(&err);
    Pool *pool = pool_new("test", 0, 8, 2);
    Dispatcher *d = dispatcher_new(loop, pool, &fake, &err);
    server = dispatcher_serve(d, "test", &limits, users, &b, 1);
    assert(server_listen_unix(server, sock_path, 0600, (gid_t)-1, false, &err));
    assert(server_listen_unix(server, ro_path, 0600, (gid_t)-1, true, &err));
    atomic_store(&ready, true);
    loop_run(loop);
    dispatcher_drain(d, 5000000);
    server_free(server);
    pool_free(pool);
    dispatcher_free(d);
    loop_free(loop);
    user_registry_unref(users);
    return NULL;
}

typedef struct Reply {
    MsgHeader h;
    uint8_t body[65536];
    uint32_t n;
    int code;
    char text[512];
} Reply;

static void put(int fd, int32_t prog, int32_t proc, uint32_t serial, xdrproc_t xdr, const void *args)
{
    MsgHeader h = { (uint32_t)prog, 1, proc, MSG_CALL, serial, MSG_OK };
    g_autoptr(Message) m = message_new(&h, xdr, args, NULL);
    assert(fd_write_all(fd, m->data, m->len) == 0);
}

static void get(int fd, Reply *r)
{
    uint8_t head[MESSAGE_HEAD];
    uint32_t len;

    assert(fd_read_all(fd, head, sizeof(head)) == sizeof(head));
    assert(msg_header_decode(head, MESSAGE_MAX, &len, &r->h, NULL));
    r->n = len - MESSAGE_HEAD;
    assert(r->n <= sizeof(r->body) && fd_read_all(fd, r->body, r->n) == (ssize_t)r->n);
    r->code = 0;
    if (r->h.status == MSG_ERROR) {
        net_error e;
        assert(proc_decode("error", (xdrproc_t)xdr_net_error, sizeof(e), r->body, r->n, &e, NULL));
        r->code = e.code;
        g_strlcpy(r->text, e.message ? e.message : "", sizeof(r->text));
        assert(r->text[0]);
        proc_free((xdrproc_t)xdr_net_error, &e);
    }
}

static int dial(const char *path, bool open)
{
    static const remote_connect_open_args a = { .name = "qemu:///system" };
    struct sockaddr_un { unsigned short family; char path[108]; } sa = { AF_UNIX, "" };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    Reply *r = g_new0(Reply, 1);

    g_strlcpy(sa.path, path, sizeof(sa.path));
    assert(connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
    put(fd, (int32_t)remote_program.number, REMOTE_PROC_AUTH_LIST, 1, NULL, NULL);
    get(fd, r);
    assert(r->h.status == MSG_OK);
    if (open) {
        put(fd, (int32_t)remote_program.number, REMOTE_PROC_CONNECT_OPEN, 2, (xdrproc_t)xdr_remote_connect_open_args, &a);
        get(fd, r);
        assert(r->h.status == MSG_OK && r->h.serial == 2);
    }
    g_free(r);
    return fd;
}

#define P ((int32_t)remote_program.number)
static remote_domain_suspend_args guest = { .dom = { .name = (char *)"guest" } };
static remote_domain_suspend_args other = { .dom = { .name = (char *)"other" } };
#define XDR_DOM ((xdrproc_t)xdr_remote_domain_suspend_args)

static void test_unknown_things_are_answered_and_the_connection_stays(void)
{
    auto_fd fd = dial(sock_path, true);
    g_autofree Reply *r = g_new0(Reply, 1);

    put(fd, 0x12345, 1, 3, NULL, NULL);
    get(fd, r);
    assert(r->code == VIR_ERR_RPC && r->h.serial == 3 && r->h.prog == 0x12345);
    put(fd, P, 99999, 4, NULL, NULL);
    get(fd, r);
    assert(r->code == VIR_ERR_RPC && strstr(r->text, "99999"));
    put(fd, P, REMOTE_PROC_DOMAIN_EVENT_LIFECYCLE, 5, NULL, NULL);
    get(fd, r);
    assert(r->code == VIR_ERR_RPC);
    put(fd, P, REMOTE_PROC_DOMAIN_SUSPEND, 6, NULL, NULL); /* no arguments */
    get(fd, r);
    assert(r->code == VIR_ERR_RPC && strstr(r->text, "domain_suspend"));
    put(fd, P, REMOTE_PROC_DOMAIN_MIGRATE_PERFORM3, 7, NULL, NULL);
    get(fd, r);
    assert(r->code == VIR_ERR_NO_SUPPORT);
}

static void test_nothing_before_open(void)
{
    auto_fd fd = dial(sock_path, false);
    g_autofree Reply *r = g_new0(Reply, 1);

    put(fd, P, REMOTE_PROC_DOMAIN_SUSPEND, 3, XDR_DOM, &guest);
    get(fd, r);
    assert(r->h.status == MSG_ERROR && atomic_load(&entered) == 0);
}

static void test_read_only_looks_and_does_not_touch(void)
{
    auto_fd fd = dial(ro_path, true);
    g_autofree Reply *r = g_new0(Reply, 1);
    remote_domain_get_state_args a = { .dom = { .name = (char *)"guest" } };

    put(fd, P, REMOTE_PROC_DOMAIN_SUSPEND, 3, XDR_DOM, &guest);
    get(fd, r);
    assert(r->code == VIR_ERR_OPERATION_DENIED && atomic_load(&entered) == 0);
    put(fd, P, REMOTE_PROC_DOMAIN_GET_STATE, 4, (xdrproc_t)xdr_remote_domain_get_state_args, &a);
    get(fd, r);
    assert(r->h.status == MSG_OK);
}

static void test_checks_before_the_handler(void)
{
    auto_fd fd = dial(sock_path, true);
    g_autofree Reply *r = g_new0(Reply, 1);
    remote_domain_get_state_args a = { .dom = { .name = (char *)"guest" }, .flags = 0x80 };

    put(fd, P, REMOTE_PROC_DOMAIN_SUSPEND, 3, XDR_DOM, &other);
    get(fd, r);
    assert(r->code == VIR_ERR_NO_DOMAIN && atomic_load(&entered) == 0);
    put(fd, P, REMOTE_PROC_DOMAIN_GET_STATE, 4, (xdrproc_t)xdr_remote_domain_get_state_args, &a);
    get(fd, r);
    assert(r->code == VIR_ERR_INVALID_ARG && strstr(r->text, "0x80"));
}

static void test_never_an_empty_error(void)
{
    auto_fd fd = dial(sock_path, true);
    g_autofree Reply *r = g_new0(Reply, 1);

    put(fd, P, REMOTE_PROC_DOMAIN_RESUME, 3, XDR_DOM, &guest);
    get(fd, r);
    assert(r->code == VIR_ERR_INTERNAL_ERROR && strstr(r->text, "domain_resume"));
}

static void test_slow_calls_do_not_silence_a_client(void)
{
    auto_fd fd = dial(sock_path, true);
    g_autofree Reply *r = g_new0(Reply, 1);
    remote_domain_get_state_args a = { .dom = { .name = (char *)"guest" } };

    /* Two run (one in the handler, one waiting for its turn), three wait for a slot. */
    for (uint32_t i = 0; i < 5; i++)
        put(fd, P, REMOTE_PROC_DOMAIN_SUSPEND, 10 + i, XDR_DOM, &guest);
    while (atomic_load(&entered) == 0)
        g_usleep(1000);
    put(fd, P, REMOTE_PROC_DOMAIN_GET_STATE, 20, (xdrproc_t)xdr_remote_domain_get_state_args, &a);
    get(fd, r);
    assert(r->h.serial == 20 && r->h.status == MSG_OK);
    assert(atomic_load(&entered) == 1); /* turns are exclusive */

    lock_enter(&gate_lock);
    gate_open = true;
    pthread_cond_broadcast(&gate_cond);
    lock_leave(&gate_lock);
    for (uint32_t i = 0; i < 5; i++) {
        get(fd, r);
        assert(r->h.serial == 10 + i && r->h.status == MSG_OK); /* in the order they were sent */
    }
    assert(atomic_load(&entered) == 5);
}

static void test_a_client_that_leaves_takes_its_waiting_calls_along(void)
{
    g_autofree Reply *r = g_new0(Reply, 1);
    int before = atomic_load(&entered);

    lock_enter(&gate_lock);
    gate_open = false;
    lock_leave(&gate_lock);
    auto_fd holder = dial(sock_path, true);
    put(holder, P, REMOTE_PROC_DOMAIN_SUSPEND, 3, XDR_DOM, &guest);
    while (atomic_load(&entered) == before)
        g_usleep(1000);
    int leaver = dial(sock_path, true);
    put(leaver, P, REMOTE_PROC_DOMAIN_SUSPEND, 3, XDR_DOM, &guest);
    g_usleep(50000);
    close(leaver);
    g_usleep(50000);
    lock_enter(&gate_lock);
    gate_open = true;
    pthread_cond_broadcast(&gate_cond);
    lock_leave(&gate_lock);
    get(holder, r);
    assert(r->h.status == MSG_OK);
    put(holder, P, REMOTE_PROC_DOMAIN_SUSPEND, 4, XDR_DOM, &guest);
    get(holder, r);
    assert(atomic_load(&entered) == before + 2); /* not the one that left */
}

int main(void)
{
    pthread_t t;

    g_snprintf(sock_path, sizeof(sock_path), "/tmp/test-dispatch-%d", (int)getpid());
    g_snprintf(ro_path, sizeof(ro_path), "/tmp/test-dispatch-%d-ro", (int)getpid());
    turnqueue_init(&dom.queue);
    assert(pthread_create(&t, NULL, serve, NULL) == 0);
    while (!atomic_load(&ready))
        g_usleep(1000);

    test_unknown_things_are_answered_and_the_connection_stays();
    test_nothing_before_open();
    test_read_only_looks_and_does_not_touch();
    test_checks_before_the_handler();
    test_never_an_empty_error();
    test_slow_calls_do_not_silence_a_client();
    test_a_client_that_leaves_takes_its_waiting_calls_along();

    loop_post(loop, stop, NULL);
    pthread_join(t, NULL);
    turnqueue_done(&dom.queue);
    unlink(sock_path);
    unlink(ro_path);
    return 0;
}
