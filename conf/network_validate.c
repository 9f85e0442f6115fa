/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Networks after parsing: relations within a document, what is not written, and what must not be.
 * Pure functions, any thread.
 */
#include <string.h>

#include "conf/device-internal.h"
#include "conf/form.h"
#include "conf/network-internal.h"
#include "conf/validate-internal.h"
#include "util/error.h"

#define BAD(err, fmt, ...) (error_set(err, VIR_ERR_XML_ERROR, "network '%s': " fmt, __VA_ARGS__), false)
#define UNSUPPORTED(err, fmt, ...) (error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "network '%s': " fmt, __VA_ARGS__), false)

static const char *mode_name(const NetworkDef *d)
{
    return enum_name(&forward_mode_names, network_mode(d));
}

/* ---- resolve ---- */

bool network_resolve_forward(NetworkDef *d, GError **err)
{
    ForwardDef *f = d->forward;

    if (!f)
        return true;
    if (f->dev && (list_len(f->pfs) || list_len(f->addresses)))
        return BAD(err, "forward dev '%s' beside <pf> or <address>", d->name, f->dev);
    if (list_len(f->pfs))
        return true;
    if (f->dev && !list_len(f->ifs)) {
        ForwardIf *i = g_new0(ForwardIf, 1);
        i->dev = g_strdup(f->dev);
        if (!f->ifs)
            f->ifs = g_ptr_array_new();
        g_ptr_array_add(f->ifs, i);
    } else if (list_len(f->ifs)) {
        const ForwardIf *first = list_at(f->ifs, 0);
        if (f->dev && strcmp(f->dev, first->dev))
            return BAD(err, "forward dev '%s' differs from the first interface '%s'", d->name, f->dev, first->dev);
        if (!f->dev)
            f->dev = g_strdup(first->dev);
    }
    return true;
}

static bool has_own_bridge(const NetworkDef *d)
{
    return network_mode(d) <= FORWARD_OPEN;
}

bool network_resolve(void *def, unsigned flags, GError **err)
{
    NetworkDef *d = def;

    for (LIST_EACH(NetworkIp, ip, d->ips)) {
        if (!ip->prefix.v) /* as if it had not been written */
            ip->prefix.set = 0;
    }
    if (!d->domain)
        d->domain_local_only = d->domain_register = TRI_ABSENT;
    if (d->forward && d->forward->mode == FORWARD_NONE) {
        conf_free(&forward_desc, d->forward);
        d->forward = NULL;
    }
    if (!has_own_bridge(d) && !d->delay.v)
        d->delay.set = 0;
    return network_resolve_forward(d, err);
}

/* ---- defaults ---- */

bool network_defaults(void *def, unsigned flags, GError **err)
{
    NetworkDef *d = def;

    if (!d->uuid.set) {
        uuid_generate(d->uuid.v);
        d->uuid.set = d->uuid_generated = 1;
    }
    if (d->forward && d->forward->mode == FORWARD_HOSTDEV && d->forward->managed == TRI_ABSENT)
        d->forward->managed = TRI_NO;
    if (has_own_bridge(d)) {
        if (d->stp == TRI_ABSENT)
            d->stp = TRI_YES;
        d->delay.set = 1;
    }
    return true;
}

/* ---- addresses ---- */

static unsigned class_prefix(const IpAddr *a)
{
    if (a->len == 16)
        return 64;
    return a->b[0] < 128 ? 8 : a->b[0] < 192 ? 16 : a->b[0] < 224 ? 24 : 0;
}

bool network_ip_range(const NetworkIp *ip, IpAddr *ret_address, unsigned *ret_prefix)
{
    IpAddr mask;

    if (!ip_parse(ip->address, ret_address))
        return false;
    if (ip->prefix.set)
        *ret_prefix = ip->prefix.v;
    else if (ip_parse(ip->netmask, &mask))
        *ret_prefix = (unsigned)ip_mask_bits(&mask);
    else
        *ret_prefix = class_prefix(ret_address);
    return true;
}

static bool lease_validate(const NetworkLease *l, const char *network, GError **err)
{
    if (!l || !l->expiry)
        return true;
    if ((l->unit == LEASE_SECONDS && l->expiry < 120) || (l->unit != LEASE_SECONDS && l->unit != LEASE_HOURS && l->expiry < 2))
        return BAD(err, "a lease must last two minutes at least", network);
    return true;
}

bool dhcp_range_validate(const DhcpRange *r, const NetworkIp *ip, const char *network, GError **err)
{
    IpAddr start, end, net;
    unsigned prefix;

    if (!ip_parse(r->start, &start) || !ip_parse(r->end, &end) || start.len != end.len)
        return BAD(err, "dhcp range from %s to %s is not of one family", network, r->start, r->end);
    if (ip_compare(&start, &end) > 0)
        return BAD(err, "dhcp range from %s to %s is reversed", network, r->start, r->end);
    unsigned bits = 8 * start.len;
    if (!ip_same_net(&start, &end, bits - 16))
        return BAD(err, "dhcp range from %s to %s has more than 65535 addresses", network, r->start, r->end);
    if (network_ip_range(ip, &net, &prefix)) {
        if (!ip_same_net(&start, &net, prefix) || !ip_same_net(&end, &net, prefix))
            return BAD(err, "dhcp range from %s to %s is outside of %s/%u", network, r->start, r->end, ip->address, prefix);
        if (net.len == 4 && prefix < 31 && ip_host_bits_are(&start, prefix, false))
            return BAD(err, "dhcp range begins with the address of the network, %s", network, r->start);
        if (net.len == 4 && prefix < 31 && ip_host_bits_are(&end, prefix, true))
            return BAD(err, "dhcp range ends with the broadcast address, %s", network, r->end);
    }
    return lease_validate(r->lease, network, err);
}

bool dhcp_host_validate(const DhcpHost *h, const NetworkIp *ip, const char *network, bool partial, GError **err)
{
    IpAddr net;
    MacAddr mac;
    bool v6 = ip_parse(ip->address, &net) ? net.len == 16 : ip->family == IP_FAMILY_IPV6;

    if (h->mac && v6)
        return BAD(err, "a dhcp host of an IPv6 network cannot have a mac address ('%s')", network, h->mac);
    if (h->mac && !mac_parse(h->mac, &mac))
        return BAD(err, "cannot parse the mac address '%.100s' of a dhcp host", network, h->mac);
    if (h->mac && mac.b[0] & 1)
        return BAD(err, "a dhcp host cannot have the multicast mac address '%s'", network, h->mac);
    if (h->id && h->id[strspn(h->id, "0123456789abcdefABCDEF:")])
        return BAD(err, "invalid character in the id '%.100s' of a dhcp host", network, h->id);
    if (h->name && !g_ascii_isalnum(h->name[0]))
        return BAD(err, "a dhcp host cannot have the name '%.100s'", network, h->name);
    if (partial)
        return h->mac || h->name || h->ip || h->id || BAD(err, "dhcp host without mac, name and ip", network);
    if (v6 ? !h->id && !h->name : !h->mac && !h->name)
        return BAD(err, "dhcp host without %s and name", network, v6 ? "id" : "mac");
    if (!h->ip)
        return BAD(err, "dhcp host '%s' without ip", network, h->name ? h->name : h->mac ? h->mac : h->id);
    return lease_validate(h->lease, network, err);
}

static bool ip_validate(const NetworkIp *ip, const char *network, GError **err)
{
    IpAddr a, mask;

    if (!ip_parse(ip->address, &a))
        return BAD(err, "%s", network, ip->netmask ? "netmask without address" : "<ip> without address");
    if ((ip->family == IP_FAMILY_IPV6 ? a.len != 16 : a.len != 4))
        return BAD(err, "address '%s' is not of family %s", network, ip->address, ip->family == IP_FAMILY_IPV6 ? "ipv6" : "ipv4");
    if (ip->netmask) {
        if (a.len != 4 || !ip_parse(ip->netmask, &mask) || mask.len != 4)
            return BAD(err, "netmask '%s' with address '%s': IPv4 only, others have a prefix", network, ip->netmask, ip->address);
        if (ip->prefix.set)
            return BAD(err, "both prefix and netmask for '%s'", network, ip->address);
    }
    if (ip->prefix.set && ip->prefix.v > 8 * a.len)
        return BAD(err, "prefix %u is longer than the address", network, ip->prefix.v);
    if (ip->tftp_root && a.len != 4)
        return UNSUPPORTED(err, "tftp with address '%s': IPv4 only", network, ip->address);
    for (LIST_EACH(DhcpRange, r, ip->ranges)) {
        if (!dhcp_range_validate(r, ip, network, err))
            return false;
    }
    for (LIST_EACH(DhcpHost, h, ip->hosts)) {
        if (!dhcp_host_validate(h, ip, network, false, err))
            return false;
    }
    return true;
}

static bool route_validate(const NetworkDef *d, const NetRoute *r, GError **err)
{
    g_autofree char *problem = route_problem(r);
    IpAddr gateway;

    if (problem || !ip_parse(r->gateway, &gateway))
        return BAD(err, "%s", d->name, problem ? problem : "route without gateway");
    for (LIST_EACH(NetworkIp, ip, d->ips)) {
        IpAddr net;
        unsigned net_prefix;
        if (network_ip_range(ip, &net, &net_prefix) && ip_same_net(&net, &gateway, net_prefix))
            return true;
    }
    return BAD(err, "gateway '%s' of a route cannot be reached", d->name, r->gateway);
}

/* ---- dns ---- */

bool dns_host_validate(const NetworkDnsHost *h, const char *network, bool partial, GError **err)
{
    if (!h->ip && !partial)
        return BAD(err, "dns host without ip", network);
    if (!list_len(h->names) && (!partial || !h->ip))
        return BAD(err, "dns host without hostname", network);
    for (LIST_EACH(StrItem, name, h->names)) {
        if (!name->s || !*name->s)
            return BAD(err, "dns host with an empty hostname", network);
    }
    return true;
}

bool dns_txt_validate(const NetworkTxt *t, const char *network, bool partial, GError **err)
{
    if (strchr(t->name, ' '))
        return BAD(err, "name '%.100s' of a dns text has a space", network, t->name);
    return partial || t->value || BAD(err, "dns text '%s' without value", network, t->name);
}

bool dns_srv_validate(const NetworkSrv *s, const char *network, bool partial, GError **err)
{
    if (!partial && !s->service)
        return BAD(err, "dns srv record without service", network);
    if (s->service && strlen(s->service) > 482)
        return BAD(err, "service of a dns srv record is longer than 482 bytes", network);
    if (!partial && (!s->protocol || !*s->protocol))
        return BAD(err, "dns srv record '%s' without protocol", network, s->service);
    if (!partial && !s->target && (s->port || s->priority || s->weight))
        return BAD(err, "dns srv record '%s' with port, priority or weight, but without target", network, s->service);
    return true;
}

static bool dns_validate(const NetworkDns *dns, const char *network, GError **err)
{
    if (!dns)
        return true;
    if (dns->enable == TRI_NO && (list_len(dns->forwarders) || list_len(dns->txts) || list_len(dns->srvs) || list_len(dns->hosts)))
        return BAD(err, "records in a dns that is not enabled", network);
    for (LIST_EACH(NetworkForwarder, f, dns->forwarders)) {
        if (!f->addr && !f->domain)
            return BAD(err, "dns forwarder without addr and domain", network);
    }
    for (LIST_EACH(NetworkTxt, t, dns->txts)) {
        if (!dns_txt_validate(t, network, false, err))
            return false;
    }
    for (LIST_EACH(NetworkSrv, s, dns->srvs)) {
        if (!dns_srv_validate(s, network, false, err))
            return false;
    }
    for (LIST_EACH(NetworkDnsHost, h, dns->hosts)) {
        if (!dns_host_validate(h, network, false, err))
            return false;
    }
    return true;
}

/* ---- switches ---- */

static bool rate_validate(const BandwidthRate *r, const char *network, const char *way, GError **err)
{
    if (!r)
        return true;
    if (r->floor)
        return UNSUPPORTED(err, "%s floor is for interfaces of guests only", network, way);
    return r->average || BAD(err, "%s bandwidth without average", network, way);
}

static bool bandwidth_validate(const NetBandwidth *b, const char *network, GError **err)
{
    return !b || (rate_validate(b->inbound, network, "inbound", err) && rate_validate(b->outbound, network, "outbound", err));
}

static bool vlan_validate(const NetVlan *v, const char *network, GError **err)
{
    if (v && !list_len(v->tags))
        return BAD(err, "vlan without tags", network);
    for (LIST_EACH(VlanTag, t, v ? v->tags : NULL)) {
        if (t->id > 4095)
            return BAD(err, "vlan %u is larger than 4095", network, t->id);
    }
    return true;
}

bool portgroup_validate(const NetworkPortgroup *g, const char *network, GError **err)
{
    return bandwidth_validate(g->bandwidth, network, err) && vlan_validate(g->vlan, network, err);
}

/* ---- forward ---- */

static bool forward_validate(const NetworkDef *d, const ForwardDef *f, GError **err)
{
    unsigned kinds = (list_len(f->ifs) > 0) + (list_len(f->pfs) > 0) + (list_len(f->addresses) > 0);

    if (list_len(f->pfs) > 1)
        return UNSUPPORTED(err, "only one <pf> is allowed", d->name);
    if (kinds > 1)
        return BAD(err, "<address>, <interface> and <pf> exclude each other", d->name);
    for (unsigned i = 0; i < list_len(f->ifs); i++) {
        for (unsigned k = 0; k < i; k++) {
            const ForwardIf *a = list_at(f->ifs, i), *b = list_at(f->ifs, k);
            if (!strcmp(a->dev, b->dev))
                return UNSUPPORTED(err, "interface '%s' is listed twice", d->name, a->dev);
        }
    }
    for (unsigned i = 0; i < list_len(f->addresses); i++) {
        for (unsigned k = 0; k < i; k++) {
            const ForwardPci *a = list_at(f->addresses, i), *b = list_at(f->addresses, k);
            if (conf_equal(&pci_address_desc, &a->address, &b->address, 0, NULL))
                return UNSUPPORTED(err, "PCI address %04x:%02x:%02x.%x is listed twice", d->name, a->address.domain,
                                   a->address.bus, a->address.slot, a->address.function);
        }
    }
    bool nat = f->nat_ipv6 != TRI_ABSENT || f->nat_start || f->nat_port_start.set || f->nat_port_end.set;
    if (nat && f->mode != FORWARD_NAT)
        return BAD(err, "<nat> is for mode 'nat' only, not '%s'", d->name, mode_name(d));
    IpAddr start, end;
    if (f->nat_start && ip_parse(f->nat_start, &start) && ip_parse(f->nat_end, &end) && ip_compare(&start, &end) > 0)
        return BAD(err, "nat addresses from %s to %s are reversed", d->name, f->nat_start, f->nat_end);
    if (f->nat_port_start.set && f->nat_port_start.v > f->nat_port_end.v)
        return BAD(err, "nat ports from %u to %u are reversed", d->name, f->nat_port_start.v, f->nat_port_end.v);
    return true;
}

/* What of a network makes sense depends on its forward mode. */
static bool mode_validate(const NetworkDef *d, GError **err)
{
    ForwardMode mode = network_mode(d);
    unsigned n_ifs = d->forward ? list_len(d->forward->ifs) : 0;

    switch (mode) {
    case FORWARD_NONE:
        return true;
    case FORWARD_OPEN:
        if (n_ifs)
            return BAD(err, "a forward dev is not allowed in mode 'open'", d->name);
        /* fall through */
    case FORWARD_NAT:
    case FORWARD_ROUTE:
        if (!list_len(d->ips))
            return BAD(err, "mode '%s', but no IP address", d->name, mode_name(d));
        return n_ifs <= 1 || BAD(err, "mode '%s' supports one forward device only", d->name, mode_name(d));
    case FORWARD_PRIVATE:
    case FORWARD_VEPA:
    case FORWARD_PASSTHROUGH:
    case FORWARD_HOSTDEV:
        if (d->bridge || d->mac_table || d->bridge_zone)
            return BAD(err, "a bridge is not allowed in mode '%s'", d->name, mode_name(d));
        /* fall through */
    case FORWARD_BRIDGE:
        if (d->delay.set || d->stp)
            return BAD(err, "bridge delay and stp are for modes 'route', 'nat' and isolated networks, not '%s'", d->name, mode_name(d));
        if (d->bridge && (n_ifs || list_len(d->forward->pfs)))
            return BAD(err, "mode '%s' can have a bridge or a forward device, not both", d->name, mode_name(d));
        if (d->mtu)
            return UNSUPPORTED(err, "mtu is for modes 'open', 'route', 'nat' and isolated networks, not '%s'", d->name, mode_name(d));
        return true;
    case _FORWARD_N:
        break;
    }
    return true;
}

bool network_validate(const void *def, unsigned flags, GError **err)
{
    const NetworkDef *d = def;

    if (!*d->name || strchr(d->name, '/'))
        return BAD(err, "a name must not be empty and cannot have '/'", d->name);
    if (!dns_validate(d->dns, d->name, err) || !bandwidth_validate(d->bandwidth, d->name, err) ||
        !vlan_validate(d->vlan, d->name, err))
        return false;
    if (d->vport && d->vport->type == VPORT_NONE)
        return BAD(err, "virtualport without type", d->name);
    for (LIST_EACH(NetworkPortgroup, g, d->portgroups)) {
        if (!portgroup_validate(g, d->name, err))
            return false;
    }
    for (LIST_EACH(NetworkIp, ip, d->ips)) {
        if (!ip_validate(ip, d->name, err))
            return false;
    }
    for (LIST_EACH(NetRoute, r, d->routes)) {
        if (!route_validate(d, r, err))
            return false;
    }
    return (!d->forward || forward_validate(d, d->forward, err)) && mode_validate(d, err);
}
