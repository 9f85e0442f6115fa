/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pool of all multipath devices of the host: those that device-mapper calls so. Known from the kernel's tree
 * of devices; none is opened, because one without a path may hold its reader up. Workers.
 */
#include <string.h>

#include "drivers/storage/backend-device.h"
#include "drivers/storage/tools.h"

static bool mpath_check(const StoragePoolDef *d, bool *ret, GError **err)
{
    (void)d;
    (void)err;
    *ret = true;
    return true;
}

static bool mpath_list(const StoragePoolDef *d, VolumeFoundFn *found, void *data, const StorageJob *job, GError **err)
{
    g_autoptr(GPtrArray) blocks = sysfs_list("block");

    (void)job;
    (void)err;
    for (guint i = 0; i < blocks->len; i++) {
        const char *block = blocks->pdata[i];
        g_autofree char *uuid = sysfs_read("block/%s/dm/uuid", block), *name = sysfs_read("block/%s/dm/name", block);
        if (!uuid || !name || !*name || !g_str_has_prefix(uuid, "mpath-"))
            continue;
        g_autofree char *path = g_build_filename("/dev/mapper", name, NULL);
        found(block, path, device_volume(d, block, path, block), data);
    }
    return true;
}

static bool mpath_measure(StoragePoolDef *d, PoolFigures *ret, const StorageJob *job, GError **err)
{
    return device_measure(&backend_mpath, d, ret, job, err);
}

static StorageVolumeDef *mpath_vol_look(const StoragePoolDef *d, const char *name, GError **err)
{
    return device_look(&backend_mpath, d, name, err);
}

const PoolBackend backend_mpath = {
    .type = POOL_MPATH, .check = mpath_check, .measure = mpath_measure, .list = mpath_list, .vol_look = mpath_vol_look,
};
