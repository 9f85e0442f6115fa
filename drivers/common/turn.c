/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Turns of domains. A DomainTurn is an ObjectTurn of a domain; only here and in the general code one is
 * taken for the other.
 */
#include "drivers/common/turn.h"

#include <string.h>

#include "drivers/common/domain-internal.h"
#include "drivers/common/domains.h"
#include "util/error.h"

static ObjectTurn *of(const DomainTurn *t)
{
    return (ObjectTurn *)t;
}

static DomainView *edit_view(DomainTurn *t)
{
    return (DomainView *)of(t)->next;
}

Domain *turn_domain(const DomainTurn *t) { return (Domain *)of(t)->object; }
Call *turn_call(const DomainTurn *t) { return of(t)->call; }
void *turn_driver_data(const DomainTurn *t) { return of(t)->object->driver; }
const DomainView *turn_view(const DomainTurn *t) { return (const DomainView *)of(t)->next; }
const DomainView *turn_base(const DomainTurn *t) { return (const DomainView *)of(t)->base; }
bool turn_is_new(const DomainTurn *t) { return !of(t)->base; }

DomainDef *turn_edit_config(DomainTurn *t, GError **err) { return object_turn_edit_config(of(t), err); }
DomainDef *turn_edit_live(DomainTurn *t) { return object_turn_edit_live(of(t)); }
void turn_set_config(DomainTurn *t, DomainDef *take) { object_turn_set_config(of(t), take); }
void turn_set_live(DomainTurn *t, DomainDef *take) { object_turn_set_live(of(t), take); }

void turn_set_id(DomainTurn *t, int id)
{
    edit_view(t)->id = id;
    object_turn_set_active(of(t), id >= 0);
}

void turn_set_state(DomainTurn *t, int state, int reason)
{
    edit_view(t)->state = state;
    edit_view(t)->reason = reason;
    of(t)->status_dirty = true;
}

void turn_set_persistent(DomainTurn *t, bool on) { object_turn_set_persistent(of(t), on); }
void turn_set_autostart(DomainTurn *t, bool on) { object_turn_set_autostart(of(t), on); }

void turn_set_autostart_once(DomainTurn *t, bool on)
{
    of(t)->links_dirty |= edit_view(t)->autostart_once != on;
    edit_view(t)->autostart_once = on;
}

void turn_set_autodestroy(DomainTurn *t, bool on) { object_turn_set_autodestroy(of(t), on); }

void turn_set_managed_save(DomainTurn *t, bool on)
{
    of(t)->view_dirty |= edit_view(t)->managed_save != on;
    edit_view(t)->managed_save = on;
}

void turn_set_status(DomainTurn *t, DriverStatus *take) { object_turn_set_status(of(t), take); }
bool turn_rename(DomainTurn *t, const char *name, GError **err) { return object_turn_rename(of(t), name, err); }
void turn_remove(DomainTurn *t) { object_turn_remove(of(t)); }
void turn_require_status(DomainTurn *t, bool on) { object_turn_require_status(of(t), on); }
void turn_emit(DomainTurn *t, Event *e) { object_turn_emit(of(t), e); }

bool turn_write_intent(DomainTurn *t, const DomainDef *live, DriverStatus *status, GError **err)
{
    return object_turn_write_intent(of(t), live, status, err);
}

void turn_drop_intent(DomainTurn *t) { object_turn_drop_intent(of(t)); }

bool turn_note_status(DomainTurn *t, DriverStatus *status, GError **err)
{
    return object_turn_note_status(of(t), status, err);
}

bool turn_checkpoint(DomainTurn *t, GError **err) { return object_turn_checkpoint(of(t), err); }

DomainTurn *turn_begin_found(const char *name, const uint8_t *uuid, Call *c, GError **err)
{
    return (DomainTurn *)object_turn_begin_found(registry_of(OBJECT_DOMAIN), name, uuid, c, err);
}

bool turn_end_found(DomainTurn *t, bool success, GError **err) { return object_turn_end_found(of(t), success, err); }

typedef struct Typed {
    DomainTurnFn fn;
    void *data;
} Typed;

static void run_typed(ObjectTurn *t, void *data)
{
    g_autofree Typed *typed = data;

    typed->fn((DomainTurn *)t, typed->data);
}

void domain_run_turn(Domain *d, const char *what, bool first, DomainTurnFn fn, void *data)
{
    Typed *typed = g_new(Typed, 1);

    *typed = (Typed){ fn, data };
    object_run_turn(&d->object, what, first, run_typed, typed);
}

void domain_wait_turns(Domain *d, uint64_t usec) { object_wait_turns(&d->object, usec); }
