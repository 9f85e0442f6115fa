/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A thread's event loop: sd-event (timers, signals, child pidfds, rare descriptors) plus two things
 * that it lacks: posting work from other threads, and sockets by the thousand at little cost.
 * Callers use sd_event_add_io() and friends directly, but for sockets that carry many messages.
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
/* After a timer's time or state was changed (not by loop_timer_set()) in a callback that is not
 * sd-event's own. Who forgets it is noticed some milliseconds later. */
void loop_attend(Loop *l);
/* Runs until loop_exit(); the calling thread becomes the loop's thread. Returns the exit code.
 * Afterwards loop_turn() may still be called, and so may this. */
int loop_run(Loop *l);
/* Serves what is ready, after waiting up to usec for something. 1: something was done, 0: nothing,
 * below zero: -errno. Takes the place of sd_event_run(). */
int loop_turn(Loop *l, uint64_t usec);
void loop_exit(Loop *l, int code);
/* Any thread: run fn(data) on the loop thread, in order of posting. Never runs fn at once. */
void loop_post(Loop *l, void (*fn)(void *data), void *data);
/* How many turns it has made; counts up while callbacks run. */
uint64_t loop_turns(const Loop *l);
bool loop_is_current(const Loop *l);
/* Runs what is posted, until nothing is: when the loop has ended and the workers are joined. */
void loop_drain(Loop *l);

/* A watched descriptor, part of what owns it. It may be removed at any time, also by its own callback
 * and by those of others; only then may its memory go. */
typedef struct LoopIo LoopIo;
typedef void (*LoopIoFn)(LoopIo *io, uint32_t revents);
struct LoopIo {
    Loop *loop; /* NULL: not watched */
    int fd;
    uint32_t events;
    LoopIoFn fn;
};

/* events: of epoll, level-triggered. False with errno. */
bool loop_io_add(Loop *l, LoopIo *io, int fd, uint32_t events, LoopIoFn fn);
/* 0: nothing, not even that the peer hung up. */
void loop_io_set(LoopIo *io, uint32_t events);
void loop_io_remove(LoopIo *io); /* before the descriptor is closed; harmless when not watched */

/* Monotonic time in microseconds. */
uint64_t now_usec(void);
/* One-shot timer, usec from now; *s is replaced (unref'd) when set. Loop thread. */
void loop_timer_set(Loop *l, sd_event_source **s, uint64_t usec, sd_event_time_handler_t fn, void *data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Loop, loop_free)
