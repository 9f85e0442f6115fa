/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every kind of object has in common: domains, secrets, storage pools, networks. An Object is a
 * place: the current view, the queue of those who want to change it, the driver's runtime thing. An
 * ObjectView is what is known of it: immutable, counted, replaced as a whole by the commit of a turn
 * (object_turn.h). Readers take a reference and never wait. A KindInfo is the table that tells one sort of
 * object from another; all else is written once, for all kinds.
 *
 * A driver sees its objects with types of their own (OBJECT_TYPES). See docs/architecture.md,
 * "Objects, views, turns".
 */
#pragma once

#include <glib.h>
#include <libxml/tree.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "conf/kinds.h"
#include "conf/types.h"
#include "rpc/driver.h"
#include "util/uuid.h"

typedef struct Object Object;
typedef struct ObjectView ObjectView;
typedef struct ObjectTurn ObjectTurn;
typedef struct Registry Registry;
typedef struct KindInfo KindInfo;

/* The driver's own live facts (pid, monitor, mount point …); immutable and counted like the view. The
 * driver's struct begins with it. */
typedef struct DriverStatus {
    gatomicrefcount refs;
    void (*free)(struct DriverStatus *s);
} DriverStatus;
DriverStatus *driver_status_ref(DriverStatus *s);
DriverStatus *driver_status_unref(DriverStatus *s);

/* The first members of the view of a kind, with its own types in them. config and live are definitions that
 * views share; immutable. One that was found on disk is read when it is first needed: def is NULL until then.
 * config: of a persistent object (for a domain: for its next start). live: of an active one. */
#define OBJECT_VIEW(Place, place, Def)                                                                         \
    gatomicrefcount refs;                                                                                      \
    bool active, persistent, autostart, autodestroy;                                                           \
    const KindInfo *kind;                                                                                          \
    Place *place; /* not a reference: a view is reached through its place */                                   \
    Uuid uuid;                                                                                                 \
    char *name;                                                                                                \
    struct {                                                                                                   \
        gatomicrefcount refs;                                                                                  \
        const KindInfo *kind;                                                                                      \
        Def *_Atomic def;                                                                                      \
    } *config, *live;                                                                                          \
    DriverStatus *status

struct ObjectView {
    OBJECT_VIEW(Object, object, void);
};

/* One of config and live, as the functions of this folder hand it around. */
typedef struct SharedDef {
    gatomicrefcount refs;
    const KindInfo *kind;
    void *_Atomic def;
} SharedDef;
SharedDef *shared_def_ref(SharedDef *s); /* NULL is fine, here and below */
SharedDef *shared_def_unref(SharedDef *s);

/* A question to what the object stands for, shared with other questions; and the end of what runs on it. */
#define OBJECT_CAPABILITY(Place, place, View)                                                                  \
    Place *place;                                                                                              \
    View *view;                                                                                                \
    Call *call
typedef struct ObjectQuery {
    OBJECT_CAPABILITY(Object, object, ObjectView);
} ObjectQuery;

struct KindInfo {
    ObjectKind object;  /* OBJECT_SECRET */
    const char *word;   /* in messages: "secret" */
    int missing;        /* VIR_ERR_NO_SECRET */
    size_t view_size, object_size; /* 0: nothing but the head */

    /* Definitions. Without functions of its own a kind has those of doc. */
    const DocKind *doc;
    unsigned identity; /* DOC_IDENTITY_*: what a document names; the other one is made up */
    bool (*peek)(const char *xml, gsize len, char **ret_name, Uuid ret_uuid, bool *ret_has_uuid, GError **err);
    void *(*parse)(const char *xml, gsize len, bool live, GError **err); /* from a file of ours */
    char *(*format)(const ObjectView *v, const void *def, bool live, GError **err); /* for one */
    void (*free_def)(void *def);
    void *(*copy_def)(const void *def);
    char **(*def_name)(void *def); /* NULL: has none; the name is the uuid as text */
    OptUuid *(*def_uuid)(void *def); /* NULL: has none */

    /* What a kind's view has besides. copied: the bytes are those of another view; own what they point to. */
    void (*view_fresh)(ObjectView *v); /* all zero but the head */
    void (*view_copied)(ObjectView *v);
    void (*view_done)(ObjectView *v);
    void (*view_loaded)(ObjectView *v); /* of a definition that was found on disk */
    /* A second name that no two objects share (id of a domain, usage of a secret); NULL: has none now. */
    char *(*key)(const ObjectView *v);

    /* Files. NULL: there are none. Names are those of today's hosts. */
    const char *config_dir, *status_dir; /* below the configuration and the run directory */
    const char *note;                    /* for people who open a definition's file */
    const char *document, *status_root;  /* root elements: "domain", "domstatus" */
    /* Links in the directory "autostart" beside the definitions: suffix of each, NULL at the end. The first
     * one is v->autostart; others are the kind's to know, as bits. NULL: the kind does not start by itself. */
    const char *const *links;
    unsigned (*links_of)(const ObjectView *v);
    void (*set_links)(ObjectView *v, unsigned links);
    void (*status_attributes)(const ObjectView *v, GString *out);
    bool (*status_loaded)(ObjectView *v, const xmlNode *root, GError **err);
    /* The driver's part: attributes and children of <modvirt>. */
    void (*status_format)(const DriverStatus *s, GString *out);
    DriverStatus *(*status_parse)(const xmlNode *modvirt, GError **err);
    /* Files that only this kind has; written before the others. False: the call fails, nothing is published. */
    bool (*commit)(ObjectTurn *t, GError **err);

    /* The driver's runtime thing, made and freed with the object. */
    void *(*attach)(Object *o);
    void (*detach)(Object *o);
    /* As in ObjectClass. Any thread. */
    void (*interrupt)(Object *o, bool destroy);
    void (*interrupt_failed)(Object *o);
    uint64_t (*unresponsive_since)(Object *o);
    /* Why a call that needs an active object is refused; NULL: in general words. */
    void (*refuse_inactive)(const ObjectView *v, GError **err);

    /* The wire. identity: what a remote_nonnull_KIND says (borrowed); uuid NULL: found by name. */
    void (*wire_identity)(const void *wire, const char **ret_name, const uint8_t **ret_uuid);
    void (*wire_fill)(const ObjectView *v, void *ret); /* strings are the reply's */
    size_t wire_size;
    /* What rules may say of one besides its name and uuid. Strings live as long as the view. */
    void (*describe)(const ObjectView *v, AclObject *ret);
    /* Groups of bits of a list's flags: a group of which none is asked for does not filter. 0 ends them. */
    const unsigned *filter_groups;
    unsigned (*filter_bits)(const ObjectView *v); /* those that the object has, of all groups */
};

Object *object_ref(Object *o);
Object *object_unref(Object *o);
void object_destroy_ref(void *object); /* GDestroyNotify */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Object, object_unref)

/* NULL while it is being created and after it was removed. */
ObjectView *object_view(Object *o);
const uint8_t *object_uuid(const Object *o);
Registry *object_registry(const Object *o);
/* Made by KindInfo.attach. */
void *object_driver_data(const Object *o);

ObjectView *object_view_ref(const ObjectView *v);
ObjectView *object_view_unref(ObjectView *v);
void object_view_destroy(void *view); /* GDestroyNotify */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObjectView, object_view_unref)

/* For questions about it (call_allows()); good as long as the view. */
AclObject object_view_acl(const ObjectView *v);

/* The definition of a persistent object (v->config is not NULL); lives as long as the view. NULL with *err:
 * its file cannot be read, or c is a call of lane inline that may not wait for the file. c NULL: may. */
const void *object_view_config(const ObjectView *v, Call *c, GError **err);
/* That of an active one, or else the former. */
const void *object_view_def(const ObjectView *v, Call *c, GError **err);
