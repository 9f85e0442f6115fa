/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The format walk. A cursor (open[]) says which elements are open below the element of the present
 * struct; each row moves the cursor to the element its path names, closing and opening what is
 * needed, so that consecutive rows of one element end up in one element. Nothing is opened before
 * there is something to write in it. Items of lists are elements of their own with a fresh cursor.
 *
 * Pure functions, any thread, one ConfFormatter per thread.
 */
#include <string.h>

#include "conf/domain.h"
#include "conf/parse-internal.h"
#include "conf/row.h"

void conf_format_at(ConfFormatter *f, const char *const *names, unsigned n)
{
    const char *want[G_N_ELEMENTS(f->open)];
    unsigned n_want = 0, same = 0;

    g_assert(f->n_prefix + n <= G_N_ELEMENTS(want));
    for (unsigned i = 0; i < f->n_prefix; i++)
        want[n_want++] = f->prefix[i];
    for (unsigned i = 0; i < n; i++)
        want[n_want++] = names[i];
    while (same < n_want && same < f->n_open &&
           (want[same] == f->open[same] || !strcmp(want[same], f->open[same])))
        same++;
    while (f->n_open > same) {
        xml_close(&f->w);
        f->n_open--;
    }
    for (; same < n_want; same++) {
        xml_open(&f->w, want[same]);
        f->open[f->n_open++] = want[same];
    }
}

void conf_format_close(ConfFormatter *f)
{
    while (f->n_open) {
        xml_close(&f->w);
        f->n_open--;
    }
}

static bool masked(const ConfFormatter *f, const ConfField *r)
{
    return ((r->flags & CF_LIVE) && (f->flags & DOMAIN_FORMAT_INACTIVE)) ||
           ((r->flags & CF_SECRET) &&
            !(f->flags & (DOMAIN_FORMAT_SECURE | DOMAIN_FORMAT_STATUS))) ||
           ((r->flags & CF_NO_MIGRATE) && (f->flags & DOMAIN_FORMAT_MIGRATABLE)) ||
           ((r->flags & CF_STATUS) && !(f->flags & DOMAIN_FORMAT_STATUS)) ||
           ((r->flags & CF_LIVE_INPUT) && f->inactive_asked) || (r->flags & CF_READ_ONLY);
}

/* Where parsing insists on a number, zero is written like any other. */
static bool written(const ConfField *r, const void *v)
{
    const ConfType *t = r->type;

    return (r->flags & CF_ALWAYS) || t->present(r, v) ||
           ((r->flags & (CF_REQUIRED | CF_IF_ELEMENT)) == CF_REQUIRED &&
            (t == &conf_u32 || t == &conf_u64 || t == &conf_i64 || t == &conf_size));
}

static void format_scalar(ConfFormatter *f, const ConfField *r, const ConfStep *s, const void *base)
{
    const void *v = (const char *)base + r->off;

    if (!written(r, v))
        return;
    if ((r->flags & CF_USER_ALIAS) && (f->flags & DOMAIN_FORMAT_INACTIVE) &&
        !g_str_has_prefix(*(char *const *)v, "ua-"))
        return;
    if (s->leaf == LEAF_NAME) /* the list has opened the element by this name */
        return;

    conf_format_at(f, s->names, s->n);
    if (s->leaf == LEAF_ELEMENT)
        return;
    g_string_truncate(f->tmp, 0);
    r->type->format(r, v, base, f->tmp);
    const char *unit = r->type->with_unit ? r->type->unit(r, v) : NULL;
    if (!f->w.in_tag) {
        f->failed = true;
        return;
    }
    if (s->leaf == LEAF_ATTR) {
        xml_attr(&f->w, s->attr, f->tmp->str);
        xml_attr(&f->w, conf_unit_attr(r), unit);
    } else {
        xml_attr(&f->w, conf_unit_attr(r), unit);
        xml_text(&f->w, f->tmp->str);
    }
}

void conf_format_element(ConfFormatter *f, const ConfDesc *d, const void *v, const char *name)
{
    ConfFormatter outer;

    memcpy(outer.open, f->open, sizeof(f->open));
    memcpy(outer.prefix, f->prefix, sizeof(f->prefix));
    outer.n_open = f->n_open;
    outer.n_prefix = f->n_prefix;

    xml_open(&f->w, name);
    f->n_open = f->n_prefix = 0;
    conf_format(f, d, v);
    conf_format_close(f);
    xml_close(&f->w);

    memcpy(f->open, outer.open, sizeof(f->open));
    memcpy(f->prefix, outer.prefix, sizeof(f->prefix));
    f->n_open = outer.n_open;
    f->n_prefix = outer.n_prefix;
}

/* The element name of an item in a list of any element: its name() row. */
static const char *item_name(const ConfDesc *d, const void *item, GString *tmp)
{
    for (unsigned i = 0; i < d->n_rows; i++) {
        if (conf_step(d, i)->leaf != LEAF_NAME)
            continue;
        g_string_truncate(tmp, 0);
        d->rows[i].type->format(&d->rows[i], (const char *)item + d->rows[i].off, item, tmp);
        return g_intern_string(tmp->str);
    }
    return NULL;
}

static void format_list(ConfFormatter *f, const ConfField *r, const ConfStep *s, const void *base)
{
    const GPtrArray *list = *(GPtrArray *const *)((const char *)base + r->off);
    const ConfDesc *d = r->arg;
    const char *name = s->names[s->n - 1];

    if (!list_len(list) && !(r->flags & CF_CONTAINER))
        return;
    conf_format_at(f, s->names, s->n - 1u);
    for (unsigned i = 0; i < list_len(list); i++) {
        const void *item = list_at(list, i);
        if (d->says_nothing && d->says_nothing(f->inactive_asked, item))
            continue;
        conf_format_element(f, d, item, strcmp(name, "*") ? name : item_name(d, item, f->tmp));
    }
}

/* Rows of an embedded struct: same element when the path is empty, a longer prefix otherwise. */
static void format_inner(ConfFormatter *f, const ConfStep *s, const ConfDesc *d, const void *v)
{
    unsigned n = f->n_prefix;

    for (unsigned i = 0; i < s->n; i++)
        f->prefix[f->n_prefix++] = s->names[i];
    conf_format(f, d, v);
    f->n_prefix = n;
}

void conf_format(ConfFormatter *f, const ConfDesc *d, const void *v)
{
    const ConfStep *s = d->n_rows ? conf_step(d, 0) : NULL;
    g_autofree void *face = d->face && !(f->flags & DOMAIN_FORMAT_STATUS) ? d->face(v) : NULL;

    v = face ? face : v;
    for (unsigned i = 0; i < d->n_rows; i++, s++) {
        const ConfField *r = &d->rows[i];
        const void *at = (const char *)v + r->off;
        if (s->leaf == LEAF_HIDDEN || (s->quiet && conf_is_zero(at, r->size)) || masked(f, r) ||
            !conf_row_applies(r, v))
            continue;
        switch (r->kind) {
        case CK_SCALAR:
            format_scalar(f, r, s, v);
            break;
        case CK_STRUCT:
            format_inner(f, s, r->arg, at);
            break;
        case CK_UNION: {
            const ConfDesc *arm = conf_arm(r, v);
            if (arm)
                format_inner(f, s, arm, at);
            break;
        }
        case CK_OPTIONAL:
            if (*(void *const *)at && s->n) {
                conf_format_at(f, s->names, s->n - 1u);
                conf_format_element(f, r->arg, *(void *const *)at, s->names[s->n - 1]);
            }
            break;
        case CK_LIST:
            format_list(f, r, s, v);
            break;
        case CK_DEVICES:
            conf_format_at(f, s->names, s->n);
            conf_format_devices(f, *(GPtrArray *const *)at);
            break;
        case CK_RAW:
            if (*(char *const *)at) {
                conf_format_at(f, s->names, s->n - 1u);
                xml_raw(&f->w, *(char *const *)at);
            }
            break;
        case CK_CUSTOM: {
            const ConfCustom *c = r->arg;
            if (c->format)
                c->format(f, r, v);
            break;
        }
        case CK_PAD:
            break;
        }
    }
}
