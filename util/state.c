/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * State files. Invariant: whatever happens at whatever step, a name shows either the whole old or
 * the whole new content, and once a call has returned true the new one survives a power cut or the log
 * says that it may not.
 * Temporary files are hidden names of our own that state_list() skips; a crash can leave one
 * behind, state_open_dir() removes those whose writer is gone. Each durable step passes step(), where tests
 * make it fail or the process die. Any thread; writers of one name must take turns themselves.
 */
#define LOG_SOURCE "util.state"
#include "util/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/paths.h"

#define TEMP_PREFIX ".new-"
enum { TEMP_OLD_SECONDS = 600 }; /* no writer takes that long, whoever has its process number now */

static time_t loaded;

__attribute__((constructor)) static void note_time(void)
{
    loaded = time(NULL);
}

static atomic_uint fail_in; /* 0: off */
static atomic_int fail_with;

void state_fail_at(unsigned n, int errnum)
{
    fail_with = errnum;
    fail_in = n;
}

/* True when the step may go on; false with errno set. */
static bool step(void)
{
    unsigned n = fail_in;

    while (n > 0 && !atomic_compare_exchange_weak(&fail_in, &n, n - 1))
        ;
    if (n != 1)
        return true;
    if (fail_with < 0)
        raise(SIGKILL);
    errno = fail_with;
    return false;
}

static bool is_temp(const char *name)
{
    return g_str_has_prefix(name, TEMP_PREFIX);
}

typedef struct TempName {
    char s[sizeof(TEMP_PREFIX) + 16];
} TempName;

static TempName temp_name(void)
{
    TempName t;
    uint32_t r = 0;

    (void)!getrandom(&r, sizeof(r), 0); /* O_EXCL is what guards; this only avoids collisions */
    g_snprintf(t.s, sizeof(t.s), TEMP_PREFIX "%08x%08" PRIx32, (unsigned)getpid(), r);
    return t;
}

/* A DIR of its own description, so that the offset of dirfd is left alone. */
static DIR *dir_reopen(int dirfd)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (!d)
        fd_close(&fd);
    return d;
}

/* Whether somebody may still be writing it. In a container each daemon in turn has the same number. */
static bool temp_in_use(const char *name, time_t written)
{
    char digits[9] = { 0 };

    memcpy(digits, name + strlen(TEMP_PREFIX), strnlen(name + strlen(TEMP_PREFIX), 8));
    pid_t writer = (pid_t)strtoul(digits, NULL, 16);
    if (written + TEMP_OLD_SECONDS < time(NULL) || writer <= 0)
        return false;
    return writer == getpid() ? written >= loaded : kill(writer, 0) == 0 || errno != ESRCH;
}

static void remove_old_temps(int dirfd)
{
    DIR *d = dir_reopen(dirfd);

    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;

        if (is_temp(e->d_name) && fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            !temp_in_use(e->d_name, st.st_mtime))
            (void)unlinkat(dirfd, e->d_name, 0); /* only tidiness */
    }
    closedir(d);
}

int state_open_dir(const char *path, unsigned mode, GError **err)
{
    int fd;

    if (!path_make_dir(path, mode, err))
        return -1;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        error_set_errno(err, errno, "cannot open directory '%s'", path);
        return -1;
    }
    remove_old_temps(fd);
    return fd;
}

static bool name_ok(const char *name, GError **err)
{
    return path_component_ok(name, NULL, err);
}

/* Too late for an error: everybody sees the change already. */
static void sync_dir(int dirfd, const char *name)
{
    if (!step() || fsync(dirfd) < 0)
        log_error("cannot sync the directory of state file '%s', a power cut could undo its change: %s", name,
                  g_strerror(errno));
}

/* Puts the temporary file in place; removes it when that fails. */
static bool rename_over(int dirfd, const char *temp, const char *name, GError **err)
{
    if (!step() || renameat(dirfd, temp, dirfd, name) < 0) {
        error_set_errno(err, errno, "cannot put state file '%s' in place", name);
        (void)unlinkat(dirfd, temp, 0); /* the error is already there */
        return false;
    }
    sync_dir(dirfd, name);
    return true;
}

bool state_write(int dirfd, const char *name, const char *bytes, gsize len, mode_t mode, GError **err)
{
    TempName temp = temp_name();
    auto_fd fd = -1;

    if (!name_ok(name, err))
        return false;
    if (step())
        fd = openat(dirfd, temp.s, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) {
        error_set_errno(err, errno, "cannot make state file '%s'", name);
        return false;
    }
    /* fchmod: the mode is exact, whatever the umask. */
    if (fchmod(fd, mode) < 0 || !step() || fd_write_all(fd, bytes, len) < 0 || !step() ||
        fsync(fd) < 0) {
        error_set_errno(err, errno, "cannot write state file '%s'", name);
        (void)unlinkat(dirfd, temp.s, 0); /* the error is already there */
        return false;
    }
    return rename_over(dirfd, temp.s, name, err);
}

char *state_read(int dirfd, const char *name, gsize max, gsize *ret_len, GError **err)
{
    auto_fd fd = -1;
    g_autofree char *buf = NULL;
    struct stat st;
    ssize_t n;

    if (!name_ok(name, err))
        return NULL;
    /* O_NONBLOCK: a FIFO under this name must not hold us up. */
    fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) < 0) {
        error_set_errno(err, errno, "cannot open state file '%s'", name);
        return NULL;
    }
    if (!S_ISREG(st.st_mode)) {
        error_set_errno(err, EINVAL, "state file '%s' is not a regular file", name);
        return NULL;
    }
    if ((uint64_t)st.st_size > max) {
        error_set_errno(err, EFBIG, "state file '%s' has %jd bytes, at most %zu are possible", name,
                        (intmax_t)st.st_size, (size_t)max);
        return NULL;
    }

    buf = g_malloc((gsize)st.st_size + 1);
    n = fd_read_all(fd, buf, (gsize)st.st_size);
    if (n < 0) {
        error_set_errno(err, errno, "cannot read state file '%s'", name);
        return NULL;
    }
    buf[n] = '\0';
    if (ret_len)
        *ret_len = (gsize)n;
    return g_steal_pointer(&buf);
}

bool state_remove(int dirfd, const char *name, GError **err)
{
    if (!name_ok(name, err))
        return false;
    if (!step() || unlinkat(dirfd, name, 0) < 0) {
        if (errno == ENOENT)
            return true;
        error_set_errno(err, errno, "cannot remove state file '%s'", name);
        return false;
    }
    sync_dir(dirfd, name);
    return true;
}

bool state_link(int dirfd, const char *name, const char *target, GError **err)
{
    TempName temp = temp_name();

    if (!name_ok(name, err))
        return false;
    if (!step() || symlinkat(target, dirfd, temp.s) < 0) {
        error_set_errno(err, errno, "cannot make link '%s'", name);
        return false;
    }
    return rename_over(dirfd, temp.s, name, err);
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **state_list(int dirfd, const char *suffix, GError **err)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    DIR *d = dir_reopen(dirfd);

    if (!d) {
        error_set_errno(err, errno, "cannot list a state directory");
        return NULL;
    }
    for (struct dirent *e; (errno = 0, e = readdir(d));) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && !is_temp(e->d_name) &&
            g_str_has_suffix(e->d_name, suffix ? suffix : ""))
            g_ptr_array_add(names, g_strdup(e->d_name));
    }
    if (errno != 0) {
        error_set_errno(err, errno, "cannot list a state directory");
        closedir(d);
        return NULL;
    }
    closedir(d);

    g_ptr_array_sort(names, by_name);
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}
