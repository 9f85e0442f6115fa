/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bounds, strictness and row reading of util/json. */
#include <assert.h>
#include <string.h>

#include "util/enum.h"
#include "util/error.h"
#include "util/json.h"

static void refused(const char *text, size_t len, const JsonLimits *lim, const char *words)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(JsonObject) o = json_parse("text", text, len, lim, &err);

    if (o)
        g_error("%.*s was accepted", (int)len, text);
    if (!strstr(err->message, words))
        g_error("'%s' lacks '%s'", err->message, words);
}

static void accepted(const char *text, const char *back)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(JsonObject) o = json_parse("text", text, strlen(text), NULL, &err);

    if (!o)
        g_error("%s: %s", text, err->message);
    g_autofree char *s = json_text(o);
    if (strcmp(s, back) != 0)
        g_error("%s became %s", text, s);
}

static void test_parse_bounds(void)
{
    static const JsonLimits small = { 64, 3, 8 };
    char big[65];

    memset(big, ' ', sizeof big);
    refused(big, sizeof big, &small, "larger than 64 bytes");
    refused("[[[[]]]]", 8, &small, "nested deeper");
    refused("[1,2,3,4,5,6,7,8]", 17, &small, "more than 8 values");
    refused("{\"a\"", 4, NULL, "unexpected end");
    refused("", 0, NULL, "unexpected end");
    refused("{} x", 4, NULL, "after its end");
    refused("{}{}", 4, NULL, "after its end");
    refused("null", 4, NULL, "null");
    refused("{\"a\":\0}", 7, NULL, "NUL byte");
    refused("{\"a\":\"\xff\"}", 9, NULL, "not valid JSON");
    refused("{'a':1}", 7, NULL, "not valid JSON");
    /* Brackets inside strings are neither depth nor values. */
    const char *quoted = "\"[[[[\\\"[[[,,,,,,,,,,\"";
    g_autoptr(JsonObject) o = json_parse("t", quoted, strlen(quoted), &small, NULL);
    assert(o);
    accepted("{\"a\": [1, 2.50, true, null, \"x/y\"]}\r\n", "{\"a\":[1,2.50,true,null,\"x/y\"]}");
    accepted("12", "12");
    accepted("18446744073709551615", "18446744073709551615");
}

typedef struct Sample {
    bool running;
    int64_t i;
    uint64_t u;
    unsigned n;
    double d;
    char *s;
    JsonObject *a;
    int mode;
} Sample;

ENUM_TABLE(modes, "mode", 2, "fast", "slow");

static const JsonRow sample_rows[] = {
    JSON_BOOL(Sample, running, "running", JSON_REQUIRED),
    JSON_I64(Sample, i, "i", JSON_OPTIONAL),
    JSON_U64(Sample, u, "u", JSON_OPTIONAL),
    JSON_UINT(Sample, n, "sub/n", JSON_OPTIONAL),
    JSON_DOUBLE(Sample, d, "d", JSON_OPTIONAL),
    JSON_STR(Sample, s, "s", JSON_OPTIONAL),
    JSON_ARR(Sample, a, "a", JSON_OPTIONAL),
    JSON_ENUM(Sample, mode, "mode", &modes, JSON_OPTIONAL),
};

static bool read_sample(const char *text, Sample *out, GError **err)
{
    g_autoptr(JsonObject) o = json_parse("text", text, strlen(text), NULL, err);

    *out = (Sample){ .i = -7 };
    return o && json_read(o, "sample", sample_rows, G_N_ELEMENTS(sample_rows), out, err);
}

static void test_rows(void)
{
    g_autoptr(GError) err = NULL;
    Sample s;

    assert(read_sample("{\"running\":true,\"u\":18446744073709551615,\"sub\":{\"n\":3},\"d\":1,\"s\":\"x\","
                       "\"a\":[1],\"mode\":\"slow\",\"more\":{}}", &s, &err));
    assert(s.running && s.i == -7 && s.u == UINT64_MAX && s.n == 3 && s.d == 1.0);
    assert(strcmp(s.s, "x") == 0 && json_len(s.a) == 1 && s.mode == 1);
    json_rows_clear(sample_rows, G_N_ELEMENTS(sample_rows), &s);
    assert(!s.s && !s.a);

    static const struct { const char *text, *words; } bad[] = {
        { "{}", "'running' is missing" },
        { "{\"running\":1}", "'running' is not a boolean" },
        { "{\"running\":true,\"i\":9223372036854775808}", "'i' is not an integer" },
        { "{\"running\":true,\"u\":-1}", "'u' is not a non-negative" },
        { "{\"running\":true,\"s\":\"x\",\"mode\":3}", "'mode' is not a string" },
        { "{\"running\":true,\"sub\":{\"n\":4294967296}}", "'sub/n' is not" },
        { "{\"running\":true,\"s\":\"a\\u0000b\"}", "'s' is not a string" },
        { "[]", "not an object" },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        assert(!read_sample(bad[i].text, &s, &err));
        if (!strstr(err->message, bad[i].words))
            g_error("'%s' lacks '%s'", err->message, bad[i].words);
        assert(!s.s);
        g_clear_error(&err);
    }
    /* A word that a newer peer knows is no error where the row is optional. */
    assert(read_sample("{\"running\":true,\"mode\":\"warp\"}", &s, &err) && s.mode == 0);
}

static void test_make(void)
{
    g_autoptr(JsonObject) o = json_make(J_STR("a", "x"), J_STR("none", NULL), J_INT("i", -1), J_BOOL("b", false),
                                        J_OBJ("o", json_object_new_object()), J_UINT("u", UINT64_MAX));
    g_autofree char *s = json_text(o);

    assert(strcmp(s, "{\"a\":\"x\",\"i\":-1,\"b\":false,\"o\":{},\"u\":18446744073709551615}") == 0);
    assert(json_get(o, "o") && !json_get(o, "o/x") && !json_get(o, "a/x"));
}

int main(void)
{
    test_parse_bounds();
    test_rows();
    test_make();
    return 0;
}
