/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loading of the driver module that a daemon serves. */
#pragma once

#include <glib.h>

#include "rpc/driver.h"

/* The module's table; it is never unloaded. NULL and *err. Before there are threads. */
const Driver *module_load(const char *name, GError **err);
