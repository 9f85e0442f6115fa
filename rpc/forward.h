/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The proxy's heart: frames are routed by header and never decoded, except the few procedures that
 * are the proxy's own (ROUTE_LOCAL). See docs/architecture.md, "Proxy". A hypervisor's daemon has one, too:
 * its clients find storage, secrets and networks on the same connection. Loop thread only.
 */
#pragma once

#include "protocols/proc.h"
#include "rpc/server.h"

typedef struct Forwarder Forwarder;
/* One client and its connections to daemons. */
typedef struct Session Session;

typedef struct ForwarderConfig {
    const char *run_dir; /* where virtqemud-sock and its siblings are */
    unsigned open_timeout_sec; /* handshake with an upstream; 0: 30 */
    bool session;              /* a user's own daemons: secondaries are opened as ".../session" */
    struct Metrics *metrics;   /* where forwarded calls are counted; NULL: nowhere */
} ForwarderConfig;

Forwarder *forwarder_new(Loop *loop, const ForwarderConfig *cfg);
Forwarder *forwarder_free(Forwarder *f);
/* Name of the daemon that serves a URI; static, NULL with *err. Any thread. */
const char *forward_daemon_of_uri(const char *uri, GError **err);
/* Whether clients of this daemon may expect to reach the secondary ones through it. Any thread. */
bool forward_is_hypervisor(const char *daemon);
/* Daemon of a secondary route; static, NULL for the others. Any thread. */
const char *forward_daemon_of_route(Route r);
/* OpenMetrics text about the connections to daemons. */
void forwarder_render_metrics(Forwarder *f, GString *out);
/* The server on which clients arrive. */
Server *forwarder_serve(Forwarder *f, const char *name, const ServerLimits *limits, UserRegistry *users);

/* For a daemon that has opened the connection itself and hands over only what secondary daemons serve. */
Session *session_new(Forwarder *f, Client *c, bool readonly);
Session *session_free(Session *s);
/* Sends a message of the client to the daemon of a route, which a call opens when it is not open; keeps
 * it while that is being opened. Stream frames for a daemon that is not open are dropped. */
void session_forward(Session *s, Route target, Message *m);
/* The client does not take what we send, or does again. */
void session_congested(Session *s, bool on);
/* The next call opens the secondary daemons anew: for another identity, or after the client's close. */
void session_drop_secondaries(Session *s);
