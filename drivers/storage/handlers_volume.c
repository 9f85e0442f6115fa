/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What makes, changes and tells of volumes. Making one holds the pool's turn, so two of one name meet; changing
 * one holds its own. Workers.
 */
#include <fcntl.h>
#include <string.h>

#include "conf/domain.h"
#include "drivers/common/secrets.h"
#include "drivers/storage/apart.h"
#include "drivers/storage/handlers.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/image.h"
#include "util/paths.h"

/* A volume of an active pool. The copy is of the definition under which it was found. */
typedef struct Place {
    Object *pool;
    ObjectView *view;
    const StoragePoolDef *def;
    const PoolBackend *backend;
} Place;

static void place_done(Place *p)
{
    object_view_unref(p->view);
    object_unref(p->pool);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Place, place_done)

static bool place_of(const StorageVolView *v, Place *ret, GError **err)
{
    ret->pool = volume_pool(v, err);
    ret->view = ret->pool ? object_view(ret->pool) : NULL;
    if (!ret->pool || !ret->view || !pool_need_active((const StoragePoolView *)ret->view, err))
        return false;
    ret->def = pool_def((const StoragePoolView *)ret->view, NULL, err);
    ret->backend = ret->def ? pool_backend(ret->def->source.type, err) : NULL;
    return ret->backend != NULL;
}

/* What the pool has left is another number now. */
static void measure_again(Object *pool, const PoolBackend *b, const StoragePoolDef *d, const StorageJob *job)
{
    g_autoptr(StoragePoolDef) copy = pool_copy(d);
    PoolFigures f = { 0 };

    if (b->measure(copy, &f, job, NULL))
        pool_set_figures(pool, &f);
}

/* What the storage has told, it is asked again; keep: whose encryption it still has, or NULL. */
static void look_again(const StorageVolView *v, const Place *p, const StorageVolumeDef *keep)
{
    StorageVolumeDef *now = v->known ? p->backend->vol_look(p->def, v->vol_name, NULL) : NULL;

    if (!now)
        return;
    volume_keep_encryption(keep, now);
    (void)volume_enter(p->pool, NULL, (const StoragePoolView *)p->view, v->vol_name, v->path, now, NULL);
}

/* Making ------------------------------------------------------------------------------------------ */

/* Whoever has the copy can read what is in the original: so they need the right to read that. */
static bool may_copy(Call *c, const AclObject *vol, GError **err)
{
    if (call_allows(c, vol, "data_read"))
        return true;
    error_set(err, VIR_ERR_ACCESS_DENIED, "a copy of volume '%s' of pool '%s' needs the permission storage_vol:data_read on it", vol->name,
              vol->parent_name);
    return false;
}

/* The volume as it is, and stays until uses are done. */
static StorageVolumeDef *details_for_copy(const StorageVolView *v, GArray *uses, GError **err)
{
    VolumeUse use;

    if (!volume_use_begin(v, false, &use, err))
        return NULL;
    g_array_append_val(uses, use);
    return volume_details(v, err);
}

/* A copy has what the images below its original have. Which those are says the head of each, perhaps in the words of
 * a guest: so they must be volumes that whoever wants the copy can see and read. */
static bool check_below(Call *c, const StorageVolumeDef *top, GArray *uses, GError **err)
{
    enum { CHAIN_MAX = 200 };
    g_autoptr(StorageVolumeDef) at = storage_volume_copy(top);

    for (unsigned n = 0; at && at->backing.path; n++) {
        g_autoptr(Object) o = n < CHAIN_MAX && *at->backing.path == '/' ? storage_vol_find_path(c, at->backing.path) : NULL;
        g_autoptr(ObjectView) v = o ? object_view(o) : NULL;
        AclObject acl = { 0 };
        if (v)
            acl = object_view_acl(v);
        if (!v || !call_allows(c, &acl, "getattr")) {
            error_set(err, VIR_ERR_OPERATION_DENIED, "volume '%s' is not copied: the image below it, '%s', is in no active storage pool",
                      top->name, at->backing.path);
            return false;
        }
        if (!may_copy(c, &acl, err))
            return false;
        StorageVolumeDef *below = details_for_copy((const StorageVolView *)v, uses, err);
        storage_volume_free(at);
        at = below;
    }
    return at != NULL;
}

static bool name_ok(const char *name, GError **err)
{
    g_autoptr(GError) why = NULL;

    if (strchr(name, '/'))
        error_set(err, VIR_ERR_OPERATION_INVALID, "volume name '%s' cannot contain '/'", name);
    else if (volume_file_is_temporary(name))
        error_set(err, VIR_ERR_OPERATION_INVALID, "volume name '%s' begins as names of unfinished volumes do", name);
    else if (!path_component_ok(name, NULL, &why))
        error_set(err, VIR_ERR_OPERATION_INVALID, "%s", why->message);
    else
        return true;
    return false;
}

static bool create(Call *c, ObjectTurn *t, const char *xml, const StorageVolumeDef *input, unsigned parse, unsigned flags,
                   remote_nonnull_storage_vol *ret, GError **err)
{
    const StoragePoolView *v = (const StoragePoolView *)object_turn_view(t);
    StorageJob job = job_of_call(c);
    const StoragePoolDef *d;

    if (!pool_need_active(v, err) || !(d = pool_def(v, c, err)))
        return false;
    const PoolBackend *b = pool_backend(d->source.type, err);
    if (!b)
        return false;
    if (!b->vol_create)
        return backend_refuse(d, "volume creation", err);
    if (flags & VIR_STORAGE_VOL_CREATE_VALIDATE)
        parse |= DOMAIN_PARSE_STRICT;
    g_autoptr(StorageVolumeDef) vol = storage_volume_parse_for(xml, strlen(xml), parse, d->source.type, err);
    if (!vol || !name_ok(vol->name, err))
        return false;
    if (input && vol->capacity < input->capacity) {
        /* A copy holds all of its original. */
        vol->capacity = input->capacity;
        vol->capacity_missing = 0;
        if (vol->allocation_missing)
            vol->allocation.v = vol->capacity;
    }
    g_autoptr(Object) there = volume_find(v->uuid, vol->name);
    if (there) {
        error_set(err, VIR_ERR_STORAGE_VOL_EXIST, "'%s'", vol->name);
        return false;
    }
    g_free(vol->path);
    vol->path = g_build_filename(d->target, vol->name, NULL);
    g_auto(PoolChange) change = { 0 };
    pool_change_begin(object_turn_object(t), vol->name, &change);
    if (!b->vol_create(d, vol, input, flags, &job, err))
        return false;
    measure_again(object_turn_object(t), b, d, &job);
    bool files = b->flags & BACKEND_FILES;
    StorageVolumeDef *known = files ? NULL : b->vol_look(d, vol->name, err);
    g_clear_pointer(&vol->key, g_free); /* the storage's to say */
    if (known)
        volume_keep_encryption(vol, known);
    if ((!files && !known) || !volume_enter(object_turn_object(t), NULL, v, vol->name, known ? known->path : vol->path, known, err))
        return false;
    g_autoptr(Object) made = volume_find(v->uuid, vol->name);
    g_autoptr(ObjectView) view = made ? object_view(made) : NULL;
    if (!view) {
        error_set(err, VIR_ERR_NO_STORAGE_VOL, "volume '%s' vanished while it was being made", vol->name);
        return false;
    }
    storage_vol_info.wire_fill(view, ret);
    return true;
}

bool handle_storage_vol_create_xml(Call *c, StoragePoolTurn *t, const remote_storage_vol_create_xml_args *a,
                                   remote_storage_vol_create_xml_ret *r, GError **err)
{
    return create(c, (ObjectTurn *)t, a->xml, NULL, VOLUME_PARSE_OPT_CAPACITY, a->flags, &r->vol, err);
}

/* The image does not say which secret it is; the one for its path is, where there is one. */
static void name_secret(Call *c, StorageVolumeDef *d)
{
    enum { PATIENCE_SEC = 2 };
    g_autoptr(Peer) p = peer_new(ROUTE_SECRET, c);
    g_autofree SecretRef *ref = g_new0(SecretRef, 1);

    ref->type = SECRET_PASSPHRASE;
    peer_set_timeout(p, PATIENCE_SEC);
    if (!secret_find_usage(p, VIR_SECRET_USAGE_TYPE_VOLUME, d->path, ref->uuid.v))
        return;
    ref->uuid.set = true;
    if (!d->encryption->secrets)
        d->encryption->secrets = g_ptr_array_new();
    g_ptr_array_add(d->encryption->secrets, g_steal_pointer(&ref));
}

/* Nor does a device say that it is encrypted, and a guest may have written what looks so: it is when there is a secret
 * for it. Of a copy its content is wanted. */
static void see_encryption(Call *c, StorageVolumeDef *d)
{
    if (d->type != VOLUME_BLOCK || d->encryption || apart_needed(NULL, d->path, NULL))
        return;
    auto_fd fd = volume_open(d->path, O_RDONLY);
    g_auto(ImageInfo) info = { 0 };

    if (fd < 0 || !image_probe_fd(fd, NULL, &info, NULL) || strcmp(info.format, "raw") != 0 || info.encryption != IMAGE_LUKS)
        return;
    d->encryption = g_new0(StorageEncryption, 1);
    d->encryption->format = ENCRYPTION_LUKS;
    name_secret(c, d);
    if (list_len(d->encryption->secrets) == 0)
        g_clear_pointer(&d->encryption, g_free);
    else if (info.has_capacity)
        d->capacity = info.capacity;
}

bool handle_storage_vol_create_xml_from(Call *c, StoragePoolTurn *t, const remote_storage_vol_create_xml_from_args *a,
                                        remote_storage_vol_create_xml_from_ret *r, GError **err)
{
    g_autoptr(Object) o = storage_vol_class.find(c, &a->clonevol, err);
    g_autoptr(ObjectView) v = o ? object_view(o) : NULL;

    if (!v) {
        if (o)
            error_set(err, VIR_ERR_NO_STORAGE_VOL, "no storage vol with matching name '%s'", a->clonevol.name);
        return false;
    }
    AclObject acl = object_view_acl(v);
    if (!call_allows(c, &acl, "getattr")) {
        error_set(err, VIR_ERR_NO_STORAGE_VOL, "no storage vol with matching name '%s'", a->clonevol.name);
        return false;
    }
    g_autoptr(GArray) uses = g_array_new(false, false, sizeof(VolumeUse));
    g_array_set_clear_func(uses, (GDestroyNotify)volume_use_done);
    g_autoptr(StorageVolumeDef) input = may_copy(c, &acl, err) ? details_for_copy((const StorageVolView *)v, uses, err) : NULL;
    if (input)
        see_encryption(c, input);
    return input && check_below(c, input, uses, err) &&
           create(c, (ObjectTurn *)t, a->xml, input, VOLUME_PARSE_NO_CAPACITY, a->flags, &r->vol, err);
}

/* What would go with it are volumes, too: it does when that is said, by who has the right to delete each, before any is gone. */
static bool may_delete_snapshots(Call *c, const StorageVolView *v, const Place *p, const StorageVolumeDef *d, bool said,
                                 const StorageJob *job, GError **err)
{
    g_autoptr(GPtrArray) all = p->backend->vol_snapshots(p->def, d, job, err);

    for (guint i = 0; all && i < all->len; i++) {
        const StorageVolumeDef *snapshot = all->pdata[i];
        const AclObject acl = { .kind = OBJECT_STORAGE_VOL, .name = snapshot->name, .parent_name = v->pool_name,
                                .parent_uuid = v->pool_uuid, .key = snapshot->key };
        if (said && call_allows(c, &acl, "delete"))
            continue;
        g_autofree char *which = call_allows(c, &acl, "getattr") ? g_strdup_printf("the snapshot '%s'", snapshot->name) : g_strdup("a snapshot");
        if (said)
            error_set(err, VIR_ERR_ACCESS_DENIED, "volume '%s' has %s, which needs the permission storage_vol:delete as well",
                      v->vol_name, which);
        else
            error_set(err, VIR_ERR_OPERATION_INVALID, "volume '%s' has %s", v->vol_name, which);
        return false;
    }
    return all != NULL;
}

bool handle_storage_vol_delete(Call *c, StorageVolTurn *t, const remote_storage_vol_delete_args *a, GError **err)
{
    const StorageVolView *v = (const StorageVolView *)object_turn_view((ObjectTurn *)t);
    g_auto(Place) p = { 0 };
    g_auto(VolumeUse) use = { 0 };
    StorageJob job = job_of_call(c);

    if (!place_of(v, &p, err) || !volume_use_begin(v, true, &use, err))
        return false;
    bool with_snapshots = a->flags == VIR_STORAGE_VOL_DELETE_WITH_SNAPSHOTS && p.backend->vol_snapshots;
    if (a->flags && !with_snapshots && !(p.backend->flags & BACKEND_LIBRARY)) {
        error_set(err, VIR_ERR_INVALID_ARG, "unsupported flags (0x%x)", a->flags);
        return false;
    }
    if (!p.backend->vol_delete)
        return backend_refuse(p.def, "vol deletion", err);
    /* Of a file the name is enough. */
    g_autoptr(StorageVolumeDef) d = p.backend->flags & BACKEND_FILES ? NULL : volume_details(v, NULL);
    StorageVolumeDef gone = { .name = v->vol_name, .path = v->path, .key = v->key };
    g_auto(PoolChange) change = { 0 };
    pool_change_begin(p.pool, v->vol_name, &change);
    if ((p.backend->vol_snapshots && !may_delete_snapshots(c, v, &p, d ? d : &gone, with_snapshots, &job, err)) ||
        !p.backend->vol_delete(p.def, d ? d : &gone, a->flags, &job, err))
        return false;
    measure_again(p.pool, p.backend, p.def, &job);
    if (with_snapshots) { /* they were volumes, too */
        atomic_store(&pool_state(p.pool)->listed, false);
        (void)pool_sync(p.pool, (const StoragePoolView *)p.view, p.def, NULL);
    }
    object_turn_remove((ObjectTurn *)t);
    return true;
}

/* Changing ---------------------------------------------------------------------------------------- */

bool handle_storage_vol_resize(Call *c, StorageVolTurn *t, const remote_storage_vol_resize_args *a, GError **err)
{
    const StorageVolView *v = (const StorageVolView *)object_turn_view((ObjectTurn *)t);
    g_auto(Place) p = { 0 };
    g_auto(VolumeUse) use = { 0 };
    StorageJob job = job_of_call(c);
    uint64_t capacity = a->capacity;

    if (!place_of(v, &p, err) || !volume_use_begin(v, true, &use, err))
        return false;
    if (!p.backend->vol_resize)
        return backend_refuse(p.def, "changing of volume capacity", err);
    g_autoptr(StorageVolumeDef) d = volume_details(v, err);
    if (!d)
        return false;
    if (a->flags & VIR_STORAGE_VOL_RESIZE_DELTA) {
        bool shrink = a->flags & VIR_STORAGE_VOL_RESIZE_SHRINK;
        if (shrink)
            capacity = d->capacity - MIN(d->capacity, capacity);
        else if (__builtin_add_overflow(d->capacity, capacity, &capacity))
            capacity = UINT64_MAX;
    }
    if (capacity < d->capacity && capacity < d->allocation.v) {
        error_set(err, VIR_ERR_INVALID_ARG, "can't shrink capacity below existing allocation");
        return false;
    }
    if (capacity < d->capacity && !(a->flags & VIR_STORAGE_VOL_RESIZE_SHRINK)) {
        error_set(err, VIR_ERR_INVALID_ARG, "Can't shrink capacity below current capacity unless shrink flag explicitly specified");
        return false;
    }
    PoolFigures f;
    pool_figures(p.pool, &f);
    if (capacity > INT64_MAX || (capacity > d->capacity && (a->flags & VIR_STORAGE_VOL_RESIZE_ALLOCATE) &&
                                 capacity - d->capacity > f.available)) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "Not enough space left in storage pool");
        return false;
    }
    g_auto(PoolChange) change = { 0 };
    pool_change_begin(p.pool, v->vol_name, &change);
    if (!p.backend->vol_resize(p.def, d, capacity, a->flags, &job, err))
        return false;
    look_again(v, &p, v->known);
    measure_again(p.pool, p.backend, p.def, &job);
    return true;
}

static bool wipe(Call *c, StorageVolTurn *t, unsigned algorithm, GError **err)
{
    const StorageVolView *v = (const StorageVolView *)object_turn_view((ObjectTurn *)t);
    g_auto(Place) p = { 0 };
    g_auto(VolumeUse) use = { 0 };
    StorageJob job = job_of_call(c);

    if (!place_of(v, &p, err) || !volume_use_begin(v, true, &use, err))
        return false;
    g_auto(PoolChange) change = { 0 };
    pool_change_begin(p.pool, v->vol_name, &change);
    if (p.backend->vol_wipe && v->known)
        return p.backend->vol_wipe(p.def, v->known, algorithm, &job, err);
    if (p.backend->flags & BACKEND_NO_WIPE)
        return backend_refuse(p.def, "volume wiping", err);
    const ApartRequest r = { .op = APART_WIPE, .path = v->path, .flags = algorithm, .fd = -1 };
    bool ok = apart_needed(p.def, v->path, NULL) ? apart_run(&r, &job, NULL, err) : volume_wipe(v->path, algorithm, &job, err);
    if (ok && v->known && v->known->encryption)
        look_again(v, &p, NULL);
    return ok;
}

bool handle_storage_vol_wipe(Call *c, StorageVolTurn *t, const remote_storage_vol_wipe_args *a, GError **err)
{
    (void)a;
    return wipe(c, t, VIR_STORAGE_VOL_WIPE_ALG_ZERO, err);
}

bool handle_storage_vol_wipe_pattern(Call *c, StorageVolTurn *t, const remote_storage_vol_wipe_pattern_args *a, GError **err)
{
    return wipe(c, t, a->algorithm, err);
}

/* Questions --------------------------------------------------------------------------------------- */

bool handle_storage_vol_get_info(Call *c, const StorageVolView *v, const remote_storage_vol_get_info_args *a,
                                 remote_storage_vol_get_info_ret *r, GError **err)
{
    g_autoptr(StorageVolumeDef) d = volume_details(v, err);

    (void)c;
    (void)a;
    if (!d)
        return false;
    r->type = (char)d->type;
    r->capacity = d->capacity;
    r->allocation = d->allocation.v;
    return true;
}

bool handle_storage_vol_get_info_flags(Call *c, const StorageVolView *v, const remote_storage_vol_get_info_flags_args *a,
                                       remote_storage_vol_get_info_flags_ret *r, GError **err)
{
    g_autoptr(StorageVolumeDef) d = volume_details(v, err);

    (void)c;
    if (!d)
        return false;
    r->type = (char)d->type;
    r->capacity = d->capacity;
    r->allocation = a->flags & VIR_STORAGE_VOL_GET_PHYSICAL ? d->physical : d->allocation.v;
    return true;
}

bool handle_storage_vol_get_xml_desc(Call *c, const StorageVolView *v, const remote_storage_vol_get_xml_desc_args *a,
                                     remote_storage_vol_get_xml_desc_ret *r, GError **err)
{
    g_autoptr(StorageVolumeDef) d = volume_details(v, err);

    (void)a;
    if (d && d->encryption && list_len(d->encryption->secrets) == 0)
        name_secret(c, d);
    r->xml = d ? storage_volume_format(d, 0, err) : NULL;
    return r->xml != NULL;
}

bool handle_storage_vol_get_path(Call *c, const StorageVolView *v, const remote_storage_vol_get_path_args *a,
                                 remote_storage_vol_get_path_ret *r, GError **err)
{
    (void)c;
    (void)a;
    (void)err;
    r->name = g_strdup(v->path);
    return true;
}
