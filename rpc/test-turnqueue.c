/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The job queue: order, sharing, cancelling. */
#include <assert.h>
#include <string.h>

#include "rpc/turnqueue.h"

static char order[64];
static unsigned n_order;

typedef struct W {
    TurnWaiter w; /* first */
    char name;
} W;

static void granted(TurnWaiter *w)
{
    order[n_order++] = ((W *)w)->name;
    order[n_order] = '\0';
}

static W make(char name, TurnMode mode)
{
    return (W){ .w = { .mode = mode, .granted = granted, .what = "test", .call_id = (uint64_t)name }, .name = name };
}

static void reset(void)
{
    n_order = 0;
    order[0] = '\0';
}

static void test_exclusive_in_order(void)
{
    TurnQueue q;
    W a = make('a', TURN_MODIFY), b = make('b', TURN_MODIFY), c = make('c', TURN_MODIFY);

    reset();
    turnqueue_init(&q);
    assert(turnqueue_enter(&q, &a.w));
    assert(!turnqueue_enter(&q, &b.w));
    assert(!turnqueue_enter(&q, &c.w));
    assert(n_order == 0);
    turnqueue_leave(&q, &a.w);
    assert(strcmp(order, "b") == 0);
    turnqueue_leave(&q, &b.w);
    assert(strcmp(order, "bc") == 0);
    turnqueue_leave(&q, &c.w);
    turnqueue_done(&q);
}

static void test_queries_share_but_do_not_overtake(void)
{
    TurnQueue q;
    W a = make('a', TURN_QUERY), b = make('b', TURN_QUERY), m = make('m', TURN_MODIFY), c = make('c', TURN_QUERY);

    reset();
    turnqueue_init(&q);
    assert(turnqueue_enter(&q, &a.w));
    assert(turnqueue_enter(&q, &b.w));
    assert(!turnqueue_enter(&q, &m.w));
    assert(!turnqueue_enter(&q, &c.w)); /* else a stream of queries would starve the modifier */
    turnqueue_leave(&q, &a.w);
    assert(n_order == 0);
    turnqueue_leave(&q, &b.w);
    assert(strcmp(order, "m") == 0);
    turnqueue_leave(&q, &m.w);
    assert(strcmp(order, "mc") == 0);
    turnqueue_leave(&q, &c.w);
    turnqueue_done(&q);
}

static void test_destroy_goes_first(void)
{
    TurnQueue q;
    W a = make('a', TURN_MODIFY), b = make('b', TURN_MODIFY), d = make('d', TURN_DESTROY);

    reset();
    turnqueue_init(&q);
    assert(turnqueue_enter(&q, &a.w));
    assert(!turnqueue_enter(&q, &b.w));
    assert(!turnqueue_enter(&q, &d.w));
    turnqueue_leave(&q, &a.w);
    assert(strcmp(order, "d") == 0);
    turnqueue_leave(&q, &d.w);
    turnqueue_leave(&q, &b.w);
    assert(strcmp(order, "db") == 0);
    turnqueue_done(&q);
}

static void test_cancel_lets_those_behind_go(void)
{
    TurnQueue q;
    W a = make('a', TURN_QUERY), m = make('m', TURN_MODIFY), b = make('b', TURN_QUERY);

    reset();
    turnqueue_init(&q);
    assert(turnqueue_enter(&q, &a.w));
    assert(!turnqueue_enter(&q, &m.w));
    assert(!turnqueue_enter(&q, &b.w));
    assert(turnqueue_cancel(&q, &m.w));
    assert(strcmp(order, "b") == 0);
    assert(!turnqueue_cancel(&q, &b.w)); /* it has its turn */
    turnqueue_leave(&q, &a.w);
    turnqueue_leave(&q, &b.w);
    turnqueue_done(&q);
}

static void test_holder_is_named(void)
{
    TurnQueue q;
    W a = make('a', TURN_MODIFY);
    g_autofree char *what = NULL;
    uint64_t since, id;

    turnqueue_init(&q);
    assert(!turnqueue_holder(&q, &what, &since, &id));
    assert(turnqueue_enter(&q, &a.w));
    assert(turnqueue_holder(&q, &what, &since, &id));
    assert(strcmp(what, "test") == 0 && id == 'a' && since > 0);
    turnqueue_leave(&q, &a.w);
    turnqueue_done(&q);
}

static void test_queries_run_beside_one_that_lets_them(void)
{
    TurnQueue q;
    W op = make('o', TURN_MODIFY), m = make('m', TURN_MODIFY), a = make('a', TURN_QUERY), b = make('b', TURN_QUERY),
      d = make('d', TURN_DESTROY), c = make('c', TURN_QUERY);

    reset();
    turnqueue_init(&q);
    assert(turnqueue_enter(&q, &op.w));
    assert(!turnqueue_enter(&q, &m.w));
    assert(!turnqueue_enter(&q, &a.w));
    turnqueue_share(&q, &op.w);
    assert(strcmp(order, "a") == 0); /* it passes the modifier, which waits for the same holder */
    assert(turnqueue_enter(&q, &b.w));
    turnqueue_leave(&q, &b.w);
    assert(!turnqueue_enter(&q, &d.w));
    assert(turnqueue_enter(&q, &c.w));
    turnqueue_leave(&q, &op.w);
    assert(strcmp(order, "a") == 0); /* the next one is alone */
    turnqueue_leave(&q, &a.w);
    turnqueue_leave(&q, &c.w);
    assert(strcmp(order, "ad") == 0);
    assert(!turnqueue_enter(&q, &c.w)); /* over */
    turnqueue_leave(&q, &d.w);
    turnqueue_leave(&q, &m.w);
    turnqueue_leave(&q, &c.w);
    turnqueue_done(&q);
}

int main(void)
{
    test_exclusive_in_order();
    test_queries_share_but_do_not_overtake();
    test_destroy_goes_first();
    test_queries_run_beside_one_that_lets_them();
    test_cancel_lets_those_behind_go();
    test_holder_is_named();
    return 0;
}
