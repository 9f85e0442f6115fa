/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Volumes that are files of a directory. What is made appears under its name when all of it is on disk, or
 * not at all: nothing that fails, or is killed, leaves half a volume. It has no name until then; where the file
 * system has no files without names, it has a hidden one that a record in another directory names, and the next
 * start of the daemon removes both. Workers.
 */
#pragma once

#include <sys/types.h>

#include "drivers/storage/run.h"

typedef struct VolumeDir {
    const char *path;    /* of the pool */
    const char *records; /* a directory of ours */
} VolumeDir;

typedef struct VolumeFile {
    const char *name;
    uint64_t capacity, allocation; /* bytes; allocation at most capacity */
    mode_t mode;                   /* (mode_t)-1: 0600 */
    uid_t uid;                     /* (uid_t)-1: ours */
    gid_t gid;
    bool nocow;                    /* no copy-on-write, where the file system has it */
    bool reflink;                  /* a copy must share its blocks with the original */
} VolumeFile;

/* A raw file; input: its content (-1: zeros), of which at most capacity bytes are taken. VIR_ERR_STORAGE_VOL_EXIST when the name
 * is in use. */
bool volume_file_create(const VolumeDir *d, const VolumeFile *f, int input, const StorageJob *job, GError **err);
/* fill writes the content into a new file. */
typedef bool VolumeFillFn(int fd, void *data, GError **err);
bool volume_file_make(const VolumeDir *d, const VolumeFile *f, VolumeFillFn *fill, void *data, GError **err);
bool volume_dir_create(const VolumeDir *d, const VolumeFile *f, GError **err);
/* Files and empty directories. */
bool volume_file_delete(const VolumeDir *d, const char *name, GError **err);
/* A raw file. allocate: what is added takes its blocks now. */
bool volume_file_resize(const char *path, uint64_t capacity, bool allocate, const StorageJob *job, GError **err);

/* As image_open(), but that a link leads nobody else than root and us where its owner could not go himself: EPERM
 * (links.c). */
int volume_open(const char *path, int flags);
/* A pool's directory, to be read; write: what is in it will change. */
int volume_open_dir(const char *path, bool write);

/* One of ours that is not a volume (yet). */
bool volume_file_is_temporary(const char *name);
/* Removes what was being made by processes that are gone, in one directory (NULL: in all where one may look
 * without harm). Returns how many. */
unsigned volume_file_replay(const char *records, const char *dir);

/* Overwrites what the file or device has; algorithm: VIR_STORAGE_VOL_WIPE_ALG_*. (volume_wipe.c) */
bool volume_wipe(const char *path, unsigned algorithm, const StorageJob *job, GError **err);

/* Tests: the n-th following step fails with errnum, or kills us when errnum is negative. 0: off. */
void volume_file_fail_at(unsigned n, int errnum);
/* Tests: as on a file system without files without names. */
void volume_file_hide(bool always);
