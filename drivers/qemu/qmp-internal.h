/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What qmp.c (calls, their ends, waiting) and qmp_io.c (socket, lines, handshake) share. Not for
 * other files. The rules of locking are in qmp.c.
 */
#pragma once

#include <stdatomic.h>

#include "drivers/qemu/qmp.h"
#include "util/lock.h"

typedef enum QmpState { QMP_CONNECTING, QMP_GREETING, QMP_NEGOTIATING, QMP_READY, QMP_CLOSED } QmpState;

typedef struct QmpCall {
    struct QmpCall *next;
    uint64_t id, began, deadline;
    const char *cmd;
    bool done, raw;
    JsonObject *reply; /* "return", or the whole object when raw */
    GError *err;
    /* asynchronous ones are on the heap and own cmd */
    bool async;
    void (*fn)(JsonObject *ret, const GError *err, void *data);
    void *data;
} QmpCall;

typedef struct QmpOut {
    struct QmpOut *next;
    uint64_t id;
    char *text;
    size_t len, off;
    int fd;
} QmpOut;

struct QmpExpect {
    struct QmpExpect *next;
    Qmp *q;
    char *event, *member, *value;
    QmpEvent *got;
};

struct Qmp {
    atomic_int users; /* who holds it from outside; together they hold one of refs */
    int refs;
    Lock lock;
    pthread_cond_t changed;
    Loop *loop;
    const QmpOps *ops;
    void *data;
    char *path;

    QmpState state;
    int fd;
    uint64_t next_id, handshake_id;
    QmpOut *out, **out_tail;
    QmpCall *calls;
    QmpExpect *expects;
    GError *why; /* why calls fail from now on: closed or aborted */
    _Atomic uint64_t overdue_since;
    bool service_posted;

    /* monitor thread */
    sd_event_source *io, *timer;
    GByteArray *in;
    bool armed_out;
};

/* A reference of the inner kind: a post, a callback, the monitor thread. */
Qmp *qmp_hold(Qmp *q);
void qmp_drop(Qmp *q);
typedef Qmp QmpHeld;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpHeld, qmp_drop)

/* Of one who waits for the monitor until a deadline. Most answers are there in a moment; a worker that waits longer does not count
 * as busy, so that one hung guest does not hold up others. */
typedef struct QmpWait {
    uint64_t deadline;
    bool aside;
} QmpWait;
/* Something has changed, perhaps; false: the deadline has come. q is locked, but for an instant. */
bool qmp_wait_locked(Qmp *q, QmpWait *w);
void qmp_wait_done(QmpWait *w); /* q is not locked */

/* qmp.c */
QmpCall *qmp_call_unlink_locked(Qmp *q, uint64_t id);
/* The call has its reply or error. Returns it when it is asynchronous: chain such calls and give them
 * to qmp_calls_run_async() after the lock is left. */
QmpCall *qmp_call_finish_locked(Qmp *q, QmpCall *c);
void qmp_calls_run_async(Qmp *q, QmpCall *list);
/* Takes asynchronous calls past their deadline off the list; for qmp_calls_run_async(). */
QmpCall *qmp_calls_expire_locked(Qmp *q);
/* Monitor thread: the peer hung up (why NULL) or misbehaved (why is taken). */
void qmp_lost(Qmp *q, GError *why);

/* qmp_io.c */
void qmp_out_free(QmpOut *o);
/* Adds the id to message and makes the line. fd is taken. */
QmpOut *qmp_out_new(uint64_t id, JsonObject *message, int fd);
void qmp_flush_locked(Qmp *q);
void qmp_post_service_locked(Qmp *q);
/* Monitor thread; takes a reference of the inner kind. */
void qmp_service(void *q);
/* Monitor thread, posted: start to listen or to connect. Takes a reference of the inner kind. */
void qmp_start(void *q);
