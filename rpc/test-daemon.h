/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For the tests of the dispatcher and what hangs on it: a daemon in a thread, raw clients in main. */
#pragma once

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocols/net_types.h"
#include "protocols/qemu_handlers.h"
#include "protocols/qemu_procs.h"
#include "protocols/remote_handlers.h"
#include "protocols/remote_procs.h"
#include "protocols/xdr_buf.h"
#include "rpc/dispatch-internal.h"
#include "util/error.h"
#include "util/fd.h"

static struct {
    const Driver *driver;
    unsigned max_client_requests;
    ProgramBinding third; /* served as well when it names a program */
    Loop *loop;
    Dispatcher *d;
    Server *server;
    pthread_t thread;
    char path[64], ro_path[64];
    atomic_bool ready;
    uint64_t drain_usec;
} td;

static void *td_serve(void *unused)
{
    g_autoptr(GError) err = NULL;
    ServerLimits limits = { 100, 100, 100, td.max_client_requests, 0, 0 };
    UserRegistry *users = user_registry_new(&(AccountLimits){ { UINT64_MAX, UINT64_MAX, UINT64_MAX } });
    ProgramBinding b[] = { { &remote_program, td.driver->remote, &core_remote_handlers },
                           { &qemu_program, td.driver->qemu, &core_qemu_handlers }, td.third };
    (void)unused;

    td.loop = loop_new(&err);
    Pool *pool = pool_new("test", 0, 8, 2);
    td.d = dispatcher_new(td.loop, pool, td.driver, &err);
    td.server = dispatcher_serve(td.d, "test", &limits, users, b, td.third.info ? 3 : 2);
    assert(server_listen_unix(td.server, td.path, 0600, (gid_t)-1, false, &err));
    assert(server_listen_unix(td.server, td.ro_path, 0600, (gid_t)-1, true, &err));
    atomic_store(&td.ready, true);
    loop_run(td.loop);
    dispatcher_drain(td.d, 5000000);
    server_free(td.server);
    pool_free(pool);
    loop_drain(td.loop);
    dispatcher_free(td.d);
    loop_free(td.loop);
    user_registry_unref(users);
    return NULL;
}

static void td_start(const char *name, const Driver *driver, unsigned max_client_requests)
{
    td.driver = driver;
    td.max_client_requests = max_client_requests;
    g_snprintf(td.path, sizeof(td.path), "/tmp/test-%s-%d", name, (int)getpid());
    g_snprintf(td.ro_path, sizeof(td.ro_path), "/tmp/test-%s-%d-ro", name, (int)getpid());
    assert(pthread_create(&td.thread, NULL, td_serve, NULL) == 0);
    while (!atomic_load(&td.ready))
        g_usleep(1000);
}

static void td_exit(void *data)
{
    (void)data;
    loop_exit(td.loop, 0);
}

/* Of a loop that was told to exit. */
static void td_join(void)
{
    pthread_join(td.thread, NULL);
    unlink(td.path);
    unlink(td.ro_path);
}

static G_GNUC_UNUSED void td_stop(void)
{
    loop_post(td.loop, td_exit, NULL);
    td_join();
}

typedef struct Reply {
    MsgHeader h;
    uint8_t body[1 << 17];
    uint32_t n;
    int code;
    char text[512];
} Reply;

#define P ((int32_t)remote_program.number)

static G_GNUC_UNUSED void put_frame(int fd, int32_t prog, int32_t proc, MsgType type, uint32_t serial, uint32_t status,
                      const void *bytes, size_t n)
{
    MsgHeader h = { (uint32_t)prog, 1, proc, type, serial, status };
    g_autoptr(Message) m = message_new_bytes(&h, bytes, n);
    assert(fd_write_all(fd, m->data, m->len) == 0);
}

static void put(int fd, int32_t prog, int32_t proc, uint32_t serial, xdrproc_t xdr, const void *args)
{
    MsgHeader h = { (uint32_t)prog, 1, proc, MSG_CALL, serial, MSG_OK };
    g_autoptr(Message) m = message_new(&h, xdr, args, NULL);
    assert(fd_write_all(fd, m->data, m->len) == 0);
}

/* False at the end of the connection. */
static bool try_get(int fd, Reply *r)
{
    uint8_t head[MESSAGE_HEAD];
    uint32_t len;

    if (fd_read_all(fd, head, sizeof(head)) != sizeof(head))
        return false;
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
    return true;
}

static void get(int fd, Reply *r)
{
    assert(try_get(fd, r));
}

static G_GNUC_UNUSED bool readable(int fd, int msec)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    return poll(&p, 1, msec) > 0;
}

static int dial(const char *path, bool open)
{
    remote_connect_open_args a = { .name = "qemu:///system" };
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_autofree Reply *r = g_new0(Reply, 1);

    g_strlcpy(sa.sun_path, path, sizeof(sa.sun_path));
    assert(connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
    put(fd, P, REMOTE_PROC_AUTH_LIST, 1, NULL, NULL);
    get(fd, r);
    assert(r->h.status == MSG_OK);
    if (open) {
        put(fd, P, REMOTE_PROC_CONNECT_OPEN, 2, (xdrproc_t)xdr_remote_connect_open_args, &a);
        get(fd, r);
        assert(r->h.status == MSG_OK && r->h.serial == 2);
    }
    return fd;
}

/* Nothing is on its way to this client: the next frame answers this call. */
static G_GNUC_UNUSED void assert_quiet(int fd)
{
    static uint32_t serial = 900000;
    g_autofree Reply *r = g_new0(Reply, 1);

    put(fd, P, REMOTE_PROC_CONNECT_GET_TYPE, ++serial, NULL, NULL);
    get(fd, r);
    assert(r->h.type == MSG_REPLY && r->h.serial == serial && r->h.status == MSG_OK);
}
