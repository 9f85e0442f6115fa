/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rules for single devices and between devices that hold under any hypervisor: combinations of bus,
 * address and kind that no machine has, and resources that two devices cannot share. Reads only;
 * any thread.
 */
#include <string.h>

#include "conf/validate-internal.h"
#include "util/api.h"
#include "util/error.h"

/* ---- disks ---- */

static bool is_raw_lun(const StorageSource *s)
{
    switch (s->type) {
    case STORAGE_BLOCK:
    case STORAGE_VOLUME: /* what it is shows when the pool is asked */
        return true;
    case STORAGE_NETWORK:
        return s->protocol == PROTOCOL_ISCSI;
    default:
        return false;
    }
}

static bool validate_auth(const DiskDef *disk, GError **err)
{
    const StorageSource *s = &disk->src;

    if (!s->auth || s->type != STORAGE_NETWORK)
        return true;
    SecretType want = s->protocol == PROTOCOL_RBD     ? SECRET_CEPH
                      : s->protocol == PROTOCOL_ISCSI ? SECRET_ISCSI
                                                      : SECRET_NONE;
    if (want == SECRET_NONE || s->auth->secret.type == want || s->auth->secret.type == SECRET_NONE)
        return true;
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "disk '%s': invalid secret type '%s', '%s' expected",
              disk->dst, enum_name(&secret_type_names, s->auth->secret.type),
              enum_name(&secret_type_names, want));
    return false;
}

/* of: the disk or group that has the limits. */
static bool validate_limits(const DiskIotune *t, const char *of, const char *name, GError **err)
{
    const char *what = NULL;

    if ((t->total_bytes_sec && (t->read_bytes_sec || t->write_bytes_sec)) ||
        (t->total_iops_sec && (t->read_iops_sec || t->write_iops_sec)))
        what = "limits";
    if ((t->total_bytes_sec_max && (t->read_bytes_sec_max || t->write_bytes_sec_max)) ||
        (t->total_iops_sec_max && (t->read_iops_sec_max || t->write_iops_sec_max)))
        what = "maxima";
    if (what)
        error_set(err, VIR_ERR_XML_ERROR,
                  "%s '%s': total and read/write iotune %s cannot be set at the same time", of,
                  name, what);
    return !what;
}

static bool validate_throttling(const DomainDef *d, const DiskDef *disk, GError **err)
{
    static const DiskIotune nothing;

    if (!validate_limits(&disk->iotune, "disk", disk->dst, err))
        return false;
    if (list_len(disk->throttle_groups) && memcmp(&disk->iotune, &nothing, sizeof(nothing)) != 0) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "disk '%s': iotune and throttlefilters cannot be used together", disk->dst);
        return false;
    }
    for (unsigned i = 0; i < list_len(disk->throttle_groups); i++) {
        const StrItem *want = list_at(disk->throttle_groups, i);
        bool found = false;
        for (unsigned k = 0; k < list_len(d->throttle_groups); k++)
            found |= !g_strcmp0(((const DiskIotune *)list_at(d->throttle_groups, k))->group_name,
                                want->s);
        if (!found) {
            error_set(err, VIR_ERR_XML_ERROR, "disk '%s': throttle group '%s' is not defined",
                      disk->dst, want->s);
            return false;
        }
    }
    return true;
}

static bool validate_throttle_groups(const DomainDef *d, GError **err)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);

    for (unsigned i = 0; i < list_len(d->throttle_groups); i++) {
        const DiskIotune *t = list_at(d->throttle_groups, i);
        if (!t->group_name) {
            error_set(err, VIR_ERR_XML_ERROR,
                      "domain/throttlegroups/throttlegroup: 'group_name' is missing");
            return false;
        }
        if (!g_hash_table_add(names, t->group_name)) {
            error_set(err, VIR_ERR_XML_ERROR, "throttle group '%s' duplicated", t->group_name);
            return false;
        }
        if (!validate_limits(t, "throttle group", t->group_name, err))
            return false;
    }
    return true;
}

/* Bins are where the next range of times begins; an operation has one histogram. */
static bool validate_histograms(const DiskDef *disk, GError **err)
{
    unsigned seen = 0;

    for (unsigned i = 0; i < list_len(disk->histograms); i++) {
        const DiskHistogram *h = list_at(disk->histograms, i);
        const char *type = h->type ? enum_name(&histogram_names, h->type) : "all";
        if ((seen >> h->type & 1) || (i && (h->type == HISTOGRAM_ALL || (seen & 1)))) {
            error_set(err, VIR_ERR_XML_ERROR, "disk '%s': latency-histogram '%s' given twice",
                      disk->dst, type);
            return false;
        }
        seen |= 1u << h->type;
        for (unsigned k = 1; k < list_len(h->bins); k++) {
            const HistogramBin *a = list_at(h->bins, k - 1), *b = list_at(h->bins, k);
            if (a->start < b->start)
                continue;
            error_set(err, VIR_ERR_XML_ERROR,
                      "disk '%s': latency-histogram '%s': bins must be in ascending order",
                      disk->dst, type);
            return false;
        }
        if (list_len(h->bins) < 2) {
            error_set(err, VIR_ERR_XML_ERROR,
                      "disk '%s': latency-histogram '%s' needs two bins or more", disk->dst, type);
            return false;
        }
    }
    return true;
}

static bool validate_disk_name(const DiskDef *disk, GError **err)
{
    static const char *const floppy[] = { "fd", NULL };
    static const char *const others[] = { "hd", "sd", "vd", "xvd", "ubd", "nvme", NULL };
    const char *const *names = disk->device == DISK_DEVICE_FLOPPY ? floppy : others;

    if (disk->bus == DISK_BUS_FDC && disk->device != DISK_DEVICE_FLOPPY) {
        error_set(err, VIR_ERR_XML_ERROR, "disk '%s': bus 'fdc' is for floppy disks", disk->dst);
        return false;
    }
    for (unsigned i = 0; names[i] || disk->device == DISK_DEVICE_CDROM; i++) {
        if (!names[i] || g_str_has_prefix(disk->dst, names[i]))
            return true;
    }
    error_set(err, VIR_ERR_INTERNAL_ERROR, "Invalid %s device name: %.50s",
              disk->device == DISK_DEVICE_FLOPPY ? "floppy" : "harddisk", disk->dst);
    return false;
}

static bool is_empty(const StorageSource *s)
{
    switch (s->type) {
    case STORAGE_NETWORK:
        return s->protocol == PROTOCOL_NONE;
    case STORAGE_VOLUME:
        return !s->pool;
    case STORAGE_NVME: case STORAGE_VHOSTUSER: case STORAGE_VHOSTVDPA:
        return false;
    default:
        return !s->path || !*s->path;
    }
}

static bool validate_source(const DiskDef *disk, const StorageSource *s, GError **err)
{
    const char *protocol = s->type == STORAGE_NETWORK ? enum_name(&storage_protocol_names, s->protocol) : NULL;
    const char *problem = NULL;

    if (s->type == STORAGE_NETWORK && s->protocol != PROTOCOL_NONE) {
        if (!s->name && s->protocol != PROTOCOL_NBD)
            problem = "a name is missing";
        else if ((s->protocol == PROTOCOL_GLUSTER || s->protocol == PROTOCOL_RBD) && !strchr(s->name, '/'))
            problem = "the name must have a pool and an image, separated by '/'";
        else if (s->protocol == PROTOCOL_NFS && list_len(s->hosts) != 1)
            problem = "exactly one host is needed";
    }
    if (problem) {
        error_set(err, VIR_ERR_XML_ERROR, "disk '%s': source of protocol '%s': %s", disk->dst, protocol, problem);
        return false;
    }
    return validate_device_seclabels(s->seclabels, disk->dst, err);
}

/* What has a removable medium may be empty, and so may a host's drive. */
static bool validate_chain(const DiskDef *disk, GError **err)
{
    bool removable = disk->device != DISK_DEVICE_DISK;

    if (!removable && is_empty(&disk->src)) {
        error_set(err, VIR_ERR_NO_SOURCE, "%s", disk->dst);
        return false;
    }
    for (const StorageSource *s = &disk->src; s; s = s->backing) {
        if (s != &disk->src && s->format == FORMAT_NONE) {
            error_set(err, VIR_ERR_XML_ERROR, "disk '%s': missing disk backing store format", disk->dst);
            return false;
        }
        if (!validate_source(disk, s, err))
            return false;
    }
    return true;
}

static bool validate_disk(const DomainDef *d, const DiskDef *disk, GError **err)
{
    AddressType a = disk->dev.info.address.type;
    bool drive_bus = disk->bus == DISK_BUS_IDE || disk->bus == DISK_BUS_SCSI ||
                     disk->bus == DISK_BUS_SATA || disk->bus == DISK_BUS_FDC;

    if (disk->device == DISK_DEVICE_LUN && !is_raw_lun(&disk->src)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "disk '%s': device='lun' is only valid for block type disk source", disk->dst);
        return false;
    }
    if (drive_bus && a != ADDRESS_NONE && a != ADDRESS_DRIVE) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "Invalid address type '%s' for the disk '%s' with the bus type '%s'",
                  enum_name(&address_type_names, a), disk->dst,
                  enum_name(&disk_bus_names, disk->bus));
        return false;
    }
    if ((disk->vendor || disk->product) && disk->bus != DISK_BUS_SCSI) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "disk '%s': only scsi disks have vendor and product", disk->dst);
        return false;
    }
    if (disk->src.type == STORAGE_NVME && disk->src.nvme_address.given == 0) {
        error_set(err, VIR_ERR_XML_ERROR, "disk '%s': nvme source without address", disk->dst);
        return false;
    }
    const char *wwn = disk->wwn;
    if (wwn && g_str_has_prefix(wwn, "0x"))
        wwn += 2;
    if (wwn && (strlen(wwn) != 16 || strspn(wwn, "0123456789abcdefABCDEF") != 16)) {
        error_set(err, VIR_ERR_XML_ERROR,
                  "disk '%s': malformed wwn '%.50s', 16 hexadecimal digits expected", disk->dst,
                  disk->wwn);
        return false;
    }
    if ((disk->vendor && strlen(disk->vendor) > 8) || (disk->product && strlen(disk->product) > 16)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "disk '%s': vendor has 8 characters at most, product 16", disk->dst);
        return false;
    }
    if (!validate_disk_name(disk, err) || !validate_chain(disk, err))
        return false;
    if (disk->rawio == TRI_YES && disk->device != DISK_DEVICE_LUN) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "disk '%s': rawio is for device='lun'", disk->dst);
        return false;
    }
    if (disk->src.encryption && disk->src.encryption->format == ENCRYPTION_LUKS &&
        disk->src.encryption->cipher) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "disk '%s': supplying <cipher> for domain disk definition is unnecessary",
                  disk->dst);
        return false;
    }
    if (disk->iothread && disk->bus != DISK_BUS_VIRTIO) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "disk '%s': IOThreads not available for bus %s",
                  disk->dst, enum_name(&disk_bus_names, disk->bus));
        return false;
    }
    return validate_auth(disk, err) && validate_throttling(d, disk, err) &&
           validate_histograms(disk, err);
}

/* Two devices at one place of one bus. SCSI host devices sit on the same bus as SCSI disks. */
static bool validate_drive_addresses(const DomainDef *d, GError **err)
{
    g_autoptr(GHashTable) taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < d->devices->len; i++) {
        const Device *dev = d->devices->pdata[i];
        const DeviceAddress *a = &dev->info.address;
        bool scsi_host =
            dev->kind == DEVICE_HOSTDEV && ((const HostdevDef *)dev)->type == HOSTDEV_SCSI;
        if (a->type != ADDRESS_DRIVE || (dev->kind != DEVICE_DISK && !scsi_host))
            continue;
        DiskBus bus = scsi_host ? DISK_BUS_SCSI : ((const DiskDef *)dev)->bus;
        char *key = g_strdup_printf("%s controller='%u' bus='%u' target='%u' unit='%u'",
                                    enum_name(&disk_bus_names, bus), a->u.drive.controller,
                                    a->u.drive.bus, a->u.drive.target, a->u.drive.unit);
        if (!g_hash_table_contains(taken, key)) {
            g_hash_table_add(taken, key);
            continue;
        }
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "Found duplicate drive address for %s '%s': %s",
                  scsi_host ? "SCSI host device" : "disk with target name",
                  scsi_host ? "" : ((const DiskDef *)dev)->dst, key);
        g_free(key);
        return false;
    }
    return true;
}

/* ---- controllers ---- */

static bool validate_controller(const DomainDef *d, const ControllerDef *c, GError **err)
{
    if (c->type == CONTROLLER_PCI && (c->model == PCI_ROOT || c->model == PCIE_ROOT)) {
        /* Machines with several host bridges say which hardware each is. */
        bool many = c->model == PCI_ROOT && d->os.arch && g_str_has_prefix(d->os.arch, "ppc64");
        if (c->index.v != 0 && !many) {
            error_set(err, VIR_ERR_XML_ERROR,
                      "pci-root and pcie-root controllers should have index 0");
            return false;
        }
        if (c->dev.info.address.type != ADDRESS_NONE) {
            error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                      "pci-root and pcie-root controllers should not have an address");
            return false;
        }
    }
    if (c->type != CONTROLLER_USB || c->model != USB_NONE)
        return true;
    const ControllerDef *other;
    for (guint i = 0; (other = domain_next(d, DEVICE_CONTROLLER, &i));) {
        if (other != c && other->type == CONTROLLER_USB) {
            error_set(err, VIR_ERR_XML_ERROR,
                      "Can't add another USB controller: USB is disabled for this domain");
            return false;
        }
    }
    return true;
}

/* ---- host devices ---- */

static bool same_host_device(const HostdevDef *a, const HostdevDef *b)
{
    if (a->mode != b->mode || a->type != b->type)
        return false;
    switch (a->type) {
    case HOSTDEV_PCI:
        return a->pci.domain == b->pci.domain && a->pci.bus == b->pci.bus &&
               a->pci.slot == b->pci.slot && a->pci.function == b->pci.function;
    case HOSTDEV_USB:
        if (a->usb_device.set && b->usb_device.set)
            return a->usb_bus.v == b->usb_bus.v && a->usb_device.v == b->usb_device.v;
        return !a->usb_device.set && !b->usb_device.set && a->vendor.v == b->vendor.v &&
               a->product.v == b->product.v;
    case HOSTDEV_MDEV:
        return uuid_equal(a->mdev.v, b->mdev.v);
    case HOSTDEV_SCSI:
        return !a->iscsi && !b->iscsi && !g_strcmp0(a->scsi_adapter, b->scsi_adapter) &&
               !memcmp(&a->scsi, &b->scsi, sizeof(a->scsi));
    case HOSTDEV_SCSI_HOST:
        return !g_strcmp0(a->wwpn, b->wwpn);
    default:
        return !g_strcmp0(a->caps_path, b->caps_path);
    }
}

static bool validate_hostdev(const DomainDef *d, const HostdevDef *h, GError **err)
{
    const HostdevDef *other;

    if (h->scsi_protocol && strcmp(h->scsi_protocol, "vhost") != 0) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "unknown scsi_host subsystem protocol '%.50s'", h->scsi_protocol);
        return false;
    }
    const char *teaming = teaming_problem(h->teaming, h->teaming_persistent);
    if (teaming) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "hostdev: %s", teaming);
        return false;
    }
    for (guint i = 0; (other = domain_next(d, DEVICE_HOSTDEV, &i)) && other != h;) {
        if (same_host_device(h, other)) {
            error_set(err, VIR_ERR_XML_ERROR, "Hostdev already exists in the domain configuration");
            return false;
        }
    }
    return true;
}

/* An interface may be a host device, too. */
static bool validate_hostdev_net(const DomainDef *d, const NetDef *n, GError **err)
{
    const NetDef *o;

    if (n->type != NET_HOSTDEV || g_strcmp0(n->src.hostdev_type, "pci") != 0)
        return true;
    for (guint i = 0; (o = domain_next(d, DEVICE_INTERFACE, &i)) && o != n;) {
        const PciAddress *a = &n->src.pci, *b = &o->src.pci;
        if (o->type == NET_HOSTDEV && a->domain == b->domain && a->bus == b->bus && a->slot == b->slot && a->function == b->function) {
            error_set(err, VIR_ERR_XML_ERROR, "Hostdev already exists in the domain configuration");
            return false;
        }
    }
    return true;
}

/* ---- the others ---- */

/* path_optional: the driver makes up a socket. */
static bool validate_chr_source(const ChrSource *s, bool path_optional, GError **err)
{
    if (!validate_device_seclabels(s->seclabels, "char device", err))
        return false;
    if (s->type == CHR_UNIX && !s->path && !path_optional) {
        error_set(err, VIR_ERR_XML_ERROR, "missing source path attribute for char device");
        return false;
    }
    if (s->type == CHR_UDP && !s->service) {
        error_set(err, VIR_ERR_XML_ERROR, "missing source service attribute for char device");
        return false;
    }
    if (s->reconnect.enabled == TRI_YES && s->reconnect.timeout.set && !s->reconnect.timeout.v) {
        error_set(err, VIR_ERR_INVALID_ARG, "chardev reconnect source timeout cannot be '0'");
        return false;
    }
    return true;
}

static bool validate_zpci(const Device *dev, GError **err)
{
    const DeviceAddress *a = &dev->info.address;

    if (a->type == ADDRESS_PCI && a->u.pci.zpci_uid.set &&
        (!a->u.pci.zpci_uid.v || a->u.pci.zpci_uid.v > 0xffff)) {
        error_set(err, VIR_ERR_XML_ERROR,
                  "Invalid PCI address uid='0x%.4x', must be > 0x0000 and <= 0xffff",
                  a->u.pci.zpci_uid.v);
        return false;
    }
    return true;
}

static bool validate_video(const DomainDef *d, const VideoDef *v, GError **err)
{
    const char *type = enum_name(&video_type_names, v->type);

    if (v->type != VIDEO_QXL && v->type != VIDEO_DEFAULT && (v->ram.set || v->vram64.set || v->vgamem.set)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "video '%s': ram, vram64 and vgamem are for qxl", type);
        return false;
    }
    if (v->rendernode && v->driver != VIDEO_DRIVER_VHOSTUSER) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "video '%s': rendernode is for driver 'vhostuser'", type);
        return false;
    }
    if (v->type == VIDEO_NONE && domain_count(d, DEVICE_VIDEO) > 1) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "a 'none' video type must be the only video device defined for the domain");
        return false;
    }
    return true;
}

static bool validate_tpms(const DomainDef *d, GError **err)
{
    unsigned proxies = 0, others = 0;
    const TpmDef *t;

    for (guint i = 0; (t = domain_next(d, DEVICE_TPM, &i));) {
        if (t->model == TPM_SPAPR_PROXY)
            proxies++;
        else
            others++;
    }
    if (proxies > 1)
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "only a single TPM Proxy device is supported");
    else if (others > 1)
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "only a single TPM non-proxy device is supported");
    return proxies <= 1 && others <= 1;
}

static bool validate_device(const DomainDef *d, const Device *dev, GError **err)
{
    if (!validate_zpci(dev, err) || !validate_misc(d, dev, err))
        return false;
    switch (dev->kind) {
    case DEVICE_DISK:
        return validate_disk(d, (const DiskDef *)dev, err);
    case DEVICE_CONTROLLER:
        return validate_controller(d, (const ControllerDef *)dev, err);
    case DEVICE_HOSTDEV:
        return validate_hostdev(d, (const HostdevDef *)dev, err);
    case DEVICE_SERIAL:
    case DEVICE_PARALLEL:
    case DEVICE_CONSOLE:
        return validate_chr_source(&((const ChrDef *)dev)->src, false, err);
    case DEVICE_CHANNEL: {
        const ChrDef *c = (const ChrDef *)dev;
        return validate_chr_source(&c->src, c->target == CHANNEL_VIRTIO || c->target == CHANNEL_XEN,
                                   err);
    }
    case DEVICE_REDIRDEV:
        return validate_chr_source(&((const RedirdevDef *)dev)->src, false, err);
    case DEVICE_SMARTCARD:
        return ((const SmartcardDef *)dev)->mode != SMARTCARD_PASSTHROUGH ||
               validate_chr_source(&((const SmartcardDef *)dev)->src, false, err);
    case DEVICE_INTERFACE:
        return validate_net((const NetDef *)dev, err) && validate_hostdev_net(d, (const NetDef *)dev, err);
    case DEVICE_FILESYSTEM: {
        const FsDef *f = (const FsDef *)dev;
        if ((f->type == FS_MOUNT || f->type == FS_BIND || f->type == FS_BLOCK || f->type == FS_FILE || f->type == FS_TEMPLATE) &&
            !f->src && !f->socket) {
            error_set(err, VIR_ERR_NO_SOURCE, "%s", f->dst);
            return false;
        }
        return true;
    }
    case DEVICE_TPM:
        return ((const TpmDef *)dev)->backend != TPM_EXTERNAL || validate_chr_source(&((const TpmDef *)dev)->chr, false, err);
    case DEVICE_RNG:
        return ((const RngDef *)dev)->backend != RNG_EGD ||
               validate_chr_source(&((const RngDef *)dev)->chr, false, err);
    case DEVICE_VIDEO:
        return validate_video(d, (const VideoDef *)dev, err);
    default:
        return true;
    }
}

bool validate_devices(const DomainDef *d, GError **err)
{
    for (guint i = 0; i < d->devices->len; i++) {
        if (!validate_device(d, d->devices->pdata[i], err))
            return false;
    }
    return validate_drive_addresses(d, err) && validate_tpms(d, err) &&
           validate_throttle_groups(d, err);
}
