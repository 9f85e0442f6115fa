/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's side of pools that a library speaks to (library.h): each operation is handed to the program that
 * has the library, with a deadline (apart.h). Lists are those of the last refresh. Workers.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/storage/apart.h"
#include "drivers/storage/backend-device.h"
#include "drivers/storage/library.h"
#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"

enum { FIND_USEC = 30 * 1000 * 1000 };

StorageVolumeDef *library_volume(const StoragePoolDef *d, const char *name, const char *path, const char *key, uint64_t capacity,
                                 uint64_t allocation)
{
    StorageVolumeDef *v = g_new0(StorageVolumeDef, 1);

    v->pool_type = d->source.type;
    v->type = VOLUME_NETWORK;
    v->name = g_strdup(name);
    v->path = g_strdup(path);
    v->key = g_strdup(key);
    v->capacity = capacity;
    v->allocation = (OptU64){ allocation, 1, 0 };
    return v;
}

static bool ask(ApartRequest *r, const StorageJob *job, char **ret, GError **err)
{
    SecretValue *secret;

    if (!backend_secret(r->pool, job, &secret, err))
        return false;
    r->program = pool_backend(r->pool->source.type, NULL)->needs;
    r->secret = secret;
    r->fd = -1;
    bool ok = apart_run(r, job, ret, err);
    secret_value_unref(secret);
    return ok;
}

/* Whether it is there shows when it is refreshed. */
static bool library_check(const StoragePoolDef *d, bool *ret, GError **err)
{
    (void)d;
    (void)err;
    *ret = true;
    return true;
}

static bool library_measure(StoragePoolDef *d, PoolFigures *ret, const StorageJob *job, GError **err)
{
    ApartRequest r = { .op = APART_MEASURE, .pool = d };
    g_autofree char *said = NULL;

    if (!ask(&r, job, &said, err))
        return false;
    if (sscanf(said, "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, &ret->capacity, &ret->allocation,
               &ret->available) == 3)
        return true;
    error_set(err, VIR_ERR_INTERNAL_ERROR, "the figures of pool '%s' make no sense", d->name);
    return false;
}

static StorageVolumeDef *volume_of(const StoragePoolDef *d, const char *text, GError **err)
{
    return storage_volume_parse_for(text, strlen(text), VOLUME_PARSE_NO_CAPACITY, d->source.type, err);
}

static bool library_list(const StoragePoolDef *d, VolumeFoundFn *found, void *data, const StorageJob *job, GError **err)
{
    ApartRequest r = { .op = APART_LIST, .pool = d };
    g_autofree char *said = NULL;

    if (!ask(&r, job, &said, err))
        return false;
    g_auto(GStrv) all = g_strsplit(said, WORK_DOCUMENT_END, -1);
    for (unsigned i = 0; all[i] && *all[i]; i++) {
        StorageVolumeDef *v = volume_of(d, all[i], err);
        if (!v)
            return false;
        g_autofree char *name = g_strdup(v->name), *path = g_strdup(v->path);
        found(name, path, v, data);
    }
    return true;
}

static StorageVolumeDef *library_vol_look(const StoragePoolDef *d, const char *name, GError **err)
{
    ApartRequest r = { .op = APART_LOOK, .pool = d, .path = name };
    g_autofree char *said = NULL;

    return ask(&r, NULL, &said, err) ? volume_of(d, said, err) : NULL;
}

static bool library_vol_create(const StoragePoolDef *d, StorageVolumeDef *v, const StorageVolumeDef *input, unsigned flags,
                               const StorageJob *job, GError **err)
{
    ApartRequest r = { .op = APART_CREATE, .pool = d, .vol = v, .input = input, .flags = flags };

    if (input && input->pool_type != d->source.type)
        return backend_refuse(d, "copies of volumes of other pools", err);
    return ask(&r, job, NULL, err);
}

static bool library_vol_delete(const StoragePoolDef *d, const StorageVolumeDef *v, unsigned flags, const StorageJob *job,
                               GError **err)
{
    ApartRequest r = { .op = APART_DELETE, .pool = d, .vol = v, .flags = flags };
    return ask(&r, job, NULL, err);
}

static bool library_vol_resize(const StoragePoolDef *d, const StorageVolumeDef *v, uint64_t capacity, unsigned flags,
                               const StorageJob *job, GError **err)
{
    ApartRequest r = { .op = APART_RESIZE, .pool = d, .vol = v, .flags = flags, .length = capacity };
    return ask(&r, job, NULL, err);
}

static bool library_vol_wipe(const StoragePoolDef *d, const StorageVolumeDef *v, unsigned algorithm, const StorageJob *job,
                             GError **err)
{
    ApartRequest r = { .op = APART_WIPE, .pool = d, .vol = v, .flags = algorithm };
    return ask(&r, job, NULL, err);
}

static StorageSourceList *direct_find(const StoragePoolSource *like, const StorageJob *job, GError **err)
{
    const PoolHost *h = list_len(like->hosts) == 1 ? list_at(like->hosts, 0) : NULL;
    g_autofree char *said = NULL;

    if (!h) {
        error_set(err, VIR_ERR_INVALID_ARG, "hostname must be specified for iscsi sources");
        return NULL;
    }
    if (!like->initiator) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "missing initiator IQN");
        return NULL;
    }
    if (strpbrk(h->name, "\n") || strpbrk(like->initiator, "\n")) {
        error_set(err, VIR_ERR_INVALID_ARG, "names of hosts and initiators have one line");
        return NULL;
    }
    g_autofree char *words = g_strdup_printf("%s\n%u\n%s", h->name, h->port, like->initiator);
    ApartRequest r = { .op = APART_FIND, .path = words, .program = backend_iscsi_direct.needs, .fd = -1 };
    if (!apart_run(&r, job, &said, err))
        return NULL;
    g_autoptr(GPtrArray) targets = g_ptr_array_new_with_free_func(g_free);
    g_auto(GStrv) lines = g_strsplit(said, "\n", -1);
    for (unsigned i = 0; lines[i] && *lines[i]; i++)
        g_ptr_array_add(targets, g_strdup(lines[i]));
    return sources_of_targets(like, targets);
}

/* The library does not tell which volumes there are; the administrator's program does. */
static StorageSourceList *gluster_find(const StoragePoolSource *like, const StorageJob *job, GError **err)
{
    const PoolHost *h = list_len(like->hosts) == 1 ? list_at(like->hosts, 0) : NULL;
    StorageJob quick = job ? *job : (StorageJob){ 0 };
    g_autofree char *said = NULL;

    if (!h) {
        error_set(err, VIR_ERR_INVALID_ARG, "hostname must be specified for gluster sources");
        return NULL;
    }
    Argv *a = argv_new("gluster");
    argv_words(a, "--xml", "--log-file=/dev/null", "volume", "info", "all", NULL);
    argv_wordf(a, "--remote-host=%s", h->name);
    quick.usec = quick.usec ? MIN(quick.usec, FIND_USEC) : FIND_USEC;
    return storage_run_take(a, &quick, &said, err) ? sources_of_gluster(said, h->name, err) : NULL;
}

#define OF_A_LIBRARY                                                                                                    \
    .check = library_check, .measure = library_measure, .list = library_list, .vol_look = library_vol_look

const PoolBackend backend_iscsi_direct = {
    .type = POOL_ISCSI_DIRECT, .flags = BACKEND_LIBRARY | BACKEND_NO_WIPE, .needs = "virt-storage-iscsi", OF_A_LIBRARY,
    .find_sources = direct_find, .vol_wipe = library_vol_wipe,
};

const PoolBackend backend_rbd = {
    .type = POOL_RBD, .flags = BACKEND_LIBRARY | BACKEND_NO_WIPE, .needs = "virt-storage-ceph", OF_A_LIBRARY,
    .vol_create = library_vol_create, .vol_delete = library_vol_delete, .vol_resize = library_vol_resize,
    .vol_wipe = library_vol_wipe,
};

const PoolBackend backend_gluster = {
    .type = POOL_GLUSTER, .flags = BACKEND_LIBRARY | BACKEND_NO_WIPE, .needs = "virt-storage-gluster", OF_A_LIBRARY,
    .find_sources = gluster_find,
    .vol_delete = library_vol_delete,
};
