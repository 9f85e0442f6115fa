/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices that a machine has without being asked, and the order of what is there. Both are part of the
 * guest's hardware: names, slots and boot order follow from the order of the devices. Pure; any
 * thread.
 */
#include <string.h>

#include "drivers/qemu/defaults-internal.h"
#include "drivers/qemu/machine.h"
#include "util/error.h"

typedef struct Implied {
    bool usb, pci_root, pcie_root, sata, balloon, usb_keyboard, usb_mouse, panic;
    ControllerModel usb_model;
} Implied;

static Implied implied_devices(const DomainDef *d, const QemuCaps *caps)
{
    Implied w = { .usb = true, .balloon = true };
    const char *arch = d->os.arch;
    if (arch_is_x86(arch)) {
        if (qemu_machine_is_isapc(d) || qemu_machine_is_microvm(d)) {
            w.usb = false;
        } else if (qemu_machine_is_q35(d)) {
            w.pcie_root = w.sata = true;
            w.usb_model = qemu_caps_has(caps, QEMU_CAP_DEVICE_QEMU_XHCI) ? USB_QEMU_XHCI
                          : qemu_caps_has(caps, QEMU_CAP_NEC_USB_XHCI) ? USB_NEC_XHCI
                          : qemu_caps_has(caps, QEMU_CAP_ICH9_USB_EHCI1) ? USB_ICH9_EHCI1 : CONTROLLER_MODEL_DEFAULT;
            w.usb = w.usb_model != CONTROLLER_MODEL_DEFAULT;
        } else if (qemu_machine_is_i440fx(d)) {
            w.pci_root = true;
        }
    } else if (arch_is_arm(arch)) {
        w.usb = w.balloon = false;
        w.pcie_root = qemu_machine_is_arm_virt(d) && qemu_caps_has(caps, QEMU_CAP_OBJECT_GPEX);
        w.pci_root = g_strcmp0(d->os.machine, "versatilepb") == 0;
    } else if (arch_is_riscv(arch)) {
        w.usb = false;
        w.pcie_root = qemu_machine_is_riscv_virt(d) && qemu_caps_has(caps, QEMU_CAP_OBJECT_GPEX);
    } else if (arch_is_ppc64(arch)) {
        w.pci_root = w.usb_keyboard = w.usb_mouse = true;
        w.panic = qemu_machine_is_pseries(d);
    } else if (arch_is_s390(arch)) {
        w.usb = false;
        w.panic = true;
        w.pci_root = qemu_machine_is_s390_ccw(d) && qemu_caps_has(caps, QEMU_CAP_DEVICE_ZPCI);
    } else if (g_strcmp0(arch, "sparc64") == 0 || g_strcmp0(arch, "alpha") == 0 || g_strcmp0(arch, "mips64el") == 0) {
        w.pci_root = true;
    }
    return w;
}

static ControllerDef *add_controller(DomainDef *d, ControllerType type, unsigned index, ControllerModel model)
{
    ControllerDef *c = (ControllerDef *)device_new(DEVICE_CONTROLLER);
    c->type = type;
    c->index = (OptU32){ 1, index };
    c->model = model;
    domain_add_device(d, &c->dev);
    return c;
}

static void imply_usb(DomainDef *d, ControllerModel model)
{
    guint pos = 0;
    const ControllerDef *c;
    while ((c = domain_next(d, DEVICE_CONTROLLER, &pos))) {
        if (c->type == CONTROLLER_USB && c->index.v == 0)
            return;
    }
    (void)add_controller(d, CONTROLLER_USB, 0, model);
    if (model != USB_ICH9_EHCI1)
        return;
    static const ControllerModel companions[] = { USB_ICH9_UHCI1, USB_ICH9_UHCI2, USB_ICH9_UHCI3 };
    for (unsigned i = 0; i < G_N_ELEMENTS(companions); i++)
        add_controller(d, CONTROLLER_USB, 0, companions[i])->dev.info.master_startport = (OptU32){ 1, 2 * i };
}

static bool imply_root(DomainDef *d, ControllerModel model, GError **err)
{
    ControllerDef *root = domain_find_controller(d, CONTROLLER_PCI, 0);
    if (!root) {
        (void)add_controller(d, CONTROLLER_PCI, 0, model);
        return true;
    }
    if (root->model == CONTROLLER_MODEL_DEFAULT)
        root->model = model;
    if (root->model != model) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "the PCI controller with index 0 must be of model '%s' for machine '%s', not '%s'",
                  enum_name(&controller_model_names, model), d->os.machine, enum_name(&controller_model_names, root->model));
        return false;
    }
    return true;
}

static void imply_input(DomainDef *d, InputType type, InputBus bus)
{
    guint pos = 0;
    const InputDef *in;
    while ((in = domain_next(d, DEVICE_INPUT, &pos))) {
        if (in->type == type && in->bus == bus)
            return;
    }
    InputDef *n = domain_add(d, DEVICE_INPUT);
    n->type = type;
    n->bus = bus;
}

/* The host's own output is for sound only where the administrator said so. */
static void imply_audio(DomainDef *d, const QemuPolicyData *p)
{
    const char *word = p->host_audio;
    int host = AUDIO_NONE;

    if (word)
        host = enum_value(&audio_type_names, strcmp(word, "pa") == 0 ? "pulseaudio" : strcmp(word, "wav") == 0 ? "file" : word);
    host = MAX(host, AUDIO_NONE);
    domain_imply_audio(d, p->vnc_host_audio ? (AudioType)host : AUDIO_NONE, p->nographics_host_audio ? (AudioType)host : AUDIO_NONE);
}

/* Disks of one bus are together, in the order of their names; controllers of one type together, in
 * the order of their indices. Names and places of devices follow from this order. */
static void sort_disks(DomainDef *d)
{
    g_autoptr(GPtrArray) disks = g_ptr_array_new();
    for (unsigned i = 0; i < list_len(d->devices); i++) {
        Device *dev = list_at(d->devices, i);
        DiskDef *disk = (DiskDef *)dev;
        if (dev->kind != DEVICE_DISK)
            continue;
        int at = -1, index = disk_name_to_index(disk->dst);
        for (int k = (int)disks->len - 1; k >= 0; k--) {
            const DiskDef *o = g_ptr_array_index(disks, (unsigned)k);
            if (o->bus != disk->bus)
                continue;
            if (disk_name_to_index(o->dst) > index)
                at = k;
            else if (at == -1)
                at = k + 1;
        }
        g_ptr_array_insert(disks, at, disk);
    }
    for (unsigned i = 0, n = 0; i < list_len(d->devices); i++) {
        if (((Device *)list_at(d->devices, i))->kind == DEVICE_DISK)
            d->devices->pdata[i] = g_ptr_array_index(disks, n++);
    }
}

static int implied_rank(const ControllerDef *c)
{
    static const uint8_t order[] = { CONTROLLER_SCSI, CONTROLLER_FDC, CONTROLLER_IDE, CONTROLLER_SATA, CONTROLLER_VIRTIO_SERIAL, CONTROLLER_CCID };
    for (unsigned i = 0; i < G_N_ELEMENTS(order); i++) {
        if (c->type == order[i])
            return (int)i;
    }
    return (int)G_N_ELEMENTS(order);
}

static int compare_implied(gconstpointer a, gconstpointer b)
{
    const ControllerDef *x = *(ControllerDef *const *)a, *y = *(ControllerDef *const *)b;
    int rank = implied_rank(x) - implied_rank(y);
    return rank ? rank : x->index.v < y->index.v ? -1 : x->index.v > y->index.v;
}

/* Controllers that addresses imply were added before those that the machine implies, and come after
 * them. Takes them out. */
static GPtrArray *take_implied_controllers(DomainDef *d)
{
    GPtrArray *taken = g_ptr_array_new();
    for (unsigned i = 0; i < list_len(d->devices);) {
        const ControllerDef *c = list_at(d->devices, i);
        bool by_address = c->dev.kind == DEVICE_CONTROLLER && c->dev.line == 0 &&
                          (c->type == CONTROLLER_SCSI || c->type == CONTROLLER_FDC || c->type == CONTROLLER_IDE ||
                           c->type == CONTROLLER_CCID || c->type == CONTROLLER_VIRTIO_SERIAL || c->type == CONTROLLER_SATA);
        if (by_address)
            g_ptr_array_add(taken, g_ptr_array_steal_index(d->devices, i));
        else
            i++;
    }
    g_ptr_array_sort(taken, compare_implied);
    return taken;
}

static void sort_controllers(DomainDef *d)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();
    for (unsigned i = 0; i < list_len(d->devices); i++) {
        ControllerDef *c = list_at(d->devices, i);
        int at = -1;
        if (c->dev.kind != DEVICE_CONTROLLER || c->dev.line == 0)
            continue;
        for (int k = (int)sorted->len - 1; k >= 0; k--) {
            const ControllerDef *o = g_ptr_array_index(sorted, (unsigned)k);
            if (o->type != c->type)
                continue;
            if (o->index.v > c->index.v || (o->index.v == c->index.v && qemu_is_usb_companion(o) && !qemu_is_usb_companion(c)))
                at = k;
            else if (at == -1)
                at = k + 1;
        }
        g_ptr_array_insert(sorted, at, c);
    }
    for (unsigned i = 0, n = 0; i < list_len(d->devices); i++) {
        const Device *dev = list_at(d->devices, i);
        if (dev->kind == DEVICE_CONTROLLER && dev->line != 0)
            d->devices->pdata[i] = g_ptr_array_index(sorted, n++);
    }
}

static bool imply_machine(DomainDef *d, const QemuPolicyData *p, const QemuCaps *caps, GError **err)
{
    Implied w = implied_devices(d, caps);
    if (w.usb)
        imply_usb(d, w.usb_model);
    if (w.sata && !domain_find_controller(d, CONTROLLER_SATA, 0))
        (void)add_controller(d, CONTROLLER_SATA, 0, CONTROLLER_MODEL_DEFAULT);
    if (w.pci_root && !imply_root(d, PCI_ROOT, err))
        return false;
    if (w.pcie_root && !imply_root(d, PCIE_ROOT, err))
        return false;
    if (w.balloon && !domain_count(d, DEVICE_MEMBALLOON))
        ((MemballoonDef *)domain_add(d, DEVICE_MEMBALLOON))->model = BALLOON_VIRTIO;
    if (arch_is_x86(d->os.arch)) {
        imply_input(d, INPUT_MOUSE, INPUT_BUS_PS2);
        imply_input(d, INPUT_KEYBOARD, INPUT_BUS_PS2);
    } else if (domain_count(d, DEVICE_GRAPHICS)) {
        if (w.usb_keyboard)
            imply_input(d, INPUT_KEYBOARD, INPUT_BUS_USB);
        if (w.usb_mouse)
            imply_input(d, INPUT_MOUSE, INPUT_BUS_USB);
    }
    if (w.panic) {
        PanicModel model = arch_is_s390(d->os.arch) ? PANIC_S390 : PANIC_PSERIES;
        guint pos = 0;
        const PanicDef *panic;
        bool found = false;
        while ((panic = domain_next(d, DEVICE_PANIC, &pos)))
            found |= panic->model == model;
        if (!found)
            ((PanicDef *)domain_add(d, DEVICE_PANIC))->model = model;
    }
    imply_audio(d, p);
    return true;
}

void qemu_sort_devices(DomainDef *d)
{
    sort_disks(d);
    sort_controllers(d);
}

bool qemu_imply_devices(DomainDef *d, const QemuPolicyData *p, const QemuCaps *caps, GError **err)
{
    g_autoptr(GPtrArray) implied = take_implied_controllers(d);
    bool ok = imply_machine(d, p, caps, err);
    for (unsigned i = 0; i < implied->len; i++) {
        ControllerDef *c = g_ptr_array_index(implied, i);
        if (domain_find_controller(d, c->type, c->index.v))
            device_free(&c->dev); /* the machine has it */
        else
            domain_add_device(d, &c->dev);
    }
    return ok;
}
