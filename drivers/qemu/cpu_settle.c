/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settling processors (cpu_settle.h). Lists of definitions do not own their elements: whoever takes one
 * apart frees them. */
#include "drivers/qemu/cpu_settle.h"

#include <string.h>

#include "util/error.h"

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

static void features_free(GPtrArray *list)
{
    for (unsigned i = 0; list && i < list->len; i++) {
        CpuFeature *f = list->pdata[i];
        g_free(f->name);
        g_free(f);
    }
    if (list)
        g_ptr_array_unref(list);
}

/* The base first, then the document's, which win. */
static void merge_features(CpuDef *cpu, GPtrArray *base)
{
    for (unsigned i = 0; cpu->features && i < cpu->features->len; i++) {
        const CpuFeature *f = cpu->features->pdata[i];
        CpuFeature *there = feature_of(base, f->name);
        if (there)
            there->policy = f->policy;
        else
            feature_add(base, f->name, f->policy);
    }
    features_free(cpu->features);
    cpu->features = base;
}

void cpu_offer_add(CpuOffer *o, const char *feature, bool require)
{
    feature_add(o->features, feature, require ? CPU_POLICY_REQUIRE : CPU_POLICY_DISABLE);
}

void cpu_offer_clear(CpuOffer *o)
{
    features_free(g_steal_pointer(&o->features));
}

static void become_offered(CpuDef *cpu, const CpuOffer *offer)
{
    GPtrArray *list = g_ptr_array_new();

    for (unsigned i = 0; i < offer->features->len; i++) {
        const CpuFeature *f = offer->features->pdata[i];
        feature_add(list, f->name, f->policy);
    }
    /* "minimum" never named a vendor: it does not begin to. */
    if (cpu->mode == CPU_MODE_HOST_MODEL && !cpu->vendor)
        cpu->vendor = g_strdup(offer->vendor);
    cpu->mode = CPU_MODE_CUSTOM;
    cpu->match = CPU_MATCH_EXACT;
    g_free(cpu->model);
    cpu->model = g_strdup(offer->model);
    merge_features(cpu, list);
}

static bool is_none(const CpuFeatures *f)
{
    uint64_t any = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(f->w); i++)
        any |= f->w[i];
    return any == 0;
}

void cpu_settle(CpuDef *cpu, const CpuOffer *offer)
{
    if (cpu->mode == CPU_MODE_HOST_MODEL || (cpu->mode == CPU_MODE_CUSTOM && cpu->match == CPU_MATCH_MINIMUM))
        become_offered(cpu, offer);
    for (unsigned i = 0; cpu->features && !is_none(&offer->has) && i < cpu->features->len; i++) {
        CpuFeature *f = cpu->features->pdata[i];
        int row = cpu_feature_find(f->name);
        if (f->policy == CPU_POLICY_OPTIONAL && row >= 0)
            f->policy = cpu_features_has(&offer->has, (unsigned)row) ? CPU_POLICY_REQUIRE : CPU_POLICY_DISABLE;
    }
}

/* The features that a guest with this processor sees. */
static CpuFeatures features_seen(const CpuModel *m, const CpuDef *cpu)
{
    CpuFeatures all = m->features;

    for (unsigned i = 0; cpu->features && i < cpu->features->len; i++) {
        const CpuFeature *f = cpu->features->pdata[i];
        int row = cpu_feature_find(f->name);
        if (row < 0)
            continue;
        if (f->policy == CPU_POLICY_DISABLE || f->policy == CPU_POLICY_FORBID)
            cpu_features_del(&all, (unsigned)row);
        else
            cpu_features_add(&all, (unsigned)row);
    }
    return all;
}

bool cpu_translate(CpuDef *cpu, bool (*allowed)(const char *model, void *data), void *data, GError **err)
{
    const CpuModel *m = cpu_model_find(cpu->model);
    CpuData d = { 0 };
    CpuDecoded r;

    if (allowed(cpu->model, data))
        return true;
    if (!m || cpu->fallback == CPU_FALLBACK_FORBID) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "CPU model '%s' is not supported by hypervisor", cpu->model);
        return false;
    }
    d.features = features_seen(m, cpu);
    for (unsigned i = 0; m->row->vendor && i < cpu_x86_n_vendors; i++)
        if (strcmp(cpu_x86_vendors[i].name, m->row->vendor) == 0)
            g_strlcpy(d.vendor, cpu_x86_vendors[i].string, sizeof(d.vendor));
    if (!cpu_decode(&d, true, allowed, data, &r, NULL)) {
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
