/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rules between the tuning elements: sets that must not overlap, cells that must exist, policies that
 * exclude each other. Reads only; any thread.
 */
#include <string.h>

#include "conf/validate-internal.h"
#include "util/api.h"
#include "util/error.h"

static bool overlaps_partly(const Bitmap *a, const Bitmap *b)
{
    return bitmap_overlaps(a, b) && !bitmap_equal(a, b);
}

static bool is_subset(const Bitmap *a, const Bitmap *b)
{
    for (int i = bitmap_next(a, 0); i >= 0; i = bitmap_next(a, (unsigned)i + 1)) {
        if (!bitmap_is_set(b, (unsigned)i))
            return false;
    }
    return true;
}

static bool validate_cputune(const CpuTuning *t, GError **err)
{
    for (unsigned i = 0; i < list_len(t->cachetunes); i++) {
        const CacheTune *a = list_at(t->cachetunes, i);
        for (unsigned j = 0; j < i; j++) {
            if (bitmap_overlaps(a->vcpus, ((const CacheTune *)list_at(t->cachetunes, j))->vcpus)) {
                error_set(err, VIR_ERR_XML_ERROR, "domain/cputune/cachetune: overlapping vcpus");
                return false;
            }
        }
        for (unsigned m = 0; m < list_len(a->caches); m++) {
            const CacheAlloc *x = list_at(a->caches, m);
            for (unsigned n = 0; n < m; n++) {
                const CacheAlloc *y = list_at(a->caches, n);
                if (x->level == y->level && x->id == y->id &&
                    (x->type == y->type || x->type == CACHE_TYPE_BOTH ||
                     y->type == CACHE_TYPE_BOTH)) {
                    error_set(
                        err, VIR_ERR_XML_ERROR,
                        "domain/cputune/cachetune: colliding allocations for cache %u of level %u",
                        x->id, x->level);
                    return false;
                }
            }
        }
        for (unsigned m = 0; m < list_len(a->monitors); m++) {
            const CacheMonitor *x = list_at(a->monitors, m);
            bool taken = false;
            for (unsigned n = 0; n < m; n++)
                taken =
                    taken ||
                    bitmap_equal(x->vcpus, ((const CacheMonitor *)list_at(a->monitors, n))->vcpus);
            if (taken || !is_subset(x->vcpus, a->vcpus)) {
                error_set(
                    err, VIR_ERR_XML_ERROR,
                    "domain/cputune/cachetune/monitor: vcpus are not of the cachetune or monitored twice");
                return false;
            }
        }
    }
    for (unsigned i = 0; i < list_len(t->memorytunes); i++) {
        const MemoryTune *a = list_at(t->memorytunes, i);
        for (unsigned j = 0; j < i; j++) {
            if (bitmap_overlaps(a->vcpus,
                                ((const MemoryTune *)list_at(t->memorytunes, j))->vcpus)) {
                error_set(err, VIR_ERR_XML_ERROR, "domain/cputune/memorytune: overlapping vcpus");
                return false;
            }
        }
        for (unsigned j = 0; j < list_len(t->cachetunes); j++) {
            if (overlaps_partly(a->vcpus, ((const CacheTune *)list_at(t->cachetunes, j))->vcpus)) {
                error_set(err, VIR_ERR_XML_ERROR,
                          "domain/cputune/memorytune: vcpus overlap with a cachetune");
                return false;
            }
        }
        for (unsigned m = 0; m < list_len(a->nodes); m++) {
            for (unsigned n = 0; n < m; n++) {
                if (((const MemoryBandwidth *)list_at(a->nodes, m))->id ==
                    ((const MemoryBandwidth *)list_at(a->nodes, n))->id) {
                    error_set(err, VIR_ERR_XML_ERROR,
                              "domain/cputune/memorytune: colliding allocations for a node");
                    return false;
                }
            }
        }
    }
    return true;
}

/* Schedulers of one kind must not claim the same id twice. */
static bool validate_schedulers(const GPtrArray *scheds, const char *what, GError **err)
{
    for (unsigned i = 0; i < list_len(scheds); i++) {
        const SchedDef *a = list_at(scheds, i);
        for (unsigned j = 0; j < i; j++) {
            if (a->ids && bitmap_overlaps(a->ids, ((const SchedDef *)list_at(scheds, j))->ids)) {
                error_set(err, VIR_ERR_XML_ERROR,
                          "domain/cputune: '%s' attributes must not overlap", what);
                return false;
            }
        }
    }
    return true;
}

static const NumaCell *find_cell(const CpuDef *cpu, uint32_t id)
{
    for (unsigned i = 0; cpu && i < list_len(cpu->cells); i++) {
        const NumaCell *c = list_at(cpu->cells, i);
        if (c->id.v == id)
            return c;
    }
    return NULL;
}

static bool validate_numatune(const DomainDef *d, const NumaTuning *n, GError **err)
{
    if (n->memory && n->placement != NUMA_PLACEMENT_AUTO && !n->nodeset) {
        bool automatic =
            n->placement == NUMA_PLACEMENT_DEFAULT && d->placement == VCPU_PLACEMENT_AUTO;
        if (!automatic) {
            error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                      "nodeset for NUMA memory tuning must be set if 'placement' is 'static'");
            return false;
        }
    }
    if (list_len(n->memnodes) && n->placement == NUMA_PLACEMENT_AUTO) {
        error_set(err, VIR_ERR_XML_ERROR,
                  "Per-node binding is not compatible with automatic NUMA placement.");
        return false;
    }
    for (unsigned i = 0; i < list_len(n->memnodes); i++) {
        const NumaMemnode *m = list_at(n->memnodes, i);
        if (!find_cell(d->cpu, m->cell)) {
            error_set(err, VIR_ERR_XML_ERROR,
                      "domain/numatune/memnode: there is no guest NUMA cell %u", m->cell);
            return false;
        }
        if (n->memory && (n->mode == NUMA_RESTRICTIVE) != (m->mode == NUMA_RESTRICTIVE)) {
            error_set(
                err, VIR_ERR_XML_ERROR,
                "'restrictive' mode is required in memnode element when mode is 'restrictive' in memory element, and the other way round");
            return false;
        }
        for (unsigned j = 0; j < i; j++) {
            if (((const NumaMemnode *)list_at(n->memnodes, j))->cell == m->cell) {
                error_set(err, VIR_ERR_XML_ERROR, "domain/numatune/memnode: cell %u is given twice",
                          m->cell);
                return false;
            }
        }
    }
    return true;
}

static const NumaCache *find_cache(const NumaCell *c, uint32_t level)
{
    for (unsigned i = 0; c && i < list_len(c->caches); i++) {
        if (((const NumaCache *)list_at(c->caches, i))->level == level)
            return list_at(c->caches, i);
    }
    return NULL;
}

static bool validate_interconnects(const CpuDef *cpu, GError **err)
{
    for (unsigned i = 0; i < list_len(cpu->interconnects); i++) {
        const NumaInterconnect *a = list_at(cpu->interconnects, i);
        const char *problem = NULL;
        if (!find_cell(cpu, a->initiator) || !find_cell(cpu, a->target))
            problem = "there is no such cell";
        else if (a->cache.set && a->cache.v && !find_cache(find_cell(cpu, a->target), a->cache.v))
            problem = "the target has no such cache";
        for (unsigned j = 0; !problem && j < i; j++) {
            const NumaInterconnect *b = list_at(cpu->interconnects, j);
            if (a->bandwidth == b->bandwidth && a->initiator == b->initiator && a->target == b->target && a->type == b->type &&
                a->cache.v == b->cache.v)
                problem = "it is given twice";
        }
        if (problem) {
            error_set(err, VIR_ERR_XML_ERROR, "domain/cpu/numa/interconnects: from cell %u to cell %u: %s", a->initiator, a->target,
                      problem);
            return false;
        }
    }
    return true;
}

/* 10 is the distance of a cell to itself, others are farther. */
static bool validate_cell(const NumaCell *c, GError **err)
{
    for (unsigned i = 0; i < list_len(c->distances); i++) {
        const NumaDistance *s = list_at(c->distances, i);
        if (s->id == c->id.v ? s->value == 10 : s->value > 10 && s->value <= 255)
            continue;
        error_set(err, VIR_ERR_XML_ERROR, "'value %u' is invalid for 'sibling id %u' under NUMA 'cell id %u'", s->value, s->id, c->id.v);
        return false;
    }
    for (unsigned i = 0; i < list_len(c->caches); i++) {
        const NumaCache *n = list_at(c->caches, i);
        if (find_cache(c, n->level) == n)
            continue;
        error_set(err, VIR_ERR_XML_ERROR, "NUMA cell %u: cache level '%u' already defined", c->id.v, n->level);
        return false;
    }
    return true;
}

static bool validate_cpu(const CpuDef *cpu, GError **err)
{
    const CpuCache *cache = cpu->cache;
    unsigned n = list_len(cpu->cells);

    if (cache && cache->mode == CPU_CACHE_EMULATE && cache->level.set && cache->level.v != 3) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "CPU cache mode 'emulate' can only be used with level='3'");
        return false;
    }
    if (cache && cache->mode == CPU_CACHE_PASSTHROUGH && cache->level.set) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "unsupported CPU cache level for mode 'passthrough'");
        return false;
    }
    if (cpu->maxphysaddr && cpu->maxphysaddr->mode == CPU_PHYS_PASSTHROUGH &&
        cpu->maxphysaddr->bits.set) {
        error_set(
            err, VIR_ERR_CONFIG_UNSUPPORTED,
            "CPU maximum physical address bits number specification cannot be used with mode='passthrough'");
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        const NumaCell *a = list_at(cpu->cells, i);
        if (!validate_cell(a, err))
            return false;
        if (a->id.v >= n) {
            error_set(
                err, VIR_ERR_XML_ERROR,
                "Exactly one 'cell' element per guest NUMA cell allowed, non-contiguous ranges or ranges not starting from 0 are not allowed");
            return false;
        }
        for (unsigned j = 0; j < i; j++) {
            const NumaCell *b = list_at(cpu->cells, j);
            if (a->id.v == b->id.v) {
                error_set(err, VIR_ERR_XML_ERROR, "Duplicate NUMA cell info for cell id '%u'",
                          a->id.v);
                return false;
            }
            if (a->cpus && b->cpus && bitmap_overlaps(a->cpus, b->cpus)) {
                error_set(err, VIR_ERR_XML_ERROR, "NUMA cells %u and %u have overlapping vCPU ids",
                          b->id.v, a->id.v);
                return false;
            }
        }
    }
    if (cpu->vendor_id && *cpu->vendor_id && strlen(cpu->vendor_id) != 12) {
        error_set(err, VIR_ERR_XML_ERROR, "domain/cpu/model/@vendor_id: must be exactly 12 characters long");
        return false;
    }
    return validate_interconnects(cpu, err);
}

static bool validate_memory(const DomainDef *d, GError **err)
{
    unsigned master = 0;

    for (unsigned i = 0; d->backing && i < list_len(d->backing->pages); i++) {
        const HugePage *p = list_at(d->backing->pages, i);
        if (!p->size) {
            error_set(err, VIR_ERR_XML_ERROR, "domain/memoryBacking/hugepages: the size of pages cannot be zero");
            return false;
        }
        for (unsigned j = 0; p->nodes && j < i; j++) {
            const HugePage *o = list_at(d->backing->pages, j);
            if (o->nodes && bitmap_overlaps(p->nodes, o->nodes)) {
                error_set(err, VIR_ERR_XML_ERROR, "domain/memoryBacking/hugepages: two page sizes for the same cell");
                return false;
            }
        }
        if (!p->nodes && master++) {
            error_set(err, VIR_ERR_XML_ERROR,
                      "domain/memoryBacking/hugepages: two page sizes for the same memory");
            return false;
        }
        int last = p->nodes ? bitmap_last(p->nodes) : -1;
        if (last > 0 && (!d->cpu || !find_cell(d->cpu, (uint32_t)last))) {
            error_set(err, VIR_ERR_XML_ERROR, "hugepages: node %d not found", last);
            return false;
        }
    }
    if (d->max_memory && !d->memory_slots) {
        error_set(err, VIR_ERR_XML_ERROR, "domain/maxMemory: the number of slots is missing");
        return false;
    }
    /* The containers of openvz have their limits elsewhere. */
    if (!d->memory && d->virt != VIRT_NONE && d->virt != VIRT_OPENVZ && !domain_count(d, DEVICE_MEMORY)) {
        error_set(err, VIR_ERR_XML_ERROR,
                  "Memory size must be specified via <memory> or in the <numa> configuration");
        return false;
    }
    return true;
}

bool validate_tuning(const DomainDef *d, GError **err)
{
    const CpuTuning *t = d->cputune;

    if (t && (!validate_cputune(t, err) || !validate_schedulers(t->vcpu_scheds, "vcpusched", err) ||
              !validate_schedulers(t->iothread_scheds, "iothreadsched", err)))
        return false;
    return (!d->numatune || validate_numatune(d, d->numatune, err)) &&
           (!d->cpu || validate_cpu(d->cpu, err)) && validate_memory(d, err);
}
