/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packet filters as rows. A rule holds one element whose name is the protocol; one row per
 * attribute says for which protocols it counts and in which form its value is kept (the forms are
 * in nwfilter_form.c). Rules and references to other filters are one list, in document order.
 * Pure functions, any thread.
 */
#include "conf/nwfilter.h"

#include <string.h>

#include "conf/form.h"
#include "conf/nwfilter-internal.h"
#include "util/error.h"

/* clang-format off */
ENUM_TABLE(filter_action_names, "rule action", _FILTER_ACTION_N, "drop", "accept", "reject", "return", "continue");
ENUM_TABLE(filter_direction_names, "rule direction", _FILTER_DIRECTION_N, "in", "out", "inout");
ENUM_TABLE(filter_proto_names, "protocol", _FILTER_PROTO_N, "mac", "vlan", "stp", "arp", "rarp", "ip", "ipv6",
    "tcp", "icmp", "igmp", "udp", "udplite", "esp", "ah", "sctp", "all",
    "tcp-ipv6", "icmpv6", "udp-ipv6", "udplite-ipv6", "esp-ipv6", "ah-ipv6", "sctp-ipv6", "all-ipv6");
ENUM_TABLE(filter_entry_names, "entry of a filter", _FILTER_ENTRY_N, "rule", "filterref");

#define M FilterMatch
/* sets of protocols */
#define FROM_TO(a, b) (BIT((b) + 1) - BIT(a))
#define L4 FROM_TO(FILTER_TCP, FILTER_ALL)
#define L6 FROM_TO(FILTER_TCP6, FILTER_ALL6)
#define ARPS (BIT(FILTER_ARP) | BIT(FILTER_RARP))
#define ETHER (BIT(FILTER_MAC) | BIT(FILTER_VLAN) | ARPS | BIT(FILTER_IP) | BIT(FILTER_IPV6))
#define PORTS (BIT(FILTER_TCP) | BIT(FILTER_UDP) | BIT(FILTER_SCTP) | BIT(FILTER_TCP6) | BIT(FILTER_UDP6) | BIT(FILTER_SCTP6))
#define ICMPS (BIT(FILTER_ICMP) | BIT(FILTER_ICMP6))
#define TCPS (BIT(FILTER_TCP) | BIT(FILTER_TCP6))
#define V(f, attr, form, protos, doc) CONF_FORM(M, f, "@" attr, form, 0, doc, WHEN(M, proto, protos))
#define VIEW(f, attr, form, protos, doc) CONF_FORM(M, f, "@" attr, form, CF_VIEW, doc, WHEN(M, proto, protos))
#define KEEP(f) CONF_FORM(M, f, NULL, form_filter_text, 0, "")
#define ADDR(f, attr, protos4, protos6, doc) VIEW(f, attr, form_filter_ip4, protos4, doc), VIEW(f, attr, form_filter_ip6, protos6, doc), KEEP(f)
#define MASK(f, attr, protos4, protos6, doc) VIEW(f, attr, form_filter_mask4, protos4, doc), VIEW(f, attr, form_filter_mask6, protos6, doc), KEEP(f)
static const ConfField match_rows[] = {
    CONF_ENUM(M, proto, "name()", filter_proto_names, CF_ALWAYS, "protocol"),
    CONF_YESNO(M, match, "@match", 0, "no: all but these"),
    CONF_FORM(M, srcmacaddr, "@srcmacaddr", form_filter_mac, 0, "hardware address of the sender"),
    V(srcmacmask, "srcmacmask", form_filter_mac, ETHER | BIT(FILTER_STP), "its mask"),
    V(dstmacaddr, "dstmacaddr", form_filter_mac, ETHER, "hardware address of the receiver"),
    V(dstmacmask, "dstmacmask", form_filter_mac, ETHER, "its mask"),
    V(protocolid, "protocolid", form_filter_ethertype, BIT(FILTER_MAC), "protocol in the frame"),
    V(vlanid, "vlanid", form_filter_vlan, BIT(FILTER_VLAN), "vlan"),
    V(encap_protocol, "encap-protocol", form_filter_encap, BIT(FILTER_VLAN), "protocol in the frame"),
#define S(f, attr, form, doc) V(f, attr, form, BIT(FILTER_STP), doc)
    S(stp_type, "type", form_filter_u8, "type of message"),
    S(stp_flags, "flags", form_filter_u8, "flags of the message"),
    S(root_priority, "root-priority", form_filter_u16, "priority of the root, from"),
    S(root_priority_hi, "root-priority-hi", form_filter_u16, "to"),
    S(root_address, "root-address", form_filter_mac, "address of the root"),
    S(root_address_mask, "root-address-mask", form_filter_mac, "its mask"),
    S(root_cost, "root-cost", form_filter_u32, "cost to the root, from"),
    S(root_cost_hi, "root-cost-hi", form_filter_u32, "to"),
    S(sender_priority, "sender-priority", form_filter_u16, "priority of the sender, from"),
    S(sender_priority_hi, "sender-priority-hi", form_filter_u16, "to"),
    S(sender_address, "sender-address", form_filter_mac, "address of the sender"),
    S(sender_address_mask, "sender-address-mask", form_filter_mac, "its mask"),
    S(stp_port, "port", form_filter_u16, "port, from"),
    S(stp_port_hi, "port-hi", form_filter_u16, "to"),
    S(age, "age", form_filter_u16, "age of the message, from"),
    S(age_hi, "age-hi", form_filter_u16, "to"),
    S(max_age, "max-age", form_filter_u16, "largest age, from"),
    S(max_age_hi, "max-age-hi", form_filter_u16, "to"),
    S(hello_time, "hello-time", form_filter_u16, "time between messages, from"),
    S(hello_time_hi, "hello-time-hi", form_filter_u16, "to"),
    S(forward_delay, "forward-delay", form_filter_u16, "time before forwarding, from"),
    S(forward_delay_hi, "forward-delay-hi", form_filter_u16, "to"),
#undef S
#define A(f, form, doc) V(f, #f, form, ARPS, doc)
    A(hwtype, form_filter_u16, "type of hardware"),
    A(protocoltype, form_filter_u16, "protocol"),
    A(opcode, form_filter_opcode, "operation"),
    A(arpsrcmacaddr, form_filter_mac, "hardware address of the sender"),
    A(arpdstmacaddr, form_filter_mac, "hardware address of the target"),
    A(arpsrcipaddr, form_filter_ip4, "address of the sender"),
    A(arpsrcipmask, form_filter_mask4, "its mask"),
    A(arpdstipaddr, form_filter_ip4, "address of the target"),
    A(arpdstipmask, form_filter_mask4, "its mask"),
    A(gratuitous, form_filter_bool, "nobody asked for it"),
#undef A
    ADDR(srcipaddr, "srcipaddr", L4 | BIT(FILTER_IP), L6 | BIT(FILTER_IPV6), "address of the sender"),
    ADDR(dstipaddr, "dstipaddr", L4 | BIT(FILTER_IP), L6 | BIT(FILTER_IPV6), "address of the receiver"),
    MASK(srcipmask, "srcipmask", L4 | BIT(FILTER_IP), L6 | BIT(FILTER_IPV6), "mask of the sender's address"),
    MASK(dstipmask, "dstipmask", L4 | BIT(FILTER_IP), L6 | BIT(FILTER_IPV6), "mask of the receiver's address"),
    ADDR(srcipfrom, "srcipfrom", L4, L6, "first address of the sender"),
    ADDR(srcipto, "srcipto", L4, L6, "last address of the sender"),
    ADDR(dstipfrom, "dstipfrom", L4, L6, "first address of the receiver"),
    ADDR(dstipto, "dstipto", L4, L6, "last address of the receiver"),
    V(protocol, "protocol", form_filter_ipproto, BIT(FILTER_IP) | BIT(FILTER_IPV6), "protocol in the packet"),
    VIEW(dscp, "dscp", form_filter_dscp, L4 | L6, "class of service"),
    V(connlimit_above, "connlimit-above", form_filter_u16, L4 | L6, "more connections than this"),
    V(state, "state", form_filter_state, L4 | L6, "state of the connection"),
    V(ipset, "ipset", form_filter_ipset, L4 | L6, "address set of the host"),
    V(ipsetflags, "ipsetflags", form_filter_ipsetflags, L4 | L6, "what of a packet is looked up in the set"),
#define PORT(f, doc) V(f, #f, form_filter_u16, PORTS | BIT(FILTER_IP) | BIT(FILTER_IPV6), doc)
    PORT(srcportstart, "first port of the sender"),
    PORT(srcportend, "last port of the sender"),
    PORT(dstportstart, "first port of the receiver"),
    PORT(dstportend, "last port of the receiver"),
#undef PORT
    CONF_FORM(M, dscp, "@dscp", form_filter_dscp, 0, "class of service", WHEN(M, proto, BIT(FILTER_IP))),
    V(option, "option", form_filter_u8, TCPS, "tcp option"),
    V(tcp_flags, "flags", form_filter_tcpflags, TCPS, "flags looked at / flags set"),
    V(type, "type", form_filter_u8, ICMPS | BIT(FILTER_IPV6), "type of message"),
    V(typeend, "typeend", form_filter_u8, BIT(FILTER_IPV6), "last type"),
    V(code, "code", form_filter_u8, ICMPS | BIT(FILTER_IPV6), "code of message"),
    V(codeend, "codeend", form_filter_u8, BIT(FILTER_IPV6), "last code"),
    CONF_FORM(M, comment, "@comment", form_filter_comment, 0, "for people"),
};
#undef M
/* clang-format on */

/* "yes" is the default, and "no" needs something that does not match. */
extern const ConfDesc filter_match_desc;
static bool match_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    FilterMatch *m = v;
    const FilterMatch nothing = { .proto = m->proto, .match = m->match };

    if (m->match == TRI_YES || conf_equal(&filter_match_desc, m, &nothing, 0, NULL))
        m->match = TRI_ABSENT;
    return true;
}
CONF_DESC(filter_match_desc, FilterMatch, match_rows, .parsed = match_parsed);
/* clang-format off */

static const ConfField parameter_rows[] = {
    CONF_STR(FilterParameter, name, "@name", CF_REQUIRED | CF_NOT_EMPTY, "variable"),
    CONF_STR(FilterParameter, value, "@value", CF_REQUIRED, "one of its values"),
};
CONF_DESC(filter_parameter_desc, FilterParameter, parameter_rows);

#define E FilterEntry
#define RULE WHEN(E, kind, BIT(FILTER_ENTRY_RULE))
#define REF WHEN(E, kind, BIT(FILTER_ENTRY_REF))
static const ConfField entry_rows[] = {
    CONF_ENUM(E, kind, "name()", filter_entry_names, CF_ALWAYS, "rule or reference"),
    CONF_ENUM(E, action, "@action", filter_action_names, CF_REQUIRED | CF_ALWAYS, "what is done with the packet", RULE),
    CONF_ENUM(E, direction, "@direction", filter_direction_names, CF_REQUIRED | CF_ALWAYS, "to or from the guest", RULE),
    CONF_OPTI32(E, priority, "@priority", 0, "lowest first", RULE),
    CONF_FORM(E, statematch, "@statematch", form_filter_statematch, 0, "track connections", RULE),
    CONF_LIST(E, matches, "*", filter_match_desc, CF_ONLY_KNOWN, "which packets", RULE),
    CONF_STR(E, filter, "@filter", CF_REQUIRED | CF_NOT_EMPTY, "other filter", REF),
    CONF_LIST(E, parameters, "parameter", filter_parameter_desc, 0, "its variables", REF),
    CONF_PAD(E, _pad),
};
#undef E
/* clang-format on */

/* The first element counts; priorities are set here because 0 is one. */
static bool entry_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    FilterEntry *e = v;

    while (list_len(e->matches) > 1) {
        conf_free(&filter_match_desc, list_at(e->matches, e->matches->len - 1));
        g_ptr_array_set_size(e->matches, (int)e->matches->len - 1);
    }
    if (e->kind == FILTER_ENTRY_RULE && !e->priority.set)
        e->priority = (OptI32){ 1, FILTER_PRIORITY_DEFAULT };
    if (e->priority.v < FILTER_PRIORITY_MIN || e->priority.v > FILTER_PRIORITY_MAX) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, "priority", "%d is out of range (%d to %d)", e->priority.v,
                      FILTER_PRIORITY_MIN, FILTER_PRIORITY_MAX);
        return false;
    }
    filter_sort_parameters(e->parameters);
    return true;
}
CONF_DESC(filter_entry_desc, FilterEntry, entry_rows, .parsed = entry_parsed);

/* clang-format off */
#define D FilterDef
static const ConfField filter_rows[] = {
    CONF_STR(D, name, "@name", CF_REQUIRED | CF_NOT_EMPTY, "name"),
    CONF_STR(D, chain, "@chain", 0, "where its rules go"),
    CONF_OPTI32(D, priority, "@priority", 0, "order of the chain"),
    CONF_UUID(D, uuid, "uuid/text()", 0, "identity"),
    CONF_LIST(D, entries, "*", filter_entry_desc, CF_ONLY_KNOWN, "rules and other filters"),
    CONF_HIDDEN(D, uuid_generated, CF_NO_COMPARE),
};
#undef D
CONF_DESC(filter_desc, FilterDef, filter_rows);

#define D FilterBindingDef
static const ConfField binding_rows[] = {
    CONF_STR(D, owner_name, "owner/name/text()", CF_REQUIRED, "guest"),
    CONF_UUID(D, owner_uuid, "owner/uuid/text()", CF_REQUIRED, "its identity"),
    CONF_STR(D, portdev, "portdev/@name", CF_REQUIRED | CF_NOT_EMPTY, "interface on the host"),
    CONF_STR(D, linkdev, "linkdev/@name", 0, "device below it"),
    CONF_FORM(D, mac, "mac/@address", form_filter_mac, CF_REQUIRED, "hardware address of the guest"),
    CONF_STR(D, filter, "filterref/@filter", CF_REQUIRED | CF_NOT_EMPTY, "filter"),
    CONF_LIST(D, parameters, "filterref/parameter", filter_parameter_desc, 0, "its variables"),
    CONF_PAD(D, _pad),
};
#undef D
CONF_DESC(filter_binding_desc, FilterBindingDef, binding_rows);
/* clang-format on */

/* ---- stages ---- */

/* A chain's name begins with that of a protocol. */
static const struct {
    const char *name;
    int priority;
} chains[] = {
    { "stp", -810 }, { "mac", -800 }, { "vlan", -750 }, { "ipv4", -700 }, { "ipv6", -600 }, { "arp", -500 }, { "rarp", -400 },
};

enum { CHAIN_NAME_MAX = 12 }; /* the rest of a name of the firewall's is ours */

static int chain_find(const char *chain)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(chains); i++) {
        size_t n = strlen(chains[i].name);
        if (!strncmp(chain, chains[i].name, n))
            return (int)i;
    }
    return -1;
}

static bool filter_resolve(void *def, unsigned flags, GError **err)
{
    FilterDef *f = def;

    if (!f->chain)
        f->chain = g_strdup("root");
    if (!f->uuid.set) {
        uuid_generate(f->uuid.v);
        f->uuid.set = f->uuid_generated = 1;
    }
    int chain = chain_find(f->chain);
    if (!f->priority.set && chain >= 0)
        f->priority = (OptI32){ 1, chains[chain].priority };
    else if (f->priority.set && !f->priority.v) /* as if it had not been written */
        f->priority.set = 0;
    return true;
}

static bool filter_validate(const void *def, unsigned flags, GError **err)
{
    const FilterDef *f = def;
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-";

    if (strcmp(f->chain, "root") && chain_find(f->chain) < 0) {
        error_set(err, VIR_ERR_XML_ERROR, "filter '%s': chain '%.100s' must be 'root' or begin with stp, mac, vlan, ipv4, ipv6, arp or rarp",
                  f->name, f->chain);
        return false;
    }
    if (f->chain[strspn(f->chain, allowed)] || strlen(f->chain) > CHAIN_NAME_MAX) {
        error_set(err, VIR_ERR_XML_ERROR, "filter '%s': chain '%.100s' is longer than %d bytes or has an invalid character",
                  f->name, f->chain, CHAIN_NAME_MAX);
        return false;
    }
    if (f->priority.v < FILTER_PRIORITY_MIN || f->priority.v > FILTER_PRIORITY_MAX) {
        error_set(err, VIR_ERR_XML_ERROR, "filter '%s': priority %d is out of range (%d to %d)", f->name, f->priority.v,
                  FILTER_PRIORITY_MIN, FILTER_PRIORITY_MAX);
        return false;
    }
    for (LIST_EACH(FilterEntry, e, f->entries)) {
        for (LIST_EACH(FilterMatch, m, e->matches)) {
            if (!filter_match_validate(m, f->name, err))
                return false;
        }
    }
    return true;
}

static bool binding_resolve(void *def, unsigned flags, GError **err)
{
    filter_sort_parameters(((FilterBindingDef *)def)->parameters);
    return true;
}

const DocKind nwfilter_kind = {
    .name = "nwfilter", .root = "filter", .desc = &filter_desc, .resolve = filter_resolve, .validate = filter_validate,
};
DOC_KIND_DEFINE(nwfilter, FilterDef)

const DocKind nwfilter_binding_kind = {
    .name = "nwfilterbinding", .root = "filterbinding", .desc = &filter_binding_desc, .resolve = binding_resolve,
};
DOC_KIND_DEFINE(nwfilter_binding, FilterBindingDef)

/* ---- identity ---- */

static xmlNode *open_doc(const DocKind *k, const char *xml, gsize len, XmlDoc **ret_doc, GError **err)
{
    *ret_doc = xml_parse(xml, len, err);
    xmlNode *root = *ret_doc ? xml_root(*ret_doc) : NULL;
    return root && conf_check_root(root, k->root, err) ? root : NULL;
}

bool nwfilter_peek_identity(const char *xml, gsize len, char **ret_name, Uuid ret_uuid, bool *ret_has_uuid, GError **err)
{
    g_autoptr(XmlDoc) doc = NULL;
    xmlNode *root = open_doc(&nwfilter_kind, xml, len, &doc, err);
    if (!root)
        return false;
    const char *name = xml_attr_get(root, "name");
    if (!name || !*name) {
        conf_error_at(err, VIR_ERR_XML_ERROR, root, "name", "missing");
        return false;
    }
    xmlNode *uuid = xml_child(root, "uuid");
    g_autofree char *s = uuid ? xml_text_dup(uuid) : NULL;
    Uuid u = { 0 };
    if (s && *s && !uuid_parse(s, u)) {
        conf_error_at(err, VIR_ERR_XML_ERROR, uuid, NULL, "malformed uuid '%.100s'", s);
        return false;
    }
    memcpy(ret_uuid, u, sizeof(u));
    *ret_has_uuid = s && *s;
    *ret_name = g_strdup(name);
    return true;
}

bool nwfilter_binding_peek_identity(const char *xml, gsize len, char **ret_portdev, GError **err)
{
    g_autoptr(XmlDoc) doc = NULL;
    xmlNode *root = open_doc(&nwfilter_binding_kind, xml, len, &doc, err);
    if (!root)
        return false;
    xmlNode *portdev = xml_child(root, "portdev");
    const char *name = portdev ? xml_attr_get(portdev, "name") : NULL;
    if (!name || !*name) {
        conf_error_at(err, VIR_ERR_XML_ERROR, root, NULL, "'portdev/@name' is missing");
        return false;
    }
    *ret_portdev = g_strdup(name);
    return true;
}
