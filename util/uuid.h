/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef unsigned char Uuid[16];
/* Accepts 32 hex digits with '-' and spaces anywhere between, as today's clients do. */
bool uuid_parse(const char *text, Uuid ret);
void uuid_format(const Uuid uuid, char ret[37]);
void uuid_generate(Uuid ret);
bool uuid_is_valid(const Uuid uuid); /* neither all zero nor all the same byte */
static inline bool uuid_equal(const Uuid a, const Uuid b) { return __builtin_memcmp(a, b, 16) == 0; }
/* For g_hash_table_new(). */
guint uuid_hash(gconstpointer uuid);
gboolean uuid_same(gconstpointer a, gconstpointer b);
