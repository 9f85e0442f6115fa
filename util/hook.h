/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Administrators' programs that are told what happens, and may object: SYSCONFDIR/libvirt/hooks/NAME, then
 * the executable files in NAME.d by name. Each is called as "PROGRAM OBJECT OPERATION SUBOPERATION EXTRA",
 * "-" for what there is none of, with a document on its standard input.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Hook {
    const char *name;      /* "qemu", "daemon" */
    const char *object;    /* name of the domain; NULL: "-" */
    const char *operation; /* "prepare" */
    const char *suboperation, *extra; /* NULL: "-" */
    const char *input;     /* NULL: nothing to read */
    uint64_t usec;         /* deadline of each program; 0: HOOK_DEADLINE */
} Hook;

#define HOOK_DEADLINE ((uint64_t)60 * G_USEC_PER_SEC)

/* Whether there is any program of that name: without one a caller need not prepare the input. */
bool hook_present(const char *name);

/* Runs them one after the other and waits, also for those behind one that objects: by ending with another
 * status than 0, or not in time. The first that does is VIR_ERR_HOOK_SCRIPT_FAILED with the program's name
 * and the end of its stderr. output (may be NULL): what the last program that wrote anything wrote, bounded to 1 MiB, and what those behind it read;
 * NULL when none did; owned. A worker, never the loop thread. */
bool hook_run(const Hook *h, char **output, GError **err);
