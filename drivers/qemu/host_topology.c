/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processors, caches and NUMA cells from /sys/devices/system. What the kernel leaves out gets the
 * value that a plain machine would have: one socket, one die, one cell. Numbers are bounded before
 * anything is allocated. Any thread; host_topology() keeps the first answer for good.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/qemu/host.h"
#include "util/error.h"
#include "util/fd.h"

#define CPUS_MAX 16384
#define CELLS_MAX 1024
#define FILE_MAX 65536

static bool read_text(const char *dir, const char *name, char **ret)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    size_t len;

    if (!fd_read_file(AT_FDCWD, path, FILE_MAX, ret, &len, NULL))
        return false;
    g_strchomp(*ret);
    return true;
}

static int64_t read_number(const char *dir, const char *name, int64_t fallback)
{
    g_autofree char *text = NULL;
    char *end;

    if (!read_text(dir, name, &text) || *text == '\0')
        return fallback;
    int64_t v = g_ascii_strtoll(text, &end, 10);
    return end == text ? fallback : v;
}

/* "0-3,7" into numbers below max; ends at the first thing that is not a list. */
static GArray *parse_list(const char *text, unsigned max)
{
    GArray *a = g_array_new(false, false, sizeof(unsigned));

    for (const char *p = text; p && *p;) {
        char *end;
        uint64_t first = g_ascii_strtoull(p, &end, 10), last = first;

        if (end == p || first >= max)
            break;
        if (*end == '-') {
            p = end + 1;
            last = g_ascii_strtoull(p, &end, 10);
            if (end == p || last >= max || last < first)
                break;
        }
        for (unsigned i = (unsigned)first; i <= last; i++)
            g_array_append_val(a, i);
        p = *end == ',' ? end + 1 : end + strlen(end);
    }
    return a;
}

static void cpu_free(void *p)
{
    HostCpu *c = p;

    g_free(c->siblings);
    g_free(c);
}

static void cell_free(void *p)
{
    HostCell *c = p;

    g_array_unref(c->pages);
    g_array_unref(c->distances);
    g_array_unref(c->cpus);
    g_free(c);
}

static void cache_free(void *p)
{
    HostCache *c = p;

    g_free(c->type);
    g_free(c->cpus);
    g_free(c);
}

void host_topology_free(HostTopology *t)
{
    if (!t)
        return;
    g_ptr_array_unref(t->cpus);
    g_ptr_array_unref(t->cells);
    g_ptr_array_unref(t->caches);
    g_free(t);
}

static bool on_list(const GArray *list, unsigned n)
{
    for (unsigned i = 0; i < list->len; i++)
        if (g_array_index(list, unsigned, i) == n)
            return true;
    return false;
}

static void read_cpu(HostTopology *t, const char *cpus, unsigned id, const GArray *online)
{
    g_autofree char *dir = g_strdup_printf("%s/cpu%u", cpus, id);
    HostCpu *c = g_new0(HostCpu, 1);

    c->id = id;
    c->online = online ? on_list(online, id) : read_number(dir, "online", 1) != 0;
    /* Offline processors have no topology. Some boards say -1 for "one package". */
    c->socket = c->online ? (int)MAX(read_number(dir, "topology/physical_package_id", 0), 0) : -1;
    c->die = c->online ? (int)MAX(read_number(dir, "topology/die_id", 0), 0) : -1;
    c->core = c->online ? (int)read_number(dir, "topology/core_id", id) : -1;
    if (!c->online || !read_text(dir, "topology/thread_siblings_list", &c->siblings) || *c->siblings == '\0') {
        g_free(c->siblings);
        c->siblings = g_strdup_printf("%u", id);
    }
    t->online += c->online;
    g_ptr_array_add(t->cpus, c);
}

static int by_size(const void *a, const void *b)
{
    unsigned x = ((const HostPages *)a)->size_kib, y = ((const HostPages *)b)->size_kib;

    return x < y ? -1 : x > y;
}

/* "Node 0 MemTotal:  123 kB" or "MemTotal:  123 kB". */
static bool meminfo_value(const char *text, const char *key, uint64_t *ret)
{
    g_autofree char *label = g_strconcat(key, ":", NULL);

    for (const char *p = text; (p = strstr(p, label)); p++) {
        if (p > text && p[-1] != ' ' && p[-1] != '\n')
            continue;
        *ret = g_ascii_strtoull(p + strlen(label), NULL, 10);
        return true;
    }
    return false;
}

static void read_pages(HostCell *c, const char *hugepages)
{
    uint64_t huge_kib = 0;
    GDir *d = g_dir_open(hugepages, 0, NULL);

    for (const char *name; d && (name = g_dir_read_name(d));) {
        HostPages p = { 0 };

        if (!g_str_has_prefix(name, "hugepages-"))
            continue;
        p.size_kib = (unsigned)g_ascii_strtoull(name + strlen("hugepages-"), NULL, 10);
        g_autofree char *dir = g_build_filename(hugepages, name, NULL);
        p.count = (uint64_t)MAX(read_number(dir, "nr_hugepages", 0), 0);
        if (p.size_kib == 0)
            continue;
        huge_kib += p.count * p.size_kib;
        g_array_append_val(c->pages, p);
    }
    if (d)
        g_dir_close(d);

    HostPages normal = { (unsigned)(sysconf(_SC_PAGESIZE) / 1024), 0 };
    normal.count = c->memory_kib > huge_kib ? (c->memory_kib - huge_kib) / normal.size_kib : 0;
    g_array_append_val(c->pages, normal);
    g_array_sort(c->pages, by_size);
}

static HostCell *cell_new(HostTopology *t, unsigned id)
{
    HostCell *c = g_new0(HostCell, 1);

    c->id = id;
    c->pages = g_array_new(false, true, sizeof(HostPages));
    c->distances = g_array_new(false, true, sizeof(unsigned));
    c->cpus = g_array_new(false, true, sizeof(unsigned));
    g_ptr_array_add(t->cells, c);
    return c;
}

static void read_cell(HostTopology *t, const char *nodes, unsigned id)
{
    g_autofree char *dir = g_strdup_printf("%s/node%u", nodes, id), *huge = g_build_filename(dir, "hugepages", NULL);
    g_autofree char *meminfo = NULL, *list = NULL, *distance = NULL;
    HostCell *c = cell_new(t, id);

    if (read_text(dir, "meminfo", &meminfo))
        (void)meminfo_value(meminfo, "MemTotal", &c->memory_kib);
    read_pages(c, huge);

    if (read_text(dir, "cpulist", &list)) {
        g_autoptr(GArray) all = parse_list(list, CPUS_MAX);
        g_array_append_vals(c->cpus, all->data, all->len);
    } else { /* trees without the list have a link per processor */
        for (unsigned i = 0; i < t->cpus->len; i++) {
            const HostCpu *cpu = t->cpus->pdata[i];
            g_autofree char *link = g_strdup_printf("%s/cpu%u", dir, cpu->id);
            if (access(link, F_OK) == 0)
                g_array_append_val(c->cpus, cpu->id);
        }
    }
    if (read_text(dir, "distance", &distance)) {
        g_auto(GStrv) words = g_strsplit(distance, " ", CELLS_MAX);
        for (char **w = words; *w; w++)
            if (**w) {
                unsigned v = (unsigned)g_ascii_strtoull(*w, NULL, 10);
                g_array_append_val(c->distances, v);
            }
    }
}

static void read_cells(HostTopology *t, const char *root)
{
    g_autofree char *nodes = g_build_filename(root, "sys/devices/system/node", NULL), *list = NULL;

    if (read_text(nodes, "online", &list)) {
        g_autoptr(GArray) ids = parse_list(list, CELLS_MAX);
        for (unsigned i = 0; i < ids->len; i++)
            read_cell(t, nodes, g_array_index(ids, unsigned, i));
    }
    t->numa = t->cells->len > 0;
    if (t->numa)
        return;

    g_autofree char *proc = g_build_filename(root, "proc", NULL), *meminfo = NULL;
    g_autofree char *huge = g_build_filename(root, "sys/kernel/mm/hugepages", NULL);
    HostCell *c = cell_new(t, 0);
    if (read_text(proc, "meminfo", &meminfo))
        (void)meminfo_value(meminfo, "MemTotal", &c->memory_kib);
    read_pages(c, huge);
    for (unsigned i = 0; i < t->cpus->len; i++)
        g_array_append_val(c->cpus, ((const HostCpu *)t->cpus->pdata[i])->id);
}

static int by_level_and_id(const void *a, const void *b)
{
    const HostCache *x = *(HostCache *const *)a, *y = *(HostCache *const *)b;

    return x->level != y->level ? (x->level < y->level ? -1 : 1) : x->id < y->id ? -1 : x->id > y->id;
}

static unsigned parse_cache_size(const char *text)
{
    char *end;
    uint64_t v = g_ascii_strtoull(text, &end, 10);

    return (unsigned)MIN(*end == 'M' ? v * 1024 : *end == 'G' ? v * 1024 * 1024 : v, UINT32_MAX);
}

static void read_caches(HostTopology *t, const char *cpus)
{
    for (unsigned i = 0; i < t->cpus->len; i++) {
        const HostCpu *cpu = t->cpus->pdata[i];

        for (unsigned k = 0; k < 16; k++) {
            g_autofree char *dir = g_strdup_printf("%s/cpu%u/cache/index%u", cpus, cpu->id, k);
            int64_t level = read_number(dir, "level", -1), id = read_number(dir, "id", -1);
            g_autofree char *type = NULL, *size = NULL, *list = NULL;
            bool seen = false;

            if (level < 0)
                break;
            if (level < 3 || id < 0 || !read_text(dir, "type", &type) || !read_text(dir, "size", &size) ||
                !read_text(dir, "shared_cpu_list", &list))
                continue;
            for (unsigned n = 0; n < t->caches->len; n++) {
                const HostCache *c = t->caches->pdata[n];
                seen |= c->id == id && c->level == level;
            }
            if (seen)
                continue;
            HostCache *c = g_new0(HostCache, 1);
            c->id = (unsigned)id;
            c->level = (unsigned)level;
            c->size_kib = parse_cache_size(size);
            c->type = g_strdup(g_str_equal(type, "Unified") ? "both" : g_str_equal(type, "Instruction") ? "code" : "data");
            c->cpus = g_steal_pointer(&list);
            g_ptr_array_add(t->caches, c);
        }
    }
    g_ptr_array_sort(t->caches, by_level_and_id);
}

static const HostCpu *cpu_by_id(const HostTopology *t, unsigned id)
{
    for (unsigned i = 0; i < t->cpus->len; i++)
        if (((const HostCpu *)t->cpus->pdata[i])->id == id)
            return t->cpus->pdata[i];
    return NULL;
}

/* Adds to a set of keys and tells its size. */
static void count_key(GHashTable *set, int64_t a, int64_t b, int64_t c)
{
    g_hash_table_add(set, g_strdup_printf("%" G_GINT64_FORMAT ".%" G_GINT64_FORMAT ".%" G_GINT64_FORMAT, a, b, c));
}

static void count_cell(HostTopology *t, const HostCell *cell)
{
    g_autoptr(GHashTable) sockets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) dies = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) cores = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (unsigned i = 0; i < cell->cpus->len; i++) {
        const HostCpu *c = cpu_by_id(t, g_array_index(cell->cpus, unsigned, i));
        if (!c || !c->online)
            continue;
        g_autoptr(GArray) threads = parse_list(c->siblings, CPUS_MAX);
        t->threads = MAX(t->threads, threads->len);
        count_key(sockets, c->socket, 0, 0);
        count_key(dies, c->socket, c->die, 0);
        count_key(cores, c->socket, c->die, c->core);
    }
    unsigned s = g_hash_table_size(sockets), d = g_hash_table_size(dies), n = g_hash_table_size(cores);
    if (s == 0)
        return; /* memory only */
    t->sockets = MAX(t->sockets, s);
    t->dies = MAX(t->dies, (d + s - 1) / s);
    t->cores = MAX(t->cores, (n + d - 1) / d);
}

HostTopology *host_topology_read(const char *root, GError **err)
{
    g_autoptr(HostTopology) t = g_new0(HostTopology, 1);
    g_autofree char *cpus = g_build_filename(root ? root : "/", "sys/devices/system/cpu", NULL), *present = NULL,
                    *online = NULL;

    t->cpus = g_ptr_array_new_with_free_func(cpu_free);
    t->cells = g_ptr_array_new_with_free_func(cell_free);
    t->caches = g_ptr_array_new_with_free_func(cache_free);
    if (!read_text(cpus, "present", &present)) {
        error_set(err, VIR_ERR_SYSTEM_ERROR, "cannot read which processors are present from '%s'", cpus);
        return NULL;
    }
    g_autoptr(GArray) ids = parse_list(present, CPUS_MAX);
    g_autoptr(GArray) on = read_text(cpus, "online", &online) ? parse_list(online, CPUS_MAX) : NULL;
    for (unsigned i = 0; i < ids->len; i++)
        read_cpu(t, cpus, g_array_index(ids, unsigned, i), on);
    if (t->cpus->len == 0) {
        error_set(err, VIR_ERR_SYSTEM_ERROR, "no processor is present according to '%s'", cpus);
        return NULL;
    }
    read_cells(t, root ? root : "/");
    read_caches(t, cpus);

    t->sockets = t->dies = t->cores = t->threads = 1;
    for (unsigned i = 0; i < t->cells->len; i++)
        count_cell(t, t->cells->pdata[i]);
    return g_steal_pointer(&t);
}

const HostTopology *host_topology(GError **err)
{
    static gsize done;
    static HostTopology *kept;

    if (g_once_init_enter(&done)) {
        kept = host_topology_read(NULL, err);
        g_once_init_leave(&done, 1);
    }
    if (!kept && err && !*err)
        error_set(err, VIR_ERR_SYSTEM_ERROR, "the topology of this host cannot be read");
    return kept;
}
