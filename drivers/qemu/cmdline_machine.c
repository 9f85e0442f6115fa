/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The machine itself: type and its options, accelerator, firmware, CPUs, SMBIOS, clock, power management,
 * boot.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/qemu/cmdline-internal.h"

static const char *const pseries_level_words[_PSERIES_LEVEL_N] = {
    [PSERIES_BROKEN] = "broken",       [PSERIES_WORKAROUND] = "workaround", [PSERIES_FIXED_IBS] = "fixed-ibs",
    [PSERIES_FIXED_CCD] = "fixed-ccd", [PSERIES_FIXED_NA] = "fixed-na",     [PSERIES_FIXED] = "fixed",
};

static void opt_onoff(GString *s, const char *name, Tristate t)
{
    if (t != TRI_ABSENT)
        g_string_append_printf(s, ",%s=%s", name, onoff(t));
}

static const IommuDef *first_iommu(const Cmd *c)
{
    guint pos = 0;
    return domain_next(c->def, DEVICE_IOMMU, &pos);
}

static void machine_pseries(GString *s, const Features *f)
{
    if (f->hpt != HPT_NONE)
        g_string_append_printf(s, ",resize-hpt=%s", enum_name(&hpt_names, f->hpt));
    if (f->hpt_maxpagesize)
        g_string_append_printf(s, ",cap-hpt-max-page-size=%" G_GUINT64_FORMAT "k", f->hpt_maxpagesize);
    opt_onoff(s, "cap-htm", f->htm);
    opt_onoff(s, "cap-nested-hv", f->nested_hv);
    opt_onoff(s, "cap-ccf-assist", f->ccf_assist);
    static const char *const names[] = { "cap-cfpc", "cap-sbbc", "cap-ibs" };
    const PseriesLevel levels[] = { f->cfpc, f->sbbc, f->ibs };
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if (levels[i] != PSERIES_LEVEL_NONE)
            g_string_append_printf(s, ",%s=%s", names[i], pseries_level_words[levels[i]]);
    }
}

static Tristate timer_present(const Cmd *c, TimerName name)
{
    for (unsigned i = 0; i < list_len(c->def->clock.timers); i++) {
        const ClockTimer *t = list_at(c->def->clock.timers, i);
        if (t->name == name)
            return t->present;
    }
    return TRI_ABSENT;
}

static bool has_memory_model(const Cmd *c, MemoryModel model)
{
    guint pos = 0;
    const MemoryDef *m;
    while ((m = domain_next(c->def, DEVICE_MEMORY, &pos))) {
        if (m->model == model)
            return true;
    }
    return false;
}

static bool has_hmat(const Cmd *c)
{
    const CpuDef *cpu = c->def->cpu;
    if (cpu && list_len(cpu->interconnects))
        return true;
    for (unsigned i = 0; cpu && i < list_len(cpu->cells); i++) {
        if (list_len(((const NumaCell *)list_at(cpu->cells, i))->caches))
            return true;
    }
    return false;
}

bool cmd_machine(Cmd *c, GError **err)
{
    const DomainDef *d = c->def;
    const Features *f = &d->features;
    if (!d->os.machine)
        return qemu_refuse(err, "os/type: no machine, and the emulator tells no default");
    if (d->os.firmware == FIRMWARE_EFI && !d->os.loader)
        return qemu_refuse(err, "os: no firmware has been selected for firmware='efi'");
    GString *s = g_string_new(NULL);

    props_escape(s, d->os.machine);
    g_string_append(s, ",usb=off");
    for (unsigned i = 0; i < list_len(d->keywrap); i++) {
        const KeywrapDef *k = list_at(d->keywrap, i);
        g_string_append_printf(s, ",%s-key-wrap=%s", k->name, onoff(k->state));
    }
    opt_onoff(s, "vmport", f->vmport);
    opt_onoff(s, "smm", f->smm);
    /* Interrupt remapping needs the I/O APIC outside the kernel. */
    if (f->ioapic == IOAPIC_QEMU)
        g_string_append(s, ",kernel_irqchip=split");
    else if (f->ioapic == IOAPIC_KVM)
        g_string_append(s, ",kernel_irqchip=on");
    const IommuDef *iommu = first_iommu(c);
    if (iommu && iommu->model == IOMMU_SMMUV3)
        g_string_append(s, ",iommu=smmuv3");
    if (f->gic && f->gic_version != GIC_NONE) {
        /* The emulator's own default goes without saying on machines that know no other. */
        if (f->gic_version != GIC_2 || qemu_machine_is_arm_virt(d))
            g_string_append_printf(s, ",gic-version=%s", enum_name(&gic_names, f->gic_version));
    }
    if (qemu_machine_is_pseries(d))
        machine_pseries(s, f);
    Tristate dump = d->dump_core != TRI_ABSENT ? d->dump_core : c->ctx->dump_guest_core ? TRI_YES : TRI_NO;
    opt_onoff(s, "dump-guest-core", dump);
    if (d->backing && d->backing->nosharepages)
        g_string_append(s, ",mem-merge=off");
    if (has_memory_model(c, MEMORY_NVDIMM))
        g_string_append(s, ",nvdimm=on");
    if (has_hmat(c))
        g_string_append(s, ",hmat=on");
    if (cmd_uses_ram_backend(c)) {
        const QemuMachine *m = qemu_caps_machine(c->caps, qemu_accel_from_name(enum_name(&virt_type_names, d->virt)),
                                                 d->os.machine);
        g_string_append_printf(s, ",memory-backend=%s", m->default_ram_id);
    }
    if (arch_is_ppc64(d->os.arch) && d->cpu && d->cpu->mode == CPU_MODE_HOST_MODEL && d->cpu->model)
        g_string_append_printf(s, ",max-cpu-compat=%s", d->cpu->model);
    if (d->os.loader && d->os.loader->type == LOADER_PFLASH) {
        g_string_append(s, ",pflash0=libvirt-pflash0-format");
        if (d->os.nvram)
            g_string_append(s, ",pflash1=libvirt-pflash1-format");
    }
    if (d->launch_security)
        g_string_append(s, ",confidential-guest-support=lsec0");
    if (arch_is_x86(d->os.arch) && cmd_has(c, QEMU_CAP_MACHINE_HPET))
        opt_onoff(s, "hpet", timer_present(c, TIMER_HPET));
    guint pos = 0;
    const SoundDef *sound;
    while ((sound = domain_next(d, DEVICE_SOUND, &pos))) {
        g_autofree char *audio = sound->model == SOUND_PCSPK ? cmd_sound_audio(c, sound) : NULL;
        if (audio)
            g_string_append_printf(s, ",pcspk-audiodev=%s", audio);
    }
    pos = 0;
    const MemoryDef *m;
    unsigned epc = 0;
    while ((m = domain_next(d, DEVICE_MEMORY, &pos))) {
        if (m->model != MEMORY_SGX_EPC)
            continue;
        g_string_append_printf(s, ",sgx-epc.%u.memdev=mem%s", epc, m->dev.info.alias);
        if (m->node.set)
            g_string_append_printf(s, ",sgx-epc.%u.node=%u", epc, m->node.v);
        epc++;
    }
    cmd_opt(c, "-machine", s->str);
    g_string_free(s, TRUE);
    return true;
}

bool cmd_accel(Cmd *c, GError **err)
{
    const DomainDef *d = c->def;
    switch (d->virt) {
    case VIRT_QEMU:
        if (d->features.tcg_tb_cache)
            cmd_optf(c, "-accel", "tcg,tb-size=%" G_GUINT64_FORMAT, d->features.tcg_tb_cache >> 10);
        else
            cmd_opt(c, "-accel", "tcg");
        break;
    case VIRT_KVM:
        if (d->features.kvm && tri_is_yes(d->features.kvm->dirty_ring))
            cmd_optf(c, "-accel", "kvm,dirty-ring-size=%u", d->features.kvm->dirty_ring_size);
        else
            cmd_opt(c, "-accel", "kvm");
        break;
    case VIRT_HVF:
        cmd_opt(c, "-accel", "hvf");
        break;
    default:
        return qemu_refuse(err, "the QEMU driver does not run guests of type '%s'", enum_name(&virt_type_names, d->virt));
    }
    if (d->features.tseg.set) {
        if (!qemu_machine_is_q35(d))
            return qemu_refuse(err, "smm/tseg is for q35 machines, not '%s'", d->os.machine);
        cmd_optf(c, "-global", "mch.extended-tseg-mbytes=%" G_GUINT64_FORMAT, d->features.tseg.v >> 20);
    }
    return true;
}

/* ---- firmware ---------------------------------------------------------------------------------- */

static bool pflash_node(Cmd *c, const StorageSource *src, unsigned n, bool readonly, GError **err)
{
    g_autofree char *storage = g_strdup_printf("libvirt-pflash%u-storage", n);
    g_autofree char *format = g_strdup_printf("libvirt-pflash%u-format", n);
    if (!cmd_blockdev_storage(c, src, NULL, storage, true, readonly, err))
        return false;
    cmd_json(c, "-blockdev",
             props_new(P_STR("node-name", format), P_BOOL("read-only", readonly),
                       P_STR("driver", src->format == FORMAT_QCOW2 ? "qcow2" : "raw"), P_STR("file", storage)));
    return true;
}

bool cmd_pflash(Cmd *c, GError **err)
{
    const OsLoader *l = c->def->os.loader;
    const OsNvram *n = c->def->os.nvram;
    if (!l || l->type != LOADER_PFLASH)
        return true;
    StorageSource loader = { .type = STORAGE_FILE, .path = l->path, .format = l->format };
    if (!pflash_node(c, &loader, 0, tri_is_yes(l->readonly), err))
        return false;
    if (!n)
        return true;
    StorageSource file = { .type = STORAGE_FILE, .path = n->path, .format = n->format };
    return pflash_node(c, n->src ? n->src : &file, 1, false, err);
}

bool cmd_loader(Cmd *c, GError **err)
{
    const OsLoader *l = c->def->os.loader;
    if (!l)
        return true;
    if (l->type == LOADER_PFLASH) {
        if (tri_is_yes(l->secure))
            cmd_opt(c, "-global", "driver=cfi.pflash01,property=secure,value=on");
    } else if (l->path) {
        cmd_opt(c, "-bios", l->path);
    }
    return true;
}

/* ---- CPUs -------------------------------------------------------------------------------------- */

bool cmd_smp(Cmd *c, GError **err)
{
    const DomainDef *d = c->def;
    const CpuTopology *t = d->cpu ? d->cpu->topology : NULL;
    GString *s = g_string_new(NULL);

    unsigned fixed = qemu_fixed_vcpus(d);
    g_string_append_printf(s, "%u", fixed);
    if (fixed != d->vcpus_max)
        g_string_append_printf(s, ",maxcpus=%u", d->vcpus_max);
    if (t) {
        g_string_append_printf(s, ",sockets=%u", t->sockets);
        if (cmd_has(c, QEMU_CAP_SMP_DIES))
            g_string_append_printf(s, ",dies=%u", MAX(t->dies, 1));
        g_string_append_printf(s, ",cores=%u,threads=%u", t->cores, t->threads);
    } else {
        g_string_append_printf(s, ",sockets=%u,cores=1,threads=1", d->vcpus_max);
    }
    cmd_opt(c, "-smp", s->str);
    g_string_free(s, TRUE);
    return true;
}

/* ---- SMBIOS and fw_cfg --------------------------------------------------------------------------- */

typedef struct SmbiosField {
    const char *name, *option;
} SmbiosField;

static const SmbiosField bios_fields[] = { { "vendor", "vendor" }, { "version", "version" }, { "date", "date" }, { "release", "release" } };
static const SmbiosField system_fields[] = { { "manufacturer", "manufacturer" }, { "product", "product" }, { "version", "version" },
                                             { "serial", "serial" }, { "uuid", "uuid" }, { "sku", "sku" }, { "family", "family" } };
static const SmbiosField board_fields[] = { { "manufacturer", "manufacturer" }, { "product", "product" }, { "version", "version" },
                                            { "serial", "serial" }, { "asset", "asset" }, { "location", "location" } };
static const SmbiosField chassis_fields[] = { { "manufacturer", "manufacturer" }, { "version", "version" }, { "serial", "serial" },
                                              { "asset", "asset" }, { "sku", "sku" } };

static void smbios_table(Cmd *c, unsigned type, const GPtrArray *entries, const SmbiosField *fields, unsigned n)
{
    if (list_len(entries) == 0)
        return;
    GString *s = g_string_new(NULL);
    g_string_append_printf(s, "type=%u", type);
    for (unsigned f = 0; f < n; f++) {
        for (unsigned i = 0; i < list_len(entries); i++) {
            const SysinfoEntry *e = list_at(entries, i);
            if (g_strcmp0(e->name, fields[f].name) != 0 || !e->value)
                continue;
            g_string_append_printf(s, ",%s=", fields[f].option);
            props_escape(s, e->value);
        }
    }
    cmd_opt(c, "-smbios", s->str);
    g_string_free(s, TRUE);
}

static void smbios_sysinfo(Cmd *c, const Sysinfo *in)
{
    smbios_table(c, 0, in->bios, bios_fields, G_N_ELEMENTS(bios_fields));
    smbios_table(c, 1, in->system, system_fields, G_N_ELEMENTS(system_fields));
    for (unsigned i = 0; i < list_len(in->boards); i++)
        smbios_table(c, 2, ((const SysinfoBoard *)list_at(in->boards, i))->entries, board_fields, G_N_ELEMENTS(board_fields));
    smbios_table(c, 3, in->chassis, chassis_fields, G_N_ELEMENTS(chassis_fields));
    if (list_len(in->oem_strings)) {
        GString *s = g_string_new("type=11");
        for (unsigned i = 0; i < list_len(in->oem_strings); i++) {
            const StrItem *o = list_at(in->oem_strings, i);
            g_string_append(s, ",value=");
            props_escape(s, o->s ? o->s : "");
        }
        cmd_opt(c, "-smbios", s->str);
        g_string_free(s, TRUE);
    }
}

bool cmd_smbios(Cmd *c, GError **err)
{
    const DomainDef *d = c->def;
    if (d->os.smbios == SMBIOS_HOST)
        return qemu_refuse(err, "os/smbios mode 'host' is not supported");
    for (unsigned i = 0; d->os.smbios == SMBIOS_SYSINFO && i < list_len(d->sysinfos); i++) {
        const Sysinfo *in = list_at(d->sysinfos, i);
        if (in->type == SYSINFO_SMBIOS)
            smbios_sysinfo(c, in);
    }
    for (unsigned i = 0; i < list_len(d->sysinfos); i++) {
        const Sysinfo *in = list_at(d->sysinfos, i);
        for (unsigned k = 0; in->type == SYSINFO_FWCFG && k < list_len(in->fwcfg); k++) {
            const SysinfoEntry *e = list_at(in->fwcfg, k);
            GString *s = g_string_new("name=");
            props_escape(s, e->name ? e->name : "");
            g_string_append(s, e->file ? ",file=" : ",string=");
            props_escape(s, e->file ? e->file : e->value ? e->value : "");
            cmd_opt(c, "-fw_cfg", s->str);
            g_string_free(s, TRUE);
        }
    }
    return true;
}

/* ---- clock, power management, boot ------------------------------------------------------------- */

static bool rtc_base(Cmd *c, GString *s, GError **err)
{
    const ClockDef *k = &c->def->clock;
    gint64 now = g_get_real_time() / G_USEC_PER_SEC, at;
    switch (k->offset) {
    case CLOCK_UTC:
        g_string_append(s, "base=utc");
        return true;
    case CLOCK_LOCALTIME: case CLOCK_TIMEZONE:
        /* The zone itself goes to the emulator by its environment. */
        if (k->offset == CLOCK_TIMEZONE && k->timezone)
            cmd_env(c, "TZ", k->timezone);
        g_string_append(s, "base=localtime");
        return true;
    case CLOCK_VARIABLE: {
        at = now + k->adjustment;
        if (k->basis == CLOCK_BASIS_LOCALTIME) {
            g_autoptr(GDateTime) local = g_date_time_new_now_local();
            at += g_date_time_get_utc_offset(local) / G_USEC_PER_SEC;
        }
        break;
    }
    case CLOCK_ABSOLUTE:
        at = k->start;
        break;
    case _CLOCK_OFFSET_N: default:
        return qemu_refuse(err, "clock offset is unknown");
    }
    g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(at);
    if (!t)
        return qemu_refuse(err, "clock: time %" G_GINT64_FORMAT " is out of range", at);
    g_autofree char *text = g_date_time_format(t, "%Y-%m-%dT%H:%M:%S");
    g_string_append_printf(s, "base=%s", text);
    return true;
}

static bool clock_timer(Cmd *c, const ClockTimer *t, GString *rtc, GError **err)
{
    const char *name = enum_name(&timer_name_names, t->name);
    switch (t->name) {
    case TIMER_RTC:
        if (t->track == TRACK_GUEST || t->track == TRACK_WALL || t->track == TRACK_REALTIME)
            g_string_append_printf(rtc, ",clock=%s", t->track == TRACK_GUEST ? "vm" : t->track == TRACK_WALL ? "host" : "rt");
        if (t->tickpolicy == TICK_CATCHUP)
            g_string_append(rtc, ",driftfix=slew");
        else if (t->tickpolicy == TICK_MERGE || t->tickpolicy == TICK_DISCARD)
            return qemu_refuse(err, "clock/timer '%s': tick policy '%s' is not supported", name, enum_name(&timer_tick_names, t->tickpolicy));
        return true;
    case TIMER_PIT:
        if (t->tickpolicy == TICK_MERGE)
            return qemu_refuse(err, "clock/timer 'pit': tick policy 'merge' is not supported");
        if (cmd_has(c, QEMU_CAP_KVM_PIT_TICK_POLICY) && t->present != TRI_NO) {
            if (t->tickpolicy == TICK_DELAY || t->tickpolicy == TICK_NONE)
                cmd_opt(c, "-global", "kvm-pit.lost_tick_policy=delay");
            else if (t->tickpolicy == TICK_DISCARD)
                cmd_opt(c, "-global", "kvm-pit.lost_tick_policy=discard");
        }
        return true;
    case TIMER_HPET:
        if (t->present == TRI_NO && !cmd_has(c, QEMU_CAP_MACHINE_HPET) && cmd_has(c, QEMU_CAP_NO_HPET))
            cmd_arg(c, "-no-hpet");
        return true;
    case TIMER_PLATFORM:
        return qemu_refuse(err, "clock/timer '%s' is not supported", name);
    case TIMER_TSC: case TIMER_KVMCLOCK: case TIMER_HYPERVCLOCK: case TIMER_ARMVTIMER: case _TIMER_NAME_N:
        break; /* part of -cpu */
    }
    return true;
}

bool cmd_clock(Cmd *c, GError **err)
{
    GString *rtc = g_string_new(NULL);
    bool ok = rtc_base(c, rtc, err);
    unsigned n = list_len(c->def->clock.timers);
    for (unsigned i = 0; ok && i < n; i++) {
        const ClockTimer *t = list_at(c->def->clock.timers, i);
        if (t->name == TIMER_RTC)
            ok = clock_timer(c, t, rtc, err);
    }
    if (ok)
        cmd_opt(c, "-rtc", rtc->str);
    g_string_free(rtc, TRUE);
    for (unsigned i = 0; ok && i < n; i++) {
        const ClockTimer *t = list_at(c->def->clock.timers, i);
        if (t->name != TIMER_RTC)
            ok = clock_timer(c, t, NULL, err);
    }
    return ok;
}

bool cmd_pm(Cmd *c, GError **err)
{
    const DomainDef *d = c->def;
    cmd_arg(c, "-no-shutdown");
    if (cmd_has(c, QEMU_CAP_NO_ACPI) && !d->features.acpi)
        cmd_arg(c, "-no-acpi");
    if (d->pm_s3 == TRI_ABSENT && d->pm_s4 == TRI_ABSENT)
        return true;
    if (!arch_is_x86(d->os.arch))
        return qemu_refuse(err, "pm/suspend-to-mem and suspend-to-disk are not for %s guests", d->os.arch);
    const char *device = qemu_machine_is_q35(d) ? "ICH9-LPC" : "PIIX4_PM";
    if (d->pm_s3 != TRI_ABSENT)
        cmd_optf(c, "-global", "%s.disable_s3=%d", device, d->pm_s3 == TRI_NO);
    if (d->pm_s4 != TRI_ABSENT)
        cmd_optf(c, "-global", "%s.disable_s4=%d", device, d->pm_s4 == TRI_NO);
    return true;
}

bool cmd_boot(Cmd *c, GError **err)
{
    const OsDef *os = &c->def->os;
    GString *s = g_string_new(NULL);
    if (os->bootmenu != TRI_ABSENT)
        g_string_append_printf(s, "menu=%s,", onoff(os->bootmenu));
    if (os->bootmenu == TRI_YES && os->bootmenu_timeout.set)
        g_string_append_printf(s, "splash-time=%u,", os->bootmenu_timeout.v);
    if (os->bios_reboot_timeout.set)
        g_string_append_printf(s, "reboot-timeout=%d,", os->bios_reboot_timeout.v);
    g_string_append(s, "strict=on");
    cmd_opt(c, "-boot", s->str);
    g_string_free(s, TRUE);
    if (os->kernel)
        cmd_opt(c, "-kernel", os->kernel);
    if (os->initrd)
        cmd_opt(c, "-initrd", os->initrd);
    if (os->cmdline)
        cmd_opt(c, "-append", os->cmdline);
    if (os->dtb)
        cmd_opt(c, "-dtb", os->dtb);
    for (unsigned i = 0; i < list_len(os->acpi_tables); i++) {
        const AcpiTable *t = list_at(os->acpi_tables, i);
        GString *a = g_string_new("sig=SLIC,file=");
        props_escape(a, t->path ? t->path : "");
        cmd_opt(c, "-acpitable", a->str);
        g_string_free(a, TRUE);
    }
    return true;
}

bool cmd_launch_security(Cmd *c, GError **err)
{
    const LaunchSecurityDef *l = c->def->launch_security;
    if (!l)
        return true;
    if (l->type == LAUNCH_S390_PV) {
        cmd_json(c, "-object", props_new(P_STR("qom-type", "s390-pv-guest"), P_STR("id", "lsec0")));
        return true;
    }
    if (l->type != LAUNCH_SEV)
        return qemu_refuse(err, "launchSecurity type '%s' is not supported", enum_name(&launch_security_names, l->type));
    g_autofree char *dh = l->dh_cert ? g_build_filename(c->ctx->lib_dir, "dh_cert.base64", NULL) : NULL;
    g_autofree char *session = l->session ? g_build_filename(c->ctx->lib_dir, "session.base64", NULL) : NULL;
    cmd_json(c, "-object",
             props_new(P_STR("qom-type", "sev-guest"), P_STR("id", "lsec0"), P_OPT("cbitpos", l->cbitpos),
                       P_OPT("reduced-phys-bits", l->reduced_phys_bits), P_OPT("policy", l->policy),
                       P_STR("dh-cert-file", dh), P_STR("session-file", session), P_TRI("kernel-hashes", l->kernel_hashes)));
    return true;
}
