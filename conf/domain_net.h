/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network interfaces. */
#pragma once

#include "conf/device.h"
#include "conf/domain_disk.h" /* Reconnect */

typedef enum NetType {
    NET_USER, NET_ETHERNET, NET_VHOSTUSER, NET_SERVER, NET_CLIENT, NET_MCAST, NET_NETWORK,
    NET_BRIDGE, NET_INTERNAL, NET_DIRECT, NET_HOSTDEV, NET_UDP, NET_VDPA, NET_NULL, NET_VDS,
    _NET_TYPE_N,
} NetType;
extern const EnumTable net_type_names;

typedef enum NetBackendDriver { NET_DRIVER_DEFAULT, NET_DRIVER_QEMU, NET_DRIVER_VHOST, NET_DRIVER_VFIO, NET_DRIVER_XEN, NET_DRIVER_KVM, _NET_DRIVER_N } NetBackendDriver;
extern const EnumTable net_driver_names;
typedef enum NetTxmode { NET_TX_DEFAULT, NET_TX_IOTHREAD, NET_TX_TIMER, _NET_TX_N } NetTxmode;
extern const EnumTable net_txmode_names;
typedef enum NetLink { NET_LINK_DEFAULT, NET_LINK_UP, NET_LINK_DOWN, _NET_LINK_N } NetLink;
extern const EnumTable net_link_names;
typedef enum NetMacType { NET_MAC_DEFAULT, NET_MAC_GENERATED, NET_MAC_STATIC, _NET_MAC_TYPE_N } NetMacType;
extern const EnumTable net_mac_type_names;
typedef enum MacvtapMode { MACVTAP_DEFAULT, MACVTAP_VEPA, MACVTAP_PRIVATE, MACVTAP_BRIDGE, MACVTAP_PASSTHROUGH, _MACVTAP_N } MacvtapMode;
extern const EnumTable macvtap_mode_names;
typedef enum VportType { VPORT_NONE, VPORT_8021QBG, VPORT_8021QBH, VPORT_OPENVSWITCH, VPORT_MIDONET, _VPORT_N } VportType;
extern const EnumTable vport_type_names;
typedef enum VlanMode { VLAN_MODE_DEFAULT, VLAN_MODE_TAGGED, VLAN_MODE_UNTAGGED, _VLAN_MODE_N } VlanMode;
extern const EnumTable vlan_mode_names;
typedef enum NetBackendType { NET_BACKEND_DEFAULT, NET_BACKEND_PASST, _NET_BACKEND_N } NetBackendType;
extern const EnumTable net_backend_names;
typedef enum TeamingType { TEAMING_NONE, TEAMING_PERSISTENT, TEAMING_TRANSIENT, _TEAMING_N } TeamingType;
extern const EnumTable teaming_names;
typedef enum IpFamily { IP_FAMILY_DEFAULT, IP_FAMILY_IPV4, IP_FAMILY_IPV6, _IP_FAMILY_N } IpFamily;
extern const EnumTable ip_family_names;

CONF_STRUCTS_BEGIN

typedef struct NetIp {
    char *address, *peer;
    IpFamily family;
    OptU32 prefix;
    Flag _pad;
} NetIp;

typedef struct NetRoute {
    IpFamily family;
    Flag _pad;
    char *address, *netmask, *gateway;
    OptU32 prefix, metric;
} NetRoute;

typedef struct NetPortRange {
    uint32_t start, end, to;
    Tristate exclude;
} NetPortRange;

typedef struct NetPortForward {
    char *proto, *address, *dev;
    GPtrArray *ranges; /* NetPortRange */
} NetPortForward;

typedef struct VlanTag {
    uint32_t id;
    VlanMode mode;
} VlanTag;

typedef struct NetVlan {
    Tristate trunk;
    Flag _pad;
    GPtrArray *tags; /* VlanTag */
} NetVlan;

typedef struct VirtualPort {
    VportType type;
    OptU32 managerid, typeid_, typeidversion;
    Flag _pad;
    char *instanceid, *interfaceid, *profileid;
} VirtualPort;

typedef struct BandwidthRate { /* kilobytes(/s); 0: none */
    uint64_t average, peak, burst, floor;
} BandwidthRate;

typedef struct NetBandwidth {
    BandwidthRate *inbound, *outbound;
} NetBandwidth;

typedef struct FilterParam {
    char *name, *value;
} FilterParam;

typedef struct NetHostOffload { Tristate csum, gso, tso4, tso6, ecn, ufo, mrg_rxbuf, _pad; } NetHostOffload;
typedef struct NetGuestOffload { Tristate csum, tso4, tso6, ecn, ufo, _pad; } NetGuestOffload;

typedef struct NetSource {
    /* network, bridge, direct, internal, vdpa: the one word; see .type */
    char *network;     /* network */
    char *portgroup;   /* network */
    char *portid;      /* network, live */
    char *bridge;      /* bridge; for network: live, what it resolved to */
    char *dev;         /* direct, vdpa, user (passt): device */
    char *internal;    /* internal */
    MacvtapMode mode;  /* direct */
    Tristate managed;  /* ethernet target, hostdev: @managed of the interface */
    char *address;     /* mcast, server, client, udp */
    uint32_t port;
    uint32_t local_port; /* udp */
    char *local_address;
    char *type;        /* vhostuser: "unix" */
    char *path;        /* vhostuser */
    char *socket_mode; /* vhostuser: "server" or "client" */
    Reconnect reconnect;
    PciAddress pci;    /* hostdev */
    char *usb_bus, *usb_device; /* hostdev usb, as written */
    char *hostdev_type; /* hostdev: "pci", "usb" */
    char *switchid, *portgroupid; /* vds */
    OptU32 vds_portid, connectionid;
} NetSource;

typedef struct NetActual { /* <actual>, own files: what the network turned out to be */
    NetType type;
    MacvtapMode mode;
    Tristate managed, trust_guest_rx_filters, isolated;
    uint32_t class_id;
    char *bridge, *dev, *mac_table_manager;
    char *host_address;  /* <source><address>, hostdev: as it came */
    NetVlan *vlan;
    VirtualPort *vport;
    NetBandwidth *bandwidth;
} NetActual;

typedef struct NetDef {
    Device dev;
    NetType type;
    NetMacType mac_type;
    MacAddr mac;
    MacAddr current_mac; /* live: what the guest made of it */
    Tristate mac_check;
    Tristate trust_guest_rx_filters;
    NetSource src;
    char *ifname;        /* target/@dev; generated names are live */
    Tristate target_managed;
    NetLink link;
    char *guest_ifname;  /* guest/@dev */
    char *guest_actual;  /* guest/@actual */
    char *model;         /* word as written: "virtio", "e1000e", … */
    char *script, *downscript, *domain_name;
    NetBackendDriver driver;
    NetTxmode txmode;
    Tristate ioeventfd, event_idx, rss, rss_hash_report;
    uint32_t queues, rx_queue_size, tx_queue_size, mtu;
    VirtioOptions virtio;
    NetHostOffload host;
    NetGuestOffload guest;
    NetBackendType backend;
    Flag backend_given;
    char *backend_tap, *backend_vhost, *backend_logfile, *backend_hostname, *backend_fqdn;
    GPtrArray *port_forwards; /* NetPortForward */
    GPtrArray *ips;      /* NetIp */
    GPtrArray *routes;   /* NetRoute */
    GPtrArray *source_ips, *source_routes;
    VirtualPort *vport;
    NetVlan *vlan;
    NetBandwidth *bandwidth;
    char *filter;        /* filterref/@filter */
    GPtrArray *filter_params; /* FilterParam */
    TeamingType teaming;
    Tristate isolated;   /* port/@isolated */
    char *teaming_persistent;
    uint64_t sndbuf;
    OptU32 coalesce_rx_frames_max;
    NetActual *actual;
} NetDef;

CONF_STRUCTS_END

bool mac_parse(const char *text, MacAddr *ret);
void mac_format(const MacAddr *mac, char ret[18]);
/* A random address below the three bytes of the prefix. */
void mac_generate(const uint8_t prefix[3], MacAddr *ret);
