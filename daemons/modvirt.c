/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the modvirt tool asks a running daemon: its calls in flight, to cancel one, its figures, whether
 * somebody may do something, and facts about itself. Inline handlers on the loop thread, so they answer
 * however busy the workers are; can_i alone moves to a worker when it must ask a backend.
 */
#define LOG_SOURCE "daemon.modvirt"
#include "daemons/modvirt.h"

#include <string.h>
#include <unistd.h>

#include "daemons/metrics.h"
#include "daemons/net.h"
#include "protocols/permissions.h"
#include "rpc/access.h"
#include "rpc/journal.h"
#include "util/error.h"
#include "util/log.h"
#include "util/paths.h"

static Daemon *the;

void modvirt_init(Daemon *d)
{
    the = d;
}

static bool calls(Call *c, modvirt_calls_ret *r, GError **err)
{
    g_autoptr(GArray) rows = dispatcher_calls(the->dispatcher);
    unsigned n = 0;
    (void)err;

    r->calls.calls_val = g_new0(modvirt_call, MIN(rows->len, MODVIRT_CALLS_MAX));
    for (unsigned i = 0; i < rows->len; i++) {
        const CallRow *row = &g_array_index(rows, CallRow, i);

        if (row->id == call_id(c)) /* this one */
            continue;
        if (n == MODVIRT_CALLS_MAX) {
            r->left_out++;
            continue;
        }
        r->calls.calls_val[n++] = (modvirt_call){
            .id = row->id,
            .client = row->client_id,
            .uid = row->uid,
            .server = g_strdup(row->server),
            .procedure = g_strdup(row->procedure),
            .waiting = g_strdup(row->waiting),
            .object = g_strdup(row->object),
            .age_usec = row->age_usec,
        };
    }
    r->calls.calls_len = n;
    return true;
}

static bool cancel(Call *c, const modvirt_cancel_args *a, GError **err)
{
    if (a->id == call_id(c) || !dispatcher_cancel(the->dispatcher, a->id)) {
        error_set(err, VIR_ERR_INVALID_ARG, "no call %" G_GUINT64_FORMAT " is in flight", (guint64)a->id);
        return false;
    }
    log_info("call %" G_GUINT64_FORMAT " is cancelled by an administrator", (guint64)a->id);
    return true;
}

static bool metrics(Call *c, modvirt_metrics_ret *r, GError **err)
{
    (void)c;
    r->text = metrics_text(the);
    if (strlen(r->text) <= MODVIRT_TEXT_MAX)
        return true;
    error_set(err, VIR_ERR_INTERNAL_ERROR, "the figures do not fit into %d bytes", MODVIRT_TEXT_MAX);
    return false;
}

static bool permission_exists(const char *object, const char *perm)
{
    for (size_t i = 0; i < n_permissions; i++)
        if (strcmp(permissions[i].object, object) == 0 && strcmp(permissions[i].perm, perm) == 0)
            return true;
    return false;
}

static ObjectKind kind_of(const char *object)
{
    static const char *const names[_OBJECT_N] = {
        [OBJECT_DOMAIN] = "domain", [OBJECT_NETWORK] = "network", [OBJECT_NETWORK_PORT] = "network_port",
        [OBJECT_INTERFACE] = "interface", [OBJECT_STORAGE_POOL] = "storage_pool",
        [OBJECT_STORAGE_VOL] = "storage_vol", [OBJECT_NODE_DEVICE] = "node_device", [OBJECT_SECRET] = "secret",
        [OBJECT_NWFILTER] = "nwfilter", [OBJECT_NWFILTER_BINDING] = "nwfilter_binding",
    };

    for (unsigned i = 1; i < _OBJECT_N; i++)
        if (strcmp(names[i], object) == 0)
            return (ObjectKind)i;
    return OBJECT_NONE;
}

static bool can_i(Call *c, const modvirt_can_i_args *a, modvirt_can_i_ret *r, GError **err)
{
    g_autofree char *object = g_strdelimit(g_strdup(a->object), "-", '_'),
                    *perm = g_strdelimit(g_strdup(a->permission), "-", '_');
    g_autoptr(Identity) who = identity_new();

    if (!permission_exists(object, perm)) {
        error_set(err, VIR_ERR_INVALID_ARG, "there is no permission '%s:%s'", a->object, a->permission);
        return false;
    }
    if (a->uid < 0 || a->uid > UINT32_MAX - 1 || a->pid < 0) {
        error_set(err, VIR_ERR_INVALID_ARG, "uid %lld with process %d is nobody", (long long)a->uid, a->pid);
        return false;
    }
    who->has_unix = true;
    who->uid = (uid_t)a->uid;
    who->gid = (gid_t)-1; /* the backends know, or look it up */
    who->pid = a->pid;

    AccessQuestion q = { .who = who, .driver = the->driver ? the->driver->name : "", .object = object, .perm = perm,
                         .on = { .kind = kind_of(object), .name = a->name }, .unnamed = !a->name };
    r->allowed = call_would_allow(c, &q, &r->why);
    return true;
}

static void add_fact(modvirt_about_ret *r, const char *name, char *value)
{
    modvirt_fact *f = &r->facts.facts_val[r->facts.facts_len++];

    f->name = g_strdup(name);
    f->value = value;
}

static bool about(Call *c, modvirt_about_ret *r, GError **err)
{
    g_autofree char *drivers = the->conf->access_drivers ? g_strjoinv(",", the->conf->access_drivers) : NULL;
    (void)c;
    (void)err;

    r->facts.facts_val = g_new0(modvirt_fact, 16);
    add_fact(r, "daemon", g_strdup(the->spec->name));
    add_fact(r, "version", g_strdup(MODVIRT_VERSION));
    add_fact(r, "driver", g_strdup(the->driver ? the->driver->name : "none"));
    add_fact(r, "pid", g_strdup_printf("%d", (int)getpid()));
    add_fact(r, "clients", g_strdup_printf("%u", server_n_clients(the->main)));
    add_fact(r, "max_clients", g_strdup_printf("%u", server_limits(the->main)->max_clients));
    add_fact(r, "access", g_strdup(drivers ? drivers : "none"));
    add_fact(r, "auth_unix_rw", g_strdup(the->conf->auth_unix_rw ? the->conf->auth_unix_rw : "none"));
    NetTlsState tls;
    net_tls_state(the->net, &tls);
    if (the->spec->proxy)
        add_fact(r, "tls", g_strdup(tls.serving ? "served" : tls.wanted ? "off" : "not configured"));
    if (tls.serving)
        add_fact(r, "tls_expires", g_strdup_printf("%lld", (long long)tls.expires));
    if (tls.trouble)
        add_fact(r, "tls_trouble", g_strndup(tls.trouble, MODVIRT_STRING_MAX));
    return true;
}

/* The daemon of "virtqemud:///system", or ":///session" where that is what we are, or ":///". NULL with *err. */
static char *daemon_of_uri(const char *uri, GError **err)
{
    size_t n = strspn(uri, "abcdefghijklmnopqrstuvwxyz");
    const char *mode = paths()->session ? "session" : "system";
    const char *path = g_str_has_prefix(uri + n, ":///") ? uri + n + strlen(":///") : NULL;

    if (g_str_has_prefix(uri, "virt") && uri[n - 1] == 'd' && path && (!*path || strcmp(path, mode) == 0))
        return g_strndup(uri, n);
    error_set(err, VIR_ERR_INVALID_ARG, "'%.100s' is not the administration of a daemon, which is 'DAEMON:///%s' here", uri, mode);
    return NULL;
}

/* To the other daemon we are the owner, so only the owner is handed over. */
static bool connect_to(Call *c, const modvirt_connect_args *a, GError **err)
{
    const Identity *who = call_client(c)->peer;
    g_autofree char *daemon = daemon_of_uri(a->uri, err), *path = NULL;

    if (!daemon)
        return false;
    if (!the->spec->proxy) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "%s hands connections to nobody; virtproxyd does", the->spec->name);
        return false;
    }
    if (!who->has_unix || (who->uid != 0 && who->uid != geteuid())) {
        error_set(err, VIR_ERR_OPERATION_DENIED, "uid %d may not administer %s: only the owner may be handed over",
                  who->has_unix ? (int)who->uid : -1, daemon);
        return false;
    }
    path = g_strdup_printf("%s/%s-admin-sock", paths()->run, daemon);
    if (access(path, F_OK) < 0) {
        error_set(err, VIR_ERR_NO_CONNECT, "%s: no socket '%s'; start %s-admin.socket", a->uri, path, daemon);
        return false;
    }
    return call_hand_over(c, path, err);
}

/* Reads files, so not on the loop thread. */
static bool events(Call *c, const modvirt_events_args *a, modvirt_events_ret *r, GError **err)
{
    Journal *j = event_journal();
    JournalPage page = { 0 };

    if (!j) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "%s keeps no journal of events", the->spec->name);
        return false;
    }
    if (!call_may_wait(c)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the journal is read by workers");
        return false;
    }
    if (!journal_read(j, a->since, MIN(a->max, MODVIRT_EVENTS_MAX), &page, err))
        return false;
    r->events.events_val = g_new0(modvirt_event, page.records->len);
    r->events.events_len = page.records->len;
    for (unsigned i = 0; i < page.records->len; i++) {
        const JournalRecord *rec = &g_array_index(page.records, JournalRecord, i);
        gsize n;
        const void *body = g_bytes_get_data(rec->body, &n);
        r->events.events_val[i] = (modvirt_event){
            .seq = rec->seq, .usec = rec->usec, .kind = (int)rec->kind, .proc = rec->proc,
            .body = { .body_len = (u_int)n, .body_val = g_memdup2(body, n) },
        };
    }
    r->cursor = g_steal_pointer(&page.cursor);
    r->missing = page.missing;
    r->unknown = page.unknown;
    r->more = page.more;
    journal_page_clear(&page);
    return true;
}

/* clang-format off */
const ModvirtHandlers modvirt_handlers = {
    .calls = { calls },
    .cancel = { cancel },
    .metrics = { metrics },
    .can_i = { can_i },
    .about = { about },
    .connect = { connect_to },
    .events = { events },
};
/* clang-format on */
