/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In what two documents of one kind differ, in words. */
#pragma once

#include <glib.h>

/* Lines such as "devices/disk[vda]/source/@file: '/a' becomes '/b'", "devices/interface[52:54:00:00:00:01]:
 * added"; owned strings. The documents are well-formed. A leading line's path is below the root. */
GPtrArray *difference(const char *before, const char *after, GError **err);
