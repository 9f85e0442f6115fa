/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Wiping (volume_file.h). Zeros, random bytes and giving blocks back are our own; the patterns of
 * standards are those of scrub, where it is installed. Journals, snapshots and copies on write of the
 * storage below are out of reach of either.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/storage/volume_file.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"

enum { CHUNK = 1 << 20 };

static const char *const patterns[VIR_STORAGE_VOL_WIPE_ALG_TRIM + 1] = {
    [VIR_STORAGE_VOL_WIPE_ALG_NNSA] = "nnsa",           [VIR_STORAGE_VOL_WIPE_ALG_DOD] = "dod",
    [VIR_STORAGE_VOL_WIPE_ALG_BSI] = "bsi",             [VIR_STORAGE_VOL_WIPE_ALG_GUTMANN] = "gutmann",
    [VIR_STORAGE_VOL_WIPE_ALG_SCHNEIER] = "schneier",   [VIR_STORAGE_VOL_WIPE_ALG_PFITZNER7] = "pfitzner7",
    [VIR_STORAGE_VOL_WIPE_ALG_PFITZNER33] = "pfitzner33",
};

static bool fails(GError **err, const char *path)
{
    error_set_errno(err, errno, "cannot wipe '%s'", path);
    return false;
}

/* It gets what was opened, not the path, which may lead elsewhere by now. */
static bool scrub(int fd, const char *pattern, const StorageJob *job, GError **err)
{
    enum { TARGET = 20 };
    g_autoptr(Argv) a = argv_new("scrub");
    const SpawnFd file = { fd, TARGET };
    StorageJob patient = job ? *job : (StorageJob){ 0 };

    patient.usec = STORAGE_PATIENCE_USEC; /* 33 passes over a disk; cancel is the way out */
    patient.own = true;                   /* a volume of the same name may be somebody's later */
    patient.fds = &file;
    patient.n_fds = 1;
    argv_words(a, "-f", "-p", pattern, NULL);
    argv_wordf(a, "/dev/fd/%d", TARGET);
    return storage_run(a, &patient, NULL, err);
}

static bool random_fill(uint8_t *buf, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t r = getrandom(buf + done, MIN(n - done, 256), 0);
        if (r < 0 && errno != EINTR)
            return false;
        done += r > 0 ? (size_t)r : 0;
    }
    return true;
}

static bool overwrite(int fd, const char *path, uint64_t size, bool random, const StorageJob *job, GError **err)
{
    g_autofree uint8_t *buf = g_malloc0(CHUNK);

    for (uint64_t at = 0; at < size;) {
        if (storage_job_cancelled(job, err))
            return false;
        if (random && !random_fill(buf, CHUNK))
            return fails(err, path);
        ssize_t n = pwrite(fd, buf, (size_t)MIN(CHUNK, size - at), (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fails(err, path);
        at += (uint64_t)n;
        storage_job_progress(job, at, size);
    }
    return fdatasync(fd) == 0 || fails(err, path);
}

static bool give_back(int fd, const char *path, bool device, uint64_t size, GError **err)
{
    uint64_t range[2] = { 0, size };
    int r = device ? ioctl(fd, BLKDISCARD, range)
                   : fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)MIN(size, (uint64_t)INT64_MAX));

    if (size == 0 || r == 0)
        return true;
    if (errno == EOPNOTSUPP) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "the storage of '%s' cannot give blocks back", path);
        return false;
    }
    return fails(err, path);
}

/* A file with holes is not made larger by wiping: what it has goes, and the holes come back. Where they cannot be
 * made, the file is shorter for a moment. */
static bool empty(int fd, const char *path, off_t size, GError **err)
{
    bool ok = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, size) == 0 ||
              (errno == EOPNOTSUPP && ftruncate(fd, 0) == 0 && ftruncate(fd, size) == 0);

    return (ok && fsync(fd) == 0) || fails(err, path);
}

bool volume_wipe(const char *path, unsigned algorithm, const StorageJob *job, GError **err)
{
    auto_fd fd = volume_open(path, O_RDWR);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return fails(err, path);
    bool device = S_ISBLK(st.st_mode);
    if (!device && !S_ISREG(st.st_mode)) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "'%s' is neither a file nor a block device", path);
        return false;
    }
    off_t size = device ? lseek(fd, 0, SEEK_END) : st.st_size;
    if (size < 0)
        return fails(err, path);
    bool sparse = !device && (uint64_t)st.st_blocks * 512 < (uint64_t)size;
    switch (algorithm) {
    case VIR_STORAGE_VOL_WIPE_ALG_ZERO:
        if (sparse)
            return empty(fd, path, size, err);
        return overwrite(fd, path, (uint64_t)size, false, job, err);
    case VIR_STORAGE_VOL_WIPE_ALG_RANDOM:
        return overwrite(fd, path, (uint64_t)size, true, job, err);
    case VIR_STORAGE_VOL_WIPE_ALG_TRIM:
        return give_back(fd, path, device, (uint64_t)size, err);
    default:
        break;
    }
    if (algorithm >= G_N_ELEMENTS(patterns) || !patterns[algorithm]) {
        error_set(err, VIR_ERR_INVALID_ARG, "%u is not a way of wiping", algorithm);
        return false;
    }
    return scrub(fd, patterns[algorithm], job, err);
}
