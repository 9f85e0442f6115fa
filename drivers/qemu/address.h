/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Address assignment: PCI slots, USB ports, virtio-serial ports, drive units and the rest, with the
 * bridges and root ports that they need. A pure function of the definition: the same document
 * gets the same addresses on every host. Any thread.
 */
#pragma once

#include "conf/domain.h"
#include "drivers/qemu/caps.h"

/* caps may be NULL: what depends on them is left for later. keep: USB devices of an existing guest
 * stay without ports, since another topology than the one it ran with may come out. */
bool qemu_assign_addresses(DomainDef *d, const QemuCaps *caps, bool keep, GError **err);
/* For one device that is plugged into a running guest: dev is the last of d's devices, all others have their
 * places, and no bus or hub is added for it. */
bool qemu_assign_device_address(DomainDef *d, Device *dev, const QemuCaps *caps, GError **err);
