/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sizes of images as the host has them. Reads files: workers. */
#pragma once

#include "conf/domain.h"

typedef struct ImageSizes {
    uint64_t capacity;   /* as the guest sees it; 0: the format does not tell */
    uint64_t allocation; /* blocks of the host that it takes */
    uint64_t physical;   /* its end */
} ImageSizes;

/* Of a layer on this host (disk_layer_is_local()), in the format that its definition gives. */
bool image_sizes(const StorageSource *s, ImageSizes *ret, GError **err);
