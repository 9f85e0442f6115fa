/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Property lists (props.h): a walk over the rows, nothing else. Pure; any thread, one tree per
 * thread.
 */
#include "drivers/qemu/props.h"

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
