/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands of qemu-img, for volumes that are not plain files. What they say while they run. Pure. */
#pragma once

#include "conf/storage_volume.h"
#include "drivers/storage/argv.h"

/* A layer of an image that is open already: the program gets its descriptor as number QEMU_IMG_LAYERS and up. */
enum { QEMU_IMG_LAYERS = 30 };
typedef struct QemuImgLayer {
    int fd;
    unsigned format;       /* of all but the first, which is the volume */
    bool device;           /* no file */
    uint64_t offset, size; /* the part of it that is the layer; size 0: all */
} QemuImgLayer;

/* A volume as the program sees it. */
typedef struct QemuImgSide {
    const StorageVolumeDef *def;
    const char *path;     /* NULL: that of def */
    const char *secret;   /* file with the passphrase, when it is encrypted */
    const GArray *layers; /* QemuImgLayer, from the top: it opens these, and nothing by name. NULL: the path, and what that names */
} QemuImgSide;

enum { QEMU_IMG_PREALLOCATE = 1 << 0 }; /* metadata; everything, when all of it is to be allocated */

/* The name that the program knows the format of a volume by: that of a device is raw, an encrypted raw one
 * "luks". NULL with *err: it cannot handle such a volume. */
const char *qemu_img_format(const StorageVolumeDef *def, GError **err);
/* Commands (Argv) that make a volume, with the content of input when it is not NULL: one command, or two
 * where encryption must be made before it can be filled. */
GPtrArray *qemu_img_create(const QemuImgSide *vol, const QemuImgSide *input, unsigned flags, GError **err);
/* Changes what a volume, of a format that can do that, calls the image below to what its definition says. */
Argv *qemu_img_name_backing(const QemuImgSide *vol, GError **err);
Argv *qemu_img_resize(const QemuImgSide *vol, uint64_t capacity, bool shrink, bool preallocate, GError **err);

/* Of a command that was told to say how far it is ("    (12.34/100%)"): the last per cent in what it wrote
 * since the beginning of at most 'len' bytes, -1: none. */
double qemu_img_progress(const char *said, size_t len);
