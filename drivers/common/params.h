/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Typed parameters: lists that a handler answers with, and checked reading of lists that a client
 * sent. Any thread; a list belongs to one.
 */
#pragma once

#include <glib.h>

#include "conf/types.h"
#include "protocols/remote_types.h"

/* Answers -------------------------------------------------------------------------------------- */

typedef struct ParamList {
    remote_typed_param *val; /* as the generated answers have it: owned, names and strings too */
    u_int len, room;
} ParamList;

/* Each adds one parameter; the name is a format, for names with numbers in them. Strings are copied;
 * a NULL string adds nothing. */
void params_add_int(ParamList *l, int v, const char *name, ...) G_GNUC_PRINTF(3, 4);
void params_add_uint(ParamList *l, unsigned v, const char *name, ...) G_GNUC_PRINTF(3, 4);
void params_add_llong(ParamList *l, int64_t v, const char *name, ...) G_GNUC_PRINTF(3, 4);
void params_add_ullong(ParamList *l, uint64_t v, const char *name, ...) G_GNUC_PRINTF(3, 4);
void params_add_double(ParamList *l, double v, const char *name, ...) G_GNUC_PRINTF(3, 4);
void params_add_bool(ParamList *l, bool v, const char *name, ...) G_GNUC_PRINTF(3, 4);
void params_add_string(ParamList *l, const char *v, const char *name, ...) G_GNUC_PRINTF(3, 4);

void params_clear(ParamList *l);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ParamList, params_clear)

/* Moves the list into FIELD, the `params` member of a generated answer; the list is empty then. */
#define params_give(l, field)                                                                      \
    do {                                                                                           \
        (field)->params_len = (l)->len;                                                            \
        (field)->params_val = g_steal_pointer(&(l)->val);                                          \
        (l)->len = (l)->room = 0;                                                                  \
    } while (0)

/* A copy of p under another name. */
void params_add_renamed(ParamList *l, const remote_typed_param *p, const char *name, ...)
    G_GNUC_PRINTF(3, 4);
/* For clients that do not know strings (the flag VIR_TYPED_PARAM_STRING_OKAY is not set). */
void params_drop_strings(ParamList *l, unsigned flags);

/* Drops what is more than the client has room for. */
void params_cut(ParamList *l, u_int most);

/* Requests ------------------------------------------------------------------------------------- */

/* What the C type of the field is that keeps a parameter's value. */
typedef enum ParamField {
    PARAM_NOWHERE,
    PARAM_U32,
    PARAM_U64,
    PARAM_I64,
    PARAM_OPT_I32,
    PARAM_OPT_U64, /* OptI32, OptU64 of conf/types.h */
    PARAM_STR,
} ParamField;

typedef struct ParamRow {
    const char *name;
    int type;      /* VIR_TYPED_PARAM_* */
    bool repeated; /* may stand more than once */
    /* For parameters that are fields of a structure; a family that needs to know more has its own number. */
    ParamField field;
    size_t off;
    uint64_t min, max; /* of a value above 0; max 0: any */
    int own;
} ParamRow;

/* Do the N parameters have names and types that ROWS know, each once? *err names the one that does not.
 * Bindings send numbers with the type that they guess: a number whose value fits is converted in place. */
bool params_check(remote_typed_param *params, u_int n, const ParamRow *rows, size_t n_rows,
                  GError **err);

/* NULL: none of that name. */
const ParamRow *params_row(const ParamRow *rows, size_t n_rows, const char *name);
/* Between row's min and max, or not above 0 ("none", "leave"). */
bool params_in_range(const remote_typed_param *p, const ParamRow *row, GError **err);
/* A parameter that params_check() has seen into its field below base, and back. */
void params_store(const remote_typed_param *p, const ParamRow *row, void *base);
void params_add_field(ParamList *l, const ParamRow *row, const void *base);

/* The first of that name; NULL when there is none. */
const remote_typed_param *params_find(const remote_typed_param *params, u_int n, const char *name);
