/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices of the host, as their tree tells them: one device, its place, and a list of capabilities
 * (what it is). Capabilities may have capabilities of their own. Conventions: conf/types.h.
 */
#pragma once

#include "conf/device.h"
#include "conf/kinds.h"

typedef enum NodeCapType {
    NODE_CAP_NONE, NODE_CAP_SYSTEM, NODE_CAP_PCI, NODE_CAP_USB_DEVICE, NODE_CAP_USB, NODE_CAP_NET,
    NODE_CAP_SCSI_HOST, NODE_CAP_SCSI_TARGET, NODE_CAP_SCSI, NODE_CAP_STORAGE, NODE_CAP_SCSI_GENERIC,
    NODE_CAP_DRM, NODE_CAP_MDEV, NODE_CAP_CCW, NODE_CAP_CSS, NODE_CAP_VDPA, NODE_CAP_AP_CARD,
    NODE_CAP_AP_QUEUE, NODE_CAP_AP_MATRIX, NODE_CAP_CCWGROUP, _NODE_CAP_N,
} NodeCapType;
extern const EnumTable node_cap_names;

typedef enum NodeSubType {
    NODE_SUB_NONE, NODE_SUB_PHYS_FUNCTION, NODE_SUB_VIRT_FUNCTIONS, NODE_SUB_PCI_BRIDGE,
    NODE_SUB_CARDBUS_BRIDGE, NODE_SUB_MDEV_TYPES, NODE_SUB_VPD, NODE_SUB_80203, NODE_SUB_80211,
    NODE_SUB_FC_HOST, NODE_SUB_VPORT_OPS, NODE_SUB_FC_REMOTE_PORT, NODE_SUB_REMOVABLE,
    NODE_SUB_HOTPLUGGABLE, NODE_SUB_QETH_GENERIC, _NODE_SUB_N,
} NodeSubType;
extern const EnumTable node_sub_names;

typedef enum DevnodeType { DEVNODE_DEV, DEVNODE_LINK, _DEVNODE_N } DevnodeType;
extern const EnumTable devnode_names;
typedef enum NodeLinkState { NODE_LINK_NONE, NODE_LINK_UNKNOWN, NODE_LINK_NOTPRESENT, NODE_LINK_DOWN, NODE_LINK_LOWERLAYERDOWN, NODE_LINK_TESTING, NODE_LINK_DORMANT, NODE_LINK_UP, _NODE_LINK_N } NodeLinkState;
extern const EnumTable node_link_names;
typedef enum PcieValidity { PCIE_NONE, PCIE_CAP, PCIE_STA, _PCIE_VALIDITY_N } PcieValidity;
extern const EnumTable pcie_validity_names;
typedef enum PcieSpeed { PCIE_SPEED_NONE, PCIE_SPEED_2_5, PCIE_SPEED_5, PCIE_SPEED_8, PCIE_SPEED_16, PCIE_SPEED_32, PCIE_SPEED_64, _PCIE_SPEED_N } PcieSpeed;
extern const EnumTable pcie_speed_names; /* GT/s */
typedef enum VpdAccess { VPD_NONE, VPD_READONLY, VPD_READWRITE, _VPD_ACCESS_N } VpdAccess;
extern const EnumTable vpd_access_names;
typedef enum DrmType { DRM_NONE, DRM_PRIMARY, DRM_CONTROL, DRM_RENDER, _DRM_TYPE_N } DrmType;
extern const EnumTable drm_names;
typedef enum CcwState { CCW_STATE_NONE, CCW_OFFLINE, CCW_ONLINE, _CCW_STATE_N } CcwState;
extern const EnumTable ccw_state_names;

CONF_STRUCTS_BEGIN

typedef struct NodeProduct { /* number and words of a vendor or product */
    uint32_t id;
    Flag _pad;
    char *text;
} NodeProduct;

typedef struct NodeCcwAddress {
    uint32_t cssid, ssid, devno;
} NodeCcwAddress;

/* ---- capabilities of capabilities ---- */

typedef struct MdevType {
    char *id, *name, *device_api;
    uint32_t available;
    Flag _pad;
} MdevType;

typedef struct VpdField {
    char *index, *value;
} VpdField;

typedef struct VpdFields {
    VpdAccess access;
    Flag _pad;
    char *change_level, *manufacture_id, *part_number, *serial_number; /* read-only */
    char *asset_tag;                                                   /* read-write */
    GPtrArray *vendor, *system; /* VpdField */
} VpdFields;

typedef struct SubFunctions { /* phys_function, virt_functions */
    GPtrArray *addresses; /* PciAddress */
    uint32_t max_count;
    Flag _pad;
} SubFunctions;

typedef struct SubMdevTypes { GPtrArray *types; /* MdevType */ } SubMdevTypes;
typedef struct SubVpd { char *name; GPtrArray *fields; /* VpdFields */ } SubVpd;
typedef struct SubFcHost { char *wwnn, *wwpn, *fabric_wwn; } SubFcHost;
typedef struct SubVports { uint32_t max, used; /* live */ } SubVports;
typedef struct SubFcRemotePort { char *rport, *wwpn; } SubFcRemotePort;
typedef struct SubQeth { char *card_type, *chpid; } SubQeth;
typedef struct SubRemovable {
    OptU32 media_available;
    OptU64 media_size; /* bytes */
    char *media_label;
    uint64_t logical_block_size, num_blocks;
} SubRemovable;

typedef struct NodeSub {
    NodeSubType type;
    Flag _pad;
    union {
        SubFunctions functions;
        SubMdevTypes mdev;
        SubVpd vpd;
        SubFcHost fc_host;
        SubVports vports;
        SubFcRemotePort fc_remote_port;
        SubRemovable removable;
        SubQeth qeth;
    } u;
} NodeSub;

/* ---- capabilities ---- */

typedef struct CapSystem {
    char *product;
    char *vendor, *version, *serial;
    OptUuid uuid;
    Flag _pad;
    char *firmware_vendor, *firmware_version, *firmware_date;
} CapSystem;

typedef struct PcieLink {
    PcieValidity validity;
    PcieSpeed speed;
    OptU32 port;
    uint32_t width;
    Flag _pad;
} PcieLink;

typedef struct PciExpress { GPtrArray *links; /* PcieLink */ } PciExpress;

typedef struct CapPci {
    uint32_t domain, bus, slot, function;
    OptU32 class_code;
    NodeProduct product, vendor;
    GPtrArray *subs;        /* NodeSub */
    OptU32 iommu_group;
    GPtrArray *iommu_devices; /* PciAddress */
    OptI32 numa_node;
    PciExpress *express;
} CapPci;

typedef struct CapUsbDevice {
    uint32_t bus, device;
    NodeProduct product, vendor;
} CapUsbDevice;

typedef struct CapUsb {
    uint32_t number, class_code, subclass, protocol;
    char *description;
} CapUsb;

typedef struct NodeFeature { char *name; } NodeFeature;

typedef struct CapNet {
    char *interface, *address;
    uint32_t speed;         /* Mbit/s */
    NodeLinkState state;
    GPtrArray *features;    /* NodeFeature */
    GPtrArray *subs;        /* NodeSub */
} CapNet;

typedef struct CapScsiHost {
    uint32_t host;
    OptU32 unique_id;
    Flag _pad;
    GPtrArray *subs;        /* NodeSub */
} CapScsiHost;

typedef struct CapScsiTarget {
    char *target;
    GPtrArray *subs;        /* NodeSub */
} CapScsiTarget;

typedef struct CapScsi {
    uint32_t host, bus, target, lun;
    char *type;
} CapScsi;

typedef struct CapStorage {
    char *block, *bus, *drive_type, *model, *vendor, *serial;
    OptU64 size;            /* bytes; unset: removable */
    uint64_t logical_block_size, num_blocks;
    GPtrArray *subs;        /* NodeSub */
} CapStorage;

typedef struct CapPath { char *path; } CapPath; /* scsi_generic, vdpa */
typedef struct CapDrm { DrmType type; } CapDrm;

typedef struct MdevAttribute { char *name, *value; } MdevAttribute;

typedef struct CapMdev {
    char *type;
    OptUuid uuid;
    uint32_t iommu_group;
    char *parent_address;
    GPtrArray *attributes;  /* MdevAttribute, in order */
} CapMdev;

typedef struct CapCcw { /* ccw, css */
    NodeCcwAddress address;
    CcwState state;         /* ccw */
    Flag has_channel_device, _pad;
    NodeCcwAddress channel_device; /* css */
    Flag _pad2;
    GPtrArray *subs;        /* NodeSub, css */
} CapCcw;

typedef struct CcwMember { char *ref, *device; } CcwMember;

typedef struct CapCcwGroup {
    CcwState state;
    NodeCcwAddress address;
    GPtrArray *members;     /* CcwMember */
    GPtrArray *subs;        /* NodeSub */
} CapCcwGroup;

typedef struct CapAp { uint32_t adapter, domain; } CapAp; /* ap_card, ap_queue */
typedef struct CapApMatrix { GPtrArray *subs; } CapApMatrix;

typedef struct NodeCap {
    NodeCapType type;
    Flag _pad;
    union {
        CapSystem system;
        CapPci pci;
        CapUsbDevice usb_device;
        CapUsb usb;
        CapNet net;
        CapScsiHost scsi_host;
        CapScsiTarget scsi_target;
        CapScsi scsi;
        CapStorage storage;
        CapPath path;       /* scsi_generic, vdpa */
        CapDrm drm;
        CapMdev mdev;
        CapCcw ccw;         /* ccw, css */
        CapCcwGroup ccwgroup;
        CapAp ap;
        CapApMatrix ap_matrix;
        uint64_t _size[16];
    } u;
} NodeCap;

typedef struct Devnode {
    DevnodeType type;
    Flag _pad;
    char *path;
} Devnode;

typedef struct NodeDeviceDef {
    char *name;             /* for devices that are to be made: not needed */
    char *path;             /* below /sys */
    GPtrArray *devnodes;    /* Devnode */
    char *parent;
    char *parent_wwnn, *parent_wwpn, *parent_fabric_wwn; /* of a vHBA that is to be made */
    char *driver;
    GPtrArray *caps;        /* NodeCap */
} NodeDeviceDef;

CONF_STRUCTS_END

enum { /* beside DOMAIN_PARSE_* */
    NODE_DEVICE_PARSE_NEW = 1 << 16, /* to be made: without a name, with a parent */
};

DOC_KIND_DECLARE(node_device, NodeDeviceDef)
DOC_KIND_DECLARE_PEEK(node_device);

/* The first capability of a type, NULL: none. */
NodeCap *node_device_find_cap(const NodeDeviceDef *d, NodeCapType type);
NodeSub *node_cap_find_sub(const GPtrArray *subs, NodeSubType type);
