/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Between a volume and a pipe (pump.h). The pipe does not block: what waits for the client looks about once a
 * second, so a slow client is not taken for a dead server, and a cancelled call ends. Data moves without
 * passing through our memory where the file system can do that.
 */
#include "drivers/storage/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/falloc.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/image.h"
#include "util/stream_frame.h"

enum { CHUNK = 1 << 20, BUFFER = 256 * 1024, WAIT_MS = 1000 };

typedef struct Flow {
    const Pump *p;
    const StorageJob *job;
    int fd, pipe;
    uint64_t at, left, size; /* of the volume; left: of what may be moved */
    bool device, copies;     /* copies: splice() does not do it here */
    char *buf;
} Flow;

static void flow_done(Flow *f)
{
    g_free(f->buf);
    if (f->fd != f->p->fd)
        fd_close(&f->fd);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Flow, flow_done)

static uint64_t file_end(int fd)
{
    return (uint64_t)MAX(lseek(fd, 0, SEEK_END), 0);
}

int pump_open(const char *path, bool write, GError **err)
{
    auto_fd fd = image_open(path, write ? O_WRONLY : O_RDONLY);
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

static bool flow_open(Flow *f, const Pump *p, bool write, const StorageJob *job, GError **err)
{
    struct stat st;

    *f = (Flow){ .p = p, .job = job, .fd = p->fd, .pipe = p->pipe, .at = p->offset };
    if (p->fd < 0)
        f->fd = pump_open(p->path, write, err);
    if (f->fd < 0 || !pump_check_range(p->path, p->offset, p->length, err))
        return false;
    f->size = file_end(f->fd);
    f->device = fstat(f->fd, &st) == 0 && S_ISBLK(st.st_mode);
    f->left = p->length ? p->length : INT64_MAX - p->offset;
    /* A reader gets what there is. A file grows under a writer: a fresh image is shorter than what comes into it. */
    if (!write)
        f->left = MIN(f->left, f->size - MIN(f->size, p->offset));
    return fd_set_nonblock(f->pipe, true);
}

static bool fails(const Flow *f, const char *what, GError **err)
{
    error_set_errno(err, errno, "cannot %s volume '%s'", what, f->p->path);
    return false;
}

/* For the client. */
static bool wait_pipe(const Flow *f, short events, GError **err)
{
    struct pollfd p = { f->pipe, events, 0 };

    while (!storage_job_cancelled(f->job, err)) {
        storage_job_alive(f->job);
        if (poll(&p, 1, WAIT_MS) > 0)
            return true;
    }
    return false;
}

static char *buffer(Flow *f)
{
    return f->buf = f->buf ? f->buf : g_malloc(BUFFER);
}

/* Reading ----------------------------------------------------------------------------------------- */

typedef enum Moved { MOVED, MOVE_GONE, MOVE_FAILED } Moved;

static Moved put_bytes(Flow *f, const char *buf, size_t n, GError **err)
{
    for (size_t done = 0; done < n;) {
        ssize_t w = write(f->pipe, buf + done, n - done);
        if (w < 0 && errno == EPIPE)
            return MOVE_GONE;
        if (w < 0 && errno != EAGAIN && errno != EINTR)
            return fails(f, "pass on", err), MOVE_FAILED;
        if (w < 0 && !wait_pipe(f, POLLOUT, err))
            return MOVE_FAILED;
        done += (size_t)MAX(w, 0);
    }
    return MOVED;
}

static Moved put_frame(Flow *f, uint64_t n, bool hole, GError **err)
{
    const StreamFrame frame = { n, hole };
    return put_bytes(f, (const char *)&frame, sizeof(frame), err);
}

/* Up to n bytes from the volume to the pipe; *ret: how many. */
static Moved put_some(Flow *f, uint64_t n, uint64_t *ret, GError **err)
{
    off_t at = (off_t)f->at;

    *ret = 0;
    if (!f->copies) {
        ssize_t r = splice(f->fd, &at, f->pipe, NULL, (size_t)MIN(n, (uint64_t)CHUNK), SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (r >= 0)
            return *ret = (uint64_t)r, MOVED;
        if (errno == EPIPE)
            return MOVE_GONE;
        if (errno == EAGAIN || errno == EINTR)
            return wait_pipe(f, POLLOUT, err) ? MOVED : MOVE_FAILED;
        if (errno != EINVAL)
            return fails(f, "read", err), MOVE_FAILED;
        f->copies = true;
    }
    ssize_t r = pread(f->fd, buffer(f), (size_t)MIN(n, (uint64_t)BUFFER), at);
    if (r < 0 && errno != EINTR)
        return fails(f, "read", err), MOVE_FAILED;
    *ret = (uint64_t)MAX(r, 0);
    return put_bytes(f, f->buf, *ret, err);
}

/* What is there at f->at: so much of data, or a hole. */
static uint64_t stretch(const Flow *f, bool *ret_hole)
{
    off_t data = f->device ? (off_t)f->at : lseek(f->fd, (off_t)f->at, SEEK_DATA), end;

    *ret_hole = false;
    if (data < 0 && errno == ENXIO)
        return *ret_hole = true, f->left;
    if (data > (off_t)f->at)
        return *ret_hole = true, MIN(f->left, (uint64_t)data - f->at);
    end = f->device || data < 0 ? -1 : lseek(f->fd, (off_t)f->at, SEEK_HOLE);
    return end <= (off_t)f->at ? f->left : MIN(f->left, (uint64_t)end - f->at);
}

static Moved put_stretch(Flow *f, uint64_t n, GError **err)
{
    while (n) {
        uint64_t moved;
        Moved how = storage_job_cancelled(f->job, err) ? MOVE_FAILED : put_some(f, n, &moved, err);
        if (how != MOVED)
            return how;
        if (!moved && f->at >= file_end(f->fd)) {
            error_set(err, VIR_ERR_OPERATION_FAILED, "volume '%s' became shorter while it was read", f->p->path);
            return MOVE_FAILED;
        }
        n -= moved;
        f->at += moved;
        f->left -= moved;
        storage_job_alive(f->job);
    }
    return MOVED;
}

bool pump_read(const Pump *p, const StorageJob *job, GError **err)
{
    g_auto(Flow) f = { .p = p, .fd = p->fd };
    Moved how = MOVED;

    if (!flow_open(&f, p, false, job, err))
        return false;
    while (f.left && how == MOVED) {
        bool hole = false;
        uint64_t n = p->framed ? stretch(&f, &hole) : f.left;
        how = p->framed ? put_frame(&f, n, hole, err) : MOVED;
        if (how == MOVED && !hole)
            how = put_stretch(&f, n, err);
        else if (how == MOVED) {
            f.at += n;
            f.left -= n;
        }
    }
    return how != MOVE_FAILED;
}

/* Writing ----------------------------------------------------------------------------------------- */

/* Reads n bytes of the pipe, or none: the end. */
static bool get_bytes(Flow *f, void *buf, size_t n, bool *ret_end, GError **err)
{
    *ret_end = false;
    for (size_t done = 0; done < n;) {
        ssize_t r = read(f->pipe, (char *)buf + done, n - done);
        if (r == 0 && done == 0)
            return *ret_end = true;
        if (r == 0)
            errno = EPIPE;
        if (r == 0 || (r < 0 && errno != EAGAIN && errno != EINTR))
            return fails(f, "receive the content of", err);
        if (r < 0 && !wait_pipe(f, POLLIN, err))
            return false;
        done += (size_t)MAX(r, 0);
    }
    return true;
}

static bool write_all(Flow *f, const char *buf, size_t n, GError **err)
{
    for (size_t done = 0; done < n;) {
        ssize_t w = pwrite(f->fd, buf + done, n - done, (off_t)f->at);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return fails(f, "write", err);
        done += (size_t)w;
        f->at += (uint64_t)w;
        f->left -= (uint64_t)w;
        storage_job_alive(f->job);
    }
    return true;
}

static bool has_room(const Flow *f, uint64_t n, GError **err)
{
    if (n <= f->left)
        return true;
    error_set(err, VIR_ERR_OPERATION_FAILED, "cannot write to stream: more data than the length that was asked for");
    return false;
}

/* Up to n bytes from the pipe to the volume. */
static bool get_some(Flow *f, uint64_t n, uint64_t *ret, bool *ret_end, GError **err)
{
    off_t at = (off_t)f->at;

    *ret = 0;
    *ret_end = false;
    if (!f->copies) {
        ssize_t r = splice(f->pipe, NULL, f->fd, &at, (size_t)MIN(n, (uint64_t)CHUNK), SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (r < 0 && (errno == EAGAIN || errno == EINTR))
            return wait_pipe(f, POLLIN, err);
        if (r >= 0) {
            f->at += (uint64_t)r;
            f->left -= (uint64_t)r;
            *ret = (uint64_t)r;
            *ret_end = r == 0;
            return true;
        }
        if (errno != EINVAL)
            return fails(f, "write", err);
        f->copies = true;
    }
    ssize_t r = read(f->pipe, buffer(f), (size_t)MIN(n, (uint64_t)BUFFER));
    if (r < 0 && (errno == EAGAIN || errno == EINTR))
        return wait_pipe(f, POLLIN, err);
    if (r < 0)
        return fails(f, "receive the content of", err);
    *ret = (uint64_t)r;
    *ret_end = r == 0;
    return write_all(f, f->buf, (size_t)r, err);
}

static bool write_zeros(Flow *f, uint64_t n, GError **err)
{
    g_autofree char *zeros = g_malloc0(BUFFER);

    for (uint64_t done = 0; done < n; done += MIN(n - done, (uint64_t)BUFFER))
        if (storage_job_cancelled(f->job, err) || !write_all(f, zeros, (size_t)MIN(n - done, (uint64_t)BUFFER), err))
            return false;
    return true;
}

/* What was there is zeros then, and takes no room where that can be had. */
static bool get_hole(Flow *f, uint64_t n, GError **err)
{
    const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    uint64_t end = f->at + n;

    if (!has_room(f, n, err))
        return false;
    if (f->device) {
        uint64_t range[2] = { f->at, n };
        if (end > f->size || ioctl(f->fd, BLKZEROOUT, range) < 0)
            return write_zeros(f, n, err);
    } else if (!f->p->length) {
        /* Without a length the volume becomes what the client sends, as with today's daemons. */
        if (ftruncate(f->fd, (off_t)f->at) < 0 || ftruncate(f->fd, (off_t)end) < 0)
            return fails(f, "write", err);
    } else if (fallocate(f->fd, punch, (off_t)f->at, (off_t)n) < 0) {
        return write_zeros(f, n, err);
    } else if (file_end(f->fd) < end && ftruncate(f->fd, (off_t)end) < 0) {
        return fails(f, "write", err);
    }
    f->left -= end - f->at;
    f->at = end;
    return true;
}

static bool write_plain(Flow *f, GError **err)
{
    for (bool end = false; !end;) {
        uint64_t n;
        char one;
        if (storage_job_cancelled(f->job, err))
            return false;
        /* Nothing fits any more: whether more comes is what counts. */
        if (!f->left)
            return get_bytes(f, &one, 1, &end, err) && (end || has_room(f, 1, err));
        if (!get_some(f, f->left, &n, &end, err))
            return false;
        storage_job_alive(f->job);
    }
    return true;
}

static bool write_framed(Flow *f, GError **err)
{
    for (;;) {
        StreamFrame frame;
        bool end = false;
        if (!get_bytes(f, &frame, sizeof(frame), &end, err))
            return false;
        if (end)
            return true;
        if (frame.hole && !get_hole(f, frame.length, err))
            return false;
        for (uint64_t left = frame.hole ? 0 : frame.length, n; left; left -= n) {
            if (storage_job_cancelled(f->job, err) || !has_room(f, 1, err) || !get_some(f, MIN(left, f->left), &n, &end, err))
                return false;
            if (end) {
                errno = EPIPE;
                return fails(f, "receive the content of", err);
            }
            storage_job_alive(f->job);
        }
    }
}

bool pump_write(const Pump *p, const StorageJob *job, GError **err)
{
    g_auto(Flow) f = { .p = p, .fd = p->fd };

    return flow_open(&f, p, true, job, err) && (p->framed ? write_framed(&f, err) : write_plain(&f, err));
}
