/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Domain capabilities against documents that users have, for recorded emulators (MODVIRT_SHARED or
 * ../shared; skipped without). What the host would add is taken from the expected document.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "drivers/qemu/domcaps.h"
#include "drivers/qemu/guest_cpu.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"
#include "util/xml.h"

static unsigned problems, checked;

static char *slurp(const char *dir, const char *name)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    char *text = NULL;
    size_t len;

    return fd_read_file(AT_FDCWD, path, 4 << 20, &text, &len, NULL) ? text : NULL;
}

/* "a/b/c" below n. */
static xmlNode *find(xmlNode *n, const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);

    for (char **p = parts; n && *p; p++)
        n = xml_child(n, *p);
    return n;
}

static char **enum_values(xmlNode *parent, const char *name)
{
    g_autoptr(GStrvBuilder) b = g_strv_builder_new();
    unsigned n = 0;

    for (xmlNode *e = xml_child(parent, "enum"); e; e = xml_next(e, "enum"))
        if (g_strcmp0(xml_attr_get(e, "name"), name) == 0)
            for (xmlNode *v = xml_child(e, "value"); v; v = xml_next(v, "value"), n++) {
                g_autofree char *text = xml_text_dup(v);
                g_strv_builder_add(b, text);
            }
    return n ? g_strv_builder_end(b) : NULL;
}

static bool has(char **list, const char *word)
{
    return list && g_strv_contains((const char *const *)list, word);
}

static void offer_from(const char *text, QemuHostOffer *o)
{
    g_autoptr(XmlDoc) doc = xml_parse(text, strlen(text), NULL);
    assert(doc);
    xmlNode *root = xml_root(doc), *loader = find(root, "os/loader"), *n;
    g_autoptr(GStrvBuilder) b = g_strv_builder_new();
    g_auto(GStrv) firmware = enum_values(find(root, "os"), "firmware"), secure = enum_values(loader, "secure");
    g_auto(GStrv) backend = enum_values(find(root, "devices/hostdev"), "pciBackend");

    *o = (QemuHostOffer){ .same_arch = true, .ppc_model = "POWER8" };
    for (n = xml_child(loader, "value"); n; n = xml_next(n, "value")) {
        g_autofree char *v = xml_text_dup(n);
        g_strv_builder_add(b, v);
    }
    o->loaders = g_strv_builder_end(b);
    o->firmware_bios = has(firmware, "bios");
    o->firmware_efi = has(firmware, "efi");
    o->secure = has(secure, "yes");
    o->vfio = has(backend, "vfio");
    o->tpm_versions = enum_values(find(root, "devices/tpm"), "backendVersion");
}

static void show_difference(const char *name, const char *got, const char *want)
{
    g_auto(GStrv) a = g_strsplit(got, "\n", -1), b = g_strsplit(want, "\n", -1);
    unsigned i = 0;

    while (a[i] && b[i] && strcmp(a[i], b[i]) == 0)
        i++;
    fprintf(stderr, "%s: line %u\n  found    %s\n  expected %s\n", name, i + 1, a[i] ? a[i] : "(end)", b[i] ? b[i] : "(end)");
    problems++;
}

static void check(const char *dir, JsonObject *c)
{
    const char *name = json_get_str(c, "name"), *file = json_get_str(c, "params/capabilities_file");
    const char *type = json_get_str(c, "params/virt_type");
    g_autofree char *want = slurp(dir, json_get_str(c, "expected/xml"));
    g_autoptr(GError) err = NULL;
    QemuHostOffer o;

    if (!file || !want || !type)
        return;
    g_autofree char *path = g_build_filename(dir, file, NULL);
    g_autoptr(QemuCaps) caps = qemu_caps_load_xml(path, &err);
    assert(caps);
    if (caps->sev) { /* told by the processor, not by the emulator */
        caps->sev->max_guests = 59;
        caps->sev->max_es_guests = 450;
    }
    offer_from(want, &o);
    g_autofree char *got = qemu_domain_capabilities_of(caps, json_get_str(c, "params/emulator"),
                                                       json_get_str(c, "params/machine"), qemu_accel_from_name(type), &o, &err);
    if (!got)
        g_error("%s: %s", name, err->message);
    g_strchomp(got);
    g_strchomp(want);
    checked++;
    if (strcmp(got, want) != 0)
        show_difference(name, got, want);
    g_strfreev(o.loaders);
    g_strfreev(o.tpm_versions);
}

/* "Model,feature=on,…" as the command line has it. */
static char *describe(const CpuDef *cpu)
{
    GString *s = g_string_new(cpu->model);

    for (unsigned i = 0; cpu->features && i < cpu->features->len; i++) {
        const CpuFeature *f = cpu->features->pdata[i];
        g_autofree char *name = g_strdelimit(g_strdup(f->name), "_", '-');
        g_string_append_printf(s, ",%s=%s", name, f->policy == CPU_POLICY_REQUIRE ? "on" : "off");
    }
    return g_string_free(s, false);
}

static void clear(CpuDef *cpu)
{
    for (unsigned i = 0; cpu->features && i < cpu->features->len; i++) {
        g_free(((CpuFeature *)cpu->features->pdata[i])->name);
        g_free(cpu->features->pdata[i]);
    }
    g_clear_pointer(&cpu->model, g_free);
    g_clear_pointer(&cpu->vendor, g_free);
    g_clear_pointer(&cpu->features, g_ptr_array_unref);
}

static void test_host_model(const char *shared)
{
    static const char *const versions[][2] = { { "4.2.0", "4.2.0" }, { "5.1.0", "5.1.0" }, { "6.0.0", "6.0.0" },
                                               { "6.1.0", "6.1.0" }, { "latest", "8.0.0" } };
    g_autofree char *dir = g_build_filename(shared, "corpus/qemuxml2argv", NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(versions); i++) {
        g_autofree char *name = g_strdup_printf("qemuxml2argvdata/cpu-host-model.x86_64-%s.args", versions[i][0]);
        g_autofree char *caps_path = g_strdup_printf("%s/common/qemucapabilitiesdata/caps_%s.x86_64.xml", dir, versions[i][1]);
        g_autofree char *args = slurp(dir, name), *got = NULL;
        g_autoptr(GError) err = NULL;
        g_autoptr(QemuCaps) caps = qemu_caps_load_xml(caps_path, &err);
        CpuDef cpu = { .mode = CPU_MODE_HOST_MODEL };

        assert(args && caps && qemu_cpu_expand(&cpu, caps, QEMU_ACCEL_KVM, &err));
        got = describe(&cpu);
        const char *want = strstr(args, "\n-cpu ");
        assert(want && cpu.mode == CPU_MODE_CUSTOM);
        want += strlen("\n-cpu ");
        checked++;
        if (strncmp(got, want, strlen(got)) != 0 || want[strlen(got)] != ' ')
            show_difference(name, got, want);
        clear(&cpu);
    }
}

static CpuFeature *asked(const char *name, CpuPolicy policy)
{
    CpuFeature *f = g_new0(CpuFeature, 1);

    f->name = g_strdup(name);
    f->policy = policy;
    return f;
}

static void test_custom(const char *shared)
{
    g_autofree char *path = g_build_filename(shared, "corpus/domaincaps/common/qemucapabilitiesdata/caps_7.2.0.x86_64.xml", NULL);
    g_autoptr(GError) err = NULL;
    g_autoptr(QemuCaps) caps = qemu_caps_load_xml(path, &err);
    assert(caps);

    /* Optional features are decided; the document's word on one wins over host-model's. */
    CpuDef cpu = { .mode = CPU_MODE_CUSTOM, .model = g_strdup("qemu64"), .features = g_ptr_array_new() };
    g_ptr_array_add(cpu.features, asked("sse4_1", CPU_POLICY_OPTIONAL));
    g_ptr_array_add(cpu.features, asked("avx512f", CPU_POLICY_OPTIONAL));
    assert(qemu_cpu_expand(&cpu, caps, QEMU_ACCEL_KVM, &err));
    g_autofree char *a = describe(&cpu);
    assert(strcmp(a, "qemu64,sse4-1=on,avx512f=off") == 0);
    clear(&cpu);

    cpu = (CpuDef){ .mode = CPU_MODE_HOST_MODEL, .features = g_ptr_array_new() };
    g_ptr_array_add(cpu.features, asked("x2apic", CPU_POLICY_DISABLE));
    assert(qemu_cpu_expand(&cpu, caps, QEMU_ACCEL_KVM, &err));
    g_autofree char *b = describe(&cpu);
    assert(g_str_has_prefix(b, "EPYC-Rome,x2apic=off,") && strcmp(cpu.vendor, "AMD") == 0);
    clear(&cpu);

    /* A model that this emulator lacks: refused, or put together from one that it has. */
    cpu = (CpuDef){ .mode = CPU_MODE_CUSTOM, .model = g_strdup("cpu64-rhel6"), .fallback = CPU_FALLBACK_FORBID };
    assert(!qemu_cpu_expand(&cpu, caps, QEMU_ACCEL_KVM, &err) && error_is(err, VIR_ERR_CONFIG_UNSUPPORTED));
    g_clear_error(&err);
    cpu.fallback = CPU_FALLBACK_ALLOW;
    assert(qemu_cpu_expand(&cpu, caps, QEMU_ACCEL_KVM, &err) && strcmp(cpu.model, "cpu64-rhel6") != 0);
    clear(&cpu);
    cpu = (CpuDef){ .mode = CPU_MODE_CUSTOM, .model = g_strdup("nonsense") };
    assert(!qemu_cpu_expand(&cpu, caps, QEMU_ACCEL_KVM, &err) && strstr(err->message, "'nonsense'"));
    clear(&cpu);
}

int main(void)
{
    const char *env = g_getenv("MODVIRT_SHARED"), *root = g_getenv("MESON_SOURCE_ROOT");
    g_autofree char *shared = env ? g_strdup(env) : g_build_filename(root ? root : ".", "..", "shared", NULL);
    g_autofree char *dir = g_build_filename(shared, "corpus/domaincaps", NULL);
    g_autofree char *text = slurp(dir, "manifest.json");

    if (!text) {
        fprintf(stderr, "no recordings here: skipped\n");
        return 77;
    }
    g_autoptr(JsonObject) m = json_parse("manifest", text, strlen(text), NULL, NULL);
    JsonObject *cases = json_get(m, "cases");
    for (size_t i = 0; i < json_len(cases); i++)
        check(dir, json_object_array_get_idx(cases, i));
    test_host_model(shared);
    test_custom(shared);
    fprintf(stderr, "%u of %u documents as expected\n", checked - problems, checked);
    assert(checked > 0);
    return problems ? 1 : 0;
}
