/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looks at a directory for the storage daemon, as a process of its own: one that a dead server holds up can be
 * left behind, a thread cannot.
 *
 *   virt-storage-look measure DIR           capacity, allocation, available, mode, owner, group: numbers
 *   virt-storage-look list DIR              names, one a line
 *   virt-storage-look volume DIR NAME       the volume's document
 *
 * An error is its text on standard error, and status 1.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/storage/backend.h"
#include "util/error.h"

static void print_name(const char *name, const char *path, StorageVolumeDef *def, void *data)
{
    (void)path;
    (void)def;
    (void)data;
    puts(name); /* a name with a line's end is none */
}

static bool measure(StoragePoolDef *d, const char *name, GError **err)
{
    PoolFigures f = { 0 };

    (void)name;
    if (!backend_dir.measure(d, &f, NULL, err))
        return false;
    const StoragePermissions *p = d->permissions;
    printf("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %u %u %u\n", f.capacity, f.allocation, f.available,
           p ? p->mode.v : 0, p ? p->owner.v : 0, p ? p->group.v : 0);
    return true;
}

static bool list(StoragePoolDef *d, const char *name, GError **err)
{
    (void)name;
    return backend_dir.list(d, print_name, NULL, NULL, err);
}

static bool volume(StoragePoolDef *d, const char *name, GError **err)
{
    g_autoptr(StorageVolumeDef) v = backend_dir.vol_look(d, name, err);
    g_autofree char *text = v ? storage_volume_format(v, 0, err) : NULL;

    if (text)
        fputs(text, stdout);
    return text != NULL;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int args;
        bool (*run)(StoragePoolDef *d, const char *name, GError **err);
    } ops[] = { { "measure", 3, measure }, { "list", 3, list }, { "volume", 4, volume } };

    for (unsigned i = 0; i < G_N_ELEMENTS(ops); i++) {
        g_autoptr(StoragePoolDef) d = g_new0(StoragePoolDef, 1);
        g_autoptr(GError) err = NULL;
        if (argc != ops[i].args || strcmp(argv[1], ops[i].name) != 0)
            continue;
        d->source.type = POOL_DIR;
        d->target = g_strdup(argv[2]);
        if (ops[i].run(d, argc > 3 ? argv[3] : NULL, &err) && fflush(stdout) == 0)
            return 0;
        fprintf(stderr, "%s\n", err ? err->message : "cannot write");
        return 1;
    }
    fprintf(stderr, "usage: see the first comment\n");
    return 2;
}
