/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Self-tests over all descriptions: rows cover every byte of their struct; a random value survives
 * format → parse; a copy is equal and shares nothing. What is random is decided here, per scalar
 * type; hooks (.parsed) are left out because they enforce relations that random values do not have.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/device-internal.h"
#include "conf/domain.h"
#include "conf/form.h"
#include "conf/kinds.h"
#include "conf/parse-internal.h"
#include "util/error.h"

#define CHECK(cond, ...)                                                                           \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #cond);                             \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* ---- every description that can be reached ---- */

static void collect(const ConfDesc *d, GPtrArray *all)
{
    if (g_ptr_array_find(all, d, NULL))
        return;
    g_ptr_array_add(all, (void *)d);
    for (unsigned i = 0; i < d->n_rows; i++) {
        const ConfField *r = &d->rows[i];
        if (r->kind == CK_STRUCT || r->kind == CK_OPTIONAL || r->kind == CK_LIST)
            collect(r->arg, all);
        for (const ConfArm *a = r->arg; r->kind == CK_UNION && a->desc; a++)
            collect(a->desc, all);
    }
}

static GPtrArray *all_descs(void)
{
    GPtrArray *all = g_ptr_array_new();
    for (unsigned i = 0; doc_kind_at(i); i++)
        collect(doc_kind_at(i)->desc, all);
    for (unsigned k = 0; k < _DEVICE_KIND_N; k++) {
        CHECK(device_desc((DeviceKind)k), "kind %u", k);
        collect(device_desc((DeviceKind)k), all);
    }
    return all;
}

static void test_rows_cover_every_byte(void)
{
    g_autoptr(GPtrArray) all = all_descs();

    for (unsigned i = 0; i < all->len; i++) {
        g_autofree char *problem = conf_check_desc(all->pdata[i]);
        CHECK(!problem, "%s", problem);
    }
    printf("%u descriptions cover their structs\n", all->len);
}

static void test_coverage_finds_a_forgotten_field(void)
{
    typedef struct Odd {
        uint32_t a, b;
    } Odd;
    static const ConfField rows[] = { CONF_U32(Odd, a, "@a", 0, "") };
    CONF_DESC(desc, Odd, rows);
    g_autofree char *problem = conf_check_desc(&desc);
    CHECK(problem && strstr(problem, "byte 4"), "%s", problem ? problem : "nothing found");

    static const ConfField twice[] = { CONF_U32(Odd, a, "@a", 0, ""), CONF_U32(Odd, b, "@b", 0, ""),
                                       CONF_U32(Odd, a, "@c", 0, "") };
    CONF_DESC(desc2, Odd, twice);
    g_autofree char *problem2 = conf_check_desc(&desc2);
    CHECK(problem2 && strstr(problem2, "two rows"), "%s", problem2 ? problem2 : "nothing found");
}

/* ---- random values ---- */

static void random_fill(const ConfDesc *d, void *v, GRand *r, unsigned depth);

static char *random_text(GRand *r)
{
    static const char *const words[] = { "a",     "vda",     "/dev/x y", "<&>'\"",
                                         "1.2.3", "ua-disk", "été",      "tab\there" };
    return g_strdup(words[g_rand_int_range(r, 0, G_N_ELEMENTS(words))]);
}

static uint64_t random_number(const ConfField *row, GRand *r, uint64_t max)
{
    const ConfNum *n = row->arg;
    uint64_t lo = 1;

    if (n) {
        max = n->max ? MIN(n->max, max) : max;
        lo = MAX(n->min, 1);
    }
    return lo + (uint64_t)(g_rand_double(r) * (double)(max - lo) * 0.999);
}

static void random_scalar(const ConfField *row, void *v, const void *base, GRand *r)
{
    const ConfType *t = row->type;

    if (t == &conf_str) {
        *(char **)v = random_text(r);
    } else if (t == &conf_form) {
        *(char **)v = g_strdup(((const ConfForm *)row->arg)->sample);
    } else if (t == &conf_u32) {
        *(uint32_t *)v = (uint32_t)random_number(row, r, UINT32_MAX);
    } else if (t == &conf_u64) {
        *(uint64_t *)v = random_number(row, r, INT64_MAX);
    } else if (t == &conf_i64) {
        *(int64_t *)v = (int64_t)g_rand_int(r) - INT32_MAX;
    } else if (t == &conf_opt_u32 || t == &conf_opt_or_any) {
        *(OptU32 *)v = (OptU32){ 1, (uint32_t)random_number(row, r, UINT32_MAX) };
    } else if (t == &conf_opt_i32) {
        *(OptI32 *)v = (OptI32){ 1, (int32_t)g_rand_int(r) };
    } else if (t == &conf_opt_u64) {
        *(OptU64 *)v = (OptU64){ random_number(row, r, INT64_MAX), 1, 0 };
    } else if (t == &conf_size || t == &conf_pretty) {
        *(uint64_t *)v = 1 + g_rand_int(r);
    } else if (t == &conf_opt_size || t == &conf_opt_pretty) {
        *(OptU64 *)v = (OptU64){ 1 + g_rand_int(r), 1, 0 };
    } else if (t == &conf_uuid) {
        uuid_generate(((OptUuid *)v)->v);
        ((OptUuid *)v)->set = 1;
    } else if (t == &conf_mac) {
        mac_generate((const uint8_t[]){ 0x52, 0x54, 0 }, v);
    } else if (t == &conf_bitmap) {
        Bitmap *b = *(Bitmap **)v = bitmap_new();
        for (int i = 0; i < 3; i++)
            (void)bitmap_set(b, g_rand_int(r) % 100);
    } else if (t == &conf_flag || t == &conf_yesflag) {
        *(Flag *)v = 1;
    } else if (t == &conf_enum) {
        const EnumTable *table = row->arg;
        uint32_t n;
        do
            n = g_rand_int(r) % table->n;
        while (!table->names[n] || (!n && !(row->flags & CF_ALWAYS) && table->n > 1));
        *(uint32_t *)v = n;
    } else if (t == &conf_enum_by) {
        const ConfEnumBy *by = row->arg;
        uint32_t n = g_rand_int(r) % by->table->n;
        const char *name = by->table->names[n];
        if (name && by->find(base, name) == (int)n)
            *(uint32_t *)v = n;
    }
}

static bool is_zero(const void *v, size_t n)
{
    const char *p = v;
    while (n && !*p)
        p++, n--;
    return n == 0;
}

static void random_row(const ConfField *row, void *base, GRand *r, unsigned depth)
{
    void *v = (char *)base + row->off;
    unsigned never = CF_READ_ONLY | CF_WRITE_ONLY;

    if (!row->path || (row->flags & never) || !conf_row_applies(row, base))
        return;
    /* The mere presence of these elements says something, and other rows may make them present. */
    bool presence = row->type == &conf_flag || (row->flags & CF_ON_IF_PRESENT);
    bool fill = (row->flags & CF_REQUIRED) || presence || g_rand_boolean(r);
    switch (row->kind) {
    case CK_SCALAR:
        /* name() makes elements: any word will not do */
        if (row->path && !strcmp(row->path, "name()") && row->type == &conf_str)
            *(char **)v = g_strdup("word");
        else if (fill && row->size && is_zero(v, row->size))
            random_scalar(row, v, base, r);
        break;
    case CK_STRUCT:
        if (!(row->flags & CF_VIEW))
            random_fill(row->arg, v, r, depth);
        break;
    case CK_UNION: {
        const ConfDesc *arm = conf_arm(row, base);
        if (arm)
            random_fill(arm, v, r, depth);
        break;
    }
    case CK_OPTIONAL:
        if (fill && depth < 3) {
            *(void **)v = g_malloc0(((const ConfDesc *)row->arg)->size);
            random_fill(row->arg, *(void **)v, r, depth + 1);
        }
        break;
    case CK_LIST:
        if (!fill || depth >= 3)
            break;
        GPtrArray *list = *(GPtrArray **)v = g_ptr_array_new();
        for (int n = g_rand_int_range(r, 1, 3); n; n--) {
            void *item = g_malloc0(((const ConfDesc *)row->arg)->size);
            random_fill(row->arg, item, r, depth + 1);
            g_ptr_array_add(list, item);
        }
        break;
    case CK_DEVICES:
    case CK_RAW:
    case CK_CUSTOM:
    case CK_PAD:
        break;
    }
}

static void random_fill(const ConfDesc *d, void *v, GRand *r, unsigned depth)
{
    /* Tags (enums) first: conditions and unions look at them. */
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < d->n_rows; i++) {
            bool tag = d->rows[i].type == &conf_enum && !d->rows[i].when;
            if (tag == (pass == 0))
                random_row(&d->rows[i], v, r, depth);
        }
    }
}

/* Descriptions whose values are only meaningful with their hooks or custom rows. */
static bool needs_code(const ConfDesc *d)
{
    for (unsigned i = 0; i < d->n_rows; i++) {
        const ConfCustom *c = d->rows[i].kind == CK_CUSTOM ? d->rows[i].arg : NULL;
        if (c && (c->parse || d->rows[i].type))
            return true;
    }
    return d->parsed != NULL;
}

static bool any_needs_code(const ConfDesc *d, GPtrArray *seen)
{
    g_autoptr(GPtrArray) below = g_ptr_array_new();
    collect(d, below);
    for (unsigned i = 0; i < below->len; i++) {
        if (needs_code(below->pdata[i]) && below->pdata[i] != (void *)&pci_address_desc)
            return true;
    }
    return false;
}

/* Items of lists of any element are tested with their list, namespaces with the domain. */
static bool names_its_element(const ConfDesc *d)
{
    for (unsigned i = 0; i < d->n_rows; i++) {
        if (d->rows[i].path && (!strcmp(d->rows[i].path, "name()") || strchr(d->rows[i].path, ':')))
            return true;
    }
    return false;
}

static char *format_one(const ConfDesc *d, const void *v, bool *ret_failed)
{
    GString *out = g_string_new(NULL);
    g_autoptr(GString) tmp = g_string_new(NULL);
    ConfFormatter f = { .flags = DOMAIN_FORMAT_STATUS | DOMAIN_FORMAT_SECURE, .tmp = tmp };

    xml_writer_init(&f.w, out, 0);
    conf_format_element(&f, d, v, "x");
    *ret_failed = f.failed;
    return g_string_free(out, FALSE);
}

static void prepare(const ConfDesc *d, void *v)
{
    /* Devices know their kind before they are read. */
    for (unsigned k = 0; k < _DEVICE_KIND_N; k++) {
        if (device_desc((DeviceKind)k) == d)
            ((Device *)v)->kind = (DeviceKind)k;
    }
}

static void round_trip(const ConfDesc *d, GRand *r)
{
    void *v = g_malloc0(d->size), *w = g_malloc0(d->size);
    g_autoptr(GError) err = NULL;
    g_autofree char *path = NULL;
    bool failed;

    prepare(d, v);
    prepare(d, w);
    random_fill(d, v, r, 0);
    g_autofree char *text = format_one(d, v, &failed);
    CHECK(!failed, "%s: rows cannot be written in this order: %s", d->name, text);
    g_autoptr(XmlDoc) doc = xml_parse(text, strlen(text), &err);
    CHECK(doc, "%s: %s", text, err->message);
    ConfParser p = { .flags = DOMAIN_PARSE_STATUS };
    CHECK(conf_parse(&p, d, xml_root(doc), w, &err), "%s: %s", text, err->message);
    ConfParser strict = { .problems = g_ptr_array_new_with_free_func(g_free) };
    CHECK(conf_check_unread(&strict, xml_root(doc), &err), "%s: written but not read: %s", text,
          err->message);
    g_ptr_array_unref(strict.problems);
    CHECK(conf_equal(d, v, w, 0, &path), "%s: %s differs in %s", d->name, path, text);
    conf_free(d, w);
    conf_free(d, v);
}

static void test_random_values_survive(void)
{
    g_autoptr(GPtrArray) all = all_descs(), seen = g_ptr_array_new();
    g_autoptr(GRand) r = g_rand_new_with_seed(7);
    unsigned n = 0;

    for (unsigned i = 0; i < all->len; i++) {
        if (any_needs_code(all->pdata[i], seen) || names_its_element(all->pdata[i]))
            continue;
        n++;
        for (unsigned k = 0; k < 60; k++)
            round_trip(all->pdata[i], r);
    }
    printf("%u descriptions round-trip\n", n);
    CHECK(n > 50, "only %u", n);
}

/* ---- copies ---- */

static void test_copies_are_equal_and_disjoint(void)
{
    g_autoptr(GPtrArray) all = all_descs();
    g_autoptr(GRand) r = g_rand_new_with_seed(11);

    for (unsigned i = 0; i < all->len; i++) {
        const ConfDesc *d = all->pdata[i];
        if (d == &domain_desc)
            continue;
        for (unsigned k = 0; k < 20; k++) {
            void *v = g_malloc0(d->size);
            g_autofree char *path = NULL;
            bool failed;
            prepare(d, v);
            random_fill(d, v, r, 0);
            void *c = conf_dup(d, v);
            CHECK(conf_equal(d, v, c, 0, &path), "%s: %s", d->name, path);
            g_autofree char *before = format_one(d, c, &failed);
            /* Clearing the original frees all that it owns: the sanitizer sees what was shared. */
            conf_free(d, v);
            g_autofree char *after = format_one(d, c, &failed);
            CHECK(!strcmp(before, after), "%s", d->name);
            conf_free(d, c);
        }
    }
}

/* ---- enums ---- */

static void test_enum_tables_have_distinct_words(void)
{
    g_autoptr(GPtrArray) all = all_descs();

    for (unsigned i = 0; i < all->len; i++) {
        const ConfDesc *d = all->pdata[i];
        for (unsigned k = 0; k < d->n_rows; k++) {
            if (d->rows[k].kind != CK_SCALAR || d->rows[k].type != &conf_enum)
                continue;
            const EnumTable *t = d->rows[k].arg;
            for (unsigned n = 0; n < t->n; n++)
                CHECK(!t->names[n] || enum_value(t, t->names[n]) == (int)n, "%s: %s", t->what,
                      t->names[n]);
        }
    }
}

static void count_custom_rows(void)
{
    g_autoptr(GPtrArray) all = all_descs();
    unsigned rows = 0, custom = 0;

    for (unsigned i = 0; i < all->len; i++) {
        const ConfDesc *d = all->pdata[i];
        for (unsigned k = 0; k < d->n_rows; k++) {
            if (!d->rows[k].path)
                continue;
            rows++;
            custom += d->rows[k].kind == CK_CUSTOM;
        }
    }
    printf("%u rows, %u custom\n", rows, custom);
    CHECK(custom * 20 < rows, "more than 5 %% of the rows are custom");
}

int main(void)
{
    test_rows_cover_every_byte();
    test_coverage_finds_a_forgotten_field();
    test_enum_tables_have_distinct_words();
    test_random_values_survive();
    test_copies_are_equal_and_disjoint();
    count_custom_rows();
    return 0;
}
