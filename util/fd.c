/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Small helpers for descriptors: whole reads and writes, bounded reading of files. No state, any
 * thread. They block when the descriptor blocks, so not for sockets of the loop thread.
 */
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>

#include "util/error.h"

bool fd_set_nonblock(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0)
        return false;
    flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    return fcntl(fd, F_SETFL, flags) == 0;
}

ssize_t fd_read_all(int fd, void *buf, size_t n)
{
    size_t done = 0;

    while (done < n) {
        ssize_t r = read(fd, (char *)buf + done, n - done);

        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -1;
        if (r == 0)
            break;
        done += (size_t)r;
    }
    return (ssize_t)done;
}

int fd_write_all(int fd, const void *buf, size_t n)
{
    size_t done = 0;

    while (done < n) {
        ssize_t r = write(fd, (const char *)buf + done, n - done);

        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -1;
        done += (size_t)r;
    }
    return 0;
}

/* The size is not asked for: files of /proc say 0, and a file may grow while it is read. */
bool fd_read_file(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len, GError **err)
{
    auto_fd fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    g_autofree char *buf = NULL;
    size_t have = 0, room = MIN(max, 4095);

    if (fd < 0) {
        error_set_errno(err, errno, "cannot open '%s'", path);
        return false;
    }

    buf = g_malloc(room + 1);
    for (;;) {
        ssize_t r = fd_read_all(fd, buf + have, room - have);

        if (r < 0) {
            error_set_errno(err, errno, "cannot read '%s'", path);
            return false;
        }
        have += (size_t)r;
        if (have < room)
            break;

        if (room == max) {
            char more;

            if (fd_read_all(fd, &more, 1) != 0) {
                error_set_errno(err, EFBIG, "cannot read '%s': more than %zu bytes", path, max);
                return false;
            }
            break;
        }
        room = room > max / 2 ? max : room * 2;
        buf = g_realloc(buf, room + 1);
    }

    buf[have] = '\0';
    *ret = g_steal_pointer(&buf);
    if (ret_len)
        *ret_len = have;
    return true;
}
