/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cpu-stats: what a guest used of the host's processors, together and by CPU. The control group counts.
 * A view is enough; workers.
 */
#include "drivers/common/params.h"
#include "drivers/qemu/cgroup.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/host.h"
#include "protocols/remote_procs.h"
#include "util/error.h"

/* cpu_time and vcpu_time. */
enum { PER_CPU = 2 };

static bool add_total(ParamList *l, const Cgroup *g, GError **err)
{
    CgroupTimes times;

    if (!guest_cgroup_times(g, &times, err))
        return false;
    params_add_ullong(l, times.total, "%s", VIR_DOMAIN_CPU_STATS_CPUTIME);
    params_add_ullong(l, times.user, "%s", VIR_DOMAIN_CPU_STATS_USERTIME);
    params_add_ullong(l, times.system, "%s", VIR_DOMAIN_CPU_STATS_SYSTEMTIME);
    return true;
}

/* By CPU, what the threads of vCPUs used. */
static GArray *vcpu_times(const Cgroup *g, const QemuStatus *s, unsigned cpus, GError **err)
{
    g_autoptr(GArray) sum = g_array_sized_new(false, true, sizeof(uint64_t), cpus);
    char buf[32];

    g_array_set_size(sum, cpus);
    for (unsigned i = 0; i < threads_count(s->threads); i++) {
        const GuestThread *one = threads_at(s->threads, i);
        if (one->kind != THREAD_VCPU)
            continue;
        g_autoptr(GArray) times =
            guest_cgroup_cpu_times(g, thread_group(THREAD_VCPU, one->id, buf), err);
        if (!times)
            return NULL;
        for (unsigned c = 0; c < MIN(cpus, times->len); c++)
            g_array_index(sum, uint64_t, c) += g_array_index(times, uint64_t, c);
    }
    return g_steal_pointer(&sum);
}

static bool add_cpus(ParamList *l, const Cgroup *g, const QemuStatus *s, unsigned first, unsigned n,
                     unsigned cpus, GError **err)
{
    g_autoptr(GArray) all = guest_cgroup_cpu_times(g, NULL, err);
    g_autoptr(GArray) vcpus = all ? vcpu_times(g, s, cpus, err) : NULL;

    if (!vcpus)
        return false;
    for (unsigned c = first; c < MIN(first + n, cpus); c++) {
        params_add_ullong(l, c < all->len ? g_array_index(all, uint64_t, c) : 0, "%s",
                          VIR_DOMAIN_CPU_STATS_CPUTIME);
        params_add_ullong(l, g_array_index(vcpus, uint64_t, c), "%s",
                          VIR_DOMAIN_CPU_STATS_VCPUTIME);
    }
    return true;
}

bool qemu_domain_get_cpu_stats(Call *c, const DomainView *v,
                               const remote_domain_get_cpu_stats_args *a,
                               remote_domain_get_cpu_stats_ret *r, GError **err)
{
    g_autoptr(Cgroup) g = guest_cgroup(v);
    g_auto(ParamList) l = { 0 };
    int cpus = host_cpu_map(NULL, NULL, NULL, err);
    (void)c;

    if (cpus < 0)
        return false;
    if (!cgroup_has(g, CGROUP_CPUACCT)) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "cgroup CPUACCT controller is not mounted");
        return false;
    }
    if (a->start_cpu == -1) {
        if (!add_total(&l, g, err))
            return false;
        r->nparams = (int)l.len;
        params_cut(&l, a->nparams); /* 0: only the number is asked for */
        params_give(&l, &r->params);
        return true;
    }
    if (a->start_cpu < -1 || a->start_cpu >= cpus) {
        error_set(err, VIR_ERR_INVALID_ARG, "start_cpu %d larger than maximum of %d", a->start_cpu,
                  cpus - 1);
        return false;
    }
    if (a->ncpus > REMOTE_DOMAIN_GET_CPU_STATS_NCPUS_MAX) {
        error_set(err, VIR_ERR_RPC, "%u CPUs: more than %d", a->ncpus,
                  REMOTE_DOMAIN_GET_CPU_STATS_NCPUS_MAX);
        return false;
    }
    /* How many CPUs there are, how many parameters each has, or both. */
    r->nparams = a->ncpus ? PER_CPU : cpus;
    if (!a->ncpus || !a->nparams) {
        return true;
    }
    if (a->nparams < PER_CPU) {
        error_set(err, VIR_ERR_INVALID_ARG, "%d parameters per CPU, room for %u", PER_CPU,
                  a->nparams);
        return false;
    }
    if (!add_cpus(&l, g, view_status(v), (unsigned)a->start_cpu, a->ncpus, (unsigned)cpus, err))
        return false;
    params_give(&l, &r->params);
    return true;
}
