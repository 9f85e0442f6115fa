/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hooks: which programs run, in which order, what they are told, and what their failures say. */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/hook.h"
#include "util/paths.h"

static char *log_path;

static void script(const char *name, const char *body, unsigned mode)
{
    g_autofree char *path = g_build_filename(paths()->etc, "hooks", name, NULL);
    g_autofree char *dir = g_path_get_dirname(path), *text = g_strdup_printf("#!/bin/sh\n%s\n", body);

    assert(g_mkdir_with_parents(dir, 0700) == 0);
    assert(g_file_set_contents(path, text, -1, NULL) && chmod(path, mode) == 0);
}

static void forget(const char *name)
{
    g_autofree char *path = g_build_filename(paths()->etc, "hooks", name, NULL);
    assert(unlink(path) == 0);
}

static void expect_log(const char *expected)
{
    g_autofree char *text = NULL;

    assert(g_file_get_contents(log_path, &text, NULL, NULL));
    if (strcmp(text, expected) != 0)
        g_error("the hooks wrote '%s' instead of '%s'", text, expected);
    assert(unlink(log_path) == 0);
}

int main(void)
{
    char root[] = "/tmp/test-hook-XXXXXX";
    g_autoptr(GError) err = NULL;
    g_autofree char *out = NULL, *note = NULL;
    Hook h = { .name = "qemu", .object = "web", .operation = "start", .suboperation = "begin", .input = "<domain/>" };

    assert(mkdtemp(root) && paths_init(root, false, &err));
    log_path = g_build_filename(root, "log", NULL);
    note = g_strdup_printf("echo \"${0##*/} $*\" \"$(cat)\" >>%s", log_path);

    assert(!hook_present("qemu"));
    assert(hook_run(&h, &out, &err) && !out);

    script("qemu", note, 0755);
    script("qemu.d/20-b", note, 0755);
    script("qemu.d/10-a", note, 0755);
    script("qemu.d/30-off", note, 0644);
    assert(hook_present("qemu") && !hook_present("lxc"));
    assert(hook_run(&h, &out, &err) && !out);
    expect_log("qemu web start begin - <domain/>\n10-a web start begin - <domain/>\n20-b web start begin - <domain/>\n");

    /* Nothing but a reason is said by default, and nobody to read from. */
    Hook bare = { .name = "qemu", .operation = "shutdown", .extra = "shutdown" };
    forget("qemu.d/10-a");
    forget("qemu.d/20-b");
    assert(hook_run(&bare, NULL, &err));
    expect_log("qemu - shutdown - shutdown \n");

    /* What the last one says that says anything. */
    script("qemu", "cat", 0755);
    script("qemu.d/10-quiet", "exit 0", 0755);
    assert(hook_run(&h, &out, &err) && strcmp(out, "<domain/>") == 0);
    g_clear_pointer(&out, g_free);

    /* The first that objects is the one whose words are told; the others are run all the same. */
    script("qemu", "echo not today >&2; exit 3", 0755);
    script("qemu.d/10-quiet", note, 0755);
    assert(!hook_run(&h, &out, &err) && !out && error_code(err) == VIR_ERR_HOOK_SCRIPT_FAILED);
    assert(strstr(err->message, "hooks/qemu web start") && strstr(err->message, "not today"));
    expect_log("10-quiet web start begin - <domain/>\n");
    g_clear_error(&err);

    /* It is not waited for longer than is allowed, nor for what it left in the background. */
    script("qemu", "sleep 600", 0755);
    h.usec = G_USEC_PER_SEC / 10;
    assert(!hook_run(&h, &out, &err) && strstr(err->message, "did not end"));
    g_clear_error(&err);
    forget("qemu.d/10-quiet");
    script("qemu", "sleep 3 & echo $! >&2", 0755);
    h.usec = 30 * G_USEC_PER_SEC;
    assert(hook_run(&h, &out, &err));

    g_autofree char *rm = g_strdup_printf("rm -rf %s", root);
    assert(system(rm) == 0);
    g_free(log_path);
    return 0;
}
