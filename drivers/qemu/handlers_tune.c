/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processor time and memory of a guest: schedinfo, memtune. A parameter is a row: name, type, bounds,
 * field of the definition, and which value of the control group it is. A question about a running guest
 * is answered by its group. Workers, with the turn for changes.
 */
#include <string.h>

#include "drivers/common/emit.h"
#include "drivers/common/params.h"
#include "drivers/qemu/cgroup.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "util/error.h"

static bool need_controller(const Cgroup *g, CgroupController c, const char *what, GError **err)
{
    if (cgroup_has(g, c))
        return true;
    error_set(err, VIR_ERR_OPERATION_INVALID, "cgroup %s controller is not mounted", what);
    return false;
}

/* Processor ------------------------------------------------------------------------------------ */

enum { PERIOD_MIN = 1000, PERIOD_MAX = 1000000, QUOTA_MIN = 1000 };
#define QUOTA_MAX 17592186044415ULL

/* Whose time a row is about; -1: shares. */
typedef enum Scope {
    SHARES = -1,
    EMULATOR = THREAD_EMULATOR,
    VCPUS = THREAD_VCPU,
    IOTHREADS = THREAD_IOTHREAD,
    WHOLE
} Scope;

#define PERIOD(word, member, scope)                                                                \
    {                                                                                              \
        word "_period", VIR_TYPED_PARAM_ULLONG,                                                    \
            .field = PARAM_U64, .off = offsetof(CpuTuning, member), .min = PERIOD_MIN,             \
            .max = PERIOD_MAX, .own = (scope)                                                      \
    }
#define QUOTA(word, member, scope)                                                                 \
    {                                                                                              \
        word "_quota", VIR_TYPED_PARAM_LLONG,                                                      \
            .field = PARAM_I64, .off = offsetof(CpuTuning, member), .min = QUOTA_MIN,              \
            .max = QUOTA_MAX, .own = (scope)                                                       \
    }
static const ParamRow cpu_rows[] = {
    { "cpu_shares", VIR_TYPED_PARAM_ULLONG, .field = PARAM_OPT_U64,
      .off = offsetof(CpuTuning, shares), .own = SHARES },
    PERIOD("vcpu", period, VCPUS),
    QUOTA("vcpu", quota, VCPUS),
    PERIOD("emulator", emulator_period, EMULATOR),
    QUOTA("emulator", emulator_quota, EMULATOR),
    PERIOD("global", global_period, WHOLE),
    QUOTA("global", global_quota, WHOLE),
    PERIOD("iothread", iothread_period, IOTHREADS),
    QUOTA("iothread", iothread_quota, IOTHREADS),
};

bool qemu_domain_get_scheduler_type(Call *c, const DomainView *v,
                                    const remote_domain_get_scheduler_type_args *a,
                                    remote_domain_get_scheduler_type_ret *r, GError **err)
{
    g_autoptr(Cgroup) g = view_active(v) ? guest_cgroup(v) : NULL;
    (void)c;
    (void)a;

    if (g && !need_controller(g, CGROUP_CPU, "CPU", err))
        return false;
    r->type = g_strdup("posix");
    r->nparams = (int)G_N_ELEMENTS(cpu_rows);
    return true;
}

/* The first one of a kind: all of a kind have the same. */
static bool part_of(const Cgroup *g, const QemuStatus *s, Scope scope, uint64_t *period,
                    int64_t *quota, GError **err)
{
    char buf[32];

    *period = CGROUP_DEFAULT_PERIOD; /* of none */
    *quota = -1;
    if (scope == WHOLE)
        return guest_cgroup_get_quota(g, NULL, period, quota, err);
    if (scope == EMULATOR)
        return guest_cgroup_get_quota(g, thread_group(THREAD_EMULATOR, 0, buf), period, quota, err);
    for (unsigned i = 0; i < threads_count(s->threads); i++) {
        const GuestThread *one = threads_at(s->threads, i);
        if ((Scope)one->kind == scope)
            return guest_cgroup_get_quota(g, thread_group(one->kind, one->id, buf), period, quota,
                                          err);
    }
    return true;
}

static bool add_live(ParamList *l, const DomainView *v, GError **err)
{
    g_autoptr(Cgroup) g = guest_cgroup(v);
    uint64_t shares, period = 0;
    int64_t quota = 0;

    if (!need_controller(g, CGROUP_CPU, "CPU", err) || !guest_cgroup_get_shares(g, &shares, err))
        return false;
    for (unsigned i = 0; i < G_N_ELEMENTS(cpu_rows); i++) {
        const ParamRow *row = &cpu_rows[i];
        if (row->own == SHARES) {
            params_add_ullong(l, shares, "%s", row->name);
            continue;
        }
        if (row->field == PARAM_U64 &&
            !part_of(g, view_status(v), (Scope)row->own, &period, &quota, err))
            return false; /* a period's quota is the row behind it */
        if (row->field == PARAM_U64)
            params_add_ullong(l, period, "%s", row->name);
        else
            params_add_llong(l, quota, "%s", row->name);
    }
    return true;
}

static bool get_scheduler(const DomainView *v, unsigned flags, ParamList *l, GError **err)
{
    static const CpuTuning none;
    const DomainDef *def = common_def_for(NULL, v, flags & COMMON_IMPACT_FLAGS, err);

    if (!def)
        return false;
    if (v->live && def == v->live->def)
        return add_live(l, v, err);
    for (unsigned i = 0; i < G_N_ELEMENTS(cpu_rows); i++)
        params_add_field(l, &cpu_rows[i], def->cputune ? def->cputune : &none);
    return true;
}

bool qemu_domain_get_scheduler_parameters(Call *c, DomainQuery *q,
                                          const remote_domain_get_scheduler_parameters_args *a,
                                          remote_domain_get_scheduler_parameters_ret *r,
                                          GError **err)
{
    g_auto(ParamList) l = { 0 };
    (void)c;
    (void)a;

    if (!get_scheduler(q->view, 0, &l, err))
        return false;
    params_give(&l, &r->params);
    return true;
}

bool qemu_domain_get_scheduler_parameters_flags(
    Call *c, DomainQuery *q, const remote_domain_get_scheduler_parameters_flags_args *a,
    remote_domain_get_scheduler_parameters_flags_ret *r, GError **err)
{
    g_auto(ParamList) l = { 0 };
    (void)c;

    if (!get_scheduler(q->view, a->flags, &l, err))
        return false;
    params_give(&l, &r->params);
    return true;
}

static bool set_part(const Cgroup *g, const QemuStatus *s, const ParamRow *row,
                     const remote_typed_param *p, GError **err)
{
    uint64_t period = row->field == PARAM_U64 ? p->value.u.ul : 0;
    int64_t quota = row->field == PARAM_I64 ? p->value.u.l : 0;
    char buf[32];

    if (row->own == SHARES)
        return guest_cgroup_set_shares(g, p->value.u.ul, err);
    if (row->own == WHOLE)
        return guest_cgroup_set_quota(g, NULL, period, quota, err);
    if (row->own == EMULATOR)
        return guest_cgroup_set_quota(g, thread_group(THREAD_EMULATOR, 0, buf), period, quota, err);
    for (unsigned i = 0; i < threads_count(s->threads); i++) {
        const GuestThread *one = threads_at(s->threads, i);
        if ((int)one->kind == row->own &&
            !guest_cgroup_set_quota(g, thread_group(one->kind, one->id, buf), period, quota, err))
            return false;
    }
    return true;
}

static CpuTuning *tuning_of(DomainDef *d)
{
    if (!d->cputune)
        d->cputune = g_new0(CpuTuning, 1);
    return d->cputune;
}

static bool set_scheduler(DomainTurn *t, remote_typed_param *params, u_int n, unsigned flags,
                          GError **err)
{
    g_auto(ParamList) told = { 0 };
    DomainDef *live, *config;

    if (!params_check(params, n, cpu_rows, G_N_ELEMENTS(cpu_rows), err) ||
        !common_edit(t, flags, &live, &config, err))
        return false;
    g_autoptr(Cgroup) g = live ? guest_cgroup(turn_view(t)) : NULL;
    if (g && !need_controller(g, CGROUP_CPU, "CPU", err))
        return false;
    for (u_int i = 0; i < n; i++) {
        const remote_typed_param *p = &params[i];
        const ParamRow *row = params_row(cpu_rows, G_N_ELEMENTS(cpu_rows), p->field);
        if (!params_in_range(p, row, err))
            return false;
        bool leave = (row->field == PARAM_U64 && p->value.u.ul == 0) ||
                     (row->field == PARAM_I64 && p->value.u.l == 0);
        if (live && !leave) {
            if (!set_part(g, view_status(turn_view(t)), row, p, err))
                return false;
            params_store(p, row, tuning_of(live));
            params_add_renamed(&told, p, "cputune.%s", row->name);
        }
        if (config)
            params_store(p, row, tuning_of(config));
    }
    emit_tunable(t, &told);
    return true;
}

bool qemu_domain_set_scheduler_parameters(Call *c, DomainTurn *t,
                                          const remote_domain_set_scheduler_parameters_args *a,
                                          GError **err)
{
    (void)c;
    return set_scheduler(t, a->params.params_val, a->params.params_len, 0, err);
}

bool qemu_domain_set_scheduler_parameters_flags(
    Call *c, DomainTurn *t, const remote_domain_set_scheduler_parameters_flags_args *a,
    GError **err)
{
    (void)c;
    return set_scheduler(t, a->params.params_val, a->params.params_len, a->flags, err);
}

/* Memory --------------------------------------------------------------------------------------- */

#define LIMIT(word, which)                                                                         \
    {                                                                                              \
#word, VIR_TYPED_PARAM_ULLONG, .field = PARAM_OPT_U64,                                     \
                                       .off = offsetof(MemoryTuning, word), .own = (which)         \
    }
static const ParamRow memory_rows[] = {
    LIMIT(hard_limit, CGROUP_HARD),
    LIMIT(soft_limit, CGROUP_SOFT),
    LIMIT(swap_hard_limit, CGROUP_SWAP_HARD),
};

static const OptU64 *limit_at(const MemoryTuning *m, const ParamRow *row)
{
    return (const OptU64 *)(const void *)((const char *)m + row->off);
}

bool qemu_domain_get_memory_parameters(Call *c, DomainQuery *q,
                                       const remote_domain_get_memory_parameters_args *a,
                                       remote_domain_get_memory_parameters_ret *r, GError **err)
{
    const DomainDef *def = common_def_for(NULL, q->view, a->flags & COMMON_IMPACT_FLAGS, err);
    g_auto(ParamList) l = { 0 };
    (void)c;

    if (!def)
        return false;
    g_autoptr(Cgroup) g = q->view->live && def == q->view->live->def ? guest_cgroup(q->view) : NULL;
    if (g && !need_controller(g, CGROUP_MEMORY, "memory", err))
        return false;
    for (unsigned i = 0; i < G_N_ELEMENTS(memory_rows); i++) {
        const OptU64 *field = limit_at(&def->memtune, &memory_rows[i]);
        uint64_t value = field->set ? field->v : GUEST_MEMORY_UNLIMITED;
        if (g && !guest_cgroup_get_limit(g, (CgroupLimit)memory_rows[i].own, &value, err))
            return false;
        params_add_ullong(&l, value, "%s", memory_rows[i].name);
    }
    r->nparams = (int)l.len;
    params_give(&l, &r->params);
    return true;
}

static uint64_t limit_or_none(OptU64 v)
{
    return v.set ? v.v : GUEST_MEMORY_UNLIMITED;
}

/* The definition as it will be; "no limit" is not written into it. */
static bool store_limits(DomainDef *d, const remote_typed_param *params, u_int n, GError **err)
{
    MemoryTuning *m = &d->memtune;

    for (u_int i = 0; i < n; i++) {
        const ParamRow *row = params_row(memory_rows, G_N_ELEMENTS(memory_rows), params[i].field);
        OptU64 *field = (OptU64 *)(void *)((char *)m + row->off);
        params_store(&params[i], row, m);
        field->set = field->v < GUEST_MEMORY_UNLIMITED;
    }
    bool asked = params_find(params, n, "hard_limit") || params_find(params, n, "swap_hard_limit");
    if (!asked || limit_or_none(m->hard_limit) <= limit_or_none(m->swap_hard_limit))
        return true;
    error_set(err, VIR_ERR_INVALID_ARG,
              "memory hard_limit tunable value must be lower than or equal to swap_hard_limit");
    return false;
}

/* At no moment may the limit of memory and swap be below that of memory: when limits rise, it goes first. In
 * version 2 it counts from the other one, and goes behind it. */
static bool write_limits(const Cgroup *g, const MemoryTuning *m, const remote_typed_param *params,
                         u_int n, GError **err)
{
    bool hard = params_find(params, n, "hard_limit"), soft = params_find(params, n, "soft_limit"),
         swap = params_find(params, n, "swap_hard_limit");
    bool v2 = cgroup_is_v2(g, CGROUP_MEMORY);
    uint64_t now = 0, wanted = limit_or_none(m->swap_hard_limit);

    if (soft && !guest_cgroup_set_limit(g, CGROUP_SOFT, limit_or_none(m->soft_limit), err))
        return false;
    if (swap && !guest_cgroup_get_limit(g, CGROUP_SWAP_HARD, &now, err))
        return false;
    bool first = swap && !v2 && wanted >= now,
         after = !first && (swap || (v2 && hard && m->swap_hard_limit.set));
    return (!first || guest_cgroup_set_limit(g, CGROUP_SWAP_HARD, wanted, err)) &&
           (!hard || guest_cgroup_set_limit(g, CGROUP_HARD, limit_or_none(m->hard_limit), err)) &&
           (!after || guest_cgroup_set_limit(g, CGROUP_SWAP_HARD, wanted, err));
}

bool qemu_domain_set_memory_parameters(Call *c, DomainTurn *t,
                                       const remote_domain_set_memory_parameters_args *a,
                                       GError **err)
{
    remote_typed_param *params = a->params.params_val;
    u_int n = a->params.params_len;
    DomainDef *live, *config;
    (void)c;

    if (!params_check(params, n, memory_rows, G_N_ELEMENTS(memory_rows), err) ||
        !common_edit(t, a->flags, &live, &config, err))
        return false;
    g_autoptr(Cgroup) g = live ? guest_cgroup(turn_view(t)) : NULL;
    return (!g || need_controller(g, CGROUP_MEMORY, "memory", err)) &&
           (!config || store_limits(config, params, n, err)) &&
           (!live || (store_limits(live, params, n, err) &&
                      write_limits(g, &live->memtune, params, n, err)));
}
