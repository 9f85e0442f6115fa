/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Accounting per uid. The counters are atomics: a charge is taken on the loop thread and often
 * released by the worker that finished a call, and neither should wait for the other. A counter is
 * raised first and lowered again when that exceeded the limit, so a limit is never passed, though a
 * taker that races with a refused one may be refused as well. Any thread.
 *
 * A User stays in its registry as long as anyone refers to it; the last reference is given up under
 * the registry's lock, so that user_registry_get() cannot revive a user that is being freed.
 */
#include "util/account.h"

#include <stdatomic.h>

#include "util/error.h"
#include "util/lock.h"

struct UserRegistry {
    atomic_int refs; /* one per User as well */
    AccountLimits limits;
    Lock lock; /* guards users and the last unref of each */
    GHashTable *users;
};

struct User {
    atomic_int refs;
    uid_t uid;
    UserRegistry *registry;
    _Atomic uint64_t used[_ACCOUNT_N];
};

static const char *const slot_names[] = { "bytes of messages", "file descriptors", "objects" };
G_STATIC_ASSERT(G_N_ELEMENTS(slot_names) == _ACCOUNT_N);

UserRegistry *user_registry_new(const AccountLimits *limits)
{
    UserRegistry *r = g_new0(UserRegistry, 1);

    r->refs = 1;
    r->limits = *limits;
    lock_init(&r->lock);
    r->users = g_hash_table_new(NULL, NULL);
    return r;
}

UserRegistry *user_registry_ref(UserRegistry *r)
{
    if (r)
        atomic_fetch_add(&r->refs, 1);
    return r;
}

UserRegistry *user_registry_unref(UserRegistry *r)
{
    if (r && atomic_fetch_sub(&r->refs, 1) == 1) {
        g_assert(g_hash_table_size(r->users) == 0);
        g_hash_table_unref(r->users);
        lock_done(&r->lock);
        g_free(r);
    }
    return NULL;
}

User *user_registry_get(UserRegistry *r, uid_t uid)
{
    LOCK_SCOPE(&r->lock);
    User *u = g_hash_table_lookup(r->users, GUINT_TO_POINTER(uid));

    if (u)
        return user_ref(u);
    u = g_new0(User, 1);
    u->refs = 1;
    u->uid = uid;
    u->registry = user_registry_ref(r);
    g_hash_table_insert(r->users, GUINT_TO_POINTER(uid), u);
    return u;
}

User *user_ref(User *u)
{
    if (u)
        atomic_fetch_add(&u->refs, 1);
    return u;
}

User *user_unref(User *u)
{
    if (!u)
        return NULL;

    int refs = atomic_load(&u->refs);
    while (refs > 1)
        if (atomic_compare_exchange_weak(&u->refs, &refs, refs - 1))
            return NULL;

    UserRegistry *r = u->registry;
    lock_enter(&r->lock);
    bool last = atomic_fetch_sub(&u->refs, 1) == 1;
    if (last)
        g_hash_table_remove(r->users, GUINT_TO_POINTER(u->uid));
    lock_leave(&r->lock);
    if (last) {
        for (unsigned i = 0; i < _ACCOUNT_N; i++)
            g_assert(atomic_load(&u->used[i]) == 0);
        g_free(u);
        user_registry_unref(r);
    }
    return NULL;
}

uid_t user_uid(const User *u)
{
    return u->uid;
}

uint64_t user_used(const User *u, AccountSlot slot)
{
    return atomic_load(&u->used[slot]);
}

bool charge_take(Charge *c, User *u, AccountSlot slot, uint64_t amount, GError **err)
{
    if (!u || !amount)
        return true;
    g_assert(!c->user || (c->user == u && c->slot == (int)slot));

    uint64_t max = u->registry->limits.max[slot];
    uint64_t before = atomic_fetch_add(&u->used[slot], amount);

    if (max && (before > max || amount > max - before)) {
        atomic_fetch_sub(&u->used[slot], amount);
        error_set(err, VIR_ERR_OPERATION_DENIED, "uid %u holds %" G_GUINT64_FORMAT " %s, %" G_GUINT64_FORMAT
                  " more would exceed its limit of %" G_GUINT64_FORMAT, (unsigned)u->uid, before,
                  slot_names[slot], amount, max);
        return false;
    }
    if (!c->user)
        c->user = user_ref(u);
    c->slot = slot;
    c->amount += amount;
    return true;
}

void charge_release(Charge *c)
{
    if (c->user) {
        atomic_fetch_sub(&c->user->used[c->slot], c->amount);
        user_unref(c->user);
    }
    *c = (Charge){ NULL, 0, 0 };
}
