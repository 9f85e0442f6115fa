/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Upload and download. Both go through a pipe, whose other end a worker has (pump.c), or a process where the
 * volume's server may be dead (apart.h): neither a slow disk nor a slow client holds up anybody else. A
 * Transfer belongs to the stream and to the worker; whoever is last frees it.
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
    bool upload, apart;
    Uuid pool;
    char *path;
    Pump pump;
} Transfer;

static void transfer_unref(Transfer *t)
{
    if (!g_atomic_ref_count_dec(&t->refs))
        return;
    fd_close(&t->pump.fd);
    fd_close(&t->pump.pipe);
    g_free(t->path);
    g_free(t);
}

static void stream_closed(void *data)
{
    Transfer *t = data;

    t->closed = true;
    transfer_unref(t);
}
static const StreamOps download_ops[] = { { stream_closed, 0 }, { stream_closed, STREAM_FRAMED } };
static const StreamOps upload_ops[] = { { stream_closed, STREAM_CONFIRMED }, { stream_closed, STREAM_CONFIRMED | STREAM_FRAMED } };

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

static bool move(Transfer *t, GError **err)
{
    const StorageJob job = { .cancelled = is_closed, .data = t };
    const ApartRequest r = { .op = t->upload ? APART_WRITE : APART_READ, .path = t->path, .flags = t->pump.framed,
                             .offset = t->pump.offset, .length = t->pump.length, .fd = t->pump.pipe };

    if (t->apart)
        return apart_run(&r, &job, NULL, err);
    pool_wait_begin();
    bool ok = t->upload ? pump_write(&t->pump, &job, err) : pump_read(&t->pump, &job, err);
    pool_wait_end();
    return ok;
}

static void run(void *data)
{
    Transfer *t = data;
    g_autoptr(GError) error = NULL;
    bool ok = move(t, &error);

    if (!ok && !t->closed)
        log_warn("%s", error->message);
    /* The end of a download is the pipe's, behind the last byte. */
    if (t->upload || !ok)
        stream_done_by_data(t, error);
    if (t->upload)
        tell_of_change(t);
    /* Where something went wrong, the stream is to hear of that, not of an end or a broken pipe. */
    if (ok) {
        fd_close(&t->pump.fd);
        fd_close(&t->pump.pipe);
    }
    transfer_unref(t);
}

static bool start(Call *call, const StorageVolView *v, bool upload, uint64_t offset, uint64_t length, bool framed, GError **err)
{
    if (v->known && (v->known->type == VOLUME_NETWORK || v->known->type == VOLUME_NETDIR)) {
        error_set(err, VIR_ERR_NO_SUPPORT, "storage pool doesn't support volume %s", upload ? "upload" : "download");
        return false;
    }
    bool apart = apart_needed(NULL, v->path, NULL);
    int p[2];
    auto_fd fd = -1;

    if (!pump_check_range(v->path, offset, length, err) || (!apart && (fd = pump_open(v->path, upload, err)) < 0))
        return false;
    if (pipe2(p, O_CLOEXEC) < 0) {
        error_set_errno(err, errno, "cannot make a pipe");
        return false;
    }
    (void)fcntl(p[1], F_SETPIPE_SZ, PIPE_SIZE); /* a smaller one does as well */
    Transfer *t = g_new0(Transfer, 1);
    g_atomic_ref_count_init(&t->refs);
    t->upload = upload;
    t->apart = apart;
    memcpy(t->pool, v->pool_uuid, sizeof(Uuid));
    t->path = g_strdup(v->path);
    t->pump = (Pump){ .path = t->path, .fd = fd_take(&fd), .pipe = p[!upload ? 1 : 0], .offset = offset, .length = length,
                      .framed = framed };
    if (!call_attach_stream(call, p[upload ? 1 : 0], upload ? STREAM_IN : STREAM_OUT,
                            upload ? &upload_ops[framed] : &download_ops[framed], t, err)) {
        transfer_unref(t);
        return false;
    }
    g_atomic_ref_count_inc(&t->refs);
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
