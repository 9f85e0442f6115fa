/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Boot, machine features, clock and SMBIOS data as rows. */
#include "conf/domain_os.h"

#include <string.h>

#include "conf/device-internal.h"
#include "util/api.h"
#include "util/error.h"

/* clang-format off */
ENUM_TABLE(os_type_names, "os type", _OS_TYPE_N, NULL, "hvm", "xen", "linux", "exe", "uml", "xenpvh");
ENUM_TABLE(boot_dev_names, "boot device", _BOOT_DEV_N, "fd", "cdrom", "hd", "network");
ENUM_TABLE(os_firmware_names, "firmware", _OS_FIRMWARE_N, NULL, "bios", "efi");
ENUM_TABLE(firmware_feature_names, "firmware feature", _FIRMWARE_FEATURE_N, NULL, "enrolled-keys", "secure-boot");
ENUM_TABLE(loader_type_names, "loader type", _LOADER_TYPE_N, NULL, "rom", "pflash");
ENUM_TABLE(smbios_mode_names, "smbios mode", _SMBIOS_MODE_N, "none", "emulate", "host", "sysinfo");
ENUM_TABLE(sysinfo_type_names, "sysinfo type", _SYSINFO_TYPE_N, "smbios", "fwcfg");
ENUM_TABLE(ioapic_names, "ioapic driver", _IOAPIC_N, NULL, "qemu", "kvm");
ENUM_TABLE(gic_names, "gic version", _GIC_N, NULL, "host", "2", "3");
ENUM_TABLE(hpt_names, "hpt resizing", _HPT_N, NULL, "enabled", "disabled", "required");
ENUM_TABLE(caps_policy_names, "capabilities policy", _CAPS_POLICY_N, NULL, "default", "allow", "deny");
ENUM_TABLE(hyperv_mode_names, "hyperv mode", _HYPERV_MODE_N, NULL, "custom", "passthrough", "host-model");
ENUM_TABLE(xen_passthrough_names, "passthrough mode", _XEN_PASSTHROUGH_N, NULL, "sync_pt", "share_pt");
ENUM_TABLE(pseries_level_names, "value", _PSERIES_LEVEL_N, NULL, "broken", "workaround", "fixed-ibs", "fixed-ccd", "fixed-na", "fixed");
ENUM_TABLE(clock_offset_names, "clock offset", _CLOCK_OFFSET_N, "utc", "localtime", "variable", "timezone", "absolute");
ENUM_TABLE(clock_basis_names, "clock basis", _CLOCK_BASIS_N, "utc", "localtime");
ENUM_TABLE(timer_name_names, "timer", _TIMER_NAME_N, "platform", "pit", "rtc", "hpet", "tsc", "kvmclock", "hypervclock", "armvtimer");
ENUM_TABLE(timer_track_names, "track", _TIMER_TRACK_N, NULL, "boot", "guest", "wall", "realtime");
ENUM_TABLE(timer_tick_names, "tickpolicy", _TIMER_TICK_N, NULL, "delay", "catchup", "merge", "discard");
ENUM_TABLE(timer_mode_names, "timer mode", _TIMER_MODE_N, NULL, "auto", "native", "emulate", "paravirt", "smpsafe");

/* ---- os ---- */

static const ConfField boot_item_rows[] = { CONF_ENUM(BootItem, dev, "@dev", boot_dev_names, CF_REQUIRED | CF_ALWAYS, "kind of device") };
CONF_DESC(boot_item_desc, BootItem, boot_item_rows);

static const ConfField fw_feature_rows[] = {
    CONF_YESNO(FirmwareFeatureDef, enabled, "@enabled", CF_REQUIRED, "wanted or not"),
    CONF_ENUM(FirmwareFeatureDef, name, "@name", firmware_feature_names, CF_REQUIRED, "feature"),
};
CONF_DESC(firmware_feature_desc, FirmwareFeatureDef, fw_feature_rows);

static const ConfField loader_rows[] = {
    CONF_YESNO(OsLoader, readonly, "@readonly", 0, "the guest may not write"),
    CONF_YESNO(OsLoader, secure, "@secure", CF_ABI, "secure boot"),
    CONF_ENUM(OsLoader, type, "@type", loader_type_names, 0, "how it is mapped"),
    CONF_YESNO(OsLoader, stateless, "@stateless", 0, "without variables"),
    CONF_ENUM(OsLoader, format, "@format", storage_format_names, 0, "image format"),
    CONF_STR(OsLoader, path, "text()", 0, "firmware image"),
    CONF_PAD(OsLoader, _pad),
};
static bool loader_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    OsLoader *l = v;
    if (l->path && !*l->path)
        g_clear_pointer(&l->path, g_free);
    if (l->format == FORMAT_RAW)
        l->format = FORMAT_NONE;
    return true;
}
CONF_DESC(os_loader_desc, OsLoader, loader_rows, .parsed = loader_parsed);

/* With @type the variables are a storage source, without it the text is a path. */
static bool nvram_source_parse(ConfParser *p, const ConfField *row, xmlNode *el, void *base, GError **err)
{
    OsNvram *n = base;

    if (!xml_attr_get(el, "type")) {
        g_autofree char *text = xml_text_dup(el);
        n->path = *g_strstrip(text) ? g_steal_pointer(&text) : NULL;
        return true;
    }
    if (!xml_child(el, "source")) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "'source' is missing");
        return false;
    }
    n->src = g_new0(StorageSource, 1);
    return conf_parse(p, &storage_desc, el, n->src, err);
}
static void nvram_source_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    const OsNvram *n = base;
    if (n->src)
        conf_format(f, &storage_desc, n->src);
    else if (n->path)
        xml_text(&f->w, n->path);
}
static const ConfCustom nvram_source = { nvram_source_parse, nvram_source_format, CONF_READS("text()", "@type"), &storage_desc };
static const ConfField nvram_var_rows[] = {
    CONF_STR(OsNvram, templ, "@template", 0, "initial variables"),
    CONF_ENUM(OsNvram, templ_format, "@templateFormat", storage_format_names, 0, "image format"),
    CONF_ENUM(OsNvram, format, "@format", storage_format_names, 0, "image format"),
    CONF_CUSTOM(OsNvram, path, "", nvram_source, &conf_str, 0, "variables"),
    CONF_OPTIONAL(OsNvram, src, NULL, storage_desc, 0, ""),
};
CONF_DESC(os_nvram_desc, OsNvram, nvram_var_rows);

static const ConfField acpi_table_rows[] = {
    CONF_CONST_REQUIRED("@type", "slic"),
    CONF_STR(AcpiTable, path, "text()", CF_REQUIRED, "file"),
};
CONF_DESC(acpi_table_desc, AcpiTable, acpi_table_rows);

static const ConfField init_env_rows[] = {
    CONF_STR(NameValue, name, "@name", CF_REQUIRED, "variable"),
    CONF_STR(NameValue, value, "text()", CF_REQUIRED, "value"),
};
CONF_DESC(init_env_desc, NameValue, init_env_rows);

static const ConfField os_rows[] = {
    CONF_ENUM(OsDef, firmware, "@firmware", os_firmware_names, CF_ABI, "choose a firmware"),
    CONF_STR(OsDef, arch, "type/@arch", CF_ABI, "CPU architecture"),
    CONF_STR(OsDef, machine, "type/@machine", CF_ABI, "machine type"),
    CONF_ENUM(OsDef, type, "type/text()", os_type_names, CF_ABI, "hvm, xen, exe"),
    CONF_LIST(OsDef, firmware_features, "firmware/feature", firmware_feature_desc, 0, "what the firmware must have"),
    CONF_STR(OsDef, init, "init/text()", 0, "first program of a container"),
    CONF_LIST(OsDef, init_args, "initarg", str_text_desc, 0, "its arguments"),
    CONF_LIST(OsDef, init_env, "initenv", init_env_desc, 0, "its environment"),
    CONF_STR(OsDef, init_dir, "initdir/text()", 0, "its directory"),
    CONF_STR(OsDef, init_user, "inituser/text()", 0, "its user"),
    CONF_STR(OsDef, init_group, "initgroup/text()", 0, "its group"),
    CONF_OPTIONAL(OsDef, loader, "loader", os_loader_desc, CF_ABI, "firmware image"),
    CONF_OPTIONAL(OsDef, nvram, "nvram", os_nvram_desc, 0, "firmware variables"),
    CONF_STR(OsDef, varstore.templ, "varstore/@template", 0, "initial variables"),
    CONF_STR(OsDef, varstore.path, "varstore/@path", 0, "variables that the emulator keeps itself"),
    CONF_STR(OsDef, kernel, "kernel/text()", 0, "kernel to boot directly"),
    CONF_STR(OsDef, initrd, "initrd/text()", 0, "initial RAM disk"),
    CONF_STR(OsDef, cmdline, "cmdline/text()", 0, "kernel command line"),
    CONF_STR(OsDef, dtb, "dtb/text()", 0, "device tree"),
    CONF_STR(OsDef, root, "root/text()", 0, "root device"),
    CONF_STR(OsDef, shim, "shim/text()", 0, "shim"),
    CONF_LIST(OsDef, acpi_tables, "acpi/table", acpi_table_desc, CF_ABI, "ACPI tables"),
    CONF_LIST(OsDef, boot, "boot", boot_item_desc, CF_ABI, "boot order by kind of device"),
    CONF_YESNO(OsDef, bootmenu, "bootmenu/@enable", CF_ABI, "interactive menu"),
    CONF_OPT32(OsDef, bootmenu_timeout, "bootmenu/@timeout", CF_ABI, "milliseconds", CONF_NUM(num_u16)),
    CONF_YESNO(OsDef, bios_useserial, "bios/@useserial", CF_ABI, "messages on the serial port"),
    CONF_OPTI32(OsDef, bios_reboot_timeout, "bios/@rebootTimeout", CF_ABI, "milliseconds, -1: never"),
    CONF_ENUM(OsDef, smbios, "smbios/@mode", smbios_mode_names, CF_ABI, "where SMBIOS data comes from"),
    CONF_STR(OsDef, bootloader, NULL, 0, ""), CONF_STR(OsDef, bootloader_args, NULL, CF_NO_COMPARE, ""),
    CONF_PAD(OsDef, _pad),
};
CONF_DESC(os_desc, OsDef, os_rows);

/* ---- features ---- */

#define V HypervFeatures
static const ConfField hyperv_rows[] = {
    CONF_ENUM(V, mode, "@mode", hyperv_mode_names, CF_ABI, "these, or all of the host"),
    CONF_STATE(V, relaxed, "relaxed", CF_ABI, ""), CONF_STATE(V, vapic, "vapic", CF_ABI, ""),
    CONF_STATE(V, spinlocks, "spinlocks", CF_ABI, ""), CONF_U32(V, spinlock_retries, "spinlocks/@retries", CF_ABI, "at least 4095"),
    CONF_STATE(V, vpindex, "vpindex", CF_ABI, ""), CONF_STATE(V, runtime, "runtime", CF_ABI, ""),
    CONF_STATE(V, synic, "synic", CF_ABI, ""), CONF_STATE(V, stimer, "stimer", CF_ABI, ""),
    CONF_STATE(V, stimer_direct, "stimer/direct", CF_ABI, ""), CONF_STATE(V, reset, "reset", CF_ABI, ""),
    CONF_STATE(V, vendor_id, "vendor_id", CF_ABI, ""), CONF_STR(V, vendor_id_value, "vendor_id/@value", CF_ABI, "up to 12 characters"),
    CONF_STATE(V, frequencies, "frequencies", CF_ABI, ""), CONF_STATE(V, reenlightenment, "reenlightenment", CF_ABI, ""),
    CONF_STATE(V, tlbflush, "tlbflush", CF_ABI, ""), CONF_STATE(V, tlbflush_direct, "tlbflush/direct", CF_ABI, ""),
    CONF_STATE(V, tlbflush_extended, "tlbflush/extended", CF_ABI, ""), CONF_STATE(V, ipi, "ipi", CF_ABI, ""),
    CONF_STATE(V, evmcs, "evmcs", CF_ABI, ""), CONF_STATE(V, avic, "avic", CF_ABI, ""),
    CONF_STATE(V, emsr_bitmap, "emsr_bitmap", CF_ABI, ""), CONF_STATE(V, xmm_input, "xmm_input", CF_ABI, ""),
};
static bool hyperv_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    V *h = v;
    if (h->mode == HYPERV_MODE_NONE)
        h->mode = HYPERV_MODE_CUSTOM;
    if (h->spinlocks == TRI_YES && h->spinlock_retries < 0xfff) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "HyperV spinlock retry count must be at least 4095");
        return false;
    }
    return true;
}
CONF_DESC(hyperv_desc, HypervFeatures, hyperv_rows, .parsed = hyperv_parsed);
#undef V

#define GIVEN (CF_ABI | CF_REQUIRED | CF_IF_ELEMENT)
static const ConfField kvm_rows[] = {
    CONF_ONOFF(KvmFeatures, hidden, "hidden/@state", GIVEN, "hide the hypervisor"),
    CONF_ONOFF(KvmFeatures, hint_dedicated, "hint-dedicated/@state", GIVEN, "CPUs are not shared"),
    CONF_ONOFF(KvmFeatures, poll_control, "poll-control/@state", GIVEN, "the guest polls"),
    CONF_ONOFF(KvmFeatures, pv_ipi, "pv-ipi/@state", GIVEN, "paravirtual IPIs"),
    CONF_ONOFF(KvmFeatures, dirty_ring, "dirty-ring/@state", GIVEN, "dirty page ring"),
    CONF_U32(KvmFeatures, dirty_ring_size, "dirty-ring/@size", CF_ABI, "entries"),
};
#undef GIVEN
static bool kvm_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    const KvmFeatures *k = v;
    uint32_t n = k->dirty_ring_size;

    if (k->dirty_ring != TRI_YES || (n >= 1024 && n <= 65536 && !(n & (n - 1))))
        return true;
    conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "dirty ring must be power of 2 and ranges [1024, 65536]");
    return false;
}
CONF_DESC(kvm_desc, KvmFeatures, kvm_rows, .parsed = kvm_parsed);

static const ConfField xen_rows[] = {
    CONF_STATE(XenFeatures, e820_host, "e820_host", CF_ABI, "memory map of the host"),
    CONF_STATE(XenFeatures, passthrough, "passthrough", CF_ABI, "IOMMU mappings"),
    CONF_ENUM(XenFeatures, passthrough_mode, "passthrough/@mode", xen_passthrough_names, CF_ABI, "how they are kept"),
    CONF_PAD(XenFeatures, _pad),
};
CONF_DESC(xen_desc, XenFeatures, xen_rows);

static const ConfField caps_feature_rows[] = {
    CONF_STR(CapsFeature, name, "name()", 0, "capability"),
    CONF_ONOFF(CapsFeature, state, "@state", CF_ON_IF_PRESENT, "given or taken"),
    CONF_PAD(CapsFeature, _pad),
};
CONF_DESC(caps_feature_desc, CapsFeature, caps_feature_rows);

#define F Features
static const ConfField features_rows[] = {
    CONF_FLAG(F, acpi, "acpi", CF_ABI, "ACPI"),
    CONF_FLAG(F, apic, "apic", CF_ABI, "APIC"), CONF_ONOFF(F, apic_eoi, "apic/@eoi", CF_ABI, "paravirtual end of interrupt"),
    CONF_FLAG(F, pae, "pae", CF_ABI, "PAE"),
    CONF_STATE(F, hap, "hap", CF_ABI, "hardware assisted paging"),
    CONF_FLAG(F, viridian, "viridian", CF_ABI, "xen: hyperv interface"),
    CONF_FLAG(F, privnet, "privnet", 0, "own network namespace"),
    CONF_OPTIONAL(F, hyperv, "hyperv", hyperv_desc, CF_ABI, "hyperv enlightenments"),
    CONF_OPTIONAL(F, kvm, "kvm", kvm_desc, CF_ABI, "kvm features"),
    CONF_STATE(F, pvspinlock, "pvspinlock", CF_ABI, "paravirtual spinlocks"),
    CONF_ENUM(F, capabilities_policy, "capabilities/@policy", caps_policy_names, 0, "of containers"),
    CONF_LIST(F, capabilities, "capabilities/*", caps_feature_desc, 0, "exceptions to the policy"),
    CONF_STATE(F, pmu, "pmu", CF_ABI, "performance counters"),
    CONF_STATE(F, vmport, "vmport", CF_ABI, "VMware port"),
    CONF_FLAG(F, gic, "gic", CF_ABI, "interrupt controller"),
    CONF_ENUM(F, gic_version, "gic/@version", gic_names, CF_ABI, "its version"),
    CONF_STATE(F, smm, "smm", CF_ABI, "system management mode"),
    CONF_PRETTY(F, tseg, "smm/tseg/text()", size_mib_in_bytes, CF_ABI, "its memory"),
    CONF_ENUM(F, ioapic, "ioapic/@driver", ioapic_names, CF_ABI, "who emulates it"),
    CONF_FLAG(F, hpt_given, "hpt", CF_ABI, "hash page table"),
    CONF_ENUM(F, hpt, "hpt/@resizing", hpt_names, CF_ABI, "resizing"),
    CONF_SIZE(F, hpt_maxpagesize, "hpt/maxpagesize/text()", size_kib, CF_ABI, "largest page"),
    CONF_STATE(F, vmcoreinfo, "vmcoreinfo", CF_ABI, "crash dump information"),
    CONF_STATE(F, htm, "htm", CF_ABI, "hardware transactional memory"),
    CONF_STATE(F, nested_hv, "nested-hv", CF_ABI, "nested guests"),
    CONF_STR(F, msrs_unknown, "msrs/@unknown", CF_ABI, "access to unknown registers"),
    CONF_STATE(F, ccf_assist, "ccf-assist", CF_ABI, "count cache flush"),
    CONF_OPTIONAL(F, xen, "xen", xen_desc, CF_ABI, "xen features"),
    CONF_ENUM(F, cfpc, "cfpc/@value", pseries_level_names, CF_ABI, "cache flush on privilege change"),
    CONF_ENUM(F, sbbc, "sbbc/@value", pseries_level_names, CF_ABI, "speculation barrier"),
    CONF_ENUM(F, ibs, "ibs/@value", pseries_level_names, CF_ABI, "indirect branch speculation"),
    CONF_SIZE(F, tcg_tb_cache, "tcg/tb-cache/text()", size_kib, 0, "translation cache"),
    CONF_YESNO(F, async_teardown, "async-teardown/@enabled", 0, "free memory in the background"),
    CONF_STATE(F, ras, "ras", CF_ABI, "memory errors reach the guest"),
    CONF_STATE(F, ps2, "ps2", CF_ABI, "ps2 controller"),
    CONF_STR(F, aia, "aia/@value", CF_ABI, "riscv interrupt architecture"),
    CONF_HIDDEN(F, msrs_unknown_given, CF_NO_COMPARE), CONF_HIDDEN(F, aia_given, CF_NO_COMPARE),
    CONF_PAD(F, _pad), CONF_PAD(F, _pad2), CONF_PAD(F, _pad3),
};
#undef F
CONF_DESC(features_desc, Features, features_rows);

/* ---- clock ---- */

static const ConfField catchup_rows[] = {
    CONF_U64(TimerCatchup, threshold, "@threshold", CF_ABI, "ns"),
    CONF_U64(TimerCatchup, slew, "@slew", CF_ABI, "percent"),
    CONF_U64(TimerCatchup, limit, "@limit", CF_ABI, "ns"),
};
CONF_DESC(catchup_desc, TimerCatchup, catchup_rows);

#define T ClockTimer
static const ConfField timer_rows[] = {
    CONF_ENUM(T, name, "@name", timer_name_names, CF_REQUIRED | CF_ALWAYS | CF_ABI, "timer"),
    CONF_YESNO(T, present, "@present", CF_ABI, "whether the guest sees it"),
    CONF_ENUM(T, tickpolicy, "@tickpolicy", timer_tick_names, CF_ABI, "lost ticks"),
    CONF_ENUM(T, track, "@track", timer_track_names, CF_ABI, "clock that it follows"),
    CONF_U64(T, frequency, "@frequency", CF_ABI, "Hz"),
    CONF_ENUM(T, mode, "@mode", timer_mode_names, CF_ABI, "tsc: native or emulated"),
    CONF_OPTIONAL(T, catchup, "catchup", catchup_desc, CF_ABI, "how ticks are caught up"),
    CONF_PAD(T, _pad),
};
#undef T
CONF_DESC(clock_timer_desc, ClockTimer, timer_rows);

/* "reset" or seconds; seconds with utc or localtime are an older spelling of "variable". */
static bool adjustment_parse(ConfParser *p, const ConfField *row, xmlNode *el, void *base, GError **err)
{
    ClockDef *c = base;
    xmlAttr *a = xmlHasProp(el, (const xmlChar *)"adjustment");
    const char *text = xml_attr_get(el, "adjustment");

    if (!text || c->offset == CLOCK_TIMEZONE || c->offset == CLOCK_ABSOLUTE)
        return true;
    a->_private = el->_private;
    if (c->offset != CLOCK_VARIABLE && !strcmp(text, "reset")) {
        c->adjustment_reset = 1;
        return true;
    }
    const ConfField number = { .arg = NULL };
    if (!conf_i64.parse(&number, text, NULL, &c->adjustment, NULL, err)) {
        conf_prefix_at(err, el, "adjustment");
        return false;
    }
    c->adjustment_set = c->offset != CLOCK_VARIABLE;
    return true;
}
static void adjustment_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    const ClockDef *c = base;
    if (c->offset == CLOCK_VARIABLE)
        xml_attrf(&f->w, "adjustment", "%" G_GINT64_FORMAT, c->adjustment);
    else if (c->adjustment_reset)
        xml_attr(&f->w, "adjustment", "reset");
}
static const ConfCustom adjustment = { adjustment_parse, adjustment_format, CONF_READS("@adjustment") };

static bool clock_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    ClockDef *c = v;
    if (c->adjustment_set && (c->offset == CLOCK_UTC || c->offset == CLOCK_LOCALTIME)) {
        c->basis = c->offset == CLOCK_UTC ? CLOCK_BASIS_UTC : CLOCK_BASIS_LOCALTIME;
        c->offset = CLOCK_VARIABLE;
    }
    c->adjustment_set = 0;
    return true;
}
static const ConfField clock_rows[] = {
    CONF_ENUM(ClockDef, offset, "@offset", clock_offset_names, CF_ALWAYS | CF_ABI, "what the guest's clock shows"),
    CONF_CUSTOM(ClockDef, adjustment, "", adjustment, &conf_i64, 0, "seconds, or reset"),
    CONF_ENUM(ClockDef, basis, "@basis", clock_basis_names, CF_ALWAYS, "what the seconds are added to", WHEN(ClockDef, offset, BIT(CLOCK_VARIABLE))),
    CONF_STR(ClockDef, timezone, "@timezone", CF_REQUIRED, "name of the zone", WHEN(ClockDef, offset, BIT(CLOCK_TIMEZONE))),
    CONF_I64(ClockDef, start, "@start", CF_REQUIRED | CF_ALWAYS, "seconds since the epoch", WHEN(ClockDef, offset, BIT(CLOCK_ABSOLUTE))),
    CONF_LIST(ClockDef, timers, "timer", clock_timer_desc, CF_ABI, "timers"),
    CONF_HIDDEN(ClockDef, adjustment_reset, 0), CONF_HIDDEN(ClockDef, adjustment_set, CF_NO_COMPARE),
};
CONF_DESC(clock_desc, ClockDef, clock_rows, .parsed = clock_parsed);

/* ---- sysinfo ---- */

static const ConfField entry_rows[] = {
    CONF_STR(SysinfoEntry, name, "@name", CF_REQUIRED, "which datum"),
    CONF_STR(SysinfoEntry, value, "text()", 0, "its value"),
    CONF_STR(SysinfoEntry, file, NULL, 0, ""),
};
CONF_DESC(sysinfo_entry_desc, SysinfoEntry, entry_rows);

static const ConfField fwcfg_rows[] = {
    CONF_STR(SysinfoEntry, name, "@name", CF_REQUIRED, "name in the guest"),
    CONF_STR(SysinfoEntry, file, "@file", 0, "file with the content"),
    CONF_STR(SysinfoEntry, value, "text()", 0, "content"),
};
static bool fwcfg_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    SysinfoEntry *e = v;
    if (e->value && !*e->value)
        g_clear_pointer(&e->value, g_free);
    if (!e->value == !e->file) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "either a value or a file is needed");
        return false;
    }
    return true;
}
CONF_DESC(fwcfg_entry_desc, SysinfoEntry, fwcfg_rows, .parsed = fwcfg_parsed);

static const ConfField board_rows[] = { CONF_LIST(SysinfoBoard, entries, "entry", sysinfo_entry_desc, 0, "data of the board") };
CONF_DESC(sysinfo_board_desc, SysinfoBoard, board_rows);

#define S Sysinfo
#define SMBIOS WHEN(S, type, BIT(SYSINFO_SMBIOS))
static const ConfField sysinfo_rows[] = {
    CONF_ENUM(S, type, "@type", sysinfo_type_names, CF_REQUIRED | CF_ALWAYS, "how the guest finds it"),
    CONF_LIST(S, bios, "bios/entry", sysinfo_entry_desc, CF_ABI, "firmware", SMBIOS),
    CONF_LIST(S, system, "system/entry", sysinfo_entry_desc, CF_ABI, "computer", SMBIOS),
    CONF_LIST(S, boards, "baseBoard", sysinfo_board_desc, CF_ABI, "boards", SMBIOS),
    CONF_LIST(S, chassis, "chassis/entry", sysinfo_entry_desc, CF_ABI, "chassis", SMBIOS),
    CONF_LIST(S, oem_strings, "oemStrings/entry", str_text_desc, CF_ABI, "vendor's strings", SMBIOS),
    CONF_LIST(S, fwcfg, "entry", fwcfg_entry_desc, CF_ABI, "files for the firmware", WHEN(S, type, BIT(SYSINFO_FWCFG))),
    CONF_PAD(S, _pad),
};
#undef S
CONF_DESC(sysinfo_desc, Sysinfo, sysinfo_rows);
