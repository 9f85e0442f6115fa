/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Listening sockets of the unix kind: made without a moment in which more people could connect than
 * their mode says, taking over a path only when nobody listens there. Loop thread.
 */
#pragma once

#include "rpc/identity.h"

/* The file of a socket that we made, so that only that one is removed. */
typedef struct ListenAddress {
    char *path; /* NULL: none */
    uint64_t dev, ino;
} ListenAddress;

/* Returns the listening fd, -1 with *err. mode: permission bits; group: -1 leaves it. */
int listen_unix(const char *path, unsigned mode, gid_t group, unsigned backlog, ListenAddress *ret, GError **err);
/* Removes the file if it still is ours, frees the rest. */
void listen_address_remove(ListenAddress *a);
bool listen_is_unix(int fd);
bool listen_has_pending(int fd);
/* May this peer (connected on fd, not root, not our own uid) use the listener? Decided from owner,
 * group and mode of the listener's file: what the kernel checked when the peer connected is checked
 * again, for paths that were reachable when they should not have been. */
bool listen_peer_allowed(const ListenAddress *a, int listen_fd, const Identity *peer, int fd);
