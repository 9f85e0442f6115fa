/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What all devices share (alias, address, boot order, ROM) as rows, and the table of kinds. Every
 * kind's description begins with the Device header, so the functions here work on any of them.
 */
#include "conf/device.h"

#include <string.h>

#include "conf/device-internal.h"
#include "conf/domain.h"
#include "conf/parse-internal.h"
#include "conf/row.h"
#include "util/api.h"

ENUM_TABLE(address_type_names, "address type", _ADDRESS_TYPE_N, NULL, "pci", "drive", "virtio-serial",
           "ccid", "usb", "spapr-vio", "virtio-s390", "ccw", "virtio-mmio", "isa", "dimm", "unassigned");

/* ---- rows ---- */

/* <address type='pci'/> without numbers asks for an address on the PCI bus. */
static bool pci_given_parse(ConfParser *p, const ConfField *row, xmlNode *el, void *base, GError **err)
{
    ((PciAddress *)base)->given = el && (xml_attr_get(el, "domain") || xml_attr_get(el, "bus") ||
                                         xml_attr_get(el, "slot") || xml_attr_get(el, "function"));
    return true;
}
static const ConfCustom pci_given = { pci_given_parse, NULL };

static const ConfNum num_pci_domain = { 0, "0x%04" G_GINT64_MODIFIER "x", 0, 0xffff };
static const ConfNum num_pci_bus = { 0, "0x%02" G_GINT64_MODIFIER "x", 0, 0xff };
static const ConfNum num_pci_slot = { 0, "0x%02" G_GINT64_MODIFIER "x", 0, 0x1f };
static const ConfNum num_pci_function = { 0, "0x%" G_GINT64_MODIFIER "x", 0, 7 };

/* clang-format off */
static const ConfField pci_rows[] = {
    CONF_CUSTOM_VIEW(pci_given, "", "whether an address was written"),
    CONF_U32(PciAddress, domain, "@domain", CF_ABI | CF_ALWAYS, "PCI domain", CONF_NUM(num_pci_domain), WHEN(PciAddress, given, BIT(1))),
    CONF_U32(PciAddress, bus, "@bus", CF_ABI | CF_ALWAYS, "PCI bus: index of the controller", CONF_NUM(num_pci_bus), WHEN(PciAddress, given, BIT(1))),
    CONF_U32(PciAddress, slot, "@slot", CF_ABI | CF_ALWAYS, "slot on the bus", CONF_NUM(num_pci_slot), WHEN(PciAddress, given, BIT(1))),
    CONF_U32(PciAddress, function, "@function", CF_ABI | CF_ALWAYS, "function in the slot", CONF_NUM(num_pci_function), WHEN(PciAddress, given, BIT(1))),
    CONF_ONOFF(PciAddress, multifunction, "@multifunction", CF_ABI, "more functions in this slot"),
    CONF_OPT32(PciAddress, zpci_uid, "zpci/@uid", CF_ABI, "s390 user identifier", CONF_NUM(num_hex4)),
    CONF_OPT32(PciAddress, zpci_fid, "zpci/@fid", CF_ABI, "s390 function identifier", CONF_NUM(num_hex8)),
    CONF_HIDDEN(PciAddress, given, CF_ABI),
};
CONF_DESC(pci_address_desc, PciAddress, pci_rows);

static const ConfField drive_rows[] = {
    CONF_U32(DriveAddress, controller, "@controller", CF_ABI | CF_ALWAYS, "index of the controller"),
    CONF_U32(DriveAddress, bus, "@bus", CF_ABI | CF_ALWAYS, "bus of the controller"),
    CONF_U32(DriveAddress, target, "@target", CF_ABI | CF_ALWAYS, "target on the bus"),
    CONF_U32(DriveAddress, unit, "@unit", CF_ABI | CF_ALWAYS, "unit of the target"),
};
CONF_DESC(drive_address_desc, DriveAddress, drive_rows);

static const ConfField serial_address_rows[] = {
    CONF_U32(SerialAddress, controller, "@controller", CF_ABI | CF_ALWAYS, "index of the virtio-serial controller"),
    CONF_U32(SerialAddress, bus, "@bus", CF_ABI | CF_ALWAYS, "bus of the controller"),
    CONF_OPT32(SerialAddress, port, "@port", CF_ABI, "port on the bus"),
};
CONF_DESC(serial_address_desc, SerialAddress, serial_address_rows);

static const ConfField ccid_rows[] = {
    CONF_U32(CcidAddress, controller, "@controller", CF_ABI | CF_ALWAYS, "index of the ccid controller"),
    CONF_U32(CcidAddress, slot, "@slot", CF_ABI | CF_ALWAYS, "slot of the reader"),
};
CONF_DESC(ccid_address_desc, CcidAddress, ccid_rows);

static const ConfField usb_rows[] = {
    CONF_U32(UsbAddress, bus, "@bus", CF_ABI | CF_ALWAYS, "index of the usb controller"),
    CONF_PAD(UsbAddress, _pad),
    CONF_STR(UsbAddress, port, "@port", CF_ABI, "port, with hubs: 1.2"),
};
CONF_DESC(usb_address_desc, UsbAddress, usb_rows);

static const ConfField ccw_rows[] = {
    CONF_OPT32(CcwAddress, cssid, "@cssid", CF_ABI, "channel subsystem", CONF_NUM(num_hex)),
    CONF_OPT32(CcwAddress, ssid, "@ssid", CF_ABI, "subchannel set", CONF_NUM(num_hex)),
    CONF_OPT32(CcwAddress, devno, "@devno", CF_ABI, "device number", CONF_NUM(num_hex4)),
};
CONF_DESC(ccw_address_desc, CcwAddress, ccw_rows);

/* Base 16 even without a prefix. */
static const ConfNum num_isa = { 16, "0x%" G_GINT64_MODIFIER "x", 0, 0 };
static const ConfNum num_vio = { 16, "0x%08" G_GINT64_MODIFIER "x", 0, 0 };
static const ConfField isa_rows[] = {
    CONF_OPT32(IsaAddress, iobase, "@iobase", CF_ABI, "I/O port", CONF_NUM(num_isa)),
    CONF_OPT32(IsaAddress, irq, "@irq", CF_ABI, "interrupt", CONF_NUM(num_isa)),
};
CONF_DESC(isa_address_desc, IsaAddress, isa_rows);

static const ConfField dimm_rows[] = {
    CONF_U32(DimmAddress, slot, "@slot", CF_ABI | CF_ALWAYS | CF_REQUIRED, "memory slot"),
    CONF_OPT64(DimmAddress, base, "@base", CF_ABI, "guest physical address", CONF_NUM(num_hex)),
    CONF_PAD(DimmAddress, _pad),
};
CONF_DESC(dimm_address_desc, DimmAddress, dimm_rows);

static const ConfField vio_rows[] = {
    CONF_OPT64(VioAddress, reg, "@reg", CF_ABI, "register", CONF_NUM(num_vio)),
};
CONF_DESC(vio_address_desc, VioAddress, vio_rows);

static const ConfArm address_arms[] = {
    { ADDRESS_PCI, &pci_address_desc },    { ADDRESS_DRIVE, &drive_address_desc },
    { ADDRESS_VIRTIO_SERIAL, &serial_address_desc }, { ADDRESS_CCID, &ccid_address_desc },
    { ADDRESS_USB, &usb_address_desc },    { ADDRESS_SPAPR_VIO, &vio_address_desc },
    { ADDRESS_CCW, &ccw_address_desc },    { ADDRESS_ISA, &isa_address_desc },
    { ADDRESS_DIMM, &dimm_address_desc },  { 0, NULL },
};

static const ConfField address_rows[] = {
    CONF_ENUM(DeviceAddress, type, "@type", address_type_names, CF_ABI | CF_REQUIRED, "kind of address"),
    CONF_UNION(DeviceAddress, u, "", type, address_arms, CF_ABI, "the address"),
    CONF_PAD(DeviceAddress, _pad),
};
/* 0000:00:00 is where the host bridge is: a device that asks for it wants any place. */
static bool address_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    DeviceAddress *a = v;
    if (a->type == ADDRESS_PCI && !a->u.pci.domain && !a->u.pci.bus && !a->u.pci.slot) {
        a->u.pci.given = 0;
        a->u.pci.function = 0;
    }
    return true;
}
CONF_DESC(device_address_desc, DeviceAddress, address_rows, .parsed = address_parsed);

static const ConfField info_rows[] = {
    CONF_U32(DeviceInfo, boot_order, "boot/@order", CF_ABI | CF_REQUIRED | CF_IF_ELEMENT, "place in the boot order, from 1", CONF_NUM(num_positive)),
    CONF_STR(DeviceInfo, loadparm, "boot/@loadparm", CF_ABI, "s390 load parameter"),
    CONF_STR(DeviceInfo, alias, "alias/@name", CF_USER_ALIAS, "name that the emulator and events use"),
    CONF_OPT32(DeviceInfo, master_startport, "master/@startport", CF_ABI, "first port on the master controller"),
    CONF_YESNO(DeviceInfo, rom_enabled, "rom/@enabled", 0, "whether the guest sees a ROM"),
    CONF_ONOFF(DeviceInfo, rom_bar, "rom/@bar", 0, "whether the ROM is in a BAR"),
    CONF_STR(DeviceInfo, rom_file, "rom/@file", 0, "ROM image"),
    CONF_U32(DeviceInfo, acpi_index, "acpi/@index", CF_ABI, "ACPI index: stable names in the guest", CONF_NUM(num_positive)),
    CONF_STRUCT(DeviceInfo, address, "address", device_address_desc, CF_ABI, "where the device is attached"),
    CONF_HIDDEN(DeviceInfo, pci_connect, CF_NO_COMPARE), CONF_HIDDEN(DeviceInfo, pci_group, CF_NO_COMPARE),
};
/* The firmware that reads it knows capital letters only. */
static bool info_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    DeviceInfo *info = v;
    for (char *c = info->loadparm; c && *c; c++)
        *c = g_ascii_toupper(*c);
    return true;
}
CONF_DESC(device_info_desc, DeviceInfo, info_rows, .parsed = info_parsed);

static const ConfField device_rows[] = {
    CONF_HIDDEN(Device, kind, CF_ABI),
    CONF_HIDDEN(Device, line, CF_NO_COMPARE),
    CONF_STRUCT(Device, info, "", device_info_desc, CF_ABI, ""),
};
CONF_DESC(device_head_desc, Device, device_rows);

static const ConfField virtio_rows[] = {
    CONF_ONOFF(VirtioOptions, iommu, "@iommu", CF_ABI, "DMA through the guest's IOMMU"),
    CONF_ONOFF(VirtioOptions, ats, "@ats", CF_ABI, "address translation service"),
    CONF_ONOFF(VirtioOptions, packed, "@packed", CF_ABI, "packed virtqueues"),
    CONF_ONOFF(VirtioOptions, page_per_vq, "@page_per_vq", CF_ABI, "one page per virtqueue"),
};
CONF_DESC(virtio_options_desc, VirtioOptions, virtio_rows);

/* ---- kinds ---- */

static const struct { const char *element; const ConfDesc *desc; } kinds[_DEVICE_KIND_N] = {
    [DEVICE_DISK] = { "disk", &disk_desc },
    [DEVICE_CONTROLLER] = { "controller", &controller_desc },
    [DEVICE_LEASE] = { "lease", &lease_desc },
    [DEVICE_FILESYSTEM] = { "filesystem", &filesystem_desc },
    [DEVICE_INTERFACE] = { "interface", &net_desc },
    [DEVICE_SMARTCARD] = { "smartcard", &smartcard_desc },
    [DEVICE_SERIAL] = { "serial", &serial_desc },
    [DEVICE_PARALLEL] = { "parallel", &parallel_desc },
    [DEVICE_CONSOLE] = { "console", &console_desc },
    [DEVICE_CHANNEL] = { "channel", &channel_desc },
    [DEVICE_INPUT] = { "input", &input_desc },
    [DEVICE_TPM] = { "tpm", &tpm_desc },
    [DEVICE_GRAPHICS] = { "graphics", &graphics_desc },
    [DEVICE_AUDIO] = { "audio", &audio_desc },
    [DEVICE_SOUND] = { "sound", &sound_desc },
    [DEVICE_VIDEO] = { "video", &video_desc },
    [DEVICE_HOSTDEV] = { "hostdev", &hostdev_desc },
    [DEVICE_REDIRDEV] = { "redirdev", &redirdev_desc },
    [DEVICE_REDIRFILTER] = { "redirfilter", &redirfilter_desc },
    [DEVICE_HUB] = { "hub", &hub_desc },
    [DEVICE_WATCHDOG] = { "watchdog", &watchdog_desc },
    [DEVICE_MEMBALLOON] = { "memballoon", &memballoon_desc },
    [DEVICE_RNG] = { "rng", &rng_desc },
    [DEVICE_NVRAM] = { "nvram", &nvram_desc },
    [DEVICE_PANIC] = { "panic", &panic_desc },
    [DEVICE_SHMEM] = { "shmem", &shmem_desc },
    [DEVICE_MEMORY] = { "memory", &memory_desc },
    [DEVICE_IOMMU] = { "iommu", &iommu_desc },
    [DEVICE_VSOCK] = { "vsock", &vsock_desc },
    [DEVICE_CRYPTO] = { "crypto", &crypto_desc },
    [DEVICE_PSTORE] = { "pstore", &pstore_desc },
};
/* clang-format on */

const char *device_kind_element(DeviceKind kind)
{
    return kinds[kind].element;
}

const ConfDesc *device_desc(DeviceKind kind)
{
    return kinds[kind].desc;
}

int device_kind_find(const char *element)
{
    for (unsigned k = 0; k < _DEVICE_KIND_N; k++) {
        if (!strcmp(kinds[k].element, element))
            return (int)k;
    }
    return -1;
}

Device *device_new(DeviceKind kind)
{
    Device *d = g_malloc0(kinds[kind].desc->size);
    d->kind = kind;
    return d;
}

void device_free(Device *d)
{
    if (d)
        conf_free(kinds[d->kind].desc, d);
}

bool device_says(const Device *like, const Device *have)
{
    return like->kind == have->kind && conf_says(kinds[like->kind].desc, like, have);
}

Device *device_copy(const Device *d)
{
    return d ? conf_dup(kinds[d->kind].desc, d) : NULL;
}

Device *device_parse_element(ConfParser *p, xmlNode *el, GError **err)
{
    int kind = device_kind_find((const char *)el->name);

    if (kind < 0) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "unknown kind of device");
        return NULL;
    }
    g_autoptr(Device) d = device_new((DeviceKind)kind);
    d->line = xml_line(el);
    if (!conf_parse(p, kinds[kind].desc, el, d, err))
        return NULL;
    return g_steal_pointer(&d);
}

bool conf_parse_devices(ConfParser *p, xmlNode *devices, GPtrArray *list, GError **err)
{
    for (xmlNode *c = xml_child(devices, NULL); c; c = xml_next(c, NULL)) {
        if (c->ns || device_kind_find((const char *)c->name) < 0)
            continue; /* stays unmarked */
        Device *d = device_parse_element(p, c, err);
        if (!d)
            return false;
        g_ptr_array_add(list, d);
    }
    return true;
}

void conf_format_devices(ConfFormatter *f, const GPtrArray *list)
{
    for (unsigned k = 0; k < _DEVICE_KIND_N; k++) {
        for (unsigned i = 0; i < list_len(list); i++) {
            const Device *d = list_at(list, i);
            if (d->kind != k)
                continue;
            const void *instead = f->substitute ? f->substitute(f, d) : d;
            conf_format_element(f, kinds[k].desc, instead, kinds[k].element);
        }
    }
}
