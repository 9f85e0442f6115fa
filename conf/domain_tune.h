/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resource tuning: memory backing and limits, CPU pinning and schedulers, block I/O, NUMA policy. */
#pragma once

#include "conf/types.h"

typedef enum MemorySource { MEM_SOURCE_NONE, MEM_SOURCE_FILE, MEM_SOURCE_ANONYMOUS, MEM_SOURCE_MEMFD, _MEM_SOURCE_N } MemorySource;
extern const EnumTable mem_source_names;
typedef enum MemoryAllocation { MEM_ALLOC_NONE, MEM_ALLOC_IMMEDIATE, MEM_ALLOC_ONDEMAND, _MEM_ALLOC_N } MemoryAllocation;
extern const EnumTable mem_alloc_names;
typedef enum SchedPolicy { SCHED_POLICY_NONE, SCHED_POLICY_BATCH, SCHED_POLICY_IDLE, SCHED_POLICY_FIFO, SCHED_POLICY_RR, _SCHED_POLICY_N } SchedPolicy;
extern const EnumTable sched_policy_names;
typedef enum NumaMode { NUMA_STRICT, NUMA_PREFERRED, NUMA_INTERLEAVE, NUMA_RESTRICTIVE, _NUMA_MODE_N } NumaMode;
extern const EnumTable numa_mode_names;
typedef enum NumaPlacement { NUMA_PLACEMENT_DEFAULT, NUMA_PLACEMENT_STATIC, NUMA_PLACEMENT_AUTO, _NUMA_PLACEMENT_N } NumaPlacement;
extern const EnumTable numa_placement_names;
typedef enum CacheType { CACHE_TYPE_BOTH, CACHE_TYPE_CODE, CACHE_TYPE_DATA, _CACHE_TYPE_N } CacheType;
extern const EnumTable cache_type_names;

CONF_STRUCTS_BEGIN

typedef struct HugePage {
    uint64_t size; /* KiB */
    Bitmap *nodes;
} HugePage;

typedef struct MemoryBacking {
    Flag hugepages, nosharepages, locked, discard;
    MemorySource source;
    Tristate _pad;
    uint32_t access;      /* NumaMemAccess of domain_cpu.h */
    MemoryAllocation allocation;
    uint32_t threads;
    Flag _pad2;
    GPtrArray *pages;     /* HugePage */
} MemoryBacking;

typedef struct MemoryTuning { /* KiB; unset: no limit */
    OptU64 hard_limit, soft_limit, swap_hard_limit, min_guarantee;
} MemoryTuning;

typedef struct Pin {
    uint32_t id;
    Flag _pad;
    Bitmap *cpuset;
} Pin;

typedef struct SchedDef {
    Bitmap *ids; /* NULL: of the emulator */
    SchedPolicy policy;
    OptI32 priority;
    Flag _pad;
} SchedDef;

typedef struct CacheAlloc {
    uint32_t id, level;
    CacheType type;
    Flag _pad;
    uint64_t size; /* bytes */
} CacheAlloc;

typedef struct CacheMonitor {
    uint32_t level;
    Flag _pad;
    Bitmap *vcpus;
} CacheMonitor;

typedef struct CacheTune {
    Bitmap *vcpus;
    char *id;              /* live */
    GPtrArray *caches;     /* CacheAlloc */
    GPtrArray *monitors;   /* CacheMonitor */
} CacheTune;

typedef struct MemoryBandwidth {
    uint32_t id, bandwidth;
} MemoryBandwidth;

typedef struct MemoryMonitor {
    Bitmap *vcpus;
} MemoryMonitor;

typedef struct MemoryTune {
    Bitmap *vcpus;
    char *id;
    GPtrArray *nodes;      /* MemoryBandwidth */
    GPtrArray *monitors;   /* MemoryMonitor */
} MemoryTune;

typedef struct CpuTuning {
    OptU64 shares;
    uint64_t period, global_period, emulator_period, iothread_period;
    int64_t quota, global_quota, emulator_quota, iothread_quota;
    GPtrArray *vcpu_pins;      /* Pin */
    Bitmap *emulator_pin;
    GPtrArray *iothread_pins;  /* Pin */
    SchedDef *emulator_sched;
    GPtrArray *vcpu_scheds, *iothread_scheds; /* SchedDef */
    GPtrArray *cachetunes;     /* CacheTune */
    GPtrArray *memorytunes;    /* MemoryTune */
} CpuTuning;

typedef struct BlkioDevice {
    char *path;
    uint32_t weight, read_iops_sec, write_iops_sec;
    Flag _pad;
    uint64_t read_bytes_sec, write_bytes_sec;
} BlkioDevice;

typedef struct BlkioTuning {
    uint32_t weight;
    Flag _pad;
    GPtrArray *devices; /* BlkioDevice */
} BlkioTuning;

typedef struct NumaMemnode {
    uint32_t cell;
    NumaMode mode;
    Bitmap *nodeset;
} NumaMemnode;

typedef struct NumaTuning {
    Flag memory;             /* <memory> was written */
    NumaMode mode;
    NumaPlacement placement;
    Flag _pad;
    Bitmap *nodeset;
    GPtrArray *memnodes;     /* NumaMemnode */
} NumaTuning;

typedef struct IothreadDef {
    uint32_t id;
    OptI32 pool_min, pool_max;
    Flag _pad;
    OptU64 poll_max, poll_grow, poll_shrink;
    Flag poll, _pad2;
} IothreadDef;

typedef struct VcpuDef {
    uint32_t id;
    Tristate enabled, hotpluggable;
    uint32_t order; /* 0: unset */
} VcpuDef;

typedef struct IdMap {
    uint32_t start, target, count;
} IdMap;

CONF_STRUCTS_END
