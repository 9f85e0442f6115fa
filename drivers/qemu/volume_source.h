/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks whose image is a volume of a storage pool. A definition names pool and volume; for a run the source becomes
 * what the volume is then (a file, a device, a network source), and remembers in its privateData what was
 * asked for. Everything that acts on images sees the former, clients the latter. Pure.
 */
#pragma once

#include "conf/domain.h"
#include "conf/storage_pool.h"
#include "conf/storage_volume.h"

/* Makes of a source of type 'volume' what the volume is: one of this pool, of this kind at path. */
bool volume_source(StorageSource *s, const StoragePoolDef *pool, StorageVolumeType kind, const char *path, GError **err);
