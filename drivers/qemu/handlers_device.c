/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attach, detach, update: which definitions a call means, and in which order they are changed. The
 * definition for the next start is tried first, in a copy: should the running guest refuse, the copy is
 * dropped. Workers.
 */
#include <string.h>

#include "drivers/qemu/handlers.h"
#include "drivers/qemu/plug.h"
#include "drivers/qemu/plug_turn.h"
#include "util/error.h"

typedef struct Change {
    bool (*config)(DomainDef *d, Device *take, GError **err);
    bool (*live)(DomainTurn *t, Device *take, unsigned flags, GError **err);
    bool new_device; /* the document is of one that is to be, not of one that is there */
} Change;

static bool config_detach(DomainDef *d, Device *take, GError **err)
{
    g_autoptr(Device) like = take;
    return plug_config_detach(d, like, err);
}

static bool live_attach(DomainTurn *t, Device *take, unsigned flags, GError **err)
{
    (void)flags;
    return plug_turn_attach(t, take, err);
}

static bool live_detach(DomainTurn *t, Device *take, unsigned flags, GError **err)
{
    g_autoptr(Device) like = take;
    (void)flags;
    return plug_turn_detach(t, like, err);
}

static bool live_update(DomainTurn *t, Device *take, unsigned flags, GError **err)
{
    return plug_turn_update(t, take, flags & VIR_DOMAIN_DEVICE_MODIFY_FORCE, err);
}

static const Change attach = { plug_config_attach, live_attach, true };
static const Change detach = { config_detach, live_detach, false };
static const Change update = { plug_config_update, live_update, false };

/* A copy of the definition for the next start; NULL with *err, also when it cannot be read. */
static DomainDef *copy_config(DomainTurn *t, GError **err)
{
    const DomainDef *def = view_config(turn_view(t), NULL, err);
    return def ? domain_copy(def) : NULL;
}

static bool change(DomainTurn *t, const Change *c, const char *xml, unsigned flags, GError **err)
{
    g_autoptr(DomainDef) config = NULL;
    unsigned force = flags & VIR_DOMAIN_DEVICE_MODIFY_FORCE;

    flags &= ~force;
    if (!common_impact(turn_view(t), &flags, err))
        return false;
    /* A name of the running guest may tell which device is meant; a new one has none. */
    bool live = flags & VIR_DOMAIN_AFFECT_LIVE;
    g_autoptr(Device) dev = device_parse(xml, strlen(xml), c->new_device || !live ? DOMAIN_PARSE_INACTIVE : 0, NULL, NULL, NULL, err);
    if (!dev)
        return false;
    if (flags & VIR_DOMAIN_AFFECT_CONFIG) {
        config = copy_config(t, err);
        if (!config || !c->config(config, device_copy(dev), err))
            return false;
    }
    if (live && !c->live(t, g_steal_pointer(&dev), force, err))
        return false;
    if (config)
        turn_set_config(t, g_steal_pointer(&config));
    return true;
}

bool qemu_domain_attach_device(Call *c, DomainTurn *t, const remote_domain_attach_device_args *a,
                               GError **err)
{
    (void)c;
    return change(t, &attach, a->xml, VIR_DOMAIN_AFFECT_LIVE, err);
}

bool qemu_domain_attach_device_flags(Call *c, DomainTurn *t,
                                     const remote_domain_attach_device_flags_args *a, GError **err)
{
    (void)c;
    return change(t, &attach, a->xml, a->flags, err);
}

bool qemu_domain_detach_device(Call *c, DomainTurn *t, const remote_domain_detach_device_args *a,
                               GError **err)
{
    (void)c;
    return change(t, &detach, a->xml, VIR_DOMAIN_AFFECT_LIVE, err);
}

bool qemu_domain_detach_device_flags(Call *c, DomainTurn *t,
                                     const remote_domain_detach_device_flags_args *a, GError **err)
{
    (void)c;
    return change(t, &detach, a->xml, a->flags, err);
}

bool qemu_domain_update_device_flags(Call *c, DomainTurn *t, const remote_domain_update_device_flags_args *a, GError **err)
{
    (void)c;
    return change(t, &update, a->xml, a->flags, err);
}

bool qemu_domain_detach_device_alias(Call *c, DomainTurn *t, const remote_domain_detach_device_alias_args *a, GError **err)
{
    g_autoptr(DomainDef) config = NULL;
    unsigned flags = a->flags;
    (void)c;

    if (!common_impact(turn_view(t), &flags, err))
        return false;
    if (flags & VIR_DOMAIN_AFFECT_CONFIG) {
        config = copy_config(t, err);
        if (!config || !plug_config_detach_alias(config, a->alias, err))
            return false;
    }
    if ((flags & VIR_DOMAIN_AFFECT_LIVE) && !plug_turn_detach_alias(t, a->alias, err))
        return false;
    if (config)
        turn_set_config(t, g_steal_pointer(&config));
    return true;
}
