/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A volume of a storage pool. Conventions: conf/types.h. */
#pragma once

#include "conf/kinds.h"
#include "conf/storage_pool.h"

typedef enum StorageVolumeType { VOLUME_FILE, VOLUME_BLOCK, VOLUME_DIR, VOLUME_NETWORK, VOLUME_NETDIR, VOLUME_PLOOP, _VOLUME_TYPE_N } StorageVolumeType;
extern const EnumTable storage_volume_type_names;

/* Formats of files; the values are those of StorageFormat, as far as both have them. */
extern const EnumTable volume_format_names;

/* Formats of partitions, in pools of type disk. */
typedef enum PartitionFormat {
    PARTITION_NONE, PARTITION_LINUX, PARTITION_FAT16, PARTITION_FAT32, PARTITION_LINUX_SWAP,
    PARTITION_LINUX_LVM, PARTITION_LINUX_RAID, PARTITION_EXTENDED, _PARTITION_FORMAT_N,
} PartitionFormat;
extern const EnumTable partition_format_names;

CONF_STRUCTS_BEGIN

typedef struct StorageTimestamps { /* "seconds.nanoseconds", live */
    char *atime, *mtime, *ctime, *btime;
} StorageTimestamps;

typedef struct VolumeSourceDevice { /* where a volume lies, live */
    char *path;
    GPtrArray *extents;   /* PoolExtent */
} VolumeSourceDevice;

typedef struct VolumeBacking {
    char *path;           /* NULL: no backing volume */
    uint32_t format;
    Flag _pad;
    StoragePermissions *permissions;
    StorageTimestamps *timestamps;
} VolumeBacking;

typedef struct StorageVolumeDef {
    StoragePoolType pool_type; /* not in the document: of the pool; says which formats there are */
    StorageVolumeType type;
    char *name, *key;
    GPtrArray *source;    /* VolumeSourceDevice, live */
    uint64_t capacity;    /* bytes */
    OptU64 allocation;    /* bytes; set after parsing: the capacity when it was not given */
    uint64_t physical;    /* bytes, live */
    char *path;
    uint32_t format;      /* StorageFormat, or PartitionFormat in disk pools */
    Flag nocow;           /* no copy-on-write of the file on btrfs */
    StoragePermissions *permissions;
    StorageTimestamps *timestamps;
    StorageEncryption *encryption;
    char *compat;         /* qcow2: "1.1" */
    uint64_t cluster_size; /* bytes, 0: the format's own */
    Flag lazy_refcounts, extended_l2, has_features, allocation_missing, capacity_missing, _pad;
    VolumeBacking backing;
} StorageVolumeDef;

CONF_STRUCTS_END

enum { /* beside DOMAIN_PARSE_* */
    VOLUME_PARSE_NO_CAPACITY = 1 << 16,  /* capacity may be missing */
    VOLUME_PARSE_OPT_CAPACITY = 1 << 17, /* capacity may be missing when there is a backing volume */
};

DOC_KIND_DECLARE(storage_volume, StorageVolumeDef)
DOC_KIND_DECLARE_PEEK(storage_volume);

/* storage_volume_parse() takes the formats of files; this one those of the pool's type. */
StorageVolumeDef *storage_volume_parse_for(const char *xml, gsize len, unsigned flags, StoragePoolType pool,
                                           GError **err);
