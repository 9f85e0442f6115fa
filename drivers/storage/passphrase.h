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

/* Of a volume that is made (fresh) its document names the secret. Of one that is there nobody knows which it was: unless
 * v says so, it is the one whose usage is the volume's path. Nothing for a volume that is not encrypted. number: which
 * of the program's it is, from 0. */
bool passphrase_open(const StorageVolumeDef *v, bool fresh, unsigned number, const StorageJob *job, Passphrase *ret, GError **err);
void passphrase_done(Passphrase *p);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Passphrase, passphrase_done)
