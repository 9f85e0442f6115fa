/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The .conf file of a daemon (virtqemud.conf, virtproxyd.conf, …): one struct for all of them, since
 * all have the same keys but for those of the network.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemons/main.h"
#include "util/uuid.h"

typedef struct DaemonConf {
    /* network, virtproxyd only */
    bool listen_tls, listen_tcp;
    char *tls_port, *tcp_port, *listen_addr;
    char *auth_tcp, *auth_tls;
    int64_t tcp_min_ssf;
    char *key_file, *cert_file, *ca_file, *crl_file;
    bool tls_no_verify_certificate, tls_no_sanity_certificate;
    char **tls_allowed_dn_list, *tls_priority;
    /* local sockets */
    char *unix_sock_group, *unix_sock_ro_perms, *unix_sock_rw_perms, *unix_sock_admin_perms,
        *unix_sock_dir;
    char *auth_unix_ro, *auth_unix_rw;
    char *auth_unix_group;
    char **sasl_allowed_username_list, **access_drivers;
    /* limits */
    uint64_t min_workers, max_workers, prio_workers;
    uint64_t max_clients, max_queued_clients, max_anonymous_clients, max_client_requests;
    uint64_t admin_min_workers, admin_max_workers, admin_max_clients, admin_max_queued_clients,
        admin_max_client_requests;
    int64_t keepalive_interval, admin_keepalive_interval; /* seconds; -1: off */
    uint64_t keepalive_count, admin_keepalive_count;
    bool keepalive_required, admin_keepalive_required;
    /* the rest */
    int64_t log_level; /* 0: not set */
    char *log_filters, *log_outputs;
    int64_t audit_level;
    bool audit_logging;
    char *host_uuid, *host_uuid_source;
    uint64_t ovs_timeout;

    /* made of the above by config_load() */
    gid_t group; /* -1: leave it */
    gid_t auth_group; /* -1: none */
    unsigned ro_mode, rw_mode, admin_mode;
    bool have_uuid;
    Uuid uuid;
} DaemonConf;

/* path NULL: the default place, where it may be missing. */
DaemonConf *config_load(const DaemonSpec *spec, const char *path, GError **err);
DaemonConf *config_free(DaemonConf *c);
/* Words for everything that the file asks for and this version does not have; NULL:
 * nothing. */
char *config_missing_features(const DaemonConf *c);
/* True when the file asks for rights by user and object. */
bool config_wants_access_control(const DaemonConf *c);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaemonConf, config_free)
