/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes of what a guest is told to be, apart from its devices: title, description, metadata. Each
 * applies to the running guest, the definition for its next start, or both. Workers, with the turn.
 */
#include <string.h>

#include "conf/metadata.h"
#include "drivers/common/emit.h"
#include "drivers/common/handlers.h"
#include "util/error.h"

bool common_impact(const DomainView *v, unsigned *flags, GError **err)
{
    if (!(*flags & COMMON_IMPACT_FLAGS))
        *flags |= view_active(v) ? VIR_DOMAIN_AFFECT_LIVE : VIR_DOMAIN_AFFECT_CONFIG;
    if ((*flags & VIR_DOMAIN_AFFECT_LIVE) && !view_active(v)) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "domain is not running");
        return false;
    }
    if ((*flags & VIR_DOMAIN_AFFECT_CONFIG) && !v->persistent) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "transient domains do not have any persistent config");
        return false;
    }
    return true;
}

bool common_edit(DomainTurn *t, unsigned flags, DomainDef **ret_live, DomainDef **ret_config, GError **err)
{
    *ret_live = *ret_config = NULL;
    if (!common_impact(turn_view(t), &flags, err))
        return false;
    if (flags & VIR_DOMAIN_AFFECT_CONFIG && !(*ret_config = turn_edit_config(t, err)))
        return false;
    if (flags & VIR_DOMAIN_AFFECT_LIVE)
        *ret_live = turn_edit_live(t);
    return true;
}

static bool set_one(DomainDef *d, const remote_domain_set_metadata_args *a, GError **err)
{
    const char *text = a->metadata && *a->metadata ? a->metadata : NULL;
    char **field = a->type == VIR_DOMAIN_METADATA_TITLE ? &d->title : &d->description;

    if (a->type == VIR_DOMAIN_METADATA_ELEMENT)
        return metadata_set(&d->metadata, a->uri, a->key, text, err);
    g_free(*field);
    *field = g_strdup(text);
    return true;
}

bool common_domain_set_metadata(Call *c, DomainTurn *t, const remote_domain_set_metadata_args *a, GError **err)
{
    unsigned flags = a->flags;
    (void)c;

    switch (a->type) {
    case VIR_DOMAIN_METADATA_DESCRIPTION:
        break;
    case VIR_DOMAIN_METADATA_TITLE:
        if (a->metadata && strchr(a->metadata, '\n')) {
            error_set(err, VIR_ERR_INVALID_ARG, "domain title can't contain newlines");
            return false;
        }
        break;
    case VIR_DOMAIN_METADATA_ELEMENT:
        if (!a->uri || !*a->uri) {
            error_set(err, VIR_ERR_INVALID_ARG, "metadata elements are found by their namespace URI; none was given");
            return false;
        }
        break;
    default:
        error_set(err, VIR_ERR_INVALID_ARG, "unknown metadata type %d", a->type);
        return false;
    }
    if (!common_impact(turn_view(t), &flags, err))
        return false;
    if (flags & VIR_DOMAIN_AFFECT_CONFIG) {
        DomainDef *config = turn_edit_config(t, err);
        if (!config || !set_one(config, a, err))
            return false;
    }
    if ((flags & VIR_DOMAIN_AFFECT_LIVE) && !set_one(turn_edit_live(t), a, err))
        return false;
    emit_metadata_change(t, a->type, a->uri);
    return true;
}
