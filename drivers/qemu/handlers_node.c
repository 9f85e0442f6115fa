/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's memory as an administrator sets it: how pages are merged, pools of huge pages, sleep. All of it
 * is files of /sys; what the kernel does not have is said to be missing. Workers.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "drivers/common/params.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/host.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/spawn.h"

#define KSM "/sys/kernel/mm/ksm/"

static bool read_number(const char *path, uint64_t *ret, GError **err)
{
    g_autofree char *text = NULL;

    if (!fd_read_file(AT_FDCWD, path, 4096, &text, NULL, err))
        return false;
    if (g_ascii_string_to_unsigned(g_strstrip(text), 10, 0, UINT64_MAX, ret, NULL))
        return true;
    error_set(err, VIR_ERR_INTERNAL_ERROR, "'%s' holds '%s'", path, text);
    return false;
}

static bool write_number(const char *path, uint64_t value, GError **err)
{
    g_autofree char *text = g_strdup_printf("%" PRIu64, value);
    auto_fd fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0 && write(fd, text, strlen(text)) >= 0)
        return true;
    error_set_errno(err, errno, "failed to set '%s' to %" PRIu64, path, value);
    return false;
}

/* Merged pages --------------------------------------------------------------------------------- */

/* own: it can be set. */
static const ParamRow memory_rows[] = {
    { "shm_pages_to_scan", VIR_TYPED_PARAM_UINT, .own = 1 },
    { "shm_sleep_millisecs", VIR_TYPED_PARAM_UINT, .own = 1 },
    { "shm_pages_shared", VIR_TYPED_PARAM_ULLONG },
    { "shm_pages_sharing", VIR_TYPED_PARAM_ULLONG },
    { "shm_pages_unshared", VIR_TYPED_PARAM_ULLONG },
    { "shm_pages_volatile", VIR_TYPED_PARAM_ULLONG },
    { "shm_full_scans", VIR_TYPED_PARAM_ULLONG },
    { "shm_merge_across_nodes", VIR_TYPED_PARAM_UINT, .own = 1 },
};

static char *memory_file(const char *parameter)
{
    return g_strconcat(KSM, parameter + strlen("shm_"), NULL);
}

bool qemu_node_get_memory_parameters(Call *c, const remote_node_get_memory_parameters_args *a,
                                     remote_node_get_memory_parameters_ret *r, GError **err)
{
    g_auto(ParamList) l = { 0 };
    (void)c;
    (void)a;

    for (unsigned i = 0; i < G_N_ELEMENTS(memory_rows); i++) {
        const ParamRow *row = &memory_rows[i];
        g_autofree char *file = memory_file(row->name);
        uint64_t value;
        if (access(file, F_OK) < 0)
            continue; /* kernels differ */
        if (!read_number(file, &value, err))
            return false;
        if (row->type == VIR_TYPED_PARAM_UINT)
            params_add_uint(&l, (unsigned)MIN(value, UINT32_MAX), "%s", row->name);
        else
            params_add_ullong(&l, value, "%s", row->name);
    }
    r->nparams = (int)l.len;
    params_give(&l, &r->params);
    return true;
}

bool qemu_node_set_memory_parameters(Call *c, const remote_node_set_memory_parameters_args *a,
                                     GError **err)
{
    remote_typed_param *params = a->params.params_val;
    (void)c;

    if (!params_check(params, a->params.params_len, memory_rows, G_N_ELEMENTS(memory_rows), err))
        return false;
    /* All or, as far as can be known before, none. */
    for (unsigned pass = 0; pass < 2; pass++) {
        for (u_int i = 0; i < a->params.params_len; i++) {
            g_autofree char *file = memory_file(params[i].field);
            if (!params_row(memory_rows, G_N_ELEMENTS(memory_rows), params[i].field)->own) {
                error_set(err, VIR_ERR_ARGUMENT_UNSUPPORTED, "parameter '%s' not supported",
                          params[i].field);
                return false;
            }
            if (access(file, F_OK) < 0) {
                error_set(err, VIR_ERR_OPERATION_INVALID,
                          "Parameter '%s' is not supported by this kernel", params[i].field);
                return false;
            }
            if (pass == 1 && !write_number(file, params[i].value.u.ui, err))
                return false;
        }
    }
    return true;
}

/* Pools of pages ------------------------------------------------------------------------------- */

static char *pool_file(int cell, unsigned kib)
{
    g_autofree char *node = cell < 0 ? g_strdup("/sys/kernel/mm")
                                     : g_strdup_printf("/sys/devices/system/node/node%d", cell);
    return g_strdup_printf("%s/hugepages/hugepages-%ukB/nr_hugepages", node, kib);
}

static bool size_pool(int cell, unsigned kib, uint64_t count, bool set, GError **err)
{
    g_autofree char *file = pool_file(cell, kib);
    uint64_t before, after;

    if (kib == (unsigned)(sysconf(_SC_PAGESIZE) / 1024)) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "system pages pool can't be modified");
        return false;
    }
    if (access(file, F_OK) < 0) {
        if (cell < 0)
            error_set(err, VIR_ERR_OPERATION_FAILED, "page size %u is not available", kib);
        else
            error_set(err, VIR_ERR_OPERATION_FAILED, "page size %u is not available on node %d",
                      kib, cell);
        return false;
    }
    if (!read_number(file, &before, err))
        return false;
    if (!set && count > UINT64_MAX - before) {
        error_set(err, VIR_ERR_INVALID_ARG, "%" PRIu64 " pages are more than can be counted",
                  count);
        return false;
    }
    uint64_t wanted = set ? count : before + count;
    if (!write_number(file, wanted, err) || !read_number(file, &after, err))
        return false;
    if (after >= wanted)
        return true;
    error_set(err, VIR_ERR_OPERATION_FAILED,
              "Unable to allocate %" PRIu64 " pages. Allocated only %" PRIu64, count,
              after > before ? after - before : 0);
    return false;
}

static bool has_cell(const HostTopology *t, unsigned id)
{
    for (unsigned i = 0; i < t->cells->len; i++)
        if (((const HostCell *)t->cells->pdata[i])->id == id)
            return true;
    return false;
}

bool qemu_node_alloc_pages(Call *c, const remote_node_alloc_pages_args *a,
                           remote_node_alloc_pages_ret *r, GError **err)
{
    const HostTopology *t = host_topology(err);
    bool set = a->flags & VIR_NODE_ALLOC_PAGES_SET;
    (void)c;

    if (!t)
        return false;
    if (a->pageSizes.pageSizes_len != a->pageCounts.pageCounts_len) {
        error_set(err, VIR_ERR_INVALID_ARG, "%u sizes of pages and %u counts",
                  a->pageSizes.pageSizes_len, a->pageCounts.pageCounts_len);
        return false;
    }
    int last = (int)t->cells->len - 1, first = a->startCell;
    if (first < -1 || first > last) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "start cell %d out of range (0-%d)", first, last);
        return false;
    }
    int end = first < 0 ? 0 : (int)MIN((uint64_t)first + a->cellCount, (uint64_t)last + 1);
    for (int cell = first; cell < end; cell++) {
        if (cell >= 0 && !has_cell(t, (unsigned)cell))
            continue;
        for (u_int i = 0; i < a->pageSizes.pageSizes_len; i++) {
            /* Without NUMA there is one cell, and no files of it. */
            if (!size_pool(t->numa ? cell : -1, a->pageSizes.pageSizes_val[i],
                           a->pageCounts.pageCounts_val[i], set, err))
                return false;
            r->ret++;
        }
        if (first < 0)
            break;
    }
    return true;
}

/* Sleep ---------------------------------------------------------------------------------------- */

bool qemu_node_suspend_for_duration(Call *c, const remote_node_suspend_for_duration_args *a,
                                    GError **err)
{
    enum { SHORTEST = 60, START_WAIT = 5 * 1000000 };
    static const char *const words[] = { "Suspend-to-RAM", "Suspend-to-Disk", "Hybrid-Suspend" };
    static const char *const modes[] = { "mem", "disk", "disk" };
    (void)c;

    if (a->target >= G_N_ELEMENTS(words)) {
        error_set(err, VIR_ERR_INVALID_ARG, "unknown target %u of a suspend", a->target);
        return false;
    }
    if (!(host_suspend_modes() & (1u << a->target)) || access("/usr/sbin/rtcwake", X_OK) < 0) {
        error_set(err, VIR_ERR_ARGUMENT_UNSUPPORTED, "%s", words[a->target]);
        return false;
    }
    if (a->duration < SHORTEST) {
        error_set(err, VIR_ERR_INVALID_ARG, "Suspend duration is too short");
        return false;
    }
    g_autofree char *seconds = g_strdup_printf("%" PRIu64, (uint64_t)a->duration);
    const char *argv[] = { "/usr/sbin/rtcwake", "-m", modes[a->target], "-s", seconds, NULL };
    Spawn s = { .argv = argv, .in = -1, .out = -1, .err = -1, .memlock = -1, .new_session = true };
    PidRef pid = PIDREF_NONE;
    if (!spawn_start(&s, &pid, err))
        return false;
    pidref_done(&pid);
    return true;
}
