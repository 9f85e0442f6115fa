/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Typed parameters: what is answered, what is taken from a client and what is refused by name. */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "drivers/common/params.h"
#include "util/api.h"
#include "util/error.h"

static const ParamRow rows[] = {
    { "weight", VIR_TYPED_PARAM_UINT, false },
    { "limit", VIR_TYPED_PARAM_ULLONG, false },
    { "quota", VIR_TYPED_PARAM_LLONG, false },
    { "device", VIR_TYPED_PARAM_STRING, true },
};

static void refused(remote_typed_param *p, u_int n, const char *words)
{
    g_autoptr(GError) err = NULL;
    assert(!params_check(p, n, rows, G_N_ELEMENTS(rows), &err));
    assert(err->code ==
           (strstr(words, "not supported") ? VIR_ERR_ARGUMENT_UNSUPPORTED : VIR_ERR_INVALID_ARG));
    if (!strstr(err->message, words))
        g_error("'%s' does not say '%s'", err->message, words);
}

static void test_answers(void)
{
    g_auto(ParamList) l = { 0 };
    struct {
        u_int params_len;
        remote_typed_param *params_val;
    } ret;

    for (unsigned i = 0; i < 40; i++)
        params_add_ullong(&l, i, "block.%u.requests", i);
    params_add_string(&l, NULL, "nothing");
    params_add_string(&l, "vda", "name");
    assert(l.len == 41 && l.val[39].value.u.ul == 39 &&
           strcmp(l.val[39].field, "block.39.requests") == 0);
    params_cut(&l, 50);
    assert(l.len == 41);
    params_cut(&l, 2);
    assert(l.len == 2);
    params_give(&l, &ret);
    assert(ret.params_len == 2 && ret.params_val[1].value.u.ul == 1 && l.len == 0 && !l.val);
    l.val = ret.params_val, l.len = ret.params_len;
}

static void test_requests(void)
{
    remote_typed_param p[] = {
        { .field = (char *)"weight", .value = { .type = VIR_TYPED_PARAM_INT, .u.i = 500 } },
        { .field = (char *)"limit", .value = { .type = VIR_TYPED_PARAM_LLONG, .u.l = 7 } },
        { .field = (char *)"quota", .value = { .type = VIR_TYPED_PARAM_INT, .u.i = -1 } },
        { .field = (char *)"device",
          .value = { .type = VIR_TYPED_PARAM_STRING, .u.s = (char *)"a" } },
        { .field = (char *)"device",
          .value = { .type = VIR_TYPED_PARAM_STRING, .u.s = (char *)"b" } },
    };
    g_autoptr(GError) err = NULL;

    assert(params_check(p, G_N_ELEMENTS(p), rows, G_N_ELEMENTS(rows), &err));
    assert(p[0].value.type == VIR_TYPED_PARAM_UINT && p[0].value.u.ui == 500);
    assert(p[1].value.type == VIR_TYPED_PARAM_ULLONG && p[1].value.u.ul == 7);
    assert(p[2].value.type == VIR_TYPED_PARAM_LLONG && p[2].value.u.l == -1);
    assert(params_find(p, 5, "device") == &p[3] && !params_find(p, 5, "devices"));

    remote_typed_param bad = { .field = (char *)"weigth",
                               .value = { .type = VIR_TYPED_PARAM_UINT } };
    refused(&bad, 1, "'weigth' not supported");
    bad = (remote_typed_param){ .field = (char *)"weight",
                                .value = { .type = VIR_TYPED_PARAM_INT, .u.i = -1 } };
    refused(&bad, 1, "invalid type 'int' for parameter 'weight', expected 'uint'");
    bad.value = (remote_typed_param_value){ .type = VIR_TYPED_PARAM_ULLONG, .u.ul = UINT64_MAX };
    refused(&bad, 1, "'ullong'");
    bad.field = (char *)"quota";
    refused(&bad, 1, "expected 'llong'");
    bad.value.type = 99;
    refused(&bad, 1, "'unknown'");
    remote_typed_param twice[] = { p[0], p[1], p[0] };
    refused(twice, 3, "'weight' occurs multiple times");
}

/* Parameters that are fields: in, out, bounds. */
static void test_fields(void)
{
    typedef struct Thing {
        uint32_t small;
        uint64_t large;
        int64_t quota;
        OptU64 shares;
        OptI32 pool;
        char *name;
    } Thing;
    static const ParamRow fields[] = {
        { "small", VIR_TYPED_PARAM_UINT, .field = PARAM_U32, .off = offsetof(Thing, small) },
        { "large", VIR_TYPED_PARAM_ULLONG, .field = PARAM_U64, .off = offsetof(Thing, large),
          .min = 10, .max = 20 },
        { "quota", VIR_TYPED_PARAM_LLONG, .field = PARAM_I64, .off = offsetof(Thing, quota),
          .min = 10, .max = 20 },
        { "shares", VIR_TYPED_PARAM_ULLONG, .field = PARAM_OPT_U64,
          .off = offsetof(Thing, shares) },
        { "pool", VIR_TYPED_PARAM_INT, .field = PARAM_OPT_I32, .off = offsetof(Thing, pool) },
        { "name", VIR_TYPED_PARAM_STRING, .field = PARAM_STR, .off = offsetof(Thing, name) },
    };
    remote_typed_param p[] = {
        { .field = (char *)"small",
          .value = { .type = VIR_TYPED_PARAM_UINT, .u.ui = 4000000000u } },
        { .field = (char *)"large", .value = { .type = VIR_TYPED_PARAM_ULLONG, .u.ul = 20 } },
        { .field = (char *)"quota", .value = { .type = VIR_TYPED_PARAM_LLONG, .u.l = -1 } },
        { .field = (char *)"shares",
          .value = { .type = VIR_TYPED_PARAM_ULLONG, .u.ul = UINT64_MAX } },
        { .field = (char *)"pool", .value = { .type = VIR_TYPED_PARAM_INT, .u.i = -3 } },
        { .field = (char *)"name",
          .value = { .type = VIR_TYPED_PARAM_STRING, .u.s = (char *)"n" } },
    };
    Thing thing = { 0 };
    g_auto(ParamList) l = { 0 };
    g_autoptr(GError) err = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(p); i++) {
        const ParamRow *row = params_row(fields, G_N_ELEMENTS(fields), p[i].field);
        assert(params_in_range(&p[i], row, NULL));
        params_store(&p[i], row, &thing);
        params_add_field(&l, row, &thing);
    }
    assert(thing.small == 4000000000u && thing.large == 20 && thing.quota == -1 &&
           thing.shares.set && thing.pool.v == -3);
    assert(l.len == G_N_ELEMENTS(p) && l.val[0].value.u.ui == 4000000000u &&
           l.val[2].value.u.l == -1);
    assert(l.val[3].value.u.ul == UINT64_MAX && l.val[4].value.u.i == -3 &&
           g_str_equal(l.val[5].value.u.s, "n"));

    p[1].value.u.ul = 21;
    assert(!params_in_range(&p[1], &fields[1], &err) && err->code == VIR_ERR_INVALID_ARG);
    assert(g_str_equal(err->message, "value of 'large' is out of range [10, 20]"));
    p[1].value.u.ul = 0; /* leaves it */
    assert(params_in_range(&p[1], &fields[1], NULL));
    p[2].value.u.l = 9;
    assert(!params_in_range(&p[2], &fields[2], NULL));

    params_drop_strings(&l, VIR_TYPED_PARAM_STRING_OKAY);
    assert(l.len == G_N_ELEMENTS(p));
    params_drop_strings(&l, 0);
    assert(l.len == G_N_ELEMENTS(p) - 1 && g_str_equal(l.val[4].field, "pool"));
    params_add_renamed(&l, &p[5], "x.%s", p[5].field);
    assert(g_str_equal(l.val[5].field, "x.name") && l.val[5].value.u.s != p[5].value.u.s);
    g_free(thing.name);
}

int main(void)
{
    test_answers();
    test_requests();
    test_fields();
    return 0;
}
