/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* For Driver.open: SCHEME:///system or :///session is the daemon's only place, whichever it is. uri NULL: that one. */
bool open_own_uri(const char *scheme, const char *word, const char *uri, char **ret_uri, GError **err);
