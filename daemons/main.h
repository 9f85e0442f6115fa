/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A daemon is a DaemonSpec and a main() that hands it to daemon_main(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct Driver;

typedef struct DaemonSpec {
    const char *name;          /* "virtqemud": of the program, its server, units, .conf and pid file */
    const char *socket_prefix; /* "virtqemud" or "libvirt" */
    const char *module;        /* driver module to load, NULL: none */
    const struct Driver *builtin; /* linked in instead of a module */
    bool proxy;                /* serves by forwarding; may listen on TCP */
} DaemonSpec;

/* The driver that is linked into the program, for its DaemonSpec. */
#ifdef BUILTIN_DRIVERS
extern const struct Driver driver;
#define BUILTIN_DRIVER &driver
#else
#define BUILTIN_DRIVER NULL
#endif

/* Runs the daemon; returns the exit status of the process. */
int daemon_main(int argc, char **argv, const DaemonSpec *spec);
