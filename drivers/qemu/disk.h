/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding disks of a definition by what clients and the emulator call them. Pure. */
#pragma once

#include "conf/domain.h"

/* By target ("vda") or path of the source; NULL: none. */
const DiskDef *disk_find(const DomainDef *def, const char *word);
/* The disk whose frontend QEMU calls so: an alias, or a path with it ("/machine/peripheral/virtio-disk0/…"). */
const DiskDef *disk_by_qdev(const DomainDef *def, const char *qdev);
/* The disk and layer of the block node that holds the image ("libvirt-1-format"), or its storage. */
const DiskDef *disk_by_node(const DomainDef *def, const char *node,
                            const StorageSource **ret_layer);
/* The layer that "vda", or "vda[3]", means: of that number. */
const DiskDef *disk_find_layer(const DomainDef *def, const char *word,
                               const StorageSource **ret_layer);
/* Nothing is in the drive. */
bool disk_is_empty(const DiskDef *d);
/* A file or device of the host that we can look at. */
bool disk_layer_is_local(const StorageSource *s);
