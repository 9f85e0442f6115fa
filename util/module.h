/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Modules that are loaded by name: drivers, and what a daemon needs only sometimes. */
#pragma once

#include <glib.h>

/* A symbol of module NAME.so in the module directory, which stays loaded. NULL with *err
 * (VIR_ERR_NO_SUPPORT). Before there are threads, or on the loop thread. */
const void *module_symbol(const char *name, const char *symbol, GError **err);
