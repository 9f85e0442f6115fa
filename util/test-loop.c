/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Posting: order, never at once, from several threads, nothing lost at the end; timers; sockets that
 * are taken away while their turn is being served. */
#undef NDEBUG
#include <assert.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/loop.h"

enum { PER_THREAD = 2000, THREADS = 4 };

static Loop *loop;
static int order[16], n_order;

static void note(void *data)
{
    assert(loop_is_current(loop));
    order[n_order++] = GPOINTER_TO_INT(data);
}

static void note_and_post_more(void *data)
{
    note(data);
    loop_post(loop, note, GINT_TO_POINTER(9));
    assert(order[n_order - 1] == GPOINTER_TO_INT(data)); /* not run at once */
}

static void stop(void *data)
{
    loop_exit(loop, 7);
}

static void test_posts_run_in_order(void)
{
    loop = loop_new(NULL);
    loop_post(loop, note, GINT_TO_POINTER(1));
    loop_post(loop, note_and_post_more, GINT_TO_POINTER(2));
    loop_post(loop, note, GINT_TO_POINTER(3));
    loop_post(loop, stop, NULL);
    assert(n_order == 0);
    assert(loop_run(loop) == 7);
    assert(n_order >= 3 && order[0] == 1 && order[1] == 2 && order[2] == 3);
    loop = loop_free(loop); /* runs what is left */
    assert(n_order == 4 && order[3] == 9);
}

static int seen[THREADS], left = THREADS * PER_THREAD;

typedef struct Item {
    int thread, number;
} Item;

static void check_item(void *data)
{
    g_autofree Item *i = data;

    assert(seen[i->thread] == i->number);
    seen[i->thread]++;
    if (--left == 0)
        loop_exit(loop, 0);
}

static void *poster(void *data)
{
    for (int i = 0; i < PER_THREAD; i++) {
        Item *item = g_new(Item, 1);

        assert(!loop_is_current(loop));
        *item = (Item){ GPOINTER_TO_INT(data), i };
        loop_post(loop, check_item, item);
    }
    return NULL;
}

static void test_order_of_each_thread_is_kept(void)
{
    pthread_t t[THREADS];

    loop = loop_new(NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, poster, GINT_TO_POINTER(i));
    assert(loop_run(loop) == 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
        assert(seen[i] == PER_THREAD);
    }
    loop = loop_free(loop);
}

static int on_time(sd_event_source *s, uint64_t usec, void *data)
{
    assert(now_usec() >= *(uint64_t *)data);
    loop_exit(loop, 3);
    return 0;
}

static int never(sd_event_source *s, uint64_t usec, void *data)
{
    assert(!"a replaced timer fired");
    return 0;
}

static void test_timer_replaces_the_one_before(void)
{
    sd_event_source *s = NULL;
    uint64_t due = now_usec() + 20000;

    loop = loop_new(NULL);
    loop_timer_set(loop, &s, 1000, never, NULL);
    loop_timer_set(loop, &s, 20000, on_time, &due);
    assert(loop_run(loop) == 3);
    sd_event_source_unref(s);
    loop = loop_free(loop);
}

static sd_event_source *changed;

static void change_timer(void *data)
{
    assert(sd_event_source_set_time_relative(changed, 1000) >= 0);
    assert(sd_event_source_set_enabled(changed, SD_EVENT_ONESHOT) >= 0);
}

/* A timer that a posted function changed fires though nobody told the loop. */
static void test_forgotten_timer_is_noticed(void)
{
    uint64_t due = 0;

    loop = loop_new(NULL);
    assert(sd_event_add_time_relative(loop_event(loop), &changed, CLOCK_MONOTONIC, G_USEC_PER_SEC,
                                      1, on_time, &due) >= 0);
    assert(sd_event_source_set_enabled(changed, SD_EVENT_OFF) >= 0);
    while (loop_turn(loop, 0) > 0)
        ;
    loop_post(loop, change_timer, NULL);
    assert(loop_run(loop) == 3);
    changed = sd_event_source_unref(changed);
    loop = loop_free(loop);
}

enum { PAIRS = 100 };

static struct {
    LoopIo io[PAIRS];
    int fd[PAIRS][2];
    unsigned served;
} pairs;

/* The first to be served takes all others away. */
static void take_others(LoopIo *io, uint32_t revents)
{
    pairs.served++;
    for (unsigned i = 0; i < PAIRS; i++)
        if (&pairs.io[i] != io)
            loop_io_remove(&pairs.io[i]);
    loop_io_set(io, 0);
}

static void hear(LoopIo *io, uint32_t revents)
{
    char c;

    assert(revents == EPOLLIN && read(io->fd, &c, 1) == 1);
    pairs.served++;
}

static void pairs_make(LoopIoFn fn)
{
    pairs.served = 0;
    for (unsigned i = 0; i < PAIRS; i++) {
        assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pairs.fd[i]) == 0);
        assert(loop_io_add(loop, &pairs.io[i], pairs.fd[i][0], EPOLLIN, fn));
        assert(write(pairs.fd[i][1], "x", 1) == 1);
    }
}

static void pairs_free(void)
{
    for (unsigned i = 0; i < PAIRS; i++) {
        loop_io_remove(&pairs.io[i]);
        close(pairs.fd[i][0]);
        close(pairs.fd[i][1]);
    }
}

static void test_sockets_are_served(void)
{
    loop = loop_new(NULL);
    pairs_make(hear);
    while (loop_turn(loop, 0) > 0)
        ;
    assert(pairs.served == PAIRS);
    pairs_free();
    loop = loop_free(loop);
}

static void test_removed_in_the_same_turn(void)
{
    loop = loop_new(NULL);
    pairs_make(take_others);
    while (loop_turn(loop, 0) > 0)
        ;
    assert(pairs.served == 1);
    pairs_free();
    loop = loop_free(loop);
}

/* One that nothing is wanted from stays silent when its peer goes, and lets the loop sleep. */
static void test_unwanted_hangup(void)
{
    loop = loop_new(NULL);
    pairs_make(hear);
    for (unsigned i = 0; i < PAIRS; i++) {
        loop_io_set(&pairs.io[i], 0);
        assert(shutdown(pairs.fd[i][1], SHUT_RDWR) == 0);
    }
    while (loop_turn(loop, 0) > 0)
        ;
    assert(pairs.served == 0);
    loop_io_set(&pairs.io[0], EPOLLIN);
    pairs.io[0].fn = take_others;
    assert(loop_turn(loop, 0) == 1 && pairs.served == 1);
    pairs_free();
    loop = loop_free(loop);
}

int main(void)
{
    test_posts_run_in_order();
    test_order_of_each_thread_is_kept();
    test_timer_replaces_the_one_before();
    test_forgotten_timer_is_noticed();
    test_sockets_are_served();
    test_removed_in_the_same_turn();
    test_unwanted_hangup();
    return 0;
}
