/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The QEMU driver's part of defining a guest (defaults.h): what a device that leaves something open
 * gets, and which devices every machine has without being asked. Each function is idempotent: a
 * definition that has been through here is unchanged by another pass, with the same emulator.
 */
#include "drivers/qemu/defaults.h"

#include <string.h>

#include "conf/domain.h"
#include "drivers/qemu/address.h"
#include "drivers/qemu/machine.h"
#include "drivers/qemu/validate.h"
#include "util/error.h"

static QemuAccel accel_of(const DomainDef *d)
{
    const char *name = enum_name(&virt_type_names, d->virt);
    return name ? qemu_accel_from_name(name) : QEMU_ACCEL_N_;
}

static QemuCaps *lookup_caps(const DomainDef *d, const QemuPolicyData *p)
{
    return p->lookup_caps ? p->lookup_caps(p->opaque, d->emulator, d->os.arch, enum_name(&virt_type_names, d->virt)) : NULL;
}

static const char *host_arch(const QemuPolicyData *p)
{
#if defined(__x86_64__)
    const char *built = "x86_64";
#elif defined(__aarch64__)
    const char *built = "aarch64";
#elif defined(__powerpc64__)
    const char *built = "ppc64le";
#elif defined(__s390x__)
    const char *built = "s390x";
#elif defined(__riscv)
    const char *built = "riscv64";
#else
    const char *built = "i686";
#endif
    return p->host_arch ? p->host_arch : built;
}

/* Identity of the machine; all else depends on it. */
static void machine_defaults(DomainDef *d, const QemuPolicyData *p, QemuCaps **ret_caps)
{
    if (d->os.type == OS_NONE)
        d->os.type = OS_HVM;
    if (!d->os.arch)
        d->os.arch = g_strdup(host_arch(p));
    if (!d->emulator && p->emulator)
        d->emulator = g_strdup(p->emulator(p->opaque, d->os.arch));
    QemuCaps *caps = lookup_caps(d, p);
    QemuAccel accel = accel_of(d);
    if (caps && accel < QEMU_ACCEL_N_) {
        const QemuMachine *m = qemu_caps_machine(caps, accel, d->os.machine);
        if (m && g_strcmp0(m->name, d->os.machine) != 0) {
            g_free(d->os.machine);
            d->os.machine = g_strdup(m->name);
        }
    }
    *ret_caps = caps;
}

/* ---- devices ------------------------------------------------------------------------------------- */

static ControllerModel default_usb_model(const DomainDef *d, const QemuCaps *caps)
{
    if (arch_is_s390(d->os.arch))
        return USB_NONE;
    if (arch_is_ppc64(d->os.arch))
        return qemu_machine_is_pseries(d) && qemu_caps_has(caps, QEMU_CAP_DEVICE_QEMU_XHCI) ? USB_QEMU_XHCI : USB_PCI_OHCI;
    if (arch_is_arm(d->os.arch) || arch_is_riscv(d->os.arch)) {
        if (qemu_caps_has(caps, QEMU_CAP_DEVICE_QEMU_XHCI))
            return USB_QEMU_XHCI;
        return qemu_caps_has(caps, QEMU_CAP_NEC_USB_XHCI) ? USB_NEC_XHCI : CONTROLLER_MODEL_DEFAULT;
    }
    if (qemu_caps_has(caps, QEMU_CAP_PIIX3_USB_UHCI))
        return USB_PIIX3_UHCI;
    return qemu_caps_has(caps, QEMU_CAP_PCI_OHCI) ? USB_PCI_OHCI : CONTROLLER_MODEL_DEFAULT;
}

static ControllerModel default_scsi_model(const DomainDef *d, const QemuCaps *caps)
{
    if (qemu_machine_is_pseries(d))
        return SCSI_IBMVSCSI;
    if (arch_is_s390(d->os.arch) || qemu_machine_is_arm_virt(d) || qemu_machine_is_riscv_virt(d))
        return SCSI_VIRTIO_SCSI;
    if (qemu_caps_has(caps, QEMU_CAP_SCSI_LSI))
        return SCSI_LSILOGIC;
    return qemu_caps_has(caps, QEMU_CAP_VIRTIO_SCSI) ? SCSI_VIRTIO_SCSI : CONTROLLER_MODEL_DEFAULT;
}

static bool is_companion(const ControllerDef *c)
{
    return c->type == CONTROLLER_USB && (c->model == USB_ICH9_UHCI1 || c->model == USB_ICH9_UHCI2 || c->model == USB_ICH9_UHCI3);
}

static void controller_defaults(const DomainDef *d, ControllerDef *c, const QemuCaps *caps)
{
    if (is_companion(c) && !c->dev.info.master_startport.set)
        c->dev.info.master_startport = (OptU32){ 1, 2u * (unsigned)(c->model - USB_ICH9_UHCI1) };
    if (c->model != CONTROLLER_MODEL_DEFAULT && c->model != SCSI_AUTO)
        return;
    if (c->type == CONTROLLER_USB && caps)
        c->model = default_usb_model(d, caps);
    else if (c->type == CONTROLLER_SCSI && caps)
        c->model = default_scsi_model(d, caps);
    else if (c->type == CONTROLLER_PCI && c->index.v == 0)
        c->model = qemu_machine_is_q35(d) || qemu_machine_is_arm_virt(d) ? PCIE_ROOT : PCI_ROOT;
}

static void source_defaults(StorageSource *s)
{
    if (s->format == FORMAT_NONE && s->type != STORAGE_VOLUME)
        s->format = FORMAT_RAW;
    for (; s; s = s->backing) {
        for (unsigned i = 0; s->type == STORAGE_NETWORK && i < list_len(s->hosts); i++) {
            StorageHost *h = list_at(s->hosts, i);
            if (h->transport == TRANSPORT_TCP && !h->port)
                h->port = qemu_storage_port(s->protocol);
        }
        if (s->encryption && s->encryption->engine == ENGINE_DEFAULT)
            s->encryption->engine = ENGINE_QEMU;
    }
}

static void disk_defaults(DiskDef *disk)
{
    if (disk->src.type == STORAGE_VHOSTUSER) {
        disk->snapshot = SNAPSHOT_NO;
        return;
    }
    bool empty = (disk->src.type == STORAGE_NETWORK && disk->src.protocol == PROTOCOL_NONE) ||
                 (disk->src.type == STORAGE_VOLUME && !disk->src.pool);
    if (empty &&
        (disk->device == DISK_DEVICE_CDROM || disk->device == DISK_DEVICE_FLOPPY))
        disk->src.type = STORAGE_FILE; /* an empty drive */
    if (!disk->driver)
        disk->driver = g_strdup("qemu");
    if (disk->src.format == FORMAT_NONE && disk->src.type == STORAGE_DIR)
        disk->src.format = FORMAT_FAT;
    source_defaults(&disk->src);
    if (disk->mirror)
        source_defaults(&disk->mirror->src);
}

static const char *default_net_model(const DomainDef *d, const QemuCaps *caps)
{
    if (arch_is_s390(d->os.arch))
        return "virtio";
    if (arch_is_arm(d->os.arch)) {
        if (g_strcmp0(d->os.machine, "versatilepb") == 0)
            return "smc91c111";
        return qemu_machine_is_arm_virt(d) ? "virtio" : "lan9118";
    }
    if (qemu_machine_is_riscv_virt(d))
        return "virtio";
    if (!caps || qemu_caps_has(caps, QEMU_CAP_DEVICE_RTL8139))
        return "rtl8139";
    return qemu_caps_has(caps, QEMU_CAP_DEVICE_E1000) ? "e1000" : qemu_caps_has(caps, QEMU_CAP_DEVICE_VIRTIO_NET) ? "virtio" : "rtl8139";
}

static void net_defaults(const DomainDef *d, NetDef *n, const QemuCaps *caps)
{
    if (n->model || n->type == NET_HOSTDEV)
        return;
    n->model = g_strdup(n->type == NET_VDPA ? "virtio" : default_net_model(d, caps));
}

static void serial_defaults(const DomainDef *d, ChrDef *c)
{
    if (c->target == CHR_TARGET_NONE) {
        switch (c->dev.info.address.type) {
        case ADDRESS_PCI: c->target = SERIAL_PCI; break;
        case ADDRESS_USB: c->target = SERIAL_USB; break;
        case ADDRESS_SPAPR_VIO: c->target = SERIAL_SPAPR_VIO; break;
        case ADDRESS_ISA: c->target = SERIAL_ISA; break;
        default:
            c->target = qemu_machine_is_pseries(d) ? SERIAL_SPAPR_VIO
                        : arch_is_x86(d->os.arch) ? SERIAL_ISA
                        : arch_is_s390(d->os.arch) ? SERIAL_SCLP
                        : qemu_machine_is_arm_virt(d) || qemu_machine_is_riscv_virt(d) ? SERIAL_SYSTEM : CHR_TARGET_NONE;
        }
    }
    if (c->serial_model != SERIAL_MODEL_NONE)
        return;
    switch (c->target) {
    case SERIAL_ISA: c->serial_model = SERIAL_MODEL_ISA_SERIAL; break;
    case SERIAL_USB: c->serial_model = SERIAL_MODEL_USB_SERIAL; break;
    case SERIAL_PCI: c->serial_model = SERIAL_MODEL_PCI_SERIAL; break;
    case SERIAL_SPAPR_VIO: c->serial_model = SERIAL_MODEL_SPAPR_VTY; break;
    case SERIAL_SYSTEM: c->serial_model = arch_is_riscv(d->os.arch) ? SERIAL_MODEL_16550A : SERIAL_MODEL_PL011; break;
    case SERIAL_SCLP: c->serial_model = SERIAL_MODEL_SCLPCONSOLE; break;
    case SERIAL_ISA_DEBUG: c->serial_model = SERIAL_MODEL_ISA_DEBUGCON; break;
    default: break;
    }
}

static VideoType default_video_type(const DomainDef *d, const QemuCaps *caps)
{
    if (arch_is_ppc64(d->os.arch))
        return VIDEO_VGA;
    if (qemu_machine_is_arm_virt(d) || qemu_machine_is_riscv_virt(d) || arch_is_s390(d->os.arch))
        return VIDEO_VIRTIO;
    if (!caps || qemu_caps_has(caps, QEMU_CAP_DEVICE_CIRRUS_VGA))
        return VIDEO_CIRRUS;
    if (qemu_caps_has(caps, QEMU_CAP_DEVICE_VGA))
        return VIDEO_VGA;
    return qemu_caps_has(caps, QEMU_CAP_DEVICE_VIRTIO_GPU) ? VIDEO_VIRTIO : VIDEO_CIRRUS;
}

static void video_defaults(const DomainDef *d, VideoDef *v, const QemuCaps *caps)
{
    if (v->type == VIDEO_DEFAULT)
        v->type = default_video_type(d, caps);
    if (v->type == VIDEO_QXL && !v->vgamem.set)
        v->vgamem = (OptU32){ 1, 16 * 1024 };
    if (v->type == VIDEO_BOCHS && !v->vram.set)
        v->vram = (OptU32){ 1, 16 * 1024 };
    if (!v->heads.set && v->type != VIDEO_NONE)
        v->heads = (OptU32){ 1, 1 };
}

static void tpm_defaults(const DomainDef *d, TpmDef *t)
{
    if (t->model == TPM_DEFAULT)
        t->model = qemu_machine_is_pseries(d) ? TPM_SPAPR : TPM_TIS;
    if (t->backend == TPM_EMULATOR && t->version == TPM_VERSION_DEFAULT)
        t->version = TPM_2_0;
}

static void panic_defaults(const DomainDef *d, PanicDef *p)
{
    if (p->model == PANIC_DEFAULT)
        p->model = qemu_machine_is_pseries(d) ? PANIC_PSERIES : arch_is_s390(d->os.arch) ? PANIC_S390 : PANIC_ISA;
}

static void hostdev_defaults(HostdevDef *h, const QemuCaps *caps)
{
    if (h->mode == HOSTDEV_SUBSYS && h->managed == TRI_ABSENT)
        h->managed = TRI_NO;
    if (h->type == HOSTDEV_SCSI && h->iscsi && h->iscsi->name && !strchr(h->iscsi->name, '/')) {
        char *name = g_strconcat(h->iscsi->name, "/0", NULL); /* the first unit */
        g_free(h->iscsi->name);
        h->iscsi->name = name;
    }
    if (h->mode == HOSTDEV_SUBSYS && h->type == HOSTDEV_MDEV && h->model == HOSTDEV_MODEL_VFIO_PCI &&
        h->display == TRI_ABSENT && qemu_caps_has(caps, QEMU_CAP_VFIO_PCI_DISPLAY))
        h->display = TRI_NO;
}

/* A SPICE server without any port, and none to be found for it, listens nowhere. */
static void graphics_defaults(GraphicsDef *g)
{
    GraphicsListen *l = list_len(g->listens) ? list_at(g->listens, 0) : NULL;
    if (g->type != GRAPHICS_SPICE || !l || l->type != LISTEN_ADDRESS || tri_is_yes(g->autoport) ||
        (g->port.set && g->port.v) || (g->tls_port.set && g->tls_port.v))
        return;
    l->type = LISTEN_NONE;
    g_clear_pointer(&l->address, g_free);
    g_clear_pointer(&g->listen_legacy, g_free);
}

static void device_fill(DomainDef *d, Device *dev, const QemuCaps *caps)
{
    switch (dev->kind) {
    case DEVICE_CONTROLLER: controller_defaults(d, (ControllerDef *)dev, caps); break;
    case DEVICE_DISK: disk_defaults((DiskDef *)dev); break;
    case DEVICE_INTERFACE: net_defaults(d, (NetDef *)dev, caps); break;
    case DEVICE_SERIAL: serial_defaults(d, (ChrDef *)dev); break;
    case DEVICE_VIDEO: video_defaults(d, (VideoDef *)dev, caps); break;
    case DEVICE_TPM: tpm_defaults(d, (TpmDef *)dev); break;
    case DEVICE_PANIC: panic_defaults(d, (PanicDef *)dev); break;
    case DEVICE_HOSTDEV: hostdev_defaults((HostdevDef *)dev, caps); break;
    case DEVICE_RNG: {
        RngDef *r = (RngDef *)dev;
        if (r->backend == RNG_RANDOM && !r->path)
            r->path = g_strdup("/dev/random");
        break;
    }
    case DEVICE_SHMEM: {
        ShmemDef *s = (ShmemDef *)dev;
        if (!s->size && s->model != SHMEM_IVSHMEM_DOORBELL)
            s->size = 4; /* MiB */
        break;
    }
    case DEVICE_GRAPHICS: graphics_defaults((GraphicsDef *)dev); break;
    case DEVICE_SMARTCARD:
        if (dev->info.address.type == ADDRESS_NONE)
            dev->info.address.type = ADDRESS_CCID;
        break;
    case DEVICE_VSOCK: {
        VsockDef *v = (VsockDef *)dev;
        if (v->model == VSOCK_DEFAULT)
            v->model = VSOCK_VIRTIO;
        break;
    }
    case DEVICE_FILESYSTEM: {
        FsDef *f = (FsDef *)dev;
        if (f->access == FS_ACCESS_DEFAULT)
            f->access = FS_PASSTHROUGH;
        break;
    }
    case DEVICE_INPUT: {
        InputDef *in = (InputDef *)dev;
        if (in->bus == INPUT_BUS_NONE && in->type != INPUT_PASSTHROUGH && in->type != INPUT_EVDEV)
            in->bus = in->type != INPUT_TABLET && arch_is_x86(d->os.arch) ? INPUT_BUS_PS2 : INPUT_BUS_USB;
        else if (in->bus == INPUT_BUS_NONE && in->type == INPUT_PASSTHROUGH)
            in->bus = INPUT_BUS_VIRTIO;
        break;
    }
    default:
        break;
    }
}

/* ---- what every machine has ----------------------------------------------------------------------- */

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
        w.usb = w.balloon = false;
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

/* Sound goes where the display goes; to the host's own output only where the administrator said so. */
static void imply_audio(DomainDef *d, const QemuPolicyData *p)
{
    if (domain_count(d, DEVICE_AUDIO))
        return;
    guint pos = 0;
    const GraphicsDef *g;
    AudioType type = AUDIO_NONE;
    bool wanted = domain_count(d, DEVICE_GRAPHICS) == 0, host = wanted && p->nographics_host_audio;
    while ((g = domain_next(d, DEVICE_GRAPHICS, &pos))) {
        if (g->type == GRAPHICS_SPICE && type == AUDIO_NONE)
            type = AUDIO_SPICE;
        wanted |= g->type == GRAPHICS_SPICE || g->type == GRAPHICS_VNC;
        host |= g->type == GRAPHICS_VNC && p->vnc_host_audio;
    }
    if (!wanted)
        return;
    if (host && type == AUDIO_NONE && p->host_audio) {
        const char *word = strcmp(p->host_audio, "pa") == 0 ? "pulseaudio" : strcmp(p->host_audio, "wav") == 0 ? "file" : p->host_audio;
        int n = enum_value(&audio_type_names, word);
        type = n >= 0 ? (AudioType)n : AUDIO_NONE;
    }
    AudioDef *a = domain_add(d, DEVICE_AUDIO);
    a->type = type;
    a->id = 1;
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
            if (o->index.v > c->index.v || (o->index.v == c->index.v && is_companion(o) && !is_companion(c)))
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

static NumaDistance *cell_distance(NumaCell *c, uint32_t id)
{
    for (unsigned i = 0; i < list_len(c->distances); i++) {
        NumaDistance *x = list_at(c->distances, i);
        if (x->id == id)
            return x;
    }
    return NULL;
}

static void set_distance(NumaCell *c, uint32_t id, uint32_t value)
{
    NumaDistance *x = cell_distance(c, id);
    if (x && x->value)
        return;
    if (!x) {
        if (!c->distances)
            c->distances = g_ptr_array_new();
        x = g_new0(NumaDistance, 1);
        x->id = id;
        unsigned at = 0;
        while (at < c->distances->len && ((NumaDistance *)list_at(c->distances, at))->id < id)
            at++;
        g_ptr_array_insert(c->distances, (int)at, x);
    }
    x->value = value;
}

/* A distance holds in both directions unless the document says otherwise; a cell is 10 from itself. */
static void distance_defaults(const CpuDef *cpu)
{
    enum { LOCAL = 10 };
    for (unsigned i = 0; i < list_len(cpu->cells); i++) {
        NumaCell *c = list_at(cpu->cells, i);
        for (unsigned k = 0; k < list_len(c->distances); k++) {
            const NumaDistance *x = list_at(c->distances, k);
            for (unsigned j = 0; x->value && j < list_len(cpu->cells); j++) {
                NumaCell *o = list_at(cpu->cells, j);
                if (o != c && o->id.v == x->id)
                    set_distance(o, c->id.v, x->value);
            }
        }
    }
    for (unsigned i = 0; i < list_len(cpu->cells); i++) {
        NumaCell *c = list_at(cpu->cells, i);
        if (list_len(c->distances))
            set_distance(c, c->id.v, LOCAL);
    }
}

static int compare_cells(gconstpointer a, gconstpointer b)
{
    const NumaCell *x = *(NumaCell *const *)a, *y = *(NumaCell *const *)b;
    return x->id.v < y->id.v ? -1 : x->id.v > y->id.v;
}

static bool imply_devices(DomainDef *d, const QemuPolicyData *p, const QemuCaps *caps, GError **err)
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

/* ---- CPU, boot -------------------------------------------------------------------------------------- */

static void cpu_defaults(DomainDef *d, const QemuCaps *caps)
{
    QemuAccel accel = accel_of(d);
    const QemuMachine *m = caps && accel < QEMU_ACCEL_N_ ? qemu_caps_machine(caps, accel, d->os.machine) : NULL;
    bool open = !d->cpu || ((d->cpu->mode == CPU_MODE_NONE || d->cpu->mode == CPU_MODE_CUSTOM) && !d->cpu->model);
    if (open && m && m->default_cpu) {
        g_autofree char *model = qemu_cpu_model_of_type(m->default_cpu);
        bool host = strcmp(model, "host") == 0, s390 = arch_is_s390(d->os.arch);
        bool usable = host ? d->virt == VIRT_KVM : !arch_is_riscv(d->os.arch) && !(arch_is_arm(d->os.arch) && d->virt == VIRT_KVM);
        if (usable) {
            if (!d->cpu)
                d->cpu = g_new0(CpuDef, 1);
            d->cpu->mode = host ? s390 ? CPU_MODE_HOST_MODEL : CPU_MODE_HOST_PASSTHROUGH : CPU_MODE_CUSTOM;
            d->cpu->check = host && s390 ? CPU_CHECK_PARTIAL : CPU_CHECK_NONE;
            if (!host) {
                d->cpu->match = CPU_MATCH_EXACT;
                d->cpu->model = g_steal_pointer(&model);
                d->cpu->fallback = CPU_FALLBACK_FORBID;
            }
        }
    }
    CpuDef *cpu = d->cpu;
    if (!cpu)
        return;
    if (cpu->mode == CPU_MODE_NONE && cpu->model)
        cpu->mode = CPU_MODE_CUSTOM;
    if (cpu->mode == CPU_MODE_HOST_MODEL && !cpu->model)
        cpu->fallback = CPU_FALLBACK_ALLOW; /* says nothing without a model */
    if (cpu->check == CPU_CHECK_DEFAULT) {
        switch (cpu->mode) {
        case CPU_MODE_HOST_PASSTHROUGH: case CPU_MODE_MAXIMUM: cpu->check = CPU_CHECK_NONE; break;
        case CPU_MODE_HOST_MODEL: cpu->check = CPU_CHECK_PARTIAL; break;
        case CPU_MODE_CUSTOM:
            /* An emulated CPU is not compared with the host's. */
            cpu->check = d->virt == VIRT_KVM ? CPU_CHECK_PARTIAL : CPU_CHECK_NONE;
            break;
        case CPU_MODE_NONE: case _CPU_MODE_N: break;
        }
    }
    if (cpu->mode == CPU_MODE_HOST_PASSTHROUGH && cpu->migratable == TRI_ABSENT &&
        caps && arch_is_x86(d->os.arch))
        cpu->migratable = qemu_caps_has(caps, QEMU_CAP_CPU_MIGRATABLE) ? TRI_YES : TRI_NO;
}

static void feature_defaults(DomainDef *d, const QemuCaps *caps)
{
    Features *f = &d->features;
    if (qemu_machine_is_arm_virt(d) && f->gic_version == GIC_NONE) {
        /* KVM offers what the host's interrupt controller can; elsewhere the older one is emulated. */
        f->gic = 1;
        f->gic_version = GIC_2;
        for (unsigned i = 0; d->virt == VIRT_KVM && caps && caps->gic && i < caps->gic->len; i++) {
            const QemuGic *g = &g_array_index(caps->gic, QemuGic, i);
            if (g->version == 3 && g->kernel)
                f->gic_version = GIC_3;
        }
    }
}

/* The memory of a new guest is what its cells and modules have. */
static void memory_defaults(DomainDef *d)
{
    uint64_t cells = 0, modules = 0;
    guint pos = 0;
    const MemoryDef *m;
    for (unsigned i = 0; d->cpu && i < list_len(d->cpu->cells); i++)
        cells += ((const NumaCell *)list_at(d->cpu->cells, i))->memory;
    while ((m = domain_next(d, DEVICE_MEMORY, &pos)))
        modules += m->size;
    if (cells == 0)
        return;
    d->memory = cells + modules;
    if (d->current_memory > d->memory || d->current_memory == 0)
        d->current_memory = d->memory;
}

/* A path that a run made, "DIR/domain-3-name/PORT" or the older "DIR/name.PORT", is not the user's. */
static void channel_defaults(ChrDef *c, const QemuPolicyData *p)
{
    g_autofree char *dir = g_strconcat(p->channel_dir ? p->channel_dir : "/var/lib/libvirt/qemu/channel/target", "/", NULL);
    if (c->target != CHANNEL_VIRTIO || c->src.type != CHR_UNIX || !c->src.path || !c->target_name ||
        !g_str_has_prefix(c->src.path, dir) || !g_str_has_suffix(c->src.path, c->target_name))
        return;
    const char *rest = c->src.path + strlen(dir);
    size_t n = strlen(rest) - strlen(c->target_name);
    bool ours = n > 1 && ((rest[n - 1] == '.' && !memchr(rest, '/', n)) ||
                          (rest[n - 1] == '/' && g_str_has_prefix(rest, "domain-") && !memchr(rest, '/', n - 1)));
    if (ours)
        g_clear_pointer(&c->src.path, g_free);
}

static void boot_defaults(DomainDef *d)
{
    if (d->os.loader && d->os.loader->path && d->os.loader->type == LOADER_NONE)
        d->os.loader->type = LOADER_ROM;
    if (list_len(d->os.boot))
        return;
    for (unsigned i = 0; i < list_len(d->devices); i++) {
        if (((const Device *)list_at(d->devices, i))->info.boot_order)
            return;
    }
    BootItem *b = g_new0(BootItem, 1);
    b->dev = BOOT_HD;
    if (!d->os.boot)
        d->os.boot = g_ptr_array_new();
    g_ptr_array_add(d->os.boot, b);
}

static void nvram_defaults(DomainDef *d, const QemuPolicyData *p)
{
    OsDef *os = &d->os;
    if (!os->loader || os->loader->type != LOADER_PFLASH || !tri_is_yes(os->loader->readonly) || tri_is_yes(os->loader->stateless))
        return;
    if (os->nvram && (os->nvram->path || os->nvram->src))
        return;
    if (!os->nvram)
        os->nvram = g_new0(OsNvram, 1);
    g_autofree char *file = g_strdup_printf("%s_VARS.fd", d->name);
    os->nvram->path = g_build_filename(p->nvram_dir ? p->nvram_dir : "/var/lib/libvirt/qemu/nvram", file, NULL);
}

/* ---- hooks ------------------------------------------------------------------------------------------ */

static bool policy_device_defaults(DomainDef *d, Device *dev, void *data, GError **err)
{
    g_autoptr(QemuCaps) caps = NULL;
    machine_defaults(d, data, &caps);
    device_fill(d, dev, caps);
    return true;
}

/* No machine has as many; what follows looks at pairs of devices. */
enum { DEVICES_MAX = 4096 };

static bool policy_domain_defaults(DomainDef *d, void *data, GError **err)
{
    if (list_len(d->devices) > DEVICES_MAX) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "domain '%s' has %u devices, at most %d are possible", d->name,
                  list_len(d->devices), DEVICES_MAX);
        return false;
    }
    g_autoptr(QemuCaps) caps = NULL;
    machine_defaults(d, data, &caps);
    sort_disks(d);
    sort_controllers(d);
    if (d->cpu && d->cpu->cells) {
        g_ptr_array_sort(d->cpu->cells, compare_cells);
        distance_defaults(d->cpu);
    }
    feature_defaults(d, caps);
    if (!((const QemuPolicyData *)data)->keep_hardware)
        memory_defaults(d);
    guint pos = 0;
    ChrDef *channel;
    while ((channel = domain_next(d, DEVICE_CHANNEL, &pos)))
        channel_defaults(channel, data);
    g_autoptr(GPtrArray) implied = take_implied_controllers(d);
    bool ok = imply_devices(d, data, caps, err);
    for (unsigned i = 0; i < implied->len; i++) {
        ControllerDef *c = g_ptr_array_index(implied, i);
        if (domain_find_controller(d, c->type, c->index.v))
            device_free(&c->dev); /* the machine has it */
        else
            domain_add_device(d, &c->dev);
    }
    if (!ok)
        return false;
    boot_defaults(d);
    nvram_defaults(d, data);
    cpu_defaults(d, caps);
    for (unsigned i = 0; i < list_len(d->devices); i++)
        device_fill(d, list_at(d->devices, i), caps);
    return true;
}

static bool policy_domain_assign(DomainDef *d, void *data, GError **err)
{
    g_autoptr(QemuCaps) caps = lookup_caps(d, data);
    return qemu_assign_addresses(d, caps, ((const QemuPolicyData *)data)->keep_hardware, err);
}

static bool policy_device_validate(const DomainDef *d, const Device *dev, void *data, GError **err)
{
    g_autoptr(QemuCaps) caps = lookup_caps(d, data);
    const GraphicsDef *g = (const GraphicsDef *)dev;
    if (dev->kind == DEVICE_GRAPHICS && g->type == GRAPHICS_SPICE && g->tls_port.set && g->tls_port.v > 0 &&
        !((const QemuPolicyData *)data)->spice_tls) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "graphics spice: a TLS port is asked for, but TLS is not switched on in qemu.conf");
        return false;
    }
    return qemu_validate_device(d, dev, caps, err);
}

static bool policy_domain_validate(const DomainDef *d, void *data, GError **err)
{
    g_autoptr(QemuCaps) caps = lookup_caps(d, data);
    return qemu_validate_domain(d, caps, err);
}

const ConfPolicy qemu_policy = {
    .name = "QEMU",
    .features = CONF_POLICY_SERIAL_CONSOLE | CONF_POLICY_OFFLINE_VCPUPIN | CONF_POLICY_INDIVIDUAL_VCPUS |
                CONF_POLICY_USER_ALIAS | CONF_POLICY_NET_MODEL_STRING | CONF_POLICY_DISK_FD,
    .device_defaults = policy_device_defaults,
    .domain_defaults = policy_domain_defaults,
    .domain_assign = policy_domain_assign,
    .device_validate = policy_device_validate,
    .domain_validate = policy_domain_validate,
};
