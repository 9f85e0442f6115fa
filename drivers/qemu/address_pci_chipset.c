/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Places that a machine fixes: i440fx has its ISA bridge, IDE and USB in slot 1 and the first video
 * card in slot 2; q35 its LPC bridge, SATA and SMBus in slot 0x1f and the first video card in slot 1.
 * Other devices must not be put there, and those that belong there must be.
 */
#include "drivers/qemu/address-internal.h"
#include "drivers/qemu/machine.h"
#include "util/error.h"

/* A controller that can only be at one place: it gets it, or had it already. */
static bool fix_place(ControllerDef *c, unsigned slot, unsigned function, const char *what, GError **err)
{
    DeviceInfo *info = &c->dev.info;
    if (pci_wanted(info)) {
        pci_address_put(info, 0, slot, function, TRI_ABSENT);
        return true;
    }
    const PciAddress *a = &info->address.u.pci;
    if (info->address.type != ADDRESS_PCI)
        return true;
    if (a->domain == 0 && a->bus == 0 && a->slot == slot && a->function == function)
        return true;
    error_set(err, VIR_ERR_INTERNAL_ERROR, "%s must have PCI address 0:0:%x.%x", what, slot, function);
    return false;
}

/* Reserved for what is in the chipset and in no document. */
static void reserve_function(PciSet *s, unsigned slot, unsigned function)
{
    PciBus *b = pci_set_bus(s, 0);
    if (b)
        b->functions[slot] |= (uint8_t)(1u << function);
}

static bool primary_video(DomainDef *d, PciSet *s, unsigned slot, GError **err)
{
    guint pos = 0;
    VideoDef *v = domain_next(d, DEVICE_VIDEO, &pos);
    if (!v || s->buses->len == 0 || v->type == VIDEO_NONE || v->type == VIDEO_RAMFB || !pci_wanted(&v->dev.info))
        return true;
    PciAddress a = { .slot = slot, .given = 1 };
    if (pci_set_in_use(s, &a))
        return pci_set_assign(s, &v->dev.info, err);
    /* The root bus of q35 takes no hotplug; this card is not for that. */
    reserve_function(s, slot, 0);
    pci_address_put(&v->dev.info, 0, slot, 0, TRI_ABSENT);
    return true;
}

static bool assign_piix3(DomainDef *d, PciSet *s, GError **err)
{
    guint pos = 0;
    ControllerDef *c;
    while ((c = domain_next(d, DEVICE_CONTROLLER, &pos))) {
        if (c->index.v != 0)
            continue;
        if (c->type == CONTROLLER_IDE && !fix_place(c, 1, 1, "primary IDE controller", err))
            return false;
        if (c->type == CONTROLLER_ISA && !fix_place(c, 1, 0, "primary ISA controller", err))
            return false;
        if (c->type == CONTROLLER_USB && (c->model == USB_PIIX3_UHCI || c->model == CONTROLLER_MODEL_DEFAULT) &&
            !fix_place(c, 1, 2, "PIIX3 USB controller at index 0", err))
            return false;
    }
    for (unsigned i = 0; i < list_len(d->devices); i++) {
        const Device *dev = list_at(d->devices, i);
        const PciAddress *a = &dev->info.address.u.pci;
        if (dev->info.address.type == ADDRESS_PCI && dev->kind != DEVICE_CONTROLLER && !a->domain && !a->bus && a->slot == 1 && !a->function && !pci_wanted(&dev->info)) {
            error_set(err, VIR_ERR_XML_ERROR, "Attempted double use of PCI Address 0000:00:01.0, where the chipset's ISA bridge is");
            return false;
        }
    }
    for (unsigned f = 0; f < 8; f++)
        reserve_function(s, 1, f);
    return primary_video(d, s, 2, err);
}

/* The usual place of the USB 2 companions on real boards: 1d.x, then 1a.x; only when free. */
static bool place_uhci(PciSet *s, ControllerDef *c, GError **err)
{
    static const unsigned slots[] = { 0x1d, 0x1a };
    for (unsigned i = 0; i < G_N_ELEMENTS(slots); i++) {
        PciAddress a = { .slot = slots[i], .given = 1 };
        if (pci_set_in_use(s, &a))
            continue;
        reserve_function(s, a.slot, 0);
        pci_address_put(&c->dev.info, 0, a.slot, 0, TRI_YES);
        return true;
    }
    return true;
}

static bool assign_q35(DomainDef *d, PciSet *s, GError **err)
{
    guint pos = 0;
    ControllerDef *c;
    while ((c = domain_next(d, DEVICE_CONTROLLER, &pos))) {
        if (c->type == CONTROLLER_SATA && c->index.v == 0) {
            bool had = !pci_wanted(&c->dev.info);
            if (!fix_place(c, 0x1f, 2, "primary SATA controller", err))
                return false;
            if (!had)
                reserve_function(s, 0x1f, 2);
        } else if (c->type == CONTROLLER_USB && c->model == USB_ICH9_UHCI1 && pci_wanted(&c->dev.info)) {
            if (!place_uhci(s, c, err))
                return false;
        } else if (c->type == CONTROLLER_PCI && c->model == DMI_TO_PCI_BRIDGE && pci_wanted(&c->dev.info)) {
            PciAddress a = { .slot = 0x1e, .given = 1 };
            if (!pci_set_in_use(s, &a)) {
                reserve_function(s, 0x1e, 0);
                pci_address_put(&c->dev.info, 0, 0x1e, 0, TRI_ABSENT);
            }
        }
    }
    reserve_function(s, 0x1f, 0);
    reserve_function(s, 0x1f, 3);
    if (!primary_video(d, s, 1, err))
        return false;
    pos = 0;
    SoundDef *sound;
    while ((sound = domain_next(d, DEVICE_SOUND, &pos))) {
        PciAddress a = { .slot = 0x1b, .given = 1 };
        if (sound->model != SOUND_ICH9 || !pci_wanted(&sound->dev.info) || pci_set_in_use(s, &a))
            continue;
        reserve_function(s, 0x1b, 0);
        pci_address_put(&sound->dev.info, 0, 0x1b, 0, TRI_ABSENT);
    }
    return true;
}

bool pci_assign_chipset(DomainDef *d, const QemuCaps *caps, PciSet *s, GError **err)
{
    (void)caps;
    if (qemu_machine_is_i440fx(d) || qemu_machine_is_isapc(d))
        return assign_piix3(d, s, err);
    return qemu_machine_is_q35(d) ? assign_q35(d, s, err) : true;
}
