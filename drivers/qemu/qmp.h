/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest's monitor (QMP). One thread of the process, the monitor thread, reads all of them; a
 * worker that calls a command waits for its own reply, with a deadline. Several commands may be in
 * flight on one monitor. What arrives is hostile: a line that is too long, too deep or not QMP
 * closes that monitor and nothing else.
 *
 * Any thread may call everything here, except that what blocks (qmp_open, qmp_call and friends,
 * qmp_expect_wait) may not be called on the monitor thread, where the callbacks run.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/json.h"
#include "util/loop.h"

typedef struct Qmp Qmp;

#define QMP_DEADLINE_DEFAULT_USEC (25 * G_USEC_PER_SEC)
#define QMP_LINE_MAX (10 * 1024 * 1024)

/* An event as it came. Shared and constant. */
typedef struct QmpEvent {
    int refs;
    char *name;       /* "DEVICE_DELETED" */
    JsonObject *data; /* object, NULL: none. Read only */
    uint64_t seconds; /* QEMU's time stamp, 0 when it gave none */
    unsigned micros;
    bool awaited; /* a qmp_expect() took it as well */
} QmpEvent;

QmpEvent *qmp_event_ref(QmpEvent *e);
void qmp_event_unref(QmpEvent *e);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpEvent, qmp_event_unref)

/* Callbacks, on the monitor thread; they must not block. */
typedef struct QmpOps {
    /* Every event after the handshake, in order of arrival, after its waiters got it. Ref to keep. */
    void (*event)(Qmp *q, QmpEvent *e, void *data);
    /* Once, when the connection is lost or was closed for misbehaviour; not after qmp_close().
     * why is NULL when QEMU hung up. All calls have failed before. */
    void (*closed)(Qmp *q, const GError *why, void *data);
    /* Last: no callback follows. Any thread. May be NULL. */
    void (*release)(void *data);
} QmpOps;

enum {
    /* Return once connected; greeting and capabilities follow in the background, calls queue behind
     * them and keep their deadlines. For guests that may be stopped at the moment. */
    QMP_OPEN_LAZY = 1 << 0,
};

/*
 * Connects to the monitor at a unix socket path of any length, or takes over the connected socket
 * fd (path NULL; fd is closed in any case). Without QMP_OPEN_LAZY it waits until the monitor accepts
 * commands. deadline: absolute monotonic µs, 0: default. ops and data are kept until release.
 * VIR_ERR_OPERATION_TIMEOUT: nobody answered (the guest may be stopped); other errors: there is no
 * such monitor.
 */
Qmp *qmp_open(const char *path, int fd, unsigned flags, uint64_t deadline, const QmpOps *ops, void *data,
              GError **err);
Qmp *qmp_ref(Qmp *q);
void qmp_unref(Qmp *q); /* the last one closes */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Qmp, qmp_unref)
/* Ends the connection, fails what is in flight. A callback may still be running when it returns,
 * unless it was called on the monitor thread; none starts later. */
void qmp_close(Qmp *q);
/* Fails all calls and waits in flight, and all later ones, with VIR_ERR_OPERATION_ABORTED. */
void qmp_abort(Qmp *q, const char *reason);
bool qmp_is_open(Qmp *q);
/* Waits until the peer has hung up and all that it sent before was handled; false: not until then. Not on the monitor thread. */
bool qmp_wait_hangup(Qmp *q, uint64_t until);
/* Monotonic µs since when a call has been overdue, 0: the monitor answers. Cleared by any reply. */
uint64_t qmp_unresponsive_since(Qmp *q);
/* Number of commands that QEMU has not answered yet. */
unsigned qmp_in_flight(Qmp *q);

/*
 * Runs a command and waits. args is taken (NULL: none). ret, when not NULL, receives "return"
 * (an object, array or scalar; NULL for null), a reference of the caller's.
 *
 * Errors: QEMU's refusal as VIR_ERR_INTERNAL_ERROR "unable to execute QEMU command 'x': its words",
 * but VIR_ERR_OPERATION_UNSUPPORTED for an unknown command and VIR_ERR_DEVICE_MISSING for its class
 * DeviceNotFound; VIR_ERR_OPERATION_TIMEOUT at the deadline; VIR_ERR_OPERATION_FAILED when the
 * monitor went away; VIR_ERR_OPERATION_ABORTED after qmp_abort(). After a timeout the command may
 * still be carried out; its late reply is dropped.
 */
bool qmp_call(Qmp *q, const char *cmd, JsonObject *args, JsonObject **ret, uint64_t deadline, GError **err);
/* The same; a copy of fd goes with the command (getfd, add-fd). fd stays the caller's. */
bool qmp_call_with_fd(Qmp *q, const char *cmd, JsonObject *args, int fd, JsonObject **ret, uint64_t deadline,
                      GError **err);
/* Pass-through for tools: text is a whole QMP command; the reply, a refusal included, comes back as
 * compact JSON text. The "id" in it is ours. */
bool qmp_call_raw(Qmp *q, const char *text, char **ret, uint64_t deadline, GError **err);
/* Sends without waiting. done (may be NULL) runs once, on the monitor thread: ret or err is set
 * (both NULL for a null result); both are borrowed. */
void qmp_call_async(Qmp *q, const char *cmd, JsonObject *args, uint64_t deadline,
                    void (*done)(JsonObject *ret, const GError *err, void *data), void *data);

/*
 * Waits for an event that a command will cause. Made before the command, so that the event cannot be
 * missed. member and value select among several (data's member is that string; both NULL: any).
 * The event goes to ops->event as well, marked 'awaited'.
 */
typedef struct QmpExpect QmpExpect;
QmpExpect *qmp_expect(Qmp *q, const char *event, const char *member, const char *value);
bool qmp_expect_wait(QmpExpect *x, uint64_t deadline, QmpEvent **ret, GError **err);
void qmp_expect_free(QmpExpect *x);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpExpect, qmp_expect_free)

/* For tests and fuzzing: a Qmp without a socket, whose monitor thread is the caller's (the one of
 * loop), and bytes as if they had been received. */
Qmp *qmp_new_detached(Loop *loop, const QmpOps *ops, void *data);
void qmp_feed(Qmp *q, const char *bytes, size_t n);

/* The monitor thread's loop, started when first asked for; NULL when it cannot be. The guest agent's
 * sockets live there as well. */
Loop *qmp_loop(GError **err);
/* Ends the monitor thread; every Qmp must be closed. For tests and an orderly exit. */
void qmp_loop_stop(void);
