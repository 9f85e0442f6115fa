/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rows of capabilities. Elements whose set grows with each emulator (devices, features) are lists of
 * any name. Pure functions, any thread.
 */
#include "conf/host_caps.h"

#include "conf/device-internal.h"
#include "conf/domain.h"

/* clang-format off */
#define TEXT(T, f, path, doc) CONF_STR(T, f, path, 0, doc)

static const ConfField word_rows[] = { TEXT(CapsWord, element, "name()", "the word"), TEXT(CapsWord, text, "text()", "its value") };
CONF_DESC(caps_word_desc, CapsWord, word_rows);
static const ConfField name_rows[] = { CONF_STR(StrItem, s, "@name", CF_REQUIRED, "the word") };
CONF_DESC(caps_name_desc, StrItem, name_rows);

/* ---- the host ---- */

static const ConfField pages_rows[] = {
    TEXT(CapsPages, unit, "@unit", "unit of the size"), TEXT(CapsPages, size, "@size", "size of a page"), TEXT(CapsPages, count, "text()", "how many"),
};
CONF_DESC(caps_pages_desc, CapsPages, pages_rows);
static const ConfField distance_rows[] = { TEXT(CapsDistance, id, "@id", "other cell"), TEXT(CapsDistance, value, "@value", "distance; 10: here") };
CONF_DESC(caps_distance_desc, CapsDistance, distance_rows);
static const ConfField cell_cache_rows[] = {
    TEXT(CapsCellCache, level, "@level", "level"), TEXT(CapsCellCache, associativity, "@associativity", "where lines may go"),
    TEXT(CapsCellCache, policy, "@policy", "when it is written back"),
    TEXT(CapsCellCache, size, "size/@value", "size"), TEXT(CapsCellCache, size_unit, "size/@unit", "unit of the size"),
    TEXT(CapsCellCache, line, "line/@value", "size of a line"), TEXT(CapsCellCache, line_unit, "line/@unit", "unit of the size"),
};
CONF_DESC(caps_cell_cache_desc, CapsCellCache, cell_cache_rows);
static const ConfField cpu_rows[] = {
    TEXT(CapsCpu, id, "@id", "logical processor"), TEXT(CapsCpu, socket, "@socket_id", "its socket"), TEXT(CapsCpu, die, "@die_id", "its die"),
    TEXT(CapsCpu, cluster, "@cluster_id", "its cluster"), TEXT(CapsCpu, core, "@core_id", "its core"),
    TEXT(CapsCpu, siblings, "@siblings", "processors of the same core"),
};
CONF_DESC(caps_cpu_desc, CapsCpu, cpu_rows);
static const ConfField cell_rows[] = {
    CONF_STR(CapsCell, id, "@id", CF_REQUIRED, "NUMA cell"),
    CONF_SIZE(CapsCell, memory, "memory/text()", size_kib, 0, "memory of the cell"),
    CONF_LIST(CapsCell, pages, "pages", caps_pages_desc, 0, "pools of pages"),
    CONF_LIST(CapsCell, distances, "distances/sibling", caps_distance_desc, 0, "distances to cells"),
    CONF_LIST(CapsCell, caches, "cache", caps_cell_cache_desc, 0, "memory-side caches"),
    TEXT(CapsCell, cpu_count, "cpus/@num", "how many processors"),
    CONF_LIST(CapsCell, cpus, "cpus/cpu", caps_cpu_desc, 0, "processors"),
};
CONF_DESC(caps_cell_desc, CapsCell, cell_rows);
#define I CapsInterconnect
static const ConfField interconnect_rows[] = {
    TEXT(I, element, "name()", "latency or bandwidth"), TEXT(I, initiator, "@initiator", "cell that asks"),
    TEXT(I, target, "@target", "cell that has the memory"), TEXT(I, cache, "@cache", "level of its cache"),
    TEXT(I, type, "@type", "kind of access"), TEXT(I, value, "@value", "ns or size per second"), TEXT(I, unit, "@unit", "unit of the size"),
};
#undef I
CONF_DESC(caps_interconnect_desc, CapsInterconnect, interconnect_rows);
#define C CapsControl
static const ConfField control_rows[] = {
    TEXT(C, granularity, "@granularity", "smallest step"), TEXT(C, min, "@min", "smallest share"), TEXT(C, unit, "@unit", "unit of both"),
    TEXT(C, type, "@type", "kind of cache"), TEXT(C, max_allocs, "@maxAllocs", "how many shares"),
};
#undef C
CONF_DESC(caps_control_desc, CapsControl, control_rows);
static const ConfField monitor_rows[] = {
    TEXT(CapsMonitor, level, "@level", "level of the cache"), TEXT(CapsMonitor, reuse, "@reuseThreshold", "bytes below which a monitor is free again"),
    TEXT(CapsMonitor, max, "@maxMonitors", "how many"), CONF_LIST(CapsMonitor, features, "feature", caps_name_desc, 0, "what is counted"),
};
CONF_DESC(caps_monitor_desc, CapsMonitor, monitor_rows);
#define B CapsBank
static const ConfField bank_rows[] = {
    TEXT(B, id, "@id", "number"), TEXT(B, level, "@level", "level"), TEXT(B, type, "@type", "kind of cache"), TEXT(B, size, "@size", "size"),
    TEXT(B, unit, "@unit", "unit of the size"), TEXT(B, cpus, "@cpus", "processors that it serves"),
    CONF_LIST(B, controls, "control", caps_control_desc, 0, "how it can be shared out"),
};
#undef B
CONF_DESC(caps_bank_desc, CapsBank, bank_rows);
static const ConfField label_rows[] = { TEXT(CapsLabel, type, "@type", "of guests of this type"), TEXT(CapsLabel, text, "text()", "the label") };
CONF_DESC(caps_label_desc, CapsLabel, label_rows);
static const ConfField secmodel_rows[] = {
    TEXT(CapsSecmodel, model, "model/text()", "security model"), TEXT(CapsSecmodel, doi, "doi/text()", "domain of interpretation"),
    CONF_LIST(CapsSecmodel, labels, "baselabel", caps_label_desc, 0, "labels that are varied"),
};
CONF_DESC(caps_secmodel_desc, CapsSecmodel, secmodel_rows);

/* ---- guests that it can run ---- */

#define M CapsMachine
static const ConfField machine_rows[] = {
    TEXT(M, canonical, "@canonical", "what the name stands for"), TEXT(M, max_cpus, "@maxCpus", "most processors"),
    TEXT(M, deprecated, "@deprecated", "whether it will go away"), TEXT(M, name, "text()", "machine type"),
};
#undef M
CONF_DESC(caps_machine_desc, CapsMachine, machine_rows);
static const ConfField domain_rows[] = {
    CONF_STR(CapsDomain, type, "@type", CF_REQUIRED, "hypervisor"), TEXT(CapsDomain, emulator, "emulator/text()", "its own program"),
    CONF_LIST(CapsDomain, machines, "machine", caps_machine_desc, 0, "its own machine types"),
};
CONF_DESC(caps_domain_desc, CapsDomain, domain_rows);
static const ConfField feature_rows[] = {
    TEXT(CapsGuestFeature, element, "name()", "feature"), TEXT(CapsGuestFeature, standard, "@default", "on when nothing is said"),
    TEXT(CapsGuestFeature, toggle, "@toggle", "whether it can be changed"),
};
CONF_DESC(caps_guest_feature_desc, CapsGuestFeature, feature_rows);
#define G CapsGuest
static const ConfField guest_rows[] = {
    TEXT(G, os_type, "os_type/text()", "full virtualization, containers"), CONF_STR(G, arch, "arch/@name", CF_REQUIRED, "architecture"),
    TEXT(G, wordsize, "arch/wordsize/text()", "bits"), TEXT(G, emulator, "arch/emulator/text()", "program"),
    TEXT(G, loader, "arch/loader/text()", "firmware of xen"), CONF_LIST(G, machines, "arch/machine", caps_machine_desc, 0, "machine types"),
    CONF_LIST(G, domains, "arch/domain", caps_domain_desc, 0, "hypervisors"), CONF_LIST(G, features, "features/*", caps_guest_feature_desc, 0, "features"),
};
#undef G
CONF_DESC(caps_guest_desc, CapsGuest, guest_rows);

#define H HostCapsDef
static const ConfField host_caps_rows[] = {
    TEXT(H, uuid, "host/uuid/text()", "identity of the host"),
    CONF_OPTIONAL(H, cpu, "host/cpu", host_cpu_desc, 0, "processor"),
    CONF_FLAG(H, has_power, "host/power_management", 0, "the host can sleep"),
    CONF_LIST(H, power, "host/power_management/*", caps_word_desc, 0, "how it can sleep"),
    CONF_YESNO(H, iommu, "host/iommu/@support", 0, "an IOMMU is there"),
    CONF_FLAG(H, has_migration, "host/migration_features", 0, "guests can move"),
    CONF_FLAG(H, live_migration, "host/migration_features/live", 0, "while they run"),
    CONF_LIST(H, transports, "host/migration_features/uri_transports/uri_transport", str_text_desc, 0, "ways to move"),
    TEXT(H, cell_count, "host/topology/cells/@num", "how many"),
    CONF_LIST(H, cells, "host/topology/cells/cell", caps_cell_desc, 0, "NUMA cells"),
    CONF_LIST(H, interconnects, "host/topology/interconnects/*", caps_interconnect_desc, 0, "speed between cells"),
    CONF_LIST(H, cache_banks, "host/cache/bank", caps_bank_desc, 0, "caches"),
    CONF_OPTIONAL(H, cache_monitor, "host/cache/monitor", caps_monitor_desc, 0, "use of caches can be counted"),
    CONF_LIST(H, bandwidth_nodes, "host/memory_bandwidth/node", caps_bank_desc, 0, "memory bandwidth of nodes"),
    CONF_OPTIONAL(H, bandwidth_monitor, "host/memory_bandwidth/monitor", caps_monitor_desc, 0, "its use can be counted"),
    CONF_LIST(H, secmodels, "host/secmodel", caps_secmodel_desc, 0, "security models"),
    CONF_LIST(H, guests, "guest", caps_guest_desc, 0, "guests that it can run"),
};
#undef H
CONF_DESC(host_caps_desc, HostCapsDef, host_caps_rows);

/* ---- one emulator and machine ---- */

static const ConfField enum_rows[] = {
    CONF_STR(CapsEnum, name, "@name", CF_REQUIRED, "attribute"), CONF_LIST(CapsEnum, values, "value", str_text_desc, 0, "words that it may have"),
};
CONF_DESC(caps_enum_desc, CapsEnum, enum_rows);
static const ConfField section_rows[] = {
    TEXT(CapsSection, node, "@node", "host node"), TEXT(CapsSection, size, "@size", "size"), TEXT(CapsSection, unit, "@unit", "unit of the size"),
};
CONF_DESC(caps_section_desc, CapsSection, section_rows);
#define D CapsItem
static const ConfField item_rows[] = {
    TEXT(D, element, "name()", "device or feature"), CONF_YESNO(D, supported, "@supported", 0, "whether guests may have it"),
    CONF_LIST(D, enums, "enum", caps_enum_desc, 0, "attributes"),
    CONF_LIST(D, defaults, "defaults/*", caps_word_desc, 0, "values when nothing is said"),
    TEXT(D, flc, "flc/text()", "sgx: launch control"), TEXT(D, sgx1, "sgx1/text()", "sgx: first version"), TEXT(D, sgx2, "sgx2/text()", "sgx: second version"),
    TEXT(D, section_size_unit, "section_size/@unit", "unit of the size"), TEXT(D, section_size, "section_size/text()", "sgx: all sections"),
    CONF_LIST(D, sections, "sections/section", caps_section_desc, 0, "sgx: sections"),
    TEXT(D, cbitpos, "cbitpos/text()", "sev: C-bit"), TEXT(D, reduced_phys_bits, "reducedPhysBits/text()", "sev: lost address bits"),
    TEXT(D, max_guests, "maxGuests/text()", "sev: most guests"), TEXT(D, max_es_guests, "maxESGuests/text()", "sev: most guests with encrypted state"),
    CONF_PAD(D, _pad),
};
#undef D
CONF_DESC(caps_item_desc, CapsItem, item_rows);
static const ConfField loader_rows[] = {
    CONF_YESNO(CapsLoader, supported, "@supported", 0, "whether firmware can be chosen"), CONF_LIST(CapsLoader, paths, "value", str_text_desc, 0, "firmware images"),
    CONF_LIST(CapsLoader, enums, "enum", caps_enum_desc, 0, "attributes"), CONF_PAD(CapsLoader, _pad),
};
CONF_DESC(caps_loader_desc, CapsLoader, loader_rows);
#define M CapsModel
static const ConfField model_rows[] = {
    TEXT(M, fallback, "@fallback", "whether a lesser model may take its place"), TEXT(M, usable, "@usable", "whether this host can run it"),
    TEXT(M, vendor, "@vendor", "vendor"), TEXT(M, vendor_id, "@vendor_id", "vendor that guests see"),
    TEXT(M, deprecated, "@deprecated", "whether it will go away"), TEXT(M, canonical, "@canonical", "what the name stands for"),
    TEXT(M, name, "text()", "model"),
};
#undef M
CONF_DESC(caps_model_desc, CapsModel, model_rows);
static const ConfField blockers_rows[] = {
    TEXT(CapsBlockers, model, "@model", "model"), CONF_LIST(CapsBlockers, features, "feature", caps_name_desc, 0, "what the host lacks"),
};
CONF_DESC(caps_blockers_desc, CapsBlockers, blockers_rows);
static const ConfField mode_feature_rows[] = {
    CONF_ENUM(CpuFeature, policy, "@policy", cpu_policy_names, 0, "required or disabled"), CONF_STR(CpuFeature, name, "@name", CF_REQUIRED, "feature"),
    CONF_PAD(CpuFeature, _pad),
};
CONF_DESC(caps_mode_feature_desc, CpuFeature, mode_feature_rows);
#define M CapsMode
static const ConfField mode_rows[] = {
    CONF_STR(M, name, "@name", CF_REQUIRED, "mode of the processor"), CONF_YESNO(M, supported, "@supported", 0, "whether guests may have it"),
    CONF_LIST(M, enums, "enum", caps_enum_desc, 0, "attributes"), CONF_LIST(M, models, "model", caps_model_desc, 0, "models"),
    TEXT(M, vendor, "vendor/text()", "vendor"),
    TEXT(M, phys_mode, "maxphysaddr/@mode", "physical address bits: whose"), TEXT(M, phys_bits, "maxphysaddr/@bits", "physical address bits"),
    TEXT(M, phys_limit, "maxphysaddr/@limit", "most physical address bits"),
    CONF_LIST(M, features, "feature", caps_mode_feature_desc, 0, "beyond the model"),
    CONF_LIST(M, blockers, "blockers", caps_blockers_desc, 0, "why models are not usable"), CONF_PAD(M, _pad),
};
#undef M
CONF_DESC(caps_mode_desc, CapsMode, mode_rows);

#define D DomainCapsDef
static const ConfField domain_caps_rows[] = {
    TEXT(D, path, "path/text()", "emulator"), TEXT(D, domain, "domain/text()", "hypervisor"), TEXT(D, machine, "machine/text()", "machine type"),
    TEXT(D, arch, "arch/text()", "architecture"), TEXT(D, vcpu_max, "vcpu/@max", "most processors"),
    CONF_YESNO(D, iothreads, "iothreads/@supported", 0, "I/O threads"), CONF_YESNO(D, os, "os/@supported", 0, "how it boots can be chosen"),
    CONF_LIST(D, os_enums, "os/enum", caps_enum_desc, 0, "attributes"), CONF_OPTIONAL(D, loader, "os/loader", caps_loader_desc, 0, "firmware"),
    CONF_LIST(D, modes, "cpu/mode", caps_mode_desc, 0, "processors"),
    CONF_YESNO(D, memory_backing, "memoryBacking/@supported", 0, "kind of memory can be chosen"),
    CONF_LIST(D, memory_enums, "memoryBacking/enum", caps_enum_desc, 0, "attributes"),
    CONF_LIST(D, devices, "devices/*", caps_item_desc, 0, "devices"), CONF_LIST(D, features, "features/*", caps_item_desc, 0, "features"),
    CONF_PAD(D, _pad),
};
#undef D
CONF_DESC(domain_caps_desc, DomainCapsDef, domain_caps_rows);
/* clang-format on */

const DocKind host_caps_kind = { .name = "capabilities", .root = "capabilities", .desc = &host_caps_desc };
DOC_KIND_DEFINE(host_caps, HostCapsDef)
const DocKind domain_caps_kind = { .name = "domaincaps", .root = "domainCapabilities", .desc = &domain_caps_desc };
DOC_KIND_DEFINE(domain_caps, DomainCapsDef)
