/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every kind of device plugs into. On a machine with a PCI Express root, newer devices go into
 * root ports and old ones behind a bridge; on a plain PCI machine everything is PCI. Pure.
 */
#include "drivers/qemu/address-internal.h"
#include "drivers/qemu/machine.h"

#include <string.h>

typedef struct Kinds { /* the three answers for one machine */
    uint32_t pci, pcie, virtio;
} Kinds;

static uint32_t controller_flags(const ControllerDef *c, const Kinds *k)
{
    switch (c->type) {
    case CONTROLLER_PCI:
        switch (c->model) {
        case PCI_BRIDGE: return PCI_TO_PCI_BRIDGE;
        case PCI_EXPANDER_BUS: return PCI_TO_EXPANDER;
        case PCIE_EXPANDER_BUS: return PCIE_TO_EXPANDER;
        case DMI_TO_PCI_BRIDGE: return PCI_TO_DMI_BRIDGE;
        case PCIE_TO_PCI_BRIDGE: return PCI_TO_PCIE_BRIDGE;
        case PCIE_ROOT_PORT: return PCI_TO_ROOT_PORT | PCI_AGGREGATE;
        case PCIE_SWITCH_UPSTREAM_PORT: return PCI_TO_UPSTREAM;
        case PCIE_SWITCH_DOWNSTREAM_PORT: return PCI_TO_DOWNSTREAM;
        default: return 0;
        }
    case CONTROLLER_IDE: case CONTROLLER_SATA:
        return k->pci & ~(uint32_t)PCI_HOTPLUGGABLE;
    case CONTROLLER_SCSI:
        switch (c->model) {
        case SCSI_VIRTIO_TRANSITIONAL: return k->pci;
        case SCSI_VIRTIO_SCSI: case SCSI_VIRTIO_NON_TRANSITIONAL: return k->virtio;
        case SCSI_BUSLOGIC: case SCSI_LSILOGIC: case SCSI_VMPVSCSI: case SCSI_DC390: case SCSI_AM53C974:
        case SCSI_LSISAS1068: case SCSI_LSISAS1078:
            return k->pci;
        default: return 0;
        }
    case CONTROLLER_USB:
        switch (c->model) {
        case USB_NEC_XHCI: case USB_QEMU_XHCI: return k->pcie;
        case USB_QUSB1: case USB_QUSB2: case USB_NONE: return 0;
        default: return k->pci;
        }
    case CONTROLLER_VIRTIO_SERIAL:
        return c->model == VIRTIO_SERIAL_TRANSITIONAL ? k->pci : k->virtio;
    case CONTROLLER_NVME:
        return k->pcie;
    case CONTROLLER_FDC: case CONTROLLER_CCID: case CONTROLLER_XENBUS: case CONTROLLER_ISA:
    case _CONTROLLER_TYPE_N:
        break;
    }
    return 0;
}

static uint32_t net_flags(const NetDef *n, const Kinds *k)
{
    if (n->type == NET_HOSTDEV)
        return n->src.hostdev_type && strcmp(n->src.hostdev_type, "usb") == 0 ? 0 : k->pcie;
    if (g_strcmp0(n->model, "usb-net") == 0)
        return 0;
    if (g_strcmp0(n->model, "virtio") == 0 || g_strcmp0(n->model, "virtio-non-transitional") == 0)
        return k->virtio;
    /* What is no old acquaintance is taken for a device of its time. */
    static const char *const conventional[] = { "rtl8139", "e1000", "virtio-transitional", "netfront", "spapr-vlan", "lan9118", "smc91c111",
                                                "vlance", "vmxnet", "vmxnet2", "vmxnet3", "Am79C970A", "82540EM", "82545EM", "82543GC", NULL };
    return !n->model || g_strv_contains(conventional, n->model) ? k->pci : k->pcie;
}

static uint32_t kind_flags(const Device *dev, const Kinds *k)
{
    switch (dev->kind) {
    case DEVICE_CONTROLLER: return controller_flags((const ControllerDef *)dev, k);
    case DEVICE_INTERFACE: return net_flags((const NetDef *)dev, k);
    case DEVICE_DISK: {
        const DiskDef *disk = (const DiskDef *)dev;
        if (disk->bus != DISK_BUS_VIRTIO)
            return 0;
        return disk->model == DISK_MODEL_VIRTIO_TRANSITIONAL ? k->pci : k->virtio;
    }
    case DEVICE_FILESYSTEM:
        return ((const FsDef *)dev)->model == VIRTIO_MODEL_TRANSITIONAL ? k->pci : k->virtio;
    case DEVICE_SOUND:
        switch (((const SoundDef *)dev)->model) {
        case SOUND_ES1370: case SOUND_AC97: case SOUND_ICH6: case SOUND_ICH7: case SOUND_ICH9: return k->pci;
        case SOUND_VIRTIO: return k->virtio;
        default: return 0;
        }
    case DEVICE_HOSTDEV: {
        const HostdevDef *h = (const HostdevDef *)dev;
        if (h->mode != HOSTDEV_SUBSYS)
            return 0;
        if (h->type == HOSTDEV_PCI)
            return k->pcie;
        if (h->type == HOSTDEV_MDEV)
            return h->model == HOSTDEV_MODEL_DEFAULT || h->model == HOSTDEV_MODEL_VFIO_PCI ? k->pcie : 0;
        if (h->type == HOSTDEV_SCSI_HOST)
            return h->model == HOSTDEV_MODEL_VIRTIO_TRANSITIONAL ? k->pci : k->virtio;
        return 0;
    }
    case DEVICE_MEMBALLOON:
        switch (((const MemballoonDef *)dev)->model) {
        case BALLOON_VIRTIO_TRANSITIONAL: return k->pci;
        case BALLOON_VIRTIO: case BALLOON_VIRTIO_NON_TRANSITIONAL: return k->virtio;
        default: return 0;
        }
    case DEVICE_RNG:
        return ((const RngDef *)dev)->model == RNG_VIRTIO_TRANSITIONAL ? k->pci : k->virtio;
    case DEVICE_WATCHDOG:
        return ((const WatchdogDef *)dev)->model == WATCHDOG_I6300ESB ? k->pci : 0;
    case DEVICE_VIDEO:
        switch (((const VideoDef *)dev)->type) {
        case VIDEO_VIRTIO: return k->virtio;
        case VIDEO_BOCHS: return k->pcie;
        case VIDEO_VGA: case VIDEO_CIRRUS: case VIDEO_VMVGA: case VIDEO_QXL: case VIDEO_DEFAULT: return k->pci;
        default: return 0;
        }
    case DEVICE_SHMEM: return k->pci;
    case DEVICE_INPUT: {
        const InputDef *in = (const InputDef *)dev;
        if (in->bus != INPUT_BUS_VIRTIO)
            return 0;
        return in->model == VIRTIO_MODEL_TRANSITIONAL ? k->pci : k->virtio;
    }
    case DEVICE_SERIAL:
        return ((const ChrDef *)dev)->target == SERIAL_PCI ? k->pci : 0;
    case DEVICE_MEMORY: {
        MemoryModel m = ((const MemoryDef *)dev)->model;
        return m == MEMORY_VIRTIO_PMEM || m == MEMORY_VIRTIO_MEM ? k->pcie : 0;
    }
    case DEVICE_IOMMU:
        return ((const IommuDef *)dev)->model == IOMMU_VIRTIO ? k->pcie & ~(uint32_t)PCI_HOTPLUGGABLE : 0;
    case DEVICE_VSOCK:
        return ((const VsockDef *)dev)->model == VSOCK_VIRTIO_TRANSITIONAL ? k->pci : k->virtio;
    case DEVICE_CRYPTO: return k->virtio;
    case DEVICE_PSTORE: return k->pci;
    default: return 0;
    }
}

uint32_t pci_device_flags(const DomainDef *d, const Device *dev, const QemuCaps *caps)
{
    bool pcie = qemu_machine_has_pcie_root(d);
    Kinds k = { .pci = PCI_DEVICE | PCI_HOTPLUGGABLE };
    k.pcie = pcie ? PCIE_DEVICE | PCI_HOTPLUGGABLE : k.pci;
    k.virtio = qemu_caps_has(caps, QEMU_CAP_VIRTIO_PCI_TRANSITIONAL) ? k.pcie : k.pci;
    return kind_flags(dev, &k);
}
