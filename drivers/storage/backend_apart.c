/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools of directories whose file system may hang: what backend_dir.c does, done by the process that works
 * apart (apart.h). Lists are those of the last refresh. Workers.
 */
#include "drivers/storage/backend-internal.h"

#include <stdio.h>
#include <string.h>

#include "drivers/storage/passphrase.h"
#include "util/api.h"
#include "util/error.h"

bool apart_check(const StoragePoolDef *d, bool *ret, GError **err)
{
    const ApartRequest r = { .op = APART_CHECK, .pool = d, .fd = -1 };
    g_autofree char *said = NULL;

    if (!apart_run(&r, NULL, &said, err))
        return false;
    *ret = strcmp(said, "yes") == 0;
    return true;
}

bool apart_simple(ApartOp op, const StoragePoolDef *d, unsigned flags, const StorageJob *job, GError **err)
{
    const ApartRequest r = { .op = op, .pool = d, .flags = flags, .fd = -1 };
    return apart_run(&r, job, NULL, err);
}

bool apart_measure(StoragePoolDef *d, PoolFigures *ret, const StorageJob *job, GError **err)
{
    const ApartRequest r = { .op = APART_MEASURE, .pool = d, .fd = -1 };
    g_autofree char *said = NULL;
    unsigned mode, uid, gid;

    if (!apart_run(&r, job, &said, err))
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

bool apart_list(const StoragePoolDef *d, VolumeFoundFn *found, void *data, const StorageJob *job, GError **err)
{
    const ApartRequest r = { .op = APART_LIST, .pool = d, .fd = -1 };
    g_autofree char *said = NULL;

    if (!apart_run(&r, job, &said, err))
        return false;
    g_auto(GStrv) names = g_strsplit(said, "\n", -1);
    for (char **name = names; *name && **name; name++) {
        g_autofree char *path = g_build_filename(d->target, *name, NULL);
        found(*name, path, NULL, data);
    }
    return true;
}

StorageVolumeDef *apart_vol_look(const StoragePoolDef *d, const char *name, GError **err)
{
    const ApartRequest r = { .op = APART_LOOK, .pool = d, .path = name, .fd = -1 };
    g_autofree char *said = NULL;

    return apart_run(&r, NULL, &said, err)
               ? storage_volume_parse_for(said, strlen(said), VOLUME_PARSE_NO_CAPACITY, d->source.type, err) : NULL;
}

bool apart_volume(ApartOp op, const StoragePoolDef *d, const StorageVolumeDef *v, const StorageVolumeDef *input,
                  uint64_t capacity, unsigned flags, const StorageJob *job, GError **err)
{
    const ApartRequest r = { .op = op, .pool = d, .vol = v, .input = input, .flags = flags, .length = capacity, .fd = -1 };
    g_auto(Passphrases) words = { 0 };

    /* That process asks nobody for secrets: it gets them with what it is to do. */
    if (!passphrases_open(op == APART_DELETE ? NULL : v, op == APART_CREATE, input, job, &words, err))
        return false;
    return apart_run(&r, &words.job, NULL, err);
}
