/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sockets by path. A path that does not fit into sun_path is reached through its directory's
 * descriptor in /proc/self/fd. Pure system calls, any thread; nothing blocks.
 */
#include "drivers/qemu/unix_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "util/error.h"
#include "util/fd.h"

/* Fills addr; *dir must stay open as long as addr is used. */
static bool address(const char *path, struct sockaddr_un *addr, int *dir, GError **err)
{
    *addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (strlen(path) < sizeof(addr->sun_path)) {
        memcpy(addr->sun_path, path, strlen(path) + 1);
        return true;
    }

    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);
    *dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*dir < 0) {
        error_set_errno(err, errno, "cannot open directory '%s'", folder);
        return false;
    }
    int n = snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d/%s", *dir, name);
    if (n < 0 || (size_t)n >= sizeof(addr->sun_path)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "socket name '%s' is too long", name);
        return false;
    }
    return true;
}

int unix_path_connect(const char *path, GError **err)
{
    auto_fd dir = -1;
    auto_fd fd = -1;
    struct sockaddr_un addr;

    if (!address(path, &addr, &dir, err))
        return -1;

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        error_set_errno(err, errno, "cannot create a socket");
        return -1;
    }
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        if (errno == EAGAIN)
            return -2;
        error_set_errno(err, errno, "cannot connect to '%s'", path);
        return -1;
    }
    return fd_take(&fd);
}

int unix_path_listen(const char *path, unsigned mode, int backlog, GError **err)
{
    auto_fd dir = -1;
    auto_fd fd = -1;
    struct sockaddr_un addr;

    if (!address(path, &addr, &dir, err))
        return -1;
    if (unlink(addr.sun_path) < 0 && errno != ENOENT) {
        error_set_errno(err, errno, "cannot remove '%s'", path);
        return -1;
    }

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        error_set_errno(err, errno, "cannot create a socket");
        return -1;
    }
    /* The mode of the socket's inode becomes the file's, so that it is never wider. */
    if (fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
        listen(fd, backlog) < 0) {
        error_set_errno(err, errno, "cannot listen on '%s'", path);
        return -1;
    }
    return fd_take(&fd);
}
