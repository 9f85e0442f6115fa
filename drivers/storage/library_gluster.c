/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Volumes of Gluster, by libgfapi: each file of a directory is a volume of ours. Runs in a process of its own
 * (library.h). Nothing is taken down with glfs_fini(), which takes ten seconds: the process ends.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <glusterfs/api/glfs.h>

#include "drivers/storage/library.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/image.h"

enum { PORT = 24007, HEAD = 1 << 20 };

typedef struct glfs Gluster;

static bool fails(const char *what, const char *name, GError **err)
{
    error_set_errno(err, errno, "cannot %s '%s'", what, name);
    return false;
}

static Gluster *connect_to(const StoragePoolDef *d, GError **err)
{
    Gluster *g = glfs_new(d->source.name);

    if (!g) {
        (void)fails("make a client of", d->source.name, err);
        return NULL;
    }
    for (LIST_EACH(PoolHost, h, d->source.hosts))
        if (glfs_set_volfile_server(g, "tcp", h->name, (int)(h->port ? h->port : PORT)) < 0) {
            (void)fails("use server", h->name, err);
            return NULL;
        }
    (void)glfs_set_logging(g, "/dev/null", 0);
    if (glfs_init(g) == 0) {
        if (glfs_chdir(g, d->source.dir ? d->source.dir : "/") == 0)
            return g;
        error_set_errno(err, errno, "failed to change to directory '%s' in '%s'", d->source.dir, d->source.name);
        return NULL;
    }
    const PoolHost *h = list_at(d->source.hosts, 0);
    error_set(err, VIR_ERR_INTERNAL_ERROR, "failed to connect to gluster://%s/%s: %s", h ? h->name : "", d->source.name,
              g_strerror(errno));
    return NULL;
}

static char *path_in(const StoragePoolDef *d, const char *name)
{
    const char *dir = d->source.dir ? d->source.dir : "";

    while (*dir == '/')
        dir++;
    /* A slash more is another, missing, name to the library. */
    g_autofree char *base = g_strdup_printf("/%s", dir);
    return name ? g_build_filename(base, name, NULL) : g_steal_pointer(&base);
}

static bool gluster_measure(StoragePoolDef *d, PoolFigures *ret, const StorageJob *job, GError **err)
{
    Gluster *g = connect_to(d, err);
    g_autofree char *dir = path_in(d, NULL);
    struct statvfs st;

    (void)job;
    if (!g)
        return false;
    if (glfs_statvfs(g, dir, &st) < 0)
        return fails("get the figures of", dir, err);
    ret->capacity = (uint64_t)st.f_frsize * st.f_blocks;
    ret->available = (uint64_t)st.f_frsize * st.f_bfree;
    ret->allocation = ret->capacity - MIN(ret->available, ret->capacity);
    return true;
}

/* The prober of images wants a file: it gets the head of one. */
static void probe(Gluster *g, const char *path, StorageVolumeDef *v)
{
    glfs_fd_t *f = glfs_open(g, path, O_RDONLY | O_NONBLOCK);
    g_autofree char *head = g_malloc(HEAD);
    auto_fd fd = memfd_create("head", MFD_CLOEXEC);
    g_auto(ImageInfo) info = { 0 };

    v->format = FORMAT_RAW;
    if (!f)
        return;
    ssize_t n = glfs_read(f, head, HEAD, 0);
    glfs_close(f);
    if (n <= 0 || fd < 0 || fd_write_all(fd, head, (size_t)n) < 0 || !image_probe_fd(fd, NULL, &info, NULL) || !info.format)
        return;
    int format = enum_value(&storage_format_names, info.format);
    v->format = format > FORMAT_NONE ? (unsigned)format : FORMAT_RAW;
    if (v->format != FORMAT_RAW && info.capacity)
        v->capacity = info.capacity;
    v->backing.path = g_strdup(info.backing);
}

static StorageVolumeDef *volume_of(const StoragePoolDef *d, Gluster *g, const char *name, GError **err)
{
    const PoolHost *h = list_at(d->source.hosts, 0);
    g_autofree char *path = path_in(d, name), *port = h->port ? g_strdup_printf(":%u", h->port) : g_strdup("");
    g_autofree char *quoted = g_uri_escape_string(path, "/", true);
    g_autofree char *uri = g_strdup_printf("gluster://%s%s/%s%s", h->name, port, d->source.name, quoted);
    struct stat st;

    if (glfs_stat(g, path, &st) < 0) {
        if (errno == ENOENT)
            error_set(err, VIR_ERR_NO_STORAGE_VOL, "no storage vol with matching name '%s'", name);
        else
            (void)fails("look at", path, err);
        return NULL;
    }
    StorageVolumeDef *v = library_volume(d, name, uri, uri, (uint64_t)st.st_size, (uint64_t)st.st_blocks * 512);
    v->physical = (uint64_t)st.st_size;
    v->permissions = g_new0(StoragePermissions, 1);
    v->permissions->mode = (OptU32){ 1, st.st_mode & 07777 };
    v->permissions->owner = (OptU32){ 1, st.st_uid };
    v->permissions->group = (OptU32){ 1, st.st_gid };
    if (S_ISDIR(st.st_mode)) {
        v->type = VOLUME_NETDIR;
        v->format = FORMAT_DIR;
    } else {
        probe(g, path, v);
    }
    return v;
}

static bool list_in(const StoragePoolDef *d, Gluster *g, glfs_fd_t *dir, VolumeFoundFn *found, void *data,
                    const StorageJob *job, GError **err)
{
    union {
        struct dirent entry;
        char room[sizeof(struct dirent) + 512];
    } u;

    for (struct dirent *e = NULL; glfs_readdir_r(dir, &u.entry, &e) == 0 && e;) {
        g_autoptr(GError) why = NULL;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || strpbrk(e->d_name, "\n"))
            continue;
        StorageVolumeDef *v = volume_of(d, g, e->d_name, &why);
        storage_job_alive(job);
        if (v) {
            g_autofree char *path = g_strdup(v->path);
            found(e->d_name, path, v, data);
        } else if (!error_is(why, VIR_ERR_NO_STORAGE_VOL)) {
            g_propagate_error(err, g_steal_pointer(&why));
            return false;
        }
    }
    return true;
}

static bool gluster_list(const StoragePoolDef *d, VolumeFoundFn *found, void *data, const StorageJob *job, GError **err)
{
    Gluster *g = connect_to(d, err);
    g_autofree char *path = path_in(d, NULL);
    glfs_fd_t *dir = g ? glfs_opendir(g, path) : NULL;

    if (g && !dir)
        return fails("open directory", path, err);
    bool ok = g && list_in(d, g, dir, found, data, job, err);
    if (dir)
        glfs_closedir(dir);
    return ok;
}

static StorageVolumeDef *gluster_vol_look(const StoragePoolDef *d, const char *name, GError **err)
{
    Gluster *g = connect_to(d, err);
    return g ? volume_of(d, g, name, err) : NULL;
}

static bool gluster_vol_delete(const StoragePoolDef *d, const StorageVolumeDef *v, unsigned flags, const StorageJob *job,
                               GError **err)
{
    Gluster *g = flags ? NULL : connect_to(d, err);
    g_autofree char *path = path_in(d, v->name);

    (void)job;
    if (flags)
        error_set(err, VIR_ERR_INVALID_ARG, "unsupported flags (0x%x)", flags);
    if (!g)
        return false;
    int r = v->type == VOLUME_NETDIR ? glfs_rmdir(g, path) : glfs_unlink(g, path);
    return r == 0 || errno == ENOENT || fails("remove", path, err);
}

static const PoolBackend row = {
    .type = POOL_GLUSTER, .flags = BACKEND_LIBRARY, .measure = gluster_measure, .list = gluster_list,
    .vol_look = gluster_vol_look, .vol_delete = gluster_vol_delete,
};
const PoolBackend *const work_row = &row;
