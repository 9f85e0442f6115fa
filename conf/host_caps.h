/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a host and its emulators can do, as documents: <capabilities> and <domainCapabilities>. Clients
 * only read them; the descriptions are for those who check or compare them. What a word means is the
 * driver's business, so words stay words. Conventions: conf/types.h.
 */
#pragma once

#include "conf/host_cpu.h"
#include "conf/kinds.h"

CONF_STRUCTS_BEGIN

typedef struct CapsWord { /* an element of any name */
    char *element, *text;
} CapsWord;

typedef struct CapsPages {
    char *unit, *size, *count;
} CapsPages;

typedef struct CapsDistance {
    char *id, *value;
} CapsDistance;

typedef struct CapsCellCache {
    char *level, *associativity, *policy;
    char *size, *size_unit, *line, *line_unit;
} CapsCellCache;

typedef struct CapsCpu {
    char *id, *socket, *die, *cluster, *core, *siblings;
} CapsCpu;

typedef struct CapsCell {
    char *id;
    uint64_t memory;      /* KiB */
    GPtrArray *pages;     /* CapsPages */
    GPtrArray *distances; /* CapsDistance */
    GPtrArray *caches;    /* CapsCellCache */
    char *cpu_count;
    GPtrArray *cpus; /* CapsCpu */
} CapsCell;

typedef struct CapsInterconnect {
    char *element; /* "latency", "bandwidth" */
    char *initiator, *target, *cache, *type, *value, *unit;
} CapsInterconnect;

typedef struct CapsControl {
    char *granularity, *min, *unit, *type, *max_allocs;
} CapsControl;

typedef struct CapsMonitor {
    char *level, *reuse, *max;
    GPtrArray *features; /* StrItem */
} CapsMonitor;

typedef struct CapsBank { /* of a cache, or of a node's memory bandwidth */
    char *id, *level, *type, *size, *unit, *cpus;
    GPtrArray *controls; /* CapsControl */
} CapsBank;

typedef struct CapsLabel {
    char *type, *text;
} CapsLabel;

typedef struct CapsSecmodel {
    char *model, *doi;
    GPtrArray *labels; /* CapsLabel */
} CapsSecmodel;

typedef struct CapsMachine {
    char *canonical, *max_cpus, *deprecated, *name;
} CapsMachine;

typedef struct CapsDomain {
    char *type, *emulator;
    GPtrArray *machines; /* CapsMachine */
} CapsDomain;

typedef struct CapsGuestFeature {
    char *element, *standard, *toggle;
} CapsGuestFeature;

typedef struct CapsGuest {
    char *os_type, *arch, *wordsize, *emulator, *loader;
    GPtrArray *machines; /* CapsMachine */
    GPtrArray *domains;  /* CapsDomain */
    GPtrArray *features; /* CapsGuestFeature */
} CapsGuest;

typedef struct HostCapsDef {
    char *uuid;
    HostCpuDef *cpu;
    GPtrArray *power; /* CapsWord */
    Flag has_power, has_migration, live_migration;
    Tristate iommu;
    GPtrArray *transports; /* StrItem */
    char *cell_count;
    GPtrArray *cells;         /* CapsCell */
    GPtrArray *interconnects; /* CapsInterconnect */
    GPtrArray *cache_banks;   /* CapsBank */
    CapsMonitor *cache_monitor;
    GPtrArray *bandwidth_nodes; /* CapsBank */
    CapsMonitor *bandwidth_monitor;
    GPtrArray *secmodels; /* CapsSecmodel */
    GPtrArray *guests;    /* CapsGuest */
} HostCapsDef;

typedef struct CapsEnum {
    char *name;
    GPtrArray *values; /* StrItem */
} CapsEnum;

typedef struct CapsSection {
    char *node, *size, *unit;
} CapsSection;

typedef struct CapsItem { /* a device or a feature */
    char *element;
    Tristate supported;
    Flag _pad;
    GPtrArray *enums;                                           /* CapsEnum */
    GPtrArray *defaults;                                        /* CapsWord */
    char *cbitpos, *reduced_phys_bits, *max_guests, *max_es_guests; /* sev */
    char *flc, *sgx1, *sgx2, *section_size, *section_size_unit; /* sgx */
    GPtrArray *sections;                                        /* CapsSection */
} CapsItem;

typedef struct CapsLoader {
    Tristate supported;
    Flag _pad;
    GPtrArray *paths; /* StrItem */
    GPtrArray *enums; /* CapsEnum */
} CapsLoader;

typedef struct CapsModel {
    char *fallback, *usable, *vendor, *vendor_id, *deprecated, *canonical, *name;
} CapsModel;

typedef struct CapsBlockers { /* why a model is not usable */
    char *model;
    GPtrArray *features; /* StrItem */
} CapsBlockers;

typedef struct CapsMode {
    char *name;
    Tristate supported;
    Flag _pad;
    GPtrArray *enums;  /* CapsEnum */
    GPtrArray *models; /* CapsModel */
    char *vendor;
    char *phys_mode, *phys_bits, *phys_limit;
    GPtrArray *features; /* CpuFeature */
    GPtrArray *blockers; /* CapsBlockers */
} CapsMode;

typedef struct DomainCapsDef {
    char *path, *domain, *machine, *arch, *vcpu_max;
    Tristate iothreads, os;
    GPtrArray *os_enums; /* CapsEnum */
    CapsLoader *loader;
    GPtrArray *modes; /* CapsMode */
    Tristate memory_backing;
    Flag _pad;
    GPtrArray *memory_enums; /* CapsEnum */
    GPtrArray *devices;      /* CapsItem */
    GPtrArray *features;     /* CapsItem */
} DomainCapsDef;

CONF_STRUCTS_END

DOC_KIND_DECLARE(host_caps, HostCapsDef)
DOC_KIND_DECLARE(domain_caps, DomainCapsDef)
