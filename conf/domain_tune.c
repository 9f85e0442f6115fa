/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resource tuning as rows. */
#include "conf/domain_tune.h"

#include "conf/device-internal.h"
#include "conf/domain_cpu.h"
#include "util/api.h"
#include "util/error.h"

/* clang-format off */
ENUM_TABLE(mem_source_names, "memory source", _MEM_SOURCE_N, NULL, "file", "anonymous", "memfd");
ENUM_TABLE(mem_alloc_names, "memory allocation", _MEM_ALLOC_N, NULL, "immediate", "ondemand");
ENUM_TABLE(sched_policy_names, "scheduler", _SCHED_POLICY_N, NULL, "batch", "idle", "fifo", "rr");
ENUM_TABLE(numa_mode_names, "numa mode", _NUMA_MODE_N, "strict", "preferred", "interleave", "restrictive");
ENUM_TABLE(numa_placement_names, "numa placement", _NUMA_PLACEMENT_N, "default", "static", "auto");
ENUM_TABLE(cache_type_names, "cache type", _CACHE_TYPE_N, "both", "code", "data");

static const ConfField page_rows[] = {
    CONF_SIZE(HugePage, size, "@size", size_kib, CF_REQUIRED | CF_ALWAYS, "size of pages"),
    CONF_BITMAP(HugePage, nodes, "@nodeset", 0, "NUMA cells of the guest"),
};
CONF_DESC(huge_page_desc, HugePage, page_rows);

#define B MemoryBacking
static const ConfField backing_rows[] = {
    CONF_FLAG(B, hugepages, "hugepages", 0, "huge pages"),
    CONF_LIST(B, pages, "hugepages/page", huge_page_desc, 0, "which"),
    CONF_FLAG(B, nosharepages, "nosharepages", 0, "do not merge pages"),
    CONF_FLAG(B, locked, "locked", 0, "do not swap"),
    CONF_ENUM(B, source, "source/@type", mem_source_names, 0, "what backs the memory"),
    CONF_ENUM(B, access, "access/@mode", mem_access_names, 0, "whether the host sees writes"),
    CONF_ENUM(B, allocation, "allocation/@mode", mem_alloc_names, 0, "when it is allocated"),
    CONF_U32(B, threads, "allocation/@threads", 0, "threads that allocate"),
    CONF_FLAG(B, discard, "discard", 0, "drop the content at the end"),
    CONF_PAD(B, _pad), CONF_PAD(B, _pad2),
};
#undef B
CONF_DESC(memory_backing_desc, MemoryBacking, backing_rows);

static const ConfField memtune_rows[] = {
    CONF_OPTSIZE(MemoryTuning, hard_limit, "hard_limit/text()", size_kib, 0, "most memory"),
    CONF_OPTSIZE(MemoryTuning, soft_limit, "soft_limit/text()", size_kib, 0, "under pressure"),
    CONF_OPTSIZE(MemoryTuning, min_guarantee, "min_guarantee/text()", size_kib, 0, "guaranteed"),
    CONF_OPTSIZE(MemoryTuning, swap_hard_limit, "swap_hard_limit/text()", size_kib, 0, "memory and swap"),
};
CONF_DESC(memory_tuning_desc, MemoryTuning, memtune_rows);

static const ConfField vcpupin_rows[] = {
    CONF_U32(Pin, id, "@vcpu", CF_REQUIRED | CF_ALWAYS, "CPU of the guest"),
    CONF_BITMAP(Pin, cpuset, "@cpuset", CF_REQUIRED, "CPUs of the host"), CONF_PAD(Pin, _pad),
};
CONF_DESC(vcpu_pin_desc, Pin, vcpupin_rows);
static const ConfField iothreadpin_rows[] = {
    CONF_U32(Pin, id, "@iothread", CF_REQUIRED | CF_ALWAYS, "I/O thread", CONF_NUM(num_positive)),
    CONF_BITMAP(Pin, cpuset, "@cpuset", CF_REQUIRED, "CPUs of the host"), CONF_PAD(Pin, _pad),
};
CONF_DESC(iothread_pin_desc, Pin, iothreadpin_rows);

#define SCHED CONF_ENUM(SchedDef, policy, "@scheduler", sched_policy_names, CF_REQUIRED, "policy"), \
    CONF_OPTI32(SchedDef, priority, "@priority", CF_REQUIRED, "fifo, rr: priority", WHEN(SchedDef, policy, BIT(SCHED_POLICY_FIFO) | BIT(SCHED_POLICY_RR))), CONF_PAD(SchedDef, _pad)
static const ConfField vcpusched_rows[] = { CONF_BITMAP(SchedDef, ids, "@vcpus", CF_REQUIRED, "CPUs of the guest"), SCHED };
CONF_DESC(vcpu_sched_desc, SchedDef, vcpusched_rows);
static const ConfField iothreadsched_rows[] = { CONF_BITMAP(SchedDef, ids, "@iothreads", CF_REQUIRED, "I/O threads"), SCHED };
CONF_DESC(iothread_sched_desc, SchedDef, iothreadsched_rows);
static const ConfField emulatorsched_rows[] = { CONF_BITMAP(SchedDef, ids, NULL, 0, ""), SCHED };
CONF_DESC(emulator_sched_desc, SchedDef, emulatorsched_rows);

static const ConfField cache_alloc_rows[] = {
    CONF_U32(CacheAlloc, id, "@id", CF_REQUIRED | CF_ALWAYS, "cache"),
    CONF_U32(CacheAlloc, level, "@level", CF_REQUIRED | CF_ALWAYS, "its level"),
    CONF_ENUM(CacheAlloc, type, "@type", cache_type_names, CF_REQUIRED | CF_ALWAYS, "code, data or both"),
    CONF_PRETTY64(CacheAlloc, size, "@size", size_bytes, CF_REQUIRED, "how much of it"),
    CONF_PAD(CacheAlloc, _pad),
};
CONF_DESC(cache_alloc_desc, CacheAlloc, cache_alloc_rows);
static const ConfField cache_monitor_rows[] = {
    CONF_U32(CacheMonitor, level, "@level", CF_REQUIRED | CF_ALWAYS, "cache level"),
    CONF_BITMAP(CacheMonitor, vcpus, "@vcpus", CF_REQUIRED, "CPUs of the guest"), CONF_PAD(CacheMonitor, _pad),
};
CONF_DESC(cache_monitor_desc, CacheMonitor, cache_monitor_rows);
static const ConfField cachetune_rows[] = {
    CONF_BITMAP(CacheTune, vcpus, "@vcpus", CF_REQUIRED, "CPUs of the guest"),
    CONF_STR(CacheTune, id, "@id", CF_LIVE, "name of the group"),
    CONF_LIST(CacheTune, caches, "cache", cache_alloc_desc, 0, "allocations"),
    CONF_LIST(CacheTune, monitors, "monitor", cache_monitor_desc, 0, "monitors"),
};
CONF_DESC(cachetune_desc, CacheTune, cachetune_rows);

static const ConfField bandwidth_rows[] = {
    CONF_U32(MemoryBandwidth, id, "@id", CF_REQUIRED | CF_ALWAYS, "node"),
    CONF_U32(MemoryBandwidth, bandwidth, "@bandwidth", CF_REQUIRED, "percent"),
};
CONF_DESC(memory_bandwidth_desc, MemoryBandwidth, bandwidth_rows);
static const ConfField memory_monitor_rows[] = { CONF_BITMAP(MemoryMonitor, vcpus, "@vcpus", CF_REQUIRED, "CPUs of the guest") };
CONF_DESC(memory_monitor_desc, MemoryMonitor, memory_monitor_rows);
static const ConfField memorytune_rows[] = {
    CONF_BITMAP(MemoryTune, vcpus, "@vcpus", CF_REQUIRED, "CPUs of the guest"),
    CONF_STR(MemoryTune, id, "@id", CF_LIVE, "name of the group"),
    CONF_LIST(MemoryTune, nodes, "node", memory_bandwidth_desc, 0, "allocations"),
    CONF_LIST(MemoryTune, monitors, "monitor", memory_monitor_desc, 0, "monitors"),
};
CONF_DESC(memorytune_desc, MemoryTune, memorytune_rows);

#define C CpuTuning
static const ConfField cputune_rows[] = {
    CONF_OPT64(C, shares, "shares/text()", 0, "weight"),
#define Q(p) CONF_U64(C, p##period, #p "period/text()", 0, "microseconds"), CONF_I64(C, p##quota, #p "quota/text()", 0, "microseconds per period")
    Q(), Q(global_), Q(emulator_), Q(iothread_),
#undef Q
    CONF_LIST(C, vcpu_pins, "vcpupin", vcpu_pin_desc, 0, "pinned CPUs"),
    CONF_BITMAP(C, emulator_pin, "emulatorpin/@cpuset", CF_REQUIRED | CF_IF_ELEMENT | CF_ONCE, "CPUs of the host for the emulator"),
    CONF_LIST(C, iothread_pins, "iothreadpin", iothread_pin_desc, 0, "pinned I/O threads"),
    CONF_OPTIONAL(C, emulator_sched, "emulatorsched", emulator_sched_desc, 0, "scheduler of the emulator"),
    CONF_LIST(C, vcpu_scheds, "vcpusched", vcpu_sched_desc, 0, "schedulers of CPUs"),
    CONF_LIST(C, iothread_scheds, "iothreadsched", iothread_sched_desc, 0, "schedulers of I/O threads"),
    CONF_LIST(C, cachetunes, "cachetune", cachetune_desc, 0, "cache allocation"),
    CONF_LIST(C, memorytunes, "memorytune", memorytune_desc, 0, "memory bandwidth"),
};
#undef C
CONF_DESC(cpu_tuning_desc, CpuTuning, cputune_rows);

static const ConfField blkio_device_rows[] = {
    CONF_STR(BlkioDevice, path, "path/text()", CF_REQUIRED, "block device"),
    CONF_U32(BlkioDevice, weight, "weight/text()", 0, "weight"),
    CONF_U32(BlkioDevice, read_iops_sec, "read_iops_sec/text()", 0, "reads per second"),
    CONF_U32(BlkioDevice, write_iops_sec, "write_iops_sec/text()", 0, "writes per second"),
    CONF_U64(BlkioDevice, read_bytes_sec, "read_bytes_sec/text()", 0, "bytes per second"),
    CONF_U64(BlkioDevice, write_bytes_sec, "write_bytes_sec/text()", 0, "bytes per second"),
    CONF_PAD(BlkioDevice, _pad),
};
static bool blkio_device_says_nothing(bool inactive, const void *v)
{
    const BlkioDevice *b = v;
    return !b->weight && !b->read_iops_sec && !b->write_iops_sec && !b->read_bytes_sec && !b->write_bytes_sec;
}
CONF_DESC(blkio_device_desc, BlkioDevice, blkio_device_rows, .says_nothing = blkio_device_says_nothing);
static const ConfField blkio_rows[] = {
    CONF_U32(BlkioTuning, weight, "weight/text()", 0, "weight"),
    CONF_LIST(BlkioTuning, devices, "device", blkio_device_desc, 0, "per device"), CONF_PAD(BlkioTuning, _pad),
};
CONF_DESC(blkio_desc, BlkioTuning, blkio_rows);

static const ConfField memnode_rows[] = {
    CONF_U32(NumaMemnode, cell, "@cellid", CF_REQUIRED | CF_ALWAYS, "cell of the guest"),
    CONF_ENUM(NumaMemnode, mode, "@mode", numa_mode_names, CF_ALWAYS, "how strictly"),
    CONF_BITMAP(NumaMemnode, nodeset, "@nodeset", CF_REQUIRED, "nodes of the host"),
};
CONF_DESC(memnode_desc, NumaMemnode, memnode_rows);
#define N NumaTuning
static const ConfField numatune_rows[] = {
    CONF_FLAG(N, memory, "memory", 0, "for all of the guest"),
    CONF_ENUM(N, mode, "memory/@mode", numa_mode_names, CF_ALWAYS, "how strictly", WHEN(N, memory, BIT(1))),
    CONF_BITMAP(N, nodeset, "memory/@nodeset", 0, "nodes of the host"),
    CONF_ENUM(N, placement, "memory/@placement", numa_placement_names, 0, "who chooses the nodes"),
    CONF_LIST(N, memnodes, "memnode", memnode_desc, 0, "per cell"), CONF_PAD(N, _pad),
};
static bool numatune_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    N *n = v;
    if (n->memory && n->placement == NUMA_PLACEMENT_STATIC && n->nodeset)
        n->placement = NUMA_PLACEMENT_DEFAULT;
    return true;
}
#undef N
CONF_DESC(numatune_desc, NumaTuning, numatune_rows, .parsed = numatune_parsed);

#define I IothreadDef
static const ConfField iothread_rows[] = {
    CONF_U32(I, id, "@id", CF_REQUIRED, "number", CONF_NUM(num_positive)),
    CONF_OPTI32(I, pool_min, "@thread_pool_min", 0, "least workers"),
    CONF_OPTI32(I, pool_max, "@thread_pool_max", 0, "most workers"),
    CONF_FLAG(I, poll, "poll", 0, "busy waiting"),
    CONF_OPT64(I, poll_max, "poll/@max", 0, "ns"),
    CONF_OPT64(I, poll_grow, "poll/@grow", 0, "factor"),
    CONF_OPT64(I, poll_shrink, "poll/@shrink", 0, "divisor"),
    CONF_PAD(I, _pad), CONF_PAD(I, _pad2),
};
#undef I
CONF_DESC(iothread_desc, IothreadDef, iothread_rows);

static const ConfField vcpu_rows[] = {
    CONF_U32(VcpuDef, id, "@id", CF_REQUIRED | CF_ALWAYS, "number"),
    CONF_YESNO(VcpuDef, enabled, "@enabled", CF_REQUIRED, "plugged in"),
    CONF_YESNO(VcpuDef, hotpluggable, "@hotpluggable", 0, "may be unplugged"),
    CONF_U32(VcpuDef, order, "@order", 0, "order of plugging", CONF_NUM(num_positive)),
};
CONF_DESC(vcpu_desc, VcpuDef, vcpu_rows);

static const ConfField idmap_rows[] = {
    CONF_U32(IdMap, start, "@start", CF_REQUIRED | CF_ALWAYS, "first id in the container"),
    CONF_U32(IdMap, target, "@target", CF_REQUIRED | CF_ALWAYS, "first id on the host"),
    CONF_U32(IdMap, count, "@count", CF_REQUIRED | CF_ALWAYS, "ids"),
};
CONF_DESC(idmap_desc, IdMap, idmap_rows);
