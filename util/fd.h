/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* File descriptors: closed exactly once, close-on-exec from birth; negative means none. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <unistd.h>

static inline void fd_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* nothing can be done about a failed close */
    *fd = -1;
}
#define auto_fd __attribute__((cleanup(fd_close))) int

static inline int fd_take(int *fd)
{
    int r = *fd;
    *fd = -1;
    return r;
}

bool fd_set_nonblock(int fd, bool on);
/* Whole buffers despite EINTR and short counts; -1 with errno on failure. */
ssize_t fd_read_all(int fd, void *buf, size_t n);
int fd_write_all(int fd, const void *buf, size_t n);
/* Reads a regular or proc file of at most max bytes; adds a NUL that *ret_len does not count. */
bool fd_read_file(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len, GError **err);
