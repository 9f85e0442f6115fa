/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Set arithmetic on processors. A document is five sets of features, one per policy; the model's
 * features start as required and leave that set when the document says otherwise. Compatible means:
 * nothing forbidden is there, everything required is there. Any thread.
 */
#include "drivers/qemu/cpu_ops.h"

#include <string.h>

#include "drivers/qemu/caps_rules.h"
#include "drivers/qemu/domcaps.h"
#include "drivers/qemu/guest_cpu.h"
#include "drivers/qemu/host.h"
#include "drivers/qemu/host_cpu.h"
#include "util/error.h"
#include "util/xml.h"

static const char *const policies[CPU_SET_N] = { "force", "require", "optional", "disable", "forbid" };

static bool is_empty(const CpuFeatures *f)
{
    uint64_t any = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(f->w); i++)
        any |= f->w[i];
    return any == 0;
}

static CpuFeatures minus(CpuFeatures a, const CpuFeatures *b)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(a.w); i++)
        a.w[i] &= ~b->w[i];
    return a;
}

static CpuFeatures both(CpuFeatures a, const CpuFeatures *b)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(a.w); i++)
        a.w[i] &= b->w[i];
    return a;
}

static void add_all(CpuFeatures *a, const CpuFeatures *b)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(a->w); i++)
        a->w[i] |= b->w[i];
}

static char *name_list(const CpuFeatures *f)
{
    GString *s = g_string_new(NULL);

    for (unsigned i = 0; i < cpu_x86_n_features; i++)
        if (cpu_features_has(f, i))
            g_string_append_printf(s, "%s%s", s->len ? "," : "", cpu_x86_features[i].name);
    return g_string_free(s, false);
}

/* Documents. */

static xmlNode *find_cpu(xmlNode *n, unsigned depth)
{
    if (xml_is(n, "cpu"))
        return n;
    for (xmlNode *c = depth < 3 ? xml_child(n, NULL) : NULL; c; c = xml_next(c, NULL)) {
        xmlNode *found = find_cpu(c, depth + 1);
        if (found)
            return found;
    }
    return NULL;
}

xmlNode *cpu_document_find(xmlNode *root)
{
    return find_cpu(root, 0);
}

static bool is_ppc64(const char *arch)
{
    return arch && g_str_has_prefix(arch, "ppc64");
}

/* The architecture that a document names, else this host's. */
static char *arch_of(const char *xml)
{
    g_autoptr(XmlDoc) doc = xml_parse(xml, strlen(xml), NULL);
    xmlNode *cpu = doc ? find_cpu(xml_root(doc), 0) : NULL, *arch = xml_child(cpu, "arch");
    return cpu && arch ? g_strstrip(xml_text_dup(arch)) : g_strdup(host_arch());
}

static bool read_feature(xmlNode *n, CpuSpec *s, GError **err)
{
    const char *name = xml_attr_get(n, "name"), *policy = xml_attr_get(n, "policy");
    int row = name ? cpu_feature_find(name) : -1;
    unsigned set = CPU_SET_REQUIRE;

    if (row < 0) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "Unknown CPU feature %s", name ? name : "without a name");
        return false;
    }
    for (unsigned i = 0; policy && s->guest && i < CPU_SET_N; i++) /* a host has what it lists */
        if (g_str_equal(policies[i], policy))
            set = i;
    /* What is said twice is said once, by the last. */
    for (unsigned i = 0; i < CPU_SET_N; i++)
        cpu_features_del(&s->sets[i], (unsigned)row);
    cpu_features_add(&s->sets[set], (unsigned)row);
    return true;
}

bool cpu_spec_parse(const char *xml, CpuSpec *ret, GError **err)
{
    g_autoptr(XmlDoc) doc = xml_parse(xml, strlen(xml), err);
    xmlNode *cpu = doc ? find_cpu(xml_root(doc), 0) : NULL;
    CpuSpec s = { 0 };

    if (!doc)
        return false;
    if (!cpu) {
        error_set(err, VIR_ERR_XML_ERROR, "no <cpu> element in the document");
        return false;
    }
    xmlNode *model = xml_child(cpu, "model"), *vendor = xml_child(cpu, "vendor"), *arch = xml_child(cpu, "arch");
    s.model = model ? g_strstrip(xml_text_dup(model)) : NULL;
    s.vendor = vendor ? g_strstrip(xml_text_dup(vendor)) : NULL;
    s.arch = arch ? g_strstrip(xml_text_dup(arch)) : NULL;
    s.guest = !arch;
    s.has_mode = xml_attr_get(cpu, "mode") != NULL;
    s.strict = g_strcmp0(xml_attr_get(cpu, "match"), "strict") == 0;
    if (s.model && !*s.model)
        g_clear_pointer(&s.model, g_free);

    bool x86 = !s.arch || qemu_arch_is_x86(s.arch);
    const CpuModel *m = s.model && x86 ? cpu_model_find(s.model) : NULL;
    bool ok = true;
    if (s.model && x86 && !m) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "Unknown CPU model %s", s.model);
        ok = false;
    } else if (m) {
        s.sets[CPU_SET_REQUIRE] = m->features;
    }
    for (xmlNode *f = xml_child(cpu, "feature"); ok && x86 && f; f = xml_next(f, "feature"))
        ok = read_feature(f, &s, err);
    if (!ok) {
        cpu_spec_clear(&s);
        return false;
    }
    *ret = s;
    return true;
}

void cpu_spec_clear(CpuSpec *s)
{
    g_clear_pointer(&s->arch, g_free);
    g_clear_pointer(&s->model, g_free);
    g_clear_pointer(&s->vendor, g_free);
}

void cpu_spec_host(CpuSpec *ret)
{
    const HostProcessor *p = host_processor();

    *ret = (CpuSpec){ .arch = g_strdup(host_arch()), .vendor = g_strdup(cpu_data_vendor(&p->data)) };
    ret->sets[CPU_SET_REQUIRE] = p->data.features;
}

bool cpu_spec_guest(const QemuCaps *caps, QemuAccel accel, CpuSpec *ret, GError **err)
{
    CpuDecoded d;

    if (!qemu_cpu_host_model(caps, accel, false, &d)) {
        error_set(err, VIR_ERR_NO_SUPPORT, "comparing processors of architecture %s", caps->arch);
        return false;
    }
    *ret = (CpuSpec){ .arch = g_strdup(caps->arch), .vendor = g_strdup(d.vendor), .model = g_strdup(d.model->row->name) };
    ret->sets[CPU_SET_REQUIRE] = d.model->features;
    for (unsigned i = 0; i < d.features->len; i++) {
        const CpuDecodedFeature *f = &g_array_index(d.features, CpuDecodedFeature, i);
        if (f->require)
            cpu_features_add(&ret->sets[CPU_SET_REQUIRE], f->feature);
        else
            cpu_features_del(&ret->sets[CPU_SET_REQUIRE], f->feature);
    }
    cpu_decoded_clear(&d);
    return true;
}

/* Comparing. */

/* What a document must say to be taken for a processor; for a host's, also what it must not. */
static bool is_complete(const CpuSpec *s, bool of_host, GError **err)
{
    if (of_host && s->has_mode)
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "Attribute mode is only allowed for guest CPU");
    else if (of_host && !s->arch)
        error_set(err, VIR_ERR_XML_ERROR, "Missing CPU architecture");
    else if (!s->model)
        error_set(err, VIR_ERR_XML_ERROR, "Missing CPU model name");
    else
        return true;
    return false;
}

static int incompatible(char **why, char *text)
{
    if (why)
        *why = text;
    else
        g_free(text);
    return VIR_CPU_COMPARE_INCOMPATIBLE;
}

int cpu_compare(const CpuSpec *host, const CpuSpec *b, char **why)
{
    const CpuFeatures *have = &host->sets[CPU_SET_REQUIRE];

    if (b->arch && host->arch && !g_str_equal(b->arch, host->arch))
        return incompatible(why, g_strdup_printf("CPU arch %s does not match host arch", b->arch));
    if (b->vendor && g_strcmp0(b->vendor, host->vendor) != 0)
        return incompatible(why, g_strdup_printf("host CPU vendor does not match required CPU vendor %s", b->vendor));

    CpuFeatures forbidden = both(b->sets[CPU_SET_FORBID], have), missing = minus(b->sets[CPU_SET_REQUIRE], have);
    if (!is_empty(&forbidden)) {
        g_autofree char *names = name_list(&forbidden);
        return incompatible(why, g_strdup_printf("Host CPU provides forbidden features: %s", names));
    }
    if (!is_empty(&missing)) {
        g_autofree char *names = name_list(&missing);
        return incompatible(why, g_strdup_printf("Host CPU does not provide required features: %s", names));
    }

    CpuFeatures extra = *have;
    for (unsigned i = CPU_SET_FORCE; i <= CPU_SET_DISABLE; i++)
        extra = minus(extra, &b->sets[i]);
    if (is_empty(&extra))
        return VIR_CPU_COMPARE_IDENTICAL;
    if (b->guest && b->strict) {
        g_autofree char *names = name_list(&extra);
        return incompatible(why, g_strdup_printf("Host CPU does not strictly match guest CPU: Extra features: %s", names));
    }
    return VIR_CPU_COMPARE_SUPERSET;
}

static bool x86_only(const char *arch, GError **err)
{
    if (qemu_arch_is_x86(arch))
        return true;
    error_set(err, VIR_ERR_NO_SUPPORT, "comparing processors of architecture %s", arch);
    return false;
}

int qemu_cpu_compare_to(const CpuSpec *host, const char *xml, unsigned flags, GError **err)
{
    g_autofree char *why = NULL;
    CpuSpec other;

    if (flags & ~(unsigned)(VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE | VIR_CONNECT_COMPARE_CPU_VALIDATE_XML)) {
        error_set(err, VIR_ERR_INVALID_ARG, "unsupported flags (0x%x) to compare processors", flags);
        return VIR_CPU_COMPARE_ERROR;
    }
    if (!cpu_spec_parse(xml, &other, err))
        return VIR_CPU_COMPARE_ERROR;
    if (other.arch && !is_complete(&other, true, err)) {
        cpu_spec_clear(&other);
        return VIR_CPU_COMPARE_ERROR;
    }
    int r = cpu_compare(host, &other, &why);
    cpu_spec_clear(&other);
    if (r == VIR_CPU_COMPARE_INCOMPATIBLE && (flags & VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE)) {
        error_set(err, VIR_ERR_CPU_INCOMPATIBLE, "%s", why ? why : "the CPUs differ");
        return VIR_CPU_COMPARE_ERROR;
    }
    return r;
}

int qemu_cpu_compare_host(const char *xml, unsigned flags, GError **err)
{
    CpuSpec host;

    if (is_ppc64(host_arch()) && qemu_host_ppc_model()) {
        g_autofree char *own = g_strdup_printf("<cpu><arch>%s</arch><model>%s</model><vendor>IBM</vendor></cpu>", host_arch(),
                                               qemu_host_ppc_model());
        return cpu_ppc64_compare(own, xml, flags, err);
    }
    if (!x86_only(host_arch(), err))
        return VIR_CPU_COMPARE_ERROR;
    cpu_spec_host(&host);
    int r = qemu_cpu_compare_to(&host, xml, flags, err);
    cpu_spec_clear(&host);
    return r;
}

/* Common ground. */

static CpuFeatures features_of(const CpuSpec *s)
{
    CpuFeatures f = s->sets[CPU_SET_REQUIRE];

    add_all(&f, &s->sets[CPU_SET_FORCE]);
    return f;
}

/* The vendor that all agree on: what they say, and what the models of all but the first are made by. NULL: nobody
 * says one. */
static bool common_vendor(const CpuSpec *specs, unsigned n, const char **ret, GError **err)
{
    *ret = specs[0].vendor;
    for (unsigned i = 1; i < n; i++) {
        const char *said = specs[i].vendor, *made = cpu_model_find(specs[i].model)->row->vendor;
        if (said && made && !g_str_equal(said, made)) {
            error_set(err, VIR_ERR_OPERATION_FAILED, "CPU vendor %s of model %s differs from vendor %s", made, specs[i].model,
                      said);
            return false;
        }
        const char *vendor = said ? said : made;
        if (vendor && *ret && !g_str_equal(vendor, *ret)) {
            error_set(err, VIR_ERR_OPERATION_FAILED, "CPU vendors do not match");
            return false;
        }
        *ret = vendor ? vendor : *ret;
    }
    return true;
}

static bool set_vendor(CpuData *d, const char *vendor, GError **err)
{
    for (unsigned i = 0; i < cpu_x86_n_vendors; i++)
        if (g_str_equal(cpu_x86_vendors[i].name, vendor)) {
            g_strlcpy(d->vendor, cpu_x86_vendors[i].string, sizeof(d->vendor));
            return true;
        }
    error_set(err, VIR_ERR_OPERATION_FAILED, "Unknown CPU vendor %s", vendor);
    return false;
}

/* Whose guests; caps NULL: any emulator's. */
typedef struct Wish {
    const QemuCaps *caps;
    QemuAccel accel;
    const char *model; /* NULL: any */
} Wish;

static bool common(const CpuSpec *specs, unsigned n, const Wish *wish, unsigned flags, CpuData *d, GError **err)
{
    bool migratable = flags & VIR_CONNECT_BASELINE_CPU_MIGRATABLE;
    const char *vendor;
    CpuData offered;

    if (!common_vendor(specs, n, &vendor, err))
        return false;
    *d = (CpuData){ .features = features_of(&specs[0]) };
    for (unsigned i = 1; i < n; i++) {
        CpuFeatures f = features_of(&specs[i]);
        d->features = both(d->features, &f);
    }
    /* The host's processor; without acceleration features are made, not passed on. */
    if (wish->caps && wish->accel == QEMU_ACCEL_KVM && qemu_cpu_offered(wish->caps, wish->accel, migratable, &offered))
        d->features = both(d->features, &offered.features);
    if (is_empty(&d->features)) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "CPUs are incompatible");
        return false;
    }
    for (unsigned i = 0; migratable && i < cpu_x86_n_features; i++)
        if (cpu_x86_features[i].flags & CPU_FEATURE_NOT_MIGRATABLE)
            cpu_features_del(&d->features, i);
    return !vendor || set_vendor(d, vendor, err);
}

static bool is_wished(const char *model, void *data)
{
    const Wish *w = data;

    return (!w->model || g_str_equal(model, w->model)) && (!w->caps || qemu_caps_cpu(w->caps, w->accel, model));
}

static void put_feature(XmlWriter *w, unsigned feature, bool require)
{
    xml_open(w, "feature");
    xml_attr(w, "policy", require ? "require" : "disable");
    xml_attr(w, "name", cpu_x86_features[feature].name);
    xml_close(w);
}

static int by_name(const void *a, const void *b)
{
    const CpuDecodedFeature *x = a, *y = b;

    return strcmp(cpu_x86_features[x->feature].name, cpu_x86_features[y->feature].name);
}

/* What the model means by itself, too. */
static void expand(CpuDecoded *r, const CpuData *d)
{
    CpuDecodedFeature e = { .require = true };

    for (e.feature = 0; e.feature < cpu_x86_n_features; e.feature++)
        if (cpu_features_has(&r->model->features, e.feature) && cpu_features_has(&d->features, e.feature))
            g_array_append_val(r->features, e);
    g_array_sort(r->features, by_name);
}

static char *baseline(const CpuSpec *specs, unsigned n, Wish wish, unsigned flags, GError **err)
{
    const char *same = specs[0].model;
    bool vendor_told = true;
    CpuDecoded r;
    CpuData d;

    if (!common(specs, n, &wish, flags, &d, err))
        return NULL;
    for (unsigned i = 0; i < n; i++) {
        if (g_strcmp0(specs[i].model, same) != 0)
            same = NULL;
        vendor_told = vendor_told && specs[i].vendor;
    }
    /* A model that all share stays their model, less what they lack. Another one keeps all its promises. */
    wish.model = same;
    bool kept = same && cpu_decode(&d, true, is_wished, &wish, &r, NULL);
    wish.model = NULL;
    if (!kept && !cpu_decode(&d, false, is_wished, &wish, &r, err))
        return NULL;
    if (flags & VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES)
        expand(&r, &d);

    GString *out = g_string_new(NULL);
    XmlWriter w;
    xml_writer_init(&w, out, 0);
    xml_open(&w, "cpu");
    xml_attr(&w, "mode", "custom");
    xml_attr(&w, "match", "exact");
    xml_open(&w, "model");
    xml_attr(&w, "fallback", kept || wish.caps ? "forbid" : "allow");
    xml_text(&w, r.model->row->name);
    xml_close(&w);
    xml_element(&w, "vendor", vendor_told ? cpu_data_vendor(&d) : NULL);
    for (unsigned i = 0; i < r.features->len; i++) {
        const CpuDecodedFeature *f = &g_array_index(r.features, CpuDecodedFeature, i);
        put_feature(&w, f->feature, f->require);
    }
    xml_close(&w);
    cpu_decoded_clear(&r);
    return g_string_free(out, false);
}

static char *baseline_of(Wish wish, bool of_hosts, const char *const *xmls, unsigned n, unsigned flags, GError **err)
{
    g_autofree CpuSpec *specs = g_new0(CpuSpec, n + 1);
    char *r = NULL;
    bool ok = n > 0;

    if (!ok)
        error_set(err, VIR_ERR_INVALID_ARG, "no CPUs given");
    g_autofree char *arch = ok ? arch_of(xmls[0]) : NULL;
    if (is_ppc64(arch))
        return cpu_ppc64_baseline(xmls, n, err);
    for (unsigned i = 0; ok && i < n; i++)
        ok = cpu_spec_parse(xmls[i], &specs[i], err) && x86_only(specs[i].arch ? specs[i].arch : host_arch(), err);
    for (unsigned i = 0; ok && i < n; i++)
        ok = is_complete(&specs[i], of_hosts, err);
    if (ok)
        r = baseline(specs, n, wish, flags, err);
    for (unsigned i = 0; i < n; i++)
        cpu_spec_clear(&specs[i]);
    return r;
}

char *qemu_cpu_baseline(const char *const *xmls, unsigned n, unsigned flags, GError **err)
{
    return baseline_of((Wish){ .accel = QEMU_ACCEL_KVM }, true, xmls, n, flags, err);
}

char *qemu_cpu_baseline_for(const QemuCaps *caps, QemuAccel accel, const char *const *xmls, unsigned n, unsigned flags,
                            GError **err)
{
    return baseline_of((Wish){ .caps = caps, .accel = accel }, false, xmls, n, flags, err);
}
