/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What all devices share: kind, alias, address, boot order. Every per-kind struct begins with a
 * Device, so a Device * from DomainDef.devices is cast to the struct that its kind names
 * (device_kinds[] in device.c holds element name, struct and place in the formatted document).
 */
#pragma once

#include "conf/types.h"

/* In the order in which clients see the kinds in a document. */
typedef enum DeviceKind {
    DEVICE_DISK,       /* DiskDef        domain_disk.h */
    DEVICE_CONTROLLER, /* ControllerDef  domain_controller.h */
    DEVICE_LEASE,      /* LeaseDef       domain_misc.h */
    DEVICE_FILESYSTEM, /* FsDef          domain_hostdev.h */
    DEVICE_INTERFACE,  /* NetDef         domain_net.h */
    DEVICE_SMARTCARD,  /* SmartcardDef   domain_chr.h */
    DEVICE_SERIAL,     /* ChrDef         domain_chr.h */
    DEVICE_PARALLEL,   /* ChrDef */
    DEVICE_CONSOLE,    /* ChrDef */
    DEVICE_CHANNEL,    /* ChrDef */
    DEVICE_INPUT,      /* InputDef       domain_misc.h */
    DEVICE_TPM,        /* TpmDef         domain_misc.h */
    DEVICE_GRAPHICS,   /* GraphicsDef    domain_graphics.h */
    DEVICE_SOUND,      /* SoundDef       domain_graphics.h */
    DEVICE_AUDIO,      /* AudioDef       domain_graphics.h */
    DEVICE_VIDEO,      /* VideoDef       domain_graphics.h */
    DEVICE_HOSTDEV,    /* HostdevDef     domain_hostdev.h */
    DEVICE_REDIRDEV,   /* RedirdevDef    domain_hostdev.h */
    DEVICE_REDIRFILTER,/* RedirfilterDef domain_hostdev.h */
    DEVICE_HUB,        /* HubDef         domain_misc.h */
    DEVICE_WATCHDOG,   /* WatchdogDef    domain_misc.h */
    DEVICE_MEMBALLOON, /* MemballoonDef  domain_misc.h */
    DEVICE_RNG,        /* RngDef         domain_misc.h */
    DEVICE_NVRAM,      /* NvramDef       domain_misc.h */
    DEVICE_PANIC,      /* PanicDef       domain_misc.h */
    DEVICE_SHMEM,      /* ShmemDef       domain_misc.h */
    DEVICE_MEMORY,     /* MemoryDef      domain_misc.h */
    DEVICE_IOMMU,      /* IommuDef       domain_misc.h */
    DEVICE_VSOCK,      /* VsockDef       domain_misc.h */
    DEVICE_CRYPTO,     /* CryptoDef      domain_misc.h */
    DEVICE_PSTORE,     /* PstoreDef      domain_misc.h */
    _DEVICE_KIND_N,
} DeviceKind;

typedef enum AddressType {
    ADDRESS_NONE,
    ADDRESS_PCI,
    ADDRESS_DRIVE,
    ADDRESS_VIRTIO_SERIAL,
    ADDRESS_CCID,
    ADDRESS_USB,
    ADDRESS_SPAPR_VIO,
    ADDRESS_VIRTIO_S390, /* obsolete, accepted and kept */
    ADDRESS_CCW,
    ADDRESS_VIRTIO_MMIO,
    ADDRESS_ISA,
    ADDRESS_DIMM,
    ADDRESS_UNASSIGNED,
    _ADDRESS_TYPE_N,
} AddressType;
extern const EnumTable address_type_names;

CONF_STRUCTS_BEGIN

typedef struct PciAddress {
    uint32_t domain, bus, slot, function;
    Tristate multifunction;
    OptU32 zpci_uid, zpci_fid;
    Flag given; /* any of domain…function was written; unset: <address type='pci'/> asks for one */
} PciAddress;

typedef struct DriveAddress {
    uint32_t controller, bus, target, unit;
} DriveAddress;

typedef struct SerialAddress { /* virtio-serial */
    uint32_t controller, bus;
    OptU32 port; /* unset: to be assigned; 0 is for the console */
} SerialAddress;

typedef struct CcidAddress {
    uint32_t controller, slot;
} CcidAddress;

typedef struct UsbAddress {
    uint32_t bus;
    Flag _pad;
    char *port; /* "1.2.3", NULL: to be assigned */
} UsbAddress;

typedef struct CcwAddress {
    OptU32 cssid, ssid, devno;
} CcwAddress;

typedef struct IsaAddress {
    OptU32 iobase, irq;
} IsaAddress;

typedef struct DimmAddress {
    OptU64 base;
    uint32_t slot;
    Flag _pad;
} DimmAddress;

typedef struct VioAddress { /* spapr-vio */
    OptU64 reg;
} VioAddress;

typedef struct DeviceAddress {
    AddressType type;
    Flag _pad;
    union {
        PciAddress pci;
        DriveAddress drive;
        SerialAddress serial;
        CcidAddress ccid;
        UsbAddress usb;
        CcwAddress ccw;
        IsaAddress isa;
        DimmAddress dimm;
        VioAddress vio;
        uint64_t _size[5];
    } u;
} DeviceAddress;

/* Driver options that every virtio device accepts. */
typedef struct VirtioOptions {
    Tristate iommu, ats, packed, page_per_vq;
} VirtioOptions;

typedef struct DeviceInfo {
    char *alias;             /* "ua-…" names are the user's and persist; others are live */
    DeviceAddress address;
    uint32_t boot_order;     /* from 1; 0: not in the order */
    uint32_t acpi_index;     /* 0: none */
    char *loadparm;
    Tristate rom_enabled, rom_bar;
    char *rom_file;
    OptU32 master_startport; /* USB companion controllers */
    /* Not in the document, never formatted. */
    uint32_t pci_connect;    /* for the driver's address assignment; not compared */
    uint32_t pci_group;      /* devices of one group may share a host bridge; 0: emulated */
} DeviceInfo;

typedef struct Device {
    DeviceKind kind;
    uint32_t line;           /* in the document it came from, 0 when generated */
    DeviceInfo info;
} Device;

CONF_STRUCTS_END

const char *device_kind_element(DeviceKind kind);

/* "KIND: text" as VIR_ERR_CONFIG_UNSUPPORTED; always false. */
bool device_refuse(GError **err, const Device *dev, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* A new, empty device of a kind (its per-kind struct, kind filled in). Never NULL. */
Device *device_new(DeviceKind kind);
void device_free(Device *d);
/* Is 'have' a device as 'like' describes it: everything that is said in 'like' holds of it? */
bool device_says(const Device *like, const Device *have);
Device *device_copy(const Device *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Device, device_free)
