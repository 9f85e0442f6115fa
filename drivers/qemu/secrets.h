/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The secrets of one guest while it is started, or while a device comes: passphrases of its disks, keys of storage
 * servers, of its display's certificate and of its TPM. Fetched from virtsecretd before anything needs them, given to
 * the emulator encrypted, wiped when the start or the change is over; kept nowhere. Workers.
 */
#pragma once

#include "conf/domain.h"
#include "drivers/qemu/start.h"
#include "rpc/call.h"
#include "util/secret_value.h"

typedef struct Secrets Secrets;

/* c: on whose behalf, NULL: our own. lib_dir: of the run, where the key for its emulator is. */
Secrets *secrets_new(Call *c, const char *lib_dir);
Secrets *secrets_free(Secrets *s);
/* All that the guest, or one device of it, needs. */
bool secrets_fetch(Secrets *s, const DomainDef *d, GError **err);
bool secrets_fetch_device(Secrets *s, const Device *dev, GError **err);
/* For QemuCmdlineContext.secret. */
bool secrets_encrypt(Secrets *s, const SecretRef *ref, const char *alias, char **ret_data, char **ret_iv, GError **err);
/* One that was fetched; NULL when it was not. */
const SecretValue *secrets_find(const Secrets *s, const SecretRef *ref);
/* The uuid of a TPM's passphrase as a reference. */
SecretRef secrets_of_tpm(const TpmDef *t);

/* The step of the start. */
bool start_secrets(Start *s, GError **err);
void start_tell_secrets(const Start *s, GPtrArray *lines);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Secrets, secrets_free)
