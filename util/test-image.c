/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Heads of images: formats, sizes, what lies below; and nothing beyond the buffer. */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "util/image.h"

static void put_be(uint8_t *p, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static void put_le(uint8_t *p, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

enum { HEAD = 1024, SIZE = 20 << 20 };

static void make_qcow2(uint8_t *h, unsigned version, const char *backing,
                       const char *backing_format)
{
    size_t at = version >= 3 ? 104 : 72;

    memset(h, 0, HEAD);
    memcpy(h, "QFI\xfb", 4);
    put_be(h + 4, version, 4);
    put_be(h + 24, SIZE, 8);
    if (version >= 3)
        put_be(h + 100, 104, 4);
    if (backing_format) {
        put_be(h + at, 0x6803f857, 4); /* feature names, which nobody reads: passed over */
        put_be(h + at + 4, 3, 4);
        at += 16;
        put_be(h + at, 0xe2792aca, 4);
        put_be(h + at + 4, strlen(backing_format), 4);
        memcpy(h + at + 8, backing_format, strlen(backing_format));
        at += 16;
    }
    if (backing) {
        put_be(h + 8, 512, 8);
        put_be(h + 16, strlen(backing), 4);
        memcpy(h + 512, backing, strlen(backing));
    }
}

static void assert_image(const uint8_t *h, size_t len, const char *format, uint64_t capacity,
                         const char *backing, const char *backing_format)
{
    g_autofree char *name = NULL, *below = NULL;
    g_autoptr(GError) err = NULL;
    uint64_t got = 0;

    assert(g_str_equal(image_format(h, len), format));
    assert(image_capacity(format, h, len, 4096, &got) == (capacity != 0) && got == capacity);
    assert(image_backing(format, h, len, &name, &below, &err) && !err);
    assert(g_strcmp0(name, backing) == 0 && g_strcmp0(below, backing_format) == 0);
}

static void test_formats(void)
{
    uint8_t h[HEAD];

    make_qcow2(h, 3, "base.img", "raw");
    assert_image(h, HEAD, "qcow2", SIZE, "base.img", "raw");
    make_qcow2(h, 2, "/a/b", NULL);
    assert_image(h, HEAD, "qcow2", SIZE, "/a/b", NULL);
    make_qcow2(h, 3, NULL, NULL);
    assert_image(h, HEAD, "qcow2", SIZE, NULL, NULL);
    put_be(h + 4, 1, 4);
    assert_image(h, HEAD, "qcow", SIZE, NULL, NULL);

    memset(h, 0, HEAD);
    memcpy(h, "KDMV", 4);
    put_le(h + 4, 1, 4);
    put_le(h + 12, SIZE / 512, 8);
    strcpy((char *)h + 0x200, "CID=1\nparentFileNameHint=\"base.vmdk\"\n");
    assert_image(h, HEAD, "vmdk", SIZE, "base.vmdk", NULL);

    memset(h, 0, HEAD);
    memcpy(h, "QED", 4);
    put_le(h + 16, 1 | 4, 8);
    put_le(h + 48, SIZE, 8);
    put_le(h + 56, 64, 4);
    put_le(h + 60, 3, 4);
    memcpy(h + 64, "abc", 3);
    assert_image(h, HEAD, "qed", SIZE, "abc", "raw");

    memset(h, 0, HEAD);
    memcpy(h + 64, "\x7f\x10\xda\xbe", 4);
    put_le(h + 368, SIZE, 8);
    assert_image(h, HEAD, "vdi", SIZE, NULL, NULL);

    memset(h, 0, HEAD);
    assert_image(h, HEAD, "raw", 4096, NULL, NULL);
    assert_image(h, 0, "raw", 4096, NULL, NULL);
}

/* A raw image that a guest made look like another is raw to those who know that it is. */
static void test_known_format_wins(void)
{
    uint8_t h[HEAD];
    uint64_t got = 0;
    char *name, *below;

    make_qcow2(h, 3, "/etc/shadow", "raw");
    assert(image_capacity("raw", h, HEAD, 4096, &got) && got == 4096);
    assert(image_backing("raw", h, HEAD, &name, &below, NULL) && !name && !below);
    assert(!image_capacity("vdi", h, HEAD, 4096, &got));
}

/* Every cut and many wrong lengths: no read beyond the buffer (the sanitizer looks), no nonsense believed. */
static void test_hostile(void)
{
    uint8_t h[HEAD];

    make_qcow2(h, 3, "base.img", "raw");
    for (size_t len = 0; len < HEAD; len++) {
        g_autofree uint8_t *cut = g_memdup2(h, len ? len : 1);
        g_autofree char *name = NULL, *below = NULL;
        uint64_t got;
        (void)image_format(cut, len);
        (void)image_capacity("qcow2", cut, len, 4096, &got);
        (void)image_backing("qcow2", cut, len, &name, &below, NULL);
    }
    static const struct {
        uint64_t at, n;
    } wrong[] = { { 1 << 20, 4 }, { 512, 5000 }, { UINT64_MAX, 8 }, { HEAD - 2, 4 } };
    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) err = NULL;
        char *name = NULL, *below = NULL;
        put_be(h + 8, wrong[i].at, 8);
        put_be(h + 16, wrong[i].n, 4);
        assert(!image_backing("qcow2", h, HEAD, &name, &below, &err) && err && !name);
    }
    make_qcow2(h, 3, "base.img", "raw");
    put_be(h + 104 + 4, UINT32_MAX, 4); /* an extension that is longer than the file */
    g_autofree char *name = NULL, *below = NULL;
    assert(image_backing("qcow2", h, HEAD, &name, &below, NULL) && name && !below);
}

int main(void)
{
    test_formats();
    test_known_format_wins();
    test_hostile();
    return 0;
}
