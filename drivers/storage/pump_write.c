/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What comes into a volume, piece by piece (pump.h): data is written, a hole is zeros afterwards and takes no room
 * where that can be had. Between two processes pieces pass a pipe, each behind its head (util/stream_frame.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/storage/pump.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/stream_frame.h"

/* SYNC: so little that even a slow server has it before it is taken for a dead one. */
enum { BUFFER = 256 * 1024, SYNC = 16 << 20 };

typedef struct Flow {
    const Pump *p;
    const StorageJob *job;
    int fd;
    uint64_t at, left; /* of the volume; left: of what may be written */
    uint64_t unsynced;
    bool device;
} Flow;

static bool fails(const Flow *f, const char *what, GError **err)
{
    error_set_errno(err, errno, "cannot %s volume '%s'", what, f->p->path);
    return false;
}

static bool write_all(Flow *f, const uint8_t *buf, size_t n, GError **err)
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
        f->unsynced += (uint64_t)w;
        storage_job_alive(f->job);
    }
    return true;
}

static bool has_room(const Flow *f, uint64_t n, GError **err)
{
    if (n <= f->left)
        return true;
    error_set(err, VIR_ERR_OPERATION_FAILED, "cannot write to stream: more data for volume '%s' than the %" G_GUINT64_FORMAT " bytes that were asked for",
              f->p->path, f->p->length);
    return false;
}

/* What fits is written. */
static bool write_piece(Flow *f, const uint8_t *bytes, uint64_t n, GError **err)
{
    uint64_t fits = MIN(n, f->left);

    return write_all(f, bytes, (size_t)fits, err) && has_room(f, n - fits, err);
}

static bool write_zeros(Flow *f, uint64_t n, GError **err)
{
    g_autofree uint8_t *zeros = g_malloc0(BUFFER);

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
        if (end > pump_volume_end(f->fd) || ioctl(f->fd, BLKZEROOUT, range) < 0)
            return write_zeros(f, n, err);
    } else if (!f->p->length) {
        /* Without a length the volume becomes what the client sends, as with today's daemons. */
        if (ftruncate(f->fd, (off_t)f->at) < 0 || ftruncate(f->fd, (off_t)end) < 0)
            return fails(f, "write", err);
    } else if (fallocate(f->fd, punch, (off_t)f->at, (off_t)n) < 0) {
        return write_zeros(f, n, err);
    } else if (pump_volume_end(f->fd) < end && ftruncate(f->fd, (off_t)end) < 0) {
        return fails(f, "write", err);
    }
    f->left -= end - f->at;
    f->at = end;
    return true;
}

/* When more than that has been written since the last time. */
static bool sync_volume(Flow *f, uint64_t more_than, GError **err)
{
    if (!f->p->synced || f->unsynced < more_than)
        return true;
    f->unsynced = 0;
    storage_job_alive(f->job);
    return fdatasync(f->fd) == 0 || fails(f, "write", err);
}

bool pump_write(const Pump *p, const PumpSource *from, const StorageJob *job, GError **err)
{
    auto_fd own = p->fd < 0 ? pump_open(p->path, true, err) : -1;
    /* The file may grow: a fresh image is shorter than what comes into it. */
    Flow f = { .p = p, .job = job, .fd = p->fd < 0 ? own : p->fd, .at = p->offset };
    PumpPiece piece;
    struct stat st;

    if (f.fd < 0 || !pump_check_range(p->path, p->offset, p->length, err))
        return false;
    f.left = p->length ? p->length : INT64_MAX - p->offset;
    f.device = fstat(f.fd, &st) == 0 && S_ISBLK(st.st_mode);
    while (from->next(from->data, &piece, err)) {
        if (!piece.n)
            return sync_volume(&f, 0, err);
        if (storage_job_cancelled(job, err) ||
            !(piece.bytes ? write_piece(&f, piece.bytes, piece.n, err) : get_hole(&f, piece.n, err)) || !sync_volume(&f, SYNC, err))
            return false;
    }
    return false;
}

/* Through a pipe --------------------------------------------------------------------------------- */

bool pump_forward(const PumpSource *from, int pipe, const StorageJob *job, GError **err)
{
    Moved how = MOVED;
    PumpPiece piece;

    (void)fd_set_nonblock(pipe, true);
    while (how == MOVED) {
        if (!from->next(from->data, &piece, err))
            return false;
        if (!piece.n)
            return true;
        const StreamFrame frame = { piece.n, !piece.bytes };
        how = pump_put(pipe, &frame, sizeof(frame), job, err);
        if (how == MOVED && piece.bytes)
            how = pump_put(pipe, piece.bytes, piece.n, job, err);
    }
    return how == MOVE_GONE;
}

typedef struct PipeSource {
    int pipe;
    const StorageJob *job;
    uint64_t left; /* of the present stretch */
    uint8_t *buf;
} PipeSource;

/* Up to n bytes; 0: the end. -1 with *err. */
static ssize_t get_some(const PipeSource *s, void *buf, size_t n, GError **err)
{
    for (;;) {
        ssize_t r = read(s->pipe, buf, n);
        if (r >= 0)
            return r;
        if (errno != EAGAIN && errno != EINTR) {
            error_set_errno(err, errno, "cannot receive what is to be written");
            return -1;
        }
        if (!pump_wait(s->pipe, POLLIN, s->job, err))
            return -1;
    }
}

static bool cut_off(GError **err)
{
    error_set(err, VIR_ERR_OPERATION_FAILED, "what is to be written was cut off");
    return false;
}

static bool get_head(PipeSource *s, StreamFrame *ret, bool *ret_end, GError **err)
{
    *ret_end = false;
    for (size_t done = 0; done < sizeof(*ret);) {
        ssize_t r = get_some(s, (char *)ret + done, sizeof(*ret) - done, err);
        if (r < 0)
            return false;
        if (r == 0 && done)
            return cut_off(err);
        if (r == 0)
            return *ret_end = true;
        done += (size_t)r;
    }
    return true;
}

static bool next_of_pipe(void *data, PumpPiece *ret, GError **err)
{
    PipeSource *s = data;
    StreamFrame head = { 0 };
    bool end;

    *ret = (PumpPiece){ 0 };
    while (!s->left) {
        if (!get_head(s, &head, &end, err))
            return false;
        if (end)
            return true;
        if (head.hole && head.length) {
            ret->n = head.length;
            return true;
        }
        s->left = head.length;
    }
    ssize_t n = get_some(s, s->buf, (size_t)MIN(s->left, (uint64_t)BUFFER), err);
    if (n <= 0)
        return n == 0 && cut_off(err);
    s->left -= (uint64_t)n;
    *ret = (PumpPiece){ s->buf, (uint64_t)n };
    return true;
}

bool pump_write_pipe(const Pump *p, int pipe, const StorageJob *job, GError **err)
{
    g_autofree uint8_t *buf = g_malloc(BUFFER);
    PipeSource s = { .pipe = pipe, .job = job, .buf = buf };
    const PumpSource from = { next_of_pipe, &s };

    (void)fd_set_nonblock(pipe, true);
    return pump_write(p, &from, job, err);
}
