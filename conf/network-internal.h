/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the documents of networks and their sections. */
#pragma once

#include "conf/network.h"
#include "conf/row.h"

extern const ConfDesc network_desc, network_port_desc, network_ip_desc, dhcp_host_desc, dhcp_range_desc, forward_if_desc,
    forward_desc, network_dns_desc, portgroup_desc, dns_host_desc, dns_txt_desc, dns_srv_desc;

/* The address, its prefix (given, from the mask or from the class) of an <ip>; false: it has none. */
struct IpAddr;
bool network_ip_range(const NetworkIp *ip, struct IpAddr *ret_address, unsigned *ret_prefix);

/* Checks of one item, for the whole document and for a section alike. partial: names of an item to look for. */
bool dhcp_host_validate(const DhcpHost *h, const NetworkIp *ip, const char *network, bool partial, GError **err);
bool dhcp_range_validate(const DhcpRange *r, const NetworkIp *ip, const char *network, GError **err);
bool dns_host_validate(const NetworkDnsHost *h, const char *network, bool partial, GError **err);
bool dns_txt_validate(const NetworkTxt *t, const char *network, bool partial, GError **err);
bool dns_srv_validate(const NetworkSrv *s, const char *network, bool partial, GError **err);
bool portgroup_validate(const NetworkPortgroup *g, const char *network, GError **err);

/* Relations and checks of the whole: the stages after parsing. */
bool network_resolve_forward(NetworkDef *d, GError **err);
bool network_resolve(void *def, unsigned flags, GError **err);
bool network_defaults(void *def, unsigned flags, GError **err);
bool network_validate(const void *def, unsigned flags, GError **err);
