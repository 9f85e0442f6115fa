/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Passphrases of encrypted volumes, on their way to the program that needs them. Workers. */
#pragma once

#include "conf/storage_volume.h"
#include "drivers/storage/run.h"

/* For so long a program may do nothing but make a key of it, which is slow on purpose, on a busy host. */
#define PASSPHRASE_USEC ((uint64_t)G_USEC_PER_SEC * 600)

/* A file without a name that one program inherits; all zero: none. */
typedef struct Passphrase {
    bool open;
    SpawnFd fd;
    char *path; /* by which the program opens it */
} Passphrase;

/* Those of a volume, and of one whose content it gets (input: NULL, none), with the job of a program that inherits them: it is
 * given the time that they take. Of a volume that is made (fresh) its document names the secret. Of one that is there nobody
 * knows which it was: unless v says so, it is the one whose usage is the volume's path. Nothing for one that is not encrypted. */
typedef struct Passphrases {
    Passphrase vol, input;
    StorageJob job;
    GArray *fds; /* SpawnFd; the job's */
} Passphrases;
bool passphrases_open(const StorageVolumeDef *v, bool fresh, const StorageVolumeDef *input, const StorageJob *job, Passphrases *ret, GError **err);
/* The program gets another descriptor as well (not taken). */
void passphrases_lend(Passphrases *p, int fd, int target);
void passphrases_done(Passphrases *p);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Passphrases, passphrases_done)
