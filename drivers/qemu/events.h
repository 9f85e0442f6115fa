/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between events.c, which takes the monitor's events, and the files that know what some of them mean. Within
 * a turn of a running guest. */
#pragma once

#include "drivers/common/turn.h"
#include "drivers/qemu/monitor.h"

/* events_device.c */
void on_block_threshold(DomainTurn *t, const MonEvent *e);
void on_memory_failure(DomainTurn *t, const MonEvent *e);
void on_memory_device_size(DomainTurn *t, const MonEvent *e);
void on_tray(DomainTurn *t, const MonEvent *e);
void on_rtc_change(DomainTurn *t, const MonEvent *e);
