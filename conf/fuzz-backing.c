/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any text as what an image calls the one below it: an error, or a source that can be written. */
#include <stdlib.h>

#include "conf/backing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *word = g_strndup((const char *)data, size);
    g_autoptr(GError) err = NULL;

    if (!g_utf8_validate(word, -1, NULL))
        return 0;
    g_autoptr(StorageSource) s = backing_parse(word, NULL, &err);
    if (!s != (err != NULL))
        abort();
    if (!s)
        return 0;
    g_autofree char *text = storage_source_format(s, 0, &err);
    if (!text)
        abort();
    return 0;
}
