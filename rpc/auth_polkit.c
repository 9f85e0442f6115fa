/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who may connect to a local socket, by polkit: action org.libvirt.unix.manage, or .monitor on the
 * read-only socket. Decided here without the bus: root and our own user, whom nobody could keep
 * out, and members of a configured group. Which groups a client is in the kernel says, as of when it
 * connected; no name service is asked. Loop thread.
 */
#define LOG_SOURCE "rpc.auth"
#include "rpc/auth_polkit.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocols/remote_procs.h"
#include "rpc/server.h"
#include "util/error.h"

static bool is_member(const Client *c, gid_t group)
{
    socklen_t len = 256 * sizeof(gid_t);
    g_autofree gid_t *gids = g_malloc(len);

    if (c->peer->gid == group)
        return true;
    if (getsockopt(conn_fd(c->conn), SOL_SOCKET, SO_PEERGROUPS, gids, &len) < 0) {
        /* With ERANGE len says how much it is; the kernel bounds it. */
        if (errno != ERANGE)
            return false;
        g_free(gids);
        gids = g_malloc(len);
        if (getsockopt(conn_fd(c->conn), SOL_SOCKET, SO_PEERGROUPS, gids, &len) < 0)
            return false;
    }
    for (size_t i = 0; i < len / sizeof(gid_t); i++)
        if (gids[i] == group)
            return true;
    return false;
}

static bool exempt(Client *c, void *data)
{
    const AuthPolkit *ap = data;
    const Identity *who = c->peer;

    if (!who->has_unix)
        return false;
    return who->uid == 0 || who->uid == geteuid() || (ap->group != (gid_t)-1 && is_member(c, ap->group));
}

typedef struct Asked {
    AuthCall *call;
    AuthPolkit *ap;
    const char *action;
} Asked;

static const char *action_of(const Client *c)
{
    return c->readonly ? "org.libvirt.unix.monitor" : "org.libvirt.unix.manage";
}

/* Clients look at source and code: with no agent they start one and come again, when a password was wrong
 * they ask once more. */
static int code_of(PolkitOutcome outcome)
{
    return outcome == POLKIT_NO_AGENT ? VIR_ERR_AUTH_UNAVAILABLE : outcome == POLKIT_DISMISSED ? VIR_ERR_AUTH_CANCELLED
                                                                                                : VIR_ERR_AUTH_FAILED;
}

static void answered(PolkitOutcome outcome, const char *why, void *data)
{
    g_autofree Asked *asked = data;
    AuthCall *call = asked->call;
    const Identity *who = call->client->peer;
    remote_auth_polkit_ret r = { .complete = 1 };
    GError *error = NULL;

    if (outcome == POLKIT_ALLOWED) {
        auth_call_passed(call, (xdrproc_t)xdr_remote_auth_polkit_ret, &r, NULL, NULL);
        return;
    }
    g_autofree char *group = asked->ap->group_name
                                 ? g_strdup_printf(", and members of group '%s' need not ask", asked->ap->group_name)
                                 : g_strdup("");
    error_set(&error, code_of(outcome),
              "polkit action %s for uid %u (process %d): %s; the host's administrator can grant it by a polkit rule%s",
              asked->action, (unsigned)who->uid, (int)who->pid, why, group);
    error_set_source(error, VIR_FROM_POLKIT);
    auth_call_failed(call, error);
}

static void on_call(AuthCall *call, void *data)
{
    AuthPolkit *ap = data;
    Client *c = call->client;
    Asked *asked = g_new(Asked, 1);

    *asked = (Asked){ call, ap, action_of(c) };
    PolkitQuestion q = { c->peer, asked->action, NULL, true };
    polkit_ask(ap->polkit, &q, answered, asked);
}

const AuthBackend auth_polkit = { exempt, on_call, NULL };
