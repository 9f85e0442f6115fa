/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Property lists (props.h): a walk over the rows, nothing else. Pure; any thread, one tree per
 * thread.
 */
#include "drivers/qemu/props.h"

#include <string.h>

static JsonObject *prop_value(const PropArg *a)
{
    switch (a->kind) {
    case PROP_STR: return a->v.s ? json_object_new_string(a->v.s) : NULL;
    case PROP_INT: return json_object_new_int64(a->v.i);
    case PROP_UINT: return json_object_new_uint64(a->v.u);
    case PROP_BOOL: return json_object_new_boolean(a->v.b);
    case PROP_OBJ: return a->v.o;
    case PROP_END: break;
    }
    return NULL;
}

void props_add_(JsonObject *o, const PropArg *args)
{
    for (const PropArg *a = args; a->kind != PROP_END; a++) {
        if (a->skip)
            continue;
        JsonObject *v = prop_value(a);
        if (v)
            json_object_object_add(o, a->name, v);
    }
}

JsonObject *props_new_(const PropArg *args)
{
    JsonObject *o = json_object_new_object();
    props_add_(o, args);
    return o;
}

void props_append(JsonObject *array, JsonObject *item)
{
    json_object_array_add(array, item);
}

void props_escape(GString *out, const char *value)
{
    for (; *value; value++) {
        if (*value == ',')
            g_string_append_c(out, ',');
        g_string_append_c(out, *value);
    }
}

static void text_key(GString *s, const char *prefix, const char *name)
{
    g_string_append_printf(s, "%s%s%s=", s->len ? "," : "", prefix, name);
}

/* Numbers are a set, written as ranges; all else repeats the key. */
static void text_array(GString *s, const char *prefix, const char *name, JsonObject *a)
{
    size_t n = json_object_array_length(a);
    for (size_t i = 0; i < n; i++) {
        JsonObject *e = json_object_array_get_idx(a, i), *str = NULL;
        text_key(s, prefix, name);
        if (json_object_is_type(e, json_type_int)) {
            int64_t low = json_object_get_int64(e), high = low;
            while (i + 1 < n &&
                   json_object_get_int64(json_object_array_get_idx(a, i + 1)) == high + 1) {
                high++;
                i++;
            }
            g_string_append_printf(s, "%" G_GINT64_FORMAT, low);
            if (high > low)
                g_string_append_printf(s, "-%" G_GINT64_FORMAT, high);
        } else if (json_object_is_type(e, json_type_object)) {
            if (json_object_object_get_ex(e, "str", &str))
                props_escape(s, json_object_get_string(str));
        } else {
            props_escape(s, json_object_get_string(e));
        }
    }
}

static void text_members(GString *s, const char *prefix, JsonObject *o, const char *first)
{
    json_object_object_foreach(o, name, v) {
        if (first && strcmp(name, first) == 0)
            continue;
        switch (json_object_get_type(v)) {
        case json_type_boolean:
            text_key(s, prefix, name);
            g_string_append(s, json_object_get_boolean(v) ? "on" : "off");
            break;
        case json_type_array:
            text_array(s, prefix, name, v);
            break;
        case json_type_object: {
            g_autofree char *below = g_strdup_printf("%s%s.", prefix, name);
            text_members(s, below, v, NULL);
            break;
        }
        case json_type_null:
            break;
        case json_type_double:
        case json_type_int:
        case json_type_string:
            text_key(s, prefix, name);
            props_escape(s, json_object_get_string(v));
            break;
        }
    }
}

char *props_text(JsonObject *o, const char *first)
{
    GString *s = g_string_new(NULL);
    JsonObject *v;
    if (json_object_object_get_ex(o, first, &v))
        props_escape(s, json_object_get_string(v));
    text_members(s, "", o, first);
    return g_string_free(s, FALSE);
}
