/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by registry.c, turn.c and store.c only. */
#pragma once

#include "drivers/common/domain.h"
#include "drivers/common/registry.h"
#include "drivers/common/turn.h"
#include "rpc/turnqueue.h"
#include "util/lock.h"

struct Domain {
    gatomicrefcount refs;
    Uuid uuid;
    char *_Atomic reserved_name; /* what the registry knows it by; rules by name apply to it */
    GSList *old_names;   /* what reserved_name was before renames: somebody may still read it */
    Lock lock;           /* of view and jobs */
    DomainView *view;
    struct DomainJob *job, *completed; /* under lock: the one that runs, the last one that did */
    TurnQueue queue;
    void *driver;
    /* Guarded by the registry's lock: */
    bool registered;
    char *index_name;
    char *next_name; /* a second name in the table, while a rename is under way */
    int index_id;
};

struct DomainTurn {
    Domain *domain;
    Call *call;
    TurnWaiter *waiter; /* of a turn that no call holds */
    DomainView *base, *next; /* base NULL: new domain */
    bool own_config, own_live; /* next's definitions are private to this turn */
    bool config_dirty, autostart_dirty, status_dirty, status_required, remove, renamed;
    bool view_dirty; /* something that no file keeps */
    GPtrArray *events;
};

/* Lets queries run beside this turn. */
void turn_share(DomainTurn *t);
/* job.c */
struct DomainJob *domain_job_unref(struct DomainJob *j);

/* registry.c */
bool registry_stopping(void);
Domain *registry_find_or_reserve(const char *name, const uint8_t *uuid, bool creates, GError **err);
/* After a reservation was dropped while others waited: take the place again. */
bool registry_reserve_again(Domain *d, GError **err);
void registry_drop(Domain *d);
/* Gives a reference back; a reservation that nobody else waits for goes with it. */
void registry_release(Domain *d);
/* Swaps the published view and keeps the indexes right; takes 'next' (NULL: removed). */
void registry_publish(Domain *d, DomainView *next);
/* Keeps a name for a domain that is about to be renamed; its commit makes it the name, unreserve gives
 * it up. */
bool registry_reserve_name(Domain *d, const char *name, GError **err);
void registry_unreserve_name(Domain *d);

/* store.c: the files of one driver */
bool store_init(const char *subdir, GError **err);
void store_done(void);
bool store_write_config(const DomainView *v, GError **err);
/* Reads and parses what store_load() found; fails when it is not that domain's any more. */
DomainDef *store_read_config(const char *name, const uint8_t *uuid, GError **err);
bool store_remove_config(const char *name, GError **err);
/* once: for the next start of the host alone. */
bool store_set_autostart(const char *name, bool once, bool on, GError **err);
bool store_write_status(const DomainView *v, GError **err);
bool store_remove_status(const char *name, GError **err);
