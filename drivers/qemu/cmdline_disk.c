/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks: the guest's side of each (-device), after its block nodes. Which device it is follows from
 * bus and kind; what it may have besides is one list for all.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/qemu/cmdline-internal.h"
#include "drivers/qemu/configure.h"

static VirtioModel virtio_model(DiskModel m)
{
    return m == DISK_MODEL_VIRTIO_TRANSITIONAL ? VIRTIO_MODEL_TRANSITIONAL
           : m == DISK_MODEL_VIRTIO_NON_TRANSITIONAL ? VIRTIO_MODEL_NON_TRANSITIONAL : VIRTIO_MODEL_DEFAULT;
}

/* The part before the drive: driver, and where it is plugged in. */
static JsonObject *virtio_disk(Cmd *c, const DiskDef *disk, GError **err)
{
    bool vhost = disk->src.type == STORAGE_VHOSTUSER;
    g_autoptr(JsonObject) o = cmd_virtio(c, vhost ? "vhost-user-blk" : "virtio-blk", &disk->dev.info,
                                         virtio_model(disk->model), &disk->virtio, err);
    if (!o)
        return NULL;
    g_autofree char *thread = disk->iothread ? g_strdup_printf("iothread%u", disk->iothread) : NULL;
    if (list_len(disk->iothreads)) {
        (void)qemu_refuse(err, "disk '%s': mapping of queues to iothreads is not supported", disk->dst);
        return NULL;
    }
    props_add(o, P_STR("iothread", thread), P_TRI("ioeventfd", disk->ioeventfd), P_TRI("event_idx", disk->event_idx));
    if (disk->device == DISK_DEVICE_LUN)
        props_add(o, P_BOOL("scsi", true));
    props_add(o, P_UINT_NZ("num-queues", disk->queues), P_UINT_NZ("queue-size", disk->queue_size));
    if (!cmd_address(c, &disk->dev.info, o, err))
        return NULL;
    return g_steal_pointer(&o);
}

static JsonObject *scsi_disk(Cmd *c, const DiskDef *disk, GError **err)
{
    const DriveAddress *a = &disk->dev.info.address.u.drive;
    const ControllerDef *ctl = domain_find_controller(c->def, CONTROLLER_SCSI, a->controller);
    if (!ctl) {
        (void)qemu_refuse(err, "disk '%s': there is no SCSI controller %u", disk->dst, a->controller);
        return NULL;
    }
    const char *driver = disk->device == DISK_DEVICE_CDROM ? "scsi-cd" : disk->device == DISK_DEVICE_LUN ? "scsi-block" : "scsi-hd";
    bool lsi = ctl->model == SCSI_LSILOGIC;
    g_autofree char *bus = g_strdup_printf("%s.%u", ctl->dev.info.alias, lsi ? a->bus : 0);
    JsonObject *o = props_new(P_STR("driver", driver), P_STR("bus", bus));
    if (lsi) {
        if (a->bus || a->target) {
            json_put_(o);
            (void)qemu_refuse(err, "disk '%s': bus and target must be 0 on an lsilogic controller", disk->dst);
            return NULL;
        }
        props_add(o, P_UINT("scsi-id", a->unit));
    } else {
        props_add(o, P_UINT("channel", a->bus), P_UINT("scsi-id", a->target), P_UINT("lun", a->unit));
    }
    if (disk->device != DISK_DEVICE_LUN) {
        g_autofree char *id = disk->serial ? g_strdup(disk->serial) : g_strdup_printf("drive-%s", disk->dev.info.alias);
        props_add(o, P_STR("device_id", id));
    }
    return o;
}

static JsonObject *ata_disk(Cmd *c, const DiskDef *disk, GError **err)
{
    const DriveAddress *a = &disk->dev.info.address.u.drive;
    bool sata = disk->bus == DISK_BUS_SATA;
    g_autofree char *name = cmd_bus(c, sata ? CONTROLLER_SATA : CONTROLLER_IDE, a->controller);
    if (!name) {
        (void)qemu_refuse(err, "disk '%s': there is no %s controller %u", disk->dst, sata ? "SATA" : "IDE", a->controller);
        return NULL;
    }
    if (disk->device == DISK_DEVICE_LUN) {
        (void)qemu_refuse(err, "disk '%s': device 'lun' is for virtio and SCSI", disk->dst);
        return NULL;
    }
    g_autofree char *bus = g_strdup_printf("%s.%u", name, sata ? a->unit : a->bus);
    JsonObject *o = props_new(P_STR("driver", disk->device == DISK_DEVICE_CDROM ? "ide-cd" : "ide-hd"), P_STR("bus", bus));
    if (!sata)
        props_add(o, P_UINT("unit", a->unit));
    return o;
}

static JsonObject *disk_base(Cmd *c, const DiskDef *disk, GError **err)
{
    switch (disk->bus) {
    case DISK_BUS_VIRTIO: return virtio_disk(c, disk, err);
    case DISK_BUS_SCSI: return scsi_disk(c, disk, err);
    case DISK_BUS_IDE: case DISK_BUS_SATA: return ata_disk(c, disk, err);
    case DISK_BUS_FDC:
        return props_new(P_STR("driver", "floppy"), P_UINT("unit", disk->dev.info.address.u.drive.unit));
    case DISK_BUS_USB: {
        g_autoptr(JsonObject) o = props_new(P_STR("driver", disk->model == DISK_MODEL_USB_BOT ? "usb-bot" : "usb-storage"));
        return cmd_address(c, &disk->dev.info, o, err) ? g_steal_pointer(&o) : NULL;
    }
    case DISK_BUS_NONE: case DISK_BUS_XEN: case DISK_BUS_UML: case DISK_BUS_SD: case DISK_BUS_NVME: case _DISK_BUS_N:
        break;
    }
    (void)qemu_refuse(err, "disk '%s': bus '%s' is not supported", disk->dst, enum_name(&disk_bus_names, disk->bus));
    return NULL;
}

static const char *write_cache(DiskCache cache)
{
    switch (cache) {
    case DISK_CACHE_NONE: case DISK_CACHE_WRITEBACK: case DISK_CACHE_UNSAFE: return "on";
    case DISK_CACHE_WRITETHROUGH: case DISK_CACHE_DIRECTSYNC: return "off";
    case DISK_CACHE_DEFAULT: case _DISK_CACHE_N: break;
    }
    return NULL;
}

static const char *error_word(DiskError e)
{
    return e == DISK_ERROR_DEFAULT ? NULL : e == DISK_ERROR_ENOSPACE ? "enospc" : enum_name(&disk_error_names, e);
}

JsonObject *cmd_disk_props(Cmd *c, const DiskDef *disk, GError **err)
{
    g_autoptr(JsonObject) o = disk_base(c, disk, err);
    if (!o)
        return NULL;
    bool vhost = disk->src.type == STORAGE_VHOSTUSER;
    g_autofree char *drive = NULL, *chardev = NULL;
    if (vhost)
        chardev = g_strdup_printf("chr-vu-%s", disk->dev.info.alias);
    else if (!cmd_source_is_empty(&disk->src))
        drive = tri_is_yes(disk->copy_on_read) ? g_strdup_printf("libvirt-CoR-%s", disk->dst)
                                               : g_strdup_printf("libvirt-%u-format", disk->src.index);
    /* The floppy controller, not the drive, has the boot index. */
    unsigned boot = disk->bus == DISK_BUS_FDC ? 0 : cmd_boot_index(c, &disk->dev);
    uint64_t wwn = disk->wwn ? g_ascii_strtoull(disk->wwn, NULL, 16) : 0;
    static const char *const trans[_GEOMETRY_TRANS_N] = { [GEOMETRY_NONE] = "none", [GEOMETRY_AUTO] = "auto", [GEOMETRY_LBA] = "lba" };
    bool usb = disk->bus == DISK_BUS_USB;
    props_add(o, P_YES("share-rw", disk->shareable), P_STR("drive", drive), P_STR("chardev", chardev),
              P_STR("id", disk->dev.info.alias), P_UINT_NZ("bootindex", boot), P_STR("loadparm", disk->dev.info.loadparm),
              P_UINT_NZ("logical_block_size", disk->logical_block_size),
              P_UINT_NZ("physical_block_size", disk->physical_block_size),
              P_UINT_NZ("discard_granularity", disk->discard_granularity), P_UINT_NZ("wwn", wwn),
              P_UINT_NZ("rotation_rate", disk->rotation_rate), P_STR("vendor", disk->vendor), P_STR("product", disk->product));
    if (usb && disk->model != DISK_MODEL_USB_BOT)
        props_add(o, P_BOOL("removable", tri_is_yes(disk->removable)));
    if (!vhost)
        props_add(o, P_STR("write-cache", write_cache(disk->cache)), P_UINT_NZ("cyls", disk->cylinders), P_UINT_NZ("heads", disk->heads),
                  P_UINT_NZ("secs", disk->sectors), P_STR("bios-chs-trans", disk->cylinders ? trans[disk->geometry_trans] : NULL),
                  P_STR("serial", disk->serial), P_STR("werror", error_word(disk->error_policy)),
                  P_STR("rerror", error_word(disk->rerror_policy ? disk->rerror_policy
                                             : disk->error_policy == DISK_ERROR_ENOSPACE ? DISK_ERROR_DEFAULT : disk->error_policy)));
    return g_steal_pointer(&o);
}

/* Boot indices of floppy drives belong to their controller, which on newer machines is a device of
 * its own and on older ones part of the chipset. */
static bool floppy_controller(Cmd *c, GError **err)
{
    unsigned boot[2] = { 0 };
    bool any = false;
    guint pos = 0;
    const DiskDef *disk;
    while ((disk = domain_next(c->def, DEVICE_DISK, &pos))) {
        if (disk->bus != DISK_BUS_FDC)
            continue;
        any = true;
        boot[disk->dev.info.address.u.drive.unit & 1] = cmd_boot_index(c, &disk->dev);
    }
    if (!any)
        return true;
    if (qemu_machine_needs_fdc(c->def)) {
        return cmd_device(c, NULL, props_new(P_STR("driver", "isa-fdc"), P_UINT_NZ("bootindexA", boot[0]),
                                             P_UINT_NZ("bootindexB", boot[1])), err);
    }
    for (unsigned i = 0; i < 2; i++) {
        if (boot[i])
            cmd_optf(c, "-global", "isa-fdc.bootindex%c=%u", 'A' + (int)i, boot[i]);
    }
    return true;
}

/* An SD card is wired to the board; the machine finds it by its interface type only. */
static bool add_sd(Cmd *c, const DiskDef *disk, unsigned index, GError **err)
{
    if ((disk->src.type != STORAGE_FILE && disk->src.type != STORAGE_BLOCK) || disk->src.encryption || disk->device != DISK_DEVICE_DISK ||
        disk->transient)
        return qemu_refuse(err, "disk '%s': bus 'sd' takes plain files and block devices only", disk->dst);
    GString *s = g_string_new("file=");
    props_escape(s, disk->src.path ? disk->src.path : "");
    g_string_append_printf(s, ",format=%s,if=sd,index=%u", enum_name(&storage_format_names, disk->src.format), index);
    if (disk->readonly)
        g_string_append(s, ",readonly=on");
    cmd_opt(c, "-drive", s->str);
    g_string_free(s, TRUE);
    return true;
}

bool cmd_disk(Cmd *c, const DiskDef *disk, GError **err)
{
    if (disk->transient && !cmd_source_is_empty(&disk->src))
        return qemu_refuse(err, "disk '%s': transient disks are not supported", disk->dst);
    if (disk->src.type == STORAGE_VHOSTUSER) {
        const Reconnect *r = &disk->src.vhost_reconnect;
        g_autofree char *id = g_strdup_printf("chr-vu-%s", disk->dev.info.alias);
        cmd_chardev_socket(c, id, disk->src.path, false, tri_is_yes(r->enabled) ? (int64_t)r->timeout.v : -1);
    } else if (!cmd_blockdev_chain(c, disk, err)) {
        return false;
    }
    return cmd_device(c, disk->dev.info.alias, cmd_disk_props(c, disk, err), err);
}

bool cmd_disks(Cmd *c, GError **err)
{
    unsigned sd = 0;
    guint pos = 0;
    const DiskDef *disk;
    if (!floppy_controller(c, err))
        return false;
    while ((disk = domain_next(c->def, DEVICE_DISK, &pos))) {
        if (disk->bus == DISK_BUS_SD) {
            if (!add_sd(c, disk, sd++, err))
                return false;
        } else if (!cmd_disk(c, disk, err)) {
            return false;
        }
    }
    return true;
}

/* ---- limits ------------------------------------------------------------------------------------------ */

JsonObject *qemu_throttle_args(const DiskDef *disk)
{
    const DiskIotune *t = &disk->iotune;
    /* The disk of virtio is the inner device. */
    g_autofree char *id = disk->bus == DISK_BUS_VIRTIO
                              ? g_strdup_printf("/machine/peripheral/%s/virtio-backend", disk->dev.info.alias)
                              : g_strdup(disk->dev.info.alias);
    g_autofree char *own = g_strdup_printf("drive-%s", disk->dev.info.alias);
    return props_new(
        P_STR("id", id), P_UINT("bps", t->total_bytes_sec), P_UINT("bps_rd", t->read_bytes_sec), P_UINT("bps_wr", t->write_bytes_sec),
        P_UINT("iops", t->total_iops_sec), P_UINT("iops_rd", t->read_iops_sec), P_UINT("iops_wr", t->write_iops_sec),
        P_UINT("bps_max", t->total_bytes_sec_max), P_UINT("bps_rd_max", t->read_bytes_sec_max), P_UINT("bps_wr_max", t->write_bytes_sec_max),
        P_UINT("iops_max", t->total_iops_sec_max), P_UINT("iops_rd_max", t->read_iops_sec_max), P_UINT("iops_wr_max", t->write_iops_sec_max),
        P_UINT("iops_size", t->size_iops_sec), P_STR("group", t->group_name ? t->group_name : own),
        P_UINT_NZ("bps_max_length", t->total_bytes_sec_max_length), P_UINT_NZ("bps_rd_max_length", t->read_bytes_sec_max_length),
        P_UINT_NZ("bps_wr_max_length", t->write_bytes_sec_max_length), P_UINT_NZ("iops_max_length", t->total_iops_sec_max_length),
        P_UINT_NZ("iops_rd_max_length", t->read_iops_sec_max_length), P_UINT_NZ("iops_wr_max_length", t->write_iops_sec_max_length));
}

bool qemu_disk_has_limits(const DiskDef *disk)
{
    const DiskIotune *t = &disk->iotune;
    return t->total_bytes_sec || t->read_bytes_sec || t->write_bytes_sec || t->total_iops_sec || t->read_iops_sec ||
           t->write_iops_sec || t->group_name;
}
