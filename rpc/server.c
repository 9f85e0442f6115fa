/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A server. Its listeners are watched while all of these hold: accepting is on, fewer clients than
 * max_clients are connected, and, for local ones, fewer than max_anonymous_clients of those have not
 * authenticated (server_limits.c). Otherwise new connections wait in the kernel's backlog, as they always
 * have; that begins with one log line.
 *
 * When the process is out of descriptors, accept() fails but leaves the connection in the backlog,
 * and the listener stays readable. So one descriptor is kept in reserve: it is given up to accept
 * the connection, which is closed at once (the client sees an end of file instead of a hang), and
 * taken again. Loop thread.
 */
#define LOG_SOURCE "rpc.server"

#include "rpc/server-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "rpc/transport.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"

enum {
    ACCEPT_BATCH = 32, /* per wake-up of a listener */
    OUT_OF_FDS_RETRY_USEC = 100 * 1000,
    TCP_IDLE_SEC = 60, TCP_INTERVAL_SEC = 15, TCP_PROBES = 4,
};

/* --- accepting --------------------------------------------------------------------------------------- */

static bool peer_allowed(const Server *s, const Listener *l, const Identity *peer, int fd)
{
    if (peer->uid == 0 || peer->uid == geteuid())
        return true;
    return !s->owner_only && listen_peer_allowed(&l->address, l->fd, peer, fd);
}

static bool server_knows_peer(Server *s, const Listener *l, int fd, Identity **ret)
{
    g_autoptr(GError) error = NULL;

    if (!l->is_unix) {
        if (s->owner_only || (l->kind == LISTEN_TLS && !s->tls_make)) {
            if (server_once_per_burst(&s->tls_logged))
                log_warn("%s: clients of the network are sent away: %s", s->name,
                         s->owner_only ? "only the owner may connect" : "TLS is not set up");
            return false;
        }
        *ret = identity_new();
        return true;
    }
    *ret = identity_from_socket(fd, &error);
    if (!*ret) {
        log_warn("%s: client refused: %s", s->name, error->message);
        return false;
    }
    bool allowed = peer_allowed(s, l, *ret, fd);

    if (allowed && !server_has_its_share(s, *ret))
        return true;

    g_autofree char *who = g_strdup_printf("uid %u (pid %d)", (unsigned)(*ret)->uid, (int)(*ret)->pid);

    server_log_burst(&s->denied, who, allowed ? "it has three quarters of max_clients connections already" : s->owner_only ? "only the owner may connect" : "it may not connect here");
    return false;
}

/* A peer that lost its power must not stay for ever; calls are small and waited for. */
static void tune_inet(int fd)
{
    const struct {
        int level, name, value;
    } options[] = {
        { IPPROTO_TCP, TCP_NODELAY, 1 },          { SOL_SOCKET, SO_KEEPALIVE, 1 },
        { IPPROTO_TCP, TCP_KEEPIDLE, TCP_IDLE_SEC }, { IPPROTO_TCP, TCP_KEEPINTVL, TCP_INTERVAL_SEC },
        { IPPROTO_TCP, TCP_KEEPCNT, TCP_PROBES },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(options); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int)); /* it works without */
}

static void server_add_client(Server *s, const Listener *l, int fd)
{
    auto_fd own = fd;
    g_autoptr(GError) error = NULL;
    g_autoptr(Identity) peer = NULL;
    g_autoptr(User) user = NULL;
    ConnTransport *tls = NULL;

    if (!server_knows_peer(s, l, fd, &peer))
        return;
    if (l->kind == LISTEN_TLS && !(tls = s->tls_make(s->tls_context, &error))) {
        log_warn("%s: client refused: %s", s->name, error->message);
        return;
    }
    if (s->users)
        user = user_registry_get(s->users, peer->has_unix ? peer->uid : (uid_t)-1);

    Client *c = g_new0(Client, 1);

    g_atomic_ref_count_init(&c->refs);
    c->server = s;
    c->loop = s->loop;
    c->conn = conn_new(s->loop, fd_take(&own), user, &server_conn_ops, c, &error);
    if (!c->conn) {
        log_warn("%s: client refused: %s", s->name, error->message);
        conn_transport_free(tls);
        g_free(c);
        return;
    }
    if (tls)
        conn_secure(c->conn, tls);
    if (!l->is_unix) {
        tune_inet(fd);
        c->address = listen_peer_address(fd, &c->origin);
    }
    conn_set_frame_max(c->conn, MESSAGE_MAX_UNAUTH);
    c->id = ++s->next_id;
    c->connected_at = time(NULL);
    c->since = now_usec();
    c->readonly = l->readonly;
    c->kind = l->kind;
    auth_client_opened(c, &s->auth, l->kind);
    c->identity = identity_ref(peer);
    c->peer = g_steal_pointer(&peer);
    c->user = g_steal_pointer(&user);
    c->link.data = c->anonymous_link.data = c;
    g_queue_push_tail_link(&s->clients, &c->link);
    g_hash_table_insert(s->by_id, &c->id, c);
    server_count_uid(s, c, 1);
    c->anonymous = true;
    g_queue_push_tail_link(&s->anonymous, &c->anonymous_link);
    if (++s->n_anonymous[side_of(c->kind)] > s->limits.max_anonymous_clients && s->limits.max_anonymous_clients &&
        side_of(c->kind) == SIDE_NETWORK)
        server_thin_out(s);
    if (s->limits.max_anonymous_clients && s->n_anonymous[SIDE_LOCAL] > s->limits.max_anonymous_clients)
        server_relieve(s, 1, UINT64_MAX);
    if (!s->sweep)
        loop_timer_set(s->loop, &s->sweep, SERVER_SWEEP_USEC, server_on_sweep, s);
    c->opened = !s->ops->opened || s->ops->opened(c, s->data);
    if (!c->opened)
        client_close(c, true);
    if (s->on_count)
        s->on_count(s->on_count_data);
}

static bool server_may_accept(const Server *s, Side side)
{
    return s->accepting && (!s->limits.max_clients || s->clients.length < s->limits.max_clients) &&
           (side == SIDE_NETWORK || !s->limits.max_anonymous_clients ||
            s->n_anonymous[SIDE_LOCAL] < s->limits.max_anonymous_clients ||
            (server_is_pressed(s) && s->n_anonymous[SIDE_LOCAL] == s->limits.max_anonymous_clients));
}

static int on_retry(sd_event_source *src, uint64_t usec, void *data)
{
    Server *s = data;

    s->retry = sd_event_source_disable_unref(s->retry);
    server_update_watching(s);
    return 0;
}

void server_update_watching(Server *s)
{
    bool was = s->watching[SIDE_LOCAL];

    for (Side side = 0; side < _SIDE_N; side++) {
        bool on = server_may_accept(s, side) && !s->retry;

        if (on == s->watching[side])
            continue;
        s->watching[side] = on;
        for (unsigned i = 0; i < s->listeners->len; i++) {
            Listener *l = s->listeners->pdata[i];

            if (side_of(l->kind) == side)
                (void)sd_event_source_set_enabled(l->io, on ? SD_EVENT_ON : SD_EVENT_OFF);
        }
    }
    if (was && !s->watching[SIDE_LOCAL] && s->accepting && !s->retry && server_once_per_burst(&s->limit_logged))
        log_warn("%s: %u clients are connected (limit %u), %u of them not authenticated (limit %u): further clients wait",
                 s->name, s->clients.length, s->limits.max_clients, server_n_anonymous(s), s->limits.max_anonymous_clients);
}

static void reserve_fd(Server *s)
{
    if (s->reserve_fd < 0)
        s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Out of descriptors: refuses one client with the help of the reserve. False: not even that. */
static bool server_refuse_one(Server *s, Listener *l, int errnum)
{
    if (server_once_per_burst(&s->fds_logged))
        log_error("%s: clients are refused: %s (%u clients are connected)", s->name, g_strerror(errnum), s->clients.length);
    fd_close(&s->reserve_fd);

    auto_fd fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    bool accepted = fd >= 0;

    fd_close(&fd);
    reserve_fd(s);
    return accepted;
}

static int on_listener(sd_event_source *src, int fd, uint32_t revents, void *data)
{
    Listener *l = data;
    Server *s = l->server;

    for (unsigned i = 0; i < ACCEPT_BATCH && server_may_accept(s, side_of(l->kind)); i++) {
        int client = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (client >= 0) {
            reserve_fd(s);
            server_add_client(s, l, client);
            continue;
        }
        if (errno == EAGAIN)
            break;
        if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO)
            continue;
        if ((errno == EMFILE || errno == ENFILE) && server_refuse_one(s, l, errno))
            continue;
        if (errno != EMFILE && errno != ENFILE && server_once_per_burst(&s->fds_logged))
            log_error("%s: cannot accept a client: %s", s->name, g_strerror(errno));
        /* The listener stays readable; look again in a while instead of at once. */
        loop_timer_set(s->loop, &s->retry, OUT_OF_FDS_RETRY_USEC, on_retry, s);
        break;
    }
    server_update_watching(s);
    return 0;
}

/* --- listeners ----------------------------------------------------------------------------------------- */

static void listener_free(void *data)
{
    Listener *l = data;

    sd_event_source_disable_unref(l->io);
    listen_address_remove(&l->address);
    fd_close(&l->fd);
    g_free(l);
}

static bool server_add_listener(Server *s, int fd, ListenAddress *address, ListenKind kind, GError **err)
{
    Listener *l = g_new0(Listener, 1);

    l->server = s;
    l->fd = fd;
    l->readonly = kind == LISTEN_UNIX_RO;
    l->kind = kind;
    l->is_unix = listen_is_unix(fd);
    if (address)
        l->address = *address;

    int r = fd_set_nonblock(fd, true)
                ? sd_event_add_io(loop_event(s->loop), &l->io, fd, EPOLLIN, on_listener, l) : -errno;

    if (r < 0) {
        error_set_errno(err, -r, "cannot watch a listening socket of '%s'", s->name);
        listener_free(l);
        return false;
    }
    if (!s->watching[side_of(kind)])
        (void)sd_event_source_set_enabled(l->io, SD_EVENT_OFF);
    g_ptr_array_add(s->listeners, l);
    return true;
}

bool server_listen_unix(Server *s, const char *path, unsigned mode, gid_t group, bool readonly, GError **err)
{
    ListenAddress address = { 0 };
    int fd = listen_unix(path, mode, group, s->limits.max_queued_clients, &address, err);

    return fd >= 0 && server_add_listener(s, fd, &address, readonly ? LISTEN_UNIX_RO : LISTEN_UNIX_RW, err);
}

static bool server_adopt(Server *s, int fd, ListenKind kind, GError **err)
{
    auto_fd own = fd;
    int listening = 0;
    socklen_t len = sizeof(listening);

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 || !listening) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "file descriptor %d that '%s' was given is not a listening socket",
                  fd, s->name);
        return false;
    }
    if (side_of(kind) == SIDE_NETWORK && listen_is_unix(fd)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "the socket that '%s' was given for the network is a local one", s->name);
        return false;
    }
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC); /* the descriptor is valid, this cannot fail */
    return server_add_listener(s, fd_take(&own), NULL, kind, err);
}

bool server_listen_fd(Server *s, int fd, bool readonly, GError **err)
{
    return server_adopt(s, fd, readonly ? LISTEN_UNIX_RO : LISTEN_UNIX_RW, err);
}

bool server_listen_inet_fd(Server *s, ListenKind kind, int fd, GError **err)
{
    return server_adopt(s, fd, kind, err);
}

bool server_listen_inet(Server *s, ListenKind kind, const char *address, const char *service, GError **err)
{
    int fds[LISTEN_INET_MAX];
    unsigned n = listen_inet(address, service, s->limits.max_queued_clients, fds, err);
    bool ok = n > 0;

    for (unsigned i = 0; i < n; i++) {
        if (ok)
            ok = server_add_listener(s, fds[i], NULL, kind, err);
        else
            fd_close(&fds[i]);
    }
    if (!ok)
        server_close_listeners(s, kind);
    return ok;
}

void server_close_listeners(Server *s, ListenKind kind)
{
    for (unsigned i = s->listeners->len; i-- > 0;)
        if (((Listener *)s->listeners->pdata[i])->kind == kind)
            g_ptr_array_remove_index(s->listeners, i);
}

bool server_is_listening(const Server *s, ListenKind kind)
{
    for (unsigned i = 0; i < s->listeners->len; i++)
        if (((Listener *)s->listeners->pdata[i])->kind == kind)
            return true;
    return false;
}

void server_set_tls(Server *s, TlsMaker make, void *context)
{
    s->tls_make = make;
    s->tls_context = context;
}

bool server_has_pending(Server *s)
{
    for (unsigned i = 0; i < s->listeners->len; i++) {
        Listener *l = s->listeners->pdata[i];

        if (listen_has_pending(l->fd))
            return true;
    }
    return false;
}

void server_set_accepting(Server *s, bool on)
{
    s->accepting = on;
    server_update_watching(s);
}

void server_set_owner_only(Server *s, bool on)
{
    s->owner_only = on;
}

/* --- life ---------------------------------------------------------------------------------------------- */

Server *server_new(Loop *loop, const char *name, const ServerLimits *limits, UserRegistry *users,
                   const ServerOps *ops, void *data)
{
    Server *s = g_new0(Server, 1);

    s->loop = loop;
    s->name = g_strdup(name);
    s->limits = *limits;
    s->users = user_registry_ref(users);
    s->ops = ops;
    s->data = data;
    s->accepting = true;
    s->listeners = g_ptr_array_new_with_free_func(listener_free);
    g_queue_init(&s->clients);
    g_queue_init(&s->anonymous);
    s->by_id = g_hash_table_new(g_int64_hash, g_int64_equal);
    s->per_uid = g_hash_table_new(NULL, NULL);
    s->reserve_fd = -1;
    s->bad = (LogBurst){ .server = s, .what = "disconnected" };
    s->denied = (LogBurst){ .server = s, .what = "refused" };
    reserve_fd(s);
    for (Side side = 0; side < _SIDE_N; side++)
        s->watching[side] = server_may_accept(s, side);
    return s;
}

Server *server_free(Server *s)
{
    if (!s)
        return NULL;
    s->on_count = NULL;
    g_ptr_array_unref(s->listeners);
    while (!g_queue_is_empty(&s->clients)) {
        Client *c = g_queue_peek_head(&s->clients);

        conn_abandon(c->conn);
        server_detach_client(c);
    }
    sd_event_source_disable_unref(s->retry);
    sd_event_source_disable_unref(s->sweep);
    server_burst_end(&s->bad);
    server_burst_end(&s->denied);
    fd_close(&s->reserve_fd);
    g_hash_table_unref(s->by_id);
    g_hash_table_unref(s->per_uid);
    user_registry_unref(s->users);
    g_free(s->name);
    g_free(s);
    return NULL;
}

const char *server_name(const Server *s)
{
    return s->name;
}

Loop *server_loop(const Server *s)
{
    return s->loop;
}

AuthPolicy *server_auth(Server *s)
{
    return &s->auth;
}

ServerLimits *server_limits(Server *s)
{
    return &s->limits;
}

void server_apply_limits(Server *s)
{
    server_update_watching(s);
}

unsigned server_n_clients(const Server *s)
{
    return s->clients.length;
}

unsigned server_n_anonymous(const Server *s)
{
    return s->n_anonymous[SIDE_LOCAL] + s->n_anonymous[SIDE_NETWORK];
}

Client *server_find_client(Server *s, uint64_t id)
{
    return g_hash_table_lookup(s->by_id, &id);
}

void server_foreach_client(Server *s, void (*fn)(Client *c, void *data), void *data)
{
    for (GList *l = s->clients.head, *next; l; l = next) {
        next = l->next; /* fn may close this client */
        fn(l->data, data);
    }
}

void server_set_on_count(Server *s, void (*fn)(void *data), void *data)
{
    s->on_count = fn;
    s->on_count_data = data;
}
