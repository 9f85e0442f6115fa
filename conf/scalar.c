/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The scalar types of rows: how one value is read from text, when it counts as present, how it is
 * written, kept and compared. Errors here say only what is wrong with the text; the walk that
 * called adds line and path. Pure functions, any thread.
 */
#include "conf/domain_net.h" /* mac_* */
#include "conf/row.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "util/size.h"

#define N_ "default"
const EnumTable tri_onoff_names = { "switch", (const char *const[]){ N_, "on", "off" }, 3 };
const EnumTable tri_yesno_names = { "answer", (const char *const[]){ N_, "yes", "no" }, 3 };
#undef N_

const ConfNum num_any = { 0, "%" G_GUINT64_FORMAT, 0, 0 };
const ConfNum num_hex = { 0, "0x%" G_GINT64_MODIFIER "x", 0, 0 };
const ConfNum num_hex2 = { 0, "0x%02" G_GINT64_MODIFIER "x", 0, 0 };
const ConfNum num_hex4 = { 0, "0x%04" G_GINT64_MODIFIER "x", 0, 0 };
const ConfNum num_hex8 = { 0, "0x%08" G_GINT64_MODIFIER "x", 0, 0 };
const ConfNum num_hex_short = { 16, "%04" G_GINT64_MODIFIER "x", 0, 0xffff };
const ConfNum num_u16 = { 10, "%" G_GUINT64_FORMAT, 0, 65535 };
const ConfNum num_positive = { 10, "%" G_GUINT64_FORMAT, 1, 0 };
const ConfNum num_octal = { 8, "%" G_GINT64_MODIFIER "o", 0, 0 };
static const ConfNum num_decimal = { 10, "%" G_GUINT64_FORMAT, 0, 0 };

const ConfSize size_kib = { 1024, 10, "KiB" };
const ConfSize size_bytes = { 1, 0, "bytes" };
const ConfSize size_mib_in_bytes = { 1 << 20, 0, "bytes" };

/* ---- strings ---- */

static bool str_parse(const ConfField *row, const char *text, const char *unit, void *v,
                      const void *base, GError **err)
{
    if ((row->flags & CF_NOT_EMPTY) && !*text) {
        error_set(err, VIR_ERR_XML_ERROR, "must not be empty");
        return false;
    }
    *(char **)v = g_strdup(text);
    return true;
}

static bool ptr_present(const ConfField *row, const void *v)
{
    return *(void *const *)v != NULL;
}

static void str_format(const ConfField *row, const void *v, const void *base, GString *out)
{
    g_string_append(out, *(char *const *)v);
}

static void str_clear(void *v)
{
    g_free(*(char **)v);
    *(char **)v = NULL;
}

static void str_copy(void *dst, const void *src)
{
    *(char **)dst = g_strdup(*(char *const *)src);
}

static bool str_equal(const void *a, const void *b)
{
    return g_strcmp0(*(char *const *)a, *(char *const *)b) == 0;
}

const ConfType conf_str = { "text",     sizeof(char *), false,     str_parse, ptr_present,
                            str_format, NULL,           str_clear, str_copy,  str_equal };

/* ---- numbers ---- */

static bool number_parse(const char *text, const ConfNum *n, uint64_t type_max, uint64_t *ret,
                         GError **err)
{
    const char *s = text;
    char *end;

    if (!n)
        n = &num_decimal;
    while (g_ascii_isspace(*s))
        s++;
    errno = 0;
    uint64_t v = g_ascii_isdigit(*s) || (n->base == 16 && g_ascii_isxdigit(*s))
                     ? strtoull(s, &end, n->base)
                     : (end = NULL, 0);
    while (end && g_ascii_isspace(*end))
        end++;
    if (!end || *end) {
        error_set(err, VIR_ERR_XML_ERROR, "'%.100s' is not a number", text);
        return false;
    }
    uint64_t max = n->max ? n->max : type_max;
    if (errno || v > max || v < n->min) {
        error_set(err, VIR_ERR_XML_ERROR,
                  "%.100s is out of range (%" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT ")", text,
                  n->min, max);
        return false;
    }
    *ret = v;
    return true;
}

static bool signed_parse(const char *text, int64_t min, int64_t max, int64_t *ret, GError **err)
{
    char *end;

    errno = 0;
    int64_t v = strtoll(text, &end, 10);
    while (end != text && g_ascii_isspace(*end))
        end++;
    if (end == text || *end) {
        error_set(err, VIR_ERR_XML_ERROR, "'%.100s' is not a number", text);
        return false;
    }
    if (errno || v < min || v > max) {
        error_set(err, VIR_ERR_XML_ERROR, "%.100s is out of range", text);
        return false;
    }
    *ret = v;
    return true;
}

/* Most numbers of a document; printf() would be a tenth of all its writing. */
static void decimal(GString *out, uint64_t v)
{
    char text[20], *p = text + sizeof(text);

    do
        *--p = (char)('0' + v % 10);
    while (v /= 10);
    g_string_append_len(out, p, text + sizeof(text) - p);
}

/* The numbers of addresses, which are most of the rest: "0x%…x", or "0x%0" and how many digits at least. */
static bool hexadecimal(GString *out, const char *fmt, uint64_t v)
{
    if (!g_str_has_prefix(fmt, "0x%") || !g_str_has_suffix(fmt, "x"))
        return false;

    char text[2 + 16], *p = text + sizeof(text);
    const char *least = p - (fmt[3] == '0' ? fmt[4] - '0' : 1);

    do
        *--p = "0123456789abcdef"[v % 16];
    while ((v /= 16) || p > least);
    *--p = 'x';
    *--p = '0';
    g_string_append_len(out, p, text + sizeof(text) - p);
    return true;
}

/* The formats in ConfNum are constants. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void number_format(const ConfField *row, uint64_t v, GString *out)
{
    const ConfNum *n = row->arg ? row->arg : &num_decimal;

    if (n->fmt == num_decimal.fmt)
        decimal(out, v);
    else if (!hexadecimal(out, n->fmt, v))
        g_string_append_printf(out, n->fmt, v);
}
#pragma GCC diagnostic pop

#define NUMBER_TYPE(name_, T, MAX)                                                                 \
    static bool name_##_parse(const ConfField *row, const char *text, const char *unit, void *v,   \
                              const void *base, GError **err)                                      \
    {                                                                                              \
        uint64_t n;                                                                                \
        if (!number_parse(text, row->arg, MAX, &n, err))                                           \
            return false;                                                                          \
        *(T *)v = (T)n;                                                                            \
        return true;                                                                               \
    }                                                                                              \
    static bool name_##_present(const ConfField *row, const void *v)                               \
    {                                                                                              \
        return *(const T *)v != 0;                                                                 \
    }                                                                                              \
    static void name_##_format(const ConfField *row, const void *v, const void *base,              \
                               GString *out)                                                       \
    {                                                                                              \
        number_format(row, *(const T *)v, out);                                                    \
    }                                                                                              \
    const ConfType conf_##name_ = { #name_,        sizeof(T),       false,                         \
                                    name_##_parse, name_##_present, name_##_format }

NUMBER_TYPE(u32, uint32_t, UINT32_MAX);
NUMBER_TYPE(u64, uint64_t, UINT64_MAX);

static bool i64_parse(const ConfField *row, const char *text, const char *unit, void *v,
                      const void *base, GError **err)
{
    return signed_parse(text, INT64_MIN, INT64_MAX, v, err);
}

static bool i64_present(const ConfField *row, const void *v)
{
    return *(const int64_t *)v != 0;
}

static void i64_format(const ConfField *row, const void *v, const void *base, GString *out)
{
    g_string_append_printf(out, "%" G_GINT64_FORMAT, *(const int64_t *)v);
}

const ConfType conf_i64 = { "i64", sizeof(int64_t), false, i64_parse, i64_present, i64_format };

static bool opt_u32_parse(const ConfField *row, const char *text, const char *unit, void *v,
                          const void *base, GError **err)
{
    uint64_t n;
    if (!number_parse(text, row->arg, UINT32_MAX, &n, err))
        return false;
    *(OptU32 *)v = (OptU32){ 1, (uint32_t)n };
    return true;
}

static bool opt32_present(const ConfField *row, const void *v)
{
    return ((const OptU32 *)v)->set;
}

static void opt_u32_format(const ConfField *row, const void *v, const void *base, GString *out)
{
    number_format(row, ((const OptU32 *)v)->v, out);
}

const ConfType conf_opt_u32 = { "u32",         sizeof(OptU32), false,
                                opt_u32_parse, opt32_present,  opt_u32_format };

static bool opt_or_any_parse(const ConfField *row, const char *text, const char *unit, void *v,
                             const void *base, GError **err)
{
    if (!strcmp(text, "-1"))
        return true;
    if (!opt_u32_parse(row, text, unit, v, base, err))
        return false;
    /* The same with its sign left off. */
    if (((OptU32 *)v)->v == UINT32_MAX)
        *(OptU32 *)v = (OptU32){ 0, 0 };
    return true;
}

const ConfType conf_opt_or_any = { "u32 or -1",      sizeof(OptU32), false,
                                   opt_or_any_parse, opt32_present,  opt_u32_format };

static bool opt_i32_parse(const ConfField *row, const char *text, const char *unit, void *v,
                          const void *base, GError **err)
{
    int64_t n;
    if (!signed_parse(text, INT32_MIN, INT32_MAX, &n, err))
        return false;
    *(OptI32 *)v = (OptI32){ 1, (int32_t)n };
    return true;
}

static void opt_i32_format(const ConfField *row, const void *v, const void *base, GString *out)
{
    g_string_append_printf(out, "%d", ((const OptI32 *)v)->v);
}

const ConfType conf_opt_i32 = { "i32",         sizeof(OptI32), false,
                                opt_i32_parse, opt32_present,  opt_i32_format };

static bool opt_u64_parse(const ConfField *row, const char *text, const char *unit, void *v,
                          const void *base, GError **err)
{
    uint64_t n;
    if (!number_parse(text, row->arg, UINT64_MAX, &n, err))
        return false;
    *(OptU64 *)v = (OptU64){ n, 1, 0 };
    return true;
}

static bool opt64_present(const ConfField *row, const void *v)
{
    return ((const OptU64 *)v)->set;
}

static void opt_u64_format(const ConfField *row, const void *v, const void *base, GString *out)
{
    number_format(row, ((const OptU64 *)v)->v, out);
}

const ConfType conf_opt_u64 = { "u64",         sizeof(OptU64), false,
                                opt_u64_parse, opt64_present,  opt_u64_format };

/* ---- sizes with units ---- */

static bool scaled_parse(const ConfField *row, const char *text, const char *unit, uint64_t *ret,
                         GError **err)
{
    const ConfSize *how = row->arg;
    uint64_t n;

    return number_parse(text, NULL, UINT64_MAX, &n, err) &&
           size_scale(n, unit, how->default_unit, how->shift, ret, err);
}

static bool size_parse(const ConfField *row, const char *text, const char *unit, void *v,
                       const void *base, GError **err)
{
    return scaled_parse(row, text, unit, v, err);
}

static void size_format(const ConfField *row, const void *v, const void *base, GString *out)
{
    decimal(out, *(const uint64_t *)v);
}

static const char *size_unit_name(const ConfField *row, const void *v)
{
    return ((const ConfSize *)row->arg)->unit;
}

const ConfType conf_size = { "size",      sizeof(uint64_t), true,          size_parse,
                             u64_present, size_format,      size_unit_name };

static bool opt_size_parse(const ConfField *row, const char *text, const char *unit, void *v,
                           const void *base, GError **err)
{
    uint64_t n;
    if (!scaled_parse(row, text, unit, &n, err))
        return false;
    *(OptU64 *)v = (OptU64){ n, 1, 0 };
    return true;
}

static void opt_size_format(const ConfField *row, const void *v, const void *base, GString *out)
{
    decimal(out, ((const OptU64 *)v)->v);
}

const ConfType conf_opt_size = { "size",        sizeof(OptU64),  true,          opt_size_parse,
                                 opt64_present, opt_size_format, size_unit_name };

static unsigned pretty_power(uint64_t bytes)
{
    unsigned power = 0;
    for (; power < 6 && bytes && bytes % 1024 == 0; bytes /= 1024)
        power++;
    return power;
}

static const char *pretty_unit(const ConfField *row, const void *v)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    return units[pretty_power(((const OptU64 *)v)->v)];
}

static void pretty_format(const ConfField *row, const void *v, const void *base, GString *out)
{
    uint64_t n = ((const OptU64 *)v)->v;
    g_string_append_printf(out, "%" G_GUINT64_FORMAT, n >> 10 * pretty_power(n));
}

static const char *pretty64_unit(const ConfField *row, const void *v)
{
    const OptU64 o = { *(const uint64_t *)v, 1, 0 };
    return pretty_unit(row, &o);
}

static void pretty64_format(const ConfField *row, const void *v, const void *base, GString *out)
{
    const OptU64 o = { *(const uint64_t *)v, 1, 0 };
    pretty_format(row, &o, base, out);
}

const ConfType conf_pretty = { "size",      sizeof(uint64_t), true,         size_parse,
                               u64_present, pretty64_format,  pretty64_unit };
const ConfType conf_opt_pretty = { "size",        sizeof(OptU64), true,       opt_size_parse,
                                   opt64_present, pretty_format,  pretty_unit };

/* ---- words ---- */

static int unknown_code(const ConfField *row)
{
    return row->flags & CF_UNSUPPORTED ? VIR_ERR_CONFIG_UNSUPPORTED : VIR_ERR_XML_ERROR;
}

static void unknown_word(GError **err, int code, const EnumTable *t, const char *text)
{
    g_autoptr(GString) s = g_string_new(NULL);

    g_string_append_printf(s, "unknown value '%.100s'", text);
    const char *sep = "; expected one of ";
    for (unsigned i = 0; i < t->n; i++) {
        if (!t->names[i])
            continue;
        g_string_append_printf(s, "%s%s", sep, t->names[i]);
        sep = ", ";
    }
    const char *near = strlen(text) < 64 ? enum_nearest(t, text) : NULL;
    if (near)
        g_string_append_printf(s, "; did you mean '%s'?", near);
    error_set(err, code, "%s", s->str);
}

static bool enum_parse(const ConfField *row, const char *text, const char *unit, void *v,
                       const void *base, GError **err)
{
    const EnumTable *t = row->arg;
    int n = enum_value(t, text);

    if (n < 0) {
        unknown_word(err, unknown_code(row), t, text);
        return false;
    }
    *(uint32_t *)v = (uint32_t)n;
    return true;
}

static void enum_format(const ConfField *row, const void *v, const void *base, GString *out)
{
    const char *name = enum_name(row->arg, *(const uint32_t *)v);
    g_string_append(out, name ? name : "");
}

const ConfType conf_enum = { "word", 4, false, enum_parse, u32_present, enum_format };

static bool enum_by_parse(const ConfField *row, const char *text, const char *unit, void *v,
                          const void *base, GError **err)
{
    const ConfEnumBy *by = row->arg;
    int n = by->find(base, text);

    if (n < 0) {
        error_set(err, unknown_code(row), "unknown %s '%.100s'", by->what, text);
        return false;
    }
    *(uint32_t *)v = (uint32_t)n;
    return true;
}

static void enum_by_format(const ConfField *row, const void *v, const void *base, GString *out)
{
    const ConfEnumBy *by = row->arg;
    const char *name = enum_name(by->table, *(const uint32_t *)v);
    g_string_append(out, name ? name : "");
}

const ConfType conf_enum_by = { "word", 4, false, enum_by_parse, u32_present, enum_by_format };

static bool flag_parse(const ConfField *row, const char *text, const char *unit, void *v,
                       const void *base, GError **err)
{
    *(Flag *)v = 1;
    return true;
}

static void nothing_format(const ConfField *row, const void *v, const void *base, GString *out)
{
}

const ConfType conf_flag = { "presence", sizeof(Flag), false,
                             flag_parse, u32_present,  nothing_format };

static bool yesflag_parse(const ConfField *row, const char *text, const char *unit, void *v,
                          const void *base, GError **err)
{
    int n = enum_value(&tri_yesno_names, text);
    if (n < TRI_YES) {
        unknown_word(err, unknown_code(row), &tri_yesno_names, text);
        return false;
    }
    *(Flag *)v = n == TRI_YES;
    return true;
}

static void yesflag_format(const ConfField *row, const void *v, const void *base, GString *out)
{
    g_string_append(out, *(const Flag *)v ? "yes" : "no");
}

const ConfType conf_yesflag = { "yes/no",      sizeof(Flag), false,
                                yesflag_parse, u32_present,  yesflag_format };

/* ---- identifiers and sets ---- */

static bool opt_uuid_parse(const ConfField *row, const char *text, const char *unit, void *v,
                           const void *base, GError **err)
{
    OptUuid *u = v;
    if (!uuid_parse(text, u->v)) {
        error_set(err, VIR_ERR_XML_ERROR, "malformed uuid '%.100s'", text);
        return false;
    }
    u->set = 1;
    return true;
}

static bool opt_uuid_present(const ConfField *row, const void *v)
{
    return ((const OptUuid *)v)->set;
}

static void opt_uuid_format(const ConfField *row, const void *v, const void *base, GString *out)
{
    char text[37];
    uuid_format(((const OptUuid *)v)->v, text);
    g_string_append(out, text);
}

const ConfType conf_uuid = { "uuid",         sizeof(OptUuid),  false,
                             opt_uuid_parse, opt_uuid_present, opt_uuid_format };

bool mac_parse(const char *text, MacAddr *ret)
{
    MacAddr m = { .set = 1 };

    for (unsigned i = 0; i < 6; i++) {
        char *end;
        if (!g_ascii_isxdigit(*text))
            return false;
        unsigned long n = strtoul(text, &end, 16);
        if (n > 255 || *end != (i < 5 ? ':' : '\0'))
            return false;
        m.b[i] = (uint8_t)n;
        text = end + 1;
    }
    *ret = m;
    return true;
}

void mac_format(const MacAddr *mac, char ret[18])
{
    g_snprintf(ret, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac->b[0], mac->b[1], mac->b[2], mac->b[3],
               mac->b[4], mac->b[5]);
}

void mac_generate(const uint8_t prefix[3], MacAddr *ret)
{
    uint32_t r = g_random_int();
    *ret = (MacAddr){
        .b = { prefix[0], prefix[1], prefix[2], r & 0xff, r >> 8 & 0xff, r >> 16 & 0xff }, .set = 1
    };
}

static bool mac_row_parse(const ConfField *row, const char *text, const char *unit, void *v,
                          const void *base, GError **err)
{
    MacAddr *m = v;
    if (!mac_parse(text, m)) {
        error_set(err, VIR_ERR_XML_ERROR, "unable to parse mac address '%.100s'", text);
        return false;
    }
    if (m->b[0] & 1) {
        error_set(err, VIR_ERR_XML_ERROR, "expected unicast mac address, found multicast '%s'",
                  text);
        return false;
    }
    return true;
}

static bool mac_row_present(const ConfField *row, const void *v)
{
    return ((const MacAddr *)v)->set;
}

static void mac_row_format(const ConfField *row, const void *v, const void *base, GString *out)
{
    char text[18];
    mac_format(v, text);
    g_string_append(out, text);
}

const ConfType conf_mac = { "mac",         sizeof(MacAddr), false,
                            mac_row_parse, mac_row_present, mac_row_format };

static bool bitmap_row_parse(const ConfField *row, const char *text, const char *unit, void *v,
                             const void *base, GError **err)
{
    g_autoptr(Bitmap) b = bitmap_parse(text, err);
    if (!b)
        return false;
    if (bitmap_is_empty(b)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "'%.100s' is an empty set", text);
        return false;
    }
    *(Bitmap **)v = g_steal_pointer(&b);
    return true;
}

static void bitmap_row_format(const ConfField *row, const void *v, const void *base, GString *out)
{
    g_autofree char *s = bitmap_format(*(Bitmap *const *)v);
    g_string_append(out, s);
}

static void bitmap_row_clear(void *v)
{
    bitmap_free(*(Bitmap **)v);
    *(Bitmap **)v = NULL;
}

static void bitmap_row_copy(void *dst, const void *src)
{
    *(Bitmap **)dst = bitmap_copy(*(Bitmap *const *)src);
}

static bool bitmap_row_equal(const void *a, const void *b)
{
    return bitmap_equal(*(Bitmap *const *)a, *(Bitmap *const *)b);
}

const ConfType conf_bitmap = { "set",           sizeof(Bitmap *),  false, bitmap_row_parse,
                               ptr_present,     bitmap_row_format, NULL,  bitmap_row_clear,
                               bitmap_row_copy, bitmap_row_equal };

/* Fields that are in no document. */
const ConfType conf_bytes = { "bytes", 0, false, NULL, NULL, NULL };

static bool const_parse(const ConfField *row, const char *text, const char *unit, void *v,
                        const void *base, GError **err)
{
    if (!strcmp(text, row->arg))
        return true;
    error_set(err, VIR_ERR_XML_ERROR, "unknown value '%.100s'; expected '%s'", text,
              (const char *)row->arg);
    return false;
}

static bool const_present(const ConfField *row, const void *v)
{
    return true;
}

static void const_format(const ConfField *row, const void *v, const void *base, GString *out)
{
    g_string_append(out, row->arg);
}

/* No field at all. */
const ConfType conf_const = { "word", 0, false, const_parse, const_present, const_format };

/* ---- what is read and not kept ---- */

static bool unused_parse(const ConfField *row, const char *text, const char *unit, void *v, const void *base, GError **err)
{
    return true;
}

static bool never_present(const ConfField *row, const void *v)
{
    return false;
}

const ConfType conf_unused = { "not used", 0, false, unused_parse, never_present, nothing_format };
