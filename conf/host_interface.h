/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Interfaces of the host: how they are configured, and what runs below bridges and bonds. */
#pragma once

#include "conf/kinds.h"
#include "conf/types.h"

typedef enum HostIfType { HOSTIF_ETHERNET, HOSTIF_BRIDGE, HOSTIF_BOND, HOSTIF_VLAN, _HOSTIF_TYPE_N } HostIfType;
extern const EnumTable hostif_type_names;
typedef enum HostIfStart { HOSTIF_START_UNSET, HOSTIF_START_ONBOOT, HOSTIF_START_NONE, HOSTIF_START_HOTPLUG, _HOSTIF_START_N } HostIfStart;
extern const EnumTable hostif_start_names;
typedef enum HostIfState {
    HOSTIF_STATE_NONE, HOSTIF_STATE_UNKNOWN, HOSTIF_STATE_NOTPRESENT, HOSTIF_STATE_DOWN, HOSTIF_STATE_LOWERLAYERDOWN,
    HOSTIF_STATE_TESTING, HOSTIF_STATE_DORMANT, HOSTIF_STATE_UP, _HOSTIF_STATE_N,
} HostIfState;
extern const EnumTable hostif_state_names;
typedef enum BondMode {
    BOND_NONE, BOND_BALANCE_RR, BOND_ACTIVE_BACKUP, BOND_BALANCE_XOR, BOND_BROADCAST, BOND_8023AD, BOND_BALANCE_TLB,
    BOND_BALANCE_ALB, _BOND_MODE_N,
} BondMode;
extern const EnumTable bond_mode_names;
typedef enum BondCarrier { BOND_CARRIER_NONE, BOND_CARRIER_IOCTL, BOND_CARRIER_NETIF, _BOND_CARRIER_N } BondCarrier;
extern const EnumTable bond_carrier_names;
typedef enum BondArpValidate { BOND_ARP_NONE, BOND_ARP_ACTIVE, BOND_ARP_BACKUP, BOND_ARP_ALL, _BOND_ARP_N } BondArpValidate;
extern const EnumTable bond_arp_names;
typedef enum HostIfFamily { HOSTIF_IPV4, HOSTIF_IPV6, _HOSTIF_FAMILY_N } HostIfFamily;
extern const EnumTable hostif_family_names;

CONF_STRUCTS_BEGIN

typedef struct HostIfIp {
    char *address;
    uint32_t prefix; /* 0: none */
    Flag _pad;
} HostIfIp;

typedef struct HostIfDhcp {
    Tristate peerdns;
} HostIfDhcp;

typedef struct HostIfProtocol {
    HostIfFamily family;
    Flag autoconf;      /* IPv6 */
    HostIfDhcp *dhcp;
    GPtrArray *ips;     /* HostIfIp */
    char *gateway;
} HostIfProtocol;

typedef struct BondMiimon {
    uint32_t freq;      /* ms */
    uint32_t downdelay, updelay;
    BondCarrier carrier;
} BondMiimon;

typedef struct BondArpmon {
    uint32_t interval;  /* ms */
    BondArpValidate validate;
    char *target;
} BondArpmon;

typedef struct HostIfBridge {
    Tristate stp;
    Flag _pad;
    char *delay;        /* seconds, as written */
    GPtrArray *ports;   /* HostIfDef */
} HostIfBridge;

typedef struct HostIfBond {
    BondMode mode;
    Flag _pad;
    BondMiimon *miimon;
    BondArpmon *arpmon;
    GPtrArray *ports;   /* HostIfDef */
} HostIfBond;

typedef struct HostIfVlan {
    char *tag;          /* as written */
    char *dev;
} HostIfVlan;

typedef struct HostIfDef {
    HostIfType type;
    HostIfStart start;
    char *name;
    char *mac;          /* ethernet; as written: the host's may be of any kind */
    uint32_t mtu;       /* 0: none */
    uint32_t link_speed;
    HostIfState link_state;
    Flag _pad;
    GPtrArray *protocols; /* HostIfProtocol, at most one per family */
    HostIfBridge *bridge; /* the one that type says */
    HostIfBond *bond;
    HostIfVlan *vlan;
} HostIfDef;

CONF_STRUCTS_END

DOC_KIND_DECLARE(hostif, HostIfDef);
/* The name is an attribute of the root, as is the hardware address an element. */
bool hostif_peek_identity(const char *xml, gsize len, char **ret_name, char **ret_mac, GError **err);
