/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configured access backends, asked one after the other. The first that refuses ends it. The list
 * is made once and never changes; what a backend keeps is its own affair, so all threads may check.
 *
 * A question that must be asked is copied and walks along the backends on the loop thread, which
 * never waits for it. Whoever wants to wait, a worker, sleeps on a condition of its own.
 */
#define LOG_SOURCE "rpc.access"
#include "rpc/access.h"

#include <string.h>

#include "util/cond.h"
#include "util/error.h"
#include "util/log.h"

enum { BACKENDS_MAX = 4 };

typedef struct Entry {
    const AccessBackend *backend;
    void *self;
} Entry;

struct Access {
    Loop *loop;
    Entry entries[BACKENDS_MAX];
    unsigned n;
    bool stopped; /* loop thread */
};

typedef struct Walk {
    Access *a;
    AccessQuestion *q;
    unsigned at;
    AccessFn fn;
    void *data;
    char *why;
} Walk;

/* Questions --------------------------------------------------------------------------------------- */

char *access_describe(const AccessQuestion *q)
{
    g_autofree char *kind = g_strdelimit(g_strdup(q->object), "_", ' ');

    if (strcmp(q->object, "connect") == 0)
        return g_strdup("the connection");
    if (q->on.name)
        return g_strdup_printf("%s '%s'", kind, q->on.name);
    return g_strdup_printf("a %s", kind);
}

AccessQuestion *access_question_copy(const AccessQuestion *q)
{
    AccessQuestion *c = g_memdup2(q, sizeof(*q));

    c->who = identity_ref(q->who);
    c->driver = g_strdup(q->driver);
    c->object = g_strdup(q->object);
    c->perm = g_strdup(q->perm);
    c->on.name = g_strdup(q->on.name);
    c->on.uuid = q->on.uuid ? g_memdup2(q->on.uuid, 16) : NULL;
    c->on.parent_name = g_strdup(q->on.parent_name);
    c->on.parent_uuid = q->on.parent_uuid ? g_memdup2(q->on.parent_uuid, 16) : NULL;
    c->on.key = g_strdup(q->on.key);
    c->on.usage_type = g_strdup(q->on.usage_type);
    return c;
}

void access_question_free(AccessQuestion *q)
{
    identity_unref((Identity *)q->who);
    g_free((char *)q->driver);
    g_free((char *)q->object);
    g_free((char *)q->perm);
    g_free((char *)q->on.name);
    g_free((uint8_t *)q->on.uuid);
    g_free((char *)q->on.parent_name);
    g_free((uint8_t *)q->on.parent_uuid);
    g_free((char *)q->on.key);
    g_free((char *)q->on.usage_type);
    g_free(q);
}

AccessAnswer access_check(Access *a, const AccessQuestion *q, char **why)
{
    AccessAnswer all = ACCESS_YES;

    for (unsigned i = 0; i < a->n; i++) {
        AccessAnswer one = a->entries[i].backend->check(a->entries[i].self, q, why);

        if (one == ACCESS_NO)
            return ACCESS_NO;
        if (one == ACCESS_ASK)
            all = ACCESS_ASK;
    }
    return all;
}

/* Asking ------------------------------------------------------------------------------------------ */

static void walk_on(Walk *w);

static void walk_end(Walk *w, bool allowed, const char *why)
{
    w->fn(allowed, why, w->data);
    access_question_free(w->q);
    g_free(w->why);
    g_free(w);
}

static void walk_answered(bool allowed, const char *why, void *data)
{
    Walk *w = data;

    if (!allowed) {
        walk_end(w, false, why);
        return;
    }
    w->at++;
    walk_on(w);
}

static void walk_on(Walk *w)
{
    for (; w->at < w->a->n; w->at++) {
        Entry *e = &w->a->entries[w->at];

        g_clear_pointer(&w->why, g_free);
        AccessAnswer one = e->backend->check(e->self, w->q, &w->why);
        if (one == ACCESS_NO || (one == ACCESS_ASK && w->a->stopped)) {
            walk_end(w, false, w->why ? w->why : "the daemon is stopping");
            return;
        }
        if (one == ACCESS_ASK) {
            e->backend->ask(e->self, w->q, walk_answered, w);
            return;
        }
    }
    walk_end(w, true, NULL);
}

static void walk_begin(void *data)
{
    walk_on(data);
}

void access_ask(Access *a, const AccessQuestion *q, AccessFn fn, void *data)
{
    Walk *w = g_new0(Walk, 1);

    w->a = a;
    w->q = access_question_copy(q);
    w->fn = fn;
    w->data = data;
    loop_post(a->loop, walk_begin, w);
}

/* Shared by the worker that waits and the loop that answers, whoever is later frees it. */
typedef struct Wait {
    gatomicrefcount refs;
    Lock lock;
    pthread_cond_t done_cond;
    bool done, allowed;
    char *why;
} Wait;

static void wait_unref(Wait *w)
{
    if (!g_atomic_ref_count_dec(&w->refs))
        return;
    lock_done(&w->lock);
    pthread_cond_destroy(&w->done_cond);
    g_free(w->why);
    g_free(w);
}

static void wait_answered(bool allowed, const char *why, void *data)
{
    Wait *w = data;

    lock_enter(&w->lock);
    w->done = true;
    w->allowed = allowed;
    w->why = g_strdup(why);
    pthread_cond_signal(&w->done_cond);
    lock_leave(&w->lock);
    wait_unref(w);
}

bool access_ask_wait(Access *a, const AccessQuestion *q, uint64_t deadline, char **why)
{
    Wait *w = g_new0(Wait, 1);

    g_atomic_ref_count_init(&w->refs);
    g_atomic_ref_count_inc(&w->refs);
    lock_init(&w->lock);
    cond_init(&w->done_cond);
    access_ask(a, q, wait_answered, w);

    lock_enter(&w->lock);
    while (!w->done && cond_wait_until(&w->done_cond, &w->lock, deadline))
        ;
    bool allowed = w->done && w->allowed;
    if (!allowed && why)
        *why = g_strdup(w->why ? w->why : "no answer came in time");
    lock_leave(&w->lock);
    wait_unref(w);
    return allowed;
}

/* Life -------------------------------------------------------------------------------------------- */

static bool add_driver(Access *a, Pool *pool, const char *name, const AccessConfig *cfg, GError **err)
{
    Entry e = { NULL, NULL };

    if (strcmp(name, "nop") == 0)
        return true;
    if (strcmp(name, "polkit") == 0) {
        e = (Entry){ &access_polkit, access_polkit_new(a->loop, cfg->bus_address) };
    } else if (strcmp(name, "rules") == 0) {
        e = (Entry){ &access_rules, access_rules_new(a->loop, pool, cfg->rules_file, err) };
        if (!e.self)
            return false;
    } else {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "access driver '%s' is none of polkit, rules, nop", name);
        return false;
    }
    for (unsigned i = 0; i < a->n; i++)
        if (a->entries[i].backend == e.backend) { /* said twice */
            e.backend->free(e.self);
            return true;
        }
    g_assert(a->n < BACKENDS_MAX);
    a->entries[a->n++] = e;
    return true;
}

Access *access_new(Loop *loop, Pool *pool, const AccessConfig *cfg, GError **err)
{
    Access *a = g_new0(Access, 1);

    a->loop = loop;
    for (unsigned i = 0; cfg->drivers && cfg->drivers[i]; i++)
        if (!add_driver(a, pool, cfg->drivers[i], cfg, err))
            return access_free(a);
    return a->n ? a : access_free(a);
}

bool access_reload(Access *a, GError **err)
{
    for (unsigned i = 0; i < a->n; i++)
        if (a->entries[i].backend->reload && !a->entries[i].backend->reload(a->entries[i].self, err))
            return false;
    return true;
}

void access_stop(Access *a)
{
    a->stopped = true;
    for (unsigned i = 0; i < a->n; i++)
        if (a->entries[i].backend->stop)
            a->entries[i].backend->stop(a->entries[i].self);
}

Access *access_free(Access *a)
{
    if (!a)
        return NULL;
    for (unsigned i = 0; i < a->n; i++)
        a->entries[i].backend->free(a->entries[i].self);
    g_free(a);
    return NULL;
}
