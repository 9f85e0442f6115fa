/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Work that may take long or hang: who waits for it, until when, whether it is still wanted, how far it
 * is. Programs are run as children that are killed at their deadline.
 */
#pragma once

#include "conf/domain_disk.h"
#include "drivers/storage/argv.h"
#include "util/secret_value.h"
#include "util/spawn.h"

#include <stdatomic.h>
#include <stdint.h>

/* The value of a secret (drivers/common/secrets.h). data: the job's, NULL: our own affair. */
typedef SecretValue *StorageSecretFn(const SecretRef *ref, int usage, const char *what, void *data, GError **err);

typedef struct StorageJob {
    uint64_t usec;                               /* for each program; 0: the usual */
    uint64_t stall_usec;                         /* a program is given up when nothing moves for so long; 0: never */
    bool own;                                    /* programs work for us alone, and end with us */
    bool (*cancelled)(void *data);               /* may be NULL */
    const atomic_bool *stopped;                  /* the pool's end is wanted, and with it that of this; may be NULL */
    void (*progress)(double percent, void *data); /* may be NULL */
    void (*alive)(void *data);                   /* something went on; may be NULL */
    StorageSecretFn *secret;                     /* on behalf of who waits; NULL: our own affair */
    void *data;
    const SpawnFd *fds; /* what programs inherit besides */
    unsigned n_fds;
} StorageJob;

/* Descriptors that a program gets. */
typedef struct StorageFiles {
    int in;  /* -1: nothing to read */
    int other; /* becomes number 3; -1: none */
    bool speaks; /* it tells itself that it is alive; what it reads and writes does not count */
} StorageFiles;

enum { STORAGE_RUN_USEC = 60 * 1000 * 1000, STORAGE_STALL_USEC = 30 * 1000 * 1000, STORAGE_OUTPUT_MAX = 16 << 20 };
/* For a change that takes a moment, on a host that has much else to do. */
#define STORAGE_CHANGE_USEC ((uint64_t)G_USEC_PER_SEC * 600)
/* For work that takes as long as it takes, as long as something moves. */
#define STORAGE_PATIENCE_USEC ((uint64_t)G_USEC_PER_SEC * 3600 * 24 * 7)

/* The path of an installed program, NULL: it is not there. */
char *storage_find_program(const char *name);
/* Runs it to its end. VIR_ERR_OPERATION_UNSUPPORTED names a program that is not installed. job may be
 * NULL. ret_out may be NULL. Workers, which do not count as busy meanwhile. */
bool storage_run(const Argv *a, const StorageJob *job, char **ret_out, GError **err);
/* take: may be NULL, with *err set by whoever did not make it. */
bool storage_run_take(Argv *take, const StorageJob *job, char **ret_out, GError **err);
/* As storage_run_take(), of one that changes what is on this host's disks: who waits for it may be late, which is no reason to end
 * it half done. */
bool storage_run_change(Argv *take, const StorageJob *job, GError **err);
bool storage_run_with(const Argv *a, const StorageFiles *files, const StorageJob *job, char **ret_out, GError **err);
/* What a pool or a volume names in its document; usage: VIR_SECRET_USAGE_TYPE_*; what needs it: "pool 'x'". Wiped with its
 * last reference. */
void storage_use_secrets(StorageSecretFn *fn); /* who is asked where no job says; before the first pool */
SecretValue *storage_secret(const StorageJob *job, const SecretRef *ref, int usage, const char *what, GError **err);
bool storage_job_cancelled(const StorageJob *job, GError **err); /* true with *err */
void storage_job_alive(const StorageJob *job);
void storage_job_progress(const StorageJob *job, uint64_t done, uint64_t total);
