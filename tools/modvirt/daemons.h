/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by the commands that talk to running daemons. */
#pragma once

#include <stddef.h>

#include "libclient/client.h"

typedef struct DaemonName {
    const char *name, *socket; /* "virtproxyd", "libvirt" */
    const char *what;
} DaemonName;

extern const DaemonName daemon_names[]; /* ends with name NULL */

/* The admin socket of a daemon; the path is free for the caller to free. False: there is no such daemon. */
bool daemon_admin_path(const char *daemon, char **ret_path);
/* Connected to it, with nothing open: to its own socket, or through the proxy that was named. */
RpcClient *daemon_connect(const char *daemon, GError **err);
bool daemon_is_there(const char *daemon);
