/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Controllers as devices. Those that are part of the machine (the root bus, the IDE of i440fx, the
 * SATA of q35) are in the document and not here.
 */
#include <string.h>

#include "drivers/qemu/cmdline-internal.h"

static const char *const usb_drivers[_CONTROLLER_MODEL_N] = {
    [USB_PIIX3_UHCI] = "piix3-usb-uhci",    [USB_PIIX4_UHCI] = "piix4-usb-uhci",
    [USB_EHCI] = "usb-ehci",                [USB_ICH9_EHCI1] = "ich9-usb-ehci1",
    [USB_ICH9_UHCI1] = "ich9-usb-uhci1",    [USB_ICH9_UHCI2] = "ich9-usb-uhci2",
    [USB_ICH9_UHCI3] = "ich9-usb-uhci3",    [USB_VT82C686B_UHCI] = "vt82c686b-usb-uhci",
    [USB_PCI_OHCI] = "pci-ohci",            [USB_NEC_XHCI] = "nec-usb-xhci",
    [USB_QEMU_XHCI] = "qemu-xhci",
};

static const char *const scsi_drivers[_CONTROLLER_MODEL_N] = {
    [SCSI_LSILOGIC] = "lsi",         [SCSI_LSISAS1068] = "mptsas1068", [SCSI_LSISAS1078] = "megasas",
    [SCSI_VMPVSCSI] = "pvscsi",      [SCSI_IBMVSCSI] = "spapr-vscsi",  [SCSI_DC390] = "dc-390",
    [SCSI_AM53C974] = "am53c974",
};

static JsonObject *no_such(const ControllerDef *c, GError **err)
{
    const char *model = enum_name(&controller_model_names, c->model);
    (void)qemu_refuse(err, "controller %s %u: model '%s' is not supported", enum_name(&controller_type_names, c->type),
                     c->index.v, model ? model : "default");
    return NULL;
}

static JsonObject *scsi_props(Cmd *c, const ControllerDef *ctl, GError **err)
{
    bool virtio = ctl->model == SCSI_VIRTIO_SCSI || ctl->model == SCSI_VIRTIO_TRANSITIONAL || ctl->model == SCSI_VIRTIO_NON_TRANSITIONAL;
    if (!virtio)
        return scsi_drivers[ctl->model] ? props_new(P_STR("driver", scsi_drivers[ctl->model]), P_STR("id", ctl->dev.info.alias))
                                        : no_such(ctl, err);
    VirtioModel model = ctl->model == SCSI_VIRTIO_TRANSITIONAL ? VIRTIO_MODEL_TRANSITIONAL
                        : ctl->model == SCSI_VIRTIO_NON_TRANSITIONAL ? VIRTIO_MODEL_NON_TRANSITIONAL : VIRTIO_MODEL_DEFAULT;
    JsonObject *o = cmd_virtio(c, "virtio-scsi", &ctl->dev.info, model, &ctl->virtio, err);
    if (!o)
        return NULL;
    g_autofree char *thread = ctl->iothread ? g_strdup_printf("iothread%u", ctl->iothread) : NULL;
    props_add(o, P_STR("iothread", thread), P_STR("id", ctl->dev.info.alias), P_UINT_NZ("num_queues", ctl->queues),
              P_UINT_NZ("cmd_per_lun", ctl->cmd_per_lun), P_UINT_NZ("max_sectors", ctl->max_sectors), P_TRI("ioeventfd", ctl->ioeventfd));
    return o;
}

static JsonObject *usb_props(const Cmd *c, const ControllerDef *ctl, GError **err)
{
    const char *driver = usb_drivers[ctl->model];
    if (!driver)
        return no_such(ctl, err);
    JsonObject *o = props_new(P_STR("driver", driver));
    if (ctl->model == USB_NEC_XHCI || ctl->model == USB_QEMU_XHCI)
        props_add(o, P_OPT("p2", ctl->ports), P_OPT("p3", ctl->ports));
    if (ctl->dev.info.master_startport.set) {
        /* A companion lends its ports to the EHCI of the same index. */
        guint pos = 0;
        const ControllerDef *m;
        const char *alias = NULL;
        while ((m = domain_next(c->def, DEVICE_CONTROLLER, &pos))) {
            if (m->type == CONTROLLER_USB && m->index.v == ctl->index.v && !m->dev.info.master_startport.set)
                alias = m->dev.info.alias;
        }
        g_autofree char *bus = g_strdup_printf("%s.0", alias ? alias : "usb");
        props_add(o, P_STR("masterbus", bus), P_OPT("firstport", ctl->dev.info.master_startport));
    } else {
        props_add(o, P_STR("id", ctl->dev.info.alias));
    }
    return o;
}

static JsonObject *pci_props(const ControllerDef *ctl, GError **err)
{
    static const char *const drivers[_PCI_MODEL_NAME_N] = {
        [PCI_NAME_PCI_BRIDGE] = "pci-bridge", [PCI_NAME_I82801B11] = "i82801b11-bridge",
        [PCI_NAME_PCIE_PCI_BRIDGE] = "pcie-pci-bridge", [PCI_NAME_IOH3420] = "ioh3420",
        [PCI_NAME_X3130_UPSTREAM] = "x3130-upstream", [PCI_NAME_XIO3130_DOWNSTREAM] = "xio3130-downstream",
        [PCI_NAME_PXB] = "pxb", [PCI_NAME_PXB_PCIE] = "pxb-pcie", [PCI_NAME_PCIE_ROOT_PORT] = "pcie-root-port",
        [PCI_NAME_SPAPR_PHB] = "spapr-pci-host-bridge",
    };
    const char *driver = drivers[ctl->pci_name], *id = ctl->dev.info.alias;
    if (!driver)
        return no_such(ctl, err);
    switch (ctl->model) {
    case PCI_BRIDGE:
        return props_new(P_STR("driver", driver), P_OPT("chassis_nr", ctl->chassis_nr), P_STR("id", id));
    case PCI_EXPANDER_BUS: case PCIE_EXPANDER_BUS:
        return props_new(P_STR("driver", driver), P_OPT("bus_nr", ctl->bus_nr), P_STR("id", id), P_OPT("numa_node", ctl->numa_node));
    case PCIE_ROOT_PORT: case PCIE_SWITCH_DOWNSTREAM_PORT:
        return props_new(P_STR("driver", driver), P_OPT("port", ctl->port), P_OPT("chassis", ctl->chassis), P_STR("id", id),
                         P_TRI("hotplug", ctl->pci_hotplug), P_UINT_NZ("mem-reserve", ctl->mem_reserve * 1024));
    case PCI_ROOT:
        return props_new(P_STR("driver", driver), P_OPT("index", ctl->target_index), P_STR("id", id), P_OPT("numa_node", ctl->numa_node));
    default:
        return props_new(P_STR("driver", driver), P_STR("id", id));
    }
}

JsonObject *cmd_controller_props(Cmd *c, const ControllerDef *ctl, GError **err)
{
    g_autoptr(JsonObject) o = NULL;
    const char *id = ctl->dev.info.alias;
    switch (ctl->type) {
    case CONTROLLER_SCSI: o = scsi_props(c, ctl, err); break;
    case CONTROLLER_USB: o = usb_props(c, ctl, err); break;
    case CONTROLLER_PCI: o = pci_props(ctl, err); break;
    case CONTROLLER_SATA: o = props_new(P_STR("driver", "ahci"), P_STR("id", id)); break;
    case CONTROLLER_CCID: o = props_new(P_STR("driver", "usb-ccid"), P_STR("id", id)); break;
    case CONTROLLER_VIRTIO_SERIAL: {
        VirtioModel model = ctl->model == VIRTIO_SERIAL_TRANSITIONAL ? VIRTIO_MODEL_TRANSITIONAL
                            : ctl->model == VIRTIO_SERIAL_NON_TRANSITIONAL ? VIRTIO_MODEL_NON_TRANSITIONAL : VIRTIO_MODEL_DEFAULT;
        if ((o = cmd_virtio(c, "virtio-serial", &ctl->dev.info, model, &ctl->virtio, err)))
            props_add(o, P_STR("id", id), P_OPT("max_ports", ctl->ports), P_OPT("vectors", ctl->vectors));
        break;
    }
    case CONTROLLER_IDE:
        if (qemu_machine_has_ide(c->def))
            (void)qemu_refuse(err, "controller ide %u: the machine has one, and no other is possible", ctl->index.v);
        else
            (void)qemu_refuse(err, "controller ide %u: machine '%s' has no IDE controllers", ctl->index.v, c->def->os.machine);
        break;
    case CONTROLLER_FDC: case CONTROLLER_XENBUS: case CONTROLLER_ISA: case CONTROLLER_NVME: case _CONTROLLER_TYPE_N:
        (void)qemu_refuse(err, "controller %s %u is not supported", enum_name(&controller_type_names, ctl->type), ctl->index.v);
        break;
    }
    if (!o || !cmd_address(c, &ctl->dev.info, o, err))
        return NULL;
    return g_steal_pointer(&o);
}

/* Boards that bring a USB controller of their own when asked with -usb. */
static bool has_board_usb(const Cmd *c)
{
    const DomainDef *d = c->def;
    return !qemu_machine_is_q35(d) && !qemu_machine_is_arm_virt(d) && !qemu_machine_is_riscv_virt(d) && !arch_is_s390(d->os.arch);
}

/* A document without any USB controller, or with one that says nothing, means the board's. */
static bool add_board_usb(Cmd *c, GError **err)
{
    guint pos = 0;
    const ControllerDef *ctl;
    unsigned named = 0, open = 0;
    while ((ctl = domain_next(c->def, DEVICE_CONTROLLER, &pos))) {
        if (ctl->type == CONTROLLER_USB)
            *(ctl->model == CONTROLLER_MODEL_DEFAULT ? &open : &named) += 1;
    }
    if (open > 1)
        return qemu_refuse(err, "%u USB controllers name no model, at most one may", open);
    if (named == 0 && has_board_usb(c))
        cmd_arg(c, "-usb");
    return true;
}

static bool is_builtin(const Cmd *c, const ControllerDef *ctl)
{
    switch (ctl->type) {
    case CONTROLLER_PCI:
        return ctl->model == PCIE_ROOT || (ctl->model == PCI_ROOT && ctl->index.v == 0 && !ctl->target_index.v);
    case CONTROLLER_IDE: return ctl->index.v == 0 && qemu_machine_has_ide(c->def);
    case CONTROLLER_SATA: return ctl->index.v == 0 && qemu_machine_is_q35(c->def);
    case CONTROLLER_SCSI: return ctl->model == SCSI_NCR53C90;
    case CONTROLLER_USB:
        return ctl->model == USB_NONE || (ctl->model == CONTROLLER_MODEL_DEFAULT && has_board_usb(c));
    case CONTROLLER_FDC: case CONTROLLER_ISA: return true;
    default: return false;
    }
}

bool cmd_controller_globals(Cmd *c, GError **err)
{
    guint pos = 0;
    const ControllerDef *ctl;
    while ((ctl = domain_next(c->def, DEVICE_CONTROLLER, &pos))) {
        if (ctl->type != CONTROLLER_PCI)
            continue;
        if (ctl->pcihole64.set) {
            const char *bridge = ctl->model == PCI_ROOT && qemu_machine_is_i440fx(c->def) ? "i440FX-pcihost"
                                 : ctl->model == PCIE_ROOT && qemu_machine_is_q35(c->def) ? "q35-pcihost" : NULL;
            if (!bridge)
                return qemu_refuse(err, "controller pci %u: pcihole64 is not supported for machine '%s'", ctl->index.v, c->def->os.machine);
            cmd_optf(c, "-global", "%s.pci-hole64-size=%" G_GUINT64_FORMAT "K", bridge, ctl->pcihole64.v);
        }
        if (ctl->model == PCI_ROOT && ctl->pci_hotplug != TRI_ABSENT && qemu_machine_is_i440fx(c->def))
            cmd_optf(c, "-global", "PIIX4_PM.acpi-root-pci-hotplug=%s", onoff(ctl->pci_hotplug));
    }
    return true;
}

bool cmd_controller(Cmd *c, const ControllerDef *ctl, GError **err)
{
    return is_builtin(c, ctl) || cmd_device(c, ctl->dev.info.alias, cmd_controller_props(c, ctl, err), err);
}

bool cmd_controllers(Cmd *c, GError **err)
{
    static const ControllerType order[] = { CONTROLLER_PCI, CONTROLLER_USB, CONTROLLER_SCSI, CONTROLLER_IDE, CONTROLLER_SATA,
                                            CONTROLLER_VIRTIO_SERIAL, CONTROLLER_CCID, CONTROLLER_XENBUS, CONTROLLER_NVME };
    for (unsigned k = 0; k < G_N_ELEMENTS(order); k++) {
        if (order[k] == CONTROLLER_USB && !add_board_usb(c, err))
            return false;
        guint pos = 0;
        const ControllerDef *ctl;
        while ((ctl = domain_next(c->def, DEVICE_CONTROLLER, &pos))) {
            if (ctl->type == order[k] && !cmd_controller(c, ctl, err))
                return false;
        }
    }
    return true;
}
