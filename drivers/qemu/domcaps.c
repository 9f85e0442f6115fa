/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * virsh domcapabilities as a table: one row per value of each enumeration, with the flag that it
 * needs; few values depend on the machine, which is a word in the row. Row order is document order,
 * because clients compare these documents. Pure but for qemu_domain_capabilities(). Workers.
 */
#include "drivers/qemu/domcaps.h"

#include <string.h>

#include "drivers/qemu/caps_probe.h"
#include "conf/domain.h"
#include "drivers/qemu/caps_rules.h"
#include "drivers/qemu/cpu_map.h"
#include "drivers/qemu/guest_cpu.h"
#include "util/error.h"
#include "util/xml.h"

typedef struct Ctx {
    const QemuCaps *caps;
    const QemuMachine *machine;
    QemuAccel accel;
    const QemuHostOffer *offer;
    XmlWriter w;
} Ctx;

#define ALWAYS QEMU_CAP_N_

/* What beside a flag decides about a value. */
typedef enum When { W_ANY, W_IDE, W_NOT_PSERIES, W_VFIO, W_SWTPM } When;

typedef struct ValueRow {
    const char *device, *list, *value;
    unsigned flag;
    When when;
} ValueRow;

/* clang-format off */
static const ValueRow values[] = {
    { "disk",       "diskDevice",     "disk",                    ALWAYS,                              W_ANY },
    { "disk",       "diskDevice",     "cdrom",                   ALWAYS,                              W_ANY },
    { "disk",       "diskDevice",     "floppy",                  ALWAYS,                              W_NOT_PSERIES },
    { "disk",       "diskDevice",     "lun",                     ALWAYS,                              W_ANY },
    { "disk",       "bus",            "ide",                     ALWAYS,                              W_IDE },
    { "disk",       "bus",            "fdc",                     ALWAYS,                              W_NOT_PSERIES },
    { "disk",       "bus",            "scsi",                    ALWAYS,                              W_ANY },
    { "disk",       "bus",            "virtio",                  ALWAYS,                              W_ANY },
    { "disk",       "bus",            "usb",                     QEMU_CAP_DEVICE_USB_STORAGE,         W_ANY },
    { "disk",       "bus",            "sata",                    QEMU_CAP_ICH9_AHCI,                  W_ANY },
    { "disk",       "model",          "virtio",                  ALWAYS,                              W_ANY },
    { "disk",       "model",          "virtio-transitional",     QEMU_CAP_VIRTIO_PCI_TRANSITIONAL,    W_ANY },
    { "disk",       "model",          "virtio-non-transitional", QEMU_CAP_VIRTIO_PCI_TRANSITIONAL,    W_ANY },
    { "graphics",   "type",           "sdl",                     QEMU_CAP_SDL,                        W_ANY },
    { "graphics",   "type",           "vnc",                     QEMU_CAP_VNC,                        W_ANY },
    { "graphics",   "type",           "spice",                   QEMU_CAP_SPICE,                      W_ANY },
    { "graphics",   "type",           "egl-headless",            QEMU_CAP_EGL_HEADLESS,               W_ANY },
    { "graphics",   "type",           "dbus",                    QEMU_CAP_DISPLAY_DBUS,               W_ANY },
    { "video",      "modelType",      "vga",                     QEMU_CAP_DEVICE_VGA,                 W_ANY },
    { "video",      "modelType",      "cirrus",                  QEMU_CAP_DEVICE_CIRRUS_VGA,          W_ANY },
    { "video",      "modelType",      "vmvga",                   QEMU_CAP_DEVICE_VMWARE_SVGA,         W_ANY },
    { "video",      "modelType",      "qxl",                     QEMU_CAP_DEVICE_QXL,                 W_ANY },
    { "video",      "modelType",      "virtio",                  QEMU_CAP_DEVICE_VIRTIO_GPU,          W_ANY },
    { "video",      "modelType",      "none",                    ALWAYS,                              W_ANY },
    { "video",      "modelType",      "bochs",                   QEMU_CAP_DEVICE_BOCHS_DISPLAY,       W_ANY },
    { "video",      "modelType",      "ramfb",                   QEMU_CAP_DEVICE_RAMFB,               W_ANY },
    { "hostdev",    "mode",           "subsystem",               ALWAYS,                              W_ANY },
    { "hostdev",    "startupPolicy",  "default",                 ALWAYS,                              W_ANY },
    { "hostdev",    "startupPolicy",  "mandatory",               ALWAYS,                              W_ANY },
    { "hostdev",    "startupPolicy",  "requisite",               ALWAYS,                              W_ANY },
    { "hostdev",    "startupPolicy",  "optional",                ALWAYS,                              W_ANY },
    { "hostdev",    "subsysType",     "usb",                     QEMU_CAP_USB_HUB,                    W_ANY },
    { "hostdev",    "subsysType",     "pci",                     ALWAYS,                              W_ANY },
    { "hostdev",    "subsysType",     "scsi",                    ALWAYS,                              W_ANY },
    { "hostdev",    "capsType",       NULL,                      ALWAYS,                              W_ANY },
    { "hostdev",    "pciBackend",     "default",                 QEMU_CAP_DEVICE_VFIO_PCI,            W_VFIO },
    { "hostdev",    "pciBackend",     "vfio",                    QEMU_CAP_DEVICE_VFIO_PCI,            W_VFIO },
    { "rng",        "model",          "virtio",                  QEMU_CAP_DEVICE_VIRTIO_RNG,          W_ANY },
    { "rng",        "model",          "virtio-transitional",     QEMU_CAP_VIRTIO_PCI_TRANSITIONAL,    W_ANY },
    { "rng",        "model",          "virtio-non-transitional", QEMU_CAP_VIRTIO_PCI_TRANSITIONAL,    W_ANY },
    { "rng",        "backendModel",   "random",                  QEMU_CAP_OBJECT_RNG_RANDOM,          W_ANY },
    { "rng",        "backendModel",   "egd",                     QEMU_CAP_OBJECT_RNG_EGD,             W_ANY },
    { "rng",        "backendModel",   "builtin",                 QEMU_CAP_OBJECT_RNG_BUILTIN,         W_ANY },
    { "filesystem", "driverType",     "path",                    ALWAYS,                              W_ANY },
    { "filesystem", "driverType",     "handle",                  ALWAYS,                              W_ANY },
    { "filesystem", "driverType",     "virtiofs",                QEMU_CAP_DEVICE_VHOST_USER_FS,       W_ANY },
    { "tpm",        "model",          "tpm-tis",                 QEMU_CAP_DEVICE_TPM_TIS,             W_ANY },
    { "tpm",        "model",          "tpm-crb",                 QEMU_CAP_DEVICE_TPM_CRB,             W_ANY },
    { "tpm",        "model",          "tpm-spapr",               QEMU_CAP_DEVICE_TPM_SPAPR,           W_ANY },
    { "tpm",        "model",          "spapr-tpm-proxy",         QEMU_CAP_DEVICE_SPAPR_TPM_PROXY,     W_ANY },
    { "tpm",        "backendModel",   "passthrough",             QEMU_CAP_DEVICE_TPM_PASSTHROUGH,     W_ANY },
    { "tpm",        "backendModel",   "emulator",                QEMU_CAP_DEVICE_TPM_EMULATOR,        W_SWTPM },
    { "tpm",        "backendModel",   "external",                QEMU_CAP_DEVICE_TPM_EMULATOR,        W_SWTPM },
    { "redirdev",   "bus",            "usb",                     QEMU_CAP_USB_REDIR,                  W_ANY },
    { "channel",    "type",           "pty",                     ALWAYS,                              W_ANY },
    { "channel",    "type",           "unix",                    ALWAYS,                              W_ANY },
    { "channel",    "type",           "spicevmc",                QEMU_CAP_SPICE,                      W_ANY },
};
/* clang-format on */

static bool machine_is(const Ctx *c, const char *prefix)
{
    return g_str_has_prefix(c->machine->name, prefix);
}

static bool row_applies(const Ctx *c, const ValueRow *r)
{
    if (r->flag != ALWAYS && !qemu_caps_has(c->caps, r->flag))
        return false;
    switch (r->when) {
    case W_ANY:
        return true;
    case W_IDE:
        return machine_is(c, "pc-i440fx") || machine_is(c, "pc-0.") || machine_is(c, "pc-1.") || machine_is(c, "isapc") ||
               machine_is(c, "malta") || machine_is(c, "sun4u") || machine_is(c, "g3beige");
    case W_NOT_PSERIES:
        return !machine_is(c, "pseries");
    case W_VFIO:
        return c->offer->vfio;
    case W_SWTPM:
        return c->offer->tpm_versions != NULL;
    }
    return false;
}

/* Small steps of the writer. */

static void value(Ctx *c, const char *text)
{
    xml_element(&c->w, "value", text);
}

static void open_enum(Ctx *c, const char *name)
{
    xml_open(&c->w, "enum");
    xml_attr(&c->w, "name", name);
}

static void supported(Ctx *c, const char *element, bool yes)
{
    xml_open(&c->w, element);
    xml_attr(&c->w, "supported", yes ? "yes" : "no");
}

static void supported_only(Ctx *c, const char *element, bool yes)
{
    supported(c, element, yes);
    xml_close(&c->w);
}

static void enum_of(Ctx *c, const char *name, const char *const *list)
{
    open_enum(c, name);
    for (; list && *list; list++)
        value(c, *list);
    xml_close(&c->w);
}

/* Devices. */

static bool any_value(const Ctx *c, const char *device, const char *list)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(values); i++)
        if (g_str_equal(values[i].device, device) && g_str_equal(values[i].list, list) && values[i].value &&
            row_applies(c, &values[i]))
            return true;
    return false;
}

/* first: the enumeration that must not be empty for the device to exist, NULL: it always does. */
static void device(Ctx *c, const char *name, const char *first)
{
    const char *list = NULL;
    bool yes = !first || any_value(c, name, first);

    supported(c, name, yes);
    for (unsigned i = 0; yes && i < G_N_ELEMENTS(values); i++) {
        if (!g_str_equal(values[i].device, name))
            continue;
        if (!list || !g_str_equal(list, values[i].list)) {
            if (list)
                xml_close(&c->w);
            list = values[i].list;
            open_enum(c, list);
        }
        if (values[i].value && row_applies(c, &values[i]))
            value(c, values[i].value);
    }
    if (list)
        xml_close(&c->w);
    if (yes && g_str_equal(name, "tpm") && qemu_caps_has(c->caps, QEMU_CAP_DEVICE_TPM_EMULATOR) && c->offer->tpm_versions)
        enum_of(c, "backendVersion", (const char *const *)c->offer->tpm_versions);
    xml_close(&c->w);
}

static void devices(Ctx *c)
{
    xml_open(&c->w, "devices");
    device(c, "disk", NULL);
    device(c, "graphics", NULL);
    device(c, "video", NULL);
    device(c, "hostdev", NULL);
    device(c, "rng", "model");
    device(c, "filesystem", NULL);
    device(c, "tpm", "model");
    device(c, "redirdev", "bus");
    device(c, "channel", NULL);
    xml_close(&c->w);
}

/* Processors. */

static void feature(Ctx *c, const char *policy, const char *name)
{
    xml_open(&c->w, "feature");
    xml_attr(&c->w, "policy", policy);
    xml_attr(&c->w, "name", name);
    xml_close(&c->w);
}

static void host_model_x86(Ctx *c)
{
    CpuDecoded r;
    bool known = qemu_cpu_host_model(c->caps, c->accel, false, &r);

    xml_open(&c->w, "mode");
    xml_attr(&c->w, "name", "host-model");
    xml_attr(&c->w, "supported", known ? "yes" : "no");
    if (known) {
        xml_open(&c->w, "model");
        xml_attr(&c->w, "fallback", "forbid");
        xml_text(&c->w, r.model->row->name);
        xml_close(&c->w);
        xml_element(&c->w, "vendor", r.vendor);
        for (unsigned i = 0; i < r.features->len; i++) {
            const CpuDecodedFeature *f = &g_array_index(r.features, CpuDecodedFeature, i);
            feature(c, f->require ? "require" : "disable", cpu_x86_features[f->feature].name);
        }
        cpu_decoded_clear(&r);
    }
    xml_close(&c->w);
}

/* s390: the emulator's own expansion is the model. */
static void host_model_s390(Ctx *c)
{
    const QemuHostCpu *h = &c->caps->accel[c->accel].host_cpu;

    xml_open(&c->w, "mode");
    xml_attr(&c->w, "name", "host-model");
    xml_attr(&c->w, "supported", h->model ? "yes" : "no");
    if (h->model) {
        xml_open(&c->w, "model");
        xml_attr(&c->w, "fallback", "forbid");
        xml_text(&c->w, h->model);
        xml_close(&c->w);
    }
    for (unsigned i = 0; h->model && i < h->props->len; i++) {
        const QemuCpuProp *p = h->props->pdata[i];
        if (p->type != QEMU_PROP_BOOL || !p->boolean)
            continue;
        feature(c, "require", p->name);
    }
    xml_close(&c->w);
}

static void host_model_other(Ctx *c)
{
    const char *model = c->accel == QEMU_ACCEL_KVM && g_str_has_prefix(c->caps->arch, "ppc64") ? c->offer->ppc_model : NULL;

    xml_open(&c->w, "mode");
    xml_attr(&c->w, "name", "host-model");
    xml_attr(&c->w, "supported", model ? "yes" : "no");
    if (model) {
        xml_open(&c->w, "model");
        xml_attr(&c->w, "fallback", "allow");
        xml_text(&c->w, model);
        xml_close(&c->w);
    }
    xml_close(&c->w);
}

/* Which of the emulator's models documents may name: on x86 those of the tables, as the emulator also
 * lists versions of each; elsewhere nearly all. */
static bool model_listed(const Ctx *c, const char *name)
{
    if (qemu_arch_is_x86(c->caps->arch))
        return cpu_model_find(name) != NULL;
    if (g_str_has_prefix(c->caps->arch, "ppc64"))
        return g_strv_contains(cpu_ppc64_models, name);
    return !g_str_equal(name, "host");
}

static const char *model_vendor(const Ctx *c, const char *name)
{
    if (g_str_has_prefix(c->caps->arch, "ppc64"))
        return g_str_has_prefix(name, "POWERPC_") ? "Freescale" : "IBM";
    return qemu_arch_is_x86(c->caps->arch) ? cpu_model_vendor(name) : "unknown";
}

static void custom_models(Ctx *c)
{
    const GPtrArray *cpus = c->caps->accel[c->accel].cpus;
    static const char *const usable[] = { "unknown", "yes", "no" };
    bool open = false;

    xml_open(&c->w, "mode");
    xml_attr(&c->w, "name", "custom");
    for (unsigned i = 0; i < cpus->len; i++) {
        const QemuCpuModel *m = cpus->pdata[i];

        if (!model_listed(c, m->name))
            continue;
        if (!open)
            xml_attr(&c->w, "supported", "yes");
        open = true;
        xml_open(&c->w, "model");
        xml_attr(&c->w, "usable", usable[m->usable]);
        if (m->deprecated)
            xml_attr(&c->w, "deprecated", "yes");
        xml_attr(&c->w, "vendor", model_vendor(c, m->name));
        xml_text(&c->w, m->name);
        xml_close(&c->w);
    }
    if (!open)
        xml_attr(&c->w, "supported", "no");
    xml_close(&c->w);
}

static void simple_mode(Ctx *c, const char *mode, bool yes, const char *enum_name, bool migratable)
{
    const char *list[] = { migratable ? "on" : "off", migratable ? "off" : NULL, NULL };

    xml_open(&c->w, "mode");
    xml_attr(&c->w, "name", mode);
    xml_attr(&c->w, "supported", yes ? "yes" : "no");
    if (yes)
        enum_of(c, enum_name, list);
    xml_close(&c->w);
}

static void cpus(Ctx *c)
{
    xml_open(&c->w, "cpu");
    simple_mode(c, "host-passthrough", c->accel == QEMU_ACCEL_KVM && c->offer->same_arch, "hostPassthroughMigratable",
                qemu_caps_has(c->caps, QEMU_CAP_CPU_MIGRATABLE));
    simple_mode(c, "maximum", qemu_caps_has(c->caps, QEMU_CAP_CPU_MAX), "maximumMigratable", true);
    if (qemu_arch_is_x86(c->caps->arch))
        host_model_x86(c);
    else if (g_str_equal(c->caps->arch, "s390x"))
        host_model_s390(c);
    else
        host_model_other(c);
    custom_models(c);
    xml_close(&c->w);
}

/* The rest. */

static void os(Ctx *c)
{
    const char *firmware[] = { NULL, NULL, NULL };
    unsigned n = 0;
    static const char *const types[] = { "rom", "pflash", NULL }, *const readonly[] = { "yes", "no", NULL };
    const char *secure[] = { c->offer->secure ? "yes" : "no", c->offer->secure ? "no" : NULL, NULL };

    if (c->offer->firmware_bios)
        firmware[n++] = "bios";
    if (c->offer->firmware_efi)
        firmware[n++] = "efi";
    supported(c, "os", true);
    enum_of(c, "firmware", firmware);
    supported(c, "loader", true);
    for (char **l = c->offer->loaders; l && *l; l++)
        value(c, *l);
    enum_of(c, "type", types);
    enum_of(c, "readonly", readonly);
    enum_of(c, "secure", secure);
    xml_close(&c->w);
    xml_close(&c->w);
}

static void memory_backing(Ctx *c)
{
    const char *sources[] = { "file", "anonymous", qemu_caps_has(c->caps, QEMU_CAP_OBJECT_MEMORY_MEMFD) ? "memfd" : NULL,
                              NULL };

    supported(c, "memoryBacking", true);
    enum_of(c, "sourceType", sources);
    xml_close(&c->w);
}

static void gic(Ctx *c)
{
    bool virt = qemu_arch_is_arm(c->caps->arch) && (machine_is(c, "virt-") || machine_is(c, "virt"));
    bool open = false;

    xml_open(&c->w, "gic");
    for (unsigned i = 0; virt && i < c->caps->gic->len; i++) {
        const QemuGic *g = &g_array_index(c->caps->gic, QemuGic, i);
        char number[16];

        if (!(c->accel == QEMU_ACCEL_KVM ? g->kernel : g->emulated))
            continue;
        if (!open) {
            xml_attr(&c->w, "supported", "yes");
            open_enum(c, "version");
        }
        open = true;
        g_snprintf(number, sizeof(number), "%u", g->version);
        value(c, number);
    }
    if (open)
        xml_close(&c->w);
    else
        xml_attr(&c->w, "supported", "no");
    xml_close(&c->w);
}

static void sev(Ctx *c)
{
    const QemuSev *s = c->caps->sev;

    supported(c, "sev", s != NULL);
    if (s) {
        xml_elementf(&c->w, "cbitpos", "%u", s->cbitpos);
        xml_elementf(&c->w, "reducedPhysBits", "%u", s->reduced_phys_bits);
        if (s->max_guests || s->max_es_guests) {
            xml_elementf(&c->w, "maxGuests", "%u", s->max_guests);
            xml_elementf(&c->w, "maxESGuests", "%u", s->max_es_guests);
        }
    }
    xml_close(&c->w);
}

static void sgx(Ctx *c)
{
    const QemuSgx *s = c->caps->sgx;

    supported(c, "sgx", s != NULL);
    if (s) {
        xml_element(&c->w, "flc", s->flc ? "yes" : "no");
        xml_element(&c->w, "sgx1", s->sgx1 ? "yes" : "no");
        xml_element(&c->w, "sgx2", s->sgx2 ? "yes" : "no");
        xml_open(&c->w, "section_size");
        xml_attr(&c->w, "unit", "KiB");
        xml_textf(&c->w, "%" G_GUINT64_FORMAT, s->section_kib);
        xml_close(&c->w);
        if (s->sections->len)
            xml_open(&c->w, "sections");
        for (unsigned i = 0; i < s->sections->len; i++) {
            const QemuSgxSection *e = &g_array_index(s->sections, QemuSgxSection, i);
            xml_open(&c->w, "section");
            xml_attrf(&c->w, "node", "%u", e->node);
            xml_attrf(&c->w, "size", "%" G_GUINT64_FORMAT, e->kib);
            xml_attr(&c->w, "unit", "KiB");
            xml_close(&c->w);
        }
        if (s->sections->len)
            xml_close(&c->w);
    }
    xml_close(&c->w);
}

static void features(Ctx *c)
{
    xml_open(&c->w, "features");
    gic(c);
    supported_only(c, "vmcoreinfo", qemu_caps_has(c->caps, QEMU_CAP_DEVICE_VMCOREINFO));
    supported_only(c, "genid", qemu_caps_has(c->caps, QEMU_CAP_DEVICE_VMGENID));
    supported_only(c, "backingStoreInput", true);
    supported_only(c, "backup", qemu_caps_has(c->caps, QEMU_CAP_INCREMENTAL_BACKUP));
    if (g_str_equal(c->caps->arch, "s390x"))
        supported_only(c, "s390-pv",
                       qemu_caps_has(c->caps, QEMU_CAP_S390_PV_GUEST) &&
                           qemu_caps_has(c->caps, QEMU_CAP_MACHINE_CONFIDENTAL_GUEST_SUPPORT));
    sev(c);
    sgx(c);
    if (c->caps->hyperv) {
        supported(c, "hyperv", true);
        enum_of(c, "features", (const char *const *)c->caps->hyperv);
        xml_close(&c->w);
    }
    xml_close(&c->w);
}

char *qemu_domain_capabilities_of(const QemuCaps *caps, const char *emulator, const char *machine, QemuAccel accel,
                                  const QemuHostOffer *offer, GError **err)
{
    const QemuMachine *m = qemu_caps_machine(caps, accel, machine);

    if (!m && !machine && accel < QEMU_ACCEL_N_ && caps->accel[accel].machines->len)
        m = caps->accel[accel].machines->pdata[0]; /* an architecture without a default */
    if (!m) {
        error_set(err, VIR_ERR_INVALID_ARG, "the machine '%s' is not supported by emulator '%s'", machine ? machine : "",
                  emulator);
        return NULL;
    }

    GString *out = g_string_new(NULL);
    Ctx c = { .caps = caps, .machine = m, .accel = accel, .offer = offer };
    xml_writer_init(&c.w, out, 0);
    xml_open(&c.w, "domainCapabilities");
    xml_element(&c.w, "path", emulator);
    xml_element(&c.w, "domain", qemu_accel_name(accel));
    xml_element(&c.w, "machine", m->name);
    xml_element(&c.w, "arch", caps->arch);
    if (m->max_cpus) {
        xml_open(&c.w, "vcpu");
        xml_attrf(&c.w, "max", "%u", m->max_cpus);
        xml_close(&c.w);
    }
    supported_only(&c, "iothreads", qemu_caps_has(caps, QEMU_CAP_OBJECT_IOTHREAD));
    os(&c);
    cpus(&c);
    memory_backing(&c);
    devices(&c);
    features(&c);
    xml_close(&c.w);
    return g_string_free(out, false);
}

/* The request as clients make it: everything may be left out, nothing may contradict. */
bool qemu_resolve_target(const char *emulator, const char *arch, const char *machine, const char *virt_type,
                         char **ret_emulator, QemuCaps **ret_caps, QemuAccel *ret_accel, GError **err)
{
    if (virt_type && enum_value(&virt_type_names, virt_type) < 0) {
        error_set(err, VIR_ERR_INVALID_ARG, "unknown virttype: %s", virt_type);
        return false;
    }
    if (arch && !domain_arch_is_known(arch)) {
        error_set(err, VIR_ERR_INVALID_ARG, "unknown architecture: %s", arch);
        return false;
    }
    g_autofree char *path = emulator ? g_strdup(emulator) : qemu_emulator_find(arch ? arch : host_arch());

    if (!path) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "unable to find any emulator to serve '%s' architecture",
                  arch ? arch : host_arch());
        return false;
    }
    g_autoptr(QemuCaps) caps = qemu_caps_get(path, err);
    if (!caps)
        return false;
    if (arch && !g_str_equal(arch, caps->arch)) {
        error_set(err, VIR_ERR_INVALID_ARG, "architecture from emulator '%s' doesn't match given architecture '%s'",
                  caps->arch, arch);
        return false;
    }

    QemuAccel accel = virt_type                                         ? qemu_accel_from_name(virt_type)
                      : qemu_caps_accel_usable(caps, QEMU_ACCEL_KVM) ? QEMU_ACCEL_KVM
                                                                        : QEMU_ACCEL_TCG;
    if (!qemu_caps_accel_usable(caps, accel)) {
        error_set(err, VIR_ERR_INVALID_ARG, "Emulator '%s' does not support virt type '%s'", path,
                  virt_type ? virt_type : "qemu");
        return false;
    }
    if (machine && !qemu_caps_machine(caps, accel, machine)) {
        error_set(err, VIR_ERR_INVALID_ARG, "the machine '%s' is not supported by emulator '%s'", machine, path);
        return false;
    }
    *ret_accel = accel;
    *ret_caps = g_steal_pointer(&caps);
    if (ret_emulator)
        *ret_emulator = g_steal_pointer(&path);
    return true;
}

char *qemu_domain_capabilities(const char *emulator, const char *arch, const char *machine, const char *virt_type,
                               GError **err)
{
    g_autoptr(QemuCaps) caps = NULL;
    g_autofree char *path = NULL;
    QemuHostOffer offer;
    QemuAccel accel;

    if (!qemu_resolve_target(emulator, arch, machine, virt_type, &path, &caps, &accel, err))
        return NULL;
    qemu_host_offer(&offer, caps, qemu_caps_machine_canonical(caps, accel, machine));
    char *r = qemu_domain_capabilities_of(caps, path, machine, accel, &offer, err);
    qemu_host_offer_clear(&offer);
    return r;
}
