/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a dispatcher counts, and its OpenMetrics text. Loop thread. */
#pragma once

#include "protocols/proc.h"

typedef struct Metrics Metrics;

Metrics *metrics_new(void);
Metrics *metrics_free(Metrics *m);
/* A call of this procedure has ended. */
void metrics_call(Metrics *m, const ProgramInfo *program, const ProcInfo *p, uint64_t usec, bool failed);
/* How long the loop took to get to something that was handed to it. */
void metrics_lag(Metrics *m, uint64_t usec);
void metrics_render(const Metrics *m, GString *out);

/* Pieces for those who add figures of their own. type: "gauge" or "counter" (whose samples' names end
 * in _total). label: value of one label, NULL: none. */
void metrics_family(GString *out, const char *name, const char *type, const char *help);
void metrics_sample(GString *out, const char *name, const char *label, const char *label_value, uint64_t v);
