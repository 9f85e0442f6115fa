/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools of Ceph, and RBD images as their volumes, by librados and librbd. Runs in a process of its own (library.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rados/librados.h>
#include <rbd/librbd.h>

#include "drivers/storage/library.h"
#include "util/api.h"
#include "util/error.h"

enum { CHUNK = 4 << 20, LIST_FIRST = 64, LIST_MAX = 1 << 20, SNAPS = 1024 };

typedef struct Ceph {
    rados_t cluster;
    rados_ioctx_t io;
} Ceph;

static void ceph_done(Ceph *c)
{
    if (c->io)
        rados_ioctx_destroy(c->io);
    if (c->cluster)
        rados_shutdown(c->cluster);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Ceph, ceph_done)

static bool fails(int r, const char *what, const char *name, GError **err)
{
    error_set_errno(err, -r, "failed to %s '%s'", what, name);
    return false;
}

static bool set(Ceph *c, const char *name, const char *value, GError **err)
{
    int r = rados_conf_set(c->cluster, name, value);
    if (r >= 0)
        return true;
    error_set(err, VIR_ERR_INTERNAL_ERROR, "failed to set RADOS option: %s", name);
    return false;
}

static bool set_hosts(Ceph *c, const StoragePoolSource *s, GError **err)
{
    g_autoptr(GString) hosts = g_string_new(NULL);

    for (LIST_EACH(PoolHost, h, s->hosts)) {
        bool v6 = strchr(h->name, ':') && *h->name != '[';
        g_string_append_printf(hosts, "%s%s%s%s", hosts->len ? "," : "", v6 ? "[" : "", h->name, v6 ? "]" : "");
        if (h->port)
            g_string_append_printf(hosts, ":%u", h->port);
    }
    return !hosts->len || set(c, "mon_host", hosts->str, err);
}

/* A cluster that is not there is given up before the daemon gives us up. */
static bool connect_to(const StoragePoolDef *d, Ceph *c, GError **err)
{
    const StoragePoolSource *s = &d->source;
    const char *user = s->auth ? s->auth->username : NULL, *secret = work_secret();
    int r = rados_create(&c->cluster, user);

    if (r < 0)
        return fails(r, "make a client of", s->name, err);
    if ((user && secret && !set(c, "key", secret, err)) || !set(c, "auth_supported", user ? "cephx" : "none", err) ||
        !set_hosts(c, s, err) || !set(c, "client_mount_timeout", "8", err) || !set(c, "rados_mon_op_timeout", "8", err) ||
        !set(c, "rados_osd_op_timeout", "25", err) || !set(c, "rbd_default_format", "2", err))
        return false;
    for (LIST_EACH(PoolOption, o, d->config_options))
        if (!set(c, o->name, o->value, err))
            return false;
    if ((r = rados_connect(c->cluster)) < 0)
        return fails(r, "connect to the RADOS monitor of", s->name, err);
    if ((r = rados_ioctx_create(c->cluster, s->name, &c->io)) < 0)
        return fails(r, "open the RADOS pool", s->name, err);
    return true;
}

static bool rbd_measure(StoragePoolDef *d, PoolFigures *ret, const StorageJob *job, GError **err)
{
    g_auto(Ceph) c = { 0 };
    struct rados_cluster_stat_t all;
    struct rados_pool_stat_t mine;
    int r;

    (void)job;
    if (!connect_to(d, &c, err))
        return false;
    if ((r = rados_cluster_stat(c.cluster, &all)) < 0 || (r = rados_ioctx_pool_stat(c.io, &mine)) < 0)
        return fails(r, "get the figures of", d->source.name, err);
    *ret = (PoolFigures){ all.kb * 1024, mine.num_bytes, all.kb_avail * 1024 };
    return true;
}

/* Images ------------------------------------------------------------------------------------------- */

static bool open_image(Ceph *c, const char *name, bool write, rbd_image_t *ret, GError **err)
{
    int r = write ? rbd_open(c->io, name, ret, NULL) : rbd_open_read_only(c->io, name, ret, NULL);

    if (r == -ENOENT)
        error_set(err, VIR_ERR_NO_STORAGE_VOL, "no storage vol with matching name '%s'", name);
    else if (r < 0)
        (void)fails(r, "open the RBD image", name, err);
    return r >= 0;
}

static int add_extent(uint64_t offset, size_t len, int exists, void *data)
{
    (void)offset;
    *(uint64_t *)data += exists ? len : 0;
    return 0;
}

/* Cheap only where the image keeps account of it. */
static uint64_t allocation_of(rbd_image_t image, const StoragePoolDef *d, uint64_t size)
{
    uint64_t features = 0, flags = 0, sum = 0;

    if (d->refresh_allocation == REFRESH_CAPACITY || rbd_get_features(image, &features) < 0 ||
        !(features & RBD_FEATURE_FAST_DIFF) || rbd_get_flags(image, &flags) < 0 || (flags & RBD_FLAG_FAST_DIFF_INVALID) ||
        rbd_diff_iterate2(image, NULL, 0, size, 0, 1, add_extent, &sum) < 0)
        return size;
    return sum;
}

static StorageVolumeDef *volume_of(const StoragePoolDef *d, Ceph *c, const char *name, GError **err)
{
    g_autofree char *path = g_strdup_printf("%s/%s", d->source.name, name);
    rbd_image_t image;
    uint64_t size;

    if (!open_image(c, name, false, &image, err))
        return NULL;
    int r = rbd_get_size(image, &size);
    uint64_t allocation = r >= 0 ? allocation_of(image, d, size) : 0;
    rbd_close(image);
    if (r < 0) {
        (void)fails(r, "get the size of", path, err);
        return NULL;
    }
    return library_volume(d, name, path, path, size, allocation);
}

static bool images_in(const StoragePoolDef *d, Ceph *c, const rbd_image_spec_t *all, size_t n, VolumeFoundFn *found, void *data,
                      const StorageJob *job, GError **err)
{
    for (size_t i = 0; i < n; i++) {
        g_autoptr(GError) why = NULL;
        StorageVolumeDef *v = volume_of(d, c, all[i].name, &why);
        storage_job_alive(job);
        /* One that goes while the others are looked at is none. */
        if (!v && error_is(why, VIR_ERR_NO_STORAGE_VOL))
            continue;
        if (!v) {
            g_propagate_error(err, g_steal_pointer(&why));
            return false;
        }
        g_autofree char *path = g_strdup(v->path);
        found(all[i].name, path, v, data);
    }
    return true;
}

static bool rbd_images(const StoragePoolDef *d, VolumeFoundFn *found, void *data, const StorageJob *job, GError **err)
{
    g_auto(Ceph) c = { 0 };
    g_autofree rbd_image_spec_t *all = NULL;
    size_t n = LIST_FIRST;
    int r;

    if (!connect_to(d, &c, err))
        return false;
    do { /* n becomes what it takes */
        all = g_renew(rbd_image_spec_t, all, n);
        r = rbd_list2(c.io, all, &n);
    } while (r == -ERANGE && n <= LIST_MAX);
    if (r < 0)
        return fails(r, "list the RBD images of", d->source.name, err);
    bool ok = images_in(d, &c, all, n, found, data, job, err);
    rbd_image_spec_list_cleanup(all, n);
    return ok;
}

static StorageVolumeDef *rbd_vol_look(const StoragePoolDef *d, const char *name, GError **err)
{
    g_auto(Ceph) c = { 0 };
    return connect_to(d, &c, err) ? volume_of(d, &c, name, err) : NULL;
}

/* A clone needs a snapshot that nobody removes. */
static bool clone_image(Ceph *c, const StorageVolumeDef *v, const char *from, GError **err)
{
    g_autofree char *snap = g_strdup_printf("libvirt-%lld", (long long)time(NULL));
    uint64_t features = 0;
    rbd_image_t image;
    int order = 0, r;

    if (!open_image(c, from, true, &image, err))
        return false;
    if ((r = rbd_get_features(image, &features)) >= 0 && ((r = rbd_snap_create(image, snap)) >= 0 || r == -EEXIST))
        r = rbd_snap_protect(image, snap);
    rbd_close(image);
    if (r < 0 && r != -EBUSY) /* that it is protected already */
        return fails(r, "take a snapshot of the RBD image", from, err);
    if ((r = rbd_clone(c->io, from, snap, c->io, v->name, features, &order)) < 0)
        return fails(r, "clone the RBD image", from, err);
    return true;
}

static bool resize(Ceph *c, const char *name, uint64_t capacity, GError **err)
{
    rbd_image_t image;

    if (!open_image(c, name, true, &image, err))
        return false;
    int r = rbd_resize(image, capacity);
    rbd_close(image);
    return r >= 0 || fails(r, "resize the RBD image", name, err);
}

static bool rbd_vol_create(const StoragePoolDef *d, StorageVolumeDef *v, const StorageVolumeDef *input, unsigned flags,
                           const StorageJob *job, GError **err)
{
    g_auto(Ceph) c = { 0 };
    int order = 0, r;

    (void)flags;
    (void)job;
    if (v->encryption) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "pools of type 'rbd' do not support encrypted volumes");
        return false;
    }
    if (!v->capacity) {
        error_set(err, VIR_ERR_NO_SUPPORT, "volume capacity required for this pool");
        return false;
    }
    if (!connect_to(d, &c, err))
        return false;
    if (input) {
        if (!clone_image(&c, v, input->name, err))
            return false;
        if (v->capacity <= input->capacity || resize(&c, v->name, v->capacity, err))
            return true;
        (void)rbd_remove(c.io, v->name);
        return false;
    }
    r = rbd_create(c.io, v->name, v->capacity, &order);
    return r >= 0 || fails(r, "create the RBD image", v->name, err);
}

static bool remove_snapshots(Ceph *c, const char *name, GError **err)
{
    g_autofree rbd_snap_info_t *snaps = g_new0(rbd_snap_info_t, SNAPS);
    int max = SNAPS, protected = 0, r = 0;
    rbd_image_t image;

    if (!open_image(c, name, true, &image, err))
        return false;
    int n = rbd_snap_list(image, snaps, &max);
    for (int i = 0; i < n && r >= 0; i++) {
        r = rbd_snap_is_protected(image, snaps[i].name, &protected);
        if (r >= 0 && protected)
            r = rbd_snap_unprotect(image, snaps[i].name);
        if (r >= 0)
            r = rbd_snap_remove(image, snaps[i].name);
    }
    if (n >= 0)
        rbd_snap_list_end(snaps);
    rbd_close(image);
    r = n < 0 ? n : r;
    return r >= 0 || fails(r, "remove the snapshots of", name, err);
}

static int on_progress(uint64_t offset, uint64_t total, void *data)
{
    (void)offset;
    (void)total;
    storage_job_alive(data);
    return 0;
}

static bool rbd_vol_delete(const StoragePoolDef *d, const StorageVolumeDef *v, unsigned flags, const StorageJob *job, GError **err)
{
    g_auto(Ceph) c = { 0 };

    if (!connect_to(d, &c, err) || ((flags & VIR_STORAGE_VOL_DELETE_WITH_SNAPSHOTS) && !remove_snapshots(&c, v->name, err)))
        return false;
    int r = rbd_remove_with_progress(c.io, v->name, on_progress, (void *)job);
    return r >= 0 || r == -ENOENT || fails(r, "remove the volume", v->name, err);
}

static bool rbd_vol_resize(const StoragePoolDef *d, const StorageVolumeDef *v, uint64_t capacity, unsigned flags,
                           const StorageJob *job, GError **err)
{
    g_auto(Ceph) c = { 0 };

    (void)flags;
    (void)job;
    return connect_to(d, &c, err) && resize(&c, v->name, capacity, err);
}

static bool rbd_vol_wipe(const StoragePoolDef *d, const StorageVolumeDef *v, unsigned algorithm, const StorageJob *job,
                         GError **err)
{
    g_auto(Ceph) c = { 0 };
    g_autofree char *zeros = g_malloc0(CHUNK);
    uint64_t size = 0;
    rbd_image_t image;

    if (algorithm != VIR_STORAGE_VOL_WIPE_ALG_ZERO && algorithm != VIR_STORAGE_VOL_WIPE_ALG_TRIM) {
        error_set(err, VIR_ERR_INVALID_ARG, "unsupported algorithm %u", algorithm);
        return false;
    }
    if (!connect_to(d, &c, err) || !open_image(&c, v->name, true, &image, err))
        return false;
    int64_t r = rbd_get_size(image, &size);
    for (uint64_t at = 0; r >= 0 && at < size; at += CHUNK) {
        uint64_t n = MIN(size - at, CHUNK);
        r = algorithm == VIR_STORAGE_VOL_WIPE_ALG_TRIM ? rbd_discard(image, at, n) : rbd_write(image, at, n, zeros);
        storage_job_alive(job);
    }
    if (r >= 0)
        r = rbd_flush(image);
    rbd_close(image);
    return r >= 0 || fails((int)r, "wipe the RBD image", v->name, err);
}

static const PoolBackend row = {
    .type = POOL_RBD, .flags = BACKEND_LIBRARY, .measure = rbd_measure, .list = rbd_images, .vol_look = rbd_vol_look,
    .vol_create = rbd_vol_create, .vol_delete = rbd_vol_delete, .vol_resize = rbd_vol_resize, .vol_wipe = rbd_vol_wipe,
};
const PoolBackend *const work_row = &row;
