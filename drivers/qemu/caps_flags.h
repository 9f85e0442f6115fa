/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The capability flags of an emulator: identifier and the word that stands for it in cache files
 * and domain status files. The order is that of today's numbering; a word never changes its meaning
 * and none is removed, because files on disk carry it. Flags marked OLD are true of every emulator
 * that we start or of none: they are accepted when read and never asked for.
 */
#pragma once

/* clang-format off */
#define QEMU_CAP_ROWS(FLAG, OLD) \
    OLD (VNC_COLON,                           "vnc-colon") \
    OLD (NO_REBOOT,                           "no-reboot") \
    OLD (DRIVE,                               "drive") \
    OLD (DRIVE_BOOT,                          "drive-boot") \
    OLD (NAME,                                "name") \
    OLD (UUID,                                "uuid") \
    OLD (DOMID,                               "domid") \
    OLD (VNET_HDR,                            "vnet-hdr") \
    OLD (MIGRATE_KVM_STDIO,                   "migrate-kvm-stdio") \
    OLD (MIGRATE_QEMU_TCP,                    "migrate-qemu-tcp") \
    OLD (MIGRATE_QEMU_EXEC,                   "migrate-qemu-exec") \
    OLD (DRIVE_CACHE_V2,                      "drive-cache-v2") \
    FLAG(KVM,                                 "kvm") \
    OLD (DRIVE_FORMAT,                        "drive-format") \
    OLD (VGA,                                 "vga") \
    OLD (0_10,                                "0.10") \
    OLD (PCIDEVICE,                           "pci-device") \
    OLD (MEM_PATH,                            "mem-path") \
    OLD (DRIVE_SERIAL,                        "drive-serial") \
    OLD (XEN_DOMID,                           "xen-domid") \
    OLD (MIGRATE_QEMU_UNIX,                   "migrate-qemu-unix") \
    OLD (CHARDEV,                             "chardev") \
    OLD (ENABLE_KVM,                          "enable-kvm") \
    OLD (MONITOR_JSON,                        "monitor-json") \
    OLD (BALLOON,                             "balloon") \
    OLD (DEVICE,                              "device") \
    FLAG(SDL,                                 "sdl") \
    OLD (SMP_TOPOLOGY,                        "smp-topology") \
    OLD (NETDEV,                              "netdev") \
    OLD (RTC,                                 "rtc") \
    OLD (VHOST_NET,                           "vhost-net") \
    OLD (RTC_TD_HACK,                         "rtc-td-hack") \
    FLAG(NO_HPET,                             "no-hpet") \
    OLD (NO_KVM_PIT,                          "no-kvm-pit") \
    OLD (TDF,                                 "tdf") \
    OLD (PCI_CONFIGFD,                        "pci-configfd") \
    OLD (NODEFCONFIG,                         "nodefconfig") \
    OLD (BOOT_MENU,                           "boot-menu") \
    OLD (FSDEV,                               "fsdev") \
    OLD (NESTING,                             "nesting") \
    OLD (NAME_PROCESS,                        "name-process") \
    OLD (DRIVE_READONLY,                      "drive-readonly") \
    OLD (SMBIOS_TYPE,                         "smbios-type") \
    OLD (VGA_QXL,                             "vga-qxl") \
    FLAG(SPICE,                               "spice") \
    OLD (VGA_NONE,                            "vga-none") \
    OLD (MIGRATE_QEMU_FD,                     "migrate-qemu-fd") \
    OLD (BOOTINDEX,                           "boot-index") \
    FLAG(HDA_DUPLEX,                          "hda-duplex") \
    OLD (DRIVE_AIO,                           "drive-aio") \
    OLD (PCI_MULTIBUS,                        "pci-multibus") \
    OLD (PCI_BOOTINDEX,                       "pci-bootindex") \
    FLAG(CCID_EMULATED,                       "ccid-emulated") \
    FLAG(CCID_PASSTHRU,                       "ccid-passthru") \
    OLD (CHARDEV_SPICEVMC,                    "chardev-spicevmc") \
    OLD (DEVICE_SPICEVMC,                     "device-spicevmc") \
    OLD (VIRTIO_TX_ALG,                       "virtio-tx-alg") \
    OLD (DEVICE_QXL_VGA,                      "device-qxl-vga") \
    OLD (PCI_MULTIFUNCTION,                   "pci-multifunction") \
    OLD (VIRTIO_IOEVENTFD,                    "virtio-blk-pci.ioeventfd") \
    OLD (SGA,                                 "sga") \
    OLD (VIRTIO_BLK_EVENT_IDX,                "virtio-blk-pci.event_idx") \
    OLD (VIRTIO_NET_EVENT_IDX,                "virtio-net-pci.event_idx") \
    OLD (DRIVE_CACHE_DIRECTSYNC,              "cache-directsync") \
    FLAG(PIIX3_USB_UHCI,                      "piix3-usb-uhci") \
    FLAG(PIIX4_USB_UHCI,                      "piix4-usb-uhci") \
    FLAG(USB_EHCI,                            "usb-ehci") \
    FLAG(ICH9_USB_EHCI1,                      "ich9-usb-ehci1") \
    FLAG(VT82C686B_USB_UHCI,                  "vt82c686b-usb-uhci") \
    FLAG(PCI_OHCI,                            "pci-ohci") \
    FLAG(USB_REDIR,                           "usb-redir") \
    FLAG(USB_HUB,                             "usb-hub") \
    OLD (NO_SHUTDOWN,                         "no-shutdown") \
    OLD (DRIVE_CACHE_UNSAFE,                  "cache-unsafe") \
    OLD (PCI_ROMBAR,                          "rombar") \
    FLAG(ICH9_AHCI,                           "ich9-ahci") \
    FLAG(NO_ACPI,                             "no-acpi") \
    OLD (FSDEV_READONLY,                      "fsdev-readonly") \
    FLAG(VIRTIO_BLK_SCSI,                     "virtio-blk-pci.scsi") \
    OLD (VIRTIO_BLK_SG_IO,                    "blk-sg-io") \
    OLD (DRIVE_COPY_ON_READ,                  "drive-copy-on-read") \
    OLD (CPU_HOST,                            "cpu-host") \
    OLD (FSDEV_WRITEOUT,                      "fsdev-writeout") \
    OLD (DRIVE_IOTUNE,                        "drive-iotune") \
    OLD (WAKEUP,                              "system_wakeup") \
    FLAG(SCSI_DISK_CHANNEL,                   "scsi-disk.channel") \
    FLAG(SCSI_BLOCK,                          "scsi-block") \
    OLD (TRANSACTION,                         "transaction") \
    OLD (BLOCKJOB_SYNC,                       "block-job-sync") \
    OLD (BLOCKJOB_ASYNC,                      "block-job-async") \
    OLD (SCSI_CD,                             "scsi-cd") \
    OLD (IDE_CD,                              "ide-cd") \
    OLD (NO_USER_CONFIG,                      "no-user-config") \
    FLAG(HDA_MICRO,                           "hda-micro") \
    OLD (DUMP_GUEST_MEMORY,                   "dump-guest-memory") \
    FLAG(NEC_USB_XHCI,                        "nec-usb-xhci") \
    OLD (VIRTIO_S390,                         "virtio-s390") \
    OLD (BALLOON_EVENT,                       "balloon-event") \
    OLD (NETDEV_BRIDGE,                       "bridge") \
    FLAG(SCSI_LSI,                            "lsi") \
    FLAG(VIRTIO_SCSI,                         "virtio-scsi-pci") \
    OLD (BLOCKIO,                             "blockio") \
    FLAG(PIIX_DISABLE_S3,                     "disable-s3") \
    FLAG(PIIX_DISABLE_S4,                     "disable-s4") \
    FLAG(USB_REDIR_FILTER,                    "usb-redir.filter") \
    FLAG(IDE_DRIVE_WWN,                       "ide-drive.wwn") \
    FLAG(SCSI_DISK_WWN,                       "scsi-disk.wwn") \
    FLAG(SECCOMP_SANDBOX,                     "seccomp-sandbox") \
    OLD (REBOOT_TIMEOUT,                      "reboot-timeout") \
    OLD (DUMP_GUEST_CORE,                     "dump-guest-core") \
    OLD (SEAMLESS_MIGRATION,                  "seamless-migration") \
    OLD (BLOCK_COMMIT,                        "block-commit") \
    FLAG(VNC,                                 "vnc") \
    OLD (DRIVE_MIRROR,                        "drive-mirror") \
    OLD (USB_REDIR_BOOTINDEX,                 "usb-redir.bootindex") \
    OLD (USB_HOST_BOOTINDEX,                  "usb-host.bootindex") \
    OLD (DISK_SNAPSHOT,                       "blockdev-snapshot-sync") \
    FLAG(DEVICE_QXL,                          "qxl") \
    FLAG(DEVICE_VGA,                          "VGA") \
    FLAG(DEVICE_CIRRUS_VGA,                   "cirrus-vga") \
    FLAG(DEVICE_VMWARE_SVGA,                  "vmware-svga") \
    OLD (DEVICE_VIDEO_PRIMARY,                "device-video-primary") \
    FLAG(DEVICE_SCLPCONSOLE,                  "s390-sclp") \
    FLAG(DEVICE_USB_SERIAL,                   "usb-serial") \
    OLD (DEVICE_USB_NET,                      "usb-net") \
    OLD (ADD_FD,                              "add-fd") \
    OLD (NBD_SERVER,                          "nbd-server") \
    FLAG(DEVICE_VIRTIO_RNG,                   "virtio-rng") \
    FLAG(OBJECT_RNG_RANDOM,                   "rng-random") \
    FLAG(OBJECT_RNG_EGD,                      "rng-egd") \
    FLAG(VIRTIO_CCW,                          "virtio-ccw") \
    OLD (DTB,                                 "dtb") \
    FLAG(SCSI_MEGASAS,                        "megasas") \
    OLD (IPV6_MIGRATION,                      "ipv6-migration") \
    OLD (MACHINE_OPT,                         "machine-opt") \
    OLD (MACHINE_USB_OPT,                     "machine-usb-opt") \
    FLAG(DEVICE_TPM_PASSTHROUGH,              "tpm-passthrough") \
    FLAG(DEVICE_TPM_TIS,                      "tpm-tis") \
    FLAG(DEVICE_NVRAM,                        "nvram") \
    FLAG(DEVICE_PCI_BRIDGE,                   "pci-bridge") \
    FLAG(DEVICE_VFIO_PCI,                     "vfio-pci") \
    OLD (VFIO_PCI_BOOTINDEX,                  "vfio-pci.bootindex") \
    OLD (DEVICE_SCSI_GENERIC,                 "scsi-generic") \
    OLD (DEVICE_SCSI_GENERIC_BOOTINDEX,       "scsi-generic.bootindex") \
    OLD (MEM_MERGE,                           "mem-merge") \
    OLD (VNC_WEBSOCKET,                       "vnc-websocket") \
    OLD (DRIVE_DISCARD,                       "drive-discard") \
    OLD (REALTIME_MLOCK,                      "mlock") \
    OLD (VNC_SHARE_POLICY,                    "vnc-share-policy") \
    OLD (DEVICE_DEL_EVENT,                    "device-del-event") \
    FLAG(DEVICE_DMI_TO_PCI_BRIDGE,            "dmi-to-pci-bridge") \
    OLD (I440FX_PCI_HOLE64_SIZE,              "i440fx-pci-hole64-size") \
    OLD (Q35_PCI_HOLE64_SIZE,                 "q35-pci-hole64-size") \
    FLAG(DEVICE_USB_STORAGE,                  "usb-storage") \
    FLAG(USB_STORAGE_REMOVABLE,               "usb-storage.removable") \
    FLAG(DEVICE_VIRTIO_MMIO,                  "virtio-mmio") \
    FLAG(DEVICE_ICH9_INTEL_HDA,               "ich9-intel-hda") \
    FLAG(KVM_PIT_TICK_POLICY,                 "kvm-pit-lost-tick-policy") \
    OLD (BOOT_STRICT,                         "boot-strict") \
    FLAG(DEVICE_PANIC,                        "pvpanic") \
    FLAG(ENABLE_FIPS,                         "enable-fips") \
    OLD (SPICE_FILE_XFER_DISABLE,             "spice-file-xfer-disable") \
    OLD (CHARDEV_SPICEPORT,                   "spiceport") \
    FLAG(DEVICE_USB_KBD,                      "usb-kbd") \
    OLD (HOST_PCI_MULTIDOMAIN,                "host-pci-multidomain") \
    OLD (MSG_TIMESTAMP,                       "msg-timestamp") \
    OLD (ACTIVE_COMMIT,                       "active-commit") \
    OLD (CHANGE_BACKING_FILE,                 "change-backing-file") \
    OLD (OBJECT_MEMORY_RAM,                   "memory-backend-ram") \
    OLD (NUMA,                                "numa") \
    OLD (OBJECT_MEMORY_FILE,                  "memory-backend-file") \
    FLAG(OBJECT_USB_AUDIO,                    "usb-audio") \
    FLAG(RTC_RESET_REINJECTION,               "rtc-reset-reinjection") \
    OLD (SPLASH_TIMEOUT,                      "splash-timeout") \
    FLAG(OBJECT_IOTHREAD,                     "iothread") \
    FLAG(MIGRATE_RDMA,                        "migrate-rdma") \
    FLAG(DEVICE_IVSHMEM,                      "ivshmem") \
    OLD (DRIVE_IOTUNE_MAX,                    "drive-iotune-max") \
    FLAG(VGA_VGAMEM,                          "VGA.vgamem_mb") \
    FLAG(VMWARE_SVGA_VGAMEM,                  "vmware-svga.vgamem_mb") \
    FLAG(QXL_VGAMEM,                          "qxl.vgamem_mb") \
    OLD (QXL_VGA_VGAMEM,                      "qxl-vga.vgamem_mb") \
    FLAG(DEVICE_PC_DIMM,                      "pc-dimm") \
    FLAG(MACHINE_VMPORT_OPT,                  "machine-vmport-opt") \
    FLAG(AES_KEY_WRAP,                        "aes-key-wrap") \
    FLAG(DEA_KEY_WRAP,                        "dea-key-wrap") \
    FLAG(DEVICE_PCI_SERIAL,                   "pci-serial") \
    FLAG(CPU_AARCH64_OFF,                     "aarch64-off") \
    OLD (VHOSTUSER_MULTIQUEUE,                "vhost-user-multiqueue") \
    OLD (MIGRATION_EVENT,                     "migration-event") \
    FLAG(OBJECT_GPEX,                         "gpex-pcihost") \
    FLAG(DEVICE_IOH3420,                      "ioh3420") \
    FLAG(DEVICE_X3130_UPSTREAM,               "x3130-upstream") \
    FLAG(DEVICE_XIO3130_DOWNSTREAM,           "xio3130-downstream") \
    FLAG(DEVICE_RTL8139,                      "rtl8139") \
    FLAG(DEVICE_E1000,                        "e1000") \
    FLAG(DEVICE_VIRTIO_NET,                   "virtio-net") \
    FLAG(MACH_VIRT_GIC_VERSION,               "gic-version") \
    OLD (INCOMING_DEFER,                      "incoming-defer") \
    FLAG(DEVICE_VIRTIO_GPU,                   "virtio-gpu") \
    FLAG(VIRTIO_GPU_VIRGL,                    "virtio-gpu.virgl") \
    FLAG(VIRTIO_KEYBOARD,                     "virtio-keyboard") \
    FLAG(VIRTIO_MOUSE,                        "virtio-mouse") \
    FLAG(VIRTIO_TABLET,                       "virtio-tablet") \
    FLAG(VIRTIO_INPUT_HOST,                   "virtio-input-host") \
    OLD (CHARDEV_FILE_APPEND,                 "chardev-file-append") \
    FLAG(ICH9_DISABLE_S3,                     "ich9-disable-s3") \
    FLAG(ICH9_DISABLE_S4,                     "ich9-disable-s4") \
    OLD (VSERPORT_CHANGE,                     "vserport-change-event") \
    FLAG(VIRTIO_BALLOON_AUTODEFLATE,          "virtio-balloon-pci.deflate-on-oom") \
    FLAG(SCSI_MPTSAS1068,                     "mptsas1068") \
    FLAG(SPICE_GL,                            "spice-gl") \
    FLAG(QXL_VRAM64,                          "qxl.vram64_size_mb") \
    OLD (QXL_VGA_VRAM64,                      "qxl-vga.vram64_size_mb") \
    OLD (CHARDEV_LOGFILE,                     "chardev-logfile") \
    OLD (NAME_DEBUG_THREADS,                  "debug-threads") \
    OLD (OBJECT_SECRET,                       "secret") \
    FLAG(DEVICE_PXB,                          "pxb") \
    FLAG(DEVICE_PXB_PCIE,                     "pxb-pcie") \
    OLD (DEVICE_TRAY_MOVED,                   "device-tray-moved-event") \
    OLD (NEC_USB_XHCI_PORTS,                  "nec-usb-xhci-ports") \
    OLD (VIRTIO_SCSI_IOTHREAD,                "virtio-scsi-pci.iothread") \
    OLD (NAME_GUEST,                          "name-guest") \
    OLD (QXL_MAX_OUTPUTS,                     "qxl.max_outputs") \
    OLD (QXL_VGA_MAX_OUTPUTS,                 "qxl-vga.max_outputs") \
    OLD (SPICE_UNIX,                          "spice-unix") \
    OLD (DRIVE_DETECT_ZEROES,                 "drive-detect-zeroes") \
    OLD (OBJECT_TLS_CREDS_X509,               "tls-creds-x509") \
    OLD (DISPLAY,                             "display") \
    FLAG(DEVICE_INTEL_IOMMU,                  "intel-iommu") \
    OLD (MACHINE_SMM_OPT,                     "smm") \
    OLD (VIRTIO_PCI_DISABLE_LEGACY,           "virtio-pci-disable-legacy") \
    FLAG(QUERY_HOTPLUGGABLE_CPUS,             "query-hotpluggable-cpus") \
    OLD (VIRTIO_NET_RX_QUEUE_SIZE,            "virtio-net.rx_queue_size") \
    OLD (MACHINE_IOMMU,                       "machine-iommu") \
    FLAG(DEVICE_VIRTIO_VGA,                   "virtio-vga") \
    OLD (DRIVE_IOTUNE_MAX_LENGTH,             "drive-iotune-max-length") \
    FLAG(DEVICE_IVSHMEM_PLAIN,                "ivshmem-plain") \
    FLAG(DEVICE_IVSHMEM_DOORBELL,             "ivshmem-doorbell") \
    OLD (QUERY_QMP_SCHEMA,                    "query-qmp-schema") \
    OLD (GLUSTER_DEBUG_LEVEL,                 "gluster.debug_level") \
    FLAG(DEVICE_VHOST_SCSI,                   "vhost-scsi") \
    OLD (DRIVE_IOTUNE_GROUP,                  "drive-iotune-group") \
    FLAG(QUERY_CPU_MODEL_EXPANSION,           "query-cpu-model-expansion") \
    OLD (VIRTIO_NET_HOST_MTU,                 "virtio-net.host_mtu") \
    FLAG(SPICE_RENDERNODE,                    "spice-rendernode") \
    FLAG(DEVICE_NVDIMM,                       "nvdimm") \
    FLAG(DEVICE_PCIE_ROOT_PORT,               "pcie-root-port") \
    FLAG(QUERY_CPU_DEFINITIONS,               "query-cpu-definitions") \
    OLD (BLOCK_WRITE_THRESHOLD,               "block-write-threshold") \
    OLD (QUERY_NAMED_BLOCK_NODES,             "query-named-block-nodes") \
    FLAG(CPU_CACHE,                           "cpu-cache") \
    FLAG(DEVICE_QEMU_XHCI,                    "qemu-xhci") \
    OLD (MACHINE_KERNEL_IRQCHIP,              "kernel-irqchip") \
    OLD (MACHINE_KERNEL_IRQCHIP_SPLIT,        "kernel-irqchip.split") \
    FLAG(INTEL_IOMMU_INTREMAP,                "intel-iommu.intremap") \
    FLAG(INTEL_IOMMU_CACHING_MODE,            "intel-iommu.caching-mode") \
    FLAG(INTEL_IOMMU_EIM,                     "intel-iommu.eim") \
    FLAG(INTEL_IOMMU_DEVICE_IOTLB,            "intel-iommu.device-iotlb") \
    OLD (VIRTIO_PCI_IOMMU_PLATFORM,           "virtio.iommu_platform") \
    OLD (VIRTIO_PCI_ATS,                      "virtio.ats") \
    FLAG(LOADPARM,                            "loadparm") \
    FLAG(DEVICE_SPAPR_PCI_HOST_BRIDGE,        "spapr-pci-host-bridge") \
    FLAG(SPAPR_PCI_HOST_BRIDGE_NUMA_NODE,     "spapr-pci-host-bridge.numa_node") \
    OLD (VNC_MULTI_SERVERS,                   "vnc-multi-servers") \
    OLD (VIRTIO_NET_TX_QUEUE_SIZE,            "virtio-net.tx_queue_size") \
    FLAG(CHARDEV_RECONNECT,                   "chardev-reconnect") \
    OLD (VIRTIO_GPU_MAX_OUTPUTS,              "virtio-gpu.max_outputs") \
    FLAG(VXHS,                                "vxhs") \
    OLD (VIRTIO_BLK_NUM_QUEUES,               "virtio-blk.num-queues") \
    OLD (MACHINE_PSERIES_RESIZE_HPT,          "machine.pseries.resize-hpt") \
    FLAG(DEVICE_VMCOREINFO,                   "vmcoreinfo") \
    FLAG(DEVICE_SPAPR_VTY,                    "spapr-vty") \
    FLAG(DEVICE_SCLPLMCONSOLE,                "sclplmconsole") \
    OLD (NUMA_DIST,                           "numa.dist") \
    OLD (DISK_SHARE_RW,                       "disk-share-rw") \
    OLD (ISCSI_PASSWORD_SECRET,               "iscsi.password-secret") \
    FLAG(DEVICE_ISA_SERIAL,                   "isa-serial") \
    FLAG(DEVICE_PL011,                        "pl011") \
    OLD (MACHINE_PSERIES_MAX_CPU_COMPAT,      "machine.pseries.max-cpu-compat") \
    OLD (DUMP_COMPLETED,                      "dump-completed") \
    FLAG(DEVICE_VIRTIO_GPU_CCW,               "virtio-gpu-ccw") \
    FLAG(DEVICE_VIRTIO_KEYBOARD_CCW,          "virtio-keyboard-ccw") \
    FLAG(DEVICE_VIRTIO_MOUSE_CCW,             "virtio-mouse-ccw") \
    FLAG(DEVICE_VIRTIO_TABLET_CCW,            "virtio-tablet-ccw") \
    OLD (QCOW2_LUKS,                          "qcow2-luks") \
    FLAG(DEVICE_PCIE_PCI_BRIDGE,              "pcie-pci-bridge") \
    OLD (SECCOMP_BLACKLIST,                   "seccomp-blacklist") \
    OLD (QUERY_CPUS_FAST,                     "query-cpus-fast") \
    OLD (DISK_WRITE_CACHE,                    "disk-write-cache") \
    FLAG(NBD_TLS,                             "nbd-tls") \
    FLAG(DEVICE_TPM_CRB,                      "tpm-crb") \
    FLAG(PR_MANAGER_HELPER,                   "pr-manager-helper") \
    OLD (QOM_LIST_PROPERTIES,                 "qom-list-properties") \
    OLD (OBJECT_MEMORY_FILE_DISCARD,          "memory-backend-file.discard-data") \
    OLD (CCW,                                 "virtual-css-bridge") \
    OLD (CCW_CSSID_UNRESTRICTED,              "virtual-css-bridge.cssid-unrestricted") \
    FLAG(DEVICE_VFIO_CCW,                     "vfio-ccw") \
    OLD (SDL_GL,                              "sdl-gl") \
    FLAG(SCREENDUMP_DEVICE,                   "screendump_device") \
    FLAG(HDA_OUTPUT,                          "hda-output") \
    OLD (BLOCKDEV_DEL,                        "blockdev-del") \
    FLAG(DEVICE_VMGENID,                      "vmgenid") \
    FLAG(DEVICE_VHOST_VSOCK,                  "vhost-vsock") \
    OLD (CHARDEV_FD_PASS_COMMANDLINE,         "chardev-fd-pass") \
    FLAG(DEVICE_TPM_EMULATOR,                 "tpm-emulator") \
    FLAG(DEVICE_MCH,                          "mch") \
    FLAG(MCH_EXTENDED_TSEG_MBYTES,            "mch.extended-tseg-mbytes") \
    FLAG(SEV_GUEST,                           "sev-guest") \
    FLAG(MACHINE_PSERIES_CAP_HPT_MAX_PAGE_SIZE, "machine.pseries.cap-hpt-max-page-size") \
    FLAG(MACHINE_PSERIES_CAP_HTM,             "machine.pseries.cap-htm") \
    OLD (USB_STORAGE_WERROR,                  "usb-storage.werror") \
    FLAG(EGL_HEADLESS,                        "egl-headless") \
    FLAG(VFIO_PCI_DISPLAY,                    "vfio-pci.display") \
    OLD (BLOCKDEV,                            "blockdev") \
    FLAG(DEVICE_VFIO_AP,                      "vfio-ap") \
    FLAG(DEVICE_ZPCI,                         "zpci") \
    FLAG(OBJECT_MEMORY_MEMFD,                 "memory-backend-memfd") \
    FLAG(OBJECT_MEMORY_MEMFD_HUGETLB,         "memory-backend-memfd.hugetlb") \
    FLAG(IOTHREAD_POLLING,                    "iothread.poll-max-ns") \
    FLAG(MACHINE_PSERIES_CAP_NESTED_HV,       "machine.pseries.cap-nested-hv") \
    FLAG(EGL_HEADLESS_RENDERNODE,             "egl-headless.rendernode") \
    OLD (OBJECT_MEMORY_FILE_ALIGN,            "memory-backend-file.align") \
    FLAG(OBJECT_MEMORY_FILE_PMEM,             "memory-backend-file.pmem") \
    FLAG(DEVICE_NVDIMM_UNARMED,               "nvdimm.unarmed") \
    OLD (SCSI_DISK_DEVICE_ID,                 "scsi-disk.device_id") \
    FLAG(VIRTIO_PCI_TRANSITIONAL,             "virtio-pci-non-transitional") \
    OLD (OVERCOMMIT,                          "overcommit") \
    OLD (QUERY_CURRENT_MACHINE,               "query-current-machine") \
    FLAG(MACHINE_VIRT_IOMMU,                  "machine.virt.iommu") \
    OLD (BITMAP_MERGE,                        "bitmap-merge") \
    FLAG(NBD_BITMAP,                          "nbd-bitmap") \
    FLAG(X86_MAX_CPU,                         "x86-max-cpu") \
    FLAG(CPU_UNAVAILABLE_FEATURES,            "cpu-unavailable-features") \
    FLAG(CANONICAL_CPU_FEATURES,              "canonical-cpu-features") \
    FLAG(DEVICE_BOCHS_DISPLAY,                "bochs-display") \
    FLAG(MIGRATION_FILE_DROP_CACHE,           "migration-file-drop-cache") \
    FLAG(DBUS_VMSTATE,                        "dbus-vmstate") \
    FLAG(DEVICE_VHOST_USER_GPU,               "vhost-user-gpu") \
    FLAG(DEVICE_VHOST_USER_VGA,               "vhost-user-vga") \
    FLAG(INCREMENTAL_BACKUP,                  "incremental-backup") \
    FLAG(QUERY_CPU_MODEL_BASELINE,            "query-cpu-model-baseline") \
    FLAG(QUERY_CPU_MODEL_COMPARISON,          "query-cpu-model-comparison") \
    FLAG(DEVICE_RAMFB,                        "ramfb") \
    FLAG(MACHINE_PSERIES_CAP_CCF_ASSIST,      "machine.pseries.cap-ccf-assist") \
    FLAG(ARM_MAX_CPU,                         "arm-max-cpu") \
    OLD (BLOCK_FILE_AUTO_READONLY_DYNAMIC,    "blockdev-file-dynamic-auto-read-only") \
    OLD (SAVEVM_MONITOR_NODES,                "savevm-monitor-nodes") \
    FLAG(DRIVE_NVME,                          "drive-nvme") \
    FLAG(SMP_DIES,                            "smp-dies") \
    FLAG(DEVICE_I8042,                        "i8042") \
    FLAG(OBJECT_RNG_BUILTIN,                  "rng-builtin") \
    OLD (VIRTIO_NET_FAILOVER,                 "virtio-net.failover") \
    FLAG(DEVICE_TPM_SPAPR,                    "tpm-spapr") \
    FLAG(CPU_KVM_NO_ADJVTIME,                 "cpu.kvm-no-adjvtime") \
    FLAG(DEVICE_VHOST_USER_FS,                "vhost-user-fs") \
    FLAG(QMP_QUERY_NAMED_BLOCK_NODES_FLAT,    "query-named-block-nodes.flat") \
    FLAG(BLOCKDEV_SNAPSHOT_ALLOW_WRITE_ONLY,  "blockdev-snapshot.allow-write-only-overlay") \
    FLAG(BLOCKDEV_REOPEN,                     "blockdev-reopen") \
    OLD (STORAGE_WERROR,                      "storage.werror") \
    FLAG(FSDEV_MULTIDEVS,                     "fsdev.multidevs") \
    OLD (VIRTIO_PACKED_QUEUES,                "virtio.packed") \
    FLAG(PCIE_ROOT_PORT_HOTPLUG,              "pcie-root-port.hotplug") \
    FLAG(AIO_IO_URING,                        "aio.io_uring") \
    FLAG(MACHINE_PSERIES_CAP_CFPC,            "machine.pseries.cap-cfpc") \
    FLAG(MACHINE_PSERIES_CAP_SBBC,            "machine.pseries.cap-sbbc") \
    FLAG(MACHINE_PSERIES_CAP_IBS,             "machine.pseries.cap-ibs") \
    FLAG(TCG,                                 "tcg") \
    FLAG(VIRTIO_BLK_SCSI_DEFAULT_DISABLED,    "virtio-blk-pci.scsi.default.disabled") \
    FLAG(SCSI_PVSCSI,                         "pvscsi") \
    FLAG(CPU_MIGRATABLE,                      "cpu.migratable") \
    OLD (QUERY_CPU_MODEL_EXPANSION_MIGRATABLE, "query-cpu-model-expansion.migratable") \
    OLD (FW_CFG,                              "fw_cfg") \
    OLD (MIGRATION_PARAM_BANDWIDTH,           "migration-param.bandwidth") \
    OLD (MIGRATION_PARAM_DOWNTIME,            "migration-param.downtime") \
    OLD (MIGRATION_PARAM_XBZRLE_CACHE_SIZE,   "migration-param.xbzrle-cache-size") \
    FLAG(INTEL_IOMMU_AW_BITS,                 "intel-iommu.aw-bits") \
    FLAG(DEVICE_SPAPR_TPM_PROXY,              "spapr-tpm-proxy") \
    FLAG(NUMA_HMAT,                           "numa.hmat") \
    OLD (BLOCKDEV_HOSTDEV_SCSI,               "blockdev-hostdev-scsi") \
    FLAG(USB_HOST_HOSTDEVICE,                 "usb-host.hostdevice") \
    FLAG(VIRTIO_BALLOON_FREE_PAGE_REPORTING,  "virtio-balloon.free-page-reporting") \
    FLAG(BLOCK_EXPORT_ADD,                    "block-export-add") \
    FLAG(NETDEV_VHOST_VDPA,                   "netdev.vhost-vdpa") \
    OLD (FSDEV_CREATEMODE,                    "fsdev.createmode") \
    FLAG(SCSI_NCR53C90,                       "ncr53c90") \
    FLAG(SCSI_DC390,                          "dc390") \
    FLAG(SCSI_AM53C974,                       "am53c974") \
    FLAG(DEVICE_VIRTIO_PMEM_PCI,              "virtio-pmem-pci") \
    FLAG(VHOST_USER_FS_BOOTINDEX,             "vhost-user-fs.bootindex") \
    FLAG(DEVICE_VHOST_USER_BLK,               "vhost-user-blk") \
    FLAG(CPU_MAX,                             "cpu-max") \
    FLAG(X_USE_CANONICAL_PATH_FOR_RAMBLOCK_ID, "memory-backend-file.x-use-canonical-path-for-ramblock-id") \
    OLD (VNC_OPTS,                            "vnc-opts") \
    FLAG(MIGRATION_PARAM_BLOCK_BITMAP_MAPPING, "migration-param.block-bitmap-mapping") \
    FLAG(VNC_POWER_CONTROL,                   "vnc-power-control") \
    OLD (AUDIODEV,                            "audiodev") \
    OLD (BLOCKDEV_BACKUP,                     "blockdev-backup") \
    FLAG(OBJECT_JSON,                         "object.qapified") \
    FLAG(ROTATION_RATE,                       "rotation-rate") \
    FLAG(COMPAT_DEPRECATED,                   "compat-deprecated") \
    FLAG(ACPI_INDEX,                          "acpi-index") \
    FLAG(INPUT_LINUX,                         "input-linux") \
    FLAG(VIRTIO_GPU_GL_PCI,                   "virtio-gpu-gl-pci") \
    FLAG(VIRTIO_VGA_GL,                       "virtio-vga-gl") \
    FLAG(MACHINE_CONFIDENTAL_GUEST_SUPPORT,   "confidential-guest-support") \
    OLD (QUERY_DISPLAY_OPTIONS,               "query-display-options") \
    FLAG(S390_PV_GUEST,                       "s390-pv-guest") \
    FLAG(SET_ACTION,                          "set-action") \
    FLAG(VIRTIO_BLK_QUEUE_SIZE,               "virtio-blk.queue-size") \
    FLAG(DEVICE_VIRTIO_MEM_PCI,               "virtio-mem-pci") \
    FLAG(MEMORY_BACKEND_RESERVE,              "memory-backend-file.reserve") \
    FLAG(PIIX4_ACPI_ROOT_PCI_HOTPLUG,         "piix4.acpi-root-pci-hotplug") \
    FLAG(NETDEV_JSON,                         "netdev.json") \
    FLAG(CHARDEV_JSON,                        "chardev.json") \
    OLD (DEVICE_JSON_BROKEN_HOTPLUG,          "device.json") \
    FLAG(QUERY_DIRTY_RATE,                    "query-dirty-rate") \
    FLAG(RBD_ENCRYPTION,                      "rbd-encryption") \
    FLAG(SEV_GUEST_KERNEL_HASHES,             "sev-guest-kernel-hashes") \
    FLAG(SEV_INJECT_LAUNCH_SECRET,            "sev-inject-launch-secret") \
    FLAG(DEVICE_JSON,                         "device.json+hotplug") \
    FLAG(HVF,                                 "hvf") \
    FLAG(DEVICE_VIRTIO_MEM_PCI_PREALLOC,      "virtio-mem-pci.prealloc") \
    FLAG(CALC_DIRTY_RATE,                     "calc-dirty-rate") \
    FLAG(DIRTYRATE_MODE,                      "dirtyrate-param.mode") \
    FLAG(BLOCKDEV_NBD_TLS_HOSTNAME,           "blockdev.nbd.tls-hostname") \
    FLAG(MEMORY_BACKEND_PREALLOC_THREADS,     "memory-backend-file.prealloc-threads") \
    FLAG(DEVICE_VIRTIO_IOMMU_PCI,             "virtio-iommu-pci") \
    FLAG(VIRTIO_IOMMU_BOOT_BYPASS,            "virtio-iommu.boot-bypass") \
    FLAG(VIRTIO_NET_RSS,                      "virtio-net.rss") \
    FLAG(CHARDEV_QEMU_VDAGENT,                "chardev.qemu-vdagent") \
    FLAG(DISPLAY_DBUS,                        "display-dbus") \
    FLAG(IOTHREAD_THREAD_POOL_MAX,            "iothread.thread-pool-max") \
    FLAG(USB_HOST_GUESTS_RESETS_ALL,          "usb-host.guest-resets-all") \
    FLAG(MIGRATION_BLOCKED_REASONS,           "migration.blocked-reasons") \
    FLAG(QUERY_STATS,                         "query-stats") \
    FLAG(QUERY_STATS_SCHEMAS,                 "query-stats-schemas") \
    FLAG(SGX_EPC,                             "sgx-epc") \
    FLAG(THREAD_CONTEXT,                      "thread-context") \
    FLAG(SCREENSHOT_FORMAT_PNG,               "screenshot-format-png") \
    FLAG(MACHINE_HPET,                        "machine-hpet") \
    FLAG(NETDEV_STREAM,                       "netdev.stream")
/* clang-format on */
