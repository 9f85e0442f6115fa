/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attach, detach, update: which definitions a call means, and in which order they are changed. The
 * definition for the next start is edited first, in the turn's own copy: should the running guest refuse,
 * the turn is dropped and nothing has happened. Workers.
 */
#include <string.h>

#include "drivers/common/registry.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/plug.h"
#include "util/error.h"

typedef struct Change {
    DomainTurn *t;
    const char *xml, *alias; /* one of them */
    unsigned flags;
} Change;

typedef bool (*ConfigFn)(DomainDef *d, Device *dev, GError **err);
typedef bool (*LiveFn)(DomainTurn *t, Device *dev, unsigned flags, GError **err);

static bool detach_config(DomainDef *d, Device *take, GError **err)
{
    g_autoptr(Device) like = take;
    return plug_config_detach(d, like, err);
}

static bool change(const Change *c, ConfigFn config, LiveFn live, bool inactive, GError **err)
{
    unsigned flags = c->flags;
    if (!common_impact(turn_view(c->t), &flags, err))
        return false;
    /* A name of the running guest may say which device is meant, but is never given by a client. */
    bool only_config = !(flags & VIR_DOMAIN_AFFECT_LIVE);
    g_autoptr(Device) dev =
        device_parse(c->xml, strlen(c->xml), inactive || only_config ? DOMAIN_PARSE_INACTIVE : 0,
                     NULL, NULL, NULL, err);
    if (!dev)
        return false;
    if (flags & VIR_DOMAIN_AFFECT_CONFIG) {
        DomainDef *def = turn_edit_config(c->t, err);
        if (!def || !config(def, device_copy(dev), err))
            return false;
    }
    return only_config || live(c->t, g_steal_pointer(&dev), flags, err);
}

static bool live_later(DomainTurn *t, Device *take, unsigned flags, GError **err)
{
    g_autoptr(Device) dev = take;
    (void)t;
    (void)flags;
    error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "live change of device '%s' is not supported",
              device_kind_element(dev->kind));
    return false;
}

static bool attach(DomainTurn *t, const char *xml, unsigned flags, GError **err)
{
    return change(&(Change){ t, xml, NULL, flags }, plug_config_attach, live_later, true, err);
}

static bool detach(DomainTurn *t, const char *xml, unsigned flags, GError **err)
{
    return change(&(Change){ t, xml, NULL, flags }, detach_config, live_later, false, err);
}

bool qemu_domain_attach_device(Call *c, DomainTurn *t, const remote_domain_attach_device_args *a,
                               GError **err)
{
    (void)c;
    return attach(t, a->xml, VIR_DOMAIN_AFFECT_LIVE, err);
}

bool qemu_domain_attach_device_flags(Call *c, DomainTurn *t,
                                     const remote_domain_attach_device_flags_args *a, GError **err)
{
    (void)c;
    return attach(t, a->xml, a->flags, err);
}

bool qemu_domain_detach_device(Call *c, DomainTurn *t, const remote_domain_detach_device_args *a,
                               GError **err)
{
    (void)c;
    return detach(t, a->xml, VIR_DOMAIN_AFFECT_LIVE, err);
}

bool qemu_domain_detach_device_flags(Call *c, DomainTurn *t,
                                     const remote_domain_detach_device_flags_args *a, GError **err)
{
    (void)c;
    return detach(t, a->xml, a->flags, err);
}

bool qemu_domain_update_device_flags(Call *c, DomainTurn *t,
                                     const remote_domain_update_device_flags_args *a, GError **err)
{
    (void)c;
    return change(&(Change){ t, a->xml, NULL, a->flags }, plug_config_update, live_later, false,
                  err);
}

bool qemu_domain_detach_device_alias(Call *c, DomainTurn *t,
                                     const remote_domain_detach_device_alias_args *a, GError **err)
{
    unsigned flags = a->flags;
    (void)c;

    if (!common_impact(turn_view(t), &flags, err))
        return false;
    if (flags & VIR_DOMAIN_AFFECT_CONFIG) {
        DomainDef *def = turn_edit_config(t, err);
        if (!def || !plug_config_detach_alias(def, a->alias, err))
            return false;
    }
    if (!(flags & VIR_DOMAIN_AFFECT_LIVE))
        return true;
    Device *dev = domain_find_alias(turn_view(t)->live->def, a->alias);
    if (!dev) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "no device found with alias %s", a->alias);
        return false;
    }
    return live_later(t, device_copy(dev), flags, err);
}
