/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hooks (hook.h). The directory is looked at each time: a hook works from the moment when it is there. */
#define LOG_SOURCE "util.hook"
#include "util/hook.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/paths.h"
#include "util/spawn.h"

enum { OUTPUT_MAX = 1 << 20, PROGRAMS_MAX = 1000 };

static void add_program(GPtrArray *list, char *path)
{
    struct stat st;

    if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
        if (access(path, X_OK) == 0 && list->len < PROGRAMS_MAX) {
            g_ptr_array_add(list, path);
            return;
        }
        log_warn("hook '%s' is not executable: it is not run", path);
    }
    g_free(path);
}

static int by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The main program, then those of the directory by name. */
static GPtrArray *programs(const char *name)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) more = g_ptr_array_new();
    g_autofree char *dir_name = g_strdup_printf("%s/hooks/%s.d", paths()->etc, name);
    g_autoptr(GDir) dir = g_dir_open(dir_name, 0, NULL);
    const char *entry;

    add_program(list, g_build_filename(paths()->etc, "hooks", name, NULL));
    while (dir && (entry = g_dir_read_name(dir)) && more->len < PROGRAMS_MAX)
        g_ptr_array_add(more, g_build_filename(dir_name, entry, NULL));
    g_ptr_array_sort(more, by_text);
    for (unsigned i = 0; i < more->len; i++)
        add_program(list, more->pdata[i]);
    return list;
}

bool hook_present(const char *name)
{
    g_autoptr(GPtrArray) list = programs(name);

    return list->len > 0;
}

/* A descriptor from which a program reads the input; -1 without one. */
static int input_fd(const char *text, GError **err)
{
    auto_fd fd = memfd_create("hook", MFD_CLOEXEC);

    if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0) {
        error_set_errno(err, errno, "cannot keep the input of a hook");
        return -1;
    }
    return g_steal_fd(&fd);
}

static bool run_one(const Hook *h, const char *path, char **output, GError **err)
{
    const char *argv[] = { path, h->object ? h->object : "-", h->operation, h->suboperation ? h->suboperation : "-",
                           h->extra ? h->extra : "-", NULL };
    auto_fd in = h->input ? input_fd(h->input, err) : -1;
    g_autofree char *out = NULL, *said = NULL;
    g_autoptr(GError) why = NULL;

    if (h->input && in < 0)
        return false;
    Spawn s = { .argv = argv, .in = in, .out = -1, .err = -1, .memlock = -1, .new_session = true };
    if (!spawn_run(&s, h->usec ? h->usec : HOOK_DEADLINE, OUTPUT_MAX, &out, &said, &why)) {
        error_set(err, VIR_ERR_HOOK_SCRIPT_FAILED, "'%s %s %s': %s", path, argv[1], argv[2], why->message);
        return false;
    }
    if (said && *said)
        log_info("hook '%s %s %s' wrote: %s", path, argv[1], argv[2], g_strchomp(said));
    if (output && out && *out) {
        g_free(*output);
        *output = g_steal_pointer(&out);
    }
    return true;
}

bool hook_run(const Hook *h, char **output, GError **err)
{
    g_autoptr(GPtrArray) list = programs(h->name);
    g_autofree char *last = NULL;
    bool ok = true;

    for (unsigned i = 0; i < list->len; i++) {
        g_autofree char *before = g_strdup(last);
        Hook one = *h;

        if (output && before) /* who may change a document changes what the one before made of it */
            one.input = before;
        ok &= run_one(&one, list->pdata[i], &last, ok ? err : NULL);
    }
    if (ok && output)
        *output = g_steal_pointer(&last);
    return ok;
}
