/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A Server: listening sockets of one service ("virtqemud", "admin"), its clients and their limits.
 * It accepts, authenticates the peer's credentials, counts, and hands messages to its ServerOps
 * (dispatch.c in a daemon, forward.c in the proxy). Loop thread, unless said otherwise.
 */
#pragma once

#include "rpc/authn.h"
#include "rpc/conn.h"
#include "rpc/identity.h"

typedef struct Server Server;
typedef struct Daemon Daemon;

typedef struct ServerLimits {
    unsigned max_clients;           /* 5000 */
    unsigned max_queued_clients;    /* listen backlog, 1000 */
    unsigned max_anonymous_clients; /* not yet authenticated, 20 */
    unsigned max_client_requests;   /* in flight per client, 5 */
    unsigned keepalive_interval, keepalive_count;
} ServerLimits;

typedef struct ServerOps {
    bool (*opened)(Client *c, void *data);             /* false: refuse; closed is not called */
    void (*message)(Client *c, Message *m, void *data);/* borrowed */
    /* May be NULL. The client's input is paused meanwhile by the server itself. */
    void (*congested)(Client *c, bool on, void *data);
    void (*closed)(Client *c, void *data);             /* last word about this client */
} ServerOps;

/* Fields are the loop thread's; id, loop, conn, peer and readonly never change. */
struct Client {
    gatomicrefcount refs;
    Loop *loop;
    Server *server;       /* NULL once closed */
    Conn *conn;
    uint64_t id;
    int64_t connected_at; /* seconds since the epoch */
    ListenKind kind;      /* of the listener that accepted it */
    bool readonly;        /* accepted on a read-only socket */
    bool authenticated;
    bool anonymous;       /* counted as such: not authenticated and not on its way out */
    bool opened;          /* the owner took it, and will hear of its end */
    bool closing;
    char *address;        /* "192.0.2.1:4711"; NULL: a unix socket */
    uint64_t origin;      /* of a network client: its host, as far as limits go */
    uint64_t since;       /* usec, when it connected */
    Identity *peer;       /* of the socket and, after the handshake, of the certificate */
    Identity *identity;   /* whom it acts for; == peer until CONNECT_SET_IDENTITY */
    User *user;
    AuthState auth;       /* authn.c */
    void *data;           /* of ServerOps' owner: ClientState of dispatch.c, Session of forward.c */
    GList link, anonymous_link;
};

/* Makes the transport of a TLS client; NULL with *err. */
typedef ConnTransport *(*TlsMaker)(void *context, GError **err);

Server *server_new(Loop *loop, const char *name, const ServerLimits *limits, UserRegistry *users,
                   const ServerOps *ops, void *data);
Server *server_free(Server *s); /* closes listeners and clients; ops->closed is called for each */
/* Listens on a path (made with mode and group; -1: leave the group) or adopts a listening fd. */
bool server_listen_unix(Server *s, const char *path, unsigned mode, gid_t group, bool readonly, GError **err);
bool server_listen_fd(Server *s, int fd, bool readonly, GError **err);
/* LISTEN_TCP or LISTEN_TLS: on a numeric or named address (NULL: all, IPv4 and IPv6), or an adopted
 * fd. A host without one of the two families is served by the other. */
bool server_listen_inet(Server *s, ListenKind kind, const char *address, const char *service, GError **err);
bool server_listen_inet_fd(Server *s, ListenKind kind, int fd, GError **err);
void server_close_listeners(Server *s, ListenKind kind);
bool server_is_listening(const Server *s, ListenKind kind);
/* For clients of LISTEN_TLS that come from now on; make NULL: they are sent away. */
void server_set_tls(Server *s, TlsMaker make, void *context);
/* Two-phase idle exit: stop accepting, later go on again or stay stopped. */
void server_set_accepting(Server *s, bool on);
/* Only root and our own uid may connect, whatever the sockets' modes say: administration, and
 * daemons of a user's session. */
void server_set_owner_only(Server *s, bool on);
/* True when a connection waits in a listener's backlog. */
bool server_has_pending(Server *s);

const char *server_name(const Server *s);
Loop *server_loop(const Server *s);
/* What clients that connect from now on must pass; all none in the beginning. */
AuthPolicy *server_auth(Server *s);
ServerLimits *server_limits(Server *s); /* change, then server_apply_limits() */
void server_apply_limits(Server *s);
unsigned server_n_clients(const Server *s);
unsigned server_n_anonymous(const Server *s);
Client *server_find_client(Server *s, uint64_t id);
void server_foreach_client(Server *s, void (*fn)(Client *c, void *data), void *data);
void server_set_on_count(Server *s, void (*fn)(void *data), void *data); /* number of clients changed */

Client *client_ref(Client *c);
Client *client_unref(Client *c); /* any thread; freed on the loop thread */
void client_send(Client *c, Message *m); /* any thread */
/* It speaks for somebody else from now on (taken). Loop thread. */
void client_act_for(Client *c, Identity *who);
void client_close(Client *c, bool flush);
/* One line about a client that is closed for what it did, or none when there were many lately. */
void client_log_bad(Client *c, const char *why);
/* The same about a client that is refused. */
void client_log_denied(Client *c, const char *why);
void client_set_authenticated(Client *c); /* lifts the frame bound, leaves the anonymous count */
