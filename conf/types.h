/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The vocabulary of definition structs. Conventions that hold in every conf/domain*.h:
 *
 *  - All-zero bytes are a valid, empty definition; "absent" is always the zero value. An enum whose
 *    word may be missing has a zero member named ..._NONE or ..._DEFAULT.
 *  - A number for which 0 means something is an OptU32/OptU64 ({ set, v }); any other number is
 *    absent when 0.
 *  - char * is NULL when absent and owned. GPtrArray * may be NULL (empty); elements are owned
 *    structs of the type named in the comment. Use list_len()/list_at().
 *  - There are no pointers from one part of a definition into another: references are names and
 *    indices. A copy is therefore just a copy.
 *  - Structs are laid out without hidden padding (-Wpadded is an error between the macros below),
 *    so that "the rows cover every byte" is an exact test.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/bitmap.h"
#include "util/enum.h"
#include "util/uuid.h"

#define CONF_STRUCTS_BEGIN                                                                         \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic error \"-Wpadded\"")
#define CONF_STRUCTS_END _Pragma("GCC diagnostic pop")

typedef uint32_t Flag; /* 0 or 1 */

typedef enum Tristate { TRI_ABSENT, TRI_YES, TRI_NO } Tristate;
extern const EnumTable tri_onoff_names; /* "default", "on", "off" */
extern const EnumTable tri_yesno_names; /* "default", "yes", "no" */
static inline bool tri_is_yes(Tristate t) { return t == TRI_YES; }

CONF_STRUCTS_BEGIN

typedef struct OptU32 {
    Flag set;
    uint32_t v;
} OptU32;

typedef struct OptI32 {
    Flag set;
    int32_t v;
} OptI32;

typedef struct OptU64 {
    uint64_t v;
    Flag set;
    Flag _pad;
} OptU64;

typedef struct OptUuid {
    Uuid v;
    Flag set;
} OptUuid;

typedef struct MacAddr {
    uint8_t b[6];
    uint8_t set;
    uint8_t _pad;
} MacAddr;

/* <x><name>text</name></x> lists and <arg value='…'/> lists alike. */
typedef struct StrItem {
    char *s;
} StrItem;

CONF_STRUCTS_END

static inline unsigned list_len(const GPtrArray *a) { return a ? a->len : 0; }
static inline void *list_at(const GPtrArray *a, unsigned i) { return a->pdata[i]; }

/* for (LIST_EACH(NetIp, ip, net->ips)) … */
#define LIST_EACH(T, var, list)                                                                    \
    unsigned var##_i = 0, var##_once = 0; var##_i < list_len(list); var##_i++, var##_once = 0)      \
        for (T *var = list_at(list, var##_i); !var##_once; var##_once = 1
