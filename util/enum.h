/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Enumerations with names. ENUM_TABLE makes one string table for an enum that starts at 0 and whose
 * count is its last member; the length is checked by the compiler.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct EnumTable {
    const char *what; /* for messages: "disk cache mode" */
    const char *const *names;
    unsigned n;
} EnumTable;

/* clang-format off */
#define ENUM_TABLE(var, what_, count, ...)                                                         \
    static const char *const var##_names_[] = { __VA_ARGS__ };                                     \
    G_STATIC_ASSERT(G_N_ELEMENTS(var##_names_) == (count));                                        \
    const EnumTable var = { what_, var##_names_, (count) }
/* clang-format on */

/* Name of a value, NULL when out of range. */
const char *enum_name(const EnumTable *t, unsigned value);
/* Value of a name, -1 when unknown. */
int enum_value(const EnumTable *t, const char *name);
/* The known name nearest to a wrong one (edit distance), NULL when none is near. */
const char *enum_nearest(const EnumTable *t, const char *name);
/* Edit distance of two words, at most max + 1. */
unsigned edit_distance(const char *a, const char *b, unsigned max);
