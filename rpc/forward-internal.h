/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shared by forward.c (routing), forward_local.c (the proxy's own procedures), forward_uri.c (which daemon
 * serves a URI) and upstream.c (a connection to a daemon). Loop thread only.
 */
#pragma once

#include "rpc/forward.h"

/* The numbers of features that the proxy answers for itself. */
enum { FEATURE_FD_PASSING = 8, FEATURE_KEEPALIVE = 10 };

enum {
    PARKED_MAX = 1 << 20,   /* bytes that wait for one upstream to open; then the client pauses */
    /* Some frames of a stream: below 'low' the other side goes on, and must be in time. */
    UPSTREAM_LOW = 512 << 10, UPSTREAM_HIGH = 2 << 20,
    CLIENT_LOW = 512 << 10, CLIENT_HIGH = 1 << 20,
};

typedef enum UpstreamState { UP_CONNECTING, UP_AUTH, UP_IDENTITY, UP_OPEN, UP_READY } UpstreamState;

/* A call of the client that a secondary daemon has not answered, or a stream that it serves. */
typedef struct Pending {
    uint32_t prog, vers;
    int32_t proc;
    uint32_t serial;
    bool is_stream;
} Pending;

/* Calls that were forwarded lately, by serial: when the answer comes it is known how long it took. Who
 * has more in flight is not counted completely. */
enum { TIMED_CALLS = 16 };

typedef struct TimedCall {
    uint64_t since; /* 0: none */
    uint32_t prog, serial;
    int32_t proc;
} TimedCall;

typedef struct Upstream {
    Session *s;
    Route target;
    const char *daemon; /* "virtnetworkd"; static */
    UpstreamState state;
    bool identified, opened; /* in this order, so that opening is already the client's doing */
    Conn *conn;
    sd_event_source *timer; /* the handshake's deadline */
    sd_event_source *retry; /* the daemon's backlog is full, or we have just started it */
    uint64_t started;       /* when we started the daemon; 0: somebody else does */
    uint32_t serial;        /* of the proxy's own calls */
    GQueue parked;          /* Message; until READY */
    size_t parked_bytes;
    bool parked_pause;      /* the client is paused because of them */
    bool congested;         /* the client is paused because the daemon does not read */
    GArray *pending;        /* Pending; secondaries only, NULL until needed */
    unsigned n_subscribed;  /* kinds of events that the client waits for; secondaries only */
    TimedCall timed[TIMED_CALLS];
} Upstream;

struct Session {
    Forwarder *f;
    GList link; /* of f->sessions */
    Client *client;
    bool opening, open;
    bool congested;    /* the client does not take what we send */
    MsgHeader open_call;
    char *name;        /* of CONNECT_OPEN, or what a probe found; NULL before */
    unsigned flags;
    const char *daemon; /* of the primary; static; NULL: ourselves */
    Upstream *up[_ROUTE_N];
};

struct Forwarder {
    Loop *loop;
    char *run_dir;
    unsigned open_timeout_sec;
    bool session_mode;
    Server *server; /* NULL: sessions are those of another server */
    GQueue sessions; /* Session.link */
    struct Metrics *metrics;
};

/* forward.c */
void session_reply_error(Session *s, const MsgHeader *call, const GError *error);
void session_drop_upstreams(Session *s);

/* forward_local.c */
void forward_local_call(Session *s, Message *m);
/* The primary is open (failure NULL), or could not be opened: failure is a ready error payload. */
void forward_primary_done(Session *s, const Message *failure);

/* forward_uri.c. The name of a daemon that is there, static, NULL with *err. ret_scheme: static. */
const char *forward_daemon_probe(const char *run_dir, bool readonly, const char **ret_scheme, GError **err);
/* URI scheme of a secondary route; NULL for local and primary. */
const char *forward_scheme_of_route(Route r);

/* upstream.c */
/* Opens s->daemon; the result comes by forward_primary_done(), maybe before this returns. */
void upstream_open_primary(Session *s);
void upstream_client_congested(Upstream *u, bool on);
Upstream *upstream_free(Upstream *u);
