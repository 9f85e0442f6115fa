/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device names that live as long as a run: "virtio-disk0", "net0", "charserial0" is made from
 * "serial0". Tools and users know these words, so each is derived from the document alone.
 */
#pragma once

#include "conf/domain.h"

/* Gives every device without an alias one; "ua-" names given by the user stay. */
void qemu_assign_aliases(DomainDef *d);
/* For a device alone, as one about to be plugged in: the next free name of its kind. */
void qemu_assign_device_alias(const DomainDef *d, Device *dev);

/* Numbers that a document brought along are those of another run. */
void qemu_forget_nodes(DomainDef *d);
/* Numbers every layer of every image chain (StorageSource.index) from the last disk to the first;
 * *next is the last number given before, and is updated: block nodes are "libvirt-N-format". */
void qemu_assign_nodes(DomainDef *d, unsigned *next);
