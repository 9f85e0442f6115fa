/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules of network interfaces that hold under any hypervisor. Reads only; any thread. */
#include <string.h>

#include "conf/form.h"
#include "conf/validate-internal.h"
#include "util/api.h"
#include "util/error.h"

#define MODEL_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

static bool bad(GError **err, const NetDef *n, const char *problem)
{
    error_set(err, VIR_ERR_XML_ERROR, "interface of type '%s': %s", enum_name(&net_type_names, n->type), problem);
    return false;
}

static bool validate_vport(const NetDef *n, const VirtualPort *v, GError **err)
{
    switch (v->type) {
    case VPORT_NONE:
        return n->type == NET_NETWORK || bad(err, n, "virtualport: type is missing");
    case VPORT_8021QBG:
        if (!v->managerid.set)
            return bad(err, n, "virtualport: missing managerid");
        if (!v->typeid_.set)
            return bad(err, n, "virtualport: missing typeid");
        return v->typeidversion.set || bad(err, n, "virtualport: missing typeidversion");
    case VPORT_8021QBH:
        return v->profileid || bad(err, n, "virtualport: missing profileid");
    default:
        return true;
    }
}

char *route_problem(const NetRoute *r)
{
    IpAddr to, gateway, mask;
    unsigned len = r->family == IP_FAMILY_IPV6 ? 16 : 4;
    const char *family = enum_name(&ip_family_names, len == 4 ? IP_FAMILY_IPV4 : IP_FAMILY_IPV6);

    if (!ip_parse(r->address, &to) || to.len != len)
        return g_strdup_printf("address '%s' of a route is not of family %s", r->address ? r->address : "", family);
    if (!ip_parse(r->gateway, &gateway) || gateway.len != len)
        return g_strdup_printf("gateway '%s' of a route is not of family %s", r->gateway ? r->gateway : "", family);
    if (r->metric.set && !r->metric.v)
        return g_strdup_printf("metric of the route to '%s' must be positive", r->address);
    if (r->netmask && (r->prefix.set || len == 16))
        return g_strdup_printf("route to '%s' with netmask: IPv4 without prefix only", r->address);
    bool masked = r->netmask && ip_parse(r->netmask, &mask) && mask.len == len && ip_mask_bits(&mask) >= 0;
    if (r->netmask && !masked)
        return g_strdup_printf("invalid netmask '%.100s' of the route to '%s'", r->netmask, r->address);
    unsigned prefix = masked ? (unsigned)ip_mask_bits(&mask) : r->prefix.v;
    if (prefix > 8 * len)
        return g_strdup_printf("prefix %u of the route to '%s' is longer than the address", prefix, r->address);
    if (!ip_host_bits_are(&to, prefix, false))
        return g_strdup_printf("'%s' of a route is not the address of a network with prefix %u", r->address, prefix);
    return NULL;
}

static const char *address_problem(const NetIp *ip)
{
    IpAddr a, peer;
    unsigned len = ip->family == IP_FAMILY_IPV6 ? 16 : 4;

    if (!ip_parse(ip->address, &a) || (ip->family && a.len != len))
        return "invalid address in <ip>";
    if (ip->peer && (!ip_parse(ip->peer, &peer) || peer.len != a.len))
        return "invalid peer in <ip>";
    return ip->prefix.set && ip->prefix.v > 8 * a.len ? "invalid prefix in <ip>" : NULL;
}

char *addresses_problem(const GPtrArray *ips, const GPtrArray *routes)
{
    for (unsigned i = 0; i < list_len(ips); i++) {
        const char *problem = address_problem(list_at(ips, i));
        if (problem)
            return g_strdup(problem);
    }
    for (unsigned i = 0; i < list_len(routes); i++) {
        char *problem = route_problem(list_at(routes, i));
        if (problem)
            return problem;
    }
    return NULL;
}

static bool validate_addresses(const NetDef *n, GError **err)
{
    unsigned of_family[2] = { 0 };
    g_autofree char *guest = addresses_problem(n->ips, n->routes), *host = guest ? NULL : addresses_problem(n->source_ips, n->source_routes);

    if (guest || host)
        return bad(err, n, guest ? guest : host);
    for (unsigned i = 0; n->type == NET_USER && i < list_len(n->ips); i++) {
        IpAddr a;
        (void)ip_parse(((const NetIp *)list_at(n->ips, i))->address, &a);
        if (of_family[a.len == 16]++)
            return bad(err, n, "only one address of a family is possible");
    }
    return true;
}

static bool validate_rate(const NetDef *n, const BandwidthRate *r, GError **err)
{
    return !r || r->average || r->floor || bad(err, n, "bandwidth: average or floor is missing");
}

/* The transient one names the other one. */
const char *teaming_problem(TeamingType type, const char *persistent)
{
    bool named = persistent && *persistent;

    if (type == TEAMING_TRANSIENT && !named)
        return "teaming: persistent is missing";
    return type != TEAMING_TRANSIENT && named ? "teaming: only a transient device names the other one" : NULL;
}

bool validate_net(const NetDef *n, GError **err)
{
    if (n->model && strspn(n->model, MODEL_CHARS) != strlen(n->model)) {
        error_set(err, VIR_ERR_INVALID_ARG, "Model name contains invalid characters");
        return false;
    }
    if (n->vport && !validate_vport(n, n->vport, err))
        return false;
    if (n->vlan && !list_len(n->vlan->tags))
        return bad(err, n, "vlan: a tag is missing");
    const char *teaming = teaming_problem(n->teaming, n->teaming_persistent);
    if (teaming)
        return bad(err, n, teaming);
    if (n->type == NET_HOSTDEV && (!n->src.hostdev_type || !*n->src.hostdev_type))
        return bad(err, n, "source address type is missing");
    if (n->type == NET_HOSTDEV && strcmp(n->src.hostdev_type, "pci") != 0 && strcmp(n->src.hostdev_type, "usb") != 0)
        return bad(err, n, "source address type is neither pci nor usb");
    if (n->bandwidth && (!validate_rate(n, n->bandwidth->inbound, err) || !validate_rate(n, n->bandwidth->outbound, err)))
        return false;
    return validate_addresses(n, err);
}
