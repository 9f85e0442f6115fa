/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a secret travels to an emulator: encrypted with the key of its run (AES-256-CBC), which lies in a file that only
 * the emulator's user reads, so that neither a list of processes nor a log of the monitor shows it. The library
 * for it is loaded when the first guest has a secret. Any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "util/secret_value.h"

enum { CIPHER_KEY_SIZE = 32 };

/* Base64 of the encrypted value, and of the vector that was drawn for it. */
bool cipher_encrypt(const uint8_t key[CIPHER_KEY_SIZE], const SecretValue *value, char **ret_data, char **ret_iv, GError **err);
