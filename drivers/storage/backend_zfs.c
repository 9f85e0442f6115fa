/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pools of ZFS, or parts of them; volumes are those that it shows as block devices. Workers. */
#include <string.h>

#include "drivers/storage/backend.h"
#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"

static bool zfs_check(const StoragePoolDef *d, bool *ret, GError **err)
{
    (void)err;
    *ret = g_file_test(d->target, G_FILE_TEST_IS_DIR); /* /dev/zvol/NAME */
    return true;
}

static bool zfs_build(const StoragePoolDef *d, unsigned flags, const StorageJob *job, GError **err)
{
    (void)flags;
    return storage_run_change(zfs_make_pool(d, err), job, err);
}

static bool zfs_remove(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    return storage_run_change(zfs_remove_pool(d->source.name, err), job, err);
}

static bool zfs_figures(StoragePoolDef *d, PoolFigures *ret, const StorageJob *job, GError **err)
{
    g_autofree char *out = NULL;
    ZfsFigures f;

    if (!storage_run_take(zfs_measure(d->source.name, err), job, &out, err) || !zfs_parse_figures(out, &f, err))
        return false;
    *ret = (PoolFigures){ f.size, f.allocated, f.free };
    return true;
}

static GPtrArray *volumes_of(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    g_autofree char *out = NULL;

    return storage_run_take(zfs_list(d->source.name, err), job, &out, err) ? zfs_parse_volumes(out, d->source.name) : NULL;
}

static StorageVolumeDef *volume_of(const StoragePoolDef *d, const ZfsVolume *z)
{
    StorageVolumeDef *v = g_new0(StorageVolumeDef, 1);

    v->pool_type = POOL_ZFS;
    v->type = VOLUME_BLOCK;
    v->name = g_strdup(z->name);
    v->key = g_strdup_printf("%s/%s", d->source.name, z->name);
    v->path = g_build_filename(d->target, z->name, NULL);
    v->capacity = z->size;
    v->allocation = (OptU64){ z->reserved, 1, 0 };
    return v;
}

static bool zfs_volumes(const StoragePoolDef *d, VolumeFoundFn *found, void *data, const StorageJob *job, GError **err)
{
    g_autoptr(GPtrArray) all = volumes_of(d, job, err);

    for (guint i = 0; all && i < all->len; i++) {
        StorageVolumeDef *v = volume_of(d, all->pdata[i]);
        g_autofree char *name = g_strdup(v->name), *path = g_strdup(v->path);
        found(name, path, v, data);
    }
    return all != NULL;
}

static StorageVolumeDef *zfs_vol_look(const StoragePoolDef *d, const char *name, GError **err)
{
    g_autoptr(GPtrArray) all = volumes_of(d, NULL, err);

    for (guint i = 0; all && i < all->len; i++)
        if (strcmp(((ZfsVolume *)all->pdata[i])->name, name) == 0)
            return volume_of(d, all->pdata[i]);
    if (all)
        error_set(err, VIR_ERR_NO_STORAGE_VOL, "no storage vol with matching name '%s'", name);
    return NULL;
}

static bool zfs_vol_create(const StoragePoolDef *d, StorageVolumeDef *v, const StorageVolumeDef *input, unsigned flags,
                           const StorageJob *job, GError **err)
{
    (void)flags;
    if (input)
        return backend_refuse(d, "volume creation from an existing volume", err);
    if (v->encryption) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "pools of type 'zfs' do not support encrypted volumes");
        return false;
    }
    return storage_run_change(zfs_make_volume(d->source.name, v->name, v->capacity, v->allocation.v, err), job, err);
}

static bool zfs_vol_delete(const StoragePoolDef *d, const StorageVolumeDef *v, unsigned flags, const StorageJob *job, GError **err)
{
    (void)flags;
    return storage_run_change(zfs_remove_volume(d->source.name, v->name, err), job, err);
}

const PoolBackend backend_zfs = {
    .type = POOL_ZFS, .flags = BACKEND_NO_WIPE, .programs = { "zfs", "zpool" }, .check = zfs_check, .build = zfs_build,
    .remove = zfs_remove, .measure = zfs_figures, .list = zfs_volumes, .vol_look = zfs_vol_look,
    .vol_create = zfs_vol_create, .vol_delete = zfs_vol_delete,
};
