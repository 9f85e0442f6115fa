/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of volumes (volume_file.h). Invariant: a name that is not hidden is a whole volume, durable when
 * the call has returned. The order that makes it so: content, sync, name, sync of the directory; a record
 * is there before its hidden file and goes after it. A name never replaces another: link() and
 * RENAME_NOREPLACE decide, not a look before.
 */
#define LOG_SOURCE "storage.volume"
#include "drivers/storage/volume_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "drivers/storage/mounts.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/lock.h"
#include "util/log.h"
#include "util/state.h"

#define TEMP_PREFIX ".modvirt-new-"
enum { COPY_CHUNK = 1 << 20, SYNC_EVERY = 64 << 20, ZERO_UNIT = 4096 };

static unsigned fail_in; /* tests have one thread */
static int fail_with;
static bool hide_always;

void volume_file_hide(bool always)
{
    hide_always = always;
}

void volume_file_fail_at(unsigned n, int errnum)
{
    fail_in = n;
    fail_with = errnum;
}

/* What a step says, unless a test wants it to fail. */
static int step(int result)
{
    if (G_LIKELY(!fail_in) || --fail_in)
        return result;
    if (fail_with < 0)
        (void)raise(SIGKILL);
    errno = fail_with;
    return -1;
}

#define STEP(call) (fail_in == 1 && fail_with >= 0 ? step(0) : step(call))

static bool fails(GError **err, const VolumeDir *d, const char *name, const char *what)
{
    if (errno == EEXIST)
        error_set(err, VIR_ERR_STORAGE_VOL_EXIST, "'%s'", name);
    else
        error_set_errno(err, errno, "cannot %s volume '%s' in '%s'", what, name, d->path);
    return false;
}

static int open_dir(const VolumeDir *d, GError **err)
{
    int fd = volume_open_dir(d->path, true);

    if (fd < 0)
        error_set_errno(err, errno, "cannot open directory '%s'", d->path);
    return fd;
}

bool volume_file_is_temporary(const char *name)
{
    return g_str_has_prefix(name, TEMP_PREFIX);
}

/* Content ----------------------------------------------------------------------------------------- */

static bool set_owner(int fd, const VolumeFile *f)
{
    mode_t mode = f->mode == (mode_t)-1 ? 0600 : f->mode;

    if ((f->uid != (uid_t)-1 || f->gid != (gid_t)-1) && STEP(fchown(fd, f->uid, f->gid)) < 0)
        return false;
    return STEP(fchmod(fd, mode)) == 0; /* after the owner, whose change may clear bits */
}

/* Only possible while the file is empty, and on btrfs: who asks for it elsewhere is told. */
static bool set_nocow(int fd, const char *name, GError **err)
{
    struct statfs fs;
    int flags;

    if (fstatfs(fd, &fs) == 0 && fs.f_type == BTRFS_SUPER_MAGIC && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
        flags |= FS_NOCOW_FL;
        if (ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0)
            return true;
        error_set_errno(err, errno, "cannot switch off copy-on-write of '%s'", name);
        return false;
    }
    error_set_errno(err, ENOSYS, "unable to control COW flag on '%s', not btrfs", name);
    return false;
}

static bool all_zero(const char *buf, size_t n)
{
    return n == 0 || (buf[0] == 0 && memcmp(buf, buf + 1, n - 1) == 0);
}

static bool write_at(int fd, const char *buf, ssize_t n, off_t at)
{
    for (ssize_t done = 0; done < n;) {
        ssize_t w = STEP((int)pwrite(fd, buf + done, (size_t)(n - done), at + done));
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return false;
        done += w;
    }
    return true;
}

/* Bytes [at, end) of both files. Zeros stay holes. */
static bool copy_range(int from, int to, off_t at, off_t end, char *buf)
{
    while (at < end) {
        ssize_t n = pread(from, buf, (size_t)MIN(COPY_CHUNK, end - at), at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0; /* shorter than it was: the rest is zeros */
        if (!all_zero(buf, (size_t)n) && !write_at(to, buf, n, at))
            return false;
        at += n;
    }
    return true;
}

static bool copy_content(int from, int to, uint64_t capacity, const StorageJob *job, GError **err)
{
    g_autofree char *buf = g_malloc(COPY_CHUNK);
    off_t end = lseek(from, 0, SEEK_END), synced = 0;

    end = MIN(end, (off_t)MIN(capacity, (uint64_t)INT64_MAX));
    for (off_t at = 0; at < end;) {
        off_t data = lseek(from, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            break; /* holes to the end */
        if (data < 0)
            data = at; /* cannot tell: all of it is data */
        data = MIN(data, end);
        off_t hole = lseek(from, data, SEEK_HOLE);
        hole = hole < 0 ? end : MIN(hole, end);
        for (at = data; at < hole;) {
            off_t next = MIN(hole, at + COPY_CHUNK);
            if (storage_job_cancelled(job, err) || !copy_range(from, to, at, next, buf))
                return false;
            at = next;
            storage_job_progress(job, (uint64_t)at, (uint64_t)end);
            if (at - synced > SYNC_EVERY) { /* not all at the end, when it would look like a hang */
                (void)sync_file_range(to, synced, at - synced, SYNC_FILE_RANGE_WRITE);
                synced = at;
            }
        }
    }
    return true;
}

/* Where there is nothing but zeros, they are written. Nobody else may write there meanwhile. */
static bool write_zeros(int fd, off_t from, off_t end, const StorageJob *job, GError **err)
{
    g_autofree char *buf = g_malloc(COPY_CHUNK);
    off_t synced = from;

    for (off_t at = from; at < end;) {
        if (storage_job_cancelled(job, err))
            return false;
        ssize_t n = pread(fd, buf, (size_t)MIN(COPY_CHUNK, end - at), at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0) { /* behind its end */
            n = (ssize_t)MIN(COPY_CHUNK, end - at);
            memset(buf, 0, (size_t)n);
        }
        ssize_t unit = all_zero(buf, (size_t)n) ? n : ZERO_UNIT;
        for (ssize_t done = 0; done < n; done += unit) {
            ssize_t part = MIN(unit, n - done);
            if (all_zero(buf + done, (size_t)part) && !write_at(fd, buf + done, part, at + done))
                return false;
        }
        at += n;
        storage_job_progress(job, (uint64_t)(at - from), (uint64_t)(end - from));
        if (at - synced > SYNC_EVERY) {
            (void)sync_file_range(fd, synced, at - synced, SYNC_FILE_RANGE_WRITE);
            synced = at;
        }
    }
    return true;
}

/* Room for bytes [from, end) of a file that ends at or before end. Not every file system has a call for that: there it is written,
 * from 'fresh' on, before which somebody else may write. */
static bool reserve(int fd, off_t from, off_t fresh, off_t end, const StorageJob *job, GError **err)
{
    if (from >= end || STEP(fallocate(fd, 0, from, end - from)) == 0)
        return true;
    return errno == EOPNOTSUPP && write_zeros(fd, fresh, end, job, err);
}

typedef struct RawFill {
    const VolumeFile *f;
    int input; /* -1: zeros */
    const StorageJob *job;
} RawFill;

static bool fill_raw(int fd, void *data, GError **err)
{
    const RawFill *r = data;
    const VolumeFile *f = r->f;

    if (f->nocow && !set_nocow(fd, f->name, err))
        return false;
    if (STEP(ftruncate(fd, (off_t)f->capacity)) < 0)
        return false;
    if (r->input >= 0) {
        bool shared = ioctl(fd, FICLONE, r->input) == 0;
        if (!shared && f->reflink) {
            error_set_errno(err, errno, "volume '%s' cannot share blocks with its original", f->name);
            return false;
        }
        /* Sharing made the file as long as the original. */
        if (shared ? STEP(ftruncate(fd, (off_t)f->capacity)) < 0 : !copy_content(r->input, fd, f->capacity, r->job, err))
            return false;
    }
    /* What is promised is there, zeros or not. */
    return reserve(fd, 0, 0, (off_t)MIN(f->allocation, f->capacity), r->job, err);
}

/* Records ----------------------------------------------------------------------------------------- */

typedef struct Temp {
    char name[64];
} Temp;

/* Of this process, as no other has it, whatever its number: the beginning of all of its names. */
static const char *own_prefix(void)
{
    static Lock lock = LOCK_INIT;
    static char prefix[48];
    static pid_t made_for;
    uint64_t r = 0;
    LOCK_SCOPE(&lock);

    if (made_for != getpid()) {
        made_for = getpid();
        (void)!getrandom(&r, sizeof(r), 0);
        g_snprintf(prefix, sizeof(prefix), TEMP_PREFIX "%d-%016" PRIx64 "-", (int)made_for, r);
    }
    return prefix;
}

/* Nobody guesses the next one. */
static Temp temp_name(void)
{
    uint64_t r = 0;
    Temp t;

    (void)!getrandom(&r, sizeof(r), 0);
    g_snprintf(t.name, sizeof(t.name), "%s%016" PRIx64, own_prefix(), r);
    return t;
}

static int open_records(const VolumeDir *d, GError **err)
{
    return state_open_dir(d->records, 0700, err);
}

/* The record has the hidden file's name, and its directory as content. */
static bool record_write(int records, const VolumeDir *d, const Temp *t, GError **err)
{
    if (STEP(0) < 0) {
        error_set_errno(err, errno, "cannot record what is made in '%s'", d->path);
        return false;
    }
    return state_write(records, t->name, d->path, strlen(d->path), 0600, err);
}

/* When the daemon starts, all that is not its own is left over. Later a number that is used anew keeps a file until
 * the next start. */
static bool maker_lives(const char *name, bool starting)
{
    if (starting || g_str_has_prefix(name, own_prefix()))
        return g_str_has_prefix(name, own_prefix());
    long pid = strtol(name + strlen(TEMP_PREFIX), NULL, 10);
    return pid > 0 && pid <= INT_MAX && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

unsigned volume_file_replay(const char *records, const char *only)
{
    auto_fd dir = state_open_dir(records, 0700, NULL);
    g_auto(GStrv) names = dir < 0 ? NULL : state_list(dir, "", NULL);
    unsigned n = 0;

    for (char **name = names; name && *name; name++) {
        g_autoptr(GError) err = NULL;
        g_autofree char *pool = volume_file_is_temporary(*name) ? state_read(dir, *name, PATH_MAX, NULL, &err) : NULL;
        if (!pool || maker_lives(*name, !only) || (only ? strcmp(pool, only) != 0 : mount_may_hang(pool)))
            continue;
        g_autofree char *path = g_build_filename(pool, *name, NULL);
        /* A pool that is not mounted now may be later: the record stays for the next start. */
        if (unlink(path) < 0 && errno != ENOENT) {
            log_warn("cannot remove '%s', an unfinished volume: %s", path, g_strerror(errno));
            continue;
        }
        if (access(pool, F_OK) == 0)
            (void)state_remove(dir, *name, NULL);
        n++;
    }
    return n;
}

/* Making ------------------------------------------------------------------------------------------ */

/* Gives a finished file its name, for good. */
static bool publish(int dir, int fd, const char *temp, const char *name)
{
    char self[64];

    if (STEP(fsync(fd)) < 0)
        return false;
    if (temp) {
        if (STEP(renameat2(dir, temp, dir, name, RENAME_NOREPLACE)) < 0) {
            if (errno != EINVAL)
                return false;
            /* Not every network file system knows that flag. */
            if (linkat(dir, temp, dir, name, 0) < 0)
                return false;
            (void)unlinkat(dir, temp, 0);
        }
    } else {
        g_snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
        if (STEP(linkat(AT_FDCWD, self, dir, name, AT_SYMLINK_FOLLOW)) < 0)
            return false;
    }
    if (STEP(fsync(dir)) == 0)
        return true;
    int saved = errno;
    (void)unlinkat(dir, name, 0);
    errno = saved;
    return false;
}

/* Where the file system has no files without names. */
static int open_hidden(const VolumeDir *d, int dir, int *ret_records, Temp *ret, GError **err)
{
    auto_fd records = open_records(d, err);

    *ret = temp_name();
    if (records < 0 || !record_write(records, d, ret, err))
        return -1;
    int fd = STEP(openat(dir, ret->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (fd < 0) {
        (void)fails(err, d, ret->name, "make the unfinished");
        (void)state_remove(records, ret->name, NULL);
        return -1;
    }
    *ret_records = fd_take(&records);
    return fd;
}

static int open_nameless(int dir)
{
    errno = EOPNOTSUPP;
    return hide_always ? -1 : STEP(openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}

static bool lacks_nameless(int errnum)
{
    return errnum == EOPNOTSUPP || errnum == EISDIR || errnum == EINVAL || errnum == ENOENT;
}

bool volume_file_make(const VolumeDir *d, const VolumeFile *f, VolumeFillFn *fill, void *data, GError **err)
{
    auto_fd dir = open_dir(d, err), records = -1;
    GError *error = NULL;
    Temp t = { "" };

    if (dir < 0)
        return false;
    if (faccessat(dir, f->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) { /* before the work; publish() decides */
        errno = EEXIST;
        return fails(err, d, f->name, "make");
    }
    auto_fd fd = open_nameless(dir);
    if (fd < 0 && !lacks_nameless(errno))
        return fails(err, d, f->name, "make");
    if (fd < 0 && (fd = open_hidden(d, dir, &records, &t, err)) < 0)
        return false;
    bool ok = fill(fd, data, &error) && set_owner(fd, f) && publish(dir, fd, *t.name ? t.name : NULL, f->name);
    if (!ok && !error)
        (void)fails(&error, d, f->name, "make");
    if (records >= 0) {
        if (!ok)
            (void)unlinkat(dir, t.name, 0);
        /* The record of a hidden file that is gone harms nobody: a failure here is not the volume's. */
        (void)state_remove(records, t.name, NULL);
    }
    if (error)
        g_propagate_error(err, error);
    return ok;
}

bool volume_file_create(const VolumeDir *d, const VolumeFile *f, int input, const StorageJob *job, GError **err)
{
    RawFill r = { f, input, job };

    if (f->capacity <= INT64_MAX)
        return volume_file_make(d, f, fill_raw, &r, err);
    error_set(err, VIR_ERR_OVERFLOW, "volume '%s' is too large: %" G_GUINT64_FORMAT " bytes", f->name, f->capacity);
    return false;
}

bool volume_dir_create(const VolumeDir *d, const VolumeFile *f, GError **err)
{
    auto_fd dir = open_dir(d, err);

    if (dir < 0)
        return false;
    if (STEP(mkdirat(dir, f->name, 0700)) < 0)
        return fails(err, d, f->name, "create");
    auto_fd fd = openat(dir, f->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    VolumeFile with = *f;
    if (f->mode == (mode_t)-1)
        with.mode = 0711;
    if (fd >= 0 && set_owner(fd, &with) && STEP(fsync(dir)) == 0)
        return true;
    int saved = errno;
    (void)unlinkat(dir, f->name, AT_REMOVEDIR);
    errno = saved;
    return fails(err, d, f->name, "create");
}

bool volume_file_delete(const VolumeDir *d, const char *name, GError **err)
{
    auto_fd dir = open_dir(d, err);
    struct stat st;

    if (dir < 0)
        return false;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        STEP(unlinkat(dir, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0)) < 0)
        return errno == ENOENT || fails(err, d, name, "delete");
    return STEP(fsync(dir)) == 0 || fails(err, d, name, "delete");
}

bool volume_file_resize(const char *path, uint64_t capacity, bool allocate, const StorageJob *job, GError **err)
{
    auto_fd fd = volume_open(path, O_RDWR);
    struct stat st;
    GError *why = NULL;
    bool ok;

    if (fd < 0 || fstat(fd, &st) < 0) {
        error_set_errno(err, errno, "cannot open '%s'", path);
        return false;
    }
    /* Room first: a file that has grown without it would be a promise that cannot be kept. As much as it has is taken to be
     * at its beginning, as today's daemons do, so that one of which all was allocated is so again. */
    off_t has = MIN((off_t)st.st_blocks * 512, st.st_size);
    if (allocate && capacity > (uint64_t)st.st_size)
        ok = reserve(fd, has, st.st_size, (off_t)capacity, job, &why);
    else
        ok = STEP(ftruncate(fd, (off_t)capacity)) == 0;
    if (ok && STEP(fsync(fd)) == 0)
        return true;
    int saved = errno;
    if (capacity > (uint64_t)st.st_size)
        (void)!ftruncate(fd, st.st_size);
    if (why)
        g_propagate_error(err, why);
    else
        error_set_errno(err, saved, "cannot resize '%s' to %" G_GUINT64_FORMAT " bytes", path, capacity);
    return false;
}
