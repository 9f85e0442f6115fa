/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a guest's threads run (threads.h): their control groups with their part of the processor's time,
 * the CPUs that they are pinned to, their schedulers. A thread that has no place of its own in the
 * definition may run wherever the guest may. Workers, within the domain's turn.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "drivers/qemu/cgroup.h"
#include "drivers/qemu/start.h"
#include "drivers/qemu/threads.h"
#include "util/error.h"

static const Bitmap *pin_of(const GPtrArray *pins, unsigned id)
{
    for (LIST_EACH(const Pin, p, pins))
        if (p->id == id)
            return p->cpuset;
    return NULL;
}

Bitmap *thread_cpus(const DomainDef *d, ThreadKind kind, unsigned id)
{
    const CpuTuning *t = d->cputune;
    const Bitmap *own = !t                        ? NULL
                        : kind == THREAD_VCPU     ? pin_of(t->vcpu_pins, id)
                        : kind == THREAD_IOTHREAD ? pin_of(t->iothread_pins, id)
                                                  : t->emulator_pin;
    if (!own)
        own = d->cpuset;
    return own ? bitmap_copy(own) : host_online_cpus();
}

static bool set_affinity(pid_t tid, const Bitmap *cpus, GError **err)
{
    g_autofree cpu_set_t *set = CPU_ALLOC(BITMAP_MAX);
    size_t size = CPU_ALLOC_SIZE(BITMAP_MAX);

    CPU_ZERO_S(size, set);
    for (int i = bitmap_next(cpus, 0); i >= 0; i = bitmap_next(cpus, (unsigned)i + 1))
        CPU_SET_S((size_t)i, size, set);
    if (sched_setaffinity(tid, size, set) == 0 || errno == ESRCH)
        return true; /* a thread may end at any time */
    error_set_errno(err, errno, "cannot set CPU affinity on process %d", (int)tid);
    return false;
}

static bool is_own(const GuestThreads *t, pid_t tid)
{
    for (unsigned i = 0; i < threads_count(t); i++)
        if (threads_at(t, i)->tid == tid)
            return true;
    return false;
}

/* All threads of the process that are none of a vCPU or I/O thread; the first one first, because those that
 * it makes meanwhile start where it is. */
static bool each_of_emulator(pid_t pid, const GuestThreads *t,
                             bool (*fn)(pid_t tid, const void *data, GError **err),
                             const void *data, GError **err)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task", (int)pid);
    g_autoptr(GDir) d = g_dir_open(path, 0, NULL);
    const char *name;

    if (!fn(pid, data, err))
        return false;
    while (d && (name = g_dir_read_name(d))) {
        pid_t tid = (pid_t)atoi(name);
        if (tid > 0 && tid != pid && !is_own(t, tid) && !fn(tid, data, err))
            return false;
    }
    return true;
}

static bool affinity_cb(pid_t tid, const void *cpus, GError **err)
{
    return set_affinity(tid, cpus, err);
}

bool thread_pin(const QemuStatus *s, const Cgroup *g, ThreadKind kind, unsigned id,
                const Bitmap *cpus, GError **err)
{
    const GuestThread *one = threads_find(s->threads, kind, id);
    char buf[32];

    if (kind != THREAD_EMULATOR && !one) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "cpu affinity is not supported");
        return false;
    }
    if (!guest_cgroup_set_cpus(g, thread_group(kind, id, buf), cpus, err))
        return false;
    return kind == THREAD_EMULATOR ? each_of_emulator(s->pid, s->threads, affinity_cb, cpus, err)
                                   : set_affinity(one->tid, cpus, err);
}

/* Schedulers ----------------------------------------------------------------------------------- */

static const SchedDef *sched_of(const CpuTuning *t, ThreadKind kind, unsigned id)
{
    if (!t)
        return NULL;
    if (kind == THREAD_EMULATOR)
        return t->emulator_sched;
    for (LIST_EACH(const SchedDef, s, kind == THREAD_VCPU ? t->vcpu_scheds : t->iothread_scheds))
        if (s->ids && bitmap_is_set(s->ids, id))
            return s;
    return NULL;
}

static bool sched_cb(pid_t tid, const void *data, GError **err)
{
    static const int policies[] = { [SCHED_POLICY_NONE] = SCHED_OTHER,
                                    [SCHED_POLICY_BATCH] = SCHED_BATCH,
                                    [SCHED_POLICY_IDLE] = SCHED_IDLE,
                                    [SCHED_POLICY_FIFO] = SCHED_FIFO,
                                    [SCHED_POLICY_RR] = SCHED_RR };
    const SchedDef *s = data;
    int policy = policies[s->policy];
    bool realtime = policy == SCHED_FIFO || policy == SCHED_RR;
    struct sched_param param = { .sched_priority = realtime ? s->priority.v : 0 };
    int min = sched_get_priority_min(policy), max = sched_get_priority_max(policy);

    if (realtime && (s->priority.v < min || s->priority.v > max)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "Scheduler priority %d out of range [%d, %d]",
                  s->priority.v, min, max);
        return false;
    }
    if (sched_setscheduler(tid, policy, &param) == 0 || errno == ESRCH)
        return true;
    error_set_errno(err, errno, "Cannot set scheduler parameters for pid %d", (int)tid);
    return false;
}

/* Groups --------------------------------------------------------------------------------------- */

static bool group_cb(pid_t tid, const void *g, GError **err)
{
    g_autoptr(GError) error = NULL;

    if (cgroup_add_thread(g, "emulator", tid, &error) || error_errno(error) == ESRCH)
        return true;
    g_propagate_error(err, g_steal_pointer(&error));
    return false;
}

static bool set_part(const Cgroup *g, const char *child, const CpuTuning *t, ThreadKind kind,
                     GError **err)
{
    if (!t || !cgroup_has(g, CGROUP_CPU))
        return true;
    switch (kind) {
    case THREAD_EMULATOR:
        return guest_cgroup_set_quota(g, child, t->emulator_period, t->emulator_quota, err);
    case THREAD_VCPU:
        return guest_cgroup_set_quota(g, child, t->period, t->quota, err);
    case THREAD_IOTHREAD:
        return guest_cgroup_set_quota(g, child, t->iothread_period, t->iothread_quota, err);
    }
    g_assert_not_reached();
}

/* Gives a thread its place by the definition. */
static bool place(const DomainDef *d, const QemuStatus *s, const Cgroup *g, ThreadKind kind,
                  unsigned id, GError **err)
{
    char buf[32];
    const char *child = thread_group(kind, id, buf);
    const GuestThread *one = threads_find(s->threads, kind, id);
    const SchedDef *sched = sched_of(d->cputune, kind, id);
    g_autoptr(Bitmap) cpus = thread_cpus(d, kind, id);

    if (!cgroup_make_child(g, child, err) || !set_part(g, child, d->cputune, kind, err))
        return false;
    if (kind == THREAD_EMULATOR) {
        if (!each_of_emulator(s->pid, s->threads, group_cb, g, err))
            return false;
    } else if (!cgroup_add_thread(g, child, one->tid, err)) {
        return false;
    }
    if (!thread_pin(s, g, kind, id, cpus, err))
        return false;
    if (!sched)
        return true;
    return one ? sched_cb(one->tid, sched, err)
               : each_of_emulator(s->pid, s->threads, sched_cb, sched, err);
}

bool start_placement(Start *s, GError **err)
{
    g_autoptr(Cgroup) g = guest_cgroup_of(s->def, s->status);
    g_autoptr(Bitmap) cpus = thread_cpus(s->def, THREAD_EMULATOR, 0);

    return cgroup_add_process(g, s->status->pid, err) && set_affinity(s->status->pid, cpus, err);
}

bool start_threads(Start *s, GError **err)
{
    g_autoptr(Cgroup) g = guest_cgroup_of(s->def, s->status);

    s->status->threads = threads_read(s->qmp, err);
    if (!s->status->threads || !place(s->def, s->status, g, THREAD_EMULATOR, 0, err))
        return false;
    for (unsigned i = 0; i < threads_count(s->status->threads); i++) {
        const GuestThread *one = threads_at(s->status->threads, i);
        if (!place(s->def, s->status, g, one->kind, one->id, err))
            return false;
    }
    return true;
}

bool threads_refresh(DomainTurn *t, Qmp *mon, GError **err)
{
    const DomainView *v = turn_view(t);
    const QemuStatus *old = view_status(v);
    GuestThreads *now = threads_read(mon, err);
    g_autoptr(Cgroup) g = guest_cgroup(v);
    char buf[32];

    if (!now)
        return false;
    QemuStatus *s = qemu_status_copy(old);
    threads_unref(s->threads);
    s->threads = now;
    for (unsigned i = 0; i < threads_count(now); i++) {
        const GuestThread *one = threads_at(now, i),
                          *before = threads_find(old->threads, one->kind, one->id);
        if (before && before->tid == one->tid)
            continue;
        if (!place(v->live->def, s, g, one->kind, one->id, err)) {
            driver_status_unref(&s->base);
            return false;
        }
    }
    for (unsigned i = 0; i < threads_count(old->threads); i++) {
        const GuestThread *one = threads_at(old->threads, i);
        if (!threads_find(now, one->kind, one->id))
            cgroup_remove_child(g, thread_group(one->kind, one->id, buf));
    }
    turn_set_status(t, &s->base);
    return true;
}
