/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Volumes as rows. Which formats a volume may have depends on the type of its pool, which is not in
 * the document: the caller says it, and it is a hidden tag of the struct.
 */
#include "conf/storage_volume.h"

#include <string.h>

#include "conf/device-internal.h"
#include "conf/domain.h"
#include "util/api.h"
#include "util/error.h"

/* clang-format off */
ENUM_TABLE(storage_volume_type_names, "volume type", _VOLUME_TYPE_N, "file", "block", "dir", "network", "netdir", "ploop");
ENUM_TABLE(volume_format_names, "volume format", FORMAT_VMDK + 1, "none", "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "cow", "qcow", "qcow2", "qed", "vmdk");
ENUM_TABLE(partition_format_names, "partition type", _PARTITION_FORMAT_N, "none", "linux", "fat16", "fat32", "linux-swap", "linux-lvm", "linux-raid", "extended");

#define FILES (BIT(POOL_DIR) | BIT(POOL_FS) | BIT(POOL_NETFS) | BIT(POOL_GLUSTER) | BIT(POOL_VSTORAGE))
#define WITH_FORMAT (FILES | BIT(POOL_RBD))
#define OF(types) WHEN(D, pool_type, types)

static const ConfField timestamps_rows[] = {
    CONF_STR(StorageTimestamps, atime, "atime/text()", 0, "last access"),
    CONF_STR(StorageTimestamps, mtime, "mtime/text()", 0, "last change of the data"),
    CONF_STR(StorageTimestamps, ctime, "ctime/text()", 0, "last change of the metadata"),
    CONF_STR(StorageTimestamps, btime, "btime/text()", 0, "creation"),
};
CONF_DESC(storage_timestamps_desc, StorageTimestamps, timestamps_rows);

static const ConfField source_device_rows[] = {
    CONF_STR(VolumeSourceDevice, path, "@path", CF_REQUIRED, "device"),
    CONF_LIST(VolumeSourceDevice, extents, "extent", pool_extent_desc, 0, "parts of it"),
};
CONF_DESC(volume_source_device_desc, VolumeSourceDevice, source_device_rows);

/* "unknown" was once written for files without a known format. */
static int file_format_find(const void *base, const char *word)
{
    return !strcmp(word, "unknown") ? FORMAT_RAW : enum_value(&volume_format_names, word);
}
static const ConfEnumBy file_format = { &volume_format_names, file_format_find, "volume format" };

static const ConfSize size_cluster = { 1, 0, "B" };

#define D StorageVolumeDef
static const ConfField volume_rows[] = {
    CONF_ENUM(D, type, "@type", storage_volume_type_names, CF_ALWAYS | CF_EMPTY_IS_NONE, "kind of volume"),
    CONF_STR(D, name, "name/text()", CF_REQUIRED | CF_NOT_EMPTY, "name in the pool"),
    CONF_STR(D, key, "key/text()", 0, "identity"),
    CONF_LIST(D, source, "source/device", volume_source_device_desc, CF_LIVE, "where it lies"),
    CONF_SIZE(D, capacity, "capacity/text()", size_bytes, CF_ALWAYS, "size for the user"),
    CONF_OPTSIZE(D, allocation, "allocation/text()", size_bytes, CF_ALWAYS, "bytes that it takes"),
    CONF_SIZE(D, physical, "physical/text()", size_bytes, CF_LIVE, "size of the container"),
    CONF_CONST("target", ""),
    CONF_STR(D, path, "target/path/text()", 0, "where it is"),
    CONF_ENUM_BY(D, format, "target/format/@type", file_format, CF_ALWAYS | CF_UNSUPPORTED | CF_EMPTY_IS_NONE, "format of the file", OF(WITH_FORMAT)),
    CONF_ENUM(D, format, "target/format/@type", partition_format_names, CF_VIEW | CF_ALWAYS | CF_UNSUPPORTED | CF_EMPTY_IS_NONE, "partition type", OF(BIT(POOL_DISK))),
    CONF_OPTIONAL(D, permissions, "target/permissions", storage_permissions_desc, CF_SKIP_EMPTY, "of the file"),
    CONF_OPTIONAL(D, timestamps, "target/timestamps", storage_timestamps_desc, CF_LIVE, "of the file"),
    CONF_OPTIONAL(D, encryption, "target/encryption", encryption_desc, 0, "encryption"),
    CONF_STR(D, compat, "target/compat/text()", 0, "qcow2 version, as emulator version"),
    CONF_FLAG(D, nocow, "target/nocow", CF_STATUS | CF_NO_COMPARE, "no copy-on-write of the file"),
    CONF_SIZE(D, cluster_size, "target/clusterSize/text()", size_cluster, 0, "qcow2 cluster size"),
    CONF_FLAG(D, has_features, "target/features", 0, "qcow2 features"),
    CONF_FLAG(D, lazy_refcounts, "target/features/lazy_refcounts", 0, "reference counts are written late"),
    CONF_FLAG(D, extended_l2, "target/features/extended_l2", 0, "subclusters"),
    CONF_STR(D, backing.path, "backingStore/path/text()", 0, "volume below"),
    CONF_ENUM_BY(D, backing.format, "backingStore/format/@type", file_format, CF_UNSUPPORTED | CF_EMPTY_IS_NONE, "its format", OF(WITH_FORMAT)),
    CONF_OPTIONAL(D, backing.permissions, "backingStore/permissions", storage_permissions_desc, CF_SKIP_EMPTY, "of its file"),
    CONF_OPTIONAL(D, backing.timestamps, "backingStore/timestamps", storage_timestamps_desc, CF_LIVE, "of its file"),
    CONF_HIDDEN(D, pool_type, 0), CONF_HIDDEN(D, allocation_missing, CF_NO_COMPARE),
    CONF_HIDDEN(D, capacity_missing, CF_NO_COMPARE), CONF_PAD(D, _pad), CONF_PAD(D, backing._pad),
};
#undef D
/* A feature that the image would not have is no detail. */
static bool volume_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    xmlNode *target = xml_child(el, "target"), *features = target ? xml_child(target, "features") : NULL;

    for (xmlNode *f = features ? xml_child(features, NULL) : NULL; f; f = xml_next(f, NULL)) {
        if (xml_is(f, "lazy_refcounts") || xml_is(f, "extended_l2"))
            continue;
        conf_error_at(err, VIR_ERR_CONFIG_UNSUPPORTED, f, NULL, "unsupported feature");
        return false;
    }
    return true;
}
CONF_DESC(storage_volume_desc, StorageVolumeDef, volume_rows, .parsed = volume_parsed);
/* clang-format on */

/* ---- stages ---- */

static bool volume_resolve(void *def, unsigned flags, GError **err)
{
    StorageVolumeDef *d = def;

    /* A backing volume without a path is none. */
    if (!d->backing.path) {
        conf_free(&storage_permissions_desc, g_steal_pointer(&d->backing.permissions));
        conf_free(&storage_timestamps_desc, g_steal_pointer(&d->backing.timestamps));
        d->backing.format = 0;
    }
    if (!d->allocation.set) {
        d->allocation = (OptU64){ d->capacity, 1, 0 };
        d->allocation_missing = 1;
    }
    return true;
}

static bool volume_defaults(void *def, unsigned flags, GError **err)
{
    StorageVolumeDef *d = def;

    if ((WITH_FORMAT >> d->pool_type & 1) && d->format == FORMAT_NONE)
        d->format = FORMAT_RAW;
    if ((WITH_FORMAT >> d->pool_type & 1) && d->backing.path && d->backing.format == FORMAT_NONE)
        d->backing.format = FORMAT_RAW;
    if (d->has_features && !d->compat)
        d->compat = g_strdup("1.1");
    return true;
}

static bool compat_ok(const char *compat)
{
    const char *dot = strchr(compat, '.');
    return dot && dot != compat && dot[1] && strspn(compat, "0123456789") == (size_t)(dot - compat) &&
           dot[1 + strspn(dot + 1, "0123456789")] == '\0';
}

static bool volume_validate(const void *def, unsigned flags, GError **err)
{
    const StorageVolumeDef *d = def;
    bool may_miss = (flags & VOLUME_PARSE_NO_CAPACITY) || ((flags & VOLUME_PARSE_OPT_CAPACITY) && d->backing.path);

    if (d->compat && !compat_ok(d->compat)) {
        error_set(err, VIR_ERR_XML_ERROR, "volume/target/compat: '%.100s' is not of the form 1.1", d->compat);
        return false;
    }
    if (!d->capacity_missing || may_miss)
        return true;
    error_set(err, VIR_ERR_XML_ERROR, "volume '%s': 'capacity' is missing", d->name);
    return false;
}

StorageVolumeDef *storage_volume_parse_for(const char *xml, gsize len, unsigned flags, StoragePoolType pool,
                                           GError **err)
{
    g_autoptr(XmlDoc) doc = xml_parse(xml, len, err);
    if (!doc)
        return NULL;
    xmlNode *root = xml_root(doc);
    if (!conf_check_root(root, "volume", err))
        return NULL;
    g_autoptr(StorageVolumeDef) d = g_new0(StorageVolumeDef, 1);
    g_autoptr(GPtrArray) problems = flags & DOMAIN_PARSE_STRICT ? g_ptr_array_new_with_free_func(g_free) : NULL;
    ConfParser p = { .flags = flags, .root = d, .problems = problems };
    d->pool_type = pool;
    /* An older spelling of "no capacity" is the size 0: what counts is that the element says something. */
    xmlNode *capacity = xml_child(root, "capacity");
    d->capacity_missing = !capacity || !capacity->children;
    if (!conf_parse(&p, &storage_volume_desc, root, d, err) || !conf_check_unread(&p, root, err) ||
        !volume_resolve(d, flags, err) || !volume_defaults(d, flags, err) || !volume_validate(d, flags, err))
        return NULL;
    return g_steal_pointer(&d);
}

static void *volume_parse(const DocKind *k, const char *xml, gsize len, unsigned flags, GError **err)
{
    return storage_volume_parse_for(xml, len, flags, POOL_DIR, err);
}

const DocKind storage_volume_kind = {
    .name = "storagevol", .root = "volume", .desc = &storage_volume_desc, .tool_parse = DOMAIN_PARSE_INACTIVE,
    .identity = DOC_IDENTITY_NAME, .parse = volume_parse,
};
DOC_KIND_DEFINE(storage_volume, StorageVolumeDef)
DOC_KIND_DEFINE_PEEK(storage_volume)

/* ---- what pools can hold ---- */

static PoolCapsOptions *options(const char *what, const EnumTable *t, unsigned normal)
{
    PoolCapsOptions *o = g_new0(PoolCapsOptions, 1);
    PoolCapsEnum *e = g_new0(PoolCapsEnum, 1);

    o->default_format = g_strdup(t->names[normal]);
    o->enums = g_ptr_array_new();
    g_ptr_array_add(o->enums, e);
    e->name = g_strdup(what);
    e->values = g_ptr_array_new();
    for (unsigned i = 0; i < t->n; i++) {
        StrItem *s = g_new0(StrItem, 1);
        s->s = g_strdup(t->names[i]);
        g_ptr_array_add(e->values, s);
    }
    return o;
}

StoragePoolCaps *storage_pool_caps_new(uint64_t supported)
{
    static const char *const raw[] = { "raw" };
    static const EnumTable rbd_formats = { .names = raw, .n = 0 }; /* nothing to choose */
    static const struct {
        const EnumTable *table;
        unsigned normal;
    } sources[_POOL_TYPE_N] = {
        [POOL_FS] = { &pool_fs_format_names, POOL_FS_AUTO },
        [POOL_NETFS] = { &pool_netfs_format_names, POOL_NETFS_AUTO },
        [POOL_DISK] = { &pool_disk_format_names, POOL_DISK_UNKNOWN },
        [POOL_LOGICAL] = { &pool_logical_format_names, POOL_LOGICAL_LVM2 },
    };
    StoragePoolCaps *caps = g_new0(StoragePoolCaps, 1);

    caps->pools = g_ptr_array_new();
    for (unsigned t = 0; t < _POOL_TYPE_N; t++) {
        PoolCapsType *c = g_new0(PoolCapsType, 1);
        c->type = (StoragePoolType)t;
        c->supported = supported >> t & 1 ? TRI_YES : TRI_NO;
        if (sources[t].table)
            c->pool = options("sourceFormatType", sources[t].table, sources[t].normal);
        if (FILES >> t & 1)
            c->volume = options("targetFormatType", &volume_format_names, FORMAT_RAW);
        else if (t == POOL_DISK)
            c->volume = options("targetFormatType", &partition_format_names, PARTITION_NONE);
        else if (t == POOL_RBD)
            c->volume = options("targetFormatType", &rbd_formats, 0);
        g_ptr_array_add(caps->pools, c);
    }
    return caps;
}
