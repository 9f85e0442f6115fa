/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CPU tables are consistent, and recorded processors are recognised as users know them. */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/host_cpu.h"
#include "drivers/qemu/cpu_live.h"
#include "drivers/qemu/cpu_map.h"
#include "drivers/qemu/cpu_ops.h"
#include "drivers/qemu/cpu_words.h"
#include "drivers/qemu/vcpu_slots.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"
#include "util/xml.h"

static unsigned problems;

static void check_words(const char *model, const char *words)
{
    g_auto(GStrv) list = g_strsplit(words ? words : "", " ", -1);

    for (char **w = list; *w; w++)
        if (**w && cpu_feature_find(*w) < 0)
            g_error("model %s: unknown feature %s", model, *w);
}

static void test_tables(void)
{
    for (unsigned i = 0; i < cpu_x86_n_features; i++)
        assert(cpu_feature_find(cpu_x86_features[i].name) == (int)i && cpu_x86_features[i].bit < 32);
    for (unsigned i = 0; i < cpu_x86_n_models; i++) {
        const CpuModelRow *r = &cpu_x86_models[i];
        check_words(r->name, r->features);
        check_words(r->name, r->removed);
        assert(cpu_model_find(r->name)->row == r);
        assert(!r->base || cpu_model_find(r->base)->row < r);
    }
    assert(cpu_feature_find("sse4_1") == cpu_feature_find("sse4.1") && cpu_feature_find("sse") >= 0);
    assert(cpu_feature_find("sse4") < 0 && cpu_feature_find("") < 0);
    const CpuModel *h = cpu_model_find("Haswell-IBRS");
    assert(cpu_features_has(&h->features, (unsigned)cpu_feature_find("avx2")) &&
           cpu_features_has(&h->features, (unsigned)cpu_feature_find("spec-ctrl")) &&
           !cpu_features_has(&h->features, (unsigned)cpu_feature_find("avx512f")));
    assert(strcmp(cpu_model_vendor("EPYC"), "AMD") == 0 && strcmp(cpu_model_vendor("qemu64"), "unknown") == 0);
}

static uint32_t num(const xmlNode *n, const char *name)
{
    const char *v = xml_attr_get(n, name);

    return v ? (uint32_t)strtoul(v, NULL, 16) : 0;
}

static bool load(const char *path, XmlDoc **doc)
{
    g_autofree char *text = NULL;
    size_t len;

    if (!fd_read_file(AT_FDCWD, path, 1 << 20, &text, &len, NULL))
        return false;
    *doc = xml_parse(text, len, NULL);
    return *doc != NULL;
}

static void read_cpuid(const char *path, CpuData *d)
{
    g_autoptr(XmlDoc) doc = NULL;

    *d = (CpuData){ 0 };
    assert(load(path, &doc));
    for (xmlNode *n = xml_child(xml_root(doc), "cpuid"); n; n = xml_next(n, "cpuid")) {
        uint32_t reg[4] = { num(n, "eax"), num(n, "ebx"), num(n, "ecx"), num(n, "edx") };
        cpu_data_add_cpuid(d, num(n, "eax_in"), num(n, "ecx_in"), reg);
    }
    for (xmlNode *n = xml_child(xml_root(doc), "msr"); n; n = xml_next(n, "msr"))
        cpu_data_add_msr(d, num(n, "index"), (uint64_t)num(n, "edx") << 32 | num(n, "eax"));
}

static char *describe(const CpuDecoded *c, bool guest)
{
    GString *s = g_string_new(c->model->row->name);

    for (unsigned i = 0; i < c->features->len; i++) {
        const CpuDecodedFeature *f = &g_array_index(c->features, CpuDecodedFeature, i);
        g_string_append_printf(s, " %s%s", f->require ? "" : "-", cpu_x86_features[f->feature].name);
    }
    return g_string_free(s, false);
}

static char *describe_xml(const char *path)
{
    g_autoptr(XmlDoc) doc = NULL;
    if (!load(path, &doc))
        return NULL;

    g_autofree char *model = xml_text_dup(xml_child(xml_root(doc), "model"));
    GString *s = g_string_new(model);
    for (xmlNode *n = xml_child(xml_root(doc), "feature"); n; n = xml_next(n, "feature"))
        g_string_append_printf(s, " %s%s", g_strcmp0(xml_attr_get(n, "policy"), "disable") == 0 ? "-" : "",
                               xml_attr_get(n, "name"));
    return g_string_free(s, false);
}

static void test_recorded(const char *shared)
{
    g_autofree char *dir = g_build_filename(shared, "corpus/cpu/cputestdata", NULL);
    GDir *d = g_dir_open(dir, 0, NULL);
    unsigned n = 0, wrong = 0;

    for (const char *name; d && (name = g_dir_read_name(d));) {
        if (!g_str_has_suffix(name, ".sig"))
            continue;
        g_autofree char *base = g_strndup(name, strlen(name) - 4);
        g_autofree char *xml = g_strdup_printf("%s/%s.xml", dir, base);
        CpuData data;

        read_cpuid(xml, &data);
        for (unsigned guest = 0; guest < 2; guest++) {
            g_autofree char *want_path = g_strdup_printf("%s/%s-%s.xml", dir, base, guest ? "guest" : "host");
            g_autofree char *want = describe_xml(want_path), *got = NULL;
            CpuDecoded c = { 0 };

            if (!want || !cpu_decode(&data, guest, NULL, NULL, &c, NULL))
                continue;
            got = describe(&c, guest);
            n++;
            if (strcmp(got, want) != 0) {
                wrong++;
                fprintf(stderr, "%s %s\n  found    %s\n  expected %s\n", base, guest ? "guest" : "host", got, want);
            }
            cpu_decoded_clear(&c);
        }
    }
    if (d)
        g_dir_close(d);
    fprintf(stderr, "%u of %u recorded processors as expected\n", n - wrong, n);
    problems += wrong;
}

static char *slurp(const char *dir, const char *name)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    char *text = NULL;
    size_t len;

    return fd_read_file(AT_FDCWD, path, 4 << 20, &text, &len, NULL) ? text : NULL;
}

static int result_of(const char *name)
{
    return g_str_has_suffix(name, "_ERROR")          ? VIR_CPU_COMPARE_ERROR
           : g_str_has_suffix(name, "_INCOMPATIBLE") ? VIR_CPU_COMPARE_INCOMPATIBLE
           : g_str_has_suffix(name, "_IDENTICAL")    ? VIR_CPU_COMPARE_IDENTICAL
                                                     : VIR_CPU_COMPARE_SUPERSET;
}

static bool check_compare(const char *dir, JsonObject *c)
{
    g_autofree char *host = slurp(dir, json_get_str(c, "inputs/host")), *other = slurp(dir, json_get_str(c, "inputs/cpu"));
    CpuSpec a, b;
    int r = VIR_CPU_COMPARE_ERROR;

    assert(host && other && cpu_spec_parse(host, &a, NULL));
    if (cpu_spec_parse(other, &b, NULL)) {
        r = cpu_compare(&a, &b, NULL);
        cpu_spec_clear(&b);
    }
    cpu_spec_clear(&a);
    return r == result_of(json_get_str(c, "params/result"));
}

static bool check_baseline(const char *dir, JsonObject *c)
{
    g_autofree char *text = slurp(dir, json_get_str(c, "inputs/cpus")), *want = slurp(dir, json_get_str(c, "expected/xml"));
    g_autoptr(XmlDoc) doc = xml_parse(text, strlen(text), NULL);
    bool migratable = strstr(json_get_str(c, "params/flags"), "MIGRATABLE") != NULL;
    g_autoptr(GPtrArray) cpus = g_ptr_array_new_with_free_func(g_free);

    for (xmlNode *n = xml_child(xml_root(doc), "cpu"); n; n = xml_next(n, "cpu"))
        g_ptr_array_add(cpus, xml_dump(n, 0));
    g_autofree char *got = qemu_cpu_baseline((const char *const *)cpus->pdata, cpus->len,
                                             migratable ? VIR_CONNECT_BASELINE_CPU_MIGRATABLE : 0, NULL);
    assert(want);
    g_strchomp(want);
    if (got && strcmp(g_strchomp(got), want) != 0)
        fprintf(stderr, "%s", got);
    return got && strcmp(got, want) == 0;
}

static void test_documents(const char *shared)
{
    g_autofree char *dir = g_build_filename(shared, "corpus/cpu", NULL), *text = slurp(dir, "manifest.json");
    unsigned n = 0, wrong = 0;

    g_autoptr(JsonObject) m = json_parse("manifest", text, strlen(text), NULL, NULL);
    JsonObject *cases = json_get(m, "cases");
    for (size_t i = 0; i < json_len(cases); i++) {
        JsonObject *c = json_object_array_get_idx(cases, i);
        const char *what = json_get_str(c, "params/operation");
        bool compare = g_str_equal(what, "compare"), baseline = g_str_equal(what, "baseline");

        if (g_strcmp0(json_get_str(c, "params/arch"), "x86_64") != 0 || (!compare && !baseline))
            continue;
        n++;
        if (!(compare ? check_compare(dir, c) : check_baseline(dir, c))) {
            wrong++;
            fprintf(stderr, "%s: not as expected\n", json_get_str(c, "name"));
        }
    }
    fprintf(stderr, "%u of %u comparisons as expected\n", n - wrong, n);
    problems += wrong;
}

static void test_this_host(void)
{
    g_autoptr(GError) err = NULL;

#ifdef __x86_64__
    assert(qemu_cpu_compare_host("<cpu><model>486</model></cpu>", 0, &err) == VIR_CPU_COMPARE_SUPERSET);
    assert(qemu_cpu_compare_host("<cpu><vendor>Nobody</vendor><model>486</model></cpu>", 0, &err) ==
           VIR_CPU_COMPARE_INCOMPATIBLE);
    assert(qemu_cpu_compare_host("<cpu><vendor>Nobody</vendor></cpu>", VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE, &err) < 0);
    assert(error_is(err, VIR_ERR_CPU_INCOMPATIBLE));
    g_clear_error(&err);
#endif
    assert(!qemu_cpu_baseline(NULL, 0, 0, &err) && error_is(err, VIR_ERR_INVALID_ARG));
}

static JsonObject *answer(const char *text)
{
    g_autofree char *proper = g_strdelimit(g_strdup(text), "'", '"');

    return json_parse("answer", proper, strlen(proper), NULL, NULL);
}

static void test_words(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(JsonObject) words = answer("[{'cpuid-register': 'EDX', 'cpuid-input-eax': 2147483649, 'features': 0},"
                                         "{'cpuid-register': 'EBX', 'cpuid-input-eax': 7, 'cpuid-input-ecx': 0, 'features': 2},"
                                         "{'cpuid-register': 'ECX', 'cpuid-input-eax': 1, 'features': 2147483649},"
                                         "{'cpuid-register': 'EDX', 'cpuid-input-eax': 1, 'features': 16}]");
    g_autoptr(GArray) leaves = cpu_words_read(words, &err);
    CpuData d;

    assert(leaves && leaves->len == 2);
    const CpuLeaf *l = &g_array_index(leaves, CpuLeaf, 0);
    assert(l->leaf == 1 && l->reg[CPU_ECX] == 0x80000001 && l->reg[CPU_EDX] == 16 && l[1].leaf == 7);
    cpu_words_features(leaves, &d);
    assert(cpu_features_has(&d.features, (unsigned)cpu_feature_find("hypervisor")));
    assert(!cpu_features_has(&d.features, (unsigned)cpu_feature_find("vmx")));

    g_autoptr(JsonObject) odd = answer("[{'cpuid-register': 'ESP', 'cpuid-input-eax': 1, 'features': 1}]");
    assert(!cpu_words_read(odd, &err));
}

static void features(CpuFeatures *f, const char *words)
{
    g_auto(GStrv) list = g_strsplit(words, " ", -1);

    for (char **w = list; *w; w++)
        if (**w)
            cpu_features_add(f, (unsigned)cpu_feature_find(*w));
}

static char *policies(const CpuDef *cpu)
{
    GString *s = g_string_new(NULL);

    for (LIST_EACH(const CpuFeature, f, cpu->features))
        g_string_append_printf(s, "%s%s ", f->policy == CPU_POLICY_REQUIRE ? "+" : "-", f->name);
    return g_string_free(s, FALSE);
}

/* A running guest's definition says what the emulator made of the model, unless it must be that model. */
static void test_live(void)
{
    static const char xml[] = "<cpu mode='custom' match='exact' check='%s'><model>486</model><feature policy='require' name='pcid'/></cpu>";
    g_autoptr(GError) err = NULL;
    CpuFeatures has = cpu_model_find("486")->features, lacks = { 0 };

    features(&has, "hypervisor lahf_lm");
    features(&lacks, "pcid");
    for (unsigned full = 0; full < 2; full++) {
        g_autofree char *text = g_strdup_printf(xml, full ? "full" : "none");
        g_autoptr(CpuDef) cpu = guest_cpu_parse(text, strlen(text), 0, &err);
        assert(cpu);
        assert(cpu_live_apply(cpu, &has, &lacks, &err) == !full);
        if (full) {
            assert(error_is(err, VIR_ERR_OPERATION_FAILED) && strstr(err->message, "extra features: hypervisor,lahf_lm, missing features: pcid"));
            break;
        }
        g_autofree char *got = policies(cpu);
        assert(!strcmp(got, "-pcid +hypervisor +lahf_lm ") && cpu->check == CPU_CHECK_FULL && cpu->fallback == CPU_FALLBACK_FORBID);
        /* Once more, as a restored guest: nothing differs. */
        assert(cpu_live_apply(cpu, &has, &lacks, &err) && list_len(cpu->features) == 3);
    }
}

/* Two cores of two threads; the third vCPU's core was filled after the fifth's. */
static void test_slots(void)
{
    g_autoptr(JsonObject) slots_told = answer(
        "[{'vcpus-count': 2, 'type': 'core', 'props': {'core-id': 4}, 'qom-path': '/machine/peripheral/vcpu4'},"
        "{'vcpus-count': 2, 'type': 'core', 'props': {'core-id': 2}, 'qom-path': '/machine/peripheral/vcpu2'},"
        "{'vcpus-count': 2, 'type': 'core', 'props': {'core-id': 0}, 'qom-path': '/machine/unattached/device[1]'}]");
    g_autoptr(JsonObject) cpus_told = answer(
        "[{'cpu-index': 0, 'thread-id': 10, 'qom-path': '/machine/unattached/device[1]/thread[0]'},"
        "{'cpu-index': 1, 'thread-id': 11, 'qom-path': '/machine/unattached/device[1]/thread[1]'},"
        "{'cpu-index': 2, 'thread-id': 14, 'qom-path': '/machine/peripheral/vcpu4/thread[0]'},"
        "{'cpu-index': 3, 'thread-id': 15, 'qom-path': '/machine/peripheral/vcpu4/thread[1]'},"
        "{'cpu-index': 4, 'thread-id': 12, 'qom-path': '/machine/peripheral/vcpu2/thread[0]', 'cpu-state': 'stopped'}]");
    g_autoptr(GArray) slots = vcpu_slots_read(slots_told), cpus = qmp_read_cpus_fast(cpus_told, NULL);
    const int64_t threads[] = { 10, 11, 12, 0, 14, 15 };
    const unsigned orders[] = { 1, 1, 3, 3, 2, 2 };

    assert(vcpu_slots_room(slots) == 6 && vcpu_slots_find(slots, 3)->first == 2 && !vcpu_slots_find(slots, 6));
    g_autoptr(GArray) states = vcpu_states(slots, cpus, 6);
    for (unsigned i = 0; i < 6; i++) {
        const VcpuState *v = &g_array_index(states, VcpuState, i);
        assert((v->cpu ? v->cpu->thread_id : 0) == threads[i] && v->slot->order == orders[i]);
        assert(vcpu_state_removable(v) == (i > 1));
    }
    assert(qmp_cpu_halted(g_array_index(states, VcpuState, 2).cpu) && !qmp_cpu_halted(g_array_index(states, VcpuState, 0).cpu));

    /* A machine without slots for them has them as listed. */
    g_autoptr(GArray) plain = vcpu_states(NULL, cpus, 7);
    assert(g_array_index(plain, VcpuState, 2).cpu->thread_id == 14 && !g_array_index(plain, VcpuState, 6).cpu);
    assert(!vcpu_state_removable(&g_array_index(plain, VcpuState, 2)));
}

int main(void)
{
    const char *env = g_getenv("MODVIRT_SHARED"), *root = g_getenv("MESON_SOURCE_ROOT");
    g_autofree char *shared = env ? g_strdup(env) : g_build_filename(root ? root : ".", "..", "shared", NULL);

    test_tables();
    test_this_host();
    test_words();
    test_live();
    test_slots();
    if (g_file_test(shared, G_FILE_TEST_IS_DIR))
        test_recorded(shared), test_documents(shared);
    else
        fprintf(stderr, "no recordings here: that part is skipped\n");
    return problems ? 1 : 0;
}
