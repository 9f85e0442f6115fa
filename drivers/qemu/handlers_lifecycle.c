/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What happens when a guest powers off, reboots or crashes, changed for the next time. Workers. */
#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/qmp_cmds.h"
#include "drivers/qemu/validate.h"
#include "util/error.h"

static bool change(DomainDef *d, unsigned event, LifecycleAction action, GError **err)
{
    LifecycleAction *place = qemu_lifecycle_action(d, event), before = *place;

    *place = action;
    if (qemu_validate_lifecycle(d, err))
        return true;
    *place = before;
    return false;
}

/* QEMU itself ends or goes on at a reboot. */
static bool tell_emulator(DomainTurn *t, LifecycleAction before, LifecycleAction now, GError **err)
{
    g_autoptr(Qmp) q = guest_qmp(turn_driver_data(t), err);

    if (!q)
        return false;
    return (before == ACTION_DESTROY) == (now == ACTION_DESTROY) ||
           qmp_set_action(q, now == ACTION_DESTROY ? "shutdown" : "reset", NULL, NULL, NULL, err);
}

bool qemu_domain_set_lifecycle_action(Call *c, DomainTurn *t, const remote_domain_set_lifecycle_action_args *a,
                                      GError **err)
{
    unsigned flags = a->flags;
    (void)c;

    if (a->type > VIR_DOMAIN_LIFECYCLE_CRASH || a->action > VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_RESTART) {
        error_set(err, VIR_ERR_INVALID_ARG, "no lifecycle event %u, or no action %u for it", a->type, a->action);
        return false;
    }
    LifecycleAction action = (LifecycleAction)(ACTION_DESTROY + a->action); /* the wire's order is ours */
    if (!common_impact(turn_view(t), &flags, err))
        return false;
    if (flags & VIR_DOMAIN_AFFECT_LIVE) {
        LifecycleAction before = *qemu_lifecycle_action(turn_view(t)->live->def, a->type);
        if (!change(turn_edit_live(t), a->type, action, err) ||
            (a->type == VIR_DOMAIN_LIFECYCLE_REBOOT && !tell_emulator(t, before, action, err)))
            return false;
    }
    if (flags & VIR_DOMAIN_AFFECT_CONFIG) {
        DomainDef *config = turn_edit_config(t, err);
        return config && change(config, a->type, action, err);
    }
    return true;
}
