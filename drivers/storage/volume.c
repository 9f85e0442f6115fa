/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Volumes as a kind of object. No file describes them: the storage does. In their registry a volume is called
 * "UUID-OF-POOL/NAME", its key is its path. Two pools may show the same file: by path one of both is found. What a look at
 * the storage finds is entered unless a call has changed it meanwhile (PoolLook): the call knows better.
 */
#include <string.h>

#include "drivers/storage/storage.h"
#include "util/api.h"
#include "util/error.h"

/* The kind ---------------------------------------------------------------------------------------- */

static void view_copied(ObjectView *o)
{
    StorageVolView *v = (StorageVolView *)o;

    v->pool_name = g_strdup(v->pool_name);
    v->vol_name = g_strdup(v->vol_name);
    v->path = g_strdup(v->path);
    v->key = g_strdup(v->key);
    v->known = v->known ? storage_volume_copy(v->known) : NULL;
}

static void view_done(ObjectView *o)
{
    StorageVolView *v = (StorageVolView *)o;

    g_free(v->pool_name);
    g_free(v->vol_name);
    g_free(v->path);
    g_free(v->key);
    storage_volume_free(v->known);
}

static char *key_of(const ObjectView *v)
{
    return g_strdup(((const StorageVolView *)v)->path);
}

static void wire_fill(const ObjectView *o, void *ret)
{
    const StorageVolView *v = (const StorageVolView *)o;
    remote_nonnull_storage_vol *w = ret;

    w->pool = g_strdup(v->pool_name);
    w->name = g_strdup(v->vol_name);
    w->key = g_strdup(v->key);
}

static void describe(const ObjectView *o, AclObject *ret)
{
    const StorageVolView *v = (const StorageVolView *)o;

    ret->name = v->vol_name;
    ret->parent_name = v->pool_name;
    ret->parent_uuid = v->pool_uuid;
    ret->key = v->key;
}

const KindInfo storage_vol_info = {
    .object = OBJECT_STORAGE_VOL,
    .word = "storage vol",
    .missing = VIR_ERR_NO_STORAGE_VOL,
    .view_size = sizeof(StorageVolView),
    .doc = &storage_volume_kind,
    .identity = DOC_IDENTITY_NAME,
    .document = "volume",
    .view_copied = view_copied,
    .view_done = view_done,
    .key = key_of,
    .wire_fill = wire_fill,
    .wire_size = sizeof(remote_nonnull_storage_vol),
    .describe = describe,
};

/* Finding ----------------------------------------------------------------------------------------- */

Registry *storage_volumes(void) { return registry_of(OBJECT_STORAGE_VOL); }

char *volume_index_name(const uint8_t *pool, const char *name)
{
    char text[37];

    uuid_format(pool, text);
    return g_strdup_printf("%s/%s", text, name);
}

Object *volume_find(const uint8_t *pool, const char *name)
{
    g_autofree char *index = volume_index_name(pool, name);
    return registry_find_name(storage_volumes(), index);
}

static void *class_find(Call *c, const void *wire, GError **err)
{
    const remote_nonnull_storage_vol *w = wire;
    g_autoptr(Object) pool = registry_find_name(storage_pools(), w->pool);
    g_autoptr(ObjectView) view = pool ? object_view(pool) : NULL;
    Object *o = view ? volume_find(object_uuid(pool), w->name) : NULL;

    if (o)
        return o;
    if (!view) {
        error_set(err, VIR_ERR_NO_STORAGE_POOL, "no storage pool with matching name '%s'", w->pool);
        return NULL;
    }
    /* A pool at rest has no volumes; only who may see the pool is told that it rests. */
    AclObject a = object_view_acl(view);
    if (!call_allows(c, &a, "getattr") || pool_need_active((const StoragePoolView *)view, err))
        error_set(err, VIR_ERR_NO_STORAGE_VOL, "no storage vol with matching name '%s'", w->name);
    return NULL;
}

/* As every class, but that volumes are found in their pool. */
ObjectClass storage_vol_class;

void storage_vol_init(void)
{
    storage_vol_class = object_class;
    storage_vol_class.find = class_find;
}

static gint by_name(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const StorageVolView *const *)a)->vol_name, (*(const StorageVolView *const *)b)->vol_name);
}

GPtrArray *volumes_of_pool(Call *c, const uint8_t *pool)
{
    g_autoptr(GPtrArray) all = registry_views(storage_volumes());
    GPtrArray *mine = g_ptr_array_new_with_free_func(object_view_destroy);

    for (guint i = 0; i < all->len; i++) {
        ObjectView *v = all->pdata[i];
        if (memcmp(((StorageVolView *)v)->pool_uuid, pool, sizeof(Uuid)) != 0)
            continue;
        AclObject a = object_view_acl(v);
        if (!c || call_allows(c, &a, "getattr"))
            g_ptr_array_add(mine, object_view_ref(v));
    }
    g_ptr_array_sort(mine, by_name);
    return mine;
}

Object *volume_pool(const StorageVolView *v, GError **err)
{
    Object *pool = registry_find_uuid(storage_pools(), v->pool_uuid);

    if (!pool)
        error_set(err, VIR_ERR_NO_STORAGE_POOL, "no storage pool with matching name '%s'", v->pool_name);
    return pool;
}

/* Entering ---------------------------------------------------------------------------------------- */

typedef struct Enter {
    const StoragePoolView *pool;
    const char *name, *path;
    StorageVolumeDef *def;
} Enter;

static void fill(ObjectView *o, void *data)
{
    const Enter *e = data;
    StorageVolView *v = (StorageVolView *)o;

    memcpy(v->pool_uuid, e->pool->uuid, sizeof(Uuid));
    v->pool_name = g_strdup(e->pool->name);
    v->vol_name = g_strdup(e->name);
    v->path = g_strdup(e->path);
    v->key = g_strdup(e->def && e->def->key ? e->def->key : e->path);
    v->known = e->def;
}

void pool_look_begin(Object *pool, PoolLook *ret)
{
    PoolState *s = pool_state(pool);
    LOCK_SCOPE(&s->entries);

    *ret = (PoolLook){ pool, g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL), s->gone, false };
    for (guint i = 0; i < s->names->len; i++)
        g_hash_table_add(ret->changed, g_strdup(s->names->pdata[i]));
    s->looks = g_slist_prepend(s->looks, ret);
}

void pool_look_done(PoolLook *l)
{
    PoolState *s = l->pool ? pool_state(l->pool) : NULL;

    if (!s)
        return;
    LOCK_SCOPE(&s->entries);
    s->looks = g_slist_remove(s->looks, l);
    g_hash_table_unref(l->changed);
}

void pool_change_begin(Object *pool, const char *name, PoolChange *ret)
{
    PoolState *s = pool_state(pool);
    LOCK_SCOPE(&s->entries);

    *ret = (PoolChange){ pool, name };
    g_ptr_array_add(s->names, g_strdup(name));
    for (GSList *l = s->looks; l; l = l->next)
        g_hash_table_add(((PoolLook *)l->data)->changed, g_strdup(name));
}

void pool_change_done(PoolChange *c)
{
    PoolState *s = c->pool ? pool_state(c->pool) : NULL;
    guint at;

    if (!s)
        return;
    LOCK_SCOPE(&s->entries);
    if (g_ptr_array_find_with_equal_func(s->names, c->name, g_str_equal, &at))
        g_ptr_array_remove_index_fast(s->names, at);
}

/* Under the lock of entries. */
static bool counts_locked(const PoolState *s, PoolLook *look, const char *name)
{
    bool counts = look ? !look->over && !g_hash_table_contains(look->changed, name) : !s->gone;

    if (look && !counts)
        look->passed_over = true;
    return counts;
}

bool volume_enter(Object *pool, PoolLook *look, const StoragePoolView *v, const char *name, const char *path, StorageVolumeDef *def,
                  GError **err)
{
    g_autofree char *index = volume_index_name(v->uuid, name);
    PoolState *s = pool_state(pool);
    Enter e = { v, name, path, def };
    LOCK_SCOPE(&s->entries);

    if (counts_locked(s, look, name))
        return registry_add(storage_volumes(), index, fill, &e, err);
    storage_volume_free(def);
    return true;
}

void volume_forget(PoolLook *look, const StorageVolView *v)
{
    PoolState *s = pool_state(look->pool);
    LOCK_SCOPE(&s->entries);
    g_autoptr(Object) o = counts_locked(s, look, v->vol_name) ? volume_find(v->pool_uuid, v->vol_name) : NULL;

    if (o)
        registry_remove(o);
}

void volume_keep_encryption(const StorageVolumeDef *old, StorageVolumeDef *def)
{
    bool same = old && old->encryption && def->type == VOLUME_BLOCK && !def->encryption &&
                (!old->key || g_strcmp0(old->key, def->key) == 0) && def->capacity > VOLUME_LUKS_ROOM;

    if (!same)
        return;
    g_autoptr(StorageVolumeDef) copy = storage_volume_copy(old);
    def->encryption = g_steal_pointer(&copy->encryption);
    def->capacity -= VOLUME_LUKS_ROOM;
}

StorageVolumeDef *volume_details(const StorageVolView *v, GError **err)
{
    if (v->known)
        return storage_volume_copy(v->known);
    g_autoptr(Object) pool = volume_pool(v, err);
    g_autoptr(ObjectView) pv = pool ? object_view(pool) : NULL;
    if (!pool)
        return NULL;
    if (!pv || !pool_need_active((const StoragePoolView *)pv, err))
        return NULL;
    const StoragePoolDef *d = pool_def((const StoragePoolView *)pv, NULL, err);
    const PoolBackend *b = d ? pool_backend(d->source.type, err) : NULL;
    return b ? b->vol_look(d, v->vol_name, err) : NULL;
}
