/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting programs: fork and exec in one helper that runs nothing else between the two (vfork-safe
 * code only), every descriptor closed except those named.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/pidref.h"

typedef struct SpawnFd {
    int fd;     /* ours; stays open here */
    int target; /* number in the child */
} SpawnFd;

/* A detached tree of mounts (fsmount(), open_tree()) and where it goes. */
typedef struct SpawnMount {
    int fd;
    const char *target; /* absolute; is there by then */
} SpawnMount;

/* Another user than ours. */
typedef struct SpawnUser {
    uid_t uid;
    gid_t gid;
    const gid_t *groups; /* all of them */
    unsigned n_groups;
} SpawnUser;

/* What spawn_run() tells and asks while it waits, on its own thread. */
typedef struct SpawnWatch {
    void (*output)(const char *said, size_t len, void *data); /* all of stdout so far; may be NULL */
    bool (*cancelled)(void *data); /* some times a second: true kills the program */
    void *data;
    /* It is killed as at its deadline when for so long it gave no sign of life; 0: it may be silent. A sign is
     * output and, with counters, that it has read or written anything; each one is told to alive (may be NULL). */
    uint64_t stall_usec;
    bool counters;
    void (*alive)(void *data);
} SpawnWatch;

typedef struct Spawn {
    const char *const *argv; /* NULL-terminated; argv[0] is an absolute path */
    const char *const *envp; /* NULL: a minimal one (PATH, LC_ALL=C, HOME) */
    const char *cwd;         /* NULL: "/" */
    int in, out, err;        /* -1: /dev/null */
    const SpawnFd *fds;
    unsigned n_fds;
    const SpawnMount *mounts; /* in this order, in a mount namespace of its own that nothing leaves */
    unsigned n_mounts;        /* 0: it stays in ours */
    const SpawnUser *user; /* NULL: ours */
    bool no_caps;     /* without capabilities, and no way to get any, even for root */
    bool new_session; /* setsid() */
    bool dies_with_us; /* killed when the thread that starts it is gone, and so when we are */
    int64_t memlock;  /* RLIMIT_MEMLOCK in bytes, -1: leave; EPERM is ignored */
    const SpawnWatch *watch; /* spawn_run(); NULL: nobody watches */
    bool keep_zombie; /* the caller reaps with waitid(); otherwise spawn_reap() does */
} Spawn;

/* May programs have mounts of their own here? Tries it with these. */
bool spawn_can_mount(const SpawnMount *mounts, unsigned n, GError **err);

/* Starts it. When it ends, spawn_reap() collects it, unless keep_zombie says that the caller does.
 * Any thread. */
bool spawn_start(const Spawn *s, PidRef *ret, GError **err);
/* Starts, waits up to usec, kills at the deadline. Output is cut at max_out bytes each.
 * False when it could not run, timed out, was cancelled (VIR_ERR_OPERATION_ABORTED), or ended with another
 * status than 0; the error carries the end of its stderr. A program that cannot be killed, because it
 * waits for a dead server, is left behind. */
bool spawn_run(const Spawn *s, uint64_t usec, size_t max_out, char **ret_out, char **ret_err, GError **err);
/* Collects ended children of spawn_start(); nobody else's. Called by the daemon at SIGCHLD. Any
 * thread. Returns how many ended. */
unsigned spawn_reap(void);
