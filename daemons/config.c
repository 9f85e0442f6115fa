/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading a daemon's configuration. All keys that administrators may have in their files are known;
 * those whose feature is not there yet are read and checked, and config_missing_features() names
 * them, so that a daemon can say so. Where a missing feature would have kept people out, the daemon
 * keeps everybody but the socket's owner and group out. Loop thread.
 */
#include "daemons/config.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

#include "util/conffile.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/paths.h"

#define BOOL(field, doc) { #field, CONFFILE_BOOL, offsetof(DaemonConf, field), doc }
#define INT(field, doc) { #field, CONFFILE_INT, offsetof(DaemonConf, field), doc }
#define UINT(field, doc) { #field, CONFFILE_UINT, offsetof(DaemonConf, field), doc }
#define STR(field, doc) { #field, CONFFILE_STRING, offsetof(DaemonConf, field), doc }
#define LIST(field, doc) { #field, CONFFILE_STRING_LIST, offsetof(DaemonConf, field), doc }

/* clang-format off */
static const ConfFileKey keys[] = {
    UINT(min_workers,               "workers that stay when idle"),
    UINT(max_workers,               "workers for calls that may block"),
    UINT(prio_workers,              "workers kept for calls that never wait for a guest"),
    UINT(max_clients,               "connections at once"),
    UINT(max_queued_clients,        "connections that wait to be accepted"),
    UINT(max_anonymous_clients,     "connections that have not authenticated yet"),
    UINT(max_client_requests,       "calls of one connection that run at once"),
    UINT(admin_min_workers,         "accepted; administration runs on no workers"),
    UINT(admin_max_workers,         "accepted; administration runs on no workers"),
    UINT(admin_max_clients,         "as max_clients, administration"),
    UINT(admin_max_queued_clients,  "as max_queued_clients, administration"),
    UINT(admin_max_client_requests, "as max_client_requests, administration"),
    INT(keepalive_interval,         "seconds between questions to a silent client, -1: none"),
    UINT(keepalive_count,           "unanswered questions until it is dropped"),
    BOOL(keepalive_required,        "accepted without effect: clients too old for it are not served"),
    INT(admin_keepalive_interval,   "as keepalive_interval, administration"),
    UINT(admin_keepalive_count,     "as keepalive_count, administration"),
    BOOL(admin_keepalive_required,  "as keepalive_required, administration"),
    STR(unix_sock_group,            "group of the sockets"),
    STR(unix_sock_ro_perms,         "mode of the read-only socket, octal"),
    STR(unix_sock_rw_perms,         "mode of the main socket, octal"),
    STR(unix_sock_admin_perms,      "mode of the administration socket, octal"),
    STR(unix_sock_dir,              "directory of the sockets"),
    STR(auth_unix_ro,               "authentication on the read-only socket: none, polkit, sasl"),
    STR(auth_unix_rw,               "authentication on the main socket: none, polkit, sasl"),
    LIST(access_drivers,            "who may do what to which object: polkit, rules, nop"),
    STR(auth_unix_group,            "members may connect without polkit being asked"),
    LIST(sasl_allowed_username_list,"SASL names that may connect"),
    INT(log_level,                  "1 debug, 2 information, 3 warnings, 4 errors"),
    STR(log_filters,                "LEVEL:SOURCE …"),
    STR(log_outputs,                "LEVEL:stderr LEVEL:file:PATH LEVEL:syslog:NAME LEVEL:journald …"),
    INT(audit_level,                "0 no audit, 1 when the host can, 2 required"),
    BOOL(audit_logging,             "audit messages to the log as well"),
    STR(host_uuid,                  "identity of this host"),
    STR(host_uuid_source,           "smbios or machine-id"),
    UINT(ovs_timeout,               "seconds for calls to Open vSwitch"),
    /* virtproxyd only, see n_keys_of() */
    BOOL(listen_tls,                "listen on TLS"),
    BOOL(listen_tcp,                "listen on TCP without encryption"),
    STR(tls_port,                   "port or service name"),
    STR(tcp_port,                   "port or service name"),
    STR(listen_addr,                "address to listen on"),
    STR(auth_tcp,                   "authentication on TCP: none, sasl"),
    STR(auth_tls,                   "authentication on TLS: none, sasl"),
    INT(tcp_min_ssf,                "strength of encryption that SASL must give"),
    STR(key_file,                   "private key"),
    STR(cert_file,                  "certificate"),
    STR(ca_file,                    "certificate of the authority"),
    STR(crl_file,                   "revoked certificates"),
    BOOL(tls_no_verify_certificate, "take any client certificate"),
    BOOL(tls_no_sanity_certificate, "do not check our own certificate"),
    LIST(tls_allowed_dn_list,       "client certificates that may connect"),
    STR(tls_priority,               "GnuTLS priority string"),
};
/* clang-format on */

enum { N_NETWORK_KEYS = 16 };

static size_t n_keys_of(const DaemonSpec *spec)
{
    return spec->proxy ? G_N_ELEMENTS(keys) : G_N_ELEMENTS(keys) - N_NETWORK_KEYS;
}

static DaemonConf *config_new(void)
{
    DaemonConf *c = g_new0(DaemonConf, 1);

    *c = (DaemonConf){
        .min_workers = 5,
        .max_workers = 20,
        .prio_workers = 5,
        .max_clients = 5000,
        .max_queued_clients = 1000,
        .max_anonymous_clients = 20,
        .max_client_requests = 5,
        .admin_min_workers = 5,
        .admin_max_workers = 20,
        .admin_max_clients = 5000,
        .admin_max_queued_clients = 20,
        .admin_max_client_requests = 5,
        .keepalive_interval = 5,
        .keepalive_count = 5,
        .admin_keepalive_interval = 5,
        .admin_keepalive_count = 5,
        .audit_level = 1,
        .tcp_min_ssf = 56,
        .ovs_timeout = 5,
        .group = (gid_t)-1,
        .auth_group = (gid_t)-1,
    };
    return c;
}

DaemonConf *config_free(DaemonConf *c)
{
    if (!c)
        return NULL;
    conffile_clear(keys, G_N_ELEMENTS(keys), c);
    g_free(c);
    return NULL;
}

static bool parse_mode(const char *key, const char *text, unsigned fallback, unsigned *ret,
                       GError **err)
{
    guint64 v = fallback;

    if (text && !g_ascii_string_to_unsigned(text, 8, 0, 0777, &v, NULL)) {
        error_set(err, VIR_ERR_CONF_SYNTAX,
                  "value '%s' of '%s' is not an octal mode within 0 and 0777", text, key);
        return false;
    }
    *ret = (unsigned)v;
    return true;
}

static bool find_group(const char *key, const char *name, gid_t *ret, GError **err)
{
    guint64 number;

    if (!name)
        return true;
    errno = 0;
    struct group *g = getgrnam(name); /* before there are threads, or on the loop alone */
    if (g) {
        *ret = g->gr_gid;
        return true;
    }
    if (g_ascii_string_to_unsigned(name, 10, 0, G_MAXINT32, &number, NULL)) {
        *ret = (gid_t)number;
        return true;
    }
    error_set(err, VIR_ERR_CONF_SYNTAX, "value of '%s': there is no group '%s'", key, name);
    return false;
}

static bool one_of(const char *key, const char *value, const char *const *words, GError **err)
{
    if (!value || g_strv_contains(words, value))
        return true;

    g_autofree char *all = g_strjoinv(", ", (char **)words);

    error_set(err, VIR_ERR_CONF_SYNTAX, "value '%s' of '%s' is none of %s", value, key, all);
    return false;
}

static bool in_range(const char *key, uint64_t v, uint64_t min, uint64_t max, GError **err)
{
    if (v >= min && v <= max)
        return true;
    error_set(err, VIR_ERR_CONF_SYNTAX,
              "value %" G_GUINT64_FORMAT " of '%s' is not within %" G_GUINT64_FORMAT
              " and %" G_GUINT64_FORMAT,
              v, key, min, max);
    return false;
}

static bool check_limits(const DaemonConf *c, GError **err)
{
    if (!in_range("max_workers", c->max_workers, 1, 10000, err) ||
        !in_range("prio_workers", c->prio_workers, 0, 10000, err) ||
        !in_range("max_clients", c->max_clients, 1, 1000000, err) ||
        !in_range("max_queued_clients", c->max_queued_clients, 1, 1000000, err) ||
        !in_range("max_client_requests", c->max_client_requests, 1, 100000, err) ||
        !in_range("admin_max_clients", c->admin_max_clients, 1, 1000000, err) ||
        !in_range("admin_max_queued_clients", c->admin_max_queued_clients, 1, 1000000, err) ||
        !in_range("admin_max_client_requests", c->admin_max_client_requests, 1, 100000, err) ||
        !in_range("keepalive_count", c->keepalive_count, 0, 100000, err) ||
        !in_range("admin_keepalive_count", c->admin_keepalive_count, 0, 100000, err))
        return false;
    if (c->log_level < 0 || c->log_level > 4) {
        error_set(err, VIR_ERR_CONF_SYNTAX, "value of 'log_level' is not within 1 and 4");
        return false;
    }
    if (MAX(c->keepalive_interval, c->admin_keepalive_interval) > 1000000) {
        error_set(err, VIR_ERR_CONF_SYNTAX, "keepalive interval of more than 1000000 seconds");
        return false;
    }
    return true;
}

/* The derived members; checks what the rows cannot. */
/* machine-id(5): 32 hexadecimal digits and a newline. */
static bool uuid_of_machine_id(DaemonConf *c, GError **err)
{
    static const char file[] = "/etc/machine-id";
    g_autofree char *text = NULL;
    size_t len;

    if (!fd_read_file(AT_FDCWD, file, 256, &text, &len, err))
        return false;
    if (!uuid_parse(g_strstrip(text), c->uuid) || !uuid_is_valid(c->uuid)) {
        error_set(err, VIR_ERR_CONF_SYNTAX, "'host_uuid_source' is 'machine-id', and '%s' holds '%s'", file, text);
        return false;
    }
    c->have_uuid = true;
    return true;
}

static bool config_finish(DaemonConf *c, GError **err)
{
    static const char *const unix_auths[] = { "none", "sasl", "polkit", NULL },
                             *const net_auths[] = { "none", "sasl", NULL };
    static const char *const access_drivers[] = { "polkit", "rules", "nop", NULL };
    static const char *const uuid_sources[] = { "smbios", "machine-id", NULL };

    if (!parse_mode("unix_sock_ro_perms", c->unix_sock_ro_perms, 0777, &c->ro_mode, err) ||
        !parse_mode("unix_sock_rw_perms", c->unix_sock_rw_perms, 0777, &c->rw_mode, err) ||
        !parse_mode("unix_sock_admin_perms", c->unix_sock_admin_perms, 0700, &c->admin_mode, err) ||
        !find_group("unix_sock_group", c->unix_sock_group, &c->group, err) ||
        !find_group("auth_unix_group", c->auth_unix_group, &c->auth_group, err) ||
        !one_of("auth_unix_ro", c->auth_unix_ro, unix_auths, err) ||
        !one_of("auth_unix_rw", c->auth_unix_rw, unix_auths, err) ||
        !one_of("auth_tcp", c->auth_tcp, net_auths, err) ||
        !one_of("auth_tls", c->auth_tls, net_auths, err) ||
        !one_of("host_uuid_source", c->host_uuid_source, uuid_sources, err) ||
        !in_range("tcp_min_ssf", c->tcp_min_ssf < 0 ? UINT64_MAX : (uint64_t)c->tcp_min_ssf, 0, 100000, err) ||
        !check_limits(c, err))
        return false;
    for (char **d = c->access_drivers; d && *d; d++)
        if (!one_of("access_drivers", *d, access_drivers, err))
            return false;

    c->min_workers = MIN(c->min_workers, c->max_workers); /* a lowered maximum is enough to say */

    /* Only an authentication and an explicit "none" open the main socket to everybody: otherwise
     * something was to check who they are by default, and nothing does. */
    if (!c->auth_unix_rw)
        c->rw_mode &= 0770;

    c->have_uuid = c->host_uuid != NULL;
    if (c->have_uuid && (!uuid_parse(c->host_uuid, c->uuid) || !uuid_is_valid(c->uuid))) {
        error_set(err, VIR_ERR_CONF_SYNTAX, "value '%s' of 'host_uuid' is not a usable uuid",
                  c->host_uuid);
        return false;
    }
    return c->have_uuid || g_strcmp0(c->host_uuid_source, "machine-id") != 0 || uuid_of_machine_id(c, err);
}

DaemonConf *config_load(const DaemonSpec *spec, const char *path, GError **err)
{
    g_autoptr(DaemonConf) c = config_new();
    g_autofree char *fallback = g_strdup_printf("%s/%s.conf", paths()->etc, spec->name);

    if (path && access(path, R_OK) < 0) {
        error_set_errno(err, errno, "cannot read configuration file '%s'", path);
        return NULL;
    }
    if (!conffile_load(path ? path : fallback, keys, n_keys_of(spec), c, err))
        return NULL;
    if (!config_finish(c, err)) {
        g_prefix_error(err, "%s: ", path ? path : fallback);
        return NULL;
    }
    return g_steal_pointer(&c);
}

bool config_wants_access_control(const DaemonConf *c)
{
    for (char **d = c->access_drivers; d && *d; d++) {
        if (strcmp(*d, "nop") != 0)
            return true;
    }
    return false;
}

char *config_missing_features(const DaemonConf *c)
{
    g_autoptr(GString) s = g_string_new(NULL);

    if (c->audit_level > 1 || c->audit_logging)
        g_string_append(s, ", audit");
    return s->len ? g_strdup(s->str + 2) : NULL;
}
