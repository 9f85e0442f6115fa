/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What qemu-img does to volumes: it makes them, encrypted and with the content of others, and changes their sizes. What
 * it would open besides is looked at first (volume_chain.c); passphrases go to it as files. Workers.
 */
#include "drivers/storage/backend.h"
#include "drivers/storage/passphrase.h"
#include "util/api.h"
#include "util/error.h"

/* Numbers of descriptors in the program; passphrase.c has others. */
enum { TARGET = 22 };
#define TARGET_PATH "/dev/fd/22"

/* A program, and what it inherits. */
typedef struct Words {
    Passphrase vol, input;
    SpawnFd fds[3];
    StorageJob job;
} Words;

static void words_done(Words *w)
{
    passphrase_done(&w->vol);
    passphrase_done(&w->input);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Words, words_done)

/* own: what it leaves behind is removed, so it does not outlive us. fd: -1: none. */
static void words_ready(Words *w, int fd, bool own, const StorageJob *job)
{
    bool keys = w->vol.open || w->input.open;

    w->job = job ? *job : (StorageJob){ 0 };
    w->job.fds = w->fds;
    w->job.n_fds = 0;
    if (w->vol.open)
        w->fds[w->job.n_fds++] = w->vol.fd;
    if (w->input.open)
        w->fds[w->job.n_fds++] = w->input.fd;
    if (fd >= 0)
        w->fds[w->job.n_fds++] = (SpawnFd){ fd, TARGET };
    w->job.own = own;
    w->job.usec = STORAGE_PATIENCE_USEC;
    w->job.stall_usec = MAX(w->job.stall_usec, keys ? PASSPHRASE_USEC : STORAGE_STALL_USEC);
}

bool volume_device_check(const StorageVolumeDef *v, GError **err)
{
    if (!v->encryption)
        return true;
    if (v->encryption->format != ENCRYPTION_LUKS)
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "volume '%s': storage pool only supports LUKS encrypted volumes", v->name);
    else if (v->backing.path || (v->pool_type == POOL_DISK && v->format == PARTITION_EXTENDED))
        error_set(err, VIR_ERR_NO_SUPPORT, "volume '%s': %s cannot be encrypted", v->name,
                  v->backing.path ? "what lies on a backing store" : "an extended partition");
    else if (v->capacity > INT64_MAX - VOLUME_LUKS_ROOM)
        error_set(err, VIR_ERR_OVERFLOW, "volume '%s' is too large: %" G_GUINT64_FORMAT " bytes", v->name, v->capacity);
    else
        return true;
    return false;
}

bool volume_fill(int fd, const char *dir, const StorageVolumeDef *v, const StorageVolumeDef *input, unsigned flags, const StorageJob *job,
                 GError **err)
{
    const char *below = input ? NULL : v->backing.path, *target = fd >= 0 ? TARGET_PATH : v->path;
    bool relative = below && *below != '/';
    g_autofree char *full = relative ? g_build_filename(dir, below, NULL) : g_strdup(below);
    g_auto(Words) w = { 0 };

    /* Formats of partitions are others, and a partition is raw. */
    if ((input && !volume_chain_check(input->path, input->pool_type == POOL_DISK ? FORMAT_RAW : input->format, job, err)) ||
        (below && !volume_backing_check(v, dir, job, err)) || !passphrase_open(v, true, 0, job, &w.vol, err) ||
        !passphrase_open(input, false, 1, job, &w.input, err))
        return false;
    StorageVolumeDef whole = *v;
    whole.backing.path = full;
    QemuImgSide to = { &whole, target, w.vol.path }, made = { v, target, w.vol.path }, from = { input, NULL, w.input.path };
    g_autoptr(GPtrArray) commands = qemu_img_create(&to, input ? &from : NULL, flags, err);
    Argv *name = commands && relative ? qemu_img_name_backing(&made, err) : NULL;
    if (!commands || (relative && !name))
        return false;
    if (name)
        g_ptr_array_add(commands, name);
    words_ready(&w, fd, fd >= 0, job);
    for (guint i = 0; i < commands->len; i++)
        if (!storage_run(commands->pdata[i], &w.job, NULL, err))
            return false;
    return true;
}

bool volume_fill_resize(const StorageVolumeDef *v, uint64_t capacity, bool allocate, const StorageJob *job, GError **err)
{
    g_auto(Words) w = { 0 };

    if (!volume_chain_check(v->path, v->format, job, err) || !passphrase_open(v, false, 0, job, &w.vol, err))
        return false;
    QemuImgSide side = { v, NULL, w.vol.path };
    words_ready(&w, -1, true, job);
    return storage_run_take(qemu_img_resize(&side, capacity, capacity < v->capacity, allocate, err), &w.job, NULL, err);
}
