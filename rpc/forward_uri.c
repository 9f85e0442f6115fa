/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which daemon serves a connection URI. Clients strip the transport before they send the name
 * ("qemu+ssh://host/system" arrives as "qemu:///system"), but "+transport" is tolerated. Without a
 * name, the first daemon whose socket exists is taken, in the order of the table. Pure functions.
 */
#include <string.h>
#include <unistd.h>

#include "rpc/forward-internal.h"
#include "util/error.h"

typedef struct SchemeRow {
    const char *scheme, *daemon;
    Route secondary; /* ROUTE_PRIMARY: a hypervisor */
} SchemeRow;

static const SchemeRow rows[] = {
    { "qemu", "virtqemud", ROUTE_PRIMARY },
    { "xen", "virtxend", ROUTE_PRIMARY },
    { "lxc", "virtlxcd", ROUTE_PRIMARY },
    { "ch", "virtchd", ROUTE_PRIMARY },
    { "vbox", "virtvboxd", ROUTE_PRIMARY },
    { "bhyve", "virtbhyved", ROUTE_PRIMARY },
    { "vz", "virtvzd", ROUTE_PRIMARY },
    { "parallels", "virtvzd", ROUTE_PRIMARY },
    { "esx", "virtesxd", ROUTE_PRIMARY },
    { "vpx", "virtesxd", ROUTE_PRIMARY },
    { "gsx", "virtesxd", ROUTE_PRIMARY },
    { "network", "virtnetworkd", ROUTE_NETWORK },
    { "interface", "virtinterfaced", ROUTE_INTERFACE },
    { "storage", "virtstoraged", ROUTE_STORAGE },
    { "nodedev", "virtnodedevd", ROUTE_NODEDEV },
    { "secret", "virtsecretd", ROUTE_SECRET },
    { "nwfilter", "virtnwfilterd", ROUTE_NWFILTER },
};

const char *forward_daemon_of_uri(const char *uri, GError **err)
{
    size_t n = strcspn(uri, "+:/?");

    if (uri[n] == '+' || uri[n] == ':')
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
            if (strlen(rows[i].scheme) == n && strncmp(uri, rows[i].scheme, n) == 0)
                return rows[i].daemon;

    g_autoptr(GString) known = g_string_new(NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
        g_string_append_printf(known, "%s%s", i ? ", " : "", rows[i].scheme);
    error_set(err, VIR_ERR_NO_CONNECT, "%.200s: scheme '%.*s' is not among those served here (%s)", uri, (int)MIN(n, 40), uri,
              known->str);
    return NULL;
}

bool forward_is_hypervisor(const char *daemon)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
        if (rows[i].secondary == ROUTE_PRIMARY && strcmp(rows[i].daemon, daemon) == 0)
            return true;
    return false;
}

const char *forward_daemon_probe(const char *run_dir, bool readonly, const char **ret_scheme, GError **err)
{
    g_autoptr(GString) looked = g_string_new(NULL);
    const char *last = "";

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strdup_printf("%s/%s-sock%s", run_dir, rows[i].daemon, readonly ? "-ro" : "");

        if (rows[i].secondary != ROUTE_PRIMARY || strcmp(last, rows[i].daemon) == 0)
            continue;
        if (access(path, F_OK) == 0) {
            *ret_scheme = rows[i].scheme;
            return rows[i].daemon;
        }
        last = rows[i].daemon;
        g_string_append_printf(looked, "%s%s%s.socket", looked->len ? ", " : "", last, readonly ? "-ro" : "");
    }
    error_set(err, VIR_ERR_NO_CONNECT, "a connection without URI: no hypervisor daemon has its socket in '%s'; start one of %s",
              run_dir, looked->str);
    return NULL;
}

static const SchemeRow *secondary_row(Route r)
{
    if (r != ROUTE_LOCAL && r != ROUTE_PRIMARY)
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
            if (rows[i].secondary == r)
                return &rows[i];
    return NULL;
}

const char *forward_daemon_of_route(Route r)
{
    const SchemeRow *row = secondary_row(r);

    return row ? row->daemon : NULL;
}

const char *forward_scheme_of_route(Route r)
{
    const SchemeRow *row = secondary_row(r);

    return row ? row->scheme : NULL;
}
