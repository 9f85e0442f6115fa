/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The proxy's heart: frames are routed by header and never decoded, except the few procedures that
 * are the proxy's own (ROUTE_LOCAL). See docs/architecture.md, "Proxy". Loop thread only.
 */
#pragma once

#include "rpc/server.h"

typedef struct Forwarder Forwarder;

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
/* OpenMetrics text about the connections to daemons. */
void forwarder_render_metrics(Forwarder *f, GString *out);
/* The server on which clients arrive. */
Server *forwarder_serve(Forwarder *f, const char *name, const ServerLimits *limits, UserRegistry *users);
