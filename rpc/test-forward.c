/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The proxy between raw clients and fake daemons, which are Servers in this process that answer
 * every call with its own payload, or as a test asks.
 */
#undef NDEBUG
#include "rpc/forward.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "protocols/keepalive_procs.h"
#include "protocols/net_types.h"
#include "protocols/qemu_procs.h"
#include "protocols/remote_procs.h"
#include "protocols/xdr_buf.h"
#include "rpc/forward-internal.h"
#include "rpc/identity_params.h"
#include "rpc/test-util.h"
#include "util/error.h"

static Loop *loop;
static char run_dir[] = "/tmp/modvirt-test-XXXXXX";

static const ServerLimits limits = { .max_clients = 100, .max_queued_clients = 10, .max_anonymous_clients = 50,
                                     .keepalive_interval = 5, .keepalive_count = 5 };

/* --- a fake daemon ------------------------------------------------------------------------------- */

typedef struct Fake {
    const char *name;
    Server *server;
    GArray *procs;      /* of int32_t: every call, in order */
    char *open_name;
    unsigned open_flags;
    Identity *identity;
    bool hold_open;     /* does not answer CONNECT_OPEN */
    bool refuse_open;
    bool silent;        /* does not answer ordinary calls */
    Client *client;     /* the newest, borrowed */
    unsigned opened, closed;
    bool foreign; /* takes no identity before it is open */
} Fake;

static void fake_reply(Client *c, const MsgHeader *call, MsgType type, MsgStatus status, const void *body, size_t n)
{
    MsgHeader h = *call;

    h.type = type;
    h.status = status;
    g_autoptr(Message) m = message_new_bytes(&h, body, n);
    client_send(c, m);
}

static bool fake_opened(Client *c, void *data)
{
    Fake *f = data;

    f->opened++;
    f->client = c;
    return true;
}

static void fake_closed(Client *c, void *data)
{
    Fake *f = data;

    f->closed++;
    if (f->client == c)
        f->client = NULL;
}

static void fake_message(Client *c, Message *m, void *data)
{
    Fake *f = data;

    if (m->h.type == MSG_CALL || m->h.type == MSG_CALL_FDS)
        g_array_append_val(f->procs, m->h.proc);
    if (m->h.prog == REMOTE_PROGRAM && m->h.type == MSG_CALL && m->h.proc == REMOTE_PROC_AUTH_LIST) {
        static const uint8_t none[] = { 0, 0, 0, 1, 0, 0, 0, 0 };

        fake_reply(c, &m->h, MSG_REPLY, MSG_OK, none, sizeof(none));
        client_set_authenticated(c);
        return;
    }
    assert(c->authenticated);
    if (m->h.prog == REMOTE_PROGRAM && m->h.type == MSG_CALL && m->h.proc == REMOTE_PROC_CONNECT_OPEN) {
        remote_connect_open_args a;

        assert(proc_decode("", (xdrproc_t)xdr_remote_connect_open_args, sizeof(a), message_body(m), message_body_len(m), &a, NULL));
        g_free(f->open_name);
        f->open_name = g_strdup(a.name);
        f->open_flags = a.flags;
        proc_free((xdrproc_t)xdr_remote_connect_open_args, &a);
        if (f->refuse_open) {
            g_autoptr(GError) error = NULL;

            error_set(&error, VIR_ERR_ACCESS_DENIED, "not you");
            g_autoptr(Message) r = message_new_error(&m->h, MSG_REPLY, error, VIR_FROM_QEMU);
            client_send(c, r);
        } else if (!f->hold_open) {
            fake_reply(c, &m->h, MSG_REPLY, MSG_OK, NULL, 0);
        }
        return;
    }
    if (m->h.prog == REMOTE_PROGRAM && m->h.type == MSG_CALL && m->h.proc == REMOTE_PROC_CONNECT_SET_IDENTITY) {
        remote_connect_set_identity_args a;

        if (f->foreign && !f->open_name) {
            g_autoptr(GError) error = NULL;

            error_set(&error, VIR_ERR_INTERNAL_ERROR, "connection not open");
            g_autoptr(Message) r = message_new_error(&m->h, MSG_REPLY, error, VIR_FROM_QEMU);
            client_send(c, r);
            return;
        }

        assert(proc_decode("", (xdrproc_t)xdr_remote_connect_set_identity_args, sizeof(a), message_body(m), message_body_len(m), &a, NULL));
        identity_unref(f->identity);
        f->identity = identity_from_params(a.params.params_val, a.params.params_len, NULL);
        assert(f->identity);
        proc_free((xdrproc_t)xdr_remote_connect_set_identity_args, &a);
        fake_reply(c, &m->h, MSG_REPLY, MSG_OK, NULL, 0);
        return;
    }
    if (f->silent)
        return;
    if (m->h.type == MSG_CALL)
        fake_reply(c, &m->h, MSG_REPLY, MSG_OK, message_body(m), message_body_len(m));
    else if (m->h.type == MSG_CALL_FDS) {
        MsgHeader h = m->h;

        h.type = MSG_REPLY;
        g_autoptr(Message) r = message_new_bytes(&h, message_body(m), message_body_len(m));
        for (unsigned i = 0; i < m->n_fds; i++)
            assert(message_add_fd(r, message_take_fd(m, i), NULL));
        client_send(c, r);
    } else if (m->h.type == MSG_STREAM)
        client_send(c, m); /* an echo of the stream */
}

static const ServerOps fake_ops = { .opened = fake_opened, .message = fake_message, .closed = fake_closed };

static Fake *fake_start(const char *name)
{
    Fake *f = g_new0(Fake, 1);
    g_autofree char *path = g_strdup_printf("%s/%s-sock", run_dir, name);
    g_autofree char *ro = g_strdup_printf("%s/%s-sock-ro", run_dir, name);

    f->name = name;
    f->procs = g_array_new(false, false, sizeof(int32_t));
    f->server = server_new(loop, name, &limits, NULL, &fake_ops, f);
    assert(server_listen_unix(f->server, path, 0700, -1, false, NULL));
    assert(server_listen_unix(f->server, ro, 0777, -1, true, NULL));
    return f;
}

static void fake_stop(Fake *f)
{
    server_free(f->server);
    g_array_unref(f->procs);
    g_free(f->open_name);
    identity_unref(f->identity);
    g_free(f);
}

static bool fake_saw(const Fake *f, const int32_t *procs, unsigned n)
{
    return f->procs->len == n && memcmp(f->procs->data, procs, n * sizeof(int32_t)) == 0;
}

/* --- a raw client of the proxy -------------------------------------------------------------------- */

static Forwarder *proxy;
static UserRegistry *users;

static void proxy_start(void)
{
    const ForwarderConfig cfg = { .run_dir = run_dir, .open_timeout_sec = 1 };
    g_autofree char *path = g_strdup_printf("%s/libvirt-sock", run_dir);
    g_autofree char *ro = g_strdup_printf("%s/libvirt-sock-ro", run_dir);

    users = user_registry_new(&(AccountLimits){ .max = { 64 << 20, 100, 0 } });
    proxy = forwarder_new(loop, &cfg);
    Server *s = forwarder_serve(proxy, "virtproxyd", &limits, users);
    assert(server_listen_unix(s, path, 0700, -1, false, NULL));
    assert(server_listen_unix(s, ro, 0777, -1, true, NULL));
}

static void proxy_stop(void)
{
    proxy = forwarder_free(proxy);
    run_ready(loop);
    g_autoptr(User) me = user_registry_get(users, getuid());
    assert(user_used(me, ACCOUNT_BYTES) == 0 && user_used(me, ACCOUNT_FDS) == 0);
    me = user_unref(me);
    users = user_registry_unref(users);
}

static int connect_to(const char *name)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", run_dir, name);
    assert(fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
    return fd;
}

static void send_call(int fd, uint32_t prog, int32_t proc, uint32_t serial, const char *body)
{
    const MsgHeader h = { prog, 1, proc, MSG_CALL, serial, MSG_OK };
    g_autoptr(Message) m = message_new_bytes(&h, body, body ? strlen(body) : 0);

    raw_send(fd, m);
}

static Message *expect(int fd, MsgType type, int32_t proc, uint32_t serial, MsgStatus status)
{
    Message *m = raw_recv(loop, fd);

    assert(m);
    assert(m->h.type == type && m->h.proc == proc && m->h.serial == serial && m->h.status == status);
    return m;
}

static void expect_ok(int fd, int32_t proc, uint32_t serial)
{
    g_autoptr(Message) m = expect(fd, MSG_REPLY, proc, serial, MSG_OK);
}

/* The reply is an error with this code whose text has all these words (NULL-terminated). */
#define expect_error(fd, type, proc, serial, code, ...) \
    expect_error_(fd, type, proc, serial, code, (const char *const[]){ __VA_ARGS__, NULL })
static void expect_error_(int fd, MsgType type, int32_t proc, uint32_t serial, int code, const char *const *words)
{
    g_autoptr(Message) m = expect(fd, type, proc, serial, MSG_ERROR);
    net_error e;

    assert(proc_decode("", (xdrproc_t)xdr_net_error, sizeof(e), message_body(m), message_body_len(m), &e, NULL));
    assert(e.code == code);
    for (; *words; words++)
        assert(strstr(e.message, *words));
    proc_free((xdrproc_t)xdr_net_error, &e);
}

static void send_open(int fd, const char *name, unsigned flags, uint32_t serial)
{
    const MsgHeader h = { REMOTE_PROGRAM, 1, REMOTE_PROC_CONNECT_OPEN, MSG_CALL, serial, MSG_OK };
    remote_connect_open_args a = { (char *)name, flags };
    g_autoptr(Message) m = message_new(&h, (xdrproc_t)xdr_remote_connect_open_args, &a, NULL);

    raw_send(fd, m);
}

static void authenticate(int fd)
{
    send_call(fd, REMOTE_PROGRAM, REMOTE_PROC_AUTH_LIST, 1, NULL);
    g_autoptr(Message) m = expect(fd, MSG_REPLY, REMOTE_PROC_AUTH_LIST, 1, MSG_OK);
    assert(message_body_len(m) == 8 && memcmp(message_body(m), "\0\0\0\1\0\0\0\0", 8) == 0);
}

static int client_open(const char *sock, const char *name)
{
    int fd = connect_to(sock);

    authenticate(fd);
    send_open(fd, name, 0, 2);
    expect_ok(fd, REMOTE_PROC_CONNECT_OPEN, 2);
    return fd;
}

/* --- tests ---------------------------------------------------------------------------------------- */

enum { SUSPEND = REMOTE_PROC_DOMAIN_SUSPEND, NET_LIST = REMOTE_PROC_CONNECT_NUM_OF_NETWORKS };

static void test_routing_and_handshake(void)
{
    Fake *qemu = fake_start("virtqemud"), *net = fake_start("virtnetworkd");

    proxy_start();
    int fd = client_open("libvirt-sock", "qemu:///system");
    static const int32_t handshake[] = { REMOTE_PROC_AUTH_LIST, REMOTE_PROC_CONNECT_SET_IDENTITY, REMOTE_PROC_CONNECT_OPEN };
    assert(fake_saw(qemu, handshake, 3));
    assert(strcmp(qemu->open_name, "qemu:///system") == 0 && qemu->open_flags == 0);
    assert(qemu->identity->has_unix && qemu->identity->uid == getuid() && qemu->identity->gid == getgid() &&
           qemu->identity->pid == getpid() && qemu->identity->start_time != 0);
    assert(net->opened == 0);

    /* serial, payload and program pass through */
    send_call(fd, REMOTE_PROGRAM, SUSPEND, 77, "payload!");
    g_autoptr(Message) m = expect(fd, MSG_REPLY, SUSPEND, 77, MSG_OK);
    assert(message_body_len(m) == 8 && memcmp(message_body(m), "payload!", 8) == 0);
    send_call(fd, QEMU_PROGRAM, 1, 78, NULL);
    g_autoptr(Message) q = expect(fd, MSG_REPLY, 1, 78, MSG_OK);
    assert(q->h.prog == QEMU_PROGRAM);
    send_call(fd, REMOTE_PROGRAM, 9999, 79, NULL); /* newer than we are */
    expect_ok(fd, 9999, 79);
    assert(qemu->opened == 1 && net->opened == 0);

    /* a secondary, opened by its first call, which waits for the handshake */
    send_call(fd, REMOTE_PROGRAM, NET_LIST, 80, "abcd");
    send_call(fd, REMOTE_PROGRAM, NET_LIST, 81, "efgh");
    g_autoptr(Message) a = expect(fd, MSG_REPLY, NET_LIST, 80, MSG_OK), b = expect(fd, MSG_REPLY, NET_LIST, 81, MSG_OK);
    assert(memcmp(message_body(a), "abcd", 4) == 0 && memcmp(message_body(b), "efgh", 4) == 0);
    assert(net->opened == 1 && strcmp(net->open_name, "network:///system") == 0 && net->identity->pid == getpid());

    /* events come from both */
    const MsgHeader event = { REMOTE_PROGRAM, 1, 200, MSG_EVENT, 0, MSG_OK };
    fake_reply(net->client, &event, MSG_EVENT, MSG_OK, "ev", 2);
    g_autoptr(Message) e = expect(fd, MSG_EVENT, 200, 0, MSG_OK);
    assert(message_body_len(e) == 2);

    send_call(fd, REMOTE_PROGRAM, REMOTE_PROC_CONNECT_CLOSE, 90, NULL);
    expect_ok(fd, REMOTE_PROC_CONNECT_CLOSE, 90);
    RUN_UNTIL(loop, qemu->closed == 1 && net->closed == 1);
    send_call(fd, REMOTE_PROGRAM, SUSPEND, 91, NULL);
    expect_error(fd, MSG_REPLY, SUSPEND, 91, VIR_ERR_RPC, "not open");
    close(fd);
    proxy_stop();
    fake_stop(qemu);
    fake_stop(net);
}

static void test_before_open(void)
{
    Fake *qemu = fake_start("virtqemud");
    const MsgHeader ask = { REMOTE_PROGRAM, 1, REMOTE_PROC_CONNECT_SUPPORTS_FEATURE, MSG_CALL, 4, MSG_OK };
    static const uint8_t keepalive[] = { 0, 0, 0, FEATURE_KEEPALIVE }, other[] = { 0, 0, 0, 14 };

    proxy_start();
    int fd = connect_to("libvirt-sock");
    send_call(fd, REMOTE_PROGRAM, SUSPEND, 1, NULL);
    expect_error(fd, MSG_REPLY, SUSPEND, 1, VIR_ERR_AUTH_FAILED, "authentication");
    send_open(fd, "qemu:///system", 0, 2);
    expect_error(fd, MSG_REPLY, REMOTE_PROC_CONNECT_OPEN, 2, VIR_ERR_AUTH_FAILED, "authentication");
    authenticate(fd);
    send_call(fd, REMOTE_PROGRAM, SUSPEND, 3, NULL);
    expect_error(fd, MSG_REPLY, SUSPEND, 3, VIR_ERR_RPC, "not open");
    send_call(fd, 0x12345678, 1, 5, NULL);
    expect_error(fd, MSG_REPLY, 1, 5, VIR_ERR_RPC, "0x12345678");

    g_autoptr(Message) q = message_new_bytes(&ask, keepalive, 4), o = message_new_bytes(&ask, other, 4);
    raw_send(fd, q);
    g_autoptr(Message) r = expect(fd, MSG_REPLY, ask.proc, 4, MSG_OK);
    assert(message_body_len(r) == 4 && message_body(r)[3] == 1);
    raw_send(fd, o);
    expect_error(fd, MSG_REPLY, ask.proc, 4, VIR_ERR_RPC, "not open");
    send_call(fd, REMOTE_PROGRAM, REMOTE_PROC_CONNECT_SUPPORTS_FEATURE, 6, "x"); /* undecodable */
    expect_error(fd, MSG_REPLY, ask.proc, 6, VIR_ERR_RPC, "connect_supports_feature");

    send_open(fd, "qemu:///system", 0, 7);
    expect_ok(fd, REMOTE_PROC_CONNECT_OPEN, 7);
    raw_send(fd, o); /* now it is the daemon's to answer: the fake echoes */
    g_autoptr(Message) f = expect(fd, MSG_REPLY, ask.proc, 4, MSG_OK);
    assert(message_body(f)[3] == 14);
    send_open(fd, "qemu:///system", 0, 8);
    expect_error(fd, MSG_REPLY, REMOTE_PROC_CONNECT_OPEN, 8, VIR_ERR_OPERATION_FAILED, "already");
    close(fd);
    proxy_stop();
    fake_stop(qemu);
}

static void test_uris(void)
{
    static const struct {
        const char *uri, *daemon;
    } cases[] = {
        { "qemu:///system", "virtqemud" }, { "qemu+tls://h/session", "virtqemud" }, { "lxc:///", "virtlxcd" },
        { "parallels:///system", "virtvzd" }, { "esx://u@h/?no_verify=1", "virtesxd" }, { "vpx://h", "virtesxd" },
        { "gsx://h", "virtesxd" }, { "xen:///", "virtxend" }, { "network:///system", "virtnetworkd" },
        { "test:///default", NULL }, { "qemu", NULL }, { "", NULL }, { "qemux:///", NULL }, { ":", NULL },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        const char *d = forward_daemon_of_uri(cases[i].uri, &error);

        assert(g_strcmp0(d, cases[i].daemon) == 0 && !d == (error != NULL));
        assert(d || (error_is(error, VIR_ERR_NO_CONNECT) && strstr(error->message, "qemu, ")));
    }

    proxy_start();
    int fd = connect_to("libvirt-sock");
    authenticate(fd);
    send_open(fd, "hyperv://x", 0, 2);
    expect_error(fd, MSG_REPLY, REMOTE_PROC_CONNECT_OPEN, 2, VIR_ERR_NO_CONNECT, "hyperv", "qemu", "lxc");
    send_open(fd, "", 0, 3);
    expect_error(fd, MSG_REPLY, REMOTE_PROC_CONNECT_OPEN, 3, VIR_ERR_NO_CONNECT, "virtqemud.socket", "virtlxcd.socket");
    send_open(fd, "qemu:///system", 0, 4);
    expect_error(fd, MSG_REPLY, REMOTE_PROC_CONNECT_OPEN, 4, VIR_ERR_NO_CONNECT, "qemu:///system", "virtqemud.socket");
    Fake *lxc = fake_start("virtlxcd"); /* the same connection may try again; now a probe finds something */
    send_open(fd, NULL, 0, 5);
    expect_ok(fd, REMOTE_PROC_CONNECT_OPEN, 5);
    assert(lxc->opened == 1 && strcmp(lxc->open_name, "lxc:///system") == 0);
    close(fd);
    fake_stop(lxc);

    /* a connection to a secondary: its own calls go to the same upstream */
    Fake *net = fake_start("virtnetworkd");
    fd = client_open("libvirt-sock", "network:///system");
    send_call(fd, REMOTE_PROGRAM, NET_LIST, 6, NULL);
    expect_ok(fd, NET_LIST, 6);
    send_call(fd, REMOTE_PROGRAM, SUSPEND, 7, NULL);
    expect_ok(fd, SUSPEND, 7);
    assert(net->opened == 1);
    close(fd);
    proxy_stop();
    fake_stop(net);
}

static void test_readonly(void)
{
    Fake *qemu = fake_start("virtqemud"), *net = fake_start("virtnetworkd");

    proxy_start();
    int fd = client_open("libvirt-sock-ro", "qemu:///system");
    assert(qemu->client->readonly && qemu->open_flags == VIR_CONNECT_RO);
    send_call(fd, REMOTE_PROGRAM, NET_LIST, 3, NULL);
    expect_ok(fd, NET_LIST, 3);
    assert(net->client->readonly && net->open_flags == VIR_CONNECT_RO);
    send_call(fd, REMOTE_PROGRAM, REMOTE_PROC_CONNECT_NUM_OF_SECRETS, 4, NULL);
    expect_error(fd, MSG_REPLY, REMOTE_PROC_CONNECT_NUM_OF_SECRETS, 4, VIR_ERR_NO_SUPPORT, "start virtsecretd-ro.socket");
    close(fd);
    fd = connect_to("libvirt-sock");
    authenticate(fd);
    send_open(fd, "qemu:///system", VIR_CONNECT_RO, 2);
    expect_ok(fd, REMOTE_PROC_CONNECT_OPEN, 2);
    assert(qemu->open_flags == VIR_CONNECT_RO);
    close(fd);
    proxy_stop();
    fake_stop(qemu);
    fake_stop(net);
}

static void test_secondary_missing_and_dying(void)
{
    Fake *qemu = fake_start("virtqemud");
    int storage_upload = REMOTE_PROC_STORAGE_VOL_UPLOAD, pools = REMOTE_PROC_CONNECT_NUM_OF_STORAGE_POOLS;

    proxy_start();
    int fd = client_open("libvirt-sock", "qemu:///system");
    send_call(fd, REMOTE_PROGRAM, NET_LIST, 3, NULL);
    expect_error(fd, MSG_REPLY, NET_LIST, 3, VIR_ERR_NO_SUPPORT, "virtnetworkd", "start virtnetworkd.socket");
    send_call(fd, REMOTE_PROGRAM, REMOTE_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY, 4, NULL);
    expect_error(fd, MSG_REPLY, REMOTE_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY, 4, VIR_ERR_NO_SUPPORT, "virtnetworkd.socket");
    send_call(fd, REMOTE_PROGRAM, SUSPEND, 5, NULL);
    expect_ok(fd, SUSPEND, 5);

    /* dies with a call and a stream open; both are told; the next call finds it again */
    Fake *storage = fake_start("virtstoraged");
    const MsgHeader data = { REMOTE_PROGRAM, 1, storage_upload, MSG_STREAM, 6, MSG_CONTINUE };
    g_autoptr(Message) packet = message_new_bytes(&data, "data", 4);
    send_call(fd, REMOTE_PROGRAM, storage_upload, 6, NULL);
    expect_ok(fd, storage_upload, 6);
    raw_send(fd, packet);
    g_autoptr(Message) echo = expect(fd, MSG_STREAM, storage_upload, 6, MSG_CONTINUE);
    assert(memcmp(message_body(echo), "data", 4) == 0);
    send_call(fd, REMOTE_PROGRAM, pools, 7, NULL); /* answered: not pending any more */
    expect_ok(fd, pools, 7);
    storage->silent = true;
    send_call(fd, REMOTE_PROGRAM, pools, 8, NULL);
    RUN_UNTIL(loop, storage->procs->len == 6);
    fake_stop(storage);
    for (int i = 0; i < 2; i++) {
        g_autoptr(Message) m = raw_recv(loop, fd);

        assert(m->h.status == MSG_ERROR);
        assert((m->h.type == MSG_REPLY && m->h.serial == 8 && m->h.proc == pools) ||
               (m->h.type == MSG_STREAM && m->h.serial == 6 && m->h.proc == storage_upload));
    }
    storage = fake_start("virtstoraged");
    raw_send(fd, packet); /* of the dead stream: goes nowhere */
    send_call(fd, REMOTE_PROGRAM, pools, 9, NULL);
    expect_ok(fd, pools, 9);
    raw_send(fd, packet);
    send_call(fd, REMOTE_PROGRAM, pools, 10, NULL);
    expect_ok(fd, pools, 10); /* and not an echo of the packet */

    /* refuses the connection: its own words */
    Fake *secret = fake_start("virtsecretd");
    secret->refuse_open = true;
    send_call(fd, REMOTE_PROGRAM, REMOTE_PROC_CONNECT_NUM_OF_SECRETS, 11, NULL);
    expect_error(fd, MSG_REPLY, REMOTE_PROC_CONNECT_NUM_OF_SECRETS, 11, VIR_ERR_ACCESS_DENIED, "not you");
    /* never answers: the deadline */
    secret->refuse_open = false;
    secret->hold_open = true;
    send_call(fd, REMOTE_PROGRAM, REMOTE_PROC_CONNECT_NUM_OF_SECRETS, 12, NULL);
    expect_error(fd, MSG_REPLY, REMOTE_PROC_CONNECT_NUM_OF_SECRETS, 12, VIR_ERR_OPERATION_TIMEOUT, "virtsecretd");
    /* goes away instead of answering */
    send_call(fd, REMOTE_PROGRAM, REMOTE_PROC_CONNECT_NUM_OF_SECRETS, 13, NULL);
    RUN_UNTIL(loop, secret->opened == 3);
    fake_stop(secret);
    expect_error(fd, MSG_REPLY, REMOTE_PROC_CONNECT_NUM_OF_SECRETS, 13, VIR_ERR_OPERATION_FAILED, "virtsecretd", "systemctl");
    close(fd);
    proxy_stop();
    fake_stop(qemu);
    fake_stop(storage);
}

/* A daemon that hears of an identity only when it is open hears of it then. */
static void test_foreign_daemon(void)
{
    static const int32_t handshake[] = { REMOTE_PROC_AUTH_LIST, REMOTE_PROC_CONNECT_SET_IDENTITY, REMOTE_PROC_CONNECT_OPEN,
                                         REMOTE_PROC_CONNECT_SET_IDENTITY };
    Fake *qemu = fake_start("virtqemud");

    qemu->foreign = true;
    proxy_start();
    int fd = client_open("libvirt-sock", "qemu:///system");
    assert(fake_saw(qemu, handshake, 4) && qemu->identity->has_unix);
    send_call(fd, REMOTE_PROGRAM, SUSPEND, 5, NULL);
    expect_ok(fd, SUSPEND, 5);
    close(fd);
    proxy_stop();
    fake_stop(qemu);
}

/* Events that will never come: the client is told by the end of its connection. */
static void test_secondary_with_subscribers_dying(void)
{
    enum { ON = REMOTE_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY, OFF = REMOTE_PROC_CONNECT_NETWORK_EVENT_DEREGISTER_ANY };
    Fake *qemu = fake_start("virtqemud"), *net = fake_start("virtnetworkd");

    proxy_start();
    int stays = client_open("libvirt-sock", "qemu:///system"), goes = client_open("libvirt-sock", "qemu:///system");
    send_call(stays, REMOTE_PROGRAM, ON, 3, NULL);
    expect_ok(stays, ON, 3);
    send_call(stays, REMOTE_PROGRAM, OFF, 4, NULL);
    expect_ok(stays, OFF, 4);
    send_call(goes, REMOTE_PROGRAM, ON, 3, NULL);
    expect_ok(goes, ON, 3);
    fake_stop(net);
    g_autoptr(Message) end = raw_recv(loop, goes);
    assert(!end);
    send_call(stays, REMOTE_PROGRAM, SUSPEND, 5, NULL);
    expect_ok(stays, SUSPEND, 5);
    close(stays);
    close(goes);
    proxy_stop();
    fake_stop(qemu);
}

static void test_primary_dying(void)
{
    Fake *qemu = fake_start("virtqemud"), *net = fake_start("virtnetworkd");

    proxy_start();
    int fd = client_open("libvirt-sock", "qemu:///system");
    send_call(fd, REMOTE_PROGRAM, NET_LIST, 3, NULL);
    expect_ok(fd, NET_LIST, 3);
    const MsgHeader last = { REMOTE_PROGRAM, 1, SUSPEND, MSG_REPLY, 9, MSG_OK };
    g_autoptr(Message) words = message_new_bytes(&last, NULL, 0);
    client_send(qemu->client, words);
    client_close(qemu->client, true);
    expect_ok(fd, SUSPEND, 9);
    g_autoptr(Message) end = raw_recv(loop, fd);
    assert(!end);
    RUN_UNTIL(loop, net->closed == 1);
    close(fd);
    proxy_stop();
    fake_stop(qemu);
    fake_stop(net);
}

static void test_calls_wait_for_open(void)
{
    Fake *qemu = fake_start("virtqemud");

    qemu->hold_open = true;
    proxy_start();
    int fd = connect_to("libvirt-sock");
    authenticate(fd);
    send_open(fd, "qemu:///system", 0, 2);
    for (uint32_t i = 0; i < 3; i++)
        send_call(fd, REMOTE_PROGRAM, SUSPEND, 10 + i, "1234");
    RUN_UNTIL(loop, qemu->procs->len == 3);
    run_ready(loop);
    assert(qemu->procs->len == 3);
    const MsgHeader open = { REMOTE_PROGRAM, 1, REMOTE_PROC_CONNECT_OPEN, MSG_REPLY, 3, MSG_OK };
    fake_reply(qemu->client, &open, MSG_REPLY, MSG_OK, NULL, 0); /* 3 is the proxy's third own serial */
    expect_ok(fd, REMOTE_PROC_CONNECT_OPEN, 2);
    for (uint32_t i = 0; i < 3; i++)
        expect_ok(fd, SUSPEND, 10 + i);
    close(fd);

    /* and fail with it */
    fd = connect_to("libvirt-sock");
    authenticate(fd);
    qemu->hold_open = false;
    qemu->refuse_open = true;
    send_open(fd, "qemu:///system", 0, 2);
    send_call(fd, REMOTE_PROGRAM, SUSPEND, 10, NULL);
    expect_error(fd, MSG_REPLY, REMOTE_PROC_CONNECT_OPEN, 2, VIR_ERR_ACCESS_DENIED, "not you");
    g_autoptr(Message) m = expect(fd, MSG_REPLY, SUSPEND, 10, MSG_ERROR);

    /* the client does not wait for the end of it */
    qemu->refuse_open = false;
    qemu->hold_open = true;
    send_open(fd, "qemu:///system", 0, 3);
    RUN_UNTIL(loop, qemu->opened == 3 && qemu->client);
    close(fd);
    RUN_UNTIL(loop, qemu->closed == 3);
    proxy_stop();
    fake_stop(qemu);
}

static void test_fds_pass(void)
{
    Fake *qemu = fake_start("virtqemud");
    unsigned before;
    int p[2];
    char byte = 'q';

    proxy_start();
    int fd = client_open("libvirt-sock", "qemu:///system");
    before = count_fds();
    assert(pipe2(p, O_CLOEXEC) == 0);
    const MsgHeader h = { REMOTE_PROGRAM, 1, SUSPEND, MSG_CALL, 5, MSG_OK };
    g_autoptr(Message) m = message_new_bytes(&h, "body", 4);
    assert(message_add_fd(m, p[1], NULL));
    raw_send(fd, m);
    send_call(fd, REMOTE_PROGRAM, SUSPEND, 6, NULL);
    g_autoptr(Message) r = expect(fd, MSG_REPLY_FDS, SUSPEND, 5, MSG_OK);
    assert(r->n_fds == 1 && message_body_len(r) == 4);
    expect_ok(fd, SUSPEND, 6);
    assert(write(r->fds[0], &byte, 1) == 1 && read(p[0], &byte, 1) == 1);
    close(p[0]);
    m = message_unref(m);
    r = message_unref(r);
    RUN_UNTIL(loop, count_fds() == before);
    close(fd);
    proxy_stop();
    fake_stop(qemu);
}

/* A daemon that does not read stops its client at some point, and only that one; pings go on. */
static void test_back_pressure(void)
{
    Fake *qemu = fake_start("virtqemud"), *net = fake_start("virtnetworkd");
    const MsgHeader h = { REMOTE_PROGRAM, 1, SUSPEND, MSG_CALL, 5, MSG_OK };
    g_autofree char *zeros = g_malloc0(100000);
    g_autoptr(Message) big = message_new_bytes(&h, zeros, 100000);
    unsigned sent = 0;
    size_t at = 0;

    qemu->silent = true;
    proxy_start();
    int fd = client_open("libvirt-sock", "qemu:///system"), other = client_open("libvirt-sock", "network:///system");
    RUN_UNTIL(loop, qemu->client);
    conn_pause(qemu->client->conn);
    for (unsigned idle = 0; idle < 50;) {
        ssize_t r = send(fd, big->data + at, big->len - at, MSG_DONTWAIT);

        idle = r > 0 ? 0 : idle + 1;
        at += r > 0 ? r : 0;
        if (at == big->len) {
            at = 0;
            sent++;
        }
        assert(sent < 100);
        loop_turn(loop, 1000);
    }
    assert(sent > 10);
    send_call(other, REMOTE_PROGRAM, NET_LIST, 7, NULL);
    expect_ok(other, NET_LIST, 7);
    conn_resume(qemu->client->conn);
    while (at) {
        ssize_t r = send(fd, big->data + at, big->len - at, MSG_DONTWAIT);

        at += r > 0 ? r : 0;
        if (at == big->len)
            break;
        loop_turn(loop, 1000);
    }
    RUN_UNTIL(loop, qemu->procs->len == 3 + sent + (at ? 1 : 0)); /* nothing was lost */
    close(fd);
    close(other);
    proxy_stop();
    fake_stop(qemu);
    fake_stop(net);
}

/* A client that does not read stops its daemons. */
static void test_client_does_not_read(void)
{
    Fake *qemu = fake_start("virtqemud");
    const MsgHeader h = { REMOTE_PROGRAM, 1, 300, MSG_EVENT, 0, MSG_OK };
    g_autofree char *zeros = g_malloc0(100000);
    g_autoptr(Message) event = message_new_bytes(&h, zeros, 100000);

    proxy_start();
    int fd = client_open("libvirt-sock", "qemu:///system");
    for (unsigned i = 0; i < 100; i++) {
        client_send(qemu->client, event);
        run_ready(loop);
    }
    assert(conn_queued_bytes(qemu->client->conn) > 5 << 20); /* still at the daemon, not in the proxy */
    for (unsigned i = 0; i < 100; i++) {
        g_autoptr(Message) m = expect(fd, MSG_EVENT, 300, 0, MSG_OK);
    }
    close(fd);
    proxy_stop();
    fake_stop(qemu);
}

static void test_set_identity(void)
{
    Fake *qemu = fake_start("virtqemud");
    const MsgHeader h = { REMOTE_PROGRAM, 1, REMOTE_PROC_CONNECT_SET_IDENTITY, MSG_CALL, 5, MSG_OK };
    g_autoptr(Identity) id = identity_new();
    remote_typed_param params[IDENTITY_PARAMS_MAX];

    id->has_unix = true;
    id->uid = 4711;
    id->gid = 815;
    id->pid = 1234;
    id->start_time = 99;
    id->selinux_context = g_strdup("ctx");
    id->sasl_user = g_strdup("sasl");
    proxy_start();
    int fd = connect_to("libvirt-sock");
    authenticate(fd);
    remote_connect_set_identity_args a = { .params = { identity_to_params(id, params), params } };
    assert(a.params.params_len == 6);
    g_autoptr(Message) m = message_new(&h, (xdrproc_t)xdr_remote_connect_set_identity_args, &a, NULL);
    raw_send(fd, m); /* we run as the proxy's own user: believed */
    expect_ok(fd, h.proc, 5);
    send_open(fd, "qemu:///system", 0, 6);
    expect_ok(fd, REMOTE_PROC_CONNECT_OPEN, 6);
    assert(qemu->identity->uid == 4711 && qemu->identity->gid == 815 && qemu->identity->pid == 1234 &&
           qemu->identity->start_time == 99 && strcmp(qemu->identity->selinux_context, "ctx") == 0 &&
           strcmp(qemu->identity->sasl_user, "sasl") == 0 && !qemu->identity->user_name);

    params[1].field = (char *)"no-such-thing";
    g_autoptr(Message) bad = message_new(&h, (xdrproc_t)xdr_remote_connect_set_identity_args, &a, NULL);
    raw_send(fd, bad);
    expect_error(fd, MSG_REPLY, h.proc, 5, VIR_ERR_INVALID_ARG, "no-such-thing");
    params[1] = params[0];
    g_autoptr(Message) twice = message_new(&h, (xdrproc_t)xdr_remote_connect_set_identity_args, &a, NULL);
    raw_send(fd, twice);
    expect_error(fd, MSG_REPLY, h.proc, 5, VIR_ERR_INVALID_ARG, "twice");
    close(fd);
    proxy_stop();
    fake_stop(qemu);
}

int main(void)
{
    assert(mkdtemp(run_dir));
    loop = loop_new(NULL);
    test_routing_and_handshake();
    test_before_open();
    test_uris();
    test_readonly();
    test_foreign_daemon();
    test_secondary_missing_and_dying();
    test_secondary_with_subscribers_dying();
    test_primary_dying();
    test_calls_wait_for_open();
    test_fds_pass();
    test_back_pressure();
    test_client_does_not_read();
    test_set_identity();
    loop = loop_free(loop);
    assert(rmdir(run_dir) == 0); /* every socket was removed by its server */
    return 0;
}
