/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Heads of images: formats, sizes, what lies below; and nothing beyond the buffer. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/fd.h"
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
    g_auto(ImageInfo) info = { 0 };
    g_autoptr(GError) err = NULL;
    uint64_t alone = 0;

    assert(g_str_equal(image_format(h, len), format));
    assert(image_probe(NULL, h, len, 4096, &info, &err) && !err);
    assert(g_str_equal(info.format, format));
    assert(info.has_capacity == (capacity != 0) && info.capacity == capacity);
    assert(image_capacity(format, h, len, 4096, &alone) == info.has_capacity && alone == capacity);
    assert(g_strcmp0(info.backing, backing) == 0 && g_strcmp0(info.backing_format, backing_format) == 0);
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

/* What else clients see of a qcow2 image. */
static void test_qcow2_details(void)
{
    uint8_t h[HEAD];
    g_auto(ImageInfo) new = { 0 }, old = { 0 };

    make_qcow2(h, 3, "base.img", "raw");
    put_be(h + 20, 16, 4);                /* cluster bits */
    put_be(h + 32, 2, 4);                 /* LUKS */
    put_be(h + 72, 1 | 4 | 8 | 16, 8);    /* dirty, external data, compression, subclusters */
    put_be(h + 80, 1, 8);                 /* lazy reference counts */
    put_be(h + 88, 2, 8);                 /* the data file is raw */
    put_be(h + 100, 112, 4);
    h[104] = 1;                           /* zstd */
    memset(h + 105, 0, 100);
    put_be(h + 112, 0x44415441, 4);
    put_be(h + 116, 8, 4);
    memcpy(h + 120, "data.raw", 8);
    put_be(h + 128, 0xe2792aca, 4);
    put_be(h + 132, 5, 4);
    memcpy(h + 136, "qcow2", 5);
    assert(image_probe(NULL, h, HEAD, 0, &new, NULL));
    assert(new.cluster_size == 65536 && new.encryption == IMAGE_LUKS && g_str_equal(new.compat, "1.1"));
    assert(new.dirty && !new.corrupt && new.external_data && new.external_data_raw && new.extended_l2);
    assert(new.lazy_refcounts && g_str_equal(new.compression, "zstd"));
    assert(g_str_equal(new.data_file, "data.raw") && g_str_equal(new.backing_format, "qcow2"));

    make_qcow2(h, 2, NULL, NULL);
    put_be(h + 20, 40, 4); /* no such clusters */
    put_be(h + 32, 1, 4);
    assert(image_probe("qcow2", h, HEAD, 0, &old, NULL));
    assert(old.cluster_size == 0 && old.encryption == IMAGE_QCOW_AES && g_str_equal(old.compat, "0.10"));
    assert(!old.external_data && !old.lazy_refcounts);
}

static void test_encrypted_raw(void)
{
    uint8_t h[HEAD] = { 0 };
    g_auto(ImageInfo) one = { 0 }, two = { 0 }, cut = { 0 };

    memcpy(h, "LUKS\xba\xbe\0\1", 8);
    put_be(h + 104, 4, 4);
    assert(image_probe("raw", h, HEAD, 1 << 20, &one, NULL));
    assert(one.encryption == IMAGE_LUKS && one.capacity == (1 << 20) - 4 * 512 && g_str_equal(one.format, "raw"));
    assert(image_probe("raw", h, HEAD, 512, &cut, NULL) && cut.capacity == 512);
    h[7] = 2;
    assert(image_probe(NULL, h, HEAD, 1 << 20, &two, NULL));
    assert(two.encryption == IMAGE_LUKS2 && two.capacity == 1 << 20);
}

static int temporary(void)
{
    g_autofree char *path = g_strdup("/tmp/test-image-XXXXXX");
    int fd = g_mkstemp(path);

    assert(fd >= 0 && unlink(path) == 0);
    return fd;
}

/* Formats that tell their size far from the head. */
static void test_files(void)
{
    auto_fd fd = temporary(), apple = temporary(), dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g_auto(ImageInfo) info = { 0 }, dmg = { 0 }, d = { 0 };
    uint8_t b[512] = "vhdxfile";

    assert(pwrite(fd, b, 8, 0) == 8);
    memset(b, 0, sizeof(b));
    memcpy(b, "regi", 4);
    put_le(b + 8, 1, 4);
    memcpy(b + 16, "\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e", 16);
    put_le(b + 32, 1 << 20, 8);
    assert(pwrite(fd, b, 64, 192 * 1024) == 64);
    memset(b, 0, sizeof(b));
    memcpy(b, "metadata", 8);
    put_le(b + 10, 1, 2);
    memcpy(b + 32, "\x24\x42\xa5\x2f\x1b\xcd\x76\x48\xb2\x11\x5d\xbe\xd8\x3b\xf4\xb8", 16);
    put_le(b + 48, 65536, 4);
    assert(pwrite(fd, b, 64, 1 << 20) == 64);
    put_le(b, SIZE, 8);
    assert(pwrite(fd, b, 8, (1 << 20) + 65536) == 8);
    assert(image_probe_fd(fd, NULL, &info, NULL));
    assert(g_str_equal(info.format, "vhd") && info.has_capacity && info.capacity == SIZE);

    memset(b, 0, sizeof(b));
    memcpy(b, "koly", 4);
    put_be(b + 0x1ec, 7, 8);
    assert(pwrite(apple, b, 512, 8192) == 512);
    assert(image_probe_fd(apple, "dmg", &dmg, NULL) && dmg.has_capacity && dmg.capacity == 7 * 512);
    assert(image_probe_fd(dir, NULL, &d, NULL) && g_str_equal(d.format, "dir") && !d.has_capacity);
}

/* A raw image that a guest made look like another is raw to those who know that it is. */
static void test_known_format_wins(void)
{
    uint8_t h[HEAD];
    g_auto(ImageInfo) info = { 0 };
    uint64_t got = 0;

    make_qcow2(h, 3, "/etc/shadow", "raw");
    assert(image_capacity("raw", h, HEAD, 4096, &got) && got == 4096);
    assert(image_probe("raw", h, HEAD, 4096, &info, NULL) && !info.backing && !info.compat);
    assert(!image_capacity("vdi", h, HEAD, 4096, &got));
}

/* Every cut and many wrong lengths: no read beyond the buffer (the sanitizer looks), no nonsense believed. */
/* Documents and answers name the image below: what cannot be in one is no name. */
static void test_names_that_no_document_holds(void)
{
    static const char *const names[] = { "a\x01" "b", "a\nb", "\xff\xfe", "\xc2\x85", "\xef\xbf\xbe" };
    uint8_t h[HEAD];

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_auto(ImageInfo) info = { 0 };
        g_autoptr(GError) err = NULL;
        make_qcow2(h, 3, names[i], NULL);
        assert(!image_probe(NULL, h, sizeof(h), SIZE, &info, &err) && err && !info.backing);
        g_autoptr(GError) err2 = NULL;
        make_qcow2(h, 3, "base", names[i]);
        assert(!image_probe("qcow2", h, sizeof(h), SIZE, &info, &err2) && err2);
    }
}

static void test_hostile(void)
{
    uint8_t h[HEAD];

    make_qcow2(h, 3, "base.img", "raw");
    for (size_t len = 0; len < HEAD; len++) {
        g_autofree uint8_t *cut = g_memdup2(h, len ? len : 1);
        g_auto(ImageInfo) info = { 0 };
        uint64_t got;
        (void)image_format(cut, len);
        (void)image_capacity("qcow2", cut, len, 4096, &got);
        (void)image_probe("qcow2", cut, len, 4096, &info, NULL);
    }
    static const struct {
        uint64_t at, n;
    } wrong[] = { { 1 << 20, 4 }, { 512, 5000 }, { UINT64_MAX, 8 }, { HEAD - 2, 4 } };
    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) err = NULL;
        g_auto(ImageInfo) info = { 0 };
        put_be(h + 8, wrong[i].at, 8);
        put_be(h + 16, wrong[i].n, 4);
        assert(!image_probe("qcow2", h, HEAD, 4096, &info, &err) && err && !info.backing);
    }
    make_qcow2(h, 3, "base.img", "raw");
    put_be(h + 104 + 4, UINT32_MAX, 4); /* an extension that is longer than the file */
    g_auto(ImageInfo) info = { 0 };
    assert(image_probe("qcow2", h, HEAD, 4096, &info, NULL) && info.backing && !info.backing_format);
}

/* What cannot be an image is not opened: opening /dev/ptmx makes a terminal, opening a watchdog starts it. */
static void test_only_images_are_opened(void)
{
    g_autofree char *dir = g_dir_make_tmp("image-XXXXXX", NULL);
    g_autofree char *link = g_build_filename(dir, "link", NULL), *fifo = g_build_filename(dir, "fifo", NULL),
                    *file = g_build_filename(dir, "file", NULL);
    int fd;

    assert(symlink("/dev/ptmx", link) == 0 && mkfifo(fifo, 0600) == 0 && g_file_set_contents(file, "x", 1, NULL));
    assert(image_open(link, O_RDWR) < 0 && errno == ENOTBLK);
    assert(image_open("/dev/null", O_RDONLY) < 0 && errno == ENOTBLK);
    assert(image_open(fifo, O_RDONLY) < 0 && errno == ENOTBLK);
    g_autofree char *gone = g_build_filename(dir, "gone", NULL);
    assert(image_open(gone, O_RDONLY) < 0 && errno == ENOENT);
    assert((fd = image_open(dir, O_RDONLY)) >= 0 && close(fd) == 0);
    assert((fd = image_open(file, O_RDWR)) >= 0 && write(fd, "y", 1) == 1 && close(fd) == 0);
    assert(unlink(link) == 0 && unlink(fifo) == 0 && unlink(file) == 0 && rmdir(dir) == 0);
}

int main(void)
{
    test_only_images_are_opened();
    test_formats();
    test_qcow2_details();
    test_encrypted_raw();
    test_files();
    test_known_format_wins();
    test_hostile();
    test_names_that_no_document_holds();
    return 0;
}
