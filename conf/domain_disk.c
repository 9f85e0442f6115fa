/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks and storage sources as rows. One struct, StorageSource, has two descriptions: that of a
 * backing layer (<backingStore>, with its own @type and <format>) and that of a disk's top layer,
 * whose format stands in <driver>. Which attributes of <source> mean something is said by
 * the rows' conditions on .type.
 */
#include "conf/domain_disk.h"

#include <string.h>

#include "conf/device-internal.h"
#include "util/api.h"
#include "util/error.h"

/* clang-format off */
ENUM_TABLE(storage_type_names, "storage type", _STORAGE_TYPE_N, NULL, "file", "block", "dir", "network", "volume", "nvme", "vhostuser", "vhostvdpa");
ENUM_TABLE(storage_format_names, "storage format", _STORAGE_FORMAT_N, NULL, "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "cow", "qcow", "qcow2", "qed", "vmdk", "auto");
ENUM_TABLE(storage_protocol_names, "storage protocol", _STORAGE_PROTOCOL_N, NULL, "nbd", "rbd", "sheepdog", "gluster", "iscsi", "http", "https", "ftp", "ftps", "tftp", "ssh", "vxhs", "nfs");
ENUM_TABLE(host_transport_names, "transport", _HOST_TRANSPORT_N, "tcp", "unix", "rdma");
ENUM_TABLE(startup_policy_names, "startup policy", _STARTUP_N, NULL, "mandatory", "requisite", "optional");
ENUM_TABLE(pool_mode_names, "pool mode", _POOL_MODE_N, NULL, "host", "direct");
ENUM_TABLE(encryption_format_names, "encryption format", _ENCRYPTION_FORMAT_N, "default", "qcow", "luks", "luks2", "luks-any");
ENUM_TABLE(encryption_engine_names, "encryption engine", _ENCRYPTION_ENGINE_N, NULL, "qemu", "librbd");
ENUM_TABLE(secret_type_names, "secret type", _SECRET_TYPE_N, NULL, "ceph", "iscsi", "passphrase", "volume", "tls");
ENUM_TABLE(disk_device_names, "disk device", _DISK_DEVICE_N, "disk", "cdrom", "floppy", "lun");
ENUM_TABLE(disk_bus_names, "disk bus", _DISK_BUS_N, NULL, "ide", "fdc", "scsi", "virtio", "xen", "usb", "uml", "sata", "sd", "nvme");
ENUM_TABLE(disk_cache_names, "disk cache", _DISK_CACHE_N, "default", "none", "writethrough", "writeback", "directsync", "unsafe");
ENUM_TABLE(disk_error_names, "error policy", _DISK_ERROR_N, "default", "stop", "report", "ignore", "enospace");
ENUM_TABLE(disk_io_names, "disk io", _DISK_IO_N, "default", "native", "threads", "io_uring");
ENUM_TABLE(disk_discard_names, "discard", _DISK_DISCARD_N, "default", "unmap", "ignore");
ENUM_TABLE(detect_zeroes_names, "detect_zeroes", _DETECT_ZEROES_N, "default", "off", "on", "unmap");
ENUM_TABLE(disk_tray_names, "tray", _DISK_TRAY_N, "closed", "open");
ENUM_TABLE(snapshot_location_names, "snapshot location", _SNAPSHOT_LOCATION_N, "default", "no", "internal", "external", "manual");
ENUM_TABLE(geometry_trans_names, "translation", _GEOMETRY_TRANS_N, "default", "none", "auto", "lba");
ENUM_TABLE(disk_model_names, "disk model", _DISK_MODEL_N, "default", "virtio", "virtio-transitional", "virtio-non-transitional", "usb-storage", "usb-bot");
ENUM_TABLE(mirror_job_names, "mirror job", _MIRROR_JOB_N, NULL, "copy", "active-commit");
ENUM_TABLE(mirror_ready_names, "mirror state", _MIRROR_READY_N, NULL, "yes", "pivot", "abort");
ENUM_TABLE(histogram_names, "histogram type", _HISTOGRAM_N, NULL, "read", "write", "zone", "flush");
ENUM_TABLE(sgio_names, "sgio", _SGIO_N, "default", "filtered", "unfiltered");

/* ---- small parts ---- */

static const ConfField seclabel_rows[] = {
    CONF_STR(DeviceSeclabel, model, "@model", 0, "security model"),
    CONF_YESNO(DeviceSeclabel, relabel, "@relabel", 0, "whether the file is relabelled"),
    CONF_YESNO(DeviceSeclabel, labelskip, "@labelskip", CF_LIVE_INPUT, "relabelling turned out to be impossible"),
    CONF_STR(DeviceSeclabel, label, "label/text()", 0, "label"),
};
/* Without labelskip, which only a running guest has, nothing may be left of a label. */
static bool seclabel_says_nothing(bool inactive, const void *v)
{
    const DeviceSeclabel *s = v;
    return inactive && !s->label && s->relabel != TRI_NO;
}
CONF_DESC(seclabel_desc, DeviceSeclabel, seclabel_rows, .says_nothing = seclabel_says_nothing);

static bool secret_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    const SecretRef *s = v;
    if (s->uuid.set != (s->usage != NULL))
        return true;
    conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, s->usage ? "either uuid or usage expected, found both" : "uuid or usage is missing");
    return false;
}
static const ConfField secret_rows[] = {
    CONF_ENUM(SecretRef, type, "@type", secret_type_names, 0, "what the secret is for"),
    CONF_UUID(SecretRef, uuid, "@uuid", 0, "uuid of the secret"),
    CONF_STR(SecretRef, usage, "@usage", 0, "usage name of the secret"),
};
CONF_DESC(secret_ref_desc, SecretRef, secret_rows, .parsed = secret_parsed);

static const ConfField auth_rows[] = {
    CONF_STR(StorageAuth, username, "@username", CF_REQUIRED | CF_NOT_EMPTY, "user"),
    CONF_STRUCT(StorageAuth, secret, "secret", secret_ref_desc, 0, "the password"),
};
static bool auth_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    if (((const StorageAuth *)v)->secret.type != SECRET_NONE)
        return true;
    conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "'secret/@type' is missing");
    return false;
}
CONF_DESC(storage_auth_desc, StorageAuth, auth_rows, .parsed = auth_parsed);

static const ConfField cipher_rows[] = {
    CONF_STR(EncryptionCipher, name, "@name", CF_REQUIRED, "cipher"),
    CONF_U32(EncryptionCipher, size, "@size", CF_REQUIRED, "key bits"),
    CONF_STR(EncryptionCipher, mode, "@mode", 0, "chaining mode"),
    CONF_STR(EncryptionCipher, hash, "@hash", 0, "hash"),
    CONF_PAD(EncryptionCipher, _pad),
};
CONF_DESC(cipher_desc, EncryptionCipher, cipher_rows);

static const ConfField ivgen_rows[] = {
    CONF_STR(EncryptionIvgen, name, "@name", CF_REQUIRED, "generator"),
    CONF_STR(EncryptionIvgen, hash, "@hash", 0, "hash"),
};
CONF_DESC(ivgen_desc, EncryptionIvgen, ivgen_rows);

static const ConfField encryption_rows[] = {
    CONF_ENUM(StorageEncryption, format, "@format", encryption_format_names, CF_REQUIRED | CF_ALWAYS | CF_UNSUPPORTED, "encryption scheme"),
    CONF_ENUM(StorageEncryption, engine, "@engine", encryption_engine_names, 0, "who decrypts"),
    CONF_LIST(StorageEncryption, secrets, "secret", secret_ref_desc, 0, "passphrases"),
    CONF_OPTIONAL(StorageEncryption, cipher, "cipher", cipher_desc, 0, "cipher", WHEN(StorageEncryption, format, BIT(ENCRYPTION_LUKS))),
    CONF_OPTIONAL(StorageEncryption, ivgen, "ivgen", ivgen_desc, 0, "initialisation vectors", WHEN(StorageEncryption, format, BIT(ENCRYPTION_LUKS))),
};
static bool encryption_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    const StorageEncryption *e = v;

    for (unsigned i = 0; i < list_len(e->secrets); i++) {
        const SecretRef *s = list_at(e->secrets, i);
        if (s->type == SECRET_PASSPHRASE)
            continue;
        if (s->type == SECRET_NONE)
            conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "'secret/@type' is missing");
        else
            conf_error_at(err, VIR_ERR_CONFIG_UNSUPPORTED, el, NULL, "a secret of type '%s' encrypts nothing, expected 'passphrase'",
                          enum_name(&secret_type_names, s->type));
        return false;
    }
    if (!e->ivgen || e->cipher)
        return true;
    conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "'ivgen' is there, but its 'cipher' is missing");
    return false;
}
CONF_DESC(encryption_desc, StorageEncryption, encryption_rows, .parsed = encryption_parsed);

static const ConfField host_rows[] = {
    CONF_STR(StorageHost, name, "@name", 0, "host name or address"),
    CONF_U32(StorageHost, port, "@port", 0, "port", CONF_NUM(num_u16)),
    CONF_ENUM(StorageHost, transport, "@transport", host_transport_names, 0, "transport"),
    CONF_STR(StorageHost, socket, "@socket", 0, "path of a unix socket"),
    CONF_PAD(StorageHost, _pad), CONF_PAD(StorageHost, _pad2),
};
static bool host_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    const StorageHost *h = v;
    if (h->transport == TRANSPORT_UNIX && !h->socket)
        conf_error_at(err, VIR_ERR_XML_ERROR, el, "socket", "missing socket for unix transport");
    else if (h->transport != TRANSPORT_UNIX && h->socket)
        conf_error_at(err, VIR_ERR_XML_ERROR, el, "transport", "transport '%s' does not support socket attribute", enum_name(&host_transport_names, h->transport));
    else if (h->transport != TRANSPORT_UNIX && !h->name)
        conf_error_at(err, VIR_ERR_XML_ERROR, el, "name", "missing name for host");
    else
        return true;
    return false;
}
CONF_DESC(storage_host_desc, StorageHost, host_rows, .parsed = host_parsed);

static const ConfField cookie_rows[] = {
    CONF_STR(StorageCookie, name, "@name", CF_REQUIRED, "cookie name"),
    CONF_STR(StorageCookie, value, "text()", CF_SECRET, "cookie value"),
};
CONF_DESC(cookie_desc, StorageCookie, cookie_rows);

static const ConfField slice_rows[] = {
    CONF_STR(StorageSlice, type, "@type", CF_REQUIRED, "'storage'"),
    CONF_U64(StorageSlice, offset, "@offset", CF_REQUIRED | CF_ALWAYS, "first byte"),
    CONF_U64(StorageSlice, size, "@size", CF_REQUIRED, "bytes"),
};
CONF_DESC(slice_desc, StorageSlice, slice_rows);

static const ConfField reconnect_rows[] = {
    CONF_YESNO(Reconnect, enabled, "@enabled", 0, "connect again when the peer went away"),
    CONF_OPT32(Reconnect, timeout, "@timeout", 0, "seconds between attempts"),
    CONF_PAD(Reconnect, _pad),
};
static bool reconnect_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    const Reconnect *r = v;
    if (r->enabled != TRI_YES || r->timeout.set)
        return true;
    conf_error_at(err, VIR_ERR_XML_ERROR, el, "timeout", "missing, but reconnect is enabled");
    return false;
}
CONF_DESC(reconnect_desc, Reconnect, reconnect_rows, .parsed = reconnect_parsed);

static const ConfField reservations_rows[] = {
    CONF_YESNO(Reservations, enabled, "@enabled", CF_READ_ONLY | CF_VIEW, "older spelling"),
    CONF_YESNO(Reservations, managed, "@managed", CF_REQUIRED, "whether we start the helper"),
    CONF_HIDDEN(Reservations, enabled, 0),
    CONF_STR(Reservations, source_type, "source/@type", 0, "'unix'"),
    CONF_STR(Reservations, source_path, "source/@path", 0, "socket of the helper"),
    CONF_STR(Reservations, source_mode, "source/@mode", 0, "'client'"),
    CONF_UNUSED("source/reconnect/@enabled", "the helper is always connected again"),
    CONF_UNUSED("source/reconnect/@timeout", "the helper is always connected again"),
};
CONF_DESC(reservations_desc, Reservations, reservations_rows);

/* ---- what only status files hold ---- */

#define OWN (CF_LIVE | CF_STATUS | CF_NO_COMPARE)

static const ConfField node_name_rows[] = {
    CONF_STR(NodeName, type, "@type", CF_REQUIRED, "which node of the layer"), CONF_STR(NodeName, name, "@name", CF_REQUIRED, "its name"),
};
CONF_DESC(node_name_desc, NodeName, node_name_rows);
static const ConfField private_secret_rows[] = {
    CONF_STR(PrivateSecret, type, "@type", CF_REQUIRED, "what it is for"), CONF_STR(PrivateSecret, alias, "@alias", CF_REQUIRED, "object"),
};
CONF_DESC(private_secret_desc, PrivateSecret, private_secret_rows);
static const ConfField storage_private_rows[] = {
    CONF_LIST(StoragePrivate, node_names, "nodenames/nodename", node_name_desc, 0, "nodes of the block graph"),
    CONF_STR(StoragePrivate, reservations_alias, "reservations/@mgralias", 0, "object of the reservations helper"),
    CONF_STR(StoragePrivate, rel_path, "relPath/text()", 0, "relative path in the layer above"),
    CONF_LIST(StoragePrivate, secrets, "objects/secret", private_secret_desc, 0, "secrets in the emulator"),
    CONF_STR(StoragePrivate, tls_alias, "objects/TLSx509/@alias", 0, "TLS credentials in the emulator"),
    CONF_LIST(StoragePrivate, fdsets, "fdsets/entry", private_secret_desc, 0, "descriptors in the emulator"),
    CONF_YESNO(StoragePrivate, threshold_by_index, "thresholdEvent/@indexUsed", 0, "events name the layer by its number"),
    CONF_STR(StoragePrivate, pool, "found/@pool", 0, "pool of the volume that the source is"),
    CONF_STR(StoragePrivate, volume, "found/@volume", 0, "the volume"),
    CONF_ENUM(StoragePrivate, pool_mode, "found/@mode", pool_mode_names, 0, "iscsi pools: through the host or directly"),
};
CONF_DESC(storage_private_desc, StoragePrivate, storage_private_rows);

/* ---- sources ---- */

/* <disk><auth> and <disk><encryption> were once outside <source>; they stay where they were found. */
static bool outside_auth_parse(ConfParser *p, const ConfField *row, xmlNode *el, void *base, GError **err)
{
    StorageSource *src = (void *)((char *)base + row->off);
    if (!el || src->auth)
        return true;
    xmlNode *source = xml_child(el->parent, "source");
    if (source && xml_child(source, "auth")) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "an <auth> definition already found for disk source");
        return false;
    }
    src->auth_outside = 1;
    src->auth = g_new0(StorageAuth, 1);
    return conf_parse(p, &storage_auth_desc, el, src->auth, err);
}
static void outside_auth_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    const StorageSource *src = (const void *)((const char *)base + row->off);
    conf_format_at(f, NULL, 0);
    if (src->auth && src->auth_outside)
        conf_format_element(f, &storage_auth_desc, src->auth, "auth");
}
static const ConfCustom outside_auth = { outside_auth_parse, outside_auth_format, NULL, &storage_auth_desc };

static bool outside_encryption_parse(ConfParser *p, const ConfField *row, xmlNode *el, void *base, GError **err)
{
    StorageSource *src = (void *)((char *)base + row->off);
    if (!el)
        return true;
    if (src->encryption) {
        conf_error_at(err, VIR_ERR_CONFIG_UNSUPPORTED, el, NULL, "an <encryption> definition already found for disk source");
        return false;
    }
    src->encryption_outside = 1;
    src->encryption = g_new0(StorageEncryption, 1);
    return conf_parse(p, &encryption_desc, el, src->encryption, err);
}
static void outside_encryption_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    const StorageSource *src = (const void *)((const char *)base + row->off);
    conf_format_at(f, NULL, 0);
    if (src->encryption && src->encryption_outside)
        conf_format_element(f, &encryption_desc, src->encryption, "encryption");
}
static const ConfCustom outside_encryption = { outside_encryption_parse, outside_encryption_format, NULL, &encryption_desc };

#define S StorageSource
#define ON(t) WHEN(S, type, BIT(STORAGE_##t))
/* Rows of both descriptions. The path of the format and of the index differ. */
#define STORAGE_ROWS(index_path) \
    CONF_STR(S, path, "source/@file", 0, "image file", WHEN(S, type, BIT(STORAGE_FILE) | BIT(STORAGE_NONE))), \
    CONF_STR(S, path, "source/@dev", CF_VIEW, "block or vdpa device", WHEN(S, type, BIT(STORAGE_BLOCK) | BIT(STORAGE_VHOSTVDPA))), \
    CONF_STR(S, path, "source/@dir", CF_VIEW, "directory shown as a FAT disk", ON(DIR)), \
    CONF_CONST_REQUIRED("source/@type", "unix", ON(VHOSTUSER)), \
    CONF_STR(S, path, "source/@path", CF_VIEW | CF_REQUIRED | CF_IF_ELEMENT, "vhost-user socket", ON(VHOSTUSER)), \
    CONF_STR(S, fdgroup, "source/@fdgroup", 0, "name of descriptors that the client passed", ON(FILE)), \
    CONF_CONST_REQUIRED("source/@type", "pci", ON(NVME)), \
    CONF_YESNO(S, nvme_managed, "source/@managed", 0, "detach the device from the host", ON(NVME)), \
    CONF_U64(S, nvme_namespace, "source/@namespace", CF_REQUIRED, "NVMe namespace, from 1", CONF_NUM(num_positive), ON(NVME)), \
    CONF_ENUM(S, protocol, "source/@protocol", storage_protocol_names, CF_REQUIRED | CF_IF_ELEMENT, "network protocol", ON(NETWORK)), \
    CONF_STR(S, name, "source/@name", 0, "export, image or volume name", ON(NETWORK)), \
    CONF_STR(S, query, "source/@query", 0, "query part of the URI", ON(NETWORK)), \
    CONF_YESNO(S, tls, "source/@tls", 0, "encrypt the connection", ON(NETWORK)), \
    CONF_STR(S, tls_hostname, "source/@tlsHostname", 0, "name that the certificate must have", ON(NETWORK)), \
    CONF_STR(S, pool, "source/@pool", CF_REQUIRED | CF_IF_ELEMENT, "storage pool", ON(VOLUME)), \
    CONF_STR(S, volume, "source/@volume", CF_REQUIRED | CF_IF_ELEMENT, "volume in the pool", ON(VOLUME)), \
    CONF_ENUM(S, pool_mode, "source/@mode", pool_mode_names, 0, "iscsi pools: through the host or directly", ON(VOLUME)), \
    CONF_OPT32(S, tls_from_config, "source/@tlsFromConfig", OWN, "tls was a setting of the host", ON(NETWORK)), \
    CONF_ENUM(S, startup_policy, "source/@startupPolicy", startup_policy_names, 0, "what to do when the source is missing"), \
    CONF_U32(S, index, index_path, CF_LIVE_INPUT | CF_NO_COMPARE, "number of the layer in a running guest"), \
    CONF_STRUCT(S, nvme_address, "source/address", pci_address_desc, 0, "PCI address of the controller", ON(NVME)), \
    CONF_LIST(S, hosts, "source/host", storage_host_desc, 0, "servers", ON(NETWORK)), \
    CONF_STR(S, snapshot, "source/snapshot/@name", 0, "snapshot of the image", ON(NETWORK)), \
    CONF_STR(S, config_file, "source/config/@file", 0, "configuration file of the cluster", ON(NETWORK)), \
    CONF_STR(S, initiator, "source/initiator/iqn/@name", 0, "iscsi initiator", ON(NETWORK)), \
    CONF_YESNO(S, ssl_verify, "source/ssl/@verify", 0, "whether certificates are checked", ON(NETWORK)), \
    CONF_LIST(S, cookies, "source/cookies/cookie", cookie_desc, 0, "http cookies", ON(NETWORK)), \
    CONF_U64(S, readahead, "source/readahead/@size", 0, "bytes", ON(NETWORK)), \
    CONF_OPT64(S, timeout, "source/timeout/@seconds", 0, "seconds", ON(NETWORK)), \
    CONF_U64(S, reconnect_delay, "source/reconnect/@delay", 0, "nbd: seconds", ON(NETWORK)), \
    CONF_STR(S, nfs_user, "source/identity/@user", 0, "nfs user", ON(NETWORK)), \
    CONF_STR(S, nfs_group, "source/identity/@group", 0, "nfs group", ON(NETWORK)), \
    CONF_STR(S, ssh_username, "source/identity/@username", 0, "ssh user", ON(NETWORK)), \
    CONF_STR(S, ssh_keyfile, "source/identity/@keyfile", 0, "ssh private key", ON(NETWORK)), \
    CONF_STR(S, ssh_agentsock, "source/identity/@agentsock", 0, "ssh agent socket", ON(NETWORK)), \
    CONF_STR(S, known_hosts, "source/knownHosts/@path", 0, "ssh known hosts", ON(NETWORK)), \
    CONF_STRUCT(S, vhost_reconnect, "source/reconnect", reconnect_desc, 0, "vhost-user: connect again", ON(VHOSTUSER)), \
    CONF_LIST(S, seclabels, "source/seclabel", seclabel_desc, 0, "security labels", WHEN(S, type, ~BIT(STORAGE_NETWORK))), \
    CONF_LIST(S, slices, "source/slices/slice", slice_desc, 0, "part of the source that is used"), \
    CONF_OPTIONAL(S, auth, "source/auth", storage_auth_desc, 0, "credentials", WHEN(S, auth_outside, BIT(0))), \
    CONF_OPTIONAL(S, encryption, "source/encryption", encryption_desc, 0, "encryption", WHEN(S, encryption_outside, BIT(0))), \
    CONF_OPTIONAL(S, reservations, "source/reservations", reservations_desc, 0, "SCSI persistent reservations"), \
    CONF_OPTIONAL(S, data, "source/dataStore", storage_desc, 0, "file with the data of a qcow2 image"), \
    CONF_OPTIONAL(S, priv, "source/privateData", storage_private_desc, OWN, "names in the emulator"), \
    CONF_OPTIONAL(S, backing, "backingStore", storage_desc, 0, "next layer of the chain"), \
    CONF_FLAG(S, backing_none, "backingStore", CF_WRITE_ONLY, "the chain ends here"), \
    CONF_HIDDEN(S, auth_outside, 0), CONF_HIDDEN(S, encryption_outside, 0)

static bool storage_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    StorageSource *s = v;

    /* <backingStore/> says that there is no further layer. */
    if (s->backing && s->backing->type == STORAGE_NONE) {
        conf_free(&storage_desc, s->backing);
        s->backing = NULL;
        s->backing_none = 1;
    }
    if (s->backing && !xml_child(xml_child(el, "backingStore"), "source")) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "missing disk backing store source");
        return false;
    }
    return true;
}

static const ConfField storage_rows[] = {
    CONF_ENUM(S, type, "@type", storage_type_names, 0, "where the layer is"),
    CONF_U32(S, index, "@index", CF_VIEW | CF_LIVE_INPUT, "number of the layer in a running guest"),
    CONF_UNUSED("source/@index", "the same number, as clients may repeat it"),
    CONF_ENUM(S, format, "format/@type", storage_format_names, 0, "image format"),
    CONF_SIZE(S, metadata_cache_size, "format/metadata_cache/max_size/text()", size_bytes, 0, "qcow2 metadata cache"),
    STORAGE_ROWS(NULL),
};
CONF_DESC(storage_desc, StorageSource, storage_rows, .parsed = storage_parsed);

static const ConfField top_storage_rows[] = {
    CONF_ENUM(S, type, NULL, storage_type_names, 0, "where the data is"),
    CONF_ENUM(S, format, NULL, storage_format_names, 0, ""),
    CONF_SIZE(S, metadata_cache_size, NULL, size_bytes, 0, ""),
    STORAGE_ROWS("source/@index"),
};
CONF_DESC(top_storage_desc, StorageSource, top_storage_rows, .parsed = storage_parsed);
#undef S

/* A copy to a file is written in the older way, too. */
static void old_mirror_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    const DiskMirror *m = base;

    if (m->src.type != STORAGE_FILE || m->job != MIRROR_COPY)
        return;
    conf_format_at(f, NULL, 0);
    xml_attr(&f->w, "file", m->src.path);
    xml_attr(&f->w, "format", enum_name(&storage_format_names, m->src.format));
}
static const ConfCustom old_mirror = { NULL, old_mirror_format, NULL, NULL };

static const ConfField mirror_rows[] = {
    CONF_ENUM(DiskMirror, src.type, "@type", storage_type_names, CF_VIEW, "where the copy is"),
    CONF_STR(DiskMirror, src.path, "@file", CF_VIEW | CF_READ_ONLY, "older spelling", WHEN(DiskMirror, src.type, BIT(STORAGE_FILE) | BIT(STORAGE_NONE))),
    CONF_ENUM(DiskMirror, src.format, "@format", storage_format_names, CF_VIEW | CF_READ_ONLY, "older spelling", WHEN(DiskMirror, src.type, BIT(STORAGE_FILE) | BIT(STORAGE_NONE))),
    CONF_CUSTOM_VIEW(old_mirror, "", "older spelling, written"),
    CONF_ENUM(DiskMirror, job, "@job", mirror_job_names, 0, "the block job"),
    CONF_ENUM(DiskMirror, ready, "@ready", mirror_ready_names, 0, "whether the copy is complete"),
    CONF_ENUM(DiskMirror, src.format, "format/@type", storage_format_names, CF_VIEW, "image format"),
    CONF_SIZE(DiskMirror, src.metadata_cache_size, "format/metadata_cache/max_size/text()", size_bytes, CF_VIEW, "qcow2 metadata cache"),
    CONF_STRUCT(DiskMirror, src, "", top_storage_desc, 0, ""),
};
static bool mirror_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    DiskMirror *m = v;
    if (m->src.type == STORAGE_NONE)
        m->src.type = STORAGE_FILE;
    if (m->job == MIRROR_NONE)
        m->job = MIRROR_COPY;
    return true;
}
CONF_DESC(mirror_desc, DiskMirror, mirror_rows, .parsed = mirror_parsed);

static const ConfField iotune_rows[] = {
#define T(name, text) CONF_U64(DiskIotune, name, #name "/text()", 0, text)
    T(total_bytes_sec, "bytes per second"), T(read_bytes_sec, "read"), T(write_bytes_sec, "written"),
    T(total_iops_sec, "operations per second"), T(read_iops_sec, "reads"), T(write_iops_sec, "writes"),
    T(total_bytes_sec_max, "bytes per second in a burst"), T(read_bytes_sec_max, ""), T(write_bytes_sec_max, ""),
    T(total_iops_sec_max, "operations per second in a burst"), T(read_iops_sec_max, ""), T(write_iops_sec_max, ""),
    T(size_iops_sec, "bytes that count as one operation"),
    CONF_STR(DiskIotune, group_name, "group_name/text()", 0, "disks that share the limits"),
    T(total_bytes_sec_max_length, "seconds of a burst"), T(read_bytes_sec_max_length, ""), T(write_bytes_sec_max_length, ""),
    T(total_iops_sec_max_length, "seconds of a burst"), T(read_iops_sec_max_length, ""), T(write_iops_sec_max_length, ""),
#undef T
};
CONF_DESC(iotune_desc, DiskIotune, iotune_rows);

static const ConfField iothread_queue_rows[] = { CONF_U32(DiskIothreadQueue, id, "@id", CF_REQUIRED | CF_ALWAYS, "queue number") };
CONF_DESC(iothread_queue_desc, DiskIothreadQueue, iothread_queue_rows);
static const ConfField disk_iothread_rows[] = {
    CONF_U32(DiskIothread, id, "@id", CF_REQUIRED, "I/O thread"),
    CONF_LIST(DiskIothread, queues, "queue", iothread_queue_desc, 0, "queues that it serves"),
    CONF_PAD(DiskIothread, _pad),
};
CONF_DESC(disk_iothread_desc, DiskIothread, disk_iothread_rows);

static const ConfField statistic_rows[] = { CONF_U32(DiskStatistic, interval, "@interval", CF_REQUIRED, "seconds", CONF_NUM(num_positive)) };
CONF_DESC(statistic_desc, DiskStatistic, statistic_rows);
static const ConfField bin_rows[] = { CONF_U64(HistogramBin, start, "@start", CF_REQUIRED | CF_ALWAYS, "least nanoseconds") };
CONF_DESC(histogram_bin_desc, HistogramBin, bin_rows);
static const ConfField histogram_rows[] = {
    CONF_ENUM(DiskHistogram, type, "@type", histogram_names, 0, "operation; without: every kind"),
    CONF_LIST(DiskHistogram, bins, "bin", histogram_bin_desc, 0, "ranges of time"), CONF_PAD(DiskHistogram, _pad),
};
CONF_DESC(histogram_desc, DiskHistogram, histogram_rows);

static const ConfField throttle_rows[] = { CONF_STR(StrItem, s, "@group", CF_REQUIRED, "throttle group") };
CONF_DESC(throttle_desc, StrItem, throttle_rows);

/* Old documents of xen name the way to read raw images instead of their format. */
static int disk_format_find(const void *base, const char *word)
{
    return !strcmp(word, "aio") ? FORMAT_RAW : enum_value(&storage_format_names, word);
}
static const ConfEnumBy disk_format = { &storage_format_names, disk_format_find, "image format", "aio" };

static bool disk_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    DiskDef *d = v;

    if (d->src.type == STORAGE_NONE)
        d->src.type = STORAGE_FILE;
    return true;
}

static const ConfField disk_rows[] = {
    CONF_ENUM(DiskDef, src.type, "@type", storage_type_names, CF_VIEW, "where the data is"),
    CONF_ENUM(DiskDef, device, "@device", disk_device_names, CF_ABI | CF_ALWAYS, "what the guest sees"),
    CONF_ENUM(DiskDef, model, "@model", disk_model_names, CF_ABI, "device model"),
    CONF_YESNO(DiskDef, rawio, "@rawio", 0, "raw I/O capability for the emulator"),
    CONF_ENUM(DiskDef, sgio, "@sgio", sgio_names, 0, "whether SCSI commands are filtered"),
    CONF_ENUM(DiskDef, snapshot, "@snapshot", snapshot_location_names, 0, "how snapshots treat the disk"),

    CONF_STR(DiskDef, driver, "driver/@name", 0, "block driver"),
    CONF_ENUM_BY(DiskDef, src.format, "driver/@type", disk_format, CF_VIEW, "image format"),
    CONF_ENUM(DiskDef, cache, "driver/@cache", disk_cache_names, 0, "host page cache use"),
    CONF_ENUM(DiskDef, error_policy, "driver/@error_policy", disk_error_names, 0, "on write errors"),
    CONF_ENUM(DiskDef, rerror_policy, "driver/@rerror_policy", disk_error_names, 0, "on read errors"),
    CONF_ENUM(DiskDef, io, "driver/@io", disk_io_names, 0, "kind of asynchronous I/O"),
    CONF_ONOFF(DiskDef, ioeventfd, "driver/@ioeventfd", CF_ABI, "handle I/O in a thread"),
    CONF_ONOFF(DiskDef, event_idx, "driver/@event_idx", CF_ABI, "suppress needless interrupts"),
    CONF_ONOFF(DiskDef, copy_on_read, "driver/@copy_on_read", 0, "keep what was read from the backing layer"),
    CONF_ENUM(DiskDef, discard, "driver/@discard", disk_discard_names, 0, "what to do with discarded blocks"),
    CONF_ONOFF(DiskDef, discard_no_unref, "driver/@discard_no_unref", 0, "keep clusters of discarded blocks"),
    CONF_U32(DiskDef, iothread, "driver/@iothread", 0, "I/O thread", CONF_NUM(num_positive)),
    CONF_ENUM(DiskDef, detect_zeroes, "driver/@detect_zeroes", detect_zeroes_names, 0, "what to do with zeroes"),
    CONF_U32(DiskDef, queues, "driver/@queues", CF_ABI, "virtio queues"),
    CONF_U32(DiskDef, queue_size, "driver/@queue_size", CF_ABI, "entries of a queue"),
    CONF_STRUCT(DiskDef, virtio, "driver", virtio_options_desc, CF_ABI, "virtio options"),
    CONF_LIST(DiskDef, iothreads, "driver/iothreads/iothread", disk_iothread_desc, 0, "I/O threads and their queues"),
    CONF_LIST(DiskDef, statistics, "driver/statistics/statistic", statistic_desc, 0, "figures over intervals"),
    CONF_LIST(DiskDef, histograms, "driver/statistics/latency-histogram", histogram_desc, 0, "how long operations take"),
    CONF_SIZE(DiskDef, src.metadata_cache_size, "driver/metadata_cache/max_size/text()", size_bytes, CF_VIEW, "qcow2 metadata cache"),

    CONF_CUSTOM(DiskDef, src, "auth", outside_auth, NULL, CF_VIEW, "credentials, older place"),
    CONF_STRUCT(DiskDef, src, "", top_storage_desc, 0, "the data"),
    CONF_STR(DiskDef, domain_name, "backenddomain/@name", 0, "xen driver domain"),
    CONF_U32(DiskDef, cylinders, "geometry/@cyls", CF_ABI, "cylinders"),
    CONF_U32(DiskDef, heads, "geometry/@heads", CF_ABI, "heads"),
    CONF_U32(DiskDef, sectors, "geometry/@secs", CF_ABI, "sectors"),
    CONF_ENUM(DiskDef, geometry_trans, "geometry/@trans", geometry_trans_names, CF_ABI, "translation"),
    CONF_U32(DiskDef, logical_block_size, "blockio/@logical_block_size", CF_ABI, "bytes"),
    CONF_U32(DiskDef, physical_block_size, "blockio/@physical_block_size", CF_ABI, "bytes"),
    CONF_U32(DiskDef, discard_granularity, "blockio/@discard_granularity", CF_ABI, "bytes"),
    CONF_OPTIONAL(DiskDef, mirror, "mirror", mirror_desc, CF_LIVE, "copy in progress"),
    CONF_STR(DiskDef, dst, "target/@dev", CF_REQUIRED | CF_ABI | CF_NOT_EMPTY, "name in the guest"),
    CONF_ENUM(DiskDef, bus, "target/@bus", disk_bus_names, CF_ABI, "bus in the guest"),
    CONF_ENUM(DiskDef, tray, "target/@tray", disk_tray_names, 0, "tray of a removable medium"),
    CONF_ONOFF(DiskDef, removable, "target/@removable", CF_ABI, "usb: removable flag"),
    CONF_U32(DiskDef, rotation_rate, "target/@rotation_rate", CF_ABI, "rotations per minute, 1: not rotating", CONF_NUM(num_u16)),
    CONF_STRUCT(DiskDef, iotune, "iotune", iotune_desc, 0, "limits"),
    CONF_LIST(DiskDef, throttle_groups, "throttlefilters/throttlefilter", throttle_desc, 0, "throttle groups"),
    CONF_FLAG(DiskDef, readonly, "readonly", CF_ABI, "the guest may not write"),
    CONF_FLAG(DiskDef, shareable, "shareable", CF_ABI, "several guests may write"),
    CONF_FLAG(DiskDef, transient, "transient", 0, "changes are dropped at the end"),
    CONF_YESNO(DiskDef, transient_share, "transient/@shareBacking", 0, "the base may be used by others"),
    CONF_STR(DiskDef, serial, "serial/text()", CF_ABI, "serial number"),
    CONF_STR(DiskDef, wwn, "wwn/text()", CF_ABI, "world wide name"),
    CONF_STR(DiskDef, vendor, "vendor/text()", CF_ABI, "SCSI vendor"),
    CONF_STR(DiskDef, product, "product/text()", CF_ABI, "SCSI product"),
    CONF_CUSTOM(DiskDef, src, "encryption", outside_encryption, NULL, CF_VIEW, "encryption, older place"),
    CONF_DEVICE_HEAD(DiskDef),
    CONF_STR(DiskDef, qom_name, "privateData/qom/@name", OWN, "path in the emulator's object tree"),
    CONF_LIST(DiskDef, node_names, "privateData/nodenames/nodename", node_name_desc, OWN, "node that copies on reads"),
    CONF_STR(DiskDef, auth_placement, "diskSecretsPlacement/@auth", OWN, "credentials were outside of the source"),
    CONF_STR(DiskDef, encryption_placement, "diskSecretsPlacement/@enc", OWN, "encryption was outside of the source"),
    CONF_PAD(DiskDef, _pad),
};

/* As users wrote it; what was found for a volume, with the pool's credentials, is ours to know. */
static bool as_volume(StorageSource *s)
{
    const StoragePrivate *p = s->priv;
    if (!p || !p->pool)
        return false;
    s->type = STORAGE_VOLUME;
    s->pool = p->pool;
    s->volume = p->volume;
    s->pool_mode = p->pool_mode;
    s->auth = NULL;
    s->priv = NULL;
    return true;
}
static void *disk_face(const void *v)
{
    const DiskDef *d = v;
    if (!d->src.priv || !d->src.priv->pool)
        return NULL;
    DiskDef *face = g_memdup2(d, sizeof(*d));
    (void)as_volume(&face->src);
    return face;
}
CONF_DESC(disk_desc, DiskDef, disk_rows, .parsed = disk_parsed, .face = disk_face);
/* clang-format on */

int disk_name_to_index(const char *name)
{
    static const char *const prefixes[] = { "fd", "hd", "vd", "sd", "xvd", "ubd", "nvme" };

    for (unsigned i = 0; i < G_N_ELEMENTS(prefixes); i++) {
        if (!g_str_has_prefix(name, prefixes[i]))
            continue;
        const char *s = name + strlen(prefixes[i]);
        int64_t n = 0;
        if (!g_ascii_islower(*s))
            return -1;
        for (; g_ascii_islower(*s); s++) {
            n = n * 26 + (*s - 'a') + 1;
            if (n > INT32_MAX)
                return -1;
        }
        while (g_ascii_isdigit(*s))
            s++;
        return *s ? -1 : (int)(n - 1);
    }
    return -1;
}

char *disk_index_to_name(const char *prefix, unsigned index)
{
    char digits[16];
    unsigned n = 0;

    for (uint64_t i = (uint64_t)index + 1; i; i = (i - 1) / 26)
        digits[n++] = (char)('a' + (i - 1) % 26);
    GString *s = g_string_new(prefix);
    while (n)
        g_string_append_c(s, digits[--n]);
    return g_string_free(s, FALSE);
}

bool storage_source_says(const StorageSource *like, const StorageSource *have)
{
    StorageSource face = *have;

    (void)as_volume(&face);
    return conf_says(&top_storage_desc, like, &face);
}
