/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu.conf: the keys that today's hosts have, so that their files are read as they are. What a key
 * asks for that this driver does not do yet is named in the log when the file is read (config.c).
 * Read once at start, constant afterwards.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "drivers/qemu/cmdline.h"

typedef struct QemuConfig {
    char *default_tls_x509_cert_dir;
    int64_t default_tls_x509_verify;   /* -1: nobody said */
    char *default_tls_x509_secret_uuid;
    char *vnc_listen;
    bool vnc_auto_unix_socket;
    bool vnc_tls;
    char *vnc_tls_x509_cert_dir;
    char *vnc_tls_x509_secret_uuid;
    int64_t vnc_tls_x509_verify;
    char *vnc_password;
    bool vnc_sasl;
    char *vnc_sasl_dir;
    bool vnc_allow_host_audio;
    char *spice_listen;
    bool spice_tls;
    char *spice_tls_x509_cert_dir;
    bool spice_auto_unix_socket;
    char *spice_password;
    bool spice_sasl;
    char *spice_sasl_dir;
    bool chardev_tls;
    char *chardev_tls_x509_cert_dir;
    int64_t chardev_tls_x509_verify;
    char *chardev_tls_x509_secret_uuid;
    char *migrate_tls_x509_cert_dir;
    bool migrate_tls_x509_verify;
    char *migrate_tls_x509_secret_uuid;
    bool migrate_tls_force;
    char *backup_tls_x509_cert_dir;
    bool backup_tls_x509_verify;
    char *backup_tls_x509_secret_uuid;
    bool vxhs_tls;
    char *vxhs_tls_x509_cert_dir;
    char *vxhs_tls_x509_secret_uuid;
    bool nbd_tls;
    char *nbd_tls_x509_cert_dir;
    char *nbd_tls_x509_secret_uuid;
    bool nographics_allow_host_audio;
    int64_t remote_display_port_min;
    int64_t remote_display_port_max;
    int64_t remote_websocket_port_min;
    int64_t remote_websocket_port_max;
    char *security_driver;
    bool security_default_confined;
    bool security_require_confined;
    char *user;
    char *group;
    uid_t uid; /* of both; whom guests run as */
    gid_t gid;
    bool dynamic_ownership;
    bool remember_owner;
    char **cgroup_controllers;
    char **cgroup_device_acl;
    int64_t seccomp_sandbox;
    char **namespaces;
    char *save_image_format;
    char *dump_image_format;
    char *snapshot_image_format;
    char *auto_dump_path;
    bool auto_dump_bypass_cache;
    char *auto_shutdown_try_save, *auto_shutdown_try_shutdown, *auto_shutdown_poweroff; /* host_shutdown.h */
    int64_t auto_shutdown_wait; /* seconds, 0: the usual */
    bool auto_shutdown_restore;
    bool auto_save_bypass_cache;
    bool auto_start_bypass_cache;
    char *hugetlbfs_mount;
    char *bridge_helper;
    char *pr_helper;
    char *slirp_helper;
    char *dbus_daemon;
    bool set_process_name;
    int64_t max_processes;
    int64_t max_files;
    char *max_core;
    bool dump_guest_core;
    char *stdio_handler;
    int64_t max_threads_per_process;
    char *sched_core;
    bool mac_filter;
    bool relaxed_acs_check;
    bool allow_disk_format_probing;
    char *lock_manager;
    int64_t max_queued;
    int64_t keepalive_interval;
    int64_t keepalive_count;
    char *migration_address;
    int64_t migration_port_min;
    int64_t migration_port_max;
    char *migration_host;
    bool log_timestamp;
    char **nvram;
    int64_t gluster_debug_level;
    bool virtiofsd_debug;
    char *deprecation_behavior;
    char *memory_backing_dir;
    char *swtpm_user;
    char *swtpm_group;
    bool clear_emulator_capabilities;
    char **capability_filters;
} QemuConfig;

/* Defaults, then SYSCONFDIR/libvirt/qemu.conf. */
QemuConfig *qemu_config_load(GError **err);
/* What holds without a file. */
QemuConfig *qemu_config_new(void);
/* Its part of what command lines depend on; the rest of ctx stays as it is. */
void qemu_config_cmdline(const QemuConfig *c, QemuCmdlineContext *ctx);
void qemu_config_free(QemuConfig *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuConfig, qemu_config_free)
