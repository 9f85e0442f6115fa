/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QemuCaps as a file: the probe cache, and recorded emulators in tests. The reader skips what it does
 * not know (a newer daemon may have written it) and refuses only what is not this format; the writer
 * never depends on what was there. Both are pure functions, any thread.
 */
#include <fcntl.h>
#include <string.h>

#include "drivers/qemu/caps.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/xml.h"

#define CAPS_FILE_MAX (4 * 1024 * 1024)

static char *attr(const xmlNode *n, const char *name)
{
    return g_strdup(xml_attr_get(n, name));
}

static bool attr_is(const xmlNode *n, const char *name, const char *value)
{
    return g_strcmp0(xml_attr_get(n, name), value) == 0;
}

static uint64_t attr_number(const xmlNode *n, const char *name)
{
    const char *v = xml_attr_get(n, name);

    return v ? g_ascii_strtoull(v, NULL, 10) : 0;
}

static uint64_t content_number(const xmlNode *n)
{
    g_autofree char *v = xml_text_dup(n);

    return g_ascii_strtoull(v, NULL, 10);
}

static QemuUsable attr_usable(xmlNode *n, const char *name)
{
    return attr_is(n, name, "yes") ? QEMU_USABLE_YES
           : attr_is(n, name, "no") ? QEMU_USABLE_NO
                                    : QEMU_USABLE_UNKNOWN;
}

static QemuAccel attr_accel(xmlNode *n)
{
    g_autofree char *type = attr(n, "type");

    return type ? qemu_accel_from_name(type) : QEMU_ACCEL_N_;
}

/* The "name" attributes of n's children of one kind; NULL when there are none. */
static char **child_names(xmlNode *n, const char *element)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (xmlNode *e = xml_child(n, NULL); e; e = xml_next(e, NULL)) {
        char *name = xml_is(e, element) ? attr(e, "name") : NULL;
        if (name)
            g_ptr_array_add(names, name);
    }
    if (names->len == 0)
        return NULL;
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_steal(names, NULL);
}

static void read_machine(QemuCaps *c, xmlNode *n)
{
    QemuAccel a = attr_accel(n);
    g_autofree char *name = attr(n, "name");
    if (a == QEMU_ACCEL_N_ || !name)
        return;

    QemuMachine *m = qemu_caps_add_machine(c, a, name);
    m->alias = attr(n, "alias");
    m->default_cpu = attr(n, "defaultCPU");
    m->default_ram_id = attr(n, "defaultRAMid");
    m->max_cpus = attr_number(n, "maxCpus");
    m->hotplug_cpus = attr_is(n, "hotplugCpus", "yes");
    m->is_default = attr_is(n, "default", "yes");
    m->numa_mem = attr_is(n, "numaMemSupported", "yes");
    m->deprecated = attr_is(n, "deprecated", "yes");
}

static void read_cpu(QemuCaps *c, xmlNode *n)
{
    QemuAccel a = attr_accel(n);
    g_autofree char *name = attr(n, "name");
    if (a == QEMU_ACCEL_N_ || !name)
        return;

    QemuCpuModel *m = qemu_caps_add_cpu(c, a, name);
    m->type_name = attr(n, "typename");
    m->usable = attr_usable(n, "usable");
    m->deprecated = attr_is(n, "deprecated", "yes");

    m->blockers = child_names(n, "blocker");
}

static void read_host_cpu(QemuCaps *c, xmlNode *n)
{
    QemuAccel a = attr_accel(n);
    if (a == QEMU_ACCEL_N_ || c->accel[a].host_cpu.model)
        return;

    c->accel[a].host_cpu.model = attr(n, "model");
    c->accel[a].host_cpu.migratability = attr_is(n, "migratability", "yes");
    for (xmlNode *p = xml_child(n, NULL); p; p = xml_next(p, NULL)) {
        g_autofree char *name = xml_is(p, "property") ? attr(p, "name") : NULL;
        if (!name)
            continue;

        QemuCpuProp *prop = qemu_caps_add_host_cpu_prop(c, a, name);
        g_autofree char *value = attr(p, "value");
        prop->migratable = attr_usable(p, "migratable");
        if (attr_is(p, "type", "boolean")) {
            prop->type = QEMU_PROP_BOOL;
            prop->boolean = g_strcmp0(value, "true") == 0;
        } else if (attr_is(p, "type", "number")) {
            prop->type = QEMU_PROP_NUMBER;
            prop->number = value ? g_ascii_strtoll(value, NULL, 10) : 0;
        } else {
            prop->type = QEMU_PROP_STRING;
            prop->string = g_steal_pointer(&value);
        }
    }
}

static void read_sev(QemuCaps *c, xmlNode *n)
{
    if (c->sev)
        return;
    c->sev = g_new0(QemuSev, 1);
    for (xmlNode *e = xml_child(n, NULL); e; e = xml_next(e, NULL)) {
        if (xml_is(e, "cbitpos"))
            c->sev->cbitpos = content_number(e);
        else if (xml_is(e, "reducedPhysBits"))
            c->sev->reduced_phys_bits = content_number(e);
        else if (xml_is(e, "maxGuests"))
            c->sev->max_guests = content_number(e);
        else if (xml_is(e, "maxESGuests"))
            c->sev->max_es_guests = content_number(e);
        else if (xml_is(e, "pdh") && !c->sev->pdh)
            c->sev->pdh = xml_text_dup(e);
        else if (xml_is(e, "certChain") && !c->sev->cert_chain)
            c->sev->cert_chain = xml_text_dup(e);
        else if (xml_is(e, "cpu0Id") && !c->sev->cpu0_id)
            c->sev->cpu0_id = xml_text_dup(e);
    }
}

static void read_sgx(QemuCaps *c, xmlNode *n)
{
    if (c->sgx || !attr_is(n, "supported", "yes"))
        return;
    c->sgx = g_new0(QemuSgx, 1);
    c->sgx->sections = g_array_new(false, true, sizeof(QemuSgxSection));
    for (xmlNode *e = xml_child(n, NULL); e; e = xml_next(e, NULL)) {
        g_autofree char *text = xml_text_dup(e);

        if (xml_is(e, "flc"))
            c->sgx->flc = g_str_equal(text, "yes");
        else if (xml_is(e, "sgx1"))
            c->sgx->sgx1 = g_str_equal(text, "yes");
        else if (xml_is(e, "sgx2"))
            c->sgx->sgx2 = g_str_equal(text, "yes");
        else if (xml_is(e, "section_size"))
            c->sgx->section_kib = content_number(e);
        else if (xml_is(e, "sections"))
            for (xmlNode *s = xml_child(e, "section"); s; s = xml_next(s, "section")) {
                QemuSgxSection sec = { attr_number(s, "node"), attr_number(s, "size") };
                g_array_append_val(c->sgx->sections, sec);
            }
    }
}

static void read_hyperv(QemuCaps *c, xmlNode *n)
{
    if (!c->hyperv && attr_is(n, "supported", "yes"))
        c->hyperv = child_names(n, "cap");
}

static void read_element(QemuCaps *c, xmlNode *n)
{
    if (xml_is(n, "flag")) {
        g_autofree char *name = attr(n, "name");
        if (name)
            qemu_caps_set(c, qemu_cap_from_name(name));
    } else if (xml_is(n, "emulator") && !c->binary) {
        c->binary = xml_text_dup(n);
    } else if (xml_is(n, "version")) {
        c->version = content_number(n);
    } else if (xml_is(n, "package") && !c->package) {
        c->package = xml_text_dup(n);
    } else if (xml_is(n, "arch") && !c->arch) {
        c->arch = xml_text_dup(n);
    } else if (xml_is(n, "machine")) {
        read_machine(c, n);
    } else if (xml_is(n, "cpu")) {
        read_cpu(c, n);
    } else if (xml_is(n, "hostCPU")) {
        read_host_cpu(c, n);
    } else if (xml_is(n, "gic")) {
        QemuGic g = { attr_number(n, "version"), attr_is(n, "kernel", "yes"), attr_is(n, "emulated", "yes") };
        g_array_append_val(c->gic, g);
    } else if (xml_is(n, "sev")) {
        read_sev(c, n);
    } else if (xml_is(n, "sgx")) {
        read_sgx(c, n);
    } else if (xml_is(n, "hypervCapabilities")) {
        read_hyperv(c, n);
    } else if (xml_is(n, "cacheKey")) {
        c->brief = attr_is(n, "brief", "yes");
        c->binary_ctime = (int64_t)attr_number(n, "ctime");
        c->binary_size = attr_number(n, "size");
        g_free(c->host_key);
        c->host_key = attr(n, "host");
    }
}

QemuCaps *qemu_caps_parse_xml(const char *what, const char *text, size_t len, GError **err)
{
    if (len > CAPS_FILE_MAX) {
        error_set(err, VIR_ERR_PARSE_FAILED, "%s is larger than %d bytes", what, CAPS_FILE_MAX);
        return NULL;
    }

    g_autoptr(XmlDoc) doc = xml_parse(text, len, NULL);
    xmlNode *root = doc ? xml_root(doc) : NULL;
    if (!root || !xml_is(root, "qemuCaps")) {
        error_set(err, VIR_ERR_PARSE_FAILED, "%s does not hold emulator capabilities", what);
        return NULL;
    }

    g_autoptr(QemuCaps) c = qemu_caps_new(NULL, NULL);
    for (xmlNode *n = xml_child(root, NULL); n; n = xml_next(n, NULL))
        read_element(c, n);
    if (!c->binary || !c->arch || c->version == 0) {
        error_set(err, VIR_ERR_PARSE_FAILED, "%s lacks the emulator's path, architecture or version", what);
        return NULL;
    }
    return g_steal_pointer(&c);
}

QemuCaps *qemu_caps_load_xml(const char *path, GError **err)
{
    g_autofree char *text = NULL;
    size_t len;

    if (!fd_read_file(AT_FDCWD, path, CAPS_FILE_MAX, &text, &len, err))
        return NULL;
    return qemu_caps_parse_xml(path, text, len, err);
}

/* Writer. */

static void put_flag(XmlWriter *w, const char *name, bool value)
{
    if (value)
        xml_attr(w, name, "yes");
}

static void put_yes_no(XmlWriter *w, const char *name, bool value)
{
    xml_attr(w, name, value ? "yes" : "no");
}

static void put_usable(XmlWriter *w, const char *name, QemuUsable u)
{
    if (u != QEMU_USABLE_UNKNOWN)
        put_yes_no(w, name, u == QEMU_USABLE_YES);
}

static void put_named(XmlWriter *w, const char *element, const char *name)
{
    xml_open(w, element);
    xml_attr(w, "name", name);
    xml_close(w);
}

/* The file has the emulator's word for it, domains have another. */
static const char *accel_word(QemuAccel a)
{
    return a == QEMU_ACCEL_TCG ? "tcg" : qemu_accel_name(a);
}

static void put_host_cpu(XmlWriter *w, QemuAccel a, const QemuHostCpu *h)
{
    if (!h->model)
        return;
    xml_open(w, "hostCPU");
    xml_attr(w, "type", accel_word(a));
    xml_attr(w, "model", h->model);
    put_yes_no(w, "migratability", h->migratability);
    for (unsigned i = 0; i < h->props->len; i++) {
        const QemuCpuProp *p = h->props->pdata[i];

        xml_open(w, "property");
        xml_attr(w, "name", p->name);
        switch (p->type) {
        case QEMU_PROP_BOOL:
            xml_attr(w, "type", "boolean");
            xml_attr(w, "value", p->boolean ? "true" : "false");
            break;
        case QEMU_PROP_STRING:
            xml_attr(w, "type", "string");
            xml_attr(w, "value", p->string ? p->string : "");
            break;
        case QEMU_PROP_NUMBER:
            xml_attr(w, "type", "number");
            xml_attrf(w, "value", "%" G_GINT64_FORMAT, p->number);
            break;
        }
        put_usable(w, "migratable", p->migratable);
        xml_close(w);
    }
    xml_close(w);
}

static void put_cpu(XmlWriter *w, QemuAccel a, const QemuCpuModel *m)
{
    xml_open(w, "cpu");
    xml_attr(w, "type", accel_word(a));
    xml_attr(w, "name", m->name);
    xml_attr(w, "typename", m->type_name);
    put_usable(w, "usable", m->usable);
    put_flag(w, "deprecated", m->deprecated);
    for (char **b = m->blockers; b && *b; b++)
        put_named(w, "blocker", *b);
    xml_close(w);
}

static void put_machine(XmlWriter *w, QemuAccel a, const QemuMachine *m)
{
    xml_open(w, "machine");
    xml_attr(w, "type", accel_word(a));
    xml_attr(w, "name", m->name);
    xml_attr(w, "alias", m->alias);
    put_flag(w, "hotplugCpus", m->hotplug_cpus);
    xml_attrf(w, "maxCpus", "%u", m->max_cpus);
    put_flag(w, "default", m->is_default);
    xml_attr(w, "defaultCPU", m->default_cpu);
    put_flag(w, "numaMemSupported", m->numa_mem);
    xml_attr(w, "defaultRAMid", m->default_ram_id);
    put_flag(w, "deprecated", m->deprecated);
    xml_close(w);
}

static void put_sev(XmlWriter *w, const QemuSev *sev)
{
    xml_open(w, "sev");
    xml_elementf(w, "cbitpos", "%u", sev->cbitpos);
    xml_elementf(w, "reducedPhysBits", "%u", sev->reduced_phys_bits);
    if (sev->max_guests || sev->max_es_guests) {
        xml_elementf(w, "maxGuests", "%u", sev->max_guests);
        xml_elementf(w, "maxESGuests", "%u", sev->max_es_guests);
    }
    xml_element(w, "pdh", sev->pdh);
    xml_element(w, "certChain", sev->cert_chain);
    xml_element(w, "cpu0Id", sev->cpu0_id);
    xml_close(w);
}

static void put_sgx(XmlWriter *w, const QemuSgx *x)
{
    xml_open(w, "sgx");
    put_yes_no(w, "supported", true);
    xml_element(w, "flc", x->flc ? "yes" : "no");
    xml_element(w, "sgx1", x->sgx1 ? "yes" : "no");
    xml_element(w, "sgx2", x->sgx2 ? "yes" : "no");
    xml_open(w, "section_size");
    xml_attr(w, "unit", "KiB");
    xml_textf(w, "%" G_GUINT64_FORMAT, x->section_kib);
    xml_close(w);
    if (x->sections->len)
        xml_open(w, "sections");
    for (unsigned i = 0; i < x->sections->len; i++) {
        const QemuSgxSection *e = &g_array_index(x->sections, QemuSgxSection, i);

        xml_open(w, "section");
        xml_attrf(w, "node", "%u", e->node);
        xml_attrf(w, "size", "%" G_GUINT64_FORMAT, e->kib);
        xml_attr(w, "unit", "KiB");
        xml_close(w);
    }
    if (x->sections->len)
        xml_close(w);
    xml_close(w);
}

char *qemu_caps_format_xml(const QemuCaps *c)
{
    GString *s = g_string_new(NULL);
    XmlWriter writer, *w = &writer;

    xml_writer_init(w, s, 0);
    xml_open(w, "qemuCaps");
    xml_element(w, "emulator", c->binary);
    xml_open(w, "cacheKey");
    xml_attrf(w, "ctime", "%" G_GINT64_FORMAT, c->binary_ctime);
    xml_attrf(w, "size", "%" G_GUINT64_FORMAT, c->binary_size);
    put_flag(w, "brief", c->brief);
    xml_attr(w, "host", c->host_key);
    xml_close(w);
    for (unsigned f = 0; f < QEMU_CAP_N_; f++)
        if (qemu_caps_has(c, f))
            put_named(w, "flag", qemu_cap_name(f));
    xml_elementf(w, "version", "%u", c->version);
    xml_element(w, "package", c->package);
    xml_element(w, "arch", c->arch);
    for (unsigned a = 0; a < QEMU_ACCEL_N_; a++) {
        put_host_cpu(w, a, &c->accel[a].host_cpu);
        for (unsigned i = 0; i < c->accel[a].cpus->len; i++)
            put_cpu(w, a, c->accel[a].cpus->pdata[i]);
        for (unsigned i = 0; i < c->accel[a].machines->len; i++)
            put_machine(w, a, c->accel[a].machines->pdata[i]);
    }
    for (unsigned i = 0; i < c->gic->len; i++) {
        const QemuGic *g = &g_array_index(c->gic, QemuGic, i);

        xml_open(w, "gic");
        xml_attrf(w, "version", "%u", g->version);
        put_yes_no(w, "kernel", g->kernel);
        put_yes_no(w, "emulated", g->emulated);
        xml_close(w);
    }
    if (c->sev)
        put_sev(w, c->sev);
    if (c->sgx)
        put_sgx(w, c->sgx);
    if (c->hyperv) {
        xml_open(w, "hypervCapabilities");
        put_yes_no(w, "supported", true);
        for (char **h = c->hyperv; *h; h++)
            put_named(w, "cap", *h);
        xml_close(w);
    }
    xml_close(w);
    return g_string_free(s, false);
}
