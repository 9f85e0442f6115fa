/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes of one section of a network. Each section is a list of items of one description; a table
 * says how an item of it is recognised. The change is made in a copy which takes the place of the
 * network when all is well: a refused change leaves no trace. Pure functions, any thread.
 */
#include <string.h>

#include "conf/domain.h"
#include "conf/form.h"
#include "conf/network-internal.h"
#include "util/error.h"

typedef struct Section {
    const char *root, *what;
    const ConfDesc *desc;
    bool in_ip;      /* of an <ip>, which the caller may name by index */
    bool can_modify;
    size_t list;     /* offset in NetworkIp, NetworkDns, ForwardDef or NetworkDef */
    /* have is in the way of the new one (add), or is the one that it replaces (modify) */
    bool (*same)(const void *item, const void *have);
    /* have has all that item names (delete) */
    bool (*meant)(const void *item, const void *have);
} Section;

static bool given_and_equal(const char *a, const char *b)
{
    return a && b && !strcmp(a, b);
}

/* What is not given matches anything. */
static bool agrees(const char *wanted, const char *have)
{
    return !wanted || g_strcmp0(wanted, have) == 0;
}

static bool mac_equal(const char *a, const char *b)
{
    MacAddr x, y;
    return a && b && mac_parse(a, &x) && mac_parse(b, &y) && !memcmp(x.b, y.b, sizeof(x.b));
}

static bool dhcp_host_same(const void *item, const void *have)
{
    const DhcpHost *a = item, *b = have;
    return mac_equal(a->mac, b->mac) || given_and_equal(a->id, b->id) || given_and_equal(a->name, b->name) || given_and_equal(a->ip, b->ip);
}

static bool dhcp_host_meant(const void *item, const void *have)
{
    const DhcpHost *a = item, *b = have;
    return (!a->mac || mac_equal(a->mac, b->mac)) && agrees(a->id, b->id) && agrees(a->name, b->name) && agrees(a->ip, b->ip);
}

static bool dhcp_range_same(const void *item, const void *have)
{
    const DhcpRange *a = item, *b = have;
    return !strcmp(a->start, b->start) && !strcmp(a->end, b->end);
}

static bool forward_if_same(const void *item, const void *have)
{
    return !strcmp(((const ForwardIf *)item)->dev, ((const ForwardIf *)have)->dev);
}

static bool portgroup_same(const void *item, const void *have)
{
    return !strcmp(((const NetworkPortgroup *)item)->name, ((const NetworkPortgroup *)have)->name);
}

static bool dns_host_same(const void *item, const void *have)
{
    const NetworkDnsHost *a = item, *b = have;

    if (given_and_equal(a->ip, b->ip))
        return true;
    for (LIST_EACH(StrItem, x, a->names)) {
        for (LIST_EACH(StrItem, y, b->names)) {
            if (given_and_equal(x->s, y->s))
                return true;
        }
    }
    return false;
}

static bool dns_txt_same(const void *item, const void *have)
{
    return !strcmp(((const NetworkTxt *)item)->name, ((const NetworkTxt *)have)->name);
}

static bool dns_srv_meant(const void *item, const void *have)
{
    const NetworkSrv *a = item, *b = have;
    return agrees(a->domain, b->domain) && agrees(a->service, b->service) && agrees(a->protocol, b->protocol) &&
           agrees(a->target, b->target) && (!a->port || a->port == b->port) && (!a->priority || a->priority == b->priority) &&
           (!a->weight || a->weight == b->weight);
}

static const Section sections[_NETWORK_SECTION_N] = {
    [NETWORK_SECTION_IP_DHCP_HOST] = { "host", "dhcp host", &dhcp_host_desc, true, true, offsetof(NetworkIp, hosts), dhcp_host_same, dhcp_host_meant },
    [NETWORK_SECTION_IP_DHCP_RANGE] = { "range", "dhcp range", &dhcp_range_desc, true, false, offsetof(NetworkIp, ranges), dhcp_range_same, dhcp_range_same },
    [NETWORK_SECTION_FORWARD_INTERFACE] = { "interface", "forward interface", &forward_if_desc, false, false, offsetof(ForwardDef, ifs), forward_if_same, forward_if_same },
    [NETWORK_SECTION_PORTGROUP] = { "portgroup", "portgroup", &portgroup_desc, false, true, offsetof(NetworkDef, portgroups), portgroup_same, portgroup_same },
    [NETWORK_SECTION_DNS_HOST] = { "host", "dns host", &dns_host_desc, false, false, offsetof(NetworkDns, hosts), dns_host_same, dns_host_same },
    [NETWORK_SECTION_DNS_TXT] = { "txt", "dns txt", &dns_txt_desc, false, false, offsetof(NetworkDns, txts), dns_txt_same, dns_txt_same },
    [NETWORK_SECTION_DNS_SRV] = { "srv", "dns srv", &dns_srv_desc, false, false, offsetof(NetworkDns, srvs), dns_srv_meant, dns_srv_meant },
};

static const char *const section_words[_NETWORK_SECTION_N] = {
    "none", "bridge", "domain", "ip", "ip-dhcp-host", "ip-dhcp-range", "forward", "forward-interface", "forward-pf",
    "portgroup", "dns-host", "dns-txt", "dns-srv",
};

/* The <ip> by index; without one, that with dhcp, else the first of IPv4, else the first. */
static NetworkIp *find_ip(const NetworkDef *d, const Section *s, int parent, GError **err)
{
    unsigned n = list_len(d->ips);

    if (parent >= 0 && (unsigned)parent < n)
        return list_at(d->ips, (unsigned)parent);
    if (parent >= 0 || !n) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "network '%s' has no <ip> %d for a %s", d->name, MAX(parent, 0), s->what);
        return NULL;
    }
    NetworkIp *first4 = NULL;
    for (LIST_EACH(NetworkIp, ip, d->ips)) {
        if (list_len(ip->hosts) || list_len(ip->ranges))
            return ip;
        if (!first4 && ip->family != IP_FAMILY_IPV6)
            first4 = ip;
    }
    return first4 ? first4 : list_at(d->ips, 0);
}

/* The list of a section; what contains it is made when it is not there. */
static GPtrArray **find_list(NetworkDef *d, unsigned section, NetworkIp *ip)
{
    const Section *s = &sections[section];
    char *base = (char *)d;

    if (s->in_ip) {
        base = (char *)ip;
    } else if (section == NETWORK_SECTION_FORWARD_INTERFACE) {
        base = (char *)d->forward;
    } else if (section >= NETWORK_SECTION_DNS_HOST) {
        if (!d->dns)
            d->dns = g_new0(NetworkDns, 1);
        base = (char *)d->dns;
    }
    GPtrArray **list = (GPtrArray **)(base + s->list);
    if (!*list)
        *list = g_ptr_array_new();
    return list;
}

static bool validate_item(const NetworkDef *d, unsigned section, const NetworkIp *ip, const void *item, bool partial, GError **err)
{
    IpAddr start, net;

    switch ((NetworkSection)section) {
    case NETWORK_SECTION_IP_DHCP_HOST:
        return dhcp_host_validate(item, ip, d->name, partial, err);
    case NETWORK_SECTION_IP_DHCP_RANGE:
        if (ip_parse(((const DhcpRange *)item)->start, &start) && ip_parse(ip->address, &net) && start.len != net.len) {
            error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "network '%s': the dhcp range is not of the family of '%s'", d->name, ip->address);
            return false;
        }
        return partial || dhcp_range_validate(item, ip, d->name, err);
    case NETWORK_SECTION_PORTGROUP:
        return portgroup_validate(item, d->name, err);
    case NETWORK_SECTION_DNS_HOST:
        return dns_host_validate(item, d->name, partial, err);
    case NETWORK_SECTION_DNS_TXT:
        return dns_txt_validate(item, d->name, partial, err);
    case NETWORK_SECTION_DNS_SRV:
        return dns_srv_validate(item, d->name, partial, err);
    default:
        return true;
    }
}

/* The dhcp server serves one address per family. */
static bool check_one_dhcp(const NetworkDef *d, GError **err)
{
    unsigned n[2] = { 0 };

    for (LIST_EACH(NetworkIp, ip, d->ips)) {
        if (!list_len(ip->ranges) && !list_len(ip->hosts))
            continue;
        bool v6 = ip->family == IP_FAMILY_IPV6;
        if (n[v6]++) {
            error_set(err, VIR_ERR_OPERATION_INVALID, "network '%s': dhcp is supported for a single %s address only", d->name, v6 ? "IPv6" : "IPv4");
            return false;
        }
    }
    return true;
}

static bool check_one_default(const NetworkDef *d, GError **err)
{
    const NetworkPortgroup *found = NULL;

    for (LIST_EACH(NetworkPortgroup, g, d->portgroups)) {
        if (g->is_default && found) {
            error_set(err, VIR_ERR_OPERATION_INVALID, "network '%s': portgroup '%s' is the default already", d->name, found->name);
            return false;
        }
        if (g->is_default)
            found = g;
    }
    return true;
}

/* Takes the item when it succeeds. */
static bool apply(NetworkDef *d, const Section *s, GPtrArray *list, unsigned command, void *item, GError **err)
{
    bool (*match)(const void *, const void *) = command == NETWORK_DELETE ? s->meant : s->same;
    unsigned n = 0, at = 0;

    for (unsigned i = 0; i < list->len; i++) {
        if (match(item, list_at(list, i)) && !n++)
            at = i;
    }
    bool add = command == NETWORK_ADD_FIRST || command == NETWORK_ADD_LAST;
    if (add ? n > 0 : n == 0) {
        error_set(err, VIR_ERR_OPERATION_INVALID, add ? "network '%s' has a matching %s already" : "network '%s' has no matching %s", d->name, s->what);
        return false;
    }
    /* Names of hosts and services may be ambiguous; those of other items are not. */
    if (command == NETWORK_DELETE && n > 1 && !s->in_ip) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "network '%s' has %u matching %s records", d->name, n, s->what);
        return false;
    }
    if (add) {
        g_ptr_array_insert(list, command == NETWORK_ADD_FIRST ? 0 : -1, item);
        return true;
    }
    conf_free(s->desc, list_at(list, at));
    if (command == NETWORK_MODIFY) {
        list->pdata[at] = item;
    } else {
        g_ptr_array_remove_index(list, at);
        conf_free(s->desc, item);
    }
    return true;
}

static bool update_copy(NetworkDef *d, unsigned command, unsigned section, int parent, xmlNode *root, GError **err)
{
    const Section *s = &sections[section];
    NetworkIp *ip = NULL;

    if (s->in_ip && !(ip = find_ip(d, s, parent, err)))
        return false;
    if (section == NETWORK_SECTION_FORWARD_INTERFACE && !d->forward) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "network '%s' is isolated and has no forward interfaces", d->name);
        return false;
    }
    void *item = g_malloc0(s->desc->size);
    ConfParser p = { .flags = DOMAIN_PARSE_INACTIVE, .root = d };
    if (!conf_parse(&p, s->desc, root, item, err) || !conf_check_unread(&p, root, err) ||
        !validate_item(d, section, ip, item, command == NETWORK_DELETE, err) ||
        !apply(d, s, *find_list(d, section, ip), command, item, err)) {
        conf_free(s->desc, item);
        return false;
    }
    if (section == NETWORK_SECTION_FORWARD_INTERFACE) /* follows the first interface */
        g_clear_pointer(&d->forward->dev, g_free);
    if (command == NETWORK_ADD_FIRST || command == NETWORK_ADD_LAST) {
        if (s->in_ip && !check_one_dhcp(d, err))
            return false;
    }
    return check_one_default(d, err) && network_resolve_forward(d, err) && network_validate(d, 0, err);
}

/* An element without content is not written. */
static void tidy(NetworkDef *d)
{
    NetworkDns *dns = d->dns;

    if (dns && !dns->enable && !dns->forward_plain_names && !list_len(dns->forwarders) && !list_len(dns->txts) &&
        !list_len(dns->srvs) && !list_len(dns->hosts)) {
        conf_free(&network_dns_desc, dns);
        d->dns = NULL;
    }
}

bool network_update(NetworkDef *d, unsigned command, unsigned section, int parent, const char *xml, gsize len, GError **err)
{
    if (section >= _NETWORK_SECTION_N || section == NETWORK_SECTION_NONE) {
        error_set(err, VIR_ERR_NO_SUPPORT, "unknown section %u of network '%s'", section, d->name);
        return false;
    }
    const Section *s = &sections[section];
    if (!s->desc) {
        error_set(err, VIR_ERR_NO_SUPPORT, "section '%s' of network '%s' cannot be changed alone", section_words[section], d->name);
        return false;
    }
    if (command >= _NETWORK_COMMAND_N || command == NETWORK_COMMAND_NONE) {
        error_set(err, VIR_ERR_NO_SUPPORT, "unknown command %u for network '%s'", command, d->name);
        return false;
    }
    if (command == NETWORK_MODIFY && !s->can_modify) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "network '%s': a %s cannot be modified, only added or deleted", d->name, s->what);
        return false;
    }
    g_autoptr(XmlDoc) doc = xml_parse(xml, len, err);
    if (!doc)
        return false;
    if (!xml_is(xml_root(doc), s->root)) {
        error_set(err, VIR_ERR_XML_ERROR, "unexpected element <%s>, expected <%s>, for section '%s' of network '%s'",
                  (const char *)xml_root(doc)->name, s->root, section_words[section], d->name);
        return false;
    }
    g_autoptr(NetworkDef) copy = network_copy(d);
    if (!update_copy(copy, command, section, parent, xml_root(doc), err))
        return false;
    tidy(copy);

    NetworkDef old = *d;
    *d = *copy;
    *copy = old;
    return true;
}
