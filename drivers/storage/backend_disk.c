/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools that are disks, and partitions their volumes. All is known from what parted says; a volume is called as
 * its device is: the disk's name and the partition's number. Workers.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "drivers/storage/backend.h"
#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"

enum { SECTOR = 512, NODE_PATIENCE_MS = 5000, NODE_STEP_MS = 50 };

static const PoolDevice *device_of(const StoragePoolDef *d)
{
    return list_at(d->source.devices, 0); /* a definition without one is refused */
}

/* parted does not tell machines which one is extended. */
static unsigned extended_of(const char *path)
{
    auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uint8_t sector[SECTOR];

    return fd >= 0 && pread(fd, sector, sizeof(sector), 0) == SECTOR ? partition_extended(sector) : 0;
}

static PartitionTable *read_table(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    g_autofree char *out = NULL;
    PartitionTable *t;

    if (!storage_run_take(parted_list(device_of(d)->path, err), job, &out, err) || !(t = parted_parse(out, err)))
        return NULL;
    t->extended = strcmp(t->label, "msdos") == 0 ? extended_of(device_of(d)->path) : 0;
    return t;
}

/* The device of a partition: a disk whose name ends with a digit needs a letter between. */
static char *partition_path(const StoragePoolDef *d, unsigned number)
{
    const PoolDevice *dev = device_of(d);
    g_autofree char *real = realpath(dev->path, NULL);
    const char *path = real ? real : dev->path;
    bool letter = dev->part_separator == TRI_YES ||
                  (dev->part_separator == TRI_ABSENT && g_ascii_isdigit(path[strlen(path) - 1]));

    return g_strdup_printf("%s%s%u", path, letter ? "p" : "", number);
}

static bool disk_check(const StoragePoolDef *d, bool *ret, GError **err)
{
    (void)err;
    *ret = access(device_of(d)->path, F_OK) == 0;
    return true;
}

/* The table must be the one that the definition names. */
static bool disk_start(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    g_autoptr(PartitionTable) t = read_table(d, job, err);
    const char *want = t ? parted_label(&d->source, err) : NULL;

    if (!want)
        return false;
    if (d->source.format == POOL_DISK_UNKNOWN ? strcmp(t->label, "unknown") != 0 : strcmp(t->label, want) == 0)
        return true;
    error_set(err, VIR_ERR_OPERATION_INVALID, "the partition table of '%s' is '%s', not '%s'", t->device, t->label, want);
    return false;
}

static bool disk_build(const StoragePoolDef *d, unsigned flags, const StorageJob *job, GError **err)
{
    const char *path = device_of(d)->path;
    g_autofree char *holds = flags & VIR_STORAGE_POOL_BUILD_OVERWRITE ? NULL : backend_device_holds(path, job);

    if (holds) {
        error_set(err, VIR_ERR_STORAGE_POOL_BUILT, "device '%s' holds '%s' already; it is made anew with overwrite only", path,
                  holds);
        return false;
    }
    return storage_run_change(parted_make_table(d, err), job, err);
}

/* The system's knowledge of them. One that is in use stays, and then all does. */
static bool forget_partitions(int fd, const PartitionTable *t, GError **err)
{
    for (guint i = t->parts->len; i-- > 0;) {
        struct blkpg_partition part = { .pno = (int)((const Partition *)t->parts->pdata[i])->number };
        struct blkpg_ioctl_arg arg = { .op = BLKPG_DEL_PARTITION, .datalen = sizeof(part), .data = &part };
        if (part.pno && ioctl(fd, BLKPG, &arg) < 0 && errno != ENXIO) {
            error_set_errno(err, errno, "cannot remove partition %d of '%s'", part.pno, t->device);
            return false;
        }
    }
    return true;
}

static bool disk_remove(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    const char *path = device_of(d)->path;
    g_autoptr(PartitionTable) t = read_table(d, job, NULL);
    auto_fd fd = t ? open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK) : -1;

    if (fd >= 0 && !forget_partitions(fd, t, err))
        return false;
    fd_close(&fd);
    return storage_run_change(wipe_signatures(path, err), job, err);
}

static bool disk_measure(StoragePoolDef *d, PoolFigures *ret, const StorageJob *job, GError **err)
{
    g_autoptr(PartitionTable) t = read_table(d, job, err);
    PoolDevice *dev = (PoolDevice *)device_of(d);

    if (!t)
        return false;
    *ret = (PoolFigures){ .capacity = t->size };
    if (!dev->free_extents)
        dev->free_extents = g_ptr_array_new();
    for (guint i = 0; i < dev->free_extents->len; i++)
        g_free(dev->free_extents->pdata[i]);
    g_ptr_array_set_size(dev->free_extents, 0);
    for (guint i = 0; i < t->parts->len; i++) {
        const Partition *p = t->parts->pdata[i];
        if (p->number) {
            ret->allocation += p->number == t->extended ? 0 : p->size;
            continue;
        }
        PoolExtent *e = g_new0(PoolExtent, 1);
        *e = (PoolExtent){ p->start, p->end + 1 };
        ret->available += p->size;
        g_ptr_array_add(dev->free_extents, e);
    }
    return true;
}

static StorageVolumeDef *volume_of(const StoragePoolDef *d, const PartitionTable *t, const Partition *p)
{
    StorageVolumeDef *v = g_new0(StorageVolumeDef, 1);
    VolumeSourceDevice *source = g_new0(VolumeSourceDevice, 1);
    PoolExtent *e = g_new0(PoolExtent, 1);

    v->pool_type = POOL_DISK;
    v->type = VOLUME_BLOCK;
    v->path = partition_path(d, p->number);
    v->name = g_path_get_basename(v->path);
    v->key = g_strdup(v->path);
    v->capacity = v->physical = p->size;
    v->allocation = (OptU64){ p->size, 1, 0 };
    v->format = p->number == t->extended ? PARTITION_EXTENDED : PARTITION_NONE;
    *e = (PoolExtent){ p->start, p->end + 1 };
    source->path = g_strdup(device_of(d)->path);
    source->extents = g_ptr_array_new();
    g_ptr_array_add(source->extents, e);
    v->source = g_ptr_array_new();
    g_ptr_array_add(v->source, source);
    return v;
}

static bool disk_list(const StoragePoolDef *d, VolumeFoundFn *found, void *data, const StorageJob *job, GError **err)
{
    g_autoptr(PartitionTable) t = read_table(d, job, err);

    for (guint i = 0; t && i < t->parts->len; i++) {
        const Partition *p = t->parts->pdata[i];
        if (!p->number)
            continue;
        g_autofree char *path = partition_path(d, p->number), *name = g_path_get_basename(path);
        found(name, path, volume_of(d, t, p), data);
    }
    return t != NULL;
}

static const Partition *find_partition(const StoragePoolDef *d, const PartitionTable *t, const char *name)
{
    for (guint i = 0; i < t->parts->len; i++) {
        const Partition *p = t->parts->pdata[i];
        g_autofree char *path = partition_path(d, p->number), *base = g_path_get_basename(path);
        if (p->number && strcmp(base, name) == 0)
            return p;
    }
    return NULL;
}

static StorageVolumeDef *disk_vol_look(const StoragePoolDef *d, const char *name, GError **err)
{
    g_autoptr(PartitionTable) t = read_table(d, NULL, err);
    const Partition *p = t ? find_partition(d, t, name) : NULL;

    if (t && !p)
        error_set(err, VIR_ERR_NO_STORAGE_VOL, "no storage vol with matching name '%s'", name);
    return p ? volume_of(d, t, p) : NULL;
}

static const char *fs_word(unsigned format)
{
    static const char *const words[_PARTITION_FORMAT_N] = {
        [PARTITION_LINUX] = "ext2", [PARTITION_FAT16] = "fat16", [PARTITION_FAT32] = "fat32",
        [PARTITION_LINUX_SWAP] = "linux-swap",
    };
    return format < G_N_ELEMENTS(words) ? words[format] : NULL;
}

/* The system makes the node when it has read the table. */
static bool wait_for_node(const char *path, bool there, GError **err)
{
    for (unsigned ms = 0; ms < NODE_PATIENCE_MS; ms += NODE_STEP_MS) {
        if ((access(path, F_OK) == 0) == there)
            return true;
        g_usleep(NODE_STEP_MS * 1000);
    }
    error_set(err, VIR_ERR_OPERATION_TIMEOUT, "the device '%s' did not %s", path, there ? "appear" : "go");
    return false;
}

/* A client that wants another name than the partition gets would not find it. */
static bool disk_vol_create(const StoragePoolDef *d, StorageVolumeDef *v, const StorageVolumeDef *input, unsigned flags,
                            const StorageJob *job, GError **err)
{
    g_autoptr(PartitionTable) t = volume_device_check(v, err) ? read_table(d, job, err) : NULL;
    uint64_t start, end;
    unsigned number;

    (void)flags;
    const char *kind = t ? partition_kind(t, v->format == PARTITION_EXTENDED, &number, err) : NULL;
    if (!kind)
        return false;
    g_autofree char *path = partition_path(d, number), *name = g_path_get_basename(path);
    if (strcmp(name, v->name) != 0) {
        error_set(err, VIR_ERR_INVALID_ARG, "invalid partition name '%s', expected '%s'", v->name, name);
        return false;
    }
    if (!parted_place(t, v->capacity + volume_room(v), strcmp(kind, "logical") == 0, &start, &end, err) ||
        !storage_run_change(parted_make(device_of(d)->path, kind, fs_word(v->format), start, end, err), job, err))
        return false;
    g_free(v->path);
    v->path = g_steal_pointer(&path);
    if (wait_for_node(v->path, true, err) && ((!input && !v->encryption) || volume_fill(-1, d->target, v, input, 0, job, err)))
        return true;
    (void)storage_run_change(parted_remove(device_of(d)->path, number, NULL), NULL, NULL);
    return false;
}

static bool disk_vol_delete(const StoragePoolDef *d, const StorageVolumeDef *v, unsigned flags, const StorageJob *job,
                            GError **err)
{
    g_autoptr(PartitionTable) t = read_table(d, job, err);
    const Partition *p = t ? find_partition(d, t, v->name) : NULL;

    (void)flags;
    if (!t)
        return false;
    return !p || (storage_run_change(parted_remove(device_of(d)->path, p->number, err), job, err) && wait_for_node(v->path, false, err));
}

const PoolBackend backend_disk = {
    .type = POOL_DISK, .programs = { "parted", "blkid" }, .check = disk_check, .start = disk_start, .build = disk_build,
    .remove = disk_remove, .measure = disk_measure, .list = disk_list, .vol_look = disk_vol_look, .vol_create = disk_vol_create,
    .vol_delete = disk_vol_delete,
};
