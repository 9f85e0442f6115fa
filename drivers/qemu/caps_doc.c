/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * virsh capabilities: the host, and a <guest> for every emulator that is installed. The layout is
 * the one that clients parse with regular expressions as well as with XML libraries, blank lines
 * included. Workers, because emulators may have to be asked.
 */
#include <string.h>
#include <unistd.h>

#include "drivers/qemu/caps_probe.h"
#include "drivers/qemu/caps_rules.h"
#include "drivers/qemu/cpu_map.h"
#include "drivers/qemu/domcaps.h"
#include "drivers/qemu/host_cpu.h"
#include "util/error.h"
#include "util/log.h"
#include "util/paths.h"
#include "util/uuid.h"
#include "util/xml.h"

static void named(XmlWriter *w, const char *element, const char *name)
{
    xml_open(w, element);
    xml_attr(w, "name", name);
    xml_close(w);
}

static void size_element(XmlWriter *w, const char *element, unsigned size_kib)
{
    xml_open(w, element);
    xml_attr(w, "unit", "KiB");
    xml_attrf(w, "size", "%u", size_kib);
    xml_close(w);
}

/* Host. */

static void processor_x86(XmlWriter *w)
{
    const HostProcessor *p = host_processor();
    CpuDecoded d;

    if (!cpu_decode(&p->data, false, NULL, NULL, &d, NULL))
        return;
    xml_element(w, "model", d.model->row->name);
    xml_element(w, "vendor", d.vendor);
    if (p->microcode) {
        xml_open(w, "microcode");
        xml_attrf(w, "version", "%u", p->microcode);
        xml_close(w);
    }
    xml_open(w, "signature");
    xml_attrf(w, "family", "%u", p->data.family);
    xml_attrf(w, "model", "%u", p->data.model);
    xml_attrf(w, "stepping", "%u", p->data.stepping);
    xml_close(w);
    if (p->tsc_hz) {
        xml_open(w, "counter");
        xml_attr(w, "name", "tsc");
        xml_attrf(w, "frequency", "%" G_GUINT64_FORMAT, p->tsc_hz);
        xml_attr(w, "scaling", p->tsc_scaling ? "yes" : "no");
        xml_close(w);
    }
    cpu_decoded_clear(&d);
}

static void processor_features(XmlWriter *w)
{
    CpuDecoded d;

    if (!cpu_decode(&host_processor()->data, false, NULL, NULL, &d, NULL))
        return;
    for (unsigned i = 0; i < d.features->len; i++)
        named(w, "feature", cpu_x86_features[g_array_index(d.features, CpuDecodedFeature, i).feature].name);
    cpu_decoded_clear(&d);
}

static void processor(XmlWriter *w, const HostTopology *t)
{
    bool x86 = qemu_arch_is_x86(host_arch());
    unsigned bits = host_processor()->phys_bits;

    xml_open(w, "cpu");
    xml_element(w, "arch", host_arch());
    if (x86)
        processor_x86(w);
    xml_open(w, "topology");
    xml_attrf(w, "sockets", "%u", t->sockets);
    xml_attrf(w, "dies", "%u", t->dies);
    xml_attrf(w, "cores", "%u", t->cores);
    xml_attrf(w, "threads", "%u", t->threads);
    xml_close(w);
    if (bits) {
        xml_open(w, "maxphysaddr");
        xml_attr(w, "mode", "emulate");
        xml_attrf(w, "bits", "%u", bits);
        xml_close(w);
    }
    if (x86)
        processor_features(w);
    const HostCell *first = t->cells->pdata[0];
    for (unsigned i = 0; i < first->pages->len; i++)
        size_element(w, "pages", g_array_index(first->pages, HostPages, i).size_kib);
    xml_close(w);
}

static void power(XmlWriter *w)
{
    static const char *const modes[] = { "suspend_mem", "suspend_disk", "suspend_hybrid" };
    unsigned have = host_suspend_modes();

    xml_open(w, "power_management");
    for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++)
        if (have >> i & 1)
            xml_empty(w, modes[i]);
    xml_close(w);
}

static void iommu(XmlWriter *w)
{
    GDir *groups = g_dir_open("/sys/kernel/iommu_groups", 0, NULL);

    xml_open(w, "iommu");
    xml_attr(w, "support", groups && g_dir_read_name(groups) ? "yes" : "no");
    xml_close(w);
    if (groups)
        g_dir_close(groups);
}

static void migration(XmlWriter *w)
{
    xml_open(w, "migration_features");
    xml_empty(w, "live");
    xml_open(w, "uri_transports");
    xml_element(w, "uri_transport", "tcp");
    xml_element(w, "uri_transport", "rdma");
    xml_close(w);
    xml_close(w);
}

static const HostCpu *cpu_by_id(const HostTopology *t, unsigned id)
{
    for (unsigned i = 0; i < t->cpus->len; i++)
        if (((const HostCpu *)t->cpus->pdata[i])->id == id)
            return t->cpus->pdata[i];
    return NULL;
}

static void cell_element(XmlWriter *w, const HostTopology *t, const HostCell *c)
{
    xml_open(w, "cell");
    xml_attrf(w, "id", "%u", c->id);
    xml_open(w, "memory");
    xml_attr(w, "unit", "KiB");
    xml_textf(w, "%" G_GUINT64_FORMAT, c->memory_kib);
    xml_close(w);
    for (unsigned i = 0; i < c->pages->len; i++) {
        const HostPages *p = &g_array_index(c->pages, HostPages, i);
        xml_open(w, "pages");
        xml_attr(w, "unit", "KiB");
        xml_attrf(w, "size", "%u", p->size_kib);
        xml_textf(w, "%" G_GUINT64_FORMAT, p->count);
        xml_close(w);
    }
    if (c->distances->len)
        xml_open(w, "distances");
    for (unsigned i = 0; i < c->distances->len && i < t->cells->len; i++) {
        xml_open(w, "sibling");
        xml_attrf(w, "id", "%u", ((const HostCell *)t->cells->pdata[i])->id);
        xml_attrf(w, "value", "%u", g_array_index(c->distances, unsigned, i));
        xml_close(w);
    }
    if (c->distances->len)
        xml_close(w);
    xml_open(w, "cpus");
    xml_attrf(w, "num", "%u", c->cpus->len);
    for (unsigned i = 0; i < c->cpus->len; i++) {
        const HostCpu *cpu = cpu_by_id(t, g_array_index(c->cpus, unsigned, i));
        if (!cpu)
            continue;
        xml_open(w, "cpu");
        xml_attrf(w, "id", "%u", cpu->id);
        if (cpu->online) {
            xml_attrf(w, "socket_id", "%d", cpu->socket);
            xml_attrf(w, "die_id", "%d", cpu->die);
            xml_attrf(w, "core_id", "%d", cpu->core);
            xml_attr(w, "siblings", cpu->siblings);
        }
        xml_close(w);
    }
    xml_close(w);
    xml_close(w);
}

static void cells(XmlWriter *w, const HostTopology *t)
{
    xml_open(w, "topology");
    xml_open(w, "cells");
    xml_attrf(w, "num", "%u", t->cells->len);
    for (unsigned i = 0; i < t->cells->len; i++)
        cell_element(w, t, t->cells->pdata[i]);
    xml_close(w);
    xml_close(w);
}

static void caches(XmlWriter *w, const HostTopology *t)
{
    if (t->caches->len == 0)
        return;
    xml_open(w, "cache");
    for (unsigned i = 0; i < t->caches->len; i++) {
        const HostCache *c = t->caches->pdata[i];
        bool mib = c->size_kib % 1024 == 0;

        xml_open(w, "bank");
        xml_attrf(w, "id", "%u", c->id);
        xml_attrf(w, "level", "%u", c->level);
        xml_attr(w, "type", c->type);
        xml_attrf(w, "size", "%u", mib ? c->size_kib / 1024 : c->size_kib);
        xml_attr(w, "unit", mib ? "MiB" : "KiB");
        xml_attr(w, "cpus", c->cpus);
        xml_close(w);
    }
    xml_close(w);
}

/* No labels of the kernel; the traditional model is told with the user that guests run as. */
static void security(XmlWriter *w)
{
    static const char *const types[] = { "kvm", "qemu" };

    xml_open(w, "secmodel");
    xml_element(w, "model", "none");
    xml_element(w, "doi", "0");
    xml_close(w);
    if (paths()->session)
        return; /* it runs guests as its own user, always */
    xml_open(w, "secmodel");
    xml_element(w, "model", "dac");
    xml_element(w, "doi", "0");
    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
        xml_open(w, "baselabel");
        xml_attr(w, "type", types[i]);
        xml_textf(w, "+%u:+%u", (unsigned)host_guest_uid(), (unsigned)host_guest_gid());
        xml_close(w);
    }
    xml_close(w);
}

static bool host(XmlWriter *w, GError **err)
{
    const HostTopology *t = host_topology(err);
    Uuid uuid;
    char text[37];

    if (!t)
        return false;
    xml_open(w, "host");
    if (host_uuid(uuid, NULL)) { /* an unwritable state directory does not hide the rest */
        uuid_format(uuid, text);
        xml_element(w, "uuid", text);
    }
    processor(w, t);
    power(w);
    iommu(w);
    migration(w);
    cells(w, t);
    caches(w, t);
    security(w);
    xml_close(w);
    return true;
}

/* Guests. */

static void machines(XmlWriter *w, const GPtrArray *list)
{
    for (unsigned i = 0; i < list->len; i++) {
        const QemuMachine *m = list->pdata[i];

        for (unsigned alias = 0; alias < 2; alias++) {
            if (alias && !m->alias)
                continue;
            xml_open(w, "machine");
            if (alias)
                xml_attr(w, "canonical", m->name);
            if (m->max_cpus)
                xml_attrf(w, "maxCpus", "%u", m->max_cpus);
            if (m->deprecated)
                xml_attr(w, "deprecated", "yes");
            xml_text(w, alias ? m->alias : m->name);
            xml_close(w);
        }
    }
}

static void toggle(XmlWriter *w, const char *feature, const char *changes)
{
    xml_open(w, feature);
    xml_attr(w, "default", "on");
    xml_attr(w, "toggle", changes);
    xml_close(w);
}

static bool is_32_bit(const char *arch)
{
    return !strstr(arch, "64") && !g_str_equal(arch, "s390x") && !g_str_equal(arch, "alpha");
}

char *qemu_guest_caps_xml(const QemuCaps *caps, const char *arch, const char *emulator, bool kvm)
{
    bool x86 = qemu_arch_is_x86(arch);
    GString *out = g_string_new(NULL);
    XmlWriter w;

    xml_writer_init(&w, out, 1);
    xml_open(&w, "guest");
    xml_element(&w, "os_type", "hvm");
    xml_open(&w, "arch");
    xml_attr(&w, "name", arch);
    xml_element(&w, "wordsize", is_32_bit(arch) ? "32" : "64");
    xml_element(&w, "emulator", emulator);
    machines(&w, caps->accel[caps->accel[QEMU_ACCEL_TCG].machines->len ? QEMU_ACCEL_TCG : QEMU_ACCEL_KVM].machines);
    xml_open(&w, "domain");
    xml_attr(&w, "type", "qemu");
    xml_close(&w);
    if (kvm) {
        xml_open(&w, "domain");
        xml_attr(&w, "type", "kvm");
        xml_close(&w);
    }
    xml_close(&w);

    xml_open(&w, "features");
    if (g_str_equal(arch, "i686")) {
        xml_empty(&w, "pae");
        xml_empty(&w, "nonpae");
    }
    if (x86 || g_str_equal(arch, "aarch64"))
        toggle(&w, "acpi", "yes");
    if (x86)
        toggle(&w, "apic", "no");
    xml_empty(&w, "cpuselection");
    xml_empty(&w, "deviceboot");
    toggle(&w, "disksnapshot", "no");
    xml_close(&w);
    xml_close(&w);
    return g_string_free(out, false);
}

/* A guest of this architecture can run on the host's own processors. */
static bool runs_natively(const char *arch)
{
    const char *h = host_arch();

    return g_str_equal(arch, h) || (g_str_equal(h, "x86_64") && g_str_equal(arch, "i686")) ||
           (g_str_equal(h, "aarch64") && g_str_equal(arch, "armv7l")) ||
           (g_str_has_prefix(h, "ppc64") && g_str_has_prefix(arch, "ppc64"));
}

char *qemu_capabilities_xml(GError **err)
{
    g_autoptr(GString) out = g_string_new("<capabilities>\n\n");
    g_auto(GStrv) emulators = qemu_emulators();
    XmlWriter w;

    xml_writer_init(&w, out, 1);
    if (!host(&w, err))
        return NULL;
    qemu_caps_get_all_brief(emulators);
    for (unsigned i = 0; emulators[i]; i += 2) {
        g_autoptr(GError) why = NULL;
        g_autoptr(QemuCaps) caps = qemu_caps_get_brief(emulators[i + 1], &why);

        if (!caps) { /* a broken emulator for one architecture does not hide the others */
            log_warn("emulator left out: %s", why->message);
            continue;
        }
        bool kvm = qemu_caps_accel_usable(caps, QEMU_ACCEL_KVM) && runs_natively(emulators[i]);
        g_autofree char *guest = qemu_guest_caps_xml(caps, emulators[i], emulators[i + 1], kvm);
        g_string_append_printf(out, "%s%s%s", g_str_has_suffix(out->str, "\n") ? "\n" : "\n\n", guest,
                               g_str_has_suffix(guest, "\n") ? "" : "\n");
    }
    if (!g_str_has_suffix(out->str, "\n"))
        g_string_append_c(out, '\n');
    g_string_append(out, "\n</capabilities>\n");
    return g_string_free(g_steal_pointer(&out), false);
}

/* Names and numbers. */

char **qemu_cpu_model_names(const char *arch, GError **err)
{
    static const char *const others[] = { "aarch64", "armv6l", "armv7l", "s390x", "ppc", "riscv32", "riscv64", "mips",
                                          "mipsel", "mips64", "mips64el", "sparc", "sparc64", "loongarch64", "alpha",
                                          "m68k", "sh4", "sh4eb", "or32", "xtensa", "xtensaeb", "microblaze",
                                          "microblazeel", "cris", "lm32", "unicore32", "hppa", "ia64", "s390", NULL };
    g_autoptr(GStrvBuilder) b = g_strv_builder_new();

    if (qemu_arch_is_x86(arch)) {
        for (unsigned i = 0; i < cpu_x86_n_models; i++)
            g_strv_builder_add(b, cpu_x86_models[i].name);
    } else if (g_str_has_prefix(arch, "ppc64")) {
        g_strv_builder_addv(b, (const char **)cpu_ppc64_models);
    } else if (!g_strv_contains(others, arch)) {
        error_set(err, VIR_ERR_INVALID_ARG, "cannot find architecture %s", arch);
        return NULL;
    }
    return g_strv_builder_end(b);
}

int qemu_max_vcpus(const char *type, GError **err)
{
    QemuAccel a = type ? qemu_accel_from_name(g_ascii_strcasecmp(type, "kvm") == 0    ? "kvm"
                                              : g_ascii_strcasecmp(type, "qemu") == 0 ? "qemu"
                                                                                      : type)
                       : QEMU_ACCEL_KVM;

    if (a == QEMU_ACCEL_N_) {
        error_set(err, VIR_ERR_INVALID_ARG, "unknown type '%s'", type);
        return -1;
    }
    g_autofree char *emulator = qemu_emulator_find(host_arch());
    if (!emulator) {
        error_set(err, VIR_ERR_NO_SUPPORT, "no emulator for %s is installed", host_arch());
        return -1;
    }
    g_autoptr(QemuCaps) caps = qemu_caps_get(emulator, err);
    if (!caps)
        return -1;
    if (!type && !qemu_caps_accel_usable(caps, a))
        a = QEMU_ACCEL_TCG;
    const QemuMachine *m = qemu_caps_machine(caps, a, NULL);
    if (!m && a < QEMU_ACCEL_N_ && caps->accel[a].machines->len)
        m = caps->accel[a].machines->pdata[0];
    if (!m) {
        error_set(err, VIR_ERR_INVALID_ARG, "no guests of type '%s' can run here", qemu_accel_name(a));
        return -1;
    }
    return (int)m->max_cpus;
}
