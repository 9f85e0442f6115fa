/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What somebody else may do with a file of this host, and who is in the way when it is not enough. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

enum { CREDS_GROUPS_MAX = 64 };

/* A user with all its groups; self: whoever this daemon runs as. */
typedef struct Creds {
    bool self;
    uid_t uid;
    gid_t gid;
    gid_t groups[CREDS_GROUPS_MAX];
    unsigned n_groups;
} Creds;

/* This user with the groups that the host's databases give it. */
void creds_of(uid_t uid, gid_t gid, Creds *ret);
/* May it? mode: F_OK, R_OK, W_OK. 0, or an errno with *ret_why: the component of the path that is missing
 * or in the way, and what is missing ("'/a/b' may not be searched: drwx------ root:root"); NULL where it is
 * the file itself that is not there. */
int access_as(const Creds *as, const char *path, int mode, char **ret_why);
/* Adds it to an error that names the path. */
void access_explain(GError **err, const char *why);
/* "libvirt-qemu:kvm" or "+107:107", either part alone or empty; what it does not name stays. */
bool creds_parse(const char *text, uid_t *uid, gid_t *gid, GError **err);
bool creds_parse_user(const char *name, uid_t *uid, GError **err);
bool creds_parse_group(const char *name, gid_t *gid, GError **err);
