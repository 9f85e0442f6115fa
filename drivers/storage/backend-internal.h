/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between backend_dir.c and backend_apart.c. */
#pragma once

#include "drivers/storage/apart.h"

bool apart_check(const StoragePoolDef *d, bool *ret, GError **err);
/* APART_START, APART_BUILD, APART_REMOVE. */
bool apart_simple(ApartOp op, const StoragePoolDef *d, unsigned flags, const StorageJob *job, GError **err);
bool apart_measure(StoragePoolDef *d, PoolFigures *ret, const StorageJob *job, GError **err);
bool apart_list(const StoragePoolDef *d, VolumeFoundFn *found, void *data, const StorageJob *job, GError **err);
StorageVolumeDef *apart_vol_look(const StoragePoolDef *d, const char *name, GError **err);
/* APART_CREATE, APART_DELETE, APART_RESIZE. */
bool apart_volume(ApartOp op, const StoragePoolDef *d, const StorageVolumeDef *v, const StorageVolumeDef *input,
                  uint64_t capacity, unsigned flags, const StorageJob *job, GError **err);
