/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools and volumes as objects (drivers/common/object.h). A pool's live definition is there while it is active.
 * All volumes of active pools are in one registry, under the pool's uuid and their own name; a volume's view is
 * little more than its name: what it is, is looked at when somebody asks.
 */
#pragma once

#include "drivers/common/answers.h"
#include "drivers/storage/backend.h"
#include "protocols/remote_handlers.h"
#include "protocols/remote_procs.h"
#include "rpc/event.h"
#include "util/lock.h"

typedef struct StoragePool StoragePool;
typedef struct StoragePoolView {
    OBJECT_VIEW(StoragePool, pool, StoragePoolDef);
} StoragePoolView;

typedef struct StorageVol StorageVol;
typedef struct StorageVolView {
    OBJECT_VIEW(StorageVol, vol, StorageVolumeDef);
    Uuid pool_uuid;
    char *pool_name, *vol_name, *path, *key;
    StorageVolumeDef *known; /* what the storage said of it; NULL: look */
} StorageVolView;

/* What changes while a pool is active; not in its view, because it changes beside turns. */
typedef struct PoolState {
    Lock look;           /* held while the storage is asked, which may take long: never on the loop */
    uint64_t generation; /* of the list of volumes, 0: not known; under look */
    atomic_bool listed;  /* by this daemon: before, there is no list */
    Lock lock;           /* of figures, for some instructions; taken inside of look */
    PoolFigures figures; /* as of the last look */
    atomic_bool stopping; /* somebody waits to stop it: what else has its turn ends, unless a volume is being made */
    /* Which of its volumes are changing, and who is looking at its storage meanwhile. */
    Lock entries;      /* of what follows, and around every entry; inside of look, outside of the registry's */
    GPtrArray *names;  /* of volumes that a call is changing now */
    GSList *looks;     /* PoolLook */
    bool gone;         /* it has no volumes, whatever a look finds */
} PoolState;

enum { STORAGE_XML_MAX = 16 << 20 };

extern const KindInfo storage_pool_info, storage_vol_info; /* pool.c, volume.c */
extern ObjectClass storage_vol_class; /* complete after storage_vol_init() */
void storage_vol_init(void);

/* pool.c */
Registry *storage_pools(void);
PoolState *pool_state(Object *pool);
StoragePoolDef *pool_copy(const StoragePoolDef *d);
/* The definition that an active pool has, or will have; NULL with *err. */
const StoragePoolDef *pool_def(const StoragePoolView *v, Call *c, GError **err);
bool pool_need_active(const StoragePoolView *v, GError **err);
bool pool_need_inactive(const StoragePoolView *v, GError **err);
void pool_figures(Object *pool, PoolFigures *ret);
void pool_set_figures(Object *pool, const PoolFigures *f);
/* Measures and lists; d: of an active pool. */
bool pool_refresh(Object *pool, const StoragePoolView *v, StoragePoolDef *d, const StorageJob *job, GError **err);
/* The list alone, when the storage has another one by now, or was not asked for one yet. */
bool pool_sync(Object *pool, const StoragePoolView *v, const StoragePoolDef *d, GError **err);
/* From the one to the other a pool has volumes: no look that began before the end enters any. */
void pool_expect_volumes(Object *pool);
void pool_forget_volumes(Object *pool);
/* It is active no more, whoever saw to that. */
void pool_end(ObjectTurn *t);
void pool_emit_lifecycle(ObjectTurn *t, int event);
void pool_emit_refresh(const ObjectView *v);
/* For a call: until its deadline, unless it is cancelled. */
StorageJob job_of_call(Call *c);
/* The same in the turn of a pool, which is given up when the pool is to stop. c: may be NULL. */
StorageJob job_of_pool(Call *c, Object *pool);

/* A StorageSecretFn; call: a Call, NULL: as ourselves. */
SecretValue *pool_ask_for_secret(const SecretRef *ref, int usage, const char *what, void *call, GError **err);

/* Makes a pool active (handlers_pool.c); take: becomes its live definition; flags: VIR_STORAGE_POOL_CREATE_*. */
bool pool_start(ObjectTurn *t, StoragePoolDef *take, unsigned flags, const StorageJob *job, GError **err);

/* volume.c */
Registry *storage_volumes(void);
char *volume_index_name(const uint8_t *pool, const char *name);
/* A look at a pool's storage takes a while, and calls change volumes beside it: what it says of those that were changing at any
 * time since it began may be true no more, and does not count. Begun before the storage is asked. */
typedef struct PoolLook {
    Object *pool;
    GHashTable *changed; /* names; under PoolState.entries */
    bool over;           /* the pool was stopped */
    bool passed_over;    /* it had something to say that did not count */
} PoolLook;
void pool_look_begin(Object *pool, PoolLook *ret);
void pool_look_done(PoolLook *l);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PoolLook, pool_look_done)
/* For a call that makes, changes or removes a volume, from before it touches the storage until it has entered what came of it. */
typedef struct PoolChange {
    Object *pool;
    const char *name;
} PoolChange;
void pool_change_begin(Object *pool, const char *name, PoolChange *ret);
void pool_change_done(PoolChange *c);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PoolChange, pool_change_done)

/* Enters a volume; def: what is known of it (taken), or NULL. look: that has found it; NULL: a PoolChange. True also when that does
 * not count. */
bool volume_enter(Object *pool, PoolLook *look, const StoragePoolView *v, const char *name, const char *path, StorageVolumeDef *def,
                  GError **err);
/* A look did not find it. */
void volume_forget(PoolLook *look, const StorageVolView *v);
Object *volume_find(const uint8_t *pool, const char *name);
/* Views of a pool's volumes that the caller may see (c NULL: all), by name. */
GPtrArray *volumes_of_pool(Call *c, const uint8_t *pool);
/* The pool of a volume; NULL with *err. */
Object *volume_pool(const StorageVolView *v, GError **err);
/* The storage does not say of a device that it is encrypted: what was known of it (old, may be NULL) goes on with def, while that
 * is the same device. */
void volume_keep_encryption(const StorageVolumeDef *old, StorageVolumeDef *def);
/* volume_use.c. Copies of a volume and what writes to it, or removes it, exclude each other: whoever comes second gets an error. Done
 * when it is over. */
typedef struct VolumeUse {
    char *key; /* NULL: none */
    bool writes;
} VolumeUse;
bool volume_use_begin(const StorageVolView *v, bool writes, VolumeUse *ret, GError **err);
void volume_use_done(VolumeUse *u);
/* Of who comes second; for tests, before others begin. */
void volume_use_set_patience(uint64_t usec);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VolumeUse, volume_use_done)
/* transfers.c. One upload or download among those that go on; done when it is over. user: who has no more than a share of them, in
 * words; NULL: all there are. */
typedef struct TransferShare {
    bool taken;
    char *user;
} TransferShare;
bool transfer_share_take(const char *volume, const char *user, TransferShare *ret, GError **err);
void transfer_share_done(TransferShare *s);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TransferShare, transfer_share_done)
/* What it is now. */
StorageVolumeDef *volume_details(const StorageVolView *v, GError **err);

