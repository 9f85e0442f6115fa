/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The event loop of a thread. sd-event does the work; what is added is a queue of functions posted
 * by other threads. Invariant: the eventfd is readable whenever the queue is not empty, so a post
 * is never lost; it is written only on the step from empty to not empty, so a burst costs one
 * system call. loop_post() and loop_is_current() are for any thread, the rest for the loop's own.
 */
#include "util/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <time.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/lock.h"

typedef struct Post {
    struct Post *next;
    void (*fn)(void *data);
    void *data;
} Post;

struct Loop {
    sd_event *event;
    sd_event_source *posted;
    atomic_int tid; /* the thread that made or runs it */
    bool exit;
    int exit_code;
    int wake;       /* eventfd */
    Lock lock;      /* guards the queue */
    Post *first, **last;
};

static void queue_run(Loop *l)
{
    Post *p;

    lock_enter(&l->lock);
    p = l->first;
    l->first = NULL;
    l->last = &l->first;
    lock_leave(&l->lock);

    while (p) {
        Post *next = p->next;

        p->fn(p->data);
        g_free(p);
        p = next;
    }
}

static int on_wake(sd_event_source *s, int fd, uint32_t revents, void *data)
{
    uint64_t count;

    (void)!read(fd, &count, sizeof(count)); /* only clears it; EAGAIN is fine */
    queue_run(data);
    return 0;
}

static int on_timer_never(sd_event_source *s, uint64_t usec, void *data)
{
    return 0;
}

Loop *loop_new(GError **err)
{
    g_autoptr(Loop) l = g_new0(Loop, 1);
    sd_event_source *timer = NULL;
    int r;

    lock_init(&l->lock);
    l->last = &l->first;
    l->tid = gettid();
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->wake < 0) {
        error_set_errno(err, errno, "cannot make an eventfd for the event loop");
        return NULL;
    }
    r = sd_event_new(&l->event);
    if (r >= 0)
        r = sd_event_add_io(l->event, &l->posted, l->wake, EPOLLIN, on_wake, l);
    /* The first timer makes a timerfd that stays: have it now, while descriptors are to be had, so
     * that loop_timer_set() cannot fail later. */
    if (r >= 0)
        r = sd_event_add_time(l->event, &timer, CLOCK_MONOTONIC, UINT64_MAX, 1, on_timer_never, NULL);
    sd_event_source_disable_unref(timer);
    if (r < 0) {
        error_set_errno(err, -r, "cannot make the event loop");
        return NULL;
    }
    return g_steal_pointer(&l);
}

/* What was posted and not run yet is run here: posts carry ownership, dropping them would leak. */
Loop *loop_free(Loop *l)
{
    if (!l)
        return NULL;
    loop_drain(l);
    sd_event_source_disable_unref(l->posted);
    sd_event_unref(l->event);
    fd_close(&l->wake);
    lock_done(&l->lock);
    g_free(l);
    return NULL;
}

sd_event *loop_event(Loop *l)
{
    return l->event;
}

/* Not sd_event_loop(): a finished sd_event runs no more, and whoever stops a daemon still has to
 * let calls end. */
int loop_run(Loop *l)
{
    l->tid = gettid();
    l->exit = false;
    l->exit_code = 0;
    while (!l->exit) {
        if (sd_event_run(l->event, UINT64_MAX) < 0)
            return 1;
    }
    return l->exit_code;
}

void loop_exit(Loop *l, int code)
{
    l->exit = true;
    l->exit_code = code;
}

void loop_drain(Loop *l)
{
    bool more = true;

    while (more) {
        queue_run(l);
        lock_enter(&l->lock);
        more = l->first != NULL;
        lock_leave(&l->lock);
    }
}

void loop_post(Loop *l, void (*fn)(void *data), void *data)
{
    Post *p = g_new(Post, 1);
    bool was_empty;

    *p = (Post){ NULL, fn, data };
    lock_enter(&l->lock);
    was_empty = l->first == NULL;
    *l->last = p;
    l->last = &p->next;
    /* Under the lock: the loop may be freed as soon as the post has run. */
    if (was_empty)
        (void)!write(l->wake, &(uint64_t){ 1 }, sizeof(uint64_t)); /* cannot overflow */
    lock_leave(&l->lock);
}

bool loop_is_current(const Loop *l)
{
    return l->tid == gettid();
}

uint64_t now_usec(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void loop_timer_set(Loop *l, sd_event_source **s, uint64_t usec, sd_event_time_handler_t fn, void *data)
{
    uint64_t now = now_usec();
    uint64_t at = usec > UINT64_MAX - 1 - now ? UINT64_MAX - 1 : now + usec;
    int r;

    *s = sd_event_source_disable_unref(*s);
    r = sd_event_add_time(l->event, s, CLOCK_MONOTONIC, at, 1000, fn, data);
    if (r < 0)
        g_error("cannot set a timer: %s", g_strerror(-r)); /* out of memory: as g_malloc() */
}
