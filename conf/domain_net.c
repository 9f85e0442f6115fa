/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network interfaces as rows. What <source> may carry depends on the type of the interface. */
#include "conf/domain_net.h"

#include <string.h>

#include "conf/device-internal.h"
#include "conf/form.h"
#include "util/api.h"

/* clang-format off */
ENUM_TABLE(net_type_names, "interface type", _NET_TYPE_N, "user", "ethernet", "vhostuser", "server", "client", "mcast", "network", "bridge", "internal", "direct", "hostdev", "udp", "vdpa", "null", "vds");
ENUM_TABLE(net_driver_names, "interface driver", _NET_DRIVER_N, "default", "qemu", "vhost", "vfio", "xen", "kvm");
ENUM_TABLE(net_txmode_names, "txmode", _NET_TX_N, "default", "iothread", "timer");
ENUM_TABLE(net_link_names, "link state", _NET_LINK_N, "default", "up", "down");
ENUM_TABLE(net_mac_type_names, "mac type", _NET_MAC_TYPE_N, NULL, "generated", "static");
ENUM_TABLE(macvtap_mode_names, "macvtap mode", _MACVTAP_N, NULL, "vepa", "private", "bridge", "passthrough");
ENUM_TABLE(vport_type_names, "virtual port type", _VPORT_N, NULL, "802.1Qbg", "802.1Qbh", "openvswitch", "midonet");
ENUM_TABLE(vlan_mode_names, "native vlan mode", _VLAN_MODE_N, NULL, "tagged", "untagged");
ENUM_TABLE(net_backend_names, "interface backend", _NET_BACKEND_N, "default", "passt");
ENUM_TABLE(teaming_names, "teaming type", _TEAMING_N, NULL, "persistent", "transient");
ENUM_TABLE(ip_family_names, "address family", _IP_FAMILY_N, NULL, "ipv4", "ipv6");

static const ConfField ip_rows[] = {
    CONF_STR(NetIp, address, "@address", CF_REQUIRED, "address"),
    CONF_ENUM(NetIp, family, "@family", ip_family_names, 0, "ipv4 or ipv6"),
    CONF_OPT32(NetIp, prefix, "@prefix", 0, "bits of the network part"),
    CONF_STR(NetIp, peer, "@peer", 0, "address of the other end"),
    CONF_PAD(NetIp, _pad),
};
static bool ip_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    NetIp *ip = v;
    IpAddr a;
    if (!ip->family && ip_parse(ip->address, &a))
        ip->family = a.len == 4 ? IP_FAMILY_IPV4 : IP_FAMILY_IPV6;
    return true;
}
CONF_DESC(net_ip_desc, NetIp, ip_rows, .parsed = ip_parsed);

static const ConfField route_rows[] = {
    CONF_ENUM(NetRoute, family, "@family", ip_family_names, 0, "ipv4 or ipv6"),
    CONF_STR(NetRoute, address, "@address", 0, "network"),
    CONF_STR(NetRoute, netmask, "@netmask", 0, "mask"),
    CONF_OPT32(NetRoute, prefix, "@prefix", 0, "bits of the network part"),
    CONF_STR(NetRoute, gateway, "@gateway", CF_REQUIRED, "next hop"),
    CONF_OPT32(NetRoute, metric, "@metric", 0, "cost"),
    CONF_PAD(NetRoute, _pad),
};
CONF_DESC(net_route_desc, NetRoute, route_rows);

static const ConfField range_rows[] = {
    CONF_U32(NetPortRange, start, "@start", CF_REQUIRED, "first port", CONF_NUM(num_u16)),
    CONF_U32(NetPortRange, end, "@end", 0, "last port", CONF_NUM(num_u16)),
    CONF_U32(NetPortRange, to, "@to", 0, "first port in the guest", CONF_NUM(num_u16)),
    CONF_YESNO(NetPortRange, exclude, "@exclude", 0, "leave these out"),
};
CONF_DESC(port_range_desc, NetPortRange, range_rows);

static const ConfField forward_rows[] = {
    CONF_STR(NetPortForward, proto, "@proto", CF_REQUIRED, "tcp or udp"),
    CONF_STR(NetPortForward, address, "@address", 0, "address on the host"),
    CONF_STR(NetPortForward, dev, "@dev", 0, "device on the host"),
    CONF_LIST(NetPortForward, ranges, "range", port_range_desc, 0, "ports"),
};
CONF_DESC(port_forward_desc, NetPortForward, forward_rows);

static const ConfField vlan_tag_rows[] = {
    CONF_U32(VlanTag, id, "@id", CF_REQUIRED | CF_ALWAYS, "vlan"),
    CONF_ENUM(VlanTag, mode, "@nativeMode", vlan_mode_names, 0, "native vlan"),
};
CONF_DESC(vlan_tag_desc, VlanTag, vlan_tag_rows);

static const ConfField vlan_rows[] = {
    CONF_YESNO(NetVlan, trunk, "@trunk", 0, "several vlans"),
    CONF_LIST(NetVlan, tags, "tag", vlan_tag_desc, 0, "vlans"),
    CONF_PAD(NetVlan, _pad),
};
static bool vlan_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    NetVlan *vlan = v;
    unsigned native = 0;

    for (unsigned i = 0; i < list_len(vlan->tags); i++)
        native += ((const VlanTag *)list_at(vlan->tags, i))->mode != 0;
    if (native > 1) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "only one tag can be the native one");
        return false;
    }
    if (list_len(vlan->tags) > 1 && vlan->trunk == TRI_NO) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, "trunk", "'no' with more than one tag");
        return false;
    }
    if (list_len(vlan->tags) > 1)
        vlan->trunk = TRI_YES;
    else if (vlan->trunk == TRI_NO)
        vlan->trunk = TRI_ABSENT;
    return true;
}
CONF_DESC(vlan_desc, NetVlan, vlan_rows, .parsed = vlan_parsed);

static const ConfField vport_rows[] = {
    CONF_ENUM(VirtualPort, type, "@type", vport_type_names, 0, "kind of switch"),
    CONF_OPT32(VirtualPort, managerid, "parameters/@managerid", 0, "802.1Qbg manager", CONF_NUM(num_any)),
    CONF_OPT32(VirtualPort, typeid_, "parameters/@typeid", 0, "802.1Qbg type", CONF_NUM(num_any)),
    CONF_OPT32(VirtualPort, typeidversion, "parameters/@typeidversion", 0, "802.1Qbg version", CONF_NUM(num_any)),
    CONF_FORM(VirtualPort, instanceid, "parameters/@instanceid", form_uuid, 0, "instance uuid"),
    CONF_FORM(VirtualPort, interfaceid, "parameters/@interfaceid", form_uuid, 0, "interface uuid"),
    CONF_STR(VirtualPort, profileid, "parameters/@profileid", 0, "port profile"),
    CONF_PAD(VirtualPort, _pad),
};
CONF_DESC(vport_desc, VirtualPort, vport_rows);

static const ConfField rate_rows[] = {
    CONF_U64(BandwidthRate, average, "@average", 0, "KiB/s"),
    CONF_U64(BandwidthRate, peak, "@peak", 0, "KiB/s"),
    CONF_U64(BandwidthRate, floor, "@floor", 0, "guaranteed KiB/s"),
    CONF_U64(BandwidthRate, burst, "@burst", 0, "KiB at peak rate"),
};
CONF_DESC(rate_desc, BandwidthRate, rate_rows);

static const ConfField bandwidth_rows[] = {
    CONF_UNUSED("@classID", "refused: a class stands in the ports of a network only"),
    CONF_OPTIONAL(NetBandwidth, inbound, "inbound", rate_desc, CF_ONCE, "to the guest"),
    CONF_OPTIONAL(NetBandwidth, outbound, "outbound", rate_desc, CF_ONCE, "from the guest"),
};
/* The class is chosen by the network. */
static bool bandwidth_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    if (!xmlHasProp(el, (const xmlChar *)"classID"))
        return true;
    conf_error_at(err, VIR_ERR_CONFIG_UNSUPPORTED, el, "classID", "not supported here");
    return false;
}
CONF_DESC(bandwidth_desc, NetBandwidth, bandwidth_rows, .parsed = bandwidth_parsed);

static const ConfField param_rows[] = {
    CONF_STR(FilterParam, name, "@name", CF_REQUIRED, "variable"),
    CONF_STR(FilterParam, value, "@value", CF_REQUIRED, "value"),
};
CONF_DESC(filter_param_desc, FilterParam, param_rows);

static const ConfField host_offload_rows[] = {
#define O(f) CONF_ONOFF(NetHostOffload, f, "@" #f, CF_ABI, "offload in the host")
    O(csum), O(gso), O(tso4), O(tso6), O(ecn), O(ufo), O(mrg_rxbuf), CONF_PAD(NetHostOffload, _pad),
#undef O
};
CONF_DESC(host_offload_desc, NetHostOffload, host_offload_rows);
static const ConfField guest_offload_rows[] = {
#define O(f) CONF_ONOFF(NetGuestOffload, f, "@" #f, CF_ABI, "offload in the guest")
    O(csum), O(tso4), O(tso6), O(ecn), O(ufo), CONF_PAD(NetGuestOffload, _pad),
#undef O
};
CONF_DESC(guest_offload_desc, NetGuestOffload, guest_offload_rows);

#define D NetDef
#define ON(m) WHEN(D, type, m)
#define SOCKETS (BIT(NET_MCAST) | BIT(NET_SERVER) | BIT(NET_CLIENT) | BIT(NET_UDP))
static const ConfField source_rows[] = { /* the struct only: its rows stand in NetDef, where the type is */
    CONF_STR(NetSource, network, NULL, 0, ""), CONF_STR(NetSource, portgroup, NULL, 0, ""), CONF_STR(NetSource, portid, NULL, 0, ""),
    CONF_STR(NetSource, bridge, NULL, 0, ""), CONF_STR(NetSource, dev, NULL, 0, ""), CONF_STR(NetSource, internal, NULL, 0, ""),
    CONF_HIDDEN(NetSource, mode, 0), CONF_HIDDEN(NetSource, managed, 0), CONF_STR(NetSource, address, NULL, 0, ""),
    CONF_HIDDEN(NetSource, port, 0), CONF_HIDDEN(NetSource, local_port, 0), CONF_STR(NetSource, local_address, NULL, 0, ""),
    CONF_STR(NetSource, type, NULL, 0, ""), CONF_STR(NetSource, path, NULL, 0, ""), CONF_STR(NetSource, socket_mode, NULL, 0, ""),
    CONF_HIDDEN(NetSource, reconnect, 0), CONF_STRUCT(NetSource, pci, NULL, pci_address_desc, 0, ""),
    CONF_STR(NetSource, usb_bus, NULL, 0, ""), CONF_STR(NetSource, usb_device, NULL, 0, ""), CONF_STR(NetSource, hostdev_type, NULL, 0, ""),
    CONF_STR(NetSource, switchid, NULL, 0, ""), CONF_STR(NetSource, portgroupid, NULL, 0, ""),
    CONF_HIDDEN(NetSource, vds_portid, 0), CONF_HIDDEN(NetSource, connectionid, 0),
};
CONF_DESC(net_source_desc, NetSource, source_rows);

static const ConfNum num_mtu = { 10, "%" G_GUINT64_FORMAT, 0, UINT32_MAX };

static const ConfField actual_rows[] = {
    CONF_ENUM(NetActual, type, "@type", net_type_names, CF_REQUIRED | CF_ALWAYS, "kind of the other end"),
    CONF_YESNO(NetActual, managed, "@managed", 0, "the host device was detached"),
    CONF_YESNO(NetActual, trust_guest_rx_filters, "@trustGuestRxFilters", 0, "follow the guest's filters"),
    CONF_STR(NetActual, bridge, "source/@bridge", 0, "bridge"),
    CONF_STR(NetActual, mac_table_manager, "source/@macTableManager", 0, "who keeps its forwarding table"),
    CONF_STR(NetActual, dev, "source/@dev", 0, "device"),
    CONF_ENUM(NetActual, mode, "source/@mode", macvtap_mode_names, 0, "macvtap mode"),
    CONF_RAW(NetActual, host_address, "source/address", 0, "host device"),
    CONF_OPTIONAL(NetActual, vlan, "vlan", vlan_desc, 0, "vlans"),
    CONF_U32(NetActual, class_id, "class/@id", 0, "traffic class"),
    CONF_OPTIONAL(NetActual, vport, "virtualport", vport_desc, 0, "parameters for the switch"),
    CONF_OPTIONAL(NetActual, bandwidth, "bandwidth", bandwidth_desc, 0, "limits"),
    CONF_YESNO(NetActual, isolated, "port/@isolated", 0, "no traffic to other isolated ports"),
};
CONF_DESC(net_actual_desc, NetActual, actual_rows);

static const ConfField net_rows[] = {
    CONF_ENUM(D, type, "@type", net_type_names, CF_ALWAYS, "where the other end is"),
    CONF_YESNO(D, src.managed, "@managed", CF_VIEW, "detach the device from the host", ON(BIT(NET_HOSTDEV))),
    CONF_YESNO(D, trust_guest_rx_filters, "@trustGuestRxFilters", 0, "follow the guest's filters"),
    CONF_MAC(D, mac, "mac/@address", CF_ABI, "hardware address"),
    CONF_MAC(D, current_mac, "mac/@currentAddress", CF_LIVE | CF_NO_COMPARE, "hardware address that the guest uses"),
    CONF_ENUM(D, mac_type, "mac/@type", net_mac_type_names, 0, "how it came to be"),
    CONF_YESNO(D, mac_check, "mac/@check", 0, "whether its range is checked"),

    CONF_ENUM(D, driver, "driver/@name", net_driver_names, CF_VIEW, "backend driver", ON(BIT(NET_HOSTDEV))),
    CONF_STR(D, src.network, "source/@network", CF_VIEW | CF_REQUIRED, "virtual network", ON(BIT(NET_NETWORK))),
    CONF_STR(D, src.portgroup, "source/@portgroup", CF_VIEW, "group of settings in it", ON(BIT(NET_NETWORK))),
    CONF_STR(D, src.portid, "source/@portid", CF_VIEW | CF_LIVE, "port in it", ON(BIT(NET_NETWORK))),
    CONF_STR(D, src.bridge, "source/@bridge", CF_VIEW | CF_REQUIRED, "bridge of the host", ON(BIT(NET_BRIDGE))),
    CONF_STR(D, src.bridge, "source/@bridge", CF_VIEW | CF_LIVE, "bridge of the network", ON(BIT(NET_NETWORK))),
    CONF_STR(D, src.internal, "source/@name", CF_VIEW | CF_REQUIRED, "name of the internal network", ON(BIT(NET_INTERNAL))),
    CONF_STR(D, src.dev, "source/@dev", CF_VIEW | CF_REQUIRED, "device of the host", ON(BIT(NET_DIRECT) | BIT(NET_VDPA))),
    CONF_STR(D, src.dev, "source/@dev", CF_VIEW, "device of the host", ON(BIT(NET_USER) | BIT(NET_VHOSTUSER))),
    CONF_ENUM(D, src.mode, "source/@mode", macvtap_mode_names, CF_VIEW, "macvtap mode", ON(BIT(NET_DIRECT))),
    CONF_STR(D, src.type, "source/@type", CF_VIEW, "'unix'", ON(BIT(NET_VHOSTUSER))),
    CONF_STR(D, src.path, "source/@path", CF_VIEW, "socket", ON(BIT(NET_VHOSTUSER))),
    CONF_STR(D, src.socket_mode, "source/@mode", CF_VIEW, "server or client", ON(BIT(NET_VHOSTUSER))),
    CONF_STRUCT(D, src.reconnect, "source/reconnect", reconnect_desc, CF_VIEW, "connect again", ON(BIT(NET_VHOSTUSER))),
    CONF_STR(D, src.address, "source/@address", CF_VIEW, "address", ON(SOCKETS & ~BIT(NET_UDP))),
    CONF_STR(D, src.address, "source/@address", CF_VIEW | CF_REQUIRED, "address", ON(BIT(NET_UDP))),
    CONF_U32(D, src.port, "source/@port", CF_VIEW | CF_REQUIRED, "port", CONF_NUM(num_u16), ON(SOCKETS)),
    CONF_STR(D, src.local_address, "source/local/@address", CF_VIEW | CF_REQUIRED, "our address", ON(BIT(NET_UDP))),
    CONF_U32(D, src.local_port, "source/local/@port", CF_VIEW | CF_REQUIRED, "our port", CONF_NUM(num_u16), ON(BIT(NET_UDP))),
    CONF_STR(D, src.switchid, "source/@switchid", CF_VIEW, "distributed switch", ON(BIT(NET_VDS))),
    CONF_OPT32(D, src.vds_portid, "source/@portid", CF_VIEW, "its port", ON(BIT(NET_VDS))),
    CONF_STR(D, src.portgroupid, "source/@portgroupid", CF_VIEW, "its group", ON(BIT(NET_VDS))),
    CONF_OPT32(D, src.connectionid, "source/@connectionid", CF_VIEW, "its connection", ON(BIT(NET_VDS))),
    CONF_STR(D, src.hostdev_type, "source/address/@type", CF_VIEW, "bus of the host device", ON(BIT(NET_HOSTDEV))),
    CONF_STRUCT(D, src.pci, "source/address", pci_address_desc, CF_VIEW, "host device", ON(BIT(NET_HOSTDEV))),
    CONF_STR(D, src.usb_bus, "source/address/@bus", CF_VIEW | CF_WRITE_ONLY, "", ON(BIT(NET_HOSTDEV))),
    CONF_STR(D, src.usb_device, "source/address/@device", CF_VIEW, "usb device", ON(BIT(NET_HOSTDEV))),
    CONF_STRUCT(D, src, NULL, net_source_desc, 0, ""),
    CONF_LIST(D, source_ips, "source/ip", net_ip_desc, 0, "addresses on the host's end"),
    CONF_LIST(D, source_routes, "source/route", net_route_desc, 0, "routes on the host's end"),

    CONF_OPTIONAL(D, actual, "actual", net_actual_desc, CF_LIVE | CF_STATUS | CF_NO_COMPARE, "what the network turned out to be"),
    CONF_OPTIONAL(D, vlan, "vlan", vlan_desc, 0, "vlans"),
    CONF_OPTIONAL(D, vport, "virtualport", vport_desc, 0, "parameters for the switch"),
    CONF_OPTIONAL(D, bandwidth, "bandwidth", bandwidth_desc, CF_SKIP_EMPTY, "limits"),
    CONF_YESNO(D, isolated, "port/@isolated", 0, "no traffic to other isolated ports"),
    CONF_LIST(D, ips, "ip", net_ip_desc, 0, "addresses of the guest"),
    CONF_LIST(D, routes, "route", net_route_desc, 0, "routes of the guest"),
    CONF_LIST(D, port_forwards, "portForward", port_forward_desc, 0, "ports of the host for the guest"),
    CONF_STR(D, script, "script/@path", 0, "run after the device was made"),
    CONF_STR(D, downscript, "downscript/@path", 0, "run before the device goes"),
    CONF_STR(D, domain_name, "backenddomain/@name", 0, "xen driver domain"),
    CONF_STR(D, ifname, "target/@dev", 0, "name on the host"),
    CONF_YESNO(D, target_managed, "target/@managed", 0, "whether we make the device", ON(BIT(NET_ETHERNET))),
    CONF_STR(D, guest_ifname, "guest/@dev", 0, "name in a container"),
    CONF_STR(D, guest_actual, "guest/@actual", CF_LIVE, "real name in a container"),
    CONF_STR(D, model, "model/@type", CF_ABI, "device model"),
    CONF_ENUM(D, driver, "driver/@name", net_driver_names, 0, "backend driver", ON(~BIT(NET_HOSTDEV))),
    CONF_ENUM(D, txmode, "driver/@txmode", net_txmode_names, 0, "how packets are sent"),
    CONF_ONOFF(D, ioeventfd, "driver/@ioeventfd", CF_ABI, "handle I/O in a thread"),
    CONF_ONOFF(D, event_idx, "driver/@event_idx", CF_ABI, "suppress needless interrupts"),
    CONF_U32(D, queues, "driver/@queues", CF_ABI, "queue pairs"),
    CONF_U32(D, rx_queue_size, "driver/@rx_queue_size", CF_ABI, "entries"),
    CONF_U32(D, tx_queue_size, "driver/@tx_queue_size", CF_ABI, "entries"),
    CONF_ONOFF(D, rss, "driver/@rss", CF_ABI, "receive side scaling"),
    CONF_ONOFF(D, rss_hash_report, "driver/@rss_hash_report", CF_ABI, "hash reports"),
    CONF_STRUCT(D, virtio, "driver", virtio_options_desc, CF_ABI, "virtio options"),
    CONF_STRUCT(D, host, "driver/host", host_offload_desc, CF_ABI, "offloads of the host"),
    CONF_STRUCT(D, guest, "driver/guest", guest_offload_desc, CF_ABI, "offloads of the guest"),
    CONF_ENUM(D, backend, "backend/@type", net_backend_names, 0, "user network backend"),
    CONF_STR(D, backend_tap, "backend/@tap", 0, "tap device node"),
    CONF_STR(D, backend_vhost, "backend/@vhost", 0, "vhost device node"),
    CONF_STR(D, backend_logfile, "backend/@logFile", 0, "passt log"),
    CONF_STR(D, backend_hostname, "backend/@hostname", 0, "name for the guest"),
    CONF_STR(D, backend_fqdn, "backend/@fqdn", 0, "full name for the guest"),
    CONF_HIDDEN(D, backend_given, CF_NO_COMPARE),
    CONF_STR(D, filter, "filterref/@filter", 0, "packet filter"),
    CONF_LIST(D, filter_params, "filterref/parameter", filter_param_desc, 0, "its variables"),
    CONF_U64(D, sndbuf, "tune/sndbuf/text()", 0, "bytes"),
    CONF_ENUM(D, teaming, "teaming/@type", teaming_names, CF_ABI, "role in a failover pair"),
    CONF_STR(D, teaming_persistent, "teaming/@persistent", CF_ABI, "alias of the other one"),
    CONF_ENUM(D, link, "link/@state", net_link_names, 0, "cable"),
    CONF_U32(D, mtu, "mtu/@size", CF_ABI, "bytes", CONF_NUM(num_mtu)),
    CONF_OPT32(D, coalesce_rx_frames_max, "coalesce/rx/frames/@max", 0, "frames per interrupt"),
    CONF_DEVICE_HEAD(D),
};
#undef D

/* passt makes the socket of a vhost-user interface itself. */
static bool net_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    const NetDef *n = v;

    if (n->type != NET_VHOSTUSER)
        return true;
    bool passt = n->backend == NET_BACKEND_PASST;
    xmlNode *source = xml_child(el, "source");
    if (passt && !n->src.type && !n->src.path && !n->src.socket_mode)
        return true;
    if (passt)
        conf_error_at(err, VIR_ERR_XML_ERROR, source, NULL, "a vhost-user interface with backend 'passt' has no socket of its own");
    else if (!source || !n->src.type)
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "'source/@type' is missing");
    else if (strcmp(n->src.type, "unix") != 0)
        conf_error_at(err, VIR_ERR_XML_ERROR, source, "type", "unknown value '%.50s', expected 'unix'", n->src.type);
    else if (!n->src.path || !n->src.socket_mode)
        conf_error_at(err, VIR_ERR_XML_ERROR, source, n->src.path ? "mode" : "path", "missing");
    else
        return true;
    return false;
}
CONF_DESC(net_desc, NetDef, net_rows, .parsed = net_parsed);
