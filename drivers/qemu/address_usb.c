/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * USB ports. A port is a path of numbers below a controller ("1.2"); a hub on a port opens eight
 * more below it. Devices take the first free port, nearest to the root first, controllers in
 * order of index. When there are fewer ports than devices, hubs are added.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/qemu/address-internal.h"
#include "drivers/qemu/machine.h"
#include "util/error.h"

enum { HUB_PORTS = 8, PATH_DEPTH_MAX = 4, USB_DEVICES_MAX = 512, USB_BUS_MAX = 255 };

typedef struct UsbSet {
    GHashTable *used;  /* "bus:path" */
    GPtrArray *levels[PATH_DEPTH_MAX]; /* of char *: "bus:path." prefixes of hubs, by depth */
} UsbSet;

static unsigned controller_ports(const ControllerDef *c)
{
    switch (c->model) {
    case CONTROLLER_MODEL_DEFAULT: case USB_PIIX3_UHCI: case USB_PIIX4_UHCI: case USB_VT82C686B_UHCI:
        return 2;
    case USB_EHCI: case USB_ICH9_EHCI1: return 6;
    case USB_ICH9_UHCI1: case USB_ICH9_UHCI2: case USB_ICH9_UHCI3:
        return c->dev.info.master_startport.set ? 0 : 2; /* companions lend theirs to the master */
    case USB_PCI_OHCI: return 3;
    case USB_NEC_XHCI: case USB_QEMU_XHCI: return c->ports.set ? MIN(c->ports.v, 15) : 4;
    case USB_QUSB1: case USB_QUSB2: return c->ports.set ? MIN(c->ports.v, 31) : 8;
    default: return 0;
    }
}

static bool wants_port(const Device *dev)
{
    const DeviceAddress *a = &dev->info.address;
    return a->type == ADDRESS_NONE || (a->type == ADDRESS_USB && !a->u.usb.port);
}

static unsigned path_depth(const char *path)
{
    unsigned depth = 0;
    for (; *path; path++)
        depth += *path == '.';
    return depth;
}

static void add_hub(UsbSet *s, unsigned bus, const char *path)
{
    unsigned depth = path_depth(path) + 1;
    if (depth < PATH_DEPTH_MAX)
        g_ptr_array_add(s->levels[depth], g_strdup_printf("%u:%s.", bus, path));
}

static void usb_set_clear(UsbSet *s)
{
    g_hash_table_unref(s->used);
    for (unsigned i = 0; i < PATH_DEPTH_MAX; i++)
        g_ptr_array_unref(s->levels[i]);
}

static bool take(UsbSet *s, DomainDef *d, Device *dev, unsigned bus, const char *path, GError **err)
{
    g_autofree char *key = g_strdup_printf("%u:%s", bus, path);
    if (!g_hash_table_add(s->used, g_steal_pointer(&key))) {
        error_set(err, VIR_ERR_XML_ERROR, "USB port %s of bus %u is used twice", path, bus);
        return false;
    }
    if (dev->kind == DEVICE_HUB)
        add_hub(s, bus, path);
    return true;
}

static unsigned ports_of_bus(const DomainDef *d, unsigned bus)
{
    unsigned ports = 0;
    guint pos = 0;
    const ControllerDef *c;
    while ((c = domain_next(d, DEVICE_CONTROLLER, &pos))) {
        if (c->type == CONTROLLER_USB && c->index.v == bus)
            ports = MAX(ports, controller_ports(c));
    }
    return ports;
}

/* A document's own port must exist. */
static bool check_given(const DomainDef *d, const UsbSet *s, const Device *dev, GError **err)
{
    const UsbAddress *a = &dev->info.address.u.usb;
    const char *dot = strrchr(a->port, '.');
    unsigned long port = strtoul(dot ? dot + 1 : a->port, NULL, 10);
    unsigned ports = ports_of_bus(d, a->bus);
    bool bus_there = false;
    guint pos = 0;
    const ControllerDef *c;
    while ((c = domain_next(d, DEVICE_CONTROLLER, &pos)))
        bus_there |= c->type == CONTROLLER_USB && c->index.v == a->bus && c->model != USB_NONE;
    if (!bus_there) {
        error_set(err, VIR_ERR_XML_ERROR, "USB address: there is no bus %u", a->bus);
        return false;
    }
    if (dot) {
        g_autofree char *prefix = g_strdup_printf("%u:%.*s.", a->bus, (int)(dot - a->port), a->port);
        bool hub = false;
        for (unsigned l = 0; l < PATH_DEPTH_MAX && !hub; l++) {
            for (unsigned i = 0; i < s->levels[l]->len && !hub; i++)
                hub = strcmp(g_ptr_array_index(s->levels[l], i), prefix) == 0;
        }
        if (!hub) {
            error_set(err, VIR_ERR_XML_ERROR, "USB port %s of bus %u: there is no hub at %.*s", a->port, a->bus,
                      (int)(dot - a->port), a->port);
            return false;
        }
        ports = HUB_PORTS;
    }
    if (port < 1 || port > ports) {
        error_set(err, VIR_ERR_XML_ERROR, "USB port %s of bus %u: ports are 1 to %u", a->port, a->bus, ports);
        return false;
    }
    return true;
}

static char *find_port(const DomainDef *d, const UsbSet *s, unsigned bus)
{
    for (unsigned depth = 0; depth < PATH_DEPTH_MAX; depth++) {
        unsigned hubs = depth == 0 ? 1 : s->levels[depth]->len;
        for (unsigned h = 0; h < hubs; h++) {
            char root[16];
            g_snprintf(root, sizeof(root), "%u:", bus);
            const char *prefix = depth == 0 ? root : g_ptr_array_index(s->levels[depth], h);
            if (!g_str_has_prefix(prefix, root))
                continue;
            unsigned ports = depth == 0 ? ports_of_bus(d, bus) : HUB_PORTS;
            for (unsigned p = 1; p <= ports; p++) {
                g_autofree char *key = g_strdup_printf("%s%u", prefix, p);
                if (!g_hash_table_contains(s->used, key))
                    return g_strdup(key + strlen(root));
            }
        }
    }
    return NULL;
}

static bool assign_port(DomainDef *d, UsbSet *s, Device *dev, GError **err)
{
    DeviceAddress *a = &dev->info.address;
    bool fixed = a->type == ADDRESS_USB;
    unsigned highest = 0;
    guint pos = 0;
    const ControllerDef *c;
    while ((c = domain_next(d, DEVICE_CONTROLLER, &pos))) {
        if (c->type == CONTROLLER_USB)
            highest = MAX(highest, c->index.v);
    }
    unsigned first = fixed ? MIN(a->u.usb.bus, USB_BUS_MAX + 1) : 0, last = fixed ? first : MIN(highest, USB_BUS_MAX);
    for (unsigned bus = first; bus <= last; bus++) {
        g_autofree char *path = find_port(d, s, bus);
        if (!path)
            continue;
        if (!take(s, d, dev, bus, path, err))
            return false;
        a->type = ADDRESS_USB;
        a->u.usb = (UsbAddress){ .bus = bus, .port = g_steal_pointer(&path) };
        return true;
    }
    error_set(err, VIR_ERR_XML_ERROR, "no free USB port for a %s", device_kind_element(dev->kind));
    return false;
}

/* One hub gives eight ports and takes one. */
static bool add_missing_hubs(DomainDef *d, GError **err)
{
    unsigned ports = 0, devices = 0;
    for (unsigned i = 0; i < list_len(d->devices); i++) {
        const Device *dev = list_at(d->devices, i);
        const ControllerDef *c = (const ControllerDef *)dev;
        if (dev->kind == DEVICE_CONTROLLER && c->type == CONTROLLER_USB)
            ports += controller_ports(c);
        else if (dev->kind == DEVICE_HUB)
            ports += HUB_PORTS - 1;
        if (dev->kind != DEVICE_HUB && qemu_device_on_usb(dev))
            devices++;
    }
    if (devices > USB_DEVICES_MAX) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "%u USB devices, at most %d are possible", devices, USB_DEVICES_MAX);
        return false;
    }
    while (ports > 0 && devices > ports) {
        domain_add(d, DEVICE_HUB);
        ports += HUB_PORTS - 1;
    }
    return true;
}

bool qemu_assign_usb(DomainDef *d, bool keep, GError **err)
{
    static const uint8_t order[] = {
        DEVICE_HUB, DEVICE_HOSTDEV, DEVICE_DISK, DEVICE_CONTROLLER, DEVICE_INPUT, DEVICE_SERIAL,
        DEVICE_SOUND, DEVICE_REDIRDEV, DEVICE_INTERFACE,
    };
    bool any = false;
    guint pos = 0;
    const ControllerDef *c;
    while ((c = domain_next(d, DEVICE_CONTROLLER, &pos)))
        any |= c->type == CONTROLLER_USB && c->model != USB_NONE;
    for (unsigned i = 0; keep && any && i < list_len(d->devices); i++) {
        const Device *dev = list_at(d->devices, i);
        any = !qemu_device_on_usb(dev) || !wants_port(dev);
    }
    if (!any)
        return true;

    if (!add_missing_hubs(d, err))
        return false;
    UsbSet s = { .used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL) };
    for (unsigned i = 0; i < PATH_DEPTH_MAX; i++)
        s.levels[i] = g_ptr_array_new_with_free_func(g_free);

    bool ok = true;
    /* First what is given (hubs before the devices below them), then the rest. */
    for (unsigned pass = 0; ok && pass < 2; pass++) {
        for (unsigned k = 0; ok && k < G_N_ELEMENTS(order); k++) {
            for (unsigned i = 0; ok && i < list_len(d->devices); i++) {
                Device *dev = list_at(d->devices, i);
                if (dev->kind != order[k] || !qemu_device_on_usb(dev))
                    continue;
                if (pass == 0 && dev->info.address.type == ADDRESS_USB && dev->info.address.u.usb.port)
                    ok = check_given(d, &s, dev, err) && take(&s, d, dev, dev->info.address.u.usb.bus,
                                                              dev->info.address.u.usb.port, err);
                else if (pass == 1 && wants_port(dev))
                    ok = assign_port(d, &s, dev, err);
            }
        }
    }
    usb_set_clear(&s);
    return ok;
}
