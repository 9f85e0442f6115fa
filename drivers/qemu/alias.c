/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device names (alias.h). Two schools live side by side, because tools have learnt both: names by
 * place (disks and controllers: "ide0-0-1", "scsi1", "pci.3") and names by count ("net0"). A count
 * is the first number above every number in use, so a plugged device never takes the name of one
 * whose removal the guest has not confirmed. Pure; any thread.
 */
#include "drivers/qemu/alias.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/qemu/machine.h"
#include "util/error.h"

/* Names by count. What has none is named by a function below, or not at all. */
static const char *const count_prefix[_DEVICE_KIND_N] = {
    [DEVICE_FILESYSTEM] = "fs",    [DEVICE_INTERFACE] = "net",   [DEVICE_SMARTCARD] = "smartcard",
    [DEVICE_SERIAL] = "serial",    [DEVICE_PARALLEL] = "parallel", [DEVICE_CONSOLE] = "console",
    [DEVICE_CHANNEL] = "channel",  [DEVICE_INPUT] = "input",     [DEVICE_TPM] = "tpm",
    [DEVICE_SOUND] = "sound",      [DEVICE_VIDEO] = "video",     [DEVICE_HOSTDEV] = "hostdev",
    [DEVICE_REDIRDEV] = "redir",   [DEVICE_HUB] = "hub",         [DEVICE_WATCHDOG] = "watchdog",
    [DEVICE_MEMBALLOON] = "balloon", [DEVICE_RNG] = "rng",       [DEVICE_PANIC] = "panic",
    [DEVICE_SHMEM] = "shmem",      [DEVICE_IOMMU] = "iommu",     [DEVICE_VSOCK] = "vsock",
    [DEVICE_CRYPTO] = "crypto",    [DEVICE_PSTORE] = "pstore",
};

static const char *const memory_prefix[_MEMORY_MODEL_N] = {
    [MEMORY_DIMM] = "dimm",
    [MEMORY_NVDIMM] = "nvdimm",
    [MEMORY_VIRTIO_PMEM] = "virtiopmem",
    [MEMORY_VIRTIO_MEM] = "virtiomem",
    [MEMORY_SGX_EPC] = "epc",
};

/* The number behind prefix in an alias, -1 when it is not such a name. */
static int alias_number(const char *alias, const char *prefix)
{
    if (!alias || !g_str_has_prefix(alias, prefix))
        return -1;
    const char *digits = alias + strlen(prefix);
    char *end;
    long n = strtol(digits, &end, 10);
    return end != digits && !*end && n >= 0 && n < INT32_MAX ? (int)n : -1;
}

static unsigned next_number(const DomainDef *d, const char *prefix)
{
    int max = -1;
    for (unsigned i = 0; i < list_len(d->devices); i++) {
        const Device *dev = list_at(d->devices, i);
        max = MAX(max, alias_number(dev->info.alias, prefix));
    }
    return (unsigned)(max + 1);
}

static char *controller_alias(const DomainDef *d, const ControllerDef *c)
{
    unsigned index = c->index.v;
    switch (c->type) {
    case CONTROLLER_PCI:
        if (c->model == PCIE_ROOT)
            return g_strdup_printf("pcie.%u", index);
        return index == 0 && !qemu_machine_numbers_pci_buses(d) ? g_strdup("pci")
                                                                : g_strdup_printf("pci.%u", index);
    case CONTROLLER_IDE:
        if (index == 0 && qemu_machine_has_ide(d))
            return g_strdup("ide");
        break;
    case CONTROLLER_SATA:
        if (index == 0 && qemu_machine_is_q35(d))
            return g_strdup("ide");
        break;
    case CONTROLLER_USB:
        if (index == 0)
            return g_strdup("usb");
        break;
    case CONTROLLER_SCSI:
        if (index == 0 && c->model == SCSI_NCR53C90)
            return g_strdup("scsi");
        break;
    case CONTROLLER_FDC: case CONTROLLER_VIRTIO_SERIAL: case CONTROLLER_CCID: case CONTROLLER_XENBUS:
    case CONTROLLER_ISA: case CONTROLLER_NVME: case _CONTROLLER_TYPE_N:
        break;
    }
    return g_strdup_printf("%s%u", enum_name(&controller_type_names, c->type), index);
}

static char *disk_alias(const DomainDef *d, const DiskDef *disk)
{
    const char *bus = enum_name(&disk_bus_names, disk->bus);
    const DriveAddress *a = &disk->dev.info.address.u.drive;

    if (disk->dev.info.address.type == ADDRESS_DRIVE) {
        const ControllerDef *c = disk->bus == DISK_BUS_SCSI
                                     ? domain_find_controller(d, CONTROLLER_SCSI, a->controller) : NULL;
        if (disk->bus == DISK_BUS_SCSI && !(c && c->model == SCSI_LSILOGIC))
            return g_strdup_printf("%s%u-%u-%u-%u", bus, a->controller, a->bus, a->target, a->unit);
        return g_strdup_printf("%s%u-%u-%u", bus, a->controller, a->bus, a->unit);
    }
    return g_strdup_printf("%s-disk%d", bus, MAX(disk_name_to_index(disk->dst), 0));
}

static char *counted_alias(const DomainDef *d, const char *prefix)
{
    return g_strdup_printf("%s%u", prefix, next_number(d, prefix));
}

static char *memory_alias(const DomainDef *d, const MemoryDef *m)
{
    const char *prefix = memory_prefix[m->model];
    if (!prefix)
        return NULL;
    if ((m->model == MEMORY_DIMM || m->model == MEMORY_NVDIMM) &&
        m->dev.info.address.type == ADDRESS_DIMM)
        return g_strdup_printf("%s%u", prefix, m->dev.info.address.u.dimm.slot);
    return counted_alias(d, prefix);
}

static char *device_alias(const DomainDef *d, const Device *dev)
{
    switch (dev->kind) {
    case DEVICE_DISK: return disk_alias(d, (const DiskDef *)dev);
    case DEVICE_CONTROLLER: return controller_alias(d, (const ControllerDef *)dev);
    case DEVICE_MEMORY: return memory_alias(d, (const MemoryDef *)dev);
    case DEVICE_NVRAM: return g_strdup("nvram");
    case DEVICE_MEMBALLOON:
        if (((const MemballoonDef *)dev)->model == BALLOON_NONE)
            return NULL;
        break;
    case DEVICE_CONSOLE: {
        /* The console that is only another view of the first serial port has its name; it is counted
         * all the same, so that the others begin with 1. */
        guint pos = 0;
        const ChrDef *first = domain_next(d, DEVICE_CONSOLE, &pos);
        pos = 0;
        const ChrDef *serial = first && first->is_serial_alias ? domain_next(d, DEVICE_SERIAL, &pos) : NULL;
        if (serial && first == (const ChrDef *)dev)
            return g_strdup(serial->dev.info.alias);
        return g_strdup_printf("console%u", MAX(next_number(d, "console"), serial ? 1u : 0u));
    }
    case DEVICE_INTERFACE:
        if (((const NetDef *)dev)->type == NET_HOSTDEV)
            return counted_alias(d, "hostdev");
        break;
    default:
        break;
    }
    return count_prefix[dev->kind] ? counted_alias(d, count_prefix[dev->kind]) : NULL;
}

/* The order matters where one kind counts in the names of another: interfaces made of host devices
 * come before host devices, and serial ports before the console that repeats the first. */
static const uint8_t alias_order[] = {
    DEVICE_DISK, DEVICE_INTERFACE, DEVICE_FILESYSTEM, DEVICE_SOUND, DEVICE_HOSTDEV, DEVICE_REDIRDEV,
    DEVICE_VIDEO, DEVICE_CONTROLLER, DEVICE_INPUT, DEVICE_PARALLEL, DEVICE_SERIAL, DEVICE_CHANNEL,
    DEVICE_CONSOLE, DEVICE_HUB, DEVICE_SHMEM, DEVICE_SMARTCARD, DEVICE_WATCHDOG, DEVICE_MEMBALLOON,
    DEVICE_RNG, DEVICE_TPM, DEVICE_MEMORY, DEVICE_NVRAM, DEVICE_PANIC, DEVICE_VSOCK, DEVICE_CRYPTO,
    DEVICE_IOMMU, DEVICE_PSTORE,
};

void qemu_assign_device_alias(const DomainDef *d, Device *dev)
{
    if (!dev->info.alias)
        dev->info.alias = device_alias(d, dev);
}

void qemu_assign_aliases(DomainDef *d)
{
    for (unsigned k = 0; k < G_N_ELEMENTS(alias_order); k++) {
        for (unsigned i = 0; i < list_len(d->devices); i++) {
            Device *dev = list_at(d->devices, i);
            if (dev->kind == alias_order[k])
                qemu_assign_device_alias(d, dev);
        }
    }
}

static bool source_is_empty(const StorageSource *s)
{
    switch (s->type) {
    case STORAGE_NONE: return true;
    case STORAGE_FILE: case STORAGE_BLOCK: case STORAGE_DIR: return !s->path && !s->fdgroup;
    case STORAGE_VOLUME: return !s->pool && !s->path;
    case STORAGE_NETWORK: return s->protocol == PROTOCOL_NONE;
    default: return false;
    }
}

void qemu_forget_nodes(DomainDef *d)
{
    guint pos = 0;
    DiskDef *disk;
    while ((disk = domain_next(d, DEVICE_DISK, &pos))) {
        for (StorageSource *s = &disk->src; s; s = s->backing)
            s->index = 0;
    }
}

void qemu_assign_nodes(DomainDef *d, unsigned *next)
{
    for (unsigned i = list_len(d->devices); i > 0; i--) {
        Device *dev = list_at(d->devices, i - 1);
        if (dev->kind != DEVICE_DISK)
            continue;
        DiskDef *disk = (DiskDef *)dev;
        if (disk->src.type == STORAGE_VHOSTUSER)
            continue;
        if (source_is_empty(&disk->src)) {
            ++*next; /* a number is passed over: its medium gets one when it comes */
            continue;
        }
        for (StorageSource *s = &disk->src; s && (s == &disk->src || !source_is_empty(s)); s = s->backing) {
            if (!s->index)
                s->index = ++*next;
        }
    }
}
