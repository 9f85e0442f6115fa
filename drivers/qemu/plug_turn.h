/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of a running domain's devices within its turn: plug_live.h with the domain's definition, monitor and
 * events. Workers. */
#pragma once

#include "drivers/common/turn.h"
#include "drivers/qemu/monitor.h"

/* raw is taken. */
bool plug_turn_attach(DomainTurn *t, Device *raw, GError **err);
bool plug_turn_detach(DomainTurn *t, const Device *like, GError **err);
bool plug_turn_detach_alias(DomainTurn *t, const char *alias, GError **err);
bool plug_turn_update(DomainTurn *t, Device *raw, bool force, GError **err);

/* What the emulator told of a device: it is gone, or it stays. */
void plug_turn_event(DomainTurn *t, const MonEvent *e);
/* After a restart of ours: devices may have gone while nobody listened. */
void plug_turn_look(DomainTurn *t);
