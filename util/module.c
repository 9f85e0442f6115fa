/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module is NAME.so in the module directory and shows one or two symbols: tables of functions. */
#include "util/module.h"

#include <dlfcn.h>

#include "util/error.h"
#include "util/paths.h"

const void *module_symbol(const char *name, const char *symbol, GError **err)
{
    g_autofree char *path = g_strdup_printf("%s/%s.so", paths()->modules, name);
    /* NOW: a missing symbol shows here and not in the middle of a call. */
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    const void *found;

    if (!handle) {
        error_set(err, VIR_ERR_NO_SUPPORT, "cannot load module: %s", dlerror());
        return NULL;
    }
    found = dlsym(handle, symbol);
    if (!found)
        error_set(err, VIR_ERR_NO_SUPPORT, "module '%s' is none of its kind: it has no symbol '%s'", path, symbol);
    return found;
}
