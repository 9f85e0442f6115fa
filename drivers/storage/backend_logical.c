/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools that are volume groups of LVM. All is known from its reports; volumes come with their definitions.
 * Workers.
 */
#include <string.h>
#include <unistd.h>

#include "drivers/storage/backend.h"
#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"

static LvmGroup *find_group(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    g_autofree char *out = NULL;
    g_autoptr(GPtrArray) all = NULL;

    if (!storage_run_take(lvm_list_groups(d->source.name, err), job, &out, err) || !(all = lvm_parse_groups(out, strlen(out), err)))
        return NULL;
    if (all->len)
        return g_ptr_array_steal_index(all, 0);
    error_set(err, VIR_ERR_INTERNAL_ERROR, "volume group '%s' is not there", d->source.name);
    return NULL;
}

static bool logical_check(const StoragePoolDef *d, bool *ret, GError **err)
{
    (void)err;
    *ret = g_file_test(d->target, G_FILE_TEST_IS_DIR); /* /dev/GROUP is there while any volume is active */
    return true;
}

static bool logical_start(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    return storage_run_change(lvm_activate(d, true, err), job, err);
}

static bool logical_stop(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    return storage_run_change(lvm_activate(d, false, err), job, err);
}

static bool logical_build(const StoragePoolDef *d, unsigned flags, const StorageJob *job, GError **err)
{
    (void)flags;
    for (LIST_EACH(PoolDevice, dev, d->source.devices))
        if (!storage_run_change(lvm_make_device(dev->path, err), job, err))
            return false;
    return storage_run_change(lvm_make_group(d, err), job, err);
}

static bool logical_remove(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    if (!storage_run_change(lvm_remove_group(d, err), job, err))
        return false;
    for (LIST_EACH(PoolDevice, dev, d->source.devices))
        (void)storage_run_change(lvm_remove_device(dev->path, NULL), job, NULL); /* as much as goes */
    return true;
}

static bool logical_measure(StoragePoolDef *d, PoolFigures *ret, const StorageJob *job, GError **err)
{
    g_autoptr(LvmGroup) g = find_group(d, job, err);

    if (!g)
        return false;
    *ret = (PoolFigures){ g->size, g->size - MIN(g->free, g->size), g->free };
    return true;
}

static void add_extents(StorageVolumeDef *v, const LvmVolume *lv)
{
    v->source = g_ptr_array_new();
    for (guint i = 0; i < lv->segments->len; i++) {
        const LvmSegment *s = lv->segments->pdata[i];
        VolumeSourceDevice *dev = g_new0(VolumeSourceDevice, 1);
        PoolExtent *e = g_new0(PoolExtent, 1);
        dev->path = g_strdup(s->device);
        dev->extents = g_ptr_array_new();
        *e = (PoolExtent){ s->start, s->end };
        g_ptr_array_add(dev->extents, e);
        g_ptr_array_add(v->source, dev);
    }
}

static StorageVolumeDef *volume_of(const StoragePoolDef *d, const LvmVolume *lv)
{
    StorageVolumeDef *v = g_new0(StorageVolumeDef, 1);

    v->pool_type = POOL_LOGICAL;
    v->type = VOLUME_BLOCK;
    v->name = g_strdup(lv->name);
    v->key = g_strdup(lv->uuid ? lv->uuid : lv->name);
    v->path = g_build_filename(d->target, lv->name, NULL);
    v->capacity = v->physical = lv->size;
    v->allocation = (OptU64){ lv->room, 1, 0 };
    if (lv->origin)
        v->backing.path = g_build_filename(d->target, lv->origin, NULL);
    add_extents(v, lv);
    return v;
}

static GPtrArray *volumes_of(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    g_autofree char *out = NULL;

    return storage_run_take(lvm_list_volumes(d->source.name, err), job, &out, err) ? lvm_parse_volumes(out, strlen(out), err) : NULL;
}

/* One that is not active has no device: a thin snapshot, say, that is not to be activated with its group. */
static bool is_volume(const LvmVolume *lv)
{
    return !lv->internal && lv->active;
}

static bool logical_list(const StoragePoolDef *d, VolumeFoundFn *found, void *data, const StorageJob *job, GError **err)
{
    g_autoptr(GPtrArray) all = volumes_of(d, job, err);

    for (guint i = 0; all && i < all->len; i++) {
        const LvmVolume *lv = all->pdata[i];
        g_autofree char *path = g_build_filename(d->target, lv->name, NULL);
        if (is_volume(lv))
            found(lv->name, path, volume_of(d, lv), data);
    }
    return all != NULL;
}

static StorageVolumeDef *logical_vol_look(const StoragePoolDef *d, const char *name, GError **err)
{
    g_autoptr(GPtrArray) all = volumes_of(d, NULL, err);

    for (guint i = 0; all && i < all->len; i++) {
        const LvmVolume *lv = all->pdata[i];
        if (is_volume(lv) && strcmp(lv->name, name) == 0)
            return volume_of(d, lv);
    }
    if (all)
        error_set(err, VIR_ERR_NO_STORAGE_VOL, "no storage vol with matching name '%s'", name);
    return NULL;
}

/* A snapshot is made where its origin is, whichever group that belongs to. */
static bool check_origin(const StoragePoolDef *d, const StorageVolumeDef *v, GError **err)
{
    g_autofree char *dir = v->backing.path ? g_path_get_dirname(v->backing.path) : NULL;

    if (!dir || strcmp(dir, d->target) == 0)
        return true;
    error_set(err, VIR_ERR_INVALID_ARG, "volume '%s': its origin is a volume of pool '%s', below '%s', found '%s'", v->name, d->name,
              d->target, v->backing.path);
    return false;
}

static bool logical_vol_create(const StoragePoolDef *d, StorageVolumeDef *v, const StorageVolumeDef *input, unsigned flags,
                               const StorageJob *job, GError **err)
{
    (void)flags;
    if (!volume_device_check(v, err) || !check_origin(d, v, err) ||
        !storage_run_change(lvm_make_volume(d->source.name, v->name, v->capacity + volume_room(v), v->allocation.v + volume_room(v),
                                            v->backing.path, err), job, err))
        return false;
    if ((!input && !v->encryption) || volume_fill(-1, d->target, v, input, 0, job, err))
        return true;
    (void)storage_run_change(lvm_remove_volume(d->source.name, v->name, NULL), NULL, NULL);
    return false;
}

static GPtrArray *logical_vol_snapshots(const StoragePoolDef *d, const StorageVolumeDef *v, const StorageJob *job, GError **err)
{
    g_autoptr(GPtrArray) all = volumes_of(d, job, err);
    GPtrArray *ret = all ? g_ptr_array_new_with_free_func((GDestroyNotify)storage_volume_free) : NULL;

    for (guint i = 0; all && i < all->len; i++) {
        const LvmVolume *lv = all->pdata[i];
        if (lv->snapshot && g_strcmp0(lv->origin, v->name) == 0)
            g_ptr_array_add(ret, volume_of(d, lv));
    }
    return ret;
}

static bool logical_vol_delete(const StoragePoolDef *d, const StorageVolumeDef *v, unsigned flags, const StorageJob *job,
                               GError **err)
{
    (void)flags;
    return storage_run_change(lvm_remove_volume(d->source.name, v->name, err), job, err);
}

static bool logical_vol_resize(const StoragePoolDef *d, const StorageVolumeDef *v, uint64_t capacity, unsigned flags,
                               const StorageJob *job, GError **err)
{
    g_autoptr(GPtrArray) all = volumes_of(d, job, err);

    (void)flags;
    for (guint i = 0; all && i < all->len; i++)
        if (((LvmVolume *)all->pdata[i])->snapshot && strcmp(((LvmVolume *)all->pdata[i])->name, v->name) == 0)
            return backend_refuse(d, "another capacity of a snapshot", err);
    return all && storage_run_change(lvm_resize_volume(d->source.name, v->name, capacity + volume_room(v), err), job, err);
}

static StorageSourceList *logical_find(const StoragePoolSource *like, const StorageJob *job, GError **err)
{
    g_autofree char *out = NULL;
    g_autoptr(GPtrArray) devices = NULL;
    StorageSourceList *l;

    (void)like;
    if (!storage_run_take(lvm_list_devices(), job, &out, err) || !(devices = lvm_parse_devices(out, strlen(out), err)))
        return NULL;
    l = g_new0(StorageSourceList, 1);
    l->sources = g_ptr_array_new();
    for (guint i = 0; i < devices->len; i++) {
        const LvmDevice *dev = devices->pdata[i];
        StoragePoolSource *s = NULL;
        for (guint k = 0; dev->group && k < l->sources->len && !s; k++) {
            StoragePoolSource *other = l->sources->pdata[k];
            s = strcmp(other->name, dev->group) == 0 ? other : NULL;
        }
        if (!dev->group || !dev->path)
            continue;
        if (!s) {
            s = g_new0(StoragePoolSource, 1);
            s->type = POOL_LOGICAL;
            s->format = POOL_LOGICAL_LVM2;
            s->name = g_strdup(dev->group);
            s->devices = g_ptr_array_new();
            g_ptr_array_add(l->sources, s);
        }
        PoolDevice *p = g_new0(PoolDevice, 1);
        p->path = g_strdup(dev->path);
        g_ptr_array_add(s->devices, p);
    }
    return l;
}

const PoolBackend backend_logical = {
    .type = POOL_LOGICAL, .programs = { "vgs", "lvs", "vgchange" }, .check = logical_check, .start = logical_start,
    .stop = logical_stop, .build = logical_build, .remove = logical_remove, .measure = logical_measure, .list = logical_list,
    .find_sources = logical_find, .vol_look = logical_vol_look, .vol_create = logical_vol_create,
    .vol_delete = logical_vol_delete, .vol_snapshots = logical_vol_snapshots, .vol_resize = logical_vol_resize,
};
