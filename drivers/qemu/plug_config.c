/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices of a definition (plug.h). A device is put among the others and the whole goes through the stages
 * of a new document: whatever would be refused there is refused here, and places that are still free are
 * found by the same code. What is looked at before are the mistakes that users make when they attach
 * something, in the words that they know. Workers.
 */
#include <string.h>

#include "drivers/common/domains.h"
#include "drivers/qemu/device_find.h"
#include "drivers/qemu/plug.h"
#include "util/error.h"

static bool possible(DeviceKind kind, unsigned what, const char *verb, GError **err)
{
    if (plug_kind(kind) & what)
        return true;
    error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "persistent %s of device '%s' is not supported",
              verb, device_kind_word(kind));
    return false;
}

/* ---- attach ------------------------------------------------------------------------------------ */

static bool refuse(GError **err, const char *what)
{
    error_set(err, VIR_ERR_OPERATION_INVALID, "%s", what);
    return false;
}

/* Of a guest's serial ports and consoles there may be several that look alike; a channel is known by what it
 * is called. */
static bool check_chr(const DomainDef *d, const ChrDef *chr, GError **err)
{
    if (chr->dev.kind == DEVICE_CHANNEL && device_find_if_any(d, &chr->dev))
        return refuse(err, "chardev already exists");
    return true;
}

static bool check_new(const DomainDef *d, const Device *dev, GError **err)
{
    const Device *same = device_find_if_any(d, dev);

    switch (dev->kind) {
    case DEVICE_DISK:
        if (same)
            error_set(err, VIR_ERR_OPERATION_INVALID, "target %s already exists",
                      ((const DiskDef *)dev)->dst);
        return !same;
    case DEVICE_CONTROLLER: {
        const ControllerDef *c = (const ControllerDef *)dev;
        if (same && c->index.set)
            error_set(err, VIR_ERR_OPERATION_INVALID, "controller index='%u' already exists",
                      c->index.v);
        return !same || !c->index.set;
    }
    case DEVICE_LEASE: {
        const LeaseDef *l = (const LeaseDef *)dev;
        if (same)
            error_set(err, VIR_ERR_OPERATION_INVALID, "Lease %s in lockspace %s already exists",
                      l->key, l->lockspace ? l->lockspace : "(null)");
        return !same;
    }
    case DEVICE_FILESYSTEM:
        return !same || refuse(err, "Target already exists");
    case DEVICE_HOSTDEV:
    case DEVICE_SHMEM:
        return !same || refuse(err, "device is already in the domain configuration");
    case DEVICE_SERIAL:
    case DEVICE_PARALLEL:
    case DEVICE_CONSOLE:
    case DEVICE_CHANNEL:
        return check_chr(d, (const ChrDef *)dev, err);
    case DEVICE_WATCHDOG:
        return !domain_count(d, DEVICE_WATCHDOG) || refuse(err, "domain already has a watchdog");
    case DEVICE_VSOCK:
        return !domain_count(d, DEVICE_VSOCK) || refuse(err, "domain already has a vsock device");
    case DEVICE_MEMORY:
        return plug_check_memory(d, (const MemoryDef *)dev, err);
    default:
        return true;
    }
}

static bool complete(DomainDef *d, GError **err)
{
    const DomainDriver *driver = domains_driver();

    return domain_complete(d, DOMAIN_PARSE_INACTIVE, driver->policy, driver->policy_data, err);
}

bool plug_config_attach(DomainDef *d, Device *take, GError **err)
{
    g_autoptr(Device) dev = take;

    if (!possible(dev->kind, PLUG_CONFIG_ATTACH, "attach", err) || !check_new(d, dev, err))
        return false;
    /* Once it is one of the guest's devices the stages find its controller and its place. */
    if (dev->kind == DEVICE_MEMORY)
        plug_count_memory(d, (const MemoryDef *)dev, true);
    domain_add_device(d, g_steal_pointer(&dev));
    return complete(d, err);
}

/* ---- detach ------------------------------------------------------------------------------------ */

static bool take_out(DomainDef *d, Device *dev, GError **err)
{
    DeviceKind kind = dev->kind;
    guint at = 0, pos = 0;
    const ChrDef *console = domain_next(d, DEVICE_CONSOLE, &pos);

    if (kind == DEVICE_MEMORY)
        plug_count_memory(d, (const MemoryDef *)dev, false);
    /* The console that is the first serial port goes with it, and comes back with the next one. */
    pos = 0;
    if (kind == DEVICE_SERIAL && console && console->is_serial_alias &&
        domain_next(d, DEVICE_SERIAL, &pos) == dev && g_ptr_array_find(d->devices, console, &at)) {
        device_free(g_ptr_array_steal_index(d->devices, at));
        console = NULL;
    }
    if (g_ptr_array_find(d->devices, dev, &at))
        device_free(g_ptr_array_steal_index(d->devices, at));
    return kind != DEVICE_SERIAL || complete(d, err);
}

bool plug_config_detach(DomainDef *d, const Device *like, GError **err)
{
    if (!possible(like->kind, PLUG_CONFIG_ATTACH, "detach", err))
        return false;
    Device *dev = device_find(d, like, false, err);
    return dev && take_out(d, dev, err);
}

bool plug_config_detach_alias(DomainDef *d, const char *alias, GError **err)
{
    Device *dev = domain_find_alias(d, alias);

    if (!dev) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "no device found with alias %s", alias);
        return false;
    }
    return possible(dev->kind, PLUG_CONFIG_ATTACH, "detach", err) && take_out(d, dev, err);
}

/* ---- update ------------------------------------------------------------------------------------ */

/* Where a device is plugged in does not change because a document leaves it open. */
static void keep_place(const Device *old, Device *new)
{
    if (new->info.address.type == ADDRESS_NONE && old->info.address.type != ADDRESS_NONE) {
        g_autoptr(Device) copy = device_copy(old);
        DeviceAddress none = { 0 };
        new->info.address = copy->info.address;
        copy->info.address = none; /* what it points to is the new one's */
    }
    if (!new->info.alias)
        new->info.alias = g_strdup(old->info.alias);
}

static bool same_bus(const Device *old, const Device *new)
{
    const DiskDef *a = (const DiskDef *)old, *b = (const DiskDef *)new;

    return old->kind != DEVICE_DISK || b->bus == DISK_BUS_NONE || a->bus == b->bus;
}

bool plug_config_update(DomainDef *d, Device *take, GError **err)
{
    g_autoptr(Device) dev = take;
    guint at = 0;

    if (!possible(dev->kind, PLUG_CONFIG_UPDATE, "update", err))
        return false;
    Device *old = dev->kind == DEVICE_MEMORY
                      ? (Device *)device_find_memory(d, (const MemoryDef *)dev)
                      : device_find_if_any(d, dev);
    if (!old && dev->kind == DEVICE_DISK) {
        error_set(err, VIR_ERR_INVALID_ARG, "target %s doesn't exist.",
                  ((const DiskDef *)dev)->dst);
        return false;
    }
    if (!old && dev->kind == DEVICE_MEMORY) {
        error_set(err, VIR_ERR_INVALID_ARG, "memory not found");
        return false;
    }
    if ((!old || dev->kind == DEVICE_INTERFACE) && !(old = device_find(d, dev, false, err)))
        return false;
    if (same_bus(old, dev))
        keep_place(old, dev);
    if (dev->kind == DEVICE_MEMORY) {
        plug_count_memory(d, (const MemoryDef *)old, false);
        plug_count_memory(d, (const MemoryDef *)dev, true);
    }
    if (g_ptr_array_find(d->devices, old, &at)) {
        device_free(old);
        d->devices->pdata[at] = g_steal_pointer(&dev);
    }
    return complete(d, err);
}
