/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guest RAM: -m, memory backends, NUMA nodes and memory devices. All RAM is in a backend object of
 * one of four types; which one follows from huge pages, sharing, source and NUMA policy.
 */
#include <string.h>

#include "drivers/qemu/cmdline-internal.h"

typedef struct Backend { /* one piece of RAM */
    const char *id;          /* object id: "pc.ram", "ram-node0", "memdimm0" */
    const char *file;        /* name of its file below the memory backing directory */
    uint64_t size;           /* bytes */
    int node;                /* guest node, -1: all */
    MemoryAccess access;
    Tristate discard;
    const MemoryDef *device; /* NULL: system RAM */
    bool system;             /* the machine's own, not of a node */
} Backend;

static const QemuMachine *machine_of(const Cmd *c)
{
    return qemu_caps_machine(c->caps, qemu_accel_from_name(enum_name(&virt_type_names, c->def->virt)), c->def->os.machine);
}

static unsigned cell_count(const Cmd *c)
{
    return c->def->cpu ? list_len(c->def->cpu->cells) : 0;
}

bool cmd_uses_ram_backend(const Cmd *c)
{
    const QemuMachine *m = machine_of(c);
    return cell_count(c) == 0 && m && m->default_ram_id;
}

/* KiB of the huge pages for a node, 0: ordinary pages. Without a list, the host's default size. */
static bool huge_page_size(const Cmd *c, int node, uint64_t *ret)
{
    const MemoryBacking *b = c->def->backing;
    const HugePage *general = NULL, *special = NULL;
    *ret = 0;
    if (!b || !b->hugepages)
        return false;
    for (unsigned i = 0; i < list_len(b->pages); i++) {
        const HugePage *p = list_at(b->pages, i);
        if (!p->nodes)
            general = p;
        else if (bitmap_is_set(p->nodes, node < 0 ? 0 : (unsigned)node))
            special = p;
    }
    const HugePage *p = special ? special : general;
    if (!p && list_len(b->pages))
        return false; /* pages are given for other nodes only */
    *ret = p && p->size ? p->size : c->ctx->default_hugepage_kib;
    return *ret > 4; /* "4 KiB" asks for ordinary pages by name */
}

static char *huge_page_path(Cmd *c, uint64_t kib, GError **err)
{
    for (const char *const *m = c->ctx->hugepage_dirs; m && *m; m++) {
        char *end;
        if (g_ascii_strtoull(*m, &end, 10) == kib && *end == ':') {
            g_autofree char *name = cmd_short_name(c);
            return g_build_filename(end + 1, "libvirt", "qemu", name, NULL);
        }
    }
    (void)qemu_refuse(err, "memoryBacking/hugepages: no hugetlbfs with pages of %" G_GUINT64_FORMAT " KiB is mounted", kib);
    return NULL;
}

/* Host nodes that the memory of a guest node must come from; NULL: anywhere. */
static const Bitmap *host_nodes(const Cmd *c, const Backend *b, NumaMode *mode, bool *specific)
{
    const NumaTuning *t = c->def->numatune;
    *specific = false;
    *mode = t ? t->mode : NUMA_STRICT;
    if (b->device && b->device->nodemask) {
        *specific = true;
        *mode = NUMA_STRICT;
        return b->device->nodemask;
    }
    for (unsigned i = 0; t && b->node >= 0 && i < list_len(t->memnodes); i++) {
        const NumaMemnode *m = list_at(t->memnodes, i);
        if (m->cell == (unsigned)b->node) {
            *specific = true;
            *mode = m->mode;
            return m->nodeset;
        }
    }
    return t && t->memory ? t->nodeset : NULL;
}

static JsonObject *node_list(const Bitmap *nodes)
{
    JsonObject *a = json_object_new_array();
    for (int i = bitmap_next(nodes, 0); i >= 0; i = bitmap_next(nodes, (unsigned)i + 1))
        props_append(a, json_object_new_int(i));
    return a;
}

/* Whether this RAM needs an object even where the emulator could do without one. */
static bool backend_is_needed(const Cmd *c, const Backend *b)
{
    uint64_t kib;
    NumaMode mode;
    bool specific;
    const MemoryBacking *mb = c->def->backing;
    (void)host_nodes(c, b, &mode, &specific);
    return huge_page_size(c, b->node, &kib) || specific || b->access != MEMORY_ACCESS_DEFAULT ||
           (mb && (mb->access || mb->source == MEM_SOURCE_FILE || mb->source == MEM_SOURCE_MEMFD));
}

static bool add_backend(Cmd *c, const Backend *b, GError **err)
{
    const MemoryBacking *mb = c->def->backing;
    const MemoryDef *dev = b->device;
    MemoryAccess access = b->access != MEMORY_ACCESS_DEFAULT ? b->access : mb ? (MemoryAccess)mb->access : MEMORY_ACCESS_DEFAULT;
    Tristate discard = b->discard != TRI_ABSENT ? b->discard : mb && mb->discard ? TRI_YES : TRI_ABSENT;
    uint64_t kib = 0;
    bool virtio_mem = dev && dev->model == MEMORY_VIRTIO_MEM;
    bool nvdimm = dev && (dev->model == MEMORY_NVDIMM || dev->model == MEMORY_VIRTIO_PMEM);
    bool huge = dev && dev->pagesize ? (kib = dev->pagesize, dev->pagesize > 4) : !nvdimm && huge_page_size(c, b->node, &kib);
    bool prealloc = huge || (mb && mb->allocation == MEM_ALLOC_IMMEDIATE);
    g_autofree char *path = NULL;
    const char *type = "memory-backend-ram";

    if (dev && dev->model == MEMORY_SGX_EPC) {
        type = "memory-backend-epc";
        prealloc = true;
    } else if (nvdimm && dev->path) {
        type = "memory-backend-file";
        path = g_strdup(dev->path);
        prealloc = dev->model == MEMORY_NVDIMM && !dev->pmem;
    } else if (mb && mb->source == MEM_SOURCE_MEMFD) {
        type = "memory-backend-memfd";
    } else if (huge) {
        type = "memory-backend-file";
        if (!(path = huge_page_path(c, kib, err)))
            return false;
    } else if (access != MEMORY_ACCESS_DEFAULT || (mb && mb->source == MEM_SOURCE_FILE)) {
        g_autofree char *name = cmd_short_name(c);
        type = "memory-backend-file";
        path = g_build_filename(c->ctx->memory_backing_dir, name, b->file, NULL);
    }
    bool is_file = strcmp(type, "memory-backend-file") == 0, is_memfd = strcmp(type, "memory-backend-memfd") == 0;
    if (virtio_mem)
        prealloc = false; /* it grows by itself */
    JsonObject *o = props_new(P_STR("qom-type", type), P_STR("id", b->id));
    if (is_memfd && huge)
        props_add(o, P_BOOL("hugetlb", true), P_UINT("hugetlbsize", kib * 1024));
    props_add(o, P_STR("mem-path", path));
    if (is_file && !nvdimm)
        props_add(o, P_TRI("discard-data", discard));
    if (access != MEMORY_ACCESS_DEFAULT)
        props_add(o, P_BOOL("share", access == MEMORY_ACCESS_SHARED));
    if (b->system && (is_file || is_memfd) && cmd_has(c, QEMU_CAP_X_USE_CANONICAL_PATH_FOR_RAMBLOCK_ID))
        props_add(o, P_BOOL("x-use-canonical-path-for-ramblock-id", false));
    props_add(o, P_YES("prealloc", prealloc), P_UINT_NZ("prealloc-threads", mb ? mb->threads : 0));
    if (virtio_mem && cmd_has(c, QEMU_CAP_MEMORY_BACKEND_RESERVE))
        props_add(o, P_BOOL("reserve", false));
    props_add(o, P_UINT("size", b->size));

    NumaMode mode;
    bool specific;
    const Bitmap *nodes = host_nodes(c, b, &mode, &specific);
    if (nodes && mode != NUMA_RESTRICTIVE) {
        props_add(o, P_OBJ("host-nodes", node_list(nodes)),
                  P_STR("policy", mode == NUMA_INTERLEAVE ? "interleave" : mode == NUMA_PREFERRED ? "preferred" : "bind"));
    }
    if (dev)
        props_add(o, P_YES("pmem", dev->pmem));
    if (nodes && prealloc && mode != NUMA_RESTRICTIVE && cmd_has(c, QEMU_CAP_THREAD_CONTEXT)) {
        g_autofree char *tc = g_strdup_printf("tc-%s", b->id);
        cmd_json(c, "-object", props_new(P_STR("qom-type", "thread-context"), P_STR("id", tc), P_OBJ("node-affinity", node_list(nodes))));
        props_add(o, P_STR("prealloc-context", tc));
    }
    cmd_json(c, "-object", o);
    return true;
}

/* RAM without objects, of machines that know no other. */
static bool plain_memory(Cmd *c, GError **err)
{
    const MemoryBacking *b = c->def->backing;
    uint64_t kib;
    if (b && b->allocation == MEM_ALLOC_IMMEDIATE)
        cmd_arg(c, "-mem-prealloc");
    if (!huge_page_size(c, -1, &kib))
        return true;
    g_autofree char *path = huge_page_path(c, kib, err);
    if (!path)
        return false;
    if (b->allocation != MEM_ALLOC_IMMEDIATE)
        cmd_arg(c, "-mem-prealloc");
    cmd_opt(c, "-mem-path", path);
    return true;
}

static bool nodes_exist(const Cmd *c, const Bitmap *nodes, GError **err)
{
    for (int n = nodes && c->ctx->host_node ? bitmap_next(nodes, 0) : -1; n >= 0; n = bitmap_next(nodes, (unsigned)n + 1)) {
        if (!c->ctx->host_node((unsigned)n))
            return qemu_refuse(err, "numatune: this host has no NUMA node %d", n);
    }
    return true;
}

/* A guest without nodes of its own is one node: pages for "node 0" are then pages for all of it. */
static bool one_page_size(const Cmd *c, GError **err)
{
    const MemoryBacking *b = c->def->backing;
    uint64_t master = 0;
    for (unsigned i = 0; b && b->hugepages && !(c->def->cpu && list_len(c->def->cpu->cells)) && i < list_len(b->pages); i++) {
        const HugePage *p = list_at(b->pages, i);
        if (master && p->size != master)
            return qemu_refuse(err, "memoryBacking/hugepages: pages of %" G_GUINT64_FORMAT " and of %" G_GUINT64_FORMAT " KiB for all of the guest",
                              master, p->size);
        master = p->size;
    }
    return true;
}

static bool tuning_fits_host(const Cmd *c, GError **err)
{
    const NumaTuning *t = c->def->numatune;
    bool ok = !t || !t->memory || nodes_exist(c, t->nodeset, err);
    for (unsigned i = 0; ok && t && i < list_len(t->memnodes); i++)
        ok = nodes_exist(c, ((const NumaMemnode *)list_at(t->memnodes, i))->nodeset, err);
    return ok;
}

bool cmd_memory(Cmd *c, GError **err)
{
    if (!tuning_fits_host(c, err) || !one_page_size(c, err))
        return false;
    const DomainDef *d = c->def;
    uint64_t modules = 0;
    guint pos = 0;
    const MemoryDef *m;
    while ((m = domain_next(d, DEVICE_MEMORY, &pos)))
        modules += m->size;
    if (modules >= d->memory)
        return qemu_refuse(err, "memory: the modules have all of the %" G_GUINT64_FORMAT " KiB", d->memory);
    uint64_t initial = d->memory - modules;
    if (d->max_memory)
        cmd_optf(c, "-m", "size=%" G_GUINT64_FORMAT "k,slots=%u,maxmem=%" G_GUINT64_FORMAT "k", initial,
                 d->memory_slots, d->max_memory);
    else
        cmd_optf(c, "-m", "%" G_GUINT64_FORMAT, (initial + 1023) / 1024);
    if (cmd_uses_ram_backend(c)) {
        Backend b = { .id = machine_of(c)->default_ram_id, .size = initial * 1024, .node = -1, .system = true };
        b.file = b.id;
        return add_backend(c, &b, err);
    }
    return cell_count(c) ? true : plain_memory(c, err);
}

static void cpu_ranges(GString *s, const Bitmap *cpus)
{
    g_autofree char *text = cpus ? bitmap_format(cpus) : NULL;
    g_auto(GStrv) parts = text && *text ? g_strsplit(text, ",", -1) : NULL;
    for (char **p = parts; p && *p; p++)
        g_string_append_printf(s, ",cpus=%s", *p);
}

/* The node whose CPUs reach a node's memory best; -1 when the document does not tell. */
static int node_initiator(const CpuDef *cpu, const NumaCell *cell)
{
    if (cell->cpus && !bitmap_is_empty(cell->cpus))
        return (int)cell->id.v;
    int best = -1;
    uint64_t best_bandwidth = 0, best_latency = UINT64_MAX;
    for (unsigned i = 0; i < list_len(cpu->interconnects); i++) {
        const NumaInterconnect *n = list_at(cpu->interconnects, i);
        if (n->target != cell->id.v || (n->cache.set && n->cache.v))
            continue;
        if (n->bandwidth ? n->value > best_bandwidth : best_bandwidth == 0 && n->value < best_latency) {
            best = (int)n->initiator;
            if (n->bandwidth)
                best_bandwidth = n->value;
            else
                best_latency = n->value;
        }
    }
    for (unsigned i = 0; best < 0 && i < list_len(cpu->cells); i++) {
        const NumaCell *o = list_at(cpu->cells, i);
        if (o->cpus && !bitmap_is_empty(o->cpus))
            best = (int)o->id.v;
    }
    return best;
}

static const char *const hmat_data[2][_HMAT_N] = {
    { NULL, "access-latency", "read-latency", "write-latency" },
    { NULL, "access-bandwidth", "read-bandwidth", "write-bandwidth" },
};
static const char *const hmat_levels[] = { "memory", "first-level", "second-level", "third-level" };

static bool numa_hmat(Cmd *c, const CpuDef *cpu, GError **err)
{
    for (unsigned i = 0; i < list_len(cpu->interconnects); i++) {
        const NumaInterconnect *n = list_at(cpu->interconnects, i);
        unsigned level = n->cache.set ? n->cache.v : 0;
        if (level > 3 || n->type == HMAT_NONE || n->type >= _HMAT_N)
            return qemu_refuse(err, "cpu/numa/interconnects: cache level %u", level);
        const char *data = hmat_data[n->bandwidth ? 1 : 0][n->type];
        if (n->bandwidth)
            cmd_optf(c, "-numa", "hmat-lb,initiator=%u,target=%u,hierarchy=%s,data-type=%s,bandwidth=%" G_GUINT64_FORMAT "K",
                     n->initiator, n->target, hmat_levels[level], data, n->value);
        else
            cmd_optf(c, "-numa", "hmat-lb,initiator=%u,target=%u,hierarchy=%s,data-type=%s,latency=%" G_GUINT64_FORMAT,
                     n->initiator, n->target, hmat_levels[level], data, n->value);
    }
    for (unsigned i = 0; i < list_len(cpu->cells); i++) {
        const NumaCell *cell = list_at(cpu->cells, i);
        for (unsigned k = 0; k < list_len(cell->caches); k++) {
            const NumaCache *n = list_at(cell->caches, k);
            static const char *const assoc[] = { "none", "direct", "complex" };
            static const char *const policy[] = { "none", "write-back", "write-through" };
            cmd_optf(c, "-numa", "hmat-cache,node-id=%u,size=%" G_GUINT64_FORMAT "K,level=%u,associativity=%s,policy=%s,line=%" G_GUINT64_FORMAT,
                     cell->id.v, n->size, n->level, assoc[n->associativity % 3], policy[n->policy % 3], n->line);
        }
    }
    return true;
}

bool cmd_numa(Cmd *c, GError **err)
{
    const CpuDef *cpu = c->def->cpu;
    unsigned n = cell_count(c);
    if (n == 0)
        return true;

    bool hmat = list_len(cpu->interconnects) > 0;
    const QemuMachine *m = machine_of(c);
    bool objects = !(m && m->numa_mem);
    for (unsigned i = 0; i < n; i++) {
        const NumaCell *cell = list_at(cpu->cells, i);
        Backend b = { .node = (int)cell->id.v, .access = (MemoryAccess)cell->mem_access, .discard = cell->discard };
        objects |= backend_is_needed(c, &b);
        hmat |= list_len(cell->caches) > 0;
    }
    objects |= hmat;
    if (!objects && !plain_memory(c, err))
        return false;
    for (unsigned i = 0; i < n; i++) {
        const NumaCell *cell = list_at(cpu->cells, i);
        g_autofree char *id = g_strdup_printf("ram-node%u", cell->id.v);
        GString *s = g_string_new(NULL);
        if (objects && cell->memory) {
            Backend b = { .id = id, .file = id, .size = cell->memory * 1024, .node = (int)cell->id.v,
                          .access = (MemoryAccess)cell->mem_access, .discard = cell->discard };
            if (!add_backend(c, &b, err)) {
                g_string_free(s, TRUE);
                return false;
            }
        }
        g_string_append_printf(s, "node,nodeid=%u", cell->id.v);
        cpu_ranges(s, cell->cpus);
        int initiator = hmat ? node_initiator(cpu, cell) : -1;
        if (initiator >= 0)
            g_string_append_printf(s, ",initiator=%d", initiator);
        if (objects && cell->memory)
            g_string_append_printf(s, ",memdev=%s", id);
        else if (!objects)
            g_string_append_printf(s, ",mem=%" G_GUINT64_FORMAT, (cell->memory + 1023) / 1024);
        cmd_opt(c, "-numa", s->str);
        g_string_free(s, TRUE);
    }
    bool distances = false;
    for (unsigned i = 0; i < n; i++)
        distances |= list_len(((const NumaCell *)list_at(cpu->cells, i))->distances) > 0;
    for (unsigned i = 0; distances && i < n; i++) {
        const NumaCell *cell = list_at(cpu->cells, i);
        for (unsigned j = 0; j < n; j++) {
            const NumaCell *to = list_at(cpu->cells, j);
            unsigned value = i == j ? 10 : 20;
            for (unsigned k = 0; k < list_len(cell->distances); k++) {
                const NumaDistance *x = list_at(cell->distances, k);
                if (x->id == to->id.v && x->value)
                    value = x->value;
            }
            cmd_optf(c, "-numa", "dist,src=%u,dst=%u,val=%u", cell->id.v, to->id.v, value);
        }
    }
    return numa_hmat(c, cpu, err);
}

static JsonObject *memory_device_props(Cmd *c, const MemoryDef *m, const char *memdev, GError **err)
{
    static const char *const drivers[_MEMORY_MODEL_N] = { [MEMORY_DIMM] = "pc-dimm", [MEMORY_NVDIMM] = "nvdimm",
                                                          [MEMORY_VIRTIO_PMEM] = "virtio-pmem-pci",
                                                          [MEMORY_VIRTIO_MEM] = "virtio-mem-pci" };
    if (m->model == MEMORY_NONE || !drivers[m->model]) {
        (void)qemu_refuse(err, "memory device model '%s'", enum_name(&memory_model_names, m->model));
        return NULL;
    }
    bool mem = m->model == MEMORY_VIRTIO_MEM;
    char uuid[37];
    uuid_format(m->uuid.v, uuid);
    g_autoptr(JsonObject) o =
        props_new(P_STR("driver", drivers[m->model]), P_OPT("node", m->node), P_UINT_NZ("label-size", m->label_size * 1024),
                  P_UINT_NZ("block-size", m->block_size * 1024),
                  P_UINT_IF("requested-size", mem && m->requested.set, m->requested.v * 1024),
                  P_STR("uuid", m->uuid.set ? uuid : NULL), P_YES("unarmed", m->model == MEMORY_NVDIMM && m->readonly),
                  P_STR("memdev", memdev), P_YES("prealloc", mem && (m->pagesize > 4 || (c->def->backing && c->def->backing->hugepages))),
                  P_STR("id", m->dev.info.alias));
    if (!cmd_address(c, &m->dev.info, o, err))
        return NULL;
    return g_steal_pointer(&o);
}

bool cmd_memory_device(Cmd *c, const MemoryDef *m, GError **err)
{
    g_autofree char *id = g_strdup_printf("mem%s", m->dev.info.alias);
    Backend b = { .id = id, .file = m->dev.info.alias, .size = m->size * 1024, .node = m->node.set ? (int)m->node.v : -1,
                  .access = m->access, .discard = m->discard, .device = m };
    if (!add_backend(c, &b, err))
        return false;
    if (m->model == MEMORY_SGX_EPC)
        return true; /* named by -machine */
    return cmd_device(c, m->dev.info.alias, memory_device_props(c, m, id, err), err);
}

bool cmd_memory_devices(Cmd *c, GError **err)
{
    guint pos = 0;
    const MemoryDef *m;
    while ((m = domain_next(c->def, DEVICE_MEMORY, &pos))) {
        if (!cmd_memory_device(c, m, err))
            return false;
    }
    return true;
}
