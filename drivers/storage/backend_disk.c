/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools that are disks, and partitions their volumes. All is known from what parted says; a volume is called as
 * its device is: the disk's name and the partition's number. Workers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/storage/backend.h"
#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"

enum { NODE_PATIENCE_MS = 5000, NODE_STEP_MS = 50 };

static const PoolDevice *device_of(const StoragePoolDef *d)
{
    return list_at(d->source.devices, 0); /* a definition without one is refused */
}

static bool run(Argv *take, const StorageJob *job, char **ret_out, GError **err)
{
    g_autoptr(Argv) a = take;
    return a && storage_run(a, job, ret_out, err);
}

static PartitionTable *read_table(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    g_autofree char *out = NULL;
    return run(parted_list(device_of(d)->path, err), job, &out, err) ? parted_parse(out, err) : NULL;
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
    return run(parted_make_table(d, err), job, NULL, err);
}

static bool disk_remove(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    return run(wipe_signatures(device_of(d)->path, err), job, NULL, err);
}

static bool is_extended(const Partition *p, const PartitionTable *t)
{
    /* Logical ones begin with number 5; what has no file system and holds them is the extended one. */
    for (guint i = 0; p->number && p->number < 5 && i < t->parts->len; i++) {
        const Partition *other = t->parts->pdata[i];
        if (other->number >= 5 && other->start >= p->start && other->end <= p->end)
            return true;
    }
    return false;
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
            ret->allocation += is_extended(p, t) ? 0 : p->size;
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
    v->format = is_extended(p, t) ? PARTITION_EXTENDED : PARTITION_NONE;
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

/* The number that the next partition gets: a client that wants another name would not find it. */
static unsigned next_number(const PartitionTable *t)
{
    for (unsigned n = 1;; n++) {
        bool used = false;
        for (guint i = 0; i < t->parts->len; i++)
            used |= ((const Partition *)t->parts->pdata[i])->number == n;
        if (!used)
            return n;
    }
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

static bool disk_vol_create(const StoragePoolDef *d, StorageVolumeDef *v, const StorageVolumeDef *input, unsigned flags,
                            const StorageJob *job, GError **err)
{
    g_autoptr(PartitionTable) t = input || v->encryption ? NULL : read_table(d, job, err);
    uint64_t start, end;

    (void)flags;
    if (input || v->encryption)
        return backend_refuse(d, input ? "copies of volumes yet" : "encryption yet", err);
    if (!t)
        return false;
    g_autofree char *path = partition_path(d, next_number(t)), *name = g_path_get_basename(path);
    if (strcmp(name, v->name) != 0) {
        error_set(err, VIR_ERR_INVALID_ARG, "invalid partition name '%s', expected '%s'", v->name, name);
        return false;
    }
    const char *kind = v->format == PARTITION_EXTENDED ? "extended" : "primary";
    if (!parted_place(t, v->capacity, false, &start, &end, err) ||
        !run(parted_make(device_of(d)->path, kind, fs_word(v->format), start, end, err), job, NULL, err) ||
        !wait_for_node(path, true, err))
        return false;
    g_free(v->path);
    v->path = g_steal_pointer(&path);
    return true;
}

static bool disk_vol_delete(const StoragePoolDef *d, const StorageVolumeDef *v, unsigned flags, const StorageJob *job,
                            GError **err)
{
    g_autoptr(PartitionTable) t = read_table(d, job, err);
    const Partition *p = t ? find_partition(d, t, v->name) : NULL;

    (void)flags;
    if (!t)
        return false;
    return !p || (run(parted_remove(device_of(d)->path, p->number, err), job, NULL, err) && wait_for_node(v->path, false, err));
}

const PoolBackend backend_disk = {
    .type = POOL_DISK, .programs = { "parted", "blkid" }, .check = disk_check, .start = disk_start, .build = disk_build,
    .remove = disk_remove, .measure = disk_measure, .list = disk_list, .vol_look = disk_vol_look, .vol_create = disk_vol_create,
    .vol_delete = disk_vol_delete,
};
