/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Enum tables, uuids, paths and descriptors. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "util/enum.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/paths.h"
#include "util/uuid.h"

ENUM_TABLE(cache_modes, "cache mode", 4, "default", "none", "writethrough", "writeback");

static void test_enum_tables(void)
{
    assert(enum_value(&cache_modes, "none") == 1 && enum_value(&cache_modes, "nil") == -1);
    assert(strcmp(enum_name(&cache_modes, 3), "writeback") == 0 && !enum_name(&cache_modes, 4));
    assert(strcmp(enum_nearest(&cache_modes, "writebak"), "writeback") == 0);
    assert(strcmp(enum_nearest(&cache_modes, "nome"), "none") == 0);
    assert(!enum_nearest(&cache_modes, "completely-different"));
    assert(edit_distance("kitten", "sitting", 5) == 3 && edit_distance("kitten", "sitting", 2) == 3);
    assert(edit_distance("", "abc", 3) == 3 && edit_distance("", "", 0) == 0);
}

static void test_uuids(void)
{
    Uuid u, v;
    char text[37];

    assert(uuid_parse("c7a5fdbd-edaf-9455-926a-d65c16db1809", u));
    uuid_format(u, text);
    assert(strcmp(text, "c7a5fdbd-edaf-9455-926a-d65c16db1809") == 0);
    assert(uuid_parse("C7A5FDBDEDAF 9455 926AD65C16DB1809", v) && uuid_equal(u, v));
    assert(!uuid_parse("c7a5fdbd-edaf-9455-926a-d65c16db180", v));
    assert(!uuid_parse("c7a5fdbd-edaf-9455-926a-d65c16db18090", v));
    assert(!uuid_parse("g7a5fdbd-edaf-9455-926a-d65c16db1809", v) && !uuid_parse("", v));
    assert(uuid_is_valid(u));
    assert(uuid_parse("11111111-1111-1111-1111-111111111111", v) && !uuid_is_valid(v));
    uuid_generate(u);
    uuid_generate(v);
    assert(!uuid_equal(u, v) && uuid_is_valid(u) && (u[6] >> 4) == 4);
}

static void test_file_names(void)
{
    g_autofree char *long_name = g_strnfill(252, 'a');

    assert(path_component_ok("guest-1", ".xml", NULL) && path_component_ok("gäst", ".xml", NULL));
    assert(path_component_ok("...", NULL, NULL));
    assert(!path_component_ok("", NULL, NULL) && !path_component_ok(".", NULL, NULL));
    assert(!path_component_ok("..", NULL, NULL) && !path_component_ok("a/b", NULL, NULL));
    assert(!path_component_ok("a\nb", NULL, NULL) && !path_component_ok("\xc0\xaf", NULL, NULL));
    assert(!path_component_ok(long_name, ".xml", NULL) && path_component_ok(long_name, ".x", NULL));
}

static void test_scratch_root_moves_everything(void)
{
    g_autofree char *dir = g_dir_make_tmp("test-paths-XXXXXX", NULL);
    g_autofree char *deep = NULL, *file = NULL, *cleanup = g_strdup_printf("rm -rf '%s'", dir);
    g_autoptr(GError) err = NULL;
    struct stat st;

    assert(paths_init(dir, false, NULL));
    const char *all[] = { paths()->etc, paths()->lib, paths()->run, paths()->cache, paths()->log };
    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++)
        assert(g_str_has_prefix(all[i], dir) && strstr(all[i], "/libvirt"));
    assert(!paths_init("relative", false, NULL));
    g_setenv("MODVIRT_ROOT", dir, TRUE);
    assert(paths_init(NULL, true, NULL) && g_str_has_prefix(paths()->run, dir) && paths()->session);
    g_unsetenv("MODVIRT_ROOT");
    assert(paths_init(NULL, false, NULL) && !paths()->root);
    assert(g_str_has_suffix(paths()->run, "/libvirt"));
    g_setenv("XDG_RUNTIME_DIR", dir, TRUE);
    assert(paths_init(NULL, true, NULL) && g_str_has_prefix(paths()->run, dir));

    deep = g_strconcat(dir, "/a//b/c/", NULL);
    assert(path_make_dir(deep, 0711, NULL) && path_make_dir(deep, 0700, NULL));
    assert(stat(deep, &st) == 0 && (st.st_mode & 07777) == 0711); /* what exists is left alone */
    file = g_strconcat(dir, "/file", NULL);
    assert(g_file_set_contents(file, "0123456789", -1, NULL));
    assert(!path_make_dir(file, 0700, &err) && error_errno(err) == ENOTDIR);

    char *text = NULL;
    size_t len = 0;
    assert(fd_read_file(AT_FDCWD, file, 10, &text, &len, NULL) && len == 10 &&
           strcmp(text, "0123456789") == 0);
    g_free(text);
    assert(!fd_read_file(AT_FDCWD, file, 9, &text, &len, NULL));
    assert(fd_read_file(AT_FDCWD, "/proc/self/status", 100000, &text, &len, NULL) && len > 100);
    g_free(text);
    assert(system(cleanup) == 0);
}

int main(void)
{
    test_enum_tables();
    test_uuids();
    test_file_names();
    test_scratch_root_moves_everything();
    return 0;
}
