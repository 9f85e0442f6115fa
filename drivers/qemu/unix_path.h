/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unix sockets at paths of any length (sun_path holds 107 bytes, scratch roots are deeper). */
#pragma once

#include <glib.h>

/* A non-blocking stream socket connected to path; -1 and *err on failure. -2: the backlog is full at
 * the moment, try later (no error is set). */
int unix_path_connect(const char *path, GError **err);
/* A listening stream socket at path, which is replaced when it exists; mode of the socket file. */
int unix_path_listen(const char *path, unsigned mode, int backlog, GError **err);
