/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processors of ppc64: a model is all there is to one, and each generation runs what was made for the
 * ones before it, in a mode that guests ask for by name ("power8"). Pure; any thread.
 */
#include <string.h>

#include "drivers/qemu/cpu_ops.h"
#include "drivers/qemu/cpu_settle.h"
#include "util/error.h"
#include "util/xml.h"

/* Names with a revision, as documents once had them. */
static const char *const revisions[][2] = {
    { "POWER7_v2.1", "POWER7" }, { "POWER7_v2.3", "POWER7" }, { "POWER7+_v2.1", "POWER7" }, { "POWER8_v1.0", "POWER8" },
};

typedef struct Ppc64Cpu {
    char *arch, *vendor;
    const char *model; /* NULL: none given */
    unsigned compat;   /* generation that host-model asks for; 0: any */
    bool guest, host_model;
} Ppc64Cpu;

static const char *find_model(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(revisions); i++) {
        if (strcmp(name, revisions[i][0]) == 0)
            name = revisions[i][1];
    }
    for (const char *const *m = cpu_ppc64_models; *m; m++) {
        if (strcmp(*m, name) == 0)
            return *m;
    }
    return NULL;
}

/* "POWER8", "power8": 8; 0 for all else. */
static unsigned generation(const char *name, const char *prefix)
{
    char *end;
    if (!name || !g_str_has_prefix(name, prefix) || !g_ascii_isdigit(name[strlen(prefix)]))
        return 0;
    guint64 n = g_ascii_strtoull(name + strlen(prefix), &end, 10);
    return *end || n < 6 || n > 99 ? 0 : (unsigned)n;
}

static void clear(Ppc64Cpu *c)
{
    g_clear_pointer(&c->arch, g_free);
    g_clear_pointer(&c->vendor, g_free);
}

static char *child_text(xmlNode *cpu, const char *name)
{
    xmlNode *n = xml_child(cpu, name);
    return n ? g_strstrip(xml_text_dup(n)) : NULL;
}

static bool parse(const char *xml, Ppc64Cpu *ret, GError **err)
{
    g_autoptr(XmlDoc) doc = xml_parse(xml, strlen(xml), err);
    xmlNode *cpu = doc ? cpu_document_find(xml_root(doc)) : NULL;
    if (!doc)
        return false;
    if (!cpu) {
        error_set(err, VIR_ERR_XML_ERROR, "no <cpu> element in the document");
        return false;
    }
    g_autofree char *model = child_text(cpu, "model");
    Ppc64Cpu c = { .arch = child_text(cpu, "arch"), .vendor = child_text(cpu, "vendor") };
    c.guest = !c.arch;
    c.host_model = g_strcmp0(xml_attr_get(cpu, "mode"), "host-model") == 0;
    bool known = true;
    if (model && *model && c.host_model)
        known = (c.compat = generation(model, "power")) != 0;
    else if (model && *model)
        known = (c.model = find_model(model)) != NULL;
    if (!known) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "Unknown CPU model %s", model);
        clear(&c);
        return false;
    }
    *ret = c;
    return true;
}

static int compare(const Ppc64Cpu *host, const Ppc64Cpu *c, char **why)
{
    const char *reason = NULL;
    if (c->arch && host->arch && strcmp(c->arch, host->arch) != 0)
        reason = "the architectures differ";
    else if (c->vendor && g_strcmp0(c->vendor, host->vendor) != 0)
        reason = "the vendors differ";
    else if (c->compat > generation(host->model, "POWER"))
        reason = "the guest wants a later generation";
    else if (!c->host_model && c->model && g_strcmp0(c->model, host->model) != 0)
        reason = "the models differ";
    *why = g_strdup(reason);
    return reason ? VIR_CPU_COMPARE_INCOMPATIBLE : VIR_CPU_COMPARE_IDENTICAL;
}

int cpu_ppc64_compare(const char *host_xml, const char *xml, unsigned flags, GError **err)
{
    Ppc64Cpu host, c;
    g_autofree char *why = NULL;
    if (!parse(host_xml, &host, err))
        return VIR_CPU_COMPARE_ERROR;
    if (!parse(xml, &c, err)) {
        clear(&host);
        return VIR_CPU_COMPARE_ERROR;
    }
    int r = compare(&host, &c, &why);
    clear(&host);
    clear(&c);
    if (r == VIR_CPU_COMPARE_INCOMPATIBLE && (flags & VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE)) {
        error_set(err, VIR_ERR_CPU_INCOMPATIBLE, "%s", why);
        return VIR_CPU_COMPARE_ERROR;
    }
    return r;
}

static bool same_processor(const Ppc64Cpu *a, const Ppc64Cpu *b, GError **err)
{
    if (a->vendor && b->vendor && strcmp(a->vendor, b->vendor) != 0)
        error_set(err, VIR_ERR_OPERATION_FAILED, "CPU vendors do not match");
    else if (g_strcmp0(a->model, b->model) != 0)
        error_set(err, VIR_ERR_OPERATION_FAILED, "CPUs are incompatible");
    else
        return true;
    return false;
}

char *cpu_ppc64_baseline(const char *const *xmls, unsigned n, GError **err)
{
    g_autofree Ppc64Cpu *cpus = g_new0(Ppc64Cpu, n + 1);
    const char *model = NULL;
    bool ok = n > 0;
    for (unsigned i = 0; ok && i < n; i++) {
        ok = parse(xmls[i], &cpus[i], err);
        if (ok && !cpus[i].model) {
            error_set(err, VIR_ERR_INVALID_ARG, "no CPU model specified at index %u", i);
            ok = false;
        }
        ok = ok && same_processor(&cpus[0], &cpus[i], err);
        model = cpus[0].model;
    }
    for (unsigned i = 0; i < n; i++)
        clear(&cpus[i]);
    return ok ? g_strdup_printf("<cpu mode='custom' match='exact'>\n  <model fallback='forbid'>%s</model>\n</cpu>\n", model) : NULL;
}

bool cpu_ppc64_translate(CpuDef *cpu, bool (*allowed)(const char *model, void *data), void *data, GError **err)
{
    if (cpu->mode != CPU_MODE_CUSTOM || !cpu->model || allowed(cpu->model, data))
        return true;
    const char *model = find_model(cpu->model);
    if (!model || !allowed(model, data)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "CPU model '%s' is not supported by hypervisor", cpu->model);
        return false;
    }
    g_free(cpu->model);
    cpu->model = g_strdup(model);
    return true;
}
