/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who a client is: the peer of its socket, or whom the proxy says it acts for. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct Identity {
    gatomicrefcount refs; /* immutable once published */
    bool has_unix;
    uid_t uid;
    gid_t gid;
    pid_t pid;            /* 0: unknown */
    uint64_t start_time;  /* of pid, clock ticks since boot; 0: see identity_start_time() */
    char *user_name, *group_name, *selinux_context, *sasl_user, *x509_dname;
    char *system_token;   /* what it showed as one of the host's daemons, true or not */
} Identity;

Identity *identity_new(void);
/* A new one, to be changed before it is published. */
Identity *identity_copy(const Identity *id);
Identity *identity_ref(const Identity *id);
Identity *identity_unref(Identity *id);
/* Our own. */
Identity *identity_of_process(void);
/* From SO_PEERCRED (and SO_PEERSEC) of a unix socket. */
Identity *identity_from_socket(int fd, GError **err);
/* Start time of pid, read from /proc when the identity does not hold it (that costs more than
 * accepting a connection, and few clients need it); 0: not known. */
uint64_t identity_start_time(const Identity *id);
/* The user, in words that no two users share; NULL: root or our own. id NULL: nobody is known. */
char *identity_user(const Identity *id);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Identity, identity_unref)
