/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host devices, USB redirection and host directories as rows. */
#include "conf/domain_hostdev.h"

#include <string.h>

#include "conf/device-internal.h"
#include "util/api.h"
#include "util/error.h"

/* clang-format off */
ENUM_TABLE(hostdev_mode_names, "hostdev mode", _HOSTDEV_MODE_N, "subsystem", "capabilities");
ENUM_TABLE(hostdev_type_names, "hostdev type", _HOSTDEV_TYPE_N, "usb", "pci", "scsi", "scsi_host", "mdev", "storage", "misc", "net");
ENUM_TABLE(hostdev_driver_names, "hostdev driver", _HOSTDEV_DRIVER_N, "default", "kvm", "vfio", "xen");
ENUM_TABLE(hostdev_model_names, "hostdev model", _HOSTDEV_MODEL_N, NULL, "vfio-pci", "vfio-ccw", "vfio-ap", "virtio", "virtio-transitional", "virtio-non-transitional");
ENUM_TABLE(guest_reset_names, "guestReset", _GUEST_RESET_N, NULL, "off", "uninitialized", "on");
ENUM_TABLE(fs_type_names, "filesystem type", _FS_TYPE_N, "mount", "block", "file", "template", "ram", "bind", "volume");
ENUM_TABLE(fs_driver_names, "filesystem driver", _FS_DRIVER_N, "default", "path", "handle", "loop", "nbd", "ploop", "virtiofs", "mtp");
ENUM_TABLE(fs_access_names, "accessmode", _FS_ACCESS_N, "default", "passthrough", "mapped", "squash");
ENUM_TABLE(fs_wrpolicy_names, "wrpolicy", _FS_WRPOLICY_N, "default", "immediate");
ENUM_TABLE(fs_multidevs_names, "multidevs", _FS_MULTIDEVS_N, "default", "remap", "forbid", "warn");
ENUM_TABLE(fs_cache_names, "cache mode", _FS_CACHE_N, "default", "none", "always");
ENUM_TABLE(fs_sandbox_names, "sandbox mode", _FS_SANDBOX_N, "default", "namespace", "chroot");

static const EnumTable redir_bus_names = { "redirdev bus", (const char *const[]){ "usb" }, _REDIR_BUS_N };

/* An iscsi LUN carries a whole network source in <source protocol='iscsi'>. */
static bool iscsi_parse(ConfParser *p, const ConfField *row, xmlNode *el, void *base, GError **err)
{
    HostdevDef *h = base;
    xmlNode *source = xml_child(el, "source");

    if (!source || !xml_attr_get(source, "protocol"))
        return true;
    h->iscsi = g_new0(StorageSource, 1);
    h->iscsi->type = STORAGE_NETWORK;
    return conf_parse(p, &top_storage_desc, el, h->iscsi, err);
}
static const char *const in_source[] = { "source" };
static void iscsi_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    const HostdevDef *h = base;
    if (!h->iscsi)
        return;
    StorageSource rest = *h->iscsi;
    rest.auth = NULL; /* here it comes last */
    conf_format(f, &top_storage_desc, &rest);
    if (!h->iscsi->auth)
        return;
    conf_format_at(f, in_source, 1);
    conf_format_element(f, &storage_auth_desc, h->iscsi->auth, "auth");
}
static const ConfCustom iscsi = { iscsi_parse, iscsi_format, NULL, &top_storage_desc };

/* bus, target and unit of the host's adapter; the controller is <adapter>. */
static bool scsi_address_parse(ConfParser *p, const ConfField *row, xmlNode *el, void *base, GError **err)
{
    HostdevDef *h = base;
    if (!el || h->iscsi)
        return true;
    static const char *const needed[] = { "bus", "target", "unit" };
    for (unsigned i = 0; i < G_N_ELEMENTS(needed); i++) {
        if (!xml_attr_get(el, needed[i])) {
            conf_error_at(err, VIR_ERR_XML_ERROR, el, needed[i], "missing");
            return false;
        }
    }
    if (!conf_parse(p, &drive_address_desc, el, &h->scsi, err))
        return false;
    h->scsi.controller = 0;
    return true;
}
static void scsi_address_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    static const char *const names[] = { "source", "address" };
    const HostdevDef *h = base;
    if (h->iscsi)
        return;
    conf_format_at(f, names, 2);
    xml_attrf(&f->w, "bus", "%u", h->scsi.bus);
    xml_attrf(&f->w, "target", "%u", h->scsi.target);
    xml_attrf(&f->w, "unit", "%u", h->scsi.unit);
}
static const ConfCustom scsi_address = { scsi_address_parse, scsi_address_format, NULL, &drive_address_desc };

static bool scsi_private_parse(ConfParser *p, const ConfField *row, xmlNode *el, void *base, GError **err)
{
    HostdevDef *h = base;

    if (!el || h->iscsi)
        return true;
    h->scsi_priv = g_new0(StoragePrivate, 1);
    return conf_parse(p, &storage_private_desc, el, h->scsi_priv, err);
}
static void scsi_private_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    const HostdevDef *h = base;

    if (!h->scsi_priv)
        return;
    conf_format_at(f, in_source, 1);
    conf_format_element(f, &storage_private_desc, h->scsi_priv, "privateData");
}
static const ConfCustom scsi_private = { scsi_private_parse, scsi_private_format, NULL, &storage_private_desc };

static bool is_naa(const char *wwpn)
{
    return wwpn && g_str_has_prefix(wwpn, "naa.") && strlen(wwpn) == 20 && strspn(wwpn + 4, "0123456789abcdefABCDEF") == 16;
}

static bool hostdev_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    HostdevDef *h = v;
    bool caps = h->type >= HOSTDEV_STORAGE;

    if (!caps && h->managed == TRI_ABSENT)
        h->managed = TRI_NO;

    if (caps != (h->mode == HOSTDEV_CAPS)) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, "type", "'%s' is not of mode '%s'", enum_name(&hostdev_type_names, h->type), enum_name(&hostdev_mode_names, h->mode));
        return false;
    }
    if (!xml_child(el, "source")) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "missing <source> element in hostdev device");
        return false;
    }
    if (h->type == HOSTDEV_PCI && !h->pci.given) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "'address' must be specified for pci hostdev source");
        return false;
    }
    if (caps && !h->caps_path) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "missing the device of the host in <source>");
        return false;
    }
    if (h->type == HOSTDEV_MDEV && !h->mdev.set) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "missing 'uuid' attribute for the mediated device");
        return false;
    }
    if (h->type == HOSTDEV_MDEV && h->model == HOSTDEV_MODEL_DEFAULT) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, "model", "missing for a mediated device");
        return false;
    }
    if (h->type == HOSTDEV_SCSI && !h->iscsi && !xml_child(xml_child(el, "source"), "address")) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "'address' must be specified for scsi hostdev source");
        return false;
    }
    if (h->iscsi && (!h->iscsi->name || list_len(h->iscsi->hosts) != 1)) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "an iscsi hostdev source has a name and exactly one host");
        return false;
    }
    if (h->type == HOSTDEV_SCSI_HOST && !is_naa(h->wwpn)) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "malformed 'wwpn' value '%.50s', expected naa. and 16 hexadecimal digits", h->wwpn);
        return false;
    }
    if (h->type == HOSTDEV_USB && h->usb_device.set && !h->usb_bus.set) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "'bus' is missing in the address of the usb device");
        return false;
    }
    if (h->type == HOSTDEV_SCSI && !h->iscsi && (!h->scsi_adapter || !*h->scsi_adapter)) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "'adapter' must be specified for scsi hostdev source");
        return false;
    }
    if (h->type == HOSTDEV_USB && !h->vendor.set && !h->usb_device.set) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "missing address or vendor of the usb device");
        return false;
    }
    return true;
}

#define H HostdevDef
#define ON(m) WHEN(H, type, m)
#define USB BIT(HOSTDEV_USB)
#define PCI BIT(HOSTDEV_PCI)
#define SCSI BIT(HOSTDEV_SCSI)
#define MDEV BIT(HOSTDEV_MDEV)
static const ConfField hostdev_rows[] = {
    CONF_ENUM(H, mode, "@mode", hostdev_mode_names, CF_ALWAYS | CF_ABI, "whole devices or capabilities of a container"),
    CONF_ENUM(H, type, "@type", hostdev_type_names, CF_REQUIRED | CF_ALWAYS | CF_ABI, "bus of the device"),
    CONF_YESNO(H, managed, "@managed", CF_ALWAYS, "detach from the host and give back", ON(USB | PCI | SCSI | BIT(HOSTDEV_SCSI_HOST) | MDEV)),
    CONF_YESNO(H, rawio, "@rawio", 0, "raw I/O capability", ON(SCSI)),
    CONF_ENUM(H, sgio, "@sgio", sgio_names, 0, "whether SCSI commands are filtered", ON(SCSI)),
    CONF_ENUM(H, model, "@model", hostdev_model_names, CF_ABI, "device model", ON(MDEV | BIT(HOSTDEV_SCSI_HOST))),
    CONF_ONOFF(H, display, "@display", CF_ABI, "show its screen", ON(MDEV | PCI)),
    CONF_ONOFF(H, ramfb, "@ramfb", CF_ABI, "boot framebuffer", ON(MDEV | PCI)),
    CONF_ENUM(H, driver, "driver/@name", hostdev_driver_names, 0, "backend driver", ON(PCI)),
    CONF_STR(H, driver_model, "driver/@model", 0, "vfio module for this device", ON(PCI)),
    CONF_YESNO(H, iommufd, "driver/@iommufd", 0, "through iommufd", ON(PCI)),
    CONF_ENUM(H, startup_policy, "source/@startupPolicy", startup_policy_names, 0, "when it is missing", WHEN(H, mode, BIT(HOSTDEV_SUBSYS))),
    CONF_ENUM(H, guest_reset, "source/@guestReset", guest_reset_names, 0, "resets by the guest", ON(USB)),
    CONF_YESNO(H, write_filtering, "source/@writeFiltering", 0, "filter configuration space", ON(PCI)),
    CONF_CUSTOM(H, iscsi, "", iscsi, NULL, CF_VIEW, "iscsi LUN", ON(SCSI)),
    CONF_OPTIONAL(H, iscsi, NULL, top_storage_desc, 0, ""),
    CONF_STR(H, scsi_protocol, "source/@protocol", CF_REQUIRED, "'vhost'", ON(BIT(HOSTDEV_SCSI_HOST))),
    CONF_STR(H, wwpn, "source/@wwpn", CF_REQUIRED, "naa. name", ON(BIT(HOSTDEV_SCSI_HOST))),
    CONF_OPT32(H, vendor, "source/vendor/@id", 0, "vendor", CONF_NUM(num_hex4), ON(USB)),
    CONF_OPT32(H, product, "source/product/@id", 0, "product", CONF_NUM(num_hex4), ON(USB)),
    CONF_OPT32(H, usb_bus, "source/address/@bus", 0, "bus of the host", CONF_NUM(num_any), ON(USB)),
    CONF_OPT32(H, usb_device, "source/address/@device", 0, "device on it", CONF_NUM(num_any), ON(USB)),
    CONF_STRUCT(H, pci, "source/address", pci_address_desc, 0, "address on the host", ON(PCI)),
    CONF_UUID(H, mdev, "source/address/@uuid", 0, "mediated device", ON(MDEV)),
    CONF_STR(H, scsi_adapter, "source/adapter/@name", 0, "host adapter", ON(SCSI)),
    CONF_CUSTOM(H, scsi, "source/address", scsi_address, NULL, CF_VIEW, "LUN of the host", ON(SCSI)),
    CONF_STRUCT(H, scsi, NULL, drive_address_desc, 0, ""),
    CONF_CUSTOM(H, scsi_priv, "source/privateData", scsi_private, NULL, CF_VIEW | CF_LIVE | CF_STATUS | CF_NO_COMPARE, "names in the emulator", ON(SCSI)),
    CONF_OPTIONAL(H, scsi_priv, NULL, storage_private_desc, CF_NO_COMPARE, ""),
    CONF_STR(H, caps_path, "source/block/text()", 0, "block device of the host", ON(BIT(HOSTDEV_STORAGE))),
    CONF_STR(H, caps_path, "source/char/text()", CF_VIEW, "character device of the host", ON(BIT(HOSTDEV_MISC))),
    CONF_STR(H, caps_path, "source/interface/text()", CF_VIEW, "network interface of the host", ON(BIT(HOSTDEV_NET))),
    CONF_LIST(H, caps_ips, "ip", net_ip_desc, 0, "addresses", ON(BIT(HOSTDEV_NET))),
    CONF_LIST(H, caps_routes, "route", net_route_desc, 0, "routes", ON(BIT(HOSTDEV_NET))),
    CONF_ENUM(H, teaming, "teaming/@type", teaming_names, CF_ABI, "role in a failover pair"),
    CONF_STR(H, teaming_persistent, "teaming/@persistent", CF_ABI, "alias of the other one"),
    CONF_FLAG(H, readonly, "readonly", CF_ABI, "the guest may not write", ON(SCSI)),
    CONF_FLAG(H, shareable, "shareable", CF_ABI, "several guests may write", ON(SCSI)),
    CONF_DEVICE_HEAD(H),
    CONF_HIDDEN(H, missing, CF_NO_COMPARE), CONF_PAD(H, _pad), CONF_PAD(H, _pad2),
};
#undef H
#undef ON
CONF_DESC(hostdev_desc, HostdevDef, hostdev_rows, .parsed = hostdev_parsed);

static const ConfField redirdev_rows[] = {
    CONF_ENUM(RedirdevDef, bus, "@bus", redir_bus_names, CF_ALWAYS | CF_ABI, "bus in the guest"),
    CONF_ENUM(RedirdevDef, src.type, "@type", chr_type_names, CF_VIEW | CF_REQUIRED, "connection to the device"),
    CONF_STRUCT(RedirdevDef, src, "", chr_source_desc, 0, "connection to the device"),
    CONF_DEVICE_HEAD(RedirdevDef), CONF_PAD(RedirdevDef, _pad),
};
CONF_DESC(redirdev_desc, RedirdevDef, redirdev_rows);

static const ConfNum num_class = { 0, "0x%02" G_GINT64_MODIFIER "X", 0, 0xff };
static const ConfNum num_id = { 0, "0x%04" G_GINT64_MODIFIER "X", 0, 0xffff };
static const ConfField rule_rows[] = {
    CONF_OPT_OR_ANY(RedirRule, class_, "@class", 0, "usb class", CONF_NUM(num_class)),
    CONF_OPT_OR_ANY(RedirRule, vendor, "@vendor", 0, "usb vendor", CONF_NUM(num_id)),
    CONF_OPT_OR_ANY(RedirRule, product, "@product", 0, "usb product", CONF_NUM(num_id)),
    CONF_STR(RedirRule, version, "@version", 0, "usb device version"),
    CONF_YESNO(RedirRule, allow, "@allow", CF_REQUIRED, "whether such devices may be redirected"),
    CONF_PAD(RedirRule, _pad),
};
static bool rule_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    RedirRule *r = v;
    if (!g_strcmp0(r->version, "-1"))
        g_clear_pointer(&r->version, g_free);
    if (!r->version)
        return true;
    /* Binary coded: "1.1" is release 1.10. */
    const char *c = r->version;
    unsigned n[2] = { 0 }, digits = 0;
    for (unsigned part = 0; part < 2; part++) {
        for (digits = 0; g_ascii_isdigit(*c) && digits < 2; digits++)
            n[part] = n[part] * 10 + (unsigned)g_ascii_digit_value(*c++);
        if (digits == 0 || *c != (part ? '\0' : '.')) {
            conf_error_at(err, VIR_ERR_XML_ERROR, el, "version", "malformed version '%.20s', expected MAJOR.MINOR of two digits at most",
                          r->version);
            return false;
        }
        c += !part;
    }
    g_free(r->version);
    r->version = g_strdup_printf("%u.%02u", n[0], digits == 1 ? n[1] * 10 : n[1]);
    return true;
}
CONF_DESC(redir_rule_desc, RedirRule, rule_rows, .parsed = rule_parsed);
static const ConfField redirfilter_rows[] = {
    CONF_LIST(RedirfilterDef, rules, "usbdev", redir_rule_desc, 0, "first match decides"),
    CONF_DEVICE_HEAD(RedirfilterDef),
};
CONF_DESC(redirfilter_desc, RedirfilterDef, redirfilter_rows);

static const ConfField fs_idmap_rows[] = {
    CONF_U32(FsIdmap, start, "@start", CF_REQUIRED | CF_ALWAYS, "first id in the guest"),
    CONF_U32(FsIdmap, target, "@target", CF_REQUIRED | CF_ALWAYS, "first id on the host"),
    CONF_U32(FsIdmap, count, "@count", CF_REQUIRED | CF_ALWAYS, "ids"),
};
CONF_DESC(fs_idmap_desc, FsIdmap, fs_idmap_rows);

#define F FsDef
#define ON(m) WHEN(F, type, m)
static const ConfNum num_mode = { 8, "%04" G_GINT64_MODIFIER "o", 0, 0777 };
static const ConfField filesystem_rows[] = {
    CONF_ENUM(F, type, "@type", fs_type_names, CF_ALWAYS, "what is shared"),
    CONF_ENUM(F, access, "@accessmode", fs_access_names, 0, "how owners are mapped"),
    CONF_OPT32(F, fmode, "@fmode", 0, "permissions of new files", CONF_NUM(num_mode)),
    CONF_OPT32(F, dmode, "@dmode", 0, "permissions of new directories", CONF_NUM(num_mode)),
    CONF_ENUM(F, multidevs, "@multidevs", fs_multidevs_names, 0, "several file systems below the directory"),
    CONF_ENUM(F, model, "@model", virtio_model_names, CF_ABI, "virtio model"),
    CONF_ENUM(F, driver, "driver/@type", fs_driver_names, 0, "who serves the files"),
    CONF_ENUM(F, format, "driver/@format", storage_format_names, 0, "image format", WHEN(F, driver, ~BIT(FS_DRIVER_DEFAULT))),
    CONF_STR(F, driver_name, "driver/@name", 0, "driver name"),
    CONF_ENUM(F, wrpolicy, "driver/@wrpolicy", fs_wrpolicy_names, 0, "when writes reach the disk", WHEN(F, driver, ~BIT(FS_DRIVER_DEFAULT))),
    CONF_U32(F, queue_size, "driver/@queue", CF_ABI, "entries of a queue"),
    CONF_STRUCT(F, virtio, "driver", virtio_options_desc, CF_ABI, "virtio options"),
    CONF_STR(F, binary, "binary/@path", 0, "virtiofsd"),
    CONF_ONOFF(F, xattr, "binary/@xattr", 0, "extended attributes"),
    CONF_ENUM(F, cache, "binary/cache/@mode", fs_cache_names, 0, "caching in the guest"),
    CONF_ENUM(F, sandbox, "binary/sandbox/@mode", fs_sandbox_names, 0, "how virtiofsd is confined"),
    CONF_ONOFF(F, posix_lock, "binary/lock/@posix", 0, "posix locks"),
    CONF_ONOFF(F, flock, "binary/lock/@flock", 0, "BSD locks"),
    CONF_OPT32(F, thread_pool, "binary/thread_pool/@size", 0, "threads"),
    CONF_OPT32(F, open_files, "binary/openfiles/@max", 0, "files that virtiofsd may have open"),
    CONF_LIST(F, uids, "idmap/uid", fs_idmap_desc, 0, "user ids"),
    CONF_LIST(F, gids, "idmap/gid", fs_idmap_desc, 0, "group ids"),
    CONF_STR(F, src, "source/@dir", 0, "directory", ON(BIT(FS_MOUNT) | BIT(FS_BIND))),
    CONF_STR(F, src, "source/@dev", CF_VIEW, "block device", ON(BIT(FS_BLOCK))),
    CONF_STR(F, src, "source/@file", CF_VIEW, "image", ON(BIT(FS_FILE))),
    CONF_STR(F, src, "source/@name", CF_VIEW, "template", ON(BIT(FS_TEMPLATE))),
    CONF_STR(F, socket, "source/@socket", 0, "virtiofsd that somebody else runs", ON(BIT(FS_MOUNT))),
    CONF_SIZE(F, usage, "source/@usage", size_kib, CF_REQUIRED | CF_UNITS, "memory", ON(BIT(FS_RAM))),
    CONF_STR(F, src_pool, "source/@pool", CF_REQUIRED, "storage pool", ON(BIT(FS_VOLUME))),
    CONF_STR(F, src_volume, "source/@volume", CF_REQUIRED, "volume", ON(BIT(FS_VOLUME))),
    CONF_STR(F, dst, "target/@dir", CF_REQUIRED | CF_NOT_EMPTY | CF_ABI, "mount tag or directory in the guest"),
    CONF_FLAG(F, readonly, "readonly", CF_ABI, "the guest may not write"),
    CONF_DEVICE_HEAD(F),
    CONF_SIZE(F, space_hard_limit, "space_hard_limit/text()", size_bytes, 0, "quota"),
    CONF_SIZE(F, space_soft_limit, "space_soft_limit/text()", size_bytes, 0, "quota"),
};
CONF_DESC(filesystem_desc, FsDef, filesystem_rows);
