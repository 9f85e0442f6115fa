/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sizes with units, as in <memory unit='MiB'>. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Bytes in a unit: "b", "bytes", "KB" (1000), "KiB" or "k" (1024), … "EiB"; 0 when unknown. */
uint64_t size_unit(const char *unit);

/* value × unit, rounded up to a multiple of 1 << shift and shifted right by it (shift 10: KiB).
 * unit NULL: default_unit. False and *err on an unknown unit or overflow. */
bool size_scale(uint64_t value, const char *unit, uint64_t default_unit, unsigned shift,
                uint64_t *ret, GError **err);
