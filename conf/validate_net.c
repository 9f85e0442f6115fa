/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules of network interfaces that hold under any hypervisor. Reads only; any thread. */
#include <string.h>

#include "conf/form.h"
#include "conf/validate-internal.h"
#include "util/api.h"
#include "util/error.h"

static bool bad(GError **err, const NetDef *n, const char *problem)
{
    error_set(err, VIR_ERR_XML_ERROR, "interface of type '%s': %s", enum_name(&net_type_names, n->type), problem);
    return false;
}

static bool is_uuid(const char *text)
{
    Uuid u;
    return !text || uuid_parse(text, u);
}

static bool validate_vport(const NetDef *n, const VirtualPort *v, GError **err)
{
    if (!is_uuid(v->instanceid))
        return bad(err, n, "virtualport: instanceid is not a uuid");
    if (!is_uuid(v->interfaceid))
        return bad(err, n, "virtualport: interfaceid is not a uuid");
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

static bool validate_addresses(const NetDef *n, GError **err)
{
    unsigned of_family[2] = { 0 };

    for (unsigned i = 0; i < list_len(n->ips); i++) {
        const NetIp *ip = list_at(n->ips, i);
        IpAddr a;
        if (!ip_parse(ip->address, &a))
            return bad(err, n, "invalid address in <ip>");
        if (n->type == NET_USER && of_family[a.len == 16]++)
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
