/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control group of a guest, /machine/qemu-3-NAME.libvirt-qemu: the emulator as a whole, with a child
 * for each vCPU, each I/O thread and for what else it does ("vcpu0", "iothread1", "emulator"). Its name
 * follows from the definition and the id, so it is found again without a record of it; where systemd-machined made it
 * (machined.h), it is that scope, which is on record. Where the host
 * has no such groups, or we may not make them, guests run without; what needs one is then refused with
 * the words that users know.
 *
 * The values are those of the definition: KiB, microseconds; which file of which version keeps them is
 * known here alone. Any thread.
 */
#pragma once

#include "drivers/common/domain.h"
#include "drivers/qemu/config.h"
#include "util/cgroup.h"

struct QemuStatus;
struct Start;
struct Run;

/* Looks for the host's trees; before guests are loaded. NULL err: never fails, then there are none. */
void guest_cgroups_init(const QemuConfig *c);
void guest_cgroups_done(void);
/* The group of a running guest, with the controllers that it has, maybe none; never NULL. */
Cgroup *guest_cgroup(const DomainView *v);
Cgroup *guest_cgroup_of(const DomainDef *live, const struct QemuStatus *s);
/* Would guests that are started now have this controller? */
bool guest_cgroups_have(CgroupController c);

/* Steps of a start (start.h). */
bool start_cgroup(struct Start *s, GError **err);
void start_tell_cgroup(const struct Start *s, GPtrArray *lines);
void start_tell_placement(const struct Start *s, GPtrArray *lines);
bool start_check_cgroup(const struct Start *s, GError **err);
void start_undo_cgroup(const struct Run *r);

/* Processor. child NULL: the whole guest. period 0, quota 0: leave; quota negative: no limit. */
bool guest_cgroup_set_shares(const Cgroup *g, uint64_t shares, GError **err);
bool guest_cgroup_get_shares(const Cgroup *g, uint64_t *ret, GError **err);
bool guest_cgroup_set_quota(const Cgroup *g, const char *child, uint64_t period, int64_t quota,
                            GError **err);
bool guest_cgroup_get_quota(const Cgroup *g, const char *child, uint64_t *ret_period,
                            int64_t *ret_quota, GError **err);
void guest_cgroup_shares_range(bool v2, uint64_t *min, uint64_t *max);
enum { CGROUP_DEFAULT_PERIOD = 100000 };
/* cpuset.cpus; without that controller nothing is done. */
bool guest_cgroup_set_cpus(const Cgroup *g, const char *child, const Bitmap *cpus, GError **err);
bool guest_cgroup_set_mems(const Cgroup *g, const char *child, const Bitmap *nodes, GError **err);
/* Nanoseconds. */
typedef struct CgroupTimes {
    uint64_t total, user, system;
} CgroupTimes;
bool guest_cgroup_times(const Cgroup *g, CgroupTimes *ret, GError **err);
/* Of one group, by CPU of the host; of uint64_t. VIR_ERR_OPERATION_UNSUPPORTED: version 2 does not tell. */
GArray *guest_cgroup_cpu_times(const Cgroup *g, const char *child, GError **err);

/* Memory, KiB; GUEST_MEMORY_UNLIMITED: no limit. */
#define GUEST_MEMORY_UNLIMITED 9007199254740991ULL /* as protocol and documents have it */
typedef enum CgroupLimit { CGROUP_HARD, CGROUP_SOFT, CGROUP_SWAP_HARD } CgroupLimit;
bool guest_cgroup_set_limit(const Cgroup *g, CgroupLimit which, uint64_t kib, GError **err);
bool guest_cgroup_get_limit(const Cgroup *g, CgroupLimit which, uint64_t *ret, GError **err);

/* Block devices. */
typedef enum CgroupRate {
    CGROUP_WEIGHT,
    CGROUP_READ_IOPS,
    CGROUP_WRITE_IOPS,
    CGROUP_READ_BYTES,
    CGROUP_WRITE_BYTES
} CgroupRate;
bool guest_cgroup_set_weight(const Cgroup *g, unsigned weight, GError **err);
bool guest_cgroup_get_weight(const Cgroup *g, unsigned *ret, GError **err);
/* path: of a block device; value 0: none. */
bool guest_cgroup_set_rate(const Cgroup *g, const char *path, CgroupRate which, uint64_t value,
                           GError **err);
