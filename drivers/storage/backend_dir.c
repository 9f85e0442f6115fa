/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools whose volumes are the files of a directory: dir, and fs and netfs, which are mounted first. A volume is
 * a name; what it is, is looked at when somebody asks (volume_look.c). Workers.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "drivers/storage/backend-internal.h"
#include "drivers/storage/mounts.h"
#include "drivers/storage/qemu_img.h"
#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/paths.h"

enum { POOL_MODE = 0711 };

/* ---- the directory ---- */

static bool dir_check(const StoragePoolDef *d, bool *ret, GError **err)
{
    if (apart_needed(d, NULL, NULL))
        return apart_check(d, ret, err);
    *ret = g_file_test(d->target, G_FILE_TEST_IS_DIR);
    return true;
}

static bool dir_start(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    if (apart_needed(d, NULL, NULL))
        return apart_simple(APART_START, d, 0, job, err);
    auto_fd fd = volume_open_dir(d->target, false);
    if (fd >= 0)
        return true;
    error_set_errno(err, errno, "cannot open directory '%s'", d->target);
    return false;
}

/* Where the owner of a link could not go himself, it leads us nowhere: who may write beside the target gets no owner and
 * mode set elsewhere. */
static bool give_permissions(const StoragePoolDef *d, GError **err)
{
    const StoragePermissions *p = d->permissions;
    uid_t uid = p && p->owner.set ? p->owner.v : (uid_t)-1;
    gid_t gid = p && p->group.set ? p->group.v : (gid_t)-1;
    auto_fd fd = volume_open_dir(d->target, true);

    if (fd < 0 || ((uid != (uid_t)-1 || gid != (gid_t)-1) && fchown(fd, uid, gid) < 0) ||
        fchmod(fd, p && p->mode.set ? p->mode.v : POOL_MODE) < 0) {
        error_set_errno(err, errno, "cannot set owner and permissions of '%s'", d->target);
        return false;
    }
    return true;
}

static bool dir_build(const StoragePoolDef *d, unsigned flags, const StorageJob *job, GError **err)
{
    if (apart_needed(d, NULL, NULL))
        return apart_simple(APART_BUILD, d, flags, job, err);
    bool there = g_file_test(d->target, G_FILE_TEST_IS_DIR);
    mode_t mode = d->permissions && d->permissions->mode.set ? d->permissions->mode.v : POOL_MODE;

    if ((flags & (VIR_STORAGE_POOL_BUILD_OVERWRITE | VIR_STORAGE_POOL_BUILD_NO_OVERWRITE)) && d->source.type != POOL_FS) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "No source device specified when formatting pool '%s'", d->name);
        return false;
    }
    if (!path_make_dir(d->target, mode, err))
        return false;
    /* One that was there keeps what nobody asks for. */
    return (there && !d->permissions) || give_permissions(d, err);
}

static bool dir_remove(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    if (apart_needed(d, NULL, NULL))
        return apart_simple(APART_REMOVE, d, 0, job, err);
    if (rmdir(d->target) == 0)
        return true;
    error_set_errno(err, errno, "failed to remove pool '%s'", d->target);
    return false;
}

static bool dir_measure(StoragePoolDef *d, PoolFigures *ret, const StorageJob *job, GError **err)
{
    if (apart_needed(d, NULL, NULL))
        return apart_measure(d, ret, job, err);
    auto_fd fd = volume_open_dir(d->target, false);
    struct statvfs st;

    if (fd < 0 || fstatvfs(fd, &st) < 0) {
        error_set_errno(err, errno, "cannot open directory '%s'", d->target);
        return false;
    }
    ret->capacity = (uint64_t)st.f_frsize * st.f_blocks;
    ret->available = (uint64_t)st.f_frsize * st.f_bfree;
    ret->allocation = ret->capacity - MIN(ret->available, ret->capacity);
    StoragePermissions *now = volume_permissions(fd);
    if (now) {
        if (!d->permissions)
            d->permissions = g_new0(StoragePermissions, 1);
        d->permissions->mode = now->mode;
        d->permissions->owner = now->owner;
        d->permissions->group = now->group;
        g_free(now);
    }
    return true;
}

static bool name_ok(const char *name)
{
    return strcmp(name, ".") && strcmp(name, "..") && !volume_file_is_temporary(name) && path_component_ok(name, NULL, NULL);
}

/* Sockets and the like are no volumes; a link is what it leads to. */
static bool may_be_volume(const struct dirent *e, const char *path)
{
    if (e->d_type == DT_REG || e->d_type == DT_DIR || e->d_type == DT_BLK)
        return true;
    if (e->d_type != DT_LNK && e->d_type != DT_UNKNOWN)
        return false;
    if (apart_needed(NULL, path, NULL))
        return true; /* to be seen when somebody asks */
    auto_fd fd = volume_open(path, O_PATH);
    return fd >= 0;
}

static bool dir_list(const StoragePoolDef *d, VolumeFoundFn *found, void *data, const StorageJob *job, GError **err)
{
    if (apart_needed(d, NULL, NULL))
        return apart_list(d, found, data, job, err);
    auto_fd fd = volume_open_dir(d->target, false);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd_take(&fd));

    if (!dir) {
        error_set_errno(err, errno, "cannot open directory '%s'", d->target);
        return false;
    }
    for (struct dirent *e; (e = readdir(dir)) && !storage_job_cancelled(job, NULL);) {
        if (!name_ok(e->d_name))
            continue;
        g_autofree char *path = g_build_filename(d->target, e->d_name, NULL);
        if (may_be_volume(e, path))
            found(e->d_name, path, NULL, data);
    }
    closedir(dir);
    return !storage_job_cancelled(job, err);
}

/* Its time of change, when that is so long ago that another change would show. */
static uint64_t dir_generation(const StoragePoolDef *d)
{
    struct stat st;
    struct timespec now;

    if (apart_needed(d, NULL, NULL))
        return GENERATION_LAST;
    if (stat(d->target, &st) < 0 || clock_gettime(CLOCK_REALTIME, &now) < 0 || now.tv_sec - st.st_mtim.tv_sec < 2)
        return 0;
    return (uint64_t)st.st_mtim.tv_sec * G_USEC_PER_SEC * 1000 + (uint64_t)st.st_mtim.tv_nsec;
}

/* ---- volumes ---- */

static StorageVolumeDef *dir_vol_look(const StoragePoolDef *d, const char *name, GError **err)
{
    g_autofree char *path = g_build_filename(d->target, name, NULL);

    if (!name_ok(name)) {
        error_set(err, VIR_ERR_NO_STORAGE_VOL, "no storage vol with matching name '%s'", name);
        return NULL;
    }
    if (apart_needed(d, path, NULL))
        return apart_vol_look(d, name, err);
    bool elsewhere = false;
    StorageVolumeDef *v = volume_look(d->source.type, name, path, apart_needed, &elsewhere, err);
    return elsewhere ? apart_vol_look(d, name, err) : v;
}

typedef struct Fill {
    const char *dir;
    const StorageVolumeDef *v, *input;
    unsigned flags;
    const StorageJob *job;
} Fill;

static bool run_qemu_img(int fd, void *data, GError **err)
{
    const Fill *f = data;
    return volume_fill(fd, f->dir, f->v, f->input, f->flags, f->job, err);
}

static bool is_raw(const StorageVolumeDef *v)
{
    return !v->encryption && (v->format == FORMAT_RAW || v->format == FORMAT_ISO || v->type == VOLUME_BLOCK);
}

static bool make_raw(const VolumeDir *dir, const VolumeFile *f, const StorageVolumeDef *input, const StorageJob *job,
                     GError **err)
{
    auto_fd fd = input ? volume_open(input->path, O_RDONLY) : -1;

    if (input && fd < 0) {
        error_set_errno(err, errno, "cannot open volume '%s'", input->path);
        return false;
    }
    return volume_file_create(dir, f, fd, job, err);
}

static bool dir_vol_create(const StoragePoolDef *d, StorageVolumeDef *v, const StorageVolumeDef *input, unsigned flags,
                           const StorageJob *job, GError **err)
{
    const VolumeDir dir = { d->target, backend_records() };
    const StoragePermissions *p = v->permissions;
    VolumeFile f = {
        .name = v->name, .capacity = v->capacity, .allocation = MIN(v->allocation.v, v->capacity),
        .mode = p && p->mode.set ? p->mode.v : (mode_t)-1, .uid = p && p->owner.set ? p->owner.v : (uid_t)-1,
        .gid = p && p->group.set ? p->group.v : (gid_t)-1, .nocow = v->nocow,
        .reflink = flags & VIR_STORAGE_VOL_CREATE_REFLINK,
    };

    g_autofree char *below = v->backing.path && *v->backing.path != '/' ? g_build_filename(d->target, v->backing.path, NULL)
                                                                       : g_strdup(v->backing.path);

    if (apart_needed(d, input ? input->path : NULL, below))
        return apart_volume(APART_CREATE, d, v, input, 0, flags, job, err);
    if (below && access(below, R_OK) < 0) {
        error_set_errno(err, errno, "inaccessible backing store volume %s", v->backing.path);
        return false;
    }
    if (v->format == FORMAT_DIR) {
        if (input)
            return backend_refuse(d, "copies of directories", err);
        return volume_dir_create(&dir, &f, err);
    }
    if (is_raw(v) && !v->backing.path && (!input || is_raw(input)) && !(flags & VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA))
        return make_raw(&dir, &f, input, job, err);
    if (f.reflink) {
        error_set(err, VIR_ERR_INVALID_ARG, "volume '%s': only raw volumes share blocks with their original", v->name);
        return false;
    }
    Fill fill = { d->target, v, input, flags & VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA ? QEMU_IMG_PREALLOCATE : 0, job };
    return volume_file_make(&dir, &f, run_qemu_img, &fill, err);
}

static bool dir_vol_delete(const StoragePoolDef *d, const StorageVolumeDef *v, unsigned flags, const StorageJob *job,
                           GError **err)
{
    const VolumeDir dir = { d->target, backend_records() };

    if (apart_needed(d, NULL, NULL))
        return apart_volume(APART_DELETE, d, v, NULL, 0, flags, job, err);
    return volume_file_delete(&dir, v->name, err);
}

static bool dir_vol_resize(const StoragePoolDef *d, const StorageVolumeDef *v, uint64_t capacity, unsigned flags,
                           const StorageJob *job, GError **err)
{
    bool allocate = flags & VIR_STORAGE_VOL_RESIZE_ALLOCATE;

    if (apart_needed(d, v->path, v->backing.path))
        return apart_volume(APART_RESIZE, d, v, NULL, capacity, flags, job, err);
    if (v->type == VOLUME_DIR)
        return backend_refuse(d, "sizes of directories", err);
    if (is_raw(v))
        return volume_file_resize(v->path, capacity, allocate, job, err);
    return volume_fill_resize(v, capacity, allocate, job, err);
}

/* clang-format off */
#define VOLUMES_OF_A_DIRECTORY                                                                              \
    .remove = dir_remove, .measure = dir_measure, .list = dir_list, .generation = dir_generation,           \
    .vol_look = dir_vol_look, .vol_create = dir_vol_create, .vol_delete = dir_vol_delete, .vol_resize = dir_vol_resize
/* clang-format on */

const PoolBackend backend_dir = {
    .type = POOL_DIR, .flags = BACKEND_FILES, .check = dir_check, .start = dir_start, .build = dir_build,
    VOLUMES_OF_A_DIRECTORY,
};

/* ---- what is mounted ---- */

static bool is_mounted(const char *target, bool *ret, GError **err)
{
    g_auto(MountPlace) p = { 0 };

    if (!mount_place(target, &p, err))
        return false;
    *ret = p.mounted;
    return true;
}

static bool fs_check(const StoragePoolDef *d, bool *ret, GError **err)
{
    return is_mounted(d->target, ret, err);
}

static bool fs_start(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    g_autoptr(Argv) a = mount_command(d, err);
    bool mounted;

    if (!a || !is_mounted(d->target, &mounted, err))
        return false;
    return mounted || storage_run(a, job, NULL, err);
}

static bool fs_stop(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    g_autoptr(Argv) a = umount_command(d, err);
    bool mounted;

    if (!a || !is_mounted(d->target, &mounted, err))
        return false;
    return !mounted || storage_run(a, job, NULL, err);
}

static bool fs_build(const StoragePoolDef *d, unsigned flags, const StorageJob *job, GError **err)
{
    if (!dir_build(d, flags, job, err))
        return false;
    if (!(flags & (VIR_STORAGE_POOL_BUILD_OVERWRITE | VIR_STORAGE_POOL_BUILD_NO_OVERWRITE)))
        return true;
    const char *device = ((PoolDevice *)list_at(d->source.devices, 0))->path;
    if (access(device, F_OK) < 0) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "Source device does not exist when formatting pool '%s'", d->name);
        return false;
    }
    g_autoptr(Argv) a = mkfs_command(d, err);
    g_autofree char *holds = a && (flags & VIR_STORAGE_POOL_BUILD_NO_OVERWRITE) ? backend_device_holds(device, job) : NULL;
    if (holds) {
        error_set(err, VIR_ERR_STORAGE_POOL_BUILT, "device '%s' holds '%s' already; it is made anew with overwrite only",
                  device, holds);
        return false;
    }
    StorageJob patient = job ? *job : (StorageJob){ 0 };
    patient.usec = (uint64_t)G_USEC_PER_SEC * 3600;
    return a && storage_run(a, &patient, NULL, err);
}

const PoolBackend backend_fs = {
    .type = POOL_FS, .flags = BACKEND_FILES | BACKEND_MOUNTS, .programs = { "mount", "umount" }, .check = fs_check,
    .start = fs_start, .stop = fs_stop, .build = fs_build, VOLUMES_OF_A_DIRECTORY,
};

static bool vstorage_start(const StoragePoolDef *d, const StorageJob *job, GError **err)
{
    bool mounted;

    if (!is_mounted(d->target, &mounted, err))
        return false;
    return mounted || storage_run_take(vstorage_mount_command(d, err), job, NULL, err);
}

const PoolBackend backend_vstorage = {
    .type = POOL_VSTORAGE, .flags = BACKEND_FILES | BACKEND_MOUNTS, .programs = { "vstorage-mount", "umount" },
    .needs = "vstorage-mount", .check = fs_check, .start = vstorage_start, .stop = fs_stop, .build = dir_build,
    VOLUMES_OF_A_DIRECTORY,
};

/* The exports of a server. */
static StorageSourceList *netfs_find(const StoragePoolSource *like, const StorageJob *job, GError **err)
{
    g_autoptr(Argv) a = argv_new("showmount");
    g_autofree char *out = NULL;

    if (list_len(like->hosts) != 1) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "Expected exactly 1 host for the storage pool");
        return NULL;
    }
    const PoolHost *h = list_at(like->hosts, 0);
    argv_words(a, "--no-headers", "--exports", NULL);
    argv_operand(a, h->name);
    if (!storage_run(a, job, &out, err))
        return NULL;
    return sources_of_exports(out, h->name);
}

const PoolBackend backend_netfs = {
    .type = POOL_NETFS, .flags = BACKEND_FILES | BACKEND_MOUNTS, .programs = { "mount", "umount" }, .check = fs_check,
    .start = fs_start, .stop = fs_stop, .build = dir_build, .find_sources = netfs_find, VOLUMES_OF_A_DIRECTORY,
};
