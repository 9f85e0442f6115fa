/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which CPUs of the host a guest's threads may use, and what they do there: vcpuinfo, vcpupin,
 * emulatorpin, iothreadinfo, iothreadpin, iothreadset. On the wire a set of CPUs is a map, bit i of
 * byte i/8. Questions about the definition read a view; changes have the turn.
 */
#include <string.h>

#include "drivers/common/emit.h"
#include "drivers/common/params.h"
#include "drivers/qemu/cgroup.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/procfs.h"
#include "drivers/qemu/qmp_cmds.h"
#include "protocols/remote_procs.h"
#include "util/error.h"

/* Maps ----------------------------------------------------------------------------------------- */

static void to_map(const Bitmap *b, uint8_t *map, size_t len)
{
    for (int i = bitmap_next(b, 0); i >= 0 && (size_t)i < len * 8;
         i = bitmap_next(b, (unsigned)i + 1))
        map[i / 8] |= (uint8_t)(1 << (i % 8));
}

static Bitmap *from_map(const uint8_t *map, size_t len, GError **err)
{
    g_autoptr(Bitmap) b = bitmap_new();

    for (size_t i = 0; i < len * 8; i++)
        if (map[i / 8] & (1 << (i % 8)))
            (void)bitmap_set(b, (unsigned)i);
    if (bitmap_is_empty(b)) {
        error_set(err, VIR_ERR_INVALID_ARG, "Empty cpu list for pinning");
        return NULL;
    }
    return g_steal_pointer(&b);
}

/* As many whole bytes as the host's CPUs need. */
static size_t host_map_len(void)
{
    g_autoptr(Bitmap) all = host_online_cpus();
    return (size_t)bitmap_last(all) / 8 + 1;
}

/* Room for n maps of len bytes each. */
static bool maps_fit(int n, int len, GError **err)
{
    if (n >= 0 && len >= 0 && (uint64_t)n * (uint64_t)len <= REMOTE_CPUMAPS_MAX)
        return true;
    error_set(err, VIR_ERR_RPC, "%d maps of %d bytes: more than %d bytes", n, len,
              REMOTE_CPUMAPS_MAX);
    return false;
}

/* Questions ------------------------------------------------------------------------------------ */

bool qemu_domain_get_vcpus(Call *c, const DomainView *v, const remote_domain_get_vcpus_args *a,
                           remote_domain_get_vcpus_ret *r, GError **err)
{
    const QemuStatus *s = view_status(v);
    const DomainDef *def = v->live->def;
    (void)c;

    if (a->maxinfo < 0 || a->maxinfo > REMOTE_VCPUINFO_MAX ||
        !maps_fit(a->maxinfo, a->maplen, err)) {
        if (err && !*err)
            error_set(err, VIR_ERR_RPC, "vCPU info for %d: more than %d", a->maxinfo,
                      REMOTE_VCPUINFO_MAX);
        return false;
    }
    unsigned known = 0;
    for (unsigned i = 0; i < threads_count(s->threads); i++)
        known += threads_at(s->threads, i)->kind == THREAD_VCPU;
    if (!known) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "cpu affinity is not supported");
        return false;
    }
    unsigned max = MIN((unsigned)a->maxinfo, known);
    r->info.info_val = g_new0(remote_vcpu_info, max);
    r->cpumaps.cpumaps_val = g_malloc0((size_t)max * (size_t)a->maplen);
    r->cpumaps.cpumaps_len = max * (u_int)a->maplen;
    for (unsigned id = 0; id < def->vcpus_max && r->info.info_len < max; id++) {
        const GuestThread *one = threads_find(s->threads, THREAD_VCPU, id);
        g_autoptr(Bitmap) cpus = NULL;
        ProcFigures f;
        if (!one)
            continue;
        if (!procfs_read(s->pid, one->tid, &f)) {
            error_set(err, VIR_ERR_OPERATION_FAILED, "vCPU %u of '%s' has just gone", id, v->name);
            return false;
        }
        if (a->maplen && !thread_affinity(one->tid, &cpus, err))
            return false;
        remote_vcpu_info *info = &r->info.info_val[r->info.info_len];
        *info = (remote_vcpu_info){ .number = id,
                                    .state = VIR_VCPU_RUNNING,
                                    .cpu_time = f.user_ns + f.system_ns,
                                    .cpu = f.cpu };
        if (cpus)
            to_map(cpus, r->cpumaps.cpumaps_val + (size_t)r->info.info_len * (size_t)a->maplen,
                   (size_t)a->maplen);
        r->info.info_len++;
    }
    r->cpumaps.cpumaps_len = r->info.info_len * (u_int)a->maplen;
    return true;
}

bool qemu_domain_get_vcpu_pin_info(Call *c, const DomainView *v,
                                   const remote_domain_get_vcpu_pin_info_args *a,
                                   remote_domain_get_vcpu_pin_info_ret *r, GError **err)
{
    const DomainDef *def = common_def_for(c, v, a->flags, err);

    if (!def || !maps_fit(a->ncpumaps, a->maplen, err))
        return false;
    unsigned n = MIN((unsigned)a->ncpumaps, def->vcpus_max);
    size_t len = (size_t)a->maplen;
    r->cpumaps.cpumaps_val = g_malloc0(n * len);
    r->cpumaps.cpumaps_len = (u_int)(n * len);
    r->num = (int)n;
    for (unsigned i = 0; i < n; i++) {
        g_autoptr(Bitmap) cpus = thread_cpus(def, THREAD_VCPU, i);
        to_map(cpus, r->cpumaps.cpumaps_val + i * len, len);
    }
    return true;
}

bool qemu_domain_get_emulator_pin_info(Call *c, const DomainView *v,
                                       const remote_domain_get_emulator_pin_info_args *a,
                                       remote_domain_get_emulator_pin_info_ret *r, GError **err)
{
    const DomainDef *def = common_def_for(c, v, a->flags, err);

    if (!def || !maps_fit(1, a->maplen, err))
        return false;
    g_autoptr(Bitmap) cpus = thread_cpus(def, THREAD_EMULATOR, 0);
    r->cpumaps.cpumaps_val = g_malloc0((size_t)a->maplen);
    r->cpumaps.cpumaps_len = (u_int)a->maplen;
    to_map(cpus, r->cpumaps.cpumaps_val, (size_t)a->maplen);
    r->ret = 1;
    return true;
}

static void add_iothread(remote_domain_get_iothread_info_ret *r, unsigned id, const Bitmap *cpus,
                         size_t len)
{
    remote_domain_iothread_info *info = &r->info.info_val[r->info.info_len++];

    info->iothread_id = id;
    info->cpumap.cpumap_val = g_malloc0(len);
    info->cpumap.cpumap_len = (u_int)len;
    to_map(cpus, info->cpumap.cpumap_val, len);
}

bool qemu_domain_get_iothread_info(Call *c, DomainQuery *q,
                                   const remote_domain_get_iothread_info_args *a,
                                   remote_domain_get_iothread_info_ret *r, GError **err)
{
    const DomainView *v = q->view;
    const DomainDef *def = common_def_for(NULL, v, a->flags, err);
    (void)c;

    if (!def)
        return false;
    const QemuStatus *s = v->live && def == v->live->def ? view_status(v) : NULL;
    size_t len = host_map_len();
    g_autoptr(DomainDef) all = s ? NULL : domain_copy(def);
    if (all)
        iothreads_list_all(all);
    unsigned room = MIN(s ? threads_count(s->threads) : list_len(all->iothread_defs),
                        (unsigned)REMOTE_IOTHREAD_INFO_MAX);
    r->info.info_val = g_new0(remote_domain_iothread_info, room);
    if (!s) {
        for (LIST_EACH(const IothreadDef, d, all->iothread_defs)) {
            g_autoptr(Bitmap) cpus = thread_cpus(def, THREAD_IOTHREAD, d->id);
            if (r->info.info_len < room)
                add_iothread(r, d->id, cpus, len);
        }
    }
    for (unsigned i = 0; s && i < room; i++) {
        const GuestThread *one = threads_at(s->threads, i);
        g_autoptr(Bitmap) cpus = NULL;
        if (one->kind != THREAD_IOTHREAD)
            continue;
        if (!thread_affinity(one->tid, &cpus, err))
            return false;
        add_iothread(r, one->id, cpus, len);
    }
    r->ret = r->info.info_len;
    return true;
}

/* Changes -------------------------------------------------------------------------------------- */

static void pin_free(void *data)
{
    Pin *p = data;

    bitmap_free(p->cpuset);
    g_free(p);
}

/* cpus NULL: none of its own. In the order of their ids. */
static void store_pin(GPtrArray **pins, unsigned id, const Bitmap *cpus)
{
    unsigned at = 0;

    if (!*pins)
        *pins = g_ptr_array_new();
    while (at < (*pins)->len && ((const Pin *)(*pins)->pdata[at])->id < id)
        at++;
    if (at < (*pins)->len && ((const Pin *)(*pins)->pdata[at])->id == id) {
        pin_free((*pins)->pdata[at]);
        g_ptr_array_remove_index(*pins, at);
    }
    if (!cpus)
        return;
    Pin *p = g_new0(Pin, 1);
    *p = (Pin){ .id = id, .cpuset = bitmap_copy(cpus) };
    g_ptr_array_insert(*pins, (int)at, p);
}

static void store(DomainDef *d, ThreadKind kind, unsigned id, const Bitmap *cpus)
{
    if (!d->cputune)
        d->cputune = g_new0(CpuTuning, 1);
    CpuTuning *t = d->cputune;
    if (kind == THREAD_EMULATOR) {
        bitmap_free(t->emulator_pin);
        t->emulator_pin = bitmap_copy(cpus);
    } else {
        store_pin(kind == THREAD_VCPU ? &t->vcpu_pins : &t->iothread_pins, id, cpus);
    }
}

static bool pin(DomainTurn *t, DomainDef *live, DomainDef *config, ThreadKind kind, unsigned id,
                const Bitmap *cpus, GError **err)
{
    g_auto(ParamList) told = { 0 };

    if (config)
        store(config, kind, id, cpus);
    if (live) {
        g_autoptr(Cgroup) g = guest_cgroup(turn_view(t));
        const QemuStatus *s = view_status(turn_view(t));
        /* A vCPU that is not plugged in has no thread yet; its pin waits for it. */
        if ((kind == THREAD_EMULATOR || threads_find(s->threads, kind, id)) &&
            !thread_pin(s, g, kind, id, cpus, err))
            return false;
        store(live, kind, id, cpus);
        g_autofree char *text = bitmap_format(cpus);
        if (kind == THREAD_EMULATOR)
            params_add_string(&told, text, "cputune.emulatorpin");
        else
            params_add_string(&told, text, "cputune.%spin%u",
                              kind == THREAD_VCPU ? "vcpu" : "iothread", id);
        emit_tunable(t, &told);
    }
    return true;
}

static bool pin_vcpu(DomainTurn *t, unsigned vcpu, const uint8_t *map, u_int len, unsigned flags,
                     GError **err)
{
    DomainDef *live, *config;

    if (!common_edit(t, flags, &live, &config, err))
        return false;
    if ((live && vcpu >= live->vcpus_max) || (config && vcpu >= config->vcpus_max)) {
        bool of_live = live && vcpu >= live->vcpus_max;
        error_set(err, VIR_ERR_INVALID_ARG, "vcpu %u is out of range of %s cpu count %u", vcpu,
                  of_live ? "live" : "persistent", of_live ? live->vcpus : config->vcpus);
        return false;
    }
    g_autoptr(Bitmap) cpus = from_map(map, len, err);
    return cpus && pin(t, live, config, THREAD_VCPU, vcpu, cpus, err);
}

bool qemu_domain_pin_vcpu(Call *c, DomainTurn *t, const remote_domain_pin_vcpu_args *a,
                          GError **err)
{
    (void)c;
    return pin_vcpu(t, a->vcpu, a->cpumap.cpumap_val, a->cpumap.cpumap_len, VIR_DOMAIN_AFFECT_LIVE,
                    err);
}

bool qemu_domain_pin_vcpu_flags(Call *c, DomainTurn *t, const remote_domain_pin_vcpu_flags_args *a,
                                GError **err)
{
    (void)c;
    return pin_vcpu(t, a->vcpu, a->cpumap.cpumap_val, a->cpumap.cpumap_len, a->flags, err);
}

bool qemu_domain_pin_emulator(Call *c, DomainTurn *t, const remote_domain_pin_emulator_args *a,
                              GError **err)
{
    DomainDef *live, *config;
    (void)c;

    if (!common_edit(t, a->flags, &live, &config, err))
        return false;
    g_autoptr(Bitmap) cpus = from_map(a->cpumap.cpumap_val, a->cpumap.cpumap_len, err);
    return cpus && pin(t, live, config, THREAD_EMULATOR, 0, cpus, err);
}

bool qemu_domain_pin_iothread(Call *c, DomainTurn *t, const remote_domain_pin_iothread_args *a,
                              GError **err)
{
    unsigned id = a->iothreads_id;
    DomainDef *live, *config;
    (void)c;

    if (!common_edit(t, a->flags, &live, &config, err))
        return false;
    g_autoptr(Bitmap) cpus = from_map(a->cpumap.cpumap_val, a->cpumap.cpumap_len, err);
    if (!cpus)
        return false;
    if (live && !threads_find(view_status(turn_view(t))->threads, THREAD_IOTHREAD, id)) {
        error_set(err, VIR_ERR_INVALID_ARG, "iothread %u not found", id);
        return false;
    }
    if (config)
        iothreads_list_all(config);
    if (config && !iothreads_find(config, id, NULL)) {
        error_set(err, VIR_ERR_INVALID_ARG, "iothreadid %u not found", id);
        return false;
    }
    return pin(t, live, config, THREAD_IOTHREAD, id, cpus, err);
}

/* Polling and worker threads ------------------------------------------------------------------- */

/* own: the type of the property that QEMU has for it (all are numbers). */
#define POLL(word, member)                                                                         \
    {                                                                                              \
        word, VIR_TYPED_PARAM_ULLONG, .field = PARAM_OPT_U64,                                      \
                                      .off = offsetof(IothreadDef, member), .max = INT64_MAX       \
    }
#define POLL_32(word, member)                                                                      \
    {                                                                                              \
        word, VIR_TYPED_PARAM_UINT, .field = PARAM_OPT_U64, .off = offsetof(IothreadDef, member),  \
                                    .max = INT32_MAX                                               \
    }
#define POOL(word, member)                                                                         \
    {                                                                                              \
        word, VIR_TYPED_PARAM_INT, .field = PARAM_OPT_I32, .off = offsetof(IothreadDef, member),   \
                                   .own = 1                                                        \
    }
static const ParamRow iothread_rows[] = {
    POLL("poll_max_ns", poll_max),       POLL_32("poll_grow", poll_grow),
    POLL_32("poll_shrink", poll_shrink), POOL("thread_pool_min", pool_min),
    POOL("thread_pool_max", pool_max),
};

static const char *const iothread_properties[] = { "poll-max-ns", "poll-grow", "poll-shrink",
                                                   "thread-pool-min", "thread-pool-max" };

static bool set_iothread_live(DomainTurn *t, unsigned id, const remote_typed_param *params, u_int n,
                              GError **err)
{
    g_autofree char *path = g_strdup_printf("/objects/iothread%u", id);
    g_autoptr(Qmp) q = guest_qmp(turn_driver_data(t), err);

    if (!q)
        return false;
    for (u_int i = 0; i < n; i++) {
        const ParamRow *row =
            params_row(iothread_rows, G_N_ELEMENTS(iothread_rows), params[i].field);
        int64_t value = row->type == VIR_TYPED_PARAM_INT    ? params[i].value.u.i
                        : row->type == VIR_TYPED_PARAM_UINT ? (int64_t)params[i].value.u.ui
                                                            : (int64_t)params[i].value.u.ul;
        if (!qmp_qom_set(q, path, iothread_properties[row - iothread_rows],
                         json_object_new_int64(value), err))
            return false;
    }
    return true;
}

bool qemu_domain_set_iothread_params(Call *c, DomainTurn *t,
                                     const remote_domain_set_iothread_params_args *a, GError **err)
{
    remote_typed_param *params = a->params.params_val;
    u_int n = a->params.params_len;
    DomainDef *defs[2];
    (void)c;

    if (a->iothread_id == 0) {
        error_set(err, VIR_ERR_INVALID_ARG, "invalid value of 0 for iothread_id");
        return false;
    }
    if (!params_check(params, n, iothread_rows, G_N_ELEMENTS(iothread_rows), err) ||
        !common_edit(t, a->flags, &defs[0], &defs[1], err))
        return false;
    for (unsigned d = 0; d < G_N_ELEMENTS(defs); d++) {
        if (!defs[d])
            continue;
        iothreads_list_all(defs[d]);
        IothreadDef *o = iothreads_find(defs[d], a->iothread_id, NULL);
        if (!o) {
            error_set(err, VIR_ERR_INVALID_ARG, "cannot find IOThread '%u' in iothreadids",
                      a->iothread_id);
            return false;
        }
        for (u_int i = 0; i < n; i++) {
            const ParamRow *row =
                params_row(iothread_rows, G_N_ELEMENTS(iothread_rows), params[i].field);
            if (!params_in_range(&params[i], row, err))
                return false;
            if (!row->own && defs[d] == defs[1]) {
                error_set(err, VIR_ERR_OPERATION_UNSUPPORTED,
                          "configuring persistent polling values is not supported");
                return false;
            }
            /* How it polls now is not part of its definition. */
            if (row->own)
                params_store(&params[i], row, o);
        }
        if (o->pool_min.set && o->pool_max.set && o->pool_min.v > o->pool_max.v) {
            error_set(err, VIR_ERR_INVALID_ARG,
                      "thread_pool_min (%d) must be lower than or equal to thread_pool_max (%d)",
                      o->pool_min.v, o->pool_max.v);
            return false;
        }
    }
    return !defs[0] || set_iothread_live(t, a->iothread_id, params, n, err);
}
