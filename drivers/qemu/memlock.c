/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How much memory the emulator may lock (memlock.h). Assigned devices reach all of the guest's memory at
 * any time, so it cannot be paged; on pseries KVM keeps the guest's page tables locked as well. Pure.
 */
#include "drivers/qemu/memlock.h"

#include "drivers/qemu/machine.h"

enum { MIB = 1024 }; /* in KiB */

static bool is_assigned(const Device *dev)
{
    if (dev->kind == DEVICE_INTERFACE)
        return ((const NetDef *)dev)->type == NET_HOSTDEV;
    if (dev->kind == DEVICE_DISK) {
        for (const StorageSource *s = &((const DiskDef *)dev)->src; s; s = s->backing) {
            if (s->type == STORAGE_NVME)
                return true;
        }
        return false;
    }
    const HostdevDef *h = (const HostdevDef *)dev;
    return dev->kind == DEVICE_HOSTDEV && h->mode == HOSTDEV_SUBSYS && (h->type == HOSTDEV_PCI || h->type == HOSTDEV_MDEV);
}

/* KiB: hash table (1/128 of the memory), TCE tables of each host bridge, and some to spare. */
static uint64_t pseries_limit(const DomainDef *d, bool assigned)
{
    uint64_t most = MAX(d->max_memory, d->memory), bridges = 0;
    guint pos = 0;
    const ControllerDef *c;
    while ((c = domain_next(d, DEVICE_CONTROLLER, &pos)))
        bridges += c->type == CONTROLLER_PCI && c->model == PCI_ROOT;
    uint64_t base = most / 128 + 4 * MIB * bridges + 8 * MIB;
    if (!assigned)
        return base;
    return base + MAX(2048 * MIB * bridges, d->memory + d->memory / 512 * bridges + 8 * MIB);
}

uint64_t qemu_memlock_limit(const DomainDef *d)
{
    unsigned assigned = 0, vdpa = 0;
    for (unsigned i = 0; i < list_len(d->devices); i++) {
        const Device *dev = list_at(d->devices, i);
        assigned += is_assigned(dev);
        vdpa += dev->kind == DEVICE_INTERFACE && ((const NetDef *)dev)->type == NET_VDPA;
    }
    if (d->memtune.hard_limit.set)
        return d->memtune.hard_limit.v * 1024;
    if (d->backing && d->backing->locked)
        return MEMLOCK_UNLIMITED;
    if (arch_is_ppc64(d->os.arch) && d->virt == VIRT_KVM)
        return pseries_limit(d, assigned) * 1024;
    if (!assigned && !vdpa)
        return 0;
    /* Devices behind one IOMMU of the guest map its memory each for itself; VFIO devices without share. */
    uint64_t times = domain_count(d, DEVICE_IOMMU) ? assigned + vdpa : vdpa + (assigned ? 1 : 0);
    return (d->memory * times + 1024 * MIB) * 1024;
}
