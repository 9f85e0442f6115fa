/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of qemu.conf and its defaults. */
#define LOG_SOURCE "qemu.config"
#include "drivers/qemu/config.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "drivers/qemu/access.h"
#include "drivers/qemu/host_shutdown.h"
#include "util/conffile.h"
#include "util/error.h"
#include "util/log.h"
#include "util/paths.h"

#define KEY(name, type, doc) { #name, type, offsetof(QemuConfig, name), doc }

/* clang-format off */
static const ConfFileKey keys[] = {
    KEY(default_tls_x509_cert_dir, CONFFILE_STRING, ""),
    KEY(default_tls_x509_verify, CONFFILE_INT, ""),
    KEY(default_tls_x509_secret_uuid, CONFFILE_STRING, ""),
    KEY(vnc_listen, CONFFILE_STRING, ""),
    KEY(vnc_auto_unix_socket, CONFFILE_BOOL, ""),
    KEY(vnc_tls, CONFFILE_BOOL, ""),
    KEY(vnc_tls_x509_cert_dir, CONFFILE_STRING, ""),
    KEY(vnc_tls_x509_secret_uuid, CONFFILE_STRING, ""),
    KEY(vnc_tls_x509_verify, CONFFILE_INT, ""),
    KEY(vnc_password, CONFFILE_STRING, ""),
    KEY(vnc_sasl, CONFFILE_BOOL, ""),
    KEY(vnc_sasl_dir, CONFFILE_STRING, ""),
    KEY(vnc_allow_host_audio, CONFFILE_BOOL, ""),
    KEY(spice_listen, CONFFILE_STRING, ""),
    KEY(spice_tls, CONFFILE_BOOL, ""),
    KEY(spice_tls_x509_cert_dir, CONFFILE_STRING, ""),
    KEY(spice_auto_unix_socket, CONFFILE_BOOL, ""),
    KEY(spice_password, CONFFILE_STRING, ""),
    KEY(spice_sasl, CONFFILE_BOOL, ""),
    KEY(spice_sasl_dir, CONFFILE_STRING, ""),
    KEY(chardev_tls, CONFFILE_BOOL, ""),
    KEY(chardev_tls_x509_cert_dir, CONFFILE_STRING, ""),
    KEY(chardev_tls_x509_verify, CONFFILE_INT, ""),
    KEY(chardev_tls_x509_secret_uuid, CONFFILE_STRING, ""),
    KEY(migrate_tls_x509_cert_dir, CONFFILE_STRING, "not yet"),
    KEY(migrate_tls_x509_verify, CONFFILE_BOOL, "not yet"),
    KEY(migrate_tls_x509_secret_uuid, CONFFILE_STRING, "not yet"),
    KEY(migrate_tls_force, CONFFILE_BOOL, "not yet"),
    KEY(backup_tls_x509_cert_dir, CONFFILE_STRING, "not yet"),
    KEY(backup_tls_x509_verify, CONFFILE_BOOL, "not yet"),
    KEY(backup_tls_x509_secret_uuid, CONFFILE_STRING, "not yet"),
    KEY(vxhs_tls, CONFFILE_BOOL, "not yet"),
    KEY(vxhs_tls_x509_cert_dir, CONFFILE_STRING, "not yet"),
    KEY(vxhs_tls_x509_secret_uuid, CONFFILE_STRING, "not yet"),
    KEY(nbd_tls, CONFFILE_BOOL, ""),
    KEY(nbd_tls_x509_cert_dir, CONFFILE_STRING, ""),
    KEY(nbd_tls_x509_secret_uuid, CONFFILE_STRING, ""),
    KEY(nographics_allow_host_audio, CONFFILE_BOOL, ""),
    KEY(remote_display_port_min, CONFFILE_INT, ""),
    KEY(remote_display_port_max, CONFFILE_INT, ""),
    KEY(remote_websocket_port_min, CONFFILE_INT, "not yet"),
    KEY(remote_websocket_port_max, CONFFILE_INT, "not yet"),
    KEY(security_driver, CONFFILE_STRING, ""),
    KEY(security_default_confined, CONFFILE_BOOL, ""),
    KEY(security_require_confined, CONFFILE_BOOL, ""),
    KEY(user, CONFFILE_STRING, ""),
    KEY(group, CONFFILE_STRING, ""),
    KEY(dynamic_ownership, CONFFILE_BOOL, ""),
    KEY(remember_owner, CONFFILE_BOOL, ""),
    KEY(cgroup_controllers, CONFFILE_STRING_LIST, ""),
    KEY(cgroup_device_acl, CONFFILE_STRING_LIST, ""),
    KEY(seccomp_sandbox, CONFFILE_INT, ""),
    KEY(namespaces, CONFFILE_STRING_LIST, ""),
    KEY(save_image_format, CONFFILE_STRING, "not yet"),
    KEY(dump_image_format, CONFFILE_STRING, "not yet"),
    KEY(snapshot_image_format, CONFFILE_STRING, "not yet"),
    KEY(auto_dump_path, CONFFILE_STRING, "not yet"),
    KEY(auto_dump_bypass_cache, CONFFILE_BOOL, "not yet"),
    KEY(auto_shutdown_try_save, CONFFILE_STRING, ""),
    KEY(auto_shutdown_try_shutdown, CONFFILE_STRING, ""),
    KEY(auto_shutdown_poweroff, CONFFILE_STRING, ""),
    KEY(auto_shutdown_wait, CONFFILE_INT, ""),
    KEY(auto_shutdown_restore, CONFFILE_BOOL, ""),
    KEY(auto_save_bypass_cache, CONFFILE_BOOL, ""),
    KEY(auto_start_bypass_cache, CONFFILE_BOOL, ""),
    KEY(hugetlbfs_mount, CONFFILE_STRING, ""),
    KEY(bridge_helper, CONFFILE_STRING, ""),
    KEY(pr_helper, CONFFILE_STRING, "not yet"),
    KEY(slirp_helper, CONFFILE_STRING, "not yet"),
    KEY(dbus_daemon, CONFFILE_STRING, "not yet"),
    KEY(set_process_name, CONFFILE_BOOL, ""),
    KEY(max_processes, CONFFILE_INT, "not yet"),
    KEY(max_files, CONFFILE_INT, "not yet"),
    KEY(max_core, CONFFILE_STRING, "not yet"),
    KEY(dump_guest_core, CONFFILE_BOOL, ""),
    KEY(stdio_handler, CONFFILE_STRING, ""),
    KEY(max_threads_per_process, CONFFILE_INT, "not yet"),
    KEY(sched_core, CONFFILE_STRING, "not yet"),
    KEY(mac_filter, CONFFILE_BOOL, "not yet"),
    KEY(relaxed_acs_check, CONFFILE_BOOL, "not yet"),
    KEY(allow_disk_format_probing, CONFFILE_BOOL, "not yet"),
    KEY(lock_manager, CONFFILE_STRING, "not yet"),
    KEY(max_queued, CONFFILE_INT, ""),
    KEY(keepalive_interval, CONFFILE_INT, ""),
    KEY(keepalive_count, CONFFILE_INT, ""),
    KEY(migration_address, CONFFILE_STRING, "not yet"),
    KEY(migration_port_min, CONFFILE_INT, "not yet"),
    KEY(migration_port_max, CONFFILE_INT, "not yet"),
    KEY(migration_host, CONFFILE_STRING, "not yet"),
    KEY(log_timestamp, CONFFILE_BOOL, ""),
    KEY(nvram, CONFFILE_STRING_LIST, "not yet"),
    KEY(gluster_debug_level, CONFFILE_INT, "not yet"),
    KEY(virtiofsd_debug, CONFFILE_BOOL, "not yet"),
    KEY(deprecation_behavior, CONFFILE_STRING, "not yet"),
    KEY(memory_backing_dir, CONFFILE_STRING, ""),
    KEY(swtpm_user, CONFFILE_STRING, "not yet"),
    KEY(swtpm_group, CONFFILE_STRING, "not yet"),
    KEY(clear_emulator_capabilities, CONFFILE_BOOL, ""),
    KEY(capability_filters, CONFFILE_STRING_LIST, "not yet"),
};
/* clang-format on */

static void set_defaults(QemuConfig *c)
{
    c->vnc_listen = g_strdup("127.0.0.1");
    c->spice_listen = g_strdup("127.0.0.1");
    c->remote_display_port_min = 5900;
    c->remote_display_port_max = 65535;
    c->remote_websocket_port_min = 5700;
    c->remote_websocket_port_max = 65535;
    c->migration_port_min = 49152;
    c->migration_port_max = 49215;
    c->security_default_confined = true;
    c->dynamic_ownership = true;
    c->remember_owner = true;
    c->clear_emulator_capabilities = true;
    c->auto_shutdown_restore = true;
    c->seccomp_sandbox = -1;
    c->default_tls_x509_verify = c->vnc_tls_x509_verify = c->chardev_tls_x509_verify = -1;
    c->log_timestamp = true;
    c->keepalive_interval = 5;
    c->keepalive_count = 5;
    c->gluster_debug_level = 4;
    c->bridge_helper = g_strdup("/usr/lib/qemu/qemu-bridge-helper");
    c->memory_backing_dir = g_build_filename(paths()->lib, "qemu", "ram", NULL);
}

/* Is a key that we do not honour set to something? */
static bool asks_for_something(const ConfFileKey *k, const QemuConfig *c, const QemuConfig *defaults)
{
    const void *a = (const char *)c + k->off, *b = (const char *)defaults + k->off;

    switch (k->type) {
    case CONFFILE_BOOL:
        return *(const bool *)a != *(const bool *)b;
    case CONFFILE_INT:
    case CONFFILE_UINT:
        return *(const int64_t *)a != *(const int64_t *)b;
    case CONFFILE_STRING:
        return g_strcmp0(*(char *const *)a, *(char *const *)b) != 0;
    case CONFFILE_STRING_LIST:
        return *(char **const *)a && **(char **const *)a;
    }
    return false;
}

QemuConfig *qemu_config_new(void)
{
    QemuConfig *c = g_new0(QemuConfig, 1);

    set_defaults(c);
    return c;
}

/* Who runs guests when nobody said: the account that distributions make for it; in a scratch root, where
 * directories are whoever made them's, the daemon's own user. */
static bool resolve_user(QemuConfig *c, GError **err)
{
    static const char account[] = "libvirt-qemu";
    bool ours = paths()->session || paths()->root;

    c->uid = geteuid();
    c->gid = getegid();
    if (paths()->session)
        return true; /* it can run them as nobody else */
    if (!ours && !c->user && creds_parse_user(account, &c->uid, NULL))
        (void)creds_parse_group(account, &c->gid, NULL);
    return (!c->user || !*c->user || creds_parse_user(c->user, &c->uid, err)) &&
           (!c->group || !*c->group || creds_parse_group(c->group, &c->gid, err));
}

/* Only what a kernel of this host and we have. */
static bool check_security_driver(const QemuConfig *c, GError **err)
{
    if (!c->security_driver || !*c->security_driver || strcmp(c->security_driver, "none") == 0 ||
        strcmp(c->security_driver, "dac") == 0)
        return true;
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "security_driver: '%s' is not supported; 'none' is", c->security_driver);
    return false;
}

static bool check_namespaces(const QemuConfig *c, GError **err)
{
    for (char **name = c->namespaces; name && *name; name++) {
        if (strcmp(*name, "mount") != 0) {
            error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "namespaces: '%s' is not known, 'mount' is", *name);
            return false;
        }
        if (paths()->session) {
            error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "namespaces: they cannot be used in session mode");
            return false;
        }
    }
    return true;
}

/* Where a use of TLS has no settings of its own, those of all count. Certificates are where the host keeps those of
 * this use, or those of emulators. */
static bool settle_tls(QemuConfig *c, GError **err)
{
    g_autofree char *base = g_path_get_dirname(paths()->etc), *pki = g_build_filename(base, "pki", NULL);
    const struct {
        const char *use;
        char **dir, **secret;
        int64_t *verify, usual;
    } uses[] = {
        { "default", &c->default_tls_x509_cert_dir, &c->default_tls_x509_secret_uuid, &c->default_tls_x509_verify, -1 },
        { "vnc", &c->vnc_tls_x509_cert_dir, &c->vnc_tls_x509_secret_uuid, &c->vnc_tls_x509_verify, false },
        { "spice", &c->spice_tls_x509_cert_dir, NULL, NULL, false },
        { "chardev", &c->chardev_tls_x509_cert_dir, &c->chardev_tls_x509_secret_uuid, &c->chardev_tls_x509_verify, true },
        { "nbd", &c->nbd_tls_x509_cert_dir, &c->nbd_tls_x509_secret_uuid, NULL, false },
    };
    Uuid uuid;

    if (!c->default_tls_x509_cert_dir)
        c->default_tls_x509_cert_dir = g_build_filename(pki, "qemu", NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(uses); i++) {
        g_autofree char *name = g_strconcat("libvirt-", uses[i].use, NULL), *own = g_build_filename(pki, name, NULL);
        if (!*uses[i].dir)
            *uses[i].dir = g_file_test(own, G_FILE_TEST_EXISTS) ? g_steal_pointer(&own) : g_strdup(c->default_tls_x509_cert_dir);
        if (uses[i].secret && !*uses[i].secret)
            *uses[i].secret = g_strdup(c->default_tls_x509_secret_uuid);
        if (uses[i].verify && *uses[i].verify < 0)
            *uses[i].verify = c->default_tls_x509_verify >= 0 ? c->default_tls_x509_verify : uses[i].usual;
        if (uses[i].secret && *uses[i].secret && !uuid_parse(*uses[i].secret, uuid)) {
            error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "%s_tls_x509_secret_uuid: '%s' is not a UUID", uses[i].use, *uses[i].secret);
            return false;
        }
    }
    return true;
}

QemuConfig *qemu_config_load(GError **err)
{
    g_autofree char *path = g_build_filename(paths()->etc, "qemu.conf", NULL);
    g_autoptr(QemuConfig) c = qemu_config_new(), defaults = qemu_config_new();

    if (!conffile_load(path, keys, G_N_ELEMENTS(keys), c, err))
        return NULL;
    if (!resolve_user(c, err) || !check_security_driver(c, err) || !check_namespaces(c, err) ||
        !host_shutdown_check(c, err)) {
        g_prefix_error(err, "%s: ", path);
        return NULL;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++)
        if (*keys[i].doc && asks_for_something(&keys[i], c, defaults))
            log_warn("%s: '%s' is not supported yet and has no effect", path, keys[i].name);
    if (settle_tls(c, err))
        return g_steal_pointer(&c);
    g_prefix_error(err, "%s: ", path);
    return NULL;
}

void qemu_config_free(QemuConfig *c)
{
    if (!c)
        return;
    conffile_clear(keys, G_N_ELEMENTS(keys), c);
    g_free(c);
}

void qemu_config_cmdline(const QemuConfig *c, QemuCmdlineContext *ctx)
{
    ctx->no_sandbox = c->seccomp_sandbox == 0;
    ctx->memory_backing_dir = c->memory_backing_dir;
    ctx->vnc_listen = c->vnc_listen;
    ctx->spice_listen = c->spice_listen;
    ctx->vnc_tls = c->vnc_tls;
    ctx->vnc_tls_verify = c->vnc_tls_x509_verify;
    ctx->vnc_tls_secret = c->vnc_tls_x509_secret_uuid;
    ctx->vnc_tls_dir = c->vnc_tls_x509_cert_dir;
    ctx->vnc_sasl = c->vnc_sasl;
    ctx->vnc_sasl_dir = c->vnc_sasl_dir;
    ctx->vnc_password_always = c->vnc_password != NULL;
    ctx->vnc_auto_unix_socket = c->vnc_auto_unix_socket;
    ctx->spice_auto_unix_socket = c->spice_auto_unix_socket;
    ctx->spice_tls = c->spice_tls;
    ctx->spice_tls_dir = c->spice_tls_x509_cert_dir;
    ctx->spice_sasl = c->spice_sasl;
    ctx->spice_sasl_dir = c->spice_sasl_dir;
    ctx->spice_password = c->spice_password != NULL;
    ctx->chardev_tls = c->chardev_tls;
    ctx->chardev_tls_verify = c->chardev_tls_x509_verify;
    ctx->chardev_tls_dir = c->chardev_tls_x509_cert_dir;
    ctx->chardev_tls_secret = c->chardev_tls_x509_secret_uuid;
    ctx->nbd_tls = c->nbd_tls;
    ctx->nbd_tls_dir = c->nbd_tls_x509_cert_dir;
    ctx->nbd_tls_secret = c->nbd_tls_x509_secret_uuid;
    ctx->set_process_name = c->set_process_name;
    ctx->dump_guest_core = c->dump_guest_core;
    ctx->log_timestamp = c->log_timestamp;
}
