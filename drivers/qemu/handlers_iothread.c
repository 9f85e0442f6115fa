/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Threads for disk I/O that come and go. A definition that only counts its threads gets them listed by
 * number before one is added or taken away; which number each has does not change by that. Workers.
 */
#define LOG_SOURCE "qemu.iothread"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/qmp_cmds.h"
#include "drivers/qemu/threads.h"
#include "drivers/qemu/tuning.h"
#include "util/error.h"
#include "util/log.h"

/* As many as the command line takes. */
enum { IOTHREADS_MAX = 1024 };

IothreadDef *iothreads_find(const DomainDef *d, unsigned id, guint *ret_at)
{
    for (guint i = 0; i < list_len(d->iothread_defs); i++) {
        IothreadDef *t = list_at(d->iothread_defs, i);
        if (t->id == id) {
            if (ret_at)
                *ret_at = i;
            return t;
        }
    }
    return NULL;
}

static void append(DomainDef *d, unsigned id)
{
    IothreadDef *t = g_new0(IothreadDef, 1);

    t->id = id;
    if (!d->iothread_defs)
        d->iothread_defs = g_ptr_array_new();
    g_ptr_array_add(d->iothread_defs, t);
}

void iothreads_list_all(DomainDef *d)
{
    for (unsigned next = 1; list_len(d->iothread_defs) < MIN(d->iothreads, IOTHREADS_MAX); next++) {
        if (!iothreads_find(d, next, NULL))
            append(d, next);
    }
}

static bool add(DomainDef *d, unsigned id, GError **err)
{
    iothreads_list_all(d);
    if (iothreads_find(d, id, NULL)) {
        error_set(err, VIR_ERR_INVALID_ARG, "an IOThread is already using iothread_id '%u'", id);
        return false;
    }
    append(d, id);
    d->iothreads = d->iothread_defs->len;
    return true;
}

static bool uses(const DiskDef *disk, unsigned id)
{
    bool listed = false;

    for (unsigned i = 0; i < list_len(disk->iothreads); i++)
        listed |= ((const DiskIothread *)list_at(disk->iothreads, i))->id == id;
    return listed || disk->iothread == id;
}

static bool unused(const DomainDef *d, unsigned id, GError **err)
{
    const DiskDef *disk;
    const ControllerDef *c;

    for (guint i = 0; (disk = domain_next(d, DEVICE_DISK, &i));) {
        if (uses(disk, id)) {
            error_set(err, VIR_ERR_INVALID_ARG,
                      "cannot remove IOThread %u since it is being used by disk '%s'", id,
                      disk->dst);
            return false;
        }
    }
    for (guint i = 0; (c = domain_next(d, DEVICE_CONTROLLER, &i));) {
        if (c->iothread == id) {
            error_set(err, VIR_ERR_INVALID_ARG,
                      "cannot remove IOThread '%u' since it is being used by controller", id);
            return false;
        }
    }
    return true;
}

/* What was said of the thread goes with it. */
static void forget_tuning(CpuTuning *t, unsigned id)
{
    for (guint i = list_len(t->iothread_pins); i > 0; i--) {
        Pin *p = list_at(t->iothread_pins, i - 1);
        if (p->id == id) {
            bitmap_free(p->cpuset);
            g_free(g_ptr_array_steal_index(t->iothread_pins, i - 1));
        }
    }
    for (guint i = list_len(t->iothread_scheds); i > 0; i--) {
        SchedDef *s = list_at(t->iothread_scheds, i - 1);
        bitmap_clear(s->ids, id);
        if (bitmap_is_empty(s->ids)) {
            bitmap_free(s->ids);
            g_free(g_ptr_array_steal_index(t->iothread_scheds, i - 1));
        }
    }
}

static bool del(DomainDef *d, unsigned id, GError **err)
{
    guint at;

    iothreads_list_all(d);
    if (!iothreads_find(d, id, &at)) {
        error_set(err, VIR_ERR_INVALID_ARG, "cannot find IOThread '%u' in iothreadids list", id);
        return false;
    }
    if (!unused(d, id, err))
        return false;
    g_free(g_ptr_array_steal_index(d->iothread_defs, at));
    d->iothreads = d->iothread_defs->len;
    if (d->cputune)
        forget_tuning(d->cputune, id);
    tuning_drop_empty(d);
    return true;
}

static bool live_add(Qmp *q, const char *name, GError **err)
{
    return qmp_object_add(q, json_make(J_STR("qom-type", "iothread"), J_STR("id", name)), err);
}

static bool change(DomainTurn *t, unsigned id, unsigned flags, bool adds, GError **err)
{
    bool (*edit)(DomainDef *, unsigned, GError **) = adds ? add : del;

    if (id == 0) {
        error_set(err, VIR_ERR_INVALID_ARG, "invalid value of 0 for iothread_id");
        return false;
    }
    if (!common_impact(turn_view(t), &flags, err))
        return false;
    if (flags & VIR_DOMAIN_AFFECT_CONFIG) {
        DomainDef *config = turn_edit_config(t, err);
        if (!config || !edit(config, id, err))
            return false;
    }
    if (!(flags & VIR_DOMAIN_AFFECT_LIVE))
        return true;
    g_autofree char *name = g_strdup_printf("iothread%u", id);
    g_autoptr(Qmp) q = guest_qmp(turn_driver_data(t), err);
    if (!q || !edit(turn_edit_live(t), id, err) || !(adds ? live_add : qmp_object_del)(q, name, err))
        return false;
    /* It is there, or gone; the log tells when it cannot run where it was asked to. */
    g_autoptr(GError) error = NULL;
    if (!threads_refresh(t, q, &error))
        log_warn("'%s': %s", turn_view(t)->name, error->message);
    return true;
}

bool qemu_domain_add_iothread(Call *c, DomainTurn *t, const remote_domain_add_iothread_args *a,
                              GError **err)
{
    (void)c;
    return change(t, a->iothread_id, a->flags, true, err);
}

bool qemu_domain_del_iothread(Call *c, DomainTurn *t, const remote_domain_del_iothread_args *a,
                              GError **err)
{
    (void)c;
    return change(t, a->iothread_id, a->flags, false, err);
}
