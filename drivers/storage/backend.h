/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What sorts of pools differ in: a row of operations for each. Operations work on definitions and on the
 * host, never on objects of the daemon; they may take long and run on workers. What a row does not have,
 * its pools do not support.
 */
#pragma once

#include "conf/storage_volume.h"
#include "drivers/storage/qemu_img.h"
#include "drivers/storage/run.h"
#include "drivers/storage/volume_file.h"
#include "util/secret_value.h"

typedef struct PoolFigures {
    uint64_t capacity, allocation, available; /* bytes */
} PoolFigures;

/* Called for every volume that is there; def: all that is known of it (taken), NULL: it is looked at when
 * somebody asks. */
typedef void VolumeFoundFn(const char *name, const char *path, StorageVolumeDef *def, void *data);

#define GENERATION_LAST UINT64_MAX

enum { /* PoolBackend.flags */
    BACKEND_FILES = 1 << 0,   /* volumes are files of the target directory */
    BACKEND_MOUNTS = 1 << 1,  /* the target is mounted while the pool is active */
    BACKEND_NO_WIPE = 1 << 2, /* nobody writes over the volumes */
    BACKEND_LIBRARY = 1 << 3, /* volumes are no files of this host (library.h) */
};

typedef struct PoolBackend {
    StoragePoolType type;
    unsigned flags;
    const char *programs[4]; /* without which nothing works */
    const char *needs;       /* the program, one of ours with a library, without which this daemon has no such pools */

    /* Is it active, whatever we know? */
    bool (*check)(const StoragePoolDef *d, bool *ret, GError **err);
    bool (*start)(const StoragePoolDef *d, const StorageJob *job, GError **err);
    bool (*stop)(const StoragePoolDef *d, const StorageJob *job, GError **err);
    bool (*build)(const StoragePoolDef *d, unsigned flags, const StorageJob *job, GError **err);
    bool (*remove)(const StoragePoolDef *d, const StorageJob *job, GError **err);
    /* Figures, and permissions of the target (d is the live definition). */
    bool (*measure)(StoragePoolDef *d, PoolFigures *ret, const StorageJob *job, GError **err);
    bool (*list)(const StoragePoolDef *d, VolumeFoundFn *found, void *data, const StorageJob *job, GError **err);
    /* Changes whenever a volume comes or goes by itself; 0: cannot be told; GENERATION_LAST: the list is that of
     * the last refresh. Quick. */
    uint64_t (*generation)(const StoragePoolDef *d);
    StorageSourceList *(*find_sources)(const StoragePoolSource *like, const StorageJob *job, GError **err);

    /* Volumes. v: what a client wants; completed by what was made. */
    StorageVolumeDef *(*vol_look)(const StoragePoolDef *d, const char *name, GError **err);
    bool (*vol_create)(const StoragePoolDef *d, StorageVolumeDef *v, const StorageVolumeDef *input, unsigned flags,
                       const StorageJob *job, GError **err);
    bool (*vol_delete)(const StoragePoolDef *d, const StorageVolumeDef *v, unsigned flags, const StorageJob *job, GError **err);
    /* Where snapshots of volumes are volumes: those that vol_delete takes with their original (StorageVolumeDef), for who asks
     * whether that is wanted. */
    GPtrArray *(*vol_snapshots)(const StoragePoolDef *d, const StorageVolumeDef *v, const StorageJob *job, GError **err);
    bool (*vol_resize)(const StoragePoolDef *d, const StorageVolumeDef *v, uint64_t capacity, unsigned flags,
                       const StorageJob *job, GError **err);
    /* NULL: the volume's path is written over, unless BACKEND_NO_WIPE. */
    bool (*vol_wipe)(const StoragePoolDef *d, const StorageVolumeDef *v, unsigned algorithm, const StorageJob *job, GError **err);
} PoolBackend;

/* The row of a type. NULL with *err: this daemon cannot have such pools; the error names what is missing. */
const PoolBackend *pool_backend(StoragePoolType type, GError **err);
/* One bit for each type that can be had. */
uint64_t pool_backends_supported(void);
/* "pools of type 'dir' cannot …", VIR_ERR_NO_SUPPORT; false. */
bool backend_refuse(const StoragePoolDef *d, const char *what, GError **err);

/* What is on a device, by the system's own eyes; NULL: nothing that it knows. */
char *backend_device_holds(const char *path, const StorageJob *job);

extern const PoolBackend backend_dir, backend_fs, backend_netfs, backend_logical, backend_disk, backend_iscsi, backend_scsi,
    backend_mpath, backend_zfs, backend_vstorage, backend_iscsi_direct, backend_rbd, backend_gluster;

/* Where records of what is being made are. */
const char *backend_records(void);
void backend_use_records(const char *dir); /* before the first question */

/* volume_chain.c. The file that an image calls so as the one below it; NULL: it is none. Looks at nothing. */
char *volume_below(const char *path, const char *backing);
/* What qemu-img would open with this image is only files and block devices of this host. */
bool volume_chain_check(const char *path, unsigned format, const StorageJob *job, GError **err);
/* The same of an image with which it is going to work; *ret: its layers (QemuImgLayer; it is freed with them), as they were looked
 * at. NULL: only another process may look at one of them, and the program has to open all by their names. write: the first one. */
bool volume_chain_open(const char *path, unsigned format, bool write, const StorageJob *job, GArray **ret, GError **err);
/* The same of the backing store that a client wants for a volume in dir. */
bool volume_backing_check(const StorageVolumeDef *v, const char *dir, const StorageJob *job, GError **err);
/* Shared by rows (volume_look.c). What a file or device says of itself; path is absolute. not_here (may be NULL)
 * says of the image below whether it is to be looked at elsewhere (apart_needed()): then NULL without *err. */
typedef bool LookElsewhereFn(const StoragePoolDef *d, const char *path, const char *other);
StorageVolumeDef *volume_look(StoragePoolType pool, const char *name, const char *path, LookElsewhereFn *not_here,
                              bool *ret_elsewhere, GError **err);
/* Permissions of a path as it is; NULL: cannot be told. */
StoragePermissions *volume_permissions(int fd);
/* volume_fill.c: makes the volume v, encrypted, with the content of input (may be NULL), as v wants it. fd: the file, which
 * has no name yet, so that nobody else's is opened; -1: the device at v's path, which was made for it. dir: where names of
 * layers begin. A relative one means nothing to the program, and is entered when all is there. flags: QEMU_IMG_*. */
bool volume_fill(int fd, const char *dir, const StorageVolumeDef *v, const StorageVolumeDef *input, unsigned flags, const StorageJob *job,
                 GError **err);
bool volume_fill_resize(const StorageVolumeDef *v, uint64_t capacity, bool allocate, const StorageJob *job, GError **err);
/* What an encrypted device has more than its content takes: the head, which is somewhat less. */
#define VOLUME_LUKS_ROOM ((uint64_t)2 << 20)
static inline uint64_t volume_room(const StorageVolumeDef *v)
{
    return v->encryption ? VOLUME_LUKS_ROOM : 0;
}
/* Devices: what can be made of v is refused before anything is. */
bool volume_device_check(const StorageVolumeDef *v, GError **err);

/* For a pool with <auth>, on behalf of who waits: whoever starts a pool chooses the server that hears of the secret. Without a job
 * (looks at volumes, pools that start with the host) by the daemon itself. *ret NULL: it needs none. */
bool backend_secret(const StoragePoolDef *d, const StorageJob *job, SecretValue **ret, GError **err);
