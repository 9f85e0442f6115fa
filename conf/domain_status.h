/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Status files of running guests as the daemons before us wrote them: what the file of a
 * guest says about its process, its monitor and its jobs, with the domain inside. We read them to
 * take over guests that are already running. Conventions: conf/types.h.
 */
#pragma once

#include "conf/domain.h"
#include "conf/domain_backup.h"
#include "conf/kinds.h"

CONF_STRUCTS_BEGIN

typedef struct StatusVcpu {
    uint32_t id, pid;
} StatusVcpu;

typedef struct StatusParam {
    char *name, *value;
} StatusParam;

typedef struct StatusStore { /* a storage source with its kind and format as attributes */
    StorageSource src;
} StatusStore;

typedef struct StatusJobDisk {
    char *target;
    Tristate migrating;
    Flag _pad;
    StatusStore *source;       /* where it is copied to */
} StatusJobDisk;

typedef struct StatusJob { /* a call that was under way */
    char *type;                /* "none", "modify", … */
    char *async, *phase;       /* long calls: "migration out", "perform3" */
    OptU32 flags;
    OptU64 started;            /* ms since the epoch */
    GPtrArray *disks;          /* StatusJobDisk */
    char *bitmaps;             /* <tempBlockDirtyBitmaps> as it came */
    GPtrArray *migration_params; /* StatusParam: to be set back */
    Flag has_params, _pad;
} StatusJob;

typedef struct StatusBlockJob {
    char *name, *type, *state, *new_state;
    char *broken_type;         /* type "broken": what it was */
    Tristate shallow;          /* copy: backing layers of the destination are given */
    OptU32 flags;
    Flag _pad;
    char *disk;                /* target; NULL: of no disk */
    Tristate mirror;           /* the disk's mirror belongs to it */
    Flag delete_committed;
    StatusStore *chain, *mirror_chain; /* of no disk any more */
    char *error;
    char *base, *top, *top_parent; /* nodes */
    char *create_mode;
    StatusStore *create_source;
    char *bitmap;              /* backup */
    StatusStore *store;        /* backup */
} StatusBlockJob;

typedef struct StatusSlirp {
    char *alias;
    uint32_t pid;
    Flag _pad;
} StatusSlirp;

typedef struct DomainStatus {
    char *state, *reason;
    uint32_t pid;              /* of the emulator */
    int32_t id;                /* of the domain */
    GPtrArray *taints;         /* StrItem */
    char *monitor_path, *monitor_type;
    Flag dbus_daemon, dbus_vmstate;
    GPtrArray *namespaces;     /* StrItem: names of elements, "mount" */
    GPtrArray *vcpus;          /* StatusVcpu */
    GPtrArray *capabilities;   /* StrItem: flags of the emulator */
    char *lock_state;
    StatusJob *job;
    Flag fake_reboot, stdio_logd, remember_owner, pr_daemon;
    GPtrArray *devices;        /* StrItem: aliases */
    Bitmap *numad_nodes, *numad_cpus;
    char *lib_dir, *channel_dir;
    CpuDef *original_cpu;      /* before the guest was started; NULL: as in the domain */
    Tristate allow_reboot;
    uint32_t fdset_index;
    uint64_t node_index;
    Tristate blockjobs_active;
    Flag _pad;
    GPtrArray *block_jobs;     /* StatusBlockJob */
    GPtrArray *slirps;         /* StatusSlirp */
    OptI32 agent_timeout;      /* seconds, -2: block; set after parsing */
    BackupDef *backup;
    DomainDef *domain;
} DomainStatus;

CONF_STRUCTS_END

/* What older daemons left out of the guest, because it could be told from the rest (domain_status_older.c). */
void domain_status_complete(DomainDef *d);

DOC_KIND_DECLARE(domain_status, DomainStatus)
