/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Storage pools: <pool>, the lists of sources that a host offers (<sources>), and the document that
 * says which kinds of pools a host has (<storagepoolCapabilities>). Conventions: conf/types.h.
 */
#pragma once

#include "conf/domain_disk.h"
#include "conf/kinds.h"

typedef enum StoragePoolType {
    POOL_DIR, POOL_FS, POOL_NETFS, POOL_LOGICAL, POOL_DISK, POOL_ISCSI, POOL_ISCSI_DIRECT, POOL_SCSI,
    POOL_MPATH, POOL_RBD, POOL_SHEEPDOG, POOL_GLUSTER, POOL_ZFS, POOL_VSTORAGE, _POOL_TYPE_N,
} StoragePoolType;
extern const EnumTable storage_pool_type_names;

/* Source formats; which table names them depends on the type of the pool. */
typedef enum PoolFsFormat {
    POOL_FS_AUTO, POOL_FS_EXT2, POOL_FS_EXT3, POOL_FS_EXT4, POOL_FS_UFS, POOL_FS_ISO9660, POOL_FS_UDF,
    POOL_FS_GFS, POOL_FS_GFS2, POOL_FS_VFAT, POOL_FS_HFSPLUS, POOL_FS_XFS, POOL_FS_OCFS2, POOL_FS_VMFS,
    _POOL_FS_N,
} PoolFsFormat;
typedef enum PoolNetfsFormat { POOL_NETFS_AUTO, POOL_NETFS_NFS, POOL_NETFS_GLUSTERFS, POOL_NETFS_CIFS, _POOL_NETFS_N } PoolNetfsFormat;
typedef enum PoolDiskFormat {
    POOL_DISK_UNKNOWN, POOL_DISK_DOS, POOL_DISK_DVH, POOL_DISK_GPT, POOL_DISK_MAC, POOL_DISK_BSD,
    POOL_DISK_PC98, POOL_DISK_SUN, POOL_DISK_LVM2, _POOL_DISK_N,
} PoolDiskFormat;
typedef enum PoolLogicalFormat { POOL_LOGICAL_UNKNOWN, POOL_LOGICAL_LVM2, _POOL_LOGICAL_N } PoolLogicalFormat;
extern const EnumTable pool_fs_format_names, pool_netfs_format_names, pool_disk_format_names, pool_logical_format_names;

typedef enum PoolAuthType { POOL_AUTH_NONE, POOL_AUTH_CHAP, POOL_AUTH_CEPH, _POOL_AUTH_N } PoolAuthType;
extern const EnumTable pool_auth_names;
typedef enum PoolAdapterType { ADAPTER_NONE, ADAPTER_SCSI_HOST, ADAPTER_FC_HOST, _ADAPTER_TYPE_N } PoolAdapterType;
extern const EnumTable pool_adapter_names;
typedef enum PoolRefreshAllocation { REFRESH_NONE, REFRESH_DEFAULT, REFRESH_CAPACITY, _REFRESH_N } PoolRefreshAllocation;
extern const EnumTable pool_refresh_names;

CONF_STRUCTS_BEGIN

typedef struct PoolHost {
    char *name;
    uint32_t port; /* 0: the protocol's own */
    Flag _pad;
} PoolHost;

typedef struct PoolExtent { /* bytes of a device */
    uint64_t start, end;
} PoolExtent;

typedef struct PoolDevice {
    char *path;           /* block device, or iSCSI target */
    Tristate part_separator;
    Flag _pad;
    GPtrArray *free_extents; /* PoolExtent, live, disk pools */
} PoolDevice;

typedef struct PoolAuth {
    PoolAuthType type;
    Flag _pad;
    char *username;
    SecretRef secret;
} PoolAuth;

typedef struct PoolAdapter {
    PoolAdapterType type;
    Tristate managed;     /* fc_host: the vHBA goes with the pool */
    char *name;           /* scsi_host: "host5"; either this or the address of its parent */
    uint32_t unique_id;   /* of the host below parent_address */
    Flag has_parent_address;
    PciAddress parent_address;
    char *parent, *parent_wwnn, *parent_wwpn, *parent_fabric_wwn;
    char *wwnn, *wwpn;
} PoolAdapter;

typedef struct StoragePoolSource {
    StoragePoolType type; /* of the pool: says which members are meaningful */
    uint32_t format;      /* Pool…Format, by type */
    Flag format_given;    /* the document says it */
    Flag _pad;
    GPtrArray *hosts;     /* PoolHost */
    GPtrArray *devices;   /* PoolDevice */
    char *dir;
    PoolAdapter *adapter;
    char *name;           /* volume group, rbd pool, …; resolve: the name of the pool */
    char *initiator;      /* iqn */
    PoolAuth *auth;
    char *protocol_version; /* "4.1" */
    char *vendor, *product;
} StoragePoolSource;

typedef struct StoragePermissions {
    OptU32 mode;          /* octal permission bits */
    OptU32 owner, group;  /* unset: of whoever creates it */
    char *label;
} StoragePermissions;

typedef struct PoolOption { /* rbd:option, fs:option */
    char *name, *value;
} PoolOption;

typedef struct StoragePoolDef {
    char *name;
    OptUuid uuid;         /* set after parsing: generated when missing */
    Flag uuid_generated;
    uint64_t capacity, allocation, available; /* bytes, live */
    Tristate cow;         /* features/cow: copy-on-write of files on btrfs */
    PoolRefreshAllocation refresh_allocation; /* how a refresh counts rbd volumes */
    StoragePoolSource source; /* .type is the type of the pool */
    char *target;         /* path where volumes appear */
    StoragePermissions *permissions;
    GPtrArray *mount_options; /* StrItem, fs and netfs: xmlns:fs */
    GPtrArray *config_options; /* PoolOption, rbd: xmlns:rbd */
    Flag has_mount_options, has_config_options; /* set after parsing: there are any */
} StoragePoolDef;

typedef struct StorageSourceList { /* <sources> */
    GPtrArray *sources;   /* StoragePoolSource */
} StorageSourceList;

typedef struct PoolCapsEnum {
    char *name;
    GPtrArray *values;    /* StrItem */
} PoolCapsEnum;

typedef struct PoolCapsOptions {
    char *default_format;
    GPtrArray *enums;     /* PoolCapsEnum */
} PoolCapsOptions;

typedef struct PoolCapsType {
    StoragePoolType type;
    Tristate supported;
    PoolCapsOptions *pool, *volume;
} PoolCapsType;

typedef struct StoragePoolCaps {
    GPtrArray *pools;     /* PoolCapsType */
} StoragePoolCaps;

CONF_STRUCTS_END

DOC_KIND_DECLARE(storage_pool, StoragePoolDef)
DOC_KIND_DECLARE_PEEK(storage_pool);
DOC_KIND_DECLARE(storage_source_list, StorageSourceList)
DOC_KIND_DECLARE(storage_pool_caps, StoragePoolCaps)

/* A <source> alone, for finding sources: type says what it may hold. Free with
 * storage_pool_source_free(). */
StoragePoolSource *storage_pool_source_parse(const char *xml, gsize len, StoragePoolType type, GError **err);
void storage_pool_source_free(StoragePoolSource *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StoragePoolSource, storage_pool_source_free)

/* What every host of ours can say about pools: all types with their formats; supported has one bit
 * for each type. */
StoragePoolCaps *storage_pool_caps_new(uint64_t supported);

/* The name of a source format, NULL when the type has none. */
const char *storage_pool_format_name(const StoragePoolSource *s);
/* A path as it is kept: no doubled slashes, none at the end. Names with a scheme stay. */
char *storage_path_clean(const char *path);
