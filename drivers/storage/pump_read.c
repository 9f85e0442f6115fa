/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a volume into a pipe (pump.h). Data moves without passing through our memory where the file system can do
 * that.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/storage/pump.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/stream_frame.h"

enum { CHUNK = 1 << 20, BUFFER = 256 * 1024 };

typedef struct Flow {
    const Pump *p;
    const StorageJob *job;
    int fd, pipe;
    uint64_t at, left;   /* of the volume; left: of what is to be read */
    bool device, copies; /* copies: splice() does not do it here */
    char *buf;
} Flow;

static Moved put_frame(Flow *f, uint64_t n, bool hole, GError **err)
{
    const StreamFrame frame = { n, hole };
    return pump_put(f->pipe, &frame, sizeof(frame), f->job, err);
}

static Moved fails(const Flow *f, GError **err)
{
    error_set_errno(err, errno, "cannot read volume '%s'", f->p->path);
    return MOVE_FAILED;
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
            return pump_wait(f->pipe, POLLOUT, f->job, err) ? MOVED : MOVE_FAILED;
        if (errno != EINVAL)
            return fails(f, err);
        f->copies = true;
    }
    f->buf = f->buf ? f->buf : g_malloc(BUFFER);
    ssize_t r = pread(f->fd, f->buf, (size_t)MIN(n, (uint64_t)BUFFER), at);
    if (r < 0 && errno != EINTR)
        return fails(f, err);
    *ret = (uint64_t)MAX(r, 0);
    return pump_put(f->pipe, f->buf, *ret, f->job, err);
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
        if (!moved && f->at >= pump_volume_end(f->fd)) {
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

static Moved read_all(Flow *f, GError **err)
{
    Moved how = MOVED;

    while (f->left && how == MOVED) {
        bool hole = false;
        uint64_t n = f->p->framed ? stretch(f, &hole) : f->left;
        how = f->p->framed ? put_frame(f, n, hole, err) : MOVED;
        if (how == MOVED && !hole)
            how = put_stretch(f, n, err);
        else if (how == MOVED) {
            f->at += n;
            f->left -= n;
        }
    }
    return how;
}

bool pump_read(const Pump *p, int pipe, const StorageJob *job, GError **err)
{
    auto_fd own = p->fd < 0 ? pump_open(p->path, false, err) : -1;
    Flow f = { .p = p, .job = job, .fd = p->fd < 0 ? own : p->fd, .pipe = pipe, .at = p->offset };
    struct stat st;

    if (f.fd < 0 || !pump_check_range(p->path, p->offset, p->length, err))
        return false;
    uint64_t size = pump_volume_end(f.fd);
    f.device = fstat(f.fd, &st) == 0 && S_ISBLK(st.st_mode);
    f.left = MIN(p->length ? p->length : UINT64_MAX, size - MIN(size, p->offset));
    (void)fd_set_nonblock(pipe, true);
    bool ok = read_all(&f, err) != MOVE_FAILED;
    g_free(f.buf);
    return ok;
}
