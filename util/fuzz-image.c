/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as the head of an image: looked at without and with each format that it could be said to
 * have. An error leaves nothing behind; texts are within their bounds.
 */
#include <stdlib.h>
#include <string.h>

#include "util/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void probe(const char *format, const uint8_t *data, size_t size)
{
    g_auto(ImageInfo) info = { 0 };
    g_autoptr(GError) err = NULL;
    uint64_t alone;
    bool ok = image_probe(format, data, size, size, &info, &err);

    check(ok == (err == NULL));
    check(ok || (!info.backing && !info.data_file));
    if (!ok)
        return;
    check(info.format && (!format || strcmp(info.format, format) == 0));
    check(!info.backing || strlen(info.backing) < 1024);
    check(!info.data_file || info.external_data);
    check(image_capacity(info.format, data, size, size, &alone) == info.has_capacity);
    check(!info.has_capacity || alone == info.capacity);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const formats[] = { NULL, "raw", "qcow", "qcow2", "qed", "vmdk", "cow", "vdi", "vpc", "iso" };

    for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++)
        probe(formats[i], data, size);
    return 0;
}
