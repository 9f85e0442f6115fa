/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The log: grammar of its settings, who gets what, and the ring. */
#undef NDEBUG
#include <assert.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define LOG_SOURCE "qemu.qmp"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"

static char *path;

static char *take_log(void)
{
    char *text = NULL;

    assert(fd_read_file(AT_FDCWD, path, 1000000, &text, NULL, NULL));
    assert(truncate(path, 0) == 0);
    return text;
}

static void test_settings_are_canonical(void)
{
    g_autofree char *outs = g_strdup_printf("1:file:%s", path), *got = NULL, *filters = NULL,
                    *none = NULL;
    g_autofree char *back = NULL;

    assert(log_set_filters("  1:qemu\t3:+remote  4:util.* ", NULL));
    filters = log_get_filters();
    assert(strcmp(filters, "1:qemu 3:remote 4:util.*") == 0 && log_count_filters() == 3);
    assert(log_set_filters("", NULL));
    none = log_get_filters();
    assert(none[0] == '\0' && log_count_filters() == 0);

    assert(log_set_outputs("3:journald 4:syslog:virtqemud 2:stderr", NULL));
    got = log_get_outputs();
    assert(strcmp(got, "3:journald 4:syslog:virtqemud 2:stderr") == 0 && log_count_outputs() == 3);
    assert(log_set_outputs("", NULL));
    back = log_get_outputs();
    assert(strcmp(back, "3:stderr") == 0);
    assert(log_set_outputs(outs, NULL));
}

static void test_wrong_settings_change_nothing(void)
{
    static const char *const bad_filters[] = { "5:qemu", "0:x", "qemu", "1:", "1:+", "1qemu", "1:a 2" };
    static const char *const bad_outputs[] = { "1:",
                                               "1:nowhere",
                                               "1:file",
                                               "1:file:relative",
                                               "1:syslog",
                                               "9:stderr",
                                               "1:stderr:x",
                                               "1:journald:x",
                                               "1:file:/nonexistent/dir/file",
                                               "stderr" };
    g_autofree char *before = log_get_outputs(), *after = NULL;

    assert(log_set_filters("2:keep", NULL));
    for (unsigned i = 0; i < G_N_ELEMENTS(bad_filters); i++) {
        g_autoptr(GError) err = NULL;
        g_autofree char *f = NULL;

        assert(!log_set_filters(bad_filters[i], &err) && err);
        f = log_get_filters();
        assert(strcmp(f, "2:keep") == 0);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(bad_outputs); i++) {
        g_autoptr(GError) err = NULL;

        assert(!log_set_outputs(bad_outputs[i], &err) && err);
    }
    after = log_get_outputs();
    assert(strcmp(before, after) == 0);
    assert(log_set_filters("", NULL));
    assert(!log_set_level(0, NULL) && !log_set_level(5, NULL));
}

static void test_filters_decide_by_source(void)
{
    g_autofree char *quiet = NULL, *loud = NULL, *other = NULL;

    assert(log_set_level(3, NULL));
    log_debug("debug %d", 1);
    log_info("info");
    log_warn("warning\nof two lines");
    quiet = take_log();
    assert(!strstr(quiet, "debug 1") && !strstr(quiet, "info"));
    assert(strstr(quiet, ": warning : test_filters_decide_by_source:") &&
           strstr(quiet, "warning of two lines\n"));

    assert(log_set_filters("1:qemu", NULL));
    log_debug("debug %d", 2);
    log_write(LOG_DEBUG_, "rpc.conn", "f.c", 1, "f", "of another");
    loud = take_log();
    assert(strstr(loud, "debug 2") && !strstr(loud, "of another"));

    assert(log_set_filters("4:qemu", NULL)); /* filters silence, too */
    log_warn("unwanted");
    log_error("wanted");
    other = take_log();
    assert(!strstr(other, "unwanted") && strstr(other, ": wanted"));
    assert(log_set_filters("", NULL));
}

static void test_context_is_in_every_line(void)
{
    LogContext c = {
        .call_id = 77, .procedure = "domain_suspend", .client_uid = 1000, .object_uuid = "abc"
    };
    g_autofree char *with = NULL, *without = NULL;
    g_autofree char *long_text = g_strnfill(5000, 'y');

    log_context_set(&c);
    log_error("%s", long_text);
    with = take_log();
    assert(strstr(with, "y [call=77 proc=domain_suspend uid=1000 object=abc]\n"));
    assert(strlen(with) > 5000);
    log_context_set(NULL);
    log_error("x");
    without = take_log();
    assert(!strstr(without, "call="));
}

static void test_ring_keeps_the_newest(void)
{
    char *text = NULL;
    g_autofree char *ring = NULL, *ring_path = g_strconcat(path, ".ring", NULL);
    auto_fd fd = open(ring_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    for (int i = 0; i < 3000; i++)
        log_debug("ring line %d.", i);
    log_ring_dump(fd);
    assert(fd_read_file(AT_FDCWD, ring_path, 10000000, &text, NULL, NULL));
    ring = text;
    assert(strstr(ring, "ring line 2999.\n") && strstr(ring, "ring line 1976.\n") &&
           !strstr(ring, "ring line 1975."));
    g_unlink(ring_path);
}

static void test_templates_have_one_hole(void)
{
    for (int code = 0; code < 130; code++) {
        const char *t = error_template(code);
        const char *hole = strchr(t, '%');

        assert(hole && hole[1] == 's' && !strchr(hole + 1, '%'));
    }
    g_autoptr(GError) err = NULL;
    error_set(&err, VIR_ERR_NO_DOMAIN, "no domain with matching name '%s'", "x");
    g_autofree char *text = error_text(err);
    assert(strcmp(text, "Domain not found: no domain with matching name 'x'") == 0);
}

int main(void)
{
    g_autofree char *dir = g_dir_make_tmp("test-log-XXXXXX", NULL);

    path = g_build_filename(dir, "log", NULL);
    test_settings_are_canonical();
    test_wrong_settings_change_nothing();
    test_filters_decide_by_source();
    test_context_is_in_every_line();
    test_ring_keeps_the_newest();
    test_templates_have_one_hole();
    g_assert(log_set_outputs("", NULL));
    g_unlink(path);
    g_rmdir(dir);
    g_free(path);
    return 0;
}
