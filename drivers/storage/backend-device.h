/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by the pools whose volumes are devices of SCSI hosts: backend_scsi.c, backend_iscsi.c, backend_mpath.c. */
#pragma once

#include "drivers/storage/backend.h"

/* A block device as a volume: block ("sda") says its size, path is where it is found. */
StorageVolumeDef *device_volume(const StoragePoolDef *d, const char *name, const char *path, const char *block);
/* The units of a host that appear in the pool's target. */
bool scsi_host_list(const StoragePoolDef *d, unsigned host, VolumeFoundFn *found, void *data, GError **err);
/* Waits for the devices of units that a host has anew, and the links to them: they come a moment after these. */
void device_settle(unsigned host, const StorageJob *job);
/* What a list has under that name. */
StorageVolumeDef *device_look(const PoolBackend *b, const StoragePoolDef *d, const char *name, GError **err);
/* Figures of pools that are full: the sum of their volumes. */
bool device_measure(const PoolBackend *b, const StoragePoolDef *d, PoolFigures *ret, const StorageJob *job, GError **err);
