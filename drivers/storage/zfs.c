/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands of ZFS and what they say: columns between tabs, numbers exact (tools.h). Pure. */
#include <string.h>

#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"

static Argv *checked(Argv *take, GError **err)
{
    g_autoptr(Argv) a = take;
    return argv_check(a, err) ? g_steal_pointer(&a) : NULL;
}

/* A pool of ours may be a part of one of ZFS. */
static bool is_part(const char *name)
{
    return strchr(name, '/') != NULL;
}

static Argv *command(const char *program, ...)
{
    Argv *a = argv_new(program);
    const char *word;
    va_list ap;

    va_start(ap, program);
    while ((word = va_arg(ap, const char *)))
        argv_words(a, word, NULL);
    va_end(ap);
    return a;
}

Argv *zfs_make_pool(const StoragePoolDef *d, GError **err)
{
    const char *name = d->source.name;
    Argv *a = is_part(name) ? command("zfs", "create", "-o", "mountpoint=none", NULL) : command("zpool", "create", NULL);

    argv_operand(a, name);
    for (LIST_EACH(PoolDevice, dev, d->source.devices))
        if (!is_part(name))
            argv_operand(a, dev->path);
    return checked(a, err);
}

Argv *zfs_remove_pool(const char *name, GError **err)
{
    Argv *a = is_part(name) ? command("zfs", "destroy", "-r", NULL) : command("zpool", "destroy", NULL);

    argv_operand(a, name);
    return checked(a, err);
}

Argv *zfs_measure(const char *name, GError **err)
{
    Argv *a = command("zpool", "get", "-Hp", "health,size,free,allocated", NULL);
    g_autofree char *whole = g_strndup(name, strcspn(name, "/"));

    argv_operand(a, whole);
    return checked(a, err);
}

Argv *zfs_list(const char *name, GError **err)
{
    Argv *a = command("zfs", "list", "-Hp", "-t", "volume", "-r", "-o", "name,volsize,refreservation", NULL);

    argv_operand(a, name);
    return checked(a, err);
}

static void add_kib(Argv *a, const char *before, uint64_t bytes)
{
    argv_wordf(a, "%s%" G_GUINT64_FORMAT "K", before, bytes / 1024 + (bytes % 1024 != 0));
}

static void add_volume(Argv *a, const char *name, const char *volume)
{
    g_autofree char *whole = g_strconcat(name, "/", volume, NULL);
    argv_operand(a, whole);
}

Argv *zfs_make_volume(const char *name, const char *volume, uint64_t capacity, uint64_t allocation, GError **err)
{
    Argv *a = command("zfs", "create", NULL);

    if (allocation < capacity) {
        argv_words(a, "-s", NULL);
        if (allocation) {
            argv_words(a, "-o", NULL);
            add_kib(a, "refreservation=", allocation);
        }
    }
    argv_words(a, "-V", NULL);
    add_kib(a, "", capacity);
    add_volume(a, name, volume);
    return checked(a, err);
}

Argv *zfs_remove_volume(const char *name, const char *volume, GError **err)
{
    Argv *a = command("zfs", "destroy", NULL);

    add_volume(a, name, volume);
    return checked(a, err);
}

/* "pool\tproperty\tvalue\tsource" */
bool zfs_parse_figures(const char *said, ZfsFigures *ret, GError **err)
{
    g_auto(GStrv) lines = g_strsplit(said, "\n", 65536);
    unsigned known = 0;

    *ret = (ZfsFigures){ 0 };
    for (unsigned i = 0; lines[i]; i++) {
        g_auto(GStrv) w = g_strsplit(lines[i], "\t", 5);
        const struct {
            const char *name;
            uint64_t *to;
        } figures[] = { { "size", &ret->size }, { "free", &ret->free }, { "allocated", &ret->allocated } };
        for (unsigned k = 0; g_strv_length(w) >= 3 && k < G_N_ELEMENTS(figures); k++)
            if (strcmp(w[1], figures[k].name) == 0 && g_ascii_string_to_unsigned(w[2], 10, 0, G_MAXUINT64, figures[k].to, NULL))
                known |= 1u << k;
    }
    if (known == 7)
        return true;
    error_set(err, VIR_ERR_INTERNAL_ERROR, "zpool does not say how large the pool is");
    return false;
}

static void volume_free(void *data)
{
    ZfsVolume *v = data;
    g_free(v->name);
    g_free(v);
}

/* "pool/name\tsize\treservation"; a reservation may be "none". */
GPtrArray *zfs_parse_volumes(const char *said, const char *name)
{
    GPtrArray *all = g_ptr_array_new_with_free_func(volume_free);
    g_auto(GStrv) lines = g_strsplit(said, "\n", -1);
    size_t len = strlen(name);

    for (unsigned i = 0; lines[i]; i++) {
        g_auto(GStrv) w = g_strsplit(lines[i], "\t", 4);
        guint64 size, reserved = 0;
        if (g_strv_length(w) != 3 || strncmp(w[0], name, len) != 0 || w[0][len] != '/' || !w[0][len + 1] ||
            !g_ascii_string_to_unsigned(w[1], 10, 0, G_MAXUINT64, &size, NULL))
            continue;
        (void)g_ascii_string_to_unsigned(w[2], 10, 0, G_MAXUINT64, &reserved, NULL);
        ZfsVolume *v = g_new(ZfsVolume, 1);
        *v = (ZfsVolume){ g_strdup(w[0] + len + 1), size, reserved };
        g_ptr_array_add(all, v);
    }
    return all;
}
