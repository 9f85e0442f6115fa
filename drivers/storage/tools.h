/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands of the system's tools for pools, and what the tools say. Pure: they are run elsewhere (run.h).
 * Names that come from definitions are operands (argv.h). NULL with *err: it cannot be said.
 */
#pragma once

#include "conf/storage_pool.h"
#include "drivers/storage/argv.h"

/* Whether two pools are of one place, so that either would not know of the other's changes (place.c). */
bool pool_same_place(const StoragePoolDef *a, const StoragePoolDef *b);

/* ---- what servers say they have (sources.c) ---- */

StorageSourceList *sources_of_exports(const char *said, const char *host); /* showmount's lines */
StorageSourceList *sources_of_targets(const StoragePoolSource *like, const GPtrArray *targets); /* of a discovery of iSCSI: char * */
StorageSourceList *sources_of_gluster(const char *said, const char *host, GError **err); /* gluster's XML; one at least */

/* ---- mount (mount.c): pools of types fs and netfs ---- */

/* What is mounted: a device, "host:/dir", "//host/share". */
char *mount_source(const StoragePoolDef *d, GError **err);
Argv *mount_command(const StoragePoolDef *d, GError **err);
Argv *umount_command(const StoragePoolDef *d, GError **err);
Argv *mkfs_command(const StoragePoolDef *d, GError **err);
Argv *vstorage_mount_command(const StoragePoolDef *d, GError **err);

/* ---- LVM (lvm.c) ---- */

typedef struct LvmGroup {
    char *name;
    uint64_t size, free; /* bytes */
} LvmGroup;

typedef struct LvmSegment {
    char *device;
    uint64_t start, end; /* bytes of the device */
} LvmSegment;

typedef struct LvmVolume {
    char *name, *uuid, *origin; /* origin: of a snapshot or thin clone, NULL: none */
    char *pool;                 /* of a thin volume */
    uint64_t size, room;        /* of the device; taken from the group, for a snapshot that of its changes, for a thin one 0 */
    bool active, snapshot, thin, internal; /* internal: a part of another, not for users */
    GPtrArray *segments;        /* LvmSegment */
} LvmVolume;

typedef struct LvmDevice {
    char *path, *group;
} LvmDevice;

void lvm_group_free(LvmGroup *g);
void lvm_volume_free(LvmVolume *v);
void lvm_device_free(LvmDevice *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvmGroup, lvm_group_free)

Argv *lvm_activate(const StoragePoolDef *d, bool on, GError **err);
Argv *lvm_make_device(const char *path, GError **err);
Argv *lvm_remove_device(const char *path, GError **err);
Argv *lvm_make_group(const StoragePoolDef *d, GError **err);
Argv *lvm_remove_group(const StoragePoolDef *d, GError **err);
/* origin: a snapshot of it, with as much room for changes as allocation. */
Argv *lvm_make_volume(const char *group, const char *name, uint64_t capacity, uint64_t allocation, const char *origin,
                      GError **err);
Argv *lvm_remove_volume(const char *group, const char *name, GError **err);
Argv *lvm_resize_volume(const char *group, const char *name, uint64_t capacity, GError **err);
Argv *lvm_list_groups(const char *group, GError **err);  /* NULL: all */
Argv *lvm_list_volumes(const char *group, GError **err);
Argv *lvm_list_devices(void);
/* Their reports (JSON). */
GPtrArray *lvm_parse_groups(const char *json, size_t len, GError **err);  /* LvmGroup */
GPtrArray *lvm_parse_volumes(const char *json, size_t len, GError **err); /* LvmVolume */
GPtrArray *lvm_parse_devices(const char *json, size_t len, GError **err); /* LvmDevice */

/* ---- parted (parted.c): pools of type disk ---- */

typedef struct Partition {
    unsigned number; /* 0: free space */
    uint64_t start, end, size; /* bytes; end: of the last one */
    char *fs, *name, *flags;
} Partition;

typedef struct PartitionTable {
    char *device, *label; /* "gpt", "msdos", "unknown" */
    uint64_t size, sector;
    unsigned extended;    /* number of the partition that holds the logical ones; 0: none */
    GPtrArray *parts;     /* Partition, by place, free space among them */
} PartitionTable;
void partition_table_free(PartitionTable *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PartitionTable, partition_table_free)

/* The program's word for a table of ours: "msdos" of "dos". NULL with *err: it has none. */
const char *parted_label(const StoragePoolSource *s, GError **err);
Argv *parted_make_table(const StoragePoolDef *d, GError **err);
Argv *parted_list(const char *device, GError **err);
PartitionTable *parted_parse(const char *said, GError **err);
/* The number of the extended partition in a disk's first sector, of 512 bytes; 0: none. */
unsigned partition_extended(const uint8_t *sector);
/* What the next partition of a table is: "primary", "extended" or "logical", and its number. NULL with *err. */
const char *partition_kind(const PartitionTable *t, bool extended, unsigned *ret_number, GError **err);
/* The best place for a new partition: the smallest free space that is large enough, aligned; [start, end].
 * Logical ones are in the extended one, others are not. */
bool parted_place(const PartitionTable *t, uint64_t size, bool logical, uint64_t *ret_start, uint64_t *ret_end,
                  GError **err);
Argv *parted_make(const char *device, const char *kind, const char *fs, uint64_t start, uint64_t end, GError **err);
Argv *parted_remove(const char *device, unsigned number, GError **err);
/* Takes away what tells of a table or a file system, copies at the end included. */
Argv *wipe_signatures(const char *device, GError **err);

/* ---- open-iscsi (iscsi.c) ---- */

enum { ISCSI_PORT = 3260 };
char *iscsi_portal(const StoragePoolSource *s, GError **err);
/* iface: the interface that stands for an initiator, NULL: the usual one. */
Argv *iscsi_discover(const char *portal, const char *iface, bool keep, GError **err);
Argv *iscsi_sessions(void);
Argv *iscsi_new_node(const char *portal, const char *target, GError **err);
Argv *iscsi_login(const char *portal, const char *target, const char *iface, bool in, GError **err);
Argv *iscsi_set(const char *portal, const char *target, const char *name, const char *value, GError **err);
Argv *iscsi_rescan(const char *session, GError **err);
Argv *iscsi_ifaces(void);
Argv *iscsi_new_iface(const char *iface, GError **err);
Argv *iscsi_name_iface(const char *iface, const char *initiator, GError **err);
/* Targets of a discovery: "portal,tag target" lines. */
GPtrArray *iscsi_parse_targets(const char *said); /* char * */
/* The session with a target ("tcp: [1] portal,tag target"), NULL: there is none. */
char *iscsi_parse_session(const char *said, const char *target);
/* The interface of an initiator ("NAME transport,mac,ip,net,initiator"), NULL: there is none. */
char *iscsi_parse_iface(const char *said, const char *initiator);

/* ---- ZFS (zfs.c); name: of a pool, "pool" or "pool/dataset" ---- */

typedef struct ZfsVolume {
    char *name; /* without the pool's */
    uint64_t size, reserved;
} ZfsVolume;

typedef struct ZfsFigures {
    uint64_t size, free, allocated;
} ZfsFigures;

Argv *zfs_make_pool(const StoragePoolDef *d, GError **err);
Argv *zfs_remove_pool(const char *name, GError **err);
Argv *zfs_measure(const char *name, GError **err);
Argv *zfs_list(const char *name, GError **err);
Argv *zfs_make_volume(const char *name, const char *volume, uint64_t capacity, uint64_t allocation, GError **err);
Argv *zfs_remove_volume(const char *name, const char *volume, GError **err);
bool zfs_parse_figures(const char *said, ZfsFigures *ret, GError **err);
GPtrArray *zfs_parse_volumes(const char *said, const char *name); /* ZfsVolume */

/* ---- SCSI hosts (scsi.c), by the kernel's tree of devices. Not pure. ---- */

typedef struct ScsiUnit { /* a disk or a CD-ROM */
    unsigned bus, target;
    uint64_t lun;
    char *block; /* "sda" */
} ScsiUnit;

void sysfs_use(const char *root); /* for tests: another one than /sys, which stays theirs */
/* What a small file below it holds, NULL: it is not there. What is in a directory, by name. */
char *sysfs_read(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
GPtrArray *sysfs_list(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
GPtrArray *scsi_units(unsigned host); /* with a block device each */
/* False: some of its disks have no block device yet, or udev has not seen that. */
bool scsi_units_complete(unsigned host);
bool scsi_find_host(const PoolAdapter *a, unsigned *ret, GError **err);
/* Has the kernel look for units that are new. */
bool scsi_rescan(unsigned host, GError **err);
/* The virtual adapter of a Fibre Channel pool: made when it is not there, and then marked as to be removed. */
bool vhba_make(PoolAdapter *a, GError **err);
bool vhba_remove(const PoolAdapter *a, GError **err);
