/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What each user gets of a turn of the loop. Connections with input left over from before stand in a
 * queue of their user, and are served from there in later turns. Loop thread.
 */
#pragma once

#include "util/account.h"
#include "util/loop.h"

typedef struct Share Share;

/* In each connection. */
typedef struct ShareLink {
    GList link;
    bool queued;
} ShareLink;

typedef void (*ShareServe)(void *connection);

/* The share of a user in what this thread's loop does, made when new; a reference for the caller. */
Share *share_get(Loop *l, User *user, ShareServe serve);
Share *share_unref(Share *s);
/* A message of this cost (1: a small one) is dealt with. */
void share_used(Share *s, unsigned cost);
/* False: others wait, and this user has had enough of this turn. */
bool share_left(Share *s);
/* Connections of this user wait for a later turn: one that has just become ready belongs behind them. */
bool share_others_first(const Share *s);
/* The connection is served in a later turn, after others of its user that stand in the queue. */
void share_queue(Share *s, ShareLink *l, void *connection);
void share_leave(Share *s, ShareLink *l);
