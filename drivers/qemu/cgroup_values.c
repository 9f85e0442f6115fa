/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values in the kernel's control files (cgroup.h). Version 1 has a file per value; version 2 keeps
 * quota and period in one, and counts swap apart from memory. Any thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "drivers/qemu/cgroup.h"
#include "util/error.h"

enum { DEFAULT_WEIGHT = 100 };

static bool bad_content(const char *file, const char *text, GError **err)
{
    error_set(err, VIR_ERR_INTERNAL_ERROR, "'%s' of the control group holds '%s'", file, text);
    return false;
}

static bool write_u64(const Cgroup *g, const char *child, CgroupController c, const char *file,
                      uint64_t v, GError **err)
{
    g_autofree char *text = g_strdup_printf("%" PRIu64, v);
    return cgroup_write(g, child, c, file, text, err);
}

static bool read_u64(const Cgroup *g, const char *child, CgroupController c, const char *file,
                     uint64_t *ret, GError **err)
{
    g_autofree char *text = NULL;

    if (!cgroup_read(g, child, c, file, &text, err))
        return false;
    return g_ascii_string_to_unsigned(text, 10, 0, UINT64_MAX, ret, NULL) ||
           bad_content(file, text, err);
}

/* Processor ------------------------------------------------------------------------------------ */

static const char *shares_file(const Cgroup *g)
{
    return cgroup_is_v2(g, CGROUP_CPU) ? "cpu.weight" : "cpu.shares";
}

void guest_cgroup_shares_range(bool v2, uint64_t *min, uint64_t *max)
{
    *min = v2 ? 1 : 2;
    *max = v2 ? 10000 : 262144;
}

bool guest_cgroup_set_shares(const Cgroup *g, uint64_t shares, GError **err)
{
    uint64_t min, max;

    guest_cgroup_shares_range(cgroup_is_v2(g, CGROUP_CPU), &min, &max);
    if (shares < min || shares > max) {
        error_set(err, VIR_ERR_INVALID_ARG,
                  "shares '%" PRIu64 "' must be in range [%" PRIu64 ", %" PRIu64 "]", shares, min,
                  max);
        return false;
    }
    return write_u64(g, NULL, CGROUP_CPU, shares_file(g), shares, err);
}

bool guest_cgroup_get_shares(const Cgroup *g, uint64_t *ret, GError **err)
{
    return read_u64(g, NULL, CGROUP_CPU, shares_file(g), ret, err);
}

static bool set_quota_v1(const Cgroup *g, const char *child, uint64_t period, int64_t quota,
                         GError **err)
{
    uint64_t old = 0;

    if (period && (!read_u64(g, child, CGROUP_CPU, "cpu.cfs_period_us", &old, err) ||
                   !write_u64(g, child, CGROUP_CPU, "cpu.cfs_period_us", period, err)))
        return false;
    if (!quota)
        return true;
    g_autofree char *text = g_strdup_printf("%" PRId64, MAX(quota, -1));
    if (cgroup_write(g, child, CGROUP_CPU, "cpu.cfs_quota_us", text, err))
        return true;
    if (period)
        (void)write_u64(g, child, CGROUP_CPU, "cpu.cfs_period_us", old, NULL); /* both or none */
    return false;
}

static bool set_quota_v2(const Cgroup *g, const char *child, uint64_t period, int64_t quota,
                         GError **err)
{
    uint64_t now_period;
    int64_t now_quota;

    if (!guest_cgroup_get_quota(g, child, &now_period, &now_quota, err))
        return false;
    if (!period)
        period = now_period;
    if (!quota)
        quota = now_quota;
    g_autofree char *text = quota < 0 ? g_strdup_printf("max %" PRIu64, period)
                                      : g_strdup_printf("%" PRId64 " %" PRIu64, quota, period);
    return cgroup_write(g, child, CGROUP_CPU, "cpu.max", text, err);
}

bool guest_cgroup_set_quota(const Cgroup *g, const char *child, uint64_t period, int64_t quota,
                            GError **err)
{
    if (!period && !quota)
        return true;
    return cgroup_is_v2(g, CGROUP_CPU) ? set_quota_v2(g, child, period, quota, err)
                                       : set_quota_v1(g, child, period, quota, err);
}

bool guest_cgroup_get_quota(const Cgroup *g, const char *child, uint64_t *ret_period,
                            int64_t *ret_quota, GError **err)
{
    g_autofree char *text = NULL;
    char word[24];

    if (cgroup_is_v2(g, CGROUP_CPU)) {
        *ret_period = CGROUP_DEFAULT_PERIOD;
        if (!cgroup_read(g, child, CGROUP_CPU, "cpu.max", &text, err))
            return false;
        if (sscanf(text, "%23s %" SCNu64, word, ret_period) < 1)
            return bad_content("cpu.max", text, err);
        if (g_str_equal(word, "max"))
            *ret_quota = -1;
        else if (!g_ascii_string_to_signed(word, 10, 1, INT64_MAX, ret_quota, NULL))
            return bad_content("cpu.max", text, err);
        return true;
    }
    if (!read_u64(g, child, CGROUP_CPU, "cpu.cfs_period_us", ret_period, err) ||
        !cgroup_read(g, child, CGROUP_CPU, "cpu.cfs_quota_us", &text, err))
        return false;
    return g_ascii_string_to_signed(text, 10, -1, INT64_MAX, ret_quota, NULL) ||
           bad_content("cpu.cfs_quota_us", text, err);
}

static bool set_list(const Cgroup *g, const char *child, const char *file, const Bitmap *list,
                     GError **err)
{
    if (!cgroup_has(g, CGROUP_CPUSET))
        return true;
    g_autofree char *text = bitmap_format(list);
    return cgroup_write(g, child, CGROUP_CPUSET, file, text, err);
}

bool guest_cgroup_set_cpus(const Cgroup *g, const char *child, const Bitmap *cpus, GError **err)
{
    return set_list(g, child, "cpuset.cpus", cpus, err);
}

bool guest_cgroup_set_mems(const Cgroup *g, const char *child, const Bitmap *nodes, GError **err)
{
    /* What is there already moves along; always so in version 2. */
    if (cgroup_has(g, CGROUP_CPUSET) && !cgroup_is_v2(g, CGROUP_CPUSET))
        (void)cgroup_write(g, child, CGROUP_CPUSET, "cpuset.memory_migrate", "1", NULL);
    return set_list(g, child, "cpuset.mems", nodes, err);
}

/* "user 12\nsystem 3" and the like; 0 when it is not there. */
static uint64_t member(const char *text, const char *name)
{
    for (const char *line = text; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
        if (g_str_has_prefix(line, name) && line[strlen(name)] == ' ')
            return g_ascii_strtoull(line + strlen(name) + 1, NULL, 10);
    return 0;
}

bool guest_cgroup_times(const Cgroup *g, CgroupTimes *ret, GError **err)
{
    g_autofree char *text = NULL;

    if (cgroup_is_v2(g, CGROUP_CPUACCT)) {
        if (!cgroup_read(g, NULL, CGROUP_CPUACCT, "cpu.stat", &text, err))
            return false;
        *ret = (CgroupTimes){ .total = member(text, "usage_usec") * 1000,
                              .user = member(text, "user_usec") * 1000,
                              .system = member(text, "system_usec") * 1000 };
        return true;
    }
    uint64_t tick = 1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK);
    if (!read_u64(g, NULL, CGROUP_CPUACCT, "cpuacct.usage", &ret->total, err) ||
        !cgroup_read(g, NULL, CGROUP_CPUACCT, "cpuacct.stat", &text, err))
        return false;
    ret->user = member(text, "user") * tick;
    ret->system = member(text, "system") * tick;
    return true;
}

GArray *guest_cgroup_cpu_times(const Cgroup *g, const char *child, GError **err)
{
    g_autofree char *text = NULL;

    if (cgroup_is_v2(g, CGROUP_CPUACCT)) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED,
                  "control groups of version 2 do not count per CPU");
        return NULL;
    }
    if (!cgroup_read(g, child, CGROUP_CPUACCT, "cpuacct.usage_percpu", &text, err))
        return NULL;
    GArray *times = g_array_new(false, false, sizeof(uint64_t));
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    for (char **w = words; *w; w++) {
        uint64_t v = g_ascii_strtoull(*w, NULL, 10);
        if (**w)
            g_array_append_val(times, v);
    }
    return times;
}

/* Memory --------------------------------------------------------------------------------------- */

static const char *const limit_v1[] = {
    [CGROUP_HARD] = "memory.limit_in_bytes",
    [CGROUP_SOFT] = "memory.soft_limit_in_bytes",
    [CGROUP_SWAP_HARD] = "memory.memsw.limit_in_bytes",
};
static const char *const limit_v2[] = {
    [CGROUP_HARD] = "memory.max",
    [CGROUP_SOFT] = "memory.high",
    [CGROUP_SWAP_HARD] = "memory.swap.max",
};

/* Version 1 says "no limit" as the largest number of whole pages. */
static uint64_t to_kib(uint64_t bytes)
{
    enum { LARGEST_PAGE_KIB = 64 };
    uint64_t kib = bytes / 1024;
    return kib + LARGEST_PAGE_KIB >= INT64_MAX / 1024 ? GUEST_MEMORY_UNLIMITED : kib;
}

static bool read_limit_v2(const Cgroup *g, CgroupLimit which, uint64_t *ret, GError **err)
{
    g_autofree char *text = NULL;
    uint64_t bytes;

    if (!cgroup_read(g, NULL, CGROUP_MEMORY, limit_v2[which], &text, err))
        return false;
    if (g_str_equal(text, "max")) {
        *ret = GUEST_MEMORY_UNLIMITED;
        return true;
    }
    if (!g_ascii_string_to_unsigned(text, 10, 0, UINT64_MAX, &bytes, NULL))
        return bad_content(limit_v2[which], text, err);
    *ret = to_kib(bytes);
    return true;
}

bool guest_cgroup_set_limit(const Cgroup *g, CgroupLimit which, uint64_t kib, GError **err)
{
    bool v2 = cgroup_is_v2(g, CGROUP_MEMORY);
    const char *file = v2 ? limit_v2[which] : limit_v1[which];
    uint64_t hard = 0;

    if (kib > GUEST_MEMORY_UNLIMITED) {
        error_set(err, VIR_ERR_INVALID_ARG, "Memory '%" PRIu64 "' must be less than %" PRIu64, kib,
                  (uint64_t)GUEST_MEMORY_UNLIMITED);
        return false;
    }
    if (kib == GUEST_MEMORY_UNLIMITED)
        return cgroup_write(g, NULL, CGROUP_MEMORY, file, v2 ? "max" : "-1", err);
    /* The definition's value is for memory and swap together. */
    if (v2 && which == CGROUP_SWAP_HARD) {
        if (!read_limit_v2(g, CGROUP_HARD, &hard, err))
            return false;
        kib -= MIN(hard, kib);
    }
    return write_u64(g, NULL, CGROUP_MEMORY, file, kib * 1024, err);
}

bool guest_cgroup_get_limit(const Cgroup *g, CgroupLimit which, uint64_t *ret, GError **err)
{
    uint64_t hard = 0;

    if (cgroup_is_v2(g, CGROUP_MEMORY)) {
        if (!read_limit_v2(g, which, ret, err))
            return false;
        if (which != CGROUP_SWAP_HARD || *ret == GUEST_MEMORY_UNLIMITED)
            return true;
        if (!read_limit_v2(g, CGROUP_HARD, &hard, err))
            return false;
        *ret = hard == GUEST_MEMORY_UNLIMITED ? hard : *ret + hard;
        return true;
    }
    /* A kernel need not count swap. */
    if (which == CGROUP_SWAP_HARD && !cgroup_exists(g, NULL, CGROUP_MEMORY, limit_v1[which])) {
        *ret = GUEST_MEMORY_UNLIMITED;
        return true;
    }
    if (!read_u64(g, NULL, CGROUP_MEMORY, limit_v1[which], ret, err))
        return false;
    *ret = to_kib(*ret);
    return true;
}

/* Block devices -------------------------------------------------------------------------------- */

/* Which file a kernel has depends on its schedulers of I/O. */
static const char *weight_file(const Cgroup *g, bool device)
{
    static const char *const v1[] = { "blkio.weight", "blkio.bfq.weight", NULL };
    static const char *const v1_device[] = { "blkio.weight_device", "blkio.bfq.weight_device",
                                             NULL };
    static const char *const v2[] = { "io.bfq.weight", "io.weight", NULL };
    const char *const *name = cgroup_is_v2(g, CGROUP_BLKIO) ? v2 : device ? v1_device : v1;

    while (*name && !cgroup_exists(g, NULL, CGROUP_BLKIO, *name))
        name++;
    return *name;
}

static bool no_weight(GError **err)
{
    error_set(err, VIR_ERR_OPERATION_INVALID,
              "blkio weight is valid only for bfq or cfq scheduler");
    return false;
}

bool guest_cgroup_set_weight(const Cgroup *g, unsigned weight, GError **err)
{
    const char *file = weight_file(g, false);

    if (!file)
        return no_weight(err);
    g_autofree char *text =
        g_strdup_printf("%s%u", cgroup_is_v2(g, CGROUP_BLKIO) ? "default " : "", weight);
    return cgroup_write(g, NULL, CGROUP_BLKIO, file, text, err);
}

bool guest_cgroup_get_weight(const Cgroup *g, unsigned *ret, GError **err)
{
    const char *file = weight_file(g, false);
    g_autofree char *text = NULL;

    if (!file)
        return no_weight(err);
    if (!cgroup_read(g, NULL, CGROUP_BLKIO, file, &text, err))
        return false;
    /* "default 100", or the number alone. */
    uint64_t v =
        g_ascii_isdigit(*text) ? g_ascii_strtoull(text, NULL, 10) : member(text, "default");
    *ret = (unsigned)MIN(v ? v : DEFAULT_WEIGHT, UINT32_MAX);
    return true;
}

static bool device_number(const char *path, char **ret, GError **err)
{
    struct stat st;

    if (stat(path, &st) < 0) {
        error_set(err, VIR_ERR_SYSTEM_ERROR, "Path '%s' is not accessible: %s", path,
                  g_strerror(errno));
        return false;
    }
    if (!S_ISBLK(st.st_mode)) {
        error_set(err, VIR_ERR_SYSTEM_ERROR, "Path '%s' must be a block device", path);
        return false;
    }
    *ret = g_strdup_printf("%u:%u", major(st.st_rdev), minor(st.st_rdev));
    return true;
}

static bool set_device_weight(const Cgroup *g, const char *device, uint64_t value, GError **err)
{
    const char *file = weight_file(g, true);
    g_autofree char *text = g_strdup_printf("%s %" PRIu64, device, value);

    if (file && cgroup_write(g, NULL, CGROUP_BLKIO, file, text, NULL))
        return true;
    error_set(err, VIR_ERR_OPERATION_INVALID,
              "blkio device weight is valid only for cfq scheduler");
    return false;
}

bool guest_cgroup_set_rate(const Cgroup *g, const char *path, CgroupRate which, uint64_t value,
                           GError **err)
{
    static const struct {
        const char *v1, *v2;
    } names[] = {
        [CGROUP_READ_IOPS] = { "blkio.throttle.read_iops_device", "riops" },
        [CGROUP_WRITE_IOPS] = { "blkio.throttle.write_iops_device", "wiops" },
        [CGROUP_READ_BYTES] = { "blkio.throttle.read_bps_device", "rbps" },
        [CGROUP_WRITE_BYTES] = { "blkio.throttle.write_bps_device", "wbps" },
    };
    g_autofree char *device = NULL, *text = NULL;

    if (!device_number(path, &device, err))
        return false;
    if (which == CGROUP_WEIGHT)
        return set_device_weight(g, device, value, err);
    if (!cgroup_is_v2(g, CGROUP_BLKIO)) {
        text = g_strdup_printf("%s %" PRIu64, device, value);
        return cgroup_write(g, NULL, CGROUP_BLKIO, names[which].v1, text, err);
    }
    text = value ? g_strdup_printf("%s %s=%" PRIu64, device, names[which].v2, value)
                 : g_strdup_printf("%s %s=max", device, names[which].v2);
    return cgroup_write(g, NULL, CGROUP_BLKIO, "io.max", text, err);
}
