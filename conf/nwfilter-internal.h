/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the rows of filters and the forms of their values. */
#pragma once

#include "conf/form.h"
#include "conf/nwfilter.h"

extern const ConfDesc filter_desc, filter_binding_desc;

/* All of them also take a variable. */
extern const ConfForm form_filter_mac, form_filter_ip4, form_filter_ip6, form_filter_mask4, form_filter_mask6, form_filter_u8,
    form_filter_u16, form_filter_u32, form_filter_dscp, form_filter_vlan, form_filter_ethertype, form_filter_opcode,
    form_filter_ipproto, form_filter_bool, form_filter_state, form_filter_tcpflags, form_filter_ipset, form_filter_ipsetflags,
    form_filter_text, form_filter_statematch, form_filter_encap, form_filter_comment;

/* By name; values of one name keep their order. */
void filter_sort_parameters(GPtrArray *parameters);
bool filter_match_validate(const FilterMatch *m, const char *filter, GError **err);
