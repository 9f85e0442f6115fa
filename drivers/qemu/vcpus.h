/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vCPUs that come and go. The emulator has slots, each for one or more vCPUs (a core with its threads on
 * some machines), in the order of the numbers of vCPUs. What it started with stays; what was plugged has a
 * device of the name "vcpu" with its first number. Workers, with the domain's turn.
 */
#pragma once

#include "drivers/common/turn.h"
#include "drivers/qemu/qmp.h"

/* Lists all of a definition one by one, as they are without a list. */
void vcpus_list_all(DomainDef *d);
VcpuDef *vcpus_find(const DomainDef *d, unsigned id);
/* Changes a definition for the next start. */
bool vcpus_set_count(DomainDef *d, unsigned n, bool hotpluggable, GError **err);
bool vcpus_set_max(DomainDef *d, unsigned n, GError **err);

/* Plugs what the definition has present and removable (it is not on the command line), and lists in it what
 * the emulator has. Before the guest runs. */
bool vcpus_start(DomainDef *d, Qmp *mon, GError **err);
/* Of a running guest. */
bool vcpus_change_count(DomainTurn *t, unsigned n, GError **err);
bool vcpus_change(DomainTurn *t, const Bitmap *ids, bool on, GError **err);
/* The guest let go of a device that was asked of it earlier; false: it is no vCPU. */
bool vcpus_gone(DomainTurn *t, const char *alias);
