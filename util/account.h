/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Accounting: what each uid makes us keep (bytes of messages, descriptors, objects). A Charge is
 * taken before the thing is allocated and released by the destructor of what holds it, so the
 * books cannot drift; a User that goes away with something still charged is a bug and asserts.
 * Any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct User User;
typedef struct UserRegistry UserRegistry;

typedef enum AccountSlot { ACCOUNT_BYTES, ACCOUNT_FDS, ACCOUNT_OBJECTS, _ACCOUNT_N } AccountSlot;

typedef struct AccountLimits {
    uint64_t max[_ACCOUNT_N]; /* per uid; 0: unlimited */
} AccountLimits;

/* All zero: nothing charged. */
typedef struct Charge {
    User *user; /* a reference */
    int slot;
    uint64_t amount;
} Charge;

UserRegistry *user_registry_new(const AccountLimits *limits);
UserRegistry *user_registry_ref(UserRegistry *r);
UserRegistry *user_registry_unref(UserRegistry *r);
/* The user of a uid, made when new; a reference for the caller. */
User *user_registry_get(UserRegistry *r, uid_t uid);
User *user_ref(User *u);
User *user_unref(User *u);
uid_t user_uid(const User *u);
uint64_t user_used(const User *u, AccountSlot slot);

/* Charges amount more to u on c. A charge grows by taking again with the same user and slot. u NULL: nobody
 * pays, always true. False: the user's limit would be exceeded, c is unchanged. */
bool charge_take(Charge *c, User *u, AccountSlot slot, uint64_t amount, GError **err);
/* Gives all of it back; c is all zero then. Doing so twice is harmless. */
void charge_release(Charge *c);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UserRegistry, user_registry_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(User, user_unref)
