/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * State files. A write is all or nothing and durable when it returns: temporary file in the same
 * directory, fsync, rename, fsync of the directory. When only the last of these fails, the change is there for
 * everybody who looks, so the call has succeeded; the log says that a power cut could undo it. All calls are relative to a directory fd and
 * follow no symlink in the last component (except state_link itself).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

int state_open_dir(const char *path, unsigned mode, GError **err); /* made when missing */
bool state_write(int dirfd, const char *name, const char *bytes, gsize len, mode_t mode, GError **err);
/* At most max bytes; NULL with VIR_ERR_SYSTEM_ERROR and errno on failure. */
char *state_read(int dirfd, const char *name, gsize max, gsize *ret_len, GError **err);
/* Missing is not an error. The directory is synced. */
bool state_remove(int dirfd, const char *name, GError **err);
bool state_link(int dirfd, const char *name, const char *target, GError **err);
/* Names ending in suffix, sorted, temporary files left out; NULL-terminated. */
char **state_list(int dirfd, const char *suffix, GError **err);
/* Tests: make the n-th following durable step fail with errnum (0: off). */
void state_fail_at(unsigned n, int errnum);
