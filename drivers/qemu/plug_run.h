/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Telling an emulator the steps of plug_steps.h. Blocks on the monitor; workers. */
#pragma once

#include "drivers/qemu/plug_steps.h"
#include "drivers/qemu/qmp.h"

/* In order. At the first refusal all that was done is taken back, and *err is that refusal. */
bool plug_run(PlugSteps *s, Qmp *mon, GError **err);
/* After the guest gave the device up: everything but the device itself, from the last to the first. What is gone
 * already is fine; what stays is logged. */
void plug_run_back(PlugSteps *s, Qmp *mon);
/* A number above those of all descriptor sets that the emulator has. */
bool plug_next_fdset(Qmp *mon, unsigned *ret, GError **err);
