/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by sasl.c (the exchange) and sasl_layer.c (what protects the connection afterwards). */
#pragma once

#include <sasl/sasl.h>
#include <string.h>

#include "rpc/net/sasl.h"
#include "rpc/transport.h"

/* Takes the exchange's connection, which is through and has a strength above 0. Loop thread. */
ConnTransport *sasl_layer_new(sasl_conn_t *sasl);
