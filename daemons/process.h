/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A daemon as a process of the host: background, pid file, limits, last words. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Forks; the parent waits until background_ready() (or the end) of the child and exits with the
 * matching status. Returns in the child, before there are threads. */
bool background_start(int *ret_ready_fd, GError **err);
/* Lets the parent go and turns away from the terminal. fd -1: not in the background, nothing. */
void background_ready(int *ready_fd);

/* Writes the pid file and holds a lock on it until the process ends: a second daemon on it is
 * refused, and a file that a killed daemon left is not in the way. */
bool pid_file_take(const char *daemon, const char *path, int *ret_fd, GError **err);
void pid_file_remove(const char *path, int *fd);

/* As many descriptors as the host allows; best effort. */
void raise_fd_limit(void);

/* From now on a fatal signal writes the ring of debug lines to stderr and to path before it kills. */
void crash_dump_install(const char *path);
/* The same writing on request; no signal handler needed. */
void crash_dump_now(void);
