/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Network listeners and SASL. We listen when --listen was given and the configuration says on what, or
 * when the service manager passed sockets. Trouble with one of these never keeps the others from
 * serving: TCP and TLS are opened one by one, and a certificate that is wrong today can be put right
 * and taken up by a reload.
 *
 * Whoever is to pass SASL cannot pass when SASL could not be set up: the method stays in the policy,
 * without a backend (rpc/authn.h). Loop thread.
 */
#define LOG_SOURCE "daemon.net"
#include "daemons/net.h"

#include <string.h>

#include "rpc/net/module.h"
#include "util/error.h"
#include "util/log.h"
#include "util/module.h"
#include "util/paths.h"

#define TCP_PORT "16509"
#define TLS_PORT "16514"

struct Net {
    Daemon *d;
    bool tcp_passed, tls_passed;
    const NetModule *module; /* NULL: not needed until now */
    TlsContext *tls;
    char *tls_trouble; /* why the files could not be read the last time; NULL: they could */
    Sasl *sasl;
};

static const NetModule *net_module_get(Net *n, GError **err)
{
    if (!n->module)
        n->module = module_symbol(NET_MODULE, NET_MODULE_SYMBOL, err);
    return n->module;
}

/* --- SASL ---------------------------------------------------------------------------------------------- */

static AuthMethod method_of(const char *word, AuthMethod fallback)
{
    return !word ? fallback : strcmp(word, "sasl") == 0 ? AUTH_BY_SASL : AUTH_BY_NONE;
}

/* Kinds of listeners whose method is SASL, or was; polkit is not ours to set. */
static void set_method(AuthPolicy *p, ListenKind kind, AuthMethod method)
{
    if (method == AUTH_BY_SASL || p->method[kind] == AUTH_BY_SASL || kind == LISTEN_TCP || kind == LISTEN_TLS)
        p->method[kind] = method;
}

static bool wants(const Net *n, ListenKind kind)
{
    const DaemonConf *c = n->d->conf;

    return kind == LISTEN_TCP ? n->tcp_passed || (n->d->options.listen && c->listen_tcp)
                              : n->tls_passed || (n->d->options.listen && c->listen_tls);
}

static bool sasl_needed(const Net *n, const AuthPolicy *p)
{
    return p->method[LISTEN_UNIX_RW] == AUTH_BY_SASL || p->method[LISTEN_UNIX_RO] == AUTH_BY_SASL ||
           (p->method[LISTEN_TCP] == AUTH_BY_SASL && wants(n, LISTEN_TCP)) ||
           (p->method[LISTEN_TLS] == AUTH_BY_SASL && wants(n, LISTEN_TLS));
}

static void apply_auth(Net *n)
{
    const DaemonConf *c = n->d->conf;
    AuthPolicy *p = server_auth(n->d->main);
    g_autofree char *dir = paths()->root ? g_strdup_printf("%s/etc/sasl2", paths()->root) : NULL;
    SaslConfig cfg = { .config_dir = dir,
                       .allowed_users = c->sasl_allowed_username_list,
                       .tcp_min_ssf = (unsigned)c->tcp_min_ssf };
    g_autoptr(GError) error = NULL;

    set_method(p, LISTEN_UNIX_RW, method_of(c->auth_unix_rw, AUTH_BY_NONE));
    set_method(p, LISTEN_UNIX_RO, method_of(c->auth_unix_ro, AUTH_BY_NONE));
    set_method(p, LISTEN_TCP, method_of(c->auth_tcp, AUTH_BY_SASL));
    set_method(p, LISTEN_TLS, method_of(c->auth_tls, AUTH_BY_NONE));
    if (n->sasl) {
        n->module->sasl_configure(n->sasl, &cfg);
        return;
    }
    if (!sasl_needed(n, p))
        return;
    if (net_module_get(n, &error))
        n->sasl = n->module->sasl_new(n->d->loop, &cfg, &error);
    if (!n->sasl) {
        log_error("%s: nobody can authenticate by SASL: %s", n->d->spec->name, error->message);
        return;
    }
    p->backend[AUTH_BY_SASL] = n->module->sasl_backend;
    p->data[AUTH_BY_SASL] = n->sasl;
}

/* --- TLS ----------------------------------------------------------------------------------------------- */

static ConnTransport *make_transport(void *data, GError **err)
{
    Net *n = data;

    return n->module->tls_transport_new(n->tls, err);
}

static char *pki_dir(bool flat)
{
    g_autofree char *etc = g_path_get_dirname(paths()->etc);

    return flat ? g_build_filename(g_get_home_dir(), ".pki", "libvirt", NULL) : g_build_filename(etc, "pki", NULL);
}

static bool load_tls(Net *n, GError **err)
{
    const DaemonConf *c = n->d->conf;
    bool flat = paths()->session && !paths()->root;
    g_autofree char *dir = pki_dir(flat);
    TlsConfig cfg = { .cert_file = c->cert_file,
                      .key_file = c->key_file,
                      .ca_file = c->ca_file,
                      .crl_file = c->crl_file,
                      .pki_dir = dir,
                      .flat = flat,
                      .allowed_dn_list = c->tls_allowed_dn_list,
                      .priority = c->tls_priority,
                      .no_verify = c->tls_no_verify_certificate,
                      .no_sanity = c->tls_no_sanity_certificate };
    GError *error = NULL;
    TlsContext *fresh = net_module_get(n, &error) ? n->module->tls_context_new(&cfg, &error) : NULL;

    g_free(n->tls_trouble);
    n->tls_trouble = error ? g_strdup(error->message) : NULL;
    if (!fresh) {
        g_propagate_error(err, error);
        return false;
    }
    if (n->tls)
        n->module->tls_context_unref(n->tls); /* connections have references of their own */
    n->tls = fresh;
    server_set_tls(n->d->main, make_transport, n);
    return true;
}

/* --- listeners ------------------------------------------------------------------------------------------- */

static void listen_on(Net *n, ListenKind kind, const char *port)
{
    const char *what = kind == LISTEN_TCP ? "TCP" : "TLS", *address = n->d->conf->listen_addr;
    g_autoptr(GError) error = NULL;

    if (server_is_listening(n->d->main, kind))
        return;
    if (server_listen_inet(n->d->main, kind, address, port, &error))
        log_info("%s: listening for %s on %s, port %s", n->d->spec->name, what, address ? address : "all addresses", port);
    else
        log_error("%s: %s is off, the other sockets are served: %s", n->d->spec->name, what, error->message);
}

static void apply_listeners(Net *n, bool reloading)
{
    const DaemonConf *c = n->d->conf;
    g_autoptr(GError) error = NULL;

    if (wants(n, LISTEN_TCP))
        listen_on(n, LISTEN_TCP, c->tcp_port ? c->tcp_port : TCP_PORT);
    else
        server_close_listeners(n->d->main, LISTEN_TCP);

    if (!wants(n, LISTEN_TLS)) {
        server_close_listeners(n->d->main, LISTEN_TLS);
        return;
    }
    if (!load_tls(n, &error)) {
        if (n->tls)
            log_error("%s: TLS goes on with the certificates that it has: %s", n->d->spec->name, error->message);
        else
            log_error("%s: TLS is off, the other sockets are served: %s", n->d->spec->name, error->message);
    } else if (reloading) {
        log_info("%s: TLS certificates are read again", n->d->spec->name);
    }
    if (n->tls)
        listen_on(n, LISTEN_TLS, c->tls_port ? c->tls_port : TLS_PORT);
}

Net *net_start(Daemon *d)
{
    Net *n = g_new0(Net, 1);
    const DaemonConf *c = d->conf;

    n->d = d;
    n->tcp_passed = server_is_listening(d->main, LISTEN_TCP);
    n->tls_passed = server_is_listening(d->main, LISTEN_TLS);
    apply_auth(n);
    apply_listeners(n, false);
    if (d->spec->proxy && !d->options.listen && ((c->listen_tcp && !n->tcp_passed) || (c->listen_tls && !n->tls_passed)))
        log_warn("%s: the configuration asks to listen on the network; that needs --listen, or a socket unit for it",
                 d->spec->name);
    return n;
}

void net_tls_state(const Net *n, NetTlsState *ret)
{
    *ret = (NetTlsState){ .wanted = wants(n, LISTEN_TLS), .serving = n->tls && server_is_listening(n->d->main, LISTEN_TLS) };
    if (ret->wanted)
        ret->trouble = n->tls_trouble;
    if (ret->serving)
        ret->expires = n->module->tls_context_expires(n->tls);
}

void net_reload(Net *n)
{
    apply_auth(n);
    apply_listeners(n, true);
}

bool net_update_tls(Net *n, GError **err)
{
    if (!wants(n, LISTEN_TLS)) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "server '%s' does not use TLS", server_name(n->d->main));
        return false;
    }
    if (!load_tls(n, err))
        return false;
    listen_on(n, LISTEN_TLS, n->d->conf->tls_port ? n->d->conf->tls_port : TLS_PORT);
    log_info("%s: TLS certificates are read again", n->d->spec->name);
    return true;
}

Net *net_free(Net *n)
{
    if (!n)
        return NULL;
    if (n->sasl)
        n->module->sasl_free(n->sasl);
    if (n->tls)
        n->module->tls_context_unref(n->tls);
    g_free(n->tls_trouble);
    g_free(n);
    return NULL;
}
