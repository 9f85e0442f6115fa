/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For test tools: emulators as recordings have them. */
#pragma once

#include "drivers/qemu/caps.h"

/* QemuPolicyData.emulator */
const char *recorded_emulator_path(void *opaque, const char *arch);
/* An emulator that is only a list of flags ("QEMU_CAPS_KVM,..."), with the usual default machine of its architecture. */
QemuCaps *recorded_caps_of_flags(const char *arch, const char *flags);
void recorded_set_flags(QemuCaps *c, const char *flags);
