/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Controllers as rows. Words for models are shared between types ("virtio-transitional"), numbers
 * are not: each type owns a range of ControllerModel.
 */
#include "conf/domain_controller.h"

#include <string.h>

#include "conf/device-internal.h"
#include "util/api.h"

/* clang-format off */
ENUM_TABLE(controller_type_names, "controller type", _CONTROLLER_TYPE_N, "ide", "fdc", "scsi", "sata", "virtio-serial", "ccid", "usb", "pci", "xenbus", "isa", "nvme");
ENUM_TABLE(controller_model_names, "controller model", _CONTROLLER_MODEL_N, NULL,
    "pci-root", "pcie-root", "pci-bridge", "dmi-to-pci-bridge", "pcie-to-pci-bridge", "pcie-root-port",
    "pcie-switch-upstream-port", "pcie-switch-downstream-port", "pci-expander-bus", "pcie-expander-bus",
    "auto", "buslogic", "lsilogic", "lsisas1068", "vmpvscsi", "ibmvscsi", "virtio-scsi", "lsisas1078",
    "virtio-transitional", "virtio-non-transitional", "ncr53c90", "dc390", "am53c974",
    "piix3-uhci", "piix4-uhci", "ehci", "ich9-ehci1", "ich9-uhci1", "ich9-uhci2", "ich9-uhci3",
    "vt82c686b-uhci", "pci-ohci", "nec-xhci", "qusb1", "qusb2", "qemu-xhci", "none",
    "piix3", "piix4", "ich6",
    "virtio", "virtio-transitional", "virtio-non-transitional",
    NULL);
ENUM_TABLE(pci_model_name_names, "PCI controller", _PCI_MODEL_NAME_N, NULL, "pci-bridge", "i82801b11-bridge", "pcie-pci-bridge", "ioh3420", "x3130-upstream", "xio3130-downstream", "pxb", "pxb-pcie", "pcie-root-port", "spapr-pci-host-bridge");

static const struct { ControllerModel first, last; } models_of[_CONTROLLER_TYPE_N] = {
    [CONTROLLER_PCI] = { PCI_ROOT, PCIE_EXPANDER_BUS },
    [CONTROLLER_SCSI] = { SCSI_AUTO, SCSI_AM53C974 },
    [CONTROLLER_USB] = { USB_PIIX3_UHCI, USB_NONE },
    [CONTROLLER_IDE] = { IDE_PIIX3, IDE_ICH6 },
    [CONTROLLER_VIRTIO_SERIAL] = { VIRTIO_SERIAL_VIRTIO, VIRTIO_SERIAL_NON_TRANSITIONAL },
};

int controller_model_find(ControllerType type, const char *word)
{
    if (type >= _CONTROLLER_TYPE_N || !models_of[type].first)
        return -1;
    for (int m = (int)models_of[type].first; m <= (int)models_of[type].last; m++) {
        if (!strcmp(controller_model_names.names[m], word))
            return m;
    }
    return -1;
}

static int model_find(const void *base, const char *word)
{
    return controller_model_find(((const ControllerDef *)base)->type, word);
}
static const ConfEnumBy model_by = { &controller_model_names, model_find, "model for this type of controller" };

#define TYPES(m) WHEN(ControllerDef, type, m)
#define PCI TYPES(BIT(CONTROLLER_PCI))
static const ConfField controller_rows[] = {
    CONF_ENUM(ControllerDef, type, "@type", controller_type_names, CF_ALWAYS | CF_ABI, "bus that it provides"),
    CONF_OPT32(ControllerDef, index, "@index", CF_ABI, "number among those of its type"),
    CONF_ENUM_BY(ControllerDef, model, "@model", model_by, CF_ABI, "model"),
    CONF_OPT32(ControllerDef, ports, "@ports", CF_ABI, "ports", TYPES(BIT(CONTROLLER_USB) | BIT(CONTROLLER_VIRTIO_SERIAL))),
    CONF_OPT32(ControllerDef, vectors, "@vectors", CF_ABI, "interrupt vectors", TYPES(BIT(CONTROLLER_VIRTIO_SERIAL))),
    CONF_U32(ControllerDef, max_grant_frames, "@maxGrantFrames", CF_ABI, "xenbus grant frames", TYPES(BIT(CONTROLLER_XENBUS))),
    CONF_U32(ControllerDef, max_event_channels, "@maxEventChannels", CF_ABI, "xenbus event channels", TYPES(BIT(CONTROLLER_XENBUS))),
    CONF_ENUM(ControllerDef, pci_name, "model/@name", pci_model_name_names, CF_ABI | CF_ONCE, "hardware behind the controller", PCI),
    CONF_OPT32(ControllerDef, chassis_nr, "target/@chassisNr", CF_ABI | CF_ONCE, "chassis number of a bridge", PCI),
    CONF_OPT32(ControllerDef, chassis, "target/@chassis", CF_ABI, "chassis of a port", PCI),
    CONF_OPT32(ControllerDef, port, "target/@port", CF_ABI, "port number", CONF_NUM(num_hex), PCI),
    CONF_OPT32(ControllerDef, bus_nr, "target/@busNr", CF_ABI, "first bus number of an expander", PCI),
    CONF_OPT32(ControllerDef, target_index, "target/@index", CF_ABI, "index of a host bridge", PCI),
    CONF_ONOFF(ControllerDef, pci_hotplug, "target/@hotplug", CF_ABI, "whether devices can be plugged", PCI),
    CONF_U64(ControllerDef, mem_reserve, "target/@memReserve", CF_ABI, "KiB of memory window for plugged devices", PCI),
    CONF_OPT32(ControllerDef, numa_node, "target/node/text()", CF_ABI, "NUMA node of an expander", PCI),
    CONF_U32(ControllerDef, queues, "driver/@queues", CF_ABI, "queues"),
    CONF_U32(ControllerDef, cmd_per_lun, "driver/@cmd_per_lun", CF_ABI, "commands per LUN"),
    CONF_U32(ControllerDef, max_sectors, "driver/@max_sectors", CF_ABI, "sectors per command"),
    CONF_ONOFF(ControllerDef, ioeventfd, "driver/@ioeventfd", CF_ABI, "handle I/O in a thread"),
    CONF_U32(ControllerDef, iothread, "driver/@iothread", 0, "I/O thread"),
    CONF_STRUCT(ControllerDef, virtio, "driver", virtio_options_desc, CF_ABI, "virtio options"),
    CONF_LIST(ControllerDef, iothreads, "driver/iothreads/iothread", disk_iothread_desc, 0, "I/O threads and their queues"),
    CONF_STR(ControllerDef, serial, "serial/text()", CF_ABI, "nvme serial number"),
    CONF_DEVICE_HEAD(ControllerDef),
    CONF_OPTSIZE(ControllerDef, pcihole64, "pcihole64/text()", size_kib, CF_ABI, "64 bit PCI window", PCI),
    CONF_PAD(ControllerDef, _pad),
};
CONF_DESC(controller_desc, ControllerDef, controller_rows);
