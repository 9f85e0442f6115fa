/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counters that any part may have and that show up among the daemon's figures:
 *     static Counter missed = COUNTER("modvirt_monitor_deadlines_missed", "…");
 *     counter_add(&missed, 1);
 * Any thread. A counter is static: it registers itself when it first counts and stays.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Counter {
    const char *name, *help; /* without _total */
    atomic_uint_fast64_t value;
    atomic_bool known;
    struct Counter *next;
} Counter;

#define COUNTER(name_, help_) { .name = (name_), .help = (help_) }

void counter_add(Counter *c, uint64_t n);
uint64_t counter_value(const Counter *c);
void counter_foreach(void (*fn)(const Counter *c, void *data), void *data);
