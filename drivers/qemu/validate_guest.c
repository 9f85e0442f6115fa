/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a whole guest asks for beside its devices, and no emulator or not this one can give: each is one
 * function of one part of the document. Reads only; any thread.
 */
#include <inttypes.h>
#include <string.h>

#include "drivers/qemu/machine.h"
#include "drivers/qemu/validate.h"
#include "util/error.h"

/* ---- time, processors, memory ---- */

static bool guest_timers(const DomainDef *d, GError **err)
{
    for (LIST_EACH(const ClockTimer, t, d->clock.timers)) {
        bool x86 = t->name == TIMER_TSC || t->name == TIMER_KVMCLOCK || t->name == TIMER_HYPERVCLOCK;
        bool arm = t->name == TIMER_ARMVTIMER;
        if ((x86 && !arch_is_x86(d->os.arch)) || (arm && !(d->virt == VIRT_KVM && qemu_machine_is_arm_virt(d))))
            return qemu_refuse(err, "Configuring the '%s' timer is not supported for virtType=%s arch=%s machine=%s guests",
                               enum_name(&timer_name_names, t->name), enum_name(&virt_type_names, d->virt), d->os.arch,
                               d->os.machine ? d->os.machine : "");
    }
    return true;
}

static bool guest_vcpus(const DomainDef *d, GError **err)
{
    bool removable = false, first = !list_len(d->vcpu_defs);

    for (LIST_EACH(const VcpuDef, v, d->vcpu_defs)) {
        first |= v->id == 0 && v->enabled == TRI_YES;
        if (v->id == 0 && v->hotpluggable == TRI_YES)
            return qemu_refuse(err, "vcpu0 can't be hotpluggable");
        if (v->enabled == TRI_YES && v->hotpluggable != TRI_YES && removable)
            return qemu_refuse(err, "online non-hotpluggable vcpus need to be ordered prior to hotplugable vcpus");
        removable |= v->enabled != TRI_YES || v->hotpluggable == TRI_YES;
    }
    return first || qemu_refuse(err, "vcpu 0 can't be offline");
}

static bool guest_cpu_cache(const CpuDef *cpu, GError **err)
{
    const CpuCache *k = cpu ? cpu->cache : NULL;
    bool host = cpu && (cpu->mode == CPU_MODE_HOST_PASSTHROUGH || cpu->mode == CPU_MODE_MAXIMUM);

    if (!k)
        return true;
    const char *mode = enum_name(&cpu_cache_names, k->mode);
    if (k->mode == CPU_CACHE_EMULATE && !(k->level.set && k->level.v == 3))
        return qemu_refuse(err, "CPU cache mode '%s' can only be used with level='3'", mode);
    if (k->mode == CPU_CACHE_PASSTHROUGH && !host)
        return qemu_refuse(err, "CPU cache mode '%s' can only be used with 'host-passthrough' / 'maximum' CPUs", mode);
    return k->mode == CPU_CACHE_EMULATE || !k->level.set || qemu_refuse(err, "unsupported CPU cache level for mode '%s'", mode);
}

static bool in_range(const char *name, int64_t value, int64_t max, GError **err)
{
    enum { MIN_US = 1000 };

    return value <= 0 || (value >= MIN_US && value <= max) ||
           qemu_refuse(err, "Value of cputune '%s' must be in range [%d, %" PRId64 "]", name, MIN_US, max);
}

static bool guest_cputune(const CpuTuning *t, GError **err)
{
    static const int64_t period_max = 1000000, quota_max = 18446744073709551; /* µs */

    return !t || (in_range("period", (int64_t)t->period, period_max, err) && in_range("global_period", (int64_t)t->global_period, period_max, err) &&
                  in_range("emulator_period", (int64_t)t->emulator_period, period_max, err) &&
                  in_range("iothread_period", (int64_t)t->iothread_period, period_max, err) && in_range("quota", t->quota, quota_max, err) &&
                  in_range("global_quota", t->global_quota, quota_max, err) && in_range("emulator_quota", t->emulator_quota, quota_max, err) &&
                  in_range("iothread_quota", t->iothread_quota, quota_max, err));
}

/* ---- machine and firmware ---- */

static bool guest_machine(const DomainDef *d, const QemuCaps *caps, GError **err)
{
    const OsLoader *l = d->os.loader;
    if (!d->os.firmware && (l || d->os.nvram) && !(l && l->path))
        return qemu_refuse(err, "no loader path specified and firmware auto selection disabled");
    for (LIST_EACH(const KeywrapDef, k, d->keywrap)) {
        QemuCap need = g_strcmp0(k->name, "aes") == 0 ? QEMU_CAP_AES_KEY_WRAP : QEMU_CAP_DEA_KEY_WRAP;
        if (caps && k->state != TRI_ABSENT && !qemu_caps_has(caps, need))
            return qemu_refuse(err, "%s-key-wrap is not available with this QEMU binary", k->name);
    }
    if (d->launch_security && d->launch_security->type == LAUNCH_S390_PV && caps &&
        !(qemu_caps_has(caps, QEMU_CAP_MACHINE_CONFIDENTAL_GUEST_SUPPORT) && qemu_caps_has(caps, QEMU_CAP_S390_PV_GUEST)))
        return qemu_refuse(err, "S390 PV launch security is not supported with this QEMU binary");
    return true;
}

/* ---- xmlns:qemu ---- */

static bool known_capabilities(const GPtrArray *names, GError **err)
{
    for (LIST_EACH(const StrItem, s, names))
        if (qemu_cap_from_name(s->s) >= QEMU_CAP_N_)
            return qemu_refuse(err, "invalid qemu namespace capability '%s'", s->s);
    return true;
}

static bool proper_property(const QemuProperty *p, GError **err)
{
    static const char *const types[] = { "string", "signed", "unsigned", "bool", "remove", NULL };
    int64_t i;
    uint64_t u;
    const char *v = p->value;

    if (!g_strv_contains(types, p->type))
        return qemu_refuse(err, "qemu:property '%s': unknown type '%s'", p->name, p->type);
    if (strcmp(p->type, "remove") == 0)
        return !v || qemu_refuse(err, "setting 'value' attribute of 'qemu:property' doesn't make sense with 'remove' type");
    if (!v)
        return qemu_refuse(err, "missing 'value' attribute for 'qemu:property' '%s'", p->name);
    bool good = strcmp(p->type, "signed") == 0     ? g_ascii_string_to_signed(v, 10, INT64_MIN, INT64_MAX, &i, NULL)
                : strcmp(p->type, "unsigned") == 0 ? g_ascii_string_to_unsigned(v, 10, 0, UINT64_MAX, &u, NULL)
                : strcmp(p->type, "bool") == 0     ? strcmp(v, "true") == 0 || strcmp(v, "false") == 0
                                                   : true;
    return good || qemu_refuse(err, "invalid value '%s' of 'value' attribute of 'qemu:property' '%s'", v, p->name);
}

static bool guest_namespace(const QemuNamespace *q, GError **err)
{
    if (!q)
        return true;
    for (LIST_EACH(const EnvVar, e, q->env)) {
        if (!g_ascii_isalpha(*e->name) && *e->name != '_')
            return qemu_refuse(err, "Invalid environment name, it must begin with a letter or underscore: '%s'", e->name);
        if (e->name[strspn(e->name, G_CSET_a_2_z G_CSET_A_2_Z "0123456789_")])
            return qemu_refuse(err, "Invalid environment name, it must contain only alphanumerics and underscore: '%s'", e->name);
    }
    for (LIST_EACH(const QemuOverride, o, q->overrides))
        for (LIST_EACH(const QemuProperty, p, o->properties))
            if (!proper_property(p, err))
                return false;
    return known_capabilities(q->caps_add, err) && known_capabilities(q->caps_del, err);
}

bool qemu_validate_guest(const DomainDef *d, const QemuCaps *caps, GError **err)
{
    if (d->memtune.min_guarantee.set)
        return qemu_refuse(err, "Parameter 'min_guarantee' not supported by QEMU.");
    return guest_timers(d, err) && guest_vcpus(d, err) && guest_cpu_cache(d->cpu, err) && guest_cputune(d->cputune, err) &&
           guest_machine(d, caps, err) && guest_namespace(d->qemu, err);
}
