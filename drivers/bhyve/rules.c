/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the bhyve hypervisor adds to a document: one PCI bus whose slot 0 is the host bridge and whose
 * slot 1 belongs to the ISA bridge, SATA controllers of 32 ports, a framebuffer for VNC. The rules
 * alone, for "modvirt convert --driver bhyve": this module has no daemon.
 *
 * A file of capabilities has one word per line; "ahci32slot" is the only one: a SATA controller has 32
 * ports, otherwise one. Without a file it is assumed. Pure functions, any thread.
 */
#include <fcntl.h>
#include <string.h>

#include "conf/convert.h"
#include "conf/domain.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"

enum { HOST_BRIDGE_SLOT = 0, ISA_SLOT = 1, FIRST_SLOT = 2, SLOTS = 32 };

/* ---- defaults ---- */

/* The firmware's debug port and serial ports are behind it. */
static bool needs_isa(const DomainDef *d)
{
    return (d->os.loader && !d->os.bootloader) || domain_count(d, DEVICE_SERIAL) || domain_count(d, DEVICE_CONSOLE);
}

static bool add_buses(DomainDef *d, void *data, GError **err)
{
    (void)data, (void)err;
    domain_ensure_controller(d, CONTROLLER_PCI, 0)->model = PCI_ROOT;
    if (needs_isa(d))
        (void)domain_ensure_controller(d, CONTROLLER_ISA, 0);
    return true;
}

static bool device_defaults(DomainDef *d, Device *dev, void *data, GError **err)
{
    if (dev->kind == DEVICE_VIDEO && ((VideoDef *)dev)->type == VIDEO_DEFAULT)
        ((VideoDef *)dev)->type = VIDEO_GOP;
    return add_buses(d, data, err); /* they come before the controllers that disks imply */
}

/* ---- addresses ---- */

static bool wants_slot(const Device *dev)
{
    switch (dev->kind) {
    case DEVICE_CONTROLLER: {
        ControllerType t = ((const ControllerDef *)dev)->type;
        return t == CONTROLLER_SATA || t == CONTROLLER_USB || t == CONTROLLER_NVME || t == CONTROLLER_SCSI;
    }
    case DEVICE_DISK: return ((const DiskDef *)dev)->bus == DISK_BUS_VIRTIO;
    case DEVICE_INTERFACE: case DEVICE_VIDEO: case DEVICE_SOUND: case DEVICE_FILESYSTEM: return true;
    default: return false;
    }
}

static void set_slot(Device *dev, unsigned slot)
{
    dev->info.address = (DeviceAddress){ .type = ADDRESS_PCI, .u.pci = { .slot = slot, .given = 1 } };
}

static bool assign(DomainDef *d, void *data, GError **err)
{
    static const DeviceKind order[] = { DEVICE_CONTROLLER, DEVICE_INTERFACE, DEVICE_DISK, DEVICE_VIDEO, DEVICE_SOUND, DEVICE_FILESYSTEM };
    uint32_t taken = 1u << HOST_BRIDGE_SLOT | 1u << ISA_SLOT;
    unsigned next = FIRST_SLOT;

    (void)data;
    for (unsigned i = 0; i < d->devices->len; i++) {
        Device *dev = d->devices->pdata[i];
        const DeviceAddress *a = &dev->info.address;
        const ControllerDef *c = (const ControllerDef *)dev;
        if (dev->kind == DEVICE_CONTROLLER && c->type == CONTROLLER_ISA && a->type == ADDRESS_NONE)
            set_slot(dev, ISA_SLOT);
        else if (a->type == ADDRESS_PCI && a->u.pci.bus == 0 && a->u.pci.slot < SLOTS)
            taken |= 1u << a->u.pci.slot;
    }
    for (unsigned k = 0; k < G_N_ELEMENTS(order); k++) {
        Device *dev;
        for (guint i = 0; (dev = domain_next(d, order[k], &i));) {
            if (dev->info.address.type != ADDRESS_NONE || !wants_slot(dev))
                continue;
            while (next < SLOTS && (taken >> next & 1))
                next++;
            if (next == SLOTS) {
                error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "%s: no PCI slot is left", device_kind_element(dev->kind));
                return false;
            }
            taken |= 1u << next;
            set_slot(dev, next);
        }
    }
    return true;
}

static const ConfPolicy policy = {
    .name = "bhyve", .sata_ports = 32, .device_defaults = device_defaults,
    .domain_defaults = add_buses, .domain_assign = assign,
};

/* ---- for tools ---- */

static bool read_capabilities(const char *path, ConfPolicy *p, GError **err)
{
    g_autofree char *text = NULL;
    size_t len;

    if (!fd_read_file(AT_FDCWD, path, 4096, &text, &len, err))
        return false;
    g_auto(GStrv) words = g_strsplit_set(text, " \n", -1);
    if (!g_strv_contains((const char *const *)words, "ahci32slot"))
        p->sata_ports = 1;
    return true;
}

static char *convert(const ConvertRequest *r, GError **err)
{
    ConfPolicy p = policy;

    if (strcmp(r->to, "domain") != 0) {
        error_set(err, VIR_ERR_NO_SUPPORT, "the rules of bhyve do not convert to '%s'", r->to);
        return NULL;
    }
    if (r->capabilities && !read_capabilities(r->capabilities, &p, err))
        return NULL;
    g_autoptr(DomainDef) d = domain_parse(r->text, r->len, r->parse, &p, NULL, err);
    return d ? domain_format(d, r->format, NULL, err) : NULL;
}

const DriverConverter converter = { .convert = convert };
