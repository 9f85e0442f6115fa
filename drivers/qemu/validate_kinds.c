/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Models, addresses and options that the language knows, and QEMU's devices do not have. Each function
 * looks at one device; what an emulator may have or not is asked of its capabilities, where they are
 * known. Reads only; any thread.
 */
#include <string.h>

#include "drivers/qemu/machine.h"
#include "drivers/qemu/validate.h"
#include "util/error.h"

static bool lacks(const QemuCaps *caps, QemuCap cap)
{
    return caps && !qemu_caps_has(caps, cap);
}

/* ---- places ---- */

static bool kind_place(const DomainDef *d, const Device *dev, GError **err)
{
    const DeviceInfo *info = &dev->info;
    const PciAddress *pci = &info->address.u.pci;

    if (info->address.type == ADDRESS_CCW && !qemu_machine_is_s390_ccw(d))
        return device_refuse(err, dev, "CCW addresses are not for machine '%s'", d->os.machine ? d->os.machine : "");
    if (info->address.type == ADDRESS_PCI && pci->domain && !qemu_machine_is_s390_ccw(d))
        return device_refuse(err, dev, "PCI address %04x:%02x:%02x.%u: only domain 0 is available", pci->domain, pci->bus, pci->slot, pci->function);
    if (info->acpi_index && info->address.type != ADDRESS_PCI && info->address.type != ADDRESS_NONE && info->address.type != ADDRESS_UNASSIGNED)
        return device_refuse(err, dev, "an ACPI index is for PCI devices");
    return true;
}

/* Addresses beside none that a device may have; a model of one bus has no other place. */
static bool only_address(const Device *dev, AddressType type, const char *model, GError **err)
{
    AddressType is = dev->info.address.type;

    return is == ADDRESS_NONE || (is == type && type != ADDRESS_NONE) ||
           device_refuse(err, dev, "model '%s' cannot have an address of type '%s'", model, enum_name(&address_type_names, is));
}

/* ---- controllers ---- */

enum { /* options of PCI controllers */
    HAS_HOLE = 1 << 0, HAS_BUS_NR = 1 << 1, HAS_CHASSIS_NR = 1 << 2, HAS_PORT = 1 << 3, HAS_INDEX = 1 << 4, HAS_NODE = 1 << 5,
    HAS_HOTPLUG = 1 << 6,
};

static const struct {
    ControllerModel model;
    unsigned options;
    PciModelName names[2];
} pci_models[] = {
    { PCI_ROOT, HAS_HOLE | HAS_INDEX | HAS_NODE | HAS_HOTPLUG, { PCI_NAME_SPAPR_PHB } },
    { PCIE_ROOT, HAS_HOLE, { 0 } },
    { PCI_BRIDGE, HAS_CHASSIS_NR, { PCI_NAME_PCI_BRIDGE } },
    { DMI_TO_PCI_BRIDGE, 0, { PCI_NAME_I82801B11 } },
    { PCIE_TO_PCI_BRIDGE, 0, { PCI_NAME_PCIE_PCI_BRIDGE } },
    { PCIE_ROOT_PORT, HAS_PORT | HAS_HOTPLUG, { PCI_NAME_IOH3420, PCI_NAME_PCIE_ROOT_PORT } },
    { PCIE_SWITCH_UPSTREAM_PORT, 0, { PCI_NAME_X3130_UPSTREAM } },
    { PCIE_SWITCH_DOWNSTREAM_PORT, HAS_PORT | HAS_HOTPLUG, { PCI_NAME_XIO3130_DOWNSTREAM } },
    { PCI_EXPANDER_BUS, HAS_BUS_NR | HAS_NODE, { PCI_NAME_PXB } },
    { PCIE_EXPANDER_BUS, HAS_BUS_NR | HAS_NODE, { PCI_NAME_PXB_PCIE } },
};

static bool kind_pci_controller(const DomainDef *d, const ControllerDef *c, GError **err)
{
    const struct { bool given; unsigned has; const char *name; } options[] = {
        { c->pcihole64.set, HAS_HOLE, "pcihole64" },       { c->bus_nr.set, HAS_BUS_NR, "busNr" },
        { c->chassis_nr.set, HAS_CHASSIS_NR, "chassisNr" }, { c->chassis.set, HAS_PORT, "chassis" },
        { c->port.set, HAS_PORT, "port" },                  { c->target_index.set, HAS_INDEX, "index" },
        { c->numa_node.set, HAS_NODE, "node" },             { c->pci_hotplug != TRI_ABSENT, HAS_HOTPLUG, "hotplug" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(pci_models); i++) {
        if (pci_models[i].model != c->model)
            continue;
        const char *model = enum_name(&controller_model_names, c->model);
        unsigned has = pci_models[i].options;
        bool pseries = qemu_machine_is_pseries(d);
        if (c->model == PCI_ROOT && !pseries)
            has &= ~(unsigned)(HAS_INDEX | HAS_NODE);
        if (c->model == PCI_ROOT && pseries)
            has &= ~(unsigned)HAS_HOLE;
        for (unsigned k = 0; k < G_N_ELEMENTS(options); k++) {
            if (options[k].given && !(has & options[k].has))
                return device_refuse(err, &c->dev, "option '%s' is not for pci %u, model '%s'", options[k].name, c->index.v, model);
        }
        bool named = c->pci_name == PCI_NAME_NONE || c->pci_name == pci_models[i].names[0] || c->pci_name == pci_models[i].names[1];
        if (!named || (c->pci_name == PCI_NAME_SPAPR_PHB && !pseries))
            return device_refuse(err, &c->dev, "model name '%s' is not for pci %u, model '%s'", enum_name(&pci_model_name_names, c->pci_name),
                          c->index.v, model);
    }
    return true;
}

static bool kind_controller(const DomainDef *d, const ControllerDef *c, GError **err)
{
    bool virtio_scsi = c->type == CONTROLLER_SCSI && (c->model == SCSI_VIRTIO_SCSI || c->model == SCSI_VIRTIO_TRANSITIONAL ||
                                                      c->model == SCSI_VIRTIO_NON_TRANSITIONAL);

    if (!virtio_scsi && (c->queues || c->cmd_per_lun || c->max_sectors || c->ioeventfd != TRI_ABSENT))
        return device_refuse(err, &c->dev, "driver queues, cmd_per_lun, max_sectors and ioeventfd are for virtio-scsi");
    if (c->type == CONTROLLER_SCSI && (c->model == SCSI_BUSLOGIC || c->model == SCSI_VMPVSCSI))
        return device_refuse(err, &c->dev, "model '%s' is not supported by QEMU", enum_name(&controller_model_names, c->model));
    bool xhci = c->model == USB_NEC_XHCI || c->model == USB_QEMU_XHCI;
    if (c->type == CONTROLLER_USB && c->ports.set && !xhci)
        return device_refuse(err, &c->dev, "usb controller type '%s' doesn't support 'ports' with this QEMU binary",
                             enum_name(&controller_model_names, c->model));
    if (c->type == CONTROLLER_ISA)
        return device_refuse(err, &c->dev, "type 'isa' is part of the machine");
    return c->type != CONTROLLER_PCI || kind_pci_controller(d, c, err);
}

/* ---- what guests see and hear ---- */

static bool kind_video(const VideoDef *v, GError **err)
{
    const char *type = enum_name(&video_type_names, v->type);

    if (v->type == VIDEO_XEN || v->type == VIDEO_VBOX || v->type == VIDEO_PARALLELS || v->type == VIDEO_GOP)
        return device_refuse(err, &v->dev, "type '%s' is not supported by QEMU", type);
    if (v->accel3d != TRI_ABSENT && v->type != VIDEO_VIRTIO)
        return device_refuse(err, &v->dev, "3d acceleration is supported only with 'virtio' video device");
    if (v->accel2d != TRI_ABSENT)
        return device_refuse(err, &v->dev, "QEMU has no 2D acceleration to be set");
    if (v->heads.set && v->heads.v > 1 && v->type != VIDEO_QXL && v->type != VIDEO_VIRTIO)
        return device_refuse(err, &v->dev, "type '%s' has one head", type);
    if ((v->type == VIDEO_QXL || v->type == VIDEO_VGA || v->type == VIDEO_VMVGA) && v->vgamem.set && v->vgamem.v < 1024)
        return device_refuse(err, &v->dev, "vgamem must be at least 1024 KiB");
    if (v->type == VIDEO_QXL && v->vgamem.set && v->vgamem.v & (v->vgamem.v - 1))
        return device_refuse(err, &v->dev, "vgamem must be a power of two");
    if ((v->type == VIDEO_VGA || v->type == VIDEO_VMVGA) && v->vram.set && v->vram.v && v->vram.v < 1024)
        return device_refuse(err, &v->dev, "vram must be at least 1024 KiB");
    return true;
}

static bool has_spice(const DomainDef *d)
{
    guint pos = 0;
    const GraphicsDef *g;

    while ((g = domain_next(d, DEVICE_GRAPHICS, &pos))) {
        if (g->type == GRAPHICS_SPICE)
            return true;
    }
    return false;
}

static bool kind_chr_source(const DomainDef *d, const Device *dev, const ChrSource *s, GError **err)
{
    return (s->type != CHR_SPICEVMC && s->type != CHR_SPICEPORT) || has_spice(d) ||
           device_refuse(err, dev, "type '%s' needs SPICE graphics", enum_name(&chr_type_names, s->type));
}

static bool kind_serial(const ChrDef *c, GError **err)
{
    static const struct { ChrTarget target; AddressType address; SerialModel models[2]; } rows[] = {
        { SERIAL_ISA, ADDRESS_ISA, { SERIAL_MODEL_ISA_SERIAL } },
        { SERIAL_USB, ADDRESS_USB, { SERIAL_MODEL_USB_SERIAL } },
        { SERIAL_PCI, ADDRESS_PCI, { SERIAL_MODEL_PCI_SERIAL } },
        { SERIAL_SPAPR_VIO, ADDRESS_SPAPR_VIO, { SERIAL_MODEL_SPAPR_VTY } },
        { SERIAL_SYSTEM, ADDRESS_NONE, { SERIAL_MODEL_PL011, SERIAL_MODEL_16550A } },
        { SERIAL_SCLP, ADDRESS_NONE, { SERIAL_MODEL_SCLPCONSOLE, SERIAL_MODEL_SCLPLMCONSOLE } },
        { SERIAL_ISA_DEBUG, ADDRESS_ISA, { SERIAL_MODEL_ISA_DEBUGCON } },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (c->target != rows[i].target)
            continue;
        const char *target = enum_name(&chr_target_names, c->target);
        if (c->serial_model != SERIAL_MODEL_NONE && c->serial_model != rows[i].models[0] && c->serial_model != rows[i].models[1])
            return device_refuse(err, &c->dev, "target model '%s' is not for target type '%s'", enum_name(&serial_model_names, c->serial_model), target);
        if (!only_address(&c->dev, rows[i].address, target, err))
            return false;
    }
    return true;
}

/* ---- the others ---- */

static bool kind_filesystem(const FsDef *f, GError **err)
{
    if (f->type != FS_MOUNT)
        return device_refuse(err, &f->dev, "'%s': type '%s' is not supported by QEMU", f->dst, enum_name(&fs_type_names, f->type));
    if (f->driver == FS_DRIVER_LOOP || f->driver == FS_DRIVER_NBD || f->driver == FS_DRIVER_PLOOP)
        return device_refuse(err, &f->dev, "'%s': driver '%s' is not supported by QEMU", f->dst, enum_name(&fs_driver_names, f->driver));
    if ((f->fmode.set || f->dmode.set) && f->access != FS_MAPPED)
        return device_refuse(err, &f->dev, "'%s': fmode and dmode are for accessmode 'mapped'", f->dst);
    if (f->driver != FS_DRIVER_VIRTIOFS)
        return true;
    if (f->access != FS_PASSTHROUGH && f->access != FS_ACCESS_DEFAULT)
        return device_refuse(err, &f->dev, "'%s': driver 'virtiofs' has accessmode 'passthrough' only", f->dst);
    return (!f->wrpolicy && !f->multidevs && !f->format) ||
           device_refuse(err, &f->dev, "'%s': driver 'virtiofs' has no wrpolicy, multidevs and format", f->dst);
}

static bool kind_shmem(const ShmemDef *s, const QemuCaps *caps, GError **err)
{
    const char *model = enum_name(&shmem_model_names, s->model);

    if (s->model == SHMEM_IVSHMEM && lacks(caps, QEMU_CAP_DEVICE_IVSHMEM))
        return device_refuse(err, &s->dev, "'%s': this emulator has no model '%s'", s->name, model);
    if (s->model == SHMEM_IVSHMEM_PLAIN && (s->server_enabled || s->msi_enabled))
        return device_refuse(err, &s->dev, "'%s': model '%s' has no server and no msi", s->name, model);
    if (s->model == SHMEM_IVSHMEM_DOORBELL && s->size)
        return device_refuse(err, &s->dev, "shmem model '%s' does not support size setting", model);
    return s->model != SHMEM_IVSHMEM_DOORBELL || s->server_enabled || device_refuse(err, &s->dev, "'%s': model '%s' needs a server", s->name, model);
}

static bool kind_watchdog(const DomainDef *d, const WatchdogDef *w, GError **err)
{
    const char *model = enum_name(&watchdog_model_names, w->model);
    bool s390 = arch_is_s390(d->os.arch);

    if (s390 != (w->model == WATCHDOG_DIAG288))
        return device_refuse(err, &w->dev, "model '%s' is not for architecture '%s'", model, d->os.arch);
    return only_address(&w->dev, w->model == WATCHDOG_I6300ESB ? ADDRESS_PCI : ADDRESS_NONE, model, err);
}

static bool kind_panic(const DomainDef *d, const PanicDef *p, GError **err)
{
    const char *model = enum_name(&panic_model_names, p->model);
    bool fits = p->model == PANIC_PSERIES ? qemu_machine_is_pseries(d)
                : p->model == PANIC_S390  ? arch_is_s390(d->os.arch)
                : p->model == PANIC_ISA || p->model == PANIC_HYPERV ? arch_is_x86(d->os.arch)
                                                                    : true;
    if (!fits)
        return device_refuse(err, &p->dev, "model '%s' is not for architecture '%s' with machine '%s'", model, d->os.arch, d->os.machine);
    return p->model != PANIC_ISA || only_address(&p->dev, ADDRESS_ISA, model, err);
}

static bool kind_net(const NetDef *n, GError **err)
{
    if ((list_len(n->ips) || list_len(n->routes)) && n->type != NET_USER && n->type != NET_VHOSTUSER)
        return device_refuse(err, &n->dev, "type '%s': QEMU cannot set addresses and routes of the guest", enum_name(&net_type_names, n->type));
    bool bridged = n->type == NET_BRIDGE || n->type == NET_NETWORK;
    if (n->isolated == TRI_YES && !bridged)
        return device_refuse(err, &n->dev, "<port isolated='yes'/> is not supported for network interfaces with type='%s'", enum_name(&net_type_names, n->type));
    if (n->target_managed == TRI_NO && n->type != NET_ETHERNET)
        return device_refuse(err, &n->dev, "unmanaged target dev is not supported on interfaces of type '%s'", enum_name(&net_type_names, n->type));
    if (n->teaming == TEAMING_TRANSIENT && n->type != NET_HOSTDEV && n->type != NET_NETWORK)
        return device_refuse(err, &n->dev, "virtio-net teaming transient interface must be type='hostdev', not '%s'", enum_name(&net_type_names, n->type));
    for (LIST_EACH(const NetIp, ip, n->ips))
        if (ip->peer)
            return device_refuse(err, &n->dev, "Invalid attempt to set peer IP for guest");
    if (n->type == NET_USER && list_len(n->routes))
        return device_refuse(err, &n->dev, "type 'user': QEMU cannot set routes of the guest");
    return true;
}

static bool kind_hostdev(const HostdevDef *h, const QemuCaps *caps, GError **err)
{
    if (h->type == HOSTDEV_PCI && h->write_filtering != TRI_ABSENT)
        return device_refuse(err, &h->dev, "QEMU does not filter writes to the configuration space");
    if (h->type == HOSTDEV_SCSI_HOST && h->dev.info.boot_order)
        return device_refuse(err, &h->dev, "the guest cannot boot from vhost SCSI devices");
    if (h->type == HOSTDEV_MDEV && h->dev.info.boot_order)
        return device_refuse(err, &h->dev, "booting from assigned devices is not supported by mediated devices of model %s",
                             enum_name(&hostdev_model_names, h->model));
    if (h->type == HOSTDEV_MDEV && h->model == HOSTDEV_MODEL_VFIO_AP && lacks(caps, QEMU_CAP_DEVICE_VFIO_AP))
        return device_refuse(err, &h->dev, "this emulator has no vfio-ap");
    return true;
}

static bool kind_smartcard(const SmartcardDef *s, GError **err)
{
    const DeviceAddress *a = &s->dev.info.address;

    return a->type != ADDRESS_CCID || (!a->u.ccid.controller && !a->u.ccid.slot) ||
           device_refuse(err, &s->dev, "this QEMU binary lacks multiple smartcard support");
}

static bool kind_tpm(const TpmDef *t, const QemuCaps *caps, GError **err)
{
    if (t->model == TPM_CRB && t->version == TPM_1_2)
        return device_refuse(err, &t->dev, "Unsupported interface 'tpm-crb' for TPM 1.2");
    QemuCap need = t->model == TPM_SPAPR_PROXY ? QEMU_CAP_DEVICE_SPAPR_TPM_PROXY : t->model == TPM_TIS ? QEMU_CAP_DEVICE_TPM_TIS : t->model == TPM_CRB ? QEMU_CAP_DEVICE_TPM_CRB : QEMU_CAP_DEVICE_TPM_SPAPR;

    return t->model == TPM_DEFAULT || !lacks(caps, need) ||
           device_refuse(err, &t->dev, "this emulator has no model '%s'", enum_name(&tpm_model_names, t->model));
}

bool qemu_validate_kind(const DomainDef *d, const Device *dev, const QemuCaps *caps, GError **err)
{
    if (!kind_place(d, dev, err))
        return false;
    switch (dev->kind) {
    case DEVICE_CONTROLLER: return kind_controller(d, (const ControllerDef *)dev, err);
    case DEVICE_FILESYSTEM: return kind_filesystem((const FsDef *)dev, err);
    case DEVICE_INTERFACE: return kind_net((const NetDef *)dev, err);
    case DEVICE_SERIAL: return kind_serial((const ChrDef *)dev, err) && kind_chr_source(d, dev, &((const ChrDef *)dev)->src, err);
    case DEVICE_PARALLEL: case DEVICE_CONSOLE: case DEVICE_CHANNEL:
        return kind_chr_source(d, dev, &((const ChrDef *)dev)->src, err);
    case DEVICE_REDIRDEV: return kind_chr_source(d, dev, &((const RedirdevDef *)dev)->src, err);
    case DEVICE_SMARTCARD: return kind_smartcard((const SmartcardDef *)dev, err) && kind_chr_source(d, dev, &((const SmartcardDef *)dev)->src, err);
    case DEVICE_RNG: return ((const RngDef *)dev)->backend != RNG_EGD || kind_chr_source(d, dev, &((const RngDef *)dev)->chr, err);
    case DEVICE_AUDIO:
        return ((const AudioDef *)dev)->type != AUDIO_SPICE || has_spice(d) || device_refuse(err, dev, "type 'spice' needs SPICE graphics");
    case DEVICE_SOUND: return ((const SoundDef *)dev)->model != SOUND_ICH7 || device_refuse(err, dev, "model 'ich7' is not supported by QEMU");
    case DEVICE_VIDEO: return kind_video((const VideoDef *)dev, err);
    case DEVICE_GRAPHICS: {
        GraphicsType t = ((const GraphicsDef *)dev)->type;
        return (t != GRAPHICS_DESKTOP && t != GRAPHICS_RDP) || device_refuse(err, dev, "type '%s' is not supported by QEMU", enum_name(&graphics_type_names, t));
    }
    case DEVICE_HOSTDEV: return kind_hostdev((const HostdevDef *)dev, caps, err);
    case DEVICE_WATCHDOG: return kind_watchdog(d, (const WatchdogDef *)dev, err);
    case DEVICE_MEMBALLOON: return ((const MemballoonDef *)dev)->model != BALLOON_XEN || device_refuse(err, dev, "model 'xen' is not supported by QEMU");
    case DEVICE_NVRAM: return arch_is_ppc64(d->os.arch) || device_refuse(err, dev, "only PPC64 machines have one");
    case DEVICE_PANIC: return kind_panic(d, (const PanicDef *)dev, err);
    case DEVICE_SHMEM: return kind_shmem((const ShmemDef *)dev, caps, err);
    case DEVICE_TPM: return kind_tpm((const TpmDef *)dev, caps, err);
    default: return true;
    }
}
