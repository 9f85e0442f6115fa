/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How each capability flag is found out: one row per flag, by kind of evidence. What no row can say
 * (version, architecture, combinations) is in derive(). A flag without a row is never set: nobody
 * here asks for it.
 *
 * The replies come from an emulator that we chose to run, not from a guest; they are still read with
 * the usual care. Pure: no state but the QemuCaps being filled. One thread at a time per QemuCaps.
 */
#include "drivers/qemu/caps_rules.h"

#include <string.h>

#include "util/error.h"

typedef enum Evidence {
    BY_COMMAND, /* a is a QMP command */
    BY_TYPE,    /* a is an object type */
    BY_PROP,    /* device type a has property b (device-list-properties) */
    BY_QOM,     /* object type a has property b (qom-list-properties); "@virt": that machine */
    BY_OPTION,  /* command line option a has parameter b */
    BY_SCHEMA,  /* path a exists in the schema, see schema_has() */
} Evidence;

/* clang-format off */
#define CMD(flag, a)       { QEMU_CAP_##flag, BY_COMMAND, a, NULL }
#define TYPE(flag, a)      { QEMU_CAP_##flag, BY_TYPE, a, NULL }
#define PROP(flag, a, b)   { QEMU_CAP_##flag, BY_PROP, a, b }
#define QOM(flag, a, b)    { QEMU_CAP_##flag, BY_QOM, a, b }
#define OPTION(flag, a, b) { QEMU_CAP_##flag, BY_OPTION, a, b }
#define SCHEMA(flag, a)    { QEMU_CAP_##flag, BY_SCHEMA, a, NULL }

static const struct {
    QemuCap flag;
    Evidence kind;
    const char *a, *b;
} rules[] = {
    CMD   (BLOCK_EXPORT_ADD,                      "block-export-add"),
    CMD   (BLOCKDEV_REOPEN,                       "blockdev-reopen"),
    CMD   (CALC_DIRTY_RATE,                       "calc-dirty-rate"),
    CMD   (QUERY_CPU_DEFINITIONS,                 "query-cpu-definitions"),
    CMD   (QUERY_CPU_MODEL_BASELINE,              "query-cpu-model-baseline"),
    CMD   (QUERY_CPU_MODEL_COMPARISON,            "query-cpu-model-comparison"),
    CMD   (QUERY_CPU_MODEL_EXPANSION,             "query-cpu-model-expansion"),
    CMD   (CPU_MAX,                               "query-cpu-model-expansion"),
    CMD   (QUERY_DIRTY_RATE,                      "query-dirty-rate"),
    CMD   (QUERY_HOTPLUGGABLE_CPUS,               "query-hotpluggable-cpus"),
    CMD   (SPICE,                                 "query-spice"),
    CMD   (QUERY_STATS,                           "query-stats"),
    CMD   (QUERY_STATS_SCHEMAS,                   "query-stats-schemas"),
    CMD   (VNC,                                   "query-vnc"),
    CMD   (RTC_RESET_REINJECTION,                 "rtc-reset-reinjection"),
    CMD   (SET_ACTION,                            "set-action"),
    CMD   (SEV_INJECT_LAUNCH_SECRET,              "sev-inject-launch-secret"),

    TYPE  (DEVICE_VGA,                            "VGA"),
    TYPE  (SCSI_AM53C974,                         "am53c974"),
    TYPE  (DEVICE_BOCHS_DISPLAY,                  "bochs-display"),
    TYPE  (CCID_EMULATED,                         "ccid-card-emulated"),
    TYPE  (CCID_PASSTHRU,                         "ccid-card-passthru"),
    TYPE  (DEVICE_CIRRUS_VGA,                     "cirrus-vga"),
    TYPE  (DBUS_VMSTATE,                          "dbus-vmstate"),
    TYPE  (SCSI_DC390,                            "dc390"),
    TYPE  (DEVICE_E1000,                          "e1000"),
    TYPE  (OBJECT_GPEX,                           "gpex-pcihost"),
    TYPE  (HDA_DUPLEX,                            "hda-duplex"),
    TYPE  (HDA_MICRO,                             "hda-micro"),
    TYPE  (HDA_OUTPUT,                            "hda-output"),
    TYPE  (DEVICE_I8042,                          "i8042"),
    TYPE  (DEVICE_DMI_TO_PCI_BRIDGE,              "i82801b11-bridge"),
    TYPE  (ICH9_AHCI,                             "ich9-ahci"),
    TYPE  (DEVICE_ICH9_INTEL_HDA,                 "ich9-intel-hda"),
    TYPE  (ICH9_USB_EHCI1,                        "ich9-usb-ehci1"),
    TYPE  (INPUT_LINUX,                           "input-linux"),
    TYPE  (DEVICE_INTEL_IOMMU,                    "intel-iommu"),
    TYPE  (DEVICE_IOH3420,                        "ioh3420"),
    TYPE  (OBJECT_IOTHREAD,                       "iothread"),
    TYPE  (DEVICE_ISA_SERIAL,                     "isa-serial"),
    TYPE  (DEVICE_IVSHMEM,                        "ivshmem"),
    TYPE  (DEVICE_IVSHMEM_DOORBELL,               "ivshmem-doorbell"),
    TYPE  (DEVICE_IVSHMEM_PLAIN,                  "ivshmem-plain"),
    TYPE  (SCSI_LSI,                              "lsi53c895a"),
    TYPE  (ARM_MAX_CPU,                           "max-arm-cpu"),
    TYPE  (X86_MAX_CPU,                           "max-x86_64-cpu"),
    TYPE  (DEVICE_MCH,                            "mch"),
    TYPE  (SCSI_MEGASAS,                          "megasas"),
    TYPE  (OBJECT_MEMORY_MEMFD,                   "memory-backend-memfd"),
    TYPE  (SCSI_MPTSAS1068,                       "mptsas1068"),
    TYPE  (NEC_USB_XHCI,                          "nec-usb-xhci"),
    TYPE  (DEVICE_NVDIMM,                         "nvdimm"),
    TYPE  (DEVICE_PC_DIMM,                        "pc-dimm"),
    TYPE  (DEVICE_PCI_BRIDGE,                     "pci-bridge"),
    TYPE  (PCI_OHCI,                              "pci-ohci"),
    TYPE  (DEVICE_PCI_SERIAL,                     "pci-serial"),
    TYPE  (DEVICE_PCIE_PCI_BRIDGE,                "pcie-pci-bridge"),
    TYPE  (DEVICE_PCIE_ROOT_PORT,                 "pcie-root-port"),
    TYPE  (PIIX3_USB_UHCI,                        "piix3-usb-uhci"),
    TYPE  (PIIX4_USB_UHCI,                        "piix4-usb-uhci"),
    TYPE  (DEVICE_PL011,                          "pl011"),
    TYPE  (PR_MANAGER_HELPER,                     "pr-manager-helper"),
    TYPE  (DEVICE_PANIC,                          "pvpanic"),
    TYPE  (SCSI_PVSCSI,                           "pvscsi"),
    TYPE  (DEVICE_PXB,                            "pxb"),
    TYPE  (DEVICE_PXB_PCIE,                       "pxb-pcie"),
    TYPE  (DEVICE_QEMU_XHCI,                      "qemu-xhci"),
    TYPE  (DEVICE_QXL,                            "qxl"),
    TYPE  (DEVICE_RAMFB,                          "ramfb"),
    TYPE  (OBJECT_RNG_BUILTIN,                    "rng-builtin"),
    TYPE  (OBJECT_RNG_EGD,                        "rng-egd"),
    TYPE  (OBJECT_RNG_RANDOM,                     "rng-random"),
    TYPE  (DEVICE_RTL8139,                        "rtl8139"),
    TYPE  (S390_PV_GUEST,                         "s390-pv-guest"),
    TYPE  (DEVICE_SCLPCONSOLE,                    "sclpconsole"),
    TYPE  (DEVICE_SCLPLMCONSOLE,                  "sclplmconsole"),
    TYPE  (SCSI_BLOCK,                            "scsi-block"),
    TYPE  (DEVICE_NVRAM,                          "spapr-nvram"),
    TYPE  (DEVICE_SPAPR_PCI_HOST_BRIDGE,          "spapr-pci-host-bridge"),
    TYPE  (DEVICE_SPAPR_TPM_PROXY,                "spapr-tpm-proxy"),
    TYPE  (DEVICE_SPAPR_VTY,                      "spapr-vty"),
    TYPE  (TCG,                                   "tcg-accel"),
    TYPE  (THREAD_CONTEXT,                        "thread-context"),
    TYPE  (DEVICE_TPM_CRB,                        "tpm-crb"),
    TYPE  (DEVICE_TPM_EMULATOR,                   "tpm-emulator"),
    TYPE  (DEVICE_TPM_PASSTHROUGH,                "tpm-passthrough"),
    TYPE  (DEVICE_TPM_SPAPR,                      "tpm-spapr"),
    TYPE  (DEVICE_TPM_TIS,                        "tpm-tis"),
    TYPE  (DEVICE_TPM_TIS,                        "tpm-tis-device"),
    TYPE  (OBJECT_USB_AUDIO,                      "usb-audio"),
    TYPE  (USB_EHCI,                              "usb-ehci"),
    TYPE  (USB_HUB,                               "usb-hub"),
    TYPE  (DEVICE_USB_KBD,                        "usb-kbd"),
    TYPE  (USB_REDIR,                             "usb-redir"),
    TYPE  (DEVICE_USB_SERIAL,                     "usb-serial"),
    TYPE  (DEVICE_USB_STORAGE,                    "usb-storage"),
    TYPE  (DEVICE_VFIO_AP,                        "vfio-ap"),
    TYPE  (DEVICE_VFIO_CCW,                       "vfio-ccw"),
    TYPE  (DEVICE_VFIO_PCI,                       "vfio-pci"),
    TYPE  (DEVICE_VHOST_SCSI,                     "vhost-scsi"),
    TYPE  (DEVICE_VHOST_USER_BLK,                 "vhost-user-blk"),
    TYPE  (DEVICE_VHOST_USER_FS,                  "vhost-user-fs-device"),
    TYPE  (DEVICE_VHOST_USER_GPU,                 "vhost-user-gpu"),
    TYPE  (DEVICE_VHOST_USER_VGA,                 "vhost-user-vga"),
    TYPE  (DEVICE_VHOST_VSOCK,                    "vhost-vsock-device"),
    TYPE  (VIRTIO_PCI_TRANSITIONAL,               "virtio-blk-pci-non-transitional"),
    TYPE  (VIRTIO_CCW,                            "virtio-ccw-bus"),
    TYPE  (DEVICE_VIRTIO_GPU_CCW,                 "virtio-gpu-ccw"),
    TYPE  (DEVICE_VIRTIO_GPU,                     "virtio-gpu-device"),
    TYPE  (VIRTIO_GPU_GL_PCI,                     "virtio-gpu-gl-pci"),
    TYPE  (VIRTIO_INPUT_HOST,                     "virtio-input-host-device"),
    TYPE  (DEVICE_VIRTIO_IOMMU_PCI,               "virtio-iommu-pci"),
    TYPE  (DEVICE_VIRTIO_KEYBOARD_CCW,            "virtio-keyboard-ccw"),
    TYPE  (VIRTIO_KEYBOARD,                       "virtio-keyboard-device"),
    TYPE  (DEVICE_VIRTIO_MEM_PCI,                 "virtio-mem-pci"),
    TYPE  (DEVICE_VIRTIO_MMIO,                    "virtio-mmio"),
    TYPE  (DEVICE_VIRTIO_MOUSE_CCW,               "virtio-mouse-ccw"),
    TYPE  (VIRTIO_MOUSE,                          "virtio-mouse-device"),
    TYPE  (DEVICE_VIRTIO_NET,                     "virtio-net-device"),
    TYPE  (DEVICE_VIRTIO_PMEM_PCI,                "virtio-pmem-pci"),
    TYPE  (DEVICE_VIRTIO_RNG,                     "virtio-rng-device"),
    TYPE  (VIRTIO_SCSI,                           "virtio-scsi-pci"),
    TYPE  (DEVICE_VIRTIO_TABLET_CCW,              "virtio-tablet-ccw"),
    TYPE  (VIRTIO_TABLET,                         "virtio-tablet-device"),
    TYPE  (DEVICE_VIRTIO_VGA,                     "virtio-vga"),
    TYPE  (VIRTIO_VGA_GL,                         "virtio-vga-gl"),
    TYPE  (DEVICE_VMCOREINFO,                     "vmcoreinfo"),
    TYPE  (DEVICE_VMGENID,                        "vmgenid"),
    TYPE  (MACHINE_VMPORT_OPT,                    "vmport"),
    TYPE  (DEVICE_VMWARE_SVGA,                    "vmware-svga"),
    TYPE  (VT82C686B_USB_UHCI,                    "vt82c686b-usb-uhci"),
    TYPE  (DEVICE_X3130_UPSTREAM,                 "x3130-upstream"),
    TYPE  (DEVICE_XIO3130_DOWNSTREAM,             "xio3130-downstream"),
    TYPE  (DEVICE_ZPCI,                           "zpci"),

    PROP  (ICH9_DISABLE_S3,                       "ICH9-LPC",                "disable_s3"),
    PROP  (ICH9_DISABLE_S4,                       "ICH9-LPC",                "disable_s4"),
    PROP  (PIIX4_ACPI_ROOT_PCI_HOTPLUG,           "PIIX4_PM",                "acpi-root-pci-hotplug"),
    PROP  (PIIX_DISABLE_S3,                       "PIIX4_PM",                "disable_s3"),
    PROP  (PIIX_DISABLE_S4,                       "PIIX4_PM",                "disable_s4"),
    PROP  (VGA_VGAMEM,                            "VGA",                     "vgamem_mb"),
    PROP  (IDE_DRIVE_WWN,                         "ide-hd",                  "wwn"),
    PROP  (INTEL_IOMMU_AW_BITS,                   "intel-iommu",             "aw-bits"),
    PROP  (INTEL_IOMMU_CACHING_MODE,              "intel-iommu",             "caching-mode"),
    PROP  (INTEL_IOMMU_DEVICE_IOTLB,              "intel-iommu",             "device-iotlb"),
    PROP  (INTEL_IOMMU_EIM,                       "intel-iommu",             "eim"),
    PROP  (INTEL_IOMMU_INTREMAP,                  "intel-iommu",             "intremap"),
    PROP  (KVM_PIT_TICK_POLICY,                   "kvm-pit",                 "lost_tick_policy"),
    PROP  (MCH_EXTENDED_TSEG_MBYTES,              "mch",                     "extended-tseg-mbytes"),
    PROP  (DEVICE_NVDIMM_UNARMED,                 "nvdimm",                  "unarmed"),
    PROP  (PCIE_ROOT_PORT_HOTPLUG,                "pcie-root-port",          "hotplug"),
    PROP  (QXL_VGAMEM,                            "qxl",                     "vgamem_mb"),
    PROP  (QXL_VRAM64,                            "qxl",                     "vram64_size_mb"),
    PROP  (SCSI_DISK_CHANNEL,                     "scsi-hd",                 "channel"),
    PROP  (ROTATION_RATE,                         "scsi-hd",                 "rotation_rate"),
    PROP  (SCSI_DISK_WWN,                         "scsi-hd",                 "wwn"),
    PROP  (SPAPR_PCI_HOST_BRIDGE_NUMA_NODE,       "spapr-pci-host-bridge",   "numa_node"),
    PROP  (USB_HOST_GUESTS_RESETS_ALL,            "usb-host",                "guest-resets-all"),
    PROP  (USB_HOST_HOSTDEVICE,                   "usb-host",                "hostdevice"),
    PROP  (USB_REDIR_FILTER,                      "usb-redir",               "filter"),
    PROP  (USB_STORAGE_REMOVABLE,                 "usb-storage",             "removable"),
    PROP  (VFIO_PCI_DISPLAY,                      "vfio-pci",                "display"),
    PROP  (VHOST_USER_FS_BOOTINDEX,               "vhost-user-fs-device",    "bootindex"),
    PROP  (VIRTIO_BALLOON_AUTODEFLATE,            "virtio-balloon-device",   "deflate-on-oom"),
    PROP  (VIRTIO_BALLOON_FREE_PAGE_REPORTING,    "virtio-balloon-device",   "free-page-reporting"),
    PROP  (ACPI_INDEX,                            "virtio-blk-pci",          "acpi-index"),
    PROP  (VIRTIO_BLK_QUEUE_SIZE,                 "virtio-blk-pci",          "queue-size"),
    PROP  (VIRTIO_BLK_SCSI,                       "virtio-blk-pci",          "scsi"),
    PROP  (VIRTIO_GPU_VIRGL,                      "virtio-gpu-pci",          "virgl"),
    PROP  (VIRTIO_IOMMU_BOOT_BYPASS,              "virtio-iommu-pci",        "boot-bypass"),
    PROP  (DEVICE_VIRTIO_MEM_PCI_PREALLOC,        "virtio-mem-pci",          "prealloc"),
    PROP  (VIRTIO_NET_RSS,                        "virtio-net-pci",          "rss"),
    PROP  (VMWARE_SVGA_VGAMEM,                    "vmware-svga",             "vgamem_mb"),

    QOM   (CPU_AARCH64_OFF,                       "max-arm-cpu",             "aarch64"),
    QOM   (CPU_KVM_NO_ADJVTIME,                   "max-arm-cpu",             "kvm-no-adjvtime"),
    QOM   (CPU_CACHE,                             "max-x86_64-cpu",          "host-cache-info"),
    QOM   (CPU_MIGRATABLE,                        "max-x86_64-cpu",          "migratable"),
    QOM   (CPU_UNAVAILABLE_FEATURES,              "max-x86_64-cpu",          "unavailable-features"),
    QOM   (CANONICAL_CPU_FEATURES,                "max-x86_64-cpu",          "unavailable-features"),
    QOM   (OBJECT_MEMORY_FILE_PMEM,               "memory-backend-file",     "pmem"),
    QOM   (MEMORY_BACKEND_PREALLOC_THREADS,       "memory-backend-file",     "prealloc-threads"),
    QOM   (MEMORY_BACKEND_RESERVE,                "memory-backend-file",     "reserve"),
    QOM   (X_USE_CANONICAL_PATH_FOR_RAMBLOCK_ID,  "memory-backend-file",     "x-use-canonical-path-for-ramblock-id"),
    QOM   (OBJECT_MEMORY_MEMFD_HUGETLB,           "memory-backend-memfd",    "hugetlb"),
    QOM   (MACHINE_CONFIDENTAL_GUEST_SUPPORT,     "none-machine",            "confidential-guest-support"),
    QOM   (MACHINE_PSERIES_CAP_CCF_ASSIST,        "@pseries",                "cap-ccf-assist"),
    QOM   (MACHINE_PSERIES_CAP_CFPC,              "@pseries",                "cap-cfpc"),
    QOM   (MACHINE_PSERIES_CAP_HPT_MAX_PAGE_SIZE, "@pseries",                "cap-hpt-max-page-size"),
    QOM   (MACHINE_PSERIES_CAP_HTM,               "@pseries",                "cap-htm"),
    QOM   (MACHINE_PSERIES_CAP_IBS,               "@pseries",                "cap-ibs"),
    QOM   (MACHINE_PSERIES_CAP_NESTED_HV,         "@pseries",                "cap-nested-hv"),
    QOM   (MACHINE_PSERIES_CAP_SBBC,              "@pseries",                "cap-sbbc"),
    QOM   (MACHINE_VIRT_IOMMU,                    "@virt",                   "iommu"),

    OPTION(FSDEV_MULTIDEVS,                       "fsdev",                   "multidevs"),
    OPTION(MACHINE_HPET,                          "machine",                 "hpet"),
    OPTION(SECCOMP_SANDBOX,                       "sandbox",                 "elevateprivileges"),
    OPTION(SMP_DIES,                              "smp-opts",                "dies"),
    OPTION(SPICE_GL,                              "spice",                   "gl"),
    OPTION(SPICE_RENDERNODE,                      "spice",                   "rendernode"),
    OPTION(VNC_POWER_CONTROL,                     "vnc",                     "power-control"),

    SCHEMA(AIO_IO_URING,                          "blockdev-add/arg/<file>/aio=io_uring"),
    SCHEMA(MIGRATION_FILE_DROP_CACHE,             "blockdev-add/arg/<file>/drop-cache"),
    SCHEMA(BLOCKDEV_NBD_TLS_HOSTNAME,             "blockdev-add/arg/<nbd>/tls-hostname"),
    SCHEMA(DRIVE_NVME,                            "blockdev-add/arg/<nvme>"),
    SCHEMA(RBD_ENCRYPTION,                        "blockdev-add/arg/<rbd>/encrypt"),
    SCHEMA(VXHS,                                  "blockdev-add/arg/<vxhs>"),
    SCHEMA(BLOCKDEV_SNAPSHOT_ALLOW_WRITE_ONLY,    "blockdev-snapshot!allow-write-only-overlay"),
    SCHEMA(DIRTYRATE_MODE,                        "calc-dirty-rate/arg/mode"),
    SCHEMA(CHARDEV_QEMU_VDAGENT,                  "chardev-add/arg/backend/<qemu-vdagent>"),
    SCHEMA(CHARDEV_RECONNECT,                     "chardev-add/arg/backend/<socket>/data/reconnect"),
    SCHEMA(DEVICE_JSON,                           "device_add!json-cli-hotplug"),
    SCHEMA(MIGRATE_RDMA,                          "migrate-set-capabilities/arg/capabilities/capability=rdma-pin-all"),
    SCHEMA(MIGRATION_PARAM_BLOCK_BITMAP_MAPPING,  "migrate-set-parameters/arg/block-bitmap-mapping/bitmaps/transform"),
    SCHEMA(NBD_BITMAP,                            "nbd-server-add/arg/bitmap"),
    SCHEMA(NBD_TLS,                               "nbd-server-start/arg/tls-creds"),
    SCHEMA(NETDEV_JSON,                           "netdev_add/arg/<dgram>"),
    SCHEMA(NETDEV_STREAM,                         "netdev_add/arg/<stream>"),
    SCHEMA(NETDEV_VHOST_VDPA,                     "netdev_add/arg/<vhost-vdpa>"),
    SCHEMA(IOTHREAD_THREAD_POOL_MAX,              "object-add/arg/<iothread>/thread-pool-max"),
    SCHEMA(OBJECT_JSON,                           "object-add/arg/<secret>"),
    SCHEMA(SEV_GUEST_KERNEL_HASHES,               "object-add/arg/<sev-guest>/kernel-hashes"),
    SCHEMA(DISPLAY_DBUS,                          "query-display-options/ret/<dbus>"),
    SCHEMA(EGL_HEADLESS,                          "query-display-options/ret/<egl-headless>"),
    SCHEMA(EGL_HEADLESS_RENDERNODE,               "query-display-options/ret/<egl-headless>/rendernode"),
    SCHEMA(SDL,                                   "query-display-options/ret/<sdl>"),
    SCHEMA(IOTHREAD_POLLING,                      "query-iothreads/ret/poll-max-ns"),
    SCHEMA(MIGRATION_BLOCKED_REASONS,             "query-migrate/ret/blocked-reasons"),
    SCHEMA(QMP_QUERY_NAMED_BLOCK_NODES_FLAT,      "query-named-block-nodes/arg/flat"),
    SCHEMA(SCREENDUMP_DEVICE,                     "screendump/arg/device"),
    SCHEMA(SCREENSHOT_FORMAT_PNG,                 "screendump/arg/format=png"),
    SCHEMA(NUMA_HMAT,                             "set-numa-node/arg/<hmat-lb>"),
};
/* clang-format on */

struct CapsReplies {
    GHashTable *commands, *types;  /* sets of names */
    GHashTable *props, *qom;       /* "type" -> set of property names */
    GHashTable *options;           /* "option.parameter" set */
    GHashTable *schema;            /* name -> entry, borrowed from schema_root */
    JsonObject *schema_root;
    bool schema_asked;
    bool blk_scsi_off; /* virtio-blk-pci: 'scsi' is off by default */
};

/* Sets. */

static GHashTable *set_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

static void set_add_named(GHashTable *set, JsonObject *list, const char *member)
{
    for (size_t i = 0; i < json_len(list); i++) {
        const char *name = json_get_str(json_object_array_get_idx(list, i), member);
        if (name)
            g_hash_table_add(set, g_strdup(name));
    }
}

bool caps_ask_maybe(const CapsSource *src, const char *cmd, JsonObject *args, JsonObject **ret, GError **err)
{
    GError *why = NULL;

    *ret = NULL;
    if (src->call(src->data, cmd, args, ret, &why))
        return true;
    if (error_is(why, VIR_ERR_INTERNAL_ERROR) || error_is(why, VIR_ERR_OPERATION_UNSUPPORTED) ||
        error_is(why, VIR_ERR_DEVICE_MISSING)) {
        g_error_free(why);
        return true;
    }
    g_propagate_error(err, why);
    return false;
}

static bool ask_names(const CapsSource *src, const char *cmd, GHashTable *set, GError **err)
{
    g_autoptr(JsonObject) list = NULL;

    if (!caps_ask_maybe(src, cmd, NULL, &list, err))
        return false;
    set_add_named(set, list, "name");
    return true;
}

static bool ask_props(const CapsSource *src, CapsReplies *r, Evidence kind, const char *type, GError **err)
{
    GHashTable *known = kind == BY_PROP ? r->props : r->qom;
    g_autoptr(JsonObject) list = NULL;

    if (g_hash_table_contains(known, type))
        return true;
    if (!caps_ask_maybe(src, kind == BY_PROP ? "device-list-properties" : "qom-list-properties",
             json_make(J_STR("typename", type)), &list, err))
        return false;

    GHashTable *set = set_new();
    set_add_named(set, list, "name");
    g_hash_table_insert(known, g_strdup(type), set);
    if (kind == BY_PROP && strcmp(type, "virtio-blk-pci") == 0)
        for (size_t i = 0; i < json_len(list); i++) {
            JsonObject *p = json_object_array_get_idx(list, i);
            if (g_strcmp0(json_get_str(p, "name"), "scsi") == 0)
                r->blk_scsi_off = !json_get_bool(p, "default-value", true);
        }
    return true;
}

static bool ask_options(const CapsSource *src, CapsReplies *r, GError **err)
{
    g_autoptr(JsonObject) list = NULL;

    if (!caps_ask_maybe(src, "query-command-line-options", NULL, &list, err))
        return false;
    for (size_t i = 0; i < json_len(list); i++) {
        JsonObject *o = json_object_array_get_idx(list, i);
        const char *option = json_get_str(o, "option");
        JsonObject *params = json_get(o, "parameters");

        for (size_t k = 0; option && k < json_len(params); k++) {
            const char *name = json_get_str(json_object_array_get_idx(params, k), "name");
            if (name)
                g_hash_table_add(r->options, g_strconcat(option, ".", name, NULL));
        }
    }
    return true;
}

/* The longest answer; those who ask two emulators may have it from the other one meanwhile. */
static bool ask_schema(const CapsSource *src, CapsReplies *r, GError **err)
{
    if (r->schema_asked)
        return true;
    r->schema_asked = true;
    if (!caps_ask_maybe(src, "query-qmp-schema", NULL, &r->schema_root, err))
        return false;
    for (size_t i = 0; i < json_len(r->schema_root); i++) {
        JsonObject *e = json_object_array_get_idx(r->schema_root, i);
        const char *name = json_get_str(e, "name");
        if (name)
            g_hash_table_insert(r->schema, (char *)name, e);
    }
    return true;
}

/* Schema paths: "command/arg/member/<variant>/member", "…=enum value", "…!feature". Arrays and
 * alternates are looked through. */

static bool list_has(JsonObject *list, const char *value)
{
    for (size_t i = 0; i < json_len(list); i++)
        if (g_strcmp0(json_object_get_string(json_object_array_get_idx(list, i)), value) == 0)
            return true;
    return false;
}

static bool type_has(const CapsReplies *r, const char *type, const char *path, unsigned depth);

/* The rest of the path after a member or variant of the given type. */
static bool member_has(const CapsReplies *r, JsonObject *m, const char *rest, unsigned depth)
{
    const char *type = json_get_str(m, "type");

    if (*rest == '\0')
        return true;
    if (*rest == '!')
        return list_has(json_get(m, "features"), rest + 1);
    return type && type_has(r, type, rest, depth + 1);
}

static bool object_has(const CapsReplies *r, JsonObject *entry, const char *path, unsigned depth)
{
    bool variant = path[1] == '<';
    const char *name = path + 1 + variant;
    size_t len = strcspn(name, variant ? ">" : "/=!");
    const char *rest = name + len + variant;
    JsonObject *list = json_get(entry, variant ? "variants" : "members");

    for (size_t i = 0; i < json_len(list); i++) {
        JsonObject *m = json_object_array_get_idx(list, i);
        const char *n = json_get_str(m, variant ? "case" : "name");
        if (n && strlen(n) == len && strncmp(n, name, len) == 0)
            return member_has(r, m, rest, depth);
    }
    return false;
}

static bool type_has(const CapsReplies *r, const char *type, const char *path, unsigned depth)
{
    JsonObject *e = g_hash_table_lookup(r->schema, type);
    const char *meta = json_get_str(e, "meta-type");

    if (!meta || depth > 32)
        return false;
    if (strcmp(meta, "array") == 0) {
        const char *element = json_get_str(e, "element-type");
        return element && type_has(r, element, path, depth + 1);
    }
    if (strcmp(meta, "alternate") == 0) {
        JsonObject *members = json_get(e, "members");
        for (size_t i = 0; i < json_len(members); i++)
            if (member_has(r, json_object_array_get_idx(members, i), path, depth + 1))
                return true;
        return false;
    }
    if (*path == '=')
        return list_has(json_get(e, "values"), path + 1);
    return *path == '/' && object_has(r, e, path, depth);
}

static bool schema_has(const CapsReplies *r, const char *path)
{
    g_autofree char *command = g_strndup(path, strcspn(path, "/!"));
    const char *rest = path + strlen(command);
    JsonObject *e = g_hash_table_lookup(r->schema, command);
    const char *type;

    if (!e)
        return false;
    if (*rest == '!')
        return list_has(json_get(e, "features"), rest + 1);
    type = json_get_str(e, g_str_has_prefix(rest, "/ret") ? "ret-type" : "arg-type");
    return type && type_has(r, type, rest + 4, 0);
}

/* Rules. */

/* "@virt" stands for the type of the machine with that alias or name; NULL when there is none. */
static char *machine_type(const QemuCaps *c, const char *a)
{
    for (unsigned accel = 0; accel < QEMU_ACCEL_N_; accel++) {
        const QemuMachine *m = qemu_caps_machine(c, accel, a + 1);
        if (m)
            return g_strconcat(m->name, "-machine", NULL);
    }
    return NULL;
}

static bool apply_properties(QemuCaps *c, const CapsSource *src, CapsReplies *r, unsigned i, GError **err)
{
    g_autofree char *machine = rules[i].a[0] == '@' ? machine_type(c, rules[i].a) : NULL;
    const char *type = rules[i].a[0] == '@' ? machine : rules[i].a;
    bool device = rules[i].kind == BY_PROP;

    if (!type || !g_hash_table_contains(r->types, type))
        return true;
    if (!ask_props(src, r, rules[i].kind, type, err))
        return false;
    if (g_hash_table_contains(g_hash_table_lookup(device ? r->props : r->qom, type), rules[i].b))
        qemu_caps_set(c, rules[i].flag);
    return true;
}

bool caps_rules_apply(QemuCaps *c, const CapsSource *src, CapsReplies *r, GError **err)
{
    if (!ask_options(src, r, err))
        return false;
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        bool yes = false;

        switch (rules[i].kind) {
        case BY_COMMAND:
            yes = g_hash_table_contains(r->commands, rules[i].a);
            break;
        case BY_TYPE:
            yes = g_hash_table_contains(r->types, rules[i].a);
            break;
        case BY_PROP:
        case BY_QOM:
            if (!apply_properties(c, src, r, i, err))
                return false;
            break;
        case BY_OPTION: {
            g_autofree char *name = g_strconcat(rules[i].a, ".", rules[i].b, NULL);
            yes = g_hash_table_contains(r->options, name);
            break;
        }
        case BY_SCHEMA:
            if (!ask_schema(src, r, err))
                return false;
            yes = schema_has(r, rules[i].a);
            break;
        }
        if (yes)
            qemu_caps_set(c, rules[i].flag);
    }
    return true;
}

bool qemu_arch_is_x86(const char *arch)
{
    return g_str_equal(arch, "x86_64") || g_str_equal(arch, "i686");
}

bool qemu_arch_is_arm(const char *arch)
{
    return g_str_equal(arch, "aarch64") || g_str_has_prefix(arch, "armv");
}

void caps_rules_derive(QemuCaps *c, const CapsReplies *r)
{
    bool x86 = qemu_arch_is_x86(c->arch), arm = qemu_arch_is_arm(c->arch), s390 = g_str_equal(c->arch, "s390x");

    if (x86 && !qemu_caps_has(c, QEMU_CAP_MACHINE_HPET))
        qemu_caps_set(c, QEMU_CAP_NO_HPET);
    if (x86 || g_str_equal(c->arch, "aarch64"))
        qemu_caps_set(c, QEMU_CAP_NO_ACPI);
    if (arm)
        qemu_caps_set(c, QEMU_CAP_MACH_VIRT_GIC_VERSION);
    if (s390) {
        /* The options are listed for every architecture, and exist for this one. */
        static const struct { const char *option; QemuCap flag; } opts[] = {
            { "machine.loadparm", QEMU_CAP_LOADPARM },
            { "machine.aes-key-wrap", QEMU_CAP_AES_KEY_WRAP },
            { "machine.dea-key-wrap", QEMU_CAP_DEA_KEY_WRAP },
        };
        for (unsigned i = 0; i < G_N_ELEMENTS(opts); i++)
            if (g_hash_table_contains(r->options, opts[i].option) || c->version >= 7002000)
                qemu_caps_set(c, opts[i].flag);
    }
    if (g_str_equal(c->arch, "sparc"))
        qemu_caps_set(c, QEMU_CAP_SCSI_NCR53C90); /* built into the boards */
    if (c->version < 5002000)
        qemu_caps_set(c, QEMU_CAP_ENABLE_FIPS);
    if (c->version >= 6000000)
        qemu_caps_set(c, QEMU_CAP_COMPAT_DEPRECATED);
    if (r->blk_scsi_off)
        qemu_caps_set(c, QEMU_CAP_VIRTIO_BLK_SCSI_DEFAULT_DISABLED);
    /* Backups need to reopen images and to carry bitmaps through a migration. */
    if (qemu_caps_has(c, QEMU_CAP_BLOCKDEV_REOPEN) && qemu_caps_has(c, QEMU_CAP_MIGRATION_PARAM_BLOCK_BITMAP_MAPPING))
        qemu_caps_set(c, QEMU_CAP_INCREMENTAL_BACKUP);
}

CapsReplies *caps_replies_new(const CapsSource *src, GError **err)
{
    CapsReplies *r = g_new0(CapsReplies, 1);

    r->commands = set_new();
    r->types = set_new();
    r->options = set_new();
    r->props = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_hash_table_unref);
    r->qom = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_hash_table_unref);
    r->schema = g_hash_table_new(g_str_hash, g_str_equal);
    if (!ask_names(src, "query-commands", r->commands, err) || !ask_names(src, "qom-list-types", r->types, err)) {
        caps_replies_free(r);
        return NULL;
    }
    return r;
}

void caps_replies_free(CapsReplies *r)
{
    if (!r)
        return;
    g_hash_table_unref(r->commands);
    g_hash_table_unref(r->types);
    g_hash_table_unref(r->options);
    g_hash_table_unref(r->props);
    g_hash_table_unref(r->qom);
    g_hash_table_unref(r->schema);
    json_object_put(r->schema_root);
    g_free(r);
}

bool caps_replies_has_command(const CapsReplies *r, const char *cmd)
{
    return g_hash_table_contains(r->commands, cmd);
}
