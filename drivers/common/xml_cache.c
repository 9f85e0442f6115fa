/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tools poll the documents of the same few guests. A definition is immutable, so what was written once
 * stays right; but thousands of documents that were asked for once must not fill the memory. So there is
 * a fixed number of places, each for one definition and way of writing it, and a document is kept only
 * when the one that was there last is asked for again. A place holds a reference of its definition from
 * then on; before, the pointer is only compared.
 */
#include "drivers/common/xml_cache.h"

#include <string.h>

#include "util/lock.h"

enum { PLACES = 64, TEXT_MAX = 32 << 10 };

typedef struct Place {
    SharedDef *def; /* a reference when there is a text */
    unsigned flags;
    int id;
    char *text;
} Place;

static struct {
    Lock lock;
    Place places[PLACES];
} cache = { .lock = LOCK_INIT };

static Place *place_of(const SharedDef *s, unsigned flags)
{
    uintptr_t p = (uintptr_t)s;

    return &cache.places[(p >> 4 ^ p >> 12 ^ flags) % PLACES];
}

static bool is_of(const Place *p, const SharedDef *s, unsigned flags, int id)
{
    return p->def == s && p->flags == flags && p->id == id;
}

static void place_empty(Place *p)
{
    if (p->text)
        shared_def_unref(p->def);
    g_free(p->text);
    *p = (Place){ 0 };
}

char *xml_cache_format(SharedDef *s, const DomainDef *def, unsigned flags, int id, GError **err)
{
    const DomainFormatContext ctx = { id };
    Place *p = place_of(s, flags);
    char *text = NULL;

    lock_enter(&cache.lock);
    bool again = is_of(p, s, flags, id);
    if (again)
        text = g_strdup(p->text);
    lock_leave(&cache.lock);
    if (text)
        return text;

    text = domain_format(def, flags, &ctx, err);
    if (!text)
        return NULL;
    LOCK_SCOPE(&cache.lock);
    if (again && is_of(p, s, flags, id)) {
        if (!p->text && strlen(text) <= TEXT_MAX) {
            p->def = shared_def_ref(s);
            p->text = g_strdup(text);
        }
    } else {
        place_empty(p);
        *p = (Place){ .def = s, .flags = flags, .id = id };
    }
    return text;
}

void xml_cache_clear(void)
{
    LOCK_SCOPE(&cache.lock);
    for (unsigned i = 0; i < PLACES; i++)
        place_empty(&cache.places[i]);
}
