/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The event loop of a thread: an epoll of our own, with sd-event's inside it.
 *
 * A turn waits once and serves everything that is ready: up to EVENTS_MAX sockets, between them and behind
 * them what was posted, then sd-event. The kernel tells of ready sockets in the order in which they became
 * so; a turn takes many, for only among those can somebody be preferred (rpc/share.h). sd-event itself serves one source per wait and reads three clocks each time,
 * which is too much for the sockets of clients; for timers, signals and children it is just right.
 *
 * sd-event is left armed while we sleep. Its descriptor tells us of signals, children and timers that
 * expire; what it cannot tell is that a timer was set or changed by one of our callbacks. So whoever
 * does that calls loop_attend(). Should somebody forget it (libraries attach themselves to sd-event,
 * too), nothing is lost: after callbacks have run, the next sleep is a short one, and sd-event is
 * looked at when it ends quietly.
 *
 * Posts: the eventfd is written only while the loop sleeps or is about to; that is decided under the
 * lock that guards the queue, so a post is never overlooked. It is watched for edges and never read.
 * loop_post() and loop_is_current() are for any thread, the rest for the loop's own.
 */
#include "util/loop.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/lock.h"

enum {
    EVENTS_MAX = 1024, /* sockets per turn */
    POSTS_EVERY = 64, /* sockets, after which what was posted meanwhile is run */
    ATTEND_MAX = 16,  /* sd-event sources per turn */
    PUT_OFF_MAX = 16, /* turns for which sockets that are ready go before sd-event */
    LOOK_AGAIN_USEC = 10000,
};

typedef struct Post {
    struct Post *next;
    void (*fn)(void *data);
    void *data;
} Post;

struct Loop {
    sd_event *event;
    const void *_Atomic thread; /* the one that made or runs it: see this_thread() */
    bool exit;
    int exit_code;
    int epoll, wake; /* wake: eventfd */
    LoopIo wake_io, sd_io;
    bool attend; /* sd-event has something to do, or may have */
    bool ran;    /* callbacks since it was last looked at */
    uint64_t turns;
    unsigned put_off;
    struct epoll_event ready[EVENTS_MAX];
    int n_ready, at; /* those of this turn; [at] is next */
    Lock lock;       /* guards the queue */
    Post *first, **last;
    atomic_bool sleeping; /* set under the lock */
    atomic_uint posting;  /* threads in loop_post() */
};

/* Any address that no two living threads share. */
static const void *this_thread(void)
{
    static _Thread_local char here;

    return &here;
}

/* Whether there was something. */
static bool queue_run(Loop *l)
{
    Post *p;
    bool any;

    lock_enter(&l->lock);
    p = l->first;
    l->first = NULL;
    l->last = &l->first;
    lock_leave(&l->lock);
    any = p != NULL;

    while (p) {
        Post *next = p->next;

        p->fn(p->data);
        g_free(p);
        p = next;
    }
    return any;
}

static int on_timer_never(sd_event_source *s, uint64_t usec, void *data)
{
    return 0;
}

static void on_wake(LoopIo *io, uint32_t revents)
{
}

static void on_sd_event(LoopIo *io, uint32_t revents)
{
    loop_attend(io->loop);
}

static bool loop_set_up(Loop *l)
{
    sd_event_source *timer = NULL;
    int r;

    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->wake < 0 || l->epoll < 0)
        return false;
    r = sd_event_new(&l->event);
    /* The first timer makes a timerfd that stays: have it now, while descriptors are to be had, so
     * that loop_timer_set() cannot fail later. */
    if (r >= 0)
        r = sd_event_add_time(l->event, &timer, CLOCK_MONOTONIC, UINT64_MAX, 1, on_timer_never,
                              NULL);
    sd_event_source_disable_unref(timer);
    if (r < 0) {
        errno = -r;
        return false;
    }
    return loop_io_add(l, &l->wake_io, l->wake, EPOLLIN | EPOLLET, on_wake) &&
           loop_io_add(l, &l->sd_io, sd_event_get_fd(l->event), EPOLLIN, on_sd_event);
}

Loop *loop_new(GError **err)
{
    g_autoptr(Loop) l = g_new0(Loop, 1);

    lock_init(&l->lock);
    l->last = &l->first;
    l->thread = this_thread();
    l->attend = true;
    l->wake = l->epoll = -1;
    if (!loop_set_up(l)) {
        error_set_errno(err, errno, "cannot make the event loop");
        return NULL;
    }
    return g_steal_pointer(&l);
}

/* What was posted and not run yet is run here: posts carry ownership, dropping them would leak. */
Loop *loop_free(Loop *l)
{
    if (!l)
        return NULL;
    while (atomic_load(&l->posting))
        sched_yield(); /* what they have posted may have run, but they still use us */
    loop_drain(l);
    sd_event_unref(l->event);
    fd_close(&l->wake);
    fd_close(&l->epoll);
    lock_done(&l->lock);
    g_free(l);
    return NULL;
}

/* --- sockets ------------------------------------------------------------------------------------- */

bool loop_io_add(Loop *l, LoopIo *io, int fd, uint32_t events, LoopIoFn fn)
{
    *io = (LoopIo){ .loop = l, .fd = fd, .events = events, .fn = fn };
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd,
                  &(struct epoll_event){ .events = events, .data.ptr = io }) == 0)
        return true;
    io->loop = NULL;
    return false;
}

void loop_io_set(LoopIo *io, uint32_t events)
{
    if (!io->loop || io->events == events)
        return;

    /* That the peer hung up is told without being asked for: once, and nobody hears of it. The
     * descriptor is not taken out, because putting it in again might fail. */
    struct epoll_event e = { .events = events ? events : EPOLLONESHOT, .data.ptr = io };

    io->events = events;
    if (epoll_ctl(io->loop->epoll, EPOLL_CTL_MOD, io->fd, &e) < 0)
        g_error("cannot watch descriptor %d: %s", io->fd,
                g_strerror(errno)); /* somebody closed it: a bug */
}

void loop_io_remove(LoopIo *io)
{
    Loop *l = io->loop;

    if (!l)
        return;
    io->loop = NULL;
    for (int i = l->at; i < l->n_ready; i++)
        if (l->ready[i].data.ptr == io)
            l->ready[i].data.ptr = NULL;
    (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, io->fd, NULL); /* it is there */
}

/* --- turns --------------------------------------------------------------------------------------- */

void loop_attend(Loop *l)
{
    l->attend = true;
}

/* Lets sd-event do what there is, and arms it. 1: something was done, 0: nothing, below: -errno. */
static int serve_sd_event(Loop *l)
{
    int done = 0;

    l->attend = l->ran = false;
    l->put_off = 0;
    for (unsigned i = 0; i < ATTEND_MAX; i++) {
        bool armed = sd_event_get_state(l->event) == SD_EVENT_ARMED;
        int r = armed ? sd_event_wait(l->event, 0) : sd_event_prepare(l->event);

        if (r == 0 && !armed)
            return done;
        if (r > 0) {
            done = 1;
            r = sd_event_dispatch(l->event);
        }
        if (r < 0)
            return r;
    }
    l->attend = true;
    return done;
}

/* Whether nothing is posted; whoever posts from now on will wake us. */
static bool may_sleep(Loop *l)
{
    LOCK_SCOPE(&l->lock);

    if (l->first)
        return false;
    atomic_store_explicit(&l->sleeping, true, memory_order_relaxed);
    return true;
}

/* Serves the sockets that are ready. The number of them, below zero: -errno. */
static int serve_sockets(Loop *l, uint64_t usec)
{
    if (usec && !may_sleep(l))
        usec = 0;

    int msec = usec > INT_MAX * (uint64_t)1000 - 999 ? -1 : (int)((usec + 999) / 1000);
    int n = epoll_wait(l->epoll, l->ready, EVENTS_MAX, msec);

    atomic_store_explicit(&l->sleeping, false, memory_order_relaxed);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    l->n_ready = n;
    for (l->at = 0; l->at < l->n_ready;) {
        const struct epoll_event *e = &l->ready[l->at++];
        LoopIo *io = e->data.ptr;

        if (io && io->events)
            io->fn(io, e->events);
        if (l->at % POSTS_EVERY == 0)
            queue_run(l);
    }
    l->at = l->n_ready = 0;
    return n;
}

int loop_turn(Loop *l, uint64_t usec)
{
    for (;;) {
        int done = 0;

        l->turns++;

        /* Sockets that are ready go first, so that nobody is taken for silent who has written. */
        if (l->attend && (l->put_off == 0 || l->put_off > PUT_OFF_MAX)) {
            done = serve_sd_event(l);
            if (done < 0)
                return done;
        }

        bool brief = !done && !l->attend && l->ran && usec > LOOK_AGAIN_USEC;
        int n = serve_sockets(l, done || l->attend ? 0 : brief ? LOOK_AGAIN_USEC : usec);
        bool posted;

        if (n < 0)
            return n;
        l->put_off = n == EVENTS_MAX && l->attend ? l->put_off + 1 : 0;
        posted = queue_run(l);
        l->ran = l->ran || n > 0 || posted;
        if (done || n > 0 || posted)
            return 1;
        if (l->ran)
            l->attend = true; /* it was quiet: look, then sleep for as long as we may */
        if (!l->attend || (!brief && usec <= LOOK_AGAIN_USEC))
            return 0;
    }
}

sd_event *loop_event(Loop *l)
{
    return l->event;
}

/* Ends without ending sd-event: a finished one runs no more, and whoever stops a daemon still has to
 * let calls end. */
int loop_run(Loop *l)
{
    l->thread = this_thread();
    l->exit = false;
    l->exit_code = 0;
    while (!l->exit) {
        if (loop_turn(l, UINT64_MAX) < 0)
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

    *p = (Post){ NULL, fn, data };
    atomic_fetch_add(&l->posting, 1);
    lock_enter(&l->lock);
    *l->last = p;
    l->last = &p->next;
    bool wake = atomic_exchange_explicit(&l->sleeping, false, memory_order_relaxed);
    lock_leave(&l->lock);
    /* Without the lock: whom we wake needs it at once. */
    if (wake)
        (void)!write(l->wake, &(uint64_t){ 1 }, sizeof(uint64_t)); /* cannot overflow */
    atomic_fetch_sub(&l->posting, 1);
}

uint64_t loop_turns(const Loop *l)
{
    return l->turns;
}

bool loop_is_current(const Loop *l)
{
    return l->thread == this_thread();
}

uint64_t now_usec(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void loop_timer_set(Loop *l, sd_event_source **s, uint64_t usec, sd_event_time_handler_t fn,
                    void *data)
{
    uint64_t now = now_usec();
    uint64_t at = usec > UINT64_MAX - 1 - now ? UINT64_MAX - 1 : now + usec;
    int r;

    *s = sd_event_source_disable_unref(*s);
    r = sd_event_add_time(l->event, s, CLOCK_MONOTONIC, at, 1000, fn, data);
    if (r < 0)
        g_error("cannot set a timer: %s", g_strerror(-r)); /* out of memory: as g_malloc() */
    l->attend = true;
}
