/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guests as machines of systemd-machined: `machinectl` lists them, and the scope that it makes for the emulator
 * is the guest's control group. Where no system bus or no such service is, nothing is said and guests have a
 * group of our own; a service that refuses or does not answer in time is named in the log, and the same holds.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

struct Start;
struct Run;

/* Steps of a start (start.h). A registration that fails does not fail it. */
bool start_machine(struct Start *s, GError **err);
void start_undo_machine(const struct Run *r);
void start_tell_machine(const struct Start *s, GPtrArray *lines);
/* "/machine/prod" as systemd calls it: "machine-prod.slice". */
char *machine_slice(const char *partition);
