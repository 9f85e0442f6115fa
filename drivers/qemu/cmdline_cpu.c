/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * -cpu: model, features, and what hypervisors show their guests (Hyper-V, KVM and Xen features,
 * paravirtual clocks), which QEMU takes as CPU properties.
 */
#include <string.h>

#include "drivers/qemu/cmdline-internal.h"

/* Feature names of CPU models that QEMU spells otherwise; elsewhere '_' becomes '-'. */
static const char *const renamed[][2] = {
    { "pclmuldq", "pclmulqdq" },
};

static char *feature_name(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(renamed); i++) {
        if (strcmp(name, renamed[i][0]) == 0)
            return g_strdup(renamed[i][1]);
    }
    return g_strdelimit(g_strdup(name), "_", '-');
}

static void cpu_prop(GString *s, const char *name, Tristate t)
{
    if (t != TRI_ABSENT)
        g_string_append_printf(s, ",%s=%s", name, onoff(t));
}

static void cpu_features(GString *s, const CpuDef *cpu, bool x86)
{
    for (unsigned i = 0; i < list_len(cpu->features); i++) {
        const CpuFeature *f = list_at(cpu->features, i);
        g_autofree char *name = x86 ? feature_name(f->name) : g_strdup(f->name);
        switch (f->policy) {
        case CPU_POLICY_FORCE: case CPU_POLICY_REQUIRE: case CPU_POLICY_NONE:
            g_string_append_printf(s, ",%s=on", name);
            break;
        case CPU_POLICY_DISABLE: case CPU_POLICY_FORBID:
            g_string_append_printf(s, ",%s=off", name);
            break;
        case CPU_POLICY_OPTIONAL: case _CPU_POLICY_N:
            break; /* resolved against the host before, when it can be */
        }
    }
}

/* Elsewhere than on x86 the emulator would take any word; a mistake must not pass silently. */
static bool check_features(const Cmd *c, const CpuDef *cpu, GError **err)
{
    bool arm = arch_is_arm(c->def->os.arch);
    if (list_len(cpu->features) && arch_is_s390(c->def->os.arch) && !cmd_has(c, QEMU_CAP_QUERY_CPU_MODEL_EXPANSION))
        return qemu_refuse(err, "cpu features are not supported by this emulator for architecture '%s'", c->def->os.arch);
    for (unsigned i = 0; arm && i < list_len(cpu->features); i++) {
        const CpuFeature *f = list_at(cpu->features, i);
        char *end = NULL;
        guint64 bits = g_str_has_prefix(f->name, "sve") ? g_ascii_strtoull(f->name + 3, &end, 10) : 0;
        bool vector = end && !*end && (f->name[3] == '\0' || (bits >= 128 && bits <= 2048 && bits % 128 == 0));
        if (!vector)
            return qemu_refuse(err, "unknown CPU feature: %s", f->name);
    }
    return true;
}

static bool cpu_model(Cmd *c, GString *s, GError **err)
{
    const DomainDef *d = c->def;
    const CpuDef *cpu = d->cpu;
    bool x86 = arch_is_x86(d->os.arch);
    if (!check_features(c, cpu, err))
        return false;
    switch (cpu->mode) {
    case CPU_MODE_HOST_PASSTHROUGH: case CPU_MODE_MAXIMUM:
        g_string_append(s, cpu->mode == CPU_MODE_MAXIMUM || d->virt == VIRT_QEMU ? "max" : "host");
        if (cpu->mode == CPU_MODE_HOST_PASSTHROUGH && d->virt != VIRT_QEMU && cmd_has(c, QEMU_CAP_CPU_MIGRATABLE))
            cpu_prop(s, "migratable", cpu->migratable);
        break;
    case CPU_MODE_HOST_MODEL: {
        /* Expanded to a custom model before the start when the host's model is known; what is left
         * is an emulated guest, for which the best is all that the emulator has. */
        if (arch_is_ppc64(d->os.arch) && d->virt == VIRT_KVM) { /* the model is a mode of the machine */
            g_string_append(s, "host");
            break;
        }
        if (d->virt != VIRT_QEMU)
            return qemu_refuse(err, "cpu mode 'host-model': the CPU model of this host is not known");
        g_string_append(s, "max");
        break;
    }
    case CPU_MODE_CUSTOM: case CPU_MODE_NONE:
        if (!cpu->model)
            return true;
        props_escape(s, cpu->model);
        break;
    case _CPU_MODE_N:
        break;
    }
    if (cpu->vendor_id)
        g_string_append_printf(s, ",vendor=%s", cpu->vendor_id);
    cpu_features(s, cpu, x86);
    return true;
}

static void hyperv_props(GString *s, const HypervFeatures *h)
{
    if (!h)
        return;
    if (h->mode == HYPERV_MODE_PASSTHROUGH) {
        g_string_append(s, ",hv-passthrough=on");
        return;
    }
    /* clang-format off */
    const struct { const char *name; Tristate t; } before[] = {
        { "hv-relaxed", h->relaxed }, { "hv-vapic", h->vapic },
    }, after[] = {
        { "hv-vpindex", h->vpindex }, { "hv-runtime", h->runtime }, { "hv-synic", h->synic },
        { "hv-stimer", h->stimer }, { "hv-reset", h->reset },
    }, last[] = {
        { "hv-frequencies", h->frequencies }, { "hv-reenlightenment", h->reenlightenment },
        { "hv-tlbflush", h->tlbflush }, { "hv-ipi", h->ipi }, { "hv-evmcs", h->evmcs }, { "hv-avic", h->avic },
        { "hv-emsr-bitmap", h->emsr_bitmap }, { "hv-xmm-input", h->xmm_input },
    };
    /* clang-format on */
    for (unsigned i = 0; i < G_N_ELEMENTS(before); i++) {
        if (tri_is_yes(before[i].t))
            cpu_prop(s, before[i].name, TRI_YES);
    }
    if (tri_is_yes(h->spinlocks))
        g_string_append_printf(s, ",hv-spinlocks=0x%x", h->spinlock_retries);
    for (unsigned i = 0; i < G_N_ELEMENTS(after); i++) {
        if (!tri_is_yes(after[i].t))
            continue;
        cpu_prop(s, after[i].name, TRI_YES);
        if (strcmp(after[i].name, "hv-stimer") == 0 && tri_is_yes(h->stimer_direct))
            cpu_prop(s, "hv-stimer-direct", TRI_YES);
    }
    if (tri_is_yes(h->vendor_id) && h->vendor_id_value)
        g_string_append_printf(s, ",hv-vendor-id=%s", h->vendor_id_value);
    for (unsigned i = 0; i < G_N_ELEMENTS(last); i++) {
        if (tri_is_yes(last[i].t))
            cpu_prop(s, last[i].name, TRI_YES);
    }
}

static void kvm_props(GString *s, const KvmFeatures *k)
{
    if (!k)
        return;
    if (tri_is_yes(k->hidden))
        g_string_append(s, ",kvm=off");
    if (tri_is_yes(k->hint_dedicated))
        g_string_append(s, ",kvm-hint-dedicated=on");
    if (tri_is_yes(k->poll_control))
        g_string_append(s, ",kvm-poll-control=on");
    if (k->pv_ipi == TRI_NO)
        g_string_append(s, ",kvm-pv-ipi=off");
}

static bool cache_props(GString *s, const CpuDef *cpu, GError **err)
{
    if (cpu && cpu->cache) {
        const CpuCache *k = cpu->cache;
        bool host = cpu->mode == CPU_MODE_HOST_PASSTHROUGH || cpu->mode == CPU_MODE_MAXIMUM;
        switch (k->mode) {
        case CPU_CACHE_EMULATE:
            g_string_append(s, ",l3-cache=on");
            if (host)
                g_string_append(s, ",host-cache-info=off");
            break;
        case CPU_CACHE_PASSTHROUGH:
            g_string_append(s, host ? ",host-cache-info=on,l3-cache=off" : ",host-cache-info=on");
            break;
        case CPU_CACHE_DISABLE:
            g_string_append(s, host ? ",host-cache-info=off,l3-cache=off" : ",l3-cache=off");
            break;
        case _CPU_CACHE_N: default:
            return qemu_refuse(err, "cpu/cache mode is unknown");
        }
    }
    if (cpu && cpu->maxphysaddr) {
        const CpuPhysAddr *p = cpu->maxphysaddr;
        if (p->mode == CPU_PHYS_PASSTHROUGH) {
            g_string_append(s, ",host-phys-bits=on");
            if (p->limit.set)
                g_string_append_printf(s, ",host-phys-bits-limit=%d", p->limit.v);
        } else if (p->bits.set) {
            g_string_append_printf(s, ",phys-bits=%d", p->bits.v);
        }
    }
    return true;
}

bool cmd_cpu(Cmd *c, GError **err)
{
    const DomainDef *d = c->def;
    if (d->cpu && d->cpu->mode == CPU_MODE_HOST_PASSTHROUGH && d->virt == VIRT_QEMU)
        return qemu_refuse(err, "CPU mode 'host-passthrough' for %s qemu domain on this host is not supported by hypervisor", d->os.arch);
    GString *model = g_string_new(NULL), *s = g_string_new(NULL);
    bool ok = !d->cpu || cpu_model(c, model, err);
    for (unsigned i = 0; ok && i < list_len(d->clock.timers); i++) {
        const ClockTimer *t = list_at(d->clock.timers, i);
        if (t->name == TIMER_KVMCLOCK && t->present != TRI_ABSENT)
            cpu_prop(s, "kvmclock", t->present);
        else if (t->name == TIMER_HYPERVCLOCK && tri_is_yes(t->present))
            g_string_append(s, ",hv-time=on");
        else if (t->name == TIMER_TSC && t->frequency)
            g_string_append_printf(s, ",tsc-frequency=%" G_GUINT64_FORMAT, t->frequency);
        else if (t->name == TIMER_ARMVTIMER && t->tickpolicy != TICK_NONE)
            g_string_append_printf(s, ",kvm-no-adjvtime=%s", t->tickpolicy == TICK_DISCARD ? "off" : "on");
    }
    if (ok) {
        cpu_prop(s, "kvm-pv-eoi", d->features.apic_eoi);
        cpu_prop(s, "kvm-pv-unhalt", d->features.pvspinlock);
        hyperv_props(s, d->features.hyperv);
        guint pos = 0;
        const PanicDef *p;
        while ((p = domain_next(d, DEVICE_PANIC, &pos))) {
            if (p->model == PANIC_HYPERV) {
                g_string_append(s, ",hv-crash");
                break;
            }
        }
        kvm_props(s, d->features.kvm);
        cpu_prop(s, "pmu", d->features.pmu);
        ok = cache_props(s, d->cpu, err);
    }
    if (ok && (model->len || s->len)) {
        if (model->len == 0)
            g_string_append(model, g_strcmp0(d->os.arch, "i686") == 0 ? "qemu32" : "qemu64");
        g_string_append(model, s->str);
        cmd_opt(c, "-cpu", model->str);
    }
    g_string_free(model, TRUE);
    g_string_free(s, TRUE);
    return ok;
}
