/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a device that leaves something open gets: model, bus, format, by machine, architecture and
 * emulator. One function per kind; each leaves alone what the document says. Pure; any thread.
 */
#include <string.h>

#include "conf/backing.h"
#include "drivers/qemu/defaults-internal.h"
#include "drivers/qemu/machine.h"

static ControllerModel default_usb_model(const DomainDef *d, bool new_guest, const QemuCaps *caps)
{
    if (arch_is_s390(d->os.arch))
        return USB_NONE;
    if (arch_is_ppc64(d->os.arch)) {
        /* Existing guests have always had the older one. */
        if (new_guest && qemu_caps_has(caps, QEMU_CAP_DEVICE_QEMU_XHCI))
            return USB_QEMU_XHCI;
        if (new_guest && qemu_caps_has(caps, QEMU_CAP_NEC_USB_XHCI))
            return USB_NEC_XHCI;
        return qemu_caps_has(caps, QEMU_CAP_PCI_OHCI) ? USB_PCI_OHCI : CONTROLLER_MODEL_DEFAULT;
    }
    if (arch_is_arm(d->os.arch) || arch_is_riscv(d->os.arch)) {
        if (qemu_caps_has(caps, QEMU_CAP_DEVICE_QEMU_XHCI))
            return USB_QEMU_XHCI;
        return qemu_caps_has(caps, QEMU_CAP_NEC_USB_XHCI) ? USB_NEC_XHCI : CONTROLLER_MODEL_DEFAULT;
    }
    if (qemu_caps_has(caps, QEMU_CAP_PIIX3_USB_UHCI))
        return USB_PIIX3_UHCI;
    return !arch_is_x86(d->os.arch) && qemu_caps_has(caps, QEMU_CAP_PCI_OHCI) ? USB_PCI_OHCI : CONTROLLER_MODEL_DEFAULT;
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

static void controller_defaults(const DomainDef *d, ControllerDef *c, const QemuPolicyData *p, const QemuCaps *caps)
{
    if (qemu_is_usb_companion(c) && !c->dev.info.master_startport.set)
        c->dev.info.master_startport = (OptU32){ 1, 2u * (unsigned)(c->model - USB_ICH9_UHCI1) };
    if (c->model != CONTROLLER_MODEL_DEFAULT && c->model != SCSI_AUTO)
        return;
    if (c->type == CONTROLLER_USB && caps)
        c->model = default_usb_model(d, !p->keep_hardware, caps);
    else if (c->type == CONTROLLER_SCSI && caps)
        c->model = default_scsi_model(d, caps);
}

static void source_defaults(StorageSource *s)
{
    if (s->format == FORMAT_NONE && s->type != STORAGE_VOLUME)
        s->format = FORMAT_RAW;
    storage_source_complete(s);
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
    /* Older documents say so for every machine. */
    if (c->target == SERIAL_ISA && !arch_is_x86(d->os.arch) && c->serial_model == SERIAL_MODEL_NONE &&
        c->dev.info.address.type != ADDRESS_ISA)
        c->target = CHR_TARGET_NONE;
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
    return qemu_caps_has(caps, QEMU_CAP_DEVICE_VIRTIO_GPU) ? VIDEO_VIRTIO : VIDEO_DEFAULT;
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
        t->version = t->model == TPM_TIS && arch_is_x86(d->os.arch) ? TPM_1_2 : TPM_2_0; /* as it has always been */
}

static void panic_defaults(const DomainDef *d, PanicDef *p)
{
    if (p->model == PANIC_DEFAULT)
        p->model = qemu_machine_is_pseries(d) ? PANIC_PSERIES : arch_is_s390(d->os.arch) ? PANIC_S390 : PANIC_ISA;
}

static void hostdev_defaults(HostdevDef *h, const QemuCaps *caps)
{
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

void qemu_fill_device(DomainDef *d, Device *dev, const QemuPolicyData *p, const QemuCaps *caps)
{
    switch (dev->kind) {
    case DEVICE_CONTROLLER: controller_defaults(d, (ControllerDef *)dev, p, caps); break;
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
        if (s->model != SHMEM_IVSHMEM && s->server_enabled) { /* who serves it sends interrupts */
            s->msi_enabled = 1;
            if (s->msi_ioeventfd == TRI_ABSENT)
                s->msi_ioeventfd = TRI_YES;
        }
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
