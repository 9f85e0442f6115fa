/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the module "net" gives: TLS and SASL. It is loaded when a configuration asks for either, so
 * that a daemon that serves local sockets only does not carry their libraries.
 */
#pragma once

#include "rpc/net/sasl.h"
#include "rpc/net/tls.h"

typedef struct NetModule {
    TlsContext *(*tls_context_new)(const TlsConfig *cfg, GError **err);
    TlsContext *(*tls_context_unref)(TlsContext *c);
    int64_t (*tls_context_expires)(const TlsContext *c);
    ConnTransport *(*tls_transport_new)(TlsContext *c, GError **err);
    Sasl *(*sasl_new)(Loop *loop, const SaslConfig *cfg, GError **err);
    void (*sasl_configure)(Sasl *s, const SaslConfig *cfg);
    Sasl *(*sasl_free)(Sasl *s);
    const AuthBackend *sasl_backend;
} NetModule;

#define NET_MODULE "net"
#define NET_MODULE_SYMBOL "net_module"
extern const NetModule net_module;
