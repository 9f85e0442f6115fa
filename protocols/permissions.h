/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every permission that an annotation may name; generated from gen/model.py. */
#pragma once

#include <stddef.h>

typedef struct Permission {
    const char *object, *perm; /* "storage_pool", "search_storage_vols" */
} Permission;

extern const Permission permissions[];
extern const size_t n_permissions;
