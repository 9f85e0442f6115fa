/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Puts access_drivers and the polkit side of auth_unix_* in force. Each has its own connection to
 * polkit, so that a flood of questions about access cannot keep people from connecting.
 *
 * The proxy checks no access: the daemons behind it do, for whom it acts. An access_drivers in its
 * file therefore keeps all but its owner out (config.h). Loop thread.
 */
#define LOG_SOURCE "daemon.access"
#include "daemons/access.h"

#include "rpc/access.h"
#include "rpc/auth_polkit.h"
#include "util/log.h"
#include "util/paths.h"

struct AccessSetup {
    Access *access;
    AuthPolkit auth;
};

static void apply_group(Daemon *d)
{
    d->access->auth.group = d->conf->auth_group;
    d->access->auth.group_name = d->conf->auth_unix_group;
}

bool access_open(Daemon *d, GError **err)
{
    g_autofree char *file = g_build_filename(paths()->etc, "access.rules", NULL);
    AccessConfig cfg = { (const char *const *)d->conf->access_drivers, file, NULL };
    AuthPolicy *policy = server_auth(d->main);
    g_autoptr(GError) error = NULL;

    d->access = g_new0(AccessSetup, 1);
    d->access->auth.polkit = polkit_new(d->loop, NULL);
    apply_group(d);
    if (g_strcmp0(d->conf->auth_unix_rw, "polkit") == 0)
        policy->method[LISTEN_UNIX_RW] = AUTH_BY_POLKIT;
    if (g_strcmp0(d->conf->auth_unix_ro, "polkit") == 0)
        policy->method[LISTEN_UNIX_RO] = AUTH_BY_POLKIT;
    policy->backend[AUTH_BY_POLKIT] = &auth_polkit;
    policy->data[AUTH_BY_POLKIT] = &d->access->auth;
    if (d->spec->proxy) {
        if (config_wants_access_control(d->conf))
            log_warn("%s: access_drivers belongs in the files of the daemons that serve the objects; until it is "
                     "removed here only the owner may connect", d->spec->name);
        return true;
    }
    d->access->access = access_new(d->loop, d->pool, &cfg, &error);
    if (error) {
        g_propagate_error(err, g_steal_pointer(&error));
        return false;
    }
    dispatcher_set_access(d->dispatcher, d->access->access);
    return true;
}

void access_reread(Daemon *d)
{
    g_autoptr(GError) err = NULL;

    apply_group(d);
    if (d->access->access && !access_reload(d->access->access, &err))
        log_error("%s: access rules are not changed: %s", d->spec->name, err->message);
}

void access_close(Daemon *d)
{
    if (!d->access)
        return;
    if (d->dispatcher)
        dispatcher_set_access(d->dispatcher, NULL);
    polkit_stop(d->access->auth.polkit);
    polkit_unref(d->access->auth.polkit);
    if (d->access->access) {
        access_stop(d->access->access);
        loop_drain(d->loop);
        access_free(d->access->access);
    }
    g_free(d->access);
    d->access = NULL;
}
