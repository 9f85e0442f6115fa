/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The registries. An object that is being created is in the name and uuid tables (so that two creations of one
 * name meet in its queue) but has no view, and is therefore invisible to look-ups and lists until its first
 * commit. Kinds whose documents name no uuid get one that nobody sees, those that have no name are called by
 * their uuid, so every object is in both tables. Lock order: registry, then an object's own lock.
 */
#include "drivers/common/registry.h"

#include <string.h>

#include "drivers/common/internal.h"
#include "util/error.h"

static struct {
    const DriverContext *ctx;
    atomic_bool stopping;
    Registry *of[_OBJECT_N];
} all;

void objects_init(const DriverContext *ctx)
{
    all.ctx = ctx;
    atomic_store(&all.stopping, false);
}

const DriverContext *objects_context(void) { return all.ctx; }
void objects_stop(void) { atomic_store(&all.stopping, true); }
bool objects_stopping(void) { return atomic_load(&all.stopping); }
Registry *registry_of(ObjectKind kind) { return all.of[kind]; }

Registry *registry_new(const KindInfo *kind)
{
    Registry *r = g_new0(Registry, 1);

    r->kind = kind;
    lock_init(&r->lock);
    r->by_uuid = g_hash_table_new(uuid_hash, uuid_same);
    r->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    r->by_key = g_hash_table_new(g_str_hash, g_str_equal);
    r->dirs = (StoreDirs){ NULL, -1, -1, -1 };
    return r;
}

Registry *registry_open(const KindInfo *kind, GPtrArray **ret_live, GError **err)
{
    Registry *r = registry_new(kind);
    g_autoptr(GPtrArray) live = NULL;

    all.of[kind->object] = r;
    if (!store_open(r, err) || !store_load(r, &live, err)) {
        registry_close(r);
        return NULL;
    }
    if (ret_live)
        *ret_live = g_steal_pointer(&live);
    return r;
}

void registry_close(Registry *r)
{
    if (!r)
        return;
    while (r->objects.head)
        registry_drop(r->objects.head->data);
    g_hash_table_unref(r->by_uuid);
    g_hash_table_unref(r->by_name);
    g_hash_table_unref(r->by_key);
    store_close(r);
    lock_done(&r->lock);
    if (all.of[r->kind->object] == r)
        all.of[r->kind->object] = NULL;
    g_free(r);
}

/* Tables ------------------------------------------------------------------------------------- */

static bool visible_locked(Object *o)
{
    LOCK_SCOPE(&o->lock);
    return o->view != NULL;
}

static Object *take_visible_locked(Object *o)
{
    return o && visible_locked(o) ? object_ref(o) : NULL;
}

Object *registry_find_uuid(Registry *r, const uint8_t *uuid)
{
    LOCK_SCOPE(&r->lock);
    return take_visible_locked(g_hash_table_lookup(r->by_uuid, uuid));
}

/* Not by what it is about to be called. */
Object *registry_find_name(Registry *r, const char *name)
{
    LOCK_SCOPE(&r->lock);
    Object *o = g_hash_table_lookup(r->by_name, name);
    return o && g_strcmp0(o->index_name, name) == 0 ? take_visible_locked(o) : NULL;
}

Object *registry_find_key(Registry *r, const char *key)
{
    LOCK_SCOPE(&r->lock);
    Object *o = g_hash_table_lookup(r->by_key, key);
    return o && g_strcmp0(o->index_key, key) == 0 ? take_visible_locked(o) : NULL;
}

static void unreserve_one_locked(GHashTable *table, char **entry)
{
    if (*entry)
        g_hash_table_remove(table, *entry);
    g_clear_pointer(entry, g_free);
}

static void unreserve_locked(Object *o)
{
    unreserve_one_locked(o->registry->by_name, &o->next_name);
    unreserve_one_locked(o->registry->by_key, &o->next_key);
}

/* Makes text, which may be NULL, the object's only entry in the table. */
static void index_one_locked(Object *o, GHashTable *table, char **entry, char **next, const char *text)
{
    if (g_strcmp0(*entry, text) == 0)
        return;
    if (*entry)
        g_hash_table_remove(table, *entry);
    g_free(*entry);
    unreserve_one_locked(table, next);
    *entry = g_strdup(text);
    if (text)
        g_hash_table_insert(table, *entry, o);
}

static void index_locked(Object *o, const char *name, const ObjectView *v)
{
    Registry *r = o->registry;
    bool active = v && v->active;
    g_autofree char *key = v && r->kind->key ? r->kind->key(v) : NULL;

    index_one_locked(o, r->by_name, &o->index_name, &o->next_name, name);
    index_one_locked(o, r->by_key, &o->index_key, &o->next_key, key);
    if (o->index_active != active) {
        o->index_active = active;
        atomic_fetch_add(&r->active, active ? 1 : -1);
    }
}

/* The registry holds one reference of what it holds. */
static void insert_locked(Object *o, const char *name)
{
    o->registered = true;
    g_hash_table_insert(o->registry->by_uuid, o->uuid, object_ref(o));
    o->link.data = o;
    g_queue_push_tail_link(&o->registry->objects, &o->link);
    index_locked(o, name, NULL);
}

/* Returns the reference. */
static Object *remove_locked(Object *o)
{
    index_locked(o, NULL, NULL);
    g_hash_table_remove(o->registry->by_uuid, o->uuid);
    g_queue_unlink(&o->registry->objects, &o->link);
    o->registered = false;
    return o;
}

/* "pool" of "storage pool", as clients have always read it here. */
static const char *kind_short_word(const KindInfo *k)
{
    const char *blank = strrchr(k->word, ' ');
    return blank ? blank + 1 : k->word;
}

static bool conflict_locked(Registry *r, const char *name, const uint8_t *uuid, Object **ret_same, GError **err)
{
    Object *u = uuid ? g_hash_table_lookup(r->by_uuid, uuid) : NULL;
    Object *n = g_hash_table_lookup(r->by_name, name);
    char text[37];

    *ret_same = NULL;
    if (u && u != n) {
        uuid_format(u->uuid, text);
        error_set(err, VIR_ERR_OPERATION_FAILED, "%s '%s' is already defined with uuid %s", kind_short_word(r->kind), u->index_name, text);
        return true;
    }
    if (n && !u && (r->kind->identity & DOC_IDENTITY_UUID)) {
        uuid_format(n->uuid, text);
        error_set(err, VIR_ERR_OPERATION_FAILED, "%s '%s' already exists with uuid %s", kind_short_word(r->kind), name, text);
        return true;
    }
    *ret_same = n;
    return false;
}

Object *registry_find_or_reserve(Registry *r, const char *name, const uint8_t *uuid, bool creates, GError **err)
{
    const uint8_t *own = uuid;
    Object *same;
    Uuid fresh;
    char text[37];

    if (!own) {
        uuid_generate(fresh);
        own = fresh;
    }
    if (!name) {
        uuid_format(own, text);
        name = text;
    }
    LOCK_SCOPE(&r->lock);
    if (conflict_locked(r, name, uuid, &same, err))
        return NULL;
    if (same)
        return object_ref(same);
    if (!creates) {
        error_set(err, r->kind->missing, "no %s with matching name '%s'", r->kind->word, name);
        return NULL;
    }
    Object *o = object_make(r, name, own);
    insert_locked(o, name);
    return o;
}

bool registry_reserve_again(Object *o, GError **err)
{
    Registry *r = o->registry;
    Object *same;

    LOCK_SCOPE(&r->lock);
    if (o->registered)
        return true;
    if (conflict_locked(r, o->reserved_name, o->uuid, &same, err))
        return false;
    if (same) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "%s '%s' was defined by another client meanwhile", r->kind->word,
                  o->reserved_name);
        return false;
    }
    insert_locked(o, o->reserved_name);
    return true;
}

bool registry_reserve_name(Object *o, const char *name, GError **err)
{
    Registry *r = o->registry;

    LOCK_SCOPE(&r->lock);
    if (g_hash_table_lookup(r->by_name, name)) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "%s with name '%s' already exists", r->kind->word, name);
        return false;
    }
    o->next_name = g_strdup(name);
    g_hash_table_insert(r->by_name, o->next_name, o);
    return true;
}

Object *registry_reserve_key(Object *o, const char *key)
{
    Registry *r = o->registry;

    LOCK_SCOPE(&r->lock);
    Object *other = g_hash_table_lookup(r->by_key, key);
    if (other)
        return object_ref(other);
    o->next_key = g_strdup(key);
    g_hash_table_insert(r->by_key, o->next_key, o);
    return NULL;
}

void registry_unreserve(Object *o)
{
    LOCK_SCOPE(&o->registry->lock);
    unreserve_locked(o);
}

void registry_drop(Object *o)
{
    registry_publish(o, NULL);
}

void registry_publish(Object *o, ObjectView *next)
{
    Registry *r = o->registry;
    ObjectView *old;
    Object *drop = NULL;

    lock_enter(&r->lock);
    if (o->registered && next)
        index_locked(o, next->name, next);
    else if (o->registered)
        drop = remove_locked(o);
    lock_enter(&o->lock);
    if (next && strcmp(next->name, o->reserved_name) != 0) {
        o->kept = g_slist_prepend(o->kept, o->reserved_name);
        o->reserved_name = g_strdup(next->name);
    }
    old = o->view;
    o->view = next;
    lock_leave(&o->lock);
    lock_leave(&r->lock);

    object_view_unref(old);
    object_unref(drop);
}

void registry_release(Object *o)
{
    Registry *r = o->registry;
    Object *drop = NULL;

    lock_enter(&r->lock);
    /* An object without a view is found under this lock only, so nobody can come to it unseen: when the
     * count is two, one is the registry's and one is ours. */
    if (o->registered && !visible_locked(o) && g_atomic_ref_count_compare(&o->refs, 2))
        drop = remove_locked(o);
    lock_leave(&r->lock);
    object_unref(drop);
    object_unref(o);
}

Object *registry_add_loaded(Registry *r, ObjectView *take, GError **err)
{
    Object *o = registry_find_or_reserve(r, take->name, take->uuid, true, err);

    if (!o) {
        object_view_unref(take);
        return NULL;
    }
    take->object = o;
    registry_publish(o, take);
    return o;
}

bool registry_add(Registry *r, const char *name, void (*fill)(ObjectView *v, void *data), void *data, GError **err)
{
    Uuid uuid;

    uuid_generate(uuid);
    ObjectView *v = view_fresh(r->kind, name, uuid);
    v->active = true;
    fill(v, data);
    g_autoptr(Object) o = registry_add_loaded(r, v, err);
    return o != NULL;
}

void registry_remove(Object *o) { registry_drop(o); }

/* Lists -------------------------------------------------------------------------------------- */

GPtrArray *registry_views(Registry *r)
{
    GPtrArray *views = g_ptr_array_new_with_free_func(object_view_destroy);

    LOCK_SCOPE(&r->lock);
    for (GList *l = r->objects.head; l; l = l->next) {
        ObjectView *v = object_view(l->data);
        if (v)
            g_ptr_array_add(views, v);
    }
    return views;
}

bool registry_filter(const ObjectView *v, unsigned flags)
{
    unsigned have = flags ? v->kind->filter_bits(v) : 0;

    for (const unsigned *group = v->kind->filter_groups; flags && *group; group++)
        if ((flags & *group) && !(flags & *group & have))
            return false;
    return true;
}

GPtrArray *registry_collect(Registry *r, Call *c, unsigned flags)
{
    GPtrArray *views = registry_views(r);

    for (unsigned i = views->len; i > 0; i--) {
        const ObjectView *v = views->pdata[i - 1];
        AclObject a = object_view_acl(v);
        if (!call_allows(c, &a, "getattr") || !registry_filter(v, flags))
            g_ptr_array_remove_index_fast(views, i - 1);
    }
    return views;
}

unsigned registry_count_active(const Registry *r)
{
    return r ? atomic_load(&r->active) : 0;
}
