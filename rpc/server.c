/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A server. Its listeners are watched while all of these hold: accepting is on, fewer clients than
 * max_clients are connected, and, for local ones, fewer than max_anonymous_clients of those have not
 * authenticated. Otherwise new connections wait in the kernel's backlog, as they always have; that
 * begins with one log line. When local clients that say nothing keep others waiting, the user with the
 * most of them loses those that have had a moment to begin, and for a while each further one pushes out its
 * oldest. No user but the owner gets all of max_clients.
 *
 * Clients of the network are counted apart, so that they cannot keep local ones out. When too many of
 * them have not authenticated, the host that has the most loses its oldest: whoever floods us pushes
 * out itself. All have a time by which they must have begun, and the network's one by which they must be
 * through.
 *
 * When the process is out of descriptors, accept() fails but leaves the connection in the backlog,
 * and the listener stays readable. So one descriptor is kept in reserve: it is given up to accept
 * the connection, which is closed at once (the client sees an end of file instead of a hang), and
 * taken again.
 *
 * A client ends in exactly one way: its Conn reports 'closed', which detaches it from the server,
 * tells the owner and drops the server's reference. Loop thread, except client_ref/unref/send.
 */
#define LOG_SOURCE "rpc.server"

#include "rpc/server.h"

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

#include "rpc/listen.h"
#include "rpc/transport.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"

enum {
    ACCEPT_BATCH = 32,                          /* per wake-up of a listener */
    BURST_USEC = 10 * G_USEC_PER_SEC,           /* at most one line about the same trouble in this time, */
    BURST_CLIENTS = 10,                         /* or lines about so many misbehaving clients */
    OUT_OF_FDS_RETRY_USEC = 100 * 1000,
    SWEEP_USEC = G_USEC_PER_SEC,
    PRESSED_USEC = G_USEC_PER_SEC,         /* as AUTH_BEGIN_USEC, while others wait for a place */
    AUTH_BEGIN_USEC = 15 * G_USEC_PER_SEC, /* from connecting to the first question, TLS included */
    AUTH_END_USEC = 120 * G_USEC_PER_SEC,  /* somebody may have to type a password */
    TCP_IDLE_SEC = 60, TCP_INTERVAL_SEC = 15, TCP_PROBES = 4,
};

/* Whom max_anonymous_clients is counted for. */
typedef enum Side { SIDE_LOCAL, SIDE_NETWORK, _SIDE_N } Side;

typedef struct Listener {
    Server *server;
    int fd;
    ListenKind kind;
    bool readonly, is_unix;
    ListenAddress address; /* what to remove in the end; empty when adopted */
    sd_event_source *io;
} Listener;

/* Lines about clients, of which there may be BURST_CLIENTS in BURST_USEC. Broken frames and refusals count
 * apart: whoever makes noise does not hide that somebody guesses passwords. What was left out is told
 * at the end. */
typedef struct LogBurst {
    Server *server;
    const char *what; /* static */
    unsigned n;
    char *last; /* of those left out */
    sd_event_source *end;
} LogBurst;

struct Server {
    Loop *loop;
    char *name;
    ServerLimits limits;
    AuthPolicy auth;
    UserRegistry *users;
    const ServerOps *ops;
    void *data;
    bool accepting, watching[_SIDE_N], owner_only;
    TlsMaker tls_make;
    void *tls_context;
    GPtrArray *listeners;
    GQueue clients; /* of Client.link */
    GHashTable *by_id;
    GHashTable *per_uid; /* local clients, by the uid that connected */
    GQueue anonymous; /* of Client.anonymous_link, by the time they connected */
    unsigned n_anonymous[_SIDE_N];
    sd_event_source *sweep; /* while there are any */
    uint64_t next_id;
    int reserve_fd;
    uint64_t pressed_until; /* local clients push each other out */
    uint64_t limit_logged, fds_logged, tls_logged; /* monotonic usec of the last line */
    LogBurst bad, denied;
    sd_event_source *retry;
    void (*on_count)(void *data);
    void *on_count_data;
};

static void server_update_watching(Server *s);
static void count_uid(Server *s, const Client *c, int by);

static Side side_of(ListenKind kind)
{
    return kind == LISTEN_TCP || kind == LISTEN_TLS ? SIDE_NETWORK : SIDE_LOCAL;
}

static bool once_per_burst(uint64_t *last)
{
    uint64_t now = now_usec();

    if (*last && now - *last < BURST_USEC)
        return false;
    *last = now;
    return true;
}

/* --- clients --------------------------------------------------------------------------------------- */

Client *client_ref(Client *c)
{
    if (c)
        g_atomic_ref_count_inc(&c->refs);
    return c;
}

static void client_free(void *data)
{
    Client *c = data;

    conn_unref(c->conn);
    auth_client_freed(c);
    identity_unref(c->peer);
    identity_unref(c->identity);
    user_unref(c->user);
    g_free(c->address);
    g_free(c);
}

Client *client_unref(Client *c)
{
    if (!c || !g_atomic_ref_count_dec(&c->refs))
        return NULL;
    if (loop_is_current(c->loop))
        client_free(c);
    else
        loop_post(c->loop, client_free, c);
    return NULL;
}

void client_send(Client *c, Message *m)
{
    conn_send(c->conn, m);
}

void client_act_for(Client *c, Identity *who)
{
    g_autoptr(User) user = NULL;

    identity_unref(c->identity);
    c->identity = who;
    if (!c->server || !c->server->users)
        return;
    user = user_registry_get(c->server->users, who->has_unix ? who->uid : (uid_t)-1);
    conn_act_for(c->conn, user);
}

void client_close(Client *c, bool flush)
{
    c->closing = true;
    conn_close(c->conn, flush);
}

/* Authenticated, or as good as gone. */
static void client_leave_anonymous(Client *c)
{
    if (!c->anonymous)
        return;
    c->anonymous = false;
    g_queue_unlink(&c->server->anonymous, &c->anonymous_link);
    c->server->n_anonymous[side_of(c->kind)]--;
}

void client_set_authenticated(Client *c)
{
    if (c->authenticated)
        return;
    c->authenticated = true;
    conn_set_frame_max(c->conn, MESSAGE_MAX);
    if (!c->server)
        return;
    client_leave_anonymous(c);
    server_update_watching(c->server);
}

static void client_message(Conn *conn, Message *m, void *data)
{
    Client *c = data;

    c->server->ops->message(c, m, c->server->data);
}

/* A client that does not take its replies gets no further calls read: replies to calls that were
 * read already are all that can pile up. */
static void client_congested(Conn *conn, bool on, void *data)
{
    Client *c = data;

    if (on)
        conn_pause(conn);
    else
        conn_resume(conn);
    if (c->server->ops->congested)
        c->server->ops->congested(c, on, c->server->data);
}

static void burst_end(LogBurst *b)
{
    b->end = sd_event_source_disable_unref(b->end);
    if (b->last)
        log_warn("%s: %u more clients were %s meanwhile, the last one: %s", b->server->name, b->n - BURST_CLIENTS, b->what,
                 b->last);
    g_clear_pointer(&b->last, g_free);
    b->n = 0;
}

static int on_burst_end(sd_event_source *src, uint64_t usec, void *data)
{
    burst_end(data);
    return 0;
}

static void burst_line(LogBurst *b, const char *who, const char *why)
{
    Server *s = b->server;

    if (!b->end)
        loop_timer_set(s->loop, &b->end, BURST_USEC, on_burst_end, b);
    if (b->n++ < BURST_CLIENTS) {
        log_warn("%s: %s is %s: %s%s", s->name, who, b->what, why,
                 b->n == BURST_CLIENTS ? "; others are only counted for a while" : "");
    } else {
        g_free(b->last);
        b->last = g_strdup_printf("%s: %s", who, why);
    }
}

static void log_client(const Client *c, LogBurst *b, const char *why)
{
    g_autofree char *who = c->address ? g_strdup_printf("client %" G_GUINT64_FORMAT " from %s", c->id, c->address)
                                      : g_strdup_printf("client %" G_GUINT64_FORMAT " of uid %d", c->id,
                                                        c->peer->has_unix ? (int)c->peer->uid : -1);

    burst_line(b, who, why);
}

void client_log_bad(Client *c, const char *why)
{
    if (c->server)
        log_client(c, &c->server->bad, why);
}

void client_log_denied(Client *c, const char *why)
{
    if (c->server)
        log_client(c, &c->server->denied, why);
}

/* Takes the client out of the server and drops the server's reference. */
static void client_detach(Client *c)
{
    Server *s = c->server;

    c->closing = true;
    auth_client_closed(c);
    if (c->opened && s->ops->closed)
        s->ops->closed(c, s->data);
    g_queue_unlink(&s->clients, &c->link);
    g_hash_table_remove(s->by_id, &c->id);
    count_uid(s, c, -1);
    client_leave_anonymous(c);
    c->server = NULL;
    client_unref(c);
}

static void client_closed(Conn *conn, const GError *why, void *data)
{
    Client *c = data;
    Server *s = c->server;

    if (why)
        client_log_bad(c, why->message);
    client_detach(c);
    server_update_watching(s);
    if (s->on_count)
        s->on_count(s->on_count_data);
}

/* The TLS handshake is over: the certificate's name is part of who the client is. */
static void client_secured(Conn *conn, void *data)
{
    Client *c = data;
    const ConnTransport *t = conn_transport(conn);

    if (t->peer_name) {
        Identity *id = identity_copy(c->peer);

        id->x509_dname = g_strdup(t->peer_name);
        identity_unref(c->peer);
        identity_unref(c->identity);
        c->peer = id;
        c->identity = identity_ref(id);
    }
    if (t->denied) {
        c->auth.denied = g_error_copy(t->denied);
        client_log_denied(c, t->denied->message);
    }
}

static const ConnOps client_conn_ops = {
    .secured = client_secured,
    .message = client_message,
    .congested = client_congested,
    .closed = client_closed,
};

/* --- accepting --------------------------------------------------------------------------------------- */

static bool peer_allowed(const Server *s, const Listener *l, const Identity *peer, int fd)
{
    if (peer->uid == 0 || peer->uid == geteuid())
        return true;
    return !s->owner_only && listen_peer_allowed(&l->address, l->fd, peer, fd);
}

/* Closes one that has not authenticated, and forgets it at once as far as limits go. */
static void client_drop_anonymous(Client *c, const char *why)
{
    client_log_bad(c, why);
    client_leave_anonymous(c);
    client_close(c, false);
}

/* The share of one user, other than the owner, in max_clients. */
static bool has_its_share(Server *s, const Identity *peer)
{
    unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(s->per_uid, GUINT_TO_POINTER(peer->uid)));

    return s->limits.max_clients && peer->uid != 0 && peer->uid != geteuid() &&
           n >= s->limits.max_clients - s->limits.max_clients / 4;
}

static void count_uid(Server *s, const Client *c, int by)
{
    if (!c->peer->has_unix)
        return;

    gpointer key = GUINT_TO_POINTER(c->peer->uid);
    unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(s->per_uid, key)) + (unsigned)by;

    if (n)
        g_hash_table_insert(s->per_uid, key, GUINT_TO_POINTER(n));
    else
        g_hash_table_remove(s->per_uid, key);
}

/* Of the local clients that have not authenticated most are this user's. */
static uid_t uid_with_most_anonymous(const Server *s)
{
    g_autoptr(GHashTable) count = g_hash_table_new(NULL, NULL);
    unsigned most = 0;
    uid_t uid = 0;

    for (const GList *l = s->anonymous.head; l; l = l->next) {
        const Client *c = l->data;

        if (side_of(c->kind) != SIDE_LOCAL || !c->peer->has_unix)
            continue;

        gpointer key = GUINT_TO_POINTER(c->peer->uid);
        unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(count, key)) + 1;

        g_hash_table_insert(count, key, GUINT_TO_POINTER(n));
        if (n > most) {
            most = n;
            uid = c->peer->uid;
        }
    }
    return uid;
}

/* Local clients fill the places of those that have not authenticated: drops at most n of the user with the
 * most, the oldest first, if they connected before a time. Those that wait for a backend (somebody types
 * a password) stay. */
static void server_relieve(Server *s, unsigned n, uint64_t before)
{
    uid_t uid = uid_with_most_anonymous(s);

    for (GList *l = s->anonymous.head, *next; l && n; l = next) {
        Client *c = l->data;

        next = l->next;
        if (c->since > before)
            break; /* the rest came later */
        if (side_of(c->kind) != SIDE_LOCAL || !c->peer->has_unix || c->peer->uid != uid || c->auth.busy)
            continue;
        s->pressed_until = now_usec() + BURST_USEC;
        client_drop_anonymous(c, "it does not authenticate, and others wait for its place");
        n--;
    }
}

static bool is_pressed(const Server *s)
{
    return s->pressed_until && now_usec() < s->pressed_until;
}

static int on_sweep(sd_event_source *src, uint64_t usec, void *data)
{
    Server *s = data;
    uint64_t now = now_usec();

    for (GList *l = s->anonymous.head, *next; l; l = next) {
        Client *c = l->data;
        bool network = side_of(c->kind) == SIDE_NETWORK;

        next = l->next;
        if (now - c->since < AUTH_BEGIN_USEC)
            break; /* the rest came later */
        if (!c->auth.seen)
            client_drop_anonymous(c, "it has not begun to authenticate");
        else if (now - c->since >= AUTH_END_USEC && (network || !c->auth.busy))
            client_drop_anonymous(c, "it has not authenticated in time");
    }
    if (s->limits.max_anonymous_clients && s->n_anonymous[SIDE_LOCAL] >= s->limits.max_anonymous_clients)
        server_relieve(s, UINT_MAX, now - PRESSED_USEC);
    server_update_watching(s);
    s->sweep = sd_event_source_disable_unref(s->sweep);
    if (s->anonymous.length)
        loop_timer_set(s->loop, &s->sweep, SWEEP_USEC, on_sweep, s);
    return 0;
}

/* Too many of the network have not authenticated: the host with the most of them loses its oldest. */
static void server_thin_out(Server *s)
{
    g_autoptr(GHashTable) count = g_hash_table_new(g_int64_hash, g_int64_equal);
    Client *victim = NULL;
    unsigned most = 0;

    for (GList *l = s->anonymous.tail; l; l = l->prev) { /* so that the oldest of a host comes last */
        Client *c = l->data;

        if (side_of(c->kind) != SIDE_NETWORK)
            continue;

        unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(count, &c->origin)) + 1;

        g_hash_table_replace(count, &c->origin, GUINT_TO_POINTER(n));
        if (n >= most) {
            most = n;
            victim = c;
        }
    }
    if (victim)
        client_drop_anonymous(victim, "too many of its host have not authenticated");
}

static bool server_knows_peer(Server *s, const Listener *l, int fd, Identity **ret)
{
    g_autoptr(GError) error = NULL;

    if (!l->is_unix) {
        if (s->owner_only || (l->kind == LISTEN_TLS && !s->tls_make)) {
            if (once_per_burst(&s->tls_logged))
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

    if (allowed && !has_its_share(s, *ret))
        return true;

    g_autofree char *who = g_strdup_printf("uid %u (pid %d)", (unsigned)(*ret)->uid, (int)(*ret)->pid);

    burst_line(&s->denied, who, allowed ? "it has three quarters of max_clients connections already" : s->owner_only ? "only the owner may connect" : "it may not connect here");
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
    c->conn = conn_new(s->loop, fd_take(&own), user, &client_conn_ops, c, &error);
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
    count_uid(s, c, 1);
    c->anonymous = true;
    g_queue_push_tail_link(&s->anonymous, &c->anonymous_link);
    if (++s->n_anonymous[side_of(c->kind)] > s->limits.max_anonymous_clients && s->limits.max_anonymous_clients &&
        side_of(c->kind) == SIDE_NETWORK)
        server_thin_out(s);
    if (s->limits.max_anonymous_clients && s->n_anonymous[SIDE_LOCAL] > s->limits.max_anonymous_clients)
        server_relieve(s, 1, UINT64_MAX);
    if (!s->sweep)
        loop_timer_set(s->loop, &s->sweep, SWEEP_USEC, on_sweep, s);
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
            (is_pressed(s) && s->n_anonymous[SIDE_LOCAL] == s->limits.max_anonymous_clients));
}

static int on_retry(sd_event_source *src, uint64_t usec, void *data)
{
    Server *s = data;

    s->retry = sd_event_source_disable_unref(s->retry);
    server_update_watching(s);
    return 0;
}

static void server_update_watching(Server *s)
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
    if (was && !s->watching[SIDE_LOCAL] && s->accepting && !s->retry && once_per_burst(&s->limit_logged))
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
    if (once_per_burst(&s->fds_logged))
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
        if (errno != EMFILE && errno != ENFILE && once_per_burst(&s->fds_logged))
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
        client_detach(c);
    }
    sd_event_source_disable_unref(s->retry);
    sd_event_source_disable_unref(s->sweep);
    burst_end(&s->bad);
    burst_end(&s->denied);
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
