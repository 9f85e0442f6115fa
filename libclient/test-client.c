/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client against a server in another thread: stubs, errors, events, descriptors, streams, ends. */
#undef NDEBUG
#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libclient/client.h"
#include "protocols/remote_client.h"
#include "protocols/remote_procs.h"
#include "protocols/xdr_buf.h"
#include "rpc/server.h"
#include "util/error.h"

static char dir[] = "/tmp/modvirt-test-XXXXXX";
static char *path;
static Loop *loop; /* the server's */

static void say(Client *c, const MsgHeader *h, MsgType type, MsgStatus status, xdrproc_t xdr, const void *p)
{
    MsgHeader r = *h;

    r.type = type;
    r.status = status;
    g_autoptr(Message) m = message_new(&r, xdr, p, NULL);
    client_send(c, m);
}

static void say_error(Client *c, const MsgHeader *h, MsgType type, const GError *error)
{
    g_autoptr(Message) m = message_new_error(h, type, error, 0);

    client_send(c, m);
}

static void on_call(Client *c, Message *m)
{
    g_autoptr(GError) error = NULL;
    remote_auth_type none = REMOTE_AUTH_NONE;
    remote_auth_list_ret auth = { { 1, &none } };
    remote_connect_get_hostname_ret host = { (char *)"somewhere" };
    MsgHeader event = m->h;

    switch (m->h.proc) {
    case REMOTE_PROC_AUTH_LIST:
        client_set_authenticated(c);
        say(c, &m->h, MSG_REPLY, MSG_OK, (xdrproc_t)xdr_remote_auth_list_ret, &auth);
        break;
    case REMOTE_PROC_CONNECT_GET_HOSTNAME:
        event.serial = 0;
        event.proc = 200;
        say(c, &event, MSG_EVENT, MSG_OK, NULL, NULL); /* events get in between */
        say(c, &m->h, MSG_REPLY, MSG_OK, (xdrproc_t)xdr_remote_connect_get_hostname_ret, &host);
        break;
    case REMOTE_PROC_DOMAIN_SUSPEND:
        error_set(&error, VIR_ERR_NO_DOMAIN, "no domain with name 'x'");
        error_set_source(error, VIR_FROM_QEMU);
        say_error(c, &m->h, MSG_REPLY, error);
        break;
    case REMOTE_PROC_DOMAIN_RESUME:
        break; /* no answer */
    case REMOTE_PROC_DOMAIN_DESTROY:
        client_close(c, false);
        break;
    default:
        say(c, &m->h, MSG_REPLY, MSG_OK, NULL, NULL);
        if (m->h.proc == REMOTE_PROC_STORAGE_VOL_DOWNLOAD) {
            MsgHeader s = m->h;
            g_autofree char *data = g_strnfill(1000, 'd');

            s.type = MSG_STREAM;
            s.status = MSG_CONTINUE;
            g_autoptr(Message) packet = message_new_bytes(&s, data, 1000), end = message_new_bytes(&s, NULL, 0);
            for (int i = 0; i < 10; i++)
                client_send(c, packet);
            client_send(c, end);
        }
    }
}

static void on_message(Client *c, Message *m, void *data)
{
    static size_t uploaded;

    if (m->h.type == MSG_CALL) {
        uploaded = 0;
        on_call(c, m);
    } else if (m->h.type == MSG_CALL_FDS) {
        MsgHeader h = m->h;

        h.type = MSG_REPLY;
        g_autoptr(Message) r = message_new_bytes(&h, NULL, 0);
        assert(m->n_fds == 1 && message_add_fd(r, message_take_fd(m, 0), NULL));
        client_send(c, r);
    } else if (m->h.type == MSG_STREAM && m->h.status == MSG_CONTINUE) {
        uploaded += message_body_len(m);
    } else if (m->h.type == MSG_STREAM && m->h.status == MSG_OK) {
        if (m->h.proc == REMOTE_PROC_STORAGE_VOL_UPLOAD && uploaded != 5000000) {
            g_autoptr(GError) error = NULL;

            error_set(&error, VIR_ERR_OPERATION_FAILED, "%zu bytes arrived", uploaded);
            say_error(c, &m->h, MSG_STREAM, error);
        } else
            client_send(c, m);
    }
}

static const ServerOps ops = { .message = on_message };

static void *serve(void *data)
{
    const ServerLimits limits = { 0 };
    loop = loop_new(NULL);
    Server *s = server_new(loop, "test", &limits, NULL, &ops, NULL);

    assert(server_listen_unix(s, path, 0700, -1, false, NULL));
    pthread_barrier_wait(data);
    loop_run(loop);
    server_free(s);
    loop = loop_free(loop);
    return NULL;
}

static void stop(void *data)
{
    loop_exit(loop, 0);
}

static void count_event(const Message *m, void *data)
{
    assert(m->h.proc == 200);
    ++*(int *)data;
}

static RpcClient *dial(void)
{
    g_autoptr(GError) error = NULL;
    RpcClient *c = rpc_client_connect(path, &error);

    assert(c && rpc_client_open(c, "qemu:///system", 0, &error));
    return c;
}

static void test_calls_and_events(void)
{
    g_autoptr(RpcClient) c = dial();
    g_autoptr(GError) error = NULL;
    remote_connect_get_hostname_ret r;
    int events = 0;

    rpc_client_set_events(c, count_event, &events);
    for (int i = 1; i <= 100; i++) {
        assert(remote_client_connect_get_hostname(rpc_client_calls(c), &r, &error));
        assert(strcmp(r.hostname, "somewhere") == 0 && events == i);
        proc_free((xdrproc_t)xdr_remote_connect_get_hostname_ret, &r);
    }
    remote_domain_suspend_args a = { .dom = { .name = (char *)"x", .id = -1 } };
    assert(!remote_client_domain_suspend(rpc_client_calls(c), &a, &error));
    assert(error_is(error, VIR_ERR_NO_DOMAIN) && error_source(error) == VIR_FROM_QEMU);
    g_autofree char *text = error_text(error);
    assert(strcmp(text, "Domain not found: no domain with name 'x'") == 0);
}

static void test_timeout_and_end(void)
{
    g_autoptr(RpcClient) c = dial();
    g_autoptr(GError) error = NULL;
    remote_domain_resume_args a = { .dom = { .name = (char *)"x" } };
    remote_domain_destroy_args d = { .dom = { .name = (char *)"x" } };

    rpc_client_set_timeout(c, 1);
    assert(!remote_client_domain_resume(rpc_client_calls(c), &a, &error));
    assert(error_is(error, VIR_ERR_OPERATION_TIMEOUT) && strstr(error->message, "domain_resume"));
    g_clear_error(&error);
    rpc_client_set_timeout(c, 10);
    assert(!remote_client_domain_destroy(rpc_client_calls(c), &d, &error));
    assert(error_is(error, VIR_ERR_RPC) && rpc_client_is_closed(c));
    g_clear_error(&error);
    assert(!remote_client_domain_destroy(rpc_client_calls(c), &d, &error) && error);
    assert(!rpc_client_wait(c, 1000));
    assert(!rpc_client_connect("/does/not/exist", NULL));
}

static void count_reply(const Message *m, void *data)
{
    int *n = data;

    n[!m ? 2 : m->h.status == MSG_OK ? 0 : 1]++;
}

static void test_calls_that_are_not_waited_for(void)
{
    g_autoptr(RpcClient) c = dial();
    g_autoptr(GError) error = NULL;
    remote_domain_suspend_args s = { .dom = { .name = (char *)"x" } };
    remote_domain_resume_args r = { .dom = { .name = (char *)"x" } };
    remote_domain_destroy_args d = { .dom = { .name = (char *)"x" } };
    int n[3] = { 0, 0, 0 };

    for (int i = 0; i < 50; i++) {
        assert(rpc_client_start(c, REMOTE_PROGRAM, REMOTE_PROC_CONNECT_GET_HOSTNAME, NULL, NULL, count_reply, n, &error));
        assert(rpc_client_start(c, REMOTE_PROGRAM, REMOTE_PROC_DOMAIN_SUSPEND, (xdrproc_t)xdr_remote_domain_suspend_args, &s,
                                count_reply, n, &error));
    }
    assert(n[0] == 0 && rpc_client_n_started(c) == 100);
    while (rpc_client_n_started(c))
        assert(rpc_client_wait(c, 10 * G_USEC_PER_SEC));
    assert(n[0] == 50 && n[1] == 50 && n[2] == 0);
    /* One that is never answered, when the connection ends. */
    assert(rpc_client_start(c, REMOTE_PROGRAM, REMOTE_PROC_DOMAIN_RESUME, (xdrproc_t)xdr_remote_domain_resume_args, &r,
                            count_reply, n, &error));
    assert(!remote_client_domain_destroy(rpc_client_calls(c), &d, &error));
    assert(n[2] == 1 && rpc_client_n_started(c) == 0);
    g_clear_error(&error);
    assert(!rpc_client_start(c, REMOTE_PROGRAM, REMOTE_PROC_CONNECT_GET_HOSTNAME, NULL, NULL, count_reply, n, &error) && error);
}

static bool count_again(RpcClient *c, void *data, GError **err)
{
    remote_connect_get_hostname_ret r;

    if (!remote_client_connect_get_hostname(rpc_client_calls(c), &r, err))
        return false;
    proc_free((xdrproc_t)xdr_remote_connect_get_hostname_ret, &r);
    ++*(int *)data;
    return true;
}

static void test_reconnect(void)
{
    RpcClient *c = dial();
    g_autoptr(GError) error = NULL;
    remote_domain_destroy_args d = { .dom = { .name = (char *)"x" } };
    remote_connect_get_hostname_ret r;
    int again = 0;

    rpc_client_set_reconnect(c, 5, count_again, &again);
    g_autoptr(Message) down = rpc_client_call_raw(c, REMOTE_PROGRAM, REMOTE_PROC_STORAGE_VOL_DOWNLOAD, NULL, NULL, NULL, 0, NULL);
    RpcStream *s = rpc_stream_new(c, down);
    for (int i = 1; i <= 3; i++) {
        /* The call that the end came upon is not repeated; the next one is served. */
        assert(!remote_client_domain_destroy(rpc_client_calls(c), &d, &error) && error_is(error, VIR_ERR_RPC));
        g_clear_error(&error);
        assert(remote_client_connect_get_hostname(rpc_client_calls(c), &r, &error) && again == i);
        proc_free((xdrproc_t)xdr_remote_connect_get_hostname_ret, &r);
    }
    assert(!rpc_stream_finish(s, &error) && error_is(error, VIR_ERR_RPC)); /* of a connection that is gone */
    g_clear_error(&error);
    rpc_stream_free(s);

    /* Nobody there. */
    g_autofree char *away = g_strconcat(path, "-away", NULL);
    rpc_client_set_reconnect(c, 1, NULL, NULL);
    assert(!remote_client_domain_destroy(rpc_client_calls(c), &d, NULL));
    assert(rename(path, away) == 0);
    assert(!remote_client_connect_get_hostname(rpc_client_calls(c), &r, &error));
    assert(strstr(error->message, "has not come back") && rpc_client_is_closed(c));
    g_clear_error(&error);
    assert(rename(away, path) == 0);
    assert(remote_client_connect_get_hostname(rpc_client_calls(c), &r, &error));
    proc_free((xdrproc_t)xdr_remote_connect_get_hostname_ret, &r);
    rpc_client_free(c);

    int sv[2];
    assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
    c = rpc_client_new(sv[0], &error);
    assert(c && !rpc_client_reconnect(c, &error) && error_is(error, VIR_ERR_OPERATION_INVALID));
    rpc_client_free(c);
    close(sv[1]);
}

static void test_fds(void)
{
    g_autoptr(RpcClient) c = dial();
    int p[2], back;
    char byte = 'b';

    assert(pipe2(p, O_CLOEXEC) == 0);
    g_autoptr(Message) r = rpc_client_call_raw(c, REMOTE_PROGRAM, REMOTE_PROC_DOMAIN_OPEN_GRAPHICS, NULL, NULL, &p[1], 1, NULL);
    assert(r && (back = message_take_fd(r, 0)) >= 0);
    assert(write(back, &byte, 1) == 1 && read(p[0], &byte, 1) == 1);
    close(back);
    close(p[0]);
}

static void test_streams(void)
{
    g_autoptr(RpcClient) c = dial();
    g_autoptr(GError) error = NULL;
    g_autofree char *bytes = g_strnfill(5000000, 'u');
    size_t got = 0;

    g_autoptr(Message) up = rpc_client_call_raw(c, REMOTE_PROGRAM, REMOTE_PROC_STORAGE_VOL_UPLOAD, NULL, NULL, NULL, 0, NULL);
    RpcStream *s = rpc_stream_new(c, up);
    assert(rpc_stream_send(s, bytes, 5000000, &error) && rpc_stream_finish(s, &error));
    rpc_stream_free(s);
    up = message_unref(up);
    up = rpc_client_call_raw(c, REMOTE_PROGRAM, REMOTE_PROC_STORAGE_VOL_UPLOAD, NULL, NULL, NULL, 0, NULL);
    s = rpc_stream_new(c, up);
    assert(rpc_stream_send(s, bytes, 10, &error) && !rpc_stream_finish(s, &error) && strstr(error->message, "10 bytes"));
    g_clear_error(&error);
    rpc_stream_free(s);

    g_autoptr(Message) down = rpc_client_call_raw(c, REMOTE_PROGRAM, REMOTE_PROC_STORAGE_VOL_DOWNLOAD, NULL, NULL, NULL, 0, NULL);
    s = rpc_stream_new(c, down);
    for (;;) {
        g_autoptr(GBytes) b = rpc_stream_recv(s, &error);

        if (!b)
            break;
        got += g_bytes_get_size(b);
    }
    assert(!error && got == 10000 && rpc_stream_finish(s, &error));
    rpc_stream_free(s);
    rpc_stream_free(rpc_stream_new(c, down)); /* an abort */
}

int main(void)
{
    pthread_t t;
    pthread_barrier_t barrier;

    assert(mkdtemp(dir));
    path = g_strdup_printf("%s/sock", dir);
    pthread_barrier_init(&barrier, NULL, 2);
    assert(pthread_create(&t, NULL, serve, &barrier) == 0);
    pthread_barrier_wait(&barrier);
    test_calls_and_events();
    test_timeout_and_end();
    test_calls_that_are_not_waited_for();
    test_reconnect();
    test_fds();
    test_streams();
    loop_post(loop, stop, NULL);
    pthread_join(t, NULL);
    pthread_barrier_destroy(&barrier);
    g_free(path);
    assert(rmdir(dir) == 0);
    return 0;
}
