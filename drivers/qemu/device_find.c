/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding a device by a client's description (device_find.h). A kind has a key when users know its devices
 * by one; for the others the description is a pattern. An interface may be known by its MAC address, its
 * place or its alias, and is refused when more than one fits: taking out the wrong one cuts a guest off.
 * Messages are those of today's daemons, whose tools read them. Pure; any thread.
 */
#include "drivers/qemu/device_find.h"

#include <string.h>

#include "util/error.h"

const char *device_kind_word(DeviceKind kind)
{
    switch (kind) {
    case DEVICE_SERIAL:
    case DEVICE_PARALLEL:
    case DEVICE_CONSOLE:
    case DEVICE_CHANNEL:
        return "chr";
    default:
        return device_kind_element(kind);
    }
}

/* ---- what fits --------------------------------------------------------------------------------- */

bool device_same_hostdev(const HostdevDef *a, const HostdevDef *b)
{
    if (a->mode != b->mode || a->type != b->type)
        return false;
    switch (a->type) {
    case HOSTDEV_PCI:
        return a->pci.domain == b->pci.domain && a->pci.bus == b->pci.bus &&
               a->pci.slot == b->pci.slot && a->pci.function == b->pci.function;
    case HOSTDEV_USB:
        if (a->usb_device.set &&
            (a->usb_bus.v != b->usb_bus.v || a->usb_device.v != b->usb_device.v))
            return false;
        return !a->vendor.set || (a->vendor.v == b->vendor.v && a->product.v == b->product.v);
    case HOSTDEV_SCSI:
        if (a->iscsi || b->iscsi)
            return a->iscsi && b->iscsi && g_strcmp0(a->iscsi->name, b->iscsi->name) == 0;
        return g_strcmp0(a->scsi_adapter, b->scsi_adapter) == 0 && a->scsi.bus == b->scsi.bus &&
               a->scsi.target == b->scsi.target && a->scsi.unit == b->scsi.unit;
    case HOSTDEV_SCSI_HOST:
        return g_strcmp0(a->wwpn, b->wwpn) == 0;
    case HOSTDEV_MDEV:
        return uuid_equal(a->mdev.v, b->mdev.v);
    default:
        return g_strcmp0(a->caps_path, b->caps_path) == 0;
    }
}

static bool user_alias(const char *alias)
{
    return alias && g_str_has_prefix(alias, "ua-");
}

/* An interface: what is given of address, place and name must be the same. A name that only a run gave
 * does not tell in a definition, where there are none. */
static bool net_fits(const NetDef *like, const NetDef *have)
{
    const DeviceInfo *a = &like->dev.info, *b = &have->dev.info;

    if (like->mac.set && memcmp(like->mac.b, have->mac.b, sizeof(like->mac.b)) != 0)
        return false;
    if (a->alias && (b->alias || user_alias(a->alias)) && g_strcmp0(a->alias, b->alias) != 0)
        return false;
    if (a->address.type == ADDRESS_PCI && a->address.u.pci.given) {
        const PciAddress *x = &a->address.u.pci, *y = &b->address.u.pci;
        return b->address.type == ADDRESS_PCI && x->domain == y->domain && x->bus == y->bus &&
               x->slot == y->slot && x->function == y->function;
    }
    if (a->address.type == ADDRESS_CCW && a->address.u.ccw.devno.set)
        return b->address.type == ADDRESS_CCW &&
               memcmp(&a->address.u.ccw, &b->address.u.ccw, sizeof(CcwAddress)) == 0;
    return true;
}

static bool fits(const Device *like, const Device *have)
{
    if (like->kind != have->kind)
        return false;
    switch (like->kind) {
    case DEVICE_DISK:
        return g_strcmp0(((const DiskDef *)like)->dst, ((const DiskDef *)have)->dst) == 0;
    case DEVICE_INTERFACE:
        return net_fits((const NetDef *)like, (const NetDef *)have);
    case DEVICE_CONTROLLER: {
        const ControllerDef *a = (const ControllerDef *)like, *b = (const ControllerDef *)have;
        return a->type == b->type && a->index.v == b->index.v;
    }
    case DEVICE_LEASE: {
        const LeaseDef *a = (const LeaseDef *)like, *b = (const LeaseDef *)have;
        return g_strcmp0(a->key, b->key) == 0 && g_strcmp0(a->lockspace, b->lockspace) == 0;
    }
    case DEVICE_FILESYSTEM:
        return g_strcmp0(((const FsDef *)like)->dst, ((const FsDef *)have)->dst) == 0;
    case DEVICE_HOSTDEV:
        return device_same_hostdev((const HostdevDef *)like, (const HostdevDef *)have);
    case DEVICE_GRAPHICS:
        return ((const GraphicsDef *)like)->type == ((const GraphicsDef *)have)->type;
    default:
        break;
    }
    if (have->kind == DEVICE_CONSOLE && ((const ChrDef *)have)->is_serial_alias)
        return false; /* it comes and goes with its serial port */
    /* A name of a run says nothing about a definition. */
    if (!like->info.alias || user_alias(like->info.alias) || have->info.alias)
        return device_says(like, have);
    g_autoptr(Device) nameless = device_copy(like);
    g_clear_pointer(&nameless->info.alias, g_free);
    return device_says(nameless, have);
}

/* ---- what is said when nothing fits ------------------------------------------------------------ */

static void net_not_found(const NetDef *n, GError **err)
{
    const DeviceInfo *i = &n->dev.info;
    char mac[18] = "(<null>)", place[32] = "(<null>)";

    if (n->mac.set)
        mac_format(&n->mac, mac);
    if (i->address.type == ADDRESS_PCI && i->address.u.pci.given)
        g_snprintf(place, sizeof(place), "%04x:%02x:%02x.%x", i->address.u.pci.domain,
                   i->address.u.pci.bus, i->address.u.pci.slot, i->address.u.pci.function);
    error_set(err, VIR_ERR_DEVICE_MISSING,
              "no device found at address '%s' matching MAC address '%s' and alias '%s'", place,
              mac, i->alias ? i->alias : "(<null>)");
}

static void hostdev_not_found(const HostdevDef *h, GError **err)
{
    switch (h->type) {
    case HOSTDEV_PCI:
        error_set(err, VIR_ERR_DEVICE_MISSING, "host pci device %04x:%02x:%02x.%x not found",
                  h->pci.domain, h->pci.bus, h->pci.slot, h->pci.function);
        return;
    case HOSTDEV_USB:
        if (h->usb_device.set)
            error_set(err, VIR_ERR_DEVICE_MISSING, "host usb device %03u.%03u not found",
                      h->usb_bus.v, h->usb_device.v);
        else
            error_set(err, VIR_ERR_DEVICE_MISSING,
                      "host usb device vendor=0x%.4x product=0x%.4x not found", h->vendor.v,
                      h->product.v);
        return;
    case HOSTDEV_SCSI:
        error_set(err, VIR_ERR_DEVICE_MISSING, "host scsi device %s:%u:%u.%u not found",
                  h->scsi_adapter ? h->scsi_adapter : "iscsi", h->scsi.bus, h->scsi.target,
                  h->scsi.unit);
        return;
    case HOSTDEV_MDEV: {
        char uuid[37];
        uuid_format(h->mdev.v, uuid);
        error_set(err, VIR_ERR_DEVICE_MISSING, "mediated device '%s' not found", uuid);
        return;
    }
    case HOSTDEV_SCSI_HOST:
        error_set(err, VIR_ERR_DEVICE_MISSING, "host scsi_host device '%s' not found", h->wwpn);
        return;
    default:
        error_set(err, VIR_ERR_DEVICE_MISSING, "host device not found");
    }
}

static void not_found_live(const Device *like, GError **err)
{
    switch (like->kind) {
    case DEVICE_DISK:
        error_set(err, VIR_ERR_DEVICE_MISSING, "disk %s not found", ((const DiskDef *)like)->dst);
        return;
    case DEVICE_CONTROLLER: {
        const ControllerDef *c = (const ControllerDef *)like;
        error_set(err, VIR_ERR_DEVICE_MISSING, "controller %s:%u not found",
                  enum_name(&controller_type_names, c->type), c->index.v);
        return;
    }
    case DEVICE_HOSTDEV:
        hostdev_not_found((const HostdevDef *)like, err);
        return;
    case DEVICE_RNG:
        error_set(err, VIR_ERR_DEVICE_MISSING,
                  "model '%s' RNG device not present in domain configuration",
                  enum_name(&rng_backend_names, ((const RngDef *)like)->backend));
        return;
    case DEVICE_MEMORY:
        error_set(err, VIR_ERR_DEVICE_MISSING,
                  "model '%s' memory device not present in the domain configuration",
                  enum_name(&memory_model_names, ((const MemoryDef *)like)->model));
        return;
    case DEVICE_SHMEM:
        error_set(err, VIR_ERR_DEVICE_MISSING,
                  "model '%s' shmem device not present in domain configuration",
                  enum_name(&shmem_model_names, ((const ShmemDef *)like)->model));
        return;
    case DEVICE_SERIAL:
    case DEVICE_PARALLEL:
    case DEVICE_CONSOLE:
    case DEVICE_CHANNEL:
        error_set(err, VIR_ERR_DEVICE_MISSING,
                  "chr type '%s' device not present in domain configuration",
                  device_kind_element(like->kind));
        return;
    case DEVICE_GRAPHICS:
        error_set(err, VIR_ERR_DEVICE_MISSING,
                  "cannot find existing graphics device to modify of type '%s'",
                  enum_name(&graphics_type_names, ((const GraphicsDef *)like)->type));
        return;
    case DEVICE_WATCHDOG:
        error_set(err, VIR_ERR_DEVICE_MISSING,
                  "watchdog device not present in domain configuration");
        return;
    case DEVICE_FILESYSTEM:
        error_set(err, VIR_ERR_DEVICE_MISSING, "matching filesystem not found");
        return;
    case DEVICE_REDIRDEV:
        error_set(err, VIR_ERR_OPERATION_INVALID, "no matching redirdev was not found");
        return;
    default:
        error_set(err, VIR_ERR_DEVICE_MISSING, "matching %s device not found",
                  device_kind_element(like->kind));
    }
}

static void not_found_config(const Device *like, GError **err)
{
    switch (like->kind) {
    case DEVICE_DISK:
        error_set(err, VIR_ERR_DEVICE_MISSING, "no target device %s", ((const DiskDef *)like)->dst);
        return;
    case DEVICE_SERIAL:
    case DEVICE_PARALLEL:
    case DEVICE_CONSOLE:
    case DEVICE_CHANNEL:
        error_set(err, VIR_ERR_INVALID_ARG, "device not present in domain configuration");
        return;
    case DEVICE_GRAPHICS:
        error_set(err, VIR_ERR_INVALID_ARG,
                  "cannot find existing graphics type '%s' device to modify",
                  enum_name(&graphics_type_names, ((const GraphicsDef *)like)->type));
        return;
    case DEVICE_RNG:
        error_set(err, VIR_ERR_DEVICE_MISSING, "no matching RNG device was found");
        return;
    case DEVICE_MEMORY:
    case DEVICE_SHMEM:
        error_set(err, VIR_ERR_DEVICE_MISSING, "matching %s device was not found",
                  device_kind_element(like->kind));
        return;
    case DEVICE_FILESYSTEM:
        error_set(err, VIR_ERR_DEVICE_MISSING, "no matching filesystem device was found");
        return;
    case DEVICE_REDIRDEV:
        error_set(err, VIR_ERR_DEVICE_MISSING, "no matching redirdev was not found");
        return;
    case DEVICE_WATCHDOG:
        error_set(err, VIR_ERR_DEVICE_MISSING, "domain has no watchdog");
        return;
    case DEVICE_INPUT:
        error_set(err, VIR_ERR_DEVICE_MISSING, "matching input device not found");
        return;
    case DEVICE_VSOCK:
        error_set(err, VIR_ERR_OPERATION_FAILED, "matching vsock device not found");
        return;
    default:
        error_set(err, VIR_ERR_DEVICE_MISSING, "device not present in domain configuration");
    }
}

static void not_found(const Device *like, bool live, GError **err)
{
    if (like->kind == DEVICE_INTERFACE) {
        net_not_found((const NetDef *)like, err);
    } else if (like->kind == DEVICE_LEASE) {
        const LeaseDef *l = (const LeaseDef *)like;
        error_set(err, live ? VIR_ERR_INVALID_ARG : VIR_ERR_DEVICE_MISSING,
                  "Lease %s in lockspace %s does not exist", l->key,
                  l->lockspace ? l->lockspace : "(null)");
    } else if (live) {
        not_found_live(like, err);
    } else {
        not_found_config(like, err);
    }
}

Device *device_find_if_any(const DomainDef *d, const Device *like)
{
    for (unsigned i = 0; i < list_len(d->devices); i++) {
        Device *have = list_at(d->devices, i);
        if (fits(like, have))
            return have;
    }
    return NULL;
}

static bool only_net(const DomainDef *d, const NetDef *like, const Device *first, GError **err)
{
    for (unsigned i = 0; i < list_len(d->devices); i++) {
        const Device *have = list_at(d->devices, i);
        char mac[18];
        if (have == first || !fits(&like->dev, have))
            continue;
        if (!like->mac.set) {
            error_set(err, VIR_ERR_OPERATION_FAILED, "multiple matching devices found");
            return false;
        }
        mac_format(&like->mac, mac);
        error_set(err, VIR_ERR_OPERATION_FAILED, "multiple devices matching MAC address %s found",
                  mac);
        return false;
    }
    return true;
}

Device *device_find(const DomainDef *d, const Device *like, bool live, GError **err)
{
    Device *found = device_find_if_any(d, like);

    if (!found)
        not_found(like, live, err);
    else if (like->kind == DEVICE_INTERFACE && !only_net(d, (const NetDef *)like, found, err))
        return NULL;
    return found;
}

MemoryDef *device_find_memory(const DomainDef *d, const MemoryDef *like)
{
    g_autoptr(Device) pattern = device_copy(&like->dev);
    MemoryDef *m = (MemoryDef *)pattern;

    m->requested = m->current = (OptU64){ 0 };
    return (MemoryDef *)device_find_if_any(d, pattern);
}
