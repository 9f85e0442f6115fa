/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Helpers of generated thunks. Handlers fill replies completely; what the client asked to see of
 * them is cut here, in one place. No state; any thread.
 */
#include "protocols/thunk.h"

#include "protocols/xdr_buf.h"
#include "util/error.h"

bool thunk_max_ok(const char *name, int64_t max, u_int bound, GError **err)
{
    if (max >= 0 && max <= bound)
        return true;
    error_set(err, VIR_ERR_RPC, "%s asks for at most %" G_GINT64_FORMAT " results, allowed are 0 to %u", name,
              max, bound);
    return false;
}

void thunk_cut(u_int *len, void *val, size_t size, xdrproc_t xdr, u_int max)
{
    void **array = val;

    if (*len <= max)
        return;
    for (u_int i = max; xdr && i < *len; i++)
        proc_free(xdr, (uint8_t *)*array + i * size);
    *len = max;
    if (max == 0)
        g_clear_pointer(array, g_free);
}
