/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The /dev of a guest: a file system of its own, in a mount namespace of its own, with the nodes that every
 * emulator needs (qemu.conf: cgroup_device_acl) and those that its definition names, and no other. What is
 * mounted below the host's /dev (pts, shm, mqueue, hugepages) is there as well.
 *
 * Which guests have one is qemu.conf's `namespaces`: without a word, all of root's daemon where the kernel
 * lets us. It is on record with the run (QemuStatus.private_dev).
 */
#pragma once

#include "conf/domain.h"
#include "drivers/qemu/config.h"
#include "util/spawn.h"

struct Start;
struct QemuStatus;

enum { PRIVATE_DEV_MOUNTS = 64 };

/* One that is being made. */
typedef struct PrivateDev {
    int root; /* the directory of its nodes; -1: the guest has the host's /dev */
    SpawnMount mounts[PRIVATE_DEV_MOUNTS];
    unsigned n_mounts;
} PrivateDev;

/* Shall a guest that starts now have one? False with *ret unset: the configuration asks for what cannot be. */
bool private_dev_decide(bool *ret, GError **err);
/* What the path leads to, when that is a node that such a guest has in its own /dev; else NULL. */
char *private_dev_node(const char *path);
bool private_dev_serves(const char *path);
/* The directory of the nodes of a guest that runs; -1: it has none of its own. -2: failed. To be closed. */
int private_dev_open(const struct QemuStatus *s, GError **err);
/* The node with what leads to it, as it is on the host; nothing for a path that is not served, or is there. */
bool private_dev_add(int root, const char *path, GError **err);
void private_dev_remove(int root, const char *path);
/* Whose the node is; there alone. */
bool private_dev_give(int root, const char *path, uid_t uid, gid_t gid, GError **err);

/* device_nodes.c. All that the device needs, or without one what the rest of the definition needs. */
bool private_dev_add_device(int root, const DomainDef *d, const Device *dev, GError **err);
void device_nodes_tell(const DomainDef *d, GPtrArray *lines);
/* What no other device needs. */
void private_dev_remove_device(int root, const DomainDef *d, const Device *dev);

/* Step of a start (start.h). */
bool start_private_dev(struct Start *s, GError **err);
void start_tell_private_dev(const struct Start *s, GPtrArray *lines);
void private_dev_done(PrivateDev *p);
/* The fixed nodes; NULL-terminated. */
const char *const *private_dev_fixed(void);
