/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guests that an older daemon started: in their time, names of objects in the emulator followed from
 * devices' aliases, and what had one meaning only was not written. Both are said here as daemons say
 * them since, so that who takes such a guest over finds the objects that are there. What the file says
 * stays. Pure.
 */
#include "conf/backing.h"
#include "conf/domain_status.h"

static StoragePrivate *private_of(StoragePrivate **p)
{
    if (!*p)
        *p = g_new0(StoragePrivate, 1);
    return *p;
}

static void add_secret(StorageSource *s, const char *type, char *take_alias)
{
    g_autofree char *alias = take_alias;
    StoragePrivate *p = private_of(&s->priv);

    for (LIST_EACH(const PrivateSecret, old, p->secrets))
        if (g_strcmp0(old->type, type) == 0)
            return;
    if (!p->secrets)
        p->secrets = g_ptr_array_new();
    PrivateSecret *new = g_new0(PrivateSecret, 1);
    *new = (PrivateSecret){ g_strdup(type), g_steal_pointer(&alias) };
    g_ptr_array_add(p->secrets, new);
}

static void complete_source(StorageSource *s, const char *alias)
{
    storage_source_complete(s);
    if (!alias)
        return;
    if (s->auth)
        add_secret(s, "auth", g_strdup_printf("%s-secret0", alias));
    if (s->encryption && s->encryption->format == ENCRYPTION_LUKS)
        add_secret(s, "encryption", g_strdup_printf("%s-luks-secret0", alias));
    if (s->tls == TRI_YES && !private_of(&s->priv)->tls_alias)
        s->priv->tls_alias = g_strdup_printf("obj%s_tls0", alias);
}

static void complete_hostdev(HostdevDef *h)
{
    const char *alias = h->dev.info.alias;

    if (h->mode != HOSTDEV_SUBSYS || h->type != HOSTDEV_SCSI || !alias)
        return;
    if (h->iscsi)
        complete_source(h->iscsi, alias);
    StoragePrivate *p = private_of(h->iscsi ? &h->iscsi->priv : &h->scsi_priv);
    if (list_len(p->node_names))
        return;
    if (!p->node_names)
        p->node_names = g_ptr_array_new();
    NodeName *n = g_new0(NodeName, 1);
    *n = (NodeName){ g_strdup("storage"), g_strdup_printf("libvirt-%s-backend", alias) };
    g_ptr_array_add(p->node_names, n);
}

void domain_status_complete(DomainDef *d)
{
    DiskDef *disk;
    HostdevDef *h;

    for (guint pos = 0; (disk = domain_next(d, DEVICE_DISK, &pos));)
        complete_source(&disk->src, disk->dev.info.alias);
    for (guint pos = 0; (h = domain_next(d, DEVICE_HOSTDEV, &pos));)
        complete_hostdev(h);
    domain_imply_audio(d, AUDIO_NONE, AUDIO_NONE);
}
