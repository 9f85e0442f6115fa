/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Upload and download. What a client sends is taken and written by a worker; what it reads comes through a pipe,
 * whose other end a worker has (pump.h). Where the volume's server may be dead, a process has the other end of a
 * pipe both ways (apart.h). Neither a slow disk nor a slow client holds up anybody else. A Transfer belongs to the
 * stream and to its workers; whoever is last frees it.
 */
#define LOG_SOURCE "storage.stream"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "drivers/storage/apart.h"
#include "drivers/storage/handlers.h"
#include "drivers/storage/pump.h"
#include "rpc/stream.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/pool.h"

enum { PIPE_SIZE = 1 << 20 };

typedef struct Transfer {
    gatomicrefcount refs;
    atomic_bool closed; /* the stream is over */
    bool apart;
    Uuid pool;
    char *path;
    int pipe;           /* -1: none; of an upload, the end that the process has */
    int feed;           /* the other end of that */
    StreamQueue *queue; /* NULL: a download */
    VolumeUse use;      /* of an upload */
    TransferShare share;
    Pump pump;
} Transfer;

static void transfer_unref(Transfer *t)
{
    if (!g_atomic_ref_count_dec(&t->refs))
        return;
    fd_close(&t->pump.fd);
    fd_close(&t->pipe);
    fd_close(&t->feed);
    stream_queue_unref(t->queue);
    volume_use_done(&t->use);
    transfer_share_done(&t->share);
    g_free(t->path);
    g_free(t);
}

static void stream_closed(void *data)
{
    Transfer *t = data;

    t->closed = true;
    transfer_unref(t);
}
static const StreamOps ops[] = { { stream_closed, false }, { stream_closed, true } };

static bool is_closed(void *data)
{
    return ((Transfer *)data)->closed;
}

/* Sizes may be others now: clients look again. */
static void tell_of_change(const Transfer *t)
{
    g_autoptr(Object) pool = registry_find_uuid(storage_pools(), t->pool);
    g_autoptr(ObjectView) v = pool ? object_view(pool) : NULL;

    if (v)
        pool_emit_refresh(v);
}

static bool next_of_client(void *data, PumpPiece *ret, GError **err)
{
    Transfer *t = data;
    StreamPiece piece;

    *ret = (PumpPiece){ 0 };
    switch (stream_take(t->queue, &piece)) {
    case STREAM_PIECE:
        *ret = (PumpPiece){ piece.bytes, piece.n };
        return true;
    case STREAM_END:
        return true;
    case STREAM_GONE:
        break;
    }
    error_set(err, VIR_ERR_OPERATION_ABORTED, "the client does not want it any more");
    return false;
}

/* For the process that writes. */
static void feed(void *data)
{
    Transfer *t = data;
    const StorageJob job = { .cancelled = is_closed, .data = t };
    const PumpSource from = { next_of_client, t };

    pool_wait_begin();
    (void)pump_forward(&from, t->feed, &job, NULL); /* whatever went wrong, the process or the client says so */
    pool_wait_end();
    fd_close(&t->feed);
    transfer_unref(t);
}

static bool move(Transfer *t, GError **err)
{
    const StorageJob job = { .cancelled = is_closed, .data = t };
    const ApartRequest r = { .op = t->queue ? APART_WRITE : APART_READ, .path = t->path, .flags = t->pump.framed,
                             .offset = t->pump.offset, .length = t->pump.length, .fd = t->pipe };
    const PumpSource from = { next_of_client, t };

    if (t->apart)
        return apart_run(&r, &job, NULL, err);
    pool_wait_begin();
    bool ok = t->queue ? pump_write(&t->pump, &from, &job, err) : pump_read(&t->pump, t->pipe, &job, err);
    pool_wait_end();
    return ok;
}

static void run(void *data)
{
    Transfer *t = data;
    g_autoptr(GError) error = NULL;
    bool ok = move(t, &error);
    volume_use_done(&t->use); /* before the client hears of it, who may want something else then */

    if (!ok && !t->closed)
        log_warn("%s", error->message);
    /* The end of a download is the pipe's, behind the last byte. */
    if (t->queue || !ok)
        stream_done_by_data(t, error);
    if (t->queue)
        tell_of_change(t);
    /* Where something went wrong, the stream is to hear of that, not of an end or a broken pipe. */
    if (ok) {
        fd_close(&t->pump.fd);
        fd_close(&t->pipe);
    }
    transfer_unref(t);
}

/* The ends of a pipe: what the process or the worker has, and the other one. */
static bool make_pipe(bool upload, int *ret_ours, int *ret_other, GError **err)
{
    int p[2];

    if (pipe2(p, O_CLOEXEC) < 0) {
        error_set_errno(err, errno, "cannot make a pipe");
        return false;
    }
    (void)fcntl(p[1], F_SETPIPE_SZ, PIPE_SIZE); /* a smaller one does as well */
    *ret_ours = p[upload ? 0 : 1];
    *ret_other = p[upload ? 1 : 0];
    return true;
}

static Transfer *transfer_new(const StorageVolView *v, const Pump *pump, bool apart)
{
    Transfer *t = g_new0(Transfer, 1);

    g_atomic_ref_count_init(&t->refs);
    t->apart = apart;
    memcpy(t->pool, v->pool_uuid, sizeof(Uuid));
    t->path = g_strdup(v->path);
    t->pump = *pump;
    t->pump.path = t->path;
    t->pipe = t->feed = -1;
    return t;
}

static bool attach(Call *call, Transfer *t, bool upload, GError **err)
{
    const StreamOps *o = &ops[t->pump.framed];
    auto_fd other = -1;

    if ((!upload || t->apart) && !make_pipe(upload, &t->pipe, &other, err))
        return false;
    if (!upload)
        return call_attach_stream(call, fd_take(&other), STREAM_OUT, o, t, err);
    t->feed = fd_take(&other);
    return call_attach_stream_queue(call, o, t, &t->queue, err);
}

static bool start(Call *call, const StorageVolView *v, bool upload, uint64_t offset, uint64_t length, bool framed, GError **err)
{
    Pump pump = { .path = v->path, .fd = -1, .offset = offset, .length = length, .framed = framed };

    if (v->known && (v->known->type == VOLUME_NETWORK || v->known->type == VOLUME_NETDIR)) {
        error_set(err, VIR_ERR_NO_SUPPORT, "storage pool doesn't support volume %s", upload ? "upload" : "download");
        return false;
    }
    g_autofree char *user = call_user(call);
    g_auto(TransferShare) share = { 0 };
    if (!transfer_share_take(v->vol_name, user, &share, err))
        return false;
    bool apart = apart_needed(NULL, v->path, NULL);
    g_auto(VolumeUse) use = { 0 };
    if ((upload && !volume_use_begin(v, true, &use, err)) || !pump_check_range(v->path, offset, length, err) ||
        (!apart && (pump.fd = pump_open(v->path, upload, err)) < 0))
        return false;
    Transfer *t = transfer_new(v, &pump, apart);
    t->use = use;
    use = (VolumeUse){ 0 };
    t->share = share;
    share = (TransferShare){ 0 };
    if (!attach(call, t, upload, err)) {
        transfer_unref(t);
        return false;
    }
    g_atomic_ref_count_inc(&t->refs);
    if (t->feed >= 0) {
        g_atomic_ref_count_inc(&t->refs);
        objects_context()->run_on_worker(feed, t);
    }
    objects_context()->run_on_worker(run, t);
    return true;
}

bool handle_storage_vol_download(Call *call, const StorageVolView *v, const remote_storage_vol_download_args *a, GError **err)
{
    return start(call, v, false, a->offset, a->length, a->flags & VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM, err);
}

bool handle_storage_vol_upload(Call *call, const StorageVolView *v, const remote_storage_vol_upload_args *a, GError **err)
{
    return start(call, v, true, a->offset, a->length, a->flags & VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM, err);
}
