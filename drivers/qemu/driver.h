/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QEMU driver's one instance: configuration and context. Constant after init. */
#pragma once

#include "drivers/common/domains.h"
#include "drivers/qemu/config.h"
#include "drivers/qemu/defaults.h"
#include "rpc/driver.h"

typedef struct QemuDriver {
    const DriverContext *ctx;
    QemuConfig *config;
    QemuPolicyData policy;
    QemuPolicyData stored_policy; /* for guests that exist: they keep the hardware they have */
    char *lib;   /* LIB/qemu */
    char *run;   /* RUN/qemu */
} QemuDriver;

extern QemuDriver qemu;

/* What the stages of a definition need, as the configuration has it; its strings stay the configuration's
 * but for those that clear() frees. */
QemuPolicyData qemu_policy_data(const QemuConfig *c);
void qemu_policy_data_clear(QemuPolicyData *p);
