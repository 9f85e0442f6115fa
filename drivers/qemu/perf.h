/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Performance counters of a guest: the kernel counts for the emulator's process while we hold a
 * descriptor. They are the guest's definition, so a restart of ours begins them anew. The guest's lock
 * guards the descriptors; changes have the turn.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf/domain.h"

struct Guest;
struct Start;
struct Run;

enum { PERF_EVENTS = 22 };

/* Descriptor plus 1 by event, so that zeroed memory has none. */
typedef struct PerfFds {
    int fd[PERF_EVENTS];
} PerfFds;

const char *perf_name(unsigned event);
bool perf_enable(struct Guest *g, pid_t pid, unsigned event, GError **err);
void perf_disable(struct Guest *g, unsigned event);
void perf_disable_all(struct Guest *g);
bool perf_is_enabled(struct Guest *g, unsigned event);
/* False: it is not counted. */
bool perf_value(struct Guest *g, unsigned event, uint64_t *ret);

/* In a definition. */
bool perf_wanted(const DomainDef *d, unsigned event);
void perf_set_wanted(DomainDef *d, unsigned event, bool on);

/* Step of a start. */
bool start_perf(struct Start *s, GError **err);
void start_undo_perf(const struct Run *r);
void start_perf_again(const struct Run *r);
