/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module is NAME.so in the module directory and has one symbol, its Driver. Before threads. */
#include "daemons/module.h"

#include <dlfcn.h>

#include "util/error.h"
#include "util/paths.h"

const Driver *module_load(const char *name, GError **err)
{
    g_autofree char *path = g_strdup_printf("%s/%s.so", paths()->modules, name);
    /* NOW: a missing symbol shows here and not in the middle of a call. */
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    const Driver *driver;

    if (!handle) {
        error_set(err, VIR_ERR_NO_SUPPORT, "cannot load driver module: %s", dlerror());
        return NULL;
    }
    driver = dlsym(handle, DRIVER_SYMBOL);
    if (!driver)
        error_set(err, VIR_ERR_NO_SUPPORT,
                  "module '%s' is no driver: it has no symbol '" DRIVER_SYMBOL "'", path);
    return driver;
}
