/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking at images (image.h). The format is what the definition says, "raw" when it says nothing: a
 * guest may write any head into a raw image, so the head is never asked which it is.
 */
#include "drivers/qemu/image.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/image.h"
#include "util/pool.h"

enum { BLOCK = 512, HEAD = 512 }; /* every format has its size in the first sector */

static bool look(const StorageSource *s, ImageSizes *ret, GError **err)
{
    auto_fd fd = image_open(s->path, O_RDONLY);
    struct stat st;
    const char *format =
        enum_name(&storage_format_names,
                  s->format == FORMAT_NONE || s->format == FORMAT_AUTO ? FORMAT_RAW : s->format);

    if (fd < 0 || fstat(fd, &st) < 0) {
        error_set_errno(err, errno, "cannot open '%s'", s->path);
        return false;
    }
    *ret = (ImageSizes){ .physical = (uint64_t)st.st_size,
                         .allocation = (uint64_t)st.st_blocks * BLOCK };
    if (S_ISBLK(st.st_mode)) {
        off_t end = lseek(fd, 0, SEEK_END);
        if (end < 0) {
            error_set_errno(err, errno, "cannot find the end of '%s'", s->path);
            return false;
        }
        ret->physical = ret->allocation = (uint64_t)end;
    } else if (!S_ISREG(st.st_mode)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "'%s' is neither a file nor a block device",
                  s->path);
        return false;
    }
    if (s->format == FORMAT_RAW || s->format == FORMAT_NONE || s->format == FORMAT_AUTO) {
        ret->capacity = ret->physical;
        return true;
    }
    uint8_t head[HEAD];
    ssize_t n = pread(fd, head, sizeof(head), 0);
    if (n < 0) {
        error_set_errno(err, errno, "cannot read '%s'", s->path);
        return false;
    }
    (void)image_capacity(format, head, (size_t)n, ret->physical, &ret->capacity); /* else 0 */
    return true;
}

bool image_sizes(const StorageSource *s, ImageSizes *ret, GError **err)
{
    pool_wait_begin();
    bool ok = look(s, ret, err);
    pool_wait_end();
    return ok;
}

ssize_t image_peek(const char *path, void *buffer, size_t n, off_t at)
{
    pool_wait_begin();
    int fd = image_open(path, O_RDONLY);
    ssize_t r = fd < 0 ? -1 : pread(fd, buffer, n, at);
    int errnum = errno;
    fd_close(&fd);
    pool_wait_end();
    errno = errnum;
    return r;
}
