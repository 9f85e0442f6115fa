/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors of images that a client gave to a domain under a name: <source fdgroup='NAME'/>. */
#pragma once

#include <stdbool.h>

#include <glib.h>

typedef struct Guest Guest;

/* Copies of the descriptors of a group, appended to fds (int; the caller's to close). Any thread. */
bool fd_groups_copy(Guest *g, const char *name, GArray *fds, GError **err);
/* Emulators lock images on the open files that their copies share with ours, so a lock outlives its emulator.
 * For a domain that does not run. */
void fd_groups_unlock(Guest *g);
void fd_groups_done(Guest *g);
