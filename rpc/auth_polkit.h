/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Authentication of local clients by polkit; a backend of rpc/authn.h. Loop thread. */
#pragma once

#include "rpc/authn.h"
#include "rpc/polkit.h"

typedef struct AuthPolkit {
    Polkit *polkit;
    gid_t group;            /* whose members need not be asked about; (gid_t)-1: none */
    const char *group_name; /* for messages; NULL: none */
} AuthPolkit;

/* Its data is an AuthPolkit. */
extern const AuthBackend auth_polkit;
