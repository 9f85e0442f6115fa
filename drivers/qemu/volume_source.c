/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a volume is for an emulator (volume_source.h), by the kind of its pool. Pools on the host give a path; those that are
 * a server give a network source, with the pool's hosts and credentials. Pure, any thread.
 */
#include <string.h>

#include "conf/backing.h"
#include "drivers/qemu/volume_source.h"
#include "util/api.h"
#include "util/error.h"

static bool refuse(GError **err, const char *why)
{
    error_set(err, VIR_ERR_XML_ERROR, "%s", why);
    return false;
}

static bool of_this_kind(StorageSource *s, StoragePoolType pool, StorageVolumeType kind, const char *path, GError **err)
{
    StorageType type = kind == VOLUME_FILE || kind == VOLUME_PLOOP ? STORAGE_FILE
                       : kind == VOLUME_BLOCK ? STORAGE_BLOCK
                       : kind == VOLUME_DIR ? STORAGE_DIR : STORAGE_NONE;

    if (type == STORAGE_NONE) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "unexpected storage volume type '%s' for storage pool type '%s'",
                  kind < _VOLUME_TYPE_N ? enum_name(&storage_volume_type_names, kind) : "unknown",
                  enum_name(&storage_pool_type_names, pool));
        return false;
    }
    if (*path != '/') {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the path of the volume is '%s', one from the root expected", path);
        return false;
    }
    s->type = type;
    s->path = g_strdup(path);
    return true;
}

static void take_hosts(StorageSource *s, const StoragePoolSource *pool)
{
    s->hosts = g_ptr_array_new();
    for (unsigned i = 0; i < list_len(pool->hosts); i++) {
        const PoolHost *from = list_at(pool->hosts, i);
        StorageHost *to = g_new0(StorageHost, 1);
        to->name = g_strdup(from->name);
        to->port = from->port;
        g_ptr_array_add(s->hosts, to);
    }
}

static void take_auth(StorageSource *s, const PoolAuth *from, SecretType type)
{
    if (!from)
        return;
    s->auth = g_new0(StorageAuth, 1);
    s->auth->username = g_strdup(from->username);
    s->auth->secret = from->secret;
    s->auth->secret.usage = g_strdup(from->secret.usage);
    s->auth->secret.type = type;
}

static void network(StorageSource *s, StorageProtocol protocol, const StoragePoolSource *pool, SecretType secret)
{
    s->type = STORAGE_NETWORK;
    s->protocol = protocol;
    take_hosts(s, pool);
    take_auth(s, pool->auth, secret);
}

/* Volumes of these pools are called after their place: "unit:0:0:LUN". */
static bool iscsi(StorageSource *s, const StoragePoolSource *pool, GError **err)
{
    g_auto(GStrv) part = g_strsplit(s->volume, ":", 5);

    if (g_strv_length(part) != 4 || !list_len(pool->devices) || !*part[3]) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "unexpected iscsi volume name '%s'", s->volume);
        return false;
    }
    network(s, PROTOCOL_ISCSI, pool, SECRET_ISCSI);
    s->name = g_strdup_printf("%s/%s", ((const PoolDevice *)list_at(pool->devices, 0))->path, part[3]);
    s->initiator = g_strdup(pool->initiator);
    return true;
}

/* "/a/b/" is "a/b/", "/" nothing. */
static char *below(const char *dir)
{
    g_autofree char *copy = g_strdup(dir ? dir : "");
    char *from = copy + strspn(copy, "/");
    size_t n = strlen(from);

    while (n && from[n - 1] == '/')
        n--;
    return n ? g_strdup_printf("%.*s/", (int)n, from) : g_strdup("");
}

static bool place(StorageSource *s, const StoragePoolDef *def, StorageVolumeType kind, const char *path, GError **err)
{
    const StoragePoolSource *pool = &def->source;

    if (s->pool_mode && pool->type != POOL_ISCSI && pool->type != POOL_ISCSI_DIRECT)
        return refuse(err, "disk source mode is only valid when storage pool is of iscsi type");
    switch (pool->type) {
    case POOL_DIR: case POOL_FS: case POOL_NETFS: case POOL_LOGICAL: case POOL_DISK: case POOL_SCSI: case POOL_MPATH:
    case POOL_ZFS: case POOL_VSTORAGE:
        return of_this_kind(s, pool->type, kind, path, err);
    case POOL_ISCSI:
        if (s->startup_policy)
            return refuse(err, "'startupPolicy' is only valid for 'file' type volume");
        return s->pool_mode == POOL_MODE_DIRECT ? iscsi(s, pool, err) : of_this_kind(s, pool->type, kind, path, err);
    case POOL_ISCSI_DIRECT:
        if (s->startup_policy)
            return refuse(err, "'startupPolicy' is only valid for 'file' type volume");
        if (s->pool_mode == POOL_MODE_HOST)
            return refuse(err, "disk source mode 'host' needs a storage pool of type 'iscsi'");
        return iscsi(s, pool, err);
    case POOL_RBD:
        network(s, PROTOCOL_RBD, pool, SECRET_CEPH);
        s->name = g_strdup_printf("%s/%s", pool->name ? pool->name : "", s->volume);
        return true;
    case POOL_GLUSTER: {
        g_autofree char *dir = below(pool->dir);
        if (kind == VOLUME_NETDIR)
            return of_this_kind(s, pool->type, kind, path, err);
        network(s, PROTOCOL_GLUSTER, pool, SECRET_NONE);
        s->name = g_strdup_printf("%s/%s%s", pool->name ? pool->name : "", dir, s->volume);
        return true;
    }
    case POOL_SHEEPDOG: case _POOL_TYPE_N:
        break;
    }
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "using '%s' pools for backing 'volume' disks isn't yet supported",
              enum_name(&storage_pool_type_names, pool->type));
    return false;
}

bool volume_source(StorageSource *s, const StoragePoolDef *pool, StorageVolumeType kind, const char *path, GError **err)
{
    g_autoptr(StorageSource) users = storage_source_new(STORAGE_NONE, NULL);

    users->auth = g_steal_pointer(&s->auth); /* only the pool's counts */
    if (!place(s, pool, kind, path, err)) {
        s->auth = g_steal_pointer(&users->auth); /* as it was */
        return false;
    }
    if (!s->format)
        s->format = s->type == STORAGE_DIR ? FORMAT_FAT : FORMAT_RAW;
    if (!s->priv)
        s->priv = g_new0(StoragePrivate, 1);
    s->priv->pool = g_steal_pointer(&s->pool);
    s->priv->volume = g_steal_pointer(&s->volume);
    s->priv->pool_mode = s->pool_mode;
    s->pool_mode = POOL_MODE_DEFAULT;
    return true;
}
