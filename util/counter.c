/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counters: a list that only grows, pushed to without a lock. Any thread. */
#include "util/counter.h"

#include <stddef.h>

static _Atomic(Counter *) first;

void counter_add(Counter *c, uint64_t n)
{
    atomic_fetch_add_explicit(&c->value, n, memory_order_relaxed);
    if (atomic_load_explicit(&c->known, memory_order_relaxed) || atomic_exchange(&c->known, true))
        return;
    Counter *head = atomic_load(&first);
    do
        c->next = head;
    while (!atomic_compare_exchange_weak(&first, &head, c));
}

uint64_t counter_value(const Counter *c)
{
    return atomic_load_explicit(&((Counter *)c)->value, memory_order_relaxed);
}

void counter_foreach(void (*fn)(const Counter *c, void *data), void *data)
{
    for (const Counter *c = atomic_load(&first); c; c = c->next)
        fn(c, data);
}
