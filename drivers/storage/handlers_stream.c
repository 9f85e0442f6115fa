/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Upload and download. A download goes through a pipe, or a socket when its holes are to be told, which a worker
 * fills, so that a slow disk holds up nobody but its reader. An upload is written by the stream itself: its end
 * is answered when all is written.
 */
#define LOG_SOURCE "storage.stream"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "drivers/storage/handlers.h"
#include "rpc/stream.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/image.h"
#include "util/log.h"

enum { CHUNK = 256 * 1024, PIPE_SIZE = 1 << 20 };

static int open_volume(const StorageVolView *v, int flags, uint64_t *ret_size, GError **err)
{
    auto_fd fd = image_open(v->path, flags);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        error_set_errno(err, errno, "cannot open volume '%s'", v->path);
        return -1;
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "volume '%s' is neither a file nor a block device", v->vol_name);
        return -1;
    }
    off_t end = lseek(fd, 0, SEEK_END);
    *ret_size = end < 0 ? 0 : (uint64_t)end;
    (void)fd_set_nonblock(fd, false);
    return fd_take(&fd);
}

static bool check_range(const StorageVolView *v, uint64_t offset, uint64_t length, uint64_t size, GError **err)
{
    if (offset <= size && length <= size - offset)
        return true;
    error_set(err, VIR_ERR_INVALID_ARG,
              "offset %" G_GUINT64_FORMAT " and length %" G_GUINT64_FORMAT " are beyond the end of volume '%s' (%" G_GUINT64_FORMAT
              " bytes)", offset, length, v->vol_name, size);
    return false;
}

typedef struct Copy {
    int from, to;
    off_t at;
    uint64_t left;
} Copy;

static void copy_free(Copy *c)
{
    fd_close(&c->from);
    fd_close(&c->to);
    g_free(c);
}

/* The reader's end being closed ends it. */
static void copy_to_pipe(void *data)
{
    Copy *c = data;

    while (c->left) {
        ssize_t n = splice(c->from, &c->at, c->to, NULL, (size_t)MIN(c->left, (uint64_t)CHUNK), SPLICE_F_MOVE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        c->left -= (uint64_t)n;
    }
    copy_free(c);
}

/* False when nobody reads any more. */
static bool send_packet(int fd, StreamPacket kind, const void *bytes, size_t n)
{
    uint8_t first = (uint8_t)kind;
    struct iovec v[] = { { &first, 1 }, { (void *)bytes, n } };
    const struct msghdr m = { .msg_iov = v, .msg_iovlen = G_N_ELEMENTS(v) };
    ssize_t sent;

    while ((sent = sendmsg(fd, &m, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    return sent >= 0;
}

/* One stretch of data or one hole; how long it is, 0: it is the end. */
static uint64_t copy_stretch(const Copy *c, uint8_t *buf)
{
    off_t data = lseek(c->from, c->at, SEEK_DATA), hole = -1;

    /* Where holes cannot be told, there are none. */
    if (data < 0)
        data = errno == ENXIO ? c->at + (off_t)c->left : c->at;
    if (data > c->at) {
        uint64_t length = MIN((uint64_t)(data - c->at), c->left);
        return send_packet(c->to, STREAM_PACKET_HOLE, &length, sizeof(length)) ? length : 0;
    }
    hole = lseek(c->from, c->at, SEEK_HOLE);

    uint64_t most = hole > c->at ? MIN((uint64_t)(hole - c->at), c->left) : c->left;
    ssize_t n = pread(c->from, buf, MIN(most, STREAM_PACKET_MAX - 1), c->at);
    if (n < 0) {
        g_autofree char *why = g_strdup_printf("cannot read the volume: %s", g_strerror(errno));
        (void)send_packet(c->to, STREAM_PACKET_ERROR, why, strlen(why));
    }
    return n > 0 && send_packet(c->to, STREAM_PACKET_DATA, buf, (size_t)n) ? (uint64_t)n : 0;
}

static void copy_with_holes(void *data)
{
    Copy *c = data;
    g_autofree uint8_t *buf = g_malloc(STREAM_PACKET_MAX);

    for (uint64_t n; c->left && (n = copy_stretch(c, buf)); c->left -= n)
        c->at += (off_t)n;
    copy_free(c);
}

static void nothing(void *data)
{
    (void)data;
}
static const StreamOps pipe_ops = { .closed = nothing }, packet_ops = { .closed = nothing, .packets = true };

bool handle_storage_vol_download(Call *call, const StorageVolView *v, const remote_storage_vol_download_args *a, GError **err)
{
    uint64_t size;
    auto_fd fd = open_volume(v, O_RDONLY, &size, err);
    bool holes = a->flags & VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM;
    int p[2];

    if (fd < 0 || !check_range(v, a->offset, a->length, size, err))
        return false;
    if ((holes ? socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p) : pipe2(p, O_CLOEXEC)) < 0) {
        error_set_errno(err, errno, "cannot make a pipe");
        return false;
    }
    if (!holes)
        (void)fcntl(p[1], F_SETPIPE_SZ, PIPE_SIZE); /* a smaller one does as well */
    Copy *c = g_new(Copy, 1);
    *c = (Copy){ fd_take(&fd), p[1], (off_t)a->offset, a->length ? a->length : size - a->offset };
    if (!call_attach_stream(call, p[0], STREAM_OUT, holes ? &packet_ops : &pipe_ops, NULL, err)) {
        copy_free(c);
        return false;
    }
    objects_context()->run_on_worker(holes ? copy_with_holes : copy_to_pipe, c);
    return true;
}

typedef struct Upload {
    Uuid pool;
    uint64_t end; /* of the part that is written; 0: the client's data is all that the volume has */
    uint64_t left; /* of that part */
    bool device;
} Upload;

static void refreshed(void *data)
{
    Upload *u = data;
    g_autoptr(Object) pool = registry_find_uuid(storage_pools(), u->pool);
    g_autoptr(ObjectView) v = pool ? object_view(pool) : NULL;

    if (v)
        pool_emit_refresh(v); /* sizes may be others: clients look again */
    g_free(u);
}

static void upload_closed(void *data)
{
    objects_context()->run_on_worker(refreshed, data);
}

/* What was there before must not show through. Where the client's data is the end of the volume, a hole ends it so
 * far: it is longer again with the data that follows. */
static bool upload_hole(void *data, int fd, uint64_t length, GError **err)
{
    Upload *u = data;
    off_t at = lseek(fd, 0, SEEK_CUR);
    int r;

    if (at < 0 || length > (uint64_t)(INT64_MAX - at) || (u->end && (uint64_t)at + length > u->end)) {
        error_set(err, VIR_ERR_INVALID_ARG, "a hole of %" G_GUINT64_FORMAT " bytes goes beyond the end", length);
        return false;
    }
    if (!length)
        return true;
    u->left -= u->end ? MIN(length, u->left) : 0;
    if (u->end || u->device)
        r = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, (off_t)length);
    else
        r = ftruncate(fd, at) < 0 ? -1 : ftruncate(fd, at + (off_t)length);
    if (r < 0 || lseek(fd, (off_t)length, SEEK_CUR) < 0) {
        error_set_errno(err, errno, "cannot make a hole of %" G_GUINT64_FORMAT " bytes", length);
        return false;
    }
    return true;
}

static bool upload_take(void *data, size_t n, GError **err)
{
    Upload *u = data;

    if (u->end && n > u->left) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "cannot write to stream: more data than the length that was asked for");
        return false;
    }
    u->left -= u->end ? n : 0;
    return true;
}

static const StreamOps upload_ops = { .closed = upload_closed, .take = upload_take },
                       sparse_ops = { .closed = upload_closed, .take = upload_take, .hole = upload_hole };

bool handle_storage_vol_upload(Call *call, const StorageVolView *v, const remote_storage_vol_upload_args *a, GError **err)
{
    uint64_t size;
    auto_fd fd = open_volume(v, O_WRONLY, &size, err);

    if (fd < 0 || !check_range(v, a->offset, a->length, size, err))
        return false;
    if (lseek(fd, (off_t)a->offset, SEEK_SET) < 0) {
        error_set_errno(err, errno, "cannot seek in volume '%s'", v->path);
        return false;
    }

    struct stat st;
    Upload *u = g_new0(Upload, 1);
    memcpy(u->pool, v->pool_uuid, sizeof(Uuid));
    u->end = a->length ? a->offset + a->length : 0;
    u->left = a->length;
    u->device = fstat(fd, &st) == 0 && S_ISBLK(st.st_mode);
    if (call_attach_stream(call, fd_take(&fd), STREAM_IN, a->flags & VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM ? &sparse_ops : &upload_ops, u,
                           err))
        return true;
    g_free(u);
    return false;
}
