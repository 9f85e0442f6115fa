/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Figures of guests in OpenMetrics text: Driver.render_metrics. Loop thread, never waits. */
#pragma once

#include <glib.h>

void qemu_render_metrics(GString *out);
