/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bounded JSON. json-c is a good parser without a budget: a few megabytes of "[[],[],…" become
 * hundreds of megabytes of tree. So a text is scanned once before it is parsed, which costs little
 * and counts what the tree will hold; depth is enforced in the same scan. Everything here treats the
 * text as hostile: strings with a NUL inside are refused where a C string is wanted, numbers are
 * range-checked, and no value is converted from one type to another except integer to double.
 * Any thread; a tree belongs to one thread at a time.
 */
#include "util/json.h"

#include <limits.h>
#include <string.h>

#include "util/enum.h"
#include "util/error.h"

static bool json_scan(const char *what, const char *text, size_t len, const JsonLimits *lim, GError **err)
{
    unsigned depth = 0;
    size_t nodes = 1;
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
            continue;
        }
        switch (c) {
        case '"':
            in_string = true;
            break;
        case '[':
        case '{':
            if (++depth > lim->depth) {
                error_set(err, VIR_ERR_INTERNAL_ERROR, "%s is nested deeper than %u levels", what, lim->depth);
                return false;
            }
            nodes++;
            break;
        case ']':
        case '}':
            if (depth > 0)
                depth--;
            break;
        case ',':
        case ':':
            nodes++;
            break;
        case '\0':
            error_set(err, VIR_ERR_INTERNAL_ERROR, "%s has a NUL byte at offset %zu", what, i);
            return false;
        case '\'': /* json-c would take it as a quote, and this scan would be blind inside */
            error_set(err, VIR_ERR_INTERNAL_ERROR, "%s is not valid JSON: single quote at offset %zu", what, i);
            return false;
        default:
            break;
        }
    }
    if (nodes > lim->nodes) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "%s has more than %u values", what, lim->nodes);
        return false;
    }
    return true;
}

static bool only_space(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \t\r\n", s[i]))
            return false;
    return true;
}

JsonObject *json_parse(const char *what, const char *text, size_t len, const JsonLimits *limits, GError **err)
{
    JsonLimits lim = limits ? *limits : JSON_LIMITS_DEFAULT;

    if (len > lim.bytes || len >= INT_MAX) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "%s is larger than %zu bytes", what, lim.bytes);
        return NULL;
    }
    if (!json_scan(what, text, len, &lim, err))
        return NULL;

    /* json-c counts scalars as a level, too. */
    struct json_tokener *tok = json_tokener_new_ex((int)lim.depth + 2);
    if (!tok) {
        error_set(err, VIR_ERR_NO_MEMORY, "no memory to parse %s", what);
        return NULL;
    }
    json_tokener_set_flags(tok, JSON_TOKENER_VALIDATE_UTF8 | JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);

    g_autoptr(JsonObject) o = json_tokener_parse_ex(tok, text, (int)len);
    if (json_tokener_get_error(tok) == json_tokener_continue)
        /* A bare number ends only with the text; the NUL tells json-c so. */
        o = json_tokener_parse_ex(tok, "", 1);
    enum json_tokener_error e = json_tokener_get_error(tok);
    size_t end = MIN(json_tokener_get_parse_end(tok), len);
    json_tokener_free(tok);

    if (e != json_tokener_success) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "%s is not valid JSON: %s at offset %zu", what,
                  e == json_tokener_continue ? "unexpected end" : json_tokener_error_desc(e), end);
        return NULL;
    }
    if (!o) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "%s is null", what);
        return NULL;
    }
    if (end > 0 && !only_space(text + end, len - end)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "%s has text after its end at offset %zu", what, end);
        return NULL;
    }
    return g_steal_pointer(&o);
}

char *json_text(JsonObject *o)
{
    return g_strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

JsonObject *json_get(JsonObject *o, const char *path)
{
    while (o) {
        const char *slash = strchr(path, '/');
        JsonObject *next = NULL;

        if (!json_object_is_type(o, json_type_object))
            return NULL;
        if (!slash)
            return json_object_object_get_ex(o, path, &next) ? next : NULL;

        g_autofree char *name = g_strndup(path, slash - path);
        o = json_object_object_get_ex(o, name, &next) ? next : NULL;
        path = slash + 1;
    }
    return NULL;
}

static const char *c_string(JsonObject *v)
{
    if (!json_object_is_type(v, json_type_string))
        return NULL;
    const char *s = json_object_get_string(v);
    return strlen(s) == (size_t)json_object_get_string_len(v) ? s : NULL;
}

const char *json_get_str(JsonObject *o, const char *path)
{
    return c_string(json_get(o, path));
}

bool json_get_bool(JsonObject *o, const char *path, bool fallback)
{
    JsonObject *v = json_get(o, path);

    return json_object_is_type(v, json_type_boolean) ? json_object_get_boolean(v) : fallback;
}

int64_t json_get_i64(JsonObject *o, const char *path, int64_t fallback)
{
    JsonObject *v = json_get(o, path);

    return json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : fallback;
}

size_t json_len(JsonObject *array)
{
    return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

static bool wrong(const char *what, const JsonRow *r, const char *expected, GError **err)
{
    error_set(err, VIR_ERR_INTERNAL_ERROR, "%s: '%s' is not %s", what, r->name, expected);
    return false;
}

static bool read_row(JsonObject *v, const char *what, const JsonRow *r, void *field, GError **err)
{
    switch (r->kind) {
    case JSON_KIND_BOOL:
        if (!json_object_is_type(v, json_type_boolean))
            return wrong(what, r, "a boolean", err);
        *(bool *)field = json_object_get_boolean(v);
        return true;
    case JSON_KIND_I64:
        /* json-c keeps what exceeds int64 as uint64 and would clamp it here. */
        if (!json_object_is_type(v, json_type_int) ||
            (json_object_get_int64(v) == INT64_MAX && json_object_get_uint64(v) != INT64_MAX))
            return wrong(what, r, "an integer in range", err);
        *(int64_t *)field = json_object_get_int64(v);
        return true;
    case JSON_KIND_U64:
        if (!json_object_is_type(v, json_type_int) || json_object_get_int64(v) < 0)
            return wrong(what, r, "a non-negative integer", err);
        *(uint64_t *)field = json_object_get_uint64(v);
        return true;
    case JSON_KIND_UINT:
        if (!json_object_is_type(v, json_type_int) || json_object_get_int64(v) < 0 ||
            json_object_get_int64(v) > UINT_MAX)
            return wrong(what, r, "a small non-negative integer", err);
        *(unsigned *)field = (unsigned)json_object_get_int64(v);
        return true;
    case JSON_KIND_DOUBLE:
        if (!json_object_is_type(v, json_type_double) && !json_object_is_type(v, json_type_int))
            return wrong(what, r, "a number", err);
        *(double *)field = json_object_get_double(v);
        return true;
    case JSON_KIND_STRING:
        if (!c_string(v))
            return wrong(what, r, "a string", err);
        *(char **)field = g_strdup(c_string(v));
        return true;
    case JSON_KIND_OBJECT:
        if (!json_object_is_type(v, json_type_object))
            return wrong(what, r, "an object", err);
        *(JsonObject **)field = json_object_get(v);
        return true;
    case JSON_KIND_ARRAY:
        if (!json_object_is_type(v, json_type_array))
            return wrong(what, r, "an array", err);
        *(JsonObject **)field = json_object_get(v);
        return true;
    case JSON_KIND_ANY:
        *(JsonObject **)field = json_object_get(v);
        return true;
    case JSON_KIND_ENUM: {
        const char *s = c_string(v);
        int n = s ? enum_value(r->arg, s) : -1;
        if (!s)
            return wrong(what, r, "a string", err);
        if (n >= 0) {
            *(int *)field = n;
            return true;
        }
        /* A newer QEMU may know more words; only a required one must be understood. */
        if (!(r->flags & JSON_REQUIRED))
            return true;
        error_set(err, VIR_ERR_INTERNAL_ERROR, "%s: unknown %s '%s'", what, ((const EnumTable *)r->arg)->what, s);
        return false;
    }
    }
    return false;
}

bool json_read(JsonObject *o, const char *what, const JsonRow *rows, size_t n, void *out, GError **err)
{
    if (!json_object_is_type(o, json_type_object)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "%s is not an object", what);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        JsonObject *v = json_get(o, rows[i].name);
        bool ok = true;

        if (v) {
            ok = read_row(v, what, &rows[i], (char *)out + rows[i].off, err);
        } else if (rows[i].flags & JSON_REQUIRED) {
            error_set(err, VIR_ERR_INTERNAL_ERROR, "%s: '%s' is missing", what, rows[i].name);
            ok = false;
        }
        if (!ok) {
            json_rows_clear(rows, i, out);
            return false;
        }
    }
    return true;
}

void json_rows_clear(const JsonRow *rows, size_t n, void *out)
{
    for (size_t i = 0; i < n; i++) {
        void *field = (char *)out + rows[i].off;

        switch (rows[i].kind) {
        case JSON_KIND_STRING:
            g_clear_pointer((char **)field, g_free);
            break;
        case JSON_KIND_OBJECT:
        case JSON_KIND_ARRAY:
        case JSON_KIND_ANY:
            g_clear_pointer((JsonObject **)field, json_put_);
            break;
        case JSON_KIND_BOOL:
        case JSON_KIND_I64:
        case JSON_KIND_U64:
        case JSON_KIND_UINT:
        case JSON_KIND_DOUBLE:
        case JSON_KIND_ENUM:
            break;
        }
    }
}

JsonObject *json_make_(const JsonArg *args)
{
    JsonObject *o = json_object_new_object();

    for (const JsonArg *a = args; a->name; a++) {
        JsonObject *v = NULL;

        switch (a->kind) {
        case JSON_ARG_STR:
            v = a->v.s ? json_object_new_string(a->v.s) : NULL;
            break;
        case JSON_ARG_INT:
            v = json_object_new_int64(a->v.i);
            break;
        case JSON_ARG_UINT:
            v = json_object_new_uint64(a->v.u);
            break;
        case JSON_ARG_BOOL:
            v = json_object_new_boolean(a->v.b);
            break;
        case JSON_ARG_DOUBLE:
            v = json_object_new_double(a->v.d);
            break;
        case JSON_ARG_OBJ:
            v = a->v.o;
            break;
        }
        if (v)
            json_object_object_add(o, a->name, v);
    }
    return o;
}
