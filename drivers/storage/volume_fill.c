/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What qemu-img does to volumes: it makes them, encrypted and with the content of others, and changes their sizes. The images
 * that it works on are looked at first, with all their layers, and go to it as they were found (volume_chain.c); passphrases go
 * to it as files. Workers.
 */
#include "drivers/storage/backend.h"
#include "drivers/storage/passphrase.h"
#include "util/api.h"
#include "util/error.h"

/* Numbers of descriptors in the program; passphrase.c and qemu_img.h have others. */
enum { TARGET = 22 };
#define TARGET_PATH "/dev/fd/22"

/* own: what it leaves behind is removed, so it does not outlive us. fd: -1: none. layers: NULL: none. */
static void words_ready(Passphrases *w, int fd, const GArray *layers, bool own)
{
    if (fd >= 0)
        passphrases_lend(w, fd, TARGET);
    for (guint i = 0; layers && i < layers->len; i++)
        passphrases_lend(w, g_array_index(layers, QemuImgLayer, i).fd, QEMU_IMG_LAYERS + (int)i);
    w->job.own = own;
    w->job.usec = STORAGE_PATIENCE_USEC;
    w->job.stall_usec = MAX(w->job.stall_usec, STORAGE_STALL_USEC);
}

/* People know the image by its path. */
static bool run(const Argv *a, const StorageJob *job, const char *path, GError **err)
{
    GError *why = NULL;

    if (storage_run(a, job, NULL, &why))
        return true;
    for (guint i = 0; path && i < a->words->len; i++) {
        if (!g_str_has_prefix(a->words->pdata[i], "json:"))
            continue;
        GString *text = g_string_new(why->message);
        (void)g_string_replace(text, a->words->pdata[i], path, 0);
        g_free(why->message);
        why->message = g_string_free(text, FALSE);
    }
    g_propagate_error(err, why);
    return false;
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
    g_autoptr(GArray) layers = NULL;
    g_auto(Passphrases) w = { 0 };

    /* Formats of partitions are others, and a partition is raw. */
    if ((input && !volume_chain_open(input->path, input->pool_type == POOL_DISK ? FORMAT_RAW : input->format, false, job, &layers, err)) ||
        (below && !volume_backing_check(v, dir, job, err)) || !passphrases_open(v, true, input, job, &w, err))
        return false;
    StorageVolumeDef whole = *v;
    whole.backing.path = full;
    QemuImgSide to = { &whole, target, w.vol.path }, made = { v, target, w.vol.path }, from = { input, NULL, w.input.path, layers };
    g_autoptr(GPtrArray) commands = qemu_img_create(&to, input ? &from : NULL, flags, err);
    Argv *name = commands && relative ? qemu_img_name_backing(&made, err) : NULL;
    if (!commands || (relative && !name))
        return false;
    if (name)
        g_ptr_array_add(commands, name);
    words_ready(&w, fd, layers, fd >= 0);
    for (guint i = 0; i < commands->len; i++)
        if (!run(commands->pdata[i], &w.job, input ? input->path : NULL, err))
            return false;
    return true;
}

bool volume_fill_resize(const StorageVolumeDef *v, uint64_t capacity, bool allocate, const StorageJob *job, GError **err)
{
    g_autoptr(GArray) layers = NULL;
    g_auto(Passphrases) w = { 0 };

    if (!volume_chain_open(v->path, v->format, true, job, &layers, err) || !passphrases_open(v, false, NULL, job, &w, err))
        return false;
    QemuImgSide side = { v, NULL, w.vol.path, layers };
    words_ready(&w, -1, layers, true);
    g_autoptr(Argv) a = qemu_img_resize(&side, capacity, capacity < v->capacity, allocate, err);
    return a && run(a, &w.job, v->path, err);
}
