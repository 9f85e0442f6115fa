/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sets of small numbers (CPUs, NUMA nodes) and their text form "0-3,^2,7". A bitmap grows as bits
 * are set, up to BITMAP_MAX, so that hostile text cannot make it large.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define BITMAP_MAX 16384u

typedef struct Bitmap Bitmap;

Bitmap *bitmap_new(void);
Bitmap *bitmap_copy(const Bitmap *b); /* NULL for NULL */
void bitmap_free(Bitmap *b);
bool bitmap_set(Bitmap *b, unsigned bit); /* false: bit >= BITMAP_MAX */
void bitmap_clear(Bitmap *b, unsigned bit);
bool bitmap_is_set(const Bitmap *b, unsigned bit);
bool bitmap_is_empty(const Bitmap *b);
unsigned bitmap_count(const Bitmap *b);
/* The first set bit >= from, -1 when none: for (int i = bitmap_next(b, 0); i >= 0; …(b, i + 1)) */
int bitmap_next(const Bitmap *b, unsigned from);
int bitmap_last(const Bitmap *b); /* highest set bit, -1 when empty */
bool bitmap_equal(const Bitmap *a, const Bitmap *b); /* NULL equals NULL only */
bool bitmap_overlaps(const Bitmap *a, const Bitmap *b);

/* Numbers and ranges, comma separated; ^N removes. NULL and *err for anything else. */
Bitmap *bitmap_parse(const char *text, GError **err);
char *bitmap_format(const Bitmap *b); /* canonical: "0-3,7"; "" when empty */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bitmap, bitmap_free)
