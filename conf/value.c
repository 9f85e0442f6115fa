/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Walks that do not touch documents: clear, copy, compare, and the proof that the rows of a
 * description cover each byte of its struct exactly once. A field belongs to one row; rows marked
 * CF_VIEW read and write a field that another row owns and are skipped here. The condition of a row
 * (WHEN) is about documents only: a value that is in the struct is copied and compared.
 *
 * Pure functions, any thread.
 */
#include <string.h>

#include "conf/parse-internal.h"
#include "conf/row.h"

static void *at(const void *base, const ConfField *r)
{
    return (char *)base + r->off;
}

static bool owns(const ConfField *r)
{
    return !(r->flags & CF_VIEW) && r->kind != CK_PAD;
}

void conf_free(const ConfDesc *d, void *v)
{
    if (!v)
        return;
    conf_clear(d, v);
    g_free(v);
}

void conf_clear(const ConfDesc *d, void *v)
{
    for (unsigned i = 0; i < d->n_rows; i++) {
        const ConfField *r = &d->rows[i];
        if (!owns(r))
            continue;
        switch (r->kind) {
        case CK_SCALAR:
        case CK_RAW:
        case CK_CUSTOM:
            if (r->type && r->type->clear)
                r->type->clear(at(v, r));
            break;
        case CK_STRUCT:
            conf_clear(r->arg, at(v, r));
            break;
        case CK_OPTIONAL:
            conf_free(r->arg, *(void **)at(v, r));
            break;
        case CK_LIST: {
            GPtrArray *list = *(GPtrArray **)at(v, r);
            for (unsigned n = 0; n < list_len(list); n++)
                conf_free(r->arg, list_at(list, n));
            if (list)
                g_ptr_array_unref(list);
            break;
        }
        case CK_UNION: {
            const ConfDesc *arm = conf_arm(r, v);
            if (arm)
                conf_clear(arm, at(v, r));
            break;
        }
        case CK_DEVICES: {
            GPtrArray *list = *(GPtrArray **)at(v, r);
            for (unsigned n = 0; n < list_len(list); n++)
                device_free(list_at(list, n));
            if (list)
                g_ptr_array_unref(list);
            break;
        }
        case CK_PAD:
            break;
        }
    }
    memset(v, 0, d->size);
}

void *conf_dup(const ConfDesc *d, const void *src)
{
    if (!src)
        return NULL;
    void *v = g_malloc0(d->size);
    conf_copy(d, v, src);
    return v;
}

void conf_copy(const ConfDesc *d, void *dst, const void *src)
{
    for (unsigned i = 0; i < d->n_rows; i++) {
        const ConfField *r = &d->rows[i];
        if (!owns(r))
            continue;
        switch (r->kind) {
        case CK_SCALAR:
        case CK_RAW:
        case CK_CUSTOM:
            if (r->type && r->type->copy)
                r->type->copy(at(dst, r), at(src, r));
            else if (r->type)
                memcpy(at(dst, r), at(src, r), r->size);
            break;
        case CK_STRUCT:
            conf_copy(r->arg, at(dst, r), at(src, r));
            break;
        case CK_OPTIONAL:
            *(void **)at(dst, r) = conf_dup(r->arg, *(void **)at(src, r));
            break;
        case CK_LIST:
        case CK_DEVICES: {
            const GPtrArray *from = *(GPtrArray **)at(src, r);
            if (!from)
                break;
            GPtrArray *to = g_ptr_array_sized_new(from->len);
            for (unsigned n = 0; n < from->len; n++) {
                g_ptr_array_add(to, r->kind == CK_LIST ? conf_dup(r->arg, list_at(from, n))
                                                       : (void *)device_copy(list_at(from, n)));
            }
            *(GPtrArray **)at(dst, r) = to;
            break;
        }
        case CK_UNION: {
            /* The tag's own row may come later: take it from the source. */
            const ConfDesc *arm = conf_arm(r, src);
            if (arm)
                conf_copy(arm, at(dst, r), at(src, r));
            break;
        }
        case CK_PAD:
            break;
        }
    }
}

/* ---- compare ---- */

static bool differ(char **ret_path, const char *path)
{
    if (ret_path)
        *ret_path = g_strdup(path);
    return false;
}

static bool below(char **ret_path, const char *path, int index)
{
    if (!ret_path || !*ret_path || !path || !*path)
        return false;
    g_autofree char *inner = *ret_path;
    *ret_path = index < 0 ? g_strdup_printf("%s/%s", path, inner)
                          : g_strdup_printf("%s[%d]/%s", path, index + 1, inner);
    return false;
}

static bool equal_list(const ConfField *r, const GPtrArray *a, const GPtrArray *b, unsigned only,
                       char **ret_path)
{
    if (list_len(a) != list_len(b))
        return differ(ret_path, r->path ? r->path : r->field);
    for (unsigned i = 0; i < list_len(a); i++) {
        if (!conf_equal(r->arg, list_at(a, i), list_at(b, i), only, ret_path))
            return below(ret_path, r->path, (int)i);
    }
    return true;
}

static const Device *next_of_kind(const GPtrArray *list, DeviceKind kind, unsigned *pos)
{
    while (*pos < list_len(list)) {
        const Device *d = list_at(list, (*pos)++);
        if (d->kind == kind)
            return d;
    }
    return NULL;
}

/* The order counts among devices of one kind; documents are written kind by kind. */
static bool equal_devices(const ConfField *r, const GPtrArray *a, const GPtrArray *b, unsigned only,
                          char **ret_path)
{
    for (unsigned k = 0; k < _DEVICE_KIND_N; k++) {
        unsigned i = 0, j = 0;
        for (int n = 0;; n++) {
            const Device *x = next_of_kind(a, (DeviceKind)k, &i),
                         *y = next_of_kind(b, (DeviceKind)k, &j);
            if (!x && !y)
                break;
            if (!x || !y) {
                (void)differ(ret_path, device_kind_element((DeviceKind)k));
                return below(ret_path, r->path, -1);
            }
            if (!conf_equal(device_desc((DeviceKind)k), x, y, only, ret_path)) {
                (void)below(ret_path, device_kind_element((DeviceKind)k), n);
                return below(ret_path, r->path, -1);
            }
        }
    }
    return true;
}

bool conf_equal(const ConfDesc *d, const void *a, const void *b, unsigned only, char **ret_path)
{
    for (unsigned i = 0; i < d->n_rows; i++) {
        const ConfField *r = &d->rows[i];
        bool inner = r->kind == CK_STRUCT || r->kind == CK_UNION || r->kind == CK_DEVICES ||
                     r->kind == CK_LIST || r->kind == CK_OPTIONAL;
        if (!owns(r) || (r->flags & CF_NO_COMPARE) || (only && !(r->flags & only) && !inner))
            continue;
        switch (r->kind) {
        case CK_SCALAR:
        case CK_RAW:
        case CK_CUSTOM:
            if (!r->type)
                break;
            if (r->type->equal ? !r->type->equal(at(a, r), at(b, r))
                               : memcmp(at(a, r), at(b, r), r->size) != 0)
                return differ(ret_path, r->path ? r->path : r->field);
            break;
        case CK_STRUCT:
            if (!conf_equal(r->arg, at(a, r), at(b, r), only, ret_path))
                return below(ret_path, r->path, -1);
            break;
        case CK_OPTIONAL: {
            const void *x = *(void **)at(a, r), *y = *(void **)at(b, r);
            if (!x != !y) {
                if (only && !(r->flags & only))
                    break;
                return differ(ret_path, r->path ? r->path : r->field);
            }
            if (x && !conf_equal(r->arg, x, y, only, ret_path))
                return below(ret_path, r->path, -1);
            break;
        }
        case CK_LIST:
            if (only && !(r->flags & only))
                break;
            if (!equal_list(r, *(GPtrArray **)at(a, r), *(GPtrArray **)at(b, r), only, ret_path))
                return false;
            break;
        case CK_DEVICES:
            if (!equal_devices(r, *(GPtrArray **)at(a, r), *(GPtrArray **)at(b, r), only, ret_path))
                return false;
            break;
        case CK_UNION: {
            const ConfDesc *x = conf_arm(r, a), *y = conf_arm(r, b);
            if (x != y)
                return differ(ret_path, r->path ? r->path : r->field);
            if (x && !conf_equal(x, at(a, r), at(b, r), only, ret_path))
                return below(ret_path, r->path, -1);
            break;
        }
        case CK_PAD:
            break;
        }
    }
    return true;
}

/* What one value says of another. Absent is all zero; a row that is always written says something
 * even then. */
static bool says_nothing(const ConfField *r, const void *v)
{
    const uint8_t *bytes = at(v, r);

    if (!conf_row_applies(r, v))
        return true;
    if ((r->flags & (CF_REQUIRED | CF_ALWAYS)) && r->kind == CK_SCALAR)
        return false;
    for (uint32_t i = 0; i < r->size; i++) {
        if (bytes[i])
            return false;
    }
    return true;
}

/* The owner of a field may not apply where another row writes it: an image's path by file and by device. */
static bool shows_field(const ConfField *r)
{
    return (r->flags & CF_VIEW) && !(r->flags & (CF_WRITE_ONLY | CF_READ_ONLY)) && r->kind == CK_SCALAR && *r->field;
}

bool conf_says(const ConfDesc *d, const void *like, const void *have)
{
    for (unsigned i = 0; i < d->n_rows; i++) {
        const ConfField *r = &d->rows[i];
        if ((!owns(r) && !shows_field(r)) || (r->flags & CF_NO_COMPARE) || says_nothing(r, like))
            continue;
        switch (r->kind) {
        case CK_SCALAR:
        case CK_RAW:
        case CK_CUSTOM:
            if (r->type && (r->type->equal ? !r->type->equal(at(like, r), at(have, r))
                                           : memcmp(at(like, r), at(have, r), r->size) != 0))
                return false;
            break;
        case CK_STRUCT:
            if (!conf_says(r->arg, at(like, r), at(have, r)))
                return false;
            break;
        case CK_OPTIONAL: {
            const void *y = *(void **)at(have, r);
            if (!y || !conf_says(r->arg, *(void **)at(like, r), y))
                return false;
            break;
        }
        case CK_LIST: {
            const GPtrArray *x = *(GPtrArray **)at(like, r);
            if (x->len && !equal_list(r, x, *(GPtrArray **)at(have, r), 0, NULL))
                return false;
            break;
        }
        case CK_UNION: {
            const ConfDesc *arm = conf_arm(r, like);
            if (arm && (arm != conf_arm(r, have) || !conf_says(arm, at(like, r), at(have, r))))
                return false;
            break;
        }
        case CK_DEVICES:
        case CK_PAD:
            break;
        }
    }
    return true;
}

/* ---- coverage ---- */

char *conf_check_desc(const ConfDesc *d)
{
    g_autofree uint8_t *seen = g_malloc0(d->size);

    for (unsigned i = 0; i < d->n_rows; i++) {
        const ConfField *r = &d->rows[i];
        if (r->flags & CF_VIEW)
            continue;
        if (r->type && r->type->size && r->type->size != r->size)
            return g_strdup_printf("%s.%s: %u bytes, its type has %zu", d->name, r->field, r->size,
                                   r->type->size);
        if (r->kind == CK_STRUCT && ((const ConfDesc *)r->arg)->size != r->size)
            return g_strdup_printf("%s.%s: %u bytes, its description has %zu", d->name, r->field,
                                   r->size, ((const ConfDesc *)r->arg)->size);
        if (r->kind == CK_UNION) {
            for (const ConfArm *a = r->arg; a->desc; a++) {
                if (a->desc->size > r->size)
                    return g_strdup_printf("%s.%s: arm %s is larger", d->name, r->field,
                                           a->desc->name);
            }
        }
        for (unsigned b = r->off; b < r->off + r->size; b++) {
            if (b >= d->size || seen[b]++)
                return g_strdup_printf("%s.%s: byte %u belongs to two rows", d->name, r->field, b);
        }
    }
    for (unsigned b = 0; b < d->size; b++) {
        if (!seen[b])
            return g_strdup_printf("%s: byte %u belongs to no row", d->name, b);
    }
    return NULL;
}
