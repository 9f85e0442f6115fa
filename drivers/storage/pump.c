/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What reading and writing of volumes have in common (pump.h). A pipe does not block: who waits for its other end
 * looks about once a second, so a slow client is not taken for a dead server, and a cancelled call ends.
 */
#include "drivers/storage/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/storage/volume_file.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"

enum { WAIT_MS = 1000 };

int pump_open(const char *path, bool write, GError **err)
{
    auto_fd fd = volume_open(path, write ? O_WRONLY : O_RDONLY);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        error_set_errno(err, errno, "cannot open volume '%s'", path);
        return -1;
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "volume '%s' is neither a file nor a block device", path);
        return -1;
    }
    (void)fd_set_nonblock(fd, false);
    return fd_take(&fd);
}

bool pump_check_range(const char *path, uint64_t offset, uint64_t length, GError **err)
{
    if (offset <= INT64_MAX && length <= INT64_MAX - offset)
        return true;
    error_set(err, VIR_ERR_INVALID_ARG,
              "offset %" G_GUINT64_FORMAT " and length %" G_GUINT64_FORMAT " are more than volume '%s' can ever have", offset,
              length, path);
    return false;
}

uint64_t pump_volume_end(int fd)
{
    return (uint64_t)MAX(lseek(fd, 0, SEEK_END), 0);
}

bool pump_wait(int pipe, short events, const StorageJob *job, GError **err)
{
    struct pollfd p = { pipe, events, 0 };

    while (!storage_job_cancelled(job, err)) {
        storage_job_alive(job);
        if (poll(&p, 1, WAIT_MS) > 0)
            return true;
    }
    return false;
}

Moved pump_put(int pipe, const void *buf, size_t n, const StorageJob *job, GError **err)
{
    for (size_t done = 0; done < n;) {
        ssize_t w = write(pipe, (const char *)buf + done, n - done);
        if (w < 0 && errno == EPIPE)
            return MOVE_GONE;
        if (w < 0 && errno != EAGAIN && errno != EINTR) {
            error_set_errno(err, errno, "cannot pass on what is read");
            return MOVE_FAILED;
        }
        if (w < 0 && !pump_wait(pipe, POLLOUT, job, err))
            return MOVE_FAILED;
        done += (size_t)MAX(w, 0);
    }
    return MOVED;
}
