/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One description per structure: a ConfDesc is an array of ConfField rows, and parse, format, clear,
 * copy, compare and the coverage test are one walk over the rows each. A row says where a field is
 * in the struct (offset, checked type) and where it is in the document (path).
 *
 * Paths are relative to the element of the struct: "@model", "driver/@cache", "serial/text()",
 * "acpi" (an element), "name()" (the element's own name, for lists of any element). A NULL path
 * keeps the field out of documents. Consecutive rows below the same element share that element, so
 * the order of rows is the order of the document; attribute rows of an element come before
 * its text and its children.
 */
#pragma once

#include <libxml/tree.h>
#include <stddef.h>
#include <string.h>

#include "conf/device.h"
#include "util/xml.h"

typedef enum ConfKind {
    CK_SCALAR,   /* type */
    CK_STRUCT,   /* arg: ConfDesc; embedded struct, flattened below path ("" = same element) */
    CK_OPTIONAL, /* arg: ConfDesc; pointer to struct, there when the element is */
    CK_LIST,     /* arg: ConfDesc; GPtrArray of structs, one element each; last name "*": any */
    CK_UNION,    /* arg: ConfArm[], ends with desc NULL; chosen by the enum at tag_off */
    CK_DEVICES,  /* GPtrArray of Device, all elements below path that name a device kind */
    CK_RAW,      /* char *: the element with all below it, as it came */
    CK_CUSTOM,   /* arg: ConfCustom; type says how the field is kept (NULL: no field) */
    CK_PAD,      /* bytes that are always zero */
} ConfKind;

enum { /* ConfField.flags */
    CF_REQUIRED = 1 << 0,
    CF_IF_ELEMENT = 1 << 16, /* with CF_REQUIRED: only when the element of the attribute is there */
    CF_ABI = 1 << 1,        /* the guest can see it */
    CF_LIVE = 1 << 2,       /* of running guests: not in inactive documents, not read from clients */
    CF_SECRET = 1 << 3,     /* only in secure documents */
    CF_NO_MIGRATE = 1 << 4, /* not in migratable documents */
    CF_ALWAYS = 1 << 5,     /* written even when zero */
    CF_VIEW = 1 << 6,       /* another row owns the field: parse and format only */
    CF_NO_COMPARE = 1 << 7,
    CF_READ_ONLY = 1 << 8,  /* read, never written: an older spelling */
    CF_WRITE_ONLY = 1 << 9,
    CF_NOT_EMPTY = 1 << 10, /* an empty string is an error */
    CF_USER_ALIAS = 1 << 11, /* live unless it begins with "ua-" */
    CF_CONTAINER = 1 << 12, /* list: containing element is written even when the list is empty */
    CF_SKIP_EMPTY = 1 << 13, /* optional: an element that says nothing is absent */
    CF_STATUS = 1 << 14,    /* only in our own status files */
    CF_ONLY_KNOWN = 1 << 17, /* list of any element: names that its name() row lacks are left alone */
    CF_LIVE_INPUT = 1 << 18, /* read from documents of running guests only, hidden when an inactive document is asked for */
    CF_ONE_PER_NAMESPACE = 1 << 19, /* raw: children without a namespace, or with one that came before, are dropped */
    CF_ONCE = 1 << 21,      /* a second element of this name is an error; otherwise the first one counts */
    CF_UNSUPPORTED = 1 << 22, /* a word that is not known is no mistake, but unsupported configuration */
    CF_UNITS = 1 << 20,     /* the unit stands in @units instead of @unit */
    CF_EMPTY_IS_NONE = 1 << 23, /* an attribute that is empty is not there */
    CF_ON_IF_PRESENT = 1 << 15, /* the element without the attribute means the second word */
};

typedef struct ConfField ConfField;
typedef struct ConfDesc ConfDesc;
typedef struct ConfParser ConfParser;
typedef struct ConfFormatter ConfFormatter;

/* How one value is kept and written. row and base (the struct) are for types that depend on
 * another field or on row->arg. */
typedef struct ConfType {
    const char *name;
    size_t size;
    bool with_unit; /* value has an @unit beside it */
    bool (*parse)(const ConfField *row, const char *text, const char *unit, void *v,
                  const void *base, GError **err);
    bool (*present)(const ConfField *row, const void *v);
    void (*format)(const ConfField *row, const void *v, const void *base, GString *out);
    const char *(*unit)(const ConfField *row, const void *v);
    /* NULL: plain bytes */
    void (*clear)(void *v);
    void (*copy)(void *dst, const void *src);
    bool (*equal)(const void *a, const void *b);
} ConfType;

typedef struct ConfCustom {
    /* el: the element that path names, NULL when it is not there */
    bool (*parse)(ConfParser *p, const ConfField *row, xmlNode *el, void *base, GError **err);
    void (*format)(ConfFormatter *f, const ConfField *row, const void *base);
    /* For the schema: what it reads below its element, "@name", "name/@attr", "text()", "name/+" (may be
     * repeated), "name/..." (holds anything), "*:" (elements of other namespaces), ends with NULL; and a description whose rows it
     * reads. With neither the schema lets anything pass there. */
    const char *const *reads;
    const ConfDesc *desc;
} ConfCustom;
#define CONF_READS(...) ((const char *const[]){ __VA_ARGS__, NULL })

typedef struct ConfArm {
    unsigned tag;
    const ConfDesc *desc;
} ConfArm;

struct ConfField {
    ConfKind kind;
    uint32_t flags;
    const char *path;
    uint32_t off, size;
    uint32_t tag_off;
    uint32_t when_off;      /* with when != 0: the row counts only if bit [enum value] is set */
    uint64_t when;
    const ConfType *type;
    const void *arg;
    const char *field, *doc;
};

typedef struct ConfStep { /* a path, split once */
    const char *names[4];
    uint8_t n;     /* elements before the leaf */
    uint8_t leaf;  /* ConfLeaf */
    bool quiet;    /* writes nothing while all bytes of the field are zero */
    uint8_t skip;  /* so many rows behind this one have nothing to read, either, without its element */
    const char *attr;
} ConfStep;

typedef enum ConfLeaf { LEAF_HIDDEN, LEAF_ELEMENT, LEAF_ATTR, LEAF_TEXT, LEAF_NAME } ConfLeaf;

struct ConfDesc {
    const char *name;
    size_t size;
    const ConfField *rows;
    unsigned n_rows;
    ConfStep *steps;        /* one per row, filled at first use */
    int *ready;
    /* After the rows of one element were read: what rows cannot say. May be NULL. */
    bool (*parsed)(ConfParser *p, xmlNode *el, void *v, GError **err);
    /* Of a list's items: this one says nothing here, and is left out. May be NULL. */
    bool (*says_nothing)(bool inactive, const void *v);
    /* Clients see another one: a shallow copy (g_free); NULL: they see v itself. May be NULL. */
    void *(*face)(const void *v);
};

/* ---- rows; T is the struct, f the member (may be nested: info.alias) ---- */
/* clang-format off */
#define CONF_TYPED(T, f, X) \
    (uint32_t)(offsetof(T, f) + 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((T *)0)->f), X) ? 1 : -1]))
#define CONF_SIZED(T, f, n) (uint32_t)(offsetof(T, f) + 0 * sizeof(char[sizeof(((T *)0)->f) == (n) ? 1 : -1]))
#define CONF_ROW_(k, T, f, off_, path_, flags_, doc_, ...) \
    { .kind = k, .flags = flags_, .path = path_, .off = off_, .size = sizeof(((T *)0)->f), .field = #f, .doc = doc_, __VA_ARGS__ }

#define CONF_STR(T, f, path, flags, doc, ...)   CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, char *), path, flags, doc, .type = &conf_str, ##__VA_ARGS__)
#define CONF_U32(T, f, path, flags, doc, ...)   CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, uint32_t), path, flags, doc, .type = &conf_u32, ##__VA_ARGS__)
#define CONF_U64(T, f, path, flags, doc, ...)   CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, uint64_t), path, flags, doc, .type = &conf_u64, ##__VA_ARGS__)
#define CONF_I64(T, f, path, flags, doc, ...)   CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, int64_t), path, flags, doc, .type = &conf_i64, ##__VA_ARGS__)
#define CONF_OPT32(T, f, path, flags, doc, ...) CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, OptU32), path, flags, doc, .type = &conf_opt_u32, ##__VA_ARGS__)
/* "-1" means absent */
#define CONF_OPT_OR_ANY(T, f, path, flags, doc, ...) CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, OptU32), path, flags, doc, .type = &conf_opt_or_any, ##__VA_ARGS__)
#define CONF_OPTI32(T, f, path, flags, doc, ...) CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, OptI32), path, flags, doc, .type = &conf_opt_i32, ##__VA_ARGS__)
#define CONF_OPT64(T, f, path, flags, doc, ...) CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, OptU64), path, flags, doc, .type = &conf_opt_u64, ##__VA_ARGS__)
#define CONF_UUID(T, f, path, flags, doc, ...)  CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, OptUuid), path, flags, doc, .type = &conf_uuid, ##__VA_ARGS__)
#define CONF_MAC(T, f, path, flags, doc, ...)   CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, MacAddr), path, flags, doc, .type = &conf_mac, ##__VA_ARGS__)
#define CONF_BITMAP(T, f, path, flags, doc, ...) CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, Bitmap *), path, flags, doc, .type = &conf_bitmap, ##__VA_ARGS__)
#define CONF_ENUM(T, f, path, table, flags, doc, ...) CONF_ROW_(CK_SCALAR, T, f, CONF_SIZED(T, f, 4), path, flags, doc, .type = &conf_enum, .arg = &(table), ##__VA_ARGS__)
#define CONF_ENUM_BY(T, f, path, by, flags, doc, ...) CONF_ROW_(CK_SCALAR, T, f, CONF_SIZED(T, f, 4), path, flags, doc, .type = &conf_enum_by, .arg = &(by), ##__VA_ARGS__)
#define CONF_ONOFF(T, f, path, flags, doc, ...) CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, Tristate), path, flags, doc, .type = &conf_enum, .arg = &tri_onoff_names, ##__VA_ARGS__)
#define CONF_YESNO(T, f, path, flags, doc, ...) CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, Tristate), path, flags, doc, .type = &conf_enum, .arg = &tri_yesno_names, ##__VA_ARGS__)
/* <name/>: the flag is set when the element is there */
#define CONF_FLAG(T, f, path, flags, doc, ...)  CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, Flag), path, flags, doc, .type = &conf_flag, ##__VA_ARGS__)
/* Flag as an attribute: yes/no, written when set */
#define CONF_YESFLAG(T, f, path, flags, doc, ...) CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, Flag), path, flags, doc, .type = &conf_yesflag, ##__VA_ARGS__)
/* Tristate as an element: <hap/> or <hap state='on|off'/> */
#define CONF_STATE(T, f, path, flags, doc, ...) CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, Tristate), path "/@state", (flags) | CF_ON_IF_PRESENT, doc, .type = &conf_enum, .arg = &tri_onoff_names, ##__VA_ARGS__)
/* Sizes with a unit: field in KiB or bytes, see the ConfSize */
#define CONF_SIZE(T, f, path, how, flags, doc, ...) CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, uint64_t), path, flags, doc, .type = &conf_size, .arg = &(how), ##__VA_ARGS__)
#define CONF_OPTSIZE(T, f, path, how, flags, doc, ...) CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, OptU64), path, flags, doc, .type = &conf_opt_size, .arg = &(how), ##__VA_ARGS__)
/* written with the largest unit that divides it; field in bytes */
#define CONF_PRETTY(T, f, path, how, flags, doc, ...) CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, OptU64), path, flags, doc, .type = &conf_opt_pretty, .arg = &(how), ##__VA_ARGS__)
#define CONF_PRETTY64(T, f, path, how, flags, doc, ...) CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, uint64_t), path, flags, doc, .type = &conf_pretty, .arg = &(how), ##__VA_ARGS__)
#define CONF_NUM(n) .arg = &(n) /* how a number is written: a ConfNum */

#define CONF_STRUCT(T, f, path, desc_, flags, doc, ...)   CONF_ROW_(CK_STRUCT, T, f, (uint32_t)offsetof(T, f), path, flags, doc, .arg = &(desc_), ##__VA_ARGS__)
#define CONF_OPTIONAL(T, f, path, desc_, flags, doc, ...) CONF_ROW_(CK_OPTIONAL, T, f, CONF_SIZED(T, f, sizeof(void *)), path, flags, doc, .arg = &(desc_), ##__VA_ARGS__)
#define CONF_LIST(T, f, path, desc_, flags, doc, ...)     CONF_ROW_(CK_LIST, T, f, CONF_TYPED(T, f, GPtrArray *), path, flags, doc, .arg = &(desc_), ##__VA_ARGS__)
#define CONF_UNION(T, f, path, tag, arms, flags, doc, ...) CONF_ROW_(CK_UNION, T, f, (uint32_t)offsetof(T, f), path, flags, doc, .arg = (arms), .tag_off = (uint32_t)offsetof(T, tag), ##__VA_ARGS__)
#define CONF_DEVICES(T, f, path, flags, doc)              CONF_ROW_(CK_DEVICES, T, f, CONF_TYPED(T, f, GPtrArray *), path, flags, doc, .arg = NULL)
#define CONF_RAW(T, f, path, flags, doc)                  CONF_ROW_(CK_RAW, T, f, CONF_TYPED(T, f, char *), path, flags, doc, .type = &conf_str)
/* custom document form of a field that type_ keeps */
#define CONF_CUSTOM(T, f, path, fns, type_, flags, doc, ...) CONF_ROW_(CK_CUSTOM, T, f, (uint32_t)offsetof(T, f), path, flags, doc, .arg = &(fns), .type = type_, ##__VA_ARGS__)
/* custom document form of fields that other rows keep */
#define CONF_CUSTOM_VIEW(fns, path_, doc_, ...) { .kind = CK_CUSTOM, .flags = CF_VIEW, .path = path_, .arg = &(fns), .field = "", .doc = doc_, ##__VA_ARGS__ }
/* a word that is always written and may only be this word */
#define CONF_CONST(path_, word, ...) { .kind = CK_SCALAR, .flags = CF_VIEW | CF_ALWAYS, .path = path_, .type = &conf_const, .arg = (word), .field = "", .doc = "always " word, ##__VA_ARGS__ }
/* the same, and it must be there when its element is */
#define CONF_CONST_REQUIRED(path_, word, ...) { .kind = CK_SCALAR, .flags = CF_VIEW | CF_ALWAYS | CF_REQUIRED | CF_IF_ELEMENT, .path = path_, .type = &conf_const, .arg = (word), .field = "", .doc = "always " word, ##__VA_ARGS__ }
/* other releases write or allow it here and do nothing with it: read, not kept */
#define CONF_UNUSED(path_, doc_, ...) { .kind = CK_SCALAR, .flags = CF_VIEW | CF_READ_ONLY, .path = path_, .type = &conf_unused, .field = "", .doc = doc_, ##__VA_ARGS__ }
/* not in documents: kept, copied and (unless CF_NO_COMPARE) compared as bytes */
#define CONF_HIDDEN(T, f, flags) CONF_ROW_(CK_SCALAR, T, f, (uint32_t)offsetof(T, f), NULL, flags, "", .type = &conf_bytes)
#define CONF_PAD(T, f)           CONF_ROW_(CK_PAD, T, f, (uint32_t)offsetof(T, f), NULL, 0, "", .type = NULL)

/* The row counts only while the enum member tag has one of the values in mask (ANY_OF). */
#define WHEN(T, tag, mask) .when_off = (uint32_t)offsetof(T, tag), .when = (mask)
#define BIT(v) (UINT64_C(1) << (v))

#define CONF_DESC(var, T, rows_, ...)                                              \
    static ConfStep var##_steps_[G_N_ELEMENTS(rows_)];                             \
    static int var##_ready_;                                                       \
    const ConfDesc var = { .name = #T, .size = sizeof(T), .rows = rows_,           \
        .n_rows = G_N_ELEMENTS(rows_), .steps = var##_steps_, .ready = &var##_ready_, ##__VA_ARGS__ }
/* clang-format on */

/* ---- scalar types (scalar.c) ---- */
extern const ConfType conf_unused, conf_str, conf_u32, conf_u64, conf_i64, conf_opt_u32, conf_opt_i32,
    conf_opt_u64, conf_uuid, conf_mac, conf_bitmap, conf_enum, conf_enum_by, conf_flag,
    conf_yesflag, conf_size, conf_opt_size, conf_bytes, conf_const, conf_opt_pretty, conf_pretty,
    conf_opt_or_any;

typedef struct ConfNum {
    int base;        /* 10; 16 without prefix; 0: as the prefix says */
    const char *fmt; /* for uint64_t */
    uint64_t min, max; /* max 0: of the type */
} ConfNum;
extern const ConfNum num_any, num_hex, num_hex2, num_hex4, num_hex8, num_hex_short, num_u16,
    num_positive, num_octal;

typedef struct ConfSize {
    uint64_t default_unit; /* when @unit is missing */
    unsigned shift;        /* field counts 1 << shift bytes */
    const char *unit;      /* as written, "KiB" for shift 10 */
} ConfSize;
extern const ConfSize size_kib, size_bytes, size_mib_in_bytes;

/* An enum whose words depend on the struct around it. */
typedef struct ConfEnumBy {
    const EnumTable *table;                                /* value → word */
    int (*find)(const void *base, const char *word);       /* -1: not allowed here */
    const char *what;
    const char *also;                                      /* another word that find() knows, or NULL */
} ConfEnumBy;

/* ---- the engine ---- */
const ConfStep *conf_step(const ConfDesc *d, unsigned row);
static inline const char *conf_unit_attr(const ConfField *r) { return r->flags & CF_UNITS ? "units" : "unit"; }

struct ConfParser {
    unsigned flags;         /* DOMAIN_PARSE_* */
    const void *root;       /* the outermost struct, for custom rows */
    const ConfDesc *desc;   /* of the outermost element */
    unsigned depth;
    GPtrArray *problems;    /* strict mode: all of them, else NULL */
};

/* Parse an element into a zeroed struct. On failure the struct holds what was read so far and is to
 * be cleared by the caller. */
bool conf_parse(ConfParser *p, const ConfDesc *d, xmlNode *el, void *v, GError **err);
/* After everything: in strict mode, names that were not read are refused. */
bool conf_check_unread(ConfParser *p, xmlNode *root, GError **err);
void conf_mark(xmlNode *n);
void conf_mark_attrs(xmlNode *n);
void conf_mark_tree(xmlNode *n);
/* Error at a place: attr may be NULL. */
void conf_error_at(GError **err, int code, const xmlNode *n, const char *attr, const char *fmt, ...)
    G_GNUC_PRINTF(5, 6);
/* False with *err when the document is one of something else. */
bool conf_check_root(const xmlNode *root, const char *name, GError **err);
/* Prefix "line N: path/@attr: " to *err. */
void conf_prefix_at(GError **err, const xmlNode *n, const char *attr);

struct ConfFormatter {
    XmlWriter w;
    unsigned flags; /* DOMAIN_FORMAT_* */
    bool inactive_asked; /* by the caller, not for want of an id */
    const void *root;
    const char *open[16]; /* elements opened below the current struct's element */
    unsigned n_open;
    const char *prefix[16];
    unsigned n_prefix;
    GString *tmp;
    /* NULL, or: what to write instead of a device (storage has room for any kind) */
    const void *(*substitute)(ConfFormatter *f, const void *dev);
    void *substitute_data;
    bool failed; /* a row order that cannot be written: an error of the table */
};
/* Rows of v into the element that is open. */
void conf_format(ConfFormatter *f, const ConfDesc *d, const void *v);
/* v as an element of its own. */
void conf_format_element(ConfFormatter *f, const ConfDesc *d, const void *v, const char *name);
/* Position the writer inside the element that the row's path names (for custom rows). */
void conf_format_at(ConfFormatter *f, const char *const *names, unsigned n);
void conf_format_close(ConfFormatter *f); /* back to the struct's element */

static inline bool conf_row_applies(const ConfField *r, const void *base)
{
    if (!r->when)
        return true;
    uint32_t v = *(const uint32_t *)((const char *)base + r->when_off);
    return v < 64 && (r->when >> v & 1);
}
const ConfDesc *conf_arm(const ConfField *r, const void *base);
static inline bool conf_is_zero(const void *v, size_t n)
{
    const char *p = v;
    return !n || (!*p && !memcmp(p, p + 1, n - 1));
}

void conf_clear(const ConfDesc *d, void *v);
void conf_free(const ConfDesc *d, void *v);
void conf_copy(const ConfDesc *d, void *dst, const void *src); /* dst zeroed */
void *conf_dup(const ConfDesc *d, const void *src);
/* Rows with any of the flags in only (0: all). *ret_path gets the first difference. */
bool conf_equal(const ConfDesc *d, const void *a, const void *b, unsigned only, char **ret_path);
/* Does all that 'like' says (what is not absent in it) hold of 'have'? */
bool conf_says(const ConfDesc *d, const void *like, const void *have);
/* Rows cover every byte exactly once, in any order. Text of the first problem, NULL: fine. */
char *conf_check_desc(const ConfDesc *d);
