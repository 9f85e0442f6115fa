/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a program would open beside the image that it is given (backend.h). The head of an image may have been written by
 * a guest, for whom it was a raw disk, and may name any file, any device, any server; before qemu-img opens an image,
 * all that its layers name is looked at here, and has to be files and block devices of this host. Of each layer the
 * name of the next is known before that is touched: one that may hang is the business of the process that works apart,
 * and then all of them are. What has been looked at here is what qemu-img gets: layer by layer, as descriptors. Workers.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/backing.h"
#include "drivers/storage/apart.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/image.h"

static bool refuse(GError **err, const char *path, const char *why)
{
    error_set(err, VIR_ERR_OPERATION_DENIED, "image '%s' %s, which its own head says and anybody may have written", path, why);
    return false;
}

char *volume_below(const char *path, const char *backing)
{
    g_autoptr(StorageSource) s = backing_parse(backing, NULL, NULL);

    if (!s || s->type != STORAGE_FILE)
        return NULL;
    if (*s->path == '/')
        return g_steal_pointer(&s->path);
    g_autofree char *dir = g_path_get_dirname(path);
    return g_build_filename(dir, s->path, NULL);
}

typedef struct Looked {
    int flags;       /* the first image's */
    bool elsewhere;  /* only another may look */
    GArray *layers;  /* QemuImgLayer; NULL: nobody wants them */
} Looked;

static bool is_plain(const StorageSource *s, const StorageSource *top, void *data, GError **err)
{
    Looked *l = data;
    auto_fd fd = volume_open(s->path, s == top ? l->flags : O_RDONLY);
    g_auto(ImageInfo) info = { 0 };
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        error_set_errno(err, errno, s == top ? "cannot open '%s'" : "inaccessible backing store volume '%s'", s->path);
        return false;
    }
    if (!image_probe_fd(fd, enum_name(&storage_format_names, s->format), &info, err))
        return false;
    if (info.external_data)
        return refuse(err, s->path, "has its data in another file");
    if (s->format == FORMAT_VMDK && (!info.has_capacity || info.capacity == 0))
        return refuse(err, s->path, "has its data in other files");
    g_autofree char *below = info.backing ? volume_below(s->path, info.backing) : NULL;
    l->elsewhere = below && apart_needed(NULL, below, NULL);
    const StorageSlice *part = list_len(s->slices) ? list_at(s->slices, 0) : NULL;
    QemuImgLayer layer = { -1, s->format, S_ISBLK(st.st_mode), part ? part->offset : 0, part ? part->size : 0 };
    if (l->layers) {
        layer.fd = fd_take(&fd);
        g_array_append_val(l->layers, layer);
    }
    return !l->elsewhere;
}

static void close_layer(void *layer)
{
    fd_close(&((QemuImgLayer *)layer)->fd);
}

static bool check(const char *path, unsigned format, const StorageJob *job, Looked *l, GError **err)
{
    g_autoptr(StorageSource) top = storage_source_new(STORAGE_FILE, path);
    const StorageSource *s = top;
    const ApartRequest r = { .op = APART_CHAIN, .path = path, .flags = format, .fd = -1 };

    l->elsewhere = apart_needed(NULL, path, NULL);
    top->format = format ? (StorageFormat)format : FORMAT_RAW;
    bool loaded = !l->elsewhere && storage_chain_load(top, is_plain, l, err);
    if (l->elsewhere)
        return apart_run(&r, job, NULL, err);
    if (!loaded)
        return false;
    for (; s->backing; s = s->backing)
        if (s->backing->type != STORAGE_FILE && s->backing->type != STORAGE_BLOCK)
            return refuse(err, s->path, "lies on something that is neither a file nor a block device");
    /* What no source of ours can say, or nobody can read, ends the chain without saying that it ends. */
    return s->backing_none ||
           refuse(err, s->path, "lies on something that is neither a file nor a block device");
}

bool volume_chain_check(const char *path, unsigned format, const StorageJob *job, GError **err)
{
    Looked l = { .flags = O_RDONLY };

    return check(path, format, job, &l, err);
}

bool volume_chain_open(const char *path, unsigned format, bool write, const StorageJob *job, GArray **ret, GError **err)
{
    Looked l = { write ? O_RDWR : O_RDONLY, false, g_array_new(false, false, sizeof(QemuImgLayer)) };

    g_array_set_clear_func(l.layers, close_layer);
    bool ok = check(path, format, job, &l, err);
    if (!ok || l.elsewhere)
        g_clear_pointer(&l.layers, g_array_unref);
    *ret = l.layers;
    return ok;
}

bool volume_backing_check(const StorageVolumeDef *v, const char *dir, const StorageJob *job, GError **err)
{
    const char *path = v->backing.path, *slash = strchr(path, '/'), *colon = strchr(path, ':');

    if (colon && (!slash || colon < slash)) {
        error_set(err, VIR_ERR_INVALID_ARG, "volume '%s': the backing store '%.200s' is not a path", v->name, path);
        return false;
    }
    g_autofree char *full = *path == '/' ? g_strdup(path) : g_build_filename(dir, path, NULL);
    return volume_chain_check(full, v->backing.format, job, err);
}
