/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files lent to guests: their owner is changed for the time of a run, remembered in the file's own
 * attributes and restored when the last borrower gives the file back. Restarts of ours and of the host are
 * survived: what is remembered is on the file.
 *
 * The attributes are those that today's tools know: trusted.libvirt.security.dac ("+0:+0", the owner
 * before), .ref_dac (how many borrow it), .timestamp_dac (the boot in which; of another one it is void).
 * trusted.modvirt.borrowers has their uuids, so that giving back twice, or what was never borrowed, does
 * nothing.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "util/uuid.h"

/* Changes the owner; *ret_changed (may be NULL): whether it was another. remember false, or a file system that
 * cannot: what it was is not known afterwards. A file that somebody else borrows cannot get a third owner
 * (VIR_ERR_OPERATION_INVALID). A file system that knows no owners is fine. */
bool owner_lend(const char *path, const Uuid borrower, uid_t uid, gid_t gid, bool remember,
                GError **err);
/* Would owner_lend() be refused because others borrow it? */
bool owner_is_free(const char *path, const Uuid borrower, uid_t uid, gid_t gid, GError **err);
/* Gives it back; failures are logged. Without memory it becomes root's, if it is still uid's. */
void owner_return(const char *path, const Uuid borrower, uid_t uid, bool remember);
