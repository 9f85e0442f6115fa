/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host devices, redirected USB devices, host directories. */
#include <stdio.h>
#include <string.h>

#include "drivers/qemu/cmdline-internal.h"

static bool finish(Cmd *c, const Device *dev, JsonObject *o, bool rom, GError **err)
{
    if (!o)
        return false;
    if (!cmd_address(c, &dev->info, o, err)) {
        json_put_(o);
        return false;
    }
    if (rom)
        cmd_rom(&dev->info, o);
    return cmd_device(c, dev->info.alias, o, err);
}

static bool add_usb(Cmd *c, const HostdevDef *h, GError **err)
{
    const char *id = h->dev.info.alias;
    if (h->missing) {
        return finish(c, &h->dev, props_new(P_STR("driver", "usb-host"), P_STR("id", id)), false, err);
    }
    if (!h->usb_bus.set || !h->usb_device.set)
        return qemu_refuse(err, "hostdev '%s': the USB device has not been looked up on this host", id);
    g_autofree char *node = g_strdup_printf("/dev/bus/usb/%03u/%03u", h->usb_bus.v, h->usb_device.v);
    JsonObject *o = props_new(P_STR("driver", "usb-host"), P_STR("hostdevice", node), P_STR("id", id));
    switch (h->guest_reset) {
    case GUEST_RESET_OFF: props_add(o, P_BOOL("guest-reset", false)); break;
    case GUEST_RESET_UNINITIALIZED: props_add(o, P_BOOL("guest-reset", true), P_BOOL("guest-resets-all", false)); break;
    case GUEST_RESET_ON: props_add(o, P_BOOL("guest-reset", true), P_BOOL("guest-resets-all", true)); break;
    case GUEST_RESET_DEFAULT: case _GUEST_RESET_N: break;
    }
    props_add(o, P_UINT_NZ("bootindex", cmd_boot_index(c, &h->dev)));
    return finish(c, &h->dev, o, false, err);
}

static bool add_pci(Cmd *c, const HostdevDef *h, GError **err)
{
    const PciAddress *a = &h->pci;
    g_autofree char *host = g_strdup_printf("%04x:%02x:%02x.%x", a->domain, a->bus, a->slot, a->function);
    if (h->dev.info.address.type == ADDRESS_UNASSIGNED)
        return true; /* bound on the host for the guest's sake, and not shown to it */
    JsonObject *o = props_new(P_STR("driver", "vfio-pci"), P_STR("host", host), P_STR("id", h->dev.info.alias),
                              P_UINT_NZ("bootindex", cmd_boot_index(c, &h->dev)), P_STR("failover_pair_id", h->teaming_persistent));
    return finish(c, &h->dev, o, true, err);
}

static bool add_mdev(Cmd *c, const HostdevDef *h, GError **err)
{
    char uuid[37];
    uuid_format(h->mdev.v, uuid);
    g_autofree char *path = g_strdup_printf("/sys/bus/mdev/devices/%s", uuid);
    bool ramfb = tri_is_yes(h->ramfb);
    const char *driver = h->model == HOSTDEV_MODEL_VFIO_CCW ? "vfio-ccw" : h->model == HOSTDEV_MODEL_VFIO_AP ? "vfio-ap"
                         : ramfb ? "vfio-pci-nohotplug" : "vfio-pci";
    JsonObject *o = props_new(P_STR("driver", driver), P_STR("id", h->dev.info.alias), P_STR("sysfsdev", path),
                              P_STR("display", onoff(h->display)), P_YES("ramfb", ramfb),
                              P_UINT_NZ("bootindex", cmd_boot_index(c, &h->dev)));
    return finish(c, &h->dev, o, false, err);
}

/* Nodes of SCSI host devices are numbered after those of the disks, in document order. */
static unsigned cmd_hostdev_node(const Cmd *c, const HostdevDef *h)
{
    unsigned node = 0;
    guint pos = 0;
    const DiskDef *disk;
    const HostdevDef *o;
    while ((disk = domain_next(c->def, DEVICE_DISK, &pos))) {
        for (const StorageSource *s = &disk->src; s; s = s->backing)
            node = MAX(node, s->index);
    }
    pos = 0;
    while ((o = domain_next(c->def, DEVICE_HOSTDEV, &pos))) {
        if (o->mode == HOSTDEV_SUBSYS && o->type == HOSTDEV_SCSI)
            node++;
        if (o == h)
            break;
    }
    return node;
}

static bool add_scsi(Cmd *c, const HostdevDef *h, GError **err)
{
    const DriveAddress *a = &h->dev.info.address.u.drive;
    const ControllerDef *ctl = domain_find_controller(c->def, CONTROLLER_SCSI, a->controller);
    const char *id = h->dev.info.alias;
    if (!ctl)
        return qemu_refuse(err, "hostdev '%s': there is no SCSI controller %u", id, a->controller);
    g_autofree char *path = NULL;
    StorageSource local = { .type = STORAGE_BLOCK };
    if (!h->iscsi) {
        if (!c->ctx->scsi_device)
            return qemu_refuse(err, "hostdev '%s': SCSI host devices cannot be looked up here", id);
        if (!(path = c->ctx->scsi_device(c->ctx->opaque, h, err)))
            return false;
        local.path = path;
    }
    g_autofree char *node = g_strdup_printf("libvirt-%u-backend", cmd_hostdev_node(c, h));
    JsonObject *back = cmd_storage_props(c, h->iscsi ? h->iscsi : &local, NULL, node, err);
    if (!back)
        return false;
    props_add(back, P_STR("node-name", node), P_BOOL("read-only", h->readonly));
    cmd_json(c, "-blockdev", back);
    g_autofree char *bus = g_strdup_printf("%s.0", ctl->dev.info.alias);
    JsonObject *o = props_new(P_STR("driver", "scsi-generic"), P_STR("drive", node), P_STR("id", id), P_STR("bus", bus));
    if (ctl->model == SCSI_LSILOGIC)
        props_add(o, P_UINT("scsi-id", a->unit));
    else
        props_add(o, P_UINT("channel", a->bus), P_UINT("scsi-id", a->target), P_UINT("lun", a->unit));
    props_add(o, P_UINT_NZ("bootindex", cmd_boot_index(c, &h->dev)));
    return cmd_device(c, id, o, err);
}

static bool add_scsi_host(Cmd *c, const HostdevDef *h, GError **err)
{
    g_autofree char *fd = cmd_fd_word(c, QEMU_FD_VHOST_SCSI, &h->dev, 0, err);
    if (!fd)
        return false;
    VirtioModel model = h->model == HOSTDEV_MODEL_VIRTIO_TRANSITIONAL ? VIRTIO_MODEL_TRANSITIONAL
                        : h->model == HOSTDEV_MODEL_VIRTIO_NON_TRANSITIONAL ? VIRTIO_MODEL_NON_TRANSITIONAL : VIRTIO_MODEL_DEFAULT;
    static const VirtioOptions none;
    JsonObject *o = cmd_virtio(c, "vhost-scsi", &h->dev.info, model, &none, err);
    if (!o)
        return false;
    props_add(o, P_STR("wwpn", h->wwpn), P_STR("vhostfd", fd), P_STR("id", h->dev.info.alias));
    return finish(c, &h->dev, o, false, err);
}

bool cmd_hostdev(Cmd *c, const HostdevDef *h, GError **err)
{
    if (h->mode != HOSTDEV_SUBSYS)
        return qemu_refuse(err, "hostdev '%s': mode 'capabilities' is for containers", h->dev.info.alias);
    switch (h->type) {
    case HOSTDEV_USB: return add_usb(c, h, err);
    case HOSTDEV_PCI: return add_pci(c, h, err);
    case HOSTDEV_MDEV: return add_mdev(c, h, err);
    case HOSTDEV_SCSI: return add_scsi(c, h, err);
    case HOSTDEV_SCSI_HOST: return add_scsi_host(c, h, err);
    default: return qemu_refuse(err, "hostdev '%s': type is not supported", h->dev.info.alias);
    }
}

/* An interface that is a host device: the guest sees the card itself. */
bool cmd_net_hostdev(Cmd *c, const NetDef *n, GError **err)
{
    if (g_strcmp0(n->src.hostdev_type, "usb") == 0)
        return qemu_refuse(err, "interface '%s': USB network cards are not supported", n->dev.info.alias);
    const PciAddress *a = &n->src.pci;
    g_autofree char *host = g_strdup_printf("%04x:%02x:%02x.%x", a->domain, a->bus, a->slot, a->function);
    JsonObject *o = props_new(P_STR("driver", "vfio-pci"), P_STR("host", host), P_STR("id", n->dev.info.alias),
                              P_UINT_NZ("bootindex", cmd_boot_index(c, &n->dev)), P_STR("failover_pair_id", n->teaming_persistent));
    return finish(c, &n->dev, o, true, err);
}

bool cmd_hostdevs(Cmd *c, GError **err)
{
    guint pos = 0;
    const HostdevDef *h;
    const NetDef *n;
    while ((n = domain_next(c->def, DEVICE_INTERFACE, &pos))) {
        if (n->type == NET_HOSTDEV && !cmd_net_hostdev(c, n, err))
            return false;
    }
    pos = 0;
    while ((h = domain_next(c->def, DEVICE_HOSTDEV, &pos))) {
        if (!cmd_hostdev(c, h, err))
            return false;
    }
    return true;
}

/* "0x03:0x1234:0x5678:0x0110:1|…" */
static char *usb_filter(const Cmd *c)
{
    guint pos = 0;
    const RedirfilterDef *f = domain_next(c->def, DEVICE_REDIRFILTER, &pos);
    if (!f || list_len(f->rules) == 0)
        return NULL;
    GString *s = g_string_new(NULL);
    for (unsigned i = 0; i < list_len(f->rules); i++) {
        const RedirRule *r = list_at(f->rules, i);
        const OptU32 nums[] = { r->class_, r->vendor, r->product };
        if (i)
            g_string_append_c(s, '|');
        for (unsigned k = 0; k < 3; k++) {
            if (nums[k].set)
                g_string_append_printf(s, k == 0 ? "0x%02X:" : "0x%04X:", nums[k].v);
            else
                g_string_append(s, "-1:");
        }
        unsigned major = 0, minor = 0;
        if (r->version && sscanf(r->version, "%2u.%2u", &major, &minor) == 2) {
            /* "1.1" is release 1.10: the number is BCD with two digits after the point. */
            const char *dot = strchr(r->version, '.');
            if (strlen(dot + 1) == 1)
                minor *= 10;
            unsigned bcd = (major / 10) << 12 | (major % 10) << 8 | (minor / 10) << 4 | minor % 10;
            g_string_append_printf(s, "0x%04X:", bcd);
        } else {
            g_string_append(s, "-1:");
        }
        g_string_append_printf(s, "%d", tri_is_yes(r->allow));
    }
    return g_string_free(s, FALSE);
}

bool cmd_redirdev(Cmd *c, const RedirdevDef *r, GError **err)
{
    const char *id = r->dev.info.alias;
    g_autofree char *chardev = g_strdup_printf("char%s", id), *filter = usb_filter(c);
    if (!cmd_chardev(c, &r->src, chardev, &r->dev, err))
        return false;
    return finish(c, &r->dev, props_new(P_STR("driver", "usb-redir"), P_STR("chardev", chardev), P_STR("id", id), P_STR("filter", filter),
                                        P_UINT_NZ("bootindex", cmd_boot_index(c, &r->dev))), false, err);
}

bool cmd_redirdevs(Cmd *c, GError **err)
{
    guint pos = 0;
    const RedirdevDef *r;
    while ((r = domain_next(c->def, DEVICE_REDIRDEV, &pos))) {
        if (!cmd_redirdev(c, r, err))
            return false;
    }
    return true;
}

/* ---- host directories ------------------------------------------------------------------------------- */

static bool add_9p(Cmd *c, const FsDef *f, GError **err)
{
    const char *id = f->dev.info.alias;
    GString *s = g_string_new(NULL);
    if (f->driver == FS_DRIVER_HANDLE) {
        g_string_append(s, "handle");
    } else {
        g_string_append(s, "local");
        static const char *const security[_FS_ACCESS_N] = { "passthrough", "passthrough", "mapped", "none" };
        g_string_append_printf(s, ",security_model=%s", security[f->access]);
    }
    if (f->multidevs != FS_MULTIDEVS_DEFAULT)
        g_string_append_printf(s, ",multidevs=%s", enum_name(&fs_multidevs_names, f->multidevs));
    if (f->wrpolicy == FS_WRPOLICY_IMMEDIATE)
        g_string_append(s, ",writeout=immediate");
    if (f->fmode.set && f->fmode.v)
        g_string_append_printf(s, ",fmode=%04o", f->fmode.v);
    if (f->dmode.set && f->dmode.v)
        g_string_append_printf(s, ",dmode=%04o", f->dmode.v);
    g_string_append_printf(s, ",id=fsdev-%s,path=", id);
    props_escape(s, f->src ? f->src : "");
    if (f->readonly)
        g_string_append(s, ",readonly");
    cmd_opt(c, "-fsdev", s->str);
    g_string_free(s, TRUE);

    g_autofree char *fsdev = g_strdup_printf("fsdev-%s", id);
    JsonObject *o = cmd_virtio(c, "virtio-9p", &f->dev.info, f->model, &f->virtio, err);
    if (!o)
        return false;
    props_add(o, P_STR("id", id), P_STR("fsdev", fsdev), P_STR("mount_tag", f->dst));
    return finish(c, &f->dev, o, false, err);
}

static bool add_virtiofs(Cmd *c, const FsDef *f, GError **err)
{
    const char *id = f->dev.info.alias;
    g_autofree char *name = g_strdup_printf("%s-fs.sock", id), *own = g_build_filename(c->ctx->lib_dir, name, NULL);
    g_autofree char *chardev = g_strdup_printf("chr-vu-%s", id);
    cmd_chardev_socket(c, chardev, f->socket ? f->socket : own, false, -1);
    JsonObject *o = cmd_virtio(c, "vhost-user-fs", &f->dev.info, f->model, &f->virtio, err);
    if (!o)
        return false;
    props_add(o, P_STR("id", id), P_STR("chardev", chardev), P_UINT_NZ("queue-size", f->queue_size), P_STR("tag", f->dst),
              P_UINT_NZ("bootindex", cmd_boot_index(c, &f->dev)));
    return finish(c, &f->dev, o, false, err);
}

bool cmd_filesystem(Cmd *c, const FsDef *f, GError **err)
{
    if (f->type != FS_MOUNT)
        return qemu_refuse(err, "filesystem '%s': type '%s' is not supported", f->dst ? f->dst : f->dev.info.alias,
                          enum_name(&fs_type_names, f->type));
    return f->driver == FS_DRIVER_VIRTIOFS ? add_virtiofs(c, f, err) : add_9p(c, f, err);
}

bool cmd_filesystems(Cmd *c, GError **err)
{
    guint pos = 0;
    const FsDef *f;
    while ((f = domain_next(c->def, DEVICE_FILESYSTEM, &pos))) {
        if (!cmd_filesystem(c, f, err))
            return false;
    }
    return true;
}
