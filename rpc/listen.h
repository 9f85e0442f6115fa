/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Listening sockets. Of the unix kind: made without a moment in which more people could connect than
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
enum { LISTEN_INET_MAX = 8 };
/* TCP sockets on an address (NULL: all of this host) and a port or service name, one for IPv4 and one for
 * IPv6; returns how many, 0 with *err. May ask a name service when the address is a name. */
unsigned listen_inet(const char *address, const char *service, unsigned backlog, int fds[LISTEN_INET_MAX], GError **err);
/* "192.0.2.1:4711" or "[2001:db8::1]:4711", allocated, of who is connected on fd; *ret_origin: its
 * host, for IPv6 its /64. */
char *listen_peer_address(int fd, uint64_t *ret_origin);
bool listen_is_unix(int fd);
bool listen_has_pending(int fd);
/* May this peer (connected on fd, not root, not our own uid) use the listener? Decided from owner,
 * group and mode of the listener's file: what the kernel checked when the peer connected is checked
 * again, for paths that were reachable when they should not have been. */
bool listen_peer_allowed(const ListenAddress *a, int listen_fd, const Identity *peer, int fd);
