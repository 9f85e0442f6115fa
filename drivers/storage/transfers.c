/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many uploads and downloads go on, of all and of each user (storage.h). Each has up to two workers, which wait as
 * long as its client likes: of all, less than may wait (util/pool.c), or clients that send nothing would leave none
 * for other calls; of one user, what leaves as many to others. Any thread.
 */
#include "drivers/storage/counts.h"
#include "drivers/storage/storage.h"
#include "util/api.h"
#include "util/error.h"

enum { TRANSFERS_MAX = 500, TRANSFERS_OF_USER_MAX = 250 };

static struct {
    Lock lock;
    int n;
    GHashTable *of; /* counts.h, by user */
} going = { .lock = LOCK_INIT };

bool transfer_share_take(const char *volume, const char *user, TransferShare *ret, GError **err)
{
    LOCK_SCOPE(&going.lock);
    int n = user ? counts_of(going.of, user) : 0;

    if (going.n >= TRANSFERS_MAX) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "volume '%s': %d uploads and downloads are going on already", volume, TRANSFERS_MAX);
        return false;
    }
    if (n >= TRANSFERS_OF_USER_MAX) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "volume '%s': %d uploads and downloads of %s are going on already", volume,
                  TRANSFERS_OF_USER_MAX, user);
        return false;
    }
    if (user)
        counts_add(&going.of, user, 1);
    going.n++;
    *ret = (TransferShare){ true, g_strdup(user) };
    return true;
}

void transfer_share_done(TransferShare *s)
{
    LOCK_SCOPE(&going.lock);

    if (s->taken)
        going.n--;
    if (s->user)
        counts_add(&going.of, s->user, -1);
    g_free(s->user);
    *s = (TransferShare){ 0 };
}
