/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rules that hold for single devices under any hypervisor, disks and interfaces aside: which kind of
 * address a device can have, options that only virtio devices have, parts that need each other.
 * Reads only; any thread.
 */
#include <string.h>

#include "conf/validate-internal.h"
#include "util/api.h"
#include "util/error.h"

bool device_refuse(GError **err, const Device *dev, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "%s: %s", device_kind_element(dev->kind), text);
    return false;
}

/* ---- addresses ---- */

#define ANY_ADDRESS UINT64_MAX
#define NO_ADDRESS BIT(ADDRESS_NONE)
#define BIT(v) (UINT64_C(1) << (v))

static uint64_t hostdev_addresses(const HostdevDef *h)
{
    if (h->mode != HOSTDEV_SUBSYS)
        return ANY_ADDRESS;
    switch (h->type) {
    case HOSTDEV_PCI: return BIT(ADDRESS_PCI) | BIT(ADDRESS_UNASSIGNED);
    case HOSTDEV_USB: return BIT(ADDRESS_USB) | BIT(ADDRESS_UNASSIGNED);
    case HOSTDEV_SCSI: return BIT(ADDRESS_DRIVE) | BIT(ADDRESS_UNASSIGNED);
    case HOSTDEV_SCSI_HOST: return BIT(ADDRESS_PCI) | BIT(ADDRESS_CCW) | BIT(ADDRESS_UNASSIGNED);
    case HOSTDEV_MDEV:
        return h->model == HOSTDEV_MODEL_VFIO_CCW ? BIT(ADDRESS_CCW) | BIT(ADDRESS_UNASSIGNED)
               : h->model == HOSTDEV_MODEL_VFIO_AP ? NO_ADDRESS
                                                   : BIT(ADDRESS_PCI) | BIT(ADDRESS_UNASSIGNED);
    default: return ANY_ADDRESS;
    }
}

/* The kinds of address that a device can have, beside none. */
static uint64_t addresses_of(const Device *dev)
{
    const uint64_t others = ~BIT(ADDRESS_UNASSIGNED);

    switch (dev->kind) {
    case DEVICE_HOSTDEV: return hostdev_addresses((const HostdevDef *)dev);
    case DEVICE_INTERFACE: return ((const NetDef *)dev)->type == NET_HOSTDEV ? ANY_ADDRESS : others;
    case DEVICE_SMARTCARD: return BIT(ADDRESS_CCID);
    case DEVICE_REDIRDEV: return BIT(ADDRESS_USB);
    case DEVICE_INPUT: return ((const InputDef *)dev)->bus == INPUT_BUS_USB ? BIT(ADDRESS_USB) : others;
    case DEVICE_IOMMU: {
        IommuModel m = ((const IommuDef *)dev)->model;
        return m == IOMMU_INTEL || m == IOMMU_SMMUV3 ? NO_ADDRESS : others;
    }
    default: return others;
    }
}

static bool validate_place(const Device *dev, GError **err)
{
    const DeviceInfo *info = &dev->info;

    if (info->address.type != ADDRESS_NONE && !(addresses_of(dev) & BIT(info->address.type)))
        return device_refuse(err, dev, "an address of type '%s' is not possible", enum_name(&address_type_names, info->address.type));
    if (info->rom_enabled == TRI_NO && (info->rom_bar != TRI_ABSENT || info->rom_file))
        return device_refuse(err, dev, "rom: bar and file have no meaning when it is not enabled");
    return true;
}

/* ---- virtio ---- */

static const VirtioOptions *virtio_options_of_other(const Device *dev)
{
    switch (dev->kind) {
    case DEVICE_DISK: {
        const DiskDef *d = (const DiskDef *)dev;
        return d->bus == DISK_BUS_VIRTIO ? NULL : &d->virtio;
    }
    case DEVICE_VIDEO: {
        const VideoDef *v = (const VideoDef *)dev;
        return v->type == VIDEO_VIRTIO ? NULL : &v->virtio;
    }
    case DEVICE_INTERFACE: {
        const NetDef *n = (const NetDef *)dev;
        return !n->model || g_str_has_prefix(n->model, "virtio") ? NULL : &n->virtio;
    }
    case DEVICE_VSOCK: {
        const VsockDef *v = (const VsockDef *)dev;
        return v->model != VSOCK_DEFAULT ? NULL : &v->virtio;
    }
    case DEVICE_SOUND: {
        const SoundDef *s = (const SoundDef *)dev;
        return s->model == SOUND_VIRTIO ? NULL : &s->virtio;
    }
    default: return NULL;
    }
}

static bool validate_virtio(const Device *dev, GError **err)
{
    const VirtioOptions *o = virtio_options_of_other(dev);
    const char *given = !o || (!o->iommu && !o->ats && !o->packed && !o->page_per_vq) ? NULL
                        : o->iommu ? "iommu" : o->ats ? "ats" : o->packed ? "packed" : "page_per_vq";

    return !given || device_refuse(err, dev, "driver option %s is for virtio devices only", given);
}

/* ---- kinds ---- */

static bool validate_input(const DomainDef *d, const InputDef *i, GError **err)
{
    const char *bus = enum_name(&input_bus_names, i->bus), *type = enum_name(&input_type_names, i->type);

    if (i->model != VIRTIO_MODEL_DEFAULT && i->bus != INPUT_BUS_VIRTIO)
        return device_refuse(err, &i->dev, "model '%s' needs bus 'virtio'", enum_name(&virtio_model_names, i->model));
    if (i->type == INPUT_PASSTHROUGH && i->bus != INPUT_BUS_NONE && i->bus != INPUT_BUS_VIRTIO)
        return device_refuse(err, &i->dev, "type '%s' needs bus 'virtio'", type);
    if (i->type == INPUT_EVDEV && i->bus != INPUT_BUS_NONE)
        return device_refuse(err, &i->dev, "type '%s' has no bus", type);
    if (d->os.type == OS_HVM && (i->bus == INPUT_BUS_XEN || i->bus == INPUT_BUS_PARALLELS))
        return device_refuse(err, &i->dev, "bus '%s' is not supported by full machines", bus);
    if (i->bus == INPUT_BUS_PS2 && i->type == INPUT_TABLET)
        return device_refuse(err, &i->dev, "bus 'ps2' has no tablets");
    return true;
}

static bool validate_graphics(const DomainDef *d, const GraphicsDef *g, GError **err)
{
    for (unsigned i = 0; i < list_len(g->listens); i++) {
        ListenType t = ((const GraphicsListen *)list_at(g->listens, i))->type;
        if (g->type == GRAPHICS_RDP && (t == LISTEN_NONE || t == LISTEN_SOCKET))
            return device_refuse(err, &g->dev, "listen type '%s' is not available for type 'rdp'", enum_name(&listen_type_names, t));
    }
    return true;
}

static bool validate_iommu(const IommuDef *i, GError **err)
{
    bool intel = i->caching_mode || i->eim || i->dma_translation, any = intel || i->intremap || i->iotlb || i->xtsup || i->pt;
    bool fits = i->model == IOMMU_INTEL ? !i->xtsup && !i->pt
                : i->model == IOMMU_AMD ? !intel && !i->aw_bits
                                        : !any && (i->model == IOMMU_VIRTIO || !i->aw_bits);

    if (i->granule_mode && i->granule)
        return device_refuse(err, &i->dev, "granule has a mode or a size, not both");
    return fits || device_refuse(err, &i->dev, "model '%s' does not have all of these driver options", enum_name(&iommu_model_names, i->model));
}

static bool validate_video(const VideoDef *v, GError **err)
{
    bool scales = v->type == VIDEO_VGA || v->type == VIDEO_QXL || v->type == VIDEO_VIRTIO || v->type == VIDEO_BOCHS ||
                  v->type == VIDEO_DEFAULT;

    if (v->driver == VIDEO_DRIVER_VHOSTUSER && v->type != VIDEO_VIRTIO)
        return device_refuse(err, &v->dev, "driver 'vhostuser' is for type 'virtio'");
    return !v->resolution_x || scales || device_refuse(err, &v->dev, "type '%s' has no resolution to be set", enum_name(&video_type_names, v->type));
}

static bool validate_hostdev(const HostdevDef *h, GError **err)
{
    if (h->startup_policy && h->type != HOSTDEV_USB)
        return device_refuse(err, &h->dev, "startupPolicy is for USB devices");
    g_autofree char *problem = addresses_problem(h->caps_ips, h->caps_routes);
    if (problem)
        return device_refuse(err, &h->dev, "%s", problem);
    return h->sgio != SGIO_UNFILTERED || device_refuse(err, &h->dev, "sgio 'unfiltered' is not supported any more");
}

static bool validate_chr(const ChrDef *c, GError **err)
{
    if (c->src.type == CHR_SPICEVMC && c->target != CHANNEL_VIRTIO)
        return device_refuse(err, &c->dev, "type 'spicevmc' is for virtio channels");
    return true;
}

static bool validate_audio_id(const DomainDef *d, const Device *dev, OptU32 id, GError **err)
{
    const AudioDef *a;

    for (guint i = 0; id.set && (a = domain_next(d, DEVICE_AUDIO, &i));) {
        if (a->id == id.v)
            return true;
    }
    return !id.set || device_refuse(err, dev, "there is no audio device with the id %u", id.v);
}

static bool validate_tpm(const TpmDef *t, GError **err)
{
    return t->backend != TPM_EMULATOR || !list_len(t->pcr_banks) || t->version == TPM_2_0 ||
           device_refuse(err, &t->dev, "active_pcr_banks needs version '2.0'");
}

static bool validate_controller(const ControllerDef *c, GError **err)
{
    bool virtio_scsi = c->type == CONTROLLER_SCSI && (c->model == SCSI_VIRTIO_SCSI || c->model == SCSI_VIRTIO_TRANSITIONAL ||
                                                      c->model == SCSI_VIRTIO_NON_TRANSITIONAL);

    return !c->iothread || virtio_scsi || device_refuse(err, &c->dev, "iothread is for virtio-scsi controllers");
}

bool validate_misc(const DomainDef *d, const Device *dev, GError **err)
{
    enum { FIRST_GUEST_CID = 3 };

    if (!validate_place(dev, err) || !validate_virtio(dev, err))
        return false;
    switch (dev->kind) {
    case DEVICE_INPUT: return validate_input(d, (const InputDef *)dev, err);
    case DEVICE_GRAPHICS: return validate_graphics(d, (const GraphicsDef *)dev, err);
    case DEVICE_IOMMU: return validate_iommu((const IommuDef *)dev, err);
    case DEVICE_VIDEO: return validate_video((const VideoDef *)dev, err);
    case DEVICE_HOSTDEV: return validate_hostdev((const HostdevDef *)dev, err);
    case DEVICE_TPM: return validate_tpm((const TpmDef *)dev, err);
    case DEVICE_CONTROLLER: return validate_controller((const ControllerDef *)dev, err);
    case DEVICE_SOUND: return validate_audio_id(d, dev, ((const SoundDef *)dev)->audio_id, err);
    case DEVICE_SERIAL: case DEVICE_PARALLEL: case DEVICE_CONSOLE: case DEVICE_CHANNEL:
        return validate_chr((const ChrDef *)dev, err);
    case DEVICE_FILESYSTEM:
        return !dev->info.boot_order || ((const FsDef *)dev)->driver == FS_DRIVER_VIRTIOFS ||
               device_refuse(err, dev, "a boot order is for driver 'virtiofs'");
    case DEVICE_SHMEM: {
        const ShmemDef *s = (const ShmemDef *)dev;
        return !s->msi_enabled || s->server_enabled || device_refuse(err, dev, "msi needs a server");
    }
    case DEVICE_VSOCK: {
        uint32_t cid = ((const VsockDef *)dev)->cid;
        return !cid || cid >= FIRST_GUEST_CID || device_refuse(err, dev, "the address of a guest is %d or above", FIRST_GUEST_CID);
    }
    default: return true;
    }
}
