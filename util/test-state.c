/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* State files: whole old or whole new content, whichever step fails. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/state.h"

static int dir;
static char *root;

static bool content_is(const char *name, const char *expected)
{
    gsize len = 0;
    g_autofree char *s = state_read(dir, name, 1000, &len, NULL);

    return s && len == strlen(expected) && strcmp(s, expected) == 0;
}

static unsigned count_all(void)
{
    g_autoptr(GDir) d = g_dir_open(root, 0, NULL);
    unsigned n = 0;

    while (g_dir_read_name(d))
        n++;
    return n;
}

static void test_write_and_read(void)
{
    struct stat st;
    mode_t before = umask(077);

    assert(state_write(dir, "a.xml", "one", 3, 0644, NULL));
    umask(before);
    assert(content_is("a.xml", "one"));
    assert(fstatat(dir, "a.xml", &st, 0) == 0 && (st.st_mode & 07777) == 0644);
    assert(state_write(dir, "a.xml", "two", 3, 0600, NULL));
    assert(content_is("a.xml", "two"));
    assert(fstatat(dir, "a.xml", &st, 0) == 0 && (st.st_mode & 07777) == 0600);
}

/* n counts up until the write passes; each failure leaves old or new, and no rubbish. */
static void test_every_step_may_fail(void)
{
    unsigned n, files = count_all();
    bool done = false;

    for (n = 1; !done; n++) {
        g_autoptr(GError) err = NULL;

        assert(state_write(dir, "f", "old", 3, 0600, NULL));
        state_fail_at(n, ENOSPC);
        done = state_write(dir, "f", "new content", 11, 0600, &err);
        state_fail_at(0, 0);
        assert(done || (error_is(err, VIR_ERR_SYSTEM_ERROR) && error_errno(err) == ENOSPC));
        assert(content_is("f", "new content") || (!done && content_is("f", "old")));
        assert(count_all() == files + 1);
        assert(done == content_is("f", "new content")); /* never a failure with an effect */
    }
    assert(n >= 6); /* make, write, sync, rename, sync of the directory */
    assert(state_remove(dir, "f", NULL));
    assert(!content_is("f", "old"));
}

static void test_every_step_may_be_the_last_of_the_process(void)
{
    int status = -1;

    for (unsigned n = 1; status != 0; n++) {
        pid_t pid;
        g_auto(GStrv) names = NULL;

        assert(n < 20);
        assert(state_write(dir, "k", "old", 3, 0600, NULL));
        pid = fork();
        if (pid == 0) {
            state_fail_at(n, -1);
            _exit(state_write(dir, "k", "new", 3, 0600, NULL) ? 0 : 1);
        }
        assert(waitpid(pid, &status, 0) == pid);
        assert(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
        assert(content_is("k", "new") || (status != 0 && content_is("k", "old")));
        names = state_list(dir, NULL, NULL); /* rubbish of the dead is not listed */
        assert(g_strv_length(names) == 2 && strcmp(names[0], "a.xml") == 0 &&
               strcmp(names[1], "k") == 0);
    }
}

static void test_names_that_leave_the_directory_are_refused(void)
{
    static const char *const bad[] = { "", ".", "..", "../x", "a/b", "a\nb", "\xff" };
    gsize len;

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        assert(!state_write(dir, bad[i], "x", 1, 0600, NULL));
        assert(!state_read(dir, bad[i], 10, &len, NULL));
        assert(!state_remove(dir, bad[i], NULL));
        assert(!state_link(dir, bad[i], "a.xml", NULL));
    }
}

static void test_links_are_not_followed(void)
{
    g_autoptr(GError) err = NULL;
    char target[32] = "";

    assert(state_link(dir, "link", "a.xml", NULL));
    assert(readlinkat(dir, "link", target, sizeof(target) - 1) == 5 && strcmp(target, "a.xml") == 0);
    assert(!state_read(dir, "link", 100, NULL, &err));
    assert(error_errno(err) == ELOOP);
    /* a write replaces the link, not what it points to */
    assert(state_write(dir, "link", "own", 3, 0600, NULL));
    assert(content_is("a.xml", "two") && content_is("link", "own"));
    assert(state_link(dir, "link", "elsewhere", NULL));
    assert(state_remove(dir, "link", NULL));
    assert(state_remove(dir, "link", NULL)); /* missing is fine */
}

static void test_odd_files_are_refused(void)
{
    g_autoptr(GError) big = NULL, fifo = NULL, missing = NULL;

    assert(mkfifoat(dir, "fifo", 0600) == 0);
    assert(!state_read(dir, "fifo", 100, NULL, &fifo)); /* and does not hang */
    assert(unlinkat(dir, "fifo", 0) == 0);
    assert(!state_read(dir, "a.xml", 2, NULL, &big));
    assert(error_errno(big) == EFBIG);
    assert(!state_read(dir, "nothing", 2, NULL, &missing));
    assert(error_errno(missing) == ENOENT);
}

static void test_list_is_sorted_and_filtered(void)
{
    g_auto(GStrv) names = NULL;

    assert(state_write(dir, "b.xml", "", 0, 0600, NULL));
    assert(state_write(dir, "B.xml", "", 0, 0600, NULL));
    assert(state_write(dir, "c.txt", "", 0, 0600, NULL));
    names = state_list(dir, ".xml", NULL);
    assert(g_strv_length(names) == 3);
    assert(strcmp(names[0], "B.xml") == 0 && strcmp(names[1], "a.xml") == 0 &&
           strcmp(names[2], "b.xml") == 0);
    assert(content_is("b.xml", ""));
}

int main(void)
{
    g_autofree char *cleanup = NULL, *base = g_dir_make_tmp("test-state-XXXXXX", NULL);

    assert(base);
    root = g_build_filename(base, "some/where", NULL);
    dir = state_open_dir(root, 0700, NULL);
    assert(dir >= 0);
    test_write_and_read();
    test_every_step_may_fail();
    test_every_step_may_be_the_last_of_the_process();
    test_names_that_leave_the_directory_are_refused();
    test_links_are_not_followed();
    test_odd_files_are_refused();
    test_list_is_sorted_and_filtered();
    close(dir);
    g_free(root);
    cleanup = g_strdup_printf("rm -rf '%s'", base);
    return system(cleanup) == 0 ? 0 : 1;
}
