/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The PCI buses of a guest as sets of used functions. A bus takes only devices whose connect flags
 * meet its own. In a dry run the set grows: a device that finds no room brings the bridge or root
 * port that it needs, and the caller turns the new buses into controllers afterwards. Rules of
 * growth follow today's daemons, since the addresses that result are the guest's hardware.
 */
#include "drivers/qemu/address-internal.h"
#include "drivers/qemu/machine.h"
#include "util/error.h"

enum { PCI_BUSES_MAX = 256 };

typedef struct BusFacts {
    ControllerModel model;
    uint32_t flags;
    uint8_t min_slot, max_slot;
} BusFacts;

/* clang-format off */
static const BusFacts bus_facts[] = {
    { PCI_ROOT,           PCI_HOTPLUGGABLE | PCI_DEVICE | PCI_TO_PCI_BRIDGE | PCI_TO_EXPANDER, 1, 31 },
    { PCI_BRIDGE,         PCI_HOTPLUGGABLE | PCI_DEVICE | PCI_TO_PCI_BRIDGE, 1, 31 },
    { PCI_EXPANDER_BUS,   PCI_HOTPLUGGABLE | PCI_DEVICE | PCI_TO_PCI_BRIDGE, 0, 31 },
    { PCIE_ROOT,          PCIE_DEVICE | PCI_TO_ROOT_PORT | PCI_TO_DMI_BRIDGE | PCIE_TO_EXPANDER, 1, 31 },
    { DMI_TO_PCI_BRIDGE,  PCI_DEVICE | PCI_TO_PCI_BRIDGE, 0, 31 },
    { PCIE_TO_PCI_BRIDGE, PCI_HOTPLUGGABLE | PCI_DEVICE | PCI_TO_PCI_BRIDGE, 1, 31 },
    { PCIE_ROOT_PORT,     PCI_HOTPLUGGABLE | PCIE_DEVICE | PCI_TO_UPSTREAM | PCI_TO_PCIE_BRIDGE, 0, 0 },
    { PCIE_SWITCH_DOWNSTREAM_PORT, PCI_HOTPLUGGABLE | PCIE_DEVICE | PCI_TO_UPSTREAM | PCI_TO_PCIE_BRIDGE, 0, 0 },
    { PCIE_SWITCH_UPSTREAM_PORT, PCI_TO_DOWNSTREAM, 0, 31 },
    { PCIE_EXPANDER_BUS,  PCI_TO_ROOT_PORT | PCI_TO_DMI_BRIDGE, 0, 0 },
};
/* clang-format on */

static void bus_set_model(PciBus *b, ControllerModel model)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(bus_facts); i++) {
        if (bus_facts[i].model == model) {
            b->model = model;
            b->flags = bus_facts[i].flags;
            b->min_slot = bus_facts[i].min_slot;
            b->max_slot = bus_facts[i].max_slot;
        }
    }
}

PciBus *pci_set_bus(const PciSet *s, unsigned bus)
{
    return bus < s->buses->len ? &g_array_index(s->buses, PciBus, bus) : NULL;
}

void pci_set_free(PciSet *s)
{
    if (s)
        g_array_free(s->buses, TRUE);
    g_free(s);
}

bool pci_set_in_use(const PciSet *s, const PciAddress *a)
{
    const PciBus *b = pci_set_bus(s, a->bus);
    return b && a->slot < 32 && b->functions[a->slot] != 0;
}

static bool flags_fit(const PciBus *b, uint32_t flags, bool from_document)
{
    uint32_t bus = b->flags;
    if (from_document) {
        /* Who writes an address may put a PCI device into a PCIe slot, or anything where hotplug
         * will not work. */
        if (bus & PCI_ENDPOINT)
            bus |= PCI_ENDPOINT;
        if (flags & PCI_HOTPLUGGABLE)
            bus |= PCI_HOTPLUGGABLE;
    }
    if (!(flags & bus & PCI_TYPES))
        return false;
    /* The root bus of PCI Express is no place for what may be unplugged. */
    return !(flags & PCI_HOTPLUGGABLE) || (bus & PCI_HOTPLUGGABLE);
}

static PciBus *append_bus(PciSet *s, ControllerModel model)
{
    PciBus b = { 0 };
    bus_set_model(&b, model);
    g_array_append_val(s->buses, b);
    return pci_set_bus(s, s->buses->len - 1);
}

/* Adds what a device with these flags needs to be plugged in; it goes into the last bus. */
static bool grow(PciSet *s, uint32_t flags, GError **err)
{
    if (s->buses->len + 2 > PCI_BUSES_MAX) {
        error_set(err, VIR_ERR_XML_ERROR, "the devices need more than %d PCI buses", PCI_BUSES_MAX);
        return false;
    }
    if (flags & PCI_DEVICE) {
        bool takes_bridge = false;
        for (unsigned i = 0; i < s->buses->len; i++)
            takes_bridge |= (pci_set_bus(s, i)->flags & PCI_TO_PCI_BRIDGE) != 0;
        if (s->host_bridges) {
            append_bus(s, PCI_ROOT);
        } else if (takes_bridge) {
            append_bus(s, PCI_BRIDGE);
        } else if (s->pcie_pci_bridge) {
            /* The root port below the bridge takes nothing else: neither another device nor the spare
             * place for hotplug may land in it. */
            append_bus(s, PCIE_ROOT_PORT)->flags = PCI_TO_PCIE_BRIDGE;
            append_bus(s, PCIE_TO_PCI_BRIDGE);
        } else {
            append_bus(s, DMI_TO_PCI_BRIDGE);
            append_bus(s, PCI_BRIDGE);
        }
        return true;
    }
    if (flags & (PCIE_DEVICE | PCI_TO_UPSTREAM | PCI_TO_PCIE_BRIDGE)) {
        append_bus(s, PCIE_ROOT_PORT);
        return true;
    }
    error_set(err, VIR_ERR_XML_ERROR, "no PCI bus takes one of the controllers, and none can be added for it");
    return false;
}

/* Host bridges are units of isolation: what the host isolates from each other does not share one. */
static bool is_empty(const PciBus *b)
{
    for (unsigned slot = 0; slot < G_N_ELEMENTS(b->functions); slot++) {
        if (b->functions[slot])
            return false;
    }
    return true;
}

static void enter_group(PciBus *b, uint32_t group)
{
    if (b->group == group)
        return;
    if (is_empty(b) && !b->group_fixed) {
        b->group = group;
    } else { /* the document wants it */
        b->group = 0;
        b->group_fixed = true;
    }
}

bool pci_set_reserve(PciSet *s, const PciAddress *a, uint32_t flags, uint32_t group, bool from_document, GError **err)
{
    /* An address on a bus that the document does not have: the bus is to be made. */
    while (s->dry_run && a->bus < PCI_BUSES_MAX && a->bus >= s->buses->len) {
        if (!grow(s, flags, err))
            return false;
    }
    PciBus *b = pci_set_bus(s, a->bus);
    if (a->domain != 0 || !b || a->slot > 31 || a->function > 7) {
        error_set(err, VIR_ERR_XML_ERROR, "PCI address %04x:%02x:%02x.%x: there is no such bus", a->domain,
                  a->bus, a->slot, a->function);
        return false;
    }
    if (a->slot < b->min_slot || a->slot > b->max_slot) {
        error_set(err, VIR_ERR_XML_ERROR, "PCI address %04x:%02x:%02x.%x: slot must be %u to %u on this bus",
                  a->domain, a->bus, a->slot, a->function, b->min_slot, b->max_slot);
        return false;
    }
    if (!flags_fit(b, flags, from_document)) {
        error_set(err, VIR_ERR_XML_ERROR,
                  "PCI address %04x:%02x:%02x.%x: a bus of model '%s' does not take this kind of device",
                  a->domain, a->bus, a->slot, a->function, enum_name(&controller_model_names, b->model));
        return false;
    }
    if (b->functions[a->slot] & (1u << a->function)) {
        error_set(err, VIR_ERR_XML_ERROR, "Attempted double use of PCI Address %04x:%02x:%02x.%x", a->domain, a->bus,
                  a->slot, a->function);
        return false;
    }
    if (s->host_bridges)
        enter_group(b, group);
    if (b->functions[a->slot] == 0) {
        b->aggregate &= ~(1u << a->slot);
        if (flags & PCI_AGGREGATE)
            b->aggregate |= 1u << a->slot;
    }
    b->functions[a->slot] |= (uint8_t)(1u << a->function);
    return true;
}

static bool find_on_bus(const PciBus *b, PciAddress *a, uint32_t flags, int function)
{
    if (!flags_fit(b, flags, false))
        return false;
    for (unsigned slot = b->min_slot; slot <= b->max_slot; slot++) {
        unsigned used = b->functions[slot];
        unsigned f = function < 0 ? 0 : (unsigned)function;
        if (used != 0) {
            if (!(flags & PCI_AGGREGATE) || !(b->aggregate & (1u << slot)))
                continue;
            while (function < 0 && f < 8 && (used & (1u << f)))
                f++;
            if (f > 7 || (used & (1u << f)))
                continue;
        }
        a->slot = slot;
        a->function = f;
        return true;
    }
    return false;
}

bool pci_set_find(PciSet *s, PciAddress *ret, uint32_t flags, uint32_t group, int function, GError **err)
{
    PciAddress a = { .given = 1 };

    if (s->buses->len == 0) {
        error_set(err, VIR_ERR_XML_ERROR, "a device needs PCI, and the machine has no PCI bus");
        return false;
    }
    for (unsigned tries = 0; tries < 2; tries++) {
        for (a.bus = 0; a.bus < s->buses->len; a.bus++) {
            const PciBus *b = pci_set_bus(s, a.bus);
            if ((!s->host_bridges || b->group == group) && find_on_bus(b, &a, flags, function)) {
                *ret = a;
                return true;
            }
        }
        /* A bridge that nobody uses is free for a group. */
        for (a.bus = 0; group && s->host_bridges && a.bus < s->buses->len; a.bus++) {
            const PciBus *b = pci_set_bus(s, a.bus);
            if (is_empty(b) && !b->group_fixed && find_on_bus(b, &a, flags, function)) {
                *ret = a;
                return true;
            }
        }
        if (!s->dry_run) {
            error_set(err, VIR_ERR_INTERNAL_ERROR, "No more available PCI slots");
            return false;
        }
        if (!grow(s, flags, err))
            return false;
    }
    error_set(err, VIR_ERR_XML_ERROR, "no PCI bus takes a device of this kind");
    return false;
}

void pci_address_put(DeviceInfo *info, unsigned bus, unsigned slot, unsigned function, Tristate multi)
{
    PciAddress *a = &info->address.u.pci;
    OptU32 uid = { 0 }, fid = { 0 };
    if (info->address.type == ADDRESS_PCI) {
        uid = a->zpci_uid;
        fid = a->zpci_fid;
    } else {
        info->address = (DeviceAddress){ .type = ADDRESS_PCI };
    }
    *a = (PciAddress){ .bus = bus, .slot = slot, .function = function, .multifunction = multi, .given = 1,
                       .zpci_uid = uid, .zpci_fid = fid };
}

bool pci_set_assign(PciSet *s, DeviceInfo *info, GError **err)
{
    PciAddress a;
    if (!pci_set_find(s, &a, info->pci_connect, info->pci_group, -1, err) ||
        !pci_set_reserve(s, &a, info->pci_connect, info->pci_group, false, err))
        return false;
    if (!s->dry_run)
        pci_address_put(info, a.bus, a.slot, a.function, TRI_ABSENT);
    return true;
}

/* Everything that has an address already. */
static bool collect(PciSet *s, GError **err)
{
    for (unsigned i = 0; i < list_len(s->def->devices); i++) {
        const Device *dev = list_at(s->def->devices, i);
        const DeviceInfo *info = &dev->info;
        if (info->address.type != ADDRESS_PCI || pci_wanted(info) || !info->pci_connect)
            continue;
        if (!pci_set_reserve(s, &info->address.u.pci, info->pci_connect, info->pci_group, true, err))
            return false;
    }
    return true;
}

PciSet *pci_set_new(const DomainDef *d, unsigned n_buses, const QemuCaps *caps, bool dry_run, GError **err)
{
    g_autoptr(PciSet) s = g_new0(PciSet, 1);
    s->def = d;
    s->dry_run = dry_run;
    s->pcie_pci_bridge = qemu_caps_has(caps, QEMU_CAP_DEVICE_PCIE_PCI_BRIDGE);
    s->host_bridges = qemu_machine_is_pseries(d);
    s->buses = g_array_new(FALSE, TRUE, sizeof(PciBus));
    if (n_buses > PCI_BUSES_MAX) {
        error_set(err, VIR_ERR_XML_ERROR, "PCI controller index %u: at most %d are possible", n_buses - 1,
                  PCI_BUSES_MAX - 1);
        return NULL;
    }
    g_array_set_size(s->buses, n_buses);

    bool pcie = false;
    guint pos = 0;
    const ControllerDef *c;
    while ((c = domain_next(d, DEVICE_CONTROLLER, &pos))) {
        if (c->type != CONTROLLER_PCI || c->index.v >= n_buses)
            continue;
        bus_set_model(pci_set_bus(s, c->index.v), c->model);
        pcie |= c->model == PCIE_ROOT;
    }
    for (unsigned i = 0; i < n_buses; i++) {
        PciBus *b = pci_set_bus(s, i);
        if (b->model == CONTROLLER_MODEL_DEFAULT)
            bus_set_model(b, i == 0 || s->host_bridges ? PCI_ROOT : pcie ? PCIE_ROOT_PORT : PCI_BRIDGE);
    }
    if (s->host_bridges && n_buses > 0)
        pci_set_bus(s, 0)->group_fixed = true;
    return collect(s, err) ? g_steal_pointer(&s) : NULL;
}
