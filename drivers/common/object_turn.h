/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A turn: the right to change one object, with a private copy of its view. Commit writes the state
 * files, publishes the copy, emits the events, in this order and before the reply; abort drops the
 * copy. A handler gets its turn from the dispatcher; internal work asks for one with object_run_turn().
 * Worker threads.
 */
#pragma once

#include "drivers/common/object.h"
#include "rpc/event.h"

Object *object_turn_object(const ObjectTurn *t);
Call *object_turn_call(const ObjectTurn *t); /* NULL: internal */
/* The copy as it stands; object_turn_edit_view(): to change what only the kind knows and no file keeps. */
const ObjectView *object_turn_view(const ObjectTurn *t);
ObjectView *object_turn_edit_view(ObjectTurn *t);
/* What it was before; NULL: nobody has seen this object yet (define or create of a new one). */
const ObjectView *object_turn_base(const ObjectTurn *t);

/* Private, changeable copies of the definitions (made at first touch); NULL when there is none, or with
 * *err, when its file cannot be read. */
void *object_turn_edit_config(ObjectTurn *t, GError **err);
void *object_turn_edit_live(ObjectTurn *t);
/* Replace a whole definition; takes it; NULL removes it. */
void object_turn_set_config(ObjectTurn *t, void *take);
void object_turn_set_live(ObjectTurn *t, void *take);
void object_turn_set_active(ObjectTurn *t, bool on);
void object_turn_set_persistent(ObjectTurn *t, bool on);
void object_turn_set_autostart(ObjectTurn *t, bool on);
void object_turn_set_autodestroy(ObjectTurn *t, bool on);
void object_turn_set_status(ObjectTurn *t, DriverStatus *take);
/* Another name for an inactive, persistent object, kept free for it from here on. The definition's and
 * the autostart link's files follow at commit. */
bool object_turn_rename(ObjectTurn *t, const char *name, GError **err);
/* A key that is to be the object's with the commit is kept free from here on. NULL: it is; else a reference of
 * the object that has it. */
Object *object_turn_reserve_key(ObjectTurn *t, const char *key);
/* The object vanishes at commit (undefine of an inactive one, end of a transient one). */
void object_turn_remove(ObjectTurn *t);
bool object_turn_removes(const ObjectTurn *t);
/* From here on a commit fails when the status file cannot be written (start of a guest: without the
 * file a crash of ours would leave the guest behind). */
void object_turn_require_status(ObjectTurn *t, bool on);
/* Takes the event; it leaves at commit. */
void object_turn_emit(ObjectTurn *t, Event *e);
/* Writes the status file of a start that is about to touch the host, without publishing anything: a daemon
 * killed from here on finds it as an inactive object with a live definition and a status, and undoes
 * what there is. The commit of the active object replaces it; object_turn_drop_intent() removes it. */
bool object_turn_write_intent(ObjectTurn *t, const void *live, DriverStatus *status, GError **err);
void object_turn_drop_intent(ObjectTurn *t);
/* The same for one that is active: its file has what the turn made of it so far, and this status, until the next
 * commit or for good, when we are killed before it. */
bool object_turn_note_status(ObjectTurn *t, DriverStatus *status, GError **err);
/* Commits what there is so far and goes on; after something was changed irreversibly. */
bool object_turn_checkpoint(ObjectTurn *t, GError **err);

/* For a call whose object only its handler can find (a file names it): the object of this identity, made
 * when there is none, and a turn of it, for which the worker waits as long as the call may. */
ObjectTurn *object_turn_begin_found(Registry *r, const char *name, const uint8_t *uuid, Call *c, GError **err);
/* Commits after success, drops the turn otherwise; false when it cannot be committed. */
bool object_turn_end_found(ObjectTurn *t, bool success, GError **err);

typedef void (*ObjectTurnFn)(ObjectTurn *t, void *data);
/* Queues fn for a turn of its own; it runs on a worker and is committed when it returns. first: ahead
 * of all who wait (reconnect, guest gone). 'what' is static text for messages. Any thread. When the
 * object has vanished meanwhile, or the daemon is stopping, fn is called with NULL, to free data. */
void object_run_turn(Object *o, const char *what, bool first, ObjectTurnFn fn, void *data);

/* Waits, for usec at most, until all turns that were queued before are committed: for a call that holds
 * none and wants its answer to be true of what clients see. Workers. */
void object_wait_turns(Object *o, uint64_t usec);

/* For Driver.objects: the class of every kind. */
extern const ObjectClass object_class;
