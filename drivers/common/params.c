/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Typed parameters (params.h). */
#include "drivers/common/params.h"

#include <string.h>

#include "util/api.h"
#include "util/error.h"

static const char *const type_names[] = {
    [VIR_TYPED_PARAM_INT] = "int",       [VIR_TYPED_PARAM_UINT] = "uint",       [VIR_TYPED_PARAM_LLONG] = "llong",
    [VIR_TYPED_PARAM_ULLONG] = "ullong", [VIR_TYPED_PARAM_DOUBLE] = "double",   [VIR_TYPED_PARAM_BOOLEAN] = "boolean",
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
    *p = (remote_typed_param){ .field = g_strdup_vprintf(name, ap), .value = { .type = type } };
    return &p->value;
}

#define ADD(suffix, ctype, TYPE, member)                                                            \
    void params_add_##suffix(ParamList *l, ctype v, const char *name, ...)                          \
    {                                                                                               \
        va_list ap;                                                                                 \
        va_start(ap, name);                                                                         \
        add(l, VIR_TYPED_PARAM_##TYPE, name, ap)->u.member = v;                                     \
        va_end(ap);                                                                                 \
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

bool params_only_count(ParamList *l, int asked)
{
    if (asked <= 0)
        return true;
    while (l->len > (u_int)asked)
        clear_one(&l->val[--l->len]);
    return false;
}

/* Requests ------------------------------------------------------------------------------------- */

/* Both numbers of any integer type: its value as the widest of its sign. */
static bool integer_of(const remote_typed_param_value *v, int64_t *s, uint64_t *u)
{
    switch (v->type) {
    case VIR_TYPED_PARAM_INT: *s = v->u.i; break;
    case VIR_TYPED_PARAM_UINT: *s = v->u.ui; break;
    case VIR_TYPED_PARAM_LLONG: *s = v->u.l; break;
    case VIR_TYPED_PARAM_ULLONG:
        *u = v->u.ul;
        *s = v->u.ul > INT64_MAX ? INT64_MAX : (int64_t)v->u.ul;
        return true;
    case VIR_TYPED_PARAM_BOOLEAN: *s = v->u.b != 0; break;
    default: return false;
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

bool params_check(remote_typed_param *params, u_int n, const ParamRow *rows, size_t n_rows, GError **err)
{
    for (u_int i = 0; i < n; i++) {
        size_t row = 0;

        while (row < n_rows && strcmp(params[i].field, rows[row].name) != 0)
            row++;
        if (row == n_rows) {
            error_set(err, VIR_ERR_INVALID_ARG, "parameter '%s' not supported", params[i].field);
            return false;
        }
        if (!convert(&params[i].value, rows[row].type)) {
            error_set(err, VIR_ERR_INVALID_ARG, "invalid type '%s' for parameter '%s', expected '%s'",
                      type_name(params[i].value.type), params[i].field, type_name(rows[row].type));
            return false;
        }
        if (!rows[row].repeated && params_find(params, i, params[i].field)) {
            error_set(err, VIR_ERR_INVALID_ARG, "parameter '%s' occurs multiple times", params[i].field);
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
