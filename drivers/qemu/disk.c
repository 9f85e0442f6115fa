/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks by their names (disk.h). Pure, any thread. */
#include "drivers/qemu/disk.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/qemu/cmdline-internal.h"

const DiskDef *disk_find(const DomainDef *def, const char *word)
{
    const DiskDef *d;

    for (guint i = 0; (d = domain_next(def, DEVICE_DISK, &i));)
        if (g_strcmp0(d->dst, word) == 0)
            return d;
    for (guint i = 0; *word && (d = domain_next(def, DEVICE_DISK, &i));)
        if (g_strcmp0(d->src.path, word) == 0)
            return d;
    return NULL;
}

/* Does the path have this component? */
static bool has_component(const char *path, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = path; (at = strstr(at, word)); at++)
        if ((at == path || at[-1] == '/') && (at[n] == '\0' || at[n] == '/'))
            return true;
    return false;
}

const DiskDef *disk_by_qdev(const DomainDef *def, const char *qdev)
{
    const DiskDef *d;

    for (guint i = 0; qdev && (d = domain_next(def, DEVICE_DISK, &i));)
        if (d->dev.info.alias && has_component(qdev, d->dev.info.alias))
            return d;
    return NULL;
}

static bool node_of_layer(const char *node, const StorageSource *s)
{
    static const char *const kinds[] = { "format", "storage" };

    for (unsigned i = 0; s->index && i < G_N_ELEMENTS(kinds); i++) {
        char name[40];
        g_snprintf(name, sizeof(name), "libvirt-%u-%s", s->index, kinds[i]);
        if (strcmp(name, node) == 0)
            return true;
    }
    return false;
}

const DiskDef *disk_by_node(const DomainDef *def, const char *node, const StorageSource **ret_layer)
{
    const DiskDef *d;

    for (guint i = 0; node && (d = domain_next(def, DEVICE_DISK, &i));)
        for (const StorageSource *s = &d->src; s; s = s->backing)
            if (node_of_layer(node, s)) {
                *ret_layer = s;
                return d;
            }
    return NULL;
}

const DiskDef *disk_find_layer(const DomainDef *def, const char *word,
                               const StorageSource **ret_layer)
{
    size_t n = strcspn(word, "[");
    g_autofree char *target = g_strndup(word, n);
    const DiskDef *d = disk_find(def, word[n] ? target : word);

    if (!d || !word[n]) {
        *ret_layer = d ? &d->src : NULL;
        return d;
    }
    char *end;
    unsigned long index = strtoul(word + n + 1, &end, 10);
    if (end == word + n + 1 || strcmp(end, "]") != 0)
        return NULL;
    for (const StorageSource *s = &d->src; s; s = s->backing)
        if (s->index == index) {
            *ret_layer = s;
            return d;
        }
    return NULL;
}

bool disk_layer_is_local(const StorageSource *s)
{
    return (s->type == STORAGE_FILE || s->type == STORAGE_BLOCK) && s->path && *s->path;
}

bool disk_is_empty(const DiskDef *d)
{
    return cmd_source_is_empty(&d->src);
}
