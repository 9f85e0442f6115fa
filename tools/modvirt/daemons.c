/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands that ask running daemons over their admin sockets: calls, cancel, can-i, metrics. Call ids are
 * per daemon, so they are written and read as DAEMON:NUMBER. One thread.
 */
#include "tools/modvirt/daemons.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocols/modvirt_client.h"
#include "protocols/modvirt_types.h"
#include "protocols/xdr_buf.h"
#include "tools/modvirt/modvirt.h"
#include "util/error.h"
#include "util/paths.h"

/* clang-format off */
const DaemonName daemon_names[] = {
    { "virtproxyd",     "libvirt",        "connections of clients" },
    { "virtqemud",      "virtqemud",      "QEMU guests" },
    { "virtlxcd",       "virtlxcd",       "containers" },
    { "virtnetworkd",   "virtnetworkd",   "virtual networks" },
    { "virtinterfaced", "virtinterfaced", "host interfaces" },
    { "virtstoraged",   "virtstoraged",   "storage pools" },
    { "virtnodedevd",   "virtnodedevd",   "host devices" },
    { "virtsecretd",    "virtsecretd",    "secrets" },
    { "virtnwfilterd",  "virtnwfilterd",  "network filters" },
    { NULL, NULL, NULL },
};
/* clang-format on */

static const char *the_proxy;

void daemons_by_proxy(const char *admin_socket)
{
    the_proxy = admin_socket;
}

bool paths_ready(GError **err)
{
    return paths()->run || paths_init(g_getenv("MODVIRT_ROOT"), geteuid() != 0, err);
}

bool daemon_admin_path(const char *daemon, char **ret_path)
{
    for (const DaemonName *d = daemon_names; d->name; d++) {
        if (strcmp(d->name, daemon) == 0) {
            *ret_path = paths_ready(NULL) ? g_strdup_printf("%s/%s-admin-sock", paths()->run, d->socket) : NULL;
            return *ret_path != NULL;
        }
    }
    return false;
}

RpcClient *daemon_connect(const char *daemon, GError **err)
{
    g_autofree char *path = NULL;

    if (!paths_ready(err))
        return NULL;
    if (!daemon_admin_path(daemon, &path)) {
        error_set(err, VIR_ERR_INVALID_ARG, "there is no daemon '%s'", daemon);
        return NULL;
    }
    if (!the_proxy)
        return rpc_client_connect(path, err);

    g_autofree char *uri = g_strdup_printf("%s:///", daemon);
    g_autoptr(RpcClient) c = rpc_client_connect(the_proxy, err);
    modvirt_connect_args a = { uri };

    if (!c || (strcmp(daemon, "virtproxyd") != 0 && !modvirt_client_connect(rpc_client_calls(c), &a, err)))
        return NULL;
    return g_steal_pointer(&c);
}

bool daemon_is_there(const char *daemon)
{
    g_autofree char *path = NULL;

    if (!daemon_admin_path(daemon, &path))
        return false;
    if (!the_proxy)
        return access(path, F_OK) == 0;

    g_autoptr(RpcClient) c = daemon_connect(daemon, NULL);
    return c != NULL;
}

/* Does fn for the daemon that was named, or for all that run. */
static int for_daemons(const char *command, const char *daemon, bool (*fn)(const char *name, RpcClient *c, GError **err))
{
    int status = EXIT_OK;
    unsigned n = 0;

    for (const DaemonName *d = daemon_names; d->name; d++) {
        g_autoptr(GError) err = NULL;

        if (daemon && strcmp(daemon, d->name) != 0)
            continue;
        if (!daemon && !daemon_is_there(d->name))
            continue;
        n++;
        g_autoptr(RpcClient) c = daemon_connect(d->name, &err);
        if (!c || !fn(d->name, c, &err))
            status = trouble(command, "%s: %s", d->name, err->message);
    }
    if (n == 0)
        return trouble(command, daemon ? "there is no daemon '%s'" : "no daemon runs here%s", daemon ? daemon : "");
    return status;
}

/* calls ------------------------------------------------------------------------------------------- */

static bool show_calls(const char *name, RpcClient *c, GError **err)
{
    modvirt_calls_ret r = { 0 };

    if (!modvirt_client_calls(rpc_client_calls(c), &r, err))
        return false;
    for (u_int i = 0; i < r.calls.calls_len; i++) {
        const modvirt_call *k = &r.calls.calls_val[i];
        g_autofree char *id = g_strdup_printf("%s:%" G_GUINT64_FORMAT, name, (guint64)k->id);

        printf("%-22s %-36s %-8lld %8.1f  %-10s %s\n", id, k->procedure, (long long)k->uid,
               (double)k->age_usec / 1e6, k->waiting ? k->waiting : "runs", k->object);
    }
    if (r.left_out)
        printf("(%s: %u more)\n", name, r.left_out);
    proc_free((xdrproc_t)xdr_modvirt_calls_ret, &r);
    return true;
}

int cmd_calls(int argc, char **argv)
{
    if (argc > 2)
        return usage_error(command_find(argv[0]));
    printf("%-22s %-36s %-8s %8s  %-10s %s\n", "ID", "PROCEDURE", "UID", "SECONDS", "WAITS FOR", "OBJECT");
    return for_daemons(argv[0], argv[1], show_calls);
}

/* cancel ------------------------------------------------------------------------------------------ */

int cmd_cancel(int argc, char **argv)
{
    g_autoptr(GError) err = NULL;
    const char *colon = argc == 2 ? strchr(argv[1], ':') : NULL;
    guint64 id;

    if (!colon || !g_ascii_string_to_unsigned(colon + 1, 10, 1, G_MAXUINT64, &id, NULL))
        return usage_error(command_find(argv[0]));

    g_autofree char *daemon = g_strndup(argv[1], (gsize)(colon - argv[1]));
    g_autoptr(RpcClient) c = daemon_connect(daemon, &err);
    modvirt_cancel_args a = { id };

    if (!c)
        return trouble(argv[0], "%s: %s", daemon, err->message);
    if (!modvirt_client_cancel(rpc_client_calls(c), &a, &err)) {
        fprintf(stderr, "%s: %s\n", daemon, err->message);
        return EXIT_NO;
    }
    return EXIT_OK;
}

/* metrics ----------------------------------------------------------------------------------------- */

static bool show_metrics(const char *name, RpcClient *c, GError **err)
{
    modvirt_metrics_ret r = { 0 };
    (void)name;

    if (!modvirt_client_metrics(rpc_client_calls(c), &r, err))
        return false;
    fputs(r.text, stdout);
    proc_free((xdrproc_t)xdr_modvirt_metrics_ret, &r);
    return true;
}

int cmd_metrics(int argc, char **argv)
{
    if (argc > 2)
        return usage_error(command_find(argv[0]));
    return for_daemons(argv[0], argc == 2 ? argv[1] : "virtqemud", show_metrics);
}

/* can-i ------------------------------------------------------------------------------------------- */

/* Which daemon decides about an object. */
static const char *daemon_of(const char *object)
{
    static const struct {
        const char *object, *daemon;
    } rows[] = {
        { "network", "virtnetworkd" }, { "network-port", "virtnetworkd" }, { "interface", "virtinterfaced" },
        { "storage-pool", "virtstoraged" }, { "storage-vol", "virtstoraged" }, { "node-device", "virtnodedevd" },
        { "secret", "virtsecretd" }, { "nwfilter", "virtnwfilterd" }, { "nwfilter-binding", "virtnwfilterd" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
        if (strcmp(rows[i].object, object) == 0)
            return rows[i].daemon;
    return "virtqemud";
}

static bool find_user(const char *text, int64_t *ret)
{
    guint64 number;
    const struct passwd *pw = getpwnam(text);

    if (pw)
        *ret = pw->pw_uid;
    else if (g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32 - 1, &number, NULL))
        *ret = (int64_t)number;
    else
        return false;
    return true;
}

int cmd_can_i(int argc, char **argv)
{
    g_autofree char *user = NULL, *daemon = NULL;
    int pid = 0;
    GOptionEntry entries[] = {
        { "user", 'u', 0, G_OPTION_ARG_STRING, &user, NULL, NULL },
        { "pid", 'p', 0, G_OPTION_ARG_INT, &pid, NULL, NULL },
        { "daemon", 'd', 0, G_OPTION_ARG_STRING, &daemon, NULL, NULL },
        { 0 },
    };
    g_autoptr(GOptionContext) options = g_option_context_new(NULL);
    g_autoptr(GError) err = NULL;
    const Command *self = command_find(argv[0]);
    modvirt_can_i_args a = { .uid = getuid(), .pid = 0 };
    modvirt_can_i_ret r = { 0 };

    g_option_context_add_main_entries(options, entries, NULL);
    g_option_context_set_help_enabled(options, FALSE);
    if (!g_option_context_parse(options, &argc, &argv, &err) || argc < 2 || argc > 3)
        return usage_error(self);
    if (user && !find_user(user, &a.uid))
        return trouble(self->name, "there is no user '%s'", user);

    /* The action as polkit or as rules spell it: org.libvirt.api.domain.start or domain:start. */
    static const char prefix[] = "org.libvirt.api.";
    const char *action = g_str_has_prefix(argv[1], prefix) ? argv[1] + strlen(prefix) : argv[1];
    g_auto(GStrv) words = g_strsplit_set(action, ":.", 2);

    if (!words[0] || !words[1])
        return trouble(self->name, "'%s' is not OBJECT:PERMISSION", argv[1]);
    g_strdelimit(words[0], "_", '-');
    a.object = words[0];
    a.permission = words[1];
    a.name = argc == 3 ? argv[2] : NULL;
    a.pid = pid ? pid : !user ? (int)getppid() : 0; /* the shell that asks */

    const char *at = daemon ? daemon : daemon_of(words[0]);
    g_autoptr(RpcClient) c = daemon_connect(at, &err);

    if (!c || !modvirt_client_can_i(rpc_client_calls(c), &a, &r, &err))
        return trouble(self->name, "%s: %s", at, err->message);
    if (r.allowed)
        printf("yes\n");
    else
        printf("no: %s\n", r.why ? r.why : "it is not granted");

    int status = r.allowed ? EXIT_OK : EXIT_NO;

    proc_free((xdrproc_t)xdr_modvirt_can_i_ret, &r);
    return status;
}
