/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who may do what to which object, decided by the configured backends: "polkit" asks the authority on
 * the system bus, "rules" reads a file, "nop" allows all. Every one of them must agree.
 *
 * A question is first put to what is known already, which never waits (access_check). When that is not
 * enough it is asked in full (access_ask, access_ask_wait). Any thread, unless said otherwise.
 */
#pragma once

#include "rpc/call.h"
#include "rpc/identity.h"
#include "util/loop.h"
#include "util/pool.h"

typedef struct Access Access;

typedef enum AccessAnswer { ACCESS_NO, ACCESS_YES, ACCESS_ASK } AccessAnswer;

/* All borrowed. */
typedef struct AccessQuestion {
    const Identity *who;
    const char *driver; /* "QEMU", "" when there is none */
    const char *object; /* "domain", "storage_pool", "connect", … */
    const char *perm;   /* "read_secure" */
    AclObject on;       /* kind OBJECT_NONE: the connection, or an object that has no name yet */
    bool unnamed;       /* there is an object, but nobody knows yet which */
    bool interactive;   /* a person may be asked for a password */
} AccessQuestion;

/* why: the reason of a refusal and who could grant, for a message. Loop thread. */
typedef void (*AccessFn)(bool allowed, const char *why, void *data);

/* What a backend is. check() and ask() as above; ask() on the loop thread, its answer comes later. */
typedef struct AccessBackend {
    const char *name;
    AccessAnswer (*check)(void *self, const AccessQuestion *q, char **why); /* why may be NULL */
    void (*ask)(void *self, const AccessQuestion *q, AccessFn fn, void *data);
    bool (*reload)(void *self, GError **err); /* NULL: nothing to read */
    void (*stop)(void *self);                 /* answer what is open; NULL: nothing is */
    void (*free)(void *self);
} AccessBackend;

typedef struct AccessConfig {
    const char *const *drivers; /* access_drivers, NULL-terminated; NULL: none */
    const char *rules_file;
    const char *bus_address;    /* NULL: the system bus */
} AccessConfig;

/* NULL without *err: nothing restricts anybody. Loop thread, as the next four. */
Access *access_new(Loop *loop, Pool *pool, const AccessConfig *cfg, GError **err);
Access *access_free(Access *a); /* after the workers have ended */
/* Reads files again; what was in force stays when that fails. */
bool access_reload(Access *a, GError **err);
/* From here on what would have to be asked is refused. */
void access_stop(Access *a);
/* fn is called once, later, on the loop thread. */
void access_ask(Access *a, const AccessQuestion *q, AccessFn fn, void *data);

AccessAnswer access_check(Access *a, const AccessQuestion *q, char **why);
/* Not on the loop thread. deadline: absolute, monotonic. */
bool access_ask_wait(Access *a, const AccessQuestion *q, uint64_t deadline, char **why);

/* "domain 'web'", for messages; free. */
char *access_describe(const AccessQuestion *q);
/* Copies that live as long as one needs. */
AccessQuestion *access_question_copy(const AccessQuestion *q);
void access_question_free(AccessQuestion *q);

/* The backends. */
extern const AccessBackend access_polkit, access_rules;
void *access_polkit_new(Loop *loop, const char *bus_address);
void *access_rules_new(Loop *loop, Pool *pool, const char *file, GError **err);
