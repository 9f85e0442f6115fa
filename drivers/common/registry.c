/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The registry of domains. A domain that is being created is in the name and uuid tables (so that two
 * creations of one name meet in its queue) but has no view, and is therefore invisible to look-ups and
 * lists until its first commit. Lock order: registry, then a domain's own lock.
 */
#include "drivers/common/registry.h"

#include <string.h>

#include "drivers/common/internal.h"
#include "drivers/common/xml_cache.h"
#include "util/error.h"

static struct {
    Lock lock;
    GHashTable *by_uuid, *by_name, *by_id; /* of Domain; by_uuid holds the references */
    const DomainDriver *driver;
    const DriverContext *ctx;
    int last_id;
    atomic_uint active;
    atomic_bool stopping;
} reg = { .lock = LOCK_INIT };

bool registry_init(const DomainDriver *driver, const DriverContext *ctx, GError **err)
{
    reg.driver = driver;
    reg.ctx = ctx;
    reg.by_uuid = g_hash_table_new(uuid_hash, uuid_same);
    reg.by_name = g_hash_table_new(g_str_hash, g_str_equal);
    reg.by_id = g_hash_table_new(NULL, NULL);
    return store_init(driver->subdir, err);
}

const DomainDriver *registry_driver(void) { return reg.driver; }
const DriverContext *registry_context(void) { return reg.ctx; }

void registry_stop(void) { atomic_store(&reg.stopping, true); }
bool registry_stopping(void) { return atomic_load(&reg.stopping); }

void registry_done(void)
{
    GHashTableIter it;
    void *d;
    g_autoptr(GPtrArray) all = g_ptr_array_new();

    g_hash_table_iter_init(&it, reg.by_uuid);
    while (g_hash_table_iter_next(&it, NULL, &d))
        g_ptr_array_add(all, d);
    for (unsigned i = 0; i < all->len; i++)
        registry_drop(all->pdata[i]);
    xml_cache_clear();
    g_clear_pointer(&reg.by_uuid, g_hash_table_unref);
    g_clear_pointer(&reg.by_name, g_hash_table_unref);
    g_clear_pointer(&reg.by_id, g_hash_table_unref);
    store_done();
}

/* Views and definitions ---------------------------------------------------------------------- */

SharedDef *shared_def_new(DomainDef *take)
{
    SharedDef *s = g_new(SharedDef, 1);

    g_atomic_ref_count_init(&s->refs);
    atomic_init(&s->def, take);
    return s;
}

SharedDef *shared_def_ref(SharedDef *s)
{
    if (s)
        g_atomic_ref_count_inc(&s->refs);
    return s;
}

SharedDef *shared_def_unref(SharedDef *s)
{
    if (s && g_atomic_ref_count_dec(&s->refs)) {
        domain_free(s->def);
        g_free(s);
    }
    return NULL;
}

const DomainDef *view_config(const DomainView *v, Call *c, GError **err)
{
    DomainDef *def = atomic_load(&v->config->def), *none = NULL;

    if (def)
        return def;
    if (c && !call_may_wait(c)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the definition of domain '%s' is not read yet",
                  v->name);
        return NULL;
    }
    def = store_read_config(v->name, v->uuid, err);
    if (def && !atomic_compare_exchange_strong(&v->config->def, &none, def)) {
        domain_free(def); /* somebody else was faster */
        def = none;
    }
    return def;
}

DriverStatus *driver_status_ref(DriverStatus *s)
{
    if (s)
        g_atomic_ref_count_inc(&s->refs);
    return s;
}

DriverStatus *driver_status_unref(DriverStatus *s)
{
    if (s && g_atomic_ref_count_dec(&s->refs))
        s->free(s);
    return NULL;
}

DomainView *domain_view_ref(const DomainView *v)
{
    g_atomic_ref_count_inc((gatomicrefcount *)&v->refs);
    return (DomainView *)v;
}

DomainView *domain_view_unref(DomainView *v)
{
    if (v && g_atomic_ref_count_dec(&v->refs)) {
        shared_def_unref(v->config);
        shared_def_unref(v->live);
        driver_status_unref(v->status);
        g_free(v->name);
        g_free(v);
    }
    return NULL;
}

/* Domains ------------------------------------------------------------------------------------ */

static Domain *domain_make(const char *name, const uint8_t *uuid)
{
    Domain *d = g_new0(Domain, 1);

    g_atomic_ref_count_init(&d->refs);
    memcpy(d->uuid, uuid, sizeof(d->uuid));
    d->reserved_name = g_strdup(name);
    d->index_id = -1;
    lock_init(&d->lock);
    turnqueue_init(&d->queue);
    d->driver = reg.driver->attach(d);
    return d;
}

Domain *domain_ref(Domain *d)
{
    g_atomic_ref_count_inc(&d->refs);
    return d;
}

Domain *domain_unref(Domain *d)
{
    if (d && g_atomic_ref_count_dec(&d->refs)) {
        reg.driver->detach(d->driver);
        domain_view_unref(d->view);
        domain_job_unref(d->completed);
        turnqueue_done(&d->queue);
        lock_done(&d->lock);
        g_free(d->reserved_name);
        g_slist_free_full(d->old_names, g_free);
        g_free(d->index_name);
        g_free(d->next_name);
        g_free(d);
    }
    return NULL;
}

DomainView *domain_view(Domain *d)
{
    LOCK_SCOPE(&d->lock);
    return d->view ? domain_view_ref(d->view) : NULL;
}

void domain_view_destroy(void *view) { domain_view_unref(view); }
void domain_destroy_ref(void *domain) { domain_unref(domain); }
const uint8_t *domain_uuid(const Domain *d) { return d->uuid; }
void *domain_driver_data(const Domain *d) { return d->driver; }

/* Tables ------------------------------------------------------------------------------------- */

static bool visible_locked(Domain *d)
{
    LOCK_SCOPE(&d->lock);
    return d->view != NULL;
}

static Domain *take_visible_locked(Domain *d)
{
    return d && visible_locked(d) ? domain_ref(d) : NULL;
}

Domain *registry_find_uuid(const uint8_t *uuid)
{
    LOCK_SCOPE(&reg.lock);
    return take_visible_locked(g_hash_table_lookup(reg.by_uuid, uuid));
}

Domain *registry_find_name(const char *name)
{
    LOCK_SCOPE(&reg.lock);
    Domain *d = g_hash_table_lookup(reg.by_name, name);
    return d && g_strcmp0(d->index_name, name) == 0 ? take_visible_locked(d) : NULL;
}

Domain *registry_find_id(int id)
{
    LOCK_SCOPE(&reg.lock);
    return take_visible_locked(g_hash_table_lookup(reg.by_id, GINT_TO_POINTER(id)));
}

static void unreserve_name_locked(Domain *d)
{
    if (d->next_name)
        g_hash_table_remove(reg.by_name, d->next_name);
    g_clear_pointer(&d->next_name, g_free);
}

static void index_locked(Domain *d, const char *name, int id)
{
    if (g_strcmp0(d->index_name, name) != 0) {
        if (d->index_name)
            g_hash_table_remove(reg.by_name, d->index_name);
        g_free(d->index_name);
        unreserve_name_locked(d);
        d->index_name = g_strdup(name);
        if (name)
            g_hash_table_insert(reg.by_name, d->index_name, d);
    }
    if (d->index_id != id) {
        if (d->index_id >= 0) {
            g_hash_table_remove(reg.by_id, GINT_TO_POINTER(d->index_id));
            atomic_fetch_sub(&reg.active, 1);
        }
        d->index_id = id;
        if (id >= 0) {
            g_hash_table_insert(reg.by_id, GINT_TO_POINTER(id), d);
            atomic_fetch_add(&reg.active, 1);
        }
    }
}

/* The registry holds one reference of what it holds. */
static void insert_locked(Domain *d, const char *name)
{
    d->registered = true;
    g_hash_table_insert(reg.by_uuid, d->uuid, domain_ref(d));
    index_locked(d, name, -1);
}

static bool conflict_locked(const char *name, const uint8_t *uuid, Domain **ret_same, GError **err)
{
    Domain *u = uuid ? g_hash_table_lookup(reg.by_uuid, uuid) : NULL;
    Domain *n = g_hash_table_lookup(reg.by_name, name);
    char text[37];

    *ret_same = NULL;
    if (u && u != n) {
        uuid_format(u->uuid, text);
        error_set(err, VIR_ERR_OPERATION_FAILED, "domain '%s' is already defined with uuid %s", u->index_name, text);
        return true;
    }
    if (n && !u) {
        uuid_format(n->uuid, text);
        error_set(err, VIR_ERR_OPERATION_FAILED, "domain '%s' already exists with uuid %s", name, text);
        return true;
    }
    *ret_same = u;
    return false;
}

Domain *registry_find_or_reserve(const char *name, const uint8_t *uuid, bool creates, GError **err)
{
    Domain *same;
    Uuid fresh;

    LOCK_SCOPE(&reg.lock);
    if (conflict_locked(name, uuid, &same, err))
        return NULL;
    if (same)
        return domain_ref(same);
    if (!creates) {
        error_set(err, VIR_ERR_NO_DOMAIN, "no domain with matching name '%s'", name);
        return NULL;
    }
    if (!uuid) {
        uuid_generate(fresh);
        uuid = fresh;
    }
    Domain *d = domain_make(name, uuid);
    insert_locked(d, name);
    return d;
}

bool registry_reserve_again(Domain *d, GError **err)
{
    Domain *same;

    LOCK_SCOPE(&reg.lock);
    if (d->registered)
        return true;
    if (conflict_locked(d->reserved_name, d->uuid, &same, err))
        return false;
    if (same) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "domain '%s' was defined by another client meanwhile",
                  d->reserved_name);
        return false;
    }
    insert_locked(d, d->reserved_name);
    return true;
}

bool registry_reserve_name(Domain *d, const char *name, GError **err)
{
    LOCK_SCOPE(&reg.lock);
    if (g_hash_table_lookup(reg.by_name, name)) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "domain with name '%s' already exists", name);
        return false;
    }
    d->next_name = g_strdup(name);
    g_hash_table_insert(reg.by_name, d->next_name, d);
    return true;
}

void registry_unreserve_name(Domain *d)
{
    LOCK_SCOPE(&reg.lock);
    unreserve_name_locked(d);
}

void registry_drop(Domain *d)
{
    registry_publish(d, NULL);
}

void registry_publish(Domain *d, DomainView *next)
{
    DomainView *old;
    bool drop = false;

    lock_enter(&reg.lock);
    if (next && strcmp(next->name, d->reserved_name) != 0) {
        d->old_names = g_slist_prepend(d->old_names, d->reserved_name);
        d->reserved_name = g_strdup(next->name);
    }
    if (d->registered) {
        index_locked(d, next ? next->name : NULL, next ? next->id : -1);
        if (!next) {
            g_hash_table_remove(reg.by_uuid, d->uuid);
            d->registered = false;
            drop = true;
        }
    }
    lock_enter(&d->lock);
    old = d->view;
    d->view = next;
    lock_leave(&d->lock);
    lock_leave(&reg.lock);

    domain_view_unref(old);
    if (drop)
        domain_unref(d);
    reg.ctx->activity();
}

void registry_release(Domain *d)
{
    bool drop = false;

    lock_enter(&reg.lock);
    /* A domain without a view is found under this lock only, so nobody can come to it unseen: when the
     * count is two, one is the registry's and one is ours. */
    if (d->registered && !visible_locked(d) && g_atomic_ref_count_compare(&d->refs, 2)) {
        index_locked(d, NULL, -1);
        g_hash_table_remove(reg.by_uuid, d->uuid);
        d->registered = false;
        drop = true;
    }
    lock_leave(&reg.lock);
    if (drop)
        domain_unref(d);
    domain_unref(d);
}

Domain *registry_add_loaded(DomainView *take, GError **err)
{
    Domain *d = registry_find_or_reserve(take->name, take->uuid, true, err);

    if (!d) {
        domain_view_unref(take);
        return NULL;
    }
    take->domain = d;
    if (take->id >= 0)
        registry_note_id(take->id);
    registry_publish(d, take);
    return d;
}

/* Lists -------------------------------------------------------------------------------------- */

GPtrArray *registry_views(void)
{
    GPtrArray *views = g_ptr_array_new_with_free_func(domain_view_destroy);
    GHashTableIter it;
    void *d;

    LOCK_SCOPE(&reg.lock);
    g_hash_table_iter_init(&it, reg.by_uuid);
    while (g_hash_table_iter_next(&it, NULL, &d)) {
        DomainView *v = domain_view(d);
        if (v)
            g_ptr_array_add(views, v);
    }
    return views;
}

GPtrArray *registry_collect(Call *c)
{
    GPtrArray *views = registry_views();

    for (unsigned i = views->len; i > 0; i--) {
        const DomainView *v = views->pdata[i - 1];
        AclObject o = { OBJECT_DOMAIN, v->name, v->uuid };
        if (!call_allows(c, &o, "getattr"))
            g_ptr_array_remove_index_fast(views, i - 1);
    }
    return views;
}

unsigned registry_count_active(void)
{
    return atomic_load(&reg.active);
}

int registry_next_id(void)
{
    LOCK_SCOPE(&reg.lock);
    return ++reg.last_id;
}

void registry_note_id(int id)
{
    LOCK_SCOPE(&reg.lock);
    reg.last_id = MAX(reg.last_id, id);
}
