/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by tls.c (a connection) and tls_context.c (files and judgement). Loop thread. */
#pragma once

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "rpc/net/tls.h"

TlsContext *tls_context_ref(TlsContext *c);
/* Credentials and priorities for a session; a GnuTLS error code. */
int tls_context_apply(TlsContext *c, gnutls_session_t s);
/* Judges the peer after its handshake. False with *err: it may not be served, and why. ret_name: of
 * its certificate, allocated, NULL without one. */
bool tls_check_peer(const TlsContext *c, gnutls_session_t s, char **ret_name, GError **err);
