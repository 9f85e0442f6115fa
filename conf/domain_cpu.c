/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CPU and NUMA topology as rows. */
#include "conf/domain_cpu.h"

#include "conf/device-internal.h"
#include "util/api.h"
#include "util/error.h"

/* clang-format off */
ENUM_TABLE(cpu_mode_names, "cpu mode", _CPU_MODE_N, NULL, "custom", "host-model", "host-passthrough", "maximum");
ENUM_TABLE(cpu_match_names, "cpu match", _CPU_MATCH_N, NULL, "minimum", "exact", "strict");
ENUM_TABLE(cpu_check_names, "cpu check", _CPU_CHECK_N, "default", "none", "partial", "full");
ENUM_TABLE(cpu_fallback_names, "fallback", _CPU_FALLBACK_N, "allow", "forbid");
ENUM_TABLE(cpu_policy_names, "cpu feature policy", _CPU_POLICY_N, NULL, "force", "require", "optional", "disable", "forbid");
ENUM_TABLE(cpu_cache_names, "cpu cache mode", _CPU_CACHE_N, "emulate", "passthrough", "disable");
ENUM_TABLE(cpu_phys_names, "maxphysaddr mode", _CPU_PHYS_N, NULL, "passthrough", "emulate");
ENUM_TABLE(mem_access_names, "memory access", _MEM_ACCESS_N, "default", "shared", "private");
ENUM_TABLE(cache_assoc_names, "cache associativity", _CACHE_ASSOC_N, "none", "direct", "full");
ENUM_TABLE(cache_policy_names, "cache policy", _CACHE_POLICY_N, "none", "writeback", "writethrough");
ENUM_TABLE(hmat_names, "interconnect type", _HMAT_N, NULL, "access", "read", "write");
static const EnumTable interconnect_names = { "interconnect", (const char *const[]){ "latency", "bandwidth" }, 2 };

static const ConfField feature_rows[] = {
    CONF_ENUM(CpuFeature, policy, "@policy", cpu_policy_names, CF_ABI, "whether the guest has it"),
    CONF_STR(CpuFeature, name, "@name", CF_REQUIRED | CF_NOT_EMPTY | CF_ABI, "feature"),
    CONF_PAD(CpuFeature, _pad),
};
static bool feature_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    CpuFeature *f = v;
    if (f->policy == CPU_POLICY_NONE)
        f->policy = CPU_POLICY_REQUIRE;
    return true;
}
CONF_DESC(cpu_feature_desc, CpuFeature, feature_rows, .parsed = feature_parsed);

static const ConfField distance_rows[] = {
    CONF_U32(NumaDistance, id, "@id", CF_REQUIRED | CF_ALWAYS | CF_ABI, "other cell"),
    CONF_U32(NumaDistance, value, "@value", CF_REQUIRED | CF_ALWAYS | CF_ABI, "10 is here"),
};
CONF_DESC(numa_distance_desc, NumaDistance, distance_rows);

static const ConfSize size_line = { 1, 0, "B" };
static const ConfField cache_rows[] = {
    CONF_U32(NumaCache, level, "@level", CF_REQUIRED | CF_ABI, "level", CONF_NUM(num_positive)),
    CONF_ENUM(NumaCache, associativity, "@associativity", cache_assoc_names, CF_REQUIRED | CF_ALWAYS | CF_ABI, "associativity"),
    CONF_ENUM(NumaCache, policy, "@policy", cache_policy_names, CF_REQUIRED | CF_ALWAYS | CF_ABI, "writes"),
    CONF_SIZE(NumaCache, size, "size/@value", size_kib, CF_REQUIRED | CF_ABI, "size"),
    CONF_SIZE(NumaCache, line, "line/@value", size_line, CF_REQUIRED | CF_ABI, "line"),
    CONF_PAD(NumaCache, _pad),
};
CONF_DESC(numa_cache_desc, NumaCache, cache_rows);

static const ConfField cell_rows[] = {
    CONF_OPT32(NumaCell, id, "@id", CF_ABI, "number"),
    CONF_BITMAP(NumaCell, cpus, "@cpus", CF_ABI, "CPUs in it"),
    CONF_SIZE(NumaCell, memory, "@memory", size_kib, CF_REQUIRED | CF_ALWAYS | CF_ABI, "memory"),
    CONF_ENUM(NumaCell, mem_access, "@memAccess", mem_access_names, 0, "whether the host sees writes"),
    CONF_YESNO(NumaCell, discard, "@discard", 0, "drop the content at the end"),
    CONF_LIST(NumaCell, distances, "distances/sibling", numa_distance_desc, CF_ABI, "distances"),
    CONF_LIST(NumaCell, caches, "cache", numa_cache_desc, CF_ABI, "memory side caches"),
};
static bool cell_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    xmlNode *distances = xml_child(el, "distances");
    if (!distances || xml_child(distances, "sibling"))
        return true;
    conf_error_at(err, VIR_ERR_XML_ERROR, distances, NULL, "a sibling is missing");
    return false;
}
CONF_DESC(numa_cell_desc, NumaCell, cell_rows, .parsed = cell_parsed);

static const ConfField interconnect_rows[] = {
    CONF_ENUM(NumaInterconnect, bandwidth, "name()", interconnect_names, 0, "latency or bandwidth"),
    CONF_U32(NumaInterconnect, initiator, "@initiator", CF_REQUIRED | CF_ALWAYS | CF_ABI, "from this cell"),
    CONF_U32(NumaInterconnect, target, "@target", CF_REQUIRED | CF_ALWAYS | CF_ABI, "to this cell"),
    CONF_OPT32(NumaInterconnect, cache, "@cache", CF_ABI, "cache level of the target"),
    CONF_ENUM(NumaInterconnect, type, "@type", hmat_names, CF_REQUIRED | CF_ABI, "kind of access"),
    CONF_U64(NumaInterconnect, value, "@value", CF_REQUIRED | CF_ABI, "nanoseconds", WHEN(NumaInterconnect, bandwidth, BIT(0))),
    CONF_SIZE(NumaInterconnect, value, "@value", size_kib, CF_VIEW | CF_REQUIRED, "KiB per second", WHEN(NumaInterconnect, bandwidth, BIT(1))),
};
CONF_DESC(interconnect_desc, NumaInterconnect, interconnect_rows);

static const ConfField topology_rows[] = {
#define N(f, t, fl) CONF_U32(CpuTopology, f, "@" #f, (fl) | CF_ABI, t, CONF_NUM(num_positive))
    N(sockets, "sockets", CF_REQUIRED), N(dies, "dies per socket", 0), N(clusters, "clusters per die", 0),
    N(cores, "cores per die", CF_REQUIRED), N(threads, "threads per core", CF_REQUIRED),
#undef N
};
static bool topology_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    CpuTopology *t = v;
    if (!t->dies)
        t->dies = 1;
    return true;
}
CONF_DESC(cpu_topology_desc, CpuTopology, topology_rows, .parsed = topology_parsed);

static const ConfField cpu_cache_rows[] = {
    CONF_OPTI32(CpuCache, level, "@level", CF_ABI, "level, -1: all"),
    CONF_ENUM(CpuCache, mode, "@mode", cpu_cache_names, CF_REQUIRED | CF_ALWAYS | CF_ABI, "what the guest sees"),
    CONF_PAD(CpuCache, _pad),
};
CONF_DESC(cpu_cache_desc, CpuCache, cpu_cache_rows);

static const ConfField phys_rows[] = {
    CONF_ENUM(CpuPhysAddr, mode, "@mode", cpu_phys_names, CF_REQUIRED | CF_ABI, "of the host or given"),
    CONF_OPTI32(CpuPhysAddr, bits, "@bits", CF_ABI, "bits"),
    CONF_OPTI32(CpuPhysAddr, limit, "@limit", CF_ABI, "at most these bits"),
    CONF_PAD(CpuPhysAddr, _pad),
};
CONF_DESC(cpu_phys_desc, CpuPhysAddr, phys_rows);

static void fallback_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    static const char *const name[] = { "model" };
    const CpuDef *c = base;

    if (!c->model && c->fallback == CPU_FALLBACK_ALLOW)
        return;
    conf_format_at(f, name, 1);
    xml_attr(&f->w, "fallback", enum_name(&cpu_fallback_names, c->fallback));
}
static const ConfCustom fallback = { NULL, fallback_format, CONF_READS("@fallback") };

#define C CpuDef
static const ConfField cpu_rows[] = {
    CONF_ENUM(C, mode, "@mode", cpu_mode_names, CF_ABI, "how the model is chosen"),
    CONF_ENUM(C, match, "@match", cpu_match_names, CF_ABI, "how strictly"),
    CONF_ENUM(C, check, "@check", cpu_check_names, 0, "what is checked before starting"),
    CONF_ONOFF(C, migratable, "@migratable", CF_ABI, "without features that block migration"),
    CONF_ONOFF(C, deprecated_features, "@deprecated_features", CF_ABI, "s390: features that will go away"),
    CONF_ENUM(C, fallback, "model/@fallback", cpu_fallback_names, CF_READ_ONLY, "a similar model will do"),
    CONF_CUSTOM_VIEW(fallback, "model", "fallback is written with every model"),
    CONF_STR(C, vendor_id, "model/@vendor_id", CF_ABI, "vendor that the guest sees"),
    CONF_STR(C, model, "model/text()", CF_ABI, "model"),
    CONF_STR(C, vendor, "vendor/text()", CF_ABI, "vendor of the host"),
    CONF_OPTIONAL(C, topology, "topology", cpu_topology_desc, CF_ABI, "sockets, cores, threads"),
    CONF_OPTIONAL(C, cache, "cache", cpu_cache_desc, CF_ABI | CF_ONCE, "caches"),
    CONF_OPTIONAL(C, maxphysaddr, "maxphysaddr", cpu_phys_desc, CF_ABI, "physical address bits"),
    CONF_LIST(C, features, "feature", cpu_feature_desc, CF_ABI, "changes to the model"),
    CONF_LIST(C, cells, "numa/cell", numa_cell_desc, CF_ABI, "NUMA cells"),
    CONF_LIST(C, interconnects, "numa/interconnects/*", interconnect_desc, CF_ABI, "latencies and bandwidths"),
};

static bool cpu_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    C *c = v;

    if (c->model && !*c->model)
        g_clear_pointer(&c->model, g_free);
    if (!c->model && (c->mode == CPU_MODE_NONE || c->mode == CPU_MODE_CUSTOM)) {
        c->mode = CPU_MODE_NONE;
        c->match = CPU_MATCH_NONE;
        if (list_len(c->features)) {
            conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "non-empty feature list specified without CPU model");
            return false;
        }
    } else if (c->mode == CPU_MODE_NONE) {
        c->mode = CPU_MODE_CUSTOM;
    }
    xmlNode *numa = xml_child(el, "numa");
    if (numa && !list_len(c->cells)) {
        conf_error_at(err, VIR_ERR_XML_ERROR, numa, NULL, "a cell is missing");
        return false;
    }
    if (c->mode == CPU_MODE_CUSTOM && c->match == CPU_MATCH_NONE)
        c->match = CPU_MATCH_EXACT;
    for (unsigned i = 0; i < list_len(c->features); i++) {
        const CpuFeature *a = list_at(c->features, i);
        for (unsigned j = 0; j < i; j++) {
            if (!g_strcmp0(a->name, ((const CpuFeature *)list_at(c->features, j))->name)) {
                conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "CPU feature '%s' specified more than once", a->name);
                return false;
            }
        }
    }
    return true;
}
#undef C
CONF_DESC(cpu_desc, CpuDef, cpu_rows, .parsed = cpu_parsed);
