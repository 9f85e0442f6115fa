/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asking an emulator: version, target, machines, CPU models, the CPU that it offers, and what its
 * accelerator can do. The first pass runs under the best accelerator; when that was KVM, a second
 * pass under TCG asks again for what differs. A brief pass asks what the emulator has at hand: version,
 * accelerator, machines. The source may be a live monitor or a recording.
 * One thread at a time per QemuCaps.
 */
#include <string.h>

#include "drivers/qemu/caps_rules.h"
#include "util/error.h"

#define MACHINES_MAX 2048
#define CPUS_MAX 8192
#define PROPS_MAX 8192

static bool ask(const CapsSource *src, const char *cmd, JsonObject *args, JsonObject **ret, GError **err)
{
    return src->call(src->data, cmd, args, ret, err);
}

static bool query_version(QemuCaps *c, const CapsSource *src, GError **err)
{
    g_autoptr(JsonObject) v = NULL, t = NULL;

    if (!ask(src, "query-version", NULL, &v, err) || !ask(src, "query-target", NULL, &t, err))
        return false;

    int64_t major = json_get_i64(v, "qemu/major", -1), minor = json_get_i64(v, "qemu/minor", -1),
            micro = json_get_i64(v, "qemu/micro", -1);
    const char *arch = json_get_str(t, "arch"), *package = json_get_str(v, "package");
    if (major < 1 || major > 1000 || minor < 0 || minor > 999 || micro < 0 || micro > 999 || !arch) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "'%s' does not tell its version and target", c->binary);
        return false;
    }
    c->version = (unsigned)(major * 1000000 + minor * 1000 + micro);
    g_free(c->package);
    c->package = g_strdup(package && *package ? package : "");
    g_free(c->arch);
    c->arch = g_strdup(g_str_equal(arch, "i386") ? "i686" : g_str_equal(arch, "arm") ? "armv7l" : arch);
    return true;
}

static bool query_machines(QemuCaps *c, QemuAccel a, const CapsSource *src, GError **err)
{
    g_autoptr(JsonObject) list = NULL;
    unsigned first = c->accel[a].machines->len;

    if (!ask(src, "query-machines", NULL, &list, err))
        return false;
    for (size_t i = 0; i < MIN(json_len(list), MACHINES_MAX); i++) {
        JsonObject *o = json_object_array_get_idx(list, i);
        const char *name = json_get_str(o, "name");
        int64_t max = json_get_i64(o, "cpu-max", 0);

        /* What we probe with is not for guests. */
        if (!name || g_str_equal(name, "none"))
            continue;
        QemuMachine *m = qemu_caps_add_machine(c, a, name);
        m->alias = g_strdup(json_get_str(o, "alias"));
        m->default_cpu = g_strdup(json_get_str(o, "default-cpu-type"));
        m->default_ram_id = g_strdup(json_get_str(o, "default-ram-id"));
        m->max_cpus = (unsigned)CLAMP(max, 0, INT32_MAX);
        m->hotplug_cpus = json_get_bool(o, "hotpluggable-cpus", false);
        m->is_default = json_get_bool(o, "is-default", false);
        m->numa_mem = json_get_bool(o, "numa-mem-supported", false);
        m->deprecated = json_get_bool(o, "deprecated", false);
    }
    /* The default one is listed first: clients take the first. Arm has no default; its first has
     * always been this board. */
    GPtrArray *all = c->accel[a].machines;
    for (unsigned i = first + 1; i < all->len; i++) {
        QemuMachine *m = all->pdata[i];
        if (m->is_default || (qemu_arch_is_arm(c->arch) && g_str_equal(m->name, "integratorcp"))) {
            memmove(all->pdata + first + 1, all->pdata + first, (i - first) * sizeof(void *));
            all->pdata[first] = m;
            break;
        }
    }
    return true;
}

static bool query_cpus(QemuCaps *c, QemuAccel a, const CapsSource *src, GError **err)
{
    g_autoptr(JsonObject) list = NULL;

    if (!caps_ask_maybe(src, "query-cpu-definitions", NULL, &list, err))
        return false;
    for (size_t i = 0; i < MIN(json_len(list), CPUS_MAX); i++) {
        JsonObject *o = json_object_array_get_idx(list, i);
        const char *name = json_get_str(o, "name");
        JsonObject *missing = json_get(o, "unavailable-features");

        if (!name)
            continue;
        /* QEMU calls them power8, documents have always said POWER8. */
        bool power = g_str_has_prefix(c->arch, "ppc") && g_str_has_prefix(name, "power") &&
                     strspn(name + 5, "0123456789") == strlen(name + 5);
        g_autofree char *upper = power ? g_ascii_strup(name, -1) : NULL;
        QemuCpuModel *m = qemu_caps_add_cpu(c, a, upper ? upper : name);
        const char *type = json_get_str(o, "typename");
        m->type_name = type && *type ? g_strdup(type) : NULL;
        m->deprecated = json_get_bool(o, "deprecated", false);
        if (!missing)
            continue;
        m->usable = json_len(missing) ? QEMU_USABLE_NO : QEMU_USABLE_YES;
        if (json_len(missing)) {
            g_autoptr(GStrvBuilder) b = g_strv_builder_new();
            for (size_t k = 0; k < json_len(missing); k++)
                g_strv_builder_add(b, json_object_get_string(json_object_array_get_idx(missing, k)));
            m->blockers = g_strv_builder_end(b);
        }
    }
    return true;
}

/* Expansion of a model; NULL with success: this emulator does not expand it. */
static bool expand(const CapsSource *src, const char *how, const char *model, JsonObject *props, JsonObject **ret,
                   GError **err)
{
    g_autoptr(JsonObject) r = NULL;

    if (!caps_ask_maybe(src, "query-cpu-model-expansion",
                   json_make(J_STR("type", how), J_OBJ("model", json_make(J_STR("name", model), J_OBJ("props", props)))),
                   &r, err))
        return false;
    *ret = json_object_get(json_get(r, "model"));
    return true;
}

static void read_host_cpu(QemuCaps *c, QemuAccel a, JsonObject *all, JsonObject *migratable)
{
    QemuHostCpu *h = &c->accel[a].host_cpu;
    JsonObject *props = json_get(all, "props"), *able = json_get(migratable, "props");
    unsigned n = 0;

    h->model = g_strdup(json_get_str(all, "name"));
    h->migratability = migratable != NULL;
    if (!json_object_is_type(props, json_type_object))
        return;
    json_object_object_foreach(props, name, v)
    {
        if (n++ >= PROPS_MAX)
            return;
        QemuCpuProp *p = qemu_caps_add_host_cpu_prop(c, a, name);
        if (json_object_is_type(v, json_type_boolean)) {
            p->type = QEMU_PROP_BOOL;
            p->boolean = json_object_get_boolean(v);
            if (migratable && p->boolean)
                p->migratable = json_get_bool(able, name, false) ? QEMU_USABLE_YES : QEMU_USABLE_NO;
        } else if (json_object_is_type(v, json_type_int)) {
            p->type = QEMU_PROP_NUMBER;
            p->number = json_object_get_int64(v);
        } else {
            p->type = QEMU_PROP_STRING;
            p->string = g_strdup(json_object_get_string(v) ? json_object_get_string(v) : "");
        }
    }
}

static bool query_host_cpu(QemuCaps *c, QemuAccel a, const CapsSource *src, GError **err)
{
    /* Only Arm has no "static" expansion. */
    const char *how = qemu_arch_is_arm(c->arch) ? "full" : "static";
    const char *model = a == QEMU_ACCEL_TCG ? "max" : "host";
    g_autoptr(JsonObject) base = NULL, all = NULL;

    if (!qemu_caps_has(c, QEMU_CAP_QUERY_CPU_MODEL_EXPANSION))
        return true;
    if (!expand(src, how, model, NULL, &base, err))
        return false;
    if (!base)
        return true;
    if (!qemu_caps_has(c, QEMU_CAP_CPU_MIGRATABLE)) {
        read_host_cpu(c, a, base, NULL);
        return true;
    }
    if (!expand(src, how, model, json_make(J_BOOL("migratable", false)), &all, err))
        return false;
    read_host_cpu(c, a, all ? all : base, all ? base : NULL);
    return true;
}

/* Enlightenments: the property that shows each when everything that KVM has is switched on. */
static const struct {
    const char *name, *prop;
} hyperv[] = {
    { "relaxed", "hv-relaxed" },
    { "vapic", "hv-vapic" },
    { "spinlocks", "hv-spinlocks" },
    { "vpindex", "hv-vpindex" },
    { "runtime", "hv-runtime" },
    { "synic", "hv-synic" },
    { "stimer", "hv-stimer" },
    { "reset", "hv-reset" },
    { "vendor_id", "hv-vendor-id" },
    { "frequencies", "hv-frequencies" },
    { "reenlightenment", "hv-reenlightenment" },
    { "tlbflush", "hv-tlbflush" },
    { "ipi", "hv-ipi" },
    { "evmcs", "hv-evmcs" },
    { "avic", "hv-avic" },
};

static bool query_hyperv(QemuCaps *c, const CapsSource *src, GError **err)
{
    g_autoptr(JsonObject) model = NULL;
    g_autoptr(GStrvBuilder) b = g_strv_builder_new();
    unsigned n = 0;

    if (!qemu_caps_has(c, QEMU_CAP_QUERY_CPU_MODEL_EXPANSION) || !qemu_caps_has(c, QEMU_CAP_KVM))
        return true;
    if (!expand(src, "full", "host", json_make(J_BOOL("migratable", false), J_BOOL("hv-passthrough", true)), &model, err))
        return false;
    for (unsigned i = 0; i < G_N_ELEMENTS(hyperv); i++) {
        g_autofree char *path = g_strconcat("props/", hyperv[i].prop, NULL);
        JsonObject *v = json_get(model, path);
        /* Numbers and texts are there whenever the property is. */
        bool on = json_object_is_type(v, json_type_boolean) ? json_object_get_boolean(v) : v != NULL;
        if (on) {
            g_strv_builder_add(b, hyperv[i].name);
            n++;
        }
    }
    if (n)
        c->hyperv = g_strv_builder_end(b);
    return true;
}

static bool query_gic(QemuCaps *c, const CapsSource *src, GError **err)
{
    g_autoptr(JsonObject) list = NULL;

    if (!caps_ask_maybe(src, "query-gic-capabilities", NULL, &list, err))
        return false;
    for (size_t i = 0; i < MIN(json_len(list), 8); i++) {
        JsonObject *o = json_object_array_get_idx(list, i);
        QemuGic g = { (unsigned)json_get_i64(o, "version", 0), json_get_bool(o, "kernel", false),
                      json_get_bool(o, "emulated", false) };
        g_array_append_val(c->gic, g);
    }
    return true;
}

static bool query_sev(QemuCaps *c, const CapsSource *src, GError **err)
{
    g_autoptr(JsonObject) o = NULL;

    if (!caps_ask_maybe(src, "query-sev-capabilities", NULL, &o, err))
        return false;
    if (!o || !json_get_str(o, "pdh"))
        return true;
    qemu_caps_set(c, QEMU_CAP_SEV_GUEST);
    c->sev = g_new0(QemuSev, 1);
    c->sev->pdh = g_strdup(json_get_str(o, "pdh"));
    c->sev->cert_chain = g_strdup(json_get_str(o, "cert-chain"));
    c->sev->cpu0_id = g_strdup(json_get_str(o, "cpu0-id"));
    c->sev->cbitpos = (unsigned)json_get_i64(o, "cbitpos", 0);
    c->sev->reduced_phys_bits = (unsigned)json_get_i64(o, "reduced-phys-bits", 0);
    return true;
}

static bool query_sgx(QemuCaps *c, const CapsSource *src, GError **err)
{
    g_autoptr(JsonObject) o = NULL;

    if (!caps_ask_maybe(src, "query-sgx-capabilities", NULL, &o, err))
        return false;
    if (!o)
        return true;
    qemu_caps_set(c, QEMU_CAP_SGX_EPC);
    c->sgx = g_new0(QemuSgx, 1);
    c->sgx->flc = json_get_bool(o, "flc", false);
    c->sgx->sgx1 = json_get_bool(o, "sgx1", false);
    c->sgx->sgx2 = json_get_bool(o, "sgx2", false);
    c->sgx->section_kib = (uint64_t)MAX(json_get_i64(o, "section-size", 0), 0) / 1024;
    c->sgx->sections = g_array_new(false, true, sizeof(QemuSgxSection));
    JsonObject *list = json_get(o, "sections");
    for (size_t i = 0; i < MIN(json_len(list), 1024); i++) {
        JsonObject *s = json_object_array_get_idx(list, i);
        QemuSgxSection sec = { (unsigned)json_get_i64(s, "node", 0),
                               (uint64_t)MAX(json_get_i64(s, "size", 0), 0) / 1024 };
        g_array_append_val(c->sgx->sections, sec);
    }
    return true;
}

static bool query_brief(QemuCaps *c, const CapsSource *src, QemuAccel *a, GError **err)
{
    g_autoptr(JsonObject) kvm = NULL;

    if (!query_version(c, src, err) || !caps_ask_maybe(src, "query-kvm", NULL, &kvm, err))
        return false;
    if (json_get_bool(kvm, "present", false) && json_get_bool(kvm, "enabled", false))
        qemu_caps_set(c, QEMU_CAP_KVM);
    *a = qemu_caps_has(c, QEMU_CAP_KVM) ? QEMU_ACCEL_KVM : QEMU_ACCEL_TCG;
    return query_machines(c, *a, src, err);
}

static bool query_all(QemuCaps *c, const CapsSource *src, GError **err)
{
    QemuAccel a;

    if (!query_brief(c, src, &a, err))
        return false;

    g_autoptr(CapsReplies) r = caps_replies_new(src, err);
    if (!r || !query_cpus(c, a, src, err) || !caps_rules_apply(c, src, r, err))
        return false;
    caps_rules_derive(c, r);
    if (!query_host_cpu(c, a, src, err) || !query_hyperv(c, src, err))
        return false;
    if (qemu_arch_is_arm(c->arch) && !query_gic(c, src, err))
        return false;
    if (!qemu_arch_is_x86(c->arch))
        return true;
    return (!caps_replies_has_command(r, "query-sev-capabilities") || query_sev(c, src, err)) &&
           (!caps_replies_has_command(r, "query-sgx-capabilities") || query_sgx(c, src, err));
}

bool qemu_caps_query(QemuCaps *c, const CapsSource *src, CapsPass pass, GError **err)
{
    QemuAccel a;

    if (pass == CAPS_BRIEF)
        return query_brief(c, src, &a, err);
    if (pass == CAPS_ALL)
        return query_all(c, src, err);
    return query_cpus(c, QEMU_ACCEL_TCG, src, err) && query_host_cpu(c, QEMU_ACCEL_TCG, src, err) &&
           query_machines(c, QEMU_ACCEL_TCG, src, err);
}
