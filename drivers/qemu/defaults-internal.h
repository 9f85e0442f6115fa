/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by defaults*.c: one file per question, called in the order of defaults.c. */
#pragma once

#include "conf/domain.h"
#include "drivers/qemu/defaults.h"

/* What a device that leaves something open gets (defaults_device.c). Idempotent. */
void qemu_fill_device(DomainDef *d, Device *dev, const QemuPolicyData *p, const QemuCaps *caps);

/* Disks by bus and name, controllers by type and index (defaults_implied.c). */
void qemu_sort_devices(DomainDef *d);
/* Adds what every machine of this kind has. Idempotent. */
bool qemu_imply_devices(DomainDef *d, const QemuPolicyData *p, const QemuCaps *caps, GError **err);
