/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How fast a guest's interface may be, on its device on the host. What the guest receives is shaped; what it
 * sends beyond its rate is dropped. tc(8) speaks to the kernel; what that cannot do is told in its words.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "conf/domain.h"

struct Start;
struct Run;

/* Do interfaces of this type have a device that can be limited? */
bool bandwidth_possible(const NetDef *net);
/* Replaces what there is; NULL: no limits. A worker; blocks for as long as tc takes. */
bool bandwidth_set(const char *ifname, const NetBandwidth *b, GError **err);

/* Step of a start. */
bool start_bandwidth(struct Start *s, GError **err);
void start_tell_bandwidth(const struct Start *s, GPtrArray *lines);
void start_undo_bandwidth(const struct Run *r);
