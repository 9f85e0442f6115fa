/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Units of sizes. "KB" counts by thousands, "KiB" and the bare letter by 1024; upper and lower case
 * are the same. Everything is checked for overflow. Pure functions, any thread.
 */
#include "util/size.h"

#include <string.h>

#include "util/error.h"

uint64_t size_unit(const char *unit)
{
    static const char letters[] = "kmgtpe";

    if (!g_ascii_strcasecmp(unit, "b") || !g_ascii_strcasecmp(unit, "byte") ||
        !g_ascii_strcasecmp(unit, "bytes"))
        return 1;
    const char *p = *unit ? strchr(letters, g_ascii_tolower(*unit)) : NULL;
    if (!p)
        return 0;
    uint64_t base = !unit[1] || !g_ascii_strcasecmp(unit + 1, "ib") ? 1024
                    : !g_ascii_strcasecmp(unit + 1, "b")            ? 1000
                                                                    : 0;
    uint64_t n = base;
    for (const char *q = letters; q < p; q++)
        n *= base;
    return n;
}

bool size_scale(uint64_t value, const char *unit, uint64_t default_unit, unsigned shift,
                uint64_t *ret, GError **err)
{
    uint64_t factor = unit ? size_unit(unit) : default_unit, bytes;

    if (!factor) {
        error_set(err, VIR_ERR_INVALID_ARG, "unknown suffix '%.30s'", unit);
        return false;
    }
    uint64_t mask = (UINT64_C(1) << shift) - 1;
    if (__builtin_mul_overflow(value, factor, &bytes) || bytes > UINT64_MAX - mask) {
        error_set(err, VIR_ERR_OVERFLOW, "value too large: %" G_GUINT64_FORMAT "%s", value,
                  unit ? unit : "");
        return false;
    }
    *ret = (bytes + mask) >> shift;
    return true;
}
