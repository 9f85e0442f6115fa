/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of values: any bytes as a sealed one and as one that today's hosts wrote. What opens must be what was
 * sealed; a value that is read from base64 survives being sealed and opened.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/secret/seal.h"
#include "util/error.h"
#include "util/paths.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set_up(void)
{
    static bool done;
    char root[] = "/tmp/fuzz-secret-XXXXXX";

    if (done)
        return;
    done = true;
    if (!mkdtemp(root) || !paths_init(root, false, NULL))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const Uuid uuid = { 1, 2, 3 };
    g_autofree char *text = g_strndup((const char *)data, size), *again = g_memdup2(text, size + 1);
    gsize len = strlen(text);
    g_autoptr(GError) e1 = NULL, e2 = NULL;

    set_up();
    g_autoptr(SecretValue) opened = secret_unseal(uuid, text, len, &e1);
    if (opened || !e1)
        abort(); /* the key is random: nobody guesses what it sealed */
    g_autoptr(SecretValue) v = secret_from_base64(again, len, &e2);
    if (!v != (e2 != NULL))
        abort();
    if (!v)
        return 0;
    g_autofree char *sealed = secret_seal(uuid, v, NULL);
    g_autoptr(SecretValue) back = sealed ? secret_unseal(uuid, sealed, strlen(sealed), NULL) : NULL;
    if (!back || back->len != v->len || memcmp(back->bytes, v->bytes, v->len) != 0)
        abort();
    /* Any single change is found. */
    gsize at = size ? data[0] % strlen(sealed) : 0;
    sealed[at] ^= 1;
    g_autoptr(SecretValue) changed = secret_unseal(uuid, sealed, strlen(sealed), NULL);
    if (changed && sealed[at] != '\n' && (back->len != changed->len || memcmp(back->bytes, changed->bytes, back->len) != 0))
        abort();
    return 0;
}
