/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values of secrets that documents name, from the daemon that keeps them. Workers. */
#pragma once

#include "conf/domain_disk.h"
#include "rpc/peer.h"
#include "util/secret_value.h"

/* p: of ROUTE_SECRET. usage: what the secret must be for, VIR_SECRET_USAGE_TYPE_*. what needs it: "disk 'vda'".
 * NULL with *err, which names the secret and what needs it. */
SecretValue *secret_fetch(Peer *p, const SecretRef *ref, int usage, const char *what, GError **err);
/* The uuid of the secret that is for this; false: there is none, or nobody says. For who only wants to tell. */
bool secret_find_usage(Peer *p, int usage, const char *name, Uuid ret);
/* "uuid 'X'" or "usage 'X'", as messages call it. */
char *secret_ref_text(const SecretRef *ref);
/* What a secret in an <auth> or an <encryption> must be for; 0: nothing that is kept. */
int secret_ref_usage(const SecretRef *ref);
