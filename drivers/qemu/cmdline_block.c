/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images as block nodes. A layer is two nodes: "libvirt-N-storage" (where the bytes are) and
 * "libvirt-N-format" (what they mean), with a third between them when only a slice of the storage is
 * used. Layers are opened from the deepest backing image up, so that each can name the one below.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/backing.h"
#include "drivers/qemu/cmdline-internal.h"

bool cmd_source_is_empty(const StorageSource *s)
{
    switch (s->type) {
    case STORAGE_NONE: return true;
    case STORAGE_FILE: case STORAGE_BLOCK: case STORAGE_DIR: return !s->path && !s->fdgroup;
    case STORAGE_VOLUME: return !s->path && !s->pool;
    case STORAGE_NETWORK: return s->protocol == PROTOCOL_NONE;
    default: return false;
    }
}

static JsonObject *cache_props(DiskCache cache)
{
    if (cache == DISK_CACHE_DEFAULT)
        return NULL;
    return props_new(P_BOOL("direct", cache == DISK_CACHE_NONE || cache == DISK_CACHE_DIRECTSYNC),
                     P_BOOL("no-flush", cache == DISK_CACHE_UNSAFE));
}

/* ---- storage over a network ---------------------------------------------------------------------- */

static unsigned host_port(const StorageSource *s, const StorageHost *h)
{
    return h->port ? h->port : storage_default_port(s->protocol);
}

static JsonObject *host_props(const StorageSource *s, const StorageHost *h, bool with_type)
{
    char port[12];
    g_snprintf(port, sizeof(port), "%u", host_port(s, h));
    if (h->transport == TRANSPORT_UNIX)
        return props_new(P_STR("type", "unix"), P_STR("path", h->socket));
    return props_new(P_STR("type", with_type ? "inet" : NULL), P_STR("host", h->name), P_STR("port", port));
}

static JsonObject *hosts_array(const StorageSource *s, bool with_type)
{
    if (list_len(s->hosts) == 0)
        return NULL;
    JsonObject *a = json_object_new_array();
    for (unsigned i = 0; i < list_len(s->hosts); i++)
        props_append(a, host_props(s, list_at(s->hosts, i), with_type));
    return a;
}

static const StorageHost *only_host(const StorageSource *s, GError **err)
{
    if (list_len(s->hosts) != 1) {
        (void)qemu_refuse(err, "disk source of protocol '%s' takes one host, found %u",
                         enum_name(&storage_protocol_names, s->protocol), list_len(s->hosts));
        return NULL;
    }
    return list_at(s->hosts, 0);
}

static char *host_and_port(const StorageSource *s, const StorageHost *h)
{
    bool v6 = h->name && strchr(h->name, ':');
    return g_strdup_printf(v6 ? "[%s]:%u" : "%s:%u", h->name ? h->name : "", host_port(s, h));
}

static JsonObject *iscsi_props(const StorageSource *s, const char *secret, GError **err)
{
    const StorageHost *h = only_host(s, err);
    if (!h)
        return NULL;
    g_autofree char *target = g_strdup(s->name ? s->name : ""), *portal = host_and_port(s, h);
    char *slash = strrchr(target, '/');
    unsigned long lun = 0;
    if (slash) {
        char *end;
        lun = strtoul(slash + 1, &end, 10);
        if (end == slash + 1 || *end || lun > 0xffff) {
            (void)qemu_refuse(err, "iscsi source '%s': the part after '/' is no unit number", s->name);
            return NULL;
        }
        *slash = '\0';
    }
    return props_new(P_STR("driver", "iscsi"), P_STR("portal", portal), P_STR("target", target), P_UINT("lun", lun),
                     P_STR("transport", h->transport == TRANSPORT_RDMA ? "iser" : "tcp"),
                     P_STR("user", s->auth ? s->auth->username : NULL), P_STR("password-secret", secret),
                     P_STR("initiator-name", s->initiator));
}

static bool librbd_decrypts(const StorageSource *s)
{
    return s->encryption && s->encryption->engine == ENGINE_LIBRBD;
}

static char *encryption_alias(const StorageSource *s)
{
    return g_strdup_printf("libvirt-%u-format-encryption-secret0", s->index);
}

static JsonObject *rbd_props(const StorageSource *s, const char *secret, GError **err)
{
    g_autofree char *key = librbd_decrypts(s) ? encryption_alias(s) : NULL;
    g_auto(GStrv) part = g_strsplit(s->name ? s->name : "", "/", 3);
    unsigned n = g_strv_length(part);
    if (n < 2) {
        (void)qemu_refuse(err, "rbd source '%s' is not POOL/IMAGE", s->name ? s->name : "");
        return NULL;
    }
    JsonObject *modes = NULL;
    if (secret) {
        modes = json_object_new_array();
        props_append(modes, json_object_new_string("cephx"));
        props_append(modes, json_object_new_string("none"));
    }
    JsonObject *encrypt = !key ? NULL : props_new(P_STR("format", enum_name(&encryption_format_names, s->encryption->format)),
                                                  P_STR("key-secret", key));
    return props_new(P_STR("driver", "rbd"), P_STR("pool", part[0]), P_STR("namespace", n == 3 ? part[1] : NULL),
                     P_STR("image", part[n - 1]), P_STR("snapshot", s->snapshot), P_STR("conf", s->config_file),
                     P_OBJ("server", hosts_array(s, false)), P_OBJ("encrypt", encrypt), P_STR("user", s->auth ? s->auth->username : NULL),
                     P_OBJ("auth-client-required", modes), P_STR("key-secret", secret));
}

static JsonObject *curl_props(const StorageSource *s, const char *secret, GError **err)
{
    const StorageHost *h = only_host(s, err);
    if (!h)
        return NULL;
    const char *scheme = enum_name(&storage_protocol_names, s->protocol), *path = s->name ? s->name : "";
    g_autofree char *at = host_and_port(s, h);
    g_autofree char *url = g_strconcat(scheme, "://", at, *path == '/' ? "" : "/", path, s->query ? "?" : NULL, s->query, NULL);
    GString *cookies = NULL;
    for (unsigned i = 0; i < list_len(s->cookies); i++) {
        const StorageCookie *k = list_at(s->cookies, i);
        if (!cookies)
            cookies = g_string_new(NULL);
        g_string_append_printf(cookies, "%s%s=%s", cookies->len ? "; " : "", k->name, k->value);
    }
    JsonObject *o = props_new(P_STR("driver", scheme), P_STR("url", url),
                              P_STR("username", s->auth ? s->auth->username : NULL), P_STR("password-secret", secret),
                              P_TRI("sslverify", s->ssl_verify), P_STR("cookie", cookies ? cookies->str : NULL),
                              P_UINT_NZ("readahead", s->readahead), P_OPT("timeout", s->timeout));
    if (cookies)
        g_string_free(cookies, TRUE);
    return o;
}

static JsonObject *network_props(Cmd *c, const StorageSource *s, const char *node, const char *secret, GError **err)
{
    switch (s->protocol) {
    case PROTOCOL_NBD: {
        const StorageHost *h = only_host(s, err);
        if (!h)
            return NULL;
        g_autofree char *creds = NULL;
        if (cmd_source_tls(c->ctx, s)) {
            creds = g_strdup_printf("obj%s_tls0", node);
            if (!cmd_tls_creds(c, creds, c->ctx->nbd_tls_dir, false, true, c->ctx->nbd_tls_secret, creds, err))
                return NULL;
        }
        return props_new(P_STR("driver", "nbd"), P_OBJ("server", host_props(s, h, true)), P_STR("export", s->name),
                         P_STR("tls-creds", creds), P_STR("tls-hostname", creds ? s->tls_hostname : NULL),
                         P_UINT_NZ("reconnect-delay", s->reconnect_delay));
    }
    case PROTOCOL_ISCSI: return iscsi_props(s, secret, err);
    case PROTOCOL_RBD: return rbd_props(s, secret, err);
    case PROTOCOL_GLUSTER: {
        g_auto(GStrv) part = g_strsplit(s->name ? s->name : "", "/", 2);
        if (g_strv_length(part) != 2) {
            (void)qemu_refuse(err, "gluster source '%s' is not VOLUME/IMAGE", s->name ? s->name : "");
            return NULL;
        }
        return props_new(P_STR("driver", "gluster"), P_STR("volume", part[0]), P_STR("path", part[1]),
                         P_OBJ("server", hosts_array(s, true)), P_UINT("debug", 4));
    }
    case PROTOCOL_HTTP: case PROTOCOL_HTTPS: case PROTOCOL_FTP: case PROTOCOL_FTPS:
        return curl_props(s, secret, err);
    case PROTOCOL_SSH: {
        const StorageHost *h = only_host(s, err);
        return h ? props_new(P_STR("driver", "ssh"), P_STR("path", s->name), P_OBJ("server", host_props(s, h, false)),
                             P_STR("user", s->auth ? s->auth->username : s->ssh_username)) : NULL;
    }
    case PROTOCOL_NFS: {
        const StorageHost *h = only_host(s, err);
        if (!h)
            return NULL;
        const char *user = s->nfs_user, *group = s->nfs_group;
        /* "+1000" is a number, anything else a name that only the host can turn into one. */
        if ((user && *user != '+' && !g_ascii_isdigit(*user)) || (group && *group != '+' && !g_ascii_isdigit(*group))) {
            (void)qemu_refuse(err, "nfs source: identity must be numeric ('+1000')");
            return NULL;
        }
        return props_new(P_STR("driver", "nfs"),
                         P_OBJ("server", props_new(P_STR("host", h->name), P_STR("type", "inet"))), P_STR("path", s->name),
                         P_UINT_IF("user", user, user ? strtoul(user, NULL, 10) : 0),
                         P_UINT_IF("group", group, group ? strtoul(group, NULL, 10) : 0));
    }
    case PROTOCOL_NONE: case PROTOCOL_SHEEPDOG: case PROTOCOL_TFTP: case PROTOCOL_VXHS: case _STORAGE_PROTOCOL_N:
        break;
    }
    (void)qemu_refuse(err, "disk source of protocol '%s' is not supported", enum_name(&storage_protocol_names, s->protocol));
    return NULL;
}

/* ---- storage nodes ------------------------------------------------------------------------------- */

static bool is_host_cdrom(const Cmd *c, const StorageSource *s, const DiskDef *disk)
{
    if (!disk || disk->device != DISK_DEVICE_CDROM || !s->path)
        return false;
    if (c->ctx->is_cdrom)
        return c->ctx->is_cdrom(c->ctx->opaque, s->path);
    return g_str_has_prefix(s->path, "/dev/cdrom") || g_str_has_prefix(s->path, "/dev/sr");
}

static bool managed_reservations(const StorageSource *s)
{
    return s->reservations && tri_is_yes(s->reservations->managed);
}

/* The helper's object. The one that we run is shared: it comes with the first disk that needs it, and goes
 * with the last. */
static char *reservations(Cmd *c, const StorageSource *s, const DiskDef *disk, GError **err)
{
    bool managed = managed_reservations(s);
    g_autofree char *id = managed || !disk ? g_strdup("pr-helper0") : g_strdup_printf("pr-helper-%s", disk->dev.info.alias);
    const char *path = managed ? c->ctx->pr_socket : s->reservations->source_path;
    const DiskDef *o;
    if (!path && !(c->plug && c->plug->removing)) {
        (void)qemu_refuse(err, "disk source: persistent reservations that are managed for the guest are not supported");
        return NULL;
    }
    for (guint pos = 0; managed && (o = domain_next(c->def, DEVICE_DISK, &pos)) && (o != disk || c->plug);) {
        if (o != disk && managed_reservations(&o->src))
            return g_steal_pointer(&id);
    }
    cmd_json(c, "-object", props_new(P_STR("qom-type", "pr-manager-helper"), P_STR("id", id), P_STR("path", path)));
    return g_steal_pointer(&id);
}

/* What names the bytes, without node-name and what follows it. disk may be NULL. */
JsonObject *cmd_storage_props(Cmd *c, const StorageSource *s, const DiskDef *disk, const char *node, GError **err)
{
    g_autofree char *secret = NULL;
    if (s->auth && s->auth->secret.type != SECRET_NONE) {
        secret = g_str_has_suffix(node, "-backend") ? g_strdup_printf("%s-secret0", node) : g_strdup_printf("%s-auth-secret0", node);
        if (!cmd_secret(c, &s->auth->secret, secret, err))
            return NULL;
    }
    g_autofree char *manager = NULL;
    if (s->reservations && !(manager = reservations(c, s, disk, err)))
        return NULL;
    if (s->type == STORAGE_VOLUME && !s->path) {
        (void)qemu_refuse(err, "disk source: volume '%s' of pool '%s' has not been looked up", s->volume, s->pool);
        return NULL;
    }
    if (s->fdgroup) {
        (void)qemu_refuse(err, "fdgroup '%s': descriptors can be given for the images of disks", s->fdgroup);
        return NULL;
    }
    const char *aio = disk && disk->io != DISK_IO_DEFAULT ? enum_name(&disk_io_names, disk->io) : NULL;
    switch (s->type) {
    case STORAGE_FILE: case STORAGE_VOLUME:
        return props_new(P_STR("driver", "file"), P_STR("filename", s->path), P_STR("aio", aio), P_STR("pr-manager", manager));
    case STORAGE_BLOCK:
        return props_new(P_STR("driver", is_host_cdrom(c, s, disk) ? "host_cdrom" : "host_device"),
                         P_STR("filename", s->path), P_STR("aio", aio), P_STR("pr-manager", manager));
    case STORAGE_DIR:
        return props_new(P_STR("driver", "vvfat"), P_STR("dir", s->path),
                         P_BOOL("floppy", disk && disk->device == DISK_DEVICE_FLOPPY), P_BOOL("rw", false));
    case STORAGE_NVME: {
        const PciAddress *a = &s->nvme_address;
        g_autofree char *dev = g_strdup_printf("%04x:%02x:%02x.%x", a->domain, a->bus, a->slot, a->function);
        return props_new(P_STR("driver", "nvme"), P_STR("device", dev), P_UINT("namespace", s->nvme_namespace));
    }
    case STORAGE_NETWORK:
        return network_props(c, s, node, secret, err);
    case STORAGE_VHOSTVDPA: case STORAGE_VHOSTUSER: case STORAGE_NONE: case _STORAGE_TYPE_N:
        break;
    }
    (void)qemu_refuse(err, "disk source of type '%s' is not supported", enum_name(&storage_type_names, s->type));
    return NULL;
}

static void add_storage(Cmd *c, JsonObject *o, const DiskDef *disk, const char *node, bool auto_readonly, bool readonly)
{
    props_add(o, P_STR("node-name", node));
    if (!auto_readonly)
        props_add(o, P_BOOL("read-only", readonly));
    props_add(o, P_OBJ("cache", cache_props(disk ? disk->cache : DISK_CACHE_DEFAULT)), P_YES("auto-read-only", auto_readonly),
              P_STR("discard", "unmap"));
    cmd_json(c, "-blockdev", o);
}

bool cmd_blockdev_storage(Cmd *c, const StorageSource *s, const DiskDef *disk, const char *node, bool auto_readonly,
                          bool readonly, GError **err)
{
    JsonObject *o = cmd_storage_props(c, s, disk, node, err);
    if (o)
        add_storage(c, o, disk, node, auto_readonly, readonly);
    return o != NULL;
}

/* ---- format nodes --------------------------------------------------------------------------------- */

static const char *format_driver(StorageFormat f)
{
    switch (f) {
    case FORMAT_NONE: case FORMAT_RAW: case FORMAT_DIR: case FORMAT_FAT: case FORMAT_ISO: return "raw";
    case FORMAT_QCOW2: return "qcow2";
    case FORMAT_QCOW: return "qcow";
    case FORMAT_QED: return "qed";
    case FORMAT_VMDK: return "vmdk";
    case FORMAT_VDI: return "vdi";
    case FORMAT_VPC: return "vpc";
    case FORMAT_VHD: return "vhdx";
    case FORMAT_BOCHS: return "bochs";
    case FORMAT_CLOOP: return "cloop";
    case FORMAT_DMG: return "dmg";
    case FORMAT_PLOOP: return "parallels";
    case FORMAT_COW: case FORMAT_AUTO: case _STORAGE_FORMAT_N: break;
    }
    return NULL;
}

static bool can_have_backing(StorageFormat f)
{
    return f == FORMAT_QCOW2 || f == FORMAT_QCOW || f == FORMAT_QED || f == FORMAT_VMDK || f == FORMAT_COW;
}

/* *ret_format: as the emulator's own layer of the image knows it. */
static bool encryption(Cmd *c, const StorageSource *s, char **ret_secret, const char **ret_format, GError **err)
{
    const StorageEncryption *e = s->encryption;
    if (!e)
        return true;
    const char *word = enum_name(&encryption_format_names, e->format);
    const char *format = e->format == ENCRYPTION_LUKS ? "luks" : e->format == ENCRYPTION_QCOW ? "aes" : NULL;
    if (librbd_decrypts(s)) {
        if (s->type != STORAGE_NETWORK || s->protocol != PROTOCOL_RBD)
            return qemu_refuse(err, "librbd encryption is supported only with RBD backed disks");
        if (c->caps && !qemu_caps_has(c->caps, QEMU_CAP_RBD_ENCRYPTION))
            return qemu_refuse(err, "librbd encryption is not supported by this QEMU binary");
        if (e->format != ENCRYPTION_LUKS && e->format != ENCRYPTION_LUKS2)
            return qemu_refuse(err, "librbd encryption engine only supports luks/luks2 formats, not '%s'", word);
    } else if (e->format == ENCRYPTION_LUKS2) {
        return qemu_refuse(err, "luks2 is currently not supported by the qemu encryption engine");
    } else if (!format) {
        return qemu_refuse(err, "disk encryption of format '%s' is not supported", word);
    }
    if (list_len(e->secrets) != 1)
        return qemu_refuse(err, "disk encryption of format '%s' takes one secret, found %u", word, list_len(e->secrets));
    g_autofree char *alias = encryption_alias(s);
    if (!cmd_secret(c, list_at(e->secrets, 0), alias, err))
        return false;
    *ret_secret = g_steal_pointer(&alias);
    *ret_format = format;
    return true;
}

/* Of an image whose descriptors a client gave; ret_n: how many. */
static JsonObject *given_props(Cmd *c, const StorageSource *s, const DiskDef *disk, const char *node, unsigned *ret_n, GError **err)
{
    g_autofree char *path = cmd_fd_group(c, s->fdgroup, node, ret_n, err);
    const char *aio = disk->io != DISK_IO_DEFAULT ? enum_name(&disk_io_names, disk->io) : NULL;

    return path ? props_new(P_STR("driver", "file"), P_STR("filename", path), P_STR("aio", aio)) : NULL;
}

static bool add_layer(Cmd *c, const DiskDef *disk, const StorageSource *s, bool top, bool readonly, GError **err)
{
    g_autofree char *storage = g_strdup_printf("libvirt-%u-storage", s->index);
    g_autofree char *format = g_strdup_printf("libvirt-%u-format", s->index);
    g_autofree char *slice = NULL, *key = NULL;
    const char *key_format = NULL, *driver = format_driver(s->format);
    const StorageSlice *part = list_len(s->slices) ? list_at(s->slices, 0) : NULL;

    if (!driver)
        return qemu_refuse(err, "disk '%s': image format '%s' is not supported", disk->dst, enum_name(&storage_format_names, s->format));
    unsigned given = 0;
    JsonObject *below = s->fdgroup ? given_props(c, s, disk, storage, &given, err) : cmd_storage_props(c, s, disk, storage, err);
    if (!below)
        return false;
    if (!encryption(c, s, &key, &key_format, err)) {
        json_put_(below);
        return false;
    }
    if (librbd_decrypts(s))
        g_clear_pointer(&key, g_free); /* it is the storage's */
    /* A single descriptor can be opened in its own mode only. */
    add_storage(c, below, disk, storage, given != 1, readonly);

    bool raw = strcmp(driver, "raw") == 0, luks = raw && key;
    if (part && (!raw || luks)) {
        slice = g_strdup_printf("libvirt-%u-slice-sto", s->index);
        cmd_json(c, "-blockdev", props_new(P_STR("driver", "raw"), P_STR("node-name", slice), P_UINT("offset", part->offset),
                                           P_UINT("size", part->size), P_STR("file", storage), P_BOOL("auto-read-only", true),
                                           P_STR("discard", "unmap"), P_OBJ("cache", cache_props(disk->cache))));
    }
    const char *discard = disk->discard != DISK_DISCARD_DEFAULT ? enum_name(&disk_discard_names, disk->discard) : NULL;
    DetectZeroes zeroes = top ? disk->detect_zeroes : DETECT_ZEROES_DEFAULT;
    if (zeroes == DETECT_ZEROES_UNMAP && disk->discard != DISK_DISCARD_UNMAP)
        zeroes = DETECT_ZEROES_ON; /* there is nothing to turn zeroes into */
    JsonObject *o = props_new(P_STR("node-name", format), P_BOOL("read-only", readonly),
                              P_OBJ("cache", cache_props(disk->cache)), P_STR("discard", discard),
                              P_STR("detect-zeroes", zeroes != DETECT_ZEROES_DEFAULT ? enum_name(&detect_zeroes_names, zeroes) : NULL));
    if (luks) {
        props_add(o, P_STR("driver", "luks"), P_STR("key-secret", key));
    } else {
        props_add(o, P_STR("driver", driver));
        if (key)
            props_add(o, P_OBJ("encrypt", props_new(P_STR("format", key_format), P_STR("key-secret", key))));
        if (raw && part)
            props_add(o, P_UINT("offset", part->offset), P_UINT("size", part->size));
    }
    if (s->format == FORMAT_QCOW2)
        props_add(o, P_TRI("discard-no-unref", disk->discard_no_unref), P_UINT_NZ("cache-size", s->metadata_cache_size));
    props_add(o, P_STR("file", slice ? slice : storage));
    if (can_have_backing(s->format)) {
        if (s->backing && !cmd_source_is_empty(s->backing)) {
            g_autofree char *backing = g_strdup_printf("libvirt-%u-format", s->backing->index);
            props_add(o, P_STR("backing", backing));
        } else if (s->backing_none) {
            json_object_object_add(o, "backing", NULL);
        }
    }
    cmd_json(c, "-blockdev", o);
    return true;
}

bool cmd_blockdev_chain(Cmd *c, const DiskDef *disk, GError **err)
{
    enum { CHAIN_MAX = 200 };
    const StorageSource *chain[CHAIN_MAX];
    unsigned n = 0;
    for (const StorageSource *s = &disk->src; s && !cmd_source_is_empty(s); s = s->backing) {
        if (n == CHAIN_MAX)
            return qemu_refuse(err, "disk '%s': more than %d images in its chain", disk->dst, CHAIN_MAX);
        chain[n++] = s;
    }
    bool readonly = disk->readonly || disk->device == DISK_DEVICE_CDROM || disk->src.type == STORAGE_DIR;
    for (unsigned i = n; i > 0; i--) {
        if (!add_layer(c, disk, chain[i - 1], i == 1, i == 1 ? readonly : true, err))
            return false;
    }
    if (n && tri_is_yes(disk->copy_on_read)) {
        g_autofree char *node = g_strdup_printf("libvirt-CoR-%s", disk->dst);
        g_autofree char *top = g_strdup_printf("libvirt-%u-format", disk->src.index);
        cmd_json(c, "-blockdev", props_new(P_STR("driver", "copy-on-read"), P_STR("node-name", node), P_STR("file", top),
                                           P_STR("discard", "unmap")));
    }
    return true;
}
