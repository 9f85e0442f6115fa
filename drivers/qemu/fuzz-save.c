/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A file that is said to be a saved guest. What is read must be written back as it was, in the same
 * room, and be read again as the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "drivers/qemu/save_image.h"
#include "util/fd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_bytes(const void *bytes, size_t n, SaveImage *ret)
{
    auto_fd fd = memfd_create("image", MFD_CLOEXEC);
    g_autoptr(GError) error = NULL;

    if (fd < 0 || fd_write_all(fd, bytes, n) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        abort();
    int kind = save_image_read(fd, ret, &error);
    if ((kind == 1) != !error)
        abort();
    if (kind == 1 && lseek(fd, 0, SEEK_CUR) != (off_t)(SAVE_HEADER_SIZE + (size_t)ret->header.text_len))
        abort();
    return kind;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_auto(SaveImage) a = { 0 }, b = { 0 };

    if (read_bytes(data, size, &a) != 1)
        return 0;
    g_autoptr(GByteArray) again = save_image_format_again(&a, NULL);
    if (!again)
        return 0; /* text without its NUL fills the room to the last byte */
    if (again->len != SAVE_HEADER_SIZE + a.header.text_len || read_bytes(again->data, again->len, &b) != 1)
        abort();
    if (strcmp(a.xml, b.xml) != 0 || g_strcmp0(a.cookie, b.cookie) != 0 || a.header.format != b.header.format ||
        a.header.was_running != b.header.was_running || a.header.swapped != b.header.swapped)
        abort();
    return 0;
}
