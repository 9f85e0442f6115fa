/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Typed parameters (params.h). */
#include "drivers/common/params.h"

#include <string.h>

#include "util/api.h"
#include "util/error.h"

static const char *const type_names[] = {
    [VIR_TYPED_PARAM_INT] = "int",       [VIR_TYPED_PARAM_UINT] = "uint",
    [VIR_TYPED_PARAM_LLONG] = "llong",   [VIR_TYPED_PARAM_ULLONG] = "ullong",
    [VIR_TYPED_PARAM_DOUBLE] = "double", [VIR_TYPED_PARAM_BOOLEAN] = "boolean",
    [VIR_TYPED_PARAM_STRING] = "string",
};

static const char *type_name(int type)
{
    return type > 0 && type < (int)G_N_ELEMENTS(type_names) ? type_names[type] : "unknown";
}

/* Answers -------------------------------------------------------------------------------------- */

static remote_typed_param_value *add(ParamList *l, int type, const char *name, va_list ap)
{
    if (l->len == l->room) {
        l->room = l->room ? l->room * 2 : 16;
        l->val = g_renew(remote_typed_param, l->val, l->room);
    }
    remote_typed_param *p = &l->val[l->len++];
    /* Clients take names of less than 80 characters; and this is faster than g_strdup_vprintf(), which matters
     * where there are thousands. */
    char field[80];
    (void)g_vsnprintf(field, sizeof(field), name, ap);
    *p = (remote_typed_param){ .field = g_strdup(field), .value = { .type = type } };
    return &p->value;
}

#define ADD(suffix, ctype, TYPE, member)                                                           \
    void params_add_##suffix(ParamList *l, ctype v, const char *name, ...)                         \
    {                                                                                              \
        va_list ap;                                                                                \
        va_start(ap, name);                                                                        \
        add(l, VIR_TYPED_PARAM_##TYPE, name, ap)->u.member = v;                                    \
        va_end(ap);                                                                                \
    }
ADD(int, int, INT, i)
ADD(uint, unsigned, UINT, ui)
ADD(llong, int64_t, LLONG, l)
ADD(ullong, uint64_t, ULLONG, ul)
ADD(double, double, DOUBLE, d)
ADD(bool, bool, BOOLEAN, b)

void params_add_string(ParamList *l, const char *v, const char *name, ...)
{
    va_list ap;

    if (!v)
        return;
    va_start(ap, name);
    add(l, VIR_TYPED_PARAM_STRING, name, ap)->u.s = g_strdup(v);
    va_end(ap);
}

static void clear_one(remote_typed_param *p)
{
    g_free(p->field);
    if (p->value.type == VIR_TYPED_PARAM_STRING)
        g_free(p->value.u.s);
}

void params_clear(ParamList *l)
{
    for (u_int i = 0; i < l->len; i++)
        clear_one(&l->val[i]);
    g_free(l->val);
    *l = (ParamList){ 0 };
}

void params_cut(ParamList *l, u_int most)
{
    while (l->len > most)
        clear_one(&l->val[--l->len]);
}

/* Requests ------------------------------------------------------------------------------------- */

/* Both numbers of any integer type: its value as the widest of its sign. */
static bool integer_of(const remote_typed_param_value *v, int64_t *s, uint64_t *u)
{
    switch (v->type) {
    case VIR_TYPED_PARAM_INT:
        *s = v->u.i;
        break;
    case VIR_TYPED_PARAM_UINT:
        *s = v->u.ui;
        break;
    case VIR_TYPED_PARAM_LLONG:
        *s = v->u.l;
        break;
    case VIR_TYPED_PARAM_ULLONG:
        *u = v->u.ul;
        *s = v->u.ul > INT64_MAX ? INT64_MAX : (int64_t)v->u.ul;
        return true;
    case VIR_TYPED_PARAM_BOOLEAN:
        *s = v->u.b != 0;
        break;
    default:
        return false;
    }
    *u = *s < 0 ? 0 : (uint64_t)*s;
    return true;
}

static bool convert(remote_typed_param_value *v, int type)
{
    int64_t s;
    uint64_t u;

    if (v->type == type)
        return true;
    if (!integer_of(v, &s, &u))
        return false;
    switch (type) {
    case VIR_TYPED_PARAM_INT:
        if (s < INT32_MIN || s > INT32_MAX)
            return false;
        v->u.i = (int)s;
        break;
    case VIR_TYPED_PARAM_UINT:
        if (s < 0 || s > UINT32_MAX)
            return false;
        v->u.ui = (u_int)s;
        break;
    case VIR_TYPED_PARAM_LLONG:
        if (u > INT64_MAX)
            return false;
        v->u.l = s;
        break;
    case VIR_TYPED_PARAM_ULLONG:
        if (s < 0)
            return false;
        v->u.ul = u;
        break;
    case VIR_TYPED_PARAM_BOOLEAN:
        if (s != 0 && s != 1)
            return false;
        v->u.b = (int)s;
        break;
    default:
        return false;
    }
    v->type = type;
    return true;
}

const ParamRow *params_row(const ParamRow *rows, size_t n_rows, const char *name)
{
    for (size_t i = 0; i < n_rows; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

bool params_check(remote_typed_param *params, u_int n, const ParamRow *rows, size_t n_rows,
                  GError **err)
{
    for (u_int i = 0; i < n; i++) {
        const ParamRow *row = params_row(rows, n_rows, params[i].field);

        if (!row) {
            error_set(err, VIR_ERR_ARGUMENT_UNSUPPORTED, "parameter '%s' not supported",
                      params[i].field);
            return false;
        }
        if (!convert(&params[i].value, row->type)) {
            error_set(err, VIR_ERR_INVALID_ARG,
                      "invalid type '%s' for parameter '%s', expected '%s'",
                      type_name(params[i].value.type), params[i].field, type_name(row->type));
            return false;
        }
        if (!row->repeated && params_find(params, i, params[i].field)) {
            error_set(err, VIR_ERR_INVALID_ARG, "parameter '%s' occurs multiple times",
                      params[i].field);
            return false;
        }
    }
    return true;
}

const remote_typed_param *params_find(const remote_typed_param *params, u_int n, const char *name)
{
    for (u_int i = 0; i < n; i++)
        if (strcmp(params[i].field, name) == 0)
            return &params[i];
    return NULL;
}

/* Fields --------------------------------------------------------------------------------------- */

bool params_in_range(const remote_typed_param *p, const ParamRow *row, GError **err)
{
    int64_t s;
    uint64_t u;

    if (!row->max || !integer_of(&p->value, &s, &u) || u == 0 || (u >= row->min && u <= row->max))
        return true;
    error_set(err, VIR_ERR_INVALID_ARG,
              "value of '%s' is out of range [%" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT "]",
              row->name, row->min, row->max);
    return false;
}

void params_store(const remote_typed_param *p, const ParamRow *row, void *base)
{
    void *at = (char *)base + row->off;
    int64_t s = 0;
    uint64_t u = 0;

    (void)integer_of(&p->value, &s, &u);
    switch (row->field) {
    case PARAM_NOWHERE:
        return;
    case PARAM_U32:
        *(uint32_t *)at = (uint32_t)u;
        return;
    case PARAM_U64:
        *(uint64_t *)at = u;
        return;
    case PARAM_I64:
        *(int64_t *)at = s;
        return;
    case PARAM_OPT_I32:
        *(OptI32 *)at = (OptI32){ .set = 1, .v = (int32_t)s };
        return;
    case PARAM_OPT_U64:
        *(OptU64 *)at = (OptU64){ .set = 1, .v = u };
        return;
    case PARAM_STR:
        g_free(*(char **)at);
        *(char **)at = g_strdup(p->value.u.s);
        return;
    }
    g_assert_not_reached();
}

static void add_number(ParamList *l, int type, int64_t s, uint64_t u, const char *name)
{
    switch (type) {
    case VIR_TYPED_PARAM_INT:
        params_add_int(l, (int)s, "%s", name);
        return;
    case VIR_TYPED_PARAM_UINT:
        params_add_uint(l, (unsigned)u, "%s", name);
        return;
    case VIR_TYPED_PARAM_LLONG:
        params_add_llong(l, s, "%s", name);
        return;
    default:
        params_add_ullong(l, u, "%s", name);
    }
}

void params_add_field(ParamList *l, const ParamRow *row, const void *base)
{
    const void *at = (const char *)base + row->off;
    int64_t s = 0;
    uint64_t u = 0;

    switch (row->field) {
    case PARAM_NOWHERE:
        return;
    case PARAM_U32:
        u = *(const uint32_t *)at;
        break;
    case PARAM_U64:
        u = *(const uint64_t *)at;
        break;
    case PARAM_I64:
        s = *(const int64_t *)at;
        add_number(l, row->type, s, s < 0 ? 0 : (uint64_t)s, row->name);
        return;
    case PARAM_OPT_I32:
        s = ((const OptI32 *)at)->v;
        add_number(l, row->type, s, s < 0 ? 0 : (uint64_t)s, row->name);
        return;
    case PARAM_OPT_U64:
        u = ((const OptU64 *)at)->v;
        break;
    case PARAM_STR:
        params_add_string(l, *(char *const *)at ? *(char *const *)at : "", "%s", row->name);
        return;
    }
    add_number(l, row->type, u > INT64_MAX ? INT64_MAX : (int64_t)u, u, row->name);
}

void params_add_renamed(ParamList *l, const remote_typed_param *p, const char *name, ...)
{
    va_list ap;

    va_start(ap, name);
    remote_typed_param_value *v = add(l, p->value.type, name, ap);
    va_end(ap);
    *v = p->value;
    if (v->type == VIR_TYPED_PARAM_STRING)
        v->u.s = g_strdup(p->value.u.s);
}

void params_drop_strings(ParamList *l, unsigned flags)
{
    u_int kept = 0;

    if (flags & VIR_TYPED_PARAM_STRING_OKAY)
        return;
    for (u_int i = 0; i < l->len; i++) {
        if (l->val[i].value.type == VIR_TYPED_PARAM_STRING)
            clear_one(&l->val[i]);
        else
            l->val[kept++] = l->val[i];
    }
    l->len = kept;
}
