/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the QEMU driver cannot run, refused when a document is defined. caps may be NULL: then only
 * what no emulator could do is refused. */
#pragma once

#include "conf/domain.h"
#include "drivers/qemu/caps.h"

/* Sets VIR_ERR_CONFIG_UNSUPPORTED; false. */
bool qemu_refuse(GError **err, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
bool qemu_validate_domain(const DomainDef *d, const QemuCaps *caps, GError **err);
/* What its machines and devices cannot do, and what the driver has not learned yet; parts of the above. */
bool qemu_validate_limits(const DomainDef *d, GError **err);
/* A directory is shown as a FAT disk that cannot be written, and nothing else is. */
bool qemu_validate_fat(const DiskDef *disk, GError **err);
bool qemu_validate_newer(const DomainDef *d, GError **err);
/* Actions at power-off, reboot and crash (validate_lifecycle.c); event: VIR_DOMAIN_LIFECYCLE_*. */
LifecycleAction *qemu_lifecycle_action(DomainDef *d, unsigned event);
bool qemu_validate_lifecycle(const DomainDef *d, GError **err);
/* Beside its devices; part of the above (validate_guest.c). */
bool qemu_validate_guest(const DomainDef *d, const QemuCaps *caps, GError **err);
/* Models and options of one device that QEMU does not have (validate_kinds.c); part of the next. */
bool qemu_validate_kind(const DomainDef *d, const Device *dev, const QemuCaps *caps, GError **err);
bool qemu_validate_device(const DomainDef *d, const Device *dev, const QemuCaps *caps, GError **err);
