/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Controllers (buses) of a guest. */
#pragma once

#include "conf/device.h"

typedef enum ControllerType {
    CONTROLLER_IDE, CONTROLLER_FDC, CONTROLLER_SCSI, CONTROLLER_SATA, CONTROLLER_VIRTIO_SERIAL,
    CONTROLLER_CCID, CONTROLLER_USB, CONTROLLER_PCI, CONTROLLER_XENBUS, CONTROLLER_ISA,
    CONTROLLER_NVME, _CONTROLLER_TYPE_N,
} ControllerType;
extern const EnumTable controller_type_names;

/* One enum for the models of all types: a word may belong to several types, the numbers may not.
 * The allowed words per type are in controller_model_names(). */
typedef enum ControllerModel {
    CONTROLLER_MODEL_DEFAULT,
    /* pci */
    PCI_ROOT, PCIE_ROOT, PCI_BRIDGE, DMI_TO_PCI_BRIDGE, PCIE_TO_PCI_BRIDGE, PCIE_ROOT_PORT,
    PCIE_SWITCH_UPSTREAM_PORT, PCIE_SWITCH_DOWNSTREAM_PORT, PCI_EXPANDER_BUS, PCIE_EXPANDER_BUS,
    /* scsi */
    SCSI_AUTO, SCSI_BUSLOGIC, SCSI_LSILOGIC, SCSI_LSISAS1068, SCSI_VMPVSCSI, SCSI_IBMVSCSI,
    SCSI_VIRTIO_SCSI, SCSI_LSISAS1078, SCSI_VIRTIO_TRANSITIONAL, SCSI_VIRTIO_NON_TRANSITIONAL,
    SCSI_NCR53C90, SCSI_DC390, SCSI_AM53C974,
    /* usb */
    USB_PIIX3_UHCI, USB_PIIX4_UHCI, USB_EHCI, USB_ICH9_EHCI1, USB_ICH9_UHCI1, USB_ICH9_UHCI2,
    USB_ICH9_UHCI3, USB_VT82C686B_UHCI, USB_PCI_OHCI, USB_NEC_XHCI, USB_QUSB1, USB_QUSB2,
    USB_QEMU_XHCI, USB_NONE,
    /* ide */
    IDE_PIIX3, IDE_PIIX4, IDE_ICH6,
    /* virtio-serial */
    VIRTIO_SERIAL_VIRTIO, VIRTIO_SERIAL_TRANSITIONAL, VIRTIO_SERIAL_NON_TRANSITIONAL,
    /* isa */
    ISA_DEFAULT,
    _CONTROLLER_MODEL_N,
} ControllerModel;
extern const EnumTable controller_model_names; /* not unique: search with controller_model_find() */

/* Value of a word for a type, -1 when the type has no such model. */
int controller_model_find(ControllerType type, const char *word);

/* The hardware behind a PCI controller, <model name='…'/>. */
typedef enum PciModelName {
    PCI_NAME_NONE, PCI_NAME_PCI_BRIDGE, PCI_NAME_I82801B11, PCI_NAME_PCIE_PCI_BRIDGE,
    PCI_NAME_IOH3420, PCI_NAME_X3130_UPSTREAM, PCI_NAME_XIO3130_DOWNSTREAM, PCI_NAME_PXB,
    PCI_NAME_PXB_PCIE, PCI_NAME_PCIE_ROOT_PORT, PCI_NAME_SPAPR_PHB,
    _PCI_MODEL_NAME_N,
} PciModelName;
extern const EnumTable pci_model_name_names;

CONF_STRUCTS_BEGIN

typedef struct ControllerDef {
    Device dev;
    ControllerType type;
    ControllerModel model;
    OptU32 index;              /* unset in a document: the first free one, filled by resolve */
    OptU32 ports, vectors;     /* usb, virtio-serial */
    uint32_t max_grant_frames, max_event_channels; /* xenbus */
    /* pci */
    PciModelName pci_name;
    Tristate pci_hotplug;
    OptU32 chassis_nr, chassis, port, bus_nr, target_index, numa_node;
    OptU64 pcihole64;          /* KiB */
    uint64_t mem_reserve;      /* KiB */
    /* driver */
    VirtioOptions virtio;
    uint32_t queues, cmd_per_lun, max_sectors, iothread;
    Tristate ioeventfd;
    Flag _pad;
    GPtrArray *iothreads;      /* DiskIothread, virtio-scsi */
    char *serial;              /* nvme */
} ControllerDef;

CONF_STRUCTS_END
