/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Key codes as clients send them (VIR_KEYCODE_SET_*) to the key numbers that QEMU takes: the scan
 * code of the first set, with 0x80 added for those that are sent behind 0xe0. Pure, any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/api.h"

/* False and *err: the code set has no such code, or is none. */
bool keycode_number(unsigned codeset, unsigned code, unsigned *ret, GError **err);

/* Between keycodes.c and its data. */
typedef struct KeyRun {
    uint16_t first, n;
    uint8_t number, step;
} KeyRun;
typedef struct KeyTable {
    const KeyRun *runs; /* ascending; NULL: computed from the key numbers */
    unsigned n;
} KeyTable;
extern const KeyTable key_tables[VIR_KEYCODE_SET_QNUM + 1];
