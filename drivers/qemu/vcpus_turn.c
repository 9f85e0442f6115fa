/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vCPUs of a running domain within its turn (vcpus.h): after each change the threads that came are placed, and
 * what happened is kept even when the call fails half-way. Workers. */
#define LOG_SOURCE "qemu.vcpus"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/qmp_cmds.h"
#include "drivers/qemu/threads.h"
#include "drivers/qemu/vcpus.h"
#include "util/error.h"
#include "util/log.h"

/* ok: the change worked. Some vCPUs may have come or gone before one that failed. */
static bool settle(DomainTurn *t, Qmp *mon, bool ok, GError **err)
{
    g_autoptr(GError) error = NULL;

    if (threads_refresh(t, mon, &error) && (ok || turn_checkpoint(t, &error)))
        return ok;
    if (ok)
        g_propagate_error(err, g_steal_pointer(&error));
    else
        log_warn("'%s': %s", turn_view(t)->name, error->message);
    return false;
}

bool vcpus_change_count(DomainTurn *t, unsigned n, GError **err)
{
    g_autoptr(Qmp) mon = guest_qmp(turn_driver_data(t), err);

    return mon && settle(t, mon, vcpus_plug_count(turn_edit_live(t), mon, n, err), err);
}

bool vcpus_change(DomainTurn *t, const Bitmap *ids, bool on, GError **err)
{
    g_autoptr(Qmp) mon = guest_qmp(turn_driver_data(t), err);

    return mon && settle(t, mon, vcpus_plug(turn_edit_live(t), mon, ids, on, err), err);
}

static bool look(DomainTurn *t, GError **err)
{
    g_autoptr(Qmp) mon = guest_qmp(turn_driver_data(t), err);
    g_autoptr(GArray) cpus = mon ? qmp_query_cpus_fast(mon, err) : NULL;

    return cpus && (cpus->len == turn_view(t)->live->def->vcpus ||
                    (vcpus_follow(turn_edit_live(t), mon, err) && threads_refresh(t, mon, err)));
}

void vcpus_look(DomainTurn *t)
{
    const DomainDef *def = turn_view(t)->live->def;
    g_autoptr(GError) error = NULL;
    bool fixed = def->vcpus == def->vcpus_max && !list_len(def->vcpu_defs);

    if (!fixed && !look(t, &error))
        log_warn("cannot see which vCPUs '%s' has: %s", turn_view(t)->name, error->message);
}

bool vcpus_gone(DomainTurn *t, const char *alias)
{
    g_autoptr(GError) error = NULL;

    if (!alias || !g_str_has_prefix(alias, "vcpu"))
        return false;
    g_autoptr(Qmp) mon = guest_qmp(turn_driver_data(t), &error);
    if (mon && (!vcpus_follow(turn_edit_live(t), mon, &error) || !threads_refresh(t, mon, &error)))
        log_warn("'%s' after the end of %s: %s", turn_view(t)->name, alias, error->message);
    return true;
}
