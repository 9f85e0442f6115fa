/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This host's processor, as it tells itself. Any thread; read once. */
#pragma once

#include "drivers/qemu/cpu_map.h"

typedef struct HostProcessor {
    CpuData data;       /* x86 only; vendor "" elsewhere */
    unsigned microcode; /* 0: not told */
    unsigned phys_bits; /* 0: not told */
    uint64_t tsc_hz;    /* 0: not constant or not told */
    bool tsc_scaling;   /* guests can have another frequency */
} HostProcessor;

const HostProcessor *host_processor(void);
