/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Define, undefine, rename, autostart: changes of the persistent side. Workers, with the domain's turn. */
#include <string.h>

#include "drivers/common/answers.h"
#include "drivers/common/domains.h"
#include "drivers/common/emit.h"
#include "drivers/common/handlers.h"
#include "util/error.h"
#include "util/paths.h"

DomainDef *common_parse_client_xml(DomainTurn *t, const char *xml, bool validate, GError **err)
{
    const DomainDriver *driver = domains_driver();
    unsigned flags = DOMAIN_PARSE_INACTIVE | DOMAIN_PARSE_ABI_UPDATE | (validate ? DOMAIN_PARSE_STRICT : 0);
    DomainDef *def = domain_parse(xml, strlen(xml), flags,
                                  driver->policy, driver->policy_data, err);

    if (def && !settle_identity((const ObjectTurn *)t, def, err))
        g_clear_pointer(&def, domain_free);
    return def;
}

static bool define(DomainTurn *t, const char *xml, bool validate, remote_nonnull_domain *ret, GError **err)
{
    bool known = turn_view(t)->persistent;
    DomainDef *def = common_parse_client_xml(t, xml, validate, err);

    if (!def || !define_object((ObjectTurn *)t, def, err))
        return false;
    emit_lifecycle(t, VIR_DOMAIN_EVENT_DEFINED,
                   known ? VIR_DOMAIN_EVENT_DEFINED_UPDATED : VIR_DOMAIN_EVENT_DEFINED_ADDED);
    common_wire_domain(turn_view(t), ret);
    return true;
}

bool common_domain_define_xml(Call *c, DomainTurn *t, const remote_domain_define_xml_args *a,
                              remote_domain_define_xml_ret *r, GError **err)
{
    (void)c;
    return define(t, a->xml, false, &r->dom, err);
}

bool common_domain_define_xml_flags(Call *c, DomainTurn *t, const remote_domain_define_xml_flags_args *a,
                                    remote_domain_define_xml_flags_ret *r, GError **err)
{
    (void)c;
    return define(t, a->xml, a->flags & VIR_DOMAIN_DEFINE_VALIDATE, &r->dom, err);
}

static bool undefine(DomainTurn *t, unsigned flags, GError **err)
{
    const DomainView *v = turn_view(t);

    if (!v->persistent) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "cannot undefine transient domain");
        return false;
    }
    if (v->managed_save && !(flags & VIR_DOMAIN_UNDEFINE_MANAGED_SAVE)) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "Refusing to undefine while domain managed save image exists");
        return false;
    }
    if (v->managed_save && !domains_driver()->remove_managed_save(v->name, err))
        return false;
    turn_set_managed_save(t, false);
    emit_lifecycle(t, VIR_DOMAIN_EVENT_UNDEFINED, VIR_DOMAIN_EVENT_UNDEFINED_REMOVED);
    return undefine_object((ObjectTurn *)t, err);
}

bool common_domain_undefine(Call *c, DomainTurn *t, const remote_domain_undefine_args *a, GError **err)
{
    (void)c;
    (void)a;
    return undefine(t, 0, err);
}

bool common_domain_undefine_flags(Call *c, DomainTurn *t, const remote_domain_undefine_flags_args *a, GError **err)
{
    (void)c;
    return undefine(t, a->flags, err);
}

bool common_domain_set_autostart(Call *c, DomainTurn *t, const remote_domain_set_autostart_args *a, GError **err)
{
    (void)c;
    return autostart_object((ObjectTurn *)t, a->autostart != 0, err);
}

bool common_domain_set_autostart_once(Call *c, DomainTurn *t, const remote_domain_set_autostart_once_args *a,
                                      GError **err)
{
    (void)c;
    if (!turn_view(t)->persistent) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "cannot set autostart for transient domain");
        return false;
    }
    turn_set_autostart_once(t, a->autostart != 0);
    return true;
}

bool common_domain_rename(Call *c, DomainTurn *t, const remote_domain_rename_args *a, remote_domain_rename_ret *r,
                          GError **err)
{
    const DomainView *v = turn_view(t);
    const char *name = a->new_name;
    (void)c;
    (void)r;

    if (view_active(v)) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "cannot rename active domain");
        return false;
    }
    if (!name || !*name) {
        error_set(err, VIR_ERR_INVALID_ARG, "a domain's new name is empty");
        return false;
    }
    if (strchr(name, '/')) {
        error_set(err, VIR_ERR_XML_ERROR, "name %s cannot contain '/'", name);
        return false;
    }
    if (g_str_equal(name, v->name)) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "Can't rename domain to itself");
        return false;
    }
    if (!path_component_ok(name, ".xml", err) ||
        (domains_driver()->may_rename && !domains_driver()->may_rename(v, err)))
        return false;
    emit_lifecycle(t, VIR_DOMAIN_EVENT_UNDEFINED, VIR_DOMAIN_EVENT_UNDEFINED_RENAMED);
    if (!turn_rename(t, name, err))
        return false;
    emit_lifecycle(t, VIR_DOMAIN_EVENT_DEFINED, VIR_DOMAIN_EVENT_DEFINED_RENAMED);
    return true;
}
