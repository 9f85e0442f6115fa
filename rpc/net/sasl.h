/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Authentication by SASL (Cyrus), the AuthBackend for AUTH_BY_SASL. Part of the module "net", see
 * net.h. The library's calls may wait (a user database, a ticket cache), so exchanges run on workers
 * of their own; the security layer of a connection runs on the loop. Loop thread.
 */
#pragma once

#include "rpc/authn.h"
#include "util/loop.h"

typedef struct Sasl Sasl;

typedef struct SaslConfig {
    const char *config_dir;        /* of libvirt.conf of SASL; NULL: where the library looks */
    char *const *allowed_users;    /* patterns with * and ?; NULL: everybody who passes */
    unsigned tcp_min_ssf;          /* strength that the security layer must have on TCP without TLS */
} SaslConfig;

/* One per process: the library's state is. */
Sasl *sasl_new(Loop *loop, const SaslConfig *cfg, GError **err);
/* For clients that come from now on. config_dir cannot change. */
void sasl_configure(Sasl *s, const SaslConfig *cfg);
/* Waits for exchanges that are being worked on; their answers come with loop_drain(). All clients must
 * be gone. */
Sasl *sasl_free(Sasl *s);
extern const AuthBackend sasl_backend; /* data: the Sasl */
