/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Heads of disk images (image.h). A format is a row: where its magic bytes stand, where its size, and a
 * function for what only that format has. Invariant: every offset that the image gives is compared with
 * what is left of the buffer before it is used.
 */
#include "util/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/text.h"

enum { BACKING_MAX = 1023, SECTOR = 512 };

typedef struct Bytes {
    const uint8_t *p;
    size_t len;
} Bytes;

typedef enum SizeKind { SIZE_NONE, SIZE_BE64, SIZE_LE64, SIZE_LE64_SECTORS, SIZE_FILE } SizeKind;

typedef struct Format {
    const char *name;
    size_t at; /* of the magic */
    const char *magic;
    size_t n;
    int version_at; /* big or little endian 32 bits as 'size'; -1: any */
    uint32_t version_min, version_max;
    SizeKind size;
    size_t size_at;
    bool (*more)(Bytes b, ImageInfo *ret, GError **err);
} Format;

static bool qcow_more(Bytes b, ImageInfo *ret, GError **err);
static bool qcow2_more(Bytes b, ImageInfo *ret, GError **err);
static bool qed_more(Bytes b, ImageInfo *ret, GError **err);
static bool cow_more(Bytes b, ImageInfo *ret, GError **err);
static bool vmdk_more(Bytes b, ImageInfo *ret, GError **err);

#define M(s) s, sizeof(s) - 1
/* clang-format off */
static const Format formats[] = {
    /* The first that fits. */
    { "qcow2", 0,     M("QFI\xfb"),          4,  2, 3, SIZE_BE64,         24, qcow2_more },
    { "qcow",  0,     M("QFI\xfb"),          4,  1, 1, SIZE_BE64,         24, qcow_more },
    { "qed",   0,     M("QED"),              -1, 0, 0, SIZE_LE64,         48, qed_more },
    { "vmdk",  0,     M("KDMV"),             4,  1, 3, SIZE_LE64_SECTORS, 12, vmdk_more },
    { "vdi",   64,    M("\x7f\x10\xda\xbe"), -1, 0, 0, SIZE_LE64,         368 },
    { "vpc",   0,     M("conectix"),         -1, 0, 0, SIZE_BE64,         48 },
    { "vhd",   0,     M("vhdxfile"),         -1, 0, 0, SIZE_NONE,         0 },
    { "ploop", 0,     M("WithoutFreeSpace"), -1, 0, 0, SIZE_LE64_SECTORS, 36 },
    { "ploop", 0,     M("WithouFreSpacExt"), -1, 0, 0, SIZE_LE64_SECTORS, 36 },
    { "cow",   0,     M("OOOM"),             4,  2, 2, SIZE_BE64,         1036, cow_more },
    { "bochs", 0,     M("Bochs Virtual HD Image"), 64, 0x10000, 0x10000, SIZE_LE64, 84 },
    { "bochs", 0,     M("Bochs Virtual HD Image"), 64, 0x20000, 0x20000, SIZE_LE64, 88 },
    { "cloop", 0,     M("#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1"),
                                             -1, 0, 0, SIZE_NONE,         0 },
    { "iso",   32769, M("CD001"),            -1, 0, 0, SIZE_FILE,         0 },
};
/* clang-format on */

static uint64_t be(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static uint64_t le(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    for (unsigned i = n; i > 0; i--)
        v = v << 8 | p[i - 1];
    return v;
}

static bool fits(const Format *f, Bytes b)
{
    if (b.len < f->at + f->n || memcmp(b.p + f->at, f->magic, f->n) != 0)
        return false;
    if (f->version_at < 0)
        return true;
    if (b.len < (size_t)f->version_at + 4)
        return false;
    uint64_t v = f->size == SIZE_BE64 ? be(b.p + f->version_at, 4) : le(b.p + f->version_at, 4);
    return v >= f->version_min && v <= f->version_max;
}

static const Format *find(Bytes b)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++)
        if (fits(&formats[i], b))
            return &formats[i];
    return NULL;
}

const char *image_format(const uint8_t *head, size_t len)
{
    const Format *f = find((Bytes){ head, len });
    return f ? f->name : "raw";
}

static void read_capacity(const Format *f, Bytes b, uint64_t size, ImageInfo *ret)
{
    if (f->size == SIZE_FILE) {
        ret->capacity = size;
        ret->has_capacity = true;
        return;
    }
    if (f->size == SIZE_NONE || b.len < f->size_at + 8)
        return;
    uint64_t v = f->size == SIZE_BE64 ? be(b.p + f->size_at, 8) : le(b.p + f->size_at, 8);
    if (f->size == SIZE_LE64_SECTORS && __builtin_mul_overflow(v, SECTOR, &v))
        return;
    ret->capacity = v;
    ret->has_capacity = true;
}

/* A raw image can be encrypted as a whole; what the guest sees begins behind the header. */
static void raw_more(Bytes b, uint64_t size, ImageInfo *ret)
{
    enum { VERSION = 6, PAYLOAD = 104, HEADER = 592 };

    ret->capacity = size;
    ret->has_capacity = true;
    if (b.len < HEADER || memcmp(b.p, "LUKS\xba\xbe", 6) != 0)
        return;
    uint64_t version = be(b.p + VERSION, 2), payload = be(b.p + PAYLOAD, 4) * SECTOR;
    if (version == 2) {
        ret->encryption = IMAGE_LUKS2;
    } else if (version == 1) {
        ret->encryption = IMAGE_LUKS;
        if (payload <= size)
            ret->capacity = size - payload;
    }
}

bool image_probe(const char *format, const uint8_t *head, size_t len, uint64_t size, ImageInfo *ret,
                 GError **err)
{
    const Bytes b = { head, len };
    const Format *f = find(b);
    g_auto(ImageInfo) info = { .format = f ? f->name : "raw" };

    memset(ret, 0, sizeof(*ret));
    if (format && strcmp(format, info.format) != 0) {
        info.format = format;
        f = NULL;
    }
    if (f) {
        read_capacity(f, b, size, &info);
        if (f->more && !f->more(b, &info, err))
            return false;
    } else if (strcmp(info.format, "raw") == 0) {
        raw_more(b, size, &info);
    }
    if (!text_can_be_said(info.backing) || !text_can_be_said(info.backing_format) || !text_can_be_said(info.data_file)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the name of another image in its head is no text");
        return false;
    }
    *ret = info;
    memset(&info, 0, sizeof(info));
    return true;
}

bool image_capacity(const char *format, const uint8_t *head, size_t len, uint64_t size, uint64_t *ret)
{
    const Bytes b = { head, len };
    const Format *f = find(b);
    ImageInfo info = { .format = format };

    if (strcmp(format, "raw") == 0)
        raw_more(b, size, &info);
    else if (f && strcmp(f->name, format) == 0)
        read_capacity(f, b, size, &info);
    if (info.has_capacity)
        *ret = info.capacity;
    return info.has_capacity;
}

void image_info_done(ImageInfo *i)
{
    g_free(i->backing);
    g_free(i->backing_format);
    g_free(i->data_file);
    memset(i, 0, sizeof(*i));
}

/* What only one format has ------------------------------------------------------------------------- */

static bool text_at(Bytes b, uint64_t at, uint64_t n, char **ret, GError **err)
{
    if (n > BACKING_MAX || at > b.len || n > b.len - at || memchr(b.p + at, '\0', n)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR,
                  "the name of the backing image (%" G_GUINT64_FORMAT " bytes at %" G_GUINT64_FORMAT
                  ") is not within the image's head",
                  n, at);
        return false;
    }
    *ret = g_strndup((const char *)b.p + at, n);
    return true;
}

/* Both versions of qcow have the name at the same place. */
static bool qcow_backing(Bytes b, uint64_t *ret_at, ImageInfo *ret, GError **err)
{
    enum { NAME_AT = 8, NAME_LEN = 16, HEADER = 20 };

    *ret_at = b.len;
    if (b.len < HEADER)
        return true;
    uint64_t at = be(b.p + NAME_AT, 8), n = be(b.p + NAME_LEN, 4);
    if (at == 0 || n == 0)
        return true;
    *ret_at = at;
    return text_at(b, at, n, &ret->backing, err);
}

static bool qcow_more(Bytes b, ImageInfo *ret, GError **err)
{
    enum { CRYPT = 36, CLUSTER_BITS = 32, HEADER = 48 };
    uint64_t at;

    if (b.len >= HEADER) {
        ret->encryption = be(b.p + CRYPT, 4) ? IMAGE_QCOW_AES : IMAGE_NOT_ENCRYPTED;
        ret->cluster_size = b.p[CLUSTER_BITS] >= 9 && b.p[CLUSTER_BITS] <= 16 ? 1ULL << b.p[CLUSTER_BITS] : 0;
    }
    return qcow_backing(b, &at, ret, err);
}

/* Extensions follow the header, each a type, a length and padding to 8 bytes. */
static void qcow2_extensions(Bytes b, uint64_t at, uint64_t end, ImageInfo *ret)
{
    enum { BACKING_FORMAT = 0xe2792aca, DATA_FILE = 0x44415441, FORMAT_MAX = 16 };

    while (at <= end && end - at >= 8) {
        uint64_t type = be(b.p + at, 4), n = be(b.p + at + 4, 4);
        at += 8;
        if (type == 0 || n > end - at)
            return;
        const char *text = (const char *)b.p + at;
        if (type == BACKING_FORMAT && !ret->backing_format && ret->backing && n > 0 && n <= FORMAT_MAX &&
            !memchr(text, '\0', n))
            ret->backing_format = g_strndup(text, n);
        else if (type == DATA_FILE && ret->external_data && !ret->data_file && n > 0 && n <= BACKING_MAX &&
                 !memchr(text, '\0', n))
            ret->data_file = g_strndup(text, n);
        at += (n + 7) & ~7ULL;
    }
}

static void qcow2_features(Bytes b, ImageInfo *ret)
{
    enum { INCOMPATIBLE = 72, COMPATIBLE = 80, AUTOCLEAR = 88, COMPRESSION = 104, HEADER = 104 };
    enum { DIRTY = 1, CORRUPT = 2, EXTERNAL = 4, COMPRESSED_OTHERWISE = 8, EXTENDED_L2 = 16, LAZY = 1, RAW = 2 };

    if (b.len < HEADER)
        return;
    uint64_t in = be(b.p + INCOMPATIBLE, 8);
    ret->dirty = in & DIRTY;
    ret->corrupt = in & CORRUPT;
    ret->external_data = in & EXTERNAL;
    ret->extended_l2 = in & EXTENDED_L2;
    ret->lazy_refcounts = be(b.p + COMPATIBLE, 8) & LAZY;
    ret->external_data_raw = ret->external_data && (be(b.p + AUTOCLEAR, 8) & RAW);
    if ((in & COMPRESSED_OTHERWISE) && b.len > COMPRESSION && b.p[COMPRESSION] == 1)
        ret->compression = "zstd";
}

static bool qcow2_more(Bytes b, ImageInfo *ret, GError **err)
{
    enum { CLUSTER_BITS = 20, CRYPT = 32, HEADER_V2 = 72, HEADER_LENGTH = 100 };
    bool v3 = be(b.p + 4, 4) >= 3; /* the magic and the version are there */
    uint64_t end, at = HEADER_V2;

    ret->compat = v3 ? "1.1" : "0.10";
    ret->compression = "zlib";
    if (b.len >= HEADER_V2) {
        uint64_t bits = be(b.p + CLUSTER_BITS, 4), crypt = be(b.p + CRYPT, 4);
        ret->cluster_size = bits >= 9 && bits <= 21 ? 1ULL << bits : 0;
        ret->encryption = crypt == 1 ? IMAGE_QCOW_AES : crypt == 2 ? IMAGE_LUKS : IMAGE_NOT_ENCRYPTED;
    }
    if (v3)
        qcow2_features(b, ret);
    if (!qcow_backing(b, &end, ret, err))
        return false;
    if (v3 && b.len >= HEADER_LENGTH + 4)
        at = be(b.p + HEADER_LENGTH, 4);
    qcow2_extensions(b, at, MIN(end, b.len), ret);
    return true;
}

static bool qed_more(Bytes b, ImageInfo *ret, GError **err)
{
    enum { CLUSTER_SIZE = 4, FEATURES = 16, NAME_AT = 56, HEADER = 64, HAS_BACKING = 1, BACKING_IS_RAW = 4 };

    if (b.len < HEADER)
        return true;
    ret->cluster_size = le(b.p + CLUSTER_SIZE, 4);
    if (!(le(b.p + FEATURES, 8) & HAS_BACKING))
        return true;
    if (!text_at(b, le(b.p + NAME_AT, 4), le(b.p + NAME_AT + 4, 4), &ret->backing, err))
        return false;
    if (le(b.p + FEATURES, 8) & BACKING_IS_RAW)
        ret->backing_format = g_strdup("raw");
    return true;
}

static bool cow_more(Bytes b, ImageInfo *ret, GError **err)
{
    enum { NAME_AT = 8, NAME_SIZE = 1024 };

    (void)err;
    if (b.len >= NAME_AT + NAME_SIZE && b.p[NAME_AT])
        ret->backing = g_strndup((const char *)b.p + NAME_AT, strnlen((const char *)b.p + NAME_AT, BACKING_MAX));
    return true;
}

/* A text of lines within the file. */
static bool vmdk_more(Bytes b, ImageInfo *ret, GError **err)
{
    enum { DESCRIPTOR = 0x200 };
    static const char prefix[] = "parentFileNameHint=\"";

    (void)err;
    if (b.len <= DESCRIPTOR)
        return true;
    g_autofree char *text = g_strndup((const char *)b.p + DESCRIPTOR, b.len - DESCRIPTOR);
    const char *at = strstr(text, prefix), *end = at ? strchr(at + sizeof(prefix) - 1, '"') : NULL;
    if (end && end - at - (ptrdiff_t)(sizeof(prefix) - 1) <= BACKING_MAX)
        ret->backing = g_strndup(at + sizeof(prefix) - 1, (gsize)(end - at) - (sizeof(prefix) - 1));
    return true;
}

/* Files ------------------------------------------------------------------------------------------- */

static bool read_at(int fd, uint64_t at, void *buf, size_t n)
{
    return at <= INT64_MAX && pread(fd, buf, n, (off_t)at) == (ssize_t)n;
}

/* Apple's images have a trailer of one sector, which counts the sectors. */
static void dmg_capacity(int fd, uint64_t size, ImageInfo *ret)
{
    enum { SECTORS = 0x1ec };
    uint8_t t[SECTOR];
    uint64_t v;

    if (size < SECTOR || !read_at(fd, size - SECTOR, t, sizeof(t)) || memcmp(t, "koly", 4) != 0)
        return;
    if (__builtin_mul_overflow(be(t + SECTORS, 8), SECTOR, &v))
        return;
    ret->capacity = v;
    ret->has_capacity = true;
}

/* A table of regions leads to one of items, among them the size. */
static void vhdx_capacity(int fd, ImageInfo *ret)
{
    enum { TABLE = 192 * 1024, ENTRY = 32, ENTRIES = 2047, HEAD = 16, ITEMS = 64, ITEM_HEAD = 32 };
    static const uint8_t metadata[16] = { 0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b,
                                          0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e };
    static const uint8_t disk_size[16] = { 0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48,
                                           0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8 };
    uint8_t head[HEAD], e[ENTRY];
    uint64_t region = 0;

    if (!read_at(fd, TABLE, head, sizeof(head)) || memcmp(head, "regi", 4) != 0)
        return;
    for (uint64_t i = 0, n = MIN(le(head + 8, 4), ENTRIES); i < n && !region; i++) {
        if (!read_at(fd, TABLE + HEAD + i * ENTRY, e, sizeof(e)))
            return;
        if (memcmp(e, metadata, 16) == 0)
            region = le(e + 16, 8);
    }
    if (!region || region > INT64_MAX / 2 || !read_at(fd, region, head, sizeof(head)) ||
        memcmp(head, "metadata", 8) != 0)
        return;
    for (uint64_t i = 0, n = MIN(le(head + 10, 2), ITEMS); i < n; i++) {
        uint8_t v[8];
        if (!read_at(fd, region + ITEM_HEAD + i * ENTRY, e, sizeof(e)))
            return;
        if (memcmp(e, disk_size, 16) == 0 && read_at(fd, region + le(e + 16, 4), v, sizeof(v))) {
            ret->capacity = le(v, 8);
            ret->has_capacity = true;
            return;
        }
    }
}

int image_open(const char *path, int flags)
{
    auto_fd at = open(path, O_PATH | O_CLOEXEC);

    return at < 0 ? -1 : image_reopen(at, flags);
}

int image_reopen(int at, int flags)
{
    char self[32];
    struct stat st;

    if (fstat(at, &st) < 0)
        return -1;
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISBLK(st.st_mode)) {
        errno = ENOTBLK;
        return -1;
    }
    /* What has been looked at, whatever the path leads to by now. */
    g_snprintf(self, sizeof(self), "/proc/self/fd/%d", at);
    return open(self, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

bool image_probe_fd(int fd, const char *format, ImageInfo *ret, GError **err)
{
    g_autofree uint8_t *head = g_malloc(IMAGE_HEAD_SIZE);
    struct stat st;

    memset(ret, 0, sizeof(*ret));
    if (fstat(fd, &st) < 0) {
        error_set_errno(err, errno, "cannot look at the image");
        return false;
    }
    if (S_ISDIR(st.st_mode)) {
        ret->format = "dir";
        return true;
    }
    off_t end = S_ISBLK(st.st_mode) ? lseek(fd, 0, SEEK_END) : st.st_size;
    ssize_t n = pread(fd, head, IMAGE_HEAD_SIZE, 0);
    if (end < 0 || n < 0) {
        error_set_errno(err, errno, "cannot read the image");
        return false;
    }
    if (!image_probe(format, head, (size_t)n, (uint64_t)end, ret, err))
        return false;
    if (strcmp(ret->format, "vhd") == 0 && n >= 8 && memcmp(head, "vhdxfile", 8) == 0)
        vhdx_capacity(fd, ret);
    else if (strcmp(ret->format, "dmg") == 0)
        dmg_capacity(fd, (uint64_t)end, ret);
    return true;
}
