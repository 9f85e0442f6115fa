/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The domain document: its rows and the functions over it. A definition is built by the stages
 * parse → resolve → defaults → validate, each a function that may be called alone; a definition
 * that came through all of them formats to a document that parses to an equal one.
 *
 * Pure functions, any thread; see domain.h.
 */
#include "conf/domain.h"

#include <string.h>

#include "conf/device-internal.h"
#include "conf/parse-internal.h"
#include "util/api.h"
#include "util/error.h"

/* clang-format off */
ENUM_TABLE(virt_type_names, "virtualization type", _VIRT_TYPE_N, "none", "qemu", "kqemu", "kvm", "xen", "lxc", "uml", "openvz", "test", "vmware", "hyperv", "vbox", "phyp", "parallels", "bhyve", "vz", "hvf", "xenfv");
ENUM_TABLE(lifecycle_action_names, "lifecycle action", _LIFECYCLE_ACTION_N, NULL, "destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart");
ENUM_TABLE(lockfailure_names, "lock failure action", _LOCKFAIL_N, NULL, "poweroff", "restart", "pause", "ignore");
ENUM_TABLE(vcpu_placement_names, "vcpu placement", _VCPU_PLACEMENT_N, NULL, "static", "auto");
ENUM_TABLE(seclabel_type_names, "seclabel type", _SECLABEL_TYPE_N, NULL, "none", "dynamic", "static");
ENUM_TABLE(launch_security_names, "launch security type", _LAUNCH_SECURITY_N, NULL, "sev", "sev-snp", "s390-pv", "tdx");

static const ConfField domain_seclabel_rows[] = {
    CONF_ENUM(SeclabelDef, type, "@type", seclabel_type_names, CF_ALWAYS, "who chooses the label"),
    CONF_STR(SeclabelDef, model, "@model", 0, "security model"),
    CONF_YESNO(SeclabelDef, relabel, "@relabel", 0, "whether resources are relabelled"),
    CONF_STR(SeclabelDef, label, "label/text()", 0, "label of the process"),
    CONF_STR(SeclabelDef, imagelabel, "imagelabel/text()", CF_LIVE, "label of resources"),
    CONF_STR(SeclabelDef, baselabel, "baselabel/text()", 0, "label that is varied"),
};
static bool seclabel_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    SeclabelDef *s = v;

    if (s->type == SECLABEL_DEFAULT)
        s->type = SECLABEL_DYNAMIC;
    if (s->type == SECLABEL_NONE && s->relabel == TRI_YES) {
        conf_error_at(err, VIR_ERR_CONFIG_UNSUPPORTED, el, "relabel", "resource relabeling is not compatible with 'none' label type");
        return false;
    }
    if (s->type == SECLABEL_DYNAMIC && s->relabel == TRI_NO) {
        conf_error_at(err, VIR_ERR_CONFIG_UNSUPPORTED, el, "relabel", "dynamic label type must use resource relabeling");
        return false;
    }
    if (s->type == SECLABEL_NONE)
        s->relabel = TRI_ABSENT;
    else if (s->relabel == TRI_ABSENT)
        s->relabel = s->type == SECLABEL_STATIC ? TRI_NO : TRI_YES;
    if (s->type == SECLABEL_STATIC && !s->label) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "security label is missing");
        return false;
    }
    if (s->type == SECLABEL_DYNAMIC && (p->flags & DOMAIN_PARSE_INACTIVE))
        g_clear_pointer(&s->label, g_free);
    return true;
}
CONF_DESC(domain_seclabel_desc, SeclabelDef, domain_seclabel_rows, .parsed = seclabel_parsed);

#define L LaunchSecurityDef
#define TDX WHEN(L, type, BIT(LAUNCH_TDX))
#define SEV WHEN(L, type, BIT(LAUNCH_SEV) | BIT(LAUNCH_SEV_SNP))
static const ConfField launch_rows[] = {
    CONF_ENUM(L, type, "@type", launch_security_names, CF_REQUIRED | CF_ABI, "technology"),
    CONF_YESNO(L, kernel_hashes, "@kernelHashes", 0, "measure the kernel", SEV),
    CONF_YESNO(L, author_key, "@authorKey", 0, "", SEV), CONF_YESNO(L, vcek, "@vcek", 0, "", SEV),
    CONF_OPT32(L, cbitpos, "cbitpos/text()", CF_ABI, "C-bit", SEV),
    CONF_OPT32(L, reduced_phys_bits, "reducedPhysBits/text()", CF_ABI, "lost address bits", SEV),
    CONF_OPT64(L, policy, "policy/text()", CF_ABI | CF_REQUIRED, "policy", CONF_NUM(num_hex4), WHEN(L, type, BIT(LAUNCH_SEV))),
    CONF_OPT64(L, policy, "policy/text()", CF_VIEW | CF_ABI, "policy", CONF_NUM(num_hex8), WHEN(L, type, BIT(LAUNCH_SEV_SNP))),
    CONF_OPT64(L, policy, "policy/text()", CF_VIEW | CF_ABI, "policy", CONF_NUM(num_hex), TDX),
    CONF_STR(L, mr_config_id, "mrConfigId/text()", CF_ABI, "identity of the configuration, base64", TDX),
    CONF_STR(L, mr_owner, "mrOwner/text()", CF_ABI, "identity of the owner, base64", TDX),
    CONF_STR(L, mr_owner_config, "mrOwnerConfig/text()", CF_ABI, "identity of the owner's configuration, base64", TDX),
    CONF_FLAG(L, quote_service, "quoteGenerationService", 0, "the guest may ask for quotes", TDX),
    CONF_STR(L, quote_service_path, "quoteGenerationService/@path", 0, "socket of the service", TDX),
    CONF_STR(L, dh_cert, "dhCert/text()", 0, "certificate", SEV),
    CONF_STR(L, session, "session/text()", 0, "session", SEV),
    CONF_STR(L, guest_visible_workarounds, "guestVisibleWorkarounds/text()", CF_ABI, "", SEV),
    CONF_STR(L, id_block, "idBlock/text()", CF_ABI, "", SEV), CONF_STR(L, id_auth, "idAuth/text()", CF_ABI, "", SEV),
    CONF_STR(L, host_data, "hostData/text()", CF_ABI, "", SEV), CONF_PAD(L, _pad),
};
#undef L
CONF_DESC(launch_security_desc, LaunchSecurityDef, launch_rows);

static const ConfField keywrap_rows[] = {
    CONF_STR(KeywrapDef, name, "@name", CF_REQUIRED, "aes or dea"),
    CONF_ONOFF(KeywrapDef, state, "@state", CF_REQUIRED, "allowed or not"), CONF_PAD(KeywrapDef, _pad),
};
CONF_DESC(keywrap_desc, KeywrapDef, keywrap_rows);
static const ConfField perf_rows[] = {
    CONF_STR(PerfEvent, name, "@name", CF_REQUIRED, "counter"),
    CONF_YESNO(PerfEvent, enabled, "@enabled", CF_REQUIRED, "counted or not"), CONF_PAD(PerfEvent, _pad),
};
CONF_DESC(perf_desc, PerfEvent, perf_rows);

/* ---- xmlns:qemu ---- */

#define QEMU_SCHEMA "http://libvirt.org/schemas/domain/qemu/1.0"
static const ConfField arg_rows[] = { CONF_STR(StrItem, s, "@value", CF_REQUIRED, "argument") };
CONF_DESC(qemu_arg_desc, StrItem, arg_rows);
static const ConfField env_rows[] = {
    CONF_STR(EnvVar, name, "@name", CF_REQUIRED | CF_NOT_EMPTY, "variable"), CONF_STR(EnvVar, value, "@value", 0, "value"),
};
CONF_DESC(qemu_env_desc, EnvVar, env_rows);
static const ConfField capability_rows[] = { CONF_STR(StrItem, s, "@capability", CF_REQUIRED, "capability of the emulator") };
CONF_DESC(qemu_capability_desc, StrItem, capability_rows);
static const ConfField property_rows[] = {
    CONF_STR(QemuProperty, name, "@name", CF_REQUIRED, "property"), CONF_STR(QemuProperty, type, "@type", CF_REQUIRED, "its type"),
    CONF_STR(QemuProperty, value, "@value", 0, "its value"),
};
CONF_DESC(qemu_property_desc, QemuProperty, property_rows);
static const ConfField override_rows[] = {
    CONF_STR(QemuOverride, alias, "@alias", CF_REQUIRED, "device"),
    CONF_LIST(QemuOverride, properties, "qemu:frontend/qemu:property", qemu_property_desc, 0, "properties"),
};
CONF_DESC(qemu_override_desc, QemuOverride, override_rows);
static const ConfField qemu_rows[] = {
    CONF_LIST(QemuNamespace, args, "qemu:commandline/qemu:arg", qemu_arg_desc, 0, "extra arguments"),
    CONF_LIST(QemuNamespace, env, "qemu:commandline/qemu:env", qemu_env_desc, 0, "environment"),
    CONF_LIST(QemuNamespace, caps_add, "qemu:capabilities/qemu:add", qemu_capability_desc, 0, "assumed"),
    CONF_LIST(QemuNamespace, caps_del, "qemu:capabilities/qemu:del", qemu_capability_desc, 0, "not used"),
    CONF_LIST(QemuNamespace, overrides, "qemu:override/qemu:device", qemu_override_desc, 0, "properties of devices"),
    CONF_STR(QemuNamespace, deprecation, "qemu:deprecation/@behavior", 0, "what deprecated things do"),
};
CONF_DESC(qemu_namespace_desc, QemuNamespace, qemu_rows);

/* Elements of the qemu namespace stand directly below <domain>; those of other drivers are kept. */
static bool namespaces_parse(ConfParser *p, const ConfField *row, xmlNode *el, void *base, GError **err)
{
    DomainDef *d = base;
    g_autoptr(GString) others = g_string_new(NULL);

    for (xmlNode *c = el->children; c; c = c->next) {
        if (c->type != XML_ELEMENT_NODE || !c->ns || !c->ns->href)
            continue;
        if (!strcmp((const char *)c->ns->href, QEMU_SCHEMA)) {
            if (!d->qemu)
                d->qemu = g_new0(QemuNamespace, 1);
        } else if (g_str_has_prefix((const char *)c->ns->href, "http://libvirt.org/schemas/domain/")) {
            g_autofree char *text = xml_dump(c, 1);
            conf_mark_tree(c);
            g_string_append_printf(others, "%s%s", others->len ? "\n  " : "", text);
        }
    }
    if (others->len)
        d->other_namespace = g_strdup(others->str);
    if (!d->qemu)
        return true;
    if (!conf_parse(p, &qemu_namespace_desc, el, d->qemu, err))
        return false;
    static const QemuNamespace nothing;
    if (!memcmp(d->qemu, &nothing, sizeof(nothing)))
        g_clear_pointer(&d->qemu, g_free);
    return true;
}
static void namespaces_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    const DomainDef *d = base;
    conf_format_at(f, NULL, 0);
    if (d->qemu)
        conf_format(f, &qemu_namespace_desc, d->qemu);
    conf_format_at(f, NULL, 0);
    if (d->other_namespace)
        xml_raw(&f->w, d->other_namespace);
}
static const ConfCustom namespaces = { namespaces_parse, namespaces_format, CONF_READS("@id", "*:"), &qemu_namespace_desc };

/* ---- oddities of the top level ---- */

static bool genid_parse(ConfParser *p, const ConfField *row, xmlNode *el, void *base, GError **err)
{
    DomainDef *d = base;

    if (!el)
        return true;
    d->genid_set = 1;
    g_autofree char *text = xml_text_dup(el);
    if (!*g_strstrip(text)) { /* one is asked for */
        uuid_generate(d->genid.v);
        d->genid.set = 1;
        return true;
    }
    d->genid.set = uuid_parse(text, d->genid.v);
    if (!d->genid.set)
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "malformed genid '%.100s'", text);
    return d->genid.set;
}
static void genid_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    static const char *const name[] = { "genid" };
    const DomainDef *d = base;
    char text[37];

    if (!d->genid_set)
        return;
    conf_format_at(f, name, 1);
    if (d->genid.set) {
        uuid_format(d->genid.v, text);
        xml_text(&f->w, text);
    }
}
static const ConfCustom genid = { genid_parse, genid_format, CONF_READS("text()") };

/* They are kept for the boot loader that a driver chooses, too. */
static bool bootloader_args_parse(ConfParser *p, const ConfField *row, xmlNode *el, void *base, GError **err)
{
    if (el)
        ((DomainDef *)base)->os.bootloader_args = xml_text_dup(el);
    return true;
}
static void bootloader_args_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    static const char *const name[] = { "bootloader_args" };
    const OsDef *os = &((const DomainDef *)base)->os;

    if (!os->bootloader || !os->bootloader_args)
        return;
    conf_format_at(f, name, 1);
    xml_text(&f->w, os->bootloader_args);
}
static const ConfCustom bootloader_args = { bootloader_args_parse, bootloader_args_format, CONF_READS("text()") };

/* current= stands only when it differs from the maximum. */
static bool current_parse(ConfParser *p, const ConfField *row, xmlNode *el, void *base, GError **err)
{
    xmlAttr *a = el ? xmlHasProp(el, (const xmlChar *)"current") : NULL;
    const ConfField number = { .arg = &num_positive };

    if (!a)
        return true;
    a->_private = el->_private;
    if (conf_u32.parse(&number, xml_attr_get(el, "current"), NULL, &((DomainDef *)base)->vcpus, NULL, err))
        return true;
    conf_prefix_at(err, el, "current");
    return false;
}
static void current_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    static const char *const name[] = { "vcpu" };
    const DomainDef *d = base;
    if (!d->vcpus || d->vcpus == d->vcpus_max)
        return;
    conf_format_at(f, name, 1);
    xml_attrf(&f->w, "current", "%u", d->vcpus);
}
static const ConfCustom current = { current_parse, current_format, CONF_READS("@current") };

#define D DomainDef
static const ConfField domain_rows[] = {
    CONF_ENUM(D, virt, "@type", virt_type_names, CF_REQUIRED | CF_ALWAYS | CF_ABI, "hypervisor"),
    CONF_STR(D, name, "name/text()", CF_REQUIRED | CF_NOT_EMPTY, "name"),
    CONF_UUID(D, uuid, "uuid/text()", CF_ABI, "identity"),
    CONF_UUID(D, hwuuid, "hwuuid/text()", CF_ABI, "identity that the guest's hardware shows, when it is not the uuid"),
    CONF_CUSTOM(D, genid, "genid", genid, &conf_uuid, CF_ONCE, "generation: changes when the guest is rolled back"),
    CONF_STR(D, title, "title/text()", 0, "one line for people"),
    CONF_STR(D, description, "description/text()", 0, "text for people"),
    CONF_RAW(D, metadata, "metadata", CF_ONE_PER_NAMESPACE, "of applications"),
    CONF_U32(D, memory_slots, "maxMemory/@slots", CF_ABI, "slots for memory devices"),
    CONF_SIZE(D, max_memory, "maxMemory/text()", size_kib, CF_ABI, "most memory with all devices"),
    CONF_ONOFF(D, dump_core, "memory/@dumpCore", 0, "guest memory in core files"),
    CONF_SIZE(D, memory, "memory/text()", size_kib, CF_ALWAYS | CF_ABI, "all memory, memory devices included"),
    CONF_SIZE(D, current_memory, "currentMemory/text()", size_kib, CF_ALWAYS, "memory that it should use"),
    CONF_OPTIONAL(D, blkiotune, "blkiotune", blkio_desc, CF_SKIP_EMPTY, "block I/O"),
    CONF_STRUCT(D, memtune, "memtune", memory_tuning_desc, 0, "memory limits"),
    CONF_OPTIONAL(D, backing, "memoryBacking", memory_backing_desc, 0, "kind of memory"),
    CONF_ENUM(D, placement, "vcpu/@placement", vcpu_placement_names, 0, "who chooses host CPUs"),
    CONF_BITMAP(D, cpuset, "vcpu/@cpuset", 0, "host CPUs"),
    CONF_CUSTOM(D, vcpus, "vcpu", current, &conf_u32, 0, "CPUs at boot"),
    CONF_U32(D, vcpus_max, "vcpu/text()", CF_REQUIRED | CF_IF_ELEMENT | CF_ALWAYS | CF_ABI, "most CPUs", CONF_NUM(num_positive)),
    CONF_LIST(D, vcpu_defs, "vcpus/vcpu", vcpu_desc, 0, "CPUs one by one"),
    CONF_U32(D, iothreads, "iothreads/text()", 0, "I/O threads"),
    CONF_LIST(D, iothread_defs, "iothreadids/iothread", iothread_desc, 0, "I/O threads one by one"),
    CONF_OPTI32(D, default_iothread_min, "defaultiothread/@thread_pool_min", 0, "least workers of the main loop"),
    CONF_OPTI32(D, default_iothread_max, "defaultiothread/@thread_pool_max", 0, "most workers of the main loop"),
    CONF_OPTIONAL(D, cputune, "cputune", cpu_tuning_desc, CF_SKIP_EMPTY, "CPU time"),
    CONF_OPTIONAL(D, numatune, "numatune", numatune_desc, CF_SKIP_EMPTY | CF_ONCE, "host NUMA nodes"),
    CONF_STR(D, partition, "resource/partition/text()", 0, "cgroup"),
    CONF_STR(D, appid, "resource/fibrechannel/@appid", 0, "fibre channel application"),
    CONF_LIST(D, sysinfos, "sysinfo", sysinfo_desc, CF_ABI, "SMBIOS and firmware data"),
    CONF_STR(D, os.bootloader, "bootloader/text()", CF_VIEW, "program that loads the kernel"),
    CONF_CUSTOM_VIEW(bootloader_args, "bootloader_args", "its arguments; shown beside one that is given only"),
    CONF_STRUCT(D, os, "os", os_desc, CF_ABI, "how it boots"),
    CONF_LIST(D, uid_map, "idmap/uid", idmap_desc, 0, "user ids of a container"),
    CONF_LIST(D, gid_map, "idmap/gid", idmap_desc, 0, "group ids of a container"),
    CONF_LIST(D, throttle_groups, "throttlegroups/throttlegroup", iotune_desc, 0, "limits that disks share"),
    CONF_YESNO(D, iommufd, "iommufd/@enabled", 0, "host devices through iommufd"),
    CONF_STR(D, iommufd_fdgroup, "iommufd/@fdgroup", 0, "name of descriptors that the client passed"),
    CONF_STRUCT(D, features, "features", features_desc, CF_ABI, "machine features"),
    CONF_OPTIONAL(D, cpu, "cpu", cpu_desc, CF_ABI | CF_SKIP_EMPTY, "CPU model"),
    CONF_OPTIONAL(D, cpu_asked, "cpuAsked", cpu_desc, CF_LIVE | CF_STATUS | CF_NO_COMPARE, "CPU before the start"),
    CONF_STRUCT(D, clock, "clock", clock_desc, CF_ABI, "clock"),
    CONF_ENUM(D, on_poweroff, "on_poweroff/text()", lifecycle_action_names, 0, "when the guest powers off"),
    CONF_ENUM(D, on_reboot, "on_reboot/text()", lifecycle_action_names, 0, "when the guest reboots"),
    CONF_ENUM(D, on_crash, "on_crash/text()", lifecycle_action_names, 0, "when the guest crashes"),
    CONF_ENUM(D, on_lockfailure, "on_lockfailure/text()", lockfailure_names, 0, "when a disk lock is lost"),
    CONF_YESNO(D, pm_s3, "pm/suspend-to-mem/@enabled", CF_ABI, "S3"),
    CONF_YESNO(D, pm_s4, "pm/suspend-to-disk/@enabled", CF_ABI, "S4"),
    CONF_LIST(D, perf, "perf/event", perf_desc, 0, "performance counters"),
    CONF_STR(D, emulator, "devices/emulator/text()", 0, "program"),
    CONF_DEVICES(D, devices, "devices", CF_ABI, "devices"),
    CONF_LIST(D, seclabels, "seclabel", domain_seclabel_desc, 0, "security labels"),
    CONF_LIST(D, keywrap, "keywrap/cipher", keywrap_desc, CF_ABI, "s390 key wrapping"),
    CONF_OPTIONAL(D, launch_security, "launchSecurity", launch_security_desc, CF_ABI, "encrypted guests"),
    CONF_CUSTOM_VIEW(namespaces, "", "elements of drivers"),
    CONF_OPTIONAL(D, qemu, NULL, qemu_namespace_desc, 0, ""),
    CONF_STR(D, other_namespace, NULL, 0, ""),
    CONF_HIDDEN(D, genid_set, 0), CONF_HIDDEN(D, uuid_generated, CF_NO_COMPARE), CONF_HIDDEN(D, document_id, CF_NO_COMPARE),
};
CONF_DESC(domain_desc, DomainDef, domain_rows);
#undef D
/* clang-format on */

/* ---- values ---- */

DomainDef *domain_new(void)
{
    DomainDef *d = g_new0(DomainDef, 1);
    d->devices = g_ptr_array_new();
    return d;
}

void domain_free(DomainDef *d)
{
    conf_free(&domain_desc, d);
}

DomainDef *domain_copy(const DomainDef *d)
{
    return conf_dup(&domain_desc, d);
}

static bool equal(const DomainDef *a, const DomainDef *b, unsigned only, char **ret_path)
{
    if (ret_path)
        *ret_path = NULL;
    return conf_equal(&domain_desc, a, b, only, ret_path);
}

bool domain_equal(const DomainDef *a, const DomainDef *b, char **ret_path)
{
    return equal(a, b, 0, ret_path);
}

bool domain_abi_equal(const DomainDef *a, const DomainDef *b, char **ret_path)
{
    return equal(a, b, CF_ABI, ret_path);
}

/* ---- devices ---- */

void *domain_next(const DomainDef *d, DeviceKind kind, guint *pos)
{
    while (*pos < d->devices->len) {
        Device *dev = d->devices->pdata[(*pos)++];
        if (dev->kind == kind)
            return dev;
    }
    return NULL;
}

unsigned domain_count(const DomainDef *d, DeviceKind kind)
{
    unsigned n = 0;
    for (guint i = 0; domain_next(d, kind, &i);)
        n++;
    return n;
}

void domain_add_device(DomainDef *d, Device *dev)
{
    g_ptr_array_add(d->devices, dev);
}

void *domain_add(DomainDef *d, DeviceKind kind)
{
    Device *dev = device_new(kind);
    domain_add_device(d, dev);
    return dev;
}

ControllerDef *domain_find_controller(const DomainDef *d, ControllerType type, unsigned index)
{
    ControllerDef *c;
    for (guint i = 0; (c = domain_next(d, DEVICE_CONTROLLER, &i));) {
        if (c->type == type && c->index.set && c->index.v == index)
            return c;
    }
    return NULL;
}

ControllerDef *domain_ensure_controller(DomainDef *d, ControllerType type, unsigned index)
{
    ControllerDef *c = NULL;

    for (unsigned i = 0; i <= index; i++) {
        c = domain_find_controller(d, type, i);
        if (c)
            continue;
        c = domain_add(d, DEVICE_CONTROLLER);
        c->type = type;
        c->index = (OptU32){ 1, i };
    }
    return c;
}

DiskDef *domain_find_disk(const DomainDef *d, const char *dst)
{
    DiskDef *disk;
    for (guint i = 0; (disk = domain_next(d, DEVICE_DISK, &i));) {
        if (!g_strcmp0(disk->dst, dst))
            return disk;
    }
    return NULL;
}

Device *domain_find_alias(const DomainDef *d, const char *alias)
{
    for (guint i = 0; i < d->devices->len; i++) {
        Device *dev = d->devices->pdata[i];
        if (dev->info.alias && !strcmp(dev->info.alias, alias))
            return dev;
    }
    return NULL;
}

/* ---- documents ---- */

bool domain_complete(DomainDef *d, unsigned flags, const ConfPolicy *policy, void *data, GError **err)
{
    if (!domain_resolve(d, flags, err))
        return false;
    if (!(flags & DOMAIN_PARSE_NO_DEFAULTS) && !domain_defaults(d, policy, data, err))
        return false;
    return (flags & DOMAIN_PARSE_NO_VALIDATE) || domain_validate(d, policy, data, err);
}

DomainDef *domain_parse(const char *xml, gsize len, unsigned flags, const ConfPolicy *policy,
                        void *policy_data, GError **err)
{
    g_autoptr(XmlDoc) doc = xml_parse(xml, len, err);
    if (!doc)
        return NULL;
    xmlNode *root = xml_root(doc);
    if (!conf_check_root(root, "domain", err))
        return NULL;
    return domain_parse_element(root, flags, policy, policy_data, err);
}

DomainDef *domain_parse_element(xmlNode *root, unsigned flags, const ConfPolicy *policy, void *policy_data,
                                GError **err)
{
    xmlAttr *id = xmlHasProp(root, (const xmlChar *)"id");
    g_autoptr(DomainDef) d = domain_new();
    g_autoptr(GPtrArray) problems = flags & DOMAIN_PARSE_STRICT ? g_ptr_array_new_with_free_func(g_free) : NULL;
    ConfParser p = { .flags = flags, .root = d, .problems = problems };
    if (!conf_parse(&p, &domain_desc, root, d, err))
        return NULL;
    if (id) {
        id->_private = root->_private;
        d->document_id = (int32_t)g_ascii_strtoll(xml_attr_get(root, "id"), NULL, 10);
    }
    if (!conf_check_unread(&p, root, err) || !domain_complete(d, flags, policy, policy_data, err))
        return NULL;
    return g_steal_pointer(&d);
}

/* The console that stands for the first serial port is written with that port's data. */
static const void *console_of_serial(ConfFormatter *f, const void *dev)
{
    const ChrDef *console = dev;
    ChrDef *tmp = f->substitute_data;
    guint i = 0;

    if (console->dev.kind != DEVICE_CONSOLE || !console->is_serial_alias)
        return dev;
    const ChrDef *serial = domain_next(f->root, DEVICE_SERIAL, &i);
    if (!serial)
        return dev;
    *tmp = *serial; /* shallow: only read while it is formatted */
    tmp->dev.kind = DEVICE_CONSOLE;
    tmp->target = CONSOLE_SERIAL;
    tmp->tty = serial->src.type == CHR_PTY ? serial->src.path : NULL;
    return tmp;
}

char *domain_format(const DomainDef *d, unsigned flags, const DomainFormatContext *ctx, GError **err)
{
    return domain_format_inside(d, flags, ctx, 0, err);
}

char *domain_format_inside(const DomainDef *d, unsigned flags, const DomainFormatContext *ctx, unsigned indent,
                           GError **err)
{
    g_autoptr(GString) out = g_string_sized_new(8192), tmp = g_string_new(NULL);
    ChrDef console;
    DomainDef as_asked;
    bool live = ctx && ctx->id > 0, inactive_asked = flags & DOMAIN_FORMAT_INACTIVE;
    if (!live && !(flags & DOMAIN_FORMAT_STATUS))
        flags |= DOMAIN_FORMAT_INACTIVE;
    if (d->cpu_asked && (flags & DOMAIN_FORMAT_MIGRATABLE)) { /* who takes it over asks its own emulator */
        as_asked = *d;
        as_asked.cpu = d->cpu_asked;
        d = &as_asked;
    }
    ConfFormatter f = { .flags = flags, .inactive_asked = inactive_asked, .root = d, .tmp = tmp, .substitute = console_of_serial, .substitute_data = &console };

    xml_writer_init(&f.w, out, indent);
    xml_open(&f.w, "domain");
    /* type= first, then id=, as readers are used to see them */
    xml_attr(&f.w, "type", enum_name(&virt_type_names, d->virt));
    if (live && !(flags & DOMAIN_FORMAT_INACTIVE))
        xml_attrf(&f.w, "id", "%d", ctx->id);
    if (d->qemu)
        xml_attr(&f.w, "xmlns:qemu", QEMU_SCHEMA);
    ConfDesc rest = domain_desc;
    (void)conf_step(&domain_desc, 0); /* fill the steps before they are shared */
    rest.rows++;
    rest.steps++;
    rest.n_rows--;
    conf_format(&f, &rest, d);
    conf_format_close(&f);
    xml_close(&f.w);
    if (f.failed) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "rows of domain '%s' are in an order that cannot be written", d->name ? d->name : "");
        return NULL;
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

Device *device_parse(const char *xml, gsize len, unsigned flags, const DomainDef *d,
                     const ConfPolicy *policy, void *policy_data, GError **err)
{
    g_autoptr(XmlDoc) doc = xml_parse(xml, len, err);
    if (!doc)
        return NULL;
    xmlNode *root = xml_root(doc);
    g_autoptr(GPtrArray) problems = flags & DOMAIN_PARSE_STRICT ? g_ptr_array_new_with_free_func(g_free) : NULL;
    ConfParser p = { .flags = flags, .root = d, .problems = problems };
    if (device_kind_find((const char *)root->name) < 0) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "unknown device type '%s'", (const char *)root->name);
        return NULL;
    }
    g_autoptr(Device) dev = device_parse_element(&p, root, err);
    if (!dev || !conf_check_unread(&p, root, err))
        return NULL;
    DeviceKind kind = dev->kind;

    /* The stages of one device run on a copy of the whole, so that all checks see it in place. */
    if (d && !(flags & DOMAIN_PARSE_NO_DEFAULTS)) {
        g_autoptr(DomainDef) whole = domain_copy(d);
        Device *mine = g_steal_pointer(&dev);
        guint at;
        domain_add_device(whole, mine);
        if (!domain_complete(whole, flags, policy, policy_data, err))
            return NULL;
        /* It may have been moved, and a console may have become one with a serial port. */
        if (!g_ptr_array_find(whole->devices, mine, &at)) {
            error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "this %s would be the console of the first serial port, "
                      "not a device of its own", device_kind_element(kind));
            return NULL;
        }
        dev = g_ptr_array_steal_index(whole->devices, at);
    }
    return g_steal_pointer(&dev);
}

char *device_format(const Device *dev, unsigned flags, GError **err)
{
    g_autoptr(GString) out = g_string_new(NULL), tmp = g_string_new(NULL);
    ConfFormatter f = { .flags = flags, .tmp = tmp };

    xml_writer_init(&f.w, out, 0);
    conf_format_element(&f, device_desc(dev->kind), dev, device_kind_element(dev->kind));
    if (f.failed) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "rows of a %s are in an order that cannot be written", device_kind_element(dev->kind));
        return NULL;
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

bool domain_peek_identity(const char *xml, gsize len, char **ret_name, Uuid ret_uuid,
                          bool *ret_has_uuid, GError **err)
{
    static const char *const names[] = { "name", "uuid" };
    char *values[2];
    Uuid u = { 0 };

    if (!xml_peek(xml, len, "domain", names, 2, values, err))
        return false;
    g_autofree char *name = values[0], *uuid = values[1];
    if (!name || !*name) {
        error_set(err, VIR_ERR_NO_NAME, "<domain>");
        return false;
    }
    if (uuid && *uuid && !uuid_parse(uuid, u)) {
        error_set(err, VIR_ERR_XML_ERROR, "domain/uuid: malformed uuid '%.100s'", uuid);
        return false;
    }
    memcpy(ret_uuid, u, sizeof(u));
    *ret_has_uuid = uuid && *uuid;
    *ret_name = g_steal_pointer(&name);
    return true;
}
