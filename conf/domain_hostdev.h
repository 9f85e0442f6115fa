/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host devices, USB redirection, host directories. */
#pragma once

#include "conf/domain_chr.h"
#include "conf/domain_misc.h" /* VirtioModel */
#include "conf/domain_net.h"

typedef enum HostdevMode { HOSTDEV_SUBSYS, HOSTDEV_CAPS, _HOSTDEV_MODE_N } HostdevMode;
extern const EnumTable hostdev_mode_names;
typedef enum HostdevType { /* subsys, then capabilities */
    HOSTDEV_USB, HOSTDEV_PCI, HOSTDEV_SCSI, HOSTDEV_SCSI_HOST, HOSTDEV_MDEV,
    HOSTDEV_STORAGE, HOSTDEV_MISC, HOSTDEV_NET, _HOSTDEV_TYPE_N,
} HostdevType;
extern const EnumTable hostdev_type_names;
typedef enum HostdevDriver { HOSTDEV_DRIVER_DEFAULT, HOSTDEV_DRIVER_KVM, HOSTDEV_DRIVER_VFIO, HOSTDEV_DRIVER_XEN, _HOSTDEV_DRIVER_N } HostdevDriver;
extern const EnumTable hostdev_driver_names;
typedef enum HostdevModel { HOSTDEV_MODEL_DEFAULT, HOSTDEV_MODEL_VFIO_PCI, HOSTDEV_MODEL_VFIO_CCW, HOSTDEV_MODEL_VFIO_AP, HOSTDEV_MODEL_VIRTIO, HOSTDEV_MODEL_VIRTIO_TRANSITIONAL, HOSTDEV_MODEL_VIRTIO_NON_TRANSITIONAL, _HOSTDEV_MODEL_N } HostdevModel;
extern const EnumTable hostdev_model_names;
typedef enum UsbGuestReset { GUEST_RESET_DEFAULT, GUEST_RESET_OFF, GUEST_RESET_UNINITIALIZED, GUEST_RESET_ON, _GUEST_RESET_N } UsbGuestReset;
extern const EnumTable guest_reset_names;

typedef enum FsType { FS_MOUNT, FS_BLOCK, FS_FILE, FS_TEMPLATE, FS_RAM, FS_BIND, FS_VOLUME, _FS_TYPE_N } FsType;
extern const EnumTable fs_type_names;
typedef enum FsDriver { FS_DRIVER_DEFAULT, FS_DRIVER_PATH, FS_DRIVER_HANDLE, FS_DRIVER_LOOP, FS_DRIVER_NBD, FS_DRIVER_PLOOP, FS_DRIVER_VIRTIOFS, FS_DRIVER_MTP, _FS_DRIVER_N } FsDriver;
extern const EnumTable fs_driver_names;
typedef enum FsAccess { FS_ACCESS_DEFAULT, FS_PASSTHROUGH, FS_MAPPED, FS_SQUASH, _FS_ACCESS_N } FsAccess;
extern const EnumTable fs_access_names;
typedef enum FsWrpolicy { FS_WRPOLICY_DEFAULT, FS_WRPOLICY_IMMEDIATE, _FS_WRPOLICY_N } FsWrpolicy;
extern const EnumTable fs_wrpolicy_names;
typedef enum FsMultidevs { FS_MULTIDEVS_DEFAULT, FS_MULTIDEVS_REMAP, FS_MULTIDEVS_FORBID, FS_MULTIDEVS_WARN, _FS_MULTIDEVS_N } FsMultidevs;
extern const EnumTable fs_multidevs_names;
typedef enum FsCache { FS_CACHE_DEFAULT, FS_CACHE_NONE, FS_CACHE_ALWAYS, _FS_CACHE_N } FsCache;
extern const EnumTable fs_cache_names;
typedef enum FsSandbox { FS_SANDBOX_DEFAULT, FS_SANDBOX_NAMESPACE, FS_SANDBOX_CHROOT, _FS_SANDBOX_N } FsSandbox;
extern const EnumTable fs_sandbox_names;

CONF_STRUCTS_BEGIN

typedef struct HostdevDef {
    Device dev;
    HostdevMode mode;
    HostdevType type;
    Tristate managed;
    Flag missing;             /* live: optional device that was not there */
    HostdevModel model;
    Tristate display, ramfb;
    HostdevDriver driver;
    StartupPolicy startup_policy;
    UsbGuestReset guest_reset;
    Flag readonly, shareable;
    SgioMode sgio;
    Tristate rawio;
    OptU32 vendor, product;   /* usb */
    OptU32 usb_bus, usb_device;
    PciAddress pci;
    Tristate write_filtering;
    Flag _pad;
    char *scsi_adapter;       /* "scsi_host0" */
    DriveAddress scsi;        /* bus, target, unit */
    StoragePrivate *scsi_priv; /* its names in the emulator, status files only; of an iscsi LUN: iscsi->priv */
    StorageSource *iscsi;     /* source/@protocol='iscsi' */
    char *scsi_protocol;      /* scsi_host: "vhost" */
    char *wwpn;
    OptUuid mdev;
    Flag _pad2;
    char *caps_path;          /* capabilities: source/block, source/char or source/interface */
    GPtrArray *caps_ips, *caps_routes; /* NetIp, NetRoute */
    TeamingType teaming;
    Tristate iommufd;
    char *teaming_persistent;
    char *driver_model;       /* kernel module on the host */
} HostdevDef;

typedef enum RedirBus { REDIR_USB, _REDIR_BUS_N } RedirBus;

typedef struct RedirdevDef {
    Device dev;
    RedirBus bus;
    Flag _pad;
    ChrSource src;
} RedirdevDef;

typedef struct RedirRule {
    OptU32 class_, vendor, product;
    char *version; /* as written, "1.10" */
    Tristate allow;
    Flag _pad;
} RedirRule;

typedef struct RedirfilterDef {
    Device dev;
    GPtrArray *rules; /* RedirRule */
} RedirfilterDef;

typedef struct FsIdmap {
    uint32_t start, target, count;
} FsIdmap;

typedef struct FsDef {
    Device dev;
    FsType type;
    FsDriver driver;
    StorageFormat format;
    FsAccess access;
    FsWrpolicy wrpolicy;
    FsMultidevs multidevs;
    VirtioModel model;
    uint32_t queue_size;
    OptU32 fmode, dmode;       /* octal */
    char *driver_name;
    char *src;                 /* dir, dev, file, name, path by type */
    char *src_pool, *src_volume;
    char *socket;
    char *dst;                 /* target/@dir: mount tag */
    uint64_t usage;            /* ram, KiB */
    uint64_t space_hard_limit, space_soft_limit; /* bytes */
    char *binary;
    Tristate xattr, posix_lock, flock;
    FsCache cache;
    FsSandbox sandbox;
    OptU32 thread_pool;
    OptU32 open_files;
    Flag readonly;
    VirtioOptions virtio;
    GPtrArray *uids, *gids;    /* FsIdmap */
} FsDef;

CONF_STRUCTS_END
