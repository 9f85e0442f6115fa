/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The exchange of SASL messages. Each client has at most one exchange, made by INIT, fed by START and
 * STEP. A failed one is thrown away; the client may begin another (authn.c counts).
 *
 * While authn.c says that a client's call is with us, its exchange belongs to the worker that has it, at
 * all other times to the loop. What a client is told is that it failed; why stands in the log, since
 * "no such user" is nobody's business before the password is right.
 */
#define LOG_SOURCE "rpc.sasl"
#include "rpc/net/sasl.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "protocols/remote_procs.h"
#include "protocols/xdr_buf.h"
#include "rpc/net/sasl-internal.h"
#include "rpc/server.h"
#include "util/error.h"
#include "util/lock.h"
#include "util/log.h"
#include "util/pool.h"

enum {
    WORKERS = 2,
    STEPS_MAX = 32,
    SSF_MAX = 100000,
    BUFFER_MAX = 100000, /* of a packet of the security layer */
};

struct Sasl {
    Loop *loop;
    Pool *pool;
    char **allowed_users;
    unsigned tcp_min_ssf;
};

typedef struct Exchange {
    sasl_conn_t *conn;
    bool started, local; /* local: nobody can listen to the connection */
    unsigned steps;
    char *mech;
} Exchange;

typedef struct Job {
    Sasl *s;
    AuthCall *call;
    Exchange *x;
    bool start, nil;
    char *data;
    unsigned len;
    /* answer */
    int result;
    const char *out; /* of the library, until it is called again */
    unsigned out_len;
} Job;

/* --- the library as a whole ------------------------------------------------------------------------------ */

static void *mutex_new(void)
{
    Lock *l = g_new(Lock, 1);

    lock_init(l);
    return l;
}

static int mutex_enter(void *l)
{
    lock_enter(l);
    return SASL_OK;
}

static int mutex_leave(void *l)
{
    lock_leave(l);
    return SASL_OK;
}

static void mutex_free(void *l)
{
    lock_done(l);
    g_free(l);
}

static int on_log(void *context, int level, const char *text)
{
    (void)context;
    if (level == SASL_LOG_ERR || level == SASL_LOG_FAIL)
        log_warn("SASL: %s", text);
    else if (level == SASL_LOG_WARN || level == SASL_LOG_NOTE)
        log_info("SASL: %s", text);
    return SASL_OK; /* the more talkative levels contain passwords */
}

typedef int (*SaslProc)(void);
static const sasl_callback_t callbacks[] = {
    { SASL_CB_LOG, (SaslProc)(void (*)(void))on_log, NULL },
    { SASL_CB_LIST_END, NULL, NULL },
};

void sasl_configure(Sasl *s, const SaslConfig *cfg)
{
    g_strfreev(s->allowed_users);
    s->allowed_users = g_strdupv((char **)cfg->allowed_users);
    s->tcp_min_ssf = cfg->tcp_min_ssf;
}

Sasl *sasl_new(Loop *loop, const SaslConfig *cfg, GError **err)
{
    sasl_set_mutex(mutex_new, mutex_enter, mutex_leave, mutex_free);
    if (cfg->config_dir)
        (void)sasl_set_path(SASL_PATH_TYPE_CONFIG, (char *)cfg->config_dir); /* it copies */

    int r = sasl_server_init(callbacks, "libvirt");

    if (r != SASL_OK) {
        error_set(err, VIR_ERR_AUTH_FAILED, "cannot set up SASL: %s", sasl_errstring(r, NULL, NULL));
        return NULL;
    }

    Sasl *s = g_new0(Sasl, 1);

    s->loop = loop;
    s->pool = pool_new("sasl", 0, WORKERS, 0);
    sasl_configure(s, cfg);
    return s;
}

Sasl *sasl_free(Sasl *s)
{
    if (!s)
        return NULL;
    s->pool = pool_free(s->pool);
    loop_drain(s->loop); /* the answers of the last jobs use us */
    g_strfreev(s->allowed_users);
    g_free(s);
    /* Not sasl_done(): it unloads mechanisms, whose own libraries do not like that. */
    return NULL;
}

/* --- INIT -------------------------------------------------------------------------------------------------- */

static void exchange_free(void *state, void *data)
{
    Exchange *x = state;
    (void)data;

    if (x && x->conn)
        sasl_dispose(&x->conn);
    if (x)
        g_free(x->mech);
    g_free(x);
}

static void drop_exchange(Client *c)
{
    exchange_free(c->auth.state, NULL);
    c->auth.state = NULL;
}

/* "192.0.2.1;16509", as the library wants it; NULL: no such address. */
static char *address_text(int fd, int (*get)(int, struct sockaddr *, socklen_t *))
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_storage room;
    } a;
    socklen_t len = sizeof(a);
    char text[INET6_ADDRSTRLEN];

    if (get(fd, &a.any, &len) < 0)
        return NULL;
    if (a.any.sa_family == AF_INET && inet_ntop(AF_INET, &a.in.sin_addr, text, sizeof(text)))
        return g_strdup_printf("%s;%u", text, ntohs(a.in.sin_port));
    if (a.any.sa_family == AF_INET6 && inet_ntop(AF_INET6, &a.in6.sin6_addr, text, sizeof(text)))
        return g_strdup_printf("%s;%u", text, ntohs(a.in6.sin6_port));
    return NULL;
}

static int get_local(int fd, struct sockaddr *a, socklen_t *len)
{
    return getsockname(fd, a, len);
}

static int get_remote(int fd, struct sockaddr *a, socklen_t *len)
{
    return getpeername(fd, a, len);
}

static bool exchange_begin(const Sasl *s, Client *c, Exchange *x, GError **err)
{
    g_autofree char *local = address_text(conn_fd(c->conn), get_local), *remote = address_text(conn_fd(c->conn), get_remote);
    const ConnTransport *t = conn_transport(c->conn);
    sasl_ssf_t external = t ? t->ssf : 0;
    sasl_security_properties_t props = { .security_flags = SASL_SEC_NOANONYMOUS, .maxbufsize = BUFFER_MAX };
    int r;

    x->local = c->kind != LISTEN_TCP;
    if (!x->local) {
        /* The mechanism has to protect the connection, and what proves who the client is. */
        props.min_ssf = s->tcp_min_ssf;
        props.max_ssf = SSF_MAX;
        props.security_flags |= SASL_SEC_NOPLAINTEXT;
    }
    r = sasl_server_new("libvirt", NULL, NULL, local, remote, NULL, SASL_SUCCESS_DATA, &x->conn);
    if (r == SASL_OK && external)
        r = sasl_setprop(x->conn, SASL_SSF_EXTERNAL, &external);
    if (r == SASL_OK)
        r = sasl_setprop(x->conn, SASL_SEC_PROPS, &props);
    if (r != SASL_OK)
        error_set(err, VIR_ERR_AUTH_FAILED, "cannot begin a SASL exchange: %s", sasl_errstring(r, NULL, NULL));
    return r == SASL_OK;
}

static void call_init(Sasl *s, AuthCall *call)
{
    Client *c = call->client;
    GError *error = NULL;
    const char *list = NULL;
    int count = 0;

    drop_exchange(c);

    Exchange *x = c->auth.state = g_new0(Exchange, 1);

    if (!exchange_begin(s, c, x, &error)) {
        drop_exchange(c);
        auth_call_failed(call, error);
        return;
    }
    if (sasl_listmech(x->conn, NULL, "", ",", "", &list, NULL, &count) != SASL_OK || count == 0) {
        bool tcp = !x->local;

        drop_exchange(c);
        error_set(&error, VIR_ERR_AUTH_FAILED,
                  "the server has no SASL mechanism for this connection%s; see 'mech_list' in its libvirt.conf of SASL",
                  tcp ? " (TCP without TLS needs one that encrypts, see tcp_min_ssf)" : "");
        auth_call_failed(call, error);
        return;
    }

    remote_auth_sasl_init_ret r = { .mechlist = (char *)list };

    auth_call_continue(call, (xdrproc_t)xdr_remote_auth_sasl_init_ret, &r);
}

/* --- START and STEP -------------------------------------------------------------------------------------- */

static bool user_allowed(const Sasl *s, const char *user)
{
    if (!s->allowed_users)
        return true;
    for (char **p = s->allowed_users; *p; p++)
        if (g_pattern_match_simple(*p, user))
            return true;
    return false;
}

/* The library says that the client is who it says. False with *err: that is not enough. */
static bool accept_user(const Sasl *s, const Exchange *x, char **ret_user, unsigned *ret_ssf, GError **err)
{
    const void *user = NULL, *ssf = NULL;

    if (sasl_getprop(x->conn, SASL_USERNAME, &user) != SASL_OK || !user || sasl_getprop(x->conn, SASL_SSF, &ssf) != SASL_OK || !ssf) {
        error_set(err, VIR_ERR_AUTH_FAILED, "the SASL mechanism gives no user");
        return false;
    }
    *ret_user = g_utf8_make_valid(user, -1);
    *ret_ssf = *(const sasl_ssf_t *)ssf;
    if (!x->local && *ret_ssf < s->tcp_min_ssf) {
        error_set(err, VIR_ERR_AUTH_FAILED, "the SASL mechanism protects the connection with %u bits, tcp_min_ssf is %u", *ret_ssf,
                  s->tcp_min_ssf);
        return false;
    }
    if (!user_allowed(s, *ret_user)) {
        error_set(err, VIR_ERR_AUTH_FAILED, "SASL user '%s' matches nothing in sasl_allowed_username_list", *ret_user);
        return false;
    }
    return true;
}

static Identity *identity_with_user(const Client *c, const char *user)
{
    Identity *id = identity_copy(c->identity);

    g_free(id->sasl_user);
    id->sasl_user = g_strdup(user);
    return id;
}

/* START and STEP answer alike. */
G_STATIC_ASSERT(sizeof(remote_auth_sasl_start_ret) == sizeof(remote_auth_sasl_step_ret));

static void job_answer(Job *j)
{
    Client *c = j->call->client;
    remote_auth_sasl_step_ret r = { .complete = j->result == SASL_OK,
                                    .nil = !j->out,
                                    .data = { j->out ? j->out_len : 0, (char *)j->out } };
    xdrproc_t xdr = (xdrproc_t)xdr_remote_auth_sasl_step_ret;
    g_autoptr(GError) error = NULL;
    g_autofree char *user = NULL;
    unsigned ssf = 0;

    if (j->result == SASL_CONTINUE && j->x->steps < STEPS_MAX && j->out_len <= REMOTE_AUTH_SASL_DATA_MAX) {
        auth_call_continue(j->call, xdr, &r);
        return;
    }
    if (j->result == SASL_OK && j->out_len <= REMOTE_AUTH_SASL_DATA_MAX && accept_user(j->s, j->x, &user, &ssf, &error)) {
        ConnTransport *layer = NULL;

        log_info("client %" G_GUINT64_FORMAT " is SASL user '%s' (security layer of %u bits)", c->id, user, ssf);
        if (ssf && !c->auth.gone) {
            /* The answer's bytes are the library's, which the layer takes over: they are copied
             * before it is used. */
            layer = sasl_layer_new(g_steal_pointer(&j->x->conn));
        }
        auth_call_passed(j->call, xdr, &r, identity_with_user(c, user), layer);
        return;
    }
    if (!error) {
        const char *detail = j->result == SASL_OK || j->result == SASL_CONTINUE ? "messages too many or too long"
                                                                                : sasl_errdetail(j->x->conn);

        log_info("client %" G_GUINT64_FORMAT ": SASL: %s", c->id, detail ? detail : "");
        const void *named = NULL;

        if (j->x->conn && sasl_getprop(j->x->conn, SASL_AUTHUSER, &named) == SASL_OK && named)
            g_snprintf(c->auth.named, sizeof(c->auth.named), "%s", (const char *)named);
        error_set(&error, VIR_ERR_AUTH_FAILED, "SASL authentication failed with mechanism %.32s", j->x->mech);
    }
    drop_exchange(c);
    auth_call_failed(j->call, g_steal_pointer(&error));
}

static void job_done(void *data)
{
    Job *j = data;

    job_answer(j);
    if (j->data)
        memset(j->data, 0, j->len);
    g_free(j->data);
    g_free(j);
}

/* Worker. */
static void job_run(void *data)
{
    Job *j = data;
    const char *in = j->nil ? NULL : j->data;

    j->result = j->start ? sasl_server_start(j->x->conn, j->x->mech, in, j->len, &j->out, &j->out_len)
                         : sasl_server_step(j->x->conn, in, j->len, &j->out, &j->out_len);
    loop_post(j->s->loop, job_done, j);
}

static void refuse(AuthCall *call, const char *why)
{
    GError *error = NULL;

    error_set(&error, VIR_ERR_AUTH_FAILED, "%s", why);
    drop_exchange(call->client);
    auth_call_failed(call, error);
}

/* Bytes of the peer, with a NUL behind them for mechanisms that treat them as text. */
static char *copy_bytes(const char *p, unsigned n)
{
    char *copy = g_malloc(n + 1);

    if (n)
        memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

static void call_exchange(Sasl *s, AuthCall *call, bool start)
{
    Exchange *x = call->client->auth.state;
    Message *m = call->m;
    g_autoptr(GError) error = NULL;

    if (!x || x->started == start) {
        refuse(call, !x ? "SASL: no exchange has begun" : start ? "SASL: the exchange has started already" : "SASL: the exchange has not started");
        return;
    }

    Job *j = g_new0(Job, 1);
    bool ok;

    *j = (Job){ .s = s, .call = call, .x = x, .start = start };
    if (start) {
        remote_auth_sasl_start_args a;

        ok = proc_decode("auth_sasl_start", (xdrproc_t)xdr_remote_auth_sasl_start_args, sizeof(a), message_body(m),
                         message_body_len(m), &a, &error);
        if (ok) {
            x->mech = g_utf8_make_valid(a.mech, -1);
            j->nil = a.nil;
            j->len = j->nil ? 0 : a.data.data_len;
            j->data = copy_bytes(a.data.data_val, j->len);
            proc_free((xdrproc_t)xdr_remote_auth_sasl_start_args, &a);
        }
    } else {
        remote_auth_sasl_step_args a;

        ok = proc_decode("auth_sasl_step", (xdrproc_t)xdr_remote_auth_sasl_step_args, sizeof(a), message_body(m),
                         message_body_len(m), &a, &error);
        if (ok) {
            j->nil = a.nil;
            j->len = j->nil ? 0 : a.data.data_len;
            j->data = copy_bytes(a.data.data_val, j->len);
            proc_free((xdrproc_t)xdr_remote_auth_sasl_step_args, &a);
        }
    }
    if (!ok) {
        g_free(j);
        refuse(call, error->message);
        return;
    }
    x->started = true;
    x->steps++;
    pool_push(s->pool, job_run, j, false);
}

static void sasl_call(AuthCall *call, void *data)
{
    Sasl *s = data;

    switch (call->m->h.proc) {
    case REMOTE_PROC_AUTH_SASL_INIT:
        call_init(s, call);
        break;
    case REMOTE_PROC_AUTH_SASL_START:
        call_exchange(s, call, true);
        break;
    default:
        call_exchange(s, call, false);
    }
}

const AuthBackend sasl_backend = { .call = sasl_call, .forget = exchange_free };
