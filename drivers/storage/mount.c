/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mounting and making file systems (tools.h). What is mounted may be written by guests or come from
 * others: no devices, no set-uid programs, nothing is run from it. Pure.
 */
#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"

static bool refuse(const StoragePoolDef *d, GError **err, const char *why)
{
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "pool '%s' of type '%s' %s", d->name,
              enum_name(&storage_pool_type_names, d->source.type), why);
    return false;
}

char *mount_source(const StoragePoolDef *d, GError **err)
{
    const StoragePoolSource *s = &d->source;

    if (s->type == POOL_FS && list_len(s->devices) == 1)
        return g_strdup(((PoolDevice *)list_at(s->devices, 0))->path);
    if (s->type != POOL_NETFS || list_len(s->hosts) != 1 || !s->dir) {
        (void)refuse(d, err, s->type == POOL_FS ? "needs exactly one device" : "has nothing that can be mounted");
        return NULL;
    }
    const char *host = ((PoolHost *)list_at(s->hosts, 0))->name;
    if (s->format == POOL_NETFS_CIFS)
        return g_strdup_printf("//%s/%s", host, *s->dir == '/' ? s->dir + 1 : s->dir);
    bool v6 = strchr(host, ':') && *host != '[';
    return g_strdup_printf("%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", s->dir);
}

static const char *type_of(const StoragePoolSource *s)
{
    return s->type == POOL_NETFS && s->format == POOL_NETFS_AUTO ? NULL : storage_pool_format_name(s);
}

Argv *mount_command(const StoragePoolDef *d, GError **err)
{
    const StoragePoolSource *s = &d->source;
    g_autofree char *source = mount_source(d, err);
    g_autoptr(Argv) a = argv_new("mount");
    ArgvList l = { NULL };

    if (!source)
        return NULL;
    if (s->protocol_version && s->protocol_version[strspn(s->protocol_version, "0123456789.")]) {
        (void)refuse(d, err, "has a version of its protocol that is none, such as 4.1");
        return NULL;
    }
    argv_list_flag(&l, "nodev");
    argv_list_flag(&l, "nosuid");
    argv_list_flag(&l, "noexec");
    if (s->type == POOL_NETFS && s->format == POOL_NETFS_CIFS)
        argv_list_flag(&l, "guest");
    if (s->type == POOL_NETFS && s->format == POOL_NETFS_GLUSTERFS)
        argv_list_add(&l, "direct-io-mode", "1");
    if (s->type == POOL_NETFS && s->protocol_version)
        argv_list_add(&l, "nfsvers", s->protocol_version);
    for (LIST_EACH(StrItem, option, d->mount_options))
        argv_list_flag(&l, option->s);
    argv_list_end(&l, a, "-o");
    if (type_of(s))
        argv_words(a, "-t", type_of(s), NULL);
    argv_operand(a, source);
    argv_operand(a, d->target);
    return argv_check(a, err) ? g_steal_pointer(&a) : NULL;
}

Argv *umount_command(const StoragePoolDef *d, GError **err)
{
    g_autoptr(Argv) a = argv_new("umount");

    argv_operand(a, d->target);
    return argv_check(a, err) ? g_steal_pointer(&a) : NULL;
}

Argv *mkfs_command(const StoragePoolDef *d, GError **err)
{
    g_autoptr(Argv) a = argv_new("mkfs");

    if (d->source.type != POOL_FS || list_len(d->source.devices) != 1 || d->source.format == POOL_FS_AUTO) {
        (void)refuse(d, err, "needs one device and the type of its file system to make it");
        return NULL;
    }
    argv_words(a, "-t", type_of(&d->source), NULL);
    if (d->source.format == POOL_FS_XFS)
        argv_words(a, "-f", NULL); /* we have looked for what is there */
    else if (d->source.format >= POOL_FS_EXT2 && d->source.format <= POOL_FS_EXT4)
        argv_words(a, "-F", NULL);
    argv_operand(a, ((PoolDevice *)list_at(d->source.devices, 0))->path);
    return argv_check(a, err) ? g_steal_pointer(&a) : NULL;
}

static void add_name(Argv *a, const char *option, const char *name)
{
    if (!name)
        return;
    argv_words(a, option, NULL);
    argv_operand(a, name);
}

/* Its own program instead of mount's, which takes names and no numbers; the file system is in user space. */
Argv *vstorage_mount_command(const StoragePoolDef *d, GError **err)
{
    g_autoptr(Argv) a = argv_new("vstorage-mount");
    const StoragePermissions *p = d->permissions;

    argv_words(a, "-c", NULL);
    argv_operand(a, d->source.name);
    argv_operand(a, d->target);
    argv_words(a, "-m", NULL);
    argv_wordf(a, "%o", p && p->mode.set ? p->mode.v : 0700);
    char text[4096];
    struct group group, *g = NULL;
    struct passwd user, *u = NULL;
    if (p && p->group.set && getgrgid_r(p->group.v, &group, text, sizeof(text), &g) == 0 && g)
        add_name(a, "-g", g->gr_name);
    if (p && p->owner.set && getpwuid_r(p->owner.v, &user, text, sizeof(text), &u) == 0 && u)
        add_name(a, "-u", u->pw_name);
    return argv_check(a, err) ? g_steal_pointer(&a) : NULL;
}
