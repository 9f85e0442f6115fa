/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looks at directories of servers, which may be dead: each is made by a process that has a deadline
 * (look.c). What was seen last is told meanwhile. Workers.
 */
#include "drivers/storage/backend-internal.h"

#include <stdio.h>
#include <string.h>

#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"
#include "util/paths.h"

enum { LOOK_USEC = 10 * 1000 * 1000 };

static bool look(const char *what, const StoragePoolDef *d, const char *name, const StorageJob *job, char **ret,
                 GError **err)
{
    g_autofree char *program = g_build_filename(paths()->libexec, "virt-storage-look", NULL);
    g_autoptr(Argv) a = argv_new(program);
    StorageJob with = job ? *job : (StorageJob){ 0 };

    with.usec = with.usec ? MIN(with.usec, LOOK_USEC) : LOOK_USEC;
    argv_words(a, what, NULL);
    argv_operand(a, d->target);
    if (name)
        argv_words(a, name, NULL); /* its place says what it is */
    return storage_run(a, &with, ret, err);
}

bool netfs_measure(StoragePoolDef *d, PoolFigures *ret, const StorageJob *job, GError **err)
{
    g_autofree char *said = NULL;
    unsigned mode, uid, gid;

    if (!look("measure", d, NULL, job, &said, err))
        return false;
    if (sscanf(said, "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %u %u %u", &ret->capacity,
               &ret->allocation, &ret->available, &mode, &uid, &gid) != 6) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the look at '%s' makes no sense", d->target);
        return false;
    }
    if (!d->permissions)
        d->permissions = g_new0(StoragePermissions, 1);
    d->permissions->mode = (OptU32){ 1, mode };
    d->permissions->owner = (OptU32){ 1, uid };
    d->permissions->group = (OptU32){ 1, gid };
    return true;
}

bool netfs_list(const StoragePoolDef *d, VolumeFoundFn *found, void *data, const StorageJob *job, GError **err)
{
    g_autofree char *said = NULL;

    if (!look("list", d, NULL, job, &said, err))
        return false;
    g_auto(GStrv) names = g_strsplit(said, "\n", -1);
    for (char **name = names; *name && **name; name++) {
        g_autofree char *path = g_build_filename(d->target, *name, NULL);
        found(*name, path, NULL, data);
    }
    return true;
}

StorageVolumeDef *netfs_vol_look(const StoragePoolDef *d, const char *name, GError **err)
{
    g_autofree char *said = NULL;
    g_autoptr(GError) why = NULL;

    if (look("volume", d, name, NULL, &said, &why))
        return storage_volume_parse_for(said, strlen(said), VOLUME_PARSE_NO_CAPACITY, POOL_NETFS, err);
    if (error_is(why, VIR_ERR_OPERATION_FAILED))
        error_set(err, VIR_ERR_NO_STORAGE_VOL, "%s", why->message);
    else
        g_propagate_error(err, g_steal_pointer(&why));
    return NULL;
}
