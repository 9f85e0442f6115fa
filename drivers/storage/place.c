/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether two pools are of one place (tools.h). Pure. */
#include <string.h>

#include "drivers/storage/tools.h"
#include "util/api.h"

#define ON_DEVICES (BIT(POOL_FS) | BIT(POOL_LOGICAL) | BIT(POOL_DISK) | BIT(POOL_ISCSI) | BIT(POOL_ZFS))

static bool same(const char *a, const char *b)
{
    return g_strcmp0(a, b) == 0;
}

static bool share_device(const StoragePoolSource *a, const StoragePoolSource *b)
{
    for (LIST_EACH(PoolDevice, one, a->devices))
        for (LIST_EACH(PoolDevice, other, b->devices))
            if (same(one->path, other->path))
                return true;
    return false;
}

static bool share_host(const StoragePoolSource *a, const StoragePoolSource *b)
{
    for (LIST_EACH(PoolHost, one, a->hosts))
        for (LIST_EACH(PoolHost, other, b->hosts))
            if (same(one->name, other->name))
                return true;
    return false;
}

/* "scsi_host5" and "host5" are one. */
static const char *host_word(const char *name)
{
    return name && g_str_has_prefix(name, "scsi_") ? name + strlen("scsi_") : name;
}

static bool same_adapter(const PoolAdapter *a, const PoolAdapter *b)
{
    if (a->type == ADAPTER_FC_HOST && b->type == ADAPTER_FC_HOST)
        return same(a->wwnn, b->wwnn) && same(a->wwpn, b->wwpn);
    if (a->type == ADAPTER_FC_HOST || b->type == ADAPTER_FC_HOST) {
        const PoolAdapter *fc = a->type == ADAPTER_FC_HOST ? a : b, *host = fc == a ? b : a;
        return fc->parent && same(host_word(fc->parent), host_word(host->name));
    }
    if (a->name || b->name)
        return same(host_word(a->name), host_word(b->name));
    const PciAddress *p = &a->parent_address, *q = &b->parent_address;
    return a->unique_id == b->unique_id && p->domain == q->domain && p->bus == q->bus && p->slot == q->slot &&
           p->function == q->function;
}

bool pool_same_place(const StoragePoolDef *a, const StoragePoolDef *b)
{
    const StoragePoolSource *x = &a->source, *y = &b->source;

    if (ON_DEVICES & BIT(x->type) && ON_DEVICES & BIT(y->type) && share_device(x, y))
        /* Sessions of two initiators are two. */
        return x->type != POOL_ISCSI || y->type != POOL_ISCSI || same(x->initiator, y->initiator);
    if (x->type != y->type)
        return false;
    switch (x->type) {
    case POOL_DIR:
        return same(a->target, b->target);
    case POOL_NETFS:
        return same(x->dir, y->dir) && share_host(x, y);
    case POOL_GLUSTER:
        return same(x->name, y->name) && same(x->dir, y->dir) && share_host(x, y);
    case POOL_SCSI:
        return x->adapter && y->adapter && same_adapter(x->adapter, y->adapter);
    case POOL_MPATH:
        return true;
    case POOL_VSTORAGE:
        return same(x->name, y->name);
    default:
        return false;
    }
}
