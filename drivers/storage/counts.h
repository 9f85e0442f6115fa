/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers by name, in a table that holds none that is zero: it is no larger than what goes on at the moment. NULL is one
 * without any. Under its owner's lock.
 */
#pragma once

#include <glib.h>

static inline int counts_of(GHashTable *t, const char *name)
{
    return t ? GPOINTER_TO_INT(g_hash_table_lookup(t, name)) : 0;
}

static inline void counts_add(GHashTable **t, const char *name, int more)
{
    int n = counts_of(*t, name) + more;

    if (!*t)
        *t = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if (n)
        g_hash_table_replace(*t, g_strdup(name), GINT_TO_POINTER(n));
    else
        g_hash_table_remove(*t, name);
}
