/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a daemon has beyond its local sockets: TCP and TLS listeners, and SASL wherever clients are to
 * pass it. Loop thread.
 */
#pragma once

#include "daemons/daemon.h"

typedef struct Net Net;

/* After sockets_open(), which may have adopted listeners. It cannot fail: what does not work is logged
 * and off, the rest is served. */
Net *net_start(Daemon *d);
/* d->conf has changed. */
void net_reload(Net *n);
/* Reads certificates again; with *err those in force stay. */
bool net_update_tls(Net *n, GError **err);
typedef struct NetTlsState {
    bool wanted, serving;
    const char *trouble; /* with the files as they were read last; borrowed, NULL: none */
    int64_t expires;     /* when serving: the first of our certificates, in seconds since 1970 */
} NetTlsState;
void net_tls_state(const Net *n, NetTlsState *ret);
/* After the servers. */
Net *net_free(Net *n);
