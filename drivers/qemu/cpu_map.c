/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The CPU tables made usable: words become sets, once, and a processor is matched against models.
 *
 * Which model? One that the vendor fits, whose promises the processor keeps (or, for guests, may have
 * switched off); among these first those that name this very family and model, then the one that
 * leaves the fewest features to list, where one to switch off counts as three: it is safer to add to
 * a smaller model than to trim a larger one. Of equals the newest. Any thread.
 */
#include "drivers/qemu/cpu_map.h"

#include <stdlib.h>
#include <string.h>

#include "util/error.h"

static CpuModel *models; /* one per row */

static void add_words(CpuFeatures *set, const char *words)
{
    g_auto(GStrv) list = g_strsplit(words ? words : "", " ", -1);

    for (char **w = list; *w; w++) {
        int i = **w ? cpu_feature_find(*w) : -1;
        if (i >= 0)
            cpu_features_add(set, (unsigned)i);
    }
}

static const CpuModel *all_models(void)
{
    static gsize done;

    if (g_once_init_enter(&done)) {
        models = g_new0(CpuModel, cpu_x86_n_models);
        for (unsigned i = 0; i < cpu_x86_n_models; i++) {
            const CpuModelRow *r = &cpu_x86_models[i];

            models[i].row = r;
            for (unsigned b = 0; r->base && b < i; b++)
                if (strcmp(cpu_x86_models[b].name, r->base) == 0)
                    models[i].features = models[b].features; /* bases stand before */
            add_words(&models[i].features, r->features);
            add_words(&models[i].removed, r->removed);
        }
        g_once_init_leave(&done, 1);
    }
    return models;
}

static bool is_word(const char *words, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = words; p && (p = strstr(p, word)); p += len)
        if ((p == words || p[-1] == ' ') && (p[len] == '\0' || p[len] == ' '))
            return true;
    return false;
}

int cpu_feature_find(const char *name)
{
    for (unsigned i = 0; i < cpu_x86_n_features; i++)
        if (strcmp(cpu_x86_features[i].name, name) == 0)
            return (int)i;
    for (unsigned i = 0; i < cpu_x86_n_features; i++)
        if (cpu_x86_features[i].aliases && *name && is_word(cpu_x86_features[i].aliases, name))
            return (int)i;
    return -1;
}

const CpuModel *cpu_model_find(const char *name)
{
    const CpuModel *all = all_models();

    for (unsigned i = 0; i < cpu_x86_n_models; i++)
        if (strcmp(all[i].row->name, name) == 0)
            return &all[i];
    return NULL;
}

const char *cpu_model_vendor(const char *name)
{
    const CpuModel *m = cpu_model_find(name);

    return m && m->row->vendor ? m->row->vendor : "unknown";
}

static void add_signature(CpuData *d, uint32_t eax)
{
    unsigned family = eax >> 8 & 0xf, model = eax >> 4 & 0xf;

    if (family == 6 || family == 15)
        model |= eax >> 12 & 0xf0;
    if (family == 15)
        family += eax >> 20 & 0xff;
    d->family = family;
    d->model = model;
    d->stepping = eax & 0xf;
}

void cpu_data_add_cpuid(CpuData *d, uint32_t leaf, uint32_t sub, const uint32_t reg[4])
{
    if (leaf == 0) {
        memcpy(d->vendor, &reg[CPU_EBX], 4);
        memcpy(d->vendor + 4, &reg[CPU_EDX], 4);
        memcpy(d->vendor + 8, &reg[CPU_ECX], 4);
        d->vendor[12] = '\0';
        return;
    }
    if (leaf == 1)
        add_signature(d, reg[CPU_EAX]);
    for (unsigned i = 0; i < cpu_x86_n_features; i++) {
        const CpuFeatureRow *f = &cpu_x86_features[i];
        if (!(f->flags & CPU_FEATURE_MSR) && f->leaf == leaf && f->sub == sub && (reg[f->reg] >> f->bit & 1))
            cpu_features_add(&d->features, i);
    }
}

void cpu_data_add_msr(CpuData *d, uint32_t index, uint64_t value)
{
    for (unsigned i = 0; i < cpu_x86_n_features; i++) {
        const CpuFeatureRow *f = &cpu_x86_features[i];
        if ((f->flags & CPU_FEATURE_MSR) && f->leaf == index && (value >> (f->bit + (f->reg == CPU_EDX ? 32 : 0)) & 1))
            cpu_features_add(&d->features, i);
    }
}

const char *cpu_data_vendor(const CpuData *d)
{
    for (unsigned i = 0; i < cpu_x86_n_vendors; i++)
        if (strcmp(cpu_x86_vendors[i].string, d->vendor) == 0)
            return cpu_x86_vendors[i].name;
    return NULL;
}

static bool signature_matches(const CpuModelRow *r, const CpuData *d)
{
    g_auto(GStrv) list = g_strsplit(r->signatures ? r->signatures : "", " ", -1);

    for (char **s = list; *s; s++) {
        g_auto(GStrv) part = g_strsplit(*s, ":", 3);
        char *end = NULL;

        if (g_strv_length(part) < 2 || strtoul(part[0], NULL, 10) != d->family || strtoul(part[1], NULL, 10) != d->model)
            continue;
        if (!part[2])
            return true;
        unsigned first = (unsigned)strtoul(part[2], &end, 10);
        unsigned last = *end == '-' ? (unsigned)strtoul(end + 1, NULL, 10) : first;
        if (d->stepping >= first && d->stepping <= last)
            return true;
    }
    return false;
}

static unsigned count_missing(const CpuFeatures *a, const CpuFeatures *b)
{
    unsigned n = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(a->w); i++)
        n += (unsigned)__builtin_popcountll(a->w[i] & ~b->w[i]);
    return n;
}

static void list_differences(const CpuData *d, bool guest, CpuDecoded *ret)
{
    const CpuModel *m = ret->model;
    CpuDecodedFeature e;

    ret->features = g_array_new(false, false, sizeof(CpuDecodedFeature));
    for (e.feature = 0, e.require = true; e.feature < cpu_x86_n_features; e.feature++)
        if (cpu_features_has(&d->features, e.feature) && !cpu_features_has(&m->features, e.feature))
            g_array_append_val(ret->features, e);
    for (e.feature = 0, e.require = false; guest && e.feature < cpu_x86_n_features; e.feature++)
        if (cpu_features_has(&m->features, e.feature) && !cpu_features_has(&d->features, e.feature))
            g_array_append_val(ret->features, e);
    /* An older emulator may switch these on with the model. */
    for (e.feature = 0; guest && e.feature < cpu_x86_n_features; e.feature++)
        if (cpu_features_has(&m->removed, e.feature) && !cpu_features_has(&d->features, e.feature))
            g_array_append_val(ret->features, e);
}

/* These Haswells announce TSX and must not use it: microcode switches it off. */
static void drop_broken_tsx(CpuData *d, const char *vendor)
{
    if (g_strcmp0(vendor, "Intel") != 0 || d->family != 6)
        return;
    if (d->model == 60 || d->model == 69 || d->model == 70 || (d->model == 63 && d->stepping < 4)) {
        cpu_features_del(&d->features, (unsigned)cpu_feature_find("hle"));
        cpu_features_del(&d->features, (unsigned)cpu_feature_find("rtm"));
    }
}

bool cpu_decode(const CpuData *d, bool guest, bool (*allowed)(const char *model, void *data), void *data,
                CpuDecoded *ret, GError **err)
{
    const CpuModel *all = all_models();
    const char *vendor = cpu_data_vendor(d);
    const CpuModel *best = NULL;
    bool best_signed = false;
    unsigned best_cost = 0;
    CpuData own = *d;

    drop_broken_tsx(&own, vendor);
    d = &own;

    for (unsigned i = cpu_x86_n_models; i-- > 0;) {
        const CpuModel *m = &all[i];
        unsigned missing = count_missing(&m->features, &d->features);

        if (!(m->row->use & (guest ? CPU_USE_GUEST : CPU_USE_HOST)) || (allowed && !allowed(m->row->name, data)))
            continue;
        if (m->row->vendor && vendor && strcmp(m->row->vendor, vendor) != 0)
            continue;
        if (!guest && missing > 0)
            continue;

        bool sig = signature_matches(m->row, d);
        unsigned off = missing + (guest ? count_missing(&m->removed, &d->features) : 0);
        unsigned cost = 3 * off + count_missing(&d->features, &m->features);
        if (best && (best_signed != sig ? best_signed : best_cost <= cost))
            continue;
        best = m;
        best_signed = sig;
        best_cost = cost;
    }
    if (!best) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "no CPU model describes the processor (vendor '%s', family %u, model %u)",
                  d->vendor, d->family, d->model);
        return false;
    }
    *ret = (CpuDecoded){ .model = best, .vendor = vendor };
    list_differences(d, guest, ret);
    return true;
}

void cpu_decoded_clear(CpuDecoded *d)
{
    g_clear_pointer(&d->features, g_array_unref);
}
