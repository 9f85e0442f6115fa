/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks of a complete definition against what QEMU machines are (validate.h). Errors name the device
 * and what is wrong with it. Reads only; any thread.
 */
#include "drivers/qemu/validate.h"

#include <string.h>

#include "drivers/qemu/machine.h"
#include "util/error.h"

static bool refuse(GError **err, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static bool refuse(GError **err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "%s", text);
    return false;
}

static bool validate_disk(const DomainDef *d, const DiskDef *disk, GError **err)
{
    if (disk->driver && strcmp(disk->driver, "qemu") != 0)
        return refuse(err, "disk '%s': unsupported driver name '%s'", disk->dst, disk->driver);
    if (disk->device == DISK_DEVICE_LUN && disk->bus != DISK_BUS_VIRTIO && disk->bus != DISK_BUS_SCSI)
        return refuse(err, "disk '%s': device='lun' is not supported for bus '%s'", disk->dst, enum_name(&disk_bus_names, disk->bus));
    if (disk->device == DISK_DEVICE_CDROM && disk->bus == DISK_BUS_VIRTIO)
        return refuse(err, "disk '%s': a virtio disk cannot be a CD-ROM", disk->dst);
    if (disk->bus == DISK_BUS_XEN || disk->bus == DISK_BUS_UML)
        return refuse(err, "disk '%s': bus '%s' is not supported", disk->dst, enum_name(&disk_bus_names, disk->bus));
    if (disk->device == DISK_DEVICE_FLOPPY && disk->bus != DISK_BUS_FDC)
        return refuse(err, "disk '%s': bus '%s' cannot have a floppy drive", disk->dst, enum_name(&disk_bus_names, disk->bus));
    return true;
}

bool qemu_validate_device(const DomainDef *d, const Device *dev, const QemuCaps *caps, GError **err)
{
    switch (dev->kind) {
    case DEVICE_DISK: return validate_disk(d, (const DiskDef *)dev, err);
    default: return true;
    }
}

bool qemu_validate_domain(const DomainDef *d, const QemuCaps *caps, GError **err)
{
    if (d->virt != VIRT_QEMU && d->virt != VIRT_KVM && d->virt != VIRT_HVF)
        return refuse(err, "the QEMU driver does not run guests of type '%s'", enum_name(&virt_type_names, d->virt));
    return true;
}
