/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What changes pools, and what is told of one. A pool that is being started, built or refreshed holds its turn;
 * looks at it and at its volumes go on beside. Workers, but for the questions.
 */
#define LOG_SOURCE "storage.pool"
#include <string.h>

#include "conf/domain.h"
#include "drivers/storage/handlers.h"
#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"
#include "util/log.h"

#define TURN(t) ((ObjectTurn *)(t))
#define VIEW(t) ((const StoragePoolView *)object_turn_view(TURN(t)))

enum { CREATE_BUILDS = VIR_STORAGE_POOL_CREATE_WITH_BUILD | VIR_STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE |
                       VIR_STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE };

/* Definitions ------------------------------------------------------------------------------------- */

/* Two pools of one place would not know of each other's changes. */
static bool check_place(const StoragePoolView *self, const StoragePoolDef *d, GError **err)
{
    g_autoptr(GPtrArray) all = registry_views(storage_pools());

    for (guint i = 0; i < all->len; i++) {
        const StoragePoolView *v = all->pdata[i];
        const StoragePoolDef *other = memcmp(v->uuid, self->uuid, sizeof(Uuid)) ? pool_def(v, NULL, NULL) : NULL;
        if (!other || !pool_same_place(d, other))
            continue;
        error_set(err, VIR_ERR_OPERATION_FAILED, "Storage source conflict with pool: '%s'", v->name);
        return false;
    }
    return true;
}

static StoragePoolDef *parse_pool(ObjectTurn *t, const char *xml, unsigned strict, GError **err)
{
    g_autoptr(StoragePoolDef) d =
        storage_pool_parse(xml, strlen(xml), DOMAIN_PARSE_INACTIVE | (strict ? DOMAIN_PARSE_STRICT : 0), err);

    if (!d || !pool_backend(d->source.type, err) || !settle_identity(t, d, err) ||
        !check_place((const StoragePoolView *)object_turn_view(t), d, err))
        return NULL;
    return g_steal_pointer(&d);
}

bool handle_storage_pool_define_xml(Call *c, StoragePoolTurn *t, const remote_storage_pool_define_xml_args *a,
                                    remote_storage_pool_define_xml_ret *r, GError **err)
{
    StoragePoolDef *d = parse_pool(TURN(t), a->xml, a->flags & VIR_STORAGE_POOL_DEFINE_VALIDATE, err);

    (void)c;
    if (!d || !define_object(TURN(t), d, err))
        return false;
    pool_emit_lifecycle(TURN(t), VIR_STORAGE_POOL_EVENT_DEFINED);
    storage_pool_info.wire_fill(object_turn_view(TURN(t)), &r->pool);
    return true;
}

bool handle_storage_pool_undefine(Call *c, StoragePoolTurn *t, const remote_storage_pool_undefine_args *a, GError **err)
{
    (void)c;
    (void)a;
    if (!pool_need_inactive(VIEW(t), err))
        return false;
    pool_emit_lifecycle(TURN(t), VIR_STORAGE_POOL_EVENT_UNDEFINED);
    return undefine_object(TURN(t), err);
}

bool handle_storage_pool_set_autostart(Call *c, StoragePoolTurn *t, const remote_storage_pool_set_autostart_args *a, GError **err)
{
    (void)c;
    if (!VIEW(t)->persistent) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "pool has no config file");
        return false;
    }
    return autostart_object(TURN(t), a->autostart, err);
}

/* Life -------------------------------------------------------------------------------------------- */

static unsigned build_flags(unsigned create)
{
    return (create & VIR_STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE ? VIR_STORAGE_POOL_BUILD_OVERWRITE : 0) |
           (create & VIR_STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE ? VIR_STORAGE_POOL_BUILD_NO_OVERWRITE : 0);
}

static bool exclusive(unsigned flags, unsigned one, unsigned other, GError **err)
{
    if ((flags & one) && (flags & other)) {
        error_set(err, VIR_ERR_INVALID_ARG, "flags for overwriting and for not overwriting are mutually exclusive");
        return false;
    }
    return true;
}

static bool build(const StoragePoolDef *d, unsigned flags, const StorageJob *job, GError **err)
{
    const PoolBackend *b = pool_backend(d->source.type, err);

    return b && (!b->build || b->build(d, flags, job, err)); /* what is there already needs nothing */
}

/* take: becomes the live definition. What was started is stopped again when it cannot be used. */
bool pool_start(ObjectTurn *t, StoragePoolDef *take, unsigned flags, const StorageJob *job, GError **err)
{
    g_autoptr(StoragePoolDef) d = take;
    const PoolBackend *b = pool_backend(d->source.type, err);
    const StoragePoolView *v = (const StoragePoolView *)object_turn_view(t);

    if (!b || ((flags & CREATE_BUILDS) && !build(d, build_flags(flags), job, err)) || (b->start && !b->start(d, job, err)))
        return false;
    pool_expect_volumes(object_turn_object(t));
    if (!pool_refresh(object_turn_object(t), v, d, job, err)) {
        if (b->stop)
            (void)b->stop(d, job, NULL);
        pool_forget_volumes(object_turn_object(t));
        return false;
    }
    object_turn_set_live(t, g_steal_pointer(&d));
    object_turn_set_active(t, true);
    pool_emit_lifecycle(t, VIR_STORAGE_POOL_EVENT_STARTED);
    return true;
}

bool handle_storage_pool_create(Call *c, StoragePoolTurn *t, const remote_storage_pool_create_args *a, GError **err)
{
    StorageJob job = job_of_pool(c, object_turn_object(TURN(t)));
    const StoragePoolDef *d;

    if (!exclusive(a->flags, VIR_STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE, VIR_STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE, err))
        return false;
    if (VIEW(t)->active) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "storage pool '%s' is already active", VIEW(t)->name);
        return false;
    }
    d = pool_def(VIEW(t), c, err);
    return d && pool_start(TURN(t), pool_copy(d), a->flags, &job, err);
}

bool handle_storage_pool_create_xml(Call *c, StoragePoolTurn *t, const remote_storage_pool_create_xml_args *a,
                                    remote_storage_pool_create_xml_ret *r, GError **err)
{
    StorageJob job = job_of_pool(c, object_turn_object(TURN(t)));

    if (!exclusive(a->flags, VIR_STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE, VIR_STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE, err))
        return false;
    if (object_turn_base(TURN(t)) && VIEW(t)->active) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "pool is already active as '%s'", VIEW(t)->name);
        return false;
    }
    StoragePoolDef *d = parse_pool(TURN(t), a->xml, 0, err);
    if (!d || !pool_start(TURN(t), d, a->flags, &job, err))
        return false;
    storage_pool_info.wire_fill(object_turn_view(TURN(t)), &r->pool);
    return true;
}

bool handle_storage_pool_destroy(Call *c, StoragePoolTurn *t, const remote_storage_pool_destroy_args *a, GError **err)
{
    StorageJob job = job_of_call(c);
    const StoragePoolDef *d;

    (void)a;
    atomic_store(&pool_state(object_turn_object(TURN(t)))->stopping, false); /* nobody else has a turn now */
    if (!pool_need_active(VIEW(t), err) || !(d = pool_def(VIEW(t), c, err)))
        return false;
    const PoolBackend *b = pool_backend(d->source.type, err);
    if (!b || (b->stop && !b->stop(d, &job, err)))
        return false;
    pool_end(TURN(t));
    return true;
}

bool handle_storage_pool_build(Call *c, StoragePoolTurn *t, const remote_storage_pool_build_args *a, GError **err)
{
    StorageJob job = job_of_pool(c, object_turn_object(TURN(t)));
    const StoragePoolDef *d;

    if (!exclusive(a->flags, VIR_STORAGE_POOL_BUILD_OVERWRITE, VIR_STORAGE_POOL_BUILD_NO_OVERWRITE, err))
        return false;
    if (VIEW(t)->active) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "storage pool '%s' is already active", VIEW(t)->name);
        return false;
    }
    if (!(d = pool_def(VIEW(t), c, err)) || !build(d, a->flags, &job, err))
        return false;
    pool_emit_lifecycle(TURN(t), VIR_STORAGE_POOL_EVENT_CREATED);
    return true;
}

bool handle_storage_pool_delete(Call *c, StoragePoolTurn *t, const remote_storage_pool_delete_args *a, GError **err)
{
    StorageJob job = job_of_call(c);
    const StoragePoolDef *d;

    if (!pool_need_inactive(VIEW(t), err) || !(d = pool_def(VIEW(t), c, err)))
        return false;
    if (a->flags & VIR_STORAGE_POOL_DELETE_ZEROED) {
        error_set(err, VIR_ERR_INVALID_ARG, "what was in storage pool '%s' cannot be overwritten: volumes are wiped one by one", VIEW(t)->name);
        return false;
    }
    const PoolBackend *b = pool_backend(d->source.type, err);
    if (!b || !(b->remove ? b->remove(d, &job, err) : backend_refuse(d, "being deleted", err)))
        return false;
    pool_emit_lifecycle(TURN(t), VIR_STORAGE_POOL_EVENT_DELETED);
    return true;
}

/* Whether a refresh failed because there is nothing any more: a server that is silent may come back. */
static bool is_gone(const StoragePoolDef *d, const GError *why)
{
    const PoolBackend *b = pool_backend(d->source.type, NULL);
    bool there = true;

    if (error_is(why, VIR_ERR_OPERATION_TIMEOUT) || error_is(why, VIR_ERR_OPERATION_ABORTED))
        return false;
    return b && b->check && b->check(d, &there, NULL) && !there;
}

bool handle_storage_pool_refresh(Call *c, StoragePoolTurn *t, const remote_storage_pool_refresh_args *a, GError **err)
{
    StorageJob job = job_of_pool(c, object_turn_object(TURN(t)));

    (void)a;
    if (!pool_need_active(VIEW(t), err))
        return false;
    StoragePoolDef *d = object_turn_edit_live(TURN(t));
    GError *why = NULL;
    if (d && pool_refresh(object_turn_object(TURN(t)), VIEW(t), d, &job, &why)) {
        pool_emit_refresh(object_turn_view(TURN(t)));
        return true;
    }
    if (d && is_gone(d, why)) {
        log_warn("pool '%s' is inactive now: %s", VIEW(t)->name, why->message);
        pool_end(TURN(t));
        (void)object_turn_checkpoint(TURN(t), NULL); /* the call itself has failed */
    }
    if (why)
        g_propagate_error(err, why);
    return false;
}

/* Questions --------------------------------------------------------------------------------------- */

bool handle_storage_pool_get_info(Call *c, const StoragePoolView *v, const remote_storage_pool_get_info_args *a,
                                  remote_storage_pool_get_info_ret *r, GError **err)
{
    g_autoptr(Object) pool = registry_find_uuid(storage_pools(), v->uuid);
    PoolFigures f = { 0 };

    (void)c;
    (void)a;
    (void)err;
    if (v->active && pool)
        pool_figures(pool, &f);
    r->state = v->active ? VIR_STORAGE_POOL_RUNNING : VIR_STORAGE_POOL_INACTIVE;
    r->capacity = f.capacity;
    r->allocation = f.allocation;
    r->available = f.available;
    return true;
}

bool handle_storage_pool_get_xml_desc(Call *c, const StoragePoolView *v, const remote_storage_pool_get_xml_desc_args *a,
                                      remote_storage_pool_get_xml_desc_ret *r, GError **err)
{
    g_autoptr(Object) pool = registry_find_uuid(storage_pools(), v->uuid);
    bool inactive = (a->flags & VIR_STORAGE_XML_INACTIVE) && v->config;
    const StoragePoolDef *d = inactive ? object_view_config((const ObjectView *)v, c, err) : pool_def(v, c, err);
    PoolFigures f = { 0 };

    if (!d)
        return false;
    g_autoptr(StoragePoolDef) copy = pool_copy(d);
    if (v->active && pool)
        pool_figures(pool, &f);
    copy->capacity = f.capacity;
    copy->allocation = f.allocation;
    copy->available = f.available;
    r->xml = storage_pool_format(copy, 0, err);
    return r->xml != NULL;
}

bool handle_storage_pool_get_autostart(Call *c, const StoragePoolView *v, const remote_storage_pool_get_autostart_args *a,
                                       remote_storage_pool_get_autostart_ret *r, GError **err)
{
    (void)c;
    (void)a;
    (void)err;
    r->autostart = v->autostart;
    return true;
}

bool handle_storage_pool_is_active(Call *c, const StoragePoolView *v, const remote_storage_pool_is_active_args *a,
                                   remote_storage_pool_is_active_ret *r, GError **err)
{
    (void)c;
    (void)a;
    (void)err;
    r->active = v->active;
    return true;
}

bool handle_storage_pool_is_persistent(Call *c, const StoragePoolView *v, const remote_storage_pool_is_persistent_args *a,
                                       remote_storage_pool_is_persistent_ret *r, GError **err)
{
    (void)c;
    (void)a;
    (void)err;
    r->persistent = v->persistent;
    return true;
}

bool handle_connect_get_storage_pool_capabilities(Call *c, const remote_connect_get_storage_pool_capabilities_args *a,
                                                  remote_connect_get_storage_pool_capabilities_ret *r, GError **err)
{
    g_autoptr(StoragePoolCaps) caps = storage_pool_caps_new(pool_backends_supported());

    (void)c;
    (void)a;
    r->capabilities = storage_pool_caps_format(caps, 0, err);
    return r->capabilities != NULL;
}

bool handle_connect_find_storage_pool_sources(Call *c, const remote_connect_find_storage_pool_sources_args *a,
                                              remote_connect_find_storage_pool_sources_ret *r, GError **err)
{
    StorageJob job = job_of_call(c);
    int type = enum_value(&storage_pool_type_names, a->type);
    g_autoptr(StoragePoolSource) like = NULL;

    if (type < 0) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "unknown storage pool type %s", a->type);
        return false;
    }
    const PoolBackend *b = pool_backend((StoragePoolType)type, err);
    if (!b)
        return false;
    if (!b->find_sources) {
        error_set(err, VIR_ERR_NO_SUPPORT, "pool type '%s' does not support source discovery", a->type);
        return false;
    }
    bool of_host = type == POOL_NETFS || type == POOL_ISCSI || type == POOL_ISCSI_DIRECT || type == POOL_GLUSTER;
    /* Some clients say nothing by an empty text, which is no document where one is needed. */
    if (a->srcSpec && (*a->srcSpec || of_host)) {
        like = storage_pool_source_parse(a->srcSpec, strlen(a->srcSpec), b->type, err);
        if (!like)
            return false;
    } else if (of_host) {
        error_set(err, VIR_ERR_INVALID_ARG, "hostname must be specified for %s sources", a->type);
        return false;
    } else {
        like = g_new0(StoragePoolSource, 1);
        like->type = b->type;
    }
    g_autoptr(StorageSourceList) l = b->find_sources(like, &job, err);
    r->xml = l ? storage_source_list_format(l, 0, err) : NULL;
    return r->xml != NULL;
}
