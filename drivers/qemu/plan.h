/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a start of this definition (taken) would do, as JSON text (conf/convert.h). caps NULL: this host's
 * emulator is asked. The driver's configuration is there, its directories need not be. */
#pragma once

#include "conf/domain.h"
#include "drivers/qemu/caps.h"

char *qemu_plan(DomainDef *take, QemuCaps *caps);
