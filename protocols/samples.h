/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Generated sample payloads, for tests only. */
#pragma once

#include <glib.h>
#include <rpc/rpc.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Sample {
    const char *name;
    xdrproc_t xdr;
    size_t size; /* of the C struct */
    const uint8_t *bytes;
    size_t n;
} Sample;

extern const Sample samples[];
extern const size_t n_samples;
