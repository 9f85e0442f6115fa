/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a path leads, found out without touching a file system whose server may be dead (mounts.c). */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct MountPlace {
    char *path;     /* without links, as far as they can be followed without harm */
    bool mounted;   /* something is mounted right there */
    bool may_hang;  /* whoever goes there may wait for a server, or a process, for ever */
} MountPlace;

void mount_place_clear(MountPlace *p);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MountPlace, mount_place_clear)

/* path is absolute. Any thread; never waits for anybody. */
bool mount_place(const char *path, MountPlace *ret, GError **err);
/* What cannot be told, may. */
bool mount_may_hang(const char *path);
/* Puts the words of a path before those that are left to be walked. */
void path_push_words(GQueue *todo, const char *path);
