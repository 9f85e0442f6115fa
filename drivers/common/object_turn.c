/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Turns and the object class of all kinds. Only this folder makes an ObjectTurn; on the request path only
 * the dispatcher asks for it, after its checks and when the queue has granted it. Commit order:
 * the kind's own files, definition file, links, status file, publish, events; the dispatcher sends the reply
 * after that. What a client was told is therefore on disk.
 */
#define LOG_SOURCE "drivers.turn"
#include "drivers/common/object_turn.h"

#include <string.h>

#include "drivers/common/internal.h"
#include "util/error.h"
#include "util/log.h"

/* The turn itself ---------------------------------------------------------------------------- */

ObjectTurn *object_turn_new(Object *o, Call *c, TurnWaiter *waiter)
{
    ObjectTurn *t = g_new0(ObjectTurn, 1);

    t->object = o;
    t->call = c;
    t->waiter = waiter;
    t->base = object_view(o);
    if (t->base) {
        t->next = view_clone(t->base);
    } else {
        t->next = view_fresh(o->registry->kind, o->reserved_name, o->uuid);
        t->next->object = o;
    }
    t->events = g_ptr_array_new();
    return t;
}

static void turn_free(ObjectTurn *t)
{
    for (unsigned i = 0; i < t->events->len; i++)
        event_unref(t->events->pdata[i]);
    g_ptr_array_unref(t->events);
    object_view_unref(t->base);
    object_view_unref(t->next);
    g_free(t);
}

Object *object_turn_object(const ObjectTurn *t) { return t->object; }
Call *object_turn_call(const ObjectTurn *t) { return t->call; }
const ObjectView *object_turn_view(const ObjectTurn *t) { return t->next; }
const ObjectView *object_turn_base(const ObjectTurn *t) { return t->base; }
bool object_turn_removes(const ObjectTurn *t) { return t->remove; }

ObjectView *object_turn_edit_view(ObjectTurn *t)
{
    t->view_dirty = true;
    return t->next;
}

static const KindInfo *kind_of(const ObjectTurn *t)
{
    return t->next->kind;
}

/* Puts take in the place of one of the view's definitions. */
static void *replace_def(const ObjectTurn *t, void *shared, void *take)
{
    shared_def_unref(shared);
    return take ? shared_def_new(kind_of(t), take) : NULL;
}

void *object_turn_edit_config(ObjectTurn *t, GError **err)
{
    if (!t->next->config)
        return NULL;
    if (!t->own_config) {
        const void *old = object_view_config(t->next, NULL, err);

        if (!old)
            return NULL;
        t->next->config = replace_def(t, t->next->config, kind_copy_def(kind_of(t), old));
        t->own_config = true;
    }
    t->config_dirty = true;
    return t->next->config->def;
}

void *object_turn_edit_live(ObjectTurn *t)
{
    if (!t->next->live)
        return NULL;
    if (!t->own_live) {
        t->next->live = replace_def(t, t->next->live, kind_copy_def(kind_of(t), t->next->live->def));
        t->own_live = true;
    }
    t->status_dirty = true;
    return t->next->live->def;
}

void object_turn_set_config(ObjectTurn *t, void *take)
{
    char **name = take && kind_of(t)->def_name ? kind_of(t)->def_name(take) : NULL;

    t->next->config = replace_def(t, t->next->config, take);
    t->own_config = true;
    t->config_dirty = true;
    if (name && g_strcmp0(*name, t->next->name) != 0) {
        g_free(t->next->name);
        t->next->name = g_strdup(*name);
    }
}

void object_turn_set_live(ObjectTurn *t, void *take)
{
    t->next->live = replace_def(t, t->next->live, take);
    t->own_live = true;
    t->status_dirty = true;
}

void object_turn_set_active(ObjectTurn *t, bool on)
{
    t->next->active = on;
    t->status_dirty = true;
}

void object_turn_set_persistent(ObjectTurn *t, bool on)
{
    if (t->next->persistent != on)
        t->config_dirty = true;
    t->next->persistent = on;
    t->status_dirty = true;
}

void object_turn_set_autostart(ObjectTurn *t, bool on)
{
    t->links_dirty |= t->next->autostart != on;
    t->next->autostart = on;
}

void object_turn_set_autodestroy(ObjectTurn *t, bool on)
{
    t->next->autodestroy = on;
    t->status_dirty = true;
}

void object_turn_set_status(ObjectTurn *t, DriverStatus *take)
{
    driver_status_unref(t->next->status);
    t->next->status = take;
    t->status_dirty = true;
}

bool object_turn_rename(ObjectTurn *t, const char *name, GError **err)
{
    void *def = object_turn_edit_config(t, err);

    if (!def || !registry_reserve_name(t->object, name, err))
        return false;
    t->renamed = t->reserved = true;
    char **own = kind_of(t)->def_name(def);
    g_free(*own);
    *own = g_strdup(name);
    g_free(t->next->name);
    t->next->name = g_strdup(name);
    return true;
}

Object *object_turn_reserve_key(ObjectTurn *t, const char *key)
{
    Object *other = registry_reserve_key(t->object, key);

    t->reserved |= !other;
    return other;
}

void object_turn_remove(ObjectTurn *t) { t->remove = true; }
void object_turn_require_status(ObjectTurn *t, bool on) { t->status_required = on; }

bool object_turn_write_intent(ObjectTurn *t, const void *live, DriverStatus *status, GError **err)
{
    g_autoptr(ObjectView) v = view_clone(t->next);

    v->live = replace_def(t, v->live, kind_copy_def(kind_of(t), live));
    driver_status_unref(v->status);
    v->status = driver_status_ref(status);
    v->active = false;
    return store_write_status(v, err);
}

bool object_turn_note_status(ObjectTurn *t, DriverStatus *status, GError **err)
{
    g_autoptr(ObjectView) v = view_clone(t->next);

    driver_status_unref(v->status);
    v->status = driver_status_ref(status);
    return store_write_status(v, err);
}

void object_turn_drop_intent(ObjectTurn *t)
{
    g_autoptr(GError) error = NULL;

    if (!store_remove_status(t->object->registry, t->next->name, &error))
        log_error("cannot remove the status of %s '%s': %s", kind_of(t)->word, t->next->name, error->message);
}

void object_turn_emit(ObjectTurn *t, Event *e)
{
    if (e)
        g_ptr_array_add(t->events, e);
}

/* Commit ------------------------------------------------------------------------------------- */

/* Makes the links of a name what they are to be; a view that is NULL has none. */
static bool write_links(Registry *r, const char *name, const ObjectView *was, const ObjectView *now, GError **err)
{
    unsigned from = was ? store_links_of(was) : 0, to = now ? store_links_of(now) : 0;

    for (unsigned i = 0; from >> i || to >> i; i++)
        if ((from ^ to) & 1u << i && !store_set_link(r, name, i, to & 1u << i, err))
            return false;
    return true;
}

/* The files of a definition under its new name, then away with the old ones. Its links come first and go last:
 * without the definition they mean nothing, and store_load() removes them. It also removes a definition whose
 * new name is there. */
static bool write_renamed(ObjectTurn *t, GError **err)
{
    const ObjectView *v = t->next;
    Registry *r = t->object->registry;
    const char *old_name = t->base->name;
    g_autoptr(GError) error = NULL;

    if (!write_links(r, v->name, NULL, v, err) || !store_write_config(v, err)) {
        (void)write_links(r, v->name, v, NULL, NULL);
        return false;
    }
    if (!store_remove_config(r, old_name, &error) || !write_links(r, old_name, t->base, NULL, &error))
        log_error("cannot remove what was kept of %s '%s' under its old name '%s': %s", kind_of(t)->word, v->name,
                  old_name, error->message);
    return true;
}

static bool write_definition(ObjectTurn *t, GError **err)
{
    ObjectView *v = t->next;
    Registry *r = t->object->registry;

    if (t->remove || !v->persistent) {
        if (!t->base || !t->base->persistent)
            return true;
        g_autoptr(GError) error = NULL;
        if (!store_remove_config(r, t->base->name, err))
            return false;
        if (!write_links(r, t->base->name, t->base, NULL, &error))
            log_error("cannot remove the autostart link of %s '%s': %s", v->kind->word, t->base->name, error->message);
        v->autostart = false;
        if (v->kind->set_links)
            v->kind->set_links(v, 0);
        return true;
    }
    if (t->renamed)
        return write_renamed(t, err);
    return (!t->config_dirty || store_write_config(v, err)) &&
           (!t->links_dirty || write_links(r, v->name, t->base, v, err));
}

/* Files of the committed state. Returns false when the call must fail: then nothing that a later
 * start would find contradicts what clients are told. */
static bool write_files(ObjectTurn *t, GError **err)
{
    ObjectView *v = t->next;
    g_autoptr(GError) error = NULL;

    if ((v->kind->commit && !v->kind->commit(t, err)) || !write_definition(t, err))
        return false;

    bool active = !t->remove && v->active;
    bool was_active = t->base && t->base->live; /* or about to be, when a daemon was killed */
    if (active && t->status_dirty) {
        bool written = store_write_status(v, &error);
        if (!written && t->status_required) {
            g_propagate_error(err, g_steal_pointer(&error));
            return false;
        }
        if (!written)
            log_error("cannot write the status of %s '%s': %s; it will be tried again at its next change",
                      v->kind->word, v->name, error->message);
    } else if (was_active && !active) {
        if (!store_remove_status(t->object->registry, t->base->name, &error))
            log_error("cannot remove the status of %s '%s': %s", v->kind->word, t->base->name, error->message);
    }
    return true;
}

static bool turn_commit(ObjectTurn *t, GError **err)
{
    bool changed = t->config_dirty || t->links_dirty || t->status_dirty || t->view_dirty || t->remove || !t->base;

    if (changed) {
        /* A transient object that is not active has no reason to exist. */
        if (!t->next->persistent && !t->next->active)
            t->remove = true;
        if (!write_files(t, err))
            return false;
        registry_publish(t->object, t->remove ? NULL : object_view_ref(t->next));
    }
    for (unsigned i = 0; i < t->events->len; i++)
        event_publish(t->events->pdata[i]);
    g_ptr_array_set_size(t->events, 0);
    return true;
}

bool object_turn_checkpoint(ObjectTurn *t, GError **err)
{
    if (!turn_commit(t, err))
        return false;
    object_view_unref(t->base);
    t->base = t->next;
    t->next = view_clone(t->base);
    t->own_config = t->own_live = t->renamed = false;
    t->config_dirty = t->links_dirty = t->status_dirty = t->view_dirty = false;
    return true;
}

/* False only when a successful turn could not be committed. */
bool object_turn_end(ObjectTurn *t, bool success, GError **err)
{
    bool ok = true;

    if (success)
        ok = turn_commit(t, err);
    if (t->reserved)
        registry_unreserve(t->object);
    if ((!success || !ok) && !t->base)
        registry_drop(t->object);
    turn_free(t);
    return ok;
}

void object_turn_share(ObjectTurn *t)
{
    if (t->waiter)
        turnqueue_share(&t->object->queue, t->waiter);
    else
        call_share_turn(t->call);
}

/* Object class ------------------------------------------------------------------------------- */

static const KindInfo *kind_of_call(Call *c)
{
    return registry_of(call_proc(c)->object)->kind;
}

static void *class_find(Call *c, const void *wire, GError **err)
{
    const KindInfo *k = kind_of_call(c);
    const char *name = NULL;
    const uint8_t *uuid = NULL;
    char text[37];

    k->wire_identity(wire, &name, &uuid);
    Object *o = uuid ? registry_find_uuid(registry_of(k->object), uuid) : registry_find_name(registry_of(k->object), name);
    if (!o && uuid) {
        uuid_format(uuid, text);
        if (name)
            error_set(err, k->missing, "no %s with matching uuid '%s' (%s)", k->word, text, name);
        else
            error_set(err, k->missing, "no %s with matching uuid '%s'", k->word, text);
    } else if (!o) {
        error_set(err, k->missing, "no %s with matching name '%s'", k->word, name);
    }
    return o;
}

static void *class_find_xml(Call *c, const char *xml, bool creates, GError **err)
{
    const KindInfo *k = kind_of_call(c);
    g_autofree char *name = NULL;
    Uuid uuid;
    bool has_uuid = false;

    if (!kind_peek(k, xml, strlen(xml), &name, uuid, &has_uuid, err))
        return NULL;
    return registry_find_or_reserve(registry_of(k->object), name, has_uuid ? uuid : NULL, creates, err);
}

static void class_unref(void *object)
{
    registry_release(object);
}

/* The text, for as long as the object lives: views come and go while a call asks about it. */
static const char *keep(Object *o, const char *text)
{
    LOCK_SCOPE(&o->lock);
    GSList *had = text ? g_slist_find_custom(o->kept, text, (GCompareFunc)strcmp) : NULL;

    if (text && !had)
        had = o->kept = g_slist_prepend(o->kept, g_strdup(text));
    return had ? had->data : NULL;
}

static void class_describe(void *object, AclObject *ret)
{
    Object *o = object;
    const KindInfo *k = o->registry->kind;
    g_autoptr(ObjectView) v = object_view(o);

    /* The uuid never changes. The name may (rename), but this string lives as long as the object;
     * rules by name apply to the name under which the object came to be. */
    *ret = (AclObject){ k->object, k->identity & DOC_IDENTITY_NAME ? o->reserved_name : NULL,
                        k->identity & DOC_IDENTITY_UUID ? o->uuid : NULL };
    if (v && k->describe) {
        k->describe(v, ret);
        ret->key = keep(o, ret->key);
        ret->parent_name = keep(o, ret->parent_name);
    }
}

static struct TurnQueue *class_queue(void *object)
{
    return &((Object *)object)->queue;
}

static bool need_active(const ObjectView *v, bool require, GError **err)
{
    if (!require || v->active)
        return true;
    if (v->kind->refuse_inactive)
        v->kind->refuse_inactive(v, err);
    else
        error_set(err, VIR_ERR_OPERATION_INVALID, "%s '%s' is not active", v->kind->word, v->name);
    return false;
}

static void *class_begin(void *object, Call *c, JobKind job, bool require_active, GError **err)
{
    Object *o = object;
    bool creates = call_proc(c)->bits & PROC_CREATES;
    g_autoptr(ObjectView) v = object_view(o);

    if (!v && !creates) {
        error_set(err, o->registry->kind->missing, "%s '%s' has vanished", o->registry->kind->word, o->reserved_name);
        return NULL;
    }
    if (!v && !registry_reserve_again(o, err))
        return NULL;
    if (v && !need_active(v, require_active, err))
        return NULL;

    switch (job) {
    case JOB_NONE:
        return g_steal_pointer(&v);
    case JOB_QUERY:
    case JOB_ABORT: {
        ObjectQuery *q = g_new0(ObjectQuery, 1);
        *q = (ObjectQuery){ o, g_steal_pointer(&v), c };
        return q;
    }
    case JOB_MODIFY:
    case JOB_OP:
    case JOB_DESTROY:
        return object_turn_new(o, c, NULL);
    case _JOB_N:
        break;
    }
    g_assert_not_reached();
}

static bool class_end(void *object, void *cap, JobKind job, bool success, GError **err)
{
    (void)object;
    switch (job) {
    case JOB_NONE:
        object_view_unref(cap);
        return true;
    case JOB_QUERY:
    case JOB_ABORT:
        object_view_unref(((ObjectQuery *)cap)->view);
        g_free(cap);
        return true;
    case JOB_MODIFY:
    case JOB_OP:
    case JOB_DESTROY:
        return object_turn_end(cap, success, err);
    case _JOB_N:
        break;
    }
    g_assert_not_reached();
}

static const KindInfo *kind_of_object(void *object)
{
    return ((Object *)object)->registry->kind;
}

static void class_interrupt(void *object, Call *c, JobKind job)
{
    (void)c;
    if (kind_of_object(object)->interrupt)
        kind_of_object(object)->interrupt(object, job == JOB_DESTROY);
}

static void class_interrupt_failed(void *object)
{
    if (kind_of_object(object)->interrupt_failed)
        kind_of_object(object)->interrupt_failed(object);
}

static uint64_t class_unresponsive_since(void *object)
{
    return kind_of_object(object)->unresponsive_since ? kind_of_object(object)->unresponsive_since(object) : 0;
}

const ObjectClass object_class = {
    .find = class_find,
    .find_xml = class_find_xml,
    .unref = class_unref,
    .describe = class_describe,
    .queue = class_queue,
    .begin = class_begin,
    .end = class_end,
    .interrupt = class_interrupt,
    .interrupt_failed = class_interrupt_failed,
    .unresponsive_since = class_unresponsive_since,
};
