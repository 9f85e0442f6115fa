/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Header and text of saved guests (save_image.h). The header, in the byte order of the host that wrote
 * it: 16 bytes of magic, then 32-bit numbers: version, length of the text, whether the guest ran, the
 * compression, where in the text the cookie begins, 14 unused. The text is the definition, a NUL, and
 * maybe a cookie (what a host knew of the guest besides its definition), a NUL, and zeros. Pure but for
 * reading from a descriptor; any thread.
 */
#include "drivers/qemu/save_image.h"

#include <errno.h>
#include <string.h>

#include "util/enum.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/xml.h"

enum { MAGIC_LEN = 16, VERSION = 2, TEXT_MAX = 2 * XML_SIZE_MAX, CHUNK = 65536 };
enum { AT_VERSION, AT_TEXT, AT_RUNNING, AT_FORMAT, AT_COOKIE, NUMBERS_USED };

static const char magic[] = "LibvirtQemudSave", magic_partial[] = "LibvirtQemudPart";

ENUM_TABLE(save_format_names, "image format", SAVE_FORMAT_N_, "raw", "gzip", "bzip2", "xz", "lzop", "zstd");

int save_format_from_name(const char *name)
{
    return enum_value(&save_format_names, name);
}

const char *save_format_name(SaveFormat f)
{
    return enum_name(&save_format_names, f);
}

static uint32_t number(const uint8_t *bytes, unsigned i, bool swapped)
{
    uint32_t v;

    memcpy(&v, bytes + MAGIC_LEN + i * sizeof(v), sizeof(v));
    return swapped ? GUINT32_SWAP_LE_BE(v) : v;
}

int save_header_parse(const uint8_t bytes[SAVE_HEADER_SIZE], SaveHeader *ret, GError **err)
{
    bool partial = memcmp(bytes, magic_partial, MAGIC_LEN) == 0;
    SaveHeader h = { .complete = !partial };

    if (!partial && memcmp(bytes, magic, MAGIC_LEN) != 0) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "image magic is incorrect");
        return -1;
    }
    h.swapped = number(bytes, AT_VERSION, false) > VERSION;
    uint32_t version = number(bytes, AT_VERSION, h.swapped), format = number(bytes, AT_FORMAT, h.swapped);
    h.text_len = number(bytes, AT_TEXT, h.swapped);
    h.was_running = number(bytes, AT_RUNNING, h.swapped) != 0;
    h.format = format;
    h.cookie_at = number(bytes, AT_COOKIE, h.swapped);
    if (partial) {
        *ret = h;
        error_set(err, VIR_ERR_OPERATION_FAILED, "save image is incomplete");
        return 0;
    }
    if (version > VERSION) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "image version is not supported (%u > %d)",
                  number(bytes, AT_VERSION, false), VERSION);
        return -1;
    }
    if (h.text_len == 0 || h.text_len > TEXT_MAX) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "invalid header data length: %u", h.text_len);
        return -1;
    }
    if (h.cookie_at >= h.text_len) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "the cookie of the image begins at %u, behind its text of %u bytes",
                  h.cookie_at, h.text_len);
        return -1;
    }
    if (format >= SAVE_FORMAT_N_) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "Invalid compressed save format %u", format);
        return -1;
    }
    *ret = h;
    return 1;
}

void save_header_format(const SaveHeader *h, uint8_t ret[SAVE_HEADER_SIZE])
{
    const uint32_t numbers[NUMBERS_USED] = { VERSION, h->text_len, h->was_running, h->format, h->cookie_at };

    memset(ret, 0, SAVE_HEADER_SIZE);
    memcpy(ret, h->complete ? magic : magic_partial, MAGIC_LEN);
    for (unsigned i = 0; i < NUMBERS_USED; i++) {
        uint32_t v = h->swapped ? GUINT32_SWAP_LE_BE(numbers[i]) : numbers[i];
        memcpy(ret + MAGIC_LEN + i * sizeof(v), &v, sizeof(v));
    }
}

static GByteArray *format_with(SaveHeader h, const SaveImage *i)
{
    uint8_t head[SAVE_HEADER_SIZE];
    GByteArray *a = g_byte_array_new();

    h.cookie_at = i->cookie ? (uint32_t)strlen(i->xml) + 1 : 0;
    save_header_format(&h, head);
    g_byte_array_append(a, head, sizeof(head));
    g_byte_array_append(a, (const uint8_t *)i->xml, (guint)strlen(i->xml) + 1);
    if (i->cookie)
        g_byte_array_append(a, (const uint8_t *)i->cookie, (guint)strlen(i->cookie) + 1);
    guint used = a->len, whole = SAVE_HEADER_SIZE + h.text_len;
    g_byte_array_set_size(a, whole);
    memset(a->data + used, 0, whole - used);
    return a;
}

static size_t text_size(const SaveImage *i)
{
    return strlen(i->xml) + 1 + (i->cookie ? strlen(i->cookie) + 1 : 0);
}

GByteArray *save_image_format(const SaveImage *i, GError **err)
{
    size_t size = text_size(i);
    SaveHeader h = { .complete = i->header.complete, .was_running = i->header.was_running, .format = i->header.format };

    if (size > TEXT_MAX - SAVE_ROOM) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "a definition of %zu bytes is too large for an image", size);
        return NULL;
    }
    h.text_len = (uint32_t)size + SAVE_ROOM;
    return format_with(h, i);
}

GByteArray *save_image_format_again(const SaveImage *i, GError **err)
{
    size_t size = text_size(i);

    if (size > i->header.text_len) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "new xml too large to fit in file: %zu bytes, there is room for %u", size,
                  i->header.text_len);
        return NULL;
    }
    return format_with(i->header, i);
}

/* What announces much and has little costs little. */
static bool read_text(int fd, uint32_t len, GByteArray *text)
{
    while (text->len < len) {
        guint have = text->len, n = MIN(len - have, MAX(CHUNK, have));
        g_byte_array_set_size(text, have + n);
        if (fd_read_all(fd, text->data + have, n) != (ssize_t)n)
            return false;
    }
    return true;
}

int save_image_read(int fd, SaveImage *ret, GError **err)
{
    uint8_t head[SAVE_HEADER_SIZE];
    SaveImage i = { 0 };

    ssize_t n = fd_read_all(fd, head, sizeof(head));
    if (n < 0) {
        error_set_errno(err, errno, "cannot read the image");
        return -1;
    }
    if (n < (ssize_t)sizeof(head)) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "failed to read qemu header");
        return 0;
    }
    int kind = save_header_parse(head, &i.header, err);
    if (kind != 1)
        return kind;

    g_autoptr(GByteArray) text = g_byte_array_new();
    if (!read_text(fd, i.header.text_len, text)) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "failed to read domain XML");
        return -1;
    }
    uint32_t xml_max = i.header.cookie_at ? i.header.cookie_at : i.header.text_len;
    i.xml = g_strndup((const char *)text->data, xml_max);
    if (i.header.cookie_at)
        i.cookie = g_strndup((const char *)text->data + xml_max, i.header.text_len - xml_max);
    *ret = i;
    return 1;
}

void save_image_clear(SaveImage *i)
{
    g_clear_pointer(&i->xml, g_free);
    g_clear_pointer(&i->cookie, g_free);
}
