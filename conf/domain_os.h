/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a guest starts, its machine features, clock, power management, SMBIOS data. */
#pragma once

#include "conf/domain_disk.h"

typedef enum OsType { OS_NONE, OS_HVM, OS_XEN, OS_LINUX, OS_EXE, OS_UML, OS_XENPVH, _OS_TYPE_N } OsType;
extern const EnumTable os_type_names;
typedef enum BootDev { BOOT_FD, BOOT_CDROM, BOOT_HD, BOOT_NETWORK, _BOOT_DEV_N } BootDev;
extern const EnumTable boot_dev_names;
typedef enum OsFirmware { FIRMWARE_NONE, FIRMWARE_BIOS, FIRMWARE_EFI, _OS_FIRMWARE_N } OsFirmware;
extern const EnumTable os_firmware_names;
typedef enum FirmwareFeature { FIRMWARE_FEATURE_NONE, FIRMWARE_ENROLLED_KEYS, FIRMWARE_SECURE_BOOT, _FIRMWARE_FEATURE_N } FirmwareFeature;
extern const EnumTable firmware_feature_names;
typedef enum LoaderType { LOADER_NONE, LOADER_ROM, LOADER_PFLASH, _LOADER_TYPE_N } LoaderType;
extern const EnumTable loader_type_names;
typedef enum SmbiosMode { SMBIOS_NONE, SMBIOS_EMULATE, SMBIOS_HOST, SMBIOS_SYSINFO, _SMBIOS_MODE_N } SmbiosMode;
extern const EnumTable smbios_mode_names;
typedef enum SysinfoType { SYSINFO_SMBIOS, SYSINFO_FWCFG, _SYSINFO_TYPE_N } SysinfoType;
extern const EnumTable sysinfo_type_names;

typedef enum IoapicDriver { IOAPIC_DEFAULT, IOAPIC_QEMU, IOAPIC_KVM, _IOAPIC_N } IoapicDriver;
extern const EnumTable ioapic_names;
typedef enum GicVersion { GIC_NONE, GIC_HOST, GIC_2, GIC_3, _GIC_N } GicVersion;
extern const EnumTable gic_names;
typedef enum HptResizing { HPT_NONE, HPT_ENABLED, HPT_DISABLED, HPT_REQUIRED, _HPT_N } HptResizing;
extern const EnumTable hpt_names;
typedef enum CapsPolicy { CAPS_NONE, CAPS_DEFAULT, CAPS_ALLOW, CAPS_DENY, _CAPS_POLICY_N } CapsPolicy;
extern const EnumTable caps_policy_names;
typedef enum HypervMode { HYPERV_MODE_NONE, HYPERV_MODE_CUSTOM, HYPERV_MODE_PASSTHROUGH, HYPERV_MODE_HOST_MODEL, _HYPERV_MODE_N } HypervMode;
extern const EnumTable hyperv_mode_names;
typedef enum XenPassthroughMode { XEN_PASSTHROUGH_DEFAULT, XEN_PASSTHROUGH_SYNC_PT, XEN_PASSTHROUGH_SHARE_PT, _XEN_PASSTHROUGH_N } XenPassthroughMode;
extern const EnumTable xen_passthrough_names;
typedef enum PseriesLevel { PSERIES_LEVEL_NONE, PSERIES_BROKEN, PSERIES_WORKAROUND, PSERIES_FIXED_IBS, PSERIES_FIXED_CCD, PSERIES_FIXED_NA, PSERIES_FIXED, _PSERIES_LEVEL_N } PseriesLevel;
extern const EnumTable pseries_level_names;

typedef enum ClockOffset { CLOCK_UTC, CLOCK_LOCALTIME, CLOCK_VARIABLE, CLOCK_TIMEZONE, CLOCK_ABSOLUTE, _CLOCK_OFFSET_N } ClockOffset;
extern const EnumTable clock_offset_names;
typedef enum ClockBasis { CLOCK_BASIS_UTC, CLOCK_BASIS_LOCALTIME, _CLOCK_BASIS_N } ClockBasis;
extern const EnumTable clock_basis_names;
typedef enum TimerName { TIMER_PLATFORM, TIMER_PIT, TIMER_RTC, TIMER_HPET, TIMER_TSC, TIMER_KVMCLOCK, TIMER_HYPERVCLOCK, TIMER_ARMVTIMER, _TIMER_NAME_N } TimerName;
extern const EnumTable timer_name_names;
typedef enum TimerTrack { TRACK_NONE, TRACK_BOOT, TRACK_GUEST, TRACK_WALL, TRACK_REALTIME, _TIMER_TRACK_N } TimerTrack;
extern const EnumTable timer_track_names;
typedef enum TimerTickpolicy { TICK_NONE, TICK_DELAY, TICK_CATCHUP, TICK_MERGE, TICK_DISCARD, _TIMER_TICK_N } TimerTickpolicy;
extern const EnumTable timer_tick_names;
typedef enum TimerMode { TIMER_MODE_NONE, TIMER_AUTO, TIMER_NATIVE, TIMER_EMULATE, TIMER_PARAVIRT, TIMER_SMPSAFE, _TIMER_MODE_N } TimerMode;
extern const EnumTable timer_mode_names;

CONF_STRUCTS_BEGIN

typedef struct BootItem {
    BootDev dev;
} BootItem;

typedef struct FirmwareFeatureDef {
    FirmwareFeature name;
    Tristate enabled;
} FirmwareFeatureDef;

typedef struct OsLoader {
    char *path;
    Tristate readonly, secure, stateless;
    LoaderType type;
    StorageFormat format; /* NONE: raw, not written */
    Flag _pad;
} OsLoader;

typedef struct OsNvram {
    char *path;        /* <nvram>/path</nvram>, the usual form */
    char *templ;
    StorageFormat templ_format;
    StorageFormat format;
    StorageSource *src; /* <nvram type='…'><source/></nvram> */
} OsNvram;

typedef struct OsVarstore { /* the emulator keeps the variables itself */
    char *templ, *path;
} OsVarstore;

typedef struct AcpiTable {
    char *path;
} AcpiTable;

typedef struct OsDef {
    OsType type;
    OsFirmware firmware;
    char *arch;        /* "x86_64" */
    char *machine;
    GPtrArray *firmware_features; /* FirmwareFeatureDef */
    OsLoader *loader;
    OsNvram *nvram;
    OsVarstore varstore;
    char *kernel, *initrd, *cmdline, *dtb, *root, *shim;
    GPtrArray *acpi_tables;       /* AcpiTable */
    GPtrArray *boot;              /* BootItem, in order */
    Tristate bootmenu;
    OptU32 bootmenu_timeout;      /* ms */
    SmbiosMode smbios;
    Tristate bios_useserial;
    OptI32 bios_reboot_timeout;   /* ms, -1: never */
    Flag _pad;
    /* containers and paravirtual guests */
    char *init, *init_dir, *init_user, *init_group;
    GPtrArray *init_args;         /* StrItem */
    GPtrArray *init_env;          /* NameValue */
    char *bootloader, *bootloader_args; /* of the domain, not below <os> */
} OsDef;

typedef struct NameValue {
    char *name, *value;
} NameValue;

typedef struct HypervFeatures {
    HypervMode mode;
    Tristate relaxed, vapic, spinlocks;
    uint32_t spinlock_retries;
    Tristate vpindex, runtime, synic, stimer, stimer_direct, reset, vendor_id;
    char *vendor_id_value;
    Tristate frequencies, reenlightenment, tlbflush, ipi, evmcs, avic, emsr_bitmap, xmm_input;
    Tristate tlbflush_direct, tlbflush_extended;
} HypervFeatures;

typedef struct KvmFeatures {
    Tristate hidden, hint_dedicated, poll_control, pv_ipi, dirty_ring;
    uint32_t dirty_ring_size;
} KvmFeatures;

typedef struct XenFeatures {
    Tristate e820_host, passthrough;
    XenPassthroughMode passthrough_mode;
    Flag _pad;
} XenFeatures;

typedef struct CapsFeature { /* <capabilities><mknod state='on'/> */
    char *name;
    Tristate state;
    Flag _pad;
} CapsFeature;

typedef struct Features {
    Flag acpi, pae, viridian, privnet;
    Flag apic;
    Tristate apic_eoi;
    Tristate hap;              /* <hap/> or <hap state=…/> */
    Flag _pad3;
    HypervFeatures *hyperv;
    KvmFeatures *kvm;
    XenFeatures *xen;
    Tristate pvspinlock, pmu, vmport, smm, vmcoreinfo, htm, nested_hv, ccf_assist;
    OptU64 tseg;               /* bytes */
    IoapicDriver ioapic;
    Flag gic;                  /* <gic/> was written */
    GicVersion gic_version;
    HptResizing hpt;
    Flag hpt_given;
    uint32_t _pad;
    uint64_t hpt_maxpagesize;  /* KiB */
    CapsPolicy capabilities_policy;
    Tristate msrs_unknown_given;
    char *msrs_unknown;        /* "ignore", "fault" */
    GPtrArray *capabilities;   /* CapsFeature */
    PseriesLevel cfpc, sbbc, ibs;
    Tristate async_teardown;
    uint64_t tcg_tb_cache;     /* KiB */
    Tristate ras, ps2;
    Flag aia_given;
    Flag _pad2;
    char *aia;
} Features;

typedef struct TimerCatchup {
    uint64_t threshold, slew, limit;
} TimerCatchup;

typedef struct ClockTimer {
    TimerName name;
    TimerTickpolicy tickpolicy;
    TimerTrack track;
    TimerMode mode;
    Tristate present;
    Flag _pad;
    uint64_t frequency; /* Hz */
    TimerCatchup *catchup;
} ClockTimer;

typedef struct ClockDef {
    ClockOffset offset;
    ClockBasis basis;       /* of "variable" */
    Flag adjustment_reset;  /* utc, localtime: adjustment='reset' */
    Flag adjustment_set;
    int64_t adjustment;     /* seconds */
    char *timezone;
    int64_t start;          /* absolute: seconds since the epoch */
    GPtrArray *timers;      /* ClockTimer */
} ClockDef;

typedef struct SysinfoEntry {
    char *name, *value, *file;
} SysinfoEntry;

typedef struct SysinfoBoard {
    GPtrArray *entries;
} SysinfoBoard;

typedef struct Sysinfo {
    SysinfoType type;
    Flag _pad;
    GPtrArray *bios, *system, *chassis; /* SysinfoEntry */
    GPtrArray *boards;      /* SysinfoBoard */
    GPtrArray *oem_strings; /* StrItem */
    GPtrArray *fwcfg;       /* SysinfoEntry */
} Sysinfo;

CONF_STRUCTS_END
