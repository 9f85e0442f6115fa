/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a definition asks for and the command line cannot say: set over the monitor before the guest
 * runs its first instruction. */
#pragma once

#include "conf/domain.h"
#include "drivers/qemu/qmp.h"

bool qemu_configure_run(DomainDef *d, Qmp *mon, GError **err);
bool qemu_disk_has_limits(const DiskDef *disk);
/* Arguments of block_set_io_throttle for a disk, all limits named, so that it also lifts them. */
JsonObject *qemu_throttle_args(const DiskDef *disk);
