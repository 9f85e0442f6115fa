/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools as a kind of object: files, the wire, filters; their list of volumes and their figures. A pool's turn
 * orders changes, PoolState.look orders looks at its storage, which also happen beside turns.
 */
#define LOG_SOURCE "storage.pool"
#include <string.h>

#include "conf/domain.h"
#include "drivers/common/secrets.h"
#include "drivers/storage/storage.h"
#include "util/api.h"
#include "util/error.h"
#include "util/log.h"
#include "util/loop.h"
#include "util/pool.h"

/* The kind ---------------------------------------------------------------------------------------- */

static void *attach(Object *o)
{
    PoolState *s = g_new0(PoolState, 1);
    (void)o;
    lock_init(&s->look);
    lock_init(&s->lock);
    lock_init(&s->entries);
    s->names = g_ptr_array_new_with_free_func(g_free);
    return s;
}

static void detach(Object *o)
{
    PoolState *s = object_driver_data(o);
    lock_done(&s->look);
    lock_done(&s->lock);
    lock_done(&s->entries);
    g_ptr_array_unref(s->names);
    g_free(s);
}

/* Whoever stops a pool does not wait for a look at a server that may be dead. A stop that has failed lets others
 * look again, and so does one that has its turn. */
static void interrupt(Object *o, bool destroy)
{
    (void)destroy;
    atomic_store(&pool_state(o)->stopping, true);
}

static void interrupt_failed(Object *o)
{
    atomic_store(&pool_state(o)->stopping, false);
}

static char **def_name(void *def) { return &((StoragePoolDef *)def)->name; }
static OptUuid *def_uuid(void *def) { return &((StoragePoolDef *)def)->uuid; }

static void *parse(const char *xml, gsize len, bool live, GError **err)
{
    return storage_pool_parse(xml, len, live ? 0 : DOMAIN_PARSE_INACTIVE, err);
}

static char *format(const ObjectView *v, const void *def, bool live, GError **err)
{
    (void)v;
    (void)live;
    return storage_pool_format(def, 0, err);
}

static void wire_identity(const void *wire, const char **ret_name, const uint8_t **ret_uuid)
{
    const remote_nonnull_storage_pool *w = wire;
    *ret_name = w->name;
    *ret_uuid = (const uint8_t *)w->uuid;
}

static void wire_fill(const ObjectView *v, void *ret)
{
    remote_nonnull_storage_pool *w = ret;
    w->name = g_strdup(v->name);
    memcpy(w->uuid, v->uuid, sizeof(v->uuid));
}

static void refuse_inactive(const ObjectView *v, GError **err)
{
    error_set(err, VIR_ERR_OPERATION_INVALID, "storage pool '%s' is not active", v->name);
}

enum { TYPE_SHIFT = 6, TYPES = (1 << _POOL_TYPE_N) - 1 };
G_STATIC_ASSERT(VIR_CONNECT_LIST_STORAGE_POOLS_DIR == 1 << TYPE_SHIFT);

#define LIST(word) VIR_CONNECT_LIST_STORAGE_POOLS_##word
static const unsigned filter_groups[] = {
    LIST(ACTIVE) | LIST(INACTIVE), LIST(PERSISTENT) | LIST(TRANSIENT), LIST(AUTOSTART) | LIST(NO_AUTOSTART),
    (unsigned)TYPES << TYPE_SHIFT, 0,
};

/* The order of types in flags is not that in documents. */
static unsigned type_bit(StoragePoolType t)
{
    static const unsigned bits[_POOL_TYPE_N] = {
        [POOL_DIR] = LIST(DIR), [POOL_FS] = LIST(FS), [POOL_NETFS] = LIST(NETFS), [POOL_LOGICAL] = LIST(LOGICAL),
        [POOL_DISK] = LIST(DISK), [POOL_ISCSI] = LIST(ISCSI), [POOL_SCSI] = LIST(SCSI), [POOL_MPATH] = LIST(MPATH),
        [POOL_RBD] = LIST(RBD), [POOL_SHEEPDOG] = LIST(SHEEPDOG), [POOL_GLUSTER] = LIST(GLUSTER), [POOL_ZFS] = LIST(ZFS),
        [POOL_VSTORAGE] = LIST(VSTORAGE), [POOL_ISCSI_DIRECT] = LIST(ISCSI_DIRECT),
    };
    return bits[t];
}

static unsigned filter_bits(const ObjectView *v)
{
    const StoragePoolDef *d = object_view_def(v, NULL, NULL);

    return (v->active ? LIST(ACTIVE) : LIST(INACTIVE)) | (v->persistent ? LIST(PERSISTENT) : LIST(TRANSIENT)) |
           (v->autostart ? LIST(AUTOSTART) : LIST(NO_AUTOSTART)) | (d ? type_bit(d->source.type) : 0);
}
#undef LIST

/* The host has nothing of ours but mounts and the like, which tell themselves. */
static DriverStatus *status_parse(const xmlNode *modvirt, GError **err)
{
    static DriverStatus nothing = { .refs = 1 };
    (void)modvirt;
    (void)err;
    return driver_status_ref(&nothing);
}

static void status_format(const DriverStatus *s, GString *out)
{
    (void)s;
    g_string_append(out, "<modvirt/>\n");
}

static bool status_loaded(ObjectView *v, const xmlNode *root, GError **err)
{
    (void)root;
    (void)err;
    v->active = true;
    return true;
}

static const char *const links[] = { "", NULL };

const KindInfo storage_pool_info = {
    .object = OBJECT_STORAGE_POOL,
    .word = "storage pool",
    .missing = VIR_ERR_NO_STORAGE_POOL,
    .view_size = sizeof(StoragePoolView),
    .doc = &storage_pool_kind,
    .identity = DOC_IDENTITY_NAME | DOC_IDENTITY_UUID,
    .peek = storage_pool_peek_identity,
    .parse = parse,
    .format = format,
    .def_name = def_name,
    .def_uuid = def_uuid,
    .config_dir = "storage",
    .status_dir = "storage",
    .note = "Written by the daemon that manages this pool; edits to this file are lost.\n"
            "Change the pool with: virsh pool-edit\n",
    .document = "pool",
    .status_root = "poolstate",
    .links = links,
    .status_loaded = status_loaded,
    .status_format = status_format,
    .status_parse = status_parse,
    .attach = attach,
    .detach = detach,
    .interrupt = interrupt,
    .interrupt_failed = interrupt_failed,
    .refuse_inactive = refuse_inactive,
    .wire_identity = wire_identity,
    .wire_fill = wire_fill,
    .wire_size = sizeof(remote_nonnull_storage_pool),
    .filter_groups = filter_groups,
    .filter_bits = filter_bits,
};

/* One pool ---------------------------------------------------------------------------------------- */

Registry *storage_pools(void) { return registry_of(OBJECT_STORAGE_POOL); }
PoolState *pool_state(Object *pool) { return object_driver_data(pool); }
StoragePoolDef *pool_copy(const StoragePoolDef *d) { return doc_copy(&storage_pool_kind, d); }

const StoragePoolDef *pool_def(const StoragePoolView *v, Call *c, GError **err)
{
    return object_view_def((const ObjectView *)v, c, err);
}

bool pool_need_active(const StoragePoolView *v, GError **err)
{
    if (!v->active)
        refuse_inactive((const ObjectView *)v, err);
    return v->active;
}

bool pool_need_inactive(const StoragePoolView *v, GError **err)
{
    if (v->active)
        error_set(err, VIR_ERR_OPERATION_INVALID, "storage pool '%s' is still active", v->name);
    return !v->active;
}

void pool_figures(Object *pool, PoolFigures *ret)
{
    PoolState *s = pool_state(pool);
    LOCK_SCOPE(&s->lock);
    *ret = s->figures;
}

void pool_set_figures(Object *pool, const PoolFigures *f)
{
    PoolState *s = pool_state(pool);
    LOCK_SCOPE(&s->lock);
    s->figures = *f;
}

static bool call_is_cancelled(void *c)
{
    return call_cancelled(c);
}

/* A conversation for each: they are few, and none is kept between them. */
SecretValue *pool_ask_for_secret(const SecretRef *ref, int usage, const char *what, void *c, GError **err)
{
    g_autoptr(Peer) p = peer_new(ROUTE_SECRET, c);
    return secret_fetch(p, ref, usage, what, err);
}

/* Beside the call in the list of calls in flight, whose words are constants. */
static void show_progress(double percent, void *c)
{
    enum { ALL = 100 };
    static char words[ALL + 1][8];
    static gsize made;

    if (g_once_init_enter(&made)) {
        for (unsigned i = 0; i <= ALL; i++)
            g_snprintf(words[i], sizeof(words[i]), "%u%%", i);
        g_once_init_leave(&made, 1);
    }
    call_set_waiting(c, words[(unsigned)CLAMP(percent, 0, ALL)]);
}

StorageJob job_of_call(Call *c)
{
    uint64_t now = now_usec(), end = c ? call_deadline(c) : UINT64_MAX;
    return (StorageJob){ .usec = end == UINT64_MAX ? 0 : end > now ? end - now : 1,
                         .cancelled = c ? call_is_cancelled : NULL, .progress = c ? show_progress : NULL, .secret = pool_ask_for_secret,
                         .data = c };
}

StorageJob job_of_pool(Call *c, Object *pool)
{
    StorageJob job = job_of_call(c);

    job.stopped = &pool_state(pool)->stopping;
    return job;
}

/* The list of volumes ----------------------------------------------------------------------------- */

typedef struct Found {
    PoolLook *look;
    const StoragePoolView *pool;
    GHashTable *names; /* of what is there */
    GHashTable *known; /* of what we have */
} Found;

static void volume_found(const char *name, const char *path, StorageVolumeDef *def, void *data)
{
    Found *f = data;
    g_autoptr(GError) error = NULL;

    bool known = g_hash_table_contains(f->known, name);

    g_hash_table_add(f->names, g_strdup(name));
    if (!def && known)
        return;
    g_autoptr(Object) o = def && known ? volume_find(f->pool->uuid, name) : NULL;
    g_autoptr(ObjectView) old = o ? object_view(o) : NULL;
    if (old)
        volume_keep_encryption(((StorageVolView *)old)->known, def);
    if (!volume_enter(f->look->pool, f->look, f->pool, name, path, def, &error))
        log_warn("pool '%s': cannot take volume '%s': %s", f->pool->name, name, error->message);
}

/* Under the state's lock of looks. */
static bool list_locked(Object *pool, const StoragePoolView *v, const StoragePoolDef *d, const PoolBackend *b,
                        const StorageJob *job, GError **err)
{
    g_auto(PoolLook) look = { 0 };
    pool_look_begin(pool, &look);
    g_autoptr(GPtrArray) have = volumes_of_pool(NULL, v->uuid);
    PoolState *s = pool_state(pool);
    Found f = { &look, v, g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL), g_hash_table_new(g_str_hash, g_str_equal) };
    uint64_t generation = b->generation ? b->generation(d) : 0; /* before: what comes meanwhile shows next time */

    for (guint i = 0; i < have->len; i++)
        g_hash_table_add(f.known, ((StorageVolView *)have->pdata[i])->vol_name);
    bool ok = b->list(d, volume_found, &f, job, err);
    for (guint i = 0; ok && i < have->len; i++) {
        const StorageVolView *vol = have->pdata[i];
        if (!g_hash_table_contains(f.names, vol->vol_name))
            volume_forget(&look, vol);
    }
    s->generation = ok && !look.passed_over ? generation : 0;
    if (ok)
        s->listed = true;
    g_hash_table_unref(f.names);
    g_hash_table_unref(f.known);
    return ok;
}

/* Others may be looking, at a server that is dead, say: a worker that waits for them does not count as busy. */
static Lock *look_enter(PoolState *s)
{
    if (pthread_mutex_trylock(&s->look.m) == 0)
        return &s->look;
    pool_wait_begin();
    lock_enter(&s->look);
    pool_wait_end();
    return &s->look;
}
#define LOOK_SCOPE(s) __attribute__((cleanup(lock_leave_p_), unused)) Lock *look_scope_ = look_enter(s)

bool pool_refresh(Object *pool, const StoragePoolView *v, StoragePoolDef *d, const StorageJob *job, GError **err)
{
    const PoolBackend *b = pool_backend(d->source.type, err);
    PoolState *s = pool_state(pool);
    PoolFigures figures = { 0 };

    if (!b)
        return false;
    LOOK_SCOPE(s);
    if (!b->measure(d, &figures, job, err))
        return false;
    pool_set_figures(pool, &figures); /* a call that changes a volume while they are listed measures again */
    return list_locked(pool, v, d, b, job, err);
}

bool pool_sync(Object *pool, const StoragePoolView *v, const StoragePoolDef *d, GError **err)
{
    const PoolBackend *b = pool_backend(d->source.type, err);
    PoolState *s = pool_state(pool);

    if (!b)
        return false;
    uint64_t now = b->generation ? b->generation(d) : GENERATION_LAST;
    if (now == GENERATION_LAST && s->listed)
        return true; /* without waiting for who may be looking right now */
    LOOK_SCOPE(s);
    now = b->generation ? b->generation(d) : GENERATION_LAST;
    return (s->listed && (now == GENERATION_LAST || (now && now == s->generation))) || list_locked(pool, v, d, b, NULL, err);
}

void pool_expect_volumes(Object *pool)
{
    PoolState *s = pool_state(pool);
    LOCK_SCOPE(&s->entries);

    s->gone = false;
}

void pool_forget_volumes(Object *pool)
{
    PoolState *s = pool_state(pool);

    lock_enter(&s->entries);
    s->gone = true;
    for (GSList *l = s->looks; l; l = l->next)
        ((PoolLook *)l->data)->over = true;
    lock_leave(&s->entries);
    g_autoptr(GPtrArray) have = volumes_of_pool(NULL, object_uuid(pool));

    for (guint i = 0; i < have->len; i++) {
        g_autoptr(Object) o = volume_find(object_uuid(pool), ((StorageVolView *)have->pdata[i])->vol_name);
        if (o)
            registry_remove(o);
    }
}

void pool_end(ObjectTurn *t)
{
    pool_forget_volumes(object_turn_object(t));
    pool_emit_lifecycle(t, VIR_STORAGE_POOL_EVENT_STOPPED);
    object_turn_set_live(t, NULL);
    object_turn_set_active(t, false);
}

/* Events ------------------------------------------------------------------------------------------ */

static remote_nonnull_storage_pool wire_pool(const ObjectView *v)
{
    remote_nonnull_storage_pool w = { .name = v->name };
    memcpy(w.uuid, v->uuid, sizeof(v->uuid));
    return w;
}

void pool_emit_lifecycle(ObjectTurn *t, int event)
{
    const ObjectView *v = object_turn_view(t);
    remote_storage_pool_event_lifecycle_msg m = { .pool = wire_pool(v), .event = event };

    object_turn_emit(t, event_new(OBJECT_STORAGE_POOL, REMOTE_PROC_STORAGE_POOL_EVENT_LIFECYCLE, v->uuid, v->name,
                                  (xdrproc_t)xdr_remote_storage_pool_event_lifecycle_msg, &m));
}

void pool_emit_refresh(const ObjectView *v)
{
    remote_storage_pool_event_refresh_msg m = { .pool = wire_pool(v) };

    event_publish(event_new(OBJECT_STORAGE_POOL, REMOTE_PROC_STORAGE_POOL_EVENT_REFRESH, v->uuid, v->name,
                            (xdrproc_t)xdr_remote_storage_pool_event_refresh_msg, &m));
}
