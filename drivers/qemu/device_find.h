/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which device of a guest a client's document means. */
#pragma once

#include "conf/domain.h"

/* The device of d that 'like' describes: by what users know a device of its kind by (target, MAC, index, ...),
 * otherwise every word of the description must hold of it. NULL with the error that users know for this kind in
 * a running guest (live) or in a definition. */
Device *device_find(const DomainDef *d, const Device *like, bool live, GError **err);
/* The same without an error when there is none. */
Device *device_find_if_any(const DomainDef *d, const Device *like);
/* A memory device by all but its size of the moment. */
MemoryDef *device_find_memory(const DomainDef *d, const MemoryDef *like);
/* The word for a kind in messages: all character devices are "chr". */
const char *device_kind_word(DeviceKind kind);
/* Two descriptions of one device of the host. */
bool device_same_hostdev(const HostdevDef *like, const HostdevDef *have);
