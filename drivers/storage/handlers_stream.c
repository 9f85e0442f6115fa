/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Upload and download. A download goes through a pipe, which a worker fills, so that a slow disk holds up
 * nobody but its reader. An upload is written by the stream itself: its end is answered when all is written.
 */
#define LOG_SOURCE "storage.stream"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
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
    fd_close(&c->from);
    fd_close(&c->to);
    g_free(c);
}

static void nothing(void *data)
{
    (void)data;
}
static const StreamOps pipe_ops = { nothing };

bool handle_storage_vol_download(Call *call, const StorageVolView *v, const remote_storage_vol_download_args *a, GError **err)
{
    uint64_t size;
    auto_fd fd = open_volume(v, O_RDONLY, &size, err);
    int p[2];

    if (fd < 0 || !check_range(v, a->offset, a->length, size, err))
        return false;
    if (pipe2(p, O_CLOEXEC) < 0) {
        error_set_errno(err, errno, "cannot make a pipe");
        return false;
    }
    (void)fcntl(p[1], F_SETPIPE_SZ, PIPE_SIZE); /* a smaller one does as well */
    Copy *c = g_new(Copy, 1);
    *c = (Copy){ fd_take(&fd), p[1], (off_t)a->offset, a->length ? a->length : size - a->offset };
    if (!call_attach_stream(call, p[0], STREAM_OUT, &pipe_ops, NULL, err)) {
        fd_close(&c->from);
        fd_close(&c->to);
        g_free(c);
        return false;
    }
    objects_context()->run_on_worker(copy_to_pipe, c);
    return true;
}

typedef struct Upload {
    Uuid pool;
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
static const StreamOps upload_ops = { upload_closed };

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
    Upload *u = g_new0(Upload, 1);
    memcpy(u->pool, v->pool_uuid, sizeof(Uuid));
    if (call_attach_stream(call, fd_take(&fd), STREAM_IN, &upload_ops, u, err))
        return true;
    g_free(u);
    return false;
}
