/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loading of the driver module that a daemon serves. */
#pragma once

#include <glib.h>

#include "rpc/driver.h"

/* A symbol of a module that is no driver; it stays loaded. NULL with *err. Loop thread. */
const void *module_symbol(const char *name, const char *symbol, GError **err);
/* The module's table; it is never unloaded. NULL and *err. Before there are threads. */
const Driver *module_load(const char *name, GError **err);
