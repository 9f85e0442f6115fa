/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Moments of a guest: snapshots (state that can be returned to) and checkpoints (moments since which
 * changes are recorded). Both hold the domain as it was then. Conventions: conf/types.h.
 *
 * A document from a client that makes a new moment is read with DOMAIN_PARSE_INACTIVE: what
 * only we can know (state, time, parent, domain) is ignored in it. MOMENT_PARSE_REDEFINE demands it.
 */
#pragma once

#include "conf/domain.h"
#include "conf/kinds.h"

typedef enum SnapshotState {
    SNAPSHOT_STATE_NONE, SNAPSHOT_NOSTATE, SNAPSHOT_RUNNING, SNAPSHOT_BLOCKED, SNAPSHOT_PAUSED,
    SNAPSHOT_SHUTDOWN, SNAPSHOT_SHUTOFF, SNAPSHOT_CRASHED, SNAPSHOT_PMSUSPENDED,
    SNAPSHOT_DISK_SNAPSHOT, /* only disks were taken */
    _SNAPSHOT_STATE_N,
} SnapshotState;
extern const EnumTable snapshot_state_names;
typedef enum CheckpointType { CHECKPOINT_DEFAULT, CHECKPOINT_NO, CHECKPOINT_BITMAP, _CHECKPOINT_TYPE_N } CheckpointType;
extern const EnumTable checkpoint_type_names;

CONF_STRUCTS_BEGIN

typedef struct SnapshotDisk {
    char *name;                /* target or path of a disk of the domain */
    SnapshotLocation snapshot;
    Flag delete_in_progress;   /* live */
    StorageSource src;         /* external: the new top layer; .type NONE: to be chosen */
} SnapshotDisk;

typedef struct SnapshotDef {
    char *name, *description;
    SnapshotState state;       /* of the guest */
    SnapshotLocation memory;
    char *memory_file;         /* external */
    char *parent;
    uint64_t creation_time;    /* seconds since the epoch */
    GPtrArray *disks;          /* SnapshotDisk */
    GPtrArray *revert_disks;   /* SnapshotDisk: layers in use after reverting to it */
    DomainDef *domain;         /* as it was; NULL: only the uuid is known */
    DomainDef *inactive_domain; /* as it will be after the guest stops, when that differs */
    OptUuid domain_uuid;       /* only without domain */
    Flag _pad;
    char *cookie;              /* what the driver wants back, whole element */
    OptU32 active;             /* own files: it is the current one */
} SnapshotDef;

typedef struct CheckpointDisk {
    char *name;
    CheckpointType checkpoint;
    Flag _pad;
    char *bitmap;
    uint64_t size;             /* bytes changed since, live */
} CheckpointDisk;

typedef struct CheckpointDef {
    char *name, *description;
    char *parent;
    uint64_t creation_time;
    GPtrArray *disks;          /* CheckpointDisk */
    DomainDef *domain;
} CheckpointDef;

CONF_STRUCTS_END

enum { /* beside DOMAIN_PARSE_* */
    MOMENT_PARSE_REDEFINE = 1 << 16,
};

DOC_KIND_DECLARE(snapshot, SnapshotDef)
DOC_KIND_DECLARE(checkpoint, CheckpointDef)

/* A new moment begins now: its time, and a name when it has none. */
void snapshot_begin(SnapshotDef *d, uint64_t now);
void checkpoint_begin(CheckpointDef *d, uint64_t now);

/* Gives every disk of the domain (targets, NULL at the end) an entry: what the document does not
 * name is not recorded, or, when it names none, is. Refuses disks that there are not. */
bool checkpoint_align(CheckpointDef *d, const char *const *targets, GError **err);
