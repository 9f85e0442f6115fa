/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A model is a promise; emulators add to it and fall short of it (cpu_live.h). They tell the CPUID words of
 * the processor in one answer, and in another the names of what was asked for and is not there; of features
 * outside CPUID that is all they tell.
 */
#include "drivers/qemu/cpu_live.h"

#include "conf/host_cpu.h"
#include "drivers/qemu/caps_rules.h"
#include "drivers/qemu/cpu_words.h"
#include "drivers/qemu/qmp_cmds.h"
#include "util/error.h"

/* On x86 the first processor is the first device of the machine. */
static const char first_cpu[] = "/machine/unattached/device[0]";

static CpuFeature *listed(const CpuDef *cpu, unsigned row)
{
    for (LIST_EACH(CpuFeature, f, cpu->features))
        if (cpu_feature_find(f->name) == (int)row)
            return f;
    return NULL;
}

static void set_policy(CpuDef *cpu, CpuFeature *f, unsigned row, CpuPolicy policy)
{
    if (!f) {
        if (!cpu->features)
            cpu->features = g_ptr_array_new();
        f = g_new0(CpuFeature, 1);
        f->name = g_strdup(cpu_x86_features[row].name);
        g_ptr_array_add(cpu->features, f);
    }
    f->policy = policy;
}

static void add_word(GString *s, const char *word)
{
    g_string_append_printf(s, "%s%s", s->len ? "," : "", word);
}

static bool wants(const CpuDef *cpu, const CpuModel *model, unsigned row)
{
    const CpuFeature *f = listed(cpu, row);

    return f ? f->policy != CPU_POLICY_DISABLE && f->policy != CPU_POLICY_FORBID : cpu_features_has(&model->features, row);
}

static bool wants_beside_cpuid(const CpuDef *cpu)
{
    const CpuModel *model = cpu_model_find(cpu->model);

    for (unsigned row = 0; model && row < cpu_x86_n_features; row++)
        if ((cpu_x86_features[row].flags & CPU_FEATURE_MSR) && wants(cpu, model, row))
            return true;
    return false;
}

bool cpu_live_apply(CpuDef *cpu, const CpuFeatures *has, const CpuFeatures *lacks, GError **err)
{
    const CpuModel *model = cpu_model_find(cpu->model);
    g_autoptr(GString) extra = g_string_new(NULL), missing = g_string_new(NULL);

    for (unsigned row = 0; model && row < cpu_x86_n_features; row++) {
        CpuFeature *f = listed(cpu, row);
        bool wanted = wants(cpu, model, row);
        if (!wanted && cpu_features_has(has, row)) {
            add_word(extra, cpu_x86_features[row].name);
            set_policy(cpu, f, row, CPU_POLICY_REQUIRE);
        } else if (wanted && ((cpu_x86_features[row].flags & CPU_FEATURE_MSR) ? cpu_features_has(lacks, row) : !cpu_features_has(has, row))) {
            add_word(missing, cpu_x86_features[row].name);
            set_policy(cpu, f, row, CPU_POLICY_DISABLE);
        }
    }
    if (cpu->check == CPU_CHECK_FULL && (extra->len || missing->len)) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "guest CPU doesn't match specification: %s%s%s%s%s", extra->len ? "extra features: " : "",
                  extra->str, extra->len && missing->len ? ", " : "", missing->len ? "missing features: " : "", missing->str);
        return false;
    }
    cpu->check = CPU_CHECK_FULL;
    cpu->fallback = CPU_FALLBACK_FORBID;
    return true;
}

bool cpu_live_follow(DomainDef *d, Qmp *mon, GError **err)
{
    g_autoptr(JsonObject) words = NULL, gone = NULL;
    CpuFeatures lacks = { 0 };
    CpuData has;

    if (!d->cpu || !qemu_arch_is_x86(d->os.arch) || d->cpu->mode != CPU_MODE_CUSTOM || !d->cpu->model)
        return true;
    if (!qmp_qom_get(mon, first_cpu, "feature-words", &words, err) ||
        (wants_beside_cpuid(d->cpu) && !qmp_qom_get(mon, first_cpu, "unavailable-features", &gone, err)))
        return false;
    g_autoptr(GArray) leaves = cpu_words_read(words, err);
    if (!leaves)
        return false;
    cpu_words_features(leaves, &has);
    for (size_t i = 0; i < json_len(gone); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(gone, i));
        int row = name ? cpu_feature_find(name) : -1;
        if (row >= 0)
            cpu_features_add(&lacks, (unsigned)row);
    }
    CpuDef *asked = guest_cpu_copy(d->cpu);
    if (!cpu_live_apply(d->cpu, &has.features, &lacks, err)) {
        guest_cpu_free(asked);
        return false;
    }
    guest_cpu_free(d->cpu_asked);
    d->cpu_asked = asked;
    return true;
}
