/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Networks and their ports as rows. What the rows cannot say is in network_validate.c, changes of
 * single sections in network_update.c. Pure functions, any thread.
 */
#include "conf/network.h"

#include "conf/device-internal.h"
#include "conf/form.h"
#include "conf/network-internal.h"

/* clang-format off */
ENUM_TABLE(forward_mode_names, "forward mode", _FORWARD_N, "none", "nat", "route", "open", "bridge", "private", "vepa", "passthrough", "hostdev");
ENUM_TABLE(forward_driver_names, "forward driver", _FORWARD_DRIVER_N, "default", "kvm", "vfio");
ENUM_TABLE(mac_table_names, "macTableManager", _MAC_TABLE_N, "default", "kernel", "libvirt");
ENUM_TABLE(lease_unit_names, "unit of a lease", _LEASE_UNIT_N, NULL, "seconds", "minutes", "hours");
ENUM_TABLE(port_plug_names, "plug type", _PLUG_N, "none", "network", "bridge", "direct", "hostdev-pci");

/* ---- forward ---- */

static const ConfField forward_if_rows[] = {
    CONF_STR(ForwardIf, dev, "@dev", CF_REQUIRED | CF_NOT_EMPTY, "device of the host"),
    CONF_U32(ForwardIf, connections, "@connections", CF_LIVE, "guests that use it"),
    CONF_PAD(ForwardIf, _pad),
};
CONF_DESC(forward_if_desc, ForwardIf, forward_if_rows);

static const ConfField forward_pci_rows[] = {
    CONF_CONST("@type", "pci"),
    CONF_U32(ForwardPci, connections, "@connections", CF_LIVE, "guests that use it"),
    CONF_STRUCT(ForwardPci, address, "", pci_address_desc, 0, "device of the host"),
};
CONF_DESC(forward_pci_desc, ForwardPci, forward_pci_rows);

#define F ForwardDef
static const ConfField forward_rows[] = {
    CONF_STR(F, dev, "@dev", CF_NOT_EMPTY, "device that traffic leaves by"),
    CONF_ENUM(F, mode, "@mode", forward_mode_names, CF_ALWAYS, "how packets get out"),
    CONF_YESNO(F, managed, "@managed", 0, "detach devices from the host", WHEN(F, mode, BIT(FORWARD_HOSTDEV))),
    CONF_YESNO(F, nat_ipv6, "nat/@ipv6", 0, "translate IPv6, too"),
    CONF_FORM(F, nat_start, "nat/address/@start", form_ip4, CF_REQUIRED | CF_IF_ELEMENT, "first public address"),
    CONF_FORM(F, nat_end, "nat/address/@end", form_ip4, CF_REQUIRED | CF_IF_ELEMENT, "last public address"),
    CONF_OPT32(F, nat_port_start, "nat/port/@start", CF_REQUIRED | CF_IF_ELEMENT, "first public port", CONF_NUM(num_u16)),
    CONF_OPT32(F, nat_port_end, "nat/port/@end", CF_REQUIRED | CF_IF_ELEMENT, "last public port", CONF_NUM(num_u16)),
    CONF_ENUM(F, driver, "driver/@name", forward_driver_names, 0, "driver for the devices"),
    CONF_STR(F, driver_model, "driver/@model", 0, "variant of the driver"),
    CONF_LIST(F, pfs, "pf", forward_if_desc, 0, "physical function whose virtual ones are used"),
    CONF_LIST(F, ifs, "interface", forward_if_desc, 0, "devices to choose from"),
    CONF_LIST(F, addresses, "address", forward_pci_desc, 0, "devices to choose from"),
};
#undef F
/* clang-format on */

/* <forward/> is nat; no <forward> at all is "none". */
static bool forward_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    ForwardDef *f = v;

    if (!xml_attr_get(el, "mode"))
        f->mode = FORWARD_NAT;
    return true;
}
CONF_DESC(forward_desc, ForwardDef, forward_rows, .parsed = forward_parsed);
/* clang-format off */

/* ---- dns ---- */

static const ConfField forwarder_rows[] = {
    CONF_STR(NetworkForwarder, domain, "@domain", CF_NOT_EMPTY, "names below this go there"),
    CONF_FORM(NetworkForwarder, addr, "@addr", form_ip, 0, "name server"),
    CONF_U32(NetworkForwarder, port, "@port", 0, "its port, when it is not 53", CONF_NUM(num_u16)), CONF_PAD(NetworkForwarder, _pad),
};
CONF_DESC(forwarder_desc, NetworkForwarder, forwarder_rows);

static const ConfField dns_txt_rows[] = {
    CONF_STR(NetworkTxt, name, "@name", CF_REQUIRED | CF_NOT_EMPTY, "name"),
    CONF_STR(NetworkTxt, value, "@value", 0, "text"),
};
CONF_DESC(dns_txt_desc, NetworkTxt, dns_txt_rows);

static const ConfNum num_port = { 10, "%" G_GUINT64_FORMAT, 1, 65535 };

static const ConfField dns_srv_rows[] = {
    CONF_STR(NetworkSrv, service, "@service", 0, "service"),
    CONF_STR(NetworkSrv, protocol, "@protocol", 0, "transport"),
    CONF_STR(NetworkSrv, domain, "@domain", 0, "where it is looked for"),
    CONF_STR(NetworkSrv, target, "@target", 0, "host that has it"),
    CONF_U32(NetworkSrv, port, "@port", 0, "port", CONF_NUM(num_port)),
    CONF_U32(NetworkSrv, priority, "@priority", 0, "lowest first", CONF_NUM(num_u16)),
    CONF_U32(NetworkSrv, weight, "@weight", 0, "share among equals", CONF_NUM(num_u16)),
    CONF_PAD(NetworkSrv, _pad),
};
CONF_DESC(dns_srv_desc, NetworkSrv, dns_srv_rows);

static const ConfField dns_host_rows[] = {
    CONF_FORM(NetworkDnsHost, ip, "@ip", form_ip, 0, "address"),
    CONF_LIST(NetworkDnsHost, names, "hostname", str_text_desc, 0, "its names"),
};
CONF_DESC(dns_host_desc, NetworkDnsHost, dns_host_rows);

static const ConfField dns_rows[] = {
    CONF_YESNO(NetworkDns, enable, "@enable", 0, "whether there is a name server"),
    CONF_YESNO(NetworkDns, forward_plain_names, "@forwardPlainNames", 0, "ask other servers for names without dots"),
    CONF_LIST(NetworkDns, forwarders, "forwarder", forwarder_desc, 0, "other servers"),
    CONF_LIST(NetworkDns, txts, "txt", dns_txt_desc, 0, "texts"),
    CONF_LIST(NetworkDns, srvs, "srv", dns_srv_desc, 0, "services"),
    CONF_LIST(NetworkDns, hosts, "host", dns_host_desc, 0, "hosts"),
};
CONF_DESC(network_dns_desc, NetworkDns, dns_rows);

/* ---- ip and dhcp ---- */

static const ConfField lease_rows[] = {
    CONF_U64(NetworkLease, expiry, "@expiry", CF_REQUIRED | CF_ALWAYS, "time until it expires; 0: never"),
    CONF_ENUM(NetworkLease, unit, "@unit", lease_unit_names, 0, "of the time"),
    CONF_PAD(NetworkLease, _pad),
};
/* clang-format on */

/* Without a word it is minutes; never has no unit. */
static bool lease_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    NetworkLease *l = v;

    if (!l->expiry)
        l->unit = LEASE_UNIT_DEFAULT;
    else if (l->unit == LEASE_UNIT_DEFAULT)
        l->unit = LEASE_MINUTES;
    return true;
}
CONF_DESC(network_lease_desc, NetworkLease, lease_rows, .parsed = lease_parsed);
/* clang-format off */

static const ConfField dhcp_range_rows[] = {
    CONF_FORM(DhcpRange, start, "@start", form_ip, CF_REQUIRED, "first address"),
    CONF_FORM(DhcpRange, end, "@end", form_ip, CF_REQUIRED, "last address"),
    CONF_OPTIONAL(DhcpRange, lease, "lease", network_lease_desc, 0, "how long addresses are lent"),
};
CONF_DESC(dhcp_range_desc, DhcpRange, dhcp_range_rows);

static const ConfField dhcp_host_rows[] = {
    CONF_STR(DhcpHost, mac, "@mac", 0, "hardware address"),
    CONF_STR(DhcpHost, id, "@id", 0, "identifier of IPv6 clients"),
    CONF_STR(DhcpHost, name, "@name", 0, "host name"),
    CONF_FORM(DhcpHost, ip, "@ip", form_ip, 0, "address"),
    CONF_OPTIONAL(DhcpHost, lease, "lease", network_lease_desc, 0, "how long the address is lent"),
};
CONF_DESC(dhcp_host_desc, DhcpHost, dhcp_host_rows);

#define I NetworkIp
static const ConfField network_ip_rows[] = {
    CONF_ENUM(I, family, "@family", ip_family_names, 0, "ipv4 or ipv6"),
    CONF_FORM(I, address, "@address", form_ip, 0, "address of the host in the network"),
    CONF_FORM(I, netmask, "@netmask", form_netmask, 0, "mask"),
    CONF_OPT32(I, prefix, "@prefix", 0, "bits of the network part"),
    CONF_YESNO(I, local_ptr, "@localPtr", 0, "reverse names of the network stay in it"),
    CONF_LONG_TAG(),
    CONF_STR(I, tftp_root, "tftp/@root", 0, "files for booting guests"),
    CONF_LIST(I, ranges, "dhcp/range", dhcp_range_desc, 0, "addresses for guests"),
    CONF_LIST(I, hosts, "dhcp/host", dhcp_host_desc, 0, "addresses of known guests"),
    CONF_STR(I, boot_file, "dhcp/bootp/@file", CF_NOT_EMPTY, "what guests boot"),
    CONF_FORM(I, boot_server, "dhcp/bootp/@server", form_ip, 0, "where they get it"),
};
CONF_DESC(network_ip_desc, I, network_ip_rows);
#undef I

/* ---- network ---- */

static const ConfField portgroup_rows[] = {
    CONF_STR(NetworkPortgroup, name, "@name", CF_REQUIRED | CF_NOT_EMPTY, "name"),
    CONF_YESFLAG(NetworkPortgroup, is_default, "@default", 0, "for interfaces that name no group"),
    CONF_YESNO(NetworkPortgroup, trust_guest_rx_filters, "@trustGuestRxFilters", 0, "follow the guest's filters"),
    CONF_LONG_TAG(),
    CONF_OPTIONAL(NetworkPortgroup, vlan, "vlan", vlan_desc, 0, "vlans"),
    CONF_OPTIONAL(NetworkPortgroup, vport, "virtualport", vport_desc, CF_SKIP_EMPTY, "parameters for the switch"),
    CONF_OPTIONAL(NetworkPortgroup, bandwidth, "bandwidth", bandwidth_desc, CF_SKIP_EMPTY, "limits"),
};
CONF_DESC(portgroup_desc, NetworkPortgroup, portgroup_rows);

static const ConfField option_rows[] = {
    CONF_STR(StrItem, s, "@value", CF_REQUIRED, "line"),
};
CONF_DESC(dnsmasq_option_desc, StrItem, option_rows);

static const ConfNum num_mtu = { 10, "%" G_GUINT64_FORMAT, 0, UINT32_MAX };

#define D NetworkDef
static const ConfField network_rows[] = {
    CONF_NAMESPACE(D, dnsmasq_options, "dnsmasq", "http://libvirt.org/schemas/network/dnsmasq/1.0"),
    CONF_U32(D, connections, "@connections", CF_LIVE, "interfaces of guests in it"),
    CONF_YESFLAG(D, ipv6_no_gateway, "@ipv6", 0, "IPv6 between guests without an address of the network"),
    CONF_YESNO(D, trust_guest_rx_filters, "@trustGuestRxFilters", 0, "follow the guest's filters"),
    CONF_STR(D, name, "name/text()", CF_REQUIRED, "name"),
    CONF_UUID(D, uuid, "uuid/text()", 0, "identity"),
    CONF_STR(D, title, "title/text()", 0, "short text for people"),
    CONF_STR(D, description, "description/text()", 0, "text for people"),
    CONF_RAW(D, metadata, "metadata", CF_ONE_PER_NAMESPACE, "of other programs"),
    CONF_OPTIONAL(D, forward, "forward", forward_desc, 0, "the way out; none: isolated"),
    CONF_STR(D, bridge, "bridge/@name", 0, "bridge on the host"),
    CONF_STR(D, bridge_zone, "bridge/@zone", 0, "zone of the firewall"),
    CONF_ONOFF(D, stp, "bridge/@stp", 0, "spanning tree protocol"),
    CONF_OPT32(D, delay, "bridge/@delay", 0, "seconds before forwarding"),
    CONF_ENUM(D, mac_table, "bridge/@macTableManager", mac_table_names, 0, "who fills the table of addresses"),
    CONF_U32(D, mtu, "mtu/@size", 0, "bytes", CONF_NUM(num_mtu)),
    CONF_MAC(D, mac, "mac/@address", 0, "hardware address of the bridge"),
    CONF_STR(D, domain, "domain/@name", CF_NOT_EMPTY, "dns domain of the guests"),
    CONF_YESNO(D, domain_local_only, "domain/@localOnly", 0, "its names are not asked for elsewhere"),
    CONF_YESNO(D, domain_register, "domain/@register", 0, "tell the host's resolver"),
    CONF_OPTIONAL(D, dns, "dns", network_dns_desc, CF_SKIP_EMPTY, "name server"),
    CONF_OPTIONAL(D, vlan, "vlan", vlan_desc, 0, "vlans"),
    CONF_OPTIONAL(D, bandwidth, "bandwidth", bandwidth_desc, CF_SKIP_EMPTY, "limits"),
    CONF_YESNO(D, isolated_ports, "port/@isolated", 0, "guests cannot talk to each other"),
    CONF_LIST(D, ips, "ip", network_ip_desc, 0, "addresses of the host in it"),
    CONF_LIST(D, routes, "route", net_route_desc, 0, "networks behind guests"),
    CONF_OPTIONAL(D, vport, "virtualport", vport_desc, CF_SKIP_EMPTY, "parameters for the switch"),
    CONF_LIST(D, portgroups, "portgroup", portgroup_desc, 0, "kinds of interfaces"),
    CONF_LIST(D, dnsmasq_options, "dnsmasq:options/dnsmasq:option", dnsmasq_option_desc, 0, "more configuration of dnsmasq"),
    CONF_HIDDEN(D, uuid_generated, CF_NO_COMPARE),
    CONF_PAD(D, _pad),
};
CONF_DESC(network_desc, D, network_rows);
#undef D

/* ---- port ---- */

static const ConfField port_bandwidth_rows[] = {
    CONF_OPT32(PortBandwidth, class_id, "@classID", 0, "class of the traffic control"),
    CONF_OPTIONAL(PortBandwidth, inbound, "inbound", rate_desc, 0, "to the guest"),
    CONF_OPTIONAL(PortBandwidth, outbound, "outbound", rate_desc, 0, "from the guest"),
};
CONF_DESC(port_bandwidth_desc, PortBandwidth, port_bandwidth_rows);

#define D NetworkPortDef
#define ON(m) WHEN(D, plug, m)
#define BRIDGED (BIT(PLUG_NETWORK) | BIT(PLUG_BRIDGE))
static const ConfField port_rows[] = {
    CONF_UUID(D, uuid, "uuid/text()", 0, "identity"),
    CONF_STR(D, owner_name, "owner/name/text()", CF_REQUIRED, "guest"),
    CONF_UUID(D, owner_uuid, "owner/uuid/text()", CF_REQUIRED, "its identity"),
    CONF_STR(D, group, "group/text()", 0, "port group"),
    CONF_MAC(D, mac, "mac/@address", CF_REQUIRED, "hardware address of the guest"),
    CONF_OPTIONAL(D, vport, "virtualport", vport_desc, 0, "parameters for the switch"),
    CONF_OPTIONAL(D, bandwidth, "bandwidth", port_bandwidth_desc, CF_SKIP_EMPTY, "limits"),
    CONF_OPTIONAL(D, vlan, "vlan", vlan_desc, 0, "vlans"),
    CONF_YESNO(D, isolated, "port/@isolated", 0, "no traffic to other isolated ports"),
    CONF_YESNO(D, trust_guest_rx_filters, "rxfilters/@trustGuest", 0, "follow the guest's filters"),
    CONF_ENUM(D, plug, "plug/@type", port_plug_names, CF_REQUIRED | CF_IF_ELEMENT, "what the port is on the host"),
    CONF_STR(D, bridge, "plug/@bridge", CF_REQUIRED | CF_NOT_EMPTY, "bridge", ON(BRIDGED)),
    CONF_ENUM(D, mac_table, "plug/@macTableManager", mac_table_names, 0, "who fills its table of addresses", ON(BRIDGED)),
    CONF_STR(D, dev, "plug/@dev", CF_REQUIRED | CF_NOT_EMPTY, "device", ON(BIT(PLUG_DIRECT))),
    CONF_ENUM(D, mode, "plug/@mode", macvtap_mode_names, 0, "macvtap mode", ON(BIT(PLUG_DIRECT))),
    CONF_YESNO(D, managed, "plug/@managed", 0, "detach the device from the host", ON(BIT(PLUG_HOSTDEV_PCI))),
    CONF_ENUM(D, driver, "plug/driver/@name", forward_driver_names, 0, "driver for the device", ON(BIT(PLUG_HOSTDEV_PCI))),
    CONF_STRUCT(D, pci, "plug/address", pci_address_desc, 0, "device", ON(BIT(PLUG_HOSTDEV_PCI))),
    CONF_PAD(D, _pad), CONF_PAD(D, _pad2), CONF_PAD(D, _pad3),
};
CONF_DESC(network_port_desc, D, port_rows);
#undef D
/* clang-format on */

ForwardMode network_mode(const NetworkDef *d)
{
    return d->forward ? d->forward->mode : FORWARD_NONE;
}

static bool port_defaults(void *def, unsigned flags, GError **err)
{
    NetworkPortDef *p = def;

    if (!p->uuid.set)
        uuid_generate(p->uuid.v);
    p->uuid.set = 1;
    return true;
}

const DocKind network_kind = {
    .name = "network", .root = "network", .desc = &network_desc, .identity = DOC_IDENTITY_NAME | DOC_IDENTITY_UUID,
    .resolve = network_resolve, .defaults = network_defaults, .validate = network_validate,
};
DOC_KIND_DEFINE(network, NetworkDef)
DOC_KIND_DEFINE_PEEK(network)

const DocKind network_port_kind = {
    .name = "networkport", .root = "networkport", .desc = &network_port_desc, .identity = DOC_IDENTITY_UUID,
    .defaults = port_defaults,
};
DOC_KIND_DEFINE(network_port, NetworkPortDef)
DOC_KIND_DEFINE_PEEK(network_port)
