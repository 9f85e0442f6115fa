/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Heads of disk images (image.h). A format is a row: where its magic bytes stand, and where its size.
 * Images that lie below others are the business of the formats that have them, one function each.
 */
#include "util/image.h"

#include <string.h>

#include "util/error.h"

enum { BACKING_MAX = 1023, SECTOR = 512 };

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
} Format;

#define M(s) s, sizeof(s) - 1
/* clang-format off */
static const Format formats[] = {
    /* The first that fits. */
    { "qcow2", 0,     M("QFI\xfb"),          4,  2, 3, SIZE_BE64,         24 },
    { "qcow",  0,     M("QFI\xfb"),          4,  1, 1, SIZE_BE64,         24 },
    { "qed",   0,     M("QED"),              -1, 0, 0, SIZE_LE64,         48 },
    { "vmdk",  0,     M("KDMV"),             4,  1, 3, SIZE_LE64_SECTORS, 12 },
    { "vdi",   64,    M("\x7f\x10\xda\xbe"), -1, 0, 0, SIZE_LE64,         368 },
    { "vpc",   0,     M("conectix"),         -1, 0, 0, SIZE_BE64,         48 },
    { "vhd",   0,     M("vhdxfile"),         -1, 0, 0, SIZE_NONE,         0 },
    { "ploop", 0,     M("WithoutFreeSpace"), -1, 0, 0, SIZE_LE64_SECTORS, 36 },
    { "ploop", 0,     M("WithouFreSpacExt"), -1, 0, 0, SIZE_LE64_SECTORS, 36 },
    { "bochs", 0,     M("Bochs Virtual HD Image"), -1, 0, 0, SIZE_NONE,   0 },
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

static bool fits(const Format *f, const uint8_t *head, size_t len)
{
    if (len < f->at + f->n || memcmp(head + f->at, f->magic, f->n) != 0)
        return false;
    if (f->version_at < 0)
        return true;
    if (len < (size_t)f->version_at + 4)
        return false;
    uint64_t v = f->size == SIZE_BE64 ? be(head + f->version_at, 4) : le(head + f->version_at, 4);
    return v >= f->version_min && v <= f->version_max;
}

static const Format *find(const uint8_t *head, size_t len)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++)
        if (fits(&formats[i], head, len))
            return &formats[i];
    return NULL;
}

const char *image_format(const uint8_t *head, size_t len)
{
    const Format *f = find(head, len);
    return f ? f->name : "raw";
}

bool image_capacity(const char *format, const uint8_t *head, size_t len, uint64_t size,
                    uint64_t *ret)
{
    if (strcmp(format, "raw") == 0) {
        *ret = size;
        return true;
    }
    const Format *f = find(head, len);
    if (!f || strcmp(f->name, format) != 0)
        return false;
    if (f->size == SIZE_FILE) {
        *ret = size;
        return true;
    }
    if (f->size == SIZE_NONE || len < f->size_at + 8)
        return false;
    uint64_t v = f->size == SIZE_BE64 ? be(head + f->size_at, 8) : le(head + f->size_at, 8);
    if (f->size == SIZE_LE64_SECTORS && __builtin_mul_overflow(v, SECTOR, &v))
        return false;
    *ret = v;
    return true;
}

/* Images below others ----------------------------------------------------------------------------- */

static bool text_at(const uint8_t *head, size_t len, uint64_t at, uint64_t n, char **ret,
                    GError **err)
{
    if (n > BACKING_MAX || at > len || n > len - at || memchr(head + at, '\0', n)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR,
                  "the name of the backing image (%" G_GUINT64_FORMAT " bytes at %" G_GUINT64_FORMAT
                  ") is not within the image's head",
                  n, at);
        return false;
    }
    *ret = g_strndup((const char *)head + at, n);
    return true;
}

/* Of version 2: extensions follow the header, each a type, a length and padding to 8 bytes. */
static void qcow2_backing_format(const uint8_t *head, size_t len, size_t end, char **ret)
{
    enum { HEADER_V2 = 72, HEADER_LENGTH_AT = 100, BACKING_FORMAT = 0xe2792aca, FORMAT_MAX = 16 };
    uint64_t at = be(head + 4, 4) >= 3 && len >= HEADER_LENGTH_AT + 4
                      ? be(head + HEADER_LENGTH_AT, 4)
                      : HEADER_V2;

    while (at <= end && end - at >= 8) {
        uint64_t type = be(head + at, 4), n = be(head + at + 4, 4);
        at += 8;
        if (type == 0 || n > end - at)
            return;
        if (type == BACKING_FORMAT && n <= FORMAT_MAX && !memchr(head + at, '\0', n)) {
            *ret = g_strndup((const char *)head + at, n);
            return;
        }
        at += (n + 7) & ~7ULL;
    }
}

static bool qcow_backing(bool v2, const uint8_t *head, size_t len, char **ret, char **ret_format,
                         GError **err)
{
    enum { NAME_AT = 8, NAME_LEN = 16, HEADER = 20 };

    if (len < HEADER)
        return true;
    uint64_t at = be(head + NAME_AT, 8), n = be(head + NAME_LEN, 4);
    if (at == 0 || n == 0)
        return true;
    if (!text_at(head, len, at, n, ret, err))
        return false;
    if (v2)
        qcow2_backing_format(head, len, MIN(at, len), ret_format);
    return true;
}

static bool qed_backing(const uint8_t *head, size_t len, char **ret, char **ret_format,
                        GError **err)
{
    enum { FEATURES = 16, NAME_AT = 56, HEADER = 64, HAS_BACKING = 1, BACKING_IS_RAW = 4 };

    if (len < HEADER || !(le(head + FEATURES, 8) & HAS_BACKING))
        return true;
    if (!text_at(head, len, le(head + NAME_AT, 4), le(head + NAME_AT + 4, 4), ret, err))
        return false;
    if (le(head + FEATURES, 8) & BACKING_IS_RAW)
        *ret_format = g_strdup("raw");
    return true;
}

/* A text of lines within the file. */
static bool vmdk_backing(const uint8_t *head, size_t len, char **ret)
{
    enum { DESCRIPTOR = 0x200 };
    static const char prefix[] = "parentFileNameHint=\"";

    if (len <= DESCRIPTOR)
        return true;
    g_autofree char *text = g_strndup((const char *)head + DESCRIPTOR, len - DESCRIPTOR);
    const char *at = strstr(text, prefix), *end = at ? strchr(at + sizeof(prefix) - 1, '"') : NULL;
    if (end)
        *ret = g_strndup(at + sizeof(prefix) - 1, (gsize)(end - at) - (sizeof(prefix) - 1));
    return true;
}

bool image_backing(const char *format, const uint8_t *head, size_t len, char **ret,
                   char **ret_format, GError **err)
{
    const Format *f = find(head, len);

    *ret = *ret_format = NULL;
    if (!f || strcmp(f->name, format) != 0)
        return true;
    if (strcmp(format, "qcow2") == 0 || strcmp(format, "qcow") == 0)
        return qcow_backing(strcmp(format, "qcow2") == 0, head, len, ret, ret_format, err);
    if (strcmp(format, "qed") == 0)
        return qed_backing(head, len, ret, ret_format, err);
    return strcmp(format, "vmdk") != 0 || vmdk_backing(head, len, ret);
}
