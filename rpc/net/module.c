/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of the module "net". */
#include "rpc/net/module.h"

const NetModule net_module = {
    .tls_context_new = tls_context_new,
    .tls_context_unref = tls_context_unref,
    .tls_context_expires = tls_context_expires,
    .tls_transport_new = tls_transport_new,
    .sasl_new = sasl_new,
    .sasl_configure = sasl_configure,
    .sasl_free = sasl_free,
    .sasl_backend = &sasl_backend,
};
