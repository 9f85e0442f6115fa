/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PCI addresses for a whole guest, in two passes. The first is a rehearsal on growing buses that
 * finds out which bridges and root ports are needed; they become controllers. The second gives the
 * addresses. The order of the kinds below is part of the result: it is what existing guests have.
 */
#include "drivers/qemu/address-internal.h"
#include "drivers/qemu/machine.h"
#include "util/error.h"

/* The IOMMU group of a device that is passed through; where the host does not tell, functions of one
 * slot belong together. 0: emulated. */
static uint32_t pci_device_group(const Device *dev)
{
    enum { GROUPS_OF_HOST = 1 << 30 };
    const PciAddress *a = NULL;

    if (dev->kind == DEVICE_HOSTDEV && ((const HostdevDef *)dev)->type == HOSTDEV_PCI)
        a = &((const HostdevDef *)dev)->pci;
    else if (dev->kind == DEVICE_INTERFACE && ((const NetDef *)dev)->type == NET_HOSTDEV)
        a = &((const NetDef *)dev)->src.pci;
    if (!a)
        return 0;
    g_autofree char *link = g_strdup_printf("/sys/bus/pci/devices/%04x:%02x:%02x.%x/iommu_group", a->domain, a->bus, a->slot, a->function);
    g_autofree char *target = g_file_read_link(link, NULL);
    if (!target)
        return 1 + (a->domain << 13 | a->bus << 5 | a->slot);
    g_autofree char *group = g_path_get_basename(target);
    return GROUPS_OF_HOST | (uint32_t)(g_ascii_strtoull(group, NULL, 10) & (GROUPS_OF_HOST - 1));
}

static void fill_flags(DomainDef *d, const QemuCaps *caps)
{
    for (unsigned i = 0; i < list_len(d->devices); i++) {
        Device *dev = list_at(d->devices, i);
        dev->info.pci_connect = pci_device_flags(d, dev, caps);
        dev->info.pci_group = pci_device_group(dev);
    }
}

static bool is_usb2_companion(const ControllerDef *c)
{
    return c->type == CONTROLLER_USB && (c->model == USB_ICH9_EHCI1 || c->model == USB_ICH9_UHCI1 ||
                                         c->model == USB_ICH9_UHCI2 || c->model == USB_ICH9_UHCI3);
}

/* EHCI and its UHCI companions share one slot, each at the function that real boards use. */
static bool assign_usb2(DomainDef *d, PciSet *s, ControllerDef *c, GError **err)
{
    PciAddress a = { 0 };
    bool found = false;
    guint pos = 0;
    const ControllerDef *o;
    while (!found && (o = domain_next(d, DEVICE_CONTROLLER, &pos))) {
        if (o != c && is_usb2_companion(o) && o->index.v == c->index.v && o->dev.info.address.type == ADDRESS_PCI &&
            !pci_wanted(&o->dev.info)) {
            a = o->dev.info.address.u.pci;
            found = true;
        }
    }
    if (!found && !pci_set_find(s, &a, c->dev.info.pci_connect, 0, -1, err))
        return false;

    Tristate multi = TRI_ABSENT;
    switch (c->model) {
    case USB_ICH9_EHCI1: a.function = 7; break;
    case USB_ICH9_UHCI1: a.function = 0; multi = TRI_YES; break;
    case USB_ICH9_UHCI2: a.function = 1; break;
    default: a.function = 2; break;
    }
    if (!pci_set_reserve(s, &a, c->dev.info.pci_connect, 0, found, err))
        return false;
    /* Kept in the rehearsal, too: the companions that follow look for it. */
    pci_address_put(&c->dev.info, a.bus, a.slot, a.function, multi);
    return true;
}

static bool assign_kind(DomainDef *d, PciSet *s, DeviceKind kind, bool pci_controllers, GError **err)
{
    for (unsigned i = 0; i < list_len(d->devices); i++) {
        Device *dev = list_at(d->devices, i);
        if (dev->kind != kind || !dev->info.pci_connect || !pci_wanted(&dev->info))
            continue;
        if (kind == DEVICE_CONTROLLER) {
            ControllerDef *c = (ControllerDef *)dev;
            if ((c->type == CONTROLLER_PCI) != pci_controllers)
                continue;
            if (is_usb2_companion(c)) {
                if (!assign_usb2(d, s, c, err))
                    return false;
                continue;
            }
        }
        if (!pci_set_assign(s, &dev->info, err))
            return false;
    }
    return true;
}

static bool assign_devices(DomainDef *d, PciSet *s, GError **err)
{
    static const uint8_t order[] = {
        DEVICE_FILESYSTEM, DEVICE_INTERFACE, DEVICE_SOUND, DEVICE_CONTROLLER, DEVICE_DISK, DEVICE_HOSTDEV,
        DEVICE_MEMBALLOON, DEVICE_RNG, DEVICE_WATCHDOG, DEVICE_VIDEO, DEVICE_SHMEM, DEVICE_INPUT, DEVICE_SERIAL,
        DEVICE_VSOCK, DEVICE_MEMORY, DEVICE_IOMMU, DEVICE_CRYPTO, DEVICE_PSTORE,
    };
    if (!assign_kind(d, s, DEVICE_CONTROLLER, true, err))
        return false;
    for (unsigned i = 0; i < G_N_ELEMENTS(order); i++) {
        if (!assign_kind(d, s, order[i], false, err))
            return false;
    }
    return true;
}

/* The buses that the rehearsal added become controllers; each needs a place itself, which may add
 * further ones while the loop runs. */
static bool adopt_buses(DomainDef *d, PciSet *s, const QemuCaps *caps, GError **err)
{
    for (unsigned i = 1; i < s->buses->len; i++) {
        if (domain_find_controller(d, CONTROLLER_PCI, i))
            continue;
        ControllerDef *c = (ControllerDef *)device_new(DEVICE_CONTROLLER);
        c->type = CONTROLLER_PCI;
        c->model = pci_set_bus(s, i)->model;
        c->index = (OptU32){ 1, i };
        domain_add_device(d, &c->dev);
        c->dev.info.pci_connect = pci_device_flags(d, &c->dev, caps);
        if (c->dev.info.pci_connect && !pci_set_assign(s, &c->dev.info, err))
            return false;
    }
    return true;
}

/* USB companions that got their place in a rehearsal get it anew. */
static void forget(DomainDef *d, const GPtrArray *open)
{
    for (unsigned i = 0; i < open->len; i++) {
        DeviceInfo *info = g_ptr_array_index(open, i);
        info->address.u.pci.given = 0;
        info->address.u.pci.multifunction = TRI_ABSENT;
        info->address.type = ADDRESS_NONE;
    }
}

static bool rehearse(DomainDef *d, const QemuCaps *caps, unsigned n_buses, GError **err)
{
    g_autoptr(PciSet) s = pci_set_new(d, n_buses, caps, true, err);
    if (!s || !pci_assign_chipset(d, caps, s, err))
        return false;
    g_autoptr(GPtrArray) open = g_ptr_array_new();
    for (unsigned i = 0; i < list_len(d->devices); i++) {
        ControllerDef *c = list_at(d->devices, i);
        if (c->dev.kind == DEVICE_CONTROLLER && is_usb2_companion(c) && pci_wanted(&c->dev.info))
            g_ptr_array_add(open, &c->dev.info);
    }

    if (qemu_machine_has_pci_root(d) && !s->host_bridges) {
        /* Room for a bridge, in case the next device does not fit. */
        DeviceInfo spare = { .pci_connect = PCI_DEVICE | PCI_HOTPLUGGABLE };
        bool full = true;
        for (unsigned i = 0; i < s->buses->len && full; i++) {
            const PciBus *b = pci_set_bus(s, i);
            for (unsigned slot = b->min_slot; slot <= b->max_slot; slot++)
                full &= b->functions[slot] != 0;
        }
        if (!full && !pci_set_assign(s, &spare, err))
            return false;
    }
    if (!assign_devices(d, s, err))
        return false;
    if (n_buses <= 1 && s->buses->len > n_buses && qemu_machine_has_pcie_root(d)) {
        /* Who left the buses to us gets one free root port for hotplug. */
        DeviceInfo spare = { .pci_connect = PCIE_DEVICE | PCI_HOTPLUGGABLE };
        if (!pci_set_assign(s, &spare, err))
            return false;
    }
    forget(d, open);
    return adopt_buses(d, s, caps, err);
}

static void mark_multifunction(DomainDef *d)
{
    for (unsigned i = 0; i < list_len(d->devices); i++) {
        Device *dev = list_at(d->devices, i);
        if (dev->info.address.type != ADDRESS_PCI || pci_wanted(&dev->info))
            continue;
        PciAddress *a = &dev->info.address.u.pci;
        if (a->function != 0 || a->multifunction != TRI_ABSENT)
            continue;
        for (unsigned j = 0; j < list_len(d->devices); j++) {
            const Device *o = list_at(d->devices, j);
            if (o->info.address.type != ADDRESS_PCI || pci_wanted(&o->info))
                continue;
            const PciAddress *b = &o->info.address.u.pci;
            if (b->function != 0 && b->domain == a->domain && b->bus == a->bus && b->slot == a->slot)
                a->multifunction = TRI_YES;
        }
    }
}

static PciModelName default_model_name(const ControllerDef *c, const QemuCaps *caps, const DomainDef *d)
{
    switch (c->model) {
    case PCI_BRIDGE: return PCI_NAME_PCI_BRIDGE;
    case DMI_TO_PCI_BRIDGE: return PCI_NAME_I82801B11;
    case PCIE_TO_PCI_BRIDGE: return PCI_NAME_PCIE_PCI_BRIDGE;
    case PCIE_ROOT_PORT:
        return qemu_caps_has(caps, QEMU_CAP_DEVICE_PCIE_ROOT_PORT) ? PCI_NAME_PCIE_ROOT_PORT : PCI_NAME_IOH3420;
    case PCIE_SWITCH_UPSTREAM_PORT: return PCI_NAME_X3130_UPSTREAM;
    case PCIE_SWITCH_DOWNSTREAM_PORT: return PCI_NAME_XIO3130_DOWNSTREAM;
    case PCI_EXPANDER_BUS: return PCI_NAME_PXB;
    case PCIE_EXPANDER_BUS: return PCI_NAME_PXB_PCIE;
    case PCI_ROOT: return qemu_machine_is_pseries(d) ? PCI_NAME_SPAPR_PHB : PCI_NAME_NONE;
    default: return PCI_NAME_NONE;
    }
}

/* Expander buses count down from 255 in steps that leave room for the bridges below each. */
static bool next_bus_nr(const DomainDef *d, uint32_t *ret)
{
    uint32_t lowest = 256;
    guint pos = 0;
    const ControllerDef *c;
    while ((c = domain_next(d, DEVICE_CONTROLLER, &pos))) {
        if (c->type == CONTROLLER_PCI && c->bus_nr.set && c->bus_nr.v < lowest)
            lowest = c->bus_nr.v;
    }
    if (lowest <= 2)
        return false;
    *ret = lowest - 2;
    return true;
}

/* The emulator knows 32 host bridges; the first is the machine's own. */
static bool next_target_index(const DomainDef *d, const ControllerDef *of, OptU32 *ret)
{
    enum { HOST_BRIDGES = 32 };
    uint32_t used = 1;
    guint pos = 0;
    const ControllerDef *c;
    if (of->index.v == 0) {
        *ret = (OptU32){ 1, 0 };
        return true;
    }
    while ((c = domain_next(d, DEVICE_CONTROLLER, &pos))) {
        if (c->type == CONTROLLER_PCI && c->target_index.set && c->target_index.v < HOST_BRIDGES)
            used |= 1u << c->target_index.v;
    }
    for (unsigned i = 0; i < HOST_BRIDGES; i++) {
        if (!(used & (1u << i))) {
            *ret = (OptU32){ 1, i };
            return true;
        }
    }
    return false;
}

static bool finish_controller(DomainDef *d, ControllerDef *c, const QemuCaps *caps, GError **err)
{
    const PciAddress *a = &c->dev.info.address.u.pci;
    if (c->pci_name == PCI_NAME_NONE)
        c->pci_name = default_model_name(c, caps, d);
    switch (c->model) {
    case PCI_BRIDGE: case DMI_TO_PCI_BRIDGE: case PCIE_TO_PCI_BRIDGE:
        if (c->dev.info.address.type == ADDRESS_PCI && c->index.v <= a->bus) {
            error_set(err, VIR_ERR_XML_ERROR, "PCI controller %u sits on bus %u, and must have a larger index than that",
                      c->index.v, a->bus);
            return false;
        }
        if (c->model == PCI_BRIDGE && !c->chassis_nr.set)
            c->chassis_nr = (OptU32){ 1, c->index.v };
        if (c->model == PCI_BRIDGE && (c->chassis_nr.v < 1 || c->chassis_nr.v > 255)) {
            error_set(err, VIR_ERR_XML_ERROR, "PCI controller %u: chassisNr '%u' is not between 1 and 255",
                      c->index.v, c->chassis_nr.v);
            return false;
        }
        break;
    case PCIE_ROOT_PORT:
        if (!c->chassis.set)
            c->chassis = (OptU32){ 1, c->index.v };
        if (!c->port.set)
            c->port = (OptU32){ 1, a->slot << 3 | a->function };
        break;
    case PCIE_SWITCH_DOWNSTREAM_PORT:
        if (!c->chassis.set)
            c->chassis = (OptU32){ 1, c->index.v };
        if (!c->port.set)
            c->port = (OptU32){ 1, a->slot };
        break;
    case PCI_EXPANDER_BUS: case PCIE_EXPANDER_BUS:
        if (!c->bus_nr.set) {
            uint32_t nr;
            if (!next_bus_nr(d, &nr)) {
                error_set(err, VIR_ERR_INTERNAL_ERROR, "PCI controller %u: no bus number is left for it", c->index.v);
                return false;
            }
            c->bus_nr = (OptU32){ 1, nr };
        }
        break;
    case PCI_ROOT:
        if (!qemu_machine_is_pseries(d) || c->target_index.set)
            break;
        if (!next_target_index(d, c, &c->target_index)) {
            error_set(err, VIR_ERR_INTERNAL_ERROR, "PCI controller %u: no target index is left for it", c->index.v);
            return false;
        }
        break;
    default:
        break;
    }
    return true;
}

bool qemu_assign_pci(DomainDef *d, const QemuCaps *caps, GError **err)
{
    unsigned n_buses = 0;
    guint pos = 0;
    ControllerDef *c;
    while ((c = domain_next(d, DEVICE_CONTROLLER, &pos))) {
        if (c->type == CONTROLLER_PCI && c->index.v < UINT32_MAX)
            n_buses = MAX(n_buses, c->index.v + 1);
    }
    fill_flags(d, caps);
    if (n_buses > 0 && !rehearse(d, caps, n_buses, err))
        return false;

    pos = 0;
    while ((c = domain_next(d, DEVICE_CONTROLLER, &pos))) {
        if (c->type == CONTROLLER_PCI)
            n_buses = MAX(n_buses, c->index.v + 1);
    }
    if (n_buses == 0)
        return true;
    g_autoptr(PciSet) s = pci_set_new(d, n_buses, caps, false, err);
    if (!s || !pci_assign_chipset(d, caps, s, err) || !assign_devices(d, s, err))
        return false;
    mark_multifunction(d);
    pos = 0;
    while ((c = domain_next(d, DEVICE_CONTROLLER, &pos))) {
        if (c->type == CONTROLLER_PCI && !finish_controller(d, c, caps, err))
            return false;
    }
    return true;
}

bool qemu_plug_pci(DomainDef *d, Device *dev, const QemuCaps *caps, GError **err)
{
    dev->info.pci_connect = pci_device_flags(d, dev, caps);
    dev->info.pci_group = pci_device_group(dev);
    if (!dev->info.pci_connect || (!pci_wanted(&dev->info) && dev->info.address.type != ADDRESS_PCI))
        return true;
    unsigned n_buses = 0;
    guint pos = 0;
    const ControllerDef *c;
    while ((c = domain_next(d, DEVICE_CONTROLLER, &pos))) {
        if (c->type == CONTROLLER_PCI)
            n_buses = MAX(n_buses, c->index.v + 1);
    }
    fill_flags(d, caps);
    g_autoptr(PciSet) s = pci_set_new(d, n_buses, caps, false, err);
    if (!s || !pci_assign_chipset(d, caps, s, err))
        return false;
    return !pci_wanted(&dev->info) || pci_set_assign(s, &dev->info, err);
}
