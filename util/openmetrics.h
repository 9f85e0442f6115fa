/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pieces of OpenMetrics text. Pure. */
#pragma once

#include <glib.h>
#include <stdint.h>

/* type: "gauge" or "counter" (whose samples' names end in _total). */
void openmetrics_family(GString *out, const char *name, const char *type, const char *help);
typedef struct OpenmetricsLabel {
    const char *name, *value; /* name NULL: the end */
} OpenmetricsLabel;
/* labels NULL: none. */
void openmetrics_sample(GString *out, const char *name, const OpenmetricsLabel *labels, uint64_t v);
/* The same in seconds. */
void openmetrics_sample_ns(GString *out, const char *name, const OpenmetricsLabel *labels,
                           uint64_t ns);
