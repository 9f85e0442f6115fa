/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A growing bit array. Invariant: bits beyond n_words * 64 are clear; trailing zero words are
 * allowed, so comparison looks at the longer one's tail. No locks: a bitmap has one owner.
 */
#include "util/bitmap.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "util/error.h"

struct Bitmap {
    unsigned n_words;
    uint64_t *words;
};

Bitmap *bitmap_new(void)
{
    return g_new0(Bitmap, 1);
}

Bitmap *bitmap_copy(const Bitmap *b)
{
    if (!b)
        return NULL;
    Bitmap *c = bitmap_new();
    c->n_words = b->n_words;
    c->words = g_memdup2(b->words, b->n_words * sizeof(uint64_t));
    return c;
}

void bitmap_free(Bitmap *b)
{
    if (!b)
        return;
    g_free(b->words);
    g_free(b);
}

static uint64_t word(const Bitmap *b, unsigned i)
{
    return i < b->n_words ? b->words[i] : 0;
}

bool bitmap_set(Bitmap *b, unsigned bit)
{
    if (bit >= BITMAP_MAX)
        return false;
    unsigned need = bit / 64 + 1;
    if (need > b->n_words) {
        b->words = g_renew(uint64_t, b->words, need);
        for (unsigned i = b->n_words; i < need; i++)
            b->words[i] = 0;
        b->n_words = need;
    }
    b->words[bit / 64] |= UINT64_C(1) << bit % 64;
    return true;
}

void bitmap_clear(Bitmap *b, unsigned bit)
{
    if (bit / 64 < b->n_words)
        b->words[bit / 64] &= ~(UINT64_C(1) << bit % 64);
}

bool bitmap_is_set(const Bitmap *b, unsigned bit)
{
    return word(b, bit / 64) >> bit % 64 & 1;
}

bool bitmap_is_empty(const Bitmap *b)
{
    return bitmap_next(b, 0) < 0;
}

unsigned bitmap_count(const Bitmap *b)
{
    unsigned n = 0;
    for (unsigned i = 0; i < b->n_words; i++)
        n += (unsigned)__builtin_popcountll(b->words[i]);
    return n;
}

int bitmap_next(const Bitmap *b, unsigned from)
{
    for (unsigned i = from / 64; i < b->n_words; i++) {
        uint64_t w = b->words[i];
        if (i == from / 64)
            w &= ~UINT64_C(0) << from % 64;
        if (w)
            return (int)(i * 64 + (unsigned)__builtin_ctzll(w));
    }
    return -1;
}

int bitmap_last(const Bitmap *b)
{
    for (unsigned i = b->n_words; i-- > 0;) {
        if (b->words[i])
            return (int)(i * 64 + 63 - (unsigned)__builtin_clzll(b->words[i]));
    }
    return -1;
}

bool bitmap_equal(const Bitmap *a, const Bitmap *b)
{
    if (!a || !b)
        return a == b;
    for (unsigned i = 0; i < MAX(a->n_words, b->n_words); i++) {
        if (word(a, i) != word(b, i))
            return false;
    }
    return true;
}

bool bitmap_overlaps(const Bitmap *a, const Bitmap *b)
{
    for (unsigned i = 0; i < MIN(a->n_words, b->n_words); i++) {
        if (a->words[i] & b->words[i])
            return true;
    }
    return false;
}

static bool parse_bit(const char **s, unsigned *ret)
{
    char *end;

    if (!g_ascii_isdigit(**s))
        return false;
    errno = 0;
    unsigned long n = strtoul(*s, &end, 10);
    if (errno || n >= BITMAP_MAX)
        return false;
    while (g_ascii_isspace(*end))
        end++;
    *s = end;
    *ret = (unsigned)n;
    return true;
}

Bitmap *bitmap_parse(const char *text, GError **err)
{
    g_autoptr(Bitmap) b = bitmap_new();
    const char *s = text;

    for (;;) {
        unsigned from, to;
        while (g_ascii_isspace(*s))
            s++;
        bool not = *s == '^';
        if (not )
            s++;
        if (!parse_bit(&s, &from))
            break;
        to = from;
        if (*s == '-') {
            s++;
            while (g_ascii_isspace(*s))
                s++;
            if (not || !parse_bit(&s, &to) || to < from)
                break;
        }
        for (unsigned i = from; i <= to; i++) {
            if (not )
                bitmap_clear(b, i);
            else
                (void)bitmap_set(b, i); /* parse_bit checked the bound */
        }
        if (!*s)
            return g_steal_pointer(&b);
        if (*s++ != ',')
            break;
    }
    error_set(err, VIR_ERR_INVALID_ARG,
              "malformed set '%.100s': expected numbers and ranges such as 0-3,^2,7 below %u", text,
              BITMAP_MAX);
    return NULL;
}

char *bitmap_format(const Bitmap *b)
{
    GString *s = g_string_new(NULL);

    for (int i = bitmap_next(b, 0); i >= 0;) {
        int last = i;
        while (bitmap_is_set(b, (unsigned)last + 1))
            last++;
        g_string_append_printf(s, last > i ? "%s%d-%d" : "%s%d", s->len ? "," : "", i, last);
        i = bitmap_next(b, (unsigned)last + 1);
    }
    return g_string_free(s, FALSE);
}
