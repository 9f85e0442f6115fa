/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images as the host has them. Reads files, perhaps of a server that is dead: workers, which do not count as busy meanwhile
 * (util/pool.h), so that only those who ask for such an image wait.
 */
#pragma once

#include "conf/domain.h"

typedef struct ImageSizes {
    uint64_t capacity;   /* as the guest sees it; 0: the format does not tell */
    uint64_t allocation; /* blocks of the host that it takes */
    uint64_t physical;   /* its end */
} ImageSizes;

/* Of a layer on this host (disk_layer_is_local()), in the format that its definition gives. */
bool image_sizes(const StorageSource *s, ImageSizes *ret, GError **err);
/* Bytes of a raw one; as pread(). */
ssize_t image_peek(const char *path, void *buffer, size_t n, off_t at);
