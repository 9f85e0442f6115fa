/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools that are SCSI hosts, virtual Fibre Channel adapters among them. A volume is a unit, called by its
 * numbers; its path is the link in the target directory that leads to it, which stays when names of devices
 * change. No device is opened: sizes are those that the kernel shows. Workers.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/storage/backend-device.h"
#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/loop.h"
#include "util/pool.h"

enum { SECTOR = 512, ID_USEC = 5 * 1000 * 1000 };
#define SCSI_ID "/lib/udev/scsi_id"
#define SETTLE_SEC 10
/* A unit that no driver wants never has a device. */
enum { PROBE_USEC = 5 * 1000 * 1000, PROBE_LOOK_USEC = 20 * 1000 };

/* What the device calls itself, or its path. */
static char *serial_of(const char *path)
{
    const StorageJob quick = { .usec = ID_USEC };
    char *said = NULL;

    if (access(SCSI_ID, X_OK) == 0) {
        Argv *a = argv_new(SCSI_ID);
        argv_words(a, "--replace-whitespace", "--whitelisted", "--device", NULL);
        argv_operand(a, path);
        if (storage_run_take(a, &quick, &said, NULL)) {
            said[strcspn(said, "\n")] = '\0';
            if (*said)
                return said;
        }
    }
    g_free(said);
    return g_strdup(path);
}

StorageVolumeDef *device_volume(const StoragePoolDef *d, const char *name, const char *path, const char *block)
{
    g_autofree char *sectors = sysfs_read("class/block/%s/size", block);
    StorageVolumeDef *v = g_new0(StorageVolumeDef, 1);
    auto_fd fd = open(path, O_PATH | O_CLOEXEC);

    v->pool_type = d->source.type;
    v->type = VOLUME_BLOCK;
    v->name = g_strdup(name);
    v->path = g_strdup(path);
    v->key = serial_of(path);
    v->capacity = v->physical = sectors ? g_ascii_strtoull(sectors, NULL, 10) * SECTOR : 0;
    v->allocation = (OptU64){ v->capacity, 1, 0 };
    v->permissions = fd >= 0 ? volume_permissions(fd) : NULL;
    return v;
}

/* The link in the target that leads to the device; NULL: there is none. */
static char *stable_path(const StoragePoolDef *d, const char *device)
{
    g_autofree char *real = realpath(device, NULL);
    char *best = NULL;

    if (strcmp(d->target, "/dev") == 0 || strcmp(d->target, "/dev/") == 0)
        return g_strdup(device);
    GDir *dir = g_dir_open(d->target, 0, NULL);
    for (const char *name; dir && real && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(d->target, name, NULL), *to = realpath(path, NULL);
        if (g_strcmp0(to, real) == 0 && (!best || strcmp(path, best) < 0)) {
            g_free(best);
            best = g_steal_pointer(&path);
        }
    }
    if (dir)
        g_dir_close(dir);
    return best;
}

bool scsi_host_list(const StoragePoolDef *d, unsigned host, VolumeFoundFn *found, void *data, GError **err)
{
    g_autoptr(GPtrArray) units = scsi_units(host);

    for (guint i = 0; i < units->len; i++) {
        const ScsiUnit *u = units->pdata[i];
        if (!g_str_has_prefix(d->target, "/dev")) {
            error_set(err, VIR_ERR_INVALID_ARG, "unable to use target path '%s' for dev '%s'", d->target, u->block);
            return false;
        }
        g_autofree char *device = g_build_filename("/dev", u->block, NULL), *path = stable_path(d, device);
        g_autofree char *name = g_strdup_printf("unit:%u:%u:%" G_GUINT64_FORMAT, u->bus, u->target, u->lun);
        if (path)
            found(name, path, device_volume(d, name, path, u->block), data);
    }
    return true;
}

void device_settle(unsigned host, const StorageJob *job)
{
    Argv *a = argv_new("udevadm");
    uint64_t end = now_usec() + PROBE_USEC;

    /* A driver looks at a new disk behind the scan (asynchronous probing of Linux' sd): nothing is in udev's queue before. */
    pool_wait_begin();
    while (!scsi_units_complete(host) && now_usec() < end && !storage_job_cancelled(job, NULL))
        g_usleep(PROBE_LOOK_USEC);
    pool_wait_end();
    argv_words(a, "settle", "--timeout=" G_STRINGIFY(SETTLE_SEC), NULL);
    (void)storage_run_take(a, job, NULL, NULL); /* a host without it makes no links */
}

/* What all of them look for in their lists --------------------------------------------------------- */

typedef struct Search {
    const char *name;
    StorageVolumeDef *found;
} Search;

static void search_found(const char *name, const char *path, StorageVolumeDef *def, void *data)
{
    Search *s = data;

    (void)path;
    if (!s->found && strcmp(name, s->name) == 0)
        s->found = def;
    else
        storage_volume_free(def);
}

StorageVolumeDef *device_look(const PoolBackend *b, const StoragePoolDef *d, const char *name, GError **err)
{
    Search s = { name, NULL };

    if (b->list(d, search_found, &s, NULL, err) && !s.found)
        error_set(err, VIR_ERR_NO_STORAGE_VOL, "no storage vol with matching name '%s'", name);
    return s.found;
}

static void add_size(const char *name, const char *path, StorageVolumeDef *def, void *data)
{
    PoolFigures *f = data;

    (void)name;
    (void)path;
    f->capacity += def->capacity;
    f->allocation += def->allocation.v;
    storage_volume_free(def);
}

bool device_measure(const PoolBackend *b, const StoragePoolDef *d, PoolFigures *ret, const StorageJob *job, GError **err)
{
    *ret = (PoolFigures){ 0 };
    return b->list(d, add_size, ret, job, err);
}

/* The row ------------------------------------------------------------------------------------------ */

static bool scsi_check(const StoragePoolDef *d, bool *ret, GError **err)
{
    unsigned host;

    (void)err;
    *ret = false;
    if (scsi_find_host(d->source.adapter, &host, NULL)) {
        g_autofree char *id = sysfs_read("class/scsi_host/host%u/unique_id", host);
        *ret = id != NULL;
    }
    return true;
}

static bool scsi_start(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    unsigned host;

    (void)job;
    if (d->source.adapter->type == ADAPTER_FC_HOST && !vhba_make(d->source.adapter, err))
        return false;
    return scsi_find_host(d->source.adapter, &host, err) && scsi_rescan(host, err);
}

static bool scsi_stop(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    (void)job;
    return d->source.adapter->type != ADAPTER_FC_HOST || vhba_remove(d->source.adapter, err);
}

static bool scsi_list(const StoragePoolDef *d, VolumeFoundFn *found, void *data, const StorageJob *job, GError **err)
{
    unsigned host;

    (void)job;
    return scsi_find_host(d->source.adapter, &host, err) && scsi_host_list(d, host, found, data, err);
}

/* A refresh measures first: units that are new show by then. */
static bool scsi_measure(StoragePoolDef *d, PoolFigures *ret, const StorageJob *job, GError **err)
{
    unsigned host;

    if (!scsi_find_host(d->source.adapter, &host, err) || !scsi_rescan(host, err))
        return false;
    device_settle(host, job);
    return device_measure(&backend_scsi, d, ret, job, err);
}

static StorageVolumeDef *scsi_vol_look(const StoragePoolDef *d, const char *name, GError **err)
{
    return device_look(&backend_scsi, d, name, err);
}

const PoolBackend backend_scsi = {
    .type = POOL_SCSI, .check = scsi_check, .start = scsi_start, .stop = scsi_stop, .measure = scsi_measure,
    .list = scsi_list, .vol_look = scsi_vol_look,
};
