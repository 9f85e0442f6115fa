/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The value of a secret in memory: pages of its own, locked, left out of core dumps and of children, wiped when
 * the last reference goes. Immutable and counted. Any thread.
 */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <sys/types.h>

enum { SECRET_VALUE_MAX = 65536 }; /* what the protocol can carry */

typedef struct SecretValue {
    gatomicrefcount refs;
    gsize len, mapped;
    uint8_t bytes[];
} SecretValue;

/* Room for len bytes, all zero, to be filled before anybody else sees it. */
SecretValue *secret_value_room(gsize len, GError **err);
SecretValue *secret_value_new(const void *bytes, gsize len, GError **err);
/* It as a file without a name, at its beginning, that only user can open again (-1: ours), for a program; -1 with
 * *err. */
int secret_value_fd(const SecretValue *v, uid_t user, GError **err);
SecretValue *secret_value_ref(const SecretValue *v);
SecretValue *secret_value_unref(SecretValue *v); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SecretValue, secret_value_unref)
