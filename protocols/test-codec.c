/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every payload of every program: what Python encoded decodes, encodes to the same bytes, and
 * fails cleanly when it is cut, extended or lies about its counts. Leaks and overruns are the
 * sanitizers' to find. Single thread.
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "protocols/net_types.h"
#include "protocols/remote_types.h"
#include "protocols/samples.h"
#include "protocols/xdr_buf.h"
#include "util/error.h"

#define BIG (64 << 20)

static GByteArray *encoded(const Sample *s, const void *value)
{
    g_autoptr(GError) err = NULL;
    GByteArray *out = g_byte_array_new();

    if (!proc_encode(s->name, s->xdr, value, out, BIG, &err)) {
        fprintf(stderr, "%s\n", err->message);
        abort();
    }
    return out;
}

static void test_samples_survive(void)
{
    for (size_t i = 0; i < n_samples; i++) {
        const Sample *s = &samples[i];
        g_autofree void *value = g_malloc(s->size);
        g_autoptr(GByteArray) out = NULL;
        g_autoptr(GError) err = NULL;

        if (!proc_decode(s->name, s->xdr, s->size, s->bytes, s->n, value, &err)) {
            fprintf(stderr, "%s\n", err->message);
            abort();
        }
        out = encoded(s, value);
        assert(out->len == s->n);
        assert(memcmp(out->data, s->bytes, s->n) == 0);
        proc_free(s->xdr, value);
        proc_free(s->xdr, value); /* frees once */
    }
}

static bool all_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i])
            return false;
    }
    return true;
}

static void expect_refusal(const Sample *s, const uint8_t *p, size_t n, const char *why)
{
    g_autofree uint8_t *value = g_malloc(s->size);
    g_autoptr(GError) err = NULL;

    assert(!proc_decode(s->name, s->xdr, s->size, p, n, value, &err));
    assert(error_is(err, VIR_ERR_RPC));
    assert(strstr(err->message, s->name));
    assert(strstr(err->message, why));
    assert(all_zero(value, s->size));
}

static void test_cut_payload_is_refused(void)
{
    for (size_t i = 0; i < n_samples; i++) {
        const Sample *s = &samples[i];

        for (size_t n = 0; n < s->n; n++) {
            /* a copy of exactly n bytes: the address sanitizer sees a byte read too many */
            g_autofree uint8_t *copy = n ? g_memdup2(s->bytes, n) : NULL;

            expect_refusal(s, copy, n, "it is too short");
        }
    }
}

static void test_left_over_is_refused(void)
{
    for (size_t i = 0; i < n_samples; i++) {
        const Sample *s = &samples[i];
        g_autofree uint8_t *copy = g_malloc0(s->n + 4);

        memcpy(copy, s->bytes, s->n);
        expect_refusal(s, copy, s->n + 4, "4 of ");
        expect_refusal(s, copy, s->n + 1, "1 of ");
    }
}

/* Any word may be a lie. Whatever still decodes must encode to something that means the same. */
static void test_lies_do_no_harm(void)
{
    static const uint32_t lies[] = { 0, 1, 2, 0xff, 0x10000, 0x01000000, 0x7fffffff, 0x80000000, 0xffffffff };

    for (size_t i = 0; i < n_samples; i++) {
        const Sample *s = &samples[i];
        g_autofree uint8_t *copy = g_memdup2(s->bytes, s->n);
        g_autofree void *value = g_malloc(s->size), *again = g_malloc(s->size);

        for (size_t at = 0; at + 4 <= s->n; at += 4) {
            for (size_t k = 0; k < G_N_ELEMENTS(lies); k++) {
                uint32_t be = GUINT32_TO_BE(lies[k]);

                memcpy(copy + at, &be, 4);
                if (proc_decode(s->name, s->xdr, s->size, copy, s->n, value, NULL)) {
                    g_autoptr(GByteArray) one = encoded(s, value);
                    g_autoptr(GByteArray) two = NULL;

                    assert(proc_decode(s->name, s->xdr, s->size, one->data, one->len, again, NULL));
                    two = encoded(s, again);
                    assert(one->len == two->len && memcmp(one->data, two->data, one->len) == 0);
                    proc_free(s->xdr, again);
                    proc_free(s->xdr, value);
                }
            }
            memcpy(copy + at, s->bytes + at, 4);
        }
    }
}

/* An all-zero C struct either encodes or says what is missing. */
static void test_zero_struct_does_not_crash(void)
{
    for (size_t i = 0; i < n_samples; i++) {
        const Sample *s = &samples[i];
        g_autofree void *value = g_malloc0(s->size);
        g_autoptr(GByteArray) out = g_byte_array_new();
        g_autoptr(GError) err = NULL;

        if (!proc_encode(s->name, s->xdr, value, out, BIG, &err))
            assert(error_is(err, VIR_ERR_RPC) && out->len == 0);
        proc_free(s->xdr, value);
    }
}

static const Sample *find(const char *name)
{
    for (size_t i = 0; i < n_samples; i++) {
        if (strcmp(samples[i].name, name) == 0)
            return &samples[i];
    }
    abort();
}

static void test_huge_count_allocates_nothing(void)
{
    /* a list of 16384 domains is within its bound, but the message is 8 bytes */
    static const uint8_t list[8] = { 0, 0, 0x40, 0 };
    remote_connect_list_all_domains_ret ret = { 0 };
    char *budget;
    XDR x;

    xdr_decoder_init(&x, list, sizeof(list));
    budget = x.x_public;
    assert(!xdr_remote_connect_list_all_domains_ret(&x, &ret));
    assert(x.x_public == budget);
    assert(!ret.domains.domains_val && ret.domains.domains_len == 0);
    expect_refusal(find("remote connect_list_all_domains ret empty"), list, sizeof(list), "it is too short");

    /* above its bound */
    static const uint8_t above[8] = { 0, 0, 0x40, 1 };

    expect_refusal(find("remote connect_list_all_domains ret empty"), above, sizeof(above), "more items than allowed");
}

static void test_memory_is_in_proportion_to_the_message(void)
{
    /* 16384 stats records of 64 bytes in memory, 28 on the wire: fine; the budget is spent */
    const Sample *s = find("remote connect_get_all_domain_stats ret empty");
    g_autoptr(GByteArray) big = g_byte_array_new();
    remote_connect_get_all_domain_stats_ret ret;
    uint32_t n = GUINT32_TO_BE(16384);
    XDR x;

    g_byte_array_append(big, (uint8_t *)&n, 4);
    g_byte_array_set_size(big, 4 + 16384 * 28);
    memset(big->data + 4, 0, big->len - 4);
    xdr_decoder_init(&x, big->data, big->len);
    x.x_public = (char *)(size_t)100000; /* what a much smaller message may use */
    memset(&ret, 0, sizeof(ret));
    assert(!s->xdr(&x, &ret));
    assert(strstr(xdr_failure(&x), "too much memory"));
    proc_free(s->xdr, &ret);

    assert(proc_decode("stats", s->xdr, s->size, big->data, big->len, &ret, NULL));
    assert(ret.retStats.retStats_len == 16384);
    proc_free(s->xdr, &ret);
}

static void test_nul_in_text_is_refused(void)
{
    static const uint8_t bytes[] = { 0, 0, 0, 3, 'a', 0, 'b', 0 };

    expect_refusal(find("remote domain_lookup_by_name args empty"), bytes, sizeof(bytes), "NUL");
}

static void test_optional_mark(void)
{
    static const uint8_t bytes[] = { 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0 };

    expect_refusal(find("remote connect_open args empty"), bytes, sizeof(bytes), "optional");
}

static void test_unknown_union_tag(void)
{
    /* one parameter: name "", tag 8 */
    static const uint8_t bytes[] = { 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0 };

    expect_refusal(find("remote connect_set_identity args empty"), bytes, sizeof(bytes), "unknown type");
}

static void test_numbers_on_the_wire(void)
{
    static const struct {
        double d;
        uint8_t wire[8];
    } doubles[] = { { 1.0, { 0x3f, 0xf0 } }, { -2.5, { 0xc0, 0x04 } }, { 0, { 0 } } };
    g_autoptr(GByteArray) out = g_byte_array_new();
    uint64_t big = 0x0102030405060708u;
    short small = -2;
    bool yes = true;
    XDR x;

    for (size_t i = 0; i < G_N_ELEMENTS(doubles); i++) {
        double d = doubles[i].d;

        g_byte_array_set_size(out, 0);
        xdr_encoder_init(&x, out, 8);
        assert(xdrb_double(&x, &d) && xdr_remaining(&x) == 0);
        assert(memcmp(out->data, doubles[i].wire, 8) == 0);
    }
    g_byte_array_set_size(out, 0);
    xdr_encoder_init(&x, out, 100);
    assert(xdrb_uhyper(&x, &big) && xdrb_short(&x, &small) && xdrb_bool(&x, &yes));
    assert(memcmp(out->data, "\1\2\3\4\5\6\7\10\377\377\377\376\0\0\0\1", 16) == 0);
    xdr_decoder_init(&x, "\0\1\0\0", 4);
    assert(!xdrb_short(&x, &small));
    xdr_decoder_init(&x, "\0\0\0\2", 4);
    assert(!xdrb_bool(&x, &yes));
}

static void test_nothing_is_encoded(void)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    XDR x;

    xdr_encoder_init(&x, out, 0);
    assert(xdrb_opaque_fixed(&x, NULL, 0));
    xdr_encoder_done(&x);
    assert(out->len == 0);
}

static void test_encoder_keeps_its_limit(void)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    g_autoptr(GError) err = NULL;
    net_error e = { .code = 1, .message = "a text that is longer than what fits" };

    g_byte_array_append(out, (const uint8_t *)"head", 4);
    assert(!proc_encode("error", (xdrproc_t)xdr_net_error, &e, out, 40, &err));
    assert(strstr(err->message, "too long"));
    assert(out->len == 4);
    assert(proc_encode("error", (xdrproc_t)xdr_net_error, &e, out, 400, NULL));
    assert(out->len > 4 && memcmp(out->data, "head", 4) == 0);
}

static void test_too_long_list_is_not_sent(void)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    g_autoptr(GError) err = NULL;
    g_autofree u_char *map = g_malloc0(REMOTE_CPUMAP_MAX + 1);
    remote_domain_pin_vcpu_args a = { .dom = { .name = "x" } };

    a.cpumap.cpumap_len = REMOTE_CPUMAP_MAX + 1;
    a.cpumap.cpumap_val = map;
    assert(!proc_encode("pin", (xdrproc_t)xdr_remote_domain_pin_vcpu_args, &a, out, BIG, &err));
    assert(strstr(err->message, "more items than allowed"));
    a.cpumap.cpumap_len = REMOTE_CPUMAP_MAX;
    assert(proc_encode("pin", (xdrproc_t)xdr_remote_domain_pin_vcpu_args, &a, out, BIG, NULL));
}

static void test_no_payload(void)
{
    g_autoptr(GByteArray) out = g_byte_array_new();

    assert(proc_decode("ping", NULL, 0, NULL, 0, NULL, NULL));
    assert(!proc_decode("ping", NULL, 0, "\0\0\0\0", 4, NULL, NULL));
    assert(proc_encode("ping", NULL, NULL, out, 0, NULL) && out->len == 0);
}

static void test_foreign_stream_is_refused(void)
{
    struct xdr_ops ops = { 0 };
    XDR x = { .x_op = XDR_DECODE, .x_ops = &ops };
    int n = 0;

    assert(!xdrb_int(&x, &n));
    x.x_op = XDR_ENCODE;
    assert(!xdrb_int(&x, &n));
}

int main(void)
{
    assert(n_samples > 1300);
    test_samples_survive();
    test_cut_payload_is_refused();
    test_left_over_is_refused();
    test_lies_do_no_harm();
    test_zero_struct_does_not_crash();
    test_huge_count_allocates_nothing();
    test_memory_is_in_proportion_to_the_message();
    test_nul_in_text_is_refused();
    test_optional_mark();
    test_unknown_union_tag();
    test_numbers_on_the_wire();
    test_nothing_is_encoded();
    test_encoder_keeps_its_limit();
    test_too_long_list_is_not_sent();
    test_no_payload();
    test_foreign_stream_is_refused();
    return 0;
}
