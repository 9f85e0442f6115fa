/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All objects of a kind, by uuid, name and key. One lock, held for look-ups only. A daemon has one registry
 * for each of its kinds. Any thread.
 */
#pragma once

#include "drivers/common/object.h"

/* Once, before the first registry. */
void objects_init(const DriverContext *ctx);
const DriverContext *objects_context(void);
/* From here on no internal turn starts (object_run_turn). */
void objects_stop(void);
bool objects_stopping(void);

/* Opens the kind's directories and loads what is in them. ret_live: objects that were active (references), to
 * be taken up again; may be NULL. */
Registry *registry_open(const KindInfo *kind, GPtrArray **ret_live, GError **err);
/* One of its own, empty, for objects inside another one that no file describes (the volumes of a pool). */
Registry *registry_new(const KindInfo *kind);
/* Of both. NULL is fine. */
void registry_close(Registry *r);
/* That of the daemon, which registry_open() made; NULL: there is none of the kind. */
Registry *registry_of(ObjectKind kind);

/* A reference, or NULL: not there (or not visible yet). */
Object *registry_find_uuid(Registry *r, const uint8_t *uuid);
Object *registry_find_name(Registry *r, const char *name);
Object *registry_find_key(Registry *r, const char *key);
/* Finds what has this identity, made when there is none. name or uuid may be NULL, as the kind's identity is;
 * a reference that registry_release() or a turn gives back. */
Object *registry_find_or_reserve(Registry *r, const char *name, const uint8_t *uuid, bool creates, GError **err);

/* For kinds that no file describes: an object of this name (one that is there gets a new view) that is active
 * from now on; fill completes its view. And away with it. Any thread. */
bool registry_add(Registry *r, const char *name, void (*fill)(ObjectView *v, void *data), void *data, GError **err);
void registry_remove(Object *o);

/* Views of all objects (ObjectView), in no particular order. */
GPtrArray *registry_views(Registry *r);
/* Those that the caller may see (acl filter getattr) and that pass the bits of a list's flags (KindInfo.filter_*). */
GPtrArray *registry_collect(Registry *r, Call *c, unsigned flags);
bool registry_filter(const ObjectView *v, unsigned flags);
unsigned registry_count_active(const Registry *r);
