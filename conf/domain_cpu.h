/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CPU model, topology and NUMA cells of a guest. */
#pragma once

#include "conf/types.h"

typedef enum CpuMode { CPU_MODE_NONE, CPU_MODE_CUSTOM, CPU_MODE_HOST_MODEL, CPU_MODE_HOST_PASSTHROUGH, CPU_MODE_MAXIMUM, _CPU_MODE_N } CpuMode;
extern const EnumTable cpu_mode_names;
typedef enum CpuMatch { CPU_MATCH_NONE, CPU_MATCH_MINIMUM, CPU_MATCH_EXACT, CPU_MATCH_STRICT, _CPU_MATCH_N } CpuMatch;
extern const EnumTable cpu_match_names;
typedef enum CpuCheck { CPU_CHECK_DEFAULT, CPU_CHECK_NONE, CPU_CHECK_PARTIAL, CPU_CHECK_FULL, _CPU_CHECK_N } CpuCheck;
extern const EnumTable cpu_check_names;
typedef enum CpuFallback { CPU_FALLBACK_ALLOW, CPU_FALLBACK_FORBID, _CPU_FALLBACK_N } CpuFallback;
extern const EnumTable cpu_fallback_names;
typedef enum CpuPolicy { CPU_POLICY_NONE, CPU_POLICY_FORCE, CPU_POLICY_REQUIRE, CPU_POLICY_OPTIONAL, CPU_POLICY_DISABLE, CPU_POLICY_FORBID, _CPU_POLICY_N } CpuPolicy;
extern const EnumTable cpu_policy_names;
typedef enum CpuCacheMode { CPU_CACHE_EMULATE, CPU_CACHE_PASSTHROUGH, CPU_CACHE_DISABLE, _CPU_CACHE_N } CpuCacheMode;
extern const EnumTable cpu_cache_names;
typedef enum CpuPhysMode { CPU_PHYS_NONE, CPU_PHYS_PASSTHROUGH, CPU_PHYS_EMULATE, _CPU_PHYS_N } CpuPhysMode;
extern const EnumTable cpu_phys_names;
typedef enum NumaMemAccess { MEM_ACCESS_DEFAULT, MEM_ACCESS_SHARED, MEM_ACCESS_PRIVATE, _MEM_ACCESS_N } NumaMemAccess;
extern const EnumTable mem_access_names;
typedef enum CacheAssociativity { CACHE_ASSOC_NONE, CACHE_ASSOC_DIRECT, CACHE_ASSOC_FULL, _CACHE_ASSOC_N } CacheAssociativity;
extern const EnumTable cache_assoc_names;
typedef enum CachePolicy { CACHE_POLICY_NONE, CACHE_WRITEBACK, CACHE_WRITETHROUGH, _CACHE_POLICY_N } CachePolicy;
extern const EnumTable cache_policy_names;
typedef enum HmatType { HMAT_NONE, HMAT_ACCESS, HMAT_READ, HMAT_WRITE, _HMAT_N } HmatType;
extern const EnumTable hmat_names;

CONF_STRUCTS_BEGIN

typedef struct CpuFeature {
    char *name;
    CpuPolicy policy;
    Flag _pad;
} CpuFeature;

typedef struct NumaDistance {
    uint32_t id, value;
} NumaDistance;

typedef struct NumaCache {
    uint32_t level;
    CacheAssociativity associativity;
    CachePolicy policy;
    Flag _pad;
    uint64_t size; /* KiB */
    uint64_t line; /* bytes */
} NumaCache;

typedef struct NumaCell {
    OptU32 id;               /* resolve numbers those that are unset */
    Bitmap *cpus;            /* NULL: a cell without CPUs */
    uint64_t memory;         /* KiB */
    NumaMemAccess mem_access;
    Tristate discard;
    GPtrArray *distances;    /* NumaDistance */
    GPtrArray *caches;       /* NumaCache */
} NumaCell;

typedef struct NumaInterconnect { /* <latency>, <bandwidth> */
    uint32_t initiator, target;
    OptU32 cache;
    HmatType type;
    Flag bandwidth;
    uint64_t value;          /* ns, or KiB/s */
} NumaInterconnect;

typedef struct CpuTopology {
    uint32_t sockets, dies, clusters, cores, threads;
} CpuTopology;

typedef struct CpuCache {
    CpuCacheMode mode;
    OptI32 level;
    Flag _pad;
} CpuCache;

typedef struct CpuPhysAddr {
    CpuPhysMode mode;
    OptI32 bits, limit;
    Flag _pad;
} CpuPhysAddr;

typedef struct CpuDef {
    CpuMode mode;
    CpuMatch match;
    CpuCheck check;
    Tristate migratable;
    char *model;
    CpuFallback fallback;
    Tristate deprecated_features;
    char *vendor_id;
    char *vendor;
    CpuTopology *topology;
    CpuCache *cache;
    CpuPhysAddr *maxphysaddr;
    GPtrArray *features;      /* CpuFeature */
    GPtrArray *cells;         /* NumaCell */
    GPtrArray *interconnects; /* NumaInterconnect */
} CpuDef;

CONF_STRUCTS_END
