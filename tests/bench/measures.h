/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is measured, one section of the printed table each. */
#pragma once

#include "tests/bench/limits.h"

typedef struct Targets {
    const char *daemon, *proxy; /* sockets; proxy NULL: there is none */
    const char *streams; /* where the proxy looks for the daemon of storage; NULL: no streams */
    const char *dir;     /* for sockets of our own */
    double seconds;      /* per figure */
} Targets;

/* Of samples in nanoseconds, which are sorted for it. */
typedef struct Quantiles {
    double p50, p99;
} Quantiles;

Quantiles quantiles(uint32_t *samples, size_t n);

void bench_calls(const Targets *t);
void bench_connections(const Targets *t);
void bench_events(const Targets *t);
void bench_streams(const Targets *t);
void bench_fairness(const Targets *t);
void bench_guests(const Targets *t);
