/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes by pidfd and start time. The pidfd is opened before /proc is read and looked at again
 * afterwards: if the process still lives then, what was read in between was its own. A zombie counts
 * as gone. Any thread, one PidRef by one thread at a time.
 */
#include "util/pidref.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "util/error.h"
#include "util/fd.h"

/* 1 ended, 0 lives, -1 with errno. */
static int pidfd_ended(int fd, int timeout_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int r = poll(&p, 1, timeout_ms);

    if (r > 0)
        return p.revents & POLLNVAL ? (errno = EBADF, -1) : 1;
    return r;
}

/* Field 22 of the stat file. The second field is the name, which may hold blanks and parentheses
 * of its own: the fields are counted from the last ')'. False: no such process, or nonsense. */
static bool read_start_time(pid_t pid, uint64_t *ret)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid), *text = NULL;
    const char *p;
    uint64_t v;
    char *end;

    if (!fd_read_file(AT_FDCWD, path, 4096, &text, NULL, NULL))
        return false;
    p = strrchr(text, ')');
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' '); /* the blank before the next field */
    if (!p)
        return false;
    errno = 0;
    v = g_ascii_strtoull(p + 1, &end, 10);
    if (errno != 0 || end == p + 1)
        return false;
    *ret = v;
    return true;
}

static int open_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by definition */
}

bool pidref_from_pid(pid_t pid, PidRef *ret, GError **err)
{
    auto_fd fd = pid > 0 ? open_pidfd(pid) : (errno = ESRCH, -1);
    uint64_t start = 0;

    if (fd < 0) {
        error_set_errno(err, errno, "cannot open process %d", (int)pid);
        return false;
    }
    if (!read_start_time(pid, &start)) {
        error_set_errno(err, ESRCH, "cannot read the start time of process %d", (int)pid);
        return false;
    }
    *ret = (PidRef){ .pid = pid, .start_time = start, .fd = fd_take(&fd) };
    return true;
}

int pidref_reopen(PidRef *p, GError **err)
{
    auto_fd fd = -1;
    uint64_t start = 0;
    int ended;

    fd_close(&p->fd);
    if (p->pid <= 0)
        return 0;
    fd = open_pidfd(p->pid);
    if (fd < 0 && (errno == ESRCH || errno == EINVAL)) /* EINVAL: the number is a thread's now */
        return 0;
    if (fd < 0) {
        error_set_errno(err, errno, "cannot open process %d", (int)p->pid);
        return -1;
    }
    if (!read_start_time(p->pid, &start) || start != p->start_time)
        return 0;
    ended = pidfd_ended(fd, 0);
    if (ended < 0) {
        error_set_errno(err, errno, "cannot look at process %d", (int)p->pid);
        return -1;
    }
    if (ended)
        return 0;
    p->fd = fd_take(&fd);
    return 1;
}

bool pidref_alive(const PidRef *p)
{
    if (p->pid <= 0)
        return false;
    if (p->fd >= 0)
        return pidfd_ended(p->fd, 0) == 0;

    PidRef again = { .pid = p->pid, .start_time = p->start_time, .fd = -1 };
    bool alive = pidref_reopen(&again, NULL) == 1;

    pidref_done(&again);
    return alive;
}

bool pidref_kill(const PidRef *p, int sig, GError **err)
{
    PidRef again = { .pid = p->pid, .start_time = p->start_time, .fd = -1 };
    int fd = p->fd, r;

    if (fd < 0) {
        r = pidref_reopen(&again, err);
        if (r < 0)
            return false;
        if (r == 0) {
            error_set_errno(err, ESRCH, "cannot send signal %d to process %d", sig, (int)p->pid);
            return false;
        }
        fd = again.fd;
    }
    r = (int)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
    if (r < 0)
        error_set_errno(err, errno, "cannot send signal %d to process %d", sig, (int)p->pid);
    pidref_done(&again);
    return r == 0;
}

int pidref_wait(const PidRef *p, uint64_t usec, GError **err)
{
    uint64_t ms = usec / 1000 + (usec % 1000 != 0);
    PidRef again = { .pid = p->pid, .start_time = p->start_time, .fd = -1 };
    gint64 deadline = g_get_monotonic_time() + (gint64)MIN(usec, (uint64_t)G_MAXINT64 / 4);
    int fd = p->fd, r;

    if (fd < 0) {
        r = pidref_reopen(&again, err);
        if (r <= 0)
            return r < 0 ? -1 : 1;
        fd = again.fd;
    }
    while ((r = pidfd_ended(fd, (int)MIN(ms, 1000 * 1000))) <= 0) {
        gint64 left = deadline - g_get_monotonic_time();

        if (r < 0 && errno != EINTR) {
            error_set_errno(err, errno, "cannot wait for process %d", (int)p->pid);
            break;
        }
        if (left <= 0) {
            r = 0;
            break;
        }
        ms = (uint64_t)left / 1000 + 1;
    }
    pidref_done(&again);
    return r;
}

void pidref_done(PidRef *p)
{
    fd_close(&p->fd);
    *p = PIDREF_NONE;
}
