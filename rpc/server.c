/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A server. Its listeners are watched while all of these hold: accepting is on, fewer clients than
 * max_clients are connected, fewer than max_anonymous_clients have not authenticated. Otherwise new
 * connections wait in the kernel's backlog, as they always have; that begins with one log line.
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
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "rpc/listen.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"

enum {
    ACCEPT_BATCH = 32,                          /* per wake-up of a listener */
    BURST_USEC = 10 * G_USEC_PER_SEC,           /* at most one line about the same trouble in this time, */
    BURST_CLIENTS = 10,                         /* or lines about so many misbehaving clients */
    OUT_OF_FDS_RETRY_USEC = 100 * 1000,
};

typedef struct Listener {
    Server *server;
    int fd;
    ListenKind kind;
    bool readonly, is_unix;
    ListenAddress address; /* what to remove in the end; empty when adopted */
    sd_event_source *io;
} Listener;

struct Server {
    Loop *loop;
    char *name;
    ServerLimits limits;
    AuthPolicy auth;
    UserRegistry *users;
    const ServerOps *ops;
    void *data;
    bool accepting, watching, owner_only;
    GPtrArray *listeners;
    GQueue clients; /* of Client.link */
    GHashTable *by_id;
    unsigned n_anonymous;
    uint64_t next_id;
    int reserve_fd;
    uint64_t limit_logged, fds_logged, denied_logged; /* monotonic usec of the last line */
    uint64_t bad_since;
    unsigned n_bad; /* misbehaving clients since then */
    sd_event_source *retry;
    void (*on_count)(void *data);
    void *on_count_data;
};

static void server_update_watching(Server *s);

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

void client_close(Client *c, bool flush)
{
    c->closing = true;
    conn_close(c->conn, flush);
}

void client_set_authenticated(Client *c)
{
    if (c->authenticated)
        return;
    c->authenticated = true;
    conn_set_frame_max(c->conn, MESSAGE_MAX);
    if (!c->server)
        return;
    c->server->n_anonymous--;
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

/* Whoever wants to fill the log with broken frames gets no further than this. */
static void log_client(Client *c, const char *what, const char *why)
{
    Server *s = c->server;

    if (!s)
        return;
    if (once_per_burst(&s->bad_since))
        s->n_bad = 0;
    if (s->n_bad++ < BURST_CLIENTS)
        log_warn("%s: client %" G_GUINT64_FORMAT " of uid %d is %s: %s%s", s->name, c->id,
                 c->peer->has_unix ? (int)c->peer->uid : -1, what, why,
                 s->n_bad == BURST_CLIENTS ? "; others are not mentioned for a while" : "");
}

void client_log_bad(Client *c, const char *why)
{
    log_client(c, "disconnected", why);
}

void client_log_denied(Client *c, const char *why)
{
    log_client(c, "refused", why);
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
    if (!c->authenticated)
        s->n_anonymous--;
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

static const ConnOps client_conn_ops = {
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

static void server_add_client(Server *s, const Listener *l, int fd)
{
    auto_fd own = fd;
    g_autoptr(GError) error = NULL;
    g_autoptr(Identity) peer = NULL;
    g_autoptr(User) user = NULL;

    if (l->is_unix) {
        peer = identity_from_socket(fd, &error);
        if (!peer) {
            log_warn("%s: client refused: %s", s->name, error->message);
            return;
        }
        if (!peer_allowed(s, l, peer, fd)) {
            if (once_per_burst(&s->denied_logged))
                log_warn("%s: uid %u (pid %d) may not connect here", s->name, (unsigned)peer->uid, (int)peer->pid);
            return;
        }
    } else {
        peer = identity_new();
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
        g_free(c);
        return;
    }
    conn_set_frame_max(c->conn, MESSAGE_MAX_UNAUTH);
    c->id = ++s->next_id;
    c->connected_at = time(NULL);
    c->readonly = l->readonly;
    c->kind = l->kind;
    auth_client_opened(c, &s->auth, l->kind);
    c->identity = identity_ref(peer);
    c->peer = g_steal_pointer(&peer);
    c->user = g_steal_pointer(&user);
    c->link.data = c;
    g_queue_push_tail_link(&s->clients, &c->link);
    g_hash_table_insert(s->by_id, &c->id, c);
    s->n_anonymous++;
    c->opened = !s->ops->opened || s->ops->opened(c, s->data);
    if (!c->opened)
        client_close(c, true);
    if (s->on_count)
        s->on_count(s->on_count_data);
}

static bool server_may_accept(const Server *s)
{
    return s->accepting && (!s->limits.max_clients || s->clients.length < s->limits.max_clients) &&
           (!s->limits.max_anonymous_clients || s->n_anonymous < s->limits.max_anonymous_clients);
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
    bool on = server_may_accept(s) && !s->retry;

    if (on == s->watching)
        return;
    s->watching = on;
    for (unsigned i = 0; i < s->listeners->len; i++) {
        Listener *l = s->listeners->pdata[i];

        (void)sd_event_source_set_enabled(l->io, on ? SD_EVENT_ON : SD_EVENT_OFF);
    }
    if (!on && s->accepting && !s->retry && once_per_burst(&s->limit_logged))
        log_warn("%s: %u clients are connected (limit %u), %u of them not authenticated (limit %u): further clients wait",
                 s->name, s->clients.length, s->limits.max_clients, s->n_anonymous, s->limits.max_anonymous_clients);
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

    for (unsigned i = 0; i < ACCEPT_BATCH && server_may_accept(s); i++) {
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

static bool server_add_listener(Server *s, int fd, ListenAddress *address, bool readonly, GError **err)
{
    Listener *l = g_new0(Listener, 1);

    l->server = s;
    l->fd = fd;
    l->readonly = readonly;
    l->kind = readonly ? LISTEN_UNIX_RO : LISTEN_UNIX_RW;
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
    if (!s->watching)
        (void)sd_event_source_set_enabled(l->io, SD_EVENT_OFF);
    g_ptr_array_add(s->listeners, l);
    return true;
}

bool server_listen_unix(Server *s, const char *path, unsigned mode, gid_t group, bool readonly, GError **err)
{
    ListenAddress address = { 0 };
    int fd = listen_unix(path, mode, group, s->limits.max_queued_clients, &address, err);

    return fd >= 0 && server_add_listener(s, fd, &address, readonly, err);
}

bool server_listen_fd(Server *s, int fd, bool readonly, GError **err)
{
    auto_fd own = fd;
    int listening = 0;
    socklen_t len = sizeof(listening);

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 || !listening) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "file descriptor %d that '%s' was given is not a listening socket",
                  fd, s->name);
        return false;
    }
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC); /* the descriptor is valid, this cannot fail */
    return server_add_listener(s, fd_take(&own), NULL, readonly, err);
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
    s->by_id = g_hash_table_new(g_int64_hash, g_int64_equal);
    s->reserve_fd = -1;
    reserve_fd(s);
    s->watching = server_may_accept(s);
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
    fd_close(&s->reserve_fd);
    g_hash_table_unref(s->by_id);
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
    return s->n_anonymous;
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
