/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Typed parameters: what is answered, what is taken from a client and what is refused by name. */
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
    assert(err->code == VIR_ERR_INVALID_ARG);
    if (!strstr(err->message, words))
        g_error("'%s' does not say '%s'", err->message, words);
}

static void test_answers(void)
{
    g_auto(ParamList) l = { 0 };
    struct { u_int params_len; remote_typed_param *params_val; } ret;

    for (unsigned i = 0; i < 40; i++)
        params_add_ullong(&l, i, "block.%u.requests", i);
    params_add_string(&l, NULL, "nothing");
    params_add_string(&l, "vda", "name");
    assert(l.len == 41 && l.val[39].value.u.ul == 39 && strcmp(l.val[39].field, "block.39.requests") == 0);
    assert(params_only_count(&l, 0) && l.len == 41);
    assert(!params_only_count(&l, 2) && l.len == 2);
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
        { .field = (char *)"device", .value = { .type = VIR_TYPED_PARAM_STRING, .u.s = (char *)"a" } },
        { .field = (char *)"device", .value = { .type = VIR_TYPED_PARAM_STRING, .u.s = (char *)"b" } },
    };
    g_autoptr(GError) err = NULL;

    assert(params_check(p, G_N_ELEMENTS(p), rows, G_N_ELEMENTS(rows), &err));
    assert(p[0].value.type == VIR_TYPED_PARAM_UINT && p[0].value.u.ui == 500);
    assert(p[1].value.type == VIR_TYPED_PARAM_ULLONG && p[1].value.u.ul == 7);
    assert(p[2].value.type == VIR_TYPED_PARAM_LLONG && p[2].value.u.l == -1);
    assert(params_find(p, 5, "device") == &p[3] && !params_find(p, 5, "devices"));

    remote_typed_param bad = { .field = (char *)"weigth", .value = { .type = VIR_TYPED_PARAM_UINT } };
    refused(&bad, 1, "'weigth' not supported");
    bad = (remote_typed_param){ .field = (char *)"weight", .value = { .type = VIR_TYPED_PARAM_INT, .u.i = -1 } };
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

int main(void)
{
    test_answers();
    test_requests();
    return 0;
}
