/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Connecting again. What was in flight when the connection ended has failed, and its owners were told: a
 * call may have been carried out, so none is ever sent twice. What belongs to a connection is made
 * anew: it is opened as before, and the owner subscribes again. One thread.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "libclient/client-internal.h"
#include "util/error.h"
#include "util/fd.h"

enum { FIRST_PAUSE_USEC = 10000, LAST_PAUSE_USEC = 500000 };

int client_dial(const char *socket_path, GError **err)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(socket_path) >= sizeof(addr.sun_path)) {
        error_set(err, VIR_ERR_INVALID_ARG, "socket path '%s' is too long", socket_path);
        return -1;
    }
    memcpy(addr.sun_path, socket_path, strlen(socket_path));
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        error_set_errno(err, errno, "cannot connect to '%s'", socket_path);
        return -1;
    }
    return fd_take(&fd);
}

void rpc_client_set_reconnect(RpcClient *c, unsigned sec, RpcAgainFn again, void *data)
{
    c->reconnect_usec = (uint64_t)sec * G_USEC_PER_SEC;
    c->again = again;
    c->again_data = data;
}

/* One attempt: connected, open as before, and the owner has what it had. */
static bool attempt(RpcClient *c, GError **err)
{
    int fd = client_dial(c->path, err);

    if (fd < 0 || !client_attach(c, fd, err))
        return false;
    if (c->is_open && !rpc_client_open(c, c->uri, c->open_flags, err))
        return false;
    return !c->again || c->again(c, c->again_data, err);
}

bool rpc_client_reconnect(RpcClient *c, GError **err)
{
    uint64_t end = now_usec() + c->reconnect_usec, pause = FIRST_PAUSE_USEC;

    if (!c->path) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "the connection was not made by path, so it cannot be made again");
        return false;
    }
    c->reconnecting = true; /* calls from here on do not begin this anew */
    for (;;) {
        g_autoptr(GError) why = NULL;
        bool ok;

        client_detach(c);
        ok = attempt(c, &why);
        if (ok || now_usec() + pause >= end) {
            c->reconnecting = false;
            if (!ok) {
                client_detach(c);
                g_propagate_prefixed_error(err, g_steal_pointer(&why), "the daemon has not come back: ");
            }
            return ok;
        }
        g_usleep(pause);
        pause = MIN(2 * pause, LAST_PAUSE_USEC);
    }
}
