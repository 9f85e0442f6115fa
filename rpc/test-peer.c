/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A driver as a client of another daemon: against a real one (who it is seen as, the token, a restart in between,
 * errors), and against one that breaks every rule that a daemon can break.
 */
#undef NDEBUG
#include "rpc/peer.h"

#include <glib/gstdio.h>
#include <sys/stat.h>

#include "protocols/remote_client.h"
#include "rpc/system_token.h"
#include "rpc/test-daemon.h"
#include "util/paths.h"

static char root[] = "/tmp/modvirt-test-XXXXXX";
static char *sock, *token_path;

/* --- a real one --------------------------------------------------------------------------------------- */

static atomic_int seen_daemon, seen_uid;

static bool count_secrets(Call *c, remote_connect_num_of_secrets_ret *r, GError **err)
{
    (void)err;
    atomic_store(&seen_daemon, call_from_daemon(c));
    atomic_store(&seen_uid, (int)call_uid(c));
    r->num = 42;
    return true;
}

static bool no_pools(Call *c, remote_connect_num_of_storage_pools_ret *r, GError **err)
{
    (void)c;
    (void)r;
    error_set(err, VIR_ERR_NO_SECRET, "no secret with matching uuid 'x'");
    return false;
}

static bool fake_open(Call *c, const char *uri, bool readonly, char **ret_uri, GError **err)
{
    (void)c;
    (void)readonly;
    (void)err;
    assert(g_str_equal(uri, "secret:///system"));
    *ret_uri = g_strdup(uri);
    return true;
}

static const char *const schemes[] = { "secret", NULL };
static const RemoteHandlers handlers = { .connect_num_of_secrets = { count_secrets },
                                         .connect_num_of_storage_pools = { no_pools } };
static const Driver fake = { .name = "FAKE", .schemes = schemes, .error_source = VIR_FROM_SECRET, .remote = &handlers,
                             .open = fake_open };

static void serve_real(void)
{
    atomic_store(&td.ready, false);
    td_start("peer", &fake, 10);
    (void)unlink(sock);
    assert(symlink(td.path, sock) == 0);
}

static int count(Peer *p, GError **err)
{
    remote_connect_num_of_secrets_ret r;

    return remote_client_connect_num_of_secrets(peer_calls(p), &r, err) ? r.num : -1;
}

static void test_real(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Peer) p = peer_new(ROUTE_SECRET, NULL);
    remote_connect_num_of_storage_pools_ret pools;

    assert(count(p, &error) == -1 && error_is(error, VIR_ERR_NO_CONNECT) && strstr(error->message, "virtsecretd.socket"));
    g_clear_error(&error);
    serve_real();
    assert(count(p, &error) == 42 && seen_daemon && seen_uid == (int)geteuid());
    assert(count(p, &error) == 42);

    /* Its errors are its own, with its name, and do not end the conversation. */
    assert(!remote_client_connect_num_of_storage_pools(peer_calls(p), &pools, &error));
    assert(error_is(error, VIR_ERR_NO_SECRET) && error_source(error) == VIR_FROM_SECRET);
    assert(g_str_equal(error->message, "virtsecretd: no secret with matching uuid 'x'"));
    g_clear_error(&error);
    assert(count(p, &error) == 42);

    /* A restart between two calls is not noticed. */
    td_stop();
    serve_real();
    atomic_store(&seen_daemon, 0);
    assert(count(p, &error) == 42 && seen_daemon);
    assert(!error);

    /* Who shows another token is served, and is not a daemon. */
    g_autofree char *good = NULL;
    assert(g_file_get_contents(token_path, &good, NULL, NULL) && strlen(good) == 32);
    int fd = dial(td.path, false);
    remote_connect_open_args open = { .name = "secret:///system" };
    remote_typed_param param = { (char *)"system.token", { VIR_TYPED_PARAM_STRING, { .s = (char *)"0123456789abcdef0123456789abcdef" } } };
    remote_connect_set_identity_args id = { .params = { 1, &param } };
    g_autofree Reply *r = g_new0(Reply, 1);
    put(fd, P, REMOTE_PROC_CONNECT_OPEN, 2, (xdrproc_t)xdr_remote_connect_open_args, &open);
    get(fd, r);
    for (int right = 0; right < 2; right++) {
        if (right)
            param.value.u.s = good;
        put(fd, P, REMOTE_PROC_CONNECT_SET_IDENTITY, 3, (xdrproc_t)xdr_remote_connect_set_identity_args, &id);
        get(fd, r);
        assert(r->h.status == MSG_OK);
        put(fd, P, REMOTE_PROC_CONNECT_NUM_OF_SECRETS, 4, NULL, NULL);
        get(fd, r);
        assert(r->h.status == MSG_OK && seen_daemon == right);
    }
    close(fd);

    /* On the socket for readers it does not count. */
    fd = dial(td.ro_path, false);
    open.flags = VIR_CONNECT_RO;
    put(fd, P, REMOTE_PROC_CONNECT_OPEN, 2, (xdrproc_t)xdr_remote_connect_open_args, &open);
    get(fd, r);
    put(fd, P, REMOTE_PROC_CONNECT_SET_IDENTITY, 3, (xdrproc_t)xdr_remote_connect_set_identity_args, &id);
    get(fd, r); /* refused or not */
    put(fd, P, REMOTE_PROC_CONNECT_NUM_OF_SECRETS, 4, NULL, NULL);
    get(fd, r);
    assert(r->h.status == MSG_OK && !seen_daemon);
    close(fd);
    td_stop();
    assert(unlink(sock) == 0);
}

/* --- the token ---------------------------------------------------------------------------------------- */

static void *take_token(void *unused)
{
    (void)unused;
    return system_token(NULL);
}

static void test_token(void)
{
    g_autoptr(GError) error = NULL;
    pthread_t t[8];
    char *first = NULL;
    struct stat st;

    (void)unlink(token_path);
    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++)
        assert(pthread_create(&t[i], NULL, take_token, NULL) == 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        void *one;

        assert(pthread_join(t[i], &one) == 0 && one && strlen(one) == 32 && (!first || g_str_equal(one, first)));
        if (first)
            system_token_free(one);
        else
            first = one;
    }
    assert(stat(token_path, &st) == 0 && (st.st_mode & 0777) == 0600 && st.st_size == 32);
    assert(system_token_is(first, &error) && !system_token_is("", &error) && !system_token_is(NULL, &error) && !error);
    first[31] ^= 1;
    assert(!system_token_is(first, &error) && !error);

    /* One that others can read, or that is something else, is nobody's. */
    first[31] ^= 1;
    assert(chmod(token_path, 0644) == 0 && !system_token_is(first, &error) && error);
    g_clear_error(&error);
    assert(chmod(token_path, 0600) == 0 && truncate(token_path, 7) == 0 && !system_token_is(first, &error) && error);
    g_clear_error(&error);
    assert(truncate(token_path, 0) == 0 && !system_token_is(first, &error) && !error); /* a new one is made */
    system_token_free(first);
}

/* --- a hostile one ------------------------------------------------------------------------------------ */

typedef enum Trick { SILENT, CLOSES, GARBAGE, HUGE_FRAME, TINY, OTHER_SERIAL, BAD_BODY, BAD_ERROR, CALLS_US, HALF, DRIPS,
                     SENDS_FD, FLOOD, _TRICK_N } Trick;

static struct {
    int fd;
    pthread_t thread;
    atomic_int trick, calls;
} enemy;

static void play(int fd, const MsgHeader *h)
{
    static const uint8_t junk[4096] = { 0x41, 0x42, 0x43 };
    uint8_t head[MESSAGE_HEAD];
    MsgHeader r = *h;
    remote_connect_num_of_secrets_ret ok = { 42 };

    r.type = MSG_REPLY;
    switch ((Trick)atomic_load(&enemy.trick)) {
    case SILENT:
    case CLOSES:
    case _TRICK_N:
        break;
    case GARBAGE:
        (void)fd_write_all(fd, junk, sizeof(junk));
        break;
    case HUGE_FRAME:
        msg_header_encode(&r, 1u << 31, head);
        (void)fd_write_all(fd, head, sizeof(head));
        break;
    case TINY:
        msg_header_encode(&r, 3, head);
        (void)fd_write_all(fd, head, sizeof(head));
        break;
    case OTHER_SERIAL: {
        r.serial++;
        g_autoptr(Message) m = message_new(&r, (xdrproc_t)xdr_remote_connect_num_of_secrets_ret, &ok, NULL);
        (void)fd_write_all(fd, m->data, m->len);
        break;
    }
    case BAD_ERROR:
        r.status = MSG_ERROR;
        G_GNUC_FALLTHROUGH;
    case BAD_BODY: {
        g_autoptr(Message) m = message_new_bytes(&r, junk, 33);
        (void)fd_write_all(fd, m->data, m->len);
        break;
    }
    case CALLS_US: {
        r.type = MSG_CALL;
        g_autoptr(Message) m = message_new_bytes(&r, NULL, 0);
        (void)fd_write_all(fd, m->data, m->len);
        break;
    }
    case HALF:
        msg_header_encode(&r, 1000, head);
        (void)fd_write_all(fd, head, sizeof(head));
        break;
    case DRIPS:
        msg_header_encode(&r, 1000, head);
        for (unsigned i = 0; i < 60 && send(fd, i < sizeof(head) ? &head[i] : junk, 1, MSG_NOSIGNAL) == 1; i++)
            g_usleep(100000);
        break;
    case SENDS_FD: {
        g_autoptr(Message) m = message_new(&r, (xdrproc_t)xdr_remote_connect_num_of_secrets_ret, &ok, NULL);
        union {
            struct cmsghdr h;
            char buf[CMSG_SPACE(sizeof(int))];
        } control = { .h = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) } };
        struct iovec iov = { m->data, m->len };
        struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_LEN(sizeof(int)) };
        memcpy(CMSG_DATA(&control.h), &fd, sizeof(int));
        assert(sendmsg(fd, &mh, MSG_NOSIGNAL) == (ssize_t)m->len);
        break;
    }
    case FLOOD: {
        r.type = MSG_EVENT;
        g_autoptr(Message) m = message_new_bytes(&r, junk, sizeof(junk));
        while (send(fd, m->data, m->len, MSG_NOSIGNAL) == (ssize_t)m->len)
            ;
        break;
    }
    }
}

static void speak(int fd)
{
    remote_auth_type none = REMOTE_AUTH_NONE;
    remote_auth_list_ret auth = { { 1, &none } };
    g_autofree Reply *r = g_new0(Reply, 1);

    while (try_get(fd, r)) {
        MsgHeader h = r->h;

        h.type = MSG_REPLY;
        bool list = h.proc == REMOTE_PROC_AUTH_LIST;
        if (list || h.proc == REMOTE_PROC_CONNECT_OPEN || h.proc == REMOTE_PROC_CONNECT_SET_IDENTITY) {
            g_autoptr(Message) m = message_new(&h, list ? (xdrproc_t)xdr_remote_auth_list_ret : NULL, &auth, NULL);
            if (fd_write_all(fd, m->data, m->len) < 0)
                return;
            continue;
        }
        atomic_fetch_add(&enemy.calls, 1);
        play(fd, &r->h);
        if (atomic_load(&enemy.trick) == CLOSES)
            return;
    }
}

static void *enemy_run(void *unused)
{
    (void)unused;
    for (;;) {
        auto_fd fd = accept4(enemy.fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0)
            return NULL;
        speak(fd);
    }
}

static void test_hostile(void)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    /* What a caller is told, besides the name of the daemon. */
    static const struct {
        Trick trick;
        int code;
        const char *word;
    } cases[] = {
        { SILENT, VIR_ERR_OPERATION_TIMEOUT, "did not answer within 1 seconds" },
        { CLOSES, VIR_ERR_RPC, "closed the connection" },
        { GARBAGE, VIR_ERR_RPC, "expected 28 to" },
        { HUGE_FRAME, VIR_ERR_RPC, "expected 28 to" },
        { TINY, VIR_ERR_RPC, "expected 28 to" },
        { OTHER_SERIAL, VIR_ERR_RPC, "unexpected message" },
        { BAD_BODY, VIR_ERR_RPC, "connect_num_of_secrets" },
        { BAD_ERROR, VIR_ERR_RPC, "error" },
        { CALLS_US, VIR_ERR_RPC, "unexpected message" },
        { HALF, VIR_ERR_OPERATION_TIMEOUT, "did not answer" },
        { DRIPS, VIR_ERR_OPERATION_TIMEOUT, "did not answer" },
        { SENDS_FD, 0, NULL },
        { FLOOD, VIR_ERR_OPERATION_TIMEOUT, "did not answer" },
    };

    enemy.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_strlcpy(sa.sun_path, sock, sizeof(sa.sun_path));
    assert(bind(enemy.fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(enemy.fd, 5) == 0);
    assert(pthread_create(&enemy.thread, NULL, enemy_run, NULL) == 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Peer) p = peer_new(ROUTE_SECRET, NULL);

        peer_set_timeout(p, cases[i].code == VIR_ERR_OPERATION_TIMEOUT ? 1 : 10);
        atomic_store(&enemy.trick, cases[i].trick);
        int n = count(p, &error);
        assert(cases[i].word ? n == -1 && error_is(error, cases[i].code) && strstr(error->message, cases[i].word) &&
                                   g_str_has_prefix(error->message, "virtsecretd")
                             : n == 42);
    }

    /* What only reads may be asked twice; what changes something may not. */
    g_autoptr(Peer) p = peer_new(ROUTE_SECRET, NULL);
    remote_domain_suspend_args change = { .dom = { .name = (char *)"x" } };
    atomic_store(&enemy.trick, CLOSES);
    atomic_store(&enemy.calls, 0);
    assert(count(p, NULL) == -1 && atomic_load(&enemy.calls) == 2);
    atomic_store(&enemy.calls, 0);
    assert(!remote_client_domain_suspend(peer_calls(p), &change, NULL) && atomic_load(&enemy.calls) == 1);
    p = peer_free(p);
    shutdown(enemy.fd, SHUT_RDWR);
    pthread_join(enemy.thread, NULL);
    close(enemy.fd);
    assert(unlink(sock) == 0);
}

int main(void)
{
    assert(g_mkdtemp(root) && paths_init(root, false, NULL) && path_make_dir(paths()->run, 0755, NULL));
    sock = g_build_filename(paths()->run, "virtsecretd-sock", NULL);
    token_path = g_build_filename(paths()->run, "common/system.token", NULL);
    signal(SIGPIPE, SIG_IGN);
    test_token();
    test_real();
    test_hostile();
    g_autofree char *common = g_path_get_dirname(token_path), *run = g_path_get_dirname(paths()->run);
    assert(unlink(token_path) == 0 && rmdir(common) == 0 && rmdir(paths()->run) == 0 && rmdir(run) == 0 && rmdir(root) == 0);
    g_free(sock);
    g_free(token_path);
    (void)paths_init(NULL, false, NULL);
    return 0;
}
