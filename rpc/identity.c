/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Identities. What the kernel says about the peer of a unix socket is the truth about who opened
 * the connection; whom a proxy acts for comes later, by CONNECT_SET_IDENTITY. An Identity is filled
 * by one function and immutable once published; any thread may ref and unref it.
 * Names of users and groups are not looked up here: that may block on a name service.
 */
#include "rpc/identity.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc/system_token.h"
#include "util/error.h"
#include "util/pidref.h"

enum { SELINUX_CONTEXT_MAX = 4096 };

Identity *identity_new(void)
{
    Identity *id = g_new0(Identity, 1);

    g_atomic_ref_count_init(&id->refs);
    return id;
}

Identity *identity_copy(const Identity *id)
{
    Identity *n = identity_new();

    n->has_unix = id->has_unix;
    n->uid = id->uid;
    n->gid = id->gid;
    n->pid = id->pid;
    n->start_time = id->start_time;
    n->user_name = g_strdup(id->user_name);
    n->group_name = g_strdup(id->group_name);
    n->selinux_context = g_strdup(id->selinux_context);
    n->sasl_user = g_strdup(id->sasl_user);
    n->x509_dname = g_strdup(id->x509_dname);
    n->system_token = g_strdup(id->system_token);
    return n;
}

Identity *identity_ref(const Identity *id)
{
    if (id)
        g_atomic_ref_count_inc((gatomicrefcount *)&id->refs);
    return (Identity *)id;
}

Identity *identity_unref(Identity *id)
{
    if (id && g_atomic_ref_count_dec(&id->refs)) {
        g_free(id->user_name);
        g_free(id->group_name);
        g_free(id->selinux_context);
        g_free(id->sasl_user);
        g_free(id->x509_dname);
        system_token_free(id->system_token);
        g_free(id);
    }
    return NULL;
}

char *identity_user(const Identity *id)
{
    if (id && id->has_unix)
        return id->uid == 0 || id->uid == geteuid() ? NULL : g_strdup_printf("uid %u", (unsigned)id->uid);
    if (id && id->sasl_user)
        return g_strdup_printf("SASL user '%s'", id->sasl_user);
    return id && id->x509_dname ? g_strdup_printf("certificate '%s'", id->x509_dname) : g_strdup("users without a name");
}

Identity *identity_of_process(void)
{
    Identity *id = identity_new();

    id->has_unix = true;
    id->uid = geteuid();
    id->gid = getegid();
    id->pid = getpid();
    return id;
}

Identity *identity_from_socket(int fd, GError **err)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0) {
        error_set_errno(err, errno, "cannot learn the credentials of the peer");
        return NULL;
    }

    Identity *id = identity_new();

    id->has_unix = true;
    id->uid = cred.uid;
    id->gid = cred.gid;
    id->pid = cred.pid;

    char context[SELINUX_CONTEXT_MAX + 1];
    static atomic_bool no_labels; /* this kernel has none: no need to ask for each client */

    len = SELINUX_CONTEXT_MAX;
    errno = 0;
    if (!no_labels && getsockopt(fd, SOL_SOCKET, SO_PEERSEC, context, &len) == 0 && len > 0) {
        context[len] = '\0';
        if (context[0])
            id->selinux_context = g_strdup(context);
    } else if (errno == ENOPROTOOPT) {
        no_labels = true;
    }
    return id;
}

uint64_t identity_start_time(const Identity *id)
{
    PidRef p = PIDREF_NONE;

    /* Kept once found: the one member that is written later, always with the same value. */
    uint64_t known = __atomic_load_n(&id->start_time, __ATOMIC_RELAXED);

    if (known || !id->pid)
        return known;
    if (!pidref_from_pid(id->pid, &p, NULL))
        return 0; /* it is gone; the rest of the identity still holds */

    uint64_t start_time = p.start_time;

    pidref_done(&p); /* clears it */
    __atomic_store_n(&((Identity *)id)->start_time, start_time, __ATOMIC_RELAXED);
    return start_time;
}
