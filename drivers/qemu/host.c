/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Figures of this host: memory, processor times, names. Read from /proc and /sys at each question,
 * because they change; a file that is missing on this kernel is an error that names it. Any thread.
 */
#include "drivers/qemu/host.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/paths.h"
#include "util/state.h"
#include "util/uuid.h"

#define FILE_MAX (1 << 20)

static char *slurp(const char *path, GError **err)
{
    char *text = NULL;
    size_t len;

    return fd_read_file(AT_FDCWD, path, FILE_MAX, &text, &len, err) ? text : NULL;
}

const char *host_arch(void)
{
    static gsize done;
    static char arch[32];

    if (g_once_init_enter(&done)) {
        struct utsname u;
        (void)uname(&u);
        /* Today's names: a 32-bit x86 is i686, whatever its generation. */
        bool ix86 = u.machine[0] == 'i' && strlen(u.machine) == 4 && g_str_has_suffix(u.machine, "86");
        g_strlcpy(arch, ix86 ? "i686" : u.machine, sizeof(arch));
        g_once_init_leave(&done, 1);
    }
    return arch;
}

static unsigned read_cpu_mhz(void)
{
    g_autofree char *info = slurp("/proc/cpuinfo", NULL), *max = NULL;
    const char *p = info ? strstr(info, "cpu MHz") : NULL;

    if (p && (p = strchr(p, ':')))
        return (unsigned)g_ascii_strtoull(p + 1, NULL, 10);
    max = slurp("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", NULL);
    return max ? (unsigned)(g_ascii_strtoull(max, NULL, 10) / 1000) : 0;
}

/* Clock rate: what the kernel prints, else what the driver of the clock says. The kernel makes up all of
 * cpuinfo for whoever opens it, so this is kept for a second. */
static unsigned cpu_mhz(void)
{
    enum { KEEP_USEC = G_USEC_PER_SEC };
    static atomic_uint kept;
    static atomic_uint_fast64_t kept_until;
    uint64_t now = (uint64_t)g_get_monotonic_time();

    if (now >= atomic_load(&kept_until)) {
        atomic_store(&kept, read_cpu_mhz());
        atomic_store(&kept_until, now + KEEP_USEC);
    }
    return atomic_load(&kept);
}

bool host_node_info(HostNodeInfo *ret, GError **err)
{
    const HostTopology *t = host_topology(err);
    if (!t)
        return false;

    *ret = (HostNodeInfo){ .cpus = t->online, .mhz = cpu_mhz() };
    g_strlcpy(ret->model, host_arch(), sizeof(ret->model));
    /* Not the sum of the cells: memory that was added at run time belongs to none of them at first. */
    ret->memory_kib = (uint64_t)sysconf(_SC_PHYS_PAGES) * ((uint64_t)sysconf(_SC_PAGESIZE) / 1024);
    ret->nodes = t->cells->len;
    ret->sockets = t->sockets;
    ret->cores = t->cores * t->dies;
    ret->threads = t->threads;
    /* Clients multiply these: where the machine is not regular, say something that comes out right. */
    if (ret->nodes * ret->sockets * ret->cores * ret->threads < t->cpus->len) {
        ret->nodes = ret->sockets = ret->threads = 1;
        ret->cores = t->cpus->len;
    }
    return true;
}

int host_cpu_map(uint8_t **ret_map, size_t *ret_bytes, unsigned *ret_online, GError **err)
{
    g_autoptr(HostTopology) t = host_topology_read(NULL, err); /* processors come and go */
    unsigned n = 0;

    if (!t)
        return -1;
    for (unsigned i = 0; i < t->cpus->len; i++)
        n = MAX(n, ((const HostCpu *)t->cpus->pdata[i])->id + 1);

    size_t bytes = (n + 7) / 8;
    uint8_t *map = g_malloc0(bytes);
    for (unsigned i = 0; i < t->cpus->len; i++) {
        const HostCpu *c = t->cpus->pdata[i];
        if (c->online)
            map[c->id / 8] |= (uint8_t)(1u << (c->id % 8));
    }
    if (ret_online)
        *ret_online = t->online;
    if (ret_bytes)
        *ret_bytes = bytes;
    if (ret_map)
        *ret_map = map;
    else
        g_free(map);
    return (int)n;
}

bool host_cpu_times(int cpu, HostCpuTimes *ret, GError **err)
{
    g_autofree char *text = slurp("/proc/stat", err);
    g_autofree char *label = cpu < 0 ? g_strdup("cpu ") : g_strdup_printf("cpu%d ", cpu);
    uint64_t tick = G_USEC_PER_SEC * UINT64_C(1000) / (uint64_t)sysconf(_SC_CLK_TCK), v[7] = { 0 };

    if (!text)
        return false;
    if (cpu < -1) {
        error_set(err, VIR_ERR_INVALID_ARG, "there is no processor %d", cpu);
        return false;
    }
    for (const char *p = text; p; p = (p = strchr(p, '\n')) ? p + 1 : NULL) {
        if (!g_str_has_prefix(p, label))
            continue;
        p += strlen(label);
        for (unsigned i = 0; i < G_N_ELEMENTS(v); i++) {
            char *end;
            v[i] = g_ascii_strtoull(p, &end, 10);
            p = end;
        }
        /* user nice system idle iowait irq softirq */
        *ret = (HostCpuTimes){ .kernel = (v[2] + v[5] + v[6]) * tick, .user = (v[0] + v[1]) * tick,
                               .idle = v[3] * tick, .iowait = v[4] * tick };
        return true;
    }
    error_set(err, VIR_ERR_INVALID_ARG, "there is no processor %d", cpu);
    return false;
}

/* "MemFree:" with any prefix on its line; UINT64_MAX when absent. */
static uint64_t meminfo(const char *text, const char *key)
{
    g_autofree char *label = g_strconcat(key, ":", NULL);

    for (const char *p = text; (p = strstr(p, label)); p++)
        if (p == text || p[-1] == ' ' || p[-1] == '\n')
            return g_ascii_strtoull(p + strlen(label), NULL, 10);
    return UINT64_MAX;
}

/* Text of a cell's meminfo. On a host without NUMA cell 0 is the host. */
static char *cell_meminfo(int cell, GError **err)
{
    g_autofree char *path = g_strdup_printf("/sys/devices/system/node/node%d/meminfo", cell);

    if (access(path, R_OK) == 0)
        return slurp(path, err);
    if (cell == 0 && access("/sys/devices/system/node", F_OK) < 0)
        return slurp("/proc/meminfo", err);
    error_set(err, VIR_ERR_INVALID_ARG, "there is no NUMA cell %d on this host", cell);
    return NULL;
}

bool host_memory(int cell, HostMemory *ret, GError **err)
{
    g_autofree char *text = NULL;

    if (cell < -1) {
        error_set(err, VIR_ERR_INVALID_ARG, "there is no NUMA cell %d on this host", cell);
        return false;
    }
    text = cell < 0 ? slurp("/proc/meminfo", err) : cell_meminfo(cell, err);
    if (!text)
        return false;
    *ret = (HostMemory){ meminfo(text, "MemTotal"), meminfo(text, "MemFree"), meminfo(text, "Buffers"),
                         meminfo(text, "Cached") };
    if (cell >= 0)
        ret->buffers = ret->cached = UINT64_MAX;
    if (ret->total == UINT64_MAX || ret->free == UINT64_MAX) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the kernel does not tell how much memory is free");
        return false;
    }
    return true;
}

int host_cells_free(int first, unsigned max, uint64_t *ret, GError **err)
{
    const HostTopology *t = host_topology(err);
    unsigned n = 0;

    if (!t)
        return -1;
    const HostCell *last = t->cells->pdata[t->cells->len - 1];
    if (first < 0 || (unsigned)first > last->id) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "start cell %d out of range (0-%u)", first, last->id);
        return -1;
    }
    for (unsigned id = (unsigned)first; id <= last->id && n < max; id++) {
        HostMemory m;
        /* Ids may have holes: such a cell has nothing free. */
        ret[n++] = host_memory((int)id, &m, NULL) ? m.free * 1024 : 0;
    }
    return (int)n;
}

bool host_free_pages(int cell, unsigned size_kib, uint64_t *ret, GError **err)
{
    unsigned normal = (unsigned)(sysconf(_SC_PAGESIZE) / 1024);

    if (size_kib == normal) {
        HostMemory m;
        if (!host_memory(cell, &m, err))
            return false;
        *ret = m.free / normal;
        return true;
    }

    g_autofree char *path =
        cell < 0 ? g_strdup_printf("/sys/kernel/mm/hugepages/hugepages-%ukB/free_hugepages", size_kib)
                 : g_strdup_printf("/sys/devices/system/node/node%d/hugepages/hugepages-%ukB/free_hugepages", cell, size_kib);
    g_autofree char *text = slurp(path, NULL);
    if (!text) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "page size %u is not available on node %d", size_kib, cell);
        return false;
    }
    *ret = g_ascii_strtoull(text, NULL, 10);
    return true;
}

char *host_hostname(GError **err)
{
    char name[256] = "";

    if (gethostname(name, sizeof(name) - 1) < 0 || !*name) {
        error_set_errno(err, errno, "cannot read this host's name");
        return NULL;
    }
    /* A short name is completed when the resolver knows more about it. */
    if (strchr(name, '.') || g_str_has_prefix(name, "localhost"))
        return g_strdup(name);
    struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_family = AF_UNSPEC }, *info = NULL;
    if (getaddrinfo(name, NULL, &hints, &info) != 0 || !info)
        return g_strdup(name);
    bool useful = info->ai_canonname && strchr(info->ai_canonname, '.') && !g_str_has_prefix(info->ai_canonname, "localhost");
    char *r = g_strdup(useful ? info->ai_canonname : name);
    freeaddrinfo(info);
    return r;
}

static const uint8_t *configured_uuid;

void host_set_uuid(const uint8_t *uuid)
{
    configured_uuid = uuid;
}

static struct {
    bool set;
    uid_t uid;
    gid_t gid;
} guest_user;

void host_set_guest_user(uid_t uid, gid_t gid)
{
    guest_user.set = true;
    guest_user.uid = uid;
    guest_user.gid = gid;
}

uid_t host_guest_uid(void) { return guest_user.set ? guest_user.uid : geteuid(); }
gid_t host_guest_gid(void) { return guest_user.set ? guest_user.gid : getegid(); }

bool host_uuid(uint8_t ret[16], GError **err)
{
    static const char *const firmware[] = { "/sys/devices/virtual/dmi/id/product_uuid", "/sys/class/dmi/id/product_uuid" };
    g_autofree char *kept = NULL;
    gsize len = 0;
    char text[38];

    if (configured_uuid) {
        memcpy(ret, configured_uuid, 16);
        return true;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(firmware); i++) {
        g_autofree char *t = slurp(firmware[i], NULL);
        if (t && uuid_parse(g_strstrip(t), ret) && uuid_is_valid(ret))
            return true;
    }

    /* Boards without one, or where we may not read it: ours, made once and kept. */
    auto_fd dir = state_open_dir(paths()->lib, 0755, err);
    if (dir < 0)
        return false;
    kept = state_read(dir, "host-uuid", 64, &len, NULL);
    if (kept && uuid_parse(g_strstrip(kept), ret) && uuid_is_valid(ret))
        return true;
    uuid_generate(ret);
    uuid_format(ret, text);
    strcat(text, "\n");
    return state_write(dir, "host-uuid", text, strlen(text), 0644, err);
}

unsigned host_suspend_modes(void)
{
    g_autofree char *state = slurp("/sys/power/state", NULL), *disk = slurp("/sys/power/disk", NULL);
    unsigned modes = 0;

    if (!state)
        return 0;
    g_auto(GStrv) words = g_strsplit_set(state, " \n", -1);
    bool mem = g_strv_contains((const char *const *)words, "mem"), hibernate = g_strv_contains((const char *const *)words, "disk");
    if (mem)
        modes |= 1;
    if (hibernate)
        modes |= 2;
    if (mem && hibernate && disk && strstr(disk, "suspend"))
        modes |= 4;
    return modes;
}
