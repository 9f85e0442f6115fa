/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which actions there are for a guest that powers off, reboots or crashes. Pure; any thread. */
#include "drivers/qemu/validate.h"
#include "util/api.h"
#include "util/error.h"

static const char *const event_names[] = { "poweroff", "reboot", "crash" };

LifecycleAction *qemu_lifecycle_action(DomainDef *d, unsigned event)
{
    return event == VIR_DOMAIN_LIFECYCLE_POWEROFF ? &d->on_poweroff
           : event == VIR_DOMAIN_LIFECYCLE_REBOOT ? &d->on_reboot
                                                  : &d->on_crash;
}

static bool validate_action(unsigned event, LifecycleAction action, GError **err)
{
    bool crash = event == VIR_DOMAIN_LIFECYCLE_CRASH;
    bool dumps = action == ACTION_COREDUMP_DESTROY || action == ACTION_COREDUMP_RESTART;

    if (action != ACTION_RENAME_RESTART && (crash || (action != ACTION_PRESERVE && !dumps)))
        return true;
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "qemu driver doesn't support the '%s' action for %s",
              enum_name(&lifecycle_action_names, (int)action), crash ? "'on_crash'" : "'on_reboot'/'on_poweroff'");
    return false;
}

bool qemu_validate_lifecycle(const DomainDef *d, GError **err)
{
    for (unsigned e = 0; e < G_N_ELEMENTS(event_names); e++)
        if (!validate_action(e, *qemu_lifecycle_action((DomainDef *)d, e), err))
            return false;
    /* QEMU has one switch for "do not reboot", and it would make a guest that powers off restart by rebooting. */
    if (d->on_reboot == ACTION_DESTROY && d->on_poweroff == ACTION_RESTART) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "qemu driver doesn't support 'on_reboot' set to 'destroy' with 'on_poweroff' set to 'restart'");
        return false;
    }
    return true;
}
