/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From what a document says of the processor to what the emulator is told. Everything that depends on
 * the host is decided here, once, at the start; from then on the live definition is definite, so that
 * a migration or a restart of the daemon finds the same processor. Pure; any thread.
 */
#include "drivers/qemu/guest_cpu.h"

#include <string.h>

#include "drivers/qemu/caps_rules.h"
#include "drivers/qemu/cpu_settle.h"
#include "util/error.h"

typedef struct Choice {
    const QemuCaps *caps;
    QemuAccel accel;
} Choice;

static bool emulator_has_model(const char *model, void *data)
{
    const Choice *c = data;

    /* An emulator that lists none is not asked. */
    return c->caps->accel[c->accel].cpus->len == 0 || qemu_caps_cpu(c->caps, c->accel, model);
}

bool qemu_cpu_offered(const QemuCaps *caps, QemuAccel accel, bool migratable, CpuData *d)
{
    const QemuHostCpu *h = &caps->accel[accel].host_cpu;
    const QemuCpuProp *vendor = qemu_caps_host_cpu_prop(caps, accel, "vendor");

    *d = (CpuData){ 0 };
    for (unsigned i = 0; i < h->props->len; i++) {
        const QemuCpuProp *p = h->props->pdata[i];
        int f = -1;

        if (p->type == QEMU_PROP_BOOL && p->boolean && !(migratable && p->migratable == QEMU_USABLE_NO))
            f = cpu_feature_find(p->name);
        if (f >= 0 && !(migratable && !h->migratability && (cpu_x86_features[f].flags & CPU_FEATURE_NOT_MIGRATABLE)))
            cpu_features_add(&d->features, (unsigned)f);
        if (p->type != QEMU_PROP_NUMBER || p->number < 0)
            continue;
        if (g_str_equal(p->name, "family"))
            d->family = (unsigned)p->number;
        else if (g_str_equal(p->name, "model"))
            d->model = (unsigned)p->number;
        else if (g_str_equal(p->name, "stepping"))
            d->stepping = (unsigned)p->number;
    }
    if (vendor && vendor->string)
        g_strlcpy(d->vendor, vendor->string, sizeof(d->vendor));
    return h->props->len > 0;
}

bool qemu_cpu_host_model(const QemuCaps *caps, QemuAccel accel, bool migratable, CpuDecoded *ret)
{
    Choice c = { caps, accel };
    CpuData d;

    if (accel >= QEMU_ACCEL_N_ || !qemu_arch_is_x86(caps->arch) || !qemu_cpu_offered(caps, accel, migratable, &d) ||
        !cpu_decode(&d, true, emulator_has_model, &c, ret, NULL))
        return false;

    /* The emulator's idea of the model may hold more than ours; what it cannot give must be off. */
    const QemuCpuModel *m = qemu_caps_cpu(caps, accel, ret->model->row->name);
    for (char **b = m ? m->blockers : NULL; b && *b; b++) {
        int f = cpu_feature_find(*b);
        if (f < 0 || cpu_features_has(&d.features, (unsigned)f) ||
            cpu_features_has(&ret->model->features, (unsigned)f) || cpu_features_has(&ret->model->removed, (unsigned)f))
            continue;
        CpuDecodedFeature e = { (unsigned)f, false };
        g_array_append_val(ret->features, e);
    }
    return true;
}

/* Monitoring of the host's own resources, and bits that the guest's system sets itself. */
static bool never_asked_for(const char *name)
{
    static const char *const names[] = { "cmt", "mbm_total", "mbm_local", "osxsave", "ospke", NULL };

    return g_strv_contains(names, name);
}

/* What the emulator offers on this host, as a processor that documents are settled against. */
static bool offer_x86(const QemuCaps *caps, QemuAccel accel, CpuOffer *ret)
{
    CpuDecoded d;
    CpuData all;

    if (!qemu_cpu_host_model(caps, accel, true, &d))
        return false;
    *ret = (CpuOffer){ .model = d.model->row->name, .vendor = d.vendor, .features = g_ptr_array_new() };
    if (qemu_cpu_offered(caps, accel, false, &all))
        ret->has = all.features;
    for (unsigned i = 0; i < d.features->len; i++) {
        const CpuDecodedFeature *f = &g_array_index(d.features, CpuDecodedFeature, i);
        const char *name = cpu_x86_features[f->feature].name;
        if (!never_asked_for(name))
            cpu_offer_add(ret, name, f->require);
    }
    cpu_decoded_clear(&d);
    return true;
}

static bool offer_s390(const QemuCaps *caps, QemuAccel accel, CpuOffer *ret)
{
    const QemuHostCpu *h = &caps->accel[accel].host_cpu;

    if (!h->model)
        return false;
    *ret = (CpuOffer){ .model = h->model, .features = g_ptr_array_new() };
    for (unsigned i = 0; i < h->props->len; i++) {
        const QemuCpuProp *p = h->props->pdata[i];
        if (p->type == QEMU_PROP_BOOL && p->boolean)
            cpu_offer_add(ret, p->name, true);
    }
    return true;
}

/* check='partial': all that is asked for is there. An emulator that finds the model usable as it is was asked
 * already; one that does not tell what it offers cannot be. */
static bool check_partial(const CpuDef *cpu, const QemuCaps *caps, QemuAccel accel, GError **err)
{
    const CpuModel *model = cpu->model ? cpu_model_find(cpu->model) : NULL;
    const QemuCpuModel *told = cpu->model ? qemu_caps_cpu(caps, accel, cpu->model) : NULL;
    g_autoptr(GString) missing = g_string_new(NULL);
    CpuData all;

    if (cpu->check != CPU_CHECK_PARTIAL || !model || (told && told->usable == QEMU_USABLE_YES && !list_len(cpu->features)) ||
        !qemu_cpu_offered(caps, accel, false, &all))
        return true;
    CpuFeatures need = model->features;
    for (LIST_EACH(const CpuFeature, f, cpu->features)) {
        int row = cpu_feature_find(f->name);
        if (row < 0)
            continue;
        if (f->policy == CPU_POLICY_REQUIRE)
            cpu_features_add(&need, (unsigned)row);
        else
            cpu_features_del(&need, (unsigned)row);
    }
    for (unsigned row = 0; row < cpu_x86_n_features; row++)
        if (cpu_features_has(&need, row) && !cpu_features_has(&all.features, row))
            g_string_append_printf(missing, "%s%s", missing->len ? ", " : "", cpu_x86_features[row].name);
    if (!missing->len)
        return true;
    error_set(err, VIR_ERR_CPU_INCOMPATIBLE, "Host CPU does not provide required features: %s", missing->str);
    return false;
}

bool qemu_cpu_expand(CpuDef *cpu, const QemuCaps *caps, QemuAccel accel, GError **err)
{
    if (!cpu || accel >= QEMU_ACCEL_N_)
        return true;
    bool x86 = qemu_arch_is_x86(caps->arch), s390 = g_str_equal(caps->arch, "s390x");
    bool minimum = x86 && cpu->mode == CPU_MODE_CUSTOM && cpu->match == CPU_MATCH_MINIMUM;
    bool whole = cpu->mode == CPU_MODE_HOST_MODEL && (x86 || s390);
    CpuOffer offer = { 0 };
    if (x86 && cpu->mode == CPU_MODE_CUSTOM && !minimum && !check_partial(cpu, caps, accel, err))
        return false;
    bool known = x86 ? offer_x86(caps, accel, &offer) : s390 && offer_s390(caps, accel, &offer);

    if ((whole || minimum) && !known) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "CPU mode 'host-model' for %s %s domain is not supported by hypervisor",
                  caps->arch, qemu_accel_name(accel));
        return false;
    }
    if (known)
        cpu_settle(cpu, &offer);
    if (whole || minimum)
        cpu->fallback = CPU_FALLBACK_FORBID; /* the emulator was asked: it has this one */
    cpu_offer_clear(&offer);

    /* A model that this emulator does not have; one that lists none is not asked. */
    Choice c = { caps, accel };
    if (cpu->mode != CPU_MODE_CUSTOM || !cpu->model || !x86 || caps->accel[accel].cpus->len == 0)
        return true;
    return cpu_translate(cpu, emulator_has_model, &c, err);
}
