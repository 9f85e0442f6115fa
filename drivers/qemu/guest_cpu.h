/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which processor a guest gets: what documents leave to the host, made definite. Any thread. */
#pragma once

#include "conf/domain_cpu.h"
#include "drivers/qemu/caps.h"
#include "drivers/qemu/cpu_map.h"

/* The processor that the emulator offers, as it expands "host" or "max"; false: it does not tell. */
bool qemu_cpu_offered(const QemuCaps *caps, QemuAccel accel, bool migratable, CpuData *d);

/*
 * The model that stands for host-model under an accelerator. migratable: without features that
 * cannot move to another host. False: the emulator does not tell (no error is set).
 * Features that the emulator holds for part of the model and cannot give are in ret->features, too.
 */
bool qemu_cpu_host_model(const QemuCaps *caps, QemuAccel accel, bool migratable, CpuDecoded *ret);

/*
 * At the start of a guest, on its live definition: host-model becomes a custom model with its
 * features, optional features become required or disabled, a model that the emulator lacks is
 * replaced when the document allows it. VIR_ERR_CONFIG_UNSUPPORTED when that cannot be done. cpu NULL:
 * nothing to do. Returns true and leaves cpu alone where the emulator decides (host-passthrough,
 * maximum, architectures without models).
 */
bool qemu_cpu_expand(CpuDef *cpu, const QemuCaps *caps, QemuAccel accel, GError **err);
