/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "conf/domain.h"

#define MEMLOCK_UNLIMITED INT64_MAX

/* Bytes of memory that the emulator of this guest must be able to lock; 0: as many as it has. */
uint64_t qemu_memlock_limit(const DomainDef *d);
