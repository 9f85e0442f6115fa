/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Property lists for the emulator: what goes behind -device, -object, -netdev, -blockdev as JSON, and
 * into device_add and its like. The order of members is the order of the rows. A row whose value
 * is absent adds nothing, so that a device reads as a table of what it may have.
 */
#pragma once

#include "conf/domain.h"
#include "util/json.h"

typedef enum PropKind { PROP_END, PROP_STR, PROP_INT, PROP_UINT, PROP_BOOL, PROP_OBJ } PropKind;

typedef struct PropArg {
    const char *name;
    PropKind kind;
    bool skip;
    union {
        const char *s;
        int64_t i;
        uint64_t u;
        bool b;
        JsonObject *o;
    } v;
} PropArg;

static inline const char *onoff(Tristate t)
{
    return t == TRI_YES ? "on" : t == TRI_NO ? "off" : NULL;
}

/* clang-format off */
#define P_STR(n, x)    { .name = (n), .kind = PROP_STR, .v.s = (x) }                          /* NULL: nothing */
#define P_INT(n, x)    { .name = (n), .kind = PROP_INT, .v.i = (x) }
#define P_UINT(n, x)   { .name = (n), .kind = PROP_UINT, .v.u = (x) }
#define P_UINT_NZ(n, x){ .name = (n), .kind = PROP_UINT, .v.u = (x), .skip = (x) == 0 }       /* 0: nothing */
#define P_UINT_IF(n, c, x) { .name = (n), .kind = PROP_UINT, .v.u = (x), .skip = !(c) }
#define P_OPT(n, x)    { .name = (n), .kind = PROP_UINT, .v.u = (x).v, .skip = !(x).set }     /* OptU32, OptU64 */
#define P_BOOL(n, x)   { .name = (n), .kind = PROP_BOOL, .v.b = (x) }
#define P_YES(n, x)    { .name = (n), .kind = PROP_BOOL, .v.b = true, .skip = !(x) }          /* false: nothing */
#define P_TRI(n, x)    { .name = (n), .kind = PROP_BOOL, .v.b = (x) == TRI_YES, .skip = (x) == TRI_ABSENT }
#define P_ONOFF(n, x)  { .name = (n), .kind = PROP_STR, .v.s = onoff(x) }                     /* "on", "off" */
#define P_OBJ(n, x)    { .name = (n), .kind = PROP_OBJ, .v.o = (x) }                          /* takes it; NULL: nothing */
#define props_add(o, ...) props_add_((o), (const PropArg[]){ __VA_ARGS__, { .kind = PROP_END } })
#define props_new(...) props_new_((const PropArg[]){ __VA_ARGS__, { .kind = PROP_END } })
/* clang-format on */

void props_add_(JsonObject *o, const PropArg *args);
JsonObject *props_new_(const PropArg *args);
/* A new array element; takes item. */
void props_append(JsonObject *array, JsonObject *item);
/* "first,key=value,..." for emulators that take no JSON there; the value of member `first` has no key. */
char *props_text(JsonObject *o, const char *first);
/* Text for a "key=value,key=value" option: a comma is doubled. */
void props_escape(GString *out, const char *value);
