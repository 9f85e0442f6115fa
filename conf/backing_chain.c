/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Chains of images (backing.h). The format of a layer is never guessed from a content that a guest may
 * have written: the one below is what the layer above says that it is. The exception is for clients that
 * do not say: what looks like an image and has nothing below or beside it can only show its own data.
 * Reads files: may block.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/backing.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"

enum { CHAIN_MAX = 200 };

static bool is_local(const StorageSource *s)
{
    return (s->type == STORAGE_FILE || s->type == STORAGE_BLOCK || s->type == STORAGE_DIR) && s->path &&
           *s->path == '/';
}

/* A FIFO or a device without a medium must not hold us up. False: cannot be opened. */
static bool probe(const char *path, const char *format, ImageInfo *ret, bool *ret_read, GError **err)
{
    auto_fd fd = image_open(path, O_RDONLY);

    memset(ret, 0, sizeof(*ret));
    *ret_read = fd >= 0;
    return fd < 0 || image_probe_fd(fd, format, ret, err);
}

static StorageType kind_of(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return STORAGE_FILE;
    return S_ISBLK(st.st_mode) ? STORAGE_BLOCK : S_ISDIR(st.st_mode) ? STORAGE_DIR : STORAGE_FILE;
}

/* The format of a local layer that is recorded nowhere. */
static bool guess(StorageSource *layer, const char *above, GError **err)
{
    g_auto(ImageInfo) info = { 0 };
    bool read;

    if (!probe(layer->path, NULL, &info, &read, err))
        return false;
    int format = read ? enum_value(&storage_format_names, info.format) : FORMAT_RAW;
    if (info.backing || info.external_data || format <= FORMAT_NONE) {
        error_set(err, VIR_ERR_OPERATION_INVALID,
                  "format of backing image '%s' of image '%s' was not specified in the image metadata", layer->path,
                  above);
        return false;
    }
    layer->format = (StorageFormat)format;
    return true;
}

static StorageSource *layer_of(const StorageSource *s, const ImageInfo *info, GError **err)
{
    bool more = false;
    g_autoptr(GError) why = NULL;
    g_autoptr(StorageSource) layer = backing_parse(info->backing, &more, &why);
    int format = info->backing_format ? enum_value(&storage_format_names, info->backing_format) : -1;

    if (!layer || more)
        return NULL; /* the emulator's to open */
    if (format > FORMAT_NONE && format < FORMAT_AUTO)
        layer->format = (StorageFormat)format;
    if (layer->type == STORAGE_FILE) {
        if (*layer->path != '/') {
            g_autofree char *dir = g_path_get_dirname(s->path);
            g_autofree char *name = g_steal_pointer(&layer->path);
            /* Not made shorter: ".." may lead out of a link. */
            layer->path = g_build_filename(dir, name, NULL);
            layer->priv = g_new0(StoragePrivate, 1);
            layer->priv->rel_path = g_steal_pointer(&name);
        }
        layer->type = kind_of(layer->path);
    }
    if (!layer->format) {
        if (!is_local(layer))
            return NULL;
        if (!guess(layer, s->path, err))
            return NULL;
    }
    return g_steal_pointer(&layer);
}

bool storage_layer_below(StorageSource *s, GError **err)
{
    g_auto(ImageInfo) info = { 0 };
    GError *error = NULL;
    bool read;

    if (s->format == FORMAT_RAW) {
        s->backing_none = 1;
        return true;
    }
    if (s->format == FORMAT_NONE || s->format == FORMAT_AUTO || !is_local(s) || s->type == STORAGE_DIR)
        return true;
    if (!probe(s->path, enum_name(&storage_format_names, s->format), &info, &read, err)) {
        g_prefix_error(err, "image '%s': ", s->path);
        return false;
    }
    if (!read)
        return true; /* not ours to read; the emulator may */
    if (!info.backing) {
        s->backing_none = 1;
        return true;
    }
    s->backing = layer_of(s, &info, &error);
    if (error) {
        g_propagate_error(err, error);
        return false;
    }
    return true;
}

static bool in_chain(const StorageSource *top, const StorageSource *end)
{
    for (const StorageSource *s = top; s != end; s = s->backing)
        if (g_strcmp0(s->path, end->path) == 0)
            return true;
    return false;
}

static bool must_be_there(const StorageSource *s, const StorageSource *top, void *data, GError **err)
{
    (void)data;
    if (access(s->path, F_OK) == 0)
        return true;
    if (s == top)
        error_set_errno(err, errno, "cannot access storage file '%s'", s->path);
    else
        error_set_errno(err, errno, "cannot access backing file '%s' of storage file '%s'", s->path, top->path);
    return false;
}

bool storage_chain_load(StorageSource *top, StorageReachFn *reach, void *data, GError **err)
{
    unsigned n = 0;

    for (StorageSource *s = top; s && is_local(s); s = s->backing) {
        if (s->fdgroup) { /* not ours to look into: what lies below is as the document says */
            s->backing_none |= !s->backing;
            continue;
        }
        if (!(reach ? reach : must_be_there)(s, top, data, err))
            return false;
        if (++n > CHAIN_MAX || in_chain(top, s)) {
            error_set(err, VIR_ERR_INTERNAL_ERROR, "backing store for %s (%s) is self-referential", top->path, s->path);
            return false;
        }
        if (!s->backing && !s->backing_none && !storage_layer_below(s, err))
            return false;
    }
    return true;
}

/* Naming layers ----------------------------------------------------------------------------------- */

static bool same_file(const char *dir, const char *name, const char *path)
{
    g_autofree char *full = *name == '/' ? g_strdup(name) : g_build_filename(dir, name, NULL);
    struct stat a, b;

    return stat(full, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static bool is_called(const StorageSource *s, const StorageSource *above, const char *name)
{
    if (g_strcmp0(s->path, name) == 0 || (s->priv && g_strcmp0(s->priv->rel_path, name) == 0))
        return true;
    if (!is_local(s) || strchr(name, ':'))
        return false;
    g_autofree char *dir = above && above->path ? g_path_get_dirname(above->path) : g_strdup(".");
    return same_file(dir, name, s->path);
}

StorageSource *storage_chain_find(StorageSource *top, const StorageSource *after, const char *name, unsigned index,
                                  StorageSource **ret_above)
{
    StorageSource *above = NULL, *s = top;
    unsigned i = 0;

    if (after) {
        for (; s && s != after; s = s->backing)
            i++;
        above = s;
        s = s ? s->backing : NULL;
        i++;
    }
    for (; s; above = s, s = s->backing, i++) {
        bool found = index ? i == index : name ? is_called(s, above, name) : !s->backing;
        if (!found)
            continue;
        if (ret_above)
            *ret_above = above;
        return s;
    }
    return NULL;
}

unsigned storage_chain_index(const char *target, const char *name)
{
    size_t n = strlen(target);
    guint64 index = 0;

    if (!name || strncmp(name, target, n) != 0 || name[n] != '[')
        return 0;
    const char *end = strchr(name + n, ']');
    if (!end || end[1])
        return 0;
    g_autofree char *digits = g_strndup(name + n + 1, (size_t)(end - name) - n - 1);
    return g_ascii_string_to_unsigned(digits, 10, 0, CHAIN_MAX, &index, NULL) ? (unsigned)index : 0;
}

char *storage_chain_relative(const StorageSource *top, const StorageSource *base)
{
    g_autofree char *path = NULL;

    for (const StorageSource *s = top; s; s = s->backing) {
        const char *rel = s->priv ? s->priv->rel_path : NULL;
        if (!rel)
            return NULL;
        const char *slash = path ? strrchr(path, '/') : NULL;
        char *next = slash ? g_strdup_printf("%.*s%s", (int)(slash + 1 - path), path, rel) : g_strdup(rel);
        g_free(path);
        path = next;
        if (s == base)
            return g_steal_pointer(&path);
    }
    return NULL;
}
