/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From what a document says of the processor to what the emulator is told. Everything that depends on
 * the host is decided here, once, at the start; from then on the live definition is definite, so that
 * a migration or a restart of the daemon finds the same processor. Pure; any thread.
 */
#include "drivers/qemu/guest_cpu.h"

#include <string.h>

#include "drivers/qemu/caps_rules.h"
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

/* The processor that the emulator offers, as it expands "host" or "max". */
static bool offered(const QemuCaps *caps, QemuAccel accel, bool migratable, CpuData *d)
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

    if (accel >= QEMU_ACCEL_N_ || !qemu_arch_is_x86(caps->arch) || !offered(caps, accel, migratable, &d) ||
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

static CpuFeature *feature_of(const GPtrArray *list, const char *name)
{
    int row = cpu_feature_find(name);

    for (unsigned i = 0; list && i < list->len; i++) {
        CpuFeature *f = list->pdata[i];
        if (strcmp(f->name, name) == 0 || (row >= 0 && cpu_feature_find(f->name) == row))
            return f;
    }
    return NULL;
}

static void feature_add(GPtrArray *list, const char *name, CpuPolicy policy)
{
    CpuFeature *f = g_new0(CpuFeature, 1);

    f->name = g_strdup(name);
    f->policy = policy;
    g_ptr_array_add(list, f);
}

/* Monitoring of the host's own resources, and bits that the guest's system sets itself. */
static bool never_asked_for(const char *name)
{
    static const char *const names[] = { "cmt", "mbm_total", "mbm_local", "osxsave", "ospke", NULL };

    return g_strv_contains(names, name);
}

/* The model's features first, then the document's, which win. Lists of definitions do not own their
 * elements: whoever takes one apart frees them. */
static void merge_features(CpuDef *cpu, GPtrArray *model_features)
{
    GPtrArray *own = cpu->features;

    for (unsigned i = 0; own && i < own->len; i++) {
        CpuFeature *f = own->pdata[i], *there = feature_of(model_features, f->name);
        if (there)
            there->policy = f->policy;
        else
            feature_add(model_features, f->name, f->policy);
        g_free(f->name);
        g_free(f);
    }
    if (own)
        g_ptr_array_unref(own);
    cpu->features = model_features;
}

static void become_custom(CpuDef *cpu, const char *model, const char *vendor)
{
    cpu->mode = CPU_MODE_CUSTOM;
    cpu->match = CPU_MATCH_EXACT;
    cpu->fallback = CPU_FALLBACK_FORBID;
    g_free(cpu->model);
    cpu->model = g_strdup(model);
    if (vendor && !cpu->vendor)
        cpu->vendor = g_strdup(vendor);
}

static bool expand_host_model_x86(CpuDef *cpu, const QemuCaps *caps, QemuAccel accel, GError **err)
{
    CpuDecoded d;

    if (!qemu_cpu_host_model(caps, accel, true, &d)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "CPU mode 'host-model' for %s %s domain is not supported by hypervisor",
                  caps->arch, qemu_accel_name(accel));
        return false;
    }
    GPtrArray *list = g_ptr_array_new();
    for (unsigned i = 0; i < d.features->len; i++) {
        const CpuDecodedFeature *f = &g_array_index(d.features, CpuDecodedFeature, i);
        const char *name = cpu_x86_features[f->feature].name;
        if (!never_asked_for(name))
            feature_add(list, name, f->require ? CPU_POLICY_REQUIRE : CPU_POLICY_DISABLE);
    }
    become_custom(cpu, d.model->row->name, d.vendor);
    merge_features(cpu, list);
    cpu_decoded_clear(&d);
    return true;
}

static bool expand_host_model_s390(CpuDef *cpu, const QemuCaps *caps, QemuAccel accel, GError **err)
{
    const QemuHostCpu *h = &caps->accel[accel].host_cpu;

    if (!h->model) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "CPU mode 'host-model' for s390x %s domain is not supported by hypervisor",
                  qemu_accel_name(accel));
        return false;
    }
    GPtrArray *list = g_ptr_array_new();
    for (unsigned i = 0; i < h->props->len; i++) {
        const QemuCpuProp *p = h->props->pdata[i];
        if (p->type == QEMU_PROP_BOOL && p->boolean)
            feature_add(list, p->name, CPU_POLICY_REQUIRE);
    }
    become_custom(cpu, h->model, NULL);
    merge_features(cpu, list);
    return true;
}

/* "optional": required where the offered processor has it, else off. */
static void decide_optional(CpuDef *cpu, const QemuCaps *caps, QemuAccel accel)
{
    CpuData d;
    bool known = qemu_arch_is_x86(caps->arch) && offered(caps, accel, false, &d);

    for (unsigned i = 0; cpu->features && i < cpu->features->len; i++) {
        CpuFeature *f = cpu->features->pdata[i];
        int row = cpu_feature_find(f->name);

        if (f->policy != CPU_POLICY_OPTIONAL || !known || row < 0)
            continue;
        f->policy = cpu_features_has(&d.features, (unsigned)row) ? CPU_POLICY_REQUIRE : CPU_POLICY_DISABLE;
    }
}

/* A model that this emulator does not have: the nearest that it has, with the difference spelled out. */
static bool replace_unknown(CpuDef *cpu, const QemuCaps *caps, QemuAccel accel, GError **err)
{
    const CpuModel *m = cpu_model_find(cpu->model);
    Choice c = { caps, accel };
    CpuData d = { 0 };
    CpuDecoded r;

    if (caps->accel[accel].cpus->len == 0 || qemu_caps_cpu(caps, accel, cpu->model))
        return true; /* known, or nobody knows */
    if (!m || cpu->fallback == CPU_FALLBACK_FORBID) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "CPU model '%s' is not supported by hypervisor", cpu->model);
        return false;
    }
    d.features = m->features;
    for (unsigned i = 0; m->row->vendor && i < cpu_x86_n_vendors; i++)
        if (strcmp(cpu_x86_vendors[i].name, m->row->vendor) == 0)
            g_strlcpy(d.vendor, cpu_x86_vendors[i].string, sizeof(d.vendor));
    if (!cpu_decode(&d, true, emulator_has_model, &c, &r, NULL)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "CPU model '%s' is not supported by hypervisor", cpu->model);
        return false;
    }
    GPtrArray *list = g_ptr_array_new();
    for (unsigned i = 0; i < r.features->len; i++) {
        const CpuDecodedFeature *f = &g_array_index(r.features, CpuDecodedFeature, i);
        feature_add(list, cpu_x86_features[f->feature].name, f->require ? CPU_POLICY_REQUIRE : CPU_POLICY_DISABLE);
    }
    g_free(cpu->model);
    cpu->model = g_strdup(r.model->row->name);
    merge_features(cpu, list);
    cpu_decoded_clear(&r);
    return true;
}

bool qemu_cpu_expand(CpuDef *cpu, const QemuCaps *caps, QemuAccel accel, GError **err)
{
    if (!cpu || accel >= QEMU_ACCEL_N_)
        return true;
    switch (cpu->mode) {
    case CPU_MODE_HOST_MODEL:
        if (qemu_arch_is_x86(caps->arch)) {
            if (!expand_host_model_x86(cpu, caps, accel, err))
                return false;
        } else if (g_str_equal(caps->arch, "s390x")) {
            if (!expand_host_model_s390(cpu, caps, accel, err))
                return false;
        }
        break;
    case CPU_MODE_CUSTOM:
        if (cpu->model && qemu_arch_is_x86(caps->arch) && !replace_unknown(cpu, caps, accel, err))
            return false;
        break;
    case CPU_MODE_NONE:
    case CPU_MODE_HOST_PASSTHROUGH:
    case CPU_MODE_MAXIMUM:
    case _CPU_MODE_N:
        break;
    }
    decide_optional(cpu, caps, accel);
    return true;
}
