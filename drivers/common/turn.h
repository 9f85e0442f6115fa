/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The turns of domains: those of object_turn.h with a domain's types, and what only a domain has. Workers. */
#pragma once

#include "drivers/common/domain.h"
#include "drivers/common/object_turn.h"

Domain *turn_domain(const DomainTurn *t);
Call *turn_call(const DomainTurn *t); /* NULL: internal */
void *turn_driver_data(const DomainTurn *t);
/* The copy as it stands. */
const DomainView *turn_view(const DomainTurn *t);
const DomainView *turn_base(const DomainTurn *t); /* what it was before; NULL: turn_is_new() */
/* True when nobody has seen this domain yet (define or create of a new one). */
bool turn_is_new(const DomainTurn *t);

/* Private, changeable copies of the definitions (made at first touch); NULL when there is none, or with
 * *err, when its file cannot be read. */
DomainDef *turn_edit_config(DomainTurn *t, GError **err);
DomainDef *turn_edit_live(DomainTurn *t);
/* Replace a whole definition; takes it; NULL removes it. */
void turn_set_config(DomainTurn *t, DomainDef *take);
void turn_set_live(DomainTurn *t, DomainDef *take);
/* id -1 makes the domain inactive. */
void turn_set_id(DomainTurn *t, int id);
void turn_set_state(DomainTurn *t, int state, int reason);
void turn_set_persistent(DomainTurn *t, bool on);
void turn_set_autostart(DomainTurn *t, bool on);
/* At the next start of the host alone. */
void turn_set_autostart_once(DomainTurn *t, bool on);
void turn_set_autodestroy(DomainTurn *t, bool on);
/* There is an image that the next start takes the guest from; the image itself is the driver's. */
void turn_set_managed_save(DomainTurn *t, bool on);
void turn_set_status(DomainTurn *t, DriverStatus *take);
/* Another name for an inactive, persistent domain, kept free for it from here on. The definition's and
 * the autostart link's files follow at commit. */
bool turn_rename(DomainTurn *t, const char *name, GError **err);
/* The domain vanishes at commit (undefine of an inactive one, end of a transient one). */
void turn_remove(DomainTurn *t);
/* From here on a commit fails when the status file cannot be written (start of a guest: without the
 * file a crash of ours would leave the guest behind), or does not any more. */
void turn_require_status(DomainTurn *t, bool on);
/* Takes the event; it leaves at commit. */
void turn_emit(DomainTurn *t, Event *e);
/* Writes the status file of a start that is about to touch the host, without publishing anything: a daemon
 * killed from here on finds it as an inactive domain with a live definition and a status, and undoes
 * what there is. The commit of the running guest replaces it; turn_drop_intent() removes it. */
bool turn_write_intent(DomainTurn *t, const DomainDef *live, DriverStatus *status, GError **err);
void turn_drop_intent(DomainTurn *t);
/* The same for a guest that runs: its file has what the turn made of it so far, and this status, until the next
 * commit or for good, when we are killed before it. */
bool turn_note_status(DomainTurn *t, DriverStatus *status, GError **err);
/* Commits what there is so far and goes on; after the guest was changed irreversibly. */
bool turn_checkpoint(DomainTurn *t, GError **err);

/* For a call whose object only its handler can find (a file names it): the domain of this identity, made
 * when there is none, and a turn of it, for which the worker waits as long as the call may. */
DomainTurn *turn_begin_found(const char *name, const uint8_t *uuid, Call *c, GError **err);
/* Commits after success, drops the turn otherwise; false when it cannot be committed. */
bool turn_end_found(DomainTurn *t, bool success, GError **err);

typedef void (*DomainTurnFn)(DomainTurn *t, void *data);
/* Queues fn for a turn of its own; it runs on a worker and is committed when it returns. first: ahead
 * of all who wait (reconnect, guest gone). 'what' is static text for messages. Any thread. When the
 * domain has vanished meanwhile, or the daemon is stopping, fn is called with NULL, to free data. */
void domain_run_turn(Domain *d, const char *what, bool first, DomainTurnFn fn, void *data);

/* Waits, for usec at most, until all turns that were queued before are committed: for a call that holds
 * none and wants its answer to be true of what clients see. Workers. */
void domain_wait_turns(Domain *d, uint64_t usec);
