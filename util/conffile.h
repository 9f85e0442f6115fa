/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Configuration files of the daemons and drivers (virtqemud.conf, qemu.conf, …): lines "key = value"
 * with strings, integers, booleans 0/1 and lists of strings; '#' comments. Described by rows; a key
 * that has no row is skipped with a warning, unless it is nearly one of ours: that is an error.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ConfFileType {
    CONFFILE_BOOL,
    CONFFILE_INT,
    CONFFILE_UINT,
    CONFFILE_STRING,
    CONFFILE_STRING_LIST
} ConfFileType;

typedef struct ConfFileKey {
    const char *name;
    ConfFileType type;
    size_t off; /* into the struct: bool, int64_t, uint64_t, char *, char ** (NULL-terminated) */
    const char *doc;
} ConfFileKey;

/* Reads path into out (defaults already set there; replaced strings are freed). Missing file: true
 * and nothing changed. */
bool conffile_load(const char *path, const ConfFileKey *keys, size_t n, void *out, GError **err);
/* The same from memory, for tests and fuzzing. */
bool conffile_parse(const char *name, const char *text, size_t len, const ConfFileKey *keys, size_t n,
                    void *out, GError **err);
void conffile_clear(const ConfFileKey *keys, size_t n, void *out);
