/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon hook (hook.h). A thread of its own, and only where there is such a hook: a program of the
 * administrator's must not keep clients waiting, and calls must not keep it waiting.
 */
#define LOG_SOURCE "daemon.hook"
#include "daemons/hook.h"

#include "util/error.h"
#include "util/hook.h"
#include "util/log.h"

enum { DEADLINE = 10 * G_USEC_PER_SEC };

static GThreadPool *queue; /* of one thread; NULL: no hook was there yet */

static void run(void *data, void *unused)
{
    g_autofree Hook *h = data;
    g_autoptr(GError) err = NULL;
    (void)unused;

    if (!hook_run(h, NULL, &err))
        log_warn("%s", err->message);
}

void daemon_hook(const char *operation, const char *suboperation, const char *extra)
{
    if (!hook_present("daemon"))
        return;
    if (!queue)
        queue = g_thread_pool_new(run, NULL, 1, FALSE, NULL);

    Hook *h = g_new(Hook, 1);
    *h = (Hook){ .name = "daemon", .operation = operation, .suboperation = suboperation, .extra = extra, .usec = DEADLINE };
    g_thread_pool_push(queue, h, NULL);
}

void daemon_hook_wait(void)
{
    if (queue)
        g_thread_pool_free(g_steal_pointer(&queue), FALSE, TRUE);
}
