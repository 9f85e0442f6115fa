/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A thread's event loop: sd-event (epoll, timers, signals, child pidfds) plus one thing that it
 * lacks, posting work from other threads. Callers use sd_event_add_io() and friends directly.
 * Everything but loop_post() and loop_is_current() belongs to the loop's own thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

typedef struct Loop Loop;

Loop *loop_new(GError **err);
Loop *loop_free(Loop *l);
sd_event *loop_event(Loop *l);
/* Runs until loop_exit(); the calling thread becomes the loop's thread. Returns the exit code.
 * Afterwards sd_event_run() may still be called, and so may this. */
int loop_run(Loop *l);
void loop_exit(Loop *l, int code);
/* Any thread: run fn(data) on the loop thread, in order of posting. Never runs fn at once. */
void loop_post(Loop *l, void (*fn)(void *data), void *data);
bool loop_is_current(const Loop *l);
/* Runs what is posted, until nothing is: when the loop has ended and the workers are joined. */
void loop_drain(Loop *l);
/* Monotonic time in microseconds. */
uint64_t now_usec(void);
/* One-shot timer, usec from now; *s is replaced (unref'd) when set. Loop thread. */
void loop_timer_set(Loop *l, sd_event_source **s, uint64_t usec, sd_event_time_handler_t fn, void *data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Loop, loop_free)
