/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Firmware descriptors on disk (firmware_files.h). */
#define LOG_SOURCE "qemu.firmware"
#include "drivers/qemu/firmware_files.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>

#include "conf/firmware_descriptor.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/paths.h"

const char *const *firmware_dirs(void)
{
    static const char *dirs[] = { NULL, "/etc/qemu/firmware", "/usr/share/qemu/firmware", NULL };
    static gsize done;

    if (g_once_init_enter(&done)) {
        dirs[0] = g_build_filename(g_get_user_config_dir(), "qemu/firmware", NULL);
        g_once_init_leave(&done, 1);
    }
    return paths()->session ? dirs : dirs + 1;
}

static void firmware_file_free(void *data)
{
    FirmwareFile *f = data;

    g_free(f->path);
    json_object_put(f->o);
    g_free(f);
}

static int by_name(gconstpointer a, gconstpointer b)
{
    const FirmwareFile *const *x = a, *const *y = b;
    return strcmp(strrchr((*x)->path, '/'), strrchr((*y)->path, '/'));
}

/* Flash without a mode is split: code that is shared and variables of the guest's own. */
static void complete(JsonObject *o)
{
    JsonObject *mapping = json_get(o, "mapping");

    if (g_strcmp0(json_get_str(mapping, "device"), "flash") == 0 && !json_get(mapping, "mode"))
        json_object_object_add(mapping, "mode", json_object_new_string("split"));
}

static JsonObject *read_one(const char *path)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *text = NULL;
    JsonObject *o = NULL;
    size_t len = 0;

    if (fd_read_file(AT_FDCWD, path, FIRMWARE_DESCRIPTOR_MAX, &text, &len, &err)) {
        if (len == 0)
            return NULL;
        o = json_parse(path, text, len, NULL, &err);
    }
    if (!o)
        log_info("firmware descriptor is left out: %s", err->message);
    else
        complete(o);
    return o;
}

GPtrArray *firmware_files(const char *const *dirs)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GPtrArray *list = g_ptr_array_new_with_free_func(firmware_file_free);

    for (dirs = dirs ? dirs : firmware_dirs(); *dirs; dirs++) {
        g_autoptr(GDir) dir = g_dir_open(*dirs, 0, NULL);
        const char *name;
        while (dir && (name = g_dir_read_name(dir))) {
            if (!g_str_has_suffix(name, ".json") || name[0] == '.' || !g_hash_table_add(seen, g_strdup(name)))
                continue;
            g_autofree char *path = g_build_filename(*dirs, name, NULL);
            JsonObject *o = read_one(path);
            if (!o)
                continue;
            FirmwareFile *f = g_new0(FirmwareFile, 1);
            f->path = g_steal_pointer(&path);
            f->o = o;
            g_ptr_array_add(list, f);
        }
    }
    g_ptr_array_sort(list, by_name);
    return list;
}

bool firmware_lists(const FirmwareFile *f, const char *path, const char *word)
{
    JsonObject *a = json_get(f->o, path);

    for (size_t i = 0; i < json_len(a); i++) {
        JsonObject *e = json_object_array_get_idx(a, i);
        if (json_object_is_type(e, json_type_string) && strcmp(json_object_get_string(e), word) == 0)
            return true;
    }
    return false;
}

bool firmware_fits(const FirmwareFile *f, const char *arch, const char *machine)
{
    JsonObject *targets = json_get(f->o, "targets");

    if (g_strcmp0(arch, "i686") == 0)
        arch = "i386"; /* QEMU's name */
    for (size_t i = 0; machine && i < json_len(targets); i++) {
        JsonObject *t = json_object_array_get_idx(targets, i), *machines = json_get(t, "machines");
        if (g_strcmp0(json_get_str(t, "architecture"), arch) != 0)
            continue;
        for (size_t m = 0; m < json_len(machines); m++) {
            const char *pattern = json_object_get_string(json_object_array_get_idx(machines, m));
            if (pattern && fnmatch(pattern, machine, 0) == 0)
                return true;
        }
    }
    return false;
}
