/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one running daemon is made of; shared by the files of this folder. Loop thread. */
#pragma once

#include "daemons/config.h"
#include "daemons/main.h"
#include "daemons/options.h"
#include "rpc/dispatch.h"
#include "rpc/forward.h"

typedef struct Sockets Sockets;
typedef struct Idle Idle;
typedef struct Net Net;
typedef struct AccessSetup AccessSetup;
typedef struct MetricsSocket MetricsSocket;

struct Daemon {
    const DaemonSpec *spec;
    Options options;
    DaemonConf *conf;
    Loop *loop;
    Pool *pool;
    UserRegistry *users;
    Dispatcher *dispatcher;
    Forwarder *forwarder; /* what other daemons serve; virtproxyd and hypervisors only */
    const Driver *driver; /* NULL: none */
    Server *main, *admin;
    Sockets *sockets;
    Net *net;
    bool driver_ready; /* its init() succeeded */
    Idle *idle;
    AccessSetup *access;
    MetricsSocket *metrics; /* NULL: none */
    char *pid_file;
    int pid_fd, ready_fd;
    bool stopping;
};

/* Ends the daemon as SIGTERM does. */
void daemon_stop(Daemon *d);
/* Puts limits, keepalive and who may connect of d->conf in force. */
void daemon_apply_limits(Daemon *d);
