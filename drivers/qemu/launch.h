/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting an emulator so that it outlives us, and never leaving one behind that no domain knows.
 *
 * The protocol of a start (any worker thread):
 *   1. l = qemu_launch_new(...)      makes a marker file RUN/qemu/NAME.starting, locked, with a random
 *                                    cookie, and opens the log
 *   2. qemu_launch_listen(l, ...)    makes the monitor's listening socket
 *   3. qemu_launch_spawn(l, ...)     starts the emulator, cookie in its environment; log, pid file
 *   4. qemu_launch_connect(l, ...)   connects the monitor; an early exit is noticed at once
 *   5. the caller configures the guest and writes its status (turn_checkpoint)
 *   6. qemu_launch_commit(l)         removes the marker: from here on the status file is the record
 * or, at any failure, qemu_launch_kill(l), what else the caller has to undo, and qemu_launch_undo(l),
 * which removes pid file, socket and, last, the marker.
 *
 * A daemon killed in between leaves the marker. qemu_launch_recover(), called once at start before
 * domains are touched, waits until no half-made child holds the marker's lock, finds the
 * emulator by the cookie, and kills it unless the status says that the domain is running.
 */
#pragma once

#include "drivers/qemu/qmp.h"
#include "util/pidref.h"
#include "util/spawn.h"
#include "util/uuid.h"

typedef struct QemuLaunch QemuLaunch;

QemuLaunch *qemu_launch_new(const char *name, const Uuid uuid, GError **err);
/* monitor_path: where the monitor's socket is made (its directory exists). */
bool qemu_launch_listen(QemuLaunch *l, const char *monitor_path, GError **err);
/* For an emulator that only answers questions (probing) and is always ended by qemu_launch_undo(): no
 * log file (its words are kept in memory), no pid file, no monitor socket; the marker makes sure that
 * it does not outlive a killed daemon's successor. */
QemuLaunch *qemu_launch_new_helper(const char *name, GError **err);
/* The listening socket of the monitor, for the list of descriptors that the emulator inherits. It
 * stays l's and is closed by qemu_launch_spawn(). */
int qemu_launch_monitor_fd(const QemuLaunch *l);
/* The log of this domain (LOG/qemu/NAME.log), open for appending; l's. Created and rotated by
 * qemu_launch_new(). */
int qemu_launch_log_fd(const QemuLaunch *l);

/* spawn: argv, envp ("NAME=value"; our cookie is added), descriptors, user and limits; input, output and
 * session are the launcher's. fds are copied into the child and stay the caller's. Fails when it
 * cannot be executed. */
bool qemu_launch_spawn(QemuLaunch *l, const Spawn *spawn, GError **err);
/* "NAME=value" of this start's cookie, for the environment of helpers; l's. */
const char *qemu_launch_cookie(const QemuLaunch *l);
/* Valid after spawn; l's. */
const PidRef *qemu_launch_pid(const QemuLaunch *l);
/* Connects and waits for the monitor. When the emulator ended instead, the error is its last words:
 * "process exited while connecting to monitor: qemu-system-x86_64: -drive …: No such file". */
Qmp *qemu_launch_connect(QemuLaunch *l, uint64_t deadline, const QmpOps *ops, void *data,
                         GError **err);
/* Replaces the text of *err by the emulator's last words if it has ended meanwhile, and adds them when
 * it lives and has complained. For failures between spawn and commit. */
void qemu_launch_explain(QemuLaunch *l, GError **err);

/* Ends the emulator, if there is one. */
void qemu_launch_kill(QemuLaunch *l);
/* Both end l. undo kills, too; with NULL it does nothing. */
void qemu_launch_commit(QemuLaunch *l);
void qemu_launch_undo(QemuLaunch *l);

/* Recovery. known: does a status record say that this domain is running as this process? */
bool qemu_launch_recover(bool (*known)(const Uuid uuid, const PidRef *pid, void *data), void *data,
                         GError **err);
/* Processes with this cookie in their environment; *ret is the first, killed: how many were sent
 * SIGKILL (when kill). For recover and tests. */
unsigned qemu_find_orphans(const char *cookie, bool kill, PidRef *ret);

/* Paths and leftovers of a domain. */
char *qemu_log_path(const char *name);
char *qemu_pid_path(const char *name);
/* "shutting down, reason=destroyed" with the time, into the domain's log. Failure is ignored. */
void qemu_log_line(const char *name, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* After a guest is gone: removes pid file and monitor socket. */
void qemu_launch_cleanup(const char *name, const char *monitor_path);
