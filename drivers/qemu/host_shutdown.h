/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What becomes of guests when the host goes down: as qemu.conf's `auto_shutdown_*` say, first saved, then asked to shut
 * down, then powered off, each for persistent guests, transient ones, all or none. logind tells of it on the system bus, and
 * waits for us (no longer than its own configuration allows) while guests run. Without a bus nothing happens.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct QemuConfig QemuConfig;

/* Do the words make sense? */
bool host_shutdown_check(const QemuConfig *c, GError **err);
/* A guest runs, or one has ended; any thread. */
void host_shutdown_look(void);
/* Before the monitor thread ends. */
void host_shutdown_stop(void);
