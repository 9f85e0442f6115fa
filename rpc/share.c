/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fairness between users. As long as one user alone keeps the loop busy it gets all of it. Once others
 * want something, too, each of them gets TURN_COST of a turn, however many connections it has and
 * however much it writes ahead; the rest waits in its own queue. A turn takes all sockets that are ready
 * (util/loop.c), so who wants little waits for one turn, which is as long as there are users, and not for
 * the connections of others.
 *
 * A connection in a queue is not watched meanwhile, so that a flood takes no places among the sockets
 * that are ready. The queues are served once per turn, in a posted function; that is posted again as
 * long as one of them is not empty. One set of shares per thread, for its one loop.
 */
#include "rpc/share.h"

#include <stddef.h>

enum {
    TURN_COST = 32,
    CONTENDED_TURNS = 256, /* for which a second user counts as being there */
};

struct Share {
    unsigned refs;
    Loop *loop;
    User *user;
    ShareServe serve;
    uint64_t turn; /* of which 'used' is told */
    unsigned used;
    GQueue waiting; /* of ShareLink.link */
    GList link;     /* in 'all' */
};

static _Thread_local struct {
    GQueue all; /* of Share.link; a few dozen users at most */
    const Share *last;
    uint64_t contended_until;
    bool posted;
} shares;

Share *share_get(Loop *l, User *user, ShareServe serve)
{
    for (GList *i = shares.all.head; i; i = i->next) {
        Share *s = i->data;

        if (s->user == user && s->loop == l) {
            s->refs++;
            return s;
        }
    }

    Share *s = g_new0(Share, 1);

    *s = (Share){ .refs = 1, .loop = l, .user = user_ref(user), .serve = serve, .link.data = s };
    g_queue_push_tail_link(&shares.all, &s->link);
    return s;
}

Share *share_unref(Share *s)
{
    if (!s || --s->refs)
        return NULL;
    g_queue_unlink(&shares.all, &s->link);
    if (shares.last == s)
        shares.last = NULL;
    user_unref(s->user);
    g_free(s);
    return NULL;
}

void share_used(Share *s, unsigned cost)
{
    uint64_t turn = loop_turns(s->loop);

    if (shares.last != s) {
        if (shares.last)
            shares.contended_until = turn + CONTENDED_TURNS;
        shares.last = s;
    }
    if (s->turn != turn) {
        s->turn = turn;
        s->used = 0;
    }
    s->used += cost;
}

bool share_left(Share *s)
{
    uint64_t turn = loop_turns(s->loop);

    return turn >= shares.contended_until || s->turn != turn || s->used < TURN_COST;
}

bool share_others_first(const Share *s)
{
    return s->waiting.length && loop_turns(s->loop) < shares.contended_until;
}

/* Those that stood in the queue when the turn began; who wants more stands behind them again. */
static void serve_waiting(Share *s)
{
    s->refs++;
    for (unsigned n = s->waiting.length; n && s->waiting.head && share_left(s); n--) {
        ShareLink *l =
            (ShareLink *)((char *)g_queue_pop_head_link(&s->waiting) - offsetof(ShareLink, link));

        l->queued = false;
        s->serve(l->link.data);
    }
    share_unref(s);
}

static void serve_all(void *data)
{
    Loop *loop = data;
    bool more = false;

    shares.posted = false;
    for (GList *i = shares.all.head, *next; i; i = next) {
        Share *s = i->data;

        s->refs++; /* its last connection may end in here */
        if (s->loop == loop)
            serve_waiting(s);
        more = more || s->waiting.length;
        next = i->next;
        share_unref(s);
    }
    if (more && !shares.posted) {
        shares.posted = true;
        loop_post(loop, serve_all, loop);
    }
}

void share_queue(Share *s, ShareLink *l, void *connection)
{
    if (l->queued)
        return;
    l->queued = true;
    l->link.data = connection;
    g_queue_push_tail_link(&s->waiting, &l->link);
    if (!shares.posted) {
        shares.posted = true;
        loop_post(s->loop, serve_all, s->loop);
    }
}

void share_leave(Share *s, ShareLink *l)
{
    if (!l->queued)
        return;
    l->queued = false;
    g_queue_unlink(&s->waiting, &l->link);
}
