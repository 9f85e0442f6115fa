/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Objects, views and definitions: making, counting, freeing. A view's bytes begin with the head that all
 * kinds share; what a kind has behind it, only the kind's functions touch. Any thread.
 */
#include "drivers/common/object.h"

#include <string.h>

#include "drivers/common/internal.h"
#include "util/error.h"

/* A kind's own types may not move anything. */
G_STATIC_ASSERT(sizeof(SharedDef) == sizeof(*((ObjectView *)0)->config));
G_STATIC_ASSERT(offsetof(SharedDef, def) == offsetof(__typeof__(*((ObjectView *)0)->config), def));

/* Definitions -------------------------------------------------------------------------------- */

SharedDef *shared_def_new(const KindInfo *kind, void *take)
{
    SharedDef *s = g_new(SharedDef, 1);

    g_atomic_ref_count_init(&s->refs);
    s->kind = kind;
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
        kind_free_def(s->kind, s->def);
        g_free(s);
    }
    return NULL;
}

void kind_free_def(const KindInfo *k, void *def)
{
    if (def && k->free_def)
        k->free_def(def);
    else if (def)
        doc_free(k->doc, def);
}

void *kind_copy_def(const KindInfo *k, const void *def)
{
    return k->copy_def ? k->copy_def(def) : doc_copy(k->doc, def);
}

const void *object_view_config(const ObjectView *v, Call *c, GError **err)
{
    void *def = atomic_load(&v->config->def), *none = NULL;

    if (def)
        return def;
    if (c && !call_may_wait(c)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the definition of %s '%s' is not read yet", v->kind->word,
                  v->name);
        return NULL;
    }
    def = store_read_config(registry_of(v->kind->object), v->name, v->uuid, err);
    if (def && !atomic_compare_exchange_strong(&v->config->def, &none, def)) {
        kind_free_def(v->kind, def); /* somebody else was faster */
        def = none;
    }
    return def;
}

const void *object_view_def(const ObjectView *v, Call *c, GError **err)
{
    return v->live ? v->live->def : object_view_config(v, c, err);
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

/* Views -------------------------------------------------------------------------------------- */

ObjectView *view_fresh(const KindInfo *k, const char *name, const uint8_t *uuid)
{
    ObjectView *v = g_malloc0(k->view_size);

    g_atomic_ref_count_init(&v->refs);
    v->kind = k;
    memcpy(v->uuid, uuid, sizeof(v->uuid));
    v->name = g_strdup(name);
    if (k->view_fresh)
        k->view_fresh(v);
    return v;
}

ObjectView *view_clone(const ObjectView *v)
{
    ObjectView *n = g_memdup2(v, v->kind->view_size);

    g_atomic_ref_count_init(&n->refs);
    n->name = g_strdup(v->name);
    shared_def_ref((SharedDef *)n->config);
    shared_def_ref((SharedDef *)n->live);
    driver_status_ref(n->status);
    if (n->kind->view_copied)
        n->kind->view_copied(n);
    return n;
}

ObjectView *object_view_ref(const ObjectView *v)
{
    g_atomic_ref_count_inc((gatomicrefcount *)&v->refs);
    return (ObjectView *)v;
}

ObjectView *object_view_unref(ObjectView *v)
{
    if (v && g_atomic_ref_count_dec(&v->refs)) {
        if (v->kind->view_done)
            v->kind->view_done(v);
        shared_def_unref((SharedDef *)v->config);
        shared_def_unref((SharedDef *)v->live);
        driver_status_unref(v->status);
        g_free(v->name);
        g_free(v);
    }
    return NULL;
}

AclObject object_view_acl(const ObjectView *v)
{
    AclObject a = { v->kind->object, v->kind->identity & DOC_IDENTITY_NAME ? v->name : NULL,
                    v->kind->identity & DOC_IDENTITY_UUID ? v->uuid : NULL };

    if (v->kind->describe)
        v->kind->describe(v, &a);
    return a;
}

void object_view_destroy(void *view) { object_view_unref(view); }

/* Objects ------------------------------------------------------------------------------------ */

Object *object_make(Registry *r, const char *name, const uint8_t *uuid)
{
    Object *o = g_malloc0(MAX(r->kind->object_size, sizeof(Object)));

    g_atomic_ref_count_init(&o->refs);
    o->registry = r;
    memcpy(o->uuid, uuid, sizeof(o->uuid));
    o->reserved_name = g_strdup(name);
    lock_init(&o->lock);
    turnqueue_init(&o->queue);
    o->driver = r->kind->attach ? r->kind->attach(o) : NULL;
    return o;
}

Object *object_ref(Object *o)
{
    g_atomic_ref_count_inc(&o->refs);
    return o;
}

Object *object_unref(Object *o)
{
    if (o && g_atomic_ref_count_dec(&o->refs)) {
        if (o->registry->kind->detach)
            o->registry->kind->detach(o);
        object_view_unref(o->view);
        turnqueue_done(&o->queue);
        lock_done(&o->lock);
        g_free(o->reserved_name);
        g_slist_free_full(o->kept, g_free);
        g_free(o->index_name);
        g_free(o->index_key);
        g_free(o->next_name);
        g_free(o->next_key);
        g_free(o);
    }
    return NULL;
}

void object_destroy_ref(void *object) { object_unref(object); }

ObjectView *object_view(Object *o)
{
    LOCK_SCOPE(&o->lock);
    return o->view ? object_view_ref(o->view) : NULL;
}

const uint8_t *object_uuid(const Object *o) { return o->uuid; }
Registry *object_registry(const Object *o) { return o->registry; }
void *object_driver_data(const Object *o) { return o->driver; }
