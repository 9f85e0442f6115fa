/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Test tool: what this driver makes of recorded hosts and emulators, for tests/conformance/run. One
 * request per line on standard input, "key=value" fields separated by tabs; op= says which. One answer
 * per request: "ok LENGTH" or "refused CODE LENGTH", then that many bytes.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/host_cpu.h"
#include "drivers/qemu/caps_probe.h"
#include "drivers/qemu/cpu_ops.h"
#include "drivers/qemu/cpu_settle.h"
#include "drivers/qemu/cpu_words.h"
#include "drivers/qemu/domcaps.h"
#include "drivers/qemu/firmware_files.h"
#include "drivers/qemu/guest_cpu.h"
#include "drivers/qemu/vcpu_slots.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"
#include "util/xml.h"

typedef GHashTable Request;

static const char *field(Request *r, const char *key)
{
    return g_hash_table_lookup(r, key);
}

static char *slurp(const char *path, GError **err)
{
    char *text = NULL;
    size_t len;
    if (!path) {
        error_set(err, VIR_ERR_INVALID_ARG, "a file is missing in the request");
        return NULL;
    }
    return fd_read_file(AT_FDCWD, path, 16 << 20, &text, &len, err) ? text : NULL;
}

/* ---- emulators ------------------------------------------------------------------------------------ */

static char *op_caps(Request *r, GError **err)
{
    g_autoptr(QemuCaps) c = qemu_caps_from_recording(field(r, "replies"), field(r, "emulator"), err);
    return c ? qemu_caps_format_xml(c) : NULL;
}

static const char *const recorded_firmware[] = { "common/qemufirmwaredata/etc/qemu/firmware",
                                                 "common/qemufirmwaredata/usr/share/qemu/firmware", NULL };

/* The descriptors in the order in which they are asked. */
static char *op_firmwareorder(Request *r, GError **err)
{
    const char *const dirs[] = { "common/qemufirmwaredata/home/user/.config/qemu/firmware", recorded_firmware[0],
                                 recorded_firmware[1], NULL };
    g_autoptr(GPtrArray) files = firmware_files(dirs);
    g_autoptr(GString) out = g_string_new(NULL);
    (void)r;
    (void)err;
    for (unsigned i = 0; i < files->len; i++)
        g_string_append_printf(out, "%s\n", ((const FirmwareFile *)files->pdata[i])->path);
    return g_strdup(out->str);
}

/* A descriptor as it is read. */
static char *op_firmwarefile(Request *r, GError **err)
{
    g_autofree char *dir = g_path_get_dirname(field(r, "json"));
    const char *const dirs[] = { dir, NULL };
    g_autoptr(GPtrArray) files = firmware_files(dirs);
    for (unsigned i = 0; i < files->len; i++) {
        const FirmwareFile *f = files->pdata[i];
        if (g_str_has_suffix(f->path, strrchr(field(r, "json"), '/')))
            return json_text(f->o);
    }
    error_set(err, VIR_ERR_INTERNAL_ERROR, "not a descriptor");
    return NULL;
}

/* What firmware there is for a machine: "bios,efi secure image image". */
static char *op_firmware(Request *r, GError **err)
{
    QemuHostOffer o = { 0 };
    (void)err;
    qemu_host_offer_firmware(&o, recorded_firmware, field(r, "arch"), field(r, "machine"));
    g_autofree char *images = g_strjoinv(" ", o.loaders);
    char *out = g_strdup_printf("%s%s%s %s %s", o.firmware_bios ? "bios" : "", o.firmware_bios && o.firmware_efi ? "," : "",
                                o.firmware_efi ? "efi" : "", o.secure ? "true" : "false", images);
    qemu_host_offer_clear(&o);
    return out;
}

/* The host of the recordings: three images, device assignment, and the TPM emulator of its time. */
static void recorded_offer(QemuHostOffer *o, const QemuCaps *caps, const char *machine)
{
    static const char *const images[] = { "/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF32_CODE.fd",
                                          "/usr/share/OVMF/OVMF_CODE.fd", NULL };
    static const char *const old_tpm[] = { "1.2", NULL }, *const both_tpm[] = { "1.2", "2.0", NULL }, *const new_tpm[] = { "2.0", NULL };
    *o = (QemuHostOffer){ .same_arch = true, .ppc_model = "POWER8", .vfio = true };
    qemu_host_offer_firmware(o, recorded_firmware, caps->arch, machine);
    g_strfreev(o->loaders);
    o->loaders = g_strdupv((char **)images);
    o->tpm_versions = g_strdupv((char **)(caps->version < 6000000 ? old_tpm : caps->version < 6002050 ? both_tpm : new_tpm));
}

static char *op_domcaps(Request *r, GError **err)
{
    g_autoptr(QemuCaps) caps = qemu_caps_load_xml(field(r, "caps"), err);
    if (!caps)
        return NULL;
    if (caps->sev) { /* told by the processor, not by the emulator */
        caps->sev->max_guests = 59;
        caps->sev->max_es_guests = 450;
    }
    QemuAccel accel = qemu_accel_from_name(field(r, "virt"));
    const QemuMachine *m = qemu_caps_machine(caps, accel, field(r, "machine"));
    QemuHostOffer o;
    recorded_offer(&o, caps, m ? m->name : "");
    char *out = qemu_domain_capabilities_of(caps, field(r, "emulator"), field(r, "machine"), accel, &o, err);
    qemu_host_offer_clear(&o);
    return out;
}

static char *op_guestcaps(Request *r, GError **err)
{
    const char *arch = field(r, "arch");
    g_autofree char *emulator = g_strdup_printf("/usr/bin/qemu-system-%s", arch);
    g_autoptr(QemuCaps) caps = qemu_caps_new(emulator, arch);
    bool kvm = !g_str_has_prefix(arch, "riscv"); /* the host of the recordings has it for the others */
    g_autofree char *guest = qemu_guest_caps_xml(caps, arch, emulator, kvm);
    return g_strdup_printf("<capabilities>\n\n  <host>\n    <cpu>\n      <arch>%s</arch>\n    </cpu>\n    <power_management/>\n"
                           "    <iommu support='no'/>\n  </host>\n\n%s\n</capabilities>\n", arch, guest);
}

/* ---- processors ----------------------------------------------------------------------------------- */

static uint32_t number(const xmlNode *n, const char *name)
{
    const char *v = xml_attr_get(n, name);
    return v ? (uint32_t)strtoul(v, NULL, 16) : 0;
}

static bool read_cpuid(const char *path, CpuData *d, uint32_t *signature, GError **err)
{
    g_autofree char *text = slurp(path, err);
    g_autoptr(XmlDoc) doc = text ? xml_parse(text, strlen(text), err) : NULL;
    if (!doc)
        return false;
    *d = (CpuData){ 0 };
    for (xmlNode *n = xml_child(xml_root(doc), "cpuid"); n; n = xml_next(n, "cpuid")) {
        uint32_t reg[4] = { number(n, "eax"), number(n, "ebx"), number(n, "ecx"), number(n, "edx") };
        if (number(n, "eax_in") == 1 && signature)
            *signature = reg[CPU_EAX];
        cpu_data_add_cpuid(d, number(n, "eax_in"), number(n, "ecx_in"), reg);
    }
    for (xmlNode *n = xml_child(xml_root(doc), "msr"); n; n = xml_next(n, "msr"))
        cpu_data_add_msr(d, number(n, "index"), (uint64_t)number(n, "edx") << 32 | number(n, "eax"));
    return true;
}

static char *cpu_document(const CpuDecoded *c, const CpuData *d, bool guest, const char *fallback)
{
    GString *s = g_string_new(NULL);
    XmlWriter w;
    xml_writer_init(&w, s, 0);
    xml_open(&w, "cpu");
    if (guest) {
        xml_attr(&w, "mode", "custom");
        xml_attr(&w, "match", "exact");
    } else {
        xml_element(&w, "arch", "x86_64");
    }
    xml_open(&w, "model");
    if (guest)
        xml_attr(&w, "fallback", fallback);
    xml_text(&w, c->model->row->name);
    xml_close(&w);
    xml_element(&w, "vendor", c->vendor);
    if (!guest) {
        char text[12];
        const unsigned v[] = { d->family, d->model, d->stepping };
        static const char *const names[] = { "family", "model", "stepping" };
        xml_open(&w, "signature");
        for (unsigned i = 0; i < 3; i++) {
            g_snprintf(text, sizeof(text), "%u", v[i]);
            xml_attr(&w, names[i], text);
        }
        xml_close(&w);
    }
    for (unsigned i = 0; i < c->features->len; i++) {
        const CpuDecodedFeature *f = &g_array_index(c->features, CpuDecodedFeature, i);
        xml_open(&w, "feature");
        if (guest)
            xml_attr(&w, "policy", f->require ? "require" : "disable");
        xml_attr(&w, "name", cpu_x86_features[f->feature].name);
        xml_close(&w);
    }
    xml_close(&w);
    return g_string_free(s, FALSE);
}

static char *op_cpuid(Request *r, GError **err)
{
    bool guest = field(r, "guest") != NULL;
    CpuData d;
    CpuDecoded c;
    if (!read_cpuid(field(r, "cpuid"), &d, NULL, err) || !cpu_decode(&d, guest, NULL, NULL, &c, err))
        return NULL;
    char *out = cpu_document(&c, &d, guest, "forbid");
    cpu_decoded_clear(&c);
    return out;
}

static char *op_signature(Request *r, GError **err)
{
    CpuData d;
    uint32_t raw = 0;
    if (!read_cpuid(field(r, "cpuid"), &d, &raw, err))
        return NULL;
    return g_strdup_printf("%06x\nfamily:   %3u (0x%02x)\nmodel:    %3u (0x%02x)\nstepping: %3u (0x%02x)\n", raw, d.family,
                           d.family, d.model, d.model, d.stepping, d.stepping);
}

static void add_props(QemuCaps *caps, JsonObject *reply)
{
    JsonObject *props = json_get(reply, "return/model/props");
    const char *model = json_get_str(reply, "return/model/name");
    g_free(caps->accel[QEMU_ACCEL_KVM].host_cpu.model);
    caps->accel[QEMU_ACCEL_KVM].host_cpu.model = g_strdup(model);
    json_object_object_foreach(props, name, v) {
        QemuCpuProp *p = qemu_caps_add_host_cpu_prop(caps, QEMU_ACCEL_KVM, name);
        json_type t = json_object_get_type(v);
        p->type = t == json_type_boolean ? QEMU_PROP_BOOL : t == json_type_string ? QEMU_PROP_STRING : QEMU_PROP_NUMBER;
        if (t == json_type_boolean)
            p->boolean = json_object_get_boolean(v);
        else if (t == json_type_string)
            p->string = g_strdup(json_object_get_string(v));
        else
            p->number = json_object_get_int64(v);
    }
}

static void add_models(QemuCaps *caps, JsonObject *reply)
{
    JsonObject *list = json_get(reply, "return");
    for (size_t i = 0; i < json_len(list); i++) {
        JsonObject *m = json_object_array_get_idx(list, i), *blockers = json_get(m, "unavailable-features");
        QemuCpuModel *c = qemu_caps_add_cpu(caps, QEMU_ACCEL_KVM, json_get_str(m, "name"));
        g_autoptr(GStrvBuilder) b = g_strv_builder_new();
        for (size_t k = 0; k < json_len(blockers); k++)
            g_strv_builder_add(b, json_object_get_string(json_object_array_get_idx(blockers, k)));
        c->usable = blockers && json_len(blockers) == 0 ? QEMU_USABLE_YES : QEMU_USABLE_NO;
        c->blockers = g_strv_builder_end(b);
    }
}

/* What the emulator says of the host's processor, as a guest's. */
static char *told_cpu(const char *qmp, const char *fallback, GError **err)
{
    g_autoptr(GPtrArray) replies = qemu_recording_load(qmp, err);
    g_autoptr(QemuCaps) caps = qemu_caps_new("/usr/bin/qemu-system-x86_64", "x86_64");
    CpuDecoded c;
    for (unsigned i = 0; replies && i < replies->len; i++) {
        if (json_get(replies->pdata[i], "return/model"))
            add_props(caps, replies->pdata[i]);
        else
            add_models(caps, replies->pdata[i]);
    }
    if (!replies)
        return NULL;
    if (!qemu_cpu_host_model(caps, QEMU_ACCEL_KVM, false, &c)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the emulator does not tell the processor");
        return NULL;
    }
    char *out = cpu_document(&c, NULL, true, fallback);
    cpu_decoded_clear(&c);
    return out;
}

static char *op_cpujson(Request *r, GError **err)
{
    return told_cpu(field(r, "qmp"), "forbid", err);
}

static char *op_compare(Request *r, GError **err)
{
    static const char *const words[] = { "INCOMPATIBLE", "IDENTICAL", "SUPERSET" };
    g_autofree char *host = slurp(field(r, "host"), err), *cpu = host ? slurp(field(r, "cpu"), err) : NULL;
    CpuSpec a;
    int result;
    if (!cpu)
        return NULL;
    if (g_strcmp0(field(r, "arch"), "ppc64") == 0) {
        result = cpu_ppc64_compare(host, cpu, 0, err);
    } else {
        if (!cpu_spec_parse(host, &a, err))
            return NULL;
        result = qemu_cpu_compare_to(&a, cpu, 0, err);
        cpu_spec_clear(&a);
    }
    return result < 0 ? NULL : g_strdup_printf("VIR_CPU_COMPARE_%s", words[result]);
}

static char *op_feature(Request *r, GError **err)
{
    g_autofree char *host = slurp(field(r, "host"), err);
    CpuSpec a;
    int row = cpu_feature_find(field(r, "feature"));
    if (!host || !cpu_spec_parse(host, &a, err))
        return NULL;
    bool has = row >= 0 && cpu_features_has(&a.sets[CPU_SET_REQUIRE], (unsigned)row);
    cpu_spec_clear(&a);
    return g_strdup(row < 0 ? "FAIL" : has ? "YES" : "NO");
}

/* A document's processor after the host's has settled what it leaves open. */
static CpuDef *settled(Request *r, GError **err)
{
    g_autofree char *host = slurp(field(r, "host"), err), *text = host ? slurp(field(r, "cpu"), err) : NULL;
    g_autoptr(CpuDef) cpu = text ? guest_cpu_parse(text, strlen(text), 0, err) : NULL;
    CpuSpec spec;

    if (!cpu || g_strcmp0(field(r, "arch"), "x86_64") != 0)
        return g_steal_pointer(&cpu); /* elsewhere the emulator settles it */
    g_autoptr(HostCpuDef) own = host_cpu_parse(host, strlen(host), 0, err);
    if (!own || !cpu_spec_parse(host, &spec, err))
        return NULL;
    CpuOffer offer = { .model = own->model, .vendor = own->vendor, .features = g_ptr_array_new(),
                       .has = spec.sets[CPU_SET_REQUIRE] };
    for (unsigned i = 0; own->features && i < own->features->len; i++) {
        const char *name = ((const CpuFeature *)own->features->pdata[i])->name;
        int row = cpu_feature_find(name);
        if (row >= 0 && !(cpu_x86_features[row].flags & CPU_FEATURE_NOT_MIGRATABLE))
            cpu_offer_add(&offer, name, true);
    }
    cpu_settle(cpu, &offer);
    cpu_offer_clear(&offer);
    cpu_spec_clear(&spec);
    return g_steal_pointer(&cpu);
}

static char *op_update(Request *r, GError **err)
{
    g_autoptr(CpuDef) cpu = settled(r, err);
    return cpu ? guest_cpu_format(cpu, 0, err) : NULL;
}

static bool is_listed(const char *model, void *data)
{
    return g_strv_contains(data, model);
}

/* What a guest gets on a host, from an emulator with these models. */
static char *op_guestcpu(Request *r, GError **err)
{
    g_autofree char *fits = op_compare(r, err);
    g_auto(GStrv) models = field(r, "models") ? g_strsplit(field(r, "models"), ",", -1) : NULL;
    if (!fits)
        return NULL;
    if (strstr(fits, "INCOMPATIBLE")) {
        error_set(err, VIR_ERR_CPU_INCOMPATIBLE, "the guest's processor does not run on the host's");
        return NULL;
    }
    g_autoptr(CpuDef) cpu = settled(r, err);
    bool ppc = g_strcmp0(field(r, "arch"), "ppc64") == 0;
    if (!cpu || (models && !(ppc ? cpu_ppc64_translate(cpu, is_listed, models, err) : cpu_translate(cpu, is_listed, models, err))))
        return NULL;
    return guest_cpu_format(cpu, 0, err);
}

static char *op_baseline(Request *r, GError **err)
{
    g_autoptr(GPtrArray) cpus = g_ptr_array_new_with_free_func(g_free);
    for (unsigned i = 1; i <= 2 && field(r, "cpu1"); i++) {
        char *cpu = told_cpu(field(r, i == 1 ? "cpu1" : "cpu2"), "forbid", err);
        if (!cpu)
            return NULL;
        g_ptr_array_add(cpus, cpu);
    }
    if (field(r, "cpus")) {
        g_autofree char *text = slurp(field(r, "cpus"), err);
        g_autoptr(XmlDoc) doc = text ? xml_parse(text, strlen(text), err) : NULL;
        if (!doc)
            return NULL;
        for (xmlNode *n = xml_child(xml_root(doc), "cpu"); n; n = xml_next(n, "cpu"))
            g_ptr_array_add(cpus, xml_dump(n, 0));
    }
    return qemu_cpu_baseline_for(NULL, QEMU_ACCEL_KVM, (const char *const *)cpus->pdata, cpus->len,
                             (unsigned)(field(r, "migratable") ? VIR_CONNECT_BASELINE_CPU_MIGRATABLE : 0), err);
}

/* ---- running guests --------------------------------------------------------------------------------- */

/* What a recorded reply returns. */
static JsonObject *returned(const char *path, GError **err)
{
    g_autofree char *text = slurp(path, err);
    g_autoptr(JsonObject) reply = text ? json_parse("recording", text, strlen(text), NULL, err) : NULL;
    JsonObject *ret = json_get(reply, "return");
    if (reply && !ret)
        error_set(err, VIR_ERR_INTERNAL_ERROR, "'%s' is not a reply", path);
    return json_object_get(ret);
}

static void list_slot(GString *s, const VcpuSlot *slot)
{
    static const char *const ids[] = { "socket", "die", "cluster", "core", "thread", "node" };
    g_string_append_printf(s, "    type='%s'\n", slot->type ? slot->type : "");
    if (slot->alias)
        g_string_append_printf(s, "    alias='%s'\n", slot->alias);
    if (slot->path)
        g_string_append_printf(s, "    qom_path='%s'\n", slot->path);
    g_string_append(s, "    topology:");
    for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++) {
        g_autofree char *member = g_strconcat(ids[i], "-id", NULL);
        int64_t id = json_get_i64(slot->place, member, -1);
        if (id >= 0)
            g_string_append_printf(s, " %s='%" PRId64 "'", ids[i], id);
    }
    g_string_append_printf(s, " vcpus='%u'\n", slot->count);
}

/* Each vCPU of a guest that may have max= of them. */
static char *op_vcpus(Request *r, GError **err)
{
    g_autoptr(JsonObject) told = returned(field(r, "cpus"), err);
    g_autoptr(JsonObject) answer = told && field(r, "slots") ? returned(field(r, "slots"), err) : NULL;
    g_autoptr(GArray) cpus = told && (answer || !field(r, "slots")) ? qmp_read_cpus_fast(told, err) : NULL;
    g_autoptr(GArray) slots = answer ? vcpu_slots_read(answer) : NULL;
    if (!cpus)
        return NULL;
    g_autoptr(GArray) states = vcpu_states(slots, cpus, (unsigned)strtoul(field(r, "max"), NULL, 10));
    GString *s = g_string_new(NULL);
    for (unsigned id = 0; id < states->len; id++) {
        const VcpuState *v = &g_array_index(states, VcpuState, id);
        bool first = v->slot && v->slot->first == id;
        g_string_append_printf(s, "[vcpu libvirt-id='%u']\n    online=%s\n    hotpluggable=%s\n", id, v->cpu ? "yes" : "no",
                               vcpu_state_removable(v) ? "yes" : "no");
        if (v->cpu)
            g_string_append_printf(s, "    thread-id='%" PRId64 "'\n", v->cpu->thread_id);
        if (first && v->slot->order)
            g_string_append_printf(s, "    enable-id='%u'\n", v->slot->order);
        if (v->cpu)
            g_string_append_printf(s, "    query-cpus-id='%u'\n", v->cpu->index);
        if (first)
            list_slot(s, v->slot);
        if (v->cpu && qmp_cpu_halted(v->cpu))
            g_string_append(s, "    halted\n");
    }
    return g_string_free(s, FALSE);
}

/* A guest's processor by its words. */
static char *op_cpuwords(Request *r, GError **err)
{
    static const char *const names[] = { "eax", "ebx", "ecx", "edx" };
    g_autoptr(JsonObject) words = returned(field(r, "json"), err);
    g_autoptr(GArray) leaves = words ? cpu_words_read(words, err) : NULL;
    if (!leaves)
        return NULL;
    GString *s = g_string_new(NULL);
    XmlWriter w;
    xml_writer_init(&w, s, 0);
    xml_open(&w, "cpudata");
    xml_attr(&w, "arch", "x86");
    for (unsigned i = 0; i < leaves->len; i++) {
        const CpuLeaf *l = &g_array_index(leaves, CpuLeaf, i);
        xml_open(&w, "cpuid");
        xml_attrf(&w, "eax_in", "0x%08x", l->leaf);
        xml_attrf(&w, "ecx_in", "0x%08x", l->sub);
        for (unsigned reg = 0; reg < G_N_ELEMENTS(names); reg++)
            xml_attrf(&w, names[reg], "0x%08x", l->reg[reg]);
        xml_close(&w);
    }
    xml_close(&w);
    return g_string_free(s, FALSE);
}

int main(void)
{
    static const struct { const char *name; char *(*run)(Request *r, GError **err); } ops[] = {
        { "caps", op_caps },       { "domcaps", op_domcaps },     { "guestcaps", op_guestcaps }, { "cpuid", op_cpuid },
        { "cpujson", op_cpujson }, { "signature", op_signature }, { "compare", op_compare },     { "feature", op_feature },
        { "baseline", op_baseline }, { "update", op_update },       { "guestcpu", op_guestcpu },
        { "vcpus", op_vcpus }, { "cpuwords", op_cpuwords },
        { "firmware", op_firmware }, { "firmwareorder", op_firmwareorder }, { "firmwarefile", op_firmwarefile },
    };
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        line[strcspn(line, "\n")] = '\0';
        g_autoptr(GHashTable) r = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        g_auto(GStrv) parts = g_strsplit(line, "\t", -1);
        for (char **p = parts; *p; p++) {
            char *eq = strchr(*p, '=');
            if (eq)
                g_hash_table_insert(r, g_strndup(*p, (gsize)(eq - *p)), g_strdup(eq + 1));
        }
        g_autoptr(GError) err = NULL;
        g_autofree char *out = NULL;
        for (unsigned i = 0; i < G_N_ELEMENTS(ops); i++) {
            if (g_strcmp0(field(r, "op"), ops[i].name) == 0)
                out = ops[i].run(r, &err);
        }
        g_autofree char *why = out ? NULL : error_text(err);
        if (out)
            printf("ok %zu\n%s", strlen(out), out);
        else
            printf("refused %d %zu\n%s", error_code(err), strlen(why), why);
        fflush(stdout);
    }
    free(line);
    return 0;
}
