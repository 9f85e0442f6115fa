/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Look-ups and lists. They read what is known, on the loop; when the storage may know more (a file came by
 * itself), they ask for a worker and look there, at the one name or at the names alone.
 */
#include <string.h>

#include "drivers/storage/handlers.h"
#include "util/api.h"
#include "util/error.h"

enum { SETTLE_SEC = 2 };

#define POOLS(word) VIR_CONNECT_LIST_STORAGE_POOLS_##word

/* Pools ------------------------------------------------------------------------------------------- */

bool handle_connect_num_of_storage_pools(Call *c, remote_connect_num_of_storage_pools_ret *r, GError **err)
{
    (void)err;
    r->num = answer_count(c, storage_pools(), POOLS(ACTIVE));
    return true;
}

bool handle_connect_list_storage_pools(Call *c, const remote_connect_list_storage_pools_args *a,
                                       remote_connect_list_storage_pools_ret *r, GError **err)
{
    (void)err;
    answer_names(c, storage_pools(), POOLS(ACTIVE), a->maxnames, &r->names.names_len, &r->names.names_val);
    return true;
}

bool handle_connect_num_of_defined_storage_pools(Call *c, remote_connect_num_of_defined_storage_pools_ret *r, GError **err)
{
    (void)err;
    r->num = answer_count(c, storage_pools(), POOLS(INACTIVE));
    return true;
}

bool handle_connect_list_defined_storage_pools(Call *c, const remote_connect_list_defined_storage_pools_args *a,
                                               remote_connect_list_defined_storage_pools_ret *r, GError **err)
{
    (void)err;
    answer_names(c, storage_pools(), POOLS(INACTIVE), a->maxnames, &r->names.names_len, &r->names.names_val);
    return true;
}

bool handle_connect_list_all_storage_pools(Call *c, const remote_connect_list_all_storage_pools_args *a,
                                           remote_connect_list_all_storage_pools_ret *r, GError **err)
{
    return answer_list(c, storage_pools(), a->flags, a->need_results, REMOTE_STORAGE_POOL_LIST_MAX, &r->ret,
                       &r->pools.pools_len, &r->pools.pools_val, err);
}

bool handle_storage_pool_lookup_by_name(Call *c, const remote_storage_pool_lookup_by_name_args *a,
                                        remote_storage_pool_lookup_by_name_ret *r, GError **err)
{
    return answer_lookup(c, VIR_ERR_NO_STORAGE_POOL, registry_find_name(storage_pools(), a->name), &r->pool, err,
                         "no storage pool with matching name '%s'", a->name);
}

bool handle_storage_pool_lookup_by_uuid(Call *c, const remote_storage_pool_lookup_by_uuid_args *a,
                                        remote_storage_pool_lookup_by_uuid_ret *r, GError **err)
{
    char text[37];

    uuid_format((const uint8_t *)a->uuid, text);
    return answer_lookup(c, VIR_ERR_NO_STORAGE_POOL, registry_find_uuid(storage_pools(), (const uint8_t *)a->uuid),
                         &r->pool, err, "no storage pool with matching uuid '%s'", text);
}

/* A pool is there without its volumes, too. */
bool handle_storage_pool_lookup_by_volume(Call *c, const remote_storage_pool_lookup_by_volume_args *a,
                                          remote_storage_pool_lookup_by_volume_ret *r, GError **err)
{
    return answer_lookup(c, VIR_ERR_NO_STORAGE_POOL, registry_find_name(storage_pools(), a->vol.pool), &r->pool, err,
                         "no storage pool with matching name '%s'", a->vol.pool);
}

bool handle_storage_pool_lookup_by_target_path(Call *c, const remote_storage_pool_lookup_by_target_path_args *a,
                                               remote_storage_pool_lookup_by_target_path_ret *r, GError **err)
{
    g_autoptr(GPtrArray) all = registry_views(storage_pools());
    g_autofree char *path = storage_path_clean(a->path);
    Object *found = NULL;

    for (guint i = 0; i < all->len && !found; i++) {
        const StoragePoolView *v = all->pdata[i];
        const StoragePoolDef *d = v->active ? pool_def(v, c, NULL) : NULL;
        if (d && g_strcmp0(d->target, path) == 0)
            found = registry_find_uuid(storage_pools(), v->uuid);
    }
    return answer_lookup(c, VIR_ERR_NO_STORAGE_POOL, found, &r->pool, err, "no storage pool with matching target path '%s'",
                         path);
}

/* Volumes of a pool ------------------------------------------------------------------------------- */

/* Views, by name, after a look at whether there are others by now. NULL with *err; on the loop also when only
 * a worker may look. */
static GPtrArray *current_volumes(Call *c, const StoragePoolView *v, GError **err)
{
    if (!pool_need_active(v, err))
        return NULL;
    const StoragePoolDef *d = pool_def(v, c, err);
    const PoolBackend *b = d ? pool_backend(d->source.type, err) : NULL;
    if (!b)
        return NULL;
    g_autoptr(Object) pool = registry_find_uuid(storage_pools(), v->uuid);
    if (b->generation || (pool && !pool_state(pool)->listed)) {
        if (!call_may_wait(c)) {
            error_set(err, VIR_ERR_INTERNAL_ERROR, "the storage is asked by a worker");
            return NULL;
        }
        if (pool && !pool_sync(pool, v, d, err))
            return NULL;
    }
    return volumes_of_pool(c, v->uuid);
}

bool handle_storage_pool_num_of_volumes(Call *c, const StoragePoolView *v, const remote_storage_pool_num_of_volumes_args *a,
                                        remote_storage_pool_num_of_volumes_ret *r, GError **err)
{
    g_autoptr(GPtrArray) all = current_volumes(c, v, err);

    (void)a;
    r->num = all ? (int)all->len : 0;
    return all != NULL;
}

bool handle_storage_pool_list_volumes(Call *c, const StoragePoolView *v, const remote_storage_pool_list_volumes_args *a,
                                      remote_storage_pool_list_volumes_ret *r, GError **err)
{
    g_autoptr(GPtrArray) all = current_volumes(c, v, err);

    if (!all)
        return false;
    unsigned n = MIN(all->len, (unsigned)MAX(a->maxnames, 0));
    r->names.names_len = n;
    r->names.names_val = g_new0(char *, n);
    for (unsigned i = 0; i < n; i++)
        r->names.names_val[i] = g_strdup(((StorageVolView *)all->pdata[i])->vol_name);
    return true;
}

bool handle_storage_pool_list_all_volumes(Call *c, const StoragePoolView *v, const remote_storage_pool_list_all_volumes_args *a,
                                          remote_storage_pool_list_all_volumes_ret *r, GError **err)
{
    g_autoptr(GPtrArray) all = current_volumes(c, v, err);

    if (!all)
        return false;
    r->ret = all->len;
    if (!a->need_results)
        return true;
    if (all->len > REMOTE_STORAGE_VOL_LIST_MAX) {
        error_set(err, VIR_ERR_RPC, "%u volumes are more than one reply can hold (%d)", all->len, REMOTE_STORAGE_VOL_LIST_MAX);
        return false;
    }
    r->vols.vols_len = all->len;
    r->vols.vols_val = g_new0(remote_nonnull_storage_vol, all->len);
    for (guint i = 0; i < all->len; i++)
        storage_vol_info.wire_fill(all->pdata[i], &r->vols.vols_val[i]);
    return true;
}

/* What changed a moment ago may still be on its way into the pool. */
static bool settled(const StorageVolumeDef *v)
{
    return !v->timestamps || g_get_real_time() / G_USEC_PER_SEC - g_ascii_strtoll(v->timestamps->ctime, NULL, 10) > SETTLE_SEC;
}

/* A name that is not known may have come by itself: that one is looked for, nothing else. Clients rely on it that a
 * file which they have just made is no volume before the pool is refreshed or listed. */
static Object *find_or_look(Call *c, const StoragePoolView *v, const char *name)
{
    Object *o = volume_find(v->uuid, name);
    const StoragePoolDef *d;

    if (o || !call_may_wait(c) || !(d = pool_def(v, c, NULL)))
        return o;
    const PoolBackend *b = pool_backend(d->source.type, NULL);
    g_autoptr(Object) pool = b ? registry_find_uuid(storage_pools(), v->uuid) : NULL;
    if (!pool)
        return NULL;
    /* After a start of ours they are still being taken up. */
    if (!(b->flags & BACKEND_FILES))
        return !pool_state(pool)->listed && pool_sync(pool, v, d, NULL) ? volume_find(v->uuid, name) : NULL;
    g_auto(PoolLook) look = { 0 };
    pool_look_begin(pool, &look);
    g_autoptr(StorageVolumeDef) found = b->vol_look(d, name, NULL);
    return found && settled(found) && volume_enter(pool, &look, v, name, found->path, NULL, NULL) ? volume_find(v->uuid, name) : NULL;
}

bool handle_storage_vol_lookup_by_name(Call *c, const StoragePoolView *v, const remote_storage_vol_lookup_by_name_args *a,
                                       remote_storage_vol_lookup_by_name_ret *r, GError **err)
{
    if (!pool_need_active(v, err))
        return false;
    return answer_lookup(c, VIR_ERR_NO_STORAGE_VOL, find_or_look(c, v, a->name), &r->vol, err,
                         "no storage vol with matching name '%s'", a->name);
}

/* By path: also one that came by itself, in the pool whose directory it is in. */
Object *storage_vol_find_path(Call *c, const char *path)
{
    Object *o = registry_find_key(storage_volumes(), path);
    g_autofree char *dir = g_path_get_dirname(path), *name = g_path_get_basename(path);
    g_autoptr(GPtrArray) pools = o ? NULL : registry_views(storage_pools());

    for (guint i = 0; pools && i < pools->len && !o; i++) {
        const StoragePoolView *v = pools->pdata[i];
        const StoragePoolDef *d = v->active ? pool_def(v, c, NULL) : NULL;
        if (d && g_strcmp0(d->target, dir) == 0)
            o = find_or_look(c, v, name);
    }
    return o;
}

bool handle_storage_vol_lookup_by_path(Call *c, const remote_storage_vol_lookup_by_path_args *a,
                                       remote_storage_vol_lookup_by_path_ret *r, GError **err)
{
    g_autofree char *path = storage_path_clean(a->path);

    return answer_lookup(c, VIR_ERR_NO_STORAGE_VOL, storage_vol_find_path(c, path), &r->vol, err, "no storage vol with matching path '%s'",
                         a->path);
}

bool handle_storage_vol_lookup_by_key(Call *c, const remote_storage_vol_lookup_by_key_args *a,
                                      remote_storage_vol_lookup_by_key_ret *r, GError **err)
{
    Object *o = *a->key == '/' ? storage_vol_find_path(c, a->key) : NULL;
    g_autoptr(GPtrArray) all = o ? NULL : registry_views(storage_volumes());

    for (guint i = 0; all && i < all->len && !o; i++) {
        const StorageVolView *v = all->pdata[i];
        if (strcmp(v->key, a->key) == 0)
            o = volume_find(v->pool_uuid, v->vol_name);
    }
    return answer_lookup(c, VIR_ERR_NO_STORAGE_VOL, o, &r->vol, err, "no storage vol with matching key %s", a->key);
}
