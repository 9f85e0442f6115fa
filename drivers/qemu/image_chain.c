/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Chains of images (image_chain.h). The format of a layer is never guessed from its content, which a guest
 * may have written: one that is recorded nowhere is raw, and only if the image looks like nothing else.
 * Workers.
 */
#include "drivers/qemu/image_chain.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/image.h"

enum { CHAIN_MAX = 200 };

static bool is_local(const StorageSource *s)
{
    return (s->type == STORAGE_FILE || s->type == STORAGE_BLOCK || s->type == STORAGE_DIR) &&
           s->path && *s->path == '/';
}

/* top NULL: s is the disk's own image. */
static bool reachable(const StorageSource *s, const StorageSource *top, const Creds *as, int mode,
                      GError **err)
{
    g_autofree char *why = NULL, *who = NULL;
    int errnum = access_as(as, s->path, mode, &why);

    if (errnum == 0)
        return true;
    who = as->self ? g_strdup("")
                   : g_strdup_printf(" (as uid:%u, gid:%u)", (unsigned)as->uid, (unsigned)as->gid);
    if (top)
        error_set_errno(err, errnum, "Cannot access backing file '%s' of storage file '%s'%s",
                        s->path, top->path, who);
    else
        error_set_errno(err, errnum, "Cannot access storage file '%s'%s", s->path, who);
    if (err && *err && why) {
        char *text = g_strdup_printf("%s (%s)", (*err)->message, why);
        g_free((*err)->message);
        (*err)->message = text;
    }
    return false;
}

/* "json:{…}" and "nbd://…" are the emulator's to open. */
static bool is_file_name(const char *name)
{
    const char *colon = strchr(name, ':');
    return *name && (!colon || memchr(name, '/', (size_t)(colon - name)));
}

static char *absolute(const char *name, const char *image)
{
    if (*name == '/')
        return g_strdup(name);
    g_autofree char *dir = g_path_get_dirname(image);
    return g_canonicalize_filename(name, dir);
}

static StorageSource *layer_new(const char *path, StorageFormat format)
{
    StorageSource *s = g_new0(StorageSource, 1);
    struct stat st;

    s->type = stat(path, &st) == 0 && S_ISBLK(st.st_mode) ? STORAGE_BLOCK : STORAGE_FILE;
    s->format = format;
    s->path = g_strdup(path);
    return s;
}

/* Reads the bytes at the beginning of an image; a FIFO or a device without a medium has none. */
static gssize read_head(const char *path, guint8 *buf)
{
    auto_fd fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    return fd < 0 ? -1 : pread(fd, buf, IMAGE_HEAD_SIZE, 0);
}

/* Adds the layer below s, if there is one. */
static bool descend(StorageSource *s, GError **err)
{
    g_autofree guint8 *buf = NULL;
    g_autofree char *name = NULL, *format = NULL;

    if (s->format == FORMAT_RAW) {
        s->backing_none = 1;
        return true;
    }
    if (s->format != FORMAT_QCOW2 && s->format != FORMAT_QCOW && s->format != FORMAT_QED &&
        s->format != FORMAT_VMDK)
        return true;
    buf = g_malloc(IMAGE_HEAD_SIZE);
    gssize n = read_head(s->path, buf);
    if (n < 0)
        return true; /* not ours to read; the emulator may */
    if (!image_backing(enum_name(&storage_format_names, s->format), buf, (gsize)n, &name, &format,
                       err)) {
        g_prefix_error(err, "image '%s': ", s->path);
        return false;
    }
    if (!name) {
        s->backing_none = 1;
        return true;
    }
    const char *file = g_str_has_prefix(name, "file:") ? name + strlen("file:") : name;
    if (!is_file_name(file))
        return true;
    g_autofree char *path = absolute(file, s->path);
    int known = format ? enum_value(&storage_format_names, format) : -1;
    if (known <= 0) {
        gssize m = read_head(path, buf);
        if (m > 0 && strcmp(image_format(buf, (gsize)m), "raw") != 0) {
            error_set(
                err, VIR_ERR_OPERATION_INVALID,
                "format of backing image '%s' of image '%s' was not specified in the image metadata",
                path, s->path);
            return false;
        }
        known = FORMAT_RAW;
    }
    s->backing = layer_new(path, (StorageFormat)known);
    return true;
}

static bool in_chain(const StorageSource *top, const StorageSource *end)
{
    for (const StorageSource *s = top; s != end; s = s->backing)
        if (g_strcmp0(s->path, end->path) == 0)
            return true;
    return false;
}

bool images_resolve_disk(DiskDef *disk, const Creds *as, GError **err)
{
    unsigned n = 0;

    for (StorageSource *s = &disk->src; s && is_local(s); s = s->backing) {
        if (!reachable(s, s == &disk->src ? NULL : &disk->src, as, F_OK, err))
            return false;
        if (++n > CHAIN_MAX || in_chain(&disk->src, s)) {
            error_set(err, VIR_ERR_INTERNAL_ERROR, "backing store for %s (%s) is self-referential",
                      disk->src.path, s->path);
            return false;
        }
        if (!s->backing && !s->backing_none && !descend(s, err))
            return false;
    }
    return true;
}

static bool may_be_dropped(const DiskDef *disk, bool resumes)
{
    return disk->src.startup_policy == STARTUP_OPTIONAL ||
           (disk->src.startup_policy == STARTUP_REQUISITE && resumes);
}

bool images_resolve(DomainDef *d, const Creds *as, bool resumes, GPtrArray *dropped, GError **err)
{
    DiskDef *disk;

    for (guint i = 0; (disk = domain_next(d, DEVICE_DISK, &i));) {
        g_autoptr(GError) error = NULL;
        if (images_resolve_disk(disk, as, &error))
            continue;
        if (!may_be_dropped(disk, resumes)) {
            g_propagate_error(err, g_steal_pointer(&error));
            return false;
        }
        g_ptr_array_add(dropped, g_strdup(disk->dst));
        if (disk->device == DISK_DEVICE_CDROM || disk->device == DISK_DEVICE_FLOPPY) {
            g_clear_pointer(&disk->src.path, g_free);
        } else {
            g_ptr_array_remove(d->devices, disk);
            device_free(&disk->dev);
            i--;
        }
    }
    return true;
}

bool images_usable(const DomainDef *d, const Creds *as, GError **err)
{
    const DiskDef *disk;

    for (guint i = 0; (disk = domain_next(d, DEVICE_DISK, &i));) {
        bool readonly = disk->readonly || disk->device == DISK_DEVICE_CDROM;
        for (const StorageSource *s = &disk->src; s && is_local(s); s = s->backing) {
            bool top = s == &disk->src;
            if (!reachable(s, top ? NULL : &disk->src, as, top && !readonly ? R_OK | W_OK : R_OK,
                           err))
                return false;
        }
    }
    return true;
}
