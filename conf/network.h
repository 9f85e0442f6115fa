/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Virtual networks, and the ports that guests have in them. Conventions (absent values,
 * ownership): conf/types.h. Bandwidth, vlan and virtual ports are those of guest interfaces.
 */
#pragma once

#include "conf/domain_net.h"
#include "conf/kinds.h"

typedef enum ForwardMode { /* numbers are those that other programs see */
    FORWARD_NONE, FORWARD_NAT, FORWARD_ROUTE, FORWARD_OPEN, FORWARD_BRIDGE, FORWARD_PRIVATE, FORWARD_VEPA,
    FORWARD_PASSTHROUGH, FORWARD_HOSTDEV, _FORWARD_N,
} ForwardMode;
extern const EnumTable forward_mode_names;
typedef enum ForwardDriver { FORWARD_DRIVER_DEFAULT, FORWARD_DRIVER_KVM, FORWARD_DRIVER_VFIO, _FORWARD_DRIVER_N } ForwardDriver;
extern const EnumTable forward_driver_names;
typedef enum MacTableManager { MAC_TABLE_DEFAULT, MAC_TABLE_KERNEL, MAC_TABLE_LIBVIRT, _MAC_TABLE_N } MacTableManager;
extern const EnumTable mac_table_names;
typedef enum LeaseUnit { LEASE_UNIT_DEFAULT, LEASE_SECONDS, LEASE_MINUTES, LEASE_HOURS, _LEASE_UNIT_N } LeaseUnit;
extern const EnumTable lease_unit_names;
typedef enum PortPlug { PLUG_NONE, PLUG_NETWORK, PLUG_BRIDGE, PLUG_DIRECT, PLUG_HOSTDEV_PCI, _PLUG_N } PortPlug;
extern const EnumTable port_plug_names;

CONF_STRUCTS_BEGIN

typedef struct ForwardIf {
    char *dev;
    uint32_t connections; /* live */
    Flag _pad;
} ForwardIf;

typedef struct ForwardPci {
    PciAddress address;
    uint32_t connections; /* live */
} ForwardPci;

typedef struct ForwardDef {
    ForwardMode mode;
    Tristate managed;       /* hostdev: detach devices from the host */
    char *dev;              /* as written; resolve: the first of ifs */
    Tristate nat_ipv6;
    ForwardDriver driver;   /* hostdev */
    char *driver_model;
    char *nat_start, *nat_end; /* IPv4 */
    OptU32 nat_port_start, nat_port_end;
    GPtrArray *pfs;         /* ForwardIf, at most one */
    GPtrArray *ifs;         /* ForwardIf */
    GPtrArray *addresses;   /* ForwardPci */
} ForwardDef;

typedef struct NetworkForwarder { /* a name server */
    char *domain, *addr;
    uint32_t port;
    Flag _pad;
} NetworkForwarder;

typedef struct NetworkTxt {
    char *name, *value;
} NetworkTxt;

typedef struct NetworkSrv {
    char *service, *protocol, *domain, *target;
    uint32_t port, priority, weight; /* 0: none */
    Flag _pad;
} NetworkSrv;

typedef struct NetworkDnsHost {
    char *ip;
    GPtrArray *names; /* StrItem */
} NetworkDnsHost;

typedef struct NetworkDns {
    Tristate enable, forward_plain_names;
    GPtrArray *forwarders; /* NetworkForwarder */
    GPtrArray *txts;       /* NetworkTxt */
    GPtrArray *srvs;       /* NetworkSrv */
    GPtrArray *hosts;      /* NetworkDnsHost */
} NetworkDns;

typedef struct NetworkLease {
    uint64_t expiry; /* 0: never */
    LeaseUnit unit;  /* set after parsing when there is an expiry */
    Flag _pad;
} NetworkLease;

typedef struct DhcpRange {
    char *start, *end;
    NetworkLease *lease;
} DhcpRange;

typedef struct DhcpHost {
    char *mac, *id, *name, *ip;
    NetworkLease *lease;
} DhcpHost;

typedef struct NetworkIp {
    IpFamily family;
    Tristate local_ptr;
    char *address, *netmask;
    OptU32 prefix;
    char *tftp_root;
    GPtrArray *ranges; /* DhcpRange */
    GPtrArray *hosts;  /* DhcpHost */
    char *boot_file, *boot_server;
} NetworkIp;

typedef struct NetworkPortgroup {
    char *name;
    Flag is_default;
    Tristate trust_guest_rx_filters;
    NetVlan *vlan;
    VirtualPort *vport;
    NetBandwidth *bandwidth;
} NetworkPortgroup;

typedef struct NetworkDef {
    uint32_t connections;     /* live: guests' interfaces in it */
    Flag ipv6_no_gateway;     /* @ipv6: guests may talk IPv6 without an address of the network */
    Tristate trust_guest_rx_filters;
    Flag uuid_generated;      /* it was not in the document */
    OptUuid uuid;             /* set after parsing: generated when missing */
    Flag _pad;
    char *name, *title, *description;
    char *metadata;           /* whole element as it came, NULL none */
    ForwardDef *forward;      /* NULL: isolated */
    char *bridge, *bridge_zone;
    Tristate stp;
    MacTableManager mac_table;
    OptU32 delay;             /* seconds */
    uint32_t mtu;
    Tristate isolated_ports;
    MacAddr mac;
    char *domain;
    Tristate domain_local_only, domain_register;
    NetworkDns *dns;
    NetVlan *vlan;
    NetBandwidth *bandwidth;
    GPtrArray *ips;           /* NetworkIp */
    GPtrArray *routes;        /* NetRoute */
    VirtualPort *vport;
    GPtrArray *portgroups;    /* NetworkPortgroup */
    GPtrArray *dnsmasq_options; /* StrItem: lines for the configuration of dnsmasq */
} NetworkDef;

typedef struct PortBandwidth {
    OptU32 class_id;          /* live */
    BandwidthRate *inbound, *outbound;
} PortBandwidth;

typedef struct NetworkPortDef {
    OptUuid uuid;             /* set after parsing: generated when missing */
    Flag _pad;
    char *owner_name;
    OptUuid owner_uuid;
    Flag _pad2;
    char *group;
    MacAddr mac;
    VirtualPort *vport;
    PortBandwidth *bandwidth;
    NetVlan *vlan;
    Tristate isolated, trust_guest_rx_filters;
    PortPlug plug;
    MacTableManager mac_table; /* network, bridge */
    char *bridge;              /* network, bridge */
    char *dev;                 /* direct */
    MacvtapMode mode;          /* direct */
    Tristate managed;          /* hostdev-pci */
    ForwardDriver driver;
    Flag _pad3;
    PciAddress pci;
} NetworkPortDef;

CONF_STRUCTS_END

DOC_KIND_DECLARE(network, NetworkDef);
DOC_KIND_DECLARE_PEEK(network);
DOC_KIND_DECLARE(network_port, NetworkPortDef);
DOC_KIND_DECLARE_PEEK(network_port);

/* FORWARD_NONE for an isolated network. */
ForwardMode network_mode(const NetworkDef *d);

typedef enum NetworkCommand { /* numbers are those of the wire */
    NETWORK_COMMAND_NONE, NETWORK_MODIFY, NETWORK_DELETE, NETWORK_ADD_LAST, NETWORK_ADD_FIRST, _NETWORK_COMMAND_N,
} NetworkCommand;

typedef enum NetworkSection {
    NETWORK_SECTION_NONE, NETWORK_SECTION_BRIDGE, NETWORK_SECTION_DOMAIN, NETWORK_SECTION_IP, NETWORK_SECTION_IP_DHCP_HOST,
    NETWORK_SECTION_IP_DHCP_RANGE, NETWORK_SECTION_FORWARD, NETWORK_SECTION_FORWARD_INTERFACE, NETWORK_SECTION_FORWARD_PF,
    NETWORK_SECTION_PORTGROUP, NETWORK_SECTION_DNS_HOST, NETWORK_SECTION_DNS_TXT, NETWORK_SECTION_DNS_SRV, _NETWORK_SECTION_N,
} NetworkSection;

/* Change one section of d with the document of that section. parent: index of the <ip> for DHCP sections,
 * negative: the one that fits. What cannot be changed, is not there or is there already: an error (most of
 * them VIR_ERR_OPERATION_INVALID), and d is unchanged. */
bool network_update(NetworkDef *d, unsigned command, unsigned section, int parent, const char *xml, gsize len, GError **err);
