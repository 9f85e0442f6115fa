/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs of a guest after their start (start.h): stop, reboot, take up again after a restart of ours.
 * Workers, within a turn. */
#pragma once

#include "drivers/common/turn.h"
#include "drivers/qemu/guest.h"

/* Ends the run: kills what is left of the process, undoes what its start did, makes the domain inactive with
 * this VIR_DOMAIN_SHUTOFF_* reason and emits STOPPED with the VIR_DOMAIN_EVENT_STOPPED_* detail.
 * graceful: SIGTERM only; false and *err when the process does not end. */
bool process_stop(DomainTurn *t, int reason, int detail, bool graceful, GError **err);

/* Ends the run with this id when the client of the turn's call goes. */
bool process_watch_client(DomainTurn *t, int id, GError **err);

/* Resets a guest that has shut itself down and lets it run again: the second half of a reboot by power
 * button, and what on_poweroff 'restart' asks for. */
bool process_restart(DomainTurn *t, GError **err);
/* Whether the next shutdown of the guest is the first half of a reboot; kept in the status. */
void process_plan_reboot(DomainTurn *t, bool on);

/* Connects the monitor again and brings state and guest together; ends the run if the process is gone
 * or its monitor cannot be had. */
void process_reattach(DomainTurn *t, void *unused);
/* After a destroy that did not end the guest: its monitor's calls were aborted, so connect again. */
void process_after_interrupt(DomainTurn *t, void *unused);
/* The turn of a domain that was running when we last wrote its status. */
void process_reconnect(DomainTurn *t, void *unused);
/* Does a status record say that this process is the domain's? For qemu_launch_recover(). */
bool process_known(const Uuid uuid, const PidRef *pid, void *unused);
