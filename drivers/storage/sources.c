/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What servers say they have for pools (tools.h): the answers of find-storage-pool-sources. What no document can say is
 * left out. Pure.
 */
#include <string.h>

#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"
#include "util/text.h"
#include "util/xml.h"

enum { LINES_MAX = 65536 };

/* One more, at the host that was asked. */
static StoragePoolSource *add(StorageSourceList *l, StoragePoolType type, const char *name, unsigned port)
{
    StoragePoolSource *s = g_new0(StoragePoolSource, 1);
    PoolHost *h = g_new0(PoolHost, 1);

    h->name = g_strdup(name);
    h->port = port;
    s->type = type;
    s->hosts = g_ptr_array_new();
    g_ptr_array_add(s->hosts, h);
    g_ptr_array_add(l->sources, s);
    return s;
}

static StorageSourceList *new_list(void)
{
    StorageSourceList *l = g_new0(StorageSourceList, 1);

    l->sources = g_ptr_array_new();
    return l;
}

/* "Export list for h:", where it was not told to leave that out, and lines "/dir clients". */
StorageSourceList *sources_of_exports(const char *said, const char *host)
{
    StorageSourceList *l = new_list();
    g_auto(GStrv) lines = g_strsplit(said, "\n", LINES_MAX);

    for (unsigned i = 0; lines[i]; i++) {
        lines[i][strcspn(lines[i], " \t")] = '\0';
        if (*lines[i] != '/' || !text_can_be_said(lines[i]))
            continue;
        StoragePoolSource *s = add(l, POOL_NETFS, host, 0);
        s->format = POOL_NETFS_NFS;
        s->dir = g_strdup(lines[i]);
    }
    return l;
}

StorageSourceList *sources_of_targets(const StoragePoolSource *like, const GPtrArray *targets)
{
    const PoolHost *h = list_at(like->hosts, 0);
    unsigned port = h->port || like->type != POOL_ISCSI ? h->port : ISCSI_PORT;
    StorageSourceList *l = new_list();

    for (guint i = 0; i < targets->len; i++) {
        if (!text_can_be_said(targets->pdata[i]))
            continue;
        StoragePoolSource *s = add(l, like->type, h->name, port);
        PoolDevice *dev = g_new0(PoolDevice, 1);
        dev->path = g_strdup(targets->pdata[i]);
        s->devices = g_ptr_array_new();
        g_ptr_array_add(s->devices, dev);
        s->initiator = g_strdup(like->initiator);
    }
    return l;
}

/* cliOutput/volInfo/volumes/volume/name */
StorageSourceList *sources_of_gluster(const char *said, const char *host, GError **err)
{
    static const char *const way[] = { "volInfo", "volumes" };
    g_autoptr(XmlDoc) doc = xml_parse(said, strlen(said), err);
    g_autoptr(StorageSourceList) l = new_list();
    xmlNode *at = doc ? xml_root(doc) : NULL;

    if (!doc)
        return NULL;
    for (unsigned i = 0; at && i < G_N_ELEMENTS(way); i++)
        at = xml_child(at, way[i]);
    for (xmlNode *v = at ? xml_child(at, "volume") : NULL; v; v = xml_next(v, "volume")) {
        xmlNode *name = xml_child(v, "name");
        if (!name)
            continue;
        StoragePoolSource *s = add(l, POOL_GLUSTER, host, 0);
        s->name = xml_text_dup(name);
        s->dir = g_strdup("/");
    }
    if (l->sources->len)
        return g_steal_pointer(&l);
    error_set(err, VIR_ERR_OPERATION_FAILED, "no storage pools were found on host '%s'", host);
    return NULL;
}
