/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Look-up in enum string tables and the word distance behind "did you mean". Tables are constant,
 * so any thread may call anything here.
 */
#include "util/enum.h"

#include <string.h>

enum { WORD_MAX = 64 }; /* longer words are never near to each other */

const char *enum_name(const EnumTable *t, unsigned value)
{
    return value < t->n ? t->names[value] : NULL;
}

int enum_value(const EnumTable *t, const char *name)
{
    for (unsigned i = 0; i < t->n; i++) {
        if (t->names[i] && strcmp(t->names[i], name) == 0)
            return (int)i;
    }
    return -1;
}

unsigned edit_distance(const char *a, const char *b, unsigned max)
{
    size_t na = strnlen(a, WORD_MAX + 1), nb = strnlen(b, WORD_MAX + 1);
    unsigned row[WORD_MAX + 1];

    if (na > WORD_MAX || nb > WORD_MAX || (na > nb ? na - nb : nb - na) > max)
        return max + 1;
    for (size_t j = 0; j <= nb; j++)
        row[j] = (unsigned)j;

    for (size_t i = 1; i <= na; i++) {
        unsigned diagonal = row[0], best;

        best = row[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned change = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
            best = MIN(best, row[j]);
        }
        if (best > max)
            return max + 1;
    }
    return MIN(row[nb], max + 1);
}

const char *enum_nearest(const EnumTable *t, const char *name)
{
    /* A third of the letters may be wrong; for very short words one. */
    unsigned best = (unsigned)MAX(strnlen(name, WORD_MAX) / 3, 1) + 1;
    const char *found = NULL;

    for (unsigned i = 0; i < t->n; i++) {
        unsigned d = t->names[i] && t->names[i][0] ? edit_distance(name, t->names[i], best) : best;

        if (d < best) {
            best = d;
            found = t->names[i];
        }
    }
    return found;
}
