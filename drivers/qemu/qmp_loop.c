/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The monitor thread: one event loop for the QMP and agent sockets of all guests, apart from the
 * thread that serves clients, because what these sockets say is under the guests' control. It is
 * made when the first monitor is opened, so a daemon without guests has no such thread.
 */
#include <errno.h>
#include <signal.h>

#include "drivers/qemu/qmp.h"
#include "util/error.h"
#include "util/lock.h"

static struct {
    Lock lock;
    pthread_cond_t changed;
    pthread_t thread;
    Loop *loop;
    GError *error;
    bool running;
} mt = { .lock = LOCK_INIT, .changed = PTHREAD_COND_INITIALIZER };

static void *monitor_thread(void *unused)
{
    GError *err = NULL;
    Loop *loop = loop_new(&err); /* here, so that the loop knows its thread from the start */

    lock_enter(&mt.lock);
    mt.loop = loop;
    mt.error = err;
    pthread_cond_broadcast(&mt.changed);
    lock_leave(&mt.lock);
    if (loop)
        (void)loop_run(loop);
    return NULL;
}

Loop *qmp_loop(GError **err)
{
    LOCK_SCOPE(&mt.lock);

    if (mt.loop)
        return mt.loop;
    if (!mt.running) {
        sigset_t all, old;

        /* Signals belong to the main loop. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        int r = pthread_create(&mt.thread, NULL, monitor_thread, NULL);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (r != 0) {
            error_set_errno(err, r, "cannot start the monitor thread");
            return NULL;
        }
        mt.running = true;
    }
    while (!mt.loop && !mt.error)
        pthread_cond_wait(&mt.changed, &mt.lock.m);
    if (mt.loop)
        return mt.loop;

    if (mt.running) {
        pthread_join(mt.thread, NULL); /* it ends right after reporting, without taking the lock again */
        mt.running = false;
    }
    if (mt.error) {
        g_propagate_error(err, mt.error);
        mt.error = NULL;
    } else { /* another caller took the report */
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the monitor thread did not start");
    }
    return NULL;
}

static void stop(void *loop)
{
    loop_exit(loop, 0);
}

void qmp_loop_stop(void)
{
    lock_enter(&mt.lock);
    Loop *loop = mt.loop;
    mt.loop = NULL;
    lock_leave(&mt.lock);
    if (!loop)
        return;

    loop_post(loop, stop, loop);
    pthread_join(mt.thread, NULL);
    lock_enter(&mt.lock);
    mt.running = false;
    lock_leave(&mt.lock);
    loop_free(loop);
}
