/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which volumes are being copied, and which are being written (storage.h). What a copy may contain is looked at before
 * qemu-img opens the image by what its head says: whoever could write another head in between, by an upload, or by a new
 * volume in place of the old one, would get files of this host copied. So the two exclude each other; many may do the same.
 * Who changes images past this daemon is not seen. Who comes second waits a moment only, for an upload may end just after its
 * client has given it up. Any thread; beginning is for workers.
 */
#include "drivers/storage/counts.h"
#include "drivers/storage/storage.h"
#include "util/api.h"
#include "util/cond.h"
#include "util/error.h"
#include "util/loop.h"
#include "util/pool.h"

static uint64_t patience_usec = 2 * G_USEC_PER_SEC;

static struct {
    Lock lock;
    pthread_cond_t ended; /* the last of those who do the same with a volume */
    GHashTable *of; /* counts.h, by path, where that is one: how many copies, or, below zero, how many that write */
    bool ready;     /* ended is */
} uses = { .lock = LOCK_INIT };

static bool others_locked(const char *key, bool writes)
{
    int n = counts_of(uses.of, key);

    return writes ? n > 0 : n < 0;
}

static bool begin(const char *key, bool writes)
{
    uint64_t until = now_usec() + patience_usec;
    bool others;
    LOCK_SCOPE(&uses.lock);

    if (!uses.ready) {
        cond_init(&uses.ended);
        uses.ready = true;
    }
    while ((others = others_locked(key, writes)) && cond_wait_until(&uses.ended, &uses.lock, until))
        ;
    if (!others)
        counts_add(&uses.of, key, writes ? -1 : 1);
    return !others;
}

bool volume_use_begin(const StorageVolView *v, bool writes, VolumeUse *ret, GError **err)
{
    g_autofree char *key = *v->path == '/' ? g_strdup(v->path) : volume_index_name(v->pool_uuid, v->vol_name);

    pool_wait_begin();
    bool ok = begin(key, writes);
    pool_wait_end();
    if (!ok) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "volume '%s' is still in use: it is being %s", v->vol_name, writes ? "copied" : "written");
        return false;
    }
    *ret = (VolumeUse){ g_steal_pointer(&key), writes };
    return true;
}

void volume_use_set_patience(uint64_t usec)
{
    patience_usec = usec;
}

void volume_use_done(VolumeUse *u)
{
    LOCK_SCOPE(&uses.lock);

    if (u->key) {
        counts_add(&uses.of, u->key, u->writes ? 1 : -1);
        if (!counts_of(uses.of, u->key))
            pthread_cond_broadcast(&uses.ended);
    }
    g_clear_pointer(&u->key, g_free);
}
