/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the head of a disk image says: its format, its size as a guest sees it, what lies below it and
 * beside it, how it is encrypted. The bytes are whatever a guest wrote: nothing here follows a pointer
 * out of the buffer. Pure, but image_probe_fd().
 *
 * A guest can make a raw image look like any other. Whoever knows the format by other means must not ask
 * for it here.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* As many bytes of the image's begin as are worth reading. */
enum { IMAGE_HEAD_SIZE = 65536 + 512 };

typedef enum ImageEncryption {
    IMAGE_NOT_ENCRYPTED,
    IMAGE_QCOW_AES, /* the old way of qcow and qcow2 */
    IMAGE_LUKS,     /* of version 1: the whole file, or within qcow2 */
    IMAGE_LUKS2,
} ImageEncryption;

typedef struct ImageInfo {
    const char *format;      /* static, as definitions have it: "qcow2"; "raw" when it is none that we know */
    bool has_capacity;       /* false: the format does not tell */
    uint64_t capacity;       /* bytes that a guest sees */
    char *backing;           /* the image below, as the image names it; NULL: there is none */
    char *backing_format;    /* NULL: the image does not say */
    bool external_data;      /* the guest's data is in another file */
    bool external_data_raw;  /* which can be used as it is */
    char *data_file;         /* its name; NULL: whoever opens the image must know */
    ImageEncryption encryption;
    const char *compat;      /* qcow2: "0.10", "1.1"; static */
    const char *compression; /* qcow2: "zlib", "zstd"; static */
    uint64_t cluster_size;   /* bytes, 0: not known */
    bool lazy_refcounts, extended_l2, dirty, corrupt;
} ImageInfo;
void image_info_done(ImageInfo *i);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ImageInfo, image_info_done)

/* The name of the format alone. Static. */
const char *image_format(const uint8_t *head, size_t len);
/* format: what is known by other means, NULL: look. size: of the file. An image that does not look like the
 * format that it should have tells nothing but that format. False with *err: what it says makes no
 * sense; *ret is empty then. */
bool image_probe(const char *format, const uint8_t *head, size_t len, uint64_t size, ImageInfo *ret,
                 GError **err);
/* The size alone: enough of the head for that is its first sector. False: the format does not tell. */
bool image_capacity(const char *format, const uint8_t *head, size_t len, uint64_t size, uint64_t *ret);
/* Opens the file, directory or block device at path for flags (O_RDONLY, O_RDWR, …), without waiting for anybody. A
 * path that an image or a link names may be anything's: what opening it does to a terminal, a tape or a watchdog is
 * not found out. Below zero with errno, ENOTBLK for those. */
int image_open(const char *path, int flags);
/* The same of what has been found already: fd is of O_PATH, and stays the caller's. */
int image_reopen(int fd, int flags);
/* All of it of a file or device; the few formats that tell their size elsewhere are asked there. Blocks as
 * long as the file system does. */
bool image_probe_fd(int fd, const char *format, ImageInfo *ret, GError **err);
