/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools as rows. What a type of pool has (hosts, devices, a directory, …) is a set of types beside
 * each row; what it needs is a table (needs[]). The type of the pool is kept in its source, because
 * sources also stand alone.
 */
#include "conf/storage_pool.h"

#include <string.h>

#include "conf/device-internal.h"
#include "conf/domain.h"
#include "util/api.h"
#include "util/error.h"

/* clang-format off */
ENUM_TABLE(storage_pool_type_names, "storage pool type", _POOL_TYPE_N, "dir", "fs", "netfs", "logical", "disk", "iscsi", "iscsi-direct", "scsi", "mpath", "rbd", "sheepdog", "gluster", "zfs", "vstorage");
ENUM_TABLE(pool_fs_format_names, "file system", _POOL_FS_N, "auto", "ext2", "ext3", "ext4", "ufs", "iso9660", "udf", "gfs", "gfs2", "vfat", "hfs+", "xfs", "ocfs2", "vmfs");
ENUM_TABLE(pool_netfs_format_names, "network file system", _POOL_NETFS_N, "auto", "nfs", "glusterfs", "cifs");
ENUM_TABLE(pool_disk_format_names, "partition table", _POOL_DISK_N, "unknown", "dos", "dvh", "gpt", "mac", "bsd", "pc98", "sun", "lvm2");
ENUM_TABLE(pool_logical_format_names, "volume group format", _POOL_LOGICAL_N, "unknown", "lvm2");
ENUM_TABLE(pool_auth_names, "authentication type", _POOL_AUTH_N, NULL, "chap", "ceph");
ENUM_TABLE(pool_adapter_names, "adapter type", _ADAPTER_TYPE_N, NULL, "scsi_host", "fc_host");
ENUM_TABLE(pool_refresh_names, "allocation", _REFRESH_N, NULL, "default", "capacity");

#define FS_SCHEMA "http://libvirt.org/schemas/storagepool/fs/1.0"
#define RBD_SCHEMA "http://libvirt.org/schemas/storagepool/rbd/1.0"

#define HOSTS   (BIT(POOL_NETFS) | BIT(POOL_ISCSI) | BIT(POOL_ISCSI_DIRECT) | BIT(POOL_RBD) | BIT(POOL_SHEEPDOG) | BIT(POOL_GLUSTER))
#define DEVICES (BIT(POOL_FS) | BIT(POOL_LOGICAL) | BIT(POOL_DISK) | BIT(POOL_ISCSI) | BIT(POOL_ISCSI_DIRECT) | BIT(POOL_ZFS))
#define DIRS    (BIT(POOL_NETFS) | BIT(POOL_GLUSTER))
#define NAMES   (BIT(POOL_LOGICAL) | BIT(POOL_RBD) | BIT(POOL_SHEEPDOG) | BIT(POOL_GLUSTER) | BIT(POOL_ZFS) | BIT(POOL_VSTORAGE))
#define ISCSIS  (BIT(POOL_ISCSI) | BIT(POOL_ISCSI_DIRECT))
#define NO_TARGET (BIT(POOL_ISCSI_DIRECT) | BIT(POOL_RBD) | BIT(POOL_SHEEPDOG) | BIT(POOL_GLUSTER))
#define ANY     (BIT(_POOL_TYPE_N) - 1)

/* ---- sources ---- */

static const ConfField host_rows[] = {
    CONF_STR(PoolHost, name, "@name", CF_REQUIRED | CF_NOT_EMPTY, "server"),
    CONF_U32(PoolHost, port, "@port", 0, "port", CONF_NUM(num_u16)),
    CONF_PAD(PoolHost, _pad),
};
CONF_DESC(pool_host_desc, PoolHost, host_rows);

static const ConfField extent_rows[] = {
    CONF_U64(PoolExtent, start, "@start", CF_REQUIRED | CF_ALWAYS, "first byte"),
    CONF_U64(PoolExtent, end, "@end", CF_REQUIRED | CF_ALWAYS, "byte after the last"),
};
CONF_DESC(pool_extent_desc, PoolExtent, extent_rows);

static const ConfField device_rows[] = {
    CONF_STR(PoolDevice, path, "@path", CF_REQUIRED | CF_NOT_EMPTY, "block device or iSCSI target"),
    CONF_YESNO(PoolDevice, part_separator, "@part_separator", 0, "partitions are named with a 'p'"),
    CONF_LIST(PoolDevice, free_extents, "freeExtent", pool_extent_desc, CF_LIVE, "space without partitions"),
    CONF_PAD(PoolDevice, _pad),
};
CONF_DESC(pool_device_desc, PoolDevice, device_rows);

static const ConfField pool_auth_rows[] = {
    CONF_ENUM(PoolAuth, type, "@type", pool_auth_names, CF_REQUIRED | CF_UNSUPPORTED, "protocol"),
    CONF_STR(PoolAuth, username, "@username", CF_REQUIRED | CF_NOT_EMPTY, "user"),
    CONF_STRUCT(PoolAuth, secret, "secret", secret_ref_desc, 0, "the password"),
    CONF_PAD(PoolAuth, _pad),
};
static bool pool_auth_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    const PoolAuth *a = v;
    if (a->secret.uuid.set || a->secret.usage)
        return true;
    conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "'secret' is missing");
    return false;
}
CONF_DESC(pool_auth_desc, PoolAuth, pool_auth_rows, .parsed = pool_auth_parsed);

#define A PoolAdapter
#define SCSI_HOST WHEN(A, type, BIT(ADAPTER_SCSI_HOST))
#define FC_HOST   WHEN(A, type, BIT(ADAPTER_FC_HOST))
static const ConfField adapter_rows[] = {
    CONF_ENUM(A, type, "@type", pool_adapter_names, 0, "kind of host bus adapter"),
    CONF_STR(A, name, "@name", 0, "name of the SCSI host", WHEN(A, type, BIT(ADAPTER_SCSI_HOST) | BIT(ADAPTER_NONE))),
    CONF_STR(A, parent, "@parent", 0, "adapter below which the vHBA is made", FC_HOST),
    CONF_YESNO(A, managed, "@managed", 0, "the vHBA is removed with the pool", FC_HOST),
    CONF_STR(A, parent_wwnn, "@parent_wwnn", 0, "parent by node name", FC_HOST),
    CONF_STR(A, parent_wwpn, "@parent_wwpn", 0, "parent by port name", FC_HOST),
    CONF_STR(A, parent_fabric_wwn, "@parent_fabric_wwn", 0, "parent by fabric", FC_HOST),
    CONF_STR(A, wwnn, "@wwnn", CF_REQUIRED, "node name", FC_HOST),
    CONF_STR(A, wwpn, "@wwpn", CF_REQUIRED, "port name", FC_HOST),
    CONF_FLAG(A, has_parent_address, "parentaddr", CF_ALWAYS, "SCSI host by the PCI address of its adapter", WHEN(A, has_parent_address, BIT(1))),
    CONF_FLAG(A, has_parent_address, "parentaddr", CF_VIEW | CF_READ_ONLY, "", WHEN(A, type, BIT(ADAPTER_SCSI_HOST) | BIT(ADAPTER_NONE))),
    CONF_U32(A, unique_id, "parentaddr/@unique_id", CF_REQUIRED | CF_ALWAYS, "number of the host", WHEN(A, has_parent_address, BIT(1))),
    CONF_STRUCT(A, parent_address, "parentaddr/address", pci_address_desc, 0, "PCI address", WHEN(A, has_parent_address, BIT(1))),
};
static bool wwn_ok(xmlNode *el, const char *attr, const char *wwn, GError **err)
{
    const char *digits = wwn && g_str_has_prefix(wwn, "0x") ? wwn + 2 : wwn;
    if (!digits || (strlen(digits) == 16 && strspn(digits, "0123456789abcdefABCDEF") == 16))
        return true;
    conf_error_at(err, VIR_ERR_XML_ERROR, el, attr, "malformed world wide name '%.100s', expected 16 hexadecimal digits", wwn);
    return false;
}
static bool adapter_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    A *a = v;

    if (a->type == ADAPTER_NONE) {
        if (xml_attr_get(el, "wwnn") || xml_attr_get(el, "wwpn") || xml_attr_get(el, "parent") || a->has_parent_address) {
            conf_error_at(err, VIR_ERR_XML_ERROR, el, "type", "missing, but wwnn, wwpn, parent or parentaddr are there");
            return false;
        }
        a->type = ADAPTER_SCSI_HOST;
    }
    if (a->type == ADAPTER_SCSI_HOST && !a->name == !a->has_parent_address) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "either name or parentaddr expected, found %s", a->name ? "both" : "none");
        return false;
    }
    if (a->has_parent_address && !a->parent_address.given) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "'parentaddr/address' is missing");
        return false;
    }
    if (!a->parent_wwnn != !a->parent_wwpn) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "parent_wwnn and parent_wwpn must be given together");
        return false;
    }
    return wwn_ok(el, "wwnn", a->wwnn, err) && wwn_ok(el, "wwpn", a->wwpn, err) &&
           wwn_ok(el, "parent_wwnn", a->parent_wwnn, err) && wwn_ok(el, "parent_wwpn", a->parent_wwpn, err) &&
           wwn_ok(el, "parent_fabric_wwn", a->parent_fabric_wwn, err);
}
#undef A
CONF_DESC(pool_adapter_desc, PoolAdapter, adapter_rows, .parsed = adapter_parsed);

#define S StoragePoolSource
#define OF(types) WHEN(S, type, types)
static const ConfField source_rows[] = {
    CONF_LIST(S, hosts, "host", pool_host_desc, 0, "servers", OF(HOSTS)),
    CONF_LIST(S, devices, "device", pool_device_desc, 0, "devices", OF(DEVICES)),
    CONF_STR(S, dir, "dir/@path", CF_EMPTY_IS_NONE, "directory on the server", OF(DIRS)),
    CONF_OPTIONAL(S, adapter, "adapter", pool_adapter_desc, 0, "host bus adapter", OF(BIT(POOL_SCSI))),
    CONF_STR(S, name, "name/text()", 0, "name in the storage system", OF(NAMES)),
    CONF_STR(S, initiator, "initiator/iqn/@name", CF_EMPTY_IS_NONE, "iSCSI initiator", OF(ISCSIS)),
    CONF_ENUM(S, format, "format/@type", pool_fs_format_names, CF_ALWAYS | CF_UNSUPPORTED | CF_EMPTY_IS_NONE, "file system", OF(BIT(POOL_FS))),
    CONF_ENUM(S, format, "format/@type", pool_netfs_format_names, CF_VIEW | CF_ALWAYS | CF_UNSUPPORTED | CF_EMPTY_IS_NONE, "network file system", OF(BIT(POOL_NETFS))),
    CONF_ENUM(S, format, "format/@type", pool_disk_format_names, CF_VIEW | CF_ALWAYS | CF_UNSUPPORTED | CF_EMPTY_IS_NONE, "partition table", OF(BIT(POOL_DISK))),
    CONF_ENUM(S, format, "format/@type", pool_logical_format_names, CF_VIEW | CF_ALWAYS | CF_UNSUPPORTED | CF_EMPTY_IS_NONE, "volume group", OF(BIT(POOL_LOGICAL))),
    CONF_OPTIONAL(S, auth, "auth", pool_auth_desc, 0, "credentials"),
    CONF_STR(S, protocol_version, "protocol/@ver", CF_EMPTY_IS_NONE, "nfs version", OF(BIT(POOL_NETFS))),
    CONF_STR(S, vendor, "vendor/@name", CF_EMPTY_IS_NONE, "vendor of the storage"),
    CONF_STR(S, product, "product/@name", CF_EMPTY_IS_NONE, "product"),
    CONF_HIDDEN(S, type, 0), CONF_HIDDEN(S, format_given, CF_NO_COMPARE), CONF_PAD(S, _pad),
};
static bool source_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    xmlNode *format = xml_child(el, "format");
    const char *type = format ? xml_attr_get(format, "type") : NULL;

    ((S *)v)->format_given = type && *type;
    return true;
}
CONF_DESC(storage_pool_source_desc, StoragePoolSource, source_rows, .parsed = source_parsed);
#undef S
#undef OF

/* ---- permissions, shared with volumes ---- */

static const ConfNum num_mode = { 8, "0%" G_GINT64_MODIFIER "o", 0, 0777 };
static const ConfField permissions_rows[] = {
    CONF_OPT32(StoragePermissions, mode, "mode/text()", 0, "permission bits", CONF_NUM(num_mode)),
    CONF_OPT_OR_ANY(StoragePermissions, owner, "owner/text()", 0, "user id, -1: any"),
    CONF_OPT_OR_ANY(StoragePermissions, group, "group/text()", 0, "group id, -1: any"),
    CONF_STR(StoragePermissions, label, "label/text()", 0, "security label"),
};
static bool permissions_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    const StoragePermissions *s = v;
    xmlNode *empty = NULL;

    /* -1 leaves the number unset as well, but says something */
    for (xmlNode *c = xml_child(el, NULL); c && !empty; c = xml_next(c, NULL)) {
        if (!c->children && ((xml_is(c, "owner") && !s->owner.set) || (xml_is(c, "group") && !s->group.set)))
            empty = c;
    }
    if (empty)
        conf_error_at(err, VIR_ERR_XML_ERROR, empty, NULL, "a number is missing");
    return !empty;
}
CONF_DESC(storage_permissions_desc, StoragePermissions, permissions_rows, .parsed = permissions_parsed);

/* ---- the pool ---- */

static const ConfField mount_option_rows[] = { CONF_STR(StrItem, s, "@name", CF_REQUIRED | CF_NOT_EMPTY, "mount option") };
CONF_DESC(pool_mount_option_desc, StrItem, mount_option_rows);
static const ConfField config_option_rows[] = {
    CONF_STR(PoolOption, name, "@name", CF_REQUIRED | CF_NOT_EMPTY, "option"),
    CONF_STR(PoolOption, value, "@value", CF_REQUIRED | CF_NOT_EMPTY, "value"),
};
CONF_DESC(pool_config_option_desc, PoolOption, config_option_rows);

#define D StoragePoolDef
#define OF(types) WHEN(D, source.type, types)
static const ConfField pool_rows[] = {
    CONF_ENUM(D, source.type, "@type", storage_pool_type_names, CF_VIEW | CF_REQUIRED | CF_ALWAYS, "kind of storage"),
    CONF_CONST("@xmlns:fs", FS_SCHEMA, WHEN(D, has_mount_options, BIT(1))),
    CONF_CONST("@xmlns:rbd", RBD_SCHEMA, WHEN(D, has_config_options, BIT(1))),
    CONF_STR(D, name, "name/text()", 0, "name"),
    CONF_UUID(D, uuid, "uuid/text()", 0, "identity"),
    CONF_SIZE(D, capacity, "capacity/text()", size_bytes, CF_LIVE | CF_ALWAYS | CF_NO_COMPARE, "bytes in all"),
    CONF_SIZE(D, allocation, "allocation/text()", size_bytes, CF_LIVE | CF_ALWAYS | CF_NO_COMPARE, "bytes given to volumes"),
    CONF_SIZE(D, available, "available/text()", size_bytes, CF_LIVE | CF_ALWAYS | CF_NO_COMPARE, "bytes that are left"),
    CONF_YESNO(D, cow, "features/cow/@state", 0, "copy-on-write of files, of directories and file systems"),
    CONF_CONST("source", ""),
    CONF_STRUCT(D, source, "source", storage_pool_source_desc, 0, "where the storage is"),
    CONF_STR(D, target, "target/path/text()", 0, "where volumes appear", OF(ANY & ~NO_TARGET)),
    CONF_OPTIONAL(D, permissions, "target/permissions", storage_permissions_desc, CF_SKIP_EMPTY, "of the directory", OF(ANY & ~NO_TARGET)),
    CONF_ENUM(D, refresh_allocation, "refresh/volume/@allocation", pool_refresh_names, CF_EMPTY_IS_NONE, "how volumes are counted"),
    CONF_LIST(D, mount_options, "fs:mount_opts/fs:option", pool_mount_option_desc, 0, "mount options", OF(BIT(POOL_FS) | BIT(POOL_NETFS))),
    CONF_LIST(D, config_options, "rbd:config_opts/rbd:option", pool_config_option_desc, 0, "options of librados", OF(BIT(POOL_RBD))),
    CONF_HIDDEN(D, uuid_generated, CF_NO_COMPARE), CONF_HIDDEN(D, has_mount_options, 0), CONF_HIDDEN(D, has_config_options, 0),
};
CONF_DESC(storage_pool_desc, StoragePoolDef, pool_rows);
#undef D
#undef OF
/* clang-format on */

/* ---- stages ---- */

char *storage_path_clean(const char *path)
{
    if (*path != '/' && strstr(path, "://"))
        return g_strdup(path);
    /* Two slashes at the beginning, and not more, may mean something to the system. */
    bool two = path[0] == '/' && path[1] == '/' && path[2] != '/';
    GString *s = g_string_new(two ? "/" : NULL);
    for (const char *c = path; *c; c++) {
        if (*c != '/' || c == path || c[-1] != '/')
            g_string_append_c(s, *c);
    }
    if (s->len > 1 && s->str[s->len - 1] == '/' && strcmp(s->str, "//") != 0)
        g_string_truncate(s, s->len - 1);
    return g_string_free(s, FALSE);
}

static void clean(char **path)
{
    if (!*path)
        return;
    char *c = storage_path_clean(*path);
    g_free(*path);
    *path = c;
}

static bool pool_resolve(void *def, unsigned flags, GError **err)
{
    StoragePoolDef *d = def;
    StoragePoolSource *s = &d->source;

    if (s->type == POOL_RBD && !s->name) {
        error_set(err, VIR_ERR_XML_ERROR, "pool/source/name: missing, a pool of type 'rbd' needs it");
        return false;
    }
    if (!d->name && (NAMES >> s->type & 1))
        d->name = g_strdup(s->name);
    if (!d->name || !*d->name) {
        error_set(err, VIR_ERR_XML_ERROR, "pool/name: missing");
        return false;
    }
    if (!s->name && (NAMES >> s->type & 1))
        s->name = g_strdup(d->name);
    if (!d->uuid.set) {
        uuid_generate(d->uuid.v);
        d->uuid.set = d->uuid_generated = 1;
    }
    clean(&s->dir);
    clean(&d->target);
    d->has_mount_options = list_len(d->mount_options) > 0;
    d->has_config_options = list_len(d->config_options) > 0;
    return true;
}

static bool pool_defaults(void *def, unsigned flags, GError **err)
{
    StoragePoolDef *d = def;

    if (d->source.type == POOL_LOGICAL && !d->source.format_given)
        d->source.format = POOL_LOGICAL_LVM2;
    if (d->source.type == POOL_GLUSTER && !d->source.dir)
        d->source.dir = g_strdup("/");
    /* These two are where the system puts the devices of a group, whatever was asked for. */
    if (d->source.type == POOL_LOGICAL || d->source.type == POOL_ZFS) {
        g_free(d->target);
        d->target = g_build_filename(d->source.type == POOL_ZFS ? "/dev/zvol" : "/dev", d->source.name, NULL);
    }
    return true;
}

static bool pool_validate(const void *def, unsigned flags, GError **err)
{
    const StoragePoolDef *d = def;
    const StoragePoolSource *s = &d->source;
    const struct {
        uint64_t types;
        bool there;
        const char *what;
    } needs[] = {
        { HOSTS, list_len(s->hosts) > 0, "source/host" },
        { BIT(POOL_FS) | BIT(POOL_DISK) | ISCSIS, list_len(s->devices) > 0, "source/device" },
        { DIRS & ~BIT(POOL_GLUSTER), s->dir && *s->dir, "source/dir" },
        { BIT(POOL_SCSI), s->adapter != NULL, "source/adapter" },
        { BIT(POOL_ISCSI_DIRECT), s->initiator && *s->initiator, "source/initiator/iqn" },
        { ANY & ~NO_TARGET, d->target != NULL, "target/path" },
    };

    if (strchr(d->name, '/')) {
        error_set(err, VIR_ERR_XML_ERROR, "pool/name: '%s' must not contain '/'", d->name);
        return false;
    }
    if (d->target && *d->target != '/' && !(NO_TARGET >> s->type & 1)) {
        error_set(err, VIR_ERR_XML_ERROR, "pool '%s': target/path: '%s' does not begin with '/'", d->name, d->target);
        return false;
    }
    if (d->cow != TRI_ABSENT && d->source.type != POOL_DIR && d->source.type != POOL_FS) {
        error_set(err, VIR_ERR_NO_SUPPORT, "pool '%s': the feature cow is for types 'fs' and 'dir'", d->name);
        return false;
    }
    if (s->type == POOL_NETFS && s->protocol_version && s->format > POOL_NETFS_NFS) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "pool '%s': source/protocol/@ver: is for nfs, not for '%s'", d->name,
                  storage_pool_format_name(s));
        return false;
    }
    /* It becomes one of the options of a mount. */
    if (s->type == POOL_NETFS && s->protocol_version && strchr(s->protocol_version, ',')) {
        error_set(err, VIR_ERR_XML_DETAIL, "pool '%s': source/protocol/@ver: '%s' must not contain ','", d->name,
                  s->protocol_version);
        return false;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(needs); i++) {
        if ((needs[i].types >> s->type & 1) && !needs[i].there) {
            error_set(err, VIR_ERR_XML_ERROR, "pool '%s': '%s' is missing, a pool of type '%s' needs it", d->name,
                      needs[i].what, enum_name(&storage_pool_type_names, s->type));
            return false;
        }
    }
    return true;
}

const DocKind storage_pool_kind = {
    .name = "storagepool", .root = "pool", .desc = &storage_pool_desc, .tool_parse = DOMAIN_PARSE_INACTIVE,
    .identity = DOC_IDENTITY_UUID, /* the name may be that of the source: storage_pool_peek_identity() */
    .resolve = pool_resolve, .defaults = pool_defaults, .validate = pool_validate,
};
DOC_KIND_DEFINE(storage_pool, StoragePoolDef)

/* Types that take their name from the source do not need one of their own. */
bool storage_pool_peek_identity(const char *xml, gsize len, char **ret_name, Uuid ret_uuid,
                                bool *ret_has_uuid, GError **err)
{
    g_autoptr(StoragePoolDef) d = storage_pool_parse(xml, len, DOMAIN_PARSE_INACTIVE, err);
    if (!d)
        return false;
    *ret_name = g_steal_pointer(&d->name);
    memcpy(ret_uuid, d->uuid.v, sizeof(Uuid));
    *ret_has_uuid = !d->uuid_generated;
    return true;
}

const char *storage_pool_format_name(const StoragePoolSource *s)
{
    switch (s->type) {
    case POOL_FS:
        return enum_name(&pool_fs_format_names, s->format);
    case POOL_NETFS:
        return enum_name(&pool_netfs_format_names, s->format);
    case POOL_DISK:
        return enum_name(&pool_disk_format_names, s->format);
    case POOL_LOGICAL:
        return enum_name(&pool_logical_format_names, s->format);
    default: /* the other types have no formats */
        return NULL;
    }
}

/* ---- sources alone ---- */

StoragePoolSource *storage_pool_source_parse(const char *xml, gsize len, StoragePoolType type, GError **err)
{
    g_autoptr(XmlDoc) doc = xml_parse(xml, len, err);
    if (!doc)
        return NULL;
    if (!conf_check_root(xml_root(doc), "source", err))
        return NULL;
    g_autoptr(StoragePoolSource) s = g_new0(StoragePoolSource, 1);
    s->type = type;
    ConfParser p = { .flags = DOMAIN_PARSE_INACTIVE, .root = s };
    if (!conf_parse(&p, &storage_pool_source_desc, xml_root(doc), s, err) || !conf_check_unread(&p, xml_root(doc), err))
        return NULL;
    return g_steal_pointer(&s);
}

void storage_pool_source_free(StoragePoolSource *s)
{
    conf_free(&storage_pool_source_desc, s);
}

/* A list says nothing about the type of its sources: what is in them tells. Elements that are empty are
 * not written again, so they tell nothing. */
static StoragePoolType type_of_source(xmlNode *source)
{
    xmlNode *dir = xml_child(source, "dir"), *name = xml_child(source, "name"), *f = xml_child(source, "format");
    const char *format = f ? xml_attr_get(f, "type") : NULL;
    g_autofree char *text = name ? xml_text_dup(name) : NULL;

    const char *path = dir ? xml_attr_get(dir, "path") : NULL;
    if (path && *path)
        return POOL_NETFS;
    if (xml_child(source, "host"))
        return POOL_ISCSI;
    if (text && *text)
        return POOL_LOGICAL;
    return format && enum_value(&pool_disk_format_names, format) >= 0 ? POOL_DISK : POOL_FS;
}

static bool source_list_parse(ConfParser *p, const ConfField *row, xmlNode *el, void *base, GError **err)
{
    StorageSourceList *l = base;

    for (xmlNode *n = xml_child(el, "source"); n; n = xml_next(n, "source")) {
        StoragePoolSource *s = g_new0(StoragePoolSource, 1);
        s->type = type_of_source(n);
        if (!l->sources)
            l->sources = g_ptr_array_new();
        g_ptr_array_add(l->sources, s);
        if (!conf_parse(p, &storage_pool_source_desc, n, s, err))
            return false;
    }
    return true;
}
static void source_list_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    const StorageSourceList *l = base;

    for (LIST_EACH(StoragePoolSource, s, l->sources))
        conf_format_element(f, &storage_pool_source_desc, s, "source");
}
static const ConfCustom source_list = { source_list_parse, source_list_format, CONF_READS("source/+/..."), NULL };

/* clang-format off */
static const ConfField source_list_rows[] = {
    CONF_CUSTOM_VIEW(source_list, "", "sources of any type"),
    CONF_LIST(StorageSourceList, sources, NULL, storage_pool_source_desc, 0, ""),
};
CONF_DESC(storage_source_list_desc, StorageSourceList, source_list_rows);

/* ---- capabilities ---- */

static const ConfField caps_enum_rows[] = {
    CONF_STR(PoolCapsEnum, name, "@name", CF_REQUIRED, "which choice"),
    CONF_LIST(PoolCapsEnum, values, "value", str_text_desc, 0, "the words"),
};
CONF_DESC(pool_caps_enum_desc, PoolCapsEnum, caps_enum_rows);
static const ConfField caps_options_rows[] = {
    CONF_STR(PoolCapsOptions, default_format, "defaultFormat/@type", 0, "format when none is given"),
    CONF_LIST(PoolCapsOptions, enums, "enum", pool_caps_enum_desc, 0, "choices"),
};
CONF_DESC(pool_caps_options_desc, PoolCapsOptions, caps_options_rows);
static const ConfField caps_type_rows[] = {
    CONF_ENUM(PoolCapsType, type, "@type", storage_pool_type_names, CF_REQUIRED | CF_ALWAYS, "kind of pool"),
    CONF_YESNO(PoolCapsType, supported, "@supported", CF_REQUIRED, "whether the host has it"),
    CONF_OPTIONAL(PoolCapsType, pool, "poolOptions", pool_caps_options_desc, 0, "of pools"),
    CONF_OPTIONAL(PoolCapsType, volume, "volOptions", pool_caps_options_desc, 0, "of volumes"),
};
CONF_DESC(pool_caps_type_desc, PoolCapsType, caps_type_rows);
static const ConfField caps_rows[] = { CONF_LIST(StoragePoolCaps, pools, "pool", pool_caps_type_desc, 0, "kinds of pools") };
CONF_DESC(storage_pool_caps_desc, StoragePoolCaps, caps_rows);
/* clang-format on */

const DocKind storage_source_list_kind = { .name = "storagesources", .root = "sources", .desc = &storage_source_list_desc };
DOC_KIND_DEFINE(storage_source_list, StorageSourceList)
const DocKind storage_pool_caps_kind = { .name = "storagepoolcaps", .root = "storagepoolCapabilities", .desc = &storage_pool_caps_desc };
DOC_KIND_DEFINE(storage_pool_caps, StoragePoolCaps)
