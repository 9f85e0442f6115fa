/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Defaults that hold for every driver, and the place where a driver's own come in (conf/policy.h).
 * Implied devices are added here: the console beside the first serial port, the controllers that
 * addresses name. Idempotent for a driver whose callbacks are.
 */
#include <string.h>
#include <sys/utsname.h>

#include "conf/domain.h"
#include "util/api.h"
#include "util/error.h"

void domain_imply_audio(DomainDef *d, AudioType with_vnc, AudioType without_display)
{
    bool wanted = domain_count(d, DEVICE_GRAPHICS) == 0;
    AudioType type = AUDIO_NONE, host = wanted ? without_display : AUDIO_NONE;
    const GraphicsDef *g;

    if (domain_count(d, DEVICE_AUDIO))
        return;
    for (guint pos = 0; (g = domain_next(d, DEVICE_GRAPHICS, &pos));) {
        wanted |= g->type == GRAPHICS_SPICE || g->type == GRAPHICS_VNC;
        if (g->type == GRAPHICS_SPICE)
            type = AUDIO_SPICE;
        else if (g->type == GRAPHICS_VNC && with_vnc != AUDIO_NONE)
            host = with_vnc;
    }
    if (!wanted)
        return;
    AudioDef *a = domain_add(d, DEVICE_AUDIO);
    a->type = type != AUDIO_NONE ? type : host;
    a->id = 1;
}

/* ---- consoles ---- */

/* The console is a mirror image of the port; what it held of its own does not count. */
static Device *mirror_of(const ChrDef *serial)
{
    ChrDef *c = (ChrDef *)device_copy(&serial->dev);

    c->dev.kind = DEVICE_CONSOLE;
    c->target = CONSOLE_SERIAL;
    c->serial_model = SERIAL_MODEL_NONE;
    c->port = (OptU32){ 1, 0 };
    c->is_serial_alias = 1;
    return &c->dev;
}

static bool serial_can_be_console(const ChrDef *serial)
{
    switch (serial->target) {
    case SERIAL_PCI:
    case SERIAL_USB:
    case SERIAL_ISA_DEBUG:
        return false;
    default:
        return true;
    }
}

/* A full machine has one text console that is also its first serial port: whichever of the two was
 * written, both are shown, with the serial port's data. */
static void join_console_and_serial(DomainDef *d)
{
    guint i = 0, j = 0;
    ChrDef *console = domain_next(d, DEVICE_CONSOLE, &i),
           *serial = domain_next(d, DEVICE_SERIAL, &j);

    if (d->os.type != OS_HVM)
        return;
    if (console && (console->target == CHR_TARGET_NONE || console->target == CONSOLE_SERIAL)) {
        if (!serial) {
            Device *copy = device_copy(&console->dev);
            copy->kind = DEVICE_SERIAL;
            domain_add_device(d, copy);
            serial = (ChrDef *)copy;
            serial->target = CHR_TARGET_NONE;
            serial->port = (OptU32){ 1, 0 };
        }
        device_free(d->devices->pdata[i - 1]);
        d->devices->pdata[i - 1] = mirror_of(serial);
    } else if (serial && serial_can_be_console(serial)) {
        /* Consoles of other kinds come after it. */
        g_ptr_array_insert(d->devices, console ? (gint)i - 1 : -1, mirror_of(serial));
    }
}

static void default_console_targets(DomainDef *d)
{
    ChrDef *c;

    for (guint i = 0; (c = domain_next(d, DEVICE_CONSOLE, &i));) {
        if (c->target == CHR_TARGET_NONE)
            c->target = d->virt == VIRT_LXC    ? CONSOLE_LXC
                        : d->os.type == OS_HVM ? CONSOLE_SERIAL
                                               : CONSOLE_XEN;
    }
}

static void default_arch(DomainDef *d, const ConfPolicy *policy)
{
    struct utsname host;

    if (d->os.arch)
        return;
    if (policy && policy->default_arch)
        d->os.arch = g_strdup(policy->default_arch);
    else if (uname(&host) == 0)
        d->os.arch = g_strdup(host.machine);
}

/* A full machine boots from disk unless something else is said. */
static void default_boot(DomainDef *d)
{
    if (d->os.type != OS_HVM || list_len(d->os.boot) || d->os.bootloader)
        return;
    for (guint i = 0; i < d->devices->len; i++) {
        if (((const Device *)d->devices->pdata[i])->info.boot_order)
            return;
    }
    BootItem *item = g_new0(BootItem, 1);
    item->dev = BOOT_HD;
    if (!d->os.boot)
        d->os.boot = g_ptr_array_new();
    g_ptr_array_add(d->os.boot, item);
}

/* ---- disks and controllers ---- */

static bool taken_by_hostdev(const DomainDef *d, const DriveAddress *a)
{
    const HostdevDef *h;

    for (guint i = 0; (h = domain_next(d, DEVICE_HOSTDEV, &i));) {
        const DeviceAddress *b = &h->dev.info.address;
        if (h->type == HOSTDEV_SCSI && b->type == ADDRESS_DRIVE && !memcmp(&b->u.drive, a, sizeof(*a)))
            return true;
    }
    return false;
}

static bool place_on_bus(DiskBus bus, unsigned n, const ConfPolicy *policy, DriveAddress *ret)
{
    bool wide = policy && (policy->features & CONF_POLICY_WIDE_SCSI);
    unsigned ports = policy && policy->sata_ports ? policy->sata_ports : 6;

    switch (bus) {
    case DISK_BUS_IDE:
        *ret = (DriveAddress){ .controller = n / 4, .bus = n % 4 / 2, .unit = n % 2 };
        return true;
    case DISK_BUS_SCSI:
        if (wide) { /* unit 7 is the controller itself */
            *ret = (DriveAddress){ .controller = n / 15, .unit = n % 15 };
            ret->unit += ret->unit >= 7;
        } else {
            *ret = (DriveAddress){ .controller = n / 7, .unit = n % 7 };
        }
        return true;
    case DISK_BUS_SATA:
        *ret = (DriveAddress){ .controller = n / ports, .unit = n % ports };
        return true;
    case DISK_BUS_FDC:
        *ret = (DriveAddress){ .controller = n / 2, .unit = n % 2 };
        return true;
    default:
        return false;
    }
}

static bool place_disk(DomainDef *d, DiskDef *disk, const ConfPolicy *policy, GError **err)
{
    DriveAddress a = { 0 };
    int n = disk_name_to_index(disk->dst);

    if (disk->dev.info.address.type != ADDRESS_NONE || !place_on_bus(disk->bus, 0, policy, &a))
        return true;
    if (n < 0) {
        error_set(err, VIR_ERR_XML_ERROR, "unknown disk name '%s' and no address specified",
                  disk->dst);
        return false;
    }
    (void)place_on_bus(disk->bus, (unsigned)n, policy, &a); /* the bus was accepted above */
    /* The guest's name for a disk follows from its place: it is not moved out of another's way. */
    if (disk->bus == DISK_BUS_SCSI && taken_by_hostdev(d, &a)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "using disk target name '%s' conflicts with SCSI host device address controller='%u' bus='%u' target='%u' unit='%u'",
                  disk->dst, a.controller, a.bus, a.target, a.unit);
        return false;
    }
    disk->dev.info.address = (DeviceAddress){ .type = ADDRESS_DRIVE, .u.drive = a };
    return true;
}

static bool taken_by_disk(const DomainDef *d, const DriveAddress *a)
{
    const DiskDef *disk;

    for (guint i = 0; (disk = domain_next(d, DEVICE_DISK, &i));) {
        const DeviceAddress *b = &disk->dev.info.address;
        if (disk->bus == DISK_BUS_SCSI && b->type == ADDRESS_DRIVE && !memcmp(&b->u.drive, a, sizeof(*a)))
            return true;
    }
    return false;
}

/* A LUN of the host goes where there is room: into the first free place after all others. */
static void place_luns(DomainDef *d, const ConfPolicy *policy)
{
    HostdevDef *h;

    for (guint i = 0; (h = domain_next(d, DEVICE_HOSTDEV, &i));) {
        if (h->mode != HOSTDEV_SUBSYS || h->type != HOSTDEV_SCSI || h->dev.info.address.type != ADDRESS_NONE)
            continue;
        DriveAddress a = { 0 };
        for (unsigned n = 0; n < d->devices->len + 1; n++) {
            (void)place_on_bus(DISK_BUS_SCSI, n, policy, &a);
            if (!taken_by_disk(d, &a) && !taken_by_hostdev(d, &a))
                break;
        }
        h->dev.info.address = (DeviceAddress){ .type = ADDRESS_DRIVE, .u.drive = a };
    }
}

static const struct {
    DiskBus bus;
    ControllerType type;
} controller_of_bus[] = {
    { DISK_BUS_SCSI, CONTROLLER_SCSI },
    { DISK_BUS_FDC, CONTROLLER_FDC },
    { DISK_BUS_IDE, CONTROLLER_IDE },
    { DISK_BUS_SATA, CONTROLLER_SATA },
};

enum { CONTROLLERS_MAX = 256 }; /* of one type that a document may imply */

/* below: with all controllers of the type up to that index */
static bool imply(DomainDef *d, ControllerType type, unsigned index, bool below, GError **err)
{
    if (index >= CONTROLLERS_MAX) {
        error_set(err, VIR_ERR_XML_ERROR,
                  "an address names %s controller %u; at most %d controllers are implied",
                  enum_name(&controller_type_names, type), index, CONTROLLERS_MAX);
        return false;
    }
    if (below) {
        (void)domain_ensure_controller(d, type, index);
    } else if (!domain_find_controller(d, type, index)) {
        ControllerDef *c = domain_add(d, DEVICE_CONTROLLER);
        c->type = type;
        c->index = (OptU32){ 1, index };
    }
    return true;
}

static bool imply_controllers(DomainDef *d, GError **err)
{
    for (unsigned b = 0; b < G_N_ELEMENTS(controller_of_bus); b++) {
        const DiskDef *disk;
        for (guint i = 0; (disk = domain_next(d, DEVICE_DISK, &i));) {
            const DeviceAddress *a = &disk->dev.info.address;
            if (disk->bus == controller_of_bus[b].bus && a->type == ADDRESS_DRIVE &&
                !imply(d, controller_of_bus[b].type, a->u.drive.controller, true, err))
                return false;
        }
    }
    for (guint i = 0; i < d->devices->len; i++) {
        const Device *dev = d->devices->pdata[i];
        const ChrDef *chr = (const ChrDef *)dev;
        const DeviceAddress *a = &dev->info.address;
        if ((dev->kind == DEVICE_CHANNEL && chr->target == CHANNEL_VIRTIO) ||
            (dev->kind == DEVICE_CONSOLE && chr->target == CONSOLE_VIRTIO)) {
            if (!imply(d, CONTROLLER_VIRTIO_SERIAL,
                       a->type == ADDRESS_VIRTIO_SERIAL ? a->u.serial.controller : 0, false, err))
                return false;
        }
        if (dev->kind == DEVICE_SMARTCARD &&
            !imply(d, CONTROLLER_CCID, a->type == ADDRESS_CCID ? a->u.ccid.controller : 0, false,
                   err))
            return false;
        if (dev->kind == DEVICE_HOSTDEV && ((const HostdevDef *)dev)->type == HOSTDEV_SCSI &&
            a->type == ADDRESS_DRIVE &&
            !imply(d, CONTROLLER_SCSI, a->u.drive.controller, true, err))
            return false;
    }
    return true;
}

/* ---- interfaces, video ---- */

static const uint8_t default_mac_prefix[3] = { 0x52, 0x54, 0x00 };

static void default_macs(DomainDef *d, const ConfPolicy *policy)
{
    static const uint8_t none[3];
    const uint8_t *prefix =
        policy && memcmp(policy->mac_prefix, none, 3) ? policy->mac_prefix : default_mac_prefix;
    NetDef *net;

    for (guint i = 0; (net = domain_next(d, DEVICE_INTERFACE, &i));) {
        if (!net->mac.set)
            mac_generate(prefix, &net->mac);
    }
}

static uint32_t pow2_up(uint32_t n)
{
    uint32_t p = 1;
    while (p && p < n)
        p <<= 1;
    return p ? p : n;
}

static uint32_t default_vram(const DomainDef *d, VideoType type)
{
    switch (type) {
    case VIDEO_VGA:
    case VIDEO_CIRRUS:
    case VIDEO_VMVGA:
        return d->virt == VIRT_VBOX ? 8 << 10 : d->virt == VIRT_VMWARE ? 4 << 10 : 16 << 10;
    case VIDEO_XEN:
        return 4 << 10;
    case VIDEO_QXL:
        return 64 << 10;
    default:
        return 0;
    }
}

static void default_video_memory(DomainDef *d)
{
    VideoDef *v;

    for (guint i = 0; (v = domain_next(d, DEVICE_VIDEO, &i));) {
        uint32_t vram = default_vram(d, v->type);
        if (v->type == VIDEO_QXL && !v->ram.set)
            v->ram = (OptU32){ 1, vram };
        if (!v->vram.set && vram)
            v->vram = (OptU32){ 1, vram };
        if (v->ram.set)
            v->ram.v = pow2_up(v->ram.v);
        if (v->vram.set)
            v->vram.v = pow2_up(v->vram.v);
    }
}

/* The primary video device comes first; without one, the first is primary. */
static bool default_primary_video(DomainDef *d, GError **err)
{
    VideoDef *v, *first = NULL, *primary = NULL;
    guint first_at = 0, primary_at = 0;

    for (guint i = 0; (v = domain_next(d, DEVICE_VIDEO, &i));) {
        if (!first) {
            first = v;
            first_at = i - 1;
        }
        if (v->primary != TRI_YES)
            continue;
        if (primary) {
            error_set(err, VIR_ERR_XML_ERROR,
                      "domain/devices/video: only one primary video device is supported");
            return false;
        }
        primary = v;
        primary_at = i - 1;
    }
    if (!first)
        return true;
    if (!primary && first->type != VIDEO_NONE)
        first->primary = TRI_YES;
    if (primary && primary != first) {
        Device *dev = g_ptr_array_steal_index(d->devices, primary_at);
        g_ptr_array_insert(d->devices, (int)first_at, dev);
    }
    return true;
}

/* ---- the stage ---- */

static bool driver_device_defaults(DomainDef *d, guint from, const ConfPolicy *policy, void *data,
                                   GError **err)
{
    if (!policy || !policy->device_defaults)
        return true;
    /* A callback may add devices at the end: they come through here as well. */
    for (guint i = from; i < d->devices->len; i++) {
        if (!policy->device_defaults(d, d->devices->pdata[i], data, err))
            return false;
    }
    return true;
}

bool domain_defaults(DomainDef *d, const ConfPolicy *policy, void *policy_data, GError **err)
{
    DiskDef *disk;

    default_arch(d, policy);
    join_console_and_serial(d);
    default_console_targets(d);
    default_boot(d);
    default_macs(d, policy);
    for (guint i = 0; (disk = domain_next(d, DEVICE_DISK, &i));) {
        if (!place_disk(d, disk, policy, err))
            return false;
    }
    place_luns(d, policy);
    if (!driver_device_defaults(d, 0, policy, policy_data, err))
        return false;

    guint before = d->devices->len;
    if (!imply_controllers(d, err))
        return false;
    if (policy && domain_count(d, DEVICE_GRAPHICS) && !domain_count(d, DEVICE_VIDEO)) {
        VideoDef *v = domain_add(d, DEVICE_VIDEO);
        v->heads = (OptU32){ 1, 1 };
    }
    if (policy && policy->domain_defaults && !policy->domain_defaults(d, policy_data, err))
        return false;
    if (!driver_device_defaults(d, before, policy, policy_data, err))
        return false;
    default_macs(d, policy);
    default_video_memory(d);
    if (!default_primary_video(d, err))
        return false;
    return !policy || !policy->domain_assign || policy->domain_assign(d, policy_data, err);
}
