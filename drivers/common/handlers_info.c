/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of a domain without asking it: state, documents, flags. Inline; reads a view. */
#include <string.h>

#include "conf/metadata.h"
#include "drivers/common/handlers.h"
#include "drivers/common/domains.h"
#include "drivers/common/xml_cache.h"
#include "util/error.h"
#include "util/xml.h"

bool common_domain_get_state(Call *c, const DomainView *v, const remote_domain_get_state_args *a,
                             remote_domain_get_state_ret *r, GError **err)
{
    (void)c;
    (void)a;
    (void)err;
    r->state = v->state;
    r->reason = v->reason;
    return true;
}

const DomainDef *common_def_for(Call *c, const DomainView *v, unsigned flags, GError **err)
{
    if ((flags & VIR_DOMAIN_AFFECT_LIVE) && (flags & VIR_DOMAIN_AFFECT_CONFIG)) {
        error_set(err, VIR_ERR_INVALID_ARG, "Flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are mutually exclusive");
        return NULL;
    }
    if (flags & VIR_DOMAIN_AFFECT_LIVE) {
        if (!v->live)
            error_set(err, VIR_ERR_OPERATION_INVALID, "domain is not running");
        return v->live ? v->live->def : NULL;
    }
    if (flags & VIR_DOMAIN_AFFECT_CONFIG) {
        if (!v->persistent)
            error_set(err, VIR_ERR_OPERATION_INVALID,
                      "transient domains do not have any persistent config");
        return v->persistent ? view_config(v, c, err) : NULL;
    }
    return view_def(v, c, err);
}

static bool updated_xml(Call *c, const DomainDef *def, unsigned flags, char **ret, GError **err)
{
    const DomainFormatContext ctx = { -1 };

    if (!call_may_wait(c)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the processor is not known yet");
        return false;
    }
    g_autoptr(DomainDef) copy = domain_copy(def);
    if (domains_driver()->update_cpu(copy, err))
        *ret = domain_format(copy, flags, &ctx, err);
    return *ret != NULL;
}

bool common_domain_get_xml_desc(Call *c, const DomainView *v, const remote_domain_get_xml_desc_args *a,
                                remote_domain_get_xml_desc_ret *r, GError **err)
{
    unsigned flags = 0;
    bool config = v->config && ((a->flags & VIR_DOMAIN_XML_INACTIVE) || !view_active(v));
    const DomainDef *def = config ? view_config(v, c, err) : view_def(v, c, err);

    if (!def)
        return false;
    if (a->flags & VIR_DOMAIN_XML_SECURE)
        flags |= DOMAIN_FORMAT_SECURE;
    if (a->flags & VIR_DOMAIN_XML_MIGRATABLE)
        flags |= DOMAIN_FORMAT_MIGRATABLE | DOMAIN_FORMAT_INACTIVE;
    if ((a->flags & VIR_DOMAIN_XML_INACTIVE) || !view_active(v))
        flags |= DOMAIN_FORMAT_INACTIVE;
    if ((a->flags & VIR_DOMAIN_XML_UPDATE_CPU) && (flags & DOMAIN_FORMAT_INACTIVE) && domains_driver()->update_cpu)
        return updated_xml(c, def, flags, &r->xml, err);
    r->xml = xml_cache_format((SharedDef *)(config || !v->live ? v->config : v->live), def, flags,
                              flags & DOMAIN_FORMAT_INACTIVE ? -1 : v->id, err);
    return r->xml != NULL;
}

bool common_domain_get_os_type(Call *c, const DomainView *v, const remote_domain_get_os_type_args *a,
                               remote_domain_get_os_type_ret *r, GError **err)
{
    const DomainDef *def = view_def(v, c, err);
    const char *type = def ? enum_name(&os_type_names, def->os.type) : NULL;
    (void)a;

    if (!def)
        return false;
    r->type = g_strdup(type ? type : "hvm");
    return true;
}

bool common_domain_get_max_memory(Call *c, const DomainView *v, const remote_domain_get_max_memory_args *a,
                                  remote_domain_get_max_memory_ret *r, GError **err)
{
    const DomainDef *def = view_def(v, c, err);
    (void)a;

    if (!def)
        return false;
    r->memory = def->memory;
    return true;
}

bool common_domain_get_max_vcpus(Call *c, const DomainView *v, const remote_domain_get_max_vcpus_args *a,
                                 remote_domain_get_max_vcpus_ret *r, GError **err)
{
    const DomainDef *def = view_def(v, c, err);
    (void)a;

    if (!def)
        return false;
    r->num = (int)def->vcpus_max;
    return true;
}

bool common_domain_get_vcpus_flags(Call *c, const DomainView *v, const remote_domain_get_vcpus_flags_args *a,
                                   remote_domain_get_vcpus_flags_ret *r, GError **err)
{
    const DomainDef *def = common_def_for(c, v, a->flags & COMMON_IMPACT_FLAGS, err);

    if (!def)
        return false;
    r->num = (int)((a->flags & VIR_DOMAIN_VCPU_MAXIMUM) ? def->vcpus_max : def->vcpus);
    return true;
}

bool common_domain_get_autostart(Call *c, const DomainView *v, const remote_domain_get_autostart_args *a,
                                 remote_domain_get_autostart_ret *r, GError **err)
{
    (void)c;
    (void)a;
    (void)err;
    r->autostart = v->autostart;
    return true;
}

bool common_domain_get_autostart_once(Call *c, const DomainView *v, const remote_domain_get_autostart_once_args *a,
                                      remote_domain_get_autostart_once_ret *r, GError **err)
{
    (void)c;
    (void)a;
    (void)err;
    r->autostart = v->autostart_once;
    return true;
}

bool common_domain_is_active(Call *c, const DomainView *v, const remote_domain_is_active_args *a,
                             remote_domain_is_active_ret *r, GError **err)
{
    (void)c;
    (void)a;
    (void)err;
    r->active = view_active(v);
    return true;
}

bool common_domain_is_persistent(Call *c, const DomainView *v, const remote_domain_is_persistent_args *a,
                                 remote_domain_is_persistent_ret *r, GError **err)
{
    (void)c;
    (void)a;
    (void)err;
    r->persistent = v->persistent;
    return true;
}

bool common_domain_is_updated(Call *c, const DomainView *v, const remote_domain_is_updated_args *a,
                              remote_domain_is_updated_ret *r, GError **err)
{
    (void)c;
    (void)v;
    (void)a;
    (void)err;
    r->updated = 0; /* definitions change only through calls, which say so themselves */
    return true;
}

bool common_domain_get_metadata(Call *c, const DomainView *v, const remote_domain_get_metadata_args *a,
                                remote_domain_get_metadata_ret *r, GError **err)
{
    const DomainDef *def = common_def_for(c, v, a->flags, err);
    (void)c;

    if (!def)
        return false;
    switch (a->type) {
    case VIR_DOMAIN_METADATA_DESCRIPTION:
        r->metadata = g_strdup(def->description);
        break;
    case VIR_DOMAIN_METADATA_TITLE:
        r->metadata = g_strdup(def->title);
        break;
    case VIR_DOMAIN_METADATA_ELEMENT:
        if (!a->uri) {
            error_set(err, VIR_ERR_INVALID_ARG, "metadata elements are found by their namespace URI; none was given");
            return false;
        }
        r->metadata = metadata_get(def->metadata, a->uri);
        break;
    default:
        error_set(err, VIR_ERR_INVALID_ARG, "unknown metadata type %d", a->type);
        return false;
    }
    if (!r->metadata) {
        error_set(err, VIR_ERR_NO_DOMAIN_METADATA, "Requested metadata element is not present");
        return false;
    }
    return true;
}
