/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Capabilities: the cache format keeps everything, and the rules find in recorded emulators what is
 * known of them. Recordings are outside the source tree (MODVIRT_SHARED, or ../shared beside it);
 * without them that part is skipped.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "drivers/qemu/caps_probe.h"
#include "util/error.h"
#include "util/fd.h"

static unsigned problems;

static void same_str(const char *what, const char *name, const char *a, const char *b)
{
    if (g_strcmp0(a, b) == 0)
        return;
    fprintf(stderr, "  %s %s: found '%s', expected '%s'\n", what, name, a ? a : "(none)", b ? b : "(none)");
    problems++;
}

static void same_num(const char *what, const char *name, uint64_t a, uint64_t b)
{
    if (a == b)
        return;
    fprintf(stderr, "  %s %s: found %" G_GUINT64_FORMAT ", expected %" G_GUINT64_FORMAT "\n", what, name, a, b);
    problems++;
}

static void compare(const QemuCaps *found, const QemuCaps *expected)
{
    same_str("arch", "", found->arch, expected->arch);
    same_num("version", "", found->version, expected->version);
    for (unsigned f = 0; f < QEMU_CAP_N_; f++)
        same_num("flag", qemu_cap_name(f), qemu_caps_has(found, f), qemu_caps_has(expected, f));
    for (unsigned a = 0; a < QEMU_ACCEL_N_; a++) {
        const QemuAccelCaps *x = &found->accel[a], *y = &expected->accel[a];

        same_num("machines", qemu_accel_name(a), x->machines->len, y->machines->len);
        for (unsigned i = 0; i < MIN(x->machines->len, y->machines->len); i++) {
            const QemuMachine *m = x->machines->pdata[i], *n = y->machines->pdata[i];
            same_str("machine name", n->name, m->name, n->name);
            same_str("machine alias", n->name, m->alias, n->alias);
            same_str("machine cpu", n->name, m->default_cpu, n->default_cpu);
            same_str("machine ram", n->name, m->default_ram_id, n->default_ram_id);
            same_num("machine cpus", n->name, m->max_cpus, n->max_cpus);
            same_num("machine bits", n->name, m->hotplug_cpus + 2 * m->is_default + 4 * m->numa_mem + 8 * m->deprecated,
                     n->hotplug_cpus + 2 * n->is_default + 4 * n->numa_mem + 8 * n->deprecated);
        }
        same_num("cpus", qemu_accel_name(a), x->cpus->len, y->cpus->len);
        for (unsigned i = 0; i < MIN(x->cpus->len, y->cpus->len); i++) {
            const QemuCpuModel *m = x->cpus->pdata[i], *n = y->cpus->pdata[i];
            g_autofree char *b1 = m->blockers ? g_strjoinv(",", m->blockers) : NULL;
            g_autofree char *b2 = n->blockers ? g_strjoinv(",", n->blockers) : NULL;
            same_str("cpu name", n->name, m->name, n->name);
            same_str("cpu type", n->name, m->type_name, n->type_name);
            same_num("cpu usable", n->name, m->usable, n->usable);
            same_num("cpu deprecated", n->name, m->deprecated, n->deprecated);
            same_str("cpu blockers", n->name, b1, b2);
        }
        same_str("host cpu", qemu_accel_name(a), x->host_cpu.model, y->host_cpu.model);
        same_num("host cpu props", qemu_accel_name(a), x->host_cpu.props->len, y->host_cpu.props->len);
        for (unsigned i = 0; i < y->host_cpu.props->len; i++) {
            const QemuCpuProp *n = y->host_cpu.props->pdata[i], *m = qemu_caps_host_cpu_prop(found, a, n->name);
            if (!m) {
                same_str("host cpu prop", "", NULL, n->name);
                continue;
            }
            same_num("prop type", n->name, m->type, n->type);
            same_num("prop value", n->name, m->boolean + (uint64_t)m->number, n->boolean + (uint64_t)n->number);
            same_str("prop text", n->name, m->string, n->string);
            same_num("prop migratable", n->name, m->migratable, n->migratable);
        }
    }
    same_num("gic", "", found->gic->len, expected->gic->len);
    g_autofree char *h1 = found->hyperv ? g_strjoinv(",", found->hyperv) : NULL;
    g_autofree char *h2 = expected->hyperv ? g_strjoinv(",", expected->hyperv) : NULL;
    same_str("hyperv", "", h1, h2);
}

static char *shared_dir(void)
{
    const char *env = g_getenv("MODVIRT_SHARED");
    g_autofree char *beside = g_build_filename(g_getenv("MESON_SOURCE_ROOT") ? g_getenv("MESON_SOURCE_ROOT") : ".", "..",
                                               "shared", NULL);

    if (env)
        return g_strdup(env);
    return g_file_test(beside, G_FILE_TEST_IS_DIR) ? g_steal_pointer(&beside) : NULL;
}

static void test_recordings(const char *shared)
{
    g_autofree char *dir = g_build_filename(shared, "corpus/qemucapsprobe/qemucapabilitiesdata", NULL);
    GDir *d = g_dir_open(dir, 0, NULL);
    unsigned n = 0;

    for (const char *name; d && (name = g_dir_read_name(d));) {
        g_autoptr(GError) err = NULL;

        if (!g_str_has_suffix(name, ".replies"))
            continue;
        g_autofree char *replies = g_build_filename(dir, name, NULL);
        g_autofree char *base = g_strndup(replies, strlen(replies) - strlen(".replies"));
        g_autofree char *xml = g_strconcat(base, ".xml", NULL);
        fprintf(stderr, "%s\n", name);
        g_autoptr(QemuCaps) expected = qemu_caps_load_xml(xml, &err);
        assert(expected);
        g_autoptr(QemuCaps) found = qemu_caps_from_recording(replies, expected->binary, &err);
        if (!found)
            g_error("%s", err->message);
        compare(found, expected);

        /* What is written is read back the same. */
        g_autofree char *text = qemu_caps_format_xml(found);
        g_autoptr(QemuCaps) again = qemu_caps_parse_xml("cache", text, strlen(text), &err);
        assert(again);
        compare(again, found);
        n++;
    }
    if (d)
        g_dir_close(d);
    fprintf(stderr, "%u recordings\n", n);
    assert(n > 0);
}

static void test_flags(void)
{
    QemuCaps *c = qemu_caps_new("/bin/x", "x86_64");

    assert(QEMU_CAP_N_ == 442);
    assert(strcmp(qemu_cap_name(QEMU_CAP_KVM), "kvm") == 0 && qemu_cap_from_name("kvm") == QEMU_CAP_KVM);
    assert(qemu_cap_from_identifier("QEMU_CAPS_TCG") == QEMU_CAP_TCG && qemu_cap_from_name("nonsense") == QEMU_CAP_N_);
    for (unsigned f = 0; f < QEMU_CAP_N_; f++) {
        assert(!qemu_caps_has(c, f));
        qemu_caps_set(c, f);
        assert(qemu_caps_has(c, f) && (f + 1 == QEMU_CAP_N_ || !qemu_caps_has(c, f + 1)));
    }
    qemu_caps_clear(c, QEMU_CAP_KVM);
    assert(!qemu_caps_has(c, QEMU_CAP_KVM) && !qemu_caps_has(NULL, QEMU_CAP_TCG));
    qemu_caps_unref(c);
}

static void test_bad_files(void)
{
    static const char *const bad[] = { "", "<x/>", "<qemuCaps/>", "<qemuCaps><emulator>/x</emulator></qemuCaps>", "{}" };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) err = NULL;
        assert(!qemu_caps_parse_xml("text", bad[i], strlen(bad[i]), &err) && err);
    }
}

int main(void)
{
    g_autofree char *shared = shared_dir();

    test_flags();
    test_bad_files();
    if (shared)
        test_recordings(shared);
    else
        fprintf(stderr, "no recordings here: that part is skipped\n");
    if (problems)
        fprintf(stderr, "%u problems\n", problems);
    return problems ? 1 : 0;
}
