/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Administration: the calls of virt-admin. A daemon has two servers, its own and "admin". All
 * handlers run inline, on the loop thread, so they look at servers and clients directly and answer
 * however busy the workers are. Bounds of the lists are those of the protocol.
 */
#define LOG_SOURCE "daemon.admin"
#include "daemons/admin.h"

#include <string.h>

#include "daemons/idle.h"
#include "daemons/net.h"
#include "util/error.h"
#include "util/log.h"

static Daemon *the;

void admin_init(Daemon *d)
{
    the = d;
}

static Server *find_server(const admin_nonnull_server *srv, GError **err)
{
    Server *all[] = { the->main, the->admin };

    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++) {
        if (strcmp(server_name(all[i]), srv->name) == 0)
            return all[i];
    }
    error_set(err, VIR_ERR_NO_SERVER,
              "no server with matching name '%s' found, there are '%s' and '%s'", srv->name,
              server_name(all[0]), server_name(all[1]));
    return NULL;
}

static Client *find_client(const admin_nonnull_server *srv, uint64_t id, GError **err)
{
    Server *s = find_server(srv, err);
    Client *c = s ? server_find_client(s, id) : NULL;

    if (s && !c)
        error_set(err, VIR_ERR_NO_CLIENT,
                  "no client with matching id '%" G_GUINT64_FORMAT "' found", id);
    return c;
}

/* --- typed parameters ------------------------------------------------------------------------------ */

typedef struct Params {
    GArray *a; /* of admin_typed_param */
} Params;

static admin_typed_param *param_add(Params *p, const char *field, int type)
{
    admin_typed_param new = { .field = g_strdup(field), .value.type = type };

    if (!p->a)
        p->a = g_array_new(FALSE, TRUE, sizeof(admin_typed_param));
    g_array_append_val(p->a, new);
    return &g_array_index(p->a, admin_typed_param, p->a->len - 1);
}

static void param_uint(Params *p, const char *field, unsigned v)
{
    param_add(p, field, VIR_TYPED_PARAM_UINT)->value.u.ui = v;
}

static void param_int(Params *p, const char *field, int v)
{
    param_add(p, field, VIR_TYPED_PARAM_INT)->value.u.i = v;
}

static void param_bool(Params *p, const char *field, bool v)
{
    param_add(p, field, VIR_TYPED_PARAM_BOOLEAN)->value.u.b = v;
}

static void param_string(Params *p, const char *field, const char *v)
{
    if (v)
        param_add(p, field, VIR_TYPED_PARAM_STRING)->value.u.s = g_strdup(v);
}

static admin_typed_param *params_take(Params *p, u_int *ret_len)
{
    *ret_len = p->a ? p->a->len : 0;
    return p->a ? (admin_typed_param *)g_array_free(g_steal_pointer(&p->a), FALSE) : NULL;
}

typedef struct UintSlot {
    const char *field;
    unsigned *value;
    bool given;
} UintSlot;

/* Stores unsigned parameters by name. Unknown names, other types and doubles are errors. */
static bool params_read(const admin_typed_param *params, u_int n, UintSlot *slots, size_t n_slots,
                        GError **err)
{
    for (u_int i = 0; i < n; i++) {
        UintSlot *s = NULL;

        for (size_t j = 0; j < n_slots && !s; j++)
            s = strcmp(slots[j].field, params[i].field) == 0 ? &slots[j] : NULL;
        if (!s) {
            error_set(err, VIR_ERR_INVALID_ARG, "parameter '%s' is not supported", params[i].field);
            return false;
        }
        if (params[i].value.type != VIR_TYPED_PARAM_UINT) {
            error_set(err, VIR_ERR_INVALID_ARG,
                      "parameter '%s' has type %d, an unsigned integer is expected", s->field,
                      params[i].value.type);
            return false;
        }
        if (s->given) {
            error_set(err, VIR_ERR_INVALID_ARG, "parameter '%s' occurs multiple times", s->field);
            return false;
        }
        *s->value = params[i].value.u.ui;
        s->given = true;
    }
    return true;
}

/* --- servers ----------------------------------------------------------------------------------------- */

static bool list_servers(Call *c, const admin_connect_list_servers_args *a,
                         admin_connect_list_servers_ret *r, GError **err)
{
    Server *all[] = { the->main, the->admin };

    r->ret = G_N_ELEMENTS(all);
    if (!a->need_results)
        return true;
    r->servers.servers_val = g_new0(admin_nonnull_server, G_N_ELEMENTS(all));
    r->servers.servers_len = G_N_ELEMENTS(all);
    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++)
        r->servers.servers_val[i].name = g_strdup(server_name(all[i]));
    return true;
}

static bool lookup_server(Call *c, const admin_connect_lookup_server_args *a,
                          admin_connect_lookup_server_ret *r, GError **err)
{
    if (!find_server(&(admin_nonnull_server){ .name = a->name }, err))
        return false;
    r->srv.name = g_strdup(a->name);
    return true;
}

/* Administration runs on the loop thread and the proxy has no workers: their numbers are zero. */
static Pool *pool_of(const Server *s)
{
    return s == the->main ? the->pool : NULL;
}

static bool get_threadpool(Call *c, const admin_server_get_threadpool_parameters_args *a,
                           admin_server_get_threadpool_parameters_ret *r, GError **err)
{
    Server *s = find_server(&a->srv, err);
    PoolStats stats = { 0 };
    Params p = { NULL };

    if (!s)
        return false;
    if (pool_of(s))
        pool_stats(pool_of(s), &stats);
    param_uint(&p, VIR_THREADPOOL_WORKERS_MIN, stats.min);
    param_uint(&p, VIR_THREADPOOL_WORKERS_MAX, stats.max);
    param_uint(&p, VIR_THREADPOOL_WORKERS_CURRENT, stats.current);
    param_uint(&p, VIR_THREADPOOL_WORKERS_FREE, stats.idle);
    param_uint(&p, VIR_THREADPOOL_WORKERS_PRIORITY, stats.prio);
    param_uint(&p, VIR_THREADPOOL_JOB_QUEUE_DEPTH, stats.queued);
    r->params.params_val = params_take(&p, &r->params.params_len);
    return true;
}

static bool set_threadpool(Call *c, const admin_server_set_threadpool_parameters_args *a, GError **err)
{
    Server *s = find_server(&a->srv, err);
    PoolStats new;

    if (!s)
        return false;
    if (!pool_of(s)) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "server '%s' has no workers to configure",
                  server_name(s));
        return false;
    }
    pool_stats(pool_of(s), &new);

    UintSlot slots[] = {
        { VIR_THREADPOOL_WORKERS_MIN, &new.min, false },
        { VIR_THREADPOOL_WORKERS_MAX, &new.max, false },
        { VIR_THREADPOOL_WORKERS_PRIORITY, &new.prio, false },
    };

    if (!params_read(a->params.params_val, a->params.params_len, slots, G_N_ELEMENTS(slots), err) ||
        !pool_set_limits(pool_of(s), new.min, new.max, new.prio, err))
        return false;
    log_info("workers of '%s': at least %u, at most %u, %u reserved", server_name(s), new.min,
             new.max, new.prio);
    return true;
}

static bool get_client_limits(Call *c, const admin_server_get_client_limits_args *a,
                              admin_server_get_client_limits_ret *r, GError **err)
{
    Server *s = find_server(&a->srv, err);
    Params p = { NULL };

    if (!s)
        return false;
    param_uint(&p, VIR_SERVER_CLIENTS_MAX, server_limits(s)->max_clients);
    param_uint(&p, VIR_SERVER_CLIENTS_CURRENT, server_n_clients(s));
    param_uint(&p, VIR_SERVER_CLIENTS_UNAUTH_MAX, server_limits(s)->max_anonymous_clients);
    param_uint(&p, VIR_SERVER_CLIENTS_UNAUTH_CURRENT, server_n_anonymous(s));
    r->params.params_val = params_take(&p, &r->params.params_len);
    return true;
}

static bool set_client_limits(Call *c, const admin_server_set_client_limits_args *a, GError **err)
{
    Server *s = find_server(&a->srv, err);
    ServerLimits new;

    if (!s)
        return false;
    new = *server_limits(s);

    UintSlot slots[] = {
        { VIR_SERVER_CLIENTS_MAX, &new.max_clients, false },
        { VIR_SERVER_CLIENTS_UNAUTH_MAX, &new.max_anonymous_clients, false },
    };

    if (!params_read(a->params.params_val, a->params.params_len, slots, G_N_ELEMENTS(slots), err))
        return false;
    if (new.max_clients == 0 || new.max_anonymous_clients > new.max_clients) {
        error_set(err, VIR_ERR_INVALID_ARG,
                  "maximum of %u clients, %u of them unauthenticated, is not possible",
                  new.max_clients, new.max_anonymous_clients);
        return false;
    }
    *server_limits(s) = new;
    server_apply_limits(s);
    log_info("clients of '%s': at most %u, %u of them unauthenticated", server_name(s),
             new.max_clients, new.max_anonymous_clients);
    return true;
}

static bool update_tls_files(Call *c, const admin_server_update_tls_files_args *a, GError **err)
{
    Server *s = find_server(&a->srv, err);

    if (!s)
        return false;
    if (s == the->main)
        return net_update_tls(the->net, err);
    error_set(err, VIR_ERR_OPERATION_INVALID, "server '%s' does not use TLS", server_name(s));
    return false;
}

/* --- clients ----------------------------------------------------------------------------------------- */

static void client_fill(const Client *c, admin_nonnull_client *ret)
{
    ret->srv.name = g_strdup(server_name(c->server));
    ret->id = c->id;
    ret->timestamp = c->connected_at;
    ret->transport = c->kind == LISTEN_TCP   ? VIR_CLIENT_TRANS_TCP
                     : c->kind == LISTEN_TLS ? VIR_CLIENT_TRANS_TLS
                                             : VIR_CLIENT_TRANS_UNIX;
}

static void client_append(Client *c, void *data)
{
    admin_server_list_clients_ret *r = data;

    if (r->clients.clients_len < r->ret)
        client_fill(c, &r->clients.clients_val[r->clients.clients_len++]);
}

static bool list_clients(Call *c, const admin_server_list_clients_args *a,
                         admin_server_list_clients_ret *r, GError **err)
{
    Server *s = find_server(&a->srv, err);

    if (!s)
        return false;
    r->ret = server_n_clients(s);
    if (!a->need_results)
        return true;
    if (r->ret > ADMIN_CLIENT_LIST_MAX) {
        error_set(err, VIR_ERR_RPC, "server '%s' has %u clients, a list may hold %d",
                  server_name(s), r->ret, ADMIN_CLIENT_LIST_MAX);
        return false;
    }
    r->clients.clients_val = g_new0(admin_nonnull_client, r->ret);
    server_foreach_client(s, client_append, r);
    return true;
}

static bool lookup_client(Call *c, const admin_server_lookup_client_args *a,
                          admin_server_lookup_client_ret *r, GError **err)
{
    Client *client = find_client(&a->srv, a->id, err);

    if (!client)
        return false;
    client_fill(client, &r->clnt);
    return true;
}

static bool get_client_info(Call *c, const admin_client_get_info_args *a,
                            admin_client_get_info_ret *r, GError **err)
{
    Client *client = find_client(&a->clnt.srv, a->clnt.id, err);
    const Identity *id;
    Params p = { NULL };

    if (!client)
        return false;
    id = client->identity;
    param_bool(&p, VIR_CLIENT_INFO_READONLY, client->readonly);
    if (id->has_unix) {
        param_int(&p, VIR_CLIENT_INFO_UNIX_USER_ID, (int)id->uid);
        param_string(&p, VIR_CLIENT_INFO_UNIX_USER_NAME, id->user_name);
        param_int(&p, VIR_CLIENT_INFO_UNIX_GROUP_ID, (int)id->gid);
        param_string(&p, VIR_CLIENT_INFO_UNIX_GROUP_NAME, id->group_name);
        param_int(&p, VIR_CLIENT_INFO_UNIX_PROCESS_ID, (int)id->pid);
    }
    param_string(&p, VIR_CLIENT_INFO_SOCKET_ADDR, client->address);
    param_string(&p, VIR_CLIENT_INFO_SASL_USER_NAME, id->sasl_user);
    param_string(&p, VIR_CLIENT_INFO_X509_DISTINGUISHED_NAME, id->x509_dname);
    param_string(&p, VIR_CLIENT_INFO_SELINUX_CONTEXT, id->selinux_context);
    r->params.params_val = params_take(&p, &r->params.params_len);
    return true;
}

static bool close_client(Call *c, const admin_client_close_args *a, GError **err)
{
    Client *client = find_client(&a->clnt.srv, a->clnt.id, err);

    if (!client)
        return false;
    log_info("client %" G_GUINT64_FORMAT " of '%s' is closed by an administrator", client->id,
             server_name(client->server));
    client_close(client, client == call_client(c)); /* our own gets its reply first */
    return true;
}

/* --- the daemon -------------------------------------------------------------------------------------- */

static bool get_outputs(Call *c, const admin_connect_get_logging_outputs_args *a,
                        admin_connect_get_logging_outputs_ret *r, GError **err)
{
    r->outputs = log_get_outputs();
    r->noutputs = log_count_outputs();
    return true;
}

static bool get_filters(Call *c, const admin_connect_get_logging_filters_args *a,
                        admin_connect_get_logging_filters_ret *r, GError **err)
{
    r->nfilters = log_count_filters();
    r->filters = r->nfilters ? log_get_filters() : NULL;
    return true;
}

static bool set_outputs(Call *c, const admin_connect_set_logging_outputs_args *a, GError **err)
{
    return log_set_outputs(a->outputs ? a->outputs : "", err);
}

static bool set_filters(Call *c, const admin_connect_set_logging_filters_args *a, GError **err)
{
    return log_set_filters(a->filters ? a->filters : "", err);
}

static bool set_timeout(Call *c, const admin_connect_set_daemon_timeout_args *a, GError **err)
{
    if (a->timeout > INT_MAX) {
        error_set(err, VIR_ERR_INVALID_ARG, "timeout of %u seconds exceeds %d", a->timeout, INT_MAX);
        return false;
    }
    idle_set_timeout(the->idle, a->timeout);
    return true;
}

/* Guests run on in any case, which is what the flag asks for. */
static bool daemon_shutdown(Call *c, const admin_connect_daemon_shutdown_args *a, GError **err)
{
    log_info("%s is stopped by an administrator", the->spec->name);
    daemon_stop(the);
    return true;
}

/* clang-format off */
const AdminHandlers admin_handlers = {
    .connect_list_servers = { list_servers },
    .connect_lookup_server = { lookup_server },
    .server_get_threadpool_parameters = { get_threadpool },
    .server_set_threadpool_parameters = { set_threadpool },
    .server_list_clients = { list_clients },
    .server_lookup_client = { lookup_client },
    .client_get_info = { get_client_info },
    .client_close = { close_client },
    .server_get_client_limits = { get_client_limits },
    .server_set_client_limits = { set_client_limits },
    .connect_get_logging_outputs = { get_outputs },
    .connect_get_logging_filters = { get_filters },
    .connect_set_logging_outputs = { set_outputs },
    .connect_set_logging_filters = { set_filters },
    .server_update_tls_files = { update_tls_files },
    .connect_set_daemon_timeout = { set_timeout },
    .connect_daemon_shutdown = { daemon_shutdown, VIR_DAEMON_SHUTDOWN_PRESERVE },
};
/* clang-format on */
