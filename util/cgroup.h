/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Control groups, of both versions and of a host that mixes them: each controller is in one tree, and
 * a group is one path in all trees. A controller that the host does not have, or where we may not make
 * groups, is simply missing from a group: who needs it asks cgroup_has().
 *
 * In a tree of version 2 the threads of a process can be divided among groups for cpu and cpuset only:
 * child groups made by cgroup_make_child() are threaded there.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef enum CgroupController {
    CGROUP_CPU,
    CGROUP_CPUACCT,
    CGROUP_CPUSET,
    CGROUP_MEMORY,
    CGROUP_BLKIO,
    CGROUP_CONTROLLER_N,
} CgroupController;
#define CGROUP_BIT(c) (1u << (c))
enum { CGROUP_ALL = (1u << CGROUP_CONTROLLER_N) - 1 };
/* As configuration files write it; -1: none of ours. */
const char *cgroup_controller_name(CgroupController c);
int cgroup_controller_from_name(const char *name);

/* Where the controllers are; immutable. */
typedef struct CgroupHost CgroupHost;
/* Reads a mountinfo file (NULL: that of this process); wanted: CGROUP_BIT() of those to look for. root
 * (NULL: "") goes before each mount point, for tests. */
CgroupHost *cgroup_host_detect(const char *mountinfo, const char *root, unsigned wanted,
                               GError **err);
void cgroup_host_free(CgroupHost *h);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgroupHost, cgroup_host_free)
unsigned cgroup_host_controllers(const CgroupHost *h);

/* A group that exists; immutable but for what the kernel keeps in it. Refers to its host. */
typedef struct Cgroup Cgroup;
/* Makes it ("/machine/guest") and what is missing above it. Controllers of which a group cannot be made
 * because we may not are left out; other failures undo what was made. It may be there already. */
Cgroup *cgroup_make(const CgroupHost *h, const char *path, GError **err);
/* One that was made before: with the controllers that have it. Never fails; may have none. */
Cgroup *cgroup_open(const CgroupHost *h, const char *path);
Cgroup *cgroup_copy(const Cgroup *g);
void cgroup_free(Cgroup *g); /* the structure only */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Cgroup, cgroup_free)
/* Removes the group and its children, once no process is in them. */
bool cgroup_remove(const Cgroup *g, GError **err);

const char *cgroup_path(const Cgroup *g);
bool cgroup_has(const Cgroup *g, CgroupController c);
bool cgroup_is_v2(const Cgroup *g, CgroupController c);

bool cgroup_add_process(const Cgroup *g, pid_t pid, GError **err);
/* A group below, for threads: cpu, cpuacct and cpuset. It may be there already. */
bool cgroup_make_child(const Cgroup *g, const char *child, GError **err);
void cgroup_remove_child(const Cgroup *g, const char *child);
bool cgroup_add_thread(const Cgroup *g, const char *child, pid_t tid, GError **err);

/* A file of the group (child NULL) or of a child. Read: without the newline at the end. */
bool cgroup_read(const Cgroup *g, const char *child, CgroupController c, const char *file,
                 char **ret, GError **err);
bool cgroup_write(const Cgroup *g, const char *child, CgroupController c, const char *file,
                  const char *value, GError **err);
bool cgroup_exists(const Cgroup *g, const char *child, CgroupController c, const char *file);
