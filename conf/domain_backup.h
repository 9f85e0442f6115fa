/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A backup of the disks of a running guest: pushed into files, or pulled by clients from a server that
 * the emulator runs. Conventions: conf/types.h.
 */
#pragma once

#include "conf/domain_disk.h"
#include "conf/kinds.h"

typedef enum BackupMode { BACKUP_PUSH, BACKUP_PULL, _BACKUP_MODE_N } BackupMode;
extern const EnumTable backup_mode_names;
typedef enum BackupDiskState { BACKUP_STATE_NONE, BACKUP_RUNNING, BACKUP_COMPLETE, BACKUP_FAILED, BACKUP_CANCELLING, BACKUP_CANCELLED, _BACKUP_STATE_N } BackupDiskState;
extern const EnumTable backup_state_names;
typedef enum BackupDiskMode { BACKUP_DISK_DEFAULT, BACKUP_FULL, BACKUP_INCREMENTAL, _BACKUP_DISK_MODE_N } BackupDiskMode;
extern const EnumTable backup_disk_mode_names;
typedef enum BackupTransport { BACKUP_TCP, BACKUP_UNIX, BACKUP_FD, _BACKUP_TRANSPORT_N } BackupTransport;
extern const EnumTable backup_transport_names;

CONF_STRUCTS_BEGIN

typedef struct BackupServer {
    BackupTransport transport;
    Tristate tls;
    char *name;
    uint32_t port;
    Flag _pad;
    char *socket;
    char *fdgroup;         /* name of descriptors that the client passed */
} BackupServer;

typedef struct BackupDisk {
    char *name;            /* target of the disk */
    Tristate backup;
    BackupDiskState state; /* own files */
    StorageType type;      /* of the store: file or block */
    BackupDiskMode mode;
    char *incremental;     /* since this checkpoint */
    char *export_name, *export_bitmap; /* pull */
    uint32_t index;        /* own files: number of the layer in the guest */
    StorageFormat format;
    char *path;            /* of the target, or of the scratch file */
    GPtrArray *seclabels;  /* DeviceSeclabel */
    StorageEncryption *encryption;
    StoragePrivate *priv;  /* own files */
} BackupDisk;

typedef struct BackupDef {
    BackupMode mode;
    Flag _pad;
    char *incremental;     /* since this checkpoint, for all disks that name none */
    BackupServer *server;  /* pull */
    GPtrArray *disks;      /* BackupDisk */
    StrItem *tls_secret;   /* own files: objects in the emulator */
    char *tls_object;
} BackupDef;

typedef struct BackupSource { /* a disk of the domain, for backup_align(); not in documents */
    const char *name, *path; /* path NULL: not a file */
} BackupSource;

CONF_STRUCTS_END

DOC_KIND_DECLARE(backup, BackupDef)

/* Makes the definition complete for the disks of a domain: entries for all of them, modes, and
 * stores "path.suffix" where none is given. Refuses disks that there are not. */
bool backup_align(BackupDef *d, const BackupSource *disks, unsigned n_disks, const char *suffix, GError **err);
