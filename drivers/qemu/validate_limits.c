/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What QEMU's machines and devices cannot do, however new the emulator: numbers of ports, combinations
 * of disks and buses, memory that other processes must see. Reads only; any thread.
 */
#include <string.h>

#include "drivers/qemu/machine.h"
#include "drivers/qemu/validate.h"
#include "util/error.h"

enum { ISA_SERIAL_PORTS = 4, XHCI_PORTS = 15, VIRTIO_SERIAL_PORTS = 31, VCPUS_WITHOUT_EIM = 255 };

/* ---- disks ---- */

static bool has_shared_memory(const DomainDef *d)
{
    bool shared = d->backing && d->backing->access == MEM_ACCESS_SHARED;
    unsigned n = d->cpu ? list_len(d->cpu->cells) : 0;

    for (unsigned i = 0; i < n; i++) {
        NumaMemAccess a = ((const NumaCell *)list_at(d->cpu->cells, i))->mem_access;
        if (a != MEM_ACCESS_SHARED && (a != MEM_ACCESS_DEFAULT || !shared))
            return false;
    }
    return n > 0 || shared;
}

bool qemu_validate_fat(const DiskDef *disk, GError **err)
{
    bool dir = disk->src.type == STORAGE_DIR, fat = disk->src.format == FORMAT_FAT;

    if (fat && !dir && disk->src.type != STORAGE_VOLUME)
        return qemu_refuse(err, "disk '%s': format 'fat' is for type 'dir'", disk->dst);
    if (dir && !fat)
        return qemu_refuse(err, "disk '%s': type 'dir' needs format 'fat'", disk->dst);
    if (dir && !disk->readonly)
        return qemu_refuse(err, "disk '%s': virtual FAT storage can't be accessed in read-write mode", disk->dst);
    return true;
}

static bool limit_disk(const DomainDef *d, const DiskDef *disk, GError **err)
{
    if (disk_name_to_index(disk->dst) < 0)
        return qemu_refuse(err, "invalid disk target '%.50s'", disk->dst);
    if (disk->readonly && disk->device == DISK_DEVICE_DISK && (disk->bus == DISK_BUS_IDE || disk->bus == DISK_BUS_SATA))
        return qemu_refuse(err, "disk '%s': readonly %s disks are not supported", disk->dst, enum_name(&disk_bus_names, disk->bus));
    if (disk->src.type == STORAGE_VHOSTUSER && !has_shared_memory(d))
        return qemu_refuse(err, "disk '%s': vhostuser requires shared memory", disk->dst);
    if (disk->wwn && disk->bus != DISK_BUS_IDE && disk->bus != DISK_BUS_SCSI)
        return qemu_refuse(err, "Only ide and scsi disk support wwn");
    /* Metadata of other formats is one writer's. */
    if (disk->shareable && !disk->readonly && disk->src.format != FORMAT_NONE && disk->src.format != FORMAT_RAW)
        return qemu_refuse(err, "shared access for disk '%s' requires use of supported storage format", disk->dst);
    return qemu_validate_fat(disk, err);
}

/* ---- ports ---- */

static bool limit_serial(const DomainDef *d, const ChrDef *c, GError **err)
{
    const ChrDef *o;

    if (c->target != SERIAL_ISA)
        return true;
    if (c->port.v >= ISA_SERIAL_PORTS)
        return qemu_refuse(err, "serial: port %u: there are %d ISA serial ports", c->port.v, ISA_SERIAL_PORTS);
    for (guint i = 0; (o = domain_next(d, DEVICE_SERIAL, &i)) && o != c;) {
        if (o->target == SERIAL_ISA && o->port.v == c->port.v)
            return qemu_refuse(err, "serial: port %u is used more than once", c->port.v);
    }
    return true;
}

static bool limit_channel(const DomainDef *d, const Device *dev, GError **err)
{
    const SerialAddress *a = &dev->info.address.u.serial;

    if (dev->info.address.type != ADDRESS_VIRTIO_SERIAL || !a->port.set)
        return true;
    const ControllerDef *c = domain_find_controller(d, CONTROLLER_VIRTIO_SERIAL, a->controller);
    if (a->port.v >= (c && c->ports.set ? c->ports.v : VIRTIO_SERIAL_PORTS))
        return qemu_refuse(err, "virtio serial controller %u does not have port %u", a->controller, a->port.v);
    for (unsigned i = 0; i < list_len(d->devices); i++) {
        const Device *o = list_at(d->devices, i);
        const SerialAddress *b = &o->info.address.u.serial;
        if (o == dev)
            break;
        if (o->info.address.type == ADDRESS_VIRTIO_SERIAL && b->port.set && a->controller == b->controller && a->port.v == b->port.v)
            return qemu_refuse(err, "virtio serial port %u on controller %u is already occupied", a->port.v, a->controller);
    }
    return true;
}

static bool limit_controller(const ControllerDef *c, GError **err)
{
    if (c->type == CONTROLLER_PCI && c->model == CONTROLLER_MODEL_DEFAULT)
        return qemu_refuse(err, "controller pci %u: the model is missing", c->index.v);
    if (c->type == CONTROLLER_PCI && ((c->port.set && c->port.v > 255) || (c->chassis.set && c->chassis.v > 255)))
        return qemu_refuse(err, "controller pci %u: port and chassis are 0 to 255", c->index.v);
    if (c->type == CONTROLLER_USB && (c->model == USB_QEMU_XHCI || c->model == USB_NEC_XHCI) && c->ports.set && c->ports.v > XHCI_PORTS)
        return qemu_refuse(err, "controller usb %u: at most %d ports are possible", c->index.v, XHCI_PORTS);
    return true;
}

/* ---- memory ---- */

static bool limit_memory(const DomainDef *d, const MemoryDef *m, GError **err)
{
    unsigned cells = d->cpu ? list_len(d->cpu->cells) : 0;
    const char *model = enum_name(&memory_model_names, m->model);

    if (m->model == MEMORY_SGX_EPC)
        return true;
    if (!d->max_memory)
        return qemu_refuse(err, "memory '%s': cannot be used when maxMemory is not defined", model);
    if (m->model == MEMORY_VIRTIO_PMEM || cells == 0)
        return true;
    if (!m->node.set)
        return qemu_refuse(err, "memory '%s': target NUMA node needs to be specified", model);
    return m->node.v < cells || qemu_refuse(err, "memory '%s': there is no guest NUMA cell %u", model, m->node.v);
}

/* ---- the others ---- */

static bool limit_one(const DomainDef *d, const Device *dev, GError **err)
{
    switch (dev->kind) {
    case DEVICE_DISK: return limit_disk(d, (const DiskDef *)dev, err);
    case DEVICE_CONTROLLER: return limit_controller((const ControllerDef *)dev, err);
    case DEVICE_SERIAL: return limit_serial(d, (const ChrDef *)dev, err);
    case DEVICE_CHANNEL: return limit_channel(d, dev, err);
    case DEVICE_MEMORY: return limit_memory(d, (const MemoryDef *)dev, err);
    case DEVICE_FILESYSTEM: {
        const FsDef *f = (const FsDef *)dev;
        return f->driver != FS_DRIVER_VIRTIOFS || has_shared_memory(d) || qemu_refuse(err, "filesystem '%s': virtiofs requires shared memory", f->dst);
    }
    case DEVICE_INTERFACE: {
        const NetDef *n = (const NetDef *)dev;
        return (n->type != NET_VDPA && n->type != NET_VHOSTUSER) || !n->model || g_str_has_prefix(n->model, "virtio") ||
               qemu_refuse(err, "interface of type '%s': model '%.50s' is not possible", enum_name(&net_type_names, n->type), n->model);
    }
    default: return true;
    }
}

static bool limit_firmware_files(const DomainDef *d, GError **err)
{
    for (unsigned i = 0; i < list_len(d->sysinfos); i++) {
        const Sysinfo *s = list_at(d->sysinfos, i);
        for (unsigned k = 0; k < list_len(s->fwcfg); k++) {
            const SysinfoEntry *e = list_at(s->fwcfg, k);
            if (!g_str_has_prefix(e->name, "opt/"))
                return qemu_refuse(err, "sysinfo: firmware data '%.50s' does not begin with opt/", e->name);
        }
    }
    return true;
}

static bool limit_vcpus(const DomainDef *d, GError **err)
{
    guint pos = 0;
    const IommuDef *i = domain_next(d, DEVICE_IOMMU, &pos);

    for (unsigned k = 0; k < list_len(d->vcpu_defs); k++) {
        const VcpuDef *v = list_at(d->vcpu_defs, k);
        if (v->id == 0 && v->enabled == TRI_NO)
            return qemu_refuse(err, "vcpu 0 can't be offline");
    }
    if (d->vcpus_max > VCPUS_WITHOUT_EIM && qemu_machine_is_q35(d) && (!i || i->eim != TRI_YES))
        return qemu_refuse(err, "more than %d vCPUs require extended interrupt mode enabled on the iommu device", VCPUS_WITHOUT_EIM);
    return true;
}

bool qemu_validate_limits(const DomainDef *d, GError **err)
{
    if (domain_count(d, DEVICE_MEMBALLOON) > 1)
        return qemu_refuse(err, "only a single memory balloon device is supported");
    if (domain_count(d, DEVICE_SMARTCARD) > 1)
        return qemu_refuse(err, "only one smartcard is supported");
    if (d->os.loader && !d->os.loader->path && !d->os.firmware)
        return qemu_refuse(err, "os/loader: no path, and the firmware is not chosen automatically");
    if (d->cputune && d->virt != VIRT_KVM && (list_len(d->cputune->cachetunes) || list_len(d->cputune->memorytunes)))
        return qemu_refuse(err, "cachetune and memorytune are only supported for KVM domains");
    for (unsigned i = 0; i < list_len(d->devices); i++) {
        if (!limit_one(d, list_at(d->devices, i), err))
            return false;
    }
    return limit_firmware_files(d, err) && limit_vcpus(d, err);
}
