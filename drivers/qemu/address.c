/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Address assignment (address.h): the order of the passes, and the small buses. PCI and USB have
 * files of their own.
 */
#include "drivers/qemu/address.h"

#include "drivers/qemu/address-internal.h"
#include "drivers/qemu/machine.h"
#include "util/error.h"

/* ---- virtio-serial ports ------------------------------------------------------------------- */

enum { SERIAL_PORTS_DEFAULT = 31, SERIAL_PORTS_MAX = 512, SERIAL_CONTROLLERS_MAX = 255 };

static unsigned serial_ports(const ControllerDef *c)
{
    return c->ports.set ? MIN(c->ports.v, SERIAL_PORTS_MAX) : SERIAL_PORTS_DEFAULT;
}

static bool is_serial_port(const Device *dev)
{
    const ChrDef *c = (const ChrDef *)dev;
    return (dev->kind == DEVICE_CONSOLE && c->target == CONSOLE_VIRTIO) ||
           (dev->kind == DEVICE_CHANNEL && c->target == CHANNEL_VIRTIO);
}

/* First port of a controller that no device of the guest has; -1 when all are taken. */
static int free_serial_port(const DomainDef *d, const ControllerDef *c, unsigned first)
{
    bool used[SERIAL_PORTS_MAX] = { false };
    for (unsigned i = 0; i < list_len(d->devices); i++) {
        const Device *dev = list_at(d->devices, i);
        const SerialAddress *a = &dev->info.address.u.serial;
        if (dev->info.address.type == ADDRESS_VIRTIO_SERIAL && is_serial_port(dev) && a->port.set &&
            a->controller == c->index.v && a->port.v < SERIAL_PORTS_MAX)
            used[a->port.v] = true;
    }
    for (unsigned p = first; p < serial_ports(c); p++) {
        if (!used[p])
            return (int)p;
    }
    return -1;
}

static bool assign_serial_port(DomainDef *d, Device *dev, GError **err)
{
    DeviceAddress *a = &dev->info.address;
    bool fixed = a->type == ADDRESS_VIRTIO_SERIAL;
    unsigned first = dev->kind == DEVICE_CONSOLE ? 0 : 1; /* port 0 is for consoles */

    if (fixed && a->u.serial.port.set)
        return true;
    unsigned highest = 0;
    bool any = false;
    guint pos = 0;
    const ControllerDef *c;
    while ((c = domain_next(d, DEVICE_CONTROLLER, &pos))) {
        if (c->type == CONTROLLER_VIRTIO_SERIAL) {
            highest = MAX(highest, c->index.v);
            any = true;
        }
    }
    for (unsigned index = 0; any && index <= MIN(highest, SERIAL_CONTROLLERS_MAX); index++) {
        c = domain_find_controller(d, CONTROLLER_VIRTIO_SERIAL, index);
        if (!c || (fixed && index != a->u.serial.controller))
            continue;
        int port = free_serial_port(d, c, first);
        if (port < 0)
            continue;
        a->type = ADDRESS_VIRTIO_SERIAL;
        a->u.serial = (SerialAddress){ .controller = c->index.v, .port = { 1, (uint32_t)port } };
        return true;
    }
    if (fixed) {
        error_set(err, VIR_ERR_XML_ERROR, "virtio-serial controller %u has no free port",
                  a->u.serial.controller);
        return false;
    }
    if (any && highest >= SERIAL_CONTROLLERS_MAX) {
        error_set(err, VIR_ERR_XML_ERROR, "no virtio-serial port is left for a %s", device_kind_element(dev->kind));
        return false;
    }
    ControllerDef *added = (ControllerDef *)device_new(DEVICE_CONTROLLER);
    added->type = CONTROLLER_VIRTIO_SERIAL;
    added->index = (OptU32){ 1, any ? highest + 1 : 0 };
    domain_add_device(d, &added->dev);
    a->type = ADDRESS_VIRTIO_SERIAL;
    a->u.serial = (SerialAddress){ .controller = added->index.v, .port = { 1, first } };
    return true;
}

bool qemu_assign_virtio_serial(DomainDef *d, GError **err)
{
    static const DeviceKind kinds[] = { DEVICE_CONSOLE, DEVICE_CHANNEL };
    for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
        for (unsigned i = 0; i < list_len(d->devices); i++) {
            Device *dev = list_at(d->devices, i);
            if (dev->kind == kinds[k] && is_serial_port(dev) &&
                /* A console without an address stays so: the emulator finds its place. */
                ((dev->info.address.type == ADDRESS_NONE && dev->kind == DEVICE_CHANNEL) ||
                 dev->info.address.type == ADDRESS_VIRTIO_SERIAL) &&
                !assign_serial_port(d, dev, err))
                return false;
        }
    }
    return true;
}

/* ---- spapr-vio, ccw, virtio-mmio ------------------------------------------------------------- */

static uint64_t vio_start(const DomainDef *d, const Device *dev)
{
    switch (dev->kind) {
    case DEVICE_INTERFACE: return g_strcmp0(((const NetDef *)dev)->model, "spapr-vlan") == 0 ? 0x1000 : 0;
    case DEVICE_CONTROLLER: return ((const ControllerDef *)dev)->model == SCSI_IBMVSCSI ? 0x2000 : 0;
    case DEVICE_SERIAL:
        return qemu_machine_is_pseries(d) && ((const ChrDef *)dev)->target == SERIAL_SPAPR_VIO ? 0x30000000 : 0;
    case DEVICE_NVRAM: return qemu_machine_is_pseries(d) ? 0x3000 : 0;
    default: return 0;
    }
}

static bool vio_in_use(const DomainDef *d, const Device *but, uint64_t reg)
{
    for (unsigned i = 0; i < list_len(d->devices); i++) {
        const Device *o = list_at(d->devices, i);
        if (o->kind == DEVICE_CONSOLE)
            continue; /* another name for the serial port */
        if (o != but && o->info.address.type == ADDRESS_SPAPR_VIO && o->info.address.u.vio.reg.set &&
            o->info.address.u.vio.reg.v == reg)
            return true;
    }
    return false;
}

static bool assign_vio(DomainDef *d, GError **err)
{
    static const DeviceKind kinds[] = { DEVICE_INTERFACE, DEVICE_CONTROLLER, DEVICE_SERIAL, DEVICE_NVRAM };
    for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
        for (unsigned i = 0; i < list_len(d->devices); i++) {
            Device *dev = list_at(d->devices, i);
            DeviceAddress *a = &dev->info.address;
            uint64_t reg = dev->kind == kinds[k] ? vio_start(d, dev) : 0;
            if (!reg || (a->type != ADDRESS_NONE && a->type != ADDRESS_SPAPR_VIO))
                continue;
            if (a->type == ADDRESS_SPAPR_VIO && a->u.vio.reg.set) {
                if (vio_in_use(d, dev, a->u.vio.reg.v)) {
                    error_set(err, VIR_ERR_XML_ERROR, "spapr-vio address 0x%" G_GINT64_MODIFIER "x is used twice",
                              a->u.vio.reg.v);
                    return false;
                }
                continue;
            }
            while (vio_in_use(d, dev, reg))
                reg += 0x1000;
            a->type = ADDRESS_SPAPR_VIO;
            a->u.vio.reg = (OptU64){ .v = reg, .set = 1 };
        }
    }
    return true;
}

/* Devices that are virtio whatever bus carries them. */
static bool is_virtio(const Device *dev)
{
    switch (dev->kind) {
    case DEVICE_DISK: return ((const DiskDef *)dev)->bus == DISK_BUS_VIRTIO;
    case DEVICE_INTERFACE:
        return g_str_has_prefix(((const NetDef *)dev)->model ? ((const NetDef *)dev)->model : "", "virtio");
    case DEVICE_INPUT: return ((const InputDef *)dev)->bus == INPUT_BUS_VIRTIO;
    case DEVICE_CONTROLLER: {
        const ControllerDef *c = (const ControllerDef *)dev;
        return c->type == CONTROLLER_VIRTIO_SERIAL || (c->type == CONTROLLER_SCSI && c->model == SCSI_VIRTIO_SCSI);
    }
    case DEVICE_MEMBALLOON: return ((const MemballoonDef *)dev)->model == BALLOON_VIRTIO;
    case DEVICE_VIDEO: return ((const VideoDef *)dev)->type == VIDEO_VIRTIO;
    case DEVICE_HOSTDEV: {
        const HostdevDef *h = (const HostdevDef *)dev;
        return h->mode == HOSTDEV_SUBSYS &&
               (h->type == HOSTDEV_SCSI_HOST || (h->type == HOSTDEV_MDEV && h->model == HOSTDEV_MODEL_VFIO_CCW));
    }
    case DEVICE_RNG: case DEVICE_FILESYSTEM: case DEVICE_VSOCK: case DEVICE_CRYPTO: return true;
    default: return false;
    }
}

static bool ccw_in_use(const DomainDef *d, uint32_t cssid, uint32_t ssid, uint32_t devno, const Device *but)
{
    for (unsigned i = 0; i < list_len(d->devices); i++) {
        const Device *o = list_at(d->devices, i);
        const CcwAddress *a = &o->info.address.u.ccw;
        if (o != but && o->info.address.type == ADDRESS_CCW && a->devno.set && a->cssid.v == cssid &&
            a->ssid.v == ssid && a->devno.v == devno)
            return true;
    }
    return false;
}

/* The order in which devices get ccw and zpci numbers: kind by kind, as existing guests have them. */
static GPtrArray *by_kind(const DomainDef *d)
{
    static const uint8_t order[] = {
        DEVICE_DISK, DEVICE_INTERFACE, DEVICE_SOUND, DEVICE_HOSTDEV, DEVICE_VIDEO, DEVICE_CONTROLLER, DEVICE_SMARTCARD,
        DEVICE_SERIAL, DEVICE_PARALLEL, DEVICE_CHANNEL, DEVICE_CONSOLE, DEVICE_INPUT, DEVICE_FILESYSTEM, DEVICE_WATCHDOG,
        DEVICE_MEMBALLOON, DEVICE_RNG, DEVICE_NVRAM, DEVICE_HUB, DEVICE_SHMEM, DEVICE_TPM, DEVICE_PANIC, DEVICE_REDIRDEV,
        DEVICE_MEMORY, DEVICE_IOMMU, DEVICE_VSOCK, DEVICE_CRYPTO,
    };
    GPtrArray *all = g_ptr_array_new();
    for (unsigned k = 0; k < G_N_ELEMENTS(order); k++) {
        for (unsigned i = 0; i < list_len(d->devices); i++) {
            if (((const Device *)list_at(d->devices, i))->kind == order[k])
                g_ptr_array_add(all, list_at(d->devices, i));
        }
    }
    return all;
}

static bool assign_ccw(DomainDef *d, GError **err)
{
    uint32_t next = 0;
    g_autoptr(GPtrArray) devices = by_kind(d);
    for (unsigned i = 0; i < devices->len; i++) {
        Device *dev = g_ptr_array_index(devices, i);
        DeviceAddress *a = &dev->info.address;
        if (a->type == ADDRESS_NONE && is_virtio(dev))
            *a = (DeviceAddress){ .type = ADDRESS_CCW };
        if (a->type != ADDRESS_CCW)
            continue;
        if (a->u.ccw.devno.set) {
            if (ccw_in_use(d, a->u.ccw.cssid.v, a->u.ccw.ssid.v, a->u.ccw.devno.v, dev)) {
                error_set(err, VIR_ERR_XML_ERROR, "CCW address %x.%x.%04x is used twice", a->u.ccw.cssid.v,
                          a->u.ccw.ssid.v, a->u.ccw.devno.v);
                return false;
            }
            continue;
        }
        while (next < 0xffff && ccw_in_use(d, 0xfe, 0, next, NULL))
            next++;
        a->u.ccw = (CcwAddress){ .cssid = { 1, 0xfe }, .ssid = { 1, 0 }, .devno = { 1, next } };
    }
    return true;
}

bool qemu_assign_other(DomainDef *d, const QemuCaps *caps, GError **err)
{
    (void)caps;
    if (!assign_vio(d, err))
        return false;
    if (qemu_machine_is_s390_ccw(d))
        return assign_ccw(d, err);
    if (!domain_find_controller(d, CONTROLLER_PCI, 0) &&
        (qemu_machine_is_arm_virt(d) || qemu_machine_is_riscv_virt(d) || g_str_has_prefix(d->os.machine ? d->os.machine : "", "vexpress-"))) {
        for (unsigned i = 0; i < list_len(d->devices); i++) {
            Device *dev = list_at(d->devices, i);
            if (dev->info.address.type == ADDRESS_NONE && is_virtio(dev))
                dev->info.address.type = ADDRESS_VIRTIO_MMIO;
        }
    }
    return true;
}

/* ---- zpci ------------------------------------------------------------------------------------- */

/* The lowest number from 'first' that is not in use, marked; -1: none is left. */
static int take_number(Bitmap *used, unsigned first)
{
    unsigned n = first;
    while (bitmap_is_set(used, n))
        n++;
    return bitmap_set(used, n) ? (int)n : -1;
}

static bool complete_zpci(PciAddress *a, Bitmap *uids, Bitmap *fids, GError **err)
{
    int uid = a->zpci_uid.set ? (int)a->zpci_uid.v : take_number(uids, 1);
    int fid = a->zpci_fid.set ? (int)a->zpci_fid.v : take_number(fids, 0);
    if ((uid < 0 || uid > 0xffff) || (!a->zpci_fid.set && fid < 0)) {
        error_set(err, VIR_ERR_XML_ERROR, "no zpci number is left for a PCI device");
        return false;
    }
    if (!a->zpci_uid.set)
        a->zpci_uid = (OptU32){ 1, (uint32_t)uid };
    if (!a->zpci_fid.set)
        a->zpci_fid = (OptU32){ 1, (uint32_t)fid };
    return true;
}

/* Every PCI device of an s390 machine has a number for users and one for the function. Those that a
 * document gives are taken first, then what is missing beside a given one, then all others. */
static bool assign_zpci(DomainDef *d, const QemuCaps *caps, GError **err)
{
    if (!qemu_machine_is_s390_ccw(d) || !qemu_caps_has(caps, QEMU_CAP_DEVICE_ZPCI))
        return true;
    g_autoptr(GPtrArray) devices = by_kind(d);
    g_autoptr(Bitmap) uids = bitmap_new(), fids = bitmap_new();
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < devices->len; i++) {
            Device *dev = g_ptr_array_index(devices, i);
            DeviceInfo *info = &dev->info;
            PciAddress *a = &info->address.u.pci;
            bool bridge = dev->kind == DEVICE_CONTROLLER && ((ControllerDef *)dev)->type == CONTROLLER_PCI;
            if (info->address.type != ADDRESS_PCI || !info->pci_connect || bridge)
                continue;
            if (round == 0) {
                if ((a->zpci_uid.set && bitmap_is_set(uids, a->zpci_uid.v)) || (a->zpci_fid.set && bitmap_is_set(fids, a->zpci_fid.v))) {
                    error_set(err, VIR_ERR_XML_ERROR, "zpci uid 0x%04x or fid 0x%08x is used more than once", a->zpci_uid.v, a->zpci_fid.v);
                    return false;
                }
                /* Numbers beyond the bitmap are never handed out. */
                if (a->zpci_uid.set)
                    (void)bitmap_set(uids, a->zpci_uid.v);
                if (a->zpci_fid.set)
                    (void)bitmap_set(fids, a->zpci_fid.v);
            } else if ((round == 2 || a->zpci_uid.set || a->zpci_fid.set) && !complete_zpci(a, uids, fids, err)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- memory slots ---------------------------------------------------------------------------- */

static bool uses_dimm_slot(const MemoryDef *m)
{
    return m->model == MEMORY_DIMM || m->model == MEMORY_NVDIMM;
}

static bool assign_memory_slots(DomainDef *d, GError **err)
{
    guint pos = 0;
    MemoryDef *m;
    g_autoptr(Bitmap) used = bitmap_new();
    if (!d->max_memory)
        return true;
    while ((m = domain_next(d, DEVICE_MEMORY, &pos))) {
        if (uses_dimm_slot(m) && m->dev.info.address.type == ADDRESS_DIMM)
            (void)bitmap_set(used, m->dev.info.address.u.dimm.slot); /* too large: never handed out */
    }
    pos = 0;
    while ((m = domain_next(d, DEVICE_MEMORY, &pos))) {
        if (!uses_dimm_slot(m) || m->dev.info.address.type != ADDRESS_NONE)
            continue;
        unsigned slot = 0;
        while (bitmap_is_set(used, slot))
            slot++;
        if (!bitmap_set(used, slot)) {
            error_set(err, VIR_ERR_XML_ERROR, "no memory slot is left for a memory device");
            return false;
        }
        m->dev.info.address = (DeviceAddress){ .type = ADDRESS_DIMM, .u.dimm.slot = slot };
    }
    return true;
}

bool qemu_assign_addresses(DomainDef *d, const QemuCaps *caps, bool keep, GError **err)
{
    return qemu_assign_virtio_serial(d, err) && qemu_assign_other(d, caps, err) &&
           qemu_assign_pci(d, caps, err) && assign_zpci(d, caps, err) && qemu_assign_usb(d, keep, err) && assign_memory_slots(d, err);
}

static bool plug(DomainDef *d, Device *dev, const QemuCaps *caps, GError **err)
{
    if (is_serial_port(dev) && dev->info.address.type == ADDRESS_NONE && !assign_serial_port(d, dev, err))
        return false;
    return qemu_assign_virtio_serial(d, err) && qemu_assign_other(d, caps, err) && qemu_plug_pci(d, dev, caps, err) &&
           assign_zpci(d, caps, err) && (!qemu_device_on_usb(dev) || qemu_assign_usb(d, false, err)) && assign_memory_slots(d, err);
}

bool qemu_assign_device_address(DomainDef *d, Device *dev, const QemuCaps *caps, GError **err)
{
    guint n = d->devices->len;
    bool ok = plug(d, dev, caps, err);

    if (d->devices->len == n)
        return ok;
    while (d->devices->len > n)
        device_free(g_ptr_array_steal_index(d->devices, d->devices->len - 1));
    if (ok && qemu_device_on_usb(dev))
        error_set(err, VIR_ERR_INTERNAL_ERROR, "no free USB port for a %s", device_kind_element(dev->kind));
    else if (ok)
        error_set(err, VIR_ERR_INTERNAL_ERROR, "no virtio-serial controllers are available");
    return false;
}
