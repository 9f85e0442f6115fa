/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which volumes are being copied, and which are being written (storage.h). What a copy may contain is looked at before
 * qemu-img opens the image by what its head says: whoever could write another head in between, by an upload, or by a new
 * volume in place of the old one, would get files of this host copied. So the two exclude each other; many may do the same.
 * Who changes images past this daemon is not seen. Who comes second waits a moment only, for an upload may end just after its
 * client has given it up. Any thread; beginning is for workers.
 */
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
    GHashTable *of; /* by path, where that is one; how many copies, or, below zero, how many that write. NULL: none yet */
} uses = { .lock = LOCK_INIT };

static int count_locked(const char *key)
{
    return GPOINTER_TO_INT(g_hash_table_lookup(uses.of, key));
}

static void add_locked(const char *key, int more)
{
    int n = count_locked(key) + more;

    if (n)
        g_hash_table_replace(uses.of, g_strdup(key), GINT_TO_POINTER(n));
    else
        g_hash_table_remove(uses.of, key);
}

static bool others_locked(const char *key, bool writes)
{
    int n = count_locked(key);

    return writes ? n > 0 : n < 0;
}

static bool begin(const char *key, bool writes)
{
    uint64_t until = now_usec() + patience_usec;
    bool others;
    LOCK_SCOPE(&uses.lock);

    if (!uses.of) {
        uses.of = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        cond_init(&uses.ended);
    }
    while ((others = others_locked(key, writes)) && cond_wait_until(&uses.ended, &uses.lock, until))
        ;
    if (!others)
        add_locked(key, writes ? -1 : 1);
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
        add_locked(u->key, u->writes ? 1 : -1);
        if (!count_locked(u->key))
            pthread_cond_broadcast(&uses.ended);
    }
    g_clear_pointer(&u->key, g_free);
}
