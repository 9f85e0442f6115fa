/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's end of a guest's interface: a tap, in a bridge or alone, or a macvtap above a device of the host.
 * A tap goes with its last descriptor; a macvtap must be removed. Workers; some calls wait for programs.
 */
#pragma once

#include "conf/domain.h"

struct Start;
struct Run;

/* One queue's descriptor; with queue 0 the device is made, named in the definition, set up and brought up. */
int net_device_open(NetDef *net, unsigned queue, GError **err);
/* Names a device that would otherwise get its name, and stay, when it is made. */
bool net_device_choose_name(NetDef *net, bool *ret_named, GError **err);
/* Removes what does not go by itself; nothing when it is not there or is not this guest's. */
void net_device_remove(const NetDef *net);
/* The host's end leaves one bridge and joins another; it is back in the first when that fails. */
bool net_device_move_bridge(const char *tap, const char *from, const char *to, GError **err);

/* Step of a start: names on record, so that nothing is left by who is killed. */
bool start_net_names(struct Start *s, GError **err);
void start_undo_net_devices(const struct Run *r);
