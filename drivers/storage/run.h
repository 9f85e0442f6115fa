/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Work that may take long or hang: who waits for it, until when, whether it is still wanted, how far it
 * is. Programs are run as children that are killed at their deadline.
 */
#pragma once

#include "drivers/storage/argv.h"

#include <stdint.h>

typedef struct StorageJob {
    uint64_t usec;                               /* for each program; 0: the usual */
    bool (*cancelled)(void *data);               /* may be NULL */
    void (*progress)(double percent, void *data); /* may be NULL */
    void *data;
} StorageJob;

enum { STORAGE_RUN_USEC = 60 * 1000 * 1000, STORAGE_OUTPUT_MAX = 16 << 20 };

/* The path of an installed program, NULL: it is not there. */
char *storage_find_program(const char *name);
/* Runs it to its end. VIR_ERR_OPERATION_UNSUPPORTED names a program that is not installed. job may be
 * NULL. ret_out may be NULL. Workers. */
bool storage_run(const Argv *a, const StorageJob *job, char **ret_out, GError **err);
/* take: may be NULL, with *err set by whoever did not make it. */
bool storage_run_take(Argv *take, const StorageJob *job, char **ret_out, GError **err);
bool storage_job_cancelled(const StorageJob *job, GError **err); /* true with *err */
void storage_job_progress(const StorageJob *job, uint64_t done, uint64_t total);
