/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices of the host as rows: one arm for each type of capability. Capabilities within capabilities
 * are one list of one union; which type makes sense where is not checked, since these documents
 * come from us, but for those that make a device.
 */
#include "conf/node_device.h"

#include "conf/device-internal.h"
#include "conf/domain.h"
#include "util/api.h"
#include "util/error.h"

/* clang-format off */
ENUM_TABLE(node_cap_names, "capability", _NODE_CAP_N, NULL, "system", "pci", "usb_device", "usb", "net", "scsi_host", "scsi_target", "scsi", "storage", "scsi_generic", "drm", "mdev", "ccw", "css", "vdpa", "ap_card", "ap_queue", "ap_matrix", "ccwgroup");
ENUM_TABLE(node_sub_names, "capability", _NODE_SUB_N, NULL, "phys_function", "virt_functions", "pci-bridge", "cardbus-bridge", "mdev_types", "vpd", "80203", "80211", "fc_host", "vport_ops", "fc_remote_port", "removable", "hotpluggable", "qeth_generic");
ENUM_TABLE(devnode_names, "kind of node", _DEVNODE_N, "dev", "link");
ENUM_TABLE(node_link_names, "link state", _NODE_LINK_N, NULL, "unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up");
ENUM_TABLE(pcie_validity_names, "validity", _PCIE_VALIDITY_N, NULL, "cap", "sta");
ENUM_TABLE(pcie_speed_names, "link speed", _PCIE_SPEED_N, NULL, "2.5", "5", "8", "16", "32", "64");
ENUM_TABLE(vpd_access_names, "access", _VPD_ACCESS_N, NULL, "readonly", "readwrite");
ENUM_TABLE(drm_names, "drm type", _DRM_TYPE_N, NULL, "primary", "control", "render");
ENUM_TABLE(ccw_state_names, "ccw state", _CCW_STATE_N, NULL, "offline", "online");

/* ---- small parts ---- */

static const ConfNum num_class = { 0, "0x%06" G_GINT64_MODIFIER "x", 0, 0xffffff };
static const ConfNum num_id = { 0, "0x%04" G_GINT64_MODIFIER "x", 0, 0xffff };
static const ConfNum num_cssid = { 0, "0x%" G_GINT64_MODIFIER "x", 0, 0xfe };
static const ConfNum num_ssid = { 0, "0x%" G_GINT64_MODIFIER "x", 0, 3 };
static const ConfNum num_adapter = { 0, "0x%02" G_GINT64_MODIFIER "x", 0, 0xff };

static const ConfField product_rows[] = {
    CONF_U32(NodeProduct, id, "@id", CF_REQUIRED | CF_ALWAYS, "number", CONF_NUM(num_id)),
    CONF_STR(NodeProduct, text, "text()", 0, "words"),
    CONF_PAD(NodeProduct, _pad),
};
CONF_DESC(node_product_desc, NodeProduct, product_rows);

static const ConfField ccw_address_rows[] = {
    CONF_U32(NodeCcwAddress, cssid, "cssid/text()", CF_REQUIRED | CF_ALWAYS, "channel subsystem", CONF_NUM(num_cssid)),
    CONF_U32(NodeCcwAddress, ssid, "ssid/text()", CF_REQUIRED | CF_ALWAYS, "subchannel set", CONF_NUM(num_ssid)),
    CONF_U32(NodeCcwAddress, devno, "devno/text()", CF_REQUIRED | CF_ALWAYS, "device number", CONF_NUM(num_id)),
};
CONF_DESC(node_ccw_address_desc, NodeCcwAddress, ccw_address_rows);

/* ---- capabilities of capabilities ---- */

static const ConfField phys_function_rows[] = {
    CONF_LIST(SubFunctions, addresses, "address", pci_address_desc, 0, "the physical function"),
    CONF_U32(SubFunctions, max_count, NULL, 0, ""), CONF_PAD(SubFunctions, _pad),
};
CONF_DESC(sub_phys_function_desc, SubFunctions, phys_function_rows);
static const ConfField virt_functions_rows[] = {
    CONF_U32(SubFunctions, max_count, "@maxCount", 0, "most virtual functions"),
    CONF_LIST(SubFunctions, addresses, "address", pci_address_desc, 0, "virtual functions"),
    CONF_PAD(SubFunctions, _pad),
};
CONF_DESC(sub_virt_functions_desc, SubFunctions, virt_functions_rows);

static const ConfField mdev_type_rows[] = {
    CONF_STR(MdevType, id, "@id", CF_REQUIRED, "type"),
    CONF_STR(MdevType, name, "name/text()", 0, "name for people"),
    CONF_STR(MdevType, device_api, "deviceAPI/text()", CF_REQUIRED, "how a guest sees it"),
    CONF_U32(MdevType, available, "availableInstances/text()", CF_REQUIRED | CF_ALWAYS, "how many more can be made"),
    CONF_PAD(MdevType, _pad),
};
CONF_DESC(mdev_type_desc, MdevType, mdev_type_rows);
static const ConfField mdev_types_rows[] = { CONF_LIST(SubMdevTypes, types, "type", mdev_type_desc, 0, "types of mediated devices") };
CONF_DESC(sub_mdev_types_desc, SubMdevTypes, mdev_types_rows);

static const ConfField vpd_field_rows[] = {
    CONF_STR(VpdField, index, "@index", CF_REQUIRED, "letter or digit"),
    CONF_STR(VpdField, value, "text()", 0, "text"),
};
CONF_DESC(vpd_field_desc, VpdField, vpd_field_rows);
#define V VpdFields
static const ConfField vpd_fields_rows[] = {
    CONF_ENUM(V, access, "@access", vpd_access_names, CF_REQUIRED, "who may write"),
    CONF_STR(V, change_level, "change_level/text()", 0, "engineering change level"),
    CONF_STR(V, manufacture_id, "manufacture_id/text()", 0, "manufacturer"),
    CONF_STR(V, part_number, "part_number/text()", 0, "part number"),
    CONF_STR(V, serial_number, "serial_number/text()", 0, "serial number"),
    CONF_STR(V, asset_tag, "asset_tag/text()", 0, "owner's tag"),
    CONF_LIST(V, vendor, "vendor_field", vpd_field_desc, 0, "of the vendor"),
    CONF_LIST(V, system, "system_field", vpd_field_desc, 0, "of the system"),
    CONF_PAD(V, _pad),
};
#undef V
CONF_DESC(vpd_fields_desc, VpdFields, vpd_fields_rows);
static const ConfField vpd_rows[] = {
    CONF_STR(SubVpd, name, "name/text()", 0, "name of the product"),
    CONF_LIST(SubVpd, fields, "fields", vpd_fields_desc, 0, "what the device says of itself"),
};
CONF_DESC(sub_vpd_desc, SubVpd, vpd_rows);

static const ConfField fc_host_rows[] = {
    CONF_STR(SubFcHost, wwnn, "wwnn/text()", 0, "node name"),
    CONF_STR(SubFcHost, wwpn, "wwpn/text()", 0, "port name"),
    CONF_STR(SubFcHost, fabric_wwn, "fabric_wwn/text()", 0, "fabric"),
};
CONF_DESC(sub_fc_host_desc, SubFcHost, fc_host_rows);
static const ConfField vports_rows[] = {
    CONF_U32(SubVports, max, "max_vports/text()", CF_ALWAYS | CF_LIVE, "most virtual ports"),
    CONF_U32(SubVports, used, "vports/text()", CF_ALWAYS | CF_LIVE, "virtual ports in use"),
};
CONF_DESC(sub_vports_desc, SubVports, vports_rows);
static const ConfField fc_remote_port_rows[] = {
    CONF_STR(SubFcRemotePort, rport, "rport/text()", CF_REQUIRED, "remote port"),
    CONF_STR(SubFcRemotePort, wwpn, "wwpn/text()", CF_REQUIRED, "its name"),
};
CONF_DESC(sub_fc_remote_port_desc, SubFcRemotePort, fc_remote_port_rows);
static const ConfField removable_rows[] = {
    CONF_OPT32(SubRemovable, media_available, "media_available/text()", 0, "1: there is a medium"),
    CONF_OPT64(SubRemovable, media_size, "media_size/text()", 0, "bytes of the medium"),
    CONF_STR(SubRemovable, media_label, "media_label/text()", 0, "label of the medium"),
    CONF_U64(SubRemovable, logical_block_size, "logical_block_size/text()", 0, "bytes of a block"),
    CONF_U64(SubRemovable, num_blocks, "num_blocks/text()", 0, "blocks"),
};
CONF_DESC(sub_removable_desc, SubRemovable, removable_rows);
static const ConfField qeth_rows[] = {
    CONF_STR(SubQeth, card_type, "card_type/text()", 0, "card"),
    CONF_STR(SubQeth, chpid, "chpid/text()", 0, "channel path"),
};
CONF_DESC(sub_qeth_desc, SubQeth, qeth_rows);

static const ConfArm sub_arms[] = {
    { NODE_SUB_PHYS_FUNCTION, &sub_phys_function_desc }, { NODE_SUB_VIRT_FUNCTIONS, &sub_virt_functions_desc },
    { NODE_SUB_MDEV_TYPES, &sub_mdev_types_desc },       { NODE_SUB_VPD, &sub_vpd_desc },
    { NODE_SUB_FC_HOST, &sub_fc_host_desc },             { NODE_SUB_VPORT_OPS, &sub_vports_desc },
    { NODE_SUB_FC_REMOTE_PORT, &sub_fc_remote_port_desc }, { NODE_SUB_REMOVABLE, &sub_removable_desc },
    { NODE_SUB_QETH_GENERIC, &sub_qeth_desc },           { 0, NULL },
};
static const ConfField sub_rows[] = {
    CONF_ENUM(NodeSub, type, "@type", node_sub_names, CF_REQUIRED, "what else it is"),
    CONF_UNION(NodeSub, u, "", type, sub_arms, 0, "by type"),
    CONF_PAD(NodeSub, _pad),
};
CONF_DESC(node_sub_desc, NodeSub, sub_rows);
#define SUBS(T, doc) CONF_LIST(T, subs, "capability", node_sub_desc, 0, doc)

/* ---- capabilities ---- */

#define C CapSystem
static const ConfField system_rows[] = {
    CONF_STR(C, product, "product/text()", 0, "product"),
    CONF_CONST("hardware", ""),
    CONF_STR(C, vendor, "hardware/vendor/text()", 0, "vendor"),
    CONF_STR(C, version, "hardware/version/text()", 0, "version"),
    CONF_STR(C, serial, "hardware/serial/text()", 0, "serial number"),
    CONF_UUID(C, uuid, "hardware/uuid/text()", CF_REQUIRED, "identity"),
    CONF_CONST("firmware", ""),
    CONF_STR(C, firmware_vendor, "firmware/vendor/text()", 0, "vendor of the firmware"),
    CONF_STR(C, firmware_version, "firmware/version/text()", 0, "its version"),
    CONF_STR(C, firmware_date, "firmware/release_date/text()", 0, "its date"),
    CONF_PAD(C, _pad),
};
#undef C
CONF_DESC(cap_system_desc, CapSystem, system_rows);

static const ConfField pcie_link_rows[] = {
    CONF_ENUM(PcieLink, validity, "@validity", pcie_validity_names, CF_REQUIRED, "possible or present"),
    CONF_OPT32(PcieLink, port, "@port", 0, "port"),
    CONF_ENUM(PcieLink, speed, "@speed", pcie_speed_names, 0, "GT/s"),
    CONF_U32(PcieLink, width, "@width", CF_REQUIRED | CF_ALWAYS, "lanes"),
    CONF_PAD(PcieLink, _pad),
};
CONF_DESC(pcie_link_desc, PcieLink, pcie_link_rows);
static const ConfField express_rows[] = { CONF_LIST(PciExpress, links, "link", pcie_link_desc, 0, "links") };
CONF_DESC(pci_express_desc, PciExpress, express_rows);

#define C CapPci
static const ConfField pci_cap_rows[] = {
    CONF_OPT32(C, class_code, "class/text()", 0, "class, subclass, programming interface", CONF_NUM(num_class)),
    CONF_U32(C, domain, "domain/text()", CF_REQUIRED | CF_ALWAYS, "PCI domain"),
    CONF_U32(C, bus, "bus/text()", CF_REQUIRED | CF_ALWAYS, "bus"),
    CONF_U32(C, slot, "slot/text()", CF_REQUIRED | CF_ALWAYS, "slot"),
    CONF_U32(C, function, "function/text()", CF_REQUIRED | CF_ALWAYS, "function"),
    CONF_STRUCT(C, product, "product", node_product_desc, 0, "product"),
    CONF_STRUCT(C, vendor, "vendor", node_product_desc, 0, "vendor"),
    SUBS(C, "functions, bridge, mediated devices, product data"),
    CONF_OPT32(C, iommu_group, "iommuGroup/@number", 0, "IOMMU group"),
    CONF_LIST(C, iommu_devices, "iommuGroup/address", pci_address_desc, 0, "devices in the group"),
    CONF_OPTI32(C, numa_node, "numa/@node", 0, "NUMA node"),
    CONF_OPTIONAL(C, express, "pci-express", pci_express_desc, 0, "PCI Express"),
};
#undef C
CONF_DESC(cap_pci_desc, CapPci, pci_cap_rows);

static const ConfField usb_device_rows[] = {
    CONF_U32(CapUsbDevice, bus, "bus/text()", CF_REQUIRED | CF_ALWAYS, "bus"),
    CONF_U32(CapUsbDevice, device, "device/text()", CF_REQUIRED | CF_ALWAYS, "device on the bus"),
    CONF_STRUCT(CapUsbDevice, product, "product", node_product_desc, 0, "product"),
    CONF_STRUCT(CapUsbDevice, vendor, "vendor", node_product_desc, 0, "vendor"),
};
CONF_DESC(cap_usb_device_desc, CapUsbDevice, usb_device_rows);

static const ConfField usb_cap_rows[] = {
    CONF_U32(CapUsb, number, "number/text()", CF_REQUIRED | CF_ALWAYS, "interface"),
    CONF_U32(CapUsb, class_code, "class/text()", CF_REQUIRED | CF_ALWAYS, "class"),
    CONF_U32(CapUsb, subclass, "subclass/text()", CF_REQUIRED | CF_ALWAYS, "subclass"),
    CONF_U32(CapUsb, protocol, "protocol/text()", CF_REQUIRED | CF_ALWAYS, "protocol"),
    CONF_STR(CapUsb, description, "description/text()", 0, "words"),
};
CONF_DESC(cap_usb_desc, CapUsb, usb_cap_rows);

static const ConfField feature_rows[] = { CONF_STR(NodeFeature, name, "@name", CF_REQUIRED, "offload") };
CONF_DESC(node_feature_desc, NodeFeature, feature_rows);
static const ConfField net_cap_rows[] = {
    CONF_STR(CapNet, interface, "interface/text()", CF_REQUIRED, "name"),
    CONF_STR(CapNet, address, "address/text()", 0, "MAC address"),
    CONF_U32(CapNet, speed, "link/@speed", 0, "Mbit/s"),
    CONF_ENUM(CapNet, state, "link/@state", node_link_names, 0, "state of the link"),
    CONF_LIST(CapNet, features, "feature", node_feature_desc, 0, "offloads"),
    SUBS(CapNet, "kind of network"),
};
CONF_DESC(cap_net_desc, CapNet, net_cap_rows);

static const ConfField scsi_host_rows[] = {
    CONF_U32(CapScsiHost, host, "host/text()", CF_ALWAYS, "number"),
    CONF_OPT32(CapScsiHost, unique_id, "unique_id/text()", 0, "number that the driver gave"),
    SUBS(CapScsiHost, "fibre channel"), CONF_PAD(CapScsiHost, _pad),
};
CONF_DESC(cap_scsi_host_desc, CapScsiHost, scsi_host_rows);
static const ConfField scsi_target_rows[] = {
    CONF_STR(CapScsiTarget, target, "target/text()", CF_REQUIRED, "target"), SUBS(CapScsiTarget, "remote port"),
};
CONF_DESC(cap_scsi_target_desc, CapScsiTarget, scsi_target_rows);
static const ConfField scsi_rows[] = {
    CONF_U32(CapScsi, host, "host/text()", CF_REQUIRED | CF_ALWAYS, "host"),
    CONF_U32(CapScsi, bus, "bus/text()", CF_REQUIRED | CF_ALWAYS, "bus"),
    CONF_U32(CapScsi, target, "target/text()", CF_REQUIRED | CF_ALWAYS, "target"),
    CONF_U32(CapScsi, lun, "lun/text()", CF_REQUIRED | CF_ALWAYS, "unit"),
    CONF_STR(CapScsi, type, "type/text()", 0, "kind of device"),
};
CONF_DESC(cap_scsi_desc, CapScsi, scsi_rows);

static const ConfField storage_cap_rows[] = {
    CONF_STR(CapStorage, block, "block/text()", CF_REQUIRED, "block device"),
    CONF_STR(CapStorage, bus, "bus/text()", 0, "bus"),
    CONF_STR(CapStorage, drive_type, "drive_type/text()", 0, "kind of drive"),
    CONF_STR(CapStorage, model, "model/text()", 0, "model"),
    CONF_STR(CapStorage, vendor, "vendor/text()", 0, "vendor"),
    CONF_STR(CapStorage, serial, "serial/text()", 0, "serial number"),
    CONF_OPT64(CapStorage, size, "size/text()", 0, "bytes"),
    CONF_U64(CapStorage, logical_block_size, "logical_block_size/text()", 0, "bytes of a block"),
    CONF_U64(CapStorage, num_blocks, "num_blocks/text()", 0, "blocks"),
    SUBS(CapStorage, "removable, hotpluggable"),
};
CONF_DESC(cap_storage_desc, CapStorage, storage_cap_rows);

static const ConfField scsi_generic_rows[] = { CONF_STR(CapPath, path, "char/text()", CF_REQUIRED, "character device") };
CONF_DESC(cap_scsi_generic_desc, CapPath, scsi_generic_rows);
static const ConfField vdpa_rows[] = { CONF_STR(CapPath, path, "chardev/text()", CF_REQUIRED, "character device") };
CONF_DESC(cap_vdpa_desc, CapPath, vdpa_rows);
static const ConfField drm_rows[] = { CONF_ENUM(CapDrm, type, "type/text()", drm_names, CF_REQUIRED, "kind of node") };
CONF_DESC(cap_drm_desc, CapDrm, drm_rows);

static const ConfField mdev_attribute_rows[] = {
    CONF_STR(MdevAttribute, name, "@name", CF_REQUIRED, "file in the device's directory"),
    CONF_STR(MdevAttribute, value, "@value", CF_REQUIRED, "what is written to it"),
};
CONF_DESC(mdev_attribute_desc, MdevAttribute, mdev_attribute_rows);
static const ConfField mdev_rows[] = {
    CONF_STR(CapMdev, type, "type/@id", CF_REQUIRED, "type"),
    CONF_UUID(CapMdev, uuid, "uuid/text()", 0, "identity"),
    CONF_STR(CapMdev, parent_address, "parent_addr/text()", 0, "address of the parent"),
    CONF_U32(CapMdev, iommu_group, "iommuGroup/@number", CF_ALWAYS, "IOMMU group"),
    CONF_LIST(CapMdev, attributes, "attr", mdev_attribute_desc, 0, "written when it is made"),
};
CONF_DESC(cap_mdev_desc, CapMdev, mdev_rows);

static const ConfField ccw_rows[] = {
    CONF_STRUCT(CapCcw, address, "", node_ccw_address_desc, 0, "address"),
    CONF_ENUM(CapCcw, state, "state/text()", ccw_state_names, 0, "whether it is in use"),
    CONF_FLAG(CapCcw, has_channel_device, NULL, 0, ""), CONF_HIDDEN(CapCcw, channel_device, 0),
    CONF_LIST(CapCcw, subs, NULL, node_sub_desc, 0, ""), CONF_PAD(CapCcw, _pad), CONF_PAD(CapCcw, _pad2),
};
CONF_DESC(cap_ccw_desc, CapCcw, ccw_rows);
static const ConfField css_rows[] = {
    CONF_STRUCT(CapCcw, address, "", node_ccw_address_desc, 0, "address"),
    CONF_FLAG(CapCcw, has_channel_device, "channel_dev_addr", 0, "there is a device"),
    CONF_STRUCT(CapCcw, channel_device, "channel_dev_addr", node_ccw_address_desc, 0, "its address", WHEN(CapCcw, has_channel_device, BIT(1))),
    SUBS(CapCcw, "mediated devices"),
    CONF_ENUM(CapCcw, state, NULL, ccw_state_names, 0, ""), CONF_PAD(CapCcw, _pad), CONF_PAD(CapCcw, _pad2),
};
CONF_DESC(cap_css_desc, CapCcw, css_rows);

static const ConfField ccw_member_rows[] = {
    CONF_STR(CcwMember, ref, "@ref", CF_REQUIRED, "part that it plays"), CONF_STR(CcwMember, device, "text()", 0, "ccw device"),
};
CONF_DESC(ccw_member_desc, CcwMember, ccw_member_rows);
static const ConfField ccwgroup_rows[] = {
    CONF_ENUM(CapCcwGroup, state, "state/text()", ccw_state_names, 0, "whether it is in use"),
    CONF_STRUCT(CapCcwGroup, address, "", node_ccw_address_desc, 0, "address"),
    CONF_LIST(CapCcwGroup, members, "members/ccw_device", ccw_member_desc, 0, "devices of the group"),
    SUBS(CapCcwGroup, "network card"),
};
CONF_DESC(cap_ccwgroup_desc, CapCcwGroup, ccwgroup_rows);

static const ConfField ap_card_rows[] = {
    CONF_U32(CapAp, adapter, "ap-adapter/text()", CF_REQUIRED | CF_ALWAYS, "adapter", CONF_NUM(num_adapter)),
    CONF_U32(CapAp, domain, NULL, 0, ""),
};
CONF_DESC(cap_ap_card_desc, CapAp, ap_card_rows);
static const ConfField ap_queue_rows[] = {
    CONF_U32(CapAp, adapter, "ap-adapter/text()", CF_REQUIRED | CF_ALWAYS, "adapter", CONF_NUM(num_adapter)),
    CONF_U32(CapAp, domain, "ap-domain/text()", CF_REQUIRED | CF_ALWAYS, "domain", CONF_NUM(num_id)),
};
CONF_DESC(cap_ap_queue_desc, CapAp, ap_queue_rows);
static const ConfField ap_matrix_rows[] = { SUBS(CapApMatrix, "mediated devices") };
CONF_DESC(cap_ap_matrix_desc, CapApMatrix, ap_matrix_rows);

static const ConfArm cap_arms[] = {
    { NODE_CAP_SYSTEM, &cap_system_desc },       { NODE_CAP_PCI, &cap_pci_desc },
    { NODE_CAP_USB_DEVICE, &cap_usb_device_desc }, { NODE_CAP_USB, &cap_usb_desc },
    { NODE_CAP_NET, &cap_net_desc },             { NODE_CAP_SCSI_HOST, &cap_scsi_host_desc },
    { NODE_CAP_SCSI_TARGET, &cap_scsi_target_desc }, { NODE_CAP_SCSI, &cap_scsi_desc },
    { NODE_CAP_STORAGE, &cap_storage_desc },     { NODE_CAP_SCSI_GENERIC, &cap_scsi_generic_desc },
    { NODE_CAP_DRM, &cap_drm_desc },             { NODE_CAP_MDEV, &cap_mdev_desc },
    { NODE_CAP_CCW, &cap_ccw_desc },             { NODE_CAP_CSS, &cap_css_desc },
    { NODE_CAP_VDPA, &cap_vdpa_desc },           { NODE_CAP_AP_CARD, &cap_ap_card_desc },
    { NODE_CAP_AP_QUEUE, &cap_ap_queue_desc },   { NODE_CAP_AP_MATRIX, &cap_ap_matrix_desc },
    { NODE_CAP_CCWGROUP, &cap_ccwgroup_desc },   { 0, NULL },
};
static const ConfField cap_rows[] = {
    CONF_ENUM(NodeCap, type, "@type", node_cap_names, CF_REQUIRED, "what it is"),
    CONF_UNION(NodeCap, u, "", type, cap_arms, 0, "by type"),
    CONF_PAD(NodeCap, _pad),
};
CONF_DESC(node_cap_desc, NodeCap, cap_rows);

static const ConfField devnode_rows[] = {
    CONF_ENUM(Devnode, type, "@type", devnode_names, CF_REQUIRED | CF_ALWAYS, "the node or a link to it"),
    CONF_STR(Devnode, path, "text()", 0, "path"),
    CONF_PAD(Devnode, _pad),
};
CONF_DESC(devnode_desc, Devnode, devnode_rows);

#define D NodeDeviceDef
static const ConfField node_device_rows[] = {
    CONF_STR(D, name, "name/text()", 0, "name"),
    CONF_STR(D, path, "path/text()", 0, "directory below /sys"),
    CONF_LIST(D, devnodes, "devnode", devnode_desc, 0, "files below /dev"),
    CONF_STR(D, parent_wwnn, "parent/@wwnn", 0, "parent by node name"),
    CONF_STR(D, parent_wwpn, "parent/@wwpn", 0, "parent by port name"),
    CONF_STR(D, parent_fabric_wwn, "parent/@fabric_wwn", 0, "parent by fabric"),
    CONF_STR(D, parent, "parent/text()", 0, "device above"),
    CONF_STR(D, driver, "driver/name/text()", 0, "driver in the kernel"),
    CONF_LIST(D, caps, "capability", node_cap_desc, 0, "what it is"),
};
#undef D
CONF_DESC(node_device_desc, NodeDeviceDef, node_device_rows);
/* clang-format on */

/* ---- stages ---- */

static bool node_device_validate(const void *def, unsigned flags, GError **err)
{
    const NodeDeviceDef *d = def;

    if (!(flags & NODE_DEVICE_PARSE_NEW) && !d->name) {
        error_set(err, VIR_ERR_NO_NAME, "device/name: missing");
        return false;
    }
    if (!list_len(d->caps)) {
        error_set(err, VIR_ERR_XML_ERROR, "device '%s': 'capability' is missing", d->name ? d->name : "");
        return false;
    }
    if (!d->parent_wwnn != !d->parent_wwpn) {
        error_set(err, VIR_ERR_XML_ERROR, "device/parent: wwnn and wwpn must be given together");
        return false;
    }
    const NodeCap *host = node_device_find_cap(d, NODE_CAP_SCSI_HOST);
    const NodeSub *fc = host ? node_cap_find_sub(host->u.scsi_host.subs, NODE_SUB_FC_HOST) : NULL;
    if (fc && !(flags & NODE_DEVICE_PARSE_NEW) && (!fc->u.fc_host.wwnn || !fc->u.fc_host.wwpn)) {
        error_set(err, VIR_ERR_XML_ERROR, "device '%s': an fc_host needs wwnn and wwpn", d->name);
        return false;
    }
    return true;
}

NodeCap *node_device_find_cap(const NodeDeviceDef *d, NodeCapType type)
{
    for (LIST_EACH(NodeCap, c, d->caps)) {
        if (c->type == type)
            return c;
    }
    return NULL;
}

NodeSub *node_cap_find_sub(const GPtrArray *subs, NodeSubType type)
{
    for (LIST_EACH(NodeSub, s, subs)) {
        if (s->type == type)
            return s;
    }
    return NULL;
}

const DocKind node_device_kind = {
    .name = "nodedev", .root = "device", .desc = &node_device_desc, .tool_parse = DOMAIN_PARSE_INACTIVE,
    .identity = DOC_IDENTITY_NAME, .validate = node_device_validate,
};
DOC_KIND_DEFINE(node_device, NodeDeviceDef)
DOC_KIND_DEFINE_PEEK(node_device)
