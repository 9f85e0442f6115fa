/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file server of virtiofs: the program that the document names, or the one that the host's descriptions
 * of vhost-user back ends name (JSON files with "type" and "binary"; those of the administrator first).
 * Workers.
 */
#include "drivers/qemu/helper.h"

#include <fcntl.h>
#include <string.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"

enum { SOCKET_FD = 20, DESCRIPTION_MAX = 64 * 1024, DESCRIPTIONS_MAX = 256 };

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "binary" of the first description of a file server in dir. */
static char *described_in(const char *dir)
{
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
    const char *name;

    while (d && files->len < DESCRIPTIONS_MAX && (name = g_dir_read_name(d)))
        if (g_str_has_suffix(name, ".json"))
            g_ptr_array_add(files, g_build_filename(dir, name, NULL));
    g_ptr_array_sort(files, by_name);
    for (unsigned i = 0; i < files->len; i++) {
        g_autofree char *text = NULL;
        size_t len;
        if (!fd_read_file(AT_FDCWD, files->pdata[i], DESCRIPTION_MAX, &text, &len, NULL))
            continue;
        g_autoptr(JsonObject) o = json_parse(files->pdata[i], text, len, NULL, NULL);
        if (o && g_strcmp0(json_get_str(o, "type"), "fs") == 0 && json_get_str(o, "binary"))
            return g_strdup(json_get_str(o, "binary"));
    }
    return NULL;
}

char *helper_virtiofs_program(const FsDef *f, GError **err)
{
    g_autofree char *found = g_strdup(f->binary);

    if (!found)
        found = described_in("/etc/qemu/vhost-user");
    if (!found)
        found = described_in("/usr/share/qemu/vhost-user");
    return helper_find(found ? found : "virtiofsd", "a filesystem with driver 'virtiofs'", err);
}

static void option(GString *o, Tristate v, const char *name)
{
    if (v == TRI_YES)
        g_string_append_printf(o, ",%s", name);
    else if (v == TRI_NO)
        g_string_append_printf(o, ",no_%s", name);
}

/* As libfuse reads options. */
static char *escape(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    return g_strjoinv("\\,", parts);
}

bool helper_virtiofs_start(Start *s, const FsDef *f, GError **err)
{
    static const char *const cache[] = { [FS_CACHE_NONE] = "none", [FS_CACHE_ALWAYS] = "always" };
    g_autofree char *program = helper_virtiofs_program(f, err);
    g_autofree char *leaf = g_strdup_printf("%s-fs.sock", f->dev.info.alias);

    if (!program)
        return false;
    if (!f->src || !g_file_test(f->src, G_FILE_TEST_IS_DIR)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "the virtiofs export directory '%s' does not exist", f->src ? f->src : "");
        return false;
    }
    g_autofree char *source = escape(f->src);
    g_autoptr(GString) o = g_string_new(NULL);
    g_string_append_printf(o, "source=%s", source);
    if (f->cache < G_N_ELEMENTS(cache) && cache[f->cache])
        g_string_append_printf(o, ",cache=%s", cache[f->cache]);
    if (f->sandbox == FS_SANDBOX_CHROOT)
        g_string_append(o, ",sandbox=chroot");
    else if (f->sandbox == FS_SANDBOX_NAMESPACE)
        g_string_append(o, ",sandbox=namespace");
    option(o, f->xattr, "xattr");
    option(o, f->flock, "flock");
    option(o, f->posix_lock, "posix_lock");

    auto_fd listen = helper_listen(s, leaf, NULL, err);
    if (listen < 0)
        return false;
    g_autofree char *fd_option = g_strdup_printf("--fd=%d", SOCKET_FD);
    g_autofree char *threads =
        f->thread_pool.set ? g_strdup_printf("--thread-pool-size=%u", f->thread_pool.v) : NULL;
    const char *const argv[] = { program, fd_option, "-o", o->str, threads, NULL };
    const SpawnFd fd = { listen, SOCKET_FD };
    return helper_spawn(s, f->dev.info.alias, argv, NULL, &fd, 1, err);
}
