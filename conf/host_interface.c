/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces of the host as rows. Bridges and bonds contain interfaces: the same description again,
 * of which start, mtu and protocols are only for the outermost. Pure functions, any thread.
 */
#include "conf/host_interface.h"

#include <string.h>

#include "conf/form.h"
#include "util/error.h"

/* clang-format off */
ENUM_TABLE(hostif_type_names, "interface type", _HOSTIF_TYPE_N, "ethernet", "bridge", "bond", "vlan");
ENUM_TABLE(hostif_start_names, "start mode", _HOSTIF_START_N, NULL, "onboot", "none", "hotplug");
ENUM_TABLE(hostif_state_names, "link state", _HOSTIF_STATE_N, NULL, "unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up");
ENUM_TABLE(bond_mode_names, "bond mode", _BOND_MODE_N, NULL, "balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb");
ENUM_TABLE(bond_carrier_names, "carrier detection", _BOND_CARRIER_N, NULL, "ioctl", "netif");
ENUM_TABLE(bond_arp_names, "arp validation", _BOND_ARP_N, NULL, "active", "backup", "all");
ENUM_TABLE(hostif_family_names, "protocol family", _HOSTIF_FAMILY_N, "ipv4", "ipv6");

static const ConfField ip_rows[] = {
    CONF_STR(HostIfIp, address, "@address", CF_REQUIRED, "address"),
    CONF_U32(HostIfIp, prefix, "@prefix", 0, "bits of the network part"),
    CONF_PAD(HostIfIp, _pad),
};
CONF_DESC(hostif_ip_desc, HostIfIp, ip_rows);

static const ConfField dhcp_rows[] = {
    CONF_YESNO(HostIfDhcp, peerdns, "@peerdns", 0, "use the server's name servers"),
};
CONF_DESC(hostif_dhcp_desc, HostIfDhcp, dhcp_rows);

#define P HostIfProtocol
static const ConfField protocol_rows[] = {
    CONF_ENUM(P, family, "@family", hostif_family_names, CF_REQUIRED | CF_ALWAYS, "ipv4 or ipv6"),
    CONF_LONG_TAG(),
    CONF_FLAG(P, autoconf, "autoconf", 0, "stateless address configuration", WHEN(P, family, BIT(HOSTIF_IPV6))),
    CONF_OPTIONAL(P, dhcp, "dhcp", hostif_dhcp_desc, 0, "ask a server"),
    CONF_LIST(P, ips, "ip", hostif_ip_desc, 0, "addresses"),
    CONF_STR(P, gateway, "route/@gateway", 0, "default route"),
};
CONF_DESC(hostif_protocol_desc, HostIfProtocol, protocol_rows);
#undef P

static const ConfField miimon_rows[] = {
    CONF_U32(BondMiimon, freq, "@freq", CF_REQUIRED | CF_ALWAYS, "milliseconds between looks at the link"),
    CONF_U32(BondMiimon, downdelay, "@downdelay", 0, "milliseconds before a port counts as down"),
    CONF_U32(BondMiimon, updelay, "@updelay", 0, "milliseconds before a port counts as up"),
    CONF_ENUM(BondMiimon, carrier, "@carrier", bond_carrier_names, 0, "how the link is looked at"),
};
CONF_DESC(bond_miimon_desc, BondMiimon, miimon_rows);

static const ConfField arpmon_rows[] = {
    CONF_U32(BondArpmon, interval, "@interval", CF_REQUIRED | CF_ALWAYS, "milliseconds between requests"),
    CONF_STR(BondArpmon, target, "@target", CF_REQUIRED, "who is asked"),
    CONF_ENUM(BondArpmon, validate, "@validate", bond_arp_names, 0, "which answers are checked"),
};
CONF_DESC(bond_arpmon_desc, BondArpmon, arpmon_rows);

extern const ConfDesc hostif_desc;
static const ConfField bridge_rows[] = {
    CONF_ONOFF(HostIfBridge, stp, "@stp", 0, "spanning tree protocol"),
    CONF_STR(HostIfBridge, delay, "@delay", 0, "seconds before forwarding"),
    CONF_LONG_TAG(),
    CONF_LIST(HostIfBridge, ports, "interface", hostif_desc, 0, "ports"),
    CONF_PAD(HostIfBridge, _pad),
};
CONF_DESC(hostif_bridge_desc, HostIfBridge, bridge_rows);

static const ConfField bond_rows[] = {
    CONF_ENUM(HostIfBond, mode, "@mode", bond_mode_names, 0, "how ports share the traffic"),
    CONF_LONG_TAG(),
    CONF_OPTIONAL(HostIfBond, miimon, "miimon", bond_miimon_desc, 0, "watch the links"),
    CONF_OPTIONAL(HostIfBond, arpmon, "arpmon", bond_arpmon_desc, 0, "watch with requests"),
    CONF_LIST(HostIfBond, ports, "interface", hostif_desc, 0, "ports"),
    CONF_PAD(HostIfBond, _pad),
};
CONF_DESC(hostif_bond_desc, HostIfBond, bond_rows);

static const ConfField vlan_rows[] = {
    CONF_STR(HostIfVlan, tag, "@tag", CF_REQUIRED, "number of the vlan"),
    CONF_STR(HostIfVlan, dev, "interface/@name", CF_REQUIRED, "interface below"),
};
CONF_DESC(hostif_vlan_desc, HostIfVlan, vlan_rows);

#define D HostIfDef
#define ON(t) WHEN(D, type, BIT(t))
static const ConfField hostif_rows[] = {
    CONF_ENUM(D, type, "@type", hostif_type_names, CF_REQUIRED | CF_ALWAYS, "kind of interface"),
    CONF_STR(D, name, "@name", CF_REQUIRED | CF_NOT_EMPTY, "device name"),
    CONF_LONG_TAG(),
    CONF_ENUM(D, start, "start/@mode", hostif_start_names, 0, "when it is started"),
    CONF_U32(D, mtu, "mtu/@size", 0, "bytes"),
    CONF_LIST(D, protocols, "protocol", hostif_protocol_desc, 0, "addresses, per family"),
    CONF_U32(D, link_speed, "link/@speed", 0, "Mbit/s", WHEN(D, type, ~BIT(HOSTIF_BRIDGE))),
    CONF_ENUM(D, link_state, "link/@state", hostif_state_names, 0, "state of the link", WHEN(D, type, ~BIT(HOSTIF_BRIDGE))),
    CONF_STR(D, mac, "mac/@address", 0, "hardware address", ON(HOSTIF_ETHERNET)),
    CONF_OPTIONAL(D, bridge, "bridge", hostif_bridge_desc, 0, "ports and protocol", ON(HOSTIF_BRIDGE)),
    CONF_OPTIONAL(D, bond, "bond", hostif_bond_desc, 0, "ports and mode", ON(HOSTIF_BOND)),
    CONF_OPTIONAL(D, vlan, "vlan", hostif_vlan_desc, 0, "which vlan of which interface", ON(HOSTIF_VLAN)),
    CONF_PAD(D, _pad),
};
#undef D
/* clang-format on */
CONF_DESC(hostif_desc, HostIfDef, hostif_rows);

/* ---- validate ---- */

static bool invalid(GError **err, const HostIfDef *d, const char *what)
{
    error_set(err, VIR_ERR_XML_ERROR, "interface '%s': %s", d->name, what);
    return false;
}

static bool validate_one(const HostIfDef *d, const HostIfDef *above, GError **err);

static bool validate_ports(const HostIfDef *d, const GPtrArray *ports, GError **err)
{
    for (LIST_EACH(HostIfDef, port, ports)) {
        if (!validate_one(port, d, err))
            return false;
    }
    return true;
}

static bool validate_protocols(const HostIfDef *d, GError **err)
{
    unsigned seen = 0;

    for (LIST_EACH(HostIfProtocol, p, d->protocols)) {
        if (seen & 1u << p->family)
            return invalid(err, d, "more than one protocol of a family");
        seen |= 1u << p->family;
        for (LIST_EACH(HostIfIp, ip, p->ips)) {
            if (ip->prefix > (p->family == HOSTIF_IPV4 ? 32 : 128))
                return invalid(err, d, "prefix is longer than an address");
        }
    }
    return true;
}

static bool validate_one(const HostIfDef *d, const HostIfDef *above, GError **err)
{
    enum { MTU_MAX = 100000 };

    if (above && (d->type == HOSTIF_BRIDGE || (above->type == HOSTIF_BOND && d->type != HOSTIF_ETHERNET))) {
        error_set(err, VIR_ERR_XML_ERROR, "interface '%s': a %s cannot be a port of a %s", d->name,
                  enum_name(&hostif_type_names, d->type), enum_name(&hostif_type_names, above->type));
        return false;
    }
    if (d->mtu > MTU_MAX)
        return invalid(err, d, "the mtu is too large");
    if (!validate_protocols(d, err))
        return false;
    switch (d->type) {
    case HOSTIF_ETHERNET:
    case _HOSTIF_TYPE_N:
        return true;
    case HOSTIF_BRIDGE:
        return d->bridge ? validate_ports(d, d->bridge->ports, err) : invalid(err, d, "'bridge' is missing");
    case HOSTIF_BOND:
        if (!d->bond)
            return invalid(err, d, "'bond' is missing");
        if (!list_len(d->bond->ports))
            return invalid(err, d, "a bond needs interfaces");
        return validate_ports(d, d->bond->ports, err);
    case HOSTIF_VLAN:
        return d->vlan || invalid(err, d, "'vlan' is missing");
    }
    return true;
}

static bool hostif_validate(const void *def, unsigned flags, GError **err)
{
    return validate_one(def, NULL, err);
}

/* What only the outermost interface has is not read below it. */
static void strip(GPtrArray *ports)
{
    for (LIST_EACH(HostIfDef, port, ports)) {
        port->start = HOSTIF_START_UNSET;
        port->mtu = 0;
        for (unsigned i = 0; i < list_len(port->protocols); i++)
            conf_free(&hostif_protocol_desc, list_at(port->protocols, i));
        g_clear_pointer(&port->protocols, g_ptr_array_unref);
        if (port->bond)
            strip(port->bond->ports);
        if (port->bridge)
            strip(port->bridge->ports);
    }
}

static bool hostif_resolve(void *def, unsigned flags, GError **err)
{
    HostIfDef *d = def;

    if (d->bridge)
        strip(d->bridge->ports);
    if (d->bond)
        strip(d->bond->ports);
    return true;
}

/* Interfaces of guests have no name. */
static bool is_of_host(const xmlNode *root)
{
    return xml_attr_get(root, "name") != NULL;
}

const DocKind hostif_kind = {
    .name = "interface", .root = "interface", .claims = is_of_host, .desc = &hostif_desc, .resolve = hostif_resolve, .validate = hostif_validate,
};

DOC_KIND_DEFINE(hostif, HostIfDef)

bool hostif_peek_identity(const char *xml, gsize len, char **ret_name, char **ret_mac, GError **err)
{
    g_autoptr(XmlDoc) doc = xml_parse(xml, len, err);
    if (!doc)
        return false;
    xmlNode *root = xml_root(doc), *mac = xml_child(root, "mac");
    const char *name = xml_is(root, "interface") ? xml_attr_get(root, "name") : NULL;
    if (!name || !*name) {
        conf_error_at(err, VIR_ERR_XML_ERROR, root, NULL, "expected <interface> with a name");
        return false;
    }
    *ret_name = g_strdup(name);
    *ret_mac = mac ? g_strdup(xml_attr_get(mac, "address")) : NULL;
    return true;
}
