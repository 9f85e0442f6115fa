/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vCPUs that come and go. The emulator has slots, each for one or more vCPUs (a core with its threads on
 * some machines), in the order of the numbers of vCPUs. What it started with stays; what was plugged has a
 * device of the name "vcpu" with its first number. Workers, with the domain's turn.
 */
#pragma once

#include "conf/domain.h"
#include "drivers/qemu/qmp.h"

struct DomainTurn;

/* Lists all of a definition one by one, as they are without a list. */
void vcpus_list_all(DomainDef *d);
VcpuDef *vcpus_find(const DomainDef *d, unsigned id);
/* Changes a definition for the next start. */
bool vcpus_set_count(DomainDef *d, unsigned n, bool hotpluggable, GError **err);
bool vcpus_set(DomainDef *d, const Bitmap *ids, bool on, GError **err);
bool vcpus_set_max(DomainDef *d, unsigned n, GError **err);

/* Plugs what the definition has present and removable (it is not on the command line), and lists in it what
 * the emulator has. Before the guest runs. */
bool vcpus_start(DomainDef *d, Qmp *mon, GError **err);
/* The definition as the emulator is. */
bool vcpus_follow(DomainDef *d, Qmp *mon, GError **err);
/* Change a running guest and its definition, which follows the emulator even when they fail. on false: these
 * are taken out. */
bool vcpus_plug_count(DomainDef *live, Qmp *mon, unsigned n, GError **err);
bool vcpus_plug(DomainDef *live, Qmp *mon, const Bitmap *ids, bool on, GError **err);

/* The same for a domain, with all that hangs on it (vcpus_turn.c). */
bool vcpus_change_count(struct DomainTurn *t, unsigned n, GError **err);
bool vcpus_change(struct DomainTurn *t, const Bitmap *ids, bool on, GError **err);
/* After a restart of ours: the emulator may have got or lost some of which nothing could be recorded. */
void vcpus_look(struct DomainTurn *t);
/* The guest let go of a device that was asked of it earlier; false: it is no vCPU. */
bool vcpus_gone(struct DomainTurn *t, const char *alias);
