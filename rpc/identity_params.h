/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Identities as the typed parameters of CONNECT_SET_IDENTITY. Any thread. */
#pragma once

#include "protocols/remote_types.h"
#include "rpc/identity.h"

/* Unknown names, wrong types and repetitions are errors. */
Identity *identity_from_params(const remote_typed_param *params, unsigned n, GError **err);
/* Fills params; the strings are borrowed from id. Returns how many; 0: nothing is known. */
enum { IDENTITY_PARAMS_MAX = 10 };
unsigned identity_to_params(const Identity *id, remote_typed_param params[IDENTITY_PARAMS_MAX]);
/* May this peer say for whom it acts? Root and our own user may. */
bool identity_may_delegate(const Identity *peer, GError **err);
