/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by address*.c: one pass per bus type, run in the order of address.c. */
#pragma once

#include "drivers/qemu/address.h"

enum { /* DeviceInfo.pci_connect: what a device plugs into, and what a PCI bus takes */
    PCI_HOTPLUGGABLE = 1 << 0,
    PCI_AGGREGATE = 1 << 1,      /* functions of one slot may be shared with its like */
    PCI_DEVICE = 1 << 2,
    PCIE_DEVICE = 1 << 3,
    PCI_TO_PCI_BRIDGE = 1 << 4,
    PCI_TO_ROOT_PORT = 1 << 5,
    PCI_TO_UPSTREAM = 1 << 6,
    PCI_TO_DOWNSTREAM = 1 << 7,
    PCI_TO_DMI_BRIDGE = 1 << 8,
    PCI_TO_PCIE_BRIDGE = 1 << 9, /* pcie-to-pci-bridge */
    PCI_TO_EXPANDER = 1 << 10,
    PCIE_TO_EXPANDER = 1 << 11,
    PCI_ENDPOINT = PCI_DEVICE | PCIE_DEVICE,
    PCI_TYPES = ~(PCI_HOTPLUGGABLE | PCI_AGGREGATE),
};

typedef struct PciBus {
    ControllerModel model; /* DEFAULT: not known yet */
    uint32_t flags;
    unsigned min_slot, max_slot;
    uint8_t functions[32]; /* in use, one bit each */
    uint32_t aggregate;    /* slots that may be shared */
    uint32_t group;        /* DeviceInfo.pci_group of what is on it, for host bridges */
    bool group_fixed;      /* mixed by the document, or the machine's own bridge: no group moves in */
} PciBus;

typedef struct PciSet {
    const DomainDef *def;
    GArray *buses; /* PciBus */
    bool dry_run;  /* addresses are only counted; buses are added as needed */
    bool pcie_pci_bridge;
    bool host_bridges; /* further buses are roots, too (pseries) */
} PciSet;

/* address_pci_set.c: the buses and what they hold. */
PciSet *pci_set_new(const DomainDef *d, unsigned n_buses, const QemuCaps *caps, bool dry_run, GError **err);
void pci_set_free(PciSet *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PciSet, pci_set_free)
PciBus *pci_set_bus(const PciSet *s, unsigned bus);
bool pci_set_in_use(const PciSet *s, const PciAddress *a);
/* Marks a function as used; error when it is, or the bus does not take such a device. */
bool pci_set_reserve(PciSet *s, const PciAddress *a, uint32_t flags, uint32_t group, bool from_document, GError **err);
/* Function -1: any, shared slots included. */
bool pci_set_find(PciSet *s, PciAddress *ret, uint32_t flags, uint32_t group, int function, GError **err);
/* Finds, marks, and (when it is no dry run) gives it to the device. */
bool pci_set_assign(PciSet *s, DeviceInfo *info, GError **err);
static inline bool pci_wanted(const DeviceInfo *i)
{
    return i->address.type == ADDRESS_NONE || (i->address.type == ADDRESS_PCI && !i->address.u.pci.given);
}
void pci_address_put(DeviceInfo *info, unsigned bus, unsigned slot, unsigned function, Tristate multi);

/* address_pci_flags.c: the one place that knows what every kind of device plugs into. 0: not PCI. */
uint32_t pci_device_flags(const DomainDef *d, const Device *dev, const QemuCaps *caps);

/* address_pci_chipset.c: places that a machine fixes. */
bool pci_assign_chipset(DomainDef *d, const QemuCaps *caps, PciSet *s, GError **err);

bool qemu_assign_pci(DomainDef *d, const QemuCaps *caps, GError **err);
bool qemu_plug_pci(DomainDef *d, Device *dev, const QemuCaps *caps, GError **err);
bool qemu_assign_usb(DomainDef *d, bool keep, GError **err);
bool qemu_assign_virtio_serial(DomainDef *d, GError **err);
/* ccw, spapr-vio, virtio-mmio; before PCI, so that what they take is not wanted there. */
bool qemu_assign_other(DomainDef *d, const QemuCaps *caps, GError **err);
