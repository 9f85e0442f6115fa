/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values as they are on disk: sealed with a key of the host (key.h), so that a copy of the files alone says
 * nothing. Text, of two lines:
 *
 *   modvirt-secret 1 aes-256-gcm 0123456789abcdef      version, cipher, which key
 *   BASE64                                             nonce, encrypted value, tag
 *
 * The first line and the secret's uuid are authenticated with the value: a file that was changed, or that belongs
 * to another secret, is not opened. Pure functions but for the key; any thread.
 */
#pragma once

#include "util/secret_value.h"
#include "util/uuid.h"

enum { SEALED_MAX = 96 << 10 }; /* of any file; one of the longest value is shorter */

/* The file of a value; free with g_free(). */
char *secret_seal(const Uuid uuid, const SecretValue *value, GError **err);
/* Whether what the text holds was sealed with this key (key.h: its id); of what is no such file: true, nothing can be done about it. */
bool secret_is_sealed_with(const char *key_id, const char *text, gsize len);
SecretValue *secret_unseal(const Uuid uuid, const char *text, gsize len, GError **err);
/* What today's hosts keep: base64 alone. text is wiped on the way. */
SecretValue *secret_from_base64(char *text, gsize len, GError **err);
