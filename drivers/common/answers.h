/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What handlers of every kind do alike: look-ups, lists, define, undefine, autostart. A driver's handlers give
 * them the fields of their own reply. Lists and look-ups may run inline.
 */
#pragma once

#include "drivers/common/object_turn.h"
#include "drivers/common/registry.h"

/* Fills ret (a remote_nonnull_KIND) with what was found (takes the reference; NULL: nothing). An object that the
 * caller may not see does not exist for it: then the error is 'missing' (VIR_ERR_NO_SECRET) with the text. */
bool answer_lookup(Call *c, int missing, Object *found, void *ret, GError **err, const char *fmt, ...)
    G_GNUC_PRINTF(6, 7);

/* A list reply of the newer sort: how many pass (*ret_n) and, when wanted, which (*ret_len of *ret_val, a
 * pointer to an array of remote_nonnull_KIND). max: what the reply can hold. */
bool answer_list(Call *c, Registry *r, unsigned flags, bool need_results, unsigned max, unsigned *ret_n,
                 unsigned *ret_len, void *ret_val, GError **err);
/* Of the older sort: names (or uuids, when the kind has no names) of at most max. */
void answer_names(Call *c, Registry *r, unsigned flags, int max, unsigned *ret_len, char ***ret_val);
int answer_count(Call *c, Registry *r, unsigned flags);

/* Makes def, which a client sent, the persistent definition of the turn's object; takes it. Its name must be that
 * for which the object was found; its uuid becomes the object's. */
bool define_object(ObjectTurn *t, void *take, GError **err);
/* The check of define_object() alone. */
bool settle_identity(const ObjectTurn *t, void *def, GError **err);
/* The definition and its links go; an inactive object vanishes with that, an active one is transient now. */
bool undefine_object(ObjectTurn *t, GError **err);
bool autostart_object(ObjectTurn *t, bool on, GError **err);
