/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vCPUs in definitions and in the emulator (vcpus.h). After each change the emulator is asked again what
 * it has: the live definition follows that, never what we meant to do.
 */
#define LOG_SOURCE "qemu.vcpus"
#include "drivers/qemu/vcpus.h"

#include <string.h>

#include "drivers/qemu/qmp_cmds.h"
#include "drivers/qemu/tuning.h"
#include "drivers/qemu/vcpu_slots.h"
#include "util/error.h"
#include "util/log.h"
#include "util/loop.h"

enum { CALL_WAIT = 30 * 1000000, UNPLUG_WAIT = 5 * 1000000 };

/* Definitions ---------------------------------------------------------------------------------- */

VcpuDef *vcpus_find(const DomainDef *d, unsigned id)
{
    for (LIST_EACH(VcpuDef, v, d->vcpu_defs))
        if (v->id == id)
            return v;
    return NULL;
}

void vcpus_list_all(DomainDef *d)
{
    bool listed = list_len(d->vcpu_defs);

    if (!d->vcpu_defs)
        d->vcpu_defs = g_ptr_array_new();
    for (unsigned id = 0; id < d->vcpus_max; id++) {
        bool on = !listed && id < d->vcpus;
        if (vcpus_find(d, id))
            continue;
        VcpuDef *v = g_new0(VcpuDef, 1);
        *v = (VcpuDef){ .id = id,
                        .enabled = on ? TRI_YES : TRI_NO,
                        .hotpluggable = on ? TRI_NO : TRI_YES };
        g_ptr_array_insert(d->vcpu_defs, (int)id, v);
    }
}

static bool too_many(unsigned n, const DomainDef *d, const char *which, GError **err)
{
    if (n <= d->vcpus_max)
        return false;
    error_set(err, VIR_ERR_INVALID_ARG,
              "requested vcpus is greater than max allowable vcpus for the %s domain: %u > %u",
              which, n, d->vcpus_max);
    return true;
}

bool vcpus_set_count(DomainDef *d, unsigned n, bool hotpluggable, GError **err)
{
    if (too_many(n, d, "persistent", err))
        return false;
    if (!list_len(d->vcpu_defs) && !hotpluggable) {
        d->vcpus = n;
        return true;
    }
    vcpus_list_all(d);
    for (LIST_EACH(VcpuDef, v, d->vcpu_defs))
        v->order = 0; /* it would tell of others than these */
    for (unsigned i = 0; i < d->vcpu_defs->len && d->vcpus < n; i++) {
        VcpuDef *v = list_at(d->vcpu_defs, i);
        if (v->enabled == TRI_YES)
            continue;
        v->enabled = TRI_YES;
        v->hotpluggable = hotpluggable ? TRI_YES : TRI_NO;
        d->vcpus++;
    }
    for (unsigned i = d->vcpu_defs->len; i > 0 && d->vcpus > n; i--) {
        VcpuDef *v = list_at(d->vcpu_defs, i - 1);
        if (v->enabled != TRI_YES)
            continue;
        v->enabled = TRI_NO;
        v->hotpluggable = TRI_YES;
        d->vcpus--;
    }
    return true;
}

static bool fits_topology(const CpuDef *cpu, unsigned n, GError **err)
{
    unsigned in_cells = 0;

    if (!cpu)
        return true;
    const CpuTopology *t = cpu->topology;
    if (t && (uint64_t)t->sockets * MAX(t->dies, 1) * t->cores * t->threads != n) {
        error_set(err, VIR_ERR_INVALID_ARG, "CPU topology doesn't match the desired vcpu count");
        return false;
    }
    for (LIST_EACH(const NumaCell, c, cpu->cells))
        in_cells += c->cpus ? bitmap_count(c->cpus) : 0;
    if (in_cells > n) {
        error_set(err, VIR_ERR_INVALID_ARG,
                  "Number of CPUs in <numa> exceeds the desired maximum vcpu count");
        return false;
    }
    return true;
}

/* What was said of those that are no more. */
static void forget_above(DomainDef *d, unsigned n)
{
    CpuTuning *t = d->cputune;

    for (unsigned i = list_len(d->vcpu_defs); i > 0; i--) {
        VcpuDef *v = list_at(d->vcpu_defs, i - 1);
        if (v->id >= n)
            g_free(g_ptr_array_steal_index(d->vcpu_defs, i - 1));
    }
    for (unsigned i = t ? list_len(t->vcpu_pins) : 0; i > 0; i--) {
        Pin *p = list_at(t->vcpu_pins, i - 1);
        if (p->id < n)
            continue;
        bitmap_free(p->cpuset);
        g_free(g_ptr_array_steal_index(t->vcpu_pins, i - 1));
    }
    for (unsigned i = t ? list_len(t->vcpu_scheds) : 0; i > 0; i--) {
        SchedDef *s = list_at(t->vcpu_scheds, i - 1);
        for (int id = bitmap_next(s->ids, n); id >= 0; id = bitmap_next(s->ids, (unsigned)id + 1))
            bitmap_clear(s->ids, (unsigned)id);
        if (!bitmap_is_empty(s->ids))
            continue;
        bitmap_free(s->ids);
        g_free(g_ptr_array_steal_index(t->vcpu_scheds, i - 1));
    }
    tuning_drop_empty(d);
}

bool vcpus_set_max(DomainDef *d, unsigned n, GError **err)
{
    bool listed = list_len(d->vcpu_defs);

    if (!fits_topology(d->cpu, n, err))
        return false;
    if (d->vcpus > n && listed && !vcpus_set_count(d, n, false, err))
        return false;
    d->vcpus = MIN(d->vcpus, n);
    d->vcpus_max = n;
    forget_above(d, n);
    if (listed)
        vcpus_list_all(d);
    return true;
}

/* Those that cannot be taken out are the first ones, without a gap. */
static bool others_stay(const DomainDef *d, const Bitmap *ids, GError **err)
{
    int first = bitmap_next(ids, 0);

    if (first == 0) { /* it starts all others */
        error_set(err, VIR_ERR_INVALID_ARG, "vCPU '0' can't be modified");
        return false;
    }
    for (LIST_EACH(const VcpuDef, v, d->vcpu_defs)) {
        if ((int)v->id < first || bitmap_is_set(ids, v->id) || v->enabled != TRI_YES || v->hotpluggable == TRI_YES)
            continue;
        error_set(err, VIR_ERR_INVALID_ARG, "vcpu '%d' can't be modified as it is followed by non-hotpluggable online vcpus",
                  first);
        return false;
    }
    return true;
}

bool vcpus_set(DomainDef *d, const Bitmap *ids, bool on, GError **err)
{
    vcpus_list_all(d);
    if (!others_stay(d, ids, err))
        return false;
    for (int i = bitmap_next(ids, 0); i >= 0; i = bitmap_next(ids, (unsigned)i + 1)) {
        VcpuDef *v = vcpus_find(d, (unsigned)i);
        if (!v) {
            error_set(err, VIR_ERR_INVALID_ARG, "vcpu %d is not present in persistent config", i);
            return false;
        }
        if ((v->enabled == TRI_YES) == on)
            continue;
        v->enabled = on ? TRI_YES : TRI_NO;
        v->hotpluggable = TRI_YES;
        v->order = 0;
        d->vcpus += on ? 1 : -1u;
    }
    for (LIST_EACH(VcpuDef, v, d->vcpu_defs))
        v->order = 0;
    return true;
}

/* Slots ---------------------------------------------------------------------------------------- */

/* *answer keeps what slots point to. */
static GArray *ask_slots(Qmp *mon, JsonObject **answer, GError **err)
{
    return qmp_call(mon, "query-hotpluggable-cpus", NULL, answer, now_usec() + CALL_WAIT, err)
               ? vcpu_slots_read(*answer)
               : NULL;
}

/* The definition as the emulator is. Machines that can plug nothing list nothing. */
bool vcpus_follow(DomainDef *d, Qmp *mon, GError **err)
{
    g_autoptr(JsonObject) answer = NULL;
    g_autoptr(GArray) slots = ask_slots(mon, &answer, NULL);
    g_autoptr(GArray) cpus = slots ? qmp_query_cpus_fast(mon, err) : NULL;
    unsigned on = 0;

    if (!slots)
        return true;
    if (!cpus)
        return false;
    g_autoptr(GArray) states = vcpu_states(slots, cpus, d->vcpus_max);
    vcpus_list_all(d);
    for (LIST_EACH(VcpuDef, v, d->vcpu_defs)) {
        const VcpuState *is = v->id < states->len ? &g_array_index(states, VcpuState, v->id) : NULL;
        if (!is || !is->slot)
            continue;
        v->enabled = is->cpu ? TRI_YES : TRI_NO;
        v->hotpluggable = vcpu_state_removable(is) ? TRI_YES : TRI_NO;
        v->order = is->slot->order; /* those of a slot come at once */
        on += is->cpu != NULL;
    }
    if (on)
        d->vcpus = on;
    return true;
}

static bool plug(Qmp *mon, const VcpuSlot *s, GError **err)
{
    g_autofree char *id = g_strdup_printf("vcpu%u", s->first);

    if (!s->type || !s->place) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "the emulator does not say how vCPU %u is plugged",
                  s->first);
        return false;
    }
    JsonObject *args = json_make(J_STR("driver", s->type), J_STR("id", id));
    json_object_object_foreach(s->place, key, value)
        json_object_object_add(args, key, json_object_get(value));
    return qmp_device_add(mon, args, err);
}

/* The guest has to let go of it. */
static bool unplug(Qmp *mon, const VcpuSlot *s, GError **err)
{
    g_autoptr(QmpExpect) gone = qmp_expect(mon, "DEVICE_DELETED", "device", s->alias);
    g_autoptr(GError) error = NULL;

    if (!qmp_device_del(mon, s->alias, err))
        return false;
    QmpEvent *event = NULL;
    if (qmp_expect_wait(gone, now_usec() + UNPLUG_WAIT, &event, &error)) {
        qmp_event_unref(event);
        return true;
    }
    if (!error_is(error, VIR_ERR_OPERATION_TIMEOUT))
        g_propagate_error(err, g_steal_pointer(&error));
    else
        error_set(
            err, VIR_ERR_OPERATION_TIMEOUT,
            "vcpu unplug request timed out. Unplug result must be manually inspected in the domain");
    return false;
}

/* Start ---------------------------------------------------------------------------------------- */

static gint by_order(gconstpointer a, gconstpointer b)
{
    const VcpuDef *x = *(const VcpuDef *const *)a, *y = *(const VcpuDef *const *)b;
    return x->order != y->order ? (x->order > y->order ? 1 : -1)
                                : (x->id > y->id) - (x->id < y->id);
}

bool vcpus_start(DomainDef *d, Qmp *mon, GError **err)
{
    g_autoptr(GPtrArray) later = g_ptr_array_new();
    g_autoptr(JsonObject) answer = NULL;
    const VcpuSlot *last = NULL;

    for (LIST_EACH(VcpuDef, v, d->vcpu_defs))
        if (v->enabled == TRI_YES && v->hotpluggable == TRI_YES)
            g_ptr_array_add(later, v);
    g_ptr_array_sort(later, by_order);
    g_autoptr(GArray) slots = later->len ? ask_slots(mon, &answer, err) : NULL;
    if (later->len && !slots)
        return false;
    for (unsigned i = 0; i < later->len; i++) {
        unsigned id = ((const VcpuDef *)later->pdata[i])->id;
        const VcpuSlot *s = vcpu_slots_find(slots, id);
        if (s && (s->path || s == last))
            continue; /* another one of its slot came first */
        if (!s) {
            error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                      "vcpus: %u cannot be plugged into this machine", id);
            return false;
        }
        if (!plug(mon, s, err))
            return false;
        last = s;
    }
    return !list_len(d->vcpu_defs) || vcpus_follow(d, mon, err);
}

/* Running guests ------------------------------------------------------------------------------- */

static bool no_slots(GError **err)
{
    error_set(
        err, VIR_ERR_CONFIG_UNSUPPORTED,
        "failed to find appropriate hotpluggable vcpus to reach the desired target vcpu count");
    return false;
}

bool vcpus_plug_count(DomainDef *live, Qmp *mon, unsigned n, GError **err)
{
    g_autoptr(JsonObject) answer = NULL;
    unsigned now = live->vcpus;
    bool ok = true;

    if (too_many(n, live, "live", err))
        return false;
    g_autoptr(GArray) slots = ask_slots(mon, &answer, err);
    if (!slots)
        return false;
    g_autoptr(GPtrArray) chosen = g_ptr_array_new();
    for (unsigned i = 0; i < slots->len && now < n; i++) {
        VcpuSlot *s = &g_array_index(slots, VcpuSlot, i);
        if (s->path || now + s->count > n)
            continue;
        g_ptr_array_add(chosen, s);
        now += s->count;
    }
    for (unsigned i = slots->len; i > 0 && now > n; i--) {
        VcpuSlot *s = &g_array_index(slots, VcpuSlot, i - 1);
        if (!s->alias || now - s->count < n)
            continue;
        g_ptr_array_add(chosen, s);
        now -= s->count;
    }
    if (now != n)
        return no_slots(err);
    for (unsigned i = 0; ok && i < chosen->len; i++) {
        const VcpuSlot *s = chosen->pdata[i];
        ok = s->path ? unplug(mon, s, err) : plug(mon, s, err);
    }
    return vcpus_follow(live, mon, ok ? err : NULL) && ok;
}

/* The one slot that holds exactly these. */
static const VcpuSlot *choose(const GArray *slots, const DomainDef *live, const Bitmap *ids, bool on, GError **err)
{
    const VcpuSlot *slot = NULL;

    for (int i = bitmap_next(ids, 0); i >= 0; i = bitmap_next(ids, (unsigned)i + 1)) {
        const VcpuSlot *s = vcpu_slots_find(slots, (unsigned)i);
        if ((unsigned)i >= live->vcpus_max || !s) {
            error_set(err, VIR_ERR_INVALID_ARG, "vcpu %d is not present in live config", i);
            return NULL;
        }
        if ((s->path != NULL) == on) {
            error_set(err, VIR_ERR_INVALID_ARG, "vcpu '%d' is already in requested state", i);
            return NULL;
        }
        if (!on && !s->alias) {
            error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "vcpu '%d' can't be unplugged", i);
            return NULL;
        }
        if (slot && s != slot) {
            error_set(err, VIR_ERR_OPERATION_UNSUPPORTED,
                      "only one hotpluggable entity can be selected");
            return NULL;
        }
        slot = s;
    }
    for (unsigned i = 0; slot && i < slot->count; i++) {
        if (!bitmap_is_set(ids, slot->first + i)) {
            error_set(err, VIR_ERR_OPERATION_UNSUPPORTED,
                      "vcpu '%d' belongs to a larger hotpluggable entity, but siblings were not selected",
                      bitmap_next(ids, 0));
            return NULL;
        }
    }
    return slot;
}

bool vcpus_plug(DomainDef *live, Qmp *mon, const Bitmap *ids, bool on, GError **err)
{
    g_autoptr(JsonObject) answer = NULL;
    g_autoptr(GArray) slots = ask_slots(mon, &answer, err);
    const VcpuSlot *slot = slots ? choose(slots, live, ids, on, err) : NULL;

    if (!slot)
        return false;
    bool ok = on ? plug(mon, slot, err) : unplug(mon, slot, err);
    return vcpus_follow(live, mon, ok ? err : NULL) && ok;
}
