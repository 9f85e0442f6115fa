/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module is NAME.so in the module directory and has one symbol, its Driver or its table of
 * functions. Loop thread. */
#include "daemons/module.h"

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

const Driver *module_load(const char *name, GError **err)
{
    return module_symbol(name, DRIVER_SYMBOL, err);
}
