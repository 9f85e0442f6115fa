/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * iSCSI targets without the kernel: libiscsi logs in for each question. Volumes are the target's units, those
 * that are no disks too: they are shown with no size. Runs in a process of its own (library.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

#include "drivers/storage/backend-device.h"
#include "drivers/storage/library.h"
#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"

enum { TIMEOUT_SEC = 8, LUNS_FIRST = 16 * 8, LUNS_MAX = (16384 + 1) * 8, CHUNK = 128 * 1024, READY_TRIES = 20 };
#define NAME "unit:0:0:"

typedef struct iscsi_context Target;

static void target_done(Target *t)
{
    if (iscsi_is_logged_in(t))
        (void)iscsi_logout_sync(t);
    iscsi_destroy_context(t);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Target, target_done)

typedef struct scsi_task ScsiTask;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ScsiTask, scsi_free_scsi_task)

static char *portal_of(const StoragePoolSource *s)
{
    const PoolHost *h = list_at(s->hosts, 0);
    bool v6 = strchr(h->name, ':') && *h->name != '[';

    return g_strdup_printf("%s%s%s:%u", v6 ? "[" : "", h->name, v6 ? "]" : "", h->port ? h->port : ISCSI_PORT);
}

static const char *target_of(const StoragePoolDef *d)
{
    return ((PoolDevice *)list_at(d->source.devices, 0))->path;
}

static Target *connect_to(const StoragePoolSource *s, const char *target, GError **err)
{
    g_autoptr(Target) t = iscsi_create_context(s->initiator);
    g_autofree char *portal = portal_of(s);
    gsize len = 0;
    g_autofree char *raw = work_secret() ? (char *)g_base64_decode(work_secret(), &len) : NULL, *secret = g_strndup(raw ? raw : "", len);

    if (!t) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "no iSCSI initiator can be made of '%s'", s->initiator);
        return NULL;
    }
    iscsi_set_noautoreconnect(t, 1);
    iscsi_set_timeout(t, TIMEOUT_SEC);
    if ((target && s->auth && iscsi_set_initiator_username_pwd(t, s->auth->username, secret) < 0) ||
        (target && iscsi_set_targetname(t, target) < 0) ||
        iscsi_set_session_type(t, target ? ISCSI_SESSION_NORMAL : ISCSI_SESSION_DISCOVERY) < 0) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the session cannot be set up: %s", iscsi_get_error(t));
        return NULL;
    }
    if (iscsi_connect_sync(t, portal) < 0) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "Failed to connect: %s", iscsi_get_error(t));
        return NULL;
    }
    if (iscsi_login_sync(t) < 0) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "Failed to login: %s", iscsi_get_error(t));
        return NULL;
    }
    return g_steal_pointer(&t);
}

/* Units ------------------------------------------------------------------------------------------- */

static bool fails(Target *t, const char *what, GError **err)
{
    error_set(err, VIR_ERR_INTERNAL_ERROR, "Failed to %s: %s", what, iscsi_get_error(t));
    return false;
}

/* What waits to be told of a reset is told first. */
static void make_ready(Target *t, int lun)
{
    for (unsigned i = 0; i < READY_TRIES; i++) {
        g_autoptr(ScsiTask) task = iscsi_testunitready_sync(t, lun);
        if (!task || task->status != SCSI_STATUS_CHECK_CONDITION || task->sense.key != SCSI_SENSE_UNIT_ATTENTION)
            return;
    }
}

/* *ret_blocks 0: it is no disk. */
static bool size_of(Target *t, int lun, uint64_t *ret_blocks, uint32_t *ret_block, GError **err)
{
    g_autoptr(ScsiTask) inquiry = iscsi_inquiry_sync(t, lun, 0, 0, 64);
    const struct scsi_inquiry_standard *said = inquiry && inquiry->status == SCSI_STATUS_GOOD ? scsi_datain_unmarshall(inquiry) : NULL;

    *ret_blocks = *ret_block = 0;
    if (!said)
        return fails(t, "ask what a unit is", err);
    if (said->device_type != SCSI_INQUIRY_PERIPHERAL_DEVICE_TYPE_DIRECT_ACCESS &&
        said->device_type != SCSI_INQUIRY_PERIPHERAL_DEVICE_TYPE_MMC)
        return true;
    make_ready(t, lun);
    g_autoptr(ScsiTask) task = iscsi_readcapacity16_sync(t, lun);
    const struct scsi_readcapacity16 *large = task && task->status == SCSI_STATUS_GOOD ? scsi_datain_unmarshall(task) : NULL;
    if (large) {
        *ret_blocks = large->returned_lba + 1;
        *ret_block = large->block_length;
        return true;
    }
    g_autoptr(ScsiTask) old = iscsi_readcapacity10_sync(t, lun, 0, 0);
    const struct scsi_readcapacity10 *small = old && old->status == SCSI_STATUS_GOOD ? scsi_datain_unmarshall(old) : NULL;
    if (!small)
        return fails(t, "get the capacity of a unit", err);
    *ret_blocks = (uint64_t)small->lba + 1;
    *ret_block = small->block_size;
    return true;
}

static StorageVolumeDef *volume_of(const StoragePoolDef *d, Target *t, int lun, GError **err)
{
    g_autofree char *portal = portal_of(&d->source), *name = g_strdup_printf(NAME "%d", lun);
    g_autofree char *path = g_strdup_printf("ip-%s-iscsi-%s-lun-%d", portal, target_of(d), lun);
    uint64_t blocks;
    uint32_t block;

    uint64_t size;

    if (!size_of(t, lun, &blocks, &block, err))
        return NULL;
    if (__builtin_mul_overflow(blocks, block, &size)) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "unit %d of '%s' says it has %" G_GUINT64_FORMAT " blocks of %u bytes", lun,
                  target_of(d), blocks, block);
        return NULL;
    }
    return library_volume(d, name, path, path, size, size);
}

static bool each_unit(const StoragePoolDef *d, VolumeFoundFn *found, void *data, GError **err)
{
    g_autoptr(Target) t = connect_to(&d->source, target_of(d), err);
    g_autoptr(ScsiTask) task = t ? iscsi_reportluns_sync(t, 0, LUNS_FIRST) : NULL;

    if (!t)
        return false;
    int all = task && task->status == SCSI_STATUS_GOOD ? scsi_datain_getfullsize(task) : 0;
    if (all > LUNS_MAX) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "the target '%s' says it has more than %d units", target_of(d), LUNS_MAX / 8 - 1);
        return false;
    }
    if (task && all > task->datain.size) { /* more than fitted */
        scsi_free_scsi_task(task);
        task = iscsi_reportluns_sync(t, 0, all);
    }
    const struct scsi_reportluns_list *list = task && task->status == SCSI_STATUS_GOOD ? scsi_datain_unmarshall(task) : NULL;
    if (!list)
        return fails(t, "get the list of units", err);
    for (uint32_t i = 0; i < list->num; i++) {
        StorageVolumeDef *v = volume_of(d, t, list->luns[i], err);
        if (!v)
            return false;
        g_autofree char *name = g_strdup(v->name), *path = g_strdup(v->path);
        found(name, path, v, data);
    }
    return true;
}

static bool direct_list(const StoragePoolDef *d, VolumeFoundFn *found, void *data, const StorageJob *job, GError **err)
{
    (void)job;
    return each_unit(d, found, data, err);
}

static void add_size(const char *name, const char *path, StorageVolumeDef *def, void *data)
{
    PoolFigures *f = data;

    (void)name;
    (void)path;
    f->capacity += def->capacity;
    f->allocation += def->capacity;
    storage_volume_free(def);
}

static bool direct_measure(StoragePoolDef *d, PoolFigures *ret, const StorageJob *job, GError **err)
{
    (void)job;
    *ret = (PoolFigures){ 0 };
    return each_unit(d, add_size, ret, err);
}

static bool lun_of(const char *name, int *ret, GError **err)
{
    uint64_t n;

    if (g_str_has_prefix(name, NAME) && g_ascii_string_to_unsigned(name + strlen(NAME), 10, 0, 16383, &n, NULL)) {
        *ret = (int)n;
        return true;
    }
    error_set(err, VIR_ERR_NO_STORAGE_VOL, "no storage vol with matching name '%s'", name);
    return false;
}

static StorageVolumeDef *direct_vol_look(const StoragePoolDef *d, const char *name, GError **err)
{
    int lun;

    if (!lun_of(name, &lun, err))
        return NULL;
    g_autoptr(Target) t = connect_to(&d->source, target_of(d), err);
    return t ? volume_of(d, t, lun, err) : NULL;
}

static bool direct_vol_wipe(const StoragePoolDef *d, const StorageVolumeDef *v, unsigned algorithm, const StorageJob *job,
                            GError **err)
{
    g_autofree uint8_t *zeros = g_malloc0(CHUNK);
    uint64_t blocks;
    uint32_t block;
    int lun;

    if (algorithm != VIR_STORAGE_VOL_WIPE_ALG_ZERO) {
        error_set(err, VIR_ERR_INVALID_ARG, "unsupported algorithm %u", algorithm);
        return false;
    }
    if (!lun_of(v->name, &lun, err))
        return false;
    g_autoptr(Target) t = connect_to(&d->source, target_of(d), err);
    if (!t || !size_of(t, lun, &blocks, &block, err))
        return false;
    if (block == 0 || block > CHUNK) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "unit %d is no disk", lun);
        return false;
    }
    for (uint64_t at = 0; at < blocks;) {
        uint64_t n = MIN(blocks - at, CHUNK / block);
        g_autoptr(ScsiTask) task =
            iscsi_write16_sync(t, lun, at, zeros, (uint32_t)n * block, (int)block, 0, 0, 0, 0, 0);
        if (!task || task->status != SCSI_STATUS_GOOD)
            return fails(t, "write to a unit", err);
        at += n;
        storage_job_alive(job);
    }
    return true;
}

static StorageSourceList *direct_find(const StoragePoolSource *like, const StorageJob *job, GError **err)
{
    g_autoptr(Target) t = connect_to(like, NULL, err);
    StorageSourceList *l = NULL;

    (void)job;
    if (!t)
        return NULL;
    g_autoptr(GPtrArray) targets = g_ptr_array_new_with_free_func(g_free);
    struct iscsi_discovery_address *found = iscsi_discovery_sync(t);
    for (const struct iscsi_discovery_address *a = found; a; a = a->next)
        g_ptr_array_add(targets, g_strdup(a->target_name));
    l = sources_of_targets(like, targets);
    if (found)
        iscsi_free_discovery_data(t, found);
    return l;
}

static const PoolBackend row = {
    .type = POOL_ISCSI_DIRECT, .flags = BACKEND_LIBRARY, .measure = direct_measure, .list = direct_list,
    .find_sources = direct_find, .vol_look = direct_vol_look, .vol_wipe = direct_vol_wipe,
};
const PoolBackend *const work_row = &row;
