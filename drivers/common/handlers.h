/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Handlers that are the same for every hypervisor: look-ups, lists, state, documents, define and
 * undefine. A driver puts them into its table. Types and lanes: the generated remote_handlers.h.
 */
#pragma once

#include "drivers/common/turn.h"
#include "protocols/remote_handlers.h"

/* Flags that go with them in the table. */
enum {
    COMMON_LIST_FLAGS = (VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT << 1) - 1,
    COMMON_XML_FLAGS = VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_UPDATE_CPU |
                       VIR_DOMAIN_XML_MIGRATABLE,
    COMMON_IMPACT_FLAGS = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG,
};

/* handlers_list.c */
bool common_domain_lookup_by_id(Call *c, const remote_domain_lookup_by_id_args *a, remote_domain_lookup_by_id_ret *r, GError **err);
bool common_domain_lookup_by_name(Call *c, const remote_domain_lookup_by_name_args *a, remote_domain_lookup_by_name_ret *r, GError **err);
bool common_domain_lookup_by_uuid(Call *c, const remote_domain_lookup_by_uuid_args *a, remote_domain_lookup_by_uuid_ret *r, GError **err);
bool common_connect_list_all_domains(Call *c, const remote_connect_list_all_domains_args *a, remote_connect_list_all_domains_ret *r, GError **err);
bool common_connect_list_domains(Call *c, const remote_connect_list_domains_args *a, remote_connect_list_domains_ret *r, GError **err);
bool common_connect_num_of_domains(Call *c, remote_connect_num_of_domains_ret *r, GError **err);
bool common_connect_list_defined_domains(Call *c, const remote_connect_list_defined_domains_args *a, remote_connect_list_defined_domains_ret *r, GError **err);
bool common_connect_num_of_defined_domains(Call *c, remote_connect_num_of_defined_domains_ret *r, GError **err);
void common_wire_domain(const DomainView *v, remote_nonnull_domain *ret); /* owned strings */

/* handlers_info.c */
bool common_domain_get_state(Call *c, const DomainView *v, const remote_domain_get_state_args *a, remote_domain_get_state_ret *r, GError **err);
bool common_domain_get_xml_desc(Call *c, const DomainView *v, const remote_domain_get_xml_desc_args *a, remote_domain_get_xml_desc_ret *r, GError **err);
bool common_domain_get_os_type(Call *c, const DomainView *v, const remote_domain_get_os_type_args *a, remote_domain_get_os_type_ret *r, GError **err);
bool common_domain_get_max_memory(Call *c, const DomainView *v, const remote_domain_get_max_memory_args *a, remote_domain_get_max_memory_ret *r, GError **err);
bool common_domain_get_max_vcpus(Call *c, const DomainView *v, const remote_domain_get_max_vcpus_args *a, remote_domain_get_max_vcpus_ret *r, GError **err);
bool common_domain_get_vcpus_flags(Call *c, const DomainView *v, const remote_domain_get_vcpus_flags_args *a, remote_domain_get_vcpus_flags_ret *r, GError **err);
bool common_domain_get_autostart(Call *c, const DomainView *v, const remote_domain_get_autostart_args *a, remote_domain_get_autostart_ret *r, GError **err);
bool common_domain_get_autostart_once(Call *c, const DomainView *v, const remote_domain_get_autostart_once_args *a, remote_domain_get_autostart_once_ret *r, GError **err);
bool common_domain_is_active(Call *c, const DomainView *v, const remote_domain_is_active_args *a, remote_domain_is_active_ret *r, GError **err);
bool common_domain_is_persistent(Call *c, const DomainView *v, const remote_domain_is_persistent_args *a, remote_domain_is_persistent_ret *r, GError **err);
bool common_domain_is_updated(Call *c, const DomainView *v, const remote_domain_is_updated_args *a, remote_domain_is_updated_ret *r, GError **err);
bool common_domain_get_metadata(Call *c, const DomainView *v, const remote_domain_get_metadata_args *a, remote_domain_get_metadata_ret *r, GError **err);

/* handlers_define.c */
bool common_domain_define_xml(Call *c, DomainTurn *t, const remote_domain_define_xml_args *a, remote_domain_define_xml_ret *r, GError **err);
bool common_domain_define_xml_flags(Call *c, DomainTurn *t, const remote_domain_define_xml_flags_args *a, remote_domain_define_xml_flags_ret *r, GError **err);
bool common_domain_undefine(Call *c, DomainTurn *t, const remote_domain_undefine_args *a, GError **err);
bool common_domain_undefine_flags(Call *c, DomainTurn *t, const remote_domain_undefine_flags_args *a, GError **err);
bool common_domain_set_autostart_once(Call *c, DomainTurn *t, const remote_domain_set_autostart_once_args *a, GError **err);
bool common_domain_set_autostart(Call *c, DomainTurn *t, const remote_domain_set_autostart_args *a, GError **err);
bool common_domain_rename(Call *c, DomainTurn *t, const remote_domain_rename_args *a, remote_domain_rename_ret *r, GError **err);
/* handlers_change.c */
bool common_domain_set_metadata(Call *c, DomainTurn *t, const remote_domain_set_metadata_args *a, GError **err);
/* The definition that the flags of a question mean; NULL and *err when there is no such one. c as in
 * view_config(). */
const DomainDef *common_def_for(Call *c, const DomainView *v, unsigned flags, GError **err);
/* Private copies of the definitions that the flags of a change mean, the other one NULL. false and *err as
 * common_impact(). */
bool common_edit(DomainTurn *t, unsigned flags, DomainDef **ret_live, DomainDef **ret_config, GError **err);
/* Says which definitions the VIR_DOMAIN_AFFECT_* of a call mean, when it names none; false and *err when one
 * that it names is not there. */
bool common_impact(const DomainView *v, unsigned *flags, GError **err);

/* Parses a client's document for this turn's domain (its uuid when the document has none). */
DomainDef *common_parse_client_xml(DomainTurn *t, const char *xml, bool validate, GError **err);
