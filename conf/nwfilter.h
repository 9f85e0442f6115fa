/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packet filters and their bindings to interfaces of guests. Values of rules are text in a
 * canonical form: each of them may be a variable ("$IP", "$IP[2]", "$IP[@1]") until a filter is
 * instantiated for an interface.
 */
#pragma once

#include "conf/kinds.h"
#include "conf/types.h"

typedef enum FilterAction { FILTER_DROP, FILTER_ACCEPT, FILTER_REJECT, FILTER_RETURN, FILTER_CONTINUE, _FILTER_ACTION_N } FilterAction;
extern const EnumTable filter_action_names;
typedef enum FilterDirection { FILTER_IN, FILTER_OUT, FILTER_INOUT, _FILTER_DIRECTION_N } FilterDirection;
extern const EnumTable filter_direction_names;
typedef enum FilterProto {
    FILTER_MAC, FILTER_VLAN, FILTER_STP, FILTER_ARP, FILTER_RARP, FILTER_IP, FILTER_IPV6,
    FILTER_TCP, FILTER_ICMP, FILTER_IGMP, FILTER_UDP, FILTER_UDPLITE, FILTER_ESP, FILTER_AH, FILTER_SCTP, FILTER_ALL,
    FILTER_TCP6, FILTER_ICMP6, FILTER_UDP6, FILTER_UDPLITE6, FILTER_ESP6, FILTER_AH6, FILTER_SCTP6, FILTER_ALL6,
    _FILTER_PROTO_N,
} FilterProto;
extern const EnumTable filter_proto_names;
typedef enum FilterEntryKind { FILTER_ENTRY_RULE, FILTER_ENTRY_REF, _FILTER_ENTRY_N } FilterEntryKind;
extern const EnumTable filter_entry_names;

enum { FILTER_PRIORITY_MIN = -1000, FILTER_PRIORITY_MAX = 1000, FILTER_PRIORITY_DEFAULT = 500 };

CONF_STRUCTS_BEGIN

/* What packets a rule is about: one element, named by its protocol. */
typedef struct FilterMatch {
    FilterProto proto;
    Tristate match;      /* no: packets that do not have these values */
    char *srcmacaddr, *srcmacmask, *dstmacaddr, *dstmacmask;
    char *protocolid;                              /* mac */
    char *vlanid, *encap_protocol;                 /* vlan */
    char *stp_type, *stp_flags, *root_priority, *root_priority_hi, *root_address, *root_address_mask, *root_cost, *root_cost_hi,
        *sender_priority, *sender_priority_hi, *sender_address, *sender_address_mask, *stp_port, *stp_port_hi, *age, *age_hi,
        *max_age, *max_age_hi, *hello_time, *hello_time_hi, *forward_delay, *forward_delay_hi; /* stp */
    char *hwtype, *protocoltype, *opcode, *arpsrcmacaddr, *arpdstmacaddr, *arpsrcipaddr, *arpsrcipmask, *arpdstipaddr,
        *arpdstipmask, *gratuitous;                /* arp, rarp */
    char *srcipaddr, *srcipmask, *dstipaddr, *dstipmask, *srcipfrom, *srcipto, *dstipfrom, *dstipto;
    char *protocol;                                /* ip, ipv6 */
    char *srcportstart, *srcportend, *dstportstart, *dstportend;
    char *type, *typeend, *code, *codeend;         /* icmp; ends: ipv6 */
    char *dscp, *connlimit_above, *state, *ipset, *ipsetflags;
    char *option, *tcp_flags;                      /* tcp */
    char *comment;
} FilterMatch;

typedef struct FilterParameter { /* a variable and one of its values */
    char *name, *value;
} FilterParameter;

typedef struct FilterEntry {
    FilterEntryKind kind;
    FilterAction action;
    FilterDirection direction;
    Flag _pad;
    OptI32 priority;     /* set after parsing */
    char *statematch;    /* "false": without connection tracking; NULL: with */
    GPtrArray *matches;  /* FilterMatch, one or none */
    char *filter;        /* of a reference */
    GPtrArray *parameters; /* FilterParameter, by name */
} FilterEntry;

typedef struct FilterDef {
    char *name;
    char *chain;         /* "root", "mac", "arp-xyz", … set after parsing */
    OptI32 priority;     /* of the chain; set after parsing unless 0 */
    OptUuid uuid;        /* set after parsing: generated when missing */
    Flag uuid_generated; /* it was not in the document */
    GPtrArray *entries;  /* FilterEntry, in the order of the document */
} FilterDef;

typedef struct FilterBindingDef {
    char *owner_name;
    OptUuid owner_uuid;
    Flag _pad;
    char *portdev;
    char *linkdev;       /* NULL: none */
    char *mac;
    char *filter;
    GPtrArray *parameters; /* FilterParameter, by name */
} FilterBindingDef;

CONF_STRUCTS_END

DOC_KIND_DECLARE(nwfilter, FilterDef);
bool nwfilter_peek_identity(const char *xml, gsize len, char **ret_name, Uuid ret_uuid, bool *ret_has_uuid, GError **err);
DOC_KIND_DECLARE(nwfilter_binding, FilterBindingDef);
bool nwfilter_binding_peek_identity(const char *xml, gsize len, char **ret_portdev, GError **err);
