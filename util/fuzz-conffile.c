/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as a configuration file: a result or an error with a line, nothing else. */
#include <stdlib.h>
#include <string.h>

#include "util/conffile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Conf {
    bool b;
    int64_t i;
    uint64_t u;
    char *s;
    char **l;
} Conf;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ConfFileKey keys[] = {
        { "b", CONFFILE_BOOL, offsetof(Conf, b), "" },
        { "i", CONFFILE_INT, offsetof(Conf, i), "" },
        { "u", CONFFILE_UINT, offsetof(Conf, u), "" },
        { "s", CONFFILE_STRING, offsetof(Conf, s), "" },
        { "l", CONFFILE_STRING_LIST, offsetof(Conf, l), "" },
    };
    Conf c = { 0 };
    g_autoptr(GError) err = NULL;
    bool ok = conffile_parse("fuzz", (const char *)data, size, keys, G_N_ELEMENTS(keys), &c, &err);

    if (ok == (err != NULL) || (err && !g_str_has_prefix(err->message, "fuzz:")))
        abort();
    conffile_clear(keys, G_N_ELEMENTS(keys), &c);
    return 0;
}
