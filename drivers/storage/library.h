/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools that a library speaks to. The library is in a process of its own (work.c), one program for each: the
 * daemon does not load it, a server that is dead holds nobody up, and a fault in it is no fault of the daemon.
 * Either side is a row of operations: the daemon's hands over (backend_library.c), the process's does it.
 */
#pragma once

#include "drivers/storage/backend.h"

/* Ends each document of a list. No document has it. */
#define WORK_DOCUMENT_END "\f"

/* The row of this process. */
extern const PoolBackend *const work_row;
/* The value of the pool's secret in base64, NULL: it has none. */
const char *work_secret(void);
/* A volume in one of these pools: path is no file. */
StorageVolumeDef *library_volume(const StoragePoolDef *d, const char *name, const char *path, const char *key, uint64_t capacity,
                                 uint64_t allocation);
