/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that cannot be mistaken for another: pidfd while we hold it, pid plus start time (clock
 * ticks since boot, /proc/PID/stat field 22) in records on disk.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct PidRef {
    pid_t pid; /* 0: none */
    uint64_t start_time;
    int fd; /* pidfd, -1 when not open */
} PidRef;

#define PIDREF_NONE ((PidRef){ .pid = 0, .start_time = 0, .fd = -1 })

bool pidref_from_pid(pid_t pid, PidRef *ret, GError **err); /* reads the start time, opens the pidfd */
/* From a record: 1 the same process lives, 0 it is gone (or the pid is another's), -1 error. */
int pidref_reopen(PidRef *p, GError **err);
bool pidref_alive(const PidRef *p);
bool pidref_kill(const PidRef *p, int sig, GError **err);
/* Waits up to usec for its end: 1 ended, 0 not, -1 error. Does not reap. */
int pidref_wait(const PidRef *p, uint64_t usec, GError **err);
void pidref_done(PidRef *p);
