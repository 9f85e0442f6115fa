/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a volume is, from the file or device itself: each time somebody asks, so there is nothing to get
 * stale. The head of a file that a guest writes says what the guest wants; it is shown, and not relied upon.
 * Workers.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/storage/backend.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/image.h"

enum { BLOCK = 512 };

StoragePermissions *volume_permissions(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return NULL;
    StoragePermissions *p = g_new0(StoragePermissions, 1);
    p->mode = (OptU32){ 1, st.st_mode & 0777 };
    p->owner = (OptU32){ 1, st.st_uid };
    p->group = (OptU32){ 1, st.st_gid };
    return p;
}

static char *time_text(const struct statx_timestamp *t)
{
    return t->tv_nsec ? g_strdup_printf("%lld.%09u", (long long)t->tv_sec, t->tv_nsec)
                      : g_strdup_printf("%lld", (long long)t->tv_sec);
}

static StorageTimestamps *times_of(int fd)
{
    struct statx x;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &x) < 0)
        return NULL;
    StorageTimestamps *t = g_new0(StorageTimestamps, 1);
    t->atime = time_text(&x.stx_atime);
    t->mtime = time_text(&x.stx_mtime);
    t->ctime = time_text(&x.stx_ctime);
    if (x.stx_mask & STATX_BTIME)
        t->btime = time_text(&x.stx_btime);
    return t;
}

static StorageEncryption *encryption_of(const ImageInfo *info)
{
    if (info->encryption == IMAGE_NOT_ENCRYPTED)
        return NULL;
    StorageEncryption *e = g_new0(StorageEncryption, 1);
    e->format = info->encryption == IMAGE_QCOW_AES ? ENCRYPTION_QCOW
                : info->encryption == IMAGE_LUKS2  ? ENCRYPTION_LUKS2
                                                   : ENCRYPTION_LUKS;
    return e;
}

/* The image below, when it is a file. False: it is where only another may look. */
static bool look_below(StorageVolumeDef *v, const ImageInfo *info, LookElsewhereFn *not_here)
{
    if (!info->backing)
        return true;
    int format = info->backing_format ? enum_value(&storage_format_names, info->backing_format) : -1;
    char *below = volume_below(v->path, info->backing);
    v->backing.path = below ? below : g_strdup(info->backing);
    if (not_here && not_here(NULL, v->backing.path, NULL))
        return false;
    auto_fd fd = volume_open(v->backing.path, O_RDONLY);
    if (format <= FORMAT_NONE && fd >= 0) {
        g_auto(ImageInfo) its = { 0 };
        if (image_probe_fd(fd, NULL, &its, NULL))
            format = enum_value(&storage_format_names, its.format);
    }
    v->backing.format = format > FORMAT_NONE ? (unsigned)format : FORMAT_RAW;
    if (fd >= 0) {
        v->backing.permissions = volume_permissions(fd);
        v->backing.timestamps = times_of(fd);
    }
    return true;
}

static bool take_info(StorageVolumeDef *v, const ImageInfo *info, LookElsewhereFn *not_here)
{
    int format = enum_value(&volume_format_names, info->format);

    v->format = format > 0 ? (unsigned)format : FORMAT_RAW;
    if (info->has_capacity)
        v->capacity = info->capacity;
    v->encryption = encryption_of(info);
    /* Clients know the older version by the word's absence. */
    v->compat = g_strcmp0(info->compat, "0.10") ? g_strdup(info->compat) : NULL;
    v->cluster_size = info->compat ? info->cluster_size : 0;
    v->lazy_refcounts = info->lazy_refcounts;
    v->extended_l2 = info->extended_l2;
    v->has_features = v->compat != NULL; /* since that version there may be some */
    return look_below(v, info, not_here);
}

StorageVolumeDef *volume_look(StoragePoolType pool, const char *name, const char *path, LookElsewhereFn *not_here, bool *ret_elsewhere,
                              GError **err)
{
    auto_fd fd = volume_open(path, O_RDONLY);
    g_autoptr(StorageVolumeDef) v = g_new0(StorageVolumeDef, 1);
    g_auto(ImageInfo) info = { 0 };
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        if (errno == ENOTBLK)
            error_set(err, VIR_ERR_NO_STORAGE_VOL, "'%s' is no volume", path);
        else if (errno == EPERM)
            error_set(err, VIR_ERR_NO_STORAGE_VOL, "'%s' is no volume: the owner of a link on the way may not open what it leads to", path);
        else if (errno == ENOENT)
            error_set(err, VIR_ERR_NO_STORAGE_VOL, "no storage vol with matching path '%s'", path);
        else
            error_set_errno(err, errno, "cannot open volume '%s'", path);
        return NULL;
    }
    v->pool_type = pool;
    v->name = g_strdup(name);
    v->path = g_strdup(path);
    v->key = g_strdup(path);
    v->allocation = (OptU64){ (uint64_t)st.st_blocks * BLOCK, 1, 0 };
    v->capacity = v->physical = (uint64_t)st.st_size;
    v->permissions = volume_permissions(fd);
    v->timestamps = times_of(fd);
    if (S_ISDIR(st.st_mode)) {
        v->type = VOLUME_DIR;
        v->format = FORMAT_DIR;
        v->capacity = v->physical = v->allocation.v = 0; /* what is in it is not counted */
        return g_steal_pointer(&v);
    }
    if (S_ISBLK(st.st_mode)) {
        off_t end = lseek(fd, 0, SEEK_END);
        v->type = VOLUME_BLOCK;
        v->capacity = v->physical = end < 0 ? 0 : (uint64_t)end;
        v->allocation.v = v->capacity;
    }
    g_autoptr(GError) why = NULL;
    if (!image_probe_fd(fd, NULL, &info, &why))
        v->format = FORMAT_RAW; /* a head that makes no sense */
    else if (!take_info(v, &info, not_here)) {
        *ret_elsewhere = true;
        return NULL;
    }
    return g_steal_pointer(&v);
}
