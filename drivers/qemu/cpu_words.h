/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The processor that a guest really got, as its emulator has it: the x86 property "feature-words". Any thread. */
#pragma once

#include "drivers/qemu/cpu_map.h"
#include "util/json.h"

typedef struct CpuLeaf {
    uint32_t leaf, sub, reg[4];
} CpuLeaf;

/* Of CpuLeaf, in order; those without any bit are left out. */
GArray *cpu_words_read(JsonObject *words, GError **err);
/* The features among them. */
void cpu_words_features(const GArray *leaves, CpuData *ret);
