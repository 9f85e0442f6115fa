/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by backend_dir.c and backend_netfs.c. */
#pragma once

#include "drivers/storage/backend.h"

bool netfs_measure(StoragePoolDef *d, PoolFigures *ret, const StorageJob *job, GError **err);
bool netfs_list(const StoragePoolDef *d, VolumeFoundFn *found, void *data, const StorageJob *job, GError **err);
StorageVolumeDef *netfs_vol_look(const StoragePoolDef *d, const char *name, GError **err);
