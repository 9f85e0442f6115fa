/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shared by server.c (listening, accepting, the server's life), server_client.c (a client) and
 * server_limits.c (whom there is no place for). Loop thread.
 */
#pragma once

#include "rpc/listen.h"
#include "rpc/server.h"

enum {
    SERVER_BURST_USEC =
        10 * G_USEC_PER_SEC,            /* at most one line about the same trouble in this time */
    SERVER_SWEEP_USEC = G_USEC_PER_SEC, /* how often server_on_sweep() looks */
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

/* Lines about clients, of which there may be BURST_CLIENTS in SERVER_BURST_USEC. Broken frames and refusals count
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
    GQueue anonymous;    /* of Client.anonymous_link, by the time they connected */
    unsigned n_anonymous[_SIDE_N];
    sd_event_source *sweep; /* while there are any */
    uint64_t next_id;
    int reserve_fd;
    uint64_t pressed_until;                        /* local clients push each other out */
    uint64_t limit_logged, fds_logged, tls_logged; /* monotonic usec of the last line */
    LogBurst bad, denied;
    sd_event_source *retry;
    void (*on_count)(void *data);
    void *on_count_data;
};

static inline Side side_of(ListenKind kind)
{
    return kind == LISTEN_TCP || kind == LISTEN_TLS ? SIDE_NETWORK : SIDE_LOCAL;
}

/* server.c */
/* The number of clients, or a limit, has changed. */
void server_update_watching(Server *s);

/* server_client.c */
extern const ConnOps server_conn_ops;
/* Takes the client out of the server and drops the server's reference. */
void server_detach_client(Client *c);
bool server_once_per_burst(uint64_t *last);
void server_log_burst(LogBurst *b, const char *who, const char *why);
void server_burst_end(LogBurst *b);

/* server_limits.c */
void client_leave_anonymous(Client *c);
/* Whether the share of one user, other than the owner, in max_clients is used up. */
bool server_has_its_share(Server *s, const Identity *peer);
void server_count_uid(Server *s, const Client *c, int by);
void server_relieve(Server *s, unsigned n, uint64_t before);
void server_thin_out(Server *s);
bool server_is_pressed(const Server *s);
int server_on_sweep(sd_event_source *src, uint64_t usec, void *server);
