/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * TLS for listeners: credentials that are read from files as a whole (TlsContext), and the transport
 * of one connection. Part of the module "net", see module.h. Loop thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "rpc/transport.h"

typedef struct TlsContext TlsContext;

typedef struct TlsConfig {
    /* NULL: the usual names in pki_dir, where the list of revoked certificates may be missing and
     * further pairs servercert0.pem … servercert3.pem are used, too. */
    const char *cert_file, *key_file, *ca_file, *crl_file;
    const char *pki_dir;          /* "/etc/pki" */
    bool flat;                    /* all files are in pki_dir itself: a user's own */
    char *const *allowed_dn_list; /* patterns with * and ?; NULL: everybody with a good certificate */
    const char *priority;         /* NULL: "NORMAL" */
    bool no_verify;               /* take clients with any certificate, or none */
    bool no_sanity;               /* do not look whether our own is good */
} TlsConfig;

/* Reads and checks all files. The error names the file, and the date or name in it that is wrong. */
TlsContext *tls_context_new(const TlsConfig *cfg, GError **err);
TlsContext *tls_context_unref(TlsContext *c);
/* When the first of our own certificates ends, in seconds since 1970. */
int64_t tls_context_expires(const TlsContext *c);
/* For a connection that a client has just made. The context may go away before it. A client that is to
 * be refused gets a connection all the same, so that it can be told why: see ConnTransport.denied. */
ConnTransport *tls_transport_new(TlsContext *c, GError **err);
