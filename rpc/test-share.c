/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shares of users: one alone has all of it, of several each gets a part of every turn, in order. */
#undef NDEBUG
#include <assert.h>

#include "rpc/share.h"

enum { MINE = 50, A_LOT = 1000 };

typedef struct Thing {
    Share *share;
    ShareLink link;
    unsigned wanted, served;
} Thing;

static Loop *loop;

/* As a connection does it: as much as the share allows, then it queues again. */
static void serve(void *data)
{
    Thing *t = data;

    while (t->wanted && share_left(t->share)) {
        share_used(t->share, 1);
        t->wanted--;
        t->served++;
    }
    if (t->wanted)
        share_queue(t->share, &t->link, t);
}

static void want(Thing *t, unsigned n)
{
    t->wanted += n;
    share_queue(t->share, &t->link, t);
}

static void test_alone(User *user)
{
    Thing t = { .share = share_get(loop, user, serve) };

    want(&t, A_LOT);
    assert(t.served == 0); /* in a later turn */
    assert(loop_turn(loop, 0) == 1);
    assert(t.served == A_LOT);
    share_unref(t.share);
}

/* However much and over however many connections the one wants, the other's little is done at once. */
static void test_flood(User *hostile, User *user)
{
    Thing flood[MINE] = { { 0 } }, mine = { .share = share_get(loop, user, serve) };
    unsigned all = 0;

    for (unsigned i = 0; i < MINE; i++) {
        flood[i].share = share_get(loop, hostile, serve);
        want(&flood[i], A_LOT);
    }
    for (unsigned turn = 0; turn < 20; turn++) {
        want(&mine, 1);
        assert(loop_turn(loop, 0) == 1);
        assert(mine.wanted == 0);
    }
    for (unsigned i = 0; i < MINE; i++)
        all += flood[i].served;
    assert(all >= 20 && all < A_LOT * MINE / 10);

    /* Nobody is forgotten. */
    for (unsigned turn = 0; turn < 4 * MINE * A_LOT && all < A_LOT * MINE; turn++) {
        (void)loop_turn(loop, 0);
        all = 0;
        for (unsigned i = 0; i < MINE; i++)
            all += flood[i].served;
    }
    assert(all == A_LOT * MINE);
    for (unsigned i = 0; i < MINE; i++)
        share_unref(flood[i].share);
    share_unref(mine.share);
}

static void test_leave(User *user)
{
    Thing t = { .share = share_get(loop, user, serve) };

    want(&t, 1);
    share_leave(t.share, &t.link);
    share_leave(t.share, &t.link);
    while (loop_turn(loop, 0) > 0)
        ;
    assert(t.served == 0);
    share_unref(t.share);
}

int main(void)
{
    const AccountLimits none = { { 0 } };
    UserRegistry *users = user_registry_new(&none);
    User *one = user_registry_get(users, 1), *two = user_registry_get(users, 2);

    loop = loop_new(NULL);
    test_alone(one);
    test_flood(one, two);
    test_leave(one);
    loop = loop_free(loop);
    user_unref(one);
    user_unref(two);
    user_registry_unref(users);
    return 0;
}
