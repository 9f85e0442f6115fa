/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Volumes that are files: what is made is whole; every step fails once, and dies once, and neither leaves
 * a half volume, a hidden file or a record. Wiping. Programs at their deadline, cancelled, missing.
 */
#undef NDEBUG
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/storage/backend.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/paths.h"

enum { SIZE = 3 << 20 };

static char *top, *pool_path, *records_path, *input_path;
static VolumeDir dir;

static unsigned count(const char *path, char **ret_last)
{
    g_autoptr(GDir) d = g_dir_open(path, 0, NULL);
    const char *name;
    unsigned n = 0;

    assert(d);
    while ((name = g_dir_read_name(d))) {
        n++;
        if (ret_last) {
            g_free(*ret_last);
            *ret_last = g_strdup(name);
        }
    }
    return n;
}

static char *in_pool(const char *name)
{
    return g_build_filename(pool_path, name, NULL);
}

/* What a clone of the input has: data, a hole, data. */
static void assert_content(const char *name)
{
    g_autofree char *path = in_pool(name), *got = NULL;
    g_autofree char *want = NULL;
    gsize n, m;

    assert(g_file_get_contents(path, &got, &n, NULL) && g_file_get_contents(input_path, &want, &m, NULL));
    assert(n == SIZE && m == SIZE && memcmp(got, want, n) == 0);
}

static bool create(GError **err)
{
    auto_fd input = open(input_path, O_RDONLY | O_CLOEXEC);
    VolumeFile f = { "v", SIZE, 0, 0640, (uid_t)-1, (gid_t)-1, false, false };
    return volume_file_create(&dir, &f, input, NULL, err);
}

static bool fill(int fd, void *data, GError **err)
{
    g_autofree char *text = NULL;
    gsize n;

    (void)data;
    return g_file_get_contents(input_path, &text, &n, err) && fd_write_all(fd, text, n) == 0;
}

static bool make(GError **err)
{
    VolumeFile f = { "v", SIZE, 0, 0640, (uid_t)-1, (gid_t)-1, false, false };
    return volume_file_make(&dir, &f, fill, NULL, err);
}

static void remove_volume(void)
{
    assert(volume_file_delete(&dir, "v", NULL));
    assert(count(pool_path, NULL) == 0);
}

/* Every step fails: nothing is left; then all goes well. */
static void test_failing_steps(bool (*work)(GError **err))
{
    unsigned n = 1;

    for (;; n++) {
        g_autoptr(GError) err = NULL;
        volume_file_fail_at(n, EIO);
        bool ok = work(&err);
        volume_file_fail_at(0, 0);
        if (ok)
            break;
        assert(err && count(pool_path, NULL) == 0 && count(records_path, NULL) == 0);
        assert(n < 50);
    }
    assert(n > 4);
    assert_content("v");
    struct stat st;
    g_autofree char *path = in_pool("v");
    assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640);
    remove_volume();
}

/* The daemon dies at every step: after the next start the volume is whole, or nothing is there. */
static void test_dying_steps(bool (*work)(GError **err))
{
    unsigned whole = 0, none = 0;

    for (unsigned n = 1;; n++) {
        pid_t pid = fork();
        assert(pid >= 0);
        if (pid == 0) {
            volume_file_fail_at(n, -1);
            _exit(work(NULL) ? 0 : 1);
        }
        int status;
        assert(waitpid(pid, &status, 0) == pid);
        (void)volume_file_replay(records_path, NULL);
        g_autofree char *name = NULL;
        unsigned files = count(pool_path, &name);
        assert(count(records_path, NULL) == 0 && files <= 1);
        if (files) {
            assert(g_str_equal(name, "v"));
            assert_content("v");
            remove_volume();
        }
        whole += files;
        none += !files;
        if (WIFEXITED(status)) {
            assert(WEXITSTATUS(status) == 0);
            break;
        }
        assert(WTERMSIG(status) == SIGKILL && n < 50);
    }
    assert(whole > 1 && none > 2); /* some died after the name was there */
}

/* What somebody makes of a hidden name that he sees is not written through. */
static bool replace(int fd, void *data, GError **err)
{
    g_autofree char *name = NULL, *victim = g_build_filename(top, "victim", NULL);

    (void)data;
    (void)err;
    assert(count(pool_path, &name) == 1);
    g_autofree char *path = in_pool(name);
    assert(unlink(path) == 0 && symlink(victim, path) == 0);
    return write(fd, "x", 1) == 1;
}

static void test_hidden_names_of_others(void)
{
    g_autofree char *victim = g_build_filename(top, "victim", NULL), *path = in_pool("v");
    VolumeFile f = { "v", 0, 0, 0600, (uid_t)-1, (gid_t)-1, false, false };
    struct stat st;

    volume_file_hide(true);
    (void)volume_file_make(&dir, &f, replace, NULL, NULL); /* what is in his directory then is his affair */
    assert(stat(victim, &st) < 0 && errno == ENOENT && count(records_path, NULL) == 0);
    volume_file_hide(false);
    (void)unlink(path);
    assert(count(pool_path, NULL) == 0);
}

/* Needs root, who alone can give a link away. */
static void test_links_of_others(void)
{
    enum { SOMEBODY = 65534 };
    g_autofree char *victim = g_build_filename(top, "victim", NULL), *link = in_pool("v"), *deep = g_build_filename(top, "deep", NULL);
    g_autofree char *inside = g_build_filename(deep, "file", NULL), *by_dir = in_pool("d");
    const VolumeDir away = { by_dir, records_path };
    int fd;

    if (geteuid() != 0)
        return;
    assert(g_file_set_contents(victim, "x", 1, NULL) && chmod(victim, 0600) == 0 && symlink(victim, link) == 0);
    assert(chmod(top, 0711) == 0);
    assert((fd = volume_open(link, O_RDWR)) >= 0 && close(fd) == 0); /* root's own */
    assert(lchown(link, SOMEBODY, SOMEBODY) == 0);
    assert(volume_open(link, O_RDONLY) < 0 && errno == EPERM);
    assert(!volume_file_resize(link, 5, false, NULL, NULL) && !volume_wipe(link, VIR_STORAGE_VOL_WIPE_ALG_ZERO, NULL, NULL));
    assert(chmod(victim, 0644) == 0); /* what everybody may read, he may */
    assert((fd = volume_open(link, O_RDONLY)) >= 0 && close(fd) == 0);
    assert(volume_open(link, O_WRONLY) < 0 && errno == EPERM);
    assert(chmod(victim, 0600) == 0 && chown(victim, SOMEBODY, SOMEBODY) == 0);
    assert((fd = volume_open(link, O_RDWR)) >= 0 && close(fd) == 0); /* his own */
    assert(unlink(link) == 0);

    /* A directory that he could not search is no way either. */
    assert(mkdir(deep, 0700) == 0 && g_file_set_contents(inside, "x", 1, NULL) && chmod(inside, 0644) == 0);
    assert(symlink(inside, link) == 0 && lchown(link, SOMEBODY, SOMEBODY) == 0);
    assert(volume_open(link, O_RDONLY) < 0 && errno == EPERM);
    assert(chmod(deep, 0755) == 0 && (fd = volume_open(link, O_RDONLY)) >= 0 && close(fd) == 0);
    assert(symlink("v", by_dir) == 0 && (fd = volume_open(by_dir, O_RDONLY)) >= 0 && close(fd) == 0);
    assert(unlink(link) == 0 && symlink("d", link) == 0);
    assert(volume_open(link, O_RDONLY) < 0 && errno == ELOOP);
    assert(unlink(link) == 0 && unlink(by_dir) == 0);

    /* A pool whose directory he replaced. */
    assert(symlink(deep, by_dir) == 0 && lchown(by_dir, SOMEBODY, SOMEBODY) == 0);
    assert((fd = volume_open_dir(by_dir, false)) >= 0 && close(fd) == 0);
    VolumeFile f = { "planted", 0, 0, 0600, (uid_t)-1, (gid_t)-1, false, false };
    g_autoptr(GError) err = NULL;
    assert(!volume_file_create(&away, &f, -1, NULL, &err) && error_errno(err) == EPERM && count(deep, NULL) == 1);
    assert(unlink(by_dir) == 0 && count(pool_path, NULL) == 0);
}

static void test_names_are_not_replaced(void)
{
    g_autoptr(GError) err = NULL, again = NULL;

    assert(create(NULL));
    assert(!create(&err) && error_is(err, VIR_ERR_STORAGE_VOL_EXIST));
    assert(!make(&again) && error_is(again, VIR_ERR_STORAGE_VOL_EXIST));
    assert_content("v");
    remove_volume();
    assert(volume_file_is_temporary(".modvirt-new-00") && !volume_file_is_temporary(".hidden"));
}

static uint64_t blocks(const char *name)
{
    g_autofree char *path = in_pool(name);
    struct stat st;

    assert(stat(path, &st) == 0);
    return (uint64_t)st.st_blocks * 512;
}

static bool is_cancelled(void *yes)
{
    return *(bool *)yes;
}

/* One of the steps is the call that a file system may lack; whichever fails, a volume that is made has its room. */
static void make_without_call(const VolumeFile *f, int input)
{
    unsigned made = 0;

    for (unsigned n = 1; n < 16; n++) {
        volume_file_fail_at(n, EOPNOTSUPP);
        bool ok = volume_file_create(&dir, f, input, NULL, NULL);
        volume_file_fail_at(0, 0);
        if (!ok)
            continue;
        assert(blocks("v") >= f->allocation);
        if (input >= 0)
            assert_content("v");
        made++;
        remove_volume();
    }
    assert(made > 1);
}

static void test_room_is_written(void)
{
    VolumeFile f = { "v", SIZE, 2 << 20, (mode_t)-1, (uid_t)-1, (gid_t)-1, false, false };
    bool cancel = false;
    const StorageJob job = { .cancelled = is_cancelled, .data = &cancel };
    g_autofree char *path = in_pool("v");
    g_autoptr(GError) err = NULL;
    auto_fd input = open(input_path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    make_without_call(&f, -1);
    f.allocation = SIZE;
    make_without_call(&f, input);
    assert(volume_file_create(&dir, &f, -1, NULL, NULL));
    volume_file_fail_at(1, EOPNOTSUPP);
    assert(volume_file_resize(path, 2 * SIZE, true, &job, NULL));
    assert(blocks("v") >= 2 * SIZE && stat(path, &st) == 0 && st.st_size == 2 * SIZE);
    cancel = true;
    volume_file_fail_at(1, EOPNOTSUPP);
    assert(!volume_file_resize(path, 3 * SIZE, true, &job, &err) && error_is(err, VIR_ERR_OPERATION_ABORTED));
    assert(stat(path, &st) == 0 && st.st_size == 2 * SIZE);
    remove_volume();
}

static void test_sizes(void)
{
    VolumeFile f = { "v", SIZE, 1 << 20, (mode_t)-1, (uid_t)-1, (gid_t)-1, false, false };
    VolumeFile cow = { "c", SIZE, 0, (mode_t)-1, (uid_t)-1, (gid_t)-1, true, false };
    g_autofree char *path = in_pool("v");
    g_autoptr(GError) why = NULL;
    struct stat st;

    /* Without copy-on-write, or not at all. */
    assert(volume_file_create(&dir, &cow, -1, NULL, &why) ? volume_file_delete(&dir, "c", NULL) : error_errno(why) == ENOSYS);
    assert(volume_file_create(&dir, &f, -1, NULL, NULL));
    assert(blocks("v") >= 1 << 20 && blocks("v") < 2 << 20);
    assert(volume_file_resize(path, 5 << 20, true, NULL, NULL) && blocks("v") >= 3 << 20);
    assert(volume_file_resize(path, 1 << 20, false, NULL, NULL) && stat(path, &st) == 0 && st.st_size == 1 << 20);
    for (unsigned n = 1; n <= 2; n++) {
        g_autoptr(GError) err = NULL;
        volume_file_fail_at(n, ENOSPC);
        assert(!volume_file_resize(path, 8 << 20, true, NULL, &err) && error_errno(err) == ENOSPC);
        assert(stat(path, &st) == 0 && st.st_size == 1 << 20);
    }
    volume_file_fail_at(0, 0);
    remove_volume();
    f.name = "d";
    assert(volume_dir_create(&dir, &f, NULL) && volume_file_delete(&dir, "d", NULL));
    f.capacity = UINT64_MAX;
    assert(!volume_file_create(&dir, &f, -1, NULL, NULL));
}

static void test_wipe(void)
{
    g_autofree char *path = in_pool("v"), *got = NULL, *random = NULL;
    g_autofree char *data = g_malloc(SIZE), *zeros = g_malloc0(SIZE);
    g_autoptr(GError) err = NULL, missing = NULL;
    gsize n;

    memset(data, 'x', SIZE);
    assert(g_file_set_contents(path, data, SIZE, NULL));
    assert(volume_wipe(path, VIR_STORAGE_VOL_WIPE_ALG_RANDOM, NULL, NULL));
    assert(g_file_get_contents(path, &random, &n, NULL) && n == SIZE);
    assert(memcmp(random, data, 64) != 0 && memcmp(random + SIZE - 64, data, 64) != 0 && memcmp(random, zeros, 64) != 0);
    assert(volume_wipe(path, VIR_STORAGE_VOL_WIPE_ALG_ZERO, NULL, NULL));
    assert(g_file_get_contents(path, &got, &n, NULL) && n == SIZE && memcmp(got, zeros, SIZE) == 0);
    if (volume_wipe(path, VIR_STORAGE_VOL_WIPE_ALG_TRIM, NULL, &err))
        assert(blocks("v") == 0);
    else
        assert(error_is(err, VIR_ERR_OPERATION_UNSUPPORTED));
    g_autofree char *program = storage_find_program("scrub");
    bool done = volume_wipe(path, VIR_STORAGE_VOL_WIPE_ALG_NNSA, NULL, &missing);
    assert(program ? done : error_is(missing, VIR_ERR_OPERATION_UNSUPPORTED) && strstr(missing->message, "scrub"));
    assert(!volume_wipe(path, 99, NULL, NULL));
    remove_volume();
}

static bool yes(void *data)
{
    return ++*(int *)data > 1;
}

static void test_programs(void)
{
    g_autoptr(Argv) slow = argv_new("sleep"), missing = argv_new("no-such-program");
    g_autoptr(GError) late = NULL, cancelled = NULL, unknown = NULL;
    int asked = 0;

    argv_words(slow, "60", NULL);
    StorageJob short_one = { .usec = 300000 }, unwanted = { .cancelled = yes, .data = &asked };
    assert(!storage_run(slow, &short_one, NULL, &late) && error_is(late, VIR_ERR_OPERATION_TIMEOUT));
    assert(!storage_run(slow, &unwanted, NULL, &cancelled) && error_is(cancelled, VIR_ERR_OPERATION_ABORTED));
    assert(!storage_run(missing, NULL, NULL, &unknown) && error_is(unknown, VIR_ERR_OPERATION_UNSUPPORTED));
    assert(strstr(unknown->message, "no-such-program"));
}

/* A server that does not answer costs the call its time, and no more. */
static void test_dead_server(void)
{
    g_autofree char *helper = g_build_filename(top, "virt-storage-work", NULL);
    g_autoptr(GError) err = NULL;
    StoragePoolDef d = { .source = { .type = POOL_NETFS }, .target = (char *)"/anywhere" };
    StorageJob job = { .usec = 300000 };
    PoolFigures figures;

    assert(g_file_set_contents(helper, "#!/bin/sh\nexec sleep 60\n", -1, NULL) && chmod(helper, 0700) == 0);
    assert(g_setenv("MODVIRT_LIBEXEC_DIR", top, TRUE) && paths_init(top, false, NULL));
    assert(!backend_netfs.measure(&d, &figures, &job, &err) && error_is(err, VIR_ERR_OPERATION_TIMEOUT));
}

static void make_input(void)
{
    g_autofree char *data = g_malloc(4096);
    auto_fd fd = open(input_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    memset(data, 'd', 4096);
    assert(ftruncate(fd, SIZE) == 0 && pwrite(fd, data, 4096, 0) == 4096 && pwrite(fd, data, 4096, 2 << 20) == 4096);
}

int main(void)
{
    top = g_dir_make_tmp("test-volume-XXXXXX", NULL);
    assert(top);
    pool_path = g_build_filename(top, "pool", NULL);
    records_path = g_build_filename(top, "records", NULL);
    input_path = g_build_filename(top, "input", NULL);
    dir = (VolumeDir){ pool_path, records_path };
    assert(g_mkdir_with_parents(pool_path, 0700) == 0 && g_mkdir_with_parents(records_path, 0700) == 0);
    make_input();
    for (unsigned i = 0; i < 2; i++) {
        volume_file_hide(i == 1);
        test_failing_steps(create);
        test_failing_steps(make);
        test_dying_steps(create);
        test_dying_steps(make);
    }
    volume_file_hide(false);
    test_hidden_names_of_others();
    test_links_of_others();
    test_names_are_not_replaced();
    test_sizes();
    test_room_is_written();
    test_wipe();
    test_programs();
    test_dead_server();
    const char *argv[] = { "rm", "-r", top, NULL };
    assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL));
    g_free(top);
    g_free(pool_path);
    g_free(records_path);
    g_free(input_path);
    return 0;
}
