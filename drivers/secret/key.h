/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keys that values are sealed with. New values take the first of these that there is: the credential
 * "secrets-encryption-key" that the service manager hands over; the host's key, LIB/secrets/host.key, made at
 * first use. What was sealed with the other one can still be opened. Any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { SECRET_KEY_SIZE = 32, SECRET_KEY_ID_SIZE = 16 }; /* the id: hex digits */

typedef struct SecretKey {
    uint8_t bytes[SECRET_KEY_SIZE];
    char id[SECRET_KEY_ID_SIZE + 1];
} SecretKey;

/* To seal with: makes the host's key when there is none. */
bool secret_key_for_sealing(SecretKey *ret, GError **err);
/* The one of that id; fails when this host has no such key. */
bool secret_key_find(const char *id, SecretKey *ret, GError **err);
void secret_key_wipe(SecretKey *k);
/* At the start: what a daemon left that was killed while it made the host's key. */
void secret_key_tidy(void);
