/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by the files of this folder that keep objects; for nobody else. */
#pragma once

#include "drivers/common/object.h"
#include "drivers/common/object_turn.h"
#include "drivers/common/registry.h"
#include "rpc/turnqueue.h"
#include "util/lock.h"

struct Object {
    gatomicrefcount refs;
    bool registered, index_active; /* these and the names below: under the registry's lock */
    Registry *registry;
    GList link; /* of registry->objects */
    Uuid uuid;
    char *_Atomic reserved_name; /* what the registry knows it by; rules by name apply to it */
    GSList *kept;        /* texts that somebody may still read: what reserved_name was before renames */
    Lock lock;           /* of view, and of what a kind has of its own */
    ObjectView *view;
    TurnQueue queue;
    void *driver;
    char *index_name, *index_key;
    char *next_name, *next_key; /* further entries in the tables, for a change that is under way */
};

typedef struct StoreDirs {
    char *config_path;
    int config, autostart, status; /* -1: none */
} StoreDirs;

struct Registry {
    const KindInfo *kind;
    Lock lock;
    GHashTable *by_uuid, *by_name, *by_key; /* of Object; by_uuid holds the references */
    GQueue objects; /* as they came: walks in that order find them side by side in memory */
    atomic_uint active;
    StoreDirs dirs;
};

struct ObjectTurn {
    Object *object;
    Call *call;
    TurnWaiter *waiter; /* of a turn that no call holds */
    ObjectView *base, *next; /* base NULL: new object */
    bool own_config, own_live; /* next's definitions are private to this turn */
    bool config_dirty, links_dirty, status_dirty, status_required, remove, renamed, reserved;
    bool view_dirty; /* something that no file keeps */
    GPtrArray *events;
};

/* object.c */
SharedDef *shared_def_new(const KindInfo *kind, void *take);
void kind_free_def(const KindInfo *k, void *def);
void *kind_copy_def(const KindInfo *k, const void *def);
ObjectView *view_fresh(const KindInfo *k, const char *name, const uint8_t *uuid);
ObjectView *view_clone(const ObjectView *v);
Object *object_make(Registry *r, const char *name, const uint8_t *uuid);

/* object_turn.c */
ObjectTurn *object_turn_new(Object *o, Call *c, TurnWaiter *waiter);
/* Commits after success, frees. False only when a successful turn could not be committed. */
bool object_turn_end(ObjectTurn *t, bool success, GError **err);
/* Lets queries run beside this turn. */
void object_turn_share(ObjectTurn *t);

/* registry.c */
/* After a reservation was dropped while others waited: take the place again. */
bool registry_reserve_again(Object *o, GError **err);
void registry_drop(Object *o);
/* Gives a reference back; a reservation that nobody else waits for goes with it. */
void registry_release(Object *o);
/* Swaps the published view and keeps the tables right; takes 'next' (NULL: removed). */
void registry_publish(Object *o, ObjectView *next);
/* Keeps a name for an object that is about to be renamed; its commit makes it the name, unreserve gives it up. */
bool registry_reserve_name(Object *o, const char *name, GError **err);
/* The same for its key: NULL, or a reference of the object that has it. */
Object *registry_reserve_key(Object *o, const char *key);
void registry_unreserve(Object *o);
/* At start: adds an object that a state file describes; takes the view. */
Object *registry_add_loaded(Registry *r, ObjectView *take, GError **err);

/* store.c: the files of one kind */
bool kind_peek(const KindInfo *k, const char *text, gsize len, char **ret_name, Uuid ret_uuid, bool *ret_has_uuid, GError **err);
bool store_open(Registry *r, GError **err);
void store_close(Registry *r);
bool store_write_config(const ObjectView *v, GError **err);
/* Reads and parses what store_load() found; fails when it is not that object's any more. */
void *store_read_config(Registry *r, const char *name, const uint8_t *uuid, GError **err);
bool store_remove_config(Registry *r, const char *name, GError **err);
/* link: place in KindInfo.links. */
bool store_set_link(Registry *r, const char *name, unsigned link, bool on, GError **err);
unsigned store_links_of(const ObjectView *v);
bool store_write_status(const ObjectView *v, GError **err);
bool store_remove_status(Registry *r, const char *name, GError **err);
/* Reads status and identities into the registry; what a definition says otherwise is read when it is first
 * needed (object_view_config()). A file that cannot be read is left as it is and named in the log. ret_live:
 * objects with a status file (references), to be taken up again. */
bool store_load(Registry *r, GPtrArray **ret_live, GError **err);
