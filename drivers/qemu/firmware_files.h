/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Firmware descriptors: the files with which distributions say what firmware images can do (QEMU's
 * docs/interop/firmware.json). Reads files; a worker.
 */
#pragma once

#include "util/json.h"

typedef struct FirmwareFile {
    char *path;
    JsonObject *o;
} FirmwareFile;

/* Where descriptors are looked for, strongest first, NULL-terminated; with the user's own in a session. Never freed. */
const char *const *firmware_dirs(void);

/* The descriptors below DIRS (strongest first; NULL: firmware_dirs()), by file name. A name hides the same
 * in weaker directories; an empty file hides without replacing. Broken ones are left out. */
GPtrArray *firmware_files(const char *const *dirs);

/* Is WORD in the array of strings at PATH ("features")? */
bool firmware_lists(const FirmwareFile *f, const char *path, const char *word);
/* Is it made for such a machine? Architectures with the names of documents ("i686"). */
bool firmware_fits(const FirmwareFile *f, const char *arch, const char *machine);
