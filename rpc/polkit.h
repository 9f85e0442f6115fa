/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Questions to polkit over the system bus. Loop thread, except polkit_cached() and polkit_ref().
 * Nothing here waits: answers arrive as calls of PolkitFn on the loop thread.
 */
#pragma once

#include "rpc/identity.h"
#include "util/loop.h"

typedef struct Polkit Polkit;

typedef struct PolkitQuestion {
    const Identity *who;      /* needs uid and pid */
    const char *action;       /* "org.libvirt.unix.manage" */
    const char *const *details; /* key, value, key, value, …, NULL; may be NULL */
    bool interactive;         /* a person may be asked for a password */
} PolkitQuestion;

typedef enum PolkitAnswer { POLKIT_NO, POLKIT_YES, POLKIT_NOT_KNOWN } PolkitAnswer;

typedef enum PolkitOutcome {
    POLKIT_REFUSED,
    POLKIT_ALLOWED,
    POLKIT_NO_AGENT,  /* a person could say yes, but none is there to be asked */
    POLKIT_DISMISSED, /* the one that was asked does not want to */
} PolkitOutcome;

/* why: what stands in the way, for a message; NULL when allowed. Called once, never inside
 * polkit_ask(). */
typedef void (*PolkitFn)(PolkitOutcome outcome, const char *why, void *data);

/* Connects at the first question, to bus_address or, NULL, the system bus. */
Polkit *polkit_new(Loop *loop, const char *bus_address);
Polkit *polkit_ref(Polkit *p);
Polkit *polkit_unref(Polkit *p);
/* What is known without asking. Any thread. */
PolkitAnswer polkit_cached(Polkit *p, const PolkitQuestion *q);
void polkit_ask(Polkit *p, const PolkitQuestion *q, PolkitFn fn, void *data);
/* Answers all open questions with no, and all further ones. */
void polkit_stop(Polkit *p);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Polkit, polkit_unref)
