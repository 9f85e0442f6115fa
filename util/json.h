/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON on json-c: a parser with bounds, rows that read an object into a struct, and a builder.
 * json_object is json-c's own counted type; a tree belongs to one thread at a time.
 */
#pragma once

#include <glib.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct json_object JsonObject;
static inline void json_put_(JsonObject *o)
{
    json_object_put(o);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(JsonObject, json_put_)

/* What a text may cost before it is refused. nodes bounds memory: a node of two bytes in the text
 * takes some fifty in the tree. */
typedef struct JsonLimits {
    size_t bytes;
    unsigned depth;
    unsigned nodes;
} JsonLimits;
#define JSON_LIMITS_DEFAULT ((JsonLimits){ 10 * 1024 * 1024, 32, 400000 })

/* One value with nothing but white space around it. NULL limits: JSON_LIMITS_DEFAULT. A text "null"
 * is an error, so that NULL is never a value. what names the text in messages. */
JsonObject *json_parse(const char *what, const char *text, size_t len, const JsonLimits *limits, GError **err);
/* Compact text as clients expect it: no spaces, '/' not escaped. */
char *json_text(JsonObject *o);

/* Rows: one member each. */
typedef enum JsonKind {
    JSON_KIND_BOOL,   /* bool */
    JSON_KIND_I64,    /* int64_t */
    JSON_KIND_U64,    /* uint64_t */
    JSON_KIND_UINT,   /* unsigned */
    JSON_KIND_DOUBLE, /* double; integers are accepted */
    JSON_KIND_STRING, /* char *, owned */
    JSON_KIND_OBJECT, /* JsonObject *, owned reference to an object */
    JSON_KIND_ARRAY,  /* JsonObject *, owned reference to an array */
    JSON_KIND_ANY,    /* JsonObject *, owned reference */
    JSON_KIND_ENUM,   /* int; arg is an EnumTable; an unknown name is an error unless OPTIONAL */
} JsonKind;

enum { JSON_OPTIONAL = 0, JSON_REQUIRED = 1 };

typedef struct JsonRow {
    const char *name; /* "status"; "inserted/file": member of a member */
    JsonKind kind;
    size_t off;
    unsigned flags;
    const void *arg;
} JsonRow;

/* The field's type is checked by the compiler. */
#define JSON_OFF_(S, field, type) (offsetof(S, field) + 0 * sizeof((type *)0 == &((S *)0)->field))
/* clang-format off */
#define JSON_BOOL(S, field, name, flags)   { name, JSON_KIND_BOOL,   JSON_OFF_(S, field, bool),         flags, NULL }
#define JSON_I64(S, field, name, flags)    { name, JSON_KIND_I64,    JSON_OFF_(S, field, int64_t),      flags, NULL }
#define JSON_U64(S, field, name, flags)    { name, JSON_KIND_U64,    JSON_OFF_(S, field, uint64_t),     flags, NULL }
#define JSON_UINT(S, field, name, flags)   { name, JSON_KIND_UINT,   JSON_OFF_(S, field, unsigned),     flags, NULL }
#define JSON_DOUBLE(S, field, name, flags) { name, JSON_KIND_DOUBLE, JSON_OFF_(S, field, double),       flags, NULL }
#define JSON_STR(S, field, name, flags)    { name, JSON_KIND_STRING, JSON_OFF_(S, field, char *),       flags, NULL }
#define JSON_OBJ(S, field, name, flags)    { name, JSON_KIND_OBJECT, JSON_OFF_(S, field, JsonObject *), flags, NULL }
#define JSON_ARR(S, field, name, flags)    { name, JSON_KIND_ARRAY,  JSON_OFF_(S, field, JsonObject *), flags, NULL }
#define JSON_ANY(S, field, name, flags)    { name, JSON_KIND_ANY,    JSON_OFF_(S, field, JsonObject *), flags, NULL }
#define JSON_ENUM(S, field, name, table, flags) { name, JSON_KIND_ENUM, JSON_OFF_(S, field, int), flags, table }
/* clang-format on */

/* Fills *out, which the caller has set to defaults (owned fields NULL). A member of the wrong type,
 * out of range, or missing though required is an error that carries its path: "reply of
 * query-status: 'running' is not a boolean". An optional member that is absent or null leaves its
 * field. On failure owned fields that were set are freed again. */
bool json_read(JsonObject *o, const char *what, const JsonRow *rows, size_t n, void *out, GError **err);
/* Frees owned fields and sets them to NULL. */
void json_rows_clear(const JsonRow *rows, size_t n, void *out);

/* Member at "a/b/c", borrowed; NULL when absent, null, or a step is not an object. */
JsonObject *json_get(JsonObject *o, const char *path);
/* The same for one type; NULL or fallback when absent or of another type. Strings with a NUL inside
 * count as absent. */
const char *json_get_str(JsonObject *o, const char *path);
bool json_get_bool(JsonObject *o, const char *path, bool fallback);
int64_t json_get_i64(JsonObject *o, const char *path, int64_t fallback);
/* 0 when it is no array. */
size_t json_len(JsonObject *array);

/* Builder: json_make(J_STR("id", id), J_INT("size", 3)). Members with a NULL string or object are
 * left out; J_OBJ takes its reference. Names must outlive nothing: they are copied. */
typedef struct JsonArg {
    const char *name;
    enum { JSON_ARG_STR, JSON_ARG_INT, JSON_ARG_UINT, JSON_ARG_BOOL, JSON_ARG_DOUBLE, JSON_ARG_OBJ } kind;
    union {
        const char *s;
        int64_t i;
        uint64_t u;
        bool b;
        double d;
        JsonObject *o;
    } v;
} JsonArg;
/* clang-format off */
#define J_STR(n, x)    { .name = (n), .kind = JSON_ARG_STR,    .v.s = (x) }
#define J_INT(n, x)    { .name = (n), .kind = JSON_ARG_INT,    .v.i = (x) }
#define J_UINT(n, x)   { .name = (n), .kind = JSON_ARG_UINT,   .v.u = (x) }
#define J_BOOL(n, x)   { .name = (n), .kind = JSON_ARG_BOOL,   .v.b = (x) }
#define J_DOUBLE(n, x) { .name = (n), .kind = JSON_ARG_DOUBLE, .v.d = (x) }
#define J_OBJ(n, x)    { .name = (n), .kind = JSON_ARG_OBJ,    .v.o = (x) }
#define json_make(...) json_make_((const JsonArg[]){ __VA_ARGS__, { .name = NULL } })
/* clang-format on */
JsonObject *json_make_(const JsonArg *args);
