/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The processor of a running guest, as its emulator says. Workers. */
#pragma once

#include "conf/domain.h"
#include "drivers/qemu/qmp.h"
#include "drivers/qemu/cpu_map.h"

/*
 * Before the guest runs: what its processor has beyond its model is added to the definition, what it lacks is
 * disabled there, so that a later start, or another host, makes the same one. check='full': a
 * difference refuses the start. Processors that are not made of a model are left alone.
 */
bool cpu_live_follow(DomainDef *d, Qmp *mon, GError **err);

/* The second half: has what its CPUID says, lacks the others that the emulator took away from it. */
bool cpu_live_apply(CpuDef *cpu, const CpuFeatures *has, const CpuFeatures *lacks, GError **err);
