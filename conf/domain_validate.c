/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What must hold in any definition, whoever runs it: names are unique, references resolve, sets do
 * not overlap. Limits of a hypervisor belong to its policy. Reads only; any thread.
 */
#include <string.h>

#include "conf/device-internal.h"
#include "conf/domain.h"
#include "util/api.h"
#include "util/error.h"

static bool validate_disks(const DomainDef *d, GError **err)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    const DiskDef *disk;

    for (guint i = 0; (disk = domain_next(d, DEVICE_DISK, &i));) {
        if (!g_hash_table_add(names, disk->dst)) {
            error_set(err, VIR_ERR_XML_ERROR, "target '%s' duplicated for disk sources '%s' and another", disk->dst,
                      disk->src.path ? disk->src.path : "");
            return false;
        }
        const DiskIotune *t = &disk->iotune;
        if ((t->total_bytes_sec && (t->read_bytes_sec || t->write_bytes_sec)) ||
            (t->total_iops_sec && (t->read_iops_sec || t->write_iops_sec))) {
            error_set(err, VIR_ERR_XML_ERROR, "disk '%s': total and read/write iotune limits cannot be set at the same time", disk->dst);
            return false;
        }
        if ((t->total_bytes_sec_max && (t->read_bytes_sec_max || t->write_bytes_sec_max)) ||
            (t->total_iops_sec_max && (t->read_iops_sec_max || t->write_iops_sec_max))) {
            error_set(err, VIR_ERR_XML_ERROR, "disk '%s': total and read/write iotune maxima cannot be set at the same time", disk->dst);
            return false;
        }
        const char *wwn = disk->wwn;
        if (wwn && g_str_has_prefix(wwn, "0x"))
            wwn += 2;
        if (wwn && (strlen(wwn) != 16 || strspn(wwn, "0123456789abcdefABCDEF") != 16)) {
            error_set(err, VIR_ERR_XML_ERROR, "disk '%s': malformed wwn '%.50s', 16 hexadecimal digits expected", disk->dst, disk->wwn);
            return false;
        }
    }
    return true;
}

static bool validate_controllers(const DomainDef *d, GError **err)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    const ControllerDef *c;

    for (guint i = 0; (c = domain_next(d, DEVICE_CONTROLLER, &i));) {
        /* Companion controllers share the index of their master. */
        if (c->type == CONTROLLER_USB)
            continue;
        if (!g_hash_table_add(seen, GUINT_TO_POINTER(c->type << 20 | (c->index.v & 0xfffff)))) {
            error_set(err, VIR_ERR_XML_ERROR, "multiple '%s' controllers with index '%u'",
                      enum_name(&controller_type_names, c->type), c->index.v);
            return false;
        }
    }
    return true;
}

static bool validate_unique(const DomainDef *d, GError **err)
{
    static const DeviceKind once[] = { DEVICE_MEMBALLOON, DEVICE_NVRAM, DEVICE_REDIRFILTER, DEVICE_IOMMU, DEVICE_VSOCK };
    g_autoptr(GHashTable) aliases = g_hash_table_new(g_str_hash, g_str_equal), orders = g_hash_table_new(NULL, NULL);

    for (unsigned k = 0; k < G_N_ELEMENTS(once); k++) {
        if (domain_count(d, once[k]) > 1) {
            error_set(err, VIR_ERR_XML_ERROR, "only a single %s device is supported", device_kind_element(once[k]));
            return false;
        }
    }
    for (guint i = 0; i < d->devices->len; i++) {
        const Device *dev = d->devices->pdata[i];
        if (dev->kind == DEVICE_CONSOLE && ((const ChrDef *)dev)->is_serial_alias)
            continue;
        if (dev->info.alias && !g_hash_table_add(aliases, dev->info.alias)) {
            error_set(err, VIR_ERR_XML_ERROR, "non unique alias detected: %s", dev->info.alias);
            return false;
        }
        if (dev->info.boot_order && !g_hash_table_add(orders, GUINT_TO_POINTER(dev->info.boot_order))) {
            error_set(err, VIR_ERR_XML_ERROR, "boot order '%u' used for more than one device", dev->info.boot_order);
            return false;
        }
    }
    if (g_hash_table_size(orders) && list_len(d->os.boot)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "per-device boot elements cannot be used together with os/boot elements");
        return false;
    }
    return true;
}

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
                if (x->level == y->level && x->id == y->id && (x->type == y->type || x->type == CACHE_TYPE_BOTH || y->type == CACHE_TYPE_BOTH)) {
                    error_set(err, VIR_ERR_XML_ERROR, "domain/cputune/cachetune: colliding allocations for cache %u of level %u", x->id, x->level);
                    return false;
                }
            }
        }
        for (unsigned m = 0; m < list_len(a->monitors); m++) {
            const CacheMonitor *x = list_at(a->monitors, m);
            bool taken = false;
            for (unsigned n = 0; n < m; n++)
                taken = taken || bitmap_equal(x->vcpus, ((const CacheMonitor *)list_at(a->monitors, n))->vcpus);
            if (taken || !is_subset(x->vcpus, a->vcpus)) {
                error_set(err, VIR_ERR_XML_ERROR, "domain/cputune/cachetune/monitor: vcpus are not of the cachetune or monitored twice");
                return false;
            }
        }
    }
    for (unsigned i = 0; i < list_len(t->memorytunes); i++) {
        const MemoryTune *a = list_at(t->memorytunes, i);
        for (unsigned j = 0; j < i; j++) {
            if (bitmap_overlaps(a->vcpus, ((const MemoryTune *)list_at(t->memorytunes, j))->vcpus)) {
                error_set(err, VIR_ERR_XML_ERROR, "domain/cputune/memorytune: overlapping vcpus");
                return false;
            }
        }
        for (unsigned j = 0; j < list_len(t->cachetunes); j++) {
            if (overlaps_partly(a->vcpus, ((const CacheTune *)list_at(t->cachetunes, j))->vcpus)) {
                error_set(err, VIR_ERR_XML_ERROR, "domain/cputune/memorytune: vcpus overlap with a cachetune");
                return false;
            }
        }
        for (unsigned m = 0; m < list_len(a->nodes); m++) {
            for (unsigned n = 0; n < m; n++) {
                if (((const MemoryBandwidth *)list_at(a->nodes, m))->id == ((const MemoryBandwidth *)list_at(a->nodes, n))->id) {
                    error_set(err, VIR_ERR_XML_ERROR, "domain/cputune/memorytune: colliding allocations for a node");
                    return false;
                }
            }
        }
    }
    return true;
}

static bool validate_timers(const ClockDef *c, GError **err)
{
    for (unsigned i = 0; i < list_len(c->timers); i++) {
        const ClockTimer *t = list_at(c->timers, i);
        for (unsigned j = 0; j < i; j++) {
            if (t->name == ((const ClockTimer *)list_at(c->timers, j))->name) {
                error_set(err, VIR_ERR_XML_ERROR, "domain/clock/timer: '%s' given twice", enum_name(&timer_name_names, t->name));
                return false;
            }
        }
    }
    return true;
}

static bool validate_vcpus(const DomainDef *d, GError **err)
{
    if (!list_len(d->vcpu_defs))
        return true;
    for (unsigned i = 0; i < list_len(d->vcpu_defs); i++) {
        const VcpuDef *v = list_at(d->vcpu_defs, i);
        if (v->id >= d->vcpus_max) {
            error_set(err, VIR_ERR_XML_ERROR, "domain/vcpus/vcpu: vcpu id '%u' is out of range of maximum vcpu count", v->id);
            return false;
        }
    }
    return true;
}

static bool driver_validate(const DomainDef *d, const ConfPolicy *policy, void *data, GError **err)
{
    if (!policy)
        return true;
    for (guint i = 0; policy->device_validate && i < d->devices->len; i++) {
        if (!policy->device_validate(d, d->devices->pdata[i], data, err))
            return false;
    }
    return !policy->domain_validate || policy->domain_validate(d, data, err);
}

bool domain_validate(const DomainDef *d, const ConfPolicy *policy, void *policy_data, GError **err)
{
    return validate_disks(d, err) && validate_controllers(d, err) && validate_unique(d, err) &&
           (!d->cputune || validate_cputune(d->cputune, err)) && validate_timers(&d->clock, err) &&
           validate_vcpus(d, err) && driver_validate(d, policy, policy_data, err);
}
